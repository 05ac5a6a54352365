//! `/host/r/{slug}/goals`: stretch goals, goals of single speakers, and sponsors who match gifts.

use crate::clock;
use crate::domain::Refusal;
use crate::domain::drive::{Command, GOAL_CHARS_MAX, GOALS_MAX, Goal, Matching, SPONSOR_CHARS_MAX};
use crate::domain::id::{MatchId, RallyId, SourceId};
use crate::domain::money::Money;
use crate::domain::rally::Rally;
use crate::engine::Failure;
use crate::web::form::{Errors, Form};
use crate::web::problem::{Problem, sentence};
use crate::web::session::{Staff, host_form};
use crate::web::view::{Choice, Field, FormError, Layout, Notice, StaffRoom};
use crate::web::{App, fresh_key, present, see_other};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, NaiveDateTime, Utc};
use uuid::Uuid;

/// Empty lines below the goals.
const LINES_SPARE: usize = 2;
/// How a browser writes a day and a time in one field.
const LOCAL: &str = "%Y-%m-%dT%H:%M";

/// Goals and matches.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/goals.html")]
pub struct GoalsPage {
    /// The frame around the page.
    pub layout: Layout,
    /// The studio; the forms are sent below it.
    pub studio_href: String,
    /// The rally's title.
    pub title: String,
    /// The sign before an amount: `$`.
    pub symbol: String,
    /// The rally's time zone: `America/New York`.
    pub zone: String,
    /// What is wrong with the goals, when they were refused.
    pub goal_errors: Vec<String>,
    /// A line a goal, with empty ones at the end.
    pub goals: Vec<GoalLine>,
    /// The most characters a goal's name may have.
    pub goal_chars_max: usize,
    /// The promises there are.
    pub matches: Vec<MatchLine>,
    /// What is wrong with the match, when it was refused.
    pub errors: Vec<FormError>,
    /// The match that is changed; empty for a new one.
    pub id: String,
    /// Field `sponsor`.
    pub sponsor: Field,
    /// The most characters of it.
    pub sponsor_chars_max: usize,
    /// Field `percent`.
    pub percent: Field,
    /// Field `most`.
    pub most: Field,
    /// Field `from`: `2028-07-25T19:30`, where the rally is.
    pub from: Field,
    /// Field `until`.
    pub until: Field,
}

/// One goal as it is typed.
#[derive(Debug, Clone, Default)]
pub struct GoalLine {
    /// Field `goal_name_N`.
    pub name: String,
    /// Field `goal_amount_N`.
    pub amount: String,
    /// Field `goal_speaker_N`: everybody, or one speaker.
    pub speakers: Vec<Choice>,
}

/// A sponsor's promise as staff read it.
#[derive(Debug, Clone)]
pub struct MatchLine {
    /// For the forms.
    pub id: String,
    /// Who.
    pub sponsor: String,
    /// `100 % up to $100,000, from July 25, 8:00 pm EDT until July 25, 9:00 pm EDT`.
    pub terms: String,
    /// What it comes to so far: `$42,310`.
    pub added: String,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/host/r/{slug}/goals", get(show).post(save_goals))
        .route("/host/r/{slug}/goals/match", post(save_match))
        .route("/host/r/{slug}/goals/withdraw", post(withdraw))
}

/// What is shown in the page's two forms.
#[derive(Default)]
struct Typed {
    goals: Vec<(String, String, String)>,
    goal_errors: Vec<String>,
    matching: Form,
    errors: Errors,
}

async fn show(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let staff = staff.hosts()?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let (id, rally) = app.rally(&slug)?;
    let typed =
        Typed { goals: goals_of(&app, id, &rally), matching: match_of(&app, id, &rally, &query), ..Typed::default() };
    let notice = match query.get("done").as_str() {
        "goals" => Some("The goals are saved."),
        "match" => Some("The match is saved: it stands on the rally’s page and on the form."),
        "withdrawn" => Some("The match is withdrawn."),
        _ => None,
    };
    let notice = notice.map(|text| Notice { text: text.into(), bad: false });
    page(&app, &staff, id, &rally, typed, notice, StatusCode::OK)
}

/// The goals there are, as text.
fn goals_of(app: &App, id: RallyId, rally: &Rally) -> Vec<(String, String, String)> {
    let world = app.engine().world();
    let goals = world.state.drives.of(id).map(|drive| drive.goals.clone()).unwrap_or_default();
    let text = |goal: Goal| {
        let amount = present::typed(Money::new(goal.minor, rally.details.currency));
        (goal.name, amount, goal.speaker.map(|speaker| speaker.to_string()).unwrap_or_default())
    };
    goals.into_iter().map(text).collect()
}

