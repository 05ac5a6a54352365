//! From projections to the season's words. Money comes from one pass over the ledger's rows, people and moments from sums that
//! stand in the crowd.

use super::{DayLine, Moment, RallyLine};
use crate::domain::id::RallyId;
use crate::domain::money::{Currency, Money, group_thousands};
use crate::domain::rally::Rally;
use crate::projections::Projections;
use crate::projections::crowd::origin::Row;
use crate::projections::crowd::{Gifts, RallyCrowd, instant};
use crate::projections::totals::{Sums, day_of, timezone};
use crate::report::selection::{RallyMoney, Selection};
use crate::web::present::chart::{Point, Words, chart};
use crate::web::view::Kpi;
use crate::web::view::chart::Chart;
use chrono::NaiveDate;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// Points of the chart at most: more are narrower than a pixel of a phone.
const POINTS_MAX: usize = 240;
/// Rallies that have a line of their own; the sums count them all.
const RALLIES_SHOWN: usize = 200;
/// Days that have a line of their own, the latest; the chart has them all.
const DAYS_SHOWN: usize = 120;
/// Moments on the page.
const MOMENTS_SHOWN: usize = 8;
/// Minutes between two moments of a rally: what is nearer is the same one.
const APART_MIN: u32 = 5;
/// Units of the chart a point.
const UNIT: u64 = 10;

/// A season's figures, in one currency.
#[derive(Debug, Clone)]
pub struct Season {
    /// The currency's code.
    pub currency: &'static str,
    /// The figures at the top; empty where there are no rallies on these days.
    pub kpis: Vec<Kpi>,
    /// By day, and so far; absent where nothing was given.
    pub chart: Option<Chart>,
    /// The best moments, the best first.
    pub moments: Vec<Moment>,
    /// The rallies, the one with most first.
    pub rallies: Vec<RallyLine>,
    /// How many more there are.
    pub more_rallies: usize,
    /// The days, the latest first.
    pub days: Vec<DayLine>,
    /// How many more there are.
    pub more_days: usize,
}

/// A rally of the season with what is counted of it.
struct Counted<'a> {
    id: RallyId,
    rally: &'a Rally,
    /// Whether it took place on one of the days.
    took_place: bool,
    registered: u64,
    joined: u64,
    sums: Sums,
}

