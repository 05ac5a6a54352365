//! What happens to donations. Each event is written to the log as it stands here, for ever.

use super::after::{CostRecorded, DisputeClosed, DisputeMoved, DisputeOpened, DisputeRevised};
use super::after::{DebitReturned, DisputeNews, ReturnNews};
use super::after::{RefundFailureNews, RefundReversed};
use super::flag::{CardCleared, CardFlagged};
use super::hold::{Held, Released, TurnedAway};
use crate::domain::committee::joint::Part;
use crate::domain::id::{
    CheckoutId, DonationId, PaymentId, PersonId, PlanId, ProcessorRefundId, RallyId, RefundId, SourceId,
};
use crate::domain::money::Money;
use crate::domain::sealed::Sealed;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    Pledged(Pledged),
    Renewed(Renewed),
    Held(Held),
    Released(Released),
    TurnedAway(TurnedAway),
    CardFlagged(CardFlagged),
    CardCleared(CardCleared),
    PaymentRequested(PaymentRequested),
    ActionRequired(PaymentNamed),
    Processing(PaymentNamed),
    CheckoutOpened(CheckoutOpened),
    CheckoutClosed(CheckoutClosed),
    Settled(Settled),
    FeeRecorded(FeeRecorded),
    Declined(Declined),
    RefundRequested(RefundRequested),
    Refunded(Refunded),
    RefundUnmatched(RefundUnmatched),
    RefundFailed(RefundFailed),
    RefundReversed(RefundReversed),
    RefundFailureUnmatched(RefundFailureNews),
    DisputeOpened(DisputeOpened),
    DisputeRevised(DisputeRevised),
    DisputeWithdrawn(DisputeMoved),
    DisputeReinstated(DisputeMoved),
    DisputeClosed(DisputeClosed),
    DisputeUnmatched(DisputeNews),
    DebitReturned(DebitReturned),
    ReturnUnmatched(ReturnNews),
    CostRecorded(CostRecorded),
}

impl Event {
    /// The donation it is about; `None` for news of a payment that is not known as settled yet.
    pub fn donation(&self) -> Option<DonationId> {
        match self {
            Event::Pledged(data) => Some(data.donation),
            Event::Renewed(data) => Some(data.donation),
            Event::Held(data) => Some(data.donation),
            Event::Released(data) => Some(data.donation),
            Event::TurnedAway(data) => Some(data.donation),
            Event::CardFlagged(data) => Some(data.donation),
            Event::CardCleared(data) => Some(data.donation),
            Event::PaymentRequested(data) => Some(data.donation),
            Event::ActionRequired(data) | Event::Processing(data) => Some(data.donation),
            Event::CheckoutOpened(data) => Some(data.donation),
            Event::CheckoutClosed(data) => Some(data.donation),
            Event::Settled(data) => Some(data.donation),
            Event::FeeRecorded(data) => Some(data.donation),
            Event::Declined(data) => Some(data.donation),
            Event::RefundRequested(data) => Some(data.donation),
            Event::Refunded(data) => Some(data.donation),
            Event::RefundFailed(data) => Some(data.donation),
            Event::RefundReversed(data) => Some(data.donation),
            Event::DisputeOpened(data) => Some(data.donation),
            Event::DisputeRevised(data) => Some(data.donation),
            Event::DisputeWithdrawn(data) | Event::DisputeReinstated(data) => Some(data.donation),
            Event::DisputeClosed(data) => Some(data.donation),
            Event::DebitReturned(data) => Some(data.donation),
            Event::CostRecorded(data) => Some(data.donation),
            Event::RefundUnmatched(_)
            | Event::RefundFailureUnmatched(_)
            | Event::DisputeUnmatched(_)
            | Event::ReturnUnmatched(_) => None,
        }
    }
}

/// A donor filled in the form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pledged {
    /// Which donation.
    pub donation: DonationId,
    /// Where it was given.
    pub rally: RallyId,
    /// Who gives.
    pub donor: PersonId,
    /// What they mean to give.
    pub amount: Money,
    /// A sealed [`crate::domain::profile::Contact`].
    pub contact: Sealed,
    /// A sealed [`crate::domain::profile::Shown`].
    pub shown: Sealed,
    /// Ids of [`super::ATTESTATIONS`].
    pub attestations: Vec<String>,
    /// From the link that led here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refcode: Option<String>,
    /// Who gives, by name and postal address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likeness: Option<PersonId>,
    /// How much of the amount is there to cover the processor's fee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covers_fee: Option<Money>,
    /// How they came, and when they opened the form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came: Option<Came>,
    /// Who was on program when the form was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_program: Option<SourceId>,
    /// By what else the donor may be found again.
    #[serde(default, skip_serializing_if = "Traces::is_empty")]
    pub traces: Traces,
}

/// What a donor has in common with others who may be the same person: keyed hashes, as all they are known by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traces {
    /// The e-mail address without what many mail servers ignore in it; absent where there is nothing such in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<PersonId>,
    /// The name by which a nickname is known, family name, house number and postal code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namesake: Option<PersonId>,
}

