//! PURE: one program's frames, from whichever source is on, cut into segments and their parts on one continuous timeline.
//!
//! The program's clock never goes back: each join is placed where the last one ended. Every segment has a video track
//! and an AAC track, silent if need be, because a browser's buffer refuses a change in the number of tracks.

use super::codec::aac::SAMPLES_PER_FRAME;
use super::codec::{AudioConfig, VideoConfig};
use super::fmp4::{self, AUDIO_TRACK, Run, Sample, VIDEO_TRACK};
use super::{Frame, Track};
use bytes::Bytes;
use std::collections::VecDeque;

/// What every playlist announces. Players without low latency start three of these behind live, so it is as short as the
/// two-second keyframes that most encoders are told to send allow.
pub const TARGET_DURATION_S: u64 = 2;

/// Parts are this long, whatever the picture rate: a picture belongs to the part in which it begins. A third of a second is
/// the shortest that leaves a player on the other side of a continent time to ask.
const PART_TICKS: i64 = 30_000;

/// No part is longer: the last of a segment takes what timestamps in whole ms leave over.
pub const PART_TICKS_MAX: i64 = 31_500;

/// A keyframe this long after the start ends a segment: near the target, since every player must be told of every segment.
const SEGMENT_TICKS_MIN: i64 = 162_000;

/// A segment ends here even without a keyframe: beyond 2.499 s its rounded length would exceed the target.
const SEGMENT_TICKS_MAX: i64 = 216_000;

/// Ends a segment early. Two seconds at 20 Mbit/s, the most that is asked for, are 5 MB.
const SEGMENT_BYTES_MAX: usize = 16 << 20;

/// Ends a segment early, so that a run of empty frames cannot grow without bound: 240 frames/s for 2.4 s are 576.
const SEGMENT_SAMPLES_MAX: usize = 1_000;

/// Audio waiting for its pictures; five seconds at 96 kHz.
const AUDIO_QUEUE_MAX: usize = 480;

/// AAC frames follow each other without a gap, so only more than encoders' rounding and jitter moves their clock.
const AUDIO_RESYNC_MS: i64 = 60;

/// Sound may come this much after its pictures. After that there is silence in its place: players show no picture where they have no
/// sound.
const AUDIO_WAIT_TICKS: i64 = 90_000;

/// Audio further ahead than this has another clock than the pictures, and would sound at the wrong time for ever.
const AUDIO_AHEAD_TICKS_MAX: i64 = 450_000;

/// Beyond this the wall clock of the pictures is set anew, for sources that run slow or stall.
const DATE_DRIFT_MS_MAX: i64 = 1_000;

/// Where the program's clock begins: room for the decoding times before the first presentation time.
const FIRST_TICK: i64 = 900_000;

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
    /// Where it begins on the program's clock, in ticks of [`Frame::TIMESCALE`]: its first picture's decode time, which is when a
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
    /// Length in ticks of [`Frame::TIMESCALE`].
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
    /// Length in ticks of [`Frame::TIMESCALE`].
    pub ticks: i64,
}

/// Cuts one program.
#[derive(Debug)]
pub struct Packager {
    /// Where the next join is placed.
    end: i64,
    fragments: u32,
    begun: bool,
    last_init: Option<Init>,
    run: Option<Joined>,
}

/// What is known while one feed with one configuration is on.
#[derive(Debug)]
struct Joined {
    init: Option<Init>,
    discontinuity: bool,
    /// Program ticks minus the source's.
    shift: i64,
    /// How much later than the source says each picture is decoded: as long as its first is held back for those that are decoded
    /// out of turn. So each feed is decoded from where it is shown on, and no player finds a hole before it.
    reorder: i64,
    audio: AudioConfig,
    silent: bool,
    date_anchor: (i64, i64),
    held: Picture,
    lower: Vec<LowerTrack>,
    open: Open,
    sound: VecDeque<(i64, Bytes)>,
    sound_next: i64,
    heard: bool,
}

