//! The run of show as the studio shows it: planned and real times, what is left, what comes next and whether it is well.

use super::source_state;
use crate::domain::id::RallyId;
use crate::domain::rally::{Phase, Rally};
use crate::domain::show::{Item, Kind, Plan, Show};
use crate::media;
use crate::projections::Projections;
use crate::projections::totals::timezone;
use crate::web::App;
use crate::web::view::SourceState;
use crate::web::view::run::{Run, RunGo, RunItem, RunState, RunUndo};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// The next item is warned when so much is left of the one that is on, in seconds.
const SOON_S: i64 = 60;
/// Less than this off the plan is on time, in seconds.
const ON_TIME_S: i64 = 60;
/// Farther off the plan than this, it is another day's plan: a rehearsal.
const PLAN_S_MAX: i64 = 12 * 3_600;

/// The rally's run of show.
pub fn run(app: &App, world: &Projections, id: RallyId, rally: &Rally, now: DateTime<Utc>) -> Run {
    let is_over = matches!(rally.phase, Phase::Ended { .. });
    let edit_href = (!is_over).then(|| format!("/host/r/{}/show", rally.details.slug));
    let Some(show) = world.state.shows.get(id) else { return Run { edit_href, ..Run::default() } };
    let room = Room { app, world, rally, show, zone: timezone(&world.state, id), now };
    let planned = show.planned_starts(rally.details.starts_at);
    let items = show.items.iter().zip(&planned).map(|(held, at)| room.item(held, *at));
    Run {
        items: items.collect(),
        pace: room.pace(&planned),
        go: if is_over { None } else { room.go() },
        undo: if is_over { None } else { room.undo() },
        edit_href,
        is_practice: matches!(rally.phase, Phase::Before),
    }
}

/// Who is called next in public: the next of the run with a picture, if there is a run.
pub fn next_on_bill(world: &Projections, id: RallyId, rally: &Rally) -> Option<String> {
    let show = world.state.shows.get(id)?;
    let next = show.next()?;
    let rest = show.items.iter().skip_while(|held| held.item != next.item);
    let with_picture = |held: &&Item| matches!(held.plan.kind, Kind::Speaker | Kind::Clip);
    let held = rest.into_iter().find(with_picture)?;
    let name = held.plan.source.and_then(|source| rally.source_name(source));
    Some(name.unwrap_or(&held.plan.title).to_owned())
}

/// The word for what an item is.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Speaker => "speaker",
        Kind::Clip => "clip",
        Kind::Ask => "ask",
        Kind::Poll => "poll",
        Kind::Break => "break",
    }
}

/// `7:05`, `1:02:03`.
pub fn length(seconds: i64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// `2:41 left`, or `1:20 over`.
fn left(seconds: i64) -> String {
    if seconds >= 0 { format!("{} left", length(seconds)) } else { format!("{} over", length(-seconds)) }
}

/// What one rendering of the run rests on.
struct Room<'a> {
    app: &'a App,
    world: &'a Projections,
    rally: &'a Rally,
    show: &'a Show,
    zone: Tz,
    now: DateTime<Utc>,
}

