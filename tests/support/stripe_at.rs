//! Stripe is wherever a test's stand-in for it is: what a server, or a cashier in the test's own process, is told of it.

use crate::sample::{details, pledged};
use chrono::{DateTime, Utc};
use groundswell::clock::Clock;
use groundswell::domain::id::{DonationId, PersonId, RallyId};
use groundswell::domain::money::{Currency, Money};
use groundswell::domain::{Command, donation, ledger, rally};
use groundswell::engine::Engine;
use groundswell::log::sled::SledLog;
use groundswell::payments::Mode;
use groundswell::payments::cashier::Cashier;
use groundswell::payments::stripe::{Secret, Settings, Stripe};
use groundswell::vault::Vault;
use std::path::Path;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// What signs its webhooks.
pub const WEBHOOK_SECRET: &str = "whsec_Secret";
/// The rally of [`ledger_at`].
pub const RALLY: RallyId = RallyId(Uuid::from_u128(1));
/// The pledge of [`ledger_at`].
pub const DONATION: DonationId = DonationId(Uuid::from_u128(5));

/// The settings of a server that pays by it.
pub fn env(base: &str) -> Vec<(&'static str, String)> {
    vec![
        ("GROUNDSWELL_PROCESSOR", "stripe".into()),
        ("GROUNDSWELL_STRIPE_SECRET_KEY", "sk_test_51Secret".into()),
        ("GROUNDSWELL_STRIPE_PUBLISHABLE_KEY", "pk_test_51Public".into()),
        ("GROUNDSWELL_STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET.into()),
        ("GROUNDSWELL_STRIPE_API_BASE", base.into()),
        ("GROUNDSWELL_STRIPE_SCRIPT_URL", format!("{base}/v3/")),
    ]
}

/// Settings as a server is started with them.
pub fn borrowed<'a>(env: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    env.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// The same for a cashier in the test's own process.
pub fn settings(base: &str) -> Settings {
    Settings {
        api_base: base.into(),
        script_url: format!("{base}/v3/"),
        ..Settings::new(Secret::new("sk_test_51Secret"), "pk_test_51Public".into(), Secret::new(WEBHOOK_SECRET))
    }
}

/// A ledger with one pledge of $25, and a cashier who asks the Stripe at `base`, by a clock that can be set.
pub async fn ledger_at(data: &Path, base: &str) -> (Engine, Cashier, Arc<Mutex<DateTime<Utc>>>) {
    let time = Arc::new(Mutex::new(groundswell::clock::now()));
    let told = time.clone();
    let (log, vault) = (SledLog::open(&data.join("log")).unwrap(), Vault::open(&data.join("vault")).unwrap());
    let clock = Clock::telling(move || *told.lock().unwrap());
    let (engine, mut pump) = Engine::assemble(log, Arc::new(vault), clock).unwrap();
    tokio::spawn(async move { while pump.step().await.unwrap() {} });
    let donor = PersonId(Uuid::from_u128(9));
    for (number, command) in [
        Command::Ledger(ledger::Command::Start { mode: Mode::Test }),
        Command::Rally(rally::Command::Create { rally: RALLY, details: details("call") }),
        Command::Donation(donation::Command::Pledge(pledged(DONATION, RALLY, donor, Money::new(2500, Currency::USD)))),
    ]
    .into_iter()
    .enumerate()
    {
        engine.execute(command, format!("begin:{number}"), "test").await.unwrap();
    }
    (engine.clone(), Cashier::new(engine, Arc::new(Stripe::new(settings(base)).unwrap())), time)
}
