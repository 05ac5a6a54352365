//! A receiver of webhooks: what it was sent, and what it answers.

use crate::server::until;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What it answers.
pub enum Answers {
    /// 204 to everything.
    Ok,
    /// 500 to the first so many, and 204 to all others.
    Fail(usize),
    /// Nothing, ever.
    Hang,
    /// That it is elsewhere.
    Redirect(String),
    /// 500, while this is above zero.
    While(Arc<AtomicUsize>),
}

/// What it was sent.
#[derive(Clone)]
pub struct Message {
    /// Path and query.
    pub path: String,
    /// The body.
    pub body: Vec<u8>,
    head: String,
    taken: bool,
}

impl Message {
    /// A header's value; empty if there is none.
    pub fn header(&self, name: &str) -> String {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.to_owned()).unwrap_or_default()
    }
}

/// A receiver that listens.
pub struct Receiver {
    at: std::net::SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
    connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Receiver {
    /// Listens on this machine.
    pub async fn open(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (messages, connections): (Arc<Mutex<Vec<Message>>>, Arc<AtomicUsize>) = Default::default();
        let (kept, counted, answers) = (messages.clone(), connections.clone(), Arc::new(answers));
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                counted.fetch_add(1, Ordering::SeqCst);
                let (kept, answers) = (kept.clone(), answers.clone());
                tokio::spawn(async move { serve(stream, &kept, &answers).await });
            }
        });
        Self { at, messages, connections, task }
    }

    /// Its address.
    pub fn address(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    /// What it was sent, in order.
    pub fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }

    /// What of it was taken.
    pub fn taken(&self) -> Vec<Message> {
        self.messages().into_iter().filter(|message| message.taken).collect()
    }

    /// How often it was called.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits until it was sent so many.
    pub async fn until(&self, count: usize) {
        until("a webhook does not come", || async { self.messages().len() >= count }).await;
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, kept: &Mutex<Vec<Message>>, answers: &Answers) {
    let mut bytes = vec![];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let path = head.split_whitespace().nth(1).unwrap().to_owned();
    let mut message = Message { path, body: bytes[end + 4..].to_vec(), head, taken: false };
    let length: usize = message.header("content-length").parse().unwrap();
    while message.body.len() < length {
        if stream.read_buf(&mut message.body).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let answer = {
        let mut kept = kept.lock().unwrap();
        let fails = match answers {
            Answers::Ok | Answers::Hang => false,
            Answers::Redirect(_) => true,
            Answers::Fail(first) => kept.len() < *first,
            Answers::While(above) => above.load(Ordering::SeqCst) > 0,
        };
        message.taken = !fails;
        kept.push(message);
        match answers {
            Answers::Redirect(to) => format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"),
            _ if fails => "HTTP/1.1 500 Sorry\r\ncontent-length: 0\r\n\r\n".to_owned(),
            _ => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        }
    };
    if matches!(answers, Answers::Hang) {
        std::future::pending::<()>().await;
    }
    let _ = stream.write_all(answer.as_bytes()).await;
}

/// Asks the library of Standard Webhooks, which shares no code with ours, whether it believes a message.
pub fn verify(secret: &str, message: &Message) -> Result<(), String> {
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/python3");
    let script = "import sys\nfrom standardwebhooks.webhooks import Webhook\n\
        names = ('webhook-id', 'webhook-timestamp', 'webhook-signature')\n\
        Webhook(sys.argv[1]).verify(sys.stdin.buffer.read(), dict(zip(names, sys.argv[2:])))\n";
    let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| message.header(name));
    let mut child = Command::new(python)
        .args(["-c", script, secret])
        .args(headers)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &message.body).unwrap();
    let output = child.wait_with_output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
