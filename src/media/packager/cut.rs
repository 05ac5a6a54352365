//! What a packager makes of a program, in the order in which it comes.

use super::super::codec::{AudioConfig, VideoConfig};
use bytes::Bytes;

/// What the packager has done, in the order in which it did it: a start, parts, an end, and so on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// A segment begins.
    Start(Start),
    /// Its next part is whole.
    Part(Part),
    /// It is whole.
    End(End),
}

/// How a segment begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// New init segments, if this segment and those after it need others than those before.
    pub init: Option<Init>,
    /// Wall clock at its first picture, in ms since 1970 UTC.
    pub date_ms: i64,
    /// Where it begins on the program's clock, in ticks of [`TIMESCALE`](crate::media::Frame::TIMESCALE): its first picture's decode time, which is when a
    /// feed's first picture is shown.
    pub at: i64,
    /// Whether it begins another feed or configuration.
    pub discontinuity: bool,
    /// Whether it starts with a keyframe.
    pub independent: bool,
}

/// What a player needs before the segments of one configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Init {
    /// The init segment of picture and sound.
    pub program: Bytes,
    /// Those of the lower qualities with the same sound, the best first.
    pub lower: Vec<(Bytes, VideoConfig)>,
    /// The init segment of the sound alone.
    pub sound: Bytes,
    /// The pictures' configuration.
    pub video: VideoConfig,
    /// The sound's.
    pub audio: AudioConfig,
}

/// One fragment: a part of a segment; a segment is its parts one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The fragment.
    pub bytes: Bytes,
    /// Length in ticks of [`TIMESCALE`](crate::media::Frame::TIMESCALE).
    pub ticks: i64,
    /// Whether it starts with a keyframe.
    pub independent: bool,
    /// The fragments of the same time in the lower qualities.
    pub lower: Vec<Bytes>,
}

/// How a segment ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Its sound alone, as one fragment; empty where it has none.
    pub sound: Bytes,
    /// Length in ticks of [`TIMESCALE`](crate::media::Frame::TIMESCALE).
    pub ticks: i64,
}
