//! Gifts to a joint committee, and the limits of those who share them.

use super::Giver;
use crate::domain::committee::joint::{Formula, Part, Partner};
use crate::domain::committee::{self, Limit, Room, Rules};
use crate::domain::donation::{Command, Event, PaymentRequested, Pledged, Refusal};
use crate::domain::id::{CommitteeId, DonationId, PaymentId, PersonId};
use crate::domain::rally::{Announced, Details, Event as Rally};
use crate::domain::test_kit::*;
use uuid::Uuid;

const SENATE: CommitteeId = CommitteeId::FIRST;
const PARTY: CommitteeId = CommitteeId(1);
const VICTORY: CommitteeId = CommitteeId(2);

/// A rally of the Victory Fund, which shares 60 to 40: $3,500 may go to the Senate committee and $10,000 to the party.
fn victory(in_turn: bool) -> Given {
    let limit = |name: &str, most| Limit {
        name: name.into(),
        most: usd(most),
        from: "2026-01-01".parse().unwrap(),
        until: "2026-12-31".parse().unwrap(),
    };
    let set = |committee, rules| committee::Command::SetRules { committee, rules: Box::new(rules) };
    let limited = |name, most| Rules { limits: vec![limit(name, most)], ..Rules::default() };
    let partner = |committee, basis_points| Partner { committee, basis_points };
    let formula = Formula { in_turn, partners: vec![partner(SENATE, 6_000), partner(PARTY, 4_000)] };
    let joint = Details { committee: VICTORY, ..details() };
    let senate = Details { slug: "senate".into(), ..details() };
    given_nothing()
        .done([committee::Command::Found { handles: vec!["party".into(), "victory".into()] }])
        .done([set(SENATE, limited("primary", 350_000)), set(PARTY, limited("year", 1_000_000))])
        .done([set(VICTORY, Rules { formula: Some(formula), ..Rules::default() })])
        .and([Rally::Created(Announced { rally: RALLY, details: joint })])
        .and([Rally::Created(Announced { rally: OTHER_RALLY, details: senate })])
}

fn id(number: u128) -> DonationId {
    DonationId(Uuid::from_u128(0xd000 + number))
}

fn gift(number: u128, minor: i64) -> Event {
    Event::Pledged(Pledged { donation: id(number), amount: usd(minor), ..pledge() })
}

/// The same at the Senate committee's own rally.
fn own(number: u128, minor: i64) -> Event {
    Event::Pledged(Pledged { donation: id(number), amount: usd(minor), rally: OTHER_RALLY, ..pledge() })
}

fn offer(number: u128) -> Command {
    Command::RequestPayment { donation: id(number), method: "tok".into() }
}

fn settle(number: u128, minor: i64) -> Command {
    let payment = PaymentId(format!("pi_{number}"));
    Command::RecordSettled { donation: id(number), payment, amount: usd(minor), fee: None, card: None }
}

fn requested(number: u128, parts: &[(CommitteeId, i64)]) -> [Event; 1] {
    let part = |(committee, minor): &(CommitteeId, i64)| Part { committee: *committee, amount: usd(*minor) };
    let parts = parts.iter().map(part).collect();
    let (donation, attempt, method) = (id(number), 1, "tok".into());
    [Event::PaymentRequested(PaymentRequested { donation, attempt, method, customer: None, parts })]
}

fn over(limit: &str, most: i64, left: i64) -> Refusal {
    Refusal::OverLimit(Room { limit: limit.into(), most: usd(most), left: usd(left) })
}

#[test]
fn each_part_counts_for_its_own_committee() {
    let given = victory(false).and([gift(1, 500_000), own(2, 50_001), own(3, 50_000)]);
    let given = given.when(offer(1)).then(requested(1, &[(SENATE, 300_000), (PARTY, 200_000)]));
    given.when(offer(2)).refuses(over("primary", 350_000, 50_000));
    let given = given.when(offer(3)).then(requested(3, &[]));
    // Nothing of the next may go to the Senate committee.
    let given = given.and([gift(4, 800_000), gift(5, 800_001)]);
    given.when(offer(5)).refuses(over("committees that share this gift", 1_350_000, 800_000));
    let _ = given.when(offer(4)).then(requested(4, &[(PARTY, 800_000)]));
}

#[test]
fn a_hundred_at_once_stay_below_the_limits_together() {
    let mut given = victory(false).and((0..100).map(|number| gift(number, 50_000)));
    let mut taken = 0;
    for number in 0..100 {
        let before = given.state.donations.get(id(number)).unwrap().attempts;
        if let Ok(events) = crate::domain::decide(&given.state, offer(number).into()) {
            given = given.and(events).done([settle(number, 50_000)]);
            taken += 50_000;
        }
        assert_eq!(before, 0);
    }
    assert_eq!(taken, 1_350_000, "all that both may take, and no cent more");
    let of = |committee| {
        let gifts = given.state.donations.iter();
        gifts.map(|(_, gift)| gift.counted_for(committee)).sum::<i64>()
    };
    assert_eq!([of(SENATE), of(PARTY), of(VICTORY)], [350_000, 1_000_000, 1_350_000]);
}

#[test]
fn what_goes_back_makes_room_in_proportion() {
    let given = victory(false).and([gift(1, 500_000), own(2, 350_000)]).done([offer(1), settle(1, 500_000)]);
    given.when(offer(2)).refuses(over("primary", 350_000, 50_000));
    let payment = PaymentId("pi_1".into());
    let back = |minor| Command::RecordRefunded {
        payment: payment.clone(),
        processor_refund: processor_refund(&format!("re_{minor}")),
        refund: None,
        amount: usd(minor),
    };
    let half = given.done([back(250_000)]);
    half.when(offer(2)).refuses(over("primary", 350_000, 200_000));
    let _ = half.done([back(250_001 - 1 - 1), back(1)]).when(offer(2)).then(requested(2, &[]));
}

#[test]
fn in_turn_the_first_takes_all_it_may() {
    let given = victory(true).and([own(1, 100_000), gift(2, 500_000)]).done([offer(1)]);
    let _ = given.when(offer(2)).then(requested(2, &[(SENATE, 250_000), (PARTY, 250_000)]));
}

#[test]
fn another_attempt_is_shared_out_anew() {
    let given = victory(false).and([gift(1, 500_000), own(2, 350_000)]).done([offer(1)]);
    let (code, reason) = ("card_declined".to_owned(), "no".to_owned());
    let declined = Command::RecordDeclined { donation: id(1), payment: None, code, reason };
    let given = given.done([declined, offer(2)]).done([offer(1)]);
    let parts = &given.state.donations.get(id(1)).unwrap().parts;
    assert_eq!(parts.iter().map(|part| (part.committee, part.amount.minor)).collect::<Vec<_>>(), [(PARTY, 500_000)]);
}

#[test]
fn a_gift_stays_with_the_committee_it_was_given_to() {
    let given = victory(false).and([gift(1, 5_000)]);
    let moved = Details { committee: SENATE, ..details() };
    let given = given.and([Rally::Revised(Announced { rally: RALLY, details: moved })]).and([gift(2, 5_000)]);
    let of = |number| given.state.donations.get(id(number)).unwrap().committee;
    assert_eq!([of(1), of(2)], [VICTORY, SENATE]);
    let stranger = Giver { donor: PersonId(Uuid::from_u128(9)), likeness: None };
    assert_ne!(given.state.donations.get(id(1)).unwrap().giver(), stranger);
}
