//! `/finance/work`: all that waits for a person of the finance team, the first due first; who has it; and what was done lately.

mod done;
mod named;
mod open;
mod team;
mod words;

use crate::domain::donation::HOLD_NOTE_CHARS_MAX;
use crate::domain::id::PersonId;
use crate::domain::work::{self, Item, Kind};
use crate::domain::{Command, Refusal};
use crate::engine::Failure;
use crate::projections::Projections;
use crate::projections::totals::timezone;
use crate::projections::work::{Waiting, waiting};
use crate::web::form::Form;
use crate::web::problem::{Problem, internal, sentence};
use crate::web::session::{Staff, csrf_matches};
use crate::web::view::{Choice, Layout, StaffRoom};
use crate::web::{App, fresh_key, notice, present, see_other};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use done::DoneLine;
use named::Wanted;
use open::{Line, kinds, lines};
use std::time::Duration;
pub use team::{Hold, Team};

/// Items on the page: each donor's name is read, and nobody sees to more in a sitting.
const LINES_MAX: usize = 100;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/work.html")]
pub struct WorkList {
    /// The frame around the page.
    pub layout: Layout,
    /// How many items are open, whatever is chosen: `12`.
    pub open: String,
    /// How many of them are overdue: `2`; empty where none is.
    pub overdue: String,
    /// Field `kind` of the filter.
    pub kinds: Vec<Choice>,
    /// Field `mine` of the filter.
    pub whose: Vec<Choice>,
    /// What is chosen, as a query: forms send it on, so that they come back to the same list.
    pub query: String,
    /// Where it is sent who has an item.
    pub assign: String,
    /// The list of what was done, or of what is open: the one that is not shown.
    pub other_href: String,
    /// What is open, where that is shown.
    pub lines: Vec<Line>,
    /// What was done, where that is shown.
    pub done: Option<Vec<DoneLine>>,
    /// How many more there are.
    pub more: usize,
    /// Who can have an item.
    pub team: Team,
    /// The most characters of a note.
    pub note_chars_max: usize,
}

/// For how long a page that only counts waits until the ledger was looked through.
const COUNT_MAX: Duration = Duration::from_millis(50);

/// Which part of the list.
#[derive(Clone, Copy, Default)]
struct Filter {
    kind: Option<Kind>,
    mine: bool,
    done: bool,
}

impl Filter {
    fn read(query: &Form) -> Self {
        Self {
            kind: Kind::of_word(&query.get("kind")),
            mine: query.get("mine") == "yes",
            done: query.get("show") == "done",
        }
    }

    fn query(self) -> String {
        let kind = self.kind.map_or("", Kind::word);
        let mine = if self.mine { "yes" } else { "" };
        format!("kind={kind}&mine={mine}{}", if self.done { "&show=done" } else { "" })
    }

    fn takes(self, kind: Kind) -> bool {
        self.kind.is_none_or(|asked| asked == kind)
    }
}

/// A note that was sent and refused.
struct Sent {
    item: Item,
    note: String,
    error: String,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/finance/work", get(show))
        .route("/finance/work/assign", post(assign))
        .route("/finance/work/finish", post(finish))
        .route("/finance/work/reopen", post(reopen))
}

/// How many items wait: `12`, or `3+` where it takes long to look through the ledger for all; empty where none does.
pub(super) async fn count(app: &App) -> String {
    let now = app.engine().clock().now();
    // Whatever fault there is, the list itself tells.
    let looked = tokio::time::timeout(COUNT_MAX, looked(app, now)).await.ok().and_then(Result::ok);
    let more = if looked.is_some() { "" } else { "+" };
    match waiting(&app.engine().world(), looked.unwrap_or_default()).len() {
        0 => String::new(),
        open => present::count(open) + more,
    }
}

/// What only a look through the ledger finds.
async fn looked(app: &App, now: DateTime<Utc>) -> Result<Vec<Waiting>, Problem> {
    let (engine, looked) = (app.engine().clone(), app.looked().clone());
    let waiting = tokio::task::spawn_blocking(move || looked.waiting(&engine, now)).await;
    waiting.map_err(|error| internal(&error))?.map_err(|fault| internal(&fault))
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    page(&app, &staff, &Form::parse(query.unwrap_or_default().as_bytes()), None).await
}

