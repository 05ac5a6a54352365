//! `/closedcaption`: where captioners' programs send to, by the interface that Zoom gave them: they paste our address instead
//! of Zoom's. `POST /closedcaption?id=…&ns=…&seq=N&lang=en-US` with the text as its body; `GET /closedcaption/seq?id=…&ns=…`
//! answers the number of the last one taken. And `/host/r/{slug}/captions/address`, which makes the address anew.

use crate::clock;
use crate::domain::id::RallyId;
use crate::domain::rally::{Command, Phase, Rally};
use crate::media::captions::{Language, Post, Refused, Taken};
use crate::media::{ProgramId, gate};
use crate::web::form::Form;
use crate::web::problem::{self, Problem};
use crate::web::session::{Staff, host_form};
use crate::web::{App, fresh_key, see_other};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use subtle::ConstantTimeEq;

/// Where every address of captioners begins.
pub const PREFIX: &str = "/closedcaption";
/// The longest caption: some paragraphs, where a row has sixty letters.
const CAPTION_BYTES_MAX: usize = 2_048;

/// The routes of captioners.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/closedcaption", post(take))
        .route("/closedcaption/seq", get(last_seq))
        .layer(DefaultBodyLimit::max(CAPTION_BYTES_MAX))
        .route("/host/r/{slug}/captions/address", post(replace_address))
}

/// The address that a rally's captioner pastes.
pub fn address(app: &App, id: RallyId, rally: &Rally) -> String {
    let key = gate::captions_key(app.engine(), id, rally);
    format!("{}{PREFIX}?id={}&ns={key}", app.public_url(), id.0.simple())
}

/// Whose captions a query's address is for; or why nobody's.
fn admitted(app: &App, query: &Form) -> Result<(RallyId, Rally), &'static str> {
    let wrong = "This address for captions is wrong, or was replaced: ask the host for the one on their studio page.";
    let id = RallyId(query.get("id").parse().map_err(|_| wrong)?);
    let rally = app.engine().world().state.rallies.get(id).cloned().ok_or(wrong)?;
    let key = gate::captions_key(app.engine(), id, &rally);
    if !bool::from(key.as_bytes().ct_eq(query.raw("ns").as_bytes())) {
        return Err(wrong);
    }
    match rally.phase {
        Phase::Before | Phase::Live { .. } => Ok((id, rally)),
        Phase::Ended { .. } => Err("This rally has ended: it takes no more captions."),
    }
}

async fn take(State(app): State<App>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let (id, rally) = match admitted(&app, &query) {
        Ok(admitted) => admitted,
        Err(why) => return answer(StatusCode::FORBIDDEN, why),
    };
    // What is missing is answered as Zoom answers it, for programs that tell the two apart.
    let seq = match query.get("seq") {
        seq if seq.is_empty() => {
            return answer(StatusCode::FORBIDDEN, "The parameter seq is missing: add &seq=1, then 2.");
        }
        seq => seq,
    };
    let Ok(seq) = seq.parse::<u64>() else {
        return answer(StatusCode::BAD_REQUEST, "The parameter seq is no whole number: send 1, then 2, and so on.");
    };
    let Some(language) = Language::parse(&query.get("lang")) else {
        return answer(StatusCode::BAD_REQUEST, "The parameter lang is no language: write it like en-US.");
    };
    let Ok(text) = std::str::from_utf8(&body) else {
        return answer(StatusCode::BAD_REQUEST, "The caption is not UTF-8 text: send it as text/plain; charset=utf-8.");
    };
    let practice = rally.phase == Phase::Before;
    let post = Post { generation: rally.captions_generation, seq, language, text: plain(text), practice };
    let (captions, now_ms) = (app.media().captions().clone(), clock::now().timestamp_millis());
    // It is written to the disk's cache, which may have to wait for the disk.
    let taken = tokio::task::spawn_blocking(move || captions.take(ProgramId(id.0), post, now_ms)).await;
    match taken {
        Ok(Ok(Taken::Shown | Taken::Repeated)) => answer(StatusCode::OK, &seq.to_string()),
        Ok(Err(refused @ Refused::TooMany)) => {
            ([(RETRY_AFTER, "1")], answer(StatusCode::TOO_MANY_REQUESTS, &refused.to_string())).into_response()
        }
        Ok(Err(refused @ Refused::Languages)) => answer(StatusCode::BAD_REQUEST, &refused.to_string()),
        Err(error) => problem::internal(&error).into_response(),
    }
}

/// Without what could disguise a text or break a line: control characters, and marks that turn the direction for good.
fn plain(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n").replace('\t', " ");
    let unwanted = |c: char| {
        c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().filter(|c| !unwanted(*c)).collect::<String>().trim().to_owned()
}

async fn last_seq(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    match admitted(&app, &query) {
        Ok((id, rally)) => {
            let last = app.media().captions().last_seq(ProgramId(id.0), rally.captions_generation);
            answer(StatusCode::OK, &last.to_string())
        }
        Err(why) => answer(StatusCode::FORBIDDEN, why),
    }
}

/// Plain text, whatever is asked for: programs send captions, also from pages of other sites. The address is the permission.
fn answer(status: StatusCode, text: &str) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (status, headers, text.to_owned()).into_response()
}

async fn replace_address(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (staff, _, rally) = host_form(&app, staff, &slug, &body)?;
    let command = crate::domain::Command::Rally(Command::ReplaceCaptionsAddress { rally });
    app.engine().execute(command, fresh_key("captions"), &staff.actor()).await?;
    Ok(see_other(&format!("/host/r/{slug}?done=captions")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_is_plain_rows_of_text() {
        assert_eq!(plain(" a\r\nb\rc\td\u{7}\u{202e}e \n"), "a\nb\nc de");
        assert_eq!(plain("שלום עולם"), "שלום עולם");
    }
}
