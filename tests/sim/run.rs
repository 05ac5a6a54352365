//! One seed: an evening on which everything may go wrong, a night in which nothing does, and the reckoning.

use crate::auditor::Auditor;
use crate::bank::Bank;
use crate::chance::Chance;
use crate::crowd::{RALLIES, Town, details};
use crate::disk::{FULL, Machine, Plan};
use crate::server::Line;
use crate::trace::{Count, Time, Trace};
use groundswell::domain::{Command, ledger, rally};
use groundswell::engine::Engine;
use groundswell::payments::Mode;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Time for those who are under way to arrive.
const LATE_EVENING: Duration = Duration::from_secs(1800);
/// Long enough for everything slow to be decided, delivered and resolved.
const NIGHT: Duration = Duration::from_secs(2 * 3600);
/// Starts that may fail in a row on a disk that is full or loses its power again; then somebody mends it.
const STARTS_MAX: u32 = 6;

/// What came of a seed.
pub struct Outcome {
    pub trace: Vec<String>,
    pub wrong: Vec<String>,
    pub count: Count,
}

/// Runs a seed in its own simulated time.
pub fn run(seed: u64) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let memory = Path::new("/dev/shm");
    let data = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let data = data.unwrap();
    runtime.block_on(evening(seed, data.path()))
}

struct Evening<'a> {
    seed: u64,
    data: &'a Path,
    chance: Chance,
    town: Town,
    machine: Machine,
    time: Time,
    starts: u64,
}

async fn evening(seed: u64, data: &Path) -> Outcome {
    let time = Time::begin();
    let trace = Trace::new(time.clone());
    let (outbox, mut post) = mpsc::unbounded_channel();
    let bank = Bank::new(seed, outbox, trace.clone(), time.clone());
    let auditor = Auditor::new(bank.clone(), trace.clone());
    let town = Town { line: Line::nobody(), bank, auditor, trace: trace.clone() };
    // The same names for the same people in every run.
    std::fs::create_dir_all(data.join("vault")).unwrap();
    std::fs::write(data.join("vault/master"), blake3::hash(&seed.to_le_bytes()).as_bytes()).unwrap();
    let mut chance = Chance::of(seed, "evening");
    let long = Duration::from_secs(chance.within(120..3_600));
    let mut people = JoinSet::new();
    for number in 0..chance.within(3..15) {
        people.spawn(town.clone().donor(number, Chance::of(seed, &format!("donor {number}")), long));
    }
    let is_crammed = chance.percent(3);
    people.spawn(town.clone().finance(Chance::of(seed, "finance")));
    people.spawn(town.clone().clerk(Chance::of(seed, "clerk")));
    people.spawn(town.clone().hosts(Chance::of(seed, "hosts"), is_crammed));
    people.spawn(town.clone().repeater(Chance::of(seed, "repeater")));
    people.spawn(town.clone().watcher(Chance::of(seed, "watcher")));
    people.spawn(town.clone().watcher(Chance::of(seed, "another watcher")));
    people.spawn(town.clone().stranger(Chance::of(seed, "stranger")));
    if is_crammed {
        people.spawn(town.clone().rush(Chance::of(seed, "rush"), long));
    }
    let (postman, mut letters) = (town.clone(), 0);
    tokio::spawn(async move {
        while let Some(letter) = post.recv().await {
            letters += 1;
            tokio::spawn(postman.clone().carry(letter, Chance::of(seed, &format!("letter {letters}"))));
        }
    });
    let machine = Machine::new(seed, trace.clone());
    let mut evening = Evening { seed, data, chance, town, machine, time: time.clone(), starts: 0 };
    while time.elapsed_ms() < long.as_millis() as u64 && !trace.is_wrong() {
        evening.life(long).await;
    }
    if !trace.is_wrong() {
        // Donors who have begun come to an end; nobody new begins anything.
        evening.night(people).await;
    }
    let (trace, wrong, count) = trace.end();
    Outcome { trace, wrong, count }
}

