//! Backups of a server that runs, what is made of them, and what is refused.

use crate::server::{House, Server, csv_rows, give, run, said, state};
use std::fs;
use std::path::Path;
use std::process::Output;

fn backup(house: &House, to: &Path) -> Output {
    run(&["backup", to.to_str().unwrap()], &house.data())
}

fn head_of(output: &Output) -> String {
    assert!(output.status.success(), "{}", said(output));
    String::from_utf8_lossy(&output.stdout).lines().last().unwrap().to_owned()
}

fn bytes_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_running_server_is_backed_up_and_another_made_of_it() {
    let house = House::new().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("backup");
    give(&house.server, "25", "joan@example.org").await;
    head_of(&backup(&house, &to));
    let first = bytes_of(&to.join("archive"));
    give(&house.server, "50", "omar@example.org").await;
    let head = head_of(&backup(&house, &to));
    // What was there already was not copied again, and stands unchanged at the front.
    let second = bytes_of(&to.join("archive"));
    assert!(second[0].1.len() > first[0].1.len() && second[0].1.starts_with(&first[0].1));
    give(&house.server, "75", "zoe@example.org").await;

    let made = elsewhere.path().join("made");
    let restored = run(&["restore", to.to_str().unwrap()], &made);
    assert_eq!(head_of(&restored), head);
    let verified = run(&["verify", "--head", &head], &made);
    assert!(verified.status.success(), "{}", said(&verified));
    let server = Server::start(&made);
    assert_eq!(state(&server).await["raised_minor"], 7_500);
    let rows = csv_rows(&run(&["export", "csv"], &made).stdout);
    let donors: Vec<_> = rows.iter().map(|row| row["email"].as_str()).collect();
    assert_eq!(donors, ["joan@example.org", "omar@example.org"]);
    crate::server::Staff::sign_in(&server, "ana@example.org").await;
    give(&server, "10", "late@example.org").await;
    house.server.is_well().await;

    let again = run(&["restore", to.to_str().unwrap()], &made);
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("never overwrites"), "{}", said(&again));
}

#[tokio::test]
async fn a_stopped_folder_is_backed_up_too() {
    let house = House::new().await;
    give(&house.server, "25", "joan@example.org").await;
    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("backup");
    let house = crate::folder::stopped(house, |data| {
        let head = head_of(&run(&["backup", to.to_str().unwrap()], data));
        assert_eq!(head, head_of(&run(&["verify"], data)));
        assert_eq!(head, head_of(&run(&["restore", to.to_str().unwrap()], &elsewhere.path().join("made"))));
    });
    house.server.is_well().await;
}

#[tokio::test]
async fn a_backup_that_is_not_whole_is_refused() {
    let house = House::new().await;
    give(&house.server, "25", "joan@example.org").await;
    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("backup");
    let inside = backup(&house, &house.data().join("backup"));
    assert!(!inside.status.success() && said(&inside).contains("in the data folder"), "{}", said(&inside));
    head_of(&backup(&house, &to));
    let refused = |change: &dyn Fn(&Path), word: &str| {
        let (copy, made) = (elsewhere.path().join("copy"), elsewhere.path().join("made"));
        let copied = std::process::Command::new("cp").arg("-a").arg(&to).arg(&copy).status().unwrap();
        assert!(copied.success());
        change(&copy);
        let output = run(&["restore", copy.to_str().unwrap()], &made);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(word), "{word}: {}", said(&output));
        assert!(!made.exists(), "nothing that looks like a data folder is left");
        fs::remove_dir_all(&copy).unwrap();
    };
    let segment = |copy: &Path| fs::read_dir(copy.join("archive")).unwrap().next().unwrap().unwrap().path();
    let flip = |copy: &Path| {
        let mut bytes = fs::read(segment(copy)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(segment(copy), bytes).unwrap();
    };
    refused(&flip, ".gswf");
    refused(&|copy| fs::OpenOptions::new().write(true).open(segment(copy)).unwrap().set_len(300).unwrap(), ".gswf");
    refused(&|copy| fs::remove_file(segment(copy)).unwrap(), "should end");
    refused(&|copy| fs::remove_file(copy.join("vault/master")).unwrap(), "master");
    refused(&|copy| fs::remove_file(copy.join("backup.json")).unwrap(), "not a finished backup");
    let note = |copy: &Path| {
        let text = fs::read_to_string(copy.join("backup.json")).unwrap();
        let (front, hash) = text.split_once("\"head\": \"").unwrap();
        fs::write(copy.join("backup.json"), format!("{front}\"head\": \"{}{}", "0".repeat(8), &hash[8..])).unwrap();
    };
    refused(&note, "should end");

    let other = House::new().await;
    give(&other.server, "30", "joan@example.org").await;
    give(&other.server, "31", "joan@example.org").await;
    let mixed = backup(&other, &to);
    assert_eq!(mixed.status.code(), Some(1), "{}", said(&mixed));
}
