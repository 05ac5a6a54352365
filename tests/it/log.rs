//! The log on a real folder: crashes, damage, a second process, and what reaches the disk before the acknowledgement.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::as_conversions)]

use groundswell::log::frame::{Break, Damage};
use groundswell::log::sled::SledLog;
use groundswell::log::{Fault, Head, Log, MAX_LINE_BYTES};
use proptest::prelude::*;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Frames that `SledLog::open` checks; older ones are left to `verify`.
const TAIL_FRAMES: u64 = 64;

pub fn line(n: u64) -> Vec<u8> {
    format!(r#"{{"kind":"test","v":1,"n":{n}}}"#).into_bytes()
}

/// Opens a folder that nobody holds. Other tests of this process start programs; until each of them runs, it holds a copy
/// of every lock that is held here, so a lock just given up may be busy for a moment.
pub fn try_open(dir: &Path) -> Result<SledLog, Fault> {
    for _ in 0..500 {
        match SledLog::open(dir) {
            Err(Fault::Held { .. }) => std::thread::sleep(Duration::from_millis(10)),
            opened => return opened,
        }
    }
    SledLog::open(dir)
}

pub fn open(dir: &Path) -> SledLog {
    try_open(dir).unwrap()
}

pub fn read_all(log: &SledLog, seq: u64) -> Vec<(u64, Vec<u8>)> {
    log.bind().unwrap();
    let frames = log.reader().frames_from(seq).map(Result::unwrap);
    frames.flat_map(|frame| frame.lines().map(|(seq, line)| (seq, line.to_vec())).collect::<Vec<_>>()).collect()
}

/// Appends lines as a frame of their own, and returns its head.
pub fn frame(log: &mut SledLog, lines: &[Vec<u8>]) -> Head {
    log.append(lines).unwrap();
    log.bind().unwrap()
}

/// A closed log of `frames` frames with two events each.
pub fn log_of(frames: u64) -> (tempfile::TempDir, Head) {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    let mut head = Head::EMPTY;
    for n in 0..frames {
        head = frame(&mut log, &[line(2 * n), line(2 * n + 1)]);
    }
    (dir, head)
}

/// Changes the stored frames behind the log's back.
pub fn tamper(dir: &Path, change: impl FnOnce(&sled::Tree)) {
    let config = sled::Config::new().path(dir.join("sled")).segment_size(8 << 20).flush_every_ms(None);
    let busy = |_: &u32| std::thread::sleep(Duration::from_millis(10));
    let db = (0..500_u32).inspect(busy).find_map(|_| config.open().ok()).unwrap();
    let tree = db.open_tree("frames").unwrap();
    change(&tree);
    db.flush().unwrap();
}

fn verify(dir: &Path) -> Result<Head, Fault> {
    try_open(dir)?.reader().verify(|_| ())
}

#[test]
fn reads_back_in_order_from_any_event_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    assert_eq!((log.newest(), log.bind().unwrap()), (0, Head::EMPTY));
    assert_eq!(log.append(&[]).unwrap(), 0);
    assert_eq!(log.append(&[line(1)]).unwrap(), 1);
    log.bind().unwrap();
    assert_eq!(log.append(&[line(2), line(3)]).unwrap(), 3);
    drop(log);
    let mut log = open(dir.path());
    assert_eq!(log.reader().head().seq, 3, "what was appended was not bound when the log was closed");
    assert_eq!(log.append(&[line(4), line(5)]).unwrap(), 5);
    let head = log.bind().unwrap();
    assert_eq!(head.seq, 5);
    let all: Vec<_> = (1..=5).map(|n| (n, line(n))).collect();
    assert_eq!(read_all(&log, 0), all);
    assert_eq!(read_all(&log, 3), all[1..]);
    assert_eq!(read_all(&log, 5), all[3..]);
    assert_eq!(read_all(&log, 6), []);
    let mut last = 0;
    assert_eq!(log.reader().verify(|seq| last = seq).unwrap(), head);
    assert_eq!((last, head.to_string().len()), (5, 64));
}

/// What other rooms may do with each part, checked by the compiler.
#[test]
fn parts_cross_threads() {
    fn moves<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    moves::<SledLog>();
    moves::<groundswell::log::sled::Frames>();
    is_shared::<groundswell::log::sled::Reader>();
    is_shared::<groundswell::vault::Vault>();
}

