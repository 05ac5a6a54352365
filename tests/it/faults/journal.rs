//! The journal: what is durable before it is in a frame.

use super::{copy, line, lines_of, open, says_what_to_do, scratch};
use groundswell::domain::id::{CommitteeId, NoticeId, PersonId};
use groundswell::domain::ledger::{self, Mode};
use groundswell::domain::sealed::Sealed;
use groundswell::domain::{Command, inbox};
use groundswell::engine::Engine;
use groundswell::log::{Fault, Log as _};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Bytes that records begin at a multiple of, as the format document says.
const BLOCK: usize = 4096;

/// A copy of a log of which the first three events are in frames, and the others only in the journal, one record for each
/// number in `records`.
fn unbound(records: &[u64]) -> tempfile::TempDir {
    // The binder's thread may come between, on a machine that is busy.
    for _ in 0..50 {
        let dir = scratch();
        let mut log = open(dir.path()).unwrap();
        log.append(&[line(1), line(2), line(3)]).unwrap();
        log.bind().unwrap();
        for count in records {
            let first = log.newest() + 1;
            log.append(&(first..first + count).map(line).collect::<Vec<_>>()).unwrap();
        }
        let copy = copy(dir.path());
        if log.reader().head().seq == 3 {
            return copy;
        }
    }
    panic!("the binder was always quicker");
}

/// The journal, and how many bytes of it are records.
fn written(dir: &Path) -> (Vec<u8>, usize) {
    let bytes = std::fs::read(dir.join("journal")).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    (bytes, used)
}

fn read(dir: &Path) -> Result<Vec<(u64, Vec<u8>)>, Fault> {
    let log = open(dir)?;
    log.reader().verify(|_| ())?;
    lines_of(&log)
}

fn is_whole(events: &[(u64, Vec<u8>)], count: u64) -> bool {
    (1..=count).map(|n| (n, line(n))).eq(events.iter().cloned())
}

#[test]
fn what_is_only_in_the_journal_is_there_after_a_crash() {
    for records in [&[1_u64][..], &[1, 1, 1], &[400, 7, 12_000, 1]] {
        let dir = unbound(records);
        let total = 3 + records.iter().sum::<u64>();
        assert!(is_whole(&read(dir.path()).unwrap(), total), "{records:?}");
        // Once more: what was bound by the first start is not bound twice.
        assert!(is_whole(&read(dir.path()).unwrap(), total), "{records:?}");
    }
}

/// A reader written in another language from the format document alone.
#[test]
fn a_second_reader_in_python_finds_the_same_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = unbound(&[400, 7, 1, 90]);
    let read = |dir: &Path| {
        let mut command = std::process::Command::new(root.join(".venv/bin/python3"));
        command.arg(root.join("tests/support/second_reader.py")).arg("--journal").arg(dir).arg("3");
        let output = command.output().expect("`make test` installs Python's packages");
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let expected: String = (4..=501).map(|n| format!("{n} {}\n", String::from_utf8(line(n)).unwrap())).collect();
    assert_eq!(read(dir.path()), (true, expected));
    let (mut bytes, used) = written(dir.path());
    bytes[used - 40] ^= 1;
    std::fs::write(dir.path().join("journal"), bytes).unwrap();
    assert!(!read(dir.path()).0, "an event that was acknowledged is missing");
}

#[test]
fn a_flipped_bit_in_any_byte_of_a_record_is_told() {
    let whole = unbound(&[2, 2]);
    let (bytes, used) = written(whole.path());
    let mut refused = 0;
    for byte in 0..used {
        let dir = copy(whole.path());
        let mut changed = bytes.clone();
        changed[byte] ^= 1 << (byte % 8);
        std::fs::write(dir.path().join("journal"), changed).unwrap();
        match read(dir.path()) {
            Ok(events) => assert!(is_whole(&events, 7), "byte {byte}: {} events", events.len()),
            Err(fault) => {
                assert!(matches!(fault, Fault::Journal { until: 5 | 7, .. }), "byte {byte}: {fault}");
                assert!(says_what_to_do(&fault), "{fault}");
                refused += 1;
            }
        }
    }
    // What is not a record's own is padding; the first three events are in frames already.
    assert!(refused > 100 && refused < used, "{refused} of {used} bytes were missed when they changed");
}

