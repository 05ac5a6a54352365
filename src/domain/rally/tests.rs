use super::*;
use crate::domain::broadcast;
use crate::domain::donation;
use crate::domain::id::CommitteeId;
use crate::domain::money::Currency;
use crate::domain::test_kit::*;

fn create(details: Details) -> Command {
    Command::Create { rally: RALLY, details }
}

fn revise(details: Details) -> Command {
    Command::Revise { rally: RALLY, details }
}

fn announced(details: Details) -> Announced {
    Announced { rally: RALLY, details }
}

fn add(name: &str, role: &str) -> Command {
    Command::AddSpeaker { rally: RALLY, source: SOURCE, name: name.into(), role: role.into() }
}

fn added(source: SourceId, name: &str) -> Event {
    Event::SpeakerAdded(SpeakerAdded { rally: RALLY, source, name: name.into(), role: "Nurse".into() })
}

fn speaker() -> SpeakerNamed {
    SpeakerNamed { rally: RALLY, source: SOURCE }
}

fn on_program() -> crate::domain::Event {
    broadcast::Event::Cut(broadcast::Cut { rally: RALLY, source: Some(SOURCE) }).into()
}

#[test]
fn a_rally_is_announced_and_found() {
    let after = given_nothing().when(create(details())).then([Event::Created(announced(details()))]);
    let (found, rally) = after.state.rallies.find("nurses-for-rivera").unwrap();
    assert_eq!((found, rally.phase), (RALLY, Phase::Before));
    assert_eq!(after.state.rallies.find("nobody"), None);
}

#[test]
fn announcing_again_wipes_nothing() {
    let running = given([created(), added(SOURCE, "Zoë").into(), opened()]);
    running.when(create(details())).changes_nothing();
    running.when(create(Details { title: "Other".into(), ..details() })).changes_nothing();
}

#[test]
fn details_outside_the_rules_are_refused_at_first_and_later() {
    let d = details;
    for (details, refusal) in [
        (Details { committee: CommitteeId(1), ..d() }, Refusal::UnknownCommittee),
        (Details { slug: "".into(), ..d() }, Refusal::SlugMalformed),
        (Details { slug: "Nurses".into(), ..d() }, Refusal::SlugMalformed),
        (Details { slug: "a/b".into(), ..d() }, Refusal::SlugMalformed),
        (Details { slug: "../etc".into(), ..d() }, Refusal::SlugMalformed),
        (Details { slug: "наши".into(), ..d() }, Refusal::SlugMalformed),
        (Details { slug: "a".repeat(SLUG_CHARS_MAX + 1), ..d() }, Refusal::SlugMalformed),
        (Details { title: " \t\u{a0}".into(), ..d() }, Refusal::TitleLength),
        (Details { title: "é".repeat(TITLE_CHARS_MAX + 1), ..d() }, Refusal::TitleLength),
        (Details { description: "x".repeat(DESCRIPTION_CHARS_MAX + 1), ..d() }, Refusal::DescriptionLength),
        (Details { paid_for_by: " ".into(), ..d() }, Refusal::PaidForByLength),
        (Details { paid_for_by: "x".repeat(PAID_FOR_BY_CHARS_MAX + 1), ..d() }, Refusal::PaidForByLength),
        (Details { timezone: "Mars/Olympus".into(), ..d() }, Refusal::TimezoneUnknown),
        (Details { timezone: "".into(), ..d() }, Refusal::TimezoneUnknown),
        (Details { accent: "d6301f".into(), ..d() }, Refusal::AccentMalformed),
        (Details { accent: "#d6301".into(), ..d() }, Refusal::AccentMalformed),
        (Details { accent: "#d6301g".into(), ..d() }, Refusal::AccentMalformed),
        (Details { accent: "#}body{".into(), ..d() }, Refusal::AccentMalformed),
        (Details { goal_minor: Some(0), ..d() }, Refusal::GoalOutOfRange),
        (Details { goal_minor: Some(-1), ..d() }, Refusal::GoalOutOfRange),
        (Details { goal_minor: Some(i64::MAX), ..d() }, Refusal::GoalOutOfRange),
        (Details { suggested_minor: vec![], ..d() }, Refusal::SuggestedOutOfRange),
        (Details { suggested_minor: vec![100, 100], ..d() }, Refusal::SuggestedOutOfRange),
        (Details { suggested_minor: vec![500, 100], ..d() }, Refusal::SuggestedOutOfRange),
        (Details { suggested_minor: vec![99], ..d() }, Refusal::SuggestedOutOfRange),
        (Details { suggested_minor: vec![-100, 100], ..d() }, Refusal::SuggestedOutOfRange),
        (Details { suggested_minor: (1..=8).map(|n| n * 100).collect(), ..d() }, Refusal::SuggestedOutOfRange),
    ] {
        given_nothing().when(create(details.clone())).refuses(refusal.clone());
        given([created()]).when(revise(details)).refuses(refusal);
    }
}

