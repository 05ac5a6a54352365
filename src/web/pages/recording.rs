//! `/host/r/{slug}/recording`: what was recorded, to see, to take home and to delete; and `/r/{slug}/replay.json`, what the
//! replay shows beside the picture.

use askama::Template;

use super::program::shelf;
use crate::domain::id::RallyId;
use crate::domain::money::Money;
use crate::domain::rally::{Command, Keeping, Phase, Rally};
use crate::engine::Failure;
use crate::media::ProgramId;
use crate::media::captions::{Eyes, Language};
use crate::media::recording::{Chapter, Shape, Stretch};
use crate::projections::totals::timezone;
use crate::web::form::Form;
use crate::web::problem::{self, Problem};
use crate::web::session::{Staff, host_form};
use crate::web::view::storage::Storage;
use crate::web::view::{Choice, Layout, StaffRoom};
use crate::web::{App, fresh_key, notice, present, see_other};
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono_tz::Tz;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Segments read ahead of a slow download: 20 MB at 20 Mbit/s.
const SEGMENTS_AHEAD: usize = 4;
/// Points of the total as it rose: one each five seconds of three hours.
const POINTS_MAX: usize = 2_000;
/// Days after a rally that are offered.
const DAYS_OFFERED: [u16; 4] = [7, 30, 90, 365];

/// What was recorded of a rally.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/recording.html")]
struct Recording {
    layout: Layout,
    studio_href: String,
    href: String,
    rally_href: String,
    title: String,
    /// Whether the rally goes on.
    live: bool,
    deleted: bool,
    /// `1:12:08`; none where nothing was recorded.
    length: Option<String>,
    /// What the film of all of it is like; none where there is none.
    whole: Option<Whole>,
    pieces: Vec<Piece>,
    /// What was said, a language each.
    transcripts: Vec<Transcript>,
    keep: Keep,
    /// Whether anything is recorded here.
    recorded_here: bool,
    storage: Storage,
}

/// The film of everything.
#[derive(Debug, Clone)]
struct Whole {
    /// `1:12:08`.
    length: String,
    /// What becomes of formats that differ.
    formats: Vec<String>,
}

/// One time of one source on program.
#[derive(Debug, Clone)]
struct Piece {
    name: String,
    /// Where in the recording.
    at: String,
    length: String,
    download: String,
}

/// What was said, in one language, to take home.
#[derive(Debug, Clone)]
struct Transcript {
    language: String,
    text: String,
    webvtt: String,
}

/// How long it is kept.
#[derive(Debug, Clone)]
struct Keep {
    choices: Vec<Choice>,
    yields: bool,
    /// `July 25, 2030`: when it will be deleted.
    until: Option<String>,
    /// What was wrong with the form.
    error: Option<String>,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/host/r/{slug}/recording", get(show))
        .route("/host/r/{slug}/recording/delete", post(delete))
        .route("/host/r/{slug}/recording/keep", post(keep))
        .route("/r/{slug}/replay.json", get(marks))
}

/// The route of the download, which takes as long as it takes.
pub fn downloads() -> Router<App> {
    Router::new().route("/host/r/{slug}/recording.mp4", get(download))
}

