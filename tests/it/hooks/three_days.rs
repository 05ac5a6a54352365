//! What is not taken for three days, by a clock that is set; and a message that alone is never taken.

use super::receiver::{Answers, Receiver};
use crate::sample::{details, pledged};
use crate::server::until;
use chrono::{DateTime, TimeDelta, Utc};
use groundswell::clock::Clock;
use groundswell::domain::donation::Command as Donation;
use groundswell::domain::hook::{Added, Command as Hooks, Hook, Kind, Shape};
use groundswell::domain::id::{DonationId, HookId, PaymentId, PersonId, RallyId};
use groundswell::domain::money::{Currency, Money};
use groundswell::domain::{Command, ledger, rally};
use groundswell::engine::Engine;
use groundswell::hooks::{Settings, Standings, follow};
use groundswell::log::sled::SledLog;
use groundswell::vault::Vault;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const RALLY: RallyId = RallyId(Uuid::from_u128(1));
const HOOK: HookId = HookId(Uuid::from_u128(2));

struct Office {
    _folder: tempfile::TempDir,
    engine: Engine,
    now: Arc<Mutex<DateTime<Utc>>>,
    stop: CancellationToken,
}

impl Office {
    async fn open(address: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = Arc::new(Mutex::new(DateTime::from_timestamp(1_900_000_000, 0).unwrap()));
        let (log, vault) = (SledLog::open(&folder.path().join("log")), Vault::open(&folder.path().join("vault")));
        let told = now.clone();
        let clock = Clock::telling(move || *told.lock().unwrap());
        let (engine, mut pump) = Engine::assemble(log.unwrap(), Arc::new(vault.unwrap()), clock).unwrap();
        tokio::spawn(async move { while pump.step().await.unwrap() {} });
        let stop = CancellationToken::new();
        let settings = Settings::new(true).unwrap().retrying_after(Duration::from_millis(20));
        tokio::spawn(follow(engine.clone(), settings, Standings::default(), stop.clone()));
        let office = Self { _folder: folder, engine, now, stop };
        office.ask(Command::Ledger(ledger::Command::Start { mode: ledger::Mode::Simulated })).await;
        office.ask(Command::Rally(rally::Command::Create { rally: RALLY, details: details("call") })).await;
        let added = Added {
            hook: HOOK,
            name: "CRM".into(),
            address,
            kinds: vec![Kind::Settled],
            shape: Shape::Groundswell,
            personal: false,
            credentials: None,
            after: 0,
        };
        office.ask(Command::Hook(Hooks::Add(added))).await;
        office
    }

    async fn ask(&self, command: Command) {
        self.engine.execute(command, Uuid::now_v7().to_string(), "staff:test").await.unwrap();
    }

    async fn give(&self, number: u128) {
        let (donation, amount) = (DonationId(Uuid::from_u128(number)), Money::new(5_000, Currency::USD));
        let gift = pledged(donation, RALLY, PersonId(Uuid::from_u128(9)), amount);
        self.ask(Command::Donation(Donation::Pledge(gift))).await;
        let payment = PaymentId(format!("pi_{number}"));
        let settled = Donation::RecordSettled { donation, payment, amount, fee: None, card: None };
        self.ask(Command::Donation(settled)).await;
    }

    fn pass(&self, time: TimeDelta) {
        *self.now.lock().unwrap() += time;
    }

    fn hook(&self) -> Hook {
        self.engine.world().state.hooks.get(HOOK).unwrap().clone()
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn what_is_not_taken_for_three_days_is_a_dead_letter_that_can_be_sent_again() {
    let refuses = Arc::new(AtomicUsize::new(1));
    let receiver = Receiver::open(Answers::While(refuses.clone())).await;
    let office = Office::open(receiver.address("/")).await;
    office.give(100).await;
    receiver.until(3).await;
    office.pass(TimeDelta::days(3));
    let tries = receiver.messages().len();
    receiver.until(tries + 2).await;
    assert!(office.hook().dead.is_empty(), "three days are not over");
    office.pass(TimeDelta::minutes(1));
    until("it is never given up", || async { !office.hook().dead.is_empty() }).await;
    let hook = office.hook();
    let (seq, dead) = hook.dead.first_key_value().unwrap();
    assert_eq!(dead.reason, "it answers 500");
    assert!(hook.waiting.is_empty() && hook.on);
    let tries = receiver.messages().len();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(receiver.messages().len(), tries, "it is tried no more");

    refuses.store(0, Ordering::SeqCst);
    office.ask(Command::Hook(Hooks::SendAgain { hook: HOOK, seq: *seq })).await;
    until("it is not sent again", || async { receiver.taken().len() == 1 }).await;
    assert!(office.hook().dead.is_empty());
    let replay = office.engine.replay().unwrap();
    assert!(replay.differences.is_empty(), "{replay:?}");
}

#[tokio::test]
async fn a_receiver_that_comes_back_is_told_all_of_it_and_each_once() {
    let refuses = Arc::new(AtomicUsize::new(1));
    let receiver = Receiver::open(Answers::While(refuses.clone())).await;
    let office = Office::open(receiver.address("/")).await;
    for number in 100..130 {
        office.give(number).await;
    }
    receiver.until(5).await;
    refuses.store(0, Ordering::SeqCst);
    until("not everything is told", || async { receiver.taken().len() >= 30 }).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut names: Vec<String> = receiver.taken().iter().map(|message| message.header("webhook-id")).collect();
    names.sort();
    let all = names.len();
    names.dedup();
    assert_eq!((all, names.len()), (30, 30));
}
