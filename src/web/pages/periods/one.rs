//! `/finance/periods/{id}`: what a period was closed with, what has come since, and its file.

use super::shown::{self, ChangeLine, Compared};
use crate::domain::Refusal;
use crate::domain::id::PeriodId;
use crate::domain::period::{Closed, Period};
use crate::engine::Failure;
use crate::export::actblue;
use crate::export::fec::cover::Totals;
use crate::projections::Projections;
use crate::report::as_of::AsOf;
use crate::report::closing::{self, Changes, Unlike};
use crate::report::filing::{self, Filing, What};
use crate::report::selection::Selection;
use crate::report::who;
use crate::report::{Format, Order};
use crate::web::form::{Errors, Form};
use crate::web::pages::exports::taken;
use crate::web::problem::{Problem, internal, sentence};
use crate::web::session::Staff;
use crate::web::view::{Field, FormError, Layout, StaffRoom};
use crate::web::{App, notice, present};
use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

/// The page of a period.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/period.html")]
pub struct PeriodPage {
    /// The frame around the page.
    pub layout: Layout,
    /// What is wrong with what was typed.
    pub errors: Vec<FormError>,
    /// Its number.
    pub number: String,
    /// `Q3, July 1 to September 30, 2026`.
    pub title: String,
    /// How it stands.
    pub standing: String,
    /// Facts: what it is, and its value; empty values are left out.
    pub facts: Vec<(&'static str, String)>,
    /// The log's head hash at its event.
    pub head: String,
    /// Whether the log still says so.
    pub is_proved: bool,
    /// The command that says so from outside.
    pub verify: String,
    /// The ledger's sums.
    pub sums: Vec<Compared>,
    /// The report's sums; empty where it was closed without one.
    pub cover: Vec<Compared>,
    /// Whether those are compared with now.
    pub is_compared: bool,
    /// What has come since, the first first.
    pub changes: Vec<ChangeLine>,
    /// How many came before those.
    pub changes_more: usize,
    /// What was erased since, in a sentence; empty where nothing was.
    pub erased: String,
    /// What was done with it, the first first.
    pub steps: Vec<Step>,
    /// The other reports of its days: name and page.
    pub others: Vec<(String, String)>,
    /// Where its file is; empty where it was closed without a report or is withdrawn.
    pub file: String,
    /// Whether that comes out otherwise now, and is given only to those who want it all the same.
    pub is_unlike: bool,
    /// Where the ledger's files of its days are, as of its event.
    pub exports: String,
    /// Whether it can be marked as filed.
    pub may_file: bool,
    /// Whether it can be withdrawn.
    pub may_withdraw: bool,
    /// Which amendment can be made; none where none can.
    pub amendment: Option<usize>,
    /// Fields `filing` and `on`.
    pub filing: [Field; 2],
    /// Field `reason`.
    pub reason: Field,
    /// Fields `signed`, `cash` and `note`.
    pub amend: [Field; 3],
}

/// Something that was done with it.
#[derive(Debug, Clone)]
pub struct Step {
    /// `October 5, 2026, 4:12 pm EDT`.
    pub when: String,
    /// The same as RFC 3339.
    pub when_iso: String,
    /// What, in words.
    pub what: String,
    /// By whom.
    pub by: String,
}

/// Shows it.
pub(super) async fn show(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let period = known(&app, &id)?;
    page(&app, &staff, period, &Form::parse(query.unwrap_or_default().as_bytes()), &Errors::default()).await
}

/// The period with this number.
pub(super) fn known(app: &App, id: &str) -> Result<Period, Problem> {
    let id: PeriodId = id.parse().map_err(|_| Problem::NotFound)?;
    app.engine().world().state.periods.get(id).cloned().ok_or(Problem::NotFound)
}

/// Its file, made again; where it comes out otherwise, that is said first.
pub(super) async fn file(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let (period, form) = (known(&app, &id)?, Form::parse(query.unwrap_or_default().as_bytes()));
    let mode = app.engine().world().state.mode;
    let filing = closing::filing(&period.closed, mode).filter(|_| period.withdrawn.is_none());
    let filing = filing.ok_or(Problem::NotFound)?;
    let mut errors = Errors::default();
    if !form.has("anyway") {
        let (engine, filing, closed) = (app.engine().clone(), filing.clone(), period.closed.clone());
        let checked = tokio::task::spawn_blocking(move || closing::check(&engine, &filing, &closed)).await;
        match checked.map_err(|fault| internal(&fault))? {
            Ok(()) => {}
            Err(unlike @ Unlike::Otherwise(_)) => {
                errors.add("file", sentence(&unlike.to_string()));
                return page(&app, &staff, period, &form, &errors).await;
            }
            Err(Unlike::Fault(fault)) => return Err(internal(&fault)),
        }
    }
    let as_of = Some(AsOf { seq: period.closed.seq, at: period.at });
    let order = Order {
        id: Uuid::now_v7(),
        format: Format::Fec,
        selection: Selection { committee: period.closed.committee, as_of, ..Selection::default() },
        who: staff.actor(),
        name: staff.name.clone(),
        reason: form.get("reason"),
        report: actblue::Report::default(),
        filing: Some(filing),
    };
    match taken(&app, order).await {
        Err(Failure::Refused(Refusal::Privacy(refusal))) => Err(Problem::Malformed(sentence(&refusal.to_string()))),
        answer => Ok(answer?),
    }
}

/// What its report would come to now, where it was closed with one.
async fn totals_now(app: &App, closed: &Closed) -> Result<Option<Totals>, Problem> {
    let (mode, seq) = {
        let world = app.engine().world();
        (world.state.mode, world.seq)
    };
    let Some(Filing { committee, what: What::Report(report), .. }) = closing::filing(closed, mode) else {
        return Ok(None);
    };
    let engine = app.engine().clone();
    let made = tokio::task::spawn_blocking(move || filing::totals(&engine, committee, &report, seq)).await;
    match made.map_err(|fault| internal(&fault))? {
        Ok(totals) => Ok(Some(totals)),
        // Money of another currency came since: there is no report of now to compare with.
        Err(filing::Fault::NotDollars(_)) => Ok(None),
        Err(fault) => Err(internal(&fault)),
    }
}

/// The page, with what was typed where something is wrong with it.
pub(super) async fn page(
    app: &App,
    staff: &Staff,
    period: Period,
    form: &Form,
    errors: &Errors,
) -> Result<Response, Problem> {
    let stands = period.withdrawn.is_none() && shown::is_last(&app.engine().world(), &period);
    let totals = if stands { totals_now(app, &period.closed).await? } else { None };
    let head = app.engine().head_at(period.closed.seq).map_err(|fault| internal(&fault))?.to_string();
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let steps = {
        let zone = Selection::default().zone(&app.engine().world());
        steps(&period, zone).into_iter().map(|(step, by)| Step { by: who::name(app.engine(), &by), ..step }).collect()
    };
    let world = app.engine().world();
    let changes = if stands { closing::since(&world, &period) } else { Changes::default() };
    let Period { closed, .. } = &period;
    let report = closed.report.as_ref();
    let first = world.state.periods.first_of(closed.period);
    let field = |name: &'static str, otherwise: String| {
        errors.field(name, if form.has(name) { form.get(name) } else { otherwise })
    };
    let cash = report.map(|report| shown::exact_dollars(report.cash_minor)).unwrap_or_default();
    let can_amend = stands && report.is_some() && period.filed.is_some();
    let page = PeriodPage {
        layout: Layout {
            notice: notice(form),
            ..app.staff_layout(&format!("Period {}", closed.period), staff, StaffRoom::Finance, None)
        },
        errors: errors.summary(),
        number: closed.period.to_string(),
        title: shown::period_in_words(closed),
        standing: shown::standing(&world, &period),
        facts: facts(&world, closed),
        is_proved: head == closed.head,
        head: closed.head.clone(),
        verify: format!("groundswell verify --head {}", closed.head),
        sums: shown::sums(&closed.sums, stands.then_some(&*changes.sums)),
        cover: report.map(|report| shown::cover(report, totals.as_ref())).unwrap_or_default(),
        is_compared: stands,
        changes: changes.lines.iter().map(ChangeLine::new).collect(),
        changes_more: changes.more,
        erased: match changes.erased {
            0 => String::new(),
            1 => "One of its donors was erased since: the file made now has no name there.".into(),
            many => format!("{many} of its donors were erased since: the file made now has no names there."),
        },
        steps,
        others: others(&world, closed, first),
        file: if report.is_some() && period.withdrawn.is_none() {
            format!("/finance/periods/{}/report.fec", closed.period)
        } else {
            String::new()
        },
        is_unlike: errors.of("file").is_some(),
        exports: exports(closed),
        may_file: stands && report.is_some(),
        may_withdraw: period.withdrawn.is_none() && period.filed.is_none(),
        amendment: can_amend.then(|| world.state.periods.amendments(first).count().saturating_add(1)),
        filing: [
            field(
                "filing",
                period.filed.as_ref().map(|(filed, _)| format!("FEC-{}", filed.filing)).unwrap_or_default(),
            ),
            field("on", period.filed.as_ref().map(|(filed, _)| filed.on.to_string()).unwrap_or_default()),
        ],
        reason: field("reason", String::new()),
        amend: [field("signed", String::new()), field("cash", cash), field("note", String::new())],
    };
    drop(world);
    Ok((status, Html(page.render()?)).into_response())
}

