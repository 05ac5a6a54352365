//! From the crowd to words: everything that the page counts.

use super::{Course, MinuteLine, OnAir, SourceLine, Step};
use crate::domain::donation::Way;
use crate::domain::id::RallyId;
use crate::domain::money::{Currency, Money, group_thousands};
use crate::domain::rally::Rally;
use crate::projections::Projections;
use crate::projections::crowd::origin::{Origin, Row};
use crate::projections::crowd::people::{Minute, Stretch, Watched};
use crate::projections::crowd::{Gifts, RallyCrowd, instant, seconds};
use crate::projections::totals::timezone;
use crate::web::present;
use crate::web::present::chart::{Point, Words, chart};
use crate::web::view::Kpi;
use crate::web::view::chart::ChartBand;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

/// Points of the chart at most: more are narrower than a pixel of a phone.
const POINTS_MAX: usize = 240;
/// Sources that have a line of their own; the rest share one.
const SOURCES_SHOWN: usize = 40;
/// Units of the chart a minute.
const UNITS_A_MINUTE: u64 = 10;

/// Everything that the page counts.
#[derive(Debug, Clone)]
pub struct Figures {
    /// The figures at the top; empty where nobody registered and nobody gave.
    pub kpis: Vec<Kpi>,
    /// How far people came.
    pub funnel: Vec<Step>,
    /// What the funnel leaves out, in sentences.
    pub funnel_note: String,
    /// The people over time; absent until the doors opened.
    pub course: Option<Course>,
    /// From where they came.
    pub sources: Vec<SourceLine>,
    /// `412 people agreed to be e-mailed.`
    pub agreed: String,
}

/// Counts a rally until now.
pub fn figures(world: &Projections, id: RallyId, rally: &Rally, now: DateTime<Utc>) -> Figures {
    let nothing = RallyCrowd::default();
    let crowd = world.crowd.of(id).unwrap_or(&nothing);
    let (currency, now_s) = (rally.details.currency, seconds(now));
    let (watched, by_source) = crowd.people.watched(crowd.origins.iter().len(), now_s);
    let all = sum(crowd.origins.iter().map(|(_, row)| row));
    let (funnel, funnel_note) = funnel(crowd, all);
    let agreed = crowd.people.attendees().iter().filter(|known| world.crowd.consent(known.person).is_some()).count();
    let nobody = all == Row::default();
    Figures {
        kpis: if nobody { vec![] } else { kpis(world, id, &all, watched, currency) },
        funnel,
        funnel_note,
        course: course(world, id, rally, crowd, now_s),
        sources: sources(crowd, &by_source, currency),
        agreed: format!(
            "{} agreed to be e-mailed.",
            if agreed == 1 { "One person".into() } else { format!("{} people", present::count(agreed)) }
        ),
    }
}

fn kpis(world: &Projections, id: RallyId, all: &Row, watched: Watched, currency: Currency) -> Vec<Kpi> {
    let figure = |label: &str, value: String, note: String| Kpi { label: label.into(), value, note };
    let peak = world.room.count(id).peak;
    vec![
        figure("Registered", count(all.registered), "left their name".into()),
        figure("Joined the room", count(all.joined), format!("{} at once", group_thousands(peak))),
        figure("Watched, median", length(watched.median_s), format!("{} in all", hours(watched.total_s))),
        figure(
            "Average gift",
            average(all.gifts, currency),
            format!("{} begun", plural(all.recurring, "recurring gift")),
        ),
        figure(
            "Given",
            money(all.gifts.minor, currency),
            format!("{} from {}", plural(all.gifts.count, "gift"), plural(all.donors, "donor")),
        ),
    ]
}

