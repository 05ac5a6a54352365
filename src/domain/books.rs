//! The processor's own books as it told of them: the movements of its balance that are ours, and its payouts to the bank.
//!
//! They are evidence beside the ledger and never a source of it: what they have and the ledger lacks is looked up and
//! recorded by the donation's own commands.

use super::State;
use super::hash::HashSet;
use super::id::{CommitteeId, DonationId, EntryId, PaymentId, PayoutId, Short};
use super::money::Money;
use chrono::serde::ts_microseconds;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// Entries of one event: some 25 KiB, so that it fits a line of the log. A payout of a large evening is many events.
pub const ENTRIES_MAX: usize = 100;

/// What moved the balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A donor's money came.
    Payment,
    /// Money was given back.
    Refund,
    /// A refund failed: its money came back.
    RefundReversed,
    /// A dispute's money was withdrawn.
    Dispute,
    /// A dispute's money was given back to us.
    DisputeReversed,
    /// A debit was taken back by the donor's bank.
    Return,
    /// The processor's own charge, beside those on payments.
    Fee,
    /// Money went to the bank, or came back from there.
    Payout,
    /// Anything else.
    Other,
}

/// One movement of the processor's balance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The processor's id.
    pub entry: EntryId,
    /// What it is.
    pub kind: Kind,
    /// Whose it is; none where it is not of a donation of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub donation: Option<DonationId>,
    /// Of which payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentId>,
    /// The processor's id of the refund, dispute or payout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What it did to the balance before the fee, negative where it took.
    pub amount: Money,
    /// What the processor took for it; negative where it gave a fee back.
    pub fee: Money,
    /// When.
    pub at: DateTime<Utc>,
    /// From when the bank can have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<DateTime<Utc>>,
}

impl Entry {
    /// What it did to the balance, in minor units.
    pub fn net_minor(&self) -> i64 {
        self.amount.minor.saturating_sub(self.fee.minor)
    }
}

/// How a payout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// On its way.
    Pending,
    /// The bank has it.
    Paid,
    /// The bank did not take it: the money is in the balance again.
    Failed,
    /// It was called off.
    Canceled,
}

/// What may be asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    /// These entries are in the processor's balance, and of donations of ours.
    List { entries: Vec<Entry> },
    /// How a payout stands.
    RecordPayout(PayoutRecorded),
    /// These entries are in a payout; `complete` with the last of them.
    Compose { payout: PayoutId, entries: Vec<Entry>, complete: bool },
    /// The books were read to their end.
    RecordRead(Read),
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    EntriesListed(EntriesListed),
    PayoutRecorded(PayoutRecorded),
    PayoutComposed(PayoutComposed),
    Read(Read),
}

/// Entries of ours in the processor's balance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntriesListed {
    /// At most [`ENTRIES_MAX`].
    pub entries: Vec<Entry>,
}

/// A payout as the processor tells it; told again where that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PayoutRecorded {
    /// From whose account.
    #[serde(default, skip_serializing_if = "CommitteeId::is_first")]
    pub committee: CommitteeId,
    /// The processor's id.
    pub payout: PayoutId,
    /// What goes to the bank; negative where the bank pays.
    pub amount: Money,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// The day on which the bank should have it.
    pub arrival: NaiveDate,
    /// How it stands.
    pub standing: Standing,
    /// Whether the processor made it by itself and so knows what is in it.
    pub automatic: bool,
}

/// What is in a payout, or a part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PayoutComposed {
    /// Which.
    pub payout: PayoutId,
    /// At most [`ENTRIES_MAX`], also those that are not ours.
    pub entries: Vec<Entry>,
    /// Whether that is the last of it.
    pub complete: bool,
}

/// The processor's books were read to their end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Read {
    /// From whose account.
    #[serde(default, skip_serializing_if = "CommitteeId::is_first")]
    pub committee: CommitteeId,
    /// Entries made from then on were listed.
    pub since: DateTime<Utc>,
    /// When the reading began.
    pub until: DateTime<Utc>,
    /// How many were listed.
    pub listed: u64,
    /// How many of them were ours and new.
    pub taken: u64,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// More than fit a line of the log.
    #[error("at most {ENTRIES_MAX} entries are told at once")]
    TooManyEntries,
    /// It was never recorded.
    #[error("there is no such payout")]
    UnknownPayout,
}

/// A payout, and what is known to be in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Payout {
    /// From whose account.
    pub committee: CommitteeId,
    /// Its place in the order in which payouts became known.
    pub number: u32,
    /// What goes to the bank.
    pub amount: Money,
    /// When it was made.
    #[serde(with = "ts_microseconds")]
    pub created: DateTime<Utc>,
    /// The day on which the bank should have it.
    pub arrival: NaiveDate,
    /// How it stands.
    pub standing: Standing,
    /// Whether the processor knows what is in it.
    pub automatic: bool,
    /// Entries in it.
    pub entries: u64,
    /// Of them ours.
    pub ours: u64,
    /// What all of them come to after fees, in minor units.
    pub net_minor: i64,
    /// What ours come to after fees, in minor units.
    pub ours_minor: i64,
    /// Whether all of them are known.
    pub complete: bool,
}

