//! An append in two halves: packing needs a processor, storing needs the disk, and each can have a thread of its own.

use super::ahead::Ahead;
use super::archive::read::Record;
use super::frame::chain::Chain;
use super::frame::pack::Packer;
use super::sled::{Reader, refuse_blobs};
use super::witness::Witness;
use super::{Fault, Head, MAX_LINE_BYTES};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The first half: lines become frames that continue what was packed before, whether that is stored yet or not.
pub struct Packing {
    packer: Packer,
    chain: Chain,
    reader: Reader,
    stopped: Arc<AtomicBool>,
}

/// Frames on the way from [`Packing`] to [`Storing`].
pub struct Packed {
    frames: Vec<([u8; 8], Vec<u8>)>,
    before: Head,
    after: Head,
}

/// The second half: frames become durable, in the order in which they were packed.
pub struct Storing {
    reader: Reader,
    witness: Witness,
    ahead: Ahead,
    stopped: Arc<AtomicBool>,
}

/// Both halves of the log that `reader` reads.
pub(super) fn halves(
    reader: Reader,
    chain: Chain,
    packer: Packer,
    witness: Witness,
    ahead: Ahead,
) -> (Packing, Storing) {
    let stopped = Arc::new(AtomicBool::new(false));
    let packing = Packing { packer, chain, reader: reader.clone(), stopped: stopped.clone() };
    (packing, Storing { reader, witness, ahead, stopped })
}

impl Packing {
    /// Packs lines in order into frames that continue the last call's; `None` when there are no lines.
    ///
    /// # Errors
    /// [`Fault::LineTooLong`] and [`Fault::LineBreak`] refuse the call and change nothing. After any other fault, here or
    /// while storing, every later call answers [`Fault::Stopped`].
    pub fn pack(&mut self, lines: &[Vec<u8>]) -> Result<Option<Packed>, Fault> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(Fault::Stopped);
        }
        for (index, line) in lines.iter().enumerate() {
            if line.len() > MAX_LINE_BYTES {
                return Err(Fault::LineTooLong { index, bytes: line.len() });
            }
            if line.contains(&b'\n') {
                return Err(Fault::LineBreak { index });
            }
        }
        let before = self.head();
        let mut frames = Vec::new();
        let mut rest = lines;
        while !rest.is_empty() {
            let first_seq = self.head().seq.saturating_add(1);
            let packed = self.packer.pack(&mut self.chain, rest);
            let packed = packed.inspect_err(|_| self.stopped.store(true, Ordering::Release));
            let (bytes, took) = packed.map_err(|source| self.reader.io("packing frames for", source))?;
            frames.push((first_seq.to_be_bytes(), bytes));
            rest = rest.get(took..).unwrap_or_default();
        }
        Ok(if frames.is_empty() { None } else { Some(Packed { frames, before, after: self.head() }) })
    }

    /// Takes frames that were packed elsewhere, as they are.
    ///
    /// # Errors
    /// [`Fault::Broken`] where one does not continue what was packed before; nothing more can be packed then.
    pub(super) fn take(&mut self, records: &[Record]) -> Result<Packed, Fault> {
        let before = self.head();
        let mut frames = Vec::with_capacity(records.len());
        for record in records {
            let first_seq = record.header().first_seq;
            let taken = self.chain.take(record.header()).inspect_err(|_| self.stopped.store(true, Ordering::Release));
            taken.map_err(|cause| Fault::Broken { first_seq, cause })?;
            frames.push((first_seq.to_be_bytes(), record.stored().to_vec()));
        }
        Ok(Packed { frames, before, after: self.head() })
    }

    /// Where the log ends once everything that was packed is stored.
    pub fn head(&self) -> Head {
        self.chain.head()
    }
}

impl Storing {
    /// Stores what [`Packing::pack`] made and syncs once. When it returns `Ok` every line is on disk, and readers see it.
    ///
    /// # Errors
    /// [`Fault::OutOfOrder`] refuses what does not continue the log, and changes nothing. After any other fault it is
    /// unknown what reached the disk: the process must stop, and every later call answers [`Fault::Stopped`].
    pub fn store(&mut self, packed: Packed) -> Result<Head, Fault> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(Fault::Stopped);
        }
        let head = self.head();
        if packed.before != head {
            return Err(Fault::OutOfOrder {
                expected: head.seq.saturating_add(1),
                found: packed.before.seq.saturating_add(1),
            });
        }
        // After a failed fsync the kernel may drop the pages and call the next one a success, so nothing is retried.
        self.write(&packed).inspect_err(|_| self.stopped.store(true, Ordering::Release))?;
        Ok(packed.after)
    }

    /// The newest synced event and its frame's hash.
    pub fn head(&self) -> Head {
        self.reader.head()
    }

    /// A reader for other threads.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    fn write(&mut self, packed: &Packed) -> Result<(), Fault> {
        // The last flush has come back and nobody else writes: sled is at rest.
        self.ahead.keep()?;
        // One decision's events may lie on both sides of a frame's end: a crash must keep all frames or none.
        self.reader.tree.add(&packed.frames)?;
        self.reader.tree.sync()?;
        refuse_blobs(&self.reader.dir.join("sled"))?;
        self.witness.note(&packed.after)?;
        *self.reader.head.write() = packed.after;
        Ok(())
    }
}
