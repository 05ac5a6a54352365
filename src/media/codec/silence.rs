//! Whether an AAC frame holds any sound, seen without decoding it (ISO 14496-3, 4.4.2).
//!
//! A frame of digital silence codes no frequency band at all, at any bitrate and whatever an encoder fills it up with. How loud
//! a frame with bands is can't be seen without decoding: at a constant bitrate a whisper takes the bytes of a shout.

const SINGLE: u32 = 0;
const PAIR: u32 = 1;
const LFE: u32 = 3;
const FILL: u32 = 6;
/// The window sequence of eight short windows, which has other fields.
const EIGHT_SHORT: u32 = 2;
/// Fill elements before the first channel: encoders write one at most.
const FILLS_MAX: usize = 4;
/// A pair whose channels are coded apart is looked at in its first only; with no bands there, the second fits in this many bytes
/// when it has none either.
const APART_BYTES_MAX: usize = 16;

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            let bit = byte.checked_shr(u32::try_from(7 - self.at % 8).ok()?)? & 1;
            value = (value << 1) | u32::from(bit);
            self.at += 1;
        }
        Some(value)
    }

    /// How many frequency bands are coded.
    fn bands(&mut self) -> Option<u32> {
        self.take(1)?;
        let sequence = self.take(2)?;
        self.take(1)?;
        self.take(if sequence == EIGHT_SHORT { 4 } else { 6 })
    }
}

/// Whether the raw frame (without ADTS) holds nothing but silence; false for what can't be read.
pub fn is_silent(frame: &[u8]) -> bool {
    let mut bits = Bits { bytes: frame, at: 0 };
    bands(&mut bits).is_some_and(|(bands, apart)| bands == 0 && (!apart || frame.len() <= APART_BYTES_MAX))
}

fn bands(bits: &mut Bits) -> Option<(u32, bool)> {
    for _ in 0..=FILLS_MAX {
        let element = bits.take(3)?;
        if element == FILL {
            let mut bytes = bits.take(4)?;
            if bytes == 15 {
                bytes = (bytes + bits.take(8)?).saturating_sub(1);
            }
            bits.at = bits.at.saturating_add(usize::try_from(bytes).ok()?.saturating_mul(8));
            continue;
        }
        bits.take(4)?;
        let together = match element {
            PAIR => bits.take(1)? == 1,
            SINGLE | LFE => false,
            _ => return None,
        };
        if !together {
            bits.take(8)?;
        }
        return Some((bits.bands()?, element == PAIR && !together));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Frames of ffmpeg's encoder: `anullsrc`, and `sine=f=440` some 80 dB below full scale.
    const SILENT_MONO: [u8; 4] = [0x01, 0x18, 0x20, 0x07];
    const SILENT_STEREO: [u8; 6] = [0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c];

    const FAINT_MONO: [u8; 23] = [
        0x00, 0xe0, 0x2b, 0x00, 0x76, 0x30, 0x78, 0x85, 0xc7, 0x9f, 0xfc, 0xc0, 0x0e, 0x4c, 0x08, 0x25, 0x95, 0xad,
        0x6f, 0x12, 0xae, 0x50, 0xe0,
    ];
    const FAINT_STEREO: [u8; 23] = [
        0x21, 0x11, 0x88, 0xed, 0xc0, 0x3b, 0x1a, 0xec, 0x00, 0xf9, 0x0c, 0x64, 0xb0, 0x52, 0x73, 0xd3, 0xcb, 0x70,
        0x0c, 0x46, 0xbb, 0x03, 0x80,
    ];

    #[test]
    fn the_faintest_tone_is_not_silent() {
        assert!(!is_silent(&FAINT_MONO));
        assert!(!is_silent(&FAINT_STEREO));
    }

    #[test]
    fn a_frame_without_bands_is_silent() {
        assert!(is_silent(&SILENT_MONO));
        assert!(is_silent(&SILENT_STEREO));
    }

    #[test]
    fn filled_up_to_a_constant_bitrate_it_is_silent_too() {
        // The end of the frame is cut off, and a fill element of 15 + 255 - 1 bytes begins: 110 1111 11111111.
        let filled = [&SILENT_STEREO[..], &[0; 300]].concat();
        assert!(is_silent(&filled));
        // A fill element of one byte stands first: 110 0001 00000000, then the frame, shifted by 15 bits.
        let frame: u128 = SILENT_STEREO.iter().fold(0, |bits, byte| (bits << 8) | u128::from(*byte));
        let bits: u128 = (0b110_0001_0000_0000_u128 << 49) | (frame << 1);
        assert!(is_silent(&bits.to_be_bytes()[8..]));
    }

    #[test]
    fn what_can_not_be_read_is_not_called_silent() {
        for bytes in [&[][..], &[0x01], &[0xe0, 0, 0, 0], &[0x40, 0, 0, 0, 0, 0], &[0xff; 64]] {
            assert!(!is_silent(bytes), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            is_silent(&bytes);
        }
    }
}
