//! `/finance/refunds`: refunds that wait for a second person, and that person's word.

use super::home::when_in_words;
use crate::domain::id::{DonationId, PersonId, RefundId};
use crate::domain::privacy::REASON_CHARS_MAX;
use crate::domain::refund::{self, TurnedDown, Waiting};
use crate::domain::{Command, Refusal};
use crate::engine::Failure;
use crate::payments::cashier::Trouble;
use crate::projections::Projections;
use crate::projections::ledger::ContactAt;
use crate::projections::totals::timezone;
use crate::report::who;
use crate::web::form::Form;
use crate::web::problem::{Problem, sentence};
use crate::web::session::{Staff, csrf_matches};
use crate::web::view::{Layout, Notice, StaffRoom};
use crate::web::{App, fresh_key, notice, present, see_other};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};

/// Where this page is.
pub const PATH: &str = "/finance/refunds";
/// Lines on the page, the oldest first: each donor's name is read from the log.
const LINES_MAX: usize = 50;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/refunds.html")]
pub struct RefundsPage {
    /// The frame around the page.
    pub layout: Layout,
    /// Those that wait.
    pub lines: Vec<Line>,
    /// How many more there are.
    pub more: usize,
    /// From which sum on they do, in a sentence.
    pub rule: String,
    /// The most characters of a reason.
    pub reason_chars_max: usize,
}

/// A refund that waits.
#[derive(Debug, Clone)]
pub struct Line {
    /// Which.
    pub refund: RefundId,
    /// Of which donation.
    pub donation: DonationId,
    /// `$5,000.00`.
    pub amount: String,
    /// The donor's name.
    pub donor: String,
    /// The rally's title.
    pub rally: String,
    /// Who asked.
    pub by: String,
    /// Whether that is who looks at this.
    pub is_own: bool,
    /// Why.
    pub why: String,
    /// Since when.
    pub since: String,
    /// The same as RFC 3339.
    pub since_iso: String,
    /// What was typed as a reason to turn it down, where that was refused.
    pub reason: String,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// A line, whose name it wants, and who asked.
type Wanted = (Line, Option<(PersonId, ContactAt)>, PersonId);

/// A reason that was typed and refused.
struct Sent {
    refund: RefundId,
    reason: String,
    error: String,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route(PATH, get(show))
        .route("/finance/refunds/{id}/approve", post(approve))
        .route("/finance/refunds/{id}/turn-down", post(turn_down))
}

/// From which sum on a second person is wanted, and whether that rests.
pub(super) fn rule_in_words(world: &Projections) -> String {
    let Some(above) = world.state.refunds.above_major else {
        return "Refunds of any size go at once: no sum is named above which a second person approves them.".into();
    };
    let above = crate::domain::money::group_thousands(above.into());
    if refund::has_second(&world.state) {
        format!(
            "More than ${above} of one donation, or as much of another currency, goes back only when a second person who sees money approves it."
        )
    } else {
        format!(
            "More than ${above} of one donation would wait for a second person; but one alone has an account that sees money, so every refund goes at once."
        )
    }
}

/// One of these, as it is shown.
pub(super) fn line(world: &Projections, staff: &Staff, refund: RefundId, waiting: &Waiting) -> Option<Wanted> {
    let gift = world.state.donations.get(waiting.donation)?;
    let rally = world.state.rallies.get(gift.rally)?;
    let line = Line {
        refund,
        donation: waiting.donation,
        amount: waiting.amount.to_exact(),
        donor: present::ERASED.into(),
        rally: rally.details.title.clone(),
        by: String::new(),
        is_own: waiting.by == staff.id,
        why: waiting.reason.clone(),
        since: when_in_words(waiting.at, timezone(&world.state, gift.rally)),
        since_iso: present::iso(waiting.at),
        reason: String::new(),
        error: None,
    };
    let contact = world.ledger.pledge(waiting.donation).map(|pledge| (gift.donor, pledge.contact));
    Some((line, contact, waiting.by))
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    page(&app, &staff, notice(&query), None).await
}

async fn page(app: &App, staff: &Staff, done: Option<Notice>, sent: Option<Sent>) -> Result<Response, Problem> {
    let (wanted, more, rule) = {
        let world = app.engine().world();
        let mut all = world.state.refunds.waiting();
        // What was sent and refused is shown again, however many there are.
        all.sort_by_key(|(id, _)| sent.as_ref().is_none_or(|sent| sent.refund != *id));
        let more = all.len().saturating_sub(LINES_MAX);
        let lines = all.into_iter().take(LINES_MAX).filter_map(|(id, waiting)| line(&world, staff, id, waiting));
        (lines.collect::<Vec<_>>(), more, rule_in_words(&world))
    };
    if !wanted.is_empty() {
        app.shows(staff, "refunds", String::new()).await?;
    }
    let mut contacts = app.contacts();
    let mut named = |(line, contact, by): Wanted| {
        let contact = contact.and_then(|(donor, at)| contacts.shown(donor, at));
        let donor = contact.map_or(line.donor, |contact| format!("{} {}", contact.first_name, contact.last_name));
        Line { donor, by: who::staff(app.engine(), by), ..line }
    };
    let mut lines: Vec<Line> = wanted.into_iter().map(&mut named).collect();
    let bad = sent.is_some() || done.as_ref().is_some_and(|done| done.bad);
    if let Some(Sent { refund, reason, error }) = sent
        && let Some(line) = lines.iter_mut().find(|line| line.refund == refund)
    {
        (line.reason, line.error) = (reason, Some(error));
    }
    let page = RefundsPage {
        layout: Layout { notice: done, ..app.staff_layout("Refunds to approve", staff, StaffRoom::Finance, None) },
        lines,
        more,
        rule,
        reason_chars_max: REASON_CHARS_MAX,
    };
    let status = if bad { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, Html(page.render()?)).into_response())
}

