//! `/api/v1/attendance`: how many people came.

use super::Refused;
use super::query::{self, Asked, Name};
use crate::domain::token::Scope;
use crate::web::App;
use crate::web::problem::{Problem, Told};
use crate::web::token::Caller;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Whose people.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Of this rally only, by its address.
    #[param(inline)]
    rally: Option<Name>,
}

#[derive(Serialize, ToSchema)]
pub struct Attendance {
    /// The last event that counts.
    seq: u64,
    /// The newest rally first.
    rallies: Vec<People>,
}

#[derive(Serialize, ToSchema)]
struct People {
    /// The rally's address.
    rally: String,
    /// People who joined; each once.
    joined: u64,
    /// People with a page open now.
    here: u64,
    /// The most that were here at once.
    peak: u64,
}

/// People by rally. Scope: attendance.
#[utoipa::path(
    get,
    path = "/api/v1/attendance",
    params(Parameters),
    security(("token" = ["attendance"])),
    responses(
        (status = 200, body = Attendance),
        Refused,
        (status = 404, description = "No such thing", body = Told, content_type = "application/problem+json"),
    )
)]
pub async fn attendance(
    State(app): State<App>,
    caller: Caller,
    Asked(asked): Asked<Parameters>,
) -> Result<Json<Attendance>, Problem> {
    caller.reads(Scope::Attendance)?;
    let world = app.engine().world();
    let rally = asked.rally.map(|Name(slug)| query::rally(&world, slug)).transpose()?;
    let mut all: Vec<_> = world.state.rallies.iter().collect();
    all.retain(|(_, one)| rally.as_ref().is_none_or(|slug| *slug == one.details.slug));
    all.sort_by_key(|(id, rally)| (std::cmp::Reverse(rally.details.starts_at), *id));
    let people = all.into_iter().map(|(id, rally)| {
        let count = world.room.count(id);
        People { rally: rally.details.slug.clone(), joined: count.joined, here: count.here, peak: count.peak }
    });
    Ok(Json(Attendance { seq: world.seq, rallies: people.collect() }))
}
