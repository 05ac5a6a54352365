//! Cards that are kept and charged again: a customer to keep one for, and the parameters of both kinds of charge.
//! <https://docs.stripe.com/payments/save-during-payment>, <https://docs.stripe.com/payments/save-and-reuse>.

use super::client::{CallError, Pooled};
use super::shapes::{METADATA_DONATION, METADATA_DUE, METADATA_NUMBER, METADATA_PLAN, METADATA_RALLY, Missing};
use super::{idempotent, is_token, rejected, unclear};
use crate::domain::id::DonationId;
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
pub(super) fn metadata(donation: DonationId, rally: &str, repeats: Option<&Repeats>) -> HashMap<String, String> {
    let of_gift = [(METADATA_DONATION, donation.to_string()), (METADATA_RALLY, rally.to_owned())];
    let of_plan = repeats.into_iter().flat_map(|repeats| {
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

#[cfg(test)]
mod tests {
    use super::super::settings::{Secret, Settings};
    use super::super::{Pooled, Stripe};
    use super::*;
    use crate::domain::id::PlanId;
    use crate::domain::money::{Currency, Money};
    use crate::payments::{Mode, Processor as _, charge_key};
    use uuid::Uuid;
    use wiremock::matchers::{header, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    /// As the real one is asked, to the byte: a stand-in refuses half of it.
    async fn sent(method_token: &str, customer: Option<&str>) -> Vec<(String, String)> {
        let server = MockServer::start().await;
        let donation = DonationId(Uuid::from_u128(5));
        let key = charge_key(donation, 1);
        let answer = |body: &str| ResponseTemplate::new(200).set_body_raw(body.as_bytes().to_vec(), "application/json");
        let customers = Mock::given(method("POST")).and(path("/v1/customers"));
        let customers = customers.and(header("idempotency-key", format!("customer-{key}").as_str()));
        customers.respond_with(answer(r#"{"id":"cus_9"}"#)).mount(&server).await;
        let intents = Mock::given(method("POST")).and(path("/v1/payment_intents"));
        let intents = intents.and(header("idempotency-key", key.as_str()));
        let paid = r#"{"id":"pi_1","status":"succeeded","amount":2500,"currency":"usd"}"#;
        intents.respond_with(answer(paid)).mount(&server).await;
        let settings = Settings {
            api_base: server.uri(),
            script_url: format!("{}/v3/", server.uri()),
            ..Settings::new(Secret::new("sk_test_1"), "pk_test_1".into(), Secret::new("whsec_Secret"))
        };
        let client = Pooled::new(&settings).unwrap();
        let stripe = Stripe { client, settings, mode: Mode::Test, stand_in: false };
        let repeats = Repeats {
            plan: PlanId(Uuid::from_u128(7)),
            number: if customer.is_some() { 2 } else { 1 },
            due: chrono::NaiveDate::from_ymd_opt(2031, 2, 3).unwrap(),
            customer: customer.map(Into::into),
        };
        let charge = Charge {
            donation,
            amount: Money::new(2500, Currency::USD),
            key,
            method: method_token.into(),
            rally: "call".into(),
            repeats: Some(repeats),
        };
        // Asked again, the same bytes.
        stripe.charge(&charge).await.unwrap();
        stripe.charge(&charge).await.unwrap();
        let requests = server.received_requests().await.unwrap();
        let half = requests.len() / 2;
        let bodies = |requests: &[wiremock::Request]| -> Vec<(String, String)> {
            let body = |request: &wiremock::Request| String::from_utf8(request.body.clone()).unwrap();
            requests.iter().map(|request| (request.url.path().to_owned(), body(request))).collect()
        };
        assert_eq!(bodies(&requests[..half]), bodies(&requests[half..]));
        bodies(&requests[..half])
    }

    const DONATION: &str = "00000000-0000-0000-0000-000000000005";
    const PLAN: &str = "00000000-0000-0000-0000-000000000007";

    #[tokio::test]
    async fn the_first_gift_keeps_its_card_for_a_customer_of_its_own() {
        let token = "ctoken_1";
        let customer = format!("metadata[donation]={DONATION}&metadata[plan]={PLAN}");
        let intent = format!(
            "amount=2500&automatic_payment_methods[allow_redirects]=never&automatic_payment_methods[enabled]=true\
             &capture_method=automatic&confirm=true&confirmation_token={token}&currency=usd&customer=cus_9\
             &expand[0]=latest_charge.balance_transaction&expand[1]=payment_method\
             &metadata[donation]={DONATION}&metadata[due]=2031-02-03&metadata[gift_number]=1&metadata[plan]={PLAN}\
             &metadata[rally]=call&setup_future_usage=off_session&use_stripe_sdk=true"
        );
        let expected = [("/v1/customers".into(), customer), ("/v1/payment_intents".into(), intent)];
        assert_eq!(sent(token, None).await, expected);
    }

    #[tokio::test]
    async fn a_later_gift_is_charged_to_the_card_while_its_owner_is_away() {
        let intent = format!(
            "amount=2500&automatic_payment_methods[allow_redirects]=never&automatic_payment_methods[enabled]=true\
             &capture_method=automatic&confirm=true&currency=usd&customer=cus_9\
             &expand[0]=latest_charge.balance_transaction&expand[1]=payment_method\
             &metadata[donation]={DONATION}&metadata[due]=2031-02-03&metadata[gift_number]=2&metadata[plan]={PLAN}\
             &metadata[rally]=call&off_session=true&payment_method=pm_1"
        );
        assert_eq!(sent("pm_1", Some("cus_9")).await, [("/v1/payment_intents".into(), intent)]);
    }
}
