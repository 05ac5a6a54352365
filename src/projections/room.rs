//! People by rally: who joined, who is here, and the most there ever were at once.

use crate::domain::hash::HashMap;
use crate::domain::id::RallyId;
use crate::domain::{Event, Recorded, attendance, ledger};
use serde::{Deserialize, Serialize};

/// One rally's people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// People who joined; each once.
    pub joined: u64,
    /// People with a page open now.
    pub here: u64,
    /// The most that were here at once.
    pub peak: u64,
}

/// People by rally.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Room {
    by_rally: HashMap<RallyId, Count>,
}

impl Room {
    /// One rally's people.
    pub fn count(&self, rally: RallyId) -> Count {
        self.by_rally.get(&rally).copied().unwrap_or_default()
    }

    pub(super) fn apply(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::Attendance(attendance::Event::Joined(joined)) => {
                self.by_rally.entry(joined.rally).or_default().joined += 1;
            }
            Event::Attendance(attendance::Event::Entered(entered)) => {
                let count = self.by_rally.entry(entered.rally).or_default();
                count.here += 1;
                count.peak = count.peak.max(count.here);
            }
            Event::Attendance(attendance::Event::Left(left)) => {
                let count = self.by_rally.entry(left.rally).or_default();
                count.here = count.here.saturating_sub(1);
            }
            Event::Ledger(ledger::Event::Started(_)) => {
                self.by_rally.values_mut().for_each(|count| count.here = 0);
            }
            Event::Ledger(ledger::Event::Opened(_) | ledger::Event::AccountBound(_))
            | Event::Attendance(
                attendance::Event::Agreed(_) | attendance::Event::Withdrew(_) | attendance::Event::Invited(_),
            )
            | Event::Staff(_)
            | Event::Rally(_)
            | Event::Broadcast(_)
            | Event::Show(_)
            | Event::Clip(_)
            | Event::Restream(_)
            | Event::Donation(_)
            | Event::Inbox(_)
            | Event::Mail(_)
            | Event::Privacy(_)
            | Event::Committee(_)
            | Event::Drive(_)
            | Event::Books(_)
            | Event::Audit(_)
            | Event::Plan(_)
            | Event::Donor(_)
            | Event::Remedy(_)
            | Event::Token(_)
            | Event::Hook(_)
            | Event::Period(_)
            | Event::Refund(_)
            | Event::Work(_)
            | Event::Person(_) => {}
        }
    }
}
