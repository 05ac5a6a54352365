//! `/finance/held`: gifts that wait for a person, who lets them through or turns them away; and those that were paid with a card
//! that stands out.

mod cards;

use super::home::when_in_words;
use crate::domain::committee::{Committee, Committees};
use crate::domain::donation::{self, HOLD_NOTE_CHARS_MAX};
use crate::domain::id::{DonationId, PersonId};
use crate::domain::money::Money;
use crate::domain::profile::Contact;
use crate::domain::{Command, Refusal};
use crate::engine::Failure;
use crate::projections::Projections;
use crate::projections::ledger::ContactAt;
use crate::projections::totals::timezone;
use crate::web::form::Form;
use crate::web::gift::rhythm_in_words;
use crate::web::problem::{Problem, sentence};
use crate::web::session::{Staff, csrf_matches};
use crate::web::view::{Layout, StaffRoom};
use crate::web::{App, fresh_key, notice, present, see_other};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use cards::Flagged;

/// Gifts on the page, the oldest first: each donor's name is read from the log.
const LINES_MAX: usize = 50;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/held.html")]
pub struct HeldGifts {
    /// The frame around the page.
    pub layout: Layout,
    /// The sum above which gifts are held now: `$1,000`, or one a committee; empty where none are.
    pub above: String,
    /// Those that wait.
    pub lines: Vec<Line>,
    /// How many more there are.
    pub more: usize,
    /// Those whose card was tried for too many donors, or refused too often; of one card together.
    pub flagged: Vec<Flagged>,
    /// How many more there are.
    pub flagged_more: usize,
    /// The most characters of a note or a reason.
    pub note_chars_max: usize,
}

/// A gift that waits.
#[derive(Debug, Clone)]
pub struct Line {
    /// Which donation.
    pub donation: DonationId,
    /// `$5,000.00`.
    pub amount: String,
    /// How often: `each month`; empty for a single one.
    pub each: String,
    /// Who gives.
    pub who: Who,
    /// The rally's title.
    pub rally: String,
    /// Since when.
    pub since: String,
    /// The same as RFC 3339.
    pub since_iso: String,
    /// What a limit leaves to the donor, where that is less: the card would be refused.
    pub over: String,
    /// What was typed as a note, where that was refused.
    pub note: String,
    /// What is wrong with it.
    pub note_error: Option<String>,
    /// What was typed as a reason, where that was refused.
    pub reason: String,
    /// What is wrong with it.
    pub reason_error: Option<String>,
}

/// A donor as finance needs one.
#[derive(Debug, Clone)]
pub struct Who {
    /// The name.
    pub name: String,
    /// E-mail address, street, city and country, as typed; empty where it was erased.
    pub contact: Vec<String>,
    /// `Teacher, Duluth Schools`; empty where it was erased.
    pub work: String,
}

/// What was sent and refused.
struct Sent {
    donation: DonationId,
    field: &'static str,
    text: String,
    error: String,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/finance/held", get(show))
        .route("/finance/held/{id}/release", post(release))
        .route("/finance/held/{id}/turn-away", post(turn_away))
        .route("/finance/held/{id}/clear", post(clear))
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    page(&app, &staff, notice(&query), None).await
}

async fn release(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let decide = |donation, note: String| donation::Command::Release {
        donation,
        note: Some(note).filter(|note| !note.is_empty()),
    };
    decided(&app, staff, &id, &body, ("note", "released"), decide).await
}

async fn turn_away(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let decide = |donation, reason| donation::Command::TurnAway { donation, reason };
    decided(&app, staff, &id, &body, ("reason", "turned-away"), decide).await
}

async fn clear(State(app): State<App>, staff: Staff, Path(id): Path<String>, body: Bytes) -> Result<Response, Problem> {
    let decide = |donation, note| donation::Command::ClearCard { donation, note };
    decided(&app, staff, &id, &body, ("why", "noted"), decide).await
}

