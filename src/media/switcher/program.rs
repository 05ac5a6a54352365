//! One program: who is wanted, who is on, and when the slate is.

use super::super::recording::Finished;
use super::super::slate::Words;
use super::super::{Frame, ProgramId, SourceId, Track};
use super::Live;
use super::output::Output;
use std::sync::Arc;
use tokio::sync::{Notify, watch};

/// A source on program that shows nothing new for so long makes room for the slate. Encoders need two seconds or more to
/// reconnect; players have about as much to play on with.
const GRACE_MS: i64 = 2_000;

#[derive(Debug)]
pub(super) struct Program {
    pub(super) wanted: Option<SourceId>,
    /// Whose pictures the gate was told the program has.
    pub(super) told: Option<SourceId>,
    pub(super) output: Output,
    pub(super) ended: bool,
    /// From this instant on the slate may come on, in ms since 1970 UTC.
    pub(super) slate_from_ms: i64,
    /// As above, whoever is on: somebody was cut to who is not there.
    pub(super) absent_from_ms: Option<i64>,
    /// The words' end of the slate that stands by.
    pub(super) words: Option<watch::Sender<Words>>,
    pub(super) called: Arc<Notify>,
}

/// What a slate stands by with.
#[derive(Debug)]
pub(in crate::media) struct Standby {
    /// For whom.
    pub program: ProgramId,
    /// As which source.
    pub source: SourceId,
    /// Told when the slate may be needed at once.
    pub called: Arc<Notify>,
}

/// A program's slate is the source with the program's own id, which is no speaker's.
pub(super) fn slate_of(program: ProgramId) -> SourceId {
    SourceId(program.0)
}

impl Program {
    pub(super) fn new(now_ms: i64) -> Self {
        Self {
            wanted: None,
            told: None,
            output: Output::new(now_ms),
            ended: false,
            slate_from_ms: now_ms,
            absent_from_ms: None,
            words: None,
            called: Arc::default(),
        }
    }

    /// Whose picture is packaged, the slate's too.
    pub(super) fn playing(&self) -> Option<SourceId> {
        self.output.playing.map(|(source, _)| source)
    }

    /// Whose picture is on; nobody's while the slate stands.
    pub(super) fn on(&self, id: ProgramId) -> Option<SourceId> {
        self.playing().filter(|source| *source != slate_of(id))
    }

    /// Takes whoever is on off, for the slate.
    pub(super) fn leave_for_slate(&mut self, id: ProgramId, now_ms: i64) -> Vec<Finished> {
        self.slate_from_ms = now_ms;
        self.called.notify_one();
        if self.playing() == Some(slate_of(id)) { Vec::new() } else { self.output.leave() }
    }

    pub(super) fn slate_is_due(&self, now_ms: i64) -> bool {
        now_ms >= self.slate_from_ms || self.absent_from_ms.is_some_and(|from_ms| now_ms >= from_ms)
    }

    /// Takes a source's frame if it is the one on program, or wanted there; the slate is wanted when nobody else shows
    /// anything.
    pub(super) fn take(
        &mut self,
        id: ProgramId,
        live: &Live,
        source: SourceId,
        frame: &Frame,
        now_ms: i64,
    ) -> Vec<Finished> {
        let here = (source, live.generation);
        let is_slate = source == slate_of(id);
        let wanted = self.wanted == Some(source);
        let due = wanted || is_slate && self.slate_is_due(now_ms);
        let finished = self.output.take(here, due, live, frame, now_ms);
        if !is_slate && frame.track == Track::Video && self.output.playing == Some(here) {
            self.slate_from_ms = now_ms.saturating_add(GRACE_MS);
            if wanted {
                self.absent_from_ms = None;
            }
        }
        finished
    }
}
