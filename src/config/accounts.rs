//! Accounts of further committees, each at the processor of the first: `[accounts.party]`.

use super::{ConfigError, Secret, calls, secret};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

/// Characters of an account's name: it stands in the address its webhooks are sent to.
const NAME_CHARS_MAX: usize = 32;

/// One committee's account. Addresses of the processor are those of the first one's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Account {
    /// `pk_...`; public.
    pub publishable_key: String,
    /// A file with the secret key; or `GROUNDSWELL_ACCOUNTS_NAME_SECRET_KEY`.
    pub secret_key_file: Option<PathBuf>,
    /// A file with the webhook's signing secret; or `GROUNDSWELL_ACCOUNTS_NAME_WEBHOOK_SECRET`.
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

impl Account {
    /// Reads what the environment and the secrets' files have of the account with this name.
    pub(super) fn complete(&mut self, name: &str, env: &impl Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        let variable = |what: &str| format!("GROUNDSWELL_ACCOUNTS_{}_{what}", name.replace('-', "_").to_uppercase());
        if let Some(key) = env(&variable("PUBLISHABLE_KEY")) {
            self.publishable_key = key;
        }
        self.secret_key = secret(env, &variable("SECRET_KEY"), self.secret_key_file.as_deref())?;
        self.webhook_secret = secret(env, &variable("WEBHOOK_SECRET"), self.webhook_secret_file.as_deref())?;
        Ok(())
    }

    /// Refuses an account that no money could be taken into.
    pub(super) fn check(&self, name: &str) -> Result<(), ConfigError> {
        let given = [
            (&self.publishable_key, "publishable_key"),
            (&self.secret_key.0, "secret_key_file"),
            (&self.webhook_secret.0, "webhook_secret_file"),
        ];
        match given.into_iter().find(|(value, _)| value.is_empty()) {
            None => Ok(()),
            Some((_, key)) => Err(ConfigError::Malformed(format!(
                "accounts.{name} needs {key}: each committee has keys of its own account at the processor"
            ))),
        }
    }
}

/// Adds the accounts that the environment names: `GROUNDSWELL_ACCOUNTS=party,victory`.
pub(super) fn add_named(table: &mut toml::Table, named: &str) -> Result<(), ConfigError> {
    for name in named.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let accounts = table.entry("accounts").or_insert_with(|| toml::Value::Table(toml::Table::new()));
        let accounts =
            accounts.as_table_mut().ok_or_else(|| ConfigError::Malformed("accounts: not a section".into()))?;
        accounts.entry(name).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    }
    Ok(())
}

/// Accounts by name: lower-case letters, digits and hyphens.
pub(super) fn by_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Account>, D::Error> {
    let accounts = BTreeMap::<String, Account>::deserialize(deserializer)?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = |name: &String| (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(plain);
    match accounts.keys().find(|name| !is_name(name)) {
        None => Ok(accounts),
        Some(name) => Err(serde::de::Error::custom(format!(
            "accounts.{name}: an account's name has 1 to {NAME_CHARS_MAX} lower-case letters, digits and hyphens"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigError};

    fn read(toml: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("groundswell.toml");
        std::fs::write(&path, toml).unwrap();
        let find = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::read(Some(&path), find)
    }

    const FIRST: [(&str, &str); 3] = [
        ("GROUNDSWELL_STRIPE_SECRET_KEY", "sk_test_1"),
        ("GROUNDSWELL_STRIPE_WEBHOOK_SECRET", "whsec_1"),
        ("GROUNDSWELL_STRIPE_PUBLISHABLE_KEY", "pk_test_1"),
    ];

    #[test]
    fn each_account_has_secrets_of_its_own_that_are_never_shown() {
        let toml = "processor = \"stripe\"\n[accounts.state-party]\npublishable_key = \"pk_test_2\"";
        let secrets = [
            ("GROUNDSWELL_ACCOUNTS_STATE_PARTY_SECRET_KEY", "sk_test_2"),
            ("GROUNDSWELL_ACCOUNTS_STATE_PARTY_WEBHOOK_SECRET", "whsec_2"),
        ];
        let config = read(toml, &[&FIRST[..], &secrets[..]].concat()).unwrap();
        let account = &config.accounts["state-party"];
        assert_eq!((account.secret_key.0.as_str(), account.webhook_secret.0.as_str()), ("sk_test_2", "whsec_2"));
        assert!(!format!("{config:?}").contains("sk_test_2"));
        for one_alone in secrets {
            let mut env = FIRST.to_vec();
            env.push(one_alone);
            let error = read(toml, &env).unwrap_err().to_string();
            assert!(error.contains("accounts.state-party needs") && !error.contains("test_2"), "{error}");
        }
    }

    #[test]
    fn the_environment_can_name_accounts_too() {
        let mut env = FIRST.to_vec();
        env.extend([
            ("GROUNDSWELL_PROCESSOR", "stripe"),
            ("GROUNDSWELL_ACCOUNTS", "party, "),
            ("GROUNDSWELL_ACCOUNTS_PARTY_PUBLISHABLE_KEY", "pk_test_2"),
            ("GROUNDSWELL_ACCOUNTS_PARTY_SECRET_KEY", "sk_test_2"),
            ("GROUNDSWELL_ACCOUNTS_PARTY_WEBHOOK_SECRET", "whsec_2"),
        ]);
        let config = read("", &env).unwrap();
        assert_eq!(config.accounts["party"].publishable_key, "pk_test_2");
        assert!(read("accounts = 1", &[("GROUNDSWELL_ACCOUNTS", "party")]).is_err());
    }

    #[test]
    fn the_simulated_processor_needs_no_keys() {
        let config = read("[accounts.party]\n[accounts.victory]", &[]).unwrap();
        assert_eq!(config.accounts.len(), 2);
    }

    #[test]
    fn a_name_stands_in_an_address_and_secrets_stand_elsewhere() {
        for wrong in ["Party", "a_b", "a.b", "", "abcdefghijklmnopqrstuvwxyz0123456"] {
            let error = read(&format!("[accounts.\"{wrong}\"]"), &[]).unwrap_err().to_string();
            assert!(error.contains("lower-case letters"), "{wrong}: {error}");
        }
        let error = read("[accounts.party]\nsecret_key = \"sk_test_2\"", &[]).unwrap_err().to_string();
        assert!(error.contains("secret_key") && !error.contains("sk_test_2"), "{error}");
    }
}
