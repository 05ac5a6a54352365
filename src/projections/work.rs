//! The finance team's work: what waits for a person and until when, and what was done lately. What waits is read from what the
//! state knows of it, one function a kind; what was done is kept as it happens, for the facts that did it leave nothing behind.

use super::Projections;
use super::alike::{self, Likely};
use super::totals::end_of;
use crate::domain::donation::{self, Donation};
use crate::domain::id::DonationId;
use crate::domain::period::Period;
use crate::domain::person::{Event as Person, Pair};
use crate::domain::remedy::Event as Remedy;
use crate::domain::work::{self, Item, Kind};
use crate::domain::{Event, Recorded, State, audit, donor, period, refund};
use chrono::serde::ts_microseconds;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::America::New_York;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Until a held gift is decided on, or a refund: its donor waits, and was told that a person looks.
const HELD: TimeDelta = TimeDelta::days(2);
/// Until a treasurer has found out whether a gift that is in question is lawful, or gives it back (11 CFR 103.3(b)(1)).
const IN_QUESTION: TimeDelta = TimeDelta::days(30);
/// Until the books agree: whoever looks later has forgotten what it was about.
const MISMATCH: TimeDelta = TimeDelta::days(7);
/// Until an amendment that was made is filed: what it amends was filed long ago.
const AMENDMENT: TimeDelta = TimeDelta::days(7);
/// Items that are kept after they were done: a page lists fewer, and a team of tens does fewer in [`FINISHED`].
const FINISHED_MAX: usize = 2_000;
/// How long they are shown: a quarter, between one report and the next.
pub const FINISHED: TimeDelta = TimeDelta::days(90);

/// Something that waits for a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// What.
    pub item: Item,
    /// The gift it is about, and so the donor; none where it is about none.
    pub donation: Option<DonationId>,
    /// Until when it is to be done; none where nobody has told.
    pub due: Option<DateTime<Utc>>,
}

/// All that waits for a person, the first due first; what has no day is last. What only a look through the ledger finds is given.
pub fn waiting(world: &Projections, looked: Vec<Waiting>) -> Vec<Waiting> {
    let mut waiting = looked;
    for list in [held, cards, disputes, mismatches, refunds, reports, duplicates] {
        waiting.extend(list(world));
    }
    waiting.retain(|one| !world.state.work.standing(&one.item).done);
    waiting.sort_by(|one, other| {
        (one.due.is_none(), one.due, &one.item).cmp(&(other.due.is_none(), other.due, &other.item))
    });
    waiting
}

fn held(world: &Projections) -> Vec<Waiting> {
    let waiting = |(since, id): (DateTime<Utc>, DonationId)| Waiting {
        item: Item::of_donation(Kind::Held, id),
        donation: Some(id),
        due: since.checked_add_signed(HELD),
    };
    donation::held(&world.state).into_iter().map(waiting).collect()
}

fn cards(world: &Projections) -> Vec<Waiting> {
    let waiting = |(id, flag): (DonationId, donation::Flag)| Waiting {
        item: Item::of_donation(Kind::Card, id),
        donation: Some(id),
        due: flag.at.checked_add_signed(IN_QUESTION),
    };
    donation::flagged(&world.state).into_iter().map(waiting).collect()
}

fn disputes(world: &Projections) -> Vec<Waiting> {
    let gifts = world.ledger.disputed().filter_map(|id| Some((id, world.state.donations.get(id)?)));
    let open = gifts.flat_map(|(id, gift)| gift.disputes().map(move |dispute| (id, dispute)));
    let open = open.filter(|(_, (_, dispute))| dispute.closed.is_none());
    let waiting = |(donation, (id, dispute)): (DonationId, (_, &donation::Dispute))| Waiting {
        item: Item::of_dispute(donation, id),
        donation: Some(donation),
        due: dispute.due_by,
    };
    open.map(waiting).collect()
}

fn mismatches(world: &Projections) -> Vec<Waiting> {
    let waiting = |open: &audit::Open| Waiting {
        item: Item::of_mismatch(&open.finding.mismatch),
        donation: open.finding.donation,
        due: open.since.checked_add_signed(MISMATCH),
    };
    world.state.audit.open().map(waiting).collect()
}

fn refunds(world: &Projections) -> Vec<Waiting> {
    let waiting = |(_, refund): (_, &refund::Waiting)| Waiting {
        item: Item::of_donation(Kind::Refund, refund.donation),
        donation: Some(refund.donation),
        due: refund.at.checked_add_signed(HELD),
    };
    world.state.refunds.waiting().into_iter().map(waiting).collect()
}

fn reports(world: &Projections) -> Vec<Waiting> {
    let open = world.state.periods.live().filter(|(id, _)| world.state.periods.is_to_file(*id));
    let waiting = |(id, period): (_, &Period)| {
        let due = match period.amends() {
            Some(_) => period.at.checked_add_signed(AMENDMENT),
            // The FEC takes a report as filed on a day until the end of it there (11 CFR 100.19(c)).
            None => period.closed.due().and_then(|day| end_of(day, New_York)),
        };
        Waiting { item: Item::of_period(id), donation: None, due }
    };
    open.map(waiting).collect()
}

