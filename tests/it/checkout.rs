//! Paying on Stripe's own page, as its stand-in plays it: to the thanks whatever gets lost, once whatever comes twice.

mod recurring;

use crate::checkout_stand_in::StandIn;
use crate::server::{House, Server, csv_rows, pay, pledge, run, state, try_send, until};
use crate::stripe_at::{DONATION, RALLY, borrowed, ledger_at};
use groundswell::domain::donation::CHECKOUT;
use groundswell::payments::cashier::{Handover, Standing};
use serde_json::json;

const PUBLIC: &str = "https://rally.example";
const SESSIONS: &str = "/v1/checkout/sessions";

/// A server that pays by the stand-in, which sends it no webhooks yet.
async fn house(stand_in: &StandIn) -> House {
    House::with(&env(&stand_in.env())).await
}

fn env<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    [borrowed(settings), vec![("GROUNDSWELL_PUBLIC_URL", PUBLIC)]].concat()
}

/// Presses the button of the card step; where the donor is sent.
async fn begin(server: &Server, donation: &str) -> String {
    let answer = server.post(&format!("{donation}/checkout"), &[]).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location")
}

/// The way back from Stripe's page, as the donor's browser takes it.
async fn go_back(server: &Server, address: &str) -> String {
    let path = address.strip_prefix(PUBLIC).unwrap_or_else(|| panic!("{address} is not ours"));
    let answer = server.get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

async fn raised(house: &House) -> i64 {
    state(&house.server).await["raised_minor"].as_i64().unwrap()
}

fn reconcile(house: &House) {
    let said = run(&["reconcile"], &house.data());
    assert!(said.status.success(), "{said:?}");
}

fn events(house: &House) -> Vec<serde_json::Value> {
    let output = run(&["log", "tail", "-n", "10000"], &house.data());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How many sessions there are: calls that asked for one, without repeats.
async fn sessions(stand_in: &StandIn) -> usize {
    let calls = stand_in.calls("POST", SESSIONS).await;
    let keys =
        calls.iter().filter(|call| call["path"] == SESSIONS).map(|call| call["key"].as_str().unwrap().to_owned());
    keys.collect::<std::collections::BTreeSet<_>>().len()
}

/// Counted once, as one row under the payment's own name, with its fee.
async fn is_booked_once(house: &House, cents: i64) {
    until("the fee is not known", || async {
        let rows = csv_rows(&run(&["export", "csv"], &house.data()).stdout);
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert!(rows[0]["payment"].starts_with("pi_"), "{rows:?}");
        assert_eq!(crate::server::minor(&rows[0]["amount"]), cents);
        !rows[0]["fee"].is_empty()
    })
    .await;
    assert_eq!(raised(house).await, cents);
    house.server.is_well().await;
}

#[tokio::test]
async fn paid_and_told_by_webhook() {
    let stand_in = StandIn::start();
    let house = house(&stand_in).await;
    stand_in.tells(house.server.http).await;
    let donation = pledge(&house.server, "25", "joan@example.org").await;
    let card_step = house.server.get(&donation).await;
    assert!(card_step.text().contains("Pay $25 on Stripe’s page"), "{}", card_step.text());
    let policy = card_step.header("content-security-policy");
    assert!(policy.contains(&format!("form-action 'self' {};", stand_in.base())), "{policy}");
    let elsewhere = house.server.get("/r/call/donate").await.header("content-security-policy");
    assert!(elsewhere.contains("form-action 'self';"), "{elsewhere}");
    let url = begin(&house.server, &donation).await;
    let waiting = house.server.get(&donation).await.text();
    assert!(waiting.contains("You have begun to pay on Stripe’s page"), "{waiting}");
    // A card that is refused there leaves the page open.
    assert!(stand_in.press(&url, "decline").await.unwrap_err().contains("declined"));
    until("the refusal is not heard of", || async {
        events(&house).iter().any(|event| event["kind"] == "donation.declined")
    })
    .await;
    assert_eq!(begin(&house.server, &donation).await, url);
    let back = stand_in.press(&url, "pay").await.unwrap();
    until("the webhook's money is not counted", || async { raised(&house).await == 2500 }).await;
    assert!(go_back(&house.server, &back).await.contains("Thank you"));
    is_booked_once(&house, 2500).await;
    let log = events(&house);
    let kinds: Vec<_> = log.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    let place = |kind: &str| kinds.iter().position(|found| *found == kind).unwrap_or_else(|| panic!("no {kind}"));
    assert!(place("donation.payment_requested") < place("donation.checkout_opened"), "intent before effect");
    assert_eq!(log[place("donation.payment_requested")]["data"]["method"], CHECKOUT);
    // The page's address is nobody's but the donor's.
    let key = url.split_once("key=").unwrap().1;
    assert!(!log.iter().any(|event| event.to_string().contains(key)), "{log:?}");
    assert!(!house.server.printed().contains(key));
    assert!(!waiting.contains(key), "nor does it stand on our page");
}

#[tokio::test]
async fn paid_and_asked_for_on_the_way_back() {
    let stand_in = StandIn::start();
    let house = house(&stand_in).await;
    let donation = pledge(&house.server, "25", "joan@example.org").await;
    let url = begin(&house.server, &donation).await;
    let back = stand_in.press(&url, "pay").await.unwrap();
    assert_eq!(raised(&house).await, 0);
    assert!(go_back(&house.server, &back).await.contains("Thank you"));
    is_booked_once(&house, 2500).await;
    let rows = csv_rows(&run(&["export", "csv"], &house.data()).stdout);
    assert_eq!(rows[0]["card"], "visa 4242");
    // What the list tells of it afterwards is no news.
    reconcile(&house);
    until("events stay to be interpreted", || async {
        let log = events(&house);
        let of = |kind: &str| log.iter().filter(|event| event["kind"] == kind).count();
        of("inbox.received") > 1 && of("inbox.received") == of("inbox.interpreted")
    })
    .await;
    is_booked_once(&house, 2500).await;
    assert_eq!(begin(&house.server, &donation).await, donation, "what is paid is not paid again");
    assert_eq!(sessions(&stand_in).await, 1);
}

#[tokio::test]
async fn paid_and_never_came_back() {
    let stand_in = StandIn::start();
    let house = house(&stand_in).await;
    let donation = pledge(&house.server, "25", "joan@example.org").await;
    let url = begin(&house.server, &donation).await;
    stand_in.press(&url, "pay").await.unwrap();
    reconcile(&house);
    until("the list's money is not counted", || async { raised(&house).await == 2500 }).await;
    is_booked_once(&house, 2500).await;
    assert!(house.server.get(&donation).await.text().contains("Thank you"));
}

#[tokio::test]
async fn gone_back_without_paying_and_paid_here_by_card() {
    let stand_in = StandIn::start();
    let house = house(&stand_in).await;
    stand_in.tells(house.server.http).await;
    let donation = pledge(&house.server, "25", "joan@example.org").await;
    let url = begin(&house.server, &donation).await;
    let card_step = go_back(&house.server, &format!("{PUBLIC}{donation}")).await;
    assert!(card_step.contains("Go on to Stripe’s page") && card_step.contains("id=\"card-element\""), "{card_step}");
    // The page must be closed before the card is charged: while it can't be, nothing is.
    stand_in.config(json!({ "lose": 3 })).await;
    let kind = [("content-type", "application/json")];
    let lost = house.server.send("POST", &format!("{donation}/pay"), &kind, br#"{"method":"pm_good"}"#).await;
    assert!(lost.status >= 500, "{}", lost.text());
    stand_in.config(json!({ "lose": 0 })).await;
    assert!(stand_in.calls("POST", "/v1/payment_intents").await.is_empty());
    let paid = pay(&house.server, &donation, "pm_good").await;
    assert_eq!(paid["state"], "settled", "{paid}");
    let closed = stand_in.calls("POST", &format!("{SESSIONS}/")).await;
    assert!(closed.iter().all(|call| call["path"].as_str().unwrap().ends_with("/expire")) && !closed.is_empty());
    assert!(stand_in.press(&url, "pay").await.is_err(), "both could be paid");
    is_booked_once(&house, 2500).await;
}

#[tokio::test]
async fn a_page_that_expired_frees_the_donation_however_that_is_heard_of() {
    let stand_in = StandIn::start();
    let house = house(&stand_in).await;
    let page_of = |url: &str| url.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    for (attempt, way) in [(1, "by asking"), (2, "by the list"), (3, "by webhook")] {
        // Each its own donor: here it is the way that is looked at.
        let donation = pledge(&house.server, "25", &format!("joan{attempt}@example.org")).await;
        let url = begin(&house.server, &donation).await;
        if way == "by webhook" {
            stand_in.tells(house.server.http).await;
        }
        stand_in.config(json!({ "expire": page_of(&url) })).await;
        let closed = || events(&house).iter().filter(|event| event["kind"] == "donation.checkout_closed").count();
        if way == "by the list" {
            reconcile(&house);
        }
        if way != "by asking" {
            until(way, || async { closed() == attempt }).await;
        }
        let card_step = house.server.get(&donation).await.text();
        assert!(card_step.contains("has closed. Nothing was charged"), "{way}: {card_step}");
        assert!(!card_step.contains("You have begun"), "{way}: {card_step}");
        assert_eq!(closed(), attempt, "{way}");
        let again = begin(&house.server, &donation).await;
        assert_ne!(again, url);
        let calls = stand_in.calls("POST", SESSIONS).await;
        assert!(calls.last().unwrap()["key"].as_str().unwrap().ends_with("-2"), "{way}: another attempt, another key");
        stand_in.press(&again, "pay").await.unwrap();
        assert!(house.server.get(&donation).await.text().contains("Thank you"), "{way}");
    }
    assert_eq!(raised(&house).await, 7500);
}

#[tokio::test]
async fn too_late_to_close_since_it_was_paid() {
    let stand_in = StandIn::start();
    let house = house(&stand_in).await;
    let donation = pledge(&house.server, "25", "joan@example.org").await;
    let url = begin(&house.server, &donation).await;
    stand_in.press(&url, "pay").await.unwrap();
    let answer = pay(&house.server, &donation, "pm_good").await;
    assert_eq!(answer["state"], "settled", "{answer}");
    assert!(stand_in.calls("POST", "/v1/payment_intents").await.is_empty(), "no card was charged beside it");
    is_booked_once(&house, 2500).await;
}

#[tokio::test]
async fn the_button_pressed_twice_is_one_page() {
    let stand_in = StandIn::start();
    let house = house(&stand_in).await;
    let donation = pledge(&house.server, "25", "joan@example.org").await;
    stand_in.config(json!({ "hold": 0.3 })).await;
    let (one, other) = tokio::join!(begin(&house.server, &donation), begin(&house.server, &donation));
    let third = begin(&house.server, &donation).await;
    let urls: Vec<_> = [one, other, third].into_iter().filter(|to| to != &donation).collect();
    assert!(urls.len() >= 2 && urls.windows(2).all(|pair| pair[0] == pair[1]), "{urls:?}");
    assert_eq!(sessions(&stand_in).await, 1);
    stand_in.press(&urls[0], "pay").await.unwrap();
    assert!(house.server.get(&donation).await.text().contains("Thank you"));
    is_booked_once(&house, 2500).await;
}

#[tokio::test]
async fn an_answer_that_was_lost_is_asked_for_again_with_the_same_key() {
    let stand_in = StandIn::start();
    let house = house(&stand_in).await;
    let donation = pledge(&house.server, "25", "joan@example.org").await;
    stand_in.config(json!({ "lose": 1 })).await;
    assert_eq!(begin(&house.server, &donation).await, donation, "nobody knows: back to the card step");
    assert!(house.server.get(&donation).await.text().contains("Go on to Stripe’s page"));
    let url = begin(&house.server, &donation).await;
    assert_ne!(url, donation);
    let calls = stand_in.calls("POST", SESSIONS).await;
    assert_eq!((calls.len(), &calls[0]["key"], &calls[0]["body"]), (2, &calls[1]["key"], &calls[1]["body"]));
    stand_in.press(&url, "pay").await.unwrap();
    assert!(house.server.get(&donation).await.text().contains("Thank you"));
    is_booked_once(&house, 2500).await;
}

#[tokio::test]
async fn killed_between_intent_and_call() {
    let stand_in = StandIn::start();
    let settings = stand_in.env();
    let nowhere = |value: &String| value.replace(&stand_in.base(), "http://127.0.0.1:1");
    let dead: Vec<_> = settings.iter().map(|(name, value)| (*name, nowhere(value))).collect();
    let house = House::with(&env(&dead)).await;
    let donation = pledge(&house.server, "25", "joan@example.org").await;
    // The call goes nowhere, as if the server had died before it.
    assert_eq!(begin(&house.server, &donation).await, donation);
    let house = house.again_with(&env(&settings), Server::kill);
    assert!(stand_in.calls("POST", SESSIONS).await.is_empty());
    assert!(house.server.get(&donation).await.text().contains("Go on to Stripe’s page"));
    let url = begin(&house.server, &donation).await;
    stand_in.press(&url, "pay").await.unwrap();
    assert!(house.server.get(&donation).await.text().contains("Thank you"));
    let requested = events(&house).iter().filter(|event| event["kind"] == "donation.payment_requested").count();
    assert_eq!((requested, sessions(&stand_in).await), (1, 1));
    is_booked_once(&house, 2500).await;
}

#[tokio::test]
async fn killed_between_call_and_record() {
    let stand_in = StandIn::start();
    let settings = stand_in.env();
    let house = House::with(&env(&settings)).await;
    let donation = pledge(&house.server, "25", "joan@example.org").await;
    stand_in.config(json!({ "hold": 30 })).await;
    let (to, path) = (house.server.http, format!("{donation}/checkout"));
    let asking = tokio::spawn(async move { try_send(to, "POST", &path, &[], b"").await.is_some() });
    until("the page is not asked for", || async { sessions(&stand_in).await == 1 }).await;
    let house = house.again_with(&env(&settings), Server::kill);
    assert!(!asking.await.unwrap(), "nobody was told where the page is");
    stand_in.config(json!({ "hold": 0 })).await;
    assert!(!events(&house).iter().any(|event| event["kind"] == "donation.checkout_opened"));
    let url = begin(&house.server, &donation).await;
    assert_eq!(sessions(&stand_in).await, 1);
    let back = stand_in.press(&url, "pay").await.unwrap();
    assert!(go_back(&house.server, &back).await.contains("Thank you"));
    is_booked_once(&house, 2500).await;
}

#[tokio::test]
async fn a_debit_on_the_page_takes_its_days() {
    let stand_in = StandIn::start();
    let house = house(&stand_in).await;
    stand_in.tells(house.server.http).await;
    for (number, pays) in [(1, true), (2, false)] {
        let donation = pledge(&house.server, "25", &format!("joan{number}@example.org")).await;
        let url = begin(&house.server, &donation).await;
        let back = stand_in.press(&url, "debit").await.unwrap();
        until("the bank does not have it", || async {
            go_back(&house.server, &back).await.contains("Your bank has it")
        })
        .await;
        assert_eq!(house.server.post(&format!("{donation}/pay"), &[("method", "pm_good")]).await.status, 409);
        let log = events(&house);
        let named = log.iter().rfind(|event| event["kind"] == "donation.processing").unwrap();
        stand_in.config(json!({ "debit": [named["data"]["payment"], pays] })).await;
        let words = if pays { "Thank you" } else { "Nothing was charged" };
        until(words, || async { house.server.get(&donation).await.text().contains(words) }).await;
    }
    assert_eq!(raised(&house).await, 2500);
    house.server.is_well().await;
}

#[tokio::test]
async fn what_is_turned_away_or_makes_no_sense_changes_nothing() {
    let stand_in = StandIn::start();
    let house = house(&stand_in).await;
    let donation = pledge(&house.server, "25", "joan@example.org").await;
    stand_in.config(json!({ "refuse": 429 })).await;
    let refused = house.server.post(&format!("{donation}/checkout"), &[]).await;
    assert_eq!(refused.status, 402);
    assert!(refused.text().contains("Very many people are giving right now"), "{}", refused.text());
    // The word for a page is no card, and nobody else's page is led to.
    assert_eq!(house.server.post(&format!("{donation}/pay"), &[("method", CHECKOUT)]).await.status, 409);
    for path in ["/r/call/donate/x/checkout", "/r/call/donate/0192f3c4-5b6a-7c8d-9e0f-112233445566/checkout"] {
        assert_eq!(house.server.post(path, &[]).await.status, 404, "{path}");
    }
    let foreign = [("sec-fetch-site", "cross-site")];
    assert_eq!(house.server.send("POST", &format!("{donation}/checkout"), &foreign, b"").await.status, 403);
    assert!(begin(&house.server, &donation).await.starts_with(&stand_in.base()));
    // While the page is open, a limit holds for what else the donor gives.
    let rules = [
        ("limit_name_1", "test election"),
        ("limit_amount_1", "40"),
        ("limit_currency_1", "USD"),
        ("limit_from_1", "2020-01-01"),
        ("limit_until_1", "2099-12-31"),
        ("abroad", "with_passport"),
        ("fee_currency", "USD"),
    ];
    assert_eq!(house.owner.post(&house.server, "/finance/rules", &rules).await.status, 303);
    let more = pledge(&house.server, "20", "joan@example.org").await;
    let over = house.server.post(&format!("{more}/checkout"), &[]).await;
    assert!(over.status == 402 && over.text().contains("you can still give $15"), "{}", over.text());
    let simulated = House::new().await;
    let donation = pledge(&simulated.server, "25", "joan@example.org").await;
    assert_eq!(simulated.server.post(&format!("{donation}/checkout"), &[]).await.status, 404);
    assert!(!simulated.server.get(&donation).await.text().contains("checkout"));
}

/// The cashier alone, with the clock in the test's hand.
#[tokio::test]
async fn a_page_nobody_was_told_of_ends_by_itself_and_one_that_is_lost_sight_of_is_looked_up() {
    let stand_in = StandIn::start();
    let dir = tempfile::tempdir().unwrap();
    let (engine, cashier, _) = ledger_at(dir.path(), &stand_in.base()).await;
    let handover = Handover {
        title: "Donation to us".into(),
        email: "joan@example.org".into(),
        paid_href: format!("{PUBLIC}/paid"),
        back_href: format!("{PUBLIC}/back"),
    };
    stand_in.config(json!({ "lose": 1 })).await;
    assert!(cashier.check_out(DONATION, &handover).await.unwrap() == Standing::Checkout { url: None });
    cashier.resolve(chrono::Utc::now()).await;
    assert!(cashier.standing(DONATION) == Standing::Checkout { url: None }, "young: left to the donor who asked");
    cashier.resolve(chrono::Utc::now() + chrono::TimeDelta::seconds(60)).await;
    assert!(matches!(cashier.standing(DONATION), Standing::Open { declined: Some(_) }));
    let Standing::Checkout { url: Some(url) } = cashier.check_out(DONATION, &handover).await.unwrap() else { panic!() };
    assert_eq!(sessions(&stand_in).await, 2, "another attempt");
    stand_in.press(&url, "pay").await.unwrap();
    let soon = chrono::Utc::now() + chrono::TimeDelta::seconds(60);
    cashier.resolve(soon).await;
    assert!(stand_in.calls("GET", SESSIONS).await.is_empty(), "an open page is not asked about every ten seconds");
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(5 * 60)).await;
    tokio::time::resume();
    cashier.resolve(soon).await;
    assert_eq!(engine.world().totals.sums(RALLY).raised_minor(), 2500);
}
