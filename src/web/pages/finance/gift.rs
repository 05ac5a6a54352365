//! `/finance/donations/{id}`: one donation: who gave, what became of the money, and every event of it.

use super::rows::{LedgerRow, row_line};
use crate::domain::donation::{Event as Donation, Movement};
use crate::domain::id::DonationId;
use crate::domain::privacy::REASON_CHARS_MAX;
use crate::domain::refund::Event as Refund;
use crate::domain::{Event, codec};
use crate::engine::lines::Lines;
use crate::projections::totals::timezone;
use crate::report::who;
use crate::web::form::Form;
use crate::web::pages::refunds;
use crate::web::problem::{Problem, internal};
use crate::web::session::Staff;
use crate::web::view::{Layout, StaffRoom};
use crate::web::{App, notice, present};
use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use chrono_tz::Tz;

/// Events on the page: a card that is tried again and again has some tens.
const EVENTS_MAX: usize = 200;
/// Others who are the donor: more addresses than anybody has.
const MERGED_MAX: usize = 20;

/// The page of a donation.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/donation.html")]
pub struct DonationPage {
    /// The frame around the page.
    pub layout: Layout,
    /// What was asked for on the form: `$50.00`.
    pub amount: String,
    /// Our id.
    pub id: String,
    /// The rally's title.
    pub rally: String,
    /// The ledger of that rally.
    pub rally_href: String,
    /// Facts: what it is, and its value; empty values are left out.
    pub facts: Vec<(&'static str, String)>,
    /// Names and addresses of others who count as one person with the donor, since somebody merged them.
    pub merged: Vec<String>,
    /// Its refund that waits for a second person.
    pub waiting: Option<refunds::Line>,
    /// The most characters of a reason to turn that down.
    pub reason_chars_max: usize,
    /// Rows of the ledger.
    pub rows: Vec<LedgerRow>,
    /// Its events, the first first.
    pub events: Vec<EventLine>,
    /// How many more there are; empty where all are shown.
    pub more: String,
}

/// An event.
#[derive(Debug, Clone)]
pub struct EventLine {
    /// Its number.
    pub seq: String,
    /// `Jul 25, 9:13:58 pm`.
    pub when: String,
    /// The same as RFC 3339.
    pub when_iso: String,
    /// What happened, in words.
    pub what: String,
    /// Its kind, as the log has it.
    pub kind: &'static str,
    /// Who asked for it: `donor`, `staff`, `processor`.
    pub by: String,
}

/// Shows it.
pub(super) async fn show(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let id: DonationId = id.parse().map_err(|_| Problem::NotFound)?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let (mut page, zone, contact_at, merged, seqs, asked_by) = {
        let world = app.engine().world();
        let gift = world.state.donations.get(id).ok_or(Problem::NotFound)?;
        let pledge = world.ledger.pledge(id).ok_or(Problem::NotFound)?;
        let rally = world.state.rallies.get(gift.rally).ok_or(Problem::NotFound)?;
        let zone = timezone(&world.state, gift.rally);
        let speaker = pledge.on_program.and_then(|source| rally.source_name(source));
        let plan = world.state.plans.of_donation(id).and_then(|(_, plan)| plan.gift(id));
        let payout = world.ledger.settled(id).and_then(|row| row.paid_out);
        let payout = payout.and_then(|paid_out| world.state.books.name(paid_out.payout));
        let row = |row| row_line(&world, row, row.fee.map(|fee| fee.amount));
        let facts = vec![
            ("In the account of", world.state.committees.name(gift.committee).to_owned()),
            ("Form sent", format!("{} {}", present::date(pledge.at, zone), present::time_seconds(pledge.at, zone))),
            ("On program then", speaker.unwrap_or_default().to_owned()),
            ("Refcode", pledge.refcode.as_deref().unwrap_or_default().to_owned()),
            ("To cover the fee", pledge.covers_fee.map(|cover| cover.to_exact()).unwrap_or_default()),
            ("Recurring gift", plan.map(|gift| format!("number {}", gift.number)).unwrap_or_default()),
            ("Payout", payout.map(|payout| payout.0.clone()).unwrap_or_default()),
        ];
        let seqs: Vec<u64> = pledge.events.clone();
        let waiting = world.state.refunds.of(id);
        let waiting = waiting.and_then(|(refund, waiting)| refunds::line(&world, &staff, refund, waiting));
        let asked_by = waiting.as_ref().map(|(_, _, by)| *by);
        let left = seqs.len().saturating_sub(EVENTS_MAX);
        let page = DonationPage {
            layout: Layout { notice: notice(&query), ..app.staff_layout("Donation", &staff, StaffRoom::Finance, None) },
            amount: gift.amount.to_exact(),
            id: id.to_string(),
            rally: rally.details.title.clone(),
            rally_href: format!("/finance/rows?rally={}", rally.details.slug),
            facts,
            merged: vec![],
            waiting: waiting.map(|(line, ..)| line),
            reason_chars_max: REASON_CHARS_MAX,
            rows: world.ledger.rows_of(id).map(row).collect(),
            events: vec![],
            more: if left == 0 { String::new() } else { format!("{left} later events are in the log.") },
        };
        let merged = world.persons.one_with(gift.donor, world.seq).into_iter().filter(|other| *other != gift.donor);
        let merged = merged.filter_map(|other| {
            let last = world.state.donations.last_of(other)?;
            Some((other, world.ledger.pledge(last)?.contact))
        });
        let merged: Vec<_> = merged.take(MERGED_MAX).collect();
        (page, zone, (gift.donor, pledge.contact), merged, seqs, asked_by)
    };
    app.shows(&staff, "donation", id.to_string()).await?;
    let mut contacts = app.contacts();
    let contact = contacts.shown(contact_at.0, contact_at.1);
    let mut name = |(other, at)| {
        contacts.shown(other, at).map(|who| format!("{} {} ({})", who.first_name, who.last_name, who.email))
    };
    page.merged = merged.into_iter().map(|other| name(other).unwrap_or_else(|| present::ERASED.into())).collect();
    let engine = app.engine().clone();
    let events = tokio::task::spawn_blocking(move || events(&mut engine.lines(), &seqs, zone));
    page.events = events.await.map_err(|error| internal(&error))?.map_err(|fault| internal(&fault))?;
    let who = contact.map_or_else(
        || vec![("Donor", present::ERASED.into())],
        |who| {
            vec![
                ("Donor", format!("{} {}", who.first_name, who.last_name)),
                ("E-mail", who.email),
                ("Address", format!("{}, {} {} {}, {}", who.line, who.city, who.region, who.postal, who.country)),
                ("Employer", who.employer),
                ("Occupation", who.occupation),
                ("U.S. passport", who.passport.unwrap_or_default()),
            ]
        },
    );
    if let Some((_, name)) = who.first() {
        page.rows.iter_mut().for_each(|row| row.donor.clone_from(name));
        if let (Some(line), Some(by)) = (&mut page.waiting, asked_by) {
            (line.donor, line.by) = (name.clone(), who::staff(app.engine(), by));
        }
    }
    page.facts = who.into_iter().chain(page.facts).filter(|(_, value)| !value.is_empty()).collect();
    Ok(Html(page.render()?).into_response())
}

fn events(lines: &mut Lines, seqs: &[u64], zone: Tz) -> Result<Vec<EventLine>, crate::engine::Fault> {
    let mut events = vec![];
    for seq in seqs.iter().take(EVENTS_MAX) {
        let Some((recorded, by)) = lines.signed(*seq)? else { continue };
        events.push(EventLine {
            seq: crate::domain::money::group_thousands(*seq),
            when: format!(
                "{} {}",
                recorded.at.with_timezone(&zone).format("%b %-d,"),
                present::time_seconds(recorded.at, zone)
            ),
            when_iso: present::iso(recorded.at),
            what: in_words(&recorded.event),
            kind: codec::kind_of(&recorded.event),
            by: by.split(':').next().unwrap_or_default().to_owned(),
        });
    }
    Ok(events)
}

/// What happened, in a sentence.
fn in_words(event: &Event) -> String {
    if let Event::Refund(event) = event {
        return refund_in_words(event);
    }
    let Event::Donation(event) = event else { return String::new() };
    gift_in_words(event)
}

fn refund_in_words(event: &Refund) -> String {
    match event {
        Refund::Proposed(data) => {
            format!("A second person is to approve a refund of {}: {}", data.amount.to_exact(), data.reason)
        }
        Refund::Approved(_) => "A second person approved the refund.".into(),
        Refund::TurnedDown(data) => format!("The refund was turned down: {}", data.reason),
        Refund::RuleSet(_) => String::new(),
    }
}

fn gift_in_words(event: &Donation) -> String {
    match event {
        Donation::Pledged(data) => format!("The form was sent: {}.", data.amount.to_exact()),
        Donation::Renewed(data) => format!("An instalment fell due: {}.", data.amount.to_exact()),
        Donation::Held(_) => "A person is to look at it first.".into(),
        Donation::Released(data) => {
            format!("Somebody looked at it and let it go on. {}", data.note.as_deref().unwrap_or_default())
        }
        Donation::TurnedAway(data) => format!("It was turned away: {}", data.reason),
        Donation::CardFlagged(data) => {
            format!("Its card stands out: {} donors, {} refusals.", data.donors, data.declines)
        }
        Donation::CardCleared(data) => format!("Somebody looked at its card: {}", data.note),
        Donation::PaymentRequested(data) => format!("A card was offered, attempt {}.", data.attempt),
        Donation::ActionRequired(_) => "The bank asks the donor.".into(),
        Donation::Processing(_) => "The payment is on its way.".into(),
        Donation::CheckoutOpened(_) => "The processor’s own page was opened.".into(),
        Donation::CheckoutClosed(_) => "The processor’s own page was closed.".into(),
        Donation::Settled(data) => format!("{} came in.", data.amount.to_exact()),
        Donation::FeeRecorded(data) => format!("Its fee became known: {}.", data.fee.to_exact()),
        Donation::Declined(data) => format!("Declined ({}): {}", data.code, data.reason),
        Donation::RefundRequested(data) => format!("A refund of {} was asked for.", data.amount.to_exact()),
        Donation::Refunded(data) => format!("{} went back.", data.amount.to_exact()),
        Donation::RefundUnmatched(_) => "The processor told of a refund before it told of the payment.".into(),
        Donation::RefundFailed(_) => "A refund failed.".into(),
        Donation::RefundReversed(data) => {
            format!("A refund failed after all: {} is here again.", data.amount.to_exact())
        }
        Donation::RefundFailureUnmatched(_) => "The processor told of a failed refund before the refund.".into(),
        Donation::DisputeOpened(data) => {
            format!("The donor’s bank disputes {} ({}).", data.amount.to_exact(), data.reason)
        }
        Donation::DisputeRevised(data) => {
            format!("Evidence may be handed in until {}.", data.due_by.format("%B %-d, %Y"))
        }
        Donation::DisputeWithdrawn(data) => format!("{} was withdrawn for the dispute.", data.amount.to_exact()),
        Donation::DisputeReinstated(data) => format!("{} came back from the dispute.", data.amount.to_exact()),
        Donation::DisputeClosed(_) => "The dispute is over.".into(),
        Donation::DisputeUnmatched(_) => "The processor told of a dispute before it told of the payment.".into(),
        Donation::DebitReturned(data) => format!("The donor’s bank took {} back.", data.amount.to_exact()),
        Donation::ReturnUnmatched(_) => "A returned debit was told of before its payment.".into(),
        Donation::CostRecorded(data) => {
            let of = match data.of {
                Movement::Withdrawal => "The dispute",
                Movement::Reinstatement => "The dispute’s end",
                Movement::Return => "The returned debit",
            };
            format!("{of} cost {}.", data.fee.to_exact())
        }
    }
}
