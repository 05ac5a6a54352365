//! Replay: how fast a log becomes state again, beside what it costs to read and check its frames alone, and to decode its
//! JSON alone. Trust the ratios, not the figures: the machine is shared.
//!
//! `GROUNDSWELL_BENCH_EVENTS` takes the place of a million events, for a quick look. `GROUNDSWELL_BENCH_DATA` names a folder
//! where the log is kept and found again by the next run.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]
#![allow(clippy::float_arithmetic, reason = "figures for people to read")]

#[path = "support/cores.rs"]
mod cores;

use chrono::{DateTime, TimeDelta, Utc};
use cores::computed;
use groundswell::domain::attendance::{Event as Attendance, Joined, Present};
use groundswell::domain::donation::{
    ATTESTATIONS, Card, Declined, Event as Donation, FeeRecorded, PaymentRequested, Pledged, Refunded, Settled, Traces,
};
use groundswell::domain::id::{CommitteeId, DonationId, NoticeId, PaymentId, PersonId, ProcessorRefundId, RallyId};
use groundswell::domain::inbox::{Event as Inbox, Interpreted, Received};
use groundswell::domain::ledger::{Event as Ledger, Mode, Opened, Started};
use groundswell::domain::money::{Currency, Money};
use groundswell::domain::rally::{Announced, Details, Event as Rally, RallyNamed};
use groundswell::domain::sealed::Sealed;
use groundswell::domain::{Event, Recorded, codec};
use groundswell::engine::Engine;
use groundswell::log::Log as _;
use groundswell::log::sled::SledLog;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Alternating repeats, of which the median counts.
const ROUNDS: usize = 3;
/// Events in one append, as group commit packs them in a busy minute.
const BATCH: usize = 250;
/// Bytes of each kind of personal data before it is sealed, as the forms give them.
const ATTENDEE_BYTES: usize = 95;
const CONTACT_BYTES: usize = 260;
const SHOWN_BYTES: usize = 60;
/// A webhook about a payment after zstd.
const WEBHOOK_BYTES: usize = 1_100;
/// What a seal adds: a nonce and a tag.
const SEAL_BYTES: usize = 40;

/// xorshift64*: the same log at every run, and bytes that do not compress, as ciphertext does not.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn id(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.next(), self.next())
    }

    fn sealed(&mut self, plain_bytes: usize) -> Sealed {
        let mut bytes = Vec::with_capacity(plain_bytes + SEAL_BYTES + 8);
        while bytes.len() < plain_bytes + SEAL_BYTES {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(plain_bytes + SEAL_BYTES);
        Sealed::new(&bytes)
    }
}

/// An evening as it comes: for each donor a few who only watch, who come and go, cards that are refused, webhooks, fees.
struct Evening {
    draw: Draw,
    rally: RallyId,
    seq: u64,
    at: DateTime<Utc>,
    lines: Vec<Vec<u8>>,
}

impl Evening {
    fn put(&mut self, key: String, by: String, event: Event) {
        self.seq += 1;
        self.at += TimeDelta::microseconds(700);
        let recorded = Recorded { seq: self.seq, at: self.at, event };
        self.lines.push(codec::encode(&recorded, &key, &by).unwrap());
    }

    fn opening(&mut self) {
        let rally = self.rally;
        let details = Details {
            slug: "bench".into(),
            title: "A long evening".into(),
            starts_at: self.at,
            timezone: "America/New_York".into(),
            description: "One evening, many neighbours.".into(),
            goal_minor: Some(150_000_000),
            currency: Currency::USD,
            suggested_minor: vec![1_500, 2_500, 5_000, 10_000, 25_000],
            paid_for_by: "Paid for by the bench".into(),
            accent: "#d6301f".into(),
            committee: CommitteeId::FIRST,
        };
        let start = |event| Event::Ledger(event);
        self.put("start:1".into(), "server".into(), start(Ledger::Opened(Opened { mode: Mode::Test })));
        self.put("start:1".into(), "server".into(), start(Ledger::Started(Started {})));
        self.put("rally:1".into(), "shell".into(), Event::Rally(Rally::Created(Announced { rally, details })));
        self.put("open:1".into(), "shell".into(), Event::Rally(Rally::DoorsOpened(RallyNamed { rally })));
    }

