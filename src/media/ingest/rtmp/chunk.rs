//! PURE: RTMP's chunk stream (Adobe, RTMP 1.0, section 5.3), read under limits, and written.
//!
//! Own code rather than a crate's: the ones tried copy a whole unfinished message for each of its chunks, hold as many
//! unfinished messages as there are chunk stream ids, or drop a codec's name before it can be refused by name.

use super::WireError;
use bytes::{Buf, Bytes, BytesMut};
use std::collections::BTreeMap;

/// A keyframe at 20 Mbit/s is under 2 MB; no more than this is held for one message.
const MESSAGE_BYTES_MAX: usize = 6 << 20;

/// All unfinished messages of one connection together.
const UNFINISHED_BYTES_MAX: usize = 8 << 20;

/// Room that is made for a message when its length is told: most pictures are shorter, and a stranger may tell anything.
const RESERVED_BYTES_MAX: usize = 64 << 10;

/// Encoders use four or five chunk streams.
const STREAMS_MAX: usize = 16;

/// Beyond this a chunk cannot be longer than a message.
const CHUNK_BYTES_MAX: u32 = 0x00ff_ffff;

/// Every connection begins with this (section 5.4.1).
const CHUNK_BYTES_DEFAULT: usize = 128;

/// Message types (section 5.4 and 7.1).
pub(in crate::media) const SET_CHUNK_SIZE: u8 = 1;
pub(in crate::media) const ABORT: u8 = 2;
pub(in crate::media) const ACKNOWLEDGEMENT: u8 = 3;
pub(in crate::media) const USER_CONTROL: u8 = 4;
pub(in crate::media) const WINDOW_SIZE: u8 = 5;
pub(in crate::media) const PEER_BANDWIDTH: u8 = 6;
pub(in crate::media) const AUDIO: u8 = 8;
pub(in crate::media) const VIDEO: u8 = 9;
pub(in crate::media) const COMMAND_AMF3: u8 = 17;
pub(in crate::media) const DATA: u8 = 18;
pub(in crate::media) const COMMAND: u8 = 20;

/// One whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::media) struct Message {
    pub(in crate::media) kind: u8,
    pub(in crate::media) timestamp: u32,
    pub(in crate::media) stream: u32,
    pub(in crate::media) payload: Bytes,
}

#[derive(Debug, Default)]
struct Stream {
    timestamp: u32,
    delta: u32,
    extended: bool,
    length: usize,
    kind: u8,
    stream: u32,
    payload: BytesMut,
}

/// Puts messages together from chunks, however the bytes are split.
#[derive(Debug)]
pub(in crate::media) struct Reader {
    input: BytesMut,
    chunk_size: usize,
    /// Sixteen at most: looking through them is quicker than hashing, and each chunk is looked up.
    streams: BTreeMap<u32, Stream>,
    unfinished: usize,
}

impl Default for Reader {
    fn default() -> Self {
        Self { input: BytesMut::new(), chunk_size: CHUNK_BYTES_DEFAULT, streams: BTreeMap::new(), unfinished: 0 }
    }
}

/// A chunk's header as it stands on the wire.
struct Header {
    format: u8,
    id: u32,
    field: u32,
    length: usize,
    kind: u8,
    stream: u32,
    extended: Option<u32>,
    bytes: usize,
}

