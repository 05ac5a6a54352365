//! WHIP (RFC 9725) from a browser's camera page and OBS 30+: an offer by HTTP, then pictures and sound by WebRTC on one UDP
//! port for everybody.
//!
//! Only who has a speaker's key gets a session, so strangers on the UDP port find nothing to fill: a datagram that is no
//! session's is dropped without a trace. Whoever is refused is told why in the answer, and the application is told the same.
//! No key reaches a log line.

mod clock;
mod offer;
mod session;
mod stun;

use super::super::{Busy, Gate, Media, Notice, SourceId};
use parking_lot::Mutex;
use session::{Packet, Session};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use str0m::change::SdpOffer;
use str0m::config::DtlsCert;
use str0m::crypto::CryptoProvider;
use str0m::rtp::{Extension, ExtensionMap};
use str0m::{Candidate, Rtc, RtcConfig};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use offer::OFFER_BYTES_MAX;

/// A rally has tens of speakers, and few of them in a browser at once; each takes up to 2 % of a core.
const SESSIONS_MAX: usize = 64;

/// Datagrams that wait for a session: half a second at 8 Mbit/s.
const QUEUE_MAX: usize = 512;

/// Addresses one speaker is heard from: cable, Wi-Fi and phone, and what a change of network leaves behind.
const ADDRESSES_MAX: usize = 8;

/// No datagram of WebRTC is longer than an Ethernet frame.
const DATAGRAM_BYTES_MAX: usize = 2_048;

/// A session that is replaced ends within this, or the new one is refused as a second encoder.
const REPLACE_TIME_MAX: Duration = Duration::from_secs(1);

/// Wrong keys answered in their time; more are told to wait. A key has 130 bits, so this spares work and no key.
const GUESSES_MAX: u32 = 30;
const GUESSES_TIME: Duration = Duration::from_secs(60);

/// When receiving fails, waiting beats spinning.
const RECEIVE_PAUSE: Duration = Duration::from_millis(50);

/// Reads an offer as far as that goes without a session.
pub(in crate::media) fn take_any_offer(sdp: &str) {
    if let Ok(checked) = offer::checked(sdp) {
        let _ = SdpOffer::from_sdp_string(&checked);
    }
}

/// Reads a datagram as far as that goes without a session.
pub(in crate::media) fn take_any_datagram(packet: &[u8]) {
    let _ = stun::asked_for(packet);
}

/// Why an offer is not taken up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The key is nobody's, or its rally is over.
    #[error("{0}")]
    Key(String),
    /// Many wrong keys at once, from whomever.
    #[error("too many wrong stream keys: wait a minute, then copy the key again from the page your host sent you")]
    Guesses,
    /// Another connection sends for this speaker.
    #[error("{0}: end that one first, or wait two seconds if it has just dropped")]
    Busy(#[from] Busy),
    /// All places are taken.
    #[error("{SESSIONS_MAX} speakers are connected by browser or WHIP already: ask your host, or send by RTMP")]
    Full,
    /// Not SDP.
    #[error("the offer can't be read: send SDP as application/sdp")]
    Unreadable,
    /// Sound only, or nothing.
    #[error("there is no camera in the offer: choose a camera and allow this page to use it")]
    NoVideo,
    /// More than one picture.
    #[error("there is more than one picture in the offer: send one camera")]
    TwoPictures,
    /// A browser without H.264, or an encoder set to something else.
    #[error(
        "H.264 is not among the offered video codecs: use Chrome, Edge or Safari, or set the encoder to H.264; other \
         codecs can't be shown on every phone"
    )]
    NoH264,
    /// Sound of another kind.
    #[error("Opus is not among the offered audio codecs: set the encoder's audio to Opus")]
    NoOpus,
    /// The offer is SDP, but nothing comes of it.
    #[error("the offer can't be agreed on: reload the page, or update the encoder")]
    Disagreed,
}

/// The answer to an offer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// SDP.
    pub sdp: String,
    /// The session's name, by which it is ended: whoever knows it may.
    pub session: String,
}

/// How sessions end from outside.
#[derive(Clone, Debug)]
struct Handle {
    source: SourceId,
    /// The browser page it came from, which may replace it.
    page: Option<String>,
    packets: mpsc::Sender<Packet>,
    stop: CancellationToken,
    ended: CancellationToken,
    addresses: VecDeque<SocketAddr>,
}

/// Who is where.
#[derive(Debug, Default)]
struct Table {
    /// By the server's half of the STUN user name.
    sessions: HashMap<String, Handle>,
    addresses: HashMap<SocketAddr, String>,
    /// The public name of each session.
    names: HashMap<String, String>,
}

impl Table {
    /// Where a datagram goes. Only a request that names a session teaches its address.
    fn route(&mut self, packet: &[u8], from: SocketAddr) -> Option<mpsc::Sender<Packet>> {
        let Some(asked) = stun::asked_for(packet) else {
            let session = self.addresses.get(&from)?;
            return self.sessions.get(session).map(|handle| handle.packets.clone());
        };
        let handle = self.sessions.get_mut(asked)?;
        if self.addresses.get(&from).is_none_or(|known| known != asked) {
            if handle.addresses.len() >= ADDRESSES_MAX
                && let Some(oldest) = handle.addresses.pop_front()
            {
                self.addresses.remove(&oldest);
            }
            handle.addresses.push_back(from);
            self.addresses.insert(from, asked.to_owned());
        }
        Some(handle.packets.clone())
    }

