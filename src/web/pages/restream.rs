//! `/host/r/{slug}/restream`: the other services that get the program.

use askama::Template;

use crate::clock;
use crate::domain::Command;
use crate::domain::id::{DestinationId, RallyId};
use crate::domain::restream::{self, Address, KEY_CHARS_MAX, sealed_for};
use crate::domain::seals::STREAM_KEY;
use crate::engine::Failure;
use crate::web::form::{Errors, Form};
use crate::web::problem::{Problem, internal, sentence};
use crate::web::session::{Staff, host_form};
use crate::web::view::restream::Destinations;
use crate::web::view::{Choice, Field, FormError, Layout, StaffRoom};
use crate::web::{App, fresh_key, notice, present, see_other};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use uuid::Uuid;

/// A service whose address is known: what the form sends, its name, its server.
const SERVICES: &[(&str, &str, &str)] = &[
    ("youtube", "YouTube", "rtmps://a.rtmps.youtube.com/live2"),
    ("facebook", "Facebook", "rtmps://live-api-s.facebook.com/rtmp"),
    ("twitch", "Twitch", "rtmps://ingest.global-contribute.live-video.net/app"),
];

/// What the form sends for a server that is typed.
const OTHER: &str = "other";

/// Where one rally's program goes besides.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/restream.html")]
pub struct Restream {
    /// The frame around the page.
    pub layout: Layout,
    /// The studio; this page's forms go to addresses below it.
    pub studio_href: String,
    /// The rally's title.
    pub title: String,
    /// Where the rally is in its life, in the word that live frames have.
    pub phase: &'static str,
    /// Whether more can be added.
    pub open: bool,
    /// Live part.
    pub destinations: Destinations,
    /// What is wrong with what was typed.
    pub errors: Vec<FormError>,
    /// Field `service`.
    pub services: Vec<Choice>,
    /// Field `label`.
    pub called: Field,
    /// Field `server`.
    pub server: Field,
    /// Field `key`; its value is never shown again.
    pub key: Field,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/host/r/{slug}/restream", get(show).post(add))
        .route("/host/r/{slug}/restream/change", post(change))
}

async fn show(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let staff = staff.hosts()?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    page(&app, &staff, &slug, &query, &Form::default(), &Errors::default())
}

fn page(
    app: &App,
    staff: &Staff,
    slug: &str,
    query: &Form,
    typed: &Form,
    errors: &Errors,
) -> Result<Response, Problem> {
    let (id, rally) = app.rally(slug)?;
    let details = &rally.details;
    let mut layout = app.staff_layout(&format!("Restream: {}", details.title), staff, StaffRoom::Host, Some(details));
    layout.notice = notice(query);
    let destinations = present::restream::destinations(app, &app.engine().world(), id, &rally, clock::now());
    let chosen = typed.get("service");
    let choice =
        |value: &str, label: &str| Choice { value: value.into(), label: label.into(), selected: value == chosen };
    let known = SERVICES.iter().map(|(value, name, _)| choice(value, name));
    let page = Restream {
        layout,
        studio_href: format!("/host/r/{}", details.slug),
        title: details.title.clone(),
        phase: present::phase(&rally).word(),
        open: destinations.open,
        destinations,
        errors: errors.summary(),
        services: known.chain([choice(OTHER, "Another server")]).collect(),
        called: errors.field("label", typed.get("label")),
        server: errors.field("server", without_key(&typed.get("server"))),
        key: errors.field("key", ""),
    };
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok((status, Html(page.render()?)).into_response())
}

/// A typed address as the form gives it back: what may be a key at its end is left out.
fn without_key(server: &str) -> String {
    let plain = server.split(['?', '#']).next().unwrap_or_default();
    let end = plain.match_indices('/').nth(4).map(|(at, _)| at);
    plain.get(..end.unwrap_or(plain.len())).unwrap_or_default().to_owned()
}

/// What is to be added.
#[derive(Debug, PartialEq)]
struct Wanted {
    label: String,
    server: String,
    key: String,
}

/// Reads the form leniently: many services show server and key as one address.
fn read(form: &Form, errors: &mut Errors) -> Wanted {
    let service = form.get("service");
    let known = SERVICES.iter().find(|(value, ..)| *value == service);
    let (mut server, mut key, mut label) = (form.get("server"), form.get("key"), form.get("label"));
    if let Some((path, last)) = split(&server)
        && (key.is_empty() || key == last)
    {
        (key, server) = (last, path);
    }
    if server.is_empty() {
        server = known.map(|(.., server)| (*server).to_owned()).unwrap_or_default();
    }
    if server.is_empty() {
        errors.add("server", "Enter the server’s address, like rtmps://live.example.org/app.");
    } else if let Err(error) = Address::parse(&server) {
        errors.add("server", sentence(&error.to_string()));
    }
    if key.is_empty() {
        errors.add("key", "Paste the stream key: the other service shows it beside its server’s address.");
    } else if key.contains("://") {
        errors.add("key", "That is an address. The stream key is the part that the service shows apart from it.");
    } else if key.contains(' ') {
        errors.add("key", "A stream key has no spaces: copy it again.");
    }
    errors.limit("key", &key, KEY_CHARS_MAX);
    if label.is_empty() {
        label = match (known, Address::parse(&server)) {
            (Some((_, name, _)), _) => (*name).to_owned(),
            (None, Ok(address)) => address.host,
            (None, Err(_)) => String::new(),
        };
        label = label.chars().take(restream::LABEL_CHARS_MAX).collect();
    }
    errors.limit("label", &label, restream::LABEL_CHARS_MAX);
    Wanted { label, server, key }
}

