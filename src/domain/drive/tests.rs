use super::*;
use crate::domain::rally::SpeakerAdded;
use crate::domain::test_kit::*;
use uuid::Uuid;

const MATCH: MatchId = MatchId(Uuid::from_u128(0x51));

fn matching() -> Matching {
    Matching { sponsor: "The Rivera family".into(), percent: 100, most: usd(10_000_000), from: at(0), until: at(3_600) }
}

fn goal(name: &str, minor: i64, speaker: Option<SourceId>) -> Goal {
    Goal { name: name.into(), minor, speaker }
}

fn billed() -> super::super::Event {
    let added = SpeakerAdded { rally: RALLY, source: SOURCE, name: "Joan".into(), role: String::new() };
    super::super::Event::Rally(crate::domain::rally::Event::SpeakerAdded(added))
}

fn set(matching: Matching) -> Command {
    Command::SetMatch { rally: RALLY, id: MATCH, matching }
}

#[test]
fn goals_are_set_as_a_whole_and_once() {
    let goals = vec![goal("Ten field offices", 50_000_000, None), goal("Joan’s hour", 1_000_000, Some(SOURCE))];
    let command = || Command::SetGoals { rally: RALLY, goals: goals.clone() };
    let done = given([created(), billed()])
        .when(command())
        .then([Event::GoalsSet(GoalsSet { rally: RALLY, goals: goals.clone() })]);
    assert_eq!(done.state.drives.of(RALLY).unwrap().goals, goals);
    done.when(command()).changes_nothing();
    given([created()]).when(Command::SetGoals { rally: RALLY, goals: vec![] }).changes_nothing();
}

#[test]
fn each_goal_has_its_refusal() {
    for (goals, refusal) in [
        (vec![goal(" ", 100, None)], Refusal::GoalName),
        (vec![goal(&"x".repeat(GOAL_CHARS_MAX + 1), 100, None)], Refusal::GoalName),
        (vec![goal("x", 0, None)], Refusal::GoalAmount),
        (vec![goal("x", i64::MAX, None)], Refusal::GoalAmount),
        (vec![goal("x", 100, Some(OTHER_SOURCE))], Refusal::GoalSpeaker),
        (vec![goal("x", 100, None); GOALS_MAX + 1], Refusal::TooManyGoals),
    ] {
        given([created(), billed()]).when(Command::SetGoals { rally: RALLY, goals }).refuses(refusal);
    }
    given_nothing().when(Command::SetGoals { rally: RALLY, goals: vec![] }).refuses(Refusal::UnknownRally);
}

#[test]
fn a_match_is_promised_changed_and_withdrawn() {
    let promised = given([created()]).when(set(matching())).then([Event::MatchSet(MatchSet {
        rally: RALLY,
        id: MATCH,
        matching: matching(),
    })]);
    promised.when(set(matching())).changes_nothing();
    let less = Matching { percent: 50, ..matching() };
    let changed = given([created()]).done([set(matching()), set(less.clone())]);
    assert_eq!(changed.state.drives.of(RALLY).unwrap().matches, [(MATCH, less)], "one match, changed");
    let withdraw = || Command::WithdrawMatch { rally: RALLY, id: MATCH };
    let gone = given([created()]).done([set(matching()), withdraw()]);
    assert_eq!(gone.state.drives.matching(RALLY, MATCH), None);
    gone.when(withdraw()).refuses(Refusal::UnknownMatch);
}

#[test]
fn each_match_has_its_refusal() {
    for (matching, refusal) in [
        (Matching { sponsor: "  ".into(), ..matching() }, Refusal::Sponsor),
        (Matching { sponsor: "x".repeat(SPONSOR_CHARS_MAX + 1), ..matching() }, Refusal::Sponsor),
        (Matching { percent: 0, ..matching() }, Refusal::Percent),
        (Matching { percent: PERCENT_MAX + 1, ..matching() }, Refusal::Percent),
        (Matching { most: usd(0), ..matching() }, Refusal::MatchAmount),
        (Matching { most: Money::new(5, crate::domain::money::Currency::EUR), ..matching() }, Refusal::MatchAmount),
        (Matching { until: at(0), ..matching() }, Refusal::MatchTime),
    ] {
        given([created()]).when(set(matching)).refuses(refusal);
    }
    let many = (0..u128::try_from(MATCHES_MAX).unwrap()).map(|number| Command::SetMatch {
        rally: RALLY,
        id: MatchId(Uuid::from_u128(0x1000 + number)),
        matching: matching(),
    });
    given([created()]).done(many).when(set(matching())).refuses(Refusal::TooManyMatches);
}

#[test]
fn a_sponsor_adds_their_share_up_to_the_most() {
    assert_eq!(matching().adds(250), usd(250));
    assert_eq!(Matching { percent: 50, ..matching() }.adds(251), usd(125), "never more than was promised");
    assert_eq!(Matching { percent: 300, ..matching() }.adds(100), usd(300));
    assert_eq!(matching().adds(20_000_000), usd(10_000_000));
    assert_eq!(matching().adds(-5), usd(0), "everything was given back");
    assert_eq!(Matching { percent: PERCENT_MAX, ..matching() }.adds(i64::MAX), usd(10_000_000));
    assert!(matching().covers(at(0)) && !matching().covers(at(3_600)) && !matching().covers(at(-1)));
}
