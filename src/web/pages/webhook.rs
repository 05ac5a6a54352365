//! `/webhooks/stripe`: verified, stored, acknowledged; interpreted afterwards.

use crate::payments::WEBHOOK_BYTES_MAX;
use crate::web::App;
use crate::web::problem::Problem;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/webhooks/stripe", post(receive)).layer(DefaultBodyLimit::max(WEBHOOK_BYTES_MAX))
}

async fn receive(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Problem> {
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    app.cashier().receive(&body, signature).await?;
    Ok(StatusCode::OK)
}
