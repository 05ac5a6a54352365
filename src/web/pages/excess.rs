//! `/finance/excess`: gifts by which a person went over a limit, until when that is mended, and the three ways to mend it: give it
//! back, count it for another election, or count it as another person's.

mod asked;
mod lines;

use super::filer::{committee, tabs};
use crate::domain::id::{CommitteeId, DonationId, RemedyId};
use crate::domain::remedy::{Command as Remedy, REMEDY_DAYS, Refusal as NoRemedy};
use crate::domain::{Command, Refusal};
use crate::engine::Failure;
use crate::report::excess;
use crate::web::form::{Errors, Form};
use crate::web::pages::work::Team;
use crate::web::problem::{self, Problem, sentence};
use crate::web::session::{Staff, csrf_matches};
use crate::web::view::{Choice, Layout, Notice, StaffRoom};
use crate::web::{App, fresh_key, notice, see_other};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use lines::{Done, Line};

/// Where this page is.
pub const PATH: &str = "/finance/excess";
/// Gifts on the page that are over a limit: a day's work, and each has forms of its own.
const LINES_MAX: usize = 50;
/// Gifts on the page that are not any more, the latest first.
const DONE_MAX: usize = 20;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/excess.html")]
pub struct ExcessPage {
    /// The frame around the page.
    pub layout: Layout,
    /// The committees, this one selected; empty where there is one alone.
    pub committees: Vec<Choice>,
    /// Field `committee`.
    pub committee: CommitteeId,
    /// Whether the committee has limits.
    pub has_limits: bool,
    /// Days in which an excess is mended.
    pub days: u64,
    /// What is over, what is due first first.
    pub lines: Vec<Line>,
    /// How many more there are.
    pub more: usize,
    /// What was over and is not any more.
    pub done: Vec<Done>,
    /// How many more there are.
    pub done_more: usize,
    /// Who can have one of them to see to.
    pub team: Team,
}

/// What was sent and refused.
struct Sent {
    donation: DonationId,
    what: &'static str,
    form: Form,
    errors: Errors,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route(PATH, get(show))
        .route("/finance/excess/{id}/redesignate", post(redesignate))
        .route("/finance/excess/{id}/reattribute", post(reattribute))
        .route("/finance/excess/undo/{id}", post(undo))
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let committee = committee(&app, &query)?;
    page(&app, &staff, committee, notice(&query), None).await
}

/// A form of this session's, and whose page it stands on.
fn read(app: &App, staff: &Staff, body: &[u8]) -> Result<(Form, CommitteeId), Problem> {
    let form = Form::parse(body);
    if !csrf_matches(staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let committee = committee(app, &form)?;
    Ok((form, committee))
}

async fn redesignate(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let (form, committee) = read(&app, &staff, &body)?;
    let donation = id.parse().map_err(|_| Problem::NotFound)?;
    let mut errors = Errors::default();
    let asked = asked::redesignation(&app, donation, committee, &form, &mut errors)?;
    let sent = Sent { donation, what: "redesignate", form, errors };
    take(&app, &staff, committee, asked, sent, "redesignated").await
}

async fn reattribute(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let (form, committee) = read(&app, &staff, &body)?;
    let donation = id.parse().map_err(|_| Problem::NotFound)?;
    let mut errors = Errors::default();
    let asked = asked::reattribution(&app, donation, committee, &form, &mut errors)?;
    let sent = Sent { donation, what: "reattribute", form, errors };
    take(&app, &staff, committee, asked, sent, "reattributed").await
}

async fn undo(State(app): State<App>, staff: Staff, Path(id): Path<String>, body: Bytes) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let (_, committee) = read(&app, &staff, &body)?;
    let remedy: RemedyId = id.parse().map_err(|_| Problem::NotFound)?;
    let command = Command::Remedy(Remedy::Undo { remedy });
    match app.engine().execute(command, fresh_key("undone"), &staff.actor()).await {
        Ok(_) => Ok(see_other(&format!("{PATH}?committee={committee}&done=undone"))),
        Err(Failure::Refused(Refusal::Remedy(refusal))) => Err(Problem::Refused(sentence(&refusal.to_string()))),
        Err(failure) => Err(failure.into()),
    }
}

