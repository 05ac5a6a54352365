//! Which rows the processor's own books have too, and in which payout each is.

use super::{Kind, Ledger, Row};
use crate::domain::State;
use crate::domain::books::{self, EntriesListed, Entry, PayoutComposed};
use crate::domain::hash::HashMap;
use crate::domain::id::{DonationId, EntryId, PaymentId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// In which payout a row is, and since when that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidOut {
    /// Its [`books::Payout::number`].
    pub payout: u32,
    /// The event that told of it.
    pub seq: u64,
}

/// An entry of the processor's books without a row: it came first, or the ledger lacks it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Early {
    entry: EntryId,
    kind: books::Kind,
    payment: PaymentId,
    reference: Option<Box<str>>,
    paid_out: Option<PaidOut>,
}

/// What the processor's books say of the rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Booked {
    /// Places of rows that they were not seen to have.
    unseen: BTreeSet<usize>,
    /// By donation.
    early: HashMap<DonationId, Vec<Early>>,
    /// Events that told what is in a payout, by its number.
    parts: HashMap<u32, Vec<u64>>,
}

/// What a row of the ledger may be for an entry of the books: a debit's return is told as a dispute of its own kind.
fn kinds(kind: books::Kind) -> &'static [Kind] {
    match kind {
        books::Kind::Payment => &[Kind::Donation],
        books::Kind::Refund => &[Kind::Refund],
        books::Kind::RefundReversed => &[Kind::RefundReversed],
        books::Kind::Dispute => &[Kind::Dispute, Kind::Return],
        books::Kind::DisputeReversed => &[Kind::DisputeReversed],
        books::Kind::Return => &[Kind::Return],
        books::Kind::Fee | books::Kind::Payout | books::Kind::Other => &[],
    }
}

/// A payment's row, and that of its return, has no reference: there is one of each.
fn is_of(row: &Row, kind: books::Kind, payment: &PaymentId, reference: Option<&str>) -> bool {
    let alone = matches!(row.kind, Kind::Donation | Kind::Return);
    kinds(kind).contains(&row.kind) && row.payment == *payment && (alone || row.reference.as_deref() == reference)
}

impl Ledger {
    /// The row that an entry of the processor's books is of.
    pub fn row_of(&self, entry: &Entry) -> Option<&Row> {
        self.place_of(entry).and_then(|place| self.rows.get(place))
    }

    /// Whether the books have an entry of ours, and there is still no row of it.
    pub fn awaits(&self, donation: DonationId, entry: &EntryId) -> bool {
        self.booked.early.get(&donation).is_some_and(|early| early.iter().any(|early| early.entry == *entry))
    }

    /// Rows that the processor's books were not seen to have, in the order of the log.
    pub fn unseen(&self) -> impl Iterator<Item = &Row> {
        self.booked.unseen.iter().filter_map(|place| self.rows.get(*place))
    }

    /// The events that told what is in a payout, by its number.
    pub fn payout_parts(&self, payout: u32) -> &[u64] {
        self.booked.parts.get(&payout).map(Vec::as_slice).unwrap_or_default()
    }

    fn place_of(&self, entry: &Entry) -> Option<usize> {
        let (donation, payment) = (entry.donation?, entry.payment.as_ref()?);
        let is_it = |row: &Row| is_of(row, entry.kind, payment, entry.reference.as_deref());
        self.of(donation).find(|(_, row)| is_it(row)).map(|(place, _)| place)
    }

    pub(super) fn apply_books(&mut self, event: &books::Event, seq: u64, state: &State) {
        match event {
            books::Event::EntriesListed(EntriesListed { entries }) => {
                entries.iter().for_each(|entry| self.see(entry, None));
            }
            books::Event::PayoutComposed(PayoutComposed { payout, entries, .. }) => {
                let Some(known) = state.books.payout(payout) else { return };
                self.booked.parts.entry(known.number).or_default().push(seq);
                let paid_out = PaidOut { payout: known.number, seq };
                entries.iter().for_each(|entry| self.see(entry, Some(paid_out)));
            }
            books::Event::PayoutRecorded(_) | books::Event::Read(_) => {}
        }
    }

    fn see(&mut self, entry: &Entry, paid_out: Option<PaidOut>) {
        if let Some(place) = self.place_of(entry) {
            self.booked.unseen.remove(&place);
            if let Some(row) = self.rows.get_mut(place) {
                row.paid_out = row.paid_out.or(paid_out);
            }
            return;
        }
        let (Some(donation), Some(payment)) = (entry.donation, entry.payment.clone()) else { return };
        let early = self.booked.early.entry(donation).or_default();
        match early.iter_mut().find(|early| early.entry == entry.entry) {
            Some(early) => early.paid_out = early.paid_out.or(paid_out),
            None => early.push(Early {
                entry: entry.entry.clone(),
                kind: entry.kind,
                payment,
                reference: entry.reference.as_deref().map(Into::into),
                paid_out,
            }),
        }
    }

    /// What the books said of a row before it was there; otherwise it is one that they were not seen to have.
    pub(super) fn expect(&mut self, row: &mut Row, place: usize) {
        let early = self.booked.early.get_mut(&row.donation);
        let told = early.and_then(|early| {
            let is_it = |early: &Early| is_of(row, early.kind, &early.payment, early.reference.as_deref());
            early.iter().position(is_it).map(|at| early.swap_remove(at))
        });
        if self.booked.early.get(&row.donation).is_some_and(Vec::is_empty) {
            self.booked.early.remove(&row.donation);
        }
        match told {
            Some(told) => row.paid_out = told.paid_out,
            None => {
                self.booked.unseen.insert(place);
            }
        }
    }
}
