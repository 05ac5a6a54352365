//! How often a processor is called: a token bucket, kept as the instant at which it is full again. Pure: time is an argument,
//! as what has passed since any one instant.

use std::num::NonZeroU32;
use std::time::Duration;

/// Tokens that a bucket holds, as a part of a second's: with the default rate of 20 no second has more than the 25 calls
/// that Stripe takes.
const BURST_PER_SECOND: u32 = 4;

const SECOND: Duration = Duration::from_secs(1);

/// A token bucket: `rate` calls a second, and never more than `rate * t + burst` in any `t` seconds.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// Between two calls.
    every: Duration,
    /// What the bucket holds beyond one token, as time.
    slack: Duration,
    full_at: Duration,
}

impl Pace {
    /// A full bucket; without a rate it is never empty.
    pub(super) fn new(rate: Option<NonZeroU32>) -> Self {
        let Some(rate) = rate.map(NonZeroU32::get) else {
            return Self { every: Duration::ZERO, slack: Duration::ZERO, full_at: Duration::ZERO };
        };
        // Rounded up: a rate is a promise.
        let every = Duration::from_nanos(1_000_000_000_u64.div_ceil(rate.into()));
        let burst = rate.div_ceil(BURST_PER_SECOND);
        Self { every, slack: every.saturating_mul(burst.saturating_sub(1)), full_at: Duration::ZERO }
    }

    /// When the token is there that comes after `before` others.
    pub(super) fn token_at(&self, before: u32, now: Duration) -> Duration {
        let full_at = self.full_at.max(now).saturating_add(self.every.saturating_mul(before));
        full_at.saturating_sub(self.slack).max(now)
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        let is_there = self.token_at(0, now) <= now;
        if is_there {
            self.full_at = self.full_at.max(now).saturating_add(self.every);
        }
        is_there
    }

    /// Takes the next token where it is there within `longest`, and tells how long to wait for it.
    pub(super) fn book(&mut self, longest: Duration, now: Duration) -> Option<Duration> {
        let at = self.token_at(0, now);
        let wait = at.saturating_sub(now);
        if wait > longest {
            return None;
        }
        self.full_at = self.full_at.max(at).saturating_add(self.every);
        Some(wait)
    }

    /// Gives no token before `until`, and then one and not a burst.
    pub(super) fn rest(&mut self, until: Duration) {
        self.full_at = self.full_at.max(until.saturating_add(self.slack));
    }
}

/// How long to rest after a refusal for too many calls: what the processor asked for, within a second and a minute.
pub(super) fn rest_of(retry_after: Option<Duration>) -> Duration {
    retry_after.unwrap_or_default().clamp(SECOND, 60 * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pace(rate: u32) -> Pace {
        Pace::new(NonZeroU32::new(rate))
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_then_one_at_a_time() {
        let mut pace = pace(20);
        let taken = (0..2000).filter(|at| pace.take(ms(*at))).collect::<Vec<_>>();
        assert_eq!(taken[..7], [0, 1, 2, 3, 4, 50, 100]);
        assert_eq!(taken.len(), 5 + 39);
        assert_eq!((pace.token_at(0, ms(2000)), pace.token_at(20, ms(2000))), (ms(2000), ms(3000)));
    }

    #[test]
    fn a_rest_ends_with_one_and_not_a_burst() {
        let mut pace = pace(10);
        pace.rest(ms(5000));
        assert_eq!(pace.token_at(0, ms(0)), ms(5000));
        assert_eq!((0..5500).filter(|at| pace.take(ms(*at))).collect::<Vec<_>>(), [5000, 5100, 5200, 5300, 5400]);
        assert_eq!([None, Some(ms(7)), Some(ms(700_000))].map(rest_of), [ms(1000), ms(1000), ms(60_000)]);
    }

    #[test]
    fn what_is_booked_is_in_order_and_within_patience() {
        let mut pace = pace(2);
        let booked: Vec<_> = (0..4).map(|_| pace.book(ms(1000), ms(0))).collect();
        assert_eq!(booked, [Some(ms(0)), Some(ms(500)), Some(ms(1000)), None]);
        assert_eq!(pace.book(ms(1000), ms(600)), Some(ms(900)));
    }

    #[test]
    fn without_a_rate_only_a_rest_holds_it_up() {
        let mut pace = Pace::new(None);
        assert!((0..1000).all(|_| pace.take(ms(1))));
        pace.rest(ms(10));
        assert!(!pace.take(ms(9)) && pace.take(ms(10)) && pace.take(ms(10)));
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_the_burst(
            rate in 1..1000_u32,
            steps in prop::collection::vec((0..400_000_000_u64, 1..60_usize, prop::bool::weighted(0.05)), 1..80),
        ) {
            let mut pace = pace(rate);
            let (mut now, mut taken) = (Duration::ZERO, vec![]);
            for (step, asks, rests) in steps {
                now += Duration::from_nanos(step);
                if rests {
                    pace.rest(now + ms(300));
                }
                taken.extend((0..asks).filter(|_| pace.take(now)).map(|_| now));
            }
            let burst = u128::from(rate.div_ceil(BURST_PER_SECOND));
            for (number, begin) in taken.iter().enumerate() {
                for (end, count) in taken[number..].iter().zip(1_u128..) {
                    let window = (*end - *begin).as_nanos();
                    prop_assert!(count <= burst + window * u128::from(rate) / 1_000_000_000, "{count} in {window} ns");
                }
            }
        }
    }
}
