//! Who is asking: staff by a signed cookie, visitors by another. Nothing is kept on the server but the signing secret.

use super::App;
use super::form::Form;
use super::problem::Problem;
use crate::clock;
use crate::domain::id::{PersonId, RallyId};
use crate::domain::staff::Role;
use crate::vault::Vault;
use axum::extract::FromRequestParts;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::convert::Infallible;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// How long staff stay signed in: an evening and its preparation.
const STAFF_SECONDS: i64 = 16 * 3600;
/// How long a visitor is known: a season of rallies.
const VISITOR_SECONDS: i64 = 180 * 86_400;
const STAFF_COOKIE: &str = "groundswell_staff";
const VISITOR_COOKIE: &str = "groundswell_me";
/// A cookie's longest text that is looked at: ours are below 500 bytes.
const COOKIE_BYTES_MAX: usize = 2_048;

/// A signed-in member of staff.
#[derive(Clone, Debug)]
pub struct Staff {
    /// Who.
    pub id: PersonId,
    /// What they may do.
    pub role: Role,
    /// Their name, for the page's corner.
    pub name: String,
    /// Every form on their pages sends this back.
    pub csrf: String,
}

impl Staff {
    /// Lets hosts through.
    ///
    /// # Errors
    /// [`Problem::Forbidden`].
    pub fn hosts(self) -> Result<Self, Problem> {
        if self.role.hosts() {
            Ok(self)
        } else {
            Err(Problem::Forbidden("Running rallies is for hosts. Ask an owner to give you that role."))
        }
    }

    /// Lets those through who may see money.
    ///
    /// # Errors
    /// [`Problem::Forbidden`].
    pub fn sees_money(self) -> Result<Self, Problem> {
        if self.role.sees_money() {
            Ok(self)
        } else {
            Err(Problem::Forbidden("Donors and exports are for the finance team. Ask an owner to give you that role."))
        }
    }

    /// As the log names them.
    pub fn actor(&self) -> String {
        format!("staff:{}", self.id)
    }
}

impl FromRequestParts<App> for Staff {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let next = if parts.method == Method::GET { parts.uri.path().to_owned() } else { "/host".into() };
        signed_in(app, &parts.headers).ok_or(Problem::SignIn { next })
    }
}

fn signed_in(app: &App, headers: &HeaderMap) -> Option<Staff> {
    let vault = app.engine().vault();
    let token = cookie(headers, STAFF_COOKIE)?;
    let payload = open(vault, STAFF_COOKIE, token)?;
    let (id, issued_at) = payload.split_once('.')?;
    let (id, issued_at): (PersonId, i64) = (id.parse().ok()?, issued_at.parse().ok()?);
    let age = clock::now().timestamp_millis().saturating_sub(issued_at);
    if !(0..=STAFF_SECONDS.saturating_mul(1000)).contains(&age) {
        return None;
    }
    let member = app.engine().world().state.staff.get(&id)?.clone();
    if member.revoked_before.is_some_and(|instant| issued_at <= instant.timestamp_millis()) {
        return None;
    }
    let account = app.open_account(id, &member.account)?;
    Some(Staff { id, role: member.role, name: account.name, csrf: csrf_of(vault, token) })
}

/// The token that forms of this session send back.
fn csrf_of(vault: &Vault, session: &str) -> String {
    URL_SAFE_NO_PAD.encode(vault.derive("csrf", session.as_bytes()))
}

/// Whether a form's token is the session's own, in constant time.
pub fn csrf_matches(staff: &Staff, sent: &str) -> bool {
    staff.csrf.as_bytes().ct_eq(sent.as_bytes()).into()
}

/// Checks the form of a host and finds the rally it is about.
///
/// # Errors
/// [`Problem`] for who may not host, a form that is not this session's, and a rally that there is not.
pub fn host_form(app: &App, staff: Staff, slug: &str, body: &[u8]) -> Result<(Staff, Form, RallyId), Problem> {
    let staff = staff.hosts()?;
    let form = Form::parse(body);
    if !csrf_matches(&staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let (rally, _) = app.rally(slug)?;
    Ok((staff, form, rally))
}

/// The `Set-Cookie` value that signs a member of staff in.
pub fn staff_cookie(app: &App, id: PersonId) -> String {
    let token = sign(app.engine().vault(), STAFF_COOKIE, &format!("{id}.{}", clock::now().timestamp_millis()));
    set_cookie(app, STAFF_COOKIE, &token, STAFF_SECONDS)
}

/// The `Set-Cookie` value that signs out.
pub fn no_staff_cookie(app: &App) -> String {
    set_cookie(app, STAFF_COOKIE, "", 0)
}

/// A visitor who joined a rally once.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Who.
    pub person: PersonId,
    /// The name they gave, kept in their own browser only.
    pub name: String,
}

/// Who is watching, if they joined a rally before.
#[derive(Clone, Debug)]
pub struct MaybeVisitor(pub Option<Visitor>);

impl FromRequestParts<App> for MaybeVisitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let known = cookie(&parts.headers, VISITOR_COOKIE).and_then(|token| {
            let payload = open(app.engine().vault(), VISITOR_COOKIE, token)?;
            let (person, name) = payload.split_once('.')?;
            Some(Visitor { person: person.parse().ok()?, name: name.into() })
        });
        Ok(Self(known))
    }
}

/// The `Set-Cookie` value by which a visitor is known when they return.
pub fn visitor_cookie(app: &App, person: PersonId, name: &str) -> String {
    let token = sign(app.engine().vault(), VISITOR_COOKIE, &format!("{person}.{name}"));
    set_cookie(app, VISITOR_COOKIE, &token, VISITOR_SECONDS)
}

/// A capability in an address: nobody guesses it, and the same content gives the same one.
pub fn capability(vault: &Vault, context: &str, content: &[u8]) -> Uuid {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(vault.derive(context, content)).for_each(|(to, from)| *to = from);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn set_cookie(app: &App, name: &str, value: &str, seconds: i64) -> String {
    let secure = if app.public_url().starts_with("https://") { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

/// A text that only this server can have written for this purpose.
pub fn sign(vault: &Vault, purpose: &str, payload: &str) -> String {
    let mac = vault.derive(purpose, payload.as_bytes());
    format!("{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(mac))
}

/// What [`sign`] was given, if this server signed it for this purpose.
pub fn open(vault: &Vault, purpose: &str, token: &str) -> Option<String> {
    let (payload, mac) = token.split_once('.')?;
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
    let fits: bool = vault.derive(purpose, &payload).ct_eq(mac.as_slice()).into();
    if fits { String::from_utf8(payload).ok() } else { None }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value).filter(|value| value.len() <= COOKIE_BYTES_MAX)
}
