//! Taking money and giving it back: one trait, and a room for each processor behind it.
//!
//! A processor decides nothing. The engine logs the intent, calls [`Processor::charge`] or [`Processor::refund`] with a
//! key made from that intent, and logs what came back. A [`Fault::Unknown`] is settled by asking again with the same
//! key. No card data passes through here, only the processor's token for it, and no call reads a clock.

mod books;
pub mod card_form;
pub mod cashier;
pub mod cashiers;
pub mod checkout;
mod notice;
mod pace;
pub mod simulated;
pub mod stripe;

use crate::domain::id::{DonationId, PlanId, RefundId};
pub use crate::domain::ledger::Mode;
use crate::domain::money::Money;
use crate::domain::plan::Saved;
use async_trait::async_trait;
pub use books::{Entries, EntryPage, Listed, ListedPayout, PayoutPage, Strange, Thing};
use checkout::{Checkout, Hosted, Visit};
use chrono::NaiveDate;
pub use notice::Notice;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;
use thiserror::Error;

/// Longest webhook body that is read, in bytes; a processor's events are a few KiB, and some objects grow to hundreds.
pub const WEBHOOK_BYTES_MAX: usize = 1024 * 1024;

/// Longest signature header that is read, in bytes; every signature in it costs a hash, and a rotation sends two.
pub const SIGNATURE_BYTES_MAX: usize = 2048;

/// Longest payment method token that is passed on, in bytes; the processors' own are about 30.
pub const METHOD_BYTES_MAX: usize = 255;

/// The key under which one attempt to charge a donation is sent: asking again with it never charges twice.
pub fn charge_key(donation: DonationId, attempt: u32) -> String {
    format!("charge-{donation}-{attempt}")
}

/// The key under which one attempt is given a page of the processor's own: asking again with it gives the same page.
pub fn checkout_key(donation: DonationId, attempt: u32) -> String {
    format!("checkout-{donation}-{attempt}")
}

/// The key under which a refund is sent: asking again with it never refunds twice.
pub fn refund_key(refund: RefundId) -> String {
    format!("refund-{refund}")
}

/// What the processor knows a card by: the same for everybody who gives with it. Never stored or logged as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// As the processor writes it.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, to be hashed.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}

/// The card as a receipt may show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardSummary {
    /// The network's name as the processor writes it, lower case: `visa`.
    pub brand: String,
    /// The last four digits.
    pub last4: String,
    /// What the processor knows it by, where it says so.
    pub fingerprint: Option<Fingerprint>,
}

/// One attempt to take a donation's money.
#[derive(Clone)]
pub struct Charge {
    /// The donation, written on the payment so that a webhook finds it.
    pub donation: DonationId,
    /// How much; positive.
    pub amount: Money,
    /// The idempotency key: [`charge_key`]. Another card is another attempt and another key.
    pub key: String,
    /// The processor's token for the card; never card data.
    pub method: String,
    /// The rally's slug, written on the payment for whoever reads the processor's own pages.
    pub rally: String,
    /// The recurring gift it is one of.
    pub repeats: Option<Repeats>,
}

/// Which gift of which recurring one a charge is for; written on the payment, so that a log that lost it can take it in.
///
/// The same for every call with one key, whatever became of the plan since: processors compare.
#[derive(Clone)]
pub struct Repeats {
    /// Which plan.
    pub plan: PlanId,
    /// 1 for the gift on the form.
    pub number: u32,
    /// The plan's day that it is for.
    pub due: NaiveDate,
    /// For whom the processor keeps the card that is charged now, while its owner is away. `None` where a donor offers one: that
    /// is to be kept.
    pub customer: Option<String>,
}

impl fmt::Debug for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Charge")
            .field("donation", &self.donation)
            .field("amount", &self.amount)
            .field("key", &self.key)
            .field("rally", &self.rally)
            .finish_non_exhaustive()
    }
}

