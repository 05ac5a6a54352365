//! Closed periods: what some days came to as of an event, which stays what it was whatever comes later.
//!
//! A period is closed in one of two ways: with a report to the FEC, or by itself, as a month for the books. It is not opened
//! again. What comes later is seen against it; a report that was filed is amended, by closing the same days once more as of a
//! later event, and whatever was not filed can be withdrawn.

mod event;

use super::State;
use super::id::{CommitteeId, PeriodId};
use super::privacy::{self, REASON_CHARS_MAX};
use chrono::serde::ts_microseconds;
use chrono::{DateTime, NaiveDate, Utc};
pub use event::{Amends, Closed, Column, Event, Filed, Report, Sums, Withdrawn};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Closings of one installation: a report and a month's books a month of each of twenty committees, for four years.
pub const PERIODS_MAX: usize = 2_000;
/// The largest number of the FEC's: they have seven digits, and room to grow.
pub const FILING_MAX: u64 = 9_999_999_999;

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Close a period.
    Close(Box<Close>),
    /// Its report was filed.
    MarkFiled {
        /// What is said of it.
        filed: Filed,
        /// Today, where the committee is.
        today: NaiveDate,
    },
    /// It was closed by mistake.
    Withdraw(Withdrawn),
}

/// A period that somebody closes.
#[derive(Clone, Debug)]
pub struct Close {
    /// What is to be recorded; its number is given here.
    pub closed: Closed,
    /// Today, where the committee is.
    pub today: NaiveDate,
    /// Whether they know that the period is not over.
    pub is_early: bool,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("there is no such period")]
    Unknown,
    #[error("there is no such committee")]
    UnknownCommittee,
    #[error("the last day comes before the first")]
    Days,
    #[error(
        "the period is not over: it ends on {through}. Wait until then, or say that you close it early; what still comes is an \
         amendment's"
    )]
    NotOver { through: NaiveDate },
    #[error(
        "these days overlap with period {period}, {from} to {through}, which is closed: choose others, or withdraw that one"
    )]
    Overlaps { period: PeriodId, from: NaiveDate, through: NaiveDate },
    #[error(
        "a note or a reason is one line of at most {REASON_CHARS_MAX} characters without an e-mail address: it stays in the log for good"
    )]
    Words,
    #[error("no more than {PERIODS_MAX} periods can be closed")]
    TooMany,
    #[error("a report to the FEC is of one committee")]
    NoCommittee,
    #[error("period {0} was closed without a report to the FEC: there is nothing to file or to amend")]
    NoReport(PeriodId),
    #[error("period {0} was withdrawn")]
    WasWithdrawn(PeriodId),
    #[error("period {0} was not filed yet: mark it as filed first, or withdraw it and close it anew")]
    NotFiled(PeriodId),
    #[error("the report of period {0} was filed: it can't be withdrawn any more, only amended")]
    WasFiled(PeriodId),
    #[error("an amendment is of the same committee, days and report as period {0}, and has its number with the FEC")]
    OtherReport(PeriodId),
    #[error("the next amendment of period {0} is another: look at it again")]
    OtherNumber(PeriodId),
    #[error("period {0} has an amendment, which names this number: withdraw that first")]
    Amended(PeriodId),
    #[error("write the FEC's number of the filing, like FEC-1234567")]
    Filing,
    #[error("FEC-{filing} is the number of period {period} already")]
    FilingTaken { filing: u64, period: PeriodId },
    #[error("that day is still to come: write the day on which the FEC took the report")]
    FiledAhead,
}

/// A period that was closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Period {
    /// What it came to.
    #[serde(with = "super::as_json")]
    pub closed: Closed,
    /// When it was closed.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
    /// As what its report was filed, and when that was told.
    pub filed: Option<(Filed, DateTime<Utc>)>,
    /// That it does not count, and since when.
    pub withdrawn: Option<(Withdrawn, DateTime<Utc>)>,
}

impl Period {
    /// What its report amends.
    pub fn amends(&self) -> Option<Amends> {
        self.closed.report.as_ref().and_then(|report| report.amends)
    }
}

/// Every period that was closed, in the order of their numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Periods(Vec<Period>);

