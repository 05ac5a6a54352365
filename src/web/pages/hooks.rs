//! `/finance/webhooks`: who outside is told what happens to money, how each one stands, and what could not be delivered.

use crate::domain::hook::{self, Added, Hook, Kind, NAME_CHARS_MAX, Refusal, Shape, sealed_for};
use crate::domain::id::HookId;
use crate::domain::seals::HOOK_CREDENTIALS;
use crate::domain::{self, Command};
use crate::engine::Failure;
use crate::hooks::{Standing, secrets};
use crate::web::form::{Errors, Form};
use crate::web::problem::{Problem, internal, sentence};
use crate::web::session::{Staff, csrf_matches};
use crate::web::view::{Choice, Field, FormError, Layout, StaffRoom};
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

/// Dead letters shown of one receiver.
const DEAD_SHOWN: usize = 20;
/// Characters of a user name and of a password.
const CREDENTIAL_CHARS_MAX: usize = 200;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/hooks.html")]
pub struct HooksPage {
    /// The frame around the page.
    pub layout: Layout,
    /// A receiver's secret, for who asked to see it.
    pub secret: Option<Secret>,
    /// The receivers.
    pub lines: Vec<HookLine>,
    /// What is wrong with what was typed.
    pub errors: Vec<FormError>,
    /// Field `name`.
    pub called: Field,
    /// Field `address`.
    pub address: Field,
    /// Field `shape`.
    pub shapes: Vec<Choice>,
    /// Field `kind`, once for each that is ticked.
    pub kinds: Vec<Choice>,
    /// What is wrong with the kinds.
    pub kinds_error: Option<String>,
    /// Field `personal`, a box.
    pub personal: bool,
    /// What is wrong with that.
    pub personal_error: Option<String>,
    /// Field `username`.
    pub username: Field,
    /// Field `password`; its value is never shown again.
    pub password: Field,
    /// The form's own id: sent twice, it adds one receiver.
    pub form: String,
    /// The ledger's newest event.
    pub newest: u64,
}

/// What a receiver's messages are signed with.
#[derive(Debug, Clone)]
pub struct Secret {
    /// Whose.
    pub name: String,
    /// As libraries of Standard Webhooks read it.
    pub secret: String,
    /// Whether the one before still signs too.
    pub both: bool,
}

/// A receiver.
#[derive(Debug, Clone)]
pub struct HookLine {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// What it is told: `donation.settled, donation.refunded`.
    pub kinds: String,
    /// `ActBlue’s shape` or empty.
    pub shape: &'static str,
    /// Whether it is told who gave.
    pub personal: bool,
    /// Whether it is told now.
    pub on: bool,
    /// The colour of its pill.
    pub look: &'static str,
    /// `Takes messages`, `Takes nothing`, `Switched off`.
    pub pill: &'static str,
    /// How it stands, in a sentence or two.
    pub words: String,
    /// Where its forms go.
    pub href: String,
    /// What could not be delivered, the first first.
    pub dead: Vec<DeadLine>,
    /// How many more there are.
    pub dead_more: usize,
}

/// A dead letter.
#[derive(Debug, Clone)]
pub struct DeadLine {
    /// The event it tells of.
    pub seq: u64,
    /// Why, and since when.
    pub words: String,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/finance/webhooks", get(show).post(add)).route("/finance/webhooks/{id}", post(change))
}

fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::Settled => "A donation settled",
        Kind::Refunded => "A donation was refunded",
        Kind::RefundReversed => "A refund failed afterwards",
        Kind::Disputed => "A dispute took the money",
        Kind::DisputeReversed => "A dispute gave it back",
        Kind::Returned => "A bank took a debit back",
        Kind::RecurringStarted => "A recurring gift began",
        Kind::RecurringChanged => "A recurring gift was changed, paused or resumed",
        Kind::RecurringEnded => "A recurring gift ended",
    }
}

