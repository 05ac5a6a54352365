//! A picture that stands: H.264 slices which say "as before", so that a still takes no encoder and a dozen bytes a frame.
//!
//! Such a slice skips every macroblock (H.264, 7.3.4: one `mb_skip_run`). With no motion around them, skipped macroblocks
//! have none (8.4.1.1), so each is the picture before, sample by sample.

use super::{Bits, CodecError, VideoConfig};
use bytes::Bytes;

/// NAL unit header of a slice that is no keyframe and is referred to by the next.
const SLICE_HEADER: u8 = 0x41;

/// Writes repeats of the pictures that one pair of parameter sets describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    picture_set: u32,
    frame_num_bits: u32,
    /// Absent where the order is the decoding order (`pic_order_cnt_type` 2).
    order_bits: Option<u32>,
    order_delta: bool,
    deblocking_control: bool,
    macroblocks: u32,
}

/// What a sequence parameter set says that a slice depends on.
struct Sequence {
    frame_num_bits: u32,
    order_bits: Option<u32>,
    macroblocks: u32,
}

/// The configuration that the two parameter sets (NAL units without start codes) make.
///
/// # Errors
/// [`CodecError`] if they are cut off or can't be used.
pub fn config(sequence: &[u8], picture: &[u8]) -> Result<VideoConfig, CodecError> {
    let short = CodecError::Short { what: "sequence parameter set" };
    let mut avcc = vec![1];
    avcc.extend_from_slice(sequence.get(1..4).ok_or(short)?);
    avcc.push(0xff);
    for (count, set) in [(0xe1, sequence), (1, picture)] {
        avcc.push(count);
        let length = u16::try_from(set.len()).map_err(|_| CodecError::Unusable { what: "a long parameter set" })?;
        avcc.extend_from_slice(&length.to_be_bytes());
        avcc.extend_from_slice(set);
    }
    VideoConfig::parse(&avcc.into())
}

impl Repeat {
    /// Reads the parameter sets (NAL units without start codes) of a baseline stream.
    ///
    /// # Errors
    /// [`CodecError`] if they are cut off, or use what this writer does not.
    pub fn new(sequence: &[u8], picture: &[u8]) -> Result<Self, CodecError> {
        let Sequence { frame_num_bits, order_bits, macroblocks } = read_sequence(sequence)?;
        let mut bits = Bits::new(picture);
        bits.bits(8)?;
        let picture_set = bits.ue()?;
        bits.ue()?;
        let (cabac, order_delta, slice_groups) = (bits.bit()?, bits.bit()? == 1, bits.ue()?);
        bits.ue()?;
        bits.ue()?;
        let weighted = bits.bits(3)?;
        if cabac + slice_groups + weighted != 0 {
            return Err(CodecError::Unusable { what: "a picture parameter set beyond the baseline" });
        }
        for _ in 0..3 {
            bits.se()?;
        }
        let deblocking_control = bits.bit()? == 1;
        bits.bit()?;
        if bits.bit()? == 1 {
            return Err(CodecError::Unusable { what: "a redundant picture" });
        }
        Ok(Self { picture_set, frame_num_bits, order_bits, order_delta, deblocking_control, macroblocks })
    }

    /// The `index`th picture after a keyframe, from 1, with a four-byte length as in `avcC`.
    pub fn frame(&self, index: u32) -> Bytes {
        let mut out = Writer::default();
        out.ue(0);
        out.ue(5);
        out.ue(self.picture_set);
        out.bits(index, self.frame_num_bits);
        if let Some(order_bits) = self.order_bits {
            // Frames count two, one for each field.
            out.bits(index.wrapping_mul(2), order_bits);
            if self.order_delta {
                out.ue(0);
            }
        }
        // One reference, in the usual order, kept in the usual way.
        out.bits(1, 1);
        out.ue(0);
        out.bits(0, 1);
        out.bits(0, 1);
        out.ue(0);
        if self.deblocking_control {
            out.ue(1);
        }
        out.ue(self.macroblocks);
        let body = out.finish();
        let length = u32::try_from(body.len() + 1).unwrap_or(u32::MAX);
        let mut nal = length.to_be_bytes().to_vec();
        nal.push(SLICE_HEADER);
        nal.extend(body);
        nal.into()
    }
}

fn read_sequence(nal: &[u8]) -> Result<Sequence, CodecError> {
    let foreign = CodecError::Unusable { what: "a sequence parameter set beyond the baseline" };
    let mut bits = Bits::new(nal);
    bits.bits(8)?;
    if bits.bits(8)? != 66 {
        return Err(foreign);
    }
    bits.bits(16)?;
    bits.ue()?;
    let frame_num_bits = bits.ue()?.saturating_add(4);
    let order_bits = match bits.ue()? {
        0 => Some(bits.ue()?.saturating_add(4)),
        2 => None,
        _ => return Err(foreign),
    };
    // Both are at most 16 (H.264, 7.4.2.1.1).
    if frame_num_bits > 16 || order_bits.is_some_and(|bits| bits > 16) {
        return Err(foreign);
    }
    bits.ue()?;
    bits.bit()?;
    let (across, down) = (bits.ue()?, bits.ue()?);
    if bits.bit()? == 0 {
        return Err(foreign);
    }
    let macroblocks = across.saturating_add(1).saturating_mul(down.saturating_add(1));
    Ok(Sequence { frame_num_bits, order_bits, macroblocks })
}

