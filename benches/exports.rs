//! Exports: a season of a million donations as each kind of file, beside PostgreSQL's `COPY (SELECT ...) TO STDOUT CSV` of the
//! same rows; time, rows a second, and how much memory it took beside an idle server's. Trust the ratios, not the figures: the
//! machine is shared.
//!
//! `GROUNDSWELL_BENCH_DONATIONS` takes the place of a million, for a quick look. `GROUNDSWELL_BENCH_DATA` names a folder where
//! the season is kept and found again by the next run, and `GROUNDSWELL_BENCH_FORMATS` some of the formats: `csv,xlsx`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]
#![allow(clippy::float_arithmetic, reason = "figures for people to read")]

#[path = "support/cores.rs"]
mod cores;
#[path = "support/postgres.rs"]
mod peer;
#[path = "support/season.rs"]
mod season;

use chrono::NaiveDate;
use cores::computed;
use groundswell::domain::Command;
use groundswell::domain::committee::filer::{Address, Filer, Form, Named, Payee};
use groundswell::domain::committee::{self, Limit, Rules};
use groundswell::domain::id::CommitteeId;
use groundswell::domain::ledger::Mode;
use groundswell::domain::money::{Currency, Money};
use groundswell::engine::Engine;
use groundswell::export::actblue::Report;
use groundswell::report::desk::Desk;
use groundswell::report::filing::{Filing, What};
use groundswell::report::names::{self, Names};
use groundswell::report::selection::Selection;
use groundswell::report::{Format, Order, excess, missing};
use peer::Postgres;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Repeats, of which the median counts; of a workbook there is one.
const ROUNDS: usize = 3;
/// How long a snapshot of a season may take.
const SNAPSHOT_MAX: Duration = Duration::from_secs(300);

fn main() {
    let donations = number("GROUNDSWELL_BENCH_DONATIONS").unwrap_or(1_000_000);
    let temporary = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("GROUNDSWELL_BENCH_DATA").map(PathBuf::from);
    let data = kept.unwrap_or_else(|| temporary.path().join("data"));
    if !data.join("log").is_dir() {
        let begun = Instant::now();
        season::build(&data, donations);
        println!("a season of {donations} donations written in {:.0} s", begun.elapsed().as_secs_f64());
    }
    // So that every run begins alike: with a log that was read, and a snapshot that is made beside.
    let snapshots = data.join("snapshots");
    let _ = std::fs::remove_dir_all(&snapshots);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (engine, _writer) = runtime.block_on(async { Engine::open(&data).unwrap() });
    wait_for_snapshot(&snapshots, donations);
    let rows = engine.world().ledger.rows.len();
    let mut csv = vec![];
    let mut ours = Duration::MAX;
    println!("{rows} rows, medians of {ROUNDS}");
    println!(
        "{:>14} {:>9} {:>12} {:>9} {:>16} {:>14}",
        "format", "seconds", "rows/s", "MB", "memory, MB more", "core-µs a row"
    );
    let first = runtime.block_on(take(&engine, Format::Csv));
    println!("the first file, from the log alone: {:.1} s", first.time.as_secs_f64());
    let asked = std::env::var("GROUNDSWELL_BENCH_FORMATS").unwrap_or_default();
    let is_asked = |format: &Format| asked.is_empty() || asked.split(',').any(|word| word == format.word());
    // A notice is of some hundred gifts, whatever the season.
    for format in Format::ALL.into_iter().filter(|format| *format != Format::FecNotice).filter(is_asked) {
        let rounds = if format == Format::Xlsx { 1 } else { ROUNDS };
        let mut all: Vec<Taken> = (0..rounds).map(|_| runtime.block_on(take(&engine, format))).collect();
        all.sort_by_key(|taken| taken.time);
        let median = &all[all.len() / 2];
        let seconds = median.time.as_secs_f64();
        let most = all.iter().map(|taken| taken.more_kib).max().unwrap();
        println!(
            "{:>14} {seconds:>9.2} {:>12.0} {:>9.0} {:>16.0} {:>14.2}",
            format.word(),
            rows as f64 / seconds,
            median.bytes as f64 / 1e6,
            most as f64 / 1e3,
            median.cores.as_secs_f64() * 1e6 / rows as f64,
        );
        if format == Format::Csv {
            ours = median.time;
            csv = runtime.block_on(whole(&engine, format));
        }
    }
    runtime.block_on(work(&engine));
    if csv.is_empty() {
        return;
    }
    let postgres = Postgres::start(&temporary.path().join("postgres"));
    let peer = copy(&postgres, &csv, rows);
    println!(
        "PostgreSQL COPY TO STDOUT CSV of the same rows: {:.2} s, {:.0} rows/s; ours is {:.2} of that",
        peer.as_secs_f64(),
        rows as f64 / peer.as_secs_f64(),
        peer.as_secs_f64() / ours.as_secs_f64(),
    );
}

