//! Which unfinished business is to be taken up: what has waited long enough, by the clock or by this process's own patience.
//!
//! Wall clocks step. One that was ahead when an attempt was recorded makes that attempt look young for as long as it was
//! ahead; so what this process itself has seen unfinished for long enough is taken up as well.

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
/// Unfinished business taken up in one round: a round stays short, and the rest has the next.
const ROUND_MAX: usize = 200;

/// What this process knows of unfinished business.
#[derive(Default)]
pub(super) struct Overdue {
    seen: BTreeMap<DonationId, Seen>,
    /// Where the last round ended: those behind it come first, or the first of all would keep the others waiting for ever.
    last: Option<DonationId>,
}

#[derive(Clone, Copy)]
struct Seen {
    attempt: u32,
    since: DateTime<Utc>,
    first: Instant,
}

impl Overdue {
    /// The donations of the next round, out of all that are unfinished with the numbers of their attempts.
    pub(super) fn round(
        &mut self,
        unfinished: impl Iterator<Item = (Unfinished, u32)>,
        now: DateTime<Utc>,
    ) -> Vec<DonationId> {
        let mut before = std::mem::take(&mut self.seen);
        for (Unfinished { donation, since }, attempt) in unfinished {
            let known = before.remove(&donation).filter(|seen| (seen.attempt, seen.since) == (attempt, since));
            let seen = known.unwrap_or_else(|| Seen { attempt, since, first: Instant::now() });
            self.seen.insert(donation, seen);
        }
        let after = self.last.map_or(Unbounded, Excluded);
        let (behind, all) = (self.seen.range((after, Unbounded)), self.seen.iter());
        let until = self.last;
        let rest = all.take_while(|(donation, _)| until.is_some_and(|until| **donation <= until));
        let round: Vec<DonationId> =
            behind.chain(rest).filter(|(_, seen)| seen.is_due(now)).map(|(id, _)| *id).take(ROUND_MAX).collect();
        self.last = round.last().copied();
        round
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

    fn unfinished(number: u128) -> (Unfinished, u32) {
        (Unfinished { donation: DonationId(Uuid::from_u128(number)), since: at(0) }, 1)
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_ahead_does_not_put_off_for_ever() {
        let mut overdue = Overdue::default();
        // Recorded while the clock was a year ahead.
        let now = at(0) - TimeDelta::days(365);
        let mut round = |now| overdue.round([unfinished(1)].into_iter(), now).len();
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
        let (first, _) = unfinished(1);
        overdue.round([(first, 1)].into_iter(), at(0));
        tokio::time::advance(STALE_AFTER).await;
        assert_eq!(overdue.round([(first, 2)].into_iter(), at(0)).len(), 0);
        assert_eq!(overdue.round([(first, 2)].into_iter(), at(45)).len(), 1);
    }

    #[test]
    fn the_first_do_not_keep_the_others_waiting() {
        let mut overdue = Overdue::default();
        let mut taken = std::collections::BTreeSet::new();
        for _ in 0..4 {
            let round = overdue.round((0..650).map(unfinished), at(60));
            assert!(round.len() <= ROUND_MAX);
            taken.extend(round);
        }
        assert_eq!(taken.len(), 650);
    }
}
