//! A processor with a will of its own. It keeps the true money: who was charged and what went back, by idempotency key. What
//! it tells, when and how often is another matter: answers get lost before and after the effect, calls are refused at the
//! door, webhooks come twice, late, out of order or never.

use crate::chance::Chance;
use crate::trace::{Time, Trace};
use async_trait::async_trait;
use groundswell::domain::id::{DonationId, RefundId};
use groundswell::domain::money::{Currency, Money};
use groundswell::payments::card_form::CardForm;
use groundswell::payments::{
    CardSummary, Charge, Fault, Mode, Notice, Outcome, Processor, Refund, RefundOutcome, Webhook, WebhookRefusal,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

/// How long the client waits for an answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How far a webhook's time may be from the receiver's, in seconds.
const TOLERANCE_S: i64 = 300;
const SECRET: &str = "signed by the bank";

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

    fn outcome(&self, id: &str) -> Result<Outcome, Fault> {
        let books = self.books();
        let payment = books.payments.get(id).ok_or_else(|| rejected("no_such_payment"))?;
        Ok(match payment.state {
            State::NeedsAction => Outcome::NeedsAction { payment: id.into(), client_secret: format!("secret of {id}") },
            State::Processing => Outcome::Processing { payment: id.into() },
            State::Settled => Outcome::Settled {
                payment: id.into(),
                amount: payment.amount,
                fee: (payment.fee_known_at <= Instant::now()).then_some(payment.fee),
                card: Some(CardSummary { brand: "visa".into(), last4: "4242".into(), fingerprint: None }),
            },
            State::Declined => Outcome::Declined {
                payment: Some(id.into()),
                code: "declined".into(),
                reason: "The bank said no.".into(),
                fingerprint: None,
            },
        })
    }

    /// What a charge does, whether anybody hears of it or not.
    fn take(&self, charge: &Charge) -> Result<Outcome, Fault> {
        let request = format!("{} {} {}", charge.donation, charge.amount.minor, charge.method);
        let kept = self.books().charges.get(&charge.key).cloned();
        if let Some(kept) = kept {
            if kept.request != request {
                self.trace
                    .wrong(format!("key {} was sent with two requests: {} and {request}", charge.key, kept.request));
                return Err(rejected("idempotency_error"));
            }
            return if self.repeats_itself || kept.id.is_empty() { kept.answer } else { self.outcome(&kept.id) };
        }
        if charge.method == "pm_refused" {
            let answer = Err(rejected("not_allowed"));
            let kept = Kept { request, id: String::new(), answer: answer.clone() };
            self.books().charges.insert(charge.key.clone(), kept);
            return answer;
        }
        let (state, fee_after) = self.draw(|chance| {
            let state = match charge.method.as_str() {
                "pm_declined" => State::Declined,
                "pm_action" => State::NeedsAction,
                "pm_slow" => State::Processing,
                _ => State::Settled,
            };
            (state, if chance.percent(50) { Duration::ZERO } else { chance.seconds(1..300) })
        });
        let id = {
            let mut books = self.books();
            let id = format!("pay_{}", books.payments.len() + 1);
            let fee = usd(charge.amount.minor * 29 / 1000 + 30);
            let fee_known_at = Instant::now() + fee_after;
            let payment = Payment { donation: charge.donation, amount: charge.amount, state, fee, fee_known_at };
            books.payments.insert(id.clone(), payment);
            id
        };
        self.trace.line(format!("bank: {id} for {} under {}: {state:?}", charge.donation, charge.key));
        self.trace.count(|count| count.payments += 1);
        let answer = self.outcome(&id);
        self.books().charges.insert(charge.key.clone(), Kept { request, id: id.clone(), answer: answer.clone() });
        self.tell_of(&id);
        if state == State::Processing {
            self.decide_later(&id);
        }
        answer
    }

    fn decide_later(&self, id: &str) {
        let (wait, settles) = self.draw(|chance| (chance.seconds(1..600), chance.percent(70)));
        let (bank, id) = (self.clone(), id.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            bank.becomes(&id, State::Processing, if settles { State::Settled } else { State::Declined });
        });
    }

    /// One state follows another, once, and the world hears of it in its own time.
    fn becomes(&self, id: &str, from: State, to: State) {
        {
            let mut books = self.books();
            let payment = books.payments.get_mut(id).unwrap();
            if payment.state != from {
                return;
            }
            payment.state = to;
        }
        self.trace.line(format!("bank: {id} is {to:?} now"));
        self.tell_of(id);
    }

    /// The donor answers the bank's question, in the bank's own window.
    pub fn donor_answers(&self, id: &str, yes: bool) {
        let slow = self.draw(|chance| chance.percent(25));
        match (yes, slow) {
            (false, _) => self.becomes(id, State::NeedsAction, State::Declined),
            (true, false) => self.becomes(id, State::NeedsAction, State::Settled),
            (true, true) => {
                let asked = self.books().payments[id].state == State::NeedsAction;
                self.becomes(id, State::NeedsAction, State::Processing);
                if asked {
                    self.decide_later(id);
                }
            }
        }
    }

    fn left(&self, payment: &str) -> i64 {
        let books = self.books();
        let Some(paid) = books.payments.get(payment).filter(|payment| payment.state == State::Settled) else {
            return 0;
        };
        let back = books
            .refunds
            .values()
            .filter(|back| back.payment == payment && matches!(back.state, Back::Pending | Back::Settled));
        paid.amount.minor - back.map(|back| back.amount.minor).sum::<i64>()
    }

    fn refund_outcome(&self, id: &str) -> RefundOutcome {
        let books = self.books();
        let back = &books.refunds[id];
        match back.state {
            Back::Pending => RefundOutcome::Pending { processor_refund: id.into() },
            Back::Settled => RefundOutcome::Settled { processor_refund: id.into(), amount: back.amount },
            Back::Failed | Back::Reversed => {
                RefundOutcome::Failed { processor_refund: Some(id.into()), code: "card_gone".into() }
            }
        }
    }

    fn give_back(&self, payment: &str, amount: Money, refund: Option<RefundId>, state: Back) -> String {
        let id = {
            let mut books = self.books();
            let id = format!("back_{}", books.refunds.len() + 1);
            let donation = books.payments[payment].donation;
            books.refunds.insert(id.clone(), GivenBack { payment: payment.into(), donation, refund, amount, state });
            id
        };
        self.trace.line(format!("bank: {id} of {payment}, {} back: {state:?}", amount.minor));
        self.trace.count(|count| count.refunds += 1);
        match state {
            Back::Pending => {
                let (wait, settles) = self.draw(|chance| (chance.seconds(1..600), chance.percent(70)));
                let (bank, later) = (self.clone(), id.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(wait).await;
                    let state = if settles { Back::Settled } else { Back::Failed };
                    bank.books().refunds.get_mut(&later).unwrap().state = state;
                    bank.trace.line(format!("bank: {later} is {state:?} now"));
                    bank.tell_of_refund(&later);
                    bank.reverse_later(&later);
                });
            }
            Back::Settled | Back::Failed | Back::Reversed => {
                self.tell_of_refund(&id);
                self.reverse_later(&id);
            }
        }
        id
    }

    /// Some refunds that were done fail after all: the donor's card is gone.
    fn reverse_later(&self, id: &str) {
        if self.books().refunds[id].state != Back::Settled {
            return;
        }
        let (fails, wait) = self.draw(|chance| (chance.percent(15), chance.seconds(1..900)));
        if !fails {
            return;
        }
        let (bank, id) = (self.clone(), id.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            bank.books().refunds.get_mut(&id).unwrap().state = Back::Reversed;
            bank.trace.line(format!("bank: {id} came back"));
            bank.tell_of_refund(&id);
        });
    }

    fn refund_now(&self, asked: &Refund) -> Result<RefundOutcome, Fault> {
        let request = format!("{} {} {}", asked.refund, asked.payment, asked.amount.minor);
        let kept = self.books().refund_keys.get(&asked.key).cloned();
        if let Some(kept) = kept {
            if kept.request != request {
                self.trace
                    .wrong(format!("key {} was sent with two requests: {} and {request}", asked.key, kept.request));
                return Err(rejected("idempotency_error"));
            }
            return Ok(if self.repeats_itself { kept.answer } else { self.refund_outcome(&kept.id) });
        }
        if asked.amount.minor > self.left(&asked.payment) {
            return Err(rejected("too_much"));
        }
        let state = self.draw(|chance| *chance.pick(&[Back::Settled, Back::Settled, Back::Pending, Back::Failed]));
        let id = self.give_back(&asked.payment, asked.amount, Some(asked.refund), state);
        let answer = self.refund_outcome(&id);
        self.books().refund_keys.insert(asked.key.clone(), Kept { request, id, answer: answer.clone() });
        Ok(answer)
    }

    /// Somebody gives money back on the bank's own pages.
    pub fn refund_by_hand(&self, chance: &mut Chance) {
        let settled: Vec<(String, i64)> = {
            let books = self.books();
            let settled = books.payments.iter().filter(|(_, payment)| payment.state == State::Settled);
            settled.map(|(id, payment)| (id.clone(), payment.amount.minor)).collect()
        };
        if settled.is_empty() {
            return;
        }
        let (payment, _) = chance.pick(&settled).clone();
        let left = self.left(&payment);
        if left > 0 {
            let minor = if chance.percent(50) { left } else { chance.within(1..left as u64 + 1) as i64 };
            self.give_back(&payment, usd(minor), None, Back::Settled);
        }
    }

    fn tell_of(&self, id: &str) {
        let (kind, body) = {
            let books = self.books();
            let payment = &books.payments[id];
            let kind = match payment.state {
                State::NeedsAction => "payment.asks",
                State::Processing => "payment.processing",
                State::Settled => "payment.settled",
                State::Declined => "payment.declined",
            };
            let body =
                json!({ "payment": id, "donation": payment.donation.to_string(), "minor": payment.amount.minor });
            (kind, body)
        };
        // A payment can also be asked for.
        self.send(kind, &body, false);
        if self.draw(|chance| chance.percent(20)) {
            self.send("customer.changed", &json!({}), false);
        }
    }

    fn tell_of_refund(&self, id: &str) {
        let (kind, body) = {
            let books = self.books();
            let back = &books.refunds[id];
            let kind = if back.state == Back::Settled { "refund.settled" } else { "refund.failed" };
            let body = json!({
                "back": id, "payment": back.payment, "donation": back.donation.to_string(), "minor": back.amount.minor,
                "refund": back.refund.map(|refund| refund.to_string()),
            });
            (kind, body)
        };
        self.send(kind, &body, true);
        if self.draw(|chance| chance.percent(30)) {
            // The same news under another name.
            self.send(kind, &body, false);
        }
    }

    /// Puts an event into the post: in copies, late, or not at all.
    fn send(&self, kind: &str, about: &Value, must_arrive: bool) {
        let number = {
            let mut books = self.books();
            books.letters += 1;
            books.letters
        };
        let id = format!("evt_{number}");
        let padding = self.draw(|chance| if chance.percent(5) { chance.below(12_000) } else { chance.below(300) });
        // Noise that does not shrink, as real bodies have it.
        let mut noise = Chance::new(number);
        let padding: String = (0..padding / 16).map(|_| format!("{:016x}", noise.number())).collect();
        let body = json!({ "id": id, "kind": kind, "about": about, "padding": padding }).to_string();
        if !must_arrive && self.draw(|chance| chance.percent(15)) {
            return;
        }
        let copies = self.draw(|chance| if chance.percent(30) { chance.within(2..4) } else { 1 });
        for _ in 0..copies {
            let wait = self.draw(|chance| match chance.below(4) {
                0 => chance.millis(0..50),
                1 | 2 => chance.millis(50..5_000),
                _ => chance.seconds(5..900),
            });
            let _ = self.outbox.send(Letter { id: id.clone(), body: body.clone(), wait, must_arrive });
        }
    }

    /// The signature of a letter that leaves now.
    pub fn sign(&self, body: &str) -> String {
        signature(self.time.truth().timestamp(), body)
    }
}

