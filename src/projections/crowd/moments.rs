//! What was given in each minute while the doors were open, and during each turn of the program and of the run of show.

use super::Gifts;
use super::people::MINUTES_MAX;
use crate::domain::id::{ItemId, SourceId};
use serde::{Deserialize, Serialize};

/// Turns told apart: a cut every ten seconds for a whole evening. The last one goes on beyond them.
const TURNS_MAX: usize = 4_000;

/// One rally's moments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// From the minute in which the doors opened; at most [`MINUTES_MAX`].
    minutes: Vec<Gifts>,
    /// Who was on program.
    pub program: Turns<SourceId>,
    /// Which item of the run was on.
    pub run: Turns<ItemId>,
}

/// From when on something was, or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Turn<Id> {
    at_s: u32,
    of: Option<Id>,
    gifts: Gifts,
}

/// What was on, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turns<Id>(Vec<Turn<Id>>);

impl<Id> Default for Turns<Id> {
    fn default() -> Self {
        Self(vec![])
    }
}

impl<Id: Copy + PartialEq> Turns<Id> {
    pub(super) fn turn(&mut self, at_s: u32, of: Option<Id>) {
        if self.0.len() < TURNS_MAX {
            self.0.push(Turn { at_s, of, gifts: Gifts::default() });
        }
    }

    /// The last turn was a mistake: what was before goes on.
    pub(super) fn undo(&mut self) {
        let gone = self.0.pop();
        if let (Some(gone), Some(last)) = (gone, self.0.last_mut()) {
            last.gifts.add(gone.gifts);
        }
    }

    fn gives(&mut self, at_s: u32, gifts: Gifts) {
        let after = self.0.partition_point(|turn| turn.at_s <= at_s);
        if let Some(turn) = after.checked_sub(1).and_then(|at| self.0.get_mut(at)) {
            turn.gifts.add(gifts);
        }
    }

    /// What was on in a span of seconds, each cut to it: from when until when, what, and what was given in the whole turn
    /// while the doors were open. Neighbours of the same are one.
    pub fn within(&self, from_s: u32, until_s: u32) -> impl Iterator<Item = (u32, u32, Option<Id>, Gifts)> {
        let first = self.0.first().filter(|first| first.at_s > from_s).map(|_| (from_s, None, Gifts::default()));
        let turns = first.into_iter().chain(self.0.iter().map(|turn| (turn.at_s, turn.of, turn.gifts)));
        let mut runs: Vec<(u32, u32, Option<Id>, Gifts)> = vec![];
        for (at_s, of, gifts) in turns.filter(|(at_s, ..)| *at_s < until_s) {
            let at_s = at_s.max(from_s);
            if let Some(last) = runs.last_mut() {
                last.1 = at_s;
            }
            match runs.last_mut() {
                Some(last) if last.2 == of => last.3.add(gifts),
                Some(_) | None => runs.push((at_s, until_s, of, gifts)),
            }
            if let Some(last) = runs.last_mut() {
                last.1 = until_s;
            }
        }
        runs.into_iter().filter(|(from, until, ..)| from < until)
    }
}

impl Moments {
    /// What was given in each minute, from the one in which the doors opened; none after the last in which anything was.
    pub fn minutes(&self) -> impl ExactSizeIterator<Item = Gifts> {
        self.minutes.iter().copied()
    }

    /// What was gone through before was practice.
    pub(super) fn opens(&mut self) {
        self.run = Turns::default();
    }

    /// Gifts whose form was sent then; those from before and after the doors are of no moment.
    pub(super) fn gives(&mut self, at_s: u32, live: Option<(u32, Option<u32>)>, gifts: Gifts) {
        let Some((opened, ended)) = live else { return };
        if at_s < opened || ended.is_some_and(|ended| at_s >= ended) {
            return;
        }
        self.program.gives(at_s, gifts);
        self.run.gives(at_s, gifts);
        let place = usize::try_from((at_s / 60).saturating_sub(opened / 60)).unwrap_or(usize::MAX);
        if place >= MINUTES_MAX {
            return;
        }
        if place >= self.minutes.len() {
            self.minutes.resize(place.saturating_add(1), Gifts::default());
        }
        if let Some(minute) = self.minutes.get_mut(place) {
            minute.add(gifts);
        }
    }
}
