//! `/finance/duplicates`: donors who may be one person, side by side; and what was decided of others, which can be taken back.

mod decided;
mod side;

use crate::domain::donation::HOLD_NOTE_CHARS_MAX;
use crate::domain::id::PersonId;
use crate::domain::person::{self, Merged, Pair, Parted, ToldApart};
use crate::domain::{Command, Refusal};
use crate::engine::Failure;
use crate::projections::Projections;
use crate::projections::alike::{Likely, Rule, likely};
use crate::report::contacts::Contacts;
use crate::web::form::Form;
use crate::web::problem::{Problem, sentence};
use crate::web::session::{Staff, csrf_matches};
use crate::web::view::{Layout, StaffRoom};
use crate::web::{App, fresh_key, notice, see_other};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use decided::{Decided, decisions};
use side::{Donor, Line, lines, name, together};

/// Pairs on the page: two donors' names and gifts are read for each, and those that are decided make room for the next.
const PAIRS_MAX: usize = 20;
/// Decisions on the page, the latest first.
const DECIDED_MAX: usize = 50;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/duplicates.html")]
pub struct Duplicates {
    /// The frame around the page.
    pub layout: Layout,
    /// Whether decisions are shown, and not what waits for one.
    pub is_decided: bool,
    /// Those that wait.
    pub pairs: Vec<PairView>,
    /// What was decided, the latest first.
    pub decided: Vec<Decided>,
    /// How many more there are.
    pub more: usize,
    /// The most characters of a reason.
    pub reason_chars_max: usize,
}

/// Two donors who may be one person.
#[derive(Debug, Clone)]
pub struct PairView {
    /// Their ids, for the forms.
    pub ids: [String; 2],
    /// Their names, for the choice of which is kept.
    pub names: [String; 2],
    /// Why we think so.
    pub whys: Vec<&'static str>,
    /// What is known of both, and what of it differs.
    pub lines: Vec<Line>,
    /// What they gave together: `$450.00`.
    pub together: String,
    /// What was typed as a reason to merge them, or what is proposed.
    pub merge_reason: String,
    /// What is wrong with it.
    pub merge_error: Option<String>,
    /// What was typed as a reason not to.
    pub apart_reason: String,
    /// What is wrong with it.
    pub apart_error: Option<String>,
}

/// A reason that was sent and refused.
struct Sent {
    pair: Pair,
    act: Act,
    reason: String,
    error: String,
}

/// What can be done with two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Merge,
    Apart,
    Part,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/finance/duplicates", get(show))
        .route("/finance/duplicates/merge", post(merge))
        .route("/finance/duplicates/apart", post(apart))
        .route("/finance/duplicates/part", post(part))
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    page(&app, &staff, query.get("show") == "decided", notice(&query), None).await
}

async fn merge(State(app): State<App>, staff: Staff, body: Bytes) -> Result<Response, Problem> {
    let command = |kept, other, reason| person::Command::Merge(Merged { kept, other, reason });
    decide(&app, staff, &body, Act::Merge, "merged", command).await
}

async fn apart(State(app): State<App>, staff: Staff, body: Bytes) -> Result<Response, Problem> {
    let command = |one, other, reason| person::Command::TellApart(ToldApart { one, other, reason });
    decide(&app, staff, &body, Act::Apart, "told-apart", command).await
}

async fn part(State(app): State<App>, staff: Staff, body: Bytes) -> Result<Response, Problem> {
    let command = |kept, other, reason| person::Command::Part(Parted { kept, other, reason });
    decide(&app, staff, &body, Act::Part, "parted", command).await
}

