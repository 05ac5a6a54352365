//! Refunds that two people decide: one asks, another who sees money approves.
//!
//! What counts is all that goes back of one donation, so that a large refund can't be made of small ones. The rule rests while
//! nobody else could approve: as long as one person alone has an account that sees money, every refund goes at once.

mod event;

use super::State;
use super::donation::{self, Donation, refundable};
use super::id::{DonationId, PersonId, RefundId};
use super::money::Money;
use super::privacy::{self, REASON_CHARS_MAX};
use super::staff::Role;
use chrono::serde::ts_microseconds;
use chrono::{DateTime, Utc};
pub use event::{Approved, Event, Proposed, RuleSet, TurnedDown};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// The sum above which a refund waits for a second person until an owner says otherwise, in whole dollars or as many of another
/// currency: more than most gifts to a rally, and less than any that a limit of the law is about.
pub const ABOVE_MAJOR: u32 = 1_000;
/// The largest such sum: that of the largest donation.
pub const ABOVE_MAJOR_MAX: u32 = 999_999;
/// Refunds that wait at most: whoever approves them reads each.
pub const WAITING_MAX: usize = 500;

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Ask for a refund that a second person is to approve.
    Propose(Proposed),
    /// Let it go on.
    Approve(Approved),
    /// Decide against it, or take it back.
    TurnDown(TurnedDown),
    /// From which sum on a second person is wanted.
    SetRule {
        /// The sum; `None` for never.
        above_major: Option<u32>,
        /// Who says so: an owner.
        by: PersonId,
    },
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("there is no such donation")]
    UnknownDonation,
    #[error("no such refund waits any more: somebody has approved it or turned it down")]
    Decided,
    #[error("a refund of this donation waits for a second person already: approve it or turn it down first")]
    Waits,
    #[error("you asked for this refund yourself: somebody else who sees money has to approve it")]
    SamePerson,
    #[error("only somebody who sees money decides about refunds")]
    NotTheirs,
    #[error("only an owner says from which sum on a second person approves refunds")]
    OwnerOnly,
    #[error("write the sum in whole dollars, at most {ABOVE_MAJOR_MAX}, or leave it empty for never")]
    RuleSum,
    #[error(
        "say why in one line of at most {REASON_CHARS_MAX} characters, without an e-mail address: it stays in the log for good"
    )]
    Reason,
    #[error("{WAITING_MAX} refunds wait for a second person: decide about those first")]
    TooMany,
    #[error(transparent)]
    Donation(donation::Refusal),
}

/// A refund that waits for a second person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// Of which donation.
    pub donation: DonationId,
    /// How much.
    pub amount: Money,
    /// Who asked.
    pub by: PersonId,
    /// Why.
    pub reason: String,
    /// Since when.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
}

/// Refunds that wait, and from which sum on they do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refunds {
    /// The sum above which a refund waits, in major units of its own currency; `None` for never.
    pub above_major: Option<u32>,
    waiting: BTreeMap<RefundId, Waiting>,
}

impl Default for Refunds {
    fn default() -> Self {
        Self { above_major: Some(ABOVE_MAJOR), waiting: BTreeMap::new() }
    }
}

impl Refunds {
    /// This one.
    pub fn get(&self, refund: RefundId) -> Option<&Waiting> {
        self.waiting.get(&refund)
    }

    /// All that wait, the oldest first.
    pub fn waiting(&self) -> Vec<(RefundId, &Waiting)> {
        let mut all: Vec<_> = self.waiting.iter().map(|(id, waiting)| (*id, waiting)).collect();
        all.sort_by_key(|(id, waiting)| (waiting.at, *id));
        all
    }

    /// The one that waits of a donation.
    pub fn of(&self, donation: DonationId) -> Option<(RefundId, &Waiting)> {
        self.waiting.iter().find(|(_, waiting)| waiting.donation == donation).map(|(id, waiting)| (*id, waiting))
    }
}

/// Whether two people see money, so that one of them can approve what the other asks.
pub fn has_second(state: &State) -> bool {
    state.staff.values().filter(|member| member.role.sees_money()).nth(1).is_some()
}

