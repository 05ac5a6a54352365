//! Cards that are kept and charged again: a customer to keep one for, and the parameters of both kinds of charge.
//! <https://docs.stripe.com/payments/save-during-payment>, <https://docs.stripe.com/payments/save-and-reuse>.

use super::client::{CallError, Pooled};
use super::shapes::{METADATA_DONATION, METADATA_DUE, METADATA_NUMBER, METADATA_PLAN, METADATA_RALLY, Missing};
use super::{idempotent, is_token, rejected, unclear};
use crate::payments::{Charge, Fault, METHOD_BYTES_MAX, Repeats};
use serde::Serialize;
use std::collections::HashMap;
use stripe_client_core::{RequestBuilder, StripeMethod};
use stripe_core::payment_intent::{CreatePaymentIntent, CreatePaymentIntentOffSession};
use stripe_shared::PaymentIntentSetupFutureUsage;

/// Whom a card is kept for. Neither name nor address: what they are is known here.
#[derive(Serialize)]
struct Customer {
    metadata: HashMap<&'static str, String>,
}

#[derive(miniserde::Deserialize)]
struct Made {
    id: Option<String>,
}

/// What is written on a payment.
pub(super) fn metadata(charge: &Charge) -> HashMap<String, String> {
    let of_gift = [(METADATA_DONATION, charge.donation.to_string()), (METADATA_RALLY, charge.rally.clone())];
    let of_plan = charge.repeats.iter().flat_map(|repeats| {
        let Repeats { plan, number, due, .. } = repeats;
        [(METADATA_PLAN, plan.to_string()), (METADATA_NUMBER, number.to_string()), (METADATA_DUE, due.to_string())]
    });
    of_gift.into_iter().chain(of_plan).map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The charge of a recurring gift: of the card that is kept, or of one that is to be.
///
/// # Errors
/// [`Fault`]; the customer has a key made from the charge's, so that asking again gives the same one.
pub(super) async fn repeat(
    client: &Pooled,
    create: CreatePaymentIntent,
    charge: &Charge,
    repeats: &Repeats,
    stand_in: bool,
) -> Result<CreatePaymentIntent, Fault> {
    if let Some(customer) = &repeats.customer {
        if !is_token(customer, METHOD_BYTES_MAX) {
            return Err(rejected("customer", "this is not the id of a Stripe customer"));
        }
        return Ok(create.customer(customer.as_str()).off_session(CreatePaymentIntentOffSession::Bool(true)));
    }
    let create = create.customer(customer(client, charge, repeats).await.map_err(CallError::into_fault)?);
    // The stand-in refuses it, and charges any card of anybody again.
    Ok(if stand_in { create } else { create.setup_future_usage(PaymentIntentSetupFutureUsage::OffSession) })
}

async fn customer(client: &Pooled, charge: &Charge, repeats: &Repeats) -> Result<String, CallError> {
    let metadata =
        HashMap::from([(METADATA_DONATION, charge.donation.to_string()), (METADATA_PLAN, repeats.plan.to_string())]);
    let call = RequestBuilder::new(StripeMethod::Post, "/customers").form(&Customer { metadata });
    let strategy = idempotent(&format!("customer-{}", charge.key))?;
    let made: Made = call.customize().request_strategy(strategy).send(client).await?;
    made.id.ok_or(Missing("id")).map_err(unclear)
}
