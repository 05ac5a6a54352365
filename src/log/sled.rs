//! The log on one machine: what is appended is durable in the journal, then bound into frames, which stand in a sled tree
//! under their first sequence number (8 bytes, big-endian).

mod frames;
mod import;
mod look;
mod prove;
mod tail;

pub use frames::{Frames, Stored, StoredFrame};

use super::bind::Bound;
use super::disk::{Disk, OnDisk};
use super::folder::{make_folder, sync_path};
use super::frame::{Care, Unpacker};
use super::journal::{Journal, RING_BYTES_MAX, Text, Written};
use super::published::{Published, Search};
use super::store::Store;
use super::tree::Tree;
use super::witness::Witness;
use super::{Fault, Head, Log, MAX_LINE_BYTES, lock, real_sync};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::watch;

/// The writer's side; one exists a folder, in one process.
pub struct SledLog {
    journal: Journal,
    reader: Reader,
    binder: Option<JoinHandle<()>>,
}

/// The readers' side: cheap to clone, usable from any thread while the writer appends. The folder stays held until the last
/// reader is gone.
#[derive(Clone)]
pub struct Reader {
    // Dropped in this order: sled writes and syncs once more when its last handle goes, still under our lock.
    pub(super) store: Arc<dyn Store>,
    pub(super) bound: Arc<Bound>,
    pub(super) dir: Arc<PathBuf>,
    _lock: Option<Arc<lock::Lock>>,
}

/// What a log is made of.
pub struct Parts {
    /// Where frames go.
    pub store: Arc<dyn Store>,
    /// Where lines are durable until they are in frames.
    pub journal: Box<dyn Disk>,
    /// The most bytes of the journal that may wait to be put into frames.
    pub journal_bytes_max: u64,
    /// The note of what is durable.
    pub acknowledged: Box<dyn Disk>,
    /// The note of what is in frames.
    pub witness: Box<dyn Disk>,
    /// The log's folder, for messages.
    pub dir: PathBuf,
}

impl SledLog {
    /// Opens the log in `dir`, making it when there is none, checks its last frames and its witnesses, and binds what the
    /// journal holds beyond the frames.
    ///
    /// # Errors
    /// [`Fault::Held`] for a second process; [`Fault::NoRealSync`], [`Fault::Blob`], [`Fault::Damaged`],
    /// [`Fault::Broken`], [`Fault::Truncated`] and [`Fault::Journal`] when the log cannot be trusted; the others when the
    /// disk fails.
    pub fn open(dir: &Path) -> Result<Self, Fault> {
        real_sync::probe()?;
        make_folder(dir)?;
        let lock = Arc::new(lock::take(dir)?);
        let store = Arc::new(Tree::open(dir)?);
        let file = |path: PathBuf| -> Result<Box<dyn Disk>, Fault> { Ok(Box::new(OnDisk::open(path)?)) };
        let parts = Parts {
            store,
            journal: file(dir.join("journal"))?,
            journal_bytes_max: RING_BYTES_MAX,
            acknowledged: file(dir.join("acknowledged"))?,
            witness: file(dir.join("head"))?,
            dir: dir.to_path_buf(),
        };
        // Files that were just made have names to be synced.
        sync_path(dir)?;
        let mut log = Self::assemble(parts, Some(lock))?;
        let bound = log.reader.bound.clone();
        let thread = std::thread::Builder::new().name("binder".into()).spawn(move || bound.run());
        log.binder = Some(thread.map_err(|source| log.reader.io("starting the binder's thread for", source))?);
        Ok(log)
    }

    /// A log of these parts, as [`SledLog::open`] opens it, without a thread: lines are bound when somebody asks for it, or
    /// when an append finds the journal full.
    ///
    /// # Errors
    /// As [`SledLog::open`].
    pub fn on(parts: Parts) -> Result<Self, Fault> {
        Self::assemble(parts, None)
    }

    fn assemble(parts: Parts, lock: Option<Arc<lock::Lock>>) -> Result<Self, Fault> {
        let Parts { store, journal, journal_bytes_max, acknowledged, witness, dir } = parts;
        let chain = tail::chain(&*store, &dir)?;
        let (witness, seen) = Witness::open(witness)?;
        tail::check_seen(&*store, &chain.head(), &seen)?;
        let (journal, unbound) = Journal::open(journal, acknowledged, chain.head().seq, journal_bytes_max)?;
        let bound = Bound::new(store.clone(), chain, witness, dir.clone())?;
        unbound.into_iter().for_each(|text| bound.add(text));
        bound.bind()?;
        let reader = Reader { store, bound: Arc::new(bound), dir: Arc::new(dir), _lock: lock };
        Ok(Self { journal, reader, binder: None })
    }

    /// A reader for other threads.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// As [`Reader::bind`].
    ///
    /// # Errors
    /// [`Fault`] when the disk fails.
    pub fn bind(&self) -> Result<Head, Fault> {
        self.reader.bind()
    }

