use super::origin::{ORIGINS_MAX, Row};
use super::people::{Funnel, MINUTES_MAX, Minute, Watched};
use super::*;
use crate::domain::attendance::{Agreed, Arrival, Joined, Present, WORDING};
use crate::domain::broadcast::TookProgram;
use crate::domain::donation::{Came, Pledged};
use crate::domain::id::{ErasureId, ItemId};
use crate::domain::ledger::Started;
use crate::domain::privacy::Erased;
use crate::domain::show::{ItemNamed, Undone};
use crate::domain::test_kit::*;
use crate::projections::Projections;
use crate::projections::test_kit::{folded, gift};
use uuid::Uuid;

/// `at(0)` in seconds since 1970: the first of its minute.
const ZERO: u32 = 1_790_164_800;

fn joined_from(person: PersonId, came: Option<Arrival>) -> Event {
    attendance::Event::Joined(Joined { rally: RALLY, person, profile: sealed(1), came }).into()
}

fn joined(person: PersonId) -> Event {
    joined_from(person, None)
}

fn entered(person: PersonId) -> Event {
    attendance::Event::Entered(Present { rally: RALLY, person }).into()
}

fn left(person: PersonId) -> Event {
    attendance::Event::Left(Present { rally: RALLY, person }).into()
}

fn started() -> Event {
    ledger::Event::Started(Started {}).into()
}

fn erased(person: PersonId) -> Event {
    let erasure = ErasureId(Uuid::from_u128(1));
    privacy::Event::Erased(Erased { erasure, person, reason: "asked".into(), notices: vec![], closed: vec![] }).into()
}

fn pledged_from(number: u128, donor: PersonId, by: Option<Way>, refcode: Option<&str>) -> Event {
    let came = by.map(|by| Came { by, opened_at: at(0), on_program: None });
    let refcode = refcode.map(Into::into);
    donation::Event::Pledged(Pledged { donation: gift(number), donor, came, refcode, ..pledge() }).into()
}

fn settled_by(number: u128, donor: PersonId, minor: i64) -> Event {
    donation::Event::Settled(Settled {
        donation: gift(number),
        rally: RALLY,
        donor,
        payment: payment(&format!("pi_{number}")),
        amount: usd(minor),
        fee: None,
        card: None,
    })
    .into()
}

fn crowd(world: &Projections) -> &RallyCrowd {
    world.crowd.of(RALLY).unwrap()
}

fn stays(world: &Projections, person: PersonId) -> Vec<(u32, Option<u32>)> {
    let people = &crowd(world).people;
    let stays = people.stays(people.find(person).unwrap());
    stays.map(|(from, until)| (from - ZERO, until.map(|until| until - ZERO))).collect()
}

