//! The ledger's rows as what a report is made of.

use super::Moved;
use super::history::{self, Gathering, Movement, Place};
use super::notice::{Gift, LARGE_MINOR};
use crate::domain::id::{CommitteeId, PersonId};
use crate::domain::money::{Currency, Money};
use crate::domain::remedy::{Consent, To};
use crate::projections::Projections;
use crate::projections::ledger::{ContactAt, Kind, Row};
use crate::projections::remedies::Remedy;
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
    /// The day by which its election is known.
    pub counts_on: NaiveDate,
    /// How a part was moved, where one was.
    pub moved: Option<Moved>,
    /// Who gave.
    pub donor: PersonId,
    /// Where their contact is.
    pub contact: Source,
    /// The joint committee, of a part of its gift.
    pub joint: Option<String>,
    /// Whether they were asked for what they left out.
    pub was_asked: bool,
}

/// Where the contact of somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// In a pledge.
    Pledge(ContactAt),
    /// In the event by which a part of a gift was reattributed to them.
    Remedy(u64),
}

impl Source {
    /// The event.
    pub fn seq(self) -> u64 {
        match self {
            Self::Pledge(at) => at.seq,
            Self::Remedy(seq) => seq,
        }
    }
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

/// Gathers what was moved of a committee's gifts to other elections and persons, as of an event.
pub fn gather_remedies(world: &Projections, committee: CommitteeId, seq: u64, into: &mut Gathering) {
    for (place, remedy) in world.remedies.all.iter().enumerate() {
        let is_told = remedy.committee == committee && remedy.counts_at(seq);
        let moved = if is_told { moved(world, committee, place, remedy) } else { None };
        if let Some(moved) = moved {
            into.remedy(moved);
        }
    }
}

fn moved(world: &Projections, committee: CommitteeId, place: usize, remedy: &Remedy) -> Option<history::Moved> {
    let row = first_receipt(world, remedy)?;
    let (whole, is_joint) = of_committee(row, committee)?;
    let gift = world.state.donations.get(remedy.donation)?;
    Some(history::Moved {
        place: short(place),
        receipt: short(world.ledger.rows.partition_point(|other| other.seq < row.seq)),
        given: gift.day,
        day: remedy.day,
        giver: gift.giver(),
        to: remedy.person().unwrap_or_else(|| gift.giver()),
        whole_minor: whole.minor,
        minor: remedy.minor,
        is_joint,
    })
}

/// The row of the gift that was moved: the first, for a second payment of it may settle later.
fn first_receipt<'a>(world: &'a Projections, remedy: &Remedy) -> Option<&'a Row> {
    world.ledger.rows_of(remedy.donation).find(|row| row.kind == Kind::Donation)
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

/// What a line says of what is at a place, as of an event.
pub fn said(world: &Projections, committee: CommitteeId, seq: u64, place: Place) -> Option<Said> {
    match place {
        Place::Row(place) => of_row(world, committee, seq, place),
        Place::From(at) | Place::To(at) => {
            let remedy = world.remedies.all.get(usize::try_from(at).ok()?)?;
            let row = first_receipt(world, remedy)?;
            let place_of_row = short(world.ledger.rows.partition_point(|other| other.seq < row.seq));
            let said = of_row(world, committee, seq, place_of_row)?;
            let moved = Some(match (remedy.to, remedy.consent) {
                (To::Person(_), _) => Moved::Reattributed,
                (To::Day(_), Consent::Written) => Moved::Redesignated,
                (To::Day(_), Consent::Presumed) => Moved::Presumed,
            });
            let said = Said { seq: remedy.seq, moved, ..said };
            Some(match (place, remedy.to) {
                (Place::Row(_) | Place::From(_), _) => said,
                (Place::To(_), To::Day(counts_on)) => Said { counts_on, ..said },
                (Place::To(_), To::Person(giver)) => {
                    let was_asked = world.donors.was_asked(giver.donor, said.given, seq);
                    Said { donor: giver.donor, contact: Source::Remedy(remedy.seq), was_asked, ..said }
                }
            })
        }
    }
}

fn of_row(world: &Projections, committee: CommitteeId, seq: u64, place: u32) -> Option<Said> {
    let place = usize::try_from(place).ok()?;
    let row = world.ledger.rows.get(place)?;
    let contact = Source::Pledge(world.ledger.pledge(row.donation)?.contact);
    let joint = (row.committee != committee).then(|| world.state.committees.name(row.committee).to_owned());
    let (_, receipt_seq) = receipt(world, place, row);
    let given = world.state.donations.get(row.donation)?.day;
    let was_asked = world.donors.was_asked(row.donor, given, seq);
    Some(Said {
        seq: row.seq,
        receipt_seq,
        given,
        counts_on: given,
        moved: None,
        donor: row.donor,
        contact,
        joint,
        was_asked,
    })
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
