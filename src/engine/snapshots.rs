//! When snapshots are used and made: a start begins with the newest, and a thread makes another now and then.
//!
//! It makes them from the log, by folding on from the one before: the writer is never held up, and what is written down was
//! never anything but a replay.

use super::Fault;
use super::replay::{self, Standing};
use super::snapshot::{self, Seal};
use crate::log::sled::Reader;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Events from one snapshot to the next: a start folds at most these, within half a second.
const EVERY: u64 = 250_000;
/// How often it is looked whether it is time.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Events between two lines that tell of a long start.
const TELL_EVERY: u64 = 1_000_000;

/// Where snapshots are, and what they are of.
pub(super) struct Cache {
    pub(super) dir: PathBuf,
    pub(super) seal: Seal,
    pub(super) reader: Reader,
}

/// The thread that makes snapshots.
pub(super) struct Keeper {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Waits until it is gone.
    pub(super) fn stop(self) {
        drop(self.stop);
        // It held nothing that anybody needs.
        let _ = self.thread.join();
    }
}

impl Cache {
    /// The state at the log's head, and the event of the snapshot that helped (0 for none).
    /// `newest` was read while the log opened; another is looked for where the log does not hold it.
    pub(super) fn standing(&self, newest: Option<Standing>) -> Result<(Standing, u64), Fault> {
        let start = newest.and_then(|newest| snapshot::of_log(newest, &self.dir, &self.reader).ok());
        let start = start.or_else(|| snapshot::newest_of(&self.dir, &self.seal, &self.reader)).unwrap_or_default();
        let from = start.head.seq;
        let standing = replay::go_on(&self.reader, start, self.reader.head(), telling())?;
        Ok((standing, from))
    }

    /// Makes snapshots until told to stop.
    pub(super) fn keep(self, made: u64) -> std::io::Result<Keeper> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("snapshots".into()).spawn(move || self.run(made, &stopped))?;
        Ok(Keeper { stop, thread })
    }

    fn run(&self, mut made: u64, stopped: &Receiver<()>) {
        while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            if self.reader.head().seq.saturating_sub(made) < EVERY {
                continue;
            }
            match self.make(stopped) {
                Ok(Some(seq)) => {
                    tracing::info!(seq, "snapshot made");
                    made = seq;
                }
                Ok(None) => return,
                Err(reason) => {
                    tracing::warn!(%reason, "no snapshot could be made; the next start takes longer");
                    made = self.reader.head().seq;
                }
            }
        }
    }

    /// Makes one; `None` when it is told to stop before it is done.
    fn make(&self, stopped: &Receiver<()>) -> Result<Option<u64>, String> {
        let start = snapshot::newest_of(&self.dir, &self.seal, &self.reader).unwrap_or_default();
        let going = |_| match stopped.try_recv() {
            Err(std::sync::mpsc::TryRecvError::Empty) => ControlFlow::Continue(()),
            Ok(()) | Err(std::sync::mpsc::TryRecvError::Disconnected) => ControlFlow::Break(()),
        };
        let standing = match replay::go_on(&self.reader, start, self.reader.head(), going) {
            Ok(standing) => standing,
            Err(Fault::Interrupted) => return Ok(None),
            Err(fault) => return Err(fault.to_string()),
        };
        let seq = standing.head.seq;
        snapshot::save(&self.dir, &self.seal, standing).map_err(|fault| fault.to_string())?;
        Ok(Some(seq))
    }
}

/// Tells of progress now and then.
pub(super) fn telling() -> impl FnMut(u64) -> ControlFlow<()> {
    let mut told = 0_u64;
    move |seq| {
        if seq / TELL_EVERY > told {
            told = seq / TELL_EVERY;
            tracing::info!(seq, "reading the log");
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests;
