//! Stripe's webhooks over HTTP, while its API is dead: believed by signature alone, stored before they are understood.

use crate::server::{House, csv_rows, encode, gift, pay, pledge, run, state, until};
use stripe_webhook::Webhook;

const SECRET: &str = "whsec_Secret";
/// Stripe with an API where nobody listens.
pub const DEAD: &[(&str, &str)] = &[
    ("GROUNDSWELL_PROCESSOR", "stripe"),
    ("GROUNDSWELL_STRIPE_SECRET_KEY", "sk_test_51Secret"),
    ("GROUNDSWELL_STRIPE_PUBLISHABLE_KEY", "pk_test_51Public"),
    ("GROUNDSWELL_STRIPE_WEBHOOK_SECRET", SECRET),
    ("GROUNDSWELL_STRIPE_API_BASE", "http://127.0.0.1:1"),
    ("GROUNDSWELL_STRIPE_SCRIPT_URL", "http://127.0.0.1:1/v3/"),
];

/// The event by which Stripe says that a donation was paid.
pub fn succeeded(event: &str, donation: &str, payment: &str, cents: i64) -> String {
    let id = donation.rsplit('/').next().unwrap();
    serde_json::json!({
        "id": event, "object": "event", "type": "payment_intent.succeeded", "livemode": false, "unheard_of": [1, {}],
        "data": { "object": {
            "id": payment, "object": "payment_intent", "amount": cents, "amount_received": cents, "currency": "usd",
            "status": "succeeded", "metadata": { "donation": id }, "last_payment_error": null,
        }},
    })
    .to_string()
}

/// Sends a signed webhook; the status it gets.
pub async fn hook(house: &House, body: &str) -> u16 {
    let signature = Webhook::generate_test_header(body, SECRET, None);
    house.server.send("POST", "/webhooks/stripe", &[("stripe-signature", &signature)], body.as_bytes()).await.status
}

/// Waits until this much is counted.
pub async fn raised(house: &House, wanted: i64) {
    until("the webhook's money is not counted", || async { state(&house.server).await["raised_minor"] == wanted })
        .await;
}

/// The ledger's newest event: it moves with everything that is stored.
async fn head(house: &House) -> u64 {
    house.server.get("/readyz").await.json()["seq"].as_u64().unwrap()
}

#[tokio::test]
async fn a_gift_settles_by_webhook_alone_and_once() {
    let house = House::with(DEAD).await;
    let donation = pledge(&house.server, "25", "joan@example.org").await;
    let answer = pay(&house.server, &donation, "pm_card_visa").await;
    assert!(["processing", "declined"].contains(&answer["state"].as_str().unwrap()), "{answer}");
    let body = succeeded("evt_1", &donation, "pi_1", 2500);
    assert_eq!(hook(&house, &body).await, 200);
    raised(&house, 2500).await;
    let thanks = house.server.get(&donation).await;
    assert!(thanks.text().contains("Thank you"), "{}", thanks.text());
    // The same again, and the same payment under another event's name.
    assert_eq!(hook(&house, &body).await, 200);
    assert_eq!(hook(&house, &succeeded("evt_2", &donation, "pi_1", 2500)).await, 200);
    let other = pledge(&house.server, "30", "zoe@example.org").await;
    assert_eq!(hook(&house, &succeeded("evt_3", &other, "pi_2", 3000)).await, 200);
    raised(&house, 5500).await;
    let csv = run(&["export", "csv"], &house.data());
    assert_eq!(csv_rows(&csv.stdout).len(), 2);
    house.server.is_well().await;
}

