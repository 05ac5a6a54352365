//! Donors whom a committee's reports name and whose employer or occupation is missing: who, since when, and how far it is with
//! asking them (11 CFR 104.7).

use super::contacts::Contacts;
use super::filing;
use crate::domain::committee::filer::Filer;
use crate::domain::donor::{ASK_DAYS, Lacks};
use crate::domain::id::{CommitteeId, DonationId, PersonId};
use crate::domain::profile::Contact;
use crate::engine::Engine;
use crate::export::fec::period;
use crate::projections::Projections;
use crate::projections::donors::{Answer, Asking, Taken};
use crate::projections::ledger::{ContactAt, Kind};
use chrono::{Days, NaiveDate};
use std::collections::HashMap;

/// Gifts whose contact is opened for one look, the latest first: a second's work, and more than a committee's reports name in
/// most cycles.
pub const GIFTS_MAX: usize = 20_000;
/// Days after which last year's gifts, or last cycle's, are let go: the report of their end is made by then.
const GRACE_DAYS: u64 = 90;
/// Gifts looked up while the projections are held.
const CHUNK: usize = 10_000;

/// How far it is with one donor.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Nobody has asked about the gifts since a day; with a letter that did not arrive, where there was one.
    NotAsked(Option<Asking>),
    /// They answered, and these reports were taken before: each is to be amended.
    Amend(Answer, Vec<Taken>),
    /// They were asked.
    Asked(Asking),
    /// They answered, and no report is without it.
    Answered(Answer),
}

impl Standing {
    /// What is to be done first.
    fn order(&self) -> u8 {
        match self {
            Self::NotAsked(_) => 0,
            Self::Amend(..) => 1,
            Self::Asked(_) => 2,
            Self::Answered(_) => 3,
        }
    }
}

/// One donor of the list.
#[derive(Clone, Debug)]
pub struct Missing {
    /// The last gift that lacks something: the one to ask about.
    pub donation: DonationId,
    /// Who.
    pub donor: PersonId,
    /// The first gift that nobody asked about, or else the first that lacks something.
    pub unasked: DonationId,
    /// What they typed with the last of them.
    pub contact: Contact,
    /// What they had given with it since the year or the cycle began, in cents.
    pub aggregate_minor: i64,
    /// What they left out.
    pub lacks: Lacks,
    /// The day of the first gift that nobody asked about.
    pub since: NaiveDate,
    /// Until when they are to be asked.
    pub by: NaiveDate,
    /// How far it is.
    pub standing: Standing,
}

impl Missing {
    /// The gift that stands for the work with this donor: the one since which they are to be asked, for that stays the same
    /// whatever they give next.
    pub fn about(&self) -> DonationId {
        match self.standing {
            Standing::NotAsked(_) => self.unasked,
            Standing::Amend(..) | Standing::Asked(_) | Standing::Answered(_) => self.donation,
        }
    }
}

/// What a look found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The donors, with what is to be done first, and by when.
    pub missing: Vec<Missing>,
    /// Earlier gifts that were not looked at.
    pub unseen: usize,
    /// Gifts of whose donor nothing can be read, though nobody erased them.
    pub unread: usize,
}

/// A gift by which a report names its donor.
struct Named {
    day: NaiveDate,
    aggregate_minor: i64,
    donation: DonationId,
    donor: PersonId,
    contact: ContactAt,
}

