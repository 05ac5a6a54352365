//! Erasures and the law's own period, on ledgers of real money, without a server.

use super::{JOAN, erase, erased, events, kinds, unheld};
use crate::sample::{details, pledged};
use crate::server::{program, said};
use groundswell::domain::donation::{self, Pledged, Settled};
use groundswell::domain::id::{DonationId, ErasureId, PaymentId, RallyId};
use groundswell::domain::ledger::{self, Mode};
use groundswell::domain::money::{Currency, Money};
use groundswell::domain::privacy::{self, Erase};
use groundswell::domain::rally::{self, Announced, Details};
use groundswell::domain::seals::{CONTACT, SHOWN};
use groundswell::domain::{Command, Event, Recorded, codec};
use groundswell::engine::{Engine, Failure};
use groundswell::log::Log;
use groundswell::log::sled::SledLog;
use groundswell::vault::Vault;
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

/// A ledger of real money in which Joan gave at `at`.
pub fn live_ledger(data: &Path, at: &str) {
    let vault = Vault::open(&data.join("vault")).unwrap();
    let joan = vault.person_id(JOAN);
    let rally = RallyId(Uuid::from_u128(1));
    let gift = DonationId(Uuid::from_u128(2));
    let amount = Money::new(2_500, Currency::USD);
    let contact = vault.seal(joan, CONTACT, b"{}").unwrap();
    let shown = vault.seal(joan, SHOWN, b"{}").unwrap();
    vault.commit().unwrap();
    let details = Details { starts_at: at.parse().unwrap(), ..details("call") };
    let pledged = Pledged { contact, shown, ..pledged(gift, rally, joan, amount) };
    let payment = PaymentId("pi_1".into());
    let settled = Settled { donation: gift, rally, donor: joan, payment, amount, fee: None, card: None };
    let events = [
        Event::Ledger(ledger::Event::Opened(ledger::Opened { mode: Mode::Live })),
        Event::Rally(rally::Event::Created(Announced { rally, details })),
        Event::Donation(donation::Event::Pledged(pledged)),
        Event::Donation(donation::Event::Settled(settled)),
    ];
    let at = at.parse().unwrap();
    let lines = (1..)
        .zip(events)
        .map(|(seq, event)| codec::encode(&Recorded { seq, at, event }, &format!("k{seq}"), "server").unwrap());
    let lines: Vec<_> = lines.collect();
    SledLog::open(&data.join("log")).unwrap().append(&lines).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sealed_before_an_erasure_is_not_recorded_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    live_ledger(&data, "2021-03-01T12:00:00Z");
    let busy = |_: &u32| std::thread::sleep(Duration::from_millis(10));
    let (engine, mut writer) = (0..500_u32).inspect(busy).find_map(|_| Engine::open(&data).ok()).unwrap();
    let joan = engine.vault().person_id(JOAN);
    let sealed = |context| engine.vault().seal(joan, context, b"{}").unwrap();
    let form = |number| {
        let (donation, rally) = (DonationId(Uuid::from_u128(number)), RallyId(Uuid::from_u128(1)));
        let amount = Money::new(2_500, Currency::USD);
        Pledged { contact: sealed(CONTACT), shown: sealed(SHOWN), ..pledged(donation, rally, joan, amount) }
    };
    let submit = |number, form: Pledged| {
        let command = Command::Donation(donation::Command::Pledge(form));
        engine.submit(command, format!("pledge:{number}"), "donor").unwrap()
    };
    // On their way while the erasure is: one right behind it, one that comes after it was done.
    let (near, late) = (form(11), form(12));
    let erase = Erase {
        erasure: ErasureId(Uuid::now_v7()),
        person: joan,
        reason: "asked by letter 17".into(),
        notices: vec![],
        now: chrono::Utc::now(),
        retention_years: 3,
    };
    let erase = Command::Privacy(privacy::Command::Erase(erase));
    let erased = engine.submit(erase, "erase".into(), "shell").unwrap();
    let near = submit(11, near);
    assert_eq!(erased.await.unwrap().count, 1);
    assert!(matches!(near.await, Err(Failure::Erased)));
    assert!(matches!(submit(12, late).await, Err(Failure::Erased)));
    // Sent again, it is sealed with a new key.
    assert_eq!(submit(12, form(12)).await.unwrap().count, 1);
    drop(engine);
    writer.ended().await.unwrap();
}

#[test]
fn a_reportable_gift_is_kept_for_its_legal_period() {
    let folder = tempfile::tempdir().unwrap();
    let (young, old) = (folder.path().join("young"), folder.path().join("old"));
    live_ledger(&young, "2026-03-01T12:00:00Z");
    let refused = erase(&young, JOAN);
    let text = said(&refused);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("2026-03-01") && text.contains("2030-12-31"), "{text}");
    assert_eq!(kinds(&events(&young)).last().unwrap(), "donation.settled");
    live_ledger(&old, "2021-03-01T12:00:00Z");
    let longer = || {
        let mut command = program(&["erase", JOAN, "--reason", "letter 17", "--yes"], &old);
        command.env("GROUNDSWELL_RETENTION_YEARS", "50").output().unwrap()
    };
    let longer = unheld(longer);
    assert!(longer.status.code() == Some(1) && said(&longer).contains("2072-12-31"), "{}", said(&longer));
    erased(&old, JOAN);
    assert_eq!(kinds(&events(&old)).last().unwrap(), "privacy.erased");
}
