//! `groundswell serve`: opens the log, takes up what was left open, listens, and stops cleanly.

use super::control;
use crate::config::accounts::Account;
use crate::config::{Config, ProcessorKind};
use crate::domain::{Command, Refusal};
use crate::domain::{committee, ledger, mail as letters};
use crate::engine::{Engine, Failure, Fault, Writer};
use crate::hooks;
use crate::log;
use crate::log::archive::Archive;
use crate::log::scrub::Scrub;
use crate::mail::letter::Writer as LetterWriter;
use crate::mail::postman::Postman;
use crate::mail::smtp;
use crate::media::clip::Shelf;
use crate::media::ingest::whip::Whip;
use crate::media::{self, Media, Recordings, clip, gate, keeping, restream};
use crate::payments::Processor;
use crate::payments::cashier::Cashier;
use crate::payments::cashiers::Cashiers;
use crate::payments::simulated::Simulated;
use crate::payments::stripe::{Secret, Settings as StripeSettings, Stripe};
use crate::web::{self, App};
use anyhow::{Context, bail};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UdpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often the head of the log is written to the server's own log, as a witness outside the data folder.
const HEAD_EVERY: Duration = Duration::from_secs(600);

/// A server that runs.
pub struct Running {
    /// The pages.
    pub app: App,
    /// Where HTTP really listens.
    pub listen: std::net::SocketAddr,
    /// Where RTMP really listens.
    pub rtmp: std::net::SocketAddr,
    tasks: JoinSet<()>,
    writer: Writer,
    /// Absent where the disk refused it.
    archive: Option<Arc<Archive>>,
    scrub: Scrub,
    /// Absent where nothing is to be recorded, or the disk refused it.
    recordings: Option<Recordings>,
    stops: Stops,
    shutdown: CancellationToken,
}

/// Runs the server until it is told to stop.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let running = start(config).await?;
    println!("Groundswell is at {}", running.app.public_url());
    println!("Encoders send to {}", running.app.rtmp_url());
    if let Some(link) = running.app.first_link() {
        println!("Make the first staff account (this link works once):\n  {link}");
    }
    running.until_stopped().await
}

