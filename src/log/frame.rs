//! One frame: packed lines with the chain that proves nobody changed them. Pure; `FRAME.md` beside this file has it byte by
//! byte.

use super::{Head, MAX_LINE_BYTES};

/// The first bytes of every frame.
pub const MAGIC: [u8; 4] = *b"GSWF";
/// The format written today.
pub const VERSION: u16 = 1;
/// Bytes before the body.
pub const HEADER_BYTES: usize = 96;
/// The most bytes of lines packed into one frame: 256 KiB of events shrink to about a quarter, and a batch beyond that gains
/// nothing from sharing a sync. It also bounds what a reader must allocate for a frame.
pub const MAX_RAW_BYTES: usize = 256 * 1024;
/// The most bytes of a stored frame. sled keeps up to 17 frames in a leaf, rewrites a leaf as one value, and stores a value
/// over a quarter of a segment (2 MiB of 8 MiB) as a blob that it never syncs: 17 x 64 KiB stay well below.
pub const MAX_STORED_BYTES: usize = 64 * 1024;
/// zstd's quickest regular level: it shrinks JSON to a quarter at several hundred MB/s, and higher levels gain a tenth.
const LEVEL: i32 = 1;

// A line that zstd cannot shrink must fit a frame: header, line feed and zstd's own overhead stay below a tenth of it.
const _: () = assert!(MAX_LINE_BYTES + MAX_LINE_BYTES / 10 + HEADER_BYTES < MAX_STORED_BYTES);

/// Where each field stands; all integers are little-endian.
mod at {
    pub(super) const VERSION: usize = 4;
    pub(super) const FLAGS: usize = 6;
    pub(super) const FIRST_SEQ: usize = 8;
    pub(super) const COUNT: usize = 16;
    pub(super) const RAW: usize = 20;
    pub(super) const LENGTH: usize = 24;
    pub(super) const CRC: usize = 28;
    pub(super) const PREVIOUS: usize = 32;
    pub(super) const HASH: usize = 64;
}

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
    #[error("its format is version {found}, and this program reads version {VERSION}: run the newer program")]
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
}

impl Header {
    /// The head of a log that ends with this frame.
    pub fn head(&self) -> Head {
        Head { seq: self.first_seq.saturating_add(u64::from(self.count)).saturating_sub(1), hash: self.hash }
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
}

/// Packs frames; keeps zstd's working memory between them.
pub struct Packer {
    zstd: zstd::bulk::Compressor<'static>,
    raw: Vec<u8>,
}

impl Packer {
    /// # Errors
    /// Only when zstd cannot get its working memory.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Compressor::new(LEVEL)?, raw: Vec::new() })
    }

    /// Packs as many of `lines` as fit one frame behind `before` and returns the frame, the new head and how many lines it
    /// took (at least one). Lines must be non-empty in number, free of line feeds and within [`MAX_LINE_BYTES`].
    ///
    /// # Errors
    /// Only when zstd fails.
    pub fn pack(&mut self, before: &Head, lines: &[Vec<u8>]) -> std::io::Result<(Vec<u8>, Head, usize)> {
        let mut take = 0_usize;
        let mut bytes = 0_usize;
        for line in lines {
            let next = bytes.saturating_add(line.len()).saturating_add(1);
            if take > 0 && next > MAX_RAW_BYTES {
                break;
            }
            bytes = next;
            take = take.saturating_add(1);
        }
        loop {
            let packed = lines.get(..take).unwrap_or(lines);
            self.raw.clear();
            for line in packed {
                self.raw.extend_from_slice(line);
                self.raw.push(b'\n');
            }
            let body = self.zstd.compress(&self.raw)?;
            // Lines that hardly shrink (sealed data, for one): half of them will fit, or half of that.
            if take > 1 && body.len().saturating_add(HEADER_BYTES) > MAX_STORED_BYTES {
                take /= 2;
                continue;
            }
            let (frame, head) = assemble(before, packed.len(), self.raw.len(), &body)?;
            return Ok((frame, head, packed.len()));
        }
    }
}

fn assemble(before: &Head, count: usize, raw: usize, body: &[u8]) -> std::io::Result<(Vec<u8>, Head)> {
    let field = |n: usize| u32::try_from(n).map_err(std::io::Error::other);
    let first_seq = before.seq.saturating_add(1);
    let count = field(count)?;
    let mut front = [0_u8; at::CRC];
    let fields: [(usize, &[u8]); 7] = [
        (0, &MAGIC),
        (at::VERSION, &VERSION.to_le_bytes()),
        (at::FLAGS, &[0; 2]),
        (at::FIRST_SEQ, &first_seq.to_le_bytes()),
        (at::COUNT, &count.to_le_bytes()),
        (at::RAW, &field(raw)?.to_le_bytes()),
        (at::LENGTH, &field(body.len())?.to_le_bytes()),
    ];
    for (start, bytes) in fields {
        front.iter_mut().skip(start).zip(bytes).for_each(|(to, from)| *to = *from);
    }
    let hash = own_hash(&front, &before.hash, body);
    let crc = checksum(&front, &before.hash, &hash, body);
    let mut frame = Vec::with_capacity(HEADER_BYTES.saturating_add(body.len()));
    frame.extend_from_slice(&front);
    frame.extend_from_slice(&crc.to_le_bytes());
    frame.extend_from_slice(&before.hash);
    frame.extend_from_slice(&hash);
    frame.extend_from_slice(body);
    let head = Head { seq: before.seq.saturating_add(u64::from(count)), hash };
    Ok((frame, head))
}