    fn remove(&mut self, ufrag: &str) {
        self.sessions.remove(ufrag);
        self.addresses.retain(|_, session| session != ufrag);
        self.names.retain(|_, session| session != ufrag);
    }
}

/// The WHIP endpoint: a handle, cheap to clone.
#[derive(Clone)]
pub struct Whip(Arc<Inner>);

struct Inner {
    media: Media,
    gate: Arc<dyn Gate>,
    socket: Arc<UdpSocket>,
    /// Addresses told to speakers.
    reached_at: Vec<SocketAddr>,
    crypto: Arc<CryptoProvider>,
    certificate: DtlsCert,
    table: Mutex<Table>,
    /// Wrong keys, and since when they are counted.
    guesses: Mutex<(Instant, u32)>,
    sessions: TaskTracker,
    shutdown: CancellationToken,
}

impl Whip {
    /// Serves on a bound socket; `public` are the addresses speakers reach it by, where the machine's own is another.
    ///
    /// # Errors
    /// Where the socket has no address, or no certificate can be made.
    pub fn new(
        socket: UdpSocket,
        public: &[IpAddr],
        media: Media,
        gate: Arc<dyn Gate>,
        shutdown: CancellationToken,
    ) -> io::Result<Self> {
        let bound = socket.local_addr()?;
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        let certificate = crypto.dtls_provider.generate_certificate();
        let certificate = certificate.ok_or_else(|| io::Error::other("no certificate for WebRTC could be made"))?;
        let mut reached_at: Vec<SocketAddr> = if !public.is_empty() {
            public.iter().map(|ip| SocketAddr::new(*ip, bound.port())).collect()
        } else if bound.ip().is_unspecified() {
            let own = own_address(bound.is_ipv4()).into_iter();
            own.map(|ip| SocketAddr::new(ip, bound.port())).collect()
        } else {
            vec![bound]
        };
        if bound.ip().is_unspecified() && public.is_empty() {
            // For whoever tries it on the machine itself.
            let here: IpAddr = if bound.is_ipv4() { [127, 0, 0, 1].into() } else { IpAddr::V6(1.into()) };
            reached_at.push(SocketAddr::new(here, bound.port()));
        }
        Ok(Self(Arc::new(Inner {
            media,
            gate,
            socket: Arc::new(socket),
            reached_at,
            crypto,
            certificate,
            table: Mutex::default(),
            guesses: Mutex::new((Instant::now(), 0)),
            sessions: TaskTracker::new(),
            shutdown,
        })))
    }

