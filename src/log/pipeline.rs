//! Packing the next batch while the one before is being synced.
//!
//! Only a full batch is packed ahead. One that is not waits for the disk to be free, for until then it can still grow, and
//! two small batches cost two syncs where one would do.

use super::halves::{Packing, Storing};
use super::sled::SledLog;
use super::{Fault, Head};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// What hears how a batch ended, on the thread that stored it.
pub type Done = Box<dyn FnOnce(Result<Head, Fault>) + Send>;

type Work = (super::halves::Packed, Done);

/// A log with a thread of its own for storing.
pub struct Pipeline {
    packing: Packing,
    storing: Arc<Mutex<Storing>>,
    // Dropped before `thread` is joined, which ends it.
    work: Option<SyncSender<Work>>,
    stored: Receiver<()>,
    /// Whether the thread has a batch whose end was not waited for yet.
    busy: bool,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Pipeline {
    /// Starts the storing thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(log: SledLog) -> std::io::Result<Self> {
        let (packing, storing) = log.split();
        let storing = Arc::new(Mutex::new(storing));
        let (work, queue) = sync_channel::<Work>(1);
        let (sender, stored) = sync_channel(1);
        let theirs = storing.clone();
        let store = move || {
            while let Ok((packed, done)) = queue.recv() {
                done(theirs.lock().store(packed));
                if sender.send(()).is_err() {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name("log-storing".to_owned()).spawn(store)?;
        Ok(Self { packing, storing, work: Some(work), stored, busy: false, thread: Some(thread) })
    }

    /// Waits until nothing is being stored.
    pub fn wait(&mut self) {
        if self.busy {
            self.busy = false;
            // Nobody answers when a `done` panicked and took the thread with it; the next hand-over tells.
            let _ = self.stored.recv();
        }
    }

    /// Packs a batch while the one before is being stored, then hands it over and returns; `done` hears the rest.
    ///
    /// # Errors
    /// As [`Packing::pack`], and then nobody calls `done`. [`Fault::Stopped`] when the storing thread is gone.
    pub fn append_ahead(&mut self, lines: &[Vec<u8>], done: Done) -> Result<(), Fault> {
        let packed = self.packing.pack(lines)?;
        self.wait();
        let Some(packed) = packed else {
            done(Ok(self.packing.head()));
            return Ok(());
        };
        let sent = self.work.as_ref().map(|work| work.send((packed, done)));
        if !matches!(sent, Some(Ok(()))) {
            return Err(Fault::Stopped);
        }
        self.busy = true;
        Ok(())
    }

    /// Waits for the batch before, then packs and stores this one on the caller's thread: quicker by the way to another
    /// thread and back when there is nothing to pack meanwhile.
    ///
    /// # Errors
    /// As [`Packing::pack`] and [`Storing::store`].
    pub fn append(&mut self, lines: &[Vec<u8>]) -> Result<Head, Fault> {
        self.wait();
        match self.packing.pack(lines)? {
            Some(packed) => self.storing.lock().store(packed),
            None => Ok(self.packing.head()),
        }
    }
}

impl Drop for Pipeline {
    /// Waits for the batch that is being stored.
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the thread that stores the log ended by a panic");
        }
    }
}
