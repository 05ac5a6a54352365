//! The processor's own list of events: with every webhook lost the ledger ends complete, and with every webhook delivered
//! the list changes nothing.

use crate::localstripe::{self, LocalStripe};
use crate::server::{House, pledge, run, state, until};
use crate::stripe_at::{DONATION, RALLY, borrowed, env, ledger_at, settings};
use crate::webhooks::{hook, succeeded};
use groundswell::domain::id::{CommitteeId, DonationId};
use groundswell::domain::money::{Currency, Money};
use groundswell::engine::Engine;
use groundswell::payments::cashier::Cashier;
use groundswell::payments::stripe::Stripe;
use groundswell::payments::{Charge, Outcome, Processor, charge_key};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wiremock::matchers::{method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn event(name: &str, kind: &str, object: Value) -> Value {
    json!({ "id": name, "object": "event", "type": kind, "livemode": false, "created": 1_790_000_000, "data": { "object": object } })
}

fn page(events: &[Value], has_more: bool) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({ "object": "list", "data": events, "has_more": has_more }))
}

/// Everything that was stored is understood.
async fn interpreted(engine: &Engine, cashier: &Cashier) {
    let stop = CancellationToken::new();
    let (running, stopped) = (cashier.clone(), stop.clone());
    let running = tokio::spawn(async move { running.run(stopped).await });
    until("events stay to be interpreted", || async { engine.world().state.inbox.waiting().next().is_none() }).await;
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_list_brings_what_no_webhook_brought_and_nothing_twice() {
    let server = MockServer::start().await;
    let intent = json!({
        "id": "pi_1", "status": "succeeded", "amount": 2500, "amount_received": 2500, "currency": "usd",
        "metadata": { "donation": DONATION.to_string() },
    });
    let paid = event("evt_1", "payment_intent.succeeded", intent);
    let refund =
        json!({ "id": "re_1", "amount": 1000, "currency": "usd", "status": "succeeded", "payment_intent": "pi_1" });
    let refunded = event("evt_2", "refund.updated", refund);
    let mut others = event("evt_3", "payment_intent.succeeded", json!({}));
    others["account"] = json!("acct_other");
    let mut live = event("evt_4", "payment_intent.succeeded", json!({}));
    live["livemode"] = json!(true);
    let first = Mock::given(method("GET")).and(path("/v1/events")).and(query_param_is_missing("starting_after"));
    first.respond_with(page(&[others, live, refunded], true)).mount(&server).await;
    let second = Mock::given(method("GET")).and(path("/v1/events")).and(query_param("starting_after", "evt_2"));
    second.respond_with(page(&[paid], false)).mount(&server).await;

    let dir = tempfile::tempdir().unwrap();
    let (engine, cashier, _) = ledger_at(dir.path(), &server.uri()).await;
    let done = cashier.catch_up().await.unwrap().unwrap();
    assert_eq!((done.listed, done.taken, done.refused), (4, 2, 2));
    interpreted(&engine, &cashier).await;
    let sums = engine.world().totals.sums(RALLY);
    assert_eq!((sums.gross_minor, sums.refunded_minor, sums.donations), (2500, 1000, 1));
    let seq = engine.world().seq;
    let again = cashier.catch_up().await.unwrap().unwrap();
    assert_eq!((again.listed, again.taken), (4, 0));
    assert!(again.since > done.since, "it goes back to the last reading and a little more");
    assert_eq!(engine.world().seq, seq, "a reading that finds nothing leaves nothing");
}

#[tokio::test]
async fn a_list_that_breaks_off_is_read_from_the_same_place_again() {
    let server = MockServer::start().await;
    let first = event("evt_1", "customer.created", json!({}));
    let begin = Mock::given(method("GET")).and(path("/v1/events")).and(query_param_is_missing("starting_after"));
    begin.respond_with(page(&[first], true)).mount(&server).await;
    let next = Mock::given(method("GET")).and(path("/v1/events")).and(query_param("starting_after", "evt_1"));
    next.respond_with(ResponseTemplate::new(500)).up_to_n_times(1).mount(&server).await;
    let dir = tempfile::tempdir().unwrap();
    let (engine, cashier, _) = ledger_at(dir.path(), &server.uri()).await;
    assert!(cashier.catch_up().await.is_err());
    assert_eq!(engine.world().state.inbox.caught_up(CommitteeId::FIRST), None);
    let late = event("evt_0", "customer.created", json!({}));
    let next = Mock::given(method("GET")).and(path("/v1/events")).and(query_param("starting_after", "evt_1"));
    next.respond_with(page(&[late], false)).mount(&server).await;
    let done = cashier.catch_up().await.unwrap().unwrap();
    assert_eq!((done.listed, done.taken), (2, 1), "what was taken in before the break is known");
    assert!(engine.world().state.inbox.caught_up(CommitteeId::FIRST).is_some());
}

#[tokio::test]
async fn with_every_webhook_lost_the_ledger_ends_complete() {
    let local = LocalStripe::start();
    let house = House::with(&borrowed(&env(&local.api_base()))).await;
    // Charged as if the answer had been lost: the ledger knows of the pledges only.
    let stripe = Stripe::new(settings(&local.api_base())).unwrap();
    let mut paid = vec![];
    for (amount, cents) in [("25", 2500), ("30", 3000)] {
        let pledged = pledge(&house.server, amount, "joan@example.org").await;
        let donation: DonationId = pledged.rsplit('/').next().unwrap().parse().unwrap();
        let (method, rally) = (local.card(localstripe::CARD_OK), "call".into());
        let charge = Charge {
            donation,
            amount: Money::new(cents, Currency::USD),
            key: charge_key(donation, 1),
            method,
            rally,
            repeats: None,
        };
        let answer = stripe.charge(&charge).await.unwrap();
        let Outcome::Settled { payment, .. } = answer else { panic!("{answer:?}") };
        paid.push((pledged, payment, cents));
    }
    assert_eq!(state(&house.server).await["raised_minor"], 0);
    let said = run(&["reconcile"], &house.data());
    assert!(said.status.success(), "{said:?}");
    let words = String::from_utf8(said.stdout).unwrap();
    assert!(words.contains("had not come by webhook and are taken in"), "{words}");
    until("the list's money is not counted", || async { state(&house.server).await["raised_minor"] == 5500 }).await;
    // The webhook at last, under the event's own name or another.
    let (donation, payment, cents) = &paid[0];
    assert_eq!(hook(&house, &succeeded("evt_late", donation, payment, *cents)).await, 200);
    let again = String::from_utf8(run(&["reconcile"], &house.data()).stdout).unwrap();
    assert!(again.contains(": 0 had not come"), "{again}");
    assert_eq!(state(&house.server).await["raised_minor"], 5500);
    house.server.is_well().await;
}

#[tokio::test]
async fn the_page_and_the_command_say_what_there_is() {
    let house = House::new().await;
    let said = run(&["reconcile"], &house.data());
    assert!(said.status.success() && String::from_utf8_lossy(&said.stdout).contains("keeps no list"), "{said:?}");
    let nobody = tempfile::tempdir().unwrap();
    let said = run(&["reconcile"], nobody.path());
    assert_eq!(said.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&said.stderr).contains("no server runs"), "{said:?}");
}
