use super::super::{Command, Donation, PaymentRequested, RefundRequested};
use super::*;
use crate::domain::id::RefundId;
use crate::domain::money::Currency;
use crate::domain::test_kit::*;
use chrono::{DateTime, Utc};

fn in_flight() -> Given {
    let requested = PaymentRequested {
        donation: DONATION,
        attempt: 1,
        method: "tok_1".into(),
        customer: None,
        parts: Box::default(),
    };
    given([created()]).and([Event::Pledged(pledge()), Event::PaymentRequested(requested)])
}

fn pays() -> Command {
    let (payment, amount, fee) = (payment("pi_1"), usd(5000), Some(usd(175)));
    Command::RecordSettled { donation: DONATION, payment, amount, fee, card: None }
}

fn settled() -> Given {
    in_flight().done([pays()])
}

fn gift(given: &Given) -> &Donation {
    given.state.donations.get(DONATION).unwrap()
}

fn done(name: &str, refund: Option<RefundId>, minor: i64) -> Command {
    let (payment, processor_refund) = (payment("pi_1"), processor_refund(name));
    Command::RecordRefunded { payment, processor_refund, refund, amount: usd(minor) }
}

fn failure(name: &str, refund: Option<RefundId>) -> RefundFailureNews {
    let (payment, processor_refund) = (payment("pi_1"), processor_refund(name));
    RefundFailureNews { payment, processor_refund, refund, code: "lost_or_stolen_card".into() }
}

fn fails(name: &str, refund: Option<RefundId>) -> Command {
    Command::RecordRefundFailure(failure(name, refund))
}

fn reversed(name: &str, refund: Option<RefundId>, minor: i64) -> Event {
    Event::RefundReversed(RefundReversed {
        donation: DONATION,
        rally: RALLY,
        donor: PERSON,
        payment: payment("pi_1"),
        processor_refund: processor_refund(name),
        refund,
        amount: usd(minor),
        code: "lost_or_stolen_card".into(),
    })
}

fn due(second: i64) -> Option<DateTime<Utc>> {
    Some(at(second))
}

fn dispute() -> DisputeNews {
    DisputeNews {
        payment: payment("pi_1"),
        dispute: DisputeId("dp_1".into()),
        amount: usd(5000),
        reason: "fraudulent".into(),
        due_by: due(900),
        withdrawn: false,
        withdrawal_fee: None,
        reinstated: false,
        reinstatement_fee: None,
        closed: None,
    }
}

fn moved() -> DisputeMoved {
    let (payment, dispute, amount) = (payment("pi_1"), DisputeId("dp_1".into()), usd(5000));
    DisputeMoved { donation: DONATION, rally: RALLY, donor: PERSON, payment, dispute, amount }
}

fn opened() -> Event {
    let DisputeMoved { donation, rally, donor, payment, dispute, amount } = moved();
    let (reason, due_by) = ("fraudulent".into(), due(900));
    Event::DisputeOpened(DisputeOpened { donation, rally, donor, payment, dispute, amount, reason, due_by })
}

fn cost(of: Movement, minor: i64) -> Event {
    let name = (of != Movement::Return).then(|| "dp_1".to_owned());
    let payment = payment("pi_1");
    Event::CostRecorded(CostRecorded { donation: DONATION, rally: RALLY, payment, of, name, fee: usd(minor) })
}

fn closed(outcome: DisputeOutcome) -> Event {
    let DisputeMoved { donation, payment, dispute, .. } = moved();
    Event::DisputeClosed(DisputeClosed { donation, payment, dispute, outcome })
}

fn hears(news: DisputeNews) -> Command {
    Command::RecordDispute(news)
}

#[test]
fn a_refund_that_fails_after_it_was_done_is_booked_back_once() {
    let refunded = settled().done([done("re_1", None, 2000)]);
    assert_eq!(gift(&refunded).left_minor(), 3000);
    let back = refunded.when(fails("re_1", None)).then([reversed("re_1", None, 2000)]);
    assert_eq!((gift(&back).refunded_minor(), gift(&back).left_minor()), (0, 5000));
    back.when(fails("re_1", None)).changes_nothing();
    back.when(done("re_1", None, 2000)).changes_nothing();
    // Another refund of the same payment is another matter.
    let again = back.done([done("re_2", None, 5000)]);
    assert_eq!(gift(&again).left_minor(), 0);
}

