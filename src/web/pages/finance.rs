//! `/finance`: what came in, what went out again, what is promised, and the file of it.

pub mod by;
pub(in crate::web::pages) mod committees;
mod gift;
pub mod money;
pub(super) mod refund;
pub mod rows;
pub mod timeline;

use askama::Template;

use crate::clock;
use crate::domain::donation;
use crate::domain::money::group_thousands;
use crate::projections::Projections;
use crate::report::as_of;
use crate::report::selection::Selection;
use crate::web::form::Form;
use crate::web::problem::{self, Problem};
use crate::web::session::Staff;
use crate::web::view::StaffRoom;
use crate::web::view::letters::Letters;
use crate::web::view::{Choice, Field, Layout};
use crate::web::{App, notice, present};
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
pub use committees::FinanceCommittee;
use money::{Figures, FinanceDay, FinanceRally, Selected};
use rows::{Found, LedgerRow};
use timeline::Timeline;

/// The finance page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/finance.html")]
pub struct Finance {
    /// The frame around the page.
    pub layout: Layout,
    /// The day the figures are of: `July 25, 2028`.
    pub as_of_date: String,
    /// The instant: `9:14:00 pm`.
    pub as_of_time: String,
    /// The time zone it is told in: `Eastern`.
    pub as_of_zone: String,
    /// Whether that is not now.
    pub as_of_past: bool,
    /// The last event that counts: `18,204`.
    pub as_of_seq: String,
    /// The figures, one set a currency; empty when no money ever came.
    pub figures: Vec<Figures>,
    /// Field `rally` of the filter.
    pub rallies_choice: Vec<Choice>,
    /// Field `from` of the filter: `2028-07-25`.
    pub from: Field,
    /// Field `to` of the filter.
    pub to: Field,
    /// Field `as_of` of the filter: an instant or an event's number.
    pub as_of: Field,
    /// The same selection as of now.
    pub now_href: String,
    /// The rows of just this selection.
    pub rows_href: String,
    /// The files of just this selection.
    pub exports_href: String,
    /// Field `committee` of the filter; empty where there is one alone.
    pub committees_choice: Vec<Choice>,
    /// Money over time; one a currency, where there is enough to draw.
    pub timelines: Vec<Timeline>,
    /// Money by committee; empty where there is one alone.
    pub committees: Vec<FinanceCommittee>,
    /// Money by rally, the newest first.
    pub rallies: Vec<FinanceRally>,
    /// The older ones.
    pub rallies_more: Vec<FinanceRally>,
    /// Money by refcode, speaker and method.
    pub by: Vec<by::By>,
    /// Money by day, latest first.
    pub days: Vec<FinanceDay>,
    /// The earlier ones.
    pub days_more: Vec<FinanceDay>,
    /// The latest donations and refunds, latest first.
    pub rows: Vec<LedgerRow>,
    /// The page of all rows, where there are more than these.
    pub more_href: Option<String>,
    /// Items of work that are open, as it is now.
    pub to_do: String,
    /// Gifts that a person is to look at, as it is now.
    pub to_look_at: usize,
    /// Refunds that wait for a second person, as it is now.
    pub refunds_waiting: usize,
    /// Part `letters`: mail that waits or failed, as it is now.
    pub letters: Letters,
    /// The log's head hash at that instant, 64 hex digits.
    pub head: String,
    /// The same, shortened.
    pub head_short: String,
}

/// Lines of a table that are there at once; the others are unfolded.
const LINES_MAX: usize = 12;

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/finance", get(show))
        .route("/finance/", get(show))
        .route("/finance/rows", get(rows::show))
        .route("/finance/donations/{id}", get(gift::show))
        .route("/finance/donations/{id}/refund", post(refund::refund))
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    // What can't be understood is shown again, beside the figures of now.
    let (selection, fault) = Selection::read(|name| form.get(name), app.engine());
    let complaint = fault.as_ref().map(in_words);
    let status = if complaint.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let mut layout = app.staff_layout("Finance", &staff, StaffRoom::Finance, None);
    layout.notice = notice(&form);
    let (mut page, latest, seq) = {
        let world = app.engine().world();
        let (page, latest) = drawn(&world, &selection, &form, complaint, layout);
        (page, latest, selection.seq(&world))
    };
    // The log is read while nobody waits for the projections.
    page.rows = latest.named(&mut app.contacts());
    page.to_do = super::work::count(&app).await;
    app.shows(&staff, "ledger", selection.told()).await?;
    // Whoever looks here looks for somebody next.
    app.names().warm();
    let head = app.engine().head_at(seq).map_err(|fault| problem::internal(&fault))?.to_string();
    page.head_short = format!("{}…{}", head.get(..8).unwrap_or_default(), head.get(56..).unwrap_or_default());
    page.head = head;
    Ok((status, Html(page.render()?)).into_response())
}