#[test]
fn stays_are_what_lies_between_the_doors() {
    let usual = |rest: Vec<(i64, Event)>| [vec![(0, created()), (1, joined(PERSON)), (100, opened())], rest].concat();
    let (come, go) = (|second| (second, entered(PERSON)), |second| (second, left(PERSON)));
    let over = |second| (second, ended());
    for (what, events, expected, watched_s) in [
        ("never came", usual(vec![over(900)]), vec![], 0),
        ("came and went", usual(vec![come(110), go(170), over(900)]), vec![(110, Some(170))], 60),
        ("came late and stays", usual(vec![come(500)]), vec![(500, None)], 500),
        (
            "came twice",
            usual(vec![come(110), go(120), come(200), go(230)]),
            vec![(110, Some(120)), (200, Some(230))],
            40,
        ),
        ("told twice of either", usual(vec![come(110), come(111), go(120), go(121)]), vec![(110, Some(120))], 10),
        ("never leaves, and it ends", usual(vec![come(110), over(900)]), vec![(110, Some(900))], 790),
        ("leaves after it ended", usual(vec![come(110), over(900), go(2_000)]), vec![(110, Some(900))], 790),
        ("comes when it is over", usual(vec![over(900), come(950)]), vec![], 0),
        ("waits at the doors", [vec![come(50)], usual(vec![go(160)])].concat(), vec![], 0),
        (
            "waits at the doors, and is let in",
            vec![(0, created()), (1, joined(PERSON)), come(50), (100, opened()), go(160)],
            vec![(100, Some(160))],
            60,
        ),
        (
            "goes before they open",
            vec![(0, created()), (1, joined(PERSON)), come(50), go(60), (100, opened())],
            vec![],
            0,
        ),
        (
            "a crash: the last that was heard",
            usual(vec![come(110), (300, entered(OTHER_PERSON)), (800, started())]),
            vec![(110, Some(300))],
            190,
        ),
        (
            "a crash, and comes back",
            usual(vec![come(110), (300, joined(OTHER_PERSON)), (400, started()), come(410), go(420)]),
            vec![(110, Some(300)), (410, Some(420))],
            200,
        ),
        (
            "a crash after the end",
            usual(vec![come(110), over(900), (950, joined(OTHER_PERSON)), (1_000, started())]),
            vec![(110, Some(900))],
            790,
        ),
        ("a start with nobody there", usual(vec![(150, started()), come(160), go(170)]), vec![(160, Some(170))], 10),
        (
            "erased, and back as the same",
            usual(vec![come(110), (120, erased(PERSON)), go(130), (140, joined(PERSON)), come(150), go(160)]),
            vec![(110, Some(130)), (150, Some(160))],
            30,
        ),
    ] {
        let world = folded(events);
        assert_eq!(stays(&world, PERSON), expected, "{what}");
        let people = &crowd(&world).people;
        let (all, _) = people.watched(crowd(&world).origins.iter().len(), ZERO + 1_000);
        let came = u64::from(!expected.is_empty());
        assert_eq!(
            all,
            Watched { people: came, total_s: watched_s, median_s: watched_s.try_into().unwrap() },
            "{what}"
        );
        assert_eq!(
            (people.attendees().iter().filter(|a| a.person == PERSON).count(), people.funnel().joined),
            (1, came)
        );
    }
}

#[test]
fn half_of_them_watched_at_least_the_median() {
    let person = |number: u128| PersonId(Uuid::from_u128(number));
    let mut events = vec![(0, created()), (0, opened())];
    for (number, seconds) in [(1, 10), (2, 600), (3, 20), (4, 30)] {
        events.extend([(0, joined(person(number))), (0, entered(person(number))), (seconds, left(person(number)))]);
    }
    events.sort_by_key(|(second, _)| *second);
    let world = folded(events);
    let (all, by_origin) = crowd(&world).people.watched(1, ZERO);
    assert_eq!((all, by_origin), (Watched { people: 4, total_s: 660, median_s: 30 }, vec![all]));
}

#[test]
fn each_step_of_the_funnel_is_part_of_the_one_before() {
    let registered = |step: u64| Funnel { registered: step, ..Funnel::default() };
    let base = vec![(0, created()), (1, opened()), (2, joined(PERSON))];
    let gave = [(3, pledged_from(1, PERSON, None, None)), (4, settled_by(1, PERSON, 5_000))];
    let here = [(5, entered(PERSON))];
    assert_eq!(crowd(&folded(base.clone())).people.funnel(), registered(1));
    let absent = folded([base.clone(), gave.to_vec()].concat());
    assert_eq!(crowd(&absent).people.funnel(), registered(1), "who gave and did not come is no part of who came");
    let all = Funnel { joined: 1, gave: 1, ..registered(1) };
    assert_eq!(crowd(&folded([base, gave.to_vec(), here.to_vec()].concat())).people.funnel(), all);
    // Who gave first and registered then, too.
    let turned = [gave.to_vec(), vec![(5, joined(PERSON)), (6, opened()), (7, entered(PERSON))]].concat();
    assert_eq!(crowd(&folded([vec![(0, created())], turned].concat())).people.funnel(), all);
}

fn row_of(world: &Projections, origin: Origin) -> Row {
    let mut rows = crowd(world).origins.iter();
    rows.find(|(known, _)| **known == origin).map(|(_, row)| *row).unwrap_or_default()
}

