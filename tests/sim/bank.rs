//! A processor with a will of its own. It keeps the true money: who was charged and what went back, by idempotency key. What
//! it tells, when and how often is another matter: answers get lost before and after the effect, calls are refused at the
//! door, webhooks come twice, late, out of order or never.
//!
//! It speaks no HTTP and not as Stripe does, unlike the stand-ins of `tests/it` and `tests/long`: sockets have a time of their
//! own, which no seed brings back, and what is simulated here is the ledger's side of any processor.

mod charges;
mod post;
mod refunds;

use crate::chance::Chance;
use crate::trace::{Time, Trace};
use async_trait::async_trait;
use groundswell::domain::id::{DonationId, RefundId};
use groundswell::domain::money::{Currency, Money};
use groundswell::payments::card_form::CardForm;
use groundswell::payments::{
    Charge, Fault, Mode, Notice, Outcome, Processor, Refund, RefundOutcome, Webhook, WebhookRefusal,
};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

/// How long the client waits for an answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    NeedsAction,
    Processing,
    Settled,
    Declined,
}

#[derive(Clone, Debug)]
pub struct Payment {
    pub donation: DonationId,
    pub amount: Money,
    pub state: State,
    pub fee: Money,
    fee_known_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    Pending,
    Settled,
    Failed,
    /// It was done, and failed days later.
    Reversed,
}

impl Back {
    /// Whether the money went back, for a while at least.
    pub fn was_done(self) -> bool {
        matches!(self, Back::Settled | Back::Reversed)
    }
}

#[derive(Clone, Debug)]
pub struct GivenBack {
    pub payment: String,
    pub donation: DonationId,
    pub refund: Option<RefundId>,
    pub amount: Money,
    pub state: Back,
}

/// A webhook on its way.
#[derive(Clone, Debug)]
pub struct Letter {
    pub id: String,
    pub body: String,
    pub wait: Duration,
    /// Sent until it is acknowledged; nothing else could tell the server.
    pub must_arrive: bool,
}

/// What was asked under a key, and what was answered first.
#[derive(Clone)]
struct Kept<T> {
    request: String,
    id: String,
    answer: T,
}

#[derive(Default)]
pub struct Books {
    pub payments: BTreeMap<String, Payment>,
    pub refunds: BTreeMap<String, GivenBack>,
    charges: BTreeMap<String, Kept<Result<Outcome, Fault>>>,
    refund_keys: BTreeMap<String, Kept<RefundOutcome>>,
    letters: u64,
}

#[derive(Clone)]
pub struct Bank {
    books: Arc<Mutex<Books>>,
    chance: Arc<Mutex<Chance>>,
    outbox: UnboundedSender<Letter>,
    trace: Trace,
    time: Time,
    /// In percent: calls that go wrong on the way.
    faults: Arc<Mutex<u64>>,
    /// Whether a repeated key hears the first answer again, or how it stands now: there are processors of both kinds.
    repeats_itself: bool,
    /// Charges it takes a second; some say nothing of it.
    rate: Option<NonZeroU32>,
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

fn rejected(code: &str) -> Fault {
    Fault::Rejected { code: code.into(), message: "see the code".into() }
}

/// What happens to one call.
enum Way {
    Through,
    LostBefore,
    LostAfter,
    Refused(Fault),
}

impl Bank {
    pub fn new(seed: u64, outbox: UnboundedSender<Letter>, trace: Trace, time: Time) -> Self {
        let mut chance = Chance::of(seed, "bank");
        let faults = *chance.pick(&[0, 5, 20, 50]);
        let repeats_itself = chance.percent(50);
        let rate = NonZeroU32::new(*chance.pick(&[0, 1, 20]));
        Self {
            books: Arc::default(),
            chance: Arc::new(Mutex::new(chance)),
            outbox,
            trace,
            time,
            faults: Arc::new(Mutex::new(faults)),
            repeats_itself,
            rate,
        }
    }

    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    fn draw<T>(&self, what: impl FnOnce(&mut Chance) -> T) -> T {
        what(&mut self.chance.lock().unwrap())
    }

