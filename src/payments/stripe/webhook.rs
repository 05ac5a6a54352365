//! Whether a webhook is Stripe's: <https://docs.stripe.com/webhooks/signature>.

use crate::payments::{SIGNATURE_BYTES_MAX, WEBHOOK_BYTES_MAX, Webhook, WebhookRefusal};
use miniserde::Deserialize;
use tracing::subscriber::{NoSubscriber, with_default};

/// What every event has, whatever its kind and API version.
#[derive(Debug, Deserialize)]
struct Envelope {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    livemode: bool,
    /// The connected account that an event comes from; absent from those of the account itself.
    account: Option<String>,
}

/// Checks signature, age (5 minutes either way), mode and account.
///
/// # Errors
/// [`WebhookRefusal`].
pub fn verify(body: &[u8], signature: &str, secret: &str, live: bool, now: i64) -> Result<Webhook, WebhookRefusal> {
    if body.len() > WEBHOOK_BYTES_MAX || signature.len() > SIGNATURE_BYTES_MAX {
        return Err(WebhookRefusal::TooLarge);
    }
    let text = std::str::from_utf8(body).map_err(|_| WebhookRefusal::NotAnEvent)?;
    // The library also reads the whole event into its own types and logs an error for every shape it does not know,
    // which is no error for us: its log goes nowhere for this call.
    let checked = with_default(NoSubscriber::new(), || {
        stripe_webhook::Webhook::construct_event_with_timestamp(text, signature, secret, now)
    });
    match checked {
        // A body it can't parse has passed both checks before: it comes from Stripe.
        Ok(_) | Err(stripe_webhook::WebhookError::BadParse(_)) => {}
        Err(stripe_webhook::WebhookError::BadTimestamp(signed)) => {
            return Err(WebhookRefusal::Stale { seconds_off: now.saturating_sub(signed) });
        }
        Err(
            stripe_webhook::WebhookError::BadKey
            | stripe_webhook::WebhookError::BadHeader(_)
            | stripe_webhook::WebhookError::BadSignature,
        ) => return Err(WebhookRefusal::BadSignature),
    }
    read(body, live)
}

/// Checks mode and account of an event that comes from Stripe.
///
/// # Errors
/// [`WebhookRefusal`].
pub fn read(body: &[u8], live: bool) -> Result<Webhook, WebhookRefusal> {
    let text = std::str::from_utf8(body).map_err(|_| WebhookRefusal::NotAnEvent)?;
    let envelope: Envelope = miniserde::json::from_str(text).map_err(|_| WebhookRefusal::NotAnEvent)?;
    if envelope.livemode != live {
        return Err(WebhookRefusal::WrongMode { livemode: envelope.livemode });
    }
    if let Some(account) = envelope.account {
        return Err(WebhookRefusal::OtherAccount { account });
    }
    Ok(Webhook { event_id: envelope.id, kind: envelope.kind, livemode: envelope.livemode })
}
