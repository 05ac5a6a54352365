//! `POST /finance/filing/close`: closes a period with the report that was looked at.

use super::shown::Shown;
use super::{Asked, asked_for, findings, page, preview};
use crate::domain::id::{CommitteeId, PeriodId};
use crate::domain::period::{self, Close};
use crate::domain::{Command, Refusal};
use crate::engine::Failure;
use crate::export::fec::Report;
use crate::projections::Projections;
use crate::report::closing::{self, Days};
use crate::report::filing::{Filing, What};
use crate::web::problem::{Problem, internal, sentence};
use crate::web::session::{Staff, csrf_matches};
use crate::web::view::Field;
use crate::web::{App, fresh_key, see_other};
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;

/// The form that closes the period of a report that is shown.
#[derive(Debug, Clone)]
pub struct CloseForm {
    /// What was looked at: fields and values.
    pub hidden: Vec<(&'static str, String)>,
    /// Field `note`.
    pub note: Field,
    /// Field `early`, where the period is not over: whether it is ticked.
    pub early: Option<bool>,
    /// What is wrong with it.
    pub early_error: Option<String>,
}

impl CloseForm {
    /// Nothing where it can't be closed, or is.
    pub(super) fn new(shown: &Shown, asked: &Asked) -> Option<Self> {
        if shown.is_stopped || shown.closed.is_some() {
            return None;
        }
        let typed = ["code", "from", "to", "election", "cash", "signed", "amends", "amendment"];
        let looked_at = [("committee", asked.committee.to_string()), ("as_of", asked.as_of.seq.to_string())];
        Some(Self {
            hidden: typed.into_iter().map(|name| (name, asked.form.get(name))).chain(looked_at).collect(),
            note: asked.errors.field("note", asked.form.get("note")),
            early: (shown.through >= asked.today).then(|| asked.form.has("early")),
            early_error: asked.errors.of("early"),
        })
    }
}

/// The field that a refusal to close is about; `rest` where it is about none of those that every form for it has.
pub(in crate::web::pages) fn field_of(refusal: &period::Refusal, rest: &'static str) -> &'static str {
    if matches!(refusal, period::Refusal::NotOver { .. }) {
        "early"
    } else if *refusal == period::Refusal::Words {
        "note"
    } else {
        rest
    }
}

/// Where the file of a closed period is.
pub(super) fn file_of(period: PeriodId, reason: &str) -> String {
    let path = format!("/finance/periods/{period}/report.fec");
    if reason.is_empty() {
        return path;
    }
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("reason", reason).finish();
    format!("{path}?{query}")
}

/// The first report of its days, where this one amends it and that was closed here.
fn amended(world: &Projections, committee: CommitteeId, report: &Report) -> Option<PeriodId> {
    let amends = report.amends?;
    let is_it = |period: &period::Period| {
        period.closed.committee == Some(committee)
            && period.filed.as_ref().is_some_and(|(filed, _)| filed.filing == amends.filing)
    };
    world.state.periods.live().find(|(_, period)| is_it(period)).map(|(id, _)| id)
}

/// Closes it as of the event that was looked at.
pub(super) async fn close(State(app): State<App>, staff: Staff, body: Bytes) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let mut asked = Asked::read(&app, Some(String::from_utf8_lossy(&body).into_owned()))?;
    if !csrf_matches(&staff, &asked.form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let Some(filing) = asked_for(&app, &mut asked) else {
        return page(&app, &staff, asked, None, vec![]).await;
    };
    if let Some((period, _)) = filing.closed {
        return Ok(see_other(&format!("/finance/periods/{period}")));
    }
    if findings(&app, &mut asked, &filing).await?.is_none_or(|findings| findings.stops) {
        return page(&app, &staff, asked, Some(filing), vec![]).await;
    }
    let Filing { committee, what: What::Report(report), .. } = &filing else {
        return page(&app, &staff, asked, Some(filing), vec![]).await;
    };
    let first = amended(&app.engine().world(), *committee, report);
    if report.amends.is_some() && first.is_none() {
        asked.errors.add(
            "amends",
            "No period that was closed here was filed under that number: this amendment can be downloaded, not closed.",
        );
        return page(&app, &staff, asked, Some(filing), vec![]).await;
    }
    let seq = asked.as_of.seq;
    let Some(made) = preview(&app, &mut asked, *committee, report, seq).await? else {
        return page(&app, &staff, asked, None, vec![]).await;
    };
    let days = Days { committee: Some(*committee), from: report.from, through: report.through, is_by_gift: true };
    let closed = closing::closing(app.engine(), days, seq, staff.actor(), asked.form.get("note"));
    let closed = closing::reported(closed.map_err(|fault| internal(&fault))?, report, &made, first);
    let close = Close { closed, today: asked.today, is_early: asked.form.has("early") };
    let command = Command::Period(period::Command::Close(Box::new(close)));
    match app.engine().execute(command, fresh_key("close"), &staff.actor()).await {
        Ok(_) => {
            let closed = closing::closed_as(&app.engine().world(), *committee, report).and_then(|filing| filing.closed);
            let (period, _) = closed.ok_or(Problem::NotFound)?;
            Ok(see_other(&format!("/finance/periods/{period}?done=closed")))
        }
        Err(Failure::Refused(Refusal::Period(refusal))) => {
            asked.errors.add(field_of(&refusal, "code"), sentence(&refusal.to_string()));
            page(&app, &staff, asked, Some(filing), vec![]).await
        }
        Err(failure) => Err(failure.into()),
    }
}
