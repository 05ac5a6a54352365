//! The processor's own page: asked for, gone on with, left for a card here, and closed.
//!
//! Its address is told after its name is in the log and the attempt still waits for it. So a page whose name never came can't
//! be paid on by anybody, and its attempt may end without a question; one that has a name ends only by the processor's word.

use super::{Cashier, Standing, Trouble, repeats_of};
use crate::domain::donation::{self, Attempt, CheckoutClosed};
use crate::domain::id::{CheckoutId, DonationId};
use crate::payments::checkout::{Checkout, Hosted, OPEN_SECONDS, Visit};
use crate::payments::{Fault, Outcome, checkout_key};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// How often an open page is looked up unasked. Webhooks and the list of events tell of it as well, and a thousand donors on
/// such pages are three calls a second.
const VISIT_EVERY: Duration = Duration::from_secs(5 * 60);

/// What the processor's page is told by ours.
#[derive(Clone)]
pub struct Handover {
    /// What the donor reads beside the amount.
    pub title: String,
    /// The donor's e-mail address.
    pub email: String,
    /// Where the donor goes who has paid.
    pub paid_href: String,
    /// Where the donor goes who has not.
    pub back_href: String,
}

/// When open pages were last looked up, or first seen.
#[derive(Default)]
pub(super) struct Visits(Mutex<HashMap<(DonationId, u32), Instant>>);

impl Visits {
    fn is_due(&self, donation: DonationId, attempt: u32) -> bool {
        let mut visits = self.0.lock();
        let last = visits.entry((donation, attempt)).or_insert_with(Instant::now);
        let due = last.elapsed() >= VISIT_EVERY;
        if due {
            *last = Instant::now();
        }
        due
    }

    /// Forgets every attempt that is not in flight any more.
    pub(super) fn retain(&self, is_in_flight: impl Fn(DonationId, u32) -> bool) {
        self.0.lock().retain(|(donation, attempt), _| is_in_flight(*donation, *attempt));
    }
}

impl Cashier {
    /// Leads a donor to a page of the processor's own: to the one they have begun on, or to a new one.
    ///
    /// # Errors
    /// [`Trouble`]: a refusal changes nothing.
    pub async fn check_out(&self, donation: DonationId, handover: &Handover) -> Result<Standing, Trouble> {
        if self.standing(donation) == Standing::Settled {
            return Ok(Standing::Settled);
        }
        let (attempts, in_flight) = self.attempts(donation);
        if let Some(attempt) = in_flight {
            let standing = match (attempt.is_at_checkout(), &attempt.checkout) {
                (true, Some(checkout)) => self.visit(donation, attempt.number, checkout).await?,
                // Asked for before, and not heard of: the same page, under the same key.
                (true, None) => return self.keep_page(donation, handover).await,
                (false, _) if attempt.waits_for_donor => self.give_up(donation, attempt).await?,
                (false, _) => return Ok(self.standing(donation)),
            };
            if !matches!(standing, Standing::Open { .. }) {
                return Ok(standing);
            }
        }
        // As in `pay`: whoever began an attempt since has this very key, and theirs is gone on with.
        let attempt = attempts.saturating_add(1);
        let command = donation::Command::RequestPayment { donation, method: donation::CHECKOUT.into() };
        match self.tell(command, format!("pay:{donation}:{attempt}"), &format!("donor:{donation}")).await {
            Ok(_) => self.keep_page(donation, handover).await,
            Err(trouble) => self.or_held(donation, Err(trouble)).await,
        }
    }

    /// Has the processor keep the page of the attempt in flight.
    async fn keep_page(&self, donation: DonationId, handover: &Handover) -> Result<Standing, Trouble> {
        let Some(asked) = self.checkout_of(donation, handover) else { return Ok(self.standing(donation)) };
        let answer = self.processor.checkout(&asked).await;
        match self.heard(donation, answer).await {
            Ok(Hosted { checkout, url }) => {
                let checkout = CheckoutId(checkout);
                let (attempt, key) = (asked.attempt, format!("checkout-opened:{donation}:{}", asked.attempt));
                let command = donation::Command::RecordCheckoutOpened { donation, attempt, checkout: checkout.clone() };
                self.tell(command, key, "processor").await?;
                // Given up meanwhile, it must not be paid on: nobody learns where it is.
                let waits = self.in_flight(donation).filter(|attempt| attempt.number == asked.attempt);
                let is_kept = waits.is_some_and(|attempt| attempt.checkout == Some(checkout));
                Ok(if is_kept { Standing::Checkout { url: Some(url) } } else { self.standing(donation) })
            }
            Err(fault @ (Fault::Unknown { .. } | Fault::NotOurs { .. })) => {
                tracing::warn!(%donation, %fault, "the processor's page is not known yet");
                Ok(Standing::Checkout { url: None })
            }
            Err(fault) => {
                tracing::error!(%donation, %fault, "the processor keeps no page");
                let reason = match fault {
                    Fault::Throttled { .. } => {
                        "Very many people are giving right now. Nothing was charged; try again in a moment."
                    }
                    Fault::Rejected { .. } | Fault::Barred { .. } | Fault::Unknown { .. } | Fault::NotOurs { .. } => {
                        "The payment company’s page did not open. Nothing was charged; try again, or use the card fields."
                    }
                };
                self.end_checkout(donation, asked.attempt, None, "not_opened", Some(reason.into())).await
            }
        }
    }

