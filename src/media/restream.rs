//! The program sent to other services: what the audience sees, to each server that the log says, while the doors are open.
//!
//! A tap takes the program's frames as they are packaged, a timeline makes them one FLV stream, a link carries it to the
//! server. A destination costs the program nothing: one that is slow or away loses its own pictures. Stream keys are opened for
//! a connection and stand in no log line.

mod link;
mod tap;
mod timeline;
mod wire;

use super::{Media, ProgramId};
use crate::domain::id::DestinationId;
use crate::domain::rally::Phase;
use crate::domain::restream::{Address, Destination, sealed_for};
use crate::domain::seals::STREAM_KEY;
use crate::engine::Engine;
use link::{Ending, Route};
use parking_lot::Mutex;
use rustls::{ClientConfig, RootCertStore};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
pub(in crate::media) use tap::Taps;
pub use tap::{Item, Tap, WAITING_BYTES_MAX};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

/// The first wait after a connection is lost; doubled each time.
const WAIT_FIRST: Duration = Duration::from_secs(1);

/// The longest wait between two attempts: a host who mended something on the other side sees it work within a minute.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A connection that lasted so long was a good one: the next wait is the first again.
const GOOD_TIME: Duration = Duration::from_secs(30);

/// Each wait is shortened by up to a quarter, so that destinations of one service do not return as one.
const JITTER_QUARTERS: u32 = 4;

/// After a rally's end the slate's last words go out too; a program that has not ended by then is left.
const GOODBYE_TIME: Duration = Duration::from_secs(15);

/// How a server takes the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is being reached.
    Connecting,
    /// It takes the program.
    Live {
        /// Since when, in ms since 1970 UTC.
        since_ms: i64,
        /// How often pictures were left out since because it took them too slowly.
        losses: u32,
    },
    /// It could not be reached, or the connection was lost.
    Retrying {
        /// When it is tried again, in ms since 1970 UTC.
        at_ms: i64,
        /// What went wrong, in plain words.
        reason: String,
    },
    /// It said no.
    Refused {
        /// When it is asked again, in ms since 1970 UTC.
        at_ms: i64,
        /// In its own words, cleaned.
        words: String,
    },
    /// The stream key can't be opened any more.
    Unreadable,
}

/// How each server stands; none for those nothing is sent to. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Standings(Arc<Mutex<HashMap<DestinationId, Standing>>>);

impl Standings {
    /// How this one stands.
    pub fn of(&self, destination: DestinationId) -> Option<Standing> {
        self.0.lock().get(&destination).cloned()
    }

    fn set(&self, destination: DestinationId, standing: Standing) {
        self.0.lock().insert(destination, standing);
    }

    fn clear(&self, destination: DestinationId) {
        self.0.lock().remove(&destination);
    }
}

/// What programs are sent with.
#[derive(Clone)]
pub struct Settings {
    /// Whose certificates are believed.
    pub tls: Arc<ClientConfig>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

impl Settings {
    /// Believes the authorities that browsers do.
    ///
    /// # Errors
    /// [`rustls::Error`] if the cryptography does not fit together.
    pub fn new() -> Result<Self, rustls::Error> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        Self::believing(roots)
    }

    /// Believes these authorities.
    ///
    /// # Errors
    /// As [`Settings::new`].
    pub fn believing(roots: RootCertStore) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Self { tls: Arc::new(tls.with_root_certificates(roots).with_no_client_auth()) })
    }
}

/// What is sent now.
struct Sending {
    leave: CancellationToken,
    task: JoinHandle<()>,
}

