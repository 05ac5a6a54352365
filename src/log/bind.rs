//! The binder: takes lines that are durable in the journal, packs them into frames, and stores those.
//!
//! It has a thread of its own in production, which waits a moment so that a frame holds more than one append. Whoever needs
//! frames at once (a proof, a head to publish, a backup, an append that finds the journal full) binds on its own thread.

use super::archive::read::Record;
use super::frame::chain::Chain;
use super::frame::pack::Packer;
use super::journal::Text;
use super::store::Store;
use super::witness::Witness;
use super::{Fault, Head};
use parking_lot::{Condvar, Mutex, RwLock};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long lines may wait for others to share a frame with.
const LINGER: Duration = Duration::from_secs(1);
/// As much as is not waited with: a quarter of the journal, so that the rest has room for what comes meanwhile.
const ENOUGH_BYTES: usize = 32 * 1024 * 1024;
/// Frames added at once: at most 2 MiB, which sled stores as one.
const ADDED_MAX: usize = 32;
/// Bytes of lines that are bound and synced together; their space in the journal is free then. Enough for [`ADDED_MAX`] frames,
/// little enough for an append that waits for space.
const STEP_BYTES: usize = 2 * 1024 * 1024;
/// How far the thread stands back behind those who append, as the system counts: it has what they leave, until the journal is
/// full and they wait for it.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 19;

/// What the writer, the binder's thread and all readers share.
pub(super) struct Bound {
    waiting: Mutex<Waiting>,
    /// The thread waits here for enough to do.
    enough: Condvar,
    binder: Mutex<Binder>,
    head: RwLock<Head>,
    failed: watch::Sender<Option<Arc<str>>>,
}

#[derive(Default)]
struct Waiting {
    texts: VecDeque<Text>,
    bytes: usize,
    since: Option<Instant>,
    newest: u64,
    closing: bool,
}

impl Waiting {
    /// The oldest lines, up to about so many bytes.
    fn take(&mut self, bytes: usize) -> Vec<Text> {
        let mut taken = Vec::new();
        let mut sum = 0_usize;
        while sum < bytes
            && let Some(text) = self.texts.pop_front()
        {
            sum = sum.saturating_add(text.bytes.len());
            taken.push(text);
        }
        self.bytes = self.bytes.saturating_sub(sum);
        if self.texts.is_empty() {
            self.since = None;
        }
        taken
    }
}

/// Makes frames of lines; whoever holds it is the only one who writes to the store.
struct Binder {
    store: Arc<dyn Store>,
    packer: Packer,
    chain: Chain,
    witness: Witness,
    dir: PathBuf,
}

impl Bound {
    /// Goes on behind `chain`.
    pub(super) fn new(store: Arc<dyn Store>, chain: Chain, witness: Witness, dir: PathBuf) -> Result<Self, Fault> {
        let packer = Packer::new();
        let packer =
            packer.map_err(|source| Fault::Io { doing: "preparing to compress for", path: dir.clone(), source })?;
        let head = chain.head();
        Ok(Self {
            waiting: Mutex::new(Waiting { newest: head.seq, ..Waiting::default() }),
            enough: Condvar::new(),
            binder: Mutex::new(Binder { store, packer, chain, witness, dir }),
            head: RwLock::new(head),
            failed: watch::Sender::new(None),
        })
    }

    /// The newest frame's last event and hash.
    pub(super) fn head(&self) -> Head {
        *self.head.read()
    }

    /// The newest durable event.
    pub(super) fn newest(&self) -> u64 {
        self.waiting.lock().newest
    }

    /// Takes lines that are durable in the journal and follow on those before.
    pub(super) fn add(&self, text: Text) {
        let mut waiting = self.waiting.lock();
        waiting.bytes = waiting.bytes.saturating_add(text.bytes.len());
        waiting.newest = text.newest();
        waiting.texts.push_back(text);
        // One wake-up for the first, to note the time, and one when there is enough.
        if waiting.since.is_none() || waiting.bytes >= ENOUGH_BYTES {
            waiting.since.get_or_insert_with(Instant::now);
            self.enough.notify_one();
        }
    }

    /// Binds everything that is durable by now, and returns a head that holds it.
    ///
    /// # Errors
    /// [`Fault`]: nothing is lost, for the journal holds it; but nothing may be written any more.
    pub(super) fn bind(&self) -> Result<Head, Fault> {
        let wanted = self.newest();
        loop {
            let head = self.bind_step(|_| true)?;
            if head.seq >= wanted {
                return Ok(head);
            }
        }
    }

