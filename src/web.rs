//! What a browser sees. The router is the table of contents; each page has its routes, handlers and template struct in
//! `pages/`.

pub mod accent;
mod app;
pub mod assets;
pub mod came;
pub mod form;
pub mod gift;
pub mod known;
mod notice;
pub mod pages;
pub mod present;
pub mod problem;
pub mod prompt;
pub mod qr;
pub mod screen;
pub mod serve;
pub mod session;
pub mod token;
pub mod view;

pub use app::{App, Framed, LIVE_CONNECTIONS_MAX, SentFrom, Settings};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
pub use notice::notice;
use problem::Problem;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::timeout::TimeoutLayer;

/// The longest form: a rally's description and its other fields, in percent encoding.
const FORM_BYTES_MAX: usize = 64 * 1024;
/// How long a request may take, bar streams: a bank's answer through the processor takes up to 30 s.
const REQUEST_MAX: Duration = Duration::from_secs(45);
/// Every address, with what stands around all of them.
pub fn router(app: App) -> Router {
    // A stream must not be held back to be compressed, and pictures are compressed already.
    let compress = DefaultPredicate::new()
        .and(NotForContentType::const_new("text/event-stream"))
        .and(NotForContentType::const_new("video/"))
        .and(NotForContentType::const_new("font/"));
    let timed = Router::new()
        .merge(pages::home::routes())
        .merge(pages::rally::routes())
        .merge(pages::donate::routes())
        .merge(pages::card::routes())
        .merge(pages::thanks::routes())
        .merge(pages::plan::routes())
        .merge(pages::answer::routes())
        .merge(pages::overlay::routes())
        .merge(pages::share::routes())
        .merge(pages::goals::routes())
        .merge(pages::program::routes())
        .merge(pages::subtitles::routes())
        .merge(pages::transcript::routes())
        .merge(pages::captions::routes())
        .merge(pages::recording::routes())
        .merge(pages::sign_in::routes())
        .merge(pages::first_account::routes())
        .merge(pages::host::routes())
        .merge(pages::rally_form::routes())
        .merge(pages::studio::routes())
        .merge(pages::show::routes())
        .merge(pages::golive::routes())
        .merge(pages::clips::routes())
        .merge(pages::restream::routes())
        .merge(pages::attendance::routes())
        .merge(pages::finance::routes())
        .merge(pages::campaign::routes())
        .merge(pages::exports::routes())
        .merge(pages::filer::routes())
        .merge(pages::filing::routes())
        .merge(pages::access::routes())
        .merge(pages::periods::routes())
        .merge(pages::refunds::routes())
        .merge(pages::rules::routes())
        .merge(pages::work::routes())
        .merge(pages::duplicates::routes())
        .merge(pages::held::routes())
        .merge(pages::employers::routes())
        .merge(pages::excess::routes())
        .merge(pages::reconciliation::routes())
        .merge(pages::payout::routes())
        .merge(pages::plans::routes())
        .merge(pages::tokens::routes())
        .merge(pages::hooks::routes())
        .merge(pages::webhook::routes())
        .merge(pages::whip::routes())
        .merge(pages::speak::routes())
        .merge(pages::api::routes())
        .merge(pages::donordrive::routes())
        .route("/static/{file}", get(pages::files::file))
        .route("/favicon.ico", get(pages::files::favicon))
        .route("/healthz", get(pages::health::healthz))
        .route("/readyz", get(pages::health::readyz))
        .fallback(|| async { Problem::NotFound })
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_MAX));
    Router::new()
        .merge(timed)
        .merge(pages::live::routes())
        .merge(pages::speak::streams())
        .merge(pages::clips::upload_routes())
        .merge(pages::recording::downloads())
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(middleware::from_fn(same_site))
        .layer(CatchPanicLayer::custom(|_| Problem::Internal.into_response()))
        .layer(middleware::from_fn_with_state(app.clone(), problem::render))
        .layer(middleware::from_fn_with_state(app.clone(), security_headers))
        .layer(middleware::from_fn(log_request))
        .layer(CompressionLayer::new().compress_when(compress))
        .with_state(app)
}

/// Turns away forms that another site's page sends. Browsers say where a form comes from; programs say nothing and have no
/// cookies to steal.
async fn same_site(request: Request, next: Next) -> Response {
    // WHIP and captioners' interface are for any page and program that has the key; they look at no cookie.
    let path = request.uri().path();
    let by_key = path.starts_with(pages::whip::PREFIX) || path.starts_with(pages::captions::PREFIX);
    let asks = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if asks || by_key || is_same_site(request.headers()) {
        next.run(request).await
    } else {
        Problem::CrossSite.into_response()
    }
}

fn is_same_site(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return matches!(site, "same-origin" | "none");
    }
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        (Some(_), None) => false,
        (None, _) => true,
    }
}

/// One line a request, for whoever looks for a fault (`GROUNDSWELL_LOG=groundswell=debug`). It names the route, not the
/// address: addresses hold donations' keys and what people typed.
async fn log_request(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<axum::extract::MatchedPath>().map(|path| path.as_str().to_owned());
    let started = std::time::Instant::now();
    let response = next.run(request).await;
    let (status, ms) = (response.status().as_u16(), started.elapsed().as_millis());
    tracing::debug!(%method, route = route.as_deref().unwrap_or("none"), status, ms, "request");
    response
}

async fn security_headers(
    axum::extract::State(app): axum::extract::State<App>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = pages::card::policy_for(&app, &path);
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A donation's address is a key to it: it is not told to anybody the page loads from.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// A redirect after a form, so that a reload does not send it again.
pub fn see_other(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(error) => problem::internal(&error).into_response(),
    }
}

/// A key for a command that is not repeated: each form sent is an intent of its own.
pub fn fresh_key(what: &str) -> String {
    format!("{what}:{}", uuid::Uuid::now_v7())
}
