//! `/r/{slug}/program/…`: the program as HLS. Before the doors open it is for staff only: that is practice. Beside it, for
//! staff, each source as it comes in.

use super::subtitles;
use crate::domain::id::SourceId;
use crate::domain::rally::{Phase, Rally};
use crate::media::captions::Eyes;
use crate::media::origin::{INDEX, PLAYLIST};
use crate::media::recording::{Shelf, Stretch};
use crate::media::{self, Directives, Missing, Object, ProgramId};
use crate::web::App;
use crate::web::problem::{self, Problem};
use crate::web::session::Staff;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use std::sync::Arc;

/// An answer that says that something is not there: asked again soon, and not by everybody at once.
pub(super) const SHORTLY: &str = "public, max-age=1";
/// The recording's playlist.
const REPLAY: &str = "replay.m3u8";
/// The recording's playlist of playlists.
const WHOLE: &str = "whole.m3u8";
/// The playlist of a recording to which nothing is added.
pub(super) const ENDED: &str = "public, max-age=60";
/// A recorded segment never changes.
pub(super) const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// For staff's eyes, and for no cache on the way.
const NOT_SHARED: &str = "private, no-store";

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/r/{slug}/program/{file}", get(program))
        .route("/host/r/{slug}/preview/{source}/{file}", get(preview))
}

/// The delivery directives (RFC 8216bis, 6.2.5), under their own names.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(rename = "_HLS_msn")]
    msn: Option<u64>,
    #[serde(rename = "_HLS_part")]
    part: Option<u64>,
    #[serde(rename = "_HLS_skip")]
    skip: Option<String>,
}

impl Asked {
    pub(super) fn directives(self) -> Directives {
        // "v2" also leaves out date ranges, of which there are none.
        let skip = self.skip.is_some_and(|skip| matches!(skip.as_str(), "YES" | "v2"));
        Directives { msn: self.msn, part: self.part, skip }
    }
}

async fn program(
    State(app): State<App>,
    Path((slug, file)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    staff: Result<Staff, Problem>,
) -> Result<Response, Problem> {
    let (id, rally) = app.rally(&slug)?;
    let practice = rally.phase == Phase::Before;
    if practice && !staff.is_ok_and(|staff| staff.role.hosts()) {
        return Err(Problem::NotFound);
    }
    let program = ProgramId(id.0);
    if file == REPLAY || file == WHOLE {
        return replay(&app, program, &file, &rally).await;
    }
    let origin = app.media().program(program);
    let found = match &origin {
        Some(origin) if file == INDEX => {
            let eyes = if practice { Eyes::Staff } else { Eyes::Audience };
            origin.multivariant(subtitles::live(&app, program, eyes))
        }
        Some(origin) => origin.file(&file, asked.directives()).await,
        None => Err(Missing::NotBegun),
    };
    // What has left the window may have been recorded.
    if matches!(found, Err(Missing::Unknown | Missing::NotBegun))
        && !practice
        && let Some(object) = recorded(&app, program, file.clone()).await?
    {
        return Ok(shown(object, true));
    }
    Ok(answer(found, &file, !practice))
}

/// The recording's playlist: of a rally that goes on, to look back; of one that has ended, to see it again.
async fn replay(app: &App, program: ProgramId, file: &str, rally: &Rally) -> Result<Response, Problem> {
    let ended = matches!(rally.phase, Phase::Ended { .. });
    let text = match shelf(app, program).await? {
        Some(_) | None if rally.phase == Phase::Before => None,
        Some(shelf) if file == WHOLE => shelf.multivariant(REPLAY, subtitles::recorded(app, program)),
        Some(shelf) => shelf.playlist(Stretch::ALL, ended),
        None => None,
    };
    let bytes = text.ok_or(Problem::NotFound)?.into();
    let cache_control = if ended { ENDED } else { SHORTLY };
    Ok(shown(Object { bytes, content_type: PLAYLIST, cache_control }, true))
}

/// A program's recording, if there is one that may be seen.
pub(super) async fn shelf(app: &App, program: ProgramId) -> Result<Option<Arc<Shelf>>, Problem> {
    let Some(recordings) = app.media().recordings().cloned() else { return Ok(None) };
    let shelf = tokio::task::spawn_blocking(move || recordings.shelf(program)).await;
    let shelf = shelf.map_err(|error| problem::internal(&error))?.map_err(|error| problem::internal(&error))?;
    Ok(shelf.filter(|shelf| !shelf.is_empty()))
}

async fn recorded(app: &App, program: ProgramId, file: String) -> Result<Option<Object>, Problem> {
    let Some(shelf) = shelf(app, program).await? else { return Ok(None) };
    let read = tokio::task::spawn_blocking(move || shelf.object(&file)).await;
    let found = read.map_err(|error| problem::internal(&error))?.map_err(|error| problem::internal(&error))?;
    Ok(found.map(|(bytes, content_type)| Object { bytes, content_type, cache_control: FOR_GOOD }))
}

async fn preview(
    State(app): State<App>,
    Path((slug, source, file)): Path<(String, String, String)>,
    Query(asked): Query<Asked>,
    staff: Staff,
) -> Result<Response, Problem> {
    staff.hosts()?;
    let (_, rally) = app.rally(&slug)?;
    let source: SourceId = source.parse().map_err(|_| Problem::NotFound)?;
    rally.source_name(source).ok_or(Problem::NotFound)?;
    let origin = app.media().preview(media::SourceId(source.0)).ok_or(Problem::NotFound)?;
    Ok(answer(origin.file(&file, asked.directives()).await, &file, false))
}

pub(super) fn shown(object: Object, shared: bool) -> Response {
    let headers = [
        (CONTENT_TYPE, object.content_type),
        (CACHE_CONTROL, if shared { object.cache_control } else { NOT_SHARED }),
        // Players on a campaign's own site may show the program too.
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, object.bytes).into_response()
}

pub(super) fn answer(found: Result<Object, Missing>, file: &str, shared: bool) -> Response {
    let caching = |public| (CACHE_CONTROL, if shared { public } else { NOT_SHARED });
    match found {
        Ok(object) => shown(object, shared),
        // Before the first segment there is nothing to play yet, which is no error: players ask again.
        Err(Missing::NotBegun) if file.ends_with(".m3u8") => {
            (StatusCode::NO_CONTENT, [caching(SHORTLY)]).into_response()
        }
        Err(missing) => {
            let status = match missing {
                Missing::NotBegun | Missing::Unknown => StatusCode::NOT_FOUND,
                Missing::TooFarAhead => StatusCode::BAD_REQUEST,
                Missing::NotYet => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, [caching(SHORTLY), (RETRY_AFTER, "1")], missing.to_string()).into_response()
        }
    }
}
