//! The command line: one file a subcommand. Exit status: 0 done, 1 something is wrong with the data or the world, 2 the
//! command was not understood.

mod backup;
mod control;
mod demo;
mod erase;
mod export;
mod log;
mod mail;
mod receipt;
mod reconcile;
mod replay;
mod serve;
mod staff;
mod verify;

use crate::config::Config;
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Virtual rallies that raise money: broadcast, room, donations and ledger in one program.
#[derive(Parser)]
#[command(name = "groundswell", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    #[command(after_help = "Example:\n  groundswell serve --data /var/lib/groundswell --listen 127.0.0.1:8080")]
    Serve(ServeArgs),
    /// Run a rally that is live already, with a looping speaker and simulated people and money.
    #[command(after_help = "Example:\n  groundswell demo\n\nWithout --data everything is gone when it stops.")]
    Demo(ServeArgs),
    /// Manage staff accounts.
    Staff(staff::StaffArgs),
    /// Write the donations to a file.
    #[command(
        after_help = "Example:\n  groundswell export csv --rally answer-the-call --from 2028-07-25 --out donations.csv"
    )]
    Export(Box<export::ExportArgs>),
    /// Copy log and vault of a server, which may run, into a folder.
    #[command(
        after_help = "Example:\n  groundswell backup /mnt/backup/groundswell\n\nAgain into the same folder, it copies what is new."
    )]
    Backup(backup::BackupArgs),
    /// Make a data folder of a backup.
    #[command(
        after_help = "Example:\n  groundswell restore /mnt/backup/groundswell --data /var/lib/groundswell\n\nIt never overwrites."
    )]
    Restore(backup::RestoreArgs),
    /// Make every projection anew from the log and compare it with what is shown.
    #[command(after_help = "Example:\n  groundswell replay --data /var/lib/groundswell")]
    Replay(DataArgs),
    /// Read the payment processor's list of events now, and take in what webhooks missed.
    #[command(
        after_help = "Example:\n  groundswell reconcile --data /var/lib/groundswell\n\nIt asks the server that runs, which reads events every quarter of an hour, and balance and payouts every hour."
    )]
    Reconcile(DataArgs),
    /// Check a donor's receipt against a published head; needs no server and no data.
    #[command(after_help = "Example:\n  groundswell verify-receipt proof.json --head 5f0c…64 hex digits")]
    VerifyReceipt(receipt::ReceiptArgs),
    /// Make a person's data unreadable for good; totals stay as they are.
    #[command(
        after_help = "Example:\n  groundswell erase joan@example.org --reason 'asked by letter of 1 February'\n\nIt shows what is known of them and asks first."
    )]
    Erase(erase::EraseArgs),
    /// Read the log's events.
    Log(log::LogArgs),
    /// Try the mail settings.
    Mail(mail::MailArgs),
    /// Check every frame of the log, and heads that were published, and print its head hash last.
    #[command(
        after_help = "Example:\n  groundswell verify --data /var/lib/groundswell\n\nA head kept elsewhere shows what the log alone can't: --head HASH, or --head EVENT:HASH for a clearer answer."
    )]
    Verify(verify::VerifyArgs),
}

/// Which data folder.
#[derive(Args, Clone)]
struct DataArgs {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A settings file (TOML).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// How to serve.
#[derive(Args)]
struct ServeArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Where HTTP listens.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where RTMP listens, for OBS, ffmpeg and Zoom.
    #[arg(long, value_name = "ADDR")]
    rtmp: Option<SocketAddr>,
    /// Where WebRTC listens (UDP), for speakers in a browser and WHIP.
    #[arg(long, value_name = "ADDR")]
    webrtc: Option<SocketAddr>,
}

impl DataArgs {
    fn config(&self) -> anyhow::Result<Config> {
        let mut config = Config::read(self.config.as_deref(), |name| std::env::var(name).ok())?;
        if let Some(data) = &self.data {
            config.data = data.clone();
        }
        Ok(config)
    }
}

impl ServeArgs {
    fn config(&self) -> anyhow::Result<Config> {
        let mut config = self.data.config()?;
        config.listen = self.listen.unwrap_or(config.listen);
        config.rtmp = self.rtmp.unwrap_or(config.rtmp);
        config.webrtc = self.webrtc.unwrap_or(config.webrtc);
        Ok(config)
    }
}

/// Logs to standard error: lines for people, or JSON for a collector with `GROUNDSWELL_LOG_FORMAT=json`. What is logged
/// is chosen by `GROUNDSWELL_LOG`, in the syntax of tracing's `EnvFilter`.
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("GROUNDSWELL_LOG");
    let filter = filter.unwrap_or_else(|_| "groundswell=info,warn".into());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::env::var("GROUNDSWELL_LOG_FORMAT").is_ok_and(|format| format == "json") {
        log.json().init();
    } else {
        log.with_target(false).with_ansi(std::io::stderr().is_terminal()).init();
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("groundswell: the runtime could not be started: {error}");
            return ExitCode::from(1);
        }
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Serve(args) => serve::run(args.config()?).await,
            Command::Demo(args) => demo::run(args).await,
            Command::Staff(args) => staff::run(args).await,
            Command::Export(args) => export::run(*args).await,
            Command::Backup(args) => backup::run(args).await,
            Command::Restore(args) => backup::restore(args).await,
            Command::Replay(args) => replay::run(args).await,
            Command::Reconcile(args) => reconcile::run(args).await,
            Command::VerifyReceipt(args) => receipt::run(&args),
            Command::Erase(args) => erase::run(args).await,
            Command::Log(args) => log::run(args).await,
            Command::Mail(args) => mail::run(args).await,
            Command::Verify(args) => verify::run(args).await,
        }
    });
    // A worker that still computes must not keep a finished program alive.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<clap::Error>() {
            Some(misunderstood) => {
                let _ = misunderstood.print();
                ExitCode::from(2)
            }
            None => {
                eprintln!("groundswell: {error:#}");
                ExitCode::from(1)
            }
        },
    }
}

/// What was asked makes no sense, which only shows once it is looked at: exit status 2.
fn usage(message: &str) -> anyhow::Error {
    Cli::command().error(clap::error::ErrorKind::ValueValidation, message).into()
}
