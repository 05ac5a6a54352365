//! The listener: accepts connections up to a limit, bounds how long a stranger may take to say what they want, and lets
//! everybody finish when the server stops.

use super::prompt::Prompt;
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections at once: live ones and as many again for pages and segments, below the usual limit of open files.
const CONNECTIONS_MAX: usize = 2 * super::LIVE_CONNECTIONS_MAX;
/// How long a request's head may take: phones on bad networks need seconds, whoever needs more holds the line for nothing.
const HEAD_MAX: Duration = Duration::from_secs(15);
/// The largest request head: cookies and addresses of ours are below 4 KiB.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Requests of one HTTP/2 connection at once: a page needs a dozen.
const STREAMS_MAX: u32 = 64;
/// How often an HTTP/2 connection is asked whether somebody is still there, and how long the answer may take: between the
/// two, one that says nothing is given up about as late as one of HTTP/1.
const ASK_EVERY: Duration = Duration::from_secs(15);
const ASK_MAX: Duration = Duration::from_secs(10);
/// How long open requests may take to finish when the server stops; streams end at once.
const FINISH_MAX: Duration = Duration::from_secs(10);
/// After a failed accept (out of file descriptors) the listener waits this long instead of spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where a request's connection comes from: in its extensions.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub Option<IpAddr>);

/// Something that hands out connections.
pub trait Listener: Send + 'static {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, and the address it comes from.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Option<IpAddr>)>> + Send;
}

impl Listener for TcpListener {
    type Io = tokio::net::TcpStream;

    async fn accept(&mut self) -> io::Result<(Self::Io, Option<IpAddr>)> {
        let (stream, peer) = TcpListener::accept(self).await?;
        // A frame is one small write: it must not wait for the answer to the one before.
        stream.set_nodelay(true)?;
        Ok((stream, Some(peer.ip())))
    }
}

impl Listener for UnixListener {
    type Io = tokio::net::UnixStream;

    async fn accept(&mut self) -> io::Result<(Self::Io, Option<IpAddr>)> {
        UnixListener::accept(self).await.map(|(stream, _)| (stream, None))
    }
}

/// Serves until shut down, then lets open requests finish.
pub async fn run(mut listener: impl Listener, router: Router, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_MAX).max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(ASK_EVERY)
        .keep_alive_timeout(ASK_MAX);
    let graceful = GracefulShutdown::new();
    let cut = CancellationToken::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let pages = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            pages.call(request)
        });
        let connection =
            builder.serve_connection_with_upgrades(TokioIo::new(Prompt::new(stream, HEAD_MAX)), service).into_owned();
        let connection = graceful.watch(connection);
        let cut = cut.clone();
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "a connection broke");
                },
                () = cut.cancelled() => {}
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(FINISH_MAX, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
        // What they hold keeps the log's writer alive.
        cut.cancel();
    }
}
