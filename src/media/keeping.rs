//! What is deleted of recordings without a hand: what its host gave a time, and what may make room for one that goes on.
//!
//! The decision is the domain's and its event comes first; the files go because it is there, as when a host deletes them.

use super::recording::{Recordings, Storage};
use super::{Media, ProgramId};
use crate::domain::Command;
use crate::domain::id::RallyId;
use crate::domain::rally::{Command as Rally, Phase};
use crate::engine::Engine;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Times are told in days.
const EXPIRE_EVERY: Duration = Duration::from_secs(3_600);
/// Within this the room that is kept free is not used up: at 20 Mbit/s some 12 MB.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Room is made when less than this part of it is left,
const FREE_PART: u64 = 20;
/// and less than this: three minutes of ten programs at 2 Mbit/s.
const FREE_BYTES_MAX: u64 = 512 << 20;
/// Below this share left, hosts are warned.
const WARN_BELOW_PERCENT: u64 = 20;

/// Deletes what is to be deleted, at once and from then on, until shut down.
pub async fn run(engine: Engine, media: Media, shutdown: CancellationToken) {
    let Some(recordings) = media.recordings().cloned() else { return };
    let mut expired_at: Option<Instant> = None;
    let mut warned = false;
    loop {
        if expired_at.is_none_or(|at| at.elapsed() >= EXPIRE_EVERY) {
            expired_at = Some(Instant::now());
            expire(&engine).await;
        }
        make_room(&engine, &recordings).await;
        let storage = recordings.storage();
        if is_scarce(&storage) && !std::mem::replace(&mut warned, true) {
            tracing::warn!(used = storage.used, limit = storage.limit, "the room for recordings is nearly full");
        }
        warned &= is_scarce(&storage);
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Whether hosts are to be told that room runs out.
pub fn is_scarce(storage: &Storage) -> bool {
    let left = storage.limit.saturating_sub(storage.used);
    left.saturating_mul(100) <= storage.limit.saturating_mul(WARN_BELOW_PERCENT)
}

/// Deletes the recordings whose time is over by the engine's clock.
pub async fn expire(engine: &Engine) {
    let now = engine.clock().now();
    let due: Vec<RallyId> = {
        let world = engine.world();
        let is_due = |rally: &crate::domain::rally::Rally| rally.recording_until().is_some_and(|until| until <= now);
        world.state.rallies.iter().filter(|(_, rally)| is_due(rally)).map(|(id, _)| id).collect()
    };
    for rally in due {
        tracing::info!(%rally, "the recording is deleted: its host gave it this long");
        delete(engine, Rally::ExpireRecording { rally, now }, format!("recording-expired:{rally}")).await;
    }
}

/// Deletes the recording of the rally that ended first among those that may make room, if a rally goes on and little is left.
pub async fn make_room(engine: &Engine, recordings: &Recordings) {
    let storage = recordings.storage();
    let free = (storage.limit / FREE_PART).min(FREE_BYTES_MAX);
    if storage.used.saturating_add(free) <= storage.limit {
        return;
    }
    let candidates: Vec<RallyId> = {
        let world = engine.world();
        if !world.state.rallies.iter().any(|(_, rally)| matches!(rally.phase, Phase::Live { .. })) {
            return;
        }
        let mut yielding: Vec<_> =
            world.state.rallies.iter().filter_map(|(id, rally)| Some((rally.yields_since()?, id))).collect();
        yielding.sort_unstable();
        yielding.into_iter().map(|(_, id)| id).collect()
    };
    for rally in candidates {
        if recordings.has(ProgramId(rally.0)) {
            tracing::warn!(%rally, "the recording is deleted to make room: its host allowed it");
            return delete(engine, Rally::YieldRecording { rally }, format!("recording-yielded:{rally}")).await;
        }
    }
}

async fn delete(engine: &Engine, command: Rally, key: String) {
    if let Err(failure) = engine.execute(Command::Rally(command), key, "server").await {
        tracing::error!(%failure, "a recording was not deleted; the next look tries again");
    }
}
