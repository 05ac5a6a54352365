use super::super::Event as Any;
use super::*;
use crate::domain::test_kit::*;
use crate::domain::{clip, rally};
use proptest::prelude::*;
use uuid::Uuid;

const NO_ITEM: ItemId = ItemId(Uuid::from_u128(0x1f));

fn ready() -> Given {
    let added = |source, name: &str| {
        rally::Event::SpeakerAdded(rally::SpeakerAdded { rally: RALLY, source, name: name.into(), role: "".into() })
    };
    given([created()]).and([added(SOURCE, "Zoë"), added(OTHER_SOURCE, "Ama")])
}

fn plan(kind: Kind, source: Option<SourceId>) -> Plan {
    Plan { kind, title: "Welcome".into(), source, planned_s: 300, starts_at: None, cuts: true }
}

fn speaker(source: SourceId) -> Plan {
    plan(Kind::Speaker, Some(source))
}

fn add(item: ItemId, plan: Plan) -> Command {
    Command::Add { rally: RALLY, item, plan }
}

fn added(item: ItemId, plan: Plan) -> Event {
    Event::ItemAdded(ItemPlanned { rally: RALLY, item, plan })
}

fn named(item: ItemId) -> ItemNamed {
    ItemNamed { rally: RALLY, item }
}

fn start(item: ItemId) -> Command {
    Command::Start { rally: RALLY, item }
}

fn started(item: ItemId) -> Any {
    Event::ItemStarted(named(item)).into()
}

fn undo(item: Option<ItemId>) -> Command {
    Command::Undo { rally: RALLY, item }
}

fn undone(item: Option<ItemId>) -> Any {
    Event::Undone(Undone { rally: RALLY, item }).into()
}

fn cut(source: Option<SourceId>) -> Any {
    broadcast::Event::Cut(broadcast::Cut { rally: RALLY, source }).into()
}

fn show(given: &Given) -> &Show {
    given.state.shows.get(RALLY).unwrap()
}

fn program(given: &Given) -> Option<SourceId> {
    given.state.rallies.get(RALLY).unwrap().program
}

fn two() -> Given {
    ready().done([add(ITEM, speaker(SOURCE)), add(OTHER_ITEM, speaker(OTHER_SOURCE))])
}

#[test]
fn items_are_planned_once_and_anew() {
    let one = ready().when(add(ITEM, speaker(SOURCE))).then([added(ITEM, speaker(SOURCE))]);
    one.when(add(ITEM, plan(Kind::Ask, None))).changes_nothing();
    let revise = |item, plan| Command::Revise { rally: RALLY, item, plan };
    one.when(revise(ITEM, speaker(SOURCE))).changes_nothing();
    let ask = plan(Kind::Ask, None);
    let revised = Event::ItemRevised(ItemPlanned { rally: RALLY, item: ITEM, plan: ask.clone() });
    let after = one.when(revise(ITEM, ask.clone())).then([revised]);
    assert_eq!(show(&after).get(ITEM).unwrap().plan, ask);
    one.when(revise(NO_ITEM, speaker(SOURCE))).refuses(Refusal::UnknownItem);
    one.when(revise(ITEM, plan(Kind::Poll, Some(SOURCE)))).refuses(Refusal::SourceUnfit);
}

#[test]
fn a_plan_is_checked() {
    let nobody = SourceId(Uuid::from_u128(0xbf));
    let titled = |title: String| Plan { title, ..speaker(SOURCE) };
    let long = |planned_s| Plan { planned_s, ..speaker(SOURCE) };
    for (plan, refusal) in [
        (titled(" ".into()), Refusal::TitleLength),
        (titled("é".repeat(TITLE_CHARS_MAX + 1)), Refusal::TitleLength),
        (long(0), Refusal::LengthOutOfRange),
        (long(PLANNED_S_MAX + 1), Refusal::LengthOutOfRange),
        (speaker(nobody), Refusal::UnknownSource),
        (plan(Kind::Clip, Some(nobody)), Refusal::UnknownSource),
        (plan(Kind::Ask, Some(SOURCE)), Refusal::SourceUnfit),
        (plan(Kind::Break, Some(SOURCE)), Refusal::SourceUnfit),
    ] {
        ready().when(add(ITEM, plan)).refuses(refusal);
    }
    for plan in [titled("é".repeat(TITLE_CHARS_MAX)), long(PLANNED_S_MAX), plan(Kind::Speaker, None)] {
        ready().when(add(ITEM, plan.clone())).then([added(ITEM, plan)]);
    }
    let elsewhere = Command::Add { rally: NO_RALLY, item: ITEM, plan: speaker(SOURCE) };
    ready().when(elsewhere).refuses(Refusal::UnknownRally);
    let full = (0..ITEMS_MAX).map(|n| add(ItemId(Uuid::from_u128(n.try_into().unwrap())), speaker(SOURCE)));
    ready().done(full).when(add(ItemId(Uuid::max()), speaker(SOURCE))).refuses(Refusal::TooManyItems);
}

