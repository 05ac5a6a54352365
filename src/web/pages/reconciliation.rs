//! `/finance/reconciliation`: what the ledger still waits for, and when it last read the processor's own list.

use super::home::when_in_words;
use crate::domain::donation::Donation;
use crate::domain::id::DonationId;
use crate::payments::cashier::LOST_AFTER;
use crate::projections::Projections;
use crate::projections::totals::timezone;
use crate::web::App;
use crate::web::problem::Problem;
use crate::web::session::Staff;
use crate::web::view::{Layout, StaffRoom};
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// Lines of each list: whoever has more has one cause for all of them.
const LINES_MAX: usize = 50;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/reconciliation.html")]
pub struct Reconciliation {
    /// The frame around the page.
    pub layout: Layout,
    /// When the processor's list was last read to its end, as far as the log says; empty if never.
    pub read_until: String,
    /// Disputes that are not over, the first to be answered first.
    pub disputes: Vec<Line>,
    /// Payments and refunds whose outcome nobody knows for so long that the server does not ask again.
    pub unknown: Vec<Line>,
    /// Payments whose fee is not known.
    pub fees: Vec<Line>,
    /// How many more fees there are than lines.
    pub fees_more: usize,
    /// Payments that nobody here knows, of which refunds or disputes were told.
    pub strangers: usize,
}

/// One thing that is open.
#[derive(Debug, Clone)]
pub struct Line {
    /// What it is, in words.
    pub what: String,
    /// The sum.
    pub amount: String,
    /// Since when, or until when.
    pub when: String,
    /// The processor's name for it, or the donation's.
    pub reference: String,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/finance/reconciliation", get(show))
}

async fn show(State(app): State<App>, staff: Staff) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let layout = app.staff_layout("Reconciliation", &staff, StaffRoom::Finance, None);
    let now = app.engine().clock().now();
    let world = app.engine().world();
    let zone = world.state.rallies.iter().max_by_key(|(_, rally)| rally.details.starts_at);
    let zone = zone.map_or(Tz::UTC, |(id, _)| timezone(&world.state, id));
    let fees = world.ledger.unknown_fees().count();
    let page = Reconciliation {
        layout,
        read_until: world.state.inbox.caught_up().map(|at| when_in_words(at, zone)).unwrap_or_default(),
        disputes: disputes(&world, zone),
        unknown: unknown(&world, now, zone),
        fees: world
            .ledger
            .unknown_fees()
            .take(LINES_MAX)
            .map(|row| Line {
                what: "Payment".into(),
                amount: row.amount.to_exact(),
                when: when_in_words(row.at, zone),
                reference: row.payment.0.clone(),
            })
            .collect(),
        fees_more: fees.saturating_sub(LINES_MAX),
        strangers: world.state.donations.unmatched_count(),
    };
    drop(world);
    Ok(Html(page.render()?).into_response())
}

fn disputes(world: &Projections, zone: Tz) -> Vec<Line> {
    let gifts = world.ledger.disputed().filter_map(|id| world.state.donations.get(id));
    let mut open: Vec<_> = gifts.flat_map(Donation::disputes).filter(|(_, dispute)| dispute.closed.is_none()).collect();
    open.sort_by_key(|(_, dispute)| (dispute.due_by.is_none(), dispute.due_by));
    let line = |(id, dispute): (&crate::domain::id::DisputeId, &crate::domain::donation::Dispute)| Line {
        what: match dispute.withdrawn {
            Some(_) => format!("Dispute ({}), the money is withheld", dispute.reason),
            None => format!("Question of the bank ({}), no money has moved", dispute.reason),
        },
        amount: dispute.amount.to_exact(),
        when: dispute.due_by.map(|at| format!("answer by {}", when_in_words(at, zone))).unwrap_or_default(),
        reference: id.0.clone(),
    };
    open.into_iter().take(LINES_MAX).map(line).collect()
}

fn unknown(world: &Projections, now: DateTime<Utc>, zone: Tz) -> Vec<Line> {
    let lost = TimeDelta::from_std(LOST_AFTER).unwrap_or(TimeDelta::MAX);
    let old = world.ledger.unfinished().filter(|unfinished| now - unfinished.since >= lost);
    let lines = old.filter_map(|unfinished| {
        let gift = world.state.donations.get(unfinished.donation)?;
        // A donor who left the bank's window open keeps nobody in the dark.
        let in_the_dark = gift.in_flight.as_ref().is_some_and(|attempt| !attempt.waits_for_donor);
        (in_the_dark || gift.waiting_refunds().next().is_some()).then_some(())?;
        Some(line_of(unfinished.donation, gift, when_in_words(unfinished.since, zone)))
    });
    lines.take(LINES_MAX).collect()
}

fn line_of(id: DonationId, gift: &Donation, when: String) -> Line {
    match gift.waiting_refunds().next() {
        Some((_, refund)) => {
            Line { what: "Refund".into(), amount: refund.amount.to_exact(), when, reference: refund.payment.0.clone() }
        }
        None => {
            let payment = gift.in_flight.as_ref().and_then(|attempt| attempt.payment.clone());
            let reference = payment.map_or_else(|| id.to_string(), |payment| payment.0);
            Line { what: "Payment".into(), amount: gift.amount.to_exact(), when, reference }
        }
    }
}
