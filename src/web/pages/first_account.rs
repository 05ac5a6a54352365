//! `/host/first/{token}`: the first member of staff.

use askama::Template;

use super::sign_in::{self, PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};
use crate::domain::profile::Account;
use crate::domain::seals::ACCOUNT;
use crate::domain::staff::Role;
use crate::domain::{Command, staff};
use crate::web::form::{Errors, Form};
use crate::web::problem::Problem;
use crate::web::session::staff_cookie;
use crate::web::view::{Field, FormError, Layout};
use crate::web::{App, see_other};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use subtle::ConstantTimeEq;

/// The form that makes the first account; it is sent to the address it stands under.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/first_account.html")]
pub struct FirstAccount {
    /// The frame around the page.
    pub layout: Layout,
    /// Where the form is sent.
    pub action: String,
    /// What is wrong, when the form was refused.
    pub errors: Vec<FormError>,
    /// Field `name`.
    pub name: Field,
    /// Field `email`.
    pub email: Field,
    /// What is wrong with field `password`; it is never shown again.
    pub password_error: Option<String>,
    /// The least characters a password has.
    pub password_chars_min: u32,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/host/first/{token}", get(show).post(make))
}

async fn show(State(app): State<App>, Path(token): Path<String>) -> Result<Html<String>, Problem> {
    check(&app, &token)?;
    page(&app, &token, &Form::default(), &Errors::default())
}

fn check(app: &App, token: &str) -> Result<(), Problem> {
    let expected = app.first_link().and_then(|link| link.rsplit_once('/').map(|(_, token)| token.to_owned()));
    let fits = expected.is_some_and(|expected| expected.as_bytes().ct_eq(token.as_bytes()).into());
    if fits {
        Ok(())
    } else {
        Err(Problem::Refused("this link was used already, or belongs to an earlier start of the server. Sign in, or look for a newer link in the server's output".into()))
    }
}

fn page(app: &App, token: &str, form: &Form, errors: &Errors) -> Result<Html<String>, Problem> {
    let page = FirstAccount {
        layout: app.layout("First account", None),
        action: format!("/host/first/{token}"),
        errors: errors.summary(),
        name: errors.field("name", form.get("name")),
        email: errors.field("email", form.get("email")),
        password_error: errors.of("password"),
        password_chars_min: u32::try_from(PASSWORD_CHARS_MIN).unwrap_or(12),
    };
    Ok(Html(page.render()?))
}

async fn make(State(app): State<App>, Path(token): Path<String>, body: Bytes) -> Result<Response, Problem> {
    check(&app, &token)?;
    let form = Form::parse(&body);
    let (name, email, password) = (form.get("name"), form.get("email"), form.raw("password").to_owned());
    let mut errors = Errors::default();
    errors.require("name", &name, super::rally::NAME_CHARS_MAX, "Enter your name.");
    errors.email("email", &email);
    if password.chars().count() < PASSWORD_CHARS_MIN || password.len() > PASSWORD_BYTES_MAX {
        errors.add("password", format!("Use at least {PASSWORD_CHARS_MIN} characters; a few words are fine."));
    }
    if !errors.is_empty() {
        let page = page(&app, &token, &form, &errors)?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    let staff = app.engine().vault().person_id(&email);
    let password_hash = sign_in::hash(&app, password).await?;
    let account = app.seal(staff, ACCOUNT, &Account { name, email, password_hash })?;
    let command = Command::Staff(staff::Command::Add { staff, role: Role::Owner, account, first: true });
    app.engine().execute(command, "staff:first".into(), &format!("staff:{staff}")).await?;
    app.close_first_link();
    Ok(([(SET_COOKIE, staff_cookie(&app, staff))], see_other("/host?done=account")).into_response())
}
