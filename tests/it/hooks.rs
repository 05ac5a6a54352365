//! Webhooks out: a receiver that takes them, one that fails for a while, one that hangs, one that is gone; and what a crash
//! costs.

mod receiver;
mod three_days;

use crate::plans::{href as address, pledge_every, shows};
use crate::server::{House, Server, give, pay, until};
use receiver::{Answers, Receiver, verify};
use serde_json::Value;
use uuid::Uuid;

/// Receivers here are on this machine.
const PRIVATE: &[(&str, &str)] = &[("GROUNDSWELL_PRIVATE_WEBHOOKS", "true")];
const SETTLED: &[(&str, &str)] = &[("kind", "donation.settled"), ("kind", "donation.refunded")];

async fn add(house: &House, name: &str, address: &str, more: &[(&str, &str)]) {
    let form = Uuid::now_v7().to_string();
    let basic = [("name", name), ("address", address), ("form", form.as_str())];
    let shape = if more.iter().any(|(name, _)| *name == "shape") { vec![] } else { vec![("shape", "groundswell")] };
    let answer = house.owner.post(&house.server, "/finance/webhooks", &[&basic[..], &shape, more].concat()).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
}

async fn page(house: &House) -> String {
    house.server.get_as(&house.owner.cookie, "/finance/webhooks").await.text()
}

/// Where the forms of the receiver with this name go.
async fn href(house: &House, name: &str) -> String {
    let page = page(house).await;
    let (_, rest) = page.split_once(&format!("<b dir=\"auto\">{name}</b>")).expect("the receiver's line");
    let (_, rest) = rest.split_once("action=\"/finance/webhooks/").unwrap();
    format!("/finance/webhooks/{}", rest.split('"').next().unwrap())
}

async fn act(house: &House, name: &str, form: &[(&str, &str)]) -> String {
    let answer = house.owner.post(&house.server, &href(house, name).await, form).await;
    assert!([200, 303].contains(&answer.status), "{}", answer.text());
    answer.text()
}

async fn secret(house: &House, name: &str, form: &str) -> String {
    let text = act(house, name, &[("do", form)]).await;
    let (_, rest) = text.split_once("value=\"whsec_").expect("a secret");
    format!("whsec_{}", rest.split('"').next().unwrap())
}

fn body(message: &receiver::Message) -> Value {
    serde_json::from_slice(&message.body).unwrap()
}

#[tokio::test]
async fn a_receiver_is_told_what_it_wants_signed_and_marked() {
    let house = House::with(PRIVATE).await;
    let (plain, full) = (Receiver::open(Answers::Ok).await, Receiver::open(Answers::Ok).await);
    give(&house.server, "10", "early@example.org").await;
    add(&house, "CRM", &plain.address("/in?list=7"), SETTLED).await;
    let all = [SETTLED, &[("personal", "on"), ("username", "groundswell"), ("password", "very: secret")]].concat();
    add(&house, "Warehouse", &full.address("/"), &all).await;
    let gift = give(&house.server, "25", "joan@example.org").await;
    let id = gift.rsplit('/').next().unwrap();
    plain.until(1).await;
    let message = &plain.messages()[0];
    assert_eq!(message.path, "/in?list=7");
    assert_eq!(message.header("content-type"), "application/json");
    assert_eq!(message.header("groundswell-mode"), "simulated");
    let told = body(message);
    assert_eq!((&told["type"], &told["mode"]), (&"donation.settled".into(), &"simulated".into()));
    assert_eq!((&told["data"]["donation"], &told["data"]["amount_minor"]), (&id.into(), &2_500.into()));
    let text = told.to_string();
    assert!(!text.contains("Joan") && !text.contains("joan@") && told["data"].get("contact").is_none(), "{text}");
    full.until(1).await;
    assert_eq!(body(&full.messages()[0])["data"]["contact"]["email"], "joan@example.org");
    // "groundswell:very: secret"
    assert_eq!(full.messages()[0].header("authorization"), "Basic Z3JvdW5kc3dlbGw6dmVyeTogc2VjcmV0");

    let back = [("refund", Uuid::now_v7().to_string()), ("amount", "10.00".to_owned())];
    let back: Vec<(&str, &str)> = back.iter().map(|(name, value)| (*name, value.as_str())).collect();
    house.owner.post(&house.server, &format!("/finance/donations/{id}/refund"), &back).await;
    plain.until(2).await;
    let refund = body(&plain.messages()[1]);
    assert_eq!((&refund["type"], &refund["data"]["amount_minor"]), (&"donation.refunded".into(), &(-1_000).into()));

    // Somebody else's library believes each, with the secret that staff is shown, and no other.
    let shown = secret(&house, "CRM", "secret").await;
    for message in plain.messages() {
        verify(&shown, &message).unwrap();
    }
    assert!(verify(&secret(&house, "Warehouse", "secret").await, &plain.messages()[0]).is_err());
    // While a new one is taken, the one before signs too.
    let new = secret(&house, "CRM", "rotate").await;
    assert_ne!(new, shown);
    give(&house.server, "7", "zoe@example.org").await;
    plain.until(3).await;
    verify(&new, &plain.messages()[2]).unwrap();
    verify(&shown, &plain.messages()[2]).unwrap();
    let page = page(&house).await;
    assert!(page.contains("Is told") && page.contains("Last took one") && !page.contains("very: secret"), "{page}");
    assert!(!house.server.printed().contains("very: secret"));
    house.server.is_well().await;
}

