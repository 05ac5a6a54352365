//! What is recorded of a closed period: enough to make its report again, and to see what changed since.

use crate::domain::committee::filer::{Election, Filer};
use crate::domain::id::{CommitteeId, PeriodId};
use crate::domain::money::Currency;
use chrono::{Datelike, Days, Months, NaiveDate};
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A period's figures stand as of an event.
    Closed(Box<Closed>),
    /// Its report was filed.
    Filed(Filed),
    /// It was closed by mistake.
    Withdrawn(Withdrawn),
}

/// What a committee's days came to, or those of all of them, as of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Closed {
    /// Its number: 1 for the first that was closed.
    pub period: PeriodId,
    /// In whose account; `None` for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committee: Option<CommitteeId>,
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub through: NaiveDate,
    /// The last event that counts.
    pub seq: u64,
    /// The log's head hash at that event, 64 hex digits.
    pub head: String,
    /// Sums by currency. Of a report, receipts are of the day on which their donors gave them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sums: Vec<Sums>,
    /// The report to the FEC that it was closed with, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// Who closed it: `staff:ID`.
    pub who: String,
    /// What they said of it; empty where they did not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl Closed {
    /// The last day on which its report is filed in time (11 CFR 104.5); none where it has none, or its code names no day.
    pub fn due(&self) -> Option<NaiveDate> {
        let report = self.report.as_ref()?;
        let election = report.election.as_ref().map(|election| election.date);
        let in_next_month = |day| self.through.with_day(1)?.checked_add_months(Months::new(1))?.with_day(day);
        match report.code.as_str() {
            "Q1" | "Q2" | "Q3" => in_next_month(15),
            "YE" | "MY" => in_next_month(31),
            code if code.starts_with('M') => in_next_month(20),
            code if code.starts_with("12") => election?.checked_sub_days(Days::new(12)),
            code if code.starts_with("30") => election?.checked_add_days(Days::new(30)),
            _ => None,
        }
    }
}

/// Sums in one currency, in its minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Which.
    pub currency: Currency,
    /// Settled payments.
    pub donations: u64,
    /// Received, before fees and refunds.
    pub gross_minor: i64,
    /// Given back, less what of that came back.
    pub refunds_minor: i64,
    /// What disputes hold or took, and debits that banks took back.
    pub disputes_minor: i64,
    /// The processor's fees, as far as they were known.
    pub fees_minor: i64,
    /// Settled payments whose fee was not known.
    #[serde(default, skip_serializing_if = "is_none")]
    pub fees_unknown: u64,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Sums {
    /// Nothing in a currency.
    pub fn nothing(currency: Currency) -> Self {
        let (donations, fees_unknown) = (0, 0);
        Self { currency, donations, gross_minor: 0, refunds_minor: 0, disputes_minor: 0, fees_minor: 0, fees_unknown }
    }

    /// Gross less refunds, disputes and the fees that are known.
    pub fn net_minor(&self) -> i64 {
        let gone = [self.refunds_minor, self.disputes_minor, self.fees_minor];
        gone.into_iter().fold(self.gross_minor, i64::saturating_sub)
    }
}

/// A report to the FEC: what its cover and its lines are made from besides the ledger, and what it came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Which: `Q3`.
    pub code: String,
    /// Who files, as it was then.
    pub filer: Box<Filer>,
    /// The election that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub election: Option<Election>,
    /// The day on which the treasurer signs.
    pub signed: NaiveDate,
    /// Cash on hand as the period begins, in cents.
    pub cash_minor: i64,
    /// What it amends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amends: Option<Amends>,
    /// The cover's column A: the period.
    pub column_a: Column,
    /// Column B: the calendar year or the election cycle until its last day.
    pub column_b: Column,
    /// Lines that name a donor.
    pub itemized: u64,
    /// BLAKE3 of the file's bytes, 64 hex digits.
    pub file: String,
}

/// Sums of a report's cover, in cents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Receipts whose donors are named.
    pub itemized: i64,
    /// All other receipts.
    pub unitemized: i64,
    /// Refunds.
    pub refunds: i64,
    /// Fees.
    pub fees: i64,
}

/// A report that another takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amends {
    /// The first report of the period.
    pub period: PeriodId,
    /// The FEC's number of that.
    pub filing: u64,
    /// Which amendment it is: 1 for the first.
    pub number: u16,
}

/// A period's report was filed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filed {
    /// Which.
    pub period: PeriodId,
    /// The FEC's number of it: the digits after `FEC-`.
    pub filing: u64,
    /// The day on which the FEC took it.
    pub on: NaiveDate,
    /// Who says so: `staff:ID`.
    pub who: String,
}

/// A period was closed by mistake, and is as if it never had been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// Which.
    pub period: PeriodId,
    /// Who says so: `staff:ID`.
    pub who: String,
    /// Why.
    pub reason: String,
}
