//! `/api/v1/exports/…`: the same files as at `/finance/exports`, for programs.

use super::Refused;
use super::query::{Asked, Day, Instant, Name, Part};
use crate::domain::token::Scope;
use crate::export::actblue;
use crate::report::filing::{Fault, NotOrdered};
use crate::report::selection::Selection;
use crate::report::{Format, Order};
use crate::web::App;
use crate::web::pages::exports::taken;
use crate::web::problem::{self, Problem, Told};
use crate::web::token::Caller;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Formats that ask for nothing but a part of the ledger.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Plain {
    Csv,
    Xlsx,
    ActblueCsv,
    Payouts,
    Attendance,
    Contacts,
    Access,
    Jsonl,
}

impl Plain {
    fn format(self) -> Format {
        match self {
            Self::Csv => Format::Csv,
            Self::Xlsx => Format::Xlsx,
            Self::ActblueCsv => Format::ActblueCsv,
            Self::Payouts => Format::Payouts,
            Self::Attendance => Format::Attendance,
            Self::Contacts => Format::Contacts,
            Self::Access => Format::Access,
            Self::Jsonl => Format::Jsonl,
        }
    }

    /// What a token has to have: whoever came is not whoever gave.
    fn scopes(self) -> [Scope; 2] {
        match self {
            Self::Attendance | Self::Contacts => [Scope::Attendance, Scope::Donors],
            Self::Csv | Self::Xlsx | Self::ActblueCsv | Self::Payouts | Self::Access | Self::Jsonl => {
                [Scope::Donations, Scope::Donors]
            }
        }
    }
}

/// Which contributions.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Contributions {
    #[default]
    Paid,
    Refunded,
    Recurring,
}

impl From<Contributions> for actblue::Report {
    fn from(asked: Contributions) -> Self {
        match asked {
            Contributions::Paid => Self::Paid,
            Contributions::Refunded => Self::Refunded,
            Contributions::Recurring => Self::Recurring,
        }
    }
}

/// Of which part of the ledger.
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
    /// Of actblue-csv: which contributions.
    #[param(inline)]
    #[serde(default)]
    report: Contributions,
    /// What the file is for, without a name or address: it stays in the log for good, and in the file.
    #[param(inline)]
    reason: Option<Name>,
}

/// Which of the FEC's files.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FilingParameters {
    /// Whose: its number, or its account's name; the first where none is named.
    #[param(inline)]
    committee: Option<Name>,
    /// The first day that it is of; the usual ones of a report's code where neither is named.
    #[param(inline)]
    from: Option<Day>,
    /// The last day.
    #[param(inline)]
    to: Option<Day>,
    /// As the ledger was then: an event's number, a day (its end) or an instant.
    #[param(inline)]
    as_of: Option<Instant>,
    /// Of a report: which, as Q2, M7, YE, 12P or 30G.
    #[param(inline)]
    code: Option<Name>,
    /// Of a report: the election that it is about, as P2026.
    #[param(inline)]
    election: Option<Name>,
    /// Of a report: dollars of cash on hand as the period begins; 0 if not given.
    #[param(inline)]
    cash: Option<Name>,
    /// The day on which the treasurer signs; today if not given.
    #[param(inline)]
    signed: Option<Day>,
    /// The first filing that this amends, as FEC-1234567.
    #[param(inline)]
    amends: Option<Name>,
    /// Which amendment it is; 1 if not given.
    #[param(inline)]
    amendment: Option<Name>,
    /// Of a notice: the day on which the one that this amends was filed.
    #[param(inline)]
    filed: Option<Day>,
    /// What the file is for, without a name or address: it stays in the log for good.
    #[param(inline)]
    reason: Option<Name>,
}

impl FilingParameters {
    fn get(&self, field: &str) -> String {
        let name = |name: &Option<Name>| name.as_ref().map(|Name(text)| text.clone());
        let day = |day: Option<Day>| day.map(|Day(day)| day.to_string());
        let said = match field {
            "from" => day(self.from),
            "to" => day(self.to),
            "code" => name(&self.code),
            "election" => name(&self.election),
            "cash" => name(&self.cash),
            "signed" => day(self.signed),
            "amends" => name(&self.amends),
            "amendment" => name(&self.amendment),
            "filed" => day(self.filed),
            _ => None,
        };
        said.unwrap_or_default()
    }
}

