//! Damaged, torn, missing and zeroed files.

use super::kill::{child_command, this_program};
use super::{copy, db, line, lines_of, log_of, open, says_what_to_do, scratch, used};
use groundswell::log::{Fault, Head, Log as _};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Opens, verifies, reads, appends and reads again what may be damaged. `Ok` has the events that were there; a panic or a
/// hang fails the test.
fn use_it(dir: &Path, what: &str) -> Result<Vec<(u64, Vec<u8>)>, Fault> {
    let (sender, receiver) = channel();
    let path = dir.to_path_buf();
    std::thread::spawn(move || {
        let used = || {
            let mut log = open(&path)?;
            log.reader().verify(|_| ())?;
            let there = lines_of(&log)?;
            let next = there.len() as u64 + 1;
            log.append(&[line(next)])?;
            drop(log);
            let log = open(&path)?;
            let after = lines_of(&log)?;
            assert_eq!(after.last(), Some(&(next, line(next))));
            assert_eq!(after[..there.len()], there, "an append changed what was there");
            Ok(there)
        };
        let _ = sender.send(used());
    });
    let found = receiver.recv_timeout(Duration::from_secs(60));
    found.unwrap_or_else(|error| panic!("{what}: no answer ({error}): it hangs or has panicked"))
}

fn sound(events: &[(u64, Vec<u8>)], least: u64) -> bool {
    events.len() as u64 >= least && (1..).zip(events).all(|(n, (seq, bytes))| *seq == n && *bytes == line(n))
}

/// Every acknowledged event is there, or a message says what to do.
fn whole_or_refused(dir: &Path, head: &Head, what: &str) -> bool {
    match use_it(dir, what) {
        Ok(events) => {
            assert!(sound(&events, head.seq), "{what}: {} of {} events, and no word", events.len(), head.seq);
            true
        }
        Err(fault) => {
            assert!(says_what_to_do(&fault), "{what}: {fault}");
            false
        }
    }
}

fn flip(path: &Path, byte: usize, bit: u32) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[byte] ^= 1 << bit;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_flipped_bit_in_any_byte_of_the_stores_file_is_harmless_or_told() {
    let (dir, head, used) = log_of(3);
    let mut harmless = 0;
    for byte in 0..used {
        let copy = copy(dir.path());
        let bit = byte as u32 % 8;
        flip(&db(copy.path()), byte, bit);
        harmless += usize::from(whole_or_refused(copy.path(), &head, &format!("bit {bit} of byte {byte} of {used}")));
    }
    assert!(harmless < used, "no flipped bit was ever noticed");
}

#[test]
fn a_flipped_bit_in_the_stores_other_files_is_harmless_or_told() {
    let (dir, head, _) = log_of(3);
    // A restart makes sled write its snapshot.
    drop(open(dir.path()).unwrap());
    let files: Vec<_> = std::fs::read_dir(dir.path().join("sled")).unwrap().map(|file| file.unwrap()).collect();
    let small = files.iter().filter(|file| file.file_type().unwrap().is_file() && file.file_name() != "db");
    let names: Vec<String> = small.map(|file| file.file_name().into_string().unwrap()).collect();
    assert!(names.iter().any(|name| name == "conf") && names.iter().any(|name| name.starts_with("snap.")), "{names:?}");
    for name in names {
        let length = std::fs::metadata(dir.path().join("sled").join(&name)).unwrap().len() as usize;
        for byte in 0..length {
            let copy = copy(dir.path());
            flip(&copy.path().join("sled").join(&name), byte, byte as u32 % 8);
            whole_or_refused(copy.path(), &head, &format!("byte {byte} of {length} of {name}"));
        }
    }
}

#[test]
fn a_file_cut_short_anywhere_is_told() {
    let (dir, head, used) = log_of(6);
    for length in (0..used).step_by(used / 100 + 1) {
        let copy = copy(dir.path());
        std::fs::File::options().write(true).open(db(copy.path())).unwrap().set_len(length as u64).unwrap();
        let what = format!("cut to {length} of {used} bytes");
        let fault = use_it(copy.path(), &what).expect_err(&what);
        assert!(says_what_to_do(&fault), "{what}: {fault}");
        if let Fault::Truncated { found, acknowledged } = fault {
            assert!(found < acknowledged && acknowledged == head.seq, "{what}: {found} {acknowledged}");
        }
    }
}

