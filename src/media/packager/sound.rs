//! A feed's sound on the program's clock: frames one after another without a hole, silence where none comes.

use super::super::Frame;
use super::super::codec::AudioConfig;
use super::super::codec::aac::SAMPLES_PER_FRAME;
use super::super::fmp4::Sample;
use bytes::Bytes;
use std::collections::VecDeque;

/// Audio waiting for its pictures; five seconds at 96 kHz.
const QUEUE_MAX: usize = 480;

/// AAC frames follow each other without a gap, so only more than encoders' rounding and jitter moves their clock.
const RESYNC_MS: i64 = 60;

/// Sound may come this much after its pictures. After that there is silence in its place: players show no picture where they have no
/// sound.
const WAIT_TICKS: i64 = 90_000;

/// Audio further ahead than this has another clock than the pictures, and would sound at the wrong time for ever.
const AHEAD_TICKS_MAX: i64 = 450_000;

/// What waits for its pictures.
#[derive(Debug)]
pub(super) struct Sound {
    config: AudioConfig,
    /// The feed has none: there is nothing but silence.
    silent: bool,
    /// Each with where it begins, in samples.
    waiting: VecDeque<(i64, Bytes)>,
    /// Where the next one begins, in samples.
    next: i64,
    heard: bool,
}

impl Sound {
    /// The sound of a feed that joins at `at` ticks.
    pub(super) fn new(config: Option<&AudioConfig>, at: i64) -> Self {
        let silent = config.is_none();
        let config = config.cloned().unwrap_or_else(AudioConfig::silent);
        Self { next: to_samples(at, &config), config, silent, waiting: VecDeque::new(), heard: false }
    }

    pub(super) fn config(&self) -> &AudioConfig {
        &self.config
    }

    /// Takes the next frame, which sounds at `at` ticks; `shown` is where the pictures are.
    pub(super) fn hear(&mut self, data: &Bytes, at: i64, shown: i64) {
        if self.silent || at - shown > AHEAD_TICKS_MAX {
            return;
        }
        let samples = to_samples(at, &self.config);
        // Until something was heard, whichever frame begins nearest to the join is the first.
        let slack = if self.heard {
            RESYNC_MS * i64::from(self.config.sample_rate) / 1_000
        } else {
            i64::from(SAMPLES_PER_FRAME) / 2
        };
        if self.next - samples > slack {
            // It should have sounded already.
            return;
        }
        if samples - self.next > slack {
            self.fill(samples);
            if (samples - self.next).abs() > slack {
                self.next = samples;
            }
        }
        self.heard = true;
        if self.waiting.len() >= QUEUE_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back((self.next, data.clone()));
        self.next += i64::from(SAMPLES_PER_FRAME);
    }

    /// Silence up to about `until` samples: players stand still where a track has a hole.
    fn fill(&mut self, until: i64) {
        let Some(frame) = self.config.silent_frame() else { return };
        while until - self.next > i64::from(SAMPLES_PER_FRAME) / 2 {
            self.waiting.push_back((self.next, Bytes::from_static(frame)));
            self.next += i64::from(SAMPLES_PER_FRAME);
        }
    }

    /// Where the last sound ends that begins before `end` ticks; there is silence where none has come.
    pub(super) fn end(&mut self, end: i64) -> i64 {
        let limit = to_samples(end, &self.config);
        self.fill(limit + i64::from(SAMPLES_PER_FRAME) / 2);
        // The one after it begins where it ends.
        let after = self.waiting.iter().find(|(at, _)| *at >= limit);
        to_ticks(after.map_or(self.next, |(at, _)| *at), &self.config)
    }

    /// The sound that begins before `end` ticks, and where it begins and ends, in samples.
    pub(super) fn take(&mut self, end: i64) -> (std::ops::Range<i64>, Vec<Sample>) {
        let limit = to_samples(end, &self.config);
        self.fill(if self.silent { limit } else { limit - to_samples(WAIT_TICKS, &self.config) });
        let start = self.waiting.front().map_or(self.next, |(at, _)| *at);
        let mut until = start;
        let mut samples = Vec::new();
        while self.waiting.front().is_some_and(|(at, _)| *at < limit) {
            let Some((at, data)) = self.waiting.pop_front() else { break };
            let next = self.waiting.front().map_or(at + i64::from(SAMPLES_PER_FRAME), |(next, _)| *next);
            let duration = u32::try_from(next - at).unwrap_or(SAMPLES_PER_FRAME);
            until += i64::from(duration);
            samples.push(Sample { duration, offset: 0, keyframe: true, data });
        }
        (start..until, samples)
    }
}

fn to_samples(ticks: i64, audio: &AudioConfig) -> i64 {
    ticks.saturating_mul(i64::from(audio.sample_rate)) / i64::from(Frame::TIMESCALE)
}

pub(super) fn to_ticks(samples: i64, audio: &AudioConfig) -> i64 {
    samples.saturating_mul(i64::from(Frame::TIMESCALE)) / i64::from(audio.sample_rate.max(1))
}
