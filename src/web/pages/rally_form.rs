//! `/host/new` and `/host/r/{slug}/edit`: what a rally is.

use askama::Template;

use crate::domain::committee::Committee;
use crate::domain::id::{CommitteeId, RallyId};
use crate::domain::money::{Currency, Money, MoneyError};
use crate::domain::rally::{self, Command, Details, Refusal};
use crate::engine::Failure;
use crate::projections::totals::timezone;
use crate::web::form::{Errors, Form};
use crate::web::problem::Problem;
use crate::web::session::{Staff, csrf_matches};
use crate::web::view::StaffRoom;
use crate::web::view::{Choice, Field, FormError, Layout};
use crate::web::{App, fresh_key, present, see_other};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

/// The form of a rally.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/rally_form.html")]
pub struct RallyForm {
    /// The frame around the page.
    pub layout: Layout,
    /// Where the form is sent.
    pub action: String,
    /// Where giving up leads.
    pub cancel_href: String,
    /// Whether the rally is being made.
    pub is_new: bool,
    /// The address before the slug, such as `https://rally.example/r/`.
    pub slug_prefix: String,
    /// What is wrong, when the form was refused.
    pub errors: Vec<FormError>,
    /// Field `title`.
    pub title: Field,
    /// Field `slug`.
    pub slug: Field,
    /// Field `date`: `2028-07-25`.
    pub date: Field,
    /// Field `time`: `19:30`.
    pub time: Field,
    /// Field `timezone`.
    pub timezones: Vec<Choice>,
    /// What is wrong with the time zone.
    pub timezone_error: Option<String>,
    /// Field `description`.
    pub description: Field,
    /// Field `goal`: decimal text, may be empty.
    pub goal: Field,
    /// Field `currency`.
    pub currencies: Vec<Choice>,
    /// What is wrong with the currency.
    pub currency_error: Option<String>,
    /// Whether the currency can't change any more, because money came in.
    pub currency_fixed: bool,
    /// Field `amounts`: decimal texts with commas between.
    pub amounts: Field,
    /// Field `paid_for_by`.
    pub paid_for_by: Field,
    /// Field `committee`: whose gifts it takes; empty where there is one committee alone.
    pub committees: Vec<Choice>,
    /// What is wrong with that.
    pub committee_error: Option<String>,
    /// Field `accent`: `#d6301f`.
    pub accent: Field,
}

/// Time zones offered first; the rest follow by name.
const LIKELY_ZONES: &[&str] = &[
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
    "UTC",
];

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/host/new", get(new).post(create)).route("/host/r/{slug}/edit", get(edit).post(revise))
}

async fn new(State(app): State<App>, staff: Staff) -> Result<Html<String>, Problem> {
    let staff = staff.hosts()?;
    let fields = [
        ("time", "19:30".to_owned()),
        ("timezone", "America/New_York".to_owned()),
        ("currency", "USD".to_owned()),
        ("amounts", "15, 25, 50, 100, 250, 500, 1000".to_owned()),
        ("accent", "#d6301f".to_owned()),
    ];
    page(&app, &staff, None, &Form::from_pairs(fields), &Errors::default())
}

async fn edit(State(app): State<App>, staff: Staff, Path(slug): Path<String>) -> Result<Html<String>, Problem> {
    let staff = staff.hosts()?;
    let (id, rally) = app.rally(&slug)?;
    let details = &rally.details;
    let starts = details.starts_at.with_timezone(&timezone(&app.engine().world().state, id));
    let amounts: Vec<String> =
        details.suggested_minor.iter().map(|minor| present::typed(Money::new(*minor, details.currency))).collect();
    let goal = details.goal_minor.map(|minor| present::typed(Money::new(minor, details.currency)));
    let fields = [
        ("title", details.title.clone()),
        ("slug", details.slug.clone()),
        ("date", starts.format("%Y-%m-%d").to_string()),
        ("time", starts.format("%H:%M").to_string()),
        ("timezone", details.timezone.clone()),
        ("description", details.description.clone()),
        ("goal", goal.unwrap_or_default()),
        ("currency", details.currency.code().to_owned()),
        ("amounts", amounts.join(", ")),
        ("paid_for_by", details.paid_for_by.clone()),
        ("accent", details.accent.clone()),
        ("committee", details.committee.to_string()),
    ];
    page(&app, &staff, Some(&rally), &Form::from_pairs(fields), &Errors::default())
}

