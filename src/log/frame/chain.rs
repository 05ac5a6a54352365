//! What a frame must continue: its predecessor's hash and number, and from version 2 on its own ordinal and skip link.
//!
//! Frame *i* has two links back: to frame *i* - 1, and to a frame chosen so that following the longer link that does not
//! overshoot leads from any frame to any earlier one in at most 3 log2(*i*) steps, and in half of that as a rule. The choice is Myers' (an applicative
//! random-access stack, 1983): take from *i* the largest number of the form 2^k - 1 that fits, again and again until nothing
//! is left; the last number taken is the distance.

use super::{Break, Header};
use crate::log::Head;

/// The frame that frame `index` of version 2 has its skip link to; `None` for frame 0.
pub fn skip_target(index: u64) -> Option<u64> {
    let (mut rest, mut distance) = (index, 0_u64);
    while rest > 0 {
        let bits = rest.checked_add(1).map_or(u64::BITS, u64::ilog2);
        distance = u64::MAX.checked_shr(u64::BITS.saturating_sub(bits)).unwrap_or(0);
        rest = rest.saturating_sub(distance);
    }
    if index == 0 { None } else { Some(index.saturating_sub(distance)) }
}

/// A frame of version 2 that later ones may link to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its ordinal among frames of version 2.
    pub index: u64,
    /// Sequence number of its first line.
    pub first_seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// What the next frame's header begins with.
pub(super) struct Next {
    pub(super) first_seq: u64,
    pub(super) previous: [u8; 32],
    pub(super) index: u64,
    pub(super) skip_seq: u64,
    pub(super) skip: [u8; 32],
}

/// The frames so far, as far as the next ones must fit them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    head: Head,
    /// The last frame of version 2 and what its skip links lead to, one after the other, oldest first: every frame that a
    /// later one can have its skip link to, at most 65.
    links: Vec<Link>,
    /// Whether `links` goes back to frame 0. Not so when reading began in the middle.
    whole: bool,
}

impl Chain {
    /// Before the first frame of a log.
    pub fn start() -> Self {
        Self { head: Head::EMPTY, links: vec![], whole: true }
    }

    /// At a frame whose predecessors are not known.
    pub fn at(header: &Header) -> Self {
        let links = link(header).into_iter().collect::<Vec<_>>();
        // A frame of version 1 has none of version 2 before it.
        let whole = links.first().is_none_or(|link| link.index == 0);
        Self { head: header.head(), links, whole }
    }

    /// At a log's last frame, with what its skip links lead to, newest first and down to frame 0.
    pub fn resume(header: &Header, mut links: Vec<Link>) -> Self {
        links.reverse();
        links.extend(link(header));
        Self { head: header.head(), links, whole: true }
    }

    /// The last frame's head.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Checks that a frame follows and takes it in. The chain is of no use after an error.
    ///
    /// # Errors
    /// [`Break`] says how it does not follow.
    pub fn take(&mut self, header: &Header) -> Result<(), Break> {
        header.follows(&self.head)?;
        let Some(fields) = &header.proof else {
            if !self.links.is_empty() {
                return Err(Break::Version);
            }
            self.whole = true;
            self.head = header.head();
            return Ok(());
        };
        if let Some(expected) = self.next_index().filter(|expected| fields.index != *expected) {
            return Err(Break::Index { expected });
        }
        if self.skip(fields.index).is_some_and(|skip| skip != (fields.skip_seq, fields.skip)) {
            return Err(Break::Skip);
        }
        let target = skip_target(fields.index);
        self.links.retain(|link| target.is_some_and(|target| link.index <= target));
        self.links.extend(link(header));
        self.head = header.head();
        Ok(())
    }

    /// What comes next; `None` when the chain began in the middle and does not know where the skip link must go.
    pub(super) fn next(&self) -> Option<Next> {
        let index = self.next_index()?;
        let (skip_seq, skip) = self.skip(index)?;
        Some(Next { first_seq: self.head.seq.saturating_add(1), previous: self.head.hash, index, skip_seq, skip })
    }

    fn next_index(&self) -> Option<u64> {
        match self.links.last() {
            Some(last) => Some(last.index.saturating_add(1)),
            None if self.whole => Some(0),
            None => None,
        }
    }

    /// The skip link that frame `index` must have, where it is known.
    fn skip(&self, index: u64) -> Option<(u64, [u8; 32])> {
        let Some(target) = skip_target(index) else { return Some((0, [0; 32])) };
        let link = self.links.iter().rev().find(|link| link.index == target)?;
        Some((link.first_seq, link.hash))
    }
}

fn link(header: &Header) -> Option<Link> {
    header.proof.map(|fields| Link { index: fields.index, first_seq: header.first_seq, hash: header.hash })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_the_one_in_the_format_document() {
        let targets: Vec<_> = (1..=15).map(|index| skip_target(index).unwrap()).collect();
        assert_eq!(targets, [0, 1, 0, 3, 4, 3, 0, 7, 8, 7, 10, 11, 10, 7, 0]);
        assert_eq!(skip_target(0), None);
        assert_eq!(skip_target(u64::MAX), Some(0));
        assert_eq!(skip_target(u64::MAX - 1), Some((1 << 63) - 1));
    }

    /// Steps of the walk that a proof takes.
    fn steps(from: u64, to: u64) -> u32 {
        let (mut at, mut steps) = (from, 0);
        while at > to {
            at = skip_target(at).filter(|target| *target >= to).unwrap_or(at - 1);
            steps += 1;
        }
        steps
    }

    #[test]
    fn any_earlier_frame_is_near() {
        for from in 0..1_500_u64 {
            let most = (0..=from).map(|to| steps(from, to)).max().unwrap();
            assert!(most <= 3 * (from + 1).ilog2(), "{most} steps from {from}");
        }
        let mut state = 1_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let from = 10_000_000 + (state >> 40);
            let most = steps(from, state % from);
            assert!(most <= 3 * (from + 1).ilog2(), "{most} steps from {from}");
        }
        assert!(steps(u64::MAX - 1, 1 << 62) <= 192);
    }

    #[test]
    fn remembers_every_frame_that_is_linked_to_later_and_few_more() {
        let mut links: Vec<u64> = vec![];
        for index in 0..100_000 {
            let target = skip_target(index);
            assert!(target.is_none_or(|target| links.contains(&target)), "{index}");
            links.retain(|link| target.is_some_and(|target| *link <= target));
            links.push(index);
            assert!(links.len() <= 18);
        }
    }
}
