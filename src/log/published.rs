//! A head that was published, held against the log: what shows that somebody rewrote everything or cut off the end.

use super::proof::hash;
use super::{Fault, Head};
use std::fmt;
use std::str::FromStr;

/// A head as somebody kept it: `HASH` or `EVENT:HASH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The last event it covers, where that was kept too.
    pub seq: Option<u64>,
    /// The hash.
    pub hash: [u8; 32],
}

impl From<Head> for Published {
    fn from(head: Head) -> Self {
        Self { seq: Some(head.seq), hash: head.hash }
    }
}

impl FromStr for Published {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (seq, digits) = match text.split_once(':') {
            Some((seq, digits)) => {
                (Some(seq.parse().map_err(|_| "before the colon stands the number of an event")?), digits)
            }
            None => (None, text),
        };
        let hash =
            hash(digits).ok_or("a head is 64 hex digits, or the number of its event, a colon and 64 hex digits")?;
        Ok(Self { seq, hash })
    }
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(seq) = self.seq {
            write!(f, "{seq}:")?;
        }
        Head { seq: 0, hash: self.hash }.fmt(f)
    }
}

/// Why the log does not contain a published head, though each of its frames follows the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Absence {
    /// The log ends before the head's event.
    #[error("the log ends with event {end}: its tail was cut off, or this is an older copy")]
    Cut {
        /// The last event there is.
        end: u64,
    },
    /// The head's event is there, in another frame.
    #[error(
        "event {seq} stands in a frame with another hash: an event up to there was edited, dropped or moved, and everything after it written anew"
    )]
    Rewritten {
        /// The head's event.
        seq: u64,
    },
    /// No frame has the hash, and it is not known which should.
    #[error(
        "no frame has this hash: an event was edited, dropped or moved before it was published, or the log's tail was cut off; with the number of its event, as EVENT:HASH, it can be told which"
    )]
    Unknown,
}

/// Heads that are looked for while the frames go by.
pub(super) struct Search<'a> {
    wanted: Vec<&'a Published>,
}

impl<'a> Search<'a> {
    pub(super) fn new(published: &'a [Published]) -> Self {
        // The head of an empty log is in every log.
        let nothing =
            |published: &&Published| published.hash == Head::EMPTY.hash && published.seq.is_none_or(|seq| seq == 0);
        Self { wanted: published.iter().filter(|published| !nothing(published)).collect() }
    }

    /// Takes note of the head as it was after a frame.
    pub(super) fn pass(&mut self, head: &Head) -> Result<(), Fault> {
        self.wanted.retain(|wanted| wanted.hash != head.hash || wanted.seq.is_some_and(|seq| seq != head.seq));
        match self.wanted.iter().find(|wanted| wanted.seq.is_some_and(|seq| seq <= head.seq)) {
            Some(wanted) => {
                let seq = wanted.seq.unwrap_or_default();
                Err(Fault::NotPublished { head: **wanted, absence: Absence::Rewritten { seq } })
            }
            None => Ok(()),
        }
    }

    /// Says what is missing when all frames have gone by.
    pub(super) fn end(self, head: &Head) -> Result<(), Fault> {
        let Some(wanted) = self.wanted.first() else { return Ok(()) };
        let absence = if wanted.seq.is_some() { Absence::Cut { end: head.seq } } else { Absence::Unknown };
        Err(Fault::NotPublished { head: **wanted, absence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let head = Published { seq: Some(17), hash: [0xab; 32] };
        for published in [head, Published { seq: None, ..head }] {
            assert_eq!(published.to_string().parse(), Ok(published));
        }
        assert_eq!("AB".repeat(32).parse(), Ok(Published { seq: None, ..head }));
        for bad in
            ["", "17", "x:", "17:ab", &"ag".repeat(32), &"ab".repeat(33), &format!("-1:{}", "ab".repeat(32)), "é"]
        {
            assert!(bad.parse::<Published>().is_err(), "{bad}");
        }
    }
}
