//! What happened to recurring gifts, for those outside who are told: the few events of theirs, in the log's order.

use crate::domain::hook::Kind;
use crate::domain::id::PlanId;
use crate::domain::{Event, Recorded};
use chrono::serde::ts_microseconds;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The event.
    pub seq: u64,
    /// When.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
    /// To which gift.
    pub plan: PlanId,
    /// What.
    pub kind: Kind,
}

/// Everything that happened, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recurring {
    turns: Vec<Turn>,
}

impl Recurring {
    /// What happened after an event.
    pub fn after(&self, seq: u64) -> &[Turn] {
        let first = self.turns.partition_point(|turn| turn.seq <= seq);
        self.turns.get(first..).unwrap_or_default()
    }

    /// What this event was.
    pub fn at(&self, seq: u64) -> Option<&Turn> {
        self.after(seq.checked_sub(1)?).first().filter(|turn| turn.seq == seq)
    }

    pub(super) fn apply(&mut self, recorded: &Recorded) {
        let Event::Plan(event) = &recorded.event else { return };
        let Some(kind) = Kind::of_plan(event) else { return };
        self.turns.push(Turn { seq: recorded.seq, at: recorded.at, plan: event.plan(), kind });
    }
}
