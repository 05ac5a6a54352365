//! Reading the log: seals stay closed but for a reason, and that is recorded.

use super::retention::live_ledger;
use super::{JOAN, OTHER, erased, events, joan_joins_and_gives, kinds, names_nobody, tail, unheld};
use crate::server::{House, give, program, run, said};
use groundswell::log::sled::SledLog;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_with_seals_closed_and_opened_only_for_a_recorded_reason() {
    let house = House::new().await;
    let data = house.data();
    joan_joins_and_gives(&house, "first").await;
    let all = events(&data);
    let numbers: Vec<u64> = all.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>());
    let kinds_seen: BTreeSet<String> = kinds(&all).into_iter().collect();
    assert!(["staff.added", "attendance.joined", "donation.pledged"].iter().all(|kind| kinds_seen.contains(*kind)));
    names_nobody("log tail", &serde_json::to_string(&all).unwrap());
    let pledged = all.iter().find(|event| event["kind"] == "donation.pledged").unwrap();
    assert_eq!((&pledged["data"]["contact"], &pledged["data"]["shown"]), (&"sealed".into(), &"sealed".into()));
    let seq = pledged["seq"].to_string();
    let shown = run(&["log", "show", &seq], &data);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.lines().count() > 10 && text.contains("\"contact\": \"sealed\""), "{text}");

    let missing = run(&["log", "show", "99999"], &data);
    assert_eq!(missing.status.code(), Some(1));
    assert!(said(&missing).contains(&format!("there is no event 99999: the log has events 1 to {}", all.len())));
    for wrong in [&["log", "show", &seq, "--reveal"][..], &["log", "show", &seq, "--reason", "x"], &["log"]] {
        assert_eq!(run(wrong, &data).status.code(), Some(2), "{wrong:?}");
    }
    let named = run(&["log", "show", &seq, "--reveal", "--reason", "for ann@example.org"], &data);
    assert!(named.status.code() == Some(1) && !said(&named).contains("Petrie"), "{}", said(&named));
    assert_eq!(events(&data).len(), all.len(), "nothing was recorded so far");

    let reveal = |more: &[&str]| run(&[&["log"], more, &["--reveal", "--reason", "ticket 311"]].concat(), &data);
    let opened = said(&reveal(&["show", &seq]));
    assert!(opened.contains("\"last_name\": \"Petrie\"") && opened.contains("Hello from Duluth"), "{opened}");
    let last = tail(&data, "1").pop().unwrap();
    assert_eq!(last["kind"], "privacy.disclosed");
    assert_eq!((&last["data"]["from_seq"], &last["data"]["to_seq"]), (&pledged["seq"], &pledged["seq"]));
    assert_eq!(last["data"]["reason"], "ticket 311");
    let who = last["data"]["who"].as_str().unwrap();
    assert!(who.starts_with("shell:") && who.len() > "shell:".len(), "{who}");
    let opened = said(&reveal(&["tail", "-n", "10000"]));
    assert!(opened.contains("Petrie") && opened.contains("\"password_hash\":\"hidden\""), "{opened}");
    assert!(!opened.contains("argon2"), "{opened}");

    // Followed, an event comes by itself; and who reads no more ends it.
    let mut follow = program(&["log", "tail", "-n", "1", "--follow"], &data).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("privacy.disclosed"));
    give(&house.server, "10", OTHER).await;
    assert!(lines.next().unwrap().unwrap().contains("donation.pledged"));
    drop(lines);
    give(&house.server, "11", OTHER).await;
    let mut stderr = String::new();
    follow.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(follow.wait().unwrap().success() && stderr.is_empty(), "{stderr}");

    erased(&data, JOAN);
    let mut following = program(&["log", "tail", "-n", "1", "--follow"], &data).spawn().unwrap();
    let mut rest = BufReader::new(following.stdout.take().unwrap()).lines();
    assert!(rest.next().unwrap().unwrap().contains("privacy.erased"));
    let house = house.again(|server| {
        server.stop();
        assert_eq!(rest.count(), 0);
        assert!(following.wait().unwrap().success(), "the stop ends those who follow");
        names_nobody("log tail", &serde_json::to_string(&events(&data)).unwrap());
        let opened = said(&reveal(&["show", &seq]));
        assert!(opened.contains("\"contact\": \"erased\""), "{opened}");
        assert_eq!(kinds(&tail(&data, "1")), ["privacy.disclosed"]);
        let follow = run(&["log", "tail", "--follow"], &data);
        assert!(follow.status.code() == Some(1) && said(&follow).contains("no server runs"), "{}", said(&follow));
    });
    house.server.is_well().await;
}

#[test]
fn a_closed_pipe_and_an_empty_log_are_no_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    live_ledger(&data, "2026-03-01T12:00:00Z");
    let closed = || {
        let mut tail = program(&["log", "tail"], &data).spawn().unwrap();
        drop(tail.stdout.take());
        tail.wait_with_output().unwrap()
    };
    let output = unheld(closed);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", said(&output));
    let empty = folder.path().join("empty");
    drop(SledLog::open(&empty.join("log")).unwrap());
    let output = unheld(|| run(&["log", "tail"], &empty));
    assert!(output.status.success() && output.stdout.is_empty(), "{}", said(&output));
    let output = run(&["log", "show", "1"], &empty);
    assert!(output.status.code() == Some(1) && said(&output).contains("the log is empty"), "{}", said(&output));
}
