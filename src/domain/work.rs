//! What waits for a person of the finance team: who has taken it on, and what somebody says is done.
//!
//! Most of it is done by a fact elsewhere in the log: a gift is released, a dispute is over. Only where no such fact may come
//! does a person say so, with a note.

use super::State;
use super::donation;
use super::donor;
use super::id::{CommitteeId, DisputeId, DonationId, MismatchId, PeriodId, PersonId};
use super::person::{self, Pair};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// Items that somebody has taken on or called done: more than a team of tens sees to within a season.
pub const ITEMS_MAX: usize = 20_000;
/// Characters of what an item is about: two ids and a space.
pub const OF_CHARS_MAX: usize = 300;

/// Kinds of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A gift is held before a card is asked for.
    Held,
    /// A gift was paid with a card that stands out.
    Card,
    /// A donor's bank disputes a payment.
    Dispute,
    /// The ledger and the processor's books differ.
    Mismatch,
    /// A refund waits for a second person.
    Refund,
    /// A period was closed with a report that was not filed yet.
    Report,
    /// Something of a filed report's days came later.
    Amendment,
    /// Two donors may be one person.
    Duplicate,
    /// A report names a donor who left out employer or occupation.
    Employer,
    /// A gift went over a limit.
    Excess,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Held,
        Self::Card,
        Self::Dispute,
        Self::Mismatch,
        Self::Refund,
        Self::Report,
        Self::Amendment,
        Self::Duplicate,
        Self::Employer,
        Self::Excess,
    ];

    /// The word for it in addresses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Card => "card",
            Self::Dispute => "dispute",
            Self::Mismatch => "mismatch",
            Self::Refund => "refund",
            Self::Report => "report",
            Self::Amendment => "amendment",
            Self::Duplicate => "duplicate",
            Self::Employer => "employer",
            Self::Excess => "excess",
        }
    }

    /// The kind with this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Whether a person says that it is done; what is not, leaves the list by a fact.
    pub fn is_said(self) -> bool {
        match self {
            Self::Dispute | Self::Amendment => true,
            Self::Held
            | Self::Card
            | Self::Mismatch
            | Self::Refund
            | Self::Report
            | Self::Duplicate
            | Self::Employer
            | Self::Excess => false,
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Item {
    /// Of which kind.
    pub kind: Kind,
    /// What it is about, as text: a donation's id, with a dispute's or a committee's after a space; a mismatch's id; a period's
    /// number, with that of the last event that changed it after a space; two donors' ids with a space between.
    pub of: Box<str>,
}

impl Item {
    /// About a donation.
    pub fn of_donation(kind: Kind, donation: DonationId) -> Self {
        Self { kind, of: donation.to_string().into() }
    }

    /// About a dispute.
    pub fn of_dispute(donation: DonationId, dispute: &DisputeId) -> Self {
        Self { kind: Kind::Dispute, of: format!("{donation} {dispute}").into() }
    }

    /// About a mismatch.
    pub fn of_mismatch(mismatch: &MismatchId) -> Self {
        Self { kind: Kind::Mismatch, of: mismatch.0.as_str().into() }
    }

    /// About a closed period.
    pub fn of_period(period: PeriodId) -> Self {
        Self { kind: Kind::Report, of: period.to_string().into() }
    }

    /// About what changed of a period, up to an event: whatever comes after that is to be looked at anew.
    pub fn of_change(period: PeriodId, seq: u64) -> Self {
        Self { kind: Kind::Amendment, of: format!("{period} {seq}").into() }
    }

    /// The period it is about, where it is about one.
    pub fn period(&self) -> Option<PeriodId> {
        match self.kind {
            Kind::Report => self.of.parse().ok(),
            Kind::Amendment => self.change().map(|(period, _)| period),
            Kind::Held
            | Kind::Card
            | Kind::Dispute
            | Kind::Mismatch
            | Kind::Refund
            | Kind::Duplicate
            | Kind::Employer
            | Kind::Excess => None,
        }
    }

    fn change(&self) -> Option<(PeriodId, u64)> {
        let (period, seq) = self.of.split_once(' ').filter(|_| self.kind == Kind::Amendment)?;
        let (period, seq) = (period.parse().ok()?, seq.parse().ok()?);
        (*self == Self::of_change(period, seq)).then_some((period, seq))
    }

    /// About a donation in the books of one committee: [`Kind::Employer`] or [`Kind::Excess`].
    pub fn of_gift(kind: Kind, donation: DonationId, committee: CommitteeId) -> Self {
        Self { kind, of: format!("{donation} {committee}").into() }
    }

    /// The donation and the committee, where it is about such.
    pub fn gift(&self) -> Option<(DonationId, CommitteeId)> {
        let is_such = matches!(self.kind, Kind::Employer | Kind::Excess);
        let (donation, committee) = self.of.split_once(' ').filter(|_| is_such)?;
        let (donation, committee) = (donation.parse().ok()?, committee.parse().ok()?);
        (*self == Self::of_gift(self.kind, donation, committee)).then_some((donation, committee))
    }

    /// About two donors.
    pub fn of_pair(pair: Pair) -> Self {
        let [one, other] = pair.both();
        Self { kind: Kind::Duplicate, of: format!("{one} {other}").into() }
    }

    /// The two donors it is about, where it is about two.
    pub fn pair(&self) -> Option<Pair> {
        let (one, other) = self.of.split_once(' ').filter(|_| self.kind == Kind::Duplicate)?;
        Some(Pair::of(one.parse().ok()?, other.parse().ok()?))
    }

    /// The donation it is about, where it is about one.
    pub fn donation(&self) -> Option<DonationId> {
        match self.kind {
            Kind::Held | Kind::Card | Kind::Refund => self.of.parse().ok(),
            Kind::Dispute => self.dispute().map(|(donation, _)| donation),
            Kind::Employer | Kind::Excess => self.gift().map(|(donation, _)| donation),
            Kind::Mismatch | Kind::Report | Kind::Amendment | Kind::Duplicate => None,
        }
    }

    /// The dispute it is about, where it is about one.
    pub fn dispute(&self) -> Option<(DonationId, DisputeId)> {
        let (donation, dispute) = self.of.split_once(' ').filter(|_| self.kind == Kind::Dispute)?;
        Some((donation.parse().ok()?, DisputeId(dispute.into())))
    }

    /// Whether the facts want it done. Of what only a look through the ledger finds, whether they allow it: the list itself
    /// tells.
    pub fn waits(&self, state: &State) -> bool {
        match self.kind {
            Kind::Held => self.donation().is_some_and(|id| donation::is_held(state, id)),
            Kind::Card => self.donation().is_some_and(|id| donation::stands_out(state, id)),
            Kind::Dispute => self.dispute().is_some_and(|(donation, dispute)| {
                let known = state.donations.get(donation).into_iter().flat_map(donation::Donation::disputes);
                known.into_iter().any(|(id, known)| *id == dispute && known.closed.is_none())
            }),
            Kind::Duplicate => {
                self.pair().is_some_and(|pair| *self == Self::of_pair(pair) && person::is_open(state, pair))
            }
            Kind::Mismatch => state.audit.is_open(&MismatchId(self.of.as_ref().into())),
            Kind::Refund => self.donation().is_some_and(|id| state.refunds.of(id).is_some()),
            Kind::Report => self.period().is_some_and(|id| state.periods.is_to_file(id)),
            Kind::Amendment => self.period().is_some_and(|id| state.periods.is_filed_last(id)),
            Kind::Employer => {
                self.gift().is_some_and(|(donation, committee)| donor::can_be_asked(state, donation, committee))
            }
            Kind::Excess => self.gift().is_some_and(|(donation, committee)| {
                state.donations.get(donation).is_some_and(|gift| gift.counted_for(committee) > 0)
            }),
        }
    }
}

/// What may be asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    /// Somebody takes an item on, is given it, or gives it back.
    Assign { item: Item, to: Option<PersonId> },
    /// A person says that it is done.
    Finish { item: Item, note: String },
    /// It is not done after all.
    Reopen { item: Item },
}

/// What happened. Who asked for it stands in the event's `by`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    Assigned(Assigned),
    Done(Done),
    Reopened(Reopened),
}

