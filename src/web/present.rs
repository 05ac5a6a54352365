//! From projections to the parts of a page: words and figures in their final form, the same at first paint and in a frame.

pub mod captions;
pub mod chart;
pub mod drive;
pub mod joint;
pub mod letters;
pub mod plan;
pub mod restream;
pub mod run;
pub mod storage;

use super::App;
use super::view::{
    Air, Amount, Feed, FeedDonor, Kpi, Kpis, Lineup, LineupSpeaker, Milestone, Phase, RefusalLine, Refusals, Room,
    Source, SourceState, Sources, Speaker, Stage, Ticker, Total,
};
use crate::clock;
use crate::domain::id::{DonationId, RallyId, SourceId};
use crate::domain::money::{Money, group_thousands};
use crate::domain::profile::Shown;
use crate::domain::rally::{self, Details, Rally};
use crate::domain::seals::SHOWN;
use crate::live::Audience;
use crate::media;
use crate::media::health::{Health, Sound};
use crate::projections::Projections;
use crate::projections::feed::Latest;
use crate::projections::totals::timezone;
use askama::Template;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use std::collections::BTreeMap;

/// Donors in the list on a page: what is in view on a desktop.
const FEED_MAX: usize = 12;
/// Donors in the line under the picture: what fits its width.
const TICKER_MAX: usize = 6;
/// Refusals in the studio: what is in view.
const REFUSALS_MAX: usize = 5;
/// Where the goal bar has marks, in percent.
const MILESTONES: [u32; 3] = [25, 50, 75];

/// What stands where the name of an erased person stood.
pub const ERASED: &str = "(erased)";

/// The rally's state for pages.
pub fn phase(rally: &Rally) -> Phase {
    match rally.phase {
        rally::Phase::Before => Phase::Before,
        rally::Phase::Live { .. } => Phase::Live,
        rally::Phase::Ended { .. } => Phase::Ended,
    }
}

/// The money raised against the goal.
pub fn total(world: &Projections, id: RallyId, rally: &Rally) -> Total {
    let Details { currency, goal_minor, .. } = &rally.details;
    let raised = world.totals.sums(id).raised_minor().max(0);
    let percent =
        goal_minor.map_or(0, |goal| u32::try_from(raised.saturating_mul(100) / goal.max(1)).unwrap_or(u32::MAX));
    let donors = world.totals.of(id).map_or(0, |totals| totals.donors());
    let heading = match rally.phase {
        rally::Phase::Before => "Raised so far",
        rally::Phase::Live { .. } => "Raised tonight",
        rally::Phase::Ended { .. } => "Raised in all",
    };
    let milestone = |mark: &u32| Milestone { percent: *mark, reached: percent >= *mark };
    Total {
        heading: heading.into(),
        raised: Money::new(raised, *currency).to_whole(),
        goal: goal_minor.map(|goal| Money::new(goal, *currency).to_short()),
        percent,
        milestones: if goal_minor.is_some() { MILESTONES.iter().map(milestone).collect() } else { vec![] },
        donors: count(donors),
        donors_word: if donors == 1 { "donor".into() } else { "donors".into() },
    }
}

/// A number of things, with separators.
pub fn count(number: usize) -> String {
    group_thousands(u64::try_from(number).unwrap_or(u64::MAX))
}

/// What a donor lets the room see.
pub fn shown(app: &App, latest: &Latest) -> Shown {
    let erased = || Shown { name: ERASED.into(), place: None, message: None };
    app.open_sealed(latest.donor, SHOWN, &latest.shown).unwrap_or_else(erased)
}

/// A donation's name where everybody can see it, the same each time: its own is the address of its donor's pages.
pub fn public_name(app: &App, donation: DonationId) -> String {
    let name = app.engine().vault().derive("public name", donation.0.as_bytes());
    name.iter().take(8).map(|byte| format!("{byte:02X}")).collect()
}

/// The latest donors.
pub fn feed(app: &App, world: &Projections, id: RallyId, now: DateTime<Utc>) -> Feed {
    let donors = world.feed.latest(id).take(FEED_MAX).map(|latest| {
        let Shown { name, place, message } = shown(app, latest);
        FeedDonor {
            id: public_name(app, latest.donation),
            amount: latest.amount.to_short(),
            name,
            place,
            message,
            when: ago(now, latest.at),
            at_iso: iso(latest.at),
        }
    });
    Feed { donors: donors.collect() }
}

fn ago(now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    let minutes = now.signed_duration_since(at).num_minutes();
    match minutes {
        ..1 => "just now".into(),
        1..60 => format!("{minutes} min"),
        _ => format!("{} h", minutes / 60),
    }
}

