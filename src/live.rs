//! The live state of every rally, encoded once a tick and shared by everybody who watches.
//!
//! A frame holds the whole public state, so that a skipped one is harmless and a page that was away catches up with the
//! next. What a frame looks like is the renderer's business; this room knows when, to whom and how often.

pub mod presence;

use crate::domain::id::RallyId;
use crate::engine::Engine;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;

/// The shortest time between two frames: four a second look immediate, and a burst of donations is one frame.
const TICK: Duration = Duration::from_millis(250);
/// The longest time between two frames: it keeps the words for times fresh and shows proxies and phones that the
/// connection lives, without a timer a connection.
const REFRESH: Duration = Duration::from_secs(15);
/// The longest time between two frames for a studio: a source's health is no event, and whoever runs a rally watches it.
const STUDIO_REFRESH: Duration = Duration::from_secs(1);

/// Who a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Everybody.
    Public,
    /// The studio.
    Studio,
}

/// Which channels get a frame whether or not their rally changed.
#[derive(Clone, Copy)]
enum Due {
    Changed,
    Studios,
    All,
}

/// The state of a rally, ready to send.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// The newest event it shows.
    pub seq: u64,
    /// The encoded state, one line of JSON.
    pub body: Bytes,
    /// The same as one server-sent event, made once for everybody.
    pub event: Bytes,
}

/// Encodes the state of a rally for an audience.
pub type Render = dyn Fn(RallyId, Audience) -> Bytes + Send + Sync;

type Channel = (RallyId, Audience);

/// The hub: cheap to clone.
#[derive(Clone)]
pub struct Live {
    engine: Engine,
    render: Arc<Render>,
    channels: Arc<Mutex<HashMap<Channel, watch::Sender<Frame>>>>,
}

impl Live {
    /// A hub that shows the engine's world through `render`.
    pub fn new(engine: Engine, render: Arc<Render>) -> Self {
        Self { engine, render, channels: Arc::default() }
    }

    /// The frames of one rally, beginning with the current one: never with one that is older than the page it is for.
    pub fn subscribe(&self, rally: RallyId, audience: Audience) -> WatchStream<Frame> {
        let mut channels = self.channels.lock();
        if let Some(sender) = channels.get(&(rally, audience)) {
            let frames = sender.subscribe();
            let is_old = frames.borrow().seq < self.engine.world().changed(rally);
            // The next tick brings the frame that a tick before now would not.
            return if is_old { WatchStream::from_changes(frames) } else { WatchStream::new(frames) };
        }
        let sender = watch::Sender::new(self.frame(rally, audience));
        let frames = sender.subscribe();
        channels.insert((rally, audience), sender);
        WatchStream::new(frames)
    }

    /// The current frame, for those who poll.
    pub fn current(&self, rally: RallyId, audience: Audience) -> Frame {
        let held = self.channels.lock().get(&(rally, audience)).map(|sender| sender.borrow().clone());
        match held {
            Some(frame) if frame.seq >= self.engine.world().changed(rally) => frame,
            Some(_) | None => self.frame(rally, audience),
        }
    }

    /// Sends frames until shut down.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut newest = self.engine.newest();
        let (mut refresh_at, mut studio_at) = (Instant::now() + REFRESH, Instant::now() + STUDIO_REFRESH);
        loop {
            let due = tokio::select! {
                () = shutdown.cancelled() => return,
                changed = newest.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    Due::Changed
                }
                () = sleep_until(refresh_at) => Due::All,
                () = sleep_until(studio_at) => Due::Studios,
            };
            match due {
                Due::All => refresh_at = Instant::now() + REFRESH,
                Due::Studios => studio_at = Instant::now() + STUDIO_REFRESH,
                Due::Changed => {}
            }
            if !self.tick(due) {
                // Nothing was sent, so the next change need not wait.
                continue;
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    /// Sends a frame to each channel whose rally changed, and to those that are due, and says whether any was; forgets channels nobody
    /// watches.
    fn tick(&self, due: Due) -> bool {
        let mut sent = false;
        let watched: Vec<(Channel, u64)> = {
            let mut channels = self.channels.lock();
            channels.retain(|_, sender| sender.receiver_count() > 0);
            channels.iter().map(|(channel, sender)| (*channel, sender.borrow().seq)).collect()
        };
        for ((rally, audience), shown) in watched {
            let is_due = match due {
                Due::All => true,
                Due::Studios => audience == Audience::Studio,
                Due::Changed => false,
            };
            if is_due || self.engine.world().changed(rally) > shown {
                let frame = self.frame(rally, audience);
                if let Some(sender) = self.channels.lock().get(&(rally, audience)) {
                    sender.send_replace(frame);
                    sent = true;
                }
            }
        }
        sent
    }

    fn frame(&self, rally: RallyId, audience: Audience) -> Frame {
        // Read before rendering: a frame may show more than its number says, never less.
        let seq = self.engine.world().changed(rally);
        let body = (self.render)(rally, audience);
        let head = format!("id: {seq}\nevent: frame\ndata: ");
        let event = [head.as_bytes(), &body, b"\n\n"].concat().into();
        Frame { seq, body, event }
    }
}
