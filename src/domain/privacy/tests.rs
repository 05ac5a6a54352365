use super::*;
use crate::domain::attendance;
use crate::domain::donation::{Declined, PaymentNamed, PaymentRequested, RefundRequested, Settled};
use crate::domain::id::{CommitteeId, NoticeId};
use crate::domain::inbox;
use crate::domain::ledger::{Mode, Opened};
use crate::domain::test_kit::*;
use uuid::Uuid;

const FIRST: ErasureId = ErasureId(Uuid::from_u128(0xf1));
const SECOND: ErasureId = ErasureId(Uuid::from_u128(0xf2));
const NOTICE: PersonId = PersonId(Uuid::from_u128(0xca));

fn command(erasure: ErasureId) -> Erase {
    let reason = "asked by letter 17".into();
    Erase { erasure, person: PERSON, reason, notices: vec![], now: at(0), retention_years: 3 }
}

fn erase() -> Command {
    Command::Erase(command(FIRST))
}

fn erased(erasure: ErasureId) -> Erased {
    Erased { erasure, person: PERSON, reason: "asked by letter 17".into(), notices: vec![], closed: vec![] }
}

fn joined() -> attendance::Event {
    attendance::Event::Joined(attendance::Joined { rally: RALLY, person: PERSON, profile: sealed(1), came: None })
}

fn opened_with(mode: Mode) -> super::super::Event {
    ledger::Event::Opened(Opened { mode }).into()
}

fn pledged() -> donation::Event {
    donation::Event::Pledged(pledge())
}

fn asked() -> donation::Event {
    donation::Event::PaymentRequested(PaymentRequested {
        donation: DONATION,
        attempt: 1,
        method: "card".into(),
        customer: None,
        parts: Box::default(),
    })
}

fn settled() -> donation::Event {
    donation::Event::Settled(Settled {
        donation: DONATION,
        rally: RALLY,
        donor: PERSON,
        payment: payment("pi_1"),
        amount: usd(5000),
        fee: None,
        card: None,
    })
}

fn refunded() -> donation::Event {
    donation::Event::Refunded(donation::Refunded {
        donation: DONATION,
        rally: RALLY,
        donor: PERSON,
        payment: payment("pi_1"),
        processor_refund: processor_refund("re_1"),
        refund: None,
        amount: usd(5000),
    })
}

fn added(person: PersonId, role: Role) -> staff::Event {
    staff::Event::Added(staff::Added { staff: person, role, account: sealed(1) })
}

#[test]
fn only_somebody_known_is_erased_and_for_a_reason_that_can_stay() {
    given([created()]).when(erase()).refuses(Refusal::Unknown);
    let known = given([created()]).and([joined()]);
    known.when(erase()).then([Event::Erased(erased(FIRST))]);
    let because = |reason: &str| Command::Erase(Erase { reason: reason.into(), ..command(FIRST) });
    for reason in ["", "  ", &"x".repeat(REASON_CHARS_MAX + 1), "two\nlines"] {
        known.when(because(reason)).refuses(Refusal::ReasonLength);
    }
    known.when(because("asked by ann@example.org")).refuses(Refusal::ReasonNamesSomebody);
}

#[test]
fn who_was_erased_has_not_joined_and_may_come_back_and_be_erased_again() {
    let gone = given([created()]).and([joined()]).when(erase()).then([Event::Erased(erased(FIRST))]);
    assert!(!gone.state.attendance.has_joined(RALLY, PERSON));
    gone.when(Command::Erase(command(SECOND))).changes_nothing();
    let back = gone.when(attendance::Command::Join {
        rally: RALLY,
        person: PERSON,
        profile: sealed(1),
        came: None,
        agrees_to: None,
    });
    let back = back.then([joined()]);
    assert!(back.state.privacy.erasure(PERSON).unwrap().came_back);
    let again = back.when(Command::Erase(command(SECOND))).then([Event::Erased(erased(SECOND))]);
    assert_eq!(again.state.privacy.erasures().collect::<Vec<_>>(), [(PERSON, SECOND)]);
}

#[test]
fn real_money_keeps_its_giver_for_the_legal_period_also_when_it_was_given_back() {
    let on = |day: &str, retention_years| {
        let now = format!("{day}T12:00:00Z").parse().unwrap();
        Command::Erase(Erase { now, retention_years, ..command(FIRST) })
    };
    let gave = |mode| given([opened_with(mode), created()]).and([pledged(), asked(), settled()]);
    let kept = |until: &str| Refusal::Kept { given: "2026-09-23".parse().unwrap(), until: until.parse().unwrap() };
    let live = gave(Mode::Live);
    live.when(on("2026-09-24", 3)).refuses(kept("2030-12-31"));
    live.when(on("2030-12-31", 3)).refuses(kept("2030-12-31"));
    live.when(on("2031-01-01", 3)).then([Event::Erased(erased(FIRST))]);
    live.when(on("2032-12-31", 5)).refuses(kept("2032-12-31"));
    live.when(on("2028-01-01", 0)).then([Event::Erased(erased(FIRST))]);
    live.and([refunded()]).when(on("2030-12-31", 3)).refuses(kept("2030-12-31"));
    for mode in [Mode::Simulated, Mode::Test] {
        gave(mode).when(on("2026-09-24", 3)).then([Event::Erased(erased(FIRST))]);
    }
    let message = kept("2030-12-31").to_string();
    assert!(message.contains("2026-09-23") && message.contains("2030-12-31"), "{message}");
}

