//! AAC of any rate and one or two channels in, AAC-LC at 48 kHz and in stereo out, on one line of samples.

// Samples become integers here; a property test feeds any bytes.
#![allow(clippy::float_arithmetic, clippy::as_conversions)]

use super::lc::{Decoder, Pair};
use super::rate::Rate;
use super::{SAMPLE_RATE, Sound, aac};
use crate::media::AudioConfig;

/// A source's frames follow each other; what lies more apart was lost, and is silent.
const GAP_SAMPLES: i64 = SAMPLE_RATE / 50;

/// A longer pause than ten seconds ends a line; the next sound begins another.
const PAUSE_SAMPLES_MAX: i64 = 10 * SAMPLE_RATE;

/// One film's sound on its way into one format.
#[derive(Default)]
pub struct Uniform {
    source: Option<Source>,
    line: Option<Line>,
}

/// One stream.
struct Source {
    decoder: Decoder,
    rate: Rate,
    /// In Hz.
    hertz: i64,
    /// The first sample's place on the line, and how many of the stream came since.
    from: Option<(i64, i64)>,
}

/// The samples that wait for a whole block, and the encoder.
struct Line {
    encoder: aac::Encoder,
    waiting: Vec<i16>,
    /// The place of the first that waits: a multiple of a frame's length.
    at: i64,
    /// Before it nothing of this line is heard.
    begun: i64,
}

impl Uniform {
    /// What comes out.
    pub fn config() -> AudioConfig {
        AudioConfig::silent()
    }

    /// Whether sound of this configuration can be read.
    pub fn reads(audio: &AudioConfig) -> bool {
        Decoder::new(audio).is_some()
    }

    /// Another stream begins; false if it can't be read: it is silent.
    pub fn join(&mut self, audio: &AudioConfig) -> bool {
        self.source = Decoder::new(audio).map(|decoder| Source {
            decoder,
            rate: Rate::new(audio.sample_rate),
            hertz: i64::from(audio.sample_rate.max(1)),
            from: None,
        });
        self.source.is_some()
    }

    /// Takes the stream's frame whose first sample has the place `at`, and gives the frames that are complete.
    pub fn push(&mut self, frame: &[u8], at: i64) -> Vec<Sound> {
        let mut out = Vec::new();
        let Some(source) = &mut self.source else { return out };
        let expected = source.from.map_or(at, |(from, count)| from + count * SAMPLE_RATE / source.hertz);
        let ahead = at - expected;
        if source.from.is_none() || ahead.abs() > PAUSE_SAMPLES_MAX {
            source.rate = Rate::new(u32::try_from(source.hertz).unwrap_or(1));
            source.from = Some((at, 0));
        } else if ahead < -GAP_SAMPLES {
            // It should have sounded already.
            return out;
        }
        let mut sound = source.decoder.decode(frame);
        if ahead > GAP_SAMPLES && ahead <= PAUSE_SAMPLES_MAX {
            let silent = usize::try_from(ahead * source.hertz / SAMPLE_RATE).unwrap_or(0);
            sound.splice(..0, vec![[0.0; 2]; silent]);
        }
        let Some((from, count)) = &mut source.from else { return out };
        let place = *from + source.rate.made();
        *count += i64::try_from(sound.len()).unwrap_or(0);
        let heard = source.rate.push(&sound);
        self.append(place, &heard, &mut out);
        out
    }

    /// Ends the line: what waits is given.
    pub fn finish(&mut self) -> Vec<Sound> {
        let mut out = Vec::new();
        if let Some(line) = &mut self.line {
            let whole = line.waiting.len().div_ceil(2 * aac::FRAME_SAMPLES) + 1;
            line.waiting.resize(whole * 2 * aac::FRAME_SAMPLES, 0);
            line.encode(&mut out);
        }
        (self.source, self.line) = (None, None);
        out
    }

    fn append(&mut self, place: i64, sound: &[Pair], out: &mut Vec<Sound>) {
        let pause = self.line.as_ref().map_or(0, |line| place - line.end());
        if pause > PAUSE_SAMPLES_MAX {
            let source = self.source.take();
            out.extend(self.finish());
            self.source = source;
        }
        let line = self.line.get_or_insert_with(|| Line::new(place));
        let pause = place - line.end();
        let silent = usize::try_from(pause.max(0)).unwrap_or(0).saturating_mul(2);
        line.waiting.resize(line.waiting.len() + silent, 0);
        let known = usize::try_from(-pause.min(0)).unwrap_or(usize::MAX);
        let whole = |sample: &f32| (sample * 32_768.0).clamp(-32_768.0, 32_767.0) as i16;
        line.waiting.extend(sound.iter().skip(known).flatten().map(whole));
        line.encode(out);
    }
}

impl Line {
    fn new(place: i64) -> Self {
        let frame = i64::try_from(aac::FRAME_SAMPLES).unwrap_or(1);
        let begun = place.div_euclid(frame) * frame;
        Self { encoder: aac::Encoder::new(), waiting: Vec::new(), at: begun, begun }
    }

    /// The place after the last sample that waits.
    fn end(&self) -> i64 {
        self.at + i64::try_from(self.waiting.len() / 2).unwrap_or(0)
    }

    fn encode(&mut self, out: &mut Vec<Sound>) {
        let frame = i64::try_from(aac::FRAME_SAMPLES).unwrap_or(0);
        while let Some(block) = self.waiting.first_chunk() {
            // A frame plays the block before the one it was made with.
            let data = self.encoder.encode(block);
            if self.at > self.begun {
                out.push(Sound { at: self.at - frame, data });
            }
            self.waiting.drain(..2 * aac::FRAME_SAMPLES);
            self.at += frame;
        }
    }
}

#[cfg(test)]
mod tests;
