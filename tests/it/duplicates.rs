//! Donors who may be one person: how they are found, what a merge changes and what it leaves as it was.

use crate::server::{Answer, House, PASSWORD, Server, Staff, csv_rows, gift, pay, run, run_with_input, said};

const DUPLICATES: &str = "/finance/duplicates";

/// A donor's form that is right, but for these fields.
fn form<'a>(amount: &'a str, email: &'a str, change: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = gift(amount, email).into_iter().filter(|(name, _)| !change.iter().any(|(changed, _)| name == changed));
    kept.chain(change.iter().copied()).collect()
}

async fn give(house: &House, amount: &str, email: &str, change: &[(&str, &str)]) -> String {
    let answer = house.server.post("/r/call/donate", &form(amount, email, change)).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let donation = answer.header("location");
    assert_eq!(pay(&house.server, &donation, "simulated_ok").await["state"], "settled");
    donation
}

async fn page(house: &House, path: &str) -> String {
    let answer = house.server.get_as(&house.owner.cookie, path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

/// The ids of the first pair on a page.
fn ids(page: &str) -> [String; 2] {
    let value = |name: &str| {
        let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{page}"));
        rest.split('"').next().unwrap().to_owned()
    };
    [value("one"), value("other")]
}

async fn decide(house: &House, act: &str, [one, other]: &[String; 2], reason: &str, more: &[(&str, &str)]) -> Answer {
    let form = [&[("one", one.as_str()), ("other", other), ("reason", reason)], more].concat();
    house.owner.post(&house.server, &format!("{DUPLICATES}/{act}"), &form).await
}

/// Two donors of one mailbox with homes of their own, who gave $150 and $100.
async fn two() -> House {
    let house = House::new().await;
    give(&house, "150", "joan.petrie@gmail.com", &[]).await;
    let other = [("first_name", "Joanie"), ("address", "77 Elm Street"), ("postal", "55803")];
    give(&house, "100", "joanpetrie+rally@gmail.com", &other).await;
    house
}

/// How many rows the ledger has of whoever has this address, as of an event.
async fn rows(house: &House, email: &str, seq: u64) -> usize {
    let email = email.replace('+', "%2B");
    let text = page(house, &format!("/finance/rows?q={email}&as_of={seq}")).await;
    text.matches("data-th=\"Gross\"").count()
}

async fn head(house: &House) -> u64 {
    house.server.get("/readyz").await.json()["seq"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn donors_of_one_mailbox_are_merged_from_that_event_on_and_parted_again() {
    let house = two().await;
    let doors = page(&house, "/finance").await;
    assert!(doors.contains("Work list <span class=\"pill warn\">1</span>"), "{doors}");
    assert!(page(&house, "/finance/work").await.contains("another who looks alike are one person"));
    let open = page(&house, DUPLICATES).await;
    for wanted in [
        "differ only by dots, or by what follows a plus sign",
        "Together they gave <b>$250.00</b>",
        "<mark dir=\"auto\">joan.petrie@gmail.com</mark>",
        "<mark dir=\"auto\">77 Elm Street</mark>",
        "<bdi>Nurse</bdi>",
        "1 gift, $150.00",
    ] {
        assert!(open.contains(wanted), "{wanted}: {open}");
    }
    let pair = ids(&open);
    let before = head(&house).await;
    let refused = decide(&house, "merge", &pair, "as joan@example.org says", &[]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("as joan@example.org says</textarea>"), "what was typed is kept");
    let merged = decide(&house, "merge", &pair, "One mailbox.", &[("kept", &pair[1])]).await;
    assert_eq!((merged.status, merged.header("location").as_str()), (303, "/finance/duplicates?done=merged"));
    let after = head(&house).await;
    assert!(page(&house, DUPLICATES).await.contains("Nobody looks like anybody else."));
    let done = page(&house, "/finance/work?show=done").await;
    assert!(done.contains("Merged: One mailbox.") && done.contains("Ana Ruiz"), "{done}");

    // The ledger finds all of one person by either address, and as of an earlier event what it found then.
    for email in ["joan.petrie@gmail.com", "joanpetrie+rally@gmail.com"] {
        assert_eq!((rows(&house, email, after).await, rows(&house, email, before).await), (2, 1), "{email}");
    }
    let donation = page(&house, "/finance/rows?q=joan.petrie@gmail.com").await;
    let href = donation.split("href=\"/finance/donations/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(page(&house, &format!("/finance/donations/{href}")).await.contains("Merged with"));

    let decided = page(&house, "/finance/duplicates?show=decided").await;
    assert!(decided.contains("One person") && decided.contains("(kept)"), "{decided}");
    let parted = decide(&house, "part", &pair, "She called: two sisters.", &[]).await;
    assert_eq!(parted.header("location"), "/finance/duplicates?show=decided&done=parted", "{}", parted.text());
    let now = head(&house).await;
    assert_eq!(
        (rows(&house, "joan.petrie@gmail.com", now).await, rows(&house, "joan.petrie@gmail.com", after).await),
        (1, 2)
    );
    assert!(page(&house, DUPLICATES).await.contains("Joanie Petrie"), "parted, they are looked at again");
    let house = house.again(Server::kill);
    assert!(page(&house, DUPLICATES).await.contains("Joanie Petrie"));
    assert_eq!(rows(&house, "joan.petrie@gmail.com", after).await, 2);
    let replayed = run(&["replay"], &house.data());
    assert!(replayed.status.success(), "{}", said(&replayed));
    house.server.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_one_for_those_who_are_merged() {
    let house = two().await;
    let (server, owner) = (&house.server, &house.owner);
    let limit = [
        ("limit_name_1", "test election"),
        ("limit_amount_1", "300"),
        ("limit_currency_1", "USD"),
        ("limit_from_1", "2020-01-01"),
        ("limit_until_1", "2099-12-31"),
        ("abroad", "with_passport"),
    ];
    assert_eq!(owner.post(server, "/finance/rules", &limit).await.status, 303);
    let pair = ids(&page(&house, DUPLICATES).await);
    assert_eq!(decide(&house, "merge", &pair, "One mailbox.", &[]).await.status, 303);
    let answer = server.post("/r/call/donate", &gift("60", "joan.petrie@gmail.com")).await;
    let donation = answer.header("location");
    let answer = pay(server, &donation, "simulated_ok").await;
    assert!(answer["reason"].as_str().unwrap().contains("you can still give $50"), "{answer}");
    assert_eq!(decide(&house, "part", &pair, "Two people.", &[]).await.status, 303);
    assert_eq!(pay(server, &donation, "simulated_ok").await["state"], "settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_adds_up_those_who_are_merged_as_of_its_event() {
    let house = two().await;
    let filer = [
        ("committee", "0"),
        ("form", "F3X"),
        ("id", "C00234567"),
        ("name", "Great Lakes PAC"),
        ("street", "1 Capitol Avenue"),
        ("city", "Lansing"),
        ("state", "MI"),
        ("zip", "48933"),
        ("treasurer_first", "Pat"),
        ("treasurer_last", "O’Neil"),
        ("payee_name", "Stripe, Inc."),
        ("payee_street", "354 Oyster Point Boulevard"),
        ("payee_city", "South San Francisco"),
        ("payee_state", "CA"),
        ("payee_zip", "94080"),
    ];
    assert_eq!(house.owner.post(&house.server, "/finance/filer", &filer).await.status, 303);
    let before = head(&house).await.to_string();
    let pair = ids(&page(&house, DUPLICATES).await);
    assert_eq!(decide(&house, "merge", &pair, "One mailbox.", &[]).await.status, 303);
    let year = chrono::Datelike::year(&chrono::Utc::now());
    let (from, to) = (format!("{year}-01-01"), format!("{year}-12-31"));
    let itemized = |as_of: Option<&str>| {
        let mut args = vec!["export", "fec", "--code", "YE", "--cash", "1000", "--from", &from, "--to", &to];
        args.extend(as_of.into_iter().flat_map(|seq| ["--as-of", seq]));
        let output = run(&args, &house.data());
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter(|line| line.starts_with("SA11AI")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(itemized(Some(&before)).is_empty(), "neither gave more than $200");
    let named = itemized(None);
    assert_eq!(named.len(), 1, "the gift with which they did is named: {named:?}");
    assert!(named[0].contains("250.00") && named[0].contains("100.00"), "{named:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_apart_does_not_come_back_and_may_be_merged_after_all() {
    let house = House::new().await;
    give(&house, "50", "bob@example.org", &[("first_name", "Robert")]).await;
    let line = [("first_name", "Bobby"), ("address", "Main St 1, Apt 4")];
    give(&house, "60", "bobby@example.org", &line).await;
    let open = page(&house, DUPLICATES).await;
    assert!(open.contains("the same, but for nicknames"), "{open}");
    let pair = ids(&open);
    let empty = decide(&house, "apart", &pair, "", &[]).await;
    assert!(empty.status == 422 && empty.text().contains("Say why in 1 to 500 characters"), "{}", empty.text());
    assert_eq!(decide(&house, "apart", &pair, "Father and son.", &[]).await.status, 303);
    give(&house, "70", "bob@example.org", &[("first_name", "Robert")]).await;
    assert!(page(&house, DUPLICATES).await.contains("Nobody looks like anybody else."));
    assert!(page(&house, "/finance/work?show=done").await.contains("Two people: Father and son."));
    assert!(page(&house, "/finance/duplicates?show=decided").await.contains("Two people"));
    let after_all = decide(&house, "merge", &pair, "He called.", &[("after-all", "yes")]).await;
    assert_eq!(after_all.header("location"), "/finance/duplicates?show=decided&done=merged");
    let decided = page(&house, "/finance/duplicates?show=decided").await;
    assert!(decided.contains("One person") && !decided.contains("<h2>Two people"), "{decided}");
    assert_eq!(csv_rows(&run(&["export", "csv"], &house.data()).stdout).len(), 3, "files have a row a gift as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_finance_decides_and_only_of_donors_there_are() {
    let house = two().await;
    let pair = ids(&page(&house, DUPLICATES).await);
    let host = ["staff", "add", "--email", "host@example.org", "--name", "Host", "--role", "host"];
    assert!(run_with_input(&host, &house.data(), &format!("{PASSWORD}\n")).status.success());
    let host = Staff::sign_in(&house.server, "host@example.org").await;
    assert_eq!(house.server.get_as(&host.cookie, DUPLICATES).await.status, 403);
    let form = [("one", pair[0].as_str()), ("other", &pair[1]), ("reason", "x")];
    assert_eq!(host.post(&house.server, "/finance/duplicates/merge", &form).await.status, 403);
    for csrf in ["", "forged"] {
        let forged = [&form[..], &[("csrf", csrf)]].concat();
        let answer = house.server.post_as(&house.owner.cookie, "/finance/duplicates/merge", &forged).await;
        assert_eq!(answer.status, 403);
    }
    let nobody = "4c102969-7ee3-8871-9d3a-14a2add817c4".to_owned();
    let odd = ["x".to_owned(), pair[0].clone()];
    assert_eq!(decide(&house, "merge", &odd, "why", &[]).await.status, 404);
    for (act, two) in [
        ("merge", [pair[0].clone(), nobody.clone()]),
        ("apart", [nobody, pair[0].clone()]),
        ("merge", [pair[0].clone(), pair[0].clone()]),
        ("part", pair.clone()),
    ] {
        let answer = decide(&house, act, &two, "why", &[]).await;
        assert_eq!(answer.status, 409, "{act}: {}", answer.text());
    }
    assert!(page(&house, DUPLICATES).await.contains("Joanie Petrie"));
    house.server.is_well().await;
}