/// How a payment stands.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The money was taken.
    Settled {
        /// The processor's id of the payment.
        payment: String,
        /// What was taken.
        amount: Money,
        /// What the processor keeps, in the currency it pays out in; `None` when it does not say yet.
        fee: Option<Money>,
        /// The card, when it was one.
        card: Option<CardSummary>,
    },
    /// The donor's bank asks the donor first; the page goes on with `client_secret`.
    NeedsAction {
        /// The processor's id of the payment.
        payment: String,
        /// Lets the donor's browser, and nobody else, finish this one payment: never stored, never logged.
        client_secret: String,
    },
    /// Taken up, and decided later by a webhook or by asking again.
    Processing {
        /// The processor's id of the payment.
        payment: String,
    },
    /// Nothing was taken, and nothing will be by this attempt.
    Declined {
        /// The processor's id of the payment, when there is one.
        payment: Option<String>,
        /// The reason in the processor's vocabulary: `insufficient_funds`.
        code: String,
        /// The reason in plain words for the donor.
        reason: String,
        /// What the processor knows the card by, where it says so.
        fingerprint: Option<Fingerprint>,
    },
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settled { payment, amount, fee, card: _ } => f
                .debug_struct("Settled")
                .field("payment", payment)
                .field("amount", amount)
                .field("fee", fee)
                .finish_non_exhaustive(),
            Self::NeedsAction { payment, client_secret: _ } => {
                f.debug_struct("NeedsAction").field("payment", payment).finish_non_exhaustive()
            }
            Self::Processing { payment } => f.debug_struct("Processing").field("payment", payment).finish(),
            Self::Declined { payment, code, reason: _, fingerprint: _ } => {
                f.debug_struct("Declined").field("payment", payment).field("code", code).finish_non_exhaustive()
            }
        }
    }
}

/// Money to give back.
#[derive(Clone, Debug)]
pub struct Refund {
    /// Our id of the refund, written on it so that a webhook finds it.
    pub refund: RefundId,
    /// The donation it belongs to, written on it too.
    pub donation: DonationId,
    /// The processor's id of the payment.
    pub payment: String,
    /// How much; positive, at most what was taken.
    pub amount: Money,
    /// The idempotency key: [`refund_key`].
    pub key: String,
}

/// How a refund stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    /// The money is on its way back.
    Settled {
        /// The processor's id of the refund.
        processor_refund: String,
        /// How much.
        amount: Money,
    },
    /// Taken up, and decided later by a webhook.
    Pending {
        /// The processor's id of the refund.
        processor_refund: String,
    },
    /// Nothing went back.
    Failed {
        /// The processor's id of the refund, when there is one.
        processor_refund: Option<String>,
        /// The reason in the processor's vocabulary.
        code: String,
    },
}

/// What a verified webhook says about itself; enough to store it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The processor's id of the event: the same at every delivery.
    pub event_id: String,
    /// The processor's name for what happened.
    pub kind: String,
    /// Whether real money moved.
    pub livemode: bool,
}

/// A page of the processor's list of its events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventPage {
    /// Each as a webhook would bring it, the newest first.
    pub events: Vec<Vec<u8>>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<String>,
}

/// The processor failed us, or we it. No message holds a secret, a token or personal data.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// Nobody knows whether it happened: ask again with the same key.
    #[error("the payment processor gave no clear answer: {cause}")]
    Unknown {
        /// What was seen: a time limit, a lost connection, its own failure.
        cause: String,
    },
    /// Refused for now because of too many calls. This call did nothing; of an earlier one it says nothing.
    #[error("the payment processor asks us to slow down")]
    Throttled {
        /// How long to wait, when it says so.
        retry_after: Option<Duration>,
    },
    /// We are not let in, as with a key that was replaced. This call did nothing; of an earlier one it says nothing.
    #[error("the payment processor does not let us in ({code}): {message}")]
    Barred {
        /// The reason in the processor's vocabulary.
        code: String,
        /// The reason for whoever runs the server.
        message: String,
    },
    /// An answer that is not for this ledger: another kind of money, currency or donation. Nothing of it is booked.
    #[error("the payment processor's answer about {payment} is not for this ledger: {why}")]
    NotOurs {
        /// The processor's id of what it is about.
        payment: String,
        /// What is wrong with it, in words for finance.
        why: &'static str,
    },
    /// Our request is wrong or the account is not set up for it; nothing happened, and asking again won't help.
    #[error("the payment processor refused our request ({code}): {message}")]
    Rejected {
        /// The reason in the processor's vocabulary.
        code: String,
        /// The reason for whoever runs the server.
        message: String,
    },
}

