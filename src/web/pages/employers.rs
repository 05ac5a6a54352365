//! `/finance/employers`: donors whom a report names and whose employer or occupation is missing; finance asks them, and writes
//! down what they answer.

use super::filer::{committee, tabs};
use super::work::{Hold, Team};
use crate::clock;
use crate::domain::committee::filer::Filer;
use crate::domain::donation::Donation;
use crate::domain::donor::{self, How};
use crate::domain::id::{CommitteeId, DonationId, MailId};
use crate::domain::mail::Standing as Letter;
use crate::domain::money::{Currency, Money};
use crate::domain::seals::WORK;
use crate::domain::work::{Item, Kind};
use crate::domain::{Command, Refusal};
use crate::engine::Failure;
use crate::engine::lines::Lines;
use crate::projections::donors::{Asking, Taken};
use crate::projections::totals::timezone;
use crate::report::filing;
use crate::report::missing::{self, Found, Missing, Standing};
use crate::web::form::{Errors, Form};
use crate::web::gift::{day_in_words, read_answer};
use crate::web::problem::{self, Problem, sentence};
use crate::web::session::{Staff, csrf_matches};
use crate::web::view::{Choice, Field, Layout, Notice, StaffRoom};
use crate::web::{App, fresh_key, notice, see_other};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use chrono::NaiveDate;
use chrono_tz::Tz;

/// Donors on the page: a day's work, and each has forms of their own.
const LINES_MAX: usize = 50;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/employers.html")]
pub struct Employers {
    /// The frame around the page.
    pub layout: Layout,
    /// The committees, this one selected; empty where there is one alone.
    pub committees: Vec<Choice>,
    /// Field `committee`.
    pub committee: CommitteeId,
    /// Whether somebody wrote who files: without, nobody is named in a report.
    pub files: bool,
    /// Since when gifts are added up: `calendar year`.
    pub within: &'static str,
    /// Whether this server sends mail.
    pub has_mail: bool,
    /// The donors, with what is to be done first.
    pub lines: Vec<Line>,
    /// How many more there are.
    pub more: usize,
    /// Earlier gifts that were not looked at.
    pub unseen: usize,
    /// Gifts of whose donor nothing can be read.
    pub unread: usize,
    /// Who can have one of them to see to.
    pub team: Team,
}

/// A donor.
#[derive(Debug, Clone)]
pub struct Line {
    /// The gift to ask about.
    pub donation: DonationId,
    /// Who.
    pub name: String,
    /// Where they are reached.
    pub email: String,
    /// What they gave so far: `$1,250.00`.
    pub given: String,
    /// What is missing: `employer and occupation`.
    pub missing: &'static str,
    /// What they typed of the two; empty where nothing.
    pub typed: String,
    /// Since when.
    pub since: String,
    /// How it stands, in a word.
    pub pill: &'static str,
    /// Whether somebody has to do something.
    pub is_open: bool,
    /// Who.
    pub hold: Hold,
    /// How it stands, in a sentence.
    pub standing: String,
    /// Whether a letter can be sent.
    pub can_write: bool,
    /// Whether they can be asked, and an answer be written down.
    pub can_ask: bool,
    /// Field `day`: when they were asked.
    pub day: Field,
    /// Field `how` as it was sent.
    pub by_post: bool,
    /// Fields `employer` and `occupation`.
    pub work: [Field; 2],
    /// Field `not_employed`.
    pub not_employed: bool,
    /// Why what was asked for was refused.
    pub error: Option<String>,
    /// Which of the two forms is open.
    pub open: &'static str,
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
        .route("/finance/employers", get(show))
        .route("/finance/employers/{id}/letter", post(letter))
        .route("/finance/employers/{id}/asked", post(asked))
        .route("/finance/employers/{id}/answer", post(answer))
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let committee = committee(&app, &query)?;
    page(&app, &staff, committee, notice(&query), None).await
}

