//! Charges: what each comes to, once a key, and what it becomes later.

use super::{Bank, Kept, Payment, State, rejected, usd};
use groundswell::payments::{CardSummary, Charge, Fault, Outcome};
use std::time::Duration;
use tokio::time::Instant;

impl Bank {
    pub(super) fn outcome(&self, id: &str) -> Result<Outcome, Fault> {
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
    pub(super) fn take(&self, charge: &Charge) -> Result<Outcome, Fault> {
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
    pub(super) fn becomes(&self, id: &str, from: State, to: State) {
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
}
