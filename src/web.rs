//! What a browser sees. The router is the table of contents; each page has its routes, handlers and template struct in
//! `pages/`.

pub mod accent;
pub mod assets;
pub mod came;
pub mod form;
pub mod gift;
pub mod known;
pub mod pages;
pub mod present;
pub mod problem;
pub mod prompt;
pub mod qr;
pub mod screen;
pub mod serve;
pub mod session;
pub mod token;
pub mod view;

use crate::domain::id::{DonationId, PersonId, RallyId};
use crate::domain::privacy::{self, Access};
use crate::domain::profile::Account;
use crate::domain::rally::{Details, Rally, Speaker};
use crate::domain::sealed::Sealed;
use crate::domain::seals::ACCOUNT;
use crate::engine::Engine;
use crate::hooks::Standings;
use crate::live::Live;
use crate::live::presence::Presence;
use crate::media::clip::Shelf;
use crate::media::ingest::whip::Whip;
use crate::media::{Media, gate};
use crate::payments::Mode;
use crate::payments::cashier::Cashier;
use crate::payments::cashiers::Cashiers;
use crate::report::contacts::Contacts;
use crate::report::desk::Desk;
use crate::report::looked::Looked;
use crate::report::names::{self, Names};
use crate::report::who;
use accent::Accent;
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use parking_lot::Mutex;
use problem::Problem;
use screen::{Screen, Sender};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serve::Peer;
use session::Staff;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::timeout::TimeoutLayer;
use view::{Layout, StaffRoom};

/// The longest form: a rally's description and its other fields, in percent encoding.
const FORM_BYTES_MAX: usize = 64 * 1024;
/// How long a request may take, bar streams: a bank's answer through the processor takes up to 30 s.
const REQUEST_MAX: Duration = Duration::from_secs(45);
/// Live connections at once: each holds a socket, so it stays below the usual limit of open files.
pub const LIVE_CONNECTIONS_MAX: usize = 16_000;
/// Password hashes computed at once: each takes a core for a tenth of a second and 19 MiB.
const HASHES_MAX: usize = 2;

/// What the pages are made with.
pub struct Settings {
    /// The address people see, without a slash at its end.
    pub public_url: String,
    /// The address encoders send to.
    pub rtmp_url: String,
    /// The campaign's name.
    pub site_name: String,
    /// Where clips are.
    pub shelf: Shelf,
    /// Proxies on other machines, whose word on the sender's address is believed.
    pub proxies: Vec<IpAddr>,
    /// Origins of the sites that may show the donate form in a frame.
    pub embed: Vec<String>,
    /// Whether webhooks may go to private networks.
    pub private_webhooks: bool,
}

/// Everything a handler needs. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    engine: Engine,
    cashiers: Cashiers,
    media: Media,
    settings: Settings,
    live: OnceLock<Live>,
    whip: OnceLock<Whip>,
    presence: Presence,
    shutdown: CancellationToken,
    /// Open while nobody has an account: the one-time link's token.
    first_token: Mutex<Option<String>>,
    sign_in_failures: Mutex<HashMap<PersonId, pages::sign_in::Failures>>,
    hashing: Semaphore,
    screen: Screen,
    live_connections: Arc<Semaphore>,
    desk: Desk,
    looked: Looked,
    names: Names,
    token_uses: token::Uses,
    hook_standings: Standings,
}

impl App {
    /// Puts the pages together.
    pub fn new(
        engine: Engine,
        cashiers: Cashiers,
        media: Media,
        settings: Settings,
        shutdown: CancellationToken,
    ) -> Self {
        let first = engine.world().state.staff.is_empty();
        let first_token = first.then(|| uuid::Uuid::new_v4().simple().to_string());
        let app = Self(Arc::new(Inner {
            presence: Presence::new(engine.clone()),
            live_connections: Arc::new(Semaphore::new(LIVE_CONNECTIONS_MAX)),
            engine: engine.clone(),
            cashiers,
            media,
            settings,
            live: OnceLock::new(),
            whip: OnceLock::new(),
            shutdown,
            first_token: Mutex::new(first_token),
            sign_in_failures: Mutex::default(),
            hashing: Semaphore::new(HASHES_MAX),
            screen: Screen::default(),
            desk: Desk::new(engine.clone()),
            looked: Looked::default(),
            names: Names::new(engine.clone(), names::PART_ROWS),
            token_uses: token::Uses::default(),
            hook_standings: Standings::default(),
        }));
        // The hub renders through the app, and the app shows the hub: a weak reference keeps the two from each other's life.
        let weak = Arc::downgrade(&app.0);
        let render = move |rally, audience| match weak.upgrade() {
            Some(inner) => present::frame(&App(inner), rally, audience),
            None => bytes::Bytes::new(),
        };
        let _ = app.0.live.set(Live::new(engine, Arc::new(render)));
        app
    }

