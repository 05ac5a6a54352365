//! Settings, read once: a TOML file, each key overridable by the environment, secrets never in either's error messages.
//!
//! `stripe.api_base` in the file is `GROUNDSWELL_STRIPE_API_BASE` in the environment. Secrets come from the environment or
//! from a file of their own (`stripe.secret_key_file`), so that the settings file can be shown to anybody.

pub mod accounts;
pub mod mail;

use crate::domain::privacy::RETENTION_YEARS_MAX;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The settings file is a page; more is not a settings file.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Every key that the environment may set: the path in the file.
const KEYS: &[&str] = &[
    "data",
    "listen",
    "rtmp",
    "webrtc",
    "webrtc_public_ip",
    "public_url",
    "site_name",
    "rtmp_url",
    "processor",
    "retention_years",
    "recordings_gib_max",
    "private_webhooks",
    "stripe.publishable_key",
    "stripe.api_base",
    "stripe.script_url",
    "stripe.secret_key_file",
    "stripe.webhook_secret_file",
    "stripe.calls_per_second",
    "mail.smtp",
    "mail.from",
    "mail.reply_to",
    "mail.username",
    "mail.password_file",
    "mail.ca_file",
];

/// US committees keep records for three years after the report is filed (11 CFR 102.9(c)).
const RETENTION_YEARS: u16 = 3;

/// A rally of three hours at 3 Mbit/s takes 4 GiB.
const RECORDINGS_GIB_MAX: u32 = 20;

/// More than this Stripe agrees to with nobody of this size.
const CALLS_PER_SECOND_MAX: u32 = 1000;

/// All settings, with defaults that run on one machine without any.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The data folder.
    pub data: PathBuf,
    /// Where HTTP listens.
    pub listen: SocketAddr,
    /// Where RTMP listens.
    pub rtmp: SocketAddr,
    /// Where WebRTC listens (UDP), for speakers in a browser and WHIP.
    pub webrtc: SocketAddr,
    /// The address speakers reach the server by, where the machine itself does not have it (behind NAT).
    pub webrtc_public_ip: Option<IpAddr>,
    /// The address people see, for links; `http://LISTEN` if none.
    pub public_url: Option<String>,
    /// Proxies on other machines than this: their `X-Forwarded-For` says who sends. One on this machine is believed anyway.
    pub proxies: Vec<IpAddr>,
    /// Sites that may show the donate form in a frame: `https://campaign.example`.
    #[serde(deserialize_with = "origins")]
    pub embed: Vec<String>,
    /// The address encoders send to, such as `rtmp://rally.example:1935/live`; made from `public_url` and `rtmp` if none.
    pub rtmp_url: Option<String>,
    /// The campaign's name, on the mark of every page.
    pub site_name: String,
    /// Who takes the money.
    pub processor: ProcessorKind,
    /// Years for which the law keeps a donor's record after the year in which it was reported: nobody is erased before.
    #[serde(deserialize_with = "years")]
    pub retention_years: u16,
    /// Room for all recordings together, in GiB; 0 records nothing.
    #[serde(deserialize_with = "gib")]
    pub recordings_gib_max: u32,
    /// Whether webhooks go to receivers on this machine and in private networks too, and there without encryption.
    #[serde(deserialize_with = "yes_or_no")]
    pub private_webhooks: bool,
    /// Stripe's account, for `processor = "stripe"`.
    pub stripe: Stripe,
    /// Accounts of further committees, by name; the first committee's is `stripe`.
    #[serde(deserialize_with = "accounts::by_name")]
    pub accounts: BTreeMap<String, accounts::Account>,
    /// The mail server, for receipts.
    pub mail: mail::Mail,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: "groundswell-data".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            rtmp: SocketAddr::from(([0, 0, 0, 0], 1935)),
            webrtc: SocketAddr::from(([0, 0, 0, 0], 8189)),
            webrtc_public_ip: None,
            public_url: None,
            proxies: vec![],
            embed: vec![],
            rtmp_url: None,
            site_name: "Groundswell".into(),
            processor: ProcessorKind::Simulated,
            retention_years: RETENTION_YEARS,
            recordings_gib_max: RECORDINGS_GIB_MAX,
            private_webhooks: false,
            stripe: Stripe::default(),
            accounts: BTreeMap::new(),
            mail: mail::Mail::default(),
        }
    }
}

/// Who takes the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProcessorKind {
    /// Nobody: every page says so.
    Simulated,
    /// Stripe, or what stands in for it at `stripe.api_base`.
    Stripe,
}

