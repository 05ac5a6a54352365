//! A running server's door for the command line: HTTP on a Unix socket in the data folder, open to its owner only.
//!
//! The log has one writer, so a command on a folder that is served asks the server instead of opening the folder.

use super::{backup, erase, log, reconcile, replay, verify};
use crate::domain::staff::Role;
use crate::engine::Engine;
use crate::log::archive::Archive;
use crate::log::published::Published;
use crate::payments::cashiers::Cashiers;
use crate::report::desk::Desk;
use crate::web::form::Form;
use crate::web::serve as http;
use anyhow::{Context, bail};
use axum::body::{Body, Bytes};
use axum::extract::{Path as UrlPath, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::{UnixListener, UnixStream};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const SOCKET: &str = "control.sock";

/// A staff account to make.
#[derive(Serialize, Deserialize)]
pub struct NewStaff {
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// Already hashed: the password itself never leaves the shell.
    pub password_hash: String,
}

/// Serves the socket until shut down.
pub async fn serve(
    data: PathBuf,
    desk: Desk,
    cashiers: Cashiers,
    archive: Option<Arc<Archive>>,
    retention_years: u16,
    shutdown: CancellationToken,
) {
    let path = data.join(SOCKET);
    // The log's lock is held, so a socket that stands here is left over from a crash.
    let _ = std::fs::remove_file(&path);
    let listener = match UnixListener::bind(&path) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(%error, "the control socket can't be opened: commands on this folder need the server stopped");
            return;
        }
    };
    if let Err(error) = std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)) {
        tracing::warn!(%error, "the control socket can't be closed to others, so it stays shut");
        return;
    }
    let engine = desk.engine().clone();
    let router = Router::new()
        .route("/staff", post(add_staff))
        .route("/verify", get(check))
        .route("/replay", get(replay_all))
        .with_state(engine.clone())
        .merge(Router::new().route("/export/{format}", get(export)).route("/making/{id}", get(making)).with_state(desk))
        .merge(Router::new().route("/backup", post(catch_up)).with_state(archive))
        .merge(reconcile::routes(engine.clone(), cashiers))
        .merge(erase::routes(engine.clone(), retention_years))
        .merge(log::routes(engine, shutdown.clone()));
    http::run(listener, router, shutdown).await;
    let _ = std::fs::remove_file(&path);
}

async fn add_staff(State(engine): State<Engine>, Json(staff): Json<NewStaff>) -> Response {
    match super::staff::add(&engine, staff).await {
        Ok(()) => StatusCode::CREATED.into_response(),
        Err(error) => (StatusCode::CONFLICT, format!("{error:#}")).into_response(),
    }
}

async fn export(State(desk): State<Desk>, UrlPath(format): UrlPath<String>, RawQuery(query): RawQuery) -> Response {
    let taken = super::export::order(desk.engine(), &format, query.unwrap_or_default().as_bytes()).await;
    let order = match taken {
        Ok(order) => order,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error:#}")).into_response(),
    };
    match desk.take(order).await {
        Ok(parts) => Body::from_stream(ReceiverStream::new(parts)).into_response(),
        Err(failure) => (StatusCode::CONFLICT, failure.to_string()).into_response(),
    }
}

/// How many rows of a file were looked at, and of how many; nothing once it is made.
async fn making(State(desk): State<Desk>, UrlPath(id): UrlPath<Uuid>) -> Json<Option<(u64, u64)>> {
    Json(desk.making().iter().find(|known| known.id == id).map(|known| (known.done, known.of)))
}

async fn check(State(engine): State<Engine>, RawQuery(query): RawQuery) -> Response {
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let heads: Result<Vec<_>, _> = query.all("head").iter().map(|head| head.parse()).collect();
    let heads: Vec<Published> = match heads {
        Ok(heads) => heads,
        Err(error) => return (StatusCode::BAD_REQUEST, error).into_response(),
    };
    let checked = tokio::task::spawn_blocking(move || verify::check(engine.reader(), &heads, |_| ())).await;
    match checked {
        Ok(Ok(checked)) => checked.words().join(" ").into_response(),
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn replay_all(State(engine): State<Engine>) -> Response {
    match tokio::task::spawn_blocking(move || replay::compare(&engine)).await {
        Ok(Ok(said)) => said.into_response(),
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn catch_up(State(archive): State<Option<Arc<Archive>>>) -> Response {
    let Some(archive) = archive else {
        let why =
            "the server could not open its archive, so there is nothing to copy: look at its log and start it again";
        return (StatusCode::CONFLICT, why).into_response();
    };
    match tokio::task::spawn_blocking(move || archive.catch_up()).await {
        Ok(Ok(caught)) => Json(backup::Extent::from(caught)).into_response(),
        Ok(Err(fault)) => (StatusCode::CONFLICT, fault.to_string()).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Asks the server of a data folder; `None` where none runs.
///
/// # Errors
/// What the server said, or that its answer broke off.
pub async fn ask(
    data: &Path,
    method: &str,
    path: &str,
    body: Vec<u8>,
    mut take: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Option<()>> {
    let Ok(stream) = UnixStream::connect(data.join(SOCKET)).await else { return Ok(None) };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "control")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))?;
    let mut response = sender.send_request(request).await.context("the running server did not answer")?;
    if !response.status().is_success() {
        let text = response.into_body().collect().await?.to_bytes();
        bail!("{}", String::from_utf8_lossy(&text));
    }
    while let Some(frame) = response.body_mut().frame().await {
        if let Some(bytes) = frame.context("the server's answer broke off")?.data_ref() {
            take(bytes)?;
        }
    }
    Ok(Some(()))
}
