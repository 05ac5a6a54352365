//! Attendance: who joined a rally and from where, who is in the room now, and who agreed to be written to.

use super::State;
use super::donation::{REFCODE_CHARS_MAX, Way};
use super::hash::{HashMap, HashSet};
use super::id::{PersonId, RallyId};
use super::rally::Phase;
use super::sealed::Sealed;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What people can agree to: an id that stands in the log, and the words beside the box. Words that change get a new id, and
/// the old ones stay here, for somebody agreed to them.
pub const WORDINGS: [(&str, &str); 1] =
    [("updates-1", "E-mail me news and invitations to events like this one. I can stop that at any time.")];
/// The wording that forms show.
pub const WORDING: (&str, &str) = WORDINGS[0];

/// The words that somebody agreed to; the id itself where this program does not know it.
pub fn wording(id: &str) -> &str {
    WORDINGS.iter().find(|(known, _)| *known == id).map_or(id, |(_, words)| words)
}

/// People that one link can have invited: more than any list of voters of one country has.
pub const INVITED_MAX: u32 = 1_000_000_000;

/// The people of each rally.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attendance {
    joined: HashMap<RallyId, HashSet<PersonId>>,
    here: HashMap<RallyId, HashSet<PersonId>>,
    /// Who agreed to be written to, and to which wording last.
    agreed: HashMap<PersonId, Box<str>>,
}

impl Attendance {
    /// Whether this person joined.
    pub fn has_joined(&self, rally: RallyId, person: PersonId) -> bool {
        self.joined.get(&rally).is_some_and(|people| people.contains(&person))
    }

    /// Who was erased is asked to join again; whoever has the page open is counted until they go.
    pub(super) fn forget(&mut self, person: PersonId) {
        for people in self.joined.values_mut() {
            people.remove(&person);
        }
        self.agreed.remove(&person);
    }

    /// The wording by which this person agreed to be written to; none where they did not, or not any more.
    fn agreed(&self, person: PersonId) -> Option<&str> {
        self.agreed.get(&person).map(|wording| &**wording)
    }

    fn is_here(&self, rally: RallyId, person: PersonId) -> bool {
        self.here.get(&rally).is_some_and(|people| people.contains(&person))
    }
}

/// What may be asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    /// Join a rally, or save a place in it; with the id of a wording, where they agree to it.
    Join { rally: RallyId, person: PersonId, profile: Sealed, came: Option<Arrival>, agrees_to: Option<String> },
    /// Agree to be written to.
    Agree { rally: RallyId, person: PersonId, wording: String },
    /// Say how many people were invited, by links with this refcode or by plain ones; a later count takes the place of it.
    Invite { rally: RallyId, refcode: Option<String>, people: u32 },
    /// Not want to be written to any more.
    Withdraw { rally: RallyId, person: PersonId },
    /// The person's first page opened its live connection.
    Enter { rally: RallyId, person: PersonId },
    /// The person's last page has been gone for a while.
    Leave { rally: RallyId, person: PersonId },
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    Joined(Joined),
    Entered(Present),
    Left(Present),
    Agreed(Agreed),
    Withdrew(Present),
    Invited(Invited),
}

/// A person joined: once for each rally, however often they come back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// Which rally.
    pub rally: RallyId,
    /// Who.
    pub person: PersonId,
    /// A sealed [`super::profile::Attendee`].
    pub profile: Sealed,
    /// From where they came to the form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came: Option<Arrival>,
}

/// From where a person came to the form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// By which way.
    pub by: Way,
    /// From the link that led here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refcode: Option<String>,
}

/// A person agreed to be written to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreed {
    /// On whose page.
    pub rally: RallyId,
    /// Who.
    pub person: PersonId,
    /// The id of one of [`WORDINGS`].
    pub wording: String,
}

/// So many people were invited, as staff counts them: by mail, text or telephone, which others send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invited {
    /// Which rally.
    pub rally: RallyId,
    /// Of the link that led there, where it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refcode: Option<String>,
    /// How many, in all mailings with that link.
    pub people: u32,
}

