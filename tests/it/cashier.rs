//! Ledger and processor together, on a real folder: lost answers, repeated forms and webhooks in any order, and that what
//! is folded again from the log is what was live.

mod others;

use crate::sample::{self, details};
use async_trait::async_trait;
use chrono::{TimeDelta, Utc};
use groundswell::domain::donation::Command as Donation;
use groundswell::domain::id::{DonationId, PaymentId, PersonId, ProcessorRefundId, RallyId, RefundId, SourceId};
use groundswell::domain::money::{Currency, Money};
use groundswell::domain::sealed::Sealed;
use groundswell::domain::{Command, Refusal, attendance, broadcast, donation, ledger, rally, staff};
use groundswell::engine::{Engine, Failure, Writer};
use groundswell::payments::card_form::CardForm;
use groundswell::payments::cashier::{Cashier, Standing, Trouble};
use groundswell::payments::stripe::{Secret, Settings, Stripe};
use groundswell::payments::{
    Charge, Fault, Mode, Notice, Outcome, Processor, Refund, RefundOutcome, Webhook, WebhookRefusal,
};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const RALLY: RallyId = RallyId(Uuid::from_u128(1));
const WEBHOOK_SECRET: &str = "whsec_AlsoSecret";

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn pledged(donation: DonationId, minor: i64) -> Command {
    let pledged = sample::pledged(donation, RALLY, PersonId(id(9)), usd(minor));
    Command::Donation(Donation::Pledge(pledged))
}

async fn open(data: &Path, mode: Mode) -> (Engine, Writer) {
    let (engine, writer) = Engine::open(data).unwrap();
    let start = Command::Ledger(ledger::Command::Start { mode });
    engine.execute(start, format!("start:{}", Uuid::new_v4()), "server").await.unwrap();
    let create = Command::Rally(rally::Command::Create { rally: RALLY, details: details("call") });
    engine.execute(create, "rally".into(), "staff").await.unwrap();
    (engine, writer)
}

/// A processor whose answers are written beforehand; it remembers what it was asked.
#[derive(Default)]
struct Scripted {
    charges: Mutex<VecDeque<Result<Outcome, Fault>>>,
    refunds: Mutex<VecDeque<Result<RefundOutcome, Fault>>>,
    /// Keys in the order of the calls, with what was sent under them.
    asked: Mutex<Vec<(String, String)>>,
    takes: Duration,
    /// How long each call takes that gives a payment up; without any they give no clear answer.
    cancels_take: Mutex<VecDeque<Duration>>,
}

fn unknown() -> Fault {
    Fault::Unknown { cause: "no answer in 30 s".into() }
}

fn paid(payment: &str, minor: i64) -> Outcome {
    Outcome::Settled { payment: payment.into(), amount: usd(minor), fee: Some(usd(103)), card: None }
}

impl Scripted {
    fn answering(answers: impl IntoIterator<Item = Result<Outcome, Fault>>) -> Arc<Self> {
        Arc::new(Self { charges: Mutex::new(answers.into_iter().collect()), ..Self::default() })
    }

    fn asked(&self) -> Vec<(String, String)> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Processor for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn mode(&self) -> Mode {
        Mode::Test
    }

    fn card_form(&self) -> CardForm {
        CardForm::Choices(&[])
    }

    async fn charge(&self, charge: &Charge) -> Result<Outcome, Fault> {
        tokio::time::sleep(self.takes).await;
        self.asked
            .lock()
            .unwrap()
            .push((charge.key.clone(), format!("{} {}", charge.amount.to_decimal(), charge.method)));
        self.charges.lock().unwrap().pop_front().unwrap()
    }

    async fn look_up(&self, _payment: &str) -> Result<Outcome, Fault> {
        Err(unknown())
    }

    async fn cancel(&self, payment: &str) -> Result<Outcome, Fault> {
        let takes = self.cancels_take.lock().unwrap().pop_front().ok_or_else(unknown)?;
        tokio::time::sleep(takes).await;
        Ok(Outcome::Declined {
            payment: Some(payment.into()),
            code: "canceled".into(),
            reason: "Given up.".into(),
            fingerprint: None,
        })
    }

