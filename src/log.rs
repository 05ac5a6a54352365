//! The event log: opaque lines in, sequence numbers and a hash chain out, durable before anybody hears of it.
//!
//! Lines are the JSON that the domain's codec makes; this room never looks inside them. Sequence numbers start at 1 and have
//! no gaps. `append` returns when the lines are synced in the journal (see `log/JOURNAL.md`). A moment later they are bound:
//! many are packed into one frame (see `log/FRAME.md`), which carries its predecessor's BLAKE3 hash and goes into sled.
//! Readers see what is bound, and can ask for the rest to be.

pub mod archive;
mod bind;
mod caught;
pub mod disk;
mod folder;
pub mod frame;
pub mod group;
mod journal;
mod lock;
pub mod proof;
pub mod published;
mod real_sync;
pub mod scrub;
pub mod sled;
pub mod store;
mod tree;
mod witness;

use std::fmt;
use std::path::PathBuf;

/// The longest line that can be appended, in bytes. A line must fit a frame of its own even when zstd cannot shrink it
/// (see [`frame::MAX_STORED_BYTES`]); the largest honest event, a raw webhook, is below 20 KiB.
pub const MAX_LINE_BYTES: usize = 48 * 1024;

/// Where the frames end: the newest bound event and the hash of the frame it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Sequence number of the newest event; 0 for an empty log.
    pub seq: u64,
    /// BLAKE3 hash of the newest frame, which covers every frame before it; all zero for an empty log.
    pub hash: [u8; 32],
}

impl Head {
    /// The head of a log that holds nothing.
    pub const EMPTY: Self = Self { seq: 0, hash: [0; 32] };
}

impl fmt::Display for Head {
    /// The hash as 64 hex digits, the form in which a head is published.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The one place where events become durable.
pub trait Log: Send {
    /// Appends lines in order, and syncs once. When it returns `Ok` every line is on disk, and the number of the last is what
    /// it returns; the first got the number after the last before. A crash keeps all of them or, before that, none.
    ///
    /// # Errors
    /// [`Fault::LineTooLong`] and [`Fault::LineBreak`] refuse the call and change nothing. After any other fault it is
    /// unknown what reached the disk: the process must stop, and every later append answers [`Fault::Stopped`].
    fn append(&mut self, lines: &[Vec<u8>]) -> Result<u64, Fault>;

