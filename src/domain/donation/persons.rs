//! Which of very many gifts are one person's, found out for all of them at once: the same as [`super::kin`] says of one.

use super::Giver;

/// A name of who gave, and the gift that bears it.
struct Name {
    name: [u8; 16],
    gift: u32,
}

/// Takes in who gave, and joins by either of their names and by whatever hangs together by them.
#[derive(Default)]
pub struct Names(Vec<Name>);

impl Names {
    /// Room for so many givers.
    pub fn with_capacity(givers: usize) -> Self {
        Self(Vec::with_capacity(givers.saturating_mul(2)))
    }

    /// Takes in who gave a gift; gifts are numbered from 0, without gaps.
    pub fn add(&mut self, gift: u32, giver: Giver) {
        let name = |id: crate::domain::id::PersonId| Name { name: id.0.into_bytes(), gift };
        self.0.extend(giver.names().map(name));
    }

    /// For each of so many gifts, the one that speaks for its person.
    pub fn persons(mut self, gifts: u32) -> Vec<u32> {
        self.0.sort_unstable_by_key(|name| name.name);
        let mut persons: Vec<u32> = (0..gifts).collect();
        for pair in self.0.windows(2) {
            if let [one, next] = pair
                && one.name == next.name
            {
                join(&mut persons, one.gift, next.gift);
            }
        }
        drop(self.0);
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
