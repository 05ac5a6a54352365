//! Money against speakers: what was given in each minute while a rally's doors were open, and who was on; of several rallies, what
//! was given in each day.

use crate::domain::id::{RallyId, SourceId};
use crate::domain::money::{Currency, Money, group_thousands};
use crate::domain::rally::Rally;
use crate::projections::Projections;
use crate::projections::crowd::people::MINUTES_MAX;
use crate::projections::crowd::{Gifts, instant, seconds};
use crate::projections::ledger::Kind;
use crate::projections::totals::{Sums, timezone};
use crate::report::chosen::Chosen;
use crate::report::selection::{Narrow, Selection};
use crate::web::present::chart::{Point, Words, chart};
use crate::web::view::chart::{Chart, ChartBand};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use std::collections::BTreeMap;

/// Points of the chart at most: more are narrower than a pixel of a phone.
const POINTS_MAX: usize = 240;
/// Turns that are told apart on a page; of more, the speakers' own table has the sums.
const TURNS_MAX: usize = 60;
/// Days from which on a chart tells more than the table of days.
const DAYS_MIN: usize = 4;
/// Units of the chart a point: a speaker's turn may begin within one.
const UNITS: u64 = 60;

/// Money over time.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// What is drawn: `Money and who was on`.
    pub title: &'static str,
    /// The same drawn.
    pub chart: Chart,
    /// Who was on, one after the other; empty of days.
    pub turns: Vec<TurnLine>,
    /// Whether there were too many turns to tell them apart.
    pub too_many: bool,
    /// Every point of a rally's; empty of days, which have a table of their own.
    pub points: Vec<PointLine>,
}

/// Somebody who was on program.
#[derive(Debug, Clone)]
pub struct TurnLine {
    /// Their number, beneath the chart too.
    pub number: usize,
    /// `Dolores Whitfield`.
    pub name: String,
    /// The rows of whoever gave while they were on.
    pub href: String,
    /// From when on: `8:21 pm`.
    pub at: String,
    /// Minutes, or seconds: `12 min`.
    pub length: String,
    /// How many gifts.
    pub gifts: String,
    /// Their sum.
    pub gross: String,
    /// The same a minute.
    pub pace: String,
}

/// One point.
#[derive(Debug, Clone)]
pub struct PointLine {
    /// `8:21 pm`.
    pub at: String,
    /// How many gifts.
    pub gifts: String,
    /// Their sum.
    pub gross: String,
    /// The sum until then.
    pub total: String,
}

/// Somebody's turn, or nobody's, and what was given in it.
struct Turn {
    from_s: u32,
    until_s: u32,
    source: Option<SourceId>,
    gifts: Gifts,
}

/// The minutes in which a rally's doors were open, up to an instant; `None` where none had begun.
pub(super) fn of_rally(
    world: &Projections,
    selection: &Selection,
    (id, rally): (RallyId, &Rally),
    now: DateTime<Utc>,
) -> Option<Timeline> {
    let crowd = world.crowd.of(id)?;
    let (opened_s, ended_s) = crowd.people.live()?;
    // The second that runs is one of them.
    let now_s = seconds(now).saturating_add(1);
    let end_s = ended_s.map_or(now_s, |ended| ended.min(now_s));
    let turn = |(from_s, until_s, source, _)| Turn { from_s, until_s, source, gifts: Gifts::default() };
    let mut turns: Vec<Turn> = crowd.moments.program.within(opened_s, end_s).map(turn).collect();
    let mut minutes: Vec<Gifts> = vec![];
    let start_s = opened_s / 60 * 60;
    let alone = Selection { rally: Some(rally.details.slug.clone()), ..selection.clone() };
    let chosen = Chosen::new(world, &alone);
    let given = world.ledger.rows_at(selection.seq(world)).iter();
    for row in given.filter(|row| row.kind == Kind::Donation && chosen.has(row)) {
        // The moment that counts is that in which the form was sent, not that in which the bank answered.
        let at_s = row.sent_s;
        let place = usize::try_from(at_s.saturating_sub(start_s) / 60).unwrap_or(usize::MAX);
        if at_s < opened_s || at_s >= end_s || place >= MINUTES_MAX {
            continue;
        }
        let gift = Gifts { count: 1, minor: row.amount.minor };
        if place >= minutes.len() {
            minutes.resize(place.saturating_add(1), Gifts::default());
        }
        if let Some(minute) = minutes.get_mut(place) {
            minute.add(gift);
        }
        let after = turns.partition_point(|turn| turn.from_s <= at_s);
        if let Some(turn) = after.checked_sub(1).and_then(|at| turns.get_mut(at)) {
            turn.gifts.add(gift);
        }
    }
    if minutes.is_empty() {
        return None;
    }
    // Doors that were never closed do not make a line of weeks.
    if ended_s.is_none() {
        let last = minutes.len();
        turns.retain(|turn| usize::try_from(turn.from_s.saturating_sub(start_s) / 60).is_ok_and(|at| at < last));
    } else {
        let all = usize::try_from(end_s.saturating_sub(start_s).div_ceil(60)).unwrap_or(MINUTES_MAX);
        minutes.resize(all.clamp(minutes.len(), MINUTES_MAX), Gifts::default());
    }
    Some(drawn(world, selection, (id, rally), start_s, &minutes, &turns))
}