    async fn refund(&self, refund: &Refund) -> Result<RefundOutcome, Fault> {
        self.asked.lock().unwrap().push((refund.key.clone(), refund.amount.to_decimal()));
        self.refunds.lock().unwrap().pop_front().unwrap()
    }

    fn verify_webhook(&self, _: &[u8], _: &str, _: i64) -> Result<Webhook, WebhookRefusal> {
        Err(WebhookRefusal::Unsupported)
    }

    fn interpret(&self, _: &[u8]) -> Result<Vec<Notice>, Fault> {
        Ok(vec![])
    }
}

async fn with_pledge(data: &Path, scripted: Arc<Scripted>) -> (Engine, Cashier, DonationId) {
    let (engine, _) = open(data, Mode::Test).await;
    let donation = DonationId(id(5));
    engine.execute(pledged(donation, 2500), "pledge".into(), "donor").await.unwrap();
    (engine.clone(), Cashier::new(engine, scripted), donation)
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_key() {
    let dir = tempfile::tempdir().unwrap();
    let scripted = Scripted::answering([Err(unknown()), Err(unknown()), Ok(paid("pi_1", 2500))]);
    let (engine, cashier, donation) = with_pledge(dir.path(), scripted.clone()).await;
    let raised = || engine.world().totals.sums(RALLY).raised_minor();
    assert!(cashier.pay(donation, "pm_1".into()).await.unwrap() == Standing::Processing);
    // Another card must wait: the first may have been charged.
    let other = cashier.pay(donation, "pm_2".into()).await.err().unwrap();
    let in_flight = Refusal::Donation(donation::Refusal::InFlight);
    assert!(matches!(&other, Trouble::Failure(Failure::Refused(refusal)) if *refusal == in_flight), "{other}");
    cashier.resolve(Utc::now()).await;
    assert_eq!(scripted.asked().len(), 1, "a young attempt is left to the request that made it");
    let later = Utc::now() + TimeDelta::seconds(60);
    cashier.resolve(later).await;
    assert_eq!(raised(), 0, "still unknown");
    cashier.resolve(later).await;
    assert_eq!(raised(), 2500);
    cashier.resolve(later).await;
    let asked = scripted.asked();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked.iter().all(|call| *call == asked[0]), "one key, one request: {asked:?}");
    assert!(cashier.pay(donation, "pm_1".into()).await.unwrap() == Standing::Settled);
    assert_eq!((raised(), scripted.asked().len()), (2500, 3));
}

#[tokio::test]
async fn a_call_turned_away_says_nothing_of_the_one_before() {
    let barred = || Fault::Barred { code: "key_refused".into(), message: "the key was replaced".into() };
    let throttled = || Fault::Throttled { retry_after: None };
    let dir = tempfile::tempdir().unwrap();
    // The first takes the money, and its answer is lost.
    let answers = [Err(unknown()), Err(throttled()), Err(barred()), Ok(paid("pi_1", 2500))];
    let scripted = Scripted::answering(answers);
    let (engine, cashier, donation) = with_pledge(dir.path(), scripted.clone()).await;
    assert!(cashier.pay(donation, "pm_1".into()).await.unwrap() == Standing::Processing);
    // Sent again by the page, and turned away: it stands in line and is asked for again in a moment.
    assert!(cashier.pay(donation, "pm_1".into()).await.unwrap() == Standing::InLine { ahead: 0, seconds: 1 });
    let later = Utc::now() + TimeDelta::seconds(60);
    cashier.resolve(later).await;
    let other_card = cashier.pay(donation, "pm_2".into()).await.err().unwrap();
    assert!(matches!(other_card, Trouble::Failure(Failure::Refused(_))), "{other_card}");
    cashier.resolve(later).await;
    assert_eq!(engine.world().totals.sums(RALLY).raised_minor(), 2500);
    let asked = scripted.asked();
    assert!(asked.len() == 4 && asked.iter().all(|call| *call == asked[0]), "one key, one request: {asked:?}");
}

