//! An RTMP sender that can do what no encoder would: every byte of it is its own.

use bytes::Bytes;
use groundswell::media::codec::flv::{self, Tag};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::{Instant, sleep_until};

/// Of each message's chunks.
const CHUNK: usize = 4_096;

const COMMAND: u8 = 20;

/// What ffmpeg makes of its test picture and a tone with these arguments, as the tags of an FLV.
pub fn film(size: &str, seconds: u32, args: &[&str]) -> Vec<Tag> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.flv");
    let mut command = Command::new("ffmpeg");
    let picture = format!("testsrc2=size={size}:rate=25");
    command.args([
        "-loglevel",
        "error",
        "-nostdin",
        "-f",
        "lavfi",
        "-i",
        &picture,
        "-f",
        "lavfi",
        "-i",
        "sine=r=48000",
    ]);
    command.args(["-t", &seconds.to_string(), "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast"]);
    command.args(["-g", "25", "-c:a", "aac"]).args(args).arg(&path);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    flv::tags(&Bytes::from(std::fs::read(&path).unwrap())).unwrap()
}

/// A connection that has said `publish`.
pub struct Sender {
    socket: OwnedWriteHalf,
    heard: Arc<Mutex<Vec<u8>>>,
    /// Bytes that go out one by one.
    pub sips: usize,
}

impl Sender {
    /// Shakes hands, and says nothing more.
    pub async fn knock(to: SocketAddr) -> Self {
        let mut socket = TcpStream::connect(to).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let mut hello = vec![3];
        hello.extend_from_slice(&[0; 1_536]);
        socket.write_all(&hello).await.unwrap();
        let mut answer = vec![0; 1 + 2 * 1_536];
        socket.read_exact(&mut answer).await.unwrap();
        socket.write_all(&answer[1..=1_536]).await.unwrap();
        let (mut reader, socket) = socket.into_split();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let into = heard.clone();
        tokio::spawn(async move {
            let mut bytes = [0; 4_096];
            while let Ok(read @ 1..) = reader.read(&mut bytes).await {
                into.lock().unwrap().extend_from_slice(&bytes[..read]);
            }
        });
        Self { socket, heard, sips: 0 }
    }

    /// Goes live.
    pub async fn publish(to: SocketAddr, key: &str) -> Self {
        let mut sender = Self::knock(to).await;
        let chunk = u32::try_from(CHUNK).unwrap().to_be_bytes();
        sender.bytes(&[&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0][..], &chunk].concat()).await;
        let object = [&[3][..], &named("app", "live"), &named("type", "nonprivate"), &[0, 0, 9]].concat();
        sender.message(COMMAND, 0, 0, &[text("connect"), number(1.0), object].concat()).await;
        sender.message(COMMAND, 0, 0, &[text("createStream"), number(2.0), vec![5]].concat()).await;
        let publish = [text("publish"), number(3.0), vec![5], text(key), text("live")].concat();
        sender.message(COMMAND, 1, 0, &publish).await;
        sender
    }

    /// What the server said, as far as it is text.
    pub fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }

    /// One message, in chunks; false if nobody listens any more.
    pub async fn message(&mut self, kind: u8, stream: u32, at_ms: u32, payload: &[u8]) -> bool {
        let bytes = chunks(kind, stream, at_ms, payload);
        self.bytes(&bytes).await
    }

    /// Anything.
    pub async fn bytes(&mut self, bytes: &[u8]) -> bool {
        let (sips, rest) = bytes.split_at(self.sips.min(bytes.len()));
        self.sips -= sips.len();
        for sip in sips {
            if self.socket.write_all(&[*sip]).await.is_err() {
                return false;
            }
        }
        self.socket.write_all(rest).await.is_ok()
    }

    /// Plays a film again and again in its own time, with timestamps as `at` says of a millisecond; ends with the connection.
    pub async fn play(mut self, film: Vec<Tag>, at: impl Fn(u64) -> u32) {
        let length = u64::from(film.last().unwrap().timestamp_ms) + 40;
        let start = Instant::now();
        for round in 0.. {
            for tag in &film {
                let ms = round * length + u64::from(tag.timestamp_ms);
                sleep_until(start + Duration::from_millis(ms)).await;
                if !self.message(tag.kind, 1, at(ms), &tag.payload).await {
                    return;
                }
            }
        }
    }
}

/// A message's bytes on the wire.
pub fn chunks(kind: u8, stream: u32, at_ms: u32, payload: &[u8]) -> Vec<u8> {
    let extended = at_ms >= 0xff_ffff;
    let short = if extended { 0xff_ffff } else { at_ms };
    let mut bytes = vec![4];
    bytes.extend_from_slice(&short.to_be_bytes()[1..]);
    bytes.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes()[1..]);
    bytes.push(kind);
    bytes.extend_from_slice(&stream.to_le_bytes());
    for (index, part) in payload.chunks(CHUNK).enumerate() {
        if index > 0 {
            bytes.push(0xc4);
        }
        if extended {
            bytes.extend_from_slice(&at_ms.to_be_bytes());
        }
        bytes.extend_from_slice(part);
    }
    bytes
}

/// AMF 0: a string.
pub fn text(value: &str) -> Vec<u8> {
    [&[2][..], &u16::try_from(value.len()).unwrap().to_be_bytes(), value.as_bytes()].concat()
}

/// AMF 0: a number.
pub fn number(value: f64) -> Vec<u8> {
    [&[0][..], &value.to_be_bytes()].concat()
}

fn named(name: &str, value: &str) -> Vec<u8> {
    [&text(name)[1..], &text(value)].concat()
}
