//! What we read of Stripe's objects: few fields, all optional, so that another API version's shape is still read.

use super::reasons;
use crate::domain::donation::Told;
use crate::domain::id::{DonationId, RefundId};
use crate::domain::money::{Currency, Money};
use crate::domain::plan::Saved;
use crate::payments::{CardSummary, Fingerprint, Outcome};
use miniserde::Deserialize;
use miniserde::de::{Map, Visitor};
use std::collections::HashMap;

miniserde::make_place!(Place);

/// The key of a payment's and a refund's metadata that holds our donation's id.
pub const METADATA_DONATION: &str = "donation";

/// The key of a refund's metadata that holds our refund's id.
pub const METADATA_REFUND: &str = "refund";

/// The key of a payment's metadata that holds the rally's slug.
pub const METADATA_RALLY: &str = "rally";

/// The key of a payment's metadata that holds the id of the recurring gift it is one of.
pub const METADATA_PLAN: &str = "plan";

/// The key of a payment's metadata that holds its number among them.
pub const METADATA_NUMBER: &str = "gift_number";

/// The key of a payment's metadata that holds the day it is for.
pub const METADATA_DUE: &str = "due";

pub type Metadata = HashMap<String, String>;

/// An object, or only its id when it was not asked for by `expand`.
#[derive(Debug)]
pub struct Expandable<T> {
    id: Option<String>,
    object: Option<T>,
}

impl<T: Deserialize> Deserialize for Expandable<T> {
    fn begin(out: &mut Option<Self>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl<T: Deserialize> Visitor for Place<Expandable<T>> {
    fn string(&mut self, id: &str) -> miniserde::Result<()> {
        self.out = Some(Expandable { id: Some(id.into()), object: None });
        Ok(())
    }

    fn map(&mut self) -> miniserde::Result<Box<dyn Map + '_>> {
        let expanded = self.out.insert(Expandable { id: None, object: None });
        T::begin(&mut expanded.object).map()
    }
}

impl<T> Expandable<T> {
    pub fn object(expandable: &Option<Self>) -> Option<&T> {
        expandable.as_ref().and_then(Self::get)
    }

    pub fn get(&self) -> Option<&T> {
        self.object.as_ref()
    }

