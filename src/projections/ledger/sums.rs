//! What rows come to.

use super::{Kind, Ledger, Row};
use crate::domain::hash::HashMap;
use crate::domain::id::{CommitteeId, RallyId};
use crate::domain::money::Currency;
use crate::projections::totals::Sums;
use chrono::NaiveDate;
use std::collections::BTreeMap;

impl Ledger {
    /// The sums by rally and by day as they were at an event: one pass over the rows before it, a millisecond for each
    /// hundred thousand. In the account of one committee, where one is named.
    pub fn sums_at(&self, seq: u64, committee: Option<CommitteeId>) -> BTreeMap<(RallyId, NaiveDate), Sums> {
        let mut sums: BTreeMap<(RallyId, NaiveDate), Sums> = BTreeMap::new();
        let rows = self.rows_at(seq);
        // Most neighbours are of the same rally and day.
        for rows in rows.chunk_by(|one, next| (one.rally, one.day) == (next.rally, next.day)) {
            let is_asked = |row: &&Row| committee.is_none_or(|committee| row.committee == committee);
            let mut asked = rows.iter().filter(is_asked).peekable();
            let Some(first) = asked.peek() else { continue };
            let sums = sums.entry((first.rally, first.day)).or_default();
            asked.for_each(|row| add_row(sums, row, seq));
        }
        sums
    }

    /// Money by whatever rows are asked for it as it was at an event, of the rows that are asked for.
    pub fn sums_by<Key: std::hash::Hash + Eq>(
        &self,
        seq: u64,
        is_asked: impl Fn(&Row) -> bool,
        key: impl Fn(&Row) -> Key,
    ) -> HashMap<(Key, Currency), Sums> {
        let mut sums: HashMap<(Key, Currency), Sums> = HashMap::default();
        for row in self.rows_at(seq).iter().filter(|row| is_asked(row)) {
            add_row(sums.entry((key(row), row.amount.currency)).or_default(), row, seq);
        }
        sums
    }

    /// Money by committee as it was at an event, of the rows that are asked for.
    pub fn committees_at(
        &self,
        seq: u64,
        is_asked: impl Fn(&Row) -> bool,
    ) -> BTreeMap<(CommitteeId, Currency), ByCommittee> {
        let mut sums: BTreeMap<(CommitteeId, Currency), ByCommittee> = BTreeMap::new();
        for row in self.rows_at(seq).iter().filter(|row| is_asked(row)) {
            let currency = row.amount.currency;
            add_row(&mut sums.entry((row.committee, currency)).or_default().account, row, seq);
            for part in &row.parts {
                let shared = &mut sums.entry((part.committee, currency)).or_default().shared_minor;
                *shared = shared.saturating_add(part.amount.minor);
            }
        }
        sums
    }
}

/// A committee's money in one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ByCommittee {
    /// What moved in its account.
    pub account: Sums,
    /// What is its own of gifts to joint committees, less what of them went back; it lies in their accounts.
    pub shared_minor: i64,
}

fn add_row(sums: &mut Sums, row: &Row, seq: u64) {
    let (minor, fee) = (row.amount.minor, row.fee_at(seq).map(|fee| fee.minor));
    match row.kind {
        Kind::Donation => sums.settled(minor, fee),
        Kind::Refund => sums.refunded(minor.saturating_neg()),
        Kind::RefundReversed => sums.refund_reversed(minor),
        Kind::Dispute => sums.disputed(minor.saturating_neg()),
        Kind::DisputeReversed => sums.reinstated(minor),
        Kind::Return => sums.returned(minor.saturating_neg()),
    }
    if row.kind != Kind::Donation {
        sums.cost(fee.unwrap_or(0));
    }
}
