//! The ledger: one row for each settled donation and each movement of its money after that, in the order they happened.

mod booked;
mod row;
mod sums;

use super::crowd::seconds;
use super::totals::day_of;
use crate::domain::committee::joint::{Part, in_proportion};
use crate::domain::donation::{Donation, Movement};
use crate::domain::hash::HashMap;
use crate::domain::id::{CommitteeId, DonationId, PaymentId, PersonId, RallyId};
use crate::domain::money::Money;
use crate::domain::{Event, Recorded, State, donation};
use booked::Booked;
pub use booked::PaidOut;
use chrono::{DateTime, Utc};
pub use row::{ContactAt, Fee, Kind, Pledge, Row, SHELF_HEAD_BYTES};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
pub use sums::ByCommittee;

/// A donation with a call to the processor whose outcome is not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Which donation.
    pub donation: DonationId,
    /// The event by which it began.
    pub seq: u64,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// Every row, the pledges behind them, and the disputes about them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// In the order of the log.
    pub rows: Vec<Row>,
    unfinished: BTreeMap<DonationId, (u64, DateTime<Utc>)>,
    pledges: HashMap<DonationId, Pledge>,
    /// Places of payments whose fee is not known.
    unknown_fees: BTreeSet<usize>,
    /// Donations about which there is, or was, a dispute.
    disputed: BTreeSet<DonationId>,
    booked: Booked,
    /// Where the next contact will stand beside the log.
    shelf_end: u64,
    refcodes: Vec<Box<str>>,
    refcode_numbers: HashMap<Box<str>, u32>,
}

impl Ledger {
    /// What the donor said in pledging.
    pub fn pledge(&self, donation: DonationId) -> Option<&Pledge> {
        self.pledges.get(&donation)
    }

    /// The refcode with this number.
    pub fn refcode(&self, number: u32) -> Option<&str> {
        self.refcodes.get(usize::try_from(number).ok()?).map(|refcode| &**refcode)
    }

    /// The number of a refcode by which money came.
    pub fn refcode_number(&self, refcode: &str) -> Option<u32> {
        self.refcode_numbers.get(refcode).copied()
    }

    fn number_refcode(&mut self, refcode: &str) -> u32 {
        if let Some(number) = self.refcode_number(refcode) {
            return number;
        }
        let number = u32::try_from(self.refcodes.len()).unwrap_or(u32::MAX);
        self.refcodes.push(refcode.into());
        self.refcode_numbers.insert(refcode.into(), number);
        number
    }

    /// Every row of a donation, in the order of the log.
    pub fn rows_of(&self, donation: DonationId) -> impl Iterator<Item = &Row> {
        self.of(donation).map(|(_, row)| row)
    }

    /// The row of a donation's last payment.
    pub fn settled(&self, donation: DonationId) -> Option<&Row> {
        self.of(donation).rfind(|(_, row)| row.kind == Kind::Donation).map(|(_, row)| row)
    }

    /// The row of a payment: its card and fee.
    pub fn payment(&self, donation: DonationId, payment: &PaymentId) -> Option<&Row> {
        self.rows.get(self.place(donation, payment, Kind::Donation, None)?)
    }

    /// A donation's rows with their places.
    fn of(&self, donation: DonationId) -> impl DoubleEndedIterator<Item = (usize, &Row)> {
        let places = self.pledges.get(&donation).map(|pledge| pledge.places.as_slice()).unwrap_or_default();
        places.iter().filter_map(|place| Some((*place, self.rows.get(*place)?)))
    }

    fn place(&self, donation: DonationId, payment: &PaymentId, kind: Kind, reference: Option<&str>) -> Option<usize> {
        let is_it = |row: &Row| (row.kind, &row.payment, row.reference.as_deref()) == (kind, payment, reference);
        self.of(donation).find(|(_, row)| is_it(row)).map(|(place, _)| place)
    }

    /// The rows as they were at an event; a later refund is not among them, and of a row a later fee does not count, see
    /// [`Row::fee_at`].
    pub fn rows_at(&self, seq: u64) -> &[Row] {
        let end = self.rows.partition_point(|row| row.seq <= seq);
        self.rows.get(..end).unwrap_or_default()
    }

    /// The payments whose fee is not known, in the order in which they settled.
    pub fn unknown_fees(&self) -> impl Iterator<Item = &Row> {
        self.unknown_fees.iter().filter_map(|place| self.rows.get(*place))
    }

    /// Donations about which there is, or was, a dispute.
    pub fn disputed(&self) -> impl Iterator<Item = DonationId> {
        self.disputed.iter().copied()
    }

    /// Donations with a call to the processor whose outcome is not recorded.
    pub fn unfinished(&self) -> impl Iterator<Item = Unfinished> {
        self.unfinished.iter().map(|(donation, (seq, since))| Unfinished {
            donation: *donation,
            seq: *seq,
            since: *since,
        })
    }

