//! A recording as one film to take home: its segments on one clock, whatever their formats.
//!
//! Pictures stay as they were sent. Where their configuration changes, each keyframe brings its parameter sets along and each
//! fragment names its own in the head, for players look at one or the other. Sound is copied where one format is all there is;
//! otherwise what is not AAC-LC at 48 kHz in stereo is made so. What was not recorded, as the slate, leaves no hole.

mod pictures;
mod sounds;

use super::chapters::Stretch;
use super::index::{Init, Segment};
use super::shelf::Shelf;
use crate::media::codec::{AudioConfig, VideoConfig};
use crate::media::fmp4::{self, AUDIO_TRACK, Run, VIDEO_TRACK, read};
use crate::media::transcode::Uniform;
use bytes::Bytes;
use pictures::{Look, Pictures};
use sounds::Sounds;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// A film begins with its first picture by no more than half a second late, however far a source shows pictures after their
/// decoding.
const DELAY_TICKS_MAX: i64 = 45_000;

/// A recording on its way out as one MP4: the head, then a fragment a segment.
pub struct Movie {
    shelf: Arc<Shelf>,
    head: Option<Bytes>,
    segments: std::iter::Peekable<std::vec::IntoIter<Segment>>,
    formats: BTreeMap<u64, Format>,
    pictures: Pictures,
    sounds: Sounds,
    fragments: u32,
    /// Whether the next segment goes on where the last one ended.
    going: bool,
}

/// What segments of one configuration are made of.
struct Format {
    look: Look,
    audio: AudioConfig,
}

impl std::fmt::Debug for Movie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Movie").field("segments", &self.segments.len()).finish_non_exhaustive()
    }
}

/// What a film of a whole recording is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Whether the picture changes its size.
    pub sizes: bool,
    /// Whether sound is made into another format.
    pub sound: bool,
    /// Sound that can't be, and is silent there: as people say it.
    pub silent: Vec<String>,
    /// How long it is, in ms.
    pub length_ms: u64,
}

impl Shelf {
    /// A stretch as one MP4 to take home; none if nothing of it was recorded.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn movie(self: &Arc<Self>, stretch: Stretch) -> io::Result<Option<Movie>> {
        let (segments, configs) = self.reel(stretch);
        let mut videos: Vec<VideoConfig> = Vec::new();
        for segment in &segments {
            if let Some((video, _)) = configs.get(&segment.init)
                && !videos.contains(video)
            {
                videos.push(video.clone());
            }
        }
        let Some(sound) = common(&segments, &configs) else { return Ok(None) };
        let several = videos.len() > 1;
        let number = |video: &VideoConfig| videos.iter().position(|known| known == video).unwrap_or(0);
        let format = |(init, (video, audio)): (&u64, &(VideoConfig, AudioConfig))| {
            (*init, Format { look: Look::new(video, number(video), several), audio: audio.clone() })
        };
        let formats = configs.iter().map(format).collect();
        let ticks: u64 = segments.iter().map(|segment| segment.ticks).sum();
        let described: Vec<VideoConfig> = videos.iter().map(pictures::widened).collect();
        let head = fmp4::head(&described, &sound, ticks / 90);
        let delay = self.delay(&segments)?;
        Ok(Some(Movie {
            shelf: self.clone(),
            head: Some(head),
            segments: segments.into_iter().peekable(),
            formats,
            pictures: Pictures::new(delay),
            sounds: Sounds::new(sound),
            fragments: 0,
            going: false,
        }))
    }

    /// What a film of everything would be like; none if nothing was recorded.
    pub fn shape(&self) -> Option<Shape> {
        let (segments, configs) = self.reel(Stretch::ALL);
        let sound = common(&segments, &configs)?;
        let used = || segments.iter().filter_map(|segment| configs.get(&segment.init));
        let mut shape =
            Shape { length_ms: segments.iter().map(|segment| segment.ticks).sum::<u64>() / 90, ..Shape::default() };
        let mut size = None;
        for (video, audio) in used() {
            shape.sizes |= *size.get_or_insert((video.width, video.height)) != (video.width, video.height);
            if !audio.is_like(&sound) {
                shape.sound = true;
                let name = audio.describe();
                if !shape.silent.contains(&name) && !Uniform::reads(audio) {
                    shape.silent.push(name);
                }
            }
        }
        Some(shape)
    }

    /// The segments of a film of this stretch, and their configurations by number.
    fn reel(&self, stretch: Stretch) -> (Vec<Segment>, BTreeMap<u64, (VideoConfig, AudioConfig)>) {
        let state = self.state();
        let configs: BTreeMap<u64, _> =
            state.inits.iter().filter_map(|(number, init)| Some((*number, Init::configs(init)?))).collect();
        let known = |segment: &&Segment| stretch.holds(segment) && configs.contains_key(&segment.init);
        (state.segments.iter().filter(known).copied().collect(), configs)
    }

    /// How much later than its decoding the first picture of a film is shown, in ticks: so much that none of any feed is shown
    /// before it is decoded. A feed's first segment tells.
    fn delay(&self, segments: &[Segment]) -> io::Result<i64> {
        let mut delay = 0_i64;
        let mut before: Option<&Segment> = None;
        for segment in segments {
            if before.is_none_or(|before| !goes_on(before, segment)) {
                let body = self.body(segment)?.into();
                let pictures = read::pieces(&body).into_iter().filter(|piece| piece.track == VIDEO_TRACK);
                let offsets: Vec<i64> =
                    pictures.flat_map(|piece| piece.samples).map(|sample| i64::from(sample.offset)).collect();
                if let (Some(first), Some(least)) = (offsets.first(), offsets.iter().min()) {
                    delay = delay.max(first - least);
                }
            }
            before = Some(segment);
        }
        Ok(delay.min(DELAY_TICKS_MAX))
    }
}

