//! The bytes of the journal's records. Pure.

/// Records begin at multiples of this many bytes: a record that is written never touches a sector that holds another.
pub(super) const BLOCK_BYTES: usize = 4096;
/// Bytes before the lines.
const HEADER_BYTES: usize = 32;
/// The first bytes of a record, with the format's version.
const MAGIC: [u8; 8] = *b"GSWJ\x01\0\0\0";

/// Lines that follow on each other, each with its line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::log) struct Text {
    /// The number of the first.
    pub(in crate::log) first_seq: u64,
    /// How many; at least 1.
    pub(in crate::log) count: u32,
    /// The lines.
    pub(in crate::log) bytes: Vec<u8>,
}

impl Text {
    /// Joins lines that are free of line feeds.
    pub(in crate::log) fn of(first_seq: u64, lines: &[Vec<u8>]) -> Self {
        let length = lines.iter().map(|line| line.len().saturating_add(1)).fold(0, usize::saturating_add);
        let mut bytes = Vec::with_capacity(length);
        for line in lines {
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
        }
        Self { first_seq, count: u32::try_from(lines.len()).unwrap_or(u32::MAX), bytes }
    }

    /// The number of the last line.
    pub(in crate::log) fn newest(&self) -> u64 {
        self.first_seq.saturating_add(u64::from(self.count)).saturating_sub(1)
    }

    /// The lines, without their line feeds.
    pub(in crate::log) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.split_inclusive(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line))
    }

    /// Leaves out the lines up to this number.
    pub(super) fn skip_until(&mut self, seq: u64) {
        while self.first_seq <= seq && self.count > 0 {
            let first = self.lines().next().map_or(0, |line| line.len().saturating_add(1));
            self.bytes.drain(..first);
            self.first_seq = self.first_seq.saturating_add(1);
            self.count = self.count.saturating_sub(1);
        }
    }
}

/// Writes a record into `to`, in place of what was there: a multiple of [`BLOCK_BYTES`].
pub(super) fn write(to: &mut Vec<u8>, text: &Text) {
    to.clear();
    to.extend_from_slice(&MAGIC);
    to.extend_from_slice(&text.first_seq.to_le_bytes());
    to.extend_from_slice(&text.count.to_le_bytes());
    to.extend_from_slice(&u32::try_from(text.bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    to.extend_from_slice(&[0; 4]);
    let crc = crc32c::crc32c_append(crc32c::crc32c(to), &text.bytes);
    to.extend_from_slice(&crc.to_le_bytes());
    to.extend_from_slice(&text.bytes);
    to.resize(to.len().next_multiple_of(BLOCK_BYTES), 0);
}

/// Every whole record of a file with an event after `bound`, wherever it stands.
///
/// No line can pass for a record's front: it is text, and [`MAGIC`] is not.
pub(super) fn all(file: &[u8], bound: u64) -> Vec<Text> {
    let mut found = Vec::new();
    let mut at = 0_usize;
    while let Some(rest) = file.get(at..).filter(|rest| !rest.is_empty()) {
        let text = read(rest, bound);
        let blocks = text.as_ref().map_or(0, |text| text.bytes.len().saturating_add(HEADER_BYTES));
        at = at.saturating_add(blocks.max(1).next_multiple_of(BLOCK_BYTES));
        found.extend(text);
    }
    found
}

/// The record at the front of these bytes; `None` where there is none that is whole, or none that is wanted.
fn read(bytes: &[u8], bound: u64) -> Option<Text> {
    let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let (front, crc) = header.split_last_chunk::<4>()?;
    let fields = front.strip_prefix(&MAGIC)?;
    let (first_seq, fields) = fields.split_first_chunk()?;
    let (count, fields) = fields.split_first_chunk()?;
    let (length, _) = fields.split_first_chunk()?;
    let (first_seq, count) = (u64::from_le_bytes(*first_seq), u32::from_le_bytes(*count));
    if count == 0 || first_seq.saturating_add(u64::from(count)) <= bound.saturating_add(1) {
        return None;
    }
    let lines = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let sound = crc32c::crc32c_append(crc32c::crc32c(front), lines) == u32::from_le_bytes(*crc);
    sound.then(|| Text { first_seq, count, bytes: lines.to_vec() })
}
