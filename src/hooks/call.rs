//! One message to one receiver, over HTTP.

use super::{Settings, reach};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use axum::http::{HeaderValue, Method, Request, StatusCode, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

/// Until a connection stands, to one of a name's addresses.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Until a receiver has answered. Providers of webhooks wait 10 to 30 s.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// What hyper reads of an answer's head; of its body nothing is read.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// What is sent.
pub(super) struct Call {
    /// Where to.
    pub(super) address: String,
    /// User name and password, with a colon between.
    pub(super) credentials: Option<Zeroizing<String>>,
    /// The same for each try.
    pub(super) id: String,
    /// When this try is made, in seconds since 1970.
    pub(super) timestamp: i64,
    /// Of id, timestamp and body.
    pub(super) signature: String,
    /// What the money is worth.
    pub(super) mode: &'static str,
    /// JSON.
    pub(super) body: Bytes,
}

/// Delivers it. Redirects are not followed: a receiver is where staff said that it is.
///
/// # Errors
/// Why it was not taken, in our words.
pub(super) async fn deliver(settings: &Settings, call: Call) -> Result<(), String> {
    let answered = timeout(ANSWER_MAX, send(settings, call)).await;
    let status = answered.map_err(|_| format!("no answer in {} s", ANSWER_MAX.as_secs()))??;
    if status.is_success() {
        Ok(())
    } else if status.is_redirection() {
        Err(format!("it answers {}, which leads elsewhere: give the address where it is", status.as_u16()))
    } else {
        Err(format!("it answers {}", status.as_u16()))
    }
}

async fn send(settings: &Settings, call: Call) -> Result<StatusCode, String> {
    let uri: Uri = call.address.parse().map_err(|_| "its address can’t be read")?;
    let host = uri.host().ok_or("its address has no host")?;
    let tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") if settings.to_private => false,
        _ => return Err("its address does not begin with https://".into()),
    };
    let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let addresses = reach::resolve(host, port, settings.to_private).await?;
    let stream = connect(&addresses).await?;
    let request = request(&uri, call)?;
    if !tls {
        return exchange(stream, request).await;
    }
    let name = ServerName::try_from(host.trim_start_matches('[').trim_end_matches(']').to_owned());
    let name = name.map_err(|_| "its host has no name that a certificate could be for")?;
    let stream = TlsConnector::from(settings.tls.clone()).connect(name, stream).await;
    exchange(
        stream.map_err(|_| "no encrypted connection: its certificate is not believed, or it speaks no TLS")?,
        request,
    )
    .await
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    for address in addresses {
        if let Ok(Ok(stream)) = timeout(CONNECT_MAX, TcpStream::connect(address)).await {
            return Ok(stream);
        }
    }
    Err("nobody listens there".into())
}

fn request(uri: &Uri, call: Call) -> Result<Request<Full<Bytes>>, String> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(HOST, authority)
        .header(USER_AGENT, concat!("groundswell/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", call.id)
        .header("webhook-timestamp", call.timestamp)
        .header("webhook-signature", call.signature)
        .header("groundswell-mode", call.mode);
    if let Some(credentials) = call.credentials {
        let encoded = Zeroizing::new(format!("Basic {}", STANDARD.encode(credentials.as_bytes())));
        let mut value = HeaderValue::from_str(&encoded).map_err(|_| "its password can’t be sent")?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    request.body(Full::new(call.body)).map_err(|_| "its address can’t be asked".into())
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<StatusCode, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let lost = "the connection was lost";
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(TokioIo::new(stream)).await.map_err(|_| lost)?;
    let driven = tokio::spawn(connection);
    let answered = sender.send_request(request).await;
    // What else it says is not read.
    driven.abort();
    Ok(answered.map_err(|_| lost)?.status())
}
