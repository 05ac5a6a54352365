//! `/finance/work`: all that waits for a person of the finance team, the first due first; who has it; and what was done lately.

mod done;
mod words;

use super::home::day_in_words;
use crate::domain::donation::HOLD_NOTE_CHARS_MAX;
use crate::domain::id::{DonationId, PersonId};
use crate::domain::sealed::Sealed;
use crate::domain::work::{self, Item, Kind};
use crate::domain::{Command, Refusal};
use crate::engine::Failure;
use crate::projections::Projections;
use crate::projections::ledger::ContactAt;
use crate::projections::totals::timezone;
use crate::projections::work::{Waiting, waiting};
use crate::report::contacts::Contacts;
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
use std::collections::BTreeMap;

/// Items on the page: each donor's name is read, and nobody sees to more in a sitting.
const LINES_MAX: usize = 100;
/// Accounts to which an item can be given: each line has them all to choose from.
const STAFF_MAX: usize = 50;

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
    /// The list of what was done, or of what is open: the one that is not shown.
    pub other_href: String,
    /// What is open, where that is shown.
    pub lines: Vec<Line>,
    /// What was done, where that is shown.
    pub done: Option<Vec<DoneLine>>,
    /// How many more there are.
    pub more: usize,
    /// Whoever looks, for the form by which they take an item.
    pub me: String,
    /// Other accounts that see money: value and name.
    pub staff: Vec<Choice>,
    /// The most characters of a note.
    pub note_chars_max: usize,
}

/// Something that waits.
#[derive(Debug, Clone)]
pub struct Line {
    /// Of which kind.
    pub kind: &'static str,
    /// For forms: the kind.
    pub kind_word: &'static str,
    /// For forms: what it is about.
    pub of: String,
    /// What is to be done.
    pub what: String,
    /// Where.
    pub href: String,
    /// Whom it is about.
    pub who: String,
    /// Until which day; empty where nobody has told.
    pub due: String,
    /// Until what time on it.
    pub due_time: String,
    /// The same as RFC 3339.
    pub due_iso: String,
    /// Whether that is over.
    pub is_overdue: bool,
    /// Who has it; empty where nobody has.
    pub to: String,
    /// Whether that is who looks.
    pub is_mine: bool,
    /// Whether a person says that it is done.
    pub is_said: bool,
    /// What was typed as a note, where that was refused.
    pub note: String,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// A line, and whose name it wants.
struct Wanted<Of> {
    line: Of,
    whose: Option<(PersonId, ContactAt)>,
}

impl<Of> Wanted<Of> {
    fn new(world: &Projections, line: Of, donation: Option<DonationId>) -> Self {
        let whose =
            donation.and_then(|id| Some((world.state.donations.get(id)?.donor, world.ledger.pledge(id)?.contact)));
        Self { line, whose }
    }

    /// The line with that name, where it wants one.
    fn named(self, contacts: &mut Contacts, put: impl FnOnce(&mut Of, String)) -> Of {
        let Self { mut line, whose } = self;
        if let Some((donor, at)) = whose {
            let contact = contacts.shown(donor, at);
            let name = contact.map(|contact| format!("{} {}", contact.first_name, contact.last_name));
            put(&mut line, name.unwrap_or_else(|| present::ERASED.into()));
        }
        line
    }
}

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

/// How many items wait.
pub fn count(world: &Projections) -> usize {
    waiting(world).len()
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
        Ok(_) => Ok(see_other(&format!("/finance/work?{}&done={done}", Filter::read(&query).query()))),
        Err(Failure::Refused(Refusal::Work(refusal @ work::Refusal::Note))) => {
            let (note, error) = (form.get("note"), sentence(&refusal.to_string()));
            page(app, &staff, &query, Some(Sent { item, note, error })).await
        }
        Err(failure) => Err(failure.into()),
    }
}

async fn page(app: &App, staff: &Staff, query: &Form, sent: Option<Sent>) -> Result<Response, Problem> {
    let filter = Filter::read(query);
    let now = app.engine().clock().now();
    app.shows(staff, "work", filter.query()).await?;
    let names = Names::of(app);
    let layout = Layout { notice: notice(query), ..app.staff_layout("Work list", staff, StaffRoom::Finance, None) };
    let (open, overdue, kinds, lines, mut more) = {
        let world = app.engine().world();
        let all = waiting(&world);
        let overdue = all.iter().filter(|one| one.due.is_some_and(|due| due < now)).count();
        let kinds = kinds(&all, filter);
        let (lines, more) =
            if filter.done { (vec![], 0) } else { lines(&world, &all, filter, staff, sent.as_ref(), now) };
        (all.len(), overdue, kinds, lines, more)
    };
    let mut contacts = app.contacts();
    let named = |(wanted, to): (Wanted<Line>, Option<PersonId>)| {
        let line = wanted.named(&mut contacts, |line: &mut Line, name| line.who = name);
        Line { to: to.map(|to| names.name(to)).unwrap_or_default(), ..line }
    };
    let lines = lines.into_iter().map(named).collect();
    let mut finished = None;
    if filter.done {
        let (lines, left) = done_lines(app, filter, staff.id, now, &names).await?;
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
        other_href: format!("/finance/work?{}", Filter { done: !filter.done, ..filter }.query()),
        lines,
        done: finished,
        more,
        me: staff.id.to_string(),
        staff: names.choices(staff.id),
        note_chars_max: HOLD_NOTE_CHARS_MAX,
    };
    let status = if sent.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, Html(page.render()?)).into_response())
}

