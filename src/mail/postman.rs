//! Between the ledger and the mail server: letters that were asked for go out, and what became of them is recorded.
//!
//! A letter that was interrupted, by an end of the line or of the process, is sent again with the same Message-ID: twice is
//! possible where the mail server had taken it, never not at all.

use super::letter::{self, Letter, Writer};
use super::smtp::{self, Line, Server};
use crate::domain::Command;
use crate::domain::id::MailId;
use crate::domain::mail;
use crate::engine::{Engine, Failure};
use chrono::TimeDelta;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// Letters under way at once, each on a line of its own: providers allow some ten connections an account.
const LINES_MAX: usize = 4;
/// Between the starts of two letters: ten a second. Providers' usual limit is 14, and an evening of 20,000 gifts has two.
const PACE: Duration = Duration::from_millis(100);
/// Until a letter that was put off is tried again the first time; twice as long each time after,
const RETRY_FIRST: Duration = Duration::from_secs(10);
/// and this at most.
const RETRY_MAX: Duration = Duration::from_secs(3_600);
/// How long a letter is tried that is put off: RFC 5321 (4.5.4.1) asks for four to five days.
const GIVE_UP: TimeDelta = TimeDelta::days(5);
/// Until a mail server that can't be used is tried again the first time; twice as long each time after,
const REST_FIRST: Duration = Duration::from_secs(5);
/// and this at most: whoever mends the settings or the server sees letters go soon.
const REST_MAX: Duration = Duration::from_secs(300);
/// Tries of a letter whose outcome stays unclear: each may have arrived.
const UNCLEAR_MAX: u32 = 6;
/// How long a line is kept that nothing goes over.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// For letters under way when the server stops; what is cut off is sent again at the next start.
const STOP_MAX: Duration = Duration::from_secs(5);
/// Until what became of a letter is told again to a ledger that is too busy.
const TELL_AGAIN: Duration = Duration::from_millis(500);

/// Carries letters. Cheap to clone.
#[derive(Clone)]
pub struct Postman {
    engine: Engine,
    server: Arc<Server>,
    writer: Arc<Writer>,
}

/// What became of one try.
enum Outcome {
    /// It went, or never will, and that is recorded.
    Done,
    /// It was not handed over: nobody waits for it any more, or nobody can be written to.
    Dropped,
    /// It could not be written: a fault of ours.
    Unwritten,
    /// Try this letter again.
    Later(String),
    /// Try this letter again; it may have arrived.
    Unclear(String),
    /// Try the mail server again.
    Closed(String),
}

struct Tried {
    number: u64,
    line: Option<Line>,
    outcome: Outcome,
}

/// What is to be sent, and when.
#[derive(Default)]
struct Round {
    /// By the time of the next try, then in the order in which they were asked for.
    queue: BTreeSet<(Instant, u64)>,
    /// The first number that was not taken up yet.
    next: u64,
    /// Tries put off, and tries unclear, of letters that had such.
    tries: HashMap<u64, (u32, u32)>,
    /// Tries of a mail server that can't be used.
    closed: u32,
    rest_until: Option<Instant>,
    paced_until: Option<Instant>,
    idle: Vec<Line>,
}

impl Postman {
    /// Between this ledger and this mail server.
    pub fn new(engine: Engine, server: Server, writer: Writer) -> Self {
        Self { engine, server: Arc::new(server), writer: Arc::new(writer) }
    }

