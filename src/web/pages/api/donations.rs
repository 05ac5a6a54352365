//! `/api/v1/donations`: the ledger's rows, a page at a time, and one donation's.

use super::query::{After, Asked, Day, Instant, Limit, Name, Part};
use super::totals::AsOf;
use super::{Refused, instant};
use crate::domain::id::DonationId;
use crate::domain::money::Money;
use crate::domain::profile::Contact;
use crate::domain::token::Scope;
use crate::export::row;
use crate::report::page::Page as Rows;
use crate::web::App;
use crate::web::problem::{self, Problem, Told};
use crate::web::token::Caller;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which rows.
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
    /// Rows after this event only: the last answer's `next`.
    #[param(inline)]
    #[serde(default)]
    after: After,
    /// So many rows at most.
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// Whether to tell who gave, for which the token needs the scope donors too.
    #[serde(default)]
    contact: bool,
}

/// Which part of a donation.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OneParameters {
    /// Whether to tell who gave, for which the token needs the scope donors too.
    #[serde(default)]
    contact: bool,
}

#[derive(Serialize, ToSchema)]
pub struct Page {
    as_of: AsOf,
    /// In the order of the log.
    rows: Vec<Row>,
    /// What to send as `after` for the next rows; null where there are none now.
    next: Option<u64>,
}

/// A donation with all that happened to its money.
#[derive(Serialize, ToSchema)]
pub struct Donation {
    id: uuid::Uuid,
    /// When the form was sent, or the instalment was made.
    #[schema(format = DateTime)]
    pledged_at: String,
    pledged_minor: i64,
    #[schema(pattern = "^[A-Z]{3}$")]
    currency: &'static str,
    /// Empty while nothing has settled; in the order of the log.
    rows: Vec<Row>,
}

/// Money that moved.
#[derive(Serialize, ToSchema)]
struct Row {
    /// The event it comes from.
    seq: u64,
    #[schema(format = DateTime)]
    at: String,
    /// The same as a day, in the rally's time zone.
    #[schema(value_type = String, format = Date)]
    day: chrono::NaiveDate,
    /// `donation`, `refund`, `refund_reversed`, `dispute`, `dispute_reversed` or `debit_returned`.
    kind: &'static str,
    /// What the money is worth: `simulated`, `test` or `live`.
    mode: String,
    donation: uuid::Uuid,
    /// The rally's address.
    rally: String,
    /// Negative where it left us.
    amount_minor: i64,
    #[schema(pattern = "^[A-Z]{3}$")]
    currency: &'static str,
    /// What the processor kept; null while that is not known.
    fee_minor: Option<i64>,
    /// The processor's payment.
    payment: String,
    /// The processor's refund or dispute, on the rows of one.
    reference: Option<String>,
    /// `visa 4242`
    card: Option<String>,
    /// From the link that led to the form.
    refcode: Option<String>,
    /// Of a recurring gift: 1 for the first.
    recurring_number: Option<u32>,
    /// The processor's payout to the bank, once it is in one.
    payout: Option<String>,
    /// In whose account it moved.
    committee: String,
    /// What of it is whose, where a joint committee shares its gifts out.
    parts: Vec<Share>,
    /// The donor: the same for all gifts from one address, and nobody's name.
    donor: uuid::Uuid,
    /// Who gave; null where that was not asked for, or the donor was erased.
    contact: Option<Donor>,
}

#[derive(Serialize, ToSchema)]
struct Share {
    committee: String,
    amount_minor: i64,
}

/// Who gave, as they typed it.
#[derive(Serialize, ToSchema)]
struct Donor {
    first_name: String,
    last_name: String,
    email: String,
    line: String,
    city: String,
    region: String,
    postal: String,
    country: String,
    employer: String,
    occupation: String,
}

impl From<Contact> for Donor {
    fn from(contact: Contact) -> Self {
        let Contact { first_name, last_name, email, line, city, region, postal, country, employer, occupation, .. } =
            contact;
        Self { first_name, last_name, email, line, city, region, postal, country, employer, occupation }
    }
}

