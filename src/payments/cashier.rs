//! Between the ledger and a processor: intent into the log, then the call, then its outcome into the log.
//!
//! Charges go through one line ([`charges`]), so that a crowd does not run into the processor's limits. Whatever is interrupted
//! between call and outcome is taken up again ([`overdue`]): the processor is asked once more with the same key, so that
//! nothing is charged or refunded twice and nothing stays unknown.

mod audit;
mod books;
mod cards;
mod catch_up;
mod charges;
mod checkout;
mod fees;
mod held;
mod line;
mod overdue;
mod schedule;
mod webhooks;

use super::notice::settled;
use super::{Fault, Mode, Outcome, Processor, Refund, RefundOutcome, WebhookRefusal};
use super::{Repeats, refund_key};
use crate::domain::donation::{self, Attempt};
use crate::domain::id::{CommitteeId, DonationId, PaymentId, PersonId, ProcessorRefundId, RefundId};
use crate::domain::money::Money;
use crate::domain::{Command, Refusal, refund};
use crate::engine::{Engine, Failure, Receipt};
use crate::projections::Projections;
use crate::vault;
pub use books::{BooksRead, BooksSaid};
use cards::Cards;
pub use catch_up::CaughtUp;
use charges::Till;
pub use checkout::Handover;
use checkout::Visits;
use chrono::{DateTime, Utc};
use line::Refused;
pub use overdue::LOST_AFTER;
use overdue::{Open, Overdue};
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
    /// The donor's turn comes: the payment company takes so many a second.
    InLine {
        /// Those before, whose payment is not through.
        ahead: u32,
        /// About how long, in seconds; at least 1.
        seconds: u32,
    },
    /// The outcome is not known yet.
    Processing,
    /// A person of the campaign looks at it before a card is wanted.
    Held,
    /// A person of the campaign decided against it.
    TurnedAway,
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
    #[error(
        "so many people are giving right now that the line is full. Nothing was charged; please try again in some minutes"
    )]
    LineFull,
}

/// A handle: cheap to clone.
#[derive(Clone)]
pub struct Cashier {
    engine: Engine,
    /// Whose money it takes: of other committees' gifts it sees nothing.
    committee: CommitteeId,
    processor: Arc<dyn Processor>,
    webhook_came: Arc<Notify>,
    fees: Arc<(mpsc::Sender<WithoutFee>, Mutex<mpsc::Receiver<WithoutFee>>)>,
    till: Arc<Till>,
    overdue: Arc<parking_lot::Mutex<Overdue>>,
    visits: Arc<Visits>,
    cards: Arc<Cards>,
    /// Until when the processor's list was read, held by whoever reads it.
    read_until: Arc<Mutex<Option<DateTime<Utc>>>>,
    desk: Arc<books::Desk>,
    schedule: Arc<schedule::Schedule>,
}

/// A settled payment whose fee the processor has not said yet.
type WithoutFee = (DonationId, String);

impl Cashier {
    /// Takes the first committee's money through `processor`, into the engine's ledger.
    pub fn new(engine: Engine, processor: Arc<dyn Processor>) -> Self {
        Self::of(engine, CommitteeId::FIRST, processor)
    }

    /// Takes a committee's money through `processor`, whose account is that committee's.
    pub fn of(engine: Engine, committee: CommitteeId, processor: Arc<dyn Processor>) -> Self {
        let (to_learn, waiting) = mpsc::channel(FEES_WAITING_MAX);
        let fees = Arc::new((to_learn, Mutex::new(waiting)));
        let till = Arc::new(Till::new(processor.calls_per_second()));
        let (webhook_came, overdue, visits, cards) = (Arc::default(), Arc::default(), Arc::default(), Arc::default());
        let (read_until, desk, schedule) = (Arc::default(), Arc::default(), Arc::default());
        Self {
            engine,
            committee,
            processor,
            webhook_came,
            fees,
            till,
            overdue,
            visits,
            cards,
            read_until,
            desk,
            schedule,
        }
    }

    /// Whose money it takes.
    pub fn committee(&self) -> CommitteeId {
        self.committee
    }