    /// Sends what was asked for, at once and as it comes, until shut down.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut newest = self.engine.newest();
        let mut round = Round::default();
        let mut under_way: JoinSet<Tried> = JoinSet::new();
        while !shutdown.is_cancelled() {
            round.take_up(&self.engine);
            let lines_max = if round.closed > 0 { 1 } else { LINES_MAX };
            if under_way.len() < lines_max
                && let Some(number) = round.due()
            {
                under_way.spawn(self.clone().try_one(number, round.idle.pop()));
                continue;
            }
            let wake = if under_way.len() < lines_max { round.wake() } else { None };
            if under_way.is_empty() && wake.is_none_or(|wake| wake > Instant::now() + IDLE_MAX) {
                round.hang_up();
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                Some(tried) = under_way.join_next(), if !under_way.is_empty() => match tried {
                    Ok(tried) => self.note(&mut round, tried).await,
                    // Which one it was is in the ledger: the next start takes it up.
                    Err(error) => tracing::error!(%error, "a letter was dropped by a fault of ours"),
                },
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
                // Each commit wakes everybody who waits for one; a rush is looked at ten times a second.
                true = async { sleep(PACE).await; newest.changed().await.is_ok() } => {}
                else => break,
            }
        }
        round.hang_up();
        let finish = async { while under_way.join_next().await.is_some() {} };
        let _ = timeout(STOP_MAX, finish).await;
    }

    async fn note(&self, round: &mut Round, tried: Tried) {
        let Tried { number, line, outcome } = tried;
        round.idle.extend(line);
        let now = Instant::now();
        let is_answered = matches!(outcome, Outcome::Done | Outcome::Later(_) | Outcome::Unclear(_));
        if is_answered && std::mem::take(&mut round.closed) > 0 {
            tracing::info!("the mail server takes letters again");
        }
        let Some(letter) = self.engine.world().state.mail.waiting(number).cloned() else {
            round.tries.remove(&number);
            return;
        };
        let mail = letter.requested.mail;
        let (later, unclear) = round.tries.get(&number).copied().unwrap_or_default();
        match outcome {
            Outcome::Done | Outcome::Dropped => {}
            Outcome::Unwritten => {
                round.tries.insert(number, (later.saturating_add(1), unclear));
                round.queue.insert((now + doubled(RETRY_FIRST, later, RETRY_MAX), number));
            }
            Outcome::Closed(reason) => {
                let wait = doubled(REST_FIRST, round.closed, REST_MAX);
                round.closed = round.closed.saturating_add(1);
                tracing::warn!(reason, tries = round.closed, "the mail server can't be used; letters wait");
                round.rest_until = Some(now + wait);
                round.queue.insert((now, number));
            }
            Outcome::Later(reason) => {
                if self.engine.clock().now() - letter.at > GIVE_UP {
                    return self.give_up(mail, "the mail server put it off for five days").await;
                }
                tracing::info!(%mail, reason, "a letter was put off");
                round.tries.insert(number, (later.saturating_add(1), unclear));
                round.queue.insert((now + doubled(RETRY_FIRST, later, RETRY_MAX), number));
            }
            Outcome::Unclear(reason) => {
                if unclear.saturating_add(1) >= UNCLEAR_MAX {
                    return self.give_up(mail, "the mail server never said whether it took it").await;
                }
                tracing::warn!(%mail, reason, "it is unclear whether a letter arrived: it is sent again under its name");
                round.tries.insert(number, (later, unclear.saturating_add(1)));
                round.queue.insert((now + doubled(RETRY_FIRST, unclear, RETRY_MAX), number));
            }
        }
    }

    async fn give_up(&self, mail: MailId, reason: &str) {
        tracing::warn!(%mail, reason, "a letter can't be delivered");
        self.tell(mail, Some(reason.into())).await;
    }

    async fn try_one(self, number: u64, line: Option<Line>) -> Tried {
        let (line, outcome) = self.attempt(number, line).await;
        Tried { number, line, outcome }
    }

    async fn attempt(&self, number: u64, line: Option<Line>) -> (Option<Line>, Outcome) {
        let letter = match self.write(number).await {
            Ok(Some(letter)) => letter,
            Ok(None) => return (line, Outcome::Dropped),
            Err(outcome) => return (line, outcome),
        };
        // A mail server ends a line that was quiet for a while, or had its share of letters: that is no trouble of its own.
        if let Some(line) = line {
            let tried = self.hand_over(line, number, &letter).await;
            if !matches!(tried.1, Outcome::Closed(_)) {
                return tried;
            }
        }
        match self.server.open().await {
            Ok(line) => self.hand_over(line, number, &letter).await,
            Err(fault) => (None, outcome_of(fault)),
        }
    }

    async fn hand_over(&self, mut line: Line, number: u64, letter: &Letter) -> (Option<Line>, Outcome) {
        // Whoever was erased while it was written is not written to.
        if self.engine.world().state.mail.waiting(number).is_none() {
            return (Some(line), Outcome::Dropped);
        }
        match line.send(&letter.to, &letter.bytes).await {
            Ok(()) => {
                tracing::debug!(mail = %letter.mail, "a letter was sent");
                self.tell(letter.mail, None).await;
                (Some(line), Outcome::Done)
            }
            Err(smtp::Fault::Refused(reason)) => {
                line.close().await;
                self.give_up(letter.mail, &reason).await;
                (None, Outcome::Done)
            }
            Err(fault) => (None, outcome_of(fault)),
        }
    }

    /// The letter as it goes out; none where nobody waits for it any more.
    async fn write(&self, number: u64) -> Result<Option<Letter>, Outcome> {
        let waiting = self.engine.world().state.mail.waiting(number).cloned();
        let Some(waiting) = waiting else { return Ok(None) };
        let mail = waiting.requested.mail;
        let (writer, engine) = (self.writer.clone(), self.engine.clone());
        let written = tokio::task::spawn_blocking(move || writer.write(&engine, &waiting)).await;
        match written {
            Ok(Ok(letter)) => Ok(Some(letter)),
            Ok(Err(letter::Fault::Gone)) => {
                self.give_up(mail, "what was typed for this donation has been erased").await;
                Ok(None)
            }
            Ok(Err(letter::Fault::Address)) => {
                self.give_up(mail, "mail can't be sent to the address that was typed").await;
                Ok(None)
            }
            Ok(Err(fault)) => {
                tracing::error!(%mail, %fault, "a letter can't be written");
                Err(Outcome::Unwritten)
            }
            Err(error) => {
                tracing::error!(%mail, %error, "a letter can't be written");
                Err(Outcome::Unwritten)
            }
        }
    }

    /// Records what became of a letter. While the ledger is too busy it is told again: a letter that went and of which that is
    /// not known goes twice.
    async fn tell(&self, mail: MailId, failed: Option<String>) {
        loop {
            let (command, key) = match failed.clone() {
                None => (mail::Command::RecordSent { mail }, format!("mail-sent:{mail}")),
                Some(reason) => (mail::Command::RecordFailed { mail, reason }, format!("mail-failed:{mail}")),
            };
            match self.engine.execute(Command::Mail(command), key, "server").await {
                Err(Failure::Overloaded) => sleep(TELL_AGAIN).await,
                // Unknown: somebody who was erased meanwhile.
                Ok(_) | Err(Failure::Refused(_)) => return,
                Err(failure) => {
                    tracing::warn!(%mail, %failure, "what became of a letter was not recorded");
                    return;
                }
            }
        }
    }
}

