mod checkout;

use super::*;
use crate::domain::money::Currency;
use crate::domain::test_kit::*;

fn pledged() -> Given {
    given([created()]).and([Event::Pledged(pledge())])
}

fn request(method: &str) -> Command {
    Command::RequestPayment { donation: DONATION, method: method.into() }
}

fn requested(attempt: u32) -> Event {
    Event::PaymentRequested(PaymentRequested {
        donation: DONATION,
        attempt,
        method: "tok_1".into(),
        customer: None,
        parts: Box::default(),
    })
}

fn in_flight() -> Given {
    pledged().and([requested(1)])
}

fn action(name: &str) -> Command {
    Command::RecordAction { donation: DONATION, payment: payment(name) }
}

fn processing(name: &str) -> Command {
    Command::RecordProcessing { donation: DONATION, payment: payment(name) }
}

fn named(name: &str) -> PaymentNamed {
    PaymentNamed { donation: DONATION, payment: payment(name) }
}

fn settle_as(name: &str, amount: Money, fee: Option<Money>) -> Command {
    Command::RecordSettled { donation: DONATION, payment: payment(name), amount, fee, card: None }
}

fn settled_event(name: &str, fee: Option<Money>) -> Event {
    Event::Settled(Settled {
        donation: DONATION,
        rally: RALLY,
        donor: PERSON,
        payment: payment(name),
        amount: usd(5000),
        fee,
        card: None,
    })
}

fn settled() -> Given {
    in_flight().and([settled_event("pi_1", Some(usd(175)))])
}

fn decline(name: Option<&str>) -> Command {
    let (code, reason) = ("insufficient_funds".into(), "The card has too little money.".into());
    Command::RecordDeclined { donation: DONATION, payment: name.map(payment), code, reason }
}

fn declined(name: Option<&str>) -> Event {
    let (code, reason) = ("insufficient_funds".into(), "The card has too little money.".into());
    Event::Declined(Declined { donation: DONATION, payment: name.map(payment), code, reason })
}

fn ask_refund(refund: RefundId, amount: Money) -> Command {
    Command::RequestRefund { donation: DONATION, refund, amount }
}

fn refund_requested(refund: RefundId, minor: i64) -> Event {
    let (payment, amount) = (payment("pi_1"), usd(minor));
    Event::RefundRequested(RefundRequested { donation: DONATION, refund, payment, amount })
}

fn report_refund(name: &str, refund: Option<RefundId>, amount: Money) -> Command {
    let (payment, processor_refund) = (payment("pi_1"), processor_refund(name));
    Command::RecordRefunded { payment, processor_refund, refund, amount }
}

fn refunded_event(name: &str, refund: Option<RefundId>, minor: i64) -> Event {
    Event::Refunded(Refunded {
        donation: DONATION,
        rally: RALLY,
        donor: PERSON,
        payment: payment("pi_1"),
        processor_refund: processor_refund(name),
        refund,
        amount: usd(minor),
    })
}

fn unmatched(name: &str, amount: Money) -> Event {
    let (payment, processor_refund) = (payment("pi_1"), processor_refund(name));
    Event::RefundUnmatched(RefundUnmatched { payment, processor_refund, refund: None, amount })
}

fn donation(given: &Given) -> &Donation {
    given.state.donations.get(DONATION).unwrap()
}

#[test]
fn a_pledge_is_taken_and_fixes_the_currency() {
    let after = given([created()]).when(Command::Pledge(pledge())).then([Event::Pledged(pledge())]);
    assert!(after.state.rallies.get(RALLY).unwrap().has_donations);
    assert_eq!(donation(&after).settled_minor(), 0, "a pledge is not money");
}

#[test]
fn a_rally_that_is_over_still_takes_donations() {
    given([created(), opened(), ended()]).when(Command::Pledge(pledge())).then([Event::Pledged(pledge())]);
}