#[test]
fn a_gift_counts_where_its_link_came_from_or_else_where_its_donor_did() {
    let arrival = |refcode: &str| Some(Arrival { by: Way::Shared, refcode: Some(refcode.into()) });
    let code = |text: &str| Origin::Refcode(text.into());
    let (qr, page) = (Origin::Way(Way::Qr), Origin::Way(Way::Page));
    for (what, came, by, refcode, expected) in [
        ("its own refcode", arrival("a"), Some(Way::Rally), Some("b"), code("b")),
        ("its own way", arrival("a"), Some(Way::Qr), None, qr),
        ("the rally's page: its donor's", arrival("a"), Some(Way::Rally), None, code("a")),
        ("told nothing: its donor's", arrival("a"), None, None, code("a")),
        ("nor its donor", None, Some(Way::Page), None, Origin::Way(Way::Rally)),
    ] {
        let world = folded([
            (0, created()),
            (1, joined_from(PERSON, came)),
            (2, pledged_from(1, PERSON, by, refcode)),
            (3, settled_by(1, PERSON, 5_000)),
        ]);
        let row = row_of(&world, expected);
        assert_eq!((row.gifts, row.donors), (Gifts { count: 1, minor: 5_000 }, 1), "{what}");
    }
    let stranger = folded([
        (0, created()),
        (1, pledged_from(1, PERSON, Some(Way::Page), None)),
        (2, settled_by(1, PERSON, 5_000)),
        (3, pledged_from(2, PERSON, None, Some("b"))),
        (4, settled_by(2, PERSON, 1_000)),
        (5, pledged_from(3, OTHER_PERSON, None, Some("b"))),
        (6, settled_by(3, OTHER_PERSON, 200)),
    ]);
    let gifts = |count, minor| Gifts { count, minor };
    assert_eq!(row_of(&stranger, page), Row { donors: 1, gifts: gifts(1, 5_000), ..Row::default() });
    // A donor counts once, where their first gift came from.
    assert_eq!(row_of(&stranger, code("b")), Row { donors: 1, gifts: gifts(2, 1_200), ..Row::default() });
}

#[test]
fn made_up_refcodes_fill_no_memory() {
    let mut origins = Origins::default();
    for number in 0..ORIGINS_MAX * 2 {
        origins.registered(Origin::Refcode(number.to_string().into()));
    }
    assert_eq!(origins.iter().len(), ORIGINS_MAX + 1);
    let (last, row) = origins.iter().last().unwrap();
    assert_eq!((last, row.registered), (&Origin::Rest, u32::try_from(ORIGINS_MAX).unwrap()));
    assert_eq!(origins.iter().map(|(_, row)| row.registered).sum::<u32>(), u32::try_from(ORIGINS_MAX * 2).unwrap());
}

#[test]
fn a_gift_counts_in_the_minute_of_its_form_and_while_who_was_on() {
    let took = |second, source| {
        let took = TookProgram { rally: RALLY, source, shown_at: at(second) };
        (second, broadcast::Event::TookProgram(took).into())
    };
    let item = |item| ItemNamed { rally: RALLY, item };
    let goes = |second, to| (second, show::Event::ItemStarted(item(to)).into());
    let gives = |number: u128, pledged: i64, paid: i64| {
        let minor = 10_i64.pow(u32::try_from(number).unwrap());
        [(pledged, pledged_from(number, PERSON, None, None)), (paid, settled_by(number, PERSON, minor))]
    };
    let mut events = vec![
        (0, created()),
        goes(5, OTHER_ITEM),
        (90, opened()),
        took(95, Some(SOURCE)),
        goes(100, ITEM),
        took(200, Some(OTHER_SOURCE)),
        goes(210, OTHER_ITEM),
        (230, show::Event::Undone(Undone { rally: RALLY, item: Some(OTHER_ITEM) }).into()),
        (260, show::Event::ItemStopped(item(ITEM)).into()),
        (300, ended()),
    ];
    // Before the doors; in the second minute, and paid hours later; under what was undone; at the very end; after it.
    for (number, pledged, paid) in [(1, 30, 31), (2, 150, 9_000), (3, 215, 216), (4, 299, 299), (5, 300, 301)] {
        events.extend(gives(number, pledged, paid));
    }
    events.sort_by_key(|(second, _)| *second);
    let world = folded(events);
    let RallyCrowd { people, moments, origins } = crowd(&world);
    let gifts = |count, minor| Gifts { count, minor };
    let minute = |number: u32, gifts| Minute { start_s: ZERO + number * 60, gifts, ..Minute::default() };
    let empty = Gifts::default();
    let expected = vec![
        minute(1, empty),
        minute(2, gifts(1, 100)),
        minute(3, gifts(1, 1_000)),
        minute(4, gifts(1, 10_000)),
        minute(5, empty),
    ];
    assert_eq!(people.minutes(moments, ZERO + 5_000), expected);
    let spans = |second: u32, until: u32| (second + ZERO, until + ZERO);
    let program: Vec<_> =
        people.stretches(&moments.program, 0).iter().map(|s| (s.of, (s.from_s, s.until_s), s.gifts)).collect();
    let expected = vec![
        (None, spans(90, 95), empty),
        (Some(SOURCE), spans(95, 200), gifts(1, 100)),
        (Some(OTHER_SOURCE), spans(200, 300), gifts(2, 11_000)),
    ];
    assert_eq!(program, expected);
    let run: Vec<_> =
        people.stretches(&moments.run, 0).iter().map(|s| (s.of, (s.from_s, s.until_s), s.gifts)).collect();
    let expected: Vec<(Option<ItemId>, _, _)> = vec![
        (None, spans(90, 100), empty),
        (Some(ITEM), spans(100, 260), gifts(2, 1_100)),
        (None, spans(260, 300), gifts(1, 10_000)),
    ];
    assert_eq!(run, expected, "what was practised before the doors is forgotten");
    assert_eq!(origins.iter().map(|(_, row)| row.gifts.count).sum::<u32>(), 5, "all of them are gifts");
}

