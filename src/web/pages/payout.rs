//! `/finance/payouts/{id}`: what is in a payout to the bank.

use super::reconciliation::standing_in_words;
use crate::domain::books::{Entry, Kind, Payout};
use crate::domain::id::PayoutId;
use crate::domain::money::Money;
use crate::domain::{Event, books};
use crate::engine::{Engine, Fault};
use crate::projections::Projections;
use crate::web::App;
use crate::web::form::Form;
use crate::web::problem::{Problem, internal};
use crate::web::session::Staff;
use crate::web::view::{Layout, StaffRoom};
use askama::Template;
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use chrono::NaiveDate;

/// Events of one page, each of at most a hundred entries: a page stays below 200 KiB.
const PARTS: usize = 3;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/payout.html")]
pub struct PayoutPage {
    /// The frame around the page.
    pub layout: Layout,
    /// The processor's name of it.
    pub id: String,
    /// The day on which the bank has it: `July 25, 2028`.
    pub arrival: String,
    /// How it stands, in words.
    pub standing: &'static str,
    /// Whether the bank did not take it.
    pub is_over: bool,
    /// The sum.
    pub amount: String,
    /// What ours come to after fees.
    pub ours: String,
    /// `18,204 movements`.
    pub ours_count: u64,
    /// What the others come to.
    pub others: String,
    /// How many those are.
    pub others_count: u64,
    /// How what is in it compares with its sum, in words.
    pub agrees: String,
    /// Whether it does not.
    pub differs: bool,
    /// What is in it.
    pub lines: Vec<Line>,
    /// `1 to 300 of 18,204`; empty where all are shown.
    pub range: String,
    /// The page before.
    pub before: Option<String>,
    /// The page after.
    pub after: Option<String>,
}

/// One movement.
#[derive(Debug, Clone)]
pub struct Line {
    /// The processor's day of it.
    pub day: String,
    /// What it is, in words.
    pub what: &'static str,
    /// The rally's title; empty where it is not ours.
    pub rally: String,
    /// The sum.
    pub amount: String,
    /// What the processor took for it.
    pub fee: String,
    /// What is left.
    pub net: String,
    /// The processor's names.
    pub reference: String,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/finance/payouts/{id}", get(show))
}

async fn show(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let id = PayoutId(id);
    let from = Form::parse(query.unwrap_or_default().as_bytes()).get("from").parse().unwrap_or(0_usize);
    let (payout, parts) = {
        let world = app.engine().world();
        let payout = world.state.books.payout(&id).cloned().ok_or(Problem::NotFound)?;
        let parts = world.ledger.payout_parts(payout.number).to_vec();
        (payout, parts)
    };
    let (engine, all) = (app.engine().clone(), parts.len());
    let shown: Vec<u64> = parts.into_iter().skip(from).take(PARTS).collect();
    let until = from.saturating_add(shown.len());
    let entries = tokio::task::spawn_blocking(move || entries(&engine, &shown)).await;
    let entries = entries.map_err(|error| internal(&error))?.map_err(|fault| internal(&fault))?;
    let address = |from: usize| format!("/finance/payouts/{id}?from={from}");
    let page = {
        let world = app.engine().world();
        let layout = app.staff_layout("Payout", &staff, StaffRoom::Finance, None);
        let lines: Vec<Line> = entries.iter().map(|entry| line(entry, &world)).collect();
        PayoutPage {
            layout,
            id: id.0.clone(),
            arrival: in_words(payout.arrival),
            standing: standing_in_words(payout.standing),
            is_over: matches!(payout.standing, books::Standing::Failed | books::Standing::Canceled),
            amount: payout.amount.to_exact(),
            ours: Money::new(payout.ours_minor, payout.amount.currency).to_exact(),
            ours_count: payout.ours,
            others: others(&payout).to_exact(),
            others_count: payout.entries.saturating_sub(payout.ours),
            differs: payout.complete && !payout.agrees(),
            agrees: agrees(&payout),
            range: if all > PARTS { format!("{} of {} movements", lines.len(), payout.entries) } else { String::new() },
            before: (from > 0).then(|| address(from.saturating_sub(PARTS))),
            after: (until < all).then(|| address(until)),
            lines,
        }
    };
    Ok(Html(page.render()?).into_response())
}

/// What was told to be in it, read back from the log.
fn entries(engine: &Engine, parts: &[u64]) -> Result<Vec<Entry>, Fault> {
    let mut lines = engine.lines();
    let mut entries = vec![];
    for seq in parts {
        if let Some(Event::Books(books::Event::PayoutComposed(part))) = lines.event(*seq)? {
            entries.extend(part.entries);
        }
    }
    Ok(entries)
}

fn others(payout: &Payout) -> Money {
    Money::new(payout.net_minor.saturating_sub(payout.ours_minor), payout.amount.currency)
}

fn agrees(payout: &Payout) -> String {
    let sum = Money::new(payout.net_minor, payout.amount.currency);
    if !payout.automatic {
        "It was asked for by hand: the processor does not say what is in it.".into()
    } else if !payout.complete {
        "The processor has not said yet all that is in it.".into()
    } else if payout.agrees() {
        format!("What is in it comes to {}, which is its sum.", sum.to_exact())
    } else {
        format!("What is in it comes to {}, and its sum is {}.", sum.to_exact(), payout.amount.to_exact())
    }
}

fn line(entry: &Entry, world: &Projections) -> Line {
    let rally = entry.donation.and_then(|donation| world.state.donations.get(donation)).map(|gift| gift.rally);
    let rally = rally.and_then(|rally| world.state.rallies.get(rally));
    let names = [entry.payment.as_ref().map(|payment| payment.0.as_str()), entry.reference.as_deref()];
    let names: Vec<&str> = names.into_iter().flatten().collect();
    Line {
        day: in_words(entry.at.date_naive()),
        what: match entry.kind {
            Kind::Payment if entry.donation.is_some() => "Donation",
            Kind::Payment => "Payment of another program",
            Kind::Refund => "Refund",
            Kind::RefundReversed => "Refund that failed",
            Kind::Dispute => "Dispute",
            Kind::DisputeReversed => "Dispute, money back",
            Kind::Return => "Debit returned",
            Kind::Fee => "Fee of the processor",
            Kind::Payout => "Payout that came back",
            Kind::Other => "Other",
        },
        rally: rally.map(|rally| rally.details.title.clone()).unwrap_or_default(),
        amount: entry.amount.to_exact(),
        fee: entry.fee.to_exact(),
        net: Money::new(entry.net_minor(), entry.amount.currency).to_exact(),
        reference: if names.is_empty() { entry.entry.0.clone() } else { names.join(" ") },
    }
}

pub(super) fn in_words(day: NaiveDate) -> String {
    day.format("%B %-d, %Y").to_string()
}
