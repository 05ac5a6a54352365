//! Donations a second from the form to the settled event with a processor that answers at once, beside as many requests that are
//! only answered and beside as many durable appends; then webhooks at 500 a second, and when their totals stand on open pages,
//! beside a bare writer. Trust the ratios, not the figures: the machine is shared, and donors and pages run on the same cores.
//!
//! `GROUNDSWELL_BENCH_SECONDS` takes the place of 10, for a quick look.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]
#![allow(clippy::panic, clippy::float_arithmetic, reason = "it fails loudly, and prints figures for people to read")]

#[path = "support/rally.rs"]
mod rally;

use groundswell::domain::ledger::Mode;
use rally::{
    Bare, SLUG, Seconds, Server, WAIT_MAX, address_where_nobody_listens, form, frame_of, prepare, watch, webhook,
};
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Donors at the same time, each with a connection that stays open.
const DONORS: usize = 64;
/// Events of a gift that are each durable before the donor goes on: pledged, asked for, settled.
const APPENDS: usize = 3;
/// An event's bytes, about.
const EVENT_BYTES: usize = 400;
const WEBHOOKS_PER_SECOND: usize = 500;
const PAGES: usize = 100;
const AMOUNT_MINOR: i64 = 2_500;
/// The hub's shortest time between frames, as `live.rs` has it.
const TICK: Duration = Duration::from_millis(250);