pub(super) fn clock(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

fn whole(shape: &Shape) -> Whole {
    let mut formats = Vec::new();
    if shape.sizes {
        formats.push("The picture changes its size where the speakers’ differ.".to_owned());
    }
    if shape.sound {
        formats.push("Sound of different formats is brought to one: AAC, 48 kHz, stereo.".to_owned());
    }
    for sound in &shape.silent {
        formats.push(format!("Where it is {sound}, the one film is silent: that sound is in the speaker’s own MP4."));
    }
    Whole { length: clock(shape.length_ms), formats }
}

/// What a chapter is called.
pub(super) fn name_of(rally: &Rally, chapter: &Chapter) -> Option<String> {
    let source = crate::domain::id::SourceId(chapter.source?.0);
    rally.source_name(source).map(str::to_owned)
}

async fn show(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, Problem> {
    let staff = staff.hosts()?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    Ok(Html(page(&app, &staff, &slug, &query, None).await?))
}

async fn page(app: &App, staff: &Staff, slug: &str, query: &Form, error: Option<String>) -> Result<String, Problem> {
    let (id, rally) = app.rally(slug)?;
    let details = &rally.details;
    let studio_href = format!("/host/r/{}", details.slug);
    let shelf = shelf(app, ProgramId(id.0)).await?.filter(|_| !rally.recording_deleted);
    let whole = shelf.as_ref().and_then(|shelf| shelf.shape()).map(|shape| whole(&shape));
    let chapters = shelf.map_or_else(Vec::new, |shelf| shelf.chapters());
    let piece = |chapter: &Chapter| Piece {
        name: name_of(&rally, chapter).unwrap_or_else(|| "Between speakers".into()),
        at: clock(chapter.at_ms),
        length: clock(chapter.length_ms),
        download: format!(
            "{studio_href}/recording.mp4?from={}&until={}",
            chapter.from_ms,
            chapter.last_ms.saturating_add(1)
        ),
    };
    let languages = app.media().captions().languages(ProgramId(id.0), Eyes::Audience);
    let transcript = |language: &Language| Transcript {
        language: language.name(),
        text: format!("/r/{}/transcript.txt?lang={language}", details.slug),
        webvtt: format!("/r/{}/transcript.vtt?lang={language}", details.slug),
    };
    let mut layout = app.staff_layout(&format!("Recording: {}", details.title), staff, StaffRoom::Host, Some(details));
    layout.notice = notice(query);
    let (keep, storage) = {
        let world = app.engine().world();
        (keeping(&rally, timezone(&world.state, id), error), present::storage::storage(app, &world))
    };
    let page = Recording {
        layout,
        href: format!("{studio_href}/recording"),
        rally_href: format!("/r/{}", details.slug),
        title: details.title.clone(),
        live: matches!(rally.phase, Phase::Live { .. }),
        deleted: rally.recording_deleted,
        length: chapters.last().map(|last| clock(last.at_ms.saturating_add(last.length_ms))),
        whole,
        pieces: chapters.iter().map(piece).collect(),
        transcripts: languages.iter().map(transcript).collect(),
        keep,
        recorded_here: app.media().recordings().is_some(),
        storage,
        studio_href,
    };
    Ok(page.render()?)
}

fn keeping(rally: &Rally, zone: Tz, error: Option<String>) -> Keep {
    let Keeping { days, yields } = rally.keeping;
    let chosen = |offered: Option<u16>| Choice {
        value: offered.map_or(String::new(), |days| days.to_string()),
        label: offered.map_or("Until I delete it".into(), |days| format!("{days} days after the rally")),
        selected: offered == days,
    };
    let own = days.filter(|days| !DAYS_OFFERED.contains(days));
    let offered = DAYS_OFFERED.into_iter().chain(own).map(Some);
    Keep {
        choices: [None].into_iter().chain(offered).map(chosen).collect(),
        yields,
        until: rally.recording_until().map(|until| until.with_timezone(&zone).format("%B %-d, %Y").to_string()),
        error,
    }
}

async fn keep(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (staff, form, rally) = host_form(&app, staff, &slug, &body)?;
    let days = match form.get("days").as_str() {
        "" => None,
        days => Some(days.parse().map_err(|_| Problem::Malformed("days is a number".into()))?),
    };
    let keeping = Keeping { days, yields: form.get("yields") == "yes" };
    let command = crate::domain::Command::Rally(Command::KeepRecording { rally, keeping });
    match app.engine().execute(command, fresh_key("keep"), &staff.actor()).await {
        Ok(_) => Ok(see_other(&format!("/host/r/{slug}/recording?done=kept"))),
        Err(Failure::Refused(refusal)) => {
            let html = page(&app, &staff, &slug, &Form::default(), Some(refusal.to_string())).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(html)).into_response())
        }
        Err(failure) => Err(failure.into()),
    }
}