/// Stripe's account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stripe {
    /// `pk_...`; public.
    pub publishable_key: String,
    /// Another API address, for a stand-in.
    pub api_base: Option<String>,
    /// Another script address, for a stand-in.
    pub script_url: Option<String>,
    /// A file with the secret key; or `GROUNDSWELL_STRIPE_SECRET_KEY`.
    pub secret_key_file: Option<PathBuf>,
    /// A file with the webhook's signing secret; or `GROUNDSWELL_STRIPE_WEBHOOK_SECRET`.
    pub webhook_secret_file: Option<PathBuf>,
    /// Charges a second, and as many other calls; the default where there is none.
    #[serde(deserialize_with = "calls")]
    pub calls_per_second: Option<NonZeroU32>,
    /// Read from the file or the environment, never from the settings file.
    #[serde(skip)]
    pub secret_key: Secret,
    /// Read from the file or the environment, never from the settings file.
    #[serde(skip)]
    pub webhook_secret: Secret,
}

/// A text that is never printed.
#[derive(Clone, Default)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(none)" } else { "(secret)" })
    }
}

/// Why the settings can't be used.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum ConfigError {
    #[error("the settings file {} can't be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the settings file {} is larger than 64 KiB: is it the right file?", .0.display())]
    TooLarge(PathBuf),
    #[error("settings: {0}")]
    Malformed(String),
    #[error("the secret in {} can't be read: {source}", path.display())]
    SecretUnreadable { path: PathBuf, source: std::io::Error },
    #[error("settings: {0}")]
    Mail(String),
    #[error("{0} needs a value: set {1} in the environment, or {2} in the settings file")]
    Missing(&'static str, &'static str, &'static str),
}

impl Config {
    /// Reads the file, if there is one, then the environment through `env`.
    ///
    /// # Errors
    /// [`ConfigError`]: the message names the key and never a secret.
    pub fn read(file: Option<&Path>, env: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut table = match file {
            Some(path) => read_table(path)?,
            None => toml::Table::new(),
        };
        for key in KEYS {
            if let Some(value) = env(&variable(key)) {
                set(&mut table, key, value)?;
            }
        }
        if let Some(named) = env("GROUNDSWELL_ACCOUNTS") {
            accounts::add_named(&mut table, &named)?;
        }
        let mut config: Self =
            table.try_into().map_err(|error: toml::de::Error| ConfigError::Malformed(error.message().into()))?;
        let stripe = &mut config.stripe;
        stripe.secret_key = secret(&env, "GROUNDSWELL_STRIPE_SECRET_KEY", stripe.secret_key_file.as_deref())?;
        stripe.webhook_secret =
            secret(&env, "GROUNDSWELL_STRIPE_WEBHOOK_SECRET", stripe.webhook_secret_file.as_deref())?;
        for (name, account) in &mut config.accounts {
            account.complete(name, &env)?;
        }
        config.mail.read_secret(&env)?;
        config.mail.checked()?;
        if config.processor == ProcessorKind::Stripe {
            let missing = |text: &str, what, variable, key| {
                if text.is_empty() { Err(ConfigError::Missing(what, variable, key)) } else { Ok(()) }
            };
            missing(
                &stripe.secret_key.0,
                "Stripe's secret key",
                "GROUNDSWELL_STRIPE_SECRET_KEY",
                "stripe.secret_key_file",
            )?;
            missing(
                &stripe.webhook_secret.0,
                "Stripe's webhook secret",
                "GROUNDSWELL_STRIPE_WEBHOOK_SECRET",
                "stripe.webhook_secret_file",
            )?;
            missing(
                &stripe.publishable_key,
                "Stripe's publishable key",
                "GROUNDSWELL_STRIPE_PUBLISHABLE_KEY",
                "stripe.publishable_key",
            )?;
            config.accounts.iter().try_for_each(|(name, account)| account.check(name))?;
        }
        Ok(config)
    }

    /// The address people see, without a slash at its end.
    pub fn public_url(&self) -> String {
        match &self.public_url {
            Some(url) => url.trim_end_matches('/').into(),
            None => format!("http://{}", self.listen),
        }
    }

    /// The address encoders send to.
    pub fn rtmp_url(&self) -> String {
        if let Some(url) = &self.rtmp_url {
            return url.trim_end_matches('/').into();
        }
        let public = self.public_url();
        let authority = public.split_once("://").map_or(public.as_str(), |(_, rest)| rest);
        let authority = authority.split('/').next().unwrap_or_default();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        format!("rtmp://{host}:{}/live", self.rtmp.port())
    }
}