/// A file that a program asks for; who it is, is in the log and in the file.
fn order(app: &App, caller: &Caller, format: Format, selection: Selection, reason: Option<Name>) -> Order {
    let name = match caller {
        Caller::Staff(staff) => staff.name.clone(),
        Caller::Program { token, .. } => {
            app.engine().world().state.tokens.get(*token).map(|token| token.name.clone()).unwrap_or_default()
        }
    };
    let reason = reason.map(|Name(reason)| reason).unwrap_or_default();
    let report = actblue::Report::default();
    Order { id: Uuid::now_v7(), format, selection, who: caller.actor(), name, reason, report, filing: None }
}

/// A file, as it is made. Scopes: donors, and donations or, of attendance and contacts, attendance.
#[utoipa::path(
    get,
    path = "/api/v1/exports/{format}",
    params(("format" = inline(Plain), Path, description = "Which kind of file"), Parameters),
    security(("token" = ["donations", "donors", "attendance"])),
    responses(
        (
            status = 200,
            description = "The file; one that breaks off ends without the last chunk",
            content(
                (String = "text/csv"),
                (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
                (String = "application/jsonl"),
            )
        ),
        Refused,
        (status = 404, description = "No such thing", body = Told, content_type = "application/problem+json"),
        (status = 409, description = "The reason can’t stay in the log", body = Told, content_type = "application/problem+json"),
    )
)]
pub async fn file(
    State(app): State<App>,
    caller: Caller,
    Path(format): Path<String>,
    Asked(asked): Asked<Parameters>,
) -> Result<Response, Problem> {
    let unknown = || Problem::Unknown("there is no such kind of file: /api/openapi.json lists them".into());
    let format = serde_json::from_value::<Plain>(format.into()).map_err(|_| unknown())?;
    format.scopes().into_iter().try_for_each(|scope| caller.reads(scope))?;
    let Parameters { rally, committee, from, to, as_of, report, reason } = asked;
    let selection = Part { rally, committee, from, to, as_of }.select(&app)?;
    let order = Order { report: report.into(), ..order(&app, &caller, format.format(), selection, reason) };
    Ok(taken(&app, order).await?)
}

/// A periodic report to the FEC, of F3, F3X or F3P. Scopes: donations and donors.
#[utoipa::path(
    get,
    path = "/api/v1/exports/fec",
    params(FilingParameters),
    security(("token" = ["donations", "donors"])),
    responses(
        (status = 200, description = "The file", body = String, content_type = "text/plain"),
        Refused,
        (status = 404, description = "No such thing", body = Told, content_type = "application/problem+json"),
        (status = 409, description = "There is no such report, or the FEC would not take it", body = Told, content_type = "application/problem+json"),
    )
)]
pub async fn fec(app: State<App>, caller: Caller, asked: Asked<FilingParameters>) -> Result<Response, Problem> {
    filing(app, caller, Format::Fec, asked).await
}

/// A notice to the FEC of large gifts before an election, F6. Scopes: donations and donors.
#[utoipa::path(
    get,
    path = "/api/v1/exports/fec-notice",
    params(FilingParameters),
    security(("token" = ["donations", "donors"])),
    responses(
        (status = 200, description = "The file", body = String, content_type = "text/plain"),
        Refused,
        (status = 404, description = "No such thing", body = Told, content_type = "application/problem+json"),
        (status = 409, description = "There is no such notice, or the FEC would not take it", body = Told, content_type = "application/problem+json"),
    )
)]
pub async fn fec_notice(app: State<App>, caller: Caller, asked: Asked<FilingParameters>) -> Result<Response, Problem> {
    filing(app, caller, Format::FecNotice, asked).await
}

async fn filing(
    State(app): State<App>,
    caller: Caller,
    format: Format,
    Asked(asked): Asked<FilingParameters>,
) -> Result<Response, Problem> {
    caller.reads(Scope::Donations)?;
    caller.reads(Scope::Donors)?;
    let (committee, as_of, reason) = (asked.committee.clone(), asked.as_of.clone(), asked.reason.clone());
    let part = Part { committee, as_of, from: asked.from, to: asked.to, rally: None };
    let order = order(&app, &caller, format, part.select(&app)?, reason);
    let order = order.of_filing(|field| asked.get(field), app.engine()).await.map_err(|why| match why {
        NotOrdered::OfARally
        | NotOrdered::Wrong(_)
        | NotOrdered::Stopped(_)
        | NotOrdered::Period(_)
        | NotOrdered::Unlike(_) => Problem::Refused(why.to_string()),
        NotOrdered::Fault(Fault::NotDollars(fault)) => Problem::Refused(fault.to_string()),
        NotOrdered::Fault(fault) => problem::internal(&fault),
    })?;
    Ok(taken(&app, order).await?)
}