async fn delete(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (staff, _, rally) = host_form(&app, staff, &slug, &body)?;
    let command = crate::domain::Command::Rally(Command::DeleteRecording { rally });
    app.engine().execute(command, fresh_key("recording"), &staff.actor()).await?;
    Ok(see_other(&format!("/host/r/{slug}/recording?done=recording")))
}

async fn download(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    staff.hosts()?;
    let (id, rally) = app.rally(&slug)?;
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let instant = |name: &str, otherwise: i64| match form.get(name).as_str() {
        "" => Ok(otherwise),
        text => text.parse().map_err(|_| Problem::Malformed("from and until are ms since 1970".into())),
    };
    let stretch = Stretch { from_ms: instant("from", i64::MIN)?, until_ms: instant("until", i64::MAX)? };
    let shelf = shelf(&app, ProgramId(id.0)).await?.filter(|_| !rally.recording_deleted).ok_or(Problem::NotFound)?;
    let movie = tokio::task::spawn_blocking(move || shelf.movie(stretch)).await;
    let movie = movie.map_err(|error| problem::internal(&error))?.map_err(|error| problem::internal(&error))?;
    let movie = movie.ok_or(Problem::NotFound)?;
    let (sender, receiver) = mpsc::channel(SEGMENTS_AHEAD);
    tokio::task::spawn_blocking(move || {
        for piece in movie {
            let failed = piece.is_err();
            if sender.blocking_send(piece).is_err() || failed {
                return;
            }
        }
    });
    let name = format!("attachment; filename=\"{}.mp4\"", rally.details.slug);
    let headers = [(CONTENT_TYPE, "video/mp4".to_owned()), (CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(ReceiverStream::new(receiver))).into_response())
}

/// What the replay shows beside the picture.
#[derive(Serialize)]
struct Marks {
    chapters: Vec<Mark>,
    /// Ms since 1970 UTC, and the total from then on as it is shown.
    totals: Vec<(i64, String)>,
}

#[derive(Serialize)]
struct Mark {
    /// Seconds from the start of the recording.
    at: u64,
    name: String,
}

async fn marks(State(app): State<App>, Path(slug): Path<String>) -> Result<Response, Problem> {
    let (id, rally) = app.rally(&slug)?;
    let shelf = shelf(&app, ProgramId(id.0)).await?;
    let shelf = shelf.filter(|_| rally.phase != Phase::Before && !rally.recording_deleted).ok_or(Problem::NotFound)?;
    let chapters = shelf.chapters();
    let begun_ms = chapters.first().map_or(0, |chapter| chapter.from_ms);
    let named = |chapter: &Chapter| Some(Mark { at: chapter.at_ms / 1_000, name: name_of(&rally, chapter)? });
    let marks =
        Marks { chapters: chapters.iter().filter_map(named).collect(), totals: totals(&app, id, &rally, begun_ms) };
    Ok(([(CACHE_CONTROL, "public, max-age=30")], Json(marks)).into_response())
}

/// The total as it rose: what stood when the recording began, then each change, as many as a page has use for.
fn totals(app: &App, id: RallyId, rally: &Rally, begun_ms: i64) -> Vec<(i64, String)> {
    let world = app.engine().world();
    let mut raised = 0_i64;
    let mut points: Vec<(i64, i64)> = vec![(begun_ms, 0)];
    for row in world.ledger.rows.iter().filter(|row| row.rally == id) {
        raised = raised.saturating_add(row.amount.minor);
        let at_ms = row.at.timestamp_millis();
        match points.last_mut() {
            Some(last) if at_ms <= last.0 => last.1 = raised,
            Some(_) | None => points.push((at_ms, raised)),
        }
    }
    // The newest is always among them.
    let step = points.len().div_ceil(POINTS_MAX).max(1);
    let last = points.len().saturating_sub(1);
    let kept = points.into_iter().enumerate().filter(|(at, _)| at % step == 0 || *at == last);
    let words = |minor: i64| Money::new(minor.max(0), rally.details.currency).to_whole();
    kept.map(|(_, (at_ms, minor))| (at_ms, words(minor))).collect()
}
