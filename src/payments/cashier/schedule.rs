//! Recurring gifts on their days: what is due is recorded as a donation of its own, and then charged like any other.
//!
//! Nothing is charged before the processor's list of events was read since the start: a log that was restored from a backup
//! does not know what was paid after it, and the list does.

use super::{Cashier, Standing, Trouble};
use crate::domain::donation;
use crate::domain::id::{DonationId, PlanId};
use crate::domain::plan::{self, Step, Why};
use crate::domain::{Command, Refusal};
use crate::engine::Failure;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// How often days are looked at: what a restart at midnight costs nobody notices, and a look is a pass over the plans.
const EVERY: Duration = Duration::from_secs(10);
/// Plans taken up in one round, one after another: a processor's answer takes about a second, and the rest has the next round.
const ROUND_MAX: usize = 100;

/// What the schedule knows.
#[derive(Default)]
pub(super) struct Schedule {
    /// Whether the processor's list was read since the start, or it keeps none.
    told: AtomicBool,
    /// Whether all of that was taken in.
    ready: AtomicBool,
    /// Where the last round ended: one plan that can't be gone on with must not keep the others waiting.
    last: Mutex<Option<PlanId>>,
    /// A first gift is there, and the donor looks at the page that says when the next is.
    begun: Notify,
}

impl Schedule {
    /// The processor's list was read.
    pub(super) fn is_told(&self) {
        self.told.store(true, Ordering::Release);
    }
}

impl Cashier {
    /// Looks again and again, until dropped.
    pub(super) async fn keep_schedule(&self) {
        loop {
            if self.may_charge() {
                self.charge_due(self.engine.clock().now()).await;
            }
            tokio::select! {
                biased;
                () = self.schedule.begun.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Looks at once where a gift of a plan has settled.
    pub(super) fn tell_schedule(&self, donation: DonationId) {
        if self.engine.world().state.plans.of_donation(donation).is_some() {
            self.schedule.begun.notify_one();
        }
    }

    fn may_charge(&self) -> bool {
        let Schedule { told, ready, .. } = &*self.schedule;
        if !ready.load(Ordering::Acquire) && told.load(Ordering::Acquire) {
            let waits = self.engine.world().state.inbox.waiting_of(self.committee).next().is_some();
            ready.store(!waits, Ordering::Release);
        }
        ready.load(Ordering::Acquire)
    }

    /// Takes up every plan for which something is to be done at `now`, a round of them.
    pub async fn charge_due(&self, now: DateTime<Utc>) {
        for (id, step) in self.due(now) {
            if let Err(trouble) = self.take(id, step, now).await {
                tracing::warn!(plan = %id, %trouble, "a recurring gift could not be gone on with");
            }
        }
    }

    fn due(&self, now: DateTime<Utc>) -> Vec<(PlanId, Step)> {
        let world = self.engine.world();
        let first = |plan: &plan::Plan| world.state.donations.get(plan.gifts.first()?.donation);
        let mine = |(_, plan): &(PlanId, &plan::Plan)| first(plan).is_none_or(|gift| gift.committee == self.committee);
        let plans = world.state.plans.iter().filter(mine);
        let steps = plans.filter_map(|(id, _)| Some((id, plan::step(&world.state, id, now)?)));
        let steps: BTreeMap<PlanId, Step> = steps.collect();
        drop(world);
        let mut last = self.schedule.last.lock();
        let behind = steps.range((last.map_or(Unbounded, Excluded), Unbounded));
        let rest = steps.iter().take_while(|(id, _)| last.is_some_and(|last| **id <= last));
        let round: Vec<_> = behind.chain(rest).map(|(id, step)| (*id, *step)).take(ROUND_MAX).collect();
        *last = round.last().map(|(id, _)| *id);
        round
    }

    async fn take(&self, id: PlanId, step: Step, now: DateTime<Utc>) -> Result<(), Trouble> {
        let known = {
            let world = self.engine.world();
            let plan = world.state.plans.get(id);
            let zone = plan.and_then(|plan| world.state.rallies.get(plan.rally));
            zone.zip(plan).map(|(rally, plan)| (rally.details.day_of(now), plan.gifts.len()))
        };
        let Some((today, gifts)) = known else { return Ok(()) };
        match step {
            Step::Learn(donation) => self.learn_saved(id, donation).await,
            Step::Resume => {
                self.change_plan(plan::Command::Resume { plan: id, today }, format!("resume:{id}:{today}")).await
            }
            Step::End(why) => self.end(id, why).await,
            Step::Pay(donation) => self.pay_instalment(id, donation).await,
            Step::Renew => {
                self.change_plan(plan::Command::Renew { plan: id, today }, format!("renew:{id}:{gifts}:{today}"))
                    .await?;
                let open = self.engine.world().state.plans.get(id).and_then(plan::Plan::open);
                match open {
                    Some(donation) => self.pay_instalment(id, donation).await,
                    None => Ok(()),
                }
            }
        }
    }

    async fn change_plan(&self, command: plan::Command, key: String) -> Result<(), Trouble> {
        self.engine.execute(Command::Plan(command), key, "schedule").await?;
        Ok(())
    }

    async fn end(&self, plan: PlanId, why: Why) -> Result<(), Trouble> {
        self.change_plan(plan::Command::End { plan, why }, format!("end-plan:{plan}")).await
    }

    async fn learn_saved(&self, plan: PlanId, donation: DonationId) -> Result<(), Trouble> {
        let payment = self.engine.world().ledger.settled(donation).map(|row| row.payment.0.clone());
        let Some(payment) = payment else { return Ok(()) };
        let saved = self.processor.saved(&payment).await?;
        let command = plan::Command::RecordSaved { plan, donation, saved };
        self.change_plan(command, format!("saved:{donation}:{payment}")).await
    }

    async fn pay_instalment(&self, plan: PlanId, donation: DonationId) -> Result<(), Trouble> {
        match self.charge_saved(donation).await {
            Ok(
                Standing::Settled
                | Standing::Processing
                | Standing::InLine { .. }
                | Standing::Action { .. }
                | Standing::Checkout { .. }
                | Standing::Held
                | Standing::TurnedAway,
            ) => Ok(()),
            Ok(Standing::Open { .. }) => {
                tracing::info!(%plan, %donation, "an instalment was declined");
                Ok(())
            }
            // Somebody gave elsewhere since it was renewed.
            Err(Trouble::Failure(Failure::Refused(Refusal::Donation(donation::Refusal::OverLimit(_))))) => {
                self.end(plan, Why::Limit).await
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// Charges the card that is kept, as [`Cashier::pay`] does one that is offered.
    async fn charge_saved(&self, donation: DonationId) -> Result<Standing, Trouble> {
        let (attempts, in_flight) = self.attempts(donation);
        if let Some(waiting) = in_flight.filter(|attempt| attempt.waits_for_donor) {
            let standing = self.give_up(donation, waiting).await?;
            if !matches!(standing, Standing::Open { .. }) {
                return Ok(standing);
            }
        }
        let attempt = (donation, attempts.saturating_add(1));
        self.begin(attempt, donation::Command::ChargeSaved { donation }, "schedule").await
    }
}
