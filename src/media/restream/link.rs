//! One connection to an RTMP server, plain or encrypted: its socket, its clock and its limits.

use super::Settings;
use super::tap::{Item, Tap};
use super::timeline::Timeline;
use super::wire::{Client, Event};
use crate::domain::restream::Address;
use crate::media::{Frame, Media, ProgramId};
use rustls::pki_types::ServerName;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// For reaching the server, and again for encryption, handshake and `publish`.
const OPEN_TIME_MAX: Duration = Duration::from_secs(15);

/// A server that takes nothing this long is stuck.
const STUCK_TIME_MAX: Duration = Duration::from_secs(10);

/// For the last words.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);

/// One read; the server says little.
const READ_BYTES: usize = 4 << 10;

/// Answers that wait for a server which does not read: until it does, it is not heard either.
const ANSWERS_BYTES_MAX: usize = 64 << 10;

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nobody wants it any more, or the program has ended.
    Left,
    /// The server said no, in its own words.
    Refused(String),
    /// Anything else, in ours.
    Lost(String),
}

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Self {
        Self::Lost(format!("the connection broke ({error})"))
    }
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// Where the program is sent.
pub(super) struct Route {
    pub media: Media,
    pub program: ProgramId,
    pub address: Address,
    pub key: Zeroizing<String>,
}

struct Link {
    read: ReadHalf<Box<dyn Socket>>,
    write: WriteHalf<Box<dyn Socket>>,
    client: Client,
    out: Vec<u8>,
    written: usize,
    /// Something may still wait in the socket's own buffer.
    unflushed: bool,
    moved_at: Instant,
}

/// What happened next.
enum Next {
    Read(usize),
    Moved,
    Item(Option<Item>),
}

impl Route {
    /// Sends the program until `leave`; `live` hears that the server takes it, and how often pictures were left out since.
    pub(super) async fn send(&self, settings: &Settings, leave: &CancellationToken, live: impl Fn(u32)) -> Ending {
        let opened = tokio::select! {
            () = leave.cancelled() => return Ending::Left,
            opened = timeout(OPEN_TIME_MAX, self.open(settings)) => opened,
        };
        let mut link = match opened {
            Ok(Ok(link)) => link,
            Ok(Err(ending)) => return ending,
            Err(_) => return Ending::Lost("the server does not answer".to_owned()),
        };
        let greeted = tokio::select! {
            () = leave.cancelled() => return Ending::Left,
            greeted = timeout(OPEN_TIME_MAX, link.greet()) => greeted,
        };
        match greeted {
            Ok(Ok(())) => {}
            Ok(Err(ending)) => return ending,
            Err(_) => return Ending::Lost("the server does not say whether it takes the stream".to_owned()),
        }
        let Some(tap) = self.media.tap(self.program) else { return Ending::Left };
        live(0);
        let ending = tokio::select! {
            () = leave.cancelled() => Ending::Left,
            ending = link.play(&tap, live) => ending,
        };
        if ending == Ending::Left {
            let _ = timeout(FAREWELL_TIME_MAX, link.part()).await;
        }
        ending
    }

    async fn open(&self, settings: &Settings) -> Result<Link, Ending> {
        let Address { tls, host, port, .. } = &self.address;
        let tcp = TcpStream::connect((host.as_str(), *port)).await;
        let tcp = tcp.map_err(|error| Ending::Lost(format!("the server can’t be reached ({error})")))?;
        tcp.set_nodelay(true)?;
        let socket: Box<dyn Socket> = if *tls {
            let name = ServerName::try_from(host.clone())
                .map_err(|_| Ending::Lost("the server’s name can’t have a certificate".to_owned()))?;
            let encrypted = TlsConnector::from(settings.tls.clone()).connect(name, tcp).await;
            Box::new(encrypted.map_err(|error| Ending::Lost(format!("the connection can’t be encrypted ({error})")))?)
        } else {
            Box::new(tcp)
        };
        let (read, write) = tokio::io::split(socket);
        let client = Client::new(&self.address, self.key.clone());
        let (out, moved_at) = (Vec::new(), Instant::now());
        Ok(Link { read, write, client, out, written: 0, unflushed: false, moved_at })
    }
}