#[test]
fn items_move_and_go() {
    let order = |given: &Given| show(given).items.iter().map(|held| held.item).collect::<Vec<_>>();
    let third = ItemId(Uuid::from_u128(0x13));
    let three = two().done([add(third, plan(Kind::Poll, None))]);
    let go = |item, position| Command::Move { rally: RALLY, item, position };
    let moved = |item, position| Event::ItemMoved(ItemMoved { rally: RALLY, item, position });
    three.when(go(ITEM, 0)).changes_nothing();
    three.when(go(third, 9)).changes_nothing();
    three.when(go(NO_ITEM, 0)).refuses(Refusal::UnknownItem);
    assert_eq!(order(&three.when(go(third, 0)).then([moved(third, 0)])), [third, ITEM, OTHER_ITEM]);
    assert_eq!(order(&three.when(go(ITEM, 1)).then([moved(ITEM, 1)])), [OTHER_ITEM, ITEM, third]);
    assert_eq!(order(&three.when(go(ITEM, u32::MAX)).then([moved(ITEM, 2)])), [OTHER_ITEM, third, ITEM]);
    let remove = |item| Command::Remove { rally: RALLY, item };
    assert_eq!(order(&three.when(remove(ITEM)).then([Event::ItemRemoved(named(ITEM))])), [OTHER_ITEM, third]);
    three.when(remove(NO_ITEM)).refuses(Refusal::UnknownItem);
    three.done([start(ITEM)]).when(remove(ITEM)).refuses(Refusal::ItemOn);
}

#[test]
fn going_to_an_item_cuts_to_its_picture_in_the_same_decision() {
    let on = two().when(start(ITEM)).then([started(ITEM), cut(Some(SOURCE))]);
    on.when(start(ITEM)).changes_nothing();
    on.when(start(NO_ITEM)).refuses(Refusal::UnknownItem);
    let second = on.when(start(OTHER_ITEM)).then([started(OTHER_ITEM), cut(Some(OTHER_SOURCE))]);
    // Back to any, also one that was on.
    second.when(start(ITEM)).then([started(ITEM), cut(Some(SOURCE))]);
}

#[test]
fn an_ask_leaves_the_picture_a_break_takes_it_and_what_does_not_cut_changes_nothing() {
    let quiet = Plan { cuts: false, ..speaker(OTHER_SOURCE) };
    for (plan, cuts) in [
        (plan(Kind::Ask, None), vec![]),
        (plan(Kind::Poll, None), vec![]),
        (plan(Kind::Speaker, None), vec![]),
        (quiet, vec![]),
        (speaker(SOURCE), vec![]),
        (speaker(OTHER_SOURCE), vec![cut(Some(OTHER_SOURCE))]),
        (plan(Kind::Clip, Some(OTHER_SOURCE)), vec![cut(Some(OTHER_SOURCE))]),
        (plan(Kind::Break, None), vec![cut(None)]),
        (Plan { cuts: false, ..plan(Kind::Break, None) }, vec![]),
    ] {
        let on = ready().done([add(ITEM, speaker(SOURCE)), add(OTHER_ITEM, plan), start(ITEM)]);
        let events = [vec![started(OTHER_ITEM)], cuts].concat();
        on.when(start(OTHER_ITEM)).then(events);
    }
}

#[test]
fn a_speaker_who_was_removed_is_not_cut_to() {
    let gone = rally::Event::SpeakerRemoved(rally::SpeakerNamed { rally: RALLY, source: OTHER_SOURCE });
    two().and([gone]).when(start(OTHER_ITEM)).then([started(OTHER_ITEM)]);
}

