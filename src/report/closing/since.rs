//! What came of a closed period's days after it was closed.

use super::Days;
use crate::domain::id::{DonationId, PersonId};
use crate::domain::money::Money;
use crate::domain::period::{Period, Sums};
use crate::projections::Projections;
use crate::projections::donors::Answer;
use crate::projections::ledger::{Kind, Row};
use crate::projections::remedies::Remedy;
use chrono::NaiveDate;
use std::collections::BTreeSet;

/// Changes that are listed; of the rest it is told how many there are.
pub const CHANGES_MAX: usize = 200;

/// Something of the period's days that came later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The event by which it came.
    pub seq: u64,
    /// The day that it counts for.
    pub day: NaiveDate,
    /// Which donation it is about.
    pub donation: DonationId,
    /// What it is.
    pub what: What,
    /// The sum; of a fee, what the processor kept; of an answer there is none.
    pub amount: Option<Money>,
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
    /// The donor told employer or occupation, which a report names.
    Answer,
    /// A part of a gift was moved to another election.
    Redesignated,
    /// A part of a gift was moved to another person.
    Reattributed,
    /// Such a part was moved back.
    Undone,
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
        let line = |seq, what, amount| Change { seq, day: days.day(world, row), donation: row.donation, what, amount };
        let is_own = days.have(world, row);
        match row.fee.filter(|fee| fee.seq > seq && is_own && row.seq <= seq) {
            Some(fee) => lines.push(line(fee.seq, What::Fee, Some(fee.amount))),
            None if row.seq > seq => lines.push(line(row.seq, moved(row, is_own), Some(amount(&days, row)))),
            None => {}
        }
        let gone = world.state.privacy.erasure(row.donor).filter(|erasure| erasure.at > period.at);
        erased.extend(gone.filter(|_| row.seq <= seq).map(|_| row.donor));
        if lines.len() >= CHANGES_MAX.saturating_mul(2) {
            more = more.saturating_add(drop_earliest(&mut lines));
        }
    }
    // Only a report names donors, and tells what was moved.
    if period.closed.report.is_some() {
        lines.extend(answers(world, &days, seq));
        lines.extend(remedies(world, &days, seq));
    }
    more = more.saturating_add(drop_earliest(&mut lines));
    Changes { lines, more, sums: days.sums(world, world.seq), erased: erased.len() }
}

/// The last answers, of donors who gave on these days before the period was closed; one line each.
fn answers(world: &Projections, days: &Days, seq: u64) -> Vec<Change> {
    let change = |(person, answer): (PersonId, Answer)| {
        let rows = world.state.donations.by(person).flat_map(|(id, _)| world.ledger.rows_of(id));
        let is_gift = |row: &&Row| row.kind == Kind::Donation && row.seq <= seq && days.have_part(world, row);
        let gift = rows.filter(is_gift).min_by_key(|row| row.seq)?;
        let (day, donation) = (days.day(world, gift), gift.donation);
        Some(Change { seq: answer.seq, day, donation, what: What::Answer, amount: None })
    };
    world.donors.answered_since(seq).filter_map(change).collect()
}

/// What was moved, or moved back, of what these days' report tells.
fn remedies(world: &Projections, days: &Days, seq: u64) -> Vec<Change> {
    let is_told = |one: &&Remedy| {
        Some(one.committee) == days.committee && (days.from..=days.through).contains(&one.day) && one.told() > seq
    };
    let change = |one: &Remedy| {
        let what = match (one.undone, one.person()) {
            (Some(_), _) => What::Undone,
            (None, Some(_)) => What::Reattributed,
            (None, None) => What::Redesignated,
        };
        let gift = world.state.donations.get(one.donation)?;
        let amount = Some(Money::new(one.minor, gift.amount.currency));
        Some(Change { seq: one.told(), day: one.day, donation: one.donation, what, amount })
    };
    // What was moved and moved back since is as it was.
    let was_known = |one: &&Remedy| one.undone.is_none() || one.seq <= seq;
    world.remedies.all.iter().filter(is_told).filter(was_known).filter_map(change).collect()
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
