//! The second pass: a report's records, in the order of the format.

use super::cover::{Amount, Totals, amounts};
use super::finding::Findings;
use super::history::{History, Item, Place};
use super::lines::Schedules;
use super::record::{self, NoSuchField, Record};
use super::{BATCH_LINES, Detail, Lines, Report, Stands, mark, period, text};
use crate::domain::committee::filer::{Candidate, Election, Filer, Form};
use crate::export::row::LARGE_LINES;
use chrono::{Datelike, NaiveDate};
use hardmoney::parser::FieldKind;
use hardmoney::parser::tables::Table;

/// Signs of the header's comment (format 8.5, record HDR).
const COMMENT_MAX: usize = 200;

/// What a report's lines are told of, each in one go over all of it.
const PARTS: [fn(&Item) -> bool; 3] =
    [|item| !item.is_joint && !item.is_refund(), |item| item.is_joint, |item| !item.is_joint && item.is_refund()];

/// Writes a report: the header, the cover, then its lines. Details are asked for by places, and are wanted in the same
/// order; bytes are handed over as they come to be.
///
/// # Errors
/// Those of `details` and `put`, and a field that the format does not have.
pub fn write<E: From<NoSuchField>>(
    report: &Report,
    totals: &Totals,
    history: &History,
    stands: &Stands,
    mut details: impl FnMut(&[Place]) -> Result<Vec<Detail>, E>,
    mut put: impl FnMut(Vec<u8>) -> Result<(), E>,
) -> Result<Findings, E> {
    let mut findings = Findings::default();
    let schedules = Schedules::new(&report.filer)?;
    let mut head =
        header(report.amends.map(|amends| (amends.filing, amends.number)), comment(report, totals, stands).as_deref())?;
    cover(&mut head, report, totals)?;
    put(head)?;
    for is_of_part in PARTS {
        let is_told = |(item, _): &(Item, i64)| item.is_itemized && item.day >= report.from && is_of_part(item);
        let mut told = with_sum(report, history).filter(is_told).peekable();
        while told.peek().is_some() {
            let batch: Vec<(Item, i64)> = told.by_ref().take(BATCH_LINES).collect();
            let places: Vec<Place> = batch.iter().map(|(item, _)| item.found()).collect();
            let mut lines = vec![];
            for ((item, sum), detail) in batch.iter().zip(details(&places)?) {
                schedules.item(&mut lines, item, &detail, &mut findings);
                if let Some(conduit) = report.filer.conduit.as_ref().filter(|_| item.is_gift()) {
                    schedules.conduit(&mut lines, conduit, item, &detail, *sum);
                }
            }
            put(lines)?;
        }
    }
    put(fees(report, &schedules, history))?;
    if let Some(mark) = mark(report.mode) {
        put(note(&report.filer, &form_type(report), &mark)?)?;
    }
    Ok(findings)
}

/// Every item of a report and before it, each with what all gifts came to with it since the year or cycle began.
fn with_sum<'a>(report: &'a Report, history: &'a History) -> impl Iterator<Item = (Item, i64)> + 'a {
    let (mut sum, mut began) = (0_i64, NaiveDate::MIN);
    history.items(&report.filer, report.through).map(move |item| {
        let begins = period::begins(&report.filer, item.day);
        if begins != began {
            (sum, began) = (0, begins);
        }
        if item.is_gift() {
            sum = sum.saturating_add(item.minor);
        }
        (item, sum)
    })
}

/// What the header says besides: that it is no report, and of a large one, as of which event of which log it was made. Who took
/// it is left out: what is filed is published, and the log knows.
fn comment(report: &Report, totals: &Totals, stands: &Stands) -> Option<String> {
    let lines = totals.receipt_lines.saturating_add(totals.refund_lines).saturating_add(totals.memo_lines);
    let is_large = usize::try_from(lines).unwrap_or(usize::MAX) >= LARGE_LINES;
    let as_of = is_large.then(|| format!("AS OF EVENT {}, LOG HEAD {}", stands.seq, stands.head));
    let words: Vec<String> = mark(report.mode).into_iter().chain(as_of).collect();
    (!words.is_empty()).then(|| text::fit(&words.join(" "), COMMENT_MAX))
}

/// The header: which format, by whom, and what is amended.
pub(super) fn header(amends: Option<(u64, u16)>, comment: Option<&str>) -> Result<Vec<u8>, NoSuchField> {
    let fields =
        ["record_type", "ef_type", "fec_version", "soft_name", "soft_ver", "report_id", "report_number", "comment"];
    let record = Record::new(Table::Hdr, &fields)?;
    let (id, number) = amends.map(|(filing, number)| (format!("FEC-{filing}"), number.to_string())).unwrap_or_default();
    let mut out = vec![];
    let version = env!("CARGO_PKG_VERSION");
    record.write(&mut out, &["HDR", "FEC", "8.5", "Groundswell", version, &id, &number, comment.unwrap_or_default()]);
    Ok(out)
}

