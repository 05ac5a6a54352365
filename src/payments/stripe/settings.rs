//! What Stripe's account is, and whether its parts fit together.

use crate::payments::Mode;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;
use thiserror::Error;

/// Stripe's own API.
pub const API_BASE: &str = "https://api.stripe.com";

/// Stripe's own script; it may only be loaded from there.
pub const SCRIPT_URL: &str = "https://js.stripe.com/v3/";

/// How long one call may take. Banks answer in 10 s at worst; after that a donor is better told that we are waiting.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Charges a second, and other calls a second: Stripe takes 25 at an endpoint and 100 in all unless it agreed to more.
/// <https://docs.stripe.com/rate-limits>
pub const CALLS_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Stripe's account and addresses.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `sk_test_…`, `sk_live_…`, or a restricted `rk_…`.
    pub secret_key: Secret,
    /// `pk_test_…` or `pk_live_…`.
    pub publishable_key: String,
    /// The webhook endpoint's signing secret, `whsec_…`.
    pub webhook_secret: Secret,
    /// [`API_BASE`], or where a stand-in listens: `http://127.0.0.1:8420`.
    pub api_base: String,
    /// [`SCRIPT_URL`], or the stand-in's: `http://127.0.0.1:8420/js.stripe.com/v3/`.
    pub script_url: String,
    /// How long one call may take: [`CALL_TIMEOUT`].
    pub call_timeout: Duration,
    /// Charges a second, and as many other calls: [`CALLS_PER_SECOND`].
    pub calls_per_second: NonZeroU32,
}

impl Settings {
    /// Whether the parts fit together, and whose money they move.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub(super) fn check(&self) -> Result<Mode, SettingsError> {
        let secret_live = live(self.secret_key.reveal(), &["sk_", "rk_"]).ok_or(SettingsError::SecretKey)?;
        let publishable_live = live(&self.publishable_key, &["pk_"]).ok_or(SettingsError::PublishableKey)?;
        if secret_live != publishable_live {
            return Err(SettingsError::MixedModes);
        }
        if self.webhook_secret.reveal().strip_prefix("whsec_").is_none_or(str::is_empty) {
            return Err(SettingsError::WebhookSecret);
        }
        check_address("the API address", &self.api_base)?;
        check_address("the script address", &self.script_url)?;
        let stripes_api = self.api_base.trim_end_matches('/') == API_BASE;
        let stripes_script = origin(&self.script_url) == origin(SCRIPT_URL);
        if stripes_api != stripes_script {
            return Err(SettingsError::MixedAddresses);
        }
        if secret_live && !stripes_api {
            return Err(SettingsError::LiveKeyElsewhere);
        }
        Ok(if secret_live { Mode::Live } else { Mode::Test })
    }

    /// Stripe itself, with these keys.
    pub fn new(secret_key: Secret, publishable_key: String, webhook_secret: Secret) -> Self {
        Self {
            secret_key,
            publishable_key,
            webhook_secret,
            api_base: API_BASE.into(),
            script_url: SCRIPT_URL.into(),
            call_timeout: CALL_TIMEOUT,
            calls_per_second: CALLS_PER_SECOND,
        }
    }
}

/// Settings that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// Not a secret key's form.
    #[error("the secret key must begin with sk_test_, sk_live_, rk_test_ or rk_live_")]
    SecretKey,
    /// Not a publishable key's form.
    #[error("the publishable key must begin with pk_test_ or pk_live_")]
    PublishableKey,
    /// One key is for test money and the other for real money.
    #[error("one of the keys is a test key and the other is a live key; take both from the same page")]
    MixedModes,
    /// Not a signing secret.
    #[error("the webhook secret must begin with whsec_")]
    WebhookSecret,
    /// Not an address.
    #[error("{what} is not an http or https address: {address}")]
    Address {
        /// Which setting.
        what: &'static str,
        /// What it holds.
        address: String,
    },
    /// A key would go over the network in the clear.
    #[error("{what} must be https unless it is on this machine: {address}")]
    Insecure {
        /// Which setting.
        what: &'static str,
        /// What it holds.
        address: String,
    },
    /// A key that moves real money, for somebody who is not Stripe.
    #[error("a live key is for {API_BASE} and {SCRIPT_URL} only")]
    LiveKeyElsewhere,
    /// The connections' encryption can't be set up.
    #[error("TLS can't be set up in this build")]
    Tls,
    /// One of the two addresses is Stripe's and the other a stand-in's.
    #[error("the API address and the script address must both be Stripe's own, or both a stand-in's")]
    MixedAddresses,
}