/// The latest donors in one line.
pub fn ticker(app: &App, world: &Projections, id: RallyId) -> Ticker {
    let lines = world.feed.latest(id).take(TICKER_MAX).map(|latest| {
        let Shown { name, place, .. } = shown(app, latest);
        let place = place.map(|place| format!(" from {place}")).unwrap_or_default();
        format!("{name}{place} gave {}", latest.amount.to_short())
    });
    Ticker { lines: lines.collect() }
}

/// Whose picture the audience really has: it follows a cut at the next keyframe.
fn shown_source(world: &Projections, rally: &Rally) -> Option<SourceId> {
    let (id, _) = world.state.rallies.find(&rally.details.slug)?;
    world.state.broadcast.on_program(id)
}

fn on_screen<'a>(world: &Projections, rally: &'a Rally) -> Option<&'a rally::Speaker> {
    let source = shown_source(world, rally)?;
    rally.speakers.iter().find(|speaker| speaker.source == source)
}

/// What stands over the picture.
pub fn stage(world: &Projections, rally: &Rally) -> Stage {
    let speaker = on_screen(world, rally);
    // A clip that is over does not come back.
    let is_away = |source: SourceId| rally.clip(source).is_none() && world.state.broadcast.connection(source).is_none();
    let (slate_title, slate_text) = if rally.program.is_some_and(is_away) {
        ("We’ll be right back", "The picture has dropped for a moment. Stay here, it comes back by itself.")
    } else {
        ("In a moment", "The next speaker is on the way. Stay here, the picture comes by itself.")
    };
    Stage {
        speaker: speaker.map(|speaker| Speaker { name: speaker.name.clone(), role: speaker.role.clone() }),
        slate_title: slate_title.into(),
        slate_text: slate_text.into(),
    }
}

/// Who is on and who follows.
pub fn lineup(world: &Projections, id: RallyId, rally: &Rally) -> Lineup {
    let now = on_screen(world, rally);
    let at = now.and_then(|now| rally.speakers.iter().position(|speaker| speaker.source == now.source));
    let after = at.and_then(|at| rally.speakers.get(at.saturating_add(1))).map(|speaker| speaker.name.clone());
    let next = if world.state.shows.get(id).is_some() { run::next_on_bill(world, id, rally) } else { after };
    let speakers = rally.speakers.iter().map(|speaker| {
        let on = now.is_some_and(|now| now.source == speaker.source);
        let line = if on { "on now".into() } else { speaker.role.clone() };
        LineupSpeaker { name: speaker.name.clone(), line, on }
    });
    Lineup { now: now.map(|speaker| speaker.name.clone()), next, speakers: speakers.collect() }
}

/// The people.
pub fn room(world: &Projections, id: RallyId) -> Room {
    let people = world.room.count(id);
    Room { here: group_thousands(people.here), joined: group_thousands(people.joined) }
}

/// The state of the doors, for the studio.
pub fn air(rally: &Rally, now: DateTime<Utc>) -> Air {
    let label = match rally.phase {
        rally::Phase::Before => "DOORS CLOSED".into(),
        rally::Phase::Live { since } => {
            let seconds = now.signed_duration_since(since).num_seconds().max(0);
            format!("ON AIR {}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
        }
        rally::Phase::Ended { .. } => "ENDED".into(),
    };
    Air { phase: phase(rally), label }
}

/// The studio's figures.
pub fn kpis(app: &App, world: &Projections, id: RallyId, rally: &Rally) -> Kpis {
    let total = total(world, id, rally);
    let people = world.room.count(id);
    let donors = world.totals.of(id).map_or(0, |totals| u64::try_from(totals.donors()).unwrap_or(0));
    let goal = total.goal.as_ref().map_or("no goal set".into(), |goal| format!("{} % of {goal}", total.percent));
    let share = match people.joined.saturating_mul(10).checked_div(donors) {
        Some(tenths) if people.joined >= donors => format!("1 in {}.{} who joined", tenths / 10, tenths % 10),
        Some(_) | None => format!("{} joined", group_thousands(people.joined)),
    };
    let health = rally.program.and_then(|source| app.media().health(media::SourceId(source.0)));
    let (picture, note) = match (health, rally.program) {
        (Some(health), _) => (megabits(health.bitrate_bps), "coming in, on program".to_owned()),
        (None, Some(_)) => ("none".into(), "the speaker on program is not connected".into()),
        (None, None) => ("slate".into(), "nobody is on program".into()),
    };
    let figure = |label: &str, value: String, note: String| Kpi { label: label.into(), value, note };
    Kpis {
        figures: vec![
            figure("Raised", total.raised, goal),
            figure(
                "Here now",
                group_thousands(people.here),
                format!("peak {}, {} joined", group_thousands(people.peak), group_thousands(people.joined)),
            ),
            figure("Donors", total.donors, share),
            figure("Picture", picture, note),
        ],
    }
}

/// `40 s`, `12 min`, `3 h 05`.
fn up(now: DateTime<Utc>, since_ms: i64) -> String {
    let seconds = now.timestamp_millis().saturating_sub(since_ms).max(0) / 1_000;
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h {:02}", seconds / 3_600, seconds / 60 % 60),
    }
}

