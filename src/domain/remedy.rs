//! What is done about a gift that went over a limit, besides giving it back: a part of it counts for another election
//! (redesignation) or as another person's (reattribution), within 60 days (11 CFR 103.3(b)(3), 110.1(b)(5), 110.1(k)(3)).
//!
//! No money moves: limits count the parts apart, and the committee's report has them as memos.

mod event;

pub use event::{Consent, Event, Reattributed, Redesignated, Undone};

use super::State;
use super::committee::{Limit, Room};
use super::donation::{Donation, Giver, left_under};
use super::hash::HashMap;
use super::id::{CommitteeId, DonationId, PersonId, RemedyId};
use super::money::Money;
use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Days after a gift was received within which it is given back, redesignated or reattributed.
pub const REMEDY_DAYS: u64 = 60;
/// Remedies of one gift, undone ones counted: a few elections and two signatures.
pub const REMEDIES_MAX: usize = 20;

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Count a part of a gift for another election.
    Redesignate(Redesignate),
    /// Count a part of a gift as another person's.
    Reattribute {
        /// What is to be recorded.
        what: Reattributed,
        /// Today, where the rally is.
        today: NaiveDate,
    },
    /// One of them was a mistake.
    Undo {
        /// Which.
        remedy: RemedyId,
    },
}

/// A redesignation that is asked for.
#[derive(Clone, Debug)]
pub struct Redesignate {
    /// Which remedy.
    pub remedy: RemedyId,
    /// Of which gift.
    pub donation: DonationId,
    /// To which committee.
    pub committee: CommitteeId,
    /// How much of it.
    pub amount: Money,
    /// The name of the limit under which it is to count.
    pub limit: String,
    /// How the donor agreed.
    pub consent: Consent,
    /// When.
    pub day: NaiveDate,
    /// Today, where the rally is.
    pub today: NaiveDate,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("there is no such gift")]
    Unknown,
    #[error("there is no such redesignation or reattribution, or it was undone already")]
    UnknownRemedy,
    #[error("at most {} of this gift can be moved: the rest was given back, is on its way back or was moved already", .0.to_exact())]
    TooMuch(Money),
    #[error("write how much of the gift it is: more than nothing, in the gift’s currency")]
    Amount,
    #[error("the rules have no such limit: choose one of those that the committee has now")]
    UnknownLimit,
    #[error("this gift counts for the {0} already: choose another election")]
    SameLimit(String),
    #[error("the {} has no room for that: one person may give {}, and {} is left", .0.limit, .0.most.to_short(), .0.left.to_exact())]
    NoRoom(Room),
    #[error(
        "the day is after the gift and not after today: it is the one on which the writing came, or the notice was sent"
    )]
    Day,
    #[error("that is more than {REMEDY_DAYS} days after the gift: what is over the limit can only be given back")]
    Late,
    #[error("without the donor’s signature a gift can only be moved to a later election")]
    NotLater,
    #[error("that is the donor’s own name, or address for mail: a gift is reattributed to another person")]
    SamePerson,
    #[error("this gift was moved {REMEDIES_MAX} times: that is enough")]
    TooMany,
}

/// Where a part of a gift counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum To {
    /// As of another day, one of another limit's.
    Day(NaiveDate),
    /// As another person's.
    Person(Giver),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Remedy {
    id: RemedyId,
    committee: CommitteeId,
    minor: i64,
    to: To,
    is_undone: bool,
}

/// A part of a gift, as limits count it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Whose.
    pub giver: Giver,
    /// The day that counts.
    pub day: NaiveDate,
    /// How much, in minor units.
    pub minor: i64,
}

/// Every remedy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Remedies {
    by_gift: HashMap<DonationId, Vec<Remedy>>,
    gift_of: HashMap<RemedyId, DonationId>,
    /// Gifts of which a part is, or was, of somebody with this name.
    by_name: HashMap<PersonId, Vec<DonationId>>,
}

