//! Who registered for a rally, and when each was in the room while its doors were open.
//!
//! Some 100 bytes a person in all: 40 here, 20 and the map's slack to find them by, 12 for each stay.

mod figures;

use super::origin::Origins;
use crate::domain::hash::HashMap;
use crate::domain::id::PersonId;
pub use figures::{Funnel, MINUTES_MAX, Minute, Stretch, Watched};
use serde::{Deserialize, Serialize};

/// No place in a list.
const NONE: u32 = u32::MAX;
/// Nobody has left yet.
const OPEN: u32 = u32::MAX;

/// Somebody who registered, once however often they did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendee {
    /// Who.
    pub person: PersonId,
    /// The event by which they joined last: the sealed [`crate::domain::profile::Attendee`] is read from the log there.
    pub seq: u64,
    /// Places of the first and the last stay.
    first: u32,
    last: u32,
    /// The place of where they came from.
    pub(super) origin: u16,
    /// Whether a page of theirs is open, before and after the doors too.
    is_here: bool,
    gave: bool,
    gave_again: bool,
}

impl Attendee {
    /// The place of where they came from, among the rally's origins.
    pub fn origin(&self) -> u16 {
        self.origin
    }

    /// Whether they were in the room while the doors were open.
    pub fn was_there(&self) -> bool {
        self.first != NONE
    }
}

/// From when until when somebody was in the room, in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stay {
    from_s: u32,
    until_s: u32,
    /// The place of their next one.
    next: u32,
}

/// The people of one rally, in the order in which they registered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct People {
    attendees: Vec<Attendee>,
    places: HashMap<PersonId, u32>,
    /// In the order in which they began.
    stays: Vec<Stay>,
    /// People with a page open.
    here: u32,
    opened_s: Option<u32>,
    ended_s: Option<u32>,
}

impl People {
    /// Everybody who registered, in that order.
    pub fn attendees(&self) -> &[Attendee] {
        &self.attendees
    }

    /// The one who is this person.
    pub fn find(&self, person: PersonId) -> Option<&Attendee> {
        self.attendees.get(index(*self.places.get(&person)?))
    }

    /// From when until when somebody was in the room, in seconds since 1970; none for the end of what lasts.
    pub fn stays(&self, attendee: &Attendee) -> impl Iterator<Item = (u32, Option<u32>)> {
        let stay = |place: u32| self.stays.get(index(place));
        std::iter::successors(stay(attendee.first), move |held| stay(held.next))
            .map(|held| (held.from_s, Some(held.until_s).filter(|until| *until != OPEN)))
    }

    /// From when until when the doors were open.
    pub fn live(&self) -> Option<(u32, Option<u32>)> {
        self.opened_s.map(|opened| (opened, self.ended_s))
    }

    fn is_live(&self) -> bool {
        self.opened_s.is_some() && self.ended_s.is_none()
    }

    fn find_mut(&mut self, person: PersonId) -> Option<&mut Attendee> {
        self.attendees.get_mut(index(*self.places.get(&person)?))
    }

    pub(super) fn registers(&mut self, person: PersonId, seq: u64, origin: impl FnOnce() -> u16, gave: bool) {
        // Who was erased and comes back is the same person, with a profile of their own.
        if let Some(known) = self.find_mut(person) {
            known.seq = seq;
            return;
        }
        let Ok(place) = u32::try_from(self.attendees.len()) else { return };
        self.places.insert(person, place);
        let origin = origin();
        let (first, last) = (NONE, NONE);
        self.attendees.push(Attendee { person, seq, first, last, origin, is_here: false, gave, gave_again: false });
    }

    pub(super) fn enters(&mut self, person: PersonId, at_s: u32, origins: &mut Origins) {
        let Some(place) = self.places.get(&person).copied() else { return };
        let Some(known) = self.attendees.get_mut(index(place)).filter(|known| !known.is_here) else { return };
        known.is_here = true;
        self.here = self.here.saturating_add(1);
        if self.is_live() {
            self.begins(place, at_s, origins);
        }
    }

    pub(super) fn leaves(&mut self, person: PersonId, at_s: u32) {
        let Some(known) = self.find_mut(person).filter(|known| known.is_here) else { return };
        known.is_here = false;
        let last = known.last;
        self.here = self.here.saturating_sub(1);
        self.closes(last, at_s);
    }

    /// Who waited at the closed doors is in the room.
    pub(super) fn opens(&mut self, at_s: u32, origins: &mut Origins) {
        self.opened_s = Some(at_s);
        let waiting = |(place, known): (u32, &Attendee)| known.is_here.then_some(place);
        let places: Vec<u32> = (0..).zip(&self.attendees).filter_map(waiting).collect();
        places.into_iter().for_each(|place| self.begins(place, at_s, origins));
    }

    /// Whoever stays on the page after the end watches no rally any more.
    pub(super) fn ends(&mut self, at_s: u32) {
        self.close_all(at_s);
        self.ended_s = Some(at_s);
    }

    /// The server stopped without anybody's leaving being told: they were there until the last that was heard.
    pub(super) fn is_cut_off(&mut self, last_s: u32) {
        if self.here == 0 {
            return;
        }
        self.close_all(last_s);
        self.attendees.iter_mut().for_each(|known| known.is_here = false);
        self.here = 0;
    }

    pub(super) fn gives(&mut self, person: PersonId) {
        if let Some(known) = self.find_mut(person) {
            known.gave = true;
        }
    }

    pub(super) fn gives_again(&mut self, person: PersonId) {
        if let Some(known) = self.find_mut(person) {
            known.gave_again = true;
        }
    }

    fn begins(&mut self, place: u32, at_s: u32, origins: &mut Origins) {
        let Ok(next) = u32::try_from(self.stays.len()) else { return };
        let Some(known) = self.attendees.get_mut(index(place)) else { return };
        match self.stays.get_mut(index(known.last)) {
            Some(last) => last.next = next,
            None => {
                known.first = next;
                origins.joined(known.origin);
            }
        }
        known.last = next;
        self.stays.push(Stay { from_s: at_s, until_s: OPEN, next: NONE });
    }

    fn closes(&mut self, place: u32, at_s: u32) {
        if let Some(stay) = self.stays.get_mut(index(place)).filter(|stay| stay.until_s == OPEN) {
            stay.until_s = at_s;
        }
    }

    fn close_all(&mut self, at_s: u32) {
        self.stays.iter_mut().filter(|stay| stay.until_s == OPEN).for_each(|stay| stay.until_s = at_s);
    }
}

fn index(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_weighs_what_is_said() {
        assert_eq!((size_of::<Attendee>(), size_of::<Stay>(), size_of::<(PersonId, u32)>()), (40, 12, 20));
    }
}
