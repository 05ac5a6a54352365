//! Sample tables (ISO 14496-12, 8.6 and 8.7): runs that unfold into one entry a sample.

use super::boxes::{find, u32_at, u64_at};
use super::{Mp4Error, SAMPLE_BYTES_MAX, SAMPLES_MAX, Sample};
use crate::media::Frame;

/// A clock finer than this counts nothing that sounds or moves.
const TIMESCALE_MAX: u32 = 10_000_000;

fn broken(what: &'static str) -> Mp4Error {
    Mp4Error::Broken { what }
}

/// Ticks a second by an `mvhd` or `mdhd`.
pub(super) fn timescale(body: &[u8]) -> Option<u32> {
    let at = if body.first()? == &1 { 20 } else { 12 };
    u32_at(body, at).filter(|scale| (1..=TIMESCALE_MAX).contains(scale))
}

/// One track's tables, still folded.
pub(super) struct Table<'a> {
    scale: u32,
    /// What is added to times, in the track's ticks, so that the clip's first instant is 0.
    shift: i64,
    stts: &'a [u8],
    ctts: Option<&'a [u8]>,
    stss: Option<&'a [u8]>,
    stsc: &'a [u8],
    chunks: Chunks<'a>,
    /// Of every sample, or 0 if each has its own in `sizes`.
    size: u32,
    count: u32,
    sizes: &'a [u8],
}

