//! What captioners send: taken once each, kept beside the program's recording, and told to everybody who watches.
//!
//! A caption reaches a page that is open as a message of its own on the live line, within a moment of its coming. Players
//! that are no page of ours, the picture on a phone's whole screen, rewinding and the replay have it as WebVTT, segment by
//! segment. The file beside the recording only grows; a line torn by a crash is cut off when it is opened.

mod file;
mod language;
mod track;

use super::{ProgramId, Recordings};
use crate::media::vtt::{self, Cue, Said, Span};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;
use track::Track;

pub use language::Language;
pub use track::{Line, Post, Refused, Taken};

/// Whose eyes captions are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eyes {
    /// Everybody's: without those of the practice before the doors opened.
    Audience,
    /// Staff's: with them.
    Staff,
}

/// Captions of every program: a handle, cheap to clone.
#[derive(Clone, Debug)]
pub struct Captions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    recordings: Option<Recordings>,
    /// A program's stay from when they are first asked for: as the recordings' lists do.
    tracks: Mutex<HashMap<ProgramId, Arc<Track>>>,
}

impl Captions {
    pub(super) fn new(recordings: Option<Recordings>) -> Self {
        Self(Arc::new(Inner { recordings, tracks: Mutex::default() }))
    }

    /// A program's; reads their file from disk the first time.
    fn track(&self, program: ProgramId) -> Arc<Track> {
        let mut tracks = self.0.tracks.lock();
        let open = || {
            let recordings = self.0.recordings.clone();
            Arc::new(Track::open(recordings.map(|recordings| file::File::of(recordings, program))))
        };
        tracks.entry(program).or_insert_with(open).clone()
    }

    /// Takes a caption that a captioner sent, at `now_ms` since 1970 UTC. Writes to disk.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn take(&self, program: ProgramId, post: Post, now_ms: i64) -> Result<Taken, Refused> {
        self.track(program).take(post, now_ms)
    }

    /// The number of the last one taken by this address, in any language; 0 before the first.
    pub fn last_seq(&self, program: ProgramId, generation: u32) -> u64 {
        self.track(program).last_seq(generation)
    }

    /// The newest caption, in whatever language.
    pub fn newest(&self, program: ProgramId) -> Option<Line> {
        self.track(program).newest()
    }

    /// The number at which a captioner's program counts below what was taken, if it does: nothing it sends is shown.
    pub fn counts_again(&self, program: ProgramId) -> Option<u64> {
        self.track(program).counts_again()
    }

    /// The languages in which there is something, as they came up.
    pub fn languages(&self, program: ProgramId, eyes: Eyes) -> Vec<Language> {
        self.track(program).languages(eyes)
    }

    /// Everything that was said in a language and shown to everybody, oldest first.
    pub fn said(&self, program: ProgramId, language: &Language) -> Vec<Line> {
        self.track(program).lines(language, Eyes::Audience, i64::MIN, i64::MAX)
    }

    /// The WebVTT file of one segment in one language.
    pub fn segment(&self, program: ProgramId, language: &Language, eyes: Eyes, span: &Span) -> String {
        let from_ms = span.date_ms.saturating_sub(vtt::LOOK_BACK_MS);
        vtt::segment(span, &cues(&self.track(program).lines(language, eyes, from_ms, span.until_ms())))
    }

    /// The newest captions as the live line tells them, from now on.
    pub fn watch(&self, program: ProgramId, eyes: Eyes) -> watch::Receiver<Bytes> {
        self.track(program).watch(eyes)
    }

    /// Forgets what was said in a program whose recording is to be deleted.
    pub(super) fn forget(&self, program: ProgramId) {
        self.0.tracks.lock().remove(&program);
    }
}

/// What stands on the picture when.
pub fn cues(lines: &[Line]) -> Vec<Cue> {
    vtt::cues(lines.iter().map(|line| Said { at_ms: line.at_ms, text: &line.text }))
}

/// A WebVTT file of cues whose times count from the start of what they belong to, in ms.
pub fn webvtt_of(cues: &[Cue]) -> String {
    vtt::whole(cues)
}

#[cfg(test)]
mod tests;