/// Reads who sent which refund's form.
fn read(staff: Staff, id: &str, body: &[u8]) -> Result<(Staff, RefundId, Form), Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(body);
    if !csrf_matches(&staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    Ok((staff, id.parse().map_err(|_| Problem::NotFound)?, form))
}

async fn approve(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (staff, refund, _) = read(staff, &id, &body)?;
    let donation = app.engine().world().state.refunds.get(refund).map(|waiting| waiting.donation);
    let refused = |refusal: &refund::Refusal| Some(Notice { text: sentence(&refusal.to_string()), bad: true });
    let Some(donation) = donation else {
        return page(&app, &staff, refused(&refund::Refusal::Decided), None).await;
    };
    match app.cashier_for(donation)?.approve_refund(donation, refund, staff.id).await {
        Ok(()) => Ok(see_other("/finance/refunds?done=refunded")),
        Err(Trouble::Failure(Failure::Refused(Refusal::Refund(refusal)))) => {
            page(&app, &staff, refused(&refusal), None).await
        }
        Err(trouble) => Err(trouble.into()),
    }
}

async fn turn_down(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (staff, refund, form) = read(staff, &id, &body)?;
    let donation = app.engine().world().state.refunds.get(refund).map(|waiting| waiting.donation);
    let refused = |refusal: &refund::Refusal| Some(Notice { text: sentence(&refusal.to_string()), bad: true });
    let Some(donation) = donation else {
        return page(&app, &staff, refused(&refund::Refusal::Decided), None).await;
    };
    let reason = form.get("reason");
    let turned_down = TurnedDown { donation, refund, by: staff.id, reason: reason.clone() };
    let command = Command::Refund(refund::Command::TurnDown(turned_down));
    match app.engine().execute(command, fresh_key("turn-down-refund"), &staff.actor()).await {
        Ok(_) => Ok(see_other("/finance/refunds?done=refund-turned-down")),
        Err(Failure::Refused(Refusal::Refund(refusal @ refund::Refusal::Reason))) => {
            let error = sentence(&refusal.to_string());
            page(&app, &staff, None, Some(Sent { refund, reason, error })).await
        }
        Err(Failure::Refused(Refusal::Refund(refusal))) => page(&app, &staff, refused(&refusal), None).await,
        Err(failure) => Err(failure.into()),
    }
}