    fn person(&mut self) -> PersonId {
        let (rally, person) = (self.rally, PersonId(self.draw.id()));
        let by = format!("attendee:{person}");
        let joined = Joined { rally, person, profile: self.draw.sealed(ATTENDEE_BYTES), came: None };
        self.put(format!("join:{rally}:{person}"), by.clone(), Event::Attendance(Attendance::Joined(joined)));
        for _ in 0..=self.draw.below(2) {
            let present = || Present { rally, person };
            let key = format!("presence:{}", self.draw.id());
            self.put(key, by.clone(), Event::Attendance(Attendance::Entered(present())));
            let key = format!("presence:{}", self.draw.id());
            self.put(key, by.clone(), Event::Attendance(Attendance::Left(present())));
        }
        person
    }

    fn gift(&mut self, donor: PersonId) {
        let (rally, donation) = (self.rally, DonationId(self.draw.id()));
        let minor = [1_500, 2_500, 5_000, 10_000, 25_000][self.draw.below(5) as usize];
        let amount = Money::new(minor, Currency::USD);
        let fee = Money::new(minor * 29 / 1000 + 30, Currency::USD);
        let by = || format!("donor:{donor}");
        let pledged = Pledged {
            donation,
            rally,
            donor,
            amount,
            contact: self.draw.sealed(CONTACT_BYTES),
            shown: self.draw.sealed(SHOWN_BYTES),
            attestations: ATTESTATIONS.iter().map(|(id, _)| (*id).to_owned()).collect(),
            refcode: (self.draw.below(3) == 0).then(|| "text-tuesday".into()),
            likeness: None,
            covers_fee: None,
            came: None,
            on_program: None,
            traces: Traces::default(),
        };
        self.put(format!("pledge:{donation}"), by(), Event::Donation(Donation::Pledged(pledged)));
        let mut attempt = 1;
        let request = |attempt, token: u64| {
            let method = format!("pm_1Q{token:022x}");
            Event::Donation(Donation::PaymentRequested(PaymentRequested {
                donation,
                attempt,
                method,
                customer: None,
                parts: Box::default(),
            }))
        };
        let token = self.draw.next();
        self.put(format!("pay:{donation}:{attempt}"), by(), request(attempt, token));
        if self.draw.below(12) == 0 {
            let payment = Some(PaymentId(format!("pi_3Q{:022x}", self.draw.next())));
            let (code, reason) = ("insufficient_funds".into(), "The card has too little money for this.".into());
            let declined = Declined { donation, payment, code, reason };
            let key = format!("declined:{donation}:{attempt}");
            self.put(key, "processor".into(), Event::Donation(Donation::Declined(declined)));
            attempt += 1;
            let token = self.draw.next();
            self.put(format!("pay:{donation}:{attempt}"), by(), request(attempt, token));
        }
        let payment = PaymentId(format!("pi_3Q{:022x}", self.draw.next()));
        let fee_later = self.draw.below(10) == 0;
        let settled = Settled {
            donation,
            rally,
            donor,
            payment: payment.clone(),
            amount,
            fee: (!fee_later).then_some(fee),
            card: Some(Card { brand: "visa".into(), last4: "4242".into() }),
        };
        let key = format!("settled:{payment}:{}", !fee_later);
        self.put(key, "processor".into(), Event::Donation(Donation::Settled(settled)));
        if fee_later {
            let recorded = FeeRecorded { donation, rally, payment: payment.clone(), fee };
            let key = format!("settled:{payment}:true");
            self.put(key, "processor".into(), Event::Donation(Donation::FeeRecorded(recorded)));
        }
        self.webhook();
        if self.draw.below(100) == 0 {
            let processor_refund = ProcessorRefundId(format!("re_3Q{:022x}", self.draw.next()));
            let key = format!("refunded:{processor_refund}");
            let refunded = Refunded { donation, rally, donor, payment, processor_refund, refund: None, amount };
            self.put(key, "processor".into(), Event::Donation(Donation::Refunded(refunded)));
        }
    }

