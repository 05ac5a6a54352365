//! Closed periods over sockets and from the shell: what was closed stays what it was, and what comes later is told beside it.

use crate::filing::{filer, set};
use crate::server::{Answer, House, give, pay, pledge, run, said};
use chrono::Datelike;
use uuid::Uuid;

async fn page(house: &House, path: &str) -> Answer {
    house.server.get_as(&house.owner.cookie, path).await
}

/// This year's report, as the form on the page of reports closes it.
fn year() -> (String, String) {
    let year = chrono::Utc::now().year();
    (format!("{year}-01-01"), format!("{year}-12-31"))
}

async fn close(house: &House, more: &[(&str, &str)]) -> Answer {
    let (from, to) = year();
    let form = [&[("code", "YE"), ("from", from.as_str()), ("to", to.as_str()), ("cash", "1000")][..], more].concat();
    house.owner.post(&house.server, "/finance/filing/close", &form).await
}

async fn refund(house: &House, donation: &str, amount: &str) {
    let refund = Uuid::now_v7().to_string();
    let form = [("refund", refund.as_str()), ("amount", amount)];
    let id = donation.rsplit('/').next().unwrap();
    let answer = house.owner.post(&house.server, &format!("/finance/donations/{id}/refund"), &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
}

/// The row of a table of figures: what stands in its cells.
fn figures(text: &str, of: &str) -> Vec<String> {
    let row = text.split("<tr>").find(|row| row.contains(&format!(">{of}</th>"))).unwrap_or_else(|| panic!("{of}"));
    let cells = row.split("<td").skip(1).map(|cell| cell.split_once('>').unwrap().1.split('<').next().unwrap());
    cells.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_closed_report_is_the_same_bytes_whatever_comes_later() {
    let house = House::new().await;
    set(&house, &filer()).await;
    let first = give(&house.server, "300", "joan@example.org").await;
    // Its donor is at the bank when the period is closed.
    let late = pledge(&house.server, "450", "omar@example.org").await;

    let early = close(&house, &[("note", "agreed with the bank")]).await;
    assert_eq!(early.status, 422);
    assert!(early.text().contains("not over") && early.text().contains("agreed with the bank"), "{}", early.text());
    let closed = close(&house, &[("note", "agreed with the bank"), ("early", "yes")]).await;
    assert_eq!((closed.status, closed.header("location").as_str()), (303, "/finance/periods/1?done=closed"));
    let path = "/finance/periods/1";
    let file = page(&house, &format!("{path}/report.fec")).await;
    assert_eq!(file.status, 200, "{}", file.text());
    let still = page(&house, path).await.text();
    assert!(still.contains("these days are what they were") && still.contains("agreed with the bank"), "{still}");
    assert!(still.contains("The log still has this head"), "{still}");

    assert_eq!(pay(&house.server, &late, "simulated_ok").await["state"], "settled");
    refund(&house, &first, "100.00").await;
    // Who files afterwards is another matter.
    let renamed: Vec<_> =
        filer().into_iter().map(|(name, value)| (name, if name == "city" { "Detroit" } else { value })).collect();
    assert_eq!(set(&house, &renamed).await.status, 303);
    assert_eq!(page(&house, &format!("{path}/report.fec")).await.text(), file.text());
    let (from, to) = year();
    let asked = format!("/finance/filing/report.fec?code=YE&from={from}&to={to}");
    assert_eq!(
        page(&house, &asked).await.header("location"),
        format!("{path}/report.fec"),
        "it is asked for by its days"
    );
    for arguments in
        [vec!["export", "fec", "--period", "1"], vec!["export", "fec", "--code", "YE", "--from", &from, "--to", &to]]
    {
        let shell = run(&arguments, &house.data());
        assert_eq!(String::from_utf8(shell.stdout.clone()).unwrap(), file.text(), "{}", said(&shell));
    }
    let rows = run(&["export", "csv", "--period", "1"], &house.data());
    assert_eq!(String::from_utf8(rows.stdout).unwrap().lines().count(), 3, "header, the first gift, the head");
    let both = run(&["export", "csv", "--period", "1", "--from", &from], &house.data());
    assert!(!both.status.success());
    let unknown = run(&["export", "fec", "--period", "2"], &house.data());
    assert!(!unknown.status.success() && said(&unknown).contains("no such closed period"), "{}", said(&unknown));

    // What came since, with the sums before and after.
    let text = page(&house, path).await.text();
    assert!(text.contains("A gift came in") && text.contains("A refund"), "{text}");
    assert_eq!(figures(&text, "Gross"), ["$300.00", "$750.00", "+$450.00"]);
    assert_eq!(figures(&text, "Itemized"), ["$300.00", "$750.00", "+$450.00"]);
    let listed = page(&house, "/finance/periods").await.text();
    assert!(listed.contains("2 changes since") && listed.contains("to be filed"), "{listed}");

    // The head that stands on its page is in the log, as a verifier from outside sees it.
    let head = text.split("verify --head ").nth(1).unwrap()[..64].to_owned();
    let output = run(&["verify", "--head", &head], &house.data());
    assert!(output.status.success() && said(&output).contains(&head), "{}", said(&output));
    // A second closing of the same days is refused in words, on the page that has what was typed.
    let again = [("code", "YE"), ("from", from.as_str()), ("to", "2099-01-01"), ("early", "yes"), ("cash", "77")];
    let again = house.owner.post(&house.server, "/finance/filing/close", &again).await;
    assert_eq!(again.status, 422);
}

#[tokio::test]
async fn what_came_later_goes_into_an_amendment_that_is_closed_too() {
    let house = House::new().await;
    set(&house, &filer()).await;
    give(&house.server, "300", "joan@example.org").await;
    assert_eq!(close(&house, &[("early", "yes")]).await.status, 303);
    let first = page(&house, "/finance/periods/1/report.fec").await.text();
    give(&house.server, "250", "omar@example.org").await;
    let post = async |path: &str, form: &[(&str, &str)]| house.owner.post(&house.server, path, form).await;

    let early = post("/finance/periods/1/amend", &[("cash", "1000")]).await;
    assert!(early.status == 422 && early.text().contains("not filed yet"), "{}", early.text());
    let wrong = post("/finance/periods/1/filed", &[("filing", "seven"), ("on", "2026-01-01")]).await;
    assert!(wrong.status == 422 && wrong.text().contains("FEC-1234567") && wrong.text().contains("seven"));
    let filed = post("/finance/periods/1/filed", &[("filing", "FEC-1234567")]).await;
    assert_eq!(filed.status, 303, "{}", filed.text());
    let withdrawn = post("/finance/periods/1/withdraw", &[("reason", "closed too early")]).await;
    assert!(withdrawn.status == 422 && withdrawn.text().contains("only amended"), "{}", withdrawn.text());

    let typed = [("cash", "a lot"), ("note", "two gifts were late")];
    let refused = post("/finance/periods/1/amend", &typed).await;
    assert!(refused.status == 422 && refused.text().contains("two gifts were late"), "{}", refused.text());
    let amended = post("/finance/periods/1/amend", &[("cash", "1000.00"), ("note", "a gift was late")]).await;
    assert_eq!(amended.header("location"), "/finance/periods/2?done=closed", "{}", amended.text());
    let file = page(&house, "/finance/periods/2/report.fec").await.text();
    assert!(file.contains("F3XA") && file.contains("FEC-1234567\u{1c}1\u{1c}"), "{file}");
    assert_eq!((first.matches("SA11AI").count(), file.matches("SA11AI").count()), (1, 2));
    // The first is what it was, and says what takes its place.
    assert_eq!(page(&house, "/finance/periods/1/report.fec").await.text(), first);
    let old = page(&house, "/finance/periods/1").await.text();
    assert!(old.contains("Period 2, amendment 1") && !old.contains("What came since"), "{old}");
    let new = page(&house, "/finance/periods/2").await.text();
    assert!(new.contains("these days are what they were") && new.contains("amendment 1, to be filed"), "{new}");
    let next = post("/finance/periods/2/amend", &[("cash", "1000")]).await;
    assert!(next.status == 422 && next.text().contains("not filed yet"), "{}", next.text());
    assert_eq!(post("/finance/periods/2/withdraw", &[("reason", "the cash was wrong")]).await.status, 303);
    assert_eq!(page(&house, "/finance/periods/2/report.fec").await.status, 404);
    assert!(page(&house, "/finance/periods/2").await.text().contains("Withdrawn: the cash was wrong"));
    assert_eq!(page(&house, "/finance/periods/3").await.status, 404);
}

#[tokio::test]
async fn days_are_closed_without_a_report_too() {
    let house = House::new().await;
    give(&house.server, "300", "joan@example.org").await;
    let (from, to) = year();
    let post = async |form: &[(&str, &str)]| house.owner.post(&house.server, "/finance/periods", form).await;
    let missing = post(&[("from", &from), ("note", "kept")]).await;
    assert!(
        missing.status == 422 && missing.text().contains("first and the last day") && missing.text().contains("kept")
    );
    let over = post(&[("from", &from), ("to", &to)]).await;
    assert!(over.status == 422 && over.text().contains("not over"), "{}", over.text());
    let named = post(&[("from", &from), ("to", &to), ("early", "yes"), ("note", "ask joan@example.org")]).await;
    assert!(named.status == 422 && named.text().contains("e-mail address"), "{}", named.text());
    assert_eq!(post(&[("from", &from), ("to", &to), ("early", "yes")]).await.status, 303);
    let overlaps = post(&[("from", &from), ("to", &from)]).await;
    assert!(overlaps.status == 422 && overlaps.text().contains("overlap with period 1"), "{}", overlaps.text());
    let text = page(&house, "/finance/periods/1").await.text();
    assert_eq!(figures(&text, "Net").len(), 3);
    assert!(text.contains("as_of=") && !text.contains("Mark as filed"), "{text}");
    let stranger = house.server.get("/finance/periods").await;
    assert_eq!(stranger.status, 303, "{}", stranger.text());
}

#[tokio::test]
async fn a_report_that_comes_out_otherwise_is_not_given_as_the_one_that_was_closed() {
    let house = House::new().await;
    set(&house, &filer()).await;
    give(&house.server, "300", "joan@example.org").await;
    assert_eq!(close(&house, &[("early", "yes")]).await.status, 303);
    let erased = run(&["erase", "joan@example.org", "--reason", "asked by letter", "--yes"], &house.data());
    assert!(erased.status.success(), "{}", said(&erased));
    let file = page(&house, "/finance/periods/1/report.fec").await;
    assert!(file.status == 422 && file.text().contains("was erased"), "{}", file.text());
    assert!(page(&house, "/finance/periods/1").await.text().contains("One of its donors was erased since"));
    let shell = run(&["export", "fec", "--period", "1"], &house.data());
    assert!(!shell.status.success() && said(&shell).contains("was erased"), "{}", said(&shell));
    let anyway = page(&house, "/finance/periods/1/report.fec?anyway=yes").await;
    assert!(anyway.status == 200 && anyway.text().contains("Erased at request"), "{}", anyway.text());
}
