//! PURE: the publishing end of an RTMP connection, from handshake to media: bytes in, events and bytes out.
//!
//! Own code rather than the crate that the demo's encoder uses: that one gives up on servers which acknowledge late or never,
//! and has no word for a stream's metadata.

use super::timeline::Message;
use crate::domain::restream::Address;
use crate::media::ingest::rtmp::WireError;
use crate::media::ingest::rtmp::amf::{self, Value};
use crate::media::ingest::rtmp::chunk::{self, Reader};
use zeroize::Zeroizing;

/// C1, C2, S1 and S2 (section 5.2).
const HANDSHAKE_BYTES: usize = 1_536;

/// What every server takes, and a keyframe still fits in few of.
const CHUNK_BYTES: usize = 4_096;

/// From here on a timestamp stands in four bytes of its own (section 5.3.1.3).
const TIMESTAMP_EXTENDED: u32 = 0x00ff_ffff;

/// How often we promise to tell how much arrived.
const WINDOW_BYTES: u32 = 2_500_000;

/// Characters of a server's own words that are passed on.
const WORDS_CHARS_MAX: usize = 200;

/// The commands' numbers, by which their answers are known.
const CONNECT: u32 = 1;
const RELEASE: u32 = 2;
const FC_PUBLISH: u32 = 3;
const CREATE_STREAM: u32 = 4;
const PUBLISH: u32 = 5;

/// What the server did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// It takes the stream.
    Publishing,
    /// It does not, or no longer, and why in its own words.
    Refused(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Hello,
    Open,
}

/// One connection.
pub(super) struct Client {
    phase: Phase,
    hello: Vec<u8>,
    reader: Reader,
    out: Vec<u8>,
    events: Vec<Event>,
    app: String,
    url: String,
    key: Zeroizing<String>,
    stream: u32,
    publishing: bool,
    received: u32,
    acknowledged: u32,
    window: u32,
}

impl Client {
    pub(super) fn new(address: &Address, key: Zeroizing<String>) -> Self {
        // C0 and C1. Nobody looks at C1's random bytes, save for their echo.
        let mut out = vec![3];
        out.resize(1 + 8, 0);
        out.extend((8..HANDSHAKE_BYTES).map(|at| u8::try_from(at % 251).unwrap_or(0)));
        Self {
            phase: Phase::Hello,
            hello: Vec::new(),
            reader: Reader::default(),
            out,
            events: Vec::new(),
            app: address.app.clone(),
            url: address.to_string(),
            key,
            stream: 0,
            publishing: false,
            received: 0,
            acknowledged: 0,
            window: WINDOW_BYTES,
        }
    }