fn megabits(bps: u64) -> String {
    format!("{}.{} Mbit/s", bps / 1_000_000, bps / 100_000 % 10)
}

/// Every speaker's feed.
pub fn sources(app: &App, world: &Projections, rally: &Rally, now: DateTime<Utc>) -> Sources {
    let sources = rally.speakers.iter().enumerate().map(|(at, speaker)| {
        let on_program = rally.program == Some(speaker.source);
        let connected = world.state.broadcast.connection(speaker.source).is_some();
        Source {
            id: speaker.source.to_string(),
            key: if at < 9 { at.saturating_add(1).to_string() } else { String::new() },
            name: speaker.name.clone(),
            role: speaker.role.clone(),
            state: source_state(world, rally, speaker.source, now),
            detail: source_detail(app, world, speaker.source),
            warnings: source_warnings(app, speaker.source),
            preview: connected.then(|| preview_href(rally, speaker.source)),
            golive_href: format!("/host/r/{}/speakers/{}", rally.details.slug, speaker.source),
            on_program,
            can_cut: connected && !matches!(rally.phase, rally::Phase::Ended { .. }),
        }
    });
    Sources { sources: sources.collect() }
}

/// What one feed is doing.
pub fn source_state(world: &Projections, rally: &Rally, source: SourceId, now: DateTime<Utc>) -> SourceState {
    if world.state.broadcast.connection(source).is_some() {
        return match (shown_source(world, rally) == Some(source), rally.program == Some(source)) {
            (true, _) => SourceState::OnAir,
            (false, true) => SourceState::Waiting,
            (false, false) => SourceState::Ready,
        };
    }
    if let Some(refused) = world.signals.refused(source) {
        return SourceState::Refused(refused.reason.clone());
    }
    match world.signals.dropped(source) {
        Some(dropped) => {
            let seconds = now.signed_duration_since(dropped.at).num_seconds().max(0);
            let since = if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds / 60) };
            SourceState::Dropped(format!("Dropped {since} ago: {}", dropped.reason))
        }
        None => SourceState::NotConnected,
    }
}

/// Where staff see a connected source's own picture.
fn preview_href(rally: &Rally, source: SourceId) -> String {
    format!("/host/r/{}/preview/{source}/index.m3u8", rally.details.slug)
}

/// What is wrong with one feed, in sentences.
pub fn source_warnings(app: &App, source: SourceId) -> Vec<String> {
    let health = app.media().health(media::SourceId(source.0));
    health.map(|health| health.warnings().into_iter().map(|warning| warning.words).collect()).unwrap_or_default()
}

/// What is known of one feed.
pub fn source_detail(app: &App, world: &Projections, source: SourceId) -> String {
    let Some(connection) = world.state.broadcast.connection(source) else { return String::new() };
    let health = app.media().health(media::SourceId(source.0));
    // The log has the picture as it was when the source came; a lower quality may have come first.
    let video = health.as_ref().map_or_else(|| connection.video.clone(), Health::describe_video);
    let mut detail = format!("{} · {} · {}", connection.protocol, video, connection.audio);
    if let Some(health) = health {
        if !health.lower.is_empty() {
            let sizes = health.lower.iter().map(|(width, height)| format!("{width}×{height}"));
            detail.push_str(&format!(" · also {}", sizes.collect::<Vec<_>>().join(", ")));
        }
        if let Some(tenths) = health.rate_tenths {
            detail.push_str(&format!(" · {}\u{a0}fps", tenths.saturating_add(5) / 10));
        }
        detail.push_str(&format!(" · {}", megabits(health.bitrate_bps).replace(' ', "\u{a0}")));
        if let Some(ms) = health.keyframe_interval_ms {
            let tenths = ms.saturating_add(50) / 100;
            let fraction = if tenths % 10 == 0 { String::new() } else { format!(".{}", tenths % 10) };
            detail.push_str(&format!(" · key\u{a0}{}{fraction}\u{a0}s", tenths / 10));
        }
        detail.push_str(match health.sound {
            Sound::Heard => " · sound",
            Sound::None | Sound::Gone { .. } | Sound::Silent { .. } => "",
        });
        detail.push_str(&format!(" · up {}", up(clock::now(), health.connected_at_ms)));
    }
    detail
}