/// Counts the rallies of these days in the currency asked for, or in the one with most gifts; and every currency there is.
pub fn season(world: &Projections, days: &Selection, currency: &str) -> (Season, Vec<Currency>) {
    let mut money: HashMap<RallyId, RallyMoney<'_>> =
        days.money(world).into_iter().map(|money| (money.id, money)).collect();
    let mut gifts: BTreeMap<&'static str, (u64, Currency)> = BTreeMap::new();
    for (id, rally) in world.state.rallies.iter() {
        let given = money.get(&id).map_or(0, |money| money.days.iter().map(|(_, sums)| sums.donations).sum());
        let of_currency = gifts.entry(rally.details.currency.code()).or_insert((0, rally.details.currency));
        of_currency.0 = of_currency.0.saturating_add(given);
    }
    let asked = gifts.get(currency).or_else(|| gifts.values().max_by_key(|(count, _)| *count));
    let currency = asked.map_or(Currency::USD, |(_, currency)| *currency);
    let (mut by_day, mut counted): (BTreeMap<NaiveDate, Gifts>, Vec<Counted<'_>>) = (BTreeMap::new(), vec![]);
    for (id, rally) in world.state.rallies.iter().filter(|(_, rally)| rally.details.currency == currency) {
        let took_place = days.takes(&rally.details.slug, day_of(&world.state, id, rally.details.starts_at));
        let (mut sums, of_days) = (Sums::default(), money.remove(&id).map(|money| money.days).unwrap_or_default());
        if !took_place && of_days.is_empty() {
            continue;
        }
        for (day, of_day) in of_days {
            sums.add(&of_day);
            let gifts = by_day.entry(day).or_default();
            gifts.count = gifts.count.saturating_add(u32::try_from(of_day.donations).unwrap_or(u32::MAX));
            gifts.minor = gifts.minor.saturating_add(of_day.gross_minor);
        }
        let origins = world.crowd.of(id).filter(|_| took_place).map(|crowd| &crowd.origins);
        let people =
            |of: fn(&Row) -> u32| origins.map_or(0, |origins| origins.iter().map(|(_, row)| u64::from(of(row))).sum());
        let (registered, joined) = (people(|row| row.registered), people(|row| row.joined));
        counted.push(Counted { id, rally, took_place, registered, joined, sums });
    }
    counted.sort_by_key(|one| (Reverse(one.sums.gross_minor), Reverse(one.rally.details.starts_at), one.id));
    let rallies: Vec<RallyLine> = rally_lines(world, &counted, currency).collect();
    let days_lines = day_lines(&by_day, currency);
    let season = Season {
        currency: currency.code(),
        kpis: if counted.is_empty() { vec![] } else { kpis(&counted, currency) },
        chart: by_day_chart(&by_day, currency),
        moments: moments(world, &counted, days, currency),
        more_rallies: counted.len().saturating_sub(rallies.len()),
        rallies,
        more_days: days_lines.len().saturating_sub(DAYS_SHOWN),
        days: days_lines.into_iter().rev().take(DAYS_SHOWN).collect(),
    };
    (season, gifts.into_values().map(|(_, currency)| currency).collect())
}

fn kpis(counted: &[Counted<'_>], currency: Currency) -> Vec<Kpi> {
    let figure = |label: &str, value: String, note: String| Kpi { label: label.into(), value, note };
    let add = |of: fn(&Counted<'_>) -> u64| counted.iter().map(of).fold(0, u64::saturating_add);
    let (gross, gifts) = (gross(counted), add(|one| one.sums.donations));
    let took_place = add(|one| u64::from(one.took_place));
    vec![
        figure("Rallies", group_thousands(took_place), "on these days".into()),
        figure(
            "Joined",
            group_thousands(add(|one| one.joined)),
            format!("of {} who registered; once for each rally", group_thousands(add(|one| one.registered))),
        ),
        figure("Gifts", group_thousands(gifts), "paid".into()),
        figure("Average gift", average(gross, gifts, currency), "before refunds and fees".into()),
        figure("Gross", Money::new(gross, currency).to_short(), "before refunds and fees".into()),
    ]
}

fn gross(counted: &[Counted<'_>]) -> i64 {
    counted.iter().map(|one| one.sums.gross_minor).fold(0, i64::saturating_add)
}

fn average(gross: i64, gifts: u64, currency: Currency) -> String {
    let average = i64::try_from(gifts).ok().and_then(|gifts| gross.checked_div(gifts));
    average.map_or("–".into(), |minor| Money::new(minor, currency).to_exact())
}

/// `33 %`; with tenths below ten.
fn share(part: u64, whole: u64) -> String {
    let tenths = u128::from(part).saturating_mul(1_000).saturating_add(u128::from(whole / 2));
    match tenths.checked_div(whole.into()) {
        None => "–".into(),
        Some(tenths @ ..100) => format!("{}.{}\u{a0}%", tenths / 10, tenths % 10),
        Some(tenths) => format!("{}\u{a0}%", tenths.saturating_add(5) / 10),
    }
}

fn positive(minor: i64) -> u64 {
    u64::try_from(minor).unwrap_or(0)
}

fn rally_lines<'a>(
    world: &'a Projections,
    counted: &'a [Counted<'_>],
    currency: Currency,
) -> impl Iterator<Item = RallyLine> + 'a {
    let whole = positive(gross(counted));
    let best = counted.first().map_or(0, |one| positive(one.sums.gross_minor)).max(1);
    counted.iter().take(RALLIES_SHOWN).map(move |one| {
        let (details, sums) = (&one.rally.details, &one.sums);
        let people = |number: u64| if one.took_place { group_thousands(number) } else { "–".into() };
        RallyLine {
            title: details.title.clone(),
            href: href(one.rally),
            when: in_words(day_of(&world.state, one.id, details.starts_at)),
            registered: people(one.registered),
            joined: people(one.joined),
            gifts: group_thousands(sums.donations),
            gross: Money::new(sums.gross_minor, currency).to_short(),
            average: average(sums.gross_minor, sums.donations, currency),
            share: share(positive(sums.gross_minor), whole),
            fill: positive(sums.gross_minor).saturating_mul(100) / best,
        }
    })
}

fn href(rally: &Rally) -> String {
    format!("/host/r/{}/attendance", rally.details.slug)
}

fn in_words(day: NaiveDate) -> String {
    day.format("%a, %B %-d, %Y").to_string()
}

fn day_lines(by_day: &BTreeMap<NaiveDate, Gifts>, currency: Currency) -> Vec<DayLine> {
    let mut so_far = 0_i64;
    let line = |(day, gifts): (&NaiveDate, &Gifts)| {
        so_far = so_far.saturating_add(gifts.minor);
        DayLine {
            day: in_words(*day),
            gifts: group_thousands(gifts.count.into()),
            gross: Money::new(gifts.minor, currency).to_short(),
            so_far: Money::new(so_far, currency).to_short(),
        }
    };
    by_day.iter().map(line).collect()
}

/// Each day from the first to the last, those without a gift too; where there are too many, some as one.
fn by_day_chart(by_day: &BTreeMap<NaiveDate, Gifts>, currency: Currency) -> Option<Chart> {
    let ((first, _), (last, _)) = (by_day.first_key_value()?, by_day.last_key_value()?);
    let days: Vec<NaiveDate> = first.iter_days().take_while(|day| day <= last).collect();
    let step = days.len().div_ceil(POINTS_MAX).max(1);
    let whole = |minor: i64| Money::new(minor, currency).to_whole();
    let mut so_far = 0_i64;
    let mut best = (0_i64, *first);
    let mut points = vec![];
    for span in days.chunks(step) {
        let Some(from) = span.first() else { continue };
        let gifts = span.iter().filter_map(|day| by_day.get(day));
        let (count, minor) = gifts.fold((0_u32, 0_i64), |(count, minor), gifts| {
            (count.saturating_add(gifts.count), minor.saturating_add(gifts.minor))
        });
        so_far = so_far.saturating_add(minor);
        best = best.max((minor, *from));
        points.push(Point {
            value: positive(so_far),
            bar: positive(minor),
            title: format!(
                "{}: {} in {} gifts, {} so far",
                in_words(*from),
                whole(minor),
                group_thousands(count.into()),
                whole(so_far)
            ),
            label: from.format("%b %-d").to_string(),
        });
    }
    let each = if step == 1 { "day".to_owned() } else { format!("{step} days") };
    let words = Words {
        summary: format!(
            "Money by {each}: {} in all; most came on {}, {}. The tables below have each figure.",
            whole(so_far),
            in_words(best.1),
            whole(best.0)
        ),
        area: format!("So far: {}", whole(so_far)),
        bars: format!("Each {each}: up to {}", whole(best.0)),
    };
    Some(chart(words, &points, UNIT, vec![]))
}

/// A minute of a rally: what was given, when it began, and in which of the rallies.
type Candidate = (Gifts, u32, usize);

fn moments(world: &Projections, counted: &[Counted<'_>], days: &Selection, currency: Currency) -> Vec<Moment> {
    let mut best: Vec<Candidate> = vec![];
    for (at, one) in counted.iter().enumerate() {
        let Some(crowd) = world.crowd.of(one.id) else { continue };
        let Some((opened, _)) = crowd.people.live() else { continue };
        let starts = (opened / 60..).map(|minute| minute.saturating_mul(60));
        let minutes = crowd.moments.minutes().zip(starts).filter(|(gifts, _)| gifts.minor > 0);
        let on_these_days = minutes
            .filter(|(_, start)| days.takes(&one.rally.details.slug, day_of(&world.state, one.id, instant(*start))));
        best.extend(on_these_days.map(|(gifts, start)| (gifts, start, at)));
    }
    best.sort_unstable_by_key(|(gifts, start, at)| (Reverse(gifts.minor), *start, *at));
    let mut taken: Vec<Candidate> = vec![];
    for one in best {
        if taken.len() == MOMENTS_SHOWN {
            break;
        }
        let near = |other: &Candidate| other.2 == one.2 && other.1.abs_diff(one.1) < APART_MIN.saturating_mul(60);
        if !taken.iter().any(near) {
            taken.push(one);
        }
    }
    let line = |(gifts, start, at): Candidate| {
        let Counted { id, rally, .. } = counted.get(at)?;
        let local = instant(start).with_timezone(&timezone(&world.state, *id));
        Some(Moment {
            gross: Money::new(gifts.minor, currency).to_short(),
            gifts: format!("{} gift{}", group_thousands(gifts.count.into()), if gifts.count == 1 { "" } else { "s" }),
            who: who(world, *id, rally, start),
            rally: rally.details.title.clone(),
            href: href(rally),
            when: local.format("%a, %B %-d, %Y, %-I:%M %P").to_string(),
        })
    };
    taken.into_iter().filter_map(line).collect()
}

/// Who was on in the minute that begins then: by the program, or by the run of show where the program says nothing.
fn who(world: &Projections, id: RallyId, rally: &Rally, start: u32) -> String {
    let Some(RallyCrowd { moments, .. }) = world.crowd.of(id) else { return String::new() };
    let until = start.saturating_add(60);
    let program = moments.program.within(start, until).filter_map(|(_, _, of, _)| of);
    let names = program.map(|source| rally.source_name(source).unwrap_or("(a removed speaker)").to_owned());
    let mut names: Vec<String> = names.collect();
    if names.is_empty() {
        let show = world.state.shows.get(id);
        let items = moments.run.within(start, until).filter_map(|(_, _, of, _)| show?.get(of?));
        names = items.map(|item| item.plan.title.clone()).collect();
    }
    if names.is_empty() { "nobody on".into() } else { names.join(", then ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_shares_do_not_vanish() {
        let said = [(1, 3), (46, 1_000), (995, 10_000), (4, 10_000), (0, 7), (7, 7), (0, 0)]
            .map(|(part, whole)| share(part, whole).replace('\u{a0}', " "));
        assert_eq!(said, ["33 %", "4.6 %", "10 %", "0.0 %", "0.0 %", "100 %", "–"]);
    }
}
