//! One dispute. Its money moves when the processor withdraws it and when it reinstates it, not when somebody asks for it
//! or decides about it.

use super::super::event::Event;
use super::Owner;
use super::event::{DisputeClosed, DisputeMoved, DisputeNews, DisputeOpened, DisputeRevised, Movement};
use crate::domain::id::{DisputeId, PaymentId};
use crate::domain::money::Money;
use chrono::serde::ts_microseconds_option;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// How a dispute ended. A later one in this order is believed over an earlier one, whichever was told first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was never more than a question.
    Dropped,
    /// The donor keeps the money.
    Lost,
    /// We keep it.
    Won,
}

/// Money of a dispute that moved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    /// What the processor took for it, where it said so.
    pub fee: Option<Money>,
}

/// What is known of a dispute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dispute {
    /// How much is asked for.
    pub amount: Money,
    /// The processor's code.
    pub reason: String,
    /// Until when evidence may be handed in.
    #[serde(with = "ts_microseconds_option")]
    pub due_by: Option<DateTime<Utc>>,
    /// Its money was withdrawn from us.
    pub withdrawn: Option<Moved>,
    /// Its money was given back to us.
    pub reinstated: Option<Moved>,
    /// How it ended.
    pub closed: Option<Outcome>,
}

impl Dispute {
    /// What it holds or took, in minor units.
    pub fn held_minor(&self) -> i64 {
        match (self.withdrawn, self.reinstated) {
            (Some(_), None) => self.amount.minor,
            (None, Some(_)) => self.amount.minor.saturating_neg(),
            (None, None) | (Some(_), Some(_)) => 0,
        }
    }

    pub(super) fn of(news: &DisputeNews) -> Self {
        Self {
            amount: news.amount,
            reason: news.reason.clone(),
            due_by: news.due_by,
            withdrawn: news.withdrawn.then_some(Moved { fee: news.withdrawal_fee }),
            reinstated: news.reinstated.then_some(Moved { fee: news.reinstatement_fee }),
            closed: news.closed,
        }
    }

    pub(super) fn opened(opened: &DisputeOpened) -> Self {
        let (amount, reason, due_by) = (opened.amount, opened.reason.clone(), opened.due_by);
        Self { amount, reason, due_by, withdrawn: None, reinstated: None, closed: None }
    }

    /// Takes in how it stands; whether anything of that was new.
    pub(super) fn learn(&mut self, news: &DisputeNews) -> bool {
        let before = self.clone();
        let told = Self::of(news);
        self.due_by = self.due_by.max(told.due_by);
        self.withdrawn = join(self.withdrawn, told.withdrawn);
        self.reinstated = join(self.reinstated, told.reinstated);
        self.closed = self.closed.max(told.closed);
        *self != before
    }

    pub(super) fn news(&self, payment: &PaymentId, id: &DisputeId) -> DisputeNews {
        DisputeNews {
            payment: payment.clone(),
            dispute: id.clone(),
            amount: self.amount,
            reason: self.reason.clone(),
            due_by: self.due_by,
            withdrawn: self.withdrawn.is_some(),
            withdrawal_fee: self.withdrawn.and_then(|moved| moved.fee),
            reinstated: self.reinstated.is_some(),
            reinstatement_fee: self.reinstated.and_then(|moved| moved.fee),
            closed: self.closed,
        }
    }
}

fn join(known: Option<Moved>, told: Option<Moved>) -> Option<Moved> {
    match (known, told) {
        (Some(known), Some(told)) => Some(Moved { fee: known.fee.or(told.fee) }),
        (known, told) => known.or(told),
    }
}

/// What a settled payment's books record when they hear how a dispute stands.
pub(super) fn events(known: Option<&Dispute>, news: &DisputeNews, owner: &Owner) -> Vec<Event> {
    let Owner { donation, rally, donor, payment } = owner.clone();
    let told = Dispute::of(news);
    let dispute = || news.dispute.clone();
    let mut events = vec![];
    match known {
        None => events.push(Event::DisputeOpened(DisputeOpened {
            donation,
            rally,
            donor,
            payment: payment.clone(),
            dispute: dispute(),
            amount: told.amount,
            reason: told.reason,
            due_by: told.due_by,
        })),
        Some(known) => {
            let later = told.due_by.filter(|_| told.due_by > known.due_by);
            events.extend(later.map(|due_by| {
                let (payment, dispute) = (payment.clone(), dispute());
                Event::DisputeRevised(DisputeRevised { donation, payment, dispute, due_by })
            }));
        }
    }
    // The sum as it was told first: the balance it moved in may be in another currency.
    let amount = known.map_or(told.amount, |known| known.amount);
    let moved = || DisputeMoved { donation, rally, donor, payment: payment.clone(), dispute: dispute(), amount };
    let (withdrawn, reinstated) = (known.and_then(|known| known.withdrawn), known.and_then(|known| known.reinstated));
    let withdrawal = (withdrawn, told.withdrawn, Movement::Withdrawal);
    let reinstatement = (reinstated, told.reinstated, Movement::Reinstatement);
    for (before, now, movement) in [withdrawal, reinstatement] {
        let Some(now) = now else { continue };
        if before.is_none() {
            events.push(match movement {
                Movement::Reinstatement => Event::DisputeReinstated(moved()),
                Movement::Withdrawal | Movement::Return => Event::DisputeWithdrawn(moved()),
            });
        }
        let fee = now.fee.filter(|_| before.and_then(|before| before.fee).is_none());
        let fee = fee.filter(|fee| fee.currency == amount.currency);
        events.extend(fee.map(|fee| owner.cost(movement, Some(news.dispute.0.clone()), fee)));
    }
    let outcome = told.closed.filter(|_| told.closed > known.and_then(|known| known.closed));
    events.extend(outcome.map(|outcome| {
        Event::DisputeClosed(DisputeClosed { donation, payment: payment.clone(), dispute: dispute(), outcome })
    }));
    events
}