    /// Hands datagrams to sessions until shut down; returns once every session has ended.
    pub async fn run(&self) {
        let inner = &self.0;
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            let received = tokio::select! {
                () = inner.shutdown.cancelled() => break,
                received = inner.socket.recv_from(&mut buffer) => received,
            };
            let (count, from) = match received {
                Ok(received) => received,
                Err(error) => {
                    tracing::debug!(%error, "a datagram could not be received");
                    tokio::time::sleep(RECEIVE_PAUSE).await;
                    continue;
                }
            };
            let Some(packet) = buffer.get(..count) else { continue };
            let to = inner.table.lock().route(packet, from);
            if let Some(to) = to {
                // A session that can't keep up loses packets, as it would on the network.
                let _ = to.try_send(Packet { bytes: bytes::Bytes::copy_from_slice(packet), from, at: Instant::now() });
            }
        }
        inner.sessions.close();
        inner.sessions.wait().await;
    }

    /// Takes up an offer. `page` names the browser page it comes from, which replaces its own session at once.
    ///
    /// # Errors
    /// [`Refused`], in words for the speaker; hosts are told too.
    pub async fn offer(&self, key: &str, page: Option<&str>, sdp: &str) -> Result<Answer, Refused> {
        let source = match self.0.gate.admit(key) {
            Ok(source) => source,
            Err(_) if self.is_guessed_at() => return Err(Refused::Guesses),
            Err(reason) => {
                self.refuse(None, &reason);
                return Err(Refused::Key(reason));
            }
        };
        let answer = self.take_up(source, page, sdp).await;
        if let Err(refused) = &answer {
            self.refuse(Some(source), &refused.to_string());
        }
        answer
    }

    /// Counts a wrong key, and says whether there were too many.
    fn is_guessed_at(&self) -> bool {
        let mut guesses = self.0.guesses.lock();
        if guesses.0.elapsed() > GUESSES_TIME {
            *guesses = (Instant::now(), 0);
        }
        guesses.1 = guesses.1.saturating_add(1);
        guesses.1 > GUESSES_MAX
    }

    fn refuse(&self, source: Option<SourceId>, reason: &str) {
        tracing::info!(reason, "a WHIP offer was refused");
        self.0.gate.notice(Notice::Refused { source, reason: reason.to_owned() });
    }

    async fn take_up(&self, source: SourceId, page: Option<&str>, sdp: &str) -> Result<Answer, Refused> {
        let inner = &self.0;
        let sdp = offer::checked(sdp)?;
        let (rtc, answer, ufrag) = self.agree(&sdp)?;
        if let Some(page) = page {
            self.replace(source, page).await;
        }
        let feed = inner.media.attach(source)?;
        let (packets, waiting) = mpsc::channel(QUEUE_MAX);
        let name = Uuid::new_v4().simple().to_string();
        let handle = Handle {
            source,
            page: page.map(str::to_owned),
            packets,
            stop: inner.shutdown.child_token(),
            ended: CancellationToken::new(),
            addresses: VecDeque::new(),
        };
        {
            let mut table = inner.table.lock();
            if table.sessions.len() >= SESSIONS_MAX {
                return Err(Refused::Full);
            }
            table.names.insert(name.clone(), ufrag.clone());
            table.sessions.insert(ufrag.clone(), handle.clone());
        }
        let session = Session::new(rtc, feed, inner.gate.clone(), inner.socket.clone(), inner.reached_at.clone());
        let of_session = self.clone();
        inner.sessions.spawn(async move {
            let (gate, shutdown) = (of_session.0.gate.clone(), of_session.0.shutdown.clone());
            // In a task of its own: what panics there ends this speaker's session and nothing else.
            let announced = session.announced();
            let ended = tokio::spawn(session.serve(waiting, handle.stop.clone(), shutdown)).await;
            of_session.0.table.lock().remove(&ufrag);
            if let Err(error) = ended {
                tracing::error!(%error, %source, "a WHIP session broke");
                if announced.load(Ordering::Relaxed) {
                    gate.notice(Notice::Disconnected { source, reason: "the connection broke on our side".into() });
                }
            }
            handle.ended.cancel();
        });
        Ok(Answer { sdp: answer, session: name })
    }

    /// The WebRTC session that an offer asks for, the answer, and the server's half of its STUN user name.
    fn agree(&self, sdp: &str) -> Result<(Rtc, String, String), Refused> {
        let inner = &self.0;
        let agreed = catch_unwind(AssertUnwindSafe(|| {
            let offer = SdpOffer::from_sdp_string(sdp).map_err(|_| Refused::Unreadable)?;
            let mut rtc = self.config().build(Instant::now());
            for address in &inner.reached_at {
                let candidate = Candidate::host(*address, "udp").map_err(|_| Refused::Disagreed)?;
                rtc.add_local_candidate(candidate);
            }
            let answer = rtc.sdp_api().accept_offer(offer).map_err(|error| {
                tracing::debug!(%error, "a WHIP offer could not be agreed on");
                Refused::Disagreed
            })?;
            let ufrag = rtc.direct_api().local_ice_credentials().ufrag;
            Ok((rtc, answer.to_sdp_string(), ufrag))
        }));
        agreed.unwrap_or(Err(Refused::Unreadable))
    }

    fn config(&self) -> RtcConfig {
        // Not the orientation: a phone that may not send it turns its pictures itself.
        let mut extensions = ExtensionMap::empty();
        for (id, extension) in [
            (1, Extension::AudioLevel),
            (2, Extension::AbsoluteSendTime),
            (3, Extension::TransportSequenceNumber),
            (4, Extension::RtpMid),
            (5, Extension::RtpStreamId),
            (6, Extension::RepairedRtpStreamId),
        ] {
            extensions.set(id, extension);
        }
        RtcConfig::new()
            .set_crypto_provider(self.0.crypto.clone())
            .set_dtls_cert(self.0.certificate.clone())
            .set_ice_lite(true)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_h264(true)
            .set_extension_map(extensions)
    }

    /// Ends the session that the same page began before.
    async fn replace(&self, source: SourceId, page: &str) {
        let before = {
            let table = self.0.table.lock();
            let same = |handle: &&Handle| handle.source == source && handle.page.as_deref() == Some(page);
            table.sessions.values().find(same).cloned()
        };
        if let Some(before) = before {
            before.stop.cancel();
            let _ = tokio::time::timeout(REPLACE_TIME_MAX, before.ended.cancelled()).await;
        }
    }

    /// Ends a session, as its page asks; false if there is none of this name.
    pub fn end(&self, session: &str) -> bool {
        let table = self.0.table.lock();
        let handle = table.names.get(session).and_then(|ufrag| table.sessions.get(ufrag));
        if let Some(handle) = handle {
            handle.stop.cancel();
        }
        handle.is_some()
    }

    /// Whether there is a session of this name.
    pub fn knows(&self, session: &str) -> bool {
        self.0.table.lock().names.contains_key(session)
    }
}

/// The address by which this machine speaks to others. Asking for a route sends nothing.
fn own_address(v4: bool) -> Option<IpAddr> {
    let (bind, to) = if v4 { ("0.0.0.0:0", "192.0.2.1:9") } else { ("[::]:0", "[2001:db8::1]:9") };
    let socket = StdSocket::bind(bind).ok()?;
    socket.connect(to).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}
