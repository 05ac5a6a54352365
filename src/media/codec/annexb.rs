//! H.264 as a byte stream (H.264, annex B), turned into what MP4 holds: units with their length before them, and parameter
//! sets apart (ISO 14496-15, 5.3).

use super::{CodecError, VideoConfig};
use bytes::{BufMut, Bytes, BytesMut};

/// NAL unit types (H.264, table 7-1).
const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;
const FILLER: u8 = 12;

/// Sets of one kind that are kept: encoders have one, and one more while they change.
const SETS_MAX: usize = 4;

/// Profiles whose configuration names its colours (ISO 14496-15, 5.3.3.1.2).
const HIGH_PROFILES: [u8; 4] = [100, 110, 122, 144];

/// One picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessUnit {
    /// Its units, each with four bytes of length before it; empty if it held parameter sets only.
    pub data: Bytes,
    /// Whether decoding can start here.
    pub keyframe: bool,
}

/// Reads a stream's pictures and remembers its parameter sets.
#[derive(Debug, Default)]
pub struct Reader {
    sps: Option<Bytes>,
    pps: Vec<Bytes>,
    changed: bool,
}

impl Reader {
    /// Reads one access unit; start codes of three and of four bytes, delimiters and filler are dropped.
    pub fn read(&mut self, stream: &[u8]) -> AccessUnit {
        let mut data = BytesMut::with_capacity(stream.len());
        let (mut keyframe, mut fresh) = (false, false);
        for unit in units(stream) {
            let Some(kind) = unit.first().map(|byte| byte & 0x1f) else { continue };
            match kind {
                SPS => self.sps(unit),
                PPS => {
                    // The first of a picture's sets replaces those of the pictures before.
                    if !fresh && !self.pps.iter().any(|known| known.as_ref() == unit) {
                        self.pps.clear();
                    }
                    fresh = true;
                    self.pps(unit);
                }
                DELIMITER | FILLER => {}
                _ => {
                    keyframe |= kind == IDR;
                    if let Ok(length) = u32::try_from(unit.len()) {
                        data.put_u32(length);
                        data.put_slice(unit);
                    }
                }
            }
        }
        AccessUnit { data: data.freeze(), keyframe }
    }

    /// The configuration, if it is new since this was last asked and complete.
    ///
    /// # Errors
    /// [`CodecError`] if the parameter sets make no sense.
    pub fn take_config(&mut self) -> Result<Option<VideoConfig>, CodecError> {
        let (true, Some(sps), false) = (self.changed, &self.sps, self.pps.is_empty()) else { return Ok(None) };
        let config = VideoConfig::parse(&avcc(sps, &self.pps)?)?;
        self.changed = false;
        Ok(Some(config))
    }

    fn sps(&mut self, unit: &[u8]) {
        if self.sps.as_deref() != Some(unit) {
            self.sps = Some(Bytes::copy_from_slice(unit));
            self.changed = true;
        }
    }

    fn pps(&mut self, unit: &[u8]) {
        if self.pps.len() < SETS_MAX && !self.pps.iter().any(|known| known.as_ref() == unit) {
            self.pps.push(Bytes::copy_from_slice(unit));
            self.changed = true;
        }
    }
}

/// An AVCDecoderConfigurationRecord (ISO 14496-15, 5.3.3.1).
fn avcc(sps: &Bytes, pps: &[Bytes]) -> Result<Bytes, CodecError> {
    let short = CodecError::Short { what: "sequence parameter set" };
    let [profile, compatibility, level] = *sps.get(1..4).and_then(<[u8]>::first_chunk).ok_or(short)?;
    let long = |_| CodecError::Unusable { what: "a parameter set" };
    let mut record = BytesMut::new();
    // Version 1; lengths of four bytes; one SPS.
    record.put_slice(&[1, profile, compatibility, level, 0xff, 0xe1]);
    record.put_u16(u16::try_from(sps.len()).map_err(long)?);
    record.put_slice(sps);
    record.put_u8(u8::try_from(pps.len()).map_err(long)?);
    for set in pps {
        record.put_u16(u16::try_from(set.len()).map_err(long)?);
        record.put_slice(set);
    }
    if HIGH_PROFILES.contains(&profile) {
        // 4:2:0 and 8 bits: the only ones that browsers show.
        record.put_slice(&[0xfd, 0xf8, 0xf8, 0]);
    }
    Ok(record.freeze())
}