/// A lower quality's pictures. Where they are cut is decided by the best one's: what begins before a fragment's end is in it.
#[derive(Debug)]
struct LowerTrack {
    held: Option<Picture>,
    /// Where the first of the samples is decoded.
    at: i64,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Picture {
    dts: i64,
    offset: i32,
    keyframe: bool,
    data: Bytes,
}

/// The segment that grows.
#[derive(Debug)]
struct Open {
    start: i64,
    date_ms: i64,
    /// Whether it begins with a keyframe.
    independent: bool,
    /// Whether its start was told.
    told: bool,
    samples: usize,
    bytes: usize,
    /// Where the next picture to be written is decoded.
    next_video: i64,
    sound_at: Option<i64>,
    sound: Vec<Sample>,
    part: OpenPart,
}

/// The part that grows.
#[derive(Debug)]
struct OpenPart {
    start: i64,
    samples: Vec<Sample>,
}

impl Open {
    fn new(start: i64, date_ms: i64, independent: bool) -> Self {
        Self {
            start,
            date_ms,
            independent,
            told: false,
            samples: 0,
            bytes: 0,
            next_video: start,
            sound_at: None,
            sound: Vec::new(),
            part: OpenPart { start, samples: Vec::new() },
        }
    }
}

impl Default for Packager {
    fn default() -> Self {
        Self { end: FIRST_TICK, fragments: 0, begun: false, last_init: None, run: None }
    }
}

impl Packager {
    /// Puts another feed on from its keyframe `first`, which is in it; `now_ms` is the wall clock.
    pub fn join(
        &mut self,
        video: &VideoConfig,
        lower: &[VideoConfig],
        audio: Option<&AudioConfig>,
        first: &Frame,
        now_ms: i64,
        out: &mut Vec<Cut>,
    ) {
        self.leave(out);
        let silent = audio.is_none();
        let audio = audio.cloned().unwrap_or_else(AudioConfig::silent);
        let init = Init {
            program: fmp4::init(video, &audio),
            lower: lower.iter().map(|video| (fmp4::init(video, &audio), video.clone())).collect(),
            sound: fmp4::init_sound(&audio),
            video: video.clone(),
            audio: audio.clone(),
        };
        let shift = self.end.saturating_sub(first.pts);
        let reorder = first.pts - first.dts;
        let held = picture(first, shift, reorder);
        let sound_next = to_samples(self.end, &audio);
        let mut run = Joined {
            init: (self.last_init.as_ref() != Some(&init)).then(|| init.clone()),
            discontinuity: self.begun,
            shift,
            reorder,
            audio,
            silent,
            date_anchor: (held.dts, now_ms),
            open: Open::new(held.dts, now_ms, held.keyframe),
            lower: lower.iter().map(|_| LowerTrack { held: None, at: held.dts, samples: Vec::new() }).collect(),
            held,
            sound: VecDeque::new(),
            sound_next,
            heard: false,
        };
        run.see_lower(first);
        self.run = Some(run);
        self.last_init = Some(init);
    }

    /// Takes the next frame of the feed that joined.
    pub fn push(&mut self, frame: &Frame, now_ms: i64, out: &mut Vec<Cut>) {
        match frame.track {
            Track::Audio => {
                if let Some(run) = &mut self.run {
                    run.hear(frame);
                }
            }
            Track::Video => self.see(frame, now_ms, out),
        }
    }

    /// Takes the feed off, and closes what was begun.
    pub fn leave(&mut self, out: &mut Vec<Cut>) {
        let Some(mut run) = self.run.take() else { return };
        // The last picture's length is not known: as long as the one before it, and until the last sound ends, so that not even a
        // moment is left open before what joins.
        let length = run.open.part.samples.last().map_or(3_000, |sample| sample.duration.min(9_000));
        let end = run.held.dts + i64::from(length);
        let end = end.max(run.end_of_sound(end));
        self.make_room(&mut run, end, out);
        let length = u32::try_from(end - run.held.dts).unwrap_or(length);
        run.keep_held(length);
        for track in &mut run.lower {
            track.keep_held(length);
        }
        self.end(&mut run, end, out);
    }

    fn see(&mut self, frame: &Frame, now_ms: i64, out: &mut Vec<Cut>) {
        let Some(mut run) = self.run.take() else { return };
        let next = picture(frame, run.shift, run.reorder);
        let next_at = next.dts;
        self.make_room(&mut run, next_at, out);
        run.keep_held(u32::try_from(next_at - run.held.dts).unwrap_or(1));
        run.see_lower(frame);
        let length = next_at - run.open.start;
        let at_keyframe = next.keyframe && (length >= SEGMENT_TICKS_MIN || !run.open.independent);
        if at_keyframe || run.open.bytes > SEGMENT_BYTES_MAX || run.open.samples >= SEGMENT_SAMPLES_MAX {
            self.end(&mut run, next_at, out);
            if run.date_at(next_at).abs_diff(now_ms) > DATE_DRIFT_MS_MAX.unsigned_abs() {
                run.date_anchor = (next_at, now_ms);
            }
            run.open = Open::new(next_at, run.date_at(next_at), next.keyframe);
        } else {
            self.end_parts(&mut run, next_at, out);
        }
        run.held = next;
        self.run = Some(run);
    }