fn outcome_of(fault: smtp::Fault) -> Outcome {
    match fault {
        smtp::Fault::Closed(reason) => Outcome::Closed(reason),
        smtp::Fault::Later(reason) | smtp::Fault::Refused(reason) => Outcome::Later(reason),
        smtp::Fault::Unclear(reason) => Outcome::Unclear(reason),
    }
}

/// `first`, doubled for each of `times`, and never more than `most`.
fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    let factor = 1_u32.checked_shl(times.min(31)).unwrap_or(u32::MAX);
    first.checked_mul(factor).unwrap_or(most).min(most)
}

impl Round {
    /// Queues what was asked for since the last look.
    fn take_up(&mut self, engine: &Engine) {
        let world = engine.world();
        let now = Instant::now();
        for (number, _) in world.state.mail.waiting_from(self.next) {
            self.queue.insert((now, number));
            self.next = number.saturating_add(1);
        }
    }

    /// Takes the next letter, if one may be sent now.
    fn due(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.wake()? > now {
            return None;
        }
        self.paced_until = Some(now + PACE);
        self.queue.pop_first().map(|(_, number)| number)
    }

    /// When the next letter may be sent.
    fn wake(&self) -> Option<Instant> {
        let (due, _) = self.queue.first()?;
        [self.rest_until, self.paced_until].into_iter().flatten().chain([*due]).max()
    }

    /// Ends lines that nothing goes over: a mail server ends them by itself, and the next letter would find them dead.
    fn hang_up(&mut self) {
        for line in self.idle.drain(..) {
            tokio::spawn(line.close());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        assert_eq!(doubled(RETRY_FIRST, 0, RETRY_MAX), Duration::from_secs(10));
        assert_eq!(doubled(RETRY_FIRST, 3, RETRY_MAX), Duration::from_secs(80));
        for many in [9, 31, 32, u32::MAX] {
            assert_eq!(doubled(RETRY_FIRST, many, RETRY_MAX), RETRY_MAX);
        }
    }
}
