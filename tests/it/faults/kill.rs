//! `kill -9` of a process that appends, and the order of its system calls.

use super::{line, lines_of, open};
use groundswell::log::Log as _;
use groundswell::log::sled::SledLog;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Crashes of one run; `GROUNDSWELL_KILL_ROUNDS` asks for another number.
const ROUNDS: u32 = 200;
/// Crashes of one folder, after which it is read from end to end.
const ROUNDS_A_FOLDER: u32 = 20;

/// Runs [`child`] of this very program in a process of its own.
pub fn child_command(program: &str, arguments: &[&str], job: &str, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).args(["faults::kill::child", "--exact", "--nocapture", "--test-threads=1"]);
    command.env("FAULTS_CHILD_JOB", job).env("FAULTS_CHILD_DIR", dir);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

pub fn this_program() -> String {
    std::env::current_exe().unwrap().to_str().unwrap().to_owned()
}

/// The last event of the batch that begins with `next`; some batches are too large for one frame.
fn batch_end(next: u64) -> u64 {
    if next.is_multiple_of(11) { next + 9_000 } else { next + next % 40 }
}

fn batch(next: u64) -> Vec<Vec<u8>> {
    (next..=batch_end(next)).map(line).collect()
}

fn acknowledge(newest: u64) {
    println!("ack {newest}");
}

/// Not a test by itself: what the tests below run as a second process.
#[test]
fn child() {
    let Some(dir) = std::env::var_os("FAULTS_CHILD_DIR") else { return };
    let mut log = match SledLog::open(Path::new(&dir)) {
        Ok(log) => log,
        Err(fault) => return println!("\nrefused {fault}"),
    };
    // libtest has written "test faults::kill::child ... " without a line feed.
    println!("\nopen {}", log.newest());
    match std::env::var("FAULTS_CHILD_JOB").unwrap().as_str() {
        "once" => acknowledge(log.append(&[line(1)]).unwrap()),
        "many" => loop {
            acknowledge(log.append(&batch(log.newest() + 1)).unwrap());
        },
        "bind" => std::thread::scope(|scope| {
            let reader = log.reader();
            scope.spawn(move || {
                loop {
                    reader.bind().unwrap();
                }
            });
            loop {
                acknowledge(log.append(&batch(log.newest() + 1)).unwrap());
            }
        }),
        job => panic!("no job {job}"),
    }
}

/// Starts a child, kills it some time after it has opened the log, or after its start, and returns what it said.
fn killed(job: &str, dir: &Path, wait: Duration, from_start: bool) -> Vec<String> {
    let mut child = child_command(&this_program(), &[], job, dir).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let (begin, begun) = channel();
    if from_start {
        begin.send(()).unwrap();
    }
    let killer = std::thread::spawn(move || {
        // A child that ends before it opens drops the other end.
        let _ = begun.recv();
        std::thread::sleep(wait);
        // `Child::kill` sends SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
    });
    let mut said = Vec::new();
    for line in lines {
        if line.starts_with("open ") {
            let _ = begin.send(());
        }
        said.push(line);
    }
    drop(begin);
    killer.join().unwrap();
    said
}

fn read_whole(dir: &Path, acknowledged: u64) {
    let log = open(dir).unwrap();
    let all = lines_of(&log).unwrap();
    assert!(all.len() as u64 >= acknowledged, "{} of {acknowledged} events are left", all.len());
    assert!((1..).zip(&all).all(|(n, (seq, bytes))| *seq == n && *bytes == line(n)));
    assert_eq!(log.reader().verify(|_| ()).unwrap(), log.reader().head());
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    let rounds = std::env::var("GROUNDSWELL_KILL_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let mut dir = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut in_all, mut silent) = (0_u64, 0_u64, 0_u32);
    for round in 0..rounds {
        if round > 0 && round.is_multiple_of(ROUNDS_A_FOLDER) {
            read_whole(dir.path(), acknowledged);
            in_all += acknowledged;
            acknowledged = 0;
            dir = tempfile::tempdir().unwrap();
        }
        let job = if round.is_multiple_of(2) { "many" } else { "bind" };
        let before = acknowledged;
        let wait = Duration::from_micros(500 + u64::from(round) * 7919 % 40_000);
        // Some crashes fall into opening.
        for said in killed(job, dir.path(), wait, round.is_multiple_of(6)) {
            assert!(!said.starts_with("refused"), "round {round}: {said}");
            let number = said.strip_prefix("ack ").or(said.strip_prefix("open "));
            let Some(seq) = number.and_then(|seq| seq.parse().ok()) else { continue };
            assert!(seq >= acknowledged, "round {round}: acknowledged {acknowledged}, then {said}");
            // A batch is there whole or not at all, even when the crash fell between its frames.
            while acknowledged < seq {
                acknowledged = batch_end(acknowledged + 1);
            }
            assert_eq!(acknowledged, seq, "round {round}: part of a batch was kept");
        }
        silent += u32::from(acknowledged == before);
    }
    read_whole(dir.path(), acknowledged);
    in_all += acknowledged;
    println!("{rounds} crashes, {silent} of them before anything was acknowledged, {in_all} events acknowledged");
    assert!(in_all > u64::from(rounds) && silent < rounds / 2, "too few acknowledgements: the test proves little");
}

/// kill -9 leaves the kernel's cache intact, so only the order of system calls shows that an acknowledgement survives a
/// power cut.
#[test]
fn an_append_is_written_then_synced_then_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let calls = "trace=fsync,fdatasync,sync_file_range,pwrite64,write";
    let program = this_program();
    let arguments = ["-f", "-s", "100000", "-e", calls, "-o", trace.to_str().unwrap(), &program];
    let output = child_command("strace", &arguments, "once", &dir.path().join("log"))
        .output()
        .expect("strace runs; install it with `apt-get install strace`");
    assert!(String::from_utf8_lossy(&output.stdout).contains("ack 1"), "{output:?}");
    let trace = String::from_utf8_lossy(&std::fs::read(&trace).unwrap()).into_owned();
    assert!(!trace.contains("sync_file_range"), "a sync that does not survive a power cut:\n{trace}");
    let calls: Vec<&str> = trace.lines().collect();
    let written = calls.iter().position(|call| call.contains("pwrite64(") && call.contains("GSWJ")).expect(&trace);
    let acknowledged = calls.iter().position(|call| call.contains("write(1, \"ack 1")).expect(&trace);
    assert!(written < acknowledged, "acknowledged before it was written:\n{trace}");
    let (thread, call) = calls[written].split_once(' ').unwrap();
    let file = call.trim_start().strip_prefix("pwrite64(").and_then(|rest| rest.split_once(',')).unwrap().0;
    // The same thread syncs the same file, and the sync has come back with 0, before the acknowledgement leaves.
    let mut after = calls[written + 1..acknowledged].iter().filter(|call| call.starts_with(thread));
    let is_sync = |call: &str| {
        let wanted = ["fsync", "fdatasync"].map(|name| format!("{name}({file}"));
        wanted.iter().any(|wanted| call.split_once(wanted).is_some_and(|(_, rest)| rest.starts_with([')', ' '])))
    };
    let begun = after.by_ref().find(|call| is_sync(call));
    let begun = begun.unwrap_or_else(|| panic!("no sync of file {file} between write and acknowledgement:\n{trace}"));
    let ended = if begun.contains("unfinished") { after.next().copied() } else { Some(*begun) };
    assert!(ended.is_some_and(|call| call.ends_with("= 0")), "the sync had not ended:\n{trace}");
}
