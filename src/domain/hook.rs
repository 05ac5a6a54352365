//! Outgoing webhooks: who outside is told what happens to money, and how far each one is.
//!
//! A delivery is no event, for there are as many as donations. How far a receiver is stands in the log at intervals, with the
//! few that wait behind it; whatever was delivered since is delivered again after a crash, under the same id.

mod event;
mod kind;
#[cfg(test)]
mod tests;

pub use event::{Added, Advanced, Event, GaveUp, HookNamed, Replayed, SentAgain, Switched};
pub use kind::{Kind, Shape};

use super::State;
use super::id::{HookId, PersonId};
use chrono::serde::ts_microseconds;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// Receivers of one installation: a CRM, a texting tool, a warehouse, and what is tried out beside them.
pub const HOOKS_MAX: usize = 20;
/// Characters of a name: one line of a phone.
pub const NAME_CHARS_MAX: usize = 60;
/// Characters of an address.
pub const ADDRESS_CHARS_MAX: usize = 500;
/// Messages of one hook that wait at once; no further ones are begun while so many do.
pub const WAITING_MAX: usize = 1_000;
/// Dead letters of one hook: with so many it is switched off, for its receiver is gone.
pub const DEAD_MAX: usize = 100;
/// Characters of a dead letter's reason.
const REASON_CHARS_MAX: usize = 200;
/// For how long the secret before still signs, so that a receiver can take the new one in its own time.
pub const ROTATION_HOURS: i64 = 24;

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Tell one more receiver, from the event after [`Added::after`] on.
    Add(Added),
    /// Forget a receiver.
    Remove {
        /// Which.
        hook: HookId,
    },
    /// Begin or stop telling it; what happens meanwhile is told when it is switched on again.
    Switch {
        /// Which.
        hook: HookId,
        /// Whether it is told.
        on: bool,
    },
    /// Sign with a new secret.
    Rotate {
        /// Which.
        hook: HookId,
    },
    /// Tell everything again, from this event on.
    Replay {
        /// Which.
        hook: HookId,
        /// The first event.
        from: u64,
    },
    /// How far a receiver is.
    Advance(Advanced),
    /// A message can't be delivered.
    GiveUp(GaveUp),
    /// Try a dead letter once more.
    SendAgain {
        /// Which.
        hook: HookId,
        /// The event it tells of.
        seq: u64,
    },
}

/// The name under which a hook's credentials are sealed.
pub fn sealed_for(hook: HookId) -> PersonId {
    PersonId(hook.0)
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("there is no such webhook: it was removed")]
    Unknown,
    #[error("at most {HOOKS_MAX} receivers are told: remove one first")]
    TooMany,
    #[error("give it a name of at most {NAME_CHARS_MAX} characters: who is told")]
    NameLength,
    #[error(
        "an address begins with https:// and has at most {ADDRESS_CHARS_MAX} characters, without spaces, # or a password"
    )]
    Address,
    #[error("choose what it is told: one thing at least that this shape has")]
    NoKind,
    #[error("ActBlue’s shape is about donors: it can’t be sent without saying who gave")]
    NeedsPersonal,
    #[error("there is no such dead letter: it was sent again, or its receiver was told from there on")]
    NoLetter,
    #[error("events have numbers from 1: give the first that is to be told again")]
    From,
    #[error("what was told of a webhook is not plausible")]
    Told,
}

/// A message that can't be delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dead {
    /// What the receiver answered last.
    pub reason: String,
    /// When it was given up.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
}

/// A receiver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hook {
    /// What it is told, where and how.
    #[serde(with = "super::as_json")]
    pub added: Added,
    /// Whether it is told now.
    pub on: bool,
    /// How often its secret was replaced.
    pub generation: u32,
    /// When last.
    pub rotated_at: Option<DateTime<Utc>>,
    /// How often it was told everything again.
    pub replays: u32,
    /// It has been told everything up to and with this event, bar what waits and what is dead.
    pub through: u64,
    /// Events it has not been told of, and since when that is known.
    pub waiting: BTreeMap<u64, DateTime<Utc>>,
    /// Messages that were given up.
    pub dead: BTreeMap<u64, Dead>,
}

/// Every receiver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hooks {
    by_id: BTreeMap<HookId, Hook>,
}

impl Hooks {
    /// This receiver.
    pub fn get(&self, hook: HookId) -> Option<&Hook> {
        self.by_id.get(&hook)
    }

    /// All of them, in the order of their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (HookId, &Hook)> {
        self.by_id.iter().map(|(id, hook)| (*id, hook))
    }
}

fn is_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}#".contains(c);
    !host.is_empty() && !host.contains('@') && text.len() <= ADDRESS_CHARS_MAX && text.chars().all(plain)
}

