//! What happens to plans. Each event is written to the log as it stands here, for ever.

use super::rhythm::Every;
use crate::domain::id::{DonationId, PersonId, PlanId, RallyId};
use crate::domain::money::Money;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    Asked(Asked),
    Started(Started),
    CardChanged(CardChanged),
    Changed(Changed),
    Paused(Paused),
    Resumed(Resumed),
    Skipped(Skipped),
    Ended(Ended),
}

impl Event {
    /// Which plan it is about.
    pub fn plan(&self) -> PlanId {
        match self {
            Self::Asked(data) => data.plan,
            Self::Started(data) => data.plan,
            Self::CardChanged(data) => data.plan,
            Self::Changed(data) => data.plan,
            Self::Paused(data) => data.plan,
            Self::Resumed(data) => data.plan,
            Self::Skipped(data) => data.plan,
            Self::Ended(data) => data.plan,
        }
    }
}

/// The processor's names for whom it keeps a card, and for that card; not the card.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// For whom; empty where the processor needs none.
    pub customer: String,
    /// What is charged.
    pub method: String,
}

/// Prints neither, so that no log line can.
impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Saved(_)")
    }
}

/// A donor who pledged wants to give again and again; nothing is charged but the first gift until [`Started`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Which plan.
    pub plan: PlanId,
    /// Where it was given.
    pub rally: RallyId,
    /// Who gives.
    pub donor: PersonId,
    /// The first gift.
    pub first: DonationId,
    /// How much each time.
    pub amount: Money,
    /// How often.
    pub every: Every,
    /// The last day on which anything is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
}

/// The first gift is there, and the processor keeps its card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// Which plan.
    pub plan: PlanId,
    /// What is charged from now on.
    pub saved: Saved,
    /// When next.
    pub next: NaiveDate,
}

/// A later gift was paid with another card, which is charged from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CardChanged {
    /// Which plan.
    pub plan: PlanId,
    /// What is charged from now on.
    pub saved: Saved,
}

/// The donor wants it otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// Which plan.
    pub plan: PlanId,
    /// How much each time.
    pub amount: Money,
    /// How often.
    pub every: Every,
    /// The last day on which anything is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
    /// When next.
    pub next: NaiveDate,
}

/// Nothing is charged for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paused {
    /// Which plan.
    pub plan: PlanId,
    /// The day on which it goes on by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
}

/// It goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resumed {
    /// Which plan.
    pub plan: PlanId,
    /// When next.
    pub next: NaiveDate,
}

/// Days on which something was due passed while nothing could be charged, and never will be for them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// Which plan.
    pub plan: PlanId,
    /// The first of them.
    pub from: NaiveDate,
    /// The last.
    pub to: NaiveDate,
    /// How many.
    pub count: u32,
}

/// Nothing is charged any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Which plan.
    pub plan: PlanId,
    /// Why.
    pub why: Why,
}

/// Why a plan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The donor stopped it.
    Donor,
    /// Staff stopped it.
    Staff,
    /// Its last day came.
    Finished,
    /// The card was refused too often.
    Failures,
    /// The law lets this person give no more of this amount.
    Limit,
    /// The donor's bank disputes one of its gifts.
    Disputed,
    /// The processor kept no card that can be charged again.
    NotKept,
    /// The donor was erased.
    Erased,
}