/// The kinds to choose from, with how many of each are open.
fn kinds(all: &[Waiting], filter: Filter) -> Vec<Choice> {
    let choice = |kind: Kind| {
        let open = all.iter().filter(|one| one.item.kind == kind).count();
        let label = format!("{} ({})", words::name(kind).1, present::count(open));
        Choice { value: kind.word().into(), label, selected: filter.kind == Some(kind) }
    };
    let every = Choice { value: String::new(), label: "Every kind".into(), selected: filter.kind.is_none() };
    std::iter::once(every).chain(Kind::ALL.map(choice)).collect()
}

/// The first of what is open and asked for, with who has each; what was sent and refused before all.
fn lines(
    world: &Projections,
    all: &[Waiting],
    filter: Filter,
    staff: &Staff,
    sent: Option<&Sent>,
    now: DateTime<Utc>,
) -> (Vec<(Wanted<Line>, Option<PersonId>)>, usize) {
    let zone = zone(world);
    let to = |item: &Item| world.state.work.standing(item).to;
    let is_asked = |one: &&Waiting| filter.takes(one.item.kind) && (!filter.mine || to(&one.item) == Some(staff.id));
    let mut asked: Vec<&Waiting> = all.iter().filter(is_asked).collect();
    let is_sent = |one: &Waiting| sent.is_some_and(|sent| sent.item == one.item);
    asked.sort_by_key(|one| !is_sent(one));
    let more = asked.len().saturating_sub(LINES_MAX);
    let line = |one: &Waiting| {
        let (said, sent, to) = (words::words(world, &one.item), sent.filter(|_| is_sent(one)), to(&one.item));
        let line = Line {
            kind: words::name(one.item.kind).0,
            kind_word: one.item.kind.word(),
            of: one.item.of.to_string(),
            what: said.what,
            href: said.href,
            who: words::about_nobody(one.item.kind).into(),
            due: one.due.map(|due| day_in_words(due, zone)).unwrap_or_default(),
            due_time: one.due.map(|due| present::time(due, zone)).unwrap_or_default(),
            due_iso: one.due.map(present::iso).unwrap_or_default(),
            is_overdue: one.due.is_some_and(|due| due < now),
            to: String::new(),
            is_mine: to == Some(staff.id),
            is_said: one.item.kind.is_said(),
            note: sent.map(|sent| sent.note.clone()).unwrap_or_default(),
            error: sent.map(|sent| sent.error.clone()),
        };
        (Wanted::new(world, line, one.donation), to)
    };
    (asked.into_iter().take(LINES_MAX).map(line).collect(), more)
}

async fn done_lines(
    app: &App,
    filter: Filter,
    me: PersonId,
    now: DateTime<Utc>,
    names: &Names,
) -> Result<(Vec<DoneLine>, usize), Problem> {
    let mut wanted = done::lines(&app.engine().world(), |done| filter.takes(done.item.kind), now);
    let mut more = 0;
    // Who did it stands in the log alone: where only some are asked for, all are read.
    if !filter.mine {
        more = wanted.len().saturating_sub(LINES_MAX);
        wanted.truncate(LINES_MAX);
    }
    let (engine, seqs) = (app.engine().clone(), wanted.iter().map(|(_, seq)| *seq).collect::<Vec<_>>());
    let told = tokio::task::spawn_blocking(move || {
        let mut lines = engine.lines();
        seqs.into_iter().map(|seq| done::told(&mut lines, seq)).collect::<Result<Vec<_>, _>>()
    });
    let told = told.await.map_err(|error| internal(&error))?.map_err(|fault| internal(&fault))?;
    let mut contacts = app.contacts();
    let line = |((wanted, _), (outcome, by)): ((Wanted<DoneLine>, u64), (String, String))| {
        let member = done::staff_of(&by);
        if filter.mine && member != Some(me) {
            return None;
        }
        let line = wanted.named(&mut contacts, |line: &mut DoneLine, name| line.who = name);
        let by = member.map_or_else(|| done::program_of(&by).into(), |member| names.name(member));
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

/// The names of those who see money.
struct Names(BTreeMap<PersonId, String>);

impl Names {
    fn of(app: &App) -> Self {
        let sealed: Vec<(PersonId, Sealed)> = {
            let world = app.engine().world();
            let staff = world.state.staff.iter().filter(|(_, member)| member.role.sees_money());
            staff.map(|(id, member)| (*id, member.account.clone())).collect()
        };
        let open = |(id, account): (PersonId, Sealed)| Some((id, app.open_account(id, &account)?.name));
        Self(sealed.into_iter().filter_map(open).collect())
    }

    fn name(&self, who: PersonId) -> String {
        self.0.get(&who).cloned().unwrap_or_else(|| "Somebody whose account is gone".into())
    }

    /// Whom an item can be given to, by name; `me` is chosen by a button.
    fn choices(&self, me: PersonId) -> Vec<Choice> {
        let others = self.0.iter().filter(|(id, _)| **id != me);
        let choice =
            |(id, name): (&PersonId, &String)| Choice { value: id.to_string(), label: name.clone(), selected: false };
        let mut choices: Vec<Choice> = others.map(choice).collect();
        choices.sort_by_key(|choice| choice.label.to_lowercase());
        choices.truncate(STAFF_MAX);
        choices
    }
}
