//! What a hook can be told, and in which shape.

use crate::domain::plan;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What a hook can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Money was received.
    Settled,
    /// Money was given back.
    Refunded,
    /// A refund failed after it was done.
    RefundReversed,
    /// A dispute took the money.
    Disputed,
    /// A dispute gave it back.
    DisputeReversed,
    /// The donor's bank took a debit back.
    Returned,
    /// A recurring gift began.
    RecurringStarted,
    /// It was changed, paused or resumed.
    RecurringChanged,
    /// Nothing more is charged for it.
    RecurringEnded,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Settled,
        Self::Refunded,
        Self::RefundReversed,
        Self::Disputed,
        Self::DisputeReversed,
        Self::Returned,
        Self::RecurringStarted,
        Self::RecurringChanged,
        Self::RecurringEnded,
    ];

    /// The word for it in forms and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Settled => "donation.settled",
            Self::Refunded => "donation.refunded",
            Self::RefundReversed => "donation.refund_reversed",
            Self::Disputed => "donation.disputed",
            Self::DisputeReversed => "donation.dispute_reversed",
            Self::Returned => "donation.returned",
            Self::RecurringStarted => "recurring.started",
            Self::RecurringChanged => "recurring.changed",
            Self::RecurringEnded => "recurring.ended",
        }
    }

    /// What is told of a recurring gift's event; none of what nobody outside has use for.
    pub fn of_plan(event: &plan::Event) -> Option<Self> {
        match event {
            plan::Event::Started(_) => Some(Self::RecurringStarted),
            plan::Event::Changed(_) | plan::Event::Paused(_) | plan::Event::Resumed(_) => Some(Self::RecurringChanged),
            plan::Event::Ended(_) => Some(Self::RecurringEnded),
            plan::Event::Asked(_) | plan::Event::CardChanged(_) | plan::Event::Skipped(_) => None,
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.word() == text);
        found.ok_or_else(|| "that is nothing a webhook can be told".into())
    }
}

/// How it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Our own JSON, with every kind.
    Groundswell,
    /// As ActBlue's webhooks are: contributions, refunds, cancellations.
    Actblue,
}

impl Shape {
    /// The word for it in forms.
    pub fn word(self) -> &'static str {
        match self {
            Self::Groundswell => "groundswell",
            Self::Actblue => "actblue",
        }
    }

    /// Whether it has a form for this.
    pub fn tells(self, kind: Kind) -> bool {
        match self {
            Self::Groundswell => true,
            Self::Actblue => {
                matches!(kind, Kind::Settled | Kind::Refunded | Kind::Disputed | Kind::Returned | Kind::RecurringEnded)
            }
        }
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = [Self::Groundswell, Self::Actblue].into_iter().find(|shape| shape.word() == text);
        found.ok_or_else(|| "a shape is groundswell or actblue".into())
    }
}
