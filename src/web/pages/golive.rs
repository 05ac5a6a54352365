//! `/host/r/{slug}/speakers/{id}`: how one speaker goes live.

use askama::Template;

use super::home::when_in_words;
use crate::clock;
use crate::domain::broadcast;
use crate::domain::id::SourceId;
use crate::domain::rally::{Command, Speaker};
use crate::projections::totals::timezone;
use crate::web::form::Form;
use crate::web::problem::Problem;
use crate::web::session::{Staff, host_form};
use crate::web::view::StaffRoom;
use crate::web::view::{Layout, SourceState};
use crate::web::{App, fresh_key, notice, present, see_other};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, Response};
use axum::routing::{get, post};

/// The page a host sends to a speaker or prints.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/golive.html")]
pub struct GoLive {
    /// The frame around the page.
    pub layout: Layout,
    /// The studio.
    pub studio_href: String,
    /// The rally's title.
    pub rally_title: String,
    /// Date and time in words.
    pub when: String,
    /// The speaker's name.
    pub name: String,
    /// The speaker's role, or empty.
    pub role: String,
    /// The speaker's own page, which needs no account: the simplest way to go live.
    pub speak_url: String,
    /// Where encoders that speak WHIP send to.
    pub whip_url: String,
    /// Where the host writes to the speaker (POST).
    pub note_action: String,
    /// What the host wrote to the speaker.
    pub note: String,
    /// `rtmp://rally.example:1935/live`.
    pub server: String,
    /// The speaker's key: whoever has it is this speaker.
    pub stream_key: String,
    /// The whole address of the rally's page, which Zoom asks for.
    pub rally_url: String,
    /// What the feed is doing, when the page was made.
    pub state: SourceState,
    /// What is known of the feed, or empty.
    pub detail: String,
    /// Where a new key is made (POST); absent when that is not offered.
    pub new_key_action: Option<String>,
    /// Where the speaker is taken out of the run (POST); absent while they are on program.
    pub remove_action: Option<String>,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/host/r/{slug}/speakers/{source}", get(show))
        .route("/host/r/{slug}/speakers/{source}/key", post(new_key))
        .route("/host/r/{slug}/speakers/{source}/remove", post(remove))
        .route("/host/r/{slug}/speakers/{source}/note", post(note))
}

fn speaker(app: &App, slug: &str, source: &str) -> Result<(SourceId, Speaker), Problem> {
    let source: SourceId = source.parse().map_err(|_| Problem::NotFound)?;
    let (_, rally) = app.rally(slug)?;
    let found = rally.speakers.into_iter().find(|speaker| speaker.source == source);
    found.map(|speaker| (source, speaker)).ok_or(Problem::NotFound)
}

async fn show(
    State(app): State<App>,
    staff: Staff,
    Path((slug, source)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, Problem> {
    let staff = staff.hosts()?;
    let (source, speaker) = speaker(&app, &slug, &source)?;
    let (id, rally) = app.rally(&slug)?;
    let details = &rally.details;
    let mut layout =
        app.staff_layout(&format!("How {} goes live", speaker.name), &staff, StaffRoom::Host, Some(details));
    layout.notice = notice(&Form::parse(query.unwrap_or_default().as_bytes()));
    let html = {
        let world = app.engine().world();
        let studio_href = format!("/host/r/{}", details.slug);
        let page = GoLive {
            layout,
            rally_title: details.title.clone(),
            when: when_in_words(details.starts_at, timezone(&world.state, id)),
            speak_url: format!("{}/speak/{}", app.public_url(), app.stream_key(&speaker)),
            whip_url: format!("{}/whip", app.public_url()),
            note_action: format!("{studio_href}/speakers/{source}/note"),
            note: world.state.broadcast.note(source).to_owned(),
            server: app.rtmp_url().into(),
            stream_key: app.stream_key(&speaker),
            rally_url: format!("{}/r/{}", app.public_url(), details.slug),
            state: present::source_state(&world, &rally, source, clock::now()),
            detail: present::source_detail(&app, &world, source),
            new_key_action: Some(format!("{studio_href}/speakers/{source}/key")),
            remove_action: (rally.program != Some(source)).then(|| format!("{studio_href}/speakers/{source}/remove")),
            studio_href,
            name: speaker.name,
            role: speaker.role,
        };
        page.render()?
    };
    Ok(Html(html))
}

async fn new_key(
    State(app): State<App>,
    staff: Staff,
    Path((slug, source)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (staff, source) = checked(&app, staff, &slug, &source, &body)?;
    let command = crate::domain::Command::Rally(Command::ReplaceStreamKey { source });
    app.engine().execute(command, fresh_key("key"), &staff.actor()).await?;
    Ok(see_other(&format!("/host/r/{slug}/speakers/{source}?done=key")))
}

async fn note(
    State(app): State<App>,
    staff: Staff,
    Path((slug, source)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (staff, source) = checked(&app, staff, &slug, &source, &body)?;
    let text = Form::parse(&body).get("note");
    let command = crate::domain::Command::Broadcast(broadcast::Command::Note { source, text });
    app.engine().execute(command, fresh_key("note"), &staff.actor()).await?;
    Ok(see_other(&format!("/host/r/{slug}/speakers/{source}?done=note")))
}

async fn remove(
    State(app): State<App>,
    staff: Staff,
    Path((slug, source)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (staff, source) = checked(&app, staff, &slug, &source, &body)?;
    let command = crate::domain::Command::Rally(Command::RemoveSpeaker { source });
    app.engine().execute(command, fresh_key("remove"), &staff.actor()).await?;
    Ok(see_other(&format!("/host/r/{slug}?done=removed")))
}

fn checked(app: &App, staff: Staff, slug: &str, source: &str, body: &[u8]) -> Result<(Staff, SourceId), Problem> {
    let (staff, ..) = host_form(app, staff, slug, body)?;
    let (source, _) = speaker(app, slug, source)?;
    Ok((staff, source))
}