/// Takes what is asked for, where it could be read.
async fn take(
    app: &App,
    staff: &Staff,
    committee: CommitteeId,
    asked: Option<Remedy>,
    mut sent: Sent,
    done: &str,
) -> Result<Response, Problem> {
    let Some(command) = asked.filter(|_| sent.errors.is_empty()) else {
        return page(app, staff, committee, None, Some(sent)).await;
    };
    match app.engine().execute(Command::Remedy(command), fresh_key(done), &staff.actor()).await {
        Ok(_) => Ok(see_other(&format!("{PATH}?committee={committee}&done={done}"))),
        Err(Failure::Refused(Refusal::Remedy(refusal))) => {
            let field = match &refusal {
                NoRemedy::Unknown | NoRemedy::UnknownRemedy => return Err(Problem::NotFound),
                NoRemedy::TooMuch(_) | NoRemedy::Amount => "amount",
                NoRemedy::UnknownLimit | NoRemedy::SameLimit(_) | NoRemedy::NotLater => "limit",
                NoRemedy::Day | NoRemedy::Late => "day",
                NoRemedy::SamePerson => "first_name",
                NoRemedy::NoRoom(_) | NoRemedy::TooMany => "error",
            };
            sent.errors.add(field, sentence(&refusal.to_string()));
            page(app, staff, committee, None, Some(sent)).await
        }
        Err(failure) => Err(failure.into()),
    }
}

async fn page(
    app: &App,
    staff: &Staff,
    committee: CommitteeId,
    done: Option<Notice>,
    sent: Option<Sent>,
) -> Result<Response, Problem> {
    let engine = app.engine().clone();
    let found = tokio::task::spawn_blocking(move || excess::look(&engine, committee)).await;
    let found = found.map_err(|fault| problem::internal(&fault))?;
    if !found.is_empty() {
        app.shows(staff, "over the limit", format!("committee={committee}")).await?;
    }
    // What was moved of one that is still over can be undone, too.
    let over: Vec<excess::Excess> = {
        let world = app.engine().world();
        let is_moved = |one: &excess::Excess| {
            world.remedies.of(one.donation).any(|remedy| remedy.undone.is_none() && remedy.committee == committee)
        };
        found.iter().filter(|one| !one.is_open || is_moved(one)).cloned().collect()
    };
    let mut open: Vec<excess::Excess> = found.into_iter().filter(|one| one.is_open).collect();
    // What was sent and refused is shown again, however many there are.
    open.sort_by_key(|one| sent.as_ref().is_none_or(|sent| sent.donation != one.donation));
    let mut lines = lines::Lines::new(app, committee, app.contacts());
    let (more, done_more) = (open.len().saturating_sub(LINES_MAX), over.len().saturating_sub(DONE_MAX));
    let team = Team::of(app, staff);
    let open = open.iter().take(LINES_MAX).filter_map(|one| lines.open(one, &team, sent.as_ref())).collect();
    let mended = over.iter().take(DONE_MAX).filter_map(|one| lines.done(one).transpose());
    let mended = mended.collect::<Result<Vec<Done>, Problem>>()?;
    let has_limits = {
        let world = app.engine().world();
        world.state.committees.get(committee).is_some_and(|known| !known.rules.limits.is_empty())
    };
    let page = ExcessPage {
        layout: Layout { notice: done, ..app.staff_layout("Over the limit", staff, StaffRoom::Finance, None) },
        committees: tabs(app, committee),
        committee,
        has_limits,
        days: REMEDY_DAYS,
        lines: open,
        more,
        done: mended,
        done_more,
        team,
    };
    let status = if sent.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, Html(page.render()?)).into_response())
}
