//! What giving at a rally aims at: stretch goals, goals of single speakers, and sponsors who match what others give.
//!
//! A match is a promise of the sponsor's. It is shown apart from what was received and is never counted as money: the
//! sponsor's own gift is a donation like any other, once it comes.

use super::State;
use super::hash::HashMap;
use super::id::{MatchId, RallyId, SourceId};
use super::money::Money;
use super::rally::AMOUNT_MAJOR_MAX;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Goals of one rally beside its own: more than that nobody follows in one evening.
pub const GOALS_MAX: usize = 24;
/// Matches of one rally: one an hour for a day.
pub const MATCHES_MAX: usize = 24;
/// Characters of a goal's name: one line on a phone.
pub const GOAL_CHARS_MAX: usize = 60;
/// Characters of a sponsor's name.
pub const SPONSOR_CHARS_MAX: usize = 80;
/// The most that a sponsor gives for each dollar, in percent: tenfold.
pub const PERCENT_MAX: u16 = 1_000;

/// A sum to come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goal {
    /// What happens then, in words for donors: "ten new field offices".
    pub name: String,
    /// The sum in minor units of the rally's currency.
    pub minor: i64,
    /// Whose: what is given while this speaker is on program counts. Of all gifts if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<SourceId>,
}

/// A sponsor's promise to add to what others give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matching {
    /// Who promises, as everybody reads it.
    pub sponsor: String,
    /// What they add for each dollar, in percent: 100 doubles it.
    pub percent: u16,
    /// The most they add.
    pub most: Money,
    /// Gifts pledged from this instant on count.
    pub from: DateTime<Utc>,
    /// Gifts pledged before this instant count.
    pub until: DateTime<Utc>,
}

impl Matching {
    /// Whether a gift pledged at that instant counts.
    pub fn covers(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && at < self.until
    }

    /// What the sponsor adds to gifts of `minor` in all.
    pub fn adds(&self, minor: i64) -> Money {
        let adds = i128::from(minor.max(0)) * i128::from(self.percent) / 100;
        let adds = i64::try_from(adds).unwrap_or(i64::MAX);
        Money::new(adds.min(self.most.minor), self.most.currency)
    }
}

/// One rally's goals and matches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drive {
    /// In the order they were written.
    pub goals: Vec<Goal>,
    /// In the order they were promised.
    pub matches: Vec<(MatchId, Matching)>,
}

/// Every rally's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drives {
    by_rally: HashMap<RallyId, Drive>,
}

impl Drives {
    /// One rally's; `None` where nothing was set.
    pub fn of(&self, rally: RallyId) -> Option<&Drive> {
        self.by_rally.get(&rally)
    }

    /// One match.
    pub fn matching(&self, rally: RallyId, id: MatchId) -> Option<&Matching> {
        self.of(rally)?.matches.iter().find(|(known, _)| *known == id).map(|(_, matching)| matching)
    }
}

/// What may be asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    /// These goals from now on.
    SetGoals { rally: RallyId, goals: Vec<Goal> },
    /// A sponsor promises, or promises otherwise.
    SetMatch { rally: RallyId, id: MatchId, matching: Matching },
    /// A sponsor's promise never was: it is shown no more.
    WithdrawMatch { rally: RallyId, id: MatchId },
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    GoalsSet(GoalsSet),
    MatchSet(MatchSet),
    MatchWithdrawn(MatchNamed),
}

impl Event {
    /// Which rally's.
    pub fn rally(&self) -> RallyId {
        match self {
            Self::GoalsSet(data) => data.rally,
            Self::MatchSet(data) => data.rally,
            Self::MatchWithdrawn(data) => data.rally,
        }
    }
}

/// These goals from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GoalsSet {
    /// Which rally.
    pub rally: RallyId,
    /// All of them, also what did not change.
    pub goals: Vec<Goal>,
}

/// A sponsor promises.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchSet {
    /// Which rally.
    pub rally: RallyId,
    /// Which match.
    #[serde(rename = "match")]
    pub id: MatchId,
    /// All of it, also what did not change.
    #[serde(rename = "terms")]
    pub matching: Matching,
}

