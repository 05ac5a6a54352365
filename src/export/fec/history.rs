//! Every movement of a committee's money in the order of its days, with what each donor had given by then: 32 bytes a movement,
//! and 40 more while it is found out who is one person. With them go the memos of parts that were moved to another election or
//! person, which are in no sum.

use super::period;
use crate::domain::committee::filer::Filer;
use crate::domain::donation::Giver;
use crate::domain::donation::persons::Names;
use crate::domain::id::PersonId;
use crate::projections::ledger::Kind;
use chrono::NaiveDate;
use std::collections::{BTreeMap, BTreeSet};

/// What is named once a donor's gifts come to more (52 U.S.C. 30104(b)(3)(A)), in cents.
pub const THRESHOLD_MINOR: i64 = 20_000;

/// One movement of a committee's money, or of its part of a joint gift.
#[derive(Clone, Copy, Debug)]
pub struct Movement {
    /// Where its row stands in the ledger.
    pub place: u32,
    /// Where the row of the receipt stands that it is about: its own, of a receipt.
    pub receipt: u32,
    /// What moved, and which way.
    pub kind: Kind,
    /// The day that counts: of a receipt that on which the donor gave it (11 CFR 102.8), of all else that on which it moved.
    pub day: NaiveDate,
    /// The day on which it moved, and the processor took its fee.
    pub moved: NaiveDate,
    /// Who gave.
    pub giver: Giver,
    /// Cents, negative where they left us.
    pub minor: i64,
    /// What the processor kept, as far as it is known; negative where it gave a fee back.
    pub fee_minor: i64,
    /// Whether it is a part of what moved in a joint committee's account, and thus in no sum of this one's.
    pub is_joint: bool,
}

/// That a part of a receipt counts for another election, or as another person's.
#[derive(Clone, Copy, Debug)]
pub struct Moved {
    /// Where it stands among the remedies.
    pub place: u32,
    /// Where the row of the receipt stands.
    pub receipt: u32,
    /// The day on which that was given.
    pub given: NaiveDate,
    /// The day on which it was agreed, and is reported.
    pub day: NaiveDate,
    /// Who gave.
    pub giver: Giver,
    /// Whose it is now: the same, of one that counts for another election.
    pub to: Giver,
    /// What the whole receipt was, in cents.
    pub whole_minor: i64,
    /// What of it was moved, in cents.
    pub minor: i64,
    /// Whether the receipt is a part of a joint gift.
    pub is_joint: bool,
}

/// What an item tells of: money, or one of the three memos of a part that was moved (11 CFR 104.8(d)(2) to (4)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// Money moved.
    Money,
    /// The receipt as it was told of at first.
    Original,
    /// The part is taken from it.
    From,
    /// The part is where it belongs.
    To,
}

/// Where an item is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A row of the ledger.
    Row(u32),
    /// One of the remedies, as it takes a part from its receipt.
    From(u32),
    /// The same, where that part belongs.
    To(u32),
}

/// One movement, as it is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it tells of.
    pub turn: Turn,
    /// Where its row stands in the ledger; among the remedies, where no money moved.
    pub place: u32,
    /// Where the row of the receipt stands that it is about.
    pub receipt: u32,
    /// What moved, and which way.
    pub kind: Kind,
    /// The day that counts.
    pub day: NaiveDate,
    /// Cents, negative where they left us.
    pub minor: i64,
    /// What the donor had given with it, since the year or cycle began.
    pub aggregate_minor: i64,
    /// Whether the donor is named.
    pub is_itemized: bool,
    /// Whether it is a part of a joint gift.
    pub is_joint: bool,
}

impl Item {
    /// Where it is found again.
    pub fn found(&self) -> Place {
        match self.turn {
            Turn::Money => Place::Row(self.place),
            Turn::Original | Turn::From => Place::From(self.place),
            Turn::To => Place::To(self.place),
        }
    }

    /// Whether it is a gift to this committee alone.
    pub fn is_gift(&self) -> bool {
        self.turn == Turn::Money && self.kind == Kind::Donation && !self.is_joint
    }

    /// Whether it is money that we gave back, or wanted to: it is a disbursement. All else is a receipt, or what a receipt
    /// turned out not to be.
    pub fn is_refund(&self) -> bool {
        is_refund(self.kind)
    }
}

fn is_refund(kind: Kind) -> bool {
    match kind {
        Kind::Refund | Kind::RefundReversed => true,
        Kind::Donation | Kind::Dispute | Kind::DisputeReversed | Kind::Return => false,
    }
}

struct Entry {
    day: NaiveDate,
    turn: Turn,
    /// The day of the receipt that was moved; its own, of money.
    given: NaiveDate,
    place: u32,
    receipt: u32,
    person: u32,
    minor: i64,
    kind: Kind,
    is_joint: bool,
}

/// Takes movements in, in any order.
#[derive(Default)]
pub struct Gathering {
    entries: Vec<Entry>,
    names: Names,
    fees: BTreeMap<NaiveDate, i64>,
}

impl Gathering {
    /// Room for so many movements.
    pub fn with_capacity(movements: usize) -> Self {
        let names = Names::with_capacity(movements);
        Self { entries: Vec::with_capacity(movements), names, fees: BTreeMap::new() }
    }

