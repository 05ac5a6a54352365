//! Durable appends beside a plain preallocated file and beside PostgreSQL, replay of raw frames, and bytes on disk. Trust the
//! ratios, not the figures: the machine is shared.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]
#![allow(clippy::panic, clippy::float_arithmetic, reason = "figures for people to read")]

#[path = "support/cores.rs"]
mod cores;
#[path = "append/peers.rs"]
mod peers;
#[path = "support/postgres.rs"]
mod postgres_server;

use cores::computed;
use groundswell::log::group::Group;
use groundswell::log::sled::SledLog;
use groundswell::log::{Fault, Log};
use peers::{Plain, Rows, Table};
use postgres_server::Postgres;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How many callers append at once.
const TASKS: [usize; 2] = [256, 2048];
/// Alternating repeats, of which the median counts: many and short, for the noise of a shared machine comes in spells.
const ROUNDS: usize = 11;
/// Long enough for sled to roll over some segments.
const ROUND: Duration = Duration::from_millis(800);
/// Long enough for the journal to be full most of the time.
const LASTING: Duration = Duration::from_secs(6);
/// Events replayed.
const REPLAYED: u64 = 1_000_000;
/// A quiet month: an update every two minutes, each in a frame of its own.
const QUIET_MONTH: u64 = 21_600;

/// A caller's line and the way to tell it that the line is durable.
type Item = (Vec<u8>, oneshot::Sender<()>);
/// Events a second, p50 and p99 in milliseconds, events a sync, microseconds of a core an event (of this process alone).
type Round = [f64; 5];

fn event(n: u64) -> Vec<u8> {
    let id = u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let mut line = format!(
        r#"{{"kind":"donation.settled","v":1,"at":{},"cmd":"{id:032x}","rally":"0192f4a1-77aa-7c3e-b1f2-90d1c5e8aa01","data":{{"donation":"{:032x}","gross":{},"fee":{},"currency":"usd""#,
        1_720_000_000_000_u64 + n,
        id.rotate_left(64),
        500 + n % 300_000,
        45 + n % 9_000,
    );
    while line.len() < 248 {
        line.push(if line.len() == 247 { '"' } else { ' ' });
    }
    line.push_str("}}");
    line.into_bytes()
}

fn tell(acks: Vec<oneshot::Sender<()>>) {
    for ack in acks {
        let _ = ack.send(());
    }
}

/// Runs `tasks` appenders for `time` beside a thread that runs `write` on their queue.
fn round(tasks: usize, time: Duration, write: impl FnOnce(mpsc::Receiver<Item>) -> u64 + Send + 'static) -> Round {
    let (sender, queue) = mpsc::channel::<Item>(tasks);
    let writer = std::thread::spawn(move || write(queue));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (start, worked) = (Instant::now(), computed());
    let mut taken: Vec<Duration> = runtime.block_on(async {
        let tasks: Vec<_> = (0..tasks as u64)
            .map(|task| {
                let sender = sender.clone();
                tokio::spawn(async move {
                    let mut taken = Vec::new();
                    let mut n = task << 32;
                    while start.elapsed() < time {
                        let line = event(n);
                        let from = Instant::now();
                        let (ack, done) = oneshot::channel();
                        sender.send((line, ack)).await.unwrap();
                        done.await.unwrap();
                        taken.push(from.elapsed());
                        n += 1;
                    }
                    taken
                })
            })
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        all
    });
    let seconds = start.elapsed().as_secs_f64();
    drop(sender);
    let syncs = writer.join().unwrap();
    let worked = (computed() - worked).as_secs_f64() * 1e6 / taken.len() as f64;
    taken.sort_unstable();
    let at = |part: usize| taken[(taken.len() - 1) * part / 100].as_secs_f64() * 1000.0;
    [taken.len() as f64 / seconds, at(50), at(99), taken.len() as f64 / syncs as f64, worked]
}

/// One thread: take what has queued up, append, tell everybody; returns how often it synced.
fn one_by_one(mut queue: mpsc::Receiver<Item>, mut append: impl FnMut(Vec<Vec<u8>>)) -> u64 {
    let mut batches = 0;
    while let Some(batch) = Group::default().next(&mut queue, |(line, _)| line.len()) {
        let (lines, acks) = batch.into_iter().unzip();
        append(lines);
        batches += 1;
        tell(acks);
    }
    batches
}

/// The log is closed when the round is over: what waits to be bound then counts as work of the cores, and not as time.
fn ours(tasks: usize, time: Duration, dir: &Path) -> Round {
    let mut log = SledLog::open(dir).unwrap();
    round(tasks, time, move |queue| one_by_one(queue, |lines| assert!(log.append(&lines).is_ok())))
}

fn plain(tasks: usize, path: &Path, packed: bool) -> Round {
    let mut file = Plain::create(path, packed);
    round(tasks, ROUND, move |queue| one_by_one(queue, |lines| file.append(&lines)))
}

fn postgres(tasks: usize, server: &Postgres, rows: Rows) -> Round {
    let mut table = Table::new(server, rows);
    round(tasks, ROUND, move |queue| one_by_one(queue, |lines| table.append(lines)))
}

