//! Events read back from the log one at a time: what is too large or too personal to stand in memory.

use super::Fault;
use crate::domain::codec;
use crate::domain::{Event, Recorded};
use crate::log::frame::Frame;
use crate::log::sled::{Frames, Reader};

use chrono::{DateTime, Utc};

/// Reads events by number; quick for those that come in order, since it keeps the frame it read last and goes on from there.
pub struct Lines {
    reader: Reader,
    frames: Option<Frames>,
    frame: Option<Frame>,
    /// Where the lines of the frame begin.
    starts: Vec<usize>,
}

impl Lines {
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader, frames: None, frame: None, starts: vec![] }
    }

    /// The event with this number; `None` beyond the head.
    ///
    /// # Errors
    /// [`Fault`] where the log is damaged there.
    pub fn event(&mut self, seq: u64) -> Result<Option<Event>, Fault> {
        Ok(self.recorded(seq)?.map(|recorded| recorded.event))
    }

    /// The same with its instant.
    ///
    /// # Errors
    /// [`Fault`] where the log is damaged there.
    pub fn recorded(&mut self, seq: u64) -> Result<Option<Recorded>, Fault> {
        Ok(self.signed(seq)?.map(|(recorded, _)| recorded))
    }

    fn line(&self, seq: u64) -> Option<&[u8]> {
        let frame = self.frame.as_ref()?;
        let place = usize::try_from(seq.checked_sub(frame.first_seq)?).ok()?;
        let (start, next) = (*self.starts.get(place)?, *self.starts.get(place.checked_add(1)?)?);
        frame.body().get(start..next.checked_sub(1)?)
    }

    /// Makes the frame that holds this event the one that is kept.
    fn turn_to(&mut self, seq: u64) -> Result<(), Fault> {
        let near = self.frame.as_ref().is_some_and(|frame| {
            let next = frame.first_seq.saturating_add(frame.count.into());
            seq.checked_sub(next).is_some_and(|after| after < frame.count.into())
        });
        if self.line(seq).is_some() || (near && self.turn()? && self.line(seq).is_some()) {
            return Ok(());
        }
        self.frames = Some(self.reader.frames_from(seq));
        self.turn().map(drop)
    }

    /// Goes on to the next frame; false at the end.
    fn turn(&mut self) -> Result<bool, Fault> {
        let Some(frames) = &mut self.frames else { return Ok(false) };
        let before = self.frame.take();
        self.starts.clear();
        let Some(frame) = frames.next().transpose()? else {
            self.frames = None;
            return Ok(false);
        };
        self.starts.push(0);
        self.starts.extend(memchr::memchr_iter(b'\n', frame.body()).map(|at| at.saturating_add(1)));
        if let Some(before) = before {
            frames.reuse(before);
        }
        self.frame = Some(frame);
        Ok(true)
    }

    /// The same with who asked for it.
    ///
    /// # Errors
    /// [`Fault`] where the log is damaged there.
    pub fn signed(&mut self, seq: u64) -> Result<Option<(Recorded, String)>, Fault> {
        if seq == 0 || seq > self.reader.newest() {
            return Ok(None);
        }
        self.turn_to(seq)?;
        let Some(line) = self.line(seq) else { return Ok(None) };
        let line = codec::decode(line).map_err(|source| Fault::Codec { seq, source })?;
        Ok(Some((line.recorded, line.by.into_owned())))
    }

    /// The number of the last event up to and with an instant; 0 for none. The log's time never steps back, so some thirty
    /// looks find it in a log of any length.
    ///
    /// # Errors
    /// [`Fault`] where the log is damaged there.
    pub fn last_until(&mut self, at: DateTime<Utc>) -> Result<u64, Fault> {
        let (mut known, mut after) = (0, self.reader.newest().saturating_add(1));
        while after.saturating_sub(known) > 1 {
            let middle = known.midpoint(after);
            match self.recorded(middle)? {
                Some(recorded) if recorded.at <= at => known = middle,
                Some(_) | None => after = middle,
            }
        }
        Ok(known)
    }
}
