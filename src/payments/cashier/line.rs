//! The line before the processor: who is called next, and who stands where. Pure: time is an argument.
//!
//! An attempt stands in it once, from before it is recorded until its outcome is; so no two calls are made for it at a time.

use crate::domain::id::DonationId;
use crate::payments::pace::Pace;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::num::NonZeroU32;
use std::time::Duration;

/// A donation and the number of an attempt to pay it.
pub(super) type Attempt = (DonationId, u32);

/// The longest line, as the time it takes: a token for a card lives twelve hours, an idempotency key a day, and nobody waits
/// longer.
const LINE_SECONDS_MAX: u32 = 1800;
/// The longest line before a processor without a rate, which only fills while it asks us to rest.
const LINE_MAX: usize = 36_000;
/// Calls under way, as the time that the rate takes for as many: banks answer within a second, some in five. While the
/// processor hangs, the others keep their places instead of hanging too.
const CALLS_SECONDS_MAX: u32 = 5;
/// Departures by which the line's real speed is told.
const LEFT_MAX: usize = 32;

/// Where somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Those before them whose payment is not through.
    pub(super) ahead: u32,
    /// Until their own is begun; at least 1.
    pub(super) seconds: u32,
}

/// A place in the line. The number only rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    number: u64,
    pub(super) attempt: Attempt,
    /// Whether nobody was ever asked for this attempt. A processor that turns a call away says nothing of the calls before
    /// it: only where there was none is it clear that nothing was taken.
    pub(super) untried: bool,
}

/// What the line has for whoever serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This one now.
    Call(Ticket),
    /// Somebody, after so long.
    After(Duration),
    /// Nobody, until something moves.
    Nobody,
}

/// Why an attempt can't be taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It stands there already.
    Here,
    /// The line is as long as it may be.
    Full,
}

enum At {
    /// About to be recorded.
    Door,
    Waiting(u64),
    Called(u64),
}

/// The line.
pub(super) struct Line {
    pace: Pace,
    line_max: usize,
    calls_max: usize,
    here: HashMap<Attempt, At>,
    /// By number.
    waiting: VecDeque<Ticket>,
    /// Numbers of calls under way.
    called: BTreeSet<u64>,
    given: u64,
    /// When the last ones went from the line to the processor; none from before it was empty or rested.
    left: VecDeque<Duration>,
}

impl Line {
    /// An empty line before a processor that takes so many calls a second.
    pub(super) fn new(rate: Option<NonZeroU32>) -> Self {
        let in_seconds = |seconds: u32, without| {
            rate.map_or(without, |rate| usize::try_from(rate.get().saturating_mul(seconds)).unwrap_or(without))
        };
        Self {
            pace: Pace::new(rate),
            line_max: in_seconds(LINE_SECONDS_MAX, LINE_MAX),
            calls_max: in_seconds(CALLS_SECONDS_MAX, LINE_MAX),
            here: HashMap::new(),
            waiting: VecDeque::new(),
            called: BTreeSet::new(),
            given: 0,
            left: VecDeque::new(),
        }
    }

    /// Keeps a place free for an attempt that is about to be recorded.
    pub(super) fn hold(&mut self, attempt: Attempt) -> Result<(), Refused> {
        if self.here.contains_key(&attempt) {
            return Err(Refused::Here);
        }
        if self.waiting.len() >= self.line_max {
            return Err(Refused::Full);
        }
        self.here.insert(attempt, At::Door);
        Ok(())
    }

    /// Lets in whom a place was kept for; their ticket, where they are called at once.
    pub(super) fn enter(&mut self, attempt: Attempt, untried: bool, now: Duration) -> Option<Ticket> {
        self.wait(attempt, untried);
        // Those who wait come first.
        match self.waiting.len() {
            1 => self.call(now),
            _ => None,
        }
    }

    /// Puts whom a place was kept for at the end.
    pub(super) fn wait(&mut self, attempt: Attempt, untried: bool) {
        self.given = self.given.saturating_add(1);
        let ticket = Ticket { number: self.given, attempt, untried };
        self.here.insert(attempt, At::Waiting(ticket.number));
        self.waiting.push_back(ticket);
    }

    /// Whom to call.
    pub(super) fn next(&mut self, now: Duration) -> Next {
        if self.waiting.is_empty() || self.called.len() >= self.calls_max {
            return Next::Nobody;
        }
        match self.call(now) {
            Some(ticket) => Next::Call(ticket),
            None => Next::After(self.pace.token_at(0, now).saturating_sub(now)),
        }
    }

    fn call(&mut self, now: Duration) -> Option<Ticket> {
        if self.called.len() >= self.calls_max || !self.pace.take(now) {
            return None;
        }
        let ticket = self.waiting.pop_front()?;
        self.here.insert(ticket.attempt, At::Called(ticket.number));
        self.called.insert(ticket.number);
        if self.left.len() >= LEFT_MAX {
            self.left.pop_front();
        }
        self.left.push_back(now);
        if self.waiting.is_empty() {
            self.left.clear();
        }
        Some(ticket)
    }

    /// Puts a called one back where it stood, and lets everybody rest.
    pub(super) fn put_back(&mut self, ticket: Ticket, rest: Duration, now: Duration) {
        self.called.remove(&ticket.number);
        let place = self.waiting.partition_point(|other| other.number < ticket.number);
        self.waiting.insert(place, ticket);
        self.here.insert(ticket.attempt, At::Waiting(ticket.number));
        self.pace.rest(now.saturating_add(rest));
        self.left.clear();
    }

    /// An attempt is through, or was never recorded.
    pub(super) fn leave(&mut self, attempt: Attempt) {
        if let Some(At::Called(number)) = self.here.remove(&attempt) {
            self.called.remove(&number);
        }
    }

    /// Whether an attempt stands here, waits or is called.
    pub(super) fn is_here(&self, attempt: Attempt) -> bool {
        self.here.contains_key(&attempt)
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Where an attempt stands that waits.
    pub(super) fn place(&self, attempt: Attempt, now: Duration) -> Option<Place> {
        let Some(At::Waiting(number)) = self.here.get(&attempt) else { return None };
        let waiting = self.waiting.partition_point(|other| other.number < *number);
        let called = self.called.range(..number).count();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let by_rate = self.pace.token_at(count(waiting), now).saturating_sub(now);
        // Where the processor is slower than its rate, the line moves as it has moved.
        let by_sight = self.left.front().and_then(|first| {
            let each = now.saturating_sub(*first).checked_div(count(self.left.len()))?;
            Some(each.saturating_mul(count(waiting.saturating_add(1))))
        });
        let wait = by_rate.max(by_sight.unwrap_or_default());
        let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1);
        Some(Place { ahead: count(waiting.saturating_add(called)), seconds })
    }
}

#[cfg(test)]
mod tests;
