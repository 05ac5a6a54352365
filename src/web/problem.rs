//! What goes wrong, as a person reads it: a page, or problem+json (RFC 9457) for programs.

use super::App;
use super::pages::message::Message;
use crate::domain::Refusal;
use crate::domain::token::Scope;
use crate::engine::Failure;
use crate::payments::cashier::Trouble;
use crate::payments::{Fault, WebhookRefusal};
use askama::Template;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Everything a handler can answer instead of its page.
#[derive(Clone, Debug)]
pub enum Problem {
    /// No such page, rally, donation.
    NotFound,
    /// The method does not fit the address.
    MethodNotAllowed,
    /// Staff only: sign in first, then go on to `next`.
    SignIn {
        /// Where to go on.
        next: String,
    },
    /// Signed in, but not for this.
    Forbidden(&'static str),
    /// No token for the API, and nobody signed in.
    NoToken,
    /// A token that was never made, or was revoked.
    UnknownToken,
    /// A token for something else.
    NoScope(Scope),
    /// More requests with one token than it has.
    TooOften {
        /// When to try again, in seconds.
        seconds: u32,
    },
    /// No such thing, in words that say which.
    Unknown(String),
    /// The form did not come from our own page.
    CrossSite,
    /// The form is older than the session.
    StaleForm,
    /// The rules said no.
    Refused(String),
    /// The request can't be read.
    Malformed(String),
    /// The body is larger than this address takes.
    TooLarge,
    /// Too much at once, from this sender or from all.
    Busy {
        /// When to try again, in seconds.
        seconds: u32,
    },
    /// More from one sender than a person sends.
    TooFast {
        /// When to try again, in seconds.
        seconds: u32,
    },
    /// The world failed; the log has the details.
    Internal,
    /// The processor failed.
    Processor,
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::Unknown(_) => StatusCode::NOT_FOUND,
            Self::NoToken | Self::UnknownToken => StatusCode::UNAUTHORIZED,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::SignIn { .. } => StatusCode::SEE_OTHER,
            Self::Forbidden(_) | Self::NoScope(_) | Self::CrossSite | Self::StaleForm => StatusCode::FORBIDDEN,
            Self::Refused(_) => StatusCode::CONFLICT,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooFast { .. } | Self::TooOften { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Processor => StatusCode::BAD_GATEWAY,
        }
    }

    /// A stable word for programs.
    fn kind(&self) -> &'static str {
        match self {
            Self::NotFound | Self::Unknown(_) => "not-found",
            Self::NoToken => "no-token",
            Self::UnknownToken => "unknown-token",
            Self::NoScope(_) => "no-scope",
            Self::TooOften { .. } => "too-often",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::SignIn { .. } => "sign-in",
            Self::Forbidden(_) => "forbidden",
            Self::CrossSite => "cross-site",
            Self::StaleForm => "stale-form",
            Self::Refused(_) => "refused",
            Self::Malformed(_) => "malformed",
            Self::TooLarge => "too-large",
            Self::Busy { .. } => "busy",
            Self::TooFast { .. } => "too-fast",
            Self::Internal => "internal",
            Self::Processor => "processor",
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::NotFound | Self::Unknown(_) => "There is nothing here",
            Self::NoToken | Self::UnknownToken => "A token is wanted",
            Self::NoScope(_) => "This token may not read that",
            Self::TooOften { .. } => "Too many requests with this token",
            Self::MethodNotAllowed => "That does not work here",
            Self::SignIn { .. } => "Please sign in",
            Self::Forbidden(_) => "This is not yours to open",
            Self::CrossSite | Self::StaleForm => "That form was not taken",
            Self::Refused(_) => "That is not possible",
            Self::Malformed(_) => "That could not be read",
            Self::TooLarge => "That is too large",
            Self::Busy { .. } => "Very many people are here",
            Self::TooFast { .. } => "Too many gifts from one place",
            Self::Internal => "Something broke on our side",
            Self::Processor => "The payment company did not answer",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NotFound => "The address may be mistyped, or the page may have moved.".into(),
            Self::MethodNotAllowed => "Go back and use the page’s own buttons.".into(),
            Self::SignIn { .. } => "This page is for staff.".into(),
            Self::Forbidden(why) => (*why).into(),
            Self::NoToken => {
                "Send “Authorization: Bearer TOKEN”. The campaign’s finance team makes tokens at /finance/tokens."
                    .into()
            }
            Self::UnknownToken => {
                "The token was revoked, or is not whole. Ask the campaign’s finance team for another one.".into()
            }
            Self::NoScope(scope) => {
                format!("It was made without “{}”. Ask the campaign’s finance team for one with it.", scope.word())
            }
            Self::TooOften { seconds } => format!("Try again in {seconds} seconds, and ask less often."),
            Self::CrossSite => "It was sent from another site. Open our page and send it from there.".into(),
            Self::StaleForm => {
                "You have signed in again since the page was opened. Go back, reload it, and send it once more.".into()
            }
            Self::Refused(why) | Self::Malformed(why) | Self::Unknown(why) => sentence(why),
            Self::TooLarge => "It holds more than this page takes. Shorten it and send it again.".into(),
            Self::TooFast { seconds } => format!(
                "Very many cards were tried from your network. Nothing was charged. Try again in {} minutes, or from another network.",
                seconds.div_ceil(60)
            ),
            Self::Busy { .. } => "Nothing was lost. Wait a moment and try again.".into(),
            Self::Internal => "Nothing that was confirmed is lost. Try again; if it stays, tell the campaign.".into(),
            Self::Processor => "Nothing is charged twice. Wait a moment and look again.".into(),
        }
    }
}

