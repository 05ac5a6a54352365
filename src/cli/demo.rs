//! `groundswell demo`: a rally that is live already. The clip goes in over RTMP, people join and give over HTTP: every part
//! of the demo takes the path that a real one takes.

mod crowd;

use super::serve::{self, Running};
use super::{ServeArgs, control::NewStaff, staff};
use crate::clock;
use crate::config::ProcessorKind;
use crate::domain::Command;
use crate::domain::id::{CommitteeId, ItemId, RallyId, SourceId};
use crate::domain::money::Currency;
use crate::domain::rally::{Command as Rally, Details};
use crate::domain::show::{Command as Show, Kind, Plan};
use crate::domain::staff::Role;
use crate::engine::Engine;
use crate::media::{gate, publish};
use crate::web::fresh_key;
use anyhow::{Context, bail};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The speaker: a drawn picture with sound, H.264 and AAC, 24 s.
const CLIP: &[u8] = include_bytes!("../../fixtures/media/clip.flv");
const EMAIL: &str = "host@demo.example";
const SLUG: &str = "the-long-table";
/// Who is on the bill; the first two are live.
const SPEAKERS: [(&str, &str); 3] = [
    ("Marisol Vega", "Candidate for governor"),
    ("Ama Boateng", "Nurse and organizer, Toledo"),
    ("Ruth Calloway", "Teachers United, Local 58"),
];
const SPEAKERS_LIVE: usize = 2;
/// The run of show: whose picture (the number of a speaker), what, and for how long.
const RUN: [(Kind, Option<usize>, &str, u32); 6] = [
    (Kind::Speaker, Some(0), "Marisol Vega", 8 * 60),
    (Kind::Ask, None, "Ask: doubled until nine", 2 * 60),
    (Kind::Speaker, Some(1), "Ama Boateng", 7 * 60),
    (Kind::Break, None, "A minute to breathe", 60),
    (Kind::Speaker, Some(2), "Ruth Calloway", 10 * 60),
    (Kind::Speaker, Some(0), "Goodnight from Marisol", 4 * 60),
];
/// How long the picture may take to appear before the addresses are printed all the same.
const PICTURE_WAIT: Duration = Duration::from_secs(10);

/// Runs the demo until it is told to stop.
pub async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let mut config = args.config()?;
    if config.processor != ProcessorKind::Simulated {
        bail!("the demo gives simulated money, so it runs with processor = \"simulated\" only");
    }
    if config.site_name == "Groundswell" {
        config.site_name = "Vega for Ohio".into();
    }
    // Without a folder of its own the demo leaves nothing behind.
    let temporary = match args.data.data {
        Some(_) => None,
        None => {
            let folder = std::env::temp_dir().join(format!("groundswell-demo-{}", Uuid::now_v7()));
            config.data = folder.clone();
            Some(folder)
        }
    };
    let result = show(config).await;
    if let Some(folder) = temporary {
        let _ = std::fs::remove_dir_all(folder);
    }
    result
}

async fn show(config: crate::config::Config) -> anyhow::Result<()> {
    let data = config.data.clone();
    let running = serve::start(config).await?;
    let engine = running.app.engine().clone();
    if engine.world().state.rallies.find(SLUG).is_some() {
        bail!("this data folder holds a demo already: name an empty one with --data, or none");
    }
    let password = staff::made_up_password()?;
    let hash = crate::web::pages::sign_in::hash_blocking(&password);
    let password_hash = hash.map_err(|error| anyhow::anyhow!("the password could not be hashed: {error}"))?;
    let host = NewStaff { name: "Hana Okafor".into(), email: EMAIL.into(), role: Role::Owner, password_hash };
    staff::add(&engine, host).await?;
    let sources = prepare(&engine).await?;

    let stop = CancellationToken::new();
    for source in sources.iter().take(SPEAKERS_LIVE) {
        let speaker = engine.world().state.rallies.of_source(*source).map(|(_, _, speaker)| speaker.clone());
        let key = gate::stream_key(&engine, &speaker.context("the demo's speaker is gone")?);
        let url = format!("rtmp://{}/live/{key}", reachable(running.rtmp));
        let stop = stop.clone();
        tokio::spawn(async move {
            if let Err(error) = publish::run(Bytes::from_static(CLIP), &url, stop).await {
                tracing::error!(%error, "the demo's speaker stopped");
            }
        });
    }
    let crowd = tokio::spawn(crowd::run(reachable(running.listen), SLUG, stop.clone()));
    wait_for_picture(&engine, &sources).await;
    tell(&running, &password, &data);
    drop(engine);
    let result = running.until_stopped_after(stop).await;
    crowd.abort();
    result
}

