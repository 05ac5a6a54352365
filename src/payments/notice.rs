//! What a processor tells, in one vocabulary, and what the ledger makes of it.

use super::CardSummary;
use crate::domain::donation::{Card, CheckoutClosed, Command, DisputeNews, RefundFailureNews, ReturnNews, Told};
use crate::domain::id::{CheckoutId, DonationId, PaymentId, ProcessorRefundId, RefundId};
use crate::domain::money::Money;

/// Something a processor told us about a payment of ours, or of another program on the same account.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A payment is for this instalment, as is written on it; what became of it is told besides.
    Renewed(Told),
    /// The money was taken.
    Settled {
        /// The donation written on the payment.
        donation: DonationId,
        /// The processor's id of the payment.
        payment: String,
        /// What was taken.
        amount: Money,
        /// What the processor keeps; mostly `None` here, and known by [`Processor::look_up`].
        fee: Option<Money>,
        /// The card, when the event shows it.
        card: Option<CardSummary>,
    },
    /// Taken up, and decided later.
    Processing {
        /// The donation written on the payment.
        donation: DonationId,
        /// The processor's id of the payment.
        payment: String,
    },
    /// This attempt took nothing.
    Declined {
        /// The donation written on the payment.
        donation: DonationId,
        /// The processor's id of the payment.
        payment: String,
        /// The reason in the processor's vocabulary.
        code: String,
        /// The reason in plain words for the donor.
        reason: String,
    },
    /// Nothing can be paid any more on the page that the processor kept for an attempt.
    CheckoutClosed {
        /// The donation written on the page.
        donation: DonationId,
        /// The attempt written on it.
        attempt: u32,
        /// The processor's id of the page.
        checkout: String,
        /// Why, in one word.
        code: String,
        /// The reason in plain words for the donor.
        reason: String,
    },
    /// Money went back, by us or by somebody on the processor's own pages.
    Refunded {
        /// The donation, when it is written on the refund; otherwise it is the one of `payment`.
        donation: Option<DonationId>,
        /// The processor's id of the payment.
        payment: String,
        /// The processor's id of the refund.
        processor_refund: String,
        /// Our id of the refund, when we asked for it.
        refund: Option<RefundId>,
        /// How much.
        amount: Money,
    },
    /// A refund did not go through, even if it was said to have.
    RefundFailed {
        /// The donation, when it is written on the refund; otherwise it is the one of `payment`.
        donation: Option<DonationId>,
        /// The processor's id of the payment.
        payment: String,
        /// The processor's id of the refund.
        processor_refund: String,
        /// Our id of the refund, when we asked for it.
        refund: Option<RefundId>,
        /// How much would have gone back.
        amount: Money,
        /// The reason in the processor's vocabulary.
        code: String,
    },
    /// How a dispute of a payment stands.
    Disputed(DisputeNews),
    /// The donor's bank took a debit back after it had settled.
    Returned(ReturnNews),
}

impl Notice {
    /// What the ledger is asked to record for it.
    pub fn into_command(self) -> Command {
        match self {
            Self::Renewed(told) => Command::TakeIn(told),
            Self::Settled { donation, payment, amount, fee, card } => settled(donation, payment, amount, fee, card),
            Self::Processing { donation, payment } => {
                Command::RecordProcessing { donation, payment: PaymentId(payment) }
            }
            Self::Declined { donation, payment, code, reason } => {
                Command::RecordDeclined { donation, payment: Some(PaymentId(payment)), code, reason }
            }
            Self::CheckoutClosed { donation, attempt, checkout, code, reason } => {
                let (checkout, reason) = (Some(CheckoutId(checkout)), Some(reason));
                Command::RecordCheckoutClosed(CheckoutClosed { donation, attempt, checkout, code, reason })
            }
            Self::Refunded { donation: _, payment, processor_refund, refund, amount } => {
                let (payment, processor_refund) = (PaymentId(payment), ProcessorRefundId(processor_refund));
                Command::RecordRefunded { payment, processor_refund, refund, amount }
            }
            Self::RefundFailed { donation: _, payment, processor_refund, refund, amount: _, code } => {
                let (payment, processor_refund) = (PaymentId(payment), ProcessorRefundId(processor_refund));
                Command::RecordRefundFailure(RefundFailureNews { payment, processor_refund, refund, code })
            }
            Self::Disputed(news) => Command::RecordDispute(news),
            Self::Returned(news) => Command::RecordReturn(news),
        }
    }
}

/// What the ledger is asked to record for a payment whose money came.
pub(super) fn settled(
    donation: DonationId,
    payment: String,
    amount: Money,
    fee: Option<Money>,
    card: Option<CardSummary>,
) -> Command {
    let card = card.map(|card| Card { brand: card.brand, last4: card.last4 });
    // A fee in another currency than the gift's is the payout's business; the ledger's sums hold one currency.
    let fee = fee.filter(|fee| fee.currency == amount.currency);
    Command::RecordSettled { donation, payment: PaymentId(payment), amount, fee, card }
}
