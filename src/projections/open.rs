//! Money that is promised and not here: pledges nobody paid yet, and payments whose outcome is not known. Neither is in any
//! total.

use crate::domain::hash::HashMap;
use crate::domain::id::{DonationId, RallyId};
use crate::domain::{Event, Recorded, State, donation, privacy};
use serde::{Deserialize, Serialize};

/// How many, and how much in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heap {
    /// Donations.
    pub count: u64,
    /// Their sum.
    pub minor: i64,
}

/// One rally's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSums {
    /// The form was sent, and no payment is under way: most never come.
    pub pledged: Heap,
    /// A payment is under way: the donor's bank, or the processor, has not answered.
    pub processing: Heap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Standing {
    Pledged,
    Processing,
}

/// By rally. A donation that is paid weighs nothing here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Open {
    by_rally: HashMap<RallyId, OpenSums>,
    standing: HashMap<DonationId, Standing>,
}

impl Open {
    /// One rally's; zero if nothing is open.
    pub fn of(&self, rally: RallyId) -> OpenSums {
        self.by_rally.get(&rally).copied().unwrap_or_default()
    }

    pub(super) fn apply(&mut self, recorded: &Recorded, state: &State) {
        match &recorded.event {
            Event::Donation(event) => {
                if let Some(id) = event.donation() {
                    self.look_at(id, state);
                }
            }
            Event::Privacy(privacy::Event::Erased(erased)) => {
                erased.closed.iter().for_each(|id| self.look_at(*id, state));
            }
            Event::Privacy(privacy::Event::Disclosed(_) | privacy::Event::Viewed(_) | privacy::Event::Exported(_))
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

    fn look_at(&mut self, id: DonationId, state: &State) {
        let Some(gift) = state.donations.get(id) else { return };
        let next = standing(gift).filter(|_| !state.privacy.is_closed(id) && !is_turned_away(state, id));
        let before = match next {
            Some(next) => self.standing.insert(id, next),
            None => self.standing.remove(&id),
        };
        if before == next {
            return;
        }
        let sums = self.by_rally.entry(gift.rally).or_default();
        if let Some(heap) = before.map(|before| sums.heap(before)) {
            heap.count = heap.count.saturating_sub(1);
            heap.minor = heap.minor.saturating_sub(gift.amount.minor);
        }
        if let Some(heap) = next.map(|next| sums.heap(next)) {
            heap.count = heap.count.saturating_add(1);
            heap.minor = heap.minor.saturating_add(gift.amount.minor);
        }
    }
}

impl OpenSums {
    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        for (heap, more) in [(&mut self.pledged, other.pledged), (&mut self.processing, other.processing)] {
            heap.count = heap.count.saturating_add(more.count);
            heap.minor = heap.minor.saturating_add(more.minor);
        }
    }

    fn heap(&mut self, standing: Standing) -> &mut Heap {
        match standing {
            Standing::Pledged => &mut self.pledged,
            Standing::Processing => &mut self.processing,
        }
    }
}

/// A person decided that nothing comes of it.
fn is_turned_away(state: &State, id: DonationId) -> bool {
    state.donations.verdict(id) == Some(donation::Verdict::TurnedAway)
}

/// `None` once it is paid.
fn standing(gift: &donation::Donation) -> Option<Standing> {
    if gift.settled_minor() > 0 {
        return None;
    }
    Some(if gift.is_under_way() { Standing::Processing } else { Standing::Pledged })
}
