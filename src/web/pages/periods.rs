//! `/finance/periods`: periods that were closed, the latest first, and a form that closes one without a report; and each by
//! itself.

mod one;
mod shown;
mod steps;

use super::filing::close::field_of;
use super::finance::committees;
use crate::domain::period::{self, Close, Period};
use crate::domain::{Command, Refusal};
use crate::engine::Failure;
use crate::projections::Projections;
use crate::report::closing::{self, Days};
use crate::report::selection::Selection;
use crate::report::who;
use crate::web::form::{Errors, Form};
use crate::web::problem::{Problem, internal, sentence};
use crate::web::session::{Staff, csrf_matches};
use crate::web::view::{Choice, Field, FormError, Layout, StaffRoom};
use crate::web::{App, fresh_key, notice, see_other};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use chrono::NaiveDate;
use shown::exact;
pub(super) use shown::period_in_words;

/// Closings on the page: some years of one committee's.
const LINES_MAX: usize = 100;
/// Of how many it is looked up what has come since: each is a pass over the ledger, of some milliseconds a million rows.
const LOOKED_MAX: usize = 12;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/periods.html")]
pub struct PeriodsPage {
    /// The frame around the page.
    pub layout: Layout,
    /// What is wrong with what was typed.
    pub errors: Vec<FormError>,
    /// Those that were closed.
    pub lines: Vec<Line>,
    /// How many there are before those.
    pub more: usize,
    /// Field `committee`; empty where there is one alone.
    pub committees: Vec<Choice>,
    /// Fields `from`, `to` and `note`.
    pub fields: [Field; 3],
    /// Field `early`: whether it is ticked.
    pub early: bool,
    /// What is wrong with it.
    pub early_error: Option<String>,
}

/// A period that was closed.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its number.
    pub number: String,
    /// `Q3, July 1 to September 30, 2026`.
    pub title: String,
    /// Its page.
    pub href: String,
    /// In whose account.
    pub committee: String,
    /// How it stands, in a word or two.
    pub standing: String,
    /// Whether somebody is to do something about that.
    pub is_open: bool,
    /// What came in and what was left: `$1,200.00 gross, $1,100.00 net`.
    pub sums: String,
    /// `October 5, 2026 by Ana Ruiz`.
    pub closed: String,
    /// What has come since: `3 changes since`; empty where that is nothing, or was not looked up.
    pub changes: String,
}

/// The routes of these pages.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/finance/periods", get(show).post(close))
        .route("/finance/periods/{id}", get(one::show))
        .route("/finance/periods/{id}/report.fec", get(one::file))
        .route("/finance/periods/{id}/filed", post(steps::filed))
        .route("/finance/periods/{id}/withdraw", post(steps::withdraw))
        .route("/finance/periods/{id}/amend", post(steps::amend))
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    page(&app, &staff, &query, &Errors::default())
}

fn page(app: &App, staff: &Staff, form: &Form, errors: &Errors) -> Result<Response, Problem> {
    let (mut lines, more, committees) = {
        let world = app.engine().world();
        let all: Vec<&Period> = world.state.periods.iter().rev().map(|(_, period)| period).collect();
        let more = all.len().saturating_sub(LINES_MAX);
        let mut looked = 0;
        let lines: Vec<(Line, String)> =
            all.into_iter().take(LINES_MAX).map(|period| line(&world, period, &mut looked)).collect();
        let chosen = Selection { committee: form.get("committee").parse().ok(), ..Selection::default() };
        (lines, more, committees::choices(&world, &chosen))
    };
    lines.iter_mut().for_each(|(line, by)| line.closed = format!("{} by {}", line.closed, who::name(app.engine(), by)));
    let page = PeriodsPage {
        layout: Layout { notice: notice(form), ..app.staff_layout("Closed periods", staff, StaffRoom::Finance, None) },
        errors: errors.summary(),
        lines: lines.into_iter().map(|(line, _)| line).collect(),
        more,
        committees,
        fields: ["from", "to", "note"].map(|name| errors.field(name, form.get(name))),
        early: form.has("early"),
        early_error: errors.of("early"),
    };
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok((status, Html(page.render()?)).into_response())
}

/// A period, and who closed it.
fn line(world: &Projections, period: &Period, looked: &mut usize) -> (Line, String) {
    let closed = &period.closed;
    let stands = period.withdrawn.is_none() && shown::is_last(world, period);
    let mut changes = 0;
    if stands && *looked < LOOKED_MAX {
        *looked = looked.saturating_add(1);
        changes = closing::since(world, period).count();
    }
    let sums = closed.sums.iter().map(|sums| {
        format!("{} gross, {} net", exact(sums.gross_minor, sums.currency), exact(sums.net_minor(), sums.currency))
    });
    let line = Line {
        number: closed.period.to_string(),
        title: period_in_words(closed),
        href: format!("/finance/periods/{}", closed.period),
        committee: shown::account(world, closed),
        standing: shown::standing(world, period),
        is_open: stands && closed.report.is_some() && period.filed.is_none(),
        sums: sums.collect::<Vec<_>>().join("; "),
        closed: shown::day(period.at, Selection::default().zone(world)),
        changes: match changes {
            0 => String::new(),
            1 => "1 change since".into(),
            many => format!("{many} changes since"),
        },
    };
    (line, closed.who.clone())
}

/// Closes days without a report, as of now.
async fn close(State(app): State<App>, staff: Staff, body: Bytes) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(&body);
    if !csrf_matches(&staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let mut errors = Errors::default();
    let day = |name: &str| form.get(name).parse::<NaiveDate>().ok();
    let (Some(from), Some(through)) = (day("from"), day("to")) else {
        errors
            .add(if day("from").is_none() { "from" } else { "to" }, "Write the first and the last day that you close.");
        return page(&app, &staff, &form, &errors);
    };
    let committee = Some(form.get("committee")).filter(|named| !named.is_empty());
    let committee = committee.map(|named| named.parse().map_err(|_| Problem::NotFound)).transpose()?;
    let (seq, today) = now(&app);
    let days = Days { committee, from, through, is_by_gift: false };
    let closed = closing::closing(app.engine(), days, seq, staff.actor(), form.get("note"));
    let closed = closed.map_err(|fault| internal(&fault))?;
    let close = Close { closed, today, is_early: form.has("early") };
    let command = Command::Period(period::Command::Close(Box::new(close)));
    match app.engine().execute(command, fresh_key("close"), &staff.actor()).await {
        Ok(_) => Ok(see_other("/finance/periods?done=closed")),
        Err(Failure::Refused(Refusal::Period(refusal))) => {
            errors.add(field_of(&refusal, "from"), sentence(&refusal.to_string()));
            page(&app, &staff, &form, &errors)
        }
        Err(failure) => Err(failure.into()),
    }
}

/// The newest event, and the day where the newest rally is.
fn now(app: &App) -> (u64, NaiveDate) {
    let world = app.engine().world();
    let zone = Selection::default().zone(&world);
    (world.seq, app.engine().clock().now().with_timezone(&zone).date_naive())
}
