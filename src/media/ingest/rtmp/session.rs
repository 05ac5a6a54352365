//! PURE: one publisher's RTMP connection, from handshake to media: bytes in, events and bytes out.

use super::WireError;
use super::amf::{self, Value};
use super::chunk::{self, Message, Reader};
use bytes::Bytes;
use std::collections::VecDeque;

/// C1, C2, S1 and S2 (section 5.2).
const HANDSHAKE_BYTES: usize = 1_536;

/// How often we ask to be told, and promise to tell, how much arrived.
const WINDOW_BYTES: u32 = 2_500_000;

/// The one message stream that a connection gets.
const STREAM: u32 = 1;

/// A stream key longer than this is not ours, and nobody should have to compare it.
const KEY_BYTES_MAX: usize = 256;

/// What a publisher did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Asks to publish: to be answered by `accept` or `refuse`.
    Publish { app: String, key: String },
    /// A picture, or its configuration.
    Video { timestamp: u32, payload: Bytes },
    /// Sound, or its configuration.
    Audio { timestamp: u32, payload: Bytes },
    /// Stops publishing in good order.
    Unpublish,
    /// Wants to watch, which RTMP does not do here.
    Play,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Hello,
    Echo,
    Open,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Session {
    phase: Phase,
    hello: Vec<u8>,
    reader: Reader,
    out: Vec<u8>,
    events: VecDeque<Event>,
    app: String,
    received: u32,
    acknowledged: u32,
    window: u32,
    /// `publish` was asked; media may follow in the same bytes, before the answer.
    asked: bool,
    publishing: bool,
}