/// A number, from the file as one and from the environment as text.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Option<u32> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u32),
        Text(String),
    }
    match Written::deserialize(deserializer).ok()? {
        Written::Number(number) => Some(number),
        Written::Text(text) => text.trim().parse().ok(),
    }
}

fn years<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let years = number(deserializer).and_then(|years| u16::try_from(years).ok());
    years.filter(|years| *years <= RETENTION_YEARS_MAX).ok_or_else(|| {
        serde::de::Error::custom(format!("retention_years is a number of years from 0 to {RETENTION_YEARS_MAX}"))
    })
}

fn gib<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    number(deserializer)
        .ok_or_else(|| serde::de::Error::custom("recordings_gib_max is a whole number of GiB; 0 records nothing"))
}

/// From the file as what it is, and from the environment as text.
fn yes_or_no<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match toml::Value::deserialize(deserializer)? {
        toml::Value::Boolean(yes) => Ok(yes),
        toml::Value::String(text) if text == "true" => Ok(true),
        toml::Value::String(text) if text == "false" => Ok(false),
        toml::Value::String(_)
        | toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Datetime(_)
        | toml::Value::Array(_)
        | toml::Value::Table(_) => Err(serde::de::Error::custom("private_webhooks is true or false")),
    }
}

fn calls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NonZeroU32>, D::Error> {
    let calls = number(deserializer).and_then(NonZeroU32::new);
    calls.filter(|calls| calls.get() <= CALLS_PER_SECOND_MAX).map(Some).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "stripe.calls_per_second is a whole number from 1 to {CALLS_PER_SECOND_MAX}; Stripe takes 25 a second at an endpoint unless it agreed to more"
        ))
    })
}

/// Origins only: each goes into a header as it stands, and whoever frames a page of giving must be somebody that was named.
fn origins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let origins = Vec::<String>::deserialize(deserializer)?;
    let is_host = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
        !text.is_empty() && text.bytes().all(plain)
    };
    let is_origin = |text: &String| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://127.0.0.1:"));
        rest.is_some_and(is_host)
    };
    if origins.iter().all(is_origin) {
        Ok(origins)
    } else {
        Err(serde::de::Error::custom(
            "embed is a list of sites like \"https://campaign.example\", with nothing after the host",
        ))
    }
}

fn variable(key: &str) -> String {
    format!("GROUNDSWELL_{}", key.replace('.', "_").to_uppercase())
}

fn read_table(path: &Path) -> Result<toml::Table, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.into(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(ConfigError::TooLarge(path.into()));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    text.parse().map_err(|error: toml::de::Error| ConfigError::Malformed(error.message().into()))
}

fn set(table: &mut toml::Table, key: &str, value: String) -> Result<(), ConfigError> {
    let Some((section, rest)) = key.split_once('.') else {
        table.insert(key.into(), toml::Value::String(value));
        return Ok(());
    };
    let section = table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    let section = section.as_table_mut().ok_or_else(|| ConfigError::Malformed(format!("{key}: not a section")))?;
    section.insert(rest.into(), toml::Value::String(value));
    Ok(())
}