    /// Since when a donation is among them.
    pub fn unfinished_since(&self, donation: DonationId) -> Option<DateTime<Utc>> {
        self.unfinished.get(&donation).map(|(_, since)| *since)
    }

    fn keep_unfinished(&mut self, donation: DonationId, seq: u64, at: DateTime<Utc>, state: &State) {
        let known = state.donations.get(donation);
        if known.is_some_and(|known| known.in_flight.is_some() || known.waiting_refunds().next().is_some()) {
            self.unfinished.entry(donation).or_insert((seq, at));
        } else {
            self.unfinished.remove(&donation);
        }
    }

    pub(super) fn apply(&mut self, recorded: &Recorded, state: &State) {
        if let Event::Books(event) = &recorded.event {
            self.apply_books(event, recorded.seq, state);
        }
        if let Event::Remedy(event) = &recorded.event
            && let Some(pledge) = self.pledges.get_mut(&event.donation())
        {
            pledge.events.push(recorded.seq);
        }
        if let Event::Refund(event) = &recorded.event
            && let Some(pledge) = event.donation().and_then(|donation| self.pledges.get_mut(&donation))
        {
            pledge.events.push(recorded.seq);
        }
        let Event::Donation(event) = &recorded.event else { return };
        if let Some(donation) = event.donation() {
            self.keep_unfinished(donation, recorded.seq, recorded.at, state);
            if let Some(pledge) = self.pledges.get_mut(&donation) {
                pledge.events.push(recorded.seq);
            }
        }
        let (seq, at) = (recorded.seq, recorded.at);
        match event {
            donation::Event::Pledged(pledged) => {
                let refcode = pledged.refcode.as_deref().map(Into::into);
                let (covers_fee, on_program) = (pledged.covers_fee, pledged.on_program);
                let by = pledged.came.as_ref().map(|came| came.by);
                let contact = ContactAt { seq, place: self.shelf_end };
                let length = u64::try_from(pledged.contact.len()).unwrap_or(u64::MAX);
                self.shelf_end = contact.place.saturating_add(SHELF_HEAD_BYTES).saturating_add(length);
                let pledge =
                    Pledge { contact, at, refcode, by, covers_fee, on_program, places: vec![], events: vec![seq] };
                self.pledges.insert(pledged.donation, pledge);
            }
            // What the donor typed is read where they typed it.
            donation::Event::Renewed(renewed) => {
                let Some(first) = self.pledges.get(&renewed.first) else { return };
                let asked = state.donations.get(renewed.first).map(|first| first.amount);
                let covers_fee = first.covers_fee.filter(|_| asked == Some(renewed.amount));
                let (contact, refcode, by) = (first.contact, first.refcode.clone(), first.by);
                let (places, events) = (vec![], vec![seq]);
                let pledge = Pledge { contact, at, refcode, by, covers_fee, on_program: None, places, events };
                self.pledges.insert(renewed.donation, pledge);
            }
            donation::Event::Settled(settled) => {
                let row = Row {
                    seq,
                    at,
                    day: day_of(state, settled.rally, at),
                    kind: Kind::Donation,
                    donation: settled.donation,
                    rally: settled.rally,
                    committee: CommitteeId::FIRST,
                    parts: Box::default(),
                    donor: settled.donor,
                    payment: settled.payment.clone(),
                    reference: None,
                    amount: settled.amount,
                    fee: settled.fee.map(|amount| Fee { amount, seq }),
                    card: settled.card.as_ref().map(|card| format!("{} {}", card.brand, card.last4).into()),
                    refcode: None,
                    sent_s: 0,
                    speaker: None,
                    paid_out: None,
                };
                self.add(row, state);
            }
            donation::Event::FeeRecorded(recorded) => {
                let place = self.place(recorded.donation, &recorded.payment, Kind::Donation, None);
                self.learn_fee(place, Fee { amount: recorded.fee, seq });
            }
            donation::Event::CostRecorded(cost) => {
                let kind = match cost.of {
                    Movement::Withdrawal => Kind::Dispute,
                    Movement::Reinstatement => Kind::DisputeReversed,
                    Movement::Return => Kind::Return,
                };
                let place = self.place(cost.donation, &cost.payment, kind, cost.name.as_deref());
                self.learn_fee(place, Fee { amount: cost.fee, seq });
            }
            donation::Event::Refunded(data) => {
                let moved =
                    Moved { donation: data.donation, rally: data.rally, donor: data.donor, payment: &data.payment };
                self.moves(recorded, state, Kind::Refund, moved, Some(&data.processor_refund.0), data.amount);
            }
            donation::Event::RefundReversed(data) => {
                let moved =
                    Moved { donation: data.donation, rally: data.rally, donor: data.donor, payment: &data.payment };
                self.moves(recorded, state, Kind::RefundReversed, moved, Some(&data.processor_refund.0), data.amount);
            }
            donation::Event::DisputeWithdrawn(data) => {
                let moved =
                    Moved { donation: data.donation, rally: data.rally, donor: data.donor, payment: &data.payment };
                self.moves(recorded, state, Kind::Dispute, moved, Some(&data.dispute.0), data.amount);
            }
            donation::Event::DisputeReinstated(data) => {
                let moved =
                    Moved { donation: data.donation, rally: data.rally, donor: data.donor, payment: &data.payment };
                self.moves(recorded, state, Kind::DisputeReversed, moved, Some(&data.dispute.0), data.amount);
            }
            donation::Event::DisputeOpened(data) => {
                self.disputed.insert(data.donation);
            }
            donation::Event::DebitReturned(data) => {
                let moved =
                    Moved { donation: data.donation, rally: data.rally, donor: data.donor, payment: &data.payment };
                self.moves(recorded, state, Kind::Return, moved, None, data.amount);
            }
            donation::Event::PaymentRequested(_)
            | donation::Event::Held(_)
            | donation::Event::Released(_)
            | donation::Event::TurnedAway(_)
            | donation::Event::CardFlagged(_)
            | donation::Event::CardCleared(_)
            | donation::Event::ActionRequired(_)
            | donation::Event::Processing(_)
            | donation::Event::CheckoutOpened(_)
            | donation::Event::CheckoutClosed(_)
            | donation::Event::Declined(_)
            | donation::Event::RefundRequested(_)
            | donation::Event::RefundUnmatched(_)
            | donation::Event::RefundFailed(_)
            | donation::Event::RefundFailureUnmatched(_)
            | donation::Event::DisputeRevised(_)
            | donation::Event::DisputeClosed(_)
            | donation::Event::DisputeUnmatched(_)
            | donation::Event::ReturnUnmatched(_) => {}
        }
    }

