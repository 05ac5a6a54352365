//! Rallies: what is announced, who speaks, and when doors open and close.

mod details;
mod keeping;

use super::State;
use super::clip::Clip;
use super::hash::HashMap;
use super::id::{RallyId, SourceId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use details::{
    AMOUNT_MAJOR_MAX, DESCRIPTION_CHARS_MAX, Details, PAID_FOR_BY_CHARS_MAX, SLUG_CHARS_MAX, SUGGESTED_MAX,
    TITLE_CHARS_MAX,
};
pub use keeping::{KEEP_DAYS_MAX, Keeping};

/// Speakers of one rally: the longest calls of 2024 had about forty; the studio shows them all.
pub const SPEAKERS_MAX: usize = 100;
/// Rallies in one ledger: a decade of one every day; bounds memory.
pub const RALLIES_MAX: usize = 4_000;
/// Characters of a speaker's name or role: the lower third has one line for each.
pub const SPEAKER_CHARS_MAX: usize = 80;
/// A speaker as announced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speaker {
    /// Their feed.
    pub source: SourceId,
    /// As shown in the lower third.
    pub name: String,
    /// The line beneath the name.
    pub role: String,
    /// Which stream key is valid: replaced keys have lower numbers.
    pub key_generation: u32,
}

/// Where a rally stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Announced; people can save their place and give.
    Before,
    /// Doors are open.
    Live {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// Over; giving stays open.
    Ended {
        /// When doors closed.
        at: DateTime<Utc>,
    },
}

/// One rally.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rally {
    /// What was announced last.
    #[serde(with = "super::as_json")]
    pub details: Details,
    /// In the order they were added.
    pub speakers: Vec<Speaker>,
    /// In the order they were added.
    pub clips: Vec<Clip>,
    /// Where it stands.
    pub phase: Phase,
    /// Who is on program.
    pub program: Option<SourceId>,
    /// Whether a donation was pledged: then the currency is fixed.
    pub has_donations: bool,
    /// Whether the host had the recording destroyed.
    pub recording_deleted: bool,
    /// How long it is kept.
    pub keeping: Keeping,
    /// Which address for captions is valid: replaced ones have lower numbers.
    pub captions_generation: u32,
}

impl Rally {
    /// What the source is called on screen, if it is one of this rally's.
    pub fn source_name(&self, source: SourceId) -> Option<&str> {
        let speaker =
            self.speakers.iter().find(|speaker| speaker.source == source).map(|speaker| speaker.name.as_str());
        speaker.or_else(|| self.clip(source).map(|clip| clip.title.as_str()))
    }

    /// The clip that is this source, if it is one of this rally's.
    pub fn clip(&self, source: SourceId) -> Option<&Clip> {
        self.clips.iter().find(|clip| clip.source == source)
    }

    /// Whether a cut to this source would change nothing. A clip that is over stays on program as who was on last: another
    /// cut plays it again.
    pub(super) fn has_on(&self, source: Option<SourceId>) -> bool {
        let over = source.and_then(|source| self.clip(source)).is_some_and(|clip| !clip.playing);
        self.program == source && !over
    }

    /// Puts a source on program: a clip starts, and one that was on is over.
    pub(super) fn cut_to(&mut self, source: Option<SourceId>) {
        self.program = source;
        for clip in &mut self.clips {
            clip.playing = Some(clip.source) == source;
            clip.plays = clip.plays.saturating_add(u32::from(clip.playing));
        }
    }

    /// Notes that a source's feed is gone or was refused: a clip is over.
    pub(super) fn gone(&mut self, source: SourceId) {
        if let Some(clip) = self.clips.iter_mut().find(|clip| clip.source == source) {
            clip.playing = false;
        }
    }
}

/// Every rally, by id and by address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rallies {
    by_id: HashMap<RallyId, Rally>,
    by_slug: HashMap<String, RallyId>,
    by_source: HashMap<SourceId, RallyId>,
}

impl Rallies {
    /// The rally with this id.
    pub fn get(&self, id: RallyId) -> Option<&Rally> {
        self.by_id.get(&id)
    }

    /// The rally at this address.
    pub fn find(&self, slug: &str) -> Option<(RallyId, &Rally)> {
        let id = *self.by_slug.get(slug)?;
        Some((id, self.by_id.get(&id)?))
    }