#[test]
fn a_failure_told_first_is_the_same_story() {
    let news = Event::RefundFailureUnmatched(failure("re_1", None));
    let told = settled().when(fails("re_1", None)).then([news]);
    told.when(fails("re_1", None)).changes_nothing();
    assert_eq!(gift(&told).left_minor(), 5000);
    let both = told.done([done("re_1", None, 2000)]);
    assert_eq!(both.state, settled().done([done("re_1", None, 2000), fails("re_1", None)]).state);
    assert_eq!(gift(&both).left_minor(), 5000);
    // And before the payment is known at all.
    let early = in_flight().done([fails("re_1", None), done("re_1", None, 2000), pays()]);
    assert_eq!(early.state, both.state);
    assert_eq!(early.state.donations.unmatched_count(), 0);
}

#[test]
fn a_failure_frees_the_refund_that_was_asked_for() {
    let amount = usd(5000);
    let asked = settled().done([Command::RequestRefund { donation: DONATION, refund: REFUND, amount }]);
    let requested = RefundRequested { donation: DONATION, refund: REFUND, payment: payment("pi_1"), amount };
    assert_eq!(asked.state, settled().and([Event::RefundRequested(requested)]).state);
    let (refund, reason) = (REFUND, "lost_or_stolen_card".into());
    let freed = asked.when(fails("re_1", Some(REFUND))).then([
        Event::RefundFailureUnmatched(failure("re_1", Some(REFUND))),
        Event::RefundFailed(super::super::RefundFailed { donation: DONATION, refund, reason }),
    ]);
    assert_eq!(gift(&freed).waiting_refunds().count(), 0);
    // Done and failed, in either order, and the money can be given back anew.
    for order in [[done("re_1", Some(REFUND), 5000), fails("re_1", Some(REFUND))], {
        [fails("re_1", Some(REFUND)), done("re_1", Some(REFUND), 5000)]
    }] {
        let over = asked.clone().done(order);
        assert_eq!((gift(&over).waiting_refunds().count(), gift(&over).left_minor()), (0, 5000));
        over.done([Command::RequestRefund { donation: DONATION, refund: OTHER_REFUND, amount }]);
    }
}

#[test]
fn a_dispute_takes_money_when_it_is_withdrawn_and_not_before() {
    let asked = settled().when(hears(dispute())).then([opened()]);
    asked.when(hears(dispute())).changes_nothing();
    assert_eq!((gift(&asked).disputed_minor(), gift(&asked).is_under_way()), (0, true));
    let withdrawal = DisputeNews { withdrawn: true, withdrawal_fee: Some(usd(1500)), ..dispute() };
    let taken = asked
        .when(hears(withdrawal.clone()))
        .then([Event::DisputeWithdrawn(moved()), cost(Movement::Withdrawal, 1500)]);
    assert_eq!((gift(&taken).disputed_minor(), gift(&taken).left_minor()), (5000, 0));
    let amount = usd(1);
    let refusal = Refusal::RefundTooLarge(usd(0));
    taken.when(Command::RequestRefund { donation: DONATION, refund: REFUND, amount }).refuses(refusal);
    taken.when(hears(dispute())).changes_nothing();
    taken.when(hears(withdrawal.clone())).changes_nothing();
    let lost = DisputeNews { closed: Some(DisputeOutcome::Lost), ..withdrawal.clone() };
    let over = taken.when(hears(lost)).then([closed(DisputeOutcome::Lost)]);
    assert_eq!((gift(&over).left_minor(), gift(&over).is_under_way()), (0, false));
    let won = DisputeNews {
        reinstated: true,
        reinstatement_fee: Some(usd(-1500)),
        closed: Some(DisputeOutcome::Won),
        ..withdrawal
    };
    let back = taken.when(hears(won)).then([
        Event::DisputeReinstated(moved()),
        cost(Movement::Reinstatement, -1500),
        closed(DisputeOutcome::Won),
    ]);
    assert_eq!((gift(&back).disputed_minor(), gift(&back).left_minor()), (0, 5000));
}

#[test]
fn what_is_told_of_a_dispute_later_counts_whatever_came_first() {
    let fee_later = settled().done([hears(DisputeNews { withdrawn: true, ..dispute() })]);
    let fee = DisputeNews { withdrawn: true, withdrawal_fee: Some(usd(1500)), ..dispute() };
    fee_later.when(hears(fee.clone())).then([cost(Movement::Withdrawal, 1500)]).when(hears(fee)).changes_nothing();
    let euro = DisputeNews { withdrawn: true, withdrawal_fee: Some(Money::new(9, Currency::EUR)), ..dispute() };
    fee_later.when(hears(euro)).changes_nothing();
    let later = DisputeNews { due_by: due(1800), ..dispute() };
    let DisputeMoved { donation, payment, dispute: id, .. } = moved();
    let revised = DisputeRevised { donation, payment, dispute: id, due_by: at(1800) };
    let known = fee_later.when(hears(later)).then([Event::DisputeRevised(revised)]);
    known.when(hears(dispute())).changes_nothing();
    known.when(hears(DisputeNews { due_by: None, ..dispute() })).changes_nothing();
}

