//! The FEC's files: what somebody asks for, what it comes to and what is to be looked at, and the file.

use super::contacts::{self, Contacts};
use super::{Order, Out, send};
use crate::domain::committee::filer::{Election, Filer, Form};
use crate::domain::id::CommitteeId;
use crate::domain::ledger::Mode;
use crate::domain::money::{Currency, Money};
use crate::engine::Engine;
use crate::export::fec::check::Checker;
use crate::export::fec::cover::{Amount, Totals, amounts};
use crate::export::fec::finding::Findings;
use crate::export::fec::history::{Gathering, History};
use crate::export::fec::notice::{self, Gift, Notice};
use crate::export::fec::rows::{self, NotDollars};
use crate::export::fec::{self, AMENDMENT_MAX, Amends, Detail, NoSuchField, Report, period};
use crate::projections::Projections;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use thiserror::Error;

/// Rows gathered while the projections are held: a millisecond or two.
const CHUNK_ROWS: usize = 10_000;
/// Threads that open contacts at most, as for other files.
const THREADS_MAX: usize = 8;
/// Contacts for which a thread is worth its while.
const STRETCH_MIN: usize = 100;
/// Gifts of one notice, and of the list of those that are due: an evening of large ones.
pub const NOTICE_GIFTS_MAX: usize = 500;

