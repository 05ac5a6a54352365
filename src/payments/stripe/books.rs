//! Stripe's balance and payouts: <https://docs.stripe.com/api/balance_transactions>, <https://docs.stripe.com/api/payouts>.

use super::client::{CallError, Pooled};
use super::shapes::{ChargeShape, Expandable, Identified, Metadata, Missing, donation, money};
use crate::domain::books::{Entry, Kind, PayoutRecorded, Standing};
use crate::domain::id::{CommitteeId, EntryId, PaymentId, PayoutId};
use crate::payments::{Entries, EntryPage, Listed, ListedPayout, PayoutPage, Strange};
use chrono::{DateTime, Utc};
use miniserde::Deserialize;
use serde::Serialize;
use stripe_client_core::{RequestBuilder, StripeMethod};

/// Transactions a page: with their expanded sources some 400 KiB, below the longest answer that is read.
const PAGE: u32 = 100;

const WRONG_MODE: &str = "test money beside live money";
const WRONG_CURRENCY: &str = "a currency that no rally here can have";

#[derive(Serialize)]
struct Query<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<Since>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payout: Option<&'a str>,
    limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    starting_after: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    expand: &'a [&'a str],
}

#[derive(Serialize)]
struct Since {
    gte: i64,
}

#[derive(Deserialize)]
struct Page<T> {
    data: Option<Vec<T>>,
    has_more: Option<bool>,
}

#[derive(Deserialize)]
struct Transaction {
    id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    reporting_category: Option<String>,
    amount: Option<i64>,
    fee: Option<i64>,
    currency: Option<String>,
    created: Option<i64>,
    available_on: Option<i64>,
    source: Option<Expandable<Source>>,
}

/// A charge, a refund, a dispute or a payout: what the transaction is of.
#[derive(Deserialize)]
struct Source {
    id: Option<String>,
    object: Option<String>,
    amount: Option<i64>,
    currency: Option<String>,
    livemode: Option<bool>,
    metadata: Option<Metadata>,
    payment_intent: Option<Expandable<Identified>>,
    charge: Option<Expandable<ChargeShape>>,
}

#[derive(Deserialize)]
struct PayoutShape {
    id: Option<String>,
    amount: Option<i64>,
    currency: Option<String>,
    created: Option<i64>,
    arrival_date: Option<i64>,
    status: Option<String>,
    automatic: Option<bool>,
    livemode: Option<bool>,
    /// Not in older API versions, where an automatic payout knows at once what is in it.
    reconciliation_status: Option<String>,
}

#[derive(Deserialize)]
struct Account {
    id: Option<String>,
}

