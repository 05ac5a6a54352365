//! Reads the sources as syntax and holds what the design promises: who may reach whom, what the pure core never
//! touches, that every golden file is read by something, and the names of the house.

// A panic is how a test fails, and syntax has more kinds of nodes than these rules are about.
#![allow(clippy::indexing_slicing, clippy::wildcard_enum_match_arm)]

mod reader;
mod rules;
mod tree;

use std::collections::BTreeMap;
use tree::{Broken, Tree};

#[test]
fn the_sources_keep_every_promise() {
    let broken = Tree::read().check();
    let shown: Vec<String> = broken.iter().map(ToString::to_string).collect();
    assert!(broken.is_empty(), "\n{}\n", shown.join("\n"));
}

/// A tree of one Rust source.
fn one(path: &str, text: &str) -> Tree {
    Tree { rust: BTreeMap::from([(path.into(), text.into())]), ..Tree::default() }
}

#[test]
fn each_broken_promise_is_named_with_file_line_and_rule() {
    for (path, text, line, rule) in [
        // Who may reach whom.
        ("src/domain/x.rs", "use crate::log::Log;", 1, "domain reaches log"),
        ("src/domain/x.rs", "\nfn f() { crate::engine::go() }", 2, "domain reaches engine"),
        ("src/domain/x.rs", "use super::super::vault::Vault;", 1, "domain reaches vault"),
        ("src/domain.rs", "use super::config;", 1, "domain reaches config"),
        ("src/domain/x.rs", "mod a { use super::super::super::web::X; }", 1, "domain reaches web"),
        ("src/domain/x.rs", "fn f() { format!(\"{}\", crate::clock::now()) }", 1, "domain reaches clock"),
        ("src/domain/x.rs", "#[serde(with = crate::web::x)] struct A;", 1, "domain reaches web"),
        ("src/domain/x.rs", "use crate as c; fn f() { c::web::go() }", 1, "domain reaches web"),
        ("src/domain/x.rs", "use crate::*;", 1, "domain reaches the crate's root"),
        ("src/projections/x.rs", "use crate::{domain, export};", 1, "projections reaches export"),
        ("src/projections.rs", "fn f(_: &crate::log::Head) {}", 1, "projections reaches log"),
        ("src/export/csv.rs", "use crate::engine::Engine;", 1, "export reaches engine"),
        ("src/log/sled.rs", "use crate::engine::Engine;", 1, "log reaches engine"),
        ("src/vault.rs", "use crate::log::Log;", 1, "vault reaches log"),
        ("src/engine.rs", "use crate::payments::stripe;", 1, "engine reaches payments"),
        ("src/engine.rs", "use crate::media::Frame;", 1, "engine reaches media"),
        ("src/engine/x.rs", "use crate::{live, mail};", 1, "engine reaches live"),
        ("src/engine/x.rs", "use crate::config::Config;", 1, "engine reaches config"),
        ("src/media/fmp4/x.rs", "use crate::engine::Engine;", 1, "media byte code reaches engine"),
        ("src/media/codec_h264.rs", "use crate::domain::id;", 1, "media byte code reaches domain"),
        ("src/payments/stripe.rs", "use crate::web::problem;", 1, "payments reaches web"),
        ("src/live.rs", "use crate::web::parts;", 1, "live reaches web"),
        ("src/web/x.rs", "use crate::cli::Args;", 1, "web reaches cli"),
        ("src/main.rs", "fn main() { groundswell::web::serve() }", 1, "main reaches web"),
        ("src/novel.rs", "", 0, "the room novel has no line in ROOMS"),
        // What the pure core never touches.
        ("src/domain/x.rs", "use std::time::SystemTime;", 1, "a clock: std::time::SystemTime"),
        ("src/domain/x.rs", "use std::time; fn f() { time::Instant::now(); }", 1, "a clock: std::time::Instant::now"),
        ("src/domain/x.rs", "use std::time::*;", 1, "a clock: std::time::*"),
        ("src/domain/x.rs", "use chrono::Utc;\nfn f() { Utc::now(); }", 2, "a clock: chrono::Utc::now"),
        ("src/domain/x.rs", "use chrono::Utc as U;\nfn f() { vec![U::now()]; }", 2, "a clock: chrono::Utc::now"),
        ("src/domain/x.rs", "use chrono::{DateTime, Local};", 1, "a clock: chrono::Local"),
        ("src/projections/x.rs", "fn f() { std::fs::read(\"x\"); }", 1, "I/O: std::fs::read"),
        ("src/export/x.rs", "use std::net::TcpStream;", 1, "I/O: std::net"),
        ("src/export/x.rs", "use std::io::{Read, Write};", 1, "I/O: std::io::Read"),
        ("src/export/x.rs", "use std::io; fn f() { io::stdout(); }", 1, "I/O: std::io::stdout"),
        ("src/domain/x.rs", "use std::io::Write;", 1, "I/O: std::io::Write"),
        ("src/domain/x.rs", "fn f() { tokio::spawn(g()); }", 1, "I/O: tokio::spawn"),
        ("src/domain/x.rs", "fn f() { println!(\"x\"); }", 1, "I/O: println!"),
        ("src/domain/x.rs", "macro_rules! a { () => { eprintln!() } }", 1, "I/O: eprintln!"),
        ("src/domain/x.rs", "use rand::Rng;", 1, "randomness: rand"),
        ("src/domain/x.rs", "fn f() { getrandom::fill(b); }", 1, "randomness: getrandom"),
        ("src/domain/x.rs", "use uuid::Uuid; fn f() { Uuid::now_v7(); }", 1, "randomness: uuid::Uuid::now_v7"),
        ("src/domain/x.rs", "fn f() { uuid::Uuid::new_v4(); }", 1, "randomness: uuid::Uuid::new_v4"),
        ("src/domain/x.rs", "struct A(f64);", 1, "a float: f64"),
        ("src/domain/x.rs", "fn f(a: i64) { a as f32; }", 1, "a float: f32"),
        ("src/export/x.rs", "const A: i64 = g(1.5);", 1, "a float: 1.5"),
        ("src/export/x.rs", "fn f() { format!(\"{}\", 1e3); }", 1, "a float: 1e3"),
        ("src/media/hls.rs", "fn f() { let x = 2f64; }", 1, "a float: 2f64"),
        ("src/media/hls/x.rs", "use std::time::Instant;", 1, "a clock: std::time::Instant"),
        // Who sees people's data.
        (
            "src/web/pages/x.rs",
            "fn f() {}\nfn g(app: &App) { app.contacts(); }",
            2,
            "opens people's data and tells nobody",
        ),
        ("src/web/present/x.rs", "fn g() { Profiles::new(engine); }", 1, "opens people's data and tells nobody"),
        // The names of the house.
        ("src/web/mod.rs", "", 0, "no mod.rs"),
        ("src/web/util.rs", "", 0, "a room called util"),
        ("src/web/x.rs", "mod helpers {}", 1, "a room called helpers"),
        ("src/web/x.rs", "pub use y::*;", 1, "pub use y::*"),
        ("src/web/x.rs", "pub(crate) use y::{z, w::*};", 1, "pub use y::w::*"),
        ("src/web/x.rs", "fn f() { todo!() }", 1, "todo! is unfinished"),
        ("tests/x.rs", "fn f() { unimplemented!() }", 1, "unimplemented! is unfinished"),
        ("src/web/x.rs", "#[cfg(test)] mod t { fn f() { vec![dbg!(1)]; } }", 1, "dbg! is unfinished"),
        ("src/web/x.rs", "fn f( {", 1, "can't be parsed"),
    ] {
        let broken = one(path, text).check();
        let wanted =
            |broken: &Broken| broken.file == path && broken.rule.contains(rule) && (line == 0 || broken.line == line);
        assert!(broken.iter().any(wanted), "{path}: {text:?} should break \"{rule}\" on line {line}: {broken:?}");
    }
}

