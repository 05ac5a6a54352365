//! From any rate to 48 kHz, by a windowed sinc: each sample stays in its place, and nothing is heard that was not there.

// Sound is arithmetic on bounded tables whose lengths are made here; a property test asks for any rate.
#![allow(clippy::float_arithmetic, clippy::as_conversions)]

use super::SAMPLE_RATE;
use super::lc::Pair;
use std::collections::VecDeque;
use std::f64::consts::PI;

/// Zeros of the sinc on each side: what mirrors itself is some 70 dB below, but for the last tenth of the tones, which
/// nobody hears.
const ZEROS: i64 = 24;
/// What stays of the highest tone that both rates hold, in hundredths.
const KEPT: i64 = 95;

/// One stream's way to 48 kHz.
pub(super) struct Rate {
    /// Samples of the stream for so many at 48 kHz, in lowest terms.
    from: i64,
    to: i64,
    /// Samples on each side that one is made of.
    reach: i64,
    /// The weights of each place between two samples.
    weights: Vec<Vec<f32>>,
    /// Samples from the place `first` on.
    held: VecDeque<Pair>,
    first: i64,
    /// How many were made.
    made: i64,
}

impl Rate {
    /// `rate` is a stream's, in Hz.
    pub(super) fn new(rate: u32) -> Self {
        let rate = i64::from(rate.max(1));
        let divisor = divisor(rate, SAMPLE_RATE);
        let (from, to) = (rate / divisor, SAMPLE_RATE / divisor);
        let same = from == to;
        let lower = rate.min(SAMPLE_RATE) as f64 / rate as f64 * if same { 1.0 } else { KEPT as f64 / 100.0 };
        let reach = if same { 1 } else { (ZEROS as f64 / lower).ceil() as i64 };
        let weights = (0..to).map(|phase| weights(phase as f64 / to as f64, reach, lower)).collect();
        // Silence before the first sample.
        let held = (0..reach).map(|_| [0.0; 2]).collect();
        Self { from, to, reach, weights, held, first: -reach, made: 0 }
    }

    /// How many samples were given so far.
    pub(super) fn made(&self) -> i64 {
        self.made
    }

    /// Takes the stream's next samples, and gives those at 48 kHz that are certain; the first given is the first taken.
    pub(super) fn push(&mut self, sound: &[Pair]) -> Vec<Pair> {
        self.held.extend(sound);
        let mut out = Vec::new();
        let end = self.first + i64::try_from(self.held.len()).unwrap_or(0);
        loop {
            let place = self.made * self.from;
            let (at, phase) = (place.div_euclid(self.to), place.rem_euclid(self.to));
            if at + self.reach >= end {
                return out;
            }
            // The samples from `at - reach + 1` to `at + reach`.
            let skip = usize::try_from(at - self.reach + 1 - self.first).unwrap_or(0);
            self.held.drain(..skip.min(self.held.len()));
            self.first += i64::try_from(skip).unwrap_or(0);
            let Some(weights) = usize::try_from(phase).ok().and_then(|phase| self.weights.get(phase)) else {
                return out;
            };
            let add = |sum: Pair, (weight, pair): (&f32, &Pair)| [sum[0] + weight * pair[0], sum[1] + weight * pair[1]];
            out.push(weights.iter().zip(&self.held).fold([0.0; 2], add));
            self.made += 1;
        }
    }
}

fn divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a.max(1) } else { divisor(b, a % b) }
}

/// Of the samples from `-reach + 1` to `reach` for what lies `part` of a sample after the one at 0.
fn weights(part: f64, reach: i64, lower: f64) -> Vec<f32> {
    let weight = |at: i64| {
        let x = at as f64 - part;
        let sinc = if x.abs() < 1e-9 { 1.0 } else { (PI * lower * x).sin() / (PI * lower * x) };
        // Blackman's window.
        let turn = PI * x / reach as f64;
        let window = if x.abs() >= reach as f64 { 0.0 } else { 0.42 + 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos() };
        lower * sinc * window
    };
    let raw: Vec<f64> = (1 - reach..=reach).map(weight).collect();
    // What does not move stays as loud as it is.
    let sum: f64 = raw.iter().sum();
    raw.into_iter().map(|weight| (weight / sum) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tone(rate: f64, hertz: f64, count: usize) -> Vec<Pair> {
        (0..count).map(|n| [(n as f64 / rate * hertz * 2.0 * PI).sin() as f32, 0.25]).collect()
    }

    #[test]
    fn a_tone_stays_what_and_where_it_is() {
        for rate in [44_100, 22_050, 96_000, 48_000, 8_000, 32_000, 47_999] {
            let count = usize::try_from(rate).unwrap();
            let heard: Vec<Pair> = tone(f64::from(rate), 997.0, count)
                .chunks(700)
                .scan(Rate::new(rate), |to, sound| Some(to.push(sound)))
                .flatten()
                .collect();
            assert!((47_000..=48_000).contains(&heard.len()), "{rate}: {}", heard.len());
            let wanted = tone(48_000.0, 997.0, heard.len());
            let worst = heard.iter().zip(&wanted).skip(500).map(|(a, b)| (a[0] - b[0]).abs().max((a[1] - b[1]).abs()));
            let worst = worst.fold(0.0, f32::max);
            assert!(worst < 0.002, "{rate}: {worst}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

        #[test]
        fn any_rate_gives_as_many_samples_as_it_should(rate in 7_000_u32..=96_000, count in 0_usize..3_000) {
            let mut to = Rate::new(rate);
            let made = i64::try_from(to.push(&vec![[0.5; 2]; count]).len()).unwrap();
            let should = i64::try_from(count).unwrap() * SAMPLE_RATE / i64::from(rate);
            prop_assert!(made <= should + 1 && made >= should - 200 * SAMPLE_RATE / i64::from(rate), "{} of {}", made, should);
        }
    }
}
