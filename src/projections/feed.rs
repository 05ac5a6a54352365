//! The latest donors of each rally, as they want to be shown.

use crate::domain::hash::HashMap;
use crate::domain::id::{DonationId, PersonId, RallyId};
use crate::domain::money::Money;
use crate::domain::sealed::Sealed;
use crate::domain::{Event, Recorded, donation};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Donors kept for each rally: what the longest list on a page shows.
pub const LATEST_MAX: usize = 30;

/// One donor in the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latest {
    /// Which donation.
    pub donation: DonationId,
    /// Who, to open the seal.
    pub donor: PersonId,
    /// A sealed [`crate::domain::profile::Shown`].
    pub shown: Sealed,
    /// What was received.
    pub amount: Money,
    /// When.
    pub at: DateTime<Utc>,
}

/// The latest donors by rally, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Feed {
    by_rally: HashMap<RallyId, VecDeque<Latest>>,
    pledged: HashMap<DonationId, Sealed>,
}

impl Feed {
    /// The latest donors, newest first.
    pub fn latest(&self, rally: RallyId) -> impl Iterator<Item = &Latest> {
        self.by_rally.get(&rally).into_iter().flatten()
    }

    pub(super) fn apply(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::Donation(donation::Event::Pledged(pledged)) => {
                self.pledged.insert(pledged.donation, pledged.shown.clone());
            }
            Event::Donation(donation::Event::Settled(settled)) => {
                let Some(shown) = self.pledged.remove(&settled.donation) else { return };
                let latest = self.by_rally.entry(settled.rally).or_default();
                latest.truncate(LATEST_MAX - 1);
                latest.push_front(Latest {
                    donation: settled.donation,
                    donor: settled.donor,
                    shown,
                    amount: settled.amount,
                    at: recorded.at,
                });
            }
            Event::Donation(_)
            | Event::Ledger(_)
            | Event::Staff(_)
            | Event::Rally(_)
            | Event::Broadcast(_)
            | Event::Show(_)
            | Event::Clip(_)
            | Event::Restream(_)
            | Event::Attendance(_)
            | Event::Inbox(_)
            | Event::Mail(_)
            | Event::Privacy(_)
            | Event::Committee(_)
            | Event::Drive(_)
            | Event::Books(_)
            | Event::Audit(_)
            | Event::Plan(_)
            | Event::Token(_)
            | Event::Hook(_)
            | Event::Period(_)
            | Event::Refund(_)
            | Event::Work(_)
            | Event::Person(_) => {}
        }
    }
}