#[tokio::test]
async fn one_that_fails_or_hangs_delays_nobody_and_is_told_everything_in_the_end() {
    let house = House::with(PRIVATE).await;
    let (well, flaky, hangs) = (
        Receiver::open(Answers::Ok).await,
        Receiver::open(Answers::Fail(3)).await,
        Receiver::open(Answers::Hang).await,
    );
    add(&house, "Well", &well.address("/"), SETTLED).await;
    add(&house, "Flaky", &flaky.address("/"), SETTLED).await;
    add(&house, "Hangs", &hangs.address("/"), SETTLED).await;
    for amount in ["10", "20", "30"] {
        give(&house.server, amount, "joan@example.org").await;
    }
    well.until(3).await;
    flaky.until(3 + 3).await;
    let ids = |receiver: &Receiver| -> Vec<String> {
        let mut ids: Vec<_> = receiver.taken().iter().map(|message| message.header("webhook-id")).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&flaky).len(), 3);
    let first = &flaky.messages()[0];
    let again = flaky.taken().into_iter().find(|message| message.header("webhook-id") == first.header("webhook-id"));
    assert_eq!(again.expect("it comes again under its name").body, first.body);
    assert_eq!(ids(&well).len(), 3);
    // Nothing is read of what an answer says, and nobody is sent elsewhere.
    let elsewhere = Receiver::open(Answers::Ok).await;
    let leads = Receiver::open(Answers::Redirect(elsewhere.address("/"))).await;
    add(&house, "Moved", &leads.address("/"), SETTLED).await;
    give(&house.server, "40", "joan@example.org").await;
    leads.until(1).await;
    until("what is wrong is not shown", || async { page(&house).await.contains("leads elsewhere") }).await;
    assert_eq!(elsewhere.messages().len(), 0);
    until("one that hangs is not shown", || async { page(&house).await.contains("No answer in 15 s") }).await;
    house.server.is_well().await;
}

