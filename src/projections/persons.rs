//! Who was merged with whom at each event, for files and pages of an earlier instant: the state knows how it is now.

use crate::domain::id::PersonId;
use crate::domain::person::{Event as Person, Pair};
use crate::domain::{Event, Recorded};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A merge, or its end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Change {
    seq: u64,
    pair: Pair,
    is_merged: bool,
}

/// Every merge and its end, in the order of the log: there are at most [`crate::domain::person::MERGES_MAX`] of each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Persons(Vec<Change>);

impl Persons {
    /// Donors who were one person at an event, each class of two or more.
    pub fn classes_at(&self, seq: u64) -> Vec<BTreeSet<PersonId>> {
        let mut holds = BTreeSet::new();
        for change in self.0.iter().take_while(|change| change.seq <= seq) {
            if change.is_merged {
                holds.insert(change.pair);
            } else {
                holds.remove(&change.pair);
            }
        }
        let mut links: BTreeMap<PersonId, Vec<PersonId>> = BTreeMap::new();
        for [one, other] in holds.into_iter().map(Pair::both) {
            links.entry(one).or_default().push(other);
            links.entry(other).or_default().push(one);
        }
        let mut classes = vec![];
        while let Some((first, mut others)) = links.pop_first() {
            let mut class = BTreeSet::from([first]);
            while let Some(other) = others.pop() {
                if class.insert(other) {
                    others.extend(links.remove(&other).unwrap_or_default());
                }
            }
            classes.push(class);
        }
        classes
    }

    /// A donor with everybody who was one person with them at an event.
    pub fn one_with(&self, person: PersonId, seq: u64) -> BTreeSet<PersonId> {
        let class = self.classes_at(seq).into_iter().find(|class| class.contains(&person));
        class.unwrap_or_else(|| BTreeSet::from([person]))
    }

    pub(super) fn apply(&mut self, recorded: &Recorded) {
        let Event::Person(event) = &recorded.event else { return };
        let (pair, is_merged) = match event {
            Person::Merged(merged) => (Pair::of(merged.kept, merged.other), true),
            Person::Parted(parted) => (Pair::of(parted.kept, parted.other), false),
            Person::ToldApart(_) => return,
        };
        self.0.push(Change { seq: recorded.seq, pair, is_merged });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::person::{Merged, Parted};
    use crate::domain::test_kit::at;
    use uuid::Uuid;

    fn person(number: u128) -> PersonId {
        PersonId(Uuid::from_u128(number))
    }

    fn merged(kept: u128, other: u128) -> Event {
        let (kept, other, reason) = (person(kept), person(other), String::new());
        Event::Person(Person::Merged(Merged { kept, other, reason }))
    }

    fn parted(kept: u128, other: u128) -> Event {
        let (kept, other, reason) = (person(kept), person(other), String::new());
        Event::Person(Person::Parted(Parted { kept, other, reason }))
    }

    #[test]
    fn each_event_has_those_who_were_one_by_then() {
        let events = [
            merged(1, 2),
            merged(4, 3),
            merged(5, 6),
            merged(3, 1),
            merged(2, 4),
            parted(3, 1),
            parted(4, 2),
            merged(6, 5),
        ];
        let mut persons = Persons::default();
        for (seq, event) in (1..).zip(events) {
            persons.apply(&Recorded { seq: seq * 10, at: at(0), event });
        }
        let classes = |seq| {
            let classes = persons.classes_at(seq).into_iter();
            let mut classes: Vec<Vec<u128>> =
                classes.map(|class| class.into_iter().map(|person| person.0.as_u128()).collect()).collect();
            classes.sort();
            classes
        };
        assert!(classes(9).is_empty(), "before its event nobody is merged");
        assert_eq!(classes(10), [vec![1, 2]]);
        assert_eq!(classes(39), [vec![1, 2], vec![3, 4], vec![5, 6]]);
        assert_eq!(classes(40), [vec![1, 2, 3, 4], vec![5, 6]], "a chain is one person");
        assert_eq!(classes(60), [vec![1, 2, 3, 4], vec![5, 6]], "a ring stays one without one of its links");
        assert_eq!(classes(70), [vec![1, 2], vec![3, 4], vec![5, 6]]);
        assert_eq!(persons.one_with(person(4), 50).len(), 4);
        assert_eq!(persons.one_with(person(9), 50), BTreeSet::from([person(9)]));
    }
}