fn page(
    app: &App,
    staff: &Staff,
    current: Option<&rally::Rally>,
    form: &Form,
    errors: &Errors,
) -> Result<Html<String>, Problem> {
    let studio = current.map(|rally| format!("/host/r/{}", rally.details.slug));
    let title = if current.is_some() { "Edit rally" } else { "New rally" };
    let choice =
        |value: &str, label: String, chosen: &str| Choice { value: value.into(), label, selected: value == chosen };
    let zone = form.get("timezone");
    let others = chrono_tz::TZ_VARIANTS
        .iter()
        .map(|zone| zone.name())
        .filter(|name| name.contains('/') && !name.starts_with("Etc/"));
    let zones = LIKELY_ZONES.iter().copied().chain(others.filter(|name| !LIKELY_ZONES.contains(name)));
    let currency = form.get("currency");
    let field = |name: &'static str| errors.field(name, form.get(name));
    let committee: CommitteeId = form.get("committee").parse().unwrap_or_default();
    let committees = {
        let world = app.engine().world();
        let known = world.state.committees.iter();
        let several = known.len() > 1;
        let choice = |(id, known): (CommitteeId, &Committee)| Choice {
            value: id.to_string(),
            label: known.name().into(),
            selected: id == committee,
        };
        if several { known.map(choice).collect() } else { vec![] }
    };
    let page = RallyForm {
        layout: app.staff_layout(title, staff, StaffRoom::Host, None),
        action: studio.as_ref().map_or("/host/new".into(), |studio| format!("{studio}/edit")),
        cancel_href: studio.unwrap_or_else(|| "/host".into()),
        is_new: current.is_none(),
        slug_prefix: format!("{}/r/", app.public_url()),
        errors: errors.summary(),
        title: field("title"),
        slug: field("slug"),
        date: field("date"),
        time: field("time"),
        timezones: zones.map(|name| choice(name, name.replace('_', " "), &zone)).collect(),
        timezone_error: errors.of("timezone"),
        description: errors.field("description", form.text("description")),
        goal: field("goal"),
        currencies: Currency::ALL.iter().map(|known| choice(known.code(), known.code().into(), &currency)).collect(),
        currency_error: errors.of("currency"),
        currency_fixed: current.is_some_and(|rally| rally.has_donations),
        amounts: field("amounts"),
        paid_for_by: field("paid_for_by"),
        committees,
        committee_error: errors.of("committee"),
        accent: field("accent"),
    };
    Ok(Html(page.render()?))
}

async fn create(State(app): State<App>, staff: Staff, body: Bytes) -> Result<Response, Problem> {
    let staff = staff.hosts()?;
    let form = Form::parse(&body);
    save(&app, &staff, None, &form).await
}

async fn revise(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let staff = staff.hosts()?;
    let (id, rally) = app.rally(&slug)?;
    save(&app, &staff, Some((id, &rally)), &Form::parse(&body)).await
}

