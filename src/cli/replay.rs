//! `groundswell replay`: every projection made anew from the first event, and held against what is shown.

use super::{DataArgs, control, serve};
use crate::engine::Engine;
use anyhow::{bail, ensure};
use std::time::Instant;

/// Runs the subcommand.
pub async fn run(args: DataArgs) -> anyhow::Result<()> {
    let config = args.config()?;
    let mut answer = vec![];
    let take = |bytes: &[u8]| {
        answer.extend_from_slice(bytes);
        Ok(())
    };
    if control::ask(&config.data, "GET", "/replay", vec![], take).await?.is_some() {
        println!("{}", String::from_utf8_lossy(&answer));
        return Ok(());
    }
    let data = config.data;
    ensure!(data.join("log").is_dir(), "there is no log in {}: name the data folder with --data", data.display());
    let said = tokio::task::spawn_blocking(move || compare(&serve::open(&data)?.0)).await??;
    println!("{said}");
    Ok(())
}

/// Replays and compares; in words.
///
/// # Errors
/// The parts that differ, or why the log can't be replayed.
pub fn compare(engine: &Engine) -> anyhow::Result<String> {
    let start = Instant::now();
    let replayed = engine.replay()?;
    let took = start.elapsed();
    let rate = u128::from(replayed.seq).saturating_mul(1000).checked_div(took.as_millis()).unwrap_or(0);
    let said = format!("{} events replayed in {} ms ({rate} events/s)", replayed.seq, took.as_millis());
    if !replayed.differences.is_empty() {
        bail!(
            "{said}: what is shown differs from the log in {}. Stop the server, delete the folder `snapshots` in the data folder, start again, and report this",
            replayed.differences.join(", ")
        );
    }
    Ok(format!("{said}: every projection is what is shown"))
}
