//! The crowd against books of its own: any history, and a naive fold that knows nothing of the projection's lists, come to the
//! same stays, minutes, origins and turns.

use crate::{DONOR, RALLY, instant, usd};
use groundswell::domain::attendance::{self, Agreed, Arrival, Joined, Present, WORDING};
use groundswell::domain::broadcast::{self, TookProgram};
use groundswell::domain::donation::{self, Came, Pledged, Settled, Traces, Way};
use groundswell::domain::id::{DonationId, ErasureId, ItemId, PaymentId, PersonId, SourceId};
use groundswell::domain::rally::{self, RallyNamed};
use groundswell::domain::sealed::Sealed;
use groundswell::domain::show::{self, ItemNamed, Undone};
use groundswell::domain::{Event, Recorded, ledger, privacy};
use groundswell::projections::Projections;
use groundswell::projections::crowd::origin::Origin;
use groundswell::projections::crowd::{Gifts, RallyCrowd};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Seconds of a history: some minutes, so that most of what happens falls together.
const SECONDS: usize = 400;

/// What may happen, to one of a few people, gifts and speakers.
#[derive(Clone, Copy, Debug)]
enum Act {
    Join(u8, u8),
    Enter(u8),
    Leave(u8),
    Agree(u8),
    Withdraw(u8),
    Erase(u8),
    Open,
    End,
    Restart,
    Took(u8),
    Item(u8),
    StopItem,
    Undo,
    Pledge(u8, u8, u8),
    Settle(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let (who, what) = (0..5_u8, 0..6_u8);
    prop_oneof![
        4 => (who.clone(), what.clone()).prop_map(|(who, how)| Act::Join(who, how)),
        6 => who.clone().prop_map(Act::Enter),
        6 => who.clone().prop_map(Act::Leave),
        2 => who.clone().prop_map(Act::Agree),
        1 => who.clone().prop_map(Act::Withdraw),
        1 => who.clone().prop_map(Act::Erase),
        1 => Just(Act::Open),
        1 => Just(Act::End),
        1 => Just(Act::Restart),
        2 => (0..3_u8).prop_map(Act::Took),
        2 => (0..3_u8).prop_map(Act::Item),
        1 => Just(Act::StopItem),
        1 => Just(Act::Undo),
        4 => (0..8_u8, who, what).prop_map(|(gift, who, how)| Act::Pledge(gift, who, how)),
        4 => (0..8_u8).prop_map(Act::Settle),
    ]
}

/// A history in order: once the doors open, once they close, after that, and each gift is pledged and paid once at most.
fn history() -> impl Strategy<Value = Vec<(usize, Act)>> {
    vec((0..SECONDS, act()), 0..90).prop_map(|mut acts| {
        acts.sort_by_key(|(second, _)| *second);
        let (mut opened, mut ended, mut pledged, mut paid) = (false, false, BTreeSet::new(), BTreeSet::new());
        let mut turns = 0;
        acts.retain(|(_, act)| match act {
            Act::Open => !std::mem::replace(&mut opened, true),
            Act::End => opened && !std::mem::replace(&mut ended, true),
            Act::Pledge(gift, ..) => pledged.insert(*gift),
            Act::Settle(gift) => pledged.contains(gift) && paid.insert(*gift),
            Act::Item(_) | Act::StopItem => {
                turns += 1;
                true
            }
            Act::Undo if turns == 0 => false,
            Act::Undo => {
                turns -= 1;
                true
            }
            _ => true,
        });
        acts
    })
}

fn person(number: u8) -> PersonId {
    PersonId(Uuid::from_u128(0xc000 + u128::from(number)))
}

fn source(number: u8) -> Option<SourceId> {
    (number > 0).then(|| SourceId(Uuid::from_u128(0xb000 + u128::from(number))))
}

fn item(number: u8) -> ItemId {
    ItemId(Uuid::from_u128(0x1100 + u128::from(number)))
}

/// By which way, and with which refcode.
fn came(how: u8) -> (Option<Way>, Option<String>) {
    match how {
        0 => (None, None),
        1 => (Some(Way::Rally), None),
        2 => (Some(Way::Qr), None),
        3 => (Some(Way::Shared), Some("a".into())),
        4 => (Some(Way::Page), Some("b".into())),
        _ => (Some(Way::Page), None),
    }
}

fn minor(gift: u8) -> i64 {
    7_i64.pow(u32::from(gift))
}

fn event(act: Act) -> Event {
    let present = |who| Present { rally: RALLY, person: person(who) };
    let attends = Event::Attendance;
    let gift = |number: u8| DonationId(Uuid::from_u128(0xd000 + u128::from(number)));
    match act {
        Act::Join(who, how) => {
            let (by, refcode) = came(how);
            let came = by.map(|by| Arrival { by, refcode });
            let joined = Joined { rally: RALLY, person: person(who), profile: Sealed::new(&[1; 40]), came };
            attends(attendance::Event::Joined(joined))
        }
        Act::Enter(who) => attends(attendance::Event::Entered(present(who))),
        Act::Leave(who) => attends(attendance::Event::Left(present(who))),
        Act::Agree(who) => {
            let agreed = Agreed { rally: RALLY, person: person(who), wording: WORDING.0.into() };
            attends(attendance::Event::Agreed(agreed))
        }
        Act::Withdraw(who) => attends(attendance::Event::Withdrew(present(who))),
        Act::Erase(who) => Event::Privacy(privacy::Event::Erased(privacy::Erased {
            erasure: ErasureId(Uuid::from_u128(1)),
            person: person(who),
            reason: "asked".into(),
            notices: vec![],
            closed: vec![],
        })),
        Act::Open => Event::Rally(rally::Event::DoorsOpened(RallyNamed { rally: RALLY })),
        Act::End => Event::Rally(rally::Event::Ended(RallyNamed { rally: RALLY })),
        Act::Restart => Event::Ledger(ledger::Event::Started(ledger::Started {})),
        Act::Took(number) => {
            let took = TookProgram { rally: RALLY, source: source(number), shown_at: instant(0) };
            Event::Broadcast(broadcast::Event::TookProgram(took))
        }
        Act::Item(number) => Event::Show(show::Event::ItemStarted(ItemNamed { rally: RALLY, item: item(number) })),
        Act::StopItem => Event::Show(show::Event::ItemStopped(ItemNamed { rally: RALLY, item: item(0) })),
        Act::Undo => Event::Show(show::Event::Undone(Undone { rally: RALLY, item: None })),
        Act::Pledge(number, who, how) => {
            let (by, refcode) = came(how);
            Event::Donation(donation::Event::Pledged(Pledged {
                donation: gift(number),
                rally: RALLY,
                donor: if who == 4 { DONOR } else { person(who) },
                amount: usd(minor(number)),
                contact: Sealed::new(&[1; 40]),
                shown: Sealed::new(&[2; 40]),
                attestations: vec![],
                refcode,
                likeness: None,
                covers_fee: None,
                came: by.map(|by| Came { by, opened_at: instant(0), on_program: None }),
                on_program: None,
                traces: Traces::default(),
            }))
        }
        Act::Settle(number) => Event::Donation(donation::Event::Settled(Settled {
            donation: gift(number),
            rally: RALLY,
            donor: DONOR,
            payment: PaymentId(format!("pi_{number}")),
            amount: usd(minor(number)),
            fee: None,
            card: None,
        })),
    }
}

/// The same history in plain books: each question is answered by going through all of it.
struct Books<'a>(&'a [(usize, Act)]);

