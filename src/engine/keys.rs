//! Which commands were recorded, for good: a repeat of a key at any age finds the events of the first.
//!
//! Keys are kept as 128 bits of BLAKE3, which do not collide in the life of a campaign. Those of the snapshot that a start began
//! with stand in one sorted table of plain bytes, which is read and written whole, and those of the events after it in another;
//! those that come later are in a map beside them.

use std::cmp::Ordering;
use std::collections::HashMap;

/// The part of a key's hash that is kept.
pub type Short = [u8; 16];

/// The events that followed from one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first one's number.
    pub first_seq: u64,
    /// How many.
    pub count: u32,
}

/// Hash (16 bytes), then the first number (48 bits) and the count (16 bits), big-endian: byte order is the order of the table.
pub type Slot = [u8; SLOT_BYTES];
/// Bytes of a slot.
pub const SLOT_BYTES: usize = 24;
/// A command has at most a few hundred events, see the domain's limits.
const COUNT_BITS: u32 = 16;
/// Slots that a sort begins with at a time, see [`sorted`]: few enough for the quickest of sorts.
const NEAR: usize = 16;

/// Every key.
#[derive(Default)]
pub struct Keys {
    settled: Vec<Slot>,
    /// What a replay added: a merge would move every slot of the other.
    since: Vec<Slot>,
    recent: HashMap<Short, Span>,
}

/// The kept part of a key's hash.
pub fn short(key: &str) -> Short {
    blake3::hash(key.as_bytes()).as_bytes().first_chunk().copied().unwrap_or_default()
}

impl Keys {
    /// What followed from the command with this key.
    pub fn get(&self, key: &Short) -> Option<Span> {
        let recent = || self.recent.get(key).copied();
        // The first to use a key owns it.
        find(&self.settled, key).or_else(|| find(&self.since, key)).or_else(recent)
    }

    /// Notes the next event of a command.
    pub fn remember(&mut self, key: Short, seq: u64) {
        let span = self.recent.entry(key).or_insert(Span { first_seq: seq, count: 0 });
        span.count = span.count.saturating_add(1);
    }

    /// One sorted table of all; only of keys made by a [`Collector`] or from slots.
    pub fn into_slots(mut self) -> Vec<Slot> {
        self.settled.append(&mut self.since);
        // Two sorted runs, which this sort recognises.
        self.settled.sort_by(order);
        without_repeats(&mut self.settled);
        self.settled
    }

    /// The keys in a table; `None` where it is not sorted.
    pub fn from_slots(settled: Vec<Slot>) -> Option<Self> {
        let sorted = settled.iter().zip(settled.iter().skip(1)).all(|(one, next)| hash_of(one) < hash_of(next));
        sorted.then(|| Self { settled, ..Self::default() })
    }
}

/// Hashes are spread evenly, so where one stands is known within some hundred places; from there, strides that double.
fn find(table: &[Slot], key: &Short) -> Option<Span> {
    let before = |place: usize| table.get(place).is_some_and(|slot| hash_of(slot) < key);
    let guess = place_of(key, table.len());
    let (mut low, mut high) = (guess, guess);
    let mut stride = 64_usize;
    while low > 0 && !before(low.saturating_sub(1)) {
        low = low.saturating_sub(stride);
        stride = stride.saturating_mul(2);
    }
    stride = 64;
    while high < table.len() && before(high) {
        high = high.saturating_add(stride).min(table.len());
        stride = stride.saturating_mul(2);
    }
    let near = table.get(low..high.saturating_add(1).min(table.len()))?;
    let place = near.partition_point(|slot| hash_of(slot) < key);
    near.get(place).filter(|slot| hash_of(slot) == key).map(span_of)
}

/// Keys of a replay: gathered in the order of the log, sorted once at its end.
#[derive(Default)]
pub struct Collector {
    settled: Vec<Slot>,
    /// By the first bit of the hash, so that two cores can sort them.
    gathered: [Vec<Slot>; 2],
    last: Option<(Short, Span)>,
}

impl Collector {
    /// Goes on from keys that are known.
    pub fn from(keys: Keys) -> Self {
        let Keys { settled, since: mut low, .. } = keys;
        let high = low.split_off(low.partition_point(|slot| !is_high(slot)));
        Self { settled, gathered: [low, high], last: None }
    }

