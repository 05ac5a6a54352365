//! A server with a rally, people at it, and webhooks for their gifts; and a bare writer beside it.
#![allow(dead_code, reason = "each bench uses some of it")]

use groundswell::clock;
use groundswell::domain::Command as Ask;
use groundswell::domain::donation::ATTESTATIONS;
use groundswell::domain::id::{CommitteeId, RallyId};
use groundswell::domain::ledger::{Command as Ledger, Mode};
use groundswell::domain::money::Currency;
use groundswell::domain::rally::{Command as Rally, Details};
use groundswell::engine::Engine;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

pub const SLUG: &str = "bench";
const WEBHOOK_SECRET: &str = "whsec_bench";
/// A frame that has not come by then never comes.
pub const WAIT_MAX: Duration = Duration::from_secs(20);
/// What a page looks for in a frame.
const MARK: &[u8] = b"\"raised_minor\":";

/// A page saw this total at this instant.
pub type Seen = (i64, Instant);

/// A rally in a ledger of test money, with open doors.
pub fn prepare(data: &Path, mode: Mode) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (engine, mut writer) = Engine::open(data).unwrap();
        let rally = RallyId(uuid::Uuid::now_v7());
        let details = Details {
            slug: SLUG.into(),
            title: "A long evening".into(),
            starts_at: clock::now(),
            timezone: "America/New_York".into(),
            description: "One evening, many neighbours.".into(),
            goal_minor: Some(2_000_000),
            currency: Currency::USD,
            suggested_minor: vec![1_500, 2_500, 5_000, 10_000, 25_000],
            paid_for_by: "Paid for by the bench".into(),
            accent: "#d6301f".into(),
            committee: CommitteeId::FIRST,
        };
        let asked = [
            Ask::Ledger(Ledger::Start { mode }),
            Ask::Rally(Rally::Create { rally, details }),
            Ask::Rally(Rally::OpenDoors { rally }),
        ];
        for (n, command) in asked.into_iter().enumerate() {
            engine.execute(command, format!("bench:{n}"), "server").await.unwrap();
        }
        drop(engine);
        writer.ended().await.unwrap();
    });
}

pub fn address_where_nobody_listens() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The real program; stopped when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// With Stripe at `api`, or where there is none with the simulated processor.
    pub fn start(data: &Path, api: Option<SocketAddr>) -> Self {
        let stripe = api.into_iter().flat_map(|api| {
            [
                ("GROUNDSWELL_PROCESSOR", "stripe".to_owned()),
                ("GROUNDSWELL_STRIPE_SECRET_KEY", "sk_test_bench".to_owned()),
                ("GROUNDSWELL_STRIPE_PUBLISHABLE_KEY", "pk_test_bench".to_owned()),
                ("GROUNDSWELL_STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()),
                ("GROUNDSWELL_STRIPE_API_BASE", format!("http://{api}")),
                ("GROUNDSWELL_STRIPE_SCRIPT_URL", format!("http://{api}/v3/")),
            ]
        });
        let mut child = Command::new(env!("CARGO_BIN_EXE_groundswell"))
            .args(["serve", "--listen", "127.0.0.1:0", "--rtmp", "127.0.0.1:0", "--webrtc", "127.0.0.1:0", "--data"])
            .arg(data)
            .envs(stripe)
            .env("GROUNDSWELL_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| Some(line.unwrap().strip_prefix("Groundswell is at http://")?.to_owned()));
        let address = address.expect("the server says where it is").parse().unwrap();
        // Nobody may block the server by not reading what it prints.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One frame as the server sends it, made from what it gives to those who poll.
pub fn frame_of(server: &Server) -> Vec<u8> {
    let answer = send(
        server.address,
        &format!("GET /r/{SLUG}/live.json HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n"),
        b"",
    );
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    format!("id: 1\nevent: frame\ndata: {body}\n\n").into_bytes()
}

/// Opens pages that tell every total they are shown. They are read on two threads, one for each half.
pub fn watch(address: SocketAddr, pages: usize) -> Receiver<Seen> {
    let (tell, seen) = channel();
    for half in [pages / 2, pages - pages / 2] {
        let tell = tell.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let open: Vec<_> = (0..half).map(|_| tokio::spawn(page(address, tell.clone()))).collect();
                drop(tell);
                for page in open {
                    page.await.unwrap();
                }
            });
        });
    }
    seen
}

