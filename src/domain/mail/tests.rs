use super::*;
use crate::domain::Event as Any;
use crate::domain::donation::{Command as Give, Event as Gift, PaymentNamed, Pledged, Refunded, Settled};
use crate::domain::id::ErasureId;
use crate::domain::privacy::{Erased, Event as Privacy};
use crate::domain::test_kit::*;
use uuid::Uuid;

fn switched(on: bool) -> Any {
    Event::Switched(Switched { on }).into()
}

fn settled() -> Settled {
    let (donation, rally, donor) = (DONATION, RALLY, PERSON);
    Settled { donation, rally, donor, payment: payment("pi_1"), amount: usd(5000), fee: None, card: None }
}

fn refunded(name: &str, minor: i64) -> Refunded {
    let (donation, rally, donor, payment) = (DONATION, RALLY, PERSON, payment("pi_1"));
    Refunded {
        donation,
        rally,
        donor,
        payment,
        processor_refund: processor_refund(name),
        refund: None,
        amount: usd(minor),
    }
}

fn receipt() -> Requested {
    let (letter, person, donation, payment) = (Kind::Receipt, PERSON, DONATION, payment("pi_1"));
    let mail = MailId::receipt(donation, &payment);
    Requested { mail, letter, person, donation, payment, refund: None, amount: usd(5000) }
}

fn refund_notice(name: &str, minor: i64) -> Requested {
    let (letter, refund) = (Kind::RefundNotice, processor_refund(name));
    let mail = MailId::refund_notice(DONATION, &payment("pi_1"), &refund);
    Requested { mail, letter, refund: Some(refund), amount: usd(minor), ..receipt() }
}

fn erased() -> Any {
    let (reason, notices, closed) = ("asked".into(), vec![], vec![]);
    Privacy::Erased(Erased { erasure: ErasureId(Uuid::from_u128(1)), person: PERSON, reason, notices, closed }).into()
}

fn settle() -> Give {
    Give::RecordSettled { donation: DONATION, payment: payment("pi_1"), amount: usd(5000), fee: None, card: None }
}

fn give_back(name: &str, minor: i64) -> Give {
    let (payment, processor_refund) = (payment("pi_1"), processor_refund(name));
    Give::RecordRefunded { payment, processor_refund, refund: None, amount: usd(minor) }
}

fn pledged() -> Given {
    given([created(), Gift::Pledged(pledge()).into()])
}

fn on() -> Given {
    pledged().and([switched(true)])
}

/// A receipt is waiting.
fn asked() -> Given {
    on().when(settle()).then([Any::from(Gift::Settled(settled())), Event::Requested(receipt()).into()])
}

fn failed(reason: &str) -> Command {
    Command::RecordFailed { mail: receipt().mail, reason: reason.into() }
}

#[test]
fn mail_is_switched_by_servers_and_only_a_change_is_an_event() {
    given_nothing().when(Command::Switch { on: false }).changes_nothing();
    let on = given_nothing().when(Command::Switch { on: true }).then([switched(true)]);
    on.when(Command::Switch { on: true }).changes_nothing();
    on.when(Command::Switch { on: false }).then([switched(false)]);
}

#[test]
fn a_receipt_is_asked_for_once_for_each_settled_payment() {
    let asked = asked();
    let waiting: Vec<_> = asked.state.mail.waiting_from(0).collect();
    assert_eq!(waiting, [(0, &Waiting { requested: receipt(), at: at(4) })]);
    asked.when(settle()).changes_nothing();
    // A fee is news about the same payment.
    let with_fee = Give::RecordSettled {
        donation: DONATION,
        payment: payment("pi_1"),
        amount: usd(5000),
        fee: Some(usd(175)),
        card: None,
    };
    assert!(asked.clone().done([with_fee]).state.mail.waiting_count() == 1);
}

#[test]
fn what_settled_while_no_mail_was_sent_is_never_written_about() {
    let quiet = pledged().when(settle()).then([Gift::Settled(settled())]);
    let later = quiet.and([switched(true)]);
    assert_eq!(later.state.mail.waiting_count(), 0);
    later.when(settle()).changes_nothing();
    // What happens from then on is.
    later.when(give_back("re_1", 5000)).then([
        Any::from(Gift::Refunded(refunded("re_1", 5000))),
        Event::Requested(refund_notice("re_1", 5000)).into(),
    ]);
    let off = asked().and([switched(false)]);
    off.when(give_back("re_1", 100)).then([Gift::Refunded(refunded("re_1", 100))]);
    assert_eq!(off.state.mail.waiting_count(), 1, "what was asked for is still to be sent");
}

