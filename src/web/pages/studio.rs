//! `/host/r/{slug}`: where a rally is run.

use askama::Template;

use super::home::when_in_words;
use crate::clock;
use crate::domain::broadcast;
use crate::domain::id::SourceId;
use crate::domain::rally;
use crate::engine::Failure;
use crate::projections::totals::timezone;
use crate::web::form::{Errors, Form};
use crate::web::problem::Problem;
use crate::web::session::{Staff, host_form};
use crate::web::view::StaffRoom;
use crate::web::view::captions::Captions;
use crate::web::view::restream::Restreams;
use crate::web::view::run::Run;
use crate::web::view::storage::Storage;
use crate::web::view::{Air, Feed, Field, Kpis, Layout, Phase, Refusals, Sources, Stage};
use crate::web::{App, fresh_key, notice, present, see_other};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use uuid::Uuid;

/// The studio of one rally.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/studio.html")]
pub struct Studio {
    /// The frame around the page.
    pub layout: Layout,
    /// The studio's own address; every form on it is sent to an address below it.
    pub href: String,
    /// The rally's page.
    pub rally_href: String,
    /// The rally's title.
    pub title: String,
    /// Date and time in words.
    pub when: String,
    /// Where the rally is in its life.
    pub phase: Phase,
    /// Live part.
    pub air: Air,
    /// Live part.
    pub kpis: Kpis,
    /// Live part: what stands over the program's picture.
    pub stage: Stage,
    /// Live part.
    pub run: Run,
    /// Live part.
    pub sources: Sources,
    /// The server's clock, in ms since 1970 UTC, by which the page counts down.
    pub now_ms: i64,
    /// Live part.
    pub feed: Feed,
    /// Live part.
    pub refusals: Refusals,
    /// Live part: where the program goes besides.
    pub restreams: Restreams,
    /// Where OBS sends: `rtmp://rally.example:1935/live`.
    pub rtmp_url: String,
    /// Live part: what the captioner sent last.
    pub captions: Captions,
    /// Live part: the room for recordings, where it is scarce.
    pub storage: Storage,
    /// The address for captioners; whoever has it writes on the picture. None once the rally has ended.
    pub captions_url: Option<String>,
    /// The whole address of the rally's page.
    pub share_url: String,
    /// The overlays' whole addresses.
    pub overlays: Vec<OverlayLink>,
    /// Field `name` of the form that adds a speaker.
    pub speaker_name: Field,
    /// Field `role` of it.
    pub speaker_role: Field,
}

/// An overlay to put over the picture in OBS.
#[derive(Debug, Clone)]
pub struct OverlayLink {
    /// `Total`, `Goal bar`, `Latest donors`.
    pub label: String,
    /// The whole address.
    pub url: String,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/host/r/{slug}", get(show))
        .route("/host/r/{slug}/open", post(open))
        .route("/host/r/{slug}/end", post(end))
        .route("/host/r/{slug}/program", post(cut))
        .route("/host/r/{slug}/speakers", post(add_speaker))
}

async fn show(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let staff = staff.hosts()?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    page(&app, &staff, &slug, &query, &Form::default(), &Errors::default(), StatusCode::OK)
}