    /// The writer and what it made visible.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The payments, by committee.
    pub fn cashiers(&self) -> &Cashiers {
        &self.0.cashiers
    }

    /// The payments of the committee that a donation is to.
    ///
    /// # Errors
    /// [`Problem::Refused`] where its account is not in the settings any more.
    pub fn cashier_for(&self, donation: DonationId) -> Result<&Cashier, Problem> {
        self.cashiers().of_donation(donation).ok_or_else(pages::donate::takes_none)
    }

    /// The broadcast.
    pub fn media(&self) -> &Media {
        &self.0.media
    }

    /// The live hub, once the app is put together.
    pub fn live(&self) -> Option<&Live> {
        self.0.live.get()
    }

    /// Takes WHIP's offers by this endpoint, from now on.
    pub fn take_offers_by(&self, whip: Whip) {
        let _ = self.0.whip.set(whip);
    }

    /// WHIP's endpoint, once it listens.
    pub fn whip(&self) -> Option<&Whip> {
        self.0.whip.get()
    }

    /// The clips' files.
    pub fn shelf(&self) -> &Shelf {
        &self.0.settings.shelf
    }

    fn presence(&self) -> &Presence {
        &self.0.presence
    }

    /// Origins of the sites that may show the donate form in a frame.
    pub fn embed(&self) -> &[String] {
        &self.0.settings.embed
    }

    /// The address people see.
    pub fn public_url(&self) -> &str {
        &self.0.settings.public_url
    }

    /// The address encoders send to.
    pub fn rtmp_url(&self) -> &str {
        &self.0.settings.rtmp_url
    }

    fn live_connections(&self) -> Arc<Semaphore> {
        self.0.live_connections.clone()
    }

    fn hashing(&self) -> &Semaphore {
        &self.0.hashing
    }