fn main() {
    let seconds: u64 = std::env::var("GROUNDSWELL_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    std::fs::create_dir_all(&root).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let dir = tempfile::tempdir_in(&root).unwrap();
    prepare(dir.path(), Mode::Simulated);
    runtime.block_on(gifts(dir.path(), Duration::from_secs(seconds)));
    let dir = tempfile::tempdir_in(&root).unwrap();
    prepare(dir.path(), Mode::Test);
    runtime.block_on(webhooks(dir.path(), seconds as usize));
}

/// Form and card, one gift after another on each of the donors' connections.
async fn gifts(data: &Path, time: Duration) {
    let server = Server::start(data, None);
    let donors = |what: What| donors(server.address, what, time);
    // Caches warm, files grown.
    self::donors(server.address, What::Give, time / 5).await;
    let (given, taken) = donors(What::Give).await;
    let (answered, _) = donors(What::Answer).await;
    let appended = appends(data, time / 2);
    println!("{DONORS} donors with an instant processor: {given:.0} donations a second, form to settled ms {taken}");
    println!("  pairs of requests that are only answered: {answered:.0} a second, ratio {:.2}", given / answered);
    println!(
        "  {APPENDS} durable appends a gift, {DONORS} to a sync, and nothing else: {appended:.0} a second, ratio {:.2}",
        given / appended
    );
}

#[derive(Clone, Copy)]
enum What {
    Give,
    Answer,
}

async fn donors(to: SocketAddr, what: What, time: Duration) -> (f64, Seconds) {
    // No two forms of a run are the same.
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let begun = Instant::now();
    let donor = move || async move {
        let mut line = Connection::open(to).await;
        let mut taken = vec![];
        while begun.elapsed() < time {
            let since = Instant::now();
            match what {
                What::Give => line.give(NEXT.fetch_add(1, Ordering::Relaxed)).await,
                What::Answer => {
                    line.ask("GET", "/healthz", "text/plain", "", "").await;
                    line.ask("GET", "/healthz", "text/plain", "", "").await;
                }
            }
            taken.push(since.elapsed());
        }
        taken
    };
    let all: Vec<_> = (0..DONORS).map(|_| tokio::spawn(donor())).collect();
    let mut taken = vec![];
    for one in all {
        taken.extend(one.await.unwrap());
    }
    (taken.len() as f64 / begun.elapsed().as_secs_f64(), Seconds::of(taken))
}

/// One writer that syncs what all donors have to say, and nothing else: gifts a second that a disk lets through.
fn appends(data: &Path, time: Duration) -> f64 {
    let mut file = File::create(data.join("plain")).unwrap();
    let batch = vec![b'x'; DONORS * EVENT_BYTES];
    let (begun, mut syncs) = (Instant::now(), 0_usize);
    while begun.elapsed() < time {
        file.write_all(&batch).unwrap();
        file.sync_data().unwrap();
        syncs += 1;
    }
    (syncs * DONORS) as f64 / APPENDS as f64 / begun.elapsed().as_secs_f64()
}

/// Webhooks at a steady rate, each about a gift of its own.
async fn webhooks(data: &Path, seconds: usize) {
    let server = Server::start(data, Some(address_where_nobody_listens()));
    let (address, count) = (server.address, WEBHOOKS_PER_SECOND * seconds);
    let pledged = Arc::new(Mutex::new(vec![]));
    let each = count.div_ceil(DONORS);
    let donors: Vec<_> = (0..DONORS)
        .map(|donor| {
            let pledged = pledged.clone();
            tokio::spawn(async move {
                let mut line = Connection::open(address).await;
                for n in donor * each..((donor + 1) * each).min(count) {
                    let href = line.pledge(n).await;
                    pledged.lock().unwrap().push((n, href.rsplit('/').next().unwrap().to_owned()));
                }
            })
        })
        .collect();
    for donor in donors {
        donor.await.unwrap();
    }
    let pledged = std::mem::take(&mut *pledged.lock().unwrap());
    let frame = frame_of(&server);
    let seen = watch(address, PAGES);
    let bare = Bare::start(PAGES);
    let begun = Instant::now() + Duration::from_millis(500);
    // Each sender has every so-maniest webhook; one that is late is sent at once.
    let sent: Vec<_> = (0..DONORS)
        .map(|sender| {
            let mine: Vec<_> = pledged
                .iter()
                .enumerate()
                .skip(sender)
                .step_by(DONORS)
                .map(|(at, pledged)| (at, pledged.clone()))
                .collect();
            tokio::spawn(async move {
                let mut line = Connection::open(address).await;
                let (mut sent, mut answered) = (vec![], vec![]);
                for (at, (n, donation)) in mine {
                    let due = begun + Duration::from_secs(1) * at as u32 / WEBHOOKS_PER_SECOND as u32;
                    tokio::time::sleep_until(due.into()).await;
                    let (body, signature) = webhook(&donation, n);
                    let signature = format!("stripe-signature: {signature}\r\n");
                    sent.push(due);
                    line.ask("POST", "/webhooks/stripe", "application/json", &signature, &body).await;
                    answered.push(due.elapsed());
                }
                (sent, answered)
            })
        })
        .collect();
    let (mut due, mut answered) = (vec![], vec![]);
    for sender in sent {
        let (sent, took) = sender.await.unwrap();
        due.extend(sent);
        answered.extend(took);
    }
    let sending = begun.elapsed();
    due.sort_unstable();
    let wanted = AMOUNT_MINOR * count as i64;
    let took = tokio::task::spawn_blocking(move || {
        let (mut last, mut took) = (0, vec![]);
        while last < PAGES {
            let (minor, at) = seen.recv_timeout(WAIT_MAX).expect("every webhook comes to a page");
            last += usize::from(minor == wanted);
            took.push((minor, at));
        }
        took
    });
    // A page shows the total of its k-th webhook with the first frame of at least that total. Frames of all pages come through
    // one channel, so the k-th webhook counts as shown when the last page has it.
    let mut shown = vec![(0_usize, begun); count];
    for (minor, at) in took.await.unwrap() {
        let reached = usize::try_from(minor / AMOUNT_MINOR).unwrap();
        if let Some(place) = reached.checked_sub(1).and_then(|place| shown.get_mut(place)) {
            *place = (place.0 + 1, at.max(place.1));
        }
    }
    let mut next = None;
    let mut screens = vec![];
    for (place, sent) in due.iter().enumerate().rev() {
        let (pages, at) = shown[place];
        if pages == PAGES {
            next = Some(at);
        }
        if let Some(at) = next {
            screens.push(at.saturating_duration_since(*sent));
        }
    }
    let shown = screens.len();
    let (screens, answered) = (Seconds::of(screens), Seconds::of(answered));
    let bare = Seconds::of((1..=20).flat_map(|n| bare.round(&frame, n, PAGES)));
    println!(
        "{count} webhooks at {:.0} a second ({WEBHOOKS_PER_SECOND} wanted), {PAGES} pages   ms      median      p99      max",
        count as f64 / sending.as_secs_f64()
    );
    println!("  stored, synced and answered                            {answered}");
    println!("  due to the total on the last page ({shown} of {count})         {screens}");
    println!("  bare writer, the same bytes to as many sockets         {bare}");
    println!(
        "ratio p99 on the last page / hub's tick of {} ms and the bare writer's p99: {:.2}",
        TICK.as_millis(),
        screens.p99 / (TICK.as_secs_f64() + bare.p99)
    );
}

/// A connection that stays open.
struct Connection {
    stream: TcpStream,
    held: Vec<u8>,
}

impl Connection {
    async fn open(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, held: Vec::with_capacity(16 * 1024) }
    }

    /// One request; head and body of its answer.
    async fn ask(&mut self, method: &str, path: &str, kind: &str, more: &str, body: &str) -> String {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n{more}\r\n{body}",
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await.unwrap();
        self.held.clear();
        loop {
            assert!(self.stream.read_buf(&mut self.held).await.unwrap() > 0, "the server hung up");
            let Some(end) = memchr::memmem::find(&self.held, b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.held[..end]).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if self.held.len() >= end + 4 + length {
                let answer = String::from_utf8(self.held.clone()).unwrap();
                assert!(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 303"), "{path}: {answer}");
                return answer;
            }
        }
    }

    async fn pledge(&mut self, n: usize) -> String {
        let answer =
            self.ask("POST", &format!("/r/{SLUG}/donate"), "application/x-www-form-urlencoded", "", &form(n)).await;
        answer.lines().find_map(|line| line.strip_prefix("location: ")).expect("pledged").to_owned()
    }

    async fn give(&mut self, n: usize) {
        let donation = self.pledge(n).await;
        let answer =
            self.ask("POST", &format!("{donation}/pay"), "application/json", "", r#"{"method":"simulated_ok"}"#).await;
        assert!(answer.contains(r#""state":"settled""#), "{answer}");
    }
}