    /// Binds some of what is durable, unless somebody else has since the head was `seen`.
    ///
    /// # Errors
    /// As [`Bound::bind`].
    pub(super) fn bind_beyond(&self, seen: &Head) -> Result<Head, Fault> {
        self.bind_step(|head| head.seq <= seen.seq)
    }

    fn bind_step(&self, wanted: impl FnOnce(&Head) -> bool) -> Result<Head, Fault> {
        let mut binder = self.binder.lock();
        self.check()?;
        let head = self.head();
        if !wanted(&head) {
            return Ok(head);
        }
        let texts = self.waiting.lock().take(STEP_BYTES);
        if texts.is_empty() {
            return Ok(head);
        }
        binder.bind(&texts).map(|head| self.show(head)).map_err(|fault| self.fail(fault))
    }

    /// Stores frames that were packed elsewhere, as they are.
    ///
    /// # Errors
    /// [`Fault::Broken`] where one does not continue the log; others when the disk fails. Nothing may be written after either.
    pub(super) fn store(&self, records: &[Record]) -> Result<Head, Fault> {
        let mut binder = self.binder.lock();
        self.check()?;
        let head = binder.store(records).map(|head| self.show(head)).map_err(|fault| self.fail(fault))?;
        self.waiting.lock().newest = head.seq;
        Ok(head)
    }

    /// Refuses where something has failed before.
    pub(super) fn check(&self) -> Result<(), Fault> {
        if self.failed.borrow().is_some() { Err(Fault::Stopped) } else { Ok(()) }
    }

    /// Notes that nothing may be written any more, and why.
    pub(super) fn fail(&self, fault: Fault) -> Fault {
        self.failed.send_if_modified(|failed| {
            let first = failed.is_none();
            failed.get_or_insert_with(|| fault.to_string().into());
            first
        });
        fault
    }

    /// Hears why nothing may be written any more.
    pub(super) fn failed(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.failed.subscribe()
    }

    fn show(&self, head: Head) -> Head {
        *self.head.write() = head;
        head
    }

    /// Binds as lines come, until [`Bound::close`]; what is there then is bound too.
    pub(super) fn run(&self) {
        // Of this thread alone, as Linux has it; where the system says no, it is as quick as the others.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::nice(NICENESS);
        loop {
            let closing = {
                let mut waiting = self.waiting.lock();
                loop {
                    let due = waiting.since.map(|since| since.checked_add(LINGER).unwrap_or(since));
                    if waiting.closing || waiting.bytes >= ENOUGH_BYTES || due.is_some_and(|due| due <= Instant::now())
                    {
                        break waiting.closing;
                    }
                    match due {
                        Some(due) => drop(self.enough.wait_until(&mut waiting, due)),
                        None => self.enough.wait(&mut waiting),
                    }
                }
            };
            if let Err(fault) = self.bind() {
                tracing::error!(%fault, "lines that are durable can't be bound into frames");
                return;
            }
            if closing {
                return;
            }
        }
    }

    /// Tells the thread to finish.
    pub(super) fn close(&self) {
        self.waiting.lock().closing = true;
        self.enough.notify_one();
    }
}

impl Binder {
    fn bind(&mut self, texts: &[Text]) -> Result<Head, Fault> {
        let lines: Vec<&[u8]> = texts.iter().flat_map(Text::lines).collect();
        let mut frames = Vec::new();
        let mut rest = lines.as_slice();
        while !rest.is_empty() {
            let first_seq = self.chain.head().seq.saturating_add(1);
            let packed = self.packer.pack(&mut self.chain, rest);
            let (bytes, took) =
                packed.map_err(|source| Fault::Io { doing: "packing frames for", path: self.dir.clone(), source })?;
            frames.push((first_seq.to_be_bytes(), bytes));
            rest = rest.get(took..).unwrap_or_default();
        }
        self.write(&frames)
    }

    fn store(&mut self, records: &[Record]) -> Result<Head, Fault> {
        let mut frames = Vec::with_capacity(records.len());
        for record in records {
            let first_seq = record.header().first_seq;
            self.chain.take(record.header()).map_err(|cause| Fault::Broken { first_seq, cause })?;
            frames.push((first_seq.to_be_bytes(), record.stored().to_vec()));
        }
        self.write(&frames)
    }

    fn write(&mut self, frames: &[([u8; 8], Vec<u8>)]) -> Result<Head, Fault> {
        frames.chunks(ADDED_MAX).try_for_each(|frames| self.store.add(frames))?;
        self.store.sync()?;
        // The journal gives their space up from here on, so that only the witness knows that they were there.
        let head = self.chain.head();
        self.witness.note(&head)?;
        Ok(head)
    }
}