async fn assign(
    State(app): State<App>,
    staff: Staff,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<Response, Problem> {
    let command = |item, form: &Form| {
        let to = form.get("to");
        let to = if to.is_empty() { None } else { Some(to.parse().map_err(|_| Problem::NotFound)?) };
        Ok(work::Command::Assign { item, to })
    };
    decided(&app, staff, query, &body, "assigned", command).await
}

async fn finish(
    State(app): State<App>,
    staff: Staff,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<Response, Problem> {
    let command = |item, form: &Form| Ok(work::Command::Finish { item, note: form.get("note") });
    decided(&app, staff, query, &body, "finished", command).await
}

async fn reopen(
    State(app): State<App>,
    staff: Staff,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<Response, Problem> {
    decided(&app, staff, query, &body, "reopened", |item, _| Ok(work::Command::Reopen { item })).await
}

/// Takes one decision, and comes back to the list that it was taken on.
async fn decided(
    app: &App,
    staff: Staff,
    query: Option<String>,
    body: &[u8],
    done: &str,
    command: impl FnOnce(Item, &Form) -> Result<work::Command, Problem>,
) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(body);
    if !csrf_matches(&staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let kind = Kind::of_word(&form.get("item")).ok_or(Problem::NotFound)?;
    let item = Item { kind, of: form.get("of").into() };
    let command = Command::Work(command(item.clone(), &form)?);
    match app.engine().execute(command, fresh_key(done), &staff.actor()).await {
        Ok(_) => Ok(see_other(
            &back(&form, &item, done)
                .unwrap_or_else(|| format!("/finance/work?{}&done={done}", Filter::read(&query).query())),
        )),
        Err(Failure::Refused(Refusal::Work(refusal @ work::Refusal::Note))) => {
            let (note, error) = (form.get("note"), sentence(&refusal.to_string()));
            page(app, &staff, &query, Some(Sent { item, note, error })).await
        }
        Err(failure) => Err(failure.into()),
    }
}

/// The list of one kind on which it was decided, where it was one of those.
fn back(form: &Form, item: &Item, done: &str) -> Option<String> {
    let list = ["employers", "excess"].into_iter().find(|list| *list == form.get("back"))?;
    let (_, committee) = item.gift()?;
    Some(format!("/finance/{list}?committee={committee}&done={done}#{}", team::anchor(item)))
}

async fn page(app: &App, staff: &Staff, query: &Form, sent: Option<Sent>) -> Result<Response, Problem> {
    let filter = Filter::read(query);
    let now = app.engine().clock().now();
    app.shows(staff, "work", filter.query()).await?;
    let (team, looked) = (Team::of(app, staff), looked(app, now).await?);
    let layout = Layout { notice: notice(query), ..app.staff_layout("Work list", staff, StaffRoom::Finance, None) };
    let (open, overdue, kinds, lines, mut more) = {
        let world = app.engine().world();
        let all = waiting(&world, looked);
        let overdue = all.iter().filter(|one| one.due.is_some_and(|due| due < now)).count();
        let kinds = kinds(&all, filter);
        let (lines, more) =
            if filter.done { (vec![], 0) } else { lines(&world, &all, filter, (staff, &team), sent.as_ref(), now) };
        (all.len(), overdue, kinds, lines, more)
    };
    let mut contacts = app.contacts();
    let named = |wanted: Wanted<Line>| wanted.named(&mut contacts, |line: &mut Line, name| line.who = name);
    let lines = lines.into_iter().map(named).collect();
    let mut finished = None;
    if filter.done {
        let (lines, left) = done_lines(app, filter, staff.id, now, &team).await?;
        (finished, more) = (Some(lines), left);
    }
    let whose = |value: &str, label: &str, selected| Choice { value: value.into(), label: label.into(), selected };
    let page = WorkList {
        layout,
        open: present::count(open),
        overdue: if overdue == 0 { String::new() } else { present::count(overdue) },
        kinds,
        whose: vec![whose("", "Everybody’s", !filter.mine), whose("yes", "Mine", filter.mine)],
        query: filter.query(),
        assign: format!("/finance/work/assign?{}", filter.query()),
        other_href: format!("/finance/work?{}", Filter { done: !filter.done, ..filter }.query()),
        lines,
        done: finished,
        more,
        team,
        note_chars_max: HOLD_NOTE_CHARS_MAX,
    };
    let status = if sent.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, Html(page.render()?)).into_response())
}

async fn done_lines(
    app: &App,
    filter: Filter,
    me: PersonId,
    now: DateTime<Utc>,
    team: &Team,
) -> Result<(Vec<DoneLine>, usize), Problem> {
    let mut wanted = done::lines(&app.engine().world(), |done| filter.takes(done.item.kind), now);
    let mut more = 0;
    // Who did it stands in the log alone: where only some are asked for, all are read.
    if !filter.mine {
        more = wanted.len().saturating_sub(LINES_MAX);
        wanted.truncate(LINES_MAX);
    }
    let (engine, events) = (app.engine().clone(), wanted.iter().map(|(_, events)| events.clone()).collect::<Vec<_>>());
    let told = tokio::task::spawn_blocking(move || {
        let mut lines = engine.lines();
        events.iter().map(|events| done::told(&mut lines, events)).collect::<Result<Vec<_>, _>>()
    });
    let told = told.await.map_err(|error| internal(&error))?.map_err(|fault| internal(&fault))?;
    let mut contacts = app.contacts();
    let line = |((wanted, _), (outcome, by)): ((Wanted<DoneLine>, Vec<u64>), (String, String))| {
        let member = done::staff_of(&by);
        if filter.mine && member != Some(me) {
            return None;
        }
        let line = wanted.named(&mut contacts, |line: &mut DoneLine, name| line.who = name);
        let by = member.map_or_else(|| done::program_of(&by).into(), |member| team.name(member));
        Some(DoneLine { outcome: outcome.trim().into(), by, ..line })
    };
    let lines: Vec<DoneLine> = wanted.into_iter().zip(told).filter_map(line).take(LINES_MAX).collect();
    Ok((lines, more))
}

/// Where times are told: where the newest rally is.
fn zone(world: &Projections) -> Tz {
    let newest = world.state.rallies.iter().max_by_key(|(_, rally)| rally.details.starts_at);
    newest.map_or(Tz::UTC, |(id, _)| timezone(&world.state, id))
}