/// What was turned away: of this rally's speakers, and whoever came without a valid key in the last hour.
pub fn refusals(world: &Projections, id: RallyId, rally: &Rally, now: DateTime<Utc>) -> Refusals {
    let zone = timezone(&world.state, id);
    let own = world.signals.refusals(id).map(|refusal| {
        let speaker = rally.speakers.iter().find(|speaker| speaker.source == refusal.source);
        (refusal.at, speaker.map_or("a removed speaker".into(), |speaker| speaker.name.clone()), &refusal.reason)
    });
    let recent = |at: DateTime<Utc>| now.signed_duration_since(at).num_minutes() < 60;
    let strangers = world.signals.strangers().filter(|(at, _)| recent(*at));
    let mut all: Vec<_> =
        own.chain(strangers.map(|(at, reason)| (*at, "unknown stream key".to_owned(), reason))).collect();
    all.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    all.truncate(REFUSALS_MAX);
    let lines = all.into_iter().map(|(at, who, reason)| RefusalLine {
        when: time_seconds(at, zone),
        who,
        reason: reason.clone(),
    });
    Refusals { refusals: lines.collect() }
}

/// The suggested amounts; one of the smaller is chosen at first, or the one asked for.
pub fn amounts(details: &Details, chosen: Option<Money>) -> Vec<Amount> {
    let at = details.suggested_minor.len() / 3;
    let default = details.suggested_minor.get(at).copied();
    let chosen = chosen.map(|money| money.minor).or(default);
    let amount = |minor: &i64| {
        let money = Money::new(*minor, details.currency);
        Amount { value: typed(money), label: money.to_short(), selected: Some(*minor) == chosen }
    };
    details.suggested_minor.iter().map(amount).collect()
}

/// An amount as a person would type it: `50`, `12.50`.
pub fn typed(money: Money) -> String {
    let decimal = money.to_decimal();
    decimal.strip_suffix(".00").map(str::to_owned).unwrap_or(decimal)
}

/// `Thursday, July 25`.
pub fn date(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%A, %B %-d").to_string()
}

/// `7:30 pm EDT`.
pub fn time(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%-I:%M %P %Z").to_string()
}

/// `9:13:58 pm`.
pub fn time_seconds(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%-I:%M:%S %P").to_string()
}

/// RFC 3339 in UTC.
pub fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[derive(Serialize)]
struct Frame {
    seq: u64,
    /// The instant that the figures are of, in ms since 1970 UTC: the program's clock.
    at_ms: i64,
    phase: &'static str,
    raised_minor: i64,
    currency: &'static str,
    goal_minor: Option<i64>,
    /// What sponsors promised to add: not received, and in no total.
    matched_minor: i64,
    donors: usize,
    here: u64,
    joined: u64,
    parts: BTreeMap<&'static str, String>,
}

/// The whole state of a rally, as one line of JSON: figures for programs, parts for pages.
pub fn frame(app: &App, id: RallyId, audience: Audience) -> Bytes {
    let now = clock::now();
    let world = app.engine().world();
    let Some(rally) = world.state.rallies.get(id) else { return Bytes::from_static(b"{}") };
    let render = |part: Result<String, askama::Error>| part.unwrap_or_default();
    let mut parts = BTreeMap::from([
        ("total", render(total(&world, id, rally).render())),
        ("feed", render(feed(app, &world, id, now).render())),
        ("drive", render(drive::drive(&world, id, rally, now).render())),
    ]);
    match audience {
        Audience::Public => parts.extend([
            ("ticker", render(ticker(app, &world, id).render())),
            ("stage", render(stage(&world, rally).render())),
            ("lineup", render(lineup(&world, id, rally).render())),
            ("room", render(room(&world, id).render())),
        ]),
        Audience::Studio => parts.extend([
            ("air", render(air(rally, now).render())),
            ("stage", render(stage(&world, rally).render())),
            ("kpis", render(kpis(app, &world, id, rally).render())),
            ("run", render(run::run(app, &world, id, rally, now).render())),
            ("sources", render(sources(app, &world, rally, now).render())),
            ("refusals", render(refusals(&world, id, rally, now).render())),
            ("restreams", render(restream::restreams(app, &world, id, rally, now).render())),
            ("destinations", render(restream::destinations(app, &world, id, rally, now).render())),
            ("captions", render(captions::captions(app, &world, id).render())),
            ("storage", render(storage::storage(app, &world).render())),
        ]),
    }
    let people = world.room.count(id);
    let frame = Frame {
        seq: world.changed(id),
        at_ms: now.timestamp_millis(),
        phase: phase(rally).word(),
        raised_minor: world.totals.sums(id).raised_minor(),
        currency: rally.details.currency.code(),
        goal_minor: rally.details.goal_minor,
        matched_minor: drive::matched_minor(&world, id),
        donors: world.totals.of(id).map_or(0, |totals| totals.donors()),
        here: people.here,
        joined: people.joined,
        parts,
    };
    serde_json::to_vec(&frame).unwrap_or_default().into()
}

#[cfg(test)]
mod tests;
