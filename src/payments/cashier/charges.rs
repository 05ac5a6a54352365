//! The one way to a charge: recorded, in line, called, recorded again.
//!
//! Whoever presses the button is called at once where nobody waits, and stands in line otherwise. What is recorded and not
//! asked for, or asked for and not answered, comes back into the line: at a start in the order in which it was recorded, and
//! later where [`super::overdue`] says so. Each call has its attempt's own key, so that coming back charges nobody twice.

use super::line::{Attempt, Line, Next, Place, Refused, Ticket};
use super::{Cashier, LOST_AFTER, Standing, Trouble, repeats_of};
use crate::domain::donation;
use crate::domain::id::DonationId;
use crate::payments::pace::rest_of;
use crate::payments::{Charge, Fault, Outcome, charge_key};
use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

/// How long somebody who is called, or will be in this time, waits for the outcome itself rather than for a place in line.
const MOMENT: Duration = Duration::from_secs(3);

/// Outcomes that are kept for whoever looks at waves of declined cards; a wave is told by less.
const HEARD_MAX: usize = 1_000;

/// The line, and those who wait for it to move.
pub(super) struct Till {
    line: Mutex<Line>,
    /// Times in the line are since then.
    born: Instant,
    /// For whoever serves: somebody came, or a call ended.
    moved: Notify,
    /// For those who wait for an outcome.
    through: Notify,
    /// Whether cards were declined whose donors were told their place.
    heard: Mutex<Vec<bool>>,
}

/// A place kept free; it is given up with this value.
pub(super) struct Held<'a> {
    till: &'a Till,
    attempt: Attempt,
}

/// One call; with this value the attempt leaves the line.
struct Turn<'a> {
    till: &'a Till,
    ticket: Ticket,
    /// Where it was refused: how long everybody rests.
    refused: Option<Duration>,
}

impl Till {
    pub(super) fn new(rate: Option<NonZeroU32>) -> Self {
        Self {
            line: Mutex::new(Line::new(rate)),
            born: Instant::now(),
            moved: Notify::new(),
            through: Notify::new(),
            heard: Mutex::default(),
        }
    }

