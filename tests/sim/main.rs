//! A simulation of everything that can go wrong with money, from one number.
//!
//! The real engine, log, cashier and vault run in simulated time, on a simulated disk, against a simulated bank, among simulated
//! people. `GROUNDSWELL_SIM_SEEDS=5000` runs more seeds, `GROUNDSWELL_SIM_SEED=123` one; what fails names its seed.

// A panic is how a test fails.
#![allow(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::too_many_arguments,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm
)]

mod auditor;
mod bank;
mod chance;
mod crowd;
mod disk;
mod run;
#[path = "../support/sample.rs"]
mod sample;
mod server;
mod trace;

use run::{Outcome, run};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use trace::Count;

/// Seeds of a usual test run, from a fixed start so that runs can be compared.
const SEEDS: u64 = 60;
const FIRST: u64 = 1;
/// Seeds nobody has seen before.
const FRESH: u64 = 3;
/// Lines of a trace that are shown of a failure.
const SHOWN: usize = 400;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

fn report(seed: u64, outcome: &Outcome) -> String {
    let shown = outcome.trace.len().saturating_sub(SHOWN);
    format!(
        "{}\nseed {seed} went wrong:\n  {}\nagain: GROUNDSWELL_SIM_SEED={seed} cargo test --locked --test sim -- --nocapture no_seed",
        outcome.trace[shown..].join("\n"),
        outcome.wrong.join("\n  ")
    )
}

#[test]
fn no_seed_loses_or_doubles_anything() {
    if let Some(seed) = number("GROUNDSWELL_SIM_SEED") {
        let outcome = run(seed);
        assert!(outcome.wrong.is_empty(), "{}", report(seed, &outcome));
        println!("{}\nseed {seed} is fine: {:?}", outcome.trace.join("\n"), outcome.count);
        return;
    }
    let fixed = number("GROUNDSWELL_SIM_SEEDS").unwrap_or(SEEDS);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seeds: Vec<u64> = (FIRST..FIRST + fixed).chain((0..FRESH).map(|number| now * 10 + number)).collect();
    println!("seeds {FIRST} to {fixed}, and fresh ones: {:?}", &seeds[seeds.len() - FRESH as usize..]);
    let (next, begun) = (AtomicU64::new(0), Instant::now());
    let (total, failed) = (Mutex::new(Count::default()), Mutex::new(vec![]));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let outcome = run(*seed);
                    total.lock().unwrap().add(&outcome.count);
                    if !outcome.wrong.is_empty() {
                        println!("seed {seed}: {}", outcome.wrong[0]);
                        failed.lock().unwrap().push((*seed, report(*seed, &outcome)));
                    }
                }
            });
        }
    });
    let total = *total.lock().unwrap();
    println!("{} seeds in {:.1?}: {total:?}", seeds.len(), begun.elapsed());
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    if let Some((_, report)) = failed.first() {
        let names: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
        panic!("{report}\n{} of {} seeds went wrong: {names:?}", failed.len(), seeds.len());
    }
    // A quiet evening proves nothing.
    let each = seeds.len() as u64;
    let Count { donations, webhooks, kills, power_cuts, disk_faults, processor_faults, clock_steps, .. } = total;
    assert!(donations > each && webhooks > each && kills > each && power_cuts > each, "{total:?}");
    assert!(processor_faults > each && disk_faults > each / 2 && clock_steps > each / 2, "{total:?}");
}

#[test]
fn a_seed_repeats_itself() {
    let seeds = 3 + number("GROUNDSWELL_SIM_SEEDS").unwrap_or(0) / 50;
    for seed in FIRST..FIRST + seeds {
        let (one, other) = (run(seed), run(seed));
        let differs = one.trace.iter().zip(&other.trace).position(|(one, other)| one != other);
        if let Some(at) = differs {
            panic!("seed {seed} differs from itself at line {at}:\n  {}\n  {}", one.trace[at], other.trace[at]);
        }
        assert_eq!((one.trace.len(), one.count), (other.trace.len(), other.count), "seed {seed}");
        assert!(one.trace.len() > 100, "seed {seed} did nothing");
    }
}