async fn page(address: SocketAddr, tell: Sender<Seen>) {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let ask = format!("GET /r/{SLUG}/live HTTP/1.1\r\nhost: bench\r\naccept: text/event-stream\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut held = Vec::with_capacity(16 * 1024);
    while stream.read_buf(&mut held).await.is_ok_and(|read| read > 0) {
        let now = Instant::now();
        let mut done = 0;
        while let Some(at) = memchr::memmem::find(&held[done..], MARK) {
            let digits = &held[done + at + MARK.len()..];
            let Some(end) = digits.iter().position(|byte| !byte.is_ascii_digit()) else { break };
            let minor = std::str::from_utf8(&digits[..end]).unwrap().parse().unwrap();
            done += at + MARK.len() + end;
            if tell.send((minor, now)).is_err() {
                return;
            }
        }
        // A mark may lie on both sides of a read's end, with its digits.
        held.drain(..done.max(held.len().saturating_sub(MARK.len() + 24)));
    }
}

/// Waits until every page was shown this total, and says when each was.
pub fn all(seen: &Receiver<Seen>, wanted: i64, pages: usize) -> Vec<Instant> {
    let mut came = Vec::with_capacity(pages);
    while came.len() < pages {
        let (minor, at) =
            seen.recv_timeout(WAIT_MAX).unwrap_or_else(|_| panic!("{} of {pages} pages saw {wanted}", came.len()));
        assert!(minor <= wanted, "a page was shown {minor}, and only {wanted} was given");
        if minor == wanted {
            came.push(at);
        }
    }
    came
}

/// A writer that does nothing but write, and as many readers as there are pages.
pub struct Bare {
    write: Sender<Vec<u8>>,
    seen: Receiver<Seen>,
}

impl Bare {
    pub fn start(pages: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let seen = watch(listener.local_addr().unwrap(), pages);
        let mut streams: Vec<TcpStream> = (0..pages).map(|_| listener.accept().unwrap().0).collect();
        streams.iter().for_each(|stream| stream.set_nodelay(true).unwrap());
        let (write, frames) = channel::<Vec<u8>>();
        std::thread::spawn(move || {
            for frame in frames {
                streams.iter_mut().for_each(|stream| stream.write_all(&frame).unwrap());
            }
        });
        Self { write, seen }
    }

    pub fn round(&self, frame: &[u8], total: i64, pages: usize) -> Vec<Duration> {
        let text = String::from_utf8(frame.to_vec()).unwrap();
        let (before, after) = text.split_once("\"raised_minor\":").unwrap();
        let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
        let frame = format!("{before}\"raised_minor\":{total}{after}").into_bytes();
        let start = Instant::now();
        self.write.send(frame).unwrap();
        all(&self.seen, total, pages).into_iter().map(|at| at.duration_since(start)).collect()
    }
}

/// The donate form, filled in.
pub fn form(n: usize) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    let email = format!("donor{n}@bench.example");
    let token = format!("bench-{n}");
    let fields = [
        ("form_token", token.as_str()),
        ("amount", "25"),
        ("first_name", "Ada"),
        ("last_name", "Bench"),
        ("email", &email),
        ("address", "1 Long Table"),
        ("city", "Toledo"),
        ("region", "OH"),
        ("postal", "43604"),
        ("country", "US"),
        ("employer", "Local 58"),
        ("occupation", "Teacher"),
        ("show_as", "first"),
    ];
    form.extend_pairs(fields);
    form.extend_pairs(ATTESTATIONS.iter().map(|(id, _)| ("attest", id)));
    form.finish()
}

/// Fills the donate form in; the donation's id.
pub fn pledge(address: SocketAddr, n: usize) -> String {
    let path = format!("/r/{SLUG}/donate");
    let answer = post(address, &path, "application/x-www-form-urlencoded", &[], &form(n));
    let to = answer
        .lines()
        .find_map(|line| line.strip_prefix("location: "))
        .unwrap_or_else(|| panic!("not pledged: {answer}"));
    to.rsplit('/').next().unwrap().to_owned()
}

/// A payment that succeeded, signed as Stripe signs.
pub fn webhook(donation: &str, n: usize) -> (String, String) {
    let text = include_str!("../../fixtures/stripe/payment_intent.succeeded.json");
    let body = text
        .replace("0192f3c4-5b6a-7c8d-9e0f-112233445566", donation)
        .replace("pi_3QGroundswell0001", &format!("pi_bench{n}"))
        .replace("evt_payment_intent_succeeded", &format!("evt_bench{n}"));
    let now = clock::now().timestamp();
    let signature = stripe_webhook::Webhook::generate_test_header(&body, WEBHOOK_SECRET, Some(now));
    (body, signature)
}

pub fn post(address: SocketAddr, path: &str, kind: &str, headers: &[(&str, &str)], body: &str) -> String {
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n{more}\r\n",
        body.len()
    );
    send(address, &head, body.as_bytes())
}

pub fn send(address: SocketAddr, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Durations in seconds.
pub struct Seconds {
    pub count: usize,
    pub median: f64,
    pub p99: f64,
    pub max: f64,
}

impl Seconds {
    pub fn of(taken: impl IntoIterator<Item = Duration>) -> Self {
        let mut taken: Vec<f64> = taken.into_iter().map(|taken| taken.as_secs_f64()).collect();
        taken.sort_unstable_by(f64::total_cmp);
        let at = |part: usize| taken[((taken.len() - 1) * part).div_ceil(100)];
        Self { count: taken.len(), median: at(50), p99: at(99), max: at(100) }
    }
}

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>9.1} {:>8.1} {:>8.1}", self.median * 1e3, self.p99 * 1e3, self.max * 1e3)
    }
}