impl Room<'_> {
    fn time(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%-I:%M").to_string()
    }

    /// Seconds until the item that is on is planned to end; negative when it is over.
    fn left_s(&self, plan: &Plan, since: DateTime<Utc>) -> i64 {
        i64::from(plan.planned_s) - self.now.signed_duration_since(since).num_seconds().max(0)
    }

    /// The item that is on, with what is left of it.
    fn current(&self) -> Option<(&Item, DateTime<Utc>, i64)> {
        let held = self.show.current()?;
        let (since, _) = self.show.was_on(held.item)?;
        Some((held, since, self.left_s(&held.plan, since)))
    }

    fn item(&self, held: &Item, planned: DateTime<Utc>) -> RunItem {
        let Item { item, plan } = held;
        let planned_words = format!("Planned for {}, {} long.", self.time(planned), length(plan.planned_s.into()));
        let mut notes = vec![planned_words];
        let (ended_at, is_next) = match self.rally.phase {
            Phase::Ended { at } => (Some(at), false),
            Phase::Before | Phase::Live { .. } => (None, self.show.next() == Some(held)),
        };
        let (time, state, pill, look, ends_ms) = match self.show.was_on(*item) {
            Some((since, until)) if until.or(ended_at).is_some() => {
                let until = until.or(ended_at).unwrap_or(since);
                let took_s = until.signed_duration_since(since).num_seconds().max(0);
                notes.push(format!("On at {}, for {}.", self.time(since), length(took_s)));
                (since, RunState::Done, "done".into(), "", None)
            }
            Some((since, _)) => {
                let left_s = self.left_s(plan, since);
                let state = if left_s < 0 { RunState::Over } else { RunState::Now };
                let ends = since.checked_add_signed(plan.length()).unwrap_or(since);
                notes.push(format!("On since {}.", self.time(since)));
                (since, state, left(left_s), "left", Some(ends.timestamp_millis()))
            }
            None => {
                let soon = is_next && self.current().is_some_and(|(.., left_s)| left_s <= SOON_S);
                let state = if soon { RunState::Soon } else { RunState::Next };
                let (pill, look) = self.readiness(plan);
                (planned, if is_next { state } else { RunState::Waits }, pill, look, None)
            }
        };
        let is_on = matches!(state, RunState::Now | RunState::Over);
        if !is_on && ended_at.is_none() {
            notes.push(self.what_it_does(plan).0);
        }
        RunItem {
            id: item.to_string(),
            time: self.time(time),
            title: plan.title.clone(),
            state,
            pill,
            look,
            ends_ms,
            notes,
            can_go: !is_on && ended_at.is_none(),
        }
    }

    /// Whether what comes is well, in a word or three.
    fn readiness(&self, plan: &Plan) -> (String, &'static str) {
        let (Kind::Speaker, Some(source)) = (plan.kind, plan.source) else { return (kind(plan.kind).into(), "") };
        match source_state(self.world, self.rally, source, self.now) {
            SourceState::Ready | SourceState::OnAir | SourceState::Waiting => {
                let health = self.app.media().health(media::SourceId(source.0));
                match health.and_then(|health| health.warnings().into_iter().next()) {
                    Some(warning) => (warning.short, "warn"),
                    None => ("ready".into(), "ok"),
                }
            }
            SourceState::NotConnected => ("not here yet".into(), ""),
            SourceState::Dropped(_) => ("dropped".into(), "warn"),
            SourceState::Refused(_) => ("refused".into(), "bad"),
        }
    }

    /// What going to an item does to the picture, and whether that is a warning.
    fn what_it_does(&self, plan: &Plan) -> (String, bool) {
        if !plan.cuts || matches!(plan.kind, Kind::Ask | Kind::Poll) {
            return ("The picture stays as it is.".into(), false);
        }
        match (plan.kind, plan.source) {
            (Kind::Break, _) => ("Takes everybody off: the slate stands.".into(), false),
            (_, None) => ("No picture is planned for it: the picture stays as it is.".into(), false),
            (_, Some(source)) => match self.rally.source_name(source) {
                None => ("Its speaker is no longer in the rally: the picture stays as it is.".into(), true),
                Some(name) if self.world.state.broadcast.connection(source).is_none() && plan.kind == Kind::Speaker => {
                    (format!("{name} is not connected: the picture changes when theirs comes."), true)
                }
                Some(name) => (format!("Cuts to {name}."), false),
            },
        }
    }

    fn go(&self) -> Option<RunGo> {
        let current = self.show.current();
        if let Some(next) = self.show.next() {
            let (note, is_warning) = self.what_it_does(&next.plan);
            let verb = if current.is_some() { "Next" } else { "Start" };
            let action = format!("start:{}", next.item);
            return Some(RunGo { action, verb: verb.into(), title: next.plan.title.clone(), note, is_warning });
        }
        let last = current?;
        let note = "It is the last of the run. The picture stays as it is.".to_owned();
        let (action, verb) = (format!("stop:{}", last.item), "End".to_owned());
        Some(RunGo { action, verb, title: last.plan.title.clone(), note, is_warning: false })
    }

    fn undo(&self) -> Option<RunUndo> {
        let item = self.show.undoes()?;
        let action = format!("undo:{}", item.map(|item| item.to_string()).unwrap_or_default());
        let words = match self.show.before_last() {
            Some(before) => format!("back to {}", before.plan.title),
            None => "as if nothing had begun".into(),
        };
        Some(RunUndo { action, words })
    }

    /// How the run stands against the plan: by the planned end of what is on, or the planned start of what should be.
    fn pace(&self, planned: &[DateTime<Utc>]) -> String {
        if !matches!(self.rally.phase, Phase::Live { .. }) {
            return String::new();
        }
        let planned_of = |held: &Item| {
            let at = self.show.items.iter().position(|other| other.item == held.item)?;
            planned.get(at).copied()
        };
        let late = match self.current() {
            Some((held, since, left_s)) => planned_of(held).map(|planned| {
                let began_late = since.signed_duration_since(planned);
                began_late.checked_add(&TimeDelta::seconds((-left_s).max(0))).unwrap_or(began_late)
            }),
            None => {
                let waits = self.show.next().and_then(planned_of);
                waits.map(|planned| self.now.signed_duration_since(planned).max(TimeDelta::zero()))
            }
        };
        let late_s = late.map_or(0, |late| late.num_seconds());
        let minutes = late_s.unsigned_abs().saturating_add(30) / 60;
        if late_s.abs() > PLAN_S_MAX {
            String::new()
        } else if late_s >= ON_TIME_S {
            format!("{minutes} min behind the plan")
        } else if late_s <= -ON_TIME_S {
            format!("{minutes} min ahead of the plan")
        } else {
            "On time".into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_on_a_clock() {
        for (seconds, words) in [(161, "2:41 left"), (0, "0:00 left"), (-80, "1:20 over"), (3_723, "1:02:03 left")] {
            assert_eq!(left(seconds), words);
        }
    }
}
