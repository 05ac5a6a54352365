//! Which donations are one person's: by e-mail address, or by name and postal address, or because somebody says so
//! ([`crate::domain::person`]). Each is a keyed hash here, and one may lead to the other: two addresses for mail and one home are
//! one person, and so is everything that hangs together by any of them.

use super::{Donation, Donations};
use crate::domain::State;
use crate::domain::committee::joint::{Formula, Part, PartnerRoom};
use crate::domain::committee::{Limit, Room};
use crate::domain::hash::{HashMap, HashSet};
use crate::domain::id::{CommitteeId, DonationId, PersonId};
use crate::domain::money::Money;
use crate::domain::person::Persons;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// Donations looked at for one person: who has more is a program, and counts as having given all there is to give.
pub const KIN_MAX: usize = 1_000;

/// Who gives, by all they can be known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Giver {
    /// By e-mail address.
    pub donor: PersonId,
    /// By name and postal address.
    pub likeness: Option<PersonId>,
}

impl Giver {
    fn names(self) -> impl Iterator<Item = PersonId> {
        [Some(self.donor), self.likeness].into_iter().flatten()
    }
}

/// Donations that a card was offered for, by the names of who gave them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Kin(HashMap<PersonId, Vec<DonationId>>);

impl Kin {
    /// Notes a donation under its giver's names, once.
    pub(super) fn add(&mut self, giver: Giver, donation: DonationId) {
        for name in giver.names() {
            let known = self.0.entry(name).or_default();
            // The first attempt adds it, and others come soon after.
            if known.last() != Some(&donation) && !known.contains(&donation) {
                known.push(donation);
            }
        }
    }
}

impl Donations {
    /// The last donation of a person for which a card was offered.
    pub fn last_of(&self, person: PersonId) -> Option<DonationId> {
        self.kin.0.get(&person)?.last().copied()
    }

    /// What a donor gave under this one name, as far as a card was offered: the first [`KIN_MAX`].
    pub fn by(&self, person: PersonId) -> impl Iterator<Item = (DonationId, &Donation)> {
        let known = self.kin.0.get(&person).into_iter().flatten().take(KIN_MAX);
        known.filter_map(|id| Some((*id, self.get(*id)?)))
    }

    /// Everything that hangs together by these names.
    fn walk(&self, names: impl Iterator<Item = PersonId>, persons: &Persons) -> Walk<'_> {
        let mut names: Vec<PersonId> = names.collect();
        let (mut seen_names, mut seen) = (HashSet::default(), HashSet::default());
        let mut found = vec![];
        while let Some(name) = names.pop() {
            if !seen_names.insert(name) {
                continue;
            }
            names.extend(persons.merged_with(name));
            for id in self.kin.0.get(&name).into_iter().flatten() {
                let Some(donation) = self.get(*id).filter(|_| seen.insert(*id)) else { continue };
                if seen.len() > KIN_MAX {
                    return Walk { names: seen_names, found: None };
                }
                names.extend(donation.giver().names());
                found.push((*id, donation));
            }
        }
        Walk { names: seen_names, found: Some(found) }
    }
}

/// One person.
struct Walk<'a> {
    /// By all they are known by.
    names: HashSet<PersonId>,
    /// Every donation for which a card was offered; `None` where there are more than [`KIN_MAX`].
    found: Option<Vec<(DonationId, &'a Donation)>>,
}

impl State {
    /// All that a person is known by, beginning with one of it.
    pub fn names_of(&self, person: PersonId) -> HashSet<PersonId> {
        self.donations.walk(std::iter::once(person), &self.persons).names
    }
}

/// What limits look at of a gift.
#[derive(Clone, Copy, Debug)]
pub struct Gift {
    /// To whom.
    pub committee: CommitteeId,
    /// Who gives.
    pub giver: Giver,
    /// The day that counts.
    pub day: NaiveDate,
    /// How much.
    pub amount: Money,
}

/// What the limits leave for such a gift, whatever its amount, the donation `beside` left out; `None` where there is no limit.
/// Of a joint committee it is what its partners may take together.
pub fn room(state: &State, gift: &Gift, beside: Option<DonationId>) -> Option<Room> {
    let own = room_of(state, gift, gift.committee, beside);
    let formula = state.committees.formula(gift.committee);
    let shared = formula.and_then(|formula| formula.room(&rooms(state, gift, formula, beside), gift.amount.currency));
    own.into_iter().chain(shared).min_by_key(|room| room.left.minor)
}