/// Why a webhook is not believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WebhookRefusal {
    /// Not signed with our secret, or the header is malformed.
    #[error("the webhook's signature does not match")]
    BadSignature,
    /// Signed too long ago, or in the future: a replay, or a wrong clock.
    #[error("the webhook was signed {seconds_off} s away from our time")]
    Stale {
        /// How far its time is from ours, in seconds; negative when it is from the future.
        seconds_off: i64,
    },
    /// Signed by the processor, and yet not an event.
    #[error("the webhook is not an event in JSON")]
    NotAnEvent,
    /// Test money where real money is expected, or the other way round.
    #[error("the webhook's livemode is {livemode}, which is not this server's mode")]
    WrongMode {
        /// What the event says.
        livemode: bool,
    },
    /// About an account that is connected to ours: its money is not in this ledger.
    #[error("the webhook is about another account, {account}: send this server the events of its own account only")]
    OtherAccount {
        /// The processor's name of it.
        account: String,
    },
    /// Over [`WEBHOOK_BYTES_MAX`] or [`SIGNATURE_BYTES_MAX`].
    #[error("the webhook is too large")]
    TooLarge,
    /// This processor sends no webhooks.
    #[error("this payment processor sends no webhooks")]
    Unsupported,
}

/// A payment processor.
#[async_trait]
pub trait Processor: Send + Sync {
    /// The name events and exports carry, lower case.
    fn name(&self) -> &'static str;

    /// Whose money moves.
    fn mode(&self) -> Mode;

    /// How many charges it takes a second; `None` where it takes all.
    fn calls_per_second(&self) -> Option<NonZeroU32> {
        None
    }

    /// What the page's card step needs.
    fn card_form(&self) -> card_form::CardForm;

    /// Takes the money of one attempt, or says why not. A decline is an answer, not a fault.
    ///
    /// # Errors
    /// [`Fault`]; after `Unknown`, call again with the same [`Charge`].
    async fn charge(&self, charge: &Charge) -> Result<Outcome, Fault>;

    /// What it knows the card behind a token by, before anything is charged; `None` where it does not say.
    ///
    /// # Errors
    /// [`Fault`].
    async fn fingerprint(&self, _method: &str) -> Result<Option<Fingerprint>, Fault> {
        Ok(None)
    }

    /// How the payment stands now.
    ///
    /// # Errors
    /// [`Fault`].
    async fn look_up(&self, payment: &str) -> Result<Outcome, Fault>;

    /// As [`Processor::look_up`], of a payment that must be this donation's.
    ///
    /// # Errors
    /// [`Fault`]; `NotOurs` where another donation is written on it.
    async fn look_up_of(&self, payment: &str, _donation: DonationId) -> Result<Outcome, Fault> {
        self.look_up(payment).await
    }

    /// How the payment stands, now that the donor's browser says its bank was asked; the browser is not believed.
    ///
    /// # Errors
    /// [`Fault`].
    async fn confirmed(&self, payment: &str) -> Result<Outcome, Fault> {
        self.look_up(payment).await
    }

    /// What it keeps of the means by which a payment was made that was to be kept; `None` where nothing can be charged again.
    ///
    /// # Errors
    /// [`Fault`].
    async fn saved(&self, _payment: &str) -> Result<Option<Saved>, Fault> {
        Ok(None)
    }

