//! Sealed contacts beside the log, one after the other as they were pledged, so that a file of a season reads some hundred bytes a
//! donation instead of the whole log.
//!
//! It is a cache and nothing else: never synced, never backed up, written after the log was. Where a contact stands is counted
//! by the ledger's own fold, so there is no index; what is not there, or not what it should be, is read from the log and put
//! back in its place.

use crate::domain::sealed::Sealed;
use crate::projections::ledger::{ContactAt, SHELF_HEAD_BYTES};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

// A record's checksum and length, four bytes each, and the number of its event, eight; all of them little-endian.
const _: () = assert!(SHELF_HEAD_BYTES == 16);
/// Bytes that are read at once: what comes next is mostly asked for next.
const WINDOW_BYTES: usize = 64 * 1024;

/// The file; nothing is kept where it can't be opened.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf(Option<Arc<File>>);

impl Shelf {
    /// Opens the file in a data folder, or makes it.
    pub(super) fn open(data: &Path) -> Self {
        let path = data.join("contacts");
        let file = File::options().create(true).truncate(false).read(true).write(true).open(&path);
        match file {
            Ok(file) => Self(Some(Arc::new(file))),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "contacts can't be kept beside the log: files take longer");
                Self::default()
            }
        }
    }

    /// Puts what a pledge sealed where the ledger counts it.
    pub(super) fn put(&self, at: ContactAt, sealed: &Sealed) {
        let Some(file) = &self.0 else { return };
        let bytes = sealed.bytes();
        let Ok(length) = u32::try_from(bytes.len()) else { return };
        let rest = [&length.to_le_bytes()[..], &at.seq.to_le_bytes(), &bytes].concat();
        let record = [&crc32c::crc32c(&rest).to_le_bytes()[..], &rest].concat();
        // A full disk is told by those whose bytes matter.
        let _ = file.write_all_at(&record, at.place);
    }

    pub(super) fn window(&self) -> Window {
        Window { shelf: self.clone(), start: 0, bytes: vec![] }
    }
}

/// Reads contacts; quick for neighbours.
pub(super) struct Window {
    shelf: Shelf,
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// What a pledge sealed, where it stands there whole.
    pub(super) fn get(&mut self, at: ContactAt) -> Option<&[u8]> {
        if self.record(at.place).is_none() {
            self.fill(at.place);
        }
        let record = self.record(at.place)?;
        let (crc, rest) = record.split_first_chunk()?;
        let (_, rest_after) = rest.split_first_chunk::<4>()?;
        let (number, sealed) = rest_after.split_first_chunk()?;
        let sound = u64::from_le_bytes(*number) == at.seq && u32::from_le_bytes(*crc) == crc32c::crc32c(rest);
        sound.then_some(sealed)
    }

    /// The record that begins there, where all of it is in the window.
    fn record(&self, at: u64) -> Option<&[u8]> {
        let start = usize::try_from(at.checked_sub(self.start)?).ok()?;
        let rest = self.bytes.get(start..)?;
        let length = rest.get(4..)?.first_chunk().map(|length| u32::from_le_bytes(*length))?;
        rest.get(..usize::try_from(SHELF_HEAD_BYTES.checked_add(length.into())?).ok()?)
    }

    fn fill(&mut self, at: u64) {
        self.bytes.resize(WINDOW_BYTES, 0);
        self.start = at;
        let mut filled = 0_usize;
        while let (Some(file), Some(rest)) =
            (&self.shelf.0, self.bytes.get_mut(filled..).filter(|rest| !rest.is_empty()))
        {
            let place = at.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            match file.read_at(rest, place) {
                Ok(0) | Err(_) => break,
                Ok(read) => filled = filled.saturating_add(read),
            }
        }
        self.bytes.truncate(filled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: u64, seq: u64) -> ContactAt {
        ContactAt { seq, place }
    }

    fn sealed(length: u8) -> Sealed {
        Sealed::new(&vec![length; usize::from(length)])
    }

    #[test]
    fn what_was_put_is_there_and_nothing_else_is_taken_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(dir.path());
        let places = [(0, 3, 200), (216, 9, 40), (1_000_000, 12, 100)];
        for (place, seq, length) in places {
            shelf.put(at(place, seq), &sealed(length));
        }
        let mut window = shelf.window();
        for (place, seq, length) in places {
            assert_eq!(window.get(at(place, seq)), Some(sealed(length).bytes().as_slice()), "{place}");
        }
        assert_eq!(window.get(at(0, 4)), None, "another event's");
        assert_eq!(window.get(at(272, 10)), None, "a hole");
        assert_eq!(window.get(at(2_000_000, 13)), None, "beyond the end");
        let path = dir.path().join("contacts");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[100] ^= 1;
        bytes.truncate(250);
        std::fs::write(&path, bytes).unwrap();
        let mut window = Shelf::open(dir.path()).window();
        assert_eq!(window.get(at(0, 3)), None, "a bit that flipped");
        assert_eq!(window.get(at(216, 9)), None, "a record that is cut off");
        shelf.put(at(0, 3), &sealed(200));
        let mut window = Shelf::open(dir.path()).window();
        assert!(window.get(at(0, 3)).is_some(), "it is put back in its place");
    }

    #[test]
    fn without_a_file_nothing_is_there() {
        let shelf = Shelf::open(Path::new("/nowhere/at/all"));
        shelf.put(at(0, 1), &sealed(9));
        assert_eq!(shelf.window().get(at(0, 1)), None);
    }
}