/// Sends programs where the log says, also after a start in the middle of a rally, until shut down.
pub async fn follow(engine: Engine, media: Media, settings: Settings, shutdown: CancellationToken) {
    let mut newest = engine.newest();
    let (mut sending, mut leaving): (HashMap<_, Sending>, HashMap<_, JoinHandle<()>>) = Default::default();
    let tasks = TaskTracker::new();
    loop {
        let (wanted, ended) = wants(&engine);
        leaving.retain(|_, task| !task.is_finished());
        for (id, Sending { leave, task }) in sending.extract_if(|id, _| !wanted.contains_key(id)) {
            leaving.insert(id, task);
            if ended.contains(&id) {
                // The program's own end comes before, as a rule.
                tasks.spawn(async move {
                    let _ = timeout(GOODBYE_TIME, leave.cancelled()).await;
                    leave.cancel();
                });
            } else {
                leave.cancel();
            }
        }
        for (id, (program, destination)) in wanted {
            // Its server would take two connections for one key for a thief's.
            let before = leaving.remove(&id);
            sending.entry(id).or_insert_with(|| {
                let leave = shutdown.child_token();
                let (engine, media, settings) = (engine.clone(), media.clone(), settings.clone());
                let stop = leave.clone();
                let task = tasks.spawn(async move {
                    if let Some(before) = before {
                        let _ = before.await;
                    }
                    let standings = media.restreams().clone();
                    keep_sending(&engine, media, program, &destination, &settings, &stop).await;
                    if stop.is_cancelled() || standings.of(id) != Some(Standing::Unreadable) {
                        standings.clear(id);
                    }
                    // Whoever waits to end it need not any more.
                    stop.cancel();
                });
                Sending { leave, task }
            });
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            changed = newest.changed() => {
                if changed.is_err() {
                    break;
                }
            }
        }
    }
    sending.values().for_each(|now| now.leave.cancel());
    tasks.close();
    tasks.wait().await;
}

type Wanted = HashMap<DestinationId, (ProgramId, Destination)>;

/// What is to be sent, and which destinations are those of rallies that have ended.
fn wants(engine: &Engine) -> (Wanted, HashSet<DestinationId>) {
    let world = engine.world();
    let (mut wanted, mut ended) = (Wanted::new(), HashSet::new());
    for (rally, destinations) in world.state.restreams.iter() {
        let phase = world.state.rallies.get(rally).map(|rally| rally.phase);
        for destination in destinations.iter().filter(|destination| destination.on) {
            match phase {
                Some(Phase::Live { .. }) => {
                    wanted.insert(destination.id, (ProgramId(rally.0), destination.clone()));
                }
                Some(Phase::Ended { .. }) => {
                    ended.insert(destination.id);
                }
                // Practice is nobody else's.
                Some(Phase::Before) | None => {}
            }
        }
    }
    (wanted, ended)
}

async fn keep_sending(
    engine: &Engine,
    media: Media,
    program: ProgramId,
    destination: &Destination,
    settings: &Settings,
    leave: &CancellationToken,
) {
    let (id, standings) = (destination.id, media.restreams().clone());
    let opened = engine.vault().unseal(sealed_for(id), STREAM_KEY, &destination.key).ok().flatten();
    let key = opened.and_then(|bytes| String::from_utf8(bytes).ok()).map(Zeroizing::new);
    let (Some(key), Ok(address)) = (key, Address::parse(&destination.server)) else {
        tracing::error!(destination = %id, "a stream key can't be opened: nothing is sent there");
        standings.set(id, Standing::Unreadable);
        return;
    };
    let route = Route { media, program, address, key };
    let now_ms = || engine.clock().now().timestamp_millis();
    let mut wait = WAIT_FIRST;
    loop {
        standings.set(id, Standing::Connecting);
        let begun = Instant::now();
        let live = |losses: u32| {
            let since_ms = match standings.of(id) {
                Some(Standing::Live { since_ms, .. }) => since_ms,
                Some(
                    Standing::Connecting | Standing::Retrying { .. } | Standing::Refused { .. } | Standing::Unreadable,
                )
                | None => {
                    tracing::info!(destination = %id, "a program is sent on");
                    now_ms()
                }
            };
            standings.set(id, Standing::Live { since_ms, losses });
        };
        let ending = route.send(settings, leave, live).await;
        if begun.elapsed() > GOOD_TIME {
            wait = WAIT_FIRST;
        }
        let pause = jittered(wait);
        let at_ms = now_ms().saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
        match ending {
            Ending::Left => return,
            Ending::Refused(words) => {
                tracing::info!(destination = %id, words, "a program is refused");
                standings.set(id, Standing::Refused { at_ms, words });
            }
            Ending::Lost(reason) => {
                tracing::info!(destination = %id, reason, "a program is not sent on for now");
                standings.set(id, Standing::Retrying { at_ms, reason });
            }
        }
        tokio::select! {
            () = leave.cancelled() => return,
            () = sleep(pause) => {}
        }
        wait = wait.saturating_mul(2).min(WAIT_MAX);
    }
}

/// The wait, up to a quarter shorter.
fn jittered(wait: Duration) -> Duration {
    let mut drawn = [0];
    // Without randomness all wait alike.
    let _ = getrandom::fill(&mut drawn);
    let [drawn] = drawn;
    let part = wait.saturating_mul(u32::from(drawn)) / 255 / JITTER_QUARTERS;
    wait.saturating_sub(part)
}
