//! Joint gifts: one gift that several committees share by a stated formula (11 CFR 102.17(c)), each of them with its own limit.

use super::{CommitteeId, Refusal, Room};
use crate::domain::State;
use crate::domain::money::{Currency, Money};
use serde::{Deserialize, Serialize};

/// Committees that share a gift: donors read all of them before they give.
pub const PARTNERS_MAX: usize = 10;
/// A whole in hundredths of a percent.
pub const WHOLE: u16 = 10_000;

/// How a joint committee's gifts are shared out. What one partner may not take goes to the others in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formula {
    /// Whether each takes all it may before the next, in their order; otherwise each has its share at once.
    pub in_turn: bool,
    /// Who shares.
    pub partners: Vec<Partner>,
}

/// One of those who share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    /// Which committee.
    pub committee: CommitteeId,
    /// Its share in hundredths of a percent; all together are [`WHOLE`]. Nothing where each takes its turn.
    #[serde(default)]
    pub basis_points: u16,
}

/// One committee's part of a gift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Whose.
    pub committee: CommitteeId,
    /// How much.
    pub amount: Money,
}

/// What a partner may still take; `None` where nothing limits it.
pub type PartnerRoom = Option<Room>;

impl Formula {
    pub(super) fn check(&self, state: &State, joint: CommitteeId) -> Result<(), Refusal> {
        let known = |partner: &Partner| {
            let committee = state.committees.get(partner.committee);
            committee.is_some_and(|committee| partner.committee != joint && committee.rules.formula.is_none())
        };
        if !(2..=PARTNERS_MAX).contains(&self.partners.len()) || !self.partners.iter().all(known) {
            return Err(Refusal::Partners);
        }
        let mut names: Vec<CommitteeId> = self.partners.iter().map(|partner| partner.committee).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() != self.partners.len() {
            return Err(Refusal::Partners);
        }
        let whole = self.partners.iter().fold(0_u32, |sum, partner| sum.saturating_add(partner.basis_points.into()));
        let shares = self.partners.iter().all(|partner| partner.basis_points > 0) && whole == u32::from(WHOLE);
        if self.in_turn || shares { Ok(()) } else { Err(Refusal::Shares) }
    }

    /// What all partners may still take together; `None` where one of them may take anything.
    pub fn room(&self, rooms: &[PartnerRoom], currency: Currency) -> PartnerRoom {
        let mut all = Room {
            limit: "committees that share this gift".into(),
            most: Money::zero(currency),
            left: Money::zero(currency),
        };
        for room in rooms {
            let room = room.as_ref()?;
            all.most.minor = all.most.minor.saturating_add(room.most.minor);
            all.left.minor = all.left.minor.saturating_add(room.left.minor);
        }
        Some(all)
    }

    /// Shares a gift out among the partners, whose rooms stand in their order; `None` where there is not room for all of it.
    pub fn parts(&self, amount: Money, rooms: &[PartnerRoom]) -> Option<Box<[Part]>> {
        let left = |at: usize| rooms.get(at).and_then(Option::as_ref).map_or(i64::MAX, |room| room.left.minor);
        let mut parties: Vec<Party> = (0..self.partners.len()).map(|at| Party { left: left(at), taken: 0 }).collect();
        let mut rest = amount.minor;
        if self.in_turn {
            for party in &mut parties {
                rest = party.take(rest, rest);
            }
        }
        while rest > 0 && !self.in_turn {
            let weight = |(party, partner): (&Party, &Partner)| {
                if party.left > 0 { i64::from(partner.basis_points) } else { 0 }
            };
            let weights: Vec<i64> = parties.iter().zip(&self.partners).map(weight).collect();
            // Each round gives all of it out, or fills one of them up.
            let shares = in_proportion(rest, &weights)?;
            for (party, share) in parties.iter_mut().zip(shares) {
                rest = party.take(share, rest);
            }
        }
        if rest > 0 {
            return None;
        }
        let parts = self.partners.iter().zip(&parties).filter(|(_, party)| party.taken > 0);
        let part = |(partner, party): (&Partner, &Party)| Part {
            committee: partner.committee,
            amount: Money::new(party.taken, amount.currency),
        };
        Some(parts.map(part).collect())
    }
}

struct Party {
    left: i64,
    taken: i64,
}

impl Party {
    /// Takes of what is offered as much as there is room for; what remains of `rest`.
    fn take(&mut self, offered: i64, rest: i64) -> i64 {
        let taken = offered.min(self.left);
        self.left = self.left.saturating_sub(taken);
        self.taken = self.taken.saturating_add(taken);
        rest.saturating_sub(taken)
    }
}

/// A sum shared out by weights in whole minor units, to the last of them; `None` where nothing weighs anything.
///
/// What the parts of a gift come to after some of it went back is this too, so that they always come to the whole.
pub fn in_proportion(minor: i64, weights: &[i64]) -> Option<Vec<i64>> {
    let whole: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    if whole <= 0 {
        return None;
    }
    let (mut before, mut weight) = (0_i64, 0_i128);
    let mut shares = Vec::with_capacity(weights.len());
    for next in weights {
        weight = weight.saturating_add(i128::from(*next));
        let until = i64::try_from((i128::from(minor) * weight).div_euclid(whole)).ok()?;
        shares.push(until.saturating_sub(before));
        before = until;
    }
    Some(shares)
}

#[cfg(test)]
mod tests;
