//! `/static/…`: the embedded assets, kept by browsers for ever because their names change with their content.

use crate::web::assets;
use crate::web::problem::Problem;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};

/// One file.
pub async fn file(Path(file): Path<String>) -> Result<Response, Problem> {
    let asset = assets::find(&format!("/static/{file}")).ok_or(Problem::NotFound)?;
    let headers = [(CONTENT_TYPE, asset.content_type), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((headers, asset.bytes).into_response())
}

/// Browsers ask for it whatever the page says.
pub async fn favicon() -> Redirect {
    Redirect::permanent(assets::asset("icon.svg"))
}
