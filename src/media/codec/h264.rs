//! AVCDecoderConfigurationRecord (ISO 14496-15, 5.3.3.1) and the head of a sequence parameter set (H.264, 7.3.2.1.1).

pub mod sets;
pub mod still;

use super::CodecError;
use bytes::Bytes;

/// An H.264 track's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoConfig {
    /// The AVCDecoderConfigurationRecord as sent.
    pub avcc: Bytes,
    /// Shown width in pixels.
    pub width: u32,
    /// Shown height in pixels.
    pub height: u32,
}

/// Level 6.2 allows 139,264 macroblocks and eight times their root on a side: 16,880 pixels; a larger number is garbage.
const SIDE_PX_MAX: u32 = 16_384;

/// Reads bits from a NAL unit's payload, skipping emulation prevention bytes (H.264, 7.4.1).
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    bit: u8,
    zeros: u8,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, bit: 0, zeros: 0 }
    }

    fn bit(&mut self) -> Result<u32, CodecError> {
        let short = CodecError::Short { what: "sequence parameter set" };
        if self.bit == 0 && self.zeros >= 2 && self.bytes.get(self.at) == Some(&3) {
            self.at += 1;
            self.zeros = 0;
        }
        let byte = *self.bytes.get(self.at).ok_or(short)?;
        let value = u32::from((byte >> (7 - self.bit)) & 1);
        self.bit += 1;
        if self.bit == 8 {
            self.bit = 0;
            self.at += 1;
            self.zeros = if byte == 0 { self.zeros.saturating_add(1) } else { 0 };
        }
        Ok(value)
    }

    fn bits(&mut self, count: u32) -> Result<u32, CodecError> {
        let mut value = 0;
        for _ in 0..count {
            value = (value << 1) | self.bit()?;
        }
        Ok(value)
    }

    /// Exp-Golomb (H.264, 9.1).
    fn ue(&mut self) -> Result<u32, CodecError> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return Err(CodecError::Unusable { what: "a number in the sequence parameter set" });
            }
        }
        Ok((1_u32 << zeros) - 1 + self.bits(zeros)?)
    }

    /// Signed Exp-Golomb; only its sign's effect on scaling lists matters here.
    fn se(&mut self) -> Result<i64, CodecError> {
        let code = i64::from(self.ue()?);
        Ok(if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) })
    }
}

impl VideoConfig {
    /// Reads an AVCDecoderConfigurationRecord and the size in its first SPS.
    ///
    /// # Errors
    /// [`CodecError`] if it is cut off, or its parameter sets make no sense.
    pub fn parse(avcc: &Bytes) -> Result<Self, CodecError> {
        let short = CodecError::Short { what: "AVC configuration" };
        if *avcc.first().ok_or(short)? != 1 {
            return Err(CodecError::Unusable { what: "the AVC configuration version" });
        }
        // A three-byte length is not allowed by the format, and players trip over it.
        if avcc.get(4).ok_or(short)? & 3 == 2 {
            return Err(CodecError::Unusable { what: "the NAL unit length size" });
        }
        let sets = avcc.get(5).ok_or(short)? & 0x1f;
        if sets == 0 {
            return Err(CodecError::Unusable { what: "an AVC configuration without parameter sets" });
        }
        let length = usize::from(u16::from_be_bytes([*avcc.get(6).ok_or(short)?, *avcc.get(7).ok_or(short)?]));
        let sps = avcc.get(8..8 + length).ok_or(short)?;
        let (width, height) = sps_size(sps)?;
        Ok(Self { avcc: avcc.clone(), width, height })
    }

    /// The codec as RFC 6381 writes it, for example `avc1.64001f`.
    pub fn codec_string(&self) -> String {
        let byte = |at: usize| self.avcc.get(at).copied().unwrap_or(0);
        format!("avc1.{:02x}{:02x}{:02x}", byte(1), byte(2), byte(3))
    }

    /// As people say it, for example `H.264 1280x720`.
    pub fn describe(&self) -> String {
        format!("H.264 {}x{}", self.width, self.height)
    }
}

