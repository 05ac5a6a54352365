//! The FEC's files: what somebody asks for, what it comes to and what is to be looked at, and the file.

mod asked;
mod ordered;

use super::Order;
use super::as_of::AsOf;
use super::contacts::{self, Contacts};
use super::desk::Out;
use crate::domain::committee::filer::Filer;
use crate::domain::id::{CommitteeId, PeriodId};
use crate::engine::{self, Engine};
use crate::export::fec::check::Checker;
use crate::export::fec::cover::{Amount, Totals, amounts};
use crate::export::fec::finding::Findings;
use crate::export::fec::history::{Gathering, History, Place};
use crate::export::fec::notice::{self as notices, Gift, Notice};
use crate::export::fec::rows::{self, NotDollars, Source};
use crate::export::fec::{self, Detail, NoSuchField, Report, Stands};
pub use asked::{Wrong, notice, report};
use chrono::{DateTime, NaiveDate, Utc};
pub use ordered::NotOrdered;
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
    /// The log is damaged.
    #[error(transparent)]
    Log(#[from] engine::Fault),
    /// Nobody reads on.
    #[error("the file is not wanted any more")]
    Gone,
    /// A fault of this program, in a thread of its own.
    #[error(transparent)]
    Panicked(tokio::task::JoinError),
}

/// A file that somebody asks for, and whose.
#[derive(Clone, Debug)]
pub struct Filing {
    /// Whose.
    pub committee: CommitteeId,
    /// Which.
    pub what: What,
    /// Where its period was closed with it: which, and the event as of which it stands.
    pub closed: Option<(PeriodId, u64)>,
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
    /// Which file it is, as the log keeps it of whoever takes it.
    pub(super) fn told(&self, as_of: Option<AsOf>) -> String {
        let (code, from, through) = match &self.what {
            What::Report(report) => (report.code.as_str(), report.from, report.through),
            What::Notice(_, from, through) => ("48H", *from, *through),
        };
        let as_of = self.closed.map(|(_, seq)| seq).or(as_of.map(|as_of| as_of.seq));
        let as_of = as_of.map(|seq| format!("&as_of={seq}")).unwrap_or_default();
        format!("committee={}&code={code}&from={from}&to={through}{as_of}", self.committee)
    }

    /// The last event that counts, where that is `asked` unless the period was closed.
    pub fn seq(&self, asked: u64) -> u64 {
        self.closed.map_or(asked, |(_, seq)| seq)
    }

    /// What is to be looked at before it is taken, as of an event.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn findings(&self, engine: &Engine, seq: u64) -> Result<Findings, Fault> {
        let seq = self.seq(seq);
        match &self.what {
            What::Report(report) => Ok(preview(engine, self.committee, report, seq)?.findings),
            What::Notice(notice, from, through) => {
                Ok(notice_file(engine, self.committee, notice, (*from, *through), seq)?.1)
            }
        }
    }
}

/// What a file comes to, before anybody takes it.
pub struct Preview {
    /// Sums and numbers of lines.
    pub totals: Totals,
    /// Every sum on the cover.
    pub cover: Vec<Amount>,
    /// What is to be looked at.
    pub findings: Findings,
    /// BLAKE3 of the file's bytes, 64 hex digits.
    pub file: String,
}

/// Makes a report as of an event, reads it again and lets go of it.
///
/// # Errors
/// [`Fault`].
pub fn preview(engine: &Engine, committee: CommitteeId, report: &Report, seq: u64) -> Result<Preview, Fault> {
    let (mut checker, mut hasher) = (Checker::new(), blake3::Hasher::new());
    let (totals, mut findings) = made(
        engine,
        committee,
        report,
        seq,
        |_| (),
        |bytes| {
            checker.read(&bytes);
            hasher.update(&bytes);
            Ok(())
        },
    )?;
    findings.extend(checker.finish());
    Ok(Preview { totals, cover: amounts(report, &totals), findings, file: hasher.finalize().to_hex().to_string() })
}

