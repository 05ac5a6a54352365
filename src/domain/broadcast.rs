//! The broadcast: which feeds are connected, which were refused, and who is on program.

use super::State;
use super::hash::HashMap;
use super::id::{RallyId, SourceId};
use super::rally::Phase;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Characters of a reason or codec line that are kept: they come from an encoder, which may be a stranger's.
const TEXT_CHARS_MAX: usize = 300;

/// One feed's connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// "RTMP".
    pub protocol: String,
    /// "H.264 1280x720".
    pub video: String,
    /// "AAC 48 kHz stereo".
    pub audio: String,
}

/// The feeds that are connected now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Broadcast {
    connected: HashMap<SourceId, Connection>,
    notes: HashMap<SourceId, String>,
    on_program: HashMap<RallyId, SourceId>,
}

impl Broadcast {
    /// The feed's connection, if it is connected.
    pub fn connection(&self, source: SourceId) -> Option<&Connection> {
        self.connected.get(&source)
    }

    /// What the host wrote for this feed's speaker alone, or nothing.
    pub fn note(&self, source: SourceId) -> &str {
        self.notes.get(&source).map_or("", String::as_str)
    }

    /// Whose pictures the program really has: it follows a cut at the source's next keyframe.
    pub fn on_program(&self, rally: RallyId) -> Option<SourceId> {
        self.on_program.get(&rally).copied()
    }

    pub(super) fn forget(&mut self, source: SourceId) {
        self.connected.remove(&source);
        self.notes.remove(&source);
    }

    pub(super) fn all_disconnected(&mut self) {
        self.connected.clear();
        self.on_program.clear();
    }
}

/// What may be asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    /// A feed came up with codecs we carry.
    ConnectSource { source: SourceId, protocol: String, video: String, audio: String },
    /// A feed went away.
    DisconnectSource { source: SourceId, reason: String },
    /// A feed was turned away.
    RefuseSource { source: SourceId, reason: String },
    /// Somebody without a valid key was turned away.
    RefuseStranger { reason: String },
    /// Put a speaker on program, or nobody.
    Cut { rally: RallyId, source: Option<SourceId> },
    /// Write to a speaker what only they see; an empty text takes it away.
    Note { source: SourceId, text: String },
    /// The program's pictures are this source's from this one on, or nobody's.
    TakeProgram { rally: RallyId, source: Option<SourceId>, shown_at: DateTime<Utc> },
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    SourceConnected(SourceConnected),
    SourceDisconnected(SourceReason),
    SourceRefused(SourceReason),
    StrangerRefused(StrangerRefused),
    Cut(Cut),
    Noted(Noted),
    TookProgram(TookProgram),
}

/// A feed came up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceConnected {
    /// Whose.
    pub rally: RallyId,
    /// Which.
    pub source: SourceId,
    /// "RTMP".
    pub protocol: String,
    /// "H.264 1280x720".
    pub video: String,
    /// "AAC 48 kHz stereo".
    pub audio: String,
}

/// A feed went away or was turned away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceReason {
    /// Whose.
    pub rally: RallyId,
    /// Which.
    pub source: SourceId,
    /// In words for the host.
    pub reason: String,
}

/// Somebody without a valid key was turned away: every host may want to know, since it may be their speaker's typo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrangerRefused {
    /// In words for the hosts.
    pub reason: String,
}

/// The program changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cut {
    /// Whose program.
    pub rally: RallyId,
    /// Who is on; nobody if none.
    pub source: Option<SourceId>,
}

/// The host wrote to a speaker what only they see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noted {
    /// Whose rally.
    pub rally: RallyId,
    /// Which speaker's feed.
    pub source: SourceId,
    /// Plain text; empty if it was taken away.
    pub text: String,
}