/// A person came into the room or went, or takes back that they agreed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Present {
    /// Which rally.
    pub rally: RallyId,
    /// Who.
    pub person: PersonId,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("there is no such rally")]
    UnknownRally,
    #[error("this rally has ended")]
    Ended,
    #[error("write how many people were invited, as a whole number: at most a billion")]
    Invited,
    #[error("join the rally first")]
    NotJoined,
    #[error("the link's refcode is too long: at most {REFCODE_CHARS_MAX} characters")]
    RefcodeLength,
    #[error("the words beside the box have changed: load the page again and read them")]
    UnknownWording,
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let attendance = &state.attendance;
    let event = match command {
        Command::Join { rally, person, profile, came, agrees_to } => {
            let current = state.rallies.get(rally).ok_or(Refusal::UnknownRally)?;
            if attendance.has_joined(rally, person) {
                // Not an error, and not a change: nobody may rewrite what a person gave by knowing their e-mail.
                return Ok(vec![]);
            }
            if matches!(current.phase, Phase::Ended { .. }) {
                return Err(Refusal::Ended);
            }
            let refcode = came.as_ref().and_then(|came| came.refcode.as_ref());
            if refcode.is_some_and(|code| code.chars().nth(REFCODE_CHARS_MAX).is_some()) {
                return Err(Refusal::RefcodeLength);
            }
            let agreed = agrees_to.map(|wording| agree(attendance, rally, person, wording)).transpose()?.flatten();
            let joined = Event::Joined(Joined { rally, person, profile, came });
            return Ok([joined].into_iter().chain(agreed).map(super::Event::Attendance).collect());
        }
        Command::Agree { rally, person, wording } => {
            if !attendance.has_joined(rally, person) {
                return Err(Refusal::NotJoined);
            }
            match agree(attendance, rally, person, wording)? {
                Some(agreed) => agreed,
                None => return Ok(vec![]),
            }
        }
        Command::Invite { rally, refcode, people } => {
            state.rallies.get(rally).ok_or(Refusal::UnknownRally)?;
            if refcode.as_ref().is_some_and(|code| code.chars().nth(REFCODE_CHARS_MAX).is_some()) {
                return Err(Refusal::RefcodeLength);
            }
            if people > INVITED_MAX {
                return Err(Refusal::Invited);
            }
            Event::Invited(Invited { rally, refcode: refcode.filter(|code| !code.is_empty()), people })
        }
        Command::Withdraw { rally, person } => {
            if attendance.agreed(person).is_none() {
                return Ok(vec![]);
            }
            Event::Withdrew(Present { rally, person })
        }
        Command::Enter { rally, person } => {
            if !attendance.has_joined(rally, person) {
                return Err(Refusal::NotJoined);
            }
            if attendance.is_here(rally, person) {
                return Ok(vec![]);
            }
            Event::Entered(Present { rally, person })
        }
        Command::Leave { rally, person } => {
            if !attendance.is_here(rally, person) {
                return Ok(vec![]);
            }
            Event::Left(Present { rally, person })
        }
    };
    Ok(vec![super::Event::Attendance(event)])
}

/// None where they agreed to the same before.
fn agree(attendance: &Attendance, rally: RallyId, person: PersonId, wording: String) -> Result<Option<Event>, Refusal> {
    if !WORDINGS.iter().any(|(known, _)| *known == wording) {
        return Err(Refusal::UnknownWording);
    }
    let is_new = attendance.agreed(person) != Some(wording.as_str());
    Ok(is_new.then_some(Event::Agreed(Agreed { rally, person, wording })))
}

pub(super) fn evolve(state: &mut State, event: &Event) {
    let Attendance { joined, here, agreed } = &mut state.attendance;
    match event {
        Event::Joined(Joined { rally, person, .. }) => {
            joined.entry(*rally).or_default().insert(*person);
        }
        Event::Entered(Present { rally, person }) => {
            here.entry(*rally).or_default().insert(*person);
        }
        Event::Left(Present { rally, person }) => {
            here.entry(*rally).or_default().remove(person);
        }
        Event::Agreed(Agreed { person, wording, .. }) => {
            agreed.insert(*person, wording.as_str().into());
        }
        Event::Withdrew(Present { person, .. }) => {
            agreed.remove(person);
        }
        Event::Invited(_) => {}
    }
}

