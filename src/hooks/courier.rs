//! Between the ledger and one receiver: messages go out as the log grows, and how far that came is recorded at intervals.

use super::call::{self, Call};
use super::message::{self, Item};
use super::round::Round;
use super::{Failing, Settings, Standings, secret};
use crate::domain::Command;
use crate::domain::hook::{Advanced, Command as Hooks, GaveUp, Hook, WAITING_MAX, sealed_for};
use crate::domain::id::HookId;
use crate::domain::seals::HOOK_CREDENTIALS;
use crate::engine::{Engine, Failure};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Messages under way at once: an evening of 20,000 gifts goes out in minutes, and no receiver is flooded.
const LANES_MAX: usize = 4;
/// The longest wait between two tries of a message.
const RETRY_MAX: Duration = Duration::from_secs(3_600);
/// The longest rest of a receiver that takes nothing: whoever mends it sees messages come soon.
const REST_MAX: Duration = Duration::from_secs(300);
/// Failures in a row from which on it is the receiver, and not a message.
const FAILURES: u32 = 2;
/// How long a message is tried,
const GIVE_UP: TimeDelta = TimeDelta::days(3);
/// and for how long at least after a start.
const GIVE_UP_AFTER_START: TimeDelta = TimeDelta::hours(1);
/// Between two records of how far a receiver is: after a crash it is told again what came since.
const ADVANCE_EVERY: Duration = Duration::from_secs(60);
/// Deliveries after which that is recorded sooner.
const ADVANCE_DELIVERIES: usize = 500;
/// Each commit wakes everybody who waits for one; a rush is looked at five times a second.
const PACE: Duration = Duration::from_millis(200);
/// For messages under way when the server stops.
const STOP_MAX: Duration = Duration::from_secs(5);
/// Each wait is shortened by up to a quarter, so that receivers of one service are not called as one.
const JITTER_QUARTERS: u32 = 4;

/// Tells one receiver.
pub(super) struct Courier {
    hook: HookId,
    engine: Engine,
    settings: Settings,
    standings: Standings,
    round: Round,
    /// Which replay the round is of.
    replays: u32,
    /// Up to which event it has been filled.
    scanned: u64,
    /// Messages that are given up.
    dead: BTreeSet<u64>,
    /// Deliveries that no record counts yet.
    unrecorded: usize,
    recorded_at: Instant,
    begun: DateTime<Utc>,
    failures: u32,
    rest_until: Option<Instant>,
}

struct Tried {
    seq: u64,
    replays: u32,
    outcome: Result<(), String>,
}

impl Courier {
    /// For this receiver.
    pub(super) fn new(hook: HookId, engine: Engine, settings: Settings, standings: Standings) -> Self {
        Self {
            hook,
            begun: engine.clock().now(),
            engine,
            settings,
            standings,
            round: Round::default(),
            replays: 0,
            scanned: 0,
            dead: BTreeSet::new(),
            unrecorded: 0,
            recorded_at: Instant::now(),
            failures: 0,
            rest_until: None,
        }
    }

    /// Tells it what happens, until it is to leave or the receiver is forgotten.
    pub(super) async fn run(mut self, leave: CancellationToken) {
        let mut newest = self.engine.newest();
        let mut under_way: JoinSet<Tried> = JoinSet::new();
        if let Some(hook) = self.hook() {
            self.begin(&hook);
        }
        while !leave.is_cancelled() {
            let Some(hook) = self.hook() else { break };
            if hook.replays != self.replays {
                self.begin(&hook);
            }
            let more = self.take_up(&hook);
            self.record(&hook, false).await;
            let lanes = if self.failures >= FAILURES { 1 } else { LANES_MAX };
            let now = Instant::now();
            let rests = self.rest_until.is_some_and(|until| until > now);
            if under_way.len() < lanes
                && !rests
                && let Some(seq) = self.round.take(now)
            {
                under_way.spawn(attempt(self.engine.clone(), self.settings.clone(), hook, seq));
                continue;
            }
            if more {
                tokio::task::yield_now().await;
                continue;
            }
            let wake = if under_way.len() < lanes { self.wake() } else { None };
            tokio::select! {
                () = leave.cancelled() => {}
                Some(tried) = under_way.join_next(), if !under_way.is_empty() => match tried {
                    Ok(tried) => self.note(tried).await,
                    // Which one it was is not recorded as told: the next start takes it up.
                    Err(error) => tracing::error!(%error, "a webhook was dropped by a fault of ours"),
                },
                () = sleep_until(wake.unwrap_or(now)), if wake.is_some() => {}
                () = sleep_until(self.recorded_at + ADVANCE_EVERY), if self.unrecorded > 0 => {}
                true = async { sleep(PACE).await; newest.changed().await.is_ok() } => {}
                else => break,
            }
        }
        let finish = async {
            while let Some(tried) = under_way.join_next().await {
                if let Ok(tried) = tried {
                    self.note(tried).await;
                }
            }
        };
        let _ = timeout(STOP_MAX, finish).await;
        if let Some(hook) = self.hook() {
            self.record(&hook, true).await;
        }
        self.standings.clear(self.hook);
    }

