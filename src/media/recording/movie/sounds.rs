//! A film's sound: one format, without a hole, each feed's as near to its pictures as whole frames allow.

use super::pictures::Join;
use crate::media::Frame;
use crate::media::codec::AudioConfig;
use crate::media::codec::aac::SAMPLES_PER_FRAME;
use crate::media::fmp4::Sample;
use crate::media::fmp4::read::Piece;
use crate::media::transcode::{Sound, Uniform};
use bytes::Bytes;

const FRAME: i64 = 1_024;
/// Sound may come this much after its pictures before silence takes its place: more than any segment holds back.
const LATE_TICKS: i64 = 90_000;

/// The sound's clock, in samples of the film's rate.
pub(super) struct Sounds {
    config: AudioConfig,
    silence: Option<Bytes>,
    /// The number of the next frame.
    next: i64,
    /// Whose sound is on.
    on: Option<On>,
    uniform: Uniform,
    given: Vec<(i64, Bytes)>,
}

/// One feed's sound.
#[derive(Clone, Copy)]
struct On {
    join: Join,
    /// In Hz.
    rate: i64,
    way: Way,
    /// Whether any of it is in the film.
    heard: bool,
}

/// How frames get into the film.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As they are.
    Copied,
    /// Made into the film's format.
    Made,
    /// Not at all.
    Silent,
}

impl Sounds {
    pub(super) fn new(config: AudioConfig) -> Self {
        let silence = config.silent_frame().map(Bytes::from_static);
        Self { config, silence, next: 0, on: None, uniform: Uniform::default(), given: Vec::new() }
    }

    /// Another feed is on.
    pub(super) fn join(&mut self, audio: &AudioConfig, join: Join) {
        let first = self.in_samples(join.to);
        if self.on.is_none() {
            self.next = first.div_euclid(FRAME);
        }
        let way = if audio.is_like(&self.config) {
            let mut rest = self.uniform.finish();
            // A last frame that is hardly begun makes room for the feed's first.
            rest.retain(|sound| sound.at + FRAME / 2 <= first);
            self.add_made(rest);
            Way::Copied
        } else if self.uniform.join(audio) {
            Way::Made
        } else {
            Way::Silent
        };
        self.on = Some(On { join, rate: i64::from(audio.sample_rate.max(1)), way, heard: false });
    }

    /// Takes the feed's next sound; what begins when its last picture is over is left out if this is its `end`.
    pub(super) fn take<'a>(&mut self, pieces: impl Iterator<Item = &'a Piece>, shown_until: i64, ends: bool) {
        for piece in pieces {
            let mut at = i64::try_from(piece.decode_time).unwrap_or(0);
            for sample in &piece.samples {
                self.hear(at, &sample.data, if ends { shown_until } else { i64::MAX });
                at += i64::from(sample.duration);
            }
        }
    }

    fn hear(&mut self, at: i64, data: &Bytes, until: i64) {
        let Some(On { join, rate, way, heard }) = self.on else { return };
        // Both in their own units: ticks would be off by half a sample, and by more with each frame.
        let place = self.in_samples(join.to - join.from) + at * i64::from(self.config.sample_rate) / rate;
        let over = until < i64::MAX && place >= self.in_samples(until);
        if over || place + FRAME <= self.in_samples(join.to) {
            return;
        }
        match way {
            Way::Silent => {}
            Way::Made => {
                let made = self.uniform.push(data, place);
                self.add_made(made);
            }
            Way::Copied => {
                let follows = heard && (place - self.next * FRAME).abs() < FRAME;
                let number = if follows { self.next } else { (place + FRAME / 2).div_euclid(FRAME) };
                let taken = self.add(number, data.clone());
                self.on = Some(On { join, rate, way, heard: heard || taken });
            }
        }
    }

    fn in_samples(&self, ticks: i64) -> i64 {
        ticks * i64::from(self.config.sample_rate) / i64::from(Frame::TIMESCALE)
    }

    fn add_made(&mut self, made: Vec<Sound>) {
        for Sound { at, data } in made {
            self.add(at.div_euclid(FRAME), data);
        }
    }

    /// Puts a frame in its place; false if another sounds there.
    fn add(&mut self, number: i64, data: Bytes) -> bool {
        if number < self.next {
            return false;
        }
        self.fill_to(number);
        self.given.push((number, data));
        self.next = number + 1;
        true
    }

    fn fill_to(&mut self, number: i64) {
        let Some(silence) = &self.silence else { return };
        let missing = (self.next..number).map(|number| (number, silence.clone()));
        self.given.extend(missing);
        self.next = self.next.max(number);
    }

    /// Makes up for sound that did not come while pictures were shown until this tick; at the `last` for all of it.
    pub(super) fn fill(&mut self, shown_until: i64, last: bool) {
        if last {
            let rest = self.uniform.finish();
            self.add_made(rest);
        }
        let until = if last { shown_until } else { shown_until - LATE_TICKS };
        self.fill_to(self.in_samples(until).div_euclid(FRAME));
    }

    /// What came since this was last asked: when the first sounds, and all.
    pub(super) fn give(&mut self) -> (u64, Vec<Sample>) {
        let given = std::mem::take(&mut self.given);
        let start = given.first().map_or(0, |(number, _)| number * FRAME);
        let after: Vec<i64> = given.iter().skip(1).map(|(number, _)| *number).collect();
        let sample = |(at, (number, data)): (usize, (i64, Bytes))| {
            let frames = after.get(at).map_or(1, |next| next - number);
            let duration = u32::try_from(frames * FRAME).unwrap_or(SAMPLES_PER_FRAME);
            Sample { duration, offset: 0, keyframe: true, data }
        };
        (u64::try_from(start).unwrap_or(0), given.into_iter().enumerate().map(sample).collect())
    }
}
