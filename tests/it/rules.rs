//! Rules for gifts as donors meet them: limits, gifts from abroad, the fee, what comes too fast, and what is nobody's business.

use crate::server::{House, Server, encode, gift, give, pay, pledge, state};
use futures_util::{StreamExt, stream};

const RULES: &str = "/finance/rules";

/// A limit of 100 dollars for these years, beside the default rules.
fn limit(amount: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![
        ("limit_name_1", "test election"),
        ("limit_amount_1", amount),
        ("limit_currency_1", "USD"),
        ("limit_from_1", "2020-01-01"),
        ("limit_until_1", "2099-12-31"),
        ("abroad", "with_passport"),
        ("fee_percent", "2.9"),
        ("fee_fixed", "0.30"),
        ("fee_currency", "USD"),
    ]
}

fn with<'a>(form: Vec<(&'a str, &'a str)>, field: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    form.into_iter().filter(|(name, _)| *name != field).chain([(field, value)]).collect()
}

async fn limited(amount: &'static str) -> House {
    let house = House::new().await;
    let answer = house.owner.post(&house.server, RULES, &limit(amount)).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    house
}

async fn raised(server: &Server) -> i64 {
    state(server).await["raised_minor"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_gifts_at_once_stay_below_the_limit() {
    let house = limited("100").await;
    let server = &house.server;
    let mut donations = vec![];
    for number in 0..100 {
        // One person by two addresses for mail.
        let email = if number % 2 == 0 { "joan@example.org" } else { "petrie@example.org" };
        let token = number.to_string();
        let form = with(gift("7", email), "form_token", &token);
        donations.push(server.post("/r/call/donate", &form).await.header("location"));
    }
    let answers = stream::iter(&donations).map(|donation| pay(server, donation, "simulated_ok"));
    let answers: Vec<_> = answers.buffer_unordered(donations.len()).collect().await;
    let settled = answers.iter().filter(|answer| answer["state"] == "settled").count();
    assert_eq!((settled, raised(server).await), (14, 9_800));
    let refused = answers.iter().find(|answer| answer["state"] == "declined").unwrap();
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.contains("$100 for the test election") && reason.contains("you can still give"), "{reason}");
    // What is left can be given.
    let rest = pledge(server, "2", "joan@example.org").await;
    assert_eq!(pay(server, &rest, "simulated_ok").await["state"], "settled");
    let more = pledge(server, "1", "joan@example.org").await;
    let answer = pay(server, &more, "simulated_ok").await;
    assert!(answer["reason"].as_str().unwrap().contains("that was given: thank you"), "{answer}");
    assert_eq!(raised(server).await, 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_says_what_one_gift_may_be_and_tells_nobody_what_another_gave() {
    let house = limited("100").await;
    let server = &house.server;
    let page = server.get("/r/call/donate").await.text();
    assert!(page.contains("From $1 to $100."), "{page}");
    assert!(page.contains("value=\"50\""));
    let answer = server.post("/r/call/donate", &gift("100.01", "joan@example.org")).await;
    assert!(answer.status == 422 && answer.text().contains("at most $100 for the test election"));
    let _ = give(server, "80", "joan@example.org").await;
    // Who gave 80 and who gave nothing get the same answer to a gift of 50.
    let known = server.post("/r/call/donate", &gift("50", "joan@example.org")).await;
    let unknown = server.post("/r/call/donate", &gift("50", "nobody@example.org")).await;
    assert_eq!((known.status, unknown.status), (303, 303));
    assert_eq!(known.header("location").len(), unknown.header("location").len());
    assert_eq!(house.owner.post(server, RULES, &limit("40")).await.status, 303);
    let page = server.get("/r/call/donate").await.text();
    assert!(!page.contains("value=\"50\"") && page.contains("value=\"25\""), "amounts above the limit are not offered");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_for_finance_and_wrong_ones_are_named_by_line() {
    let house = House::new().await;
    let (server, owner) = (&house.server, &house.owner);
    assert_eq!(server.get(RULES).await.status, 303, "staff only");
    let page = server.get_as(&owner.cookie, &format!("{RULES}?preset=candidate")).await.text();
    assert!(page.contains("general election 2026") && page.contains("2026-11-03"), "{page}");
    for (form, words) in [
        (with(limit("100"), "limit_until_1", "2019-12-31"), "last day comes before its first"),
        (with(limit("100"), "limit_until_1", ""), "Limit 1: enter the last day"),
        (with(limit("many"), "fee_fixed", "0.3"), "Limit 1: write the amount in digits"),
        (with(limit("100"), "fee_percent", "3.999"), "share in percent"),
        (with(limit("100"), "fee_percent", "30"), "at most 25"),
        (with(limit("100"), "fee_fixed", "a bit"), "fixed sum in digits"),
    ] {
        let answer = owner.post(server, RULES, &form).await;
        assert_eq!(answer.status, 422, "{words}");
        assert!(answer.text().contains(words), "{words}: {}", answer.text());
        assert!(answer.text().contains("test election"), "what was typed is kept");
    }
    assert_eq!(owner.post(server, RULES, &limit("100")).await.status, 303);
    let page = server.get_as(&owner.cookie, RULES).await.text();
    assert!(page.contains("value=\"test election\"") && page.contains("value=\"2.9\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn gifts_from_abroad_need_a_passport_or_are_not_taken() {
    let house = House::new().await;
    let (server, owner) = (&house.server, &house.owner);
    let abroad = || with(gift("20", "joan@example.org"), "country", "CA");
    let answer = server.post("/r/call/donate", &abroad()).await;
    assert!(answer.status == 422 && answer.text().contains("passport-error"));
    let answer = server.post("/r/call/donate", &with(abroad(), "passport", "12 34!")).await;
    assert!(answer.status == 422 && answer.text().contains("letters and digits"));
    assert_eq!(server.post("/r/call/donate", &with(abroad(), "passport", "c 0312 3456")).await.status, 303);
    assert_eq!(owner.post(server, RULES, &with(limit("100"), "abroad", "refused")).await.status, 303);
    let answer = server.post("/r/call/donate", &with(abroad(), "passport", "C03123456")).await;
    assert!(answer.status == 422 && answer.text().contains("addresses in the United States only"));
    assert_eq!(owner.post(server, RULES, &with(limit("100"), "abroad", "taken")).await.status, 303);
    assert_eq!(server.post("/r/call/donate", &abroad()).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_covers_the_fee_is_part_of_the_gift() {
    let house = House::new().await;
    let server = &house.server;
    let answer = server.post("/r/call/donate", &with(gift("50", "joan@example.org"), "cover_fee", "yes")).await;
    let donation = answer.header("location");
    let page = server.get(&donation).await.text();
    assert!(page.contains("$51.80") && page.contains("$1.80 of it covers"), "{page}");
    let again = server.get(&format!("/r/call/donate?again={}", donation.rsplit('/').next().unwrap())).await.text();
    assert!(again.contains("name=\"cover_fee\" value=\"yes\"") && again.contains("<b data-cover-sum>$1.80</b>"));
    assert_eq!(pay(server, &donation, "simulated_ok").await["state"], "settled");
    assert_eq!(raised(server).await, 5_180);
    assert!(server.get(&donation).await.text().contains("$1.80"), "the receipt says so");
}

/// Whether half of the card's number stands there, however it is written: a quarter of it is also in a random token now and then.
fn has_number(text: &str) -> bool {
    let signs = text.replace("%20", "").replace([' ', '+', '-'], "");
    signs.contains("42424242")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_number_in_a_wrong_field_is_thrown_away() {
    let house = House::new().await;
    let server = &house.server;
    const NUMBER: &str = "4242 4242 4242 4242";
    for field in ["amount_other", "first_name", "email", "address", "postal", "employer", "message", "alias"] {
        let answer = server.post("/r/call/donate", &with(gift("20", "joan@example.org"), field, NUMBER)).await;
        assert_eq!(answer.status, 422, "{field}");
        let text = answer.text();
        assert!(text.contains("looks like a card") && !has_number(&text), "{field}: {text}");
    }
    let answer =
        server.get(&format!("/r/call/donate?{}", encode(&[("refcode", NUMBER), ("first_name", NUMBER)]))).await;
    assert!(answer.status == 200 && !has_number(&answer.text()));
    let answer = server.post("/r/call/join", &[("name", NUMBER), ("email", "joan@example.org")]).await;
    assert!(answer.status == 422 && !has_number(&answer.text()));
    let log = house.data();
    assert!(!has_number(&server.printed()), "{}", server.printed());
    let _house = house.again(Server::stop);
    for entry in walk(&log) {
        let bytes = std::fs::read(&entry).unwrap_or_default();
        assert!(!bytes.windows(9).any(|window| window == b"4242 4242"), "{}", entry.display());
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() { found.extend(walk(&entry.path())) } else { found.push(entry.path()) }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_behind_one_address_is_asked_for_an_effort_and_then_barred() {
    let house = House::new().await;
    let server = &house.server;
    let from =
        |address: &'static str| [("x-forwarded-for", address), ("content-type", "application/x-www-form-urlencoded")];
    let send = async |address: &'static str, form: &[(&str, &str)]| {
        server.send("POST", "/r/call/donate", &from(address), encode(form).as_bytes()).await
    };
    let mut last = None;
    for number in 0..8 {
        let email = format!("tester{number}@example.org");
        last = Some(send("203.0.113.7", &gift("1", &email)).await);
    }
    let asked = last.unwrap();
    assert_eq!(asked.status, 422);
    let text = asked.text();
    assert!(text.contains("One more moment") && text.contains("data-effort="), "{text}");
    assert!(text.contains("value=\"Duluth\""), "everything typed is kept");
    assert_eq!(send("203.0.113.8", &gift("1", "else@example.org")).await.status, 303, "others give as ever");
    // The work is done as the page's script does it.
    let token = text.split("data-effort=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let solved = |number: &u64| {
        let hash = ring::digest::digest(&ring::digest::SHA256, format!("{token}:{number}").as_bytes());
        u32::from_be_bytes(*hash.as_ref().first_chunk().unwrap()).leading_zeros() >= 15
    };
    let number = (0_u64..).find(solved).unwrap().to_string();
    let form = with(with(gift("1", "worked@example.org"), "effort", &token), "solution", &number);
    let taken = send("203.0.113.7", &form).await;
    assert_eq!(taken.status, 303);
    let again = with(form, "email", "another@example.org");
    assert_eq!(send("203.0.113.7", &again).await.status, 422, "an effort is good for one gift");
    // Declined cards count too; in the end the address is turned away from the card step.
    let donation = taken.header("location");
    let body = serde_json::json!({ "method": "simulated_declined" }).to_string();
    let head =
        [("x-forwarded-for", "203.0.113.7"), ("content-type", "application/json"), ("accept", "application/json")];
    assert_eq!(
        server.send("POST", &format!("{donation}/pay"), &head, body.as_bytes()).await.json()["state"],
        "declined"
    );
    for _ in 0..60 {
        send("203.0.113.7", &gift("1", "joan@example.org")).await;
    }
    let barred = server.send("POST", &format!("{donation}/pay"), &head, body.as_bytes()).await;
    assert_eq!(barred.status, 429, "{}", barred.text());
    assert!(barred.text().contains("minutes") && !barred.header("retry-after").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_knows_how_a_donor_came_and_who_was_on_program() {
    let house = House::new().await;
    let server = &house.server;
    let rally = server.get("/r/call?refcode=mail-7&via=shared").await.text();
    assert!(rally.contains("name=\"refcode\" value=\"mail-7\"") && rally.contains("name=\"via\" value=\"shared\""));
    let page = server.get("/r/call/donate?amount=50&refcode=mail-7&via=qr").await.text();
    let hidden = |name: &str| {
        let rest = page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    let (opened, refcode, via) = (hidden("opened"), hidden("refcode"), hidden("via"));
    assert_eq!((refcode.as_str(), via.as_str()), ("mail-7", "qr"));
    let mut form = gift("50", "joan@example.org");
    form.extend([("opened", opened.as_str()), ("refcode", &refcode), ("via", &via)]);
    assert_eq!(server.post("/r/call/donate", &form).await.status, 303);
    let data = house.data();
    let log = crate::server::said(&crate::server::run(&["log", "tail", "-n", "5"], &data));
    let pledged = log.lines().find(|line| line.contains("donation.pledged")).unwrap();
    assert!(
        pledged.contains("\"by\":\"qr\"") && pledged.contains("opened_at") && pledged.contains("mail-7"),
        "{pledged}"
    );
}
