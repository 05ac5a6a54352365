//! An AAC-LC encoder for one stereo track at 48 kHz (ISO/IEC 14496-3, 4.4 and 4.6): raw frames, as MP4 carries them.
//!
//! It keeps to long windows and takes the bits that a band's masking asks for, up to a limit: at the rates of a speaker's
//! feed there is no need to save the last fifth, and a frame costs a fraction of a millisecond.

// Sound is arithmetic on bounded arrays whose lengths are the standard's constants; a property test feeds any samples.
#![allow(clippy::float_arithmetic, clippy::indexing_slicing, clippy::as_conversions)]

use super::spectrum::{LINES, Mdct};
use super::tables::{BANDS, BOOK_2, BOOK_4, BOOK_6, BOOK_8, BOOK_10, BOOK_11, SCALE};
use bytes::Bytes;

/// Samples of each channel in a frame.
pub(super) const FRAME_SAMPLES: usize = LINES;

/// Bands that are sent: up to 18 kHz, above which nobody hears a speaker.
const BANDS_SENT: usize = 44;

/// 280 kbit/s in one frame: music at full scale stays below, and the standard's limit is 12,288.
const FRAME_BITS_MAX: usize = 6_000;

/// Coarser steps tried for a frame that does not fit. Each makes noise 4.5 dB louder; after the last it is silent.
const COARSER_MAX: i32 = 40;

/// A band's noise below its sound: 26 dB, and 20 dB where hearing is coarser.
const NOISE_LOW: f32 = 0.002_5;
const NOISE_HIGH: f32 = 0.01;
const HIGH_FROM: usize = 26;

/// What a band hides in the next higher and in the next lower one.
const SPREAD_UP: f32 = 0.01;
const SPREAD_DOWN: f32 = 0.001;

/// Noise that nobody hears in silence, a line: about that of 14-bit samples.
const QUIET: f32 = 2_000.0;

/// The largest magnitude that can be written (4.6.1.2).
const MAGNITUDE_MAX: f32 = 8_191.0;

/// Scale factors are sent as this plus the exponent (4.6.2.3.3), and neighbours differ by at most 60.
const SCALE_OFFSET: i32 = 100;
const SCALE_STEP_MAX: i32 = 60;

type Lines = [f32; LINES];
type PerBand = [f32; BANDS_SENT];

/// The books used, in the order of the magnitudes they reach.
const BOOKS: [(u8, i32); 6] = [(2, 1), (4, 2), (6, 4), (8, 7), (10, 12), (11, 8_191)];

/// The encoder; it remembers one block, and its frames come one block late.
pub(super) struct Encoder {
    mdct: Mdct,
    before: [Lines; 2],
}

/// One channel of a frame, quantised.
struct Coded {
    /// Exponents of the bands, in quarters of a power of two.
    scales: [i32; BANDS_SENT],
    values: [i32; LINES],
    /// Each band's book; 0 for silence.
    books: [u8; BANDS_SENT],
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { mdct: Mdct::new(), before: [[0.0; LINES]; 2] }
    }

    /// Encodes the next block, left and right in turn; the frame plays the block before it.
    pub(super) fn encode(&mut self, block: &[i16; 2 * FRAME_SAMPLES]) -> Bytes {
        let channel = |of: usize| -> Lines { std::array::from_fn(|n| f32::from(block[2 * n + of])) };
        let now = [channel(0), channel(1)];
        let mut lines = [0, 1].map(|of: usize| self.mdct.forward(&self.before[of], &now[of]));
        self.before = now;
        let hidden = [hidden_noise(&lines[0]), hidden_noise(&lines[1])];
        let (joint, hidden) = join(&mut lines, hidden);
        // A frame of noise can't always have the bits it asks for.
        for coarser in 0..COARSER_MAX {
            let frame = write([0, 1].map(|of: usize| quantise(&lines[of], &hidden[of], 2 * coarser)), &joint);
            if frame.count <= FRAME_BITS_MAX {
                return frame.finish();
            }
        }
        Bytes::from_static(crate::media::codec::aac::SILENT_STEREO_FRAME)
    }
}

