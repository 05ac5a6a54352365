//! One frame: packed lines with the chain that proves nobody changed them. Pure; `FRAME.md` beside this file has it byte by
//! byte.

pub mod chain;
pub mod merkle;
pub mod pack;
mod v1;
pub mod v2;

use super::{Head, MAX_LINE_BYTES};

/// The first bytes of every frame.
pub const MAGIC: [u8; 4] = *b"GSWF";
/// The format written today; all older ones are read.
pub const VERSION: u16 = 2;
/// Bytes before the body of a frame written today.
pub const HEADER_BYTES: usize = v2::HEADER_BYTES;
/// The most bytes of lines packed into one frame: 256 KiB of events shrink to about a quarter, and a batch beyond that gains
/// nothing from sharing a sync. It also bounds what a reader must allocate for a frame.
pub const MAX_RAW_BYTES: usize = 256 * 1024;
/// The most bytes of a stored frame. sled keeps up to 17 frames in a leaf, rewrites a leaf as one value, and stores a value
/// over a quarter of a segment (2 MiB of 8 MiB) as a blob that it never syncs: 17 x 64 KiB stay well below.
pub const MAX_STORED_BYTES: usize = 64 * 1024;

// A line that zstd cannot shrink must fit a frame: header, line feed and zstd's own overhead stay below a tenth of it.
const _: () = assert!(MAX_LINE_BYTES + MAX_LINE_BYTES / 10 + HEADER_BYTES < MAX_STORED_BYTES);

/// What is wrong with a frame taken by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Shorter than a header, or not as long as its header says.
    #[error("it has {found} bytes instead of {expected}")]
    Length {
        /// Bytes that are there.
        found: usize,
        /// Bytes that should be there.
        expected: usize,
    },
    /// It does not begin with [`MAGIC`].
    #[error("it does not begin with the letters GSWF")]
    Magic,
    /// Written by another version of this program.
    #[error("its format is version {found}, and this program reads versions 1 to {VERSION}: run the newer program")]
    Version {
        /// The version it claims.
        found: u16,
    },
    /// The checksum differs: its bytes changed on the disk or on the way.
    #[error("its CRC32C is {found:08x}, its bytes give {expected:08x}")]
    Crc {
        /// The checksum in the frame.
        found: u32,
        /// The checksum of its bytes.
        expected: u32,
    },
    /// The checksum agrees but the hash does not: somebody edited it and corrected the checksum.
    #[error("its own BLAKE3 hash does not match its bytes: it was edited")]
    Hash,
    /// Checksum and hash agree, but the lines are not those the hash was made over.
    #[error("its lines do not give the lines_root in its header: they were edited")]
    Lines,
    /// It was stored under a key that is not its own first sequence number.
    #[error("it says that it begins with event {found}")]
    Key {
        /// The first sequence number in the frame.
        found: u64,
    },
    /// Its body does not decompress to the lines its header promises.
    #[error("its body is not the {count} lines of {raw} bytes that its header promises")]
    Body {
        /// Promised lines.
        count: u32,
        /// Promised bytes.
        raw: u32,
    },
}

/// How a sound frame fails to continue its predecessor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// The numbers do not join.
    #[error("event {expected} should come next")]
    Seq {
        /// The number that should come next.
        expected: u64,
    },
    /// The numbers join but the hashes do not.
    #[error("it names another hash than its predecessor's")]
    Hash,
    /// A frame of version 1 after one of a later version.
    #[error("its format is older than its predecessor's")]
    Version,
    /// The frames are not counted on.
    #[error("it is not counted as frame {expected}")]
    Index {
        /// The ordinal it should have.
        expected: u64,
    },
    /// Its second link goes to another frame than the rule says.
    #[error("its skip link does not lead to the frame it should")]
    Skip,
}

/// How much of a frame is checked when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// Checksum, own hash, chain and counts: what disks do. For replay.
    Quick,
    /// That, and that the lines are those the hash was made over: what people do.
    Thorough,
}

/// A frame's header, checked against its bytes but not yet against its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Sequence number of the first line.
    pub first_seq: u64,
    /// Number of lines, at least 1.
    pub count: u32,
    /// Bytes of the lines, each with its line feed, before compression.
    pub raw: u32,
    /// Hash of the frame before; zeros in the first.
    pub previous: [u8; 32],
    /// Its own hash.
    pub hash: [u8; 32],
    /// What version 2 added; `None` in a frame of version 1.
    pub proof: Option<v2::Fields>,
}

impl Header {
    /// The head of a log that ends with this frame.
    pub fn head(&self) -> Head {
        Head { seq: self.first_seq.saturating_add(u64::from(self.count)).saturating_sub(1), hash: self.hash }
    }

    /// Bytes of the header itself: what stands before the body.
    pub fn bytes(&self) -> usize {
        if self.proof.is_some() { v2::HEADER_BYTES } else { v1::HEADER_BYTES }
    }

    /// Checks that this frame follows directly on `before`.
    ///
    /// # Errors
    /// [`Break`] says in which way it does not.
    pub fn follows(&self, before: &Head) -> Result<(), Break> {
        let expected = before.seq.saturating_add(1);
        if self.first_seq != expected {
            return Err(Break::Seq { expected });
        }
        if self.previous != before.hash { Err(Break::Hash) } else { Ok(()) }
    }
}

/// A decoded frame: its lines and their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Sequence number of the first line.
    pub first_seq: u64,
    /// Number of lines.
    pub count: u32,
    body: Vec<u8>,
}