/// `F3XN`, or `F3XA` of an amendment.
fn form_type(report: &Report) -> String {
    format!("{}{}", report.filer.form.code(), if report.amends.is_some() { 'A' } else { 'N' })
}

fn cover(out: &mut Vec<u8>, report: &Report, totals: &Totals) -> Result<(), NoSuchField> {
    let Filer { id, name, address, treasurer, .. } = &report.filer;
    let day = |day: Option<NaiveDate>| day.map(record::day).unwrap_or_default();
    let election = report.election.as_ref();
    let of_election = |of: fn(&Election) -> &String| election.map(of).cloned().unwrap_or_default();
    let mut cells: Vec<(&'static str, String)> = vec![
        ("form_type", form_type(report)),
        ("filer_committee_id_number", id.clone()),
        ("committee_name", name.clone()),
        ("street_1", address.street.clone()),
        ("street_2", address.street_2.clone()),
        ("city", address.city.clone()),
        ("state", address.state.clone()),
        ("zip_code", address.zip.clone()),
        ("report_code", report.code.clone()),
        ("election_code", of_election(|election| &election.code)),
        ("election_date", day(election.map(|election| election.date))),
        ("state_of_election", of_election(|election| &election.state)),
        ("coverage_from_date", day(Some(report.from))),
        ("coverage_through_date", day(Some(report.through))),
        ("treasurer_last_name", treasurer.last.clone()),
        ("treasurer_first_name", treasurer.first.clone()),
        ("date_signed", day(Some(report.signed))),
    ];
    match report.filer.form {
        Form::F3X => cells.push(("col_b_year", report.through.year().to_string())),
        Form::F3 => {
            let candidate = report.filer.candidate.as_ref();
            let of = |of: fn(&Candidate) -> &String| candidate.map(of).cloned().unwrap_or_default();
            cells.push(("election_state", of(|candidate| &candidate.state)));
            cells.push(("election_district", of(|candidate| &candidate.district)));
        }
        Form::F3P => {
            let next = report.election.as_ref().or_else(|| period::next_election(&report.filer, report.through));
            let is = |letter: char| next.is_some_and(|election| election.code.starts_with(letter));
            let ticked = |is: bool| if is { "X".to_owned() } else { String::new() };
            cells.push(("activity_primary", ticked(is('P'))));
            cells.push(("activity_general", ticked(is('G'))));
        }
    }
    cells.extend(amounts(report, totals).into_iter().map(|Amount { field, minor, .. }| (field, record::amount(minor))));
    put(out, Lines::of(report.filer.form).table, &cells)
}

/// A record of these cells, each fitted into what the format has for it.
pub(super) fn put(out: &mut Vec<u8>, table: Table, cells: &[(&'static str, String)]) -> Result<(), NoSuchField> {
    let fitted = |(field, value): &(&'static str, String)| {
        let most = table.spec(field).filter(|spec| spec.kind != FieldKind::Amount).and_then(|spec| spec.max_len);
        text::fit(value, most.map_or(usize::MAX, usize::from))
    };
    let fields: Vec<&'static str> = cells.iter().map(|(field, _)| *field).collect();
    let values: Vec<String> = cells.iter().map(fitted).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    Record::new(table, &fields)?.write(out, &values);
    Ok(())
}

/// A line a month of what the processor kept, dated the last day of it that the report is of.
fn fees(report: &Report, schedules: &Schedules<'_>, history: &History) -> Vec<u8> {
    let mut out = vec![];
    let Some(payee) = &report.filer.payee else { return out };
    let mut from = report.from;
    while from <= report.through {
        let end = period::month_end(from).min(report.through);
        let minor = history.fees(from, end);
        if minor != 0 {
            schedules.fees(&mut out, payee, end, minor);
        }
        let Some(next) = end.succ_opt() else { break };
        from = next;
    }
    out
}

/// Words about the whole file.
pub(super) fn note(filer: &Filer, form_type: &str, words: &str) -> Result<Vec<u8>, NoSuchField> {
    let mut out = vec![];
    let cells = [
        ("rec_type", "TEXT".to_owned()),
        ("filer_committee_id_number", filer.id.clone()),
        ("transaction_id", "T1".to_owned()),
        ("back_reference_sched_name", form_type.to_owned()),
        ("text", words.to_owned()),
    ];
    put(&mut out, Table::Text, &cells)?;
    Ok(out)
}
