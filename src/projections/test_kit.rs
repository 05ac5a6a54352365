//! Gifts by their number, and the fold of what happened.

use super::Projections;
use crate::domain::donation::{self, Pledged, Settled};
use crate::domain::id::{DonationId, RallyId, SourceId};
use crate::domain::test_kit::{PERSON, RALLY, at, payment, pledge, usd};
use crate::domain::{Event, Recorded};
use uuid::Uuid;

/// A donation.
pub fn gift(number: u128) -> DonationId {
    DonationId(Uuid::from_u128(0xd000 + number))
}

/// A gift of so many cents is promised to [`RALLY`], while this speaker is on program.
pub fn pledged(number: u128, minor: i64, on_program: Option<SourceId>) -> Event {
    pledged_at(RALLY, number, minor, on_program)
}

/// The same at any rally.
pub fn pledged_at(rally: RallyId, number: u128, minor: i64, on_program: Option<SourceId>) -> Event {
    let pledged = Pledged { donation: gift(number), rally, amount: usd(minor), on_program, ..pledge() };
    Event::Donation(donation::Event::Pledged(pledged))
}

/// It is paid.
pub fn settled(number: u128, minor: i64) -> Event {
    settled_at(RALLY, number, minor)
}

/// The same at any rally.
pub fn settled_at(rally: RallyId, number: u128, minor: i64) -> Event {
    Event::Donation(donation::Event::Settled(Settled {
        donation: gift(number),
        rally,
        donor: PERSON,
        payment: payment(&format!("pi_{number}")),
        amount: usd(minor),
        fee: None,
        card: None,
    }))
}

/// What happened, each with the second of [`at`] in which it did.
pub fn folded(events: impl IntoIterator<Item = (i64, Event)>) -> Projections {
    let mut world = Projections::default();
    for (seq, (second, event)) in (1..).zip(events) {
        world.apply(&Recorded { seq, at: at(second), event });
    }
    world
}
