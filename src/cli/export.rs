//! `groundswell export`: the finance files from the shell, whether or not the server runs.

use super::{DataArgs, control, serve};
use crate::web::form::Form;
use crate::web::ledger_file;
use crate::web::selection::Selection;
use anyhow::{Context, bail};
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
    /// In the account of this committee only: the account's name in the settings, or 0 for the first.
    #[arg(long, value_name = "ACCOUNT")]
    committee: Option<String>,
    /// From this day on, in the rally's time zone.
    #[arg(long, value_name = "DAY")]
    from: Option<NaiveDate>,
    /// Up to and with this day.
    #[arg(long, value_name = "DAY")]
    to: Option<NaiveDate>,
    /// As it was then: a time like 2028-07-25T21:14 where the rally is, with an offset if you like, a day, or an event's
    /// number.
    #[arg(long, value_name = "T")]
    as_of: Option<String>,
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
    let selection = Selection { rally: args.rally, from: args.from, to: args.to, ..Selection::default() };
    let mut query = form_urlencoded::Serializer::new(selection.query());
    query.append_pair("committee", args.committee.as_deref().unwrap_or_default());
    query.append_pair("as_of", args.as_of.as_deref().unwrap_or_default());
    let query = query.finish();
    let path = format!("/donations.csv?{query}");
    if control::ask(&config.data, "GET", &path, vec![], |bytes| Ok(out.write_all(bytes)?)).await?.is_none() {
        let data = config.data.clone();
        let (engine, mut writer) = tokio::task::spawn_blocking(move || serve::open(&data)).await??;
        let (selection, fault) = Selection::read(&Form::parse(query.as_bytes()), &engine);
        if let Some(fault) = fault {
            bail!("--as-of: {fault}");
        }
        let mut chunks = ledger_file::csv(engine, selection);
        while let Some(chunk) = chunks.recv().await {
            out.write_all(&chunk?)?;
        }
        writer.ended().await?;
    }
    out.flush()?;
    Ok(())
}
