//! Parameter sets in the pictures themselves (ISO 14496-15, 5.3.3.1).
//!
//! A receiver hears of another configuration by a message or a sample entry of its own, and some look at it only once: their
//! parsers read the pictures after a cut by the parameter sets of before. So each keyframe brings its own along.

use bytes::Bytes;

/// An access unit delimiter stands before everything else (H.264, 7.4.1.2.3).
const DELIMITER: u8 = 9;

/// The parameter sets of an AVCDecoderConfigurationRecord as length-prefixed NAL units, with how long the prefixes are.
#[derive(Clone, Debug, Default)]
pub struct Sets {
    prefix: usize,
    bytes: Vec<u8>,
}

impl Sets {
    /// None of them where the record can't be read.
    pub fn read(avcc: &[u8]) -> Self {
        Self::try_read(avcc).unwrap_or_default()
    }

    fn try_read(avcc: &[u8]) -> Option<Self> {
        let prefix = usize::from(avcc.get(4)? & 3) + 1;
        let (mut rest, mut bytes) = (avcc.get(5..)?, Vec::new());
        for mask in [0x1f, 0xff] {
            let (count, mut after) = rest.split_first()?;
            for _ in 0..count & mask {
                let (length, data) = after.split_first_chunk::<2>()?;
                let (set, next) = data.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
                let length = u32::try_from(set.len()).ok()?.to_be_bytes();
                bytes.extend_from_slice(length.get(4_usize.checked_sub(prefix)?..)?);
                bytes.extend_from_slice(set);
                after = next;
            }
            rest = after;
        }
        Some(Self { prefix, bytes })
    }

    /// Parts a keyframe where its parameter sets belong, and writes what stands before the second part to `head`.
    pub fn put(&self, head: &mut Vec<u8>, picture: &Bytes) -> Bytes {
        let delimiter = if self.bytes.is_empty() { 0 } else { self.delimiter(picture).unwrap_or(0) };
        head.extend_from_slice(picture.get(..delimiter).unwrap_or_default());
        head.extend_from_slice(&self.bytes);
        picture.slice(delimiter..)
    }

    /// How long the delimiter at the picture's beginning is; nothing if there is none.
    fn delimiter(&self, picture: &[u8]) -> Option<usize> {
        let length =
            picture.get(..self.prefix)?.iter().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte));
        let end = self.prefix.checked_add(length)?;
        (picture.get(self.prefix)? & 0x1f == DELIMITER && end <= picture.len()).then_some(end)
    }
}

/// A picture whose NAL units had a length of `prefix` bytes before them, with four bytes each; as it is where its
/// lengths make no sense.
pub fn widened(picture: &Bytes, prefix: usize) -> Bytes {
    try_widened(picture, prefix).unwrap_or_else(|| picture.clone())
}

fn try_widened(picture: &Bytes, prefix: usize) -> Option<Bytes> {
    if !(1..4).contains(&prefix) {
        return None;
    }
    let (mut rest, mut wide) = (picture.as_ref(), Vec::with_capacity(picture.len() + 64));
    while !rest.is_empty() {
        let (length, data) = rest.split_at_checked(prefix)?;
        let length = length.iter().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte));
        let (unit, after) = data.split_at_checked(length)?;
        wide.extend_from_slice(&u32::try_from(length).ok()?.to_be_bytes());
        wide.extend_from_slice(unit);
        rest = after;
    }
    Some(wide.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RECORD: &[u8] = b"\x01\x64\x00\x1f\xff\xe1\x00\x03SPS\x02\x00\x02P1\x00\x02P2";

    #[test]
    fn parameter_sets_stand_first_but_for_a_delimiter() {
        let check = |picture: &'static [u8], whole: &[u8]| {
            let mut head = vec![];
            let body = Sets::read(RECORD).put(&mut head, &Bytes::from_static(picture));
            assert_eq!([&head[..], &body].concat(), whole);
        };
        let sets = b"\0\0\0\x03SPS\0\0\0\x02P1\0\0\0\x02P2";
        check(b"\0\0\0\x01\x65", &[&sets[..], b"\0\0\0\x01\x65"].concat());
        check(b"\0\0\0\x02\x09\xf0\0\0\0\x01\x65", &[b"\0\0\0\x02\x09\xf0", &sets[..], b"\0\0\0\x01\x65"].concat());
        check(b"\0\0\0\x09\x09", &[&sets[..], b"\0\0\0\x09\x09"].concat());
    }

    #[test]
    fn lengths_of_any_width_become_four_bytes() {
        let check = |picture: &'static [u8], prefix: usize, wide: &[u8]| {
            assert_eq!(widened(&Bytes::from_static(picture), prefix).as_ref(), wide);
        };
        check(b"\x01\x65\x02\x41\x9a", 1, b"\0\0\0\x01\x65\0\0\0\x02\x41\x9a");
        check(b"\0\x01\x65", 2, b"\0\0\0\x01\x65");
        check(b"\0\0\0\x01\x65", 4, b"\0\0\0\x01\x65");
        check(b"\0\x09\x65", 2, b"\0\x09\x65");
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(
            record in prop::collection::vec(any::<u8>(), 0..40),
            picture in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let mut head = vec![];
            let body = Sets::read(&record).put(&mut head, &picture.clone().into());
            prop_assert!(head.len() + body.len() >= picture.len());
            for prefix in 0..5 {
                prop_assert!(widened(&picture.clone().into(), prefix).len() >= picture.len());
            }
        }
    }
}
