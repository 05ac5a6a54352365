//! Webhooks: stored as they come, answered, and only then understood.

use super::audit::foreign;
use super::{Cashier, Trouble};
use crate::domain::Command;
use crate::domain::id::{DonationId, NoticeId, PaymentId};
use crate::domain::inbox::{self, Received};
use crate::domain::seals::NOTICE;
use crate::engine::Failure;
use crate::payments::{Notice, WEBHOOK_BYTES_MAX, Webhook, WebhookRefusal};
use futures_util::StreamExt as _;

/// Webhooks interpreted in one round: a round stays short, and the rest has the next.
const INTERPRET_MAX: usize = 200;
/// Webhooks interpreted at a time: those of a tenth of a second in a rush share their syncs.
const INTERPRET_AT_ONCE: usize = 64;
/// How far a stored webhook may unpack: the largest that is accepted.
const WEBHOOK_UNPACKED_MAX: usize = WEBHOOK_BYTES_MAX;
/// A sealed webhook must fit one line of the log; compressed, Stripe's are below 3 KiB.
const WEBHOOK_PACKED_MAX: usize = 30 * 1024;

impl Cashier {
    /// Takes a webhook in: verified, stored, acknowledged; interpreted afterwards.
    ///
    /// # Errors
    /// [`Trouble::Webhook`] where it is not to be believed; otherwise the sender should try again.
    pub async fn receive(&self, body: &[u8], signature: &str) -> Result<(), Trouble> {
        let webhook = match self.processor.verify_webhook(body, signature, self.engine.clock().now().timestamp()) {
            Ok(webhook) => webhook,
            Err(refusal) => {
                self.turned_away(&refusal).await?;
                return Err(refusal.into());
            }
        };
        self.store(webhook, body).await
    }

    /// Keeps an event that is to be believed, and sees to it that it is interpreted.
    pub(super) async fn store(&self, webhook: Webhook, body: &[u8]) -> Result<(), Trouble> {
        let packed = zstd::bulk::compress(body, 3).map_err(Trouble::Pack)?;
        if packed.len() > WEBHOOK_PACKED_MAX {
            return Err(WebhookRefusal::TooLarge.into());
        }
        let notice = NoticeId(webhook.event_id);
        // The donor is known only after interpretation, so the seal has a name of its own, made from the notice's.
        let sealed_for = self.engine.vault().person_id(&format!("webhook:{notice}"));
        let body = self.engine.vault().seal(sealed_for, NOTICE, &packed)?;
        let key = format!("webhook:{notice}");
        let received = Received { committee: self.committee, notice, what: webhook.kind, sealed_for, body };
        self.engine.execute(Command::Inbox(inbox::Command::Receive(received)), key, "processor").await?;
        self.webhook_came.notify_one();
        Ok(())
    }

    /// Takes the meaning of all stored webhooks into the ledger, for whoever waits for it; those that can't be taken in now
    /// stay.
    pub async fn interpret_all(&self) {
        let waiting = || self.engine.world().state.inbox.waiting_of(self.committee).count();
        let mut before = waiting();
        while before > 0 {
            self.interpret_waiting().await;
            let after = waiting();
            if after >= before {
                return;
            }
            before = after;
        }
    }

    /// Takes the meaning of stored webhooks into the ledger, in any order: it comes out the same. Whether more wait that this
    /// round had no room for.
    pub(super) async fn interpret_waiting(&self) -> bool {
        let waiting: Vec<Received> = {
            let world = self.engine.world();
            world.state.inbox.waiting_of(self.committee).take(INTERPRET_MAX).cloned().collect()
        };
        let is_full = waiting.len() >= INTERPRET_MAX;
        // Their order does not matter, and each waits for the disk twice.
        let interpret = |received| async move { self.interpret_one(&received).await };
        let read = futures_util::stream::iter(waiting).map(interpret).buffer_unordered(INTERPRET_AT_ONCE);
        // Where none could be read, the next try has time.
        read.fold(false, async |any, is_read| any | is_read).await && is_full
    }