impl Reader {
    /// Takes bytes; [`Reader::next`] must be called until it has no more.
    pub(in crate::media) fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The next whole message, if its bytes are here.
    pub(in crate::media) fn next(&mut self) -> Result<Option<Message>, WireError> {
        loop {
            let Some(header) = self.header()? else { return Ok(None) };
            let (chunk_size, have) = (self.chunk_size, self.input.len());
            let known = self.streams.len();
            let stream = match self.streams.entry(header.id) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    if header.format != 0 {
                        return Err(WireError::Chunk { what: "a chunk stream that begins in its middle" });
                    }
                    if known >= STREAMS_MAX {
                        return Err(WireError::TooMuch { what: "chunk streams" });
                    }
                    entry.insert(Stream::default())
                }
            };
            let length = if header.format < 2 { header.length } else { stream.length };
            if length > MESSAGE_BYTES_MAX {
                return Err(WireError::TooMuch { what: "bytes in one message" });
            }
            // A new header in the middle of a message drops what was begun.
            let begun = if header.format < 3 { 0 } else { stream.payload.len() };
            let part = length.saturating_sub(begun).min(chunk_size);
            if have < header.bytes + part {
                return Ok(None);
            }
            if begun == 0 {
                self.unfinished -= stream.payload.len();
                stream.payload.clear();
                stream.begin(&header, length);
            }
            self.input.advance(header.bytes);
            stream.payload.extend_from_slice(self.input.get(..part).unwrap_or_default());
            self.input.advance(part);
            self.unfinished += part;
            if self.unfinished > UNFINISHED_BYTES_MAX {
                return Err(WireError::TooMuch { what: "unfinished messages" });
            }
            if stream.payload.len() < length {
                continue;
            }
            self.unfinished -= length;
            let message = Message {
                kind: stream.kind,
                timestamp: stream.timestamp,
                stream: stream.stream,
                payload: stream.payload.split().freeze(),
            };
            match message.kind {
                SET_CHUNK_SIZE => {
                    let size = number(&message.payload).unwrap_or(0);
                    if size == 0 || size > i32::MAX.unsigned_abs() {
                        return Err(WireError::Chunk { what: "a chunk size of nothing" });
                    }
                    self.chunk_size = usize::try_from(size.min(CHUNK_BYTES_MAX)).unwrap_or(CHUNK_BYTES_DEFAULT);
                }
                ABORT => {
                    if let Some(aborted) = number(&message.payload).and_then(|id| self.streams.get_mut(&id)) {
                        self.unfinished -= aborted.payload.len();
                        aborted.payload.clear();
                    }
                }
                _ => return Ok(Some(message)),
            }
        }
    }

    /// The next chunk's header, if it is all here.
    fn header(&self) -> Result<Option<Header>, WireError> {
        let input = &self.input;
        let Some(&first) = input.first() else { return Ok(None) };
        let (id, mut at) = match first & 0x3f {
            0 => {
                let Some(&second) = input.get(1) else { return Ok(None) };
                (u32::from(second) + 64, 2)
            }
            1 => {
                let (Some(&second), Some(&third)) = (input.get(1), input.get(2)) else { return Ok(None) };
                (u32::from(third) * 256 + u32::from(second) + 64, 3)
            }
            id => (u32::from(id), 1),
        };
        let format = first >> 6;
        let size = match format {
            0 => 11,
            1 => 7,
            2 => 3,
            _ => 0,
        };
        let Some(fields) = input.get(at..at + size) else { return Ok(None) };
        at += size;
        let at24 = |from: usize| match fields.get(from..from + 3) {
            Some(&[a, b, c]) => u32::from_be_bytes([0, a, b, c]),
            _ => 0,
        };
        let field = at24(0);
        let stream = match fields.get(7..11) {
            Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]),
            _ => 0,
        };
        let inherits = format == 3 && self.streams.get(&id).is_some_and(|stream| stream.extended);
        let mut extended = None;
        if field == CHUNK_BYTES_MAX || inherits {
            let Some(&[a, b, c, d]) = input.get(at..at + 4) else { return Ok(None) };
            extended = Some(u32::from_be_bytes([a, b, c, d]));
            at += 4;
        }
        Ok(Some(Header {
            format,
            id,
            field,
            length: usize::try_from(at24(3)).unwrap_or(usize::MAX),
            kind: fields.get(6).copied().unwrap_or(0),
            stream,
            extended,
            bytes: at,
        }))
    }
}

impl Stream {
    fn begin(&mut self, header: &Header, length: usize) {
        let field = header.extended.unwrap_or(header.field);
        match header.format {
            0 => {
                self.timestamp = field;
                self.delta = 0;
                self.stream = header.stream;
            }
            1 | 2 => {
                self.delta = field;
                self.timestamp = self.timestamp.wrapping_add(field);
            }
            // After a full header the specification would count its timestamp as the step; no encoder means that.
            _ => self.timestamp = self.timestamp.wrapping_add(self.delta),
        }
        if header.format < 3 {
            self.extended = header.extended.is_some();
        }
        if header.format < 2 {
            self.kind = header.kind;
        }
        self.length = length;
        self.payload.reserve(length.min(RESERVED_BYTES_MAX));
    }
}

/// The 32-bit number that most control messages are.
pub(in crate::media) fn number(payload: &[u8]) -> Option<u32> {
    match payload.get(..4) {
        Some(&[a, b, c, d]) => Some(u32::from_be_bytes([a, b, c, d])),
        _ => None,
    }
}

/// Appends a message in chunks of the default size, which every peer understands at any time.
pub(in crate::media) fn write(out: &mut Vec<u8>, chunk_stream: u8, kind: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    out.push(chunk_stream & 0x3f);
    out.extend_from_slice(&[0, 0, 0]);
    out.extend_from_slice(length.get(1..).unwrap_or_default());
    out.push(kind);
    out.extend_from_slice(&stream.to_le_bytes());
    for (index, part) in payload.chunks(CHUNK_BYTES_DEFAULT).enumerate() {
        if index > 0 {
            out.push(0xc0 | (chunk_stream & 0x3f));
        }
        out.extend_from_slice(part);
    }
}
