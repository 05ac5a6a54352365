//! From a processor's webhook to the new total on 1,000 open pages, beside a bare writer that sends the same bytes to as
//! many sockets. Trust the ratios, not the figures: the machine is shared, and the pages are read on the same cores.
//!
//! `GROUNDSWELL_BENCH_PAGES` and `GROUNDSWELL_BENCH_WEBHOOKS` take the place of 1,000 and 60, for a quick look.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]
#![allow(clippy::panic, clippy::float_arithmetic, reason = "it fails loudly, and prints figures for people to read")]

#[path = "support/rally.rs"]
mod rally;

use groundswell::domain::ledger::Mode;
use rally::{
    Bare, Seconds, Server, WAIT_MAX, address_where_nobody_listens, all, frame_of, pledge, post, prepare, watch, webhook,
};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

const AMOUNT_MINOR: i64 = 2_500;
/// After a pledge, which makes a frame too, and between rounds: longer than the hub's tick, so that each webhook meets a
/// hub that rests.
const REST: Duration = Duration::from_millis(320);
/// As long as a total behind a silent API is waited for.
const SILENT_WAIT_MAX: Duration = Duration::from_secs(8);
/// The hub's shortest time between frames, as `live.rs` has it.
const TICK: Duration = Duration::from_millis(250);

fn main() {
    let number = |name: &str, other| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(other);
    let pages: usize = number("GROUNDSWELL_BENCH_PAGES", 1_000);
    let webhooks: usize = number("GROUNDSWELL_BENCH_WEBHOOKS", 60);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    std::fs::create_dir_all(&root).unwrap();
    let dir = tempfile::tempdir_in(root).unwrap();
    prepare(dir.path(), Mode::Test);
    // Refuses every call: a total that waits for the processor's API would never come.
    let dead_api = address_where_nobody_listens();
    let server = Server::start(dir.path(), Some(dead_api));
    let frame = frame_of(&server);
    println!("{pages} pages, {webhooks} webhooks, frames of {} bytes", frame.len());
    let seen = watch(server.address, pages);
    let bare = Bare::start(pages);
    assert_eq!(Seconds::of(all(&seen, 0, pages).into_iter().map(|at| at.elapsed())).count, pages);

    let (mut acknowledged, mut first, mut spread, mut each, mut last) = (vec![], vec![], vec![], vec![], vec![]);
    let (mut bare_each, mut bare_last) = (vec![], vec![]);
    for n in 1..=webhooks {
        let donation = pledge(server.address, n);
        std::thread::sleep(REST);
        let (body, signature) = webhook(&donation, n);
        let start = Instant::now();
        let status =
            post(server.address, "/webhooks/stripe", "application/json", &[("stripe-signature", &signature)], &body);
        assert!(status.starts_with("HTTP/1.1 200"), "the webhook was answered {status}");
        let answered = start.elapsed();
        let came = all(&seen, AMOUNT_MINOR * n as i64, pages);
        let mut took: Vec<Duration> = came.into_iter().map(|at| at.duration_since(start)).collect();
        took.sort_unstable();
        acknowledged.push(answered);
        first.push(took[0].saturating_sub(answered));
        spread.push(took[pages - 1] - took[0]);
        last.push(took[pages - 1]);
        each.append(&mut took);

        let mut took = bare.round(&frame, n as i64, pages);
        bare_last.push(*took.iter().max().unwrap());
        bare_each.append(&mut took);
        std::thread::sleep(REST);
    }
    let (each, last) = (Seconds::of(each), Seconds::of(last));
    let (bare_each, bare_last) = (Seconds::of(bare_each), Seconds::of(bare_last));
    let first = Seconds::of(first);
    println!("from sending the webhook to the new total, ms      median      p99      max");
    println!("  on a page                                      {each}");
    println!("  on the last of {pages:>5} pages                   {last}");
    println!("of which");
    println!("  webhook stored, synced and answered            {}", Seconds::of(acknowledged));
    println!("  answered to the first page (tick {:>3} ms)       {first}", TICK.as_millis());
    println!("  first page to the last                         {}", Seconds::of(spread));
    println!("bare writer, the same bytes to as many sockets");
    println!("  on a page                                      {bare_each}");
    println!("  on the last                                    {bare_last}");
    println!(
        "ratio last page / bare writer's last: median {:.1}, p99 {:.1}",
        last.median / bare_last.median,
        last.p99 / bare_last.p99
    );
    behind_a_silent_api(dir.path(), server);
}

/// Two gifts whose fee the processor is asked for, while its API takes calls and never answers.
fn behind_a_silent_api(data: &Path, server: Server) {
    drop(server);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(data, silent.local_addr().ok());
    let seen = watch(server.address, 1);
    let before = seen.recv_timeout(WAIT_MAX).unwrap().0;
    let donations: Vec<_> = (1..=2).map(|n| pledge(server.address, 1_000_000 + n)).collect();
    std::thread::sleep(REST);
    let start = Instant::now();
    for (n, donation) in donations.iter().enumerate() {
        let (body, signature) = webhook(donation, 1_000_000 + n);
        post(server.address, "/webhooks/stripe", "application/json", &[("stripe-signature", &signature)], &body);
    }
    // One frame may show both gifts.
    let mut newest = None;
    for (n, which) in ["first", "second"].into_iter().enumerate() {
        let wanted = before + AMOUNT_MINOR * (n as i64 + 1);
        let shows = |frame: &(i64, Instant)| frame.0 >= wanted;
        while !newest.as_ref().is_some_and(shows) && start.elapsed() < SILENT_WAIT_MAX {
            newest = seen.recv_timeout(Duration::from_millis(100)).ok().or(newest);
        }
        let came = newest.filter(shows);
        match came {
            Some((_, at)) => println!(
                "API that never answers, {which} webhook: {:.0} ms",
                at.duration_since(start).as_secs_f64() * 1e3
            ),
            None => {
                println!("API that never answers, {which} webhook: NOT SHOWN after {} s", SILENT_WAIT_MAX.as_secs())
            }
        }
    }
}
