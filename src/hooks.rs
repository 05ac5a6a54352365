//! Webhooks out: what happens to money is told to those outside whom the log names, signed as the Standard Webhooks
//! specification says, until they take it.
//!
//! Each receiver has a courier of its own, so that one that hangs or is gone delays nobody else. It is told at least once, and
//! of each donation in order; a repeat has the same `webhook-id`.

mod actblue;
mod call;
mod courier;
mod message;
mod reach;
mod round;
mod secret;

use crate::domain::id::HookId;
use crate::engine::Engine;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
pub use reach::is_public;
use rustls::{ClientConfig, RootCertStore};
pub use secret::secrets;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Until a message that was not taken is tried again the first time; twice as long each time after.
const RETRY_FIRST: Duration = Duration::from_secs(5);

/// How receivers are reached.
#[derive(Clone)]
pub struct Settings {
    /// Whose certificates are believed.
    tls: Arc<ClientConfig>,
    /// Whether receivers on this machine and in private networks are told too, and without encryption.
    to_private: bool,
    /// The first wait between two tries.
    retry_first: Duration,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("to_private", &self.to_private).finish_non_exhaustive()
    }
}

impl Settings {
    /// Believes the authorities that browsers do.
    ///
    /// # Errors
    /// [`rustls::Error`] if the cryptography does not fit together.
    pub fn new(to_private: bool) -> Result<Self, rustls::Error> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let tls = Arc::new(tls.with_root_certificates(roots).with_no_client_auth());
        Ok(Self { tls, to_private, retry_first: RETRY_FIRST })
    }

    /// The same with another first wait.
    pub fn retrying_after(self, retry_first: Duration) -> Self {
        Self { retry_first, ..self }
    }
}

/// How a receiver stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// When it last took a message.
    pub taken_at: Option<DateTime<Utc>>,
    /// Messages that wait.
    pub waiting: usize,
    /// What went wrong with the last try, and since when nothing was taken.
    pub failing: Option<Failing>,
}

/// A receiver that takes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Tries since then.
    pub tries: u32,
    /// What it answered last, in our words.
    pub reason: String,
}

/// How each receiver stands since the server started. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Standings(Arc<Mutex<HashMap<HookId, Standing>>>);

impl Standings {
    /// How this one stands.
    pub fn of(&self, hook: HookId) -> Standing {
        self.0.lock().get(&hook).cloned().unwrap_or_default()
    }

    fn change(&self, hook: HookId, change: impl FnOnce(&mut Standing)) {
        change(self.0.lock().entry(hook).or_default());
    }

    fn clear(&self, hook: HookId) {
        self.0.lock().remove(&hook);
    }
}

struct Courier {
    leave: CancellationToken,
    task: JoinHandle<()>,
}

/// Tells each receiver that the log names, also after a start in the middle of it, until shut down.
pub async fn follow(engine: Engine, settings: Settings, standings: Standings, shutdown: CancellationToken) {
    let mut newest = engine.newest();
    let mut couriers: HashMap<HookId, Courier> = HashMap::new();
    let tasks = TaskTracker::new();
    loop {
        let wanted: Vec<HookId> = {
            let world = engine.world();
            world.state.hooks.iter().filter(|(_, hook)| hook.on).map(|(id, _)| id).collect()
        };
        couriers.iter().filter(|(id, _)| !wanted.contains(id)).for_each(|(_, courier)| courier.leave.cancel());
        // One that was switched on again begins where the one before it has written down that it is.
        couriers.retain(|_, courier| !courier.task.is_finished());
        for id in wanted {
            couriers.entry(id).or_insert_with(|| {
                let leave = shutdown.child_token();
                let courier = courier::Courier::new(id, engine.clone(), settings.clone(), standings.clone());
                Courier { task: tasks.spawn(courier.run(leave.clone())), leave }
            });
        }
        let leaving = couriers.values().any(|courier| courier.leave.is_cancelled());
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(LEAVING_LOOK), if leaving => {}
            changed = newest.changed() => {
                if changed.is_err() {
                    break;
                }
            }
        }
    }
    couriers.values().for_each(|courier| courier.leave.cancel());
    tasks.close();
    tasks.wait().await;
}

/// Between two looks at whether a courier has left.
const LEAVING_LOOK: Duration = Duration::from_millis(100);
