//! A report as a person reads it before they file it.

use crate::domain::committee::filer::Form;
use crate::domain::id::PeriodId;
use crate::domain::ledger::Mode;
use crate::domain::money::{Currency, Money, group_thousands};
use crate::export::fec::Report;
use crate::export::fec::cover::{Amount, Totals};
use crate::export::fec::finding::{Finding, Weight};
use crate::report::filing::{Due, Preview};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use hardmoney::Table;

/// Findings on the page; of the rest it is told how many there are.
const FINDINGS_SHOWN: usize = 100;

/// A report that can be made.
#[derive(Debug, Clone)]
pub struct Shown {
    /// `Q3, July 1 to September 30, 2026`.
    pub title: String,
    /// The figures of the period: what, and how much.
    pub figures: Vec<(&'static str, String)>,
    /// How many lines it has, in a sentence.
    pub lines: String,
    /// What is worth knowing of it, in sentences.
    pub notes: Vec<String>,
    /// The cover's lines that are not nothing.
    pub cover: Vec<CoverLine>,
    /// What column B adds up: `Calendar year to date`.
    pub to_date: &'static str,
    /// What is to be looked at, the gravest first.
    pub findings: Vec<FindingLine>,
    /// How many more there are.
    pub findings_more: u64,
    /// Whether one of them stops it.
    pub is_stopped: bool,
    /// The last day that it is of.
    pub through: NaiveDate,
    /// The period that was closed with it.
    pub closed: Option<PeriodId>,
    /// Where the file is.
    pub file: String,
}

/// A line of the cover.
#[derive(Debug, Clone)]
pub struct CoverLine {
    /// The FEC's label: `11(a)(i)`.
    pub line: &'static str,
    /// What it is, in the FEC's words.
    pub what: &'static str,
    /// Column A; empty where the form has none.
    pub period: String,
    /// Column B.
    pub to_date: String,
}

/// A finding.
#[derive(Debug, Clone)]
pub struct FindingLine {
    /// How grave it is, in a word.
    pub weight: &'static str,
    /// Whose line; empty where it is about the whole.
    pub who: String,
    /// The line's id; empty where it is about the whole.
    pub transaction: String,
    /// What was found.
    pub what: String,
    /// What to do.
    pub todo: &'static str,
}

/// A gift that is told of within 48 hours.
#[derive(Debug, Clone)]
pub struct DueLine {
    /// The line's id.
    pub transaction: String,
    /// When it was given.
    pub given: String,
    /// How much.
    pub amount: String,
    /// Before which election.
    pub election: String,
    /// Until when.
    pub by: String,
    /// Whether there is time left.
    pub is_open: bool,
}

impl DueLine {
    /// A gift as it is now, told where the committee is.
    pub(super) fn new(due: &Due, now: DateTime<Utc>, zone: Tz) -> Self {
        let when = |at: DateTime<Utc>| at.with_timezone(&zone).format("%b %-d, %Y, %-I:%M %P %Z").to_string();
        Self {
            transaction: format!("A{}", due.seq),
            given: when(due.gift.at),
            amount: exact(due.gift.minor),
            election: due.election.clone(),
            by: when(due.by),
            is_open: now < due.by,
        }
    }
}

impl Shown {
    pub(super) fn new(report: &Report, preview: Preview, file: String, closed: Option<PeriodId>) -> Self {
        let Preview { totals, cover, findings, .. } = preview;
        let (more, is_stopped) = (findings.more, findings.stops);
        let all = findings.in_order();
        let hidden = u64::try_from(all.len().saturating_sub(FINDINGS_SHOWN)).unwrap_or(u64::MAX);
        let is_year = report.filer.form == Form::F3X;
        let day = |day: NaiveDate| day.format("%B %-d, %Y").to_string();
        Self {
            title: format!("{}, {} to {}", report.code, day(report.from), day(report.through)),
            figures: figures(report, &totals),
            lines: lines(&totals),
            notes: notes(report, &totals),
            cover: cover_lines(report.filer.form, &cover),
            to_date: if is_year { "Calendar year to date" } else { "Election cycle to date" },
            findings: all.into_iter().take(FINDINGS_SHOWN).map(FindingLine::new).collect(),
            findings_more: more.saturating_add(hidden),
            is_stopped,
            through: report.through,
            closed,
            file,
        }
    }
}

impl FindingLine {
    fn new(finding: Finding) -> Self {
        let weight = match finding.weight {
            Weight::Stops => "stops the file",
            Weight::Mend => "mend",
            Weight::Look => "look",
        };
        let Finding { transaction, who, what, todo, .. } = finding;
        Self { weight, who, transaction: transaction.unwrap_or_default(), what, todo }
    }
}

fn exact(minor: i64) -> String {
    Money::new(minor, Currency::USD).to_exact()
}

fn figures(report: &Report, totals: &Totals) -> Vec<(&'static str, String)> {
    let period = &totals.period;
    vec![
        ("Itemized", exact(period.itemized)),
        ("Unitemized", exact(period.unitemized)),
        ("Refunds", exact(period.refunds)),
        ("Fees", exact(period.fees)),
        ("Cash at close", exact(report.cash_minor.saturating_add(period.net()))),
    ]
}

fn lines(totals: &Totals) -> String {
    let Totals { receipt_lines, unitemized_receipts, refund_lines, memo_lines, .. } = totals;
    let number = |number: &u64| group_thousands(*number);
    let memos = match memo_lines {
        0 => String::new(),
        memos => format!(", {} of joint gifts that are in no sum", number(memos)),
    };
    format!(
        "Lines of gifts: {}{memos}; of refunds: {}. In the unitemized sum: {}.",
        number(receipt_lines),
        number(refund_lines),
        number(unitemized_receipts)
    )
}

fn notes(report: &Report, totals: &Totals) -> Vec<String> {
    let mut notes = vec![];
    let day = |day: NaiveDate| day.format("%B %-d, %Y").to_string();
    match report.mode {
        Mode::Live => {}
        Mode::Simulated | Mode::Test => notes.push(format!(
            "This is {} money: header and a text of the file say in capitals that it is not a report.",
            report.mode
        )),
    }
    if report.filer.payee.is_none() {
        notes.push(
            "Fees are left out, for nobody wrote whom they are paid to: enter them in the filing program.".into(),
        );
    }
    if report.cash_minor == 0 {
        notes.push(
            "Cash on hand as the period begins counts as $0.00: write what the report before closed with.".into(),
        );
    }
    if report.signed <= report.through {
        notes.push("The period is not over on the day of signing: gifts may still come.".into());
    }
    let general = report
        .filer
        .elections
        .iter()
        .find(|election| election.is_general() && (report.from..report.through).contains(&election.date));
    if let Some(general) = general.filter(|_| report.filer.form.is_candidates()) {
        notes.push(format!(
            "A cycle ends within this period, on {}: gifts after it are added up anew, and the post-election summary is the filing program’s.",
            day(general.date)
        ));
    }
    if totals.memo_lines > 0 {
        notes.push(
            "Enter the transfer from each joint committee in the filing program: its donors are here, as memos.".into(),
        );
    }
    notes
}

fn cover_lines(form: Form, cover: &[Amount]) -> Vec<CoverLine> {
    let table = match form {
        Form::F3 => Table::F3,
        Form::F3X => Table::F3X,
        Form::F3P => Table::F3P,
    };
    let mut lines: Vec<CoverLine> = vec![];
    for amount in cover.iter().filter(|amount| amount.minor != 0) {
        let shown = exact(amount.minor);
        let known = lines.iter().position(|line| line.line == amount.line).and_then(|at| lines.get_mut(at));
        match known {
            Some(line) if amount.is_to_date => line.to_date = shown,
            Some(line) => line.period = shown,
            None => {
                let what = table.spec(amount.field).map_or("", |spec| spec.description);
                let (period, to_date) = if amount.is_to_date { (String::new(), shown) } else { (shown, String::new()) };
                lines.push(CoverLine { line: amount.line, what, period, to_date });
            }
        }
    }
    lines
}
