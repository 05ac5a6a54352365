//! Who was on when.

use super::SourceId;
use super::index::Segment;
use super::shelf::Shelf;

/// A part of a recording by the wall clock, in ms since 1970 UTC: from the first up to before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// From the segment that begins here or later.
    pub from_ms: i64,
    /// Up to the segment that begins before.
    pub until_ms: i64,
}

impl Stretch {
    /// All of it.
    pub const ALL: Self = Self { from_ms: i64::MIN, until_ms: i64::MAX };

    pub(super) fn holds(&self, segment: &Segment) -> bool {
        (self.from_ms..self.until_ms).contains(&segment.date_ms)
    }
}

/// One source's time on program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// Who was on.
    pub source: Option<SourceId>,
    /// Wall clock at its first picture, in ms since 1970 UTC.
    pub from_ms: i64,
    /// Where in the recording it begins, in ms.
    pub at_ms: u64,
    /// How long it lasts, in ms.
    pub length_ms: u64,
    /// The date of its last segment, in ms since 1970 UTC: dates can run a little behind lengths.
    pub last_ms: i64,
}

impl Shelf {
    /// Who was on when, oldest first: one after another, without the same twice.
    pub fn chapters(&self) -> Vec<Chapter> {
        let state = self.state();
        let mut chapters: Vec<Chapter> = Vec::new();
        let mut ticks = 0_u64;
        for segment in &state.segments {
            let source = segment.source.map(SourceId);
            if chapters.last().is_none_or(|last| last.source != source) {
                let (from_ms, at_ms) = (segment.date_ms, ticks / 90);
                chapters.push(Chapter { source, from_ms, at_ms, length_ms: 0, last_ms: from_ms });
            }
            ticks = ticks.saturating_add(segment.ticks);
            if let Some(last) = chapters.last_mut() {
                last.last_ms = segment.date_ms;
                last.length_ms = (ticks / 90).saturating_sub(last.at_ms);
            }
        }
        chapters
    }
}
