//! What is done with a closed period: it is marked as filed, withdrawn, or amended.

use super::now;
use super::one::{known, page};
use crate::domain::id::PeriodId;
use crate::domain::period::{self, Close, Filed, Period, Withdrawn};
use crate::domain::{Command, Refusal};
use crate::engine::Failure;
use crate::report::closing::{self, Days};
use crate::report::filing::{self, Filing, What};
use crate::web::form::{Errors, Form};
use crate::web::problem::{Problem, internal, sentence};
use crate::web::session::{Staff, csrf_matches};
use crate::web::{App, fresh_key, see_other};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;

/// Somebody's form about a period.
struct Sent {
    staff: Staff,
    period: Period,
    form: Form,
    errors: Errors,
}

impl Sent {
    fn read(app: &App, staff: Staff, id: &str, body: &[u8]) -> Result<Self, Problem> {
        let staff = staff.sees_money()?;
        let form = Form::parse(body);
        if !csrf_matches(&staff, &form.get("csrf")) {
            return Err(Problem::StaleForm);
        }
        Ok(Self { staff, period: known(app, id)?, form, errors: Errors::default() })
    }

    fn id(&self) -> PeriodId {
        self.period.closed.period
    }

    /// The page again, with what is wrong.
    async fn again(self, app: &App) -> Result<Response, Problem> {
        page(app, &self.staff, self.period, &self.form, &self.errors).await
    }

    /// Does it, and says so on the page of `then`; a refusal stands beside `field`.
    async fn execute(
        mut self,
        app: &App,
        command: period::Command,
        (what, field): (&str, &'static str),
        then: impl FnOnce(&App, PeriodId) -> PeriodId,
    ) -> Result<Response, Problem> {
        match app.engine().execute(Command::Period(command), fresh_key(what), &self.staff.actor()).await {
            Ok(_) => Ok(see_other(&format!("/finance/periods/{}?done={what}", then(app, self.id())))),
            Err(Failure::Refused(Refusal::Period(refusal))) => {
                self.errors.add(field, sentence(&refusal.to_string()));
                self.again(app).await
            }
            Err(failure) => Err(failure.into()),
        }
    }
}

/// Its report was filed.
pub(super) async fn filed(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let mut sent = Sent::read(&app, staff, &id, &body)?;
    let digits = sent.form.get("filing").to_ascii_uppercase();
    let filing = digits.strip_prefix("FEC-").unwrap_or(&digits).parse::<u64>().unwrap_or(0);
    let (_, today) = now(&app);
    let typed = sent.form.get("on");
    let on = if typed.is_empty() { Ok(today) } else { typed.parse() };
    let Ok(on) = on else {
        sent.errors.add("on", "Write the day on which the FEC took the report, or leave it empty for today.");
        return sent.again(&app).await;
    };
    let filed = Filed { period: sent.id(), filing, on, who: sent.staff.actor() };
    let command = period::Command::MarkFiled { filed, today };
    sent.execute(&app, command, ("filed", "filing"), |_, id| id).await
}

/// It was closed by mistake.
pub(super) async fn withdraw(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let sent = Sent::read(&app, staff, &id, &body)?;
    let withdrawn = Withdrawn { period: sent.id(), who: sent.staff.actor(), reason: sent.form.get("reason") };
    sent.execute(&app, period::Command::Withdraw(withdrawn), ("period-withdrawn", "reason"), |_, id| id).await
}

/// Makes the next amendment of its days as of now, and closes it.
pub(super) async fn amend(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let mut sent = Sent::read(&app, staff, &id, &body)?;
    let (seq, today) = now(&app);
    let read = amendment(&app, &sent, today);
    let (filing, first) = match read {
        Ok(read) => read,
        Err(wrong) => {
            wrong.into_iter().for_each(|(field, what)| sent.errors.add(field, what));
            return sent.again(&app).await;
        }
    };
    let Filing { committee, what: What::Report(report), .. } = filing else { return Err(Problem::NotFound) };
    let (engine, asked) = (app.engine().clone(), report.clone());
    let made = tokio::task::spawn_blocking(move || filing::preview(&engine, committee, &asked, seq)).await;
    let made = match made.map_err(|fault| internal(&fault))? {
        Ok(made) => made,
        Err(filing::Fault::NotDollars(fault)) => {
            sent.errors.add("cash", sentence(&fault.to_string()));
            return sent.again(&app).await;
        }
        Err(fault) => return Err(internal(&fault)),
    };
    if made.findings.stops {
        sent.errors.add("cash", "The FEC would not take this amendment: prepare it under “FEC reports” to see why.");
        return sent.again(&app).await;
    }
    let days = Days { committee: Some(committee), from: report.from, through: report.through, is_by_gift: true };
    let closed = closing::closing(app.engine(), days, seq, sent.staff.actor(), sent.form.get("note"));
    let closed = closing::reported(closed.map_err(|fault| internal(&fault))?, &report, &made, Some(first));
    // Whoever filed the first knew whether its days were over.
    let close = Close { closed, today, is_early: true };
    let last = |app: &App, _| app.engine().world().state.periods.last_of(first);
    sent.execute(&app, period::Command::Close(Box::new(close)), ("closed", "note"), last).await
}

/// The next amendment of a period's days, with who files as it is now, and the first report of them.
fn amendment(app: &App, sent: &Sent, today: chrono::NaiveDate) -> Result<(Filing, PeriodId), Vec<filing::Wrong>> {
    let world = app.engine().world();
    let refused = |refusal: period::Refusal| vec![("note", sentence(&refusal.to_string()))];
    let periods = &world.state.periods;
    let (closed, first) = (&sent.period.closed, periods.first_of(sent.id()));
    let report = closed.report.as_ref().ok_or_else(|| refused(period::Refusal::NoReport(sent.id())))?;
    let filed = periods.get(first).and_then(|period| period.filed.as_ref());
    let (filed, _) = filed.ok_or_else(|| refused(period::Refusal::NotFiled(first)))?;
    let number = periods.amendments(first).count().saturating_add(1);
    let get = |name: &str| match name {
        "code" => report.code.clone(),
        "from" => closed.from.to_string(),
        "to" => closed.through.to_string(),
        "election" => report.election.as_ref().map(|election| election.code.clone()).unwrap_or_default(),
        "amends" => filed.filing.to_string(),
        "amendment" => number.to_string(),
        // What was typed: the day of signing, and the cash.
        _ => sent.form.get(name),
    };
    Ok((filing::report(get, closed.committee, &world, today)?, first))
}
