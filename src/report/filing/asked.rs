//! Which file somebody asks for, as they typed it.

use super::{Filing, What};
use crate::domain::committee::filer::{Election, Filer, Form};
use crate::domain::id::CommitteeId;
use crate::domain::ledger::Mode;
use crate::domain::money::{Currency, Money};
use crate::export::fec::notice::Notice;
use crate::export::fec::{AMENDMENT_MAX, Amends, Report, period};
use crate::projections::Projections;
use crate::report::closing;
use chrono::{Datelike, NaiveDate};

/// What is wrong with what was typed: the field's name, and a sentence.
pub type Wrong = (&'static str, String);

/// The committee that files and who does it for it, by the field `committee`; the first where none is named.
///
/// # Errors
/// Nobody wrote who files.
fn filer(committee: Option<CommitteeId>, world: &Projections) -> Result<(CommitteeId, Filer), Wrong> {
    let id = committee.unwrap_or(CommitteeId::FIRST);
    let known = world.state.committees.get(id).and_then(|committee| committee.filer.clone());
    let missing = || ("committee", "Write first who files with the FEC for this committee.".to_owned());
    known.map(|filer| (id, filer)).ok_or_else(missing)
}

/// Reads a report: the fields `code`, `from`, `to`, `election`, `signed`, `cash`, `amends`, `amendment` and `as_of`, of which `get`
/// gives each by name, empty where it is not there. The report that a period was closed with is that one, whatever else is said.
///
/// # Errors
/// What is wrong with them.
pub fn report(
    get: impl Fn(&str) -> String,
    committee: Option<CommitteeId>,
    world: &Projections,
    today: NaiveDate,
) -> Result<Filing, Vec<Wrong>> {
    let (committee, filer) = filer(committee, world).map_err(|wrong| vec![wrong])?;
    let mut wrong = vec![];
    let code = get("code").to_ascii_uppercase();
    if !period::CODES.iter().any(|(known, _)| *known == code) {
        wrong.push(("code", "Choose which report it is.".to_owned()));
    }
    let (from, through) = days(&get("from"), &get("to"), &code, &filer, today, &mut wrong);
    let election = election(&get("election"), &code, &filer, &mut wrong);
    let (signed, amends) = (signed(&get("signed"), today, &mut wrong), amends(&get, &mut wrong));
    let cash_minor = match get("cash").as_str() {
        "" => 0,
        typed => match Money::parse(typed, Currency::USD) {
            Ok(cash) => cash.minor,
            Err(error) => {
                wrong.push(("cash", format!("Cash on hand: {error}.")));
                0
            }
        },
    };
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mode = world.state.mode.unwrap_or(Mode::Simulated);
    let report = Report { filer, code, from, through, election, signed, cash_minor, amends, mode };
    // What was closed is asked for by its days; as of another event, by its number, it is another report.
    let closed = closing::closed_as(world, committee, &report);
    let is_asked = |filing: &Filing| get("as_of").is_empty() || get("as_of") == filing.seq(0).to_string();
    match closed.filter(is_asked) {
        Some(filing) => Ok(filing),
        None => Ok(Filing { committee, what: What::Report(Box::new(report)), closed: None }),
    }
}

/// Reads a notice: the fields `from`, `to`, `signed`, `amends`, `amendment` and `filed`, the day on which what it amends was.
///
/// # Errors
/// What is wrong with them.
pub fn notice(
    get: impl Fn(&str) -> String,
    committee: Option<CommitteeId>,
    world: &Projections,
    today: NaiveDate,
) -> Result<Filing, Vec<Wrong>> {
    let (committee, filer) = filer(committee, world).map_err(|wrong| vec![wrong])?;
    let mut wrong = vec![];
    if !filer.form.is_candidates() {
        wrong.push(("committee", "Notices of 48 hours are of candidates’ committees.".to_owned()));
    }
    let day = |name: &str| get(name).parse::<NaiveDate>().ok();
    let (from, through) = match (day("from"), day("to")) {
        (Some(from), Some(through)) if from <= through => (from, through),
        _ => {
            wrong.push(("from", "Write the first and the last day on which its gifts were given.".to_owned()));
            (today, today)
        }
    };
    let (signed, amends) = (signed(&get("signed"), today, &mut wrong), amends(&get, &mut wrong));
    let filed = day("filed");
    if amends.is_some() && filed.is_none() {
        wrong.push(("filed", "Write the day on which the notice that it amends was filed.".to_owned()));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mode = world.state.mode.unwrap_or(Mode::Simulated);
    let notice = Notice { filer, signed, amends: amends.zip(filed), mode };
    Ok(Filing { committee, what: What::Notice(Box::new(notice), from, through), closed: None })
}

fn days(
    from: &str,
    to: &str,
    code: &str,
    filer: &Filer,
    today: NaiveDate,
    wrong: &mut Vec<Wrong>,
) -> (NaiveDate, NaiveDate) {
    let usual = if from.is_empty() && to.is_empty() { period::usual(code, today) } else { None };
    let typed = from.parse::<NaiveDate>().ok().zip(to.parse::<NaiveDate>().ok());
    let Some((from, through)) = usual.or(typed) else {
        wrong.push(("from", "Write the first and the last day that the report is of.".to_owned()));
        return (today, today);
    };
    if through < from {
        wrong.push(("to", "The last day comes before the first.".to_owned()));
    }
    if filer.form == Form::F3X && from.year() != through.year() {
        wrong.push(("to", "A report on form F3X lies within one calendar year: make one for each.".to_owned()));
    }
    (from, through)
}

fn election(typed: &str, code: &str, filer: &Filer, wrong: &mut Vec<Wrong>) -> Option<Election> {
    let named = filer.elections.iter().find(|election| election.code == typed).cloned();
    if !period::is_of_election(code) {
        return None;
    }
    if named.is_none() {
        let what = "This report is about an election: choose it, and write it first on the page of who files.";
        wrong.push(("election", what.to_owned()));
    }
    named
}

fn signed(typed: &str, today: NaiveDate, wrong: &mut Vec<Wrong>) -> NaiveDate {
    if typed.is_empty() {
        return today;
    }
    typed.parse().unwrap_or_else(|_| {
        wrong.push(("signed", "Write the day on which the treasurer signs, or leave it empty for today.".to_owned()));
        today
    })
}

fn amends(get: &impl Fn(&str) -> String, wrong: &mut Vec<Wrong>) -> Option<Amends> {
    let (typed, number) = (get("amends"), get("amendment"));
    if typed.is_empty() {
        if !number.is_empty() && number != "0" {
            let what = "Write the FEC’s number of the report that this amends, or leave out which amendment it is.";
            wrong.push(("amends", what.to_owned()));
        }
        return None;
    }
    let digits = typed.to_ascii_uppercase();
    let filing = digits.strip_prefix("FEC-").unwrap_or(&digits).parse::<u64>().ok().filter(|filing| *filing > 0);
    let number = if number.is_empty() { Some(1) } else { number.parse::<u16>().ok() };
    let number = number.filter(|number| (1..=AMENDMENT_MAX).contains(number));
    if filing.is_none() {
        wrong.push(("amends", "Write the FEC’s number of the first report, like FEC-1234567.".to_owned()));
    }
    if number.is_none() {
        wrong.push(("amendment", "Write which amendment it is: 1 for the first.".to_owned()));
    }
    Some(Amends { filing: filing?, number: number? })
}
