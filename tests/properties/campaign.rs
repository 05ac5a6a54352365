//! The campaign's page of a season of 40 calls, against sums that are made of its events in the plainest way.

use crate::season::{CALLS, NoKeys, calls, events};
use chrono::NaiveDate;
use groundswell::domain::id::{DonationId, RallyId};
use groundswell::domain::money::{Currency, Money};
use groundswell::domain::{Event, Recorded, attendance, donation, rally};
use groundswell::projections::Projections;
use groundswell::report::selection::Selection;
use groundswell::web::pages::campaign::{Season, season};
use std::collections::{BTreeMap, BTreeSet};

/// One in so many of what was reported.
const ONE_IN: u64 = 500;

fn short(minor: i64) -> String {
    Money::new(minor, Currency::USD).to_short()
}

/// What was given, by rally and day where that is, and by rally and minute while its doors were open.
#[derive(Default)]
struct Books {
    days: BTreeMap<(RallyId, NaiveDate), i64>,
    minutes: BTreeMap<(RallyId, i64), i64>,
    people: BTreeMap<RallyId, BTreeSet<String>>,
}

fn books(log: &[Recorded]) -> Books {
    let zone = chrono_tz::America::New_York;
    let (mut sent, mut opened, mut ended) = (BTreeMap::<DonationId, _>::new(), BTreeMap::new(), BTreeMap::new());
    let mut books = Books::default();
    for recorded in log {
        let at = recorded.at;
        match &recorded.event {
            Event::Rally(rally::Event::DoorsOpened(data)) => drop(opened.insert(data.rally, at)),
            Event::Rally(rally::Event::Ended(data)) => drop(ended.insert(data.rally, at)),
            Event::Donation(donation::Event::Pledged(data)) => drop(sent.insert(data.donation, at)),
            Event::Attendance(attendance::Event::Joined(data)) => {
                books.people.entry(data.rally).or_default().insert(data.person.to_string());
            }
            Event::Donation(donation::Event::Settled(data)) => {
                let day = at.with_timezone(&zone).date_naive();
                *books.days.entry((data.rally, day)).or_default() += data.amount.minor;
            }
            _ => {}
        }
    }
    for recorded in log {
        let Event::Donation(donation::Event::Settled(data)) = &recorded.event else { continue };
        let at = sent[&data.donation];
        if (opened[&data.rally]..ended[&data.rally]).contains(&at) {
            *books.minutes.entry((data.rally, at.timestamp() / 60)).or_default() += data.amount.minor;
        }
    }
    books
}

fn check(world: &Projections, books: &Books, days: &Selection) {
    let (page, currencies): (Season, _) = season(world, days, "");
    assert_eq!(currencies, [Currency::USD]);
    let of = |(_, day): &(RallyId, NaiveDate)| days.takes("", *day);
    let mut by_rally = BTreeMap::<RallyId, i64>::new();
    let mut by_day = BTreeMap::<NaiveDate, i64>::new();
    for ((rally, day), minor) in books.days.iter().filter(|(key, _)| of(key)) {
        *by_rally.entry(*rally).or_default() += minor;
        *by_day.entry(*day).or_default() += minor;
    }
    let mut wanted: Vec<i64> = by_rally.values().copied().collect();
    wanted.sort_unstable_by_key(|minor| std::cmp::Reverse(*minor));
    let shown: Vec<&String> = page.rallies.iter().map(|rally| &rally.gross).filter(|gross| *gross != "$0").collect();
    assert_eq!(shown, wanted.iter().map(|minor| short(*minor)).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    let gross = page.kpis.last().unwrap();
    assert_eq!((gross.label.as_str(), gross.value.clone()), ("Gross", short(wanted.iter().sum())));
    let shown: Vec<String> = page.days.iter().rev().map(|day| day.gross.clone()).collect();
    assert_eq!(shown, by_day.values().map(|minor| short(*minor)).collect::<Vec<_>>());
    assert_eq!(page.days.first().unwrap().so_far, short(by_day.values().sum()));
    let zone = chrono_tz::America::New_York;
    let day_of =
        |minute: i64| chrono::DateTime::from_timestamp(minute * 60, 0).unwrap().with_timezone(&zone).date_naive();
    let live = books.minutes.iter().filter(|((_, minute), _)| days.takes("", day_of(*minute)));
    let best = live.map(|(_, minor)| *minor).max().unwrap();
    assert_eq!(page.moments.first().unwrap().gross, short(best));
    assert!(page.moments.iter().all(|moment| !moment.who.is_empty() && !moment.rally.is_empty()));
}

#[test]
fn a_season_of_forty_calls_comes_to_what_its_events_say() {
    let log = events(&calls(7), ONE_IN, &NoKeys);
    let mut world = Projections::default();
    log.iter().for_each(|recorded| world.apply(recorded));
    let books = books(&log);
    assert_eq!(world.state.rallies.iter().count(), CALLS);
    let (page, _) = season(&world, &Selection::default(), "");
    assert_eq!((page.rallies.len(), page.more_rallies), (CALLS, 0));
    let registered: usize =
        page.rallies.iter().map(|rally| rally.registered.replace(',', "").parse::<usize>().unwrap()).sum();
    assert_eq!(registered, books.people.values().map(BTreeSet::len).sum::<usize>());
    check(&world, &books, &Selection::default());
    let day = |text: &str| Some(text.parse().unwrap());
    check(&world, &books, &Selection { from: day("2024-07-22"), to: day("2024-07-29"), ..Selection::default() });
    check(&world, &books, &Selection { from: day("2024-08-01"), ..Selection::default() });
}
