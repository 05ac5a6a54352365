//! What goes back: asked for here or on the bank's own pages, at once, later, or not after all.

use super::{Back, Bank, GivenBack, Kept, State, rejected, usd};
use crate::chance::Chance;
use groundswell::domain::id::RefundId;
use groundswell::domain::money::Money;
use groundswell::payments::{Fault, Refund, RefundOutcome};

impl Bank {
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

    pub(super) fn refund_now(&self, asked: &Refund) -> Result<RefundOutcome, Fault> {
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
}