#[tokio::test]
async fn a_call_turned_away_after_a_restart_says_nothing_either() {
    let dir = tempfile::tempdir().unwrap();
    let barred = Err(Fault::Barred { code: "key_refused".into(), message: "the key was replaced".into() });
    let scripted = Scripted::answering([Err(unknown()), barred, Ok(paid("pi_1", 2500))]);
    let (engine, cashier, donation) = with_pledge(dir.path(), scripted.clone()).await;
    cashier.pay(donation, "pm_1".into()).await.unwrap();
    drop((engine, cashier));
    let (engine, _) = reopened(dir.path()).await;
    let cashier = Cashier::new(engine.clone(), scripted.clone());
    let later = Utc::now() + TimeDelta::seconds(60);
    cashier.resolve(later).await;
    assert!(cashier.standing(donation) == Standing::Processing, "the first call may have taken the money");
    cashier.resolve(later).await;
    assert_eq!(engine.world().totals.sums(RALLY).raised_minor(), 2500);
}

#[tokio::test]
async fn a_crash_between_call_and_record_is_resolved_by_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let scripted = Scripted::answering([Err(unknown()), Ok(paid("pi_1", 2500))]);
    let (engine, cashier, donation) = with_pledge(dir.path(), scripted.clone()).await;
    cashier.pay(donation, "pm_1".into()).await.unwrap();
    drop((engine, cashier));
    let (engine, _) = reopened(dir.path()).await;
    let cashier = Cashier::new(engine.clone(), scripted.clone());
    cashier.resolve(Utc::now() + TimeDelta::seconds(60)).await;
    assert_eq!(engine.world().totals.sums(RALLY).raised_minor(), 2500);
    let asked = scripted.asked();
    assert_eq!(asked[0], asked[1]);
}

/// The folder is free a moment after the last handle is gone.
async fn reopened(data: &Path) -> (Engine, Writer) {
    for _ in 0..200 {
        if let Ok(opened) = Engine::open(data) {
            return opened;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Engine::open(data).unwrap()
}

#[tokio::test]
async fn the_same_card_sent_twice_while_the_first_is_under_way_is_one_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let answers = [Ok(paid("pi_1", 2500)), Ok(paid("pi_1", 2500))];
    let slow =
        Scripted { takes: Duration::from_millis(200), charges: Mutex::new(answers.into()), ..Scripted::default() };
    let slow = Arc::new(slow);
    let (engine, cashier, donation) = with_pledge(dir.path(), slow.clone()).await;
    let (first, second) = tokio::join!(cashier.pay(donation, "pm_1".into()), cashier.pay(donation, "pm_1".into()));
    assert!(first.unwrap() == Standing::Settled && second.unwrap() == Standing::Settled);
    assert_eq!(engine.world().totals.sums(RALLY).raised_minor(), 2500);
    let asked = slow.asked();
    assert!(asked.iter().all(|call| *call == asked[0]), "{asked:?}");
}

#[tokio::test]
async fn two_cards_at_once_are_one_charge() {
    let dir = tempfile::tempdir().unwrap();
    let answers = [Ok(paid("pi_1", 2500)), Ok(paid("pi_1", 2500))];
    let slow =
        Scripted { takes: Duration::from_millis(200), charges: Mutex::new(answers.into()), ..Scripted::default() };
    let slow = Arc::new(slow);
    let (engine, cashier, donation) = with_pledge(dir.path(), slow.clone()).await;
    let _ = tokio::join!(cashier.pay(donation, "pm_1".into()), cashier.pay(donation, "pm_2".into()));
    assert_eq!(engine.world().totals.sums(RALLY).raised_minor(), 2500);
    let asked = slow.asked();
    assert!(asked.iter().all(|call| *call == asked[0]), "one key, one request: {asked:?}");
}

#[tokio::test]
async fn two_windows_that_give_up_a_payment_begin_one_attempt_together() {
    let dir = tempfile::tempdir().unwrap();
    let asks = |number: u32| Ok(Outcome::NeedsAction { payment: format!("pi_{number}"), client_secret: "s".into() });
    let scripted = Scripted::answering((1..=3).map(asks));
    *scripted.cancels_take.lock().unwrap() = [Duration::ZERO, Duration::from_millis(300)].into();
    let (_, cashier, donation) = with_pledge(dir.path(), scripted.clone()).await;
    cashier.pay(donation, "pm_1".into()).await.unwrap();
    // By the time the second has given the old payment up, the first has begun another, which waits for the donor too.
    let (one, other) = tokio::join!(cashier.pay(donation, "pm_2".into()), cashier.pay(donation, "pm_3".into()));
    assert!(one.is_ok() && other.is_ok());
    let keys: std::collections::BTreeSet<_> = scripted.asked().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), 2, "both could be confirmed, and the donor charged twice: {keys:?}");
}

