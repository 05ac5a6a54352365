//! The payment processors: one conformance run for each, webhooks, stored events, and a Stripe that fails.

mod hosted_page;
mod question;
mod webhooks;

use crate::localstripe::{self, LocalStripe};
use askama::Template;
use chrono::NaiveDate;
use groundswell::domain::id::{DonationId, PlanId, RefundId};
use groundswell::domain::money::{Currency, Money};
use groundswell::payments::card_form::{CardForm, CardFormView};
use groundswell::payments::simulated::{self, Simulated};
use groundswell::payments::stripe::{Secret, Settings, Stripe};
use groundswell::payments::{
    CardSummary, Charge, Fault, Fingerprint, Mode, Notice, Outcome, Processor, Refund, RefundOutcome, Repeats,
    charge_key, refund_key,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use uuid::Uuid;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const SECRET_KEY: &str = "sk_test_51SecretSecret";
const WEBHOOK_SECRET: &str = "whsec_AlsoSecret";
const NOW: i64 = 1_725_000_000;
const DONATION: &str = "0192f3c4-5b6a-7c8d-9e0f-112233445566";
const REFUND: &str = "0192f3c4-9999-7c8d-9e0f-aabbccddeeff";

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

fn settings(api_base: &str) -> Settings {
    Settings {
        api_base: api_base.into(),
        script_url: format!("{api_base}/js.stripe.com/v3/"),
        ..Settings::new(Secret::new(SECRET_KEY), "pk_test_stand".into(), Secret::new(WEBHOOK_SECRET))
    }
}

fn stripe_at(api_base: &str) -> Stripe {
    Stripe::new(settings(api_base)).unwrap()
}

/// A Stripe that is never called.
fn stripe() -> Stripe {
    stripe_at("http://127.0.0.1:1")
}

fn charge(method: &str) -> Charge {
    let donation = DonationId(Uuid::new_v7(uuid::Timestamp::now(uuid::NoContext)));
    Charge {
        donation,
        amount: usd(2500),
        key: charge_key(donation, 1),
        method: method.into(),
        rally: "opening-night".into(),
        repeats: None,
    }
}

/// The other side of a processor, as a donor's browser plays it.
trait Donor {
    fn card(&self, kind: Card) -> String;
    /// Answers the bank's question; the processor is asked afterwards.
    fn answer(&self, payment: &str, client_secret: &str);
}

#[derive(Clone, Copy, Debug)]
enum Card {
    Ok,
    Declined,
    Action,
    ActionDeclined,
}

struct AtSimulated;

impl Donor for AtSimulated {
    fn card(&self, kind: Card) -> String {
        match kind {
            Card::Ok => simulated::METHOD_OK,
            Card::Declined => simulated::METHOD_DECLINED,
            Card::Action => simulated::METHOD_ACTION,
            Card::ActionDeclined => simulated::METHOD_ACTION_FAILED,
        }
        .into()
    }

    fn answer(&self, _: &str, _: &str) {}
}

impl Donor for LocalStripe {
    fn card(&self, kind: Card) -> String {
        LocalStripe::card(
            self,
            match kind {
                Card::Ok => localstripe::CARD_OK,
                Card::Declined => localstripe::CARD_DECLINED,
                Card::Action => localstripe::CARD_ACTION,
                Card::ActionDeclined => localstripe::CARD_ACTION_DECLINED,
            },
        )
    }

    fn answer(&self, payment: &str, client_secret: &str) {
        LocalStripe::answer(self, payment, client_secret, true);
    }
}

/// What every processor must do. A second call with the same key is left out where a stand-in can't do it.
async fn conforms(processor: &dyn Processor, donor: &dyn Donor) {
    let asked = charge(&donor.card(Card::Ok));
    let settled = processor.charge(&asked).await.unwrap();
    let Outcome::Settled { payment, amount, fee, card } = settled.clone() else { panic!("{settled:?}") };
    assert_eq!(amount, asked.amount);
    assert!(fee.is_some_and(|fee| fee.minor >= 0), "{fee:?}");
    assert_eq!(card.unwrap().last4.len(), 4);
    assert_eq!(processor.look_up(&payment).await.unwrap(), settled);
    assert!(matches!(processor.cancel(&payment).await.unwrap(), Outcome::Settled { .. }), "too late to cancel");

    let declined = processor.charge(&charge(&donor.card(Card::Declined))).await.unwrap();
    assert!(matches!(&declined, Outcome::Declined { reason, .. } if reason.contains("Nothing was charged")));
    let unknown_method = processor.charge(&charge("pm_nobody_has_this")).await.unwrap();
    assert!(matches!(&unknown_method, Outcome::Declined { payment: None, .. }), "{unknown_method:?}");

    for (kind, settles) in [(Card::Action, true), (Card::ActionDeclined, false)] {
        let asks = processor.charge(&charge(&donor.card(kind))).await.unwrap();
        let Outcome::NeedsAction { payment, client_secret } = asks.clone() else { panic!("{asks:?}") };
        assert!(!format!("{asks:?}").contains(&client_secret));
        assert!(matches!(processor.look_up(&payment).await.unwrap(), Outcome::NeedsAction { .. }));
        donor.answer(&payment, &client_secret);
        let ended = processor.confirmed(&payment).await.unwrap();
        assert_eq!(matches!(&ended, Outcome::Settled { .. }), settles, "{kind:?}: {ended:?}");
        assert_eq!(matches!(&ended, Outcome::Declined { .. }), !settles, "{kind:?}: {ended:?}");
        assert_eq!(processor.look_up(&payment).await.unwrap(), ended);
    }

    let waiting = processor.charge(&charge(&donor.card(Card::Action))).await.unwrap();
    let Outcome::NeedsAction { payment: waiting, .. } = waiting else { panic!("{waiting:?}") };
    assert!(matches!(processor.cancel(&waiting).await.unwrap(), Outcome::Declined { .. }));
    assert!(matches!(processor.confirmed(&waiting).await.unwrap(), Outcome::Declined { .. }));

    let refund = RefundId(Uuid::new_v7(uuid::Timestamp::now(uuid::NoContext)));
    let refund = Refund { refund, donation: asked.donation, payment, amount: usd(1000), key: refund_key(refund) };
    let refunded = processor.refund(&refund).await.unwrap();
    assert!(matches!(refunded, RefundOutcome::Settled { amount, .. } if amount == usd(1000)), "{refunded:?}");
    let of_waiting = processor.refund(&Refund { payment: waiting, ..refund.clone() }).await;
    assert!(!matches!(of_waiting, Ok(RefundOutcome::Settled { .. })), "{of_waiting:?}");
    for foreign in ["", "nonsense", "../charges", "pi_x?expand=y"] {
        assert!(matches!(processor.look_up(foreign).await, Err(Fault::Rejected { .. })), "{foreign:?}");
    }
}

#[tokio::test]
async fn the_simulation_conforms() {
    let simulated = Simulated::new();
    conforms(&simulated, &AtSimulated).await;
    let asked = charge(simulated::METHOD_OK);
    let first = simulated.charge(&asked).await.unwrap();
    assert_eq!(simulated.charge(&asked).await.unwrap(), first);
    assert!(matches!(first, Outcome::Settled { payment, .. } if payment.starts_with("sim_")));
    assert_eq!(simulated.mode(), Mode::Simulated);
}

#[tokio::test]
async fn stripe_conforms() {
    let local = LocalStripe::start();
    let settings = Settings { script_url: local.script_url(), ..settings(&local.api_base()) };
    conforms(&Stripe::new(settings).unwrap(), &local).await;
}

#[tokio::test]
async fn the_stand_ins_webhooks_are_believed_and_understood() {
    let local = LocalStripe::start();
    let hook = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&hook).await;
    local.send_webhooks_to(&format!("{}/hook", hook.uri()), WEBHOOK_SECRET);
    let stripe = stripe_at(&local.api_base());
    let settles = charge(&local.card(localstripe::CARD_OK));
    let fails = charge(&local.card(localstripe::CARD_DECLINED));
    stripe.charge(&settles).await.unwrap();
    stripe.charge(&fails).await.unwrap();

    let mut requests = Vec::new();
    for _ in 0..100 {
        requests = hook.received_requests().await.unwrap();
        if requests.len() >= 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut notices = Vec::new();
    for request in requests {
        let created = serde_json::from_slice::<serde_json::Value>(&request.body).unwrap()["created"].as_i64().unwrap();
        let signature = request.headers["stripe-signature"].to_str().unwrap();
        let webhook = stripe.verify_webhook(&request.body, signature, created).unwrap();
        assert!(webhook.event_id.starts_with("evt_") && !webhook.livemode);
        notices.extend(stripe.interpret(&request.body).unwrap());
    }
    let about = |id| {
        notices.iter().find(|notice| match notice {
            Notice::Renewed(told) => told.donation == id,
            Notice::Settled { donation, .. } | Notice::Declined { donation, .. } => *donation == id,
            Notice::Processing { .. }
            | Notice::CheckoutClosed { .. }
            | Notice::Refunded { .. }
            | Notice::RefundFailed { .. }
            | Notice::Disputed(_)
            | Notice::Returned(_) => false,
        })
    };
    assert!(matches!(about(settles.donation), Some(Notice::Settled { amount, .. }) if *amount == settles.amount));
    assert!(matches!(about(fails.donation), Some(Notice::Declined { code, .. }) if code == "card_declined"));
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(format!("{}/fixtures/stripe/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A charge of the donation that the fixtures of answers are about.
fn charge_of_fixtures() -> Charge {
    let donation = DONATION.parse().unwrap();
    Charge { donation, key: charge_key(donation, 1), ..charge("pm_1Card") }
}

/// A Stripe that gives one answer to every charge.
async fn answering(answer: ResponseTemplate) -> (MockServer, Result<Outcome, Fault>) {
    let server = MockServer::start().await;
    Mock::given(method("POST")).and(path("/v1/payment_intents")).respond_with(answer).mount(&server).await;
    let settings = Settings { call_timeout: Duration::from_millis(500), ..settings(&server.uri()) };
    let outcome = Stripe::new(settings).unwrap().charge(&charge_of_fixtures()).await;
    (server, outcome)
}

#[tokio::test]
async fn an_answer_becomes_an_outcome_or_a_fault() {
    let json = |status, body: &str| ResponseTemplate::new(status).set_body_raw(body.as_bytes(), "application/json");
    let error = |status, code: &str| json(status, &format!(r#"{{"error":{{"code":"{code}","message":"{code}"}}}}"#));
    let succeeded = fixture("answer.payment_intent.json");
    let unknown = |fault: &Result<Outcome, Fault>| matches!(fault, Err(Fault::Unknown { .. }));
    for (case, answer) in [
        ("too slow", json(200, &succeeded).set_delay(Duration::from_secs(2))),
        ("500", json(500, r#"{"error":{"type":"api_error"}}"#)),
        ("503 of a balancer", ResponseTemplate::new(503).set_body_string("<html>busy</html>")),
        ("409: the first call is under way", error(409, "idempotency_key_in_use")),
        ("a redirect", ResponseTemplate::new(302)),
        ("a success that is not JSON", ResponseTemplate::new(200).set_body_string("<html>ok</html>")),
        ("a success that is empty", ResponseTemplate::new(200)),
        ("a success without a status", json(200, r#"{"id":"pi_1"}"#)),
        ("a success in a status of the future", json(200, r#"{"id":"pi_1","status":"levitating"}"#)),
        ("a success without an end", json(200, &" ".repeat(2 * 1024 * 1024))),
    ] {
        let (_server, outcome) = answering(answer).await;
        assert!(unknown(&outcome), "{case}: {outcome:?}");
    }
    for (case, answer, expected) in [
        ("429", error(429, "rate_limit"), Fault::Throttled { retry_after: None }),
        (
            "429 with a wait",
            error(429, "rate_limit").insert_header("retry-after", "7"),
            Fault::Throttled { retry_after: Some(Duration::from_secs(7)) },
        ),
        (
            "400",
            error(400, "amount_too_small"),
            Fault::Rejected { code: "amount_too_small".into(), message: "amount_too_small".into() },
        ),
        (
            "400 that is not JSON",
            ResponseTemplate::new(400).set_body_string("<html>"),
            Fault::Rejected { code: "status_400".into(), message: String::new() },
        ),
    ] {
        let (_server, outcome) = answering(answer).await;
        assert_eq!(outcome, Err(expected), "{case}");
    }
    let leak = json(401, r#"{"error":{"message":"Invalid API Key provided: sk_test_51SecretSecret"}}"#);
    let (_server, outcome) = answering(leak).await;
    assert!(matches!(&outcome, Err(Fault::Barred { .. })) && !format!("{outcome:?}").contains("sk_test"));
}

/// The card of the fixtures.
fn known_by() -> Option<Fingerprint> {
    Some(Fingerprint::new("AOB934RVNwzk6xtn".into()))
}

#[tokio::test]
async fn a_token_is_asked_whose_card_it_is() {
    let server = MockServer::start().await;
    let stripe = stripe_at(&server.uri());
    for (token, at, body) in [
        (
            "ctoken_1",
            "/v1/confirmation_tokens/ctoken_1",
            r#"{"payment_method_preview":{"card":{"fingerprint":"AOB934RVNwzk6xtn"}}}"#,
        ),
        (
            "pm_1",
            "/v1/payment_methods/pm_1",
            r#"{"id":"pm_1","card":{"fingerprint":"AOB934RVNwzk6xtn","last4":"4242"}}"#,
        ),
        ("card_1", "/v1/payment_methods/card_1", r#"{"id":"card_1","fingerprint":"AOB934RVNwzk6xtn"}"#),
    ] {
        let answer = ResponseTemplate::new(200).set_body_raw(body, "application/json");
        Mock::given(method("GET")).and(path(at)).respond_with(answer).expect(1).mount(&server).await;
        assert_eq!(stripe.fingerprint(token).await, Ok(known_by()), "{token}");
    }
    let debit = ResponseTemplate::new(200).set_body_raw(r#"{"us_bank_account":{}}"#, "application/json");
    Mock::given(method("GET")).and(path("/v1/payment_methods/pm_2")).respond_with(debit).mount(&server).await;
    assert_eq!(stripe.fingerprint("pm_2").await, Ok(None));
    assert_eq!(stripe.fingerprint("pm/../customers").await, Ok(None));
    assert!(stripe.fingerprint("pm_3").await.is_err());
}

#[tokio::test]
async fn current_shapes_are_read_with_fee_card_and_reason() {
    let answer = ResponseTemplate::new(200).set_body_raw(fixture("answer.payment_intent.json"), "application/json");
    let expected = Outcome::Settled {
        payment: "pi_3QGroundswell0001".into(),
        amount: usd(2500),
        fee: Some(usd(103)),
        card: Some(CardSummary { brand: "visa".into(), last4: "4242".into(), fingerprint: known_by() }),
    };
    assert_eq!(answering(answer).await.1, Ok(expected));
    let answer = ResponseTemplate::new(402).set_body_raw(fixture("answer.card_error.json"), "application/json");
    let (_server, declined) = answering(answer).await;
    let Ok(Outcome::Declined { payment, code, reason, fingerprint }) = declined else { panic!("{declined:?}") };
    assert_eq!((payment.as_deref(), code.as_str()), (Some("pi_3QGroundswell0001"), "insufficient_funds"));
    assert!(reason.contains("not enough money"), "{reason}");
    assert_eq!(fingerprint, known_by(), "one card, whether it paid or not");
    assert!(!format!("{fingerprint:?}").contains("AOB934"));
}

#[tokio::test]
async fn the_key_sent_is_the_key_given_each_time() {
    let server = MockServer::start().await;
    let succeeded = fixture("answer.payment_intent.json");
    let asked = charge_of_fixtures();
    Mock::given(method("POST"))
        .and(path("/v1/payment_intents"))
        .and(header("idempotency-key", asked.key.as_str()))
        .and(header("authorization", format!("Bearer {SECRET_KEY}").as_str()))
        .respond_with(ResponseTemplate::new(200).set_body_raw(succeeded, "application/json"))
        .expect(2)
        .mount(&server)
        .await;
    let stripe = stripe_at(&server.uri());
    let first = stripe.charge(&asked).await.unwrap();
    assert_eq!(stripe.charge(&asked).await.unwrap(), first);
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[0].body, requests[1].body, "the same key must carry the same request");
    let body = String::from_utf8(requests[0].body.clone()).unwrap();
    for part in ["amount=2500", "currency=usd", "confirm=true", "payment_method=pm_1Card", &asked.donation.to_string()]
    {
        assert!(body.contains(part), "{part} is not in {body}");
    }
    assert_eq!(asked.key, format!("charge-{}-1", asked.donation));
}

/// The first gift of a plan keeps its card, and the next is charged to it while its owner is away.
async fn keeps(processor: &dyn Processor, donor: &dyn Donor) {
    let plan = PlanId(Uuid::from_u128(7));
    let due = chrono::NaiveDate::from_ymd_opt(2031, 2, 3).unwrap();
    let first = Repeats { plan, number: 1, due, customer: None };
    let asked = Charge { repeats: Some(first.clone()), ..charge(&donor.card(Card::Ok)) };
    let Outcome::Settled { payment, .. } = processor.charge(&asked).await.unwrap() else { panic!("settles") };
    let saved = processor.saved(&payment).await.unwrap().unwrap();
    let next = Repeats { number: 2, customer: Some(saved.customer.clone()), ..first };
    let again = Charge { repeats: Some(next), ..charge(&saved.method) };
    let Outcome::Settled { payment, .. } = processor.charge(&again).await.unwrap() else { panic!("settles again") };
    assert_eq!(processor.saved(&payment).await.unwrap(), Some(saved));
    let once = processor.charge(&charge(&donor.card(Card::Declined))).await.unwrap();
    assert!(matches!(once, Outcome::Declined { .. }));
}

#[tokio::test]
async fn the_simulation_keeps_cards() {
    keeps(&Simulated::new(), &AtSimulated).await;
    let asked = Charge { method: simulated::METHOD_ONCE.into(), ..charge("") };
    let Outcome::Settled { payment, .. } = Simulated::new().charge(&asked).await.unwrap() else { panic!("settles") };
    let saved = Simulated::new().saved(&payment).await.unwrap().unwrap();
    assert!(matches!(Simulated::new().charge(&charge(&saved.method)).await, Ok(Outcome::Declined { .. })));
}

#[tokio::test]
async fn stripe_keeps_cards() {
    let local = LocalStripe::start();
    keeps(&stripe_at(&local.api_base()), &local).await;
}

/// A server that hands each connection to `serve` as raw bytes.
async fn raw_server(answer: Option<String>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 16 * 1024];
                while let Ok(1..) = stream.read(&mut buffer).await {
                    let Some(answer) = &answer else { return };
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, connections)
}

#[tokio::test]
async fn a_lost_connection_is_unknown() {
    let (lost, _) = raw_server(None).await;
    let outcome = stripe_at(&lost).charge(&charge("pm_1Card")).await;
    assert!(matches!(outcome, Err(Fault::Unknown { .. })), "{outcome:?}");
    let (nonsense, _) = raw_server(Some("SSH-2.0-OpenSSH\r\n\r\n".into())).await;
    let outcome = stripe_at(&nonsense).charge(&charge("pm_1Card")).await;
    assert!(matches!(outcome, Err(Fault::Unknown { .. })), "{outcome:?}");
    let outcome = stripe().charge(&charge("pm_1Card")).await;
    assert!(matches!(outcome, Err(Fault::Unknown { .. })), "nobody listens: {outcome:?}");
}

#[tokio::test]
async fn calls_share_a_connection() {
    let body = fixture("answer.payment_intent.json");
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (address, connections) = raw_server(Some(answer)).await;
    let stripe = stripe_at(&address);
    for _ in 0..5 {
        stripe.look_up("pi_1").await.unwrap();
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_token_that_could_be_anything_else_is_never_sent() {
    let server = MockServer::start().await;
    let stripe = stripe_at(&server.uri());
    for method in ["", "4242 4242 4242 4242", "pm_1&amount=1", "pm_1\r\nx: y", "pm_é", &"p".repeat(300)] {
        let outcome = stripe.charge(&charge(method)).await.unwrap();
        assert!(
            matches!(&outcome, Outcome::Declined { code, .. } if code == "method_unusable"),
            "{method:?}: {outcome:?}"
        );
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[test]
fn secrets_and_tokens_are_never_shown() {
    let shown = format!("{:?} {:?} {:?}", settings("http://127.0.0.1:1"), stripe(), charge("pm_1Card"));
    for secret in [SECRET_KEY, WEBHOOK_SECRET, "pm_1Card"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[derive(Template)]
#[template(path = "parts/card_form.html")]
struct CardStep {
    card: CardFormView,
}

#[test]
fn the_card_step_shows_what_its_processor_needs() {
    let view = |form| CardFormView::new(form, "/r/a/donate/1/pay".into(), usd(5000));
    let scripted = CardStep { card: view(stripe().card_form()) }.render().unwrap();
    for part in [
        r#"method="post" action="/r/a/donate/1/pay""#,
        r#"data-publishable-key="pk_test_stand""#,
        r#"data-script-url="http://127.0.0.1:1/js.stripe.com/v3/""#,
        r#"<div id="card-element""#,
        r#"role="alert""#,
        "Donate $50</button>",
    ] {
        assert!(scripted.contains(part), "{part} is not in {scripted}");
    }
    assert!(!scripted.contains("SIMULATED"));
    let mut card = view(Simulated::new().card_form());
    card.fields.push(("csrf".into(), "\"><script>".into()));
    let simulated = CardStep { card }.render().unwrap();
    assert!(simulated.contains("SIMULATED") && simulated.contains(r#"name="method" value="simulated_ok" checked"#));
    assert_eq!(simulated.matches("type=\"radio\"").count(), 5);
    assert!(!simulated.contains("<script>"));
    let asks = CardStep { card: CardFormView::simulated_action("/a".into(), usd(5000)) }.render().unwrap();
    assert!(asks.contains("SIMULATED") && asks.contains(r#"name="confirmed" value="true""#));
}

#[test]
fn the_pages_policy_lets_in_the_processors_script_and_nothing_else() {
    let sources = stripe().card_form().sources();
    assert_eq!((sources.script, sources.frame, sources.connect), {
        let stand_in = vec![String::from("http://127.0.0.1:1")];
        (stand_in.clone(), vec![], stand_in)
    });
    let real = Settings::new(Secret::new("sk_test_1"), "pk_test_1".into(), Secret::new(WEBHOOK_SECRET));
    let form = Stripe::new(real).unwrap().card_form();
    assert!(form.sources().script.contains(&"https://js.stripe.com".into()));
    assert!(matches!(form, CardForm::Scripted { script_url, .. } if script_url == "https://js.stripe.com/v3/"));
    assert_eq!(Simulated::new().card_form().sources(), Default::default());
}