/// An address that listens everywhere is reached on this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::from(([127, 0, 0, 1], address.port())) } else { address }
}

async fn prepare(engine: &Engine) -> anyhow::Result<Vec<SourceId>> {
    let rally = RallyId(Uuid::now_v7());
    let details = Details {
        slug: SLUG.into(),
        title: "The Long Table: One Night for Ohio".into(),
        starts_at: clock::now(),
        timezone: "America/New_York".into(),
        description:
            "Pull up a chair. One evening, three speakers, and a hundred thousand neighbours at one table.\n\n\
                      This is a demonstration: the speakers are drawn, the people are simulated, and no money moves."
                .into(),
        goal_minor: Some(5_000_000),
        currency: Currency::USD,
        suggested_minor: vec![1_500, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000],
        paid_for_by: "Paid for by Vega for Ohio. Contributions are not tax-deductible.".into(),
        accent: "#d6301f".into(),
        committee: CommitteeId::FIRST,
    };
    let tell = async |command: Command| {
        engine
            .execute(command, fresh_key("demo"), "server")
            .await
            .map(|_| ())
            .context("the demo's rally could not be made")
    };
    tell(Command::Rally(Rally::Create { rally, details })).await?;
    let mut sources = vec![];
    for (name, role) in SPEAKERS {
        let source = SourceId(Uuid::now_v7());
        sources.push(source);
        tell(Command::Rally(Rally::AddSpeaker { rally, source, name: name.into(), role: role.into() })).await?;
    }
    tell(Command::Rally(Rally::OpenDoors { rally })).await?;
    let mut items = vec![];
    for (kind, speaker, title, planned_s) in RUN {
        let item = ItemId(Uuid::now_v7());
        items.push(item);
        let source = speaker.and_then(|speaker| sources.get(speaker).copied());
        let plan = Plan { kind, title: title.into(), source, planned_s, starts_at: None, cuts: true };
        tell(Command::Show(Show::Add { rally, item, plan })).await?;
    }
    if let Some(item) = items.first().copied() {
        tell(Command::Show(Show::Start { rally, item })).await?;
    }
    Ok(sources)
}

async fn wait_for_picture(engine: &Engine, sources: &[SourceId]) {
    let mut newest = engine.newest();
    let connected = async {
        loop {
            let first = sources.first();
            if first.is_some_and(|source| engine.world().state.broadcast.connection(*source).is_some()) {
                return;
            }
            if newest.changed().await.is_err() {
                return;
            }
        }
    };
    if tokio::time::timeout(PICTURE_WAIT, connected).await.is_err() {
        tracing::warn!("the demo's speaker has not come up yet");
    }
}

fn tell(running: &Running, password: &str, data: &std::path::Path) {
    let base = running.app.public_url();
    println!("\n  A rally is live. Everything in it is simulated: no money moves.\n");
    println!("  Rally     {base}/r/{SLUG}");
    println!("  Donate    {base}/r/{SLUG}/donate");
    println!("  Host      {base}/host        sign in: {EMAIL}   password: {password}");
    println!("  Finance   {base}/finance     the same sign-in");
    println!("  Overlay   {base}/r/{SLUG}/overlay/total   (also /feed and /goal, for OBS)");
    println!("  Encoders  {}        each speaker's key is on their page in the studio", running.app.rtmp_url());
    println!("  Data      {}   for other commands: groundswell log tail --data ...", data.display());
    println!("\n  Stop with Ctrl-C.\n");
}
