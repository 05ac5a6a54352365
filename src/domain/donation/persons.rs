//! Which of very many gifts are one person's, found out for all of them at once: the same as [`super::kin`] says of one.

use super::Giver;
use crate::domain::id::PersonId;
use std::collections::BTreeSet;

/// A name of who gave, and the gift that bears it.
struct Name {
    name: [u8; 16],
    gift: u32,
}

/// Takes in who gave, and joins by either of their names and by whatever hangs together by them.
#[derive(Default)]
pub struct Names {
    names: Vec<Name>,
    /// Donors who are one person, as somebody says.
    classes: Vec<BTreeSet<PersonId>>,
}

impl Names {
    /// Room for so many givers.
    pub fn with_capacity(givers: usize) -> Self {
        Self { names: Vec::with_capacity(givers.saturating_mul(2)), classes: vec![] }
    }

    /// Takes in who gave a gift; gifts are numbered from 0, without gaps.
    pub fn add(&mut self, gift: u32, giver: Giver) {
        let name = |id: PersonId| Name { name: id.0.into_bytes(), gift };
        self.names.extend(giver.names().map(name));
    }

    /// Takes in who is one person, as somebody says.
    pub fn merge(&mut self, classes: Vec<BTreeSet<PersonId>>) {
        self.classes.extend(classes);
    }

    /// For each of so many gifts, the one that speaks for its person.
    pub fn persons(self, gifts: u32) -> Vec<u32> {
        let Self { mut names, classes } = self;
        names.sort_unstable_by_key(|name| name.name);
        let mut persons: Vec<u32> = (0..gifts).collect();
        for pair in names.windows(2) {
            if let [one, next] = pair
                && one.name == next.name
            {
                join(&mut persons, one.gift, next.gift);
            }
        }
        for class in classes {
            let gift = |person: PersonId| {
                let name = person.0.into_bytes();
                names.get(names.partition_point(|known| known.name < name)).filter(|known| known.name == name)
            };
            // Who gave to others only has no gift here, and joins those who have.
            let gifts: Vec<u32> = class.into_iter().filter_map(|person| Some(gift(person)?.gift)).collect();
            for pair in gifts.windows(2) {
                if let [one, next] = pair {
                    join(&mut persons, *one, *next);
                }
            }
        }
        drop(names);
        for gift in 0..gifts {
            let root = root(&mut persons, gift);
            if let Some(slot) = slot(&mut persons, gift) {
                *slot = root;
            }
        }
        persons
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
