//! Reports to the FEC over sockets and from the shell, read again by three parsers of others.

use crate::server::{Answer, House, csv_rows, encode, gift, give, minor, pay, rally_form, run, said};
use chrono::Datelike;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of a cover that other parsers give one name.
const ALIKE_MAX: usize = 8;

/// A PAC, as the form is filled in.
pub fn filer() -> Vec<(&'static str, &'static str)> {
    vec![
        ("committee", "0"),
        ("form", "F3X"),
        ("id", "c00234567"),
        ("name", "Great Lakes “Action” PAC"),
        ("street", "1 Capitol Avenue"),
        ("city", "Lansing"),
        ("state", "mi"),
        ("zip", "48933-1234"),
        ("treasurer_first", "Pat"),
        ("treasurer_last", "O’Neil"),
        ("payee_name", "Stripe, Inc."),
        ("payee_street", "354 Oyster Point Boulevard"),
        ("payee_city", "South San Francisco"),
        ("payee_state", "CA"),
        ("payee_zip", "94080"),
    ]
}

fn with(
    form: &[(&'static str, &'static str)],
    name: &'static str,
    value: &'static str,
) -> Vec<(&'static str, &'static str)> {
    let others = form.iter().filter(|(field, _)| *field != name).copied();
    others.chain([(name, value)]).collect()
}

pub async fn set(house: &House, form: &[(&str, &str)]) -> Answer {
    house.owner.post(&house.server, "/finance/filer", form).await
}

async fn page(house: &House, path: &str) -> Answer {
    house.server.get_as(&house.owner.cookie, path).await
}

/// What the parsers of others make of files; each must agree with the next.
fn read_by_others(paths: &[&Path]) -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python3");
    assert!(python.exists(), "{} is missing: run the tests with `make test`, which installs it", python.display());
    let output = Command::new(python).arg(root.join("tests/support/foreign_parsers.py")).args(paths).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read.len(), paths.len());
    for of_file in &read {
        let (first, path) = (&of_file["hardmoney"], &of_file["path"]);
        assert_eq!(first["errors"], Value::Array(vec![]), "{path}");
        for other in ["fecfile", "fastfec"] {
            assert_eq!(of_file[other]["lines"], first["lines"], "{other} of {path}");
            if let Some(cover) = first.get("cover") {
                is_within(&of_file[other]["cover"], cover, &format!("{other} of {path}"));
                assert_eq!(first["mismatches"], Value::Array(vec![]), "{path}");
            }
        }
        assert!(first["lines"].as_object().is_some_and(|lines| !lines.is_empty()), "{path}");
    }
    read
}

/// All of these sums stand among those, in the same order. The others' names are not all different: a few lines fall out.
fn is_within(some: &Value, all: &Value, of: &str) {
    let (some, all) = (some.as_array().unwrap(), all.as_array().unwrap());
    assert!(!some.is_empty() && all.len() - some.len() <= ALIKE_MAX, "{of}: {} of {}", some.len(), all.len());
    let mut rest = all.iter();
    assert!(some.iter().all(|sum| rest.any(|known| known == sum)), "{of}: {some:?} in {all:?}");
}

fn written(house: &House, name: &str, bytes: &[u8]) -> PathBuf {
    let path = house.data().join("..").join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The cents of a file's lines whose ids begin with this letter.
fn sum(lines: &Map<String, Value>, letter: char) -> i64 {
    lines.iter().filter(|(id, _)| id.starts_with(letter)).map(|(_, minor)| minor.as_i64().unwrap()).sum()
}

#[test]
fn parsers_of_others_read_the_golden_files_alike() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths =
        ["fixtures/exports/f3.fec", "fixtures/exports/f3x.fec", "fixtures/exports/f3p.fec", "fixtures/exports/f6.fec"];
    let paths = paths.map(|path| root.join(path));
    let read = read_by_others(&paths.each_ref().map(PathBuf::as_path));
    let lines = read[1]["fastfec"]["lines"].as_object().unwrap();
    assert_eq!(
        (lines["A1002"].as_i64(), lines["A1010"].as_i64(), lines["B1008"].as_i64()),
        (Some(350_000), Some(-25_000), Some(-50_000))
    );
}