impl Remedies {
    /// A gift as limits of a committee count it: what was moved, then what was not. What went back is of the part that was not
    /// moved, as far as that goes: a donor who agreed to a move gets the rest back first.
    pub fn shares(&self, id: DonationId, gift: &Donation, committee: CommitteeId) -> Vec<Share> {
        let mut left = gift.counted_for(committee);
        let of_committee = self.active(id).filter(|remedy| remedy.committee == committee);
        let mut moved = |remedy: &Remedy| {
            let minor = remedy.minor.min(left);
            left = left.saturating_sub(minor);
            match remedy.to {
                To::Day(day) => Share { giver: gift.giver(), day, minor },
                To::Person(giver) => Share { giver, day: gift.day, minor },
            }
        };
        let mut shares: Vec<Share> = of_committee.map(&mut moved).collect();
        shares.push(Share { giver: gift.giver(), day: gift.day, minor: left });
        shares
    }

    fn active(&self, id: DonationId) -> impl Iterator<Item = &Remedy> {
        self.by_gift.get(&id).into_iter().flatten().filter(|remedy| !remedy.is_undone)
    }

    /// Gifts of which a part is of somebody with this name, and by which names they are known.
    pub(super) fn of_name(&self, name: PersonId) -> impl Iterator<Item = (DonationId, Giver)> {
        let gifts = self.by_name.get(&name).into_iter().flatten();
        gifts.flat_map(move |id| {
            let givers = self.active(*id).filter_map(|remedy| match remedy.to {
                To::Person(giver) => Some(giver),
                To::Day(_) => None,
            });
            givers.filter(move |giver| giver.names().any(|own| own == name)).map(|giver| (*id, giver))
        })
    }

    /// Whether a part of a gift was recorded as this person's.
    pub fn knows(&self, person: PersonId) -> bool {
        self.by_name.contains_key(&person)
    }
}

/// A gift of which a part is to be moved, and what of it can be.
struct Movable<'a> {
    gift: &'a Donation,
    limits: &'a [Limit],
}

impl<'a> Movable<'a> {
    fn of(
        state: &'a State,
        id: DonationId,
        committee: CommitteeId,
        amount: Money,
        days: (NaiveDate, NaiveDate),
    ) -> Result<Self, Refusal> {
        let gift = state.donations.get(id).ok_or(Refusal::Unknown)?;
        let rules = state.committees.get(committee).map(|known| &known.rules).ok_or(Refusal::Unknown)?;
        if gift.settled_minor() == 0 || state.remedies.by_gift.get(&id).is_some_and(|all| all.len() >= REMEDIES_MAX) {
            return Err(if gift.settled_minor() == 0 { Refusal::Unknown } else { Refusal::TooMany });
        }
        if amount.minor <= 0 || amount.currency != gift.amount.currency {
            return Err(Refusal::Amount);
        }
        let waiting = gift.waiting_refunds().map(|(_, request)| request.amount.minor).fold(0, i64::saturating_add);
        let own = state.remedies.shares(id, gift, committee).pop().map_or(0, |share| share.minor);
        let left = own.saturating_sub(waiting).max(0);
        if amount.minor > left {
            return Err(Refusal::TooMuch(Money::new(left, amount.currency)));
        }
        let (day, today) = days;
        if day < gift.day || day > today {
            return Err(Refusal::Day);
        }
        if gift.day.checked_add_days(Days::new(REMEDY_DAYS)).is_some_and(|last| day > last) {
            return Err(Refusal::Late);
        }
        Ok(Self { gift, limits: &rules.limits })
    }

