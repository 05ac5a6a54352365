//! SMTP (RFC 5321), command by command: which of them a mail server refused decides whether a letter, or the server, is at
//! fault.

use crate::config::mail::{Encryption, Outgoing};
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use std::error::Error as _;
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;

/// For the connection, TLS and the password together: a server that takes longer is tried again later.
const OPEN_MAX: Duration = Duration::from_secs(30);
/// For sender and recipient.
const ENVELOPE_MAX: Duration = Duration::from_secs(30);
/// For the letter itself: filters read it before they answer. RFC 5321 (4.5.3.2.6) would wait ten minutes; we ask again with
/// the same Message-ID instead.
const CONTENT_MAX: Duration = Duration::from_secs(120);
/// For the good-bye, which nothing depends on.
const QUIT_MAX: Duration = Duration::from_secs(2);

/// What went wrong, in words that name no address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The mail server takes no letter from us now: nothing is wrong with this one.
    #[error("the mail server can't be used: {0}")]
    Closed(String),
    /// Not this letter, not now.
    #[error("the mail server asks to try again later: {0}")]
    Later(String),
    /// Not this letter, ever.
    #[error("{0}")]
    Refused(String),
    /// The line broke after the letter was handed over: it may have arrived.
    #[error("the mail server did not say whether it took the letter: {0}")]
    Unclear(String),
}

/// A mail server as the settings have it.
#[derive(Clone)]
pub struct Server {
    host: String,
    port: u16,
    encryption: Encryption,
    tls: TlsParameters,
    hello: ClientId,
    login: Option<Credentials>,
    from: Address,
}

/// An open line to it; one letter after the other.
pub struct Line {
    connection: AsyncSmtpConnection,
    from: Address,
}

impl Server {
    /// Reads the settings; nothing is called yet.
    ///
    /// # Errors
    /// [`Fault::Closed`]: the certificate of the authority can't be read, or the host's name can't be checked by TLS.
    pub fn new(outgoing: &Outgoing) -> Result<Self, Fault> {
        let unusable = |error: Error| Fault::Closed(in_words(&error));
        let mut tls = TlsParameters::builder(outgoing.host.clone());
        if let Some(pem) = &outgoing.authority {
            let authority = Certificate::from_pem(pem).map_err(unusable)?;
            tls = tls.certificate_store(CertificateStore::None).add_root_certificate(authority);
        }
        let login = outgoing.login.as_ref();
        let from = outgoing.from.email.clone();
        Ok(Self {
            host: outgoing.host.clone(),
            port: outgoing.port,
            encryption: outgoing.encryption,
            tls: tls.build_rustls().map_err(unusable)?,
            hello: ClientId::Domain(from.domain().into()),
            login: login.map(|(name, password)| Credentials::new(name.clone(), password.0.clone())),
            from,
        })
    }

    /// Opens a line: connects, encrypts, signs in.
    ///
    /// # Errors
    /// [`Fault::Closed`].
    pub async fn open(&self) -> Result<Line, Fault> {
        let opening = async {
            let wrapped = (self.encryption == Encryption::Tls).then(|| self.tls.clone());
            let to = (self.host.as_str(), self.port);
            let mut connection =
                AsyncSmtpConnection::connect_tokio1(to, Some(OPEN_MAX), &self.hello, wrapped, None).await?;
            if self.encryption == Encryption::StartTls {
                connection.starttls(self.tls.clone(), &self.hello).await?;
            }
            if let Some(login) = &self.login {
                connection.auth(DEFAULT_MECHANISMS, login).await?;
            }
            Ok::<_, Error>(connection)
        };
        match timeout(OPEN_MAX, opening).await {
            Ok(Ok(connection)) => Ok(Line { connection, from: self.from.clone() }),
            Ok(Err(error)) => Err(Fault::Closed(in_words(&error))),
            Err(_) => Err(Fault::Closed(SILENT.into())),
        }
    }
}

const SILENT: &str = "it did not answer in time";

