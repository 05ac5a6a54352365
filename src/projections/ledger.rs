//! The ledger: one row for each settled donation and each refund, in the order they happened.

use crate::domain::id::{DonationId, PaymentId, PersonId, RallyId};
use crate::domain::money::Money;
use crate::domain::sealed::Sealed;
use crate::domain::{Event, Recorded, State, donation};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashMap};

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Money received.
    Donation,
    /// Money given back.
    Refund,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The event it comes from.
    pub seq: u64,
    /// When it happened.
    pub at: DateTime<Utc>,
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
    pub processor_refund: Option<String>,
    /// The sum, negative on a refund's row.
    pub amount: Money,
    /// The processor's fee, where it is known.
    pub fee: Option<Money>,
    /// "visa 4242", where it is known.
    pub card: Option<String>,
}

/// What the donor said in pledging.
#[derive(Clone, Debug, PartialEq)]
pub struct Pledge {
    /// When the form was sent.
    pub at: DateTime<Utc>,
    /// A sealed [`crate::domain::profile::Contact`].
    pub contact: Sealed,
    /// From the link that led here.
    pub refcode: Option<String>,
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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// In the order of the log.
    pub rows: Vec<Row>,
    unfinished: BTreeMap<DonationId, DateTime<Utc>>,
    pledges: HashMap<DonationId, Pledge>,
    row_of_payment: HashMap<PaymentId, usize>,
}

impl Ledger {
    /// What the donor said in pledging.
    pub fn pledge(&self, donation: DonationId) -> Option<&Pledge> {
        self.pledges.get(&donation)
    }

    /// The card and fee of a payment's row.
    pub fn payment(&self, payment: &PaymentId) -> Option<&Row> {
        self.rows.get(*self.row_of_payment.get(payment)?)
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
        match event {
            donation::Event::Pledged(pledged) => {
                let pledge =
                    Pledge { at: recorded.at, contact: pledged.contact.clone(), refcode: pledged.refcode.clone() };
                self.pledges.insert(pledged.donation, pledge);
            }
            donation::Event::Settled(settled) => {
                self.row_of_payment.insert(settled.payment.clone(), self.rows.len());
                self.rows.push(Row {
                    seq: recorded.seq,
                    at: recorded.at,
                    kind: Kind::Donation,
                    donation: settled.donation,
                    rally: settled.rally,
                    donor: settled.donor,
                    payment: settled.payment.clone(),
                    processor_refund: None,
                    amount: settled.amount,
                    fee: settled.fee,
                    card: settled.card.as_ref().map(|card| format!("{} {}", card.brand, card.last4)),
                });
            }
            donation::Event::FeeRecorded(recorded) => {
                let row = self.row_of_payment.get(&recorded.payment).and_then(|at| self.rows.get_mut(*at));
                if let Some(row) = row {
                    row.fee = Some(recorded.fee);
                }
            }
            donation::Event::Refunded(refunded) => {
                let amount = Money::new(refunded.amount.minor.saturating_neg(), refunded.amount.currency);
                self.rows.push(Row {
                    seq: recorded.seq,
                    at: recorded.at,
                    kind: Kind::Refund,
                    donation: refunded.donation,
                    rally: refunded.rally,
                    donor: refunded.donor,
                    payment: refunded.payment.clone(),
                    processor_refund: Some(refunded.processor_refund.0.clone()),
                    amount,
                    fee: None,
                    card: self.payment(&refunded.payment).and_then(|row| row.card.clone()),
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