impl From<row::Row> for Row {
    fn from(row: row::Row) -> Self {
        let share = |(committee, amount): (Arc<str>, Money)| Share {
            committee: committee.as_ref().into(),
            amount_minor: amount.minor,
        };
        Self {
            seq: row.seq,
            at: instant(row.at),
            day: row.day,
            kind: row.kind.word(),
            mode: row.mode.to_string(),
            donation: row.donation.0,
            rally: row.rally.slug.clone(),
            amount_minor: row.amount.minor,
            currency: row.amount.currency.code(),
            fee_minor: row.fee.map(|fee| fee.minor),
            payment: row.payment.0,
            reference: row.reference.map(Into::into),
            card: row.card.map(Into::into),
            refcode: row.refcode.map(Into::into),
            recurring_number: row.recurring.map(|recurring| recurring.number),
            payout: row.payout.map(|payout| payout.id.as_ref().into()),
            committee: row.committee.as_ref().into(),
            parts: row.parts.into_iter().map(share).collect(),
            donor: row.donor.0,
            contact: row.contact.map(Into::into),
        }
    }
}

/// Opens contacts, where they are asked for, on a thread that may wait for the disk. That they are told is an event before.
async fn opened(app: &App, caller: &Caller, page: Rows, contact: bool, of: String) -> Result<Vec<Row>, Problem> {
    if !contact {
        return Ok(page.rows().into_iter().map(Into::into).collect());
    }
    app.tells(&caller.actor(), "api", of).await?;
    let engine = app.engine().clone();
    let opened = tokio::task::spawn_blocking(move || page.opened(&engine)).await;
    let rows = opened.map_err(|error| problem::internal(&error))?.map_err(|fault| problem::internal(&fault))?;
    Ok(rows.into_iter().map(Into::into).collect())
}

fn may(caller: &Caller, contact: bool) -> Result<(), Problem> {
    caller.reads(Scope::Donations)?;
    if contact { caller.reads(Scope::Donors) } else { Ok(()) }
}

/// The ledger's rows, a page at a time. Scope: donations, and donors for who gave.
#[utoipa::path(
    get,
    path = "/api/v1/donations",
    params(Parameters),
    security(("token" = ["donations"])),
    responses(
        (status = 200, body = Page),
        Refused,
        (status = 404, description = "No such thing", body = Told, content_type = "application/problem+json"),
    )
)]
pub async fn donations(
    State(app): State<App>,
    caller: Caller,
    Asked(asked): Asked<Parameters>,
) -> Result<Json<Page>, Problem> {
    may(&caller, asked.contact)?;
    let Parameters { rally, committee, from, to, as_of, after, limit, contact } = asked;
    let selection = Part { rally, committee, from, to, as_of }.select(&app)?;
    let wanted = usize::from(limit.0);
    let (seq, mut page) = {
        let world = app.engine().world();
        // One more than asked for says whether there are more.
        (selection.seq(&world), Rows::after(&world, &selection, after.0, wanted.saturating_add(1)))
    };
    let next = page.cut(wanted);
    let as_of = AsOf::of(&selection, seq, app.engine())?;
    let rows = opened(&app, &caller, page, contact, selection.query()).await?;
    Ok(Json(Page { as_of, rows, next }))
}

/// One donation and its rows. Scope: donations, and donors for who gave.
#[utoipa::path(
    get,
    path = "/api/v1/donations/{id}",
    params(("id" = uuid::Uuid, Path, description = "The donation"), OneParameters),
    security(("token" = ["donations"])),
    responses(
        (status = 200, body = Donation),
        Refused,
        (status = 404, description = "No such thing", body = Told, content_type = "application/problem+json"),
    )
)]
pub async fn donation(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Asked(asked): Asked<OneParameters>,
) -> Result<Json<Donation>, Problem> {
    may(&caller, asked.contact)?;
    let unknown = || Problem::Unknown("there is no donation with that id".into());
    let id: DonationId = id.parse().map_err(|_| unknown())?;
    let (pledged_at, pledged, page) = {
        let world = app.engine().world();
        let pledge = world.ledger.pledge(id).ok_or_else(unknown)?;
        let pledged = world.state.donations.get(id).ok_or_else(unknown)?.amount;
        (instant(pledge.at), pledged, Rows::of(&world, id))
    };
    let rows = opened(&app, &caller, page, asked.contact, format!("donation={id}")).await?;
    let currency = pledged.currency.code();
    Ok(Json(Donation { id: id.0, pledged_at, pledged_minor: pledged.minor, currency, rows }))
}
