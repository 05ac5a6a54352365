//! The journal: where lines are durable first.
//!
//! An append writes its lines as one record into a file that is long enough already, syncs that file, and is done: what a
//! disk can do at its quickest. The binder packs the lines into frames afterwards, a stretch at a time, which frees their
//! space: the file is a ring. `JOURNAL.md` beside this file has the bytes.

mod record;

use super::disk::{Disk, fault};
use super::witness::Witness;
use super::{Fault, Head};
use record::BLOCK_BYTES;
pub(super) use record::Text;
use std::collections::VecDeque;
use std::io;

/// The most bytes of records that may wait to be bound, in memory and on the disk, before an append waits for the binder: more
/// than a second of its work, and some 500,000 events of a usual size.
pub(super) const RING_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Records begin at the front again when this part of the ring is free there: a rush must find room, for what lies behind is
/// not to be had until the records in between are bound.
const TURN_PART: u64 = 4;
/// How much is read at once when the journal is opened, a multiple of a block.
const READ_BYTES: usize = 256 * BLOCK_BYTES;
/// A file that must grow grows by its own length, within these bounds: an append waits for it.
const GROW_BYTES_MIN: u64 = 256 * 1024;
const GROW_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// The open journal.
pub(super) struct Journal {
    disk: Box<dyn Disk>,
    /// How long the file is.
    length: u64,
    ring: Ring,
    acknowledged: Witness,
    record: Vec<u8>,
}

/// Whether a record found its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It is durable.
    Durable,
    /// Everything is full of what is not bound yet; nothing was written.
    Full,
}

/// Which places of the file are in use.
struct Ring {
    /// The most bytes it may have.
    max: u64,
    /// Records that may not be overwritten, in the order of their events.
    used: VecDeque<Used>,
    /// Behind the last record.
    end: u64,
}

/// A record's place: where it begins, and its last event.
struct Used {
    begin: u64,
    newest: u64,
}

impl Ring {
    /// Where a record of so many bytes goes, when frames hold everything up to event `bound`; `None` when it has no room.
    fn place(&mut self, bytes: u64, bound: u64) -> Option<u64> {
        while self.used.front().is_some_and(|used| used.newest <= bound) {
            self.used.pop_front();
        }
        // A record larger than the ring has it to itself.
        let Some(oldest) = self.used.front().map(|used| used.begin) else { return Some(0) };
        let fits = |place: u64, until| place.saturating_add(bytes) <= until;
        if self.end <= oldest {
            return fits(self.end, oldest).then_some(self.end);
        }
        let turns = oldest >= (self.max / TURN_PART).max(self.end.saturating_sub(oldest));
        let front = fits(0, oldest).then_some(0);
        let behind = fits(self.end, self.max).then_some(self.end);
        if turns { front.or(behind) } else { behind.or(front) }
    }

    fn take(&mut self, begin: u64, bytes: u64, newest: u64) {
        self.used.push_back(Used { begin, newest });
        self.end = begin.saturating_add(bytes);
    }
}

impl Journal {
    /// Opens the journal of a log whose frames end with event `bound`, and returns what they lack. `max` is the most bytes
    /// that may wait to be bound.
    ///
    /// # Errors
    /// [`Fault::Journal`] when something that was acknowledged can't be read; [`Fault::Io`] when the disk fails.
    pub(super) fn open(
        disk: Box<dyn Disk>,
        acknowledged: Box<dyn Disk>,
        bound: u64,
        max: u64,
    ) -> Result<(Self, Vec<Text>), Fault> {
        let (acknowledged, seen) = Witness::open(acknowledged)?;
        let length = disk.length().map_err(|source| fault(&*disk, "reading", source))?;
        let mut found = records(&*disk, length, bound).map_err(|source| fault(&*disk, "reading", source))?;
        let lost = |end: u64, until: u64| {
            let path = disk.path().to_path_buf();
            Fault::Journal { path, from: end.saturating_add(1), until }
        };
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
        // What was found is bound before anything is written, so that the whole file is free then.
        let ring = Ring { max, used: VecDeque::new(), end: 0 };
        Ok((Self { disk, length, ring, acknowledged, record: Vec::new() }, found))
    }

    /// Writes a record that follows on the last, and syncs it. Frames hold everything up to event `bound`.
    ///
    /// # Errors
    /// [`Fault`]: what is on the disk is unknown then, and the journal must not be written again.
    pub(super) fn write(&mut self, text: &Text, bound: u64) -> Result<Written, Fault> {
        record::write(&mut self.record, text);
        let bytes = u64::try_from(self.record.len()).unwrap_or(u64::MAX);
        let Some(place) = self.ring.place(bytes, bound) else { return Ok(Written::Full) };
        self.grow(place.saturating_add(bytes))?;
        self.disk.write_at(&self.record, place).map_err(|source| fault(&*self.disk, "writing", source))?;
        // After a failed sync the kernel may drop the pages and call the next one a success, so nothing is tried again.
        self.disk.sync().map_err(|source| fault(&*self.disk, "syncing", source))?;
        self.ring.take(place, bytes, text.newest());
        self.acknowledged.note(&Head { seq: text.newest(), hash: [0; 32] })?;
        Ok(Written::Durable)
    }

