//! The check of everything, in the background: a start checks the log's tail and replays the rest quickly, and this looks at
//! every frame thoroughly while the server works.
//!
//! What it finds ends the process. The next start would refuse most of it anyway; until then every receipt, total and export
//! would rest on a log that proves nothing, and every donation taken would be lost by putting a backup in its place.

use super::frame::Care;
use super::sled::Reader;
use super::{Fault, Head};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// How long it works at a time, and how long it then rests: a tenth of one core, so that nobody waits for it.
const WORK: Duration = Duration::from_millis(10);
const REST: Duration = Duration::from_millis(90);

/// How far the check of everything is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// Up to event `seq` of `of` nothing was found.
    Running {
        /// The newest checked event.
        seq: u64,
        /// The newest event when the check began.
        of: u64,
    },
    /// Every frame up to this head is whole and in its place. What came later was checked when it was packed.
    Whole(Head),
    /// Something is wrong; the process ends.
    Wrong(String),
}

/// The thread that checks. Dropping it ends the thread.
pub struct Scrub {
    verified: watch::Receiver<Verified>,
    found: oneshot::Receiver<Fault>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Scrub {
    /// Starts to check everything up to the head as it is now.
    ///
    /// # Errors
    /// [`Fault::Io`] when there is no thread to be had.
    pub fn start(reader: Reader) -> Result<Self, Fault> {
        let (tell, verified) = watch::channel(Verified::Running { seq: 0, of: reader.head().seq });
        let (report, found) = oneshot::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let told_to_stop = stop.clone();
        let path = reader.dir().to_path_buf();
        let thread = std::thread::Builder::new().name("scrub".into()).spawn(move || {
            match run(&reader, &tell, &told_to_stop) {
                Ok(Some(head)) => {
                    tracing::info!(seq = head.seq, %head, "every frame of the log is whole and in its place");
                    tell.send_replace(Verified::Whole(head));
                }
                Ok(None) => {}
                Err(fault) => {
                    tracing::error!(%fault, "the log is not what was written");
                    tell.send_replace(Verified::Wrong(fault.to_string()));
                    // Nobody listens any more where the process is ending already.
                    drop(report.send(fault));
                }
            }
        });
        let thread = thread.map_err(|source| Fault::Io { doing: "starting the check's thread for", path, source })?;
        Ok(Self { verified, found, stop, thread: Some(thread) })
    }

    /// How far it is, for whoever wants to know.
    pub fn verified(&self) -> watch::Receiver<Verified> {
        self.verified.clone()
    }

    /// Waits for a fault, for ever where there is none.
    pub async fn found(&mut self) -> Fault {
        match (&mut self.found).await {
            Ok(fault) => fault,
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Scrub {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic there was reported by the thread itself.
            drop(thread.join());
        }
    }
}

/// The head up to which everything is whole; `None` when it was told to stop before.
fn run(reader: &Reader, tell: &watch::Sender<Verified>, stop: &AtomicBool) -> Result<Option<Head>, Fault> {
    let of = reader.head().seq;
    let mut frames = reader.frames(1, Care::Thorough);
    let mut begun = Instant::now();
    while let Some(frame) = frames.next() {
        frame?;
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        if begun.elapsed() >= WORK {
            tell.send_replace(Verified::Running { seq: frames.head().seq, of });
            std::thread::park_timeout(REST);
            begun = Instant::now();
        }
    }
    Ok(Some(frames.head()))
}
