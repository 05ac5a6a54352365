//! `/finance/filing`: a report to the FEC before it is filed: what its cover says, what a person is to look at, and the file; and
//! the large gifts that are told of within 48 hours.

pub(super) mod close;
mod shown;

use super::exports::taken;
use super::filer::{committee, tabs};
use super::finance::in_words;
use crate::domain::Refusal;
use crate::domain::committee::filer::Filer;
use crate::domain::id::CommitteeId;
use crate::engine::Failure;
use crate::export::actblue;
use crate::export::fec::Report;
use crate::export::fec::finding::Findings;
use crate::export::fec::period::CODES;
use crate::report::as_of::AsOf;
use crate::report::filing::{self, Filing, Preview, What, Wrong};
use crate::report::selection::Selection;
use crate::report::{Format, Order};
use crate::web::form::{Errors, Form};
use crate::web::problem::{self, Problem, sentence};
use crate::web::session::Staff;
use crate::web::view::{Choice, Field, FormError, Layout, StaffRoom};
use crate::web::{App, see_other};
use askama::Template;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use close::CloseForm;
use shown::{DueLine, Shown};
use uuid::Uuid;

/// Where this page is.
pub const PATH: &str = "/finance/filing";

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/filing.html")]
pub struct FilingPage {
    /// The frame around the page.
    pub layout: Layout,
    /// What is wrong with what was asked for.
    pub errors: Vec<FormError>,
    /// The committees, this one selected; empty where there is one alone.
    pub committees: Vec<Choice>,
    /// Field `committee`: whose reports these are.
    pub committee: CommitteeId,
    /// Who files: name and form; absent while nobody wrote it.
    pub filer: Option<String>,
    /// Field `code`.
    pub codes: Vec<Choice>,
    /// What is wrong with it.
    pub code_error: Option<String>,
    /// Field `election`; empty where the filer has none.
    pub elections: Vec<Choice>,
    /// What is wrong with it.
    pub election_error: Option<String>,
    /// Fields `from`, `to`, `as_of`, `cash`, `signed`, `amends`, `amendment` and `reason`, in that order.
    pub fields: [Field; 8],
    /// The report, where one was asked for and can be made.
    pub shown: Option<Shown>,
    /// The form that closes its period; none where nothing can be closed.
    pub close: Option<CloseForm>,
    /// Whether notices of 48 hours are this committee's at all.
    pub is_candidates: bool,
    /// Gifts that are told of within 48 hours, the latest first.
    pub due: Vec<DueLine>,
    /// How many of them there is still time for.
    pub due_now: usize,
    /// Fields `from`, `to`, `amends`, `amendment` and `filed` of the notice's form.
    pub notice: [Field; 5],
    /// What is to be looked at in the notice that was asked for and stopped.
    pub notice_findings: Vec<String>,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route(PATH, get(show))
        .route("/finance/filing/report.fec", get(report))
        .route("/finance/filing/close", post(close::close))
        .route("/finance/filing/notice.fec", get(notice))
}

/// What somebody asks of this page.
struct Asked {
    form: Form,
    committee: CommitteeId,
    selection: Selection,
    /// As of which event, and when that was.
    as_of: AsOf,
    today: NaiveDate,
    zone: Tz,
    errors: Errors,
}

impl Asked {
    fn read(app: &App, query: Option<String>) -> Result<Self, Problem> {
        let form = Form::parse(query.unwrap_or_default().as_bytes());
        let committee = committee(app, &form)?;
        let (mut selection, fault) = Selection::read(|name| form.get(name), app.engine());
        selection.committee = Some(committee);
        let mut errors = Errors::default();
        if let Some(fault) = fault {
            errors.add("as_of", sentence(&in_words(&fault)));
        }
        let now = app.engine().clock().now();
        let world = app.engine().world();
        let zone = selection.zone(&world);
        let as_of = AsOf { seq: selection.seq(&world), at: selection.as_of.map_or(now, |as_of| as_of.at) };
        let today = now.with_timezone(&zone).date_naive();
        drop(world);
        Ok(Self { form, committee, selection, as_of, today, zone, errors })
    }

    fn wrong(&mut self, wrong: Vec<Wrong>) {
        wrong.into_iter().for_each(|(field, what)| self.errors.add(field, what));
    }