fn energy(lines: &[f32]) -> f32 {
    lines.iter().map(|line| line * line).sum()
}

fn band(lines: &Lines, at: usize) -> &[f32] {
    &lines[BANDS[at]..BANDS[at + 1]]
}

/// How much noise each band hides.
fn hidden_noise(lines: &Lines) -> PerBand {
    let own = |at: usize| {
        let share = if at < HIGH_FROM { NOISE_LOW } else { NOISE_HIGH };
        energy(band(lines, at)) * share
    };
    let mut hidden: PerBand = std::array::from_fn(own);
    for at in 1..BANDS_SENT {
        hidden[at] = hidden[at].max(hidden[at - 1] * SPREAD_UP);
    }
    for at in (1..BANDS_SENT).rev() {
        hidden[at - 1] = hidden[at - 1].max(hidden[at] * SPREAD_DOWN);
    }
    std::array::from_fn(|at| hidden[at].max(QUIET * (BANDS[at + 1] - BANDS[at]) as f32))
}

/// Where middle and side hold less than left and right, the two take their places (4.6.8.1).
fn join(lines: &mut [Lines; 2], mut hidden: [PerBand; 2]) -> ([bool; BANDS_SENT], [PerBand; 2]) {
    let mut joint = [false; BANDS_SENT];
    let [left, right] = lines;
    for at in 0..BANDS_SENT {
        let (middle, side): (Vec<f32>, Vec<f32>) =
            band(left, at).iter().zip(band(right, at)).map(|(l, r)| ((l + r) / 2.0, (l - r) / 2.0)).unzip();
        // Each of both adds its noise to both channels.
        let allowed = hidden[0][at].min(hidden[1][at]) / 2.0;
        let bits = |sound: f32, noise: f32| (1.0 + sound / noise).ln();
        let apart = bits(energy(band(left, at)), hidden[0][at]) + bits(energy(band(right, at)), hidden[1][at]);
        if bits(energy(&middle), allowed) + bits(energy(&side), allowed) < apart {
            joint[at] = true;
            hidden[0][at] = allowed;
            hidden[1][at] = allowed;
            left[BANDS[at]..BANDS[at + 1]].copy_from_slice(&middle);
            right[BANDS[at]..BANDS[at + 1]].copy_from_slice(&side);
        }
    }
    (joint, hidden)
}

fn quantise(lines: &Lines, hidden: &PerBand, coarser: i32) -> Coded {
    let mut coded = Coded { scales: [0; BANDS_SENT], values: [0; LINES], books: [0; BANDS_SENT] };
    let mut last: Option<i32> = None;
    for at in 0..BANDS_SENT {
        let band = band(lines, at);
        if energy(band) <= hidden[at] {
            continue;
        }
        // The step whose noise is what the band hides: with roots of magnitudes as steps, noise is
        // 2^(3/8 scale) / 6.75 times their sum.
        let roots: f32 = band.iter().map(|line| line.abs().sqrt()).sum();
        let wanted = (8.0 / 3.0 * (6.75 * hidden[at] / roots).log2()).floor() as i32 + coarser;
        let loudest = band.iter().fold(0.0_f32, |most, line| most.max(line.abs()));
        let least = (4.0 * (loudest / MAGNITUDE_MAX.powf(4.0 / 3.0)).log2()).ceil() as i32;
        let mut scale = wanted.max(least).clamp(-SCALE_OFFSET, 255 - SCALE_OFFSET);
        if let Some(last) = last {
            scale = scale.clamp(last - SCALE_STEP_MAX, last + SCALE_STEP_MAX).max(least);
        }
        let step = (-3.0 / 16.0 * scale as f32).exp2();
        let mut most = 0;
        for (value, line) in coded.values[BANDS[at]..BANDS[at + 1]].iter_mut().zip(band) {
            // Rounded a little down: an even choice would make quiet lines too loud.
            let magnitude = (line.abs().sqrt() * line.abs().sqrt().sqrt() * step + 0.405_4).min(MAGNITUDE_MAX) as i32;
            most = most.max(magnitude);
            *value = if *line < 0.0 { -magnitude } else { magnitude };
        }
        if most > 0 {
            coded.scales[at] = scale;
            coded.books[at] = BOOKS.iter().find(|(_, reach)| most <= *reach).map_or(11, |(book, _)| *book);
            last = Some(scale);
        }
    }
    merge(&mut coded);
    coded
}

