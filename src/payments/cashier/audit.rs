//! What does not fit: made known as an event and on a page, never as a line in a log alone.

use super::{Cashier, Trouble};
use crate::domain::audit::{self, Finding, What};
use crate::domain::id::{DonationId, EntryId, MismatchId, NoticeId, PayoutId};
use crate::domain::{Command, Refusal, donation};
use crate::engine::Failure;
use crate::payments::{Fault, Strange, WebhookRefusal};
use crate::projections::Projections;
use crate::projections::ledger::Row;
use std::collections::HashSet;

impl Cashier {
    /// Records a difference, once; whether it was new.
    pub(super) async fn find(&self, finding: Finding) -> Result<bool, Trouble> {
        let mismatch = finding.mismatch.clone();
        // Agreed since and found again is found anew: the key says when.
        let key = format!("found:{mismatch}:{}", self.engine.clock().now().timestamp_micros());
        match self.engine.execute(Command::Audit(audit::Command::Find(finding)), key, "server").await {
            Ok(receipt) if receipt.count > 0 => {
                tracing::warn!(%mismatch, "the ledger and the processor's books differ: see /finance/reconciliation");
                Ok(true)
            }
            Ok(_) => Ok(false),
            Err(Failure::Refused(refusal)) => {
                tracing::warn!(%mismatch, %refusal, "a difference is not kept");
                Ok(false)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Passes an answer on; one that is not for this ledger is made known.
    pub(super) async fn heard<T>(&self, donation: DonationId, answer: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(Fault::NotOurs { payment, why }) = &answer {
            let found = self.find(foreign(payment, Some(donation), why)).await;
            if let Err(trouble) = found {
                tracing::warn!(%trouble, payment, why, "an answer that is not for this ledger was not noted");
            }
        }
        answer
    }

    /// Makes an event known that is not for this ledger: another account's, or of another kind of money.
    pub(super) async fn turned_away(&self, refusal: &WebhookRefusal) -> Result<(), Trouble> {
        // One for each cause: whoever sends one such event sends thousands.
        let (reference, why) = match refusal {
            WebhookRefusal::WrongMode { livemode: true } => {
                ("livemode", "live money, and this ledger holds test money")
            }
            WebhookRefusal::WrongMode { livemode: false } => {
                ("livemode", "test money, and this ledger holds live money")
            }
            WebhookRefusal::OtherAccount { account } => (account.as_str(), "events of another account"),
            WebhookRefusal::BadSignature
            | WebhookRefusal::Stale { .. }
            | WebhookRefusal::NotAnEvent
            | WebhookRefusal::TooLarge
            | WebhookRefusal::Unsupported => return Ok(()),
        };
        self.find(foreign(reference, None, why)).await.map(|_| ())
    }

    /// Makes known that the rules refused what the processor told of a donation.
    pub(super) async fn refused(&self, notice: &NoticeId, refusal: &Refusal) -> Result<(), Trouble> {
        // Refunds and disputes of another program's payments; there may be any number.
        if matches!(refusal, Refusal::Donation(donation::Refusal::TooManyUnmatched)) {
            return Ok(());
        }
        let said = Some(refusal.to_string());
        let finding = Finding { said, ..finding(What::Refused, &notice.0) };
        self.find(finding).await.map(|_| ())
    }

    pub(super) async fn strange(&self, strange: Strange) -> Result<bool, Trouble> {
        self.find(foreign(&strange.name, strange.donation, strange.why)).await
    }

    /// Settles what a reading finds right by now; how many.
    pub(super) async fn settle_agreed(&self) -> Result<u64, Trouble> {
        let agreed: Vec<MismatchId> = {
            let world = self.engine.world();
            let unseen: HashSet<String> = world.ledger.unseen().map(absent_name).collect();
            let open = world.state.audit.open().map(|open| &open.finding);
            open.filter(|finding| agrees(finding, &world, &unseen)).map(|finding| finding.mismatch.clone()).collect()
        };
        let mut settled = 0_u64;
        for mismatch in agreed {
            let key = format!("agreed:{mismatch}:{}", self.engine.clock().now().timestamp_micros());
            let command = Command::Audit(audit::Command::Settle { mismatch, note: None });
            match self.engine.execute(command, key, "server").await {
                Ok(_) => settled = settled.saturating_add(1),
                // A person was quicker.
                Err(Failure::Refused(_)) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(settled)
    }
}

pub(super) fn finding(what: What, reference: &str) -> Finding {
    let reference: String = reference.chars().take(audit::TEXT_CHARS_MAX / 2).collect();
    let word = match what {
        What::Unknown => "unknown",
        What::Absent => "absent",
        What::Amount => "amount",
        What::Fee => "fee",
        What::PayoutSum => "payout",
        What::Foreign => "foreign",
        What::Refused => "refused",
    };
    let mismatch = MismatchId(format!("{word}:{reference}"));
    Finding { mismatch, what, reference, donation: None, ours: None, theirs: None, said: None }
}

pub(super) fn foreign(reference: &str, donation: Option<DonationId>, why: &str) -> Finding {
    Finding { donation, said: Some(why.into()), ..finding(What::Foreign, reference) }
}

/// A row the processor's books lack; a refund and its reversal have one reference, so the row's number tells them apart.
pub(super) fn absent(row: &Row) -> Finding {
    let reference = row.reference.as_deref().unwrap_or(&row.payment.0);
    let (mismatch, donation) = (MismatchId(absent_name(row)), Some(row.donation));
    Finding { mismatch, donation, ours: Some(row.amount), ..finding(What::Absent, reference) }
}

fn absent_name(row: &Row) -> String {
    format!("absent:{}", row.seq)
}

/// Whether both sides say the same by now. What a payment or fee was told as never changes: those wait for a person.
fn agrees(finding: &Finding, world: &Projections, unseen: &HashSet<String>) -> bool {
    match finding.what {
        What::Unknown => finding.donation.is_some_and(|donation| {
            world.state.donations.get(donation).is_some()
                && !world.ledger.awaits(donation, &EntryId(finding.reference.clone()))
        }),
        What::Absent => !unseen.contains(&finding.mismatch.0),
        What::PayoutSum => {
            let payout = world.state.books.payout(&PayoutId(finding.reference.clone()));
            payout.is_some_and(|payout| payout.agrees())
        }
        What::Amount | What::Fee | What::Foreign | What::Refused => false,
    }
}