enum Chunks<'a> {
    Short(&'a [u8]),
    Long(&'a [u8]),
}

/// A table's rows after its version and count, and how many there really are.
fn rows(body: &[u8], row: usize) -> &[u8] {
    let count = usize::try_from(u32_at(body, 4).unwrap_or(0)).unwrap_or(0);
    let rows = body.get(8..).unwrap_or_default();
    rows.get(..count.saturating_mul(row)).unwrap_or(rows)
}

impl<'a> Table<'a> {
    pub(super) fn read(trak: &[u8], mdia: &[u8], stbl: &'a [u8], movie_scale: u32) -> Result<Self, Mp4Error> {
        let scale = find(mdia, b"mdhd").and_then(timescale).ok_or(broken("a track without a clock"))?;
        let table = |name: &[u8; 4], what| find(stbl, name).ok_or(broken(what));
        let stsz = table(b"stsz", "no sizes")?;
        let (size, count) = u32_at(stsz, 4).zip(u32_at(stsz, 8)).ok_or(broken("sizes"))?;
        let sizes = stsz.get(12..).unwrap_or_default();
        let there = u32::try_from(sizes.len() / 4).unwrap_or(u32::MAX);
        if count == 0 || count > SAMPLES_MAX || size == 0 && count > there {
            return Err(broken("sizes"));
        }
        let chunks = match find(stbl, b"stco") {
            Some(stco) => Chunks::Short(rows(stco, 4)),
            None => Chunks::Long(rows(table(b"co64", "no places")?, 8)),
        };
        Ok(Self {
            scale,
            shift: edits(trak, scale, movie_scale),
            stts: rows(table(b"stts", "no times")?, 8),
            ctts: find(stbl, b"ctts").map(|ctts| rows(ctts, 8)),
            stss: find(stbl, b"stss").map(|stss| rows(stss, 4)),
            stsc: rows(table(b"stsc", "no chunks")?, 12),
            chunks,
            size,
            count,
            sizes,
        })
    }

    /// Every sample; all lie within `file_bytes`.
    pub(super) fn samples(&self, file_bytes: u64) -> Result<Vec<Sample>, Mp4Error> {
        let mut samples = self.places(file_bytes)?;
        let mut at = 0_u64;
        let mut times = runs(self.stts);
        let mut shifts = runs(self.ctts.unwrap_or_default());
        for sample in &mut samples {
            // Version 0 of `ctts` has no signs, but nothing is shown 2^31 ticks late: both are read as signed.
            let shown = shifts.next().map_or(0, |shift| i64::from(i32::from_be_bytes(shift.to_be_bytes())));
            sample.dts = self.ticks(at, 0)?;
            sample.pts = self.ticks(at, shown)?;
            sample.keyframe = self.stss.is_none();
            at = at.saturating_add(u64::from(times.next().ok_or(broken("times"))?));
        }
        for number in self.stss.unwrap_or_default().chunks_exact(4) {
            let index = u32_at(number, 0).and_then(|number| usize::try_from(number.checked_sub(1)?).ok());
            if let Some(sample) = index.and_then(|index| samples.get_mut(index)) {
                sample.keyframe = true;
            }
        }
        Ok(samples)
    }

    /// Where each sample is.
    fn places(&self, file_bytes: u64) -> Result<Vec<Sample>, Mp4Error> {
        let count = usize::try_from(self.count).map_err(|_| broken("sizes"))?;
        let mut samples: Vec<Sample> = Vec::with_capacity(count);
        let mut runs = self.stsc.chunks_exact(12).map(|row| (u32_at(row, 0), u32_at(row, 4))).peekable();
        let mut in_chunk = 0;
        for chunk in 0_u32.. {
            if samples.len() >= count {
                break;
            }
            while let Some((_, per_chunk)) = runs.next_if(|(first, _)| first.is_some_and(|first| first <= chunk + 1)) {
                in_chunk = per_chunk.unwrap_or(0);
            }
            let mut offset = self.chunk(chunk).ok_or(broken("places"))?;
            if in_chunk == 0 {
                return Err(broken("chunks"));
            }
            for _ in 0..in_chunk {
                if samples.len() >= count {
                    break;
                }
                let size = if self.size == 0 { u32_at(self.sizes, samples.len() * 4).unwrap_or(0) } else { self.size };
                let end = offset.checked_add(u64::from(size)).ok_or(broken("places"))?;
                if size > SAMPLE_BYTES_MAX {
                    return Err(broken("a picture of more than 16 MiB"));
                }
                if end > file_bytes {
                    return Err(Mp4Error::Short);
                }
                samples.push(Sample { offset, size, dts: 0, pts: 0, keyframe: false });
                offset = end;
            }
        }
        Ok(samples)
    }

    fn chunk(&self, index: u32) -> Option<u64> {
        let index = usize::try_from(index).ok()?;
        match self.chunks {
            Chunks::Short(rows) => u32_at(rows, index.checked_mul(4)?).map(u64::from),
            Chunks::Long(rows) => u64_at(rows, index.checked_mul(8)?),
        }
    }

    fn ticks(&self, at: u64, shown: i64) -> Result<i64, Mp4Error> {
        let own = i128::from(at) + i128::from(shown) + i128::from(self.shift);
        let ticks = (own * i128::from(Frame::TIMESCALE)).div_euclid(i128::from(self.scale));
        // A year; sums of such times stay numbers.
        let sane = i64::try_from(ticks).ok().filter(|ticks| ticks.abs() < 90_000 * 86_400 * 366);
        sane.ok_or(broken("times"))
    }
}

/// Unfolds rows of a count and a value; it ends with the rows.
fn runs(rows: &[u8]) -> impl Iterator<Item = u32> {
    rows.chunks_exact(8).flat_map(|row| {
        let (count, value) = u32_at(row, 0).zip(u32_at(row, 4)).unwrap_or((0, 0));
        (0..count).map(move |_| value)
    })
}

/// What an edit list adds to a track's times, in its ticks: exporters write one edit, which starts after what the decoder
/// needs to get going, and perhaps a wait before it (8.6.6).
fn edits(trak: &[u8], scale: u32, movie_scale: u32) -> i64 {
    let Some(elst) = find(trak, b"edts").and_then(|edts| find(edts, b"elst")) else { return 0 };
    let long = elst.first() == Some(&1);
    let mut shift = 0_i64;
    for row in rows(elst, if long { 20 } else { 12 }).chunks_exact(if long { 20 } else { 12 }) {
        let fields = if long {
            u64_at(row, 0).zip(u64_at(row, 8).map(|time| i64::from_be_bytes(time.to_be_bytes())))
        } else {
            u32_at(row, 0)
                .map(u64::from)
                .zip(u32_at(row, 4).map(|time| i64::from(i32::from_be_bytes(time.to_be_bytes()))))
        };
        let Some((length, media_time)) = fields else { return shift };
        if media_time >= 0 {
            return shift.saturating_sub(media_time);
        }
        let wait = u128::from(length) * u128::from(scale) / u128::from(movie_scale.max(1));
        shift = shift.saturating_add(i64::try_from(wait).unwrap_or(i64::MAX));
    }
    shift
}
