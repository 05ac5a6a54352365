//! `/r/{slug}`: the rally before, while and after it happens.

mod join;

use askama::Template;

use super::home::day_in_words;
use crate::clock;
use crate::domain::donation::{REFCODE_CHARS_MAX, Way};
use crate::domain::id::RallyId;
use crate::domain::money::Money;
use crate::domain::rally;
use crate::media::ProgramId;
use crate::media::captions::Eyes;
use crate::projections::totals::timezone;
use crate::web::form::Form;
use crate::web::problem::Problem;
use crate::web::session::{MaybeVisitor, Visitor};
use crate::web::view::drive::Drive;
use crate::web::view::{Amount, Feed, Layout, Lineup, Notice, Phase, Room, Speaker, Stage, Ticker, Total};
use crate::web::{App, came, present, see_other};
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
pub use join::{Join, NAME_CHARS_MAX};

/// The rally's page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/rally.html")]
pub struct Rally {
    /// The frame around the page.
    pub layout: Layout,
    /// Where the rally is in its life.
    pub phase: Phase,
    /// The rally's page: `/r/answer-the-call`; every other address on the page starts with it.
    pub href: String,
    /// Its title.
    pub title: String,
    /// The description, a paragraph an entry.
    pub description: Vec<String>,
    /// `Thursday, July 25`.
    pub date: String,
    /// `7:30 pm Eastern`.
    pub time: String,
    /// The start as RFC 3339.
    pub starts_iso: String,
    /// The bill.
    pub speakers: Vec<Speaker>,
    /// Suggested amounts.
    pub amounts: Vec<Amount>,
    /// The one amount on the phone's dock.
    pub quick: Amount,
    /// Hidden fields of the donate forms: where the donor comes from.
    pub carried: Vec<(&'static str, String)>,
    /// The same as a query, for links.
    pub carried_query: String,
    /// The form to join with.
    pub join: Join,
    /// Live part.
    pub total: Total,
    /// Live part: matches and goals.
    pub drive: Drive,
    /// Live part.
    pub feed: Feed,
    /// Live part.
    pub ticker: Ticker,
    /// Live part.
    pub stage: Stage,
    /// Live part.
    pub lineup: Lineup,
    /// Live part.
    pub room: Room,
    /// Whether the page has a replay to show.
    pub replay: bool,
    /// Whether anything was captioned in it.
    pub transcript: bool,
    /// The whole address, to pass on.
    pub share_url: String,
    /// Who pays for it, as the law wants it said.
    pub paid_for_by: String,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/r/{slug}", get(show)).merge(join::routes())
}

async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    RawQuery(query): RawQuery,
    MaybeVisitor(visitor): MaybeVisitor,
) -> Result<Response, Problem> {
    let (_, rally) = app.rally(&slug)?;
    let query = query.unwrap_or_default();
    if rally.details.slug != slug {
        let query = if query.is_empty() { query } else { format!("?{query}") };
        return Ok(see_other(&format!("/r/{}{query}", rally.details.slug)));
    }
    let join = Join { carried: carried(&query), said: join::said(&query), ..Join::default() };
    page(&app, &slug, visitor, join, StatusCode::OK)
}

/// What the forms take along from the link that led here.
fn carried(query: &str) -> Vec<(&'static str, String)> {
    carried_in(&Form::parse(query.as_bytes()))
}

fn carried_in(query: &Form) -> Vec<(&'static str, String)> {
    let via = came::way(&query.get("via"));
    let via = if via == Way::Page { Way::Rally } else { via };
    let refcode: String = query.get("refcode").chars().take(REFCODE_CHARS_MAX).collect();
    let fields = [("via", via.word().to_owned()), ("refcode", refcode)];
    fields.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn page(app: &App, slug: &str, visitor: Option<Visitor>, join: Join, status: StatusCode) -> Result<Response, Problem> {
    let (id, rally) = app.rally(slug)?;
    let now = clock::now();
    let html = {
        let world = app.engine().world();
        let zone = timezone(&world.state, id);
        let details = &rally.details;
        let known = visitor.filter(|visitor| world.state.attendance.has_joined(id, visitor.person));
        let href = format!("/r/{}", details.slug);
        let amounts = present::amounts(details, None);
        let smallest = details.suggested_minor.get(1).or(details.suggested_minor.first()).copied();
        let quick = Money::new(smallest.unwrap_or(details.currency.minor_per_major()), details.currency);
        let paragraphs = details.description.split("\n\n").map(str::trim).filter(|text| !text.is_empty());
        let replay = replay(app, id, &rally);
        let captioned = || !app.media().captions().languages(ProgramId(id.0), Eyes::Audience).is_empty();
        let page = Rally {
            layout: Layout {
                notice: join.said.map(|text| Notice { text: text.into(), bad: false }),
                ..app.layout(&details.title, Some(details))
            },
            phase: present::phase(&rally),
            replay,
            transcript: replay && captioned(),
            share_url: format!("{}{href}", app.public_url()),
            href,
            title: details.title.clone(),
            description: paragraphs.map(str::to_owned).collect(),
            date: day_in_words(details.starts_at, zone),
            time: present::time(details.starts_at, zone),
            starts_iso: present::iso(details.starts_at),
            speakers: rally
                .speakers
                .iter()
                .map(|speaker| Speaker { name: speaker.name.clone(), role: speaker.role.clone() })
                .collect(),
            amounts,
            quick: Amount { value: present::typed(quick), label: quick.to_short(), selected: false },
            carried_query: form_urlencoded::Serializer::new(String::new()).extend_pairs(&join.carried).finish(),
            carried: join.carried.clone(),
            join: Join { joined_as: known.map(|visitor| visitor.name), ..join },
            total: present::total(&world, id, &rally),
            drive: present::drive::drive(&world, id, &rally, now),
            feed: present::feed(app, &world, id, now),
            ticker: present::ticker(app, &world, id),
            stage: present::stage(&world, &rally),
            lineup: present::lineup(&world, id, &rally),
            room: present::room(&world, id),
            paid_for_by: details.paid_for_by.clone(),
        };
        page.render()?
    };
    Ok((status, Html(html)).into_response())
}

/// Whether there is a replay. Reads the recording's index from disk, once after a start.
fn replay(app: &App, id: RallyId, rally: &rally::Rally) -> bool {
    if !matches!(rally.phase, rally::Phase::Ended { .. }) || rally.recording_deleted {
        return false;
    }
    let shelf = app.media().recordings().map(|recordings| recordings.shelf(ProgramId(id.0)));
    matches!(shelf, Some(Ok(Some(shelf))) if !shelf.is_empty())
}
