//! `/finance/tokens`: programs that may read the API.

use crate::domain::id::{PersonId, TokenId};
use crate::domain::money::group_thousands;
use crate::domain::token::{Created, NAME_CHARS_MAX, Scope, Token};
use crate::domain::{Command, Refusal, token};
use crate::engine::Failure;
use crate::web::form::{Errors, Form};
use crate::web::problem::{Problem, sentence};
use crate::web::session::{Staff, csrf_matches};
use crate::web::token::{REQUESTS_PER_MINUTE_MAX, hash, new_secret};
use crate::web::view::{Field, FormError, Layout, StaffRoom};
use crate::web::{App, fresh_key, notice, present, see_other};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/tokens.html")]
pub struct TokensPage {
    /// The frame around the page.
    pub layout: Layout,
    /// A token that was made just now, told this once.
    pub made: Option<Made>,
    /// The tokens that work, the newest first.
    pub lines: Vec<TokenLine>,
    /// What is wrong with what was typed.
    pub errors: Vec<FormError>,
    /// Field `name`.
    pub called: Field,
    /// Field `scope`, once for each that is ticked.
    pub scopes: Vec<ScopeChoice>,
    /// What is wrong with the scopes.
    pub scopes_error: Option<String>,
    /// The form's own id: sent twice, it makes one token.
    pub form: String,
    /// How to ask, for whoever writes the program.
    pub example: String,
    /// Requests a minute: `1,200`.
    pub requests_max: String,
}

/// A token that was made just now.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its name.
    pub name: String,
    /// Its secret.
    pub secret: String,
}

/// A token that works.
#[derive(Debug, Clone)]
pub struct TokenLine {
    /// Its name.
    pub name: String,
    /// What it may read: `totals, donations`.
    pub scopes: String,
    /// Whether that is personal data.
    pub personal: bool,
    /// `Ana Ruiz, March 3, 2028`.
    pub made: String,
    /// `March 3, 2028, 14:05 UTC`, or that it was not used since the server started.
    pub used: String,
    /// Where the form goes that revokes it.
    pub revoke: String,
}

/// A scope to tick.
#[derive(Debug, Clone)]
pub struct ScopeChoice {
    /// What the form sends.
    pub value: &'static str,
    /// What it lets a program read.
    pub words: &'static str,
    /// Whether it is ticked.
    pub ticked: bool,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/finance/tokens", get(show).post(create)).route("/finance/tokens/{id}/revoke", post(revoke))
}

fn words(scope: Scope) -> &'static str {
    match scope {
        Scope::Totals => "Sums by rally, day range and committee; the list of rallies.",
        Scope::Donations => "Every donation and refund: sums, dates and ids. Nobody’s name.",
        Scope::Donors => "Who gave: names, addresses, employers; and the files that have them. Only with donations.",
        Scope::Attendance => {
            "How many people joined, are here, were here at most. With who gave also the files of who came and who agreed to be written to."
        }
    }
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    page(&app, &staff, &query, &Form::default(), &Errors::default(), None)
}

fn page(
    app: &App,
    staff: &Staff,
    query: &Form,
    typed: &Form,
    errors: &Errors,
    made: Option<Made>,
) -> Result<Response, Problem> {
    let mut tokens: Vec<(TokenId, Token)> =
        app.engine().world().state.tokens.iter().map(|(id, token)| (id, token.clone())).collect();
    tokens.sort_by_key(|(id, token)| (std::cmp::Reverse(token.at), *id));
    let ticked = if made.is_some() { &[] } else { typed.all("scope") };
    let choice = |scope: Scope| ScopeChoice {
        value: scope.word(),
        words: words(scope),
        ticked: ticked.iter().any(|one| one == scope.word()),
    };
    // One that was sent with mistakes makes its token when they are mended.
    let form = Some(typed.get("form")).filter(|form| !form.is_empty() && made.is_none());
    let page = TokensPage {
        layout: Layout {
            notice: notice(query),
            ..app.staff_layout("Programs that read the ledger", staff, StaffRoom::Finance, None)
        },
        lines: tokens.into_iter().map(|(id, token)| line(app, id, token)).collect(),
        errors: errors.summary(),
        called: errors.field("name", if made.is_some() { String::new() } else { typed.get("name") }),
        scopes: Scope::ALL.into_iter().map(choice).collect(),
        scopes_error: errors.of("scope"),
        form: form.unwrap_or_else(|| Uuid::now_v7().to_string()),
        example: format!("curl -H \"Authorization: Bearer $TOKEN\" {}/api/v1/totals", app.public_url()),
        requests_max: group_thousands(REQUESTS_PER_MINUTE_MAX.into()),
        made,
    };
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok((status, Html(page.render()?)).into_response())
}