impl Evening<'_> {
    fn plan(&mut self) -> Plan {
        let chance = &mut self.chance;
        let reach = *chance.pick(&[4, 20, 100, 600]);
        let mut at = |percent| if chance.percent(percent) { Some(1 + chance.below(reach)) } else { None };
        let (power_cut_at, sync_fails_at, full_at) = (at(40), at(15), at(15));
        Plan { power_cut_at, sync_fails_at, full_at, slow: *self.chance.pick(&[0, 0, 5, 60]) }
    }

    /// Starts a process, again and again where the disk does not let it.
    async fn start(&mut self, mut plan: Plan) -> Option<(Engine, mpsc::UnboundedReceiver<String>)> {
        for number in 0.. {
            self.starts += 1;
            self.town.trace.count(|count| count.starts += 1);
            if number >= STARTS_MAX {
                plan = Plan::default();
            }
            self.machine.turn_on(plan);
            let (faults, down) = mpsc::unbounded_channel();
            let chance = Chance::of(self.seed, &format!("process {}", self.starts));
            let town = &self.town;
            let started = town.line.start(&self.machine, self.data, &town.bank, &self.time, chance, faults);
            match started {
                Ok((engine, _)) => {
                    let (looked_at, auditor) = (engine.clone(), self.town.auditor.clone());
                    self.machine.during_syncs(move || auditor.looks_at(&looked_at));
                    self.town.trace.line(format!("process {} runs: {plan:?}", self.starts));
                    return Some((engine, down));
                }
                Err(fault) => {
                    let hurt = self.machine.hurt();
                    self.town.trace.line(format!("process {} does not start: {fault}", self.starts));
                    if hurt.is_none() {
                        self.town.auditor.wrong(format!("a disk that works, and a start that fails: {fault}"));
                        return None;
                    }
                    self.machine.power_cut();
                    let wait = self.chance.seconds(1..60);
                    tokio::time::sleep(wait).await;
                    plan = self.plan();
                }
            }
        }
        None
    }

    /// One process from its start to its end, whichever way it ends.
    async fn life(&mut self, long: Duration) {
        let plan = self.plan();
        let Some((engine, mut down)) = self.start(plan).await else { return };
        self.open(&engine).await;
        // Reading everything is work for the disk too, and may end the process.
        if self.machine.hurt().is_none() && self.chance.percent(80) {
            self.inspect(&engine);
        }
        drop(engine);
        let until = Duration::from_millis(self.chance.within(1..*self.chance.clone().pick(&[2_000, 60_000, 900_000])));
        let left = long.saturating_sub(Duration::from_millis(self.time.elapsed_ms()));
        let steps = self.chance.percent(30).then(|| self.chance.seconds(0..60));
        let ends = tokio::time::sleep(until.min(left));
        tokio::pin!(ends);
        let step = async {
            match steps {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(step);
        let mut stepped = false;
        let fault = loop {
            tokio::select! {
                biased;
                fault = down.recv() => break fault,
                () = &mut step, if !stepped => {
                    stepped = true;
                    self.step_clock();
                }
                () = &mut ends => break None,
            }
        };
        let hurt = self.machine.hurt();
        // After a failed sync the cache shows what the disk does not hold, and only another start of the machine tells.
        let is_dark = hurt.is_some_and(|hurt| hurt != FULL) || self.chance.percent(50);
        match (&fault, &hurt) {
            (Some(fault), Some(_)) => self.town.trace.line(format!("the process has to stop: {fault}")),
            (Some(fault), None) => {
                self.town.auditor.wrong(format!("a disk that works, and a process that stops: {fault}"));
            }
            (None, _) if is_dark => self.town.trace.count(|count| count.power_cuts += 1),
            (None, _) => self.town.trace.count(|count| count.kills += 1),
        }
        self.end(is_dark).await;
        let wait = self.chance.millis(10..60_000);
        tokio::time::sleep(wait).await;
    }

    async fn end(&mut self, is_dark: bool) {
        self.machine.process_ends();
        self.town.line.end().await;
        if is_dark {
            self.machine.power_cut();
        } else {
            self.town.trace.line("killed");
        }
    }

    /// The clock is put wrong, or right again.
    fn step_clock(&mut self) {
        let off = match self.chance.below(4) {
            0 => 0,
            1 => self.chance.within(0..240) as i64 - 120,
            2 => -(self.chance.within(0..30_000) as i64),
            _ => self.chance.within(0..30_000) as i64,
        };
        self.town.trace.line(format!("the clock is off by {off} s"));
        self.town.trace.count(|count| count.clock_steps += 1);
        self.time.set_off(off);
    }

    /// What a server does first, and what a host did long before.
    async fn open(&mut self, engine: &Engine) {
        let start = Command::Ledger(ledger::Command::Start { mode: Mode::Test });
        let _ = engine.execute(start, format!("start:{}", self.starts), "server").await;
        if engine.world().state.rallies.iter().count() < RALLIES.len() {
            for (number, rally) in RALLIES.into_iter().enumerate() {
                let details = details(number + 10);
                let create = Command::Rally(rally::Command::Create { rally, details });
                let _ = engine.execute(create, format!("rally:{number}"), "staff:host").await;
            }
        }
    }

    fn inspect(&self, engine: &Engine) {
        // What can't be read because the disk is hurt now is read after the next start.
        self.town.auditor.inspect(engine, || self.machine.hurt().is_some());
    }

    /// Everything works: whoever is under way arrives, and then the books are closed.
    async fn night(&mut self, mut people: JoinSet<()>) {
        self.town.trace.line("night");
        self.time.set_off(0);
        self.town.bank.behave();
        let Some((engine, mut down)) = self.start(Plan::default()).await else { return };
        self.open(&engine).await;
        tokio::time::sleep(LATE_EVENING).await;
        people.shutdown().await;
        tokio::time::sleep(NIGHT).await;
        if let Ok(fault) = down.try_recv() {
            self.town.auditor.wrong(format!("a disk that works, and a process that stops: {fault}"));
            return;
        }
        self.town.auditor.close(&engine);
        drop(engine);
        self.end(true).await;
        let Some((engine, _down)) = self.start(Plan::default()).await else { return };
        self.town.auditor.close(&engine);
        for told in self.town.auditor.everything_told() {
            let before = engine.world().seq;
            let again = engine.execute(told.command, told.key.clone(), &told.by).await;
            let same = again.as_ref().is_ok_and(|again| {
                again.repeated && (again.first_seq, again.count) == (told.receipt.first_seq, told.receipt.count)
            });
            if !same || engine.world().seq != before {
                self.town.auditor.wrong(format!("{} was answered {:?}, and later {again:?}", told.key, told.receipt));
            }
        }
        drop(engine);
        self.end(false).await;
    }
}