/// An address of more than an application: the part before its last, and that.
fn split(server: &str) -> Option<(String, String)> {
    let from = server.find("://")?.saturating_add(3);
    let end = server.find('?').unwrap_or(server.len());
    let path = server.get(..end)?.trim_end_matches('/');
    let parts = path.get(from..)?.matches('/').count();
    let (before, last) = path.rsplit_once('/')?;
    let query = server.get(end..)?;
    (parts >= 2).then(|| (before.to_owned(), format!("{last}{query}")))
}

async fn add(State(app): State<App>, staff: Staff, Path(slug): Path<String>, body: Bytes) -> Result<Response, Problem> {
    let (staff, form, rally) = host_form(&app, staff, &slug, &body)?;
    let mut errors = Errors::default();
    let Wanted { label, server, key } = read(&form, &mut errors);
    if let Some(twin) = twin(&app, rally, &server, &key) {
        errors.add("key", format!("{twin} has this stream key already."));
    }
    if !errors.is_empty() {
        return page(&app, &staff, &slug, &Form::default(), &form, &errors);
    }
    let destination = DestinationId(Uuid::now_v7());
    let sealed = app.engine().vault().seal(sealed_for(destination), STREAM_KEY, key.as_bytes());
    let key = sealed.map_err(|fault| internal(&fault))?;
    let command = Command::Restream(restream::Command::Add { rally, destination, label, server, key });
    match app.engine().execute(command, fresh_key("restream"), &staff.actor()).await {
        Ok(_) => Ok(see_other(&format!("/host/r/{slug}/restream?done=restream"))),
        Err(Failure::Refused(refusal)) => {
            errors.add("label", sentence(&refusal.to_string()));
            page(&app, &staff, &slug, &Form::default(), &form, &errors)
        }
        Err(failure) => Err(failure.into()),
    }
}

/// The destination that has this server and key already.
fn twin(app: &App, rally: RallyId, server: &str, key: &str) -> Option<String> {
    let server = Address::parse(server).ok()?.to_string();
    let destinations = app.engine().world().state.restreams.of(rally).to_vec();
    let same = |one: &restream::Destination| {
        one.server == server && present::restream::stream_key(app, one).is_some_and(|held| held == key)
    };
    destinations.into_iter().find(same).map(|one| one.label)
}

async fn change(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (staff, form, rally) = host_form(&app, staff, &slug, &body)?;
    let named = |field: &str| form.get(field).parse::<DestinationId>().ok();
    let (command, done) = match (named("on"), named("off"), named("remove")) {
        (Some(destination), ..) => (restream::Command::Switch { rally, destination, on: true }, ""),
        (_, Some(destination), _) => (restream::Command::Switch { rally, destination, on: false }, ""),
        (.., Some(destination)) => (restream::Command::Remove { rally, destination }, "?done=restream-removed"),
        (None, None, None) => return Err(Problem::Malformed("use the buttons of the page".into())),
    };
    app.engine().execute(Command::Restream(command), fresh_key("restream"), &staff.actor()).await?;
    Ok(see_other(&format!("/host/r/{slug}/restream{done}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(service: &str, server: &str, key: &str) -> Form {
        let pairs = [("service", service), ("server", server), ("key", key)];
        Form::from_pairs(pairs.map(|(name, value)| (name, value.to_owned())))
    }

    #[test]
    fn a_form_is_read_as_people_fill_it_in() {
        let check = |typed: [&str; 3], label: &str, server: &str, key: &str| {
            let mut errors = Errors::default();
            let read = read(&form(typed[0], typed[1], typed[2]), &mut errors);
            assert_eq!(read, Wanted { label: label.into(), server: server.into(), key: key.into() });
            assert!(errors.is_empty(), "{typed:?}");
        };
        check(["youtube", "", "abcd"], "YouTube", "rtmps://a.rtmps.youtube.com/live2", "abcd");
        check(["other", "rtmp://a.org/live", "abcd"], "a.org", "rtmp://a.org/live", "abcd");
        check(["other", "rtmp://a.org/live/abcd", ""], "a.org", "rtmp://a.org/live", "abcd");
        check(["other", "rtmp://a.org/live/abcd?x=/1", ""], "a.org", "rtmp://a.org/live", "abcd?x=/1");
        check(["other", "rtmp://a.org/live/abcd", "abcd"], "a.org", "rtmp://a.org/live", "abcd");
        check(["other", "rtmp://a.org/live/east", "abcd"], "a.org", "rtmp://a.org/live/east", "abcd");
    }

    #[test]
    fn what_is_wrong_is_said_at_its_field() {
        let check = |typed: [&str; 3], field: &str, words: &str| {
            let mut errors = Errors::default();
            read(&form(typed[0], typed[1], typed[2]), &mut errors);
            let said = errors.of(field).unwrap_or_default();
            assert!(said.contains(words), "{typed:?}: {said}");
        };
        check(["other", "", "abcd"], "server", "like rtmps://live.example.org/app");
        check(["other", "https://a.org/live", "abcd"], "server", "begins with rtmps:// or rtmp://");
        check(["youtube", "", ""], "key", "Paste the stream key");
        check(["youtube", "", "rtmp://a.org/live"], "key", "That is an address");
        check(["youtube", "", "ab cd"], "key", "no spaces");
        check(["youtube", "", &"a".repeat(KEY_CHARS_MAX + 1)], "key", "at most 256");
    }

    #[test]
    fn what_may_be_a_key_is_not_given_back() {
        assert_eq!(without_key("rtmp://a.org/live/east/abcd"), "rtmp://a.org/live/east");
        assert_eq!(without_key("rtmp://a.org/live?key=abcd"), "rtmp://a.org/live");
        assert_eq!(without_key("rtmp://a.org/live"), "rtmp://a.org/live");
    }
}