#[test]
fn undo_goes_back_and_cuts_back() {
    ready().when(undo(None)).refuses(Refusal::NothingToUndo);
    let first = two().done([start(ITEM)]);
    let second = first.clone().done([start(OTHER_ITEM)]);
    second.when(undo(Some(ITEM))).refuses(Refusal::GoneOn);
    let back = second.when(undo(Some(OTHER_ITEM))).then([undone(Some(OTHER_ITEM)), cut(Some(SOURCE))]);
    assert_eq!((show(&back), program(&back)), (show(&first), program(&first)));
    let none = back.when(undo(Some(ITEM))).then([undone(Some(ITEM)), cut(None)]);
    assert_eq!(show(&none).current(), None);
    none.when(undo(Some(ITEM))).refuses(Refusal::NothingToUndo);
}

#[test]
fn a_cut_by_hand_since_is_not_taken_back() {
    let by_hand = two().done([start(ITEM), start(OTHER_ITEM)]).and([cut(None)]);
    let back = by_hand.when(undo(Some(OTHER_ITEM))).then([undone(Some(OTHER_ITEM))]);
    assert_eq!(program(&back), None);
}

#[test]
fn the_last_item_ends_with_nothing_following() {
    let stop = |item| Command::Stop { rally: RALLY, item };
    let last = two().done([start(ITEM), start(OTHER_ITEM)]);
    last.when(stop(ITEM)).refuses(Refusal::NotOn);
    let over = last.when(stop(OTHER_ITEM)).then([Any::from(Event::ItemStopped(named(OTHER_ITEM)))]);
    assert_eq!((show(&over).current(), show(&over).next()), (None, None));
    assert_eq!(program(&over), Some(OTHER_SOURCE), "the picture stays");
    let back = over.when(undo(None)).then([undone(None)]);
    assert_eq!(show(&back), show(&last));
}

#[test]
fn what_follows_is_the_next_that_was_not_on() {
    let third = ItemId(Uuid::from_u128(0x13));
    let three = two().done([add(third, plan(Kind::Ask, None))]);
    let next = |given: &Given| show(given).next().map(|held| held.item);
    assert_eq!(next(&three), Some(ITEM));
    assert_eq!(next(&three.clone().done([start(ITEM)])), Some(OTHER_ITEM));
    assert_eq!(next(&three.clone().done([start(third)])), None);
    assert_eq!(next(&three.clone().done([start(OTHER_ITEM), start(ITEM)])), Some(third), "one that was on is skipped");
    let removed = Command::Remove { rally: RALLY, item: ITEM };
    assert_eq!(next(&three.done([start(ITEM), start(OTHER_ITEM), removed])), Some(third));
}

#[test]
fn planned_times_follow_from_the_start_and_an_item_may_have_its_own() {
    let fixed = Plan { starts_at: Some(at(3_600)), ..plan(Kind::Ask, None) };
    let third = ItemId(Uuid::from_u128(0x13));
    let three = ready().done([add(ITEM, speaker(SOURCE)), add(OTHER_ITEM, fixed), add(third, speaker(SOURCE))]);
    assert_eq!(show(&three).planned_starts(at(0)), [at(0), at(3_600), at(3_900)]);
}

#[test]
fn actual_times_are_those_of_the_turns() {
    // Two rally events, two speakers, two items: the next event is at 5 s.
    let on = two().done([start(ITEM)]);
    assert_eq!(show(&on).was_on(ITEM), Some((at(5), None)));
    assert_eq!(show(&on).was_on(OTHER_ITEM), None);
    let second = on.done([start(OTHER_ITEM)]);
    assert_eq!(show(&second).was_on(ITEM), Some((at(5), Some(at(7)))));
    assert_eq!(show(&second).was_on(OTHER_ITEM), Some((at(7), None)));
}

#[test]
fn practice_does_not_count_and_nothing_runs_after_the_end() {
    let practised = two().done([start(ITEM), start(OTHER_ITEM)]);
    let live = practised.and([opened()]);
    assert_eq!((show(&live).current(), show(&live).next().unwrap().item), (None, ITEM));
    assert_eq!(program(&live), Some(OTHER_SOURCE), "who is on stays on");
    live.when(undo(Some(OTHER_ITEM))).refuses(Refusal::NothingToUndo);
    let over = live.done([start(ITEM)]).and([ended()]);
    for command in [start(OTHER_ITEM), undo(Some(ITEM)), add(NO_ITEM, speaker(SOURCE))] {
        over.when(command).refuses(Refusal::Ended);
    }
}