    /// The rally this feed belongs to, with the speaker.
    pub fn of_source(&self, source: SourceId) -> Option<(RallyId, &Rally, &Speaker)> {
        let id = *self.by_source.get(&source)?;
        let rally = self.by_id.get(&id)?;
        Some((id, rally, rally.speakers.iter().find(|speaker| speaker.source == source)?))
    }

    /// The rally whose speaker or clip this source is.
    pub fn holder(&self, source: SourceId) -> Option<RallyId> {
        self.by_source.get(&source).copied()
    }

    pub(super) fn add_clip(&mut self, rally: RallyId, clip: Clip) {
        if let Some(current) = self.by_id.get_mut(&rally) {
            self.by_source.insert(clip.source, rally);
            current.clips.push(clip);
        }
    }

    pub(super) fn remove_clip(&mut self, rally: RallyId, source: SourceId) {
        if let Some(current) = self.by_id.get_mut(&rally) {
            self.by_source.remove(&source);
            current.clips.retain(|clip| clip.source != source);
        }
    }

    /// Every rally, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (RallyId, &Rally)> {
        self.by_id.iter().map(|(id, rally)| (*id, rally))
    }

    pub(super) fn get_mut(&mut self, id: RallyId) -> Option<&mut Rally> {
        self.by_id.get_mut(&id)
    }
}

/// What may be asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    /// Announce a rally.
    Create { rally: RallyId, details: Details },
    /// Announce it anew.
    Revise { rally: RallyId, details: Details },
    /// Add a speaker at the end of the run.
    AddSpeaker { rally: RallyId, source: SourceId, name: String, role: String },
    /// Take a speaker out of the run.
    RemoveSpeaker { source: SourceId },
    /// Make the speaker's stream key invalid and give another.
    ReplaceStreamKey { source: SourceId },
    /// Let the room in.
    OpenDoors { rally: RallyId },
    /// Close the room.
    End { rally: RallyId },
    /// Destroy what was recorded of the program.
    DeleteRecording { rally: RallyId },
    /// Say how long what is recorded is kept.
    KeepRecording { rally: RallyId, keeping: Keeping },
    /// Destroy what was recorded, if its time is over by `now`.
    ExpireRecording { rally: RallyId, now: DateTime<Utc> },
    /// Destroy what was recorded to make room for another recording, if that was allowed.
    YieldRecording { rally: RallyId },
    /// Make the captioner's address invalid and give another.
    ReplaceCaptionsAddress { rally: RallyId },
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    Created(Announced),
    Revised(Announced),
    SpeakerAdded(SpeakerAdded),
    SpeakerRemoved(SpeakerNamed),
    StreamKeyReplaced(SpeakerNamed),
    DoorsOpened(RallyNamed),
    Ended(RallyNamed),
    RecordingKept(RecordingKept),
    RecordingDeleted(RallyNamed),
    CaptionsAddressReplaced(RallyNamed),
}

/// A rally and what is announced of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Announced {
    /// Which rally.
    pub rally: RallyId,
    /// All of it, also what did not change.
    #[serde(flatten)]
    pub details: Details,
}

/// A speaker joined the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpeakerAdded {
    /// Which rally.
    pub rally: RallyId,
    /// Their feed.
    pub source: SourceId,
    /// As shown.
    pub name: String,
    /// As shown.
    pub role: String,
}

/// Something about one speaker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpeakerNamed {
    /// Which rally.
    pub rally: RallyId,
    /// Their feed.
    pub source: SourceId,
}

/// How long the recording is kept was said anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordingKept {
    /// Which rally.
    pub rally: RallyId,
    /// So many days after its end; until somebody deletes it if none.
    pub days: Option<u16>,
    /// Whether it may make room for another.
    pub yields: bool,
}