#[test]
fn pledges_outside_the_rules_are_refused() {
    let smallest = Refusal::TooSmall(usd(100));
    let largest = Refusal::TooLarge(usd(AMOUNT_MINOR_MAX));
    let with = |amount| Pledged { amount, ..pledge() };
    for (pledge, refusal) in [
        (with(usd(-5000)), smallest.clone()),
        (with(usd(i64::MIN)), smallest.clone()),
        (with(usd(0)), smallest.clone()),
        (with(usd(99)), smallest),
        (with(usd(AMOUNT_MINOR_MAX + 1)), largest.clone()),
        (with(usd(i64::MAX)), largest),
        (with(Money::new(5000, Currency::EUR)), Refusal::WrongCurrency),
        (with(Money::new(-1, Currency::JPY)), Refusal::WrongCurrency),
        (Pledged { rally: NO_RALLY, ..pledge() }, Refusal::UnknownRally),
        (Pledged { attestations: vec![], ..pledge() }, Refusal::AttestationsMissing),
        (
            Pledged { attestations: vec!["us-person-1".into(), "own-funds-9".into()], ..pledge() },
            Refusal::AttestationsMissing,
        ),
        (Pledged { refcode: Some("🎈".repeat(REFCODE_CHARS_MAX + 1)), ..pledge() }, Refusal::RefcodeLength),
    ] {
        given([created()]).when(Command::Pledge(pledge)).refuses(refusal);
    }
    pledged().when(Command::Pledge(pledge())).refuses(Refusal::AlreadyPledged);
}

#[test]
fn the_smallest_the_largest_and_the_oddest_pledges_are_taken() {
    for pledge in [
        Pledged { amount: usd(100), ..pledge() },
        Pledged { amount: usd(AMOUNT_MINOR_MAX), ..pledge() },
        Pledged { refcode: None, ..pledge() },
        Pledged { refcode: Some("🎈".repeat(REFCODE_CHARS_MAX)), ..pledge() },
        Pledged { refcode: Some("رابط".into()), ..pledge() },
    ] {
        given([created()]).when(Command::Pledge(pledge.clone())).then([Event::Pledged(pledge)]);
    }
}

#[test]
fn every_attestation_must_be_given() {
    for missing in 0..ATTESTATIONS.len() {
        let mut pledge = pledge();
        pledge.attestations.remove(missing);
        given([created()]).when(Command::Pledge(pledge)).refuses(Refusal::AttestationsMissing);
    }
}

#[test]
fn nothing_can_be_said_of_a_donation_nobody_pledged() {
    let (donation, name) = (NO_DONATION, payment("pi_1"));
    for command in [
        Command::RequestPayment { donation, method: "tok_1".into() },
        Command::RecordAction { donation, payment: name.clone() },
        Command::RecordProcessing { donation, payment: name.clone() },
        Command::RecordSettled { donation, payment: name.clone(), amount: usd(5000), fee: None, card: None },
        Command::RecordDeclined { donation, payment: Some(name), code: "x".into(), reason: "x".into() },
        Command::RequestRefund { donation, refund: REFUND, amount: usd(1) },
        Command::RecordRefundFailed { donation, refund: REFUND, reason: "x".into() },
    ] {
        pledged().when(command).refuses(Refusal::Unknown);
    }
}

#[test]
fn a_card_is_offered_once_at_a_time() {
    pledged().when(request("")).refuses(Refusal::MethodMissing);
    let trying = pledged().when(request("tok_1")).then([requested(1)]);
    trying.when(request("tok_1")).refuses(Refusal::InFlight);
    trying.done([processing("pi_1")]).when(request("tok_1")).refuses(Refusal::InFlight);
    settled().when(request("tok_1")).refuses(Refusal::AlreadySettled);
}

#[test]
fn a_card_tester_runs_out_of_attempts() {
    let mut tried = pledged();
    for _ in 0..ATTEMPTS_MAX {
        tried = tried.done([request("tok_1"), decline(None)]);
    }
    assert_eq!(donation(&tried).attempts, ATTEMPTS_MAX);
    tried.when(request("tok_1")).refuses(Refusal::TooManyAttempts);
}

#[test]
fn the_donor_confirms_with_the_bank_and_the_money_comes() {
    let waiting = in_flight().when(action("pi_1")).then([Event::ActionRequired(named("pi_1"))]);
    assert!(donation(&waiting).in_flight.as_ref().unwrap().waits_for_donor);
    waiting.when(action("pi_1")).changes_nothing();
    let confirmed = waiting.when(processing("pi_1")).then([Event::Processing(named("pi_1"))]);
    assert!(!donation(&confirmed).in_flight.as_ref().unwrap().waits_for_donor);
    confirmed.when(processing("pi_1")).changes_nothing();
    confirmed.when(action("pi_1")).changes_nothing();
    let paid = confirmed.when(settle_as("pi_1", usd(5000), None)).then([settled_event("pi_1", None)]);
    assert_eq!(donation(&paid).in_flight, None);
    for late in [action("pi_1"), processing("pi_1"), decline(Some("pi_1")), decline(None)] {
        paid.when(late).changes_nothing();
    }
}

