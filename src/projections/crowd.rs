//! The people of each rally over its course: from where they came, when they were in the room, who agreed to be written to,
//! and what was given, by origin, by minute and by who was on. What happened is folded; figures are made of it on reading.
//!
//! Gifts count when they are paid, at the moment in which their form was sent: that is when somebody was moved. An instalment
//! of a recurring gift counts for its origin and for no moment, for nobody was there.

pub mod moments;
pub mod origin;
pub mod people;
#[cfg(test)]
mod tests;

use super::ledger::{Ledger, Pledge};
use super::totals::Totals;
use crate::domain::donation::{self, Settled, Way};
use crate::domain::hash::HashMap;
use crate::domain::id::{PersonId, PlanId, RallyId};
use crate::domain::{Event, Recorded, State, attendance, broadcast, ledger, plan, privacy, rally, show};
use chrono::serde::ts_microseconds;
use chrono::{DateTime, Utc};
use moments::Moments;
use origin::{Origin, Origins};
use people::People;
use serde::{Deserialize, Serialize};

/// Gifts that were paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gifts {
    /// How many.
    pub count: u32,
    /// Their sum before fees and refunds, in minor units of the rally's currency.
    pub minor: i64,
}

impl Gifts {
    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.minor = self.minor.saturating_add(other.minor);
    }
}

/// One rally.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RallyCrowd {
    /// Who registered, and when they were in the room.
    pub people: People,
    /// From where they came, and what they gave.
    pub origins: Origins,
    /// What was given in each minute, and while who was on.
    pub moments: Moments,
}

/// Somebody agreed to be written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// The event by which they had joined: their name and address are read from the log there.
    pub profile: u64,
    /// When they agreed.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
    /// The id of the wording.
    pub wording: Box<str>,
}

/// Every rally's people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Crowd {
    by_rally: HashMap<RallyId, RallyCrowd>,
    consents: HashMap<PersonId, Consent>,
    /// The last event's second: what a crash cut off was there until then.
    last_s: u32,
}

impl Crowd {
    /// One rally's; `None` if nothing happened there yet.
    pub fn of(&self, rally: RallyId) -> Option<&RallyCrowd> {
        self.by_rally.get(&rally)
    }

    /// What somebody agreed to, where they did and have not taken it back.
    pub fn consent(&self, person: PersonId) -> Option<&Consent> {
        self.consents.get(&person)
    }

    /// Everybody who agreed, in no order.
    pub fn consents(&self) -> impl Iterator<Item = (PersonId, &Consent)> {
        self.consents.iter().map(|(person, consent)| (*person, consent))
    }

    pub(super) fn apply(&mut self, recorded: &Recorded, state: &State, totals: &Totals, ledger: &Ledger) {
        let at_s = seconds(recorded.at);
        match &recorded.event {
            Event::Attendance(event) => self.attends(event, recorded, totals),
            Event::Rally(rally::Event::DoorsOpened(opened)) => {
                let RallyCrowd { people, origins, moments } = self.by_rally.entry(opened.rally).or_default();
                people.opens(at_s, origins);
                moments.opens();
            }
            Event::Rally(rally::Event::Ended(ended)) => self.rally(ended.rally).people.ends(at_s),
            Event::Broadcast(broadcast::Event::TookProgram(took)) => {
                self.rally(took.rally).moments.program.turn(at_s, took.source);
            }
            Event::Show(show::Event::ItemStarted(item)) => {
                self.rally(item.rally).moments.run.turn(at_s, Some(item.item));
            }
            Event::Show(show::Event::ItemStopped(item)) => self.rally(item.rally).moments.run.turn(at_s, None),
            Event::Show(show::Event::Undone(undone)) => self.rally(undone.rally).moments.run.undo(),
            Event::Donation(donation::Event::Settled(settled)) => self.gives(settled, state, totals, ledger),
            Event::Plan(plan::Event::Started(started)) => self.gives_again(started.plan, state, ledger),
            Event::Privacy(privacy::Event::Erased(erased)) => {
                erased.names().for_each(|name| drop(self.consents.remove(&name)));
            }
            Event::Ledger(ledger::Event::Started(_)) => {
                let last_s = self.last_s;
                self.by_rally.values_mut().for_each(|crowd| crowd.people.is_cut_off(last_s));
            }
            Event::Ledger(ledger::Event::Opened(_) | ledger::Event::AccountBound(_))
            | Event::Rally(_)
            | Event::Broadcast(_)
            | Event::Show(_)
            | Event::Donation(_)
            | Event::Plan(_)
            | Event::Privacy(privacy::Event::Disclosed(_) | privacy::Event::Viewed(_) | privacy::Event::Exported(_))
            | Event::Staff(_)
            | Event::Clip(_)
            | Event::Restream(_)
            | Event::Inbox(_)
            | Event::Mail(_)
            | Event::Committee(_)
            | Event::Drive(_)
            | Event::Books(_)
            | Event::Donor(_)
            | Event::Remedy(_)
            | Event::Token(_)
            | Event::Hook(_)
            | Event::Period(_)
            | Event::Refund(_)
            | Event::Audit(_)
            | Event::Work(_)
            | Event::Person(_) => {}
        }
        self.last_s = at_s;
    }