fn median(rounds: &[Round], column: usize) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(|round| round[column]).collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The median of the quotients of neighbouring rounds, which saw the same weather.
fn ratio(ours: &[Round], theirs: &[Round], column: usize) -> f64 {
    let mut values: Vec<f64> = ours.iter().zip(theirs).map(|(our, their)| our[column] / their[column]).collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn appends(tasks: usize, dir: &Path, server: &Postgres) {
    println!("{tasks} tasks, 250-byte events, {ROUNDS} alternating rounds of {ROUND:?}, medians");
    let names = ["plain file", "plain file, packed", "PostgreSQL unnest", "PostgreSQL copy", "log"];
    let mut all: [Vec<Round>; 5] = Default::default();
    // The log's rounds beside each peer.
    let (mut files, mut tables) = (Vec::new(), Vec::new());
    let (file, log) = (dir.join("plain"), dir.join(format!("log-{tasks}")));
    // As the plain file is as long as it will be, so is the journal after a round.
    ours(tasks, ROUND, &log);
    for _ in 0..ROUNDS {
        all[0].push(plain(tasks, &file, false));
        files.push(ours(tasks, ROUND, &log));
        all[1].push(plain(tasks, &file, true));
    }
    // Apart from the files, for what a server still writes in the background would slow its neighbour.
    for _ in 0..ROUNDS {
        all[2].push(postgres(tasks, server, Rows::Unnest));
        all[3].push(postgres(tasks, server, Rows::Copy));
        tables.push(ours(tasks, ROUND, &log));
    }
    all[4] = [files.as_slice(), tables.as_slice()].concat();
    println!("                            ev/s   p50 ms   p99 ms   events a sync   core us an event");
    for (name, rounds) in names.iter().zip(&all) {
        let column = |n| median(rounds, n);
        let [rate, p50, p99, group, worked] = std::array::from_fn(column);
        println!("  {name:<18} {rate:>12.0} {p50:>8.2} {p99:>8.2} {group:>15.0} {worked:>18.2}");
    }
    let [rate, p50, p99, ..] = ours(tasks, LASTING, &log);
    println!("  log, for {LASTING:?}    {rate:>9.0} {p50:>8.2} {p99:>8.2}");
    for (other, rounds, wanted) in [
        (0, &files, " (wanted >= 0.8 and <= 1.5)"),
        (1, &files, ""),
        (2, &tables, " (wanted >= 5)"),
        (3, &tables, " (wanted >= 5)"),
    ] {
        let (rate, late) = (ratio(rounds, &all[other], 0), ratio(rounds, &all[other], 2));
        println!("  log / {}: throughput {rate:.2}, p99 {late:.2}{wanted}", names[other]);
    }
}

/// What the store's files take of the disk. The journal's is as long as the longest rush, whatever the log holds.
fn on_disk(dir: &Path) -> f64 {
    use std::os::unix::fs::MetadataExt as _;
    let files = std::fs::read_dir(dir.join("sled")).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().blocks() as f64 * 512.0).sum()
}

fn replay(dir: &Path) -> Result<(), Fault> {
    let mut log = SledLog::open(dir)?;
    let events: Vec<_> = (0..REPLAYED).map(event).collect();
    for batch in events.chunks(250) {
        log.append(batch)?;
    }
    drop(log);
    drop(events);
    let start = Instant::now();
    let log = SledLog::open(dir)?;
    let opened = start.elapsed();
    for pass in ["cold", "warm"] {
        let start = Instant::now();
        let (mut events, mut sum) = (0_u64, 0_usize);
        for frame in log.reader().frames_from(1) {
            for (_, line) in frame?.lines() {
                events += 1;
                sum += line.len();
            }
        }
        assert_eq!((events, sum), (REPLAYED, 250 * REPLAYED as usize));
        println!(
            "replay {pass}: {:.2} M events/s (decompressed, checksum, hash and chain checked)",
            events as f64 / start.elapsed().as_secs_f64() / 1e6
        );
    }
    println!(
        "open: {:.0} ms for {REPLAYED} events; {:.0} bytes an event on disk",
        opened.as_secs_f64() * 1000.0,
        on_disk(dir) / REPLAYED as f64
    );
    Ok(())
}

/// A busy evening, then a month of single updates, then what is left after a start.
fn month(dir: &Path) -> Result<(), Fault> {
    let busy = 100_000;
    let mut log = SledLog::open(dir)?;
    for batch in (0..busy).map(event).collect::<Vec<_>>().chunks(250) {
        log.append(batch)?;
    }
    log.bind()?;
    let evening = on_disk(dir);
    for n in 0..QUIET_MONTH {
        log.append(&[event(busy + n)])?;
        // Two minutes go by.
        log.bind()?;
    }
    drop(log);
    let closed = on_disk(dir);
    let log = SledLog::open(dir)?;
    let bytes: usize = log
        .reader()
        .frames_from(busy + 1)
        .map(|frame| frame.unwrap().lines().map(|(_, l)| l.len()).sum::<usize>())
        .sum();
    drop(log);
    println!(
        "a quiet month of {QUIET_MONTH} single events of {} bytes after {busy} in batches: {:.1} MB, then {:.1} MB, after a start {:.1} MB; {:.0} bytes an event of the month",
        bytes as u64 / QUIET_MONTH,
        evening / 1e6,
        closed / 1e6,
        on_disk(dir) / 1e6,
        (on_disk(dir) - evening) / QUIET_MONTH as f64
    );
    Ok(())
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    std::fs::create_dir_all(&root).unwrap();
    let dir = tempfile::tempdir_in(root).unwrap();
    let server = Postgres::start(&dir.path().join("postgres"));
    for tasks in TASKS {
        appends(tasks, dir.path(), &server);
    }
    drop(server);
    replay(&dir.path().join("replay")).unwrap();
    month(&dir.path().join("month")).unwrap();
}
