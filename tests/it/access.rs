//! Who looked at people's data: every page of the staff that shows a donor's name is told of, and anybody who keeps the books can
//! see by whom.

use crate::server::{Answer, House, Staff, give, pledge, run, run_with_input, said};
use std::collections::{BTreeSet, VecDeque};

/// Pages that are walked through at most: there are some sixty.
const PAGES_MAX: usize = 300;

/// The events of a kind, as lines.
fn events(house: &House, kind: &str) -> Vec<String> {
    let output = run(&["export", "jsonl"], &house.data());
    let kind = format!("\"kind\":\"{kind}\"");
    String::from_utf8(output.stdout).unwrap().lines().filter(|line| line.contains(&kind)).map(str::to_owned).collect()
}

async fn page(house: &House, path: &str) -> Answer {
    house.server.get_as(&house.owner.cookie, path).await
}

/// The addresses of the staff's pages that a page leads to.
fn leads_to(text: &str) -> Vec<String> {
    let links = text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let pages = links.map(|link| link.split('#').next().unwrap_or_default().replace("&amp;", "&"));
    pages.filter(|link| link.starts_with("/finance") || link.starts_with("/host")).collect()
}

/// Walks through every page from the first ones on, and sees for each that has a donor's name or address that the log tells of
/// it. So a page that forgets is found, also one that nobody has thought of here.
#[tokio::test]
async fn no_page_of_the_staff_shows_a_name_untold() {
    let rules = [("committee", "0"), ("hold_above", "800"), ("hold_currency", "USD"), ("abroad", "with_passport")];
    let house = House::new().await;
    assert_eq!(house.owner.post(&house.server, "/finance/rules", &rules).await.status, 303);
    crate::filing::set(&house, &crate::filing::filer()).await;
    give(&house.server, "300", "joan@example.org").await;
    // One is held, and one recurs.
    let held = pledge(&house.server, "900", "joan@example.org").await;
    house.server.get(&held).await;
    let mut monthly = crate::server::gift("25", "joan@example.org");
    monthly.push(("every", "month"));
    let monthly = house.server.post("/r/call/donate", &monthly).await;
    assert_eq!(monthly.status, 303, "{}", monthly.text());
    crate::server::pay(&house.server, &monthly.header("location"), "simulated_ok").await;

    let year = chrono::Datelike::year(&chrono::Utc::now());
    let report = format!("/finance/filing?code=YE&from={year}-01-01&to={year}-12-31");
    let mut next = VecDeque::from(["/finance".to_owned(), "/host".into(), report]);
    let (mut known, mut named): (BTreeSet<String>, Vec<String>) = (next.iter().cloned().collect(), vec![]);
    while let Some(path) = next.pop_front() {
        // A file is told of as taken, which others test.
        if path.starts_with("/finance/exports/") || path.ends_with(".fec") || path.contains("movie") {
            continue;
        }
        let told = events(&house, "privacy.viewed").len();
        let answer = page(&house, &path).await;
        let text = answer.text();
        // What is found by two addresses is one look.
        let is_same_look = |path: &str| events(&house, "privacy.viewed").iter().any(|line| of(line, path));
        if text.contains("Petrie") || text.contains("joan@example.org") {
            let has_told = events(&house, "privacy.viewed").len() > told;
            assert!(has_told || is_same_look(&path), "{path} shows a donor and tells nobody");
            named.push(path.clone());
        }
        for link in leads_to(&text) {
            if known.len() < PAGES_MAX && known.insert(link.clone()) {
                next.push_back(link);
            }
        }
    }
    for page in ["/finance", "/finance/rows", "/finance/held", "/finance/plans", "/finance/donations/"] {
        assert!(
            named.iter().any(|path| path.starts_with(page)),
            "{page} is among those that were looked at: {named:?}"
        );
    }
}

/// Whether a look is of the page at an address, as far as its name goes.
fn of(line: &str, path: &str) -> bool {
    let word = match path {
        path if path.starts_with("/finance/rows") => "rows",
        path if path.starts_with("/finance/donations") => "donation",
        path if path.starts_with("/finance/held") => "held",
        path if path.starts_with("/finance/plans") => "plans",
        path if path.starts_with("/finance/filing") => "filing",
        path if path.starts_with("/finance/refunds") => "refunds",
        _ => "ledger",
    };
    line.contains(&format!("\"what\":\"{word}\""))
}