    /// Hears why nothing may be written any more, as soon as that is so.
    pub fn failed(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.reader.bound.failed()
    }

    fn write(&mut self, text: &Text) -> Result<(), Fault> {
        let bound = &self.reader.bound;
        loop {
            let seen = bound.head();
            if self.journal.write(text, seen.seq).map_err(|fault| bound.fail(fault))? == Written::Durable {
                return Ok(());
            }
            bound.bind_beyond(&seen)?;
        }
    }
}

impl Log for SledLog {
    fn append(&mut self, lines: &[Vec<u8>]) -> Result<u64, Fault> {
        self.reader.bound.check()?;
        for (index, line) in lines.iter().enumerate() {
            if line.len() > MAX_LINE_BYTES {
                return Err(Fault::LineTooLong { index, bytes: line.len() });
            }
            if line.contains(&b'\n') {
                return Err(Fault::LineBreak { index });
            }
        }
        if !lines.is_empty() {
            let text = Text::of(self.newest().saturating_add(1), lines);
            self.write(&text)?;
            self.reader.bound.add(text);
        }
        Ok(self.newest())
    }

    fn newest(&self) -> u64 {
        self.reader.newest()
    }
}

impl Drop for SledLog {
    /// Binds what is not bound yet: a folder that was closed in good order holds everything in frames.
    fn drop(&mut self) {
        self.reader.bound.close();
        if let Some(binder) = self.binder.take() {
            // Here rather than on that thread, which stands back behind all others.
            if let Err(fault) = self.reader.bind()
                && !matches!(fault, Fault::Stopped)
            {
                tracing::error!(%fault, "what was not in frames yet stays in the journal until the next start");
            }
            if binder.join().is_err() {
                tracing::warn!("the binder's thread ended by a panic; what it had not bound is in the journal");
            }
        }
    }
}

impl Reader {
    /// The newest frame's last event and hash. What was appended in the last second may not be in a frame yet.
    pub fn head(&self) -> Head {
        self.bound.head()
    }

    /// The newest durable event.
    pub fn newest(&self) -> u64 {
        self.bound.newest()
    }

    /// Binds everything that is durable into frames, and returns the head of that.
    ///
    /// # Errors
    /// [`Fault`] when the disk fails; nothing is lost then, and nothing may be written any more.
    pub fn bind(&self) -> Result<Head, Fault> {
        self.bound.bind()
    }

    /// The head of the frames, after binding where event `seq` is durable and not in one yet.
    pub(super) fn head_for(&self, seq: u64) -> Result<Head, Fault> {
        let head = self.head();
        if (head.seq..self.newest()).contains(&seq.saturating_sub(1)) { self.bind() } else { Ok(head) }
    }

    /// The frames from the one that holds event `seq` (0 and 1 mean the first) up to the head at the time of the call, each
    /// checked quickly in itself and against the one before. After an `Err` there is nothing more.
    pub fn frames_from(&self, seq: u64) -> Frames {
        self.frames(seq, Care::Quick)
    }

    /// As [`Reader::frames_from`], with as much care as is asked for.
    pub fn frames(&self, seq: u64, care: Care) -> Frames {
        Frames::new(self.stored_from(seq), care)
    }

    /// Checks every frame up to the head: checksum, own hash, chain, numbers, and that its body holds the lines it was made
    /// of. `progress` hears the newest checked event after each frame.
    ///
    /// # Errors
    /// The first [`Fault`] found.
    pub fn verify(&self, progress: impl FnMut(u64)) -> Result<Head, Fault> {
        self.verify_against(&[], progress)
    }

    /// As [`Reader::verify`], and that the chain contains heads that were published.
    ///
    /// # Errors
    /// The first [`Fault`] found; [`Fault::NotPublished`] names a head that is not there.
    pub fn verify_against(&self, published: &[Published], mut progress: impl FnMut(u64)) -> Result<Head, Fault> {
        self.bind()?;
        let mut search = Search::new(published);
        let mut frames = self.frames(1, Care::Thorough);
        while let Some(frame) = frames.next() {
            frame?;
            let head = frames.head();
            search.pass(&head)?;
            progress(head.seq);
        }
        let head = frames.head();
        search.end(&head).map(|()| head)
    }

    /// Whether a frame ends with this event and has this hash.
    ///
    /// # Errors
    /// [`Fault`] where the frame that stands there is damaged.
    pub fn holds(&self, head: &Head) -> Result<bool, Fault> {
        Ok(self.head_at(head.seq)? == Some(*head))
    }

    fn unpacker(&self) -> Result<Unpacker, Fault> {
        Unpacker::new().map_err(|source| self.io("preparing decompression for", source))
    }

    pub(super) fn io(&self, doing: &'static str, source: std::io::Error) -> Fault {
        Fault::Io { doing, path: self.dir.to_path_buf(), source }
    }
}