impl Periods {
    /// The period with this number.
    pub fn get(&self, id: PeriodId) -> Option<&Period> {
        self.0.get(index(id)?)
    }

    /// All of them, those that were withdrawn too.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (PeriodId, &Period)> {
        self.0.iter().map(|period| (period.closed.period, period))
    }

    /// Those that count.
    pub fn live(&self) -> impl DoubleEndedIterator<Item = (PeriodId, &Period)> {
        self.iter().filter(|(_, period)| period.withdrawn.is_none())
    }

    /// The first report of a period's days: itself, where it amends none.
    pub fn first_of(&self, id: PeriodId) -> PeriodId {
        self.get(id).and_then(Period::amends).map_or(id, |amends| amends.period)
    }

    /// The amendments of a first report that count, the first first.
    pub fn amendments(&self, first: PeriodId) -> impl DoubleEndedIterator<Item = (PeriodId, &Period)> {
        self.live().filter(move |(_, period)| period.amends().is_some_and(|amends| amends.period == first))
    }

    /// What stands now of a first report's days: its last amendment, or itself.
    pub fn last_of(&self, first: PeriodId) -> PeriodId {
        self.amendments(first).next_back().map_or(first, |(id, _)| id)
    }

    /// Whether it has a report that counts and was not filed yet.
    pub fn is_to_file(&self, id: PeriodId) -> bool {
        let is_open = |period: &Period| period.withdrawn.is_none() && period.filed.is_none();
        self.get(id).is_some_and(|period| is_open(period) && period.closed.report.is_some())
    }

    /// Whether its report was filed and stands: no amendment takes its place.
    pub fn is_filed_last(&self, id: PeriodId) -> bool {
        let is_filed = |period: &Period| period.withdrawn.is_none() && period.filed.is_some();
        self.get(id).is_some_and(is_filed) && self.last_of(self.first_of(id)) == id
    }

    fn next(&self) -> PeriodId {
        PeriodId(u32::try_from(self.0.len()).unwrap_or(u32::MAX).saturating_add(1))
    }

    fn get_mut(&mut self, id: PeriodId) -> Option<&mut Period> {
        self.0.get_mut(index(id)?)
    }
}

fn index(id: PeriodId) -> Option<usize> {
    usize::try_from(id.0.checked_sub(1)?).ok()
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let events = match command {
        Command::Close(close) => vec![decide_close(state, *close)?],
        Command::MarkFiled { filed, today } => decide_filed(&state.periods, filed, today)?,
        Command::Withdraw(withdrawn) => decide_withdrawal(&state.periods, withdrawn)?,
    };
    Ok(events.into_iter().map(super::Event::Period).collect())
}

fn decide_close(state: &State, close: Close) -> Result<Event, Refusal> {
    let Close { closed, today, is_early } = close;
    let known = |committee: CommitteeId| state.committees.get(committee).is_some();
    if !closed.committee.is_none_or(known) {
        return Err(Refusal::UnknownCommittee);
    }
    if closed.report.is_some() && closed.committee.is_none() {
        return Err(Refusal::NoCommittee);
    }
    if closed.through < closed.from {
        return Err(Refusal::Days);
    }
    if closed.through >= today && !is_early {
        return Err(Refusal::NotOver { through: closed.through });
    }
    if !closed.note.is_empty() {
        privacy::check_reason(&closed.note).map_err(|_| Refusal::Words)?;
    }
    let periods = &state.periods;
    if periods.0.len() >= PERIODS_MAX {
        return Err(Refusal::TooMany);
    }
    match closed.report.as_ref().and_then(|report| report.amends) {
        Some(amends) => check_amendment(periods, &closed, amends)?,
        None => check_room(periods, &closed)?,
    }
    Ok(Event::Closed(Box::new(Closed { period: periods.next(), ..closed })))
}

/// That no period of the same kind has some of these days: a report is held against the reports of its committee, anything else
/// against what else was closed of the same accounts. So a quarter's report and its three months stand beside each other.
fn check_room(periods: &Periods, closed: &Closed) -> Result<(), Refusal> {
    let is_same = |other: &Closed| {
        other.report.is_some() == closed.report.is_some()
            && (other.committee == closed.committee || other.committee.is_none() || closed.committee.is_none())
    };
    let overlaps = |(_, other): &(PeriodId, &Period)| {
        is_same(&other.closed) && other.closed.from <= closed.through && closed.from <= other.closed.through
    };
    match periods.live().find(overlaps) {
        Some((period, other)) => {
            Err(Refusal::Overlaps { period, from: other.closed.from, through: other.closed.through })
        }
        None => Ok(()),
    }
}

