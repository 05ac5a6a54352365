//! What Stripe's events mean for our donations: <https://docs.stripe.com/api/events/types>.

use super::checkout::{self, Session};
use super::dispute::{self, DisputeShape};
use super::shapes::{ChargeShape, Intent, Missing, RefundShape, donation};
use crate::payments::{Fault, Notice, Outcome};
use miniserde::{Deserialize, json};

/// The kinds a webhook endpoint should be set up to send.
pub const KINDS: &[&str] = &[
    "payment_intent.succeeded",
    "payment_intent.processing",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "charge.failed",
    "charge.refunded",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
    "refund.created",
    "refund.updated",
    "refund.failed",
];

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Event<T> {
    data: Data<T>,
}

#[derive(Deserialize)]
struct Data<T> {
    object: T,
}

/// What the event in `body` means; nothing when it is not about a donation of ours.
///
/// # Errors
/// `Rejected` when it can't be read.
pub fn interpret(body: &[u8]) -> Result<Vec<Notice>, Fault> {
    let text = std::str::from_utf8(body).map_err(|_| unreadable("text"))?;
    let event: Kind = json::from_str(text).map_err(|_| unreadable("JSON with a type"))?;
    match event.kind.as_deref().unwrap_or_default() {
        "payment_intent.succeeded"
        | "payment_intent.processing"
        | "payment_intent.payment_failed"
        | "payment_intent.canceled" => {
            let intent: Intent = object(text)?;
            let notice = payment(&intent)?;
            // What it is for comes before what became of it.
            Ok(intent.told().filter(|_| notice.is_some()).map(Notice::Renewed).into_iter().chain(notice).collect())
        }
        kind if kind.starts_with("checkout.session.") => {
            checkout::notices(kind, &object::<Session>(text)?).map_err(missing)
        }
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
            Ok(refund(&object(text)?, None)?.into_iter().collect())
        }
        "charge.refunded" => refunds_of(&object(text)?),
        "charge.failed" => Ok(dispute::returned_charge(&object(text)?).into_iter().collect()),
        kind if kind.starts_with("charge.dispute.") => {
            let shape: DisputeShape = object(text)?;
            Ok(dispute::notice(kind, &shape).map_err(missing)?.into_iter().collect())
        }
        _ => Ok(Vec::new()),
    }
}

fn object<T: Deserialize>(text: &str) -> Result<T, Fault> {
    let event: Event<T> = json::from_str(text).map_err(|_| unreadable("the object its type promises"))?;
    Ok(event.data.object)
}

fn payment(intent: &Intent) -> Result<Option<Notice>, Fault> {
    let Some(donation) = intent.donation() else { return Ok(None) };
    let notice = match intent.outcome().map_err(missing)? {
        Outcome::Settled { payment, amount, fee, card } => Notice::Settled { donation, payment, amount, fee, card },
        Outcome::Processing { payment } => Notice::Processing { donation, payment },
        Outcome::Declined { payment: Some(payment), code, reason, .. } => {
            Notice::Declined { donation, payment, code, reason }
        }
        // The donor's own page goes on from here; nothing is known that a log should hold.
        Outcome::NeedsAction { .. } | Outcome::Declined { payment: None, .. } => return Ok(None),
    };
    Ok(Some(notice))
}

/// The refunds listed on a charge: API versions before 2022-11-15 list them, later ones send an event for each.
fn refunds_of(charge: &ChargeShape) -> Result<Vec<Notice>, Fault> {
    let listed = charge.refunds.as_ref().and_then(|list| list.data.as_ref());
    listed.into_iter().flatten().filter_map(|found| refund(found, Some(charge)).transpose()).collect()
}

pub fn refund(refund: &RefundShape, charge: Option<&ChargeShape>) -> Result<Option<Notice>, Fault> {
    // A refund of a bare charge belongs to another program: we only make payment intents.
    let Some(payment) = refund.payment().or_else(|| charge.and_then(ChargeShape::payment)) else { return Ok(None) };
    let donation =
        donation(refund.metadata.as_ref()).or_else(|| donation(charge.and_then(|charge| charge.metadata.as_ref())));
    let processor_refund = refund.id.clone().ok_or(Missing("id")).map_err(missing)?;
    let ours = refund.refund();
    let amount = match refund.amount() {
        Ok(amount) => amount,
        // Somebody else's payment, in a currency no rally of ours can have.
        Err(_) if donation.is_none() && ours.is_none() => return Ok(None),
        Err(lack) => return Err(missing(lack)),
    };
    let notice = match refund.status.as_deref() {
        // The oldest API versions give a refund no status: it was always done at once.
        Some("succeeded") | None => Notice::Refunded { donation, payment, processor_refund, refund: ours, amount },
        Some(status @ ("failed" | "canceled")) => {
            let code = refund.failure_reason.clone().unwrap_or_else(|| status.into());
            Notice::RefundFailed { donation, payment, processor_refund, refund: ours, amount, code }
        }
        Some(_) => return Ok(None),
    };
    Ok(Some(notice))
}

fn unreadable(expected: &str) -> Fault {
    Fault::Rejected { code: "unreadable_event".into(), message: format!("a stored event is not {expected}") }
}

fn missing(Missing(field): Missing) -> Fault {
    Fault::Rejected { code: "unreadable_event".into(), message: format!("a stored event lacks {field}") }
}
