//! The run of show: what is planned, in order and with times, and what was really on. Going to an item can cut the program in
//! the same decision; taking that back is an event of its own.

mod event;

use super::State;
use super::broadcast;
use super::hash::HashMap;
use super::id::{ItemId, RallyId, SourceId};
use super::rally::{Phase, Rally};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use event::{Event, ItemMoved, ItemNamed, ItemPlanned, Undone};

/// Items of one run: twice as many as a rally has speakers; the studio shows them all.
pub const ITEMS_MAX: usize = 200;
/// Characters of an item's title: a line or two of the studio's column.
pub const TITLE_CHARS_MAX: usize = 80;
/// The longest item, in seconds: a whole evening.
pub const PLANNED_S_MAX: u32 = 6 * 3_600;
/// Turns that are remembered for times and for undo: several through the longest run. The oldest go first; the log has them all.
const TURNS_MAX: usize = 1_000;

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Somebody speaks.
    Speaker,
    /// A clip runs.
    Clip,
    /// The host asks for donations; the picture stays.
    Ask,
    /// The room is asked something; the picture stays.
    Poll,
    /// Nobody is on: the slate stands.
    Break,
}

/// What is planned of an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What it is.
    pub kind: Kind,
    /// As the hosts call it.
    pub title: String,
    /// Whose picture it has, of a speaker or clip.
    pub source: Option<SourceId>,
    /// How long it is meant to take, in seconds.
    pub planned_s: u32,
    /// When it is to begin, where that does not follow from what stands before it.
    pub starts_at: Option<DateTime<Utc>>,
    /// Whether going to it cuts to its picture.
    pub cuts: bool,
}

/// One item of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Its id.
    pub item: ItemId,
    /// What is planned of it.
    pub plan: Plan,
}

/// Since when an item is on, until the next turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Turn {
    /// None: the run stands still.
    item: Option<ItemId>,
    at: DateTime<Utc>,
    /// The program before the turn and because of it.
    before: Option<SourceId>,
    after: Option<SourceId>,
}

/// One rally's run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Show {
    /// In order.
    pub items: Vec<Item>,
    turns: Vec<Turn>,
}

impl Show {
    /// The item with this id.
    pub fn get(&self, item: ItemId) -> Option<&Item> {
        self.items.iter().find(|held| held.item == item)
    }

    fn position(&self, item: ItemId) -> Option<usize> {
        self.items.iter().position(|held| held.item == item)
    }

    /// The item that is on.
    pub fn current(&self) -> Option<&Item> {
        self.get(self.turns.last()?.item?)
    }

    /// The item that undo goes back to: the one that was on before the last turn.
    pub fn before_last(&self) -> Option<&Item> {
        self.get(self.turns.iter().rev().nth(1)?.item?)
    }

    /// The item that follows: the first after the last one that was on which has not been on itself.
    pub fn next(&self) -> Option<&Item> {
        let last = self.turns.iter().rev().find_map(|turn| self.position(turn.item?));
        let rest = self.items.iter().skip(last.map_or(0, |last| last.saturating_add(1)));
        rest.into_iter().find(|held| self.was_on(held.item).is_none())
    }

    /// When an item was on last: since when, and until when unless it still is.
    pub fn was_on(&self, item: ItemId) -> Option<(DateTime<Utc>, Option<DateTime<Utc>>)> {
        let at = self.turns.iter().rposition(|turn| turn.item == Some(item))?;
        let until = self.turns.get(at.saturating_add(1)).map(|turn| turn.at);
        Some((self.turns.get(at)?.at, until))
    }

    /// What undo would take back: the turn to this item, or (none) the end of one.
    pub fn undoes(&self) -> Option<Option<ItemId>> {
        self.turns.last().map(|turn| turn.item)
    }

    /// When each item is planned to begin, in order: at its own time, or when what stands before it is planned to end.
    pub fn planned_starts(&self, starts_at: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let mut next = starts_at;
        let start = |held: &Item| {
            let at = held.plan.starts_at.unwrap_or(next);
            next = at.checked_add_signed(held.plan.length()).unwrap_or(at);
            at
        };
        self.items.iter().map(start).collect()
    }
}

