//! AudioSpecificConfig (ISO 14496-3, 1.6.2.1): the few bytes that start an AAC decoder.

use super::CodecError;
use bytes::Bytes;

/// An AAC track's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioConfig {
    /// The AudioSpecificConfig as sent.
    pub asc: Bytes,
    /// Samples a second that one frame's 1,024 samples count in.
    pub sample_rate: u32,
    /// 1 to 8.
    pub channels: u16,
    /// 2 is AAC-LC.
    pub object_type: u8,
}

/// Sampling frequencies by index (ISO 14496-3, table 1.18).
pub const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// Samples in every AAC-LC frame.
pub const SAMPLES_PER_FRAME: u32 = 1_024;

impl AudioConfig {
    /// Reads an AudioSpecificConfig.
    ///
    /// # Errors
    /// [`CodecError`] if it is cut off, or names a rate or channel layout that has no meaning.
    pub fn parse(asc: &Bytes) -> Result<Self, CodecError> {
        let short = CodecError::Short { what: "AudioSpecificConfig" };
        let (first, second) = (*asc.first().ok_or(short)?, *asc.get(1).ok_or(short)?);
        let object_type = first >> 3;
        if object_type == 0 || object_type == 31 {
            return Err(CodecError::Unusable { what: "the AAC object type" });
        }
        let index = ((first & 0x07) << 1) | (second >> 7);
        let (sample_rate, channels) = if index == 15 {
            let byte = |at: usize| asc.get(at).copied().map(u32::from).ok_or(short);
            let rate = ((byte(1)? & 0x7f) << 17) | (byte(2)? << 9) | (byte(3)? << 1) | (byte(4)? >> 7);
            (rate, u8::try_from((byte(4)? >> 3) & 0x0f).unwrap_or(0))
        } else {
            let rate = SAMPLE_RATES.get(usize::from(index)).copied().unwrap_or(0);
            (rate, (second >> 3) & 0x0f)
        };
        if !(7_000..=96_000).contains(&sample_rate) {
            return Err(CodecError::Unusable { what: "the audio sample rate" });
        }
        let channels = match channels {
            1..=6 => u16::from(channels),
            7 => 8,
            _ => return Err(CodecError::Unusable { what: "the audio channel layout" }),
        };
        Ok(Self { asc: asc.clone(), sample_rate, channels, object_type })
    }

    /// Two channels at 48 kHz, for a program whose source sends no sound.
    pub fn silent() -> Self {
        Self { asc: Bytes::from_static(&[0x11, 0x90]), sample_rate: 48_000, channels: 2, object_type: 2 }
    }

    /// One frame of silence, if it is known for this configuration: it is for AAC in one or two channels.
    pub fn silent_frame(&self) -> Option<&'static [u8]> {
        match (self.object_type, self.channels) {
            (2 | 5, 1) => Some(SILENT_MONO_FRAME),
            (2 | 5, 2) => Some(SILENT_STEREO_FRAME),
            _ => None,
        }
    }

    /// Whether a frame of the one sounds the same in the other, however the two are written.
    pub fn is_like(&self, other: &Self) -> bool {
        let what = |of: &Self| (of.sample_rate, of.channels, of.object_type);
        what(self) == what(other)
    }

    /// As people say it, for example `AAC 48 kHz stereo`.
    pub fn describe(&self) -> String {
        let (whole, tenth) = (self.sample_rate / 1_000, self.sample_rate % 1_000 / 100);
        let rate = if tenth == 0 { whole.to_string() } else { format!("{whole}.{tenth}") };
        let layout = match self.channels {
            1 => "mono".to_owned(),
            2 => "stereo".to_owned(),
            many => format!("{many} channels"),
        };
        format!("AAC {rate} kHz {layout}")
    }
}

/// One AAC-LC frame of silence in one channel, decodable on its own.
const SILENT_MONO_FRAME: &[u8] = &[0x01, 0x18, 0x20, 0x07];

/// One AAC-LC frame of stereo silence, decodable on its own.
pub const SILENT_STEREO_FRAME: &[u8] = &[0x21, 0x00, 0x49, 0x90, 0x02, 0x19, 0x00, 0x23, 0x80];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_common_configurations() {
        let check = |asc: &'static [u8], expected: &str| {
            assert_eq!(AudioConfig::parse(&Bytes::from_static(asc)).unwrap().describe(), expected);
        };
        check(&[0x11, 0x90], "AAC 48 kHz stereo");
        check(&[0x12, 0x10], "AAC 44.1 kHz stereo");
        check(&[0x12, 0x08, 0x56, 0xe5, 0x00], "AAC 44.1 kHz mono");
        check(&[0x17, 0x80, 0x5d, 0xc0, 0x10], "AAC 48 kHz stereo");
    }

    #[test]
    fn refuses_what_has_no_meaning() {
        for asc in [&[][..], &[0x11], &[0xff, 0xff], &[0x17, 0x00], &[0x11, 0x80], &[0x06, 0x90]] {
            assert!(AudioConfig::parse(&Bytes::copy_from_slice(asc)).is_err(), "{asc:02x?}");
        }
    }
}
