//! Gifts that were paid with a card that was tried for too many donors, or refused too often: one person may give in the names of
//! others with it, or try out what was stolen. A person looks at them; the card itself is known by a keyed hash.

use super::hold::check_note;
use super::{Donations, Event, Refusal};
use crate::domain::State;
use crate::domain::hash::HashMap;
use crate::domain::id::{CardId, DonationId};
use chrono::serde::ts_microseconds;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A gift was paid with a card that stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardFlagged {
    /// Which donation.
    pub donation: DonationId,
    /// Which card.
    pub card: CardId,
    /// For how many donors it was tried within an hour.
    pub donors: u32,
    /// How often it was refused in that time.
    pub declines: u32,
}

/// A person says why that is fine. Who stands in the event's `by`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CardCleared {
    /// Which donation.
    pub donation: DonationId,
    /// Why.
    pub note: String,
}

/// What stands out about a gift's card.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    /// Which card.
    pub card: CardId,
    /// For how many donors it was tried within an hour.
    pub donors: u32,
    /// How often it was refused in that time.
    pub declines: u32,
    /// When that was seen.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
    cleared: bool,
}

/// Every gift whose card ever stood out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Flags(HashMap<DonationId, Flag>);

impl Flags {
    pub(super) fn add(&mut self, flagged: &CardFlagged, at: DateTime<Utc>) {
        let CardFlagged { donation, card, donors, declines } = *flagged;
        self.0.insert(donation, Flag { card, donors, declines, at, cleared: false });
    }

    pub(super) fn clear(&mut self, donation: DonationId) {
        if let Some(flag) = self.0.get_mut(&donation) {
            flag.cleared = true;
        }
    }
}

impl Donations {
    /// Whether a gift's card ever stood out.
    pub fn is_flagged(&self, donation: DonationId) -> bool {
        self.flags.0.contains_key(&donation)
    }
}

/// Gifts whose card stands out, until they are given back or somebody says why that is fine; those of one card together.
pub fn flagged(state: &State) -> Vec<(DonationId, Flag)> {
    let open = state.donations.flags.0.iter().filter(|(id, _)| stands_out(state, **id));
    let mut flagged: Vec<_> = open.map(|(id, flag)| (*id, *flag)).collect();
    flagged.sort_unstable_by_key(|(id, flag)| (flag.card, flag.at, *id));
    flagged
}

/// Whether a gift's card stands out, it is not given back and nobody has said why that is fine.
pub fn stands_out(state: &State, id: DonationId) -> bool {
    let is_here = || state.donations.get(id).is_some_and(|gift| gift.left_minor() > 0);
    state.donations.flags.0.get(&id).is_some_and(|flag| !flag.cleared) && is_here()
}

pub(super) fn flag(state: &State, flagged: CardFlagged) -> Vec<Event> {
    let donations = &state.donations;
    let is_paid = donations.get(flagged.donation).is_some_and(|gift| gift.settled_minor() > 0);
    let is_news = is_paid && !donations.is_flagged(flagged.donation);
    is_news.then_some(Event::CardFlagged(flagged)).into_iter().collect()
}

pub(super) fn clear(state: &State, donation: DonationId, note: String) -> Result<Vec<Event>, Refusal> {
    let flag = state.donations.flags.0.get(&donation).ok_or(Refusal::NotFlagged)?;
    check_note(&note)?;
    let is_news = !flag.cleared;
    Ok(is_news.then_some(Event::CardCleared(CardCleared { donation, note })).into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::donation::Command;
    use crate::domain::test_kit::*;
    use uuid::Uuid;

    fn flagged_event() -> CardFlagged {
        CardFlagged { donation: DONATION, card: CardId(Uuid::from_u128(0xca)), donors: 6, declines: 2 }
    }

    fn pledged() -> Given {
        given([created()]).done([Command::Pledge(pledge())])
    }

    fn paid() -> Given {
        let settle = Command::RecordSettled {
            donation: DONATION,
            payment: payment("pi_1"),
            amount: usd(5_000),
            fee: None,
            card: None,
        };
        pledged().done([Command::RequestPayment { donation: DONATION, method: "tok_1".into() }, settle])
    }

    fn clear_it(note: &str) -> Command {
        Command::ClearCard { donation: DONATION, note: note.into() }
    }

    fn listed(given: &Given) -> usize {
        flagged(&given.state).len()
    }

    #[test]
    fn a_paid_gift_is_flagged_once_and_leaves_the_list_by_a_person_or_a_refund() {
        pledged().when(Command::FlagCard(flagged_event())).changes_nothing();
        given_nothing().when(Command::FlagCard(flagged_event())).changes_nothing();
        paid().when(clear_it("fine")).refuses(Refusal::NotFlagged);
        let flagged = paid().when(Command::FlagCard(flagged_event())).then([Event::CardFlagged(flagged_event())]);
        flagged.when(Command::FlagCard(CardFlagged { donors: 7, ..flagged_event() })).changes_nothing();
        assert_eq!(listed(&flagged), 1);
        for note in ["", "joan@example.org", &"x".repeat(super::super::HOLD_NOTE_CHARS_MAX + 1)] {
            flagged.when(clear_it(note)).refuses(Refusal::HoldNote);
        }
        let note = "A family: each was called.";
        let cleared = Event::CardCleared(CardCleared { donation: DONATION, note: note.into() });
        let fine = flagged.when(clear_it(note)).then([cleared]);
        assert_eq!(listed(&fine), 0);
        fine.when(clear_it("again")).changes_nothing();
        fine.when(Command::FlagCard(flagged_event())).changes_nothing();
        let refund = |minor| Command::RecordRefunded {
            payment: payment("pi_1"),
            processor_refund: processor_refund(&format!("re_{minor}")),
            refund: None,
            amount: usd(minor),
        };
        let part = flagged.done([refund(2_000)]);
        assert_eq!(listed(&part), 1);
        assert_eq!(listed(&part.done([refund(3_000)])), 0);
    }
}
