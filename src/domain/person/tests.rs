#![allow(clippy::as_conversions, reason = "the numbers of a test are small")]

use super::*;
use crate::domain::Event as Any;
use crate::domain::committee::{self, Limit, Rules};
use crate::domain::donation::{Command as Donation, Giver, Pledged, Refusal as NotGiven, room};
use crate::domain::id::{CommitteeId, DonationId, ErasureId};
use crate::domain::privacy;
use crate::domain::test_kit::*;
use proptest::prelude::*;
use uuid::Uuid;

const MOST: i64 = 350_000;

fn donor(number: u128) -> PersonId {
    PersonId(Uuid::from_u128(0xc000 + number))
}

fn gift(number: u128) -> DonationId {
    DonationId(Uuid::from_u128(0xd000 + number))
}

/// A donor of this number with a home of their own gives so much, by a gift of this number.
fn gave(given: Given, number: u128, of: u128, minor: i64) -> Given {
    let payment = payment(&format!("pi_{number}"));
    let settle = Donation::RecordSettled { donation: gift(number), payment, amount: usd(minor), fee: None, card: None };
    pledged(given, number, of, minor).done([offer(number), settle])
}

fn pledged(given: Given, number: u128, of: u128, minor: i64) -> Given {
    let likeness = Some(PersonId(Uuid::from_u128(0x1000 + of)));
    let pledge = Pledged { donation: gift(number), donor: donor(of), likeness, amount: usd(minor), ..pledge() };
    given.done([Donation::Pledge(pledge)])
}

fn offer(number: u128) -> Donation {
    Donation::RequestPayment { donation: gift(number), method: "tok".into() }
}

/// Donors 1 to 4 gave a thousand dollars each, and one may give $3,500.
fn four() -> Given {
    let (from, until) = ("2025-01-01".parse().unwrap(), "2026-12-31".parse().unwrap());
    let limit = Limit { name: "primary".into(), most: usd(MOST), from, until };
    let rules = Rules { limits: vec![limit], ..Rules::default() };
    let set = committee::Command::SetRules { committee: CommitteeId::FIRST, rules: Box::new(rules) };
    (1..=4).fold(given([created()]).done([set]), |given, number| gave(given, number, number, 100_000))
}

fn merge(kept: u128, other: u128) -> Command {
    Command::Merge(Merged { kept: donor(kept), other: donor(other), reason: "One mailbox.".into() })
}

fn part(kept: u128, other: u128) -> Command {
    Command::Part(Parted { kept: donor(kept), other: donor(other), reason: "She called.".into() })
}

fn apart(one: u128, other: u128) -> Command {
    Command::TellApart(ToldApart { one: donor(one), other: donor(other), reason: "Sisters.".into() })
}

/// What the limit leaves to a donor.
fn left(state: &State, of: u128) -> i64 {
    let giver = Giver { donor: donor(of), likeness: None };
    let day = at(0).date_naive();
    let asked = donation::Gift { committee: CommitteeId::FIRST, giver, day, amount: usd(100) };
    room(state, &asked, None).unwrap().left.minor
}

fn lefts(given: &Given) -> Vec<i64> {
    (1..=4).map(|number| left(&given.state, number)).collect()
}

#[test]
fn merged_donors_share_a_limit_and_parted_again_they_do_not() {
    let given = four();
    assert_eq!(lefts(&given), [250_000; 4]);
    let merged = Merged { kept: donor(1), other: donor(2), reason: "One mailbox.".into() };
    let one = given.when(merge(1, 2)).then([Event::Merged(merged)]);
    assert_eq!(lefts(&one), [150_000, 150_000, 250_000, 250_000]);
    one.when(merge(1, 2)).changes_nothing();
    one.when(merge(2, 1)).changes_nothing();
    let full = pledged(one.clone(), 9, 2, 150_001);
    assert!(matches!(decide_donation(&full, offer(9)), Err(NotGiven::OverLimit(room)) if room.left == usd(150_000)));
    let parted = Parted { kept: donor(1), other: donor(2), reason: "She called.".into() };
    let two = one.when(part(2, 1)).then([Event::Parted(parted)]);
    assert_eq!(two.state.persons.merges().len(), 0);
    assert_eq!(lefts(&two), [250_000; 4]);
    two.when(part(1, 2)).refuses(Refusal::NotMerged);
    let _ = pledged(two, 9, 2, 150_001).done([offer(9)]);
}

fn decide_donation(given: &Given, command: Donation) -> Result<(), NotGiven> {
    match crate::domain::decide(&given.state, command.into()) {
        Err(crate::domain::Refusal::Donation(refusal)) => Err(refusal),
        Ok(_) | Err(_) => Ok(()),
    }
}

#[test]
fn a_chain_is_one_person_and_a_ring_is_not_closed() {
    let chain = four().done([merge(1, 2), merge(3, 2)]);
    assert_eq!(lefts(&chain), [50_000, 50_000, 50_000, 250_000]);
    chain.when(merge(3, 1)).refuses(Refusal::AlreadyOne);
    chain.when(merge(1, 1)).refuses(Refusal::AlreadyOne);
    chain.when(apart(1, 3)).refuses(Refusal::AlreadyOne);
    let broken = chain.done([part(1, 2)]);
    assert_eq!(lefts(&broken), [250_000, 150_000, 150_000, 250_000]);
    let whole = broken.done([merge(3, 1), merge(4, 1)]);
    assert_eq!(lefts(&whole), [0; 4], "four thousand are more than the limit");
}

