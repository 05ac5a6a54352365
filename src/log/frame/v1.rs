//! Version 1 of a frame, read for ever and written no more: its own hash covers the stored body.

use super::{Damage, Header, field, split};

/// Bytes before the body.
pub(super) const HEADER_BYTES: usize = 96;

/// Where each field stands; all integers are little-endian.
pub(super) mod at {
    pub(in super::super) const FIRST_SEQ: usize = 8;
    pub(in super::super) const COUNT: usize = 16;
    pub(in super::super) const RAW: usize = 20;
    pub(in super::super) const LENGTH: usize = 24;
    pub(in super::super) const CRC: usize = 28;
    pub(in super::super) const PREVIOUS: usize = 32;
    pub(in super::super) const HASH: usize = 64;
}

pub(super) fn open(stored: &[u8]) -> Result<(Header, &[u8]), Damage> {
    let short = Damage::Length { found: stored.len(), expected: HEADER_BYTES };
    let (bytes, body) = split(stored, HEADER_BYTES, at::LENGTH, at::CRC)?;
    let header = Header {
        first_seq: u64::from_le_bytes(field(bytes, at::FIRST_SEQ).ok_or_else(|| short.clone())?),
        count: u32::from_le_bytes(field(bytes, at::COUNT).ok_or_else(|| short.clone())?),
        raw: u32::from_le_bytes(field(bytes, at::RAW).ok_or_else(|| short.clone())?),
        previous: field(bytes, at::PREVIOUS).ok_or_else(|| short.clone())?,
        hash: field(bytes, at::HASH).ok_or_else(|| short.clone())?,
        proof: None,
    };
    let front = bytes.get(..at::CRC).ok_or(short)?;
    if own_hash(front, &header.previous, body) == header.hash { Ok((header, body)) } else { Err(Damage::Hash) }
}

/// BLAKE3 of everything but checksum and hash itself.
pub(super) fn own_hash(front: &[u8], previous: &[u8], body: &[u8]) -> [u8; 32] {
    *blake3::Hasher::new().update(front).update(previous).update(body).finalize().as_bytes()
}
