//! Heads that were published, held against logs that somebody changed; the check in the background; a second reader.

use crate::log::{frame, line, log_of, open, tamper};
use crate::proof::version_1_log;
use crate::server::{House, Server, give, pledge, run, said};
use groundswell::log::archive::Archive;
use groundswell::log::published::{Absence, Published};
use groundswell::log::scrub::{Scrub, Verified};
use groundswell::log::{Fault, Head};
use std::path::Path;
use std::process::Command;

fn against(dir: &Path, published: &[Published]) -> Result<Head, Fault> {
    open(dir).reader().verify_against(published, |_| ())
}

fn only_hash(head: Head) -> Published {
    Published { seq: None, hash: head.hash }
}

/// What somebody with all the means leaves: a log that is sound in itself, with the frames after `keep` written anew.
fn rewritten(events: &[Vec<u8>]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    for pair in events.chunks(2) {
        frame(&mut log, pair);
    }
    dir
}

#[test]
fn a_published_head_is_found_in_the_log_it_is_of() {
    let dir = tempfile::tempdir().unwrap();
    let old = version_1_log(dir.path(), 3);
    let mut log = open(dir.path());
    let mut heads = vec![Head::EMPTY, old];
    heads.extend((0..20).map(|n| frame(&mut log, &[line(n), line(n), line(n)])));
    drop(log);
    let published: Vec<_> = heads.iter().flat_map(|head| [only_hash(*head), Published::from(*head)]).collect();
    assert_eq!(against(dir.path(), &published).unwrap(), heads[21]);
}

#[test]
fn an_edit_a_drop_a_swap_and_a_cut_fail_against_a_published_head() {
    let events: Vec<_> = (0..40).map(line).collect();
    let whole = rewritten(&events);
    let reader = open(whole.path()).reader();
    let (then, last) = (reader.head_at(30).unwrap().unwrap(), reader.head());
    drop(reader);
    assert_eq!(against(whole.path(), &[then.into(), last.into()]).unwrap(), last);

    let mut edited = events.clone();
    edited[10] = line(999);
    let mut dropped = events.clone();
    dropped.remove(10);
    let mut swapped = events.clone();
    swapped.swap(10, 20);
    for changed in [edited, dropped, swapped] {
        let dir = rewritten(&changed);
        against(dir.path(), &[]).expect("it is sound in itself");
        let fault = against(dir.path(), &[then.into()]).unwrap_err();
        let said = fault.to_string();
        assert!(matches!(fault, Fault::NotPublished { absence: Absence::Rewritten { seq: 30 }, .. }), "{said}");
        assert!(
            said.contains(&then.to_string()) && said.contains("edited, dropped or moved") && said.contains("backup"),
            "{said}"
        );
        let fault = against(dir.path(), &[only_hash(then)]).unwrap_err();
        assert!(matches!(fault, Fault::NotPublished { absence: Absence::Unknown, .. }), "{fault}");
    }

    // The end is gone, and with it everything else that knows of it.
    tamper(whole.path(), |tree| (31..40).step_by(2).for_each(|seq: u64| drop(tree.remove(seq.to_be_bytes()).unwrap())));
    for note in ["head", "acknowledged"] {
        std::fs::remove_file(whole.path().join(note)).unwrap();
    }
    std::fs::remove_file(whole.path().join("journal")).unwrap();
    assert_eq!(against(whole.path(), &[then.into()]).unwrap(), then);
    let fault = against(whole.path(), &[then.into(), last.into()]).unwrap_err();
    assert!(matches!(fault, Fault::NotPublished { absence: Absence::Cut { end: 30 }, .. }), "{fault}");
    assert!(fault.to_string().contains("cut off"), "{fault}");
}

#[tokio::test]
async fn the_command_checks_published_heads_with_and_without_a_server() {
    let house = House::new().await;
    give(&house.server, "25", "joan@example.org").await;
    let hash = |args: &[&str], data: &Path| {
        let output = run(args, data);
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned()
    };
    let data = house.data();
    let first = hash(&["verify"], &data);
    give(&house.server, "26", "joan@example.org").await;
    let second = hash(&["verify", "--head", &first], &data);
    let foreign = "ab".repeat(32);
    let wrong = |data: &Path| {
        let output = run(&["verify", "--head", &first, "--head", &format!("3:{foreign}")], data);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains(&foreign) && said(&output).contains("backup"), "{}", said(&output));
        assert_eq!(run(&["verify", "--head", "nonsense"], data).status.code(), Some(2));
    };
    wrong(&data);
    house.server.stop();
    assert_eq!(hash(&["verify", "--head", &first, "--head", &second], &data).len(), 64);
    wrong(&data);
}