/// The form that was sent, the gift it is about, and the day it is where that was given.
fn read(app: &App, staff: &Staff, id: &str, body: &[u8]) -> Result<(Form, DonationId, Donation, NaiveDate), Problem> {
    let form = Form::parse(body);
    if !csrf_matches(staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let id: DonationId = id.parse().map_err(|_| Problem::NotFound)?;
    let world = app.engine().world();
    let gift = world.state.donations.get(id).cloned().ok_or(Problem::NotFound)?;
    let today = clock::now().with_timezone(&timezone(&world.state, gift.rally)).date_naive();
    Ok((form, id, gift, today))
}

async fn letter(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let (form, donation, gift, day) = read(&app, &staff, &id, &body)?;
    let command = donor::Command::Ask { donation, how: How::Letter, day };
    let sent = Sent { donation, what: "letter", form, errors: Errors::default() };
    take(&app, &staff, gift.committee, command, sent, "work-letter").await
}

async fn asked(State(app): State<App>, staff: Staff, Path(id): Path<String>, body: Bytes) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let (form, donation, gift, today) = read(&app, &staff, &id, &body)?;
    let how = if form.get("how") == "post" { How::Post } else { How::Phone };
    let day = form.get("day").parse::<NaiveDate>().ok().filter(|day| (gift.day..=today).contains(day));
    let mut sent = Sent { donation, what: "asked", form, errors: Errors::default() };
    let Some(day) = day else {
        sent.errors.add("day", "Write the day on which you asked: after the gift, and not after today.");
        return page(&app, &staff, gift.committee, None, Some(sent)).await;
    };
    take(&app, &staff, gift.committee, donor::Command::Ask { donation, how, day }, sent, "work-asked").await
}

async fn answer(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let (form, donation, gift, _) = read(&app, &staff, &id, &body)?;
    let mut errors = Errors::default();
    let work = read_answer(&form, &mut errors);
    let sent = Sent { donation, what: "answer", form, errors };
    if !sent.errors.is_empty() {
        return page(&app, &staff, gift.committee, None, Some(sent)).await;
    }
    let work = app.seal(gift.donor, WORK, &work)?;
    take(&app, &staff, gift.committee, donor::Command::Answer { donation, work }, sent, "work-answered").await
}

async fn take(
    app: &App,
    staff: &Staff,
    committee: CommitteeId,
    command: donor::Command,
    mut sent: Sent,
    done: &str,
) -> Result<Response, Problem> {
    // A joint committee's donors stand on the lists of those who share its gifts.
    let listed = sent.form.get("committee").parse().unwrap_or(committee);
    match app.engine().execute(Command::Donor(command), fresh_key(done), &staff.actor()).await {
        Ok(_) => Ok(see_other(&format!("/finance/employers?committee={listed}&done={done}"))),
        Err(Failure::Refused(Refusal::Donor(donor::Refusal::Unknown))) => Err(Problem::NotFound),
        Err(Failure::Refused(Refusal::Donor(refusal))) => {
            sent.errors.add("error", sentence(&refusal.to_string()));
            page(app, staff, listed, None, Some(sent)).await
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
    let filer: Option<Filer> = {
        let world = app.engine().world();
        world.state.committees.get(committee).and_then(|known| known.filer.clone())
    };
    let now = app.engine().clock().now();
    let mut found = match filer.clone() {
        Some(filer) => {
            let engine = app.engine().clone();
            let look = tokio::task::spawn_blocking(move || missing::look(&engine, committee, &filer, now.date_naive()));
            match look.await.map_err(|fault| problem::internal(&fault))? {
                Ok(found) => found,
                Err(filing::Fault::NotDollars(fault)) => return Err(Problem::Refused(sentence(&fault.to_string()))),
                Err(fault) => return Err(problem::internal(&fault)),
            }
        }
        None => Found::default(),
    };
    if !found.missing.is_empty() {
        app.shows(staff, "missing employers", format!("committee={committee}")).await?;
    }
    // What was sent and refused is shown again, however many there are.
    found.missing.sort_by_key(|one| sent.as_ref().is_none_or(|sent| sent.donation != one.donation));
    let more = found.missing.len().saturating_sub(LINES_MAX);
    let today = now.date_naive();
    let mut lines = app.engine().lines();
    let team = Team::of(app, staff);
    let mut shown = vec![];
    for one in found.missing.iter().take(LINES_MAX) {
        let hold = team.hold(&app.engine().world().state, &Item::of_gift(Kind::Employer, one.about(), committee));
        shown.push(line(app, &mut lines, one, (today, hold), sent.as_ref())?);
    }
    let page = Employers {
        layout: Layout { notice: done, ..app.staff_layout("Missing employers", staff, StaffRoom::Finance, None) },
        committees: tabs(app, committee),
        committee,
        files: filer.is_some(),
        within: if filer.is_some_and(|filer| filer.form.is_candidates()) { "election cycle" } else { "calendar year" },
        has_mail: app.engine().world().state.mail.is_on(),
        lines: shown,
        more,
        unseen: found.unseen,
        unread: found.unread,
        team,
    };
    let status = if sent.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, Html(page.render()?)).into_response())
}