/// Neighbouring bands of nearly the same loudness share a book where that is shorter than naming another.
fn merge(coded: &mut Coded) {
    const SECTION_BITS: usize = 9;
    let cost = |coded: &Coded, at: usize, book: u8| {
        let mut bits = Bits::default();
        spectrum(&mut bits, &coded.values[BANDS[at]..BANDS[at + 1]], book);
        bits.count
    };
    for at in 1..BANDS_SENT {
        let (before, here) = (coded.books[at - 1], coded.books[at]);
        if before > here && here > 0 && cost(coded, at, before) < cost(coded, at, here) + SECTION_BITS {
            coded.books[at] = before;
        }
    }
    for at in (1..BANDS_SENT).rev() {
        let (here, after) = (coded.books[at - 1], coded.books[at]);
        if after > here && here > 0 && cost(coded, at - 1, after) < cost(coded, at - 1, here) + SECTION_BITS {
            coded.books[at - 1] = after;
        }
    }
}

/// Bits, the first in the highest place of a byte.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    /// Bits that wait for their byte, in the lowest places.
    held: u64,
    count: usize,
}

impl Bits {
    /// At most 32 bits.
    fn put(&mut self, value: u32, bits: u8) {
        self.held = (self.held << bits) | u64::from(value);
        let before = self.count % 8;
        self.count += usize::from(bits);
        let mut waiting = before + usize::from(bits);
        while waiting >= 8 {
            waiting -= 8;
            self.bytes.push((self.held >> waiting) as u8);
        }
        self.held &= (1 << waiting) - 1;
    }

    fn finish(mut self) -> Bytes {
        let open = self.count % 8;
        if open > 0 {
            self.put(0, 8 - open as u8);
        }
        self.bytes.into()
    }
}

/// One raw data block: a channel pair and the end.
fn write(channels: [Coded; 2], joint: &[bool; BANDS_SENT]) -> Bits {
    let mut bits = Bits::default();
    // A channel pair (ID_CPE is 1), instance 0, a common window; reserved, a long window, the sine's; no prediction.
    bits.put(1, 3);
    bits.put(0, 4);
    bits.put(1, 1);
    bits.put(0, 4);
    bits.put(BANDS_SENT as u32, 6);
    bits.put(0, 1);
    match joint.iter().filter(|is| **is).count() {
        0 => bits.put(0, 2),
        BANDS_SENT => bits.put(2, 2),
        _ => {
            bits.put(1, 2);
            joint.iter().for_each(|is| bits.put(u32::from(*is), 1));
        }
    }
    for coded in &channels {
        channel(&mut bits, coded);
    }
    bits.put(0b111, 3);
    bits
}

