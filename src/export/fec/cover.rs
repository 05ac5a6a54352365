//! The cover page: sums of the two columns, and every line that is a formula of others, by the table of rules that
//! `hardmoney` keeps (the FEC's own rule references).

use super::history::{History, Item, Turn};
use super::period;
use super::record;
use super::{Lines, Report};
use crate::domain::committee::filer::Form;
use hardmoney::parser::reconcile::{Column, LineRule, Source, rules_for};
use hardmoney::parser::tables::Table;

/// Formulas within formulas: the deepest are six.
const DEPTH_MAX: u8 = 20;

/// Sums of one column, in cents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Receipts whose donors are named, less what banks took back of them.
    pub itemized: i64,
    /// All other receipts, less the same.
    pub unitemized: i64,
    /// What we gave back; less what came here again, since it failed.
    pub refunds: i64,
    /// What the processor kept, where the filer says whom that is paid to.
    pub fees: i64,
}

impl Sums {
    fn add(&mut self, item: &Item) {
        let sum = match (item.is_refund(), item.is_itemized) {
            (true, _) => &mut self.refunds,
            (false, true) => &mut self.itemized,
            (false, false) => &mut self.unitemized,
        };
        let minor = if item.is_refund() { item.minor.saturating_neg() } else { item.minor };
        *sum = sum.saturating_add(minor);
    }

    /// What they change of the cash on hand.
    pub fn net(&self) -> i64 {
        let receipts = self.itemized.saturating_add(self.unitemized);
        receipts.saturating_sub(self.refunds).saturating_sub(self.fees)
    }
}

/// What a report comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Column A: the period.
    pub period: Sums,
    /// Column B: the calendar year or the election cycle until the period's last day.
    pub to_date: Sums,
    /// The same until the day before the period.
    pub before: Sums,
    /// Lines of Schedule A that count.
    pub receipt_lines: u64,
    /// Receipts in the unitemized sum.
    pub unitemized_receipts: u64,
    /// Lines of Schedule B for refunds.
    pub refund_lines: u64,
    /// Lines of joint gifts, and of what was moved to another election or person, which are in no sum.
    pub memo_lines: u64,
}

impl Totals {
    /// Adds up what a report tells of.
    pub fn of(report: &Report, history: &History) -> Self {
        let mut totals = Self::default();
        let begins = period::begins(&report.filer, report.from);
        for item in history.items(&report.filer, report.through).filter(|item| item.day >= begins) {
            let is_before = item.day < report.from;
            if item.is_joint || item.turn != Turn::Money {
                totals.memo_lines = totals.memo_lines.saturating_add(u64::from(!is_before && item.is_itemized));
                continue;
            }
            totals.to_date.add(&item);
            if is_before {
                totals.before.add(&item);
                continue;
            }
            totals.period.add(&item);
            let count = match (item.is_itemized, item.is_refund()) {
                (true, true) => &mut totals.refund_lines,
                (true, false) => &mut totals.receipt_lines,
                (false, _) => &mut totals.unitemized_receipts,
            };
            *count = count.saturating_add(u64::from(item.is_itemized || !item.is_refund()));
        }
        if report.filer.payee.is_some() {
            totals.period.fees = history.fees(report.from, report.through);
            totals.to_date.fees = history.fees(begins, report.through);
            totals.before.fees = report.from.pred_opt().map_or(0, |day| history.fees(begins, day));
        }
        totals
    }
}

/// A sum on the cover, as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    /// The FEC's label of the line: `11(a)(i)`.
    pub line: &'static str,
    /// Whether it is of the year or the cycle, and not of the period.
    pub is_to_date: bool,
    /// The field of the format.
    pub field: &'static str,
    /// Cents.
    pub minor: i64,
}

/// Every sum on a report's cover.
pub fn amounts(report: &Report, totals: &Totals) -> Vec<Amount> {
    let lines = Lines::of(report.filer.form);
    let rules = rules_for(lines.table).unwrap_or_default();
    let layout = lines.table.layout(record::VERSION);
    let known = |rule: &&LineRule| layout.is_some_and(|layout| layout.field(rule.field).is_some());
    let amount = |rule: &LineRule| Amount {
        line: rule.line,
        is_to_date: rule.column == Column::B,
        field: rule.field,
        minor: value(rules, rule, &|rule| input(report, totals, &lines, rule), DEPTH_MAX),
    };
    let mut amounts: Vec<Amount> = rules.iter().filter(known).map(amount).collect();
    if report.filer.form == Form::F3P {
        amounts.extend(presidential(totals));
    }
    amounts
}

/// The two lines of form 3P that its rules leave out: of contributions and operating expenditures to date, what is left of them.
fn presidential(totals: &Totals) -> [Amount; 2] {
    let Sums { itemized, unitemized, refunds, fees } = totals.to_date;
    let of = |line, field, minor| Amount { line, is_to_date: false, field, minor };
    let contributions = itemized.saturating_add(unitemized).saturating_sub(refunds);
    [of("14", "col_a_net_contributions", contributions), of("15", "col_a_net_operating_expenditures", fees)]
}

fn value(rules: &[LineRule], rule: &LineRule, input: &dyn Fn(&LineRule) -> i64, depth: u8) -> i64 {
    let (Source::Formula(terms), Some(depth)) = (rule.source, depth.checked_sub(1)) else { return input(rule) };
    let term = |line: &str| rules.iter().find(|other| other.column == rule.column && other.line == line);
    terms.iter().fold(0_i64, |sum, next| {
        let minor = term(next.line).map_or(0, |other| value(rules, other, input, depth));
        if next.negative { sum.saturating_sub(minor) } else { sum.saturating_add(minor) }
    })
}

/// A line that is no formula: one of our sums, or nothing.
fn input(report: &Report, totals: &Totals, lines: &Lines, rule: &LineRule) -> i64 {
    let sums = match rule.column {
        Column::A => &totals.period,
        Column::B => &totals.to_date,
    };
    match rule.line {
        line if line == lines.itemized => sums.itemized,
        line if line == lines.unitemized => sums.unitemized,
        line if line == lines.refunds => sums.refunds,
        line if line == lines.fees => sums.fees,
        line if line == lines.cash && rule.column == Column::A => report.cash_minor,
        // What there was on January 1 is what there is at the beginning of the period, less what moved between.
        "6(a)" if lines.table == Table::F3X => report.cash_minor.saturating_sub(totals.before.net()),
        _ => 0,
    }
}