impl Payout {
    /// Whether what is in it is known and comes to its sum.
    pub fn agrees(&self) -> bool {
        self.complete && self.net_minor == self.amount.minor
    }

    fn is_as(&self, told: &PayoutRecorded) -> bool {
        (self.amount, self.arrival, self.standing, self.automatic)
            == (told.amount, told.arrival, told.standing, told.automatic)
    }
}

/// What the processor told of its books.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Books {
    listed: HashSet<Short>,
    placed: HashSet<Short>,
    payouts: BTreeMap<PayoutId, Payout>,
    names: Vec<PayoutId>,
    read_until: BTreeMap<CommitteeId, DateTime<Utc>>,
}

impl Books {
    /// Whether the entry was listed as ours.
    pub fn knows(&self, entry: &EntryId) -> bool {
        self.listed.contains(&entry.short())
    }

    /// Whether it is known in which payout the entry is.
    pub fn is_placed(&self, entry: &EntryId) -> bool {
        self.placed.contains(&entry.short())
    }

    /// Every payout by the processor's id.
    pub fn payouts(&self) -> impl Iterator<Item = (&PayoutId, &Payout)> {
        self.payouts.iter()
    }

    /// One payout.
    pub fn payout(&self, id: &PayoutId) -> Option<&Payout> {
        self.payouts.get(id)
    }

    /// The processor's id of the payout with this [`Payout::number`].
    pub fn name(&self, number: u32) -> Option<&PayoutId> {
        self.names.get(usize::try_from(number).ok()?)
    }

    /// The payouts from a committee's account.
    pub fn payouts_of(&self, committee: CommitteeId) -> impl Iterator<Item = (&PayoutId, &Payout)> {
        self.payouts().filter(move |(_, payout)| payout.committee == committee)
    }

    /// When an account's balance was last read to its end, as far as it was recorded.
    pub fn read_until(&self, committee: CommitteeId) -> Option<DateTime<Utc>> {
        self.read_until.get(&committee).copied()
    }
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let books = &state.books;
    let few = |entries: &[Entry]| {
        if entries.len() > ENTRIES_MAX { Err(Refusal::TooManyEntries) } else { Ok(()) }
    };
    let event = match command {
        Command::List { mut entries } => {
            few(&entries)?;
            entries.retain(|entry| !books.knows(&entry.entry));
            (!entries.is_empty()).then_some(Event::EntriesListed(EntriesListed { entries }))
        }
        Command::RecordPayout(told) => {
            let known = books.payout(&told.payout).is_some_and(|payout| payout.is_as(&told));
            (!known).then_some(Event::PayoutRecorded(told))
        }
        Command::Compose { payout, mut entries, complete } => {
            few(&entries)?;
            let known = books.payout(&payout).ok_or(Refusal::UnknownPayout)?;
            entries.retain(|entry| !books.is_placed(&entry.entry));
            let complete = complete || known.complete;
            let news = !entries.is_empty() || complete != known.complete;
            news.then_some(Event::PayoutComposed(PayoutComposed { payout, entries, complete }))
        }
        // A clock that stepped back must not make the next reading skip anything.
        Command::RecordRead(read) => {
            books.read_until(read.committee).is_none_or(|before| read.until > before).then_some(Event::Read(read))
        }
    };
    Ok(event.into_iter().map(super::Event::Books).collect())
}

pub(super) fn evolve(state: &mut State, event: &Event) {
    let books = &mut state.books;
    match event {
        Event::EntriesListed(told) => books.listed.extend(told.entries.iter().map(|entry| entry.entry.short())),
        Event::PayoutRecorded(told) => books.evolve_payout(told),
        Event::PayoutComposed(told) => {
            books.placed.extend(told.entries.iter().map(|entry| entry.entry.short()));
            let Some(payout) = books.payouts.get_mut(&told.payout) else { return };
            payout.complete = told.complete;
            for entry in &told.entries {
                payout.entries = payout.entries.saturating_add(1);
                payout.net_minor = payout.net_minor.saturating_add(entry.net_minor());
                if entry.donation.is_some() {
                    payout.ours = payout.ours.saturating_add(1);
                    payout.ours_minor = payout.ours_minor.saturating_add(entry.net_minor());
                }
            }
        }
        Event::Read(read) => {
            books.read_until.insert(read.committee, read.until);
        }
    }
}

impl Books {
    fn evolve_payout(&mut self, told: &PayoutRecorded) {
        let PayoutRecorded { committee, payout: id, amount, created, arrival, standing, automatic } = told.clone();
        if let Some(payout) = self.payouts.get_mut(&id) {
            *payout = Payout { amount, arrival, standing, automatic, ..payout.clone() };
            return;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let (entries, ours, net_minor, ours_minor, complete) = (0, 0, 0, 0, false);
        self.names.push(id.clone());
        self.payouts.insert(
            id,
            Payout {
                committee,
                number,
                amount,
                created,
                arrival,
                standing,
                automatic,
                entries,
                ours,
                net_minor,
                ours_minor,
                complete,
            },
        );
    }
}

#[cfg(test)]
mod tests;
