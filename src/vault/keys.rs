//! The key file: slots of 64 bytes, appended, and overwritten in place on erasure.
//!
//! A database, or a file that is only appended to, would keep a deleted key's bytes until some later compaction. Here the
//! slot itself is overwritten and synced. (A drive that moves sectors may still hold a copy that only its maker's tools reach;
//! encrypt the drive where that matters.)
//!
//! A slot: person (16), key (32), CRC32C (4, little-endian), mark (12). The mark names the erasure after which the key was
//! made, or, where the key is of zeros, the erasure that destroyed it; zeros for none. The CRC is of person and key, and of
//! the mark where there is one. 64 divides a sector, so a slot is written whole or not at all; one of zeros was never written.

use super::{Entry, Fault, Key, Mark};
use crate::domain::hash::HashMap;
use crate::domain::id::PersonId;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Read as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Bytes of a slot.
const SLOT_BYTES: usize = 64;
/// The same as an offset.
const SLOT_STRIDE: u64 = 64;

/// The open file and what has yet to be written to it.
pub(super) struct KeyFile {
    file: File,
    path: PathBuf,
    slots: u64,
    /// Where each person's key in use stands; needed only to erase it.
    places: HashMap<PersonId, u64>,
    pending: Vec<(PersonId, Key, Mark)>,
    stopped: bool,
}

impl KeyFile {
    /// Opens or makes `keys` in `dir` and reads every slot.
    pub(super) fn open(dir: &Path) -> Result<(Self, HashMap<PersonId, Entry>), Fault> {
        let path = dir.join("keys");
        let io = |source| Fault::Io { doing: "opening", path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Fault::Held { path }),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let mut bytes = Zeroizing::new(Vec::new());
        file.read_to_end(&mut bytes).map_err(io)?;
        let mut people = HashMap::default();
        let mut places = HashMap::default();
        let mut slots = 0_u64;
        let (whole, torn) = bytes.as_chunks::<SLOT_BYTES>();
        for (place, slot) in (0_u64..).zip(whole) {
            slots = place.saturating_add(1);
            if slot.iter().all(|byte| *byte == 0) {
                continue;
            }
            let (person, key, mark) =
                decode(slot).ok_or_else(|| Fault::DamagedSlot { path: path.clone(), slot: place })?;
            let entry = people.entry(person).or_insert(Entry { key: None, erased: false, mark });
            // A later key stands in a later slot, so the last slot names the last erasure.
            entry.mark = mark;
            if key.iter().all(|byte| *byte == 0) {
                entry.erased = true;
            } else {
                entry.erased |= mark != Mark::default();
                entry.key = Some(key);
                places.insert(person, place);
            }
        }
        if !torn.is_empty() {
            file.set_len(slots.saturating_mul(SLOT_STRIDE)).and_then(|()| file.sync_all()).map_err(io)?;
        }
        Ok((Self { file, path, slots, places, pending: Vec::new(), stopped: false }, people))
    }

    /// Marks a new key to be written by the next commit.
    pub(super) fn pend(&mut self, person: PersonId, key: Key, made_after: Mark) {
        self.pending.push((person, key, made_after));
    }

    /// Writes and syncs the pending keys.
    pub(super) fn commit(&mut self) -> Result<(), Fault> {
        if self.stopped {
            return Err(Fault::Stopped);
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.pending.len().saturating_mul(SLOT_BYTES)));
        for (person, key, made_after) in &self.pending {
            bytes.extend_from_slice(&*encode(*person, key, made_after));
        }
        self.write(&bytes, self.slots)?;
        for (person, ..) in self.pending.drain(..) {
            self.places.insert(person, self.slots);
            self.slots = self.slots.saturating_add(1);
        }
        Ok(())
    }

    /// Overwrites a person's key with zeros and syncs.
    pub(super) fn erase(&mut self, person: PersonId, erasure: Mark) -> Result<(), Fault> {
        if self.stopped {
            return Err(Fault::Stopped);
        }
        let Some(place) = self.places.get(&person).copied() else { return Ok(()) };
        self.write(&*encode(person, &[0; 32], &erasure), place)?;
        self.places.remove(&person);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], place: u64) -> Result<(), Fault> {
        let offset = place.saturating_mul(SLOT_STRIDE);
        let written = self.file.write_all_at(bytes, offset).and_then(|()| self.file.sync_data());
        written.map_err(|source| {
            // After a failed sync nobody knows what is on the disk; only a fresh start may look.
            self.stopped = true;
            Fault::Io { doing: "writing", path: self.path.clone(), source }
        })
    }
}

fn encode(person: PersonId, key: &[u8; 32], mark: &Mark) -> Zeroizing<[u8; SLOT_BYTES]> {
    let mut slot = Zeroizing::new([0_u8; SLOT_BYTES]);
    let crc = crc_of(person.0.as_bytes(), key, mark).to_le_bytes();
    let bytes = person.0.as_bytes().iter().chain(key).chain(&crc).chain(mark);
    slot.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    slot
}

fn crc_of(person: &[u8; 16], key: &[u8; 32], mark: &Mark) -> u32 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(person), key);
    if *mark == Mark::default() { crc } else { crc32c::crc32c_append(crc, mark) }
}

fn decode(slot: &[u8; SLOT_BYTES]) -> Option<(PersonId, Key, Mark)> {
    let (person, rest) = slot.split_first_chunk::<16>()?;
    let (key, rest) = rest.split_first_chunk::<32>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let mark = Mark::try_from(rest).ok()?;
    let sound = crc_of(person, key, &mark) == u32::from_le_bytes(*crc);
    sound.then(|| (PersonId(Uuid::from_bytes(*person)), Key::new(*key), mark))
}
