//! What happens to settled money. Each event is written to the log as it stands here, for ever.

use super::dispute::Outcome;
use crate::domain::id::{DisputeId, DonationId, PaymentId, PersonId, ProcessorRefundId, RallyId, RefundId};
use crate::domain::money::Money;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A refund that was reported as done failed after all: the money is here again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefundReversed {
    /// Which donation.
    pub donation: DonationId,
    /// Where it was given.
    pub rally: RallyId,
    /// Who gave, and did not get it back.
    pub donor: PersonId,
    /// Of which payment.
    pub payment: PaymentId,
    /// The processor's id.
    pub processor_refund: ProcessorRefundId,
    /// Ours, if it was asked for here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundId>,
    /// How much came back.
    pub amount: Money,
    /// The processor's code.
    pub code: String,
}

/// A refund failed that is not known as done: should it be reported as done later, it counts as reversed too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefundFailureNews {
    /// Of which payment.
    pub payment: PaymentId,
    /// The processor's id.
    pub processor_refund: ProcessorRefundId,
    /// Ours, if it was asked for here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundId>,
    /// The processor's code.
    pub code: String,
}

/// A donor's bank asks for money back, or asks about it: a chargeback, or an inquiry before one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DisputeOpened {
    /// Which donation.
    pub donation: DonationId,
    /// Where it was given.
    pub rally: RallyId,
    /// Who gave.
    pub donor: PersonId,
    /// Of which payment.
    pub payment: PaymentId,
    /// The processor's id.
    pub dispute: DisputeId,
    /// How much is asked for; it moves with [`DisputeMoved`] only.
    pub amount: Money,
    /// The processor's code: `fraudulent`.
    pub reason: String,
    /// Until when evidence may be handed in, where the processor says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_by: Option<DateTime<Utc>>,
}

/// Evidence may be handed in until later, or until when became known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DisputeRevised {
    /// Which donation.
    pub donation: DonationId,
    /// Of which payment.
    pub payment: PaymentId,
    /// The processor's id.
    pub dispute: DisputeId,
    /// Until when.
    pub due_by: DateTime<Utc>,
}

/// A dispute's money was withdrawn from us, or given back to us.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DisputeMoved {
    /// Which donation.
    pub donation: DonationId,
    /// Where it was given.
    pub rally: RallyId,
    /// Who gave.
    pub donor: PersonId,
    /// Of which payment.
    pub payment: PaymentId,
    /// The processor's id.
    pub dispute: DisputeId,
    /// How much; positive.
    pub amount: Money,
}

/// A dispute is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DisputeClosed {
    /// Which donation.
    pub donation: DonationId,
    /// Of which payment.
    pub payment: PaymentId,
    /// The processor's id.
    pub dispute: DisputeId,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a dispute stands, of a payment that is not known as settled: it counts once the payment is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DisputeNews {
    /// Of which payment.
    pub payment: PaymentId,
    /// The processor's id.
    pub dispute: DisputeId,
    /// How much is asked for.
    pub amount: Money,
    /// The processor's code.
    pub reason: String,
    /// Until when evidence may be handed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_by: Option<DateTime<Utc>>,
    /// Whether its money was withdrawn.
    #[serde(default, skip_serializing_if = "is_false")]
    pub withdrawn: bool,
    /// What the processor took for the withdrawal, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawal_fee: Option<Money>,
    /// Whether its money was given back to us.
    #[serde(default, skip_serializing_if = "is_false")]
    pub reinstated: bool,
    /// What the processor took for that, negative where it gave its fee back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reinstatement_fee: Option<Money>,
    /// How it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Outcome>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
fn is_false(value: &bool) -> bool {
    !*value
}

/// The donor's bank took a debit back after it had settled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DebitReturned {
    /// Which donation.
    pub donation: DonationId,
    /// Where it was given.
    pub rally: RallyId,
    /// Who gave.
    pub donor: PersonId,
    /// Which payment.
    pub payment: PaymentId,
    /// How much went back; positive.
    pub amount: Money,
    /// The processor's code: `insufficient_funds`.
    pub code: String,
}

/// A debit was taken back that is not known as settled: it counts once it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReturnNews {
    /// Which payment.
    pub payment: PaymentId,
    /// How much went back; positive.
    pub amount: Money,
    /// The processor's code.
    pub code: String,
    /// What the processor took for it, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<Money>,
}

/// Money that moved after a payment, as far as the processor takes something for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Movement {
    /// A dispute's money was withdrawn.
    Withdrawal,
    /// A dispute's money was given back to us.
    Reinstatement,
    /// A debit was taken back.
    Return,
}

/// What the processor took for moving a payment's money after it settled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostRecorded {
    /// Which donation.
    pub donation: DonationId,
    /// Where it was given.
    pub rally: RallyId,
    /// Of which payment.
    pub payment: PaymentId,
    /// For what.
    pub of: Movement,
    /// The processor's id of the dispute, for a dispute's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How much; negative where it gave a fee back.
    pub fee: Money,
}
