//! Notices of gifts of $1,000 and more shortly before an election (Form 6, 11 CFR 104.5(f)).

use super::check::Checker;
use super::finding::Findings;
use super::lines::Party;
use super::record::{self, NoSuchField};
use super::write::{header, note, put};
use super::{Amends, Detail, mark};
use crate::domain::committee::filer::{Address, Candidate, Election, Filer, Named};
use crate::domain::ledger::Mode;
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use hardmoney::parser::tables::Table;

/// What is told of at once, in cents.
pub const LARGE_MINOR: i64 = 100_000;
/// Days before an election after which it is.
const DAYS_BEFORE: u64 = 20;
/// In how much time; and so long before the election it ends.
const HOURS: i64 = 48;

/// A gift that is large enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gift {
    /// Where its row stands in the ledger.
    pub place: u32,
    /// When it was given.
    pub at: DateTime<Utc>,
    /// The same where the rally is.
    pub local: NaiveDateTime,
    /// Cents.
    pub minor: i64,
}

/// The election before which a gift is told of, if it is: given after the twentieth day before it, and more than 48 hours
/// before the first minute of its day.
pub fn before_which<'a>(filer: &'a Filer, gift: &Gift) -> Option<&'a Election> {
    let is_within = |election: &&Election| {
        let begins = election.date.checked_sub_days(Days::new(DAYS_BEFORE));
        let minute = NaiveTime::from_hms_opt(0, 1, 0).unwrap_or_default();
        let ends = election.date.and_time(minute).checked_sub_signed(TimeDelta::hours(HOURS));
        begins.is_some_and(|begins| gift.local.date() > begins) && ends.is_some_and(|ends| gift.local < ends)
    };
    let is_told = filer.form.is_candidates() && gift.minor >= LARGE_MINOR;
    if is_told { filer.elections.iter().find(is_within) } else { None }
}

/// Until when a gift is told of.
pub fn due_by(gift: &Gift) -> DateTime<Utc> {
    gift.at.checked_add_signed(TimeDelta::hours(HOURS)).unwrap_or(gift.at)
}

/// A notice that somebody wants to file.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Who files.
    pub filer: Filer,
    /// The day on which it is signed.
    pub signed: NaiveDate,
    /// What it amends, and the day on which that was filed.
    pub amends: Option<(Amends, NaiveDate)>,
    /// What the money is worth.
    pub mode: Mode,
}

/// Writes a notice of these gifts, and checks it.
///
/// # Errors
/// A field that the format does not have.
pub fn write(notice: &Notice, gifts: &[(Gift, Detail)]) -> Result<(Vec<u8>, Findings), NoSuchField> {
    let Notice { filer, signed, amends, mode } = notice;
    let mark = mark(*mode);
    let form_type = if amends.is_some() { "F6A" } else { "F6N" };
    let mut out = header(amends.map(|(amends, _)| (amends.filing, amends.number)), mark.as_deref())?;
    let Filer { id, name, address, treasurer, candidate, .. } = filer;
    let Address { street, street_2, city, state, zip } = address;
    let mut cells: Vec<(&'static str, String)> = vec![
        ("form_type", form_type.into()),
        ("filer_committee_id_number", id.clone()),
        ("original_amendment_date", amends.map(|(_, filed)| record::day(filed)).unwrap_or_default()),
        ("committee_name", name.clone()),
        ("street_1", street.clone()),
        ("street_2", street_2.clone()),
        ("city", city.clone()),
        ("state", state.clone()),
        ("zip_code", zip.clone()),
        ("signer_last_name", treasurer.last.clone()),
        ("signer_first_name", treasurer.first.clone()),
        ("date_signed", record::day(*signed)),
    ];
    if let Some(Candidate { id, name: Named { first, last }, office, state, district }) = candidate {
        cells.extend([
            ("candidate_id_number", id.clone()),
            ("candidate_last_name", last.clone()),
            ("candidate_first_name", first.clone()),
            ("candidate_office", office.code().into()),
            ("candidate_state", state.clone()),
            ("candidate_district", district.clone()),
        ]);
    }
    put(&mut out, Table::F6, &cells)?;
    let mut findings = Findings::default();
    for (gift, detail) in gifts {
        line(&mut out, filer, gift, detail, &mut findings)?;
    }
    if let Some(mark) = mark {
        out.extend(note(filer, form_type, &mark)?);
    }
    let mut checker = Checker::new();
    checker.read(&out);
    findings.extend(checker.finish());
    Ok((out, findings))
}

fn line(
    out: &mut Vec<u8>,
    filer: &Filer,
    gift: &Gift,
    detail: &Detail,
    findings: &mut Findings,
) -> Result<(), NoSuchField> {
    let id = format!("A{}", detail.seq);
    let Party { last, first, street: [street, street_2], city, state, zip, employer, occupation } =
        Party::of(detail, &id, findings);
    let cells = [
        ("form_type", "F65".to_owned()),
        ("filer_committee_id_number", filer.id.clone()),
        ("transaction_id", id),
        ("entity_type", "IND".to_owned()),
        ("contributor_last_name", last),
        ("contributor_first_name", first),
        ("contributor_street_1", street),
        ("contributor_street_2", street_2),
        ("contributor_city", city),
        ("contributor_state", state),
        ("contributor_zip_code", zip),
        ("contribution_date", record::day(gift.local.date())),
        ("contribution_amount", record::amount(gift.minor)),
        ("contributor_employer", employer),
        ("contributor_occupation", occupation),
    ];
    put(out, Table::F65, &cells)
}

#[cfg(test)]
mod tests;