#[tokio::test]
async fn after_a_crash_nothing_is_lost_and_a_repeat_has_its_name() {
    let house = House::with(PRIVATE).await;
    let receiver = Receiver::open(Answers::Fail(2)).await;
    add(&house, "CRM", &receiver.address("/"), SETTLED).await;
    let mut given = vec![];
    for amount in 1..=6 {
        given.push(give(&house.server, &format!("{}", amount * 10), "joan@example.org").await);
    }
    receiver.until(1).await;
    let house = house.again_with(PRIVATE, Server::kill);
    given.push(give(&house.server, "70", "joan@example.org").await);
    until("a gift is never told", || async {
        let taken = receiver.taken();
        let told: Vec<Value> = taken.iter().map(|message| body(message)["data"]["donation"].clone()).collect();
        given.iter().all(|gift| told.contains(&gift.rsplit('/').next().unwrap().into()))
    })
    .await;
    let names: std::collections::HashMap<Value, String> = receiver
        .messages()
        .iter()
        .map(|message| (body(message)["data"]["seq"].clone(), message.header("webhook-id")))
        .collect();
    for message in receiver.messages() {
        assert_eq!(names[&body(&message)["data"]["seq"]], message.header("webhook-id"));
    }
    assert_eq!(names.len(), 7);

    // A clean end writes down how far it is: nothing comes twice.
    let house = house.again_with(PRIVATE, Server::stop);
    let before = receiver.messages().len();
    give(&house.server, "80", "joan@example.org").await;
    receiver.until(before + 1).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(receiver.messages().len(), before + 1);

    // All again from the third gift on.
    let third = names.keys().map(|seq| seq.as_u64().unwrap()).collect::<std::collections::BTreeSet<_>>();
    let from = third.iter().nth(2).unwrap().to_string();
    act(&house, "CRM", &[("do", "replay"), ("from", &from)]).await;
    receiver.until(before + 1 + 6).await;
    let replayed: Vec<u64> = receiver.messages()[before + 1..]
        .iter()
        .map(|message| body(message)["data"]["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(replayed.iter().min().unwrap().to_string(), from);
    // What happens while it is switched off comes afterwards.
    act(&house, "CRM", &[("do", "off")]).await;
    let seen = receiver.messages().len();
    give(&house.server, "90", "joan@example.org").await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(receiver.messages().len(), seen);
    act(&house, "CRM", &[("do", "on")]).await;
    receiver.until(seen + 1).await;
    assert_eq!(body(receiver.messages().last().unwrap())["data"]["amount_minor"], 9_000);
    act(&house, "CRM", &[("do", "remove")]).await;
    assert!(!page(&house).await.contains("<b dir=\"auto\">CRM</b>"));
    house.server.is_well().await;
}

#[tokio::test]
async fn a_tool_that_takes_actblues_webhooks_takes_ours() {
    let house = House::with(PRIVATE).await;
    let tool = Receiver::open(Answers::Ok).await;
    let more = [
        ("shape", "actblue"),
        ("personal", "on"),
        ("kind", "donation.settled"),
        ("kind", "donation.refunded"),
        ("kind", "donation.refund_reversed"),
    ];
    add(&house, "Texting", &tool.address("/actblue"), &more).await;
    let gift = give(&house.server, "25.50", "joan@example.org").await;
    let id = gift.rsplit('/').next().unwrap();
    tool.until(1).await;
    let told = body(&tool.messages()[0]);
    assert_eq!(told["donor"]["firstname"], "Joan");
    assert_eq!(told["donor"]["employerData"]["occupation"], "Nurse");
    assert_eq!(told["donor"]["country"], "United States");
    let order = format!("TEST-GS{}", id.replace('-', ""));
    assert_eq!((&told["contribution"]["orderNumber"], &told["mode"]), (&order.as_str().into(), &"simulated".into()));
    assert_eq!(told["contribution"]["recurringPeriod"], "once");
    let item = &told["lineitems"][0];
    assert_eq!((&item["amount"], &item["sequence"], &item["refundedAt"]), (&"25.50".into(), &1.into(), &Value::Null));
    let back = [("refund", Uuid::now_v7().to_string()), ("amount", "25.50".to_owned())];
    let back: Vec<(&str, &str)> = back.iter().map(|(name, value)| (*name, value.as_str())).collect();
    house.owner.post(&house.server, &format!("/finance/donations/{id}/refund"), &back).await;
    tool.until(2).await;
    let refund = body(&tool.messages()[1]);
    assert_eq!(refund["lineitems"][0]["lineitemId"], item["lineitemId"]);
    assert_eq!(
        (&refund["lineitems"][0]["amount"], &refund["contribution"]["orderNumber"]),
        (&"25.50".into(), &order.into())
    );
    assert!(refund["lineitems"][0]["refundedAt"].is_string(), "{refund}");
}

#[tokio::test]
async fn a_recurring_gift_is_told_from_its_beginning_to_its_end() {
    let house = House::with(PRIVATE).await;
    let (ours, tool) = (Receiver::open(Answers::Ok).await, Receiver::open(Answers::Ok).await);
    let turns = ["recurring.started", "recurring.changed", "recurring.ended"].map(|kind| ("kind", kind));
    add(&house, "CRM", &ours.address("/"), &turns).await;
    let contributions = [("kind", "donation.settled"), ("kind", "recurring.ended")];
    let more = [&[("shape", "actblue"), ("personal", "on")][..], &contributions].concat();
    add(&house, "Texting", &tool.address("/"), &more).await;
    let donation = pledge_every(&house.server, "month", "25", "joan@example.org").await;
    assert_eq!(pay(&house.server, &donation, "simulated_ok").await["state"], "settled");
    let manage = address(&house.server.get(&donation).await.text(), "/r/call/plan/");
    shows(&house.server, &manage, "The next gift is charged on").await;
    ours.until(1).await;
    let begun = body(&ours.messages()[0]);
    assert_eq!((&begun["type"], &begun["data"]["standing"]), (&"recurring.started".into(), &"active".into()));
    assert_eq!((&begun["data"]["amount_minor"], &begun["data"]["every"]), (&2_500.into(), &"month".into()));
    let plans = house.server.get_as(&house.owner.cookie, "/finance/plans").await.text();
    let stop = address(&plans, "/finance/plans/");
    assert_eq!(house.owner.post(&house.server, &stop, &[("sure", "yes")]).await.status, 303);
    ours.until(2).await;
    let ended = body(&ours.messages()[1]);
    assert_eq!((&ended["type"], &ended["data"]["why"]), (&"recurring.ended".into(), &"staff".into()));
    assert_eq!(ended["data"]["recurring"], begun["data"]["recurring"]);
    tool.until(2).await;
    let (gift, end) = (body(&tool.messages()[0]), body(&tool.messages()[1]));
    assert_eq!(
        (&gift["contribution"]["recurringPeriod"], &gift["lineitems"][0]["sequence"]),
        (&"monthly".into(), &1.into())
    );
    assert_eq!(
        (&end["contribution"]["orderNumber"], &end["lineitems"][0]["sequence"]),
        (&gift["contribution"]["orderNumber"], &2.into())
    );
    assert!(
        end["contribution"]["cancelledAt"].is_string() && gift["contribution"].get("cancelledAt").is_none(),
        "{end}"
    );
}

#[tokio::test]
async fn a_receiver_beside_the_server_is_not_called_and_what_is_wrong_is_said() {
    let house = House::new().await;
    let inside = Receiver::open(Answers::Ok).await;
    let form = Uuid::now_v7().to_string();
    let send = |fields: Vec<(&'static str, String)>| {
        let (house, form) = (&house, form.clone());
        async move {
            let mut fields: Vec<(&str, String)> = fields;
            fields.push(("form", form));
            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            house.owner.post(&house.server, "/finance/webhooks", &fields).await
        }
    };
    let fields = |name: &str, address: &str, shape: &str, kind: &str| {
        let mut all = vec![("name", name.to_owned()), ("address", address.to_owned()), ("shape", shape.to_owned())];
        if !kind.is_empty() {
            all.push(("kind", kind.to_owned()));
        }
        all
    };
    for (fields, words) in [
        (fields("CRM", &inside.address("/"), "groundswell", "donation.settled"), "begins with https://"),
        (fields("", "https://crm.example.org/", "groundswell", "donation.settled"), "Say who is told"),
        (
            fields("CRM", "https://u:p@crm.example.org/", "groundswell", "donation.settled"),
            "without spaces, # or a password",
        ),
        (fields("CRM", "https://crm.example.org/", "groundswell", ""), "one thing at least"),
        (fields("CRM", "https://crm.example.org/", "actblue", "donation.settled"), "without saying who gave"),
    ] {
        let answer = send(fields.clone()).await;
        assert_eq!(answer.status, 422, "{words}: {}", answer.text());
        let text = answer.text();
        assert!(text.contains(words) && text.contains(&form), "{words}: {text}");
        assert!(text.contains(&format!("value=\"{}\"", fields[1].1)), "what was typed is there still: {text}");
    }
    // Its name leads to this machine.
    let port = inside.address("/").rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    assert_eq!(
        send(fields("CRM", &format!("https://localhost:{port}/"), "groundswell", "donation.settled")).await.status,
        303
    );
    give(&house.server, "25", "joan@example.org").await;
    until("it is not said", || async { page(&house).await.contains("private network, which is not called") }).await;
    assert_eq!(inside.connections(), 0);
    let unknown = format!("/finance/webhooks/{}", Uuid::nil());
    assert_eq!(house.owner.post(&house.server, &unknown, &[("do", "secret")]).await.status, 404);
    assert_eq!(house.owner.post(&house.server, &unknown, &[("do", "on")]).await.status, 409);
    let known = href(&house, "CRM").await;
    for form in [[("do", "dance"), ("from", "1")], [("do", "replay"), ("from", "x")]] {
        assert_eq!(house.owner.post(&house.server, &known, &form).await.status, 400);
    }
    assert_eq!(house.server.get("/finance/webhooks").await.status, 303);
}