/// The page of a selection without what the log has to be read for: donors' names, which the second half wants, and the head.
pub fn drawn(
    world: &Projections,
    selection: &Selection,
    form: &Form,
    complaint: Option<String>,
    layout: Layout,
) -> (Finance, Found) {
    let zone = selection.zone(world);
    let at = selection.as_of.map_or_else(clock::now, |as_of| as_of.at);
    let seq = selection.seq(world);
    let mut money = Selected::new(world, selection);
    let (figures, timelines, mut days) =
        (money.figures(), money.timelines(world, selection, at), money.days(selection));
    let rallies_more = money.rallies.split_off(LINES_MAX.min(money.rallies.len()));
    let days_more = days.split_off(LINES_MAX.min(days.len()));
    let latest = Found::latest(world, selection);
    // As the browser's own field for an instant wants it, also where an event's number was asked for.
    let typed = match selection.as_of {
        Some(as_of) => as_of.at.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S").to_string(),
        None => form.get("as_of"),
    };
    let field = |name: &str| Field { value: form.get(name), error: None };
    let page = Finance {
        layout,
        as_of_date: present::date(at, zone),
        as_of_time: present::time_seconds(at, zone),
        as_of_zone: at.with_timezone(&zone).format("%Z").to_string(),
        as_of_past: selection.as_of.is_some(),
        as_of_seq: group_thousands(seq),
        figures,
        rallies_choice: rallies(world, selection),
        from: field("from"),
        to: field("to"),
        as_of: Field { value: typed, error: complaint },
        now_href: format!("/finance?{}", Selection { as_of: None, ..selection.clone() }.query()),
        rows_href: format!("/finance/rows?{}", selection.query()),
        exports_href: format!("/finance/exports?{}", selection.query()),
        committees_choice: committees::choices(world, selection),
        timelines,
        committees: committees::lines(world, selection, seq),
        rallies: money.rallies,
        rallies_more,
        by: by::tables(world, selection),
        days,
        days_more,
        rows: vec![],
        more_href: latest.more.then(|| format!("/finance/rows?{}", selection.query())),
        to_do: String::new(),
        to_look_at: to_look_at(world),
        refunds_waiting: world.state.refunds.waiting().len(),
        letters: present::letters::letters(world),
        head: String::new(),
        head_short: String::new(),
    };
    (page, latest)
}

/// The rallies to choose from, the newest first.
pub(super) fn rallies(world: &Projections, selection: &Selection) -> Vec<Choice> {
    let choice = |value: &str, label: &str| Choice {
        value: value.into(),
        label: label.into(),
        selected: selection.rally.as_deref().unwrap_or_default() == value,
    };
    let mut known: Vec<_> = world.state.rallies.iter().map(|(_, rally)| &rally.details).collect();
    known.sort_by_key(|details| std::cmp::Reverse(details.starts_at));
    let known = known.iter().map(|details| choice(&details.slug, &details.title));
    std::iter::once(choice("", "All rallies")).chain(known).collect()
}

/// Gifts that wait for a person, or were paid with a card that stands out.
fn to_look_at(world: &Projections) -> usize {
    donation::held(&world.state).len().saturating_add(donation::flagged(&world.state).len())
}

/// What is wrong with the instant asked for, fit for the person who asked.
pub(super) fn in_words(fault: &as_of::Fault) -> String {
    if let as_of::Fault::Log(fault) = fault {
        tracing::error!(%fault, "the log could not be read for an earlier instant");
        return "The log can’t be read there: ask whoever runs the server.".into();
    }
    fault.to_string()
}