#[tokio::test]
async fn what_stripe_did_not_sign_for_us_now_is_refused_and_not_stored() {
    let house = House::with(DEAD).await;
    let donation = pledge(&house.server, "25", "joan@example.org").await;
    let good = succeeded("evt_1", &donation, "pi_1", 2500);
    let live = good.replace("\"livemode\":false", "\"livemode\":true");
    assert_ne!(good, live);
    let now = chrono::Utc::now().timestamp();
    let sign = |body: &str, secret: &str, at: i64| Webhook::generate_test_header(body, secret, Some(at));
    let large = format!("{}{good}", " ".repeat(1024 * 1024));
    let before = head(&house).await;
    for (case, body, signature, status) in [
        ("no signature", good.clone(), None, 400),
        ("an empty signature", good.clone(), Some(String::new()), 400),
        ("nonsense", good.clone(), Some("t=now,v1=zz".into()), 400),
        ("forged", good.clone(), Some(sign(&good, "whsec_Guess", now)), 400),
        ("of another body", good.replace("2500", "9900"), Some(sign(&good, SECRET, now)), 400),
        ("stale", good.clone(), Some(sign(&good, SECRET, now - 3600)), 400),
        ("from the future", good.clone(), Some(sign(&good, SECRET, now + 3600)), 400),
        ("not JSON", "joan=1".into(), Some(sign("joan=1", SECRET, now)), 400),
        ("JSON, but no event", "[]".into(), Some(sign("[]", SECRET, now)), 400),
        ("of live mode", live.clone(), Some(sign(&live, SECRET, now)), 400),
        ("too large", large.clone(), Some(sign(&large, SECRET, now)), 413),
    ] {
        let mut headers = vec![("accept", "application/json")];
        headers.extend(signature.as_deref().map(|signature| ("stripe-signature", signature)));
        let answer = house.server.send("POST", "/webhooks/stripe", &headers, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{case}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json", "{case}");
        let problem = answer.json();
        assert_eq!(problem["status"], status, "{case}");
        assert!(problem["type"].as_str().unwrap().starts_with("/problems/"), "{case}: {problem}");
        assert!(!problem["detail"].as_str().unwrap().is_empty(), "{case}");
    }
    assert_eq!(house.server.get("/webhooks/stripe").await.status, 405);
    // Only that live money came to a ledger of test money, for finance to see.
    assert_eq!(head(&house).await, before + 1, "something was stored");
    assert_eq!(state(&house.server).await["raised_minor"], 0);
    house.server.is_well().await;
}

#[tokio::test]
async fn kinds_nobody_knows_are_stored_and_marked() {
    let house = House::with(DEAD).await;
    let before = head(&house).await;
    let bodies = [
        r#"{"id":"evt_a","type":"climate.order.created","livemode":false,"data":{"object":{}}}"#,
        r#"{"id":"evt_b","type":"payment_intent.succeeded","livemode":false}"#,
        r#"{"id":"evt_c","type":"payment_intent.succeeded","livemode":false,"data":{"object":{"metadata":{"donation":"no id"}}}}"#,
    ];
    for body in bodies {
        assert_eq!(hook(&house, body).await, 200, "{body}");
    }
    let unknown = "/r/call/donate/0192f3c4-5b6a-7c8d-9e0f-112233445566";
    assert_eq!(hook(&house, &succeeded("evt_d", unknown, "pi_9", 2500)).await, 200);
    // Each is received and interpreted, whatever came of it; that one names a gift that is not here is for finance to see.
    until("events stay to be interpreted", || async { head(&house).await == before + 9 }).await;
    assert_eq!(state(&house.server).await["raised_minor"], 0);
    house.server.is_well().await;
}

#[tokio::test]
async fn the_same_form_twice_is_one_gift_and_a_changed_form_is_another() {
    let house = House::new().await;
    let server = &house.server;
    let page = server.get("/r/call/donate").await.text();
    let token = page.split_once("name=\"form_token\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let form = |amount: &'static str, token: &str| {
        let fields = gift(amount, "joan@example.org");
        encode(&[&fields[..], &[("form_token", token)]].concat())
    };
    let sent = form("25", &token);
    let (first, second) = tokio::join!(
        server.send("POST", "/r/call/donate", &[], sent.as_bytes()),
        server.send("POST", "/r/call/donate", &[], sent.as_bytes()),
    );
    let donation = first.header("location");
    assert_eq!((first.status, second.status, &second.header("location")), (303, 303, &donation));
    let changed = server.send("POST", "/r/call/donate", &[], form("26", &token).as_bytes()).await.header("location");
    let anew = server.send("POST", "/r/call/donate", &[], form("25", "another").as_bytes()).await.header("location");
    assert!(donation != changed && donation != anew && changed != anew);
    // Both buttons pressed at once, and once more after it.
    let (one, two) = tokio::join!(pay(server, &donation, "simulated_ok"), pay(server, &donation, "simulated_ok"));
    assert_eq!((&one["state"], &two["state"]), (&"settled".into(), &"settled".into()));
    assert_eq!(pay(server, &donation, "simulated_ok").await["state"], "settled");
    assert_eq!(server.post(&format!("{donation}/pay"), &[("method", "simulated_ok")]).await.status, 303);
    let public = state(server).await;
    assert_eq!((&public["raised_minor"], &public["donors"]), (&2500.into(), &1.into()));
    // A donor who gives twice is one donor.
    assert_eq!(pay(server, &anew, "simulated_ok").await["state"], "settled");
    let public = state(server).await;
    assert_eq!((&public["raised_minor"], &public["donors"]), (&5000.into(), &1.into()));
}

#[tokio::test]
async fn a_declined_card_says_why_and_keeps_the_gift() {
    let house = House::new().await;
    let server = &house.server;
    let donation = pledge(server, "25", "joan@example.org").await;
    let page = server.post(&format!("{donation}/pay"), &[("method", "simulated_declined")]).await;
    assert_eq!(page.status, 402);
    assert!(page.text().contains("The simulated bank declined"), "{}", page.text());
    let again = server.get(&format!("/r/call/donate?again={}", donation.rsplit('/').next().unwrap())).await.text();
    for typed in ["Joan", "Petrie", "joan@example.org", "1 Main Street", "55802", "Nurse"] {
        assert!(again.contains(typed), "{typed} is kept");
    }
    let asks = pay(server, &donation, "simulated_action").await;
    assert_eq!(asks["state"], "action");
    let body = br#"{"confirmed":true}"#;
    let kind = [("content-type", "application/json")];
    let answer = server.send("POST", &format!("{donation}/pay"), &kind, body).await.json();
    assert_eq!(answer["state"], "settled", "{answer}");
    assert_eq!(state(server).await["raised_minor"], 2500);
}

/// What Stripe tells of a dispute about a whole payment; what moved so far, with Stripe's fee.
pub fn dispute(event: &str, kind: &str, status: &str, moved: &[(i64, i64)]) -> String {
    let moved =
        moved.iter().map(|(amount, fee)| serde_json::json!({ "amount": amount, "fee": fee, "currency": "usd" }));
    serde_json::json!({
        "id": event, "object": "event", "type": format!("charge.dispute.{kind}"), "livemode": false,
        "data": { "object": {
            "id": "du_1", "object": "dispute", "amount": 2500, "currency": "usd", "reason": "fraudulent", "status": status,
            "payment_intent": "pi_1", "evidence_details": { "due_by": 1_893_456_000 },
            "balance_transactions": moved.collect::<Vec<_>>(),
        }},
    })
    .to_string()
}

#[tokio::test]
async fn a_dispute_takes_the_money_and_a_won_one_brings_it_back() {
    let house = House::with(DEAD).await;
    let donation = pledge(&house.server, "25", "joan@example.org").await;
    let page = || async { house.server.get_as(&house.owner.cookie, "/finance").await.text() };
    let before = page().await;
    assert!(before.contains("<b>$25.00</b> pledged and not paid (1 form sent)"), "{before}");
    // Told before its payment is known: it waits.
    assert_eq!(hook(&house, &dispute("evt_1", "created", "needs_response", &[(-2500, 1500)])).await, 200);
    assert_eq!(hook(&house, &succeeded("evt_2", &donation, "pi_1", 2500)).await, 200);
    until("the dispute is not booked", || async { page().await.contains("1 dispute; 0 returned debits") }).await;
    assert_eq!(state(&house.server).await["raised_minor"], 0);
    let now = page().await;
    assert!(now.contains("<b>$0.00</b> pledged and not paid") && now.contains("disputed"), "{now}");
    let open = house.server.get_as(&house.owner.cookie, "/finance/reconciliation").await.text();
    for part in ["du_1", "Dispute (fraudulent), the money is withheld", "answer by", "$25.00", "Fee not known"] {
        assert!(open.contains(part), "{part} is not in {open}");
    }
    let won = dispute("evt_3", "closed", "won", &[(-2500, 1500), (2500, -1500)]);
    assert_eq!(hook(&house, &won).await, 200);
    raised(&house, 2500).await;
    assert_eq!(hook(&house, &dispute("evt_4", "updated", "under_review", &[(-2500, 1500)])).await, 200);
    let csv = run(&["export", "csv"], &house.data());
    let kinds: Vec<_> = csv_rows(&csv.stdout).iter().map(|row| (row["kind"].clone(), row["net"].clone())).collect();
    let expected = [("donation", ""), ("dispute", "-40.00"), ("dispute_reversed", "40.00")];
    assert_eq!(kinds, expected.map(|(kind, net)| (kind.to_owned(), net.to_owned())));
    let open = house.server.get_as(&house.owner.cookie, "/finance/reconciliation").await.text();
    assert!(!open.contains("du_1"), "it is over: {open}");
    house.server.is_well().await;
}
