//! Packing and storing as two halves: order, and what follows a fault between them.

use super::{line, lines_of, open, used};
use groundswell::log::pipeline::Pipeline;
use groundswell::log::{Fault, Head, Log as _};
use std::path::Path;
use std::sync::mpsc::channel;

/// Makes every later store fail, as a blob of sled's does.
fn break_store(dir: &Path) -> std::path::PathBuf {
    let blob = dir.join("sled/blobs/17");
    std::fs::write(&blob, b"never synced").unwrap();
    blob
}

#[test]
fn what_is_packed_is_stored_in_that_order_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let (mut packing, mut storing) = open(dir.path()).unwrap().split();
    assert!(packing.pack(&[]).unwrap().is_none());
    let first = packing.pack(&[line(1), line(2)]).unwrap().unwrap();
    let second = packing.pack(&[line(3)]).unwrap().unwrap();
    assert_eq!((packing.head().seq, storing.head()), (3, Head::EMPTY));
    let third = packing.pack(&[line(4)]).unwrap().unwrap();
    let fault = storing.store(second).unwrap_err();
    assert!(matches!(fault, Fault::OutOfOrder { expected: 1, found: 3 }), "{fault}");
    assert_eq!(storing.store(first).unwrap().seq, 2);
    assert!(matches!(storing.store(third), Err(Fault::OutOfOrder { expected: 3, found: 4 })));
    drop((packing, storing));
    let log = open(dir.path()).unwrap();
    assert_eq!(lines_of(&log).unwrap(), [(1, line(1)), (2, line(2))]);
}

#[test]
fn after_a_fault_nothing_that_was_packed_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let (mut packing, mut storing) = open(dir.path()).unwrap().split();
    let [first, second, third] = [1, 2, 3].map(|n| packing.pack(&[line(n)]).unwrap().unwrap());
    storing.store(first).unwrap();
    let blob = break_store(dir.path());
    assert!(matches!(storing.store(second), Err(Fault::Blob { .. })));
    std::fs::remove_file(blob).unwrap();
    assert!(matches!(storing.store(third), Err(Fault::Stopped)));
    assert!(matches!(packing.pack(&[line(4)]), Err(Fault::Stopped)));
    assert_eq!(storing.head().seq, 1, "what failed is not shown");
    drop((packing, storing));
    // What the failed store had written may be there; what came after it is not.
    let all = lines_of(&open(dir.path()).unwrap()).unwrap();
    assert!([1, 2].contains(&all.len()), "{all:?}");
}

#[test]
fn an_append_that_failed_is_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path()).unwrap();
    log.append(&[line(1)]).unwrap();
    let blob = break_store(dir.path());
    assert!(matches!(log.append(&[line(2)]), Err(Fault::Blob { .. })));
    std::fs::remove_file(blob).unwrap();
    assert!(matches!(log.append(&[line(3)]), Err(Fault::Stopped)));
    assert_eq!(log.head().seq, 1);
}

#[test]
fn a_pipeline_keeps_the_order_and_answers_each_batch_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Pipeline::start(open(dir.path()).unwrap()).unwrap();
    let (sender, heads) = channel();
    let mut next = 1;
    for n in 0..60_u64 {
        let batch: Vec<_> = (next..next + 1 + n % 9).map(line).collect();
        next += batch.len() as u64;
        if n % 5 == 4 {
            sender.send(log.append(&batch).unwrap().seq).unwrap();
        } else {
            let sender = sender.clone();
            let done = Box::new(move |stored: Result<Head, Fault>| sender.send(stored.unwrap().seq).unwrap());
            log.append_ahead(&batch, done).unwrap();
        }
    }
    drop((log, sender));
    let heads: Vec<u64> = heads.iter().collect();
    assert_eq!(heads.len(), 60);
    assert!(heads.is_sorted_by(|a, b| a < b) && heads.last() == Some(&(next - 1)), "{heads:?}");
    let all = lines_of(&open(dir.path()).unwrap()).unwrap();
    assert!((1..next).map(|n| (n, line(n))).eq(all));
}

#[test]
fn a_pipeline_that_failed_acknowledges_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Pipeline::start(open(dir.path()).unwrap()).unwrap();
    let (sender, answers) = channel();
    let mut refused = 0;
    for n in 1..=6 {
        if n == 3 {
            log.wait();
            break_store(dir.path());
        }
        let sender = sender.clone();
        let done = Box::new(move |stored: Result<Head, Fault>| sender.send((n, stored.is_ok())).unwrap());
        refused += usize::from(log.append_ahead(&[line(n)], done).is_err());
    }
    assert!(matches!(log.append(&[line(7)]), Err(Fault::Stopped)));
    drop((log, sender));
    let answers: Vec<(u64, bool)> = answers.iter().collect();
    assert_eq!(answers.len() + refused, 6, "each batch is answered or refused");
    assert!(answers.iter().all(|(n, stored)| *stored == (*n < 3)), "{answers:?}");
    std::fs::remove_dir_all(dir.path().join("sled/blobs")).unwrap();
    let all = lines_of(&open(dir.path()).unwrap()).unwrap();
    assert!([2, 3].contains(&all.len()), "{all:?}");
}

/// What makes a sync cheap: there are zeros between what is written and the file's end.
#[test]
fn the_stores_file_is_kept_longer_than_what_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path()).unwrap();
    let mut longer = 0;
    for n in 1..=200_u64 {
        log.append(&(0..50).map(|m| line(n * m)).collect::<Vec<_>>()).unwrap();
        let length = std::fs::metadata(dir.path().join("sled/db")).unwrap().len() as usize;
        longer += usize::from(length > used(dir.path()));
    }
    assert!(longer >= 195, "the file ended with its last byte after {} of 200 appends", 200 - longer);
}
