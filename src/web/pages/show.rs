//! `/host/r/{slug}/show`: the run of show is planned here, and gone through from the studio.

use askama::Template;

use crate::domain::Command;
use crate::domain::id::{ItemId, RallyId, SourceId};
use crate::domain::rally::{Phase, Rally};
use crate::domain::show::{self, Item, Kind, Plan};
use crate::engine::Failure;
use crate::projections::totals::timezone;
use crate::web::form::Form;
use crate::web::problem::Problem;
use crate::web::session::{Staff, host_form};
use crate::web::view::{Choice, Layout, Notice, StaffRoom};
use crate::web::{App, fresh_key, notice, present, see_other};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

/// An item's own time that lies longer than this before the rally's start is meant for the night after it.
const BEFORE_START_MAX: TimeDelta = TimeDelta::hours(6);

/// The page on which the run is planned.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/show.html")]
pub struct ShowPage {
    /// The frame around the page.
    pub layout: Layout,
    /// The page's own address; every form on it is sent to an address below it.
    pub href: String,
    /// The studio.
    pub studio_href: String,
    /// The rally's title.
    pub rally_title: String,
    /// The items, in order.
    pub items: Vec<PlannedItem>,
    /// What stands in the form for another.
    pub more: PlanForm,
    /// `7:30 to 9:04 pm EDT`, or empty.
    pub span: String,
    /// Whether there is room for another item.
    pub can_add: bool,
}

/// One item with its form.
#[derive(Debug, Clone)]
pub struct PlannedItem {
    /// Its id.
    pub id: String,
    /// When it is planned to begin: `8:21`.
    pub time: String,
    /// Its title, as it is kept.
    pub title: String,
    /// `speaker`, `ask`, and how long.
    pub about: String,
    /// Whether it is on now.
    pub is_on: bool,
    /// Whether it is the first or the last.
    pub is_first: bool,
    /// See `is_first`.
    pub is_last: bool,
    /// Whether its form stands open: what was typed was refused.
    pub is_open: bool,
    /// What stands in its form.
    pub form: PlanForm,
}

/// What stands in the form of an item.
#[derive(Debug, Clone)]
pub struct PlanForm {
    /// Field `what`: speakers, clips and the rest.
    pub what: Vec<Choice>,
    /// Field `title`.
    pub title: String,
    /// Field `minutes`.
    pub minutes: String,
    /// Field `seconds`.
    pub seconds: String,
    /// Field `starts`, `20:30` or empty.
    pub starts: String,
    /// Box `cuts`.
    pub cuts: bool,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/host/r/{slug}/show", get(show))
        .route("/host/r/{slug}/show/go", post(go))
        .route("/host/r/{slug}/show/items", post(add))
        .route("/host/r/{slug}/show/items/{item}", post(change))
}

async fn show(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let staff = staff.hosts()?;
    let said = notice(&Form::parse(query.unwrap_or_default().as_bytes()));
    page(&app, &staff, &slug, said, None, StatusCode::OK)
}