impl Link {
    /// Goes through handshake and commands until the server takes the stream.
    async fn greet(&mut self) -> Result<(), Ending> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            if let Next::Read(count) = self.next(&mut buffer, None).await? {
                let heard = self.hear(buffer.get(..count).unwrap_or_default())?;
                if heard {
                    return Ok(());
                }
            }
        }
    }

    /// Sends what comes out of the tap until that ends, or the connection does.
    async fn play(&mut self, tap: &Tap, live: impl Fn(u32)) -> Ending {
        match self.try_play(tap, live).await {
            Ok(()) => Ending::Left,
            Err(ending) => ending,
        }
    }

    async fn try_play(&mut self, tap: &Tap, live: impl Fn(u32)) -> Result<(), Ending> {
        let mut buffer = vec![0; READ_BYTES];
        let (mut timeline, mut begun, mut losses) = (Timeline::default(), None, 0);
        let mut messages = Vec::new();
        loop {
            match self.next(&mut buffer, Some(tap)).await? {
                Next::Read(count) => {
                    self.hear(buffer.get(..count).unwrap_or_default())?;
                }
                Next::Moved => {}
                Next::Item(None) => return Ok(()),
                Next::Item(Some(Item::Join { video, audio, at })) => {
                    let passed = at.saturating_duration_since(*begun.get_or_insert(at));
                    let ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
                    timeline.join(video, audio, ms.saturating_mul(Frame::TICKS_PER_MS));
                    let lost = tap.losses();
                    if std::mem::replace(&mut losses, lost) != lost {
                        live(lost);
                    }
                }
                Next::Item(Some(Item::Frame(frame))) => {
                    timeline.push(&frame, &mut messages);
                    messages.drain(..).for_each(|message| self.client.send(&message));
                }
            }
        }
    }

    /// Moves bytes either way, or fetches what is to be sent once everything before is on its way.
    async fn next(&mut self, buffer: &mut [u8], tap: Option<&Tap>) -> Result<Next, Ending> {
        if self.written >= self.out.len() {
            let idle = !self.unflushed;
            (self.out, self.written) = (self.client.take_out(), 0);
            if !self.out.is_empty() && idle {
                self.moved_at = Instant::now();
            }
        }
        let waits = self.written < self.out.len();
        let hears = self.client.waiting() < ANSWERS_BYTES_MAX;
        let Self { read, write, out, written, unflushed, moved_at, .. } = self;
        let next = async {
            match tap {
                Some(tap) => tap.next().await,
                None => std::future::pending().await,
            }
        };
        let rest = out.get(*written..).unwrap_or_default();
        let push = async { if waits { write.write(rest).await.map(Some) } else { write.flush().await.map(|()| None) } };
        tokio::select! {
            count = read.read(buffer), if hears => match count? {
                0 => Err(Ending::Lost("the server closed the connection".to_owned())),
                count => Ok(Next::Read(count)),
            },
            moved = push, if waits || *unflushed => match moved? {
                Some(0) => Err(Ending::Lost("the server closed the connection".to_owned())),
                moved => {
                    *written = written.saturating_add(moved.unwrap_or(0));
                    (*unflushed, *moved_at) = (moved.is_some(), Instant::now());
                    Ok(Next::Moved)
                }
            },
            item = next, if !waits && !*unflushed => Ok(Next::Item(item)),
            () = sleep_until(*moved_at + STUCK_TIME_MAX), if waits || *unflushed => {
                Err(Ending::Lost(format!("the server took nothing for {} seconds", STUCK_TIME_MAX.as_secs())))
            }
        }
    }

    /// Takes what the server said; true if it is that it takes the stream.
    fn hear(&mut self, bytes: &[u8]) -> Result<bool, Ending> {
        let events = self.client.feed(bytes).map_err(|error| Ending::Lost(format!("the server’s answer: {error}")))?;
        for event in &events {
            if let Event::Refused(words) = event {
                return Err(Ending::Refused(words.clone()));
            }
        }
        Ok(events.contains(&Event::Publishing))
    }

    async fn part(&mut self) -> io::Result<()> {
        self.client.part();
        self.write.write_all(self.out.get(self.written..).unwrap_or_default()).await?;
        let words = self.client.take_out();
        self.write.write_all(&words).await?;
        self.write.shutdown().await
    }
}

#[cfg(test)]
mod tests;
