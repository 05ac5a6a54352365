//! One speaker's WebRTC session: str0m's bytes in and out, a clock, and its pictures and sound into the feed.

use super::super::super::codec::{CodecError, annexb};
use super::super::super::switcher::LAYERS_MAX;
use super::super::super::transcode::{SAMPLE_RATE, Sound, Transcoder};
use super::super::super::{Feed, FeedError, Frame, Gate, Notice, Track};
use super::clock::{Clocks, Report};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};
use str0m::format::Codec;
use str0m::media::{KeyframeRequestKind, MediaData, MediaKind, Mid, Rid};
use str0m::net::{Protocol, Receive};
use str0m::{Event, Input, Output, Rtc, RtcError};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

/// From the answer to a working connection. Browsers need two round trips, and two more where packets are lost.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// Without a datagram this long a speaker is gone: browsers ask each few seconds whether the server is there.
const IDLE_TIME_MAX: Duration = Duration::from_secs(10);

/// From the connection to the first picture.
const VIDEO_TIME_MAX: Duration = Duration::from_secs(10);

/// Between keyframes: a cut and a viewer's start wait for one, and segments are this long.
const KEYFRAME_EVERY: Duration = Duration::from_secs(2);

/// A keyframe that was asked for is on its way for a while.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// How often limits of time are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A quality of which nothing came for so long has stopped: no keyframe is asked of it.
const LAYER_QUIET: Duration = Duration::from_secs(1);

/// Last words are a few datagrams.
const PARTING_OUTPUTS_MAX: usize = 32;

/// The line of times begins here, so that what is made to precede the first packet does not precede the line.
const LINE_STARTS_AT_US: i64 = 1_000_000;

/// One datagram of this session.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) bytes: Bytes,
    pub(super) from: SocketAddr,
    pub(super) at: Instant,
}

/// Why a session ends.
#[derive(Debug, thiserror::Error)]
enum Ending {
    #[error("the speaker stopped")]
    Stopped,
    #[error("the connection closed")]
    Closed,
    #[error("nothing arrived for {} seconds", IDLE_TIME_MAX.as_secs())]
    Idle,
    #[error(
        "no connection came about: the speaker's network may block UDP; another network, a phone's for example, or RTMP \
         gets through"
    )]
    Unreached,
    #[error("the connection broke: {0}")]
    Broken(#[from] RtcError),
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error("{0}")]
    Kicked(String),
    #[error("the server is shutting down")]
    Shutdown,
}

/// One quality of the picture.
struct Layer {
    /// What the sender calls it; nothing where there is only one.
    rid: Option<Rid>,
    reader: annexb::Reader,
    /// Pictures are not passed on: one before them is missing, and what is made of it would look broken.
    awaits_keyframe: bool,
    seen_at: Instant,
}

pub(super) struct Session {
    rtc: Rtc,
    feed: Feed,
    gate: Arc<dyn Gate>,
    socket: Arc<UdpSocket>,
    reached_at: Vec<SocketAddr>,
    /// The application has been told that this feed is on.
    announced: Arc<AtomicBool>,
    started: Instant,
    connected_at: Option<Instant>,
    heard_at: Instant,
    picture_mid: Option<Mid>,
    /// In the order in which they first came.
    layers: Vec<Layer>,
    clocks: Clocks,
    sound: Option<Transcoder>,
    keyframe_at: Option<Instant>,
    asked_at: Option<Instant>,
}

impl Session {
    pub(super) fn new(
        rtc: Rtc,
        feed: Feed,
        gate: Arc<dyn Gate>,
        socket: Arc<UdpSocket>,
        reached_at: Vec<SocketAddr>,
    ) -> Self {
        let now = Instant::now();
        Self {
            rtc,
            feed,
            gate,
            socket,
            reached_at,
            announced: Arc::default(),
            started: now,
            connected_at: None,
            heard_at: now,
            picture_mid: None,
            layers: Vec::new(),
            clocks: Clocks::new(),
            sound: None,
            keyframe_at: None,
            asked_at: None,
        }
    }

    /// Tells whether the application has been told that this feed is on.
    pub(super) fn announced(&self) -> Arc<AtomicBool> {
        self.announced.clone()
    }

