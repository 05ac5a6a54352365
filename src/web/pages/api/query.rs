//! What programs ask with, read strictly: a filter that was mistyped must not answer with everything.
//!
//! The types here read a query and describe themselves, so that the description is what is read.

use crate::domain::id::CommitteeId;
use crate::projections::Projections;
use crate::report::as_of::{self, AsOf};
use crate::report::selection::Selection;
use crate::web::App;
use crate::web::problem::{self, Problem};
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use chrono::NaiveDate;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use std::str::FromStr;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The largest number of an event that is read: 18 digits, and some thousand years of them.
const SEQ_MAX: u64 = 999_999_999_999_999_999;
/// Rows of one answer.
pub const PAGE_ROWS_MAX: u16 = 500;
/// Rows of an answer where nobody says how many.
const PAGE_ROWS: u16 = 100;

/// The query of a request.
pub struct Asked<Parameters>(pub Parameters);

impl<Parameters: DeserializeOwned> FromRequestParts<App> for Asked<Parameters> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let read = Query::try_from_uri(&parts.uri);
        let Query(parameters) = read.map_err(|rejection| {
            let words = rejection.body_text();
            let said = words.split_once(": ").map_or(words.as_str(), |(_, said)| said);
            Problem::Malformed(format!("the query can’t be read: {said}"))
        })?;
        Ok(Self(parameters))
    }
}

/// A name that a query gives: never empty, which would read as no filter at all.
#[derive(Clone, Debug, ToSchema)]
#[schema(value_type = String, min_length = 1)]
pub struct Name(pub String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            Err(D::Error::custom("it is empty: leave it out, or give it a value"))
        } else {
            Ok(Self(text))
        }
    }
}

/// A day.
#[derive(Clone, Copy, Debug, ToSchema)]
#[schema(value_type = String, format = Date)]
pub struct Day(pub NaiveDate);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let day = Some(&text).filter(|text| text.len() == 10).and_then(|text| text.parse().ok());
        day.map(Self).ok_or_else(|| D::Error::custom("a day is written like 2028-07-25"))
    }
}

fn whole<'de, Number: FromStr, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Number>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit())))
}

/// After which event rows begin.
#[derive(Clone, Copy, Debug, Default, ToSchema)]
#[schema(value_type = u64, minimum = 0, maximum = 999_999_999_999_999_999_u64)]
pub struct After(pub u64);

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seq = whole(deserializer)?.filter(|seq| *seq <= SEQ_MAX);
        seq.map(Self).ok_or_else(|| D::Error::custom("it is the number of an event, such as the last answer’s next"))
    }
}

/// How many rows.
#[derive(Clone, Copy, Debug, ToSchema)]
#[schema(value_type = u16, minimum = 1, maximum = 500, default = 100)]
pub struct Limit(pub u16);

impl Default for Limit {
    fn default() -> Self {
        Self(PAGE_ROWS)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = whole(deserializer)?.filter(|rows| (1..=PAGE_ROWS_MAX).contains(rows));
        rows.map(Self).ok_or_else(|| D::Error::custom(format!("it is a number of rows from 1 to {PAGE_ROWS_MAX}")))
    }
}

/// As of when: an event's number, a day or an instant.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Instant(String);

impl PartialSchema for Instant {
    fn schema() -> RefOr<Schema> {
        let text =
            |format| ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(format)));
        let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(SEQ_MAX));
        let any = AnyOfBuilder::new().item(number).item(text(KnownFormat::Date)).item(text(KnownFormat::DateTime));
        any.into()
    }
}

impl ToSchema for Instant {}

/// Which part of the ledger is asked for, as [`Selection`] has it.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// By its address.
    pub rally: Option<Name>,
    /// By its number, or its account's name.
    pub committee: Option<Name>,
    /// From this day on.
    pub from: Option<Day>,
    /// Up to and with this day.
    pub to: Option<Day>,
    /// As the ledger was then.
    pub as_of: Option<Instant>,
}

impl Part {
    /// Finds what is named.
    ///
    /// # Errors
    /// [`Problem::Unknown`] for a rally, a committee or an event that there is not, [`Problem::Malformed`] for an instant that
    /// can't be read.
    pub fn select(self, app: &App) -> Result<Selection, Problem> {
        let (mut selection, zone) = {
            let world = app.engine().world();
            let rally = self.rally.map(|Name(slug)| rally(&world, slug)).transpose()?;
            let committee = self.committee.map(|Name(named)| committee(&world, &named)).transpose()?;
            let (from, to) = (self.from.map(|Day(day)| day), self.to.map(|Day(day)| day));
            let selection = Selection { rally, committee, from, to, ..Selection::default() };
            let zone = selection.zone(&world);
            (selection, zone)
        };
        if let Some(Instant(text)) = self.as_of {
            let as_of = AsOf::read(&text, zone, app.engine()).map_err(|fault| match fault {
                as_of::Fault::Text | as_of::Fault::NoSuchTime => Problem::Malformed(format!("as_of: {fault}")),
                as_of::Fault::Ahead { .. } => Problem::Unknown(fault.to_string()),
                as_of::Fault::Log(fault) => problem::internal(&fault),
            })?;
            selection.as_of = Some(as_of);
        }
        Ok(selection)
    }
}

/// The address, where a rally has it.
pub fn rally(world: &Projections, slug: String) -> Result<String, Problem> {
    match world.state.rallies.find(&slug) {
        Some(_) => Ok(slug),
        None => Err(Problem::Unknown("no rally has that address: /api/v1/rallies lists them".into())),
    }
}

fn committee(world: &Projections, named: &str) -> Result<CommitteeId, Problem> {
    let known = &world.state.committees;
    let found = known.find(named).or_else(|| named.parse().ok().filter(|id| known.get(*id).is_some()));
    found.ok_or_else(|| Problem::Unknown("no committee has that number, and no account that name".into()))
}