/// Writes another title of the same length into the first frame that has the rally's, so that checksum, hashes and lengths
/// are right. The new one packs better, and what is left over is filled with what zstd skips.
fn edit_a_title(data: &Path) {
    const TITLE: &[u8] = b"Answer the call";
    tamper(&data.join("log"), |tree| {
        for found in tree.iter() {
            let (key, frame) = found.unwrap();
            let raw = u32::from_le_bytes(frame[20..24].try_into().unwrap()) as usize;
            let mut text = zstd::bulk::decompress(&frame[176..], raw).unwrap();
            let places: Vec<_> = (0..text.len()).filter(|at| text[*at..].starts_with(TITLE)).collect();
            if places.is_empty() {
                continue;
            }
            places.iter().for_each(|at| text[*at..at + TITLE.len()].fill(b'a'));
            let room = frame.len() - 176;
            let bodies = (1..20).map(|level| zstd::bulk::compress(&text, level).unwrap());
            let mut body = bodies.into_iter().min_by_key(Vec::len).unwrap();
            let left = room.checked_sub(body.len() + 8).expect("the new title packs better");
            body.extend([0x184D_2A50_u32.to_le_bytes(), u32::try_from(left).unwrap().to_le_bytes()].concat());
            body.resize(room, 0);
            let crc = crc32c::crc32c_append(crc32c::crc32c(&frame[..172]), &body);
            tree.insert(key, [&frame[..172], &crc.to_le_bytes(), &body].concat()).unwrap();
            return;
        }
        panic!("no frame has the title");
    });
}

#[tokio::test]
async fn a_server_checks_everything_in_the_background_and_stops_at_an_edit() {
    let house = House::new().await;
    let data = house.data();
    // More frames than a start checks thoroughly; to verify a log makes a frame of what is new.
    for n in 0..70 {
        pledge(&house.server, "25", &format!("joan{n}@example.org")).await;
        assert!(run(&["verify"], &data).status.success());
    }
    let house = house.again(Server::stop);
    crate::server::until("the check of everything told nothing", || async {
        house.server.printed().contains("every frame of the log is whole and in its place")
    })
    .await;
    let house = house.again(|server| {
        server.stop();
        edit_a_title(&data);
    });
    let (status, printed) = house.server.ended();
    assert_eq!(status.code(), Some(1), "{printed}");
    assert!(printed.contains("the log is not what was written") && printed.contains("they were edited"), "{printed}");
    assert!(printed.contains("from a backup"), "{printed}");
}

#[tokio::test]
async fn the_background_check_tells_how_far_it_is_and_ends_when_dropped() {
    let (dir, head) = log_of(200);
    let log = open(dir.path());
    let scrub = Scrub::start(log.reader()).unwrap();
    let mut verified = scrub.verified();
    let state = verified.wait_for(|state| !matches!(state, Verified::Running { .. })).await.unwrap().clone();
    assert_eq!(state, Verified::Whole(head));
    drop(scrub);
    drop(log);
    tamper(dir.path(), |tree| drop(tree.remove(5_u64.to_be_bytes()).unwrap()));
    let log = open(dir.path());
    let mut scrub = Scrub::start(log.reader()).unwrap();
    assert!(matches!(scrub.found().await, Fault::Broken { first_seq: 7, .. }));
    assert!(matches!(&*scrub.verified().borrow(), Verified::Wrong(words) if words.contains("event 7")));
    // Its thread is gone with it, and the folder free.
    drop((Scrub::start(log.reader()).unwrap(), scrub, log));
    open(dir.path());
}

/// A reader written in another language from the format document alone: archive, chain, skip links, trees, and a proof.
#[test]
fn a_second_reader_in_python_agrees() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python3");
    assert!(python.exists(), "{} is missing: run the tests with `make test`, which installs it", python.display());
    let dir = tempfile::tempdir().unwrap();
    version_1_log(dir.path(), 9);
    let mut log = open(dir.path());
    for n in 0..150 {
        frame(&mut log, &(0..=n % 13).map(|place| line(100 * n + place)).collect::<Vec<_>>());
    }
    let archive = Archive::follow(log.reader()).unwrap();
    archive.catch_up().unwrap();
    let proof = dir.path().join("proof.json");
    std::fs::write(&proof, log.reader().prove_at(100, 700).unwrap().to_json()).unwrap();
    let read = |proof: &Path| {
        let mut command = Command::new(&python);
        command.arg(root.join("tests/support/second_reader.py")).arg(dir.path().join("archive")).arg(proof);
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr))
    };
    let (well, printed) = read(&proof);
    let text = String::from_utf8(log.reader().line(100).unwrap().unwrap()).unwrap();
    let head = log.reader().verify(|_| ()).unwrap();
    assert!(well, "{printed}");
    assert_eq!(printed, format!("head {} {head}\nproven 100 {text}\n", head.seq));

    let golden = root.join("fixtures/log");
    for name in ["frame-v1", "frame-v2"] {
        let output = Command::new(&python)
            .arg(root.join("tests/support/second_reader.py"))
            .args(["--frame", golden.join(format!("{name}.bin")).to_str().unwrap()])
            .output()
            .unwrap();
        let hash = std::fs::read_to_string(golden.join(format!("{name}.hash"))).unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("head 44 {hash}"), "{name}");
    }
    let changed = std::fs::read_to_string(&proof).unwrap().replacen("\"seq\":100", "\"seq\":101", 1);
    std::fs::write(&proof, changed).unwrap();
    assert!(!read(&proof).0);
}