impl Plan {
    /// How long it is meant to take.
    pub fn length(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.planned_s))
    }

    /// The cut that going to the item makes, to a source or to nobody; none if the picture stays.
    fn cut(&self, rally: &Rally) -> Option<Option<SourceId>> {
        let known = |source: &SourceId| rally.source_name(*source).is_some();
        match (self.kind, self.source.filter(known)) {
            (Kind::Speaker | Kind::Clip, Some(source)) if self.cuts => Some(Some(source)),
            (Kind::Break, _) if self.cuts => Some(None),
            (Kind::Speaker | Kind::Clip | Kind::Ask | Kind::Poll | Kind::Break, _) => None,
        }
    }
}

/// The run of every rally that has one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shows {
    by_rally: HashMap<RallyId, Show>,
}

impl Shows {
    /// The rally's run, if it has one.
    pub fn get(&self, rally: RallyId) -> Option<&Show> {
        self.by_rally.get(&rally)
    }
}

/// What may be asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    /// Plan an item, at the end of the run.
    Add { rally: RallyId, item: ItemId, plan: Plan },
    /// Plan it anew.
    Revise { rally: RallyId, item: ItemId, plan: Plan },
    /// Give it another place, counted from 0; a place beyond the end is the last one.
    Move { rally: RallyId, item: ItemId, position: u32 },
    /// Take it out of the run.
    Remove { rally: RallyId, item: ItemId },
    /// Go to it, from wherever the run is.
    Start { rally: RallyId, item: ItemId },
    /// End it with nothing following.
    Stop { rally: RallyId, item: ItemId },
    /// Take back the last turn: to this item, or (none) the end of one.
    Undo { rally: RallyId, item: Option<ItemId> },
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("there is no such rally")]
    UnknownRally,
    #[error("this item is no longer in the run of show: look at the run again")]
    UnknownItem,
    #[error("this speaker or clip is not in the rally: choose another")]
    UnknownSource,
    #[error("an ask, a poll and a break have no picture of their own: choose a speaker or a clip instead")]
    SourceUnfit,
    #[error("give the item a title of at most {TITLE_CHARS_MAX} characters")]
    TitleLength,
    #[error("an item is planned to take from a second to {} hours", PLANNED_S_MAX / 3_600)]
    LengthOutOfRange,
    #[error("a run of show has at most {ITEMS_MAX} items")]
    TooManyItems,
    #[error("this item is on now: go to the next one first")]
    ItemOn,
    #[error("this item is not on any more: look at the run again")]
    NotOn,
    #[error("somebody went on in the meantime: look at the run again, then undo")]
    GoneOn,
    #[error("there is nothing to undo")]
    NothingToUndo,
    #[error("this rally has ended")]
    Ended,
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let nothing = Show::default();
    let open = |rally: RallyId| {
        let current = state.rallies.get(rally).ok_or(Refusal::UnknownRally)?;
        let show = state.shows.get(rally).unwrap_or(&nothing);
        if matches!(current.phase, Phase::Ended { .. }) { Err(Refusal::Ended) } else { Ok((current, show)) }
    };
    let event = match command {
        Command::Add { rally, item, plan } => {
            let (current, show) = open(rally)?;
            if show.get(item).is_some() {
                return Ok(vec![]);
            }
            if show.items.len() >= ITEMS_MAX {
                return Err(Refusal::TooManyItems);
            }
            check(current, &plan)?;
            Event::ItemAdded(ItemPlanned { rally, item, plan })
        }
        Command::Revise { rally, item, plan } => {
            let (current, show) = open(rally)?;
            let held = show.get(item).ok_or(Refusal::UnknownItem)?;
            if held.plan == plan {
                return Ok(vec![]);
            }
            check(current, &plan)?;
            Event::ItemRevised(ItemPlanned { rally, item, plan })
        }
        Command::Move { rally, item, position } => {
            let (_, show) = open(rally)?;
            let from = show.position(item).ok_or(Refusal::UnknownItem)?;
            let to = place(position, show.items.len());
            if from == to {
                return Ok(vec![]);
            }
            Event::ItemMoved(ItemMoved { rally, item, position: u32::try_from(to).unwrap_or(position) })
        }
        Command::Remove { rally, item } => {
            let (_, show) = open(rally)?;
            show.get(item).ok_or(Refusal::UnknownItem)?;
            if show.current().is_some_and(|on| on.item == item) {
                return Err(Refusal::ItemOn);
            }
            Event::ItemRemoved(ItemNamed { rally, item })
        }
        Command::Start { rally, item } => {
            let (current, show) = open(rally)?;
            let held = show.get(item).ok_or(Refusal::UnknownItem)?;
            if show.current() == Some(held) {
                return Ok(vec![]);
            }
            let started = Event::ItemStarted(ItemNamed { rally, item });
            let cut = held.plan.cut(current).filter(|source| !current.has_on(*source));
            return Ok(with_cut(rally, cut, started));
        }
        Command::Stop { rally, item } => {
            let (_, show) = open(rally)?;
            show.current().filter(|on| on.item == item).ok_or(Refusal::NotOn)?;
            Event::ItemStopped(ItemNamed { rally, item })
        }
        Command::Undo { rally, item } => {
            let (current, show) = open(rally)?;
            let turn = show.turns.last().ok_or(Refusal::NothingToUndo)?;
            if turn.item != item {
                return Err(Refusal::GoneOn);
            }
            // A cut by hand since then is not taken back with it.
            let known = turn.before.is_none_or(|source| current.source_name(source).is_some());
            let back = current.program == turn.after && turn.before != turn.after && known;
            let cut = back.then_some(turn.before);
            return Ok(with_cut(rally, cut, Event::Undone(Undone { rally, item })));
        }
    };
    Ok(vec![super::Event::Show(event)])
}