    /// Takes one in.
    pub fn add(&mut self, movement: Movement) {
        let Movement { place, receipt, kind, day, giver, minor, is_joint, .. } = movement;
        self.enter(
            giver,
            Entry { day, turn: Turn::Money, given: day, place, receipt, person: 0, minor, kind, is_joint },
        );
        if movement.fee_minor != 0 {
            let of_day = self.fees.entry(movement.moved).or_default();
            *of_day = of_day.saturating_add(movement.fee_minor);
        }
    }

    /// Takes in that a part of a receipt was moved to another election or person.
    pub fn remedy(&mut self, moved: Moved) {
        let Moved { place, receipt, given, day, giver, to, whole_minor, minor, is_joint } = moved;
        let entry =
            |turn, minor| Entry { day, turn, given, place, receipt, person: 0, minor, kind: Kind::Donation, is_joint };
        self.enter(giver, entry(Turn::Original, whole_minor));
        self.enter(giver, entry(Turn::From, minor.saturating_neg()));
        self.enter(to, entry(Turn::To, minor));
    }

    fn enter(&mut self, giver: Giver, entry: Entry) {
        let person = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.names.add(person, giver);
        self.entries.push(Entry { person, ..entry });
    }

    /// Takes in who is one person, as somebody says.
    pub fn merge(&mut self, classes: Vec<BTreeSet<PersonId>>) {
        self.names.merge(classes);
    }

    /// Finds out which are one person's, by either of their names, by what somebody says and by whatever hangs together by
    /// them, as limits do (`domain/donation/kin.rs`), and puts all in order.
    pub fn finish(self) -> History {
        let Self { mut entries, names, fees } = self;
        let persons = names.persons(u32::try_from(entries.len()).unwrap_or(u32::MAX));
        for (entry, person) in entries.iter_mut().zip(persons) {
            entry.person = person;
        }
        entries.sort_unstable_by_key(|entry| (entry.day, entry.turn != Turn::Money, entry.place, entry.turn));
        History { entries, fees }
    }
}

/// Every movement, in the order of its days.
pub struct History {
    entries: Vec<Entry>,
    fees: BTreeMap<NaiveDate, i64>,
}

impl History {
    /// Every movement up to a day, in order.
    ///
    /// A receipt is itemized where the donor's gifts come to more than $200.00 with it, since its year or cycle began. What
    /// was taken back by a bank lowers what was given, for it was never ours; a refund does not. Whatever follows a receipt is
    /// itemized as the receipt was, also what was moved of it; a refund that failed is always, as the negative disbursement that it is. Parts of joint gifts are gifts to this committee, and count.
    pub fn items<'a>(&'a self, filer: &'a Filer, through: NaiveDate) -> impl Iterator<Item = Item> + 'a {
        let most = self.entries.iter().map(|entry| entry.receipt).max();
        let mut given = vec![0_i64; self.entries.len()];
        let mut itemized = Bits::up_to(most.unwrap_or_default());
        let (mut began, mut day) = (NaiveDate::MIN, None);
        let known = self.entries.iter().take_while(move |entry| entry.day <= through);
        known.filter_map(move |entry| {
            if day != Some(entry.day) {
                day = Some(entry.day);
                let begins = period::begins(filer, entry.day);
                if begins != began {
                    began = begins;
                    given.fill(0);
                }
            }
            // Who speaks for a person is an entry itself.
            let person = given.get_mut(usize::try_from(entry.person).ok()?)?;
            // What was moved was given on the day of its receipt, by whoever it is moved to.
            let is_of_window = entry.given >= began && entry.turn != Turn::Original;
            if !is_refund(entry.kind) && is_of_window {
                *person = person.saturating_add(entry.minor);
            }
            let aggregate_minor = *person;
            if entry.turn == Turn::Money && entry.kind == Kind::Donation && aggregate_minor > THRESHOLD_MINOR {
                itemized.set(entry.place);
            }
            let Entry { day, turn, place, receipt, kind, minor, is_joint, .. } = *entry;
            // Sums of what is not itemized are never less than nothing, so what takes something off them is a line.
            let is_itemized = itemized.get(receipt) || (kind == Kind::RefundReversed && !is_joint);
            Some(Item { turn, place, receipt, kind, day, minor, aggregate_minor, is_itemized, is_joint })
        })
    }

    /// What the processor kept between two days, both counted.
    pub fn fees(&self, from: NaiveDate, through: NaiveDate) -> i64 {
        if from > through {
            return 0;
        }
        self.fees.range(from..=through).fold(0, |sum, (_, fee)| sum.saturating_add(*fee))
    }
}

/// Marks on places.
struct Bits(Vec<u64>);

impl Bits {
    fn up_to(place: u32) -> Self {
        let (word, _) = Self::at(place);
        Self(vec![0; word.saturating_add(1)])
    }

    fn at(place: u32) -> (usize, u64) {
        (usize::try_from(place / u64::BITS).unwrap_or(usize::MAX), 1 << (place % u64::BITS))
    }

    fn set(&mut self, place: u32) {
        let (word, bit) = Self::at(place);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    fn get(&self, place: u32) -> bool {
        let (word, bit) = Self::at(place);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

#[cfg(test)]
mod tests;