pub(super) fn room_cleared(state: &mut State) {
    state.attendance.here.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger;
    use crate::domain::test_kit::*;

    fn join_of(person: PersonId, profile: Sealed, agrees_to: Option<&str>) -> Command {
        Command::Join { rally: RALLY, person, profile, came: None, agrees_to: agrees_to.map(Into::into) }
    }

    fn join() -> Command {
        join_of(PERSON, sealed(1), None)
    }

    fn joined() -> Event {
        Event::Joined(Joined { rally: RALLY, person: PERSON, profile: sealed(1), came: None })
    }

    fn agreed() -> Event {
        Event::Agreed(Agreed { rally: RALLY, person: PERSON, wording: WORDING.0.into() })
    }

    fn present() -> Present {
        Present { rally: RALLY, person: PERSON }
    }

    const ENTER: Command = Command::Enter { rally: RALLY, person: PERSON };
    const LEAVE: Command = Command::Leave { rally: RALLY, person: PERSON };

    #[test]
    fn a_person_joins_once() {
        let after = given([created()]).when(join()).then([joined()]);
        after.when(join()).changes_nothing();
        after.when(join_of(PERSON, sealed(9), Some(WORDING.0))).changes_nothing();
        let other_joined = Joined { rally: RALLY, person: OTHER_PERSON, profile: sealed(2), came: None };
        after.when(join_of(OTHER_PERSON, sealed(2), None)).then([Event::Joined(other_joined)]);
    }

    #[test]
    fn from_where_a_person_came_stands_in_the_event() {
        let from = |refcode: String| Some(Arrival { by: Way::Qr, refcode: Some(refcode) });
        let join = |came| Command::Join { rally: RALLY, person: PERSON, profile: sealed(1), came, agrees_to: None };
        let came = from("🎈".repeat(REFCODE_CHARS_MAX));
        let joined = Joined { rally: RALLY, person: PERSON, profile: sealed(1), came: came.clone() };
        given([created()]).when(join(came)).then([Event::Joined(joined)]);
        let longer = join(from("🎈".repeat(REFCODE_CHARS_MAX + 1)));
        given([created()]).when(longer).refuses(Refusal::RefcodeLength);
    }

    #[test]
    fn who_agrees_is_on_record_until_they_take_it_back() {
        let agree = |wording: &str| Command::Agree { rally: RALLY, person: PERSON, wording: wording.into() };
        let withdraw = Command::Withdraw { rally: RALLY, person: PERSON };
        let both = given([created()]).when(join_of(PERSON, sealed(1), Some(WORDING.0))).then([joined(), agreed()]);
        both.when(agree(WORDING.0)).changes_nothing();
        let withdrew = both.when(withdraw.clone()).then([Event::Withdrew(present())]);
        withdrew.when(withdraw.clone()).changes_nothing();
        withdrew.when(agree(WORDING.0)).then([agreed()]);
        // Silence is no agreement, words that nobody knows are none, and who did not join is not known.
        let silent = given([created()]).when(join()).then([joined()]);
        silent.when(withdraw).changes_nothing();
        silent.when(agree("updates-0")).refuses(Refusal::UnknownWording);
        given([created()]).when(join_of(PERSON, sealed(1), Some("yes"))).refuses(Refusal::UnknownWording);
        given([created()]).when(agree(WORDING.0)).refuses(Refusal::NotJoined);
        // What they were asked in another rally counts: it is the campaign that writes.
        let other = Event::Joined(Joined { rally: OTHER_RALLY, person: PERSON, profile: sealed(1), came: None });
        let command = Command::Agree { rally: OTHER_RALLY, person: PERSON, wording: WORDING.0.into() };
        both.and([other]).when(command).changes_nothing();
    }

    #[test]
    fn whom_staff_invited_is_as_they_count_it() {
        let invite = |code: &str, people| Command::Invite { rally: RALLY, refcode: Some(code.into()), people };
        let invited = |refcode: Option<&str>, people| {
            Event::Invited(Invited { rally: RALLY, refcode: refcode.map(Into::into), people })
        };
        let known = given([created()]);
        known.when(invite("text-1", INVITED_MAX)).then([invited(Some("text-1"), INVITED_MAX)]);
        known.when(invite("", 0)).then([invited(None, 0)]);
        known.when(invite("text-1", INVITED_MAX + 1)).refuses(Refusal::Invited);
        known.when(invite(&"x".repeat(REFCODE_CHARS_MAX + 1), 1)).refuses(Refusal::RefcodeLength);
        given_nothing().when(invite("text-1", 1)).refuses(Refusal::UnknownRally);
    }

    #[test]
    fn nobody_joins_what_is_not_there_or_over() {
        given_nothing().when(join()).refuses(Refusal::UnknownRally);
        given([created(), opened(), ended()]).when(join()).refuses(Refusal::Ended);
        given([created(), joined().into(), opened(), ended()]).when(join()).changes_nothing();
    }

    #[test]
    fn coming_and_going_is_counted_once() {
        given([created()]).when(ENTER).refuses(Refusal::NotJoined);
        given([created()]).when(LEAVE).changes_nothing();
        let here = given([created()]).and([joined()]).when(ENTER).then([Event::Entered(present())]);
        here.when(ENTER).changes_nothing();
        let gone = here.when(LEAVE).then([Event::Left(present())]);
        gone.when(LEAVE).changes_nothing();
        gone.when(ENTER).then([Event::Entered(present())]);
    }

    #[test]
    fn a_server_that_starts_finds_the_room_empty_and_the_people_joined() {
        let here = given([created()]).and([joined(), Event::Entered(present())]);
        let restarted = here.and([ledger::Event::Started(ledger::Started {})]);
        restarted.when(LEAVE).changes_nothing();
        restarted.when(join()).changes_nothing();
        restarted.when(ENTER).then([Event::Entered(present())]);
    }
}