fn with_cut(rally: RallyId, cut: Option<Option<SourceId>>, event: Event) -> Vec<super::Event> {
    let cut = cut.map(|source| super::Event::Broadcast(broadcast::Event::Cut(broadcast::Cut { rally, source })));
    [super::Event::Show(event)].into_iter().chain(cut).collect()
}

fn check(rally: &Rally, plan: &Plan) -> Result<(), Refusal> {
    if plan.title.trim().is_empty() || plan.title.chars().nth(TITLE_CHARS_MAX).is_some() {
        return Err(Refusal::TitleLength);
    }
    if !(1..=PLANNED_S_MAX).contains(&plan.planned_s) {
        return Err(Refusal::LengthOutOfRange);
    }
    match (plan.kind, plan.source) {
        (Kind::Ask | Kind::Poll | Kind::Break, Some(_)) => Err(Refusal::SourceUnfit),
        (Kind::Speaker | Kind::Clip, Some(source)) if rally.source_name(source).is_none() => {
            Err(Refusal::UnknownSource)
        }
        (Kind::Speaker | Kind::Clip | Kind::Ask | Kind::Poll | Kind::Break, _) => Ok(()),
    }
}

/// A place that there is in a run of so many items, one of which goes to it.
fn place(position: u32, items: usize) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX).min(items.saturating_sub(1))
}

pub(super) fn evolve(state: &mut State, event: &Event, at: DateTime<Utc>) {
    let rally = state.rallies.get(event.rally());
    let show = state.shows.by_rally.entry(event.rally()).or_default();
    let before = rally.and_then(|rally| rally.program);
    match event {
        Event::ItemAdded(ItemPlanned { item, plan, .. }) => {
            show.items.push(Item { item: *item, plan: plan.clone() });
        }
        Event::ItemRevised(ItemPlanned { item, plan, .. }) => {
            if let Some(held) = show.items.iter_mut().find(|held| held.item == *item) {
                held.plan = plan.clone();
            }
        }
        Event::ItemMoved(ItemMoved { item, position, .. }) => {
            let Some(from) = show.position(*item) else { return };
            let to = place(*position, show.items.len());
            let held = show.items.remove(from);
            show.items.insert(to, held);
        }
        Event::ItemRemoved(ItemNamed { item, .. }) => {
            show.items.retain(|held| held.item != *item);
            show.turns.iter_mut().filter(|turn| turn.item == Some(*item)).for_each(|turn| turn.item = None);
        }
        Event::ItemStarted(ItemNamed { item, .. }) => {
            let cut = show.get(*item).zip(rally).and_then(|(held, rally)| held.plan.cut(rally));
            let after = cut.unwrap_or(before);
            show.turn(Turn { item: Some(*item), at, before, after });
        }
        Event::ItemStopped(_) => show.turn(Turn { item: None, at, before, after: before }),
        Event::Undone(_) => {
            show.turns.pop();
        }
    }
}

impl Show {
    fn turn(&mut self, turn: Turn) {
        if self.turns.len() >= TURNS_MAX {
            self.turns.remove(0);
        }
        self.turns.push(turn);
    }
}

/// The doors opened: what was gone through before was practice, and the run begins anew.
pub(super) fn doors_opened(state: &mut State, rally: RallyId) {
    if let Some(show) = state.shows.by_rally.get_mut(&rally) {
        show.turns.clear();
    }
}

#[cfg(test)]
mod tests;
