//! PURE: the lines of a recording's index.

use super::super::vtt::Span;
use super::super::{AudioConfig, VideoConfig};
use serde::{Deserialize, Serialize};

/// One line: a configuration, or a segment that has one of the configurations before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "line")]
pub(super) enum Line {
    /// A configuration.
    Init(Init),
    /// A segment.
    Segment(Segment),
}

/// What the segments of one configuration need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Init {
    /// Its number in playlists.
    pub init: u64,
    /// AVCDecoderConfigurationRecord.
    pub avcc: Vec<u8>,
    /// Of the picture, in pixels.
    pub width: u32,
    /// Of the picture, in pixels.
    pub height: u32,
    /// AudioSpecificConfig.
    pub asc: Vec<u8>,
}

/// Where a segment lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Segment {
    /// Its number in playlists.
    pub msn: u64,
    /// The number of its configuration.
    pub init: u64,
    /// Where it begins in the file of segments, in bytes.
    pub at: u64,
    /// Bytes of picture and sound.
    pub length: u32,
    /// Bytes of the sound alone, right behind.
    pub sound: u32,
    /// Where it begins on the program's clock, in ticks of 1/90,000 s.
    #[serde(default)]
    pub clock: u64,
    /// Length in ticks of 1/90,000 s.
    pub ticks: u64,
    /// Wall clock at its first picture, in ms since 1970 UTC.
    pub date_ms: i64,
    /// Whether it begins another feed or configuration.
    pub discontinuity: bool,
    /// Whether it starts with a keyframe.
    pub independent: bool,
    /// Whose picture it is.
    pub source: Option<uuid::Uuid>,
}

impl Segment {
    /// When it was shown.
    pub(super) fn span(&self) -> Span {
        Span { date_ms: self.date_ms, at: self.clock, ticks: self.ticks }
    }

    /// Where the next one begins.
    pub(super) fn end(&self) -> u64 {
        self.at.saturating_add(u64::from(self.length)).saturating_add(u64::from(self.sound))
    }
}

impl Init {
    /// The configurations, if the bytes are what they were.
    pub(super) fn configs(&self) -> Option<(VideoConfig, AudioConfig)> {
        let video = VideoConfig { avcc: self.avcc.clone().into(), width: self.width, height: self.height };
        Some((video, AudioConfig::parse(&self.asc.clone().into()).ok()?))
    }
}

/// The whole lines of an index as far as they can be trusted, each with the bytes up to its end: up to a torn or foreign line,
/// or a segment that does not lie where the one before it ends, or not within the `there` bytes of the file of segments.
pub(super) fn read(text: &[u8], there: u64) -> Vec<(Line, u64)> {
    let (mut lines, mut taken, mut end) = (Vec::new(), 0_u64, 0);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let Ok(read) = serde_json::from_slice::<Line>(line) else { break };
        if line.last() != Some(&b'\n') {
            break;
        }
        if let Line::Segment(segment) = &read {
            if segment.at != end || segment.end() > there {
                break;
            }
            end = segment.end();
        }
        taken = taken.saturating_add(u64::try_from(line.len()).unwrap_or(0));
        lines.push((read, taken));
    }
    lines
}
