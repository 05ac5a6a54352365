//! The one writer: decide, append (durable), evolve, publish, acknowledge. Nothing is seen before its bytes are synced.
//!
//! One thread drains the queue, decides every command against a state only it sees, packs what follows into one append
//! with one sync, then lets everybody see it and answers everybody in the batch.

pub mod contacts;
mod erasure;
mod keys;
pub mod lines;
mod pump;
mod replay;
mod shelf;
mod snapshot;
mod snapshots;
mod writer;

use crate::clock::Clock;
use crate::domain::codec::CodecError;
use crate::domain::{Command, Refusal};
use crate::log::sled::{Reader, SledLog};
use crate::log::{self, Head};
use crate::projections::Projections;
use crate::vault::{self, Vault};
use contacts::Contacts;
use lines::Lines;
use parking_lot::{RwLock, RwLockReadGuard};
pub use pump::Pump;
use replay::Standing;
use shelf::Shelf;
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use writer::Job;

/// Commands that may wait for the writer: a second's work at the rates measured, so that an overload is told to its
/// senders instead of growing in memory.
const QUEUE_MAX: usize = 65_536;
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
    #[error("a thread of the engine could not be started: {0}")]
    Thread(std::io::Error),
    #[error("there is no memory to decompress the log: {0}")]
    Memory(std::io::Error),
    #[error("the replay was told to stop")]
    Interrupted,
}

/// What a replay came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The last event.
    pub seq: u64,
    /// The parts of what is shown that are not what the log says, by name.
    pub differences: Vec<&'static str>,
}

/// A handle on the writer and on what it made visible. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    jobs: mpsc::Sender<Job>,
    world: Arc<RwLock<Projections>>,
    newest: watch::Receiver<u64>,
    reader: Reader,
    vault: Arc<Vault>,
    clock: Clock,
    shelf: Shelf,
}

/// The writer's end: resolves when the writer is gone.
pub struct Writer {
    ended: oneshot::Receiver<Result<(), Fault>>,
    failed: watch::Receiver<Option<Arc<str>>>,
}

impl Writer {
    /// Waits until the writer is gone: `Ok` after every handle was dropped, the fault if it had to stop.
    ///
    /// # Errors
    /// The [`Fault`] that stopped it.
    pub async fn ended(&mut self) -> Result<(), Fault> {
        let failed = async {
            match self.failed.wait_for(Option::is_some).await.map(|said| said.clone()) {
                Ok(Some(said)) => Err(log::Fault::Failed { said }.into()),
                Ok(None) | Err(_) => std::future::pending().await,
            }
        };
        // What broke the log says more than that the writer had to stop for it.
        tokio::select! {
            biased;
            fault = failed => fault,
            ended = &mut self.ended => ended.unwrap_or(Ok(())),
        }
    }
}

impl Engine {
    /// Opens log and vault in a data folder, replays every event, and starts the writer.
    ///
    /// # Errors
    /// [`Fault`]: the folder is in use, damaged, or was written by a newer program.
    pub fn open(data: &Path) -> Result<(Self, Writer), Fault> {
        let vault = Arc::new(Vault::open(&data.join("vault"))?);
        let (seal, dir) = (vault.derive("snapshot", &[]), data.join("snapshots"));
        // Each takes about as long as the other.
        let (log, newest) = std::thread::scope(|scope| {
            let newest = scope.spawn(|| snapshot::newest(&dir, &seal));
            (SledLog::open(&data.join("log")), newest.join().ok().flatten())
        });
        let log = log?;
        let (reader, failed) = (log.reader(), log.failed());
        let cache = snapshots::Cache { dir, seal, reader: reader.clone() };
        let (standing, snapshot_seq) = cache.standing(newest)?;
        let shelf = Shelf::open(data);
        let (engine, mut pump) = Self::put_together(log, vault, Clock::real(), standing, shelf)?;
        let snapshots = cache.keep(snapshot_seq).map_err(Fault::Thread)?;
        let (ended_tx, ended) = oneshot::channel();
        let spawned = std::thread::Builder::new().name("writer".into()).spawn(move || {
            let result = pump.run();
            if let Err(fault) = &result {
                tracing::error!(%fault, "the log can't be written any more");
            }
            drop(pump);
            // It holds the folder too.
            snapshots.stop();
            let _ = ended_tx.send(result);
        });
        spawned.map_err(Fault::Thread)?;
        Ok((engine, Writer { ended, failed }))
    }