    /// What may be taken as it was looked at.
    fn order(&self, format: Format, filing: Filing, staff: &Staff) -> Order {
        let selection = Selection { as_of: Some(self.as_of), ..self.selection.clone() };
        Order {
            id: Uuid::now_v7(),
            format,
            selection,
            who: staff.actor(),
            name: staff.name.clone(),
            reason: self.form.get("reason"),
            report: actblue::Report::default(),
            filing: Some(filing),
        }
    }
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let mut asked = Asked::read(&app, query)?;
    let filing = asked_for(&app, &mut asked);
    page(&app, &staff, asked, filing, vec![]).await
}

/// The report that the query asks for; nothing where it asks for none or for what can't be made.
fn asked_for(app: &App, asked: &mut Asked) -> Option<Filing> {
    if !asked.form.has("code") {
        return None;
    }
    let seq = asked.selection.as_of.map(|as_of| as_of.seq.to_string()).unwrap_or_default();
    let get = |name: &str| if name == "as_of" { seq.clone() } else { asked.form.get(name) };
    let read = filing::report(get, Some(asked.committee), &app.engine().world(), asked.today);
    match read {
        Ok(filing) => Some(filing).filter(|_| asked.errors.is_empty()),
        Err(wrong) => {
            asked.wrong(wrong);
            None
        }
    }
}

async fn report(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let mut asked = Asked::read(&app, query)?;
    let Some(filing) = asked_for(&app, &mut asked) else {
        if !asked.form.has("code") {
            asked.errors.add("code", "Choose which report it is.");
        }
        return page(&app, &staff, asked, None, vec![]).await;
    };
    if let Some((period, _)) = filing.closed {
        return Ok(see_other(&close::file_of(period, &asked.form.get("reason"))));
    }
    if findings(&app, &mut asked, &filing).await?.is_none_or(|findings| findings.stops) {
        return page(&app, &staff, asked, Some(filing), vec![]).await;
    }
    take(&app, &staff, asked, filing, Format::Fec).await
}

async fn notice(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let mut asked = Asked::read(&app, query)?;
    let read = filing::notice(|name| asked.form.get(name), Some(asked.committee), &app.engine().world(), asked.today);
    let filing = match read {
        Ok(filing) if asked.errors.is_empty() => filing,
        Ok(_) => return page(&app, &staff, asked, None, vec![]).await,
        Err(wrong) => {
            asked.wrong(wrong);
            return page(&app, &staff, asked, None, vec![]).await;
        }
    };
    match findings(&app, &mut asked, &filing).await? {
        Some(findings) if !findings.stops => take(&app, &staff, asked, filing, Format::FecNotice).await,
        Some(findings) => {
            let words = findings.in_order().into_iter().map(|finding| finding.what).collect();
            page(&app, &staff, asked, None, words).await
        }
        None => page(&app, &staff, asked, None, vec![]).await,
    }
}

/// What a report comes to as of an event; nothing where there can be none, which is then said.
async fn preview(
    app: &App,
    asked: &mut Asked,
    committee: CommitteeId,
    report: &Report,
    seq: u64,
) -> Result<Option<Preview>, Problem> {
    let (engine, report) = (app.engine().clone(), report.clone());
    let made = tokio::task::spawn_blocking(move || filing::preview(&engine, committee, &report, seq)).await;
    match made.map_err(|fault| problem::internal(&fault))? {
        Ok(preview) => Ok(Some(preview)),
        Err(filing::Fault::NotDollars(fault)) => {
            asked.errors.add("committee", sentence(&fault.to_string()));
            Ok(None)
        }
        Err(fault) => Err(problem::internal(&fault)),
    }
}

/// What is to be looked at; nothing where there can be no file, which is then said.
async fn findings(app: &App, asked: &mut Asked, filing: &Filing) -> Result<Option<Findings>, Problem> {
    let (engine, filing, seq) = (app.engine().clone(), filing.clone(), asked.as_of.seq);
    let found = tokio::task::spawn_blocking(move || filing.findings(&engine, seq)).await;
    match found.map_err(|fault| problem::internal(&fault))? {
        Ok(findings) => Ok(Some(findings)),
        Err(filing::Fault::NotDollars(fault)) => {
            asked.errors.add("committee", sentence(&fault.to_string()));
            Ok(None)
        }
        Err(fault) => Err(problem::internal(&fault)),
    }
}

