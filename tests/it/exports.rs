//! The ledger as files: by page and from the shell, with sums that agree, for the programs of others that read them.

use crate::server::{House, csv_rows, gift, give, minor, pay, run, said, until};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Names that are hard on a format.
const NAMES: [(&str, &str); 4] =
    [("Joan", "O’Neil, \"Jo\" Jr."), ("=2+5", "@formula"), ("نور", "الدين"), ("👩‍🏫 Zoë", "Łukasz;\tTab")];

async fn give_as(house: &House, number: usize) -> String {
    let (first, last) = NAMES[number];
    let (amount, email) = (format!("{}.50", 25 + number), format!("donor{number}@example.org"));
    let mut form = gift(&amount, &email);
    for field in &mut form {
        match field.0 {
            "first_name" => field.1 = first,
            "last_name" => field.1 = last,
            _ => {}
        }
    }
    let answer = house.server.post("/r/call/donate", &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let donation = answer.header("location");
    assert_eq!(pay(&house.server, &donation, "simulated_ok").await["state"], "settled");
    donation
}

/// Four gifts of $25.50 to $28.50, one of them given back, $10.00 of another too.
async fn season() -> House {
    let house = House::new().await;
    let mut donations = vec![];
    for number in 0..NAMES.len() {
        donations.push(give_as(&house, number).await);
    }
    for (donation, amount) in [(&donations[1], "26.50"), (&donations[2], "10.00")] {
        let id = donation.rsplit('/').next().unwrap();
        let refund = uuid::Uuid::now_v7().to_string();
        let form = [("refund", refund.as_str()), ("amount", amount)];
        let answer = house.owner.post(&house.server, &format!("/finance/donations/{id}/refund"), &form).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
    }
    until("both refunds are done", || async {
        let totals = house.server.get_as(&house.owner.cookie, "/api/v1/totals").await.json();
        totals["totals"][0]["refunded_minor"] == 3_650
    })
    .await;
    house
}

async fn taken(house: &House, path: &str) -> Vec<u8> {
    let answer = house.server.get_as(&house.owner.cookie, path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.body
}

/// What others' programs read in the files of a folder.
fn read_by_others(folder: &Path) -> Value {
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/python3");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/read_exports.py");
    let output = Command::new(python).arg(script).arg(folder).output().expect("`make test-tools` makes .venv");
    assert!(output.status.success(), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn what_other_programs_read_in_the_files_is_the_ledger_to_the_cent() {
    let house = season().await;
    let folder = tempfile::tempdir().unwrap();
    for (format, name) in [
        ("csv?", "donations.csv"),
        ("xlsx?", "donations.xlsx"),
        ("actblue-csv?report=paid", "paid.csv"),
        ("actblue-csv?report=refunded", "refunded.csv"),
        ("actblue-csv?report=recurring", "recurring.csv"),
    ] {
        let file = taken(&house, &format!("/finance/exports/{format}")).await;
        std::fs::write(folder.path().join(name), file).unwrap();
    }
    let read = read_by_others(folder.path());
    let (gross, refunds) = (10_800, -3_650);
    for reader in ["csv", "pandas", "openpyxl", "libreoffice"] {
        let told = &read[reader];
        assert_eq!(told["donations_cents"], gross, "{reader}: {told}");
        assert_eq!(told["refunds_cents"], refunds, "{reader}: {told}");
        assert_eq!(told["days"], true, "{reader} takes days for days: {told}");
        let names: Vec<String> = serde_json::from_value(told["names"].clone()).unwrap();
        for (first, last) in NAMES {
            // A sign that begins a formula is disarmed where cells have no type.
            let (first, last) = match reader {
                "csv" | "pandas" => (first.replace("=2", "'=2"), last.replace('@', "'@")),
                _ => (first.to_owned(), last.to_owned()),
            };
            let name = format!("{first}|{}", last.replace('\t', " "));
            assert!(names.contains(&name), "{reader}: {name} in {names:?}");
        }
    }
    assert_eq!(read["openpyxl"]["types"], serde_json::json!(["int", "datetime", "datetime", "float"]), "typed cells");
    assert_eq!(read["libreoffice"]["formulas"], 0);
    assert_eq!(read["paid"], serde_json::json!({"columns": 101, "rows": 4, "cents": gross}));
    assert_eq!(read["refunded"], serde_json::json!({"columns": 101, "rows": 2, "cents": -refunds}));
    assert_eq!(read["recurring"], serde_json::json!({"columns": 101, "rows": 0, "cents": 0}));
}

#[tokio::test]
async fn page_and_shell_give_the_same_and_each_taking_is_an_event() {
    let house = season().await;
    let of = "from=2020-01-01&to=2099-12-31&rally=call";
    let page = taken(&house, &format!("/finance/exports/csv?{of}&reason=July%20statement")).await;
    let text = String::from_utf8(page.clone()).unwrap();
    assert!(text.contains(": July statement"), "{text}");
    let shell = ["export", "csv", "--from", "2020-01-01", "--to", "2099-12-31", "--rally", "call", "--reason", "Audit"];
    let output = run(&shell, &house.data());
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(csv_rows(&page), csv_rows(&output.stdout));
    assert_eq!(csv_rows(&page).iter().map(|row| minor(&row["amount"])).sum::<i64>(), 10_800 - 3_650);
    for (format, lines) in [("xlsx", None), ("actblue-csv", Some(5)), ("payouts", Some(2)), ("jsonl", None)] {
        let path = house.data().join(format!("file.{format}"));
        let output = run(&["export", format, "--progress", "--out", path.to_str().unwrap()], &house.data());
        assert!(output.status.success() && said(&output).contains(" bytes, done"), "{format}: {}", said(&output));
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.is_empty(), "{format}");
        if let Some(lines) = lines {
            assert_eq!(csv::Reader::from_reader(&bytes[..]).records().count(), lines - 1, "{format}");
        }
    }
    let log = run(&["export", "jsonl"], &house.data());
    let events: Vec<Value> =
        String::from_utf8(log.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!((1..).zip(&events).all(|(seq, event)| event["seq"] == seq), "every event, in order");
    let exported: Vec<&Value> = events.iter().filter(|event| event["kind"] == "privacy.exported").collect();
    let what: Vec<&str> = exported.iter().map(|event| event["data"]["what"].as_str().unwrap()).collect();
    assert_eq!(what, ["csv", "csv", "xlsx", "actblue-csv", "payouts", "jsonl", "jsonl"]);
    assert_eq!(
        (&exported[0]["data"]["reason"], &exported[1]["data"]["reason"]),
        (&"July statement".into(), &"Audit".into())
    );
    assert!(exported[0]["by"].as_str().unwrap().starts_with("staff:"), "{}", exported[0]);
    assert!(exported[1]["by"].as_str().unwrap().starts_with("shell:"), "{}", exported[1]);
    let of_rally = run(&["export", "jsonl", "--rally", "no-such"], &house.data());
    assert!(of_rally.status.success() && of_rally.stdout.is_empty(), "{}", said(&of_rally));
}

#[tokio::test]
async fn a_file_that_can_not_be_had_is_refused_in_words_and_leaves_no_event() {
    let house = House::new().await;
    give(&house.server, "25", "joan@example.org").await;
    let before = house.server.get("/api/v1/head").await.json()["seq"].as_u64();
    for (path, status, word) in [
        ("/finance/exports/docx", 404, ""),
        ("/finance/exports/csv?as_of=yesterday", 422, "write it like"),
        ("/finance/exports/csv?reason=for%20joan%40example.org", 422, "Leave names and addresses out"),
    ] {
        let answer = house.server.get_as(&house.owner.cookie, path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text().contains(word), "{path}: {}", answer.text());
    }
    assert_eq!(house.server.get("/finance/exports/csv").await.status, 303, "only who is signed in");
    assert_eq!(house.server.get("/api/v1/head").await.json()["seq"].as_u64(), before);
    let output = run(&["export", "docx"], &house.data());
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("csv, xlsx, fec, fec-notice, actblue-csv"), "{}", said(&output));
}

#[tokio::test]
async fn contacts_that_are_not_beside_the_log_are_read_from_it() {
    let house = season().await;
    let whole = csv_rows(&taken(&house, "/finance/exports/csv").await);
    let path = house.data().join("contacts");
    let kept = std::fs::read(&path).unwrap();
    assert!(!kept.is_empty(), "they are put there when they are pledged");
    let house = crate::folder::stopped(house, |data| {
        std::fs::remove_file(data.join("contacts")).unwrap();
    });
    assert_eq!(csv_rows(&taken(&house, "/finance/exports/csv").await), whole);
    assert_eq!(std::fs::read(&path).unwrap(), kept, "and put back");
    let mut damaged = kept.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    assert_eq!(csv_rows(&taken(&house, "/finance/exports/csv").await), whole);
    assert_eq!(std::fs::read(&path).unwrap(), kept);
}