/// Whether a refund of this much waits for a second person: with all that went back of its donation, or is to, it is above the
/// sum.
pub fn needs_second(state: &State, gift: &Donation, amount: Money) -> bool {
    let Some(above) = state.refunds.above_major.filter(|_| has_second(state)) else { return false };
    let asked = gift.waiting_refunds().map(|(_, request)| request.amount.minor).fold(0, i64::saturating_add);
    let back = gift.refunded_minor().saturating_add(asked).saturating_add(amount.minor);
    back > i64::from(above).saturating_mul(amount.currency.minor_per_major())
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let own = |event: Event| vec![super::Event::Refund(event)];
    match command {
        Command::Propose(proposed) => propose(state, proposed).map(own),
        Command::Approve(approved) => approve(state, approved),
        Command::TurnDown(turned_down) => turn_down(state, turned_down).map(own),
        Command::SetRule { above_major, by } => set_rule(state, above_major, by),
    }
}

fn propose(state: &State, proposed: Proposed) -> Result<Event, Refusal> {
    let gift = state.donations.get(proposed.donation).ok_or(Refusal::UnknownDonation)?;
    sees_money(state, proposed.by)?;
    privacy::check_reason(&proposed.reason).map_err(|_| Refusal::Reason)?;
    if state.refunds.of(proposed.donation).is_some() {
        return Err(Refusal::Waits);
    }
    if state.refunds.waiting.len() >= WAITING_MAX {
        return Err(Refusal::TooMany);
    }
    refundable(gift, proposed.donation, proposed.refund, proposed.amount).map_err(Refusal::Donation)?;
    Ok(Event::Proposed(proposed))
}

/// The refund is asked for in the same append: what is approved is on its way.
fn approve(state: &State, approved: Approved) -> Result<Vec<super::Event>, Refusal> {
    let waiting = state.refunds.get(approved.refund).ok_or(Refusal::Decided)?;
    sees_money(state, approved.by)?;
    if waiting.by == approved.by {
        return Err(Refusal::SamePerson);
    }
    let gift = state.donations.get(waiting.donation).ok_or(Refusal::UnknownDonation)?;
    let requested = refundable(gift, waiting.donation, approved.refund, waiting.amount).map_err(Refusal::Donation)?;
    let approved = Approved { donation: waiting.donation, ..approved };
    Ok(vec![super::Event::Refund(Event::Approved(approved)), super::Event::Donation(requested)])
}

/// Whoever asked may take it back.
fn turn_down(state: &State, turned_down: TurnedDown) -> Result<Event, Refusal> {
    let waiting = state.refunds.get(turned_down.refund).ok_or(Refusal::Decided)?;
    sees_money(state, turned_down.by)?;
    privacy::check_reason(&turned_down.reason).map_err(|_| Refusal::Reason)?;
    Ok(Event::TurnedDown(TurnedDown { donation: waiting.donation, ..turned_down }))
}

fn set_rule(state: &State, above_major: Option<u32>, by: PersonId) -> Result<Vec<super::Event>, Refusal> {
    if state.staff.get(&by).is_none_or(|member| member.role != Role::Owner) {
        return Err(Refusal::OwnerOnly);
    }
    if above_major.is_some_and(|above| above > ABOVE_MAJOR_MAX) {
        return Err(Refusal::RuleSum);
    }
    if state.refunds.above_major == above_major {
        return Ok(vec![]);
    }
    Ok(vec![super::Event::Refund(Event::RuleSet(RuleSet { above_major, by }))])
}

fn sees_money(state: &State, person: PersonId) -> Result<(), Refusal> {
    let sees = state.staff.get(&person).is_some_and(|member| member.role.sees_money());
    if sees { Ok(()) } else { Err(Refusal::NotTheirs) }
}

pub(super) fn evolve(state: &mut State, event: &Event, at: DateTime<Utc>) {
    let refunds = &mut state.refunds;
    match event {
        Event::Proposed(Proposed { donation, refund, amount, by, reason }) => {
            let waiting = Waiting { donation: *donation, amount: *amount, by: *by, reason: reason.clone(), at };
            refunds.waiting.insert(*refund, waiting);
        }
        Event::Approved(Approved { refund, .. }) | Event::TurnedDown(TurnedDown { refund, .. }) => {
            refunds.waiting.remove(refund);
        }
        Event::RuleSet(rule) => refunds.above_major = rule.above_major,
    }
}

#[cfg(test)]
mod tests;