    fn hook(&self) -> Option<Hook> {
        self.engine.world().state.hooks.get(self.hook).cloned()
    }

    /// Begins where the log says that the receiver is.
    fn begin(&mut self, hook: &Hook) {
        self.round = Round::default();
        (self.replays, self.scanned, self.unrecorded) = (hook.replays, hook.through, 0);
        self.dead = hook.dead.keys().copied().collect();
        let world = self.engine.world();
        for (seq, since) in &hook.waiting {
            if let Some(item) = message::item(&world, *seq) {
                self.round.add(*seq, item.subject, *since);
            }
        }
    }

    /// Fills the round: with dead letters that are tried once more, and with what happened since. Whether there is more to look
    /// at at once: a replay looks through many rows, a part at a time.
    fn take_up(&mut self, hook: &Hook) -> bool {
        let world = self.engine.world();
        let now = self.engine.clock().now();
        let risen: Vec<u64> = self.dead.iter().copied().filter(|seq| !hook.dead.contains_key(seq)).collect();
        for seq in risen {
            self.dead.remove(&seq);
            if let Some(item) = message::item(&world, seq).filter(|_| hook.waiting.contains_key(&seq)) {
                self.round.add(seq, item.subject, now);
            }
        }
        let room = WAITING_MAX.saturating_sub(self.round.len());
        if room > 0 && self.scanned < world.seq {
            let (items, scanned) = message::items(&world, &hook.added.kinds, self.scanned, room);
            let fresh = items.into_iter().filter(|item| !hook.dead.contains_key(&item.seq));
            fresh.for_each(|Item { seq, subject, .. }| self.round.add(seq, subject, now));
            self.scanned = scanned;
        }
        let waiting = self.round.len();
        self.standings.change(self.hook, |standing| standing.waiting = waiting);
        waiting < WAITING_MAX && self.scanned < world.seq
    }

    fn wake(&self) -> Option<Instant> {
        let due = self.round.wake()?;
        Some(self.rest_until.map_or(due, |until| until.max(due)))
    }

    /// Records how far the receiver is, where that is due: only after something was told, or the log would grow by itself.
    async fn record(&mut self, hook: &Hook, now: bool) {
        let waits_for_long = self.failures > 0 && !self.round.seqs().eq(hook.waiting.keys().copied());
        let is_new = self.unrecorded > 0 || waits_for_long;
        let is_due = self.recorded_at.elapsed() >= ADVANCE_EVERY || self.unrecorded >= ADVANCE_DELIVERIES;
        if !is_new || !(now || is_due) {
            return;
        }
        let waiting = self.round.seqs().collect();
        let advanced = Advanced { hook: self.hook, replays: self.replays, through: self.scanned, waiting };
        if self.tell(Hooks::Advance(advanced)).await {
            self.unrecorded = 0;
        }
        self.recorded_at = Instant::now();
    }

    async fn note(&mut self, tried: Tried) {
        let Tried { seq, replays, outcome } = tried;
        let now = self.engine.clock().now();
        match outcome {
            Ok(()) => {
                let had_failed = std::mem::take(&mut self.failures) >= FAILURES;
                self.rest_until = None;
                self.standings.change(self.hook, |standing| {
                    standing.taken_at = Some(now);
                    standing.failing = None;
                });
                if replays == self.replays {
                    self.round.remove(seq);
                    if self.unrecorded == 0 {
                        self.recorded_at = Instant::now();
                    }
                    self.unrecorded = self.unrecorded.saturating_add(1);
                }
                if had_failed {
                    tracing::info!(hook = %self.hook, "a receiver of webhooks takes them again");
                    self.round.hurry();
                }
            }
            Err(reason) => {
                self.failures = self.failures.saturating_add(1);
                let rests = self.failures.checked_sub(FAILURES);
                let rest = rests.map(|times| doubled(self.settings.retry_first, times, REST_MAX));
                self.rest_until = rest.map(|rest| Instant::now() + jittered(rest));
                tracing::info!(hook = %self.hook, seq, reason, "a webhook was not taken");
                self.standings.change(self.hook, |standing| {
                    let failing =
                        standing.failing.get_or_insert(Failing { since: now, tries: 0, reason: String::new() });
                    failing.tries = failing.tries.saturating_add(1);
                    failing.reason.clone_from(&reason);
                });
                if replays == self.replays {
                    self.put_off(seq, now, reason).await;
                }
            }
        }
    }