impl Line {
    /// Hands one letter over. After any fault the line is of no use any more.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn send(&mut self, to: &Address, letter: &[u8]) -> Result<(), Fault> {
        match timeout(ENVELOPE_MAX, self.envelope(to, letter)).await {
            Ok(result) => result?,
            Err(_) => return Err(Fault::Closed(SILENT.into())),
        }
        match timeout(CONTENT_MAX, self.connection.message(letter)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.status().is_some() => Err(of_letter(&error)),
            Ok(Err(error)) => Err(Fault::Unclear(in_words(&error))),
            Err(_) => Err(Fault::Unclear(SILENT.into())),
        }
    }

    async fn envelope(&mut self, to: &Address, letter: &[u8]) -> Result<(), Fault> {
        let mut parameters = vec![];
        let able = |line: &Self, extension| line.connection.server_info().supports_feature(extension);
        if !(is_ascii(to) && is_ascii(&self.from)) {
            if !able(self, Extension::SmtpUtfEight) {
                return Err(Fault::Refused("the mail server can't write to addresses beyond ASCII".into()));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !letter.is_ascii() && able(self, Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        // A sender that is not taken is a mistake in the settings, or the server's own trouble: every letter would meet it.
        let mail = self.connection.command(Mail::new(Some(self.from.clone()), parameters)).await;
        mail.map_err(|error| Fault::Closed(in_words(&error)))?;
        for command in [Rcpt::new(to.clone(), vec![]).to_string(), Data.to_string()] {
            self.connection.command(command).await.map_err(|error| of_letter(&error))?;
        }
        Ok(())
    }

    /// Says good-bye.
    pub async fn close(mut self) {
        let _ = timeout(QUIT_MAX, self.connection.quit()).await;
    }
}

fn is_ascii(address: &Address) -> bool {
    AsRef::<str>::as_ref(address).is_ascii()
}

/// A refusal of one letter, before or after its content.
fn of_letter(error: &Error) -> Fault {
    let number = error.status().map_or(0, u16::from);
    match number {
        // No password, a wrong one, or no encryption: RFC 4954, section 6.
        530 | 534 | 535 | 538 => Fault::Closed(in_words(error)),
        421 => Fault::Closed(in_words(error)),
        400..500 => Fault::Later(in_words(error)),
        500..600 => Fault::Refused(refusal(number, enhanced(error).as_deref())),
        _ => Fault::Closed(in_words(error)),
    }
}

/// A permanent refusal in words for the donor: RFC 3463, section 3.
fn refusal(number: u16, enhanced: Option<&str>) -> String {
    let class = enhanced.and_then(|code| code.split_once('.')).map_or("", |(_, rest)| rest);
    let why = match (class, number) {
        ("2.2", _) | (_, 552) => "the mailbox is full",
        (class, _) if class.starts_with("1.") || class == "2.1" => "there is no such mailbox",
        (class, _) if class.starts_with("7.") => "the mail server does not let it through",
        _ => "the mail server does not take it",
    };
    let code = enhanced.map(|code| format!(" {code}")).unwrap_or_default();
    format!("{why} ({number}{code})")
}

/// The enhanced status code that a server's answer begins with (RFC 2034): digits and points, and nothing that it repeats.
fn enhanced(error: &Error) -> Option<String> {
    let said = error.source()?.to_string();
    let code = said.split_whitespace().next()?;
    let is_number = |part: &str| !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    (code.split('.').count() == 3 && code.split('.').all(is_number)).then(|| code.to_owned())
}

/// What went wrong without what the server said, which repeats addresses.
fn in_words(error: &Error) -> String {
    if let Some(status) = error.status() {
        let code = enhanced(error).map(|code| format!(" {code}")).unwrap_or_default();
        return format!("it answered {}{code}", u16::from(status));
    }
    if error.is_response() {
        return "it hung up, or answered what is not SMTP".into();
    }
    if error.is_timeout() {
        return SILENT.into();
    }
    // Our own words, the system's or those of TLS.
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_words() {
        for (number, enhanced, words) in [
            (550, Some("5.1.1"), "there is no such mailbox (550 5.1.1)"),
            (550, Some("5.2.1"), "there is no such mailbox (550 5.2.1)"),
            (552, None, "the mailbox is full (552)"),
            (550, Some("5.2.2"), "the mailbox is full (550 5.2.2)"),
            (554, Some("5.7.1"), "the mail server does not let it through (554 5.7.1)"),
            (550, None, "the mail server does not take it (550)"),
        ] {
            assert_eq!(refusal(number, enhanced), words);
        }
    }
}
