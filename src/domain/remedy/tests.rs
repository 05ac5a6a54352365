use super::*;
use crate::domain::committee::{self, Rules};
use crate::domain::donation::{self, Pledged};
use crate::domain::id::PaymentId;
use crate::domain::test_kit::*;
use uuid::Uuid;

const ONE: RemedyId = RemedyId(Uuid::from_u128(0x1e1));
const TWO: RemedyId = RemedyId(Uuid::from_u128(0x1e2));
const SPOUSE: PersonId = PersonId(Uuid::from_u128(0xc3));
const SPOUSES_NAME: PersonId = PersonId(Uuid::from_u128(0xc4));

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn limit(name: &str, most: i64, from: &str, until: &str) -> Limit {
    Limit { name: name.into(), most: usd(most), from: day(from), until: day(until) }
}

/// The primary is until September 30, the day of a gift is September 23.
fn limits() -> Vec<Limit> {
    vec![
        limit("primary", 350_000, "2026-01-01", "2026-09-30"),
        limit("general", 350_000, "2026-10-01", "2026-11-03"),
        limit("before", 350_000, "2025-01-01", "2025-12-31"),
    ]
}

fn set(limits: Vec<Limit>) -> committee::Command {
    let rules = Rules { limits, ..Rules::default() };
    committee::Command::SetRules { committee: CommitteeId::FIRST, rules: Box::new(rules) }
}

fn id(number: u128) -> DonationId {
    DonationId(Uuid::from_u128(0xd000 + number))
}

fn offer(number: u128) -> donation::Command {
    donation::Command::RequestPayment { donation: id(number), method: "tok".into() }
}

fn gift(given: Given, number: u128, donor: PersonId, minor: i64) -> Given {
    let pledged = Pledged { donation: id(number), donor, amount: usd(minor), ..pledge() };
    let payment = PaymentId(format!("pi_{number}"));
    let settle =
        donation::Command::RecordSettled { donation: id(number), payment, amount: usd(minor), fee: None, card: None };
    given.and([donation::Event::Pledged(pledged)]).done([offer(number), settle])
}

/// Somebody gave $5,000 before there were limits.
fn over() -> Given {
    gift(given([created()]), 1, PERSON, 500_000).done([set(limits())])
}

fn refund(given: &Given, number: u128, minor: i64) -> Given {
    given.clone().done([donation::Command::RecordRefunded {
        payment: PaymentId(format!("pi_{number}")),
        processor_refund: processor_refund(&format!("re_{number}_{minor}")),
        refund: None,
        amount: usd(minor),
    }])
}

fn asked() -> Redesignate {
    Redesignate {
        remedy: ONE,
        donation: id(1),
        committee: CommitteeId::FIRST,
        amount: usd(150_000),
        limit: "general".into(),
        consent: Consent::Written,
        day: day("2026-09-25"),
        today: day("2026-09-26"),
    }
}

fn redesignate(change: impl FnOnce(&mut Redesignate)) -> Command {
    let mut asked = asked();
    change(&mut asked);
    Command::Redesignate(asked)
}

fn to_spouse(minor: i64) -> Reattributed {
    Reattributed {
        remedy: TWO,
        donation: id(1),
        committee: CommitteeId::FIRST,
        amount: usd(minor),
        person: SPOUSE,
        likeness: SPOUSES_NAME,
        contact: sealed(9),
        day: day("2026-09-25"),
    }
}

fn reattribute(what: Reattributed) -> Command {
    Command::Reattribute { what, today: day("2026-09-26") }
}

/// What is left under a limit to somebody.
fn left(given: &Given, donor: PersonId, name: &str) -> i64 {
    let limit = limits().into_iter().find(|limit| limit.name == name).unwrap();
    let giver = Giver { donor, likeness: None };
    left_under(&given.state, giver, CommitteeId::FIRST, &limit).left.minor
}

#[test]
fn a_redesignated_part_counts_for_the_other_election() {
    let done = over().when(redesignate(|_| {})).then([Event::Redesignated(Redesignated {
        remedy: ONE,
        donation: id(1),
        committee: CommitteeId::FIRST,
        amount: usd(150_000),
        limit: "general".into(),
        counts_on: day("2026-10-01"),
        consent: Consent::Written,
        day: day("2026-09-25"),
    })]);
    assert_eq!((left(&over(), PERSON, "primary"), left(&over(), PERSON, "general")), (0, 350_000));
    assert_eq!((left(&done, PERSON, "primary"), left(&done, PERSON, "general")), (0, 200_000));
    done.when(redesignate(|_| {})).changes_nothing();
    // What went back is of what was not moved, first.
    let part = refund(&done, 1, 100_000);
    assert_eq!((left(&part, PERSON, "primary"), left(&part, PERSON, "general")), (100_000, 200_000));
    let all = refund(&part, 1, 400_000);
    assert_eq!((left(&all, PERSON, "primary"), left(&all, PERSON, "general")), (350_000, 350_000));
}

