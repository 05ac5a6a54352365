//! Stripe's list of its events: <https://docs.stripe.com/api/events/list>.

use super::client::{CallError, Pooled};
use super::events::KINDS;
use super::shapes::Missing;
use crate::payments::EventPage;
use miniserde::json::{self, Value};
use serde::Serialize;
use stripe_client_core::{RequestBuilder, StripeMethod};

/// Events a page: most are 4 KiB, and a page must stay below the longest answer that is read.
const PAGE: u32 = 50;

// Stripe filters by 20 kinds at most: <https://docs.stripe.com/api/events/list>.
const _: () = assert!(KINDS.len() <= 20);

#[derive(Serialize)]
struct Query<'a> {
    created: Since,
    limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    starting_after: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    types: Option<&'a [&'a str]>,
}

#[derive(Serialize)]
struct Since {
    gte: i64,
}

#[derive(miniserde::Deserialize)]
struct Listed {
    data: Option<Vec<Value>>,
    has_more: Option<bool>,
}

/// One page, the newest first. `only_ours` asks for the kinds that are read here, which a stand-in may not know how to.
pub async fn page(client: &Pooled, since: i64, after: Option<&str>, only_ours: bool) -> Result<EventPage, CallError> {
    let types = only_ours.then_some(KINDS);
    let query = Query { created: Since { gte: since }, limit: PAGE, starting_after: after, types };
    let call = RequestBuilder::new(StripeMethod::Get, "/events").query(&query);
    let listed: Listed = call.customize().send(client).await?;
    let data = listed.data.ok_or(Missing("data")).map_err(super::unclear)?;
    let more = listed.has_more.unwrap_or_default();
    let next = match data.last().filter(|_| more) {
        None => None,
        Some(last) => Some(id(last).ok_or(Missing("id")).map_err(super::unclear)?),
    };
    Ok(EventPage { events: data.iter().map(|event| json::to_string(event).into_bytes()).collect(), next })
}

fn id(event: &Value) -> Option<String> {
    let Value::Object(event) = event else { return None };
    match event.get("id")? {
        Value::String(id) => Some(id.clone()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