#[test]
fn readers_on_other_threads_see_whole_synced_prefixes() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    let reader = log.reader();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while reader.head().seq < 300 {
                let until = reader.head().seq;
                let read: u64 = reader.frames_from(1).map(|frame| u64::from(frame.unwrap().count)).sum();
                assert!(read >= until);
            }
        });
        for n in 0..100 {
            log.append(&[line(n), line(n), line(n)]).unwrap();
            if n % 3 == 0 {
                log.bind().unwrap();
            }
        }
        log.bind().unwrap();
    });
}

#[test]
fn refuses_lines_it_could_not_give_back_and_stays_usable() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    let long = vec![b'x'; MAX_LINE_BYTES + 1];
    assert!(matches!(log.append(&[line(1), long]), Err(Fault::LineTooLong { index: 1, .. })));
    assert!(matches!(log.append(&[b"a\nb".to_vec()]), Err(Fault::LineBreak { index: 0 })));
    assert_eq!(log.append(&[line(1)]).unwrap(), 1);
}

#[test]
fn packs_any_batch_without_a_blob() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    let mut state = 1_u64;
    let mut noise = |length: usize| -> Vec<u8> {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        (0..length).map(|_| Some(next()).filter(|b| *b != b'\n').unwrap_or(0)).collect()
    };
    let mut expected = Vec::new();
    for _ in 0..8 {
        let batch: Vec<_> = (0..40).map(|n| noise(if n % 4 == 0 { MAX_LINE_BYTES } else { 3_000 })).collect();
        log.append(&batch).unwrap();
        expected.extend(batch);
    }
    let wide: Vec<_> = (0..5_000).map(line).collect();
    log.append(&wide).unwrap();
    expected.extend(wide);
    assert_eq!(std::fs::read_dir(dir.path().join("sled/blobs")).unwrap().count(), 0);
    drop(log);
    let log = open(dir.path());
    assert!(read_all(&log, 1).into_iter().map(|(_, line)| line).eq(expected));
}

#[test]
fn a_flipped_bit_in_a_stored_frame_is_found() {
    let (dir, _) = log_of(TAIL_FRAMES + 4);
    let flip = |first_seq: u64, byte: usize| {
        tamper(dir.path(), |tree| {
            let mut frame = tree.get(first_seq.to_be_bytes()).unwrap().unwrap().to_vec();
            let byte = byte.min(frame.len() - 1);
            frame[byte] ^= 16;
            tree.insert(first_seq.to_be_bytes(), frame).unwrap();
        });
    };
    for byte in [0, 5, 9, 17, 25, 29, 40, 70, 100, 10_000] {
        flip(5, byte);
        let fault = verify(dir.path()).unwrap_err();
        assert!(matches!(fault, Fault::Damaged { first_seq: 5, .. }), "byte {byte}: {fault}");
        assert!(fault.to_string().contains("event 5") && fault.to_string().contains("backup"), "{fault}");
        flip(5, byte);
    }
    verify(dir.path()).unwrap();
    flip(131, 100);
    assert!(matches!(try_open(dir.path()), Err(Fault::Damaged { first_seq: 131, .. })));
}

#[test]
fn missing_swapped_and_foreign_frames_are_found() {
    let key = |seq: u64| seq.to_be_bytes();
    let (dir, _) = log_of(TAIL_FRAMES + 8);
    tamper(dir.path(), |tree| drop(tree.remove(key(5)).unwrap()));
    let fault = verify(dir.path()).unwrap_err();
    assert!(matches!(fault, Fault::Broken { first_seq: 7, cause: Break::Seq { expected: 5 } }), "{fault}");
    let fault = open(dir.path()).reader().frames_from(6).next().unwrap().unwrap_err();
    assert!(matches!(fault, Fault::Broken { .. }), "{fault}");

    let (dir, _) = log_of(TAIL_FRAMES + 8);
    tamper(dir.path(), |tree| {
        let (a, b) = (tree.get(key(3)).unwrap().unwrap(), tree.get(key(5)).unwrap().unwrap());
        tree.insert(key(3), b).unwrap();
        tree.insert(key(5), a).unwrap();
    });
    let fault = verify(dir.path()).unwrap_err();
    assert!(matches!(fault, Fault::Damaged { first_seq: 3, damage: Damage::Key { found: 5 } }), "{fault}");

    let other = tempfile::tempdir().unwrap();
    let mut log = open(other.path());
    for n in 0..3 {
        frame(&mut log, &[line(90 + n), line(n)]);
    }
    drop(log);
    let mut foreign = None;
    tamper(other.path(), |tree| foreign = tree.get(key(5)).unwrap());
    let (dir, _) = log_of(TAIL_FRAMES + 8);
    tamper(dir.path(), |tree| drop(tree.insert(key(5), foreign.unwrap()).unwrap()));
    let fault = verify(dir.path()).unwrap_err();
    assert!(matches!(fault, Fault::Broken { first_seq: 5, cause: Break::Hash }), "{fault}");
}