    /// Takes what the socket gave, and says what happened.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Event>, WireError> {
        self.received = self.received.wrapping_add(u32::try_from(bytes.len()).unwrap_or(0));
        match self.phase {
            Phase::Hello => {
                self.hello.extend_from_slice(bytes);
                self.shake()?;
            }
            Phase::Open => self.reader.feed(bytes),
        }
        while let Some(message) = self.reader.next()? {
            self.handle(message)?;
        }
        if self.phase == Phase::Open && self.received.wrapping_sub(self.acknowledged) >= self.window / 2 {
            self.acknowledged = self.received;
            let count = self.received.to_be_bytes();
            self.control(chunk::ACKNOWLEDGEMENT, &count);
        }
        Ok(std::mem::take(&mut self.events))
    }

    fn shake(&mut self) -> Result<(), WireError> {
        if self.hello.first().is_some_and(|version| *version != 3) {
            return Err(WireError::Handshake);
        }
        let Some(rest) = self.hello.get(1 + 2 * HANDSHAKE_BYTES..) else { return Ok(()) };
        let s1 = self.hello.get(1..=HANDSHAKE_BYTES).unwrap_or_default();
        self.out.extend_from_slice(s1);
        self.reader.feed(rest);
        self.hello = Vec::new();
        self.phase = Phase::Open;
        let size = u32::try_from(CHUNK_BYTES).unwrap_or(0).to_be_bytes();
        self.control(chunk::SET_CHUNK_SIZE, &size);
        let text = |text: &str| Value::Text(text.to_owned());
        let about = [
            ("app", text(&self.app)),
            ("type", text("nonprivate")),
            ("flashVer", text("FMLE/3.0 (compatible; Groundswell)")),
            ("tcUrl", text(&self.url)),
        ];
        let about = about.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.command(0, "connect", CONNECT, &[Value::Object(about)]);
        Ok(())
    }

    fn handle(&mut self, message: chunk::Message) -> Result<(), WireError> {
        let payload = message.payload;
        match message.kind {
            chunk::WINDOW_SIZE => self.window = chunk::number(&payload).unwrap_or(0).clamp(4_096, WINDOW_BYTES),
            chunk::PEER_BANDWIDTH => self.control(chunk::WINDOW_SIZE, &WINDOW_BYTES.to_be_bytes()),
            chunk::USER_CONTROL => {
                if let Some(&[0, 6, a, b, c, d]) = payload.get(..6) {
                    self.control(chunk::USER_CONTROL, &[0, 7, a, b, c, d]);
                }
            }
            chunk::COMMAND => self.answer(&amf::read(&payload)?),
            chunk::COMMAND_AMF3 => self.answer(&amf::read(payload.get(1..).unwrap_or_default())?),
            _ => {}
        }
        Ok(())
    }

    fn answer(&mut self, values: &[Value]) {
        let info = values.get(3);
        let of = match values.get(1) {
            Some(Value::Number(number)) => whole(*number),
            _ => None,
        };
        match (values.first().and_then(Value::text), of) {
            (Some("_result"), Some(CONNECT)) => {
                let key = Value::Text(self.key.to_string());
                self.command(0, "releaseStream", RELEASE, &[Value::Null, key.clone()]);
                self.command(0, "FCPublish", FC_PUBLISH, &[Value::Null, key]);
                self.command(0, "createStream", CREATE_STREAM, &[Value::Null]);
            }
            (Some("_result"), Some(CREATE_STREAM)) => {
                let id = info.and_then(|id| if let Value::Number(id) = id { whole(*id) } else { None });
                self.stream = id.unwrap_or(1);
                let values = [Value::Null, Value::Text(self.key.to_string()), Value::Text("live".to_owned())];
                self.command(self.stream, "publish", PUBLISH, &values);
            }
            (Some("_error"), Some(CONNECT | CREATE_STREAM | PUBLISH)) => self.refused(info),
            (Some("onStatus"), _) => {
                let text = |name: &str| info.and_then(|info| info.member(name)).and_then(Value::text);
                if text("code") == Some("NetStream.Publish.Start") {
                    self.publishing = true;
                    self.events.push(Event::Publishing);
                } else if text("level") == Some("error") {
                    self.refused(info);
                }
            }
            _ => {}
        }
    }

    fn refused(&mut self, info: Option<&Value>) {
        let text = |name: &str| info.and_then(|info| info.member(name)).and_then(Value::text);
        let words = text("description").filter(|words| !words.trim().is_empty()).or_else(|| text("code"));
        let words = without_key(words.unwrap_or("no reason given"), &self.key);
        self.events.push(Event::Refused(words));
    }

    fn control(&mut self, kind: u8, payload: &[u8]) {
        let message = Message { kind, timestamp: 0, head: Vec::new(), body: payload.to_vec().into() };
        put(&mut self.out, 2, 0, &message);
    }

    fn command(&mut self, stream: u32, name: &str, number: u32, rest: &[Value]) {
        let mut values = vec![Value::Text(name.to_owned()), Value::Number(f64::from(number))];
        values.extend_from_slice(rest);
        let body = amf::write(&values).into();
        put(&mut self.out, 3, stream, &Message { kind: chunk::COMMAND, timestamp: 0, head: Vec::new(), body });
    }

    /// Sends a message of the stream, once the server takes it.
    pub(super) fn send(&mut self, message: &Message) {
        if self.publishing {
            let chunk_stream = if message.kind == chunk::VIDEO { 6 } else { 4 };
            put(&mut self.out, chunk_stream, self.stream, message);
        }
    }

    /// Ends the stream in good order.
    pub(super) fn part(&mut self) {
        if self.publishing {
            let key = Value::Text(self.key.to_string());
            self.command(0, "FCUnpublish", 6, &[Value::Null, key]);
            self.command(0, "deleteStream", 7, &[Value::Null, Value::Number(f64::from(self.stream))]);
            self.publishing = false;
        }
    }

    /// How many bytes wait for the socket.
    pub(super) fn waiting(&self) -> usize {
        self.out.len()
    }

    /// Bytes for the socket.
    pub(super) fn take_out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }
}