#[tokio::test]
async fn who_files_is_written_by_a_form_that_keeps_what_was_typed() {
    let house = House::new().await;
    let empty = page(&house, "/finance/filing").await.text();
    assert!(empty.contains("Write who files"), "{empty}");
    for (name, value, word) in [
        ("id", "C123", "C and eight digits"),
        ("zip", "abc", "committee’s address"),
        ("form", "", "Choose the form"),
        ("form", "F3", "candidate’s"),
        ("payee_city", "", "processor’s name"),
        ("conduit_name", "Neighbors PAC", "conduit’s FEC id"),
        ("election_code_1", "P2026", "day of the election"),
    ] {
        let answer = set(&house, &with(&filer(), name, value)).await;
        let text = answer.text();
        assert_eq!(answer.status, 422, "{name}={value}");
        assert!(text.contains(word), "{name}={value}: {text}");
        assert!(
            text.contains("Great Lakes “Action” PAC") && text.contains("354 Oyster Point"),
            "nothing typed is lost"
        );
    }
    assert_eq!(set(&house, &filer()).await.status, 303);
    // A conduit is kept whole, and another than the committee itself.
    let mut through = filer();
    through.extend([
        ("conduit_id", "c00234567"),
        ("conduit_name", "Neighbors PAC"),
        ("conduit_street", "9 Canal Street"),
        ("conduit_city", "New Orleans"),
        ("conduit_state", "la"),
        ("conduit_zip", "70130"),
    ]);
    let own = set(&house, &through).await;
    assert!(own.status == 422 && own.text().contains("another committee’s"), "{}", own.text());
    assert_eq!(set(&house, &with(&through, "conduit_id", "c00456789")).await.status, 303);
    let saved = page(&house, "/finance/filer").await.text();
    assert!(saved.contains("C00456789") && saved.contains("9 Canal Street") && saved.contains("70130"), "{saved}");
    assert_eq!(set(&house, &filer()).await.status, 303);
    let saved = page(&house, "/finance/filer?done=filer").await.text();
    assert!(!saved.contains("9 Canal Street"), "{saved}");
    assert!(saved.contains("C00234567") && saved.contains("489331234") && saved.contains("Saved"), "{saved}");
    assert_eq!(page(&house, "/finance/filer?committee=7").await.status, 404);
    let stranger = house.server.get("/finance/filing").await;
    assert_eq!(stranger.status, 303, "{}", stranger.text());
}

#[tokio::test]
async fn what_a_report_can_not_be_made_of_is_said() {
    let house = House::new().await;
    set(&house, &filer()).await;
    for (query, word) in [
        ("code=Q9", "Choose which report"),
        ("code=12G&from=2026-10-01&to=2026-10-14", "about an election"),
        ("code=TER", "first and the last day"),
        ("code=YE&from=2026-12-31&to=2026-10-01", "comes before"),
        ("code=YE&from=2026-12-01&to=2027-01-31", "one calendar year"),
        ("code=Q1&cash=lots", "Cash on hand"),
        ("code=Q1&signed=soon", "treasurer signs"),
        ("code=Q1&amends=first", "FEC-1234567"),
        ("code=Q1&amends=FEC-1&amendment=1000", "1 for the first"),
        ("code=Q1&amendment=2", "number of the report"),
        ("code=Q1&as_of=yesterday", "write it like"),
    ] {
        for path in ["/finance/filing", "/finance/filing/report.fec"] {
            let answer = page(&house, &format!("{path}?{query}")).await;
            assert_eq!(answer.status, 422, "{path} {query}");
            assert!(answer.text().to_lowercase().contains(&word.to_lowercase()), "{query}: {}", answer.text());
        }
    }
    let output = run(&["export", "fec", "--code", "Q9"], &house.data());
    assert!(!output.status.success() && said(&output).contains("Choose which report"), "{}", said(&output));
    let output = run(&["export", "fec", "--code", "Q1", "--rally", "call"], &house.data());
    assert!(!output.status.success() && said(&output).contains("whole committee"), "{}", said(&output));
    let named = page(&house, "/finance/filing/report.fec?code=Q1&reason=for+joan%40example.org").await;
    assert!(named.status == 422 && named.text().contains("e-mail"), "{}", named.text());
    let notice = page(&house, "/finance/filing/notice.fec?from=2026-10-20&to=2026-10-21").await;
    assert!(notice.status == 422 && notice.text().contains("candidates’ committees"), "{}", notice.text());
    assert_eq!(page(&house, "/finance/exports/fec").await.header("location"), "/finance/filing");
}