/// The sound's format of a film of these segments: theirs if it is one, or that which every other can be made into.
fn common(segments: &[Segment], configs: &BTreeMap<u64, (VideoConfig, AudioConfig)>) -> Option<AudioConfig> {
    let mut audios = segments.iter().filter_map(|segment| configs.get(&segment.init)).map(|(_, audio)| audio);
    let first = audios.next()?;
    Some(if audios.all(|audio| audio.is_like(first)) { first.clone() } else { Uniform::config() })
}

/// Whether a segment is the same feed's as the one before, with nothing missing between.
fn goes_on(before: &Segment, after: &Segment) -> bool {
    !after.discontinuity
        && before.msn.saturating_add(1) == after.msn
        && (before.init, before.source) == (after.init, after.source)
}

impl Iterator for Movie {
    type Item = io::Result<Bytes>;

    /// Reads from disk.
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(head) = self.head.take() {
            return Some(Ok(head));
        }
        loop {
            let segment = self.segments.next()?;
            let next = self.segments.peek();
            let (last, ends) = (next.is_none(), next.is_none_or(|next| !goes_on(&segment, next)));
            let body = match self.shelf.body(&segment) {
                Ok(body) => body.into(),
                Err(error) => return Some(Err(error)),
            };
            let fragment = self.fragment(&segment, &body, ends, last);
            self.going = !ends;
            if let Some(fragment) = fragment {
                return Some(Ok(fragment));
            }
        }
    }
}

impl Movie {
    /// A segment as one fragment; none if nothing of it can be shown.
    fn fragment(&mut self, segment: &Segment, body: &Bytes, ends: bool, last: bool) -> Option<Bytes> {
        let format = self.formats.get(&segment.init)?;
        if !self.going {
            self.pictures.leave();
        }
        let pieces = read::pieces(body);
        let of = |track: u32| pieces.iter().filter(move |piece| piece.track == track);
        let joined = self.pictures.join();
        let (decode_time, pictures) = self.pictures.take(of(VIDEO_TRACK), &format.look);
        if let Some(join) = self.pictures.join() {
            if joined.is_none() {
                self.sounds.join(&format.audio, join);
            }
            self.sounds.take(of(AUDIO_TRACK), self.pictures.end(), ends);
        }
        self.sounds.fill(self.pictures.end(), last);
        let (sound_time, sounds) = self.sounds.give();
        let runs = [
            Run { track: VIDEO_TRACK, decode_time, samples: &pictures },
            Run { track: AUDIO_TRACK, decode_time: sound_time, samples: &sounds },
        ];
        if pictures.is_empty() && sounds.is_empty() {
            return None;
        }
        self.fragments = self.fragments.wrapping_add(1);
        Some(fmp4::described(self.fragments, &runs, format.look.description()))
    }
}

#[cfg(test)]
mod tests;