/// `Some(true)` for a live key of one of these kinds, `Some(false)` for a test key, `None` for anything else.
fn live(key: &str, kinds: &[&str]) -> Option<bool> {
    let rest = kinds.iter().find_map(|kind| key.strip_prefix(kind))?;
    let is_key = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match rest.split_once('_')? {
        ("live", rest) if is_key(rest) => Some(true),
        ("test", rest) if is_key(rest) => Some(false),
        _ => None,
    }
}

/// Scheme, host and port of an address.
pub(super) fn origin(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}")
}

/// Whether the address is on this machine, where nobody listens on the wire.
pub(super) fn is_loopback(address: &str) -> bool {
    let origin = origin(address);
    let Some((_, host)) = origin.split_once("://") else { return false };
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => host,
    };
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

fn check_address(what: &'static str, address: &str) -> Result<(), SettingsError> {
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://")).unwrap_or_default();
    // No white space, quotes or semicolons: the address goes into a page and into its security policy.
    let plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/[]".contains(&byte));
    if !plain || rest.is_empty() || rest.starts_with(['/', ':']) {
        return Err(SettingsError::Address { what, address: address.into() });
    }
    if !address.starts_with("https://") && !is_loopback(address) {
        return Err(SettingsError::Insecure { what, address: address.into() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(secret: &str, publishable: &str, api_base: &str, script_url: &str) -> Result<Mode, SettingsError> {
        let keys = Settings::new(Secret::new(secret), publishable.into(), Secret::new("whsec_x"));
        Settings { api_base: api_base.into(), script_url: script_url.into(), ..keys }.check()
    }

    #[test]
    fn keys_must_fit_each_other() {
        for (secret, publishable, expected) in [
            ("sk_test_1", "pk_test_1", Ok(Mode::Test)),
            ("rk_test_1", "pk_test_1", Ok(Mode::Test)),
            ("sk_live_1", "pk_live_1", Ok(Mode::Live)),
            ("rk_live_1", "pk_live_1", Ok(Mode::Live)),
            ("sk_live_1", "pk_test_1", Err(SettingsError::MixedModes)),
            ("sk_test_1", "pk_live_1", Err(SettingsError::MixedModes)),
            ("pk_test_1", "pk_test_1", Err(SettingsError::SecretKey)),
            ("sk_test_", "pk_test_1", Err(SettingsError::SecretKey)),
            ("sk_test_1\r\nx: y", "pk_test_1", Err(SettingsError::SecretKey)),
            (" sk_test_1", "pk_test_1", Err(SettingsError::SecretKey)),
            ("", "pk_test_1", Err(SettingsError::SecretKey)),
            ("sk_test_1", "sk_test_1", Err(SettingsError::PublishableKey)),
            ("sk_test_1", "pk_test_\"", Err(SettingsError::PublishableKey)),
        ] {
            assert_eq!(check(secret, publishable, API_BASE, SCRIPT_URL), expected, "{secret:?} {publishable:?}");
        }
        let keys = |webhook| Settings::new(Secret::new("sk_test_1"), "pk_test_1".into(), Secret::new(webhook)).check();
        for wrong in ["", "whsec_", "secret"] {
            assert_eq!(keys(wrong), Err(SettingsError::WebhookSecret), "{wrong:?}");
        }
    }

    #[test]
    fn keys_go_only_where_they_are_safe() {
        let local = "http://127.0.0.1:8420";
        let local_script = "http://127.0.0.1:8420/js.stripe.com/v3/";
        assert_eq!(check("sk_test_1", "pk_test_1", local, local_script), Ok(Mode::Test));
        assert_eq!(check("sk_test_1", "pk_test_1", "http://[::1]:8420/", "http://localhost:8420/"), Ok(Mode::Test));
        assert_eq!(check("sk_live_1", "pk_live_1", local, local_script), Err(SettingsError::LiveKeyElsewhere));
        assert_eq!(check("sk_test_1", "pk_test_1", local, SCRIPT_URL), Err(SettingsError::MixedAddresses));
        assert_eq!(check("sk_test_1", "pk_test_1", API_BASE, local_script), Err(SettingsError::MixedAddresses));
        for clear in
            ["http://api.stripe.com", "http://10.0.0.1", "http://127.0.0.1.example.com", "http://127.0.0.1@example.com"]
        {
            let refused = check("sk_test_1", "pk_test_1", clear, local_script);
            assert!(matches!(refused, Err(SettingsError::Insecure { .. } | SettingsError::Address { .. })), "{clear}");
        }
        for wrong in
            ["", "api.stripe.com", "ftp://api.stripe.com", "https://", "https://x;script-src *", "https://x\"y"]
        {
            let refused = check("sk_test_1", "pk_test_1", wrong, local_script);
            assert!(matches!(refused, Err(SettingsError::Address { .. })), "{wrong}");
        }
    }
}