/// The match that is to be changed, as text; a new one begins now and doubles.
fn match_of(app: &App, id: RallyId, rally: &Rally, query: &Form) -> Form {
    let zone = rally.details.zone();
    let local = |at: DateTime<Utc>| at.with_timezone(&zone).format(LOCAL).to_string();
    let asked = query.get("match").parse::<MatchId>().ok();
    let world = app.engine().world();
    let known = asked.and_then(|asked| Some((asked, world.state.drives.matching(id, asked)?.clone())));
    match known {
        Some((id, matching)) => Form::from_pairs([
            ("match", id.to_string()),
            ("sponsor", matching.sponsor),
            ("percent", matching.percent.to_string()),
            ("most", present::typed(matching.most)),
            ("from", local(matching.from)),
            ("until", local(matching.until)),
        ]),
        None => {
            Form::from_pairs([("percent", "100".into()), ("from", local(clock::now().max(rally.details.starts_at)))])
        }
    }
}

fn page(
    app: &App,
    staff: &Staff,
    id: RallyId,
    rally: &Rally,
    typed: Typed,
    notice: Option<Notice>,
    status: StatusCode,
) -> Result<Response, Problem> {
    let details = &rally.details;
    let zone = details.zone();
    let when = |at: DateTime<Utc>| at.with_timezone(&zone).format("%B %-d, %-I:%M %P %Z").to_string();
    let speakers = |chosen: &str| {
        let choice = |value: String, label: String| Choice { selected: value == chosen, value, label };
        let all = choice(String::new(), "All gifts".into());
        let each = rally
            .speakers
            .iter()
            .map(|speaker| choice(speaker.source.to_string(), format!("While {} speaks", speaker.name)));
        std::iter::once(all).chain(each).collect::<Vec<_>>()
    };
    let matches = {
        let world = app.engine().world();
        let matches = world.state.drives.of(id).into_iter().flat_map(|drive| &drive.matches);
        let line = |(id, matching): &(MatchId, Matching)| MatchLine {
            id: id.to_string(),
            sponsor: matching.sponsor.clone(),
            terms: format!(
                "{} % up to {}, from {} until {}",
                matching.percent,
                matching.most.to_short(),
                when(matching.from),
                when(matching.until)
            ),
            added: matching.adds(world.drive.given_under(*id)).to_whole(),
        };
        matches.map(line).collect()
    };
    let spare = std::iter::repeat_n(Default::default(), LINES_SPARE);
    let line =
        |(name, amount, speaker): (String, String, String)| GoalLine { name, amount, speakers: speakers(&speaker) };
    let Typed { goals, goal_errors, matching, errors } = typed;
    let field = |name: &'static str| errors.field(name, matching.get(name));
    let page = GoalsPage {
        layout: Layout {
            notice,
            ..app.staff_layout(&format!("Goals: {}", details.title), staff, StaffRoom::Host, Some(details))
        },
        studio_href: format!("/host/r/{}", details.slug),
        title: details.title.clone(),
        symbol: details.currency.symbol().trim().into(),
        zone: details.timezone.replace('_', " "),
        goals: goals.into_iter().chain(spare).take(GOALS_MAX).map(line).collect(),
        goal_errors,
        goal_chars_max: GOAL_CHARS_MAX,
        matches,
        errors: errors.summary(),
        id: matching.get("match"),
        sponsor: field("sponsor"),
        sponsor_chars_max: SPONSOR_CHARS_MAX,
        percent: field("percent"),
        most: field("most"),
        from: field("from"),
        until: field("until"),
    };
    Ok((status, Html(page.render()?)).into_response())
}

