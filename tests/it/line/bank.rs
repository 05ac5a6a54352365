//! A Stripe that takes the time a bank takes, turns calls away or never answers, keeps keys as Stripe does, and notes when each
//! call came. It charges and nothing else: the one with lists and payouts is `reconcile/bank.rs`, where time plays no part.

use crate::stripe_at::{env, settings};
use axum::Router;
use axum::extract::{Path as At, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use groundswell::payments::stripe::{Settings, Stripe};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What every gift comes to, in cents.
pub const AMOUNT: i64 = 2500;

/// What the stand-in knows.
#[derive(Default)]
pub struct Books {
    /// When each call for a charge came, under which key, and what it was answered.
    pub calls: Vec<(Instant, String, u16)>,
    /// Payments by key: the number in their names, and their donation.
    payments: BTreeMap<String, (usize, String)>,
    /// Calls turned away from now on, with their `Retry-After`.
    pub throttles: Vec<u64>,
    /// Charges whose answer never comes from now on, though they are done.
    pub hangs: usize,
}

/// It answers while the test runs.
#[derive(Clone)]
pub struct Bank {
    books: Arc<Mutex<Books>>,
    base: String,
    takes: Duration,
}

impl Bank {
    pub async fn open(takes: Duration) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bank = Self { books: Arc::default(), base: format!("http://{}", listener.local_addr().unwrap()), takes };
        let routes = Router::new()
            .route("/v1/payment_intents", post(charge))
            .route("/v1/payment_intents/{id}", get(look_up))
            .route("/v1/events", get(async || r#"{"object":"list","data":[],"has_more":false}"#))
            .with_state(bank.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        bank
    }

    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// As a cashier of the test's own calls it: so many times a second, with so much patience.
    pub fn stripe(&self, rate: u32, patience: Duration) -> Arc<Stripe> {
        let calls_per_second = NonZeroU32::new(rate).unwrap();
        let settings = Settings { call_timeout: patience, calls_per_second, ..settings(&self.base) };
        Arc::new(Stripe::new(settings).unwrap())
    }

    /// The settings of a server that calls it so many times a second.
    pub fn env(&self, rate: &'static str) -> Vec<(&'static str, String)> {
        [env(&self.base), vec![("GROUNDSWELL_STRIPE_CALLS_PER_SECOND", rate.into())]].concat()
    }

    /// Keys in the order of their first calls.
    pub fn order(&self) -> Vec<String> {
        let (mut seen, books) = (BTreeSet::new(), self.books());
        books.calls.iter().filter(|(_, key, _)| seen.insert(key.clone())).map(|(_, key, _)| key.clone()).collect()
    }

    /// Nobody was charged under two keys, and no key charged twice is told by the number.
    pub fn charged(&self) -> usize {
        let books = self.books();
        let donations: BTreeSet<&String> = books.payments.values().map(|(_, donation)| donation).collect();
        assert_eq!(donations.len(), books.payments.len(), "a donation was charged twice");
        donations.len()
    }

    /// The most calls in any time so long.
    pub fn most_within(&self, time: Duration) -> usize {
        let books = self.books();
        let within = |from: Instant| move |call: &&(Instant, String, u16)| call.0 - from < time;
        let counts =
            books.calls.iter().enumerate().map(|(n, call)| books.calls[n..].iter().take_while(within(call.0)).count());
        counts.max().unwrap_or(0)
    }
}

fn intent(number: usize, donation: &str) -> String {
    serde_json::json!({
        "id": format!("pi_{number}"), "object": "payment_intent", "status": "succeeded", "amount": AMOUNT,
        "amount_received": AMOUNT, "currency": "usd", "metadata": { "donation": donation },
        "latest_charge": { "id": "ch_1", "balance_transaction": { "fee": 103, "currency": "usd" } },
        "payment_method": { "card": { "brand": "visa", "last4": "4242" } },
    })
    .to_string()
}

async fn charge(State(bank): State<Bank>, headers: HeaderMap, body: String) -> Response {
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    let form: HashMap<_, _> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let throttled = bank.books().throttles.pop();
    if let Some(wait) = throttled {
        bank.books().calls.push((Instant::now(), key, 429));
        tokio::time::sleep(bank.takes).await;
        let error = r#"{"error":{"type":"invalid_request_error","code":"rate_limit"}}"#;
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", wait.to_string())], error).into_response();
    }
    let (answer, hangs) = {
        let mut books = bank.books();
        if form["payment_method"].starts_with("pm_declined") {
            books.calls.push((Instant::now(), key, 402));
            let error = r#"{"error":{"type":"card_error","code":"card_declined"}}"#;
            return (StatusCode::PAYMENT_REQUIRED, error).into_response();
        }
        books.calls.push((Instant::now(), key.clone(), 200));
        let donation = form["metadata[donation]"].clone();
        let next = books.payments.len();
        let (number, first) = books.payments.entry(key).or_insert((next, donation.clone())).clone();
        assert_eq!(first, donation, "a key with two requests");
        let hangs = books.hangs;
        books.hangs = hangs.saturating_sub(1);
        (intent(number, &donation), hangs > 0)
    };
    tokio::time::sleep(if hangs { Duration::from_secs(3600) } else { bank.takes }).await;
    answer.into_response()
}

async fn look_up(State(bank): State<Bank>, At(id): At<String>) -> Response {
    let books = bank.books();
    let number: usize = id.trim_start_matches("pi_").parse().unwrap();
    let (_, donation) = books.payments.values().find(|(known, _)| *known == number).unwrap();
    intent(number, donation).into_response()
}
