//! Matches and goals in words.

use super::time;
use crate::domain::drive::{Goal, Matching};
use crate::domain::id::{MatchId, RallyId, SourceId};
use crate::domain::money::Money;
use crate::domain::rally::Rally;
use crate::projections::Projections;
use crate::projections::totals::timezone;
use crate::web::view::drive::{Drive, GoalLine, MatchLine};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// Stretch goals shown at once: those next in reach.
const GOALS_MAX: usize = 2;
/// A match that is over stays on the page for so long: what it came to is said on stage.
const OVER_FOR: TimeDelta = TimeDelta::hours(24);
/// A match is announced this long before it begins.
const BEFORE: TimeDelta = TimeDelta::hours(24);

/// The part `drive`.
pub fn drive(world: &Projections, id: RallyId, rally: &Rally, now: DateTime<Utc>) -> Drive {
    let Some(drive) = world.state.drives.of(id) else { return Drive::default() };
    let zone = timezone(&world.state, id);
    let lines = drive.matches.iter().filter_map(|(id, matching)| line(world, *id, matching, now, zone));
    Drive { matches: lines.collect(), goals: goals(world, id, rally, &drive.goals) }
}

/// What sponsors add to everything given so far, in minor units.
pub fn matched_minor(world: &Projections, id: RallyId) -> i64 {
    let matches = world.state.drives.of(id).into_iter().flat_map(|drive| &drive.matches);
    let added = matches.map(|(id, matching)| matching.adds(world.drive.given_under(*id)).minor);
    added.fold(0, i64::saturating_add)
}

/// What the donate form says of the matches that run: `Every gift is doubled until 9:00 pm EDT by the Rivera family`.
pub fn running(world: &Projections, id: RallyId, rally: &Rally, now: DateTime<Utc>) -> Vec<String> {
    let lines = drive(world, id, rally, now).matches.into_iter().filter(|line| line.running);
    lines.map(|line| format!("{} by {}", line.heading, line.sponsor)).collect()
}

fn line(world: &Projections, id: MatchId, matching: &Matching, now: DateTime<Utc>, zone: Tz) -> Option<MatchLine> {
    let added = matching.adds(world.drive.given_under(id));
    let used_up = added.minor >= matching.most.minor;
    let running = matching.covers(now) && !used_up;
    if matching.from.signed_duration_since(now) > BEFORE || now.signed_duration_since(matching.until) > OVER_FOR {
        return None;
    }
    let heading = if now < matching.from {
        format!("{} from {}", times(matching.percent), time(matching.from, zone))
    } else if used_up {
        "Matched in full".into()
    } else if running {
        format!("{} until {}", times(matching.percent), time(matching.until, zone))
    } else if added.minor > 0 {
        "Matched".into()
    } else {
        return None;
    };
    Some(MatchLine {
        id: id.to_string(),
        heading,
        sponsor: matching.sponsor.clone(),
        running,
        added: added.to_whole(),
        most: matching.most.to_short(),
        percent: percent(added.minor, matching.most.minor),
    })
}

/// What a dollar becomes.
fn times(percent: u16) -> String {
    match percent {
        100 => "Every gift is doubled".into(),
        200 => "Every gift is tripled".into(),
        _ => format!("{percent} % is added to every gift"),
    }
}

fn goals(world: &Projections, id: RallyId, rally: &Rally, goals: &[Goal]) -> Vec<GoalLine> {
    let currency = rally.details.currency;
    let raised = world.totals.sums(id).raised_minor().max(0);
    let line = |goal: &Goal, name: String, raised: i64| GoalLine {
        id: name.clone(),
        name,
        raised: Money::new(raised, currency).to_whole(),
        goal: Money::new(goal.minor, currency).to_short(),
        percent: percent(raised, goal.minor),
    };
    let on = |speaker: SourceId| world.state.broadcast.on_program(id) == Some(speaker);
    let spoken = goals.iter().filter_map(|goal| {
        let speaker = goal.speaker.filter(|speaker| on(*speaker))?;
        let name = format!("While {} speaks: {}", rally.source_name(speaker)?, goal.name);
        Some(line(goal, name, world.drive.while_on(speaker)))
    });
    // The goals in reach, and the last one reached while none is.
    let mut stretch: Vec<_> = goals.iter().filter(|goal| goal.speaker.is_none()).collect();
    stretch.sort_by_key(|goal| goal.minor);
    let reached = stretch.iter().filter(|goal| goal.minor <= raised).count();
    let first = if reached == stretch.len() { reached.saturating_sub(1) } else { reached };
    let stretch = stretch.into_iter().skip(first).take(GOALS_MAX);
    spoken.chain(stretch.map(|goal| line(goal, goal.name.clone(), raised))).collect()
}

fn percent(part: i64, whole: i64) -> u32 {
    u32::try_from(part.saturating_mul(100) / whole.max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