    /// Ends a segment that would become too long with the held picture in it, now that it is known to last until `until`.
    fn make_room(&mut self, run: &mut Joined, until: i64, out: &mut Vec<Cut>) {
        if until - run.open.start > SEGMENT_TICKS_MAX && run.open.samples > 0 {
            let at = run.held.dts;
            self.end(run, at, out);
            run.open = Open::new(at, run.date_at(at), run.held.keyframe);
        }
    }

    /// Ends the parts that lie before `until`.
    fn end_parts(&mut self, run: &mut Joined, until: i64, out: &mut Vec<Cut>) {
        while until - run.open.part.start >= PART_TICKS {
            let end = run.open.part.start + PART_TICKS;
            if !self.end_part(run, end, out) {
                // There is neither picture nor sound for it: it lasts until there is.
                return;
            }
        }
    }

    /// Ends the open part at `end`, with the sound that begins before; false if there is nothing in it.
    fn end_part(&mut self, run: &mut Joined, end: i64, out: &mut Vec<Cut>) -> bool {
        let samples = std::mem::take(&mut run.open.part.samples);
        let start = run.open.part.start;
        let video_at = run.open.next_video;
        let (sound_at, sound) = run.take_sound(end);
        let sound_end = sound_at + sound.iter().map(|sample| i64::from(sample.duration)).sum::<i64>();
        // What is decoded last need not be what is shown last.
        let (mut video_end, mut shown_end) = (video_at, video_at);
        for sample in &samples {
            video_end += i64::from(sample.duration);
            shown_end = shown_end.max(video_end + i64::from(sample.offset).max(0));
        }
        self.end = self.end.max(shown_end).max(to_ticks(sound_end, &run.audio));
        if samples.is_empty() && sound.is_empty() {
            return false;
        }
        run.open.next_video = video_end;
        let independent = samples.first().is_some_and(|sample| sample.keyframe);
        if !std::mem::replace(&mut run.open.told, true) {
            out.push(Cut::Start(Start {
                init: run.init.take(),
                date_ms: run.open.date_ms,
                at: run.open.start,
                discontinuity: std::mem::take(&mut run.discontinuity),
                independent: run.open.independent,
            }));
        }
        let heard = Run { track: AUDIO_TRACK, decode_time: time(sound_at), samples: &sound };
        let bytes = self.fragment(&[Run { track: VIDEO_TRACK, decode_time: time(video_at), samples: &samples }, heard]);
        let lower = run.lower.iter_mut().map(|track| {
            let samples = std::mem::take(&mut track.samples);
            self.fragment(&[Run { track: VIDEO_TRACK, decode_time: time(track.at), samples: &samples }, heard])
        });
        let lower = lower.collect();
        if !sound.is_empty() {
            run.open.sound_at.get_or_insert(sound_at);
            run.open.sound.extend(sound);
        }
        out.push(Cut::Part(Part { bytes, ticks: end - start, independent, lower }));
        run.open.part.start = end;
        true
    }

    /// Ends the open part and segment.
    fn end(&mut self, run: &mut Joined, end: i64, out: &mut Vec<Cut>) {
        self.end_parts(run, end - (PART_TICKS_MAX - PART_TICKS), out);
        // A last sliver in which nothing begins is no part.
        let end = if self.end_part(run, end, out) { end } else { run.open.part.start };
        if !run.open.told {
            return;
        }
        let sound = match run.open.sound_at {
            Some(at) => self.fragment(&[Run { track: AUDIO_TRACK, decode_time: time(at), samples: &run.open.sound }]),
            None => Bytes::new(),
        };
        out.push(Cut::End(End { sound, ticks: end - run.open.start }));
        self.begun = true;
    }

    fn fragment(&mut self, runs: &[Run<'_>]) -> Bytes {
        self.fragments = self.fragments.wrapping_add(1);
        fmp4::fragment(self.fragments, runs)
    }
}

impl Joined {
    fn date_at(&self, at: i64) -> i64 {
        self.date_anchor.1 + (at - self.date_anchor.0) / Frame::TICKS_PER_MS
    }

    fn keep_held(&mut self, duration: u32) {
        let Picture { offset, keyframe, ref data, .. } = self.held;
        self.open.bytes += data.len();
        self.open.samples += 1;
        self.open.part.samples.push(Sample { duration: duration.max(1), offset, keyframe, data: data.clone() });
    }

