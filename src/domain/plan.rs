//! Recurring gifts: what a donor wants charged again and again, and what becomes of it.
//!
//! The schedule is kept here, and no processor's: each instalment is a donation like any other, with an id derived from the
//! plan and its number, so that limits, refunds, disputes, webhooks and receipts need no second way.

mod event;
mod fold;
mod rhythm;
mod step;
#[cfg(test)]
mod tests;

pub use event::{Asked, CardChanged, Changed, Ended, Event, Paused, Resumed, Saved, Skipped, Started, Why};
pub(super) use fold::{evolve, follow};
pub use rhythm::{Every, Rhythm};
pub use step::{RETRY_DAYS, Step, step};

use super::State;
use super::donation::{self, AMOUNT_MINOR_MAX, Donation, Pledged, Renewed};
use super::hash::HashMap;
use super::id::{DonationId, PersonId, PlanId, RallyId};
use super::money::Money;
use super::shared::Shared;
use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};
use std::ops::Deref;
use thiserror::Error;

/// The longest pause that ends by itself, in days: who wants a longer one has none in mind, and goes on by hand.
pub const PAUSE_DAYS_MAX: u64 = 366;

/// One recurring gift.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Where it was given.
    pub rally: RallyId,
    /// Who gives.
    pub donor: PersonId,
    /// How much each time.
    pub amount: Money,
    /// How often, and until when.
    pub rhythm: Rhythm,
    /// What is charged; none until the first gift is there.
    pub saved: Option<Saved>,
    /// Its gifts in the order of their numbers, the first one too, as far as they are known.
    pub gifts: Vec<Gift>,
    course: Course,
    /// From which day the rhythm counts.
    anchor: NaiveDate,
    next: NaiveDate,
    /// The last day for which something was charged or skipped.
    passed: NaiveDate,
    /// The last day on which one was paid late: what fell due until then is not charged on top.
    paid_late: NaiveDate,
    open: Option<Instalment>,
    /// A gift for which the donor offered a card of their own.
    offered: Option<DonationId>,
    /// A gift that was paid with another card than the one that is saved.
    to_learn: Option<DonationId>,
}

/// A gift of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gift {
    /// 1 for the one on the form.
    pub number: u32,
    /// Which donation.
    pub donation: DonationId,
    /// The plan's day that it is for.
    pub due: NaiveDate,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Course {
    Asked,
    Runs,
    Paused(Option<NaiveDate>),
    Ended(Why),
}

/// An instalment whose money is not here.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Instalment {
    donation: DonationId,
    /// The day on which it was first due to be charged.
    since: NaiveDate,
    /// How often the saved card was tried for it.
    tries: u32,
}

/// How a plan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The first gift is not there, or the processor has not said what it keeps.
    Asked,
    /// It is charged on its days.
    Active,
    /// The last instalment was refused so many times; it is tried again on a day, where one is left.
    PastDue {
        /// Tries so far.
        tries: u32,
        /// The next.
        again: Option<NaiveDate>,
    },
    /// Nothing is charged until a day, or until the donor goes on.
    Paused {
        /// The day on which it goes on by itself.
        until: Option<NaiveDate>,
    },
    /// Nothing is charged any more.
    Ended {
        /// Why.
        why: Why,
    },
}

impl Plan {
    /// How it stands.
    pub fn standing(&self) -> Standing {
        match self.course {
            Course::Asked => Standing::Asked,
            Course::Paused(until) => Standing::Paused { until },
            Course::Ended(why) => Standing::Ended { why },
            Course::Runs => match self.open.filter(|open| open.tries > 0) {
                Some(open) => Standing::PastDue { tries: open.tries, again: open.again() },
                None => Standing::Active,
            },
        }
    }

    /// When something is charged next; `None` where nothing is planned.
    pub fn next(&self) -> Option<NaiveDate> {
        let within = self.rhythm.until.is_none_or(|until| self.next <= until);
        (self.course == Course::Runs && within).then_some(self.next)
    }

