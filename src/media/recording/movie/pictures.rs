//! A film's pictures: decoded in one rising order, shown one feed behind the other.

use crate::media::codec::VideoConfig;
use crate::media::codec::h264::sets::{self, Sets};
use crate::media::fmp4::Sample;
use crate::media::fmp4::read::Piece;
use bytes::{Bytes, BytesMut};

/// How the pictures of one configuration are written.
pub(super) struct Look {
    /// Counted from 1, in the head.
    description: u32,
    /// Bytes of length before each NAL unit.
    prefix: usize,
    /// What keyframes bring along; none where the film has one configuration.
    sets: Option<Sets>,
}

impl Look {
    /// The configuration that stands in the film's head after `before` others.
    pub(super) fn new(video: &VideoConfig, before: usize, several: bool) -> Self {
        Self {
            description: u32::try_from(before).unwrap_or(0).saturating_add(1),
            prefix: usize::from(video.avcc.get(4).copied().unwrap_or(3) & 3) + 1,
            sets: several.then(|| Sets::read(&widened(video).avcc)),
        }
    }

    pub(super) fn description(&self) -> u32 {
        self.description
    }

    fn put(&self, sample: &Sample) -> Bytes {
        let data = sets::widened(&sample.data, self.prefix);
        match &self.sets {
            Some(sets) if sample.keyframe => {
                let mut whole = Vec::with_capacity(data.len() + 256);
                let body = sets.put(&mut whole, &data);
                whole.extend_from_slice(&body);
                whole.into()
            }
            Some(_) | None => data,
        }
    }
}

/// The configuration with four bytes of length before each NAL unit, as every film has them.
pub(super) fn widened(video: &VideoConfig) -> VideoConfig {
    let mut avcc = BytesMut::from(video.avcc.as_ref());
    if let Some(prefix) = avcc.get_mut(4) {
        *prefix |= 3;
    }
    VideoConfig { avcc: avcc.freeze(), ..video.clone() }
}

/// Where a feed is placed in the film, in ticks: what its clock says of its first picture, and what the film's does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Join {
    /// When the first picture is shown, on the program's clock.
    pub from: i64,
    /// When it is, on the film's.
    pub to: i64,
}

/// The pictures' clocks.
pub(super) struct Pictures {
    /// Between decoding and showing.
    delay: i64,
    /// Of the feed that is on, and where its first picture is decoded on the program's clock.
    on: Option<(Join, i64)>,
    /// Until when the pictures so far are shown, without the delay.
    end: i64,
    /// Before this no picture is decoded.
    next: i64,
}

impl Pictures {
    pub(super) fn new(delay: i64) -> Self {
        Self { delay, on: None, end: 0, next: 0 }
    }

    /// The feed that is on has ended; the next begins with its next keyframe.
    pub(super) fn leave(&mut self) {
        self.on = None;
    }

    /// Where the feed that is on was placed.
    pub(super) fn join(&self) -> Option<Join> {
        self.on.map(|(join, _)| join)
    }

    /// Until when pictures are shown, on the film's clock.
    pub(super) fn end(&self) -> i64 {
        self.end + self.delay
    }

    /// Places the feed's next pictures: when the first is decoded, and all.
    pub(super) fn take<'a>(&mut self, pieces: impl Iterator<Item = &'a Piece>, look: &Look) -> (u64, Vec<Sample>) {
        let mut placed: Vec<(i64, Sample)> = Vec::new();
        for piece in pieces {
            let mut decoded = i64::try_from(piece.decode_time).unwrap_or(0);
            for sample in &piece.samples {
                let at = decoded;
                decoded += i64::from(sample.duration);
                let shown = at + i64::from(sample.offset);
                let (join, first) = match self.on {
                    Some(on) => on,
                    // Nothing can be decoded before.
                    None if !sample.keyframe => continue,
                    None => *self.on.insert((Join { from: shown, to: self.end + self.delay }, at)),
                };
                let shown_at = join.to + shown - join.from;
                let decoded_at = (join.to - self.delay + at - first).max(self.next);
                self.next = decoded_at + 1;
                self.end = self.end.max(shown_at - self.delay + i64::from(sample.duration));
                let offset = i32::try_from(shown_at - decoded_at).unwrap_or(0);
                placed.push((decoded_at, Sample { offset, data: look.put(sample), ..*sample }));
            }
        }
        let start = placed.first().map_or(0, |(at, _)| *at);
        let after: Vec<i64> = placed.iter().skip(1).map(|(at, _)| *at).collect();
        for ((at, sample), next) in placed.iter_mut().zip(after) {
            sample.duration = u32::try_from(next - *at).unwrap_or(1);
        }
        (u64::try_from(start).unwrap_or(0), placed.into_iter().map(|(_, sample)| sample).collect())
    }
}
