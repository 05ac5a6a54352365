//! The archive beside the log: read by zstd's own program, torn and written again, and a log made from nothing else.

use crate::log::{frame, line, open, read_all, start_child};
use crate::proof::version_1_log;
use groundswell::log::archive::read::{Record, read, verify};
use groundswell::log::archive::{Archive, Flaw, SEGMENT_MAX_BYTES};
use groundswell::log::frame::{Break, Damage};
use groundswell::log::sled::SledLog;
use groundswell::log::{Fault, Head, Log};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn segments(log: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> =
        std::fs::read_dir(log.join("archive")).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn records(log: &Path) -> Result<Vec<Record>, Fault> {
    read(&log.join("archive")).unwrap().collect()
}

/// What zstd's own program makes of the segments.
fn zstd(segments: &[PathBuf]) -> Vec<u8> {
    let output = Command::new("zstd").arg("-dc").args(segments).output();
    let output = output.expect("zstd runs; install it with `apt-get install zstd`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The lines of the whole log, as text.
fn text(log: &SledLog) -> Vec<u8> {
    read_all(log, 1).into_iter().flat_map(|(_, line)| [line, b"\n".to_vec()].concat()).collect()
}

/// A log of some frames with an archive that is whole, both closed.
fn archived(frames: u64) -> (tempfile::TempDir, Head) {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    let archive = Archive::follow(log.reader()).unwrap();
    for n in 0..frames {
        frame(&mut log, &[line(2 * n), line(2 * n + 1)]);
    }
    let caught = archive.catch_up().unwrap();
    assert_eq!(caught.head, log.reader().head());
    (dir, caught.head)
}

#[test]
fn zstds_own_program_prints_the_events() {
    let dir = tempfile::tempdir().unwrap();
    version_1_log(dir.path(), 30);
    let mut log = open(dir.path());
    let archive = Archive::follow(log.reader()).unwrap();
    for n in 0..50 {
        frame(&mut log, &vec![line(n); 1 + n as usize % 7]);
    }
    let caught = archive.catch_up().unwrap();
    let files = segments(dir.path());
    let length = std::fs::metadata(&files[0]).unwrap().len();
    assert_eq!((caught.head, caught.end), (log.reader().head(), Some((files[0].clone(), length))));
    assert_eq!(archive.state().seq, log.newest());
    assert_eq!(zstd(&files), text(&log));
    let read = records(dir.path()).unwrap();
    assert_eq!(read.last().unwrap().header().head(), log.reader().head());
    assert_eq!(read.iter().map(|record| record.frame().lines().count()).sum::<usize>() as u64, log.newest());
}

#[test]
fn a_full_segment_is_followed_by_another() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    let mut state = 1_u64;
    let mut noise = || -> Vec<u8> {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        (0..48 * 1024).map(|_| Some(next()).filter(|byte| *byte != b'\n').unwrap_or(0)).collect()
    };
    for _ in 0..6 {
        log.append(&(0..250).map(|_| noise()).collect::<Vec<_>>()).unwrap();
    }
    // Everything is there already when the archive is begun, as for a log that is older than its archive.
    let archive = Archive::follow(log.reader()).unwrap();
    archive.catch_up().unwrap();
    frame(&mut log, &[line(1)]);
    drop(archive);
    let files = segments(dir.path());
    assert_eq!(files.len(), 2);
    assert!(files.iter().all(|file| std::fs::metadata(file).unwrap().len() <= SEGMENT_MAX_BYTES));
    assert_eq!(records(dir.path()).unwrap().last().unwrap().header().head(), log.reader().head());
    assert!(zstd(&files) == text(&log));
    std::fs::remove_file(&files[0]).unwrap();
    let fault = records(dir.path()).err().unwrap();
    assert!(matches!(fault, Fault::Archive { flaw: Flaw::Break(Break::Seq { expected: 1 }), .. }), "{fault}");
    assert!(fault.to_string().contains(files[1].to_str().unwrap()), "{fault}");
}

#[test]
fn a_torn_end_is_cut_off_and_written_again() {
    let (dir, head) = archived(5);
    let file = segments(dir.path()).remove(0);
    let whole = std::fs::read(&file).unwrap();
    let mut ends: Vec<Vec<u8>> = (0..whole.len()).step_by(41).map(|length| whole[..length].to_vec()).collect();
    // What a power cut leaves of a file that had grown: zeros, or the end of something else.
    ends.push([&whole[..whole.len() - 300], &[0; 300]].concat());
    ends.push([&whole[..], &[0; 5_000]].concat());
    ends.push([&whole[..], b"PM*\x18"].concat());
    for end in ends {
        std::fs::write(&file, &end).unwrap();
        let log = open(dir.path());
        let archive = Archive::follow(log.reader()).unwrap();
        assert_eq!(archive.catch_up().unwrap().head, head);
        assert!(std::fs::read(&file).unwrap() == whole, "{} of {} bytes were left", end.len(), whole.len());
    }
}

#[test]
fn an_archive_that_is_not_this_logs_is_refused() {
    let (dir, head) = archived(4);
    let (other, _) = archived(3);
    let mut log = open(other.path());
    log.append(&[b"another".to_vec(), b"line".to_vec()]).unwrap();
    drop(log);
    for (log, flaw, words) in
        [(other.path(), Flaw::Disagrees, "another frame"), (&dir.path().join("fresh"), Flaw::Ahead, "not hold")]
    {
        let archive = log.join("archive");
        if archive.exists() {
            std::fs::remove_dir_all(&archive).unwrap();
        }
        std::fs::create_dir_all(&archive).unwrap();
        let segment = segments(dir.path()).remove(0);
        std::fs::copy(&segment, archive.join(segment.file_name().unwrap())).unwrap();
        let fault = Archive::follow(open(log).reader()).err().unwrap();
        let said = fault.to_string();
        assert!(matches!(fault, Fault::Archive { first_seq: 7, flaw: found, .. } if found == flaw), "{said}");
        assert!(
            said.contains("event 7") && said.contains("move the archive folder away") && said.contains(words),
            "{said}"
        );
    }
    assert_eq!(head.seq, 8);
}

#[test]
fn a_changed_byte_of_an_archive_is_found() {
    let (dir, head) = archived(3);
    let file = segments(dir.path()).remove(0);
    let whole = std::fs::read(&file).unwrap();
    for byte in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[byte] ^= 4;
        std::fs::write(&file, flipped).unwrap();
        let fault = records(dir.path()).err().unwrap_or_else(|| panic!("byte {byte} of {} passed", whole.len()));
        assert!(matches!(fault, Fault::Archive { .. }), "{fault}");
    }
    std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    let fault = records(dir.path()).err().unwrap();
    assert!(matches!(fault, Fault::Archive { first_seq: 5, flaw: Flaw::Torn { .. }, .. }), "{fault}");
    std::fs::rename(&file, file.with_file_name("00000000000000000002.gswf")).unwrap();
    let fault = records(dir.path()).err().unwrap();
    assert!(matches!(fault, Fault::Archive { first_seq: 1, flaw: Flaw::Name { name: 2 }, .. }), "{fault}");
    assert_eq!(head.seq, 6);
}

/// Lines that were exchanged by somebody who knows the format, down to the checksum: the header's hash stays right.
#[test]
fn an_edited_line_in_an_archive_is_found() {
    let (dir, _) = archived(1);
    let file = segments(dir.path()).remove(0);
    let whole = std::fs::read(&file).unwrap();
    let stored = &whole[8..];
    let raw = u32::from_le_bytes(stored[20..24].try_into().unwrap()) as usize;
    let mut lines = zstd::bulk::decompress(&stored[176..], raw).unwrap();
    let digit = lines.iter().position(|byte| *byte == b'0').unwrap();
    lines[digit] = b'7';
    let length = stored.len() - 176;
    let body = (1..20).map(|level| zstd::bulk::compress(&lines, level).unwrap()).find(|body| body.len() == length);
    let body = body.expect("some level gives the same length");
    let crc = crc32c::crc32c_append(crc32c::crc32c(&stored[..172]), &body);
    std::fs::write(&file, [&whole[..8 + 172], &crc.to_le_bytes(), &body].concat()).unwrap();
    let fault = records(dir.path()).err().unwrap();
    assert!(matches!(fault, Fault::Archive { flaw: Flaw::Damage(Damage::Lines), .. }), "{fault}");
}

#[test]
fn a_log_made_from_an_archive_is_the_same_log() {
    let dir = tempfile::tempdir().unwrap();
    version_1_log(dir.path(), 100);
    let mut log = open(dir.path());
    for n in 0..600 {
        frame(&mut log, &vec![line(n); 1 + n as usize % 5]);
    }
    drop(Archive::follow(log.reader()).unwrap().catch_up().unwrap());
    let (before, head) = (read_all(&log, 1), log.reader().head());
    let stored =
        |log: &SledLog| log.reader().stored_from(1).map(|stored| stored.unwrap().stored().to_vec()).collect::<Vec<_>>();
    let home = tempfile::tempdir().unwrap();
    let made = home.path().join("data/log");
    let archive = || read(&dir.path().join("archive")).unwrap();
    assert_eq!(SledLog::import(&made, archive()).unwrap(), head);
    let mut copy = open(&made);
    assert_eq!((copy.reader().head(), copy.reader().verify(|_| ()).unwrap()), (head, head));
    assert!(stored(&copy) == stored(&log) && read_all(&copy, 1) == before);
    // It goes on as the first would have.
    assert_eq!(frame(&mut copy, &[line(9)]), frame(&mut log, &[line(9)]));
    drop(copy);
    let fault = SledLog::import(&made, archive()).unwrap_err();
    assert!(matches!(fault, Fault::Occupied { .. }), "{fault}");

    // A frame that is wrong leaves nothing that could be taken for a log.
    let other = home.path().join("other");
    let broken = archive().take(20).chain([Err(Fault::Stopped)]);
    assert!(matches!(SledLog::import(&other, broken), Err(Fault::Stopped)));
    let gap = archive().take(20).chain(archive().skip(21));
    assert!(matches!(SledLog::import(&other, gap), Err(Fault::Broken { .. })));
    assert!(!other.exists() && std::fs::read_dir(home.path()).unwrap().count() == 1);
}

#[test]
fn an_archive_is_held_against_its_log() {
    let (dir, head) = archived(6);
    let log = open(dir.path());
    assert_eq!(verify(&log.reader()).unwrap(), head);
    let file = segments(dir.path()).remove(0);
    let whole = std::fs::read(&file).unwrap();
    // Torn at its end, it is whole up to there.
    std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(verify(&log.reader()).unwrap().seq, head.seq - 2);
    // Another log's frames are told from this one's.
    let other = tempfile::tempdir().unwrap();
    let mut stranger = open(other.path());
    let archive = Archive::follow(stranger.reader()).unwrap();
    for n in 0..6 {
        frame(&mut stranger, &[line(7 * n), line(n)]);
    }
    archive.catch_up().unwrap();
    std::fs::copy(segments(other.path()).remove(0), &file).unwrap();
    let fault = verify(&log.reader()).unwrap_err();
    assert!(matches!(fault, Fault::Archive { flaw: Flaw::Disagrees, .. }), "{fault}");
    std::fs::remove_dir_all(dir.path().join("archive")).unwrap();
    assert_eq!(verify(&log.reader()).unwrap(), Head::EMPTY);
}

#[test]
fn an_archive_that_fails_stops_nothing_but_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    let archive = Archive::follow(log.reader()).unwrap();
    std::fs::remove_dir_all(dir.path().join("archive")).unwrap();
    log.append(&[line(1)]).unwrap();
    let fault = archive.catch_up().unwrap_err();
    assert!(fault.to_string().contains("the log goes on"), "{fault}");
    assert!(archive.state().failed.is_some_and(|cause| cause.contains("00000000000000000001.gswf")));
    let head = frame(&mut log, &[line(2)]);
    drop(archive);
    let archive = Archive::follow(log.reader()).unwrap();
    assert_eq!(archive.catch_up().unwrap().head, head);
}

#[test]
fn kill_9_leaves_an_archive_that_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for round in 0..6_u64 {
        let (mut child, lines) = start_child("archived", dir.path());
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300 + round * 61));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        for line in lines {
            assert!(!line.starts_with("refused"), "{line}");
            seen = line.strip_prefix("ack ").and_then(|seq| seq.parse().ok()).unwrap_or(seen);
        }
        killer.join().unwrap();
    }
    let log = open(dir.path());
    let archive = Archive::follow(log.reader()).unwrap();
    let caught = archive.catch_up().unwrap();
    assert!(seen > 0 && caught.head == log.reader().head() && caught.head.seq >= seen);
    assert_eq!(records(dir.path()).unwrap().last().unwrap().header().head(), log.reader().head());
}
