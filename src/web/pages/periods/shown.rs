//! A closed period in words and figures.

use crate::domain::money::{Currency, Money};
use crate::domain::period::{Closed, Column, Period, Report, Sums};
use crate::export::fec::cover::Totals;
use crate::export::fec::period::CODES;
use crate::projections::Projections;
use crate::projections::ledger::Kind;
use crate::report::closing::{Change, Changed, column};
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use chrono_tz::Tz;

/// A figure as it was closed, and as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// What it is.
    pub what: String,
    /// As it was closed.
    pub then: String,
    /// As it is; empty where that is not asked.
    pub now: String,
    /// What came to it: `+$5.00`; empty where nothing did.
    pub difference: String,
}

/// Something that came later.
#[derive(Debug, Clone)]
pub struct ChangeLine {
    /// The day that it counts for.
    pub day: String,
    /// What it is.
    pub what: &'static str,
    /// How much.
    pub amount: String,
    /// The page of the donation.
    pub href: String,
    /// The event by which it came.
    pub seq: String,
}

/// `Q3, July 1 to September 30, 2026`.
pub(in crate::web::pages) fn period_in_words(closed: &Closed) -> String {
    let (from, through) = (closed.from, closed.through);
    let day = |day: NaiveDate, with_year: bool| day.format(if with_year { "%B %-d, %Y" } else { "%B %-d" }).to_string();
    let days = format!("{} to {}", day(from, from.year() != through.year()), day(through, true));
    closed.report.as_ref().map_or(days.clone(), |report| format!("{}, {days}", report.code))
}

/// What its code stands for.
pub(super) fn code_in_words(report: &Report) -> &'static str {
    CODES.iter().find(|(code, _)| *code == report.code).map_or("Report", |(_, words)| words)
}

/// In whose account.
pub(super) fn account(world: &Projections, closed: &Closed) -> String {
    closed.committee.map_or("All accounts".into(), |committee| world.state.committees.name(committee).to_owned())
}

/// Whether no amendment takes its place.
pub(super) fn is_last(world: &Projections, period: &Period) -> bool {
    let id = period.closed.period;
    let periods = &world.state.periods;
    periods.last_of(periods.first_of(id)) == id
}

/// How it stands, in a word or two.
pub(super) fn standing(world: &Projections, period: &Period) -> String {
    let amendment = period.amends().map(|amends| format!("amendment {}, ", amends.number)).unwrap_or_default();
    let stands = match (&period.withdrawn, &period.filed) {
        (Some(_), _) => "withdrawn".to_owned(),
        (None, Some((filed, _))) if is_last(world, period) => format!("filed as FEC-{}", filed.filing),
        (None, Some((filed, _))) => format!("filed as FEC-{}, amended", filed.filing),
        (None, None) if period.closed.report.is_some() => "to be filed".into(),
        (None, None) => "closed".into(),
    };
    amendment + &stands
}

/// `October 5, 2026`.
pub(super) fn day(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%B %-d, %Y").to_string()
}

pub(super) fn exact(minor: i64, currency: Currency) -> String {
    Money::new(minor, currency).to_exact()
}

/// Cents as a form takes them.
pub(super) fn exact_dollars(minor: i64) -> String {
    Money::new(minor, Currency::USD).to_decimal()
}

fn compared(what: String, then: i64, now: Option<i64>, currency: Currency) -> Compared {
    let moved = now.map_or(0, |now| now.saturating_sub(then));
    let sign = if moved > 0 { "+" } else { "" };
    Compared {
        what,
        then: exact(then, currency),
        now: now.map(|now| exact(now, currency)).unwrap_or_default(),
        difference: if moved == 0 { String::new() } else { format!("{sign}{}", exact(moved, currency)) },
    }
}

