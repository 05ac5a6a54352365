//! Frames one after the other, each checked in itself and against the one before.

use super::Reader;
use crate::log::frame::chain::Chain;
use crate::log::frame::{self, Break, Care, Damage, Frame, Header, Unpacker};
use crate::log::store::{Bytes, Range};
use crate::log::{Fault, Head};

impl Reader {
    /// As [`Reader::frames_from`], as stored and not unpacked.
    pub fn stored_from(&self, seq: u64) -> Stored {
        let seq = seq.max(1);
        let until = self.head_for(seq);
        let (until, found) = match until {
            Ok(until) => (until, self.store.last_until(seq.to_be_bytes())),
            Err(fault) => (Head::EMPTY, Err(fault)),
        };
        let (start, failed) = match found {
            Ok(found) => (found.and_then(|(key, _)| key.first_chunk().copied()).unwrap_or_default(), None),
            Err(fault) => (seq.to_be_bytes(), Some(fault)),
        };
        let range = self.store.range(start, until.seq.to_be_bytes());
        let chain = if seq == 1 { Some(Chain::start()) } else { None };
        let done = failed.is_none() && until.seq < seq;
        Stored { reader: self.clone(), range, wanted: seq, until, chain, failed, done }
    }
}

/// Frames as stored, in order, with their checked headers; see [`Reader::stored_from`].
pub struct Stored {
    reader: Reader,
    range: Range,
    wanted: u64,
    until: Head,
    chain: Option<Chain>,
    failed: Option<Fault>,
    done: bool,
}

impl Stored {
    fn head(&self) -> Head {
        self.chain.as_ref().map_or(Head::EMPTY, Chain::head)
    }

    fn read(&mut self) -> Result<Option<StoredFrame>, Fault> {
        if let Some(fault) = self.failed.take() {
            return Err(fault);
        }
        let Some(stored) = self.range.next() else {
            // The range ended early when it did not end with the head as it was at the start.
            let found = self.head();
            if found == self.until {
                return Ok(None);
            }
            return Err(Fault::Truncated { found: found.seq, acknowledged: self.until.seq });
        };
        let (key, bytes) = stored?;
        let first = self.chain.is_none();
        let (header, _) = check(&key, &bytes, &mut self.chain)?;
        if first && header.head().seq < self.wanted {
            return Err(Fault::Broken { first_seq: header.first_seq, cause: Break::Seq { expected: self.wanted } });
        }
        Ok(Some(StoredFrame { header, bytes }))
    }
}

/// A frame as stored, whose header was checked.
pub struct StoredFrame {
    pub(in crate::log) header: Header,
    pub(in crate::log) bytes: Bytes,
}

impl StoredFrame {
    /// Its bytes, header and body.
    pub fn stored(&self) -> &[u8] {
        &self.bytes
    }

    /// Its lines.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when its body is not what its header promises.
    pub fn unpack(&self, care: Care, unpacker: &mut Unpacker) -> Result<Frame, Fault> {
        unpack(&self.header, self.bytes.get(self.header.bytes()..).unwrap_or_default(), care, unpacker)
    }
}

impl Iterator for Stored {
    type Item = Result<StoredFrame, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.read().transpose();
        self.done = !matches!(item, Some(Ok(_)));
        item
    }
}

/// Frames in order; see [`Reader::frames_from`].
pub struct Frames {
    stored: Stored,
    unpacker: Option<Unpacker>,
    care: Care,
}

impl Frames {
    pub(super) fn new(stored: Stored, care: Care) -> Self {
        Self { stored, unpacker: None, care }
    }

    /// The head of the log up to the last frame that was read.
    pub fn head(&self) -> Head {
        self.stored.head()
    }

    /// Takes back the memory of a frame that has been read, for the next one.
    pub fn reuse(&mut self, frame: Frame) {
        if let Some(unpacker) = &mut self.unpacker {
            unpacker.reuse(frame);
        }
    }

    fn read(&mut self) -> Result<Option<Frame>, Fault> {
        let Some(stored) = self.stored.next() else { return Ok(None) };
        let stored = stored?;
        let unpacker = match &mut self.unpacker {
            Some(unpacker) => unpacker,
            none => none.insert(self.stored.reader.unpacker()?),
        };
        stored.unpack(self.care, unpacker).map(Some)
    }
}

impl Iterator for Frames {
    type Item = Result<Frame, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.read().transpose();
        self.stored.done |= matches!(item, Some(Err(_)));
        item
    }
}

/// Checks a stored frame by itself and against the chain, where that is known, and takes it in.
pub(super) fn check<'a>(key: &[u8], bytes: &'a [u8], chain: &mut Option<Chain>) -> Result<(Header, &'a [u8]), Fault> {
    // A key of another length was not written by us; its bytes still name it for the report.
    let first_seq = key.iter().fold(0_u64, |seq, byte| seq.wrapping_shl(8) | u64::from(*byte));
    let damaged = |damage| Fault::Damaged { first_seq, damage };
    let (header, body) = frame::open(bytes).map_err(damaged)?;
    if key != header.first_seq.to_be_bytes() {
        return Err(damaged(Damage::Key { found: header.first_seq }));
    }
    match chain {
        Some(chain) => chain.take(&header).map_err(|cause| Fault::Broken { first_seq, cause })?,
        None => *chain = Some(Chain::at(&header)),
    }
    Ok((header, body))
}

pub(super) fn unpack(header: &Header, body: &[u8], care: Care, unpacker: &mut Unpacker) -> Result<Frame, Fault> {
    unpacker.unpack(header, body, care).map_err(|damage| Fault::Damaged { first_seq: header.first_seq, damage })
}
