//! One segment's file, record by record.

use super::{FOLDER, Flaw, SKIPPABLE};
use crate::log::Fault;
use crate::log::frame::{self, Header};
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

/// How segments end.
const EXTENSION: &str = "gswf";
/// Digits of the first event in a name: those of the largest number, so that names sort as numbers do.
const DIGITS: usize = 20;

/// A frame as it stands in a record.
pub(super) struct Found {
    pub(super) header: Header,
    pub(super) bytes: Vec<u8>,
}

/// A segment that is read from its beginning.
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// The first event, by its name.
    pub(super) name: u64,
    file: BufReader<File>,
    /// Bytes of the records read so far.
    pub(super) whole: u64,
    pub(super) length: u64,
    /// The event that comes next, as far as that is known.
    pub(super) next_seq: u64,
}

/// The segments in a folder with their first events, in order.
pub(super) fn list(dir: &Path) -> Result<Vec<(u64, PathBuf)>, Fault> {
    let io = |source| Fault::Io { doing: "reading the folder", path: dir.to_path_buf(), source };
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let digits = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| stem.len() == DIGITS);
        let named = digits.and_then(|digits| digits.parse().ok());
        if let Some(name) = named.filter(|_| path.extension().is_some_and(|extension| extension == EXTENSION)) {
            segments.push((name, path));
        }
    }
    segments.sort();
    Ok(segments)
}

/// Where the segment that begins with an event stands.
pub(super) fn path(log: &Path, first_seq: u64) -> PathBuf {
    log.join(FOLDER).join(format!("{first_seq:0DIGITS$}.{EXTENSION}"))
}

/// A frame as a record.
pub(super) fn record(header: &Header, stored: &[u8]) -> Vec<u8> {
    let length = u32::try_from(header.bytes()).unwrap_or(u32::MAX);
    [&SKIPPABLE, &length.to_le_bytes()[..], stored].concat()
}

impl Segment {
    pub(super) fn open(name: u64, path: PathBuf) -> Result<Self, Fault> {
        let io = |source| Fault::Io { doing: "reading", path: path.clone(), source };
        let file = File::open(&path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        Ok(Self { name, file: BufReader::with_capacity(1 << 20, file), whole: 0, length, next_seq: name, path })
    }

    /// The next frame, checked by itself (but not its lines); `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Found>, Fault> {
        let left = self.length.saturating_sub(self.whole);
        if left == 0 {
            return Ok(None);
        }
        let mut front = [0_u8; 8 + frame::FRONT_BYTES];
        let Some(after_front) = left.checked_sub(bytes_of(&front)) else {
            return Err(self.flaw(Flaw::Torn { bytes: left }));
        };
        self.fill(&mut front)?;
        let (record, front) = front.split_at(8);
        let (header_bytes, stored_bytes) = frame::lengths(front).map_err(|damage| self.flaw(Flaw::Damage(damage)))?;
        let length = u32::try_from(header_bytes).unwrap_or(u32::MAX);
        if record != [SKIPPABLE, length.to_le_bytes()].concat() {
            return Err(self.flaw(Flaw::Record));
        }
        let mut bytes = front.to_vec();
        bytes.resize(stored_bytes, 0);
        let rest = bytes.get_mut(frame::FRONT_BYTES..).unwrap_or_default();
        if bytes_of(rest) > after_front {
            return Err(self.flaw(Flaw::Torn { bytes: left }));
        }
        self.fill(rest)?;
        let (header, _) = frame::open(&bytes).map_err(|damage| self.flaw(Flaw::Damage(damage)))?;
        if self.whole == 0 && header.first_seq != self.name {
            self.next_seq = header.first_seq;
            return Err(self.flaw(Flaw::Name { name: self.name }));
        }
        self.whole = self.whole.saturating_add(8).saturating_add(bytes_of(&bytes));
        self.next_seq = header.head().seq.saturating_add(1);
        Ok(Some(Found { header, bytes }))
    }

    /// Says what is wrong with the frame that comes next.
    pub(super) fn flaw(&self, flaw: Flaw) -> Fault {
        Fault::Archive { segment: self.path.clone(), first_seq: self.next_seq, flaw }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Fault> {
        let path = || self.path.clone();
        self.file.read_exact(bytes).map_err(|source| Fault::Io { doing: "reading", path: path(), source })
    }
}

fn bytes_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
