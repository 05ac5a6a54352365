//! Version 2 of a frame: its own hash covers the header alone, which holds the root of a Merkle tree over the lines and a
//! second link far back. So a proof that one line is in the chain needs a few headers and no other line.

use super::chain::Next;
use super::{Damage, Header, MAGIC, field, split};

/// Bytes before the body.
pub const HEADER_BYTES: usize = 176;
/// The header without its own hash and checksum: what the hash is made over, and what a proof shows of a frame.
pub const SEALED_BYTES: usize = 140;

const VERSION: u16 = 2;

/// Where each field stands; all integers are little-endian.
pub(super) mod at {
    pub(in super::super) const FIRST_SEQ: usize = 8;
    pub(in super::super) const COUNT: usize = 16;
    pub(in super::super) const RAW: usize = 20;
    pub(in super::super) const LENGTH: usize = 24;
    pub(in super::super) const PREVIOUS: usize = 28;
    pub(in super::super) const INDEX: usize = 60;
    pub(in super::super) const SKIP_SEQ: usize = 68;
    pub(in super::super) const SKIP: usize = 76;
    pub(in super::super) const LINES_ROOT: usize = 108;
    pub(in super::super) const HASH: usize = 140;
    pub(in super::super) const CRC: usize = 172;
}

/// What version 2 added to the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    /// The frame's ordinal among those of version 2, from 0.
    pub index: u64,
    /// `first_seq` of the frame that the skip link leads to; 0 in frame 0.
    pub skip_seq: u64,
    /// Hash of the frame that the skip link leads to; zeros in frame 0.
    pub skip: [u8; 32],
    /// Root of the Merkle tree over the lines.
    pub lines_root: [u8; 32],
}

/// Reads a frame of version 2, checking length, checksum and own hash.
pub(super) fn open(stored: &[u8]) -> Result<(Header, &[u8]), Damage> {
    let short = Damage::Length { found: stored.len(), expected: HEADER_BYTES };
    let (bytes, body) = split(stored, HEADER_BYTES, at::LENGTH, at::CRC)?;
    let sealed = field::<SEALED_BYTES>(bytes, 0).ok_or_else(|| short.clone())?;
    let hash = field::<32>(bytes, at::HASH).ok_or_else(|| short.clone())?;
    let header = read_sealed(&sealed).ok_or(short)?;
    if header.hash == hash { Ok((header, body)) } else { Err(Damage::Hash) }
}

/// Reads what a proof shows of a frame and hashes it; `None` when it is not the header of a frame of version 2.
pub fn read_sealed(sealed: &[u8; SEALED_BYTES]) -> Option<Header> {
    if !sealed.starts_with(&MAGIC) || u16::from_le_bytes(field(sealed, MAGIC.len())?) != VERSION {
        return None;
    }
    Some(Header {
        first_seq: u64::from_le_bytes(field(sealed, at::FIRST_SEQ)?),
        count: u32::from_le_bytes(field(sealed, at::COUNT)?),
        raw: u32::from_le_bytes(field(sealed, at::RAW)?),
        previous: field(sealed, at::PREVIOUS)?,
        hash: *blake3::hash(sealed).as_bytes(),
        proof: Some(Fields {
            index: u64::from_le_bytes(field(sealed, at::INDEX)?),
            skip_seq: u64::from_le_bytes(field(sealed, at::SKIP_SEQ)?),
            skip: field(sealed, at::SKIP)?,
            lines_root: field(sealed, at::LINES_ROOT)?,
        }),
    })
}

/// Puts a frame together: `count` lines of `raw` bytes with the root `lines_root`, compressed to `body`.
pub(super) fn assemble(next: &Next, count: u32, raw: u32, lines_root: &[u8; 32], body: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(body.len()).ok()?;
    let mut frame = Vec::with_capacity(HEADER_BYTES.saturating_add(body.len()));
    let fields: [&[u8]; 11] = [
        &MAGIC,
        &VERSION.to_le_bytes(),
        &[0; 2],
        &next.first_seq.to_le_bytes(),
        &count.to_le_bytes(),
        &raw.to_le_bytes(),
        &length.to_le_bytes(),
        &next.previous,
        &next.index.to_le_bytes(),
        &next.skip_seq.to_le_bytes(),
        &next.skip,
    ];
    fields.iter().for_each(|field| frame.extend_from_slice(field));
    frame.extend_from_slice(lines_root);
    let hash = blake3::hash(&frame);
    frame.extend_from_slice(hash.as_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&frame), body);
    frame.extend_from_slice(&crc.to_le_bytes());
    frame.extend_from_slice(body);
    Some(frame)
}
