//! `groundswell export`: the finance files from the shell, whether or not the server runs.

use super::log::shell_user;
use super::{DataArgs, control, serve};
use crate::engine::Engine;
use crate::export::actblue::Report;
use crate::report::selection::Selection;
use crate::report::{Format, Order};
use crate::web::form::Form;
use anyhow::{Context, anyhow};
use chrono::NaiveDate;
use clap::Args;
use clap::builder::PossibleValue;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_secs(1);

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
    /// Of actblue-csv: which contributions.
    #[arg(long, value_name = "REPORT", default_value = "paid")]
    report: Report,
    /// What it is for, without a name or address: it stays in the log for good, and in the file.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The file to write; standard output if none.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl clap::ValueEnum for Report {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.word()).help(self.about()))
    }
}

impl clap::ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.word()).help(self.about()))
    }
}

/// Runs the subcommand.
pub async fn run(args: ExportArgs) -> anyhow::Result<()> {
    let config = args.data.config()?;
    let mut out = Out::open(args.out.as_ref())?;
    let selection = Selection { rally: args.rally, from: args.from, to: args.to, ..Selection::default() };
    let mut query = form_urlencoded::Serializer::new(selection.query());
    for (name, value) in [("committee", &args.committee), ("as_of", &args.as_of), ("reason", &args.reason)] {
        query.append_pair(name, value.as_deref().unwrap_or_default());
    }
    query.append_pair("who", &shell_user()).append_pair("report", args.report.word());
    let query = query.finish();
    let path = format!("/export/{}?{query}", args.format);
    if control::ask(&config.data, "GET", &path, vec![], |bytes| out.take(bytes)).await?.is_none() {
        let data = config.data.clone();
        let (engine, mut writer) = tokio::task::spawn_blocking(move || serve::open(&data)).await??;
        let order = order(&engine, args.format.word(), query.as_bytes())?;
        let mut parts = order.take(&engine).await?;
        drop(engine);
        while let Some(part) = parts.recv().await {
            out.take(&part?)?;
        }
        writer.ended().await?;
    }
    out.end()
}

/// What the shell asks for, as a query.
///
/// # Errors
/// What is wrong with it.
pub(super) fn order(engine: &Engine, format: &str, query: &[u8]) -> anyhow::Result<Order> {
    let form = Form::parse(query);
    let (selection, fault) = Selection::read(|name| form.get(name), engine);
    if let Some(fault) = fault {
        return Err(anyhow!("--as-of: {fault}"));
    }
    let format = format.parse().map_err(|error: String| anyhow!(error))?;
    let who = form.get("who");
    let report = form.get("report").parse().unwrap_or_default();
    Ok(Order { format, selection, name: who.clone(), who, reason: form.get("reason"), report })
}

/// Where the file goes, and how far it is.
struct Out {
    out: Box<dyn Write>,
    tells: bool,
    bytes: u64,
    told: Instant,
}

impl Out {
    fn open(path: Option<&PathBuf>) -> anyhow::Result<Self> {
        let out: Box<dyn Write> = match path {
            Some(path) => Box::new(File::create(path).with_context(|| format!("{} can't be written", path.display()))?),
            None => Box::new(std::io::stdout()),
        };
        // Beside the file's own lines it would only be in the way.
        let tells = path.is_some() && std::io::stderr().is_terminal();
        Ok(Self { out, tells, bytes: 0, told: Instant::now() })
    }

    fn take(&mut self, part: &[u8]) -> anyhow::Result<()> {
        self.out.write_all(part)?;
        self.bytes = self.bytes.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        if self.tells && self.told.elapsed() >= TOLD_EVERY {
            self.told = Instant::now();
            eprint!("\r{} MB", self.bytes / 1_000_000);
        }
        Ok(())
    }

    fn end(mut self) -> anyhow::Result<()> {
        self.out.flush()?;
        if self.tells {
            eprintln!("\r{} MB, done", self.bytes / 1_000_000);
        }
        Ok(())
    }
}