fn duplicates(world: &Projections) -> Vec<Waiting> {
    let waiting = |likely: Likely| Waiting {
        item: Item::of_pair(likely.pair),
        donation: world.state.donations.last_of(likely.pair.both()[0]),
        due: likely.since.checked_add_signed(IN_QUESTION),
    };
    alike::likely(world).into_iter().map(waiting).collect()
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// What.
    pub item: Item,
    /// The event by which it was done: who asked for that is read there.
    pub seq: u64,
    /// When.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
    /// Whether a person said so, and can take it back.
    pub is_said: bool,
}

/// What was done lately.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finished(VecDeque<Done>);

impl Finished {
    /// What was done within [`FINISHED`], the latest first.
    pub fn since(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Done> {
        self.0.iter().take_while(move |done| now.signed_duration_since(done.at) <= FINISHED)
    }

    pub(super) fn apply(&mut self, recorded: &Recorded, state: &State) {
        if let Event::Work(work::Event::Reopened(reopened)) = &recorded.event {
            self.0.retain(|done| done.item != reopened.item);
        }
        let Some(item) = done_by(&recorded.event, state) else { return };
        self.0.retain(|done| done.item != item);
        let is_said = matches!(recorded.event, Event::Work(_));
        self.0.push_front(Done { item, seq: recorded.seq, at: recorded.at, is_said });
        self.0.truncate(FINISHED_MAX);
    }
}

/// What an event does of what waited.
fn done_by(event: &Event, state: &State) -> Option<Item> {
    match event {
        Event::Donation(event) => done_by_donation(event, state),
        Event::Donor(donor::Event::Asked(asked)) => employer(asked.donation, state),
        Event::Donor(donor::Event::Answered(answered)) => employer(answered.donation, state),
        Event::Remedy(Remedy::Redesignated(data)) => Some(Item::of_gift(Kind::Excess, data.donation, data.committee)),
        Event::Remedy(Remedy::Reattributed(data)) => Some(Item::of_gift(Kind::Excess, data.donation, data.committee)),
        Event::Audit(audit::Event::Settled(settled)) => Some(Item::of_mismatch(&settled.mismatch)),
        Event::Person(Person::Merged(merged)) => Some(Item::of_pair(Pair::of(merged.kept, merged.other))),
        Event::Person(Person::ToldApart(told)) => Some(Item::of_pair(Pair::of(told.one, told.other))),
        Event::Work(work::Event::Done(done)) => Some(done.item.clone()),
        Event::Refund(refund::Event::Approved(data)) => Some(Item::of_donation(Kind::Refund, data.donation)),
        Event::Refund(refund::Event::TurnedDown(data)) => Some(Item::of_donation(Kind::Refund, data.donation)),
        Event::Period(period::Event::Closed(closed)) => {
            let first = closed.report.as_ref()?.amends?.period;
            let before = state.periods.amendments(first).rev().nth(1).map_or(first, |(id, _)| id);
            Some(Item::of_change(before, closed.seq))
        }
        Event::Period(period::Event::Filed(filed)) => Some(Item::of_period(filed.period)),
        Event::Period(period::Event::Withdrawn(gone)) => Some(Item::of_period(gone.period)),
        Event::Refund(refund::Event::Proposed(_) | refund::Event::RuleSet(_))
        | Event::Remedy(Remedy::Undone(_))
        | Event::Work(work::Event::Assigned(_) | work::Event::Reopened(_))
        | Event::Audit(audit::Event::Found(_))
        | Event::Person(Person::Parted(_))
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
        | Event::Plan(_)
        | Event::Token(_)
        | Event::Hook(_) => None,
    }
}

fn employer(donation: DonationId, state: &State) -> Option<Item> {
    Some(Item::of_gift(Kind::Employer, donation, state.donations.get(donation)?.committee))
}

fn done_by_donation(event: &donation::Event, state: &State) -> Option<Item> {
    use donation::Event;
    let given_back = |id: DonationId| {
        let left = state.donations.get(id).map_or(0, Donation::left_minor);
        let card = (state.donations.is_flagged(id) && left == 0).then(|| Item::of_donation(Kind::Card, id));
        card.or_else(|| state.work.taken_of(Kind::Excess, id))
    };
    match event {
        Event::Released(data) => Some(Item::of_donation(Kind::Held, data.donation)),
        Event::TurnedAway(data) => Some(Item::of_donation(Kind::Held, data.donation)),
        Event::CardCleared(data) => Some(Item::of_donation(Kind::Card, data.donation)),
        Event::DisputeClosed(data) => Some(Item::of_dispute(data.donation, &data.dispute)),
        Event::Refunded(data) => given_back(data.donation),
        Event::DebitReturned(data) => given_back(data.donation),
        Event::Pledged(_)
        | Event::Renewed(_)
        | Event::Held(_)
        | Event::CardFlagged(_)
        | Event::PaymentRequested(_)
        | Event::ActionRequired(_)
        | Event::Processing(_)
        | Event::CheckoutOpened(_)
        | Event::CheckoutClosed(_)
        | Event::Settled(_)
        | Event::FeeRecorded(_)
        | Event::Declined(_)
        | Event::RefundRequested(_)
        | Event::RefundUnmatched(_)
        | Event::RefundFailed(_)
        | Event::RefundReversed(_)
        | Event::RefundFailureUnmatched(_)
        | Event::DisputeOpened(_)
        | Event::DisputeRevised(_)
        | Event::DisputeWithdrawn(_)
        | Event::DisputeReinstated(_)
        | Event::DisputeUnmatched(_)
        | Event::ReturnUnmatched(_)
        | Event::CostRecorded(_) => None,
    }
}

#[cfg(test)]
mod tests;