fn told(at: DateTime<Utc>) -> String {
    at.format("%B %-d, %Y, %H:%M UTC").to_string()
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
    secret: Option<Secret>,
) -> Result<Response, Problem> {
    let (hooks, newest): (Vec<(HookId, Hook)>, u64) = {
        let world = app.engine().world();
        (world.state.hooks.iter().map(|(id, hook)| (id, hook.clone())).collect(), world.seq)
    };
    // A form that nobody has touched offers what most receivers want.
    let is_fresh = !typed.has("form");
    let ticked = typed.all("kind");
    let kind = |kind: Kind| Choice {
        value: kind.word().into(),
        label: words(kind).into(),
        selected: if is_fresh {
            matches!(kind, Kind::Settled | Kind::Refunded)
        } else {
            ticked.iter().any(|one| one == kind.word())
        },
    };
    let chosen = typed.get("shape");
    let shape = |shape: Shape, label: &str| Choice {
        value: shape.word().into(),
        label: label.into(),
        selected: chosen == shape.word(),
    };
    let page = HooksPage {
        layout: Layout { notice: notice(query), ..app.staff_layout("Webhooks", staff, StaffRoom::Finance, None) },
        secret,
        lines: hooks.into_iter().map(|(id, hook)| line(id, hook, &app.hook_standings().of(id))).collect(),
        errors: errors.summary(),
        called: errors.field("name", typed.get("name")),
        address: errors.field("address", typed.get("address")),
        shapes: vec![
            shape(Shape::Groundswell, "Groundswell’s own JSON"),
            shape(Shape::Actblue, "As ActBlue sends it, for tools that take that"),
        ],
        kinds: Kind::ALL.into_iter().map(kind).collect(),
        kinds_error: errors.of("kind"),
        personal: typed.has("personal"),
        personal_error: errors.of("personal"),
        username: errors.field("username", typed.get("username")),
        password: errors.field("password", ""),
        form: Some(typed.get("form")).filter(|form| !form.is_empty()).unwrap_or_else(|| Uuid::now_v7().to_string()),
        newest,
    };
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok((status, Html(page.render()?)).into_response())
}

fn line(id: HookId, hook: Hook, standing: &Standing) -> HookLine {
    let dead = hook.dead.iter().take(DEAD_SHOWN).map(|(seq, dead)| DeadLine {
        seq: *seq,
        words: format!("{} Given up {}.", sentence(&dead.reason), told(dead.at)),
    });
    let dead: Vec<DeadLine> = dead.collect();
    let (look, pill) = match (hook.on, &standing.failing) {
        (false, _) => ("", "Switched off"),
        (true, Some(_)) => ("bad", "Takes nothing"),
        (true, None) => ("good", "Is told"),
    };
    let Added { name, address, kinds, shape, personal, .. } = hook.added;
    HookLine {
        name,
        address,
        kinds: kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", "),
        shape: match shape {
            Shape::Groundswell => "",
            Shape::Actblue => "ActBlue’s shape",
        },
        personal,
        on: hook.on,
        look,
        pill,
        words: standing_words(standing),
        href: format!("/finance/webhooks/{id}"),
        dead_more: hook.dead.len().saturating_sub(dead.len()),
        dead,
    }
}

fn standing_words(standing: &Standing) -> String {
    let mut words = vec![];
    if let Some(failing) = &standing.failing {
        let since = told(failing.since);
        let times = if failing.tries == 1 { "once".into() } else { format!("{} times", failing.tries) };
        words.push(format!("{} Tried {times} since {since}.", sentence(&failing.reason)));
    }
    match standing.waiting {
        0 => {}
        1 => words.push("1 message waits.".into()),
        more => words.push(format!("{} messages wait.", present::count(more))),
    }
    if let Some(at) = standing.taken_at {
        words.push(format!("Last took one {}.", told(at)));
    } else if words.is_empty() {
        words.push("Nothing was sent since the server started.".into());
    }
    words.join(" ")
}