#[test]
fn who_came_and_went_is_counted_by_minute_and_by_turn() {
    let world = folded([
        (0, created()),
        (1, joined(PERSON)),
        (1, joined(OTHER_PERSON)),
        (2, entered(PERSON)),
        (60, opened()),
        (
            60,
            broadcast::Event::TookProgram(TookProgram { rally: RALLY, source: Some(SOURCE), shown_at: at(60) }).into(),
        ),
        (90, entered(OTHER_PERSON)),
        (150, left(OTHER_PERSON)),
        (170, broadcast::Event::TookProgram(TookProgram { rally: RALLY, source: None, shown_at: at(170) }).into()),
        (200, ended()),
    ]);
    let RallyCrowd { people, moments, .. } = crowd(&world);
    let minutes: Vec<_> = people.minutes(moments, 0).iter().map(|m| (m.here, m.came, m.went)).collect();
    assert_eq!(minutes, [(2, 2, 0), (1, 0, 1), (1, 0, 0)], "whoever stayed to the end did not go");
    let turns: Vec<_> =
        people.stretches(&moments.program, 0).iter().map(|s| (s.here_first, s.here_last, s.came, s.went)).collect();
    assert_eq!(turns, [(0, 1, 2, 1), (1, 1, 0, 0)]);
}

#[test]
fn doors_that_nobody_closes_are_told_for_a_day() {
    let world = folded([(0, created()), (1, opened())]);
    let RallyCrowd { people, moments, .. } = crowd(&world);
    assert_eq!(people.minutes(moments, ZERO + 30 * 86_400).len(), MINUTES_MAX);
    assert_eq!(people.minutes(moments, 0).len(), 1, "a clock that stepped back");
    assert!(world.crowd.of(OTHER_RALLY).is_none());
}

#[test]
fn who_agreed_stands_here_until_they_take_it_back_or_are_erased() {
    let agreed = |second| {
        let agreed = Agreed { rally: RALLY, person: PERSON, wording: WORDING.0.into() };
        (second, attendance::Event::Agreed(agreed).into())
    };
    let base = vec![(0, created()), (1, joined(PERSON)), agreed(2)];
    let consent = Consent { profile: 2, at: at(2), wording: WORDING.0.into() };
    let then = |events: Vec<(i64, Event)>| folded([base.clone(), events].concat()).crowd;
    assert_eq!(then(vec![]).consent(PERSON), Some(&consent));
    assert_eq!(then(vec![]).consents().collect::<Vec<_>>(), [(PERSON, &consent)]);
    let withdrew = attendance::Event::Withdrew(Present { rally: RALLY, person: PERSON });
    assert_eq!(then(vec![(3, withdrew.into())]).consent(PERSON), None);
    assert_eq!(then(vec![(3, erased(PERSON))]).consent(PERSON), None);
    let back = then(vec![(3, erased(PERSON)), (4, joined(PERSON)), agreed(5)]);
    assert_eq!(back.consent(PERSON), Some(&Consent { profile: 5, at: at(5), ..consent }));
    assert_eq!(back.of(RALLY).unwrap().people.attendees().len(), 1);
}
