//! The journal: where lines are durable first.
//!
//! An append writes its lines as one record into a file that is long enough already, syncs that file, and is done: what a
//! disk can do at its quickest. The binder packs the lines into frames afterwards and frees their space. Two files take
//! turns: the one is written while what stands in the other is being bound. `JOURNAL.md` beside this file has the bytes.

mod record;

use super::disk::{Disk, fault};
use super::witness::Witness;
use super::{Fault, Head};
use record::BLOCK_BYTES;
pub(super) use record::Text;

/// The most bytes of records in one file. Twice this is what may wait to be bound, in memory and on the disk, before an
/// append waits for the binder: a tenth of a second of its work.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// From here on a file gives way to the other where that is free: in quiet times the two stay short.
const TURN_BYTES: u64 = 1024 * 1024;
/// A file that must grow grows by its own length, and by this at least.
const GROW_BYTES_MIN: u64 = 256 * 1024;

/// The open journal.
pub(super) struct Journal {
    current: Turn,
    other: Turn,
    acknowledged: Witness,
    record: Vec<u8>,
}

/// One of the two files.
struct Turn {
    disk: Box<dyn Disk>,
    /// Where the next record goes.
    end: u64,
    /// How long the file is.
    length: u64,
    /// The last event in it; 0 for none.
    newest: u64,
}

/// Whether a record found its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It is durable.
    Durable,
    /// Everything is full of what is not bound yet; nothing was written.
    Full,
}

impl Journal {
    /// Opens the journal of a log whose frames end with event `bound`, and returns what they lack.
    ///
    /// # Errors
    /// [`Fault::Journal`] when something that was acknowledged can't be read; [`Fault::Io`] when the disk fails.
    pub(super) fn open(
        files: [Box<dyn Disk>; 2],
        acknowledged: Box<dyn Disk>,
        bound: u64,
    ) -> Result<(Self, Vec<Text>), Fault> {
        let (acknowledged, seen) = Witness::open(acknowledged)?;
        let mut contents = Vec::with_capacity(files.len());
        for disk in &files {
            contents.push(disk.read().map_err(|source| fault(&**disk, "reading", source))?);
        }
        let [current, other] = &files;
        let paths = [current, other].map(|disk| disk.path().to_path_buf());
        let lost = |end: u64, until: u64| {
            let [one, other] = paths.clone();
            Fault::Journal { one, other, from: end.saturating_add(1), until }
        };
        let mut found: Vec<Text> = contents.iter().flat_map(|bytes| record::all(bytes, bound)).collect();
        found.sort_by_key(|text| text.first_seq);
        let mut end = bound;
        for text in &mut found {
            text.skip_until(end);
            let before = text.first_seq.saturating_sub(1);
            if before > end {
                return Err(lost(end, before));
            }
            end = text.newest();
        }
        if seen.seq > end {
            return Err(lost(end, seen.seq));
        }
        let [current, other] = files;
        let mut lengths = contents.iter().map(|bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let mut turn = |disk| Turn { disk, end: 0, length: lengths.next().unwrap_or(0), newest: 0 };
        let (current, other) = (turn(current), turn(other));
        Ok((Self { current, other, acknowledged, record: Vec::new() }, found))
    }

    /// Writes a record that follows on the last, and syncs it. Frames hold everything up to event `bound`.
    ///
    /// # Errors
    /// [`Fault`]: what is on the disk is unknown then, and the journal must not be written again.
    pub(super) fn write(&mut self, text: &Text, bound: u64) -> Result<Written, Fault> {
        record::write(&mut self.record, text);
        let bytes = u64::try_from(self.record.len()).unwrap_or(u64::MAX);
        let after = |turn: &Turn| turn.end.saturating_add(bytes);
        // A record larger than a file has one to itself.
        let fits = |turn: &Turn| turn.end == 0 || after(turn) <= FILE_BYTES_MAX;
        if self.other.newest <= bound && (self.current.end >= TURN_BYTES || !fits(&self.current)) {
            std::mem::swap(&mut self.current, &mut self.other);
            self.current.end = 0;
        }
        if !fits(&self.current) {
            return Ok(Written::Full);
        }
        self.current.grow(after(&self.current))?;
        let Turn { disk, end, newest, .. } = &mut self.current;
        disk.write_at(&self.record, *end).map_err(|source| fault(&**disk, "writing", source))?;
        // After a failed sync the kernel may drop the pages and call the next one a success, so nothing is tried again.
        disk.sync().map_err(|source| fault(&**disk, "syncing", source))?;
        *end = end.saturating_add(bytes);
        *newest = text.newest();
        self.acknowledged.note(&Head { seq: text.newest(), hash: [0; 32] })?;
        Ok(Written::Durable)
    }
}

impl Turn {
    /// Fills with zeros ahead: a file that grows makes each sync write its new length too, through the file system's own
    /// journal, which takes about as long again.
    fn grow(&mut self, until: u64) -> Result<(), Fault> {
        static ZEROS: [u8; 64 * BLOCK_BYTES] = [0; 64 * BLOCK_BYTES];
        if until <= self.length {
            return Ok(());
        }
        let step = self.length.max(GROW_BYTES_MIN);
        let wanted = until.max(self.length.saturating_add(step));
        while self.length < wanted {
            let written = self.disk.write_at(&ZEROS, self.length);
            written.map_err(|source| fault(&*self.disk, "reserving space in", source))?;
            self.length = self.length.saturating_add(u64::try_from(ZEROS.len()).unwrap_or(u64::MAX));
        }
        Ok(())
    }
}
