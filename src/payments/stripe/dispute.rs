//! Disputes, and debits that a bank takes back, which Stripe tells as disputes of their own kind:
//! <https://docs.stripe.com/api/disputes/object>.

use super::shapes::{BalanceTransaction, ChargeShape, Expandable, Identified, Missing, money};
use crate::domain::donation::{DisputeNews, DisputeOutcome, ReturnNews};
use crate::domain::id::{DisputeId, PaymentId};
use crate::domain::money::Money;
use crate::payments::Notice;
use chrono::DateTime;
use miniserde::Deserialize;

/// Reasons that no donor gives: the bank could not take a debit that had counted as paid, and there is nothing to answer.
/// <https://docs.stripe.com/disputes/categories>
const RETURNS: [&str; 3] = ["insufficient_funds", "incorrect_account_details", "bank_cannot_process"];

#[derive(Debug, Deserialize)]
pub struct DisputeShape {
    id: Option<String>,
    pub livemode: Option<bool>,
    amount: Option<i64>,
    currency: Option<String>,
    reason: Option<String>,
    status: Option<String>,
    payment_intent: Option<Expandable<Identified>>,
    charge: Option<Expandable<ChargeShape>>,
    evidence_details: Option<EvidenceDetails>,
    balance_transactions: Option<Vec<Expandable<BalanceTransaction>>>,
}

#[derive(Debug, Deserialize)]
struct EvidenceDetails {
    due_by: Option<i64>,
}

impl DisputeShape {
    fn payment(&self) -> Option<String> {
        let of_charge = || Expandable::object(&self.charge)?.payment();
        Expandable::id(&self.payment_intent).or_else(of_charge)
    }

    fn transactions(&self) -> impl Iterator<Item = &BalanceTransaction> {
        self.balance_transactions.iter().flatten().filter_map(Expandable::get)
    }

    /// The fees of the transactions that go one way; `None` where there is none, or one in another currency.
    fn fee(&self, amount: Money, goes: fn(i64) -> bool) -> Option<Money> {
        let fees = self.transactions().filter(|found| found.amount.is_some_and(goes)).map(|found| {
            let fee = money(found.fee, found.currency.as_deref()).ok()?;
            (fee.currency == amount.currency).then_some(fee.minor)
        });
        let sum = fees.reduce(|sum, fee| sum?.checked_add(fee?))??;
        Some(Money::new(sum, amount.currency))
    }
}

/// What an event about a dispute tells; nothing where it is not of a payment that could be ours.
pub fn notice(kind: &str, shape: &DisputeShape) -> Result<Option<Notice>, Missing> {
    let Some(payment) = shape.payment().map(PaymentId) else { return Ok(None) };
    // A dispute bears no mark of ours: what can't be a sum of a rally's is another program's.
    let Ok(amount) = money(shape.amount, shape.currency.as_deref()) else { return Ok(None) };
    let dispute = DisputeId(shape.id.clone().ok_or(Missing("id"))?);
    let status = shape.status.as_deref().unwrap_or_default();
    let moved = |goes: fn(i64) -> bool| shape.transactions().any(|found| found.amount.is_some_and(goes));
    let reinstated = kind == "charge.dispute.funds_reinstated" || moved(in_);
    // What comes back was taken before, and what is lost is gone, also where the event of it is not here yet.
    let withdrawn = kind == "charge.dispute.funds_withdrawn" || status == "lost" || reinstated || moved(out);
    let reason = shape.reason.clone().unwrap_or_else(|| "general".into());
    let withdrawal_fee = shape.fee(amount, out);
    if RETURNS.contains(&reason.as_str()) {
        let returned = ReturnNews { payment, amount, code: reason, fee: withdrawal_fee };
        return Ok(withdrawn.then_some(Notice::Returned(returned)));
    }
    let due_by = shape.evidence_details.as_ref().and_then(|details| details.due_by);
    let closed = match status {
        "won" => Some(DisputeOutcome::Won),
        "lost" => Some(DisputeOutcome::Lost),
        // `charge_refunded` is of API versions before 2020.
        "warning_closed" | "prevented" | "charge_refunded" => Some(DisputeOutcome::Dropped),
        // Still open, or a status of the future that says nothing of the money.
        _ => None,
    };
    Ok(Some(Notice::Disputed(DisputeNews {
        payment,
        dispute,
        amount,
        reason,
        due_by: due_by.and_then(|due_by| DateTime::from_timestamp(due_by, 0)),
        withdrawn,
        withdrawal_fee,
        reinstated,
        reinstatement_fee: shape.fee(amount, in_),
        closed,
    })))
}

fn out(minor: i64) -> bool {
    minor < 0
}

fn in_(minor: i64) -> bool {
    minor > 0
}

/// A charge that failed after it had been paid: a debit taken back. One that was never paid has no second transaction.
pub fn returned_charge(charge: &ChargeShape) -> Option<Notice> {
    charge.failure_balance_transaction.as_ref()?;
    let payment = PaymentId(charge.payment()?);
    let amount = charge.amount()?;
    let code = charge.failure_code.clone().unwrap_or_else(|| "returned".into());
    Some(Notice::Returned(ReturnNews { payment, amount, code, fee: None }))
}
