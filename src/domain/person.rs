//! Donors who are one person, as somebody of the finance team says: `kin` knows who has one e-mail address, or one name and postal
//! address, and all else is for a person to decide. What is merged is parted again at any time, and holds from its event on.

use super::State;
use super::donation::{self, HOLD_NOTE_CHARS_MAX};
use super::id::PersonId;
use chrono::serde::ts_microseconds;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Merges that were ever made: a person decides on each, and a team of tens makes fewer in a cycle.
pub const MERGES_MAX: usize = 50_000;
/// Pairs of which somebody said that they are two people.
pub const APART_MAX: usize = 50_000;

/// Two donors, whichever is named first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pair(PersonId, PersonId);

impl Pair {
    /// These two.
    pub fn of(one: PersonId, other: PersonId) -> Self {
        Self(one.min(other), one.max(other))
    }

    /// The one and the other.
    pub fn both(self) -> [PersonId; 2] {
        [self.0, self.1]
    }
}

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Two donors are one person.
    Merge(Merged),
    /// They are not, after all.
    Part(Parted),
    /// Two donors who look alike are two people.
    TellApart(ToldApart),
}

/// What happened. Who decided stands in the event's `by`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    Merged(Merged),
    Parted(Parted),
    ToldApart(ToldApart),
}

/// Two donors are one person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merged {
    /// Whose name and address are the right ones.
    pub kept: PersonId,
    /// The same person under others.
    pub other: PersonId,
    /// Why, as somebody says.
    pub reason: String,
}

/// Two donors who were merged are not one person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parted {
    /// Who was kept.
    pub kept: PersonId,
    /// Who was merged into them.
    pub other: PersonId,
    /// Why.
    pub reason: String,
}

/// Two donors who look alike are two people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToldApart {
    /// The one.
    pub one: PersonId,
    /// The other.
    pub other: PersonId,
    /// Why.
    pub reason: String,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("one of these two has offered no card here: there is nothing to add up")]
    Unknown,
    #[error("the name of one of these two has been erased: nobody can tell any more who it was")]
    Erased,
    #[error("these two count as one person already")]
    AlreadyOne,
    #[error(
        "somebody has said that one of those merged with the one, and one of those merged with the other, are two people"
    )]
    ToldApart,
    #[error("these two are not merged")]
    NotMerged,
    #[error(
        "say why in 1 to {HOLD_NOTE_CHARS_MAX} characters, without an e-mail address: it stays in the log for ever"
    )]
    Reason,
    #[error("more than {MERGES_MAX} donors were merged")]
    TooManyMerges,
    #[error("more than {APART_MAX} pairs were told apart")]
    TooManyApart,
}

/// How two were merged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merge {
    /// Whose name and address are the right ones.
    pub kept: PersonId,
    /// Since when.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
}

/// When two were told apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Apart {
    /// Since when.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
}

/// What persons said of donors who look alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Persons {
    merged: BTreeMap<Pair, Merge>,
    apart: BTreeMap<Pair, Apart>,
    /// The merges again, from either side.
    links: BTreeSet<(PersonId, PersonId)>,
    merges: usize,
}

impl Persons {
    /// Whom a donor was merged with, not further than one step.
    pub fn merged_with(&self, person: PersonId) -> impl Iterator<Item = PersonId> {
        let least = PersonId(uuid::Uuid::nil());
        self.links.range((person, least)..).take_while(move |(one, _)| *one == person).map(|(_, other)| *other)
    }

    /// Every merge that holds.
    pub fn merges(&self) -> impl ExactSizeIterator<Item = (Pair, Merge)> {
        self.merged.iter().map(|(pair, merge)| (*pair, *merge))
    }

    /// Every pair that was told apart.
    pub fn apart(&self) -> impl ExactSizeIterator<Item = (Pair, Apart)> {
        self.apart.iter().map(|(pair, apart)| (*pair, *apart))
    }

    /// The pair that was told apart with one of either of two people under all their names.
    pub fn apart_between<'a>(
        &self,
        one: impl IntoIterator<Item = &'a PersonId>,
        other: impl IntoIterator<Item = &'a PersonId> + Clone,
    ) -> Option<Pair> {
        if self.apart.is_empty() {
            return None;
        }
        let pairs = one.into_iter().flat_map(|one| other.clone().into_iter().map(|other| Pair::of(*one, *other)));
        pairs.into_iter().find(|pair| self.apart.contains_key(pair))
    }
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let persons = &state.persons;
    let event = match command {
        Command::Merge(merged) => {
            check_reason(&merged.reason)?;
            let pair = Pair::of(merged.kept, merged.other);
            if persons.merged.contains_key(&pair) {
                return Ok(vec![]);
            }
            check_two(state, pair)?;
            let (one, other) = (state.names_of(merged.kept), state.names_of(merged.other));
            // Whoever decides on these two anew knows what was said of them before.
            if persons.apart_between(&one, &other).is_some_and(|apart| apart != pair) {
                return Err(Refusal::ToldApart);
            }
            if persons.merges >= MERGES_MAX {
                return Err(Refusal::TooManyMerges);
            }
            Event::Merged(merged)
        }
        Command::Part(parted) => {
            check_reason(&parted.reason)?;
            let known = persons.merged.get(&Pair::of(parted.kept, parted.other)).ok_or(Refusal::NotMerged)?;
            let other = if known.kept == parted.kept { parted.other } else { parted.kept };
            Event::Parted(Parted { kept: known.kept, other, ..parted })
        }
        Command::TellApart(told) => {
            check_reason(&told.reason)?;
            let pair = Pair::of(told.one, told.other);
            if persons.apart.contains_key(&pair) {
                return Ok(vec![]);
            }
            check_two(state, pair)?;
            if persons.apart.len() >= APART_MAX {
                return Err(Refusal::TooManyApart);
            }
            Event::ToldApart(told)
        }
    };
    Ok(vec![super::Event::Person(event)])
}

/// Whether two donors may yet be found to be one person, or two.
pub fn is_open(state: &State, pair: Pair) -> bool {
    !state.persons.apart.contains_key(&pair) && check_two(state, pair).is_ok()
}

/// Two donors whose names can be read, and who do not count as one.
fn check_two(state: &State, pair: Pair) -> Result<(), Refusal> {
    for person in pair.both() {
        state.donations.last_of(person).ok_or(Refusal::Unknown)?;
        if state.privacy.is_erased(person) {
            return Err(Refusal::Erased);
        }
    }
    let [one, other] = pair.both();
    if state.names_of(one).contains(&other) { Err(Refusal::AlreadyOne) } else { Ok(()) }
}

fn check_reason(reason: &str) -> Result<(), Refusal> {
    donation::check_note(reason).map_err(|_| Refusal::Reason)
}

pub(super) fn evolve(state: &mut State, event: &Event, at: DateTime<Utc>) {
    let persons = &mut state.persons;
    match event {
        Event::Merged(Merged { kept, other, .. }) => {
            let pair = Pair::of(*kept, *other);
            persons.apart.remove(&pair);
            persons.merged.insert(pair, Merge { kept: *kept, at });
            persons.links.extend([(*kept, *other), (*other, *kept)]);
            persons.merges = persons.merges.saturating_add(1);
        }
        Event::Parted(Parted { kept, other, .. }) => {
            persons.merged.remove(&Pair::of(*kept, *other));
            persons.links.remove(&(*kept, *other));
            persons.links.remove(&(*other, *kept));
        }
        Event::ToldApart(ToldApart { one, other, .. }) => {
            persons.apart.insert(Pair::of(*one, *other), Apart { at });
        }
    }
}

#[cfg(test)]
mod tests;
