//! Programs that ask with a token: what each may read, when it last asked, and how often it may.

use super::App;
use super::problem::Problem;
use super::session::Staff;
use crate::domain::id::TokenId;
use crate::domain::token::{Scope, SecretHash};
use crate::vault::Vault;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use std::collections::HashMap;

/// Requests with one token in a minute: twenty a second, of which each reads at most a page of the ledger.
pub const REQUESTS_PER_MINUTE_MAX: u32 = 1_200;
/// By which a token is known in a file that it should not be in.
const PREFIX: &str = "gsw_";

/// A new secret: 256 bits, so that a plain look-up of its hash is safe.
///
/// # Errors
/// [`Problem::Internal`] where the system gives no randomness.
pub fn new_secret() -> Result<String, Problem> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| super::problem::internal(&error))?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// By which the log knows a secret.
pub fn hash(vault: &Vault, secret: &str) -> SecretHash {
    SecretHash::new(&vault.derive("api-token", secret.as_bytes()))
}

/// Who asks the API.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Somebody signed in.
    Staff(Staff),
    /// A program.
    Program {
        /// Its token.
        token: TokenId,
        /// What that lets it read.
        scopes: Vec<Scope>,
    },
}

impl Caller {
    /// As the log names them.
    pub fn actor(&self) -> String {
        match self {
            Self::Staff(staff) => staff.actor(),
            Self::Program { token, .. } => format!("token:{token}"),
        }
    }

    /// Lets those through who may read this.
    ///
    /// # Errors
    /// [`Problem::NoScope`] and [`Problem::Forbidden`].
    pub fn reads(&self, scope: Scope) -> Result<(), Problem> {
        match self {
            Self::Program { scopes, .. } if scopes.contains(&scope) => Ok(()),
            Self::Program { .. } => Err(Problem::NoScope(scope)),
            // All of staff sees the room.
            Self::Staff(_) if scope == Scope::Attendance => Ok(()),
            Self::Staff(staff) => staff.clone().sees_money().map(drop),
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Some(sent) = parts.headers.get(AUTHORIZATION) else {
            return Staff::from_request_parts(parts, app).await.map(Self::Staff).map_err(|_| Problem::NoToken);
        };
        let secret = sent.to_str().ok().and_then(bearer).ok_or(Problem::UnknownToken)?;
        let hash = hash(app.engine().vault(), secret);
        let (token, scopes) = {
            let world = app.engine().world();
            let found = world.state.tokens.find(&hash).map(|(id, token)| (id, token.scopes.clone()));
            found.ok_or(Problem::UnknownToken)?
        };
        app.token_uses().note(token, app.engine().clock().now())?;
        Ok(Self::Program { token, scopes })
    }
}

fn bearer(sent: &str) -> Option<&str> {
    let (scheme, secret) = sent.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

#[derive(Clone, Copy, Debug)]
struct Use {
    last: DateTime<Utc>,
    minute: i64,
    requests: u32,
}

/// When each token was used last, since the server started; in memory alone, for a request is no event.
#[derive(Debug, Default)]
pub struct Uses(Mutex<HashMap<TokenId, Use>>);

impl Uses {
    /// Counts a request of a token that works.
    fn note(&self, token: TokenId, now: DateTime<Utc>) -> Result<(), Problem> {
        let seconds = now.timestamp();
        let minute = seconds.div_euclid(60);
        let mut uses = self.0.lock();
        let used = uses.entry(token).or_insert(Use { last: now, minute, requests: 0 });
        if used.minute != minute {
            (used.minute, used.requests) = (minute, 0);
        }
        used.last = now;
        if used.requests >= REQUESTS_PER_MINUTE_MAX {
            let left = 60_i64.saturating_sub(seconds.rem_euclid(60));
            return Err(Problem::TooOften { seconds: u32::try_from(left).unwrap_or(60) });
        }
        used.requests = used.requests.saturating_add(1);
        Ok(())
    }

    /// When this token was used last.
    pub fn last(&self, token: TokenId) -> Option<DateTime<Utc>> {
        self.0.lock().get(&token).map(|used| used.last)
    }

    /// Forgets one that works no more.
    pub fn forget(&self, token: TokenId) {
        self.0.lock().remove(&token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use uuid::Uuid;

    #[test]
    fn a_token_has_so_many_requests_a_minute_and_no_other_pays_for_them() {
        let (uses, now) = (Uses::default(), DateTime::from_timestamp(1_900_000_010, 0).unwrap());
        let (one, other) = (TokenId(Uuid::from_u128(1)), TokenId(Uuid::from_u128(2)));
        for _ in 0..REQUESTS_PER_MINUTE_MAX {
            uses.note(one, now).unwrap();
        }
        let refused = uses.note(one, now).unwrap_err();
        assert!(matches!(refused, Problem::TooOften { seconds: 10 }), "{refused:?}");
        uses.note(other, now).unwrap();
        uses.note(one, now + TimeDelta::seconds(10)).unwrap();
        assert_eq!(uses.last(one), Some(now + TimeDelta::seconds(10)));
        uses.forget(one);
        assert_eq!(uses.last(one), None);
    }

    #[test]
    fn only_a_bearer_is_read() {
        assert_eq!(bearer("Bearer gsw_a"), Some("gsw_a"));
        assert_eq!(bearer("bearer  gsw_a "), Some("gsw_a"));
        for other in ["", "gsw_a", "Basic gsw_a", "Bearer"] {
            assert_eq!(bearer(other), None, "{other}");
        }
    }
}
