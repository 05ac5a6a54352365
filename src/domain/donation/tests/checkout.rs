//! Paying on the processor's own page: what the attempt waits for, what ends it, and what does not.

use super::*;
use crate::domain::committee::{self, Limit, Rules};
use crate::domain::id::CommitteeId;

fn page(name: &str) -> CheckoutId {
    CheckoutId(name.into())
}

fn opened(attempt: u32, name: &str) -> CheckoutOpened {
    CheckoutOpened { donation: DONATION, attempt, checkout: page(name) }
}

fn open(attempt: u32, name: &str) -> Command {
    Command::RecordCheckoutOpened { donation: DONATION, attempt, checkout: page(name) }
}

fn closed(attempt: u32, name: Option<&str>) -> CheckoutClosed {
    let (code, reason) = ("checkout_expired".into(), Some("It has closed.".into()));
    CheckoutClosed { donation: DONATION, attempt, checkout: name.map(page), code, reason }
}

fn close(attempt: u32, name: Option<&str>) -> Command {
    Command::RecordCheckoutClosed(closed(attempt, name))
}

/// Asked for, and not heard of.
fn unheard() -> Given {
    pledged().done([request(CHECKOUT)])
}

fn at_checkout() -> Given {
    unheard().when(open(1, "cs_1")).then([Event::CheckoutOpened(opened(1, "cs_1"))])
}

#[test]
fn a_page_is_opened_once_and_paid_under_the_payments_own_name() {
    unheard().when(request("tok_1")).refuses(Refusal::InFlight);
    let waiting = at_checkout();
    waiting.when(open(1, "cs_1")).changes_nothing();
    waiting.when(open(2, "cs_2")).changes_nothing();
    assert!(donation(&waiting).in_flight.as_ref().unwrap().waits_for_donor);
    let paid = waiting.when(settle_as("pi_1", usd(5000), None)).then([settled_event("pi_1", None)]);
    assert!(!donation(&paid).is_under_way());
    assert_eq!(donation(&paid).payments().collect::<Vec<_>>(), [&payment("pi_1")]);
    for late in [open(1, "cs_1"), close(1, Some("cs_1")), settle_as("pi_1", usd(5000), None), decline(Some("pi_1"))] {
        paid.when(late).changes_nothing();
    }
}

#[test]
fn a_card_refused_on_the_page_leaves_it_open() {
    for waiting in [unheard(), at_checkout()] {
        let refused = waiting.when(decline(Some("pi_1"))).then([declined(Some("pi_1"))]);
        assert!(donation(&refused).in_flight.is_some(), "another card may be tried there");
        let paid = refused.done([settle_as("pi_1", usd(5000), None)]);
        assert_eq!(donation(&paid).settled_minor(), 5000);
    }
}

#[test]
fn a_page_that_closes_frees_the_donation_and_no_other_attempt() {
    let free = at_checkout().when(close(1, Some("cs_1"))).then([Event::CheckoutClosed(closed(1, Some("cs_1")))]);
    assert_eq!(donation(&free).decline.as_ref().unwrap().code, "checkout_expired");
    free.when(close(1, Some("cs_1"))).changes_nothing();
    let again = free.when(request("tok_1")).then([requested(2)]);
    // The first page's end is told once more, or late.
    again.when(close(1, Some("cs_1"))).changes_nothing();
    let second = free.done([request(CHECKOUT)]);
    second.when(close(1, Some("cs_1"))).changes_nothing();
    let second = second.done([open(2, "cs_2")]);
    second.when(close(2, Some("cs_1"))).changes_nothing();
    second.when(open(1, "cs_1")).changes_nothing();
    // The end is heard of, and the page never was.
    unheard().when(close(1, Some("cs_1"))).then([Event::CheckoutClosed(closed(1, Some("cs_1")))]);
}

#[test]
fn a_page_that_has_a_name_is_not_given_up_as_unheard_of() {
    at_checkout().when(close(1, None)).changes_nothing();
    let free = unheard().when(close(1, None)).then([Event::CheckoutClosed(closed(1, None))]);
    free.when(open(1, "cs_1")).changes_nothing();
}

#[test]
fn a_debit_on_the_page_is_waited_for_and_ends_by_its_own_refusal() {
    let waits = at_checkout().when(processing("pi_1")).then([Event::Processing(named("pi_1"))]);
    waits.when(close(1, Some("cs_1"))).changes_nothing();
    waits.when(request("tok_1")).refuses(Refusal::InFlight);
    let refused = waits.done([decline(Some("pi_1"))]);
    assert_eq!(donation(&refused).in_flight, None);
    let _ = refused.done([request("tok_1")]);
}

#[test]
fn an_open_page_counts_for_a_limit_and_a_closed_one_does_not() {
    let most = Limit {
        name: "primary".into(),
        most: usd(5000),
        from: "2025-01-01".parse().unwrap(),
        until: "2026-12-31".parse().unwrap(),
    };
    let rules = Rules { limits: vec![most], ..Rules::default() };
    let other = DonationId(uuid::Uuid::from_u128(0xd2));
    let limited =
        pledged().done([committee::Command::SetRules { committee: CommitteeId::FIRST, rules: Box::new(rules) }]);
    let limited = limited.and([Event::Pledged(Pledged { donation: other, ..pledge() })]);
    let ask_other = || Command::RequestPayment { donation: other, method: "tok_2".into() };
    let waiting = limited.done([request(CHECKOUT), open(1, "cs_1")]);
    let refusal = |given: &Given| crate::domain::decide(&given.state, ask_other().into()).err();
    assert!(refusal(&waiting).is_some(), "both could be paid");
    let free = waiting.done([close(1, Some("cs_1"))]);
    assert_eq!(refusal(&free), None);
}