fn drawn(
    world: &Projections,
    selection: &Selection,
    (id, rally): (RallyId, &Rally),
    start_s: u32,
    minutes: &[Gifts],
    turns: &[Turn],
) -> Timeline {
    let (zone, currency) = (timezone(&world.state, id), rally.details.currency);
    let step = minutes.len().div_ceil(POINTS_MAX).max(1);
    let step_s = u32::try_from(step).unwrap_or(1).saturating_mul(60);
    let name = |turn: &Turn| match turn.source {
        Some(source) => rally.source_name(source).unwrap_or("a speaker who was taken out").to_owned(),
        None => "nobody on".into(),
    };
    let mut total_minor = 0_i64;
    let mut points = vec![];
    let mut lines = vec![];
    let mut at_s = start_s;
    for some in minutes.chunks(step) {
        let mut gifts = Gifts::default();
        some.iter().for_each(|minute| gifts.add(*minute));
        total_minor = total_minor.saturating_add(gifts.minor);
        let line = PointLine {
            at: clock(at_s, zone, "%-I:%M %P"),
            gifts: group_thousands(gifts.count.into()),
            gross: money(gifts.minor, currency),
            total: money(total_minor, currency),
        };
        let on = turns.iter().rfind(|turn| turn.from_s < at_s.saturating_add(step_s)).map(&name);
        points.push(Point {
            value: u64::try_from(total_minor).unwrap_or(0),
            bar: u64::try_from(gifts.minor).unwrap_or(0),
            title: format!("{}, {}: {} given, {} so far", line.at, on.unwrap_or_default(), line.gross, line.total),
            label: clock(at_s, zone, "%-I:%M"),
        });
        lines.push(line);
        at_s = at_s.saturating_add(step_s);
    }
    let best = points.iter().zip(&lines).max_by_key(|(point, _)| point.bar).map(|(_, line)| line);
    let (best_at, best_gross) = best.map(|line| (line.at.as_str(), line.gross.as_str())).unwrap_or_default();
    let most = turns.iter().filter(|turn| turn.source.is_some()).max_by_key(|turn| turn.gifts.minor);
    let most =
        most.map(|turn| format!(" Most while one was on: {}, {}.", name(turn), money(turn.gifts.minor, currency)));
    let every = if step == 1 { "minute".to_owned() } else { format!("{step} minutes") };
    let words = Words {
        summary: format!(
            "Money by {every}: {} in all; most came at {best_at}, {best_gross}.{} The tables below have each figure.",
            money(total_minor, currency),
            most.unwrap_or_default()
        ),
        area: format!("Given so far: {}", money(total_minor, currency)),
        bars: format!("Given each {every}: up to {best_gross}"),
    };
    let too_many = turns.len() > TURNS_MAX;
    let turns = if too_many { &[] } else { turns };
    let width = u64::try_from(points.len()).unwrap_or(0).saturating_mul(UNITS);
    let place =
        |at_s: u32| (u64::from(at_s.saturating_sub(start_s)).saturating_mul(UNITS) / u64::from(step_s)).min(width);
    let last = turns.len().saturating_sub(1);
    let band = |(at, turn): (usize, &Turn)| {
        // The first and the last reach the chart's ends, which are those of whole minutes.
        let from = if at == 0 { 0 } else { place(turn.from_s) };
        let until = if at == last { width } else { place(turn.until_s) };
        ChartBand {
            x: from,
            width: until.saturating_sub(from),
            number: at.saturating_add(1),
            name: name(turn),
            figure: Money::new(turn.gifts.minor, currency).to_whole(),
        }
    };
    let bands = turns.iter().enumerate().map(band).collect();
    let turn_line = |(number, turn): (usize, &Turn)| {
        let length_s = turn.until_s.saturating_sub(turn.from_s);
        let speaker = turn.source.map_or(Narrow::Without, |source| Narrow::Only(source.to_string()));
        let beneath = Selection { rally: Some(rally.details.slug.clone()), speaker, ..selection.clone() };
        TurnLine {
            number,
            name: name(turn),
            href: format!("/finance/rows?{}", beneath.query()),
            at: clock(turn.from_s, zone, "%-I:%M %P"),
            length: if length_s < 60 { format!("{length_s}\u{a0}s") } else { format!("{}\u{a0}min", length_s / 60) },
            gifts: group_thousands(turn.gifts.count.into()),
            gross: money(turn.gifts.minor, currency),
            pace: money(turn.gifts.minor.saturating_mul(60) / i64::from(length_s.max(1)), currency),
        }
    };
    Timeline {
        title: "Money and who was on",
        chart: chart(words, &points, UNITS, bands),
        turns: (1..).zip(turns).map(turn_line).collect(),
        too_many,
        points: lines,
    }
}

