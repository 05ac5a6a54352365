//! `/api/v1/…`: figures, rows and files for programs. The head is for everybody; all else is for who signed in, and for tokens that may
//! read it.
//!
//! `/api/openapi.json` is made from these handlers and the types that they read and answer with.

mod attendance;
mod donations;
mod exports;
mod query;
mod rallies;
mod totals;

use crate::log::Head;
use crate::web::App;
use crate::web::problem::{self, Told};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{IntoResponses, Modify, OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What stands around the description's paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Groundswell",
        description = "Figures, rows and files of a campaign's ledger. Amounts are whole minor units of their currency. \
            Whatever is wrong is told as application/problem+json (RFC 9457)."
    ),
    components(schemas(Told)),
    modifiers(&Tokens)
)]
struct Description;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.description = Some("A token made at /finance/tokens, with the scope that the operation names.".into());
        api.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    let (router, api) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(head))
        .routes(routes!(totals::totals))
        .routes(routes!(rallies::rallies))
        .routes(routes!(attendance::attendance))
        .routes(routes!(donations::donations))
        .routes(routes!(donations::donation))
        .routes(routes!(exports::file))
        .routes(routes!(exports::fec))
        .routes(routes!(exports::fec_notice))
        .split_for_parts();
    let described = serde_json::to_vec(&api).map(Bytes::from).map_err(|error| problem::internal(&error));
    let describe =
        move || async move { described.map(|json| ([(CONTENT_TYPE, "application/json")], json).into_response()) };
    router.route("/api/openapi.json", get(describe))
}

/// Where the log ends, to be kept elsewhere: whoever has it can prove later that nothing before it was changed.
#[derive(Serialize, ToSchema)]
#[schema(as = Head)]
struct Published {
    /// The newest event.
    seq: u64,
    /// The hash of its frame, 64 hex digits.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    head: String,
}

impl From<Head> for Published {
    fn from(head: Head) -> Self {
        Self { seq: head.seq, head: head.to_string() }
    }
}

/// What every operation that wants a token may answer instead.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it describes: a problem answers by itself")]
enum Refused {
    /// The query can’t be read
    #[response(status = 400, content_type = "application/problem+json")]
    Query(Told),
    /// No token, or one that works no more
    #[response(status = 401, content_type = "application/problem+json")]
    Token(Told),
    /// The token has another scope
    #[response(status = 403, content_type = "application/problem+json")]
    Scope(Told),
    /// Too many requests with this token
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(Told),
}

/// An instant as answers tell it: RFC 3339 in UTC, to the microsecond.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Where the log ends.
#[utoipa::path(get, path = "/api/v1/head", responses((status = 200, body = Published)))]
async fn head(State(app): State<App>) -> Json<Published> {
    Json(app.engine().head().into())
}