/// Whose account the key opens; `None` where there is no such answer.
pub async fn account(client: &Pooled) -> Result<Option<String>, CallError> {
    let call = RequestBuilder::new(StripeMethod::Get, "/account");
    match call.customize::<Account>().send(client).await {
        Ok(account) => account.id.ok_or(Missing("id")).map(Some).map_err(super::unclear),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// One page of the balance, the newest first; `None` where there is no such list.
pub async fn entries(
    client: &Pooled,
    which: Entries<'_>,
    after: Option<&str>,
    live: bool,
) -> Result<Option<EntryPage>, CallError> {
    let (created, payout) = match which {
        Entries::Since(gte) => (Some(Since { gte }), None),
        Entries::Of(payout) => (None, Some(payout)),
    };
    let query = Query { created, payout, limit: PAGE, starting_after: after, expand: &["data.source"] };
    let call = RequestBuilder::new(StripeMethod::Get, "/balance_transactions").query(&query);
    let Some((found, more)) = page::<Transaction>(client, call, after).await? else { return Ok(None) };
    let mut page = EntryPage::default();
    for transaction in &found {
        match transaction.listed(live).map_err(super::unclear)? {
            Ok(listed) => page.entries.push(listed),
            Err(strange) => page.strange.push(strange),
        }
    }
    page.next = next(found.last().and_then(|last| last.id.as_ref()), more)?;
    Ok(Some(page))
}

/// One page of the payouts, the newest first; `None` where there is no such list.
pub async fn payouts(
    client: &Pooled,
    since: i64,
    after: Option<&str>,
    live: bool,
) -> Result<Option<PayoutPage>, CallError> {
    let created = Some(Since { gte: since });
    let query = Query { created, payout: None, limit: PAGE, starting_after: after, expand: &[] };
    let call = RequestBuilder::new(StripeMethod::Get, "/payouts").query(&query);
    let Some((found, more)) = page::<PayoutShape>(client, call, after).await? else { return Ok(None) };
    let mut page = PayoutPage::default();
    for payout in &found {
        match payout.listed(live).map_err(super::unclear)? {
            Ok(listed) => page.payouts.push(listed),
            Err(strange) => page.strange.push(strange),
        }
    }
    page.next = next(found.last().and_then(|last| last.id.as_ref()), more)?;
    Ok(Some(page))
}

/// What a page holds, and whether there is another.
async fn page<T: Deserialize + Send + 'static>(
    client: &Pooled,
    call: RequestBuilder,
    after: Option<&str>,
) -> Result<Option<(Vec<T>, bool)>, CallError> {
    match call.customize::<Page<T>>().send(client).await {
        Ok(Page { data, has_more }) => {
            let data = data.ok_or(Missing("data")).map_err(super::unclear)?;
            Ok(Some((data, has_more.unwrap_or_default())))
        }
        // Later pages of a list that is there can't be absent.
        Err(error) if after.is_none() && is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn next(last: Option<&String>, more: bool) -> Result<Option<String>, CallError> {
    if !more {
        return Ok(None);
    }
    last.cloned().ok_or(Missing("id")).map(Some).map_err(super::unclear)
}

fn is_absent(error: &CallError) -> bool {
    matches!(error, CallError::Refused { status, .. } if status.as_u16() == 404)
}

impl Transaction {
    fn listed(&self, live: bool) -> Result<Result<Listed, Strange>, Missing> {
        let name = self.id.clone().ok_or(Missing("id"))?;
        let source = Expandable::object(&self.source);
        let donation = donation(source.and_then(|source| source.metadata.as_ref()));
        if source.and_then(|source| source.livemode).is_some_and(|livemode| livemode != live) {
            return Ok(Err(Strange { name, donation, why: WRONG_MODE }));
        }
        let currency = self.currency.as_deref();
        let (Ok(amount), Ok(fee)) = (money(self.amount, currency), money(self.fee.or(Some(0)), currency)) else {
            return Ok(Err(Strange { name, donation, why: WRONG_CURRENCY }));
        };
        let kind = self.kind();
        let of_source = || source.and_then(|source| source.id.clone());
        let reference = match kind {
            Kind::Payment => None,
            Kind::Refund
            | Kind::RefundReversed
            | Kind::Dispute
            | Kind::DisputeReversed
            | Kind::Return
            | Kind::Payout
            | Kind::Fee
            | Kind::Other => of_source().or_else(|| self.source.as_ref()?.name().map(String::from)),
        };
        let entry = Entry {
            entry: EntryId(name),
            kind,
            donation,
            payment: source.and_then(Source::payment).map(PaymentId),
            reference,
            amount,
            fee,
            at: instant(self.created)?,
            available: instant(self.available_on).ok(),
        };
        let paid = source.and_then(|source| money(source.amount, source.currency.as_deref()).ok());
        Ok(Ok(Listed { entry, paid }))
    }

    /// <https://docs.stripe.com/reports/balance-transaction-types>
    fn kind(&self) -> Kind {
        let of_dispute = || {
            let source = Expandable::object(&self.source);
            source.and_then(|source| source.object.as_deref()) == Some("dispute")
        };
        match self.kind.as_deref().unwrap_or_default() {
            "charge" | "payment" => Kind::Payment,
            "refund" | "payment_refund" => Kind::Refund,
            "refund_failure" => Kind::RefundReversed,
            "payment_failure_refund" | "payment_reversal" => Kind::Return,
            "adjustment" => match self.reporting_category.as_deref() {
                Some("dispute") => Kind::Dispute,
                Some("dispute_reversal") => Kind::DisputeReversed,
                // API versions before 2018 have no such word.
                None if of_dispute() && self.amount.is_some_and(|amount| amount < 0) => Kind::Dispute,
                None if of_dispute() => Kind::DisputeReversed,
                Some(_) | None => Kind::Other,
            },
            "stripe_fee" | "stripe_fx_fee" | "tax_fee" | "network_cost" => Kind::Fee,
            "payout" | "payout_cancel" | "payout_failure" => Kind::Payout,
            _ => Kind::Other,
        }
    }
}

impl Source {
    fn payment(&self) -> Option<String> {
        let of_charge = || Expandable::object(&self.charge)?.payment();
        Expandable::id(&self.payment_intent).or_else(of_charge)
    }
}

impl PayoutShape {
    fn listed(&self, live: bool) -> Result<Result<ListedPayout, Strange>, Missing> {
        let name = self.id.clone().ok_or(Missing("id"))?;
        if self.livemode.is_some_and(|livemode| livemode != live) {
            return Ok(Err(Strange { name, donation: None, why: WRONG_MODE }));
        }
        let Ok(amount) = money(self.amount, self.currency.as_deref()) else {
            return Ok(Err(Strange { name, donation: None, why: WRONG_CURRENCY }));
        };
        let standing = match self.status.as_deref().unwrap_or_default() {
            "paid" => Standing::Paid,
            "failed" => Standing::Failed,
            "canceled" => Standing::Canceled,
            // `pending`, `in_transit`, and what the future calls a payout that is not over.
            _ => Standing::Pending,
        };
        let created = instant(self.created)?;
        let payout = PayoutRecorded {
            // Whoever asked knows whose account it is.
            committee: CommitteeId::FIRST,
            payout: PayoutId(name),
            amount,
            created,
            arrival: instant(self.arrival_date).unwrap_or(created).date_naive(),
            standing,
            automatic: self.automatic.unwrap_or(true),
        };
        let settled = !matches!(self.reconciliation_status.as_deref(), Some("in_progress" | "not_applicable"));
        Ok(Ok(ListedPayout { is_composed: payout.automatic && settled, payout }))
    }
}

fn instant(seconds: Option<i64>) -> Result<DateTime<Utc>, Missing> {
    seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0)).ok_or(Missing("an instant"))
}