    fn sign_in_failures(&self) -> parking_lot::MutexGuard<'_, HashMap<PersonId, pages::sign_in::Failures>> {
        self.0.sign_in_failures.lock()
    }

    /// What is known of who sends gifts.
    pub fn screen(&self) -> &Screen {
        &self.0.screen
    }

    /// Where files are made.
    pub fn desk(&self) -> &Desk {
        &self.0.desk
    }

    /// What was found by looking through the whole ledger.
    pub fn looked(&self) -> &Looked {
        &self.0.looked
    }

    /// Donors' names, while somebody looks for them.
    pub fn names(&self) -> &Names {
        &self.0.names
    }

    /// When programs asked, and how often.
    pub fn token_uses(&self) -> &token::Uses {
        &self.0.token_uses
    }

    /// How each receiver of webhooks stands.
    pub fn hook_standings(&self) -> &Standings {
        &self.0.hook_standings
    }

    /// Whether webhooks may go to private networks.
    pub fn private_webhooks(&self) -> bool {
        self.0.settings.private_webhooks
    }

    /// Cancelled when the server stops.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    fn is_shutting_down(&self) -> bool {
        self.0.shutdown.is_cancelled()
    }

    fn close_first_link(&self) {
        *self.0.first_token.lock() = None;
    }

    /// The one-time link by which the first account is made, while nobody has one.
    pub fn first_link(&self) -> Option<String> {
        let token = self.0.first_token.lock().clone()?;
        Some(format!("{}/host/first/{token}", self.public_url()))
    }

    /// Whether no money moves here.
    pub fn simulated(&self) -> bool {
        self.0.cashiers.mode() == Mode::Simulated
    }

    /// The frame around a public page, in the rally's colour or the house's.
    pub fn layout(&self, title: &str, details: Option<&Details>) -> Layout {
        let accent = Accent::new(details.map_or("#d6301f", |details| details.accent.as_str()));
        let site = self.0.settings.site_name.clone();
        Layout {
            title: if title == site { site.clone() } else { format!("{title} · {site}") },
            site,
            accent: accent.light,
            on_accent: accent.on_light,
            accent_dark: accent.dark,
            on_accent_dark: accent.on_dark,
            simulated: self.simulated(),
            csrf: String::new(),
            staff: None,
            notice: None,
            framed: false,
        }
    }

    /// The frame around a staff page.
    pub fn staff_layout(&self, title: &str, staff: &Staff, room: StaffRoom, details: Option<&Details>) -> Layout {
        Layout {
            csrf: staff.csrf.clone(),
            staff: Some(view::Staff { name: staff.name.clone(), room }),
            ..self.layout(title, details)
        }
    }

    /// Seals personal data for a person.
    ///
    /// # Errors
    /// [`Problem::Internal`].
    pub fn seal<Data: Serialize>(&self, person: PersonId, context: &str, data: &Data) -> Result<Sealed, Problem> {
        let bytes = serde_json::to_vec(data).map_err(|error| problem::internal(&error))?;
        self.engine().vault().seal(person, context, &bytes).map_err(|fault| problem::internal(&fault))
    }

    /// Records that people's data is shown to a member of staff, before it is.
    ///
    /// # Errors
    /// The log can't be written.
    pub async fn shows(&self, staff: &Staff, what: &str, of: String) -> Result<(), Problem> {
        self.tells(&staff.actor(), what, of).await
    }

    /// The same of whoever asks, as the log names them.
    ///
    /// # Errors
    /// The log can't be written.
    pub async fn tells(&self, who: &str, what: &str, of: String) -> Result<(), Problem> {
        let access = Access { who: who.into(), what: what.into(), of, reason: String::new() };
        let now = self.engine().clock().now();
        let command = crate::domain::Command::Privacy(privacy::Command::View { access, now });
        self.engine().execute(command, fresh_key("view"), who).await?;
        Ok(())
    }

    /// Opens personal data; `None` where the person was erased.
    pub fn open_sealed<Data: DeserializeOwned>(
        &self,
        person: PersonId,
        context: &str,
        sealed: &Sealed,
    ) -> Option<Data> {
        match self.engine().vault().unseal(person, context, sealed) {
            Ok(bytes) => serde_json::from_slice(&bytes?).ok(),
            Err(fault) => {
                tracing::error!(%fault, "personal data could not be opened");
                None
            }
        }
    }

    /// Opens what donors said of themselves.
    pub fn contacts(&self) -> Contacts {
        Contacts::new(self.engine())
    }

    /// Opens a staff account.
    pub fn open_account(&self, staff: PersonId, sealed: &Sealed) -> Option<Account> {
        self.open_sealed(staff, ACCOUNT, sealed)
    }

    /// Who asked for an event, as people read it; of a donor's own, that it was the donor.
    pub fn name_of(&self, by: &str) -> String {
        if by.starts_with("donor:") { "the donor".into() } else { who::name(self.engine(), by) }
    }

    /// The rally at an address.
    ///
    /// # Errors
    /// [`Problem::NotFound`].
    pub fn rally(&self, slug: &str) -> Result<(RallyId, Rally), Problem> {
        let world = self.engine().world();
        world.state.rallies.find(slug).map(|(id, rally)| (id, rally.clone())).ok_or(Problem::NotFound)
    }

    /// A speaker's stream key: made from the server's secret, so that the log never holds one.
    pub fn stream_key(&self, speaker: &Speaker) -> String {
        gate::stream_key(&self.0.engine, speaker)
    }
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct SentFrom(pub Sender);

impl FromRequestParts<App> for SentFrom {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<Peer>().and_then(|peer| peer.0);
        let forwarded = parts.headers.get("x-forwarded-for").and_then(|value| value.to_str().ok());
        let proxies = &app.0.settings.proxies;
        Ok(Self(Sender::new(peer, forwarded, |address| proxies.contains(&address))))
    }
}

/// Whether a page is asked for to stand in a frame. Browsers say so; from one that does not, the page has its own header.
#[derive(Clone, Copy, Debug)]
pub struct Framed(pub bool);

