//! The one writer: decide, append (durable), evolve, publish, acknowledge. Nothing is seen before its bytes are synced.
//!
//! One thread drains the queue, decides every command against a state only it sees, packs what follows into one append
//! with one sync, then lets everybody see it and answers everybody in the batch.

mod erasure;

use crate::clock;
use crate::domain::codec::{self, CodecError};
use crate::domain::{Command, Recorded, Refusal, State, decide};
use crate::log::group::Group;
use crate::log::sled::{Reader, SledLog};
use crate::log::{self, Head, Log as _, MAX_LINE_BYTES};
use crate::projections::Projections;
use crate::vault::{self, Vault};
use chrono::{DateTime, Utc};
use parking_lot::{RwLock, RwLockReadGuard};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

/// Commands that may wait for the writer: a second's work at the rates measured, so that an overload is told to its
/// senders instead of growing in memory.
const QUEUE_MAX: usize = 65_536;
/// Decoded batches that wait between the stages of a replay: enough to keep both cores busy, little enough to hold.
const REPLAY_AHEAD: usize = 8;
/// Characters of a command's key: ours and the processors' are below 100; a longer one is refused, not cut.
pub const KEY_CHARS_MAX: usize = 200;

/// What became of a command: the numbers of the events that follow from it, or followed from it the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The first event's number; meaningless when `count` is 0.
    pub first_seq: u64,
    /// How many events; 0 where the command changed nothing.
    pub count: u32,
    /// Whether this command had been recorded before under the same key.
    pub repeated: bool,
}

/// Why a command has no result.
#[derive(Debug, Error)]
pub enum Failure {
    /// The rules said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many commands wait.
    #[error("the server is busier than it can record: try again in a moment")]
    Overloaded,
    /// The writer has stopped; it is unknown whether the command was recorded.
    #[error("the server is stopping: try again in a moment")]
    Stopped,
    /// What follows from the command does not fit a line of the log.
    #[error("that is more than can be recorded at once: shorten it and try again")]
    TooLong,
    /// Somebody in it was erased after it was sealed: what it holds could never be read.
    #[error("this person's data was erased a moment ago: send it again")]
    Erased,
    /// The command's key is empty or longer than [`KEY_CHARS_MAX`].
    #[error("a command's key has 1 to {KEY_CHARS_MAX} characters")]
    Key,
}

/// Why the engine can't start or go on.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum Fault {
    #[error(transparent)]
    Log(#[from] log::Fault),
    #[error(transparent)]
    Vault(#[from] vault::Fault),
    #[error("event {seq}: {source}")]
    Codec { seq: u64, source: CodecError },
    #[error("event {seq} stands where event {expected} should: the log is damaged, restore it from a backup")]
    Misplaced { seq: u64, expected: u64 },
    #[error("the thread that writes the log could not be started: {0}")]
    Thread(std::io::Error),
}

struct Job {
    command: Command,
    key: String,
    by: String,
    answer: oneshot::Sender<Result<Receipt, Failure>>,
}

/// A handle on the writer and on what it made visible. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    jobs: mpsc::Sender<Job>,
    world: Arc<RwLock<Projections>>,
    head: watch::Receiver<Head>,
    reader: Reader,
    vault: Arc<Vault>,
}

/// The writer's end: resolves when the writer is gone.
pub struct Writer(oneshot::Receiver<Result<(), Fault>>);

impl Writer {
    /// Waits until the writer is gone: `Ok` after every handle was dropped, the fault if it had to stop.
    ///
    /// # Errors
    /// The [`Fault`] that stopped it.
    pub async fn ended(&mut self) -> Result<(), Fault> {
        (&mut self.0).await.unwrap_or(Ok(()))
    }
}