    /// The limits that cover a day, in the gift's currency.
    fn limits_on(&self, day: NaiveDate) -> impl Iterator<Item = &'a Limit> {
        let currency = self.gift.amount.currency;
        self.limits.iter().filter(move |limit| limit.covers(day) && limit.most.currency == currency)
    }
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let is_known = |remedy: &RemedyId| state.remedies.gift_of.contains_key(remedy);
    let event = match command {
        Command::Redesignate(asked) if is_known(&asked.remedy) => return Ok(vec![]),
        Command::Reattribute { what, .. } if is_known(&what.remedy) => return Ok(vec![]),
        Command::Redesignate(asked) => Event::Redesignated(redesignate(state, asked)?),
        Command::Reattribute { what, today } => Event::Reattributed(reattribute(state, what, today)?),
        Command::Undo { remedy } => {
            let donation = state.remedies.gift_of.get(&remedy).copied().ok_or(Refusal::UnknownRemedy)?;
            if !state.remedies.active(donation).any(|active| active.id == remedy) {
                return Err(Refusal::UnknownRemedy);
            }
            Event::Undone(Undone { remedy, donation })
        }
    };
    Ok(vec![super::Event::Remedy(event)])
}

fn redesignate(state: &State, asked: Redesignate) -> Result<Redesignated, Refusal> {
    let Redesignate { remedy, donation, committee, amount, limit, consent, day, today } = asked;
    let movable = Movable::of(state, donation, committee, amount, (day, today))?;
    let gift = movable.gift;
    let is_it = |known: &&Limit| known.name == limit && known.most.currency == amount.currency;
    let target = movable.limits.iter().find(is_it).ok_or(Refusal::UnknownLimit)?;
    if target.covers(gift.day) {
        return Err(Refusal::SameLimit(limit));
    }
    let is_later = target.from > gift.day;
    if consent == Consent::Presumed && !is_later {
        return Err(Refusal::NotLater);
    }
    let counts_on = if is_later { target.from } else { target.until };
    // What covers both days counts it already.
    for other in movable.limits_on(counts_on).filter(|other| !other.covers(gift.day)) {
        has_room(left_under(state, gift.giver(), committee, other), amount)?;
    }
    Ok(Redesignated { remedy, donation, committee, amount, limit, counts_on, consent, day })
}

fn reattribute(state: &State, what: Reattributed, today: NaiveDate) -> Result<Reattributed, Refusal> {
    let movable = Movable::of(state, what.donation, what.committee, what.amount, (what.day, today))?;
    let gift = movable.gift;
    let other = what.giver();
    if gift.giver().names().any(|name| other.names().any(|theirs| theirs == name)) {
        return Err(Refusal::SamePerson);
    }
    for limit in movable.limits_on(gift.day) {
        has_room(left_under(state, other, what.committee, limit), what.amount)?;
    }
    Ok(what)
}

fn has_room(room: Room, amount: Money) -> Result<(), Refusal> {
    if room.left.minor < amount.minor { Err(Refusal::NoRoom(room)) } else { Ok(()) }
}

impl Reattributed {
    /// Whose it is, by all they can be known by.
    pub fn giver(&self) -> Giver {
        Giver { donor: self.person, likeness: Some(self.likeness) }
    }
}

pub(super) fn evolve(state: &mut State, event: &Event) {
    let remedies = &mut state.remedies;
    match event {
        Event::Redesignated(data) => {
            let Redesignated { remedy, donation, committee, amount, counts_on, .. } = data;
            remedies.add(*remedy, *donation, *committee, *amount, To::Day(*counts_on));
        }
        Event::Reattributed(data) => {
            let Reattributed { remedy, donation, committee, amount, .. } = data;
            remedies.add(*remedy, *donation, *committee, *amount, To::Person(data.giver()));
        }
        Event::Undone(Undone { remedy, donation }) => {
            let of_gift = remedies.by_gift.get_mut(donation).into_iter().flatten();
            of_gift.filter(|one| one.id == *remedy).for_each(|one| one.is_undone = true);
        }
    }
}

impl Remedies {
    fn add(&mut self, id: RemedyId, donation: DonationId, committee: CommitteeId, amount: Money, to: To) {
        let remedy = Remedy { id, committee, minor: amount.minor, to, is_undone: false };
        self.by_gift.entry(donation).or_default().push(remedy);
        self.gift_of.insert(id, donation);
        if let To::Person(giver) = to {
            for name in giver.names() {
                let known = self.by_name.entry(name).or_default();
                if !known.contains(&donation) {
                    known.push(donation);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
