//! The address of an RTMP server, as services show it beside a stream key: `rtmps://live.example.org:443/app`.

use std::fmt;
use thiserror::Error;

/// Characters of an address.
pub const SERVER_CHARS_MAX: usize = 200;

/// Parts of the path: an application and, with some servers, its instance. One more would be a stream key.
const PATH_PARTS_MAX: usize = 2;

const PORT_PLAIN: u16 = 1935;
const PORT_TLS: u16 = 443;

/// Why it is no address; the message says what a right one looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum AddressError {
    #[error("a server's address begins with rtmps:// or rtmp://, like rtmps://live.example.org/app")]
    Scheme,
    #[error("the address needs the server's name after rtmps://, like rtmps://live.example.org/app")]
    Host,
    #[error("the port after the server's name is a number from 1 to 65535, like rtmps://live.example.org:443/app")]
    Port,
    #[error("after the server's name an address has an application, like the app in rtmps://live.example.org/app")]
    App,
    #[error("the address has too many parts: the last one may be the stream key, which has a field of its own")]
    Key,
    #[error(
        "leave out what begins with ? or # and what stands before an @: it belongs to the stream key, or is a secret"
    )]
    Secret,
    #[error("an address has at most {SERVER_CHARS_MAX} characters")]
    Length,
}

/// An RTMP server and its application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The application, without slashes around it.
    pub app: String,
}

impl Address {
    /// Reads an address, with or without a port and a slash at the end.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.chars().nth(SERVER_CHARS_MAX).is_some() {
            return Err(AddressError::Length);
        }
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Scheme)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "rtmps" => true,
            "rtmp" => false,
            _ => return Err(AddressError::Scheme),
        };
        if rest.contains(['?', '#', '@']) {
            return Err(AddressError::Secret);
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = split(authority)?;
        let port = match port {
            None if tls => PORT_TLS,
            None => PORT_PLAIN,
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or(AddressError::Port)?,
        };
        let app = path.trim_matches('/');
        let parts = || app.split('/');
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~%+".contains(c);
        if !parts().all(|part| !part.is_empty() && part.chars().all(plain)) {
            return Err(AddressError::App);
        }
        if parts().count() > PATH_PARTS_MAX {
            return Err(AddressError::Key);
        }
        Ok(Self { tls, host, port, app: app.to_owned() })
    }
}

/// As a client names the server to itself (`tcUrl`), and as it is kept: without a port that goes without saying.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.tls { ("rtmps", PORT_TLS) } else { ("rtmp", PORT_PLAIN) };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}", self.host)?;
        if self.port != usual {
            write!(f, ":{}", self.port)?;
        }
        write!(f, "/{}", self.app)
    }
}

/// Host and port of `host:port` or `[v6]:port`.
fn split(authority: &str) -> Result<(String, Option<&str>), AddressError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(AddressError::Host)?;
            let fine = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
            if !host.contains(':') || !host.chars().all(fine) {
                return Err(AddressError::Host);
            }
            match port.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if port.is_empty() => (host, None),
                None => return Err(AddressError::Port),
            }
        }
        None => {
            let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
            let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
            let labels = || host.trim_end_matches('.').split('.');
            if !host.chars().all(fine) || !labels().all(|label| (1..=63).contains(&label.len())) {
                return Err(AddressError::Host);
            }
            (host, port)
        }
    };
    Ok((host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_read_leniently_and_written_one_way() {
        let check = |text: &str, written: &str| assert_eq!(Address::parse(text).unwrap().to_string(), written);
        check("rtmps://a.rtmps.youtube.com:443/live2", "rtmps://a.rtmps.youtube.com/live2");
        check("rtmps://live-api-s.facebook.com:443/rtmp/", "rtmps://live-api-s.facebook.com/rtmp");
        check("RTMP://Live.Twitch.tv/app", "rtmp://live.twitch.tv/app");
        check("rtmp://127.0.0.1:19350/live", "rtmp://127.0.0.1:19350/live");
        check("rtmp://[::1]:1935/live/east", "rtmp://[::1]/live/east");
        check("rtmp://media.example.org:443/live", "rtmp://media.example.org:443/live");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, error: AddressError| assert_eq!(Address::parse(text), Err(error), "{text}");
        check("", AddressError::Scheme);
        check("a.rtmp.youtube.com/live2", AddressError::Scheme);
        check("https://youtube.com/live2", AddressError::Scheme);
        check("rtmp:///live", AddressError::Host);
        check("rtmp://exa mple.org/live", AddressError::Host);
        check("rtmp://[example]/live", AddressError::Host);
        check("rtmp://example..org/live", AddressError::Host);
        check("rtmp://example.org:0/live", AddressError::Port);
        check("rtmp://example.org:rtmp/live", AddressError::Port);
        check("rtmp://[::1]x/live", AddressError::Port);
        check("rtmp://example.org", AddressError::App);
        check("rtmp://example.org/", AddressError::App);
        check("rtmp://example.org/a b", AddressError::App);
        check("rtmp://example.org/live/east/abcd-efgh", AddressError::Key);
        check("rtmp://example.org/live?key=abcd", AddressError::Secret);
        check("rtmp://user:word@example.org/live", AddressError::Secret);
        check(&format!("rtmp://example.org/{}", "a".repeat(SERVER_CHARS_MAX)), AddressError::Length);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(text in "rtmps?://[a-z0-9.:\\[\\]-]{0,20}(/[ -~]{0,12})?") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
            }
        }
    }
}
