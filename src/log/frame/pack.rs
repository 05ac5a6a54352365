//! Lines into frames.

use super::chain::Chain;
use super::{HEADER_BYTES, MAX_RAW_BYTES, MAX_STORED_BYTES, merkle, v2};
use std::io;

/// zstd's quickest regular level: it shrinks JSON to a quarter at several hundred MB/s, and higher levels gain a tenth.
const LEVEL: i32 = 1;

/// Packs frames; keeps zstd's working memory between them.
pub struct Packer {
    pub(super) zstd: zstd::bulk::Compressor<'static>,
    raw: Vec<u8>,
}

impl Packer {
    /// # Errors
    /// Only when zstd cannot get its working memory.
    pub fn new() -> io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Compressor::new(LEVEL)?, raw: Vec::new() })
    }

    /// Packs as many of `lines` as fit one frame behind `chain`, takes it into the chain, and returns it and how many lines
    /// it took (at least one). Lines must be non-empty in number, free of line feeds and within
    /// [`MAX_LINE_BYTES`](crate::log::MAX_LINE_BYTES).
    ///
    /// # Errors
    /// When zstd fails, or the chain began in the middle of a log.
    pub fn pack<L: AsRef<[u8]>>(&mut self, chain: &mut Chain, lines: &[L]) -> io::Result<(Vec<u8>, usize)> {
        let mut take = 0_usize;
        let mut bytes = 0_usize;
        for line in lines {
            let next = bytes.saturating_add(line.as_ref().len()).saturating_add(1);
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
                self.raw.extend_from_slice(line.as_ref());
                self.raw.push(b'\n');
            }
            let body = self.zstd.compress(&self.raw)?;
            // Lines that hardly shrink (sealed data, for one): half of them will fit, or half of that.
            if take > 1 && body.len().saturating_add(HEADER_BYTES) > MAX_STORED_BYTES {
                take /= 2;
                continue;
            }
            let root = merkle::root(packed.iter().map(|line| merkle::leaf(line.as_ref())).collect());
            return Ok((link(chain, packed.len(), self.raw.len(), &root, &body)?, packed.len()));
        }
    }
}

/// Puts a body behind the chain.
pub(super) fn link(chain: &mut Chain, count: usize, raw: usize, root: &[u8; 32], body: &[u8]) -> io::Result<Vec<u8>> {
    let field = |n: usize| u32::try_from(n).map_err(io::Error::other);
    let middle = || io::Error::other("the chain began in the middle of a log");
    let next = chain.next().ok_or_else(middle)?;
    let frame = v2::assemble(&next, field(count)?, field(raw)?, root, body)
        .ok_or_else(|| io::Error::other("the body is too long"))?;
    let sealed =
        frame.first_chunk().and_then(v2::read_sealed).ok_or_else(|| io::Error::other("the header is short"))?;
    chain.take(&sealed).map_err(io::Error::other)?;
    Ok(frame)
}