/// A crash in the middle of an append: the caller never heard of it.
#[test]
fn a_torn_record_is_dropped_whole_where_nobody_was_told() {
    let whole = unbound(&[400]);
    let (bytes, used) = written(whole.path());
    let before = unbound(&[]);
    let note = std::fs::read(before.path().join("acknowledged")).unwrap();
    for torn in (BLOCK..used).step_by(997) {
        for zeroed in [false, true] {
            let dir = copy(whole.path());
            let mut changed = bytes.clone();
            if zeroed {
                changed[torn..].fill(0)
            } else {
                changed.truncate(torn)
            }
            std::fs::write(dir.path().join("journal"), changed).unwrap();
            std::fs::write(dir.path().join("acknowledged"), &note).unwrap();
            let events = read(dir.path()).unwrap();
            assert!(is_whole(&events, 3), "torn at {torn} of {used}: {} events", events.len());
            // With the note of an acknowledgement it is another matter.
            let dir = copy(whole.path());
            std::fs::write(dir.path().join("journal"), &bytes[..torn]).unwrap();
            let fault = read(dir.path()).unwrap_err();
            assert!(matches!(fault, Fault::Journal { from: 4, until: 403, .. }), "{fault}");
        }
    }
}

#[test]
fn a_record_that_is_missing_between_others_is_told_though_no_note_is_there() {
    let whole = unbound(&[1, 1, 1]);
    let (bytes, _) = written(whole.path());
    let first = bytes.chunks(BLOCK).position(|block| block.starts_with(b"GSWJ") && block[8] == 4).unwrap() * BLOCK;
    // Without the second of the three; with the first and the second in each other's place; with the last one twice.
    let (missing, swapped, twice) = {
        let mut missing = bytes.clone();
        missing[first + BLOCK..first + 2 * BLOCK].fill(0);
        let mut swapped = bytes.clone();
        let second = swapped[first + BLOCK..first + 2 * BLOCK].to_vec();
        swapped.copy_within(first..first + BLOCK, first + BLOCK);
        swapped[first..first + BLOCK].copy_from_slice(&second);
        let mut twice = bytes.clone();
        twice.copy_within(first + 2 * BLOCK..first + 3 * BLOCK, first + 3 * BLOCK);
        (missing, swapped, twice)
    };
    let read_with = |bytes: &[u8]| {
        let dir = copy(whole.path());
        std::fs::remove_file(dir.path().join("acknowledged")).unwrap();
        std::fs::write(dir.path().join("journal"), bytes).unwrap();
        read(dir.path())
    };
    let fault = read_with(&missing).unwrap_err();
    assert!(matches!(fault, Fault::Journal { from: 5, until: 5, .. }), "{fault}");
    // Each record carries its number, so that their places do not matter.
    assert!(is_whole(&read_with(&swapped).unwrap(), 6));
    assert!(is_whole(&read_with(&twice).unwrap(), 6));
}

#[test]
fn a_missing_journal_is_told_where_something_is_only_there() {
    let dir = unbound(&[5]);
    std::fs::remove_file(dir.path().join("journal")).unwrap();
    let fault = read(dir.path()).unwrap_err();
    assert!(matches!(fault, Fault::Journal { from: 4, until: 8, .. }) && says_what_to_do(&fault), "{fault}");
    // Where everything is in frames, it is made anew.
    let dir = unbound(&[]);
    std::fs::remove_file(dir.path().join("journal")).unwrap();
    assert!(is_whole(&read(dir.path()).unwrap(), 3));
}

/// Makes every later sync of the store fail, as a blob of sled's does.
fn break_store(dir: &Path) -> PathBuf {
    let blob = dir.join("sled/blobs/17");
    std::fs::write(&blob, b"never synced").unwrap();
    blob
}

#[test]
fn what_could_not_be_bound_stops_the_log_and_is_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path()).unwrap();
    log.append(&[line(1)]).unwrap();
    log.bind().unwrap();
    let blob = break_store(dir.path());
    assert_eq!(log.append(&[line(2)]).unwrap(), 2, "durable, whatever becomes of the store");
    let fault = log.bind().unwrap_err();
    assert!(matches!(fault, Fault::Blob { .. }), "{fault}");
    assert!(log.failed().borrow().is_some());
    std::fs::remove_file(blob).unwrap();
    assert!(matches!(log.append(&[line(3)]), Err(Fault::Stopped)));
    assert!(matches!(log.bind(), Err(Fault::Stopped)));
    assert_eq!((log.newest(), log.reader().head().seq), (2, 1), "what failed is not shown");
    drop(log);
    assert!(is_whole(&read(dir.path()).unwrap(), 2));
}