async fn save_goals(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (staff, form, id) = host_form(&app, staff, &slug, &body)?;
    let (_, rally) = app.rally(&slug)?;
    let line = |number: usize| {
        let field = |name: &str| form.get(&format!("goal_{name}_{number}"));
        (field("name"), field("amount"), field("speaker"))
    };
    // A line whose name and amount are emptied is taken out.
    let lines: Vec<_> =
        (1..=GOALS_MAX).map(line).filter(|(name, amount, _)| !name.is_empty() || !amount.is_empty()).collect();
    let (mut goals, mut wrong) = (vec![], vec![]);
    for (at, (name, amount, speaker)) in lines.iter().enumerate() {
        let number = at.saturating_add(1);
        let speaker = Some(speaker).filter(|speaker| !speaker.is_empty()).map(|speaker| speaker.parse::<SourceId>());
        match (Money::parse(amount, rally.details.currency), speaker.transpose()) {
            (Ok(money), Ok(speaker)) => goals.push(Goal { name: name.clone(), minor: money.minor, speaker }),
            (Err(error), _) => wrong.push(format!("Goal {number}: {error}.")),
            (_, Err(_)) => wrong.push(format!("Goal {number}: choose its speaker from the list.")),
        }
    }
    let again = |goal_errors: Vec<String>| {
        let typed = Typed {
            goals: lines.clone(),
            goal_errors,
            matching: match_of(&app, id, &rally, &Form::default()),
            ..Typed::default()
        };
        page(&app, &staff, id, &rally, typed, None, StatusCode::UNPROCESSABLE_ENTITY)
    };
    if !wrong.is_empty() {
        return again(wrong);
    }
    let command = crate::domain::Command::Drive(Command::SetGoals { rally: id, goals });
    match app.engine().execute(command, fresh_key("goals"), &staff.actor()).await {
        Ok(_) => Ok(see_other(&format!("/host/r/{slug}/goals?done=goals"))),
        Err(Failure::Refused(Refusal::Drive(refusal))) => again(vec![sentence(&refusal.to_string())]),
        Err(failure) => Err(failure.into()),
    }
}

async fn save_match(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (staff, form, id) = host_form(&app, staff, &slug, &body)?;
    let (_, rally) = app.rally(&slug)?;
    let mut errors = Errors::default();
    let matching = read_match(&form, &rally, &mut errors);
    let again = |errors: Errors| {
        let typed = Typed { goals: goals_of(&app, id, &rally), matching: form.clone(), errors, ..Typed::default() };
        page(&app, &staff, id, &rally, typed, None, StatusCode::UNPROCESSABLE_ENTITY)
    };
    let Some(matching) = matching else { return again(errors) };
    let matched = form.get("match").parse().unwrap_or_else(|_| MatchId(Uuid::now_v7()));
    let command = crate::domain::Command::Drive(Command::SetMatch { rally: id, id: matched, matching });
    match app.engine().execute(command, fresh_key("match"), &staff.actor()).await {
        Ok(_) => Ok(see_other(&format!("/host/r/{slug}/goals?done=match"))),
        Err(Failure::Refused(Refusal::Drive(refusal))) => {
            errors.add(field_of(&refusal), sentence(&refusal.to_string()));
            again(errors)
        }
        Err(failure) => Err(failure.into()),
    }
}

/// The field a refusal is about.
fn field_of(refusal: &crate::domain::drive::Refusal) -> &'static str {
    use crate::domain::drive::Refusal as Why;
    match refusal {
        Why::Percent => "percent",
        Why::MatchAmount => "most",
        Why::MatchTime => "until",
        Why::Sponsor
        | Why::TooManyMatches
        | Why::UnknownRally
        | Why::UnknownMatch
        | Why::TooManyGoals
        | Why::GoalName
        | Why::GoalAmount
        | Why::GoalSpeaker => "sponsor",
    }
}

fn read_match(form: &Form, rally: &Rally, errors: &mut Errors) -> Option<Matching> {
    let percent = form.get("percent").trim_end_matches('%').trim().parse::<u16>();
    if percent.is_err() {
        errors.add("percent", "Write how much is added in percent: 100 doubles every gift.");
    }
    let most = Money::parse(&form.get("most"), rally.details.currency);
    if let Err(error) = &most {
        errors.add("most", format!("At most: {error}."));
    }
    let mut instant = |name: &'static str, which: &str| {
        let zone = rally.details.zone();
        let local = NaiveDateTime::parse_from_str(&form.get(name), LOCAL)
            .or_else(|_| NaiveDateTime::parse_from_str(&form.get(name), "%Y-%m-%dT%H:%M:%S"));
        let at = local.ok().and_then(|local| local.and_local_timezone(zone).earliest());
        if at.is_none() {
            errors.add(name, format!("Enter the day and the time at which it {which}."));
        }
        at.map(|at| at.with_timezone(&Utc))
    };
    let (from, until) = (instant("from", "begins"), instant("until", "ends"));
    Some(Matching {
        sponsor: form.get("sponsor"),
        percent: percent.ok()?,
        most: most.ok()?,
        from: from?,
        until: until?,
    })
}

async fn withdraw(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (staff, form, rally) = host_form(&app, staff, &slug, &body)?;
    let id = form.get("match").parse().map_err(|_| Problem::NotFound)?;
    let command = crate::domain::Command::Drive(Command::WithdrawMatch { rally, id });
    app.engine().execute(command, fresh_key("match"), &staff.actor()).await?;
    Ok(see_other(&format!("/host/r/{slug}/goals?done=withdrawn")))
}