#[test]
fn titles_in_any_script_and_the_longest_ones_are_taken() {
    for details in [
        Details { title: "🩺 Nurses 👩🏽‍⚕️".into(), ..details() },
        Details { title: "الممرضات من أجل ريفيرا".into(), ..details() },
        Details { title: "👩🏽‍⚕️".chars().cycle().take(TITLE_CHARS_MAX).collect(), ..details() },
        Details { currency: Currency::JPY, suggested_minor: vec![1], goal_minor: None, ..details() },
        Details { goal_minor: Some(AMOUNT_MAJOR_MAX * 100), ..details() },
    ] {
        given_nothing().when(create(details.clone())).then([Event::Created(announced(details))]);
    }
}

#[test]
fn an_address_belongs_to_one_rally_for_good() {
    let moved = Details { slug: "rivera".into(), ..details() };
    let after = given([created()]).when(revise(moved.clone())).then([Event::Revised(announced(moved.clone()))]);
    assert_eq!(after.state.rallies.find("nurses-for-rivera").unwrap().0, RALLY, "old links still lead here");
    assert_eq!(after.state.rallies.find("rivera").unwrap().0, RALLY);
    after.when(revise(moved)).changes_nothing();
    for slug in ["rivera", "nurses-for-rivera"] {
        let other = Details { slug: slug.into(), ..details() };
        let create = Command::Create { rally: OTHER_RALLY, details: other };
        after.when(create).refuses(Refusal::SlugTaken(slug.into()));
    }
    after.when(revise(details())).then([Event::Revised(announced(details()))]);
}

#[test]
fn the_currency_is_fixed_once_somebody_gives() {
    let euros = Details { currency: Currency::EUR, ..details() };
    given([created()]).when(revise(euros.clone())).then([Event::Revised(announced(euros.clone()))]);
    let given_to = given([created(), donation::Event::Pledged(pledge()).into()]);
    given_to.when(revise(euros)).refuses(Refusal::CurrencyFixed);
}

#[test]
fn what_nobody_announced_is_unknown() {
    for command in [
        Command::Revise { rally: NO_RALLY, details: details() },
        Command::AddSpeaker { rally: NO_RALLY, source: SOURCE, name: "Zoë".into(), role: "".into() },
        Command::OpenDoors { rally: NO_RALLY },
        Command::End { rally: NO_RALLY },
    ] {
        given([created()]).when(command).refuses(Refusal::Unknown);
    }
    for command in [Command::RemoveSpeaker { source: SOURCE }, Command::ReplaceStreamKey { source: SOURCE }] {
        given([created()]).when(command).refuses(Refusal::UnknownSpeaker);
    }
}

#[test]
fn speakers_have_names_in_any_script() {
    for name in ["Zoë 🩺", "ليلى حداد", "👩🏽‍⚕️", "\u{202e}evil", &"名".repeat(SPEAKER_CHARS_MAX)]
    {
        given([created()]).when(add(name, "Nurse")).then([added(SOURCE, name)]);
    }
    let long = "名".repeat(SPEAKER_CHARS_MAX + 1);
    for (name, role) in [("", "Nurse"), (" \u{3000}", "Nurse"), (long.as_str(), "Nurse"), ("Zoë", long.as_str())] {
        given([created()]).when(add(name, role)).refuses(Refusal::SpeakerLength);
    }
}

#[test]
fn a_speaker_is_added_once_and_the_run_has_an_end() {
    given([created()]).and([added(SOURCE, "Zoë")]).when(add("Zoë", "Nurse")).changes_nothing();
    given([created(), opened(), ended()]).when(add("Zoë", "Nurse")).refuses(Refusal::Ended);
    let many = (0_u128..).take(SPEAKERS_MAX).map(|n| added(SourceId(uuid::Uuid::from_u128(n + 0x1000)), "Zoë"));
    given([created()]).and(many).when(add("Zoë", "Nurse")).refuses(Refusal::TooManySpeakers);
}

#[test]
fn a_speaker_leaves_the_run_with_feed_and_key() {
    let ready = given([created()]).and([added(SOURCE, "Zoë"), added(OTHER_SOURCE, "Lila")]);
    let connect = broadcast::Command::ConnectSource {
        source: SOURCE,
        protocol: "RTMP".into(),
        video: "H.264".into(),
        audio: "AAC".into(),
    };
    let remove = Command::RemoveSpeaker { source: SOURCE };
    let live = ready.done([connect]);
    live.clone().and([on_program()]).when(remove.clone()).refuses(Refusal::SpeakerOnProgram);
    let gone = live.when(remove.clone()).then([Event::SpeakerRemoved(speaker())]);
    assert_eq!(gone.state.broadcast.connection(SOURCE), None);
    assert_eq!(gone.state.rallies.get(RALLY).unwrap().speakers.len(), 1);
    gone.when(remove).refuses(Refusal::UnknownSpeaker);
}

#[test]
fn a_replaced_stream_key_is_a_new_generation() {
    let ready = given([created()]).and([added(SOURCE, "Zoë")]);
    let replace = Command::ReplaceStreamKey { source: SOURCE };
    let replaced = ready.when(replace).then([Event::StreamKeyReplaced(speaker())]);
    assert_eq!(replaced.state.rallies.of_source(SOURCE).unwrap().2.key_generation, 1);
}

