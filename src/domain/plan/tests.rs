use super::*;
use crate::domain::committee::{self, Limit, Rules};
use crate::domain::donation::{DisputeNews, PaymentRequested, Settled, Told};
use crate::domain::id::{CommitteeId, DisputeId};
use crate::domain::money::Currency;
use crate::domain::test_kit::*;
use crate::domain::{self, decide, mail};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

type Gift = donation::Command;

fn plan() -> PlanId {
    PlanId::of(DONATION)
}

fn nth(number: u32) -> DonationId {
    DonationId::of_instalment(plan(), number)
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

const MONTHLY: Rhythm = Rhythm { every: Every::Month, until: None };

fn weekly() -> Rhythm {
    Rhythm { every: Every::Week, until: Some(day("2026-11-03")) }
}

fn saved(method: &str) -> Saved {
    Saved { customer: "cus_1".into(), method: method.into() }
}

fn ask(rhythm: Rhythm) -> Command {
    Command::Pledge { pledge: Box::new(pledge()), rhythm }
}

fn paid(donation: DonationId, name: &str) -> Gift {
    Gift::RecordSettled { donation, payment: payment(name), amount: usd(5000), fee: None, card: None }
}

fn offered(donation: DonationId) -> Gift {
    Gift::RequestPayment { donation, method: "tok_1".into() }
}

fn kept(donation: DonationId, method: &str) -> Command {
    Command::RecordSaved { plan: plan(), donation, saved: Some(saved(method)) }
}

fn renew(today: &str) -> Command {
    Command::Renew { plan: plan(), today: day(today) }
}

fn renewed(number: u32, due: &str, today: &str) -> domain::Event {
    donation::Event::Renewed(Renewed {
        donation: nth(number),
        plan: plan(),
        number,
        first: DONATION,
        rally: RALLY,
        donor: PERSON,
        likeness: None,
        amount: usd(5000),
        due: day(due),
        day: day(today),
        parts: Box::default(),
    })
    .into()
}

fn asked(rhythm: Rhythm) -> Given {
    given([created()]).done([ask(rhythm)])
}

fn running(rhythm: Rhythm) -> Given {
    asked(rhythm).done([offered(DONATION), paid(DONATION, "pi_1")]).done([kept(DONATION, "pm_1")])
}

fn refused(given: Given, number: u32, times: u32) -> Given {
    (0..times).fold(given, |given, _| {
        let time = given.state.donations.get(nth(number)).unwrap().attempts;
        let decline = Gift::RecordDeclined {
            donation: nth(number),
            payment: Some(payment(&format!("pi_{number}_{time}"))),
            code: "insufficient_funds".into(),
            reason: "No.".into(),
        };
        given.done([Gift::ChargeSaved { donation: nth(number) }, decline])
    })
}

fn noon(text: &str) -> DateTime<Utc> {
    day(text).and_hms_opt(16, 0, 0).unwrap().and_utc()
}

fn next_step(given: &Given, today: &str) -> Option<Step> {
    step(&given.state, plan(), noon(today))
}

fn known(given: &Given) -> &Plan {
    given.state.plans.get(plan()).unwrap()
}

fn ended(why: Why) -> Event {
    Event::Ended(Ended { plan: plan(), why })
}

#[test]
fn a_plan_is_asked_for_with_its_pledge_and_begins_with_its_money() {
    let event = Event::Asked(Asked {
        plan: plan(),
        rally: RALLY,
        donor: PERSON,
        first: DONATION,
        amount: usd(5000),
        every: Every::Month,
        until: None,
    });
    let pledged = donation::Event::Pledged(pledge());
    let asked = given([created()]).when(ask(MONTHLY)).then([domain::Event::from(pledged), event.into()]);
    assert_eq!((known(&asked).standing(), known(&asked).next()), (Standing::Asked, None));
    assert_eq!(next_step(&asked, "2027-09-23"), None);
    asked.when(kept(DONATION, "pm_1")).changes_nothing();
    let paid = asked.done([offered(DONATION), paid(DONATION, "pi_1")]);
    assert_eq!(next_step(&paid, "2026-09-23"), Some(Step::Learn(DONATION)));
    let started = Event::Started(Started { plan: plan(), saved: saved("pm_1"), next: day("2026-10-23") });
    let started = paid.when(kept(DONATION, "pm_1")).then([started]);
    started.when(kept(DONATION, "pm_1")).changes_nothing();
    assert_eq!(known(&started).next(), Some(day("2026-10-23")));
    assert_eq!(next_step(&started, "2026-10-22"), None);
    assert_eq!(next_step(&started, "2026-10-23"), Some(Step::Renew));
    let nothing = Command::RecordSaved { plan: plan(), donation: DONATION, saved: None };
    paid.when(nothing).then([ended(Why::NotKept)]);
}

#[test]
fn a_weekly_plan_has_a_last_day() {
    let without = Rhythm { until: None, ..weekly() };
    given([created()]).when(ask(without)).refuses(Refusal::NoLastDay);
    let small = Command::Pledge { pledge: Box::new(Pledged { amount: usd(99), ..pledge() }), rhythm: MONTHLY };
    given([created()]).when(small).refuses(donation::Refusal::TooSmall(usd(100)));
    let mut given = running(weekly());
    for (number, due) in [(2, "2026-09-30"), (3, "2026-10-07"), (4, "2026-10-14"), (5, "2026-10-21"), (6, "2026-10-28")]
    {
        given = given.when(renew(due)).then([renewed(number, due, due)]);
        given = given.done([Gift::ChargeSaved { donation: nth(number) }, paid(nth(number), &format!("pi_{number}"))]);
    }
    assert_eq!(known(&given).next(), None);
    assert_eq!(next_step(&given, "2026-10-28"), Some(Step::Renew), "nothing comes after it");
    let over = given.when(renew("2026-10-28")).then([ended(Why::Finished)]);
    assert_eq!(next_step(&over, "2027-01-01"), None);
}

#[test]
fn after_a_gap_one_is_charged_and_the_rest_are_skipped() {
    let given = running(MONTHLY);
    given.when(renew("2026-10-22")).changes_nothing();
    let skipped = Event::Skipped(Skipped { plan: plan(), from: day("2026-10-23"), to: day("2026-12-23"), count: 3 });
    let late = given.when(renew("2027-02-03")).then([skipped.into(), renewed(2, "2027-01-23", "2027-02-03")]);
    late.when(renew("2027-02-03")).changes_nothing();
    assert_eq!(next_step(&late, "2027-02-03"), Some(Step::Pay(nth(2))));
    let paid = late.done([Gift::ChargeSaved { donation: nth(2) }, paid(nth(2), "pi_2")]);
    assert_eq!(known(&paid).next(), Some(day("2027-02-23")));
    assert_eq!(paid.state.donations.get(nth(2)).unwrap().day, day("2027-02-03"));
    // A gap that goes past the last day ends it without a charge.
    running(weekly()).when(renew("2026-11-04")).then([ended(Why::Finished)]);
}

#[test]
fn a_refused_instalment_is_tried_again_and_then_ends_it() {
    let due = running(MONTHLY).done([renew("2026-10-23")]);
    let mut given = due.clone();
    for (tries, again) in [(1, "2026-10-26"), (2, "2026-10-31"), (3, "2026-11-07")] {
        given = refused(given, 2, 1);
        assert_eq!(known(&given).standing(), Standing::PastDue { tries, again: Some(day(again)) });
        assert_eq!(step(&given.state, plan(), noon(again) - TimeDelta::days(1)), None);
        assert_eq!(next_step(&given, again), Some(Step::Pay(nth(2))));
        given.when(renew("2026-11-23")).changes_nothing();
    }
    let given = refused(given, 2, 1);
    assert_eq!(known(&given).standing(), Standing::PastDue { tries: 4, again: None });
    assert_eq!(next_step(&given, "2026-11-07"), Some(Step::End(Why::Failures)));
    // Money that comes after the end is money, and nothing begins again.
    let over = given.done([Command::End { plan: plan(), why: Why::Failures }]).done([paid(nth(2), "pi_2")]);
    assert_eq!(known(&over).standing(), Standing::Ended { why: Why::Failures });
    assert_eq!(over.state.donations.get(nth(2)).unwrap().settled_minor(), 5000);
    assert_eq!(next_step(&over, "2027-10-23"), None);
}

#[test]
fn what_fell_due_until_a_late_payment_is_not_charged_on_top() {
    let mut state = refused(running(weekly()).done([renew("2026-09-30")]), 2, 2).state;
    let settled = donation::Event::Settled(Settled {
        donation: nth(2),
        rally: RALLY,
        donor: PERSON,
        payment: payment("pi_2"),
        amount: usd(5000),
        fee: None,
        card: None,
    });
    state.evolve(&settled.into(), noon("2026-10-08"));
    let skipped = Skipped { plan: plan(), from: day("2026-10-07"), to: day("2026-10-07"), count: 1 };
    let decided = decide(&state, renew("2026-10-08").into()).unwrap();
    assert_eq!(decided, [Event::Skipped(skipped).into()]);
    state.evolve(&decided[0], noon("2026-10-08"));
    assert_eq!(state.plans.get(plan()).unwrap().next(), Some(day("2026-10-14")));
}

#[test]
fn another_card_is_charged_from_then_on() {
    let given = refused(running(MONTHLY).done([renew("2026-10-23")]), 2, 1);
    let given = given.done([offered(nth(2)), paid(nth(2), "pi_2")]);
    assert_eq!(next_step(&given, "2026-10-24"), Some(Step::Learn(nth(2))));
    let changed = Event::CardChanged(CardChanged { plan: plan(), saved: saved("pm_2") });
    let given = given.when(kept(nth(2), "pm_2")).then([changed]).done([renew("2026-11-23")]);
    let requested = donation::Event::PaymentRequested(PaymentRequested {
        donation: nth(3),
        attempt: 1,
        method: "pm_2".into(),
        customer: Some("cus_1".into()),
        parts: Box::default(),
    });
    given.when(Gift::ChargeSaved { donation: nth(3) }).then([requested]);
}

#[test]
fn its_donor_changes_pauses_resumes_and_stops_it() {
    let given = running(MONTHLY);
    let today = day("2026-10-01");
    let change = |minor, rhythm| Command::Change { plan: plan(), amount: usd(minor), rhythm, today };
    let changed = |minor, Rhythm { every, until }, next| {
        Event::Changed(Changed { plan: plan(), amount: usd(minor), every, until, next: day(next) })
    };
    given.when(change(5000, MONTHLY)).changes_nothing();
    given.when(change(2500, MONTHLY)).then([changed(2500, MONTHLY, "2026-10-23")]);
    let often = given.when(change(2500, weekly())).then([changed(2500, weekly(), "2026-10-07")]);
    often.when(renew("2026-10-06")).changes_nothing();
    for (command, refusal) in [
        (change(99, MONTHLY), Refusal::Donation(donation::Refusal::TooSmall(usd(100)))),
        (change(i64::MAX, MONTHLY), donation::Refusal::TooLarge(usd(AMOUNT_MINOR_MAX)).into()),
        (change(2500, Rhythm { until: None, ..weekly() }), Refusal::NoLastDay),
        (change(2500, Rhythm { until: Some(today), ..weekly() }), Refusal::NoLastDay),
        (
            Command::Change { plan: plan(), amount: Money::new(2500, Currency::EUR), rhythm: MONTHLY, today },
            donation::Refusal::WrongCurrency.into(),
        ),
        (Command::Pause { plan: plan(), until: Some(today), today }, Refusal::PauseDay),
        (Command::Pause { plan: plan(), until: Some(day("2027-10-03")), today }, Refusal::PauseDay),
    ] {
        given.when(command).refuses(refusal);
    }
    let until = Some(day("2026-12-01"));
    let pause = Command::Pause { plan: plan(), until, today };
    let paused = given.when(pause.clone()).then([Event::Paused(Paused { plan: plan(), until })]);
    paused.when(pause).changes_nothing();
    assert_eq!(known(&paused).standing(), Standing::Paused { until });
    paused.when(renew("2026-10-23")).changes_nothing();
    assert_eq!(next_step(&paused, "2026-11-30"), None);
    assert_eq!(next_step(&paused, "2026-12-01"), Some(Step::Resume));
    let resume = Command::Resume { plan: plan(), today: day("2026-12-01") };
    let resumed = Event::Resumed(Resumed { plan: plan(), next: day("2026-12-23") });
    let goes_on = paused.when(resume.clone()).then([resumed]);
    goes_on.when(resume.clone()).changes_nothing();
    goes_on.when(renew("2026-12-23")).then([renewed(2, "2026-12-23", "2026-12-23")]);
    let end = Command::End { plan: plan(), why: Why::Donor };
    let over = paused.when(end.clone()).then([ended(Why::Donor)]);
    over.when(end).changes_nothing();
    over.when(resume).refuses(Refusal::Ended);
    over.when(renew("2026-12-23")).changes_nothing();
    asked(MONTHLY).when(change(2500, MONTHLY)).refuses(Refusal::NotStarted);
    given_nothing().when(renew("2026-12-23")).refuses(Refusal::Unknown);
}

#[test]
fn a_pause_gives_up_what_was_refused() {
    let given = refused(running(MONTHLY).done([renew("2026-10-23")]), 2, 1);
    let today = day("2026-10-24");
    let paused =
        given.done([Command::Pause { plan: plan(), until: None, today }, Command::Resume { plan: plan(), today }]);
    assert_eq!((known(&paused).standing(), known(&paused).next()), (Standing::Active, Some(day("2026-11-23"))));
    // It can still be paid by hand.
    let _ = paused.done([offered(nth(2))]);
}

#[test]
fn a_limit_ends_it_and_no_change_passes_one() {
    let limit = Limit { name: "primary".into(), most: usd(12_000), from: day("2026-01-01"), until: day("2027-12-31") };
    let rules = Rules { limits: vec![limit], ..Rules::default() };
    let given = given([created()])
        .done([committee::Command::SetRules { committee: CommitteeId::FIRST, rules: Box::new(rules) }]);
    let given =
        given.done([ask(MONTHLY)]).done([offered(DONATION), paid(DONATION, "pi_1")]).done([kept(DONATION, "pm_1")]);
    let change =
        |minor| Command::Change { plan: plan(), amount: usd(minor), rhythm: MONTHLY, today: day("2026-10-01") };
    let _ = given.clone().done([change(7_000)]);
    let room = super::room(&given.state, known(&given), day("2026-10-01"), usd(7_001)).unwrap();
    assert_eq!(room.left, usd(7_000));
    given.when(change(7_001)).refuses(Refusal::from(donation::Refusal::OverLimit(room)));
    let given = given.done([renew("2026-10-23")]).done([Gift::ChargeSaved { donation: nth(2) }, paid(nth(2), "pi_2")]);
    given.when(renew("2026-11-23")).then([ended(Why::Limit)]);
}

#[test]
fn who_disputes_one_gift_is_not_charged_for_another() {
    let disputed = Gift::RecordDispute(DisputeNews {
        payment: payment("pi_1"),
        dispute: DisputeId("dp_1".into()),
        amount: usd(5000),
        reason: "fraudulent".into(),
        due_by: None,
        withdrawn: false,
        withdrawal_fee: None,
        reinstated: false,
        reinstatement_fee: None,
        closed: None,
    });
    running(MONTHLY).done([disputed.clone()]).when(renew("2026-10-23")).then([ended(Why::Disputed)]);
    let due = refused(running(MONTHLY).done([renew("2026-10-23")]), 2, 1).done([disputed]);
    assert_eq!(next_step(&due, "2026-10-26"), Some(Step::End(Why::Disputed)));
}

fn told(number: u32, due: &str) -> Told {
    Told { plan: plan(), number, donation: nth(number), due: day(due), amount: usd(5000) }
}

#[test]
fn an_instalment_that_the_log_lost_is_taken_in_and_not_charged_again() {
    let given = running(MONTHLY);
    let taken = given.when(Gift::TakeIn(told(2, "2026-10-23"))).then([renewed(2, "2026-10-23", "2026-10-23")]);
    taken.when(Gift::TakeIn(told(2, "2026-10-23"))).changes_nothing();
    let paid = taken.done([paid(nth(2), "pi_2")]);
    paid.when(renew("2026-10-23")).changes_nothing();
    assert_eq!(known(&paid).next(), Some(day("2026-11-23")));
    for wrong in [
        Told { number: 1, donation: nth(1), ..told(2, "2026-10-23") },
        Told { number: 3, ..told(2, "2026-10-23") },
        Told { plan: PlanId::of(NO_DONATION), ..told(2, "2026-10-23") },
    ] {
        given.when(Gift::TakeIn(wrong)).refuses(donation::Refusal::Unknown);
    }
}

#[test]
fn letters_tell_of_a_refusal_and_of_the_end() {
    let kinds = |events: &[domain::Event]| -> Vec<mail::Kind> {
        let asked = events.iter().filter_map(|event| {
            let domain::Event::Mail(mail::Event::Requested(requested)) = event else { return None };
            Some(requested.letter)
        });
        asked.collect()
    };
    let on = running(MONTHLY).done([mail::Command::Switch { on: true }]).done([renew("2026-10-23")]);
    let decline = |name: &str| {
        let (code, reason) = ("authentication_required".into(), "No.".into());
        Gift::RecordDeclined { donation: nth(2), payment: Some(payment(name)), code, reason }
    };
    // The donor's own card is answered on the page, also where no letter told of the kept one.
    let once = refused(running(MONTHLY).done([renew("2026-10-23")]), 2, 1);
    let once = once.done([mail::Command::Switch { on: true }]).done([offered(nth(2))]);
    assert_eq!(kinds(&decide(&once.state, decline("pi_own").into()).unwrap()), []);
    let mut given = on;
    for (time, expected) in [(1, 1), (2, 1), (3, 1), (4, 0)] {
        given = given.done([Gift::ChargeSaved { donation: nth(2) }]);
        let events = decide(&given.state, decline(&format!("pi_2_{time}")).into()).unwrap();
        assert_eq!(kinds(&events), vec![mail::Kind::InstalmentRefused; expected], "{time}");
        given = given.and(events);
    }
    let end = |given: &Given, why| decide(&given.state, Command::End { plan: plan(), why }.into()).unwrap();
    assert_eq!(kinds(&end(&given, Why::Failures)), [mail::Kind::PlanEnded]);
    // What never began has no end.
    let never = asked(MONTHLY).done([mail::Command::Switch { on: true }]);
    assert_eq!(kinds(&end(&never, Why::Donor)), []);
    assert_eq!(kinds(&end(&never, Why::NotKept)), [mail::Kind::PlanEnded]);
}

#[derive(Clone, Debug)]
enum News {
    Told(u32),
    Paid(u32),
    Refused(u32),
}

/// What a processor tells of two instalments.
fn news() -> Vec<News> {
    vec![News::Told(2), News::Paid(2), News::Told(3), News::Refused(3), News::Paid(3)]
}

proptest! {
    /// Each notice may come in any order, late and again; one that came too early is told again, as processors do.
    #[test]
    fn notices_in_any_order_come_to_the_same_plan(order in Just(news()).prop_shuffle(), again in proptest::collection::vec(0..5_usize, 0..6)) {
        let tell = |mut state: State, order: &[News]| {
            for news in order {
                let command: domain::Command = match news {
                    News::Told(number) => Gift::TakeIn(told(*number, if *number == 2 { "2026-10-23" } else { "2026-11-23" })).into(),
                    News::Paid(number) => paid(nth(*number), &format!("pi_{number}")).into(),
                    News::Refused(number) => Gift::RecordDeclined {
                        donation: nth(*number), payment: Some(payment("pi_no")), code: "no".into(), reason: "No.".into(),
                    }.into(),
                };
                for event in decide(&state, command).unwrap_or_default() {
                    state.evolve(&event, noon("2026-11-24"));
                }
            }
            state
        };
        let straight = tell(running(MONTHLY).state, &news());
        let mut told = order.clone();
        told.extend(again.iter().map(|place| order[*place].clone()));
        told.extend(news());
        let state = tell(running(MONTHLY).state, &told);
        prop_assert_eq!(state.plans.get(plan()), straight.plans.get(plan()));
        prop_assert_eq!(state.plans.get(plan()).unwrap().next(), Some(day("2026-12-23")));
        let minor = |state: &State| [2, 3].map(|number| state.donations.get(nth(number)).unwrap().settled_minor());
        prop_assert_eq!(minor(&state), [5000, 5000]);
    }
}
