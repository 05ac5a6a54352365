//! Looking up single frames by the events in them.

use super::{Reader, check, unpack};
use crate::log::frame::chain::{Chain, Link};
use crate::log::frame::{Break, Care, Frame, Header};
use crate::log::tree::Bytes;
use crate::log::{Fault, Head};
use std::path::Path;

impl Reader {
    /// The log's folder.
    pub(in crate::log) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The hash of the frame that begins with event `first_seq`.
    pub(in crate::log) fn hash_of(&self, first_seq: u64) -> Result<Option<[u8; 32]>, Fault> {
        Ok(self.frame_at(first_seq)?.map(|(header, _)| header.hash))
    }

    /// What a frame behind `last` must continue, found by following skip links back to frame 0.
    pub(super) fn resume(&self, last: &Header) -> Result<Chain, Fault> {
        let mut links = Vec::new();
        let mut at = *last;
        while let Some(fields) = at.proof.filter(|fields| fields.index > 0) {
            let broken = || Fault::Broken { first_seq: at.first_seq, cause: Break::Skip };
            let (before, _) = self.frame_at(fields.skip_seq)?.ok_or_else(broken)?;
            let index = before.proof.map(|fields| fields.index).filter(|index| *index < fields.index);
            match index {
                Some(index) if before.hash == fields.skip => {
                    links.push(Link { index, first_seq: before.first_seq, hash: before.hash });
                }
                Some(_) | None => return Err(broken()),
            }
            at = before;
        }
        Ok(Chain::resume(last, links))
    }

    /// The frame that begins with event `first_seq`.
    pub(super) fn frame_at(&self, first_seq: u64) -> Result<Option<(Header, Bytes)>, Fault> {
        let key = first_seq.to_be_bytes();
        let Some(bytes) = self.tree.get(key)? else { return Ok(None) };
        let (header, _) = check(&key, &bytes, &mut None)?;
        Ok(Some((header, bytes)))
    }

    /// The frame that holds event `seq`; `None` for an event that is not in the log (yet).
    pub(super) fn frame_of(&self, seq: u64) -> Result<Option<(Header, Bytes)>, Fault> {
        if seq == 0 || seq > self.head().seq {
            return Ok(None);
        }
        let missing = Fault::Broken { first_seq: seq, cause: Break::Seq { expected: seq } };
        let Some((key, bytes)) = self.tree.last_until(seq.to_be_bytes())? else { return Err(missing) };
        let (header, _) = check(&key, &bytes, &mut None)?;
        if header.head().seq < seq { Err(missing) } else { Ok(Some((header, bytes))) }
    }

    /// The lines of a frame that was looked up.
    pub(super) fn unpacked(&self, header: &Header, stored: &[u8]) -> Result<Frame, Fault> {
        let body = stored.get(header.bytes()..).unwrap_or_default();
        unpack(header, body, Care::Quick, &mut self.unpacker()?)
    }

    /// The head of the log as it was when event `seq` was its newest frame's: the frame's last event and hash. `None` for
    /// an event that is not in the log.
    ///
    /// # Errors
    /// [`Fault`] when the frame is damaged or missing.
    pub fn head_at(&self, seq: u64) -> Result<Option<Head>, Fault> {
        Ok(self.frame_of(seq)?.map(|(header, _)| header.head()))
    }

    /// The line of one event; `None` for one that is not in the log.
    ///
    /// # Errors
    /// [`Fault`] when its frame is damaged or missing.
    pub fn line(&self, seq: u64) -> Result<Option<Vec<u8>>, Fault> {
        let Some((header, bytes)) = self.frame_of(seq)? else { return Ok(None) };
        let frame = self.unpacked(&header, &bytes)?;
        let line = frame.lines().find(|(number, _)| *number == seq);
        Ok(line.map(|(_, line)| line.to_vec()))
    }
}
