//! A witness to what was acknowledged: a place in the log, noted beside it after each sync.
//!
//! A damaged segment can make sled end its log early without a word, and neither a hash chain nor a journal can miss its own
//! end. The note is written after the sync and not synced itself, so it costs next to nothing, is never ahead of the log, and
//! outlives the process; after a power cut it may be somewhat old, which weakens the check and never makes it wrong.

use super::disk::{Disk, fault};
use super::{Fault, Head};
use std::io;

/// Sequence number (8, little-endian), hash (32), CRC32C of both (4).
const SLOT_BYTES: usize = 44;
/// Slots stand this far apart, so that a torn write of one sector cannot hit both.
const SLOT_STRIDE: u64 = 4096;

/// The open note.
pub(super) struct Witness {
    disk: Box<dyn Disk>,
    odd: bool,
}

impl Witness {
    /// Reads the note and returns the newest head in it. One of events alone has a hash of zeros.
    pub(super) fn open(disk: Box<dyn Disk>) -> Result<(Self, Head), Fault> {
        let read = || {
            let length = disk.length()?;
            Ok((slot(&*disk, 0, length)?, slot(&*disk, SLOT_STRIDE, length)?))
        };
        let (first, second) = read().map_err(|source| fault(&*disk, "reading", source))?;
        let odd = first.seq > second.seq;
        let newest = if odd { first } else { second };
        Ok((Self { disk, odd }, newest))
    }

    /// Notes an acknowledged head, over the older of the two notes.
    pub(super) fn note(&mut self, head: &Head) -> Result<(), Fault> {
        let mut bytes = [0; SLOT_BYTES];
        let (front, crc) = bytes.split_at_mut(SLOT_BYTES.saturating_sub(4));
        let (seq, hash) = front.split_at_mut(8);
        seq.copy_from_slice(&head.seq.to_le_bytes());
        hash.copy_from_slice(&head.hash);
        crc.copy_from_slice(&crc32c::crc32c(front).to_le_bytes());
        let offset = if self.odd { SLOT_STRIDE } else { 0 };
        self.odd = !self.odd;
        self.disk.write_at(&bytes, offset).map_err(|source| fault(&*self.disk, "writing", source))
    }
}

/// A slot's head; a missing or torn one counts as empty, for the note is a second opinion and not the log.
fn slot(disk: &dyn Disk, offset: u64, length: u64) -> io::Result<Head> {
    let mut bytes = [0; SLOT_BYTES];
    if length < offset.saturating_add(SLOT_BYTES.try_into().unwrap_or(u64::MAX)) {
        return Ok(Head::EMPTY);
    }
    disk.read_at(&mut bytes, offset)?;
    let read = || {
        let (front, crc) = bytes.split_last_chunk::<4>()?;
        let (seq, hash) = front.split_first_chunk::<8>()?;
        let sound = crc32c::crc32c(front) == u32::from_le_bytes(*crc);
        sound.then_some(Head { seq: u64::from_le_bytes(*seq), hash: hash.try_into().ok()? })
    };
    Ok(read().unwrap_or(Head::EMPTY))
}
