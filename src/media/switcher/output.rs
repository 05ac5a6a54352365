//! What takes one source's frames at a time: packaged for viewers, and passed on to taps.

use super::super::origin::Origin;
use super::super::packager::{Cut, Packager};
use super::super::recording::Finished;
use super::super::restream::Taps;
use super::super::{Frame, SourceId, Track};
use super::Live;
use std::sync::Arc;

/// A sound that begins so little before a picture is still heard with it: one frame at 44.1 kHz.
const SOUND_TICKS: i64 = 2_090;

/// Where frames are packaged and kept.
#[derive(Debug)]
pub(super) struct Output {
    /// Whose frames with which configuration are taken.
    pub(super) playing: Option<(SourceId, u64)>,
    pub(super) packager: Packager,
    pub(super) origin: Arc<Origin>,
    pub(super) taps: Taps,
}

impl Output {
    pub(super) fn new(now_ms: i64) -> Self {
        let origin = Arc::new(Origin::new(now_ms));
        Self { playing: None, packager: Packager::default(), origin, taps: Taps::default() }
    }

    /// Takes a frame of what is playing, or of what is wanted if playing can begin with it.
    pub(super) fn take(
        &mut self,
        here: (SourceId, u64),
        wanted: bool,
        live: &Live,
        frame: &Frame,
        now_ms: i64,
    ) -> Vec<Finished> {
        let Some((video, audio)) = &live.configs else { return Vec::new() };
        let (mut cuts, mut finished) = (Vec::new(), Vec::new());
        if self.playing == Some(here) {
            self.taps.push(frame);
            self.origin.look_into(frame);
            self.packager.push(frame, now_ms, &mut cuts);
        } else if wanted && frame.track == Track::Video && frame.keyframe {
            finished = self.leave();
            self.packager.join(video, &live.lower, audio.as_ref(), frame, now_ms, &mut cuts);
            self.playing = Some(here);
            self.taps.join(video, audio.as_ref());
            self.taps.push(frame);
            for sound in live.ring.iter().filter(|sound| sound.pts > frame.pts - SOUND_TICKS) {
                self.taps.push(sound);
                self.packager.push(sound, now_ms, &mut cuts);
            }
        }
        finished.extend(self.push(cuts));
        finished
    }

    /// Takes what is playing off; what was begun ends here.
    pub(super) fn leave(&mut self) -> Vec<Finished> {
        let mut cuts = Vec::new();
        self.packager.leave(&mut cuts);
        let finished = self.push(cuts);
        self.playing = None;
        finished
    }

    fn push(&mut self, cuts: Vec<Cut>) -> Vec<Finished> {
        let source = self.playing.map(|(source, _)| source);
        self.origin.push(cuts).into_iter().map(|finished| Finished { source, ..finished }).collect()
    }
}