fn page(
    app: &App,
    staff: &Staff,
    slug: &str,
    query: &Form,
    speaker: &Form,
    errors: &Errors,
    status: StatusCode,
) -> Result<Response, Problem> {
    let (id, rally) = app.rally(slug)?;
    let now = clock::now();
    let html = {
        let world = app.engine().world();
        let details = &rally.details;
        let rally_href = format!("/r/{}", details.slug);
        let share_url = format!("{}{rally_href}", app.public_url());
        let overlay =
            |kind: &str, label: &str| OverlayLink { label: label.into(), url: format!("{share_url}/overlay/{kind}") };
        let mut layout = app.staff_layout(&format!("Studio: {}", details.title), staff, StaffRoom::Host, Some(details));
        layout.notice = notice(query);
        let studio = Studio {
            layout,
            href: format!("/host/r/{}", details.slug),
            rally_href,
            title: details.title.clone(),
            when: when_in_words(details.starts_at, timezone(&world.state, id)),
            phase: present::phase(&rally),
            air: present::air(&rally, now),
            kpis: present::kpis(app, &world, id, &rally),
            stage: present::stage(&world, &rally),
            run: present::run::run(app, &world, id, &rally, now),
            sources: present::sources(app, &world, &rally, now),
            now_ms: now.timestamp_millis(),
            feed: present::feed(app, &world, id, now),
            refusals: present::refusals(&world, id, &rally, now),
            restreams: present::restream::restreams(app, &world, id, &rally, now),
            captions: present::captions::captions(app, &world, id),
            storage: present::storage::storage(app, &world),
            captions_url: (!matches!(rally.phase, rally::Phase::Ended { .. }))
                .then(|| super::captions::address(app, id, &rally)),
            rtmp_url: app.rtmp_url().into(),
            overlays: vec![
                overlay("total", "Total"),
                overlay("goal", "Goal bar"),
                overlay("feed", "Latest donors"),
                overlay("drive", "Matches and goals"),
                overlay("qr", "Square code to give"),
                overlay("captions", "Captions"),
            ],
            share_url: share_url.clone(),
            speaker_name: errors.field("name", speaker.get("name")),
            speaker_role: errors.field("role", speaker.get("role")),
        };
        studio.render()?
    };
    Ok((status, Html(html)).into_response())
}

async fn open(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (staff, _, rally) = host_form(&app, staff, &slug, &body)?;
    let command = crate::domain::Command::Rally(rally::Command::OpenDoors { rally });
    app.engine().execute(command, fresh_key("open"), &staff.actor()).await?;
    Ok(see_other(&format!("/host/r/{slug}?done=opened")))
}

async fn end(State(app): State<App>, staff: Staff, Path(slug): Path<String>, body: Bytes) -> Result<Response, Problem> {
    let (staff, _, rally) = host_form(&app, staff, &slug, &body)?;
    let command = crate::domain::Command::Rally(rally::Command::End { rally });
    app.engine().execute(command, fresh_key("end"), &staff.actor()).await?;
    Ok(see_other(&format!("/host/r/{slug}?done=ended")))
}

async fn cut(State(app): State<App>, staff: Staff, Path(slug): Path<String>, body: Bytes) -> Result<Response, Problem> {
    let (staff, form, rally) = host_form(&app, staff, &slug, &body)?;
    let source = form.get("source");
    let source: Option<SourceId> = match source.as_str() {
        "" => None,
        id => Some(id.parse().map_err(|_| Problem::Malformed("that is not a speaker of this rally".into()))?),
    };
    let command = crate::domain::Command::Broadcast(broadcast::Command::Cut { rally, source });
    app.engine().execute(command, fresh_key("cut"), &staff.actor()).await?;
    Ok(see_other(&format!("/host/r/{slug}")))
}

async fn add_speaker(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (staff, form, rally) = host_form(&app, staff, &slug, &body)?;
    let source = SourceId(Uuid::now_v7());
    let command = rally::Command::AddSpeaker { rally, source, name: form.get("name"), role: form.get("role") };
    let command = crate::domain::Command::Rally(command);
    match app.engine().execute(command, fresh_key("speaker"), &staff.actor()).await {
        Ok(_) => Ok(see_other(&format!("/host/r/{slug}?done=speaker"))),
        Err(Failure::Refused(refusal)) => {
            let mut errors = Errors::default();
            errors.add("name", refusal.to_string());
            page(&app, &staff, &slug, &Form::default(), &form, &errors, StatusCode::UNPROCESSABLE_ENTITY)
        }
        Err(failure) => Err(failure.into()),
    }
}
