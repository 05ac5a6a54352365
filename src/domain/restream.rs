//! Where a rally's program goes besides its own page: other services' RTMP servers.
//!
//! A stream key is a secret like a person's data: an event holds it sealed, under a name of the destination's own.

mod address;

use super::State;
use super::hash::HashMap;
use super::id::{DestinationId, PersonId, RallyId};
use super::rally::Phase;
use super::sealed::Sealed;
pub use address::{Address, AddressError, SERVER_CHARS_MAX};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Destinations of one rally: each takes the whole program's bitrate from the server's line once more.
pub const DESTINATIONS_MAX: usize = 8;
/// Characters of a destination's label: one line of a phone.
pub const LABEL_CHARS_MAX: usize = 60;
/// Characters of a stream key: the longest known, of services that add parameters, are below 200.
pub const KEY_CHARS_MAX: usize = 256;

/// A server that gets the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Destination {
    /// Which.
    pub id: DestinationId,
    /// As the host calls it.
    pub label: String,
    /// Where to: an [`Address`] as it is written.
    pub server: String,
    /// The stream key, sealed for [`sealed_for`] its id.
    pub key: Sealed,
    /// Whether the program is to go there while the doors are open.
    pub on: bool,
}

/// The name under which a destination's stream key is sealed.
pub fn sealed_for(destination: DestinationId) -> PersonId {
    PersonId(destination.0)
}

/// Every rally's destinations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Restreams {
    by_rally: HashMap<RallyId, Vec<Destination>>,
}

impl Restreams {
    /// A rally's destinations, in the order they were added.
    pub fn of(&self, rally: RallyId) -> &[Destination] {
        self.by_rally.get(&rally).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every rally that has destinations, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (RallyId, &[Destination])> {
        self.by_rally.iter().map(|(rally, destinations)| (*rally, destinations.as_slice()))
    }

    fn find(&self, rally: RallyId, destination: DestinationId) -> Result<&Destination, Refusal> {
        self.of(rally).iter().find(|one| one.id == destination).ok_or(Refusal::Unknown)
    }
}

/// What may be asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    /// Send the program to one more server.
    Add { rally: RallyId, destination: DestinationId, label: String, server: String, key: Sealed },
    /// Forget a server.
    Remove { rally: RallyId, destination: DestinationId },
    /// Begin or stop sending there; it stays in the list.
    Switch { rally: RallyId, destination: DestinationId, on: bool },
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    Added(Added),
    Removed(Removed),
    Switched(Switched),
}

impl Event {
    /// Whose destination it is.
    pub fn rally(&self) -> RallyId {
        match self {
            Self::Added(data) => data.rally,
            Self::Removed(data) => data.rally,
            Self::Switched(data) => data.rally,
        }
    }
}

/// A destination was added, switched on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Added {
    /// Whose.
    pub rally: RallyId,
    /// Which.
    pub destination: DestinationId,
    /// As the host calls it.
    pub label: String,
    /// Where to.
    pub server: String,
    /// The stream key, sealed.
    pub key: Sealed,
}

/// A destination was taken out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Removed {
    /// Whose.
    pub rally: RallyId,
    /// Which.
    pub destination: DestinationId,
}

/// A destination was switched on or off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Switched {
    /// Whose.
    pub rally: RallyId,
    /// Which.
    pub destination: DestinationId,
    /// Whether the program is to go there.
    pub on: bool,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("there is no such rally")]
    UnknownRally,
    #[error("this rally sends to no such server: it was removed")]
    Unknown,
    #[error("this rally has ended: it sends nothing more")]
    Ended,
    #[error("a rally sends to at most {DESTINATIONS_MAX} servers: remove one first")]
    TooMany,
    #[error("give it a name of at most {LABEL_CHARS_MAX} characters")]
    LabelLength,
    #[error(transparent)]
    Address(#[from] AddressError),
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let open = |rally: RallyId| match state.rallies.get(rally).ok_or(Refusal::UnknownRally)?.phase {
        Phase::Before | Phase::Live { .. } => Ok(()),
        Phase::Ended { .. } => Err(Refusal::Ended),
    };
    let event = match command {
        Command::Add { rally, destination, label, server, key } => {
            open(rally)?;
            if state.restreams.find(rally, destination).is_ok() {
                return Ok(vec![]);
            }
            if state.restreams.of(rally).len() >= DESTINATIONS_MAX {
                return Err(Refusal::TooMany);
            }
            if label.trim().is_empty() || label.chars().nth(LABEL_CHARS_MAX).is_some() {
                return Err(Refusal::LabelLength);
            }
            let server = Address::parse(&server)?.to_string();
            Event::Added(Added { rally, destination, label, server, key })
        }
        Command::Remove { rally, destination } => {
            state.restreams.find(rally, destination)?;
            Event::Removed(Removed { rally, destination })
        }
        Command::Switch { rally, destination, on } => {
            if state.restreams.find(rally, destination)?.on == on {
                return Ok(vec![]);
            }
            if on {
                open(rally)?;
            }
            Event::Switched(Switched { rally, destination, on })
        }
    };
    Ok(vec![super::Event::Restream(event)])
}

