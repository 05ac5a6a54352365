//! Stripe's own page for one payment: <https://docs.stripe.com/api/checkout/sessions>.

use super::client::{CallError, Pooled};
use super::shapes::{Expandable, Intent, Metadata, Missing, donation, money};
use super::{ID_BYTES_MAX, idempotent, is_token, keep, reasons, rejected, unclear};
use crate::payments::checkout::{Checkout, Hosted, Visit};
use crate::payments::{Fault, Notice};
use miniserde::Deserialize;
use serde::Serialize;
use std::collections::HashMap;
use stripe_client_core::{RequestBuilder, StripeMethod};

/// Where the pages are.
pub const ORIGIN: &str = "https://checkout.stripe.com";

/// The key of a page's metadata that holds the number of our attempt.
const METADATA_ATTEMPT: &str = "attempt";

/// What an answer about a page that was paid on brings along.
const EXPANDED: [&str; 2] = ["payment_intent.latest_charge.balance_transaction", "payment_intent.payment_method"];

#[derive(Serialize)]
struct Open<'a> {
    mode: &'a str,
    submit_type: &'a str,
    customer_email: &'a str,
    success_url: &'a str,
    cancel_url: &'a str,
    expires_at: i64,
    line_items: [Item<'a>; 1],
    /// The donor pays what was pledged, in its currency: limits and books are in that.
    adaptive_pricing: Enabled,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_creation: Option<&'a str>,
    metadata: HashMap<String, String>,
    payment_intent_data: Intended<'a>,
}

#[derive(Serialize)]
struct Item<'a> {
    quantity: u32,
    price_data: Price<'a>,
}

#[derive(Serialize)]
struct Price<'a> {
    currency: String,
    unit_amount: i64,
    product_data: Product<'a>,
}

#[derive(Serialize)]
struct Product<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Enabled {
    enabled: bool,
}

#[derive(Serialize)]
struct Intended<'a> {
    metadata: HashMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    setup_future_usage: Option<&'a str>,
}

#[derive(Serialize)]
struct Expand<'a> {
    expand: &'a [&'a str],
}

/// <https://docs.stripe.com/api/checkout/sessions/object>
#[derive(Debug, Deserialize)]
pub struct Session {
    id: Option<String>,
    status: Option<String>,
    payment_status: Option<String>,
    url: Option<String>,
    amount_total: Option<i64>,
    currency: Option<String>,
    metadata: Option<Metadata>,
    payment_intent: Option<Expandable<Intent>>,
}

/// Has Stripe keep a page.
pub async fn open(client: &Pooled, asked: &Checkout) -> Result<Hosted, Fault> {
    let on_payment = keep::metadata(asked.donation, &asked.rally, asked.repeats.as_ref());
    let mut on_page = on_payment.clone();
    on_page.insert(METADATA_ATTEMPT.to_owned(), asked.attempt.to_string());
    // A recurring gift's card is kept for a customer, whom Stripe makes by itself here.
    let keeps = asked.repeats.is_some();
    let form = Open {
        mode: "payment",
        submit_type: "donate",
        customer_email: &asked.email,
        success_url: &asked.paid_href,
        cancel_url: &asked.back_href,
        expires_at: asked.closes_at,
        line_items: [Item {
            quantity: 1,
            price_data: Price {
                currency: asked.amount.currency.code().to_ascii_lowercase(),
                unit_amount: asked.amount.minor,
                product_data: Product { name: &asked.title },
            },
        }],
        adaptive_pricing: Enabled { enabled: false },
        customer_creation: keeps.then_some("always"),
        metadata: on_page,
        payment_intent_data: Intended { metadata: on_payment, setup_future_usage: keeps.then_some("off_session") },
    };
    let call = RequestBuilder::new(StripeMethod::Post, "/checkout/sessions").form(&form);
    let session = send(client, call, Some(&asked.key)).await.map_err(CallError::into_fault)?;
    let hosted = match (session.id, session.url) {
        (Some(checkout), Some(url)) => Ok(Hosted { checkout, url }),
        (None, _) => Err(Missing("id")),
        (Some(_), None) => Err(Missing("url")),
    };
    hosted.map_err(unclear).map_err(CallError::into_fault)
}

