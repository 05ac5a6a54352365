//! Clips: recorded video that a rally plays as one of its sources.

use super::State;
use super::id::{RallyId, SourceId};
use super::rally::Phase;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Clips of one rally: more than are shown in an evening; the list is drawn whole.
pub const CLIPS_MAX: usize = 40;
/// Characters of a clip's title: one line of the list.
pub const TITLE_CHARS_MAX: usize = 80;

/// A clip, ready to be played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clip {
    /// As which source; its file has this name.
    pub source: SourceId,
    /// As the host calls it.
    pub title: String,
    /// How long it plays, in ms.
    pub duration_ms: u64,
    /// Of the file.
    pub bytes: u64,
    /// How often it was put on program: a new number is a new start.
    pub plays: u32,
    /// On program and not yet over.
    pub playing: bool,
}

/// What may be asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    /// Add a clip whose file is checked and on disk.
    Add { rally: RallyId, source: SourceId, title: String, duration_ms: u64, bytes: u64, hash: String },
    /// Take a clip out of the rally; its file goes too.
    Remove { rally: RallyId, source: SourceId },
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    Added(Added),
    Removed(Removed),
}

/// A clip was added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Added {
    /// Whose.
    pub rally: RallyId,
    /// As which source.
    pub source: SourceId,
    /// As the host calls it.
    pub title: String,
    /// How long it plays, in ms.
    pub duration_ms: u64,
    /// Of the file.
    pub bytes: u64,
    /// Of the file: `blake3:` and 64 hexadecimal digits.
    pub hash: String,
}

/// A clip was taken out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Removed {
    /// Whose.
    pub rally: RallyId,
    /// Which source it was.
    pub source: SourceId,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("there is no such rally")]
    UnknownRally,
    #[error("there is no such clip in this rally")]
    Unknown,
    #[error("this rally has ended: it plays no more clips")]
    Ended,
    #[error("a rally has at most {CLIPS_MAX} clips: remove one first")]
    TooMany,
    #[error("a clip needs a title of at most {TITLE_CHARS_MAX} characters")]
    TitleLength,
    #[error("this clip is on program: take it off first")]
    OnProgram,
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let event = match command {
        Command::Add { rally, source, title, duration_ms, bytes, hash } => {
            let current = state.rallies.get(rally).ok_or(Refusal::UnknownRally)?;
            if state.rallies.holder(source).is_some() {
                return Ok(vec![]);
            }
            if matches!(current.phase, Phase::Ended { .. }) {
                return Err(Refusal::Ended);
            }
            if current.clips.len() >= CLIPS_MAX {
                return Err(Refusal::TooMany);
            }
            if title.trim().is_empty() || title.chars().nth(TITLE_CHARS_MAX).is_some() {
                return Err(Refusal::TitleLength);
            }
            Event::Added(Added { rally, source, title, duration_ms, bytes, hash })
        }
        Command::Remove { rally, source } => {
            let current = state.rallies.get(rally).ok_or(Refusal::UnknownRally)?;
            current.clip(source).ok_or(Refusal::Unknown)?;
            if current.program == Some(source) {
                return Err(Refusal::OnProgram);
            }
            Event::Removed(Removed { rally, source })
        }
    };
    Ok(vec![super::Event::Clip(event)])
}