#[test]
fn a_reattributed_part_counts_as_the_others() {
    let done = over().when(reattribute(to_spouse(150_000))).then([Event::Reattributed(to_spouse(150_000))]);
    assert_eq!((left(&done, PERSON, "primary"), left(&done, SPOUSE, "primary")), (0, 200_000));
    assert_eq!(left(&done, SPOUSES_NAME, "primary"), 200_000, "by their home, too");
    // The two stay two: what the other gives by themselves is not the donor's.
    let both = gift(done, 2, SPOUSE, 200_000);
    assert_eq!((left(&both, PERSON, "primary"), left(&both, SPOUSE, "primary")), (0, 0));
    let more =
        both.and([donation::Event::Pledged(Pledged { donation: id(3), donor: SPOUSE, amount: usd(100), ..pledge() })]);
    let room = Room { limit: "primary".into(), most: usd(350_000), left: usd(0) };
    more.when(offer(3)).refuses(donation::Refusal::OverLimit(room));
}

#[test]
fn an_undone_remedy_counts_no_more() {
    let done = over().done([redesignate(|_| {})]);
    let undone =
        done.when(Command::Undo { remedy: ONE }).then([Event::Undone(Undone { remedy: ONE, donation: id(1) })]);
    assert_eq!(left(&undone, PERSON, "general"), 350_000);
    undone.when(Command::Undo { remedy: ONE }).refuses(Refusal::UnknownRemedy);
    over().when(Command::Undo { remedy: ONE }).refuses(Refusal::UnknownRemedy);
    let _ = undone.done([redesignate(|asked| asked.remedy = TWO)]);
}

#[test]
fn what_can_not_be_moved_is_refused_in_words() {
    type Change = fn(&mut Redesignate);
    let room = |left| Refusal::NoRoom(Room { limit: "general".into(), most: usd(350_000), left: usd(left) });
    let cases: [(Change, Refusal); 11] = [
        (|asked| asked.donation = id(9), Refusal::Unknown),
        (|asked| asked.committee = CommitteeId(9), Refusal::Unknown),
        (|asked| asked.amount = usd(0), Refusal::Amount),
        (|asked| asked.amount = usd(500_001), Refusal::TooMuch(usd(500_000))),
        (|asked| asked.amount = usd(350_001), room(350_000)),
        (|asked| asked.limit = "special".into(), Refusal::UnknownLimit),
        (|asked| asked.limit = "primary".into(), Refusal::SameLimit("primary".into())),
        (|asked| asked.day = day("2026-09-22"), Refusal::Day),
        (|asked| asked.day = day("2026-09-27"), Refusal::Day),
        (|asked| (asked.day, asked.today) = (day("2026-11-23"), day("2026-11-23")), Refusal::Late),
        (|asked| (asked.limit, asked.consent) = ("before".into(), Consent::Presumed), Refusal::NotLater),
    ];
    for (change, refusal) in cases {
        over().when(redesignate(change)).refuses(refusal);
    }
    // Until the sixtieth day, and by the donor's own hand to an earlier election, too.
    let _ = over().done([redesignate(|asked| (asked.day, asked.today) = (day("2026-11-22"), day("2026-11-22")))]);
    let _ = over().done([redesignate(|asked| asked.limit = "before".into())]);
    // Nothing is moved twice, and nothing that is on its way back.
    let done = over().done([redesignate(|asked| asked.amount = usd(300_000))]);
    let again = |minor| {
        redesignate(move |asked| (asked.remedy, asked.limit, asked.amount) = (TWO, "before".into(), usd(minor)))
    };
    done.when(again(200_001)).refuses(Refusal::TooMuch(usd(200_000)));
    let back = donation::Command::RequestRefund { donation: id(1), refund: REFUND, amount: usd(150_000) };
    done.clone().done([back]).when(again(50_001)).refuses(Refusal::TooMuch(usd(50_000)));
    let _ = done.done([again(200_000)]);
    let same = Reattributed { person: PERSON, ..to_spouse(100) };
    over().when(reattribute(same)).refuses(Refusal::SamePerson);
    let full = gift(over(), 2, SPOUSE, 350_000);
    let none = Refusal::NoRoom(Room { limit: "primary".into(), most: usd(350_000), left: usd(0) });
    full.when(reattribute(to_spouse(100))).refuses(none);
}

#[test]
fn a_limit_over_both_days_counts_a_moved_part_once() {
    let year = limit("year", 500_000, "2026-01-01", "2026-12-31");
    let given = over().done([set([limits(), vec![year.clone()]].concat())]).done([redesignate(|_| {})]);
    let giver = Giver { donor: PERSON, likeness: None };
    assert_eq!(left_under(&given.state, giver, CommitteeId::FIRST, &year).left, usd(0));
}

#[test]
fn a_gift_is_not_moved_without_end() {
    let mut given = over();
    for number in 0..REMEDIES_MAX {
        let remedy = RemedyId(Uuid::from_u128(0x2000 + u128::try_from(number).unwrap()));
        given = given.done([redesignate(|asked| (asked.remedy, asked.amount) = (remedy, usd(100)))]);
    }
    given.when(redesignate(|_| {})).refuses(Refusal::TooMany);
}
