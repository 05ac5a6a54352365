//! What happens to a gift that went over a limit. Each event is written to the log as it stands here, for ever.

use crate::domain::id::{CommitteeId, DonationId, PersonId, RemedyId};
use crate::domain::money::Money;
use crate::domain::sealed::Sealed;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A part of a gift counts for another election.
    Redesignated(Redesignated),
    /// A part of a gift counts as another person's.
    Reattributed(Reattributed),
    /// One of them was a mistake.
    Undone(Undone),
}

impl Event {
    /// The gift that it is about.
    pub fn donation(&self) -> DonationId {
        match self {
            Self::Redesignated(data) => data.donation,
            Self::Reattributed(data) => data.donation,
            Self::Undone(data) => data.donation,
        }
    }
}

/// How a donor agreed to a redesignation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// In writing, signed (11 CFR 110.1(b)(5)(ii)(A)).
    Written,
    /// Presumed, with a notice to them that offers a refund (11 CFR 110.1(b)(5)(ii)(B)).
    Presumed,
}

/// A part of a gift counts for another election, under another limit of the same committee. Who recorded it stands in the
/// event's `by`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Redesignated {
    /// Which remedy.
    pub remedy: RemedyId,
    /// Of which gift.
    pub donation: DonationId,
    /// To which committee: the gift's own, or one of those that share it.
    #[serde(default, skip_serializing_if = "CommitteeId::is_first")]
    pub committee: CommitteeId,
    /// How much of it.
    pub amount: Money,
    /// The name of the limit under which it counts from now on.
    pub limit: String,
    /// The day as of which it counts: one of that limit.
    pub counts_on: NaiveDate,
    /// How the donor agreed.
    pub consent: Consent,
    /// When their writing was received, or their notice sent.
    pub day: NaiveDate,
}

/// A part of a gift from a joint account counts as another person's; both signed (11 CFR 110.1(k)(3)). Who recorded it stands in
/// the event's `by`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reattributed {
    /// Which remedy.
    pub remedy: RemedyId,
    /// Of which gift.
    pub donation: DonationId,
    /// To which committee: the gift's own, or one of those that share it.
    #[serde(default, skip_serializing_if = "CommitteeId::is_first")]
    pub committee: CommitteeId,
    /// How much of it.
    pub amount: Money,
    /// Whose it is, by e-mail address; where they have none, by name and postal address.
    pub person: PersonId,
    /// The same by name and postal address.
    pub likeness: PersonId,
    /// A sealed [`crate::domain::profile::Contact`], theirs.
    pub contact: Sealed,
    /// When the writing that both signed was received.
    pub day: NaiveDate,
}

/// A remedy was a mistake, and counts no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// Which.
    pub remedy: RemedyId,
    /// Of which gift.
    pub donation: DonationId,
}