/// Something about one rally.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RallyNamed {
    /// Which rally.
    pub rally: RallyId,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("there is no such rally")]
    Unknown,
    #[error("there is no such speaker")]
    UnknownSpeaker,
    #[error("another rally has the address /r/{0}: choose another")]
    SlugTaken(String),
    #[error("an address has 1 to {SLUG_CHARS_MAX} lower-case letters, digits and hyphens, like women-for-rivera")]
    SlugMalformed,
    #[error("give the rally a title of at most {TITLE_CHARS_MAX} characters")]
    TitleLength,
    #[error("the description can have at most {DESCRIPTION_CHARS_MAX} characters")]
    DescriptionLength,
    #[error("\"paid for by\" is required by law, with at most {PAID_FOR_BY_CHARS_MAX} characters")]
    PaidForByLength,
    #[error("choose a time zone from the list")]
    TimezoneUnknown,
    #[error("the accent colour is written like #d6301f")]
    AccentMalformed,
    #[error("a goal is more than nothing and at most a billion")]
    GoalOutOfRange,
    #[error("give 1 to {SUGGESTED_MAX} suggested amounts, each at least 1 and no two alike")]
    SuggestedOutOfRange,
    #[error("choose a committee from the list")]
    UnknownCommittee,
    #[error("the currency can't change once somebody has given")]
    CurrencyFixed,
    #[error("a speaker needs a name; name and role have at most {SPEAKER_CHARS_MAX} characters each")]
    SpeakerLength,
    #[error("a rally has at most {SPEAKERS_MAX} speakers")]
    TooManySpeakers,
    #[error("there are {RALLIES_MAX} rallies already")]
    TooManyRallies,
    #[error("this speaker is on program: take them off first")]
    SpeakerOnProgram,
    #[error("doors are open already")]
    AlreadyOpen,
    #[error("doors are not open yet")]
    NotOpen,
    #[error("this rally has ended")]
    Ended,
    #[error("the recording can be deleted once the rally has ended")]
    StillRecording,
    #[error("the recording is deleted already")]
    RecordingGone,
    #[error("a recording is kept for 1 to {KEEP_DAYS_MAX} days after the rally, or until you delete it")]
    KeepDays,
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let rallies = &state.rallies;
    let known = |rally: RallyId| rallies.get(rally).ok_or(Refusal::Unknown);
    let deleted = |rally: RallyId| Event::RecordingDeleted(RallyNamed { rally });
    let speaker = |source: SourceId| rallies.of_source(source).ok_or(Refusal::UnknownSpeaker);
    let event = match command {
        Command::Create { rally, details } => {
            if rallies.get(rally).is_some() {
                return Ok(vec![]);
            }
            if rallies.by_id.len() >= RALLIES_MAX {
                return Err(Refusal::TooManyRallies);
            }
            details.check(state)?;
            slug_free(rallies, &details.slug, rally)?;
            Event::Created(Announced { rally, details })
        }
        Command::Revise { rally, details } => {
            let current = known(rally)?;
            details.check(state)?;
            slug_free(rallies, &details.slug, rally)?;
            if current.has_donations && current.details.currency != details.currency {
                return Err(Refusal::CurrencyFixed);
            }
            if current.details == details {
                return Ok(vec![]);
            }
            Event::Revised(Announced { rally, details })
        }
        Command::AddSpeaker { rally, source, name, role } => {
            let current = known(rally)?;
            if rallies.by_source.contains_key(&source) {
                return Ok(vec![]);
            }
            if matches!(current.phase, Phase::Ended { .. }) {
                return Err(Refusal::Ended);
            }
            if current.speakers.len() >= SPEAKERS_MAX {
                return Err(Refusal::TooManySpeakers);
            }
            if name.trim().is_empty() || too_long(&name, SPEAKER_CHARS_MAX) || too_long(&role, SPEAKER_CHARS_MAX) {
                return Err(Refusal::SpeakerLength);
            }
            Event::SpeakerAdded(SpeakerAdded { rally, source, name, role })
        }
        Command::RemoveSpeaker { source } => {
            let (rally, current, _) = speaker(source)?;
            if current.program == Some(source) {
                return Err(Refusal::SpeakerOnProgram);
            }
            Event::SpeakerRemoved(SpeakerNamed { rally, source })
        }
        Command::ReplaceStreamKey { source } => {
            let (rally, ..) = speaker(source)?;
            Event::StreamKeyReplaced(SpeakerNamed { rally, source })
        }
        Command::OpenDoors { rally } => match known(rally)?.phase {
            Phase::Before => Event::DoorsOpened(RallyNamed { rally }),
            Phase::Live { .. } => return Err(Refusal::AlreadyOpen),
            Phase::Ended { .. } => return Err(Refusal::Ended),
        },
        Command::End { rally } => match known(rally)?.phase {
            Phase::Before => return Err(Refusal::NotOpen),
            Phase::Live { .. } => Event::Ended(RallyNamed { rally }),
            Phase::Ended { .. } => return Err(Refusal::Ended),
        },
        Command::KeepRecording { rally, keeping } => {
            if !known(rally)?.keeps_anew(keeping)? {
                return Ok(vec![]);
            }
            let Keeping { days, yields } = keeping;
            Event::RecordingKept(RecordingKept { rally, days, yields })
        }
        Command::DeleteRecording { rally } if known(rally)?.may_delete()? => deleted(rally),
        Command::ExpireRecording { rally, now }
            if known(rally)?.recording_until().is_some_and(|until| until <= now) =>
        {
            deleted(rally)
        }
        Command::YieldRecording { rally } if known(rally)?.yields_since().is_some() => deleted(rally),
        Command::DeleteRecording { .. } | Command::ExpireRecording { .. } | Command::YieldRecording { .. } => {
            return Ok(vec![]);
        }
        Command::ReplaceCaptionsAddress { rally } => match known(rally)?.phase {
            Phase::Before | Phase::Live { .. } => Event::CaptionsAddressReplaced(RallyNamed { rally }),
            Phase::Ended { .. } => return Err(Refusal::Ended),
        },
    };
    Ok(vec![super::Event::Rally(event)])
}