/// Opens the log and the listeners, and starts everything.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    let processors = Processors::new(&config)?;
    let outgoing = config.mail.checked()?;
    let mail_server = outgoing.as_ref().map(smtp::Server::new).transpose()?;
    let data = config.data.clone();
    let opened = tokio::task::spawn_blocking(move || open(&data)).await?;
    let (engine, writer) = opened?;
    let reader = engine.reader().clone();
    let archive = tokio::task::spawn_blocking(move || archive(reader)).await??.map(Arc::new);
    let scrub = Scrub::start(engine.reader().clone())?;
    let start = Command::Ledger(ledger::Command::Start { mode: processors.first.mode() });
    match engine.execute(start, web::fresh_key("start"), "server").await {
        Ok(_) => {}
        Err(Failure::Refused(refusal @ Refusal::Ledger(_))) => bail!("{refusal}"),
        Err(failure) => return Err(failure.into()),
    }
    let cashiers = processors.into_cashiers(&engine).await?;
    let switch = Command::Mail(letters::Command::Switch { on: outgoing.is_some() });
    engine.execute(switch, web::fresh_key("mail"), "server").await?;
    let stops = Stops::listen();
    let http = TcpListener::bind(config.listen).await;
    let http =
        http.with_context(|| format!("{} is not free for HTTP: choose another address with --listen", config.listen))?;
    let rtmp = TcpListener::bind(config.rtmp).await;
    let rtmp =
        rtmp.with_context(|| format!("{} is not free for RTMP: choose another address with --rtmp", config.rtmp))?;
    let webrtc = UdpSocket::bind(config.webrtc).await;
    let webrtc = webrtc
        .with_context(|| format!("{} is not free for WebRTC: choose another address with --webrtc", config.webrtc))?;
    let (listen_at, rtmp_at) = (http.local_addr()?, rtmp.local_addr()?);
    // Port 0 lets the system choose: what is shown is what was chosen.
    let config = Config { listen: listen_at, rtmp: rtmp_at, ..config };

    let shutdown = CancellationToken::new();
    let recordings = recordings(&config);
    let media = Media::new(media::Settings { recordings: recordings.clone(), ..media::Settings::default() });
    let shelf = Shelf::of(&config.data);
    clip::sweep(&engine, &shelf);
    for known in join_all(cashiers.iter().map(Cashier::know_account)).await {
        if let Err(refusal) = known {
            bail!("{refusal}");
        }
    }
    let settings = web::Settings {
        public_url: config.public_url(),
        rtmp_url: config.rtmp_url(),
        site_name: config.site_name.clone(),
        shelf: shelf.clone(),
        proxies: config.proxies.clone(),
        embed: config.embed.clone(),
        private_webhooks: config.private_webhooks,
    };
    let app = App::new(engine.clone(), cashiers.clone(), media.clone(), settings, shutdown.clone());

    let mut tasks = JoinSet::new();
    let house = gate::House::new(engine.clone());
    let public: Vec<_> = config.webrtc_public_ip.into_iter().collect();
    let whip = Whip::new(webrtc, &public, media.clone(), house.clone(), shutdown.clone()).context("WebRTC")?;
    app.take_offers_by(whip.clone());
    tasks.spawn(async move { whip.run().await });
    media.report_to(house.clone());
    tasks.spawn(clip::follow(engine.clone(), media.clone(), house.clone(), shelf, shutdown.clone()));
    let (of_media, stop) = (media.clone(), shutdown.clone());
    tasks.spawn(async move { media::ingest::rtmp::run(rtmp, of_media, house, stop).await });
    let onward = restream::Settings::new().context("encryption of what is sent on")?;
    tasks.spawn(restream::follow(engine.clone(), media.clone(), onward, shutdown.clone()));
    let reach = hooks::Settings::new(config.private_webhooks).context("encryption of webhooks")?;
    tasks.spawn(hooks::follow(engine.clone(), reach, app.hook_standings().clone(), shutdown.clone()));
    tasks.spawn(keeping::run(engine.clone(), media.clone(), shutdown.clone()));
    tasks.spawn(gate::follow(engine.clone(), media, shutdown.clone()));
    for cashier in cashiers.iter() {
        let (cashier, stop) = (cashier.clone(), shutdown.clone());
        tasks.spawn(async move { cashier.run(stop).await });
    }
    if let (Some(outgoing), Some(server)) = (outgoing, mail_server) {
        let postman = Postman::new(engine.clone(), server, LetterWriter::new(&config, &outgoing));
        tasks.spawn(postman.run(shutdown.clone()));
    }
    if let Some(live) = app.live().cloned() {
        let stop = shutdown.clone();
        tasks.spawn(async move { live.run(stop).await });
    }
    tasks.spawn(tell_head(engine.clone(), shutdown.clone()));
    let control = control::serve(
        config.data.clone(),
        app.desk().clone(),
        cashiers,
        archive.clone(),
        config.retention_years,
        shutdown.clone(),
    );
    tasks.spawn(control);
    tasks.spawn(web::serve::run(http, web::router(app.clone()), shutdown.clone()));
    tracing::info!(listen = %listen_at, rtmp = %rtmp_at, mode = %app.cashiers().mode(), "serving");
    Ok(Running { app, listen: listen_at, rtmp: rtmp_at, tasks, writer, archive, scrub, recordings, stops, shutdown })
}

/// Opens the log and vault of a data folder, making it where there is none.
pub fn open(data: &Path) -> anyhow::Result<(Engine, Writer)> {
    std::fs::create_dir_all(data).with_context(|| format!("the data folder {} can't be made", data.display()))?;
    Ok(Engine::open(data)?)
}