/// How a page stands.
pub async fn look_up(client: &Pooled, checkout: &str) -> Result<Visit, Fault> {
    check(checkout)?;
    let call = RequestBuilder::new(StripeMethod::Get, format!("/checkout/sessions/{checkout}"));
    let session = send(client, call.query(&Expand { expand: &EXPANDED }), None).await;
    session.and_then(|session| session.visit().map_err(unclear)).map_err(CallError::into_fault)
}

/// Closes a page; where that is too late, what it is instead is the answer.
pub async fn close(client: &Pooled, checkout: &str) -> Result<Visit, Fault> {
    check(checkout)?;
    let call = RequestBuilder::new(StripeMethod::Post, format!("/checkout/sessions/{checkout}/expire"));
    match send(client, call, Some(&format!("expire-{checkout}"))).await {
        Err(CallError::Refused { status, .. }) if status.as_u16() == 400 => look_up(client, checkout).await,
        answer => answer.and_then(|session| session.visit().map_err(unclear)).map_err(CallError::into_fault),
    }
}

/// What an event about a page means.
pub fn notices(kind: &str, session: &Session) -> Result<Vec<Notice>, Missing> {
    let Some(donation) = donation(session.metadata.as_ref()) else { return Ok(vec![]) };
    let payment = || Expandable::intent_id(&session.payment_intent).ok_or(Missing("payment_intent"));
    let attempt = || session.metadata.as_ref().and_then(|metadata| metadata.get(METADATA_ATTEMPT)?.parse().ok());
    let closed = |code: &str| {
        let (code, reason) = (code.to_owned(), reasons::for_donor(code).to_owned());
        let checkout = session.id.clone()?;
        attempt().map(|attempt| Notice::CheckoutClosed { donation, attempt, checkout, code, reason })
    };
    Ok(match kind {
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
            let payment = payment()?;
            vec![if session.payment_status.as_deref() == Some("paid") {
                let amount = money(session.amount_total, session.currency.as_deref())?;
                Notice::Settled { donation, payment, amount, fee: None, card: None }
            } else {
                Notice::Processing { donation, payment }
            }]
        }
        "checkout.session.async_payment_failed" => {
            let (code, payment) = ("payment_failed".to_owned(), payment()?);
            let declined = Notice::Declined { donation, payment, reason: reasons::for_donor(&code).into(), code };
            // Its page is used up, and the payment may have been heard of as refused before.
            [declined].into_iter().chain(closed("payment_failed")).collect()
        }
        "checkout.session.expired" => closed("checkout_expired").into_iter().collect(),
        _ => vec![],
    })
}

impl Session {
    fn visit(self) -> Result<Visit, Missing> {
        match self.status.as_deref().unwrap_or_default() {
            "open" => self.url.map(|url| Visit::Open { url }).ok_or(Missing("url")),
            "expired" => {
                let code = "checkout_expired";
                Ok(Visit::Closed { code: code.into(), reason: reasons::for_donor(code).into() })
            }
            "complete" => {
                let intent = Expandable::object(&self.payment_intent).ok_or(Missing("payment_intent"))?;
                intent.outcome().map(Visit::Used)
            }
            _ => Err(Missing("a status we know")),
        }
    }
}

async fn send(client: &Pooled, call: RequestBuilder, key: Option<&str>) -> Result<Session, CallError> {
    let mut call = call.customize::<Session>();
    if let Some(key) = key {
        call = call.request_strategy(idempotent(key)?);
    }
    call.send(client).await
}

fn check(checkout: &str) -> Result<(), Fault> {
    if is_token(checkout, ID_BYTES_MAX) && checkout.starts_with("cs_") {
        Ok(())
    } else {
        Err(rejected("checkout_id", "this is not the id of a page of Stripe's"))
    }
}