    fn webhook(&mut self) {
        let notice = NoticeId(format!("evt_3Q{:022x}", self.draw.next()));
        let received = Received {
            committee: CommitteeId::FIRST,
            notice: notice.clone(),
            what: "payment_intent.succeeded".into(),
            sealed_for: PersonId(self.draw.id()),
            body: self.draw.sealed(WEBHOOK_BYTES),
        };
        self.put(format!("webhook:{notice}"), "processor".into(), Event::Inbox(Inbox::Received(received)));
        let interpreted = Interpreted { notice: notice.clone(), outcome: "known already".into() };
        self.put(format!("interpreted:{notice}"), "server".into(), Event::Inbox(Inbox::Interpreted(interpreted)));
    }
}

/// Writes the log.
fn build(data: &Path, wanted: u64) {
    std::fs::create_dir_all(data).unwrap();
    let mut log = SledLog::open(&data.join("log")).unwrap();
    let at = DateTime::from_timestamp(1_853_458_200, 0).unwrap();
    let draw = Draw(0x9e37_79b9_7f4a_7c15);
    let mut evening = Evening { draw, rally: RallyId(Uuid::from_u128(0xa1)), seq: 0, at, lines: Vec::new() };
    evening.opening();
    while evening.seq < wanted {
        for _ in 0..2 {
            evening.person();
        }
        let donor = evening.person();
        evening.gift(donor);
        if evening.lines.len() >= BATCH {
            log.append(&evening.lines).unwrap();
            evening.lines.clear();
        }
    }
    log.append(&evening.lines).unwrap();
}

/// The events' JSON, for the codec's own limit.
fn lines_of(data: &Path) -> Vec<Vec<u8>> {
    let log = SledLog::open(&data.join("log")).unwrap();
    let frames = log.reader().frames_from(1).map(Result::unwrap);
    frames.flat_map(|frame| frame.lines().map(|(_, line)| line.to_vec()).collect::<Vec<_>>()).collect()
}

fn frames_only(data: &Path) -> (u64, Duration) {
    let start = Instant::now();
    let log = SledLog::open(&data.join("log")).unwrap();
    let mut events = 0;
    for frame in log.reader().frames_from(1) {
        events += frame.unwrap().lines().count() as u64;
    }
    (events, start.elapsed())
}

fn decode_only(lines: &[Vec<u8>]) -> (u64, Duration) {
    let start = Instant::now();
    let last = lines.iter().map(|line| codec::decode(line).unwrap().recorded.seq).max().unwrap_or(0);
    (last, start.elapsed())
}

/// What it took to open.
struct Start {
    /// The last event.
    seq: u64,
    took: Duration,
    /// Of all cores, for the program and by the kernel for it.
    core: Duration,
    /// Bytes that stay.
    grown: u64,
    /// Bytes at most, on the way.
    peak: u64,
}

/// The whole of what a restart waits for: log and vault opened, every event folded.
fn open(data: &Path) -> Start {
    // Makes the peak begin anew.
    std::fs::write("/proc/self/clear_refs", "5").ok();
    let (before, core_before, start) = (memory("VmRSS:"), computed(), Instant::now());
    let (engine, mut writer) = Engine::open(data).unwrap();
    let (took, core) = (start.elapsed(), computed() - core_before);
    let [grown, peak] = ["VmRSS:", "VmHWM:"].map(|line| memory(line).saturating_sub(before));
    let seq = engine.world().seq;
    drop(engine);
    // The next round needs the folder's lock.
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(writer.ended()).unwrap();
    Start { seq, took, core, grown, peak }
}

/// Waits until a snapshot is there, then opens with it: milliseconds on the wall and of a core, the medians of the rounds, and
/// its size in MiB.
fn open_with_snapshot(data: &Path) -> ([f64; 2], u64) {
    let dir = data.join("snapshots");
    let (engine, mut writer) = Engine::open(data).unwrap();
    let made = || std::fs::read_dir(&dir).is_ok_and(|mut files| files.any(|file| is_snapshot(&file.unwrap().path())));
    while !made() {
        std::thread::sleep(Duration::from_millis(100));
    }
    as_of(&engine);
    drop(engine);
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(writer.ended()).unwrap();
    let opened: Vec<Start> = (0..ROUNDS).map(|_| open(data)).collect();
    let milliseconds = |of: fn(&Start) -> Duration| {
        median(&opened.iter().map(|opened| of(opened).as_secs_f64() * 1e3).collect::<Vec<_>>())
    };
    ([milliseconds(|opened| opened.took), milliseconds(|opened| opened.core)], folder_bytes(&dir) >> 20)
}

