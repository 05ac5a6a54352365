//! `groundswell verify`: every frame of the log, from the first, and that heads kept elsewhere are in it; the head hash is
//! printed last.

use super::{DataArgs, control};
use crate::log::Head;
use crate::log::archive;
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
    let [seq, hash, archived] =
        match control::ask(&config.data, "GET", &format!("/verify?{}", query.join("&")), vec![], take).await? {
            Some(()) => {
                let text = String::from_utf8(answer).context("the server's answer is not text")?;
                let mut words = text.split(' ').map(str::to_owned);
                let mut next = || words.next().context("the server's answer is not a head");
                [next()?, next()?, next()?]
            }
            None => {
                let dir = config.data.join("log");
                anyhow::ensure!(
                    dir.is_dir(),
                    "there is no log in {}: name the data folder with --data",
                    config.data.display()
                );
                let wanted = heads.clone();
                let checked = tokio::task::spawn_blocking(move || -> anyhow::Result<Checked> {
                    let log = SledLog::open(&dir)?;
                    check(&log.reader(), &wanted, |seq| eprintln!("{seq} events checked"))
                });
                checked.await??.words()
            }
        };
    println!("{seq} events, every frame whole and in its place");
    println!("the archive holds the same frames up to event {archived}");
    for head in heads {
        println!("contains the published head {head}");
    }
    println!("{hash}");
    Ok(())
}

/// What a check came to.
pub struct Checked {
    head: Head,
    archived: Head,
}

impl Checked {
    /// The last event, its frame's hash, and the last event in the archive.
    pub fn words(&self) -> [String; 3] {
        [self.head.seq.to_string(), self.head.to_string(), self.archived.seq.to_string()]
    }
}

/// Checks every frame, that the heads are among theirs, and that the archive holds the same, telling of progress now and then.
pub fn check(reader: &Reader, heads: &[Published], mut progress: impl FnMut(u64)) -> anyhow::Result<Checked> {
    let mut told = 0_u64;
    let head = reader.verify_against(heads, |seq| {
        if seq.saturating_sub(told) >= PROGRESS_EVERY {
            told = seq;
            progress(seq);
        }
    })?;
    Ok(Checked { head, archived: archive::read::verify(reader)? })
}