fn signature(at: i64, body: &str) -> String {
    format!("{at} {}", blake3::hash(format!("{SECRET} {at} {body}").as_bytes()).to_hex())
}

fn parse(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok()
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
        let at: i64 = given.split(' ').next().and_then(|at| at.parse().ok()).ok_or(WebhookRefusal::BadSignature)?;
        let text = std::str::from_utf8(body).map_err(|_| WebhookRefusal::NotAnEvent)?;
        if given != signature(at, text) {
            return Err(WebhookRefusal::BadSignature);
        }
        if (now - at).abs() > TOLERANCE_S {
            return Err(WebhookRefusal::Stale { seconds_off: now - at });
        }
        let event = parse(body).ok_or(WebhookRefusal::NotAnEvent)?;
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        Ok(Webhook { event_id: text("id"), kind: text("kind"), livemode: false })
    }

    fn interpret(&self, body: &[u8]) -> Result<Vec<Notice>, Fault> {
        let event = parse(body).ok_or_else(|| rejected("not_json"))?;
        let about = &event["about"];
        let text = |name: &str| about[name].as_str().unwrap().to_owned();
        let amount = || usd(about["minor"].as_i64().unwrap());
        let donation = || text("donation").parse().unwrap();
        let refund = || about["refund"].as_str().map(|id| id.parse().unwrap());
        Ok(match event["kind"].as_str().unwrap() {
            "payment.settled" => {
                let card = Some(CardSummary { brand: "visa".into(), last4: "4242".into(), fingerprint: None });
                vec![Notice::Settled {
                    donation: donation(),
                    payment: text("payment"),
                    amount: amount(),
                    fee: None,
                    card,
                }]
            }
            "payment.processing" => vec![Notice::Processing { donation: donation(), payment: text("payment") }],
            "payment.declined" => {
                let (code, reason) = ("declined".into(), "The bank said no.".into());
                vec![Notice::Declined { donation: donation(), payment: text("payment"), code, reason }]
            }
            "refund.settled" => vec![Notice::Refunded {
                donation: Some(donation()),
                payment: text("payment"),
                processor_refund: text("back"),
                refund: refund(),
                amount: amount(),
            }],
            "refund.failed" => vec![Notice::RefundFailed {
                donation: Some(donation()),
                payment: text("payment"),
                processor_refund: text("back"),
                refund: refund(),
                amount: amount(),
                code: "card_gone".into(),
            }],
            _ => vec![],
        })
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
