//! What disks and operators do to a log, on real files and real processes: nothing acknowledged is lost, nothing is passed
//! over in silence, and every refusal says what to do.

mod clock;
mod damage;
mod journal;
mod kill;
mod system;

use groundswell::log::sled::SledLog;
use groundswell::log::{Fault, Head, Log as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

fn line(n: u64) -> Vec<u8> {
    format!(r#"{{"kind":"test","v":1,"n":{n}}}"#).into_bytes()
}

/// Opens a folder that nobody holds. Other tests of this process start programs; until each of them runs, it holds a copy
/// of every lock that is held here, so a lock just given up may be busy for a moment.
fn open(dir: &Path) -> Result<SledLog, Fault> {
    for _ in 0..500 {
        match SledLog::open(dir) {
            Err(Fault::Held { .. }) => std::thread::sleep(Duration::from_millis(10)),
            Err(Fault::Store { source: sled::Error::Io(error), .. }) if error.to_string().contains("acquire lock") => {
                std::thread::sleep(Duration::from_millis(10));
            }
            opened => return opened,
        }
    }
    SledLog::open(dir)
}

/// Every line from the first on, with its number.
fn lines_of(log: &SledLog) -> Result<Vec<(u64, Vec<u8>)>, Fault> {
    log.bind()?;
    let mut all = Vec::new();
    for frame in log.reader().frames_from(1) {
        all.extend(frame?.lines().map(|(seq, line)| (seq, line.to_vec())));
    }
    Ok(all)
}

/// A closed log of `frames` frames with two events each, and how much of the store's file they fill.
fn log_of(frames: u64) -> (tempfile::TempDir, Head, usize) {
    let dir = scratch();
    let mut log = open(dir.path()).unwrap();
    for n in 0..frames {
        log.append(&[line(2 * n + 1), line(2 * n + 2)]).unwrap();
        log.bind().unwrap();
    }
    let head = log.bind().unwrap();
    drop(log);
    let used = used(dir.path());
    (dir, head, used)
}

/// A folder in memory where there is one: these tests open thousands of logs, and no power is cut.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn db(dir: &Path) -> PathBuf {
    dir.join("sled/db")
}

/// The bytes of the store's file up to its last that is not zero.
fn used(dir: &Path) -> usize {
    std::fs::read(db(dir)).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1
}

/// A copy of a log's folder.
fn copy(dir: &Path) -> tempfile::TempDir {
    let to = scratch();
    std::fs::create_dir_all(to.path().join("sled/blobs")).unwrap();
    for folder in ["", "sled"] {
        std::fs::create_dir_all(to.path().join(folder)).unwrap();
        for file in std::fs::read_dir(dir.join(folder)).unwrap().map(Result::unwrap) {
            if file.file_type().unwrap().is_file() {
                std::fs::copy(file.path(), to.path().join(folder).join(file.file_name())).unwrap();
            }
        }
    }
    to
}

/// Whether a message tells an operator the next step.
fn says_what_to_do(fault: &Fault) -> bool {
    let message = fault.to_string();
    ["backup", "start again", "run the newer"].iter().any(|step| message.contains(step))
}
