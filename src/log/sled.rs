//! The log on one machine: frames in a sled tree, keyed by their first sequence number (8 bytes, big-endian).

mod import;
mod look;
mod prove;

use super::ahead::Ahead;
use super::frame::chain::Chain;
use super::frame::pack::Packer;
use super::frame::{self, Break, Care, Damage, Frame, Header, Unpacker};
use super::halves::{Packing, Storing, halves};
use super::published::{Published, Search};
use super::tree::{Bytes, Range, Tree};
use super::witness::Witness;
use super::{Fault, Head, Log, lock, real_sync};
use parking_lot::RwLock;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many of the last frames are checked on open: what a crash or a bad sector under the write head can have hit, in
/// milliseconds. `verify` checks the rest.
const TAIL_FRAMES: usize = 64;
/// The writer's side; one exists a folder, in one process.
pub struct SledLog {
    packing: Packing,
    storing: Storing,
}

/// The readers' side: cheap to clone, usable from any thread while the writer appends. The folder stays held until the last
/// reader is gone.
#[derive(Clone)]
pub struct Reader {
    // Dropped in this order: sled writes and syncs once more when its last handle goes, still under our lock.
    pub(super) tree: Tree,
    pub(super) head: Arc<RwLock<Head>>,
    pub(super) dir: Arc<PathBuf>,
    _lock: Arc<lock::Lock>,
}

impl SledLog {
    /// Opens the log in `dir`, making it when there is none, and checks its last frames and its witness.
    ///
    /// # Errors
    /// [`Fault::Held`] for a second process; [`Fault::NoRealSync`], [`Fault::Blob`], [`Fault::Damaged`],
    /// [`Fault::Broken`] and [`Fault::Truncated`] when the log cannot be trusted; the others when the disk fails.
    pub fn open(dir: &Path) -> Result<Self, Fault> {
        real_sync::probe()?;
        make_folder(dir)?;
        let lock = Arc::new(lock::take(dir)?);
        let store = dir.join("sled");
        make_folder(&store)?;
        refuse_blobs(&store)?;
        let tree = Tree::open(dir, &store)?;
        // sled syncs its data but not the names of the files it made.
        sync_path(&store.join("conf"))?;
        sync_path(&store)?;
        sync_path(dir)?;
        let mut reader =
            Reader { tree, head: Arc::new(RwLock::new(Head::EMPTY)), dir: Arc::new(dir.to_path_buf()), _lock: lock };
        let chain = reader.check_tail()?;
        let head = chain.head();
        let (witness, acknowledged) = Witness::open(dir)?;
        reader.check_acknowledged(&head, &acknowledged)?;
        reader.head = Arc::new(RwLock::new(head));
        let packer = Packer::new().map_err(|source| reader.io("preparing compression for", source))?;
        let (packing, storing) = halves(reader, chain, packer, witness, Ahead::open(&store)?);
        Ok(Self { packing, storing })
    }

    /// A reader for other threads.
    pub fn reader(&self) -> Reader {
        self.storing.reader()
    }

    /// The two halves of `append`, each for a thread of its own; see also [`super::pipeline`].
    pub fn split(self) -> (Packing, Storing) {
        (self.packing, self.storing)
    }
}

impl Log for SledLog {
    fn append(&mut self, lines: &[Vec<u8>]) -> Result<Head, Fault> {
        match self.packing.pack(lines)? {
            Some(packed) => self.storing.store(packed),
            None => Ok(self.head()),
        }
    }

    fn head(&self) -> Head {
        self.storing.head()
    }
}

impl Reader {
    /// The newest synced event and its frame's hash.
    pub fn head(&self) -> Head {
        *self.head.read()
    }

    /// The frames from the one that holds event `seq` (0 and 1 mean the first) up to the head at the time of the call, each
    /// checked quickly in itself and against the one before. After an `Err` there is nothing more.
    pub fn frames_from(&self, seq: u64) -> Frames {
        self.frames(seq, Care::Quick)
    }

    /// As [`Reader::frames_from`], with as much care as is asked for.
    pub fn frames(&self, seq: u64, care: Care) -> Frames {
        Frames { stored: self.stored_from(seq), unpacker: None, care }
    }

