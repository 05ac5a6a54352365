//! `/host/r/{slug}/clips`: recorded video for a rally: uploaded, listed, played, removed.

use askama::Template;

use crate::clock;
use crate::domain::Command;
use crate::domain::clip::{self, Clip};
use crate::domain::id::SourceId;
use crate::domain::rally;
use crate::engine::Failure;
use crate::media::clip::{CLIP_BYTES_MAX, Checked, Fault, Shelf, Upload};
use crate::media::{self};
use crate::web::form::Form;
use crate::web::problem::{Problem, internal};
use crate::web::session::{Staff, csrf_matches, host_form};
use crate::web::view::{Layout, StaffRoom};
use crate::web::{App, fresh_key, notice, see_other};
use axum::Router;
use axum::body::Bytes;
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::{DefaultBodyLimit, Multipart, Path, RawQuery, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use std::time::Duration;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;
use uuid::Uuid;

/// The form around a file: its other fields and the lines between them.
const FORM_BYTES: usize = 64 << 10;

/// Bytes of a field that is not the file.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// Bytes that are written at once.
const WRITE_BYTES: usize = 1 << 20;

/// Without a byte for so long, an upload is over: its place is for others.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// The clips of one rally.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/clips.html")]
pub struct Clips {
    /// The frame around the page.
    pub layout: Layout,
    /// The studio; the list's forms go to addresses below it.
    pub studio_href: String,
    /// The rally's title.
    pub title: String,
    /// Whether more can be added and played.
    pub open: bool,
    /// In the order they were added.
    pub clips: Vec<ClipRow>,
    /// What is wrong with the last upload.
    pub error: Option<String>,
    /// The title that was typed.
    pub typed: String,
}

/// One clip of the list.
#[derive(Debug, Clone)]
pub struct ClipRow {
    /// Its source's id.
    pub id: String,
    /// As the host calls it.
    pub title: String,
    /// `2:04`.
    pub duration: String,
    /// `46 MB`.
    pub size: String,
    /// Whether it is what the program was cut to last.
    pub on: bool,
    /// When it will be over, in ms since 1970 UTC; absent unless it plays.
    pub ends_at_ms: Option<i64>,
    /// What is left of it, in words for those without scripts; empty unless it plays.
    pub left: String,
}

/// The routes of this page that take little.
pub fn routes() -> Router<App> {
    Router::new().route("/host/r/{slug}/clips", get(show)).route("/host/r/{slug}/clips/{source}/remove", post(remove))
}

/// The route that takes a file: as long as it takes, and as much as a clip may be.
pub fn upload_routes() -> Router<App> {
    let bytes_max = usize::try_from(CLIP_BYTES_MAX).unwrap_or(usize::MAX).saturating_add(FORM_BYTES);
    Router::new().route("/host/r/{slug}/clips", post(upload)).layer(DefaultBodyLimit::max(bytes_max))
}

async fn show(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let staff = staff.hosts()?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    page(&app, &staff, &slug, &query, None, String::new())
}

fn page(
    app: &App,
    staff: &Staff,
    slug: &str,
    query: &Form,
    error: Option<String>,
    typed: String,
) -> Result<Response, Problem> {
    let (_, rally) = app.rally(slug)?;
    let now_ms = clock::now().timestamp_millis();
    let details = &rally.details;
    let mut layout = app.staff_layout(&format!("Clips: {}", details.title), staff, StaffRoom::Host, Some(details));
    layout.notice = notice(query);
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = Clips {
        layout,
        studio_href: format!("/host/r/{}", details.slug),
        title: details.title.clone(),
        open: !matches!(rally.phase, rally::Phase::Ended { .. }),
        clips: rally.clips.iter().map(|clip| row(app, &rally, clip, now_ms)).collect(),
        error,
        typed,
    };
    Ok((status, Html(page.render()?)).into_response())
}

fn row(app: &App, rally: &rally::Rally, clip: &Clip, now_ms: i64) -> ClipRow {
    let on = rally.program == Some(clip.source);
    let health = app.media().health(media::SourceId(clip.source.0)).filter(|_| on && clip.playing);
    let duration_ms = i64::try_from(clip.duration_ms).unwrap_or(i64::MAX);
    let ends_at_ms = health.map(|health| health.connected_at_ms.saturating_add(duration_ms));
    ClipRow {
        id: clip.source.to_string(),
        title: clip.title.clone(),
        duration: in_minutes(duration_ms),
        size: format!("{} MB", clip.bytes.div_ceil(1_000_000)),
        on,
        ends_at_ms,
        left: ends_at_ms.map(|end| in_minutes(end.saturating_sub(now_ms).max(0))).unwrap_or_default(),
    }
}

/// `2:04`, or `1:02:04`.
fn in_minutes(ms: i64) -> String {
    let seconds = ms.saturating_add(500) / 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Why nothing was added.
enum Unfit {
    /// For the person who sent it.
    Words(String),
    /// Anything else.
    Problem(Problem),
}

impl From<Problem> for Unfit {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Fault> for Unfit {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Io { .. } => Self::Problem(internal(&fault)),
            Fault::TooLarge | Fault::Full | Fault::Busy | Fault::File(_) => Self::Words(fault.to_string()),
        }
    }
}

impl From<MultipartError> for Unfit {
    fn from(error: MultipartError) -> Self {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::Words(Fault::TooLarge.to_string());
        }
        Self::Problem(Problem::Malformed("the upload broke off: try again".into()))
    }
}

