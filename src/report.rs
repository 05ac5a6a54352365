//! What finance takes home: which part of the ledger, opened, in which format; as a stream, for the page, the API and the
//! shell alike. That somebody takes it is an event before the first byte leaves.

pub mod accesses;
pub mod as_of;
pub mod chosen;
pub mod closing;
pub mod contacts;
pub mod desk;
mod donations;
mod events;
pub mod excess;
pub mod filing;
pub mod looked;
pub mod missing;
pub mod names;
mod opened;
pub mod page;
mod payouts;
mod people;
mod profiles;
pub mod selection;
pub mod who;

use crate::engine::Engine;
use crate::export::actblue::Report;
use crate::export::row::Made;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use desk::Out;
use filing::{Filing, What};
use selection::Selection;
use std::fmt;
use std::str::FromStr;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Characters of a part of a file's name.
const NAME_CHARS_MAX: usize = 60;

/// A format of export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One row a donation and a movement of its money, for people.
    Csv,
    /// The same as a workbook.
    Xlsx,
    /// What campaign databases import.
    ActblueCsv,
    /// Events as the log holds them.
    Jsonl,
    /// What is in each transfer to the bank.
    Payouts,
    /// A periodic report to the FEC.
    Fec,
    /// A notice to the FEC of large gifts before an election.
    FecNotice,
    /// Who was in the room, and when.
    Attendance,
    /// Who agreed to be written to.
    Contacts,
    /// Who looked at people's data or took it.
    Access,
}

impl Format {
    /// Every format, in the order in which they are offered.
    pub const ALL: [Self; 10] = [
        Self::Csv,
        Self::Xlsx,
        Self::Fec,
        Self::FecNotice,
        Self::ActblueCsv,
        Self::Payouts,
        Self::Attendance,
        Self::Contacts,
        Self::Access,
        Self::Jsonl,
    ];

    /// Its name on the command line and in addresses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::ActblueCsv => "actblue-csv",
            Self::Jsonl => "jsonl",
            Self::Payouts => "payouts",
            Self::Fec => "fec",
            Self::FecNotice => "fec-notice",
            Self::Attendance => "attendance",
            Self::Contacts => "contacts",
            Self::Access => "access",
        }
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "Donations, CSV",
            Self::Xlsx => "Donations, Excel",
            Self::ActblueCsv => "Contributions for a campaign database",
            Self::Jsonl => "Events, JSON lines",
            Self::Payouts => "Payouts to the bank, CSV",
            Self::Fec => "Report to the FEC",
            Self::FecNotice => "48-hour notice to the FEC",
            Self::Attendance => "Attendee report, CSV",
            Self::Contacts => "Contacts who agreed, CSV",
            Self::Access => "Who looked at personal data, CSV",
        }
    }

    /// What it is, in a line.
    pub fn about(self) -> &'static str {
        match self {
            Self::Csv => "One row a donation; refunds, disputes and returned debits as rows of their own",
            Self::Xlsx => "The same rows as a workbook, money and dates typed",
            Self::ActblueCsv => "The 101 columns that campaign databases import: paid, refunded or recurring",
            Self::Jsonl => "Every event as the log holds it, personal data sealed: for auditors and programs",
            Self::Payouts => "Each bank transfer with the donations, fees, refunds and disputes in it, to the cent",
            Self::Fec => "Form F3, F3X or F3P in format 8.5: cover, itemized gifts, refunds and fees",
            Self::FecNotice => "Form F6 in format 8.5: gifts of $1,000 and more shortly before an election",
            Self::Attendance => {
                "One row a stay in the room, with join and leave times, of the rallies on these days; as it is now"
            }
            Self::Contacts => "Who agreed to be e-mailed, with when and to which words; as it is now",
            Self::Access => "Each time somebody saw people’s data or took a file of it: who, when, which part, why",
        }
    }

    /// The file's name without the part of the ledger, and its ending.
    fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::Csv => ("donations", "csv"),
            Self::Xlsx => ("donations", "xlsx"),
            Self::ActblueCsv => ("contributions", "csv"),
            Self::Jsonl => ("events", "jsonl"),
            Self::Payouts => ("payouts", "csv"),
            Self::Fec => ("report", "fec"),
            Self::FecNotice => ("notice", "fec"),
            Self::Attendance => ("attendance", "csv"),
            Self::Contacts => ("contacts", "csv"),
            Self::Access => ("access", "csv"),
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv | Self::ActblueCsv | Self::Payouts | Self::Attendance | Self::Contacts | Self::Access => {
                "text/csv; charset=utf-8"
            }
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Jsonl => "application/jsonl",
            Self::Fec | Self::FecNotice => "text/plain; charset=us-ascii",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|format| format.word() == text);
        let all = Self::ALL.map(Self::word).join(", ");
        found.ok_or_else(|| format!("there is no such format: choose one of {all}"))
    }
}

