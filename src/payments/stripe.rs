//! Stripe, by its API or by a stand-in for it. Its words stay in this room.
//!
//! One call takes a donation's money: a payment intent that is created and confirmed at once, with a payment method the
//! donor's browser got from Stripe's script. Where the bank asks the donor, the browser goes on with the intent's client
//! secret, and we look the intent up afterwards; the browser's word counts for nothing.

mod books;
mod checkout;
mod client;
mod dispute;
mod events;
mod keep;
mod list;
mod reasons;
mod settings;
mod shapes;
mod webhook;

pub use events::KINDS as WEBHOOK_KINDS;
pub use settings::{API_BASE, CALL_TIMEOUT, CALLS_PER_SECOND, SCRIPT_URL, Secret, Settings, SettingsError};

use super::card_form::{CardForm, Sources};
use super::checkout::{Checkout, Hosted, Visit};
use super::{
    Charge, Entries, EntryPage, EventPage, Fault, Fingerprint, METHOD_BYTES_MAX, Mode, Notice, Outcome, PayoutPage,
    Processor, Refund, RefundOutcome, Thing, Webhook, WebhookRefusal,
};
use crate::domain::id::DonationId;
use crate::domain::money::Money;
use crate::domain::plan::Saved;
use async_trait::async_trait;
use client::{CallError, Pooled};
use dispute::DisputeShape;
use shapes::{Intent, METADATA_DONATION, METADATA_REFUND, MethodShape, Missing, PaymentError, RefundShape};
use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use stripe_client_core::{IdempotencyKey, RequestBuilder, RequestStrategy, StripeMethod, StripeRequest};
use stripe_core::payment_intent::{
    CancelPaymentIntent, CreatePaymentIntent, CreatePaymentIntentAutomaticPaymentMethods,
    CreatePaymentIntentAutomaticPaymentMethodsAllowRedirects, RetrievePaymentIntent,
};
use stripe_core::refund::CreateRefund;
use stripe_shared::PaymentIntentCaptureMethod;

/// What an answer about a payment brings along: fee and card in the same call.
const EXPANDED: [&str; 2] = ["latest_charge.balance_transaction", "payment_method"];

/// How the ids of confirmation tokens begin.
const CONFIRMATION_TOKEN: &str = "ctoken_";

const OTHER_CURRENCY: &str = "another currency than was asked for";

/// Longest id that goes into a path, in bytes; Stripe's are about 30.
const ID_BYTES_MAX: usize = 255;

/// Stripe as a payment processor.
pub struct Stripe {
    client: Pooled,
    settings: Settings,
    mode: Mode,
    stand_in: bool,
}

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe").field("settings", &self.settings).field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl Stripe {
    /// Checks the settings and makes the client; connects to nothing yet.
    ///
    /// # Errors
    /// [`SettingsError`]: the keys or addresses contradict each other.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let mode = settings.check()?;
        let client = Pooled::new(&settings)?;
        let stand_in = settings.api_base.trim_end_matches('/') != API_BASE;
        Ok(Self { client, settings, mode, stand_in })
    }

    /// Sends a call about a payment; a card error is an answer, and what is not this ledger's is a fault.
    async fn payment(&self, call: RequestBuilder, key: Option<&str>, of: Of) -> Result<Outcome, CallError> {
        let mut call = call.customize::<Intent>();
        if let Some(key) = key {
            call = call.request_strategy(idempotent(key)?);
        }
        let intent = call.send(&self.client).await?;
        let payment = || intent.id.clone().unwrap_or_default();
        if intent.livemode.is_some_and(|livemode| livemode != self.is_live()) {
            return Err(CallError::NotOurs { payment: payment(), why: "test money beside live money" });
        }
        if of.donation.is_some_and(|donation| intent.donation().is_some_and(|named| named != donation)) {
            return Err(CallError::NotOurs { payment: payment(), why: "another donation is written on it" });
        }
        let outcome = intent.outcome().map_err(unclear)?;
        match (&outcome, of.amount) {
            (Outcome::Settled { amount, .. }, Some(asked)) if amount.currency != asked.currency => {
                Err(CallError::NotOurs { payment: payment(), why: OTHER_CURRENCY })
            }
            _ => Ok(outcome),
        }
    }

    async fn retrieve(&self, payment: &str, of: Of) -> Result<Outcome, Fault> {
        let call = RetrievePaymentIntent::new(payment).expand(expanded()).build();
        self.payment(call, None, of).await.map_err(CallError::into_fault)
    }

    /// A list of the books; none where a stand-in does not know how to be asked for it.
    fn list<T>(&self, page: Result<Option<T>, CallError>) -> Result<Option<T>, Fault> {
        match page {
            Err(CallError::Refused { status, .. }) if self.stand_in && status.as_u16() == 400 => Ok(None),
            page => page.map_err(CallError::into_fault),
        }
    }

    fn is_live(&self) -> bool {
        self.mode == Mode::Live
    }
}