fn line(
    app: &App,
    lines: &mut Lines,
    one: &Missing,
    (today, hold): (NaiveDate, Hold),
    sent: Option<&Sent>,
) -> Result<Line, Problem> {
    let (zone, letter, has_mail) = {
        let world = app.engine().world();
        let zone = world.state.donations.get(one.donation).map(|gift| timezone(&world.state, gift.rally));
        let letter = world.state.mail.standing(MailId::work_asked(one.donation)).map(|letter| match letter {
            Letter::Waiting => "It is on its way.".to_owned(),
            Letter::Sent => "The mail server took it.".to_owned(),
            Letter::Failed(failure) => format!("It did not arrive: {}.", failure.reason),
        });
        (zone.unwrap_or(Tz::UTC), letter, world.state.mail.is_on())
    };
    let mut who = |seq: u64| -> Result<String, Problem> {
        let signed = lines.signed(seq).map_err(|fault| problem::internal(&fault))?;
        Ok(signed.map(|(_, by)| app.name_of(&by)).unwrap_or_default())
    };
    let (pill, standing) = match &one.standing {
        Standing::NotAsked(failed) => {
            let pill = if one.by < today { "Overdue" } else { "Ask" };
            let failed = if failed.is_some() { "A letter did not arrive. " } else { "" };
            (pill, format!("{failed}Ask by {}.", day_in_words(one.by)))
        }
        Standing::Asked(asking) => {
            let letter = letter.clone().filter(|_| asking.how == How::Letter).unwrap_or_default();
            ("Asked", format!("{} by {}. {letter}", how(asking), who(asking.seq)?))
        }
        Standing::Answered(answer) => {
            let day = day_in_words(answer.at.with_timezone(&zone).date_naive());
            ("Answered", format!("Answered on {day}, by {}.", who(answer.seq)?))
        }
        Standing::Amend(answer, reports) => {
            let day = day_in_words(answer.at.with_timezone(&zone).date_naive());
            let reports: Vec<String> = reports.iter().map(report_in_words).collect();
            let reports = reports.join(", ");
            let by = who(answer.seq)?;
            (
                "Amend",
                format!(
                    "Answered on {day}, by {by}, after a file was taken of {reports}. If it was filed, file an \
                     amendment: make the report again."
                ),
            )
        }
    };
    let sent = sent.filter(|sent| sent.donation == one.donation);
    let field = |name: &'static str, default: String| match sent {
        Some(sent) if sent.form.has(name) => sent.errors.field(name, sent.form.get(name)),
        Some(sent) => sent.errors.field(name, default),
        None => Errors::default().field(name, default),
    };
    let contact = &one.contact;
    let typed = [&contact.employer, &contact.occupation].map(|typed| typed.trim());
    let is_over = matches!(one.standing, Standing::Answered(_) | Standing::Amend(..));
    Ok(Line {
        donation: one.donation,
        name: format!("{} {}", contact.first_name, contact.last_name),
        email: contact.email.clone(),
        given: Money::new(one.aggregate_minor, Currency::USD).to_exact(),
        missing: one.lacks.words(),
        typed: if typed == ["", ""] { String::new() } else { format!("“{}”, “{}”", typed[0], typed[1]) },
        since: day_in_words(one.since),
        pill,
        is_open: matches!(one.standing, Standing::NotAsked(_) | Standing::Amend(..)),
        hold,
        standing,
        can_write: has_mail && !is_over && letter.is_none(),
        can_ask: !is_over,
        day: field("day", clock::now().with_timezone(&zone).date_naive().to_string()),
        by_post: sent.is_some_and(|sent| sent.form.get("how") == "post"),
        work: [
            field("employer", if one.lacks.employer { String::new() } else { contact.employer.clone() }),
            field("occupation", if one.lacks.occupation { String::new() } else { contact.occupation.clone() }),
        ],
        not_employed: sent.is_some_and(|sent| sent.form.has("not_employed")),
        error: sent.and_then(|sent| sent.errors.of("error")),
        open: sent.map_or("", |sent| sent.what),
    })
}

fn how(asking: &Asking) -> String {
    let day = day_in_words(asking.day);
    match asking.how {
        How::Letter => format!("A letter was asked for on {day}"),
        How::Phone => format!("Asked by phone on {day}"),
        How::Post => format!("Asked by post on {day}"),
    }
}

fn report_in_words(taken: &Taken) -> String {
    let Taken { code, from, through, .. } = taken;
    format!("{code} ({} to {})", day_in_words(*from), day_in_words(*through))
}