fn funnel(crowd: &RallyCrowd, all: Row) -> (Vec<Step>, String) {
    let funnel = crowd.people.funnel();
    // A link is passed on, so that more may come than were invited.
    let widest = u64::from(all.invited).max(funnel.registered);
    let step = |name: &str, note: &str, people: u64, before: Option<(u64, &str)>| Step {
        name: name.into(),
        note: note.into(),
        people: group_thousands(people),
        share: before
            .map(|(whole, words)| format!("{} of those who {words}", percent(people, whole)))
            .unwrap_or_default(),
        fill: people.saturating_mul(100).checked_div(widest).unwrap_or(0),
    };
    let invited = Some(all.invited.into()).filter(|invited| *invited > 0);
    let steps = invited.map(|invited| step("Invited", "as you counted them, below", invited, None)).into_iter();
    let steps = steps.chain([
        step(
            "Registered",
            "left their name on the rally’s page",
            funnel.registered,
            invited.map(|invited| (invited, "were invited")),
        ),
        step("Joined", "in the room while the doors were open", funnel.joined, Some((funnel.registered, "registered"))),
        step("Gave", "then, before or since", funnel.gave, Some((funnel.joined, "joined"))),
        step("Give again", "began a recurring gift", funnel.recurring, Some((funnel.gave, "gave"))),
    ]);
    let others = u64::from(all.donors).saturating_sub(funnel.gave);
    let note = match others {
        0 => String::new(),
        1 => "One more person gave without having joined the room under that e-mail address.".into(),
        others => format!(
            "{} more people gave without having joined the room under that e-mail address.",
            group_thousands(others)
        ),
    };
    (steps.collect(), note)
}

fn course(world: &Projections, id: RallyId, rally: &Rally, crowd: &RallyCrowd, now_s: u32) -> Option<Course> {
    let (zone, currency) = (timezone(&world.state, id), rally.details.currency);
    let minutes = crowd.people.minutes(&crowd.moments, now_s);
    let start_s = minutes.first()?.start_s;
    let step = minutes.len().div_ceil(POINTS_MAX).max(1);
    let points: Vec<Minute> = minutes.chunks(step).filter_map(joint).collect();
    let unit = u64::try_from(step).unwrap_or(1).saturating_mul(UNITS_A_MINUTE);
    let before_all = |from_s: u32| crowd.people.live().is_some_and(|(opened, _)| opened == from_s);
    let of_run = |stretch: &Stretch<_>| match stretch.of {
        Some(item) => {
            let show = world.state.shows.get(id);
            show.and_then(|show| show.get(item)).map_or("(taken out of the run)".into(), |held| held.plan.title.clone())
        }
        None if before_all(stretch.from_s) => "before the run".into(),
        None => "between items".into(),
    };
    let of_program = |stretch: &Stretch<_>| match stretch.of {
        Some(source) => rally.source_name(source).unwrap_or("(a removed speaker)").to_owned(),
        None => "nobody on".into(),
    };
    let run = crowd.people.stretches(&crowd.moments.run, now_s);
    let (word, on_air) = if run.is_empty() {
        let program = crowd.people.stretches(&crowd.moments.program, now_s);
        ("On program", program.iter().map(|stretch| plain(stretch, of_program(stretch))).collect::<Vec<_>>())
    } else {
        ("Item of the run", run.iter().map(|stretch| plain(stretch, of_run(stretch))).collect())
    };
    let width = u64::try_from(points.len()).unwrap_or(0).saturating_mul(unit);
    let point = |minute: &Minute| Point {
        value: minute.here.into(),
        bar: u64::try_from(minute.gifts.minor).unwrap_or(0),
        title: in_words(minute, zone, currency),
        label: clock(minute.start_s, zone, "%-I:%M"),
    };
    let most = points.iter().max_by_key(|minute| minute.here)?;
    let best = points.iter().max_by_key(|minute| minute.gifts.minor)?;
    let every = if step == 1 { "minute".to_owned() } else { format!("{step} minutes") };
    let words = Words {
        summary: format!(
            "The room by {every}: {} people at {}; most money came at {}, {}. The tables below have each figure.",
            count(most.here),
            clock(most.start_s, zone, "%-I:%M %P"),
            clock(best.start_s, zone, "%-I:%M %P"),
            money(best.gifts.minor, currency)
        ),
        area: format!("In the room: up to {}", count(most.here)),
        bars: format!("Given each {every}: up to {}", money(best.gifts.minor, currency)),
    };
    let bands = bands(&on_air, start_s, width, currency);
    Some(Course {
        chart: chart(words, &points.iter().map(point).collect::<Vec<_>>(), unit, bands),
        minutes: points.iter().map(|minute| minute_line(minute, zone, currency)).collect(),
        on_air: (1..)
            .zip(&on_air)
            .map(|(number, (name, one))| on_air_line(number, name, one, zone, currency))
            .collect(),
        on_air_word: word,
        note: left_out(crowd, &minutes, currency),
    })
}

fn plain<Id>(stretch: &Stretch<Id>, name: String) -> (String, Stretch<()>) {
    let Stretch { from_s, until_s, here_first, here_last, came, went, gifts, .. } = *stretch;
    (name, Stretch { of: None, from_s, until_s, here_first, here_last, came, went, gifts })
}

