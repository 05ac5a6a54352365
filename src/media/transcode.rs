//! Opus in, AAC out: a program has one audio codec, since Apple's players are sure of AAC only.
//!
//! The sound is laid on one line of samples at 48 kHz. What is lost is concealed for a moment and then silent, what drifts
//! is slipped by a sample now and then, so that a frame's time is always its place on the line. AAC of other formats is
//! brought to the same one where a recording is taken home as one film.

mod aac;
mod lc;
mod opus;
mod rate;
mod spectrum;
mod tables;
mod uniform;

use super::AudioConfig;
use bytes::Bytes;

pub use uniform::Uniform;

/// Samples a second.
pub const SAMPLE_RATE: i64 = 48_000;

/// Beyond a second it is another clock or another sound: the line begins anew.
const RESTART_SAMPLES: i64 = SAMPLE_RATE;

/// From 15 ms a gap is a lost packet and not a clock's drift: packets are at least 2.5 ms and usually 20 ms.
const GAP_SAMPLES: i64 = 720;

/// A lost packet's sound can be guessed for 100 ms; then silence is the better guess.
const CONCEAL_SAMPLES_MAX: i64 = 4_800;

/// libopus conceals in steps of 2.5 ms.
const CONCEAL_STEP: i64 = 120;

/// Below 2 ms nobody sees that sound and picture differ.
const SLIP_FROM_SAMPLES: i64 = 96;

/// One AAC frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Its first sample's place, in samples at [`SAMPLE_RATE`] on the line that [`Transcoder::push`] was given.
    pub at: i64,
    /// The raw frame.
    pub data: Bytes,
}

/// One stream's way from Opus to AAC.
pub struct Transcoder {
    decoder: opus::Decoder,
    encoder: aac::Encoder,
    /// Sound that waits for a whole block, left and right in turn.
    waiting: Vec<i16>,
    /// The place of the first sample that waits.
    at: Option<i64>,
}

impl Transcoder {
    /// Starts; none where there is no memory.
    pub fn new() -> Option<Self> {
        Some(Self { decoder: opus::Decoder::new()?, encoder: aac::Encoder::new(), waiting: Vec::new(), at: None })
    }

    /// What comes out: AAC-LC, 48 kHz, stereo.
    pub fn config() -> AudioConfig {
        AudioConfig::silent()
    }

    /// Takes the Opus packet whose first sample has the place `at`, and gives the frames that are complete. Bytes that are
    /// not Opus are a lost packet.
    pub fn push(&mut self, packet: &[u8], at: i64) -> Vec<Sound> {
        let at = at.saturating_sub(opus::LOOKAHEAD_SAMPLES);
        let Some(mut sound) = self.decoder.decode(packet) else { return vec![] };
        let missing = at.saturating_sub(self.end().unwrap_or(at));
        if self.at.is_none() || missing.abs() > RESTART_SAMPLES {
            self.waiting.clear();
            self.encoder = aac::Encoder::new();
            self.at = Some(at);
        } else if missing >= GAP_SAMPLES {
            self.fill(missing);
        } else if missing <= -GAP_SAMPLES {
            let known = usize::try_from(-missing).unwrap_or(0).saturating_mul(2);
            sound.drain(..known.min(sound.len()));
        } else if missing >= SLIP_FROM_SAMPLES {
            let last = (sound.len().checked_sub(2)).and_then(|from| sound.get(from..)).map(<[i16]>::to_vec);
            sound.extend(last.unwrap_or_default());
        } else if missing <= -SLIP_FROM_SAMPLES {
            sound.truncate(sound.len().saturating_sub(2));
        }
        self.waiting.extend(sound);
        self.encode()
    }

    /// The place after the last sample that waits.
    fn end(&self) -> Option<i64> {
        Some(self.at? + i64::try_from(self.waiting.len() / 2).unwrap_or(0))
    }

    fn fill(&mut self, missing: i64) {
        let guessed = missing.min(CONCEAL_SAMPLES_MAX) / CONCEAL_STEP * CONCEAL_STEP;
        let guessed = usize::try_from(guessed).ok().and_then(|samples| self.decoder.conceal(samples));
        let mut sound = guessed.unwrap_or_default();
        sound.resize(usize::try_from(missing).unwrap_or(0).saturating_mul(2), 0);
        self.waiting.extend(sound);
    }

    fn encode(&mut self) -> Vec<Sound> {
        let mut sounds = Vec::new();
        let frame = i64::try_from(aac::FRAME_SAMPLES).unwrap_or(0);
        while let (Some(at), Some(block)) = (self.at, self.waiting.first_chunk()) {
            // A frame plays the block before the one it was made with.
            sounds.push(Sound { at: at - frame, data: self.encoder.encode(block) });
            self.waiting.drain(..2 * aac::FRAME_SAMPLES);
            self.at = Some(at + frame);
        }
        sounds
    }
}

#[cfg(test)]
mod tests;
