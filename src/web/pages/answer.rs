//! `/answer/{link}`: where a donor fills in the employer or occupation that their gift lacks, without an account.

use crate::domain::donation::Donation;
use crate::domain::donor::{self, statutory_sentence};
use crate::domain::id::DonationId;
use crate::domain::seals::WORK;
use crate::domain::{Command, Refusal};
use crate::engine::Failure;
use crate::web::form::{Errors, Form};
use crate::web::gift::{self, day_in_words, read_answer};
use crate::web::problem::{Problem, sentence};
use crate::web::view::{Field, FormError, Layout};
use crate::web::{App, fresh_key, see_other};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/answer.html")]
pub struct AnswerPage {
    /// The frame around the page.
    pub layout: Layout,
    /// The rally's title.
    pub rally_title: String,
    /// The rally's page.
    pub rally_href: String,
    /// Where the form is sent.
    pub href: String,
    /// What is wrong, when the form was refused.
    pub errors: Vec<FormError>,
    /// `$250.00`.
    pub amount: String,
    /// `September 24, 2026`.
    pub day: String,
    /// Whether it was just sent.
    pub is_done: bool,
    /// When it was answered before; empty where it was not.
    pub answered: String,
    /// Why it is asked, as the law wants it said.
    pub sentence: String,
    /// Field `employer`.
    pub employer: Field,
    /// Field `occupation`.
    pub occupation: Field,
    /// Field `not_employed`.
    pub not_employed: bool,
    /// Who pays for it, as the law wants it said.
    pub paid_for_by: String,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/answer/{link}", get(show).post(save))
}

/// The gift that a link is about, while there is somebody to answer for it.
fn find(app: &App, link: &str) -> Result<(DonationId, Donation), Problem> {
    let id = app.engine().vault().donation_of_link(link).ok_or(Problem::NotFound)?;
    let world = app.engine().world();
    let gift = world.state.donations.get(id).cloned().ok_or(Problem::NotFound)?;
    let is_gone = world.state.privacy.erasure(gift.donor).is_some_and(|erasure| !erasure.came_back);
    if is_gone { Err(Problem::NotFound) } else { Ok((id, gift)) }
}

async fn show(
    State(app): State<App>,
    Path(link): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (_, gift) = find(&app, &link)?;
    let is_done = Form::parse(query.unwrap_or_default().as_bytes()).has("done");
    page(&app, &link, &gift, &Form::default(), &Errors::default(), is_done)
}

async fn save(State(app): State<App>, Path(link): Path<String>, body: Bytes) -> Result<Response, Problem> {
    let (donation, gift) = find(&app, &link)?;
    let mut errors = Errors::default();
    let form = gift::without_card_numbers(Form::parse(&body), &mut errors);
    let work = read_answer(&form, &mut errors);
    if !errors.is_empty() {
        return page(&app, &link, &gift, &form, &errors, false);
    }
    let work = app.seal(gift.donor, WORK, &work)?;
    let command = Command::Donor(donor::Command::Answer { donation, work });
    match app.engine().execute(command, fresh_key("answer"), &format!("donor:{}", gift.donor)).await {
        Ok(_) => Ok(see_other(&format!("/answer/{link}?done=1"))),
        Err(Failure::Refused(Refusal::Donor(refusal))) => Err(Problem::Refused(sentence(&refusal.to_string()))),
        Err(failure) => Err(failure.into()),
    }
}

fn page(
    app: &App,
    link: &str,
    gift: &Donation,
    form: &Form,
    errors: &Errors,
    is_done: bool,
) -> Result<Response, Problem> {
    let world = app.engine().world();
    let rally = world.state.rallies.get(gift.rally).ok_or(Problem::NotFound)?;
    let filer = world.state.committees.get(gift.committee).and_then(|committee| committee.filer.as_ref());
    let zone = crate::projections::totals::timezone(&world.state, gift.rally);
    let answer = world.donors.answer(gift.donor, u64::MAX);
    let page = AnswerPage {
        layout: app.layout(&format!("Your gift: {}", rally.details.title), Some(&rally.details)),
        rally_title: rally.details.title.clone(),
        rally_href: format!("/r/{}", rally.details.slug),
        href: format!("/answer/{link}"),
        errors: errors.summary(),
        amount: gift.amount.to_exact(),
        day: day_in_words(gift.day),
        is_done,
        answered: answer.map(|answer| day_in_words(answer.at.with_timezone(&zone).date_naive())).unwrap_or_default(),
        sentence: statutory_sentence(filer.map(|filer| filer.form)),
        employer: errors.field("employer", form.get("employer")),
        occupation: errors.field("occupation", form.get("occupation")),
        not_employed: form.has("not_employed"),
        paid_for_by: rally.details.paid_for_by.clone(),
    };
    drop(world);
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok((status, Html(page.render()?)).into_response())
}
