//! `/speak/{key}`: the green room. A speaker's own page, without an account: they see themselves, go live from the browser,
//! and are told when they are on. The address is the secret; it goes when the stream key is replaced.

use super::home::when_in_words;
use crate::domain::id::{RallyId, SourceId};
use crate::domain::rally::{Phase, Rally};
use crate::domain::show::Show;
use crate::media::gate;
use crate::projections::totals::timezone;
use crate::web::problem::Problem;
use crate::web::view::Layout;
use crate::web::{App, problem};
use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;

/// The shortest time between two news: what changes together is told together.
const TICK: Duration = Duration::from_millis(250);

/// After this without news a line says that the server is there, so that proxies and phones keep the connection.
const REFRESH: Duration = Duration::from_secs(10);

/// How soon a page asks again that lost its line: few pages, and each is somebody who may be on air.
const RETRY: &str = "retry: 1000\n\n";

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/speak.html")]
pub struct Speak {
    /// The frame around the page.
    pub layout: Layout,
    /// The speaker's name.
    pub name: String,
    /// The speaker's role, or empty.
    pub role: String,
    /// The rally's title.
    pub rally_title: String,
    /// Date and time in words.
    pub when: String,
    /// Whether the rally is over: nothing can be sent any more.
    pub is_over: bool,
    /// Where the speaker's situation is told as it changes.
    pub news_href: String,
    /// The speaker's situation when the page was made, as JSON.
    pub situation: String,
}

/// What a speaker is told, and nobody else.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Situation {
    /// `before`, `live` or `ended`.
    pub doors: &'static str,
    /// Whether the server has their picture.
    pub connected: bool,
    /// Whether they are on program.
    pub on_air: bool,
    /// When it is their turn, in words.
    pub turn: String,
    /// What the host wrote to them.
    pub note: String,
    /// When their time is over, in ms since 1970 UTC, where it is known.
    pub until_ms: Option<i64>,
    /// Whether this address has ended: the speaker was removed, or the key replaced.
    pub gone: bool,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/speak/{key}", get(show))
}

/// The route that has no end.
pub fn streams() -> Router<App> {
    Router::new().route("/speak/{key}/news", get(news))
}

/// Whose page it is.
#[derive(Clone, Copy)]
struct Whose {
    rally: RallyId,
    source: SourceId,
    key_generation: u32,
}

fn whose(app: &App, key: &str) -> Result<Whose, Problem> {
    let (rally, speaker) = gate::speaker_of(app.engine(), key).ok_or(Problem::NotFound)?;
    Ok(Whose { rally, source: speaker.source, key_generation: speaker.key_generation })
}

async fn show(State(app): State<App>, Path(key): Path<String>) -> Result<Html<String>, Problem> {
    let whose = whose(&app, &key)?;
    let situation = situation(&app, whose);
    let situation = serde_json::to_string(&situation).map_err(|error| problem::internal(&error))?;
    let html = {
        let world = app.engine().world();
        let rally = world.state.rallies.get(whose.rally).ok_or(Problem::NotFound)?;
        let found = rally.speakers.iter().find(|speaker| speaker.source == whose.source);
        let speaker = found.ok_or(Problem::NotFound)?;
        let details = &rally.details;
        let page = Speak {
            layout: app.layout(&format!("Your camera for {}", details.title), Some(details)),
            name: speaker.name.clone(),
            role: speaker.role.clone(),
            rally_title: details.title.clone(),
            when: when_in_words(details.starts_at, timezone(&world.state, whose.rally)),
            is_over: matches!(rally.phase, Phase::Ended { .. }),
            news_href: format!("/speak/{key}/news"),
            situation,
        };
        page.render()?
    };
    Ok(Html(html))
}

fn situation(app: &App, whose: Whose) -> Situation {
    let world = app.engine().world();
    let gone = Situation { gone: true, ..Situation::default() };
    let Some(rally) = world.state.rallies.get(whose.rally) else { return gone };
    let mine = |speaker: &&crate::domain::rally::Speaker| {
        speaker.source == whose.source && speaker.key_generation == whose.key_generation
    };
    if !rally.speakers.iter().any(|speaker| mine(&speaker)) {
        return gone;
    }
    let connected = world.state.broadcast.connection(whose.source).is_some();
    let show = world.state.shows.get(whose.rally);
    Situation {
        doors: match rally.phase {
            Phase::Before => "before",
            Phase::Live { .. } => "live",
            Phase::Ended { .. } => "ended",
        },
        connected,
        on_air: world.state.broadcast.on_program(whose.rally) == Some(whose.source),
        turn: turn(&Bill::of(rally, show), whose.source),
        note: world.state.broadcast.note(whose.source).to_owned(),
        until_ms: show.and_then(|show| until_ms(show, whose.source)),
        gone: false,
    }
}

/// Who comes after whom, and who is on.
struct Bill<'a> {
    order: Vec<(SourceId, &'a str)>,
    on: Option<usize>,
}

