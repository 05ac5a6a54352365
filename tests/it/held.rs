//! Gifts above the sum that the rules name: what their donor sees, what finance decides, and every way round it.

use crate::checkout_stand_in::StandIn;
use crate::mail_server::{MailServer, header, part};
use crate::server::{House, PASSWORD, Server, Staff, gift, give, pay, pledge, run, run_with_input, said, state, until};

const RULES: &str = "/finance/rules";
const HELD: &str = "/finance/held";
const ASKS: &str = "id=\"card-form\"";
const WAITS: &str = "is looked at by a person of the campaign first";

fn rules(above: &str) -> Vec<(&'static str, String)> {
    let fields = [("abroad", "with_passport"), ("hold_currency", "USD")];
    fields.into_iter().map(|(name, value)| (name, value.to_owned())).chain([("hold_above", above.to_owned())]).collect()
}

async fn set(house: &House, above: &str) {
    let form = rules(above);
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = house.owner.post(&house.server, RULES, &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
}

async fn holding(above: &str) -> House {
    let house = House::new().await;
    set(&house, above).await;
    house
}

fn id(donation: &str) -> &str {
    donation.rsplit('/').next().unwrap()
}

fn to(donation: &str, what: &str) -> String {
    format!("{HELD}/{}/{what}", id(donation))
}

async fn page(server: &Server, path: &str) -> String {
    let answer = server.get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

async fn list(house: &House) -> String {
    house.server.get_as(&house.owner.cookie, HELD).await.text()
}

/// The kinds of this donation's events.
fn kinds(house: &House, donation: &str) -> Vec<String> {
    let output = run(&["log", "tail", "-n", "10000"], &house.data());
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let of_it = events.filter(|event| event["data"]["donation"] == id(donation));
    of_it.map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_gift_waits_for_a_person_and_is_paid_after_its_release() {
    let house = holding("1000").await;
    let (server, owner) = (&house.server, &house.owner);
    let _ = give(server, "1000", "joan@example.org").await;
    let donation = pledge(server, "1000.01", "ruth@example.org").await;
    let text = page(server, &donation).await;
    assert!(text.contains(WAITS) && text.contains("Nothing was charged") && !text.contains(ASKS), "{text}");
    assert!(text.contains("look again tomorrow"), "this server sends no mail: {text}");
    assert_eq!(pay(server, &donation, "simulated_ok").await["state"], "held");
    let plain = server.post(&format!("{donation}/pay"), &[("method", "simulated_ok")]).await;
    assert_eq!((plain.status, plain.header("location")), (303, donation.clone()));
    assert_eq!(kinds(&house, &donation), ["donation.pledged", "donation.held"], "no card was kept");
    assert_eq!(state(server).await["raised_minor"], 100_000);

    let finance = server.get_as(&owner.cookie, "/finance").await.text();
    assert!(finance.contains("Gifts to look at <span class=\"pill warn\">1</span>"), "{finance}");
    let listed = list(&house).await;
    for wanted in ["A gift of more than $1,000", "$1,000.01", "ruth@example.org", "1 Main Street", id(&donation)] {
        assert!(listed.contains(wanted), "{wanted}: {listed}");
    }
    let answer = owner.post(server, &to(&donation, "release"), &[("note", "She called us.")]).await;
    assert_eq!((answer.status, answer.header("location").as_str()), (303, "/finance/held?done=released"));
    assert!(list(&house).await.contains("Nothing waits."));
    let text = page(server, &donation).await;
    assert!(text.contains(ASKS) && !text.contains(WAITS), "{text}");
    // Rules that are tightened do not hold it a second time.
    set(&house, "1").await;
    assert_eq!(pay(server, &donation, "simulated_declined").await["state"], "declined");
    assert_eq!(pay(server, &donation, "simulated_ok").await["state"], "settled");
    assert_eq!(state(server).await["raised_minor"], 200_001);

    // It is all in the log, and a start reads it from there.
    let next = pledge(server, "20", "ada@example.org").await;
    assert!(page(server, &next).await.contains(WAITS));
    let house = house.again(Server::kill);
    assert!(page(&house.server, &next).await.contains(WAITS));
    assert!(list(&house).await.contains(id(&next)) && !list(&house).await.contains(id(&donation)));
    house.server.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gift_that_is_turned_away_takes_no_card() {
    let house = holding("100").await;
    let (server, owner) = (&house.server, &house.owner);
    let donation = pledge(server, "200", "ruth@example.org").await;
    assert!(page(server, &donation).await.contains(WAITS));
    let empty = owner.post(server, &to(&donation, "turn-away"), &[("reason", "")]).await;
    assert!(empty.status == 422 && empty.text().contains("Say why in 1 to 500 characters"), "{}", empty.text());
    let named = owner.post(server, &to(&donation, "turn-away"), &[("reason", "ruth@example.org is a company")]).await;
    assert!(named.status == 422 && named.text().contains("ruth@example.org is a company"), "what was typed is kept");
    let answer = owner.post(server, &to(&donation, "turn-away"), &[("reason", "A company’s money.")]).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let text = page(server, &donation).await;
    assert!(text.contains("the campaign can’t take it") && !text.contains(ASKS), "{text}");
    assert!(!text.contains("company’s money"), "the reason is not the donor's");
    assert_eq!(pay(server, &donation, "simulated_ok").await["state"], "held");
    set(&house, "").await;
    assert_eq!(pay(server, &donation, "simulated_ok").await["state"], "held");
    assert_eq!(state(server).await["raised_minor"], 0);
    let finance = server.get_as(&owner.cookie, "/finance").await.text();
    assert!(!finance.contains("$200.00"), "nor is it promised: {finance}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_change_between_form_and_card_hold_at_the_card() {
    let house = House::new().await;
    let server = &house.server;
    let donation = pledge(server, "200", "ruth@example.org").await;
    assert!(page(server, &donation).await.contains(ASKS));
    set(&house, "100").await;
    // The page that was open sends its card.
    assert_eq!(pay(server, &donation, "simulated_ok").await["state"], "held");
    assert_eq!(kinds(&house, &donation), ["donation.pledged", "donation.held"]);
    // What was held waits for a person, whatever the rules are now.
    set(&house, "").await;
    assert!(page(server, &donation).await.contains(WAITS));
    assert!(list(&house).await.contains("No gift is held now"));
    // A bank that asks about a card of before goes on; another card is held.
    let asked = pledge(server, "300", "ada@example.org").await;
    assert_eq!(pay(server, &asked, "simulated_action").await["state"], "action");
    set(&house, "100").await;
    assert!(!page(server, &asked).await.contains(WAITS));
    assert_eq!(pay(server, &asked, "simulated_ok").await["state"], "held");
    assert_eq!(state(server).await["raised_minor"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_cards_while_the_rules_change_leave_nothing_uncertain() {
    let house = House::new().await;
    let server = &house.server;
    let mut donations = vec![];
    for number in 0..100 {
        donations.push(pledge(server, "200", &format!("donor{number}@example.org")).await);
    }
    let cards = futures_util::future::join_all(donations.iter().map(|donation| pay(server, donation, "simulated_ok")));
    let (answers, ()) = tokio::join!(cards, set(&house, "100"));
    let count = |state: &str| answers.iter().filter(|answer| answer["state"] == state).count();
    assert_eq!(count("settled") + count("held"), 100, "{answers:?}");
    assert_eq!(state(server).await["raised_minor"].as_u64().unwrap(), count("settled") as u64 * 20_000);
    for (donation, answer) in donations.iter().zip(&answers) {
        assert_eq!(page(server, donation).await.contains(WAITS), answer["state"] == "held", "{donation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn finance_sees_what_a_limit_leaves_and_a_release_passes_no_limit() {
    let house = House::new().await;
    let (server, owner) = (&house.server, &house.owner);
    let limit = [
        ("limit_name_1", "test election"),
        ("limit_amount_1", "300"),
        ("limit_currency_1", "USD"),
        ("limit_from_1", "2020-01-01"),
        ("limit_until_1", "2099-12-31"),
        ("abroad", "with_passport"),
        ("hold_above", "100"),
        ("hold_currency", "USD"),
    ];
    assert_eq!(owner.post(server, RULES, &limit).await.status, 303);
    let _ = give(server, "90", "ruth@example.org").await;
    let donation = pledge(server, "250", "ruth@example.org").await;
    assert!(page(server, &donation).await.contains(WAITS), "nobody learns here what she gave");
    let listed = list(&house).await;
    assert!(listed.contains("What is left to this person is $210.00 for the test election"), "{listed}");
    assert_eq!(owner.post(server, &to(&donation, "release"), &[]).await.status, 303);
    let answer = pay(server, &donation, "simulated_ok").await;
    assert!(answer["reason"].as_str().unwrap().contains("you can still give $210"), "{answer}");
    assert_eq!(state(server).await["raised_minor"], 9_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn stripes_own_page_is_no_way_round() {
    let stand_in = StandIn::start();
    let settings = stand_in.env();
    let env: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let house = House::with(&env).await;
    let (server, owner) = (&house.server, &house.owner);
    let donation = pledge(server, "200", "ruth@example.org").await;
    assert!(page(server, &donation).await.contains("on Stripe’s page"));
    set(&house, "100").await;
    let checkout = format!("{donation}/checkout");
    for _ in 0..2 {
        let answer = server.post(&checkout, &[]).await;
        assert_eq!((answer.status, answer.header("location")), (303, donation.clone()));
    }
    let text = page(server, &donation).await;
    assert!(text.contains(WAITS) && !text.contains("on Stripe’s page"), "{text}");
    assert!(stand_in.calls("POST", "/v1").await.is_empty(), "Stripe was asked for nothing");
    assert_eq!(owner.post(server, &to(&donation, "release"), &[]).await.status, 303);
    let answer = server.post(&checkout, &[]).await;
    assert!(answer.status == 303 && answer.header("location").starts_with(&stand_in.base()), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_finance_decides_and_only_once() {
    let house = holding("100").await;
    let (server, owner) = (&house.server, &house.owner);
    let donation = pledge(server, "200", "ruth@example.org").await;
    assert!(page(server, &donation).await.contains(WAITS));
    let release = to(&donation, "release");
    let stranger = server.post(&release, &[("note", "")]).await;
    assert!(stranger.status == 303 && stranger.header("location").starts_with("/host/sign-in"));
    let listed = server.get(HELD).await;
    assert!(listed.status == 303 && listed.header("location").starts_with("/host/sign-in"));
    for csrf in ["", "forged"] {
        let forged = server.post_as(&owner.cookie, &release, &[("csrf", csrf), ("note", "")]).await;
        assert_eq!(forged.status, 403, "{}", forged.text());
    }
    let host = ["staff", "add", "--email", "host@example.org", "--name", "Host", "--role", "host"];
    let added = run_with_input(&host, &house.data(), &format!("{PASSWORD}\n"));
    assert!(added.status.success(), "{}", said(&added));
    let host = Staff::sign_in(server, "host@example.org").await;
    assert_eq!(server.get_as(&host.cookie, HELD).await.status, 403);
    assert_eq!(host.post(server, &release, &[]).await.status, 403);
    assert!(page(server, &donation).await.contains(WAITS), "nothing of that released it");

    let small = pledge(server, "20", "ada@example.org").await;
    assert!(page(server, &small).await.contains(ASKS));
    for path in [to(&small, "release"), to("/0193a1d2-5e70-7a80-9b1c-2d3e4f5061a1", "release"), to("/x", "turn-away")] {
        let answer = owner.post(server, &path, &[("reason", "why")]).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
    }
    let long = "x".repeat(501);
    let answer = owner.post(server, &release, &[("note", &long)]).await;
    assert!(answer.status == 422 && answer.text().contains(&long), "what was typed is kept");
    for _ in 0..2 {
        assert_eq!(owner.post(server, &release, &[]).await.status, 303);
    }
    let late = owner.post(server, &to(&donation, "turn-away"), &[("reason", "too late")]).await;
    assert!(late.status == 409 && late.text().contains("Somebody has released this gift already"), "{}", late.text());
    let decided = kinds(&house, &donation);
    assert_eq!(decided, ["donation.pledged", "donation.held", "donation.released"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sum_is_read_as_money_and_wrong_ones_are_named() {
    let house = House::new().await;
    let (server, owner) = (&house.server, &house.owner);
    for (sum, currency, words) in [
        ("a lot", "USD", "Gifts to look at: write the amount in digits"),
        ("0", "USD", "more than nothing"),
        ("10", "XXX", "Choose the currency of gifts to look at"),
    ] {
        let form = [("abroad", "with_passport"), ("hold_above", sum), ("hold_currency", currency)];
        let answer = owner.post(server, RULES, &form).await;
        assert!(answer.status == 422 && answer.text().contains(words), "{sum}: {}", answer.text());
        assert!(answer.text().contains(&format!("name=\"hold_above\" value=\"{sum}\"")), "what was typed is kept");
    }
    let euros = [("abroad", "with_passport"), ("hold_above", "1"), ("hold_currency", "EUR")];
    assert_eq!(owner.post(server, RULES, &euros).await.status, 303);
    let _ = give(server, "200", "joan@example.org").await;
    let rules = server.get_as(&owner.cookie, RULES).await.text();
    assert!(rules.contains("name=\"hold_above\" value=\"1\"") && rules.contains("<option value=\"EUR\" selected>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recurring_gift_is_held_as_a_whole_and_not_raised_past_the_sum() {
    let house = holding("100").await;
    let (server, owner) = (&house.server, &house.owner);
    let monthly = |amount: &'static str, email: &'static str| {
        let form = gift(amount, email).into_iter().filter(|(name, _)| *name != "every");
        form.chain([("every", "month")]).collect::<Vec<_>>()
    };
    let large = server.post("/r/call/donate", &monthly("200", "ruth@example.org")).await.header("location");
    assert!(page(server, &large).await.contains(WAITS));
    assert!(list(&house).await.contains("$200.00 each month from"));
    assert_eq!(owner.post(server, &to(&large, "release"), &[]).await.status, 303);
    assert_eq!(pay(server, &large, "simulated_ok").await["state"], "settled");

    let small = server.post("/r/call/donate", &monthly("20", "ada@example.org")).await.header("location");
    assert_eq!(pay(server, &small, "simulated_ok").await["state"], "settled");
    let thanks = page(server, &small).await;
    let link = thanks.split("href=\"").find(|rest| rest.starts_with("/r/call/plan/")).unwrap();
    let manage = link.split('"').next().unwrap().to_owned();
    until("the gift does not begin", || async { server.get(&manage).await.text().contains("The next gift") }).await;
    let raised = server.post(&format!("{manage}/change"), &[("amount", "500"), ("every", "month")]).await;
    assert_eq!(raised.status, 422);
    assert!(raised.text().contains("A person of the campaign looks at gifts of more than $100 first"));
    assert_eq!(server.post(&format!("{manage}/change"), &[("amount", "100"), ("every", "month")]).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_donor_is_told_by_mail_what_was_decided() {
    let mail = MailServer::start();
    let settings =
        [("GROUNDSWELL_MAIL_SMTP", mail.smtp()), ("GROUNDSWELL_MAIL_FROM", "receipts@rivera.example".into())];
    let env: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let house = House::with(&env).await;
    let (server, owner) = (&house.server, &house.owner);
    set(&house, "100").await;
    let released = pledge(server, "200", "ruth@example.org").await;
    assert!(page(server, &released).await.contains("We write to you at <bdi>ruth@example.org</bdi>"));
    let away = pledge(server, "300", "ada@example.org").await;
    assert!(page(server, &away).await.contains(WAITS));
    mail.no_more_than(0).await;
    assert_eq!(owner.post(server, &to(&released, "release"), &[]).await.status, 303);
    let letter = mail.wait_for(1).await.remove(0);
    assert_eq!(header(&letter, "Subject"), "SIMULATED: Your gift of $200.00 can go on: Answer the call");
    assert_eq!(letter["recipients"], serde_json::json!(["ruth@example.org"]));
    assert_eq!(owner.post(server, &to(&away, "turn-away"), &[("reason", "a company")]).await.status, 303);
    let other = mail.wait_for(2).await.remove(1);
    assert_eq!(header(&other, "Subject"), "SIMULATED: We could not take your gift of $300.00: Answer the call");
    for (letter, donation, wanted) in [(&letter, &released, "Pay this gift"), (&other, &away, "can’t take it")] {
        for kind in ["text/plain", "text/html"] {
            let text = part(letter, kind);
            let href = format!("http://{}{donation}", server.http);
            assert!(text.contains(&href) && text.contains(wanted), "{kind}: {text}");
            assert!(text.contains("Nothing was charged") && text.contains("Paid for by Rivera for Senate"), "{text}");
            assert!(!text.contains("a company"), "{text}");
        }
    }
    // The receipt comes when it is paid, and each letter once.
    assert_eq!(owner.post(server, &to(&released, "release"), &[]).await.status, 303);
    assert_eq!(pay(server, &released, "simulated_ok").await["state"], "settled");
    let receipt = mail.wait_for(3).await.remove(2);
    assert!(header(&receipt, "Subject").contains("Your receipt for $200.00"));
    mail.no_more_than(3).await;
}