/// Somebody has an item now, or nobody has it any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assigned {
    /// Which.
    pub item: Item,
    /// Who has it; absent where it was given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<PersonId>,
}

/// A person says that an item is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// Which.
    pub item: Item,
    /// What was done.
    pub note: String,
}

/// An item that was called done is not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reopened {
    /// Which.
    pub item: Item,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Nothing is to be done there.
    #[error("this does not wait for anybody any more: somebody has seen to it meanwhile")]
    NotWaiting,
    /// [`Kind::is_said`].
    #[error("this leaves the list by itself once it is done where its link leads")]
    NotSaid,
    /// Nobody called it done.
    #[error("nobody has called this done: it is open already")]
    NotDone,
    /// The account is gone, or sees no money.
    #[error("whoever is to do this needs an account that sees money: choose somebody else")]
    NoSuchStaff,
    /// A note says something, and names nobody.
    #[error(
        "say what was done in 1 to {} characters, without an e-mail address: it stays in the log for ever",
        donation::HOLD_NOTE_CHARS_MAX
    )]
    Note,
    /// [`ITEMS_MAX`].
    #[error("more than {ITEMS_MAX} items are taken on or called done: see to the oldest first")]
    TooMany,
}

/// How an item stands, besides what the facts say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Who has it.
    pub to: Option<PersonId>,
    /// Whether somebody called it done.
    pub done: bool,
}