fn channel(bits: &mut Bits, coded: &Coded) {
    let heard = || (0..BANDS_SENT).filter(|at| coded.books[*at] > 0);
    let first = heard().next().map_or(0, |at| coded.scales[at]);
    bits.put((first + SCALE_OFFSET) as u32, 8);
    for section in coded.books.chunk_by(|a, b| a == b) {
        bits.put(u32::from(section[0]), 4);
        let mut length = section.len() as u32;
        while length >= 31 {
            bits.put(31, 5);
            length -= 31;
        }
        bits.put(length, 5);
    }
    let mut last = first;
    for at in heard() {
        let (length, code) = SCALE[(coded.scales[at] - last + SCALE_STEP_MAX).clamp(0, 120) as usize];
        bits.put(code, length);
        last = coded.scales[at];
    }
    // No pulses, no shaping of noise in time, no gain control.
    bits.put(0, 3);
    for at in heard() {
        spectrum(bits, &coded.values[BANDS[at]..BANDS[at + 1]], coded.books[at]);
    }
}

fn spectrum(bits: &mut Bits, values: &[i32], book: u8) {
    let entry = |table: &[(u8, u16)], index: i32| table.get(index.max(0) as usize).copied().unwrap_or_default();
    let put = |bits: &mut Bits, (length, code): (u8, u16)| bits.put(u32::from(code), length);
    let signs = |bits: &mut Bits, values: &[i32]| {
        values.iter().filter(|value| **value != 0).for_each(|value| bits.put(u32::from(*value < 0), 1));
    };
    match book {
        2 => values.chunks_exact(4).for_each(|four| {
            put(bits, entry(&BOOK_2, four.iter().fold(0, |index, value| 3 * index + value + 1)));
        }),
        4 => values.chunks_exact(4).for_each(|four| {
            put(bits, entry(&BOOK_4, four.iter().fold(0, |index, value| 3 * index + value.abs())));
            signs(bits, four);
        }),
        6 => values.chunks_exact(2).for_each(|two| {
            put(bits, entry(&BOOK_6, 9 * (two[0] + 4) + two[1] + 4));
        }),
        8 => values.chunks_exact(2).for_each(|two| {
            put(bits, entry(&BOOK_8, 8 * two[0].abs() + two[1].abs()));
            signs(bits, two);
        }),
        10 => values.chunks_exact(2).for_each(|two| {
            put(bits, entry(&BOOK_10, 13 * two[0].abs() + two[1].abs()));
            signs(bits, two);
        }),
        11 => values.chunks_exact(2).for_each(|two| {
            put(bits, entry(&BOOK_11, 17 * two[0].abs().min(16) + two[1].abs().min(16)));
            signs(bits, two);
            two.iter()
                .map(|value| value.unsigned_abs())
                .filter(|value| *value >= 16)
                .for_each(|value| escape(bits, value));
        }),
        _ => {}
    }
}

/// A magnitude from 16 on: as many ones as its width exceeds four, a zero, and its bits below the highest (4.6.3.3).
fn escape(bits: &mut Bits, value: u32) {
    let width = value.ilog2();
    let ones = (width - 4) as u8;
    bits.put((1 << ones) - 1, ones);
    bits.put(0, 1);
    bits.put(value - (1 << width), width as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_samples_make_a_frame_of_bounded_size(seed in any::<u64>(), loud in 0_i64..40_000) {
            let mut encoder = Encoder::new();
            let mut state = seed;
            for _ in 0..3 {
                let block: [i16; 2 * FRAME_SAMPLES] = std::array::from_fn(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let noise = i64::try_from(state >> 40).unwrap() % (2 * loud + 1) - loud;
                    noise.clamp(-32_768, 32_767) as i16
                });
                let frame = encoder.encode(&block);
                prop_assert!(frame.len() <= FRAME_BITS_MAX.div_ceil(8) && frame.len() > 4);
            }
        }
    }

    #[test]
    fn an_escape_is_as_in_the_standard() {
        let check = |value: u32, expected: &str| {
            let mut bits = Bits::default();
            escape(&mut bits, value);
            let count = bits.count;
            let text: String = bits.finish().iter().map(|byte| format!("{byte:08b}")).collect();
            assert_eq!(&text[..count], expected, "{value}");
        };
        check(16, "00000");
        check(31, "01111");
        check(32, "1000000");
        check(8_191, "111111110111111111111");
    }
}
