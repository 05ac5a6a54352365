//! What happened in a run, line by line with its simulated time: two runs of one seed must write the same.

use chrono::{DateTime, TimeDelta, Utc};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

/// The evening on which every run begins.
const EVENING_S: i64 = 1_848_180_000;

/// Simulated time: what it really is, and what the server's clock shows.
#[derive(Clone)]
pub struct Time {
    start: Instant,
    off_us: Arc<AtomicI64>,
}

impl Time {
    pub fn begin() -> Self {
        Self { start: Instant::now(), off_us: Arc::default() }
    }

    pub fn elapsed_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    pub fn truth(&self) -> DateTime<Utc> {
        let passed = TimeDelta::microseconds(self.start.elapsed().as_micros() as i64);
        DateTime::from_timestamp(EVENING_S, 0).unwrap() + passed
    }

    pub fn on_the_wall(&self) -> DateTime<Utc> {
        self.truth() + TimeDelta::microseconds(self.off_us.load(Ordering::Relaxed))
    }

    pub fn set_off(&self, seconds: i64) {
        self.off_us.store(seconds * 1_000_000, Ordering::Relaxed);
    }
}

/// Figures of a run, for whoever wants to know what a long run went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub commands: u64,
    pub donations: u64,
    pub payments: u64,
    pub refunds: u64,
    pub webhooks: u64,
    pub starts: u64,
    pub kills: u64,
    pub power_cuts: u64,
    pub disk_faults: u64,
    pub processor_faults: u64,
    pub clock_steps: u64,
    pub events: u64,
}

impl Count {
    pub fn add(&mut self, other: &Self) {
        self.commands += other.commands;
        self.donations += other.donations;
        self.payments += other.payments;
        self.refunds += other.refunds;
        self.webhooks += other.webhooks;
        self.starts += other.starts;
        self.kills += other.kills;
        self.power_cuts += other.power_cuts;
        self.disk_faults += other.disk_faults;
        self.processor_faults += other.processor_faults;
        self.clock_steps += other.clock_steps;
        self.events += other.events;
    }
}

#[derive(Clone)]
pub struct Trace {
    time: Time,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    lines: Vec<String>,
    wrong: Vec<String>,
    count: Count,
}

impl Trace {
    pub fn new(time: Time) -> Self {
        Self { time, inner: Arc::default() }
    }

    pub fn line(&self, what: impl AsRef<str>) {
        let line = format!("{:>9} {}", self.time.elapsed_ms(), what.as_ref());
        self.inner.lock().unwrap().lines.push(line);
    }

    /// Something that must never be.
    pub fn wrong(&self, what: impl AsRef<str>) {
        self.line(format!("WRONG {}", what.as_ref()));
        self.inner.lock().unwrap().wrong.push(what.as_ref().to_owned());
    }

    pub fn count(&self, change: impl FnOnce(&mut Count)) {
        change(&mut self.inner.lock().unwrap().count);
    }

    pub fn is_wrong(&self) -> bool {
        !self.inner.lock().unwrap().wrong.is_empty()
    }

    /// Every line, everything wrong, and the figures.
    pub fn end(&self) -> (Vec<String>, Vec<String>, Count) {
        let inner = self.inner.lock().unwrap();
        (inner.lines.clone(), inner.wrong.clone(), inner.count)
    }
}