/// Every item that somebody has, or called done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Work(BTreeMap<Item, Standing>);

impl Work {
    /// How an item stands.
    pub fn standing(&self, item: &Item) -> Standing {
        self.0.get(item).copied().unwrap_or_default()
    }

    /// The item of a kind about a donation that somebody has.
    pub fn taken_of(&self, kind: Kind, donation: DonationId) -> Option<Item> {
        let from = Item { kind, of: donation.to_string().into() };
        let of_it = self.0.range(from..).take_while(|(item, _)| item.kind == kind && item.donation() == Some(donation));
        of_it.into_iter().find(|(_, standing)| standing.to.is_some()).map(|(item, _)| item.clone())
    }

    fn change(&mut self, item: &Item, change: impl FnOnce(&mut Standing)) {
        let mut standing = self.standing(item);
        change(&mut standing);
        if standing == Standing::default() {
            self.0.remove(item);
        } else {
            self.0.insert(item.clone(), standing);
        }
    }
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let event = match command {
        Command::Assign { item, to } => {
            let sees_money = |who: PersonId| state.staff.get(&who).is_some_and(|member| member.role.sees_money());
            if to.is_some_and(|to| !sees_money(to)) {
                return Err(Refusal::NoSuchStaff);
            }
            check(state, &item)?;
            if state.work.standing(&item).to == to {
                return Ok(vec![]);
            }
            Event::Assigned(Assigned { item, to })
        }
        Command::Finish { item, note } => {
            if !item.kind.is_said() {
                return Err(Refusal::NotSaid);
            }
            donation::check_note(&note).map_err(|_| Refusal::Note)?;
            check(state, &item)?;
            if state.work.standing(&item).done {
                return Ok(vec![]);
            }
            Event::Done(Done { item, note })
        }
        Command::Reopen { item } => {
            if !state.work.standing(&item).done {
                return Err(Refusal::NotDone);
            }
            Event::Reopened(Reopened { item })
        }
    };
    Ok(vec![super::Event::Work(event)])
}

fn check(state: &State, item: &Item) -> Result<(), Refusal> {
    if item.of.chars().nth(OF_CHARS_MAX).is_some() || !item.waits(state) {
        return Err(Refusal::NotWaiting);
    }
    let known = &state.work.0;
    let is_full = || known.len() >= ITEMS_MAX && known.keys().filter(|item| item.waits(state)).count() >= ITEMS_MAX;
    if !known.contains_key(item) && is_full() { Err(Refusal::TooMany) } else { Ok(()) }
}

pub(super) fn evolve(state: &mut State, event: &Event) {
    // What the facts have done meanwhile makes room only when it is needed: nobody looks at it.
    if state.work.0.len() >= ITEMS_MAX {
        let mut work = std::mem::take(&mut state.work);
        work.0.retain(|item, _| item.waits(state));
        state.work = work;
    }
    let work = &mut state.work;
    match event {
        Event::Assigned(assigned) => work.change(&assigned.item, |standing| standing.to = assigned.to),
        Event::Done(done) => work.change(&done.item, |standing| standing.done = true),
        Event::Reopened(reopened) => work.change(&reopened.item, |standing| standing.done = false),
    }
}

#[cfg(test)]
mod tests;
