//! `/host/r/{slug}/attendance`: how far people came, who was in the room in each minute and while who was on, from where they
//! came and what they gave.

mod figures;

use crate::clock;
use crate::domain::id::RallyId;
use crate::domain::{Refusal, attendance};
use crate::engine::Failure;
use crate::projections::Projections;
use crate::projections::crowd::origin::Origin;
use crate::projections::totals::timezone;
use crate::report::Format;
use crate::web::form::Form;
use crate::web::pages::home::day_in_words;
use crate::web::problem::{Problem, sentence};
use crate::web::session::{Staff, host_form};
use crate::web::view::chart::Chart;
use crate::web::view::{Field, Layout, StaffRoom};
use crate::web::{App, fresh_key, notice, present, see_other};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
pub use figures::{Figures, figures};

/// Refcodes that the form offers; any other can be typed.
const REFCODES_SHOWN: usize = 100;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/attendance.html")]
pub struct Attendance {
    /// The frame around the page.
    pub layout: Layout,
    /// Where the rally is run.
    pub studio_href: String,
    /// Where links with refcodes are made.
    pub share_href: String,
    /// The rally's title.
    pub title: String,
    /// `Thursday, July 25`.
    pub date: String,
    /// Everything that is counted.
    pub figures: Figures,
    /// The form that counts whom staff invited; absent for those who do not host.
    pub invite: Option<Invite>,
    /// The files, for those who may see names; absent for others.
    pub files: Option<Files>,
}

/// The form that counts whom staff invited.
#[derive(Debug, Clone)]
pub struct Invite {
    /// Where it is sent.
    pub action: String,
    /// Field `refcode`.
    pub refcode: Field,
    /// Refcodes that are known here.
    pub refcodes: Vec<String>,
    /// Field `people`.
    pub people: Field,
}

/// Where the files are.
#[derive(Debug, Clone)]
pub struct Files {
    /// The attendee report.
    pub attendees: String,
    /// Who agreed to be written to.
    pub contacts: String,
}

/// One step of the funnel.
#[derive(Debug, Clone)]
pub struct Step {
    /// `Joined the room`.
    pub name: String,
    /// What it means.
    pub note: String,
    /// How many people.
    pub people: String,
    /// `62 % of those who registered`; empty for the first.
    pub share: String,
    /// Length of its bar, in percent of the first one's.
    pub fill: u64,
}

/// What was on for a while.
#[derive(Debug, Clone)]
pub struct OnAir {
    /// Its number, beneath the chart too.
    pub number: usize,
    /// `Dolores Whitfield`.
    pub name: String,
    /// `8:21 pm`.
    pub at: String,
    /// `12 min`.
    pub length: String,
    /// People in the room at its beginning and its end: `1,204 → 1,150`.
    pub room: String,
    /// Who went, in percent of who was there or came.
    pub drop_off: String,
    /// Who came in.
    pub came: String,
    /// Who went.
    pub went: String,
    /// What was given.
    pub gifts: String,
    /// Its sum.
    pub gross: String,
}

/// What came from one source.
#[derive(Debug, Clone)]
pub struct SourceLine {
    /// `ref nurses-23` or `QR code on the picture`.
    pub name: String,
    /// People who were invited, as staff counts them.
    pub invited: String,
    /// People who registered.
    pub registered: String,
    /// Those of them who joined the room.
    pub joined: String,
    /// Half of those watched at least so long.
    pub median: String,
    /// All of them together.
    pub total: String,
    /// People who gave.
    pub donors: String,
    /// Gifts.
    pub gifts: String,
    /// Their sum.
    pub gross: String,
    /// The average gift.
    pub average: String,
    /// Recurring gifts begun.
    pub recurring: String,
}

/// One minute, or some of them.
#[derive(Debug, Clone)]
pub struct MinuteLine {
    /// `8:21 pm`.
    pub at: String,
    /// People in the room as it ended.
    pub here: String,
    /// Who came in.
    pub came: String,
    /// Who went.
    pub went: String,
    /// Gifts.
    pub gifts: String,
    /// Their sum.
    pub gross: String,
}

