//! `/api/v1/rallies`: what there is, and how far it came.

use super::query::Asked;
use super::{Refused, instant};
use crate::domain::id::RallyId;
use crate::domain::rally::{self, Phase};
use crate::domain::token::Scope;
use crate::projections::Projections;
use crate::web::App;
use crate::web::problem::Problem;
use crate::web::token::Caller;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Nothing can be asked: there are at most some thousand rallies.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

#[derive(Serialize, ToSchema)]
pub struct Rallies {
    /// The last event that counts.
    seq: u64,
    /// The newest first.
    rallies: Vec<Rally>,
}

#[derive(Serialize, ToSchema)]
struct Rally {
    /// Its address: what other operations call `rally`.
    rally: String,
    id: uuid::Uuid,
    title: String,
    /// Its page.
    url: String,
    /// When it is announced for.
    #[schema(format = DateTime)]
    starts_at: String,
    /// An IANA time zone.
    timezone: String,
    /// `before`, `live` or `ended`.
    phase: &'static str,
    #[schema(pattern = "^[A-Z]{3}$")]
    currency: &'static str,
    goal_minor: Option<i64>,
    /// What was given less what went back.
    raised_minor: i64,
    donations: u64,
    donors: u64,
    /// The number of the committee whose account takes its gifts.
    committee: u16,
    paid_for_by: String,
}

/// Every rally. Scope: totals.
#[utoipa::path(
    get,
    path = "/api/v1/rallies",
    security(("token" = ["totals"])),
    responses(
        (status = 200, body = Rallies),
        Refused,
    )
)]
pub async fn rallies(
    State(app): State<App>,
    caller: Caller,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<Rallies>, Problem> {
    caller.reads(Scope::Totals)?;
    let world = app.engine().world();
    let mut all: Vec<_> = world.state.rallies.iter().collect();
    all.sort_by_key(|(id, rally)| (std::cmp::Reverse(rally.details.starts_at), *id));
    let rallies = all.into_iter().map(|(id, rally)| line(&app, &world, id, rally)).collect();
    Ok(Json(Rallies { seq: world.seq, rallies }))
}

fn line(app: &App, world: &Projections, id: RallyId, rally: &rally::Rally) -> Rally {
    let details = &rally.details;
    let sums = world.totals.sums(id);
    let donors = world.totals.of(id).map_or(0, |totals| totals.donors());
    Rally {
        rally: details.slug.clone(),
        id: id.0,
        title: details.title.clone(),
        url: format!("{}/r/{}", app.public_url(), details.slug),
        starts_at: instant(details.starts_at),
        timezone: details.timezone.clone(),
        phase: match rally.phase {
            Phase::Before => "before",
            Phase::Live { .. } => "live",
            Phase::Ended { .. } => "ended",
        },
        currency: details.currency.code(),
        goal_minor: details.goal_minor,
        raised_minor: sums.raised_minor(),
        donations: sums.donations,
        donors: u64::try_from(donors).unwrap_or(u64::MAX),
        committee: details.committee.0,
        paid_for_by: details.paid_for_by.clone(),
    }
}
