//! `/r/{slug}/live` and its kin: the state of a rally as it changes (server-sent events), and as one answer for those who
//! poll.

use crate::domain::id::RallyId;
use crate::live::{Audience, Frame};
use crate::media::ProgramId;
use crate::media::captions::Eyes;
use crate::web::App;
use crate::web::problem::Problem;
use crate::web::session::{MaybeVisitor, Staff};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use std::convert::Infallible;
use tokio_stream::wrappers::WatchStream;

/// A page that lost its line waits between these before it asks again, in ms, so that a room does not return as one.
const RETRY_MS_MIN: u32 = 1_000;
const RETRY_MS_SPREAD: u32 = 4_000;

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/r/{slug}/live", get(events))
        .route("/r/{slug}/live.json", get(json))
        .route("/host/r/{slug}/live", get(studio_events))
        .route("/host/r/{slug}/live.json", get(studio_json))
}

async fn events(
    State(app): State<App>,
    Path(slug): Path<String>,
    MaybeVisitor(visitor): MaybeVisitor,
) -> Result<Response, Problem> {
    let (rally, _) = app.rally(&slug)?;
    let joined = |person| app.engine().world().state.attendance.has_joined(rally, person);
    let page =
        visitor.filter(|visitor| joined(visitor.person)).map(|visitor| app.presence().enter(rally, visitor.person));
    stream_of(&app, rally, Audience::Public, page)
}

async fn studio_events(State(app): State<App>, Path(slug): Path<String>, staff: Staff) -> Result<Response, Problem> {
    staff.hosts()?;
    let (rally, _) = app.rally(&slug)?;
    stream_of(&app, rally, Audience::Studio, None::<()>)
}

fn stream_of<Held: Send + 'static>(
    app: &App,
    rally: RallyId,
    audience: Audience,
    held: Option<Held>,
) -> Result<Response, Problem> {
    let place = app.live_connections().try_acquire_owned().map_err(|_| Problem::Busy { seconds: 5 })?;
    let live = app.live().ok_or(Problem::Internal)?;
    let mut spread = [0; 2];
    let _ = getrandom::fill(&mut spread);
    let retry = RETRY_MS_MIN.saturating_add(u32::from(u16::from_le_bytes(spread)) % RETRY_MS_SPREAD);
    let first = stream::iter([Bytes::from(format!("retry: {retry}\n\n"))]);
    // What is said is a message of its own: it comes between frames, and is a fraction of one.
    let eyes = if audience == Audience::Studio { Eyes::Staff } else { Eyes::Audience };
    let said = WatchStream::new(app.media().captions().watch(ProgramId(rally.0), eyes));
    let said = said.filter(|message| std::future::ready(!message.is_empty()));
    let frames = live.subscribe(rally, audience).map(move |frame: Frame| {
        // The stream owns the visitor's presence and its place among the connections: both end with it.
        let _owned = (&held, &place);
        frame.event
    });
    let until = app.shutdown().clone().cancelled_owned();
    let body = first.chain(stream::select(frames, said)).take_until(Box::pin(until)).map(Ok::<_, Infallible>);
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-cache, no-transform"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

async fn json(State(app): State<App>, Path(slug): Path<String>) -> Result<Response, Problem> {
    let (rally, _) = app.rally(&slug)?;
    let frame = app.live().ok_or(Problem::Internal)?.current(rally, Audience::Public);
    // One second in a shared cache: a crowd behind bad proxies costs one request a second.
    let headers =
        [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=1"), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    Ok((headers, frame.body).into_response())
}

async fn studio_json(State(app): State<App>, Path(slug): Path<String>, staff: Staff) -> Result<Response, Problem> {
    staff.hosts()?;
    let (rally, _) = app.rally(&slug)?;
    let frame = app.live().ok_or(Problem::Internal)?.current(rally, Audience::Studio);
    Ok(([(CONTENT_TYPE, "application/json")], frame.body).into_response())
}
