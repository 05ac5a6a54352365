//! PURE: MP4 files (ISO 14496-12) as exporters and phones write them: where each sample is, and when it is shown.
//!
//! Only the index (`moov`) is read here; the samples stay in the file. Every count is held against the bytes that are there,
//! so a file that lies is refused before anything is allocated for it.

mod boxes;
mod entries;
mod tables;

use super::{AudioConfig, VideoConfig};
use crate::media::Frame;
use boxes::{children, find};
use std::fmt;
use tables::Table;
use thiserror::Error;

/// Bytes of an index: at some 40 bytes for a picture and its sound, a day of both.
pub const INDEX_BYTES_MAX: u64 = 64 << 20;

/// Samples of one track: nine hours at 60 pictures a second.
const SAMPLES_MAX: u32 = 2_000_000;

/// One sample; a keyframe of 4K video at the highest rates is a tenth of this.
const SAMPLE_BYTES_MAX: u32 = 16 << 20;

/// A clip as long as the longest rally.
const DURATION_MS_MAX: i64 = 12 * 3_600_000;

/// What a source may stand still for before it counts as another start, in ticks; a program's players wait no longer.
const STILL_TICKS_MAX: i64 = 180_000;

/// Why a file can't be played, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Mp4Error {
    /// Another kind of file.
    #[error("this is not an MP4 file: export the clip as MP4 with H.264 and AAC")]
    Foreign,
    /// There is no `moov`.
    #[error("this MP4 file has no index: it was cut short while it was recorded or copied. Export it again")]
    NoIndex,
    /// The samples lie in fragments.
    #[error("this is a fragmented MP4, as for streaming: export it as an ordinary MP4")]
    Fragmented,
    /// A table contradicts itself or the file.
    #[error("this MP4 file is damaged ({what}): export it again")]
    Broken {
        /// Where.
        what: &'static str,
    },
    /// The file ends before its last sample.
    #[error("this MP4 file is cut short: copy or export it again")]
    Short,
    /// No picture.
    #[error("this MP4 file has no video: export it with H.264 video")]
    NoVideo,
    /// Another codec, or a form of it that browsers don't play.
    #[error("this is {found}: export it as {needed}")]
    Codec {
        /// What it is.
        found: Found,
        /// What plays everywhere.
        needed: &'static str,
    },
    /// Longer than anybody plays.
    #[error("this clip is longer than twelve hours: export a shorter one")]
    TooLong,
    /// Fewer than one picture in two seconds.
    #[error(
        "this clip's picture stands still for more than two seconds at a time: export it with a constant frame rate, like 30"
    )]
    Still,
}

/// The name of what was found.
pub type Found = std::borrow::Cow<'static, str>;

/// Where one sample is, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// From the file's start.
    pub offset: u64,
    /// Bytes.
    pub size: u32,
    /// When it is decoded, in ticks of [`Frame::TIMESCALE`] from the clip's start; may be below zero before it.
    pub dts: i64,
    /// When it is shown, on the same clock.
    pub pts: i64,
    /// Whether decoding can start here.
    pub keyframe: bool,
}

/// A clip that can be played.
#[derive(Clone, PartialEq, Eq)]
pub struct Movie {
    /// The pictures' configuration.
    pub video: VideoConfig,
    /// The pictures, in decoding order, from the first keyframe.
    pub pictures: Vec<Sample>,
    /// The sound's configuration; none for a silent clip.
    pub audio: Option<AudioConfig>,
    /// The sound, in order.
    pub sounds: Vec<Sample>,
    /// From the first picture to the end of the last.
    pub duration_ms: u64,
}

impl fmt::Debug for Movie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pictures, sounds) = (self.pictures.len(), self.sounds.len());
        f.debug_struct("Movie").field("pictures", &pictures).field("sounds", &sounds).finish_non_exhaustive()
    }
}

/// The head of a box at the file's top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its name.
    pub name: [u8; 4],
    /// Bytes before its body.
    pub head: u64,
    /// Bytes in all; none for "to the end of the file".
    pub size: Option<u64>,
}