/// A file that somebody asks for.
#[derive(Clone, Debug)]
pub struct Order {
    /// By which whoever asks finds out how far it is.
    pub id: Uuid,
    /// In which format.
    pub format: Format,
    /// Of which part of the ledger.
    pub selection: Selection,
    /// Who asks, as the log names them: `staff:ID`, `shell:USER`.
    pub who: String,
    /// The same for people.
    pub name: String,
    /// What for; empty where they do not say.
    pub reason: String,
    /// Which contributions, in the format of campaign databases.
    pub report: Report,
    /// Which of the FEC's files, in its format.
    pub filing: Option<Filing>,
}

/// The parts of a file, in order; an error breaks it off.
pub type Parts = mpsc::Receiver<std::io::Result<Bytes>>;

impl Order {
    /// The name to save it under, where it is taken at an instant. The FEC's files have the names that filing programs know;
    /// others say of which part they are, when they were taken and by whom.
    pub fn file_name(&self, at: DateTime<Utc>) -> String {
        match self.filing.as_ref().map(|filing| &filing.what) {
            Some(What::Report(report)) => {
                let form = report.filer.form.code();
                return format!("{}-{form}-{}-{}.fec", report.filer.id, report.code, report.through);
            }
            Some(What::Notice(notice, _, through)) => return format!("{}-F6-{through}.fec", notice.filer.id),
            None => {}
        }
        let (name, ending) = self.format.file();
        let name =
            if self.format == Format::ActblueCsv { format!("{name}-{}", self.report.word()) } else { name.into() };
        let of = self.selection.rally.as_deref().unwrap_or("all");
        let safe = |text: &str| -> String {
            let dashed = text.chars().map(|c| if c == ' ' { '-' } else { c });
            dashed.filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(NAME_CHARS_MAX).collect()
        };
        let as_of = self.selection.as_of.map(|as_of| format!("-event-{}", as_of.seq)).unwrap_or_default();
        format!("{name}-{}{as_of}-{}-{}.{ending}", safe(of), at.format("%Y%m%d"), safe(&self.name))
    }

    /// Which part of the ledger it is, or which report, as the log keeps it of whoever takes it.
    fn told(&self) -> String {
        match &self.filing {
            Some(filing) => filing.told(self.selection.as_of),
            None => self.selection.told(),
        }
    }

    fn make(&self, engine: &Engine, out: &Out) -> std::io::Result<()> {
        match self.format {
            Format::Csv => donations::csv(engine, self, out),
            Format::Xlsx => donations::xlsx(engine, self, out),
            Format::ActblueCsv => donations::actblue(engine, self, self.report, out),
            Format::Jsonl => events::jsonl(engine, self, out),
            Format::Payouts => payouts::csv(engine, self, out),
            Format::Fec | Format::FecNotice => filing::fec(engine, self, out),
            Format::Attendance => people::attendees(engine, self, out),
            Format::Contacts => people::contacts(engine, self, out),
            Format::Access => accesses::csv(engine, self, out),
        }
    }

    /// What the file says of itself.
    fn made(&self, engine: &Engine, seq: u64) -> std::io::Result<Made> {
        let at = engine.clock().now();
        Ok(Made {
            seq,
            as_of: self.selection.as_of.map_or(at, |as_of| as_of.at),
            mode: engine.world().state.mode,
            head: engine.head_at(seq).map_err(std::io::Error::other)?.to_string(),
            at,
            by: self.name.clone(),
            reason: self.reason.clone(),
        })
    }
}