#[test]
fn a_donor_who_closed_the_banks_window_tries_again() {
    let again = in_flight().done([action("pi_1")]).when(request("tok_1")).then([requested(2)]);
    // The first attempt is refused at last, before and after the second has a name: the second goes on.
    let refused_late = again.when(decline(Some("pi_1"))).then([declined(Some("pi_1"))]);
    assert_eq!(donation(&refused_late).in_flight.as_ref().unwrap().number, 2);
    assert_eq!(donation(&refused_late).decline, None);
    refused_late.when(request("tok_1")).refuses(Refusal::InFlight);
    let named = again.done([action("pi_2")]);
    named.when(processing("pi_1")).changes_nothing();
    let named = named.done([decline(Some("pi_1"))]);
    assert_eq!(donation(&named).in_flight.as_ref().unwrap().payment, Some(payment("pi_2")));
    // Both went through after all: both are money, and both can be given back.
    let both = named.done([settle_as("pi_2", usd(5000), None), settle_as("pi_1", usd(5000), None)]);
    assert_eq!(donation(&both).settled_minor(), 10_000);
}

#[test]
fn a_refused_card_says_why_until_the_next_attempt() {
    for (name, known) in [(Some("pi_1"), false), (Some("pi_1"), true), (None, false), (None, true)] {
        let trying = if known { in_flight().done([processing("pi_1")]) } else { in_flight() };
        let refused = trying.when(decline(name)).then([declined(name)]);
        assert_eq!(donation(&refused).decline.as_ref().unwrap().code, "insufficient_funds");
        refused.when(decline(name)).changes_nothing();
        let again = refused.when(request("tok_1")).then([requested(2)]);
        assert_eq!(donation(&again).decline, None);
    }
}

#[test]
fn money_counts_once_and_its_fee_once() {
    let card = Some(Card { brand: "visa".into(), last4: "4242".into() });
    let command = Command::RecordSettled {
        donation: DONATION,
        payment: payment("pi_1"),
        amount: usd(5000),
        fee: None,
        card: card.clone(),
    };
    let expected = Settled {
        donation: DONATION,
        rally: RALLY,
        donor: PERSON,
        payment: payment("pi_1"),
        amount: usd(5000),
        fee: None,
        card,
    };
    let paid = in_flight().when(command.clone()).then([Event::Settled(expected)]);
    paid.when(command).changes_nothing();
    let fee = FeeRecorded { donation: DONATION, rally: RALLY, payment: payment("pi_1"), fee: usd(175) };
    let known = paid.when(settle_as("pi_1", usd(5000), Some(usd(175)))).then([Event::FeeRecorded(fee)]);
    known.when(settle_as("pi_1", usd(5000), Some(usd(175)))).changes_nothing();
    settled().when(settle_as("pi_1", usd(5000), Some(usd(175)))).changes_nothing();
    settled().when(settle_as("pi_1", usd(5000), None)).changes_nothing();
    assert_eq!(donation(&known).settled_minor(), 5000);
}

#[test]
fn sums_that_cannot_be_counted_are_refused() {
    for minor in [0, -5000, i64::MIN, AMOUNT_MINOR_MAX + 1, i64::MAX] {
        in_flight().when(settle_as("pi_1", usd(minor), None)).refuses(Refusal::AmountOutOfRange);
        settled().when(report_refund("re_1", None, usd(minor))).refuses(Refusal::AmountOutOfRange);
        pledged().when(report_refund("re_1", None, usd(minor))).refuses(Refusal::AmountOutOfRange);
    }
    let euro = Money::new(5000, Currency::EUR);
    in_flight().when(settle_as("pi_1", euro, None)).refuses(Refusal::WrongCurrency);
    settled().when(report_refund("re_1", None, euro)).refuses(Refusal::WrongCurrency);
    settled().when(ask_refund(REFUND, euro)).refuses(Refusal::WrongCurrency);
}

#[test]
fn a_refund_is_asked_for_then_done() {
    let asked = settled().when(ask_refund(REFUND, usd(2000))).then([refund_requested(REFUND, 2000)]);
    assert_eq!(donation(&asked).refunded_minor(), 0, "asking gives nothing back");
    assert_eq!(donation(&asked).waiting_refunds().count(), 1);
    asked.when(ask_refund(REFUND, usd(2000))).changes_nothing();
    let done =
        asked.when(report_refund("re_1", Some(REFUND), usd(2000))).then([refunded_event("re_1", Some(REFUND), 2000)]);
    done.when(report_refund("re_1", Some(REFUND), usd(2000))).changes_nothing();
    assert_eq!(donation(&done).refunded_minor(), 2000);
    assert_eq!(donation(&done).settled_minor(), 5000, "what was received stays");
    assert_eq!(donation(&done).waiting_refunds().count(), 0);
}

