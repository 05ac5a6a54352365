//! From samples to lines: the MDCT of ISO/IEC 14496-3, 4.6.11, with the sine window, by a complex FFT of a quarter of its
//! length.

// Sound is arithmetic on bounded arrays whose lengths are the constants below; a property test feeds any samples.
#![allow(clippy::float_arithmetic, clippy::indexing_slicing, clippy::as_conversions)]

use std::f64::consts::PI;

/// Lines of a long window, and samples between two.
pub(super) const LINES: usize = 1_024;
const HALF: usize = LINES / 2;

/// Tables of one size, shared by the channels.
pub(super) struct Mdct {
    window: Vec<f32>,
    /// `exp(-i pi (8n + 1) / (8 LINES))`.
    twist: Vec<(f32, f32)>,
    /// `exp(-2 pi i n / HALF)`.
    roots: Vec<(f32, f32)>,
}

impl Mdct {
    pub(super) fn new() -> Self {
        let turn = |angle: f64| (angle.cos() as f32, angle.sin() as f32);
        let lines = LINES as f64;
        Self {
            window: (0..2 * LINES).map(|n| (PI / (2.0 * lines) * (n as f64 + 0.5)).sin() as f32).collect(),
            twist: (0..HALF).map(|n| turn(-PI * (8.0 * n as f64 + 1.0) / (8.0 * lines))).collect(),
            roots: (0..HALF / 2).map(|n| turn(-2.0 * PI * n as f64 / HALF as f64)).collect(),
        }
    }

    /// The lines of `before` and `now`, two neighbouring blocks.
    pub(super) fn forward(&self, before: &[f32; LINES], now: &[f32; LINES]) -> [f32; LINES] {
        let at = |n: usize| if n < LINES { before[n] * self.window[n] } else { now[n - LINES] * self.window[n] };
        // The window's four quarters a b c d fold into (-c reversed - d, a - b reversed), whose DCT-IV this is.
        let mut folded = [0.0; LINES];
        for n in 0..HALF {
            folded[n] = -at(3 * HALF - 1 - n) - at(3 * HALF + n);
            folded[HALF + n] = at(n) - at(LINES - 1 - n);
        }
        let mut values: Vec<(f32, f32)> =
            (0..HALF).map(|n| times((folded[2 * n], folded[LINES - 1 - 2 * n]), self.twist[n])).collect();
        self.fft(&mut values);
        let mut lines = [0.0; LINES];
        for (n, value) in values.into_iter().enumerate() {
            let (re, im) = times(value, self.twist[n]);
            lines[2 * n] = 2.0 * re;
            lines[LINES - 1 - 2 * n] = -2.0 * im;
        }
        lines
    }

    fn fft(&self, values: &mut [(f32, f32)]) {
        let shift = usize::BITS - HALF.trailing_zeros();
        for n in 0..HALF {
            let mirrored = n.reverse_bits() >> shift;
            if n < mirrored {
                values.swap(n, mirrored);
            }
        }
        let mut width = 2;
        while width <= HALF {
            let step = HALF / width;
            for block in values.chunks_exact_mut(width) {
                let (low, high) = block.split_at_mut(width / 2);
                for (n, (a, b)) in low.iter_mut().zip(high).enumerate() {
                    let turned = times(*b, self.roots[n * step]);
                    *b = (a.0 - turned.0, a.1 - turned.1);
                    *a = (a.0 + turned.0, a.1 + turned.1);
                }
            }
            width *= 2;
        }
    }
}

fn times(a: (f32, f32), b: (f32, f32)) -> (f32, f32) {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_transform_of_the_standard() {
        let sample = |n: usize| f64::from(u32::try_from(n * 7_919 % 1_000).unwrap()) - 500.0;
        let mut blocks = [[0.0_f32; LINES]; 2];
        for n in 0..2 * LINES {
            blocks[n / LINES][n % LINES] = sample(n) as f32;
        }
        let lines = Mdct::new().forward(&blocks[0], &blocks[1]);
        let pi = std::f64::consts::PI;
        for k in [0, 1, 2, 17, 500, 511, 512, 1_022, 1_023] {
            let term = |n: usize| {
                let window = (pi / 2_048.0 * (n as f64 + 0.5)).sin();
                sample(n) * window * (2.0 * pi / 2_048.0 * (n as f64 + 512.5) * (k as f64 + 0.5)).cos()
            };
            let expected = 2.0 * (0..2_048).map(term).sum::<f64>();
            assert!((f64::from(lines[k]) - expected).abs() < 1.0, "line {k}: {} for {expected}", lines[k]);
        }
    }
}