    fn add(&mut self, mut row: Row, state: &State) {
        if let Some(donation) = state.donations.get(row.donation) {
            row.committee = donation.committee;
            row.parts = self.parts_of(donation, &row);
        }
        let sent = self.pledges.get(&row.donation);
        if let Some((refcode, at, speaker)) = sent.map(|sent| (sent.refcode.clone(), sent.at, sent.on_program)) {
            row.refcode = refcode.map(|refcode| self.number_refcode(&refcode));
            (row.sent_s, row.speaker) = (seconds(at), speaker);
        }
        self.expect(&mut row, self.rows.len());
        if row.kind == Kind::Donation && row.fee.is_none() {
            self.unknown_fees.insert(self.rows.len());
        }
        if let Some(pledge) = self.pledges.get_mut(&row.donation) {
            pledge.places.push(self.rows.len());
        }
        self.rows.push(row);
    }

    /// What of a row is whose: what the parts of all that is left come to with it, less what they came to before, so that the
    /// parts of all rows come to the last unit to what is left.
    fn parts_of(&self, donation: &Donation, row: &Row) -> Box<[Part]> {
        let weights: Vec<i64> = donation.parts.iter().map(|part| part.amount.minor).collect();
        let left = self.of(row.donation).map(|(_, row)| row.amount.minor).fold(0, i64::saturating_add);
        let shares = |minor| in_proportion(minor, &weights).unwrap_or_default();
        let (before, after) = (shares(left), shares(left.saturating_add(row.amount.minor)));
        let part = |(part, (before, after)): (&Part, (i64, i64))| Part {
            committee: part.committee,
            amount: Money::new(after.saturating_sub(before), row.amount.currency),
        };
        donation.parts.iter().zip(before.into_iter().zip(after)).map(part).collect()
    }

    fn learn_fee(&mut self, place: Option<usize>, fee: Fee) {
        let Some(place) = place else { return };
        self.unknown_fees.remove(&place);
        if let Some(row) = self.rows.get_mut(place) {
            row.fee = Some(fee);
        }
    }

    /// A row for money that moved after its payment.
    fn moves(
        &mut self,
        recorded: &Recorded,
        state: &State,
        kind: Kind,
        moved: Moved<'_>,
        reference: Option<&str>,
        amount: Money,
    ) {
        let Moved { donation, rally, donor, payment } = moved;
        let minor = match kind {
            Kind::Refund | Kind::Dispute | Kind::Return => amount.minor.saturating_neg(),
            Kind::Donation | Kind::RefundReversed | Kind::DisputeReversed => amount.minor,
        };
        let card = self.payment(donation, payment).and_then(|row| row.card.clone());
        let row = Row {
            seq: recorded.seq,
            at: recorded.at,
            day: day_of(state, rally, recorded.at),
            kind,
            donation,
            rally,
            committee: CommitteeId::FIRST,
            parts: Box::default(),
            donor,
            payment: payment.clone(),
            reference: reference.map(Into::into),
            amount: Money::new(minor, amount.currency),
            fee: None,
            card,
            refcode: None,
            sent_s: 0,
            speaker: None,
            paid_out: None,
        };
        self.add(row, state);
    }
}

/// Whose money moved.
struct Moved<'a> {
    donation: DonationId,
    rally: RallyId,
    donor: PersonId,
    payment: &'a PaymentId,
}