    /// Whether anything may still be charged under it.
    pub fn is_over(&self) -> bool {
        matches!(self.course, Course::Ended(_))
    }

    /// The instalment whose money is not here.
    pub fn open(&self) -> Option<DonationId> {
        self.open.map(|open| open.donation)
    }

    /// The gift of it that a donation is.
    pub fn gift(&self, donation: DonationId) -> Option<&Gift> {
        self.gifts.iter().find(|gift| gift.donation == donation)
    }

    fn last_number(&self) -> u32 {
        self.gifts.last().map_or(0, |gift| gift.number)
    }

    fn first<'a>(&self, state: &'a State) -> Option<(DonationId, &'a Donation)> {
        let first = self.gifts.first().filter(|gift| gift.number == 1)?.donation;
        Some((first, state.donations.get(first)?))
    }

    fn passes(&mut self, day: NaiveDate) {
        self.passed = self.passed.max(day);
        self.next = self.next.max(self.rhythm.every.next_after(self.anchor, self.passed));
    }
}

/// Every plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plans {
    by_id: HashMap<PlanId, Shared<Plan>>,
    by_donation: HashMap<DonationId, PlanId>,
}

impl Plans {
    /// The plan with this id.
    pub fn get(&self, id: PlanId) -> Option<&Plan> {
        self.by_id.get(&id).map(Deref::deref)
    }

    /// The plan that a donation is a gift of, also the first.
    pub fn of_donation(&self, donation: DonationId) -> Option<(PlanId, &Plan)> {
        let id = *self.by_donation.get(&donation)?;
        Some((id, self.get(id)?))
    }

    /// Every plan, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (PlanId, &Plan)> {
        self.by_id.iter().map(|(id, plan)| (*id, &**plan))
    }

    fn change(&mut self, id: PlanId, change: impl FnOnce(&mut Plan)) {
        if let Some(plan) = self.by_id.get_mut(&id) {
            change(plan.change());
        }
    }

    /// Whoever is gone gives no more.
    pub(super) fn forget(&mut self, person: PersonId) {
        for plan in self.by_id.values_mut().filter(|plan| plan.donor == person) {
            let plan = plan.change();
            plan.end(Why::Erased);
        }
    }
}

impl Plan {
    fn end(&mut self, why: Why) {
        if !self.is_over() {
            self.course = Course::Ended(why);
        }
        (self.open, self.to_learn, self.saved) = (None, None, None);
    }
}

