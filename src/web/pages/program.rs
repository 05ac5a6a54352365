//! `/r/{slug}/program/…`: the program as HLS. Before the doors open it is for staff only: that is practice.

use crate::domain::rally::{Phase, Rally};
use crate::media::{self, ProgramId};
use crate::web::App;
use crate::web::problem::Problem;
use crate::web::session::Staff;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/r/{slug}/program/{file}", get(file))
}

async fn file(
    State(app): State<App>,
    Path((slug, file)): Path<(String, String)>,
    staff: Result<Staff, Problem>,
) -> Result<Response, Problem> {
    let (id, rally) = app.rally(&slug)?;
    let Rally { phase, .. } = rally;
    if phase == Phase::Before && !staff.is_ok_and(|staff| staff.role.hosts()) {
        return Err(Problem::NotFound);
    }
    let program = ProgramId(id.0);
    if file == "index.m3u8" {
        // Before the first segment there is nothing to play yet, which is no error: players ask again.
        let Some(playlist) = app.media().playlist(program) else {
            return Ok((StatusCode::NO_CONTENT, [(CACHE_CONTROL, media::PLAYLIST_CACHE_CONTROL)]).into_response());
        };
        let headers = [
            (CONTENT_TYPE, media::PLAYLIST_CONTENT_TYPE),
            (CACHE_CONTROL, media::PLAYLIST_CACHE_CONTROL),
            (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        ];
        return Ok((headers, playlist).into_response());
    }
    let object = app.media().object(program, &file).ok_or(Problem::NotFound)?;
    let headers = [
        (CONTENT_TYPE, object.content_type),
        (CACHE_CONTROL, object.cache_control),
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    Ok((headers, object.bytes).into_response())
}
