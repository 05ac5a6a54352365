//! A processor for demos and tests, in this program: no card, no money, and nothing that looks like either.

use super::card_form::{CardForm, Choice};
use super::{Charge, Fault, Mode, Notice, Outcome, Processor, Refund, RefundOutcome, Webhook, WebhookRefusal};
use async_trait::async_trait;

/// Settles at once.
pub const METHOD_OK: &str = "simulated_ok";
/// Is declined.
pub const METHOD_DECLINED: &str = "simulated_declined";
/// Asks the donor once, then settles.
pub const METHOD_ACTION: &str = "simulated_action";
/// Asks the donor once, then is declined.
pub const METHOD_ACTION_FAILED: &str = "simulated_action_failed";

const CHOICES: &[Choice] = &[
    Choice { method: METHOD_OK, label: "A card that works" },
    Choice { method: METHOD_DECLINED, label: "A card that is declined" },
    Choice { method: METHOD_ACTION, label: "A card whose bank asks you to confirm" },
    Choice { method: METHOD_ACTION_FAILED, label: "A card whose bank asks, and then says no" },
];

/// The simulated processor.
#[derive(Debug, Default)]
pub struct Simulated;

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

    async fn charge(&self, _charge: &Charge) -> Result<Outcome, Fault> {
        Err(Fault::Unknown { cause: "not built".into() })
    }

    async fn look_up(&self, _payment: &str) -> Result<Outcome, Fault> {
        Err(Fault::Unknown { cause: "not built".into() })
    }

    async fn cancel(&self, _payment: &str) -> Result<Outcome, Fault> {
        Err(Fault::Unknown { cause: "not built".into() })
    }

    async fn refund(&self, _refund: &Refund) -> Result<RefundOutcome, Fault> {
        Err(Fault::Unknown { cause: "not built".into() })
    }

    fn verify_webhook(&self, _body: &[u8], _signature: &str, _now: i64) -> Result<Webhook, WebhookRefusal> {
        Err(WebhookRefusal::Unsupported)
    }

    fn interpret(&self, _body: &[u8]) -> Result<Vec<Notice>, Fault> {
        Ok(Vec::new())
    }
}
