//! `/api/v1/…`: figures for programs. The head is for everybody; money is for those who see it on the finance page.

use crate::clock;
use crate::domain::money::Currency;
use crate::log::Head;
use crate::projections::Projections;
use crate::projections::totals::Sums;
use crate::report::selection::{RallyMoney, Selection};
use crate::web::App;
use crate::web::form::Form;
use crate::web::problem::{self, Problem};
use crate::web::session::Staff;
use axum::extract::{RawQuery, State};
use axum::routing::get;
use axum::{Json, Router};
use chrono::SecondsFormat;
use serde::Serialize;
use std::collections::BTreeMap;

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/head", get(head)).route("/api/v1/totals", get(totals))
}

/// Where the log ends, to be kept elsewhere: whoever has it can prove later that nothing before it was changed.
#[derive(Serialize)]
struct Published {
    /// The newest event.
    seq: u64,
    /// The hash of its frame, 64 hex digits.
    head: String,
}

impl From<Head> for Published {
    fn from(head: Head) -> Self {
        Self { seq: head.seq, head: head.to_string() }
    }
}

async fn head(State(app): State<App>) -> Json<Published> {
    Json(app.engine().head().into())
}

#[derive(Serialize)]
struct Totals {
    as_of: AsOf,
    /// What the money is worth: `simulated`, `test` or `live`.
    money: Option<String>,
    /// The newest first.
    rallies: Vec<RallySums>,
    /// By currency.
    totals: Vec<CurrencySums>,
}

#[derive(Serialize)]
struct AsOf {
    /// The last event that counts.
    seq: u64,
    /// RFC 3339, UTC.
    at: String,
    /// The head of the log as it was then.
    head: Published,
}

#[derive(Serialize)]
struct RallySums {
    rally: String,
    title: String,
    currency: &'static str,
    #[serde(flatten)]
    sums: Money,
}

#[derive(Serialize)]
struct CurrencySums {
    currency: &'static str,
    #[serde(flatten)]
    sums: Money,
}

#[derive(Serialize)]
struct Money {
    #[serde(flatten)]
    sums: Sums,
    /// Gross less refunds, disputes, returned debits and fees; null while a fee is not known.
    net_minor: Option<i64>,
}

impl From<Sums> for Money {
    fn from(sums: Sums) -> Self {
        Self { sums, net_minor: sums.net_minor() }
    }
}

async fn totals(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Json<Totals>, Problem> {
    staff.sees_money()?;
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let (selection, fault) = Selection::read(|name| form.get(name), app.engine());
    if let Some(fault) = fault {
        return Err(Problem::Malformed(fault.to_string()));
    }
    let (seq, money, rallies, totals) = {
        let world = app.engine().world();
        let (rallies, totals) = sums(&world, &selection);
        (selection.seq(&world), world.state.mode.map(|mode| mode.to_string()), rallies, totals)
    };
    let head = app.engine().head_at(seq).map_err(|fault| problem::internal(&fault))?;
    let at = selection.as_of.map_or_else(clock::now, |as_of| as_of.at);
    let as_of = AsOf { seq, at: at.to_rfc3339_opts(SecondsFormat::Micros, true), head: head.into() };
    Ok(Json(Totals { as_of, money, rallies, totals }))
}

fn sums(world: &Projections, selection: &Selection) -> (Vec<RallySums>, Vec<CurrencySums>) {
    let mut of_currency: BTreeMap<&'static str, Sums> = BTreeMap::new();
    let mut rallies = vec![];
    for RallyMoney { rally, days, .. } in selection.money(world) {
        let mut sums = Sums::default();
        days.iter().for_each(|(_, of_day)| sums.add(of_day));
        let currency = Currency::code(rally.details.currency);
        of_currency.entry(currency).or_default().add(&sums);
        let (slug, title) = (rally.details.slug.clone(), rally.details.title.clone());
        rallies.push(RallySums { rally: slug, title, currency, sums: sums.into() });
    }
    let totals = of_currency.into_iter().map(|(currency, sums)| CurrencySums { currency, sums: sums.into() });
    (rallies, totals.collect())
}