/// The NAL units between start codes, without the zeros that may follow them.
fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start(stream);
    std::iter::from_fn(move || {
        let from = rest?;
        let end = start(from);
        rest = end.and_then(|end| from.get(end + 3..));
        let unit = from.get(..end.unwrap_or(from.len())).unwrap_or_default();
        let length = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Some(unit.get(..length).unwrap_or_default())
    })
}

fn start(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|three| three == [0, 0, 1])
}

fn after_start(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(start(bytes)? + 3..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPS_UNIT: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5];
    const PPS_UNIT: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

    fn stream(units: &[&[u8]]) -> Vec<u8> {
        units.iter().enumerate().flat_map(|(n, unit)| [&[0, 0, 0, 1][n % 2..], unit].concat()).collect()
    }

    #[test]
    fn a_keyframe_gives_its_configuration_once_and_its_picture_alone() {
        let mut reader = Reader::default();
        let idr = [0x65, 0x88, 0x84, 0x00, 0x01, 0x33];
        let unit = reader.read(&stream(&[&[0x09, 0xf0], SPS_UNIT, PPS_UNIT, &idr]));
        assert!(unit.keyframe);
        assert_eq!(unit.data.as_ref(), [&[0, 0, 0, 6][..], &idr].concat());
        let config = reader.take_config().unwrap().unwrap();
        // Read back, a set loses the zeros at its end, which its length says are none of it.
        assert_eq!(config.codec_string(), "avc1.42c01e");
        assert_eq!(reader.take_config(), Ok(None));
        let unit = reader.read(&stream(&[SPS_UNIT, PPS_UNIT, &idr]));
        assert!(unit.keyframe && reader.take_config() == Ok(None));
        let unit = reader.read(&stream(&[&[0x41, 0x9a, 0x02]]));
        assert!(!unit.keyframe);
    }

    #[test]
    fn captions_before_a_picture_stay_there() {
        // Supplemental information, as ATSC A/53 begins it.
        let caption = [0x06, 0x04, 0x03, 0xb5, 0x00, 0x31, 0x80];
        let unit = Reader::default().read(&stream(&[&caption, &[0x41, 0x9a]]));
        assert_eq!(unit.data.as_ref(), [&[0, 0, 0, 7][..], &caption, &[0, 0, 0, 2], &[0x41, 0x9a]].concat());
    }

    #[test]
    fn another_size_is_another_configuration() {
        let mut reader = Reader::default();
        reader.read(&stream(&[SPS_UNIT, PPS_UNIT]));
        let before = reader.take_config().unwrap().unwrap();
        let larger: &[u8] = &[
            0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04,
            0x00, 0x00, 0x03, 0x00, 0xf0, 0x3c, 0x60, 0xc6, 0x58,
        ];
        reader.read(&stream(&[larger, &[0x68, 0xeb, 0xe3, 0xcb]]));
        let after = reader.take_config().unwrap().unwrap();
        assert_ne!(before, after);
        assert_eq!((after.width, after.height), (1_920, 1_080));
        assert_eq!(after.avcc.last_chunk(), Some(&[0xfd, 0xf8, 0xf8, 0]));
    }

    #[test]
    fn nonsense_is_refused_and_a_picture_without_sets_has_no_configuration() {
        let mut reader = Reader::default();
        assert_eq!(reader.read(&[1, 2, 3]).data, Bytes::new());
        assert_eq!(reader.take_config(), Ok(None));
        reader.read(&stream(&[&[0x67, 1], PPS_UNIT]));
        assert!(reader.take_config().is_err());
    }

    proptest! {
        #[test]
        fn units_come_back_as_they_went_in(
            units in prop::collection::vec(prop::collection::vec(2_u8..=255, 1..50), 1..8)
        ) {
            let units: Vec<Vec<u8>> = units.into_iter().map(|unit| [vec![0x41], unit].concat()).collect();
            let borrowed: Vec<&[u8]> = units.iter().map(Vec::as_slice).collect();
            let read = Reader::default().read(&stream(&borrowed));
            let mut expected = vec![];
            for unit in &units {
                expected.extend(u32::try_from(unit.len()).unwrap().to_be_bytes());
                expected.extend(unit);
            }
            prop_assert_eq!(read.data.as_ref(), expected);
        }

        #[test]
        fn any_bytes_are_answered(chunks in prop::collection::vec(prop::collection::vec(0_u8..12, 0..60), 0..6)) {
            let mut reader = Reader::default();
            for chunk in chunks {
                let unit = reader.read(&chunk);
                prop_assert!(unit.data.len() <= chunk.len() * 2 + 4);
                let _ = reader.take_config();
            }
        }
    }
}
