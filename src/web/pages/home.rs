//! `/`: every rally of this installation.

use askama::Template;

use crate::clock;
use crate::domain::id::RallyId;
use crate::domain::money::{Money, group_thousands};
use crate::domain::rally::{Phase, Rally};
use crate::projections::Projections;
use crate::projections::totals::timezone;
use crate::web::accent::Accent;
use crate::web::problem::Problem;
use crate::web::view::Layout;
use crate::web::{App, present};
use axum::Router;
use axum::extract::State;
use axum::response::Html;
use axum::routing::get;

/// The list of rallies.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/home.html")]
pub struct Home {
    /// The frame around the page.
    pub layout: Layout,
    /// Rallies whose doors are open.
    pub live: Vec<RallyCard>,
    /// Rallies to come, soonest first.
    pub upcoming: Vec<RallyCard>,
    /// Rallies that are over, latest first.
    pub past: Vec<RallyCard>,
}

/// One rally in the list.
#[derive(Debug, Clone)]
pub struct RallyCard {
    /// The rally's page.
    pub href: String,
    /// Its title.
    pub title: String,
    /// Date and time in words, in the rally's time zone.
    pub when: String,
    /// The same as RFC 3339.
    pub when_iso: String,
    /// The first words of the description, or empty.
    pub blurb: String,
    /// The rally's colour in the light theme.
    pub accent: String,
    /// Text on it.
    pub on_accent: String,
    /// The rally's colour in the dark theme.
    pub accent_dark: String,
    /// Text on it.
    pub on_accent_dark: String,
    /// The total with its currency; absent while nothing came in.
    pub raised: Option<String>,
    /// How many people are here now, for a live rally.
    pub here: Option<String>,
}

/// Characters of a description in the list: two lines on a phone.
const BLURB_CHARS: usize = 140;

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/", get(show))
}

async fn show(State(app): State<App>) -> Result<Html<String>, Problem> {
    let page = {
        let world = app.engine().world();
        let mut rallies: Vec<_> = world.state.rallies.iter().collect();
        rallies.sort_by_key(|(_, rally)| rally.details.starts_at);
        let of_phase = |wanted: fn(&Phase) -> bool| {
            let chosen = rallies.iter().filter(move |(_, rally)| wanted(&rally.phase));
            chosen.map(|(id, rally)| card(&world, *id, rally)).collect::<Vec<_>>()
        };
        let mut past = of_phase(|phase| matches!(phase, Phase::Ended { .. }));
        past.reverse();
        let site = app.layout("", None).site;
        Home {
            layout: app.layout(&site, None),
            live: of_phase(|phase| matches!(phase, Phase::Live { .. })),
            upcoming: of_phase(|phase| *phase == Phase::Before),
            past,
        }
    };
    Ok(Html(page.render()?))
}

fn card(world: &Projections, id: RallyId, rally: &Rally) -> RallyCard {
    let zone = timezone(&world.state, id);
    let accent = Accent::new(&rally.details.accent);
    let raised = world.totals.sums(id).raised_minor();
    let at = rally.details.starts_at;
    let here = matches!(rally.phase, Phase::Live { .. }).then(|| group_thousands(world.room.count(id).here));
    let mut blurb: String = rally.details.description.chars().take(BLURB_CHARS).collect();
    if rally.details.description.chars().nth(BLURB_CHARS).is_some() {
        blurb.push('…');
    }
    RallyCard {
        href: format!("/r/{}", rally.details.slug),
        title: rally.details.title.clone(),
        when: when_in_words(at, zone),
        when_iso: present::iso(at),
        blurb,
        accent: accent.light,
        on_accent: accent.on_light,
        accent_dark: accent.dark,
        on_accent_dark: accent.on_dark,
        raised: (raised > 0).then(|| Money::new(raised, rally.details.currency).to_whole()),
        here,
    }
}

/// `Thursday, July 25, 7:30 pm EDT`, with the year where it is not this one.
pub fn when_in_words(at: chrono::DateTime<chrono::Utc>, zone: chrono_tz::Tz) -> String {
    format!("{}, {}", day_in_words(at, zone), present::time(at, zone))
}

/// `Thursday, July 25`, with the year where it is not this one.
pub fn day_in_words(at: chrono::DateTime<chrono::Utc>, zone: chrono_tz::Tz) -> String {
    use chrono::Datelike;
    let year = at.with_timezone(&zone).year();
    let this_year = clock::now().with_timezone(&zone).year();
    let year = if year == this_year { String::new() } else { format!(", {year}") };
    format!("{}{year}", present::date(at, zone))
}
