//! PURE: one program's frames, from whichever source is on, cut into segments and their parts on one continuous timeline.
//!
//! The program's clock never goes back: each join is placed where the last one ended. Every segment has a video track
//! and an AAC track, silent if need be, because a browser's buffer refuses a change in the number of tracks.

mod cut;
mod lower;
mod sound;

use super::codec::{AudioConfig, VideoConfig};
use super::fmp4::{self, AUDIO_TRACK, Run, Sample, VIDEO_TRACK};
use super::{Frame, Lower, Track};
use bytes::Bytes;
use lower::LowerTrack;
use sound::Sound;

pub use cut::{Cut, End, Init, Part, Start};

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

/// Beyond this the wall clock of the pictures is set anew, for sources that run slow or stall.
const DATE_DRIFT_MS_MAX: i64 = 1_000;

/// Where the program's clock begins: room for the decoding times before the first presentation time.
const FIRST_TICK: i64 = 900_000;

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
    date_anchor: (i64, i64),
    held: Picture,
    lower: Vec<LowerTrack>,
    sound: Sound,
    open: Open,
}

/// A picture on the program's clock.
#[derive(Clone, Debug)]
struct Picture {
    dts: i64,
    offset: i32,
    keyframe: bool,
    data: Bytes,
}

impl Picture {
    /// From the times of the source's clock, in ticks, and what `Joined` knows of it.
    fn new((pts, dts): (i64, i64), keyframe: bool, data: &Bytes, (shift, reorder): (i64, i64)) -> Self {
        let offset = i32::try_from(pts - dts - reorder).unwrap_or(0);
        Self { dts: dts.saturating_add(shift + reorder), offset, keyframe, data: data.clone() }
    }

    fn of(frame: &Frame, shift: i64, reorder: i64) -> Self {
        Self::new((frame.pts, frame.dts), frame.keyframe, &frame.data, (shift, reorder))
    }

    fn lasting(self, duration: u32) -> Sample {
        let Self { offset, keyframe, data, .. } = self;
        Sample { duration: duration.max(1), offset, keyframe, data }
    }
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
        let sound = Sound::new(audio, self.end);
        let audio = sound.config();
        let init = Init {
            program: fmp4::init(video, audio),
            lower: lower.iter().map(|video| (fmp4::init(video, audio), video.clone())).collect(),
            sound: fmp4::init_sound(audio),
            video: video.clone(),
            audio: audio.clone(),
        };
        let shift = self.end.saturating_sub(first.pts);
        let reorder = first.pts - first.dts;
        let held = Picture::of(first, shift, reorder);
        let mut run = Joined {
            init: (self.last_init.as_ref() != Some(&init)).then(|| init.clone()),
            discontinuity: self.begun,
            shift,
            reorder,
            date_anchor: (held.dts, now_ms),
            open: Open::new(held.dts, now_ms, held.keyframe),
            lower: lower.iter().map(|_| LowerTrack::new(held.dts)).collect(),
            held,
            sound,
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
                    run.sound.hear(&frame.data, frame.pts.saturating_add(run.shift), run.held.dts);
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
        let end = end.max(run.sound.end(end));
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
        let next = Picture::of(frame, run.shift, run.reorder);
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
        let (sounds, sound) = run.sound.take(end);
        let sound_end = sound::to_ticks(sounds.end, run.sound.config());
        // What is decoded last need not be what is shown last.
        let (mut video_end, mut shown_end) = (video_at, video_at);
        for sample in &samples {
            video_end += i64::from(sample.duration);
            shown_end = shown_end.max(video_end + i64::from(sample.offset).max(0));
        }
        self.end = self.end.max(shown_end).max(sound_end);
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
        let heard = Run { track: AUDIO_TRACK, decode_time: time(sounds.start), samples: &sound };
        let bytes = self.fragment(&[Run { track: VIDEO_TRACK, decode_time: time(video_at), samples: &samples }, heard]);
        let lower = run.lower.iter_mut().map(|track| {
            let (at, samples) = track.take();
            self.fragment(&[Run { track: VIDEO_TRACK, decode_time: time(at), samples: &samples }, heard])
        });
        let lower = lower.collect();
        if !sound.is_empty() {
            run.open.sound_at.get_or_insert(sounds.start);
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
        self.open.bytes += self.held.data.len();
        self.open.samples += 1;
        self.open.part.samples.push(self.held.clone().lasting(duration));
    }

    fn see_lower(&mut self, frame: &Frame) {
        for Lower { layer, pts, dts, keyframe, data } in &frame.lower {
            if let Some(track) = self.lower.get_mut(*layer) {
                track.see(Picture::new((*pts, *dts), *keyframe, data, (self.shift, self.reorder)));
            }
        }
    }
}

fn time(at: i64) -> u64 {
    u64::try_from(at).unwrap_or(0)
}

#[cfg(test)]
mod tests;