#[tokio::test]
async fn looks_and_files_are_listed_with_who_and_why() {
    let house = House::new().await;
    let gift = give(&house.server, "300", "joan@example.org").await;
    let added = run_with_input(
        &["staff", "add", "--email", "sam@example.org", "--name", "Sam Roe", "--role", "finance"],
        &house.data(),
        &format!("{}\n", crate::server::PASSWORD),
    );
    assert!(added.status.success(), "{}", said(&added));
    let sam = Staff::sign_in(&house.server, "sam@example.org").await;
    let as_sam = async |path: &str| house.server.get_as(&sam.cookie, path).await;
    as_sam("/finance/held").await;
    let before = events(&house, "privacy.viewed").len();
    for _ in 0..3 {
        as_sam("/finance/rows?rally=call").await;
    }
    as_sam("/finance/rows").await;
    let looks = events(&house, "privacy.viewed").len() - before;
    assert_eq!(looks, 2, "a page that is seen again is one look, another part is another");
    // So are files, always.
    for _ in 0..2 {
        assert_eq!(as_sam("/finance/exports/csv?reason=for+the+bank").await.status, 200);
    }
    assert_eq!(events(&house, "privacy.exported").iter().filter(|line| line.contains("for the bank")).count(), 2);
    // The question before a refund names the donor too.
    let id = gift.rsplit('/').next().unwrap();
    assert_eq!(sam.post(&house.server, &format!("/finance/donations/{id}/refund"), &[]).await.status, 200);

    let all = page(&house, "/finance/access").await;
    let text = all.text();
    assert_eq!(all.status, 200, "{text}");
    for word in [
        "Sam Roe",
        "Ana Ruiz",
        "Rows of the ledger",
        "File: Donations, CSV",
        "for the bank",
        "rally call",
        "A refund’s question",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!text.contains("Petrie"));
    let sams = text.split("<option value=\"").find(|option| option.contains(">Sam Roe<")).unwrap();
    let who = sams.split('"').next().unwrap();
    let only = page(&house, &format!("/finance/access?who={who}&what=csv")).await.text();
    let rows = only.split("<tbody>").nth(1).unwrap();
    assert!(
        rows.contains("for the bank") && !rows.contains("Rows of the ledger") && !rows.contains("Ana Ruiz"),
        "{rows}"
    );
    let nobody = page(&house, "/finance/access?what=payouts").await.text();
    assert!(nobody.contains("Nobody, by this"), "{nobody}");
    let none = page(&house, "/finance/access?before=1").await.text();
    assert!(none.contains("Nothing before that"), "{none}");

    let file = page(&house, "/finance/exports/access?reason=an+audit").await.text();
    assert!(
        file.contains("Sam Roe")
            && file.contains("for the bank")
            && file.lines().last().unwrap().contains("ledger head")
    );
    let shell = run(&["export", "access"], &house.data());
    let shell = String::from_utf8(shell.stdout).unwrap();
    assert!(shell.contains("an audit") && shell.contains("in a shell"), "{shell}");
    // Fifty a page, the latest first, and the rest behind a link.
    for number in 0..60 {
        as_sam(&format!("/finance/rows?q={number}.17")).await;
    }
    let newest = page(&house, "/finance/access").await.text();
    let older = newest.split("href=\"").find(|link| link.contains("before=")).unwrap();
    let older = older.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    assert_eq!(newest.split("<tbody>").nth(1).unwrap().matches("<tr>").count(), 50);
    let older = page(&house, &older).await.text();
    assert!(older.contains("for the bank"), "{older}");
    let host = house.server.get("/finance/access").await;
    assert_eq!(host.status, 303);
}

/// What is taken of a large log says first who took it, in a line that is no event; a small one's lines are events alone.
#[tokio::test]
async fn a_large_file_says_who_took_it() {
    let house = House::new().await;
    give(&house.server, "300", "joan@example.org").await;
    let first = |of: &[u8]| {
        let line = of.split(|byte| *byte == b'\n').next().unwrap();
        serde_json::from_slice::<serde_json::Value>(line).unwrap()
    };
    assert_eq!(first(&run(&["export", "jsonl"], &house.data()).stdout)["seq"], 1);
    for number in 0..1_000 {
        page(&house, &format!("/finance/rows?q={number}.19")).await;
    }
    let output = run(&["export", "jsonl", "--reason", "an audit"], &house.data()).stdout;
    let mark = first(&output);
    assert!(mark["seq"].is_null() && mark["export"].as_str().unwrap().ends_with(": an audit"), "{mark}");
    assert_eq!(mark["head"].as_str().unwrap().len(), 64);
    let events = String::from_utf8(output).unwrap();
    let second: serde_json::Value = serde_json::from_str(events.lines().nth(1).unwrap()).unwrap();
    assert_eq!(second["seq"], 1, "the rest is as it was");
}
