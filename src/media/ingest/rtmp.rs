//! RTMP from OBS, ffmpeg and Zoom: `rtmp://HOST:1935/live/{stream_key}`.
//!
//! The session is bytes in, events out; this file is its socket, its clock and its limits. Whoever is turned away is
//! told why on the wire, and the application is told the same. No stream key reaches a log line.

pub(in crate::media) mod amf;
pub(in crate::media) mod chunk;
mod session;
mod socket;

use super::super::codec::flv::{self, Body};
use super::super::codec::{AudioConfig, CodecError, VideoConfig};
use super::super::{Feed, FeedError, Frame, Gate, Media, Notice, SourceId, Track};
use session::{Event, Session};
use socket::Socket;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The one application name, as in every guide to going live.
pub const APP: &str = "live";

/// A rally has tens of speakers; the rest is room for reconnections and for those who only knock.
const CONNECTIONS_MAX: usize = 256;

/// From accepting the socket to `publish`. Encoders need three round trips.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(8);

/// Without a byte this long a publisher is gone: even a still picture sends sound or an empty frame.
const IDLE_TIME_MAX: Duration = Duration::from_secs(10);

/// A peer that does not take our few bytes is not listening.
const WRITE_TIME_MAX: Duration = Duration::from_secs(5);

/// After a refusal the peer gets this long to read it before the socket closes.
const LINGER_TIME: Duration = Duration::from_millis(1_500);

/// From `publish` to the first picture's configuration.
const VIDEO_TIME_MAX: Duration = Duration::from_secs(10);

/// When accepting fails (no file descriptors), waiting beats spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// One read: what 10 Mbit/s send between two looks.
const READ_BYTES: usize = 64 << 10;