    /// Whether it waits no longer.
    async fn interpret_one(&self, received: &Received) -> bool {
        let notice = &received.notice;
        match self.interpret(received).await {
            Ok(outcome) => {
                let command = inbox::Command::MarkInterpreted { notice: notice.clone(), outcome };
                let told =
                    self.engine.execute(Command::Inbox(command), format!("interpreted:{notice}"), "server").await;
                if let Err(failure) = &told {
                    tracing::warn!(%notice, %failure, "a webhook stays to be interpreted");
                }
                told.is_ok()
            }
            Err(trouble) => {
                tracing::warn!(%notice, %trouble, "a webhook stays to be interpreted");
                false
            }
        }
    }

    async fn interpret(&self, received: &Received) -> Result<String, Trouble> {
        let opened = self.engine.vault().unseal(received.sealed_for, NOTICE, &received.body)?;
        let Some(packed) = opened else { return Ok("erased".into()) };
        let body = zstd::bulk::decompress(&packed, WEBHOOK_UNPACKED_MAX).map_err(Trouble::Pack)?;
        let notices = match self.processor.interpret(&body) {
            Ok(notices) => notices,
            Err(fault) => return Ok(format!("not understood: {fault}")),
        };
        if notices.is_empty() {
            return Ok("not about a donation".into());
        }
        let mut outcomes = vec![];
        for (number, notice) in notices.into_iter().enumerate() {
            if let Some(donation) = self.of_another_committee(&notice) {
                let why = "a gift to another committee than the account's";
                self.find(foreign(&received.notice.0, Some(donation), why)).await?;
                outcomes.push(format!("refused: {why}"));
                continue;
            }
            let key = format!("notice:{}:{number}", received.notice);
            let without_fee = match &notice {
                Notice::Settled { donation, payment, fee: None, .. } => Some((*donation, payment.clone())),
                Notice::Renewed(_)
                | Notice::Settled { .. }
                | Notice::Processing { .. }
                | Notice::Declined { .. }
                | Notice::CheckoutClosed { .. }
                | Notice::Refunded { .. }
                | Notice::RefundFailed { .. }
                | Notice::Disputed(_)
                | Notice::Returned(_) => None,
            };
            match self.engine.execute(Command::Donation(notice.into_command()), key, "processor").await {
                Ok(receipt) if receipt.count == 0 => outcomes.push("known already".to_owned()),
                Ok(_) => {
                    outcomes.push("recorded".to_owned());
                    if let Some((donation, payment)) = without_fee {
                        // Where too many wait, the fee stays unknown and finance sees that it is.
                        let _ = self.fees.0.try_send((donation, payment));
                    }
                }
                Err(Failure::Refused(refusal)) => {
                    self.refused(&received.notice, &refusal).await?;
                    outcomes.push(format!("refused: {refusal}"));
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(outcomes.join("; "))
    }

    /// The donation that a notice is about, where its money is another committee's: an account has no say in that.
    fn of_another_committee(&self, notice: &Notice) -> Option<DonationId> {
        let world = self.engine.world();
        let of_payment = |payment: &str| world.state.donations.of_payment(&PaymentId(payment.into()));
        let donation = match notice {
            Notice::Renewed(told) => world.state.plans.get(told.plan)?.gifts.first().map(|first| first.donation),
            Notice::Settled { donation, .. }
            | Notice::Processing { donation, .. }
            | Notice::Declined { donation, .. }
            | Notice::CheckoutClosed { donation, .. } => Some(*donation),
            Notice::Refunded { payment, .. } | Notice::RefundFailed { payment, .. } => of_payment(payment),
            Notice::Disputed(news) => of_payment(&news.payment.0),
            Notice::Returned(news) => of_payment(&news.payment.0),
        }?;
        let known = world.state.donations.get(donation)?;
        (known.committee != self.committee).then_some(donation)
    }
}
