use super::*;
use crate::domain::donation::{Command as Gift, RefundRequested, Refusal as GiftRefusal};
use crate::domain::staff::{self, Added};
use crate::domain::test_kit::*;
use crate::domain::work::{Item, Kind};

fn member(person: PersonId, role: Role) -> super::super::Event {
    super::super::Event::Staff(staff::Event::Added(Added { staff: person, role, account: sealed(9) }))
}

/// A gift of 50 dollars was paid, a second sees money, and refunds of more than 20 dollars wait.
fn paid() -> Given {
    let rule = Event::RuleSet(RuleSet { above_major: Some(20), by: PERSON });
    given([created(), opened(), member(PERSON, Role::Owner), member(OTHER_PERSON, Role::Finance), rule.into()]).done([
        Gift::Pledge(pledge()),
        Gift::RequestPayment { donation: DONATION, method: "card".into() },
        Gift::RecordSettled { donation: DONATION, payment: payment("p1"), amount: usd(5_000), fee: None, card: None },
    ])
}

fn proposed(minor: i64) -> Proposed {
    let reason = "asked by letter".into();
    Proposed { donation: DONATION, refund: REFUND, amount: usd(minor), by: PERSON, reason }
}

fn approved(by: PersonId) -> Approved {
    Approved { donation: DONATION, refund: REFUND, by }
}

fn turned_down(by: PersonId) -> TurnedDown {
    TurnedDown { donation: DONATION, refund: REFUND, by, reason: "not theirs".into() }
}

fn requested(refund: RefundId, minor: i64) -> donation::Event {
    let amount = usd(minor);
    donation::Event::RefundRequested(RefundRequested { donation: DONATION, refund, payment: payment("p1"), amount })
}

fn ask(refund: RefundId, minor: i64) -> Gift {
    Gift::RequestRefund { donation: DONATION, refund, amount: usd(minor) }
}

#[test]
fn a_large_refund_takes_two_people() {
    let paid = paid();
    paid.when(ask(REFUND, 2_001)).refuses(GiftRefusal::NeedsSecond);
    let asked = paid.when(Command::Propose(proposed(4_000))).then([Event::Proposed(proposed(4_000))]);
    assert_eq!(asked.state.refunds.of(DONATION).map(|(id, waiting)| (id, waiting.by)), Some((REFUND, PERSON)));
    let work = Item::of_donation(Kind::Refund, DONATION);
    assert!(work.waits(&asked.state) && !work.waits(&paid.state), "it stands on the work list while it waits");
    asked.when(Command::Approve(approved(PERSON))).refuses(Refusal::SamePerson);
    let done = asked
        .when(Command::Approve(approved(OTHER_PERSON)))
        .then::<super::super::Event>([Event::Approved(approved(OTHER_PERSON)).into(), requested(REFUND, 4_000).into()]);
    assert!(!work.waits(&done.state));
    // The second of two approvals comes too late, and so does whoever turns it down meanwhile.
    done.when(Command::Approve(approved(OTHER_PERSON))).refuses(Refusal::Decided);
    done.when(Command::TurnDown(turned_down(OTHER_PERSON))).refuses(Refusal::Decided);
    done.when(ask(REFUND, 4_000)).changes_nothing();
    let kept: State = postcard::from_bytes(&postcard::to_stdvec(&asked.state).unwrap()).unwrap();
    assert_eq!(kept, asked.state);
}

#[test]
fn a_large_refund_can_not_be_made_of_small_ones() {
    let once = paid().when(ask(REFUND, 2_000)).then([requested(REFUND, 2_000)]);
    // It counts while it is under way, and once it is done.
    once.when(ask(OTHER_REFUND, 1)).refuses(GiftRefusal::NeedsSecond);
    let back = Gift::RecordRefunded {
        payment: payment("p1"),
        processor_refund: processor_refund("r1"),
        refund: Some(REFUND),
        amount: usd(2_000),
    };
    once.clone().done([back]).when(ask(OTHER_REFUND, 1)).refuses(GiftRefusal::NeedsSecond);
    // What failed does not.
    let failed = Gift::RecordRefundFailed { donation: DONATION, refund: REFUND, reason: "no".into() };
    once.done([failed]).when(ask(OTHER_REFUND, 1_999)).then([requested(OTHER_REFUND, 1_999)]);
}

