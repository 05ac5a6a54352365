//! Reading an archive, which needs nothing but its folder.

use super::segment::{self, Segment};
use super::{FOLDER, Flaw};
use crate::log::frame::chain::Chain;
use crate::log::frame::{Care, Frame, Header, Unpacker};
use crate::log::sled::Reader;
use crate::log::{Fault, Head};
use std::path::{Path, PathBuf};

/// A frame of an archive that was found to be whole and in its place.
pub struct Record {
    header: Header,
    stored: Vec<u8>,
    frame: Frame,
}

impl Record {
    /// Its header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Its bytes as the log stores them.
    pub fn stored(&self) -> &[u8] {
        &self.stored
    }

    /// Its lines.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// The frames of the archive in folder `dir`, from event 1 on, each checked thoroughly and against the one before, also from
/// segment to segment. After an `Err` there is nothing more.
///
/// # Errors
/// [`Fault::Io`] when the folder cannot be read.
pub fn read(dir: &Path) -> Result<Records, Fault> {
    let unpacker = Unpacker::new().map_err(|source| Fault::Io {
        doing: "preparing decompression for",
        path: dir.to_path_buf(),
        source,
    })?;
    let segments = segment::list(dir)?.into_iter();
    Ok(Records { segments, segment: None, chain: Chain::start(), unpacker, done: false })
}

/// Frames in order; see [`read`].
pub struct Records {
    segments: std::vec::IntoIter<(u64, PathBuf)>,
    segment: Option<Segment>,
    chain: Chain,
    unpacker: Unpacker,
    done: bool,
}

impl Records {
    /// The head of the log up to the last frame that was read.
    pub fn head(&self) -> Head {
        self.chain.head()
    }

    fn read(&mut self) -> Result<Option<Record>, Fault> {
        loop {
            let segment = match &mut self.segment {
                Some(segment) => segment,
                none => match self.segments.next() {
                    Some((name, path)) => none.insert(Segment::open(name, path)?),
                    None => return Ok(None),
                },
            };
            let first_seq = segment.next_seq;
            let Some(found) = segment.next()? else {
                self.segment = None;
                continue;
            };
            let path = &segment.path;
            let wrong = |flaw| Fault::Archive { segment: path.clone(), first_seq, flaw };
            self.chain.take(&found.header).map_err(|cause| wrong(Flaw::Break(cause)))?;
            let body = found.bytes.get(found.header.bytes()..).unwrap_or_default();
            let frame = self.unpacker.unpack(&found.header, body, Care::Thorough);
            let frame = frame.map_err(|damage| wrong(Flaw::Damage(damage)))?;
            return Ok(Some(Record { header: found.header, stored: found.bytes, frame }));
        }
    }
}

/// Checks that a log's archive holds the log's own frames, and returns the head up to which it does. Behind that it may end
/// early or torn: it is written after the log, and the next start mends it.
///
/// # Errors
/// [`Fault::Archive`] where a frame is not the log's, or is damaged with others behind it; others when the disk fails.
pub fn verify(reader: &Reader) -> Result<Head, Fault> {
    let dir = reader.dir().join(FOLDER);
    if !dir.exists() {
        return Ok(Head::EMPTY);
    }
    let mut records = read(&dir)?;
    let mut last = None;
    while let Some(record) = records.next() {
        match record {
            Ok(record) => last = Some(*record.header()),
            Err(Fault::Archive { flaw: Flaw::Torn { .. } | Flaw::Record | Flaw::Damage(_), .. })
                if records.segments.len() == 0 =>
            {
                break;
            }
            Err(fault) => return Err(fault),
        }
    }
    // One hash stands for all before it.
    let Some(last) = last else { return Ok(Head::EMPTY) };
    let (head, segment) = (last.head(), dir);
    let wrong = |flaw| Fault::Archive { segment, first_seq: last.first_seq, flaw };
    match reader.head_at(head.seq)? {
        Some(found) if found == head => Ok(head),
        Some(_) => Err(wrong(Flaw::Disagrees)),
        None => Err(wrong(Flaw::Ahead)),
    }
}

impl Iterator for Records {
    type Item = Result<Record, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.read().transpose();
        self.done = !matches!(item, Some(Ok(_)));
        item
    }
}
