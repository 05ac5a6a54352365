//! The FEC's electronic filing, format 8.5: the periodic reports F3, F3X and F3P with Schedules A and B, and the notices of
//! large gifts before an election (F6).
//!
//! A file is made in two passes. The first ([`history`]) goes over the ledger's rows, which name nobody: which of them are one
//! person's, what each had given by when, and what that comes to on the [`cover`]. The second ([`write`]) writes cover and
//! lines in the order of their days; only for lines that name somebody is a contact asked for, some thousand at a time.
//! `hardmoney` has the layouts and the cover's formulas, and reads again what was written ([`check`]).

pub mod check;
pub mod cover;
pub mod finding;
pub mod history;
mod lines;
pub mod notice;
pub mod period;
mod record;
pub mod rows;
pub mod text;
mod write;

use crate::domain::committee::filer::{Election, Filer, Form};
use crate::domain::ledger::Mode;
use crate::domain::profile::Contact;
use chrono::NaiveDate;
use hardmoney::parser::tables::Table;
pub use record::NoSuchField;
pub use write::write;

/// The amendments that the format can number.
pub const AMENDMENT_MAX: u16 = 999;
/// Lines whose contacts are asked for at once: about a megabyte, and enough of them to be neighbours in the log.
pub const BATCH_LINES: usize = 1_000;

/// A report that somebody wants to file.
#[derive(Clone, Debug)]
pub struct Report {
    /// Who files.
    pub filer: Filer,
    /// Which report: one of [`period::CODES`].
    pub code: String,
    /// The first day that it is of.
    pub from: NaiveDate,
    /// The last day.
    pub through: NaiveDate,
    /// The election that it is about, if it is about one.
    pub election: Option<Election>,
    /// The day on which the treasurer signs.
    pub signed: NaiveDate,
    /// Cash on hand as the period begins, in cents.
    pub cash_minor: i64,
    /// What it amends.
    pub amends: Option<Amends>,
    /// What the money is worth.
    pub mode: Mode,
}

/// As of where in the log a report is.
#[derive(Clone, Debug)]
pub struct Stands {
    /// The last event that counts.
    pub seq: u64,
    /// The log's head hash there, 64 hex digits.
    pub head: String,
}

/// An earlier file that a new one takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amends {
    /// The FEC's number of the first: the digits after `FEC-`.
    pub filing: u64,
    /// Which amendment it is: 1 for the first.
    pub number: u16,
}

/// What a line says besides its sums.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The event of its row: the line's id.
    pub seq: u64,
    /// The event of the receipt that it is about.
    pub receipt_seq: u64,
    /// The day on which that was given.
    pub given: NaiveDate,
    /// The day by which its election is known: the same, but of a part that counts for another.
    pub counts_on: NaiveDate,
    /// How a part was moved, where one was.
    pub moved: Option<Moved>,
    /// Who gave; `None` where they were erased.
    pub contact: Option<Contact>,
    /// The joint committee, of a part of its gift.
    pub joint: Option<String>,
    /// Whether the donor was asked for what they left out of employer and occupation.
    pub was_asked: bool,
}

/// How a part of a gift was moved, as its memos say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// To another election, as the donor wrote.
    Redesignated,
    /// The same, presumed, with a notice to the donor.
    Presumed,
    /// To another person, as both wrote.
    Reattributed,
}

/// What the lines of a form are called: in the format, and on the cover.
struct Lines {
    table: Table,
    receipt: &'static str,
    joint: &'static str,
    refund: &'static str,
    fee: &'static str,
    itemized: &'static str,
    unitemized: &'static str,
    refunds: &'static str,
    fees: &'static str,
    cash: &'static str,
}

impl Lines {
    fn of(form: Form) -> Self {
        let (itemized, unitemized) = ("11(a)(i)", "11(a)(ii)");
        match form {
            Form::F3 => Self {
                table: Table::F3,
                receipt: "SA11AI",
                joint: "SA12",
                refund: "SB20A",
                fee: "SB17",
                itemized,
                unitemized,
                refunds: "20(a)",
                fees: "17",
                cash: "23",
            },
            Form::F3X => Self {
                table: Table::F3X,
                receipt: "SA11AI",
                joint: "SA12",
                refund: "SB28A",
                fee: "SB21B",
                itemized,
                unitemized,
                refunds: "28(a)",
                fees: "21(b)",
                cash: "6(b)",
            },
            Form::F3P => Self {
                table: Table::F3P,
                receipt: "SA17A",
                joint: "SA18",
                refund: "SB28A",
                fee: "SB23",
                itemized: "17(a)(i)",
                unitemized: "17(a)(ii)",
                refunds: "28(a)",
                fees: "23",
                cash: "6",
            },
        }
    }
}

/// What stands in a file of money that is not worth anything, where its readers can't miss it.
fn mark(mode: Mode) -> Option<String> {
    match mode {
        Mode::Live => None,
        Mode::Simulated | Mode::Test => Some(
            format!("{mode} MONEY: THIS IS NOT A REPORT. NOTHING IN IT WAS GIVEN OR PAID. DO NOT FILE IT.")
                .to_uppercase(),
        ),
    }
}

#[cfg(test)]
mod test_kit;
#[cfg(test)]
mod tests;