#[test]
fn a_replaced_address_for_captions_is_a_new_generation() {
    let replace = Command::ReplaceCaptionsAddress { rally: RALLY };
    let ready = given([created()]);
    let replaced = ready.when(replace.clone()).then([Event::CaptionsAddressReplaced(RallyNamed { rally: RALLY })]);
    assert_eq!(replaced.state.rallies.get(RALLY).unwrap().captions_generation, 1);
    let over = replaced.done([Command::OpenDoors { rally: RALLY }, Command::End { rally: RALLY }]);
    over.when(replace).refuses(Refusal::Ended);
    ready.when(Command::ReplaceCaptionsAddress { rally: NO_RALLY }).refuses(Refusal::Unknown);
}

#[test]
fn doors_open_once_and_close_once() {
    let (open, end) = (Command::OpenDoors { rally: RALLY }, Command::End { rally: RALLY });
    let before = given([created(), added(SOURCE, "Zoë").into()]);
    before.when(end.clone()).refuses(Refusal::NotOpen);
    let live = before.when(open.clone()).then([Event::DoorsOpened(RallyNamed { rally: RALLY })]);
    assert_eq!(live.state.rallies.get(RALLY).unwrap().phase, Phase::Live { since: at(2) });
    live.when(open.clone()).refuses(Refusal::AlreadyOpen);
    let over = live.and([on_program()]).when(end.clone()).then([Event::Ended(RallyNamed { rally: RALLY })]);
    let rally = over.state.rallies.get(RALLY).unwrap();
    assert_eq!((rally.phase, rally.program), (Phase::Ended { at: at(4) }, None));
    over.when(open).refuses(Refusal::Ended);
    over.when(end).refuses(Refusal::Ended);
}

#[test]
fn a_ledger_holds_so_many_rallies() {
    let many = (0_u128..).take(RALLIES_MAX).map(|n| {
        let details = Details { slug: format!("rally-{n}"), ..details() };
        Event::Created(Announced { rally: RallyId(uuid::Uuid::from_u128(n + 0x1000)), details })
    });
    given(many).when(create(details())).refuses(Refusal::TooManyRallies);
}

fn keep(days: Option<u16>, yields: bool) -> Command {
    Command::KeepRecording { rally: RALLY, keeping: Keeping { days, yields } }
}

fn kept(days: Option<u16>, yields: bool) -> Event {
    Event::RecordingKept(RecordingKept { rally: RALLY, days, yields })
}

#[test]
fn a_recording_is_kept_until_somebody_deletes_it_or_as_long_as_the_host_says() {
    let day = |days: i64| at(days * 86_400 + 2);
    let expire = |now| Command::ExpireRecording { rally: RALLY, now };
    let over = given([created(), opened(), ended()]);
    over.when(expire(day(100_000))).changes_nothing();
    let week = over.when(keep(Some(7), false)).then([kept(Some(7), false)]);
    week.when(keep(Some(7), false)).changes_nothing();
    assert_eq!(week.state.rallies.get(RALLY).unwrap().recording_until(), Some(day(7)));
    week.when(expire(day(7) - chrono::TimeDelta::seconds(1))).changes_nothing();
    let gone = week.when(expire(day(7))).then([Event::RecordingDeleted(RallyNamed { rally: RALLY })]);
    gone.when(expire(day(8))).changes_nothing();
    gone.when(keep(None, false)).refuses(Refusal::RecordingGone);
    let longer = week.when(keep(None, true)).then([kept(None, true)]);
    longer.when(expire(day(100_000))).changes_nothing();
    for days in [0, KEEP_DAYS_MAX + 1] {
        over.when(keep(Some(days), false)).refuses(Refusal::KeepDays);
    }
    given_nothing().when(keep(None, false)).refuses(Refusal::Unknown);
    given_nothing().when(expire(day(1))).refuses(Refusal::Unknown);
}

#[test]
fn what_is_said_before_the_end_counts_from_the_end_and_what_goes_on_is_never_deleted() {
    let live = given([created(), opened()]).done([keep(Some(1), true)]);
    let expire = Command::ExpireRecording { rally: RALLY, now: at(1_000_000) };
    live.when(expire.clone()).changes_nothing();
    live.when(Command::YieldRecording { rally: RALLY }).changes_nothing();
    live.and([ended()]).when(expire).then([Event::RecordingDeleted(RallyNamed { rally: RALLY })]);
}

#[test]
fn a_recording_makes_room_only_where_its_host_allowed_it() {
    let make_room = || Command::YieldRecording { rally: RALLY };
    let over = given([created(), opened(), ended()]);
    over.when(make_room()).changes_nothing();
    let allowed = over.done([keep(None, true)]);
    let gone = allowed.when(make_room()).then([Event::RecordingDeleted(RallyNamed { rally: RALLY })]);
    gone.when(make_room()).changes_nothing();
    given_nothing().when(make_room()).refuses(Refusal::Unknown);
}
