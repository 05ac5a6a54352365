use super::*;
use crate::domain::audit::{Finding, How, Settled as Noted, What};
use crate::domain::donation::{
    CardCleared, CardFlagged, DisputeClosed, DisputeOpened, DisputeOutcome, Event as Donation, Held, Released,
};
use crate::domain::id::{CardId, DisputeId, MismatchId};
use crate::domain::test_kit::{PERSON, RALLY, at, created, payment, usd};
use crate::projections::test_kit::{folded, gift, pledged, settled};
use uuid::Uuid;

const DAY: i64 = 86_400;

fn found(id: &str) -> Event {
    Event::Audit(audit::Event::Found(Finding {
        mismatch: MismatchId(id.into()),
        what: What::Fee,
        reference: id.into(),
        donation: Some(gift(1)),
        ours: None,
        theirs: None,
        said: None,
    }))
}

fn opened(number: u128, due_by: Option<i64>) -> Event {
    Event::Donation(Donation::DisputeOpened(DisputeOpened {
        donation: gift(number),
        rally: RALLY,
        donor: PERSON,
        payment: payment(&format!("pi_{number}")),
        dispute: DisputeId(format!("dp_{number}")),
        amount: usd(5_000),
        reason: "fraudulent".into(),
        due_by: due_by.map(at),
    }))
}

fn closed(number: u128) -> Event {
    Event::Donation(Donation::DisputeClosed(DisputeClosed {
        donation: gift(number),
        payment: payment(&format!("pi_{number}")),
        dispute: DisputeId(format!("dp_{number}")),
        outcome: DisputeOutcome::Won,
    }))
}

fn flagged(number: u128) -> Event {
    let card = CardId(Uuid::from_u128(7));
    Event::Donation(Donation::CardFlagged(CardFlagged { donation: gift(number), card, donors: 6, declines: 1 }))
}

/// One of each kind, in an order that is none of theirs.
fn evening() -> Vec<(i64, Event)> {
    vec![
        (0, created()),
        (1, pledged(1, 5_000, None)),
        (2, settled(1, 5_000)),
        (3, pledged(2, 5_000, None)),
        (4, settled(2, 5_000)),
        (5, pledged(3, 500_000, None)),
        (10, found("fee:txn_1")),
        (11, Event::Donation(Donation::Held(Held { donation: gift(3) }))),
        (12, opened(2, None)),
        (13, opened(1, Some(5 * DAY))),
        (14, flagged(2)),
    ]
}

fn kinds(world: &Projections) -> Vec<(Kind, Option<DateTime<Utc>>)> {
    waiting(world, vec![]).into_iter().map(|one| (one.item.kind, one.due)).collect()
}

#[test]
fn what_is_due_first_is_first_and_what_has_no_day_is_last() {
    let world = folded(evening());
    assert_eq!(
        kinds(&world),
        [
            (Kind::Held, Some(at(11 + 2 * DAY))),
            (Kind::Dispute, Some(at(5 * DAY))),
            (Kind::Mismatch, Some(at(10 + 7 * DAY))),
            (Kind::Card, Some(at(14 + 30 * DAY))),
            (Kind::Dispute, None),
        ]
    );
    assert_eq!(
        waiting(&world, vec![]).iter().filter_map(|one| one.donation).collect::<Vec<_>>(),
        [3, 1, 1, 2, 2].map(gift)
    );
}

#[test]
fn a_fact_takes_each_off_the_list_and_tells_by_which_event() {
    let facts = [
        Event::Donation(Donation::Released(Released { donation: gift(3), note: None })),
        closed(1),
        Event::Audit(audit::Event::Settled(Noted {
            mismatch: MismatchId("fee:txn_1".into()),
            how: How::Noted,
            note: Some("Seven cents.".into()),
        })),
        Event::Donation(Donation::CardCleared(CardCleared { donation: gift(2), note: "A family.".into() })),
        closed(2),
    ];
    let world = folded(evening().into_iter().chain((20..).zip(facts)));
    assert_eq!(kinds(&world), []);
    let done: Vec<(Kind, u64, bool)> =
        world.finished.since(at(100)).map(|done| (done.item.kind, done.seq, done.is_said)).collect();
    assert_eq!(
        done,
        [
            (Kind::Dispute, 16, false),
            (Kind::Card, 15, false),
            (Kind::Mismatch, 14, false),
            (Kind::Dispute, 13, false),
            (Kind::Held, 12, false),
        ]
    );
    assert_eq!(world.finished.since(at(21 + 90 * DAY)).count(), 4, "what was done longer ago is not shown");
}

#[test]
fn who_says_that_it_is_done_may_take_it_back_and_a_fact_comes_after() {
    let item = Item::of_dispute(gift(1), &DisputeId("dp_1".into()));
    let said = Event::Work(work::Event::Done(work::Done { item: item.clone(), note: "Handed in.".into() }));
    let back = Event::Work(work::Event::Reopened(work::Reopened { item: item.clone() }));
    let done = |events: &[Event]| {
        let world = folded(evening().into_iter().chain((20..).zip(events.iter().cloned())));
        let done: Vec<bool> = world.finished.since(at(100)).map(|done| done.is_said).collect();
        (waiting(&world, vec![]).iter().any(|one| one.item == item), done)
    };
    assert_eq!(done(&[]), (true, vec![]));
    assert_eq!(done(std::slice::from_ref(&said)), (false, vec![true]));
    assert_eq!(done(&[said.clone(), back]), (true, vec![]));
    assert_eq!(done(&[said, closed(1)]), (false, vec![false]));
}

#[test]
fn so_many_are_kept() {
    let many = (0..).take(FINISHED_MAX + 5).flat_map(|n| {
        let id = format!("fee:txn_{n}");
        let settled = Noted { mismatch: MismatchId(id.clone()), how: How::Agrees, note: None };
        [(50, found(&id)), (51, Event::Audit(audit::Event::Settled(settled)))]
    });
    assert_eq!(folded(evening().into_iter().chain(many)).finished.since(at(60)).count(), FINISHED_MAX);
}