impl Traces {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An instalment of a recurring gift is due: a donation as a pledge makes one, without a form. What the donor typed stands in
/// the pledge of the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Renewed {
    /// Which donation: [`DonationId::of_instalment`].
    pub donation: DonationId,
    /// Of which plan.
    pub plan: PlanId,
    /// 2 for the first instalment: the gift on the form is 1.
    pub number: u32,
    /// The gift on the form.
    pub first: DonationId,
    /// Where it was given.
    pub rally: RallyId,
    /// Who gives.
    pub donor: PersonId,
    /// Who gives, by name and postal address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likeness: Option<PersonId>,
    /// How much.
    pub amount: Money,
    /// The plan's day that it is for.
    pub due: NaiveDate,
    /// The day of this event, where the rally is: the one that counts for limits.
    pub day: NaiveDate,
    /// How it is shared out, where it is to a joint committee.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub parts: Box<[Part]>,
}

/// How a donor came to the form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Came {
    /// From where.
    pub by: Way,
    /// When the form was opened, as this server saw it.
    pub opened_at: DateTime<Utc>,
    /// Who was on program then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_program: Option<SourceId>,
}

/// From where a donor came to the form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// By the form's own address, from anywhere.
    #[default]
    Page,
    /// From the rally's page, beside the picture.
    Rally,
    /// In a frame on another site.
    Embed,
    /// By the square code on the picture.
    Qr,
    /// By what another donor passed on.
    Shared,
    /// By a link of their own, in a mail.
    Mail,
}

impl Way {
    /// The word for it in addresses and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Rally => "rally",
            Self::Embed => "embed",
            Self::Qr => "qr",
            Self::Shared => "shared",
            Self::Mail => "mail",
        }
    }
}

/// A call to the processor is about to be made, with the key `{donation}:{attempt}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentRequested {
    /// Which donation.
    pub donation: DonationId,
    /// 1 for the first.
    pub attempt: u32,
    /// The processor's token of the card; not the card.
    pub method: String,
    /// For whom the processor keeps that card, where it is charged without its owner being asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// How it is shared out, where it is to a joint committee: what each of them has room for stays taken by it.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub parts: Box<[Part]>,
}

/// An instalment as the processor tells of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    /// Of which plan.
    pub plan: PlanId,
    /// 2 for the first instalment.
    pub number: u32,
    /// Which donation.
    pub donation: DonationId,
    /// The plan's day that it is for.
    pub due: NaiveDate,
    /// How much.
    pub amount: Money,
}

/// Something about one payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentNamed {
    /// Which donation.
    pub donation: DonationId,
    /// The processor's id.
    pub payment: PaymentId,
}

/// The processor keeps a page of its own for the donor to pay on. Its address is told to the donor alone, and only after this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckoutOpened {
    /// Which donation.
    pub donation: DonationId,
    /// For which attempt.
    pub attempt: u32,
    /// The processor's id of the page.
    pub checkout: CheckoutId,
}

/// Nothing can be paid on the processor's page any more, and nothing was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckoutClosed {
    /// Which donation.
    pub donation: DonationId,
    /// For which attempt the page was.
    pub attempt: u32,
    /// The processor's id of the page; absent where none was heard, so that nobody was told its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout: Option<CheckoutId>,
    /// Why, in one word.
    pub code: String,
    /// In plain words, for the donor; absent where the donor closed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The card that paid, as a receipt names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// "visa".
    pub brand: String,
    /// The last four digits.
    pub last4: String,
}

/// The money is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    /// Which donation.
    pub donation: DonationId,
    /// Where it was given.
    pub rally: RallyId,
    /// Who gave.
    pub donor: PersonId,
    /// The processor's id.
    pub payment: PaymentId,
    /// What was received, before fees.
    pub amount: Money,
    /// The processor's fee, if it said so already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<Money>,
    /// The card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<Card>,
}

/// The processor's fee became known later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeeRecorded {
    /// Which donation.
    pub donation: DonationId,
    /// Where it was given.
    pub rally: RallyId,
    /// The processor's id.
    pub payment: PaymentId,
    /// The fee.
    pub fee: Money,
}

/// The card was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Declined {
    /// Which donation.
    pub donation: DonationId,
    /// The processor's id, if it made one.
    pub payment: Option<PaymentId>,
    /// The processor's code.
    pub code: String,
    /// In plain words, for the donor.
    pub reason: String,
}

/// A refund is about to be asked of the processor, with the refund's id as the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefundRequested {
    /// Which donation.
    pub donation: DonationId,
    /// Which refund.
    pub refund: RefundId,
    /// Of which payment.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
}

/// Money was given back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refunded {
    /// Which donation.
    pub donation: DonationId,
    /// Where it was given.
    pub rally: RallyId,
    /// Who gets it.
    pub donor: PersonId,
    /// Of which payment.
    pub payment: PaymentId,
    /// The processor's id.
    pub processor_refund: ProcessorRefundId,
    /// Ours, if it was asked for here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundId>,
    /// How much.
    pub amount: Money,
}

/// A refund was reported for a payment that is not known as settled: it counts once the payment is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefundUnmatched {
    /// Of which payment.
    pub payment: PaymentId,
    /// The processor's id.
    pub processor_refund: ProcessorRefundId,
    /// Ours, if it was asked for here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundId>,
    /// How much.
    pub amount: Money,
}

/// The processor would not give it back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefundFailed {
    /// Which donation.
    pub donation: DonationId,
    /// Which refund.
    pub refund: RefundId,
    /// In words for the finance team.
    pub reason: String,
}