impl Session {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Hello,
            hello: Vec::new(),
            reader: Reader::default(),
            out: Vec::new(),
            events: VecDeque::new(),
            app: String::new(),
            received: 0,
            acknowledged: 0,
            window: WINDOW_BYTES,
            asked: false,
            publishing: false,
        }
    }

    /// Takes what the socket gave.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        if self.phase == Phase::Open {
            self.count(bytes);
            self.reader.feed(bytes);
        } else {
            self.hello.extend_from_slice(bytes);
            self.shake()?;
        }
        while let Some(message) = self.reader.next()? {
            self.handle(message)?;
        }
        if self.phase == Phase::Open && self.received.wrapping_sub(self.acknowledged) >= self.window {
            self.acknowledged = self.received;
            let count = self.received.to_be_bytes();
            chunk::write(&mut self.out, 2, chunk::ACKNOWLEDGEMENT, 0, &count);
        }
        Ok(())
    }

    /// Counts for the acknowledgements, without the handshake: a client that leaves it out takes a count that runs ahead of
    /// its own for a broken one and hangs up, while one that includes it only sees us a little behind.
    fn count(&mut self, bytes: &[u8]) {
        self.received = self.received.wrapping_add(u32::try_from(bytes.len()).unwrap_or(0));
    }

    fn shake(&mut self) -> Result<(), WireError> {
        if self.phase == Phase::Hello {
            match self.hello.first() {
                None => return Ok(()),
                Some(3) => {}
                Some(_) => return Err(WireError::Handshake),
            }
            let Some(c1) = self.hello.get(1..=HANDSHAKE_BYTES) else { return Ok(()) };
            // S0, S1 and S2. A version of zero in S1 says that no digest is wanted.
            self.out.push(3);
            self.out.resize(1 + HANDSHAKE_BYTES, 0);
            self.out.extend_from_slice(c1);
            self.hello.drain(..=HANDSHAKE_BYTES);
            self.phase = Phase::Echo;
        }
        // C2 should echo S1; some encoders send something else, and nothing depends on it.
        if self.phase == Phase::Echo && self.hello.len() >= HANDSHAKE_BYTES {
            let hello = std::mem::take(&mut self.hello);
            let rest = hello.get(HANDSHAKE_BYTES..).unwrap_or_default();
            self.count(rest);
            self.reader.feed(rest);
            self.phase = Phase::Open;
        }
        Ok(())
    }

    fn handle(&mut self, message: Message) -> Result<(), WireError> {
        let Message { kind, timestamp, payload, .. } = message;
        match kind {
            chunk::VIDEO if self.asked => self.events.push_back(Event::Video { timestamp, payload }),
            chunk::AUDIO if self.asked => self.events.push_back(Event::Audio { timestamp, payload }),
            chunk::VIDEO | chunk::AUDIO => return Err(WireError::Command { what: "media before publishing" }),
            chunk::WINDOW_SIZE => {
                // A window of nothing would have us acknowledge every byte.
                self.window = chunk::number(&payload).unwrap_or(WINDOW_BYTES).clamp(4_096, WINDOW_BYTES);
            }
            chunk::USER_CONTROL => {
                if let Some(&[0, 6, a, b, c, d]) = payload.get(..6) {
                    chunk::write(&mut self.out, 2, chunk::USER_CONTROL, 0, &[0, 7, a, b, c, d]);
                }
            }
            chunk::COMMAND => self.command(&amf::read(&payload)?)?,
            // AMF3 commands begin with a byte that says that AMF0 follows.
            chunk::COMMAND_AMF3 => self.command(&amf::read(payload.get(1..).unwrap_or_default())?)?,
            _ => {}
        }
        Ok(())
    }

    fn command(&mut self, values: &[Value]) -> Result<(), WireError> {
        let name = values.first().and_then(Value::text).ok_or(WireError::Command { what: "one without a name" })?;
        let transaction = match values.get(1) {
            Some(Value::Number(number)) => *number,
            _ => 0.0,
        };
        match name {
            "connect" => {
                let app = values.get(2).and_then(|object| object.member("app")).and_then(Value::text);
                self.app = app.unwrap_or_default().trim_matches('/').chars().take(KEY_BYTES_MAX).collect();
                let window = WINDOW_BYTES.to_be_bytes();
                chunk::write(&mut self.out, 2, chunk::WINDOW_SIZE, 0, &window);
                chunk::write(&mut self.out, 2, chunk::PEER_BANDWIDTH, 0, &[&window[..], &[2]].concat());
                let server = object(&[("fmsVer", "FMS/3,0,1,123")]);
                let status = status("status", "NetConnection.Connect.Success", "Connection succeeded.");
                self.reply("_result", transaction, &[server, status]);
            }
            "createStream" => self.reply("_result", transaction, &[Value::Null, Value::Number(f64::from(STREAM))]),
            // Without an answer some encoders wait for it.
            "releaseStream" | "FCPublish" => self.reply("_result", transaction, &[Value::Null, Value::Null]),
            "publish" if !self.asked => {
                let key = values.get(3).and_then(Value::text).unwrap_or_default();
                // Some encoders add parameters to the key.
                let key = key.split('?').next().unwrap_or_default();
                if key.len() > KEY_BYTES_MAX {
                    return Err(WireError::TooMuch { what: "bytes in a stream key" });
                }
                self.asked = true;
                self.events.push_back(Event::Publish { app: self.app.clone(), key: key.to_owned() });
            }
            "play" => self.events.push_back(Event::Play),
            "FCUnpublish" | "deleteStream" | "closeStream" if self.publishing => {
                self.events.push_back(Event::Unpublish)
            }
            _ => {}
        }
        Ok(())
    }

    fn reply(&mut self, name: &str, transaction: f64, rest: &[Value]) {
        let mut values = vec![Value::Text(name.to_owned()), Value::Number(transaction)];
        values.extend_from_slice(rest);
        chunk::write(&mut self.out, 3, chunk::COMMAND, 0, &amf::write(&values));
    }

    fn on_status(&mut self, status: Value) {
        let values = [Value::Text("onStatus".to_owned()), Value::Number(0.0), Value::Null, status];
        chunk::write(&mut self.out, 5, chunk::COMMAND, STREAM, &amf::write(&values));
    }

    /// Lets the publisher send.
    pub(super) fn accept(&mut self) {
        self.publishing = true;
        self.on_status(status("status", "NetStream.Publish.Start", "Publishing."));
    }

    /// Tells the publisher why not, in `description`; the connection is to be closed once this is sent.
    pub(super) fn refuse(&mut self, code: &str, description: &str) {
        self.publishing = false;
        self.on_status(status("error", code, description));
    }

    /// The next thing that happened.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether handshake and `publish` are behind.
    pub(super) fn is_publishing(&self) -> bool {
        self.publishing
    }

    /// Bytes for the socket.
    pub(super) fn take_out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }
}

fn object(members: &[(&str, &str)]) -> Value {
    Value::Object(members.iter().map(|(key, text)| ((*key).to_owned(), Value::Text((*text).to_owned()))).collect())
}

fn status(level: &str, code: &str, description: &str) -> Value {
    object(&[("level", level), ("code", code), ("description", description)])
}

#[cfg(test)]
mod tests;
