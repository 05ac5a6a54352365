//! One donation, and what it comes to.

use super::after::{After, Dispute};
use super::kin::{Gift, Giver};
use super::payment::{Attempt, Decline, Payment, RefundRequest, Settlement};
use crate::domain::committee::joint::{self, Part};
use crate::domain::id::{CommitteeId, DisputeId, PaymentId, PersonId, RallyId, RefundId};
use crate::domain::money::Money;
use chrono::NaiveDate;
use litemap::LiteMap;
use serde::{Deserialize, Serialize};

/// One donation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Donation {
    /// Where it was given.
    pub rally: RallyId,
    /// To whom: the committee of the rally at that time.
    pub committee: CommitteeId,
    /// How it is shared out, where that is a joint committee, as of the last attempt to pay it.
    pub parts: Box<[Part]>,
    /// Who gives.
    pub donor: PersonId,
    /// The same by name and postal address.
    pub likeness: Option<PersonId>,
    /// The day of the pledge, where the rally is: the one that counts for limits.
    pub day: NaiveDate,
    /// What was pledged.
    pub amount: Money,
    /// Attempts begun so far.
    pub attempts: u32,
    /// The attempt whose outcome is not known.
    pub in_flight: Option<Box<Attempt>>,
    /// Why the last attempt failed, while nothing succeeded since.
    pub decline: Option<Box<Decline>>,
    pub(super) payments: LiteMap<PaymentId, Payment>,
    pub(super) refund_requests: LiteMap<RefundId, RefundRequest>,
}

impl Donation {
    pub(super) fn new(rally: RallyId, committee: CommitteeId, giver: Giver, day: NaiveDate, amount: Money) -> Self {
        Self {
            rally,
            committee,
            parts: Box::default(),
            donor: giver.donor,
            likeness: giver.likeness,
            day,
            amount,
            attempts: 0,
            in_flight: None,
            decline: None,
            // Most have one.
            payments: LiteMap::with_capacity(1),
            refund_requests: LiteMap::new(),
        }
    }

    /// What was received, before anything of it went back, in minor units.
    pub fn settled_minor(&self) -> i64 {
        sum(self.settled().map(|(_, settled)| settled.amount_minor))
    }

    /// What was given back, in minor units.
    pub fn refunded_minor(&self) -> i64 {
        sum(self.after().map(After::refunded_minor))
    }

    /// What disputes hold or took, in minor units.
    pub fn disputed_minor(&self) -> i64 {
        sum(self.after().map(After::disputed_minor))
    }

    /// What the donor's bank took back, in minor units.
    pub fn returned_minor(&self) -> i64 {
        sum(self.after().map(After::returned_minor))
    }

    /// What is left of it here, in minor units; never less than nothing.
    pub fn left_minor(&self) -> i64 {
        sum(self.settled().map(|(_, settled)| settled.left_minor()))
    }

    /// Who gives, by all they can be known by.
    pub fn giver(&self) -> Giver {
        Giver { donor: self.donor, likeness: self.likeness }
    }

    /// What limits look at.
    pub fn gift(&self) -> Gift {
        let Self { committee, day, amount, .. } = *self;
        Gift { committee, giver: self.giver(), day, amount }
    }

    /// What counts for a limit, in minor units: what was received and not given back, or what may yet be received of it. What a
    /// dispute holds still counts, for it may come back.
    pub fn counted_minor(&self) -> i64 {
        let received = self.settled_minor();
        if received > 0 {
            received.saturating_sub(self.refunded_minor()).saturating_sub(self.returned_minor()).max(0)
        } else if self.is_under_way() {
            self.amount.minor
        } else {
            0
        }
    }

    /// What of [`Self::counted_minor`] counts for a committee's limits.
    pub fn counted_for(&self, committee: CommitteeId) -> i64 {
        self.share_of(committee, self.counted_minor())
    }

    /// The same before anything was given back by us.
    pub fn received_for(&self, committee: CommitteeId) -> i64 {
        self.share_of(committee, self.settled_minor().saturating_sub(self.returned_minor()).max(0))
    }

    fn share_of(&self, committee: CommitteeId, minor: i64) -> i64 {
        if self.committee == committee {
            return minor;
        }
        let at = self.parts.iter().position(|part| part.committee == committee);
        let weights: Vec<i64> = self.parts.iter().map(|part| part.amount.minor).collect();
        let shares = at.and_then(|at| joint::in_proportion(minor, &weights)?.get(at).copied());
        shares.unwrap_or_default()
    }

    /// Refunds asked for whose outcome is not known.
    pub fn waiting_refunds(&self) -> impl Iterator<Item = (RefundId, &RefundRequest)> {
        self.refund_requests.iter().map(|(id, request)| (*id, request))
    }

    /// Its disputes, of whichever payment.
    pub fn disputes(&self) -> impl Iterator<Item = (&DisputeId, &Dispute)> {
        self.after().flat_map(|after| after.disputes.iter())
    }

    /// Whether a payment, refund or dispute may still come of it.
    pub fn is_under_way(&self) -> bool {
        self.in_flight.is_some()
            || !self.refund_requests.is_empty()
            || self.disputes().any(|(_, dispute)| dispute.closed.is_none())
            || self.payments.values().any(|payment| matches!(payment, Payment::Processing))
    }

    /// The processor's names of its payments.
    pub fn payments(&self) -> impl Iterator<Item = &PaymentId> {
        self.payments.keys()
    }

    /// The processor's names of its settled payments whose fee is not known.
    pub fn without_fee(&self) -> impl Iterator<Item = &PaymentId> {
        self.settled().filter(|(_, settled)| !settled.fee_known).map(|(id, _)| id)
    }

    pub(super) fn settled(&self) -> impl Iterator<Item = (&PaymentId, &Settlement)> {
        self.payments.iter().filter_map(|(id, payment)| Some((id, payment.settlement()?)))
    }

    fn after(&self) -> impl Iterator<Item = &After> {
        self.settled().filter_map(|(_, settled)| settled.after.as_deref())
    }

    pub(super) fn promised_back(&self, payment: &PaymentId) -> i64 {
        let waiting = self.refund_requests.values().filter(|request| &request.payment == payment);
        sum(waiting.map(|request| request.amount.minor))
    }
}

fn sum(amounts: impl Iterator<Item = i64>) -> i64 {
    amounts.fold(0, i64::saturating_add)
}