#[test]
fn a_clip_plays_again_when_it_is_gone_to_again_and_only_then() {
    let clip = SourceId(Uuid::from_u128(0xc1));
    let (title, hash) = ("Film".to_owned(), format!("blake3:{}", "0".repeat(64)));
    let film = clip::Command::Add { rally: RALLY, source: clip, title, duration_ms: 9, bytes: 9, hash };
    let (video, audio, protocol) = ("H.264".to_owned(), "none".to_owned(), "clip".to_owned());
    let begins = broadcast::Command::ConnectSource { source: clip, protocol, video, audio };
    let is_over = broadcast::Command::DisconnectSource { source: clip, reason: "The clip has ended.".into() };
    let planned = ready()
        .done([film])
        .done([add(ITEM, plan(Kind::Clip, Some(clip))), add(OTHER_ITEM, plan(Kind::Ask, None)), start(ITEM)])
        .done([begins, is_over]);
    let plays = |at: &Given| at.state.rallies.get(RALLY).unwrap().clip(clip).unwrap().plays;
    assert_eq!((program(&planned), plays(&planned)), (Some(clip), 1));
    let asked = planned.done([start(OTHER_ITEM)]);
    assert_eq!((program(&asked), plays(&asked)), (Some(clip), 1), "an ask changes no picture");
    let again = asked.done([start(ITEM)]);
    assert_eq!((program(&again), plays(&again)), (Some(clip), 2));
}

#[test]
fn turns_are_remembered_up_to_a_limit() {
    let turns = (0..TURNS_MAX + 10).map(|n| start(if n % 2 == 0 { ITEM } else { OTHER_ITEM }));
    let long = two().done(turns);
    assert_eq!(show(&long).turns.len(), TURNS_MAX);
    assert_eq!(show(&long).current().unwrap().item, OTHER_ITEM);
}

fn any_command() -> impl Strategy<Value = super::super::Command> {
    let item = || (0..4_u128).prop_map(|n| ItemId(Uuid::from_u128(n)));
    let kind = prop_oneof![Just(Kind::Speaker), Just(Kind::Clip), Just(Kind::Ask), Just(Kind::Poll), Just(Kind::Break)];
    let source = || prop_oneof![Just(None), Just(Some(SOURCE)), Just(Some(OTHER_SOURCE))];
    let any_plan = (kind, source(), any::<bool>()).prop_map(|(kind, source, cuts)| Plan { cuts, ..plan(kind, source) });
    let rally = RALLY;
    prop_oneof![
        4 => (item(), any_plan.clone()).prop_map(|(item, plan)| add(item, plan).into()),
        1 => (item(), any_plan).prop_map(move |(item, plan)| Command::Revise { rally, item, plan }.into()),
        1 => (item(), 0..5_u32).prop_map(move |(item, position)| Command::Move { rally, item, position }.into()),
        1 => item().prop_map(move |item| Command::Remove { rally, item }.into()),
        6 => item().prop_map(|item| start(item).into()),
        1 => item().prop_map(move |item| Command::Stop { rally, item }.into()),
        2 => prop_oneof![Just(None), item().prop_map(Some)].prop_map(|item| undo(item).into()),
        1 => source().prop_map(move |source| broadcast::Command::Cut { rally, source }.into()),
        1 => Just(rally::Command::OpenDoors { rally }.into()),
    ]
}

proptest! {
    #[test]
    fn whatever_is_asked_one_item_at_most_is_on_and_undo_restores(
        commands in proptest::collection::vec(any_command(), 0..40)
    ) {
        let mut now = ready();
        for command in commands {
            let Ok(events) = super::super::decide(&now.state, command) else { continue };
            now = now.and(events);
            let nothing = Show::default();
            let held = now.state.shows.get(RALLY).unwrap_or(&nothing);
            let on = held.items.iter().filter(|held_item| {
                held.was_on(held_item.item).is_some_and(|(_, until)| until.is_none())
            });
            let on: Vec<ItemId> = on.map(|held_item| held_item.item).collect();
            prop_assert!(on.len() <= 1, "{on:?}");
            prop_assert_eq!(held.current().map(|held_item| held_item.item), on.first().copied());
            prop_assert!(held.next().is_none_or(|next| !on.contains(&next.item)));
            for item in held.items.clone() {
                if on.contains(&item.item) {
                    continue;
                }
                let there = now.clone().done([start(item.item)]);
                let back = there.done([undo(Some(item.item))]);
                prop_assert_eq!(show(&back), held);
                prop_assert_eq!(program(&back), program(&now));
            }
        }
    }
}