/// Looks at who is named in a committee's reports of this year or cycle, as the ledger is now. Who can't be read is counted:
/// all others are asked none the less.
///
/// # Errors
/// [`filing::Fault`].
pub fn look(engine: &Engine, committee: CommitteeId, filer: &Filer, today: NaiveDate) -> Result<Found, filing::Fault> {
    let history = filing::gathered(engine, committee, engine.world().seq, |_| ())?;
    let first = period::begins(filer, today.checked_sub_days(Days::new(GRACE_DAYS)).unwrap_or(today));
    let is_named =
        |item: &crate::export::fec::history::Item| item.is_itemized && item.kind == Kind::Donation && item.day >= first;
    let named: Vec<(u32, i64, NaiveDate)> = history
        .items(filer, NaiveDate::MAX)
        .filter(is_named)
        .map(|item| (item.place, item.aggregate_minor, item.day))
        .collect();
    drop(history);
    let unseen = named.len().saturating_sub(GIFTS_MAX);
    let mut by_donor: HashMap<PersonId, Vec<(Named, Contact, Lacks)>> = HashMap::new();
    let mut contacts = Contacts::as_typed(engine);
    let mut unread = vec![];
    for chunk in named.get(unseen..).unwrap_or_default().chunks(CHUNK) {
        let gifts: Vec<Named> = {
            let world = engine.world();
            chunk.iter().filter_map(|item| gift(&world, *item)).collect()
        };
        for gift in gifts {
            let contact = match contacts.open(gift.donor, gift.contact) {
                Ok(Some(contact)) => contact,
                Ok(None) => continue,
                Err(fault) => {
                    unread.push(fault);
                    continue;
                }
            };
            let lacks = contact.lacks();
            if lacks.any() {
                by_donor.entry(gift.donor).or_default().push((gift, contact, lacks));
            }
        }
    }
    if let Some(fault) = unread.first() {
        tracing::error!(%fault, gifts = unread.len(), "contacts could not be opened");
    }
    let world = engine.world();
    let taken: Vec<&Taken> = world.donors.taken(committee).collect();
    let mut missing: Vec<Missing> = by_donor.into_values().filter_map(|gifts| one(&world, &taken, gifts)).collect();
    missing.sort_by_key(|one| (one.standing.order(), one.by, one.donation));
    Ok(Found { missing, unseen, unread: unread.len() })
}

fn gift(world: &Projections, (place, aggregate_minor, day): (u32, i64, NaiveDate)) -> Option<Named> {
    let row = world.ledger.rows.get(usize::try_from(place).ok()?)?;
    let contact = world.ledger.pledge(row.donation)?.contact;
    Some(Named { day, aggregate_minor, donation: row.donation, donor: row.donor, contact })
}

/// One donor's gifts that lack something, in the order of their days.
fn one(world: &Projections, taken: &[&Taken], mut gifts: Vec<(Named, Contact, Lacks)>) -> Option<Missing> {
    let days: Vec<NaiveDate> = gifts.iter().map(|(gift, ..)| gift.day).collect();
    let ids: Vec<DonationId> = gifts.iter().map(|(gift, ..)| gift.donation).collect();
    let (Named { aggregate_minor, donation, donor, .. }, contact, lacks) = gifts.pop()?;
    let asked = world.donors.asked(donor).iter().rev();
    let last = asked.clone().find(|asking| !asking.has_failed());
    let unasked = days.iter().position(|day| last.is_none_or(|asking| asking.day < *day));
    let standing = match (world.donors.answer(donor, u64::MAX), last, unasked) {
        (Some(answer), ..) => {
            let stale = stale(taken, &days, answer);
            if stale.is_empty() { Standing::Answered(answer) } else { Standing::Amend(answer, stale) }
        }
        (None, Some(asking), None) => Standing::Asked(asking.clone()),
        (None, ..) => Standing::NotAsked(asked.clone().next().filter(|asking| asking.has_failed()).cloned()),
    };
    let first = unasked.unwrap_or(0);
    let (since, unasked) = (*days.get(first)?, *ids.get(first)?);
    let by = since.checked_add_days(Days::new(ASK_DAYS)).unwrap_or(since);
    Some(Missing { donation, donor, unasked, contact, aggregate_minor, lacks, since, by, standing })
}

/// The reports of these days that were last taken before an answer.
fn stale(taken: &[&Taken], days: &[NaiveDate], answer: Answer) -> Vec<Taken> {
    let covers = |taken: &&&Taken| days.iter().any(|day| (taken.from..=taken.through).contains(day));
    let is_last = |at: usize, report: &Taken| {
        let later = taken.get(at.saturating_add(1)..).unwrap_or_default();
        !later.iter().any(|other| (other.from, other.through) == (report.from, report.through))
    };
    let of_days = taken.iter().enumerate().filter(|(_, report)| covers(report));
    let last = of_days.filter(|(at, report)| is_last(*at, report));
    last.filter(|(_, report)| report.as_of < answer.seq).map(|(_, report)| (*report).clone()).collect()
}
