use super::*;
use crate::domain::audit::{self, Finding, What};
use crate::domain::donation::{Command as Donation, DisputeNews, DisputeOutcome};
use crate::domain::staff::{self, Role};
use crate::domain::test_kit::*;
use uuid::Uuid;

const ANA: PersonId = PersonId(Uuid::from_u128(0xa0));
const BEN: PersonId = PersonId(Uuid::from_u128(0xb0));
const HOST: PersonId = PersonId(Uuid::from_u128(0xc0));

fn news(closed: Option<DisputeOutcome>) -> DisputeNews {
    DisputeNews {
        payment: payment("pi_1"),
        dispute: DisputeId("dp_1".into()),
        amount: usd(5_000),
        reason: "fraudulent".into(),
        due_by: Some(at(1_000)),
        withdrawn: true,
        withdrawal_fee: None,
        reinstated: false,
        reinstatement_fee: None,
        closed,
    }
}

/// A gift was paid and is disputed; two see money, and one hosts.
fn disputed() -> Given {
    let staff = |(who, role)| staff::Command::Add { staff: who, role, account: sealed(1), first: false };
    let settle = Donation::RecordSettled {
        donation: DONATION,
        payment: payment("pi_1"),
        amount: usd(5_000),
        fee: None,
        card: None,
    };
    given([created()]).done([(ANA, Role::Owner), (BEN, Role::Finance), (HOST, Role::Host)].map(staff)).done([
        Donation::Pledge(pledge()),
        Donation::RequestPayment { donation: DONATION, method: "tok".into() },
        settle,
        Donation::RecordDispute(news(None)),
    ])
}

fn dispute() -> Item {
    Item::of_dispute(DONATION, &DisputeId("dp_1".into()))
}

fn assign(to: Option<PersonId>) -> Command {
    Command::Assign { item: dispute(), to }
}

fn finish(note: &str) -> Command {
    Command::Finish { item: dispute(), note: note.into() }
}

#[test]
fn an_item_is_taken_given_on_and_given_back() {
    let taken = disputed().when(assign(Some(ANA))).then([Event::Assigned(Assigned { item: dispute(), to: Some(ANA) })]);
    taken.when(assign(Some(ANA))).changes_nothing();
    assert_eq!(taken.state.work.standing(&dispute()), Standing { to: Some(ANA), done: false });
    let given = taken.done([assign(Some(BEN))]);
    assert_eq!(given.state.work.standing(&dispute()).to, Some(BEN));
    let back = given.when(assign(None)).then([Event::Assigned(Assigned { item: dispute(), to: None })]);
    assert_eq!(back.state.work, Work::default(), "nothing is left of it");
    for nobody in [HOST, PERSON] {
        back.when(assign(Some(nobody))).refuses(Refusal::NoSuchStaff);
    }
}

#[test]
fn a_person_says_that_it_is_done_and_that_it_is_not() {
    let given = disputed().done([assign(Some(ANA))]);
    for note in ["", " ", "for joan@example.org", &"x".repeat(donation::HOLD_NOTE_CHARS_MAX + 1)] {
        given.when(finish(note)).refuses(Refusal::Note);
    }
    given.when(Command::Reopen { item: dispute() }).refuses(Refusal::NotDone);
    let note = "Evidence handed in on the processor’s pages.";
    let done = given.when(finish(note)).then([Event::Done(Done { item: dispute(), note: note.into() })]);
    assert_eq!(done.state.work.standing(&dispute()), Standing { to: Some(ANA), done: true });
    done.when(finish("again")).changes_nothing();
    let open = done.when(Command::Reopen { item: dispute() }).then([Event::Reopened(Reopened { item: dispute() })]);
    assert!(!open.state.work.standing(&dispute()).done);
}

#[test]
fn what_a_fact_has_done_is_nobodys_any_more() {
    let over = disputed().done([Donation::RecordDispute(news(Some(DisputeOutcome::Won)))]);
    over.when(assign(Some(ANA))).refuses(Refusal::NotWaiting);
    over.when(finish("Handed in.")).refuses(Refusal::NotWaiting);
}

#[test]
fn what_leaves_by_a_fact_is_not_called_done() {
    let finding = Finding {
        mismatch: MismatchId("fee:txn_1".into()),
        what: What::Fee,
        reference: "txn_1".into(),
        donation: None,
        ours: None,
        theirs: None,
        said: None,
    };
    let given = disputed().done([audit::Command::Find(finding)]);
    let item = Item::of_mismatch(&MismatchId("fee:txn_1".into()));
    given.when(Command::Finish { item: item.clone(), note: "Looked up.".into() }).refuses(Refusal::NotSaid);
    let _ = given.done([Command::Assign { item, to: Some(BEN) }]);
}

#[test]
fn nobody_takes_what_there_is_not() {
    let given = disputed();
    for kind in Kind::ALL {
        assert_eq!(Kind::of_word(kind.word()), Some(kind));
        for of in
            ["", "dp_1", &NO_DONATION.to_string(), &DONATION.to_string(), &format!("{DONATION} dp_2"), &"x".repeat(400)]
        {
            let item = Item { kind, of: of.into() };
            given.when(Command::Assign { item, to: Some(ANA) }).refuses(Refusal::NotWaiting);
        }
    }
}

#[test]
fn a_gift_is_taken_in_the_books_of_its_committee_alone() {
    let given = disputed();
    for kind in [Kind::Employer, Kind::Excess] {
        let of = |committee| Item::of_gift(kind, DONATION, CommitteeId(committee));
        let item = of(0);
        let taken = given.clone().done([Command::Assign { item: item.clone(), to: Some(ANA) }]);
        assert_eq!(taken.state.work.taken_of(kind, DONATION), Some(item.clone()));
        assert_eq!(taken.state.work.taken_of(kind, NO_DONATION), None);
        let back = taken.clone().done([Command::Assign { item: item.clone(), to: None }]);
        assert_eq!(back.state.work.taken_of(kind, DONATION), None);
        given.when(Command::Finish { item, note: "Asked.".into() }).refuses(Refusal::NotSaid);
        let otherwise = Item { kind, of: format!("{DONATION} 00").into() };
        for item in [of(1), Item::of_gift(kind, NO_DONATION, CommitteeId::FIRST), otherwise] {
            given.when(Command::Assign { item, to: Some(ANA) }).refuses(Refusal::NotWaiting);
        }
    }
}

/// Items that facts have done make room for others.
#[test]
fn so_many_items_are_somebodys_at_once() {
    let mut full = disputed();
    let gone = |n| Item { kind: Kind::Held, of: format!("gone {n}").into() };
    full.state.work.0 = (0..ITEMS_MAX).map(|n| (gone(n), Standing { to: Some(ANA), done: false })).collect();
    let after = full.done([assign(Some(BEN))]);
    assert_eq!(after.state.work.0.len(), 1);
}
