//! A processor for demos and tests, in this program: no card, no money, and nothing that looks like either.
//!
//! What happens is written in the payment's own id (`sim_pay_ok_2500usd_charge-…`), made from the idempotency key. So the
//! same key gives the same payment after a restart too, and nothing is kept but which bank questions were answered.

use super::card_form::{CardForm, Choice};
use super::{
    CardSummary, Charge, Fault, Mode, Notice, Outcome, Processor, Refund, RefundOutcome, Webhook, WebhookRefusal,
};
use crate::domain::money::Money;
use crate::domain::plan::Saved;
use async_trait::async_trait;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Settles at once.
pub const METHOD_OK: &str = "simulated_ok";
/// Is declined.
pub const METHOD_DECLINED: &str = "simulated_declined";
/// Asks the donor once, then settles.
pub const METHOD_ACTION: &str = "simulated_action";
/// Asks the donor once, then is declined.
pub const METHOD_ACTION_FAILED: &str = "simulated_action_failed";
/// Settles, and is declined whenever it is charged again by itself.
pub const METHOD_ONCE: &str = "simulated_once";
/// What is kept of a card that works.
const METHOD_SAVED: &str = "simulated_saved";
/// What is kept of one that works once.
const METHOD_SAVED_DECLINED: &str = "simulated_saved_declined";

const CHOICES: &[Choice] = &[
    Choice { method: METHOD_OK, label: "A card that works", hint: "The donation goes through at once." },
    Choice { method: METHOD_DECLINED, label: "A card that is declined", hint: "The bank says no." },
    Choice {
        method: METHOD_ACTION,
        label: "A card that asks the bank first",
        hint: "The bank wants to know it is you.",
    },
    Choice { method: METHOD_ONCE, label: "A card that works today only", hint: "Later gifts are declined." },
    Choice { method: METHOD_ACTION_FAILED, label: "A card whose bank asks and says no", hint: "The check fails." },
];

/// Keys and answered questions that are remembered; a demo makes some thousands, and the oldest are forgotten first.
const REMEMBERED_MAX: usize = 65_536;

/// What the simulation keeps of a payment, per thousand, and for each payment, in minor units: the usual card price.
const FEE_PER_MILLE: i64 = 29;
const FEE_FIXED_MINOR: i64 = 30;

/// Longest key, as the real processor has it.
const KEY_BYTES_MAX: usize = 255;

/// The simulated processor.
#[derive(Debug, Default)]
pub struct Simulated {
    /// What was asked with each key, so that a key can't stand for two different requests.
    asked: Mutex<Remembered>,
    /// How a waiting payment ended: confirmed or given up.
    ended: Mutex<Remembered>,
}

/// A map that forgets its oldest entries.
#[derive(Debug, Default)]
struct Remembered {
    entries: HashMap<String, String>,
    order: VecDeque<String>,
}

impl Remembered {
    /// The value first put in under `key`.
    fn first(&mut self, key: &str, value: &str) -> String {
        if let Some(first) = self.entries.get(key) {
            return first.clone();
        }
        if self.order.len() >= REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        self.order.push_back(key.to_owned());
        self.entries.insert(key.to_owned(), value.to_owned());
        value.to_owned()
    }
}

/// What a payment's id says.
struct Payment {
    way: Way,
    amount: Money,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Ok,
    Declined,
    Action,
    ActionFailed,
    Once,
    Saved,
    SavedDeclined,
}

impl Way {
    const ALL: [(Way, &'static str, &'static str); 7] = [
        (Way::Ok, METHOD_OK, "ok"),
        (Way::Declined, METHOD_DECLINED, "declined"),
        (Way::Action, METHOD_ACTION, "action"),
        (Way::ActionFailed, METHOD_ACTION_FAILED, "actionfailed"),
        (Way::Once, METHOD_ONCE, "once"),
        (Way::Saved, METHOD_SAVED, "saved"),
        (Way::SavedDeclined, METHOD_SAVED_DECLINED, "saveddeclined"),
    ];
}

const CONFIRMED: &str = "confirmed";
const CANCELED: &str = "canceled";

