//! Golden lines of events are only ever added to: a line once written is in somebody's log.
//!
//! `fixtures/events/v1.blake3` has a line for each time lines were added: how many there were then, and the BLAKE3 of that
//! many, each with its line feed. After adding lines, run this test once with `UPDATE_FIXTURES=1`: it adds a line for the new
//! ones, and never mends one that no longer fits.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/events").join(name)
}

fn hash_of(lines: &[&str]) -> String {
    blake3::hash(lines.concat().as_bytes()).to_hex().to_string()
}

/// What is wrong with the lines, and the table with a line for the new ones.
fn check(golden: &str, table: &str) -> (Vec<String>, String) {
    let lines: Vec<&str> = golden.split_inclusive('\n').collect();
    let (mut wrong, mut covered, mut grown) = (vec![], 0, table.to_owned());
    for entry in table.lines() {
        let (count, hash) = entry.split_once(' ').unwrap();
        let count: usize = count.parse().unwrap();
        if count <= covered {
            wrong.push(format!("v1.blake3 does not grow at {count}"));
        }
        match lines.get(..count) {
            Some(first) if hash_of(first) == hash => {}
            Some(_) => wrong.push(format!("one of the lines {} to {count} was changed", covered + 1)),
            None => wrong.push(format!("there were {count} lines, and now there are {}", lines.len())),
        }
        covered = count;
    }
    if lines.len() > covered {
        wrong.push(format!("the lines from {} on are not in v1.blake3: run with UPDATE_FIXTURES=1", covered + 1));
        writeln!(grown, "{} {}", lines.len(), hash_of(&lines)).unwrap();
    }
    (wrong, grown)
}

#[test]
fn no_golden_line_of_an_event_was_changed_or_removed() {
    let golden = std::fs::read_to_string(path("v1.jsonl")).unwrap();
    assert!(golden.ends_with('\n'));
    let table = std::fs::read_to_string(path("v1.blake3")).unwrap_or_default();
    let (wrong, grown) = check(&golden, &table);
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(path("v1.blake3"), &grown).unwrap();
        assert_eq!(check(&golden, &grown).0, Vec::<String>::new());
        return;
    }
    assert_eq!(wrong, Vec::<String>::new(), "fixtures/events/v1.jsonl");
}

#[test]
fn an_edit_a_removal_and_a_swap_are_seen_and_an_addition_asks_for_its_line() {
    let golden = "a\nb\nc\n";
    let table = format!("2 {}\n3 {}\n", hash_of(&["a\n", "b\n"]), hash_of(&["a\n", "b\n", "c\n"]));
    assert!(check(golden, &table).0.is_empty());
    for broken in ["a\nB\nc\n", "a\nc\n", "a\nb\n", "b\na\nc\n", ""] {
        assert!(!check(broken, &table).0.is_empty(), "{broken:?}");
    }
    let (wrong, grown) = check("a\nb\nc\nd\n", &table);
    assert_eq!(wrong.len(), 1);
    assert!(grown.starts_with(&table) && check("a\nb\nc\nd\n", &grown).0.is_empty());
}