    /// Notes the next event of a command; the events of one command follow on each other.
    pub fn remember(&mut self, key: Short, seq: u64) {
        match &mut self.last {
            Some((last, span)) if *last == key => span.count = span.count.saturating_add(1),
            last => {
                if let Some((key, span)) = last.replace((key, Span { first_seq: seq, count: 1 })) {
                    self.gather(slot(&key, span));
                }
            }
        }
    }

    fn gather(&mut self, slot: Slot) {
        let [low, high] = &mut self.gathered;
        if is_high(&slot) { high.push(slot) } else { low.push(slot) }
    }

    /// The keys, ready to be looked up.
    pub fn finish(mut self) -> Keys {
        if let Some((key, span)) = self.last.take() {
            self.gather(slot(&key, span));
        }
        let Self { mut settled, gathered: [mut since, mut high], .. } = self;
        std::thread::scope(|scope| {
            scope.spawn(|| sort(&mut high));
            sort(&mut since);
        });
        since.append(&mut high);
        without_repeats(&mut since);
        if settled.is_empty() {
            std::mem::swap(&mut settled, &mut since);
        }
        Keys { settled, since, recent: HashMap::new() }
    }
}

/// Sorts slots whose hashes begin with the same bit by putting each near its place at once, where an evenly spread hash stands:
/// half the work of comparing them all.
fn sort(slots: &mut Vec<Slot>) {
    let parts = slots.len().div_ceil(NEAR);
    let part_of = |slot: &Slot| place(front_of(hash_of(slot)) << 1, parts);
    let mut ends = vec![0_usize; parts];
    for slot in slots.iter() {
        ends.get_mut(part_of(slot)).into_iter().for_each(|count| *count = count.saturating_add(1));
    }
    // Where each part begins, and after the next step where it ends.
    let mut begin = 0_usize;
    for end in &mut ends {
        begin = begin.saturating_add(std::mem::replace(end, begin));
    }
    let mut sorted = vec![[0; SLOT_BYTES]; slots.len()];
    for slot in slots.iter() {
        let Some(end) = ends.get_mut(part_of(slot)) else { continue };
        sorted.get_mut(*end).into_iter().for_each(|to| *to = *slot);
        *end = end.saturating_add(1);
    }
    *slots = Vec::new();
    let mut rest = sorted.as_mut_slice();
    let mut begin = 0;
    for end in ends {
        let Some((part, after)) = rest.split_at_mut_checked(end.saturating_sub(begin)) else { break };
        part.sort_unstable_by(order);
        (rest, begin) = (after, end);
    }
    *slots = sorted;
}

fn is_high(slot: &Slot) -> bool {
    front_of(hash_of(slot)) >> 63 == 1
}

/// The first to use a key owns it.
fn without_repeats(sorted: &mut Vec<Slot>) {
    sorted.dedup_by(|next, one| hash_of(next) == hash_of(one));
}

fn slot(key: &Short, span: Span) -> Slot {
    let mut slot = [0; SLOT_BYTES];
    let count = u64::from(span.count.min((1 << COUNT_BITS) - 1));
    let packed = (span.first_seq << COUNT_BITS | count).to_be_bytes();
    slot.iter_mut().zip(key.iter().chain(&packed)).for_each(|(to, from)| *to = *from);
    slot
}

/// The order of slots' bytes; nearly always it shows in the first eight.
fn order(one: &Slot, other: &Slot) -> Ordering {
    front_of(hash_of(one)).cmp(&front_of(hash_of(other))).then_with(|| one.cmp(other))
}

fn hash_of(slot: &Slot) -> &Short {
    slot.first_chunk().unwrap_or(&[0; 16])
}

fn span_of(slot: &Slot) -> Span {
    let packed = u64::from_be_bytes(slot.last_chunk().copied().unwrap_or_default());
    let count = packed & ((1 << COUNT_BITS) - 1);
    Span { first_seq: packed >> COUNT_BITS, count: u32::try_from(count).unwrap_or(u32::MAX) }
}

