//! Personal data over time: who was erased, until when the law keeps a donor's name, and who looked behind the seals.
//!
//! An erasure is recorded first and done afterwards, by the vault; a start does again what the log says was erased.

use super::hash::{HashMap, HashSet};
use super::id::{DonationId, ErasureId, PersonId};
use super::staff::Role;
use super::{State, attendance, donation, ledger, staff};
use chrono::serde::ts_microseconds;
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Characters of a reason: a sentence with the number of a letter.
pub const REASON_CHARS_MAX: usize = 200;
/// Characters of a shell user's name.
pub const WHO_CHARS_MAX: usize = 64;
/// Characters of what somebody asked to see: a long search still fits.
const OF_CHARS_MAX: usize = 400;
/// Notices, and pledges, that one event lists at most: together they fill half of the longest line.
const NAMED_MAX: usize = 300;
/// How long a page that somebody sees again counts as the same look, since it was last told of.
pub const ONE_LOOK: TimeDelta = TimeDelta::minutes(10);
/// Looks of that time that are known: those of a large finance team on a busy day.
const LOOKS_MAX: usize = 4_096;
/// The longest a law can be asked to keep a name, in years.
pub const RETENTION_YEARS_MAX: u16 = 100;

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Make a person's data unreadable for good.
    Erase(Erase),
    /// Open seals for somebody to read.
    Disclose(Disclosed),
    /// Show people's data on a page. The same person's same page within [`ONE_LOOK`] is one look: somebody reloads it.
    View {
        /// Who sees what.
        access: Access,
        /// Now.
        now: DateTime<Utc>,
    },
    /// Give somebody a file of people's data.
    Export(Access),
}

/// Whom to erase, and on what grounds.
#[derive(Clone, Debug)]
pub struct Erase {
    /// Which erasure.
    pub erasure: ErasureId,
    /// Whom.
    pub person: PersonId,
    /// Why; without a name, since it stays.
    pub reason: String,
    /// The names under which notices about them are sealed.
    pub notices: Vec<PersonId>,
    /// Now.
    pub now: DateTime<Utc>,
    /// Years the law keeps a donor's record after it was reported.
    pub retention_years: u16,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A person's key is to be destroyed.
    Erased(Erased),
    /// Seals are about to be opened for somebody.
    Disclosed(Disclosed),
    /// People's data is about to be shown on a page.
    Viewed(Access),
    /// Somebody is about to get a file of people's data.
    Exported(Access),
}

/// A person's key is to be destroyed: from now on nobody reads what was sealed with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Erased {
    /// Which erasure: keys made after it say so.
    pub erasure: ErasureId,
    /// Who.
    pub person: PersonId,
    /// Why.
    pub reason: String,
    /// Names under which notices about them were sealed, which go with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<PersonId>,
    /// Their pledges that were never paid, and now can't be any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<DonationId>,
}

impl Erased {
    /// Every name whose key goes.
    pub fn names(&self) -> impl Iterator<Item = PersonId> {
        std::iter::once(self.person).chain(self.notices.iter().copied())
    }
}

/// Seals are about to be opened for somebody to read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disclosed {
    /// The first event shown.
    pub from_seq: u64,
    /// The last event shown; none where they were followed as they came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_seq: Option<u64>,
    /// To whom: `shell:USER`.
    pub who: String,
    /// Why.
    pub reason: String,
}

/// Who sees people's data, and what of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Access {
    /// To whom: `staff:ID`, `shell:USER`.
    pub who: String,
    /// What: `ledger`, `csv`.
    pub what: String,
    /// Which part of it, as a query: `rally=answer-the-call`; empty for all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub of: String,
    /// What for, in their words; empty where they did not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl Access {
    fn check(self) -> Result<Self, Refusal> {
        // Whoever sees the ledger in the course of their work need not say so each time.
        if !self.reason.is_empty() {
            check_reason(&self.reason)?;
        }
        let cut = |text: &str, most: usize| text.chars().filter(|c| !c.is_control()).take(most).collect();
        Ok(Self {
            who: cut(&self.who, WHO_CHARS_MAX),
            what: cut(&self.what, WHO_CHARS_MAX),
            of: cut(&self.of, OF_CHARS_MAX),
            ..self
        })
    }
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("give a reason of at most {REASON_CHARS_MAX} characters, on one line")]
    ReasonLength,
    #[error("the reason stays in the log for good: leave the e-mail address out, and name a letter or ticket instead")]
    ReasonNamesSomebody,
    #[error("nobody of that name is known here: check the address, or give the person id that `groundswell log` shows")]
    Unknown,
    #[error("a payment or refund of theirs is under way (donation {donation}): wait for its outcome, then try again")]
    UnderWay { donation: DonationId },
    #[error(
        "a notice about them from the payment company waits to be read: let the server run a moment, then try again"
    )]
    NoticeWaits,
    #[error(
        "the law keeps the record of their last donation, of {given}, until the end of {}: try again after {until}", until.year()
    )]
    Kept { given: NaiveDate, until: NaiveDate },
    #[error("they are the last owner: make another with `groundswell staff add --role owner` first")]
    LastOwner,
}