impl From<JoinError> for Unfit {
    fn from(error: JoinError) -> Self {
        Self::Problem(internal(&error))
    }
}

async fn upload(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, Problem> {
    let staff = staff.hosts()?;
    let form = form.map_err(|_| Problem::Malformed("choose a file, and send it with this page's form".into()))?;
    let mut typed = String::new();
    match take(&app, &staff, &slug, &headers, form, &mut typed).await {
        Ok(()) => Ok(see_other(&format!("/host/r/{slug}/clips?done=clip"))),
        Err(Unfit::Words(words)) => page(&app, &staff, &slug, &Form::default(), Some(words), typed),
        Err(Unfit::Problem(problem)) => Err(problem),
    }
}

/// Takes a form's fields in their order: who, what it is called, the file.
async fn take(
    app: &App,
    staff: &Staff,
    slug: &str,
    headers: &HeaderMap,
    mut form: Multipart,
    typed: &mut String,
) -> Result<(), Unfit> {
    let (rally, _) = app.rally(slug)?;
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
    let mut is_ours = false;
    while let Some(field) = next_in_time(form.next_field()).await? {
        match field.name().unwrap_or_default() {
            "csrf" => is_ours = csrf_matches(staff, &text(field).await?),
            "title" => *typed = text(field).await?,
            "file" if !is_ours => return Err(Problem::StaleForm.into()),
            "file" => {
                let name = field.file_name().unwrap_or_default().to_owned();
                if typed.is_empty() {
                    *typed = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).trim().to_owned();
                }
                let title: String = typed.chars().take(clip::TITLE_CHARS_MAX).collect();
                let source = SourceId(Uuid::now_v7());
                let shelf = app.shelf().clone();
                let checked = receive(&shelf, field, length, source).await?;
                let Checked { duration_ms, bytes, hash } = checked;
                let command = clip::Command::Add { rally, source, title, duration_ms, bytes, hash };
                let added = app.engine().execute(Command::Clip(command), fresh_key("clip"), &staff.actor()).await;
                return added.map(|_| ()).map_err(|failure| {
                    app.shelf().remove(media::SourceId(source.0));
                    match failure {
                        Failure::Refused(refusal) => Unfit::Words(refusal.to_string()),
                        failure @ (Failure::Overloaded
                        | Failure::Stopped
                        | Failure::TooLong
                        | Failure::Erased
                        | Failure::Key) => Unfit::Problem(failure.into()),
                    }
                });
            }
            _ => {}
        }
    }
    Err(Unfit::Words("choose a file first".into()))
}

async fn next_in_time<T>(next: impl Future<Output = Result<T, MultipartError>>) -> Result<T, Unfit> {
    match timeout(SILENCE_MAX, next).await {
        Ok(next) => Ok(next?),
        Err(_) => Err(Problem::Malformed("the upload broke off: try again".into()).into()),
    }
}

/// A short field, without control characters.
async fn text(mut field: Field<'_>) -> Result<String, Unfit> {
    let mut bytes = Vec::new();
    while let Some(chunk) = next_in_time(field.chunk()).await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > TEXT_BYTES_MAX {
            return Err(Problem::TooLarge.into());
        }
    }
    let text: String = String::from_utf8_lossy(&bytes).chars().filter(|letter| !letter.is_control()).collect();
    Ok(text.trim().to_owned())
}

/// Puts a file on the shelf as it comes, and checks it when it is there.
async fn receive(shelf: &Shelf, mut field: Field<'_>, length: u64, source: SourceId) -> Result<Checked, Unfit> {
    let (at, source) = (shelf.clone(), media::SourceId(source.0));
    let mut upload = spawn_blocking(move || at.begin(length)).await??;
    let mut waiting: Vec<u8> = Vec::with_capacity(WRITE_BYTES);
    loop {
        let chunk: Option<Bytes> = next_in_time(field.chunk()).await?;
        waiting.extend_from_slice(chunk.as_deref().unwrap_or_default());
        if chunk.is_none() || waiting.len() >= WRITE_BYTES {
            (upload, waiting) = spawn_blocking(move || write(upload, waiting)).await??;
        }
        if chunk.is_none() {
            break;
        }
    }
    let at = shelf.clone();
    Ok(spawn_blocking(move || upload.finish(&at, source)).await??)
}

fn write(mut upload: Upload, mut waiting: Vec<u8>) -> Result<(Upload, Vec<u8>), Fault> {
    upload.write(&waiting)?;
    waiting.clear();
    Ok((upload, waiting))
}

async fn remove(
    State(app): State<App>,
    staff: Staff,
    Path((slug, source)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (staff, _, rally) = host_form(&app, staff, &slug, &body)?;
    let source: SourceId = source.parse().map_err(|_| Problem::NotFound)?;
    let command = Command::Clip(clip::Command::Remove { rally, source });
    app.engine().execute(command, fresh_key("clip-removed"), &staff.actor()).await?;
    Ok(see_other(&format!("/host/r/{slug}/clips?done=clip-removed")))
}
