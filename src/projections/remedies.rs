//! What was done about gifts over a limit, in the order of the log, for finance and its reports.

use crate::domain::donation::Giver;
use crate::domain::hash::HashMap;
use crate::domain::id::{CommitteeId, DonationId, RemedyId};
use crate::domain::remedy::{Consent, Event as Happened, Reattributed, Redesignated, To};
use crate::domain::{Event, Recorded};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// What was done about one gift.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remedy {
    /// The event.
    pub seq: u64,
    /// Which remedy.
    pub id: RemedyId,
    /// Of which gift.
    pub donation: DonationId,
    /// To which committee.
    pub committee: CommitteeId,
    /// How much of it, in minor units.
    pub minor: i64,
    /// Where that counts.
    pub to: To,
    /// The name of the limit, of a redesignation.
    pub limit: Option<Box<str>>,
    /// How the donor agreed.
    pub consent: Consent,
    /// When: the day of the report that tells of it.
    pub day: NaiveDate,
    /// The event by which it was undone.
    pub undone: Option<u64>,
}

impl Remedy {
    /// Whether it counts, as far as was known by an event.
    pub fn counts_at(&self, seq: u64) -> bool {
        self.seq <= seq && self.undone.is_none_or(|undone| undone > seq)
    }

    /// The last event about it.
    pub fn told(&self) -> u64 {
        self.undone.unwrap_or(self.seq)
    }

    /// Whom it was reattributed to.
    pub fn person(&self) -> Option<Giver> {
        match self.to {
            To::Person(giver) => Some(giver),
            To::Day(_) => None,
        }
    }
}

/// Every remedy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Remedies {
    /// In the order of the log.
    pub all: Vec<Remedy>,
    places: HashMap<RemedyId, usize>,
    of_gift: HashMap<DonationId, Vec<usize>>,
}

impl Remedies {
    /// What was done about a gift, undone or not, in the order of the log.
    pub fn of(&self, donation: DonationId) -> impl Iterator<Item = &Remedy> {
        self.of_gift.get(&donation).into_iter().flatten().filter_map(|place| self.all.get(*place))
    }

    pub(super) fn apply(&mut self, recorded: &Recorded) {
        let Event::Remedy(event) = &recorded.event else { return };
        let seq = recorded.seq;
        match event {
            Happened::Redesignated(data) => {
                let Redesignated { remedy, donation, committee, amount, consent, day, .. } = *data;
                let (to, limit) = (To::Day(data.counts_on), Some(data.limit.as_str().into()));
                let minor = amount.minor;
                self.add(Remedy { seq, id: remedy, donation, committee, minor, to, limit, consent, day, undone: None });
            }
            Happened::Reattributed(data) => {
                let Reattributed { remedy, donation, committee, amount, day, .. } = *data;
                let (to, consent, minor) = (To::Person(data.giver()), Consent::Written, amount.minor);
                self.add(Remedy {
                    seq,
                    id: remedy,
                    donation,
                    committee,
                    minor,
                    to,
                    limit: None,
                    consent,
                    day,
                    undone: None,
                });
            }
            Happened::Undone(data) => {
                let place = self.places.get(&data.remedy).copied();
                if let Some(remedy) = place.and_then(|place| self.all.get_mut(place)) {
                    remedy.undone = Some(seq);
                }
            }
        }
    }

    fn add(&mut self, remedy: Remedy) {
        let place = self.all.len();
        self.places.insert(remedy.id, place);
        self.of_gift.entry(remedy.donation).or_default().push(place);
        self.all.push(remedy);
    }
}