    /// Gives up a payment that waits for the donor, so that it can't settle beside a later attempt.
    ///
    /// Answers how it stands then: `Declined`, or `Settled` when it was too late.
    ///
    /// # Errors
    /// [`Fault`].
    async fn cancel(&self, payment: &str) -> Result<Outcome, Fault>;

    /// Keeps a page of its own for one attempt, where the donor pays without our page's card fields.
    ///
    /// # Errors
    /// [`Fault`]; after `Unknown`, call again with the same [`Checkout`].
    async fn checkout(&self, _checkout: &Checkout) -> Result<Hosted, Fault> {
        Err(no_checkout())
    }

    /// How such a page stands now.
    ///
    /// # Errors
    /// [`Fault`].
    async fn look_up_checkout(&self, _checkout: &str) -> Result<Visit, Fault> {
        Err(no_checkout())
    }

    /// Closes such a page, so that it can't be paid on beside a later attempt; answers how it stands then.
    ///
    /// # Errors
    /// [`Fault`].
    async fn close_checkout(&self, _checkout: &str) -> Result<Visit, Fault> {
        Err(no_checkout())
    }

    /// Gives money back.
    ///
    /// # Errors
    /// [`Fault`]; after `Unknown`, call again with the same [`Refund`].
    async fn refund(&self, refund: &Refund) -> Result<RefundOutcome, Fault>;

    /// Whether a webhook comes from the processor, for this mode, and now.
    ///
    /// `body` is the request's body as it came, `signature` its signature header, `now` in Unix seconds.
    ///
    /// # Errors
    /// [`WebhookRefusal`].
    fn verify_webhook(&self, body: &[u8], signature: &str, now: i64) -> Result<Webhook, WebhookRefusal>;

    /// What an event says about itself that the processor itself was asked for; whether it is for this ledger.
    ///
    /// # Errors
    /// [`WebhookRefusal`].
    fn read_event(&self, _body: &[u8]) -> Result<Webhook, WebhookRefusal> {
        Err(WebhookRefusal::Unsupported)
    }

    /// A page of the events that the processor made since then (Unix seconds), the newest first, from where the page before
    /// said; `None` where it keeps no list.
    ///
    /// # Errors
    /// [`Fault`].
    async fn events(&self, _since: i64, _after: Option<&str>) -> Result<Option<EventPage>, Fault> {
        Ok(None)
    }

    /// The processor's name of the account whose money this is; `None` where it has no such thing.
    ///
    /// # Errors
    /// [`Fault`]; `Barred` where our key may not ask.
    async fn account(&self) -> Result<Option<String>, Fault> {
        Ok(None)
    }

    /// A page of what moved the processor's balance, from where the page before said; `None` where it keeps no such list.
    ///
    /// # Errors
    /// [`Fault`].
    async fn entries(&self, _which: Entries<'_>, _after: Option<&str>) -> Result<Option<EntryPage>, Fault> {
        Ok(None)
    }

    /// A page of the payouts made since then (Unix seconds); `None` where it keeps no such list.
    ///
    /// # Errors
    /// [`Fault`].
    async fn payouts(&self, _since: i64, _after: Option<&str>) -> Result<Option<PayoutPage>, Fault> {
        Ok(None)
    }

    /// How a refund or dispute stands, in the words of a webhook; nothing where it is not of a payment that could be ours.
    ///
    /// # Errors
    /// [`Fault`].
    async fn look_into(&self, _thing: Thing<'_>) -> Result<Option<Notice>, Fault> {
        Ok(None)
    }

    /// What a stored webhook means for us; pure. Kinds, fields and payments that are not ours give nothing.
    ///
    /// # Errors
    /// `Rejected` when it concerns a donation of ours and still can't be read.
    fn interpret(&self, body: &[u8]) -> Result<Vec<Notice>, Fault>;
}

fn no_checkout() -> Fault {
    Fault::Rejected { code: "no_checkout".into(), message: "this processor keeps no page of its own".into() }
}