fn is_snapshot(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "snapshot")
}

/// What a finance page asks for an earlier instant: where it is in the log, the sums, and the head then.
fn as_of(engine: &Engine) {
    let last = engine.world().seq;
    let mut took: Vec<f64> = (1..10_u64)
        .map(|tenth| {
            let at = engine.lines().recorded(last * tenth / 10).unwrap().unwrap().at;
            let start = Instant::now();
            let seq = engine.lines().last_until(at).unwrap();
            let sums = engine.world().ledger.sums_at(seq, None);
            let head = engine.head_at(seq).unwrap();
            assert!(head.seq >= seq && !sums.is_empty());
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    took.sort_unstable_by(f64::total_cmp);
    println!(
        "totals as of an earlier instant: median {:.1} ms, worst {:.1} ms",
        took[took.len() / 2],
        took[took.len() - 1]
    );
}

fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn folder_bytes(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let bytes =
        |path: &Path| if path.is_dir() { folder_bytes(path) } else { path.metadata().map_or(0, |file| file.len()) };
    entries.map(|entry| bytes(&entry.path())).sum()
}

fn median(rates: &[f64]) -> f64 {
    let mut rates = rates.to_vec();
    rates.sort_unstable_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn main() {
    let wanted = std::env::var("GROUNDSWELL_BENCH_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    std::fs::create_dir_all(&root).unwrap();
    let dir = tempfile::tempdir_in(root).unwrap();
    let kept = std::env::var_os("GROUNDSWELL_BENCH_DATA").map(PathBuf::from);
    let data = kept.as_deref().unwrap_or(dir.path());
    if !data.join("log").exists() {
        let start = Instant::now();
        build(data, wanted);
        println!("log written in {:.1} s", start.elapsed().as_secs_f64());
    }
    let mut rates = [const { Vec::new() }; 3];
    let mut lines = Vec::new();
    for round in 0..ROUNDS {
        std::fs::remove_dir_all(data.join("snapshots")).ok();
        let Start { seq: events, took, grown, peak, core } = open(data);
        let core_us = core.as_secs_f64() * 1e6 / events as f64;
        if round == 0 {
            println!(
                "memory grew by {} MiB at the first open: {} bytes an event, {} on the way",
                grown >> 20,
                grown / events,
                peak / events
            );
            // Not before: what they take would be free again for the first open to grow into.
            lines = lines_of(data);
            let json: u64 = lines.iter().map(|line| line.len() as u64).sum();
            println!("{events} events: {} bytes of JSON each, {} on disk", json / events, folder_bytes(data) / events);
        }
        let (read, took_frames) = frames_only(data);
        let (decoded, took_decode) = decode_only(&lines);
        assert_eq!((read, decoded), (events, events));
        let per_second = |took: Duration| events as f64 / took.as_secs_f64();
        for (column, took) in [took, took_frames, took_decode].into_iter().enumerate() {
            rates[column].push(per_second(took));
        }
        println!(
            "  round {}: replay {:>8.0} ev/s ({core_us:.2} us of a core each)   frames only {:>8.0}   decoding only {:>8.0}",
            round + 1,
            rates[0][round],
            rates[1][round],
            rates[2][round]
        );
    }
    let ([took, core], size) = open_with_snapshot(data);
    println!("start with a snapshot of {size} MiB: {took:.0} ms ({core:.0} ms of a core)");
    let [replay, frames, decode] = rates.map(|rates| median(&rates));
    println!("median: replay {replay:.0} events/s to state, open included");
    println!("ratio replay / frames read and checked only (one thread):  {:.2}", replay / frames);
    println!("ratio replay / JSON decoded from memory only (one thread): {:.2}", replay / decode);
}
