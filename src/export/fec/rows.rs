//! The ledger's rows as what a report is made of.

use super::history::{Gathering, Movement};
use super::notice::{Gift, LARGE_MINOR};
use crate::domain::id::{CommitteeId, PersonId};
use crate::domain::money::{Currency, Money};
use crate::projections::Projections;
use crate::projections::ledger::{ContactAt, Kind, Row};
use crate::projections::totals::timezone;
use chrono::NaiveDate;
use std::ops::Range;
use thiserror::Error;

/// Money of another currency, which a report can't have.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "this committee’s ledger holds {}, and the FEC’s reports are in dollars: convert it as your treasurer does, and write it \
     in the filing program",
    .0.code()
)]
pub struct NotDollars(pub Currency);

/// Of a row, what a line says of it besides its sums, and where its contact is.
#[derive(Clone, Debug)]
pub struct Said {
    /// The event of the row.
    pub seq: u64,
    /// The event of the receipt that it is about.
    pub receipt_seq: u64,
    /// The day on which that was given.
    pub given: NaiveDate,
    /// Who gave.
    pub donor: PersonId,
    /// Where their contact is.
    pub contact: ContactAt,
    /// The joint committee, of a part of its gift.
    pub joint: Option<String>,
    /// Whether they were asked for what they left out.
    pub was_asked: bool,
}

/// Gathers what moved of a committee's money in these rows, with fees as they were known at an event.
///
/// # Errors
/// Some of it is not in dollars.
pub fn gather(
    world: &Projections,
    committee: CommitteeId,
    seq: u64,
    rows: Range<usize>,
    into: &mut Gathering,
) -> Result<(), NotDollars> {
    for place in rows {
        let Some(row) = world.ledger.rows.get(place) else { break };
        let Some((amount, is_joint)) = of_committee(row, committee) else { continue };
        if amount.currency != Currency::USD {
            return Err(NotDollars(amount.currency));
        }
        let Some(donation) = world.state.donations.get(row.donation) else { continue };
        let fee = if is_joint { None } else { row.fee_at(seq).filter(|fee| fee.currency == Currency::USD) };
        into.add(Movement {
            place: short(place),
            receipt: short(receipt(world, place, row).0),
            kind: row.kind,
            day: if row.kind == Kind::Donation { donation.day } else { row.day },
            moved: row.day,
            giver: donation.giver(),
            minor: amount.minor,
            fee_minor: fee.map_or(0, |fee| fee.minor),
            is_joint,
        });
    }
    Ok(())
}

/// What of a row is a committee's, and whether that is a part of a joint gift.
fn of_committee(row: &Row, committee: CommitteeId) -> Option<(Money, bool)> {
    if row.committee == committee {
        return Some((row.amount, false));
    }
    let part = row.parts.iter().find(|part| part.committee == committee)?;
    Some((part.amount, true))
}

/// Place and event of the receipt that a row is about.
fn receipt(world: &Projections, place: usize, row: &Row) -> (usize, u64) {
    let rows = &world.ledger.rows;
    let receipt = match row.kind {
        Kind::Donation => None,
        Kind::Refund | Kind::RefundReversed | Kind::Dispute | Kind::DisputeReversed | Kind::Return => {
            world.ledger.payment(row.donation, &row.payment)
        }
    };
    receipt.map_or((place, row.seq), |receipt| (rows.partition_point(|row| row.seq < receipt.seq), receipt.seq))
}

/// What a line says of the row at a place, as of an event.
pub fn said(world: &Projections, committee: CommitteeId, seq: u64, place: u32) -> Option<Said> {
    let place = usize::try_from(place).ok()?;
    let row = world.ledger.rows.get(place)?;
    let contact = world.ledger.pledge(row.donation)?.contact;
    let joint = (row.committee != committee).then(|| world.state.committees.name(row.committee).to_owned());
    let (_, receipt_seq) = receipt(world, place, row);
    let given = world.state.donations.get(row.donation)?.day;
    let was_asked = world.donors.was_asked(row.donor, given, seq);
    Some(Said { seq: row.seq, receipt_seq, given, donor: row.donor, contact, joint, was_asked })
}

/// A gift into a committee's account that is large enough for a notice.
pub fn gift(world: &Projections, committee: CommitteeId, place: usize) -> Option<Gift> {
    let row = world.ledger.rows.get(place)?;
    let is_large = row.amount.minor >= LARGE_MINOR && row.amount.currency == Currency::USD;
    let is_gift = is_large && row.kind == Kind::Donation && row.committee == committee;
    let at = world.ledger.pledge(row.donation).filter(|_| is_gift)?.at;
    let local = at.with_timezone(&timezone(&world.state, row.rally)).naive_local();
    Some(Gift { place: short(place), at, local, minor: row.amount.minor })
}

/// Places are 32 bits wide: four thousand million rows would not fit into any memory that this runs in.
fn short(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