#[test]
fn each_refund_has_a_notice_of_its_own() {
    let once = asked().when(give_back("re_1", 1000)).then([
        Any::from(Gift::Refunded(refunded("re_1", 1000))),
        Event::Requested(refund_notice("re_1", 1000)).into(),
    ]);
    once.when(give_back("re_1", 1000)).changes_nothing();
    let twice = once.done([give_back("re_2", 2000)]);
    let ids: Vec<MailId> = twice.state.mail.waiting_from(0).map(|(_, waiting)| waiting.requested.mail).collect();
    assert_eq!(ids, [receipt().mail, refund_notice("re_1", 1000).mail, refund_notice("re_2", 2000).mail]);
    assert_eq!(twice.state.mail.waiting_from(1).count(), 2);
}

#[test]
fn a_refund_that_was_heard_of_first_is_told_after_the_receipt() {
    let named = Gift::Processing(PaymentNamed { donation: DONATION, payment: payment("pi_1") });
    let early = on().and([named]).done([give_back("re_1", 700)]);
    assert_eq!(early.state.mail.waiting_count(), 0);
    early.when(settle()).then([
        Any::from(Gift::Settled(settled())),
        Gift::Refunded(refunded("re_1", 700)).into(),
        Event::Requested(receipt()).into(),
        Event::Requested(refund_notice("re_1", 700)).into(),
    ]);
}

#[test]
fn a_letter_ends_once_as_sent_or_as_failed() {
    let mail = receipt().mail;
    on().when(Command::RecordSent { mail }).refuses(Refusal::Unknown);
    on().when(failed("gone")).refuses(Refusal::Unknown);
    assert_eq!(on().state.mail.standing(mail), None);
    let asked = asked();
    assert_eq!(asked.state.mail.standing(mail), Some(Standing::Waiting));
    let sent = asked.when(Command::RecordSent { mail }).then([Event::Sent(Sent { mail })]);
    assert_eq!(sent.state.mail.standing(mail), Some(Standing::Sent));
    assert_eq!((sent.state.mail.waiting_count(), sent.state.mail.failures().len()), (0, 0));
    sent.when(Command::RecordSent { mail }).changes_nothing();
    sent.when(failed("gone")).changes_nothing();

    let gone =
        asked.when(failed("no such mailbox")).then([Event::Failed(Failed { mail, reason: "no such mailbox".into() })]);
    let failure = Failure { letter: Kind::Receipt, donation: DONATION, reason: "no such mailbox".into(), at: at(5) };
    assert_eq!(gone.state.mail.standing(mail), Some(Standing::Failed(&failure)));
    assert_eq!((gone.state.mail.waiting_count(), gone.state.mail.failures().collect::<Vec<_>>()), (0, vec![&failure]));
    gone.when(Command::RecordSent { mail }).changes_nothing();
    gone.when(failed("gone")).changes_nothing();
}

#[test]
fn a_reason_is_short_and_names_nobody() {
    let long = "x".repeat(REASON_CHARS_MAX);
    asked().when(failed(&long)).then([Event::Failed(Failed { mail: receipt().mail, reason: long.clone() })]);
    for bad in ["", " ", "<joan@example.org> is unknown", "two\nlines", &format!("{long}x")] {
        asked().when(failed(bad)).refuses(Refusal::Reason);
    }
}

#[test]
fn nobody_who_was_erased_is_written_to() {
    let forgotten = asked().and([erased()]);
    assert_eq!(forgotten.state.mail.waiting_count(), 0);
    assert_eq!(forgotten.state.mail.standing(receipt().mail), None);
    forgotten.when(Command::RecordSent { mail: receipt().mail }).refuses(Refusal::Unknown);
    // Money that moves afterwards is told to nobody,
    forgotten.when(give_back("re_1", 500)).then([Gift::Refunded(refunded("re_1", 500))]);
    // until they come back.
    let back = Pledged { donation: NO_DONATION, ..pledge() };
    let back = forgotten.and([Gift::Pledged(back)]);
    assert!(back.state.privacy.erasure(PERSON).is_some_and(|erasure| erasure.came_back));
    assert_eq!(back.done([give_back("re_1", 500)]).state.mail.waiting_count(), 1);
    // Somebody else's letter is not touched.
    let other = Requested { person: OTHER_PERSON, ..receipt() };
    assert_eq!(on().and([Event::Requested(other).into(), erased()]).state.mail.waiting_count(), 1);
}

#[test]
fn ids_tell_letters_apart_and_are_the_same_for_ever() {
    let one = MailId::receipt(DONATION, &payment("pi_1"));
    assert_eq!(one, MailId::receipt(DONATION, &payment("pi_1")));
    let others = [
        MailId::receipt(DONATION, &payment("pi_2")),
        MailId::receipt(NO_DONATION, &payment("pi_1")),
        MailId::refund_notice(DONATION, &payment("pi_1"), &processor_refund("")),
        MailId::refund_notice(DONATION, &payment("pi_1"), &processor_refund("re_1")),
        MailId::refund_notice(DONATION, &payment("pi_"), &processor_refund("1re_1")),
    ];
    assert!(others.iter().all(|other| *other != one));
    assert!(others[3] != others[4]);
    assert_eq!(one.to_string(), "caf1ee6c-2384-875e-8344-817ed1e42e9b");
}
