//! What the total was then: on the page, in the file and for programs, whatever came later.

use crate::server::{House, Server, csv_rows, give, minor, run, said};
use serde_json::Value;

async fn totals(house: &House, query: &str) -> Value {
    let answer = house.server.get_as(&house.owner.cookie, &format!("/api/v1/totals{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn refund_all(house: &House, donation: &str, amount: &str) {
    let id = donation.rsplit('/').next().unwrap();
    let refund = uuid::Uuid::now_v7().to_string();
    let form = [("refund", refund.as_str()), ("amount", amount)];
    let answer = house.owner.post(&house.server, &format!("/finance/donations/{id}/refund"), &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
}

/// The columns of money in a file, summed.
fn exported(house: &House, as_of: &str) -> i64 {
    let output = run(&["export", "csv", "--as-of", as_of], &house.data());
    assert!(output.status.success(), "{}", said(&output));
    csv_rows(&output.stdout).iter().map(|row| minor(&row["amount"])).sum()
}

async fn same_past(house: &House, seq: u64, then: &Value) {
    let now = totals(house, &format!("?as_of={seq}")).await;
    assert_eq!((&now["totals"], &now["rallies"]), (&then["totals"], &then["rallies"]));
    assert_eq!(now["as_of"]["head"], then["as_of"]["head"]);
    assert_eq!(exported(house, &seq.to_string()), 7_550);
    let page = house.server.get_as(&house.owner.cookie, &format!("/finance?as_of={seq}")).await;
    let text = page.text();
    assert!(text.contains("$75.50") && !text.contains("$40.00"), "{text}");
    assert!(!text.contains("refunded") && !text.contains("/refund\""), "nothing of what came later, and nothing to do");
    assert!(text.contains("Back to now") && text.contains(then["as_of"]["head"]["head"].as_str().unwrap()), "{text}");
}

#[tokio::test]
async fn the_total_of_an_instant_stays_what_it_was() {
    let house = House::new().await;
    let first = give(&house.server, "25", "joan@example.org").await;
    give(&house.server, "50.50", "omar@example.org").await;
    let then = totals(&house, "").await;
    assert_eq!(then["totals"][0]["gross_minor"], 7_550);
    let (seq, at) = (then["as_of"]["seq"].as_u64().unwrap(), then["as_of"]["at"].as_str().unwrap().to_owned());
    refund_all(&house, &first, "25.00").await;
    give(&house.server, "40", "zoe@example.org").await;
    let now = totals(&house, "").await;
    assert_eq!(
        (&now["totals"][0]["gross_minor"], &now["totals"][0]["refunded_minor"]),
        (&11_550.into(), &2_500.into())
    );
    same_past(&house, seq, &then).await;
    // The same by the clock: the log's time is that of the events, and none of them came later than the answer.
    let by_clock = totals(&house, &format!("?as_of={}", at.replace('+', "%2B"))).await;
    assert_eq!(by_clock["totals"], then["totals"]);
    assert_eq!(exported(&house, &at), 7_550);
    let house = house.again(Server::kill);
    same_past(&house, seq, &then).await;
    assert_eq!(totals(&house, "").await["totals"], now["totals"]);
    assert_eq!(totals(&house, "?as_of=1").await["totals"], Value::Array(vec![]));
}

#[tokio::test]
async fn an_instant_that_can_not_be_understood_is_said_and_kept() {
    let house = House::new().await;
    give(&house.server, "25", "joan@example.org").await;
    for (asked, said, status) in [
        ("yesterday", "write it like", 400),
        ("999999", "the newest event is number", 404),
        ("2028-03-12T02:30", "put forward", 400),
    ] {
        let page = house.server.get_as(&house.owner.cookie, &format!("/finance?as_of={asked}")).await;
        assert_eq!(page.status, 422);
        assert!(page.text().contains(said) && page.text().contains(asked), "{}", page.text());
        let answer = house.server.get_as(&house.owner.cookie, &format!("/api/v1/totals?as_of={asked}")).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        let output = run(&["export", "csv", "--as-of", asked], &house.data());
        assert_eq!(output.status.code(), Some(1));
        assert!(crate::server::said(&output).contains(said), "{}", crate::server::said(&output));
    }
    assert_eq!(house.server.get("/api/v1/totals").await.status, 401, "nobody sees money without signing in");
    let head = house.server.get("/api/v1/head").await.json();
    assert_eq!(head["head"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn a_replay_is_what_is_shown() {
    let house = House::new().await;
    give(&house.server, "25", "joan@example.org").await;
    let check = |output: std::process::Output| {
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("events/s") && text.contains("every projection is what is shown"), "{text}");
    };
    check(run(&["replay"], &house.data()));
    let house = crate::folder::stopped(house, |data| check(run(&["replay"], data)));
    house.server.is_well().await;
}
