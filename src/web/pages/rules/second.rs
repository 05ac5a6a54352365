//! `POST /finance/rules/refunds`: above which sum a second person approves refunds. An owner's form, of the whole campaign.

use super::{Typed, page};
use crate::domain::id::CommitteeId;
use crate::domain::refund;
use crate::domain::staff::Role;
use crate::domain::{Command, Refusal};
use crate::engine::Failure;
use crate::projections::Projections;
use crate::web::form::Form;
use crate::web::pages::refunds::rule_in_words;
use crate::web::problem::{Problem, sentence};
use crate::web::session::{Staff, csrf_matches};
use crate::web::view::Field;
use crate::web::{App, fresh_key, see_other};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// The rule as the page shows it.
#[derive(Debug, Clone)]
pub struct SecondPerson {
    /// What holds now, in a sentence.
    pub rule: String,
    /// Field `above`; absent for who may not change it.
    pub above: Option<Field>,
}

impl SecondPerson {
    /// As it is, or as somebody typed it where that was refused.
    pub(super) fn new(world: &Projections, staff: &Staff, typed: Option<Field>) -> Self {
        let above = world.state.refunds.above_major.map(|above| above.to_string()).unwrap_or_default();
        let field = typed.unwrap_or(Field { value: above, error: None });
        Self { rule: rule_in_words(world), above: (staff.role == Role::Owner).then_some(field) }
    }
}

/// Sets it.
pub(super) async fn save(State(app): State<App>, staff: Staff, body: Bytes) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(&body);
    if !csrf_matches(&staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let typed = form.get("above");
    let again = |refusal: &refund::Refusal| {
        let rules = app.engine().world().state.committees.rules(CommitteeId::FIRST);
        let field = Field { value: typed.clone(), error: Some(sentence(&refusal.to_string())) };
        let page = page(&app, &staff, Typed::of(CommitteeId::FIRST, &rules), vec![], None, Some(field))?;
        Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
    };
    let digits = typed.trim_start_matches('$').replace(',', "");
    let above_major = if digits.is_empty() { Ok(None) } else { digits.parse().map(Some) };
    let Ok(above_major) = above_major else { return again(&refund::Refusal::RuleSum) };
    let command = Command::Refund(refund::Command::SetRule { above_major, by: staff.id });
    match app.engine().execute(command, fresh_key("refund-rule"), &staff.actor()).await {
        Ok(_) => Ok(see_other("/finance/rules?done=refund-rule")),
        Err(Failure::Refused(Refusal::Refund(refusal @ refund::Refusal::RuleSum))) => again(&refusal),
        Err(failure) => Err(failure.into()),
    }
}