impl Simulated {
    /// A simulation with nothing remembered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses a key that stands for another request already, as the real processor does.
    fn claim(&self, key: &str, request: &str) -> Result<(), Fault> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(rejected("idempotency_key", "an idempotency key has 1 to 255 characters"));
        }
        if lock(&self.asked).first(key, request) == request {
            Ok(())
        } else {
            Err(rejected("idempotency_error", "this key was used for another request"))
        }
    }

    fn outcome(&self, id: &str, payment: &Payment) -> Outcome {
        let ended = lock(&self.ended).entries.get(id).cloned();
        match (payment.way, ended.as_deref()) {
            (Way::Ok | Way::Once | Way::Saved, _) | (Way::Action, Some(CONFIRMED)) => Outcome::Settled {
                payment: id.to_owned(),
                amount: payment.amount,
                fee: Some(fee(payment.amount)),
                card: Some(CardSummary { brand: "simulated".into(), last4: "0000".into(), fingerprint: None }),
            },
            (Way::Declined | Way::SavedDeclined, _) => declined(
                id,
                "simulated_decline",
                "The simulated bank declined. Nothing was charged. Pick another card.",
            ),
            (Way::ActionFailed, Some(CONFIRMED)) => {
                let reason = "The simulated bank asked you and then said no. Nothing was charged. Pick another card.";
                declined(id, "simulated_action_failed", reason)
            }
            (Way::Action | Way::ActionFailed, Some(_)) => {
                let reason = "This simulated payment was given up before it finished. Nothing was charged.";
                declined(id, "canceled", reason)
            }
            (Way::Action | Way::ActionFailed, None) => {
                Outcome::NeedsAction { payment: id.to_owned(), client_secret: format!("{id}_secret") }
            }
        }
    }

    fn end(&self, id: &str, how: &str) -> Result<Outcome, Fault> {
        let payment = parse(id)?;
        if matches!(payment.way, Way::Action | Way::ActionFailed) {
            lock(&self.ended).first(id, how);
        }
        Ok(self.outcome(id, &payment))
    }
}

#[async_trait]
impl Processor for Simulated {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn mode(&self) -> Mode {
        Mode::Simulated
    }

    fn card_form(&self) -> CardForm {
        CardForm::Choices(CHOICES)
    }

    async fn charge(&self, charge: &Charge) -> Result<Outcome, Fault> {
        if charge.amount.minor <= 0 {
            return Err(rejected("amount", "an amount to charge is positive"));
        }
        let way = Way::ALL.into_iter().find(|(_, method, _)| *method == charge.method);
        let Some((way, _, word)) = way else {
            let reason = "That is not one of the simulated cards. Nothing was charged. Pick one of them.".into();
            return Ok(Outcome::Declined { payment: None, code: "method_unusable".into(), reason, fingerprint: None });
        };
        let amount = charge.amount;
        let currency = amount.currency.code().to_ascii_lowercase();
        let id = format!("sim_pay_{word}_{}{currency}_{}", amount.minor, charge.key);
        self.claim(&charge.key, &id)?;
        Ok(self.outcome(&id, &Payment { way, amount }))
    }

    async fn look_up(&self, payment: &str) -> Result<Outcome, Fault> {
        Ok(self.outcome(payment, &parse(payment)?))
    }

    async fn saved(&self, payment: &str) -> Result<Option<Saved>, Fault> {
        let method = match parse(payment)?.way {
            Way::Ok | Way::Action | Way::Saved => METHOD_SAVED,
            Way::Once | Way::SavedDeclined => METHOD_SAVED_DECLINED,
            Way::Declined | Way::ActionFailed => return Ok(None),
        };
        Ok(Some(Saved { customer: "simulated".into(), method: method.into() }))
    }

    async fn confirmed(&self, payment: &str) -> Result<Outcome, Fault> {
        self.end(payment, CONFIRMED)
    }

    async fn cancel(&self, payment: &str) -> Result<Outcome, Fault> {
        self.end(payment, CANCELED)
    }

    async fn refund(&self, refund: &Refund) -> Result<RefundOutcome, Fault> {
        let Outcome::Settled { payment, amount: taken, .. } = self.look_up(&refund.payment).await? else {
            return Err(rejected("payment_not_settled", "only a settled payment can be refunded"));
        };
        if refund.amount.currency != taken.currency || !(1..=taken.minor).contains(&refund.amount.minor) {
            return Err(rejected("amount", "a refund is positive, and at most what was taken"));
        }
        let decimal = refund.amount.to_decimal();
        self.claim(&refund.key, &format!("{} {decimal} of {payment}", refund.refund))?;
        Ok(RefundOutcome::Settled { processor_refund: format!("sim_refund_{}", refund.key), amount: refund.amount })
    }

    fn verify_webhook(&self, _body: &[u8], _signature: &str, _now: i64) -> Result<Webhook, WebhookRefusal> {
        Err(WebhookRefusal::Unsupported)
    }

    fn interpret(&self, _body: &[u8]) -> Result<Vec<Notice>, Fault> {
        Ok(Vec::new())
    }
}

/// A panic elsewhere leaves these maps whole: every change of them is one insertion.
fn lock(remembered: &Mutex<Remembered>) -> MutexGuard<'_, Remembered> {
    remembered.lock().unwrap_or_else(PoisonError::into_inner)
}

fn parse(id: &str) -> Result<Payment, Fault> {
    let unknown = || rejected("payment_id", "this is not the id of a simulated payment");
    let rest = id.strip_prefix("sim_pay_").ok_or_else(unknown)?;
    let (word, rest) = rest.split_once('_').ok_or_else(unknown)?;
    let (amount, _key) = rest.split_once('_').ok_or_else(unknown)?;
    let (way, _, _) = Way::ALL.into_iter().find(|(_, _, of_way)| *of_way == word).ok_or_else(unknown)?;
    let digits = amount.bytes().take_while(u8::is_ascii_digit).count();
    let (minor, currency) = amount.split_at_checked(digits).ok_or_else(unknown)?;
    let minor = minor.parse().map_err(|_| unknown())?;
    let currency = currency.parse().map_err(|_| unknown())?;
    Ok(Payment { way, amount: Money::new(minor, currency) })
}

