use super::*;
use crate::domain::committee::{self, Limit, Rules};
use crate::domain::donation::{CHECKOUT, Command, Giver, PaymentRequested, Pledged, room};
use crate::domain::money::Currency;
use crate::domain::plan::{self, Every, Rhythm, Saved};
use crate::domain::test_kit::*;
use crate::domain::{mail, privacy};
use uuid::Uuid;

fn rules(above: Option<Money>) -> committee::Command {
    committee::Command::SetRules(Rules { hold_above: above, ..Rules::default() })
}

/// [`DONATION`] of 50 dollars was pledged, and gifts of more than so many cents are held.
fn above(minor: i64) -> Given {
    given([created()]).done([rules(Some(usd(minor)))]).done([Command::Pledge(pledge())])
}

fn hold_it() -> Command {
    Command::Hold { donation: DONATION }
}

fn release(note: Option<&str>) -> Command {
    Command::Release { donation: DONATION, note: note.map(Into::into) }
}

fn turn_away(reason: &str) -> Command {
    Command::TurnAway { donation: DONATION, reason: reason.into() }
}

fn offer(method: &str) -> Command {
    Command::RequestPayment { donation: DONATION, method: method.into() }
}

fn offered(method: &str) -> [Event; 1] {
    let requested = PaymentRequested { donation: DONATION, attempt: 1, method: method.into(), customer: None };
    [Event::PaymentRequested(requested)]
}

fn is_held() -> [Event; 1] {
    [Event::Held(Held { donation: DONATION })]
}

fn waiting(given: &Given) -> Vec<DonationId> {
    held(&given.state).into_iter().map(|(_, id)| id).collect()
}

#[test]
fn a_gift_above_the_sum_waits_and_one_of_the_sum_does_not() {
    let large = above(4_999);
    for method in ["tok_1", CHECKOUT] {
        large.when(offer(method)).refuses(Refusal::Held);
    }
    let held = large.when(hold_it()).then(is_held());
    held.when(hold_it()).changes_nothing();
    held.when(offer("tok_1")).refuses(Refusal::Held);
    assert_eq!(waiting(&held), [DONATION]);
    for untouched in [above(5_000), above(5_001)] {
        untouched.when(hold_it()).changes_nothing();
        untouched.when(offer("tok_1")).then(offered("tok_1"));
    }
    let nothing = given_nothing();
    nothing.when(hold_it()).changes_nothing();
    let euros = given([created()]).done([rules(Some(Money::new(1, Currency::EUR)))]).done([Command::Pledge(pledge())]);
    euros.when(hold_it()).changes_nothing();
    euros.when(offer("tok_1")).then(offered("tok_1"));
}

#[test]
fn the_rules_of_the_card_step_count_and_what_was_held_waits_for_a_person() {
    let before = given([created()]).done([Command::Pledge(pledge())]);
    before.clone().done([rules(Some(usd(100)))]).when(offer("tok_1")).refuses(Refusal::Held);
    let loosened = above(100).done([rules(Some(usd(5_000)))]);
    loosened.when(hold_it()).changes_nothing();
    loosened.when(offer("tok_1")).then(offered("tok_1"));
    let held = above(100).done([hold_it()]).done([rules(None)]);
    held.when(offer("tok_1")).refuses(Refusal::Held);
    assert_eq!(waiting(&held), [DONATION]);
    // A card that was offered before is a card that was offered.
    let under_way = before.done([offer("tok_1")]).done([rules(Some(usd(100)))]);
    under_way.when(hold_it()).changes_nothing();
    let declined =
        Command::RecordDeclined { donation: DONATION, payment: None, code: "no".into(), reason: "No.".into() };
    let again = under_way.done([declined]);
    again.when(offer("tok_2")).refuses(Refusal::Held);
    again.when(hold_it()).then(is_held());
}

#[test]
fn one_decision_is_taken_and_a_second_that_differs_is_refused() {
    let held = above(100).done([hold_it()]);
    let released = |note: Option<&str>| [Event::Released(Released { donation: DONATION, note: note.map(Into::into) })];
    held.when(release(None)).then(released(None));
    let free = held.when(release(Some("She is on the call list."))).then(released(Some("She is on the call list.")));
    assert!(waiting(&free).is_empty());
    free.when(release(None)).changes_nothing();
    free.when(turn_away("late")).refuses(Refusal::WasReleased);
    free.clone().done([rules(Some(usd(1)))]).when(offer("tok_1")).then(offered("tok_1"));
    free.when(hold_it()).changes_nothing();
    let gone = held
        .when(turn_away("a company's money"))
        .then([Event::TurnedAway(TurnedAway { donation: DONATION, reason: "a company's money".into() })]);
    assert!(waiting(&gone).is_empty());
    gone.when(turn_away("again")).changes_nothing();
    gone.when(release(None)).refuses(Refusal::WasTurnedAway);
    gone.clone().done([rules(None)]).when(offer("tok_1")).refuses(Refusal::TurnedAway);
    gone.when(hold_it()).changes_nothing();
}

#[test]
fn what_was_never_held_has_no_decision_and_notes_have_a_form() {
    let free = above(5_000);
    free.when(release(None)).refuses(Refusal::NotHeld);
    free.when(turn_away("why")).refuses(Refusal::NotHeld);
    let held = above(100).done([hold_it()]);
    let long = "x".repeat(HOLD_NOTE_CHARS_MAX + 1);
    for note in ["", "  ", "joan@example.org asked", &long] {
        held.when(release(Some(note))).refuses(Refusal::HoldNote);
        held.when(turn_away(note)).refuses(Refusal::HoldNote);
    }
    let _ = held.done([release(Some(&"x".repeat(HOLD_NOTE_CHARS_MAX)))]);
}

