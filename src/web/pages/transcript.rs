//! `/r/{slug}/transcript.json`, `.txt` and `.vtt`: everything that captioners wrote, at its place in the recording and under
//! who was on.

use super::program::shelf;
use super::recording::{clock, name_of};
use crate::domain::rally::{Phase, Rally};
use crate::media::captions::{Eyes, Language, Line, cues, webvtt_of};
use crate::media::recording::{Chapter, Shelf};
use crate::media::{Cue, ProgramId, Span};
use crate::web::App;
use crate::web::form::Form;
use crate::web::problem::Problem;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use std::fmt::Write as _;
use std::sync::Arc;

/// A caption comes about so long after its words: who was on then has said them, and whoever looks for them looks there.
const LATE_MS: i64 = 3_000;

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/r/{slug}/transcript.json", get(json))
        .route("/r/{slug}/transcript.txt", get(text))
        .route("/r/{slug}/transcript.vtt", get(webvtt))
}

/// One caption's place.
#[derive(Serialize)]
struct Placed {
    /// Ms from the start of the recording to about where its words are.
    at: u64,
    /// Who was on, where it is another than before; empty for nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<String>,
    text: String,
}

#[derive(Serialize)]
struct Transcript {
    /// Tag and name of each.
    languages: Vec<(String, String)>,
    /// Which of them this is.
    language: String,
    lines: Vec<Placed>,
}

/// What is asked for: a recording that may be seen, and one of its languages.
struct Asked {
    rally: Rally,
    shelf: Arc<Shelf>,
    languages: Vec<Language>,
    language: Language,
    lines: Vec<Line>,
}

async fn asked(app: &App, slug: &str, query: Option<String>) -> Result<Asked, Problem> {
    let (id, rally) = app.rally(slug)?;
    let program = ProgramId(id.0);
    let there = rally.phase != Phase::Before && !rally.recording_deleted;
    let shelf = shelf(app, program).await?.filter(|_| there).ok_or(Problem::NotFound)?;
    let captions = app.media().captions();
    let languages = captions.languages(program, Eyes::Audience);
    let wanted = Form::parse(query.unwrap_or_default().as_bytes()).get("lang");
    let language = languages.iter().find(|language| language.tag() == wanted || wanted.is_empty());
    let language = language.cloned().ok_or(Problem::NotFound)?;
    let lines = captions.said(program, &language);
    Ok(Asked { rally, shelf, languages, language, lines })
}

/// Where the recording is at an instant, in ms from its start: what was not recorded takes no time. `spans` with where each
/// begins.
fn place(spans: &[(u64, Span)], at_ms: i64) -> u64 {
    let after = spans.partition_point(|(_, span)| span.date_ms <= at_ms);
    let Some((begins, span)) = after.checked_sub(1).and_then(|before| spans.get(before)) else { return 0 };
    let into = u64::try_from(at_ms.saturating_sub(span.date_ms)).unwrap_or(0);
    begins.saturating_add(into.min(span.ticks / 90))
}

fn spans(shelf: &Shelf) -> Vec<(u64, Span)> {
    let mut ticks = 0_u64;
    let placed = |span: Span| {
        let begins = ticks / 90;
        ticks = ticks.saturating_add(span.ticks);
        (begins, span)
    };
    shelf.spans().into_iter().map(placed).collect()
}

fn placed(asked: &Asked) -> Vec<Placed> {
    let (spans, chapters) = (spans(&asked.shelf), asked.shelf.chapters());
    let mut before: Option<String> = None;
    let one = |line: &Line| {
        let at_ms = line.at_ms.saturating_sub(LATE_MS);
        let on = chapters.iter().rev().find(|chapter: &&Chapter| chapter.from_ms <= at_ms).or(chapters.first());
        let who = on.and_then(|chapter| name_of(&asked.rally, chapter)).unwrap_or_default();
        let who = (before.as_ref() != Some(&who)).then(|| before.insert(who).clone());
        Placed { at: place(&spans, at_ms), who, text: line.text.clone() }
    };
    asked.lines.iter().filter(|line| !line.text.is_empty()).map(one).collect()
}

async fn json(
    State(app): State<App>,
    Path(slug): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let asked = asked(&app, &slug, query).await?;
    let named = |language: &Language| (language.tag().to_owned(), language.name());
    let transcript = Transcript {
        languages: asked.languages.iter().map(named).collect(),
        language: asked.language.tag().to_owned(),
        lines: placed(&asked),
    };
    Ok(([(CACHE_CONTROL, "public, max-age=30")], Json(transcript)).into_response())
}

async fn text(
    State(app): State<App>,
    Path(slug): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let asked = asked(&app, &slug, query).await?;
    let mut text = format!("{}\n", asked.rally.details.title);
    for Placed { at, who, text: said } in placed(&asked) {
        if let Some(who) = who {
            let _ = write!(text, "\n{}\n", if who.is_empty() { "—" } else { &who });
        }
        let _ = writeln!(text, "[{}] {}", clock(at), said.replace('\n', " "));
    }
    Ok(file(&asked, "txt", "text/plain; charset=utf-8", text))
}

async fn webvtt(
    State(app): State<App>,
    Path(slug): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let asked = asked(&app, &slug, query).await?;
    let spans = spans(&asked.shelf);
    let at = |ms: i64| i64::try_from(place(&spans, ms)).unwrap_or(i64::MAX);
    let moved = |cue: Cue| Cue { from_ms: at(cue.from_ms), until_ms: at(cue.until_ms), text: cue.text };
    // What came while nothing was recorded has no time to stand.
    let cues: Vec<Cue> = cues(&asked.lines).into_iter().map(moved).filter(|cue| cue.until_ms > cue.from_ms).collect();
    Ok(file(&asked, "vtt", "text/vtt; charset=utf-8", webvtt_of(&cues)))
}

fn file(asked: &Asked, ending: &str, kind: &'static str, text: String) -> Response {
    let name = format!("attachment; filename=\"{}.{}.{ending}\"", asked.rally.details.slug, asked.language);
    ([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, name)], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_recorded_takes_no_time() {
        let span = |begins: u64, date_ms| (begins, Span { date_ms, at: 0, ticks: 180_000 });
        let spans = [span(0, 10_000), span(2_000, 12_000), span(4_000, 60_000)];
        let at = |ms| place(&spans, ms);
        assert_eq!(
            [at(0), at(10_500), at(13_999), at(30_000), at(60_250), at(99_000)],
            [0, 500, 3_999, 4_000, 4_250, 6_000]
        );
        assert_eq!(place(&[], 5), 0);
    }
}
