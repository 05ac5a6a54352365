//! One refund: done, failed, or first the one and then the other.

use super::super::event::{Event, RefundUnmatched, Refunded};
use super::event::{RefundFailureNews, RefundReversed};
use super::{News, Owner};
use crate::domain::id::{PaymentId, ProcessorRefundId, RefundId};
use crate::domain::money::Money;
use litemap::LiteMap;
use serde::{Deserialize, Serialize};

/// What is known of a refund.
///
/// A processor that reports a refund as failed before it reports it as done tells the same story in another order: the
/// money went, and came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Refund {
    /// The money went back.
    Done {
        /// Ours, if it was asked for here.
        refund: Option<RefundId>,
        /// How much.
        amount: Money,
    },
    /// It failed, and was never reported as done.
    Failed {
        /// Ours, if it was asked for here.
        refund: Option<RefundId>,
        /// The processor's code.
        code: String,
    },
    /// The money went back, and came here again.
    Reversed {
        /// Ours, if it was asked for here.
        refund: Option<RefundId>,
        /// How much.
        amount: Money,
        /// The processor's code.
        code: String,
    },
}

type Refunds = LiteMap<ProcessorRefundId, Refund>;

impl Refund {
    /// What the donor has of it, in minor units.
    pub fn given_back_minor(&self) -> i64 {
        match self {
            Self::Done { amount, .. } => amount.minor,
            Self::Failed { .. } | Self::Reversed { .. } => 0,
        }
    }

    pub(super) fn news(&self, payment: &PaymentId, id: &ProcessorRefundId) -> Vec<News> {
        let done = |refund: &Option<RefundId>, amount: &Money| {
            let (payment, processor_refund) = (payment.clone(), id.clone());
            News::Refund(RefundUnmatched { payment, processor_refund, refund: *refund, amount: *amount })
        };
        let failed = |refund: &Option<RefundId>, code: &String| {
            let (payment, processor_refund) = (payment.clone(), id.clone());
            News::RefundFailure(RefundFailureNews { payment, processor_refund, refund: *refund, code: code.clone() })
        };
        match self {
            Self::Done { refund, amount } => vec![done(refund, amount)],
            Self::Failed { refund, code } => vec![failed(refund, code)],
            Self::Reversed { refund, amount, code } => vec![done(refund, amount), failed(refund, code)],
        }
    }
}

/// The refund is done; whether that was new.
pub(super) fn learn_done(refunds: &mut Refunds, news: &RefundUnmatched) -> bool {
    let RefundUnmatched { processor_refund, refund, amount, .. } = news.clone();
    let next = match refunds.get(&processor_refund) {
        None => Refund::Done { refund, amount },
        Some(Refund::Failed { refund: known, code }) => {
            Refund::Reversed { refund: refund.or(*known), amount, code: code.clone() }
        }
        Some(Refund::Done { .. } | Refund::Reversed { .. }) => return false,
    };
    refunds.insert(processor_refund, next);
    true
}

/// The refund failed; whether that was new.
pub(super) fn learn_failed(refunds: &mut Refunds, news: &RefundFailureNews) -> bool {
    let RefundFailureNews { processor_refund, refund, code, .. } = news.clone();
    let next = match refunds.get(&processor_refund) {
        None => Refund::Failed { refund, code },
        Some(Refund::Done { refund: known, amount }) => {
            Refund::Reversed { refund: known.or(refund), amount: *amount, code }
        }
        Some(Refund::Failed { .. } | Refund::Reversed { .. }) => return false,
    };
    refunds.insert(processor_refund, next);
    true
}

pub(super) fn reverse(refunds: &mut Refunds, reversed: &RefundReversed) {
    let RefundReversed { payment, processor_refund, refund, code, .. } = reversed.clone();
    learn_failed(refunds, &RefundFailureNews { payment, processor_refund, refund, code });
}

/// What a settled payment's books record when the refund is reported as done.
pub(super) fn done(known: Option<&Refund>, news: RefundUnmatched, owner: &Owner) -> Vec<Event> {
    let RefundUnmatched { payment, processor_refund, refund, amount } = news;
    let Owner { donation, rally, donor, .. } = *owner;
    let (refund, failed) = match known {
        None => (refund, None),
        Some(Refund::Failed { refund: known, code }) => (refund.or(*known), Some(code.clone())),
        Some(Refund::Done { .. } | Refund::Reversed { .. }) => return vec![],
    };
    let reversed = failed.map(|code| {
        let (payment, processor_refund) = (payment.clone(), processor_refund.clone());
        let reversed = RefundReversed { donation, rally, donor, payment, processor_refund, refund, amount, code };
        Event::RefundReversed(reversed)
    });
    let done = Refunded { donation, rally, donor, payment, processor_refund, refund, amount };
    std::iter::once(Event::Refunded(done)).chain(reversed).collect()
}

/// What a settled payment's books record when the refund is reported as failed.
pub(super) fn failed(known: Option<&Refund>, news: RefundFailureNews, owner: &Owner) -> Vec<Event> {
    let Owner { donation, rally, donor, .. } = *owner;
    match known {
        None => vec![Event::RefundFailureUnmatched(news)],
        Some(Refund::Done { refund: known, amount }) => {
            let RefundFailureNews { payment, processor_refund, refund, code } = news;
            let (refund, amount) = (known.or(refund), *amount);
            let reversed = RefundReversed { donation, rally, donor, payment, processor_refund, refund, amount, code };
            vec![Event::RefundReversed(reversed)]
        }
        Some(Refund::Failed { .. } | Refund::Reversed { .. }) => vec![],
    }
}