impl Engine {
    /// Opens log and vault in a data folder, replays every event, and starts the writer.
    ///
    /// # Errors
    /// [`Fault`]: the folder is in use, damaged, or was written by a newer program.
    pub fn open(data: &Path) -> Result<(Self, Writer), Fault> {
        let log = SledLog::open(&data.join("log"))?;
        let vault = Arc::new(Vault::open(&data.join("vault"))?);
        let reader = log.reader();
        let replayed = replay(&reader)?;
        erasure::repeat(&vault, &replayed.projections.state)?;
        let world = Arc::new(RwLock::new(replayed.projections));
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let (head_tx, head) = watch::channel(log.head());
        let (ended, writer) = oneshot::channel();
        let state = world.read().state.clone();
        let loop_ = WriterLoop {
            log,
            vault: vault.clone(),
            state,
            keys: replayed.keys,
            last_at: replayed.last_at,
            world: world.clone(),
            head: head_tx,
        };
        let spawned = std::thread::Builder::new().name("writer".into()).spawn(move || {
            let result = loop_.run(queue);
            if let Err(fault) = &result {
                tracing::error!(%fault, "the log can't be written any more");
            }
            let _ = ended.send(result);
        });
        spawned.map_err(Fault::Thread)?;
        Ok((Self { jobs, world, head, reader, vault }, Writer(writer)))
    }

    /// Records a command once: a repeat of its key, at any age, answers what followed the first time.
    ///
    /// `by` says who asks, in the form `staff:ID`, `donor:ID`, `attendee:ID`, `processor` or `server`.
    ///
    /// # Errors
    /// [`Failure`]; after `Overloaded` nothing was recorded, after `Stopped` it is unknown: repeat with the same key.
    pub async fn execute(&self, command: Command, key: String, by: &str) -> Result<Receipt, Failure> {
        self.submit(command, key, by)?.await
    }

    /// As [`Engine::execute`], but in the writer's queue when it returns: two calls in a row are decided in that order.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn submit(
        &self,
        command: Command,
        key: String,
        by: &str,
    ) -> Result<impl Future<Output = Result<Receipt, Failure>> + Send + use<>, Failure> {
        if key.is_empty() || key.len() > KEY_CHARS_MAX {
            return Err(Failure::Key);
        }
        let (answer, outcome) = oneshot::channel();
        let job = Job { command, key, by: by.into(), answer };
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Failure::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Failure::Stopped,
        })?;
        Ok(async { outcome.await.map_err(|_| Failure::Stopped)? })
    }

    /// Everything visible, as of one instant. Hold it briefly: the writer waits for it.
    pub fn world(&self) -> RwLockReadGuard<'_, Projections> {
        self.world.read()
    }

    /// The newest visible event and its hash; changes with each commit.
    pub fn head(&self) -> watch::Receiver<Head> {
        self.head.clone()
    }

    /// Whether the writer takes commands.
    pub fn is_writing(&self) -> bool {
        !self.jobs.is_closed()
    }

    /// Reads the log while it is written.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Seals and opens personal data.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }
}

/// A span of events that followed from one command.
#[derive(Clone, Copy)]
struct Span {
    first_seq: u64,
    count: u32,
}

/// Keys are kept for good, so they are kept small: 128 bits of BLAKE3 do not collide in the life of a campaign.
type Keys = HashMap<[u8; 16], Span>;

fn short(key: &str) -> [u8; 16] {
    let mut short = [0; 16];
    let hash = blake3::hash(key.as_bytes());
    short.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    short
}

fn remember(keys: &mut Keys, recorded: &Recorded) {
    let first = Span { first_seq: recorded.seq, count: 0 };
    let span = keys.entry(short(&recorded.key)).or_insert(first);
    span.count = span.count.saturating_add(1);
}

struct WriterLoop {
    log: SledLog,
    vault: Arc<Vault>,
    state: State,
    keys: Keys,
    last_at: DateTime<Utc>,
    world: Arc<RwLock<Projections>>,
    head: watch::Sender<Head>,
}

impl WriterLoop {
    fn run(mut self, mut queue: mpsc::Receiver<Job>) -> Result<(), Fault> {
        let group = Group::default();
        while let Some(batch) = group.next(&mut queue, |_| 1) {
            self.commit(batch)?;
        }
        Ok(())
    }