#[test]
fn a_refund_made_at_the_processor_counts_too() {
    settled().when(report_refund("re_9", None, usd(5000))).then([refunded_event("re_9", None, 5000)]);
}

#[test]
fn no_more_than_what_is_left_can_be_asked_back() {
    let nothing = Refusal::RefundTooLarge(usd(0));
    pledged().when(ask_refund(REFUND, usd(1))).refuses(nothing.clone());
    in_flight().when(ask_refund(REFUND, usd(1))).refuses(nothing.clone());
    for minor in [0, -1, i64::MIN] {
        settled().when(ask_refund(REFUND, usd(minor))).refuses(Refusal::RefundNotPositive);
    }
    settled().when(ask_refund(REFUND, usd(5001))).refuses(Refusal::RefundTooLarge(usd(5000)));
    settled().when(ask_refund(REFUND, usd(i64::MAX))).refuses(Refusal::RefundTooLarge(usd(5000)));
    let waiting = settled().done([ask_refund(REFUND, usd(3000))]);
    waiting.when(ask_refund(OTHER_REFUND, usd(2001))).refuses(Refusal::RefundTooLarge(usd(2000)));
    let both = waiting.done([ask_refund(OTHER_REFUND, usd(2000))]);
    let done = both.done([report_refund("re_1", Some(REFUND), usd(3000))]);
    let another = RefundId(uuid::Uuid::from_u128(0xe9));
    done.when(ask_refund(another, usd(1))).refuses(nothing.clone());
    // The processor gave back more than we know of: there is nothing left, not less than nothing.
    done.done([report_refund("re_2", None, usd(4000))]).when(ask_refund(another, usd(1))).refuses(nothing);
}

#[test]
fn a_failed_refund_frees_what_it_held() {
    let waiting = settled().done([ask_refund(REFUND, usd(5000))]);
    let fail = |refund| Command::RecordRefundFailed { donation: DONATION, refund, reason: "the card is closed".into() };
    waiting.when(fail(OTHER_REFUND)).refuses(Refusal::UnknownRefund);
    let failed = RefundFailed { donation: DONATION, refund: REFUND, reason: "the card is closed".into() };
    let freed = waiting.when(fail(REFUND)).then([Event::RefundFailed(failed)]);
    freed.when(fail(REFUND)).refuses(Refusal::UnknownRefund);
    freed.when(ask_refund(OTHER_REFUND, usd(5000))).then([refund_requested(OTHER_REFUND, 5000)]);
}

#[test]
fn a_refund_before_its_settlement_waits_for_it() {
    let early = in_flight().when(report_refund("re_1", None, usd(2000))).then([unmatched("re_1", usd(2000))]);
    early.when(report_refund("re_1", None, usd(2000))).changes_nothing();
    assert_eq!(early.state.donations.unmatched_count(), 1);
    assert_eq!(donation(&early).refunded_minor(), 0);
    let paid = early
        .when(settle_as("pi_1", usd(5000), None))
        .then([settled_event("pi_1", None), refunded_event("re_1", None, 2000)]);
    assert_eq!(paid.state.donations.unmatched_count(), 0);
    assert_eq!(donation(&paid).refunded_minor(), 2000);
    paid.when(report_refund("re_1", None, usd(2000))).changes_nothing();
}

#[test]
fn an_early_refund_in_another_currency_is_never_counted() {
    let euro = Money::new(2000, Currency::EUR);
    let early = in_flight().when(report_refund("re_1", None, euro)).then([unmatched("re_1", euro)]);
    early.when(settle_as("pi_1", usd(5000), None)).then([settled_event("pi_1", None)]);
}

#[test]
fn a_processor_gone_wrong_cannot_fill_the_memory() {
    for mut standing in [settled(), in_flight()] {
        for number in 0..REFUNDS_MAX {
            standing = standing.done([report_refund(&format!("re_{number}"), None, usd(1))]);
        }
        standing.when(report_refund("re_more", None, usd(1))).refuses(Refusal::AmountOutOfRange);
        standing.when(report_refund("re_0", None, usd(1))).changes_nothing();
    }
}

#[test]
fn a_decline_after_the_money_came_changes_nothing_and_money_after_a_decline_counts() {
    settled().when(decline(Some("pi_1"))).changes_nothing();
    let refused = in_flight().done([decline(Some("pi_1"))]);
    let paid = refused.when(settle_as("pi_1", usd(5000), None)).then([settled_event("pi_1", None)]);
    assert_eq!(donation(&paid).decline, None);
    assert_eq!(donation(&paid).settled_minor(), 5000);
}
