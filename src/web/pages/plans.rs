//! `/finance/plans`: recurring gifts, how they stand, and their end by staff.

use super::confirm::Confirm;
use crate::domain::Command;
use crate::domain::id::{PersonId, PlanId};
use crate::domain::money::Money;
use crate::domain::plan::{self, Plan, Standing, Why};
use crate::projections::Projections;
use crate::projections::ledger::ContactAt;
use crate::web::form::Form;
use crate::web::gift::day_in_words;
use crate::web::problem::Problem;
use crate::web::session::{Staff, csrf_matches};
use crate::web::view::{Layout, Notice, StaffRoom};
use crate::web::{App, fresh_key, present, see_other};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use std::collections::BTreeMap;

/// Lines on the page: each donor's name is read from the log.
const LINES_MAX: usize = 200;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/plans.html")]
pub struct RecurringGifts {
    /// The frame around the page.
    pub layout: Layout,
    /// `12 active: $300.00 a month and $40.00 a week.` Empty where none is.
    pub sum: String,
    /// Those that want a look first.
    pub lines: Vec<Line>,
    /// How many more there are.
    pub more: usize,
}

/// One recurring gift.
#[derive(Debug, Clone)]
pub struct Line {
    /// The donor's name.
    pub name: String,
    /// `$25 each month`.
    pub gift: String,
    /// When next; empty where nothing is planned.
    pub next: String,
    /// How it stands.
    pub standing: String,
    /// Gifts so far.
    pub gifts: usize,
    /// Where the form goes that stops it; none where it has ended.
    pub stop: Option<String>,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/finance/plans", get(show)).route("/finance/plans/{id}/stop", post(stop))
}

/// Who waits for somebody comes first, and who has ended last.
fn rank(plan: &Plan) -> u8 {
    match plan.standing() {
        Standing::PastDue { .. } => 0,
        Standing::Active => 1,
        Standing::Paused { .. } => 2,
        Standing::Asked => 3,
        Standing::Ended { .. } => 4,
    }
}

/// How many are charged on their days, and how much each month and week, by currency.
fn sum(world: &Projections) -> String {
    let active = world.state.plans.iter().filter(|(_, plan)| plan.standing() == Standing::Active);
    let (mut count, mut sums) = (0_usize, BTreeMap::<(&str, &str), Money>::new());
    for (_, plan) in active {
        count += 1;
        let nothing = Money::zero(plan.amount.currency);
        let sum = sums.entry((plan.rhythm.every.word(), plan.amount.currency.code())).or_insert(nothing);
        sum.minor = sum.minor.saturating_add(plan.amount.minor);
    }
    if count == 0 {
        return String::new();
    }
    let sums: Vec<String> = sums.iter().map(|((every, _), sum)| format!("{} a {every}", sum.to_exact())).collect();
    format!("{} active: {}.", present::count(count), sums.join(" and "))
}

/// A line, and whose name it wants.
type Wanted = (Line, PersonId, Option<ContactAt>);

fn lines(world: &Projections) -> (Vec<Wanted>, usize) {
    // A form that nobody paid for is no recurring gift yet.
    let mut plans: Vec<(PlanId, &Plan)> =
        world.state.plans.iter().filter(|(_, plan)| plan.standing() != Standing::Asked).collect();
    plans.sort_by_key(|(id, plan)| (rank(plan), plan.next(), *id));
    let more = plans.len().saturating_sub(LINES_MAX);
    let line = |(id, plan): (PlanId, &Plan)| {
        let line = Line {
            name: present::ERASED.into(),
            gift: present::plan::gift(plan),
            next: plan.next().map(day_in_words).unwrap_or_default(),
            standing: present::plan::standing_word(plan),
            gifts: plan.gifts.len(),
            stop: (!plan.is_over()).then(|| format!("/finance/plans/{id}/stop")),
        };
        let first = plan.gifts.first().and_then(|gift| world.ledger.pledge(gift.donation));
        (line, plan.donor, first.map(|pledge| pledge.contact))
    };
    (plans.into_iter().take(LINES_MAX).map(line).collect(), more)
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let (wanted, more, sum) = {
        let world = app.engine().world();
        let (wanted, more) = lines(&world);
        (wanted, more, sum(&world))
    };
    if !wanted.is_empty() {
        app.shows(&staff, "plans", String::new()).await?;
    }
    let mut contacts = app.contacts();
    let lines: Vec<Line> = wanted
        .into_iter()
        .map(|(line, donor, at)| {
            let contact = at.and_then(|at| contacts.shown(donor, at));
            let name = contact.map(|contact| format!("{} {}", contact.first_name, contact.last_name));
            Line { name: name.unwrap_or(line.name), ..line }
        })
        .collect();
    let stopped = query.get("done") == "stopped";
    let notice =
        stopped.then(|| Notice { text: "Stopped. Nothing more is charged, and the donor is told.".into(), bad: false });
    let page = RecurringGifts {
        layout: Layout { notice, ..app.staff_layout("Recurring gifts", &staff, StaffRoom::Finance, None) },
        sum,
        lines,
        more,
    };
    Ok(Html(page.render()?).into_response())
}

/// Asks first, then stops one.
async fn stop(State(app): State<App>, staff: Staff, Path(id): Path<String>, body: Bytes) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(&body);
    if !csrf_matches(&staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let id: PlanId = id.parse().map_err(|_| Problem::NotFound)?;
    let plan = app.engine().world().state.plans.get(id).cloned().ok_or(Problem::NotFound)?;
    if form.has("sure") {
        let command = Command::Plan(plan::Command::End { plan: id, why: Why::Staff });
        app.engine().execute(command, fresh_key("stop-plan"), &staff.actor()).await?;
        return Ok(see_other("/finance/plans?done=stopped"));
    }
    let page = Confirm {
        layout: app.staff_layout("Stop a recurring gift", &staff, StaffRoom::Finance, None),
        question: format!("Stop {}?", present::plan::gift(&plan)),
        consequences: vec![
            "Nothing more is charged. What was given stays given; to give it back, refund each gift.".into(),
            "The donor is told by mail, where mail is on. This can’t be undone: they can give again.".into(),
        ],
        action: format!("/finance/plans/{id}/stop"),
        fields: vec![("sure".into(), "yes".into())],
        button: "Stop it".into(),
        cancel_href: "/finance/plans".into(),
    };
    Ok(Html(page.render()?).into_response())
}