impl<State: Sync> FromRequestParts<State> for Framed {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.get("sec-fetch-dest").is_some_and(|dest| dest == "iframe")))
    }
}

/// Every address, with what stands around all of them.
pub fn router(app: App) -> Router {
    // A stream must not be held back to be compressed, and pictures are compressed already.
    let compress = DefaultPredicate::new()
        .and(NotForContentType::const_new("text/event-stream"))
        .and(NotForContentType::const_new("video/"))
        .and(NotForContentType::const_new("font/"));
    let timed = Router::new()
        .merge(pages::home::routes())
        .merge(pages::rally::routes())
        .merge(pages::donate::routes())
        .merge(pages::card::routes())
        .merge(pages::thanks::routes())
        .merge(pages::plan::routes())
        .merge(pages::answer::routes())
        .merge(pages::overlay::routes())
        .merge(pages::share::routes())
        .merge(pages::goals::routes())
        .merge(pages::program::routes())
        .merge(pages::subtitles::routes())
        .merge(pages::transcript::routes())
        .merge(pages::captions::routes())
        .merge(pages::recording::routes())
        .merge(pages::sign_in::routes())
        .merge(pages::first_account::routes())
        .merge(pages::host::routes())
        .merge(pages::rally_form::routes())
        .merge(pages::studio::routes())
        .merge(pages::show::routes())
        .merge(pages::golive::routes())
        .merge(pages::clips::routes())
        .merge(pages::restream::routes())
        .merge(pages::attendance::routes())
        .merge(pages::finance::routes())
        .merge(pages::campaign::routes())
        .merge(pages::exports::routes())
        .merge(pages::filer::routes())
        .merge(pages::filing::routes())
        .merge(pages::access::routes())
        .merge(pages::periods::routes())
        .merge(pages::refunds::routes())
        .merge(pages::rules::routes())
        .merge(pages::work::routes())
        .merge(pages::duplicates::routes())
        .merge(pages::held::routes())
        .merge(pages::employers::routes())
        .merge(pages::excess::routes())
        .merge(pages::reconciliation::routes())
        .merge(pages::payout::routes())
        .merge(pages::plans::routes())
        .merge(pages::tokens::routes())
        .merge(pages::hooks::routes())
        .merge(pages::webhook::routes())
        .merge(pages::whip::routes())
        .merge(pages::speak::routes())
        .merge(pages::api::routes())
        .merge(pages::donordrive::routes())
        .route("/static/{file}", get(pages::files::file))
        .route("/favicon.ico", get(pages::files::favicon))
        .route("/healthz", get(pages::health::healthz))
        .route("/readyz", get(pages::health::readyz))
        .fallback(|| async { Problem::NotFound })
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_MAX));
    Router::new()
        .merge(timed)
        .merge(pages::live::routes())
        .merge(pages::speak::streams())
        .merge(pages::clips::upload_routes())
        .merge(pages::recording::downloads())
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(middleware::from_fn(same_site))
        .layer(CatchPanicLayer::custom(|_| Problem::Internal.into_response()))
        .layer(middleware::from_fn_with_state(app.clone(), problem::render))
        .layer(middleware::from_fn_with_state(app.clone(), security_headers))
        .layer(middleware::from_fn(log_request))
        .layer(CompressionLayer::new().compress_when(compress))
        .with_state(app)
}

/// Turns away forms that another site's page sends. Browsers say where a form comes from; programs say nothing and have no
/// cookies to steal.
async fn same_site(request: Request, next: Next) -> Response {
    // WHIP and captioners' interface are for any page and program that has the key; they look at no cookie.
    let path = request.uri().path();
    let by_key = path.starts_with(pages::whip::PREFIX) || path.starts_with(pages::captions::PREFIX);
    let asks = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if asks || by_key || is_same_site(request.headers()) {
        next.run(request).await
    } else {
        Problem::CrossSite.into_response()
    }
}

fn is_same_site(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return matches!(site, "same-origin" | "none");
    }
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        (Some(_), None) => false,
        (None, _) => true,
    }
}

