//! `/api/v1/totals`: sums by rally and currency.

use super::query::{Asked, Day, Instant, Name, Part};
use super::{Published, Refused, instant};
use crate::clock;
use crate::domain::money::Currency;
use crate::domain::token::Scope;
use crate::engine::Engine;
use crate::projections::Projections;
use crate::projections::totals;
use crate::report::selection::{RallyMoney, Selection};
use crate::web::App;
use crate::web::problem::{self, Problem, Told};
use crate::web::token::Caller;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Which sums.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Of this rally only, by its address.
    #[param(inline)]
    rally: Option<Name>,
    /// In this committee's account only: its number, or its account's name.
    #[param(inline)]
    committee: Option<Name>,
    /// From this day on, in each rally's time zone.
    #[param(inline)]
    from: Option<Day>,
    /// Up to and with this day.
    #[param(inline)]
    to: Option<Day>,
    /// As the ledger was then: an event's number, a day (its end) or an instant.
    #[param(inline)]
    as_of: Option<Instant>,
}

#[derive(Serialize, ToSchema)]
pub struct Totals {
    as_of: AsOf,
    /// What the money is worth: `simulated`, `test` or `live`.
    money: Option<String>,
    /// The newest first.
    rallies: Vec<RallySums>,
    /// By currency.
    totals: Vec<CurrencySums>,
}

/// Of when an answer is.
#[derive(Serialize, ToSchema)]
pub struct AsOf {
    /// The last event that counts.
    seq: u64,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    at: String,
    /// The head of the log as it was then.
    head: Published,
}

impl AsOf {
    /// Of this selection's last event, which is `seq`.
    ///
    /// # Errors
    /// [`Problem::Internal`] where the log is damaged.
    pub fn of(selection: &Selection, seq: u64, engine: &Engine) -> Result<Self, Problem> {
        let head = engine.head_at(seq).map_err(|fault| problem::internal(&fault))?;
        let at = selection.as_of.map_or_else(clock::now, |as_of| as_of.at);
        Ok(Self { seq, at: instant(at), head: head.into() })
    }
}

#[derive(Serialize, ToSchema)]
struct RallySums {
    /// Its address.
    rally: String,
    title: String,
    #[schema(pattern = "^[A-Z]{3}$")]
    currency: &'static str,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Serialize, ToSchema)]
struct CurrencySums {
    #[schema(pattern = "^[A-Z]{3}$")]
    currency: &'static str,
    #[serde(flatten)]
    sums: Sums,
}

/// Sums in minor units of one currency.
#[derive(Serialize, ToSchema)]
pub struct Sums {
    /// What was given.
    gross_minor: i64,
    /// What was given back, less what of that failed.
    refunded_minor: i64,
    /// What disputes took, less what they gave back.
    disputed_minor: i64,
    /// What donors' banks took back.
    returned_minor: i64,
    /// What the processor kept, as far as it is known.
    fee_minor: i64,
    /// Donations whose fee is not known.
    fees_unknown: u64,
    donations: u64,
    refunds: u64,
    /// Refunds that failed after they were done.
    refunds_reversed: u64,
    disputes: u64,
    /// Disputes whose money came back.
    disputes_reinstated: u64,
    /// Debits that banks took back.
    returns: u64,
    /// Gross less refunds, disputes, returned debits and fees; null while a fee is not known.
    net_minor: Option<i64>,
}

impl From<totals::Sums> for Sums {
    fn from(sums: totals::Sums) -> Self {
        Self {
            net_minor: sums.net_minor(),
            gross_minor: sums.gross_minor,
            refunded_minor: sums.refunded_minor,
            disputed_minor: sums.disputed_minor,
            returned_minor: sums.returned_minor,
            fee_minor: sums.fee_minor,
            fees_unknown: sums.fees_unknown,
            donations: sums.donations,
            refunds: sums.refunds,
            refunds_reversed: sums.refunds_reversed,
            disputes: sums.disputes,
            disputes_reinstated: sums.disputes_reinstated,
            returns: sums.returns,
        }
    }
}

/// Sums by rally and currency. Scope: totals.
#[utoipa::path(
    get,
    path = "/api/v1/totals",
    params(Parameters),
    security(("token" = ["totals"])),
    responses(
        (status = 200, body = Totals),
        Refused,
        (status = 404, description = "No such thing", body = Told, content_type = "application/problem+json"),
    )
)]
pub async fn totals(
    State(app): State<App>,
    caller: Caller,
    Asked(asked): Asked<Parameters>,
) -> Result<Json<Totals>, Problem> {
    caller.reads(Scope::Totals)?;
    let Parameters { rally, committee, from, to, as_of } = asked;
    let selection = Part { rally, committee, from, to, as_of }.select(&app)?;
    let (seq, money, rallies, totals) = {
        let world = app.engine().world();
        let (rallies, totals) = sums(&world, &selection);
        (selection.seq(&world), world.state.mode.map(|mode| mode.to_string()), rallies, totals)
    };
    let as_of = AsOf::of(&selection, seq, app.engine())?;
    Ok(Json(Totals { as_of, money, rallies, totals }))
}

fn sums(world: &Projections, selection: &Selection) -> (Vec<RallySums>, Vec<CurrencySums>) {
    let mut of_currency: BTreeMap<&'static str, totals::Sums> = BTreeMap::new();
    let mut rallies = vec![];
    for RallyMoney { rally, days, .. } in selection.money(world) {
        let mut sums = totals::Sums::default();
        days.iter().for_each(|(_, of_day)| sums.add(of_day));
        let currency = Currency::code(rally.details.currency);
        of_currency.entry(currency).or_default().add(&sums);
        let (slug, title) = (rally.details.slug.clone(), rally.details.title.clone());
        rallies.push(RallySums { rally: slug, title, currency, sums: sums.into() });
    }
    let totals = of_currency.into_iter().map(|(currency, sums)| CurrencySums { currency, sums: sums.into() });
    (rallies, totals.collect())
}