#[test]
fn whoever_was_erased_waits_no_more() {
    let held = above(100).done([hold_it()]);
    let erase = privacy::Erase {
        erasure: crate::domain::id::ErasureId(Uuid::from_u128(1)),
        person: PERSON,
        reason: "asked to be forgotten".into(),
        notices: vec![],
        now: at(100),
        retention_years: 3,
    };
    let gone = held.done([privacy::Command::Erase(erase)]);
    assert!(waiting(&gone).is_empty());
    for command in [hold_it(), release(None), turn_away("why"), offer("tok_1")] {
        gone.when(command).refuses(Refusal::Erased);
    }
}

#[test]
fn what_is_held_counts_for_no_limit() {
    let limit = Limit {
        name: "primary".into(),
        most: usd(8_000),
        from: "2025-01-01".parse().unwrap(),
        until: "2026-12-31".parse().unwrap(),
    };
    let rules = Rules { limits: vec![limit], hold_above: Some(usd(4_000)), ..Rules::default() };
    let second = DonationId(Uuid::from_u128(0xd2));
    let given = given([created()]).done([committee::Command::SetRules(rules)]);
    let given = given.done([Command::Pledge(pledge()), Command::Pledge(Pledged { donation: second, ..pledge() })]);
    let given = given.done([hold_it(), Command::Hold { donation: second }]);
    let giver = Giver { donor: PERSON, likeness: None };
    let left = |given: &Given| room(&given.state, giver, at(0).date_naive(), Currency::USD, None).unwrap().left;
    assert_eq!(left(&given), usd(8_000));
    let given = given.done([release(None), Command::Release { donation: second, note: None }]);
    assert_eq!(left(&given), usd(8_000), "released and not paid");
    let given = given.done([offer("tok_1")]);
    assert_eq!(left(&given), usd(3_000));
    given
        .when(Command::RequestPayment { donation: second, method: "tok_2".into() })
        .refuses(Refusal::OverLimit(room(&given.state, giver, at(0).date_naive(), Currency::USD, None).unwrap()));
}

fn monthly(minor: i64) -> (plan::Command, crate::domain::id::PlanId) {
    let pledge = Pledged { amount: usd(minor), ..pledge() };
    let rhythm = Rhythm { every: Every::Month, until: None };
    (plan::Command::Pledge { pledge: Box::new(pledge), rhythm }, crate::domain::id::PlanId::of(DONATION))
}

fn paid(given: Given, minor: i64) -> Given {
    let (donation, payment) = (DONATION, payment("pi_1"));
    let settle = Command::RecordSettled { donation, payment, amount: usd(minor), fee: None, card: None };
    let saved = Some(Saved { customer: "cus_1".into(), method: "pm_1".into() });
    let learn = plan::Command::RecordSaved { plan: crate::domain::id::PlanId::of(DONATION), donation, saved };
    given.done([offer("tok_1"), settle]).done([learn])
}

#[test]
fn instalments_come_under_what_their_first_gift_was_let_through_with() {
    let (pledge, plan) = monthly(5_000);
    let held = given([created()]).done([rules(Some(usd(4_000)))]).done([pledge]);
    held.when(offer("tok_1")).refuses(Refusal::Held);
    let runs = paid(held.done([hold_it(), release(None)]), 5_000);
    let next = runs.state.plans.get(plan).unwrap().next().unwrap();
    let renewed = runs.done([plan::Command::Renew { plan, today: next }]).done([rules(Some(usd(1)))]);
    let donation = DonationId::of_instalment(plan, 2);
    let _ = renewed.clone().done([Command::ChargeSaved { donation }]);
    // Nor where its donor pays it with another card.
    renewed.when(Command::Hold { donation }).changes_nothing();
    let _ = renewed.done([Command::RequestPayment { donation, method: "tok_2".into() }]);
}

#[test]
fn no_donor_raises_a_recurring_gift_past_the_sum() {
    let (pledge, plan) = monthly(1_000);
    let runs = paid(given([created()]).done([rules(Some(usd(4_000)))]).done([pledge]), 1_000);
    let to = |minor| plan::Command::Change {
        plan,
        amount: usd(minor),
        rhythm: Rhythm { every: Every::Month, until: None },
        today: at(0).date_naive(),
    };
    runs.when(to(4_001)).refuses(plan::Refusal::HeldAbove(usd(4_000)));
    let most = runs.done([to(4_000)]);
    // One that is above it by now may still be lowered, or kept.
    let tightened = most.done([rules(Some(usd(500)))]);
    let _ = tightened.clone().done([to(2_000)]);
    tightened.when(to(4_100)).refuses(plan::Refusal::HeldAbove(usd(500)));
}

#[test]
fn a_decision_is_told_by_mail_in_the_same_append() {
    let letters = |given: &Given, command| {
        let events = crate::domain::decide(&given.state, crate::domain::Command::Donation(command)).unwrap();
        let letter = |event: &crate::domain::Event| {
            let crate::domain::Event::Mail(mail::Event::Requested(asked)) = event else { return None };
            Some((asked.letter, asked.person, asked.amount))
        };
        events.iter().filter_map(letter).collect::<Vec<_>>()
    };
    let silent = above(100).done([hold_it()]);
    assert_eq!(letters(&silent, release(None)), []);
    let on = silent.done([mail::Command::Switch { on: true }]);
    assert_eq!(letters(&on, release(None)), [(mail::Kind::Released, PERSON, usd(5_000))]);
    assert_eq!(letters(&on, turn_away("why")), [(mail::Kind::TurnedAway, PERSON, usd(5_000))]);
    assert_eq!(letters(&on.done([release(None)]), release(None)), [], "once");
}
