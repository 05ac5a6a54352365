//! Attendance: who joined a rally, and who is in the room now.

use super::State;
use super::hash::{HashMap, HashSet};
use super::id::{PersonId, RallyId};
use super::rally::Phase;
use super::sealed::Sealed;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The people of each rally.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attendance {
    joined: HashMap<RallyId, HashSet<PersonId>>,
    here: HashMap<RallyId, HashSet<PersonId>>,
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
    }

    fn is_here(&self, rally: RallyId, person: PersonId) -> bool {
        self.here.get(&rally).is_some_and(|people| people.contains(&person))
    }
}

/// What may be asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    /// Join a rally, or save a place in it.
    Join { rally: RallyId, person: PersonId, profile: Sealed },
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
}

/// A person came into the room or went.
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
    #[error("join the rally first")]
    NotJoined,
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let attendance = &state.attendance;
    let event = match command {
        Command::Join { rally, person, profile } => {
            let current = state.rallies.get(rally).ok_or(Refusal::UnknownRally)?;
            if attendance.has_joined(rally, person) {
                // Not an error, and not a change: nobody may rewrite what a person gave by knowing their e-mail.
                return Ok(vec![]);
            }
            if matches!(current.phase, Phase::Ended { .. }) {
                return Err(Refusal::Ended);
            }
            Event::Joined(Joined { rally, person, profile })
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

pub(super) fn evolve(state: &mut State, event: &Event) {
    let Attendance { joined, here } = &mut state.attendance;
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

    fn join() -> Command {
        Command::Join { rally: RALLY, person: PERSON, profile: sealed(1) }
    }

    fn joined() -> Event {
        Event::Joined(Joined { rally: RALLY, person: PERSON, profile: sealed(1) })
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
        let rewritten = Command::Join { rally: RALLY, person: PERSON, profile: sealed(9) };
        after.when(rewritten).changes_nothing();
        let other = Command::Join { rally: RALLY, person: OTHER_PERSON, profile: sealed(2) };
        let other_joined = Joined { rally: RALLY, person: OTHER_PERSON, profile: sealed(2) };
        after.when(other).then([Event::Joined(other_joined)]);
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