/// Bytes that are not RTMP as it is taken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::media) enum WireError {
    #[error("the connection is not RTMP")]
    Handshake,
    #[error("{what} is not RTMP")]
    Chunk { what: &'static str },
    #[error("a command can't be read: {what}")]
    Command { what: &'static str },
    #[error("too many {what}")]
    TooMuch { what: &'static str },
}

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
enum Ending {
    #[error("the encoder stopped")]
    Unpublished,
    #[error("the encoder closed the connection")]
    Closed,
    #[error("the connection broke")]
    Broken(#[from] std::io::Error),
    #[error("nothing arrived for {} seconds", IDLE_TIME_MAX.as_secs())]
    Idle,
    #[error("it did not start publishing in time")]
    Slow,
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error("{reason}")]
    Refused { code: &'static str, reason: String },
    #[error("{0}")]
    Kicked(String),
    #[error("the server is shutting down")]
    Shutdown,
}

/// Serves publishers until `shutdown`; returns once every connection has ended.
pub async fn run(listener: TcpListener, media: Media, gate: Arc<dyn Gate>, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "an RTMP connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            tracing::warn!(limit = CONNECTIONS_MAX, "too many RTMP connections: one was closed");
            continue;
        };
        tracing::debug!(port = peer.port(), "RTMP connection");
        let (media, gate, shutdown) = (media.clone(), gate.clone(), shutdown.clone());
        connections.spawn(async move {
            Connection::new(socket, media, gate).serve(shutdown).await;
            drop(place);
        });
    }
    connections.close();
    connections.wait().await;
}

struct Connection {
    socket: Socket,
    session: Session,
    media: Media,
    gate: Arc<dyn Gate>,
    feed: Option<Feed>,
    /// The application has been told that this feed is on.
    announced: bool,
    asked: Option<SourceId>,
    publishing_since: Option<Instant>,
    seen_video: bool,
    clock: Clock,
}

/// RTMP's 32-bit milliseconds wrap after 49 days, and some encoders begin near the end.
#[derive(Debug, Default)]
struct Clock {
    last: Option<(u32, i64)>,
}

impl Clock {
    fn unwrap(&mut self, timestamp: u32) -> i64 {
        let ms = match self.last {
            None => i64::from(timestamp),
            Some((before, ms)) => {
                let step = i32::from_ne_bytes(timestamp.wrapping_sub(before).to_ne_bytes());
                ms + i64::from(step)
            }
        };
        self.last = Some((timestamp, ms));
        ms
    }
}

impl Connection {
    fn new(socket: TcpStream, media: Media, gate: Arc<dyn Gate>) -> Self {
        Self {
            socket: Socket::Waited(socket),
            session: Session::new(),
            media,
            gate,
            feed: None,
            announced: false,
            asked: None,
            publishing_since: None,
            seen_video: false,
            clock: Clock::default(),
        }
    }

    async fn serve(mut self, shutdown: CancellationToken) {
        let Err(ending) = self.converse(&shutdown).await else { return };
        // The source is free for its next connection before anybody hears of the end.
        let source = self.feed.take().map(|feed| feed.source()).or(self.asked);
        let reason = ending.to_string();
        let code = match &ending {
            Ending::Refused { code, .. } => Some(*code),
            Ending::Wire(_) if source.is_none() => None,
            Ending::Feed(_) | Ending::Codec(_) | Ending::Wire(_) => Some("NetStream.Publish.Failed"),
            Ending::Kicked(_) | Ending::Shutdown => Some("NetStream.Publish.Denied"),
            Ending::Unpublished | Ending::Closed | Ending::Broken(_) | Ending::Idle | Ending::Slow => None,
        };
        match source {
            Some(source) if self.announced => {
                tracing::info!(%source, reason, "a source has gone");
                self.gate.notice(Notice::Disconnected { source, reason: reason.clone() });
            }
            _ if code.is_some() => {
                tracing::info!(reason, "a publisher was refused");
                self.gate.notice(Notice::Refused { source, reason: reason.clone() });
            }
            _ => tracing::debug!(reason, "an RTMP connection ended"),
        }
        if let Some(code) = code {
            self.session.refuse(code, &reason);
            self.part().await;
        }
    }

    /// Sends the last words, and reads on for a moment: closing with unread bytes would reset the connection and take
    /// the words away.
    async fn part(&mut self) {
        let words = self.session.take_out();
        let said = async {
            self.socket.write_all(&words).await?;
            self.socket.shutdown().await?;
            let mut ignored = vec![0; READ_BYTES];
            while self.socket.read(&mut ignored).await? > 0 {}
            std::io::Result::Ok(())
        };
        let _ = timeout(LINGER_TIME, said).await;
    }

    async fn converse(&mut self, shutdown: &CancellationToken) -> Result<(), Ending> {
        let started = Instant::now();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let patience = if self.session.is_publishing() {
                IDLE_TIME_MAX
            } else {
                HANDSHAKE_TIME_MAX.saturating_sub(started.elapsed())
            };
            let Self { socket, feed, .. } = self;
            let count = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Err(Ending::Shutdown),
                reason = ended(feed) => return Err(Ending::Kicked(reason)),
                read = timeout(patience, socket.read(&mut buffer)) => match read {
                    Ok(count) => count?,
                    Err(_) if self.session.is_publishing() => return Err(Ending::Idle),
                    Err(_) => return Err(Ending::Slow),
                },
            };
            if count == 0 {
                return Err(Ending::Closed);
            }
            self.session.feed(buffer.get(..count).unwrap_or_default())?;
            while let Some(event) = self.session.next_event() {
                self.take(event)?;
            }
            if self.feed.is_some() {
                self.socket.watch()?;
            }
            if !self.seen_video && self.publishing_since.is_some_and(|since| since.elapsed() > VIDEO_TIME_MAX) {
                return Err(FeedError::NoVideo.into());
            }
            let out = self.session.take_out();
            if !out.is_empty() {
                let sent = timeout(WRITE_TIME_MAX, self.socket.write_all(&out)).await;
                sent.map_err(|_| Ending::Idle)??;
            }
        }
    }

    fn take(&mut self, event: Event) -> Result<(), Ending> {
        match event {
            Event::Publish { app, key } => self.publish(&app, &key),
            Event::Video { timestamp, payload } => self.video(timestamp, &payload),
            Event::Audio { timestamp, payload } => self.audio(timestamp, &payload),
            Event::Unpublish => Err(Ending::Unpublished),
            Event::Play => Err(Ending::Refused {
                code: "NetStream.Play.StreamNotFound",
                reason: "nothing is played over RTMP here: watch on the rally page".to_owned(),
            }),
        }
    }

    fn publish(&mut self, app: &str, key: &str) -> Result<(), Ending> {
        if self.feed.is_some() {
            return Ok(());
        }
        let bad_name = |reason: String| Ending::Refused { code: "NetStream.Publish.BadName", reason };
        if app != APP {
            return Err(bad_name(format!("the server address must end in /{APP}")));
        }
        let source = self.gate.admit(key).map_err(bad_name)?;
        self.asked = Some(source);
        let feed = self.media.attach(source).map_err(|busy| bad_name(busy.to_string()))?;
        self.feed = Some(feed);
        self.publishing_since = Some(Instant::now());
        self.session.accept();
        Ok(())
    }

    fn video(&mut self, timestamp: u32, payload: &bytes::Bytes) -> Result<(), Ending> {
        for (track, body) in flv::pictures(payload)? {
            self.picture(timestamp, track, body)?;
        }
        Ok(())
    }

    fn picture(&mut self, timestamp: u32, track: u8, body: Body) -> Result<(), Ending> {
        let Some(feed) = &mut self.feed else { return Ok(()) };
        match body {
            Body::Config(avcc) => match VideoConfig::parse(&avcc) {
                Ok(config) => {
                    feed.set_layer(track, config);
                    self.seen_video = true;
                    Ok(())
                }
                Err(error) if track == 0 => Err(error.into()),
                // Of several qualities one that can't be shown is left out.
                Err(_) => Ok(()),
            },
            Body::Picture { keyframe, offset_ms, data } => {
                let ms = self.clock.unwrap(timestamp);
                let dts = ms.saturating_mul(Frame::TICKS_PER_MS);
                let pts = dts + i64::from(offset_ms) * Frame::TICKS_PER_MS;
                self.push(track, Frame { track: Track::Video, pts, dts, keyframe, data, lower: Vec::new() })
            }
            Body::Foreign(_) if track != 0 => Ok(()),
            Body::Foreign(name) => Err(foreign(format!(
                "{name} video can't be shown in every browser: in OBS choose Settings, Output, Video Encoder: H.264"
            ))),
            Body::Sound(_) | Body::Nothing => Ok(()),
        }
    }

    fn audio(&mut self, timestamp: u32, payload: &bytes::Bytes) -> Result<(), Ending> {
        let Some(feed) = &mut self.feed else { return Ok(()) };
        match flv::audio(payload)? {
            Body::Config(asc) => {
                feed.set_audio(AudioConfig::parse(&asc)?);
                Ok(())
            }
            Body::Sound(data) => {
                let pts = self.clock.unwrap(timestamp).saturating_mul(Frame::TICKS_PER_MS);
                self.push(0, Frame { track: Track::Audio, pts, dts: pts, keyframe: true, data, lower: Vec::new() })
            }
            Body::Foreign(name) => Err(foreign(format!(
                "{name} audio can't be played in every browser: in OBS choose Settings, Output, Audio Encoder: AAC"
            ))),
            Body::Picture { .. } | Body::Nothing => Ok(()),
        }
    }

    fn push(&mut self, layer: u8, frame: Frame) -> Result<(), Ending> {
        let Some(feed) = &mut self.feed else { return Ok(()) };
        if let Some(described) = feed.push_layer(layer, frame)? {
            let source = feed.source();
            tracing::info!(%source, video = described.video, audio = described.audio, "a source is live");
            self.announced = true;
            self.gate.notice(Notice::Connected {
                source,
                protocol: "RTMP",
                video: described.video,
                audio: described.audio,
            });
        }
        Ok(())
    }
}

/// Takes a connection's bytes in pieces of this length, as far as a session goes without its socket.
pub(in crate::media) fn take_any(bytes: &[u8], step: usize) {
    let mut session = Session::new();
    for piece in bytes.chunks(step.max(1)) {
        if session.feed(piece).is_err() {
            return;
        }
        while let Some(event) = session.next_event() {
            if let Event::Publish { .. } = event {
                session.accept();
            }
        }
        drop(session.take_out());
    }
}

fn foreign(reason: String) -> Ending {
    Ending::Refused { code: "NetStream.Publish.Failed", reason }
}

async fn ended(feed: &mut Option<Feed>) -> String {
    match feed {
        Some(feed) => feed.ended().await,
        None => std::future::pending().await,
    }
}