pub(super) fn evolve(state: &mut State, event: &Event) {
    match event {
        Event::Added(Added { rally, source, title, duration_ms, bytes, .. }) => {
            let clip = Clip {
                source: *source,
                title: title.clone(),
                duration_ms: *duration_ms,
                bytes: *bytes,
                plays: 0,
                playing: false,
            };
            state.rallies.add_clip(*rally, clip);
        }
        Event::Removed(Removed { rally, source }) => {
            state.rallies.remove_clip(*rally, *source);
            state.broadcast.forget(*source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::broadcast::{self, Command as Broadcast};
    use crate::domain::test_kit::*;

    fn add(title: &str) -> Command {
        let (title, hash) = (title.into(), "ab".repeat(32));
        Command::Add { rally: RALLY, source: SOURCE, title, duration_ms: 90_000, bytes: 1_000, hash }
    }

    fn added() -> Event {
        let (title, hash) = ("Our year".into(), "ab".repeat(32));
        Event::Added(Added { rally: RALLY, source: SOURCE, title, duration_ms: 90_000, bytes: 1_000, hash })
    }

    fn ready() -> Given {
        given([created()]).and([added()])
    }

    fn cut(source: Option<SourceId>) -> Broadcast {
        Broadcast::Cut { rally: RALLY, source }
    }

    fn ended() -> Broadcast {
        Broadcast::DisconnectSource { source: SOURCE, reason: "The clip has ended.".into() }
    }

    fn clip(given: &Given) -> Clip {
        given.state.rallies.get(RALLY).unwrap().clip(SOURCE).unwrap().clone()
    }

    #[test]
    fn a_clip_is_a_source_of_its_rally() {
        let with = given([created()]).when(add("Our year")).then([added()]);
        with.when(add("Our year")).changes_nothing();
        let rally = with.state.rallies.get(RALLY).unwrap();
        assert_eq!(rally.source_name(SOURCE), Some("Our year"));
        assert_eq!(with.state.rallies.holder(SOURCE), Some(RALLY));
    }

    #[test]
    fn each_rule_has_its_refusal() {
        let empty = || given([created()]);
        empty().when(add(" ")).refuses(Refusal::TitleLength);
        empty().when(add(&"x".repeat(TITLE_CHARS_MAX + 1))).refuses(Refusal::TitleLength);
        given_nothing().when(add("x")).refuses(Refusal::UnknownRally);
        empty().when(Command::Remove { rally: RALLY, source: SOURCE }).refuses(Refusal::Unknown);
        empty().when(Command::Remove { rally: NO_RALLY, source: SOURCE }).refuses(Refusal::UnknownRally);
        empty().and([opened(), super::super::test_kit::ended()]).when(add("x")).refuses(Refusal::Ended);
        let many = (0..CLIPS_MAX).map(|at| {
            let source = SourceId(uuid::Uuid::from_u128(0xf00 + u128::try_from(at).unwrap()));
            let (title, hash) = ("x".into(), String::new());
            Event::Added(Added { rally: RALLY, source, title, duration_ms: 1, bytes: 1, hash })
        });
        empty().and(many).when(add("x")).refuses(Refusal::TooMany);
    }

    #[test]
    fn a_cut_starts_it_and_after_its_end_another_starts_it_anew() {
        let on = ready().done([cut(Some(SOURCE))]);
        assert_eq!((clip(&on).plays, clip(&on).playing), (1, true));
        on.when(cut(Some(SOURCE))).changes_nothing();
        on.when(Command::Remove { rally: RALLY, source: SOURCE }).refuses(Refusal::OnProgram);
        let (protocol, video, audio) = ("clip".into(), "H.264 640x360".into(), "none".into());
        let connect = Broadcast::ConnectSource { source: SOURCE, protocol, video, audio };
        let over = on.done([connect, ended()]);
        assert_eq!((clip(&over).plays, clip(&over).playing), (1, false));
        let again = over.when(cut(Some(SOURCE)));
        let again = again.then([broadcast::Event::Cut(broadcast::Cut { rally: RALLY, source: Some(SOURCE) })]);
        assert_eq!((clip(&again).plays, clip(&again).playing), (2, true));
        let refused = again.clone().done([Broadcast::RefuseSource { source: SOURCE, reason: "damaged".into() }]);
        assert!(!clip(&refused).playing, "one that can't be played is over");
        let off = again.done([cut(None)]);
        assert!(!clip(&off).playing);
    }

    #[test]
    fn a_clip_that_is_removed_is_no_source_any_more() {
        let (before, remove) = (ready(), Command::Remove { rally: RALLY, source: SOURCE });
        let gone = before.when(remove).then([Event::Removed(Removed { rally: RALLY, source: SOURCE })]);
        assert_eq!(gone.state.rallies.get(RALLY).unwrap().source_name(SOURCE), None);
        gone.when(cut(Some(SOURCE))).refuses(broadcast::Refusal::UnknownSpeaker);
    }
}