/// What may be asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    /// A donor filled in the form, and wants to give again and again.
    Pledge { pledge: Box<Pledged>, rhythm: Rhythm },
    /// What the processor keeps of the means by which a gift was paid; `None` where nothing.
    RecordSaved { plan: PlanId, donation: DonationId, saved: Option<Saved> },
    /// Charges what is due on a day, or ends what is over by then.
    Renew { plan: PlanId, today: NaiveDate },
    /// The donor wants it otherwise.
    Change { plan: PlanId, amount: Money, rhythm: Rhythm, today: NaiveDate },
    /// Nothing is to be charged for a while.
    Pause { plan: PlanId, until: Option<NaiveDate>, today: NaiveDate },
    /// It goes on.
    Resume { plan: PlanId, today: NaiveDate },
    /// Nothing is to be charged any more.
    End { plan: PlanId, why: Why },
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("there is no such recurring gift")]
    Unknown,
    #[error("this recurring gift has ended: a new one is a new donation")]
    Ended,
    #[error("this recurring gift has not begun: it does with the first payment")]
    NotStarted,
    #[error("weekly gifts end with an election day, and this campaign has named none ahead: choose monthly")]
    NoLastDay,
    #[error("a person of the campaign looks at gifts of more than {} first: choose at most that, or make a new gift", .0.to_short())]
    HeldAbove(Money),
    #[error("choose a day after today, and within a year")]
    PauseDay,
    #[error(transparent)]
    Donation(#[from] donation::Refusal),
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, super::Refusal> {
    let known = |id: PlanId| state.plans.get(id).ok_or(Refusal::Unknown);
    let events = match command {
        Command::Pledge { pledge, rhythm } => return ask(state, *pledge, rhythm),
        Command::Renew { plan, today } => return Ok(step::renew(state, plan, known(plan)?, today)),
        Command::RecordSaved { plan, donation, saved } => learn(state, plan, known(plan)?, donation, saved),
        Command::Change { plan, amount, rhythm, today } => {
            change(state, plan, begun(known(plan)?)?, amount, rhythm, today)?
        }
        Command::Pause { plan, until, today } => {
            let current = begun(known(plan)?)?;
            let latest = today.checked_add_days(Days::new(PAUSE_DAYS_MAX)).unwrap_or(NaiveDate::MAX);
            if until.is_some_and(|until| until <= today || until > latest) {
                return Err(Refusal::PauseDay.into());
            }
            if current.course == Course::Paused(until) { vec![] } else { vec![Event::Paused(Paused { plan, until })] }
        }
        Command::Resume { plan, today } => match begun(known(plan)?)? {
            current @ Plan { course: Course::Paused(_), .. } => {
                vec![Event::Resumed(Resumed { plan, next: current.next_from(current.rhythm.every, today) })]
            }
            _ => vec![],
        },
        Command::End { plan, why } => {
            if known(plan)?.is_over() {
                vec![]
            } else {
                vec![Event::Ended(Ended { plan, why })]
            }
        }
    };
    Ok(events.into_iter().map(super::Event::Plan).collect())
}

fn begun(plan: &Plan) -> Result<&Plan, Refusal> {
    match plan.course {
        Course::Ended(_) => Err(Refusal::Ended),
        Course::Asked => Err(Refusal::NotStarted),
        Course::Runs | Course::Paused(_) => Ok(plan),
    }
}

impl Plan {
    /// The first day of a rhythm that is not over and was not charged for.
    fn next_from(&self, every: Every, today: NaiveDate) -> NaiveDate {
        let yesterday = today.pred_opt().unwrap_or(today);
        every.next_after(self.anchor, self.passed.max(yesterday))
    }
}

fn ask(state: &State, pledge: Pledged, rhythm: Rhythm) -> Result<Vec<super::Event>, super::Refusal> {
    if rhythm.every == Every::Week && rhythm.until.is_none() {
        return Err(Refusal::NoLastDay.into());
    }
    let Pledged { rally, donor, donation: first, amount, .. } = pledge;
    let Rhythm { every, until } = rhythm;
    let asked = Asked { plan: PlanId::of(first), rally, donor, first, amount, every, until };
    let mut events = donation::decide(state, donation::Command::Pledge(pledge))?;
    events.push(super::Event::Plan(Event::Asked(asked)));
    Ok(events)
}

fn learn(state: &State, id: PlanId, plan: &Plan, donation: DonationId, saved: Option<Saved>) -> Vec<Event> {
    if plan.is_over() || plan.to_learn != Some(donation) {
        return vec![];
    }
    match (saved, &plan.saved) {
        (Some(saved), None) => {
            let next = plan.rhythm.every.next_after(plan.anchor, plan.passed);
            vec![Event::Started(Started { plan: id, saved, next })]
        }
        (Some(saved), Some(_)) => vec![Event::CardChanged(CardChanged { plan: id, saved })],
        (None, None) if state.donations.get(donation).is_some() => {
            vec![Event::Ended(Ended { plan: id, why: Why::NotKept })]
        }
        // The card that was kept before is charged on.
        (None, Some(saved)) => vec![Event::CardChanged(CardChanged { plan: id, saved: saved.clone() })],
        (None, None) => vec![],
    }
}

fn change(
    state: &State,
    id: PlanId,
    plan: &Plan,
    amount: Money,
    rhythm: Rhythm,
    today: NaiveDate,
) -> Result<Vec<Event>, Refusal> {
    let currency = plan.amount.currency;
    if amount.currency != currency {
        return Err(donation::Refusal::WrongCurrency.into());
    }
    let smallest = currency.minor_per_major();
    if amount.minor < smallest {
        return Err(donation::Refusal::TooSmall(Money::new(smallest, currency)).into());
    }
    if amount.minor > AMOUNT_MINOR_MAX {
        return Err(donation::Refusal::TooLarge(Money::new(AMOUNT_MINOR_MAX, currency)).into());
    }
    // Nobody looks at instalments, so what is charged does not grow past the sum by itself.
    if amount.minor > plan.amount.minor
        && let Some(most) =
            plan.first(state).and_then(|(_, first)| donation::held_above(state, first.committee, amount))
    {
        return Err(Refusal::HeldAbove(most));
    }
    if rhythm.every == Every::Week && rhythm.until.is_none_or(|until| until <= today) {
        return Err(Refusal::NoLastDay);
    }
    if (amount, rhythm) == (plan.amount, plan.rhythm) {
        return Ok(vec![]);
    }
    if let Some(room) = room(state, plan, today, amount) {
        return Err(donation::Refusal::OverLimit(room).into());
    }
    let Rhythm { every, until } = rhythm;
    // A gift that is due today stays due today; another rhythm begins after today.
    let next =
        if every == plan.rhythm.every { plan.next } else { every.next_after(plan.anchor, plan.passed.max(today)) };
    Ok(vec![Event::Changed(Changed { plan: id, amount, every, until, next })])
}

/// The limit that an amount of a day would pass; `None` where it stays below all.
fn room(state: &State, plan: &Plan, day: NaiveDate, amount: Money) -> Option<super::committee::Room> {
    let gift = donation::Gift { day, amount, ..plan.first(state)?.1.gift() };
    donation::room(state, &gift, plan.open()).filter(|room| room.left.minor < amount.minor)
}

/// The events by which an instalment is taken in that this log does not know, as the processor tells of it.
pub(super) fn take_in(state: &State, told: donation::Told) -> Result<Vec<donation::Event>, donation::Refusal> {
    let donation::Told { plan: id, number, donation, due, amount } = told;
    if state.donations.get(donation).is_some() {
        return Ok(vec![]);
    }
    let plan = state.plans.get(id).ok_or(donation::Refusal::Unknown)?;
    if number < 2 || donation != DonationId::of_instalment(id, number) {
        return Err(donation::Refusal::Unknown);
    }
    if amount.currency != plan.amount.currency {
        return Err(donation::Refusal::WrongCurrency);
    }
    if !(1..=AMOUNT_MINOR_MAX).contains(&amount.minor) {
        return Err(donation::Refusal::AmountOutOfRange);
    }
    let renewed = plan.renewed(state, id, Gift { number, donation, due }, amount, due);
    Ok(vec![donation::Event::Renewed(renewed.ok_or(donation::Refusal::Unknown)?)])
}

impl Plan {
    fn renewed(&self, state: &State, plan: PlanId, gift: Gift, amount: Money, day: NaiveDate) -> Option<Renewed> {
        let Gift { number, donation, due } = gift;
        let (first, of_first) = self.first(state)?;
        let (rally, donor, likeness) = (self.rally, self.donor, of_first.likeness);
        // What came over a limit is shared out all the same: it was charged.
        let gift = donation::Gift { day, amount, ..of_first.gift() };
        let formula = state.committees.formula(gift.committee);
        let parts = donation::parts(state, &gift, None).ok();
        let parts = parts.or_else(|| formula?.parts(amount, &[])).unwrap_or_default();
        Some(Renewed { donation, plan, number, first, rally, donor, likeness, amount, due, day, parts })
    }
}