    /// The newest durable event; 0 for an empty log.
    fn newest(&self) -> u64;
}

/// Why the log could not be opened, written or believed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Another process has the folder open.
    #[error("{} is held by another process ({holder}): stop it, or start this one with another --data folder", dir.display())]
    Held {
        /// The log's folder.
        dir: PathBuf,
        /// What is known of the holder, for example `process 4711`.
        holder: String,
    },
    /// The program was linked without the override that makes sled sync.
    #[error(
        "this program was built without a real sync (sync_file_range is not its own and answers {answer}): what it calls saved would not survive a power cut; rebuild it from unmodified sources"
    )]
    NoRealSync {
        /// What the function that is linked instead answered.
        answer: String,
    },
    /// sled stored a value outside its log, where it never syncs it.
    #[error(
        "{} exists, and sled never syncs such files: restore this log from a backup and report the bug", path.display()
    )]
    Blob {
        /// The blob's path.
        path: PathBuf,
    },
    /// A line is longer than a frame can hold.
    #[error(
        "event {index} of the batch has {bytes} bytes, more than the {MAX_LINE_BYTES} a line may have: refuse its input earlier"
    )]
    LineTooLong {
        /// The line's place in the batch, from 0.
        index: usize,
        /// The line's length.
        bytes: usize,
    },
    /// A line contains a line feed, which would make two lines of it.
    #[error("event {index} of the batch contains a line feed: encode it as one line of JSON")]
    LineBreak {
        /// The line's place in the batch, from 0.
        index: usize,
    },
    /// A stored frame is not what was written.
    #[error(
        "the frame that begins with event {first_seq} is damaged: {damage}. Keep a copy of the folder, then put the data folder back from a backup"
    )]
    Damaged {
        /// The key under which the frame is stored: its first event's sequence number.
        first_seq: u64,
        /// What is wrong with it.
        damage: frame::Damage,
    },
    /// A frame does not continue the one before it.
    #[error(
        "the frame that begins with event {first_seq} does not follow the frame before it ({cause}): frames were removed, swapped or replaced. Keep a copy of the folder, then put the data folder back from a backup"
    )]
    Broken {
        /// The first sequence number the frame claims.
        first_seq: u64,
        /// How it fails to follow.
        cause: frame::Break,
    },
    /// The log ends before an event that was acknowledged.
    #[error(
        "the log ends at event {found}, but event {acknowledged} was acknowledged: its tail is missing or replaced. Keep a copy of the folder, then put the data folder back from a backup"
    )]
    Truncated {
        /// The last event that can be found.
        found: u64,
        /// The last event known to have been acknowledged.
        acknowledged: u64,
    },
    /// The log's frames follow each other, but not to a head that was published.
    #[error(
        "the published head {head} is not in this log: {absence}. Keep a copy of the folder, put the data folder back from a backup, and verify that with the same head"
    )]
    NotPublished {
        /// The published head.
        head: published::Published,
        /// What is there instead.
        absence: published::Absence,
    },
    /// There is no such event.
    #[error("there is no event {seq} in the log up to event {head}: look at the number again")]
    NoEvent {
        /// The event asked for.
        seq: u64,
        /// The last event of the part asked about.
        head: u64,
    },
    /// An event of the first format, which cannot be shown without the events beside it.
    #[error(
        "event {seq} was recorded in the first format of the log, which has no proofs of single events: `groundswell verify` on the whole log is its proof"
    )]
    NoProof {
        /// The event asked for.
        seq: u64,
    },
    /// A line that JSON cannot hold.
    #[error("event {seq} is not text, so that no proof can show it: report the bug")]
    NotText {
        /// The event asked for.
        seq: u64,
    },
    /// The log gave a proof that does not hold.
    #[error(
        "event {seq} can't be proven ({flaw}). Keep a copy of the folder and run `groundswell verify`: it names the frame"
    )]
    Unproven {
        /// The event asked for.
        seq: u64,
        /// Why the proof does not hold.
        flaw: proof::Flaw,
    },
    /// An archive's segment is not what was written.
    #[error(
        "the archive's segment {} is wrong at the frame that begins with event {first_seq}: {flaw}. Where the log is whole (`groundswell verify`), move the archive folder away, and the next start writes a new one; where only the archive is left, take another copy of it", segment.display()
    )]
    Archive {
        /// The segment's file.
        segment: PathBuf,
        /// The first event of the frame, as far as it can be told.
        first_seq: u64,
        /// What is wrong.
        flaw: archive::Flaw,
    },
    /// Archiving has stopped, the log has not.
    #[error(
        "nothing is archived any more ({cause}): the log goes on; mend the cause and start again, which catches up"
    )]
    NoArchive {
        /// Why it stopped.
        cause: String,
    },
    /// A new log is to be made where something is already.
    #[error("{} holds something already, and nothing is overwritten: name an empty folder, or move that away", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// The store under the log failed.
    #[error("{doing} failed in the store under {}: {source}. {}", dir.display(), next_step(doing))]
    Store {
        /// What was being done.
        doing: &'static str,
        /// The log's folder.
        dir: PathBuf,
        /// sled's own error.
        source: ::sled::Error,
    },
    /// sled gave up on its own files.
    #[error(
        "{doing} the store in {} failed: it says \"{said}\", as it does when its files are damaged. Keep a copy of the folder, then put the data folder back from a backup", dir.display()
    )]
    Corrupt {
        /// What was being done.
        doing: &'static str,
        /// The log's folder.
        dir: PathBuf,
        /// sled's words.
        said: String,
    },
    /// The journal lacks something that was acknowledged.
    #[error(
        "events {from} to {until} were acknowledged, and neither the frames nor the journal {} hold them: it is damaged, or something of it is missing. Keep a copy of the folder, then put the data folder back from a backup", path.display()
    )]
    Journal {
        /// Its file.
        path: PathBuf,
        /// The first missing event.
        from: u64,
        /// The last that is known to be missing.
        until: u64,
    },
    /// A write failed, on whatever thread.
    #[error("{said}")]
    Failed {
        /// What that fault said.
        said: std::sync::Arc<str>,
    },
    /// A file or folder operation failed.
    #[error("{doing} {} failed: {source}. {}", path.display(), next_step(doing))]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// An earlier append failed, so nothing more may be written by this process.
    #[error(
        "an earlier write failed and this process may not write again: restart it, so that the log is checked from disk"
    )]
    Stopped,
}

/// What an operator does about a disk that failed. After a failed sync the system may go on showing what the disk lacks, to a
/// program that is started again too.
fn next_step(doing: &str) -> &'static str {
    if doing == "syncing" {
        "Check the disk (space, kernel log), restart the machine, then start again"
    } else {
        "Check the disk (space, permissions, kernel log), then start again"
    }
}