/// An erasure that the log knows of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Erasure {
    /// Which.
    pub id: ErasureId,
    /// When.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
    /// Whether they joined, pledged or got an account since.
    pub came_back: bool,
}

/// Who was erased, and whose record the law keeps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Privacy {
    erased: HashMap<PersonId, Erasure>,
    closed: HashSet<DonationId>,
    /// Each donor's last gift of real money, in seconds since 1970.
    last_gift: HashMap<PersonId, i64>,
    looks: Looks,
}

impl Privacy {
    /// The last erasure of a person.
    pub fn erasure(&self, person: PersonId) -> Option<&Erasure> {
        self.erased.get(&person)
    }

    /// Whether a person's data is gone, and none came since.
    pub fn is_erased(&self, person: PersonId) -> bool {
        self.erasure(person).is_some_and(|erasure| !erasure.came_back)
    }

    /// Everybody who was erased, with the last time each was, in no order.
    pub fn erasures(&self) -> impl Iterator<Item = (PersonId, ErasureId)> {
        self.erased.iter().map(|(person, erasure)| (*person, erasure.id))
    }

    /// Whether a pledge's name was erased before it was paid.
    pub fn is_closed(&self, donation: DonationId) -> bool {
        self.closed.contains(&donation)
    }

    /// Until when the law keeps a person's record, where it does at all.
    pub fn kept_until(&self, person: PersonId, retention_years: u16) -> Option<NaiveDate> {
        self.last_gift(person).and_then(|at| keep_until(at, retention_years))
    }

    fn last_gift(&self, person: PersonId) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(*self.last_gift.get(&person)?, 0)
    }

    fn returns(&mut self, person: PersonId) {
        if let Some(erasure) = self.erased.get_mut(&person) {
            erasure.came_back = true;
        }
    }
}

/// The last day on which the record of a gift is kept: committees keep records for three years after the report is filed
/// (11 CFR 102.9(c)), the report of a year's last gifts is due in January of the next, and a late one counts from its own
/// day; so the years are counted from the end of the year after the gift's, in UTC.
pub fn keep_until(given: DateTime<Utc>, retention_years: u16) -> Option<NaiveDate> {
    let years = i32::from(retention_years.min(RETENTION_YEARS_MAX));
    NaiveDate::from_ymd_opt(given.year().saturating_add(1).saturating_add(years), 12, 31)
}

/// The latest looks at people's data, by who and what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Looks(HashMap<String, i64>);

impl Looks {
    /// Whether it goes on with one that stands in the log.
    fn is_one(&self, access: &Access, now: DateTime<Utc>) -> bool {
        self.0
            .get(&Self::name(access))
            .is_some_and(|last| now.timestamp().saturating_sub(*last) < ONE_LOOK.num_seconds())
    }

    fn add(&mut self, access: &Access, at: DateTime<Utc>) {
        if self.0.len() >= LOOKS_MAX {
            self.0.retain(|_, last| at.timestamp().saturating_sub(*last) < ONE_LOOK.num_seconds());
        }
        if self.0.len() >= LOOKS_MAX {
            // Then some are told of once more.
            self.0.clear();
        }
        self.0.insert(Self::name(access), at.timestamp());
    }

    /// No part of it has a line break in it.
    fn name(access: &Access) -> String {
        format!("{}\n{}\n{}", access.who, access.what, access.of)
    }
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let events = match command {
        Command::Erase(erase) => decide_erase(state, erase)?,
        Command::Disclose(disclosed) => {
            check_reason(&disclosed.reason)?;
            let who = disclosed.who.chars().filter(|c| !c.is_control()).take(WHO_CHARS_MAX).collect();
            vec![Event::Disclosed(Disclosed { who, ..disclosed })]
        }
        Command::View { access, now } => {
            let access = access.check()?;
            if state.privacy.looks.is_one(&access, now) { vec![] } else { vec![Event::Viewed(access)] }
        }
        Command::Export(access) => vec![Event::Exported(access.check()?)],
    };
    Ok(events.into_iter().map(super::Event::Privacy).collect())
}

/// Checks that a reason can stay in the log.
///
/// # Errors
/// [`Refusal::ReasonLength`], [`Refusal::ReasonNamesSomebody`].
pub fn check_reason(reason: &str) -> Result<(), Refusal> {
    let too_long = reason.chars().nth(REASON_CHARS_MAX).is_some();
    if reason.trim().is_empty() || too_long || reason.chars().any(char::is_control) {
        return Err(Refusal::ReasonLength);
    }
    if reason.contains('@') { Err(Refusal::ReasonNamesSomebody) } else { Ok(()) }
}

