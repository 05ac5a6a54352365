//! The ledger: one row for each settled donation and each refund, in the order they happened.

use super::totals::{Sums, day_of};
use crate::domain::hash::HashMap;
use crate::domain::id::{DonationId, PaymentId, PersonId, RallyId};
use crate::domain::money::Money;
use crate::domain::{Event, Recorded, State, donation};
use chrono::serde::ts_microseconds;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Money received.
    Donation,
    /// Money given back.
    Refund,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The event it comes from.
    pub seq: u64,
    /// When it happened.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
    /// The same as a day, in the time zone that the rally had then.
    pub day: NaiveDate,
    /// Received or given back.
    pub kind: Kind,
    /// Which donation.
    pub donation: DonationId,
    /// Where it was given.
    pub rally: RallyId,
    /// Who gave.
    pub donor: PersonId,
    /// The processor's payment.
    pub payment: PaymentId,
    /// The processor's id of the refund, on a refund's row.
    pub processor_refund: Option<Box<str>>,
    /// The sum, negative on a refund's row.
    pub amount: Money,
    /// The processor's fee, where it is known.
    pub fee: Option<Fee>,
    /// "visa 4242", where it is known.
    pub card: Option<Box<str>>,
}

/// A fee, and since when it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fee {
    /// What the processor kept.
    pub amount: Money,
    /// The event that told of it.
    pub seq: u64,
}

impl Row {
    /// The fee as it was known at an event.
    pub fn fee_at(&self, seq: u64) -> Option<Money> {
        self.fee.filter(|fee| fee.seq <= seq).map(|fee| fee.amount)
    }
}

/// What the donor said in pledging.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pledge {
    /// The event: the sealed [`crate::domain::profile::Contact`] is read from the log there.
    pub seq: u64,
    /// When the form was sent.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
    /// From the link that led here.
    pub refcode: Option<Box<str>>,
    /// How much of it is there to cover the fee.
    pub covers_fee: Option<Money>,
    /// Places of its payments among the rows.
    payments: Vec<usize>,
}

/// A donation with a call to the processor whose outcome is not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Which donation.
    pub donation: DonationId,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// Every row, and the pledges behind them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// In the order of the log.
    pub rows: Vec<Row>,
    unfinished: BTreeMap<DonationId, DateTime<Utc>>,
    pledges: HashMap<DonationId, Pledge>,
}

impl Ledger {
    /// What the donor said in pledging.
    pub fn pledge(&self, donation: DonationId) -> Option<&Pledge> {
        self.pledges.get(&donation)
    }

    /// The row of a donation's last payment.
    pub fn settled(&self, donation: DonationId) -> Option<&Row> {
        self.rows.get(*self.pledges.get(&donation)?.payments.last()?)
    }

    /// The row of a payment: its card and fee.
    pub fn payment(&self, donation: DonationId, payment: &PaymentId) -> Option<&Row> {
        self.rows.get(self.place(donation, payment)?)
    }

    fn place(&self, donation: DonationId, payment: &PaymentId) -> Option<usize> {
        let places = &self.pledges.get(&donation)?.payments;
        places.iter().copied().find(|place| self.rows.get(*place).is_some_and(|row| &row.payment == payment))
    }

    /// The rows as they were at an event; a later refund is not among them, and of a row a later fee does not count, see
    /// [`Row::fee_at`].
    pub fn rows_at(&self, seq: u64) -> &[Row] {
        let end = self.rows.partition_point(|row| row.seq <= seq);
        self.rows.get(..end).unwrap_or_default()
    }

    /// The sums by rally and by day as they were at an event: one pass over the rows before it, a millisecond for each
    /// hundred thousand.
    pub fn sums_at(&self, seq: u64) -> BTreeMap<(RallyId, NaiveDate), Sums> {
        let mut sums: BTreeMap<(RallyId, NaiveDate), Sums> = BTreeMap::new();
        let rows = self.rows_at(seq);
        // Most neighbours are of the same rally and day.
        for rows in rows.chunk_by(|one, next| (one.rally, one.day) == (next.rally, next.day)) {
            let Some(first) = rows.first() else { continue };
            let sums = sums.entry((first.rally, first.day)).or_default();
            for row in rows {
                match row.kind {
                    Kind::Donation => sums.settled(row.amount.minor, row.fee_at(seq).map(|fee| fee.minor)),
                    Kind::Refund => sums.refunded(row.amount.minor.saturating_neg()),
                }
            }
        }
        sums
    }

    /// Donations with a call to the processor whose outcome is not recorded.
    pub fn unfinished(&self) -> impl Iterator<Item = Unfinished> {
        self.unfinished.iter().map(|(donation, since)| Unfinished { donation: *donation, since: *since })
    }

    fn keep_unfinished(&mut self, donation: DonationId, at: DateTime<Utc>, state: &State) {
        let known = state.donations.get(donation);
        if known.is_some_and(|known| known.in_flight.is_some() || known.waiting_refunds().next().is_some()) {
            self.unfinished.entry(donation).or_insert(at);
        } else {
            self.unfinished.remove(&donation);
        }
    }

    pub(super) fn apply(&mut self, recorded: &Recorded, state: &State) {
        let Event::Donation(event) = &recorded.event else { return };
        if let Some(donation) = event.donation() {
            self.keep_unfinished(donation, recorded.at, state);
        }
        let (seq, at) = (recorded.seq, recorded.at);
        match event {
            donation::Event::Pledged(pledged) => {
                let refcode = pledged.refcode.as_deref().map(Into::into);
                let covers_fee = pledged.covers_fee;
                self.pledges.insert(pledged.donation, Pledge { seq, at, refcode, covers_fee, payments: vec![] });
            }
            donation::Event::Settled(settled) => {
                if let Some(pledge) = self.pledges.get_mut(&settled.donation) {
                    pledge.payments.push(self.rows.len());
                }
                self.rows.push(Row {
                    seq,
                    at,
                    day: day_of(state, settled.rally, at),
                    kind: Kind::Donation,
                    donation: settled.donation,
                    rally: settled.rally,
                    donor: settled.donor,
                    payment: settled.payment.clone(),
                    processor_refund: None,
                    amount: settled.amount,
                    fee: settled.fee.map(|amount| Fee { amount, seq }),
                    card: settled.card.as_ref().map(|card| format!("{} {}", card.brand, card.last4).into()),
                });
            }
            donation::Event::FeeRecorded(recorded) => {
                let place = self.place(recorded.donation, &recorded.payment);
                if let Some(row) = place.and_then(|place| self.rows.get_mut(place)) {
                    row.fee = Some(Fee { amount: recorded.fee, seq });
                }
            }
            donation::Event::Refunded(refunded) => {
                let amount = Money::new(refunded.amount.minor.saturating_neg(), refunded.amount.currency);
                let card = self.payment(refunded.donation, &refunded.payment).and_then(|row| row.card.clone());
                self.rows.push(Row {
                    seq,
                    at,
                    day: day_of(state, refunded.rally, at),
                    kind: Kind::Refund,
                    donation: refunded.donation,
                    rally: refunded.rally,
                    donor: refunded.donor,
                    payment: refunded.payment.clone(),
                    processor_refund: Some(refunded.processor_refund.0.as_str().into()),
                    amount,
                    fee: None,
                    card,
                });
            }
            donation::Event::PaymentRequested(_)
            | donation::Event::ActionRequired(_)
            | donation::Event::Processing(_)
            | donation::Event::Declined(_)
            | donation::Event::RefundRequested(_)
            | donation::Event::RefundUnmatched(_)
            | donation::Event::RefundFailed(_) => {}
        }
    }
}