    /// What tells this committee's keys from those of the first, which have no mark.
    fn mark(&self) -> String {
        if self.committee.is_first() { String::new() } else { format!("{}:", self.committee) }
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
                return match self.till.hold((donation, attempt.number)) {
                    Ok(held) => self.charge(held, false).await,
                    Err(Refused::Here) => self.wait((donation, attempt.number)).await,
                    Err(Refused::Full) => Ok(Standing::Processing),
                };
            }
            let standing = self.give_up(donation, attempt).await?;
            if !matches!(standing, Standing::Open { .. }) {
                return Ok(standing);
            }
        }
        if let Some(refused) = self.refuse_worn(&method).await {
            return Ok(refused);
        }
        // Whoever began an attempt since that was read has this very key: theirs is gone on with, and no second begun
        // beside it.
        let attempt = attempts.saturating_add(1);
        let command = donation::Command::RequestPayment { donation, method };
        let begun = self.begin((donation, attempt), command, &format!("donor:{donation}")).await;
        self.or_held(donation, begun).await
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
            let answer = self.heard(donation, answer).await;
            return self.or_later(donation, answer).await;
        }
        Ok(self.standing(donation))
    }

    /// How the payment stands, asking the processor where only it knows what the donor's browser needs.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn look(&self, donation: DonationId) -> Result<Standing, Trouble> {
        if let Some(held) = self.hold_back(donation).await? {
            return Ok(held);
        }
        if let Some(payment) = self.waiting_for_donor(donation) {
            let answer = self.looked_up(donation, &payment.0).await;
            return self.or_later(donation, answer).await;
        }
        self.look_at_checkout(donation).await
    }

    /// A processor that wants fewer calls is asked again by the next look.
    async fn or_later(&self, donation: DonationId, answer: Result<Outcome, Fault>) -> Result<Standing, Trouble> {
        match answer {
            Ok(outcome) => self.record(donation, outcome).await,
            Err(Fault::Throttled { .. }) => Ok(Standing::Processing),
            Err(
                fault @ (Fault::Unknown { .. } | Fault::NotOurs { .. } | Fault::Barred { .. } | Fault::Rejected { .. }),
            ) => Err(fault.into()),
        }
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

    /// Gives money back that one person asked for and a second one, this, approves.
    ///
    /// # Errors
    /// As [`Self::refund`].
    pub async fn approve_refund(&self, donation: DonationId, refund: RefundId, by: PersonId) -> Result<(), Trouble> {
        let command = Command::Refund(refund::Command::Approve(refund::Approved { donation, refund, by }));
        // A key of each person's own: whoever comes second is told so.
        self.engine.execute(command, format!("approve-refund:{refund}:{by}"), &format!("staff:{by}")).await?;
        self.ask_refund(donation, refund).await
    }

    /// Serves the line, interprets webhooks as they come, reads the processor's list for those that did not, learns fees and
    /// takes up what was left open, until shut down. Each goes its own way: a processor that does not answer one of them must
    /// not keep the total from rising.
    pub async fn run(&self, shutdown: CancellationToken) {
        self.take_back_all(self.engine.clock().now());
        let interpret = async {
            loop {
                while self.interpret_waiting().await {}
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
                self.take_up(self.engine.clock().now()).await;
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
            _ = async {
                tokio::join!(
                    self.serve(false),
                    interpret,
                    resolve,
                    learn,
                    self.ask_fees(),
                    self.keep_up(),
                    self.keep_schedule()
                )
            } => {}
        }
    }

    /// Takes up attempts and refunds whose outcome was never recorded, where they are stale at `now`, and sees the line to its
    /// end.
    pub async fn resolve(&self, now: DateTime<Utc>) {
        self.take_up(now).await;
        self.serve(true).await;
    }

    /// Puts charges back into the line, and asks outright for what has a name.
    async fn take_up(&self, now: DateTime<Utc>) {
        let due = {
            let world = self.engine.world();
            let attempt = |donation| world.state.donations.get(donation)?.in_flight.as_deref();
            self.visits.retain(|donation, number| attempt(donation).is_some_and(|attempt| attempt.number == number));
            let open = world.ledger.unfinished().filter_map(|unfinished| {
                let known = world.state.donations.get(unfinished.donation)?;
                (known.committee == self.committee).then(|| Open::new(unfinished, known))
            });
            self.overdue.lock().round(open, now)
        };
        due.charges.into_iter().for_each(|attempt| self.till.take_back(attempt));
        for donation in due.asks {
            if let Err(trouble) = self.ask_for(donation).await {
                tracing::warn!(%donation, %trouble, "what became of a payment or a refund is still not known");
            }
        }
    }

    async fn ask_for(&self, donation: DonationId) -> Result<(), Trouble> {
        let (attempt, refunds) = {
            let world = self.engine.world();
            let Some(known) = world.state.donations.get(donation) else { return Ok(()) };
            let refunds: Vec<_> = known.waiting_refunds().map(|(refund, _)| refund).collect();
            (known.in_flight.as_deref().cloned(), refunds)
        };
        if let Some(attempt) = attempt.as_ref().filter(|attempt| attempt.is_at_checkout()) {
            self.resolve_checkout(donation, attempt).await;
        }
        let mut first_trouble = Ok(());
        if let Some(payment) = attempt.and_then(|attempt| attempt.payment) {
            first_trouble = match self.looked_up(donation, &payment.0).await {
                Ok(outcome) => self.record(donation, outcome).await.map(|_| ()),
                Err(fault) => Err(fault.into()),
            };
        }
        for refund in refunds {
            first_trouble = first_trouble.and(self.ask_refund(donation, refund).await);
        }
        first_trouble
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
        let (outcome, worn) = self.note_card(donation, outcome);
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
            Outcome::Declined { payment, code, reason, fingerprint: _ } => {
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
        if let Some(worn) = worn {
            self.flag(worn).await;
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
        // The answer to the charge may have said it meanwhile.
        let is_known = self
            .engine
            .world()
            .ledger
            .payment(donation, &PaymentId(payment.into()))
            .is_some_and(|row| row.fee.is_some());
        if is_known {
            return;
        }
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
        if let Some(held) = held::standing(&world, donation).filter(|_| known.in_flight.is_none()) {
            return held;
        }
        match (&known.in_flight, &known.decline) {
            (Some(attempt), _) if attempt.is_at_checkout() => Standing::Checkout { url: None },
            (Some(attempt), _) => self.place(donation, attempt.number).unwrap_or(Standing::Processing),
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