/// A crash while frames were stored: their lines are still in the journal.
#[test]
fn frames_that_a_crash_tore_are_bound_again() {
    let dir = scratch();
    let mut log = open(dir.path()).unwrap();
    log.append(&[line(1), line(2)]).unwrap();
    log.append(&[line(3)]).unwrap();
    log.bind().unwrap();
    let (witness, before) = (std::fs::read(dir.path().join("head")).unwrap(), used(dir.path()));
    let long: Vec<_> = (4..400).map(line).collect();
    log.append(&long).unwrap();
    drop(log);
    // As it stands when the store's last sync did not come back.
    std::fs::write(dir.path().join("head"), witness).unwrap();
    let after = used(dir.path());
    assert!(after > before);
    for zeroed in [false, true] {
        for length in (before..=after).step_by((after - before) / 40 + 1) {
            let copy = copy(dir.path());
            let mut bytes = std::fs::read(db(copy.path())).unwrap();
            if zeroed {
                bytes[length..].fill(0);
            } else {
                bytes.truncate(length);
            }
            std::fs::write(db(copy.path()), bytes).unwrap();
            let what = format!("torn at {length} of {before}..{after}");
            let events = use_it(copy.path(), &what).unwrap_or_else(|fault| panic!("{what}: {fault}"));
            assert!(sound(&events, 399), "{what}: {} events", events.len());
        }
    }
}

#[test]
fn a_region_of_zeros_is_told() {
    let (dir, head, used) = log_of(40);
    for start in (0..used).step_by(used / 25 + 1) {
        let copy = copy(dir.path());
        let mut bytes = std::fs::read(db(copy.path())).unwrap();
        let end = (start + 512).min(used);
        bytes[start..end].fill(0);
        std::fs::write(db(copy.path()), bytes).unwrap();
        whole_or_refused(copy.path(), &head, &format!("zeros from {start} of {used}"));
    }
}

#[test]
fn missing_files_of_the_store_are_told() {
    for name in ["sled/db", "sled"] {
        let (dir, head, _) = log_of(3);
        let path = dir.path().join(name);
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
        let fault = use_it(dir.path(), name).expect_err(name);
        assert!(says_what_to_do(&fault), "{name}: {fault}");
        assert!(fault.to_string().contains(&format!("event {}", head.seq)) || name == "sled/db", "{name}: {fault}");
    }
    let (dir, head, _) = log_of(3);
    std::fs::remove_file(dir.path().join("sled/conf")).unwrap();
    whole_or_refused(dir.path(), &head, "no conf");
}

/// The first segment stands in the file twice, as after a careless copy: sled panics over it.
#[test]
fn what_sled_panics_over_is_told_in_one_sentence() {
    let (dir, _, used) = log_of(3);
    let mut bytes = std::fs::read(db(dir.path())).unwrap();
    bytes.resize(8 << 20, 0);
    bytes.extend_from_within(..used);
    std::fs::write(db(dir.path()), bytes).unwrap();
    let output = child_command(&this_program(), &[], "once", dir.path()).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let refused = said.lines().find(|line| line.starts_with("refused")).unwrap_or_else(|| panic!("{said}"));
    for part in ["duplicate segment", "backup", dir.path().to_str().unwrap()] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "the panic itself was printed");
}

/// Zeros past what sled uses are what this log itself puts there, in any amount.
#[test]
fn zeros_past_the_end_change_nothing() {
    for extra in [1_u64, 4095, 1 << 20, 8 << 20, 20 << 20] {
        let (dir, head, used) = log_of(3);
        let file = std::fs::File::options().write(true).open(db(dir.path())).unwrap();
        file.set_len(used as u64).unwrap();
        file.set_len(used as u64 + extra).unwrap();
        let events = use_it(dir.path(), "zeros").unwrap();
        assert_eq!(events.len() as u64, head.seq, "{extra} zeros");
    }
}

/// A crash while sled writes its snapshot leaves part of it under another name, which sled itself takes for the newest.
#[test]
fn a_snapshot_cut_short_by_a_crash_is_harmless() {
    let (dir, head, _) = log_of(3);
    drop(open(dir.path()).unwrap());
    let names = std::fs::read_dir(dir.path().join("sled")).unwrap().map(|file| file.unwrap().path());
    let whole =
        names.into_iter().find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("snap.")).unwrap();
    let bytes = std::fs::read(&whole).unwrap();
    let later = whole.with_file_name("snap.00000000FFFFFFFF.generating");
    for length in 0..bytes.len() {
        let copy = copy(dir.path());
        std::fs::write(copy.path().join("sled").join(later.file_name().unwrap()), &bytes[..length]).unwrap();
        let events = use_it(copy.path(), "a torn snapshot").unwrap();
        assert!(sound(&events, head.seq), "{length} bytes of a snapshot");
    }
}
