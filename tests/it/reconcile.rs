//! The processor's own books: with every webhook lost and answers lost too, the ledger ends complete, with fees and payouts; and
//! what can't be brought together is an event and stands on a page.

pub mod bank;

use crate::server::{House, Server, csv_rows, minor, pay, pledge, run, said, state};
use crate::stripe_at::{DONATION, RALLY, borrowed, env, ledger_at};
use bank::{Bank, fee, now};
use chrono::TimeDelta;
use groundswell::domain::audit::What;
use groundswell::domain::books::Standing;
use groundswell::domain::id::PayoutId;
use groundswell::domain::money::{Currency, Money};
use groundswell::engine::Engine;
use groundswell::payments::cashier::{BooksSaid, Trouble};
use serde_json::{Value, json};
use uuid::Uuid;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

async fn head(house: &House) -> u64 {
    house.server.get("/readyz").await.json()["seq"].as_u64().unwrap()
}

fn reconcile(house: &House) -> String {
    let output = run(&["reconcile"], &house.data());
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

async fn page(house: &House, path: &str) -> String {
    let answer = house.server.get_as(&house.owner.cookie, path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

/// The donation's id at the end of its address.
fn id(address: &str) -> String {
    address.rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn with_every_webhook_and_some_answers_lost_the_ledger_ends_complete_to_the_payout() {
    let bank = Bank::open().await;
    let env = env(&bank.server.uri());
    let house = House::with(&borrowed(&env)).await;
    let mut gifts = vec![];
    for (number, (amount, cents)) in
        [("25", 2_500), ("30.50", 3_050), ("40", 4_000), ("50", 5_000)].into_iter().enumerate()
    {
        let gift = pledge(&house.server, amount, "joan@example.org").await;
        // The second and the third are charged, and nobody hears of it.
        bank.change(|books| books.lost_answers = usize::from(number == 1 || number == 2));
        let answer = pay(&house.server, &gift, "pm_card_visa").await;
        let expected = if number == 1 || number == 2 { "processing" } else { "settled" };
        assert_eq!(answer["state"], expected, "{answer}");
        gifts.push((gift, cents));
    }
    assert_eq!(state(&house.server).await["raised_minor"], 7_500);
    bank.change(|books| {
        books.refund("re_1", "pi_1", 1_000);
        books.dispute("dp_1", "pi_4", 5_000);
        let others = json!({ "id": "ch_x", "object": "charge", "amount": 700, "currency": "usd", "livemode": false, "payment_intent": "pi_x" });
        books.moved("txn_x", "charge", 700, 50, others);
        books.moved("txn_fee", "stripe_fee", -200, 0, Value::Null);
        books.moved("txn_new", "a_kind_of_the_future", -1, 0, json!("obj_1"));
    });
    let sum = bank.change(|books| books.pay_out("po_1", "in_transit", 0));
    let ours =
        2_500 + 3_050 + 4_000 + 5_000 - fee(2_500) - fee(3_050) - fee(4_000) - fee(5_000) - 1_000 - 5_000 - 1_500;
    assert_eq!(sum, ours + 650 - 200 - 1);

    let words = reconcile(&house);
    assert!(words.contains("6 of ours were new, 2 of them were missing in the ledger"), "{words}");
    assert!(words.contains("4 fees were learned. 1 payouts. Nothing new differs."), "{words}");
    assert_eq!(state(&house.server).await["raised_minor"], 2_500 + 3_050 + 4_000 + 5_000 - 1_000 - 5_000);
    let csv = run(&["export", "csv"], &house.data());
    let rows = csv_rows(&csv.stdout);
    assert_eq!(rows.len(), 6, "{rows:?}");
    assert!(rows.iter().all(|row| row["payout"] == "po_1"), "{rows:?}");
    for (gift, cents) in &gifts {
        let row = rows.iter().find(|row| row["donation"] == id(gift) && row["kind"] == "donation").unwrap();
        assert_eq!((minor(&row["amount"]), minor(&row["fee"])), (*cents, fee(*cents)), "{row:?}");
    }
    let net: i64 = rows.iter().map(|row| minor(&row["net"])).sum();
    assert_eq!(net, ours, "the payout's part of this ledger, to the cent");

    let list = page(&house, "/finance/reconciliation").await;
    let dollars = |minor: i64| Money::new(minor, Currency::USD).to_exact();
    for wanted in
        ["Nothing: the ledger", "On its way", &dollars(sum), &dollars(ours), "/finance/payouts/po_1", "were read at"]
    {
        assert!(list.contains(wanted), "{wanted}: {list}");
    }
    assert!(list.split_once("Fee not known").unwrap().1.contains("None."), "{list}");
    let payout = page(&house, "/finance/payouts/po_1").await;
    for wanted in [
        "which is its sum",
        "Payment of another program",
        "Fee of the processor",
        "re_1",
        "dp_1",
        "pi_4",
        "9 movements",
    ] {
        assert!(payout.contains(wanted), "{wanted}: {payout}");
    }
    assert!(!payout.contains("Payout that came back"), "the payout is no part of itself");
    assert_eq!(house.server.get_as(&house.owner.cookie, "/finance/payouts/po_2").await.status, 404);
    assert_eq!(house.server.get("/finance/payouts/po_1").await.status, 303, "for finance alone");

    let seq = head(&house).await;
    let again = reconcile(&house);
    assert!(again.contains("0 of ours were new") && again.contains("Nothing new differs."), "{again}");
    assert_eq!(head(&house).await, seq, "a reading that finds nothing leaves nothing");

    let house = house.again_with(&borrowed(&env), Server::kill);
    bank.change(|books| books.payouts[0]["status"] = json!("paid"));
    reconcile(&house);
    assert!(page(&house, "/finance/reconciliation").await.contains("Paid"));
    let replayed = run(&["replay"], &house.data());
    assert!(replayed.status.success(), "{}", said(&replayed));
    house.server.is_well().await;
}

#[tokio::test]
async fn a_mismatch_is_shown_noted_and_gone() {
    let bank = Bank::open().await;
    let env = env(&bank.server.uri());
    let house = House::with(&borrowed(&env)).await;
    let gift = pledge(&house.server, "25", "joan@example.org").await;
    pay(&house.server, &gift, "pm_card_visa").await;
    bank.change(|books| {
        books.pay_out("po_1", "paid", 7);
        // Money with the mark of a donation that is not in this ledger.
        let stray = json!({
            "id": "ch_s", "object": "charge", "amount": 900, "currency": "usd", "livemode": false, "payment_intent": "pi_s",
            "metadata": { "donation": Uuid::from_u128(77).to_string() },
        });
        books.moved("txn_s", "charge", 900, 56, stray);
    });
    let words = reconcile(&house);
    assert!(words.contains("2 new differences"), "{words}");
    let shown = page(&house, "/finance/reconciliation").await;
    for wanted in ["A payout is not the sum", "Money with our mark", "txn_s", "Not the sum of what is in it"] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    assert!(page(&house, "/finance/payouts/po_1").await.contains("Differs"));
    let note = |mismatch: &'static str, note: String| {
        let house = &house;
        async move {
            let form = [("mismatch", mismatch), ("note", note.as_str())];
            house.owner.post(&house.server, "/finance/reconciliation/note", &form).await
        }
    };
    let long = "y".repeat(501);
    let refused = note("payout:po_1", long.clone()).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("Say why it is fine, in at most 500 characters") && refused.text().contains(&long));
    let cross_site = [("mismatch", "payout:po_1"), ("note", "x")];
    let cross_site = house.server.post_as(&house.owner.cookie, "/finance/reconciliation/note", &cross_site).await;
    assert_eq!(cross_site.status, 403);
    assert_eq!(note("payout:po_1", "Seven cents of interest, by Stripe's letter.".into()).await.status, 303);
    let after = page(&house, "/finance/reconciliation").await;
    assert!(!after.contains("A payout is not the sum") && after.contains("Money with our mark"), "{after}");
    let seq = head(&house).await;
    reconcile(&house);
    assert_eq!(head(&house).await, seq, "what was found fine is not found again");
    let log = String::from_utf8(run(&["log", "tail", "-n", "20"], &house.data()).stdout).unwrap();
    assert!(log.lines().any(|line| line.contains("audit.mismatch_settled") && line.contains("Seven cents")), "{log}");
}

#[tokio::test]
async fn another_accounts_key_is_refused_by_the_ledger() {
    let bank = Bank::open().await;
    let env = env(&bank.server.uri());
    let house = House::with(&borrowed(&env)).await;
    let data = house.data();
    let house = house.again_with(&borrowed(&env), Server::stop);
    bank.change(|books| books.account = "acct_other".into());
    house.server.terminate();
    let (status, printed) = house.server.ended();
    assert!(status.success(), "{printed}");
    let refused = Server::try_start(&data, &borrowed(&env)).err().unwrap();
    assert!(refused.contains("acct_ours") && refused.contains("acct_other") && refused.contains("--data"), "{refused}");
}

/// What is open, as kind and reference.
fn open(engine: &Engine) -> Vec<(What, String)> {
    let world = engine.world();
    world.state.audit.open().map(|open| (open.finding.what, open.finding.reference.clone())).collect()
}

#[tokio::test]
async fn an_answer_that_is_not_for_this_ledger_is_never_booked_and_is_a_mismatch() {
    type Spoil = fn(&mut Value);
    let spoils: [(Spoil, &str); 3] = [
        (|answer| answer["livemode"] = json!(true), "test money beside live money"),
        (|answer| answer["currency"] = json!("eur"), "another currency than"),
        (|answer| answer["metadata"]["donation"] = json!(Uuid::from_u128(6).to_string()), "another donation"),
    ];
    for (spoil, why) in spoils {
        let (bank, dir) = (Bank::open().await, tempfile::tempdir().unwrap());
        bank.change(|books| books.spoil = Some(spoil));
        let (engine, cashier, time) = ledger_at(dir.path(), &bank.server.uri()).await;
        cashier.pay(DONATION, "pm_card_visa".into()).await.unwrap();
        *time.lock().unwrap() += TimeDelta::minutes(1);
        cashier.resolve(engine.clock().now()).await;
        assert_eq!(engine.world().totals.sums(RALLY).gross_minor, 0, "{why}");
        assert_eq!(open(&engine), [(What::Foreign, "pi_1".to_owned())], "{why}");
        let said = engine.world().state.audit.open().next().unwrap().finding.said.clone().unwrap();
        assert!(said.contains(why), "{said}");
        // By the books as well: looked up, and refused again.
        cashier.read_books().await.unwrap().unwrap();
        assert_eq!(engine.world().totals.sums(RALLY).gross_minor, 0, "{why}");
        // Once the answer is right it is booked, under the same key, and the books agree.
        bank.change(|books| books.spoil = None);
        cashier.resolve(engine.clock().now()).await;
        assert_eq!(engine.world().totals.sums(RALLY).gross_minor, 2_500, "{why}");
    }
}

#[tokio::test]
async fn what_the_books_say_otherwise_is_found_and_what_they_lack_after_some_days() {
    let (bank, dir) = (Bank::open().await, tempfile::tempdir().unwrap());
    let (engine, cashier, time) = ledger_at(dir.path(), &bank.server.uri()).await;
    cashier.pay(DONATION, "pm_card_visa".into()).await.unwrap();
    let gone = bank.change(|books| {
        books.refund("re_1", "pi_1", 400);
        books.transactions.remove(0)
    });
    // The refund is made good from the balance, and the payment is missing there.
    let done = cashier.read_books().await.unwrap().unwrap();
    assert_eq!((done.listed, done.taken, done.repaired, done.found), (1, 1, 1, 0));
    *time.lock().unwrap() += TimeDelta::days(3);
    assert_eq!(cashier.read_books().await.unwrap().unwrap().found, 0, "it may come later");
    *time.lock().unwrap() += TimeDelta::days(2);
    assert_eq!(cashier.read_books().await.unwrap().unwrap().found, 1);
    assert_eq!(open(&engine), [(What::Absent, "pi_1".to_owned())]);
    // It comes, under another sum and with another fee than the ledger has it.
    let mut late = gone;
    late["created"] = json!(now() + 5 * 86_400);
    late["source"]["amount"] = json!(2_600);
    bank.change(|books| books.transactions.push(late));
    let done = cashier.read_books().await.unwrap().unwrap();
    assert_eq!((done.found, done.settled, done.fees), (1, 1, 1));
    assert_eq!(open(&engine), [(What::Amount, "txn_1".to_owned())]);
    let seq = engine.world().seq;
    assert_eq!(cashier.read_books().await.unwrap().unwrap().found, 0);
    assert_eq!(engine.world().seq, seq);
}

#[tokio::test]
async fn what_the_lists_have_of_others_is_counted_and_never_booked() {
    let (bank, dir) = (Bank::open().await, tempfile::tempdir().unwrap());
    let (engine, cashier, _) = ledger_at(dir.path(), &bank.server.uri()).await;
    let mark = json!({ "donation": DONATION.to_string() });
    bank.change(|books| {
        let charge = |live: bool, currency: &str| {
            json!({ "id": "ch_1", "object": "charge", "amount": 2500, "currency": currency, "livemode": live,
                    "payment_intent": "pi_1", "metadata": mark })
        };
        books.moved("txn_live", "charge", 2_500, 103, charge(true, "usd"));
        books.moved("txn_brl", "charge", 2_500, 103, charge(false, "brl"));
        books.transactions.last_mut().unwrap()["currency"] = json!("brl");
        books.pay_out("po_live", "paid", 0);
        books.payouts[0]["livemode"] = json!(true);
        for (name, change) in [("evt_a", json!({ "account": "acct_b" })), ("evt_l", json!({ "livemode": true }))] {
            let mut event = json!({ "id": name, "type": "payment_intent.succeeded", "livemode": false, "created": now(), "data": {} });
            event.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            books.events.push(event);
        }
    });
    assert_eq!(cashier.catch_up().await.unwrap().unwrap().refused, 2);
    let done = cashier.read_books().await.unwrap().unwrap();
    assert_eq!((done.taken, done.repaired, done.payouts), (0, 0, 0));
    let mut names: Vec<String> = open(&engine).into_iter().map(|(what, name)| format!("{what:?} {name}")).collect();
    names.sort();
    let wanted = ["Foreign acct_b", "Foreign livemode", "Foreign po_live", "Foreign txn_brl", "Foreign txn_live"];
    assert_eq!(names, wanted);
    assert_eq!(engine.world().totals.sums(RALLY).gross_minor, 0);
}

#[tokio::test]
async fn a_payout_of_many_entries_is_told_in_parts_and_goes_on_where_it_broke_off() {
    let (bank, dir) = (Bank::open().await, tempfile::tempdir().unwrap());
    let (engine, cashier, _) = ledger_at(dir.path(), &bank.server.uri()).await;
    cashier.pay(DONATION, "pm_card_visa".into()).await.unwrap();
    bank.change(|books| {
        for number in 0..9 {
            books.moved(&format!("txn_o{number}"), "charge", 100, 3, Value::Null);
        }
        books.pay_out("po_1", "failed", 0);
        // The list breaks off in the middle once.
        books.contents.get_mut("po_1").unwrap().retain(|name| name != "txn_o4");
    });
    let payout = || engine.world().state.books.payout(&PayoutId("po_1".into())).cloned().unwrap();
    let broken = Mock::given(method("GET"))
        .and(path("/v1/balance_transactions"))
        .and(wiremock::matchers::query_param("payout", "po_1"))
        .and(wiremock::matchers::query_param("starting_after", "txn_o6"))
        .respond_with(ResponseTemplate::new(500))
        .with_priority(1)
        .up_to_n_times(1);
    broken.mount(&bank.server).await;
    assert!(cashier.read_books().await.is_err());
    assert!(matches!(cashier.books_said(), BooksSaid::Failed(_)));
    let half = payout();
    assert!(!half.complete && half.entries > 0 && half.entries < 9, "{half:?}");
    let done = cashier.read_books().await.unwrap().unwrap();
    let whole = payout();
    assert_eq!((whole.complete, whole.entries, whole.ours, whole.standing), (true, 9, 1, Standing::Failed));
    assert_eq!((done.found, whole.net_minor), (1, whole.amount.minor - 97), "one line of 97 cents is not told");
    assert_eq!(open(&engine), [(What::PayoutSum, "po_1".to_owned())]);
    assert_eq!(engine.world().ledger.payout_parts(whole.number).len(), 5);
}

#[tokio::test]
async fn a_processor_without_such_lists_and_a_key_that_may_not_read_them_are_told_apart() {
    let (server, dir) = (MockServer::start().await, tempfile::tempdir().unwrap());
    let (_, cashier, _) = ledger_at(dir.path(), &server.uri()).await;
    assert_eq!(cashier.read_books().await.unwrap(), None);
    assert_eq!(cashier.books_said(), BooksSaid::KeepsNone);
    let denied =
        json!({ "error": { "type": "invalid_request_error", "code": "more_permissions_required", "message": "no" } });
    let denied = ResponseTemplate::new(403).set_body_json(denied);
    Mock::given(method("GET")).respond_with(denied).mount(&server).await;
    let trouble = cashier.read_books().await.unwrap_err();
    assert!(matches!(&trouble, Trouble::Fault(groundswell::payments::Fault::Barred { .. })), "{trouble}");
    assert!(matches!(cashier.books_said(), BooksSaid::Failed(why) if why.contains("does not let us in")));
}
