//! Closed periods: what is to be recorded of one, its report as it was, and what has come since.

mod ordered;
mod since;

use super::filing::{self, Fault, Filing, Preview, What};
use crate::domain::donation::Donation;
use crate::domain::id::{CommitteeId, PeriodId};
use crate::domain::ledger::Mode;
use crate::domain::money::Currency;
use crate::domain::period::{self, Closed, Column, Period, Sums};
use crate::engine::{self, Engine};
use crate::export::fec::cover::{self, Totals};
use crate::export::fec::{Amends, Report};
use crate::projections::Projections;
use crate::projections::ledger::{Kind, Row};
use chrono::NaiveDate;
pub use since::{CHANGES_MAX, Change, Changes, What as Changed, since};
use std::collections::BTreeMap;
use thiserror::Error;

/// Whose days are closed, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// In whose account; `None` for all of them.
    pub committee: Option<CommitteeId>,
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub through: NaiveDate,
    /// Whether receipts count by the day on which their donors gave them, as reports to the FEC have it.
    pub is_by_gift: bool,
}

/// Why a period's report can't be taken as it was closed.
#[derive(Debug, Error)]
pub enum Unlike {
    /// The log, or the report.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Made again, it comes out otherwise.
    #[error(
        "made again, the file is not the one that period {0} was closed with: since then a donor in it was erased, a committee \
         got another name, or this program a newer version"
    )]
    Otherwise(PeriodId),
}

impl Days {
    /// Those of a period.
    pub fn of(closed: &Closed) -> Self {
        let Closed { committee, from, through, report, .. } = closed;
        Self { committee: *committee, from: *from, through: *through, is_by_gift: report.is_some() }
    }

    /// Whether money that moved in an account of theirs on one of them is in a row.
    pub fn have(&self, world: &Projections, row: &Row) -> bool {
        self.committee.is_none_or(|committee| committee == row.committee) && self.have_day(world, row)
    }

    /// The same, or a part of it that is the committee's own while it lies in a joint one's account.
    fn have_part(&self, world: &Projections, row: &Row) -> bool {
        let is_part = || self.is_by_gift && row.parts.iter().any(|part| Some(part.committee) == self.committee);
        (self.committee.is_none_or(|committee| committee == row.committee) || is_part()) && self.have_day(world, row)
    }

    fn have_day(&self, world: &Projections, row: &Row) -> bool {
        (self.from..=self.through).contains(&self.day(world, row))
    }

    fn day(&self, world: &Projections, row: &Row) -> NaiveDate {
        let gift = (self.is_by_gift && row.kind == Kind::Donation).then(|| world.state.donations.get(row.donation));
        gift.flatten().map_or(row.day, |gift: &Donation| gift.day)
    }

    /// What they come to as of an event, by currency.
    pub fn sums(&self, world: &Projections, seq: u64) -> Vec<Sums> {
        let sums = world.ledger.sums_by(seq, |row| self.have(world, row), |_| ());
        let by_currency: BTreeMap<Currency, Sums> = sums
            .into_iter()
            .map(|(((), currency), sums)| {
                let of = Sums {
                    currency,
                    donations: sums.donations,
                    gross_minor: sums.gross_minor,
                    refunds_minor: sums.refunded_minor,
                    disputes_minor: sums.disputed_minor.saturating_add(sums.returned_minor),
                    fees_minor: sums.fee_minor,
                    fees_unknown: sums.fees_unknown,
                };
                (currency, of)
            })
            .collect();
        by_currency.into_values().collect()
    }
}

/// What is to be recorded of days that are closed as of an event.
///
/// # Errors
/// The log is damaged there.
pub fn closing(engine: &Engine, days: Days, seq: u64, who: String, note: String) -> Result<Closed, engine::Fault> {
    let head = engine.head_at(seq)?.to_string();
    let sums = days.sums(&engine.world(), seq);
    let Days { committee, from, through, .. } = days;
    // The number is the decision's to give.
    Ok(Closed { period: PeriodId(0), committee, from, through, seq, head, sums, report: None, who, note })
}

/// The same of a report, as it was made as of that event; `amends` names the first one of its days.
pub fn reported(closed: Closed, report: &Report, preview: &Preview, amends: Option<PeriodId>) -> Closed {
    let amends = amends.zip(report.amends);
    let recorded = period::Report {
        code: report.code.clone(),
        filer: Box::new(report.filer.clone()),
        election: report.election.clone(),
        signed: report.signed,
        cash_minor: report.cash_minor,
        amends: amends.map(|(period, Amends { filing, number })| period::Amends { period, filing, number }),
        column_a: column(&preview.totals.period),
        column_b: column(&preview.totals.to_date),
        itemized: itemized(&preview.totals),
        file: preview.file.clone(),
    };
    Closed { report: Some(recorded), ..closed }
}

/// A cover's sums, as they are recorded.
pub fn column(sums: &cover::Sums) -> Column {
    let cover::Sums { itemized, unitemized, refunds, fees } = *sums;
    Column { itemized, unitemized, refunds, fees }
}

/// Lines of a report that name a donor.
pub fn itemized(totals: &Totals) -> u64 {
    totals.receipt_lines.saturating_add(totals.refund_lines).saturating_add(totals.memo_lines)
}

/// The report that a period was closed with; nothing where it was closed without one.
pub fn filing(closed: &Closed, mode: Option<Mode>) -> Option<Filing> {
    let (committee, known) = (closed.committee?, closed.report.as_ref()?);
    let amends = known.amends.map(|period::Amends { filing, number, .. }| Amends { filing, number });
    let report = Report {
        filer: (*known.filer).clone(),
        code: known.code.clone(),
        from: closed.from,
        through: closed.through,
        election: known.election.clone(),
        signed: known.signed,
        cash_minor: known.cash_minor,
        amends,
        mode: mode.unwrap_or(Mode::Simulated),
    };
    Some(Filing { committee, what: What::Report(Box::new(report)), closed: Some((closed.period, closed.seq)) })
}

/// The report that is asked for as its period was closed with it, where that was: the same committee, code, days and amendment.
pub fn closed_as(world: &Projections, committee: CommitteeId, asked: &Report) -> Option<Filing> {
    let numbers = |amends: &Amends| (amends.filing, amends.number);
    let is_it = |(_, period): &(PeriodId, &Period)| {
        let closed = &period.closed;
        let amends = period.amends().map(|amends| (amends.filing, amends.number));
        (closed.committee, closed.from, closed.through) == (Some(committee), asked.from, asked.through)
            && closed.report.as_ref().is_some_and(|report| report.code == asked.code)
            && amends == asked.amends.as_ref().map(numbers)
    };
    let (_, period) = world.state.periods.live().find(is_it)?;
    filing(&period.closed, world.state.mode)
}

/// Makes a period's report again, and sees that it is byte for byte what it was closed with.
///
/// # Errors
/// [`Unlike`].
pub fn check(engine: &Engine, filing: &Filing, closed: &Closed) -> Result<(), Unlike> {
    let What::Report(report) = &filing.what else { return Ok(()) };
    let again = filing::preview(engine, filing.committee, report, closed.seq)?;
    let is_same = closed.report.as_ref().is_some_and(|report| report.file == again.file);
    if is_same { Ok(()) } else { Err(Unlike::Otherwise(closed.period)) }
}
