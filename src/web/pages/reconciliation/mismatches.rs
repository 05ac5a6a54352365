//! The part of the page that says what differs, and what to do about it.

use super::when_in_words;
use crate::domain::audit::{Open, What};
use crate::domain::money::Money;
use crate::projections::Projections;
use chrono_tz::Tz;

/// A difference, as finance reads it.
#[derive(Debug, Clone)]
pub struct Mismatch {
    /// For the form.
    pub id: String,
    /// What differs, in words.
    pub what: &'static str,
    /// What to do.
    pub help: &'static str,
    /// Whose sum the first of the two is.
    pub sides: &'static str,
    /// What the ledger has; `–` where it has nothing.
    pub ours: String,
    /// What the processor has.
    pub theirs: String,
    /// When it was found.
    pub when: String,
    /// What else was said of it.
    pub said: String,
    /// The processor's name of it.
    pub reference: String,
    /// Field `note`, where it was sent and refused.
    pub note: String,
    /// Why it was refused.
    pub error: Option<String>,
}

/// The first of them, the oldest first, with the one that was sent before all.
pub fn mismatches(world: &Projections, zone: Tz, sent: Option<&super::Sent>, most: usize) -> Vec<Mismatch> {
    let mut open: Vec<&Open> = world.state.audit.open().collect();
    let is_sent = |open: &Open| sent.is_some_and(|sent| sent.mismatch == open.finding.mismatch);
    open.sort_by_key(|open| (!is_sent(open), open.since));
    let line = |open: &Open| {
        let sent = sent.filter(|_| is_sent(open));
        let finding = &open.finding;
        let (what, help) = words(finding.what);
        let sum = |sum: Option<Money>| sum.map_or_else(|| "–".into(), Money::to_exact);
        Mismatch {
            id: finding.mismatch.0.clone(),
            what,
            help,
            sides: if finding.what == What::PayoutSum { "What is in it" } else { "Ledger" },
            ours: sum(finding.ours),
            theirs: sum(finding.theirs),
            when: when_in_words(open.since, zone),
            said: finding.said.clone().unwrap_or_default(),
            reference: finding.reference.clone(),
            note: sent.map(|sent| sent.note.clone()).unwrap_or_default(),
            error: sent.map(|sent| sent.error.clone()),
        }
    };
    open.into_iter().take(most).map(line).collect()
}

/// What differs, and what to do about it.
pub fn words(what: What) -> (&'static str, &'static str) {
    match what {
        What::Unknown => (
            "Money with our mark that the ledger lacks",
            "Look it up on the processor’s pages. Was this ledger restored from a backup, or does a second one use the same account?",
        ),
        What::Absent => (
            "In the ledger, not in the processor’s balance",
            "Look the payment up on the processor’s pages: was it made with a key of another account?",
        ),
        What::Amount => (
            "The sums differ",
            "Compare with the payment on the processor’s pages, and ask its support which is right.",
        ),
        What::Fee => (
            "The fees differ",
            "The ledger keeps the fee that it was told first. Compare with the payment on the processor’s pages.",
        ),
        What::PayoutSum => (
            "A payout is not the sum of what is in it",
            "Open the payout below and compare with the processor’s own report of it.",
        ),
        What::Foreign => (
            "Something that is not for this ledger; nothing of it was booked",
            "Check which keys and webhook addresses are set up with which account, and for test or live money.",
        ),
        What::Refused => (
            "A notice about a donation that could not be booked",
            "Look the payment up on the processor’s pages and see to it there.",
        ),
    }
}