    /// An engine on a log and a vault that are open already, with a clock of their opener's, without threads and without
    /// snapshots: it records what is asked of it when the [`Pump`] is driven.
    ///
    /// # Errors
    /// [`Fault`]: log or vault are damaged, or were written by a newer program.
    pub fn assemble(log: SledLog, vault: Arc<Vault>, clock: Clock) -> Result<(Self, Pump), Fault> {
        let reader = log.reader();
        let standing = replay::go_on(&reader, Standing::default(), reader.head(), snapshots::telling())?;
        Self::put_together(log, vault, clock, standing, Shelf::default())
    }

    fn put_together(
        log: SledLog,
        vault: Arc<Vault>,
        clock: Clock,
        standing: Standing,
        shelf: Shelf,
    ) -> Result<(Self, Pump), Fault> {
        erasure::repeat(&vault, &standing.projections.state)?;
        let reader = log.reader();
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let (newest_tx, newest) = watch::channel(standing.head.seq);
        let state = standing.projections.state.clone();
        let world = Arc::new(RwLock::new(standing.projections));
        let deciding = writer::Writer {
            log,
            vault: vault.clone(),
            state,
            keys: standing.keys,
            last_at: standing.last_at,
            world: world.clone(),
            newest: newest_tx,
            shelf: shelf.clone(),
        };
        let pump = Pump::new(queue, deciding, clock.clone());
        Ok((Self { jobs, world, newest, reader, vault, clock, shelf }, pump))
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

    /// The newest visible event; changes with each commit.
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.newest.clone()
    }

    /// The head of what is bound into frames, which is at most a second behind what is visible.
    pub fn head(&self) -> Head {
        self.reader.head()
    }

    /// Whether the writer takes commands.
    pub fn is_writing(&self) -> bool {
        !self.jobs.is_closed()
    }

    /// Folds the whole log anew and compares. Pages wait while the last step is compared: milliseconds for each hundred
    /// thousand donations.
    ///
    /// # Errors
    /// [`Fault`] where the log can't be read.
    pub fn replay(&self) -> Result<Replayed, Fault> {
        let mut standing = Standing::default();
        let told = || snapshots::telling();
        // What is visible may end in the middle of a frame.
        let until = |seq| self.head_at(seq).map(|head| Head { seq, ..head });
        let newest = self.world().seq;
        standing = replay::go_on(&self.reader, standing, until(newest)?, told())?;
        let world = self.world();
        standing = replay::go_on(&self.reader, standing, until(world.seq)?, told())?;
        Ok(Replayed { seq: world.seq, differences: standing.projections.differences(&world) })
    }

    /// The head of the log as it was when this event was among its newest; the empty one for 0.
    ///
    /// # Errors
    /// [`Fault`] where the log is damaged there.
    pub fn head_at(&self, seq: u64) -> Result<Head, Fault> {
        Ok(self.reader.head_at(seq)?.unwrap_or(Head::EMPTY))
    }

    /// Reads single events back from the log.
    pub fn lines(&self) -> Lines {
        Lines::new(self.reader.clone())
    }

    /// Reads what pledges sealed.
    pub fn contacts(&self) -> Contacts {
        Contacts::new(self.lines(), self.shelf.clone())
    }

    /// Reads the log while it is written.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The clock by which events are dated.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Seals and opens personal data.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }
}
