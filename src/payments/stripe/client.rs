//! The way to Stripe's API: pooled connections, a time limit, a body limit, and the idempotency key we were given.
//!
//! The library's own client keeps no connection and knows no default time limit, so this room implements its trait.
//!
//! Charges come at their own pace, by the line before them. Every other call takes its turn here, from a bucket of its own, so
//! that neither keeps the other waiting: look-ups can't starve giving, nor giving them.

use super::settings::{Settings, SettingsError, is_loopback};
use super::shapes::PaymentError;
use crate::payments::Fault;
use crate::payments::pace::{Pace, rest_of};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use stripe_client_core::{
    CustomizedStripeRequest, RequestStrategy, StripeClient, StripeClientErr, StripeMethod, VERSION,
};
use tokio::time::Instant;

/// Longest answer that is read, in bytes; an expanded payment is about 10 KiB.
const RESPONSE_BYTES_MAX: usize = 1024 * 1024;

/// How long a connection may take to open, within a call's own limit.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections kept open between calls: Stripe takes 25 calls a second an endpoint, each well under a second.
const IDLE_CONNECTIONS_MAX: usize = 32;

/// How long an unused connection is kept; under the minute after which balancers drop theirs without a word.
const IDLE_TIMEOUT: Duration = Duration::from_secs(45);

/// Longest part of Stripe's message that is passed on, in characters.
const MESSAGE_CHARS_MAX: usize = 300;

/// Longest wait that is believed, in seconds.
const RETRY_AFTER_SECS_MAX: u64 = 3600;

/// Where a charge goes.
const CHARGES: &str = "/v1/payment_intents";

/// How long a call that is no charge waits for its turn; a page that asks is better loaded again.
const TURN_WAIT_MAX: Duration = Duration::from_secs(5);

