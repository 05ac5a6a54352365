//! The ledger page: every figure opens the rows beneath it, every row its events; what is looked for is found, and who looked
//! is in the log without an address.

use crate::server::{House, gift, give, pay, run};
use serde_json::Value;

async fn page(house: &House, path: &str) -> String {
    let answer = house.server.get_as(&house.owner.cookie, path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.text().replace("&#38;", "&")
}

/// Gifts of $25, $40 and $60.50 by three people, the second by a link with a refcode.
async fn three() -> (House, Vec<String>) {
    let house = House::new().await;
    let mut donations = vec![give(&house.server, "25", "joan@example.org").await];
    for (amount, email, refcode, last) in
        [("40", "omar@example.org", "text-tuesday", "Núñez"), ("60.50", "zoe@example.org", "", "Smith")]
    {
        let mut form = gift(amount, email);
        form.push(("refcode", refcode));
        form.iter_mut().filter(|field| field.0 == "last_name").for_each(|field| field.1 = last);
        let answer = house.server.post("/r/call/donate", &form).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let donation = answer.header("location");
        assert_eq!(pay(&house.server, &donation, "simulated_ok").await["state"], "settled");
        donations.push(donation);
    }
    (house, donations)
}

#[tokio::test]
async fn figures_open_their_rows_and_rows_their_events() {
    let (house, donations) = three().await;
    let text = page(&house, "/finance").await;
    assert!(text.contains("href=\"/finance/rows?rally=&from=&to=&kind=donation\""), "{text}");
    assert!(text.contains("By refcode") && text.contains("refcode=text-tuesday"), "{text}");
    assert!(text.contains("By payment method"), "{text}");
    for (query, amounts) in [
        ("", vec!["$60.50", "$40.00", "$25.00"]),
        ("?kind=donation", vec!["$60.50", "$40.00", "$25.00"]),
        ("?kind=refund,refund_reversed", vec![]),
        ("?refcode=text-tuesday", vec!["$40.00"]),
        ("?refcode=-", vec!["$60.50", "$25.00"]),
        ("?refcode=nobody-knows-it", vec![]),
        ("?rally=call&from=2020-01-01", vec!["$60.50", "$40.00", "$25.00"]),
        ("?to=2020-01-01", vec![]),
        ("?rally=other", vec![]),
        ("?q=joan%40example.org", vec!["$25.00"]),
        ("?q=JOAN%40Example.org", vec!["$25.00"]),
        ("?q=nobody%40example.org", vec![]),
        ("?q=%2460.50", vec!["$60.50"]),
        ("?q=40", vec!["$40.00"]),
        ("?q=n%C3%BA%C3%B1ez", vec!["$40.00"]),
        ("?q=joan+smith", vec!["$60.50"]),
        ("?q=joan+nobody", vec![]),
        ("?q=smith&refcode=text-tuesday", vec![]),
    ] {
        let text = page(&house, &format!("/finance/rows{query}")).await;
        let found: Vec<&str> =
            text.split("data-th=\"Gross\">").skip(1).filter_map(|rest| rest.split('<').next()).collect();
        assert_eq!(found, amounts, "{query}");
        if amounts.is_empty() {
            assert!(text.contains("There is nothing like that"), "{query}");
        }
    }
    let id = donations[1].rsplit('/').next().unwrap();
    let text = page(&house, &format!("/finance/rows?q={id}")).await;
    assert!(text.contains("$40.00") && !text.contains("$25.00"), "{text}");
    let text = page(&house, &format!("/finance/donations/{id}")).await;
    for said in [
        "Joan Núñez",
        "text-tuesday",
        "omar@example.org",
        "The form was sent: $40.00.",
        "A card was offered",
        "$40.00 came in",
        "donation.settled",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let missing = house.server.get_as(&house.owner.cookie, &format!("/finance/donations/{}", uuid::Uuid::nil())).await;
    assert_eq!(missing.status, 404);
    let complaint = house.server.get_as(&house.owner.cookie, "/finance/rows?as_of=yesterday").await;
    assert_eq!(complaint.status, 422, "{}", complaint.text());
}

#[tokio::test]
async fn pages_of_a_long_ledger_follow_each_other() {
    let house = House::new().await;
    for number in 0..53 {
        give(&house.server, &format!("{}", 10 + number), &format!("donor{number}@example.org")).await;
    }
    for query in ["", "?q=joan"] {
        let mut path = format!("/finance/rows{query}");
        let mut seen = vec![];
        loop {
            let text = page(&house, &path).await;
            let here = text.split("data-th=\"Gross\">").skip(1).filter_map(|rest| rest.split('<').next());
            seen.extend(here.map(str::to_owned));
            let Some(next) = text.split("class=\"pager\">").nth(1).and_then(|rest| rest.split("href=\"").nth(1)) else {
                break;
            };
            path = next.split('"').next().unwrap().to_owned();
        }
        let wanted: Vec<String> = (10..63).rev().map(|amount| format!("${amount}.00")).collect();
        assert_eq!(seen, wanted, "{query}");
    }
}

#[tokio::test]
async fn who_looked_is_in_the_log_and_no_address_is() {
    let (house, donations) = three().await;
    let id = donations[0].rsplit('/').next().unwrap();
    for path in [
        "/finance",
        "/finance/rows?q=joan%40example.org",
        "/finance/rows?q=petrie",
        &format!("/finance/donations/{id}"),
    ] {
        page(&house, path).await;
    }
    let log = run(&["export", "jsonl"], &house.data());
    let text = String::from_utf8(log.stdout).unwrap();
    assert!(!text.contains("joan@") && !text.to_lowercase().contains("petrie"));
    let looks: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["kind"] == "privacy.viewed")
        .collect();
    let what: Vec<&str> = looks.iter().map(|event| event["data"]["what"].as_str().unwrap()).collect();
    assert_eq!(what, ["ledger", "rows", "rows", "donation"]);
    assert!(looks.iter().all(|event| event["by"] == event["data"]["who"]));
    assert!(looks[2]["data"]["of"].as_str().unwrap().ends_with("q=a name"), "{}", looks[2]);
    assert_eq!(looks[3]["data"]["of"], id);
}