pub(super) fn evolve(state: &mut State, event: &Event) {
    let by_rally = &mut state.restreams.by_rally;
    match event {
        Event::Added(Added { rally, destination, label, server, key }) => {
            let (id, label, server, key) = (*destination, label.clone(), server.clone(), key.clone());
            by_rally.entry(*rally).or_default().push(Destination { id, label, server, key, on: true });
        }
        Event::Removed(Removed { rally, destination }) => {
            if let Some(all) = by_rally.get_mut(rally) {
                all.retain(|one| one.id != *destination);
                if all.is_empty() {
                    by_rally.remove(rally);
                }
            }
        }
        Event::Switched(Switched { rally, destination, on }) => {
            let all = by_rally.get_mut(rally).map(Vec::as_mut_slice).unwrap_or_default();
            all.iter_mut().filter(|one| one.id == *destination).for_each(|one| one.on = *on);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_kit::*;
    use uuid::Uuid;

    const HERE: DestinationId = DestinationId(Uuid::from_u128(0xd51));
    const SERVER: &str = "rtmps://a.rtmps.youtube.com/live2";

    fn add(label: &str, server: &str) -> Command {
        Command::Add { rally: RALLY, destination: HERE, label: label.into(), server: server.into(), key: sealed(7) }
    }

    fn added() -> Event {
        let (label, server) = ("YouTube".into(), SERVER.into());
        Event::Added(Added { rally: RALLY, destination: HERE, label, server, key: sealed(7) })
    }

    fn switch(on: bool) -> Command {
        Command::Switch { rally: RALLY, destination: HERE, on }
    }

    fn remove() -> Command {
        Command::Remove { rally: RALLY, destination: HERE }
    }

    #[test]
    fn a_destination_is_added_on_and_written_one_way() {
        let empty = given([created()]);
        let with = empty.when(add("YouTube", " RTMPS://A.rtmps.youtube.com:443/live2/ ")).then([added()]);
        with.when(add("YouTube", SERVER)).changes_nothing();
        let [one] = with.state.restreams.of(RALLY) else { panic!("one is there") };
        assert_eq!((one.on, one.server.as_str(), one.label.as_str()), (true, SERVER, "YouTube"));
        assert_eq!(with.state.restreams.of(OTHER_RALLY), []);
    }

    #[test]
    fn it_is_switched_and_removed_also_after_the_end() {
        let with = given([created()]).and([added()]);
        with.when(switch(true)).changes_nothing();
        let off = Event::Switched(Switched { rally: RALLY, destination: HERE, on: false });
        let off = with.when(switch(false)).then([off]);
        assert!(!off.state.restreams.of(RALLY)[0].on);
        let ended = off.clone().and([opened(), ended()]);
        ended.when(switch(true)).refuses(Refusal::Ended);
        let gone = ended.when(remove()).then([Event::Removed(Removed { rally: RALLY, destination: HERE })]);
        assert_eq!(gone.state.restreams, Restreams::default());
    }

    #[test]
    fn each_rule_has_its_refusal() {
        let empty = || given([created()]);
        given_nothing().when(add("x", SERVER)).refuses(Refusal::UnknownRally);
        empty().when(add(" ", SERVER)).refuses(Refusal::LabelLength);
        empty().when(add(&"x".repeat(LABEL_CHARS_MAX + 1), SERVER)).refuses(Refusal::LabelLength);
        empty().when(add("x", "https://example.org/live")).refuses(Refusal::Address(AddressError::Scheme));
        empty().when(switch(true)).refuses(Refusal::Unknown);
        empty().when(remove()).refuses(Refusal::Unknown);
        empty().and([opened(), ended()]).when(add("x", SERVER)).refuses(Refusal::Ended);
        let many = (0..DESTINATIONS_MAX).map(|at| {
            let destination = DestinationId(Uuid::from_u128(0xf00 + u128::try_from(at).unwrap()));
            Event::Added(Added { rally: RALLY, destination, label: "x".into(), server: SERVER.into(), key: sealed(1) })
        });
        empty().and(many).when(add("x", SERVER)).refuses(Refusal::TooMany);
    }
}
