//! Proofs of single events, over real logs: against any later head, across restarts, and from a log that began in version 1.

use crate::log::{frame, line, open, read_all, tamper};
use groundswell::log::proof::{Flaw, Proof};
use groundswell::log::published::Published;
use groundswell::log::sled::SledLog;
use groundswell::log::{Fault, Head, Log};
use proptest::prelude::*;
use std::path::Path;
use std::sync::OnceLock;

/// A frame of version 1, put together from the format document.
pub fn version_1(before: &Head, lines: &[Vec<u8>]) -> (Vec<u8>, Head) {
    let raw: Vec<u8> = lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
    let body = zstd::bulk::compress(&raw, 1).unwrap();
    let mut front = [b"GSWF", &1_u16.to_le_bytes()[..], &[0; 2], &(before.seq + 1).to_le_bytes()].concat();
    for field in [lines.len(), raw.len(), body.len()] {
        front.extend((field as u32).to_le_bytes());
    }
    let hash = *blake3::Hasher::new().update(&front).update(&before.hash).update(&body).finalize().as_bytes();
    let rest = [&before.hash[..], &hash, &body].concat();
    let crc = crc32c::crc32c_append(crc32c::crc32c(&front), &rest);
    let head = Head { seq: before.seq + lines.len() as u64, hash };
    ([&front[..], &crc.to_le_bytes(), &rest].concat(), head)
}

/// Makes a log as the first version of the program left it: `frames` frames of two events.
pub fn version_1_log(dir: &Path, frames: u64) -> Head {
    drop(open(dir));
    let mut head = Head::EMPTY;
    tamper(dir, |tree| {
        for n in 0..frames {
            let (bytes, next) = version_1(&head, &[line(2 * n), line(2 * n + 1)]);
            tree.insert((head.seq + 1).to_be_bytes(), bytes).unwrap();
            head = next;
        }
    });
    head
}

fn content(n: u64) -> Vec<u8> {
    format!(r#"{{"kind":"gift","v":1,"secret of":"person-{n}","n":{n}}}"#).into_bytes()
}

/// Frames of one to nine events, with a restart now and then.
fn grow(dir: &Path, frames: u64) -> SledLog {
    let mut log = open(dir);
    for n in 0..frames {
        if n % 37 == 36 {
            drop(log);
            log = open(dir);
        }
        let first = log.newest() + 1;
        frame(&mut log, &(first..=first + n % 9).map(content).collect::<Vec<_>>());
    }
    log
}

#[test]
fn every_event_is_proven_against_every_later_head_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let log = grow(dir.path(), 130);
    let (reader, last) = (log.reader(), log.bind().unwrap());
    assert_eq!(reader.verify(|_| ()).unwrap(), last);
    let mut longest = 0;
    for seq in (1..=last.seq).step_by(3) {
        for at in (seq..=last.seq).step_by(29) {
            let head = reader.head_at(at).unwrap().unwrap();
            assert!(head.seq >= at);
            let proof = Proof::parse(reader.prove_at(seq, at).unwrap().to_json().as_bytes()).unwrap();
            assert_eq!(proof.head(), head);
            assert_eq!(proof.verify(&head.hash).unwrap(), (seq, content(seq).as_slice()));
            longest = longest.max(proof.to_json().len());
            if head != last {
                assert_eq!(proof.verify(&last.hash), Err(Flaw::OtherHead(head)));
            }
        }
    }
    assert!(longest < 6_000, "{longest} bytes");
    assert_eq!(reader.prove(last.seq).unwrap().head(), last);
    assert_eq!(reader.line(17).unwrap(), Some(content(17)));
    assert_eq!((reader.line(0).unwrap(), reader.line(last.seq + 1).unwrap()), (None, None));
    assert_eq!(reader.head_at(last.seq + 1).unwrap(), None);
    for (seq, at) in [(0, 5), (5, last.seq + 1), (last.seq + 1, last.seq), (500, 100)] {
        let fault = reader.prove_at(seq, at).unwrap_err();
        assert!(matches!(fault, Fault::NoEvent { .. }), "{seq} at {at}: {fault}");
    }
}

#[test]
fn a_proof_shows_nobody_elses_line() {
    let dir = tempfile::tempdir().unwrap();
    let log = grow(dir.path(), 60);
    let json = log.reader().prove(100).unwrap().to_json();
    assert_eq!(json.matches("secret of").count(), 1);
    assert!(json.contains("person-100"));
}