#[tokio::test]
async fn a_refund_whose_answer_was_lost_is_asked_for_again_with_the_same_key() {
    let dir = tempfile::tempdir().unwrap();
    let scripted = Scripted::answering([Ok(paid("pi_1", 2500))]);
    let done = RefundOutcome::Settled { processor_refund: "re_1".into(), amount: usd(1000) };
    scripted.refunds.lock().unwrap().extend([Err(unknown()), Ok(done)]);
    let (engine, cashier, donation) = with_pledge(dir.path(), scripted.clone()).await;
    cashier.pay(donation, "pm_1".into()).await.unwrap();
    let lost = cashier.refund(donation, RefundId(id(7)), usd(1000), "staff").await;
    assert!(matches!(lost, Err(Trouble::Fault(Fault::Unknown { .. }))));
    let too_much = cashier.refund(donation, RefundId(id(8)), usd(1501), "staff").await;
    assert!(matches!(too_much, Err(Trouble::Failure(Failure::Refused(_)))), "what is promised back is not given twice");
    for _ in 0..2 {
        cashier.resolve(Utc::now() + TimeDelta::seconds(60)).await;
    }
    assert_eq!(engine.world().totals.sums(RALLY).raised_minor(), 1500);
    let asked = scripted.asked();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[1], asked[2]);
}

#[tokio::test]
async fn cards_that_were_not_taken_free_the_donor_and_a_hopeless_one_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let declined = |number: u32| Outcome::Declined {
        payment: Some(format!("pi_{number}")),
        code: "card_declined".into(),
        reason: "The bank said no.".into(),
        fingerprint: None,
    };
    let mut answers: Vec<_> = (0..8).map(|number| Ok(declined(number))).collect();
    answers.push(Err(Fault::Barred { code: "key_refused".into(), message: "y".into() }));
    answers.push(Err(Fault::Rejected { code: "x".into(), message: "y".into() }));
    let (_, cashier, donation) = with_pledge(dir.path(), Scripted::answering(answers)).await;
    for _ in 0..donation::ATTEMPTS_MAX {
        let standing = cashier.pay(donation, "pm_1".into()).await.unwrap();
        assert!(matches!(standing, Standing::Open { declined: Some(_) }));
    }
    assert!(matches!(cashier.pay(donation, "pm_1".into()).await, Err(Trouble::Failure(Failure::Refused(_)))));
    for method in ["", &"m".repeat(256)] {
        assert!(cashier.pay(donation, method.into()).await.is_err());
    }
}

