//! `/whip` and `/whip/{source_key}`: speakers by WebRTC (RFC 9725). The key stands in the address, or in `Authorization:
//! Bearer KEY` as OBS sends it. The answer names the session, which is ended by its own address.

use crate::media::ingest::whip::{OFFER_BYTES_MAX, Refused};
use crate::web::App;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, AUTHORIZATION, CONTENT_TYPE, HeaderName, LOCATION,
    RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post};
use serde_json::json;

/// Where every address of WHIP begins.
pub const PREFIX: &str = "/whip";

/// Names the browser page an offer comes from, so that a page that reconnects takes its own place at once.
const PAGE: HeaderName = HeaderName::from_static("x-page");

/// A page's name: a UUID and room for another.
const PAGE_CHARS_MAX: usize = 64;

/// What an offer comes as.
const SDP: &str = "application/sdp";

/// The routes of WHIP.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/whip", post(offer_by_bearer).options(preflight))
        .route("/whip/{key}", post(offer_by_address).options(preflight))
        .route("/whip/session/{session}", delete(end).patch(trickle).options(preflight))
        .layer(DefaultBodyLimit::max(OFFER_BYTES_MAX))
        .layer(middleware::from_fn(for_any_page))
}

/// Lets pages of other sites read the answers: the key is the permission, and no cookie is looked at.
async fn for_any_page(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("location, retry-after"));
    response
}

async fn preflight() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_METHODS, "POST, PATCH, DELETE"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, x-page"),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

async fn offer_by_bearer(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let key = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match key.and_then(|value| value.split_once(' ')) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => {
            let key = key.trim().to_owned();
            offer(&app, &key, &headers, &body).await
        }
        _ => refused(
            StatusCode::UNAUTHORIZED,
            "no-key",
            "The stream key is missing: set it as the bearer token, or use the address /whip/KEY.",
        ),
    }
}

async fn offer_by_address(
    State(app): State<App>,
    Path(key): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    offer(&app, &key, &headers, &body).await
}

async fn offer(app: &App, key: &str, headers: &HeaderMap, body: &Bytes) -> Response {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = text(CONTENT_TYPE).and_then(|kind| kind.split(';').next()).unwrap_or_default();
    if kind.trim() != SDP {
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-sdp", "Send the offer as application/sdp.");
    }
    let Ok(sdp) = std::str::from_utf8(body) else {
        return of(&Refused::Unreadable);
    };
    let Some(whip) = app.whip() else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "starting", "The server is starting: try again in a moment.");
    };
    let page = text(PAGE).filter(|page| page.len() <= PAGE_CHARS_MAX);
    match whip.offer(key, page, sdp).await {
        Ok(answer) => {
            let headers = [(CONTENT_TYPE, SDP.to_owned()), (LOCATION, format!("{PREFIX}/session/{}", answer.session))];
            (StatusCode::CREATED, headers, answer.sdp).into_response()
        }
        Err(reason) => of(&reason),
    }
}

fn of(reason: &Refused) -> Response {
    let (status, kind) = match reason {
        Refused::Key(_) => (StatusCode::UNAUTHORIZED, "wrong-key"),
        Refused::Guesses => (StatusCode::TOO_MANY_REQUESTS, "too-many-tries"),
        Refused::Busy(_) => (StatusCode::CONFLICT, "live-elsewhere"),
        Refused::Full => (StatusCode::SERVICE_UNAVAILABLE, "full"),
        Refused::Unreadable => (StatusCode::BAD_REQUEST, "malformed"),
        Refused::NoVideo | Refused::TwoPictures => (StatusCode::UNPROCESSABLE_ENTITY, "no-picture"),
        Refused::NoH264 => (StatusCode::UNPROCESSABLE_ENTITY, "no-h264"),
        Refused::NoOpus => (StatusCode::UNPROCESSABLE_ENTITY, "no-opus"),
        Refused::Disagreed => (StatusCode::UNPROCESSABLE_ENTITY, "not-agreed"),
    };
    let mut response = refused(status, kind, &reason.to_string());
    if matches!(status, StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("3"));
    }
    response
}

/// Problem+json (RFC 9457), whatever is asked for: those who send offers are programs.
fn refused(status: StatusCode, kind: &str, detail: &str) -> Response {
    let body = json!({
        "type": format!("/problems/{kind}"),
        "title": "The picture was not taken",
        "status": status.as_u16(),
        "detail": detail,
    });
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

fn no_session() -> Response {
    refused(StatusCode::NOT_FOUND, "no-session", "There is no such session: it has ended, or the server was restarted.")
}

async fn end(State(app): State<App>, Path(session): Path<String>) -> Response {
    match app.whip() {
        Some(whip) if whip.end(&session) => StatusCode::OK.into_response(),
        Some(_) | None => no_session(),
    }
}

/// The server never calls first, so it needs no candidates: it takes note of them and uses none. It begins no session
/// anew within itself: a new offer does.
async fn trickle(State(app): State<App>, Path(session): Path<String>) -> Response {
    match app.whip() {
        Some(whip) if whip.knows(&session) => StatusCode::NO_CONTENT.into_response(),
        Some(_) | None => no_session(),
    }
}
