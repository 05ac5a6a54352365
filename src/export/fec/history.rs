//! Every movement of a committee's money in the order of its days, with what each donor had given by then: 32 bytes a movement,
//! and 40 more while it is found out who is one person.

use super::period;
use crate::domain::committee::filer::Filer;
use crate::domain::donation::Giver;
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

/// One movement, as it is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where its row stands in the ledger.
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
    place: u32,
    receipt: u32,
    person: u32,
    minor: i64,
    kind: Kind,
    is_joint: bool,
}

/// A name of who gave, and an entry that bears it.
struct Name {
    name: [u8; 16],
    entry: u32,
}

/// Takes movements in, in any order.
#[derive(Default)]
pub struct Gathering {
    entries: Vec<Entry>,
    names: Vec<Name>,
    /// Donors who are one person, as somebody says.
    classes: Vec<BTreeSet<PersonId>>,
    fees: BTreeMap<NaiveDate, i64>,
}

impl Gathering {
    /// Room for so many movements.
    pub fn with_capacity(movements: usize) -> Self {
        let names = Vec::with_capacity(movements.saturating_mul(2));
        Self { entries: Vec::with_capacity(movements), names, ..Self::default() }
    }

    /// Takes one in.
    pub fn add(&mut self, movement: Movement) {
        let Movement { place, receipt, kind, day, minor, is_joint, .. } = movement;
        let person = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.push(Entry { day, place, receipt, person, minor, kind, is_joint });
        let Giver { donor, likeness } = movement.giver;
        for id in [Some(donor), likeness].into_iter().flatten() {
            self.names.push(Name { name: id.0.into_bytes(), entry: person });
        }
        if movement.fee_minor != 0 {
            let of_day = self.fees.entry(movement.moved).or_default();
            *of_day = of_day.saturating_add(movement.fee_minor);
        }
    }

    /// Takes in who is one person, as somebody says.
    pub fn merge(&mut self, classes: Vec<BTreeSet<PersonId>>) {
        self.classes.extend(classes);
    }

    /// Finds out which are one person's, by either of their names, by what somebody says and by whatever hangs together by them,
    /// as limits do (`domain/donation/kin.rs`), and puts all in order.
    pub fn finish(self) -> History {
        let Self { mut entries, mut names, classes, fees } = self;
        names.sort_unstable_by_key(|name| name.name);
        let mut persons: Vec<u32> = entries.iter().map(|entry| entry.person).collect();
        for pair in names.windows(2) {
            if let [one, next] = pair
                && one.name == next.name
            {
                join(&mut persons, one.entry, next.entry);
            }
        }
        for class in classes {
            let entry = |person: PersonId| {
                let name = person.0.into_bytes();
                names.get(names.partition_point(|known| known.name < name)).filter(|known| known.name == name)
            };
            // Who gave to others only has no entry here, and joins those who have.
            let entries: Vec<u32> = class.into_iter().filter_map(|person| Some(entry(person)?.entry)).collect();
            for pair in entries.windows(2) {
                if let [one, next] = pair {
                    join(&mut persons, *one, *next);
                }
            }
        }
        drop(names);
        for entry in &mut entries {
            entry.person = root(&mut persons, entry.person);
        }
        entries.sort_unstable_by_key(|entry| (entry.day, entry.place));
        History { entries, fees }
    }
}

/// The one that speaks for everybody joined with this one.
fn root(persons: &mut [u32], mut of: u32) -> u32 {
    loop {
        let up = get(persons, of);
        if up == of {
            return of;
        }
        // Halving the way keeps it short for all who follow.
        let next = get(persons, up);
        if let Some(slot) = slot(persons, of) {
            *slot = next;
        }
        of = next;
    }
}

fn join(persons: &mut [u32], one: u32, other: u32) {
    let (one, other) = (root(persons, one), root(persons, other));
    // The earlier speaks, whichever came to be known first.
    if let Some(slot) = slot(persons, one.max(other)) {
        *slot = one.min(other);
    }
}

fn get(persons: &[u32], of: u32) -> u32 {
    usize::try_from(of).ok().and_then(|at| persons.get(at)).copied().unwrap_or(of)
}

fn slot(persons: &mut [u32], of: u32) -> Option<&mut u32> {
    persons.get_mut(usize::try_from(of).ok()?)
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
    /// itemized as the receipt was; a refund that failed is always, as the negative disbursement that it is. Parts of joint gifts are gifts to this committee, and count.
    pub fn items<'a>(&'a self, filer: &'a Filer, through: NaiveDate) -> impl Iterator<Item = Item> + 'a {
        let most = self.entries.iter().map(|entry| entry.place).max();
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
            if !is_refund(entry.kind) {
                *person = person.saturating_add(entry.minor);
            }
            let aggregate_minor = *person;
            if entry.kind == Kind::Donation && aggregate_minor > THRESHOLD_MINOR {
                itemized.set(entry.place);
            }
            let Entry { day, place, receipt, kind, minor, is_joint, .. } = *entry;
            // Sums of what is not itemized are never less than nothing, so what takes something off them is a line.
            let is_itemized = itemized.get(receipt) || (kind == Kind::RefundReversed && !is_joint);
            Some(Item { place, receipt, kind, day, minor, aggregate_minor, is_itemized, is_joint })
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