/// Some minutes as one.
fn joint(minutes: &[Minute]) -> Option<Minute> {
    let (first, last) = (minutes.first()?, minutes.last()?);
    let add = |of: fn(&Minute) -> u32| minutes.iter().map(of).fold(0, u32::saturating_add);
    let minor = minutes.iter().map(|minute| minute.gifts.minor).fold(0, i64::saturating_add);
    let gifts = Gifts { count: add(|minute| minute.gifts.count), minor };
    Some(Minute { start_s: first.start_s, here: last.here, came: add(|m| m.came), went: add(|m| m.went), gifts })
}

fn bands(on_air: &[(String, Stretch<()>)], start_s: u32, width: u64, currency: Currency) -> Vec<ChartBand> {
    let place = |at: u32| (u64::from(at.saturating_sub(start_s)).saturating_mul(UNITS_A_MINUTE) / 60).min(width);
    let last = on_air.len().saturating_sub(1);
    let band = |(at, (name, stretch)): (usize, &(String, Stretch<()>))| {
        // The first and the last reach the chart's ends, which are those of whole minutes.
        let from = if at == 0 { 0 } else { place(stretch.from_s) };
        let until = if at == last { width } else { place(stretch.until_s) };
        ChartBand {
            x: from,
            width: until.saturating_sub(from),
            number: at.saturating_add(1),
            name: name.clone(),
            figure: Money::new(stretch.gifts.minor, currency).to_whole(),
        }
    };
    on_air.iter().enumerate().map(band).collect()
}

fn on_air_line(number: usize, name: &str, one: &Stretch<()>, zone: Tz, currency: Currency) -> OnAir {
    OnAir {
        number,
        name: name.into(),
        at: clock(one.from_s, zone, "%-I:%M %P"),
        length: length(one.until_s.saturating_sub(one.from_s)),
        room: format!("{} → {}", count(one.here_first), count(one.here_last)),
        drop_off: percent(one.went.into(), u64::from(one.here_first).saturating_add(one.came.into())),
        came: count(one.came),
        went: count(one.went),
        gifts: count(one.gifts.count),
        gross: money(one.gifts.minor, currency),
    }
}

fn minute_line(minute: &Minute, zone: Tz, currency: Currency) -> MinuteLine {
    MinuteLine {
        at: clock(minute.start_s, zone, "%-I:%M %P"),
        here: count(minute.here),
        came: count(minute.came),
        went: count(minute.went),
        gifts: count(minute.gifts.count),
        gross: money(minute.gifts.minor, currency),
    }
}

fn in_words(minute: &Minute, zone: Tz, currency: Currency) -> String {
    let line = minute_line(minute, zone, currency);
    format!(
        "{}: {} in the room, {} came, {} went, {} for {}",
        line.at,
        line.here,
        line.came,
        line.went,
        plural(minute.gifts.count, "gift"),
        line.gross
    )
}

/// What was given while the doors were closed, and by instalments.
fn left_out(crowd: &RallyCrowd, minutes: &[Minute], currency: Currency) -> String {
    let all = sum(crowd.origins.iter().map(|(_, row)| row)).gifts;
    let live = minutes.iter().map(|minute| minute.gifts.minor).fold(0, i64::saturating_add);
    match all.minor.saturating_sub(live) {
        0 => String::new(),
        rest => format!(
            "{} more came before the doors opened, after they closed, or as instalments of recurring gifts.",
            money(rest, currency)
        ),
    }
}

fn sources(crowd: &RallyCrowd, watched: &[Watched], currency: Currency) -> Vec<SourceLine> {
    let mut rows: Vec<(&Origin, &Row, Watched)> = crowd
        .origins
        .iter()
        .zip(watched.iter().copied().chain(std::iter::repeat(Watched::default())))
        .map(|((origin, row), watched)| (origin, row, watched))
        .collect();
    rows.sort_by_key(|(origin, row, _)| (std::cmp::Reverse((row.gifts.minor, row.registered)), *origin));
    let rest = rows.split_off(rows.len().min(SOURCES_SHOWN));
    let mut lines: Vec<SourceLine> =
        rows.iter().map(|(origin, row, watched)| source_line(label(origin), row, Some(watched), currency)).collect();
    if !rest.is_empty() {
        let row = sum(rest.iter().map(|(_, row, _)| *row));
        lines.push(source_line(format!("{} others", present::count(rest.len())), &row, None, currency));
    }
    lines
}

