//! What happens to hooks. Each event is written to the log as it stands here, for ever.

use super::kind::{Kind, Shape};
use crate::domain::id::HookId;
use crate::domain::sealed::Sealed;
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    Added(Added),
    Removed(HookNamed),
    Switched(Switched),
    Rotated(HookNamed),
    Replayed(Replayed),
    Advanced(Advanced),
    GaveUp(GaveUp),
    SentAgain(SentAgain),
}

/// A receiver is told from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Added {
    /// Which.
    pub hook: HookId,
    /// As staff calls it.
    pub name: String,
    /// Where messages go.
    pub address: String,
    /// What it is told, in the order of [`Kind::ALL`].
    pub kinds: Vec<Kind>,
    /// How.
    pub shape: Shape,
    /// Whether it is told who gave.
    pub personal: bool,
    /// User name and password for it, sealed for [`super::sealed_for`] its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Sealed>,
    /// The last event that it is not told of.
    pub after: u64,
}

/// Something about a receiver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HookNamed {
    /// Which.
    pub hook: HookId,
}

/// A receiver is told, or is not for now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Switched {
    /// Which.
    pub hook: HookId,
    /// Whether it is.
    pub on: bool,
}

/// Everything is told again from an event on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replayed {
    /// Which.
    pub hook: HookId,
    /// The first event.
    pub from: u64,
}

/// A receiver has been told everything up to an event, bar what still waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advanced {
    /// Which.
    pub hook: HookId,
    /// Counted since which replay; one that was begun meanwhile makes it void.
    pub replays: u32,
    /// Up to and with this event.
    pub through: u64,
    /// Events before that which it has not been told of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<u64>,
}

/// A message was not taken for three days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GaveUp {
    /// Which.
    pub hook: HookId,
    /// The event it tells of.
    pub seq: u64,
    /// What the receiver answered last, in our words.
    pub reason: String,
}

/// A dead letter is tried once more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentAgain {
    /// Which.
    pub hook: HookId,
    /// The event it tells of.
    pub seq: u64,
}
