//! What the schedule has to do for a plan at an instant, and the events by which an instalment comes to be.

use super::{Course, Ended, Event, Gift, Instalment, Plan, Skipped, Why, room};
use crate::domain::donation;
use crate::domain::id::{DonationId, PlanId};
use crate::domain::{self, State};
use chrono::{DateTime, Days, NaiveDate, Utc};

/// Days from each refused try of an instalment to the next: a card that lacked money has some after a payday, and one that was
/// replaced has its new number with the processor within two weeks.
pub const RETRY_DAYS: [u64; 3] = [3, 5, 7];

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask the processor what it keeps of the card that this gift was paid with.
    Learn(DonationId),
    /// A pause is over.
    Resume,
    /// An instalment is due, or the plan is over.
    Renew,
    /// Charge the saved card for this instalment.
    Pay(DonationId),
    /// Nothing more comes of it.
    End(Why),
}

impl Instalment {
    /// The day of the next try; `None` after the last.
    pub(super) fn again(&self) -> Option<NaiveDate> {
        let tries = usize::try_from(self.tries).unwrap_or(usize::MAX);
        let days = RETRY_DAYS.get(..tries)?.iter().sum();
        self.since.checked_add_days(Days::new(days))
    }
}

/// What is to be done for a plan now, if anything is.
pub fn step(state: &State, id: PlanId, now: DateTime<Utc>) -> Option<Step> {
    let plan = state.plans.get(id).filter(|plan| !plan.is_over())?;
    if let Some(donation) = plan.to_learn {
        return Some(Step::Learn(donation));
    }
    // Most have nothing to do for weeks, and no time zone is more than a day ahead.
    let latest = now.date_naive().succ_opt().unwrap_or(NaiveDate::MAX);
    if plan.course == Course::Runs && plan.open.is_none() && plan.next > latest && !plan.is_finished(latest) {
        return None;
    }
    let today = state.rallies.get(plan.rally)?.details.day_of(now);
    match (plan.course, plan.open) {
        (Course::Asked | Course::Ended(_), _) => None,
        (Course::Paused(until), _) => until.is_some_and(|until| until <= today).then_some(Step::Resume),
        (Course::Runs, Some(open)) => of_open(state, plan, open, today),
        (Course::Runs, None) => (plan.next <= today || plan.is_finished(today)).then_some(Step::Renew),
    }
}

fn of_open(state: &State, plan: &Plan, open: Instalment, today: NaiveDate) -> Option<Step> {
    let gift = state.donations.get(open.donation)?;
    // Its outcome comes by itself, or is asked for.
    if gift.in_flight.as_ref().is_some_and(|attempt| !attempt.waits_for_donor) {
        return None;
    }
    if plan.is_disputed(state) {
        return Some(Step::End(Why::Disputed));
    }
    match open.again() {
        None => Some(Step::End(Why::Failures)),
        Some(_) if plan.rhythm.until.is_some_and(|until| until < today) => Some(Step::End(Why::Finished)),
        Some(day) => (day <= today).then_some(Step::Pay(open.donation)),
    }
}

impl Plan {
    /// Whether its last day is before the next on which something would be charged.
    fn is_finished(&self, today: NaiveDate) -> bool {
        self.rhythm.until.is_some_and(|until| until < self.next.max(today))
    }

    /// Whether the bank disputes, or disputed, one of its gifts: who does not know of it is not charged again.
    fn is_disputed(&self, state: &State) -> bool {
        let mut gifts = self.gifts.iter().filter_map(|gift| state.donations.get(gift.donation));
        gifts.any(|gift| gift.disputes().next().is_some())
    }
}

/// The events by which what is due today is charged: one instalment at most, however many days have passed.
pub(super) fn renew(state: &State, id: PlanId, plan: &Plan, today: NaiveDate) -> Vec<domain::Event> {
    let end = |why| vec![domain::Event::Plan(Event::Ended(Ended { plan: id, why }))];
    if plan.course != Course::Runs || plan.open.is_some() || plan.saved.is_none() {
        return vec![];
    }
    if plan.is_finished(today) {
        return end(Why::Finished);
    }
    if plan.next > today {
        return vec![];
    }
    if plan.is_disputed(state) {
        return end(Why::Disputed);
    }
    let mut days = vec![plan.next];
    while let Some(last) = days.last().copied()
        && let next = plan.rhythm.every.next_after(plan.anchor, last)
        && next <= today
    {
        days.push(next);
    }
    let due = days.pop_if(|day| *day > plan.paid_late);
    let skipped = match days.as_slice() {
        [] => None,
        [from, ..] => Some(Skipped {
            plan: id,
            from: *from,
            to: days.last().copied().unwrap_or(*from),
            count: u32::try_from(days.len()).unwrap_or(u32::MAX),
        }),
    };
    let mut events: Vec<domain::Event> = skipped.map(Event::Skipped).map(domain::Event::Plan).into_iter().collect();
    let Some(due) = due else { return events };
    if room(state, plan, today, plan.amount).is_some() {
        return end(Why::Limit);
    }
    let number = plan.last_number().saturating_add(1);
    let gift = Gift { number, donation: DonationId::of_instalment(id, number), due };
    let renewed = plan.renewed(state, id, gift, plan.amount, today);
    events.extend(renewed.map(donation::Event::Renewed).map(domain::Event::Donation));
    events
}