/// What a report comes to as of an event, without its lines.
///
/// # Errors
/// [`Fault`].
pub fn totals(engine: &Engine, committee: CommitteeId, report: &Report, seq: u64) -> Result<Totals, Fault> {
    Ok(Totals::of(report, &gathered(engine, committee, seq, |_| ())?))
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
            let Some(election) = notices::before_which(filer, &gift) else { continue };
            let seq = world.ledger.rows.get(place).map_or(0, |row| row.seq);
            due.push(Due { gift, seq, election: election.code.clone(), by: notices::due_by(&gift) });
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
    let places: Vec<Place> = gifts.iter().map(|gift| Place::Row(gift.place)).collect();
    let details = Details::new(engine, committee, seq).of(&places)?;
    let gifts: Vec<(Gift, Detail)> = gifts.into_iter().zip(details).collect();
    Ok(notices::write(notice, &gifts)?)
}

/// Sends the file that was asked for.
pub(super) fn fec(engine: &Engine, order: &Order, out: &Out) -> std::io::Result<()> {
    let Some(filing) = &order.filing else {
        return Err(std::io::Error::other("nothing says which report it is"));
    };
    let Filing { committee, what, .. } = filing;
    let seq = filing.seq(order.selection.seq(&engine.world()));
    let sent = match what {
        What::Report(report) => {
            // Every row is gathered, and then those are written that are named: mostly fewer.
            out.has(engine.world().ledger.rows_at(seq).len().saturating_mul(2));
            let put = |bytes| if out.send(bytes) { Ok(()) } else { Err(Fault::Gone) };
            made(engine, *committee, report, seq, |rows| out.did(rows), put).map(drop)
        }
        What::Notice(notice, from, through) => {
            notice_file(engine, *committee, notice, (*from, *through), seq).map(|(bytes, _)| {
                out.send(bytes);
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
    did: impl Fn(usize),
    put: impl FnMut(Vec<u8>) -> Result<(), Fault>,
) -> Result<(Totals, Findings), Fault> {
    let history = gathered(engine, committee, seq, &did)?;
    let totals = Totals::of(report, &history);
    let mut details = Details::new(engine, committee, seq);
    let stands = Stands { seq, head: engine.head_at(seq)?.to_string() };
    let named = |places: &[Place]| details.of(places).inspect(|of| did(of.len()));
    let findings = fec::write(report, &totals, &history, &stands, named, put)?;
    Ok((totals, findings))
}

/// Every movement of a committee's money, as of an event; `did` is told how far it is.
pub(super) fn gathered(
    engine: &Engine,
    committee: CommitteeId,
    seq: u64,
    did: impl Fn(usize),
) -> Result<History, Fault> {
    let end = engine.world().ledger.rows_at(seq).len();
    let mut gathering = Gathering::with_capacity(end);
    for start in (0..end).step_by(CHUNK_ROWS) {
        let chunk = start..end.min(start.saturating_add(CHUNK_ROWS));
        did(chunk.len());
        rows::gather(&engine.world(), committee, seq, chunk, &mut gathering)?;
    }
    rows::gather_remedies(&engine.world(), committee, seq, &mut gathering);
    gathering.merge(engine.world().persons.classes_at(seq));
    Ok(gathering.finish())
}

/// What lines say besides their sums, with who gave.
struct Details<'a> {
    engine: &'a Engine,
    committee: CommitteeId,
    /// As of which event.
    seq: u64,
    /// One a core.
    contacts: Vec<Contacts>,
}

impl<'a> Details<'a> {
    fn new(engine: &'a Engine, committee: CommitteeId, seq: u64) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, THREADS_MAX);
        Self { engine, committee, seq, contacts: (0..cores).map(|_| Contacts::as_of(engine, seq)).collect() }
    }

    fn of(&mut self, places: &[Place]) -> Result<Vec<Detail>, Fault> {
        let mut said: Vec<(usize, rows::Said)> = {
            let world = self.engine.world();
            let said = |(at, place): (usize, &Place)| Some((at, rows::said(&world, self.committee, self.seq, *place)?));
            places.iter().enumerate().filter_map(said).collect()
        };
        // Contacts are read in the order in which they lie, whatever that of the days: each core goes over a stretch of them.
        said.sort_by_key(|(_, said)| said.contact.seq());
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
        let contact = match said.contact {
            Source::Pledge(contact) => contacts.open(said.donor, contact)?,
            Source::Remedy(seq) => contacts.reattributed(said.donor, seq)?,
        };
        let rows::Said { seq, receipt_seq, given, counts_on, moved, was_asked, .. } = *said;
        let joint = said.joint.clone();
        Ok((*at, Detail { seq, receipt_seq, given, counts_on, moved, contact, joint, was_asked }))
    };
    said.iter().map(detail).collect()
}
