//! What Stripe's account is, and whether its parts fit together.

use std::fmt;
use std::time::Duration;
use thiserror::Error;

/// Stripe's own API.
pub const API_BASE: &str = "https://api.stripe.com";

/// Stripe's own script; it may only be loaded from there.
pub const SCRIPT_URL: &str = "https://js.stripe.com/v3/";

/// How long one call may take. Banks answer in 10 s at worst; after that a donor is better told that we are waiting.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);

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
}

impl Settings {
    /// Stripe itself, with these keys.
    pub fn new(secret_key: Secret, publishable_key: String, webhook_secret: Secret) -> Self {
        Self {
            secret_key,
            publishable_key,
            webhook_secret,
            api_base: API_BASE.into(),
            script_url: SCRIPT_URL.into(),
            call_timeout: CALL_TIMEOUT,
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
    /// One of the two addresses is Stripe's and the other a stand-in's.
    #[error("the API address and the script address must both be Stripe's own, or both a stand-in's")]
    MixedAddresses,
}