#[test]
fn who_lives_in_one_home_is_merged_with_all_who_do() {
    let home = PersonId(Uuid::from_u128(0x1001));
    let other = Pledged { donation: gift(8), donor: donor(8), likeness: Some(home), amount: usd(100), ..pledge() };
    let given = four().done([Donation::Pledge(other), offer(8)]);
    given.when(merge(8, 1)).refuses(Refusal::AlreadyOne);
    let one = given.done([merge(8, 2)]);
    assert_eq!(lefts(&one), [149_900, 149_900, 250_000, 250_000], "donor 1 is one with 8, and 8 with 2");
}

#[test]
fn who_was_told_apart_is_not_made_one_by_way_of_a_third() {
    let told = ToldApart { one: donor(1), other: donor(3), reason: "Sisters.".into() };
    let given = four().when(apart(1, 3)).then([Event::ToldApart(told)]);
    given.when(apart(3, 1)).changes_nothing();
    let near = given.done([merge(1, 2)]);
    near.when(merge(2, 3)).refuses(Refusal::ToldApart);
    near.when(merge(3, 2)).refuses(Refusal::ToldApart);
    // The later word about the same two holds.
    let after_all = near.done([merge(1, 3)]);
    assert_eq!(after_all.state.persons.apart().len(), 0);
    assert_eq!(lefts(&after_all), [50_000, 50_000, 50_000, 250_000]);
}

#[test]
fn nobody_is_merged_without_a_gift_a_name_or_a_reason() {
    let given = pledged(four(), 7, 7, 100);
    given.when(merge(1, 6)).refuses(Refusal::Unknown);
    given.when(merge(7, 1)).refuses(Refusal::Unknown);
    for reason in ["", " ", "joan@example.org", &"x".repeat(HOLD_NOTE_CHARS_MAX + 1)] {
        let (kept, other, reason) = (donor(1), donor(2), reason.to_owned());
        given.when(Command::Merge(Merged { kept, other, reason: reason.clone() })).refuses(Refusal::Reason);
        given.when(Command::TellApart(ToldApart { one: kept, other, reason: reason.clone() })).refuses(Refusal::Reason);
        given.when(Command::Part(Parted { kept, other, reason })).refuses(Refusal::Reason);
    }
    let erased = |number| {
        Any::Privacy(privacy::Event::Erased(privacy::Erased {
            erasure: ErasureId(Uuid::from_u128(1)),
            person: donor(number),
            reason: "a letter".into(),
            notices: vec![],
            closed: vec![],
        }))
    };
    let gone = given.clone().and([erased(2)]);
    gone.when(merge(1, 2)).refuses(Refusal::Erased);
    gone.when(apart(1, 2)).refuses(Refusal::Erased);
    // What was said of them before holds, and what they gave counts: none of it is personal.
    let after = given.done([merge(1, 2)]).and([erased(2)]);
    assert_eq!(lefts(&after), [150_000, 150_000, 250_000, 250_000]);
    assert_eq!(lefts(&after.done([part(1, 2)])), [250_000; 4]);
    // Who came back is somebody whose name can be read.
    let back = pledged(gone, 10, 2, 100).done([offer(10)]);
    let _ = back.done([merge(1, 2)]);
}

#[test]
fn so_many_are_merged_and_told_apart() {
    let mut full = four();
    full.state.persons.merges = MERGES_MAX;
    full.when(merge(1, 2)).refuses(Refusal::TooManyMerges);
    let stranger = |number: usize| PersonId(Uuid::from_u128(number as u128));
    full.state.persons.apart =
        (0..APART_MAX).map(|number| (Pair::of(stranger(number), donor(9)), Apart { at: at(0) })).collect();
    full.when(apart(1, 2)).refuses(Refusal::TooManyApart);
}

proptest! {
    /// Whoever is merged in whatever order: all parted again, each has what they had; and while they are merged, those who hang
    /// together have together given what each had.
    #[test]
    fn merging_any_and_parting_all_leaves_everything_as_it_was(
        pairs in proptest::collection::vec((1_u128..=8, 1_u128..=8), 0..12),
        keep in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let before = (5..=8).fold(four(), |given, number| gave(given, number, number, 10_000));
        let all = |given: &Given| (1..=8).map(|number| left(&given.state, number)).collect::<Vec<_>>();
        let (mut given, mut merged) = (before.clone(), vec![]);
        // A plain partition beside it.
        let mut class: Vec<u128> = (0..=8).collect();
        for (one, other) in pairs {
            let command = merge(one, other);
            let is_one = class[one as usize] == class[other as usize];
            match crate::domain::decide(&given.state, command.into()) {
                Ok(events) if events.is_empty() => prop_assert!(is_one),
                Ok(events) => {
                    prop_assert!(!is_one);
                    given = given.and(events);
                    merged.push((one, other));
                    let (from, to) = (class[one as usize], class[other as usize]);
                    class.iter_mut().filter(|of| **of == from).for_each(|of| *of = to);
                }
                Err(refusal) => prop_assert!(is_one, "{}", refusal),
            }
        }
        let given_by = |number: u128| if number <= 4 { 100_000 } else { 10_000 };
        for number in 1..=8_u128 {
            let together: i64 = (1..=8).filter(|other| class[*other as usize] == class[number as usize]).map(given_by).sum();
            prop_assert_eq!(left(&given.state, number), (MOST - together).max(0));
        }
        // In an order of their own.
        for place in keep {
            if !merged.is_empty() {
                let (one, other) = merged.remove(place.index(merged.len()));
                given = given.done([part(one, other)]);
            }
        }
        for (one, other) in merged {
            given = given.done([part(other, one)]);
        }
        prop_assert_eq!(all(&given), all(&before));
        prop_assert_eq!(given.state.persons.merges().len(), 0);
        prop_assert!(given.state.persons.links.is_empty());
    }
}