#[test]
fn what_is_allowed_breaks_nothing() {
    for (path, text) in [
        ("src/domain/x.rs", "use super::money::Money; use crate::domain::id; use chrono::{DateTime, Utc};"),
        ("src/domain/x.rs", "#[cfg(test)] mod tests { use super::*; use crate::log::Log; fn f() -> f64 { 1.5 } }"),
        ("src/domain/x.rs", "#[test] fn f() { println!(\"{}\", 1.5); }"),
        ("src/domain/x.rs", "// f64, std::fs::read, todo!()\n/// `Utc::now`\nfn f() { g(\"std::fs 1.5\") }"),
        ("src/domain/x.rs", "fn f(a: ((i64, i64), i64)) { format!(\"{}\", a.0.1); a.0.1; }"),
        ("src/export/csv.rs", "use std::io::{self, Write}; fn f(w: &mut impl Write) -> io::Result<()> { Ok(()) }"),
        ("src/media/codec/x.rs", "use crate::media::Frame; use super::aac;"),
        ("src/clock.rs", "pub fn now() -> D { chrono::Utc::now() }"),
        ("src/engine.rs", "use crate::{clock, domain, log, projections, vault}; use tokio::sync;"),
        ("src/main.rs", "fn main() { groundswell::cli::main() }"),
        ("tests/x.rs", "use groundswell::web; fn f() { println!(\"{}\", 1.5) }"),
    ] {
        assert_eq!(one(path, text).check(), vec![], "{path}: {text}");
    }
}

#[test]
fn a_file_that_only_tests_include_may_do_what_tests_do() {
    let mut tree = one("src/domain/a.rs", "#[cfg(test)] mod tests;");
    tree.rust.insert("src/domain/a/tests.rs".into(), "use std::fs;".into());
    assert_eq!(tree.check(), vec![]);
    tree.rust.insert("src/domain/a.rs".into(), "mod tests;".into());
    assert_eq!(tree.check().len(), 1);
}

#[test]
fn a_golden_file_nobody_reads_is_named() {
    let golden = |reader: &str| {
        let mut tree = one("tests/x.rs", reader);
        tree.golden.insert("fixtures/exports/a.csv".into());
        tree.check().len()
    };
    assert_eq!(golden(""), 1);
    assert_eq!(golden("// fixtures/exports/a.csv"), 1, "a comment reads nothing");
    assert_eq!(golden("/// fixtures/exports/a.csv\nfn f() {}"), 1, "nor does a docstring");
    assert_eq!(golden("fn f() { walk(\"fixtures\") }"), 1, "all of fixtures is too much to claim");
    assert_eq!(golden("fn f() { include_str!(\"../fixtures/exports/a.csv\") }"), 0);
    assert_eq!(golden("fn f() { read(\"a.csv\") }"), 0);
    assert_eq!(golden("fn f() { walk(\"fixtures/exports\") }"), 0);
}
