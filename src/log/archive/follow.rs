//! The thread that copies the log into its archive.

use super::write::Writer;
use crate::log::sled::{Reader, StoredFrame};
use crate::log::{Fault, Head};
use parking_lot::RwLock;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the thread looks whether the log has grown: often enough that a copy of the archive is a copy of the log for
/// most purposes, and not worth a wake-up on the path of an append.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often what was archived is synced. The log itself is synced with every append, so a power cut costs the archive
/// nothing that the next start does not write again.
const SYNC_EVERY: Duration = Duration::from_secs(5);

/// How far the archive is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The newest archived event.
    pub seq: u64,
    /// Why nothing more is archived until the next start.
    pub failed: Option<String>,
}

/// How far a catch-up came: the archive's files up to here are the log up to `head`, and are synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caught {
    /// The head of what is archived.
    pub head: Head,
    /// The last segment and how many of its bytes belong to `head`; `None` for an empty log.
    pub end: Option<(PathBuf, u64)>,
}

/// A log's archive while it is written. Dropping it ends the thread, after what is synced was copied.
pub struct Archive {
    orders: Option<Sender<Sender<Caught>>>,
    stop: Arc<AtomicBool>,
    state: Arc<RwLock<State>>,
    thread: Option<JoinHandle<()>>,
}

impl Archive {
    /// Opens the archive of a log, cuts off what a crash tore, and follows the log on a thread. What is missing is copied
    /// there too, so that a long log does not hold up a start.
    ///
    /// # Errors
    /// [`Fault::Archive`] when the archive is another log's or was changed; [`Fault::Io`] when the disk fails.
    pub fn follow(reader: Reader) -> Result<Self, Fault> {
        let writer = Writer::open(&reader)?;
        let path = reader.dir().to_path_buf();
        let (orders, queue) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let state = Arc::new(RwLock::new(State { seq: writer.head().seq, failed: None }));
        let mut follower = Follower { reader, writer, state: state.clone(), stop: stop.clone() };
        let thread = std::thread::Builder::new().name("archive".into()).spawn(move || {
            if let Err(fault) = follower.run(&queue) {
                // Money is taken on: the log has everything, and the archive catches up at the next start.
                tracing::error!(%fault, "nothing more is archived until the next start");
                follower.failed(&fault);
            }
        });
        let thread = thread.map_err(|source| Fault::Io { doing: "starting the archive's thread for", path, source })?;
        Ok(Self { orders: Some(orders), stop, state, thread: Some(thread) })
    }

    /// How far it is.
    pub fn state(&self) -> State {
        self.state.read().clone()
    }

    /// Copies everything that is in the log at the time of the call, syncs it, and says how far that is. Blocks.
    ///
    /// # Errors
    /// [`Fault::NoArchive`] when archiving has stopped.
    pub fn catch_up(&self) -> Result<Caught, Fault> {
        let (answer, caught) = channel();
        let asked = self.orders.as_ref().is_some_and(|orders| orders.send(answer).is_ok());
        let caught = if asked { caught.recv().ok() } else { None };
        caught.ok_or_else(|| Fault::NoArchive { cause: self.state().failed.unwrap_or_else(|| "it is stopping".into()) })
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the thread itself.
            drop(thread.join());
        }
    }
}

struct Follower {
    reader: Reader,
    writer: Writer,
    state: Arc<RwLock<State>>,
    stop: Arc<AtomicBool>,
}

impl Follower {
    fn run(&mut self, queue: &Receiver<Sender<Caught>>) -> Result<(), Fault> {
        let mut synced = Instant::now();
        while self.copy(true)? {
            match queue.recv_timeout(LOOK_EVERY) {
                Ok(answer) => {
                    // Whoever asked hears of a fault by the answer's end, and must find the cause by then.
                    let caught = self.catch_up().inspect_err(|fault| self.failed(fault))?;
                    // Whoever asked may have gone.
                    drop(answer.send(caught));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.copy(false)?;
                    break;
                }
            }
            if synced.elapsed() >= SYNC_EVERY {
                self.writer.sync()?;
                synced = Instant::now();
            }
        }
        self.writer.sync()
    }

    fn catch_up(&mut self) -> Result<Caught, Fault> {
        self.reader.bind()?;
        self.copy(false)?;
        self.writer.sync()?;
        let end = self.writer.end().map(|(path, bytes)| (path.to_path_buf(), bytes));
        Ok(Caught { head: self.writer.head(), end })
    }

    fn failed(&self, fault: &Fault) {
        self.state.write().failed = Some(fault.to_string());
    }

    /// Copies what is missing; `false` when it was told to stop before it was through.
    fn copy(&mut self, stoppable: bool) -> Result<bool, Fault> {
        let done = self.writer.head().seq;
        if done >= self.reader.head().seq {
            return Ok(true);
        }
        for stored in self.reader.stored_from(done.saturating_add(1)) {
            if stoppable && self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let StoredFrame { header, bytes } = stored?;
            self.writer.append(&header, &bytes)?;
            self.state.write().seq = header.head().seq;
        }
        Ok(true)
    }
}