/// The page; `typed` is a form that was refused, of an item or of a new one.
fn page(
    app: &App,
    staff: &Staff,
    slug: &str,
    said: Option<Notice>,
    typed: Option<(Option<ItemId>, &Form)>,
    status: StatusCode,
) -> Result<Response, Problem> {
    let (id, rally) = app.rally(slug)?;
    let html = {
        let world = app.engine().world();
        let details = &rally.details;
        let zone = timezone(&world.state, id);
        let items: &[Item] = world.state.shows.get(id).map_or(&[], |show| &show.items);
        let current = world.state.shows.get(id).and_then(|show| show.current()).map(|held| held.item);
        let planned = world.state.shows.get(id).map(|show| show.planned_starts(details.starts_at)).unwrap_or_default();
        let count = items.len();
        let rows = items.iter().zip(&planned).enumerate().map(|(at, (held, starts))| {
            let refused = typed.filter(|(item, _)| *item == Some(held.item));
            PlannedItem {
                id: held.item.to_string(),
                time: starts.with_timezone(&zone).format("%-I:%M").to_string(),
                title: held.plan.title.clone(),
                about: about(&rally, &held.plan),
                is_on: current == Some(held.item),
                is_first: at == 0,
                is_last: at.saturating_add(1) == count,
                is_open: refused.is_some(),
                form: refused.map_or_else(|| kept(&rally, &held.plan, zone), |(_, form)| as_typed(&rally, form)),
            }
        });
        let end = items.last().zip(planned.last()).and_then(|(held, at)| at.checked_add_signed(held.plan.length()));
        let words = |at: DateTime<Utc>| present::time(at, zone);
        let span = planned.first().zip(end).map(|(from, to)| format!("{} to {}", words(*from), words(to)));
        let new = typed.filter(|(item, _)| item.is_none());
        let mut layout =
            app.staff_layout(&format!("Run of show: {}", details.title), staff, StaffRoom::Host, Some(details));
        layout.notice = said;
        let page = ShowPage {
            layout,
            href: format!("/host/r/{}/show", details.slug),
            studio_href: format!("/host/r/{}", details.slug),
            rally_title: details.title.clone(),
            items: rows.collect(),
            more: new.map_or_else(|| fresh(&rally, items), |(_, form)| as_typed(&rally, form)),
            span: span.unwrap_or_default(),
            can_add: count < show::ITEMS_MAX && !matches!(rally.phase, Phase::Ended { .. }),
        };
        page.render()?
    };
    Ok((status, Html(html)).into_response())
}

/// `speaker · Ama Boateng · 7:00 · the picture stays`.
fn about(rally: &Rally, plan: &Plan) -> String {
    let mut words = vec![present::run::kind(plan.kind).to_owned()];
    let name = plan.source.and_then(|source| rally.source_name(source));
    words.extend(name.filter(|name| *name != plan.title).map(str::to_owned));
    words.push(present::run::length(plan.planned_s.into()));
    if !plan.cuts && matches!(plan.kind, Kind::Speaker | Kind::Clip | Kind::Break) {
        words.push("the picture stays".into());
    }
    words.join(" · ")
}

/// What can stand at a place of the run; a speaker's name may stand without a picture.
fn choices(rally: &Rally, chosen: &str) -> Vec<Choice> {
    let choice = |value: String, label: String| Choice { selected: value == chosen, value, label };
    let speakers =
        rally.speakers.iter().map(|speaker| choice(format!("speaker:{}", speaker.source), speaker.name.clone()));
    let clips = rally.clips.iter().map(|clip| choice(format!("clip:{}", clip.source), clip.title.clone()));
    let rest = [
        ("ask", "Ask for donations"),
        ("poll", "Poll"),
        ("break", "Break: the slate stands"),
        ("speaker:", "Somebody without a picture of their own"),
    ];
    let rest = rest.map(|(value, label)| choice(value.into(), label.into()));
    let mut all: Vec<Choice> = speakers.chain(clips).chain(rest).collect();
    if !all.iter().any(|choice| choice.selected) && !chosen.is_empty() {
        // What is planned may have been removed from the rally since.
        all.push(Choice { value: chosen.to_owned(), label: "(as planned)".into(), selected: true });
    }
    all
}

fn value_of(plan: &Plan) -> String {
    match (plan.kind, plan.source) {
        (Kind::Speaker | Kind::Clip, Some(source)) => format!("{}:{source}", present::run::kind(plan.kind)),
        (Kind::Speaker | Kind::Clip, None) => format!("{}:", present::run::kind(plan.kind)),
        (Kind::Ask | Kind::Poll | Kind::Break, _) => present::run::kind(plan.kind).into(),
    }
}

fn kept(rally: &Rally, plan: &Plan, zone: Tz) -> PlanForm {
    let starts = plan.starts_at.map(|at| at.with_timezone(&zone).format("%H:%M").to_string());
    PlanForm {
        what: choices(rally, &value_of(plan)),
        title: plan.title.clone(),
        minutes: (plan.planned_s / 60).to_string(),
        seconds: (plan.planned_s % 60).to_string(),
        starts: starts.unwrap_or_default(),
        cuts: plan.cuts,
    }
}

