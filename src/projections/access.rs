//! Who looked at people's data or took it: where in the log each time stands, and what it takes to look for some of them.

use crate::domain::{Event, Recorded, privacy};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Times that are kept, the latest: 16 bytes each. Those before stand in the log, and in its export.
pub const KEPT_MAX: usize = 1_000_000;
/// Names of people and of pages that are told apart: accounts, programs and shells of years. Of more it is not known which.
const NAMES_MAX: usize = 10_000;

/// What happened at one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Time {
    seq: u64,
    who: u32,
    what: u32,
}

/// A list of names, each with a number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Names(Vec<Box<str>>);

impl Names {
    /// The number of a name, which is given where it is new.
    fn number(&mut self, name: &str) -> u32 {
        let known = self.0.iter().rposition(|known| **known == *name);
        let at = known.unwrap_or(self.0.len());
        if known.is_none() && at < NAMES_MAX {
            self.0.push(name.into());
        }
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    fn find(&self, name: &str) -> Option<u32> {
        u32::try_from(self.0.iter().position(|known| **known == *name)?).ok()
    }
}

/// Every time, in the order of the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Accesses {
    times: VecDeque<Time>,
    who: Names,
    what: Names,
}

impl Accesses {
    /// Takes in the next event.
    pub(super) fn apply(&mut self, recorded: &Recorded) {
        let Event::Privacy(event) = &recorded.event else { return };
        let (who, what) = match event {
            privacy::Event::Viewed(access) | privacy::Event::Exported(access) => (&*access.who, &*access.what),
            privacy::Event::Disclosed(disclosed) => (&*disclosed.who, DISCLOSED),
            privacy::Event::Erased(_) => return,
        };
        if self.times.len() >= KEPT_MAX {
            self.times.pop_front();
        }
        let (who, what) = (self.who.number(who), self.what.number(what));
        self.times.push_back(Time { seq: recorded.seq, who, what });
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether nobody ever looked.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Everybody of whom there is one, as the log names them.
    pub fn people(&self) -> impl Iterator<Item = &str> {
        self.who.0.iter().map(|name| &**name)
    }

    /// Everything that was looked at or taken: `ledger`, `csv`.
    pub fn things(&self) -> impl Iterator<Item = &str> {
        self.what.0.iter().map(|name| &**name)
    }

    /// The events before one, the latest first: of somebody alone, and of something alone, where they are named.
    pub fn before<'a>(
        &'a self,
        seq: u64,
        who: Option<&'a str>,
        what: Option<&'a str>,
    ) -> impl Iterator<Item = u64> + use<'a> {
        // A name that nobody has leaves nothing.
        let number = |names: &Names, name: Option<&str>| name.map(|name| names.find(name).unwrap_or(u32::MAX));
        let (who, what) = (number(&self.who, who), number(&self.what, what));
        let end = self.times.partition_point(|time| time.seq < seq);
        let is_asked =
            move |time: &&Time| who.is_none_or(|who| who == time.who) && what.is_none_or(|what| what == time.what);
        self.times.range(..end).rev().filter(is_asked).map(|time| time.seq)
    }

    /// The events from one on, the first first.
    pub fn from(&self, seq: u64) -> impl Iterator<Item = u64> {
        let start = self.times.partition_point(|time| time.seq < seq);
        self.times.range(start..).map(|time| time.seq)
    }
}

/// What `groundswell log` opens of the log itself.
pub const DISCLOSED: &str = "log";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::privacy::{Access, Disclosed};
    use chrono::DateTime;

    fn recorded(seq: u64, event: privacy::Event) -> Recorded {
        Recorded { seq, at: DateTime::UNIX_EPOCH, event: Event::Privacy(event) }
    }

    fn access(who: &str, what: &str) -> Access {
        Access { who: who.into(), what: what.into(), of: String::new(), reason: String::new() }
    }

    #[test]
    fn times_are_found_by_person_and_thing() {
        let mut accesses = Accesses::default();
        accesses.apply(&recorded(3, privacy::Event::Viewed(access("staff:1", "ledger"))));
        accesses.apply(&recorded(5, privacy::Event::Exported(access("staff:2", "csv"))));
        let disclosed = Disclosed { from_seq: 1, to_seq: None, who: "shell:root".into(), reason: "an audit".into() };
        accesses.apply(&recorded(8, privacy::Event::Disclosed(disclosed)));
        accesses.apply(&recorded(9, privacy::Event::Viewed(access("staff:2", "ledger"))));
        let found = |seq, who, what| accesses.before(seq, who, what).collect::<Vec<_>>();
        assert_eq!(found(u64::MAX, None, None), [9, 8, 5, 3]);
        assert_eq!(found(9, None, None), [8, 5, 3]);
        assert_eq!(found(u64::MAX, Some("staff:2"), None), [9, 5]);
        assert_eq!(found(u64::MAX, None, Some("ledger")), [9, 3]);
        assert_eq!(found(u64::MAX, Some("staff:2"), Some("log")), [0_u64; 0]);
        assert_eq!(found(u64::MAX, Some("staff:9"), None), [0_u64; 0]);
        assert_eq!(accesses.from(5).collect::<Vec<_>>(), [5, 8, 9]);
        assert_eq!(accesses.people().collect::<Vec<_>>(), ["staff:1", "staff:2", "shell:root"]);
        assert_eq!(accesses.things().collect::<Vec<_>>(), ["ledger", "csv", "log"]);
    }
}