async fn add(State(app): State<App>, staff: Staff, body: Bytes) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(&body);
    if !csrf_matches(&staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let again = |errors: &Errors| page(&app, &staff, &Form::default(), &form, errors, None);
    let hook = HookId(form.get("form").parse().map_err(|_| Problem::Malformed("the form has lost its id".into()))?);
    let kinds = form.all("kind").iter().map(|kind| kind.parse()).collect::<Result<Vec<Kind>, _>>();
    let (kinds, shape) = (kinds.map_err(Problem::Malformed)?, form.get("shape").parse().map_err(Problem::Malformed)?);
    let mut errors = Errors::default();
    let (name, address) = (form.get("name"), form.get("address"));
    errors.require("name", &name, NAME_CHARS_MAX, "Say who is told");
    if !address.starts_with("https://") && !app.private_webhooks() {
        errors.add("address", "The address begins with https://, like https://crm.example.org/webhooks");
    }
    let (username, password) = (form.get("username"), form.raw("password"));
    errors.limit("username", &username, CREDENTIAL_CHARS_MAX);
    errors.limit("password", password, CREDENTIAL_CHARS_MAX);
    if username.contains(':') {
        errors.add("username", "A user name has no colon in it");
    }
    if username.is_empty() && !password.is_empty() {
        errors.add("username", "Give the user name that the password is for");
    }
    if !errors.is_empty() {
        return again(&errors);
    }
    let credentials = if username.is_empty() {
        None
    } else {
        let text = format!("{username}:{password}");
        let sealed = app.engine().vault().seal(sealed_for(hook), HOOK_CREDENTIALS, text.as_bytes());
        Some(sealed.map_err(|fault| internal(&fault))?)
    };
    let (personal, after) = (form.has("personal"), app.engine().world().seq);
    let added = Added { hook, name, address, kinds, shape, personal, credentials, after };
    let command = Command::Hook(hook::Command::Add(added));
    match app.engine().execute(command, format!("hook:{hook}"), &staff.actor()).await {
        Ok(_) => Ok(see_other("/finance/webhooks?done=hook")),
        Err(Failure::Refused(domain::Refusal::Hook(refusal))) => {
            errors.add(field_of(&refusal), sentence(&refusal.to_string()));
            again(&errors)
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Where in the form it is wrong.
fn field_of(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Address => "address",
        Refusal::NoKind => "kind",
        Refusal::NeedsPersonal => "personal",
        Refusal::NameLength
        | Refusal::TooMany
        | Refusal::Unknown
        | Refusal::NoLetter
        | Refusal::From
        | Refusal::Told => "name",
    }
}

async fn change(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(&body);
    if !csrf_matches(&staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let id: HookId = id.parse().map_err(|_| Problem::NotFound)?;
    let number = |name: &str| {
        let read = form.get(name).parse::<u64>();
        read.map_err(|_| Problem::Malformed("give an event’s number, like 18204".into()))
    };
    let (command, done) = match form.get("do").as_str() {
        "secret" => return secret(&app, &staff, id),
        "rotate" => (hook::Command::Rotate { hook: id }, None),
        "on" => (hook::Command::Switch { hook: id, on: true }, Some("hook-on")),
        "off" => (hook::Command::Switch { hook: id, on: false }, Some("hook-off")),
        "remove" => (hook::Command::Remove { hook: id }, Some("hook-removed")),
        "replay" => (hook::Command::Replay { hook: id, from: number("from")? }, Some("hook-replay")),
        "again" => (hook::Command::SendAgain { hook: id, seq: number("seq")? }, Some("hook-again")),
        _ => return Err(Problem::Malformed("that is nothing that can be done with a webhook".into())),
    };
    app.engine().execute(Command::Hook(command), fresh_key("hook-do"), &staff.actor()).await?;
    match done {
        Some(done) => Ok(see_other(&format!("/finance/webhooks?done={done}"))),
        // Who asked for a new one wants to see it.
        None => secret(&app, &staff, id),
    }
}

fn secret(app: &App, staff: &Staff, id: HookId) -> Result<Response, Problem> {
    let hook = app.engine().world().state.hooks.get(id).cloned().ok_or(Problem::NotFound)?;
    let all = secrets(&hook, app.engine().vault(), app.engine().clock());
    let both = all.len() > 1;
    let secret = all.into_iter().next().ok_or(Problem::NotFound)?;
    let shown = Secret { name: hook.added.name, secret, both };
    page(app, staff, &Form::default(), &Form::default(), &Errors::default(), Some(shown))
}