fn as_typed(rally: &Rally, form: &Form) -> PlanForm {
    PlanForm {
        what: choices(rally, &form.get("what")),
        title: form.get("title"),
        minutes: form.get("minutes"),
        seconds: form.get("seconds"),
        starts: form.get("starts"),
        cuts: form.has("cuts"),
    }
}

/// The form for one more: the first speaker who has no place yet.
fn fresh(rally: &Rally, items: &[Item]) -> PlanForm {
    let has_place = |source: SourceId| items.iter().any(|held| held.plan.source == Some(source));
    let next = rally.speakers.iter().find(|speaker| !has_place(speaker.source));
    let chosen = next.map_or_else(|| "ask".into(), |speaker| format!("speaker:{}", speaker.source));
    PlanForm {
        what: choices(rally, &chosen),
        title: String::new(),
        minutes: "10".into(),
        seconds: "0".into(),
        starts: String::new(),
        cuts: true,
    }
}

/// What a form plans.
fn read(form: &Form, rally: &Rally, zone: Tz) -> Result<Plan, String> {
    let what = form.get("what");
    let (kind, source) = what.split_once(':').unwrap_or((&what, ""));
    let kind = match kind {
        "speaker" => Kind::Speaker,
        "clip" => Kind::Clip,
        "ask" => Kind::Ask,
        "poll" => Kind::Poll,
        "break" => Kind::Break,
        _ => return Err("Choose what stands at this place.".into()),
    };
    let source: Option<SourceId> = match source {
        "" => None,
        id => Some(id.parse().map_err(|_| "Choose what stands at this place.".to_owned())?),
    };
    let default = match kind {
        Kind::Ask => "Ask for donations",
        Kind::Poll => "Poll",
        Kind::Break => "Break",
        Kind::Speaker | Kind::Clip => source.and_then(|source| rally.source_name(source)).unwrap_or_default(),
    };
    let title = Some(form.get("title")).filter(|title| !title.is_empty()).unwrap_or_else(|| default.into());
    let number = |name: &str| match form.get(name).as_str() {
        "" => Some(0),
        typed => typed.parse::<u32>().ok(),
    };
    let seconds = number("minutes").zip(number("seconds").filter(|seconds| *seconds < 60));
    let planned_s = seconds.and_then(|(minutes, seconds)| minutes.checked_mul(60)?.checked_add(seconds));
    let planned_s = planned_s.ok_or("Write the length in minutes and seconds, such as 10 and 0.")?;
    let starts_at = match form.get("starts").as_str() {
        "" => None,
        typed => Some(own_start(typed, rally.details.starts_at, zone).ok_or("Write a time such as 20:30, or none.")?),
    };
    Ok(Plan { kind, title, source, planned_s, starts_at, cuts: form.has("cuts") })
}

/// The instant at which a clock shows `typed` during the rally.
fn own_start(typed: &str, starts_at: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
    let time =
        NaiveTime::parse_from_str(typed, "%H:%M").or_else(|_| NaiveTime::parse_from_str(typed, "%H:%M:%S")).ok()?;
    let day = starts_at.with_timezone(&zone).date_naive();
    let on = |day: chrono::NaiveDate| Some(day.and_time(time).and_local_timezone(zone).earliest()?.with_timezone(&Utc));
    let at = on(day)?;
    if starts_at.signed_duration_since(at) > BEFORE_START_MAX {
        on(day.checked_add_days(Days::new(1))?)
    } else {
        Some(at)
    }
}

async fn add(State(app): State<App>, staff: Staff, Path(slug): Path<String>, body: Bytes) -> Result<Response, Problem> {
    let (staff, form, rally) = host_form(&app, staff, &slug, &body)?;
    let item = ItemId(Uuid::now_v7());
    let command = plan_of(&app, &slug, rally, &form).map(|plan| show::Command::Add { rally, item, plan });
    tell(&app, &staff, &slug, command, (None, &form), "?done=item#more").await
}

fn plan_of(app: &App, slug: &str, id: RallyId, form: &Form) -> Result<Plan, String> {
    let (_, rally) = app.rally(slug).map_err(|_| "The rally is gone.".to_owned())?;
    read(form, &rally, timezone(&app.engine().world().state, id))
}

