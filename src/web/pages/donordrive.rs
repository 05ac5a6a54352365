//! `/api/events/…` and `/api/participants/…`: what the room sees anyway, in the shape of DonorDrive's public API, for stream
//! overlays and trackers that poll that. A rally is an event, and its one participant.
//!
//! Amounts are numbers with a decimal point there. Donors have no id here: whoever gave twice is not told as one.

use crate::domain::id::RallyId;
use crate::domain::money::Money;
use crate::domain::rally::{Phase, Rally};
use crate::projections::Projections;
use crate::web::App;
use crate::web::assets::asset;
use crate::web::form::Form;
use crate::web::present;
use crate::web::problem::{Problem, internal};
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, Utc};
use serde_json::{Number, Value, json};

/// How long a proxy may keep an answer: tools ask every 15 s, as DonorDrive wants it, and a thousand of them are one then.
const KEEP: &str = "public, max-age=5";
/// A number that a rally has here: 31 bits, which fit every tool's.
const NUMBER_MASK: u128 = 0x7fff_ffff;

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/events/{id}", get(event))
        .route("/api/events/{id}/donations", get(donations))
        .route("/api/participants/{id}", get(participant))
        .route("/api/participants/{id}/donations", get(donations))
}

/// The rally with this address, or this number.
fn find<'a>(world: &'a Projections, id: &str) -> Result<(RallyId, &'a Rally), Problem> {
    let rallies = &world.state.rallies;
    let by_number = || rallies.iter().find(|(rally, _)| number(*rally).to_string() == id);
    rallies.find(id).or_else(by_number).ok_or(Problem::NotFound)
}

fn number(rally: RallyId) -> u128 {
    rally.0.as_u128() & NUMBER_MASK
}

fn amount(money: Money) -> Result<Number, Problem> {
    present::typed(money).parse().map_err(|error: serde_json::Error| internal(&error))
}

fn date(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

fn picture(app: &App) -> String {
    format!("{}{}", app.public_url(), asset("icon.svg"))
}

/// What an event and a participant have in common.
fn sums(app: &App, world: &Projections, id: RallyId, rally: &Rally) -> Result<Value, Problem> {
    let details = &rally.details;
    let sums = world.totals.sums(id);
    let money = |minor| amount(Money::new(minor, details.currency));
    let page = format!("{}/r/{}", app.public_url(), details.slug);
    let is_live = matches!(rally.phase, Phase::Live { .. });
    Ok(json!({
        "eventID": u64::try_from(number(id)).unwrap_or_default(),
        "sumDonations": money(sums.raised_minor())?,
        "sumPledges": 0,
        "numDonations": sums.donations,
        "fundraisingGoal": details.goal_minor.map(money).transpose()?,
        "streamIsLive": is_live,
        "avatarImageURL": picture(app),
        "links": { "donate": format!("{page}/donate"), "page": page, "stream": page },
        "mode": world.state.mode.map(|mode| mode.to_string()),
    }))
}

fn with(mut value: Value, more: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (value.as_object_mut(), more) {
        fields.extend(more);
    }
    value
}

async fn event(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let world = app.engine().world();
    let (id, rally) = find(&world, &id)?;
    let details = &rally.details;
    let own = json!({
        "name": details.title,
        "description": details.description,
        "type": "C",
        "startDateUTC": date(details.starts_at),
        "timezone": details.timezone,
        "hasDates": true,
        "hasLocation": false,
        "numParticipants": 1,
        "numTeams": 0,
    });
    let answer = with(sums(&app, &world, id, rally)?, own);
    drop(world);
    Ok(answered(&headers, &answer))
}

async fn participant(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let world = app.engine().world();
    let (id, rally) = find(&world, &id)?;
    let details = &rally.details;
    let own = json!({
        "participantID": u64::try_from(number(id)).unwrap_or_default(),
        "displayName": details.title,
        "eventName": details.title,
        "createdDateUTC": date(details.starts_at),
        "isTeamCaptain": false,
        "isTeamCoCaptain": false,
        "isCustomAvatarImage": false,
        "hasActivityTracking": false,
    });
    let answer = with(sums(&app, &world, id, rally)?, own);
    drop(world);
    Ok(answered(&headers, &answer))
}

/// The latest donations, as many as the room's list keeps; `limit` and `offset` as there.
async fn donations(
    State(app): State<App>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let number_of = |name: &str, none: usize| match query.get(name) {
        text if text.is_empty() => Ok(none),
        text => text.parse().map_err(|_| Problem::Malformed(format!("{name} is a whole number, like 10"))),
    };
    let (limit, offset): (usize, usize) = (number_of("limit", usize::MAX)?, number_of("offset", 0)?);
    let world = app.engine().world();
    let (id, rally) = find(&world, &id)?;
    let latest: Vec<_> = world.feed.latest(id).skip(offset).take(limit).cloned().collect();
    let (title, slug) = (rally.details.title.clone(), rally.details.slug.clone());
    drop(world);
    if latest.is_empty() && offset > 0 {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let (page, picture) = (format!("{}/r/{slug}", app.public_url()), picture(&app));
    let event = u64::try_from(number(id)).unwrap_or_default();
    let told = latest.iter().map(|latest| {
        let shown = present::shown(&app, latest);
        Ok(json!({
            "donationID": present::public_name(&app, latest.donation),
            "displayName": shown.name,
            "amount": amount(latest.amount)?,
            "message": shown.message,
            "createdDateUTC": date(latest.at),
            "eventID": event,
            "participantID": event,
            "recipientName": title,
            "recipientImageURL": picture,
            "avatarImageURL": picture,
            "isRegFee": false,
            "links": { "recipient": page, "donate": format!("{page}/donate") },
        }))
    });
    let told: Vec<Value> = told.collect::<Result<_, Problem>>()?;
    Ok(answered(&headers, &told.into()))
}

/// The answer, for any page and any cache; nothing of it where the asker has it.
fn answered(headers: &HeaderMap, value: &Value) -> Response {
    let body = value.to_string();
    let tag = format!("\"{}\"", blake3::hash(body.as_bytes()).to_hex().get(..32).unwrap_or_default());
    let known = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let common = [(ETAG, tag.as_str()), (CACHE_CONTROL, KEEP), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    if known {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, [(CONTENT_TYPE, "application/json")], body).into_response()
}
