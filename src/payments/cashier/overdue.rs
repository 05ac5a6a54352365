//! Which unfinished business is to be taken up: what has waited long enough, by the clock or by this process's own patience.
//! A charge goes back into the line, where one that stands there stays; the processor is asked outright for the rest.
//!
//! Wall clocks step. One that was ahead when an attempt was recorded makes that attempt look young for as long as it was
//! ahead; so what this process itself has seen unfinished for long enough is taken up as well.

use super::line::Attempt;
use crate::domain::donation::Donation;
use crate::domain::id::DonationId;
use crate::projections::ledger::Unfinished;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Duration;
use tokio::time::Instant;

/// An attempt younger than this is still with the request that made it.
const STALE_AFTER: Duration = Duration::from_secs(45);
/// Processors forget idempotency keys after a day: an attempt or refund older than this is not asked for again, since that
/// could take the money twice. `/finance/reconciliation` lists it for a person, who looks at the
/// processor's own pages.
pub const LOST_AFTER: Duration = Duration::from_secs(23 * 3600);
/// Donations that are asked for outright in one round: a round stays short, and the rest has the next. Charges have a line.
const ROUND_MAX: usize = 200;

/// What this process knows of unfinished business.
#[derive(Default)]
pub(super) struct Overdue {
    seen: BTreeMap<DonationId, Seen>,
    /// Where the last round ended: those behind it come first, or the first of all would keep the others waiting for ever.
    last: Option<DonationId>,
}

/// A donation with something unfinished.
pub(super) struct Open {
    unfinished: Unfinished,
    /// The number of its last attempt.
    attempt: u32,
    /// Whether that has no name yet, so that only its charge can be asked for again.
    is_charge: bool,
    /// Whether it has a payment with a name, a page of the processor's own, or a refund, to be asked for.
    is_ask: bool,
}

impl Open {
    pub(super) fn new(unfinished: Unfinished, known: &Donation) -> Self {
        let in_flight = known.in_flight.as_deref();
        let is_named = in_flight.is_some_and(|attempt| attempt.payment.is_some() || attempt.is_at_checkout());
        Self {
            unfinished,
            attempt: known.attempts,
            is_charge: in_flight.is_some() && !is_named,
            is_ask: is_named || known.waiting_refunds().next().is_some(),
        }
    }
}

/// What is to be taken up.
#[derive(Default)]
pub(super) struct Due {
    /// In the order in which they were recorded.
    pub(super) charges: Vec<Attempt>,
    /// At most [`ROUND_MAX`].
    pub(super) asks: Vec<DonationId>,
}

#[derive(Clone, Copy)]
struct Seen {
    attempt: u32,
    since: DateTime<Utc>,
    first: Instant,
    is_ask: bool,
}

impl Overdue {
    /// The next round, out of all that is unfinished.
    pub(super) fn round(&mut self, open: impl Iterator<Item = Open>, now: DateTime<Utc>) -> Due {
        let mut before = std::mem::take(&mut self.seen);
        let mut charges = vec![];
        for Open { unfinished: Unfinished { donation, seq, since }, attempt, is_charge, is_ask } in open {
            let known = before.remove(&donation).filter(|seen| (seen.attempt, seen.since) == (attempt, since));
            let first = known.map_or_else(Instant::now, |seen| seen.first);
            let seen = Seen { attempt, since, first, is_ask };
            if is_charge && seen.is_due(now) {
                charges.push((seq, (donation, attempt)));
            }
            self.seen.insert(donation, seen);
        }
        charges.sort_unstable_by_key(|(seq, _)| *seq);
        let after = self.last.map_or(Unbounded, Excluded);
        let (behind, all) = (self.seen.range((after, Unbounded)), self.seen.iter());
        let until = self.last;
        let rest = all.take_while(|(donation, _)| until.is_some_and(|until| **donation <= until));
        let due = behind.chain(rest).filter(|(_, seen)| seen.is_ask && seen.is_due(now));
        let asks: Vec<DonationId> = due.map(|(id, _)| *id).take(ROUND_MAX).collect();
        self.last = asks.last().copied();
        Due { charges: charges.into_iter().map(|(_, attempt)| attempt).collect(), asks }
    }
}

impl Seen {
    fn is_due(&self, now: DateTime<Utc>) -> bool {
        // None where the clock was ahead.
        let by_clock = (now - self.since).to_std().unwrap_or_default();
        let age = by_clock.max(self.first.elapsed());
        (STALE_AFTER..LOST_AFTER).contains(&age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use uuid::Uuid;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    /// Something to be asked for outright; a charge where its number is odd.
    fn open(number: u128) -> Open {
        let donation = DonationId(Uuid::from_u128(number));
        // The later in the order of names, the earlier recorded.
        let unfinished = Unfinished { donation, seq: 5000 - u64::try_from(number).unwrap(), since: at(0) };
        Open { unfinished, attempt: 1, is_charge: number % 2 == 1, is_ask: number.is_multiple_of(2) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_ahead_does_not_put_off_for_ever() {
        let mut overdue = Overdue::default();
        // Recorded while the clock was a year ahead.
        let now = at(0) - TimeDelta::days(365);
        let mut round = |now| overdue.round([open(2)].into_iter(), now).asks.len();
        assert_eq!(round(now), 0);
        tokio::time::advance(Duration::from_secs(44)).await;
        assert_eq!(round(now), 0, "young by both");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(round(now), 1);
        assert_eq!(round(at(44)), 1, "and by either");
        assert_eq!(round(at(0) + LOST_AFTER), 0, "too old for the processor's memory");
    }

    #[tokio::test(start_paused = true)]
    async fn another_attempt_is_young_again() {
        let mut overdue = Overdue::default();
        let attempt = |attempt| [Open { attempt, ..open(1) }].into_iter();
        overdue.round(attempt(1), at(0));
        tokio::time::advance(STALE_AFTER).await;
        assert_eq!(overdue.round(attempt(2), at(0)).charges, []);
        assert_eq!(overdue.round(attempt(2), at(45)).charges, [(DonationId(Uuid::from_u128(1)), 2)]);
    }

    #[test]
    fn the_first_do_not_keep_the_others_waiting() {
        let mut overdue = Overdue::default();
        let mut taken = std::collections::BTreeSet::new();
        for _ in 0..4 {
            let round = overdue.round((0..650).map(|number| open(number * 2)), at(60));
            assert!(round.asks.len() <= ROUND_MAX && round.charges.is_empty());
            taken.extend(round.asks);
        }
        assert_eq!(taken.len(), 650);
    }

    #[test]
    fn charges_go_back_into_the_line_all_at_once_and_in_the_order_in_which_they_were_recorded() {
        let mut overdue = Overdue::default();
        let charges = overdue.round((0..999).map(open), at(60)).charges;
        let recorded: Vec<_> = (0..999).filter(|number| number % 2 == 1).rev().collect();
        assert_eq!(charges.iter().map(|(donation, _)| donation.0.as_u128()).collect::<Vec<_>>(), recorded);
    }
}