fn source_line(name: String, row: &Row, watched: Option<&Watched>, currency: Currency) -> SourceLine {
    let times = watched.filter(|watched| watched.people > 0);
    SourceLine {
        name,
        invited: if row.invited == 0 { "–".into() } else { count(row.invited) },
        registered: count(row.registered),
        joined: count(row.joined),
        median: times.map_or("–".into(), |watched| length(watched.median_s)),
        total: times.map_or("–".into(), |watched| hours(watched.total_s)),
        donors: count(row.donors),
        gifts: count(row.gifts.count),
        gross: money(row.gifts.minor, currency),
        average: average(row.gifts, currency),
        recurring: count(row.recurring),
    }
}

fn sum<'a>(rows: impl Iterator<Item = &'a Row>) -> Row {
    rows.fold(Row::default(), |sum, row| Row {
        invited: sum.invited.saturating_add(row.invited),
        registered: sum.registered.saturating_add(row.registered),
        joined: sum.joined.saturating_add(row.joined),
        donors: sum.donors.saturating_add(row.donors),
        recurring: sum.recurring.saturating_add(row.recurring),
        gifts: Gifts {
            count: sum.gifts.count.saturating_add(row.gifts.count),
            minor: sum.gifts.minor.saturating_add(row.gifts.minor),
        },
    })
}

/// How a source is called.
fn label(origin: &Origin) -> String {
    match origin {
        Origin::Refcode(code) => format!("ref {code}"),
        Origin::Way(way) => match way {
            Way::Page => "Donate form, directly",
            Way::Rally => "Rally page, directly",
            Way::Embed => "Form on another site",
            Way::Qr => "QR code on the picture",
            Way::Shared => "Passed on by a donor",
            Way::Mail => "Link in a mail",
        }
        .into(),
        Origin::Rest => "Refcodes beyond the first thousand".into(),
    }
}

fn money(minor: i64, currency: Currency) -> String {
    Money::new(minor, currency).to_short()
}

/// The average gift to the cent; a dash where there is none.
fn average(gifts: Gifts, currency: Currency) -> String {
    let average = gifts.minor.checked_div(i64::from(gifts.count));
    average.map_or("–".into(), |minor| Money::new(minor, currency).to_exact())
}

fn count(number: u32) -> String {
    group_thousands(number.into())
}

fn plural(number: u32, one: &str) -> String {
    format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `62 %`; a dash of nothing.
fn percent(part: u64, whole: u64) -> String {
    let half = whole / 2;
    let share = part.saturating_mul(100).saturating_add(half).checked_div(whole);
    share.map_or("–".into(), |share| format!("{share}\u{a0}%"))
}

/// `50 s`, `12 min`, `1 h 05`.
fn length(seconds: u32) -> String {
    match seconds {
        ..60 => format!("{seconds}\u{a0}s"),
        60..3_600 => format!("{}\u{a0}min", seconds / 60),
        _ => format!("{}\u{a0}h\u{a0}{:02}", seconds / 3_600, seconds / 60 % 60),
    }
}

/// `8,120 hours`, or minutes where it is less than ten.
fn hours(seconds: u64) -> String {
    if seconds < 36_000 {
        format!("{}\u{a0}min", group_thousands(seconds / 60))
    } else {
        format!("{}\u{a0}h", group_thousands(seconds / 3_600))
    }
}

fn clock(at_s: u32, zone: Tz, format: &str) -> String {
    instant(at_s).with_timezone(&zone).format(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_say_them() {
        let said = [length(0), length(59), length(60), length(3_599), length(3_900), hours(600), hours(36_000)];
        let said: Vec<_> = said.iter().map(|text| text.replace('\u{a0}', " ")).collect();
        assert_eq!(said, ["0 s", "59 s", "1 min", "59 min", "1 h 05", "10 min", "10 h"]);
        assert_eq!((percent(1, 3), percent(2, 3), percent(1, 0)), ("33\u{a0}%".into(), "67\u{a0}%".into(), "–".into()));
        let gifts = |count, minor| Gifts { count, minor };
        assert_eq!(average(gifts(3, 10_000), Currency::USD), "$33.33");
        assert_eq!(average(gifts(0, 0), Currency::USD), "–");
    }
}
