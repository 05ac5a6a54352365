//! Donors who may be one person and do not count as one, by what they have in common ([`Traces`]). They are found as a card is
//! offered: who only sends forms is no donor, and fills nothing here.
//!
//! Of each trace the first donor who left it is kept, some forty bytes; who comes after with the same makes a group with them.

use super::Projections;
use crate::domain::donation::{self, Traces};
use crate::domain::hash::{HashMap, HashSet};
use crate::domain::id::{DonationId, PersonId};
use crate::domain::person::Pair;
use crate::domain::{Event, Recorded, State};
use chrono::serde::ts_microseconds;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Pledges whose traces wait for a card: who comes back to the card step after so many others is not looked at.
const WAITING_MAX: usize = 50_000;
/// Groups of donors who look alike: one in a hundred of a million. Pages look at all of them, some microseconds each.
const GROUPS_MAX: usize = 10_000;
/// Once there are so many, further ones are not kept, and at every one of so many it is seen what was decided meanwhile.
const FULL_LOOK: u64 = 1_000;
/// Donors of a group: more addresses of one person are seen to once those are merged.
const MEMBERS_MAX: usize = 6;

/// Why two may be one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Rule {
    /// Their e-mail addresses may lead to one mailbox.
    Mailbox,
    /// Name, house number and postal code are the same, but for nicknames.
    Namesake,
}

/// Two who may be one person.
#[derive(Clone, Debug, PartialEq)]
pub struct Likely {
    /// Who.
    pub pair: Pair,
    /// Why, each rule once.
    pub rules: Vec<Rule>,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// Donors with a trace in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Group {
    rule: Rule,
    #[serde(with = "ts_microseconds")]
    since: DateTime<Utc>,
    members: Vec<PersonId>,
}

/// Donors by their traces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Alike {
    /// The first who left each trace.
    first: HashMap<u64, PersonId>,
    /// By their traces.
    groups: BTreeMap<u64, Group>,
    /// Mailbox and namesake of pledges for which no card was offered yet.
    waiting: HashMap<DonationId, (Option<PersonId>, Option<PersonId>)>,
    /// In the order of their pledges.
    order: VecDeque<DonationId>,
    /// Groups for which there was no room.
    left_out: u64,
}

impl Alike {
    pub(super) fn apply(&mut self, recorded: &Recorded, state: &State) {
        let Event::Donation(event) = &recorded.event else { return };
        if let donation::Event::Pledged(pledged) = event {
            self.wait(pledged.donation, pledged.traces);
        }
        if let donation::Event::PaymentRequested(requested) = event
            && requested.attempt == 1
            && let Some(gift) = state.donations.get(requested.donation)
        {
            let (mailbox, namesake) = self.waiting.remove(&requested.donation).unwrap_or_default();
            self.meet(gift.donor, Traces { mailbox, namesake }, recorded.at, state);
        }
    }

    fn wait(&mut self, donation: DonationId, traces: Traces) {
        if traces.is_empty() {
            return;
        }
        self.waiting.insert(donation, (traces.mailbox, traces.namesake));
        self.order.push_back(donation);
        if self.order.len() > WAITING_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.waiting.remove(&oldest);
        }
    }

    fn meet(&mut self, donor: PersonId, traces: Traces, at: DateTime<Utc>, state: &State) {
        // The mailbox of a plain address is that address, which is not kept a second time.
        let plain = |mailbox: &PersonId| state.donations.last_of(*mailbox).map(|_| *mailbox);
        match traces.mailbox {
            Some(mailbox) => {
                let known = plain(&mailbox).unwrap_or_else(|| self.first_of(mailbox, donor));
                self.join(Rule::Mailbox, mailbox, [known, donor], at, state);
            }
            None => {
                if let Some(known) = self.first.get(&short(donor)).copied() {
                    self.join(Rule::Mailbox, donor, [known, donor], at, state);
                }
            }
        }
        if let Some(namesake) = traces.namesake {
            let known = self.first_of(namesake, donor);
            self.join(Rule::Namesake, namesake, [known, donor], at, state);
        }
    }

    /// Whether there is room for another group; those of which all is decided make some.
    fn has_room(&mut self, state: &State) -> bool {
        if self.groups.len() < GROUPS_MAX {
            return true;
        }
        if self.left_out.is_multiple_of(FULL_LOOK) {
            self.groups.retain(|_, group| !pairs(state, &group.members).is_empty());
        }
        self.left_out = self.left_out.saturating_add(1);
        self.groups.len() < GROUPS_MAX
    }

    /// The first who left a trace: this one, where nobody did before.
    fn first_of(&mut self, trace: PersonId, donor: PersonId) -> PersonId {
        *self.first.entry(short(trace)).or_insert(donor)
    }

    fn join(&mut self, rule: Rule, trace: PersonId, [known, donor]: [PersonId; 2], at: DateTime<Utc>, state: &State) {
        if known == donor || !(self.groups.contains_key(&short(trace)) || self.has_room(state)) {
            return;
        }
        let group = self.groups.entry(short(trace)).or_insert_with(|| Group { rule, since: at, members: vec![known] });
        if group.members.len() < MEMBERS_MAX && !group.members.contains(&donor) {
            group.members.push(donor);
        }
    }
}

/// Half of a keyed hash: two in a million donors are the same with a chance of one in thirty million.
fn short(trace: PersonId) -> u64 {
    trace.0.as_u64_pair().0
}

/// Those who gave, look alike, do not count as one person and were not told apart.
pub fn likely(world: &Projections) -> Vec<Likely> {
    let mut found: BTreeMap<Pair, Likely> = BTreeMap::new();
    for group in world.alike.groups.values() {
        for pair in pairs(&world.state, &group.members) {
            let rules = vec![];
            let likely = found.entry(pair).or_insert(Likely { pair, rules, since: group.since });
            if !likely.rules.contains(&group.rule) {
                likely.rules.push(group.rule);
            }
            likely.since = likely.since.min(group.since);
        }
    }
    found.into_values().collect()
}

/// The pairs of a group of which somebody is to decide: one of each two people in it, whatever either is known by.
fn pairs(state: &State, members: &[PersonId]) -> Vec<Pair> {
    let gave = |person: PersonId| state.donations.by(person).any(|(_, gift)| gift.settled_minor() > 0);
    let members: Vec<PersonId> =
        members.iter().copied().filter(|member| gave(*member) && !state.privacy.is_erased(*member)).collect();
    let mut people: Vec<(PersonId, HashSet<PersonId>)> = vec![];
    // By what the last is known, nobody asks but who looks for pairs that were told apart.
    let is_all_asked = state.persons.apart().len() > 0;
    for (place, member) in members.iter().enumerate() {
        if !people.iter().any(|(_, names)| names.contains(member)) {
            let is_last = place.saturating_add(1) == members.len();
            let names = if is_last && !is_all_asked { HashSet::default() } else { state.names_of(*member) };
            people.push((*member, names));
        }
    }
    let mut pairs = vec![];
    for (place, (one, names)) in people.iter().enumerate() {
        for (other, others) in people.iter().skip(place.saturating_add(1)) {
            if state.persons.apart_between(names, others).is_none() {
                pairs.push(Pair::of(*one, *other));
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests;