/// Something about one match.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchNamed {
    /// Which rally.
    pub rally: RallyId,
    /// Which match.
    #[serde(rename = "match")]
    pub id: MatchId,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("there is no such rally")]
    UnknownRally,
    #[error("there is no such match")]
    UnknownMatch,
    #[error("a rally has at most {GOALS_MAX} goals")]
    TooManyGoals,
    #[error("say in a few words what the goal is for, at most {GOAL_CHARS_MAX} characters")]
    GoalName,
    #[error("a goal is more than nothing and at most a billion")]
    GoalAmount,
    #[error("a goal's speaker is not on this rally's bill")]
    GoalSpeaker,
    #[error("a rally has at most {MATCHES_MAX} matches: withdraw one that is over")]
    TooManyMatches,
    #[error("say who matches the gifts, with at most {SPONSOR_CHARS_MAX} characters")]
    Sponsor,
    #[error("a match adds 1 to {PERCENT_MAX} percent")]
    Percent,
    #[error("a match has an upper limit, in the rally's currency")]
    MatchAmount,
    #[error("a match ends after it begins")]
    MatchTime,
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let known = |rally: RallyId| state.rallies.get(rally).ok_or(Refusal::UnknownRally);
    let event = match command {
        Command::SetGoals { rally, goals } => {
            let (bill, currency) = (&known(rally)?.speakers, known(rally)?.details.currency);
            if goals.len() > GOALS_MAX {
                return Err(Refusal::TooManyGoals);
            }
            for goal in &goals {
                if !fits(&goal.name, GOAL_CHARS_MAX) {
                    return Err(Refusal::GoalName);
                }
                if !is_sum(Money::new(goal.minor, currency)) {
                    return Err(Refusal::GoalAmount);
                }
                let is_billed = |source: SourceId| bill.iter().any(|speaker| speaker.source == source);
                if goal.speaker.is_some_and(|source| !is_billed(source)) {
                    return Err(Refusal::GoalSpeaker);
                }
            }
            if state.drives.of(rally).map_or(goals.is_empty(), |drive| drive.goals == goals) {
                return Ok(vec![]);
            }
            Event::GoalsSet(GoalsSet { rally, goals })
        }
        Command::SetMatch { rally, id, matching } => {
            let currency = known(rally)?.details.currency;
            if !fits(&matching.sponsor, SPONSOR_CHARS_MAX) {
                return Err(Refusal::Sponsor);
            }
            if !(1..=PERCENT_MAX).contains(&matching.percent) {
                return Err(Refusal::Percent);
            }
            if matching.most.currency != currency || !is_sum(matching.most) {
                return Err(Refusal::MatchAmount);
            }
            if matching.until <= matching.from {
                return Err(Refusal::MatchTime);
            }
            let before = state.drives.matching(rally, id);
            if before == Some(&matching) {
                return Ok(vec![]);
            }
            if before.is_none() && state.drives.of(rally).is_some_and(|drive| drive.matches.len() >= MATCHES_MAX) {
                return Err(Refusal::TooManyMatches);
            }
            Event::MatchSet(MatchSet { rally, id, matching })
        }
        Command::WithdrawMatch { rally, id } => {
            known(rally)?;
            state.drives.matching(rally, id).ok_or(Refusal::UnknownMatch)?;
            Event::MatchWithdrawn(MatchNamed { rally, id })
        }
    };
    Ok(vec![super::Event::Drive(event)])
}

fn fits(text: &str, chars_max: usize) -> bool {
    !text.trim().is_empty() && text.chars().nth(chars_max).is_none()
}

fn is_sum(sum: Money) -> bool {
    (1..=AMOUNT_MAJOR_MAX.saturating_mul(sum.currency.minor_per_major())).contains(&sum.minor)
}

pub(super) fn evolve(state: &mut State, event: &Event) {
    let drive = state.drives.by_rally.entry(event.rally()).or_default();
    match event {
        Event::GoalsSet(set) => drive.goals = set.goals.clone(),
        Event::MatchSet(set) => match drive.matches.iter_mut().find(|(id, _)| *id == set.id) {
            Some((_, matching)) => *matching = set.matching.clone(),
            None => drive.matches.push((set.id, set.matching.clone())),
        },
        Event::MatchWithdrawn(named) => drive.matches.retain(|(id, _)| *id != named.id),
    }
}

#[cfg(test)]
mod tests;
