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
        let mut begin = 0;
        memchr::memchr_iter(b'\n', &self.bytes).map(move |end| {
            let line = self.bytes.get(begin..end).unwrap_or_default();
            begin = end.saturating_add(1);
            line
        })
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

/// What the front of a record says of it.
pub(super) struct Front {
    first_seq: u64,
    count: u32,
    /// Bytes of its lines.
    length: u32,
    /// Of everything before it, and the lines.
    crc: u32,
    /// Of everything before that.
    front_crc: u32,
}

impl Front {
    /// Of the record that these bytes begin; `None` where they begin none.
    ///
    /// No line can pass for one: it is text, and [`MAGIC`] is not.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let (front, crc) = bytes.first_chunk::<HEADER_BYTES>()?.split_last_chunk::<4>()?;
        let fields = front.strip_prefix(&MAGIC)?;
        let (first_seq, fields) = fields.split_first_chunk()?;
        let (count, fields) = fields.split_first_chunk()?;
        let (length, _) = fields.split_first_chunk()?;
        let (first_seq, count) = (u64::from_le_bytes(*first_seq), u32::from_le_bytes(*count));
        let (length, crc) = (u32::from_le_bytes(*length), u32::from_le_bytes(*crc));
        (count > 0).then(|| Self { first_seq, count, length, crc, front_crc: crc32c::crc32c(front) })
    }

    /// Whether it says that it has an event after `bound`.
    pub(super) fn is_after(&self, bound: u64) -> bool {
        self.first_seq.saturating_add(u64::from(self.count)) > bound.saturating_add(1)
    }

    /// Where the record's lines begin and end, in a file in which it begins at `offset`.
    pub(super) fn lines(&self, offset: u64) -> std::ops::Range<u64> {
        let begin = offset.saturating_add(u64::try_from(HEADER_BYTES).unwrap_or(u64::MAX));
        begin..begin.saturating_add(u64::from(self.length))
    }

    /// The record with these lines; `None` where it is not as it was written.
    pub(super) fn with(self, bytes: Vec<u8>) -> Option<Text> {
        let Self { first_seq, count, crc, front_crc, .. } = self;
        (crc32c::crc32c_append(front_crc, &bytes) == crc).then_some(Text { first_seq, count, bytes })
    }
}
