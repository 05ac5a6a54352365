//! Looking up single frames by the events in them.

use super::Reader;
use super::frames::{check, unpack};
use crate::log::frame::{Break, Care, Frame, Header};
use crate::log::store::{Bytes, Store};
use crate::log::{Fault, Head};
use std::path::Path;

/// The frame that begins with event `first_seq`.
pub(super) fn frame_at(store: &dyn Store, first_seq: u64) -> Result<Option<(Header, Bytes)>, Fault> {
    let key = first_seq.to_be_bytes();
    let Some(bytes) = store.get(key)? else { return Ok(None) };
    let (header, _) = check(&key, &bytes, &mut None)?;
    Ok(Some((header, bytes)))
}

impl Reader {
    /// The log's folder.
    pub(in crate::log) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The hash of the frame that begins with event `first_seq`.
    pub(in crate::log) fn hash_of(&self, first_seq: u64) -> Result<Option<[u8; 32]>, Fault> {
        Ok(frame_at(&*self.store, first_seq)?.map(|(header, _)| header.hash))
    }

    /// The frame that holds event `seq`; `None` for an event that is not in the log (yet).
    pub(super) fn frame_of(&self, seq: u64) -> Result<Option<(Header, Bytes)>, Fault> {
        if seq == 0 || seq > self.head_for(seq)?.seq {
            return Ok(None);
        }
        let missing = Fault::Broken { first_seq: seq, cause: Break::Seq { expected: seq } };
        let Some((key, bytes)) = self.store.last_until(seq.to_be_bytes())? else { return Err(missing) };
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