    /// Serves until the session ends, and tells the application how.
    pub(super) async fn serve(
        mut self,
        mut packets: mpsc::Receiver<Packet>,
        stop: CancellationToken,
        shutdown: CancellationToken,
    ) {
        let Err(ended) = self.converse(&mut packets, &stop).await;
        let ending = if shutdown.is_cancelled() { Ending::Shutdown } else { ended };
        self.part();
        let source = self.feed.source();
        let Self { feed, gate, announced, .. } = self;
        // The source is free for its next connection before anybody hears of the end.
        drop(feed);
        let reason = ending.to_string();
        if announced.load(Ordering::Relaxed) {
            tracing::info!(%source, reason, "a source has gone");
            gate.notice(Notice::Disconnected { source, reason });
            return;
        }
        match ending {
            Ending::Unreached | Ending::Codec(_) | Ending::Feed(_) | Ending::Kicked(_) | Ending::Broken(_) => {
                tracing::info!(%source, reason, "a WHIP session came to nothing");
                gate.notice(Notice::Refused { source: Some(source), reason });
            }
            Ending::Stopped | Ending::Closed | Ending::Idle | Ending::Shutdown => {
                tracing::debug!(%source, reason, "a WHIP session ended");
            }
        }
    }

    /// Tells the other side, so that it need not find out by waiting.
    fn part(&mut self) {
        if self.rtc.close().is_err() {
            return;
        }
        for _ in 0..PARTING_OUTPUTS_MAX {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(datagram)) => {
                    let _ = self.socket.try_send_to(&datagram.contents, datagram.destination);
                }
                Ok(Output::Event(_)) => {}
                Ok(Output::Timeout(_)) | Err(_) => return,
            }
        }
    }

    async fn converse(
        &mut self,
        packets: &mut mpsc::Receiver<Packet>,
        stop: &CancellationToken,
    ) -> Result<std::convert::Infallible, Ending> {
        let wanted = self.feed.keyframe_wanted();
        loop {
            let next = self.drain()?;
            let look_at = Instant::now() + LOOK_EVERY;
            let Self { feed, .. } = self;
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Ending::Stopped),
                reason = feed.ended() => return Err(Ending::Kicked(reason)),
                () = wanted.notified() => self.ask_for_keyframe(true),
                packet = packets.recv() => match packet {
                    Some(packet) => self.take(&packet)?,
                    None => return Err(Ending::Stopped),
                },
                () = sleep_until(next.min(look_at).into()) => self.rtc.handle_input(Input::Timeout(Instant::now()))?,
            }
            self.look()?;
        }
    }

    /// Sends and takes what str0m has, and says until when it has nothing more.
    fn drain(&mut self) -> Result<Instant, Ending> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(until) if self.rtc.is_alive() => return Ok(until),
                Output::Timeout(_) => return Err(Ending::Closed),
                Output::Transmit(datagram) => {
                    // A full socket loses it, as the network might.
                    let _ = self.socket.try_send_to(&datagram.contents, datagram.destination);
                }
                Output::Event(Event::Connected) => self.connected_at = Some(Instant::now()),
                Output::Event(Event::MediaAdded(media)) if media.kind == MediaKind::Video => {
                    self.picture_mid = Some(media.mid);
                }
                Output::Event(Event::MediaData(data)) => {
                    let codec = data.params.spec().codec;
                    if codec == Codec::H264 {
                        self.picture(&data)?;
                    } else if codec == Codec::Opus {
                        self.sound(&data)?;
                    }
                }
                Output::Event(_) => {}
            }
        }
    }

    fn take(&mut self, packet: &Packet) -> Result<(), Ending> {
        self.heard_at = packet.at;
        // The socket does not say by which address a datagram came: a neighbour's came by this machine's own.
        let here = |address: &&SocketAddr| address.ip().is_loopback() == packet.from.ip().is_loopback();
        let Some(destination) = self.reached_at.iter().find(here).or(self.reached_at.first()).copied() else {
            return Ok(());
        };
        let Ok(received) = Receive::new(Protocol::Udp, packet.from, destination, &packet.bytes) else {
            return Ok(());
        };
        let input = Input::Receive(packet.at, received);
        if self.rtc.accepts(&input) {
            self.rtc.handle_input(input)?;
        }
        Ok(())
    }

    fn look(&mut self) -> Result<(), Ending> {
        let Some(connected_at) = self.connected_at else {
            return if self.started.elapsed() > CONNECT_TIME_MAX { Err(Ending::Unreached) } else { Ok(()) };
        };
        if self.heard_at.elapsed() > IDLE_TIME_MAX {
            return Err(Ending::Idle);
        }
        let waits = |layer: &Layer| layer.awaits_keyframe && layer.seen_at.elapsed() < LAYER_QUIET;
        match self.keyframe_at {
            None if connected_at.elapsed() > VIDEO_TIME_MAX => return Err(FeedError::NoVideo.into()),
            Some(at) if at.elapsed() < KEYFRAME_EVERY && !self.layers.iter().any(waits) => {}
            Some(_) | None => self.ask_for_keyframe(false),
        }
        Ok(())
    }

    fn ask_for_keyframe(&mut self, at_once: bool) {
        if !at_once && self.asked_at.is_some_and(|at| at.elapsed() < ASK_AGAIN_AFTER) {
            return;
        }
        self.asked_at = Some(Instant::now());
        let Some(mid) = self.picture_mid else { return };
        // Of all qualities at once: viewers change between them where all have one.
        for layer in self.layers.iter().filter(|layer| layer.seen_at.elapsed() < LAYER_QUIET) {
            if let Some(mut writer) = self.rtc.writer(mid) {
                // Refused only where it is not sent, and then there is nothing to ask for.
                let _ = writer.request_keyframe(layer.rid, KeyframeRequestKind::Pli);
            }
        }
    }

    /// Where a datum belongs on the session's line, in microseconds.
    fn place(&mut self, track: (Track, usize), data: &MediaData) -> i64 {
        let short = |time: u64| u32::try_from(time & u64::from(u32::MAX)).unwrap_or(0);
        let arrived = data.network_time.saturating_duration_since(self.started);
        let arrived_us = i64::try_from(arrived.as_micros()).unwrap_or(i64::MAX).saturating_add(LINE_STARTS_AT_US);
        let report = data.last_sender_info.and_then(|info| {
            let since = info.ntp_time.duration_since(UNIX_EPOCH).ok()?;
            Some(Report { rtp: short(info.rtp_time.numer()), ntp_us: i64::try_from(since.as_micros()).ok()? })
        });
        self.clocks.place(track, short(data.time.numer()), arrived_us, report)
    }

    /// The quality that a picture is of, by its number; none if there are more than anybody sends.
    fn layer(&mut self, rid: Option<Rid>) -> Option<usize> {
        if let Some(at) = self.layers.iter().position(|layer| layer.rid == rid) {
            return Some(at);
        }
        if self.layers.len() >= LAYERS_MAX {
            return None;
        }
        let (reader, seen_at) = (annexb::Reader::default(), Instant::now());
        self.layers.push(Layer { rid, reader, awaits_keyframe: true, seen_at });
        Some(self.layers.len() - 1)
    }

    fn picture(&mut self, data: &MediaData) -> Result<(), Ending> {
        let Some(at) = self.layer(data.rid) else { return Ok(()) };
        let place_us = self.place((Track::Video, at), data);
        let tied = at == 0 || self.clocks.is_tied(at);
        let (Some(layer), Ok(number)) = (self.layers.get_mut(at), u8::try_from(at)) else { return Ok(()) };
        layer.seen_at = Instant::now();
        let unit = layer.reader.read(&data.data);
        match layer.reader.take_config() {
            Ok(Some(config)) => self.feed.set_layer(number, config),
            Ok(None) => {}
            Err(error) if at == 0 => return Err(error.into()),
            // Of several qualities one that can't be shown is left out.
            Err(_) => return Ok(()),
        }
        if unit.keyframe && tied {
            layer.awaits_keyframe = false;
            self.keyframe_at = Some(Instant::now());
        } else if !data.contiguous {
            layer.awaits_keyframe = true;
        }
        if !layer.awaits_keyframe {
            let pts = place_us.saturating_mul(Frame::TICKS_PER_MS) / 1_000;
            let (keyframe, data) = (unit.keyframe, unit.data);
            return self.push(number, Frame { track: Track::Video, pts, dts: pts, keyframe, data, lower: Vec::new() });
        }
        if !data.contiguous {
            self.ask_for_keyframe(false);
        }
        Ok(())
    }

    fn sound(&mut self, data: &MediaData) -> Result<(), Ending> {
        let place_us = self.place((Track::Audio, 0), data);
        if self.sound.is_none() {
            self.sound = Transcoder::new();
            self.feed.set_audio(Transcoder::config());
        }
        let Some(transcoder) = &mut self.sound else { return Ok(()) };
        let at = place_us.saturating_mul(SAMPLE_RATE) / 1_000_000;
        for Sound { at, data } in transcoder.push(&data.data, at) {
            let pts = at.saturating_mul(Frame::TIMESCALE.into()) / SAMPLE_RATE;
            self.push(0, Frame { track: Track::Audio, pts, dts: pts, keyframe: true, data, lower: Vec::new() })?;
        }
        Ok(())
    }

    fn push(&mut self, layer: u8, frame: Frame) -> Result<(), Ending> {
        if let Some(described) = self.feed.push_layer(layer, frame)? {
            let source = self.feed.source();
            tracing::info!(%source, video = described.video, audio = described.audio, "a source is live");
            self.announced.store(true, Ordering::Relaxed);
            let (video, audio) = (described.video, described.audio);
            self.gate.notice(Notice::Connected { source, protocol: "WHIP", video, audio });
        }
        Ok(())
    }
}
