//! Which rows of the ledger a selection has: its words resolved once, so that each row is a comparison of numbers.

use super::selection::{Narrow, Search, Selection};
use crate::domain::id::{CommitteeId, PersonId, RallyId, SourceId};
use crate::projections::Projections;
use crate::projections::ledger::{Kind, Row};
use chrono::NaiveDate;
use std::collections::BTreeSet;

/// What a row must be in one respect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted<T> {
    /// Anything.
    Any,
    /// Just that; no row, where nobody knows the word.
    Only(Option<T>),
    /// Without one.
    Without,
}

impl<T: PartialEq> Wanted<T> {
    fn has(&self, found: Option<T>) -> bool {
        match self {
            Self::Any => true,
            Self::Only(wanted) => wanted.is_some() && *wanted == found,
            Self::Without => found.is_none(),
        }
    }
}

/// A selection, resolved.
pub struct Chosen<'a> {
    rally: Wanted<RallyId>,
    committee: Option<CommitteeId>,
    days: (Option<NaiveDate>, Option<NaiveDate>),
    refcode: Wanted<u32>,
    speaker: Wanted<SourceId>,
    method: Wanted<&'a str>,
    kinds: &'a [Kind],
    search: &'a Search,
    /// Everybody who is the donor that is looked for.
    donors: BTreeSet<PersonId>,
}

impl<'a> Chosen<'a> {
    /// Resolves what is asked for.
    pub fn new(world: &Projections, selection: &'a Selection) -> Self {
        let rally = selection.rally.as_ref().map(|slug| {
            let found = world.state.rallies.iter().find(|(_, rally)| rally.details.slug == *slug);
            found.map(|(id, _)| id)
        });
        Self {
            rally: rally.map_or(Wanted::Any, Wanted::Only),
            committee: selection.committee,
            days: (selection.from, selection.to),
            refcode: wanted(&selection.refcode, |word| world.ledger.refcode_number(word)),
            speaker: wanted(&selection.speaker, |word| word.parse().ok()),
            method: wanted(&selection.method, Some),
            kinds: &selection.kinds,
            search: &selection.search,
            donors: match selection.search {
                Search::Donor(donor) => world.persons.one_with(donor, selection.seq(world)),
                Search::Nothing | Search::Amount(_) | Search::Donation(_) | Search::Reference(_) | Search::Name(_) => {
                    BTreeSet::new()
                }
            },
        }
    }

    /// Whether a row is in it, as far as that is known without the donor's name.
    pub fn has(&self, row: &Row) -> bool {
        self.rally.has(Some(row.rally))
            && self.committee.is_none_or(|committee| committee == row.committee)
            && self.days.0.is_none_or(|from| from <= row.day)
            && self.days.1.is_none_or(|to| row.day <= to)
            && (self.kinds.is_empty() || self.kinds.contains(&row.kind))
            && self.refcode.has(row.refcode)
            && self.speaker.has(row.speaker)
            && (self.method == Wanted::Any || self.method.has(row.method()))
            && self.is_found(row)
    }

    fn is_found(&self, row: &Row) -> bool {
        match self.search {
            Search::Nothing | Search::Name(_) => true,
            Search::Donor(_) => self.donors.contains(&row.donor),
            Search::Amount(minor) => row.amount.minor.unsigned_abs() == *minor,
            Search::Donation(donation) => row.donation == *donation,
            Search::Reference(id) => row.payment.0 == *id || row.reference.as_deref() == Some(id),
        }
    }
}

fn wanted<'a, T>(narrow: &'a Narrow, read: impl Fn(&'a str) -> Option<T>) -> Wanted<T> {
    match narrow {
        Narrow::Any => Wanted::Any,
        Narrow::Without => Wanted::Without,
        Narrow::Only(word) => Wanted::Only(read(word)),
    }
}