fn line(app: &App, id: TokenId, token: Token) -> TokenLine {
    let used = app.token_uses().last(id);
    let day = |at: DateTime<Utc>| at.format("%B %-d, %Y").to_string();
    TokenLine {
        name: token.name,
        scopes: token.scopes.iter().map(|scope| scope.word()).collect::<Vec<_>>().join(", "),
        personal: token.scopes.contains(&Scope::Donors),
        made: format!("{}, {}", name_of(app, token.by), day(token.at)),
        used: match used {
            Some(at) => at.format("%B %-d, %Y, %H:%M UTC").to_string(),
            None => "Not since the server started".into(),
        },
        revoke: format!("/finance/tokens/{id}/revoke"),
    }
}

fn name_of(app: &App, staff: PersonId) -> String {
    let account = app.engine().world().state.staff.get(&staff).map(|member| member.account.clone());
    let account = account.and_then(|account| app.open_account(staff, &account));
    account.map_or_else(|| present::ERASED.into(), |account| account.name)
}

async fn create(State(app): State<App>, staff: Staff, body: Bytes) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(&body);
    if !csrf_matches(&staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let token = TokenId(form.get("form").parse().map_err(|_| Problem::Malformed("the form has lost its id".into()))?);
    let scopes = form.all("scope").iter().map(|scope| scope.parse()).collect::<Result<Vec<Scope>, _>>();
    let (name, scopes) = (form.get("name"), scopes.map_err(Problem::Malformed)?);
    let mut errors = Errors::default();
    errors.require("name", &name, NAME_CHARS_MAX, "Say which program it is for");
    if scopes.is_empty() {
        errors.add("scope", "Choose what it may read: one thing at least");
    }
    if scopes.contains(&Scope::Donors) && !scopes.contains(&Scope::Donations) {
        errors.add("scope", "Donors are told with donations: tick those too");
    }
    if !errors.is_empty() {
        return page(&app, &staff, &Form::default(), &form, &errors, None);
    }
    let secret = new_secret()?;
    let hash = hash(app.engine().vault(), &secret);
    let created = Created { token, name: name.clone(), scopes, hash, by: staff.id };
    let command = Command::Token(token::Command::Create(created));
    match app.engine().execute(command, format!("token:{token}"), &staff.actor()).await {
        // Made before: its secret was told then.
        Ok(receipt) if receipt.repeated || receipt.count == 0 => Ok(see_other("/finance/tokens")),
        Ok(_) => page(&app, &staff, &Form::default(), &form, &errors, Some(Made { name, secret })),
        Err(Failure::Refused(Refusal::Token(refusal))) => {
            errors.add("name", sentence(&refusal.to_string()));
            page(&app, &staff, &Form::default(), &form, &errors, None)
        }
        Err(failure) => Err(failure.into()),
    }
}

async fn revoke(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    if !csrf_matches(&staff, &Form::parse(&body).get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let token: TokenId = id.parse().map_err(|_| Problem::NotFound)?;
    let command = Command::Token(token::Command::Revoke { token });
    app.engine().execute(command, fresh_key("revoke-token"), &staff.actor()).await?;
    app.token_uses().forget(token);
    Ok(see_other("/finance/tokens?done=revoked"))
}
