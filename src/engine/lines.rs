//! Events read back from the log one at a time: what is too large or too personal to stand in memory.

use super::Fault;
use crate::domain::codec;
use crate::domain::{Event, Recorded};
use crate::log::frame::Frame;
use crate::log::sled::Reader;
use chrono::{DateTime, Utc};

/// Reads events by number; quick for neighbours, since it keeps the frame it read last.
pub struct Lines {
    reader: Reader,
    frame: Option<Frame>,
}

impl Lines {
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader, frame: None }
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
        if seq == 0 || seq > self.reader.newest() {
            return Ok(None);
        }
        let held = |frame: &Frame| (frame.first_seq..frame.first_seq.saturating_add(frame.count.into())).contains(&seq);
        if !self.frame.as_ref().is_some_and(held) {
            self.frame = self.reader.frames_from(seq).next().transpose()?;
        }
        let line = self.frame.as_ref().and_then(|frame| frame.lines().find(|(at, _)| *at == seq));
        let Some((_, line)) = line else { return Ok(None) };
        let line = codec::decode(line).map_err(|source| Fault::Codec { seq, source })?;
        Ok(Some(line.recorded))
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