    /// The id of what was not expanded.
    pub fn name(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

impl Expandable<Identified> {
    pub fn id(expandable: &Option<Self>) -> Option<String> {
        let found = expandable.as_ref()?;
        found.id.clone().or_else(|| found.object.as_ref()?.id.clone())
    }
}

impl Expandable<Intent> {
    pub fn intent_id(expandable: &Option<Self>) -> Option<String> {
        let found = expandable.as_ref()?;
        found.id.clone().or_else(|| found.object.as_ref()?.id.clone())
    }
}

#[derive(Debug, Deserialize)]
pub struct Identified {
    id: Option<String>,
}

/// A list inside an object.
#[derive(Debug, Deserialize)]
pub struct List<T> {
    pub data: Option<Vec<T>>,
}

/// <https://docs.stripe.com/api/payment_intents/object>
#[derive(Debug, Deserialize)]
pub struct Intent {
    pub id: Option<String>,
    pub livemode: Option<bool>,
    status: Option<String>,
    amount: Option<i64>,
    amount_received: Option<i64>,
    currency: Option<String>,
    client_secret: Option<String>,
    metadata: Option<Metadata>,
    last_payment_error: Option<PaymentError>,
    latest_charge: Option<Expandable<ChargeShape>>,
    /// Before API version 2022-11-15.
    charges: Option<List<ChargeShape>>,
    payment_method: Option<Expandable<MethodShape>>,
    customer: Option<Expandable<Identified>>,
}

/// <https://docs.stripe.com/api/charges/object>
#[derive(Debug, Deserialize)]
pub struct ChargeShape {
    pub payment_intent: Option<Expandable<Identified>>,
    /// Before API version 2022-11-15.
    pub refunds: Option<List<RefundShape>>,
    pub metadata: Option<Metadata>,
    /// Only on a charge that failed after it was paid.
    pub failure_balance_transaction: Option<Expandable<Identified>>,
    pub failure_code: Option<String>,
    amount: Option<i64>,
    currency: Option<String>,
    balance_transaction: Option<Expandable<BalanceTransaction>>,
    payment_method_details: Option<MethodDetails>,
}

/// <https://docs.stripe.com/api/balance_transactions/object>
#[derive(Debug, Deserialize)]
pub struct BalanceTransaction {
    /// Negative where it left the balance.
    pub amount: Option<i64>,
    pub fee: Option<i64>,
    pub currency: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct MethodDetails {
    card: Option<CardShape>,
}

/// A payment method, or a bare card as the stand-in makes them.
#[derive(Debug, Deserialize)]
pub struct MethodShape {
    id: Option<String>,
    card: Option<CardShape>,
    brand: Option<String>,
    last4: Option<String>,
    fingerprint: Option<String>,
    /// What of it a confirmation token shows: <https://docs.stripe.com/api/confirmation_tokens/object>.
    payment_method_preview: Option<PreviewShape>,
}

#[derive(Debug, Deserialize)]
pub struct PreviewShape {
    card: Option<CardShape>,
}

#[derive(Debug, Deserialize)]
pub struct CardShape {
    brand: Option<String>,
    last4: Option<String>,
    fingerprint: Option<String>,
}

/// <https://docs.stripe.com/api/errors>, as an answer's `error` and as an intent's `last_payment_error`.
#[derive(Debug, Default, Deserialize)]
pub struct PaymentError {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub code: Option<String>,
    pub decline_code: Option<String>,
    pub message: Option<String>,
    pub param: Option<String>,
    pub payment_intent: Option<Expandable<Identified>>,
    pub payment_method: Option<Expandable<MethodShape>>,
}

/// <https://docs.stripe.com/api/refunds/object>
#[derive(Debug, Deserialize)]
pub struct RefundShape {
    pub id: Option<String>,
    pub status: Option<String>,
    pub failure_reason: Option<String>,
    pub metadata: Option<Metadata>,
    amount: Option<i64>,
    currency: Option<String>,
    payment_intent: Option<Expandable<Identified>>,
}

/// A shape that lacks what it can't do without; names the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing(pub &'static str);

impl PaymentError {
    /// The most telling of the codes.
    pub fn reason_code(&self) -> &str {
        self.decline_code.as_deref().or(self.code.as_deref()).unwrap_or("card_declined")
    }

    pub fn payment(&self) -> Option<String> {
        Expandable::id(&self.payment_intent)
    }

    /// The decline this error is, for a payment or for one that never came to be.
    pub fn declined(&self, payment: Option<String>) -> Outcome {
        let code = self.reason_code().to_owned();
        let reason = reasons::for_donor(&code).to_owned();
        let fingerprint = Expandable::object(&self.payment_method).and_then(MethodShape::fingerprint);
        Outcome::Declined { payment, code, reason, fingerprint }
    }
}

impl Intent {
    pub fn donation(&self) -> Option<DonationId> {
        donation(self.metadata.as_ref())
    }

    /// How the payment stands.
    pub fn outcome(&self) -> Result<Outcome, Missing> {
        let payment = self.id.clone().ok_or(Missing("id"))?;
        let outcome = match self.status.as_deref().unwrap_or_default() {
            "succeeded" => Outcome::Settled { payment, amount: self.received()?, fee: self.fee(), card: self.card() },
            "processing" => Outcome::Processing { payment },
            "requires_action" => {
                let client_secret = self.client_secret.clone().ok_or(Missing("client_secret"))?;
                Outcome::NeedsAction { payment, client_secret }
            }
            "requires_payment_method" => match &self.last_payment_error {
                Some(error) => error.declined(Some(payment)),
                None => <PaymentError as Default>::default().declined(Some(payment)),
            },
            "canceled" => {
                let reason = reasons::for_donor("canceled").to_owned();
                Outcome::Declined { payment: Some(payment), code: "canceled".into(), reason, fingerprint: None }
            }
            _ => return Err(Missing("a status we know")),
        };
        Ok(outcome)
    }

    /// The instalment it is for; `None` where it is of none, and for the first of a plan, which a form began.
    pub fn told(&self) -> Option<Told> {
        let of = |key: &str| self.metadata.as_ref()?.get(key);
        let number = of(METADATA_NUMBER)?.parse().ok().filter(|number| *number > 1)?;
        let (plan, due) = (of(METADATA_PLAN)?.parse().ok()?, of(METADATA_DUE)?.parse().ok()?);
        let amount = money(self.amount, self.currency.as_deref()).ok()?;
        Some(Told { plan, number, donation: self.donation()?, due, amount })
    }

    /// What is kept of it: a customer, and a method of theirs.
    pub fn saved(&self) -> Option<Saved> {
        let customer = Expandable::id(&self.customer)?;
        let method = self.payment_method.as_ref()?;
        let method = method.id.clone().or_else(|| method.get()?.id.clone())?;
        Some(Saved { customer, method })
    }

    /// What was taken: the stand-in and the oldest API versions only say what was asked for.
    fn received(&self) -> Result<Money, Missing> {
        money(self.amount_received.or(self.amount), self.currency.as_deref())
    }

    fn charge(&self) -> Option<&ChargeShape> {
        Expandable::object(&self.latest_charge)
            .or_else(|| self.charges.as_ref().and_then(|list| list.data.as_ref()).and_then(|charges| charges.first()))
    }

    fn fee(&self) -> Option<Money> {
        let charge = self.charge()?;
        let transaction = Expandable::object(&charge.balance_transaction)?;
        let currency = transaction.currency.as_deref().or(charge.currency.as_deref());
        money(transaction.fee, currency).ok()
    }

    fn card(&self) -> Option<CardSummary> {
        let of_charge = self.charge().and_then(|charge| charge.payment_method_details.as_ref());
        let of_method = Expandable::object(&self.payment_method);
        of_charge
            .and_then(|details| details.card.as_ref())
            .or_else(|| of_method.and_then(|method| method.card.as_ref()))
            .and_then(|card| card_summary(card.brand.as_deref(), card.last4.as_deref(), card.fingerprint.as_deref()))
            .or_else(|| {
                of_method.and_then(|method| {
                    card_summary(method.brand.as_deref(), method.last4.as_deref(), method.fingerprint.as_deref())
                })
            })
    }
}

impl MethodShape {
    /// What Stripe knows the card by, of a payment method or of the token for one.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let of_token = self.payment_method_preview.as_ref().and_then(|preview| preview.card.as_ref());
        let of_card = self.card.as_ref().or(of_token).and_then(|card| card.fingerprint.as_deref());
        fingerprint(of_card.or(self.fingerprint.as_deref()))
    }
}

impl ChargeShape {
    pub fn payment(&self) -> Option<String> {
        Expandable::id(&self.payment_intent)
    }

    pub fn amount(&self) -> Option<Money> {
        money(self.amount, self.currency.as_deref()).ok()
    }
}

impl RefundShape {
    pub fn payment(&self) -> Option<String> {
        Expandable::id(&self.payment_intent)
    }

    pub fn amount(&self) -> Result<Money, Missing> {
        money(self.amount, self.currency.as_deref())
    }

    pub fn refund(&self) -> Option<RefundId> {
        self.metadata.as_ref()?.get(METADATA_REFUND)?.parse().ok()
    }
}

/// The donation that `metadata` names; `None` when the object belongs to somebody else's program.
pub fn donation(metadata: Option<&Metadata>) -> Option<DonationId> {
    metadata?.get(METADATA_DONATION)?.parse().ok()
}

pub fn money(minor: Option<i64>, currency: Option<&str>) -> Result<Money, Missing> {
    let minor = minor.ok_or(Missing("amount"))?;
    let currency: Currency =
        currency.ok_or(Missing("currency"))?.parse().map_err(|_| Missing("a currency we support"))?;
    Ok(Money::new(minor, currency))
}

/// `None` unless it is surely no more than the last four digits.
fn card_summary(brand: Option<&str>, last4: Option<&str>, of_card: Option<&str>) -> Option<CardSummary> {
    let last4 = last4.filter(|digits| digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let fingerprint = fingerprint(of_card);
    Some(CardSummary { brand: brand?.to_ascii_lowercase(), last4: last4.into(), fingerprint })
}

fn fingerprint(text: Option<&str>) -> Option<Fingerprint> {
    text.filter(|text| !text.is_empty()).map(|text| Fingerprint::new(text.into()))
}
