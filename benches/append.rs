//! Durable appends beside a plain preallocated file, and replay of raw frames. Trust the ratios, not the figures: the
//! machine is shared.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]
#![allow(clippy::float_arithmetic, reason = "figures for people to read")]

use groundswell::log::frame::chain::Chain;
use groundswell::log::frame::pack::Packer;
use groundswell::log::group::Group;
use groundswell::log::sled::SledLog;
use groundswell::log::{Fault, Log};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How many callers append at once.
const TASKS: usize = 256;
/// Alternating repeats, of which the median counts.
const ROUNDS: usize = 3;
/// Long enough for sled to roll over many segments.
const ROUND: Duration = Duration::from_secs(3);
/// The plain file: more than a round can fill.
const PREALLOCATED_BYTES: u64 = 512 * 1024 * 1024;
/// Events replayed.
const REPLAYED: u64 = 1_000_000;

type Item = (Vec<u8>, oneshot::Sender<()>);

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

/// Runs `TASKS` appenders for a round; returns events a second, p50 and p99 in milliseconds.
fn round(mut append: impl FnMut(&[Vec<u8>]) + Send + 'static) -> [f64; 3] {
    let (sender, mut queue) = mpsc::channel::<Item>(1024);
    let writer = std::thread::spawn(move || {
        let (mut batches, mut items) = (0_u64, 0_u64);
        while let Some(batch) = Group::default().next(&mut queue, |(line, _)| line.len()) {
            let (lines, acks): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            append(&lines);
            batches += 1;
            items += lines.len() as u64;
            for ack in acks {
                let _ = ack.send(());
            }
        }
        items as f64 / batches as f64
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let start = Instant::now();
    let mut taken: Vec<Duration> = runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS as u64)
            .map(|task| {
                let sender = sender.clone();
                tokio::spawn(async move {
                    let mut taken = Vec::new();
                    let mut n = task << 32;
                    while start.elapsed() < ROUND {
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
    let mean = writer.join().unwrap();
    taken.sort_unstable();
    let at = |part: usize| taken[(taken.len() - 1) * part / 100].as_secs_f64() * 1000.0;
    let result = [taken.len() as f64 / seconds, at(50), at(99)];
    println!(
        "    {:>9.0} ev/s   p50 {:>6.2} ms   p99 {:>6.2} ms   {mean:.0} events a sync",
        result[0], result[1], result[2]
    );
    result
}

fn sled_round(dir: &Path) -> [f64; 3] {
    let mut log = SledLog::open(dir).unwrap();
    print!("sled         ");
    round(move |lines| {
        log.append(lines).unwrap();
    })
}

/// With `packed`, the plain file gets the very frames that sled gets, which takes compression out of the comparison.
fn plain_round(path: &Path, packed: bool) -> [f64; 3] {
    let file = File::options().create(true).truncate(true).write(true).open(path).unwrap();
    let zeros = vec![0_u8; 1024 * 1024];
    for offset in (0..PREALLOCATED_BYTES).step_by(zeros.len()) {
        file.write_all_at(&zeros, offset).unwrap();
    }
    file.sync_all().unwrap();
    let mut offset = 0;
    let mut buffer = Vec::new();
    let mut packer = Packer::new().unwrap();
    let mut chain = Chain::start();
    print!("{}", if packed { "plain, packed" } else { "plain        " });
    round(move |lines| {
        buffer.clear();
        if packed {
            let (frame, took) = packer.pack(&mut chain, lines).unwrap();
            assert_eq!(took, lines.len());
            buffer = frame;
        } else {
            lines.iter().for_each(|line| {
                buffer.extend_from_slice(line);
                buffer.push(b'\n');
            });
        }
        file.write_all_at(&buffer, offset).unwrap();
        file.sync_data().unwrap();
        offset += buffer.len() as u64;
    })
}

fn median(rounds: &[[f64; 3]], column: usize) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(|round| round[column]).collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn replay(dir: &Path) -> Result<(), Fault> {
    let mut log = SledLog::open(dir)?;
    let events: Vec<_> = (0..REPLAYED).map(event).collect();
    for batch in events.chunks(250) {
        log.append(batch)?;
    }
    drop(log);
    drop(events);
    let bytes: u64 = std::fs::read_dir(dir.join("sled")).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
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
        bytes as f64 / REPLAYED as f64
    );
    Ok(())
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    std::fs::create_dir_all(&root).unwrap();
    let dir = tempfile::tempdir_in(root).unwrap();
    println!("{TASKS} tasks, 250-byte events, {ROUNDS} alternating rounds of {ROUND:?}");
    let (mut ours, mut plain, mut packed) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..ROUNDS {
        plain.push(plain_round(&dir.path().join("plain"), false));
        packed.push(plain_round(&dir.path().join("plain"), true));
        ours.push(sled_round(&dir.path().join(format!("sled-{n}"))));
    }
    println!("median               throughput ev/s   p50 ms   p99 ms");
    for (name, rounds) in [("plain        ", &plain), ("plain, packed", &packed), ("sled         ", &ours)] {
        println!("  {name}      {:>12.0}   {:>8.2} {:>8.2}", median(rounds, 0), median(rounds, 1), median(rounds, 2));
    }
    for (name, rounds, wanted) in [("plain", &plain, " (wanted >= 0.8 and <= 1.5)"), ("plain, packed", &packed, "")] {
        let ratio = |column| median(&ours, column) / median(rounds, column);
        println!("ratio sled / {name}: throughput {:.2}, p99 {:.2}{wanted}", ratio(0), ratio(2));
    }
    replay(&dir.path().join("replay")).unwrap();
}