#[test]
fn a_dispute_before_its_payment_waits_for_it() {
    let news = DisputeNews { withdrawn: true, withdrawal_fee: Some(usd(1500)), ..dispute() };
    let early = in_flight().when(hears(news.clone())).then([Event::DisputeUnmatched(news.clone())]);
    early.when(hears(dispute())).changes_nothing();
    let paid = early.done([hears(DisputeNews { closed: Some(DisputeOutcome::Lost), ..news.clone() }), pays()]);
    let late = settled().done([hears(dispute()), hears(news.clone())]);
    assert_eq!(paid.state, late.done([hears(DisputeNews { closed: Some(DisputeOutcome::Lost), ..news })]).state);
    assert_eq!(gift(&paid).disputed_minor(), 5000);
}

#[test]
fn a_debit_is_taken_back_once() {
    let news = ReturnNews { payment: payment("pi_1"), amount: usd(5000), code: "insufficient_funds".into(), fee: None };
    let DisputeMoved { donation, rally, donor, payment, amount, .. } = moved();
    let code = "insufficient_funds".into();
    let event = Event::DebitReturned(DebitReturned { donation, rally, donor, payment, amount, code });
    let back = settled().when(Command::RecordReturn(news.clone())).then([event]);
    assert_eq!((gift(&back).returned_minor(), gift(&back).left_minor()), (5000, 0));
    back.when(Command::RecordReturn(news.clone())).changes_nothing();
    let fee = ReturnNews { fee: Some(usd(400)), ..news.clone() };
    let known = back.when(Command::RecordReturn(fee.clone())).then([cost(Movement::Return, 400)]);
    known.when(Command::RecordReturn(fee.clone())).changes_nothing();
    let early = in_flight().done([Command::RecordReturn(fee), Command::RecordReturn(news), pays()]);
    assert_eq!(early.state, known.state);
}

#[test]
fn another_currency_and_sums_nobody_can_mean_are_refused() {
    let euro = Money::new(5000, Currency::EUR);
    for amount in [usd(0), usd(-1), usd(i64::MAX)] {
        settled().when(hears(DisputeNews { amount, ..dispute() })).refuses(Refusal::AmountOutOfRange);
        in_flight().when(hears(DisputeNews { amount, ..dispute() })).refuses(Refusal::AmountOutOfRange);
    }
    settled().when(hears(DisputeNews { amount: euro, ..dispute() })).refuses(Refusal::WrongCurrency);
    let news = ReturnNews { payment: payment("pi_1"), amount: euro, code: "x".into(), fee: None };
    settled().when(Command::RecordReturn(news.clone())).refuses(Refusal::WrongCurrency);
    // Told early, it is dropped once the payment shows that it can't be meant.
    let paid = in_flight().done([Command::RecordReturn(news), pays()]);
    assert_eq!(paid.state, settled().state);
}

#[test]
fn a_processor_gone_wrong_can_not_fill_the_memory() {
    for mut standing in [settled(), in_flight()] {
        for number in 0..DISPUTES_MAX {
            let dispute = DisputeNews { dispute: DisputeId(format!("dp_{number}")), ..dispute() };
            standing = standing.done([hears(dispute)]);
        }
        let more = DisputeNews { dispute: DisputeId("dp_more".into()), ..dispute() };
        standing.when(hears(more)).refuses(Refusal::AmountOutOfRange);
        for number in 0..REFUNDS_MAX {
            standing = standing.done([fails(&format!("re_{number}"), None)]);
        }
        standing.when(fails("re_more", None)).refuses(Refusal::AmountOutOfRange);
        standing.done([done("re_0", None, 1)]);
    }
    let mut strangers = settled();
    for number in 0..super::super::UNMATCHED_MAX {
        let payment = payment(&format!("pi_other_{number}"));
        strangers = strangers.done([hears(DisputeNews { payment, ..dispute() })]);
    }
    let stranger = DisputeNews { payment: payment("pi_more"), ..dispute() };
    strangers.when(hears(stranger)).refuses(Refusal::TooManyUnmatched);
    strangers.done([hears(dispute())]);
}
