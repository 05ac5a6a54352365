use super::*;
use crate::domain::donation::{Event as Donation, PaymentRequested, Pledged, Settled};
use crate::domain::id::ErasureId;
use crate::domain::person::{Event as Person, Merged, Parted, ToldApart};
use crate::domain::privacy::{self, Erased};
use crate::domain::test_kit::{RALLY, at, created, payment, pledge, usd};
use crate::projections::test_kit::{folded, gift};
use uuid::Uuid;

fn person(number: u128) -> PersonId {
    PersonId(Uuid::from_u128(number << 64 | 0xc000))
}

/// The form of a gift of a donor with the same number, and these traces.
fn form(number: u128, mailbox: Option<u128>, namesake: Option<u128>) -> Event {
    let traces = Traces { mailbox: mailbox.map(person), namesake: namesake.map(person) };
    let (donation, donor) = (gift(number), person(number));
    Event::Donation(Donation::Pledged(Pledged { donation, donor, traces, ..pledge() }))
}

/// Its card.
fn card(number: u128) -> Event {
    let (donation, method) = (gift(number), "tok".to_owned());
    let requested = PaymentRequested { donation, attempt: 1, method, customer: None, parts: Box::default() };
    Event::Donation(Donation::PaymentRequested(requested))
}

/// Its money.
fn money(number: u128) -> Event {
    Event::Donation(Donation::Settled(Settled {
        donation: gift(number),
        rally: RALLY,
        donor: person(number),
        payment: payment(&format!("pi_{number}")),
        amount: usd(5_000),
        fee: None,
        card: None,
    }))
}

fn gave(number: u128, mailbox: Option<u128>, namesake: Option<u128>) -> Vec<Event> {
    vec![form(number, mailbox, namesake), card(number), money(number)]
}

/// Pairs by their donors' numbers, with the rules.
fn pairs(events: impl IntoIterator<Item = Event>) -> Vec<(u64, u64, Vec<Rule>)> {
    let world = folded((1..).zip(std::iter::once(created()).chain(events)));
    let number = |person: PersonId| person.0.as_u64_pair().0;
    let pair = |likely: Likely| {
        let [one, other] = likely.pair.both().map(number);
        (one, other, likely.rules)
    };
    likely(&world).into_iter().map(pair).collect()
}

#[test]
fn a_mailbox_is_one_whichever_address_came_first() {
    let (dotted, plain, tagged) = (gave(2, Some(1), None), gave(1, None, None), gave(3, Some(1), None));
    let mailbox = || vec![Rule::Mailbox];
    assert_eq!(pairs([dotted.clone(), plain.clone()].concat()), [(1, 2, mailbox())]);
    assert_eq!(pairs([plain.clone(), dotted.clone()].concat()), [(1, 2, mailbox())]);
    assert_eq!(pairs([dotted.clone(), tagged.clone()].concat()), [(2, 3, mailbox())], "nobody has the plain one");
    let all = [(1, 2, mailbox()), (1, 3, mailbox()), (2, 3, mailbox())];
    assert_eq!(pairs([dotted.clone(), plain.clone(), tagged.clone()].concat()), all);
    assert_eq!(pairs([tagged, dotted, plain].concat()), all);
    assert!(pairs([gave(1, None, None), gave(4, None, None)].concat()).is_empty());
}

#[test]
fn both_rules_are_told_and_who_never_paid_is_nobody() {
    let one = gave(1, None, Some(90));
    let other = gave(2, Some(1), Some(90));
    assert_eq!(pairs([one.clone(), other.clone()].concat()), [(1, 2, vec![Rule::Mailbox, Rule::Namesake])]);
    assert!(pairs([one.clone(), other[..2].to_vec()].concat()).is_empty(), "a card alone is no gift");
    assert!(pairs([one.clone(), vec![other[0].clone()]].concat()).is_empty());
    // A form without a card leaves no trace that would hide a later one.
    let third = gave(3, None, Some(90));
    assert_eq!(pairs([vec![other[0].clone()], one, third].concat()), [(1, 3, vec![Rule::Namesake])]);
}

#[test]
fn what_was_decided_does_not_come_back_but_what_was_parted_does() {
    let both = [gave(1, None, Some(90)), gave(2, None, Some(90))].concat();
    let (kept, other, reason) = (person(1), person(2), String::new());
    let merged = Event::Person(Person::Merged(Merged { kept, other, reason: reason.clone() }));
    let parted = Event::Person(Person::Parted(Parted { kept, other, reason: reason.clone() }));
    let apart = Event::Person(Person::ToldApart(ToldApart { one: other, other: kept, reason }));
    let after =
        |events: &[&Event]| pairs(both.iter().cloned().chain(events.iter().map(|event| (*event).clone()))).len();
    assert_eq!((after(&[]), after(&[&merged]), after(&[&merged, &parted]), after(&[&apart])), (1, 0, 1, 0));
    // A third of the same house is looked at beside one of the two who are one, and none of whom one was told apart.
    let third = gave(3, None, Some(90));
    let with = |event: &Event| pairs(both.iter().chain(&third).cloned().chain([event.clone()])).len();
    assert_eq!((pairs(both.iter().chain(&third).cloned()).len(), with(&merged), with(&apart)), (3, 1, 2));
    let erased = Event::Privacy(privacy::Event::Erased(Erased {
        erasure: ErasureId(Uuid::from_u128(1)),
        person: person(2),
        reason: String::new(),
        notices: vec![],
        closed: vec![],
    }));
    assert_eq!(after(&[&erased]), 0, "nobody can look at a name that is gone");
}

#[test]
fn memory_is_bounded() {
    let mut alike = Alike::default();
    for number in 0..u128::try_from(WAITING_MAX).unwrap() + 10 {
        alike.wait(gift(number), Traces { mailbox: Some(person(number)), namesake: None });
    }
    assert_eq!((alike.waiting.len(), alike.order.len()), (WAITING_MAX, WAITING_MAX));
    let (mut world, most) = (Projections::default(), u128::try_from(GROUPS_MAX).unwrap());
    let mut take = |events: Vec<Event>| {
        for event in events {
            world.seq += 1;
            world.apply(&Recorded { seq: world.seq, at: at(0), event });
        }
        (world.alike.groups.len(), world.alike.groups.values().map(|group| group.members.len()).max())
    };
    take(vec![created()]);
    let two = |group: u128| {
        let namesake = Some(1_000_000 + group);
        [gave(group * 2 + 1, None, namesake), gave(group * 2 + 2, None, namesake)].concat()
    };
    for group in 0..most {
        take(two(group));
    }
    assert_eq!(take(two(most)), (GROUPS_MAX, Some(2)), "no room");
    let many = (500_000..500_008).flat_map(|number| gave(number, None, Some(1_000_000))).collect();
    assert_eq!(take(many), (GROUPS_MAX, Some(MEMBERS_MAX)), "nor for all of one name");
    // What is decided makes room, though it is not looked at every time.
    let (kept, other, reason) = (person(3), person(4), String::new());
    take(vec![Event::Person(Person::Merged(Merged { kept, other, reason }))]);
    let looks = u128::from(FULL_LOOK);
    for group in most + 1..=most + looks {
        take(two(group));
    }
    assert!(world.alike.groups.contains_key(&short(person(1_000_000 + most + looks))));
    assert!(!world.alike.groups.contains_key(&short(person(1_000_001))), "of the two nothing is left to decide");
}