/// Writes bits, the highest first.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    last: u8,
    filled: u32,
}

impl Writer {
    fn bits(&mut self, value: u32, count: u32) {
        for at in (0..count).rev() {
            self.last = (self.last << 1) | u8::from((value >> at) & 1 == 1);
            self.filled += 1;
            if self.filled == 8 {
                self.bytes.push(self.last);
                (self.last, self.filled) = (0, 0);
            }
        }
    }

    /// Exp-Golomb (H.264, 9.1).
    fn ue(&mut self, value: u32) {
        let code = value.saturating_add(1);
        let length = 32 - code.leading_zeros();
        self.bits(0, length - 1);
        self.bits(code, length);
    }

    /// The payload with its trailing bit and emulation prevention (7.3.2.11 and 7.4.1).
    fn finish(mut self) -> Vec<u8> {
        self.bits(1, 1);
        while self.filled != 0 {
            self.bits(0, 1);
        }
        let (mut out, mut zeros) = (Vec::with_capacity(self.bytes.len()), 0);
        for byte in self.bytes {
            if zeros >= 2 && byte <= 3 {
                out.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            out.push(byte);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 640x368, order by type 0 in 6 bits, frame numbers in 4.
    fn sequence(profile: u32) -> Vec<u8> {
        let mut out = Writer::default();
        out.bits(0x67, 8);
        out.bits(profile, 8);
        out.bits(0xc01e, 16);
        [0, 0, 0, 2, 1].into_iter().for_each(|value| out.ue(value));
        out.bits(0, 1);
        out.ue(39);
        out.ue(22);
        out.bits(0b1_1000, 5);
        out.finish()
    }

    /// Deblocking is controlled.
    const PICTURE: &[u8] = &[0x68, 0xce, 0x0f, 0xc8];

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = Writer::default();
        let values = [0, 1, 2, 3, 14, 255, 3_599, 65_534];
        values.iter().for_each(|value| out.ue(*value));
        out.bits(0, 24);
        out.bits(0x2a, 7);
        let bytes = out.finish();
        let mut bits = Bits::new(&bytes);
        for value in values {
            assert_eq!(bits.ue().unwrap(), value);
        }
        assert_eq!((bits.bits(24).unwrap(), bits.bits(7).unwrap()), (0, 0x2a));
        assert!(bytes.windows(3).all(|window| window[0] != 0 || window[1] != 0 || window[2] > 2), "{bytes:02x?}");
    }

    /// Read field by field as a strict decoder does, since lenient ones show the right picture for a wrong number too.
    #[test]
    fn each_repeat_has_the_next_frame_number_and_order_and_skips_the_whole_picture() {
        let repeat = Repeat::new(&sequence(66), PICTURE).unwrap();
        for index in [1, 2, 14, 15, 16, 31, 33, 100] {
            let nal = repeat.frame(index);
            assert_eq!(usize::try_from(u32::from_be_bytes(nal[..4].try_into().unwrap())).unwrap(), nal.len() - 4);
            let mut bits = Bits::new(&nal[4..]);
            assert_eq!(bits.bits(8).unwrap(), u32::from(SLICE_HEADER));
            let (first, kind, set) = (bits.ue().unwrap(), bits.ue().unwrap(), bits.ue().unwrap());
            assert_eq!((first, kind, set), (0, 5, 0));
            assert_eq!(bits.bits(4).unwrap(), index % 16, "frame_num");
            assert_eq!(bits.bits(6).unwrap(), 2 * index % 64, "pic_order_cnt_lsb");
            // One reference; no reordering; the sliding window; no change of quantiser; no deblocking.
            assert_eq!((bits.bit().unwrap(), bits.ue().unwrap(), bits.bits(2).unwrap()), (1, 0, 0));
            assert_eq!((bits.se().unwrap(), bits.ue().unwrap()), (0, 1));
            assert_eq!(bits.ue().unwrap(), 40 * 23, "mb_skip_run");
            assert_eq!(bits.bit().unwrap(), 1, "the trailing bit");
        }
    }

    #[test]
    fn a_stream_beyond_the_baseline_is_refused() {
        assert_eq!(Repeat::new(&sequence(66), PICTURE).unwrap().macroblocks, 40 * 23);
        assert_eq!(config(&sequence(66), PICTURE).unwrap().describe(), "H.264 640x368");
        assert!(Repeat::new(&sequence(100), PICTURE).is_err());
        let mut cabac = PICTURE.to_vec();
        cabac[1] |= 0x20;
        assert!(Repeat::new(&sequence(66), &cabac).is_err());
    }

    proptest! {
        #[test]
        fn any_sets_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..40), index in any::<u32>()) {
            let mut set = vec![0x67, 66];
            set.extend(&bytes);
            let _ = config(&set, &bytes);
            if let Ok(repeat) = Repeat::new(&set, PICTURE) {
                prop_assert!(repeat.frame(index).len() < 64);
            }
            let _ = Repeat::new(&sequence(66), &bytes);
        }
    }
}