#[test]
fn a_lost_tail_is_refused() {
    let (dir, head) = log_of(5);
    tamper(dir.path(), |tree| drop(tree.remove(9_u64.to_be_bytes()).unwrap()));
    let fault = SledLog::open(dir.path()).err().unwrap();
    assert!(matches!(fault, Fault::Truncated { found: 8, acknowledged: 10 }), "{fault}");
    std::fs::remove_dir_all(dir.path().join("sled")).unwrap();
    let fault = SledLog::open(dir.path()).err().unwrap();
    assert!(matches!(fault, Fault::Truncated { found: 0, acknowledged } if acknowledged == head.seq), "{fault}");
}

#[test]
fn a_blob_is_refused() {
    let (dir, _) = log_of(1);
    std::fs::write(dir.path().join("sled/blobs/123"), b"never synced").unwrap();
    assert!(matches!(try_open(dir.path()), Err(Fault::Blob { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_lines_in_any_batches_read_back_the_same(
        batches in proptest::collection::vec(
            proptest::collection::vec(
                proptest::collection::vec(any::<u8>().prop_filter("a line has no line feed", |b| *b != b'\n'), 0..300),
                0..40,
            ),
            0..8,
        )
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path());
        for batch in &batches {
            log.append(batch).unwrap();
        }
        let expected: Vec<_> = (1..).zip(batches.concat()).collect();
        prop_assert_eq!(&read_all(&log, 1), &expected);
        let head = log.bind().unwrap();
        drop(log);
        let log = open(dir.path());
        prop_assert_eq!(log.reader().head(), head);
        prop_assert_eq!(log.reader().verify(|_| ()).unwrap(), head);
        prop_assert_eq!(read_all(&log, 1), expected);
    }
}

/// Runs [`child`] of this very program in a process of its own.
fn child_command(program: &str, arguments: &[&str], job: &str, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).args(["log::child", "--exact", "--nocapture", "--test-threads=1"]);
    command.env("LOG_CHILD_JOB", job).env("LOG_CHILD_DIR", dir);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn this_program() -> String {
    std::env::current_exe().unwrap().to_str().unwrap().to_owned()
}

pub fn start_child(job: &str, dir: &Path) -> (Child, impl Iterator<Item = String>) {
    let mut child = child_command(&this_program(), &[], job, dir).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    (child, lines)
}

/// Not a test by itself: what the tests below run as a second process.
#[test]
fn child() {
    let Some(dir) = std::env::var_os("LOG_CHILD_DIR") else { return };
    let mut log = match SledLog::open(Path::new(&dir)) {
        Ok(log) => log,
        Err(fault) => return println!("\nrefused {fault}"),
    };
    // libtest has written "test log::child ... " without a line feed.
    println!("\nopen {}", log.newest());
    match std::env::var("LOG_CHILD_JOB").unwrap().as_str() {
        "hold" => std::thread::sleep(Duration::from_secs(60)),
        "archived" => {
            let _archive = groundswell::log::archive::Archive::follow(log.reader()).unwrap();
            loop {
                println!("ack {}", log.append(&vec![line(log.newest()); 50]).unwrap());
            }
        }
        job => panic!("no job {job}"),
    }
}

#[test]
fn a_second_process_is_refused_and_told_who_holds_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, mut lines) = start_child("hold", dir.path());
    assert!(lines.any(|line| line == "open 0"));
    let fault = SledLog::open(dir.path()).err().unwrap();
    let message = fault.to_string();
    assert!(matches!(fault, Fault::Held { .. }), "{message}");
    assert!(message.contains(&format!("process {}", child.id())) && message.contains("stop it"), "{message}");
    child.kill().unwrap();
    child.wait().unwrap();
    open(dir.path());
}
