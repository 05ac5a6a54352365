//! Between the ledger and a processor: intent into the log, then the call, then its outcome into the log.
//!
//! Whatever is interrupted between the two is taken up again by [`Cashier::resolve`]: it asks the processor once more with
//! the same key, so that nothing is charged or refunded twice and nothing stays unknown.

mod asks;
mod audit;
mod books;
mod catch_up;
mod checkout;
mod fees;
mod overdue;
mod schedule;
mod webhooks;

use super::notice::settled;
use super::{Charge, Fault, Mode, Outcome, Processor, Refund, RefundOutcome, WebhookRefusal};
use super::{Repeats, charge_key, refund_key};
use crate::domain::donation::{self, Attempt};
use crate::domain::id::{DonationId, PaymentId, ProcessorRefundId, RefundId};
use crate::domain::money::Money;
use crate::domain::{Command, Refusal};
use crate::engine::{Engine, Failure, Receipt};
use crate::projections::Projections;
use crate::vault;
use asks::Asks;
pub use books::{BooksRead, BooksSaid};
pub use catch_up::CaughtUp;
pub use checkout::Handover;
use checkout::Visits;
use chrono::{DateTime, Utc};
pub use overdue::LOST_AFTER;
use overdue::Overdue;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{Mutex, Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// How often unfinished business is looked for; what a lost answer costs a donor at most.
const RESOLVE_EVERY: Duration = Duration::from_secs(10);
/// Payments whose fee waits to be learned; the look-ups go one after another.
const FEES_WAITING_MAX: usize = 10_000;
/// How a donation's payment stands, for the donor.
#[derive(Clone, PartialEq, Eq)]
pub enum Standing {
    /// A card is wanted; why the last one failed, if one did.
    Open {
        /// In plain words.
        declined: Option<String>,
    },
    /// The donor's bank asks the donor.
    Action {
        /// For the donor's browser only.
        client_secret: String,
    },
    /// The donor pays on a page of the processor's own.
    Checkout {
        /// Where, for the donor's browser only; `None` where the processor was not asked or gave no answer.
        url: Option<String>,
    },
    /// The outcome is not known yet.
    Processing,
    /// The money is there.
    Settled,
}

/// Why the cashier has no answer.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum Trouble {
    #[error(transparent)]
    Failure(#[from] Failure),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Webhook(#[from] WebhookRefusal),
    #[error(transparent)]
    Vault(#[from] vault::Fault),
    #[error("a webhook could not be packed: {0}")]
    Pack(std::io::Error),
}

/// A handle: cheap to clone.
#[derive(Clone)]
pub struct Cashier {
    engine: Engine,
    processor: Arc<dyn Processor>,
    webhook_came: Arc<Notify>,
    fees: Arc<(mpsc::Sender<WithoutFee>, Mutex<mpsc::Receiver<WithoutFee>>)>,
    asks: Arc<Asks>,
    overdue: Arc<parking_lot::Mutex<Overdue>>,
    visits: Arc<Visits>,
    /// Until when the processor's list was read, held by whoever reads it.
    read_until: Arc<Mutex<Option<DateTime<Utc>>>>,
    desk: Arc<books::Desk>,
    schedule: Arc<schedule::Schedule>,
}

/// A settled payment whose fee the processor has not said yet.
type WithoutFee = (DonationId, String);

impl Cashier {
    /// Takes money through `processor`, into the engine's ledger.
    pub fn new(engine: Engine, processor: Arc<dyn Processor>) -> Self {
        let (to_learn, waiting) = mpsc::channel(FEES_WAITING_MAX);
        let fees = Arc::new((to_learn, Mutex::new(waiting)));
        let (webhook_came, asks, overdue) = (Arc::default(), Arc::default(), Arc::default());
        let (visits, read_until, desk, schedule) = (Arc::default(), Arc::default(), Arc::default(), Arc::default());
        Self { engine, processor, webhook_came, fees, asks, overdue, visits, read_until, desk, schedule }
    }

    /// The processor.
    pub fn processor(&self) -> &Arc<dyn Processor> {
        &self.processor
    }

    /// Tries one card for a donation.
    ///
    /// # Errors
    /// [`Trouble`]: a refusal changes nothing; after a fault the donation is [`Standing::Processing`] or open again.
    pub async fn pay(&self, donation: DonationId, method: String) -> Result<Standing, Trouble> {
        if method.len() > super::METHOD_BYTES_MAX || method == donation::CHECKOUT {
            return Err(Failure::from(Refusal::from(donation::Refusal::MethodMissing)).into());
        }
        if self.standing(donation) == Standing::Settled {
            return Ok(Standing::Settled);
        }
        let (attempts, in_flight) = self.attempts(donation);
        if let Some(attempt) = in_flight {
            if attempt.method == method && !attempt.waits_for_donor {
                // The page sends again what it got no answer to: the same attempt, under the same key.
                return self.charge(donation).await;
            }
            match self.give_up(donation, attempt).await? {
                Standing::Open { .. } => {}
                standing @ (Standing::Action { .. }
                | Standing::Checkout { .. }
                | Standing::Processing
                | Standing::Settled) => return Ok(standing),
            }
        }
        // Whoever began an attempt since that was read has this very key: theirs is gone on with, and no second begun
        // beside it.
        let attempt = attempts.saturating_add(1);
        let command = donation::Command::RequestPayment { donation, method };
        let told = self.tell(command, format!("pay:{donation}:{attempt}"), &format!("donor:{donation}")).await?;
        if !told.repeated {
            self.asks.begin((donation, attempt));
        }
        self.charge(donation).await
    }

    /// Gives up an attempt that waits for the donor, who came back with another card: the old payment must not settle beside
    /// the new one. Anything but [`Standing::Open`] is what it has come to instead.
    async fn give_up(&self, donation: DonationId, attempt: Attempt) -> Result<Standing, Trouble> {
        if attempt.is_at_checkout() {
            return self.leave_checkout(donation, attempt).await;
        }
        let waiting = attempt.payment.filter(|_| attempt.waits_for_donor);
        let waiting = waiting.ok_or_else(|| Failure::from(Refusal::from(donation::Refusal::InFlight)))?;
        let answer = self.processor.cancel(&waiting.0).await;
        let outcome = self.heard(donation, answer).await?;
        self.record(donation, outcome).await
    }

    /// The donor's browser says that the bank was asked; the processor is asked whether that is so.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn confirmed(&self, donation: DonationId) -> Result<Standing, Trouble> {
        if let Some(payment) = self.waiting_for_donor(donation) {
            let answer = self.processor.confirmed(&payment.0).await;
            let outcome = self.heard(donation, answer).await?;
            return self.record(donation, outcome).await;
        }
        Ok(self.standing(donation))
    }

    /// How the payment stands, asking the processor where only it knows what the donor's browser needs.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn look(&self, donation: DonationId) -> Result<Standing, Trouble> {
        if let Some(payment) = self.waiting_for_donor(donation) {
            let outcome = self.looked_up(donation, &payment.0).await?;
            return self.record(donation, outcome).await;
        }
        self.look_at_checkout(donation).await
    }

    /// Gives money back.
    ///
    /// # Errors
    /// [`Trouble`]: a refusal changes nothing; after a fault the refund is asked for again by itself.
    pub async fn refund(&self, donation: DonationId, refund: RefundId, amount: Money, by: &str) -> Result<(), Trouble> {
        let command = donation::Command::RequestRefund { donation, refund, amount };
        self.tell(command, format!("refund:{refund}"), by).await?;
        self.ask_refund(donation, refund).await
    }

    /// Interprets webhooks as they come, reads the processor's list for those that did not, learns fees and resolves what
    /// was left open, until shut down. Each goes its own
    /// way: a processor that does not answer one of them must not keep the total from rising.
    pub async fn run(&self, shutdown: CancellationToken) {
        let interpret = async {
            loop {
                self.interpret_waiting().await;
                tokio::select! {
                    // In this order and not in a random one: a simulation repeats itself.
                    biased;
                    () = self.webhook_came.notified() => {}
                    () = tokio::time::sleep(RESOLVE_EVERY) => {}
                }
            }
        };
        let resolve = async {
            loop {
                self.resolve(self.engine.clock().now()).await;
                tokio::time::sleep(RESOLVE_EVERY).await;
            }
        };
        let learn = async {
            let mut to_learn = self.fees.1.lock().await;
            while let Some((donation, payment)) = to_learn.recv().await {
                self.learn_fee(donation, &payment).await;
            }
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            _ = async { tokio::join!(interpret, resolve, learn, self.ask_fees(), self.keep_up(), self.keep_schedule()) } => {}
        }
    }

    /// Takes up attempts and refunds whose outcome was never recorded, where they are stale at `now`.
    pub async fn resolve(&self, now: DateTime<Utc>) {
        let (attempts, refunds) = {
            let world = self.engine.world();
            let known = |donation| world.state.donations.get(donation);
            let number =
                |donation| known(donation).and_then(|known| known.in_flight.as_ref()).map(|attempt| attempt.number);
            self.asks.retain(|donation, asked| number(donation) == Some(asked));
            self.visits.retain(|donation, visited| number(donation) == Some(visited));
            let unfinished = world.ledger.unfinished();
            let unfinished = unfinished.map(|id| (id, known(id.donation).map_or(0, |donation| donation.attempts)));
            let (mut attempts, mut refunds) = (vec![], vec![]);
            for id in self.overdue.lock().round(unfinished, now) {
                let Some(donation) = known(id) else { continue };
                if donation.in_flight.is_some() {
                    attempts.push(id);
                }
                refunds.extend(donation.waiting_refunds().map(|(refund, _)| (id, refund)));
            }
            (attempts, refunds)
        };
        for donation in attempts {
            let in_flight = self.in_flight(donation);
            if let Some(attempt) = in_flight.as_ref().filter(|attempt| attempt.is_at_checkout()) {
                self.resolve_checkout(donation, attempt).await;
                continue;
            }
            let result = match in_flight.and_then(|attempt| attempt.payment) {
                Some(payment) => match self.looked_up(donation, &payment.0).await {
                    Ok(outcome) => self.record(donation, outcome).await.map(|_| ()),
                    Err(fault) => Err(fault.into()),
                },
                None => self.charge(donation).await.map(|_| ()),
            };
            if let Err(trouble) = result {
                tracing::warn!(%donation, %trouble, "a payment's outcome is still not known");
            }
        }
        for (donation, refund) in refunds {
            if let Err(trouble) = self.ask_refund(donation, refund).await {
                tracing::warn!(%donation, %refund, %trouble, "a refund's outcome is still not known");
            }
        }
    }

    async fn charge(&self, donation: DonationId) -> Result<Standing, Trouble> {
        let Some((attempt, charge)) = self.asks.ask(|| self.charge_of(donation)) else {
            return Ok(self.standing(donation));
        };
        let answer = self.processor.charge(&charge).await;
        let fault = match self.heard(donation, answer).await {
            Ok(outcome) => return self.record(donation, outcome).await,
            Err(fault) => fault,
        };
        let is_over = match &fault {
            Fault::Unknown { .. } | Fault::NotOurs { .. } => false,
            Fault::Throttled { .. } | Fault::Barred { .. } => self.asks.is_refused((donation, attempt)),
            Fault::Rejected { .. } => true,
        };
        if !is_over {
            // Nobody knows whether it happened: it stays in flight, and `resolve` asks again with the same key.
            tracing::warn!(%donation, %fault, "the processor gave no clear answer");
            return Ok(Standing::Processing);
        }
        // Nothing happened: the attempt ends, and the donor may try again.
        tracing::error!(%donation, %fault, "the processor took no payment");
        let reason = match &fault {
            Fault::Throttled { .. } => {
                "Very many people are giving right now. Nothing was charged; try again in a moment."
            }
            Fault::Rejected { .. } | Fault::Barred { .. } | Fault::Unknown { .. } | Fault::NotOurs { .. } => {
                "The payment company did not accept this. Nothing was charged; try again, or use another card."
            }
        };
        let outcome = Outcome::Declined { payment: None, code: "not_taken".into(), reason: reason.into() };
        self.record(donation, outcome).await
    }

    async fn ask_refund(&self, donation: DonationId, refund: RefundId) -> Result<(), Trouble> {
        let request = {
            let world = self.engine.world();
            let known = world.state.donations.get(donation);
            let request = known.and_then(|donation| donation.waiting_refunds().find(|(id, _)| *id == refund));
            request.map(|(_, request)| (request.payment.clone(), request.amount))
        };
        let Some((payment, amount)) = request else { return Ok(()) };
        let asked = Refund { refund, donation, payment: payment.0.clone(), amount, key: refund_key(refund) };
        let answer = self.processor.refund(&asked).await;
        let outcome = match self.heard(donation, answer).await {
            Ok(outcome) => outcome,
            Err(Fault::Rejected { code, .. }) => RefundOutcome::Failed { processor_refund: None, code },
            Err(fault) => return Err(fault.into()),
        };
        match outcome {
            RefundOutcome::Settled { processor_refund, amount } => {
                let processor_refund = ProcessorRefundId(processor_refund);
                let key = format!("refunded:{processor_refund}");
                let command =
                    donation::Command::RecordRefunded { payment, processor_refund, refund: Some(refund), amount };
                self.tell(command, key, "processor").await.map(|_| ())
            }
            RefundOutcome::Pending { .. } => Ok(()),
            RefundOutcome::Failed { processor_refund: Some(processor_refund), code } => {
                let key = format!("refund-failure:{processor_refund}");
                let processor_refund = ProcessorRefundId(processor_refund);
                let news = donation::RefundFailureNews { payment, processor_refund, refund: Some(refund), code };
                self.tell(donation::Command::RecordRefundFailure(news), key, "processor").await.map(|_| ())
            }
            RefundOutcome::Failed { processor_refund: None, code } => {
                let command = donation::Command::RecordRefundFailed { donation, refund, reason: code };
                self.tell(command, format!("refund-failed:{refund}"), "processor").await.map(|_| ())
            }
        }
    }

    /// Puts what the processor said into the ledger.
    async fn record(&self, donation: DonationId, outcome: Outcome) -> Result<Standing, Trouble> {
        if let Outcome::Settled { payment, amount, .. } = &outcome {
            self.check_currency(donation, payment, *amount).await?;
        }
        let (command, key, standing) = match outcome {
            Outcome::Settled { payment, amount, fee, card } => {
                let key = format!("settled:{payment}:{}", fee.is_some());
                (settled(donation, payment, amount, fee, card), key, Standing::Settled)
            }
            Outcome::NeedsAction { payment, client_secret } => {
                let key = format!("action:{payment}");
                let command = donation::Command::RecordAction { donation, payment: PaymentId(payment) };
                (command, key, Standing::Action { client_secret })
            }
            Outcome::Processing { payment } => {
                let key = format!("processing:{payment}");
                let command = donation::Command::RecordProcessing { donation, payment: PaymentId(payment) };
                (command, key, Standing::Processing)
            }
            Outcome::Declined { payment, code, reason } => {
                let number = self.in_flight(donation).map_or(0, |attempt| attempt.number);
                let key = format!("declined:{donation}:{number}:{}", payment.as_deref().unwrap_or_default());
                let standing = Standing::Open { declined: Some(reason.clone()) };
                let payment = payment.map(PaymentId);
                (donation::Command::RecordDeclined { donation, payment, code, reason }, key, standing)
            }
        };
        self.tell(command, key, "processor").await?;
        if standing == Standing::Settled {
            self.tell_schedule(donation);
        }
        Ok(standing)
    }

    /// Money in another currency than was pledged is not booked.
    async fn check_currency(&self, donation: DonationId, payment: &str, amount: Money) -> Result<(), Fault> {
        let pledged = self.engine.world().state.donations.get(donation).map(|known| known.amount.currency);
        if pledged.is_none_or(|pledged| pledged == amount.currency) {
            return Ok(());
        }
        let why = "another currency than was pledged";
        self.heard(donation, Err(Fault::NotOurs { payment: payment.into(), why })).await
    }

    /// Webhooks do not say what the processor keeps; asking for the payment does. The gift counts either way.
    async fn learn_fee(&self, donation: DonationId, payment: &str) {
        let looked = match self.looked_up(donation, payment).await {
            Ok(outcome) => self.record(donation, outcome).await.map(|_| ()),
            Err(fault) => Err(fault.into()),
        };
        if let Err(trouble) = looked {
            tracing::warn!(%donation, %trouble, "a fee is not known yet");
        }
    }

    async fn looked_up(&self, donation: DonationId, payment: &str) -> Result<Outcome, Fault> {
        let answer = self.processor.look_up_of(payment, donation).await;
        self.heard(donation, answer).await
    }

    async fn tell(&self, command: donation::Command, key: String, by: &str) -> Result<Receipt, Trouble> {
        Ok(self.engine.execute(Command::Donation(command), key, by).await?)
    }

    /// The attempt in flight, and what the processor is asked for it.
    fn charge_of(&self, donation: DonationId) -> Option<((DonationId, u32), (u32, Charge))> {
        let world = self.engine.world();
        let known = world.state.donations.get(donation)?;
        let attempt = known.in_flight.as_ref().filter(|attempt| attempt.method != donation::CHECKOUT)?;
        let rally = world.state.rallies.get(known.rally)?.details.slug.clone();
        let (number, method) = (attempt.number, attempt.method.clone());
        let repeats = repeats_of(&world, donation, attempt);
        let (amount, key) = (known.amount, charge_key(donation, number));
        let charge = Charge { donation, amount, key, method, rally, repeats };
        Some(((donation, number), (number, charge)))
    }

    fn in_flight(&self, donation: DonationId) -> Option<Attempt> {
        self.engine.world().state.donations.get(donation)?.in_flight.as_deref().cloned()
    }

    fn waiting_for_donor(&self, donation: DonationId) -> Option<PaymentId> {
        self.in_flight(donation).filter(|attempt| attempt.waits_for_donor)?.payment
    }

    /// How many attempts were begun, and the one whose outcome is not known, as of one instant.
    fn attempts(&self, donation: DonationId) -> (u32, Option<Attempt>) {
        let world = self.engine.world();
        let known = world.state.donations.get(donation);
        known.map_or((0, None), |known| (known.attempts, known.in_flight.as_deref().cloned()))
    }

    /// How the ledger sees the payment.
    pub fn standing(&self, donation: DonationId) -> Standing {
        let world = self.engine.world();
        let Some(known) = world.state.donations.get(donation) else { return Standing::Open { declined: None } };
        if known.settled_minor() > 0 {
            return Standing::Settled;
        }
        match (&known.in_flight, &known.decline) {
            (Some(attempt), _) if attempt.is_at_checkout() => Standing::Checkout { url: None },
            (Some(_), _) => Standing::Processing,
            (None, Some(decline)) => Standing::Open { declined: Some(decline.reason.clone()) },
            (None, None) => Standing::Open { declined: None },
        }
    }

    /// What this ledger's money is worth.
    pub fn mode(&self) -> Mode {
        self.processor.mode()
    }
}

/// Which gift of a recurring one an attempt is to pay.
fn repeats_of(world: &Projections, donation: DonationId, attempt: &Attempt) -> Option<Repeats> {
    let (plan, known) = world.state.plans.of_donation(donation)?;
    let gift = known.gift(donation)?;
    Some(Repeats { plan, number: gift.number, due: gift.due, customer: attempt.customer.clone() })
}
