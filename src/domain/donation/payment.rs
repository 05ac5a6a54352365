//! Payments of a donation: attempts to make one, and what is known of each.

use super::after::After;
use crate::domain::id::{CheckoutId, PaymentId};
use crate::domain::money::Money;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What stands for a method where the donor pays on a page of the processor's own; no processor's token is called that.
pub const CHECKOUT: &str = "checkout";

/// An attempt whose outcome is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    /// The processor's token of the card; not the card.
    pub method: String,
    /// For whom the processor keeps that card, where it is charged without its owner being asked.
    pub customer: Option<String>,
    /// The processor's id, once it gave one.
    pub payment: Option<PaymentId>,
    /// Whether the donor has to do something (3-D Secure) or only the bank.
    pub waits_for_donor: bool,
    /// The page of the processor's own on which the donor pays, once it has a name.
    pub checkout: Option<CheckoutId>,
    /// When it began.
    pub since: DateTime<Utc>,
}

impl Attempt {
    /// Whether the donor pays on a page of the processor's own, and nothing is known to have been paid there.
    pub fn is_at_checkout(&self) -> bool {
        self.method == CHECKOUT && self.payment.is_none()
    }

    /// Whether the refusal of `payment` ends this attempt. One on the processor's own page does not: another card may be
    /// tried there for as long as the page is open.
    pub(super) fn ends_with(&self, payment: &PaymentId, heard_before: bool) -> bool {
        !self.is_at_checkout() && self.may_be(payment, heard_before)
    }

    /// Whether news of `payment` is about this attempt: one heard of before this attempt had a name is of an earlier
    /// attempt, and its late refusal must not free the donor to pay twice.
    pub(super) fn may_be(&self, payment: &PaymentId, heard_before: bool) -> bool {
        match &self.payment {
            Some(named) => named == payment,
            None => !heard_before,
        }
    }
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decline {
    /// The processor's code.
    pub code: String,
    /// In plain words, for the donor.
    pub reason: String,
}

/// One payment, by the processor's name for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Payment {
    /// The donor or the bank has not decided.
    Processing,
    /// It took nothing: the bank said no, or it was given up (voided) before it was taken.
    Declined,
    /// The money came.
    Settled(Settlement),
}

/// The books of a payment whose money came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Settlement {
    pub(super) amount_minor: i64,
    pub(super) fee_known: bool,
    /// What happened to it since; nothing to most.
    pub(super) after: Option<Box<After>>,
}

impl Payment {
    pub(super) fn settlement(&self) -> Option<&Settlement> {
        match self {
            Self::Settled(settlement) => Some(settlement),
            Self::Processing | Self::Declined => None,
        }
    }

    pub(super) fn settlement_mut(&mut self) -> Option<&mut Settlement> {
        match self {
            Self::Settled(settlement) => Some(settlement),
            Self::Processing | Self::Declined => None,
        }
    }
}

impl Settlement {
    /// What is left of it here, in minor units: a processor may give back more than we know it took.
    pub(super) fn left_minor(&self) -> i64 {
        let Some(after) = &self.after else { return self.amount_minor };
        let gone = [after.refunded_minor(), after.disputed_minor(), after.returned_minor()];
        gone.into_iter().fold(self.amount_minor, i64::saturating_sub).max(0)
    }
}

/// A refund somebody asked for, whose outcome is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefundRequest {
    /// Of which payment.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
}