    /// From now on every call goes through.
    pub fn behave(&self) {
        *self.faults.lock().unwrap() = 0;
    }

    /// One call: time passes, and perhaps it does not get there.
    async fn call<T>(&self, what: &str, effect: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        let faults = *self.faults.lock().unwrap();
        let (way, before, after) = self.draw(|chance| {
            let way = if !chance.percent(faults) {
                Way::Through
            } else {
                match chance.below(8) {
                    0 | 1 => Way::LostBefore,
                    2..=4 => Way::LostAfter,
                    5 | 6 => {
                        let seconds = chance.percent(50).then(|| chance.seconds(0..90));
                        Way::Refused(Fault::Throttled { retry_after: seconds })
                    }
                    _ => Way::Refused(Fault::Barred { code: "key_refused".into(), message: "see the code".into() }),
                }
            };
            let slow = chance.percent(10);
            let longest = if slow { 20_000 } else { 900 };
            (way, chance.millis(10..longest), chance.millis(10..longest))
        });
        tokio::time::sleep(before).await;
        let unknown = || Err(Fault::Unknown { cause: "no answer in time".into() });
        let answer = match way {
            Way::Through => effect(),
            Way::LostBefore => unknown(),
            Way::LostAfter => {
                let _ = effect();
                unknown()
            }
            Way::Refused(fault) => Err(fault),
        };
        if answer.is_err() {
            self.trace.count(|count| count.processor_faults += 1);
        }
        match &answer {
            Err(fault @ Fault::Unknown { .. }) => {
                self.trace.line(format!("bank: {what}: {fault}"));
                tokio::time::sleep(CALL_TIMEOUT.saturating_sub(before)).await;
            }
            Err(fault) => self.trace.line(format!("bank: {what}: {fault}")),
            Ok(_) => tokio::time::sleep(after).await,
        }
        answer
    }
}

#[async_trait]
impl Processor for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn mode(&self) -> Mode {
        Mode::Test
    }

    fn calls_per_second(&self) -> Option<NonZeroU32> {
        self.rate
    }

    fn card_form(&self) -> CardForm {
        CardForm::Choices(&[])
    }

    async fn charge(&self, charge: &Charge) -> Result<Outcome, Fault> {
        self.call(&format!("charge {}", charge.key), || self.take(charge)).await
    }

    async fn look_up(&self, payment: &str) -> Result<Outcome, Fault> {
        self.call(&format!("look up {payment}"), || self.outcome(payment)).await
    }

    async fn cancel(&self, payment: &str) -> Result<Outcome, Fault> {
        let cancel = || {
            self.becomes(payment, State::NeedsAction, State::Declined);
            self.outcome(payment)
        };
        self.call(&format!("cancel {payment}"), cancel).await
    }

    async fn refund(&self, refund: &Refund) -> Result<RefundOutcome, Fault> {
        self.call(&format!("refund {}", refund.key), || self.refund_now(refund)).await
    }

    fn verify_webhook(&self, body: &[u8], given: &str, now: i64) -> Result<Webhook, WebhookRefusal> {
        post::verify(body, given, now)
    }

    fn interpret(&self, body: &[u8]) -> Result<Vec<Notice>, Fault> {
        post::interpret(body)
    }
}

impl Books {
    /// The keys of every charge that took effect.
    pub fn charge_keys(&self) -> impl Iterator<Item = &String> {
        self.charges.keys()
    }

    pub fn refund_keys(&self) -> impl Iterator<Item = &String> {
        self.refund_keys.keys()
    }

    /// Payments of a donation in a state.
    pub fn of(&self, donation: DonationId, state: State) -> usize {
        self.payments.values().filter(|payment| payment.donation == donation && payment.state == state).count()
    }
}
