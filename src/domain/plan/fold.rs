//! What events make of plans: their own, and those of their gifts.

use super::{Course, Event, Gift, Instalment, Plan, Plans, Rhythm};
use crate::domain::donation::{self, Renewed};
use crate::domain::id::DonationId;
use crate::domain::shared::Shared;
use crate::domain::{self, State, privacy};
use chrono::{DateTime, NaiveDate, Utc};

pub(in crate::domain) fn evolve(state: &mut State, event: &Event) {
    let plans = &mut state.plans;
    match event {
        Event::Asked(asked) => {
            let first = state.donations.get(asked.first).map(|first| first.day);
            let Some(anchor) = first else { return };
            let plan = Plan {
                rally: asked.rally,
                donor: asked.donor,
                amount: asked.amount,
                rhythm: Rhythm { every: asked.every, until: asked.until },
                saved: None,
                gifts: vec![Gift { number: 1, donation: asked.first, due: anchor }],
                course: Course::Asked,
                anchor,
                next: asked.every.next_after(anchor, anchor),
                passed: anchor,
                paid_late: anchor,
                open: None,
                offered: None,
                to_learn: None,
            };
            plans.by_donation.insert(asked.first, asked.plan);
            plans.by_id.insert(asked.plan, Shared::new(plan));
        }
        Event::Started(started) => plans.change(started.plan, |plan| {
            plan.saved = Some(started.saved.clone());
            plan.next = plan.next.max(started.next);
            plan.to_learn = None;
            if plan.course == Course::Asked {
                plan.course = Course::Runs;
            }
        }),
        Event::CardChanged(changed) => plans.change(changed.plan, |plan| {
            plan.saved = Some(changed.saved.clone());
            plan.to_learn = None;
        }),
        Event::Changed(changed) => plans.change(changed.plan, |plan| {
            plan.amount = changed.amount;
            plan.rhythm = Rhythm { every: changed.every, until: changed.until };
            plan.next = changed.next;
        }),
        Event::Paused(paused) => plans.change(paused.plan, |plan| {
            plan.course = Course::Paused(paused.until);
            // What was refused stays a donation that can be paid, and is not tried again by itself.
            plan.open = None;
        }),
        Event::Resumed(resumed) => plans.change(resumed.plan, |plan| {
            plan.course = Course::Runs;
            plan.next = resumed.next;
        }),
        Event::Skipped(skipped) => plans.change(skipped.plan, |plan| plan.passes(skipped.to)),
        Event::Ended(ended) => plans.change(ended.plan, |plan| plan.end(ended.why)),
    }
}

/// Takes in what other topics' events say of plans.
pub(in crate::domain) fn follow(state: &mut State, event: &domain::Event, at: DateTime<Utc>) {
    if let domain::Event::Privacy(privacy::Event::Erased(erased)) = event {
        state.plans.forget(erased.person);
    }
    let domain::Event::Donation(event) = event else { return };
    match event {
        donation::Event::Renewed(renewed) => renew(&mut state.plans, renewed),
        donation::Event::PaymentRequested(requested) => {
            let Some(id) = state.plans.by_donation.get(&requested.donation).copied() else { return };
            state.plans.change(id, |plan| plan.is_tried(requested));
        }
        donation::Event::Settled(settled) => {
            let Some(id) = state.plans.by_donation.get(&settled.donation).copied() else { return };
            let day = state.rallies.get(settled.rally).map_or(at.date_naive(), |rally| rally.details.day_of(at));
            state.plans.change(id, |plan| plan.settles(settled.donation, day));
        }
        donation::Event::Pledged(_)
        | donation::Event::Held(_)
        | donation::Event::Released(_)
        | donation::Event::TurnedAway(_)
        | donation::Event::CardFlagged(_)
        | donation::Event::CardCleared(_)
        | donation::Event::ActionRequired(_)
        | donation::Event::Processing(_)
        | donation::Event::CheckoutOpened(_)
        | donation::Event::CheckoutClosed(_)
        | donation::Event::FeeRecorded(_)
        | donation::Event::Declined(_)
        | donation::Event::RefundRequested(_)
        | donation::Event::Refunded(_)
        | donation::Event::RefundUnmatched(_)
        | donation::Event::RefundFailed(_)
        | donation::Event::RefundReversed(_)
        | donation::Event::RefundFailureUnmatched(_)
        | donation::Event::DisputeOpened(_)
        | donation::Event::DisputeRevised(_)
        | donation::Event::DisputeWithdrawn(_)
        | donation::Event::DisputeReinstated(_)
        | donation::Event::DisputeClosed(_)
        | donation::Event::DisputeUnmatched(_)
        | donation::Event::DebitReturned(_)
        | donation::Event::ReturnUnmatched(_)
        | donation::Event::CostRecorded(_) => {}
    }
}

fn renew(plans: &mut Plans, renewed: &Renewed) {
    plans.by_donation.insert(renewed.donation, renewed.plan);
    plans.change(renewed.plan, |plan| {
        let is_last = renewed.number > plan.last_number();
        if let Err(place) = plan.gifts.binary_search_by_key(&renewed.number, |gift| gift.number) {
            let Renewed { number, donation, due, .. } = *renewed;
            plan.gifts.insert(place, Gift { number, donation, due });
        }
        plan.passes(renewed.due);
        if is_last && plan.course == Course::Runs {
            plan.open = Some(Instalment { donation: renewed.donation, since: renewed.day, tries: 0 });
        }
    });
}

impl Plan {
    fn is_tried(&mut self, requested: &donation::PaymentRequested) {
        let by_saved = requested.customer.is_some();
        self.offered = Some(requested.donation).filter(|_| !by_saved);
        if let Some(open) = self.open.as_mut().filter(|open| open.donation == requested.donation && by_saved) {
            open.tries = open.tries.saturating_add(1);
        }
    }

    fn settles(&mut self, donation: DonationId, day: NaiveDate) {
        if let Some(open) = self.open.take_if(|open| open.donation == donation)
            && open.tries > 0
        {
            self.paid_late = self.paid_late.max(day);
        }
        let by_other = self.offered.take_if(|offered| *offered == donation).is_some();
        if !self.is_over() && (self.saved.is_none() || by_other) {
            self.to_learn = Some(donation);
        }
    }
}
