//! PURE: one program's frames, from whichever source is on, cut into segments on one continuous timeline.
//!
//! The program's clock never goes back: each join is placed where the last one ended. Every segment has a video track
//! and an AAC track, silent if need be, because a browser's buffer refuses a change in the number of tracks.

use super::codec::aac::{SAMPLES_PER_FRAME, SILENT_STEREO_FRAME};
use super::codec::{AudioConfig, VideoConfig};
use super::fmp4::{self, AUDIO_TRACK, Run, Sample, VIDEO_TRACK};
use super::{Frame, Track};
use bytes::Bytes;
use std::collections::VecDeque;

/// What every playlist announces. Players start three of these behind live, so it is as short as the two-second
/// keyframes that most encoders are told to send allow.
pub const TARGET_DURATION_S: u64 = 2;

/// A keyframe this long after the start ends a segment: one-second keyframes give one-second segments despite jitter.
const SEGMENT_TICKS_MIN: i64 = 81_000;

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

/// Audio further ahead than this has another clock than the pictures, and would sound at the wrong time for ever.
const AUDIO_AHEAD_TICKS_MAX: i64 = 450_000;

/// Beyond this the wall clock of the pictures is set anew, for sources that run slow or stall.
const DATE_DRIFT_MS_MAX: i64 = 1_000;

/// Where the program's clock begins: room for the decoding times before the first presentation time.
const FIRST_TICK: i64 = 900_000;

/// One finished segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// A new init segment, if this one and those after it need another than those before.
    pub init: Option<Bytes>,
    /// The fragment.
    pub bytes: Bytes,
    /// Length in ms.
    pub duration_ms: u64,
    /// Wall clock at its start, in ms since 1970 UTC.
    pub date_ms: i64,
    /// Whether it begins another feed or configuration.
    pub discontinuity: bool,
    /// Whether it starts with a keyframe.
    pub independent: bool,
}

/// Cuts one program.
#[derive(Debug)]
pub struct Packager {
    end: i64,
    fragments: u32,
    begun: bool,
    last_init: Bytes,
    run: Option<Joined>,
}

/// What is known while one feed with one configuration is on.
#[derive(Debug)]
struct Joined {
    init: Option<Bytes>,
    discontinuity: bool,
    /// Program ticks minus the source's.
    shift: i64,
    audio: AudioConfig,
    silent: bool,
    date_anchor: (i64, i64),
    held: Picture,
    open: Open,
    sound: VecDeque<(i64, Bytes)>,
    sound_next: i64,
    heard: bool,
}

#[derive(Debug)]
struct Picture {
    dts: i64,
    offset: i32,
    keyframe: bool,
    data: Bytes,
}

#[derive(Debug)]
struct Open {
    start: i64,
    date_ms: i64,
    independent: bool,
    samples: Vec<Sample>,
    bytes: usize,
}

impl Open {
    fn new(start: i64, date_ms: i64, independent: bool) -> Self {
        Self { start, date_ms, independent, samples: Vec::new(), bytes: 0 }
    }
}

impl Default for Packager {
    fn default() -> Self {
        Self { end: FIRST_TICK, fragments: 0, begun: false, last_init: Bytes::new(), run: None }
    }
}

impl Packager {
    /// Puts another feed on from its keyframe `first`, which is in it; `now_ms` is the wall clock.
    pub fn join(
        &mut self,
        video: &VideoConfig,
        audio: Option<&AudioConfig>,
        first: &Frame,
        now_ms: i64,
        out: &mut Vec<Segment>,
    ) {
        self.leave(out);
        let silent = audio.is_none();
        let audio = audio.cloned().unwrap_or_else(AudioConfig::silent);
        let init = fmp4::init(video, &audio);
        let shift = self.end.saturating_sub(first.pts);
        let held = picture(first, shift);
        let sound_next = to_samples(self.end, &audio);
        self.run = Some(Joined {
            init: (init != self.last_init).then(|| init.clone()),
            discontinuity: self.begun,
            shift,
            audio,
            silent,
            date_anchor: (held.dts, now_ms),
            open: Open::new(held.dts, now_ms, held.keyframe),
            held,
            sound: VecDeque::new(),
            sound_next,
            heard: false,
        });
        self.last_init = init;
    }