/// BLAKE3 of everything but checksum and hash itself.
fn own_hash(front: &[u8], previous: &[u8], body: &[u8]) -> [u8; 32] {
    *blake3::Hasher::new().update(front).update(previous).update(body).finalize().as_bytes()
}

/// CRC32C of everything but the checksum itself.
fn checksum(front: &[u8], previous: &[u8], hash: &[u8], body: &[u8]) -> u32 {
    [previous, hash, body].iter().fold(crc32c::crc32c(front), |crc, part| crc32c::crc32c_append(crc, part))
}

/// Reads a frame's header and body, checking length, version, checksum and own hash.
///
/// # Errors
/// [`Damage`] names the first thing that is wrong.
pub fn open(stored: &[u8]) -> Result<(Header, &[u8]), Damage> {
    let short = Damage::Length { found: stored.len(), expected: HEADER_BYTES };
    let (header, body) = stored.split_at_checked(HEADER_BYTES).ok_or_else(|| short.clone())?;
    let (front, rest) = header.split_at_checked(at::CRC).ok_or_else(|| short.clone())?;
    if !front.starts_with(&MAGIC) {
        return Err(Damage::Magic);
    }
    let version = u16::from_le_bytes(field(header, at::VERSION).ok_or_else(|| short.clone())?);
    if version != VERSION {
        return Err(Damage::Version { found: version });
    }
    let length = u32::from_le_bytes(field(header, at::LENGTH).ok_or_else(|| short.clone())?);
    let expected = usize::try_from(length).unwrap_or(usize::MAX);
    if body.len() != expected {
        return Err(Damage::Length { found: stored.len(), expected: expected.saturating_add(HEADER_BYTES) });
    }
    let found = u32::from_le_bytes(field(header, at::CRC).ok_or_else(|| short.clone())?);
    let hashes = rest.get(4..).ok_or_else(|| short.clone())?;
    let crc = checksum(front, hashes, &[], body);
    if found != crc {
        return Err(Damage::Crc { found, expected: crc });
    }
    let header = Header {
        first_seq: u64::from_le_bytes(field(header, at::FIRST_SEQ).ok_or_else(|| short.clone())?),
        count: u32::from_le_bytes(field(header, at::COUNT).ok_or_else(|| short.clone())?),
        raw: u32::from_le_bytes(field(header, at::RAW).ok_or_else(|| short.clone())?),
        previous: field(header, at::PREVIOUS).ok_or_else(|| short.clone())?,
        hash: field(header, at::HASH).ok_or(short)?,
    };
    if own_hash(front, &header.previous, body) != header.hash { Err(Damage::Hash) } else { Ok((header, body)) }
}

/// Unpacks frames; keeps zstd's working memory between them.
pub struct Unpacker {
    zstd: zstd::bulk::Decompressor<'static>,
}

impl Unpacker {
    /// # Errors
    /// Only when zstd cannot get its working memory.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Decompressor::new()? })
    }

    /// Decompresses an opened frame's body and checks it against the header.
    ///
    /// # Errors
    /// [`Damage::Body`] when it is not the lines the header promises.
    pub fn unpack(&mut self, header: &Header, body: &[u8]) -> Result<Frame, Damage> {
        let damage = Damage::Body { count: header.count, raw: header.raw };
        let raw = usize::try_from(header.raw).unwrap_or(usize::MAX);
        if raw > MAX_RAW_BYTES {
            return Err(damage);
        }
        let lines = self.zstd.decompress(body, raw).map_err(|_| damage.clone())?;
        let count = usize::try_from(header.count).unwrap_or(usize::MAX);
        let counted = memchr::memchr_iter(b'\n', &lines).count();
        if lines.len() != raw || lines.last() != Some(&b'\n') || counted != count {
            return Err(damage);
        }
        Ok(Frame { first_seq: header.first_seq, count: header.count, body: lines })
    }
}

fn field<const N: usize>(bytes: &[u8], start: usize) -> Option<[u8; N]> {
    bytes.get(start..)?.first_chunk::<N>().copied()
}

#[cfg(test)]
mod tests;
