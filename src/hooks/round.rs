//! What one receiver is still to be told, and what comes next: of each donation one message at a time, in their order.

use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashSet};
use tokio::time::Instant;
use uuid::Uuid;

/// A message that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    /// What it is about: a donation, or a recurring gift.
    pub(super) subject: Uuid,
    /// When it is tried next.
    pub(super) due: Instant,
    /// Tries so far.
    pub(super) tries: u32,
    /// Since when it waits.
    pub(super) since: DateTime<Utc>,
    /// Whether it is being tried.
    pub(super) under_way: bool,
}

/// What waits, by the numbers of events.
#[derive(Debug, Default)]
pub(super) struct Round {
    pending: BTreeMap<u64, Pending>,
}

impl Round {
    /// One more waits.
    pub(super) fn add(&mut self, seq: u64, subject: Uuid, since: DateTime<Utc>) {
        let fresh = Pending { subject, due: Instant::now(), tries: 0, since, under_way: false };
        self.pending.entry(seq).or_insert(fresh);
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// The events that are to be told.
    pub(super) fn seqs(&self) -> impl Iterator<Item = u64> {
        self.pending.keys().copied()
    }

    /// This one, to change it.
    pub(super) fn get_mut(&mut self, seq: u64) -> Option<&mut Pending> {
        self.pending.get_mut(&seq)
    }

    /// It was taken, or is given up.
    pub(super) fn remove(&mut self, seq: u64) {
        self.pending.remove(&seq);
    }

    /// All may be tried at once.
    pub(super) fn hurry(&mut self) {
        let now = Instant::now();
        self.pending.values_mut().for_each(|pending| pending.due = now);
    }

    /// Those that are first of what they are about, and not under way.
    fn first(&self) -> impl Iterator<Item = (u64, &Pending)> {
        let mut seen = HashSet::new();
        let first = self.pending.iter().filter(move |(_, pending)| seen.insert(pending.subject));
        first.filter(|(_, pending)| !pending.under_way).map(|(seq, pending)| (*seq, pending))
    }

    /// Takes the next, if one may be tried now.
    pub(super) fn take(&mut self, now: Instant) -> Option<u64> {
        let (seq, _) = self.first().find(|(_, pending)| pending.due <= now)?;
        self.get_mut(seq)?.under_way = true;
        Some(seq)
    }

    /// When the next may be tried.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.first().map(|(_, pending)| pending.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn donation(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[tokio::test]
    async fn a_donation_is_told_in_order_and_waits_for_no_other() {
        let (mut round, at) = (Round::default(), DateTime::from_timestamp(1_900_000_000, 0).unwrap());
        for (seq, subject) in [(1, 7), (2, 8), (3, 7), (4, 9)] {
            round.add(seq, donation(subject), at);
        }
        let now = Instant::now();
        assert_eq!(
            [round.take(now), round.take(now), round.take(now), round.take(now)],
            [Some(1), Some(2), Some(4), None]
        );
        assert_eq!(round.wake(), None);
        // The first was not taken: what is about the same donation waits with it.
        let later = now + Duration::from_secs(60);
        let first = round.get_mut(1).unwrap();
        (first.under_way, first.due) = (false, later);
        assert_eq!((round.take(now), round.wake()), (None, Some(later)));
        round.remove(2);
        round.remove(1);
        assert_eq!(round.take(now), Some(3));
        assert_eq!(round.seqs().collect::<Vec<_>>(), [3, 4]);
    }

    #[tokio::test]
    async fn all_may_hurry() {
        let (mut round, at) = (Round::default(), DateTime::from_timestamp(1_900_000_000, 0).unwrap());
        round.add(1, donation(1), at);
        round.get_mut(1).unwrap().due = Instant::now() + Duration::from_secs(3_600);
        assert_eq!(round.take(Instant::now()), None);
        round.hurry();
        assert_eq!((round.take(Instant::now()), round.len()), (Some(1), 1));
    }
}
