//! `groundswell verify`: every frame of the log, from the first, and that heads kept elsewhere are in it; the head hash is
//! printed last.

use super::{DataArgs, control};
use crate::log::Head;
use crate::log::published::Published;
use crate::log::sled::{Reader, SledLog};
use anyhow::Context;
use clap::Args;

/// Events between two lines of progress.
const PROGRESS_EVERY: u64 = 1_000_000;

/// What to check.
#[derive(Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    data: DataArgs,
    /// A head that was published: the log must contain it. Can be given several times.
    #[arg(long = "head", value_name = "[EVENT:]HASH")]
    heads: Vec<Published>,
}

/// Runs the subcommand.
pub async fn run(args: VerifyArgs) -> anyhow::Result<()> {
    let config = args.data.config()?;
    let heads = args.heads;
    let query: Vec<String> = heads.iter().map(|head| format!("head={head}")).collect();
    let mut answer = vec![];
    let take = |bytes: &[u8]| {
        answer.extend_from_slice(bytes);
        Ok(())
    };
    let (seq, hash) =
        match control::ask(&config.data, "GET", &format!("/verify?{}", query.join("&")), vec![], take).await? {
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
                let wanted = heads.clone();
                let head = tokio::task::spawn_blocking(move || -> anyhow::Result<Head> {
                    let log = SledLog::open(&dir)?;
                    check(&log.reader(), &wanted, |seq| eprintln!("{seq} events checked"))
                });
                let head = head.await??;
                (head.seq.to_string(), head.to_string())
            }
        };
    println!("{seq} events, every frame whole and in its place");
    for head in heads {
        println!("contains the published head {head}");
    }
    println!("{hash}");
    Ok(())
}

/// Checks every frame and that the heads are among theirs, telling of progress now and then.
pub fn check(reader: &Reader, heads: &[Published], mut progress: impl FnMut(u64)) -> anyhow::Result<Head> {
    let mut told = 0_u64;
    Ok(reader.verify_against(heads, |seq| {
        if seq.saturating_sub(told) >= PROGRESS_EVERY {
            told = seq;
            progress(seq);
        }
    })?)
}