impl Frame {
    /// The lines with their sequence numbers, in order.
    pub fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut rest = self.body.as_slice();
        let next = move || {
            let (line, after) = rest.split_at_checked(memchr::memchr(b'\n', rest)?)?;
            rest = after.get(1..)?;
            Some(line)
        };
        (self.first_seq..).zip(std::iter::from_fn(next))
    }

    /// The lines, each with its line feed.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The hashes of the lines, in order: the leaves under `lines_root`.
    pub fn leaves(&self) -> Vec<[u8; 32]> {
        self.lines().map(|(_, line)| merkle::leaf(line)).collect()
    }
}

/// Reads a frame's header and body, checking length, version, checksum and own hash.
///
/// # Errors
/// [`Damage`] names the first thing that is wrong.
pub fn open(stored: &[u8]) -> Result<(Header, &[u8]), Damage> {
    let short = Damage::Length { found: stored.len(), expected: HEADER_BYTES };
    if !stored.starts_with(&MAGIC) {
        return Err(if stored.len() < MAGIC.len() { short } else { Damage::Magic });
    }
    match u16::from_le_bytes(field(stored, MAGIC.len()).ok_or(short)?) {
        1 => v1::open(stored),
        2 => v2::open(stored),
        found => Err(Damage::Version { found }),
    }
}

/// Bytes of a frame with which [`lengths`] can tell how long it is.
pub const FRONT_BYTES: usize = 28;

/// How many bytes a frame's header and the whole frame have, by its first [`FRONT_BYTES`].
///
/// # Errors
/// [`Damage`] when this is not the beginning of a frame.
pub fn lengths(front: &[u8]) -> Result<(usize, usize), Damage> {
    let short = Damage::Length { found: front.len(), expected: FRONT_BYTES };
    if !front.starts_with(&MAGIC) {
        return Err(Damage::Magic);
    }
    let header = match u16::from_le_bytes(field(front, MAGIC.len()).ok_or_else(|| short.clone())?) {
        1 => v1::HEADER_BYTES,
        2 => v2::HEADER_BYTES,
        found => return Err(Damage::Version { found }),
    };
    // Both versions have the length in the same place.
    let length = u32::from_le_bytes(field(front, v2::at::LENGTH).ok_or(short)?);
    let whole = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(header);
    if whole > MAX_STORED_BYTES {
        return Err(Damage::Length { found: whole, expected: MAX_STORED_BYTES });
    }
    Ok((header, whole))
}

/// Cuts a frame in two, checking that it is as long as its header says and that its checksum is right. `length` and `crc`
/// are where those fields stand.
fn split(stored: &[u8], header_bytes: usize, length: usize, crc: usize) -> Result<(&[u8], &[u8]), Damage> {
    let short = Damage::Length { found: stored.len(), expected: header_bytes };
    let (header, body) = stored.split_at_checked(header_bytes).ok_or_else(|| short.clone())?;
    let length = u32::from_le_bytes(field(header, length).ok_or_else(|| short.clone())?);
    let expected = usize::try_from(length).unwrap_or(usize::MAX);
    if body.len() != expected {
        return Err(Damage::Length { found: stored.len(), expected: expected.saturating_add(header_bytes) });
    }
    let found = u32::from_le_bytes(field(header, crc).ok_or_else(|| short.clone())?);
    let (before, rest) = header.split_at_checked(crc).ok_or_else(|| short.clone())?;
    let after = rest.get(4..).ok_or(short)?;
    let expected = [after, body].iter().fold(crc32c::crc32c(before), |crc, part| crc32c::crc32c_append(crc, part));
    if found == expected { Ok((header, body)) } else { Err(Damage::Crc { found, expected }) }
}

/// Unpacks frames; keeps zstd's working memory between them.
pub struct Unpacker {
    zstd: zstd::bulk::Decompressor<'static>,
    spare: Vec<u8>,
}

impl Unpacker {
    /// # Errors
    /// Only when zstd cannot get its working memory.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Decompressor::new()?, spare: Vec::new() })
    }

    /// Decompresses an opened frame's body and checks it against the header.
    ///
    /// # Errors
    /// [`Damage::Body`] when it is not the lines the header promises, [`Damage::Lines`] when a thorough look finds that
    /// they are others than the frame's hash was made over.
    pub fn unpack(&mut self, header: &Header, body: &[u8], care: Care) -> Result<Frame, Damage> {
        let damage = Damage::Body { count: header.count, raw: header.raw };
        let raw = usize::try_from(header.raw).unwrap_or(usize::MAX);
        if raw > MAX_RAW_BYTES {
            return Err(damage);
        }
        let mut lines = std::mem::take(&mut self.spare);
        lines.clear();
        lines.reserve(raw);
        self.zstd.decompress_to_buffer(body, &mut lines).map_err(|_| damage.clone())?;
        let count = usize::try_from(header.count).unwrap_or(usize::MAX);
        let counted = memchr::memchr_iter(b'\n', &lines).count();
        if lines.len() != raw || lines.last() != Some(&b'\n') || counted != count {
            return Err(damage);
        }
        let frame = Frame { first_seq: header.first_seq, count: header.count, body: lines };
        match (care, &header.proof) {
            (Care::Thorough, Some(fields)) if merkle::root(frame.leaves()) != fields.lines_root => Err(Damage::Lines),
            (Care::Thorough, Some(_) | None) | (Care::Quick, _) => Ok(frame),
        }
    }

    /// Takes back the memory of a frame that has been read, for the next one.
    pub fn reuse(&mut self, frame: Frame) {
        self.spare = frame.body;
    }
}

fn field<const N: usize>(bytes: &[u8], start: usize) -> Option<[u8; N]> {
    bytes.get(start..)?.first_chunk::<N>().copied()
}

#[cfg(test)]
mod tests;
