//! The histories that money can have, as Stripe's webhooks tell them: in every order, repeated, in the shapes of several API
//! versions, they come to the same books. Each body goes through the room that reads Stripe's.

use chrono::{DateTime, Utc};
use groundswell::domain::donation::{CHECKOUT, Command as Donation};
use groundswell::domain::id::{CheckoutId, DonationId, PaymentId, PersonId, RallyId};
use groundswell::domain::money::{Currency, Money};
use groundswell::domain::{Command, Recorded, decide, rally};
use groundswell::payments::Processor;
use groundswell::payments::stripe::{Secret, Settings, Stripe};
use groundswell::projections::Projections;
use groundswell::projections::ledger::Row;
use groundswell::projections::totals::Sums;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use uuid::Uuid;

const RALLY: RallyId = RallyId(Uuid::from_u128(1));
const PAID: i64 = 5000;

fn donation(number: usize) -> DonationId {
    DonationId(Uuid::from_u128(100 + number as u128))
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

fn instant(second: usize) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + second as i64, 0).unwrap()
}

/// What becomes of one donation's money.
#[derive(Clone, Debug)]
struct Story {
    settles: bool,
    /// It is paid on Stripe's own page; what happens there.
    page: Option<OnPage>,
    /// The fee is asked for and learned.
    fee: bool,
    /// Sums given back, and whether each fails in the end.
    refunds: Vec<(i64, bool)>,
    dispute: Option<Dispute>,
    /// The debit is taken back, told as a failed charge or as a dispute of that kind.
    returned: Option<bool>,
    /// Bodies as an older API version has them.
    old: bool,
}