/// The ledger's sums as they were closed beside those of now, where they are asked for.
pub(super) fn sums(then: &[Sums], now: Option<&[Sums]>) -> Vec<Compared> {
    let mut currencies: Vec<Currency> = then.iter().chain(now.unwrap_or_default()).map(|sums| sums.currency).collect();
    currencies.sort_unstable();
    currencies.dedup();
    let of = |all: &[Sums], currency| {
        all.iter().find(|sums| sums.currency == currency).copied().unwrap_or(Sums::nothing(currency))
    };
    let lines = currencies.iter().flat_map(|currency| {
        let (then, now) = (of(then, *currency), now.map(|now| of(now, *currency)));
        let name = |what: &str| {
            if currencies.len() > 1 { format!("{what}, {}", currency.code()) } else { what.to_owned() }
        };
        let line = |what: &str, minor: fn(&Sums) -> i64| {
            compared(name(what), minor(&then), now.as_ref().map(minor), *currency)
        };
        [
            line("Gross", |sums| sums.gross_minor),
            line("Refunds", |sums| sums.refunds_minor),
            line("Disputes and returned debits", |sums| sums.disputes_minor),
            line("Fees", |sums| sums.fees_minor),
            line("Net", Sums::net_minor),
        ]
    });
    lines.collect()
}

/// A report's sums as they were closed beside those of now, where they are asked for.
pub(super) fn cover(report: &Report, now: Option<&Totals>) -> Vec<Compared> {
    let net = |column: &Column| {
        let receipts = column.itemized.saturating_add(column.unitemized);
        receipts.saturating_sub(column.refunds).saturating_sub(column.fees)
    };
    let now = now.map(|totals| (column(&totals.period), column(&totals.to_date)));
    let (a, b) = (now.map(|(a, _)| a), now.map(|(_, b)| b));
    let line = |what: &str, then: i64, now: Option<i64>| compared(what.into(), then, now, Currency::USD);
    let receipts = |column: &Column| column.itemized.saturating_add(column.unitemized);
    vec![
        line("Itemized", report.column_a.itemized, a.map(|a| a.itemized)),
        line("Unitemized", report.column_a.unitemized, a.map(|a| a.unitemized)),
        line("Refunds", report.column_a.refunds, a.map(|a| a.refunds)),
        line("Fees", report.column_a.fees, a.map(|a| a.fees)),
        line(
            "Cash at close",
            report.cash_minor.saturating_add(net(&report.column_a)),
            a.map(|a| report.cash_minor.saturating_add(net(&a))),
        ),
        line("Receipts to date", receipts(&report.column_b), b.map(|b| receipts(&b))),
        line("Refunds to date", report.column_b.refunds, b.map(|b| b.refunds)),
    ]
}

impl ChangeLine {
    pub(super) fn new(change: &Change) -> Self {
        Self {
            day: change.day.format("%b %-d, %Y").to_string(),
            what: what(change.what),
            amount: change.amount.map_or("–".into(), Money::to_exact),
            href: format!("/finance/donations/{}", change.donation),
            seq: crate::domain::money::group_thousands(change.seq),
        }
    }
}

fn what(what: Changed) -> &'static str {
    match what {
        Changed::Fee => "The fee became known",
        Changed::Answer => "The donor told employer or occupation",
        Changed::Redesignated => "A part was redesignated to another election",
        Changed::Reattributed => "A part was reattributed to another person",
        Changed::Undone => "A part that was moved was moved back",
        Changed::Moved(Kind::Donation) => "A gift came in",
        Changed::Moved(Kind::Refund) => "A refund",
        Changed::Moved(Kind::RefundReversed) => "A refund failed after all",
        Changed::Moved(Kind::Dispute) => "A dispute",
        Changed::Moved(Kind::DisputeReversed) => "A dispute’s money came back",
        Changed::Moved(Kind::Return) => "A debit was taken back",
        Changed::Part(Kind::Donation) => "Its part of a joint gift",
        Changed::Part(_) => "Its part of what became of a joint gift",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_compared_by_currency() {
        let of = |currency, gross_minor| Sums { gross_minor, ..Sums::nothing(currency) };
        let lines = sums(&[of(Currency::USD, 100)], Some(&[of(Currency::USD, 350), of(Currency::EUR, 7)]));
        let gross: Vec<_> = lines.iter().filter(|line| line.what.starts_with("Gross")).collect();
        assert_eq!(gross.len(), 2);
        let dollars = gross.iter().find(|line| line.what == "Gross, USD").unwrap();
        assert_eq!((&*dollars.then, &*dollars.now, &*dollars.difference), ("$1.00", "$3.50", "+$2.50"));
        let alone = sums(&[of(Currency::USD, 100)], None);
        assert_eq!((&*alone[0].what, &*alone[0].now, &*alone[0].difference), ("Gross", "", ""));
        let less = sums(&[of(Currency::USD, 100)], Some(&[]));
        assert_eq!(less[0].difference, "−$1.00");
    }
}
