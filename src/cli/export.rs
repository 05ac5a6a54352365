//! `groundswell export`: the finance files from the shell, whether or not the server runs.

use super::log::shell_user;
use super::{DataArgs, control, serve};
use crate::domain::id::PeriodId;
use crate::domain::period::Closed;
use crate::engine::Engine;
use crate::export::actblue::Report;
use crate::report::as_of::AsOf;
use crate::report::closing;
use crate::report::filing::{self, Wrong};
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
    let query = query.finish();
    let path = format!("/export/{}?{query}", args.format);
    if control::ask(&config.data, "GET", &path, vec![], |bytes| out.take(bytes)).await?.is_none() {
        let data = config.data.clone();
        let (engine, mut writer) = tokio::task::spawn_blocking(move || serve::open(&data)).await??;
        let order = order(&engine, args.format.word(), query.as_bytes()).await?;
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
pub(super) async fn order(engine: &Engine, format: &str, query: &[u8]) -> anyhow::Result<Order> {
    let form = Form::parse(query);
    let (selection, fault) = Selection::read(|name| form.get(name), engine);
    if let Some(fault) = fault {
        return Err(anyhow!("--as-of: {fault}"));
    }
    let format: Format = format.parse().map_err(|error: String| anyhow!(error))?;
    let who = form.get("who");
    let report = form.get("report").parse().unwrap_or_default();
    let mut order =
        Order { format, selection, name: who.clone(), who, reason: form.get("reason"), report, filing: None };
    if !form.get("period").is_empty() {
        return of_period(engine, order, &form.get("period")).await;
    }
    if matches!(format, Format::Fec | Format::FecNotice) {
        order = filing(engine, order, &form).await?;
    }
    Ok(order)
}

/// The same of a closed period: its days and accounts as of its event, or the report that it was closed with.
async fn of_period(engine: &Engine, mut order: Order, number: &str) -> anyhow::Result<Order> {
    let (period, mode) = {
        let world = engine.world();
        let period = number.parse().ok().and_then(|id| world.state.periods.get(id).cloned());
        (period, world.state.mode)
    };
    let unknown = || anyhow!("there is no closed period {number}: /finance/periods lists them");
    let period = period.filter(|period| period.withdrawn.is_none()).ok_or_else(unknown)?;
    let closed = period.closed;
    let as_of = Some(AsOf { seq: closed.seq, at: period.at });
    order.selection.committee = closed.committee;
    order.selection.as_of = as_of;
    match order.format {
        Format::Fec => {
            let none = || anyhow!("period {number} was closed without a report to the FEC: export it as csv or xlsx");
            let filing = closing::filing(&closed, mode).ok_or_else(none)?;
            checked(engine, &filing, closed).await?;
            order.filing = Some(filing);
        }
        Format::FecNotice => return Err(anyhow!("a notice is of no period: leave out --period")),
        Format::Csv | Format::Xlsx | Format::ActblueCsv | Format::Jsonl | Format::Payouts => {
            (order.selection.from, order.selection.to) = (Some(closed.from), Some(closed.through));
        }
        Format::Attendance | Format::Contacts | Format::Access => {
            return Err(anyhow!("this file is of no period: leave out --period"));
        }
    }
    Ok(order)
}

/// Sees that a closed period's report comes out as it was closed.
async fn checked(engine: &Engine, filing: &filing::Filing, closed: Closed) -> anyhow::Result<()> {
    let (engine, filing) = (engine.clone(), filing.clone());
    Ok(tokio::task::spawn_blocking(move || closing::check(&engine, &filing, &closed)).await??)
}

/// The same for the FEC, after the file was made once and read again: what stops it is said instead of the file.
async fn filing(engine: &Engine, mut order: Order, form: &Form) -> anyhow::Result<Order> {
    if order.selection.rally.is_some() {
        return Err(anyhow!("a report is of a whole committee: leave out --rally"));
    }
    let now = engine.clock().now();
    let (filing, seq) = {
        let world = engine.world();
        let read = |name: &str| form.get(name);
        let committee = order.selection.committee;
        let today = now.with_timezone(&order.selection.zone(&world)).date_naive();
        let filing = if order.format == Format::Fec {
            filing::report(read, committee, &world, today)
        } else {
            filing::notice(read, committee, &world, today)
        };
        let said = |wrong: Vec<Wrong>| anyhow!(wrong.into_iter().map(|(_, what)| what).collect::<Vec<_>>().join(" "));
        (filing.map_err(said)?, order.selection.seq(&world))
    };
    if let Some((period, seq)) = filing.closed {
        let closed = engine.world().state.periods.get(period).map(|period| (period.closed.clone(), period.at));
        let (closed, at) = closed.ok_or_else(|| anyhow!("there is no closed period {period}"))?;
        checked(engine, &filing, closed).await?;
        order.selection.as_of = Some(AsOf { seq, at });
        order.filing = Some(filing);
        return Ok(order);
    }
    let (engine, asked) = (engine.clone(), filing.clone());
    let findings = tokio::task::spawn_blocking(move || asked.findings(&engine, seq)).await??;
    if findings.stops {
        let all = findings.in_order();
        let words: Vec<&str> = all.iter().map(|finding| finding.what.as_str()).collect();
        return Err(anyhow!("the FEC would not take this file: {}", words.join(" ")));
    }
    order.filing = Some(filing);
    // What is taken is what was looked at.
    order.selection.as_of.get_or_insert(AsOf { seq, at: now });
    Ok(order)
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