#[derive(Clone, Copy, Debug)]
struct OnPage {
    /// A card is refused there before anything else comes of it.
    refused: bool,
    /// It is paid from a bank account, which takes its days.
    debit: bool,
    /// Whether the page's name came before all this, or never.
    heard: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Dispute {
    Asked,
    Dropped,
    Open,
    Lost,
    Won,
}

fn story() -> impl Strategy<Value = Story> {
    let dispute = prop_oneof![
        Just(Dispute::Asked),
        Just(Dispute::Dropped),
        Just(Dispute::Open),
        Just(Dispute::Lost),
        Just(Dispute::Won)
    ];
    let maybe = proptest::option::of::<proptest::strategy::BoxedStrategy<Dispute>>(dispute.boxed());
    let page = any::<Option<(bool, bool, bool)>>();
    let page = page.prop_map(|page| page.map(|(refused, debit, heard)| OnPage { refused, debit, heard }));
    (
        proptest::bool::weighted(0.85),
        page,
        any::<bool>(),
        vec((1..2000_i64, any::<bool>()), 0..4),
        maybe,
        any::<Option<bool>>(),
        any::<bool>(),
    )
        .prop_map(|(settles, page, fee, refunds, dispute, returned, old)| Story {
            settles,
            page,
            fee,
            refunds,
            dispute,
            returned,
            old,
        })
}

fn event(kind: &str, object: Value) -> Value {
    json!({ "id": "evt", "object": "event", "type": kind, "livemode": false, "of_the_future": [{}], "data": { "object": object } })
}

fn dispute(number: usize, old: bool, reason: &str, status: &str, moved: &[(i64, i64)]) -> Value {
    let transactions: Vec<Value> = moved
        .iter()
        .map(
            |(amount, fee)| json!({ "object": "balance_transaction", "amount": amount, "fee": fee, "currency": "usd" }),
        )
        .collect();
    let mut object = json!({
        "id": format!("dp_{number}_{reason}"), "object": "dispute", "amount": 3000, "currency": "usd", "reason": reason,
        "status": status, "evidence_details": { "due_by": if status == "needs_response" { json!(1_790_009_999) } else { json!(null) } },
        "balance_transactions": transactions, "payment_intent": format!("pi_{number}"), "charge": format!("ch_{number}"),
    });
    if old {
        object["payment_intent"] = json!(null);
        object["charge"] = json!({ "id": format!("ch_{number}"), "payment_intent": format!("pi_{number}") });
    }
    object
}

impl Story {
    /// The webhooks, in the order in which it happened.
    fn bodies(&self, number: usize) -> Vec<Value> {
        let payment = format!("pi_{number}");
        let mut told = vec![];
        let session = |status: &str, paid: &str| {
            json!({
                "id": format!("cs_{number}"), "object": "checkout.session", "amount_total": PAID, "currency": "usd",
                "status": status, "payment_status": paid,
                "payment_intent": if status == "complete" { json!(payment) } else { json!(null) },
                "metadata": { "donation": donation(number).to_string(), "attempt": "1" },
            })
        };
        let intent = |status: &str| {
            json!({
                "id": payment, "status": status, "amount": PAID, "currency": "usd",
                "last_payment_error": { "code": "card_declined", "decline_code": "insufficient_funds" },
                "metadata": { "donation": donation(number).to_string() },
            })
        };
        if let Some(page) = self.page {
            if page.refused {
                told.push(event("payment_intent.payment_failed", intent("requires_payment_method")));
            }
            if self.settles && page.debit {
                told.push(event("payment_intent.processing", intent("processing")));
                told.push(event("checkout.session.completed", session("complete", "unpaid")));
                told.push(event("checkout.session.async_payment_succeeded", session("complete", "paid")));
            } else if self.settles {
                told.push(event("checkout.session.completed", session("complete", "paid")));
            } else {
                told.push(event("checkout.session.expired", session("expired", "unpaid")));
            }
        }
        if self.settles {
            told.push(event(
                "payment_intent.succeeded",
                json!({
                    "id": payment, "status": "succeeded", "amount": PAID, "amount_received": PAID, "currency": "usd",
                    "metadata": { "donation": donation(number).to_string() },
                }),
            ));
        }
        for (place, (minor, fails)) in self.refunds.iter().enumerate() {
            let refund = |status: &str| {
                json!({
                    "id": format!("re_{number}_{place}"), "object": "refund", "amount": minor, "currency": "usd", "status": status,
                    "payment_intent": payment, "failure_reason": (status == "failed").then_some("expired_or_canceled_card"),
                })
            };
            told.push(event("refund.created", refund("pending")));
            if self.old {
                let refunds = json!({ "data": [refund("succeeded")] });
                told.push(event("charge.refunded", json!({ "payment_intent": payment, "refunds": refunds })));
            } else {
                told.push(event("refund.updated", refund("succeeded")));
            }
            if *fails {
                told.push(event("refund.failed", refund("failed")));
            }
        }
        let about = |kind: &str, status: &str, moved: &[(i64, i64)]| {
            event(&format!("charge.dispute.{kind}"), dispute(number, self.old, "fraudulent", status, moved))
        };
        let (out, back) = ((-3000, 1500), (3000, -1500));
        match self.dispute {
            None => {}
            Some(Dispute::Asked) => told.push(about("created", "warning_needs_response", &[])),
            Some(Dispute::Dropped) => {
                told.push(about("created", "warning_needs_response", &[]));
                told.push(about("closed", "warning_closed", &[]));
            }
            Some(end @ (Dispute::Open | Dispute::Lost | Dispute::Won)) => {
                told.push(about("created", "needs_response", &[]));
                told.push(about("funds_withdrawn", "needs_response", &[out]));
                told.push(about("updated", "under_review", &[out]));
                match end {
                    Dispute::Lost => told.push(about("closed", "lost", &[out])),
                    Dispute::Won => {
                        told.push(about("funds_reinstated", "under_review", &[out, back]));
                        told.push(about("closed", "won", &[out, back]));
                    }
                    Dispute::Asked | Dispute::Dropped | Dispute::Open => {}
                }
            }
        }
        match self.returned {
            None => {}
            Some(true) => told.push(event(
                "charge.failed",
                json!({
                    "payment_intent": payment, "amount": PAID, "currency": "usd", "failure_code": "insufficient_funds",
                    "failure_balance_transaction": "txn_9",
                }),
            )),
            Some(false) => {
                let mut object = dispute(number, self.old, "insufficient_funds", "lost", &[(-PAID, 400)]);
                object["amount"] = json!(PAID);
                told.push(event("charge.dispute.created", object));
            }
        }
        told
    }

    fn commands(&self, stripe: &Stripe, number: usize) -> Vec<Donation> {
        let mut commands = vec![];
        for body in self.bodies(number) {
            let notices = stripe.interpret(body.to_string().as_bytes()).unwrap();
            commands.extend(notices.into_iter().map(|notice| notice.into_command()));
        }
        if self.settles && self.fee {
            let payment = PaymentId(format!("pi_{number}"));
            let fee = Some(usd(175));
            commands.push(Donation::RecordSettled {
                donation: donation(number),
                payment,
                amount: usd(PAID),
                fee,
                card: None,
            });
        }
        commands
    }

    /// The sums by a reckoning of the test's own.
    fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        if !self.settles {
            return sums;
        }
        (sums.gross_minor, sums.donations) = (PAID, 1);
        if self.fee {
            sums.fee_minor = 175
        } else {
            sums.fees_unknown = 1
        }
        for (minor, fails) in &self.refunds {
            sums.refunds += 1;
            if *fails { sums.refunds_reversed += 1 } else { sums.refunded_minor += minor }
        }
        match self.dispute {
            None | Some(Dispute::Asked | Dispute::Dropped) => {}
            Some(Dispute::Open | Dispute::Lost) => {
                (sums.disputed_minor, sums.disputes) = (3000, 1);
                sums.fee_minor += 1500;
            }
            Some(Dispute::Won) => (sums.disputes, sums.disputes_reinstated) = (1, 1),
        }
        if let Some(as_charge) = self.returned {
            (sums.returned_minor, sums.returns) = (PAID, 1);
            sums.fee_minor += if as_charge { 0 } else { 400 };
        }
        sums
    }
}