/// Reads a box's head from its first 16 bytes (fewer at the end of a file).
///
/// # Errors
/// [`Mp4Error::Broken`] if it can't be one.
pub fn head(bytes: &[u8]) -> Result<Head, Mp4Error> {
    let broken = Mp4Error::Broken { what: "a box's size" };
    let word = |at: usize| bytes.get(at..at + 4).and_then(|word| <[u8; 4]>::try_from(word).ok());
    let (size, name) = word(0).zip(word(4)).ok_or(broken.clone())?;
    let (head, size) = match u32::from_be_bytes(size) {
        0 => (8, None),
        1 => {
            let (high, low) = word(8).zip(word(12)).ok_or(broken.clone())?;
            let size = u64::from(u32::from_be_bytes(high)) << 32 | u64::from(u32::from_be_bytes(low));
            (16, Some(size))
        }
        size => (8, Some(u64::from(size))),
    };
    if size.is_some_and(|size| size < head) {
        return Err(broken);
    }
    Ok(Head { name, head, size })
}

impl Movie {
    /// Reads the body of a file's `moov`; `file_bytes` is the length of the whole file.
    ///
    /// # Errors
    /// [`Mp4Error`]: in words for whoever uploaded it.
    pub fn parse(moov: &[u8], file_bytes: u64) -> Result<Self, Mp4Error> {
        if find(moov, b"mvex").is_some() {
            return Err(Mp4Error::Fragmented);
        }
        let movie_scale = find(moov, b"mvhd").and_then(tables::timescale).unwrap_or(1_000);
        let (mut video, mut audio, mut foreign) = (None, None, None);
        for trak in children(moov).filter(|(name, _)| *name == b"trak").map(|(_, body)| body) {
            let Some(mdia) = find(trak, b"mdia") else { continue };
            let kind = find(mdia, b"hdlr").and_then(|hdlr| hdlr.get(8..12)).unwrap_or_default();
            let Some(stbl) = find(mdia, b"minf").and_then(|minf| find(minf, b"stbl")) else { continue };
            let entry = || find(stbl, b"stsd").ok_or(Mp4Error::Broken { what: "a track without a description" });
            match kind {
                b"vide" if video.is_none() => match entries::video(entry()?) {
                    Ok(config) => video = Some((config, trak, mdia, stbl)),
                    // A cover picture is a track too; another one may be the clip.
                    Err(error) => foreign = foreign.or(Some(error)),
                },
                b"soun" if audio.is_none() => audio = Some((entries::audio(entry()?)?, trak, mdia, stbl)),
                _ => {}
            }
        }
        let Some((video, trak, mdia, stbl)) = video else { return Err(foreign.unwrap_or(Mp4Error::NoVideo)) };
        let mut pictures = Table::read(trak, mdia, stbl, movie_scale)?.samples(file_bytes)?;
        let start =
            pictures.iter().position(|sample| sample.keyframe).ok_or(Mp4Error::Broken { what: "no keyframe" })?;
        pictures.drain(..start);
        let (audio, mut sounds) = match audio {
            Some((audio, trak, mdia, stbl)) => {
                (Some(audio), Table::read(trak, mdia, stbl, movie_scale)?.samples(file_bytes)?)
            }
            None => (None, Vec::new()),
        };
        // What an encoder needed to get going sounds before the first picture, and is not heard.
        sounds.retain(|sound| sound.pts >= 0);
        let audio = audio.filter(|_| !sounds.is_empty());
        check_pace(&pictures)?;
        let first = pictures.first().map_or(0, |sample| sample.pts);
        let frame = pictures.first_chunk::<2>().map_or(3_000, |[first, second]| second.dts - first.dts);
        let end = pictures.iter().map(|sample| sample.pts).max().unwrap_or(0) + frame;
        let duration_ms = (end - first) / Frame::TICKS_PER_MS;
        if duration_ms > DURATION_MS_MAX {
            return Err(Mp4Error::TooLong);
        }
        Ok(Self { video, pictures, audio, sounds, duration_ms: u64::try_from(duration_ms).unwrap_or(0) })
    }
}

fn check_pace(pictures: &[Sample]) -> Result<(), Mp4Error> {
    let mut pairs = pictures.windows(2).filter_map(|pair| pair.first().zip(pair.last()));
    if pairs.any(|(one, next)| next.dts - one.dts > STILL_TICKS_MAX) { Err(Mp4Error::Still) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