/// Shown width and height by an SPS NAL unit (H.264, 7.3.2.1.1 and 7.4.2.1.1).
fn sps_size(sps: &[u8]) -> Result<(u32, u32), CodecError> {
    let nonsense = CodecError::Unusable { what: "the picture size" };
    let mut bits = Bits::new(sps);
    if bits.bits(8)? & 0x1f != 7 {
        return Err(CodecError::Unusable { what: "a parameter set of another kind" });
    }
    let profile = bits.bits(8)?;
    bits.bits(16)?;
    bits.ue()?;
    let mut chroma = 1;
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        chroma = bits.ue()?;
        if chroma == 3 {
            bits.bit()?;
        }
        bits.ue()?;
        bits.ue()?;
        bits.bit()?;
        if bits.bit()? == 1 {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if bits.bit()? == 1 {
                    skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.ue()?;
    match bits.ue()? {
        0 => {
            bits.ue()?;
        }
        1 => {
            bits.bit()?;
            bits.se()?;
            bits.se()?;
            let cycle = bits.ue()?;
            if cycle > 255 {
                return Err(nonsense);
            }
            for _ in 0..cycle {
                bits.se()?;
            }
        }
        _ => {}
    }
    bits.ue()?;
    bits.bit()?;
    let across = bits.ue()?.checked_add(1).and_then(|mbs| mbs.checked_mul(16)).ok_or(nonsense)?;
    let units = bits.ue()?.checked_add(1).ok_or(nonsense)?;
    let frame_only = bits.bit()?;
    let down = units.checked_mul(16).and_then(|px| px.checked_mul(2 - frame_only)).ok_or(nonsense)?;
    if frame_only == 0 {
        bits.bit()?;
    }
    bits.bit()?;
    let (mut crop_x, mut crop_y) = (0_u32, 0_u32);
    if bits.bit()? == 1 {
        let unit_x = if matches!(chroma, 1 | 2) { 2 } else { 1 };
        let unit_y = if chroma == 1 { 2 } else { 1 } * (2 - frame_only);
        let (left, right, top, bottom) = (bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?);
        crop_x = left.checked_add(right).and_then(|sum| sum.checked_mul(unit_x)).ok_or(nonsense)?;
        crop_y = top.checked_add(bottom).and_then(|sum| sum.checked_mul(unit_y)).ok_or(nonsense)?;
    }
    let width = across.checked_sub(crop_x).filter(|px| (1..=SIDE_PX_MAX).contains(px)).ok_or(nonsense)?;
    let height = down.checked_sub(crop_y).filter(|px| (1..=SIDE_PX_MAX).contains(px)).ok_or(nonsense)?;
    Ok((width, height))
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Result<(), CodecError> {
    let (mut last, mut next) = (8_i64, 8_i64);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.se()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn avcc(sps: &[u8]) -> Bytes {
        let mut record = vec![1, sps[1], sps[2], sps[3], 0xff, 0xe1, 0, u8::try_from(sps.len()).unwrap()];
        record.extend_from_slice(sps);
        record.extend_from_slice(&[1, 0, 4, 0x68, 0xce, 0x3c, 0x80]);
        record.into()
    }

    #[test]
    fn reads_size_and_codec_string() {
        // x264, high profile, 1920x1080: a crop of 8 lines, and emulation prevention bytes.
        let sps = [
            0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04,
            0x00, 0x00, 0x03, 0x00, 0xf0, 0x3c, 0x60, 0xc6, 0x58,
        ];
        let config = VideoConfig::parse(&avcc(&sps)).unwrap();
        assert_eq!((config.codec_string().as_str(), config.describe().as_str()), ("avc1.640028", "H.264 1920x1080"));
    }

    #[test]
    fn a_three_byte_nal_length_is_refused() {
        let mut record = avcc(&[0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5]).to_vec();
        record[4] = 0xfe;
        assert!(VideoConfig::parse(&record.into()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = VideoConfig::parse(&Bytes::from(bytes.clone()));
            let mut framed = vec![1, 100, 0, 31, 0xff, 0xe1, 0, u8::try_from(bytes.len() + 1).unwrap(), 0x67];
            framed.extend(bytes);
            let _ = VideoConfig::parse(&framed.into());
        }
    }
}
