//! `/host/sign-in`.

use askama::Template;

use crate::clock;
use crate::domain::id::PersonId;
use crate::domain::{Command, staff};
use crate::web::form::Form;
use crate::web::problem::{Problem, internal};
use crate::web::session::{Staff, csrf_matches, no_staff_cookie, staff_cookie};
use crate::web::view::{Field, Layout};
use crate::web::{App, fresh_key, see_other};
use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};

/// The sign-in form.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/sign_in.html")]
pub struct SignIn {
    /// The frame around the page.
    pub layout: Layout,
    /// Where to go afterwards, sent back in field `next`.
    pub next: String,
    /// Field `email`.
    pub email: Field,
    /// Why the form was refused, one sentence for the whole form.
    pub error: Option<String>,
}

/// The least characters of a password (NIST SP 800-63B asks for 8 with a second factor, and for more without).
pub const PASSWORD_CHARS_MIN: usize = 12;
/// The most bytes of a password that are hashed: longer ones only cost time.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// Wrong passwords for one account in [`FAILURES_SECONDS`]: a person mistypes a few times.
const FAILURES_MAX: u32 = 10;
const FAILURES_SECONDS: i64 = 15 * 60;
/// Accounts whose failures are remembered: more is somebody trying names, and the oldest are forgotten.
const FAILURES_KEPT: usize = 10_000;

/// Wrong passwords for one account.
pub struct Failures {
    count: u32,
    since: i64,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/host/sign-in", get(show).post(sign_in)).route("/host/sign-out", post(sign_out))
}

async fn show(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Html<String>, Problem> {
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    page(&app, query.get("next"), String::new(), None)
}

fn page(app: &App, next: String, email: String, error: Option<String>) -> Result<Html<String>, Problem> {
    let layout = app.layout("Sign in", None);
    let page = SignIn { layout, next, email: Field { value: email, error: None }, error };
    Ok(Html(page.render()?))
}

async fn sign_in(State(app): State<App>, body: Bytes) -> Result<Response, Problem> {
    let form = Form::parse(&body);
    let (email, next) = (form.get("email"), form.get("next"));
    let staff = app.engine().vault().person_id(&email);
    let again = |status: StatusCode, error: &str| {
        Ok((status, page(&app, next.clone(), email.clone(), Some(error.into()))?).into_response())
    };
    if too_many_failures(&app, staff) {
        return again(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many wrong passwords for this account. Wait a quarter of an hour, then try again.",
        );
    }
    let member = app.engine().world().state.staff.get(&staff).cloned();
    let account = member.and_then(|member| app.open_account(staff, &member.account));
    // Without an account a hash is checked all the same, so that the time taken does not tell who has one.
    let hash = account.map(|account| account.password_hash);
    if !verify(&app, form.raw("password").to_owned(), hash).await? {
        note_failure(&app, staff);
        return again(
            StatusCode::UNPROCESSABLE_ENTITY,
            "E-mail and password do not fit together. Check both and try again.",
        );
    }
    app.sign_in_failures().remove(&staff);
    // Only to an address of our own: a link to the sign-in page must not lead on to somebody else's.
    let next =
        if next.starts_with('/') && !next.starts_with("//") && !next.contains('\\') { next } else { "/host".into() };
    Ok(([(SET_COOKIE, staff_cookie(&app, staff))], see_other(&next)).into_response())
}

async fn sign_out(State(app): State<App>, staff: Staff, body: Bytes) -> Result<Response, Problem> {
    if !csrf_matches(&staff, &Form::parse(&body).get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let command = Command::Staff(staff::Command::RevokeSessions { staff: staff.id });
    app.engine().execute(command, fresh_key("sign-out"), &staff.actor()).await?;
    Ok(([(SET_COOKIE, no_staff_cookie(&app))], see_other("/host/sign-in")).into_response())
}

fn too_many_failures(app: &App, staff: PersonId) -> bool {
    let now = clock::now().timestamp();
    let failures = app.sign_in_failures();
    failures.get(&staff).is_some_and(|seen| seen.count >= FAILURES_MAX && now - seen.since < FAILURES_SECONDS)
}

fn note_failure(app: &App, staff: PersonId) {
    let now = clock::now().timestamp();
    let mut failures = app.sign_in_failures();
    if failures.len() >= FAILURES_KEPT {
        failures.retain(|_, seen| now - seen.since < FAILURES_SECONDS && seen.count >= FAILURES_MAX);
        if failures.len() >= FAILURES_KEPT {
            failures.clear();
        }
    }
    let seen = failures.entry(staff).or_insert(Failures { count: 0, since: now });
    if now - seen.since >= FAILURES_SECONDS {
        *seen = Failures { count: 0, since: now };
    }
    seen.count = seen.count.saturating_add(1);
}

/// An argon2id hash in PHC form.
///
/// # Errors
/// [`Problem::Internal`].
pub async fn hash(app: &App, password: String) -> Result<String, Problem> {
    let _place = app.hashing().acquire().await.map_err(|error| internal(&error))?;
    let hashed = tokio::task::spawn_blocking(move || hash_blocking(&password)).await;
    hashed.map_err(|error| internal(&error))?.map_err(|error| internal(&error))
}

/// An argon2id hash in PHC form; takes a core for a tenth of a second.
///
/// # Errors
/// Those of the hash.
pub fn hash_blocking(password: &str) -> Result<String, argon2::password_hash::Error> {
    Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string())
}

async fn verify(app: &App, password: String, hash: Option<String>) -> Result<bool, Problem> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Ok(false);
    }
    let _place = app.hashing().acquire().await.map_err(|error| internal(&error))?;
    let checked = tokio::task::spawn_blocking(move || match hash {
        Some(hash) => {
            let parsed = PasswordHash::new(&hash);
            parsed.is_ok_and(|parsed| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
        }
        None => {
            let _ = hash_blocking(&password);
            false
        }
    });
    checked.await.map_err(|error| internal(&error))
}