/// Forms were sent and cards offered; nothing else is known.
fn standing(stories: &[Story]) -> Vec<Command> {
    let details = crate::sample::details("call");
    let mut commands = vec![Command::Rally(rally::Command::Create { rally: RALLY, details })];
    for (number, story) in stories.iter().enumerate() {
        let donation = donation(number);
        let donor = PersonId(Uuid::from_u128(200 + number as u128));
        let pledged = crate::sample::pledged(donation, RALLY, donor, usd(PAID));
        commands.push(Command::Donation(Donation::Pledge(pledged)));
        let method = if story.page.is_some() { CHECKOUT } else { "tok" };
        commands.push(Command::Donation(Donation::RequestPayment { donation, method: method.into() }));
        if story.page.is_some_and(|page| page.heard) {
            let checkout = CheckoutId(format!("cs_{number}"));
            commands.push(Command::Donation(Donation::RecordCheckoutOpened { donation, attempt: 1, checkout }));
        }
    }
    commands
}

/// What the pages have after these commands. None may be refused.
fn told(stories: &[Story], commands: &[Donation]) -> (Projections, Vec<Recorded>) {
    let (mut world, mut log) = (Projections::default(), vec![]);
    let commands = standing(stories).into_iter().chain(commands.iter().cloned().map(Command::Donation));
    for command in commands {
        for event in decide(&world.state, command).unwrap() {
            let recorded = Recorded { seq: log.len() as u64 + 1, at: instant(log.len()), event };
            world.apply(&recorded);
            log.push(recorded);
        }
    }
    (world, log)
}

/// The rows without when they came.
fn rows(world: &Projections) -> Vec<String> {
    let row = |row: &Row| {
        let (fee, reference) = (row.fee.map(|fee| fee.amount), &row.reference);
        format!("{:?} {} {reference:?} {:?} {fee:?}", row.kind, row.payment, row.amount)
    };
    let mut rows: Vec<_> = world.ledger.rows.iter().map(row).collect();
    rows.sort_unstable();
    rows
}

fn telling(stories: Vec<Story>) -> impl Strategy<Value = (Vec<Story>, Vec<Donation>, Vec<Donation>)> {
    let keys = Settings::new(Secret::new("sk_test_1"), "pk_test_1".into(), Secret::new("whsec_x"));
    let stripe = Stripe::new(keys).unwrap();
    let natural: Vec<Donation> =
        stories.iter().enumerate().flat_map(|(number, story)| story.commands(&stripe, number)).collect();
    let all = natural.clone();
    vec(any::<Index>(), 0..12).prop_flat_map(move |again| {
        let mut some = all.clone();
        if !all.is_empty() {
            some.extend(again.iter().map(|index| index.get(&all).clone()));
        }
        (Just(stories.clone()), Just(natural.clone()), Just(some).prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn every_order_and_repetition_comes_to_the_same_books(
        (stories, natural, shuffled) in vec(story(), 1..4).prop_flat_map(telling)
    ) {
        let (world, _) = told(&stories, &natural);
        let mut expected = Sums::default();
        stories.iter().for_each(|story| expected.add(&story.sums()));
        prop_assert_eq!(world.totals.sums(RALLY), expected);
        let (other, log) = told(&stories, &shuffled);
        prop_assert_eq!(&other.state.donations, &world.state.donations);
        prop_assert_eq!(other.totals.sums(RALLY), expected);
        prop_assert_eq!(other.open.of(RALLY), world.open.of(RALLY));
        prop_assert_eq!(rows(&other), rows(&world));
        prop_assert_eq!(other.totals.of(RALLY).map(|of| of.donors()), world.totals.of(RALLY).map(|of| of.donors()));
        // As of any earlier event the figures are what they were then.
        let mut then = Projections::default();
        for recorded in &log {
            then.apply(recorded);
            let mut sums = Sums::default();
            other.ledger.sums_at(recorded.seq, None).values().for_each(|of_day| sums.add(of_day));
            prop_assert_eq!(sums, then.totals.sums(RALLY), "after event {}", recorded.seq);
        }
        // Once more, all of it, is no news.
        let again: Vec<Donation> = shuffled.iter().chain(&natural).cloned().collect();
        prop_assert_eq!(told(&stories, &again).1.len(), log.len());
    }
}