fn too_long(text: &str, chars_max: usize) -> bool {
    text.chars().nth(chars_max).is_some()
}

fn slug_free(rallies: &Rallies, slug: &str, rally: RallyId) -> Result<(), Refusal> {
    match rallies.by_slug.get(slug) {
        Some(holder) if *holder != rally => Err(Refusal::SlugTaken(slug.into())),
        Some(_) | None => Ok(()),
    }
}

pub(super) fn evolve(state: &mut State, event: &Event, at: DateTime<Utc>) {
    let rallies = &mut state.rallies;
    match event {
        Event::Created(Announced { rally, details }) => {
            rallies.by_slug.insert(details.slug.clone(), *rally);
            let created = Rally {
                details: details.clone(),
                speakers: vec![],
                clips: vec![],
                phase: Phase::Before,
                program: None,
                has_donations: false,
                recording_deleted: false,
                keeping: Keeping::default(),
                captions_generation: 0,
            };
            rallies.by_id.insert(*rally, created);
        }
        Event::Revised(Announced { rally, details }) => {
            let Some(current) = rallies.by_id.get_mut(rally) else { return };
            // The old address goes on leading here: links are in mails already.
            rallies.by_slug.insert(details.slug.clone(), *rally);
            current.details = details.clone();
        }
        Event::SpeakerAdded(SpeakerAdded { rally, source, name, role }) => {
            let Some(current) = rallies.by_id.get_mut(rally) else { return };
            rallies.by_source.insert(*source, *rally);
            let speaker = Speaker { source: *source, name: name.clone(), role: role.clone(), key_generation: 0 };
            current.speakers.push(speaker);
        }
        Event::SpeakerRemoved(SpeakerNamed { rally, source }) => {
            let Some(current) = rallies.by_id.get_mut(rally) else { return };
            current.speakers.retain(|speaker| speaker.source != *source);
            rallies.by_source.remove(source);
            // The feed's own goodbye comes when nobody knows it any more.
            state.broadcast.forget(*source);
        }
        Event::StreamKeyReplaced(SpeakerNamed { rally, source }) => {
            let Some(current) = rallies.by_id.get_mut(rally) else { return };
            if let Some(speaker) = current.speakers.iter_mut().find(|speaker| speaker.source == *source) {
                speaker.key_generation = speaker.key_generation.saturating_add(1);
            }
        }
        Event::DoorsOpened(RallyNamed { rally }) => {
            if let Some(current) = rallies.by_id.get_mut(rally) {
                current.phase = Phase::Live { since: at };
            }
            super::show::doors_opened(state, *rally);
        }
        Event::RecordingKept(RecordingKept { rally, days, yields }) => {
            if let Some(current) = rallies.by_id.get_mut(rally) {
                current.keeping = Keeping { days: *days, yields: *yields };
            }
        }
        Event::RecordingDeleted(RallyNamed { rally }) => {
            if let Some(current) = rallies.by_id.get_mut(rally) {
                current.recording_deleted = true;
            }
        }
        Event::CaptionsAddressReplaced(RallyNamed { rally }) => {
            if let Some(current) = rallies.by_id.get_mut(rally) {
                current.captions_generation = current.captions_generation.saturating_add(1);
            }
        }
        Event::Ended(RallyNamed { rally }) => {
            if let Some(current) = rallies.by_id.get_mut(rally) {
                current.phase = Phase::Ended { at };
                current.cut_to(None);
            }
        }
    }
}

#[cfg(test)]
mod tests;