    /// Fills with zeros ahead: a file that grows makes each sync write its new length too, through the file system's own
    /// journal, which takes about as long again.
    fn grow(&mut self, until: u64) -> Result<(), Fault> {
        static ZEROS: [u8; 64 * BLOCK_BYTES] = [0; 64 * BLOCK_BYTES];
        if until <= self.length {
            return Ok(());
        }
        let step = self.length.clamp(GROW_BYTES_MIN, GROW_BYTES_MAX);
        let wanted = until.max(self.length.saturating_add(step));
        while self.length < wanted {
            let written = self.disk.write_at(&ZEROS, self.length);
            written.map_err(|source| fault(&*self.disk, "reserving space in", source))?;
            self.length = self.length.saturating_add(u64::try_from(ZEROS.len()).unwrap_or(u64::MAX));
        }
        Ok(())
    }
}

/// Every whole record with an event after `bound`, wherever it stands.
fn records(disk: &dyn Disk, length: u64, bound: u64) -> io::Result<Vec<Text>> {
    let mut found = Vec::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut at = 0;
    while at < length {
        let left = usize::try_from(length.saturating_sub(at)).unwrap_or(READ_BYTES).min(READ_BYTES);
        let bytes = buffer.get_mut(..left).unwrap_or_default();
        disk.read_at(bytes, at)?;
        for block in bytes.chunks(BLOCK_BYTES) {
            if let Some(front) = record::Front::of(block).filter(|front| front.is_after(bound)) {
                let lines = front.lines(at);
                if lines.end <= length {
                    let mut text = vec![0; usize::try_from(lines.end.saturating_sub(lines.start)).unwrap_or(0)];
                    disk.read_at(&mut text, lines.start)?;
                    found.extend(front.with(text));
                }
            }
            at = at.saturating_add(u64::try_from(block.len()).unwrap_or(u64::MAX));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes records of 1 to 20 blocks at random while others are bound, and looks whether two that are in use overlap.
    #[test]
    fn no_record_is_written_over_one_that_is_in_use() {
        const MAX: u64 = 64 * 4096;
        let mut chance = 1_u64;
        let mut draw = |end: u64| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (chance >> 33) % end
        };
        let mut ring = Ring { max: MAX, used: VecDeque::new(), end: 0 };
        let (mut live, mut bound, mut newest) = (Vec::<(u64, u64, u64)>::new(), 0, 0_u64);
        let (mut full, mut largest) = (0, 0);
        for _ in 0..100_000 {
            let bytes = (1 + draw(20)) * 4096;
            match ring.place(bytes, bound) {
                Some(place) => {
                    newest += 1;
                    live.retain(|(_, _, newest)| *newest > bound);
                    for (begin, end, _) in &live {
                        assert!(place + bytes <= *begin || place >= *end, "{place} lies in {begin} to {end}");
                    }
                    ring.take(place, bytes, newest);
                    live.push((place, place + bytes, newest));
                    largest = largest.max(place + bytes);
                }
                None => {
                    full += 1;
                    bound = (bound + 1 + draw(3)).min(newest);
                }
            }
            if draw(8) == 0 {
                bound = (bound + draw(4)).min(newest);
            }
        }
        assert!(full > 100 && largest <= MAX && largest > MAX * 9 / 10, "{full} times full, {largest} bytes");
    }

    #[test]
    fn a_ring_whose_front_is_free_does_not_grow() {
        let mut ring = Ring { max: RING_BYTES_MAX, used: VecDeque::new(), end: 0 };
        let mut largest = 0;
        // The binder is always 50 records of 8 KiB behind.
        for n in 50..10_000_u64 {
            let place = ring.place(8192, n - 50).unwrap();
            ring.take(place, 8192, n);
            largest = largest.max(place + 8192);
        }
        assert!(largest <= RING_BYTES_MAX / TURN_PART + (60 << 13), "{largest}");
        // A rush finds everything else, and what is larger than the ring has it to itself.
        let before = ring.used.back().unwrap().newest;
        let mut rush = before;
        while let Some(place) = ring.place(1 << 20, before) {
            rush += 1;
            ring.take(place, 1 << 20, rush);
        }
        assert!((rush - before) << 20 > RING_BYTES_MAX - (4 << 20), "{} of {RING_BYTES_MAX}", (rush - before) << 20);
        assert_eq!(ring.place(RING_BYTES_MAX * 2, rush), Some(0));
    }
}