    fn rally(&mut self, rally: RallyId) -> &mut RallyCrowd {
        self.by_rally.entry(rally).or_default()
    }

    fn attends(&mut self, event: &attendance::Event, recorded: &Recorded, totals: &Totals) {
        let at_s = seconds(recorded.at);
        match event {
            attendance::Event::Joined(joined) => {
                let RallyCrowd { people, origins, .. } = self.by_rally.entry(joined.rally).or_default();
                let came = joined.came.as_ref();
                let origin = Origin::new(came.map(|came| came.by), came.and_then(|came| came.refcode.as_deref()));
                let gave = totals.ever_gave(joined.rally, joined.person);
                people.registers(joined.person, recorded.seq, || origins.registered(origin), gave);
            }
            attendance::Event::Entered(entered) => {
                let RallyCrowd { people, origins, .. } = self.by_rally.entry(entered.rally).or_default();
                people.enters(entered.person, at_s, origins);
            }
            attendance::Event::Left(left) => self.rally(left.rally).people.leaves(left.person, at_s),
            attendance::Event::Agreed(agreed) => {
                let attendee = self.of(agreed.rally).and_then(|crowd| crowd.people.find(agreed.person));
                let Some(profile) = attendee.map(|attendee| attendee.seq) else { return };
                let consent = Consent { profile, at: recorded.at, wording: agreed.wording.as_str().into() };
                self.consents.insert(agreed.person, consent);
            }
            attendance::Event::Withdrew(withdrew) => {
                self.consents.remove(&withdrew.person);
            }
            attendance::Event::Invited(invited) => {
                let origins = &mut self.rally(invited.rally).origins;
                origins.invited(Origin::new(None, invited.refcode.as_deref()), invited.people);
            }
        }
    }

    fn gives(&mut self, settled: &Settled, state: &State, totals: &Totals, ledger: &Ledger) {
        let RallyCrowd { people, origins, moments } = self.by_rally.entry(settled.rally).or_default();
        let gifts = Gifts { count: 1, minor: settled.amount.minor };
        let pledge = ledger.pledge(settled.donation);
        let is_first = !totals.ever_gave(settled.rally, settled.donor);
        let place = origin_of(people, origins, pledge, settled.donor);
        let row = origins.row_mut(place);
        row.gifts.add(gifts);
        row.donors = row.donors.saturating_add(u32::from(is_first));
        people.gives(settled.donor);
        let number = state.plans.of_donation(settled.donation).and_then(|(_, plan)| plan.gift(settled.donation));
        let Some(pledge) = pledge.filter(|_| number.is_none_or(|gift| gift.number == 1)) else { return };
        moments.gives(seconds(pledge.at), people.live(), gifts);
    }

    fn gives_again(&mut self, plan: PlanId, state: &State, ledger: &Ledger) {
        let Some(plan) = state.plans.get(plan) else { return };
        let RallyCrowd { people, origins, .. } = self.by_rally.entry(plan.rally).or_default();
        let pledge = plan.gifts.first().and_then(|first| ledger.pledge(first.donation));
        let place = origin_of(people, origins, pledge, plan.donor);
        let row = origins.row_mut(place);
        row.recurring = row.recurring.saturating_add(1);
        people.gives_again(plan.donor);
    }
}

/// The link that led to the form says it; where it says nothing, the one by which the donor registered.
fn origin_of(people: &People, origins: &mut Origins, pledge: Option<&Pledge>, donor: PersonId) -> u16 {
    let origin = Origin::new(pledge.and_then(|pledge| pledge.by), pledge.and_then(|pledge| pledge.refcode.as_deref()));
    match (origin, people.find(donor)) {
        (Origin::Way(Way::Rally | Way::Page), Some(attendee)) => attendee.origin,
        (origin, _) => origins.place(origin),
    }
}

/// An instant in whole seconds since 1970, which last until 2106.
pub fn seconds(at: DateTime<Utc>) -> u32 {
    u32::try_from(at.timestamp().max(0)).unwrap_or(u32::MAX)
}

/// The same as an instant.
pub fn instant(seconds: u32) -> DateTime<Utc> {
    DateTime::from_timestamp(i64::from(seconds), 0).unwrap_or_default()
}
