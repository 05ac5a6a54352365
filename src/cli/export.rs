//! `groundswell export`: the finance files from the shell, whether or not the server runs.

use super::log::shell_user;
use super::{DataArgs, control, serve};
use crate::domain::id::PeriodId;
use crate::domain::money::group_thousands;
use crate::engine::Engine;
use crate::export::actblue::Report;
use crate::report::desk::Desk;
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
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use uuid::Uuid;

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
    /// Of this closed period only, as it was closed: its number at /finance/periods.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["rally", "committee", "from", "to", "as_of", "code"])]
    period: Option<PeriodId>,
    /// Of actblue-csv: which contributions.
    #[arg(long, value_name = "REPORT", default_value = "paid")]
    report: Report,
    #[command(flatten)]
    filing: FilingArgs,
    /// What it is for, without a name or address: it stays in the log for good, and in the file.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The file to write; standard output if none.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Tell how far it is, on standard error, also where that is no terminal.
    #[arg(long)]
    progress: bool,
}

/// Of fec and fec-notice: what the cover says.
#[derive(Args)]
struct FilingArgs {
    /// Of fec: which report, as Q2, M7, YE, 12P or 30G.
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Of fec: the election that the report is about, as P2026.
    #[arg(long, value_name = "CODE")]
    election: Option<String>,
    /// Of fec: cash on hand as the period begins; 0 if not given.
    #[arg(long, value_name = "DOLLARS")]
    cash: Option<String>,
    /// Of fec and fec-notice: the day on which the treasurer signs; today if not given.
    #[arg(long, value_name = "DAY")]
    signed: Option<String>,
    /// Of fec and fec-notice: the first filing that this amends, as FEC-1234567.
    #[arg(long, value_name = "NUMBER")]
    amends: Option<String>,
    /// Which amendment it is; 1 if not given.
    #[arg(long, value_name = "NUMBER")]
    amendment: Option<String>,
    /// Of fec-notice: the day on which the notice that this amends was filed.
    #[arg(long, value_name = "DAY")]
    filed: Option<String>,
}

