//! `/healthz` and `/readyz`: for whoever watches over the server.

use crate::web::App;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The process runs and answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// The log can be written: a load balancer may send people here.
pub async fn readyz(State(app): State<App>) -> Response {
    let (seq, head) = (*app.engine().newest().borrow(), app.engine().head());
    let ready = app.engine().is_writing() && !app.is_shutting_down();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "seq": seq, "head_seq": head.seq, "head": head.to_string() })))
        .into_response()
}