    fn commit(&mut self, batch: Vec<Job>) -> Result<(), Fault> {
        // Wall clocks step back; the log's time does not.
        self.last_at = self.last_at.max(clock::now());
        let mut next_seq = self.log.head().seq.saturating_add(1);
        let (mut events, mut lines, mut answers) = (vec![], vec![], Vec::with_capacity(batch.len()));
        for Job { command, key, by, answer } in batch {
            if let Some(span) = self.keys.get(&short(&key)) {
                let Span { first_seq, count } = *span;
                answers.push((answer, Ok(Receipt { first_seq, count, repeated: true })));
                continue;
            }
            let decided = match decide(&self.state, command) {
                Ok(decided) => decided,
                Err(refusal) => {
                    answers.push((answer, Err(refusal.into())));
                    continue;
                }
            };
            if decided.iter().any(|event| erasure::is_stale(&self.vault, &self.state, event)) {
                answers.push((answer, Err(Failure::Erased)));
                continue;
            }
            let mut encoded = Vec::with_capacity(decided.len());
            for (seq, event) in (next_seq..).zip(decided) {
                let recorded = Recorded { seq, at: self.last_at, key: key.clone(), by: by.clone(), event };
                let line = codec::encode(&recorded).map_err(|source| Fault::Codec { seq, source })?;
                encoded.push((recorded, line));
            }
            // Refused here, so that one sender's text never stops the log for everybody.
            if encoded.iter().any(|(_, line)| line.len() > MAX_LINE_BYTES) {
                answers.push((answer, Err(Failure::TooLong)));
                continue;
            }
            let mut receipt = Receipt { first_seq: next_seq, count: 0, repeated: false };
            for (recorded, line) in encoded {
                self.state.evolve(&recorded.event, recorded.at);
                remember(&mut self.keys, &recorded);
                lines.push(line);
                events.push(recorded);
                next_seq = next_seq.saturating_add(1);
                receipt.count = receipt.count.saturating_add(1);
            }
            answers.push((answer, Ok(receipt)));
        }
        if !lines.is_empty() {
            // A person's key is durable before anything that is sealed with it.
            self.vault.commit()?;
            let head = self.log.append(&lines)?;
            for recorded in &events {
                erasure::perform(&self.vault, &recorded.event)?;
            }
            {
                let mut world = self.world.write();
                events.iter().for_each(|recorded| world.apply(recorded));
            }
            self.head.send_replace(head);
        }
        for (answer, outcome) in answers {
            let _ = answer.send(outcome);
        }
        Ok(())
    }
}

struct Replayed {
    projections: Projections,
    keys: Keys,
    last_at: DateTime<Utc>,
}

/// Folds the whole log: one thread reads and unpacks, one decodes, this one folds.
fn replay(reader: &Reader) -> Result<Replayed, Fault> {
    let mut replayed =
        Replayed { projections: Projections::default(), keys: Keys::new(), last_at: DateTime::<Utc>::MIN_UTC };
    each_event(reader, 1, |recorded| {
        remember(&mut replayed.keys, &recorded);
        replayed.last_at = recorded.at;
        replayed.projections.apply(&recorded);
    })?;
    Ok(replayed)
}

/// Calls `take` with every event from `from_seq` on, in order.
///
/// # Errors
/// [`Fault`] where the log is damaged or newer than this program.
pub fn each_event(reader: &Reader, from_seq: u64, mut take: impl FnMut(Recorded)) -> Result<(), Fault> {
    std::thread::scope(|scope| {
        let (frames_tx, frames) = sync_channel(REPLAY_AHEAD);
        let (events_tx, events) = sync_channel(REPLAY_AHEAD);
        scope.spawn(move || {
            for frame in reader.frames_from(from_seq) {
                let damaged = frame.is_err();
                if frames_tx.send(frame).is_err() || damaged {
                    return;
                }
            }
        });
        scope.spawn(move || {
            for frame in frames {
                let decoded: Result<Vec<Recorded>, Fault> = frame.map_err(Fault::from).and_then(|frame| {
                    let lines = frame.lines().filter(|(seq, _)| *seq >= from_seq);
                    lines.map(|(seq, line)| decode_at(seq, line)).collect()
                });
                let failed = decoded.is_err();
                if events_tx.send(decoded).is_err() || failed {
                    return;
                }
            }
        });
        for decoded in events {
            decoded?.into_iter().for_each(&mut take);
        }
        Ok(())
    })
}

fn decode_at(expected: u64, line: &[u8]) -> Result<Recorded, Fault> {
    let recorded = codec::decode(line).map_err(|source| Fault::Codec { seq: expected, source })?;
    if recorded.seq != expected {
        return Err(Fault::Misplaced { seq: recorded.seq, expected });
    }
    Ok(recorded)
}