#[async_trait]
impl Processor for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn mode(&self) -> Mode {
        self.mode
    }

    fn calls_per_second(&self) -> Option<NonZeroU32> {
        Some(self.settings.calls_per_second)
    }

    fn card_form(&self) -> CardForm {
        let sources = if self.stand_in {
            let script = vec![settings::origin(&self.settings.script_url)];
            let form = vec![settings::origin(&self.settings.api_base)];
            Sources { connect: script.clone(), frame: Vec::new(), form, script }
        } else {
            // https://docs.stripe.com/security/guide#content-security-policy
            let from = |addresses: &[&str]| addresses.iter().copied().map(String::from).collect();
            Sources {
                script: from(&["https://js.stripe.com", "https://*.js.stripe.com"]),
                frame: from(&["https://js.stripe.com", "https://*.js.stripe.com", "https://hooks.stripe.com"]),
                connect: from(&["https://api.stripe.com"]),
                form: from(&[checkout::ORIGIN]),
            }
        };
        CardForm::Scripted {
            kind: "stripe",
            publishable_key: self.settings.publishable_key.clone(),
            script_url: self.settings.script_url.clone(),
            sources,
        }
    }

    async fn charge(&self, charge: &Charge) -> Result<Outcome, Fault> {
        if !is_token(&charge.method, METHOD_BYTES_MAX) {
            return Ok(method_unusable());
        }
        let currency: stripe_types::Currency = charge
            .amount
            .currency
            .code()
            .to_ascii_lowercase()
            .parse()
            .map_err(|_| rejected("currency", "Stripe does not know this currency"))?;
        let mut create = CreatePaymentIntent::new(charge.amount.minor, currency)
            .confirm(true)
            // At once rather than a little later, so that the answer knows the fee.
            .capture_method(PaymentIntentCaptureMethod::Automatic)
            .metadata(keep::metadata(charge.donation, &charge.rally, charge.repeats.as_ref()))
            .expand(expanded());
        // What the browser made: a token for all that was filled in, a mandate for a debit with it; or a card alone.
        create = if charge.method.starts_with(CONFIRMATION_TOKEN) {
            create.confirmation_token(charge.method.as_str())
        } else {
            create.payment_method(charge.method.as_str())
        };
        let owner_is_away = charge.repeats.as_ref().is_some_and(|repeats| repeats.customer.is_some());
        if !self.stand_in {
            // The stand-in refuses both. The real one needs to hear that the bank's question is left to its script, and
            // that there is no page to return to.
            let mut methods = CreatePaymentIntentAutomaticPaymentMethods::new(true);
            methods.allow_redirects = Some(CreatePaymentIntentAutomaticPaymentMethodsAllowRedirects::Never);
            create = create.automatic_payment_methods(methods);
            if !owner_is_away {
                create = create.use_stripe_sdk(true);
            }
        }
        if let Some(repeats) = &charge.repeats {
            create = keep::repeat(&self.client, create, charge, repeats, self.stand_in).await?;
        }
        let of = Of { donation: Some(charge.donation), amount: Some(charge.amount) };
        let sent = self.payment(create.build(), Some(&charge.key), of).await;
        sent.or_else(declined)
    }

    async fn fingerprint(&self, method: &str) -> Result<Option<Fingerprint>, Fault> {
        if !is_token(method, METHOD_BYTES_MAX) {
            return Ok(None);
        }
        let kind = if method.starts_with(CONFIRMATION_TOKEN) { "confirmation_tokens" } else { "payment_methods" };
        let call = RequestBuilder::new(StripeMethod::Get, format!("/{kind}/{method}"));
        let found = call.customize::<MethodShape>().send(&self.client).await.map_err(CallError::into_fault)?;
        Ok(found.fingerprint())
    }

    async fn look_up(&self, payment: &str) -> Result<Outcome, Fault> {
        check_payment(payment)?;
        self.retrieve(payment, Of::default()).await
    }

    async fn look_up_of(&self, payment: &str, donation: DonationId) -> Result<Outcome, Fault> {
        check_payment(payment)?;
        self.retrieve(payment, Of { donation: Some(donation), amount: None }).await
    }

    async fn saved(&self, payment: &str) -> Result<Option<Saved>, Fault> {
        check_payment(payment)?;
        let call = RetrievePaymentIntent::new(payment).build();
        let intent = call.customize::<Intent>().send(&self.client).await.map_err(CallError::into_fault)?;
        Ok(intent.saved())
    }

    async fn cancel(&self, payment: &str) -> Result<Outcome, Fault> {
        check_payment(payment)?;
        let key = format!("cancel-{payment}");
        match self.payment(CancelPaymentIntent::new(payment).build(), Some(&key), Of::default()).await {
            // Too late to cancel: what it is instead is the answer.
            Err(CallError::Refused { status, .. }) if status.as_u16() == 400 => self.look_up(payment).await,
            answer => answer.map_err(CallError::into_fault),
        }
    }

    async fn checkout(&self, asked: &Checkout) -> Result<Hosted, Fault> {
        checkout::open(&self.client, asked).await
    }

    async fn look_up_checkout(&self, checkout: &str) -> Result<Visit, Fault> {
        checkout::look_up(&self.client, checkout).await
    }

    async fn close_checkout(&self, checkout: &str) -> Result<Visit, Fault> {
        checkout::close(&self.client, checkout).await
    }

    async fn refund(&self, refund: &Refund) -> Result<RefundOutcome, Fault> {
        check_payment(&refund.payment)?;
        let call = CreateRefund::new()
            .payment_intent(refund.payment.as_str())
            .amount(refund.amount.minor)
            .metadata(HashMap::from([
                (METADATA_DONATION.to_owned(), refund.donation.to_string()),
                (METADATA_REFUND.to_owned(), refund.refund.to_string()),
            ]))
            .build();
        let strategy = idempotent(&refund.key).map_err(CallError::into_fault)?;
        let sent = call.customize::<RefundShape>().request_strategy(strategy).send(&self.client).await;
        let made = match sent {
            Ok(made) => made,
            Err(CallError::Refused { error, .. }) if error.code.as_deref().is_some_and(refuses_refund) => {
                let code = error.code.unwrap_or_default();
                return Ok(RefundOutcome::Failed { processor_refund: None, code });
            }
            Err(error) => return Err(error.into_fault()),
        };
        let amount = made.amount().map_err(unclear).map_err(CallError::into_fault)?;
        if let Some(why) = not_as_asked(&made, amount, refund) {
            return Err(Fault::NotOurs { payment: refund.payment.clone(), why });
        }
        let processor_refund = made.id.ok_or(Missing("id")).map_err(unclear).map_err(CallError::into_fault)?;
        match made.status.as_deref() {
            Some("succeeded") => Ok(RefundOutcome::Settled { processor_refund, amount }),
            Some("pending" | "requires_action") => Ok(RefundOutcome::Pending { processor_refund }),
            Some(status @ ("failed" | "canceled")) => {
                let code = made.failure_reason.unwrap_or_else(|| status.into());
                Ok(RefundOutcome::Failed { processor_refund: Some(processor_refund), code })
            }
            _ => Err(unclear(Missing("a status we know")).into_fault()),
        }
    }

    fn verify_webhook(&self, body: &[u8], signature: &str, now: i64) -> Result<Webhook, WebhookRefusal> {
        webhook::verify(body, signature, self.settings.webhook_secret.reveal(), self.is_live(), now)
    }

    fn read_event(&self, body: &[u8]) -> Result<Webhook, WebhookRefusal> {
        webhook::read(body, self.is_live())
    }

    async fn events(&self, since: i64, after: Option<&str>) -> Result<Option<EventPage>, Fault> {
        let page = list::page(&self.client, since, after, !self.stand_in).await;
        page.map(Some).map_err(CallError::into_fault)
    }

    async fn account(&self) -> Result<Option<String>, Fault> {
        books::account(&self.client).await.map_err(CallError::into_fault)
    }

    async fn entries(&self, which: Entries<'_>, after: Option<&str>) -> Result<Option<EntryPage>, Fault> {
        self.list(books::entries(&self.client, which, after, self.is_live()).await)
    }

    async fn payouts(&self, since: i64, after: Option<&str>) -> Result<Option<PayoutPage>, Fault> {
        self.list(books::payouts(&self.client, since, after, self.is_live()).await)
    }

    async fn look_into(&self, thing: Thing<'_>) -> Result<Option<Notice>, Fault> {
        let (kind, name) = match thing {
            Thing::Refund(name) => ("refunds", name),
            Thing::Dispute(name) => ("disputes", name),
        };
        if !is_token(name, ID_BYTES_MAX) {
            return Err(rejected("id", "this is not the id of a Stripe object"));
        }
        let call = RequestBuilder::new(StripeMethod::Get, format!("/{kind}/{name}"));
        match thing {
            Thing::Refund(_) => {
                let found = call.customize::<RefundShape>().send(&self.client).await.map_err(CallError::into_fault)?;
                events::refund(&found, None)
            }
            Thing::Dispute(_) => {
                let found = call.customize::<DisputeShape>().send(&self.client).await.map_err(CallError::into_fault)?;
                if found.livemode.is_some_and(|livemode| livemode != self.is_live()) {
                    return Err(Fault::NotOurs { payment: name.into(), why: "test money beside live money" });
                }
                dispute::notice("", &found).map_err(unclear).map_err(CallError::into_fault)
            }
        }
    }

    fn interpret(&self, body: &[u8]) -> Result<Vec<Notice>, Fault> {
        events::interpret(body)
    }
}