    /// As [`Reader::frames_from`], as stored and not unpacked.
    pub fn stored_from(&self, seq: u64) -> Stored {
        let until = self.head();
        let seq = seq.max(1);
        let (start, failed) = match self.tree.last_until(seq.to_be_bytes()) {
            Ok(found) => (found.and_then(|(key, _)| key.first_chunk().copied()).unwrap_or_default(), None),
            Err(fault) => (seq.to_be_bytes(), Some(fault)),
        };
        let range = self.tree.range(start..=until.seq.to_be_bytes());
        let chain = if seq == 1 { Some(Chain::start()) } else { None };
        let done = failed.is_none() && until.seq < seq;
        Stored { reader: self.clone(), range, wanted: seq, until, chain, failed, done }
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

    /// Checks the last frames and returns what the next one must continue.
    fn check_tail(&self) -> Result<Chain, Fault> {
        let stored = self.tree.last(TAIL_FRAMES)?;
        let mut unpacker = self.unpacker()?;
        let mut chain = if stored.len() < TAIL_FRAMES { Some(Chain::start()) } else { None };
        let mut last = None;
        for (key, bytes) in stored {
            let (header, body) = check(&key, &bytes, &mut chain)?;
            unpack(&header, body, Care::Thorough, &mut unpacker)?;
            last = Some(header);
        }
        match last {
            Some(last) => self.resume(&last),
            None => Ok(Chain::start()),
        }
    }

    /// Checks that the log still holds what the witness saw acknowledged.
    fn check_acknowledged(&self, head: &Head, seen: &Head) -> Result<(), Fault> {
        let truncated = || Fault::Truncated { found: head.seq, acknowledged: seen.seq };
        if *seen == Head::EMPTY {
            return Ok(());
        }
        let (key, bytes) = self.tree.last_until(seen.seq.to_be_bytes())?.ok_or_else(truncated)?;
        let (header, _) = check(&key, &bytes, &mut None)?;
        if header.head() == *seen { Ok(()) } else { Err(truncated()) }
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

/// Frames as stored, in order, with their checked headers; see [`Reader::stored_from`].
pub struct Stored {
    reader: Reader,
    range: Range,
    wanted: u64,
    until: Head,
    chain: Option<Chain>,
    failed: Option<Fault>,
    done: bool,
}

impl Stored {
    fn head(&self) -> Head {
        self.chain.as_ref().map_or(Head::EMPTY, Chain::head)
    }

    fn read(&mut self) -> Result<Option<StoredFrame>, Fault> {
        if let Some(fault) = self.failed.take() {
            return Err(fault);
        }
        let Some(stored) = self.range.next() else {
            // The range ended early when it did not end with the head as it was at the start.
            let found = self.head();
            if found == self.until {
                return Ok(None);
            }
            return Err(Fault::Truncated { found: found.seq, acknowledged: self.until.seq });
        };
        let (key, bytes) = stored?;
        let first = self.chain.is_none();
        let (header, _) = check(&key, &bytes, &mut self.chain)?;
        if first && header.head().seq < self.wanted {
            return Err(Fault::Broken { first_seq: header.first_seq, cause: Break::Seq { expected: self.wanted } });
        }
        Ok(Some(StoredFrame { header, bytes }))
    }
}

/// A frame as stored, whose header was checked.
pub struct StoredFrame {
    pub(super) header: Header,
    pub(super) bytes: Bytes,
}

impl StoredFrame {
    /// Its bytes, header and body.
    pub fn stored(&self) -> &[u8] {
        &self.bytes
    }

    /// Its lines.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when its body is not what its header promises.
    pub fn unpack(&self, care: Care, unpacker: &mut Unpacker) -> Result<Frame, Fault> {
        unpack(&self.header, self.bytes.get(self.header.bytes()..).unwrap_or_default(), care, unpacker)
    }
}

impl Iterator for Stored {
    type Item = Result<StoredFrame, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.read().transpose();
        self.done = !matches!(item, Some(Ok(_)));
        item
    }
}

/// Frames in order; see [`Reader::frames_from`].
pub struct Frames {
    stored: Stored,
    unpacker: Option<Unpacker>,
    care: Care,
}

impl Frames {
    /// The head of the log up to the last frame that was read.
    pub fn head(&self) -> Head {
        self.stored.head()
    }

    fn read(&mut self) -> Result<Option<Frame>, Fault> {
        let Some(stored) = self.stored.next() else { return Ok(None) };
        let stored = stored?;
        let unpacker = match &mut self.unpacker {
            Some(unpacker) => unpacker,
            none => none.insert(self.stored.reader.unpacker()?),
        };
        stored.unpack(self.care, unpacker).map(Some)
    }
}

impl Iterator for Frames {
    type Item = Result<Frame, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.read().transpose();
        self.stored.done |= matches!(item, Some(Err(_)));
        item
    }
}

/// Checks a stored frame by itself and against the chain, where that is known, and takes it in.
fn check<'a>(key: &[u8], bytes: &'a [u8], chain: &mut Option<Chain>) -> Result<(Header, &'a [u8]), Fault> {
    // A key of another length was not written by us; its bytes still name it for the report.
    let first_seq = key.iter().fold(0_u64, |seq, byte| seq.wrapping_shl(8) | u64::from(*byte));
    let damaged = |damage| Fault::Damaged { first_seq, damage };
    let (header, body) = frame::open(bytes).map_err(damaged)?;
    if key != header.first_seq.to_be_bytes() {
        return Err(damaged(Damage::Key { found: header.first_seq }));
    }
    match chain {
        Some(chain) => chain.take(&header).map_err(|cause| Fault::Broken { first_seq, cause })?,
        None => *chain = Some(Chain::at(&header)),
    }
    Ok((header, body))
}

fn unpack(header: &Header, body: &[u8], care: Care, unpacker: &mut Unpacker) -> Result<Frame, Fault> {
    unpacker.unpack(header, body, care).map_err(|damage| Fault::Damaged { first_seq: header.first_seq, damage })
}

/// A blob in sled's folder is data it never synced, and opening sled may delete it: look before sled does.
pub(super) fn refuse_blobs(store: &Path) -> Result<(), Fault> {
    let path = store.join("blobs");
    let first = match std::fs::read_dir(&path) {
        Ok(mut entries) => entries.next(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => return Err(Fault::Io { doing: "reading the folder", path, source }),
    };
    match first {
        None => Ok(()),
        Some(Ok(entry)) => Err(Fault::Blob { path: entry.path() }),
        Some(Err(source)) => Err(Fault::Io { doing: "reading the folder", path, source }),
    }
}

fn make_folder(path: &Path) -> Result<(), Fault> {
    std::fs::create_dir_all(path).map_err(|source| Fault::Io {
        doing: "making the folder",
        path: path.to_path_buf(),
        source,
    })?;
    // A folder's name is durable only when the folder above it is synced.
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_path(parent),
        _ => Ok(()),
    }
}

fn sync_path(path: &Path) -> Result<(), Fault> {
    std::fs::File::open(path).and_then(|file| file.sync_all()).map_err(|source| Fault::Io {
        doing: "syncing",
        path: path.to_path_buf(),
        source,
    })
}