/// Takes one decision, and says what came of it.
async fn decided(
    app: &App,
    staff: Staff,
    id: &str,
    body: &[u8],
    (field, done): (&'static str, &str),
    decide: impl FnOnce(DonationId, String) -> donation::Command,
) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(body);
    if !csrf_matches(&staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let donation: DonationId = id.parse().map_err(|_| Problem::NotFound)?;
    let text = form.get(field);
    let command = Command::Donation(decide(donation, text.clone()));
    match app.engine().execute(command, fresh_key(done), &staff.actor()).await {
        Ok(_) => Ok(see_other(&format!("/finance/held?done={done}"))),
        Err(Failure::Refused(Refusal::Donation(donation::Refusal::NotHeld | donation::Refusal::NotFlagged))) => {
            Err(Problem::NotFound)
        }
        Err(Failure::Refused(Refusal::Donation(refusal @ donation::Refusal::HoldNote))) => {
            let error = sentence(&refusal.to_string());
            page(app, &staff, None, Some(Sent { donation, field, text, error })).await
        }
        Err(failure) => Err(failure.into()),
    }
}

async fn page(
    app: &App,
    staff: &Staff,
    done: Option<crate::web::view::Notice>,
    sent: Option<Sent>,
) -> Result<Response, Problem> {
    let (mut lines, mut flagged, mores, above) = {
        let world = app.engine().world();
        // What was sent and refused is shown again, however many there are.
        let is_sent = |id| sent.as_ref().is_some_and(|sent| sent.donation == id);
        let (mut held, of_cards) = (donation::held(&world.state), donation::flagged(&world.state));
        held.sort_by_key(|(since, id)| (!is_sent(*id), *since));
        let mores = (held.len().saturating_sub(LINES_MAX), of_cards.len().saturating_sub(LINES_MAX));
        let lines = held.into_iter().take(LINES_MAX).filter_map(|(since, id)| line(&world, since, id));
        let of_why = sent.as_ref().filter(|sent| sent.field == "why");
        let numbers = of_cards.iter().scan((0, None), |(number, last), (_, flag)| {
            *number += usize::from(last.replace(flag.card) != Some(flag.card));
            Some(*number)
        });
        let mut numbered: Vec<_> = of_cards.iter().zip(numbers).collect();
        numbered.sort_by_key(|((id, _), number)| (!is_sent(*id), *number));
        let numbered = numbered.into_iter().take(LINES_MAX);
        let flagged = numbered.filter_map(|((id, flag), number)| cards::line(&world, *id, flag, number, of_why));
        let above = above(&world.state.committees);
        (lines.collect::<Vec<_>>(), flagged.collect::<Vec<_>>(), mores, above)
    };
    if !lines.is_empty() || !flagged.is_empty() {
        app.shows(staff, "held", String::new()).await?;
    }
    // The log is read while nobody waits for the projections.
    let mut contacts = app.contacts();
    let mut who = |donor, at: Option<ContactAt>| Who::of(at.and_then(|at| contacts.shown(donor, at)));
    lines.iter_mut().for_each(|(line, donor, at)| line.who = who(*donor, *at));
    flagged.iter_mut().for_each(|(line, donor, at)| line.who = who(*donor, *at));
    let mut lines: Vec<Line> = lines.into_iter().map(|(line, ..)| line).collect();
    let flagged = flagged.into_iter().map(|(line, ..)| line).collect();
    let status = if sent.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    if let Some(Sent { donation, field, text, error }) = sent
        && let Some(line) = lines.iter_mut().find(|line| line.donation == donation)
    {
        match field {
            "note" => (line.note, line.note_error) = (text, Some(error)),
            _ => (line.reason, line.reason_error) = (text, Some(error)),
        }
    }
    let layout = Layout { notice: done, ..app.staff_layout("Gifts to look at", staff, StaffRoom::Finance, None) };
    let page = HeldGifts {
        layout,
        above,
        lines,
        more: mores.0,
        flagged,
        flagged_more: mores.1,
        note_chars_max: HOLD_NOTE_CHARS_MAX,
    };
    Ok((status, Html(page.render()?)).into_response())
}

/// The sums above which gifts are held: `$1,000`, or `$1,000 to the State Party` where there are several committees.
fn above(committees: &Committees) -> String {
    let several = committees.iter().len() > 1;
    let of = |(_, one): (_, &Committee)| {
        let most = one.rules.hold_above.map(Money::to_short)?;
        Some(if several { format!("{most} to {}", one.name()) } else { most })
    };
    committees.iter().filter_map(of).collect::<Vec<_>>().join(", or ")
}

/// A line, and whose name it wants.
type Wanted = (Line, PersonId, Option<ContactAt>);

fn line(world: &Projections, since: chrono::DateTime<chrono::Utc>, id: DonationId) -> Option<Wanted> {
    let gift = world.state.donations.get(id)?;
    let rally = world.state.rallies.get(gift.rally)?;
    let room = donation::room(&world.state, &gift.gift(), Some(id));
    let over = room.filter(|room| room.left.minor < gift.amount.minor);
    let plan = world.state.plans.of_donation(id);
    let line = Line {
        donation: id,
        amount: gift.amount.to_exact(),
        each: plan.map(|(_, plan)| rhythm_in_words(plan.rhythm)).unwrap_or_default(),
        who: Who::default(),
        rally: rally.details.title.clone(),
        since: when_in_words(since, timezone(&world.state, gift.rally)),
        since_iso: present::iso(since),
        over: over.map(|room| format!("{} for the {}", room.left.to_exact(), room.limit)).unwrap_or_default(),
        note: String::new(),
        note_error: None,
        reason: String::new(),
        reason_error: None,
    };
    Some((line, gift.donor, world.ledger.pledge(id).map(|pledge| pledge.contact)))
}

impl Default for Who {
    fn default() -> Self {
        Self { name: present::ERASED.into(), contact: vec![], work: String::new() }
    }
}

impl Who {
    fn of(contact: Option<Contact>) -> Self {
        let Some(contact) = contact else { return Self::default() };
        let Contact { first_name, last_name, email, line, city, region, postal, country, employer, occupation, .. } =
            contact;
        let place = format!("{city} {region} {postal}");
        let parts = [email, line, place.trim().into(), country];
        Self {
            name: format!("{first_name} {last_name}"),
            contact: parts.into_iter().filter(|part| !part.is_empty()).collect(),
            work: if occupation == employer { occupation } else { format!("{occupation}, {employer}") },
        }
    }
}