/// Never more than the amount, however small it is.
fn fee(amount: Money) -> Money {
    let share = amount.minor.saturating_mul(FEE_PER_MILLE) / 1000;
    Money::new(share.saturating_add(FEE_FIXED_MINOR).min(amount.minor), amount.currency)
}

fn declined(id: &str, code: &str, reason: &str) -> Outcome {
    Outcome::Declined { payment: Some(id.to_owned()), code: code.into(), reason: reason.into(), fingerprint: None }
}

fn rejected(code: &str, message: &str) -> Fault {
    Fault::Rejected { code: code.into(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{DonationId, RefundId};
    use crate::domain::money::Currency;
    use uuid::Uuid;

    fn charge(method: &str, attempt: u32) -> Charge {
        let donation = DonationId(Uuid::from_u128(7));
        Charge {
            donation,
            amount: Money::new(2500, Currency::USD),
            key: super::super::charge_key(donation, attempt),
            method: method.into(),
            rally: "opening-night".into(),
            repeats: None,
        }
    }

    #[tokio::test]
    async fn a_key_means_the_same_after_a_restart() {
        for (attempt, choice) in (1..).zip(CHOICES) {
            let asked = charge(choice.method, attempt);
            let before = Simulated::new().charge(&asked).await;
            assert_eq!(before, Simulated::new().charge(&asked).await, "{}", choice.method);
        }
    }

    #[tokio::test]
    async fn a_key_never_stands_for_two_requests() {
        let simulated = Simulated::new();
        simulated.charge(&charge(METHOD_OK, 1)).await.unwrap();
        let other_card = simulated.charge(&charge(METHOD_ACTION, 1)).await;
        assert!(matches!(other_card, Err(Fault::Rejected { code, .. }) if code == "idempotency_error"));
        let mut other_amount = charge(METHOD_OK, 1);
        other_amount.amount.minor = 1;
        assert!(simulated.charge(&other_amount).await.is_err());
    }

    #[tokio::test]
    async fn a_given_up_payment_can_not_settle_later() {
        let simulated = Simulated::new();
        let Ok(Outcome::NeedsAction { payment, .. }) = simulated.charge(&charge(METHOD_ACTION, 1)).await else {
            panic!("the bank should ask")
        };
        let canceled = simulated.cancel(&payment).await.unwrap();
        assert!(matches!(&canceled, Outcome::Declined { code, .. } if code == "canceled"));
        assert_eq!(simulated.confirmed(&payment).await.unwrap(), canceled);
    }

    #[tokio::test]
    async fn refunds_stay_within_what_was_taken() {
        let simulated = Simulated::new();
        let Ok(Outcome::Settled { payment, .. }) = simulated.charge(&charge(METHOD_OK, 1)).await else {
            panic!("should settle")
        };
        for (minor, currency, fine) in [
            (2500, Currency::USD, true),
            (1, Currency::USD, true),
            (2501, Currency::USD, false),
            (0, Currency::USD, false),
            (-1, Currency::USD, false),
            (100, Currency::EUR, false),
        ] {
            let id = RefundId(Uuid::from_u128(u128::from(minor == 2500) + 2));
            let refund = Refund {
                refund: id,
                donation: DonationId(Uuid::from_u128(7)),
                payment: payment.clone(),
                amount: Money::new(minor, currency),
                key: format!("refund-{minor}-{currency}"),
            };
            assert_eq!(simulated.refund(&refund).await.is_ok(), fine, "{minor} {currency}");
        }
    }

    #[tokio::test]
    async fn refuses_what_it_did_not_make() {
        let simulated = Simulated::new();
        for id in [
            "",
            "pi_3PqReal",
            "sim_pay_",
            "sim_pay_ok_usd_k",
            "sim_pay_ok_5_k",
            "sim_pay_ok_5xyz_k",
            "sim_pay_ok_99999999999999999999usd_k",
        ] {
            assert!(simulated.look_up(id).await.is_err(), "{id:?}");
        }
    }

    #[test]
    fn its_fee_never_exceeds_the_amount() {
        for (minor, expected) in [(1, 1), (30, 30), (100, 32), (2500, 102), (i64::MAX, i64::MAX / 1000 + 30)] {
            assert_eq!(fee(Money::new(minor, Currency::USD)).minor, expected);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut remembered = Remembered::default();
        for number in 0..REMEMBERED_MAX + 10 {
            remembered.first(&number.to_string(), "x");
        }
        assert_eq!((remembered.entries.len(), remembered.order.len()), (REMEMBERED_MAX, REMEMBERED_MAX));
    }
}