/// The people over time, with what was on.
#[derive(Debug, Clone)]
pub struct Course {
    /// The chart.
    pub chart: Chart,
    /// The same in lines.
    pub minutes: Vec<MinuteLine>,
    /// What was on; empty where nothing is known of it.
    pub on_air: Vec<OnAir>,
    /// What stands in the first column: `Item of the run` or `On program`.
    pub on_air_word: &'static str,
    /// What the chart leaves out, in sentences.
    pub note: String,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/host/r/{slug}/attendance", get(show))
        .route("/host/r/{slug}/attendance/invited", post(invited))
}

async fn show(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let asked = Form::parse(query.unwrap_or_default().as_bytes());
    Ok(Html(page(&app, &staff, &slug, &asked, None)?).into_response())
}

async fn invited(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (staff, form, rally) = host_form(&app, staff, &slug, &body)?;
    let typed: String = form.get("people").chars().filter(|c| !matches!(c, ',' | ' ' | '.')).collect();
    let people = typed.parse().map_err(|_| Refusal::Attendance(attendance::Refusal::Invited));
    let refused = match people {
        Ok(people) => {
            let command = attendance::Command::Invite { rally, refcode: Some(form.get("refcode")), people };
            let command = crate::domain::Command::Attendance(command);
            match app.engine().execute(command, fresh_key("invited"), &staff.actor()).await {
                Ok(_) => return Ok(see_other(&format!("/host/r/{slug}/attendance?done=invited#invited"))),
                Err(Failure::Refused(refusal)) => refusal,
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(refusal) => refusal,
    };
    let html = page(&app, &staff, &slug, &form, Some(&refused))?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(html)).into_response())
}

fn page(app: &App, staff: &Staff, slug: &str, form: &Form, refused: Option<&Refusal>) -> Result<String, Problem> {
    let (id, rally) = app.rally(slug)?;
    let (details, now) = (&rally.details, clock::now());
    let href = |what: &str| format!("/host/r/{}/{what}", details.slug);
    let file = |format: Format| format!("/finance/exports/{format}?rally={}", details.slug);
    let files = Files { attendees: file(Format::Attendance), contacts: file(Format::Contacts) };
    let may_see_names = staff.role.sees_money();
    let page = {
        let world = app.engine().world();
        let zone = timezone(&world.state, id);
        Attendance {
            layout: Layout {
                notice: notice(form),
                ..app.staff_layout(&format!("Attendance: {}", details.title), staff, StaffRoom::Host, Some(details))
            },
            studio_href: format!("/host/r/{}", details.slug),
            share_href: href("share"),
            title: details.title.clone(),
            date: format!("{}, {}", day_in_words(details.starts_at, zone), present::time(details.starts_at, zone)),
            figures: figures(&world, id, &rally, now),
            invite: staff.clone().hosts().ok().map(|_| invite(&world, id, href("attendance/invited"), form, refused)),
            files: may_see_names.then_some(files),
        }
    };
    Ok(page.render()?)
}

fn invite(world: &Projections, id: RallyId, action: String, form: &Form, refused: Option<&Refusal>) -> Invite {
    let error = refused.map(|refusal| sentence(&refusal.to_string()));
    let is_of_refcode = refused == Some(&Refusal::Attendance(attendance::Refusal::RefcodeLength));
    let (of_refcode, of_people) = if is_of_refcode { (error, None) } else { (None, error) };
    let refcode = |origin: &Origin| match origin {
        Origin::Refcode(code) => Some(code.to_string()),
        Origin::Way(_) | Origin::Rest => None,
    };
    let known = world.crowd.of(id).into_iter().flat_map(|crowd| crowd.origins.iter());
    Invite {
        action,
        refcode: Field { value: form.get("refcode"), error: of_refcode },
        refcodes: known.filter_map(|(origin, _)| refcode(origin)).take(REFCODES_SHOWN).collect(),
        people: Field { value: form.get("people"), error: of_people },
    }
}
