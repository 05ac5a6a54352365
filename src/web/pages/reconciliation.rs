//! `/finance/reconciliation`: what the ledger still waits for, what the processor's own books say, and what differs.

pub(super) mod mismatches;

use super::home::when_in_words;
use super::payout::in_words;
use crate::domain::audit::{self, NOTE_CHARS_MAX};
use crate::domain::books::Standing;
use crate::domain::committee::Committee;
use crate::domain::donation::Donation;
use crate::domain::id::{CommitteeId, DonationId, MismatchId};
use crate::domain::money::Money;
use crate::domain::{Command, Refusal};
use crate::engine::Failure;
use crate::payments::cashier::{BooksSaid, Cashier, LOST_AFTER};
use crate::projections::Projections;
use crate::projections::totals::timezone;
use crate::web::form::Form;
use crate::web::problem::{Problem, sentence};
use crate::web::session::{Staff, csrf_matches};
use crate::web::view::{Layout, StaffRoom};
use crate::web::{App, fresh_key, notice, see_other};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use mismatches::{Mismatch, mismatches};

/// Lines of each list: whoever has more has one cause for all of them.
const LINES_MAX: usize = 50;
/// Payouts shown, the latest first: a month of daily ones.
const PAYOUTS_MAX: usize = 31;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/reconciliation.html")]
pub struct Reconciliation {
    /// The frame around the page.
    pub layout: Layout,
    /// How far each account was read.
    pub accounts: Vec<AccountLine>,
    /// What differs, the oldest first.
    pub mismatches: Vec<Mismatch>,
    /// How many more there are than lines.
    pub mismatches_more: usize,
    /// The most characters of a note.
    pub note_chars_max: usize,
    /// The latest payouts.
    pub payouts: Vec<PayoutLine>,
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

/// How far a committee's account at the processor was read.
#[derive(Debug, Clone)]
pub struct AccountLine {
    /// The committee; empty where there is one alone.
    pub committee: String,
    /// When the list of events was last read to its end, as far as the log says; empty if never.
    pub read_until: String,
    /// What is known of balance and payouts, in words.
    pub books: String,
}

/// A payout to the bank.
#[derive(Debug, Clone)]
pub struct PayoutLine {
    /// Whose; empty where there is one committee alone.
    pub committee: String,
    /// Its own page.
    pub href: String,
    /// The day on which the bank has it.
    pub arrival: String,
    /// The sum.
    pub amount: String,
    /// What ours come to in it; `–` while that is not known.
    pub ours: String,
    /// How many movements of ours.
    pub count: String,
    /// How it stands.
    pub standing: &'static str,
    /// What is wrong with it.
    pub warning: &'static str,
}

/// A note that was sent and refused.
pub struct Sent {
    mismatch: MismatchId,
    note: String,
    error: String,
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
    Router::new().route("/finance/reconciliation", get(show)).route("/finance/reconciliation/note", post(note))
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    page(&app, &staff, notice(&query), None)
}

/// A person says why a difference is fine.
async fn note(State(app): State<App>, staff: Staff, body: Bytes) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(&body);
    if !csrf_matches(&staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let (mismatch, note) = (MismatchId(form.get("mismatch")), form.get("note"));
    let command = Command::Audit(audit::Command::Settle { mismatch: mismatch.clone(), note: Some(note.clone()) });
    match app.engine().execute(command, fresh_key("noted"), &staff.actor()).await {
        Ok(_) => Ok(see_other("/finance/reconciliation?done=noted#mismatches")),
        // Two people at once, or a reading that found it right meanwhile.
        Err(Failure::Refused(Refusal::Audit(audit::Refusal::NotOpen))) => {
            Ok(see_other("/finance/reconciliation#mismatches"))
        }
        Err(Failure::Refused(refusal)) => {
            let error = sentence(&refusal.to_string());
            page(&app, &staff, None, Some(Sent { mismatch, note, error }))
        }
        Err(failure) => Err(failure.into()),
    }
}

fn page(
    app: &App,
    staff: &Staff,
    done: Option<crate::web::view::Notice>,
    sent: Option<Sent>,
) -> Result<Response, Problem> {
    let layout = Layout { notice: done, ..app.staff_layout("Reconciliation", staff, StaffRoom::Finance, None) };
    let now = app.engine().clock().now();
    let world = app.engine().world();
    let zone = world.state.rallies.iter().max_by_key(|(_, rally)| rally.details.starts_at);
    let zone = zone.map_or(Tz::UTC, |(id, _)| timezone(&world.state, id));
    let fees = world.ledger.unknown_fees().count();
    let page = Reconciliation {
        layout,
        accounts: accounts(app, &world, zone),
        mismatches: mismatches(&world, zone, sent.as_ref(), LINES_MAX),
        mismatches_more: world.state.audit.open().len().saturating_sub(LINES_MAX),
        note_chars_max: NOTE_CHARS_MAX,
        payouts: payouts(&world),
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
    let status = if sent.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, Html(page.render()?)).into_response())
}

