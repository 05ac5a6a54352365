//! What is added to a recording.

use super::index::{Init, Segment};
use super::shelf::Shelf;
use super::{Finished, Line};
use bytes::Bytes;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::sync::{Arc, PoisonError};

/// A shelf that is written to.
#[derive(Debug)]
pub(super) struct Writing {
    shelf: Arc<Shelf>,
    at: u64,
}

impl Writing {
    pub(super) fn open(shelf: Arc<Shelf>) -> io::Result<Self> {
        let (at, index_bytes) = {
            let state = shelf.state();
            (state.segments.last().map_or(0, Segment::end), state.index_bytes)
        };
        // A write that failed half way is written over.
        shelf.index.set_len(index_bytes)?;
        (&shelf.segments).seek(SeekFrom::Start(at))?;
        (&shelf.index).seek(SeekFrom::Start(index_bytes))?;
        Ok(Self { shelf, at })
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.shelf.is_deleted()
    }

    /// Writes the body, then its line, then shows it.
    pub(super) fn add(&mut self, finished: Finished) -> io::Result<()> {
        let length = |bytes: &Bytes| {
            u32::try_from(bytes.len()).map_err(|_| io::Error::other("a segment is larger than any should be"))
        };
        let segment = Segment {
            msn: finished.msn,
            init: finished.init,
            at: self.at,
            length: length(&finished.bytes)?,
            sound: length(&finished.sound)?,
            clock: finished.at,
            ticks: finished.ticks,
            date_ms: finished.date_ms,
            discontinuity: finished.discontinuity,
            independent: finished.independent,
            source: finished.source.map(|source| source.0),
        };
        let init = Init {
            init: finished.init,
            avcc: finished.config.video.avcc.to_vec(),
            width: finished.config.video.width,
            height: finished.config.video.height,
            asc: finished.config.audio.asc.to_vec(),
        };
        let new = !self.shelf.state().inits.contains_key(&init.init);
        let mut file = &self.shelf.segments;
        file.write_all(&finished.bytes)?;
        file.write_all(&finished.sound)?;
        let mut lines = Vec::new();
        if new {
            serde_json::to_writer(&mut lines, &Line::Init(init.clone()))?;
            lines.push(b'\n');
        }
        serde_json::to_writer(&mut lines, &Line::Segment(segment))?;
        lines.push(b'\n');
        (&self.shelf.index).write_all(&lines)?;
        self.at = segment.end();
        let mut state = self.shelf.state.write().unwrap_or_else(PoisonError::into_inner);
        if new {
            state.inits.insert(init.init, init);
        }
        state.index_bytes = state.index_bytes.saturating_add(u64::try_from(lines.len()).unwrap_or(0));
        state.segments.push(segment);
        Ok(())
    }
}
