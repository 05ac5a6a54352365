//! Which commands were recorded, for good: a repeat of a key at any age finds the events of the first.
//!
//! Keys are kept as 128 bits of BLAKE3, which do not collide in the life of a campaign. Those known at the start stand in one
//! sorted table of plain bytes, which a snapshot reads and writes whole; those that come later in a map beside it.

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
type Slot = [u8; SLOT_BYTES];
const SLOT_BYTES: usize = 24;
/// A command has at most a few hundred events, see the domain's limits.
const COUNT_BITS: u32 = 16;
/// One for each first byte of a hash.
const PARTS: usize = 256;

/// Every key.
#[derive(Default)]
pub struct Keys {
    settled: Vec<Slot>,
    recent: HashMap<Short, Span>,
}

/// The kept part of a key's hash.
pub fn short(key: &str) -> Short {
    blake3::hash(key.as_bytes()).as_bytes().first_chunk().copied().unwrap_or_default()
}

impl Keys {
    /// What followed from the command with this key.
    pub fn get(&self, key: &Short) -> Option<Span> {
        self.recent.get(key).copied().or_else(|| self.get_settled(key))
    }

    /// Notes the next event of a command.
    pub fn remember(&mut self, key: Short, seq: u64) {
        let span = self.recent.entry(key).or_insert(Span { first_seq: seq, count: 0 });
        span.count = span.count.saturating_add(1);
    }

    /// Hashes are spread evenly, so where one stands is known within some hundred places; from there, strides that double.
    fn get_settled(&self, key: &Short) -> Option<Span> {
        let table = self.settled.as_slice();
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

    /// The table's bytes; only of keys made by a [`Collector`] or read from bytes.
    pub fn settled_bytes(&self) -> &[u8] {
        self.settled.as_flattened()
    }

    /// A table from its bytes; `None` where they are no sorted table.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (slots, rest) = bytes.as_chunks::<SLOT_BYTES>();
        let sorted = slots.iter().zip(slots.iter().skip(1)).all(|(one, next)| hash_of(one) < hash_of(next));
        (rest.is_empty() && sorted).then(|| Self { settled: slots.to_vec(), recent: HashMap::new() })
    }
}

/// Keys of a replay: gathered in the order of the log, sorted once at its end.
pub struct Collector {
    settled: Vec<Slot>,
    /// By their first byte, so that each part is sorted within a core's cache, and grows by little at a time.
    gathered: Vec<Vec<Slot>>,
    last: Option<(Short, Span)>,
}

impl Default for Collector {
    fn default() -> Self {
        Self::from(Keys::default())
    }
}

impl Collector {
    /// Goes on from keys that are known.
    pub fn from(keys: Keys) -> Self {
        Self { settled: keys.settled, gathered: vec![Vec::new(); PARTS], last: None }
    }

    /// Notes the next event of a command; the events of one command follow on each other.
    pub fn remember(&mut self, key: Short, seq: u64) {
        match &mut self.last {
            Some((last, span)) if *last == key => span.count = span.count.saturating_add(1),
            last => {
                let before = last.replace((key, Span { first_seq: seq, count: 1 }));
                self.gather(before);
            }
        }
    }

    fn gather(&mut self, command: Option<(Short, Span)>) {
        let Some((key, span)) = command else { return };
        let [front, ..] = key;
        if let Some(part) = self.gathered.get_mut(usize::from(front)) {
            part.push(slot(&key, span));
        }
    }

    /// The keys, ready to be looked up.
    pub fn finish(mut self) -> Keys {
        let last = self.last.take();
        self.gather(last);
        std::thread::scope(|scope| {
            let (one, other) = self.gathered.split_at_mut(PARTS / 2);
            scope.spawn(|| one.iter_mut().for_each(|part| part.sort_unstable()));
            other.iter_mut().for_each(|part| part.sort_unstable());
        });
        let new = self.gathered.iter().map(Vec::len).fold(0_usize, usize::saturating_add);
        if new > 0 {
            let known = !self.settled.is_empty();
            self.settled.reserve_exact(new);
            // Each part's memory is free again once it is taken over.
            self.gathered.into_iter().for_each(|part| self.settled.extend_from_slice(&part));
            if known {
                // Two sorted runs, which this sort recognises.
                self.settled.sort();
            }
            // The first to use a key owns it.
            self.settled.dedup_by(|next, one| hash_of(next) == hash_of(one));
        }
        Keys { settled: self.settled, recent: HashMap::new() }
    }
}

fn slot(key: &Short, span: Span) -> Slot {
    let mut slot = [0; SLOT_BYTES];
    let count = u64::from(span.count.min((1 << COUNT_BITS) - 1));
    let packed = (span.first_seq << COUNT_BITS | count).to_be_bytes();
    slot.iter_mut().zip(key.iter().chain(&packed)).for_each(|(to, from)| *to = *from);
    slot
}

fn hash_of(slot: &Slot) -> &Short {
    slot.first_chunk().unwrap_or(&[0; 16])
}

fn span_of(slot: &Slot) -> Span {
    let packed = u64::from_be_bytes(slot.last_chunk().copied().unwrap_or_default());
    let count = packed & ((1 << COUNT_BITS) - 1);
    Span { first_seq: packed >> COUNT_BITS, count: u32::try_from(count).unwrap_or(u32::MAX) }
}

/// Where an evenly spread hash stands in a table of `length`.
fn place_of(key: &Short, length: usize) -> usize {
    let front = u128::from(u64::from_be_bytes(key.first_chunk().copied().unwrap_or_default()));
    let length = u128::try_from(length).unwrap_or(0);
    usize::try_from(front.saturating_mul(length) >> 64).unwrap_or(0)
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
            let mut keys = Keys::from_bytes(collector.finish().settled_bytes()).unwrap();
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
        let mut first = Collector::default();
        (0..1_000).for_each(|n| first.remember(short(&format!("a{n}")), n));
        let mut second = Collector::from(first.finish());
        (0..1_000).for_each(|n| second.remember(short(&format!("b{n}")), 5_000 + n));
        second.remember(short("a3"), 9_000);
        let keys = second.finish();
        assert_eq!(keys.get(&short("a3")), Some(Span { first_seq: 3, count: 1 }));
        assert_eq!(keys.get(&short("b999")), Some(Span { first_seq: 5_999, count: 1 }));
        assert_eq!(keys.settled.len(), 2_000);
    }

    #[test]
    fn bytes_that_are_no_table_are_refused() {
        let mut collector = Collector::default();
        (0..10).for_each(|n| collector.remember(short(&format!("{n}")), n));
        let bytes = collector.finish().settled_bytes().to_vec();
        assert!(Keys::from_bytes(&bytes).is_some());
        assert!(Keys::from_bytes(&bytes[1..]).is_none());
        let mut swapped = bytes;
        swapped.rotate_left(SLOT_BYTES);
        assert!(Keys::from_bytes(&swapped).is_none());
    }
}
