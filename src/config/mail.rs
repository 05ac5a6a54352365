//! The mail server that takes our letters: `[mail]` in the settings.

use super::{ConfigError, Secret, secret};
use lettre::message::Mailbox;
use serde::Deserialize;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// A bundle of authorities is some 200 KiB.
const CA_BYTES_MAX: u64 = 1024 * 1024;

/// `[mail]` as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// `smtps://HOST` (TLS from the first byte) or `smtp://HOST` (STARTTLS, and plain on this machine); empty sends nothing.
    pub smtp: String,
    /// Who writes: `Rivera for Senate <receipts@rivera.example>`.
    pub from: String,
    /// Who reads answers, where that is somebody else.
    pub reply_to: Option<String>,
    /// The account on the mail server, where it asks for one.
    pub username: Option<String>,
    /// A file with its password; or `GROUNDSWELL_MAIL_PASSWORD`.
    pub password_file: Option<PathBuf>,
    /// A file with the certificate (PEM) of an authority of your own, believed instead of those that browsers believe.
    pub ca_file: Option<PathBuf>,
    /// Read from the file or the environment, never from the settings file.
    #[serde(skip)]
    pub password: Secret,
}

/// How the line to the mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all: on this machine only.
    Plain,
    /// From the first byte (RFC 8314, section 3.3).
    Tls,
    /// After STARTTLS (RFC 3207), which the server must offer.
    StartTls,
}

/// The settings of a server that sends mail, checked.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the line is encrypted.
    pub encryption: Encryption,
    /// Who writes.
    pub from: Mailbox,
    /// Who reads answers.
    pub reply_to: Option<Mailbox>,
    /// Account and password.
    pub login: Option<(String, Secret)>,
    /// An authority of one's own, PEM.
    pub authority: Option<Vec<u8>>,
}

impl Mail {
    pub(super) fn read_secret(&mut self, env: &impl Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        self.password = secret(env, "GROUNDSWELL_MAIL_PASSWORD", self.password_file.as_deref())?;
        Ok(())
    }

    /// What is needed to send; `None` where nothing is to be sent.
    ///
    /// # Errors
    /// [`ConfigError`], which names the key and repeats neither password nor address.
    pub fn checked(&self) -> Result<Option<Outgoing>, ConfigError> {
        let says = |text: &str| ConfigError::Mail(text.into());
        if self.smtp.is_empty() {
            let rest = [self.reply_to.is_some(), self.username.is_some(), self.password_file.is_some()];
            if rest.contains(&true) || self.ca_file.is_some() || !self.from.is_empty() || !self.password.0.is_empty() {
                return Err(says("mail.smtp is missing: smtps://HOST, or smtp://HOST with STARTTLS"));
            }
            return Ok(None);
        }
        let (host, port, encryption) = address(&self.smtp)?;
        if self.from.is_empty() {
            return Err(says("mail.from is missing: who writes, such as Rivera for Senate <receipts@rivera.example>"));
        }
        let mailbox = |key: &str, text: &str| {
            let wrong = format!("{key} is no address: write NAME <receipts@rivera.example>, or the address alone");
            text.parse::<Mailbox>().map_err(|_| ConfigError::Mail(wrong))
        };
        let from = mailbox("mail.from", &self.from)?;
        let reply_to = self.reply_to.as_deref().map(|text| mailbox("mail.reply_to", text)).transpose()?;
        let login = match (self.username.clone(), self.password.clone()) {
            (None, Secret(password)) if password.is_empty() => None,
            (None, _) => return Err(says("there is a password for mail, but no mail.username")),
            (Some(_), Secret(password)) if password.is_empty() => {
                let (what, variable, key) =
                    ("the mail server's password", "GROUNDSWELL_MAIL_PASSWORD", "mail.password_file");
                return Err(ConfigError::Missing(what, variable, key));
            }
            (Some(username), password) => Some((username, password)),
        };
        let authority = self.ca_file.as_deref().map(read_authority).transpose()?;
        Ok(Some(Outgoing { host, port, encryption, from, reply_to, login, authority }))
    }
}

fn read_authority(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.into(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > CA_BYTES_MAX {
        return Err(ConfigError::Mail("mail.ca_file is larger than 1 MiB: is it the right file?".into()));
    }
    let pem = std::fs::read(path).map_err(unreadable)?;
    // Without this, a wrong file would only show as a certificate that nobody vouches for.
    if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
        return Err(ConfigError::Mail("mail.ca_file holds no certificate in PEM: is it the right file?".into()));
    }
    Ok(pem)
}