/// How a gift is shared out, the donation `beside` left out; nothing where it is not.
///
/// # Errors
/// The room there is, where that is less than the gift.
pub fn parts(state: &State, gift: &Gift, beside: Option<DonationId>) -> Result<Box<[Part]>, Room> {
    if let Some(room) = room(state, gift, beside).filter(|room| room.left.minor < gift.amount.minor) {
        return Err(room);
    }
    let formula = state.committees.formula(gift.committee);
    let parts = formula.and_then(|formula| formula.parts(gift.amount, &rooms(state, gift, formula, beside)));
    Ok(parts.unwrap_or_default())
}

fn rooms(state: &State, gift: &Gift, formula: &Formula, beside: Option<DonationId>) -> Vec<PartnerRoom> {
    formula.partners.iter().map(|partner| room_of(state, gift, partner.committee, beside)).collect()
}

/// What the tightest limit of one committee leaves.
fn room_of(state: &State, gift: &Gift, committee: CommitteeId, beside: Option<DonationId>) -> Option<Room> {
    let currency = gift.amount.currency;
    let applies = |limit: &&Limit| limit.covers(gift.day) && limit.most.currency == currency;
    let limits: Vec<&Limit> = state.committees.get(committee)?.rules.limits.iter().filter(applies).collect();
    if limits.is_empty() {
        return None;
    }
    let gifts = state.donations.walk(gift.giver.names(), &state.persons).found;
    let left = |limit: &Limit| {
        let Some(gifts) = &gifts else { return 0 };
        let counts = |(id, gift): &&(DonationId, &Donation)| {
            Some(*id) != beside && gift.amount.currency == currency && limit.covers(gift.day)
        };
        let given = gifts.iter().filter(counts).map(|(_, gift)| gift.counted_for(committee));
        limit.most.minor.saturating_sub(given.fold(0, i64::saturating_add)).max(0)
    };
    let rooms = limits.into_iter().map(|limit| Room {
        limit: limit.name.clone(),
        most: limit.most,
        left: Money::new(left(limit), currency),
    });
    rooms.min_by_key(|room| room.left.minor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::committee::{self, Rules};
    use crate::domain::donation::{Command, Event, Pledged, Refusal};
    use crate::domain::id::PaymentId;
    use crate::domain::money::Currency;
    use crate::domain::test_kit::*;
    use uuid::Uuid;

    fn limit(name: &str, most: i64, from: &str, until: &str) -> Limit {
        Limit { name: name.into(), most: usd(most), from: from.parse().unwrap(), until: until.parse().unwrap() }
    }

    fn primary() -> Limit {
        limit("primary", 350_000, "2025-01-01", "2026-12-31")
    }

    fn with(limits: &[Limit]) -> Given {
        let rules = Rules { limits: limits.to_vec(), ..Rules::default() };
        given([created()]).done([set(0, rules)])
    }

    fn set(number: u16, rules: Rules) -> committee::Command {
        committee::Command::SetRules { committee: CommitteeId(number), rules: Box::new(rules) }
    }

    fn person(number: u128) -> PersonId {
        PersonId(Uuid::from_u128(0xc000 + number))
    }

    fn gift(number: u128, giver: Giver, minor: i64) -> Pledged {
        let donation = DonationId(Uuid::from_u128(0xd000 + number));
        Pledged { donation, donor: giver.donor, likeness: giver.likeness, amount: usd(minor), ..pledge() }
    }

    fn offer(number: u128) -> Command {
        Command::RequestPayment { donation: DonationId(Uuid::from_u128(0xd000 + number)), method: "tok".into() }
    }

    fn settle(number: u128, minor: i64) -> Command {
        let donation = DonationId(Uuid::from_u128(0xd000 + number));
        let payment = PaymentId(format!("pi_{number}"));
        Command::RecordSettled { donation, payment, amount: usd(minor), fee: None, card: None }
    }

    fn joan() -> Giver {
        Giver { donor: person(1), likeness: Some(person(91)) }
    }

    fn left(minor: i64) -> Refusal {
        Refusal::OverLimit(Room { limit: "primary".into(), most: usd(350_000), left: usd(minor) })
    }

    fn pledged(given: Given, gifts: &[Pledged]) -> Given {
        given.and(gifts.iter().cloned().map(Event::Pledged))
    }

    #[test]
    fn what_is_on_its_way_counts_and_what_was_only_pledged_does_not() {
        let gifts = [gift(1, joan(), 200_000), gift(2, joan(), 150_001), gift(3, joan(), 150_000)];
        let given = pledged(with(&[primary()]), &gifts).done([offer(1)]);
        given.when(offer(2)).refuses(left(150_000));
        let full = given.done([offer(3)]);
        let more = pledged(full, &[gift(4, joan(), 100)]);
        more.when(offer(4)).refuses(left(0));
        more.done([settle(1, 200_000), settle(3, 150_000)]).when(offer(4)).refuses(left(0));
    }

    #[test]
    fn a_decline_and_a_refund_give_it_back() {
        let given = pledged(with(&[primary()]), &[gift(1, joan(), 350_000), gift(2, joan(), 350_000)]);
        let waiting = given.done([offer(1)]);
        waiting.when(offer(2)).refuses(left(0));
        let (code, reason) = ("card_declined".to_owned(), "no".to_owned());
        let donation = DonationId(Uuid::from_u128(0xd001));
        let declined = Command::RecordDeclined { donation, payment: None, code, reason };
        let _ = waiting.clone().done([declined, offer(2)]);
        let settled = waiting.done([settle(1, 350_000)]);
        settled.when(offer(2)).refuses(left(0));
        let payment = PaymentId("pi_1".into());
        let refund = |minor| Command::RecordRefunded {
            payment: payment.clone(),
            processor_refund: processor_refund(&format!("re_{minor}")),
            refund: None,
            amount: usd(minor),
        };
        let part = settled.done([refund(100_000)]);
        part.when(offer(2)).refuses(left(100_000));
        let _ = part.done([refund(250_000), offer(2)]);
    }

    #[test]
    fn one_person_by_mail_or_by_home_or_by_both_in_a_row() {
        let by_mail = Giver { likeness: Some(person(92)), ..joan() };
        let by_home = Giver { donor: person(2), ..joan() };
        let by_both = Giver { donor: person(3), likeness: Some(person(92)) };
        let gifts =
            [gift(1, joan(), 100_000), gift(2, by_mail, 100_000), gift(3, by_both, 100_000), gift(4, by_home, 50_001)];
        let given = pledged(with(&[primary()]), &gifts).done([offer(1), offer(2), offer(3)]);
        given.when(offer(4)).refuses(left(50_000));
        let stranger = Giver { donor: person(4), likeness: Some(person(94)) };
        let _ = pledged(given, &[gift(5, stranger, 350_000)]).done([offer(5)]);
    }

    #[test]
    fn a_limit_has_its_days_and_the_tightest_counts() {
        let next = limit("general", 350_000, "2027-01-01", "2027-12-31");
        let euros = Limit { most: Money::new(100, Currency::EUR), ..primary() };
        let year = limit("year", 500_000, "2026-01-01", "2026-12-31");
        let given =
            pledged(with(&[next, euros, year, primary()]), &[gift(1, joan(), 350_001), gift(2, joan(), 350_000)]);
        given.when(offer(1)).refuses(left(350_000));
        let _ = given.done([offer(2)]);
        let over = limit("primary", 350_000, "2025-01-01", "2025-12-31");
        let _ = pledged(with(&[over]), &[gift(1, joan(), 99_999_999)]).done([offer(1)]);
    }

    #[test]
    fn a_second_try_is_not_counted_beside_itself() {
        let given = pledged(with(&[primary()]), &[gift(1, joan(), 350_000)]).done([offer(1)]);
        let donation = DonationId(Uuid::from_u128(0xd001));
        let waits = given.done([Command::RecordAction { donation, payment: payment("pi_1") }]);
        let _ = waits.done([offer(1)]);
    }

    #[test]
    fn a_person_with_thousands_of_gifts_is_full() {
        let mut given = with(&[limit("primary", 99_999_999, "2025-01-01", "2026-12-31")]);
        for number in 0..=u128::try_from(KIN_MAX).unwrap() {
            given = pledged(given, &[gift(number, joan(), 100)]).done([offer(number)]);
        }
        let gift = Gift { committee: CommitteeId::FIRST, giver: joan(), day: at(0).date_naive(), amount: usd(100) };
        let room = room(&given.state, &gift, None).unwrap();
        assert_eq!(room.left, usd(0));
    }
}

#[cfg(test)]
mod joint;
