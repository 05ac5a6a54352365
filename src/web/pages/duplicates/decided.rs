//! What was decided of donors who look alike, the latest first.

use super::side::{Donor, name};
use super::{Act, Sent};
use crate::domain::id::PersonId;
use crate::domain::person::Pair;
use crate::projections::Projections;
use crate::projections::totals::timezone;
use crate::report::contacts::Contacts;
use crate::web::pages::home::when_in_words;
use crate::web::present;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

/// A decision.
#[derive(Debug, Clone)]
pub struct Decided {
    /// For the form: who was kept, or the one.
    pub one: String,
    /// For the form: the other.
    pub other: String,
    /// Names and e-mail addresses of both.
    pub names: [(String, String); 2],
    /// Whether they are one person.
    pub is_merged: bool,
    /// When that was decided.
    pub when: String,
    /// The same as RFC 3339.
    pub when_iso: String,
    /// What was typed as a reason to take it back.
    pub reason: String,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// A decision, whose names are still sealed.
pub(super) struct Known {
    line: Decided,
    donors: [Donor; 2],
}

/// The latest decisions, and how many more there are; what was sent and refused before all.
pub(super) fn decisions(world: &Projections, sent: Option<&Sent>, most: usize) -> (Vec<Known>, usize) {
    let persons = &world.state.persons;
    let merges = persons.merges().map(|(pair, merge)| {
        let [one, other] = pair.both();
        let both = if merge.kept == one { [one, other] } else { [other, one] };
        (merge.at, pair, both, true)
    });
    let apart = persons.apart().map(|(pair, apart)| (apart.at, pair, pair.both(), false));
    let mut all: Vec<_> = merges.chain(apart).collect();
    let is_sent = |pair: Pair| sent.is_some_and(|sent| sent.pair == pair);
    all.sort_by_key(|(at, pair, ..)| (!is_sent(*pair), std::cmp::Reverse(*at), *pair));
    let more = all.len().saturating_sub(most);
    let newest = world.state.rallies.iter().max_by_key(|(_, rally)| rally.details.starts_at);
    let zone = newest.map_or(Tz::UTC, |(id, _)| timezone(&world.state, id));
    let known = |(at, pair, both, is_merged): (DateTime<Utc>, Pair, [PersonId; 2], bool)| {
        let sent = sent.filter(|sent| sent.pair == pair && (sent.act == Act::Part) == is_merged);
        let [one, other] = both;
        let line = Decided {
            one: one.to_string(),
            other: other.to_string(),
            names: Default::default(),
            is_merged,
            when: when_in_words(at, zone),
            when_iso: present::iso(at),
            reason: sent.map(|sent| sent.reason.clone()).unwrap_or_default(),
            error: sent.map(|sent| sent.error.clone()),
        };
        Known { line, donors: both.map(|person| Donor::new(world, person)) }
    };
    (all.into_iter().take(most).map(known).collect(), more)
}

impl Known {
    /// The decision with the names.
    pub(super) fn named(self, contacts: &mut Contacts) -> Decided {
        let names = self.donors.map(|donor| {
            let contact = donor.open(contacts);
            (name(contact.as_ref()), contact.map(|contact| contact.email).unwrap_or_default())
        });
        Decided { names, ..self.line }
    }
}