async fn save(
    app: &App,
    staff: &Staff,
    current: Option<(RallyId, &rally::Rally)>,
    form: &Form,
) -> Result<Response, Problem> {
    if !csrf_matches(staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let mut errors = Errors::default();
    let details = read(form, &mut errors);
    let again = |errors: &Errors| {
        let page = page(app, staff, current.map(|(_, rally)| rally), form, errors)?;
        Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
    };
    let Some(details) = details.filter(|_| errors.is_empty()) else { return again(&errors) };
    let slug = details.slug.clone();
    let (command, done) = match current {
        Some((rally, _)) => (Command::Revise { rally, details }, "revised"),
        None => (Command::Create { rally: RallyId(Uuid::now_v7()), details }, "created"),
    };
    let command = crate::domain::Command::Rally(command);
    match app.engine().execute(command, fresh_key("rally"), &staff.actor()).await {
        Ok(_) => Ok(see_other(&format!("/host/r/{slug}?done={done}"))),
        Err(Failure::Refused(crate::domain::Refusal::Rally(refusal))) => {
            let text = refusal.to_string();
            errors.add(field_of(&refusal), text);
            again(&errors)
        }
        Err(failure) => Err(failure.into()),
    }
}

/// The field a refusal is about.
fn field_of(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::SlugTaken(_) | Refusal::SlugMalformed => "slug",
        Refusal::DescriptionLength => "description",
        Refusal::PaidForByLength => "paid_for_by",
        Refusal::TimezoneUnknown => "timezone",
        Refusal::AccentMalformed => "accent",
        Refusal::GoalOutOfRange => "goal",
        Refusal::SuggestedOutOfRange => "amounts",
        Refusal::CurrencyFixed => "currency",
        Refusal::UnknownCommittee => "committee",
        Refusal::TitleLength
        | Refusal::Unknown
        | Refusal::UnknownSpeaker
        | Refusal::SpeakerLength
        | Refusal::TooManySpeakers
        | Refusal::TooManyRallies
        | Refusal::SpeakerOnProgram
        | Refusal::AlreadyOpen
        | Refusal::NotOpen
        | Refusal::StillRecording
        | Refusal::RecordingGone
        | Refusal::KeepDays
        | Refusal::Ended => "title",
    }
}

fn read(form: &Form, errors: &mut Errors) -> Option<Details> {
    let currency: Option<Currency> = form.get("currency").parse().ok();
    if currency.is_none() {
        errors.add("currency", "Choose a currency from the list.");
    }
    let currency = currency?;
    let starts_at = read_start(form, errors);
    let wrong = |error: MoneyError| format!("Amounts: {error}.");
    let goal = form.get("goal");
    let goal_minor = if goal.is_empty() {
        None
    } else {
        match Money::parse(&goal, currency) {
            Ok(money) => Some(money.minor),
            Err(error) => {
                errors.add("goal", wrong(error));
                None
            }
        }
    };
    let mut suggested_minor = vec![];
    // "1,000" would read as two amounts: thousands are written without a comma here, and the page's hint says so.
    for typed in form.get("amounts").split([',', ';', ' ']).map(str::trim).filter(|typed| !typed.is_empty()) {
        match Money::parse(typed, currency) {
            Ok(money) => suggested_minor.push(money.minor),
            Err(error) => errors.add("amounts", wrong(error)),
        }
    }
    suggested_minor.sort_unstable();
    let committee = match form.get("committee").as_str() {
        "" => Some(CommitteeId::FIRST),
        typed => typed.parse().ok(),
    };
    if committee.is_none() {
        errors.add("committee", "Choose a committee from the list.");
    }
    Some(Details {
        slug: form.get("slug").to_lowercase(),
        title: form.get("title"),
        starts_at: starts_at?,
        timezone: form.get("timezone"),
        description: form.text("description"),
        goal_minor,
        currency,
        suggested_minor,
        paid_for_by: form.get("paid_for_by"),
        accent: form.get("accent").to_lowercase(),
        committee: committee?,
    })
}

fn read_start(form: &Form, errors: &mut Errors) -> Option<DateTime<Utc>> {
    let zone: Option<Tz> = form.get("timezone").parse().ok();
    if zone.is_none() {
        errors.add("timezone", "Choose a time zone from the list.");
    }
    let date = NaiveDate::parse_from_str(&form.get("date"), "%Y-%m-%d");
    if date.is_err() {
        errors.add("date", "Enter the day, like 2028-07-25.");
    }
    let typed_time = form.get("time");
    let time =
        NaiveTime::parse_from_str(&typed_time, "%H:%M").or_else(|_| NaiveTime::parse_from_str(&typed_time, "%H:%M:%S"));
    if time.is_err() {
        errors.add("time", "Enter the time, like 19:30.");
    }
    let local = date.ok()?.and_time(time.ok()?).and_local_timezone(zone?).earliest();
    if local.is_none() {
        errors.add("time", "Clocks skip this time on that day: choose another.");
    }
    Some(local?.with_timezone(&Utc))
}