impl Books<'_> {
    fn second(&self, wanted: fn(&Act) -> bool) -> Option<usize> {
        self.0.iter().find(|(_, act)| wanted(act)).map(|(second, _)| *second)
    }

    fn doors(&self) -> Option<(usize, usize)> {
        let opened = self.second(|act| matches!(act, Act::Open))?;
        Some((opened, self.second(|act| matches!(act, Act::End)).unwrap_or(usize::MAX)))
    }

    /// Each span in which a person's page was open, whether or not the doors were, by the places of its events.
    fn here(&self, who: u8) -> Vec<(usize, Option<usize>)> {
        let (mut spans, mut since, mut known) = (vec![], None, false);
        for (at, (_, act)) in self.0.iter().enumerate() {
            match act {
                Act::Join(other, _) if *other == who => known = true,
                Act::Enter(other) if *other == who && known => since = since.or(Some(at)),
                Act::Leave(other) if *other == who => spans.extend(since.take().map(|from| (from, Some(at)))),
                // What was heard last is the event before.
                Act::Restart => spans.extend(since.take().map(|from| (from, Some(at)))),
                _ => {}
            }
        }
        spans.extend(since.map(|from| (from, None)));
        spans
    }

    /// The stays, in seconds: what of those spans lies between the doors.
    fn stays(&self, who: u8) -> Vec<(usize, Option<usize>)> {
        let place = |wanted: fn(&Act) -> bool| self.0.iter().position(|(_, act)| wanted(act));
        let Some(opened) = place(|act| matches!(act, Act::Open)) else { return vec![] };
        let ended = place(|act| matches!(act, Act::End));
        let mut stays = vec![];
        for (from, until) in self.here(who) {
            let from = from.max(opened);
            let until = match (until, ended) {
                (Some(until), Some(ended)) => Some(until.min(ended)),
                (until, ended) => until.or(ended),
            };
            if until.is_some_and(|until| until <= from) || ended.is_some_and(|ended| from >= ended) {
                continue;
            }
            let second = |place: usize| match self.0[place].1 {
                Act::Restart => self.0[place - 1].0,
                _ => self.0[place].0,
            };
            stays.push((second(from), until.map(second)));
        }
        stays
    }

    /// Gifts that were paid: when its form was sent, by whom, how they came, and how much.
    fn gifts(&self) -> Vec<(usize, u8, u8, i64)> {
        let paid = |gift: u8| self.0.iter().any(|(_, act)| matches!(act, Act::Settle(other) if *other == gift));
        let pledged = |(second, act): &(usize, Act)| match act {
            Act::Pledge(gift, who, how) if paid(*gift) => Some((*second, *who, *how, minor(*gift))),
            _ => None,
        };
        self.0.iter().filter_map(pledged).collect()
    }

    /// Those whose form was sent while the doors were open.
    fn live_gifts(&self) -> Vec<(usize, i64)> {
        let Some((opened, ended)) = self.doors() else { return vec![] };
        // What was paid before the doors opened was promised before, too.
        let gifts = self.gifts().into_iter().map(|(second, _, _, minor)| (second, minor));
        gifts.filter(|(second, _)| (opened..ended).contains(second)).collect()
    }

    /// What was given in each minute since 1970.
    fn minutes(&self) -> BTreeMap<i64, i64> {
        let mut minutes = BTreeMap::new();
        for (second, minor) in self.live_gifts() {
            *minutes.entry(instant(second).timestamp() / 60).or_default() += minor;
        }
        minutes
    }

    /// What was given while each speaker was on program.
    fn by_speaker(&self) -> BTreeMap<Option<SourceId>, i64> {
        let mut sums = BTreeMap::new();
        for (sent, minor) in self.live_gifts() {
            let mut before = self.0.iter().filter(|(second, act)| *second <= sent && matches!(act, Act::Took(_)));
            let on =
                before.next_back().map(|(_, act)| if let Act::Took(number) = act { source(*number) } else { None });
            if let Some(on) = on {
                *sums.entry(on).or_default() += minor;
            }
        }
        sums
    }

    fn consents(&self) -> BTreeSet<PersonId> {
        let mut agreed = BTreeSet::new();
        let mut known = BTreeSet::new();
        for (_, act) in self.0 {
            match act {
                Act::Join(who, _) => drop(known.insert(*who)),
                Act::Agree(who) if known.contains(who) => drop(agreed.insert(person(*who))),
                Act::Withdraw(who) | Act::Erase(who) => drop(agreed.remove(&person(*who))),
                _ => {}
            }
        }
        agreed
    }
}

