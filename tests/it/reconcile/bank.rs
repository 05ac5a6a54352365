//! A Stripe with books: it charges, keeps lists of events, balance transactions and payouts, and sends no webhook at all.
//! It answers at once: the one that takes its time is `line/bank.rs`.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use wiremock::matchers::{method, path, path_regex};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// Items of a page: few, so that every list has several.
const PAGE: usize = 2;

/// What the bank has in its books.
#[derive(Default)]
pub struct Books {
    pub intents: Vec<Value>,
    pub events: Vec<Value>,
    pub transactions: Vec<Value>,
    pub payouts: Vec<Value>,
    pub refunds: Vec<Value>,
    pub disputes: Vec<Value>,
    /// By payout, names of transactions.
    pub contents: HashMap<String, Vec<String>>,
    /// Charges that are done, and whose answers are lost.
    pub lost_answers: usize,
    /// Changes what is answered about payments.
    pub spoil: Option<fn(&mut Value)>,
    pub account: String,
    /// What its names begin with after their kind: nothing but where there are several accounts.
    mark: String,
    keys: HashMap<String, Value>,
}

/// It runs while this lives.
pub struct Bank {
    pub server: MockServer,
    pub books: Arc<Mutex<Books>>,
    /// Of further accounts, by their secret keys.
    others: Arc<Mutex<HashMap<String, Arc<Mutex<Books>>>>>,
}

pub fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

/// Stripe's price of a card payment, as an example.
pub fn fee(cents: i64) -> i64 {
    cents * 29 / 1000 + 30
}

fn form(request: &Request) -> HashMap<String, String> {
    form_urlencoded::parse(&request.body).into_owned().collect()
}

fn answer(body: Option<Value>) -> ResponseTemplate {
    match body {
        Some(body) => ResponseTemplate::new(200).set_body_json(body),
        None => ResponseTemplate::new(404).set_body_json(json!({ "error": { "type": "invalid_request_error" } })),
    }
}

fn query(request: &Request, name: &str) -> Option<String> {
    request.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// A page of a list whose newest item is the last.
fn page<'a>(items: impl DoubleEndedIterator<Item = &'a Value>, request: &Request) -> ResponseTemplate {
    let since: i64 = query(request, "created[gte]").map_or(0, |since| since.parse().unwrap());
    let mut items: Vec<&Value> = items.rev().filter(|item| item["created"].as_i64().unwrap() >= since).collect();
    if let Some(after) = query(request, "starting_after") {
        let at = items.iter().position(|item| item["id"] == after.as_str()).unwrap();
        items.drain(..=at);
    }
    let more = items.len() > PAGE;
    items.truncate(PAGE);
    answer(Some(json!({ "object": "list", "data": items, "has_more": more })))
}

impl Books {
    /// Charges once for each key, whatever becomes of the answer.
    fn charge(&mut self, request: &Request) -> Value {
        let key = request.headers["idempotency-key"].to_str().unwrap().to_owned();
        if let Some(made) = self.keys.get(&key) {
            return made.clone();
        }
        let form = form(request);
        let number = format!("{}{}", self.mark, self.intents.len() + 1);
        let (payment, cents) = (format!("pi_{number}"), form["amount"].parse::<i64>().unwrap());
        let metadata = json!({ "donation": form["metadata[donation]"], "rally": form["metadata[rally]"] });
        let intent = json!({
            "id": payment, "object": "payment_intent", "status": "succeeded", "livemode": false, "amount": cents,
            "amount_received": cents, "currency": form["currency"], "metadata": metadata,
            // Its balance transaction is made a little later, as with payments that settle asynchronously.
            "latest_charge": { "id": format!("ch_{number}"), "balance_transaction": null },
        });
        self.keys.insert(key, intent.clone());
        self.intents.push(intent.clone());
        self.events.push(json!({
            "id": format!("evt_{number}"), "object": "event", "type": "payment_intent.succeeded", "livemode": false,
            "created": now(), "data": { "object": intent },
        }));
        let source = json!({
            "id": format!("ch_{number}"), "object": "charge", "amount": cents, "currency": form["currency"],
            "livemode": false, "metadata": metadata, "payment_intent": payment,
        });
        self.moved(&format!("txn_{number}"), "charge", cents, fee(cents), source);
        intent
    }

    /// Something moved the balance.
    pub fn moved(&mut self, name: &str, kind: &str, cents: i64, fee: i64, source: Value) {
        let category = match kind {
            "adjustment" if cents < 0 => "dispute",
            "adjustment" => "dispute_reversal",
            kind => kind,
        };
        self.transactions.push(json!({
            "id": name, "object": "balance_transaction", "type": kind, "reporting_category": category, "amount": cents,
            "fee": fee, "net": cents - fee, "currency": "usd", "created": now(), "available_on": now() + 86_400,
            "source": source, "a_field_of_the_future": { "deep": [1.5] },
        }));
    }

    /// Somebody gave money back on the bank's own pages; no event tells of it.
    pub fn refund(&mut self, name: &str, payment: &str, cents: i64) {
        let refund = json!({
            "id": name, "object": "refund", "amount": cents, "currency": "usd", "status": "succeeded", "metadata": {},
            "payment_intent": payment,
        });
        self.refunds.push(refund.clone());
        self.moved(&format!("txn_{name}"), "refund", -cents, 0, refund);
    }