/// A cut took effect: the program's pictures are another's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TookProgram {
    /// Whose program.
    pub rally: RallyId,
    /// Whose pictures; nobody's if none.
    pub source: Option<SourceId>,
    /// The program date-time of the first of them.
    pub shown_at: DateTime<Utc>,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("there is no such rally")]
    UnknownRally,
    #[error("this speaker is not in the rally's run")]
    UnknownSpeaker,
    #[error("this rally has ended: nobody can go on program")]
    Ended,
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let rally_of = |source: SourceId| state.rallies.holder(source).ok_or(Refusal::UnknownSpeaker);
    let event = match command {
        Command::ConnectSource { source, protocol, video, audio } => {
            let (video, audio) = (clip(&video), clip(&audio));
            Event::SourceConnected(SourceConnected { rally: rally_of(source)?, source, protocol, video, audio })
        }
        Command::DisconnectSource { source, reason } => {
            let rally = rally_of(source)?;
            if state.broadcast.connection(source).is_none() {
                return Ok(vec![]);
            }
            Event::SourceDisconnected(SourceReason { rally, source, reason: clip(&reason) })
        }
        Command::RefuseSource { source, reason } => {
            Event::SourceRefused(SourceReason { rally: rally_of(source)?, source, reason: clip(&reason) })
        }
        Command::RefuseStranger { reason } => Event::StrangerRefused(StrangerRefused { reason: clip(&reason) }),
        Command::Cut { rally, source } => {
            let current = state.rallies.get(rally).ok_or(Refusal::UnknownRally)?;
            if matches!(current.phase, Phase::Ended { .. }) {
                return Err(Refusal::Ended);
            }
            if let Some(source) = source
                && current.source_name(source).is_none()
            {
                return Err(Refusal::UnknownSpeaker);
            }
            if current.has_on(source) {
                return Ok(vec![]);
            }
            Event::Cut(Cut { rally, source })
        }
        Command::Note { source, text } => {
            let rally = rally_of(source)?;
            let text = clip(text.trim());
            if state.broadcast.note(source) == text {
                return Ok(vec![]);
            }
            Event::Noted(Noted { rally, source, text })
        }
        Command::TakeProgram { rally, source, shown_at } => {
            // After the end too: the last picture is then.
            let current = state.rallies.get(rally).ok_or(Refusal::UnknownRally)?;
            // What is no speaker's is the slate: nobody's.
            let source = source.filter(|source| current.source_name(*source).is_some());
            if state.broadcast.on_program(rally) == source {
                return Ok(vec![]);
            }
            Event::TookProgram(TookProgram { rally, source, shown_at })
        }
    };
    Ok(vec![super::Event::Broadcast(event)])
}

