//! A witness to what was acknowledged: the head, noted beside the log after each sync.
//!
//! A damaged segment can make sled end its log early without a word, and a chain cannot miss its own end. The note is written
//! after the sync and not synced itself, so it costs next to nothing, is never ahead of the log, and outlives the process;
//! after a power cut it may be some frames old, which weakens the check and never makes it wrong.

use super::{Fault, Head};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Sequence number (8, little-endian), hash (32), CRC32C of both (4).
const SLOT_BYTES: usize = 44;
/// Slots stand this far apart, so that a torn write of one sector cannot hit both.
const SLOT_STRIDE: u64 = 4096;

/// The open note.
pub(super) struct Witness {
    file: File,
    path: PathBuf,
    odd: bool,
}

impl Witness {
    /// Opens the note in `dir` and returns the newest head in it.
    pub(super) fn open(dir: &Path) -> Result<(Self, Head), Fault> {
        let path = dir.join("head");
        let io = |source| Fault::Io { doing: "opening", path: path.clone(), source };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        let first = slot(&file, 0);
        let second = slot(&file, SLOT_STRIDE);
        let odd = first.seq > second.seq;
        let newest = if odd { first } else { second };
        Ok((Self { file, path, odd }, newest))
    }

    /// Notes an acknowledged head, over the older of the two notes.
    pub(super) fn note(&mut self, head: &Head) -> Result<(), Fault> {
        let mut bytes = Vec::with_capacity(SLOT_BYTES);
        bytes.extend_from_slice(&head.seq.to_le_bytes());
        bytes.extend_from_slice(&head.hash);
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        let offset = if self.odd { SLOT_STRIDE } else { 0 };
        self.odd = !self.odd;
        self.file.write_all_at(&bytes, offset).map_err(|source| Fault::Io {
            doing: "writing",
            path: self.path.clone(),
            source,
        })
    }
}

/// A slot's head; a missing or torn one counts as empty, for the note is a second opinion and not the log.
fn slot(file: &File, offset: u64) -> Head {
    let mut bytes = [0_u8; SLOT_BYTES];
    if file.read_exact_at(&mut bytes, offset).is_err() {
        return Head::EMPTY;
    }
    let (Some((seq, rest)), Some(crc)) = (bytes.split_first_chunk::<8>(), bytes.last_chunk::<4>()) else {
        return Head::EMPTY;
    };
    let Some(hash) = rest.first_chunk::<32>() else { return Head::EMPTY };
    if crc32c::crc32c_append(crc32c::crc32c(seq), hash) != u32::from_le_bytes(*crc) {
        return Head::EMPTY;
    }
    Head { seq: u64::from_le_bytes(*seq), hash: *hash }
}
