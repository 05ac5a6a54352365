//! What differs between the ledger and the processor's own books, from when it is found until a later reading finds it right
//! or a person says why it is fine. Nothing here moves money.

use super::State;
use super::id::{DonationId, MismatchId};
use super::money::Money;
use chrono::serde::ts_microseconds;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// Mismatches that are open at once: whoever has more has one cause for all of them.
pub const OPEN_MAX: usize = 1_000;
/// Mismatches that persons found fine, and that are not found again.
pub const NOTED_MAX: usize = 10_000;
/// Characters of a note.
pub const NOTE_CHARS_MAX: usize = 500;
/// Characters of a name or a remark of the processor's.
pub const TEXT_CHARS_MAX: usize = 180;

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The processor moved money with our mark, and the ledger has no row of it.
    Unknown,
    /// The ledger has a row, and the processor's balance does not.
    Absent,
    /// The sum.
    Amount,
    /// The fee.
    Fee,
    /// A payout is not the sum of what is in it.
    PayoutSum,
    /// What came is not for this ledger: another kind of money, another account, another donation. It was not booked.
    Foreign,
    /// What came is about a donation of ours, and the rules refused to book it.
    Refused,
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is and what it is about.
    pub mismatch: MismatchId,
    /// What differs.
    pub what: What,
    /// The processor's name of what it is about.
    pub reference: String,
    /// Which donation, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub donation: Option<DonationId>,
    /// As the ledger has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<Money>,
    /// As the processor has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theirs: Option<Money>,
    /// What else there is to say, in words for finance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// How a mismatch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// A later reading found both the same.
    Agrees,
    /// A person says why it is fine; who stands in the event's `by`.
    Noted,
}

/// What may be asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    /// A reading found a difference.
    Find(Finding),
    /// It is none any more: a reading found both the same, or a person says why it is fine.
    Settle { mismatch: MismatchId, note: Option<String> },
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    Found(Finding),
    Settled(Settled),
}

/// A mismatch is none any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    /// Which.
    pub mismatch: MismatchId,
    /// How.
    pub how: How,
    /// Why it is fine, as that person says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// It was settled, or never found.
    #[error("this is settled already")]
    NotOpen,
    /// A note says something.
    #[error("say why it is fine, in at most {NOTE_CHARS_MAX} characters")]
    Note,
    /// [`OPEN_MAX`].
    #[error("more than {OPEN_MAX} differences are open: they have one cause, look at the first")]
    TooManyOpen,
    /// [`NOTED_MAX`].
    #[error("more than {NOTED_MAX} differences were noted as fine")]
    TooManyNoted,
    /// Longer than [`TEXT_CHARS_MAX`].
    #[error("the processor's name for it is too long")]
    Reference,
}

/// A mismatch that is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// When it was found.
    #[serde(with = "ts_microseconds")]
    pub since: DateTime<Utc>,
    /// What it is.
    pub finding: Finding,
}

/// What both sides said when a person found it fine.
type Sides = (Option<Money>, Option<Money>);

/// Every mismatch that is open, and those that a person found fine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    open: BTreeMap<MismatchId, Open>,
    noted: BTreeMap<MismatchId, Sides>,
}

impl Audit {
    /// Those that are open.
    pub fn open(&self) -> impl ExactSizeIterator<Item = &Open> {
        self.open.values()
    }

    /// Whether this one is.
    pub fn is_open(&self, mismatch: &MismatchId) -> bool {
        self.open.contains_key(mismatch)
    }

    /// This one, while it is open.
    pub fn get(&self, mismatch: &MismatchId) -> Option<&Open> {
        self.open.get(mismatch)
    }
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let audit = &state.audit;
    let event = match command {
        Command::Find(finding) => {
            let id = &finding.mismatch;
            // What was found fine is found again only once a side says something else.
            let fine = audit.noted.get(id) == Some(&(finding.ours, finding.theirs));
            if fine || audit.open.contains_key(id) {
                return Ok(vec![]);
            }
            let short = |text: &str| text.chars().nth(TEXT_CHARS_MAX).is_none();
            if !short(&id.0) || !short(&finding.reference) {
                return Err(Refusal::Reference);
            }
            if audit.open.len() >= OPEN_MAX {
                return Err(Refusal::TooManyOpen);
            }
            Event::Found(finding)
        }
        Command::Settle { mismatch, note } => {
            if !audit.open.contains_key(&mismatch) {
                return Err(Refusal::NotOpen);
            }
            if let Some(note) = &note {
                if note.trim().is_empty() || note.chars().nth(NOTE_CHARS_MAX).is_some() {
                    return Err(Refusal::Note);
                }
                if audit.noted.len() >= NOTED_MAX {
                    return Err(Refusal::TooManyNoted);
                }
            }
            let how = if note.is_some() { How::Noted } else { How::Agrees };
            Event::Settled(Settled { mismatch, how, note })
        }
    };
    Ok(vec![super::Event::Audit(event)])
}

pub(super) fn evolve(state: &mut State, event: &Event, at: DateTime<Utc>) {
    let audit = &mut state.audit;
    match event {
        Event::Found(finding) => {
            audit.noted.remove(&finding.mismatch);
            audit.open.insert(finding.mismatch.clone(), Open { since: at, finding: finding.clone() });
        }
        Event::Settled(Settled { mismatch, how, .. }) => {
            let Some(open) = audit.open.remove(mismatch) else { return };
            match how {
                How::Agrees => {}
                How::Noted => {
                    audit.noted.insert(mismatch.clone(), (open.finding.ours, open.finding.theirs));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
