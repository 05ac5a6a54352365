//! Fragments read back into samples: the form that [`super::fragment`] writes, and no other.

use super::{FLAGS_SYNC, RUN_FLAGS, Sample};
use bytes::Bytes;

/// The samples of one track in one fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// [`super::VIDEO_TRACK`] or [`super::AUDIO_TRACK`].
    pub track: u32,
    /// Of the first sample, in the track's ticks.
    pub decode_time: u64,
    /// In decoding order.
    pub samples: Vec<Sample>,
}

/// What fragments hold, in their order; what is not of our form is left out.
pub fn pieces(fragments: &Bytes) -> Vec<Piece> {
    let mut found = Vec::new();
    for (start, name, body) in boxes(fragments) {
        if name == *b"moof" {
            let from = fragments.slice(start..);
            found
                .extend(boxes(body).filter(|(_, name, _)| name == b"traf").filter_map(|(.., traf)| piece(traf, &from)));
        }
    }
    found
}

fn piece(traf: &[u8], from: &Bytes) -> Option<Piece> {
    let (track, decode_time, run) = parts(traf)?;
    let mut at = usize::try_from(number(run, 8)?).ok()?;
    let mut samples = Vec::new();
    for entry in run.get(12..)?.chunks_exact(16) {
        let end = at.checked_add(usize::try_from(number(entry, 4)?).ok()?)?;
        samples.push(Sample {
            duration: number(entry, 0)?,
            offset: i32::from_be_bytes(*entry.get(12..)?.first_chunk()?),
            keyframe: number(entry, 8)? == FLAGS_SYNC,
            data: (end <= from.len()).then(|| from.slice(at..end))?,
        });
        at = end;
    }
    (number(run, 4)? == u32::try_from(samples.len()).ok()?).then_some(Piece { track, decode_time, samples })
}

/// A track's id, its decode time and the body of its run.
fn parts(traf: &[u8]) -> Option<(u32, u64, &[u8])> {
    let body = |wanted: &[u8; 4]| boxes(traf).find(|(_, name, _)| name == wanted).map(|(.., body)| body);
    let (tfhd, tfdt, trun) = (body(b"tfhd")?, body(b"tfdt")?, body(b"trun")?);
    let time = u64::from_be_bytes(*tfdt.get(4..)?.first_chunk()?);
    let ours = number(tfdt, 0)? == 1 << 24 && number(trun, 0)? == (1 << 24) | RUN_FLAGS;
    ours.then_some((number(tfhd, 4)?, time, trun))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Where each whole box begins, its name and its body.
fn boxes(bytes: &[u8]) -> impl Iterator<Item = (usize, [u8; 4], &[u8])> {
    let mut at = 0_usize;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..)?;
        let size = usize::try_from(number(rest, 0)?).ok()?;
        let found = (at, *rest.get(4..)?.first_chunk()?, rest.get(8..size)?);
        at = at.checked_add(size)?;
        Some(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::fmp4::{self, AUDIO_TRACK, Run, VIDEO_TRACK};
    use proptest::prelude::*;

    fn sample(text: &'static [u8], keyframe: bool) -> Sample {
        Sample { duration: 3_000, offset: -7, keyframe, data: Bytes::from_static(text) }
    }

    fn two() -> Vec<u8> {
        let pictures = [sample(b"one", true), sample(b"two", false)];
        let sounds = [sample(b"so", true), sample(b"und", true)];
        let runs = [
            Run { track: VIDEO_TRACK, decode_time: 1 << 40, samples: &pictures },
            Run { track: AUDIO_TRACK, decode_time: 48_000, samples: &sounds },
        ];
        [fmp4::fragment(7, &runs), fmp4::described(8, &runs[..1], 3)].concat()
    }

    #[test]
    fn what_was_written_is_read() {
        let read = pieces(&two().into());
        let told: Vec<_> = read.iter().map(|piece| (piece.track, piece.decode_time, piece.samples.len())).collect();
        assert_eq!(told, [(VIDEO_TRACK, 1 << 40, 2), (AUDIO_TRACK, 48_000, 2), (VIDEO_TRACK, 1 << 40, 2)]);
        assert_eq!(read[0].samples, [sample(b"one", true), sample(b"two", false)]);
        assert_eq!(read[1].samples[1], sample(b"und", true));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(cut in 0_usize..600, changes in prop::collection::vec((0_usize..600, any::<u8>()), 0..8)) {
            let mut bytes = two();
            for (at, byte) in changes {
                if let Some(there) = bytes.get_mut(at) {
                    *there = byte;
                }
            }
            bytes.truncate(cut);
            pieces(&bytes.into());
        }
    }
}
