use super::*;
use crate::domain::test_kit::*;
use uuid::Uuid;

const HOOK: HookId = HookId(Uuid::from_u128(0x40));

fn hook() -> Added {
    Added {
        hook: HOOK,
        name: "CRM".into(),
        address: "https://crm.example.org/hooks?list=7".into(),
        kinds: vec![Kind::Settled, Kind::Refunded],
        shape: Shape::Groundswell,
        personal: false,
        credentials: None,
        after: 10,
    }
}

fn added() -> Event {
    Event::Added(hook())
}

fn advanced(through: u64, waiting: &[u64]) -> Advanced {
    Advanced { hook: HOOK, replays: 0, through, waiting: waiting.to_vec() }
}

fn gave_up(seq: u64) -> GaveUp {
    GaveUp { hook: HOOK, seq, reason: "it answers 500".into() }
}

#[test]
fn a_receiver_is_added_once_with_what_its_shape_tells() {
    let asked = Added { kinds: vec![Kind::Refunded, Kind::Settled, Kind::Refunded], ..hook() };
    let with = given_nothing().when(Command::Add(asked.clone())).then([added()]);
    with.when(Command::Add(asked)).changes_nothing();
    let stands = with.state.hooks.get(HOOK).unwrap();
    assert_eq!((stands.on, stands.through, stands.generation), (true, 10, 0));
    let actblue = Added { shape: Shape::Actblue, personal: true, kinds: Kind::ALL.to_vec(), ..hook() };
    let kinds = vec![Kind::Settled, Kind::Refunded, Kind::Disputed, Kind::Returned, Kind::RecurringEnded];
    given_nothing().when(Command::Add(actblue.clone())).then([Event::Added(Added { kinds, ..actblue })]);
}

#[test]
fn how_far_it_is_only_grows_and_what_waits_keeps_its_time() {
    let with = given([added()]);
    let on = with.when(Command::Advance(advanced(20, &[15]))).then([Event::Advanced(advanced(20, &[15]))]);
    on.when(Command::Advance(advanced(20, &[15]))).changes_nothing();
    on.when(Command::Advance(advanced(19, &[]))).changes_nothing();
    let later = on.when(Command::Advance(advanced(30, &[15, 25]))).then([Event::Advanced(advanced(30, &[15, 25]))]);
    let waiting = &later.state.hooks.get(HOOK).unwrap().waiting;
    assert_eq!(waiting.iter().map(|(seq, since)| (*seq, *since)).collect::<Vec<_>>(), [(15, at(1)), (25, at(2))]);
    later.when(Command::Advance(advanced(40, &[41]))).refuses(Refusal::Told);
    let many: Vec<u64> = (1_000..=1_000 + u64::try_from(WAITING_MAX).unwrap()).collect();
    later.when(Command::Advance(advanced(9_000, &many))).refuses(Refusal::Told);
}

#[test]
fn a_dead_letter_is_told_again_or_goes_with_a_replay() {
    let dead = given([added(), Event::Advanced(advanced(20, &[15]))])
        .when(Command::GiveUp(gave_up(15)))
        .then([Event::GaveUp(gave_up(15))]);
    dead.when(Command::GiveUp(gave_up(15))).changes_nothing();
    let stands = dead.state.hooks.get(HOOK).unwrap();
    assert!(stands.waiting.is_empty() && stands.dead[&15].reason == "it answers 500");
    // One that died before its place was recorded stays dead.
    let early = dead.clone().and([Event::GaveUp(gave_up(22)), Event::Advanced(advanced(30, &[22]))]);
    assert!(early.state.hooks.get(HOOK).unwrap().waiting.is_empty());
    let again = dead.when(Command::SendAgain { hook: HOOK, seq: 15 });
    let again = again.then([Event::SentAgain(SentAgain { hook: HOOK, seq: 15 })]);
    assert_eq!(again.state.hooks.get(HOOK).unwrap().waiting[&15], at(3));
    again.when(Command::SendAgain { hook: HOOK, seq: 15 }).refuses(Refusal::NoLetter);

    let replay = dead.when(Command::Replay { hook: HOOK, from: 12 });
    let replayed = replay.then([Event::Replayed(Replayed { hook: HOOK, from: 12 })]);
    let stands = replayed.state.hooks.get(HOOK).unwrap();
    assert_eq!((stands.through, stands.replays, stands.dead.len()), (11, 1, 0));
    // What was counted before it is void.
    replayed.when(Command::Advance(advanced(50, &[]))).changes_nothing();
    dead.when(Command::Replay { hook: HOOK, from: 0 }).refuses(Refusal::From);
}