#[test]
fn what_is_gone_meanwhile_is_not_approved() {
    let asked = paid().done([Command::Propose(proposed(4_000))]);
    // The processor tells of a refund on its own pages.
    let elsewhere = Gift::RecordRefunded {
        payment: payment("p1"),
        processor_refund: processor_refund("r1"),
        refund: None,
        amount: usd(3_000),
    };
    let left = asked.clone().done([elsewhere]);
    let too_large = GiftRefusal::RefundTooLarge(usd(2_000));
    left.when(Command::Approve(approved(OTHER_PERSON))).refuses(Refusal::Donation(too_large));
    let gone =
        left.when(Command::TurnDown(turned_down(OTHER_PERSON))).then([Event::TurnedDown(turned_down(OTHER_PERSON))]);
    assert_eq!(gone.state.refunds.of(DONATION), None);
    // Whoever asked may take it back.
    asked.when(Command::TurnDown(turned_down(PERSON))).then([Event::TurnedDown(turned_down(PERSON))]);
}

#[test]
fn the_rule_rests_while_nobody_else_could_approve() {
    let alone = given([created(), opened(), member(PERSON, Role::Owner), member(OTHER_PERSON, Role::Host)]);
    assert_eq!(alone.state.refunds.above_major, Some(ABOVE_MAJOR));
    assert!(!has_second(&alone.state));
    assert!(has_second(&paid().state));
    let free = paid().done([Command::SetRule { above_major: None, by: PERSON }]);
    free.when(ask(REFUND, 5_000)).then([requested(REFUND, 5_000)]);
    let pays_one = alone.done([
        Gift::Pledge(pledge()),
        Gift::RequestPayment { donation: DONATION, method: "card".into() },
        Gift::RecordSettled { donation: DONATION, payment: payment("p1"), amount: usd(5_000), fee: None, card: None },
        ask(REFUND, 5_000),
    ]);
    assert_eq!(pays_one.state.donations.get(DONATION).unwrap().waiting_refunds().count(), 1);
}

#[test]
fn each_rule_has_its_refusal() {
    let paid = paid();
    let rule = |above_major, by| Command::SetRule { above_major, by };
    paid.when(rule(Some(5), OTHER_PERSON)).refuses(Refusal::OwnerOnly);
    paid.when(rule(Some(ABOVE_MAJOR_MAX + 1), PERSON)).refuses(Refusal::RuleSum);
    paid.when(rule(Some(20), PERSON)).changes_nothing();
    paid.when(rule(Some(0), PERSON)).then([Event::RuleSet(RuleSet { above_major: Some(0), by: PERSON })]);
    let stranger = Proposed { by: PersonId(uuid::Uuid::from_u128(7)), ..proposed(4_000) };
    paid.when(Command::Propose(stranger)).refuses(Refusal::NotTheirs);
    paid.when(Command::Propose(Proposed { donation: NO_DONATION, ..proposed(4_000) }))
        .refuses(Refusal::UnknownDonation);
    for reason in ["", "ask joan@example.org", "a\nb"] {
        paid.when(Command::Propose(Proposed { reason: reason.into(), ..proposed(4_000) })).refuses(Refusal::Reason);
    }
    let too_large = GiftRefusal::RefundTooLarge(usd(5_000));
    paid.when(Command::Propose(proposed(5_001))).refuses(Refusal::Donation(too_large));
    let asked = paid.done([Command::Propose(proposed(4_000))]);
    asked.when(Command::Propose(Proposed { refund: OTHER_REFUND, ..proposed(10) })).refuses(Refusal::Waits);
    asked
        .when(Command::TurnDown(TurnedDown { reason: String::new(), ..turned_down(OTHER_PERSON) }))
        .refuses(Refusal::Reason);
}
