//! From where people came to a rally: by a link with a refcode, or by the way they took.

use super::Gifts;
use crate::domain::donation::Way;
use crate::domain::hash::HashMap;
use serde::{Deserialize, Serialize};

/// Origins told apart in one rally: a campaign names tens; anybody can make up a refcode, and no page shows more.
pub const ORIGINS_MAX: usize = 1_000;

/// From where somebody came.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// A link with this refcode.
    Refcode(Box<str>),
    /// Without one.
    Way(Way),
    /// Any of those beyond [`ORIGINS_MAX`].
    Rest,
}

impl Origin {
    /// A refcode says more than the way; what says neither came by the rally's page.
    pub fn new(by: Option<Way>, refcode: Option<&str>) -> Self {
        match refcode.filter(|code| !code.is_empty()) {
            Some(code) => Self::Refcode(code.into()),
            None => Self::Way(by.unwrap_or(Way::Rally)),
        }
    }
}

/// What came from one origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// People who were invited, as staff counts them.
    pub invited: u32,
    /// People who registered.
    pub registered: u32,
    /// Those of them who were in the room while the doors were open.
    pub joined: u32,
    /// People who gave, registered or not; each counts where their first gift here came from.
    pub donors: u32,
    /// Recurring gifts that were begun.
    pub recurring: u32,
    /// Every gift, instalments too.
    pub gifts: Gifts,
}

/// What came from where, in the order in which each was first seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Origins {
    rows: Vec<(Origin, Row)>,
    places: HashMap<Origin, u16>,
    /// For places beyond the list, of which there are none.
    nowhere: Row,
}

impl Origins {
    /// Each origin and what came from it.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Origin, &Row)> {
        self.rows.iter().map(|(origin, row)| (origin, row))
    }

    /// The origin at a place.
    pub fn get(&self, place: u16) -> Option<&Origin> {
        self.rows.get(usize::from(place)).map(|(origin, _)| origin)
    }

    pub(super) fn place(&mut self, origin: Origin) -> u16 {
        if let Some(place) = self.places.get(&origin) {
            return *place;
        }
        let origin = if self.rows.len() < ORIGINS_MAX { origin } else { Origin::Rest };
        let next = u16::try_from(self.rows.len()).unwrap_or(u16::MAX);
        let place = *self.places.entry(origin.clone()).or_insert(next);
        if place == next {
            self.rows.push((origin, Row::default()));
        }
        place
    }

    pub(super) fn row_mut(&mut self, place: u16) -> &mut Row {
        self.rows.get_mut(usize::from(place)).map_or(&mut self.nowhere, |(_, row)| row)
    }

    /// Counts somebody who registered, and says where.
    pub(super) fn registered(&mut self, origin: Origin) -> u16 {
        let place = self.place(origin);
        let row = self.row_mut(place);
        row.registered = row.registered.saturating_add(1);
        place
    }

    /// Takes staff's word for how many were invited; of what is beyond [`ORIGINS_MAX`] nobody can tell.
    pub(super) fn invited(&mut self, origin: Origin, people: u32) {
        let place = self.place(origin);
        if self.get(place) != Some(&Origin::Rest) {
            self.row_mut(place).invited = people;
        }
    }

    /// Counts one of them who came into the room.
    pub(super) fn joined(&mut self, place: u16) {
        let row = self.row_mut(place);
        row.joined = row.joined.saturating_add(1);
    }
}