/// Host, port and encryption of `smtps://HOST[:PORT]` or `smtp://HOST[:PORT][?tls=required]`.
fn address(text: &str) -> Result<(String, u16, Encryption), ConfigError> {
    // The text itself is not repeated: many write the password into it.
    let wrong = |why: &str| {
        ConfigError::Mail(format!("mail.smtp {why}: write smtps://HOST:PORT, or smtp://HOST:PORT for STARTTLS"))
    };
    let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("is no address of a mail server"))?;
    if rest.contains('@') {
        return Err(wrong("holds an account, which belongs into mail.username and mail.password_file"));
    }
    let (rest, is_asked) = match rest.split_once('?') {
        None => (rest, false),
        Some((rest, "tls=required")) => (rest, true),
        Some(_) => return Err(wrong("has something after its ? that is not tls=required")),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, Some(port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| wrong("has no such port"))?))
        }
        Some(_) | None => (rest, None),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_name = !bare.is_empty() && bare.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':'));
    if !is_name || (bare.contains(':') && bare.parse::<IpAddr>().is_err()) {
        return Err(wrong("names no host"));
    }
    let is_here = bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let (encryption, usual) = match scheme {
        "smtps" => (Encryption::Tls, 465),
        "smtp" if is_here && !is_asked => (Encryption::Plain, 25),
        "smtp" => (Encryption::StartTls, 587),
        _ => return Err(wrong("has another scheme")),
    };
    Ok((bare.into(), port.unwrap_or(usual), encryption))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(smtp: &str) -> Mail {
        Mail { smtp: smtp.into(), from: "Rivera <receipts@rivera.example>".into(), ..Mail::default() }
    }

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear() {
        use Encryption::{Plain, StartTls, Tls};
        for (smtp, host, port, encryption) in [
            ("smtps://mail.example", "mail.example", 465, Tls),
            ("smtps://mail.example:2465/", "mail.example", 2465, Tls),
            ("smtp://mail.example", "mail.example", 587, StartTls),
            ("smtp://mail.example:25", "mail.example", 25, StartTls),
            ("smtp://192.0.2.7:25", "192.0.2.7", 25, StartTls),
            ("smtp://localhost.example", "localhost.example", 587, StartTls),
            ("smtp://localhost", "localhost", 25, Plain),
            ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, Plain),
            ("smtp://[::1]:2525", "::1", 2525, Plain),
            ("smtp://[2001:db8::1]", "2001:db8::1", 587, StartTls),
            ("smtp://localhost:2525?tls=required", "localhost", 2525, StartTls),
            ("smtps://127.0.0.1:2525", "127.0.0.1", 2525, Tls),
        ] {
            let checked = mail(smtp).checked().unwrap().unwrap();
            assert_eq!((checked.host.as_str(), checked.port, checked.encryption), (host, port, encryption), "{smtp}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_secrets() {
        for (settings, word) in [
            (mail("mail.example"), "is no address of a mail server"),
            (mail("http://mail.example"), "another scheme"),
            (mail("smtps://joan:hush@mail.example"), "belongs into mail.username"),
            (mail("smtp://mail.example?tls=none"), "not tls=required"),
            (mail("smtp://mail.example:0"), "no such port"),
            (mail("smtp://mail.example:smtp"), "no such port"),
            (mail("smtp://"), "names no host"),
            (mail("smtp://mail example"), "names no host"),
            (mail("smtp://a:b:c:25"), "names no host"),
            (Mail { from: String::new(), ..mail("smtps://mail.example") }, "mail.from is missing"),
            (Mail { from: "Rivera".into(), ..mail("smtps://mail.example") }, "mail.from is no address"),
            (Mail { reply_to: Some("no one".into()), ..mail("smtps://mail.example") }, "mail.reply_to is no address"),
            (Mail { username: Some("joan".into()), ..mail("smtps://mail.example") }, "GROUNDSWELL_MAIL_PASSWORD"),
            (Mail { password: Secret("hush".into()), ..mail("smtps://mail.example") }, "no mail.username"),
            (mail(""), "mail.smtp is missing"),
            (Mail { ca_file: Some("/no/such.pem".into()), ..mail("smtps://mail.example") }, "such.pem"),
            (Mail { ca_file: Some("Cargo.toml".into()), ..mail("smtps://mail.example") }, "holds no certificate"),
        ] {
            let error = settings.checked().unwrap_err().to_string();
            assert!(error.contains(word) && !error.contains("hush"), "{settings:?}: {error}");
        }
        assert!(Mail::default().checked().unwrap().is_none());
        let login =
            Mail { username: Some("joan".into()), password: Secret("hush".into()), ..mail("smtps://mail.example") };
        let checked = login.checked().unwrap().unwrap();
        assert_eq!(checked.login.as_ref().unwrap().1.0, "hush");
        assert!(!format!("{checked:?}").contains("hush"));
    }
}
