//! What every handler is given: the app and its settings, and what is read of a request besides its form.

use super::accent::Accent;
use super::pages::sign_in;
use super::problem::{self, Problem};
use super::screen::{Screen, Sender};
use super::serve::Peer;
use super::session::Staff;
use super::view::{self, Layout, StaffRoom};
use super::{fresh_key, present, token};
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
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

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
    sign_in_failures: Mutex<HashMap<PersonId, sign_in::Failures>>,
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
        self.cashiers().of_donation(donation).ok_or_else(super::pages::donate::takes_none)
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

    pub(super) fn presence(&self) -> &Presence {
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

    pub(super) fn live_connections(&self) -> Arc<Semaphore> {
        self.0.live_connections.clone()
    }

    pub(super) fn hashing(&self) -> &Semaphore {
        &self.0.hashing
    }

    pub(super) fn sign_in_failures(&self) -> parking_lot::MutexGuard<'_, HashMap<PersonId, sign_in::Failures>> {
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

    pub(super) fn is_shutting_down(&self) -> bool {
        self.0.shutdown.is_cancelled()
    }

    pub(super) fn close_first_link(&self) {
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
