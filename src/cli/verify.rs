//! `groundswell verify`: every frame of the log, from the first; the head hash is printed last.

use super::control;
use crate::config::Config;
use crate::log::Head;
use crate::log::sled::{Reader, SledLog};
use anyhow::Context;

/// Events between two lines of progress.
const PROGRESS_EVERY: u64 = 1_000_000;

/// Runs the subcommand.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let mut answer = vec![];
    let take = |bytes: &[u8]| {
        answer.extend_from_slice(bytes);
        Ok(())
    };
    let (seq, hash) = match control::ask(&config.data, "GET", "/verify", vec![], take).await? {
        Some(()) => {
            let text = String::from_utf8(answer).context("the server's answer is not text")?;
            let (seq, hash) = text.split_once(' ').context("the server's answer is not a head")?;
            (seq.to_owned(), hash.to_owned())
        }
        None => {
            let dir = config.data.join("log");
            anyhow::ensure!(
                dir.is_dir(),
                "there is no log in {}: name the data folder with --data",
                config.data.display()
            );
            let head = tokio::task::spawn_blocking(move || -> anyhow::Result<Head> {
                let log = SledLog::open(&dir)?;
                check(&log.reader(), |seq| eprintln!("{seq} events checked"))
            });
            let head = head.await??;
            (head.seq.to_string(), head.to_string())
        }
    };
    println!("{seq} events, every frame whole and in its place");
    println!("{hash}");
    Ok(())
}

/// Checks every frame, telling of progress now and then.
pub fn check(reader: &Reader, mut progress: impl FnMut(u64)) -> anyhow::Result<Head> {
    let mut told = 0_u64;
    Ok(reader.verify(|seq| {
        if seq.saturating_sub(told) >= PROGRESS_EVERY {
            told = seq;
            progress(seq);
        }
    })?)
}