fn secret(env: &impl Fn(&str) -> Option<String>, variable: &str, file: Option<&Path>) -> Result<Secret, ConfigError> {
    if let Some(value) = env(variable) {
        return Ok(Secret(value.trim().into()));
    }
    let Some(path) = file else { return Ok(Secret::default()) };
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::SecretUnreadable { path: path.into(), source })?;
    Ok(Secret(text.trim().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("groundswell.toml");
        std::fs::write(&path, toml).unwrap();
        let find = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::read(Some(&path), find)
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_defaults() {
        let config =
            read("listen = \"127.0.0.1:9000\"\nsite_name = \"Rivera\"", &[("GROUNDSWELL_LISTEN", "127.0.0.1:9001")]);
        let config = config.unwrap();
        assert_eq!(config.listen.port(), 9001);
        assert_eq!(config.site_name, "Rivera");
        assert_eq!(config.rtmp.port(), 1935);
        assert_eq!(config.rtmp_url(), "rtmp://127.0.0.1:1935/live");
    }

    #[test]
    fn years_of_retention_are_a_number_in_the_file_and_a_text_in_the_environment() {
        assert_eq!(read("", &[]).unwrap().retention_years, 3);
        assert_eq!(read("retention_years = 7", &[]).unwrap().retention_years, 7);
        assert_eq!(read("", &[("GROUNDSWELL_RETENTION_YEARS", "0")]).unwrap().retention_years, 0);
        for wrong in ["retention_years = -1", "retention_years = \"three\"", "retention_years = 101"] {
            let error = read(wrong, &[]).unwrap_err().to_string();
            assert!(error.contains("retention_years is a number of years from 0 to 100"), "{error}");
        }
    }

    #[test]
    fn sites_that_may_embed_are_origins_and_nothing_else() {
        let given = r#"embed = ["https://campaign.example", "https://a.example:8443", "http://127.0.0.1:9000"]"#;
        assert_eq!(read(given, &[]).unwrap().embed.len(), 3);
        for wrong in
            ["*", "https://", "https://a.example/x", "https://a.example; script-src *", "http://a.example", "a.example"]
        {
            let error = read(&format!("embed = [\"{wrong}\"]"), &[]).unwrap_err().to_string();
            assert!(error.contains("embed is a list of sites"), "{wrong}: {error}");
        }
    }

    #[test]
    fn room_for_recordings_is_a_number_in_the_file_and_a_text_in_the_environment() {
        assert_eq!(read("recordings_gib_max = 7", &[]).unwrap().recordings_gib_max, 7);
        assert_eq!(read("", &[("GROUNDSWELL_RECORDINGS_GIB_MAX", "0")]).unwrap().recordings_gib_max, 0);
        let error = read("", &[("GROUNDSWELL_RECORDINGS_GIB_MAX", "much")]).unwrap_err().to_string();
        assert!(error.contains("recordings_gib_max is a whole number of GiB"), "{error}");
    }

    #[test]
    fn the_pace_is_a_number_in_the_file_and_a_text_in_the_environment() {
        let pace = |toml: &str, env: &[_]| {
            Ok::<_, String>(read(toml, env).map_err(|e| e.to_string())?.stripe.calls_per_second)
        };
        assert_eq!(pace("", &[]), Ok(None));
        assert_eq!(pace("[stripe]\ncalls_per_second = 80", &[]), Ok(NonZeroU32::new(80)));
        assert_eq!(pace("", &[("GROUNDSWELL_STRIPE_CALLS_PER_SECOND", "3")]), Ok(NonZeroU32::new(3)));
        for wrong in ["0", "-1", "1001", "2.5", "\"fast\""] {
            let error = pace(&format!("[stripe]\ncalls_per_second = {wrong}"), &[]).unwrap_err();
            assert!(error.contains("calls_per_second is a whole number from 1 to 1000"), "{error}");
        }
    }

    #[test]
    fn mistakes_are_named_and_secrets_are_not_shown() {
        let error = read("lisen = \"x\"", &[]).unwrap_err().to_string();
        assert!(error.contains("lisen"), "{error}");
        let error = read("[stripe]\nsecret_key = \"sk_live_abc\"", &[]).unwrap_err().to_string();
        assert!(error.contains("secret_key") && !error.contains("sk_live_abc"), "{error}");
        let error = read("processor = \"stripe\"", &[]).unwrap_err().to_string();
        assert!(error.contains("GROUNDSWELL_STRIPE_SECRET_KEY"), "{error}");
        let config = read("", &[("GROUNDSWELL_STRIPE_SECRET_KEY", "sk_test_abc")]).unwrap();
        assert!(!format!("{config:?}").contains("sk_test_abc"));
        let error = read("[mail]\npassword = \"hush\"", &[]).unwrap_err().to_string();
        assert!(error.contains("password") && !error.contains("hush"), "{error}");
        let error = read("[mail]\nsmtp = \"smtps://mail.example\"", &[]).unwrap_err().to_string();
        assert!(error.contains("mail.from is missing"), "{error}");
        let mail = [
            ("GROUNDSWELL_MAIL_SMTP", "smtps://mail.example"),
            ("GROUNDSWELL_MAIL_FROM", "receipts@rivera.example"),
            ("GROUNDSWELL_MAIL_USERNAME", "rivera"),
            ("GROUNDSWELL_MAIL_PASSWORD", "hush"),
        ];
        let config = read("", &mail).unwrap();
        assert!(config.mail.checked().unwrap().is_some_and(|mail| mail.login.is_some()));
        assert!(!format!("{config:?}").contains("hush"));
    }
}