#[tokio::test]
async fn a_report_is_the_ledger_to_the_cent_and_others_read_it() {
    let house = House::new().await;
    let server = &house.server;
    set(&house, &filer()).await;
    // One person by home: the second is named, with both in its aggregate.
    give(server, "150", "joan@example.org").await;
    give(server, "75.25", "joan.petrie@example.org").await;
    // Names that would break a file, each of its own home.
    let odd = [
        ("\"Bo\", Jr.", "O’Neil; <b>&\u{1c}C00000000", "300"),
        ("Zoë\r\nHDR", "Łukasz — 🐎", "301"),
        ("ليلى", "حداد\u{202e}", "302"),
        ("🎉", "🎉", "303"),
    ];
    for (at, (first, last, amount)) in odd.into_iter().enumerate() {
        let (email, street) = (format!("odd{at}@example.org"), format!("{at} Other Street"));
        let mut form = gift(amount, &email);
        form.retain(|(name, _)| !["first_name", "last_name", "address", "employer"].contains(name));
        form.extend([("first_name", first), ("last_name", last), ("address", &street), ("employer", "-")]);
        let answer = server.post("/r/call/donate", &form).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        assert_eq!(pay(server, &answer.header("location"), "simulated_ok").await["state"], "settled");
    }
    let year = chrono::Utc::now().year();
    let query = |more: &str| format!("code=YE&from={year}-01-01&to={year}-12-31&cash=1000&committee=0{more}");
    let shown = page(&house, &format!("/finance/filing?{}", query(""))).await;
    let text = shown.text();
    assert_eq!(shown.status, 200, "{text}");
    assert!(text.contains("simulated money") && text.contains("Download the file"), "{text}");

    let file = page(&house, &format!("/finance/filing/report.fec?{}", query("&reason=year-end"))).await;
    assert_eq!(file.status, 200, "{}", file.text());
    assert!(file.header("content-disposition").contains(&format!("C00234567-F3X-YE-{year}-12-31.fec")));
    let arguments = ["export", "fec", "--code", "YE", "--cash", "1000"];
    let (from, to) = (format!("{year}-01-01"), format!("{year}-12-31"));
    let output = run(&[&arguments[..], &["--from", &from, "--to", &to]].concat(), &house.data());
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(String::from_utf8(output.stdout.clone()).unwrap(), file.text(), "the shell's is the same");
    let bytes = file.text().into_bytes();
    assert!(bytes.is_ascii() && file.text().matches("SIMULATED MONEY").count() == 2);
    assert_eq!(file.text().lines().count(), 2 + 5 + 1 + 1, "header, cover, five gifts, a month of fees, a text");
    assert!(text.contains("employer field is blank"), "a dash is no employer: {text}");
    assert!(text.contains("format’s letters") && file.text().contains("Not legible"), "{text}");

    let read = read_by_others(&[&written(&house, "report.fec", &bytes)]);
    let lines = read[0]["fecfile"]["lines"].as_object().unwrap();
    let rows = csv_rows(&run(&["export", "csv"], &house.data()).stdout);
    let gross: i64 = rows.iter().map(|row| row["amount"].as_str()).filter(|amount| !amount.is_empty()).map(minor).sum();
    let fees: i64 = rows.iter().map(|row| row["fee"].as_str()).filter(|fee| !fee.is_empty()).map(minor).sum();
    assert_eq!((sum(lines, 'A'), sum(lines, 'F')), (gross - 15_000, fees), "all but the first gift is itemized");
    let cover: Vec<i64> =
        read[0]["fastfec"]["cover"].as_array().unwrap().iter().map(|sum| sum.as_i64().unwrap()).collect();
    assert!(cover.contains(&(100_000 + gross - fees)), "cash at close: {cover:?}");

    // Who looked and who took it is in the log, and what for.
    let events = String::from_utf8(run(&["export", "jsonl"], &house.data()).stdout).unwrap();
    let of = |kind: &str, word: &str| events.lines().any(|line| line.contains(kind) && line.contains(word));
    assert!(
        of("privacy.exported", "\"reason\":\"year-end\"") && of("privacy.exported", "\"what\":\"fec\""),
        "{events}"
    );
    assert!(of("privacy.viewed", "\"what\":\"filing\""), "the work list names donors");
}

