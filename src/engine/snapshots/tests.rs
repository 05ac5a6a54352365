//! A start with a snapshot is a start without one, whatever became of the file.

use super::*;
use crate::domain::donation::{ATTESTATIONS, Command as Donation, Pledged, Traces};
use crate::domain::id::DonationId;
use crate::domain::id::MailId;
use crate::domain::ledger::{Command as Ledger, Mode};
use crate::domain::mail::Command as Mail;
use crate::domain::rally::Command as Rally;
use crate::domain::test_kit::{OTHER_PERSON, PERSON, RALLY, details, payment, processor_refund, sealed, usd};
use crate::domain::{Command, attendance};
use crate::engine::Engine;
use crate::log::sled::SledLog;
use std::path::Path;
use uuid::Uuid;

const SEAL: Seal = [9; 32];

/// Writes an evening of `gifts` gifts, beginning with number `from`.
fn write(data: &Path, from: u128, gifts: u128) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (engine, mut writer) = Engine::open(data).unwrap();
    runtime.block_on(async {
        let take = async |key: String, command: Command| engine.execute(command, key, "test").await.unwrap();
        if from == 0 {
            take("start".into(), Command::Ledger(Ledger::Start { mode: Mode::Test })).await;
            take("mail".into(), Command::Mail(Mail::Switch { on: true })).await;
            take("rally".into(), Command::Rally(Rally::Create { rally: RALLY, details: details() })).await;
        }
        for n in from..from + gifts {
            let donation = DonationId(Uuid::from_u128(0xd000 + n));
            let donor = if n % 2 == 0 { PERSON } else { OTHER_PERSON };
            let join = attendance::Command::Join {
                rally: RALLY,
                person: donor,
                profile: sealed(1),
                came: None,
                agrees_to: None,
            };
            take(format!("join:{n}"), Command::Attendance(join)).await;
            let pledged = Pledged {
                donation,
                rally: RALLY,
                donor,
                amount: usd(5_000),
                contact: sealed(2),
                shown: sealed(3),
                attestations: ATTESTATIONS.iter().map(|(id, _)| (*id).to_owned()).collect(),
                refcode: Some("text-tuesday".into()),
                likeness: None,
                covers_fee: None,
                came: None,
                on_program: None,
                traces: Traces::default(),
            };
            take(format!("pledge:{n}"), Command::Donation(Donation::Pledge(pledged))).await;
            let method = "card".into();
            take(format!("pay:{n}"), Command::Donation(Donation::RequestPayment { donation, method })).await;
            let paid = payment(&format!("pi_{n}"));
            let mail = MailId::receipt(donation, &paid);
            if n % 5 == 4 {
                // A refund that comes before its payment waits in the state.
                let (refund, processor_refund) = (None, processor_refund(&format!("re_{n}")));
                let back =
                    Donation::RecordRefunded { payment: paid.clone(), processor_refund, refund, amount: usd(100) };
                take(format!("back:{n}"), Command::Donation(back)).await;
            }
            if n % 7 != 6 {
                let fee = (n % 3 == 0).then(|| usd(175));
                let settled = Donation::RecordSettled { donation, payment: paid, amount: usd(5_000), fee, card: None };
                take(format!("settled:{n}"), Command::Donation(settled)).await;
                // Some receipts wait, some went, some never arrive.
                match n % 3 {
                    0 => {}
                    1 => drop(take(format!("sent:{n}"), Command::Mail(Mail::RecordSent { mail })).await),
                    _ => {
                        let reason = "the mailbox is full".into();
                        take(format!("failed:{n}"), Command::Mail(Mail::RecordFailed { mail, reason })).await;
                    }
                }
            }
        }
    });
    drop(engine);
    runtime.block_on(writer.ended()).unwrap();
}

fn cache(data: &Path) -> Cache {
    // The last writer's file handles may live a moment longer in a child that another test is starting.
    let log = loop {
        match SledLog::open(&data.join("log")) {
            Ok(log) => break log,
            Err(crate::log::Fault::Held { .. }) => std::thread::sleep(Duration::from_millis(5)),
            Err(fault) => panic!("{fault}"),
        }
    };
    Cache { dir: data.join("snapshots"), seal: SEAL, reader: log.reader() }
}

fn make(cache: &Cache) -> u64 {
    let (_stop, stopped) = channel();
    cache.make(&stopped).unwrap().unwrap()
}

/// Everything from the first event on, as no snapshot can change it.
fn truth(cache: &Cache) -> Standing {
    replay::go_on(&cache.reader, Standing::default(), cache.reader.head(), |_| ControlFlow::Continue(())).unwrap()
}

#[track_caller]
fn is_true(cache: &Cache, begun_at: u64) {
    let (standing, from) = cache.standing(snapshot::newest(&cache.dir, &SEAL)).unwrap();
    let truth = truth(cache);
    assert_eq!(from, begun_at);
    assert_eq!(standing.projections.differences(&truth.projections), Vec::<&str>::new());
    assert_eq!((standing.head, standing.last_at), (truth.head, truth.last_at));
    for key in ["start", "rally", "pledge:0", "settled:3", "back:4", "pledge:43", "nobody"] {
        let key = super::super::keys::short(key);
        assert_eq!(standing.keys.get(&key), truth.keys.get(&key));
    }
}

#[test]
fn a_start_from_a_snapshot_is_a_start_from_the_first_event() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 0, 30);
    let first = make(&cache(folder.path()));
    is_true(&cache(folder.path()), first);
    write(folder.path(), 30, 14);
    is_true(&cache(folder.path()), first);
    let second = make(&cache(folder.path()));
    std::fs::write(folder.path().join("snapshots/00000000000000000007.unfinished"), "half of one").unwrap();
    write(folder.path(), 44, 3);
    let third = make(&cache(folder.path()));
    assert!(first < second && second < third);
    let kept = std::fs::read_dir(folder.path().join("snapshots")).unwrap().count();
    assert_eq!(kept, 2, "the two newest, and nothing that a kill left");
    is_true(&cache(folder.path()), third);
}

#[test]
fn a_snapshot_that_was_changed_anywhere_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 0, 12);
    let older = make(&cache(folder.path()));
    write(folder.path(), 12, 12);
    let cache = cache(folder.path());
    let newest = make(&cache);
    let path = cache.dir.join(format!("{newest:020}.snapshot"));
    let whole = std::fs::read(&path).unwrap();
    is_true(&cache, newest);
    for place in (0..whole.len()).step_by(7).chain(0..48) {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        assert!(snapshot::load(&path, &SEAL).is_err(), "byte {place} of {}", whole.len());
    }
    is_true(&cache, older);
    for length in [0, 1, 47, 1_023, 1_024, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(snapshot::load(&path, &SEAL).is_err(), "{length} bytes");
    }
    is_true(&cache, older);
    std::fs::remove_dir_all(&cache.dir).unwrap();
    is_true(&cache, 0);
}

#[test]
fn a_snapshot_of_another_log_or_another_server_is_not_used() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(ours.path(), 0, 12);
    write(theirs.path(), 0, 9);
    let seq = make(&cache(ours.path()));
    std::fs::create_dir_all(theirs.path().join("snapshots")).unwrap();
    let name = format!("snapshots/{seq:020}.snapshot");
    std::fs::copy(ours.path().join(&name), theirs.path().join(&name)).unwrap();
    is_true(&cache(theirs.path()), 0);
    let load = |seal| snapshot::load(&ours.path().join(&name), seal).map(|_| ());
    assert!(matches!(load(&[8; 32]), Err(snapshot::Fault::Damaged { .. })));
    assert!(load(&SEAL).is_ok());
}