#[test]
fn a_receiver_that_is_gone_is_switched_off() {
    let most = u64::try_from(DEAD_MAX).unwrap();
    let nearly = given([added()]).and((1..most).map(|seq| Event::GaveUp(gave_up(100 + seq))));
    let off = Event::Switched(Switched { hook: HOOK, on: false });
    let gone = nearly.when(Command::GiveUp(gave_up(999))).then([Event::GaveUp(gave_up(999)), off.clone()]);
    gone.when(Command::Switch { hook: HOOK, on: false }).changes_nothing();
    let on = Event::Switched(Switched { hook: HOOK, on: true });
    gone.when(Command::Switch { hook: HOOK, on: true }).then([on]);
}

#[test]
fn its_secret_is_replaced_and_it_is_removed() {
    let named = HookNamed { hook: HOOK };
    let rotated = given([added()]).when(Command::Rotate { hook: HOOK }).then([Event::Rotated(named.clone())]);
    let stands = rotated.state.hooks.get(HOOK).unwrap();
    assert_eq!((stands.generation, stands.rotated_at), (1, Some(at(1))));
    let gone = rotated.when(Command::Remove { hook: HOOK }).then([Event::Removed(named)]);
    assert_eq!(gone.state.hooks, Hooks::default());
}

#[test]
fn each_rule_has_its_refusal() {
    let nothing = given_nothing();
    let add = |added: Added| nothing.when(Command::Add(added));
    add(Added { name: " ".into(), ..hook() }).refuses(Refusal::NameLength);
    for address in [
        "",
        "crm.example.org",
        "ftp://a.org",
        "https://",
        "https:///x",
        "https://u:p@a.org/",
        "https://a.org/#x",
        "https://a.org/a b",
        "https://é.org/",
    ] {
        add(Added { address: address.into(), ..hook() }).refuses(Refusal::Address);
    }
    add(Added { address: format!("https://a.org/{}", "x".repeat(ADDRESS_CHARS_MAX)), ..hook() })
        .refuses(Refusal::Address);
    add(Added { kinds: vec![], ..hook() }).refuses(Refusal::NoKind);
    let started = vec![Kind::RecurringStarted];
    add(Added { kinds: started, shape: Shape::Actblue, personal: true, ..hook() }).refuses(Refusal::NoKind);
    add(Added { shape: Shape::Actblue, ..hook() }).refuses(Refusal::NeedsPersonal);
    let many = (0..HOOKS_MAX).map(|number| {
        Event::Added(Added { hook: HookId(Uuid::from_u128(0x900 + u128::try_from(number).unwrap())), ..hook() })
    });
    given(many).when(Command::Add(hook())).refuses(Refusal::TooMany);
    for command in [
        Command::Remove { hook: HOOK },
        Command::Switch { hook: HOOK, on: true },
        Command::Rotate { hook: HOOK },
        Command::Replay { hook: HOOK, from: 1 },
        Command::Advance(advanced(1, &[])),
        Command::GiveUp(gave_up(1)),
        Command::SendAgain { hook: HOOK, seq: 1 },
    ] {
        nothing.when(command).refuses(Refusal::Unknown);
    }
    given([added()]).when(Command::GiveUp(GaveUp { reason: String::new(), ..gave_up(1) })).refuses(Refusal::Told);
    for kind in Kind::ALL {
        assert_eq!(kind.word().parse(), Ok(kind));
    }
    assert!("x".parse::<Kind>().is_err() && "x".parse::<Shape>().is_err());
}
