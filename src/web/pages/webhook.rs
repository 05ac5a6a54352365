//! `/webhooks/stripe`, and `/webhooks/stripe/{account}` of a further committee: verified, stored, acknowledged; interpreted
//! afterwards.

use crate::payments::WEBHOOK_BYTES_MAX;
use crate::payments::cashier::Cashier;
use crate::web::App;
use crate::web::problem::Problem;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

/// The routes of this page.
pub fn routes() -> Router<App> {
    let routes = Router::new()
        .route("/webhooks/stripe", post(receive_first))
        .route("/webhooks/stripe/{account}", post(receive_other));
    routes.layer(DefaultBodyLimit::max(WEBHOOK_BYTES_MAX))
}

async fn receive_first(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Problem> {
    receive(app.cashiers().first(), &headers, &body).await
}

async fn receive_other(
    State(app): State<App>,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let committee = app.engine().world().state.committees.find(&account).filter(|_| !account.is_empty());
    let cashier = committee.and_then(|committee| app.cashiers().of(committee)).ok_or(Problem::NotFound)?;
    receive(cashier, &headers, &body).await
}

async fn receive(cashier: &Cashier, headers: &HeaderMap, body: &[u8]) -> Result<StatusCode, Problem> {
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    cashier.receive(body, signature).await?;
    Ok(StatusCode::OK)
}