    /// A bank asks for money back, and gets it; no event tells of it.
    pub fn dispute(&mut self, name: &str, payment: &str, cents: i64) {
        let mut dispute = json!({
            "id": name, "object": "dispute", "amount": cents, "currency": "usd", "status": "needs_response",
            "reason": "fraudulent", "livemode": false, "payment_intent": payment, "evidence_details": { "due_by": 1_999_999_999 },
        });
        self.moved(&format!("txn_{name}"), "adjustment", -cents, 1_500, dispute.clone());
        dispute["balance_transactions"] = json!([self.transactions.last().unwrap()]);
        dispute["balance_transactions"][0]["source"] = json!(name);
        self.disputes.push(dispute);
    }

    /// What is in the balance and in no payout goes to the bank; `off` cents more than that.
    pub fn pay_out(&mut self, name: &str, status: &str, off: i64) -> i64 {
        let taken: Vec<String> = self.contents.values().flatten().cloned().collect();
        let rest = self.transactions.iter().filter(|found| !taken.contains(&found["id"].as_str().unwrap().to_owned()));
        let rest: Vec<&Value> = rest.collect();
        let sum = rest.iter().map(|found| found["net"].as_i64().unwrap()).sum::<i64>() + off;
        let names: Vec<String> = rest.iter().map(|found| found["id"].as_str().unwrap().to_owned()).collect();
        let payout = json!({
            "id": name, "object": "payout", "amount": sum, "currency": "usd", "created": now(), "arrival_date": now() + 172_800,
            "status": status, "automatic": true, "livemode": false, "reconciliation_status": "completed",
        });
        self.payouts.push(payout.clone());
        self.moved(&format!("txn_{name}"), "payout", -sum, 0, payout);
        self.contents.insert(name.into(), [names, vec![format!("txn_{name}")]].concat());
        sum
    }
}

impl Bank {
    pub async fn open() -> Self {
        let server = MockServer::start().await;
        let books = Arc::new(Mutex::new(Books { account: "acct_ours".into(), ..Books::default() }));
        let bank = Self { server, books, others: Arc::default() };
        bank.on("POST", "/v1/payment_intents", |books, request| {
            let mut made = books.charge(request);
            if books.lost_answers > 0 {
                books.lost_answers -= 1;
                return ResponseTemplate::new(500);
            }
            if let Some(spoil) = books.spoil {
                spoil(&mut made);
            }
            answer(Some(made))
        })
        .await;
        bank.on("GET", "/v1/events", |books, request| page(books.events.iter(), request)).await;
        bank.on("GET", "/v1/payouts", |books, request| page(books.payouts.iter(), request)).await;
        bank.on("GET", "/v1/account", |books, _| answer(Some(json!({ "id": books.account, "object": "account" }))))
            .await;
        bank.on("GET", "/v1/balance_transactions", |books, request| match query(request, "payout") {
            Some(payout) => {
                let names = &books.contents[&payout];
                let is_in = |found: &&Value| names.contains(&found["id"].as_str().unwrap().to_owned());
                page(books.transactions.iter().filter(is_in), request)
            }
            None => page(books.transactions.iter(), request),
        })
        .await;
        for (kind, of) in [
            ("payment_intents", (|books| &books.intents) as fn(&Books) -> &Vec<Value>),
            ("refunds", |books| &books.refunds),
            ("disputes", |books| &books.disputes),
        ] {
            let whose = bank.whose();
            Mock::given(method("GET"))
                .and(path_regex(format!("^/v1/{kind}/[a-z0-9_]+$")))
                .respond_with(move |request: &Request| {
                    let books = whose(request);
                    let books = books.lock().unwrap();
                    let id = request.url.path().rsplit('/').next().unwrap();
                    let mut found = of(&books).iter().find(|found| found["id"] == id).cloned();
                    if let (Some(spoil), Some(found)) = (books.spoil, &mut found) {
                        spoil(found);
                    }
                    answer(found)
                })
                .mount(&bank.server)
                .await;
        }
        bank
    }

    async fn on(&self, verb: &str, at: &str, answer: fn(&mut Books, &Request) -> ResponseTemplate) {
        let whose = self.whose();
        let respond = move |request: &Request| answer(&mut whose(request).lock().unwrap(), request);
        Mock::given(method(verb)).and(path(at)).respond_with(respond).mount(&self.server).await;
    }

    /// Whose books a request is about: those of the account whose key it bears.
    fn whose(&self) -> impl Fn(&Request) -> Arc<Mutex<Books>> + Send + Sync + 'static {
        let (books, others) = (self.books.clone(), self.others.clone());
        move |request| {
            let key = request.headers["authorization"].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
            others.lock().unwrap().get(&key).unwrap_or(&books).clone()
        }
    }

    /// Opens another account, whose secret key this is.
    pub fn also(&self, key: &str, account: &str) -> Arc<Mutex<Books>> {
        let books = Books { account: account.into(), mark: account.into(), ..Books::default() };
        let books = Arc::new(Mutex::new(books));
        self.others.lock().unwrap().insert(key.into(), books.clone());
        books
    }

    /// Changes its books.
    pub fn change<T>(&self, change: impl FnOnce(&mut Books) -> T) -> T {
        change(&mut self.books.lock().unwrap())
    }
}