/// What an answer about a payment must agree with.
#[derive(Clone, Copy, Default)]
struct Of {
    donation: Option<DonationId>,
    amount: Option<Money>,
}

/// What is wrong with the answer to a refund; an API version that leaves a field out can't be wrong in it.
fn not_as_asked(made: &RefundShape, amount: Money, asked: &Refund) -> Option<&'static str> {
    if amount.currency != asked.amount.currency {
        return Some(OTHER_CURRENCY);
    }
    let other_payment = made.payment().is_some_and(|payment| payment != asked.payment);
    let other_donation = shapes::donation(made.metadata.as_ref()).is_some_and(|donation| donation != asked.donation);
    (other_payment || other_donation).then_some("a refund of something else")
}

fn expanded() -> Vec<String> {
    EXPANDED.map(String::from).to_vec()
}

fn idempotent(key: &str) -> Result<RequestStrategy, CallError> {
    let key = IdempotencyKey::new(key).map_err(|_| CallError::BadKey)?;
    Ok(RequestStrategy::Idempotent(key))
}

/// The decline that a refused charge is, or the fault.
fn declined(error: CallError) -> Result<Outcome, Fault> {
    match error {
        CallError::Refused { status, error, .. }
            if status.as_u16() == 402 || error.kind.as_deref() == Some("card_error") =>
        {
            let payment = error.payment();
            Ok(error.declined(payment))
        }
        // The token is the one thing in the call that came from outside.
        CallError::Refused { status, error, .. }
            if status.as_u16() == 404
                || matches!(error.param.as_deref(), Some("payment_method" | "confirmation_token")) =>
        {
            Ok(method_unusable())
        }
        error @ (CallError::NoAnswer(_)
        | CallError::BadKey
        | CallError::Busy
        | CallError::NotOurs { .. }
        | CallError::Refused { .. }) => Err(error.into_fault()),
    }
}

fn method_unusable() -> Outcome {
    let error = PaymentError { code: Some("method_unusable".into()), ..Default::default() };
    error.declined(None)
}

/// Whether the refusal is about this refund for good, rather than about our request.
fn refuses_refund(code: &str) -> bool {
    matches!(code, "charge_already_refunded" | "charge_disputed" | "refund_disputed_payment" | "charge_not_refundable")
}

/// Letters, digits and underscores: nothing that could be another path or parameter.
fn is_token(text: &str, bytes_max: usize) -> bool {
    !text.is_empty() && text.len() <= bytes_max && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn check_payment(payment: &str) -> Result<(), Fault> {
    if is_token(payment, ID_BYTES_MAX) && payment.starts_with("pi_") {
        Ok(())
    } else {
        Err(rejected("payment_id", "this is not the id of a Stripe payment"))
    }
}

/// A success that can't be read is no success: it is asked for again.
fn unclear(_: Missing) -> CallError {
    CallError::NoAnswer("an answer without what it must have")
}

fn rejected(code: &str, message: &str) -> Fault {
    Fault::Rejected { code: code.into(), message: message.into() }
}
