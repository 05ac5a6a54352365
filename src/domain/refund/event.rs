//! What is recorded of refunds that two people decide.

use crate::domain::id::{DonationId, PersonId, RefundId};
use crate::domain::money::Money;
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Somebody asks for a refund that a second person is to approve.
    Proposed(Proposed),
    /// A second person approved it.
    Approved(Approved),
    /// It was turned down, or taken back.
    TurnedDown(TurnedDown),
    /// From which sum on a second person is wanted.
    RuleSet(RuleSet),
}

impl Event {
    /// The donation it is about.
    pub fn donation(&self) -> Option<DonationId> {
        match self {
            Self::Proposed(data) => Some(data.donation),
            Self::Approved(data) => Some(data.donation),
            Self::TurnedDown(data) => Some(data.donation),
            Self::RuleSet(_) => None,
        }
    }
}

/// Somebody asks for a refund that a second person is to approve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposed {
    /// Of which donation.
    pub donation: DonationId,
    /// The refund it becomes.
    pub refund: RefundId,
    /// How much.
    pub amount: Money,
    /// Who asks.
    pub by: PersonId,
    /// Why.
    pub reason: String,
}

/// A second person approved a refund.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approved {
    /// Of which donation.
    pub donation: DonationId,
    /// Which.
    pub refund: RefundId,
    /// Who.
    pub by: PersonId,
}

/// A refund that waited was turned down, or taken back by who asked for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnedDown {
    /// Of which donation.
    pub donation: DonationId,
    /// Which.
    pub refund: RefundId,
    /// Who.
    pub by: PersonId,
    /// Why.
    pub reason: String,
}

/// From which sum on a refund waits for a second person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleSet {
    /// The sum, in major units of the gift's currency; `None` for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above_major: Option<u32>,
    /// Who said so.
    pub by: PersonId,
}