#[test]
fn nobody_is_erased_while_their_money_is_under_way() {
    let under_way = || Refusal::UnderWay { donation: DONATION };
    let pledge = given([created()]).and([pledged()]);
    let waits = pledge.clone().and([asked()]);
    waits.when(erase()).refuses(under_way());
    let named = PaymentNamed { donation: DONATION, payment: payment("pi_1") };
    waits.clone().and([donation::Event::Processing(named)]).when(erase()).refuses(under_way());
    let paid = waits.clone().and([settled()]);
    let refund = RefundRequested { donation: DONATION, refund: REFUND, payment: payment("pi_1"), amount: usd(100) };
    paid.clone().and([donation::Event::RefundRequested(refund)]).when(erase()).refuses(under_way());
    paid.when(erase()).then([Event::Erased(erased(FIRST))]);
    let declined =
        Declined { donation: DONATION, payment: None, code: "expired_card".into(), reason: "It has expired.".into() };
    let open = waits.and([donation::Event::Declined(declined)]);
    let closed = Event::Erased(Erased { closed: vec![DONATION], ..erased(FIRST) });
    let gone = open.when(erase()).then([closed]);
    let pay = donation::Command::RequestPayment { donation: DONATION, method: "card".into() };
    gone.when(pay).refuses(donation::Refusal::Erased);
}

#[test]
fn notices_about_them_go_too_once_they_are_read() {
    let about = || Command::Erase(Erase { notices: vec![NOTICE], ..command(SECOND) });
    let notice = NoticeId("evt_1".into());
    let received = inbox::Received {
        committee: CommitteeId::FIRST,
        notice: notice.clone(),
        what: "x".into(),
        sealed_for: NOTICE,
        body: sealed(1),
    };
    let known = given([created()]).and([joined()]);
    let waits = known.clone().and([inbox::Event::Received(received)]);
    waits.when(about()).refuses(Refusal::NoticeWaits);
    let read = waits.and([inbox::Event::Interpreted(inbox::Interpreted { notice, outcome: "recorded".into() })]);
    let late = read.and([Event::Erased(erased(FIRST))]);
    let all = Erased { notices: vec![NOTICE], ..erased(SECOND) };
    let gone = late.when(about()).then([Event::Erased(all)]);
    assert_eq!(gone.state.privacy.erasure(NOTICE).unwrap().id, SECOND);
    gone.when(Command::Erase(Erase { notices: vec![NOTICE], ..command(FIRST) })).changes_nothing();
    let many: Vec<_> = (0x1000_u128..).take(NAMED_MAX + 1).map(|n| PersonId(Uuid::from_u128(n))).collect();
    let list = |notices: &[PersonId]| Event::Erased(Erased { notices: notices.to_vec(), ..erased(FIRST) });
    let command = Command::Erase(Erase { notices: many.clone(), ..command(FIRST) });
    known.when(command).then([list(&many[..NAMED_MAX]), list(&many[NAMED_MAX..])]);
}

#[test]
fn the_last_owner_stays_and_an_erased_account_has_no_sessions() {
    let one = given([added(PERSON, Role::Owner), added(OTHER_PERSON, Role::Host)]);
    one.when(erase()).refuses(Refusal::LastOwner);
    let two = given([added(PERSON, Role::Owner), added(OTHER_PERSON, Role::Owner)]);
    let gone = two.when(erase()).then([Event::Erased(erased(FIRST))]);
    assert!(!gone.state.staff.contains_key(&PERSON));
    let back = gone.and([added(PERSON, Role::Host)]);
    assert_eq!(back.state.staff.get(&PERSON).unwrap().revoked_before, Some(at(2)));
}

#[test]
fn what_was_disclosed_is_kept_with_who_and_why() {
    let disclosed =
        |who: &str, reason: &str| Disclosed { from_seq: 3, to_seq: Some(5), who: who.into(), reason: reason.into() };
    let show = |who: &str, reason: &str| Command::Disclose(disclosed(who, reason));
    given_nothing().when(show("shell:ana", "audit 4")).then([Event::Disclosed(disclosed("shell:ana", "audit 4"))]);
    given_nothing().when(show("shell:ana", " ")).refuses(Refusal::ReasonLength);
    let long = "x".repeat(500);
    let cut = disclosed(&long[..WHO_CHARS_MAX], "audit 4");
    given_nothing().when(show(&long, "audit 4")).then([Event::Disclosed(cut)]);
}

/// A page that is reloaded is one look; another page, another part or another person is another, and so is a file.
#[test]
fn a_page_that_is_seen_again_within_minutes_is_one_look() {
    let access = |who: &str, what: &str, of: &str| Access {
        who: who.into(),
        what: what.into(),
        of: of.into(),
        reason: String::new(),
    };
    let ledger = access("staff:1", "ledger", "rally=call");
    let view = |access: &Access, second| Command::View { access: access.clone(), now: at(second) };
    // It was told of at the first second.
    let once = given_nothing().when(view(&ledger, 0)).then([Event::Viewed(ledger.clone())]);
    once.when(view(&ledger, 599)).changes_nothing();
    once.when(view(&ledger, 600)).then([Event::Viewed(ledger.clone())]);
    for other in [
        access("staff:2", "ledger", "rally=call"),
        access("staff:1", "rows", "rally=call"),
        access("staff:1", "ledger", ""),
    ] {
        once.when(view(&other, 1)).then([Event::Viewed(other.clone())]);
    }
    let taken = once.when(Command::Export(ledger.clone())).then([Event::Exported(ledger.clone())]);
    taken.when(Command::Export(ledger.clone())).then([Event::Exported(ledger.clone())]);
    // However many there are, they are bounded; then some are told of once more.
    let many = (0..5_000).map(|number| Event::Viewed(access("staff:1", "rows", &number.to_string())));
    let full = given(many.collect::<Vec<_>>());
    let last = access("staff:1", "rows", "4999");
    full.when(view(&last, 5_001)).changes_nothing();
}