/// A number of AMF, all of which are floats, as what commands count with.
fn whole(number: f64) -> Option<u32> {
    format!("{number:.0}").parse().ok()
}

/// A server's words as they can be shown: short, one line, without what hides, and without the key, which some repeat.
fn without_key(words: &str, key: &str) -> String {
    let bare = key.split('?').next().unwrap_or_default();
    let mut words = words.to_owned();
    for secret in [key, bare] {
        if !secret.is_empty() {
            words = words.replace(secret, "(the key)");
        }
    }
    let hides = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let words: String = words.chars().map(|c| if hides(c) { ' ' } else { c }).take(WORDS_CHARS_MAX).collect();
    words.trim().to_owned()
}

/// Appends a message in chunks, each with the whole of what it says of its time.
fn put(out: &mut Vec<u8>, chunk_stream: u8, stream: u32, message: &Message) {
    let Message { kind, timestamp, head, body } = message;
    let extended = (*timestamp >= TIMESTAMP_EXTENDED).then(|| timestamp.to_be_bytes());
    let [_, time @ ..] = (*timestamp).min(TIMESTAMP_EXTENDED).to_be_bytes();
    let [_, length @ ..] = u32::try_from(head.len().saturating_add(body.len())).unwrap_or(u32::MAX).to_be_bytes();
    out.push(chunk_stream & 0x3f);
    out.extend_from_slice(&time);
    out.extend_from_slice(&length);
    out.push(*kind);
    out.extend_from_slice(&stream.to_le_bytes());
    out.extend_from_slice(extended.as_ref().map(<[u8; 4]>::as_slice).unwrap_or_default());
    // The first message says how large chunks are, and is itself shorter than any chunk.
    let mut room = CHUNK_BYTES;
    for mut part in [head.as_slice(), body] {
        while !part.is_empty() {
            if room == 0 {
                out.push(0xc0 | (chunk_stream & 0x3f));
                out.extend_from_slice(extended.as_ref().map(<[u8; 4]>::as_slice).unwrap_or_default());
                room = CHUNK_BYTES;
            }
            let (now, rest) = part.split_at(part.len().min(room));
            out.extend_from_slice(now);
            room = room.saturating_sub(now.len());
            part = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn client() -> Client {
        let address = Address::parse("rtmp://live.example.org/app").unwrap();
        Client::new(&address, Zeroizing::new("abcd-efgh?s=1".to_owned()))
    }

    fn answer(values: &[Value]) -> Vec<u8> {
        let mut bytes = Vec::new();
        chunk::write(&mut bytes, 3, chunk::COMMAND, 0, &amf::write(values));
        bytes
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn status(level: &str, code: &str, description: &str) -> Vec<u8> {
        let members = [("level", level), ("code", code), ("description", description)];
        let info = Value::Object(members.map(|(name, value)| (name.to_owned(), text(value))).into());
        answer(&[text("onStatus"), Value::Number(0.0), Value::Null, info])
    }

    /// Through handshake and commands, with a server whose stream has the number 7.
    fn publishing() -> Client {
        let mut client = client();
        let mut server = Reader::default();
        let mut names = Vec::new();
        let mut say = |client: &mut Client, bytes: &[u8], skipped: usize| {
            let events = client.feed(bytes).unwrap();
            server.feed(&client.take_out()[skipped..]);
            while let Some(message) = server.next().unwrap() {
                if message.kind == chunk::COMMAND {
                    let values = amf::read(&message.payload).unwrap();
                    names.push(values[0].text().unwrap().to_owned());
                }
            }
            events
        };
        let hello = [&[3][..], &[0; 2 * HANDSHAKE_BYTES]].concat();
        assert_eq!(say(&mut client, &hello, 1 + 2 * HANDSHAKE_BYTES), []);
        say(&mut client, &answer(&[text("_result"), Value::Number(1.0), Value::Null, Value::Null]), 0);
        // Many a server knows nothing of releaseStream.
        say(&mut client, &answer(&[text("_error"), Value::Number(2.0), Value::Null, Value::Null]), 0);
        say(&mut client, &answer(&[text("_result"), Value::Number(4.0), Value::Null, Value::Number(7.0)]), 0);
        let events = say(&mut client, &status("status", "NetStream.Publish.Start", ""), 0);
        assert_eq!(events, [Event::Publishing]);
        assert_eq!(names, ["connect", "releaseStream", "FCPublish", "createStream", "publish"]);
        client
    }

    #[test]
    fn what_is_sent_is_read_whole_whatever_its_size_and_time() {
        let mut client = publishing();
        let mut server = Reader::default();
        chunk_size(&mut server);
        for (timestamp, size) in [(0, 0), (40, 10), (80, CHUNK_BYTES), (0x00ff_ffff, 10_000), (u32::MAX, 50_000)] {
            let head = vec![0x17; 5 + size / 2];
            let body = Bytes::from((0..size).map(|at| u8::try_from(at % 256).unwrap()).collect::<Vec<_>>());
            client.send(&Message { kind: chunk::VIDEO, timestamp, head: head.clone(), body: body.clone() });
            server.feed(&client.take_out());
            let read = server.next().unwrap().unwrap();
            assert_eq!((read.kind, read.timestamp, read.stream), (chunk::VIDEO, timestamp, 7));
            assert_eq!(read.payload, [&head[..], &body].concat());
        }
    }

    fn chunk_size(server: &mut Reader) {
        let mut bytes = Vec::new();
        chunk::write(&mut bytes, 2, chunk::SET_CHUNK_SIZE, 0, &u32::try_from(CHUNK_BYTES).unwrap().to_be_bytes());
        server.feed(&bytes);
        assert_eq!(server.next().unwrap(), None);
    }

    #[test]
    fn a_refusal_is_said_in_the_servers_words_and_never_with_the_key() {
        let long = format!("No stream abcd-efgh\u{202e}\n here. {}", "x".repeat(500));
        let mut client = publishing();
        let events = client.feed(&status("error", "NetStream.Publish.BadName", &long)).unwrap();
        let [Event::Refused(words)] = events.as_slice() else { panic!("{events:?}") };
        assert!(words.starts_with("No stream (the key)   here. xxx"), "{words}");
        assert_eq!(words.chars().count(), WORDS_CHARS_MAX);
        let events = client.feed(&status("error", "NetStream.Publish.Denied", " ")).unwrap();
        assert_eq!(events, [Event::Refused("NetStream.Publish.Denied".to_owned())]);
    }

    #[test]
    fn pings_are_answered_and_strangers_are_no_servers() {
        let mut client = publishing();
        let mut ping = Vec::new();
        chunk::write(&mut ping, 2, chunk::USER_CONTROL, 0, &[0, 6, 1, 2, 3, 4]);
        client.feed(&ping).unwrap();
        assert!(client.take_out().ends_with(&[0, 7, 1, 2, 3, 4]));
        assert_eq!(self::client().feed(b"HTTP/1.1 400 Bad Request"), Err(WireError::Handshake));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400), shaken in any::<bool>()) {
            let mut client = client();
            if shaken {
                client.feed(&[&[3][..], &[0; 2 * HANDSHAKE_BYTES]].concat()).unwrap();
            }
            let _ = client.feed(&bytes);
        }
    }
}
