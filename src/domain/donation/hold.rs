//! Gifts that a person looks at before a card is charged: those above the sum that the rules name.
//!
//! A gift is held when its donor comes to the card step, and the writer asks again where a card is offered, so that rules that
//! were set in between hold. What was held stays held until somebody decides, also where that sum is raised: the donor was told
//! that somebody looks. No card is kept meanwhile: tokens expire, and nobody is charged weeks later without knowing.

use super::{Donation, Donations, Event, Refusal};
use crate::domain::State;
use crate::domain::hash::HashMap;
use crate::domain::id::{CommitteeId, DonationId};
use crate::domain::money::Money;
use chrono::serde::ts_microseconds;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Characters of a note or a reason: some sentences.
pub const HOLD_NOTE_CHARS_MAX: usize = 500;

/// A gift waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Which donation.
    pub donation: DonationId,
}

/// A person let a gift through: its donor may offer a card. Who stands in the event's `by`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Released {
    /// Which donation.
    pub donation: DonationId,
    /// Why, as that person says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A person decided against a gift: no card is taken for it. Who stands in the event's `by`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnedAway {
    /// Which donation.
    pub donation: DonationId,
    /// Why, as that person says; the donor is not told.
    pub reason: String,
}

/// What became of a gift that was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Nobody has decided.
    Open,
    /// A card may be offered.
    Released,
    /// No card is taken.
    TurnedAway,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Hold {
    #[serde(with = "ts_microseconds")]
    since: DateTime<Utc>,
    verdict: Verdict,
}

/// Every gift that was ever held.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Holds(HashMap<DonationId, Hold>);

impl Holds {
    pub(super) fn add(&mut self, donation: DonationId, at: DateTime<Utc>) {
        self.0.insert(donation, Hold { since: at, verdict: Verdict::Open });
    }

    pub(super) fn decided(&mut self, donation: DonationId, verdict: Verdict) {
        if let Some(hold) = self.0.get_mut(&donation) {
            hold.verdict = verdict;
        }
    }
}

impl Donations {
    /// What became of a gift that was held; `None` where it never was.
    pub fn verdict(&self, donation: DonationId) -> Option<Verdict> {
        self.holds.0.get(&donation).map(|hold| hold.verdict)
    }
}

/// Gifts that wait for a person, and since when; the oldest first.
pub fn held(state: &State) -> Vec<(DateTime<Utc>, DonationId)> {
    let open = state.donations.holds.0.iter().filter(|(id, _)| is_held(state, **id));
    let mut held: Vec<_> = open.map(|(id, hold)| (hold.since, *id)).collect();
    held.sort_unstable();
    held
}

/// Whether a gift waits for a person.
pub fn is_held(state: &State, id: DonationId) -> bool {
    // Whose name was erased can't give any more; and an attempt of before may settle after all.
    let is_paid = || state.donations.get(id).is_none_or(|gift| gift.settled_minor() > 0);
    state.donations.verdict(id) == Some(Verdict::Open) && !state.privacy.is_closed(id) && !is_paid()
}

/// The sum above which gifts to a committee are held, where this amount is above it; in other currencies nothing is held.
pub fn held_above(state: &State, committee: CommitteeId, amount: Money) -> Option<Money> {
    let rules = &state.committees.get(committee)?.rules;
    let most = rules.hold_above.filter(|most| most.currency == amount.currency)?;
    (amount.minor > most.minor).then_some(most)
}

/// Whether a gift is to be held that was not: its donor is at the card step, and no card is offered yet.
pub fn is_to_be_held(state: &State, id: DonationId) -> bool {
    let Some(gift) = state.donations.get(id) else { return false };
    let untouched = gift.in_flight.is_none() && gift.settled().next().is_none() && !state.privacy.is_closed(id);
    untouched && state.donations.verdict(id).is_none() && wants_a_look(state, id, gift)
}

/// An instalment comes under what its first gift was let through with: see [`crate::domain::plan`], where no donor raises a
/// recurring gift above the sum.
fn wants_a_look(state: &State, id: DonationId, gift: &Donation) -> bool {
    let is_instalment =
        state.plans.of_donation(id).is_some_and(|(_, plan)| plan.gift(id).is_none_or(|of| of.number > 1));
    !is_instalment && held_above(state, gift.committee, gift.amount).is_some()
}

/// Refuses a card where a person is to look first, or has decided against it.
pub(super) fn check(state: &State, id: DonationId, gift: &Donation) -> Result<(), Refusal> {
    match state.donations.verdict(id) {
        Some(Verdict::Released) => Ok(()),
        Some(Verdict::TurnedAway) => Err(Refusal::TurnedAway),
        Some(Verdict::Open) => Err(Refusal::Held),
        None if wants_a_look(state, id, gift) => Err(Refusal::Held),
        None => Ok(()),
    }
}

pub(super) fn hold(state: &State, donation: DonationId) -> Vec<Event> {
    is_to_be_held(state, donation).then_some(Event::Held(Held { donation })).into_iter().collect()
}

pub(super) fn release(state: &State, donation: DonationId, note: Option<String>) -> Result<Vec<Event>, Refusal> {
    if let Some(note) = &note {
        check_note(note)?;
    }
    match state.donations.verdict(donation).ok_or(Refusal::NotHeld)? {
        Verdict::Open => Ok(vec![Event::Released(Released { donation, note })]),
        Verdict::Released => Ok(vec![]),
        Verdict::TurnedAway => Err(Refusal::WasTurnedAway),
    }
}

pub(super) fn turn_away(state: &State, donation: DonationId, reason: String) -> Result<Vec<Event>, Refusal> {
    check_note(&reason)?;
    match state.donations.verdict(donation).ok_or(Refusal::NotHeld)? {
        Verdict::Open => Ok(vec![Event::TurnedAway(TurnedAway { donation, reason })]),
        Verdict::TurnedAway => Ok(vec![]),
        Verdict::Released => Err(Refusal::WasReleased),
    }
}

/// It stays in the log for good: no address.
pub(in crate::domain) fn check_note(note: &str) -> Result<(), Refusal> {
    let too_long = note.chars().nth(HOLD_NOTE_CHARS_MAX).is_some();
    if note.trim().is_empty() || too_long || note.contains('@') { Err(Refusal::HoldNote) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
