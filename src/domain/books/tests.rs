use super::*;
use crate::domain::test_kit::*;

fn entry(name: &str, minor: i64, fee: i64, ours: bool) -> Entry {
    Entry {
        entry: EntryId(name.into()),
        kind: if ours { Kind::Payment } else { Kind::Other },
        donation: ours.then_some(DONATION),
        payment: ours.then(|| payment("pi_1")),
        reference: None,
        amount: usd(minor),
        fee: usd(fee),
        at: at(0),
        available: None,
    }
}

fn told(standing: Standing) -> PayoutRecorded {
    let (payout, arrival) = (PayoutId("po_1".into()), at(0).date_naive());
    PayoutRecorded {
        committee: CommitteeId::FIRST,
        payout,
        amount: usd(6_000),
        created: at(0),
        arrival,
        standing,
        automatic: true,
    }
}

fn compose(entries: Vec<Entry>, complete: bool) -> Command {
    Command::Compose { payout: PayoutId("po_1".into()), entries, complete }
}

fn composed(entries: Vec<Entry>, complete: bool) -> Event {
    Event::PayoutComposed(PayoutComposed { payout: PayoutId("po_1".into()), entries, complete })
}

#[test]
fn an_entry_is_told_once() {
    let (first, second) = (entry("txn_1", 5_000, 175, true), entry("txn_2", 100, 0, true));
    let list = |entries: &[&Entry]| Command::List { entries: entries.iter().map(|entry| (*entry).clone()).collect() };
    let event = |entry: &Entry| Event::EntriesListed(EntriesListed { entries: vec![entry.clone()] });
    let once = given_nothing().when(list(&[&first])).then([event(&first)]);
    once.when(list(&[&first])).changes_nothing();
    let both = once.when(list(&[&first, &second])).then([event(&second)]);
    assert!(both.state.books.knows(&first.entry) && !both.state.books.is_placed(&first.entry));
    given_nothing().when(Command::List { entries: vec![first; ENTRIES_MAX + 1] }).refuses(Refusal::TooManyEntries);
}

#[test]
fn a_payout_is_recorded_when_it_changes_and_adds_up_what_is_in_it() {
    given_nothing().when(compose(vec![], true)).refuses(Refusal::UnknownPayout);
    let record = |standing| Command::RecordPayout(told(standing));
    let pending =
        given_nothing().when(record(Standing::Pending)).then([Event::PayoutRecorded(told(Standing::Pending))]);
    pending.when(record(Standing::Pending)).changes_nothing();
    let (ours, others) = (entry("txn_1", 5_000, 175, true), entry("txn_2", 1_200, 25, false));
    let part = pending.when(compose(vec![ours.clone()], false)).then([composed(vec![ours.clone()], false)]);
    part.when(compose(vec![ours.clone()], false)).changes_nothing();
    assert!(!part.state.books.payout(&PayoutId("po_1".into())).unwrap().complete);
    // What a crash left half told is told to its end, and nothing of it twice.
    let whole =
        part.when(compose(vec![ours.clone(), others.clone()], true)).then([composed(vec![others.clone()], true)]);
    whole.when(compose(vec![ours, others], true)).changes_nothing();
    let paid = whole.when(record(Standing::Paid)).then([Event::PayoutRecorded(told(Standing::Paid))]);
    let payout = paid.state.books.payout(&PayoutId("po_1".into())).unwrap();
    assert_eq!((payout.entries, payout.ours, payout.net_minor, payout.ours_minor), (2, 1, 6_000, 4_825));
    assert!(payout.agrees() && payout.standing == Standing::Paid);
    assert_eq!(paid.state.books.name(0), Some(&PayoutId("po_1".into())));
}

#[test]
fn the_books_were_read_until_the_latest_reading() {
    let read = |until| Read { committee: CommitteeId(1), since: at(0), until, listed: 3, taken: 1 };
    let once = given_nothing().when(Command::RecordRead(read(at(60)))).then([Event::Read(read(at(60)))]);
    assert_eq!(once.state.books.read_until(CommitteeId(1)), Some(at(60)));
    assert_eq!(once.state.books.read_until(CommitteeId::FIRST), None);
    once.when(Command::RecordRead(read(at(59)))).changes_nothing();
    once.when(Command::RecordRead(read(at(61)))).then([Event::Read(read(at(61)))]);
}