    /// Keeps a place for an attempt that is about to be recorded, so that its first call is known to be the first.
    pub(super) fn hold(&self, attempt: Attempt) -> Result<Held<'_>, Refused> {
        self.line.lock().hold(attempt).map(|()| Held { till: self, attempt })
    }

    fn enter(&self, held: Held<'_>, untried: bool) -> Option<Turn<'_>> {
        let ticket = self.line.lock().enter(held.attempt, untried, self.born.elapsed());
        // It stands in the line now, or is called.
        std::mem::forget(held);
        self.moved.notify_one();
        ticket.map(|ticket| Turn { till: self, ticket, refused: None })
    }

    /// Puts an attempt into the line that was recorded before, unless it stands there or there is no room.
    pub(super) fn take_back(&self, attempt: Attempt) {
        let mut line = self.line.lock();
        if line.hold(attempt).is_ok() {
            line.wait(attempt, false);
            self.moved.notify_one();
        }
    }

    /// Where an attempt stands that waits.
    pub(super) fn place(&self, attempt: Attempt) -> Option<Place> {
        self.line.lock().place(attempt, self.born.elapsed())
    }

    async fn is_through(&self, attempt: Attempt) {
        loop {
            let through = self.through.notified();
            if !self.line.lock().is_here(attempt) {
                return;
            }
            through.await;
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.till.line.lock().leave(self.attempt);
        self.till.through.notify_waiters();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut line = self.till.line.lock();
        match self.refused {
            Some(rest) => line.put_back(self.ticket, rest, self.till.born.elapsed()),
            None => line.leave(self.ticket.attempt),
        }
        self.till.moved.notify_one();
        self.till.through.notify_waiters();
    }
}

impl Cashier {
    /// Records an attempt and has it charged.
    pub(super) async fn begin(
        &self,
        attempt: Attempt,
        command: donation::Command,
        by: &str,
    ) -> Result<Standing, Trouble> {
        let held = self.till.hold(attempt);
        if matches!(held, Err(Refused::Full)) {
            return Err(Trouble::LineFull);
        }
        let (donation, number) = attempt;
        let told = self.tell(command, format!("pay:{donation}:{number}"), by).await?;
        match held {
            Ok(held) => self.charge(held, !told.repeated).await,
            Err(Refused::Here | Refused::Full) => self.wait(attempt).await,
        }
    }

    /// Has an attempt charged whose place is kept: at once, or when it is its turn.
    pub(super) async fn charge(&self, held: Held<'_>, untried: bool) -> Result<Standing, Trouble> {
        let attempt = held.attempt;
        match self.till.enter(held, untried) {
            Some(turn) => self.call(turn).await,
            None => self.wait(attempt).await,
        }
    }

    /// What to tell whoever asks for an attempt that stands in line.
    pub(super) async fn wait(&self, attempt: Attempt) -> Result<Standing, Trouble> {
        let place = self.till.place(attempt);
        if place.is_none_or(|place| Duration::from_secs(place.seconds.into()) < MOMENT) {
            let _ = timeout(MOMENT, self.till.is_through(attempt)).await;
        }
        self.look(attempt.0).await
    }

    /// Takes up what a process before this one left, in the order in which it was recorded.
    pub(super) fn take_back_all(&self, now: DateTime<Utc>) {
        let world = self.engine.world();
        let young = world.ledger.unfinished().filter(|unfinished| !is_lost(unfinished.since, now));
        let unnamed = young.filter_map(|unfinished| {
            let known = world.state.donations.get(unfinished.donation)?;
            let attempt = known.in_flight.as_deref().filter(|_| known.committee == self.committee)?;
            (attempt.payment.is_none() && !attempt.is_at_checkout())
                .then_some((unfinished.seq, (unfinished.donation, attempt.number)))
        });
        let mut unnamed: Vec<_> = unnamed.collect();
        unnamed.sort_unstable_by_key(|(seq, _)| *seq);
        unnamed.into_iter().for_each(|(_, attempt)| self.till.take_back(attempt));
    }

    /// Calls those who wait, each at its turn, until dropped; or until nobody waits any more.
    pub(super) async fn serve(&self, until_empty: bool) {
        let mut calls = FuturesUnordered::new();
        loop {
            let next = {
                let mut line = self.till.line.lock();
                match line.next(self.till.born.elapsed()) {
                    Next::Nobody if until_empty && line.is_empty() && calls.is_empty() => return,
                    next @ (Next::Call(_) | Next::After(_) | Next::Nobody) => next,
                }
            };
            let wait = match next {
                Next::Call(ticket) => {
                    calls.push(self.serve_one(Turn { till: &self.till, ticket, refused: None }));
                    continue;
                }
                Next::After(wait) => Some(wait),
                Next::Nobody => None,
            };
            tokio::select! {
                biased;
                Some(()) = calls.next() => {}
                () = self.till.moved.notified() => {}
                () = sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            }
        }
    }

    async fn serve_one(&self, turn: Turn<'_>) {
        let (donation, _) = turn.ticket.attempt;
        let declined = match self.call(turn).await {
            Ok(Standing::Open { .. }) => true,
            Ok(Standing::Action { .. } | Standing::Settled) => false,
            Ok(
                Standing::InLine { .. }
                | Standing::Processing
                | Standing::Checkout { .. }
                | Standing::Held
                | Standing::TurnedAway,
            ) => return,
            Err(trouble) => {
                tracing::warn!(%donation, %trouble, "a payment's outcome is still not known");
                return;
            }
        };
        let mut heard = self.till.heard.lock();
        if heard.len() < HEARD_MAX {
            heard.push(declined);
        }
    }

    /// Whether cards were declined that were called from the line, since this was asked before.
    pub fn heard_in_line(&self) -> Vec<bool> {
        std::mem::take(&mut *self.till.heard.lock())
    }

    async fn call(&self, mut turn: Turn<'_>) -> Result<Standing, Trouble> {
        let (donation, _) = turn.ticket.attempt;
        let Some(charge) = self.charge_of(turn.ticket.attempt) else { return Ok(self.standing(donation)) };
        let answer = self.processor.charge(&charge).await;
        let fault = match self.heard(donation, answer).await {
            Ok(outcome) => return self.record(donation, outcome).await,
            Err(fault) => fault,
        };
        match &fault {
            Fault::Throttled { retry_after } => {
                let rest = rest_of(*retry_after);
                tracing::warn!(%donation, rest_s = rest.as_secs(), "the processor wants fewer calls: the line rests");
                turn.refused = Some(rest);
                drop(turn);
                return Ok(self.standing(donation));
            }
            Fault::Unknown { .. } | Fault::NotOurs { .. } => {
                // Nobody knows whether it happened: it stays in flight, and is asked for again with the same key.
                tracing::warn!(%donation, %fault, "the processor gave no clear answer");
                return Ok(Standing::Processing);
            }
            // This call did nothing, and of one before it nothing is said.
            Fault::Barred { .. } if !turn.ticket.untried => {
                tracing::warn!(%donation, %fault, "the processor gave no clear answer");
                return Ok(Standing::Processing);
            }
            Fault::Barred { .. } | Fault::Rejected { .. } => {}
        }
        // Nothing happened: the attempt ends, and the donor may try again.
        tracing::error!(%donation, %fault, "the processor took no payment");
        let reason = "The payment company did not accept this. Nothing was charged; try again, or use another card.";
        let outcome =
            Outcome::Declined { payment: None, code: "not_taken".into(), reason: reason.into(), fingerprint: None };
        self.record(donation, outcome).await
    }

    /// What the processor is asked for an attempt; nothing where it is over, has a name, or the key may be forgotten.
    fn charge_of(&self, (donation, number): Attempt) -> Option<Charge> {
        let world = self.engine.world();
        let known = world.state.donations.get(donation)?;
        let attempt =
            known.in_flight.as_deref().filter(|attempt| (attempt.number, &attempt.payment) == (number, &None))?;
        if attempt.method == donation::CHECKOUT {
            return None;
        }
        let since = world.ledger.unfinished_since(donation)?;
        if is_lost(since, self.engine.clock().now()) {
            return None;
        }
        let rally = world.state.rallies.get(known.rally)?.details.slug.clone();
        let (key, method) = (charge_key(donation, number), attempt.method.clone());
        let repeats = repeats_of(&world, donation, attempt);
        Some(Charge { donation, amount: known.amount, key, method, rally, repeats })
    }

    /// Where a donation's attempt in flight stands in line.
    pub(super) fn place(&self, donation: DonationId, number: u32) -> Option<Standing> {
        let Place { ahead, seconds } = self.till.place((donation, number))?;
        Some(Standing::InLine { ahead, seconds })
    }
}

fn is_lost(since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    (now - since).to_std().is_ok_and(|age| age >= LOST_AFTER)
}