    /// Takes the next frame of the feed that joined.
    pub fn push(&mut self, frame: &Frame, now_ms: i64, out: &mut Vec<Segment>) {
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
    pub fn leave(&mut self, out: &mut Vec<Segment>) {
        let Some(mut run) = self.run.take() else { return };
        // The last picture's length is not known: as long as the one before it.
        let length = run.open.samples.last().map_or(3_000, |sample| sample.duration.min(9_000));
        let end = run.held.dts + i64::from(length);
        if end - run.open.start > SEGMENT_TICKS_MAX && !run.open.samples.is_empty() {
            let at = run.held.dts;
            self.close(&mut run, at, out);
            run.open = Open::new(at, run.date_at(at), run.held.keyframe);
        }
        run.keep_held(length);
        self.close(&mut run, end, out);
    }

    fn see(&mut self, frame: &Frame, now_ms: i64, out: &mut Vec<Segment>) {
        let Some(mut run) = self.run.take() else { return };
        let next = picture(frame, run.shift);
        let (held_at, next_at) = (run.held.dts, next.dts);
        if next_at - run.open.start > SEGMENT_TICKS_MAX && !run.open.samples.is_empty() {
            self.close(&mut run, held_at, out);
            run.open = Open::new(held_at, run.date_at(held_at), run.held.keyframe);
        }
        run.keep_held(u32::try_from(next_at - held_at).unwrap_or(1));
        let length = next_at - run.open.start;
        let at_keyframe = next.keyframe && (length >= SEGMENT_TICKS_MIN || !run.open.independent);
        if at_keyframe || run.open.bytes > SEGMENT_BYTES_MAX || run.open.samples.len() >= SEGMENT_SAMPLES_MAX {
            self.close(&mut run, next_at, out);
            if run.date_at(next_at).abs_diff(now_ms) > DATE_DRIFT_MS_MAX.unsigned_abs() {
                run.date_anchor = (next_at, now_ms);
            }
            run.open = Open::new(next_at, run.date_at(next_at), next.keyframe);
        }
        run.held = next;
        self.run = Some(run);
    }

    fn close(&mut self, run: &mut Joined, end: i64, out: &mut Vec<Segment>) {
        let shown = run.open.samples.last().map_or(0, |sample| i64::from(sample.offset).max(0));
        let (sound_at, sound) = run.take_sound(end);
        let sound_end = sound_at + sound.iter().map(|sample| i64::from(sample.duration)).sum::<i64>();
        self.end = self.end.max(end + shown).max(to_ticks(sound_end, &run.audio));
        self.fragments = self.fragments.wrapping_add(1);
        let samples = std::mem::take(&mut run.open.samples);
        let time = |at: i64| u64::try_from(at).unwrap_or(0);
        let bytes = fmp4::fragment(
            self.fragments,
            &[
                Run { track: VIDEO_TRACK, decode_time: time(run.open.start), samples: &samples },
                Run { track: AUDIO_TRACK, decode_time: time(sound_at), samples: &sound },
            ],
        );
        out.push(Segment {
            init: run.init.take(),
            bytes,
            duration_ms: time((end - run.open.start) / Frame::TICKS_PER_MS),
            date_ms: run.open.date_ms,
            discontinuity: std::mem::take(&mut run.discontinuity),
            independent: run.open.independent,
        });
        self.begun = true;
    }
}

impl Joined {
    fn date_at(&self, at: i64) -> i64 {
        self.date_anchor.1 + (at - self.date_anchor.0) / Frame::TICKS_PER_MS
    }

    fn keep_held(&mut self, duration: u32) {
        let Picture { offset, keyframe, ref data, .. } = self.held;
        self.open.bytes += data.len();
        self.open.samples.push(Sample { duration: duration.max(1), offset, keyframe, data: data.clone() });
    }

    fn hear(&mut self, frame: &Frame) {
        let at = frame.pts.saturating_add(self.shift);
        if self.silent || at - self.held.dts > AUDIO_AHEAD_TICKS_MAX {
            return;
        }
        let samples = to_samples(at, &self.audio);
        let slack = AUDIO_RESYNC_MS * i64::from(self.audio.sample_rate) / 1_000;
        if !self.heard && samples < self.sound_next {
            // It belongs to pictures before the join.
            return;
        }
        if !self.heard || samples - self.sound_next > slack {
            self.heard = true;
            self.sound_next = samples;
        } else if self.sound_next - samples > slack {
            // It should have sounded already.
            return;
        }
        if self.sound.len() >= AUDIO_QUEUE_MAX {
            self.sound.pop_front();
        }
        self.sound.push_back((self.sound_next, frame.data.clone()));
        self.sound_next += i64::from(SAMPLES_PER_FRAME);
    }

    /// The sound that begins before `end` ticks, and where it begins.
    fn take_sound(&mut self, end: i64) -> (i64, Vec<Sample>) {
        let limit = to_samples(end, &self.audio);
        while self.silent && self.sound_next < limit {
            self.sound.push_back((self.sound_next, Bytes::from_static(SILENT_STEREO_FRAME)));
            self.sound_next += i64::from(SAMPLES_PER_FRAME);
        }
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

fn picture(frame: &Frame, shift: i64) -> Picture {
    let offset = i32::try_from(frame.pts - frame.dts).unwrap_or(0);
    Picture { dts: frame.dts.saturating_add(shift), offset, keyframe: frame.keyframe, data: frame.data.clone() }
}

fn to_samples(ticks: i64, audio: &AudioConfig) -> i64 {
    ticks.saturating_mul(i64::from(audio.sample_rate)) / i64::from(Frame::TIMESCALE)
}

fn to_ticks(samples: i64, audio: &AudioConfig) -> i64 {
    samples.saturating_mul(i64::from(Frame::TIMESCALE)) / i64::from(audio.sample_rate.max(1))
}

#[cfg(test)]
mod tests;