    /// How the processor's page stands, for the donor who looks at ours; where the processor does not say, as the log has it.
    pub(super) async fn look_at_checkout(&self, donation: DonationId) -> Result<Standing, Trouble> {
        let attempt = self.in_flight(donation).filter(Attempt::is_at_checkout);
        let Some((number, checkout)) = attempt.and_then(|attempt| Some((attempt.number, attempt.checkout?))) else {
            return Ok(self.standing(donation));
        };
        match self.visit(donation, number, &checkout).await {
            Err(Trouble::Fault(fault)) => {
                tracing::warn!(%donation, %fault, "the processor does not say how its page stands");
                Ok(self.standing(donation))
            }
            looked => looked,
        }
    }

    /// The donor wants to pay here after all: the page is closed first.
    pub(super) async fn leave_checkout(&self, donation: DonationId, attempt: Attempt) -> Result<Standing, Trouble> {
        let Some(checkout) = attempt.checkout else {
            return self.end_checkout(donation, attempt.number, None, "left", None).await;
        };
        match self.processor.close_checkout(&checkout.0).await? {
            Visit::Closed { .. } => self.end_checkout(donation, attempt.number, Some(checkout), "left", None).await,
            visit @ (Visit::Open { .. } | Visit::Used(_)) => {
                self.take_visit(donation, attempt.number, checkout, visit).await
            }
        }
    }

    /// Takes up a page that was long not heard of.
    pub(super) async fn resolve_checkout(&self, donation: DonationId, attempt: &Attempt) {
        let resolved = match &attempt.checkout {
            Some(_) if !self.visits.is_due(donation, attempt.number) => return,
            Some(checkout) => self.visit(donation, attempt.number, checkout).await,
            None => {
                let reason = "The payment company’s page did not open. Nothing was charged. You can start again.";
                self.end_checkout(donation, attempt.number, None, "not_opened", Some(reason.into())).await
            }
        };
        if let Err(trouble) = resolved {
            tracing::warn!(%donation, %trouble, "a page of the processor's own is still open");
        }
    }

    async fn visit(&self, donation: DonationId, attempt: u32, checkout: &CheckoutId) -> Result<Standing, Trouble> {
        let visit = self.processor.look_up_checkout(&checkout.0).await?;
        self.take_visit(donation, attempt, checkout.clone(), visit).await
    }

    async fn take_visit(
        &self,
        donation: DonationId,
        attempt: u32,
        checkout: CheckoutId,
        visit: Visit,
    ) -> Result<Standing, Trouble> {
        match visit {
            Visit::Open { url } => Ok(Standing::Checkout { url: Some(url) }),
            Visit::Closed { code, reason } => {
                self.end_checkout(donation, attempt, Some(checkout), &code, Some(reason)).await
            }
            // The page is used up, and the payment on it came to nothing: a debit that the bank did not pay.
            Visit::Used(outcome @ Outcome::Declined { .. }) => {
                let Outcome::Declined { code, reason, .. } = &outcome else { return Ok(self.standing(donation)) };
                let (code, reason) = (code.clone(), reason.clone());
                self.record(donation, outcome).await?;
                self.end_checkout(donation, attempt, Some(checkout), &code, Some(reason)).await
            }
            Visit::Used(outcome) => self.record(donation, outcome).await,
        }
    }

    async fn end_checkout(
        &self,
        donation: DonationId,
        attempt: u32,
        checkout: Option<CheckoutId>,
        code: &str,
        reason: Option<String>,
    ) -> Result<Standing, Trouble> {
        let page = checkout.as_ref().map_or("", |checkout| checkout.0.as_str());
        let key = format!("checkout-closed:{donation}:{attempt}:{page}");
        let closed = CheckoutClosed { donation, attempt, checkout, code: code.into(), reason };
        self.tell(donation::Command::RecordCheckoutClosed(closed), key, "processor").await?;
        Ok(self.standing(donation))
    }

    /// The attempt in flight, and what the processor is asked for it; `None` where it has a page, or is of another kind.
    fn checkout_of(&self, donation: DonationId, handover: &Handover) -> Option<Checkout> {
        let world = self.engine.world();
        let known = world.state.donations.get(donation)?;
        let attempt = known.in_flight.as_ref().filter(|attempt| attempt.is_at_checkout())?;
        let rally = world.state.rallies.get(known.rally)?.details.slug.clone();
        let Handover { title, email, paid_href, back_href } = handover.clone();
        Some(Checkout {
            donation,
            attempt: attempt.number,
            amount: known.amount,
            key: checkout_key(donation, attempt.number),
            rally,
            repeats: repeats_of(&world, donation, attempt),
            title,
            email,
            paid_href,
            back_href,
            closes_at: attempt.since.timestamp().saturating_add(OPEN_SECONDS),
        })
    }
}
