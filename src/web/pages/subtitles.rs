//! `/r/{slug}/program/captions/{language}/…`: captions as WebVTT, for players of all kinds. Live, they are announced once
//! there are any: a menu of nothing on a phone's player promises what nobody may bring. Our own page, which was open before
//! the first one came, has them by its live line and needs no announcement.

use super::program::{Asked, FOR_GOOD, answer, shelf, shown};
use crate::domain::rally::Phase;
use crate::media::captions::{Eyes, Language};
use crate::media::origin::PLAYLIST;
use crate::media::{Missing, Object, ProgramId, Subtitles};
use crate::web::App;
use crate::web::problem::Problem;
use crate::web::session::Staff;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;

/// The media playlist of captions while the program goes on, and that of its recording.
const LIVE: &str = "index.m3u8";
const REPLAY: &str = "replay.m3u8";

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/r/{slug}/program/captions/{language}/{file}", get(file))
}

/// The languages as the playlist of playlists announces them; `playlist` is each one's.
pub(super) fn announced(app: &App, program: ProgramId, eyes: Eyes, playlist: &str) -> Vec<Subtitles> {
    let languages = app.media().captions().languages(program, eyes);
    let one = |language: Language| Subtitles {
        name: language.name(),
        uri: format!("captions/{language}/{playlist}"),
        language: language.tag().to_owned(),
    };
    languages.into_iter().map(one).collect()
}

/// As announced of the program while it goes on.
pub(super) fn live(app: &App, program: ProgramId, eyes: Eyes) -> Vec<Subtitles> {
    announced(app, program, eyes, LIVE)
}

/// As announced of its recording.
pub(super) fn recorded(app: &App, program: ProgramId) -> Vec<Subtitles> {
    announced(app, program, Eyes::Audience, REPLAY)
}

async fn file(
    State(app): State<App>,
    Path((slug, language, file)): Path<(String, String, String)>,
    Query(asked): Query<Asked>,
    staff: Result<Staff, Problem>,
) -> Result<Response, Problem> {
    let (id, rally) = app.rally(&slug)?;
    let practice = rally.phase == Phase::Before;
    if practice && !staff.is_ok_and(|staff| staff.role.hosts()) {
        return Err(Problem::NotFound);
    }
    let eyes = if practice { Eyes::Staff } else { Eyes::Audience };
    let program = ProgramId(id.0);
    let language = Language::parse(&language).ok_or(Problem::NotFound)?;
    let captions = app.media().captions().clone();
    if !captions.languages(program, eyes).contains(&language) {
        return Err(Problem::NotFound);
    }
    let origin = app.media().program(program);
    if file == LIVE {
        let found = match &origin {
            Some(origin) => origin.captions(asked.directives()).await,
            None => Err(Missing::NotBegun),
        };
        return Ok(answer(found, &file, !practice));
    }
    let shelf = if practice || rally.recording_deleted { None } else { shelf(&app, program).await? };
    if file == REPLAY {
        let ended = matches!(rally.phase, Phase::Ended { .. });
        let text = shelf.and_then(|shelf| shelf.captions_playlist(ended)).ok_or(Problem::NotFound)?;
        let cache_control = if ended { super::program::ENDED } else { super::program::SHORTLY };
        return Ok(shown(Object { bytes: text.into(), content_type: PLAYLIST, cache_control }, true));
    }
    let msn = file.strip_suffix(".vtt").and_then(|number| number.parse().ok()).ok_or(Problem::NotFound)?;
    let span = origin.and_then(|origin| origin.span(msn)).or_else(|| shelf?.span(msn)).ok_or(Problem::NotFound)?;
    let bytes = captions.segment(program, &language, eyes, &span).into();
    Ok(shown(Object { bytes, content_type: "text/vtt; charset=utf-8", cache_control: FOR_GOOD }, !practice))
}