impl<'a> Bill<'a> {
    /// The run of show's, or the order in which the speakers were added where nothing is planned for any.
    fn of(rally: &'a Rally, show: Option<&'a Show>) -> Self {
        let planned = show.into_iter().flat_map(|show| &show.items);
        let planned = planned.filter_map(|held| Some((held, held.plan.source?)));
        let planned: Vec<_> =
            planned.filter_map(|(held, source)| Some((held, source, rally.source_name(source)?))).collect();
        if planned.is_empty() {
            let order: Vec<_> = rally.speakers.iter().map(|speaker| (speaker.source, speaker.name.as_str())).collect();
            let on = rally.program.and_then(|on| order.iter().position(|(source, _)| *source == on));
            return Self { order, on };
        }
        let was_on = |item| show.is_some_and(|show| show.was_on(item).is_some());
        let on = planned.iter().rposition(|(held, ..)| was_on(held.item));
        Self { order: planned.into_iter().map(|(_, source, name)| (source, name)).collect(), on }
    }
}

/// When it is a speaker's turn, in words; nothing while it is, and for who is not on the bill.
fn turn(bill: &Bill, source: SourceId) -> String {
    let mut own = bill.order.iter().enumerate().filter(|(_, (of, _))| *of == source).map(|(at, _)| at);
    let Some(first) = own.clone().next() else { return String::new() };
    let Some(own) = own.find(|own| bill.on.is_none_or(|on| *own >= on)) else {
        return "Your turn is over. Stay if the host may want you again.".into();
    };
    let before = own.checked_sub(1).and_then(|before| bill.order.get(before)).map(|(_, name)| name);
    match (bill.on, before) {
        (Some(on), _) if on == own => String::new(),
        (Some(on), Some(before)) if on + 1 == own => format!("You are next, after {before}."),
        (Some(on), Some(before)) => format!("You are {}, after {before}.", ordinal(own - on)),
        (None, Some(before)) => format!("You are {}, after {before}.", ordinal(first + 1)),
        (Some(_) | None, None) => "You are first.".into(),
    }
}

/// When the time of who is on is over, in ms since 1970 UTC, where the run of show has them on.
fn until_ms(show: &Show, source: SourceId) -> Option<i64> {
    let held = show.current().filter(|held| held.plan.source == Some(source))?;
    let (since, _) = show.was_on(held.item)?;
    Some(since.checked_add_signed(held.plan.length())?.timestamp_millis())
}

fn ordinal(place: usize) -> String {
    const WORDS: [&str; 10] =
        ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];
    let word = place.checked_sub(1).and_then(|at| WORDS.get(at));
    word.map_or_else(|| format!("number {place}"), |word| (*word).to_owned())
}

/// What the next piece of a stream of news is made from.
struct Line {
    app: App,
    whose: Whose,
    newest: watch::Receiver<u64>,
    told: Option<Situation>,
}

impl Line {
    /// Waits for something to tell.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            let now = situation(&self.app, self.whose);
            if self.told.as_ref() != Some(&now) {
                let body = serde_json::to_string(&now).ok()?;
                if self.told.replace(now).is_some() {
                    tokio::time::sleep(TICK).await;
                }
                return Some((Bytes::from(format!("event: situation\ndata: {body}\n\n")), self));
            }
            match tokio::time::timeout(REFRESH, self.newest.changed()).await {
                Ok(changed) => changed.ok()?,
                Err(_) => return Some((Bytes::from_static(b": here\n\n"), self)),
            }
        }
    }
}

async fn news(State(app): State<App>, Path(key): Path<String>) -> Result<Response, Problem> {
    let whose = whose(&app, &key)?;
    let place = app.live_connections().try_acquire_owned().map_err(|_| Problem::Busy { seconds: 2 })?;
    let until = app.shutdown().clone().cancelled_owned();
    let line = Line { newest: app.engine().newest(), app, whose, told: None };
    let first = stream::iter([Bytes::from_static(RETRY.as_bytes())]);
    let lines = stream::unfold(line, Line::next).map(move |line| {
        // The stream owns its place among the connections.
        let _owned = &place;
        line
    });
    let body = first.chain(lines).take_until(Box::pin(until)).map(Ok::<_, Infallible>);
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-cache, no-transform"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn the_turn_is_told_by_the_bill_and_who_is_on() {
        let source = |n: usize| SourceId(Uuid::from_u128(u128::try_from(n).unwrap() + 1));
        let check = |on: Option<usize>, own: usize, expected: &str| {
            let names = ["Ana", "Ben", "Cem", "Dee"];
            let order = names.iter().enumerate().map(|(n, name)| (source(n), *name)).collect();
            assert_eq!(turn(&Bill { order, on }, source(own)), expected);
        };
        check(None, 0, "You are first.");
        check(None, 2, "You are third, after Ben.");
        check(Some(0), 1, "You are next, after Ana.");
        check(Some(0), 3, "You are third, after Cem.");
        check(Some(1), 1, "");
        check(Some(2), 0, "Your turn is over. Stay if the host may want you again.");
        check(None, 9, "");
        // Who comes twice is told of the next time.
        let order = vec![(source(0), "Ana"), (source(1), "Ben"), (source(0), "Ana"), (source(2), "Cem")];
        let twice = |on| turn(&Bill { order: order.clone(), on }, source(0));
        assert_eq!(twice(Some(1)), "You are next, after Ben.");
        assert_eq!(twice(Some(3)), "Your turn is over. Stay if the host may want you again.");
    }
}