async fn change(
    State(app): State<App>,
    staff: Staff,
    Path((slug, item)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (staff, form, rally) = host_form(&app, staff, &slug, &body)?;
    let item: ItemId = item.parse().map_err(|_| Problem::NotFound)?;
    let position = {
        let world = app.engine().world();
        let items = world.state.shows.get(rally).map(|show| show.items.iter().position(|held| held.item == item));
        u32::try_from(items.flatten().unwrap_or(0)).unwrap_or(0)
    };
    let back = format!("#item-{item}");
    let (command, back) = match form.get("do").as_str() {
        "save" => (plan_of(&app, &slug, rally, &form).map(|plan| show::Command::Revise { rally, item, plan }), back),
        "up" => (Ok(show::Command::Move { rally, item, position: position.saturating_sub(1) }), back),
        "down" => (Ok(show::Command::Move { rally, item, position: position.saturating_add(1) }), back),
        "remove" => (Ok(show::Command::Remove { rally, item }), "?done=item-removed".into()),
        _ => return Err(Problem::Malformed("the form says nothing that can be done".into())),
    };
    tell(&app, &staff, &slug, command, (Some(item), &form), &back).await
}

/// Submits, and shows the page again with what was typed where that is refused.
async fn tell(
    app: &App,
    staff: &Staff,
    slug: &str,
    command: Result<show::Command, String>,
    typed: (Option<ItemId>, &Form),
    back: &str,
) -> Result<Response, Problem> {
    let outcome = match command {
        Ok(command) => app.engine().execute(Command::Show(command), fresh_key("show"), &staff.actor()).await,
        Err(words) => return refused(app, staff, slug, words, typed),
    };
    match outcome {
        Ok(_) => Ok(see_other(&format!("/host/r/{slug}/show{back}"))),
        Err(Failure::Refused(refusal)) => refused(app, staff, slug, sentence(&refusal.to_string()), typed),
        Err(failure) => Err(failure.into()),
    }
}

fn refused(
    app: &App,
    staff: &Staff,
    slug: &str,
    text: String,
    typed: (Option<ItemId>, &Form),
) -> Result<Response, Problem> {
    let said = Some(Notice { text, bad: true });
    page(app, staff, slug, said, Some(typed), StatusCode::UNPROCESSABLE_ENTITY)
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| format!("{}{}.", first.to_uppercase(), letters.as_str())).unwrap_or_default()
}

/// The studio's buttons: go to an item, end the last, take the last turn back.
async fn go(State(app): State<App>, staff: Staff, Path(slug): Path<String>, body: Bytes) -> Result<Response, Problem> {
    let (staff, form, rally) = host_form(&app, staff, &slug, &body)?;
    let action = form.get("do");
    let malformed = || Problem::Malformed("that is not an item of this run".into());
    let (verb, id) = action.split_once(':').ok_or_else(malformed)?;
    let item = |id: &str| id.parse::<ItemId>().map_err(|_| malformed());
    let command = match (verb, id) {
        ("start", id) => show::Command::Start { rally, item: item(id)? },
        ("stop", id) => show::Command::Stop { rally, item: item(id)? },
        ("undo", "") => show::Command::Undo { rally, item: None },
        ("undo", id) => show::Command::Undo { rally, item: Some(item(id)?) },
        _ => return Err(malformed()),
    };
    app.engine().execute(Command::Show(command), fresh_key("show"), &staff.actor()).await?;
    Ok(see_other(&format!("/host/r/{slug}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_time_is_of_the_evening_or_of_the_night_after_it() {
        let zone: Tz = "America/New_York".parse().unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let starts = at("2031-07-25T23:30:00Z");
        let own = |typed: &str| own_start(typed, starts, zone);
        assert_eq!(own("20:30"), Some(at("2031-07-26T00:30:00Z")));
        assert_eq!(own("19:00"), Some(at("2031-07-25T23:00:00Z")), "half an hour before the doors");
        assert_eq!(own("00:30"), Some(at("2031-07-26T04:30:00Z")), "after midnight");
        assert_eq!(own("25:00"), None);
        assert_eq!(own("half past"), None);
    }
}