/// A joint committee reports the whole gift; a partner has its donors as memos, in no sum.
#[tokio::test]
async fn a_joint_gift_is_whole_in_one_report_and_a_memo_in_the_others() {
    let house = House::with(&[("GROUNDSWELL_ACCOUNTS", "party,victory")]).await;
    let rules = [
        ("committee", "2"),
        ("name", "Rivera Victory Fund"),
        ("formula", "shares"),
        ("share_0", "62.5"),
        ("share_1", "37.5"),
        ("abroad", "refused"),
    ];
    let answer = house.owner.post(&house.server, "/finance/rules", &rules).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let entrusted = [&rally_form("call")[..], &[("committee", "2")]].concat();
    assert_eq!(house.owner.post(&house.server, "/host/r/call/edit", &entrusted).await.status, 303);
    for committee in ["0", "2"] {
        assert_eq!(set(&house, &with(&filer(), "committee", committee)).await.status, 303);
    }
    give(&house.server, "500", "joan@example.org").await;
    let year = chrono::Utc::now().year();
    let file = async |committee: &str| {
        let path =
            format!("/finance/filing/report.fec?code=YE&from={year}-01-01&to={year}-12-31&committee={committee}");
        let answer = page(&house, &path).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        written(&house, &format!("joint-{committee}.fec"), answer.text().as_bytes())
    };
    let (partner, whole) = (file("0").await, file("2").await);
    let read = read_by_others(&[&partner, &whole]);
    let lines = |at: usize| read[at]["fastfec"]["lines"].as_object().unwrap();
    assert_eq!((sum(lines(0), 'J'), sum(lines(0), 'A'), sum(lines(0), 'F')), (31_250, 0, 0));
    assert_eq!((sum(lines(1), 'J'), sum(lines(1), 'A')), (0, 50_000));
    let cents =
        |at: usize| read[at]["fastfec"]["cover"].as_array().unwrap().iter().filter(|sum| **sum == 50_000).count();
    assert!(cents(0) == 0 && cents(1) > 0);
    let memo = std::fs::read_to_string(&partner).unwrap();
    assert!(memo.contains("SA12") && memo.contains("share of a gift to Rivera Victory Fund"), "{memo}");
    let shown = page(&house, &format!("/finance/filing?code=YE&from={year}-01-01&to={year}-12-31")).await.text();
    assert!(shown.contains("1 of joint gifts") && shown.contains("Enter the transfer"), "{shown}");
}

#[tokio::test]
async fn money_of_another_currency_is_refused_in_words() {
    let house = House::new().await;
    set(&house, &filer()).await;
    let euros: Vec<(&str, &str)> = rally_form("call")
        .into_iter()
        .map(|(name, value)| (name, if name == "currency" { "EUR" } else { value }))
        .collect();
    assert_eq!(house.owner.post(&house.server, "/host/r/call/edit", &euros).await.status, 303);
    give(&house.server, "50", "joan@example.org").await;
    for path in ["/finance/filing?code=Q1", "/finance/filing/report.fec?code=Q1"] {
        let answer = page(&house, path).await;
        assert!(answer.status == 422 && answer.text().contains("holds EUR"), "{}", answer.text());
    }
    let output = run(&["export", "fec", "--code", "Q1"], &house.data());
    assert!(!output.status.success() && said(&output).contains("holds EUR"), "{}", said(&output));
}