/// Waits until the snapshot is there that a server makes of so much: what it takes is not the files'.
fn wait_for_snapshot(dir: &Path, donations: u64) {
    let is_there = || {
        let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
        files.into_iter().any(|file| file.path().extension().is_some_and(|extension| extension == "snapshot"))
    };
    let begun = Instant::now();
    while donations >= 100_000 && !is_there() {
        assert!(begun.elapsed() < SNAPSHOT_MAX, "no snapshot was made");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The lists of work that are made by looking through the whole ledger.
async fn work(engine: &Engine) {
    let committee = CommitteeId::FIRST;
    let (first, last) = {
        let world = engine.world();
        let days = world.ledger.rows.iter().map(|row| row.day);
        (days.clone().min().unwrap(), days.max().unwrap())
    };
    let most = Money::new(100_000, Currency::USD);
    let limits = vec![Limit { name: "season".into(), most, from: first, until: last }];
    let rules = Box::new(Rules { limits, ..Rules::default() });
    let command = Command::Committee(committee::Command::SetRules { committee, rules });
    engine.execute(command, "rules:bench".into(), "shell:bench").await.unwrap();
    let What::Report(report) = filing().what else { return };
    let timed = |what: &str, look: &dyn Fn() -> usize| {
        let mut times = vec![];
        let mut found = 0;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            found = look();
            times.push(begun.elapsed());
        }
        times.sort();
        println!("{what}: {:.0} ms, {found} found", times[ROUNDS / 2].as_secs_f64() * 1e3);
    };
    timed("who is over a limit", &|| excess::look(engine, committee).len());
    // The first look opens every name.
    let (names, nobody) = (Names::new(engine.clone(), names::PART_ROWS), ["nobody at all".to_owned()]);
    let look = || {
        let begun = Instant::now();
        let found = names.search(&Selection::default(), &nobody, u64::MAX, 50).unwrap();
        (begun.elapsed().as_secs_f64() * 1e3, found.on.is_none())
    };
    println!("a name that nobody has, the first looks: {:?}", [look(), look(), look()]);
    timed("the same once names are open", &|| usize::from(!look().1));
    timed("missing employers", &|| missing::look(engine, committee, &report.filer, last).unwrap().missing.len());
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

struct Taken {
    time: Duration,
    /// What all cores together spent on it: unlike the time it is the same beside busy neighbours.
    cores: Duration,
    bytes: usize,
    /// The most that was resident meanwhile, beyond what was before.
    more_kib: u64,
}

fn order(format: Format) -> Order {
    let (selection, report) = (Selection::default(), Report::Paid);
    let (who, name, reason) = ("shell:bench".into(), "the bench".into(), String::new());
    Order {
        id: Uuid::now_v7(),
        format,
        selection,
        who,
        name,
        reason,
        report,
        filing: (format == Format::Fec).then(filing),
    }
}

/// A report of the whole season; a candidate's, for whom all of it is one cycle.
fn filing() -> Filing {
    let address = Address {
        street: "1 Capitol Avenue".into(),
        street_2: String::new(),
        city: "Lansing".into(),
        state: "MI".into(),
        zip: "48933".into(),
    };
    let filer = Filer {
        id: "C00123456".into(),
        name: "Rivera for Senate".into(),
        address: address.clone(),
        treasurer: Named { first: "Pat".into(), last: "O'Neil".into() },
        form: Form::F3,
        candidate: None,
        elections: vec![],
        payee: Some(Payee { name: "Stripe, Inc.".into(), address }),
        conduit: None,
    };
    let (from, through) =
        (NaiveDate::from_ymd_opt(2000, 1, 1).unwrap(), NaiveDate::from_ymd_opt(2099, 12, 31).unwrap());
    let report = groundswell::export::fec::Report {
        filer,
        code: "YE".into(),
        from,
        through,
        election: None,
        signed: through,
        cash_minor: 0,
        amends: None,
        mode: Mode::Live,
    };
    Filing { committee: CommitteeId::FIRST, what: What::Report(Box::new(report)), closed: None }
}

async fn take(engine: &Engine, format: Format) -> Taken {
    let before = resident("VmRSS");
    // From here on the kernel notes the most anew.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let (begun, before_cores) = (Instant::now(), computed());
    let mut parts = Desk::new(engine.clone()).take(order(format)).await.unwrap();
    let mut bytes = 0;
    while let Some(part) = parts.recv().await {
        bytes += part.unwrap().len();
    }
    Taken {
        time: begun.elapsed(),
        cores: computed() - before_cores,
        bytes,
        more_kib: resident("VmHWM").saturating_sub(before),
    }
}

async fn whole(engine: &Engine, format: Format) -> Vec<u8> {
    let mut parts = Desk::new(engine.clone()).take(order(format)).await.unwrap();
    let mut file = vec![];
    while let Some(part) = parts.recv().await {
        file.extend_from_slice(&part.unwrap());
    }
    file
}

fn resident(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The rows of our file in a table with typed columns, and how long the peer takes to give them out as CSV.
fn copy(postgres: &Postgres, csv: &[u8], rows: usize) -> Duration {
    let mut client = postgres.connect().unwrap();
    let head = csv.split(|byte| *byte == b'\n').next().unwrap();
    let typed = |name: &str| match name {
        "seq" | "recurring_number" => "bigint",
        "received_at_utc" | "given_at_utc" => "timestamptz",
        "day" => "date",
        "amount" | "fee" | "net" => "numeric(14,2)",
        _ => "text",
    };
    let names: Vec<&str> = std::str::from_utf8(head).unwrap().trim().split(',').collect();
    let columns: Vec<String> = names.iter().map(|name| format!("\"{name}\" {}", typed(name))).collect();
    client.batch_execute(&format!("CREATE TABLE donations ({})", columns.join(", "))).unwrap();
    let mut copy = client.copy_in("COPY donations FROM STDIN CSV HEADER").unwrap();
    copy.write_all(csv).unwrap();
    copy.finish().unwrap();
    for tidy in ["DELETE FROM donations WHERE kind = 'ledger head'", "VACUUM ANALYZE donations", "CHECKPOINT"] {
        client.batch_execute(tidy).unwrap();
    }
    let counted: i64 = client.query_one("SELECT count(*) FROM donations", &[]).unwrap().get(0);
    assert_eq!(counted as usize, rows);
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            let mut out = client.copy_out("COPY (SELECT * FROM donations ORDER BY seq) TO STDOUT CSV HEADER").unwrap();
            let mut buffer = vec![0; 256 * 1024];
            while out.read(&mut buffer).unwrap() > 0 {}
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2]
}
