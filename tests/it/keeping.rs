//! Recordings that go without a hand: when their time is over, and to make room for one that goes on.

use chrono::{DateTime, TimeDelta, Utc};
use groundswell::clock::Clock;
use groundswell::domain::id::{CommitteeId, RallyId};
use groundswell::domain::rally::{Command as Rally, Details, Keeping};
use groundswell::domain::{Command, money::Currency};
use groundswell::engine::Engine;
use groundswell::log::sled::SledLog;
use groundswell::media::{Media, Recordings, Settings, gate, keeping};
use groundswell::vault::Vault;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Bytes of each recording here.
const BYTES: u64 = 100_000;
const LIMIT: u64 = 4 * BYTES;

/// A server's engine and media room, with a clock that is set.
struct Hall {
    folder: tempfile::TempDir,
    engine: Engine,
    recordings: Recordings,
    now: Arc<Mutex<DateTime<Utc>>>,
    stop: CancellationToken,
}

impl Hall {
    /// Opens, with recordings of these rallies on the disk.
    async fn open(recorded: &[u128]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        recorded.iter().for_each(|rally| record(folder.path(), *rally));
        let now = Arc::new(Mutex::new(DateTime::from_timestamp(1_900_000_000, 0).unwrap()));
        let (log, vault) =
            (SledLog::open(&folder.path().join("log")).unwrap(), Vault::open(&folder.path().join("vault")));
        let told = now.clone();
        let clock = Clock::telling(move || *told.lock().unwrap());
        let (engine, mut pump) = Engine::assemble(log, Arc::new(vault.unwrap()), clock).unwrap();
        tokio::spawn(async move { while pump.step().await.unwrap() {} });
        let recordings = Recordings::open(&folder.path().join("recordings"), LIMIT).unwrap();
        let media = Media::new(Settings { recordings: Some(recordings.clone()), ..Settings::default() });
        let stop = CancellationToken::new();
        tokio::spawn(gate::follow(engine.clone(), media, stop.clone()));
        Self { folder, engine, recordings, now, stop }
    }

    fn has(&self, rally: u128) -> bool {
        folder_of(self.folder.path(), rally).exists()
    }

    async fn ask(&self, command: Rally) {
        let key = Uuid::now_v7().to_string();
        self.engine.execute(Command::Rally(command), key, "staff:test").await.unwrap();
    }

    async fn begin(&self, rally: u128) {
        let id = RallyId(Uuid::from_u128(rally));
        let details = Details {
            slug: format!("rally-{rally}"),
            title: "Answer the call".into(),
            starts_at: DateTime::from_timestamp(1_900_000_000, 0).unwrap(),
            timezone: "America/New_York".into(),
            description: String::new(),
            goal_minor: None,
            currency: Currency::USD,
            suggested_minor: vec![1_500],
            paid_for_by: "Paid for by Rivera".into(),
            accent: "#d6301f".into(),
            committee: CommitteeId::FIRST,
        };
        self.ask(Rally::Create { rally: id, details }).await;
        self.ask(Rally::OpenDoors { rally: id }).await;
    }

    async fn keep(&self, rally: u128, days: Option<u16>, yields: bool) {
        let keeping = Keeping { days, yields };
        self.ask(Rally::KeepRecording { rally: RallyId(Uuid::from_u128(rally)), keeping }).await;
    }

    async fn end(&self, rally: u128) {
        self.ask(Rally::End { rally: RallyId(Uuid::from_u128(rally)) }).await;
    }

    fn pass(&self, time: TimeDelta) {
        *self.now.lock().unwrap() += time;
    }

    fn is_deleted(&self, rally: u128) -> bool {
        self.engine.world().state.rallies.get(RallyId(Uuid::from_u128(rally))).unwrap().recording_deleted
    }

    async fn until_gone(&self, rally: u128) {
        let begun = Instant::now();
        while self.has(rally) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{rally} is still there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A folder is gone a moment before its room is counted as free.
    async fn until_used(&self, bytes: u64) {
        let begun = Instant::now();
        while self.recordings.storage().used != bytes {
            assert!(begun.elapsed() < Duration::from_secs(20), "{} are used", self.recordings.storage().used);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Hall {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn folder_of(data: &Path, rally: u128) -> PathBuf {
    data.join("recordings").join(Uuid::from_u128(rally).to_string())
}

fn record(data: &Path, rally: u128) {
    let folder = folder_of(data, rally);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("segments"), vec![0; usize::try_from(BYTES).unwrap()]).unwrap();
}

#[tokio::test]
async fn a_recording_goes_when_its_time_is_over_and_not_before() {
    let hall = Hall::open(&[1, 2]).await;
    for rally in [1, 2] {
        hall.begin(rally).await;
    }
    hall.keep(1, Some(7), false).await;
    for rally in [1, 2] {
        hall.end(rally).await;
    }
    hall.pass(TimeDelta::days(7) - TimeDelta::seconds(1));
    keeping::expire(&hall.engine).await;
    assert!(!hall.is_deleted(1), "before its time");
    hall.pass(TimeDelta::seconds(1));
    keeping::expire(&hall.engine).await;
    assert!(hall.is_deleted(1) && !hall.is_deleted(2));
    hall.until_gone(1).await;
    hall.pass(TimeDelta::days(4_000));
    keeping::expire(&hall.engine).await;
    assert!(hall.has(2) && !hall.is_deleted(2), "what nobody gave a time is kept");
    hall.until_used(BYTES).await;
}

#[tokio::test]
async fn room_is_made_for_a_rally_that_goes_on_by_the_oldest_that_may_go() {
    let hall = Hall::open(&[1, 2, 3, 4]).await;
    for rally in [1, 2, 3] {
        hall.begin(rally).await;
        hall.end(rally).await;
        hall.pass(TimeDelta::days(1));
    }
    hall.keep(2, None, true).await;
    hall.keep(3, None, true).await;
    assert_eq!(hall.recordings.storage().used, LIMIT);
    keeping::make_room(&hall.engine, &hall.recordings).await;
    assert!((1..=3).all(|rally| !hall.is_deleted(rally)), "nobody needs room");
    hall.begin(4).await;
    hall.keep(4, None, true).await;
    keeping::make_room(&hall.engine, &hall.recordings).await;
    assert_eq!([1, 2, 3, 4].map(|rally| hall.is_deleted(rally)), [false, true, false, false]);
    hall.until_gone(2).await;
    hall.until_used(3 * BYTES).await;
    keeping::make_room(&hall.engine, &hall.recordings).await;
    assert!(!hall.is_deleted(3), "there is room");
}