#[tokio::test]
async fn an_erased_donor_keeps_the_cents_and_loses_the_name() {
    let house = House::new().await;
    set(&house, &filer()).await;
    give(&house.server, "250", "joan@example.org").await;
    let year = chrono::Utc::now().year();
    let path = format!("/finance/filing/report.fec?code=YE&from={year}-01-01&to={year}-12-31");
    let before = page(&house, &path).await.text();
    assert!(before.contains("Petrie"));
    let erased = run(&["erase", "joan@example.org", "--reason", "asked by letter", "--yes"], &house.data());
    assert!(erased.status.success(), "{}", said(&erased));
    let after = page(&house, &path).await.text();
    assert!(
        !after.contains("Petrie") && !after.contains("Main Street") && after.contains("Erased at request"),
        "{after}"
    );
    let cover = |text: &str| text.lines().nth(1).unwrap().to_owned();
    assert_eq!(cover(&before), cover(&after), "totals do not move");
    let shown = page(&house, &path.replace("/report.fec", "")).await.text();
    assert!(shown.contains("erased at their own request"), "{shown}");
    read_by_others(&[&written(&house, "erased.fec", after.as_bytes())]);
}

#[tokio::test]
async fn a_large_gift_before_an_election_is_due_in_48_hours() {
    let house = House::new().await;
    let today = chrono::Utc::now().with_timezone(&chrono_tz::America::New_York).date_naive();
    let day = |days: i64| (today + chrono::TimeDelta::days(days)).to_string();
    let (election, year) = (day(10), (today + chrono::TimeDelta::days(10)).year().to_string());
    let code = format!("G{year}");
    let mut form = filer();
    form.retain(|(name, _)| *name != "form");
    let form: Vec<(&str, &str)> = form
        .into_iter()
        .chain([
            ("form", "F3"),
            ("candidate_id", "S6MI00301"),
            ("candidate_first", "Ana"),
            ("candidate_last", "Rivera"),
            ("office", "S"),
            ("candidate_state", "MI"),
            ("election_code_1", code.as_str()),
            ("election_date_1", election.as_str()),
            ("election_state_1", "MI"),
        ])
        .collect();
    let answer = set(&house, &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert!(page(&house, "/finance/filing").await.text().contains("None is due"));
    give(&house.server, "999.99", "joan@example.org").await;
    give(&house.server, "1000", "omar@example.org").await;
    let text = page(&house, "/finance/filing").await.text();
    assert!(text.contains("$1,000.00") && text.contains("file now") && !text.contains("$999.99"), "{text}");
    let query = encode(&[("from", &day(-1)), ("to", &day(1))]);
    let file = page(&house, &format!("/finance/filing/notice.fec?{query}")).await;
    assert_eq!(file.status, 200, "{}", file.text());
    let read = read_by_others(&[&written(&house, "notice.fec", file.text().as_bytes())]);
    let lines: Vec<i64> =
        read[0]["fecfile"]["lines"].as_object().unwrap().values().map(|minor| minor.as_i64().unwrap()).collect();
    assert_eq!(lines, [100_000]);
    let shell = run(&["export", "fec-notice", "--from", &day(-1), "--to", &day(1)], &house.data());
    assert_eq!(String::from_utf8(shell.stdout.clone()).unwrap(), file.text(), "{}", said(&shell));
    let unfiled = page(&house, &format!("/finance/filing/notice.fec?{query}&amends=FEC-9")).await;
    assert!(unfiled.status == 422 && unfiled.text().contains("was filed"), "{}", unfiled.text());
}