fn check(mut added: Added) -> Result<Added, Refusal> {
    if added.name.trim().is_empty() || added.name.chars().nth(NAME_CHARS_MAX).is_some() {
        return Err(Refusal::NameLength);
    }
    if !is_address(&added.address) {
        return Err(Refusal::Address);
    }
    let shape = added.shape;
    added.kinds.retain(|kind| shape.tells(*kind));
    added.kinds.sort_unstable();
    added.kinds.dedup();
    if added.kinds.is_empty() {
        return Err(Refusal::NoKind);
    }
    if shape == Shape::Actblue && !added.personal {
        return Err(Refusal::NeedsPersonal);
    }
    Ok(added)
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let known = |hook| state.hooks.get(hook).ok_or(Refusal::Unknown);
    let events = match command {
        Command::Add(added) => {
            if state.hooks.get(added.hook).is_some() {
                return Ok(vec![]);
            }
            if state.hooks.by_id.len() >= HOOKS_MAX {
                return Err(Refusal::TooMany);
            }
            vec![Event::Added(check(added)?)]
        }
        Command::Remove { hook } => known(hook).map(|_| vec![Event::Removed(HookNamed { hook })])?,
        Command::Switch { hook, on } => {
            let is_so = known(hook)?.on == on;
            if is_so { vec![] } else { vec![Event::Switched(Switched { hook, on })] }
        }
        Command::Rotate { hook } => known(hook).map(|_| vec![Event::Rotated(HookNamed { hook })])?,
        Command::Replay { hook, from } => {
            known(hook)?;
            if from == 0 {
                return Err(Refusal::From);
            }
            vec![Event::Replayed(Replayed { hook, from })]
        }
        Command::Advance(advanced) => advance(known(advanced.hook)?, advanced)?,
        Command::GiveUp(gave_up) => {
            let hook = known(gave_up.hook)?;
            if gave_up.reason.trim().is_empty() || gave_up.reason.chars().nth(REASON_CHARS_MAX).is_some() {
                return Err(Refusal::Told);
            }
            let off = Event::Switched(Switched { hook: gave_up.hook, on: false });
            let is_last = hook.on && hook.dead.len().saturating_add(1) >= DEAD_MAX;
            if hook.dead.contains_key(&gave_up.seq) {
                vec![]
            } else {
                [Event::GaveUp(gave_up)].into_iter().chain(is_last.then_some(off)).collect()
            }
        }
        Command::SendAgain { hook, seq } => {
            let is_dead = known(hook)?.dead.contains_key(&seq);
            is_dead.then(|| vec![Event::SentAgain(SentAgain { hook, seq })]).ok_or(Refusal::NoLetter)?
        }
    };
    Ok(events.into_iter().map(super::Event::Hook).collect())
}

fn advance(hook: &Hook, advanced: Advanced) -> Result<Vec<Event>, Refusal> {
    let Advanced { replays, through, waiting, .. } = &advanced;
    if waiting.len() > WAITING_MAX || waiting.iter().any(|seq| seq > through) {
        return Err(Refusal::Told);
    }
    let is_void = *replays != hook.replays || *through < hook.through;
    let is_known = *through == hook.through && waiting.iter().eq(hook.waiting.keys());
    Ok(if is_void || is_known { vec![] } else { vec![Event::Advanced(advanced)] })
}

pub(super) fn evolve(state: &mut State, event: &Event, at: DateTime<Utc>) {
    let hooks = &mut state.hooks.by_id;
    match event {
        Event::Added(added) => {
            let hook = Hook {
                added: added.clone(),
                on: true,
                generation: 0,
                rotated_at: None,
                replays: 0,
                through: added.after,
                waiting: BTreeMap::new(),
                dead: BTreeMap::new(),
            };
            hooks.insert(added.hook, hook);
        }
        Event::Removed(HookNamed { hook }) => {
            hooks.remove(hook);
        }
        Event::Switched(Switched { hook, on }) => {
            if let Some(hook) = hooks.get_mut(hook) {
                hook.on = *on;
                // Three days begin anew for what waited meanwhile.
                hook.waiting.values_mut().for_each(|since| *since = at);
            }
        }
        Event::Rotated(HookNamed { hook }) => {
            if let Some(hook) = hooks.get_mut(hook) {
                hook.generation = hook.generation.saturating_add(1);
                hook.rotated_at = Some(at);
            }
        }
        Event::Replayed(Replayed { hook, from }) => {
            if let Some(hook) = hooks.get_mut(hook) {
                hook.replays = hook.replays.saturating_add(1);
                hook.through = from.saturating_sub(1);
                hook.waiting.retain(|seq, _| seq < from);
                hook.dead.retain(|seq, _| seq < from);
            }
        }
        Event::Advanced(Advanced { hook, through, waiting, .. }) => {
            if let Some(hook) = hooks.get_mut(hook) {
                let known = std::mem::take(&mut hook.waiting);
                let since = |seq: &u64| (*seq, known.get(seq).copied().unwrap_or(at));
                hook.waiting = waiting.iter().filter(|seq| !hook.dead.contains_key(seq)).map(since).collect();
                hook.through = *through;
            }
        }
        Event::GaveUp(GaveUp { hook, seq, reason }) => {
            if let Some(hook) = hooks.get_mut(hook) {
                hook.waiting.remove(seq);
                hook.dead.insert(*seq, Dead { reason: reason.clone(), at });
            }
        }
        Event::SentAgain(SentAgain { hook, seq }) => {
            if let Some(hook) = hooks.get_mut(hook) {
                hook.dead.remove(seq);
                hook.waiting.insert(*seq, at);
            }
        }
    }
}