#[test]
fn a_log_of_the_first_version_goes_on_and_only_its_new_events_have_proofs() {
    let dir = tempfile::tempdir().unwrap();
    let old = version_1_log(dir.path(), 70);
    let mut log = open(dir.path());
    assert_eq!(log.bind().unwrap(), old);
    log.append(&[content(141), content(142)]).unwrap();
    drop(log);
    let mut log = open(dir.path());
    let head = frame(&mut log, &[content(143)]);
    let reader = log.reader();
    assert_eq!(reader.verify(|_| ()).unwrap(), head);
    assert_eq!(read_all(&log, 1).len(), 143);
    assert_eq!(reader.line(3).unwrap(), Some(line(2)));
    assert_eq!(reader.head_at(140).unwrap(), Some(old));
    let proof = reader.prove(141).unwrap();
    assert_eq!(proof.verify(&head.hash).unwrap(), (141, content(141).as_slice()));
    for (seq, at) in [(3, head.seq), (3, 4)] {
        let fault = reader.prove_at(seq, at).unwrap_err();
        assert!(matches!(fault, Fault::NoProof { seq: 3 }), "{fault}");
    }
}

/// One log for the property below: making it anew for each case would only take time.
fn sample() -> &'static (Head, Vec<String>) {
    static SAMPLE: OnceLock<(Head, Vec<String>)> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let log = grow(dir.path(), 90);
        let proofs = [1, 33, 200, log.newest()].map(|seq| log.reader().prove(seq).unwrap().to_json());
        (log.bind().unwrap(), proofs.to_vec())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_proof_fails_or_says_the_same(
        which in 0..4_usize,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..4),
    ) {
        let (head, proofs) = sample();
        let whole = Proof::parse(proofs[which].as_bytes()).unwrap();
        let statement = whole.verify(&head.hash).unwrap();
        let mut bytes = proofs[which].clone().into_bytes();
        for (place, byte, kind) in edits {
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => drop(bytes.remove(at)),
                // What is most likely to be taken: one letter or digit for another.
                _ => bytes[at] = b'0' + byte % 10,
            }
        }
        if let Ok(changed) = Proof::parse(&bytes)
            && let Ok(said) = changed.verify(&head.hash)
        {
            prop_assert_eq!(said, statement);
            prop_assert_eq!(changed.head(), whole.head());
        }
    }

    #[test]
    fn no_bytes_make_reading_a_proof_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Proof::parse(&bytes).is_err());
    }
}

#[test]
fn what_is_no_proof_is_refused_in_words() {
    let (head, proofs) = sample();
    let parse = |text: &str| Proof::parse(text.as_bytes()).unwrap_err();
    assert!(matches!(parse(&" ".repeat(600_000)), Flaw::Long { bytes: 600_000 }));
    assert!(matches!(parse("{}"), Flaw::Form { .. }));
    let json = &proofs[0];
    let newer = json.replace("\"groundswell_proof\":1", "\"groundswell_proof\":2");
    assert_eq!(parse(&newer), Flaw::Version { found: 2 });
    let header = json.split('"').find(|word| word.len() == 188).unwrap();
    let many = vec![format!("\"{header}\""); 400].join(",");
    assert!(matches!(parse(&json.replacen(&format!("\"{header}\""), &many, 1)), Flaw::Form { .. }));
    let another = Proof::parse(proofs[1].as_bytes()).unwrap();
    let said = another.verify(&[9; 32]).unwrap_err().to_string();
    assert!(said.contains(&head.to_string()) && said.contains("look up"), "{said}");
    let moved = json.replacen("\"seq\":1,", "\"seq\":2,", 1);
    assert_eq!(Proof::parse(moved.as_bytes()).unwrap().verify(&head.hash), Err(Flaw::Line { seq: 2 }));
}

/// Receipts in people's hands stay good: this proof was made once, with `UPDATE_FIXTURES=1 cargo test --test it golden`.
#[test]
fn the_golden_proof_of_version_1_holds() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/log");
    let (path, head) = (golden.join("proof-v1.json"), golden.join("proof-v1.head"));
    if std::env::var_os("UPDATE_FIXTURES").is_some() && !path.exists() {
        let dir = tempfile::tempdir().unwrap();
        let proof = grow(dir.path(), 40).reader().prove_at(33, 150).unwrap();
        std::fs::write(&path, proof.to_json() + "\n").unwrap();
        std::fs::write(&head, format!("{}\n", Published::from(proof.head()))).unwrap();
    }
    let head: Published = std::fs::read_to_string(head).unwrap().trim().parse().unwrap();
    let proof = Proof::parse(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(proof.verify(&head.hash).unwrap(), (33, content(33).as_slice()));
    assert_eq!(Some(proof.head().seq), head.seq);
}
