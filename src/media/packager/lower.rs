//! A lower quality's pictures beside the best one's.

use super::super::fmp4::Sample;
use super::Picture;

/// A lower quality's pictures. Where they are cut is decided by the best one's: what begins before a fragment's end is in it.
#[derive(Debug)]
pub(super) struct LowerTrack {
    held: Option<Picture>,
    /// Where the first of the samples is decoded.
    at: i64,
    samples: Vec<Sample>,
}

impl LowerTrack {
    /// One whose first picture is decoded at `at`.
    pub(super) fn new(at: i64) -> Self {
        Self { held: None, at, samples: Vec::new() }
    }

    pub(super) fn see(&mut self, next: Picture) {
        let length = self.held.as_ref().map_or(0, |held| next.dts - held.dts);
        self.keep_held(u32::try_from(length).unwrap_or(1));
        self.held = Some(next);
    }

    /// Now that it is known how long the held picture lasts, in ticks.
    pub(super) fn keep_held(&mut self, duration: u32) {
        let Some(picture) = self.held.take() else { return };
        if self.samples.is_empty() {
            self.at = picture.dts;
        }
        self.samples.push(picture.lasting(duration));
    }

    /// What is in the fragment that ends now, and where its first picture is decoded.
    pub(super) fn take(&mut self) -> (i64, Vec<Sample>) {
        (self.at, std::mem::take(&mut self.samples))
    }
}
