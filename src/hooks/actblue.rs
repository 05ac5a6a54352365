//! Messages in the shape of ActBlue's webhooks, for tools that take those: a contribution with one line item, its refund, or the
//! end of a recurring one. What ActBlue tells and we do not know is null, false or empty there.
//!
//! A recurring gift is one order, as it is there: each instalment is a line item with the next sequence number.

use super::message::{Facts, instant};
use crate::domain::hook::Kind;
use crate::domain::money::Money;
use crate::domain::plan::Every;
use serde_json::{Value, json};

/// What begins an order's number where no money moved, so that nobody takes it for a gift.
const NO_MONEY: &str = "TEST-";

/// The message. `mode` is ours, and says whether it is real money.
pub(super) fn message(facts: &Facts) -> Value {
    let is_end = facts.item.kind == Kind::RecurringEnded;
    let mut contribution = contribution(facts);
    if let Some(contribution) = contribution.as_object_mut().filter(|_| is_end) {
        contribution.insert("cancelledAt".into(), instant(facts.at).into());
        contribution.insert("status".into(), "cancelled".into());
    }
    json!({
        "donor": donor(facts),
        "contribution": contribution,
        "lineitems": [if is_end { end(facts) } else { line_item(facts) }],
        "form": {
            "name": facts.rally,
            "kind": "page",
            "ownerEmail": null,
            "managingEntityName": facts.committee,
            "managingEntityCommitteeName": facts.committee,
        },
        "mode": facts.mode,
    })
}

fn donor(facts: &Facts) -> Value {
    let contact = facts.contact.as_ref();
    let text = |of: fn(&crate::domain::profile::Contact) -> &String| contact.map(of).cloned().unwrap_or_default();
    let country = text(|contact| &contact.country);
    json!({
        "firstname": text(|contact| &contact.first_name),
        "lastname": text(|contact| &contact.last_name),
        "addr1": text(|contact| &contact.line),
        "city": text(|contact| &contact.city),
        "state": text(|contact| &contact.region),
        "zip": text(|contact| &contact.postal),
        "country": if country == "US" { "United States".into() } else { country },
        "email": text(|contact| &contact.email),
        "phone": null,
        "isEligibleForExpressLane": false,
        "employerData": {
            "employer": text(|contact| &contact.employer),
            "occupation": text(|contact| &contact.occupation),
            "employerAddr1": null,
            "employerCity": null,
            "employerState": null,
            "employerCountry": null,
        },
    })
}

fn contribution(facts: &Facts) -> Value {
    let test = if facts.mode == "live" { "" } else { NO_MONEY };
    let period = match facts.plan.as_ref().map(|(_, plan)| plan.rhythm.every) {
        None => "once",
        Some(Every::Week) => "weekly",
        Some(Every::Month) => "monthly",
    };
    let refcodes = facts.refcode.as_ref().map_or_else(|| json!({}), |refcode| json!({ "refcode": refcode }));
    json!({
        "createdAt": instant(facts.pledged_at),
        "orderNumber": format!("{test}GS{}", facts.order.0.simple()),
        "uniqueIdentifier": facts.order,
        "contributionForm": facts.rally,
        "refcodes": refcodes,
        "refcode": facts.refcode,
        "refcode2": null,
        "creditCardExpiration": null,
        "recurringPeriod": period,
        "recurringDuration": if facts.plan.is_some() { json!("infinite") } else { json!(1) },
        "weeklyRecurringSunset": null,
        "isRecurring": facts.plan.is_some(),
        "abTestName": null,
        "abTestVariation": null,
        "isPaypal": false,
        "isMobile": false,
        "isExpress": false,
        "withExpressLane": false,
        "expressSignup": false,
        "textMessageOption": "unknown",
        "giftDeclined": null,
        "giftIdentifier": null,
        "customFields": [],
        "thanksUrl": null,
        "status": "approved",
    })
}

fn line_item(facts: &Facts) -> Value {
    let positive = |amount: Money| Money::new(amount.minor.saturating_abs(), amount.currency).to_decimal();
    let went_back = matches!(facts.item.kind, Kind::Refunded | Kind::Disputed | Kind::Returned);
    let (settled_seq, settled_at) = facts.settled.unwrap_or((facts.item.seq, facts.at));
    json!({
        "sequence": facts.number.unwrap_or(1),
        "lineitemId": settled_seq,
        "entityId": facts.committee_number,
        "fecId": null,
        "committeeName": facts.committee,
        "amount": facts.row.as_ref().map(|row| positive(row.amount)),
        "recurringAmount": facts.plan.as_ref().map(|(_, plan)| positive(plan.amount)),
        "paidAt": instant(settled_at),
        "paymentId": facts.row.as_ref().map(|row| &row.payment),
        "refundedAt": went_back.then(|| instant(facts.at)),
    })
}

/// What will not be charged any more.
fn end(facts: &Facts) -> Value {
    let plan = facts.plan.as_ref().map(|(_, plan)| plan);
    let last = plan.and_then(|plan| plan.gifts.last()).map_or(0, |gift| gift.number);
    let amount = plan.map(|plan| plan.amount.to_decimal());
    json!({
        "sequence": last.saturating_add(1),
        "lineitemId": facts.item.seq,
        "entityId": facts.committee_number,
        "fecId": null,
        "committeeName": facts.committee,
        "amount": amount,
        "recurringAmount": amount,
        "paidAt": null,
        "paymentId": null,
        "refundedAt": null,
    })
}