/// Begins to follow the log with its archive. An archive of another log, or a changed one, is for a person to look at; a
/// disk that refuses it is no reason to take no donations.
fn archive(reader: log::sled::Reader) -> Result<Option<Archive>, log::Fault> {
    match Archive::follow(reader) {
        Ok(archive) => Ok(Some(archive)),
        Err(fault) if matches!(fault, log::Fault::Io { .. }) => {
            tracing::error!(%fault, "nothing is archived until the next start");
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

/// A folder that can't be used is no reason to show no picture.
fn recordings(config: &Config) -> Option<Recordings> {
    if config.recordings_gib_max == 0 {
        return None;
    }
    match Recordings::open(&config.data.join("recordings"), u64::from(config.recordings_gib_max) << 30) {
        Ok(recordings) => Some(recordings),
        Err(error) => {
            tracing::error!(%error, "nothing is recorded until the next start");
            None
        }
    }
}

/// Who takes the money: the first committee's, and those of the accounts that the settings name.
struct Processors {
    first: Arc<dyn Processor>,
    others: BTreeMap<String, Arc<dyn Processor>>,
}

impl Processors {
    fn new(config: &Config) -> anyhow::Result<Self> {
        if config.processor == ProcessorKind::Simulated {
            let simulated = || -> Arc<dyn Processor> { Arc::new(Simulated::new()) };
            let others = config.accounts.keys().map(|name| (name.clone(), simulated())).collect();
            return Ok(Self { first: simulated(), others });
        }
        let first = Account {
            publishable_key: config.stripe.publishable_key.clone(),
            calls_per_second: config.stripe.calls_per_second,
            secret_key: config.stripe.secret_key.clone(),
            webhook_secret: config.stripe.webhook_secret.clone(),
            ..Account::default()
        };
        let first = stripe(config, &first).context("Stripe's settings")?;
        let mut others = BTreeMap::new();
        for (name, account) in &config.accounts {
            let other = stripe(config, account).with_context(|| format!("the settings of accounts.{name}"))?;
            if other.mode() != first.mode() {
                bail!(
                    "the key of accounts.{name} handles {} money, and that of stripe {} money: one ledger holds one kind",
                    other.mode(),
                    first.mode()
                );
            }
            others.insert(name.clone(), other);
        }
        Ok(Self { first, others })
    }

    /// Each account is a committee's, from when it is first named.
    async fn into_cashiers(self, engine: &Engine) -> anyhow::Result<Cashiers> {
        let found = committee::Command::Found { handles: self.others.keys().cloned().collect() };
        match engine.execute(Command::Committee(found), web::fresh_key("found"), "server").await {
            Ok(_) => {}
            Err(Failure::Refused(refusal @ Refusal::Committee(_))) => bail!("{refusal}"),
            Err(failure) => return Err(failure.into()),
        }
        let world = engine.world();
        for (_, gone) in world.state.committees.iter().skip(1).filter(|(_, one)| !self.others.contains_key(&one.handle))
        {
            let name = gone.name();
            tracing::warn!(account = gone.handle, %name, "a committee's account is not in the settings: it takes no gifts");
        }
        let others = self.others.into_iter();
        let others: Vec<_> =
            others.filter_map(|(name, other)| Some((world.state.committees.find(&name)?, other))).collect();
        drop(world);
        Ok(Cashiers::with(engine.clone(), self.first, others))
    }
}

fn stripe(config: &Config, account: &Account) -> anyhow::Result<Arc<dyn Processor>> {
    let mut settings = StripeSettings::new(
        Secret::new(account.secret_key.0.clone()),
        account.publishable_key.clone(),
        Secret::new(account.webhook_secret.0.clone()),
    );
    if let Some(base) = &config.stripe.api_base {
        settings.api_base = base.clone();
    }
    if let Some(url) = &config.stripe.script_url {
        settings.script_url = url.clone();
    }
    if let Some(calls) = account.calls_per_second {
        settings.calls_per_second = calls;
    }
    Ok(Arc::new(Stripe::new(settings)?))
}

async fn tell_head(engine: Engine, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(HEAD_EVERY) => {
                let head = engine.head();
                tracing::info!(seq = head.seq, %head, "the log stands");
            }
        }
    }
}

impl Running {
    /// Serves until a signal or a fault, then lets everybody finish.
    pub async fn until_stopped(self) -> anyhow::Result<()> {
        self.until_stopped_after(CancellationToken::new()).await
    }

    /// As [`Running::until_stopped`], cancelling `first` before the server stops.
    pub async fn until_stopped_after(mut self, first: CancellationToken) -> anyhow::Result<()> {
        let fault = tokio::select! {
            () = self.stops.one() => None,
            ended = self.writer.ended() => Some(ended),
            fault = self.scrub.found() => Some(Err(Fault::Log(fault))),
        };
        first.cancel();
        if let Some(Err(fault)) = fault {
            // What the disk holds is uncertain now: nobody is served from it.
            self.shutdown.cancel();
            return Err(fault.into());
        }
        tracing::info!("stopping");
        self.stop().await
    }

    /// Ends streams, lets requests finish, and waits until the log is closed.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        while self.tasks.join_next().await.is_some() {}
        let reader = self.app.engine().reader().clone();
        drop(self.app);
        // The writer ends with the last handle; a request that outlived its time may hold one.
        if let Ok(ended) = tokio::time::timeout(Duration::from_secs(5), self.writer.ended()).await {
            ended?;
        }
        if let Some(recordings) = self.recordings.take() {
            // What waits for the disk is some seconds of picture.
            tokio::task::spawn_blocking(move || recordings.close()).await?;
        }
        let head = reader.head();
        // The last frames are in the archive when this returns.
        drop(self.archive);
        drop(self.scrub);
        tracing::info!(seq = head.seq, %head, "stopped; everything acknowledged is on disk");
        Ok(())
    }
}

/// The signals that stop the server. They are listened to before anybody can connect: whoever stops it as soon as they can finds it
/// ending in good order too.
struct Stops {
    /// Absent where the system refused it.
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Stops {
    fn listen() -> Self {
        let listen = |kind| {
            signal(kind)
                .inspect_err(
                    |error| tracing::warn!(%error, "a signal can't be listened to: it ends the server at once"),
                )
                .ok()
        };
        Self { terminate: listen(SignalKind::terminate()), interrupt: listen(SignalKind::interrupt()) }
    }

    async fn one(&mut self) {
        tokio::select! {
            () = next(&mut self.terminate) => {}
            () = next(&mut self.interrupt) => {}
        }
    }
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