#[test]
fn the_binders_thread_binds_by_itself_and_a_fault_of_its_is_heard() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path()).unwrap();
    log.append(&[line(1)]).unwrap();
    let patience = std::time::Instant::now();
    while log.reader().head().seq < 1 {
        assert!(patience.elapsed().as_secs() < 60, "nothing was bound");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    break_store(dir.path());
    log.append(&[line(2)]).unwrap();
    let mut failed = log.failed();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let heard = tokio::time::timeout(std::time::Duration::from_secs(60), failed.wait_for(Option::is_some));
        assert!(heard.await.unwrap().is_ok());
    });
    assert!(matches!(log.append(&[line(3)]), Err(Fault::Stopped)));
}

/// More than the journal may hold: an append waits for the binder where it is full.
#[test]
fn more_than_the_journal_holds_goes_through_it() {
    let dir = scratch();
    let mut log = open(dir.path()).unwrap();
    let long = |n: u64| format!(r#"{{"n":{n},"pad":"{}"}}"#, "x".repeat(40_000)).into_bytes();
    let mut sent = 0;
    // 210 MB in all; one batch is larger than the journal may be.
    for count in [50_u64, 400, 7, 300, 1, 3_600, 200, 1, 700] {
        let batch: Vec<_> = (sent + 1..=sent + count).map(long).collect();
        sent += count;
        assert_eq!(log.append(&batch).unwrap(), sent);
    }
    let length = std::fs::metadata(dir.path().join("journal")).unwrap().len();
    assert!((144_000_000..300_000_000).contains(&length), "{length}");
    drop(log);
    let all = lines_of(&open(dir.path()).unwrap()).unwrap();
    assert!((1..=sent).map(|n| (n, long(n))).eq(all));
}

/// What makes a sync cheap: there are zeros between what is written and the file's end, and what is free is written again.
#[test]
fn the_journal_is_kept_longer_than_what_is_in_it_and_stays_short() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path()).unwrap();
    let (mut grown, mut last) = (0, 0);
    for n in 1..=2_000_u64 {
        log.append(&[line(n)]).unwrap();
        if n % 100 == 0 {
            log.bind().unwrap();
        }
        let length = std::fs::metadata(dir.path().join("journal")).unwrap().len();
        grown += u32::from(length != last);
        last = length;
    }
    assert!(grown < 10, "the file grew at {grown} of 2000 appends");
    assert!(last <= 2 << 20, "{last}");
}

/// However much waits for the writer at once, a record stays short.
#[tokio::test]
async fn a_long_queue_is_appended_in_parts() {
    let dir = scratch();
    let (engine, mut writer) = Engine::open(dir.path()).unwrap();
    let command = Command::Ledger(ledger::Command::Start { mode: Mode::Test });
    engine.execute(command, "start".into(), "server").await.unwrap();
    let body = Sealed::new(&vec![7; 30_000]);
    let answers: Vec<_> = (0..600)
        .map(|n| {
            let (notice, sealed_for) = (NoticeId(format!("evt_{n}")), PersonId(Uuid::from_u128(n)));
            let (committee, what, body) = (CommitteeId::FIRST, "charge".into(), body.clone());
            let received = inbox::Received { committee, notice, what, sealed_for, body };
            engine
                .submit(Command::Inbox(inbox::Command::Receive(received)), format!("webhook:{n}"), "processor")
                .unwrap()
        })
        .collect();
    for answer in answers {
        answer.await.unwrap();
    }
    drop(engine);
    writer.ended().await.unwrap();
    let bytes = std::fs::read(dir.path().join("log/journal")).unwrap();
    let records = bytes.chunks(BLOCK).filter(|block| block.starts_with(b"GSWJ"));
    let lengths: Vec<_> = records.map(|block| u32::from_le_bytes(block[20..24].try_into().unwrap())).collect();
    assert!(lengths.iter().all(|length| *length <= 3 << 20), "{lengths:?}");
    assert!(lengths.iter().any(|length| *length > 1 << 20), "nothing queued up, so this shows nothing: {lengths:?}");
}