fn told(acts: &[(usize, Act)]) -> Projections {
    let mut world = Projections::default();
    for (seq, (second, act)) in (1..).zip(acts) {
        world.apply(&Recorded { seq, at: instant(*second), event: event(*act) });
    }
    world
}

fn plain(second: usize) -> u32 {
    u32::try_from(instant(second).timestamp()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_crowd_is_what_plain_books_say(acts in history()) {
        let world = told(&acts);
        let books = Books(&acts);
        let nothing = RallyCrowd::default();
        let RallyCrowd { people, origins, moments } = world.crowd.of(RALLY).unwrap_or(&nothing);
        let (mut total, mut there) = (0, 0);
        let now = plain(SECONDS);
        for who in 0..5 {
            let joined = acts.iter().any(|(_, act)| matches!(act, Act::Join(other, _) if *other == who));
            let known = people.find(person(who));
            prop_assert_eq!(known.is_some(), joined);
            let Some(known) = known else { continue };
            let expected: Vec<_> = books.stays(who).into_iter().map(|(from, until)| (plain(from), until.map(plain))).collect();
            prop_assert_eq!(people.stays(known).collect::<Vec<_>>(), expected.clone(), "{}", who);
            there += u64::from(!expected.is_empty());
            total += expected.iter().map(|(from, until)| u64::from(until.unwrap_or(now) - from)).sum::<u64>();
        }
        let (watched, by_origin) = people.watched(origins.iter().len(), now);
        prop_assert_eq!((watched.people, watched.total_s), (there, total));
        prop_assert_eq!(by_origin.iter().map(|watched| watched.total_s).sum::<u64>(), total);
        prop_assert_eq!(origins.iter().map(|(_, row)| u64::from(row.joined)).sum::<u64>(), there);
        prop_assert_eq!(people.funnel().joined, there);
        // Money: each gift once, in its minute, under its speaker, and at its origin where its link says one.
        let all: i64 = books.gifts().iter().map(|(.., minor)| minor).sum();
        prop_assert_eq!(origins.iter().map(|(_, row)| row.gifts.minor).sum::<i64>(), all);
        prop_assert_eq!(world.totals.sums(RALLY).gross_minor, all);
        for code in ["a", "b"] {
            let how = if code == "a" { 3 } else { 4 };
            let own: i64 = books.gifts().iter().filter(|(_, _, by, _)| *by == how).map(|(.., minor)| minor).sum();
            let row = origins.iter().find(|(origin, _)| **origin == Origin::Refcode(code.into()));
            let inherited = |origin: &Origin| *origin == Origin::Refcode(code.into());
            let donor = people.find(DONOR).and_then(|known| origins.get(known.origin())).is_some_and(inherited);
            prop_assert!(donor || row.map_or(0, |(_, row)| row.gifts.minor) == own);
        }
        let minutes = people.minutes(moments, now);
        let given = minutes.iter().filter(|minute| minute.gifts.minor > 0);
        let given: BTreeMap<i64, i64> = given.map(|minute| (i64::from(minute.start_s / 60), minute.gifts.minor)).collect();
        prop_assert_eq!(given, books.minutes());
        let mut by_speaker: BTreeMap<Option<SourceId>, i64> = BTreeMap::new();
        for stretch in people.stretches(&moments.program, now) {
            *by_speaker.entry(stretch.of).or_default() += stretch.gifts.minor;
        }
        by_speaker.retain(|_, minor| *minor > 0);
        let open = books.doors().is_some_and(|(opened, ended)| opened < ended.min(SECONDS));
        prop_assert!(!open || by_speaker == books.by_speaker(), "{:?} {:?}", by_speaker, books.by_speaker());
        // Who is in the room at the end of each minute are those whose stay covers it.
        for minute in &minutes {
            let end = minute.start_s + 60;
            let covers = |(from, until): (usize, Option<usize>)| {
                let ended = books.doors().map(|(_, ended)| ended);
                let stayed = until == ended || until.is_none_or(|until| plain(until) >= end);
                plain(from) < end && stayed
            };
            let here = (0..5).flat_map(|who| books.stays(who)).filter(|stay| covers(*stay)).count();
            prop_assert_eq!(usize::try_from(minute.here).unwrap(), here, "{:?}", minute);
        }
        let run: Gifts = people.stretches(&moments.run, now).iter().fold(Gifts::default(), |sum, stretch| Gifts {
            count: sum.count + stretch.gifts.count,
            minor: sum.minor + stretch.gifts.minor,
        });
        prop_assert!(run.minor <= all);
        prop_assert_eq!(world.crowd.consents().map(|(person, _)| person).collect::<BTreeSet<_>>(), books.consents());
    }
}
