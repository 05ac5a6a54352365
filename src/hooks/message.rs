//! What a message says, from the ledger, the log and the vault. Our own shape; ActBlue's is beside.

use super::actblue;
use crate::domain::committee::joint::Part;
use crate::domain::hook::{Added, Kind, Shape};
use crate::domain::id::{DonationId, PersonId};
use crate::domain::ledger::Mode;
use crate::domain::plan::{Plan, Standing};
use crate::domain::profile::Contact;
use crate::domain::seals::CONTACT;
use crate::domain::{Event, donation};
use crate::engine::{self, Engine};
use crate::projections::Projections;
use crate::projections::ledger::{self, Row};
use crate::projections::recurring::Turn;
use crate::vault;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use thiserror::Error;
use uuid::Uuid;

/// Rows looked at while pages wait: a fraction of a millisecond.
const ROWS_MAX: usize = 10_000;

/// Why a message can't be written.
#[derive(Debug, Error)]
pub(super) enum Fault {
    /// The log.
    #[error(transparent)]
    Log(#[from] engine::Fault),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] vault::Fault),
    /// What was sealed is not a contact, or the message can't be put into JSON.
    #[error("it can't be read or written: {0}")]
    Shape(#[from] serde_json::Error),
    /// The event is none of those that are told.
    #[error("event {0} is nothing that is told")]
    Unknown(u64),
}

/// Something to be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Item {
    /// The event.
    pub(super) seq: u64,
    /// What happened.
    pub(super) kind: Kind,
    /// To which donation or recurring gift.
    pub(super) subject: Uuid,
}

/// A message as it is sent.
pub(super) struct Written {
    /// JSON.
    pub(super) body: Vec<u8>,
    /// What the money is worth.
    pub(super) mode: &'static str,
}

fn kind_of(row: &Row) -> Kind {
    match row.kind {
        ledger::Kind::Donation => Kind::Settled,
        ledger::Kind::Refund => Kind::Refunded,
        ledger::Kind::RefundReversed => Kind::RefundReversed,
        ledger::Kind::Dispute => Kind::Disputed,
        ledger::Kind::DisputeReversed => Kind::DisputeReversed,
        ledger::Kind::Return => Kind::Returned,
    }
}

fn of_row(row: &Row) -> Item {
    Item { seq: row.seq, kind: kind_of(row), subject: row.donation.0 }
}

fn of_turn(turn: &Turn) -> Item {
    Item { seq: turn.seq, kind: turn.kind, subject: turn.plan.0 }
}

fn row_at(world: &Projections, seq: u64) -> Option<&Row> {
    let place = world.ledger.rows.binary_search_by_key(&seq, |row| row.seq).ok()?;
    world.ledger.rows.get(place)
}

/// What this event is.
pub(super) fn item(world: &Projections, seq: u64) -> Option<Item> {
    row_at(world, seq).map(of_row).or_else(|| world.recurring.at(seq).map(of_turn))
}

/// What of these kinds happened after an event, `most` at most, and up to which event that was looked for.
pub(super) fn items(world: &Projections, kinds: &[Kind], after: u64, most: usize) -> (Vec<Item>, u64) {
    let first = world.ledger.rows.partition_point(|row| row.seq <= after);
    let mut rows = world.ledger.rows.iter().skip(first).map(of_row).peekable();
    let mut turns = world.recurring.after(after).iter().map(of_turn).peekable();
    let mut items = vec![];
    let mut scanned = after;
    for _ in 0..ROWS_MAX {
        let row_is_next = match (rows.peek(), turns.peek()) {
            (Some(row), Some(turn)) => row.seq < turn.seq,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let Some(item) = (if row_is_next { rows.next() } else { turns.next() }) else { return (items, world.seq) };
        scanned = item.seq;
        if kinds.contains(&item.kind) {
            items.push(item);
        }
        if items.len() >= most {
            break;
        }
    }
    (items, scanned)
}

/// Everything that a message is made of.
pub(super) struct Facts {
    pub(super) item: Item,
    pub(super) at: DateTime<Utc>,
    pub(super) mode: &'static str,
    pub(super) rally: String,
    pub(super) rally_title: String,
    pub(super) committee: String,
    pub(super) committee_number: u16,
    pub(super) donor: PersonId,
    /// When the form was sent.
    pub(super) pledged_at: DateTime<Utc>,
    pub(super) refcode: Option<String>,
    /// None where it may not be told, or the donor was erased.
    pub(super) contact: Option<Contact>,
    /// Of a donation.
    pub(super) row: Option<Row>,
    /// When its payment settled, and by which event.
    pub(super) settled: Option<(u64, DateTime<Utc>)>,
    /// Name and sum of each part of a gift that is shared out.
    parts: Vec<(String, i64)>,
    /// The recurring gift that it is, or that it is part of.
    pub(super) plan: Option<(Uuid, Plan)>,
    /// Which gift of it.
    pub(super) number: Option<u32>,
    /// The first gift of it, or the donation itself.
    pub(super) order: DonationId,
}

/// Writes a receiver's message about an event.
///
/// # Errors
/// [`Fault`] where the log or the vault is damaged.
pub(super) fn write(engine: &Engine, hook: &Added, seq: u64) -> Result<Written, Fault> {
    let (mut facts, pledge_seq) = {
        let world = engine.world();
        gather(&world, seq).ok_or(Fault::Unknown(seq))?
    };
    // The log is read while nobody waits for the projections.
    if hook.personal {
        facts.contact = contact(engine, facts.donor, pledge_seq)?;
    }
    let value = match hook.shape {
        Shape::Groundswell => ours(&facts, hook.personal),
        Shape::Actblue => actblue::message(&facts),
    };
    Ok(Written { body: serde_json::to_vec(&value)?, mode: facts.mode })
}

fn contact(engine: &Engine, donor: PersonId, pledge_seq: u64) -> Result<Option<Contact>, Fault> {
    let Some(Event::Donation(donation::Event::Pledged(pledged))) = engine.lines().event(pledge_seq)? else {
        return Err(Fault::Unknown(pledge_seq));
    };
    let opened = engine.vault().unseal(donor, CONTACT, &pledged.contact)?;
    Ok(opened.map(|bytes| serde_json::from_slice(&bytes)).transpose()?)
}

/// The facts without the contact, and where that stands in the log.
fn gather(world: &Projections, seq: u64) -> Option<(Facts, u64)> {
    let item = item(world, seq)?;
    let row = row_at(world, seq).cloned();
    let turn = world.recurring.at(seq);
    let plan = match (&row, turn) {
        (Some(row), _) => world.state.plans.of_donation(row.donation).map(|(id, plan)| (id.0, plan.clone())),
        (None, Some(turn)) => world.state.plans.get(turn.plan).map(|plan| (turn.plan.0, plan.clone())),
        (None, None) => None,
    };
    let first = plan.as_ref().and_then(|(_, plan)| plan.gifts.first()).map(|gift| gift.donation);
    let donation = row.as_ref().map(|row| row.donation).or(first)?;
    let pledge = world.ledger.pledge(donation)?;
    let known = world.state.donations.get(donation)?;
    let rally = world.state.rallies.get(known.rally)?;
    let committees = &world.state.committees;
    let committee = row.as_ref().map_or(known.committee, |row| row.committee);
    let part = |part: &Part| (committees.name(part.committee).to_owned(), part.amount.minor);
    let settled = row.as_ref().and_then(|row| world.ledger.payment(donation, &row.payment));
    let number = plan.as_ref().and_then(|(_, plan)| plan.gift(donation)).map(|gift| gift.number);
    let facts = Facts {
        item,
        at: row.as_ref().map(|row| row.at).or(turn.map(|turn| turn.at))?,
        mode: match world.state.mode? {
            Mode::Simulated => "simulated",
            Mode::Test => "test",
            Mode::Live => "live",
        },
        rally: rally.details.slug.clone(),
        rally_title: rally.details.title.clone(),
        committee: committees.name(committee).into(),
        committee_number: committee.0,
        donor: known.donor,
        pledged_at: pledge.at,
        refcode: pledge.refcode.as_deref().map(Into::into),
        contact: None,
        settled: settled.map(|settled| (settled.seq, settled.at)),
        parts: row.iter().flat_map(|row| row.parts.iter()).map(part).collect(),
        row,
        number,
        order: first.unwrap_or(donation),
        plan,
    };
    Some((facts, pledge.contact.seq))
}

/// An instant as messages tell it.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn ours(facts: &Facts, personal: bool) -> Value {
    let mut data = match &facts.row {
        Some(row) => of_donation(facts, row),
        None => facts.plan.as_ref().map_or(Value::Null, |(id, plan)| of_recurring(facts, *id, plan)),
    };
    if let Some(data) = data.as_object_mut().filter(|_| personal) {
        data.insert("contact".into(), facts.contact.as_ref().map_or(Value::Null, of_contact));
    }
    json!({
        "type": facts.item.kind.word(),
        "timestamp": instant(facts.at),
        "mode": facts.mode,
        "data": data,
    })
}

fn of_donation(facts: &Facts, row: &Row) -> Value {
    let part = |(committee, minor): &(String, i64)| json!({ "committee": committee, "amount_minor": minor });
    json!({
        "seq": row.seq,
        "day": row.day,
        "donation": row.donation,
        "rally": facts.rally,
        "rally_title": facts.rally_title,
        "committee": facts.committee,
        "amount_minor": row.amount.minor,
        "currency": row.amount.currency.code(),
        "fee_minor": row.fee.map(|fee| fee.amount.minor),
        "payment": row.payment,
        "reference": row.reference,
        "card": row.card,
        "refcode": facts.refcode,
        "recurring": facts.plan.as_ref().map(|(id, _)| id),
        "recurring_number": facts.number,
        "parts": facts.parts.iter().map(part).collect::<Vec<_>>(),
        "donor": facts.donor,
    })
}

fn of_recurring(facts: &Facts, id: Uuid, plan: &Plan) -> Value {
    let (standing, why) = match plan.standing() {
        Standing::Asked => ("asked", None),
        Standing::Active => ("active", None),
        Standing::PastDue { .. } => ("past_due", None),
        Standing::Paused { .. } => ("paused", None),
        Standing::Ended { why } => ("ended", Some(why)),
    };
    json!({
        "seq": facts.item.seq,
        "recurring": id,
        "first_donation": facts.order,
        "rally": facts.rally,
        "rally_title": facts.rally_title,
        "committee": facts.committee,
        "amount_minor": plan.amount.minor,
        "currency": plan.amount.currency.code(),
        "every": plan.rhythm.every.word(),
        "until": plan.rhythm.until,
        "next": plan.next(),
        "standing": standing,
        "why": why,
        "donor": facts.donor,
    })
}

fn of_contact(contact: &Contact) -> Value {
    json!({
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "email": contact.email,
        "line": contact.line,
        "city": contact.city,
        "region": contact.region,
        "postal": contact.postal,
        "country": contact.country,
        "employer": contact.employer,
        "occupation": contact.occupation,
    })
}