    async fn put_off(&mut self, seq: u64, now: DateTime<Utc>, reason: String) {
        let first = self.settings.retry_first;
        let Some(pending) = self.round.get_mut(seq) else { return };
        let wait = jittered(doubled(first, pending.tries, RETRY_MAX));
        pending.tries = pending.tries.saturating_add(1);
        (pending.under_way, pending.due) = (false, Instant::now() + wait);
        let is_over = now - pending.since > GIVE_UP && now - self.begun > GIVE_UP_AFTER_START;
        if is_over && self.tell(Hooks::GiveUp(GaveUp { hook: self.hook, seq, reason })).await {
            tracing::warn!(hook = %self.hook, seq, "a webhook is given up after three days");
            self.round.remove(seq);
            self.dead.insert(seq);
        }
    }

    /// Whether it is recorded.
    async fn tell(&self, command: Hooks) -> bool {
        let key = format!("hook:{}", Uuid::now_v7());
        match self.engine.execute(Command::Hook(command), key, "server").await {
            Ok(_) => true,
            // It was removed meanwhile.
            Err(Failure::Refused(_)) => false,
            Err(failure) => {
                tracing::warn!(hook = %self.hook, %failure, "how far a receiver of webhooks is was not recorded");
                false
            }
        }
    }
}

/// Writes one message and sends it once.
async fn attempt(engine: Engine, settings: Settings, hook: Hook, seq: u64) -> Tried {
    let replays = hook.replays;
    let (to_write, of) = (engine.clone(), hook.added.clone());
    let written = tokio::task::spawn_blocking(move || message::write(&to_write, &of, seq)).await;
    let outcome = match written {
        Ok(Ok(written)) => match prepare(&engine, &hook, seq, written) {
            Ok(call) => call::deliver(&settings, call).await,
            Err(reason) => Err(reason.into()),
        },
        Ok(Err(fault)) => {
            tracing::error!(hook = %hook.added.hook, seq, %fault, "a webhook can't be written");
            Err("it could not be written here: the server’s own log says why".into())
        }
        Err(error) => {
            tracing::error!(hook = %hook.added.hook, seq, %error, "a webhook can't be written");
            Err("it could not be written here: the server’s own log says why".into())
        }
    };
    Tried { seq, replays, outcome }
}

fn prepare(engine: &Engine, hook: &Hook, seq: u64, written: message::Written) -> Result<Call, &'static str> {
    let (vault, clock, id) = (engine.vault(), engine.clock(), hook.added.hook);
    let credentials = match &hook.added.credentials {
        None => None,
        Some(sealed) => {
            let opened = vault.unseal(sealed_for(id), HOOK_CREDENTIALS, sealed).ok().flatten();
            let text = opened.and_then(|bytes| String::from_utf8(bytes).ok());
            Some(Zeroizing::new(text.ok_or("its password can’t be opened any more: add it anew")?))
        }
    };
    let (message, timestamp) = (format!("msg_{}_{seq}", id.0.simple()), clock.now().timestamp());
    let signature = secret::signature(hook, vault, clock, &message, timestamp, &written.body);
    let (address, mode) = (hook.added.address.clone(), written.mode);
    Ok(Call { address, credentials, id: message, timestamp, signature, mode, body: written.body.into() })
}

/// `first`, doubled for each of `times`, and never more than `most`.
fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    let factor = 1_u32.checked_shl(times.min(31)).unwrap_or(u32::MAX);
    first.checked_mul(factor).unwrap_or(most).min(most)
}

/// The wait, up to a quarter shorter.
fn jittered(wait: Duration) -> Duration {
    let mut drawn = [0];
    // Without randomness all wait alike.
    let _ = getrandom::fill(&mut drawn);
    let [drawn] = drawn;
    let part = wait.saturating_mul(u32::from(drawn)) / 255 / JITTER_QUARTERS;
    wait.saturating_sub(part)
}
