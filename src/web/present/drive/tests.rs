//! Which matches and goals stand on a page, when, and with what sums.

use super::*;
use crate::domain::broadcast::{self, TookProgram};
use crate::domain::drive::{self, GoalsSet, MatchSet};
use crate::domain::rally::{self, SpeakerAdded};
use crate::domain::test_kit::*;
use crate::domain::{Event, Recorded};
use crate::projections::test_kit::{folded, pledged, settled};
use uuid::Uuid;

const MATCH: MatchId = MatchId(Uuid::from_u128(0x51));
const FROM: i64 = 90_000;
const UNTIL: i64 = 93_600;
const DAY: i64 = 86_400;

fn doubled(number: u128, from: i64, until: i64) -> Event {
    let matching =
        Matching { sponsor: "Nurses".into(), percent: 100, most: usd(10_000), from: at(from), until: at(until) };
    Event::Drive(drive::Event::MatchSet(MatchSet { rally: RALLY, id: MatchId(Uuid::from_u128(number)), matching }))
}

/// A rally with one match, under which so much was given.
fn matched(minor: i64) -> Projections {
    let gift = (minor > 0).then(|| [(FROM, pledged(1, minor, None)), (FROM, settled(1, minor))]);
    let set = [(0, created()), (1, doubled(MATCH.0.as_u128(), FROM, UNTIL))];
    folded(set.into_iter().chain(gift.into_iter().flatten()))
}

fn shown(world: &Projections, second: i64) -> Drive {
    drive(world, RALLY, world.state.rallies.get(RALLY).unwrap(), at(second))
}

/// The line of the one match, and what the form says of it.
fn said(world: &Projections, second: i64) -> (Option<String>, Vec<String>) {
    let line = shown(world, second).matches.pop().map(|line| line.heading);
    (line, running(world, RALLY, world.state.rallies.get(RALLY).unwrap(), at(second)))
}

#[test]
fn a_match_is_announced_runs_ends_and_goes() {
    let world = matched(2_500);
    let runs = "Every gift is doubled until 10:00 am EDT";
    let form = vec![format!("{runs} by Nurses")];
    for (second, line, on_form) in [
        (FROM - DAY - 1, None, vec![]),
        (FROM - DAY, Some("Every gift is doubled from 9:00 am EDT"), vec![]),
        (FROM - 1, Some("Every gift is doubled from 9:00 am EDT"), vec![]),
        (FROM, Some(runs), form.clone()),
        (UNTIL - 1, Some(runs), form),
        (UNTIL, Some("Matched"), vec![]),
        (UNTIL + DAY, Some("Matched"), vec![]),
        (UNTIL + DAY + 1, None, vec![]),
    ] {
        assert_eq!(said(&world, second), (line.map(Into::into), on_form), "{}", second - FROM);
    }
    let line = shown(&world, FROM).matches.pop().unwrap();
    assert_eq!((line.added.as_str(), line.most.as_str(), line.percent), ("$25", "$100", 25));
    assert_eq!(said(&matched(0), UNTIL), (None, vec![]), "it came to nothing");
}

#[test]
fn a_match_that_is_used_up_promises_no_more_and_goes_as_well() {
    let world = matched(15_000);
    let full = (Some("Matched in full".into()), vec![]);
    for second in [FROM, UNTIL - 1, UNTIL, UNTIL + DAY] {
        assert_eq!(said(&world, second), full, "{}", second - FROM);
    }
    let line = shown(&world, FROM).matches.pop().unwrap();
    assert_eq!((line.added.as_str(), line.percent, line.running), ("$100", 100, false), "never more than the most");
    assert_eq!(said(&world, UNTIL + DAY + 1), (None, vec![]));
}

#[test]
fn all_that_sponsors_add_is_one_sum_beside_what_was_received() {
    let goal = Goal { name: "Buses".into(), minor: 100_000, speaker: None };
    let events = [
        (0, created()),
        (1, doubled(1, 10, 20)),
        (1, doubled(2, 15, 30)),
        // The first takes this alone, and both what comes next: each up to its own most.
        (10, pledged(1, 4_000, None)),
        (16, pledged(2, 9_000, None)),
        (40, settled(1, 4_000)),
        (40, settled(2, 9_000)),
        (50, Event::Drive(drive::Event::GoalsSet(GoalsSet { rally: RALLY, goals: vec![goal] }))),
    ];
    let world = folded(events);
    assert_eq!(matched_minor(&world, RALLY), 10_000 + 9_000);
    assert_eq!(matched_minor(&world, OTHER_RALLY), 0);
    let total = crate::web::present::total(&world, RALLY, world.state.rallies.get(RALLY).unwrap());
    let goals = shown(&world, 60).goals;
    assert_eq!((total.raised.as_str(), goals[0].raised.as_str()), ("$130", "$130"));
}

/// What stands there of the goals: name, sum so far, percent.
fn goals_at(raised: i64, on: Option<SourceId>) -> Vec<(String, String, u32)> {
    let goal = |name: &str, minor, speaker| Goal { name: name.into(), minor, speaker };
    let goals = vec![
        goal("Ten offices", 20_000, None),
        goal("Joan’s hour", 10_000, Some(SOURCE)),
        goal("Signs", 4_000, None),
        goal("Buses", 8_000, None),
    ];
    let added = SpeakerAdded { rally: RALLY, source: SOURCE, name: "Joan".into(), role: String::new() };
    let mut world = folded([
        (0, created()),
        (1, Event::Rally(rally::Event::SpeakerAdded(added))),
        (2, Event::Drive(drive::Event::GoalsSet(GoalsSet { rally: RALLY, goals }))),
        // A thousand of it while Joan was on.
        (3, pledged(1, 1_000, Some(SOURCE))),
        (4, pledged(2, raised - 1_000, Some(OTHER_SOURCE))),
        (5, settled(1, 1_000)),
        (6, settled(2, raised - 1_000)),
    ]);
    let took = TookProgram { rally: RALLY, source: on, shown_at: at(7) };
    let took = Event::Broadcast(broadcast::Event::TookProgram(took));
    world.apply(&Recorded { seq: 8, at: at(7), event: took });
    let lines = shown(&world, 8).goals.into_iter();
    lines.map(|line| (line.name, line.raised, line.percent)).collect()
}

#[test]
fn the_goals_next_in_reach_show_smallest_first_and_the_last_one_stays() {
    for (raised, expected) in [
        (1_000, vec![("Signs", "$10", 25), ("Buses", "$10", 12)]),
        (4_000, vec![("Buses", "$40", 50), ("Ten offices", "$40", 20)]),
        (10_000, vec![("Ten offices", "$100", 50)]),
        (20_000, vec![("Ten offices", "$200", 100)]),
        (25_000, vec![("Ten offices", "$250", 125)]),
    ] {
        let expected: Vec<_> =
            expected.into_iter().map(|(name, sum, percent)| (name.to_owned(), sum.to_owned(), percent)).collect();
        assert_eq!(goals_at(raised, None), expected, "{raised}");
    }
}

#[test]
fn a_speakers_goal_shows_while_they_are_on_and_counts_what_was_given_then() {
    let theirs = ("While Joan speaks: Joan’s hour".to_owned(), "$10".to_owned(), 10);
    assert_eq!(goals_at(10_000, Some(SOURCE))[0], theirs);
    for on in [None, Some(OTHER_SOURCE)] {
        assert!(!goals_at(10_000, on).contains(&theirs), "{on:?}");
    }
}