/// Takes one decision, and comes back to the list that it was taken on.
async fn decide(
    app: &App,
    staff: Staff,
    body: &[u8],
    act: Act,
    done: &str,
    command: impl FnOnce(PersonId, PersonId, String) -> person::Command,
) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(body);
    if !csrf_matches(&staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let id = |name: &str| form.get(name).parse::<PersonId>().map_err(|_| Problem::NotFound);
    let (one, other) = (id("one")?, id("other")?);
    // Whose name is kept is a choice of the form.
    let (one, other) = if id("kept").is_ok_and(|kept| kept == other) { (other, one) } else { (one, other) };
    let reason = form.get("reason");
    let command = Command::Person(command(one, other, reason.clone()));
    let shows_decided = act == Act::Part || form.has("after-all");
    let show = if shows_decided { "show=decided&" } else { "" };
    match app.engine().execute(command, fresh_key(done), &staff.actor()).await {
        Ok(_) => Ok(see_other(&format!("/finance/duplicates?{show}done={done}"))),
        Err(Failure::Refused(Refusal::Person(refusal @ person::Refusal::Reason))) => {
            let sent = Sent { pair: Pair::of(one, other), act, reason, error: sentence(&refusal.to_string()) };
            page(app, &staff, shows_decided, None, Some(sent)).await
        }
        Err(failure) => Err(failure.into()),
    }
}

async fn page(
    app: &App,
    staff: &Staff,
    is_decided: bool,
    done: Option<crate::web::view::Notice>,
    sent: Option<Sent>,
) -> Result<Response, Problem> {
    app.shows(staff, "duplicates", if is_decided { "decided".into() } else { String::new() }).await?;
    let (pairs, decided, more) = if is_decided {
        let (known, more) = decisions(&app.engine().world(), sent.as_ref(), DECIDED_MAX);
        let mut contacts = app.contacts();
        (vec![], known.into_iter().map(|known| known.named(&mut contacts)).collect(), more)
    } else {
        let (open, more) = waiting(&app.engine().world(), sent.as_ref());
        let mut contacts = app.contacts();
        (open.into_iter().map(|open| open.view(&mut contacts, sent.as_ref())).collect(), vec![], more)
    };
    let layout = Layout { notice: done, ..app.staff_layout("Possible duplicates", staff, StaffRoom::Finance, None) };
    let page = Duplicates { layout, is_decided, pairs, decided, more, reason_chars_max: HOLD_NOTE_CHARS_MAX };
    let status = if sent.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, Html(page.render()?)).into_response())
}

/// Two who may be one person, whose names are still sealed.
struct Open {
    likely: Likely,
    donors: [Donor; 2],
}

/// Those of whom nobody has decided, the longest first, and how many more there are; what was sent and refused before all.
fn waiting(world: &Projections, sent: Option<&Sent>) -> (Vec<Open>, usize) {
    let mut all = likely(world);
    all.sort_by_key(|likely| (sent.is_none_or(|sent| sent.pair != likely.pair), likely.since, likely.pair));
    let more = all.len().saturating_sub(PAIRS_MAX);
    let open = |likely: Likely| Open { donors: likely.pair.both().map(|person| Donor::new(world, person)), likely };
    (all.into_iter().take(PAIRS_MAX).map(open).collect(), more)
}

impl Open {
    fn view(self, contacts: &mut Contacts, sent: Option<&Sent>) -> PairView {
        let Self { likely, donors } = self;
        let opened = donors.each_ref().map(|donor| donor.open(contacts));
        let opened = opened.each_ref().map(Option::as_ref);
        let of = |act| sent.filter(|sent| sent.pair == likely.pair && sent.act == act);
        let (merge, apart) = (of(Act::Merge), of(Act::Apart));
        let whys: Vec<&'static str> = likely.rules.iter().map(|rule| why(*rule)).collect();
        PairView {
            ids: likely.pair.both().map(|person| person.to_string()),
            names: opened.map(name),
            lines: lines(&donors, opened),
            together: together(&donors),
            merge_reason: merge.map_or_else(|| whys.join(" "), |sent| sent.reason.clone()),
            merge_error: merge.map(|sent| sent.error.clone()),
            apart_reason: apart.map(|sent| sent.reason.clone()).unwrap_or_default(),
            apart_error: apart.map(|sent| sent.error.clone()),
            whys,
        }
    }
}

fn why(rule: Rule) -> &'static str {
    match rule {
        Rule::Mailbox => "Their e-mail addresses differ only by dots, or by what follows a plus sign.",
        Rule::Namesake => "Name, house number and postal code are the same, but for nicknames.",
    }
}