/// One call that did not succeed.
#[derive(Debug)]
pub enum CallError {
    /// No answer, or none that can be read: it may have happened.
    NoAnswer(&'static str),
    /// The caller's idempotency key is empty or too long; nothing was sent.
    BadKey,
    /// Too many others wait for their turn; nothing was sent.
    Busy,
    /// A success about something that is not this ledger's.
    NotOurs { payment: String, why: &'static str },
    /// An answer that is not a success.
    Refused {
        status: StatusCode,
        retry_after: Option<Duration>,
        /// What the body said; empty when it was not Stripe's.
        error: Box<PaymentError>,
    },
}

impl StripeClientErr for CallError {
    fn deserialize_err(_: impl std::fmt::Display) -> Self {
        Self::NoAnswer("an answer that is not what was asked for")
    }
}

impl CallError {
    /// What the caller has to know, and no more: Stripe's own text only where it is about our request.
    pub fn into_fault(self) -> Fault {
        let (status, retry_after, error) = match self {
            Self::NoAnswer(cause) => return Fault::Unknown { cause: cause.into() },
            Self::Busy => return Fault::Throttled { retry_after: None },
            Self::NotOurs { payment, why } => return Fault::NotOurs { payment, why },
            Self::BadKey => {
                let message = "an idempotency key has 1 to 255 characters".into();
                return Fault::Rejected { code: "idempotency_key".into(), message };
            }
            Self::Refused { status, retry_after, error } => (status, retry_after, error),
        };
        match status {
            StatusCode::TOO_MANY_REQUESTS => Fault::Throttled { retry_after },
            // 409: the first call with this key is still under way. 424: something Stripe depends on failed.
            StatusCode::CONFLICT | StatusCode::FAILED_DEPENDENCY | StatusCode::REQUEST_TIMEOUT => {
                Fault::Unknown { cause: format!("status {}", status.as_u16()) }
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Fault::Barred {
                code: error.code.unwrap_or_else(|| "key_refused".into()),
                message: "the API key is not accepted for this call; check it and its permissions".into(),
            },
            status if status.is_client_error() => Fault::Rejected {
                code: error.code.or(error.kind).unwrap_or_else(|| format!("status_{}", status.as_u16())),
                message: error.message.unwrap_or_default().chars().take(MESSAGE_CHARS_MAX).collect(),
            },
            status => Fault::Unknown { cause: format!("status {}", status.as_u16()) },
        }
    }
}

/// The pooled client.
#[derive(Clone)]
pub struct Pooled {
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    api_base: String,
    authorization: HeaderValue,
    call_timeout: Duration,
    /// For calls that are no charges; times are since `born`.
    pace: Arc<Mutex<Pace>>,
    born: Instant,
}

#[derive(miniserde::Deserialize)]
struct ErrorBody {
    error: Option<PaymentError>,
}

impl Pooled {
    /// Makes the client; connects to nothing yet.
    ///
    /// # Errors
    /// `SecretKey` when the key has characters no header can carry.
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", settings.secret_key.reveal()))
            .map_err(|_| SettingsError::SecretKey)?;
        authorization.set_sensitive(true);
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|_| SettingsError::Tls)?;
        let tls = if is_loopback(&settings.api_base) { tls.https_or_http() } else { tls.https_only() };
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(tls.enable_http1().wrap_connector(tcp));
        let api_base = settings.api_base.trim_end_matches('/').to_owned();
        let pace = Arc::new(Mutex::new(Pace::new(Some(settings.calls_per_second))));
        let call_timeout = settings.call_timeout;
        Ok(Self { http, api_base, authorization, call_timeout, pace, born: Instant::now() })
    }

    fn request(&self, call: CustomizedStripeRequest) -> Result<Request<Full<Bytes>>, CallError> {
        let (call, overrides) = call.into_pieces();
        let query = call.query.filter(|query| !query.is_empty()).map(|query| format!("?{query}")).unwrap_or_default();
        let method = match call.method {
            StripeMethod::Get => Method::GET,
            StripeMethod::Post => Method::POST,
            StripeMethod::Delete => Method::DELETE,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/v1{}{query}", self.api_base, call.path))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(USER_AGENT, concat!("groundswell/", env!("CARGO_PKG_VERSION")))
            .header("stripe-version", VERSION.as_str());
        if let Some(RequestStrategy::Idempotent(key)) = overrides.request_strategy {
            request = request.header("idempotency-key", key.as_str());
        }
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        request
            .body(Full::new(Bytes::from(in_order(&call.body.unwrap_or_default()))))
            .map_err(|_| CallError::NoAnswer("a call that can't be written as a request"))
    }

    /// Waits for the turn of a call that is no charge.
    async fn turn(&self) -> Result<(), CallError> {
        let booked = self.pace.lock().book(TURN_WAIT_MAX, self.born.elapsed());
        tokio::time::sleep(booked.ok_or(CallError::Busy)?).await;
        Ok(())
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, HeaderMap, Bytes), CallError> {
        let response = self.http.request(request).await.map_err(|error| {
            CallError::NoAnswer(if error.is_connect() { "no connection" } else { "the connection was lost" })
        })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, RESPONSE_BYTES_MAX).collect().await;
        let body = body.map_err(|_| CallError::NoAnswer("an answer cut short, or too long"))?;
        Ok((head.status, head.headers, body.to_bytes()))
    }
}

impl StripeClient for Pooled {
    type Err = CallError;

    async fn execute(&self, call: CustomizedStripeRequest) -> Result<Bytes, CallError> {
        let request = self.request(call)?;
        let is_charge = request.method() == Method::POST && request.uri().path().ends_with(CHARGES);
        if !is_charge {
            self.turn().await?;
        }
        let (status, headers, body) = tokio::time::timeout(self.call_timeout, self.answer(request))
            .await
            .map_err(|_| CallError::NoAnswer("no answer in time"))??;
        if status.is_success() {
            return Ok(body);
        }
        let error = std::str::from_utf8(&body)
            .ok()
            .and_then(|text| miniserde::json::from_str::<ErrorBody>(text).ok())
            .and_then(|body| body.error)
            .unwrap_or_default();
        let retry_after = retry_after(&headers);
        if status == StatusCode::TOO_MANY_REQUESTS && !is_charge {
            self.pace.lock().rest(self.born.elapsed().saturating_add(rest_of(retry_after)));
        }
        Err(CallError::Refused { status, retry_after, error: Box::new(error) })
    }
}

/// The parameters sorted, so that one key always carries the same bytes: the library keeps metadata in no order.
fn in_order(form: &str) -> String {
    let mut parameters: Vec<&str> = form.split('&').collect();
    parameters.sort_unstable();
    parameters.join("&")
}

/// `Retry-After` in its form of seconds, the only one Stripe sends.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let secs: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(secs.min(RETRY_AFTER_SECS_MAX)))
}