fn front_of(key: &Short) -> u64 {
    u64::from_be_bytes(key.first_chunk().copied().unwrap_or_default())
}

/// Where an evenly spread hash stands in a table of `length`.
fn place_of(key: &Short, length: usize) -> usize {
    place(front_of(key), length)
}

fn place(front: u64, length: usize) -> usize {
    let length = u128::try_from(length).unwrap_or(0);
    usize::try_from(u128::from(front).saturating_mul(length) >> 64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_with_its_first_events_wherever_it_stands() {
        for total in [0_u64, 1, 2, 63, 64, 65, 20_000] {
            let mut collector = Collector::default();
            for n in 0..total {
                // Every third command has two events.
                let key = short(&format!("key {n}"));
                (0..=u64::from(n % 3 == 0)).for_each(|more| collector.remember(key, 10 * n + more));
            }
            let mut keys = Keys::from_slots(collector.finish().into_slots()).unwrap();
            for n in 0..total {
                let span = Span { first_seq: 10 * n, count: 1 + u32::from(n % 3 == 0) };
                assert_eq!(keys.get(&short(&format!("key {n}"))), Some(span), "{n} of {total}");
            }
            for stranger in [[0; 16], [0xff; 16], short("another")] {
                assert_eq!(keys.get(&stranger), None);
            }
            keys.remember(short("another"), 7);
            keys.remember(short("another"), 8);
            assert_eq!(keys.get(&short("another")), Some(Span { first_seq: 7, count: 2 }));
        }
    }

    #[test]
    fn a_later_replay_adds_to_the_table_and_the_first_use_of_a_key_stays() {
        let keys = |replays: [std::ops::Range<u64>; 3]| {
            let mut keys = Keys::default();
            for replay in replays {
                let mut collector = Collector::from(keys);
                for n in replay {
                    collector.remember(short(&format!("{n}")), n);
                    // A key that was used before.
                    collector.remember(short(&format!("{}", n / 2)), 1_000_000 + n);
                }
                keys = collector.finish();
            }
            keys
        };
        // What stands apart is found as well as in one table.
        for replays in [[0..3_000, 0..0, 0..0], [0..1_000, 1_000..2_000, 2_000..3_000], [0..0, 0..5, 5..3_000]] {
            let one_table = Keys::from_slots(keys(replays.clone()).into_slots()).unwrap();
            assert_eq!(one_table.settled.len(), 3_000);
            for keys in [keys(replays.clone()), one_table] {
                for n in 0..3_000 {
                    assert_eq!(keys.get(&short(&format!("{n}"))).unwrap().first_seq, n, "{replays:?}");
                }
                assert_eq!(keys.get(&short("3000")), None);
            }
        }
    }

    #[test]
    fn slots_are_sorted_whatever_they_hold() {
        for total in [0_u64, 1, 15, 16, 17, 5_000] {
            let spread = (0..total).map(|n| slot(&short(&format!("{n}")), Span { first_seq: n, count: 1 }));
            // Nobody can make hashes that stand so near each other; the order would be right all the same.
            let dense = (0..total).map(|n| slot(&[7; 16], Span { first_seq: total - n, count: 1 }));
            let edge = (0..total).map(|n| slot(&[0xff; 16], Span { first_seq: n, count: 1 }));
            for slots in [spread.clone().collect::<Vec<_>>(), dense.chain(spread).chain(edge).collect()] {
                let (high, low): (Vec<_>, Vec<_>) = slots.into_iter().partition(is_high);
                for mut slots in [low, high] {
                    let mut expected = slots.clone();
                    expected.sort();
                    sort(&mut slots);
                    assert_eq!(slots, expected);
                }
            }
        }
    }

    #[test]
    fn slots_that_are_no_table_are_refused() {
        let mut collector = Collector::default();
        (0..10).for_each(|n| collector.remember(short(&format!("{n}")), n));
        let slots = collector.finish().into_slots();
        assert!(Keys::from_slots(slots.clone()).is_some());
        let mut swapped = slots.clone();
        swapped.rotate_left(1);
        assert!(Keys::from_slots(swapped).is_none());
        assert!(Keys::from_slots(slots.iter().flat_map(|slot| [*slot, *slot]).collect()).is_none());
    }
}
