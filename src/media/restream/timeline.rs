//! PURE: a program's feeds as one FLV timeline that only rises, with sound throughout: what RTMP's receivers ask for.
//!
//! Each join is placed at the time that has really passed, and never before what came already. Where a feed has no sound, or
//! its sound stays out, a silent frame of the current configuration is repeated.

use crate::media::codec::aac::SAMPLES_PER_FRAME;
use crate::media::codec::h264::sets::Sets;
use crate::media::ingest::rtmp::amf::{self, Value};
use crate::media::ingest::rtmp::chunk;
use crate::media::{AudioConfig, Frame, Track, VideoConfig};
use bytes::Bytes;

/// Sound may come so much later than the pictures it belongs to; then it is taken for gone.
const SOUND_LATE_TICKS_MAX: i64 = 180_000;

/// AAC frames follow each other without a gap, so only more than encoders' rounding and jitter moves their clock.
const SOUND_SLACK_MS: i64 = 60;

/// A hole in a program is a few seconds; one that is longer, where not even a slate stood, is not filled with sound.
const SILENCE_TICKS_MAX: i64 = 30 * 90_000;

/// The last picture before a join stands at most this long.
const STEP_TICKS_MAX: i64 = 9_000;

/// One RTMP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Its type.
    pub kind: u8,
    /// In ms since the stream began; wraps as RTMP's do.
    pub timestamp: u32,
    /// What stands before the body: FLV's tag header, and parameter sets.
    pub head: Vec<u8>,
    /// Picture, sound or configuration.
    pub body: Bytes,
}

/// The state of one stream.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    video: Option<VideoConfig>,
    /// The pictures' parameter sets.
    sets: Sets,
    audio: Option<AudioConfig>,
    /// The join that waits for its first picture.
    joining: Option<Joining>,
    /// The stream's ticks minus the feed's.
    shift: i64,
    last: Option<i64>,
    /// Where the next picture may be decoded at the earliest.
    next: i64,
    /// Where the next feed's first may be shown at the earliest: reordered pictures of the last one come before it.
    shown: i64,
    /// Whether the feed has sound.
    sounds: bool,
    /// Whether any of it came.
    heard: bool,
    /// Where the next sound stands, in samples.
    sound_next: i64,
}

#[derive(Debug)]
struct Joining {
    video: VideoConfig,
    audio: Option<AudioConfig>,
    at: i64,
}

impl Timeline {
    /// Takes another feed from its next picture on, which is `at` ticks after the stream began.
    pub(super) fn join(&mut self, video: VideoConfig, audio: Option<AudioConfig>, at: i64) {
        self.joining = Some(Joining { video, audio, at });
    }

    /// Takes the next frame of the feed that joined; nothing before its first picture.
    pub(super) fn push(&mut self, frame: &Frame, out: &mut Vec<Message>) {
        if let Some(joining) = self.joining.take() {
            if frame.track == Track::Audio {
                self.joining = Some(joining);
                return;
            }
            self.begin(joining, frame, out);
        }
        match frame.track {
            Track::Video => self.see(frame, out),
            Track::Audio => self.hear(frame, out),
        }
    }

    fn begin(&mut self, joining: Joining, first: &Frame, out: &mut Vec<Message>) {
        let Joining { video, audio, at } = joining;
        let at = at.max(self.next).max(self.shown.saturating_sub(first.pts.saturating_sub(first.dts)));
        self.shift = at.saturating_sub(first.dts);
        self.last = None;
        (self.sounds, self.heard) = (audio.is_some(), false);
        if self.audio.is_some() {
            self.fill(at, out);
        }
        let spoken = || self.audio.clone().filter(|audio| audio.silent_frame().is_some());
        let audio = audio.or_else(spoken).unwrap_or_else(AudioConfig::silent);
        let new_sound = self.audio.as_ref() != Some(&audio);
        if new_sound {
            self.sound_next = match &self.audio {
                Some(before) => to_samples(to_ticks(self.sound_next, before), &audio),
                None => to_samples(at, &audio),
            };
        }
        if !new_sound && self.video.as_ref() == Some(&video) {
            return;
        }
        let timestamp = ms(at);
        let message = |kind, head: &[u8], body: Bytes| Message { kind, timestamp, head: head.to_vec(), body };
        out.push(message(chunk::DATA, &[], about(&video, &audio)));
        if self.video.as_ref() != Some(&video) {
            out.push(message(chunk::VIDEO, &[0x17, 0, 0, 0, 0], video.avcc.clone()));
        }
        if new_sound {
            out.push(message(chunk::AUDIO, &[0xaf, 0], audio.asc.clone()));
        }
        self.sets = Sets::read(&video.avcc);
        (self.video, self.audio) = (Some(video), Some(audio));
    }

