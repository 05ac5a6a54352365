//! What came of a closed period's days after it was closed.

use super::Days;
use crate::domain::id::{DonationId, PersonId};
use crate::domain::money::Money;
use crate::domain::period::{Period, Sums};
use crate::projections::Projections;
use crate::projections::ledger::{Kind, Row};
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::BTreeSet;

/// Changes that are listed; of the rest it is told how many there are.
pub const CHANGES_MAX: usize = 200;

/// Something of the period's days that came later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The event by which it came.
    pub seq: u64,
    /// When what it is about happened.
    pub at: DateTime<Utc>,
    /// The day that it counts for.
    pub day: NaiveDate,
    /// Which donation it is about.
    pub donation: DonationId,
    /// What it is.
    pub what: What,
    /// The sum; of a fee, what the processor kept.
    pub amount: Money,
}

/// What came later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Money moved.
    Moved(Kind),
    /// A part of what moved in a joint committee's account.
    Part(Kind),
    /// The fee of what was known became known.
    Fee,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// The latest, the first of them first.
    pub lines: Vec<Change>,
    /// How many there are before those.
    pub more: usize,
    /// What the days come to now.
    pub sums: Vec<Sums>,
    /// Donors in it who were erased since: their names are not known any more.
    pub erased: usize,
}

impl Changes {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.lines.len().saturating_add(self.more).saturating_add(self.erased)
    }
}

/// What came of a period's days since it was closed.
pub fn since(world: &Projections, period: &Period) -> Changes {
    let (days, seq) = (Days::of(&period.closed), period.closed.seq);
    let (mut lines, mut more, mut erased) = (vec![], 0_usize, BTreeSet::<PersonId>::new());
    for row in world.ledger.rows.iter().filter(|row| days.have_part(world, row)) {
        let line = |seq, what, amount| Change {
            seq,
            at: row.at,
            day: days.day(world, row),
            donation: row.donation,
            what,
            amount,
        };
        let is_own = days.have(world, row);
        match row.fee.filter(|fee| fee.seq > seq && is_own && row.seq <= seq) {
            Some(fee) => lines.push(line(fee.seq, What::Fee, fee.amount)),
            None if row.seq > seq => lines.push(line(row.seq, moved(row, is_own), amount(&days, row))),
            None => {}
        }
        let gone = world.state.privacy.erasure(row.donor).filter(|erasure| erasure.at > period.at);
        erased.extend(gone.filter(|_| row.seq <= seq).map(|_| row.donor));
        if lines.len() >= CHANGES_MAX.saturating_mul(2) {
            more = more.saturating_add(drop_earliest(&mut lines));
        }
    }
    more = more.saturating_add(drop_earliest(&mut lines));
    Changes { lines, more, sums: days.sums(world, world.seq), erased: erased.len() }
}

/// Puts them in the log's order and leaves the latest; how many went.
fn drop_earliest(lines: &mut Vec<Change>) -> usize {
    lines.sort_by_key(|line| line.seq);
    let most = lines.len().saturating_sub(CHANGES_MAX);
    lines.drain(..most).count()
}

fn moved(row: &Row, is_own: bool) -> What {
    if is_own { What::Moved(row.kind) } else { What::Part(row.kind) }
}

/// What of a row is the committee's.
fn amount(days: &Days, row: &Row) -> Money {
    let part = row.parts.iter().find(|part| Some(part.committee) == days.committee);
    part.filter(|_| days.committee != Some(row.committee)).map_or(row.amount, |part| part.amount)
}