fn check_amendment(periods: &Periods, closed: &Closed, amends: Amends) -> Result<(), Refusal> {
    let (first, last) = (counts(periods, amends.period)?, periods.last_of(amends.period));
    let report = first.closed.report.as_ref().ok_or(Refusal::NoReport(amends.period))?;
    let of = |closed: &Closed| (closed.committee, closed.from, closed.through);
    let is_same = of(&first.closed) == of(closed)
        && report.amends.is_none()
        && closed.report.as_ref().is_some_and(|other| other.code == report.code);
    let filed = first.filed.as_ref().ok_or(Refusal::NotFiled(amends.period))?;
    if !is_same || filed.0.filing != amends.filing {
        return Err(Refusal::OtherReport(amends.period));
    }
    if periods.get(last).is_none_or(|last| last.filed.is_none()) {
        return Err(Refusal::NotFiled(last));
    }
    let number = periods.amendments(amends.period).count().saturating_add(1);
    if usize::from(amends.number) != number {
        return Err(Refusal::OtherNumber(amends.period));
    }
    Ok(())
}

fn decide_filed(periods: &Periods, filed: Filed, today: NaiveDate) -> Result<Vec<Event>, Refusal> {
    let period = counts(periods, filed.period)?;
    if period.closed.report.is_none() {
        return Err(Refusal::NoReport(filed.period));
    }
    if !(1..=FILING_MAX).contains(&filed.filing) {
        return Err(Refusal::Filing);
    }
    if filed.on > today {
        return Err(Refusal::FiledAhead);
    }
    let has_it = |(id, other): &(PeriodId, &Period)| {
        *id != filed.period && other.filed.as_ref().is_some_and(|(known, _)| known.filing == filed.filing)
    };
    if let Some((period, _)) = periods.live().find(has_it) {
        return Err(Refusal::FilingTaken { filing: filed.filing, period });
    }
    match &period.filed {
        Some((known, _)) if (known.filing, known.on) == (filed.filing, filed.on) => Ok(vec![]),
        // A number that was mistyped is written again, unless another report names it.
        Some(_) if periods.amendments(filed.period).next().is_some() => Err(Refusal::Amended(filed.period)),
        Some(_) | None => Ok(vec![Event::Filed(filed)]),
    }
}

fn decide_withdrawal(periods: &Periods, withdrawn: Withdrawn) -> Result<Vec<Event>, Refusal> {
    let period = periods.get(withdrawn.period).ok_or(Refusal::Unknown)?;
    if period.withdrawn.is_some() {
        return Ok(vec![]);
    }
    if period.filed.is_some() {
        return Err(Refusal::WasFiled(withdrawn.period));
    }
    privacy::check_reason(&withdrawn.reason).map_err(|_| Refusal::Words)?;
    Ok(vec![Event::Withdrawn(withdrawn)])
}

fn counts(periods: &Periods, id: PeriodId) -> Result<&Period, Refusal> {
    let period = periods.get(id).ok_or(Refusal::Unknown)?;
    if period.withdrawn.is_some() { Err(Refusal::WasWithdrawn(id)) } else { Ok(period) }
}

pub(super) fn evolve(state: &mut State, event: &Event, at: DateTime<Utc>) {
    let periods = &mut state.periods;
    match event {
        Event::Closed(closed) => {
            periods.0.push(Period { closed: (**closed).clone(), at, filed: None, withdrawn: None });
        }
        Event::Filed(filed) => {
            if let Some(period) = periods.get_mut(filed.period) {
                period.filed = Some((filed.clone(), at));
            }
        }
        Event::Withdrawn(withdrawn) => {
            if let Some(period) = periods.get_mut(withdrawn.period) {
                period.withdrawn = Some((withdrawn.clone(), at));
            }
        }
    }
}

#[cfg(test)]
mod tests;