    fn see_lower(&mut self, frame: &Frame) {
        for lower in &frame.lower {
            if let Some(track) = self.lower.get_mut(lower.layer) {
                let dts = lower.dts.saturating_add(self.shift + self.reorder);
                let offset = i32::try_from(lower.pts - lower.dts - self.reorder).unwrap_or(0);
                track.see(Picture { dts, offset, keyframe: lower.keyframe, data: lower.data.clone() });
            }
        }
    }

    fn hear(&mut self, frame: &Frame) {
        let at = frame.pts.saturating_add(self.shift);
        if self.silent || at - self.held.dts > AUDIO_AHEAD_TICKS_MAX {
            return;
        }
        let samples = to_samples(at, &self.audio);
        // Until something was heard, whichever frame begins nearest to the join is the first.
        let slack = if self.heard {
            AUDIO_RESYNC_MS * i64::from(self.audio.sample_rate) / 1_000
        } else {
            i64::from(SAMPLES_PER_FRAME) / 2
        };
        if self.sound_next - samples > slack {
            // It should have sounded already.
            return;
        }
        if samples - self.sound_next > slack {
            self.fill(samples);
            if (samples - self.sound_next).abs() > slack {
                self.sound_next = samples;
            }
        }
        self.heard = true;
        if self.sound.len() >= AUDIO_QUEUE_MAX {
            self.sound.pop_front();
        }
        self.sound.push_back((self.sound_next, frame.data.clone()));
        self.sound_next += i64::from(SAMPLES_PER_FRAME);
    }

    /// Silence up to about `until` samples: players stand still where a track has a hole.
    fn fill(&mut self, until: i64) {
        let Some(frame) = self.audio.silent_frame() else { return };
        while until - self.sound_next > i64::from(SAMPLES_PER_FRAME) / 2 {
            self.sound.push_back((self.sound_next, Bytes::from_static(frame)));
            self.sound_next += i64::from(SAMPLES_PER_FRAME);
        }
    }

    /// Where the last sound ends that begins before `end` ticks; there is silence where none has come.
    fn end_of_sound(&mut self, end: i64) -> i64 {
        let limit = to_samples(end, &self.audio);
        self.fill(limit + i64::from(SAMPLES_PER_FRAME) / 2);
        // The one after it begins where it ends.
        let after = self.sound.iter().find(|(at, _)| *at >= limit);
        to_ticks(after.map_or(self.sound_next, |(at, _)| *at), &self.audio)
    }

    /// The sound that begins before `end` ticks, and where it begins.
    fn take_sound(&mut self, end: i64) -> (i64, Vec<Sample>) {
        let limit = to_samples(end, &self.audio);
        self.fill(if self.silent { limit } else { limit - to_samples(AUDIO_WAIT_TICKS, &self.audio) });
        let start = self.sound.front().map_or(self.sound_next, |(at, _)| *at);
        let mut samples = Vec::new();
        while self.sound.front().is_some_and(|(at, _)| *at < limit) {
            let Some((at, data)) = self.sound.pop_front() else { break };
            let next = self.sound.front().map_or(at + i64::from(SAMPLES_PER_FRAME), |(next, _)| *next);
            let duration = u32::try_from(next - at).unwrap_or(SAMPLES_PER_FRAME);
            samples.push(Sample { duration, offset: 0, keyframe: true, data });
        }
        (start, samples)
    }
}

impl LowerTrack {
    fn see(&mut self, next: Picture) {
        let length = self.held.as_ref().map_or(0, |held| next.dts - held.dts);
        self.keep_held(u32::try_from(length).unwrap_or(1));
        self.held = Some(next);
    }

    fn keep_held(&mut self, duration: u32) {
        let Some(Picture { dts, offset, keyframe, data }) = self.held.take() else { return };
        if self.samples.is_empty() {
            self.at = dts;
        }
        self.samples.push(Sample { duration: duration.max(1), offset, keyframe, data });
    }
}

fn picture(frame: &Frame, shift: i64, reorder: i64) -> Picture {
    let offset = i32::try_from(frame.pts - frame.dts - reorder).unwrap_or(0);
    Picture {
        dts: frame.dts.saturating_add(shift + reorder),
        offset,
        keyframe: frame.keyframe,
        data: frame.data.clone(),
    }
}

fn time(at: i64) -> u64 {
    u64::try_from(at).unwrap_or(0)
}

fn to_samples(ticks: i64, audio: &AudioConfig) -> i64 {
    ticks.saturating_mul(i64::from(audio.sample_rate)) / i64::from(Frame::TIMESCALE)
}

fn to_ticks(samples: i64, audio: &AudioConfig) -> i64 {
    samples.saturating_mul(i64::from(Frame::TIMESCALE)) / i64::from(audio.sample_rate.max(1))
}

#[cfg(test)]
mod tests;