    fn see(&mut self, frame: &Frame, out: &mut Vec<Message>) {
        // Whole milliseconds that are equal would read as a step back to some.
        let dts = frame.dts.saturating_add(self.shift).max(self.last.map_or(0, |last| last + Frame::TICKS_PER_MS));
        let pts = frame.pts.saturating_add(self.shift);
        let due = if self.sounds { dts.saturating_sub(SOUND_LATE_TICKS_MAX) } else { dts };
        self.fill(due, out);
        let step = self.last.map_or(STEP_TICKS_MAX, |last| dts.saturating_sub(last));
        let step = step.clamp(Frame::TICKS_PER_MS, STEP_TICKS_MAX);
        self.next = dts.saturating_add(step);
        self.shown = self.shown.max(pts.saturating_add(step));
        self.last = Some(dts);
        let offset = pts.div_euclid(Frame::TICKS_PER_MS).saturating_sub(dts.div_euclid(Frame::TICKS_PER_MS));
        let [_, a, b, c] = i32::try_from(offset).unwrap_or(0).to_be_bytes();
        let mut head = vec![if frame.keyframe { 0x17 } else { 0x27 }, 1, a, b, c];
        let body = if frame.keyframe { self.sets.put(&mut head, &frame.data) } else { frame.data.clone() };
        out.push(Message { kind: chunk::VIDEO, timestamp: ms(dts), head, body });
    }

    fn hear(&mut self, frame: &Frame, out: &mut Vec<Message>) {
        let Some(audio) = self.audio.clone().filter(|_| self.sounds) else { return };
        let at = frame.pts.saturating_add(self.shift);
        let samples = to_samples(at, &audio);
        let slack = SOUND_SLACK_MS * i64::from(audio.sample_rate) / 1_000;
        if self.sound_next.saturating_sub(samples) > if self.heard { slack } else { 0 } {
            // It belongs to pictures before the join, or should have sounded already.
            return;
        }
        if !self.heard || samples.saturating_sub(self.sound_next) > slack {
            // Whole frames of silence up to it; what is left is shorter than one.
            self.fill(at.saturating_sub(to_ticks(i64::from(SAMPLES_PER_FRAME), &audio)), out);
            self.sound_next = samples.max(self.sound_next);
            self.heard = true;
        }
        self.sound(&audio, frame.data.clone(), out);
    }

    /// Fills with silence up to a tick.
    fn fill(&mut self, until: i64, out: &mut Vec<Message>) {
        let Some(audio) = self.audio.clone() else { return };
        let end = to_samples(until, &audio);
        let longest = to_samples(SILENCE_TICKS_MAX, &audio);
        let silent =
            audio.silent_frame().map(Bytes::from_static).filter(|_| end.saturating_sub(self.sound_next) < longest);
        let Some(silent) = silent else {
            self.sound_next = self.sound_next.max(end);
            return;
        };
        while self.sound_next < end {
            self.sound(&audio, silent.clone(), out);
        }
    }

    fn sound(&mut self, audio: &AudioConfig, body: Bytes, out: &mut Vec<Message>) {
        let timestamp = ms(to_ticks(self.sound_next, audio));
        out.push(Message { kind: chunk::AUDIO, timestamp, head: vec![0xaf, 1], body });
        self.sound_next = self.sound_next.saturating_add(i64::from(SAMPLES_PER_FRAME));
    }
}

/// `onMetaData`: what the stream is, for servers that look before they decode.
fn about(video: &VideoConfig, audio: &AudioConfig) -> Bytes {
    let number = |value: u32| Value::Number(f64::from(value));
    let members = [
        ("width", number(video.width)),
        ("height", number(video.height)),
        ("videocodecid", number(7)),
        ("audiocodecid", number(10)),
        ("audiosamplerate", number(audio.sample_rate)),
        ("audiochannels", number(u32::from(audio.channels))),
        ("stereo", Value::Boolean(audio.channels > 1)),
        ("encoder", Value::Text("Groundswell".to_owned())),
    ];
    let count = u32::try_from(members.len()).unwrap_or(0).to_be_bytes();
    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let names = amf::write(&[Value::Text("@setDataFrame".to_owned()), Value::Text("onMetaData".to_owned())]);
    let object = amf::write(&[Value::Object(members)]);
    // An associative array, as everybody sends it: an object with another first byte, and a count after it.
    [&names[..], &[8], &count, object.get(1..).unwrap_or_default()].concat().into()
}

fn ms(ticks: i64) -> u32 {
    let ms = ticks.max(0) / Frame::TICKS_PER_MS;
    u32::try_from(ms & i64::from(u32::MAX)).unwrap_or(0)
}

fn to_samples(ticks: i64, audio: &AudioConfig) -> i64 {
    ticks.saturating_mul(i64::from(audio.sample_rate)) / i64::from(Frame::TIMESCALE)
}

fn to_ticks(samples: i64, audio: &AudioConfig) -> i64 {
    samples.saturating_mul(i64::from(Frame::TIMESCALE)) / i64::from(audio.sample_rate.max(1))
}

#[cfg(test)]
mod tests;