impl FilingArgs {
    fn pairs(&self) -> [(&'static str, &Option<String>); 7] {
        [
            ("code", &self.code),
            ("election", &self.election),
            ("cash", &self.cash),
            ("signed", &self.signed),
            ("amends", &self.amends),
            ("amendment", &self.amendment),
            ("filed", &self.filed),
        ]
    }
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
    // Beside the file's own lines, or in a program's log, it would only be in the way.
    let tells = args.progress || (args.out.is_some() && std::io::stderr().is_terminal());
    let (id, bytes) = (Uuid::now_v7(), out.bytes.clone());
    let selection = Selection { rally: args.rally, from: args.from, to: args.to, ..Selection::default() };
    let mut query = form_urlencoded::Serializer::new(selection.query());
    let own = [("committee", &args.committee), ("as_of", &args.as_of), ("reason", &args.reason)];
    for (name, value) in own.into_iter().chain(args.filing.pairs()) {
        query.append_pair(name, value.as_deref().unwrap_or_default());
    }
    if let Some(period) = args.period {
        query.append_pair("period", &period.to_string());
    }
    query.append_pair("who", &shell_user()).append_pair("report", args.report.word());
    let query = query.append_pair("id", &id.to_string()).finish();
    let path = format!("/export/{}?{query}", args.format);
    let asked = control::ask(&config.data, "GET", &path, vec![], |bytes| out.take(bytes));
    let server = Making::Server { data: config.data.clone(), path: format!("/making/{id}") };
    if told(tells, server, &bytes, asked).await?.is_none() {
        let data = config.data.clone();
        let (engine, mut writer) = tokio::task::spawn_blocking(move || serve::open(&data)).await??;
        let desk = Desk::new(engine);
        let order = order(desk.engine(), args.format.word(), query.as_bytes()).await?;
        let mut parts = desk.take(order).await?;
        let here = Making::Here { desk, id };
        let took = async {
            while let Some(part) = parts.recv().await {
                out.take(&part?)?;
            }
            Ok(())
        };
        told(tells, here, &bytes, took).await?;
        writer.ended().await?;
    }
    out.out.flush()?;
    if tells {
        eprintln!("\r\x1b[K{} bytes, done", group_thousands(bytes.load(Ordering::Relaxed)));
    }
    Ok(())
}

/// Where a file is made.
enum Making {
    /// By the server of a data folder, which is asked at this address.
    Server { data: PathBuf, path: String },
    /// In this process.
    Here { desk: Desk, id: Uuid },
}

impl Making {
    /// How many rows were looked at, and of how many; nothing before and after it is made.
    async fn progress(&self) -> Option<(u64, u64)> {
        match self {
            Self::Server { data, path } => {
                let mut said = vec![];
                let take = |bytes: &[u8]| {
                    said.extend_from_slice(bytes);
                    Ok(())
                };
                control::ask(data, "GET", path, vec![], take).await.ok()??;
                serde_json::from_slice(&said).ok()?
            }
            Self::Here { desk, id } => {
                desk.making().iter().find(|known| known.id == *id).map(|known| (known.done, known.of))
            }
        }
    }
}

/// Waits for a file, and tells meanwhile how far it is.
async fn told<T>(
    tells: bool,
    making: Making,
    bytes: &AtomicU64,
    file: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let mut file = std::pin::pin!(file);
    let mut tick = tokio::time::interval(TOLD_EVERY);
    loop {
        tokio::select! {
            done = &mut file => return done,
            _ = tick.tick(), if tells => {}
        }
        // The file goes on while the server is asked.
        let progress = tokio::select! {
            done = &mut file => return done,
            progress = making.progress() => progress,
        };
        let percent = progress.and_then(|(done, of)| done.saturating_mul(100).checked_div(of));
        if let (Some((done, of)), Some(percent)) = (progress, percent) {
            let (done, of) = (group_thousands(done), group_thousands(of));
            let bytes = bytes.load(Ordering::Relaxed) / 1_000_000;
            eprint!("\r\x1b[K{percent} %: {done} of {of} rows, {bytes} MB");
        }
    }
}

/// What the shell asks for, as a query.
///
/// # Errors
/// What is wrong with it.
pub(super) async fn order(engine: &Engine, format: &str, query: &[u8]) -> anyhow::Result<Order> {
    let form = Form::parse(query);
    let (selection, fault) = Selection::read(|name| form.get(name), engine);
    if let Some(fault) = fault {
        return Err(anyhow!("--as-of: {fault}"));
    }
    let format: Format = format.parse().map_err(|error: String| anyhow!(error))?;
    let who = form.get("who");
    let report = form.get("report").parse().unwrap_or_default();
    let id = form.get("id").parse().unwrap_or_else(|_| Uuid::now_v7());
    let name = who.clone();
    let order = Order { id, format, selection, name, who, reason: form.get("reason"), report, filing: None };
    if form.has("period") {
        return Ok(order.of_period(&form.get("period"), engine).await?);
    }
    match format {
        Format::Fec | Format::FecNotice => Ok(order.of_filing(|name| form.get(name), engine).await?),
        Format::Csv
        | Format::Xlsx
        | Format::ActblueCsv
        | Format::Payouts
        | Format::Attendance
        | Format::Contacts
        | Format::Access
        | Format::Jsonl => Ok(order),
    }
}

/// Where the file goes, and how far it is.
struct Out {
    out: Box<dyn Write>,
    bytes: Arc<AtomicU64>,
}

impl Out {
    fn open(path: Option<&PathBuf>) -> anyhow::Result<Self> {
        let out: Box<dyn Write> = match path {
            Some(path) => Box::new(File::create(path).with_context(|| format!("{} can't be written", path.display()))?),
            None => Box::new(std::io::stdout()),
        };
        Ok(Self { out, bytes: Arc::default() })
    }

    fn take(&mut self, part: &[u8]) -> anyhow::Result<()> {
        self.out.write_all(part)?;
        self.bytes.fetch_add(u64::try_from(part.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(())
    }
}