async fn take(app: &App, staff: &Staff, mut asked: Asked, filing: Filing, format: Format) -> Result<Response, Problem> {
    let order = asked.order(format, filing, staff);
    match taken(app, order).await {
        Err(Failure::Refused(Refusal::Privacy(refusal))) => {
            asked.errors.add("reason", sentence(&refusal.to_string()));
            page(app, staff, asked, None, vec![]).await
        }
        answer => Ok(answer?),
    }
}

async fn page(
    app: &App,
    staff: &Staff,
    mut asked: Asked,
    filing: Option<Filing>,
    notice_findings: Vec<String>,
) -> Result<Response, Problem> {
    let shown = match filing {
        Some(Filing { committee, what: What::Report(report), closed }) => {
            let seq = closed.map_or(asked.as_of.seq, |(_, seq)| seq);
            let file = match closed {
                Some((period, _)) => close::file_of(period, ""),
                None => format!("{PATH}/report.fec?{}", file_query(&asked)),
            };
            let preview = preview(app, &mut asked, committee, &report, seq).await?;
            preview.map(|preview| Shown::new(&report, preview, file, closed.map(|(period, _)| period)))
        }
        Some(Filing { what: What::Notice(..), .. }) | None => None,
    };
    // The list of what is to be looked at names donors: that somebody sees it stands in the log.
    if shown.as_ref().is_some_and(|shown| !shown.findings.is_empty()) || !notice_findings.is_empty() {
        app.shows(staff, "filing", asked.selection.told()).await?;
    }
    let stopped = shown.as_ref().is_some_and(|shown| shown.is_stopped) || !notice_findings.is_empty();
    let status = if asked.errors.is_empty() && !stopped { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let html = draw(app, staff, asked, shown, notice_findings)?;
    Ok((status, html).into_response())
}

fn draw(
    app: &App,
    staff: &Staff,
    asked: Asked,
    shown: Option<Shown>,
    notice_findings: Vec<String>,
) -> Result<Html<String>, Problem> {
    let filer: Option<Filer> = {
        let world = app.engine().world();
        world.state.committees.get(asked.committee).and_then(|known| known.filer.clone())
    };
    let now: DateTime<Utc> = app.engine().clock().now();
    let due = filer.as_ref().map(|filer| filing::due(app.engine(), asked.committee, filer, asked.as_of.seq));
    let due: Vec<DueLine> =
        due.unwrap_or_default().iter().rev().map(|due| DueLine::new(due, now, asked.zone)).collect();
    let Asked { form, committee, errors, .. } = &asked;
    let chosen = |name: &str, value: &str, label: String| Choice {
        value: value.into(),
        label,
        selected: form.get(name) == value,
    };
    let field = |name: &'static str| errors.field(name, form.get(name));
    let elections = filer.iter().flat_map(|filer| &filer.elections);
    let election = |election: &crate::domain::committee::filer::Election| {
        chosen("election", &election.code, format!("{} on {}", election.code, election.date))
    };
    let mut codes = vec![chosen("code", "", "Choose".into())];
    codes.extend(CODES.iter().map(|(code, label)| chosen("code", code, format!("{code}: {label}"))));
    let elections: Vec<Choice> = elections.map(election).collect();
    let page = FilingPage {
        layout: app.staff_layout("Reports to the FEC", staff, StaffRoom::Finance, None),
        errors: errors.summary(),
        committees: tabs(app, *committee),
        committee: *committee,
        is_candidates: filer.as_ref().is_some_and(|filer| filer.form.is_candidates()),
        filer: filer.map(|filer| format!("{} ({}), form {}", filer.name, filer.id, filer.form.code())),
        codes,
        code_error: errors.of("code"),
        elections,
        election_error: errors.of("election"),
        fields: ["from", "to", "as_of", "cash", "signed", "amends", "amendment", "reason"].map(field),
        close: shown.as_ref().and_then(|shown| CloseForm::new(shown, &asked)),
        shown,
        due_now: due.iter().filter(|due| due.is_open).count(),
        due,
        notice: ["from", "to", "amends", "amendment", "filed"].map(field),
        notice_findings,
    };
    Ok(Html(page.render()?))
}

/// The same report, as its file's query: of the very event that was looked at.
fn file_query(asked: &Asked) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for name in ["code", "from", "to", "election", "cash", "signed", "amends", "amendment", "reason"] {
        query.append_pair(name, &asked.form.get(name));
    }
    query.append_pair("committee", &asked.committee.to_string()).append_pair("as_of", &asked.as_of.seq.to_string());
    query.finish()
}