fn accounts(app: &App, world: &Projections, zone: Tz) -> Vec<AccountLine> {
    let line = |(id, committee): (CommitteeId, &Committee)| AccountLine {
        committee: if is_alone(world) { String::new() } else { committee.name().into() },
        read_until: world.state.inbox.caught_up(id).map(|at| when_in_words(at, zone)).unwrap_or_default(),
        books: match app.cashiers().of(id).map(Cashier::books_said) {
            None => "Its account is not in the settings any more: nothing of it is read.".into(),
            Some(said) => books_in_words(said, world.state.books.read_until(id), zone),
        },
    };
    world.state.committees.iter().map(line).collect()
}

fn is_alone(world: &Projections) -> bool {
    world.state.committees.iter().len() == 1
}

fn books_in_words(said: BooksSaid, recorded: Option<DateTime<Utc>>, zone: Tz) -> String {
    match said {
        BooksSaid::KeepsNone => {
            "This processor keeps no list of its balance, so there is nothing to compare with.".into()
        }
        BooksSaid::Read(at) => format!("Its balance and payouts were read at {}.", when_in_words(at, zone)),
        BooksSaid::Failed(why) => {
            format!("Its balance and payouts could not be read: {why}. That is tried again every hour.")
        }
        BooksSaid::NotYet => match recorded {
            Some(at) => format!("Its balance and payouts were last read at {}.", when_in_words(at, zone)),
            None => "Its balance and payouts have not been read yet.".into(),
        },
    }
}

fn payouts(world: &Projections) -> Vec<PayoutLine> {
    let mut payouts: Vec<_> = world.state.books.payouts().collect();
    payouts.sort_by_key(|(_, payout)| std::cmp::Reverse((payout.arrival, payout.number)));
    let line = |(id, payout): (&crate::domain::id::PayoutId, &crate::domain::books::Payout)| PayoutLine {
        committee: if is_alone(world) { String::new() } else { world.state.committees.name(payout.committee).into() },
        href: format!("/finance/payouts/{id}"),
        arrival: in_words(payout.arrival),
        amount: payout.amount.to_exact(),
        ours: if payout.complete {
            Money::new(payout.ours_minor, payout.amount.currency).to_exact()
        } else {
            "–".into()
        },
        count: if payout.complete { payout.ours.to_string() } else { "–".into() },
        standing: standing_in_words(payout.standing),
        warning: if payout.complete && !payout.agrees() { "Not the sum of what is in it" } else { "" },
    };
    payouts.into_iter().take(PAYOUTS_MAX).map(line).collect()
}

/// How a payout stands, in words.
pub(super) fn standing_in_words(standing: Standing) -> &'static str {
    match standing {
        Standing::Pending => "On its way",
        Standing::Paid => "Paid",
        Standing::Failed => "Failed: the money is in the balance again",
        Standing::Canceled => "Called off",
    }
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
