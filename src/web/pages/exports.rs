//! `/finance/exports`: the ledger as files, each with what it is for; and the files themselves.

use super::finance::{committees, in_words, rallies};
use crate::domain::Refusal;
use crate::domain::money::group_thousands;
use crate::engine::Failure;
use crate::export::actblue::Report;
use crate::report::desk::Progress;
use crate::report::selection::Selection;
use crate::report::{Format, Order};
use crate::web::form::Form;
use crate::web::problem::{Problem, sentence};
use crate::web::session::Staff;
use crate::web::view::making::{MakingLine, MakingPart};
use crate::web::view::{Choice, Field, Layout, StaffRoom};
use crate::web::{App, see_other};
use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

/// The page of files.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/exports.html")]
pub struct Exports {
    /// The frame around the page.
    pub layout: Layout,
    /// What is wrong with what was asked for.
    pub error: Option<String>,
    /// Field `rally`.
    pub rallies: Vec<Choice>,
    /// Field `committee`; empty where there is one alone.
    pub committees: Vec<Choice>,
    /// Field `from`.
    pub from: Field,
    /// Field `to`.
    pub to: Field,
    /// Field `as_of`: an instant or an event's number.
    pub as_of: Field,
    /// Field `reason`.
    pub reason: Field,
    /// The formats: each button sends the form to its address.
    pub formats: Vec<FormatLine>,
    /// What is being made.
    pub making: MakingPart,
}

/// One format.
#[derive(Debug, Clone)]
pub struct FormatLine {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Where the file is.
    pub action: String,
    /// Where more is asked before there is one; empty where nothing is.
    pub page: &'static str,
    /// Field `report`: which contributions, where the format has several files.
    pub reports: Vec<Choice>,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/finance/exports", get(show))
        .route("/finance/exports/making", get(show_making))
        .route("/finance/exports/{format}", get(file))
        .route("/finance/donations.csv", get(csv))
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let (selection, fault) = Selection::read(|name| form.get(name), app.engine());
    page(&app, &staff, &form, &selection, fault.as_ref().map(in_words))
}

fn page(
    app: &App,
    staff: &Staff,
    form: &Form,
    selection: &Selection,
    error: Option<String>,
) -> Result<Response, Problem> {
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let field = |name: &str| Field { value: form.get(name), error: None };
    let page = {
        let world = app.engine().world();
        Exports {
            layout: app.staff_layout("Files", staff, StaffRoom::Finance, None),
            error,
            rallies: rallies(&world, selection),
            committees: committees::choices(&world, selection),
            from: field("from"),
            to: field("to"),
            as_of: field("as_of"),
            reason: field("reason"),
            formats: Format::ALL.map(line).into(),
            making: making(app),
        }
    };
    Ok((status, Html(page.render()?)).into_response())
}

fn making(app: &App) -> MakingPart {
    let line = |known: Progress| {
        let Progress { done, of, .. } = known;
        MakingLine {
            format: known.format.name(),
            name: known.name,
            percent: done.saturating_mul(100).checked_div(of).unwrap_or(0),
            rows: format!("{} of {} rows", group_thousands(done), group_thousands(of)),
        }
    };
    MakingPart { files: app.desk().making().into_iter().map(line).collect() }
}

async fn show_making(State(app): State<App>, staff: Staff) -> Result<Html<String>, Problem> {
    staff.sees_money()?;
    Ok(Html(making(&app).render()?))
}

fn line(format: Format) -> FormatLine {
    let choice = |report: Report| Choice {
        value: report.word().into(),
        label: report.about().into(),
        selected: report == Report::default(),
    };
    let reports = if format == Format::ActblueCsv { Report::ALL.map(choice).into() } else { vec![] };
    let page = if is_filing(format) { super::filing::PATH } else { "" };
    let action = format!("/finance/exports/{format}");
    FormatLine { name: format.name(), about: format.about(), action, page, reports }
}

/// Whether it is a file of the FEC's, which has a page of its own.
fn is_filing(format: Format) -> bool {
    matches!(format, Format::Fec | Format::FecNotice)
}

async fn csv(app: State<App>, staff: Staff, query: RawQuery) -> Result<Response, Problem> {
    file(app, staff, Path(Format::Csv.word().into()), query).await
}

async fn file(
    State(app): State<App>,
    staff: Staff,
    Path(format): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let format: Format = format.parse().map_err(|_| Problem::NotFound)?;
    if is_filing(format) {
        return Ok(see_other(super::filing::PATH));
    }
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let (selection, fault) = Selection::read(|name| form.get(name), app.engine());
    if let Some(fault) = fault {
        return page(&app, &staff, &form, &selection, Some(in_words(&fault)));
    }
    let (who, name) = (staff.actor(), staff.name.clone());
    let report = form.get("report").parse().unwrap_or_default();
    let order = Order {
        id: Uuid::now_v7(),
        format,
        selection: selection.clone(),
        who,
        name,
        reason: form.get("reason"),
        report,
        filing: None,
    };
    match taken(&app, order).await {
        Err(Failure::Refused(Refusal::Privacy(refusal))) => {
            page(&app, &staff, &form, &selection, Some(sentence(&refusal.to_string())))
        }
        answer => Ok(answer?),
    }
}

/// The file, to be saved under its name.
///
/// # Errors
/// [`Failure`]: the reason can't stay in the log, or the writer has no time.
pub async fn taken(app: &App, order: Order) -> Result<Response, Failure> {
    let headers = [
        (CONTENT_TYPE, order.format.media_type().to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", order.file_name(app.engine().clock().now()))),
    ];
    let parts = app.desk().take(order).await?;
    Ok((headers, Body::from_stream(ReceiverStream::new(parts))).into_response())
}