fn facts(world: &Projections, closed: &Closed) -> Vec<(&'static str, String)> {
    let report = closed.report.as_ref();
    let filer = |report: &crate::domain::period::Report| {
        format!("{} ({}), form {}", report.filer.name, report.filer.id, report.filer.form.code())
    };
    let facts = [
        ("In the account of", shown::account(world, closed)),
        ("Report", report.map(|report| shown::code_in_words(report).to_owned()).unwrap_or_default()),
        ("Filed by", report.map(filer).unwrap_or_default()),
        ("Signed", report.map(|report| report.signed.format("%B %-d, %Y").to_string()).unwrap_or_default()),
        (
            "Lines that name a donor",
            report.map(|report| crate::domain::money::group_thousands(report.itemized)).unwrap_or_default(),
        ),
        ("Amends", report.and_then(|report| report.amends).map(|a| format!("FEC-{}", a.filing)).unwrap_or_default()),
        ("As of event", crate::domain::money::group_thousands(closed.seq)),
        ("Note", closed.note.clone()),
    ];
    facts.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// What was done with it, and by whom.
fn steps(period: &Period, zone: Tz) -> Vec<(Step, String)> {
    let step = |at: DateTime<Utc>, what: String, by: &str| {
        let when = format!("{}, {}", shown::day(at, zone), present::time(at, zone));
        (Step { when, when_iso: present::iso(at), what, by: String::new() }, by.to_owned())
    };
    let closed = step(period.at, "Closed".into(), &period.closed.who);
    let filed = period.filed.as_ref().map(|(filed, at)| {
        let on = filed.on.format("%B %-d, %Y");
        step(*at, format!("Filed as FEC-{} on {on}", filed.filing), &filed.who)
    });
    let withdrawn = period
        .withdrawn
        .as_ref()
        .map(|(withdrawn, at)| step(*at, format!("Withdrawn: {}", withdrawn.reason), &withdrawn.who));
    std::iter::once(closed).chain(filed).chain(withdrawn).collect()
}

/// The first report of its days and the amendments of that, besides itself.
fn others(world: &Projections, closed: &Closed, first: PeriodId) -> Vec<(String, String)> {
    let periods = &world.state.periods;
    let of_first = (first != closed.period).then(|| (first, format!("Period {first}, the first report")));
    let amendments = periods.amendments(first).filter(|(id, _)| *id != closed.period).map(|(id, period)| {
        let number = period.amends().map_or(0, |amends| amends.number);
        (id, format!("Period {id}, amendment {number}"))
    });
    let all = of_first.into_iter().chain(amendments);
    all.map(|(id, name)| (name, format!("/finance/periods/{id}"))).collect()
}

/// Where the ledger's files of its days are, as of its event.
fn exports(closed: &Closed) -> String {
    let days = Selection {
        committee: closed.committee,
        from: Some(closed.from),
        to: Some(closed.through),
        ..Selection::default()
    };
    format!("/finance/exports?{}&as_of={}", days.query(), closed.seq)
}