/// One line a request, for whoever looks for a fault (`GROUNDSWELL_LOG=groundswell=debug`). It names the route, not the
/// address: addresses hold donations' keys and what people typed.
async fn log_request(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<axum::extract::MatchedPath>().map(|path| path.as_str().to_owned());
    let started = std::time::Instant::now();
    let response = next.run(request).await;
    let (status, ms) = (response.status().as_u16(), started.elapsed().as_millis());
    tracing::debug!(%method, route = route.as_deref().unwrap_or("none"), status, ms, "request");
    response
}

async fn security_headers(
    axum::extract::State(app): axum::extract::State<App>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = pages::card::policy_for(&app, &path);
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A donation's address is a key to it: it is not told to anybody the page loads from.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// A redirect after a form, so that a reload does not send it again.
pub fn see_other(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(error) => problem::internal(&error).into_response(),
    }
}

/// A key for a command that is not repeated: each form sent is an intent of its own.
pub fn fresh_key(what: &str) -> String {
    format!("{what}:{}", uuid::Uuid::now_v7())
}

/// What was just done, as one line on the next page.
pub fn notice(query: &form::Form) -> Option<view::Notice> {
    let text = match query.get("done").as_str() {
        "created" => "The rally is made. Add the speakers next.",
        "revised" => "Saved.",
        "noted" => "Noted: it stands in the log with your account.",
        "opened" => "Doors are open.",
        "ended" => "The rally has ended.",
        "invited" => "Counted.",
        "speaker" => "Speaker added. Open “How to go live” and send it to them.",
        "removed" => "Speaker removed.",
        "item" => "Added to the run.",
        "item-removed" => "Taken out of the run.",
        "key" => "The old key no longer works. Send the new one.",
        "captions" => "The old address for captions no longer works. Send the captioner the new one.",
        "note" => "Your note is on the speaker’s page.",
        "revoked" => "Revoked: whoever asks with that token is refused from now on.",
        "hook" => "Added. It is told what happens from now on.",
        "hook-removed" => "Removed: nothing is sent there any more.",
        "hook-on" => "Switched on. What happened meanwhile is sent now.",
        "hook-off" => "Switched off. What happens meanwhile is sent when you switch it on again.",
        "hook-replay" => "Everything from that event on is sent again. Receivers know repeats by their id.",
        "hook-again" => "It is sent again now.",
        "rules" => "Saved: the rules hold for every gift from now on.",
        "filer" => "Saved: reports name it from now on.",
        "released" => "Released: the donor can pay now, and is told by mail where mail is on.",
        "turned-away" => "Turned away: nothing was charged, and the donor is told by mail where mail is on.",
        "redesignated" => "Redesignated: limits count it there from now on, and the next report tells of it.",
        "reattributed" => {
            "Reattributed: limits count it as the other person’s from now on, and the next report tells of it."
        }
        "undone" => "Undone: it counts again as it was given. If a report told of it, amend that report.",
        "work-letter" => {
            "The letter goes out now. It asks for this alone, and the donor can answer on a page of their own."
        }
        "work-asked" => "Noted, with your account: reports say from now on that you asked.",
        "work-answered" => "Saved: reports and files have it from now on.",
        "refunded" => "The refund is under way.",
        "refund-asked" => "Asked: it goes back when a second person approves it.",
        "refund-turned-down" => "Turned down: nothing goes back.",
        "refund-rule" => "Saved: it holds for every refund from now on.",
        "closed" => "Closed: what comes later is listed beneath, and changes nothing above.",
        "filed" => "Noted: what comes later is an amendment’s.",
        "period-withdrawn" => "Withdrawn: these days can be closed anew.",
        "assigned" => "Noted: the list says who has it.",
        "finished" => "Done: it stands among what was done, with your note.",
        "reopened" => "Open again.",
        "merged" => "Merged: from now on they count as one person.",
        "told-apart" => "Noted: they are two people, and don’t come back to this list.",
        "parted" => "Parted: from now on they count as two people again.",
        "clip" => "The clip is here. Play it from this list or put it into the run of show.",
        "clip-removed" => "Clip removed.",
        "recording" => "The recording is deleted.",
        "kept" => "Saved: the recording is kept as you said.",
        "restream" => "Added. It gets the program while the doors are open.",
        "restream-removed" => "Removed. Nothing is sent there any more.",
        "account" => "Your account is made. Welcome.",
        _ => return None,
    };
    Some(view::Notice { text: text.into(), bad: false })
}