fn clip(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

pub(super) fn evolve(state: &mut State, event: &Event) {
    match event {
        Event::SourceConnected(SourceConnected { source, protocol, video, audio, .. }) => {
            let connection = Connection { protocol: protocol.clone(), video: video.clone(), audio: audio.clone() };
            state.broadcast.connected.insert(*source, connection);
        }
        Event::SourceDisconnected(SourceReason { rally, source, .. }) => {
            state.broadcast.connected.remove(source);
            if let Some(current) = state.rallies.get_mut(*rally) {
                current.gone(*source);
            }
        }
        Event::SourceRefused(SourceReason { rally, source, .. }) => {
            if let Some(current) = state.rallies.get_mut(*rally) {
                current.gone(*source);
            }
        }
        Event::StrangerRefused(_) => {}
        Event::Noted(Noted { source, text, .. }) => {
            if text.is_empty() {
                state.broadcast.notes.remove(source);
            } else {
                state.broadcast.notes.insert(*source, text.clone());
            }
        }
        Event::Cut(Cut { rally, source }) => {
            if let Some(current) = state.rallies.get_mut(*rally) {
                current.cut_to(*source);
            }
        }
        Event::TookProgram(TookProgram { rally, source, .. }) => {
            match source {
                Some(source) => state.broadcast.on_program.insert(*rally, *source),
                None => state.broadcast.on_program.remove(rally),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_kit::*;
    use crate::domain::{ledger, rally};

    fn ready() -> Given {
        let added = |rally, source| {
            rally::Event::SpeakerAdded(rally::SpeakerAdded { rally, source, name: "Zoë".into(), role: "".into() })
        };
        given([created()]).and([added(RALLY, SOURCE)])
    }

    fn connect(video: &str) -> Command {
        let (protocol, video, audio) = ("RTMP".into(), video.into(), "AAC 48 kHz stereo".into());
        Command::ConnectSource { source: SOURCE, protocol, video, audio }
    }

    fn connected(video: &str) -> Event {
        let (protocol, video, audio) = ("RTMP".into(), video.into(), "AAC 48 kHz stereo".into());
        Event::SourceConnected(SourceConnected { rally: RALLY, source: SOURCE, protocol, video, audio })
    }

    fn reason(reason: &str) -> SourceReason {
        SourceReason { rally: RALLY, source: SOURCE, reason: reason.into() }
    }

    fn disconnect(reason: &str) -> Command {
        Command::DisconnectSource { source: SOURCE, reason: reason.into() }
    }

    fn cut(source: Option<SourceId>) -> Command {
        Command::Cut { rally: RALLY, source }
    }

    fn cut_to(source: Option<SourceId>) -> Event {
        Event::Cut(Cut { rally: RALLY, source })
    }

    #[test]
    fn a_feed_comes_drops_and_returns() {
        ready().when(disconnect("gone")).changes_nothing();
        let up = ready().when(connect("H.264")).then([connected("H.264")]);
        assert_eq!(up.state.broadcast.connection(SOURCE).unwrap().video, "H.264");
        let down = up.when(disconnect("gone")).then([Event::SourceDisconnected(reason("gone"))]);
        down.when(disconnect("gone")).changes_nothing();
        down.when(connect("H.264 1280x720")).then([connected("H.264 1280x720")]);
    }

    #[test]
    fn a_dropped_feed_stays_on_program_for_its_return() {
        let live = ready().done([connect("H.264"), cut(Some(SOURCE)), disconnect("gone")]);
        assert_eq!(live.state.rallies.get(RALLY).unwrap().program, Some(SOURCE));
    }

    #[test]
    fn a_stranger_is_noted_without_a_rally_and_changes_nothing_else() {
        let before = ready();
        let (refuse, refused) = (
            Command::RefuseStranger { reason: "Wrong stream key.".into() },
            StrangerRefused { reason: "Wrong stream key.".into() },
        );
        let after = before.when(refuse).then([Event::StrangerRefused(refused)]);
        assert_eq!(after.state, ready().state);
    }

    #[test]
    fn a_feed_turned_away_leaves_no_connection() {
        let refuse = Command::RefuseSource { source: SOURCE, reason: "H.265".into() };
        let after = ready().when(refuse).then([Event::SourceRefused(reason("H.265"))]);
        assert_eq!(after.state.broadcast.connection(SOURCE), None);
    }

    #[test]
    fn what_an_encoder_says_is_kept_to_a_line() {
        let (long, kept) = ("📹".repeat(TEXT_CHARS_MAX + 1), "📹".repeat(TEXT_CHARS_MAX));
        let up = ready().when(connect(&long)).then([connected(&kept)]);
        up.when(disconnect(&long)).then([Event::SourceDisconnected(reason(&kept))]);
        let refuse = Command::RefuseSource { source: SOURCE, reason: long };
        ready().when(refuse).then([Event::SourceRefused(reason(&kept))]);
    }

    #[test]
    fn a_stranger_is_unknown() {
        let stranger = OTHER_SOURCE;
        let (protocol, video, audio) = ("RTMP".into(), "x".into(), "x".into());
        for command in [
            Command::ConnectSource { source: stranger, protocol, video, audio },
            Command::DisconnectSource { source: stranger, reason: "x".into() },
            Command::RefuseSource { source: stranger, reason: "x".into() },
            cut(Some(stranger)),
        ] {
            ready().when(command).refuses(Refusal::UnknownSpeaker);
        }
        ready().when(Command::Cut { rally: NO_RALLY, source: None }).refuses(Refusal::UnknownRally);
    }

    #[test]
    fn the_program_changes_when_another_is_cut_to() {
        ready().when(cut(None)).changes_nothing();
        let on = ready().when(cut(Some(SOURCE))).then([cut_to(Some(SOURCE))]);
        on.when(cut(Some(SOURCE))).changes_nothing();
        on.when(cut(None)).then([cut_to(None)]);
        on.and([opened(), ended()]).when(cut(None)).refuses(Refusal::Ended);
    }

    #[test]
    fn a_note_is_one_speakers_until_it_is_taken_away_or_they_are() {
        let note = |text: &str| Command::Note { source: SOURCE, text: text.into() };
        let noted = |text: &str| Event::Noted(Noted { rally: RALLY, source: SOURCE, text: text.into() });
        ready().when(note("  ")).changes_nothing();
        let up = ready().when(note(" Two minutes. ")).then([noted("Two minutes.")]);
        assert_eq!((up.state.broadcast.note(SOURCE), up.state.broadcast.note(OTHER_SOURCE)), ("Two minutes.", ""));
        up.when(note("Two minutes.")).changes_nothing();
        let gone = up.when(note("")).then([noted("")]);
        assert_eq!(gone.state.broadcast.note(SOURCE), "");
        ready().when(Command::Note { source: OTHER_SOURCE, text: "x".into() }).refuses(Refusal::UnknownSpeaker);
        let long = "é".repeat(TEXT_CHARS_MAX + 1);
        ready().when(note(&long)).then([noted(&"é".repeat(TEXT_CHARS_MAX))]);
    }

    #[test]
    fn the_program_follows_a_cut_when_the_picture_comes() {
        let take = |source| Command::TakeProgram { rally: RALLY, source, shown_at: at(40) };
        let took = |source| Event::TookProgram(TookProgram { rally: RALLY, source, shown_at: at(40) });
        let asked = ready().done([connect("H.264"), cut(Some(SOURCE))]);
        assert_eq!(asked.state.broadcast.on_program(RALLY), None);
        asked.when(take(None)).changes_nothing();
        let on = asked.when(take(Some(SOURCE))).then([took(Some(SOURCE))]);
        assert_eq!(on.state.broadcast.on_program(RALLY), Some(SOURCE));
        on.when(take(Some(SOURCE))).changes_nothing();
        let over = on.clone().and([opened(), ended()]).when(take(None)).then([took(None)]);
        assert_eq!(over.state.broadcast.on_program(RALLY), None);
        let restarted = on.and([ledger::Event::Started(ledger::Started {})]);
        assert_eq!(restarted.state.broadcast.on_program(RALLY), None);
        let nobodys = Command::TakeProgram { rally: NO_RALLY, source: None, shown_at: at(0) };
        ready().when(nobodys).refuses(Refusal::UnknownRally);
    }

    #[test]
    fn a_server_that_starts_finds_nobody_connected() {
        let up = ready().done([connect("H.264")]).and([ledger::Event::Started(ledger::Started {})]);
        assert_eq!(up.state.broadcast.connection(SOURCE), None);
    }
}