/// Words of ours as a sentence: a capital at its beginning, a full stop at its end.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    let text = format!("{first}{}", chars.as_str());
    if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        if let Self::SignIn { next } = &self
            && let Ok(location) = HeaderValue::from_str(&format!("/host/sign-in?next={next}"))
        {
            response.headers_mut().insert(LOCATION, location);
        }
        if matches!(self, Self::NoToken | Self::UnknownToken) {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Self::Busy { seconds } | Self::TooFast { seconds } | Self::TooOften { seconds } = &self {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(*seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.to_string())
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::Overloaded | Failure::Stopped | Failure::Erased => Self::Busy { seconds: 3 },
            Failure::TooLong => Self::TooLarge,
            Failure::Key => Self::Internal,
        }
    }
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Failure(failure) => failure.into(),
            Trouble::Fault(Fault::Throttled { .. }) => Self::Busy { seconds: 5 },
            Trouble::Fault(
                fault @ (Fault::Unknown { .. } | Fault::Barred { .. } | Fault::Rejected { .. } | Fault::NotOurs { .. }),
            ) => {
                tracing::error!(%fault, "the payment processor failed");
                Self::Processor
            }
            Trouble::Webhook(WebhookRefusal::TooLarge) => Self::TooLarge,
            Trouble::Webhook(refusal) => Self::Malformed(refusal.to_string()),
            Trouble::Vault(fault) => internal(&fault),
            Trouble::Pack(error) => internal(&error),
            full @ Trouble::LineFull => Self::Refused(full.to_string()),
        }
    }
}

impl From<askama::Error> for Problem {
    fn from(error: askama::Error) -> Self {
        internal(&error)
    }
}

/// Logs once what broke, and answers without details.
pub fn internal(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "a request failed");
    Problem::Internal
}

/// A problem as programs read it (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Told {
    /// A stable word for it, as a path.
    #[serde(rename = "type")]
    #[schema(example = "/problems/no-scope")]
    kind: String,
    /// The same for people.
    title: &'static str,
    /// The answer's status.
    status: u16,
    /// What to do.
    detail: String,
}

/// Gives every problem its body: a page for people, problem+json for programs.
pub async fn render(State(app): State<App>, request: Request, next: Next) -> Response {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Who asks there is a program, whatever it says that it takes.
    let for_program = accept.contains("json") || request.uri().path().starts_with("/api/");
    let response = next.run(request).await;
    let problem = match response.extensions().get::<Problem>() {
        Some(problem) => problem.clone(),
        // What the framework answers by itself has no body of ours.
        None => match response.status() {
            StatusCode::METHOD_NOT_ALLOWED => Problem::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Problem::TooLarge,
            StatusCode::REQUEST_TIMEOUT => Problem::Busy { seconds: 3 },
            _ => return response,
        },
    };
    if matches!(problem, Problem::SignIn { .. }) && !for_program {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    if for_program {
        let status = if matches!(problem, Problem::SignIn { .. }) { StatusCode::UNAUTHORIZED } else { parts.status };
        parts.status = status;
        let body = Told {
            kind: format!("/problems/{}", problem.kind()),
            title: problem.title(),
            status: status.as_u16(),
            detail: problem.detail(),
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        parts.headers.remove(axum::http::header::CONTENT_LENGTH);
        return Response::from_parts(parts, body.into());
    }
    let page = Message {
        layout: app.layout(problem.title(), None),
        code: parts.status.as_str().into(),
        title: problem.title().into(),
        body: vec![problem.detail()],
        action: Some(("/".into(), "To the rallies".into())),
        reference: String::new(),
    };
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    parts.headers.remove(CONTENT_TYPE);
    match page.render() {
        Ok(html) => (parts, Html(html)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