fn decide_erase(state: &State, erase: Erase) -> Result<Vec<Event>, Refusal> {
    let Erase { erasure, person, reason, notices, now, retention_years } = erase;
    check_reason(&reason)?;
    let joined = state.rallies.iter().any(|(rally, _)| state.attendance.has_joined(rally, person));
    let member = state.staff.get(&person);
    let before = state.privacy.erasure(person);
    let mut gave = false;
    let mut closed = vec![];
    for (id, gift) in state.donations.iter().filter(|(_, gift)| gift.donor == person) {
        gave = true;
        if gift.is_under_way() {
            return Err(Refusal::UnderWay { donation: id });
        }
        if gift.settled_minor() == 0 && !state.privacy.is_closed(id) {
            closed.push(id);
        }
    }
    closed.sort_unstable();
    if !gave && !joined && member.is_none() && before.is_none() {
        return Err(Refusal::Unknown);
    }
    if state.inbox.waiting().any(|received| notices.contains(&received.sealed_for)) {
        return Err(Refusal::NoticeWaits);
    }
    let gone = |name: &PersonId| state.privacy.erasure(*name).is_some();
    let notices: Vec<PersonId> = notices.into_iter().filter(|name| !gone(name)).collect();
    if before.is_some_and(|before| !before.came_back) && notices.is_empty() {
        return Ok(vec![]);
    }
    if let (Some(given), Some(until)) =
        (state.privacy.last_gift(person), state.privacy.kept_until(person, retention_years))
        && now.date_naive() <= until
    {
        return Err(Refusal::Kept { given: given.date_naive(), until });
    }
    let owners = || state.staff.values().filter(|member| member.role == Role::Owner).count();
    if member.is_some_and(|member| member.role == Role::Owner) && owners() == 1 {
        return Err(Refusal::LastOwner);
    }
    let mut notices = notices.chunks(NAMED_MAX);
    let mut closed = closed.chunks(NAMED_MAX);
    let mut events = vec![];
    loop {
        let (notices, closed) = (notices.next(), closed.next());
        if !events.is_empty() && notices.is_none() && closed.is_none() {
            return Ok(events);
        }
        let (notices, closed) = (notices.unwrap_or_default().to_vec(), closed.unwrap_or_default().to_vec());
        events.push(Event::Erased(Erased { erasure, person, reason: reason.clone(), notices, closed }));
    }
}

pub(super) fn evolve(state: &mut State, event: &Event, at: DateTime<Utc>) {
    match event {
        Event::Erased(erased) => {
            let erasure = Erasure { id: erased.erasure, at, came_back: false };
            state.privacy.erased.extend(erased.names().map(|name| (name, erasure)));
            state.privacy.closed.extend(&erased.closed);
            state.staff.remove(&erased.person);
            state.attendance.forget(erased.person);
            state.mail.forget(erased.person);
        }
        Event::Viewed(access) => state.privacy.looks.add(access, at),
        Event::Disclosed(_) | Event::Exported(_) => {}
    }
}

/// Takes in what other topics' events say of people.
pub(super) fn follow(state: &mut State, event: &super::Event, at: DateTime<Utc>) {
    let privacy = &mut state.privacy;
    match event {
        super::Event::Attendance(attendance::Event::Joined(joined)) => privacy.returns(joined.person),
        super::Event::Staff(staff::Event::Added(added)) => privacy.returns(added.staff),
        super::Event::Donation(donation::Event::Pledged(pledged)) => privacy.returns(pledged.donor),
        // Only real money is reported.
        super::Event::Donation(donation::Event::Settled(settled)) if state.mode == Some(ledger::Mode::Live) => {
            privacy.last_gift.insert(settled.donor, at.timestamp());
        }
        super::Event::Attendance(_)
        | super::Event::Staff(_)
        | super::Event::Donation(_)
        | super::Event::Ledger(_)
        | super::Event::Rally(_)
        | super::Event::Broadcast(_)
        | super::Event::Show(_)
        | super::Event::Clip(_)
        | super::Event::Restream(_)
        | super::Event::Inbox(_)
        | super::Event::Mail(_)
        | super::Event::Privacy(_)
        | super::Event::Committee(_)
        | super::Event::Drive(_)
        | super::Event::Books(_)
        | super::Event::Audit(_)
        | super::Event::Plan(_)
        | super::Event::Token(_)
        | super::Event::Hook(_)
        | super::Event::Period(_)
        | super::Event::Refund(_)
        | super::Event::Work(_)
        | super::Event::Person(_) => {}
    }
}

#[cfg(test)]
mod tests;
