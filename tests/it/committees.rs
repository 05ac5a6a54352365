//! Several committees in one installation: each with its own account at the processor, and a joint one that shares its gifts.

use crate::reconcile::bank::{Bank, fee};
use crate::server::{House, Server, csv_rows, encode, gift, minor, pay, rally_form, run, said, until};
use crate::webhooks::succeeded;
use futures_util::{StreamExt as _, stream};
use std::collections::HashMap;
use stripe_webhook::Webhook;

const PARTY_KEY: &str = "sk_test_51Party";
const PARTY_SECRET: &str = "whsec_Party";

/// Stripe with two accounts: the first committee's and the party's.
fn two(base: &str) -> Vec<(&'static str, String)> {
    let mut env: Vec<(&str, String)> = [
        ("GROUNDSWELL_PROCESSOR", "stripe"),
        ("GROUNDSWELL_STRIPE_SECRET_KEY", "sk_test_51Secret"),
        ("GROUNDSWELL_STRIPE_PUBLISHABLE_KEY", "pk_test_51Public"),
        ("GROUNDSWELL_STRIPE_WEBHOOK_SECRET", "whsec_Secret"),
        ("GROUNDSWELL_ACCOUNTS", "party"),
        ("GROUNDSWELL_ACCOUNTS_PARTY_SECRET_KEY", PARTY_KEY),
        ("GROUNDSWELL_ACCOUNTS_PARTY_PUBLISHABLE_KEY", "pk_test_51Party"),
        ("GROUNDSWELL_ACCOUNTS_PARTY_WEBHOOK_SECRET", PARTY_SECRET),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec();
    env.extend([
        ("GROUNDSWELL_STRIPE_API_BASE", base.into()),
        ("GROUNDSWELL_STRIPE_SCRIPT_URL", format!("{base}/v3/")),
    ]);
    env
}

fn borrowed<'a>(env: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    env.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// Changes a rally's committee by its form.
async fn entrust(house: &House, slug: &str, committee: &str) {
    let form = [&rally_form(slug)[..], &[("committee", committee)]].concat();
    let answer = house.owner.post(&house.server, &format!("/host/r/{slug}/edit"), &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
}

async fn pledge_at(server: &Server, slug: &str, amount: &str, email: &str) -> String {
    let answer = server.post(&format!("/r/{slug}/donate"), &gift(amount, email)).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location")
}

/// A gift of $25 to the campaign, and one of $40 at a rally of the party's.
async fn one_each(house: &House) -> (String, String) {
    house.owner.make_rally(&house.server, "party").await;
    entrust(house, "party", "1").await;
    let ours = pledge_at(&house.server, "call", "25", "joan@example.org").await;
    (ours, pledge_at(&house.server, "party", "40", "joan@example.org").await)
}

async fn page(house: &House, path: &str) -> String {
    let answer = house.server.get_as(&house.owner.cookie, path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

fn export(house: &House, arguments: &[&str]) -> Vec<HashMap<String, String>> {
    let output = run(&[&["export", "csv"], arguments].concat(), &house.data());
    assert!(output.status.success(), "{}", said(&output));
    csv_rows(&output.stdout)
}

fn id(address: &str) -> &str {
    address.rsplit('/').next().unwrap()
}

#[tokio::test]
async fn each_committees_money_goes_into_its_own_account() {
    let bank = Bank::open().await;
    let party = bank.also(PARTY_KEY, "party");
    let env = two(&bank.server.uri());
    let house = House::with(&borrowed(&env)).await;
    let server = &house.server;
    let (ours, theirs) = one_each(&house).await;
    assert!(server.get(&ours).await.text().contains("pk_test_51Public"));
    assert!(server.get(&theirs).await.text().contains("pk_test_51Party"));
    assert_eq!(pay(server, &ours, "pm_card_visa").await["state"], "settled");
    assert_eq!(pay(server, &theirs, "pm_card_visa").await["state"], "settled");
    assert_eq!(bank.change(|books| books.intents.len()), 1);
    assert_eq!(party.lock().unwrap().intents.len(), 1);
    assert_eq!(party.lock().unwrap().intents[0]["metadata"]["donation"], id(&theirs));

    // Each account's books are read by themselves, and its payouts.
    bank.change(|books| books.pay_out("po_ours", "paid", 0));
    let sum = party.lock().unwrap().pay_out("po_party", "paid", 0);
    assert_eq!(sum, 4_000 - fee(4_000));
    let output = run(&["reconcile"], &house.data());
    let words = said(&output);
    assert!(output.status.success(), "{words}");
    assert!(words.contains("the campaign:\n") && words.contains("party:\n"), "{words}");
    assert_eq!(words.matches("1 fees were learned. 1 payouts. Nothing new differs.").count(), 2, "{words}");
    let rows = export(&house, &[]);
    let payouts: HashMap<&str, &str> =
        rows.iter().map(|row| (row["committee"].as_str(), row["payout"].as_str())).collect();
    assert_eq!(payouts, HashMap::from([("the campaign", "po_ours"), ("party", "po_party")]));
    for (asked, donation) in [("party", &theirs), ("1", &theirs), ("0", &ours)] {
        let rows = export(&house, &["--committee", asked]);
        assert_eq!(rows.iter().map(|row| row["donation"].as_str()).collect::<Vec<_>>(), [id(donation)], "{asked}");
    }
    assert_eq!(export(&house, &["--committee", "nobody"]).len(), 0);
    let finance = page(&house, "/finance?committee=1").await;
    assert!(finance.contains("$40.00") && finance.contains("Account of") && !finance.contains("$25.00"), "{finance}");
    assert!(!finance.contains("/finance?rally=call\""), "a rally without money in that account has no line: {finance}");
    let both = page(&house, "/finance").await;
    assert!(both.contains("By committee") && both.contains("$65.00"), "{both}");
    let reconciliation = page(&house, "/finance/reconciliation").await;
    assert!(reconciliation.contains("po_ours") && reconciliation.contains("po_party"), "{reconciliation}");
    let replayed = run(&["replay"], &house.data());
    assert!(replayed.status.success(), "{}", said(&replayed));
}

#[tokio::test]
async fn an_accounts_webhooks_have_a_say_in_its_own_gifts_alone() {
    let bank = Bank::open().await;
    bank.also(PARTY_KEY, "party");
    let env = two(&bank.server.uri());
    let house = House::with(&borrowed(&env)).await;
    let server = &house.server;
    let (ours, theirs) = one_each(&house).await;
    let hook = |to: &'static str, secret: &'static str, body: String| async move {
        let signature = Webhook::generate_test_header(&body, secret, None);
        let path = format!("/webhooks/stripe{to}");
        server.send("POST", &path, &[("stripe-signature", &signature)], body.as_bytes()).await.status
    };
    let about_theirs = || succeeded("evt_t", &theirs, "pi_t", 4_000);
    assert_eq!(hook("/party", "whsec_Secret", about_theirs()).await, 400, "another account's signature");
    assert_eq!(hook("", PARTY_SECRET, about_theirs()).await, 400);
    assert_eq!(hook("/nobody", PARTY_SECRET, about_theirs()).await, 404);
    assert_eq!(hook("/", PARTY_SECRET, about_theirs()).await, 404);
    assert_eq!(hook("/party", PARTY_SECRET, about_theirs()).await, 200);
    until("the party's gift", || async { server.get(&theirs).await.text().contains("Thank you") }).await;
    // The party's account says that a gift to the campaign was paid.
    assert_eq!(hook("/party", PARTY_SECRET, succeeded("evt_o", &ours, "pi_o", 2_500)).await, 200);
    until("the mismatch", || async {
        page(&house, "/finance/reconciliation").await.contains("another committee than the account")
    })
    .await;
    assert!(!server.get(&ours).await.text().contains("Thank you"), "nothing of it is booked");
    assert_eq!(export(&house, &[]).len(), 1);
}

#[tokio::test]
async fn accounts_that_can_not_be_told_apart_or_mixed_are_refused() {
    let bank = Bank::open().await;
    let env = two(&bank.server.uri());
    let folder = tempfile::tempdir().unwrap();
    // The second key is unknown to the bank, so it is of the first account.
    let refused = Server::try_start(&folder.path().join("one"), &borrowed(&env)).err().unwrap();
    assert!(refused.contains("acct_ours") && refused.contains("another committee's already"), "{refused}");
    // Nobody is asked anything yet, so the processor's own addresses do.
    let own = two("").into_iter().filter(|(name, _)| !name.ends_with("_BASE") && !name.ends_with("_URL"));
    let live: Vec<_> = own.map(|(name, value)| (name, value.replace("test_51Party", "live_51Party"))).collect();
    let refused = Server::try_start(&folder.path().join("two"), &borrowed(&live)).err().unwrap();
    assert!(refused.contains("accounts.party handles live money"), "{refused}");
}

#[tokio::test]
async fn a_committee_whose_account_is_taken_out_takes_nothing_and_loses_nothing() {
    let house = House::with(&[("GROUNDSWELL_ACCOUNTS", "party")]).await;
    entrust(&house, "call", "1").await;
    let given = pledge_at(&house.server, "call", "25", "joan@example.org").await;
    assert_eq!(pay(&house.server, &given, "simulated_ok").await["state"], "settled");
    let open = pledge_at(&house.server, "call", "30", "joan@example.org").await;
    let house = house.again(Server::kill);
    let server = &house.server;
    assert!(server.printed().contains("it takes no gifts"), "{}", server.printed());
    for (verb, path) in [("GET", "/r/call/donate".to_owned()), ("GET", open.clone()), ("POST", "/r/call/donate".into())]
    {
        let form = encode(&gift("25", "joan@example.org"));
        let answer =
            server.send(verb, &path, &[("content-type", "application/x-www-form-urlencoded")], form.as_bytes()).await;
        assert_eq!(answer.status, 409, "{verb} {path}");
        assert!(answer.text().contains("takes no gifts here at the moment. Nothing was charged."), "{}", answer.text());
    }
    assert_eq!(pay(server, &open, "simulated_ok").await["status"], 409);
    assert_eq!(export(&house, &[]).len(), 1);
    let house = house.again_with(&[("GROUNDSWELL_ACCOUNTS", "party")], Server::kill);
    assert_eq!(pay(&house.server, &open, "simulated_ok").await["state"], "settled");
}

/// The campaign and the party share what the Victory Fund raises at `/r/call`, 60 to 40: at most $100 a person to the one, $500
/// to the other.
async fn victory() -> House {
    let house = House::with(&[("GROUNDSWELL_ACCOUNTS", "party,victory")]).await;
    let rules = |committee: &'static str, name: &'static str, more: &[(&'static str, &'static str)]| {
        let form = [&[("committee", committee), ("name", name), ("abroad", "taken")], more].concat();
        let house = &house;
        async move {
            let answer = house.owner.post(&house.server, "/finance/rules", &form).await;
            assert_eq!(answer.status, 303, "{}", answer.text());
        }
    };
    let limit = |amount| {
        [
            ("limit_name_1", "test election"),
            ("limit_amount_1", amount),
            ("limit_currency_1", "USD"),
            ("limit_from_1", "2020-01-01"),
            ("limit_until_1", "2099-12-31"),
        ]
    };
    rules("0", "Rivera for Senate", &limit("100")).await;
    rules("1", "State Party", &limit("500")).await;
    rules("2", "Rivera Victory Fund", &[("formula", "shares"), ("share_0", "60"), ("share_1", "40")]).await;
    entrust(&house, "call", "2").await;
    house
}

#[tokio::test]
async fn a_joint_gift_is_shared_by_the_stated_formula() {
    let house = victory().await;
    let server = &house.server;
    let form = server.get("/r/call/donate").await.text();
    let stated =
        "Your gift to Rivera Victory Fund is shared: 60\u{a0}% to Rivera for Senate and 40\u{a0}% to State Party.";
    assert!(form.contains(stated) && form.contains("From $1 to $600."), "{form}");
    let first = pledge_at(server, "call", "100", "joan@example.org").await;
    let card = server.get(&first).await.text();
    assert!(card.contains("It is shared: $60.00 to Rivera for Senate and $40.00 to State Party."), "{card}");
    assert_eq!(pay(server, &first, "simulated_ok").await["state"], "settled");
    // Of the next the one may have $40 only: the rest goes to the other.
    let second = pledge_at(server, "call", "100.00", "joan@example.org").await;
    assert_eq!(pay(server, &second, "simulated_ok").await["state"], "settled");
    let thanks = server.get(&second).await.text();
    assert!(thanks.contains("Of it for Rivera for Senate</dt><dd dir=\"auto\">$40.00"), "{thanks}");
    assert!(thanks.contains("Of it for State Party</dt><dd dir=\"auto\">$60.00"), "{thanks}");
    let third = pledge_at(server, "call", "400.01", "joan@example.org").await;
    let answer = pay(server, &third, "simulated_ok").await;
    let reason = answer["reason"].as_str().unwrap();
    assert!(reason.contains("you can still give $400"), "{reason}");
    let refunded = format!("/finance/donations/{}/refund", id(&first));
    let refund = [("refund", "01934f2a-53a7-77c7-8356-b96df018bda9"), ("amount", "50.01")];
    assert_eq!(house.owner.post(server, &refunded, &refund).await.status, 303);
    let rows = export(&house, &[]);
    let parts: Vec<_> = rows.iter().map(|row| (minor(&row["amount"]), row["parts"].as_str())).collect();
    let expected = [
        (10_000, "Rivera for Senate 60.00; State Party 40.00"),
        (10_000, "Rivera for Senate 40.00; State Party 60.00"),
        (-5_001, "Rivera for Senate -30.01; State Party -20.00"),
    ];
    assert_eq!(parts, expected);
    assert!(rows.iter().all(|row| row["committee"] == "Rivera Victory Fund"));
    let finance = page(&house, "/finance").await;
    for wanted in ["Rivera Victory Fund", "$69.99", "$80.00", "−$50.01"] {
        assert!(finance.contains(wanted), "{wanted}: {finance}");
    }
    // What went back makes room for it.
    let again = pledge_at(server, "call", "450.01", "joan@example.org").await;
    assert_eq!(pay(server, &again, "simulated_ok").await["state"], "settled");
    let replayed = run(&["replay"], &house.data());
    assert!(replayed.status.success(), "{}", said(&replayed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_joint_gifts_at_once_pass_nobodys_limit() {
    let house = victory().await;
    let server = &house.server;
    let mut donations = vec![];
    for number in 0..100 {
        let token = number.to_string();
        let form = [&gift("7", "joan@example.org")[..], &[("form_token", token.as_str())]].concat();
        donations.push(server.post("/r/call/donate", &form).await.header("location"));
    }
    let answers = stream::iter(&donations).map(|donation| pay(server, donation, "simulated_ok"));
    let answers: Vec<_> = answers.buffer_unordered(donations.len()).collect().await;
    let settled = answers.iter().filter(|answer| answer["state"] == "settled").count();
    assert_eq!(settled, 85, "85 gifts of $7 are $595 of $600");
    let mut sums: HashMap<String, i64> = HashMap::new();
    for row in export(&house, &[]) {
        for part in row["parts"].split("; ") {
            let (name, amount) = part.rsplit_once(' ').unwrap();
            *sums.entry(name.to_owned()).or_default() += minor(amount);
        }
    }
    let of = |name: &str| sums[name];
    assert_eq!((of("Rivera for Senate"), of("State Party")), (10_000, 49_500));
}

#[tokio::test]
async fn formulas_that_can_not_be_are_named_and_kept_on_the_form() {
    let house = victory().await;
    let (server, owner) = (&house.server, &house.owner);
    for (committee, form, words) in [
        ("2", &[("formula", "shares"), ("share_0", "60"), ("share_1", "39")][..], "come to 100 %"),
        ("2", &[("formula", "shares"), ("share_0", "sixty"), ("share_1", "40")], "share in percent, like 62.5"),
        ("2", &[("formula", "turns"), ("share_0", "1"), ("share_1", "1")], "no two the same"),
        ("0", &[("formula", "shares"), ("share_1", "60"), ("share_2", "40")], "none of which shares its own"),
    ] {
        let form = [&[("committee", committee), ("abroad", "taken")], form].concat();
        let answer = owner.post(server, "/finance/rules", &form).await;
        assert_eq!(answer.status, 422, "{words}");
        let text = answer.text();
        assert!(text.contains(words), "{words}: {text}");
    }
    let unknown = [("committee", "9"), ("abroad", "taken")];
    assert_eq!(owner.post(server, "/finance/rules", &unknown).await.status, 404);
    let page = page(&house, "/finance/rules?committee=2").await;
    for wanted in ["value=\"60\"", "value=\"Rivera Victory Fund\"", "href=\"/finance/rules?committee=1\""] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
}