/// Days in one currency, those on which nothing came too.
pub(super) fn of_days(
    by_day: &BTreeMap<(NaiveDate, &'static str), (Currency, Sums)>,
    currency: Currency,
) -> Option<Timeline> {
    let of: BTreeMap<NaiveDate, &Sums> = by_day
        .iter()
        .filter(|((_, code), _)| *code == currency.code())
        .map(|((day, _), (_, sums))| (*day, sums))
        .collect();
    let (first, last) = (*of.keys().next()?, *of.keys().next_back()?);
    let all: Vec<NaiveDate> = first.iter_days().take_while(|day| *day <= last).collect();
    if all.len() < DAYS_MIN {
        return None;
    }
    let step = all.len().div_ceil(POINTS_MAX).max(1);
    let mut total_minor = 0_i64;
    let mut best: Option<(NaiveDate, i64)> = None;
    let points = all.chunks(step).filter_map(|days| {
        let day = days.first()?;
        let minor = days.iter().filter_map(|day| of.get(day)).map(|sums| sums.gross_minor).fold(0, i64::saturating_add);
        total_minor = total_minor.saturating_add(minor);
        if best.is_none_or(|(_, most)| most < minor) {
            best = Some((*day, minor));
        }
        let named = day.format("%a, %B %-d");
        Some(Point {
            value: u64::try_from(total_minor).unwrap_or(0),
            bar: u64::try_from(minor).unwrap_or(0),
            title: format!("{named}: {} given, {} so far", money(minor, currency), money(total_minor, currency)),
            label: day.format("%b %-d").to_string(),
        })
    });
    let points: Vec<Point> = points.collect();
    let (best_day, best_minor) = best?;
    let every = if step == 1 { "day".to_owned() } else { format!("{step} days") };
    let (total, most) = (money(total_minor, currency), money(best_minor, currency));
    let words = Words {
        summary: format!(
            "Money by {every}: {total} in all; most came on {}, {most}. The table of days has each figure.",
            best_day.format("%B %-d")
        ),
        area: format!("Given so far: {total}"),
        bars: format!("Given each {every}: up to {most}"),
    };
    let chart = chart(words, &points, UNITS, vec![]);
    Some(Timeline { title: "Money over the days", chart, turns: vec![], too_many: false, points: vec![] })
}

fn money(minor: i64, currency: Currency) -> String {
    Money::new(minor, currency).to_exact()
}

fn clock(at_s: u32, zone: Tz, format: &str) -> String {
    instant(at_s).with_timezone(&zone).format(format).to_string()
}
