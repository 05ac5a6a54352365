//! How a visitor joins, and how they agree to be written to or take that back.

use super::{carried_in, page};
use crate::domain::Command;
use crate::domain::attendance::{self, Arrival, WORDING};
use crate::domain::donation::REFCODE_CHARS_MAX;
use crate::domain::profile::Attendee;
use crate::domain::seals::ATTENDEE;
use crate::web::form::{Errors, Form};
use crate::web::problem::Problem;
use crate::web::session::{MaybeVisitor, visitor_cookie};
use crate::web::view::{Field, FormError};
use crate::web::{App, came, fresh_key, see_other};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;

/// The form by which a visitor joins.
#[derive(Debug, Clone)]
pub struct Join {
    /// The name of the visitor who has joined; absent when they have not.
    pub joined_as: Option<String>,
    /// What is wrong, when the form was refused.
    pub errors: Vec<FormError>,
    /// Field `name`.
    pub name: Field,
    /// Field `email`.
    pub email: Field,
    /// Field `postal`.
    pub postal: Field,
    /// Box `agree`: what it sends, the words beside it, and whether it was ticked.
    pub agree: (&'static str, &'static str, bool),
    /// What the link that led here said of where from: hidden in the forms.
    pub carried: Vec<(&'static str, String)>,
    /// What was just done.
    pub said: Option<&'static str>,
}

impl Default for Join {
    fn default() -> Self {
        let (name, email, postal) = (Field::default(), Field::default(), Field::default());
        let (id, words) = WORDING;
        Self {
            joined_as: None,
            errors: vec![],
            name,
            email,
            postal,
            agree: (id, words, false),
            carried: vec![],
            said: None,
        }
    }
}

/// Characters of a name: the longest real ones are below it.
pub const NAME_CHARS_MAX: usize = 120;
/// Characters of a postal code.
const POSTAL_CHARS_MAX: usize = 16;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/r/{slug}/join", post(join)).route("/r/{slug}/letters", post(letters))
}

/// What was just done, in words.
pub(super) fn said(query: &str) -> Option<&'static str> {
    match Form::parse(query.as_bytes()).get("letters").as_str() {
        "yes" => Some("Noted: we may e-mail you."),
        "no" => Some("Noted: we will not e-mail you any more, but for receipts of what you give."),
        _ => None,
    }
}

async fn join(State(app): State<App>, Path(slug): Path<String>, body: Bytes) -> Result<Response, Problem> {
    let (id, rally) = app.rally(&slug)?;
    let mut errors = Errors::default();
    let (form, held) = Form::parse(&body).without_card_numbers(&["name", "email", "postal"]);
    for field in held {
        errors.add(field, "This looks like a card’s number. It has been thrown away.");
    }
    let (name, email, postal) = (form.get("name"), form.get("email"), form.get("postal"));
    errors.require("name", &name, NAME_CHARS_MAX, "Enter your name.");
    errors.email("email", &email);
    errors.limit("postal", &postal, POSTAL_CHARS_MAX);
    let agrees_to = Some(form.get("agree")).filter(|wording| !wording.is_empty());
    if !errors.is_empty() {
        let (box_id, words) = WORDING;
        let join = Join {
            errors: errors.summary(),
            name: errors.field("name", name),
            email: errors.field("email", email),
            postal: errors.field("postal", postal),
            agree: (box_id, words, agrees_to.is_some()),
            carried: carried_in(&form),
            ..Join::default()
        };
        return page(&app, &slug, None, join, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let person = app.engine().vault().person_id(&email);
    let attendee = Attendee { name: name.clone(), email, postal: Some(postal).filter(|text| !text.is_empty()) };
    let profile = app.seal(person, ATTENDEE, &attendee)?;
    let came = Some(arrival(&form));
    let command = Command::Attendance(attendance::Command::Join { rally: id, person, profile, came, agrees_to });
    let mut key = format!("join:{id}:{person}");
    if let Some(erasure) = app.engine().world().state.privacy.erasure(person) {
        // Whoever comes back after an erasure joins anew: it is no repeat of what was erased.
        key.push_str(&format!(":{}", erasure.id));
    }
    app.engine().execute(command, key, &format!("attendee:{person}")).await?;
    let cookie = visitor_cookie(&app, person, &name);
    Ok(([(SET_COOKIE, cookie)], see_other(&format!("/r/{}", rally.details.slug))).into_response())
}

/// From where the visitor came, as the form's hidden fields say.
fn arrival(form: &Form) -> Arrival {
    let carried = carried_in(form);
    let get = |name: &str| carried.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
    let refcode = get("refcode").map(|code| code.chars().take(REFCODE_CHARS_MAX).collect());
    Arrival { by: came::way(&get("via").unwrap_or_default()), refcode }
}

/// Agrees to be written to, or takes it back. The page tells what was done and not what stood before: whoever knows an address
/// can join with it, and is not to learn what its owner agreed to.
async fn letters(
    State(app): State<App>,
    Path(slug): Path<String>,
    MaybeVisitor(visitor): MaybeVisitor,
    body: Bytes,
) -> Result<Response, Problem> {
    let (rally, known) = app.rally(&slug)?;
    let person = visitor.map(|visitor| visitor.person).ok_or(attendance::Refusal::NotJoined);
    let person = person.map_err(|refusal| Problem::Refused(refusal.to_string()))?;
    let wording = Form::parse(&body).get("agree");
    let agrees = !wording.is_empty();
    let command = match agrees {
        true => attendance::Command::Agree { rally, person, wording },
        false => attendance::Command::Withdraw { rally, person },
    };
    let (key, by) = (fresh_key("letters"), format!("attendee:{person}"));
    app.engine().execute(Command::Attendance(command), key, &by).await?;
    let answer = if agrees { "yes" } else { "no" };
    Ok(see_other(&format!("/r/{}?letters={answer}", known.details.slug)))
}