#[tokio::test]
async fn too_many_calls_are_no_decline() {
    let dir = tempfile::tempdir().unwrap();
    let throttled = |seconds| Err(Fault::Throttled { retry_after: Some(Duration::from_secs(seconds)) });
    let scripted = Scripted::answering([throttled(0), throttled(2), Ok(paid("pi_1", 2500))]);
    let (engine, cashier, donation) = with_pledge(dir.path(), scripted.clone()).await;
    let begun = std::time::Instant::now();
    assert!(cashier.pay(donation, "pm_1".into()).await.unwrap() == Standing::InLine { ahead: 0, seconds: 1 });
    let other_card = cashier.pay(donation, "pm_2".into()).await.err().unwrap();
    assert!(matches!(other_card, Trouble::Failure(Failure::Refused(_))), "{other_card}");
    cashier.resolve(Utc::now()).await;
    assert!(cashier.standing(donation) == Standing::Settled);
    assert!(begun.elapsed() >= Duration::from_secs(3), "a second and two");
    let asked = scripted.asked();
    assert!(asked.len() == 3 && asked.iter().all(|call| *call == asked[0]), "one key, one request: {asked:?}");
    assert_eq!(engine.world().totals.sums(RALLY).raised_minor(), 2500);
}

/// What a browser, staff and processors may ask of a small world, so that much of it meets.
fn any_command() -> impl Strategy<Value = (Command, String)> {
    let few = || 1..4_u128;
    let minor = prop_oneof![-1..5000_i64, Just(i64::MAX)];
    (0..18_u8, few(), few(), few(), minor, 0..1000_u32).prop_map(|(kind, a, b, c, minor, key)| {
        let (donation, payment) = (DonationId(id(a)), PaymentId(format!("pi_{b}")));
        let (refund, processor_refund) = (RefundId(id(c)), ProcessorRefundId(format!("re_{c}")));
        let (rally, person, source) = (RallyId(id(a)), PersonId(id(b)), SourceId(id(c)));
        let sealed = Sealed::new(&[7; 30]);
        let amount = usd(minor);
        let reason = "no".to_owned();
        let command = match kind {
            0 => Command::Rally(rally::Command::Create { rally, details: details(&format!("call-{b}")) }),
            1 => Command::Rally(rally::Command::Revise { rally, details: details(&format!("call-{c}")) }),
            2 => Command::Rally(rally::Command::AddSpeaker { rally, source, name: "Zoë".into(), role: String::new() }),
            3 => Command::Rally(rally::Command::OpenDoors { rally }),
            4 => Command::Broadcast(broadcast::Command::Cut { rally, source: Some(source) }),
            5 => Command::Broadcast(broadcast::Command::RefuseStranger { reason }),
            6 => Command::Attendance(attendance::Command::Join {
                rally,
                person,
                profile: sealed,
                came: None,
                agrees_to: None,
            }),
            7 => Command::Attendance(attendance::Command::Enter { rally, person }),
            8 => Command::Attendance(attendance::Command::Leave { rally, person }),
            9 => Command::Staff(staff::Command::Add {
                staff: person,
                role: staff::Role::Host,
                account: sealed,
                first: false,
            }),
            10 => pledged(donation, minor),
            11 => Command::Donation(Donation::RequestPayment { donation, method: "pm".into() }),
            12 => Command::Donation(Donation::RecordDeclined {
                donation,
                payment: Some(payment),
                code: "no".into(),
                reason,
            }),
            13 => Command::Donation(Donation::RequestRefund { donation, refund, amount }),
            14 => {
                Command::Donation(Donation::RecordRefunded { payment, processor_refund, refund: Some(refund), amount })
            }
            15 => Command::Donation(Donation::RecordRefundFailed { donation, refund, reason }),
            16 => Command::Ledger(ledger::Command::Start { mode: Mode::Test }),
            _ => Command::Donation(Donation::RecordSettled { donation, payment, amount, fee: None, card: None }),
        };
        (command, format!("key:{key}"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn the_log_folded_again_is_what_was_live(commands in prop::collection::vec(any_command(), 1..150)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (live, receipts) = runtime.block_on(async {
            let (engine, mut writer) = open(dir.path(), Mode::Test).await;
            let mut receipts = HashMap::new();
            for (command, key) in commands.clone() {
                if let Ok(receipt) = engine.execute(command, key.clone(), "test").await {
                    let first = receipts.entry(key).or_insert(receipt);
                    assert_eq!((first.first_seq, first.count), (receipt.first_seq, receipt.count));
                    if receipt.count == 0 {
                        // Nothing was recorded, so there is nothing to remember the key by.
                        receipts.retain(|_, known| known.count > 0);
                    }
                }
            }
            let live = engine.world().clone();
            drop(engine);
            writer.ended().await.unwrap();
            (live, receipts)
        });
        runtime.block_on(async {
            let (engine, _writer) = reopened(dir.path()).await;
            prop_assert!(*engine.world() == live, "the fold differs from the live state");
            for (command, key) in commands {
                let Some(first) = receipts.get(&key) else { continue };
                let again = engine.execute(command, key, "test").await.unwrap();
                prop_assert_eq!((again.first_seq, again.count, again.repeated), (first.first_seq, first.count, true));
            }
            prop_assert!(*engine.world() == live, "a repeat changed something");
            Ok(())
        })?;
    }

    #[test]
    fn webhooks_in_any_order_and_number_lead_to_the_same_books(order in prop::collection::vec(any::<Index>(), 0..12)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let told = runtime.block_on(books_after(&order));
        prop_assert_eq!(told, (2500, 500, 1));
    }
}

fn event(name: &str, kind: &str, object: serde_json::Value) -> String {
    serde_json::json!({ "id": name, "object": "event", "type": kind, "livemode": false, "data": { "object": object } })
        .to_string()
}

/// Gross, refunded and donations after every webhook of one gift came, some more than once, in an order that starts with
/// `order`.
async fn books_after(order: &[Index]) -> (i64, i64, u64) {
    let dir = tempfile::tempdir().unwrap();
    let (engine, _writer) = open(dir.path(), Mode::Test).await;
    let donation = DonationId(id(5));
    engine.execute(pledged(donation, 2500), "pledge".into(), "donor").await.unwrap();
    let base = "http://127.0.0.1:1";
    let stripe = Settings {
        api_base: base.into(),
        script_url: format!("{base}/v3/"),
        ..Settings::new(Secret::new("sk_test_51Secret"), "pk_test_51".into(), Secret::new(WEBHOOK_SECRET))
    };
    let cashier = Cashier::new(engine.clone(), Arc::new(Stripe::new(stripe).unwrap()));
    let stop = CancellationToken::new();
    let (running, stopped) = (cashier.clone(), stop.clone());
    let running = tokio::spawn(async move { running.run(stopped).await });
    let intent = |payment: &str, status: &str| {
        serde_json::json!({
            "id": payment, "object": "payment_intent", "amount": 2500, "amount_received": 2500, "currency": "usd",
            "status": status, "metadata": { "donation": donation.to_string() }, "last_payment_error": null,
        })
    };
    let refund = |status: &str| {
        serde_json::json!({
            "id": "re_1", "object": "refund", "amount": 500, "currency": "usd", "status": status, "payment_intent": "pi_2",
            "metadata": {},
        })
    };
    let bodies = [
        event("evt_1", "payment_intent.payment_failed", intent("pi_1", "requires_payment_method")),
        event("evt_2", "payment_intent.processing", intent("pi_2", "processing")),
        event("evt_3", "payment_intent.succeeded", intent("pi_2", "succeeded")),
        event("evt_4", "refund.created", refund("pending")),
        event("evt_5", "refund.updated", refund("succeeded")),
        event("evt_6", "customer.created", serde_json::json!({})),
    ];
    let first = order.iter().map(|index| index.get(&bodies));
    for body in first.chain(&bodies) {
        let signature = stripe_webhook::Webhook::generate_test_header(body, WEBHOOK_SECRET, None);
        cashier.receive(body.as_bytes(), &signature).await.unwrap();
    }
    crate::server::until("webhooks stay to be interpreted", || async {
        engine.world().state.inbox.waiting().next().is_none()
    })
    .await;
    stop.cancel();
    running.await.unwrap();
    let sums = engine.world().totals.sums(RALLY);
    (sums.gross_minor, sums.refunded_minor, sums.donations)
}