/// Why there is no file.
#[derive(Debug, Error)]
pub enum Fault {
    /// A report is in dollars.
    #[error(transparent)]
    NotDollars(#[from] NotDollars),
    /// A fault of this program.
    #[error(transparent)]
    Format(#[from] NoSuchField),
    /// Who gave can't be read.
    #[error(transparent)]
    Contacts(#[from] contacts::Fault),
    /// Nobody reads on.
    #[error("the file is not wanted any more")]
    Gone,
}

/// A file that somebody asks for, and whose.
#[derive(Clone, Debug)]
pub struct Filing {
    /// Whose.
    pub committee: CommitteeId,
    /// Which.
    pub what: What,
}

/// A file of the FEC's.
#[derive(Clone, Debug)]
pub enum What {
    /// A periodic report.
    Report(Box<Report>),
    /// A notice of large gifts, which were given between two days.
    Notice(Box<Notice>, NaiveDate, NaiveDate),
}

impl Filing {
    /// What is to be looked at before it is taken, as of an event.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn findings(&self, engine: &Engine, seq: u64) -> Result<Findings, Fault> {
        match &self.what {
            What::Report(report) => Ok(preview(engine, self.committee, report, seq)?.findings),
            What::Notice(notice, from, through) => {
                Ok(notice_file(engine, self.committee, notice, (*from, *through), seq)?.1)
            }
        }
    }
}

/// What is wrong with what was typed: the field's name, and a sentence.
pub type Wrong = (&'static str, String);

/// The committee that files and who does it for it, by the field `committee`; the first where none is named.
///
/// # Errors
/// Nobody wrote who files.
pub fn filer(committee: Option<CommitteeId>, world: &Projections) -> Result<(CommitteeId, Filer), Wrong> {
    let id = committee.unwrap_or(CommitteeId::FIRST);
    let known = world.state.committees.get(id).and_then(|committee| committee.filer.clone());
    let missing = || ("committee", "Write first who files with the FEC for this committee.".to_owned());
    known.map(|filer| (id, filer)).ok_or_else(missing)
}

/// Reads a report: the fields `code`, `from`, `to`, `election`, `signed`, `cash`, `amends` and `amendment`, of which `get` gives
/// each by name, empty where it is not there.
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
    Ok(Filing { committee, what: What::Report(Box::new(report)) })
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
    Ok(Filing { committee, what: What::Notice(Box::new(notice), from, through) })
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

/// What a file comes to, before anybody takes it.
pub struct Preview {
    /// Sums and numbers of lines.
    pub totals: Totals,
    /// Every sum on the cover.
    pub cover: Vec<Amount>,
    /// What is to be looked at.
    pub findings: Findings,
}

/// Makes a report as of an event, reads it again and lets go of it.
///
/// # Errors
/// [`Fault`].
pub fn preview(engine: &Engine, committee: CommitteeId, report: &Report, seq: u64) -> Result<Preview, Fault> {
    let mut checker = Checker::new();
    let (totals, mut findings) = made(engine, committee, report, seq, |bytes| {
        checker.read(&bytes);
        Ok(())
    })?;
    findings.extend(checker.finish());
    Ok(Preview { totals, cover: amounts(report, &totals), findings })
}

/// A gift that is told of within 48 hours.
#[derive(Clone, Debug)]
pub struct Due {
    /// The gift.
    pub gift: Gift,
    /// The event by which it settled.
    pub seq: u64,
    /// Before which election: its code.
    pub election: String,
    /// Until when.
    pub by: DateTime<Utc>,
}

/// The gifts of a committee that are told of within 48 hours, as of an event; the latest [`NOTICE_GIFTS_MAX`] of them.
pub fn due(engine: &Engine, committee: CommitteeId, filer: &Filer, seq: u64) -> Vec<Due> {
    let mut due = vec![];
    let end = engine.world().ledger.rows_at(seq).len();
    for start in (0..end).step_by(CHUNK_ROWS) {
        let world = engine.world();
        for place in start..end.min(start.saturating_add(CHUNK_ROWS)) {
            let Some(gift) = rows::gift(&world, committee, place) else { continue };
            let Some(election) = notice::before_which(filer, &gift) else { continue };
            let seq = world.ledger.rows.get(place).map_or(0, |row| row.seq);
            due.push(Due { gift, seq, election: election.code.clone(), by: notice::due_by(&gift) });
        }
    }
    due.drain(..due.len().saturating_sub(NOTICE_GIFTS_MAX));
    due
}

/// The bytes of a notice, and what is to be looked at.
///
/// # Errors
/// [`Fault`].
pub fn notice_file(
    engine: &Engine,
    committee: CommitteeId,
    notice: &Notice,
    days: (NaiveDate, NaiveDate),
    seq: u64,
) -> Result<(Vec<u8>, Findings), Fault> {
    let (from, through) = days;
    let mut gifts: Vec<Gift> = due(engine, committee, &notice.filer, seq).into_iter().map(|due| due.gift).collect();
    gifts.retain(|gift| (from..=through).contains(&gift.local.date()));
    let places: Vec<u32> = gifts.iter().map(|gift| gift.place).collect();
    let details = Details::new(engine, committee).of(&places)?;
    let gifts: Vec<(Gift, Detail)> = gifts.into_iter().zip(details).collect();
    Ok(notice::write(notice, &gifts)?)
}

/// Sends the file that was asked for.
pub(super) fn fec(engine: &Engine, order: &Order, out: &Out) -> std::io::Result<()> {
    let Some(Filing { committee, what }) = &order.filing else {
        return Err(std::io::Error::other("nothing says which report it is"));
    };
    let seq = order.selection.seq(&engine.world());
    let sent = match what {
        What::Report(report) => {
            let put = |bytes| if send(out, bytes) { Ok(()) } else { Err(Fault::Gone) };
            made(engine, *committee, report, seq, put).map(drop)
        }
        What::Notice(notice, from, through) => {
            notice_file(engine, *committee, notice, (*from, *through), seq).map(|(bytes, _)| {
                send(out, bytes);
            })
        }
    };
    match sent {
        Ok(()) | Err(Fault::Gone) => Ok(()),
        Err(fault) => Err(std::io::Error::other(fault)),
    }
}

fn made(
    engine: &Engine,
    committee: CommitteeId,
    report: &Report,
    seq: u64,
    put: impl FnMut(Vec<u8>) -> Result<(), Fault>,
) -> Result<(Totals, Findings), Fault> {
    let history = gathered(engine, committee, seq)?;
    let totals = Totals::of(report, &history);
    let mut details = Details::new(engine, committee);
    let findings = fec::write(report, &totals, &history, |places| details.of(places), put)?;
    Ok((totals, findings))
}

fn gathered(engine: &Engine, committee: CommitteeId, seq: u64) -> Result<History, Fault> {
    let end = engine.world().ledger.rows_at(seq).len();
    let mut gathering = Gathering::with_capacity(end);
    for start in (0..end).step_by(CHUNK_ROWS) {
        let chunk = start..end.min(start.saturating_add(CHUNK_ROWS));
        rows::gather(&engine.world(), committee, seq, chunk, &mut gathering)?;
    }
    Ok(gathering.finish())
}

/// What lines say besides their sums, with who gave.
struct Details<'a> {
    engine: &'a Engine,
    committee: CommitteeId,
    /// One a core.
    contacts: Vec<Contacts>,
}

impl<'a> Details<'a> {
    fn new(engine: &'a Engine, committee: CommitteeId) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, THREADS_MAX);
        Self { engine, committee, contacts: (0..cores).map(|_| Contacts::new(engine)).collect() }
    }

    fn of(&mut self, places: &[u32]) -> Result<Vec<Detail>, Fault> {
        let mut said: Vec<(usize, rows::Said)> = {
            let world = self.engine.world();
            let said = |(at, place): (usize, &u32)| Some((at, rows::said(&world, self.committee, *place)?));
            places.iter().enumerate().filter_map(said).collect()
        };
        // Contacts are read in the order in which they lie, whatever that of the days: each core goes over a stretch of them.
        said.sort_by_key(|(_, said)| said.contact.seq);
        let stretch = said.len().div_ceil(self.contacts.len()).max(STRETCH_MIN);
        let mut details = std::thread::scope(|scope| {
            let readers = self.contacts.iter_mut().zip(said.chunks(stretch));
            let threads: Vec<_> = readers.map(|(contacts, said)| scope.spawn(move || opened(contacts, said))).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect::<Result<Vec<Vec<(usize, Detail)>>, Fault>>()
        })?
        .concat();
        details.sort_by_key(|(at, _)| *at);
        Ok(details.into_iter().map(|(_, detail)| detail).collect())
    }
}

fn opened(contacts: &mut Contacts, said: &[(usize, rows::Said)]) -> Result<Vec<(usize, Detail)>, Fault> {
    let detail = |(at, said): &(usize, rows::Said)| {
        let rows::Said { seq, receipt_seq, given, donor, contact, joint } = said;
        let contact = contacts.open(*donor, *contact)?;
        Ok((*at, Detail { seq: *seq, receipt_seq: *receipt_seq, given: *given, contact, joint: joint.clone() }))
    };
    said.iter().map(detail).collect()
}
