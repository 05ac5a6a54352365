//! `groundswell export`: the finance files from the shell, whether or not the server runs.

use super::{DataArgs, control, serve};
use crate::web::ledger_file::{self, Selection};
use anyhow::Context;
use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

#[derive(Args)]
pub struct ExportArgs {
    /// The format.
    format: Format,
    #[command(flatten)]
    data: DataArgs,
    /// Of this rally only, by its address.
    #[arg(long, value_name = "SLUG")]
    rally: Option<String>,
    /// From this day on, in the rally's time zone.
    #[arg(long, value_name = "DAY")]
    from: Option<NaiveDate>,
    /// Up to and with this day.
    #[arg(long, value_name = "DAY")]
    to: Option<NaiveDate>,
    /// The file to write; standard output if none.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The formats of export.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// One row a donation, refunds as rows of their own.
    Csv,
}

/// Runs the subcommand.
pub async fn run(args: ExportArgs) -> anyhow::Result<()> {
    let Format::Csv = args.format;
    let config = args.data.config()?;
    let mut out: Box<dyn Write> = match &args.out {
        Some(path) => Box::new(File::create(path).with_context(|| format!("{} can't be written", path.display()))?),
        None => Box::new(std::io::stdout()),
    };
    let day = |day: Option<NaiveDate>| day.map(|day| day.to_string()).unwrap_or_default();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("rally", args.rally.as_deref().unwrap_or_default());
    query.append_pair("from", &day(args.from)).append_pair("to", &day(args.to));
    let path = format!("/donations.csv?{}", query.finish());
    if control::ask(&config.data, "GET", &path, vec![], |bytes| Ok(out.write_all(bytes)?)).await?.is_none() {
        let data = config.data.clone();
        let (engine, mut writer) = tokio::task::spawn_blocking(move || serve::open(&data)).await??;
        let mut chunks = ledger_file::csv(engine, Selection { rally: args.rally, from: args.from, to: args.to });
        while let Some(chunk) = chunks.recv().await {
            out.write_all(&chunk?)?;
        }
        writer.ended().await?;
    }
    out.flush()?;
    Ok(())
}
