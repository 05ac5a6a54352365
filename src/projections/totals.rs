//! Money by rally: sums that rise with each event, never a sum over all donations.

use crate::domain::hash::HashMap;
use crate::domain::id::{PersonId, RallyId};
use crate::domain::{Event, Recorded, State, donation};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// Sums of one rally or one day, in minor units of the rally's currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Received, before fees and refunds.
    pub gross_minor: i64,
    /// Given back, less what of that came back.
    pub refunded_minor: i64,
    /// Held or taken by disputes: withdrawn, less what was reinstated.
    pub disputed_minor: i64,
    /// Debits that donors' banks took back after they had settled.
    pub returned_minor: i64,
    /// The processor's fees, those for disputes and returns among them, as far as they are known.
    pub fee_minor: i64,
    /// Settled payments whose fee is not known yet.
    pub fees_unknown: u64,
    /// Settled payments.
    pub donations: u64,
    /// Refunds that were done.
    pub refunds: u64,
    /// Those of them that failed after all.
    pub refunds_reversed: u64,
    /// Disputes whose money was withdrawn.
    pub disputes: u64,
    /// Those of them whose money came back.
    pub disputes_reinstated: u64,
    /// Debits taken back.
    pub returns: u64,
}

impl Sums {
    /// What the campaign holds before fees: gross less refunds, what disputes hold or took, and returned debits. This is
    /// the total that the public sees.
    pub fn raised_minor(&self) -> i64 {
        let gone = [self.refunded_minor, self.disputed_minor, self.returned_minor];
        gone.into_iter().fold(self.gross_minor, i64::saturating_sub)
    }

    /// What is left after fees; `None` while a payment's fee is not known.
    pub fn net_minor(&self) -> Option<i64> {
        (self.fees_unknown == 0).then(|| self.raised_minor().saturating_sub(self.fee_minor))
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        self.gross_minor = self.gross_minor.saturating_add(other.gross_minor);
        self.refunded_minor = self.refunded_minor.saturating_add(other.refunded_minor);
        self.disputed_minor = self.disputed_minor.saturating_add(other.disputed_minor);
        self.returned_minor = self.returned_minor.saturating_add(other.returned_minor);
        self.fee_minor = self.fee_minor.saturating_add(other.fee_minor);
        self.fees_unknown = self.fees_unknown.saturating_add(other.fees_unknown);
        self.donations = self.donations.saturating_add(other.donations);
        self.refunds = self.refunds.saturating_add(other.refunds);
        self.refunds_reversed = self.refunds_reversed.saturating_add(other.refunds_reversed);
        self.disputes = self.disputes.saturating_add(other.disputes);
        self.disputes_reinstated = self.disputes_reinstated.saturating_add(other.disputes_reinstated);
        self.returns = self.returns.saturating_add(other.returns);
    }

    pub(super) fn settled(&mut self, minor: i64, fee: Option<i64>) {
        self.gross_minor = self.gross_minor.saturating_add(minor);
        self.donations += 1;
        match fee {
            Some(fee) => self.fee_minor = self.fee_minor.saturating_add(fee),
            None => self.fees_unknown += 1,
        }
    }

    fn fee_known(&mut self, fee: i64) {
        self.fee_minor = self.fee_minor.saturating_add(fee);
        self.fees_unknown = self.fees_unknown.saturating_sub(1);
    }

    pub(super) fn refunded(&mut self, minor: i64) {
        self.refunded_minor = self.refunded_minor.saturating_add(minor);
        self.refunds += 1;
    }

    pub(super) fn refund_reversed(&mut self, minor: i64) {
        self.refunded_minor = self.refunded_minor.saturating_sub(minor);
        self.refunds_reversed += 1;
    }

    pub(super) fn disputed(&mut self, minor: i64) {
        self.disputed_minor = self.disputed_minor.saturating_add(minor);
        self.disputes += 1;
    }

    pub(super) fn reinstated(&mut self, minor: i64) {
        self.disputed_minor = self.disputed_minor.saturating_sub(minor);
        self.disputes_reinstated += 1;
    }

    pub(super) fn returned(&mut self, minor: i64) {
        self.returned_minor = self.returned_minor.saturating_add(minor);
        self.returns += 1;
    }

    pub(super) fn cost(&mut self, fee: i64) {
        self.fee_minor = self.fee_minor.saturating_add(fee);
    }
}

/// One rally's money.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RallyTotals {
    /// All of it.
    pub sums: Sums,
    /// What each donor gave and was not given back.
    given: HashMap<PersonId, i64>,
    /// Those of them with more than nothing.
    donors: usize,
}

impl RallyTotals {
    /// People whose gifts were not all given back.
    pub fn donors(&self) -> usize {
        self.donors
    }

    fn gives(&mut self, donor: PersonId, minor: i64) {
        let given = self.given.entry(donor).or_default();
        let before = *given;
        *given = before.saturating_add(minor);
        match (before > 0, *given > 0) {
            (false, true) => self.donors = self.donors.saturating_add(1),
            (true, false) => self.donors = self.donors.saturating_sub(1),
            (true, true) | (false, false) => {}
        }
    }
}

/// Money by rally.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    by_rally: HashMap<RallyId, RallyTotals>,
}

impl Totals {
    /// One rally's money; `None` if nobody gave yet.
    pub fn of(&self, rally: RallyId) -> Option<&RallyTotals> {
        self.by_rally.get(&rally)
    }

    /// Whether a gift of this donor ever settled here, whatever became of its money.
    pub(super) fn ever_gave(&self, rally: RallyId, donor: PersonId) -> bool {
        self.of(rally).is_some_and(|totals| totals.given.contains_key(&donor))
    }

    /// One rally's sums; zero if nobody gave yet.
    pub fn sums(&self, rally: RallyId) -> Sums {
        self.of(rally).map(|totals| totals.sums).unwrap_or_default()
    }

    pub(super) fn apply(&mut self, recorded: &Recorded) {
        let Event::Donation(event) = &recorded.event else { return };
        match event {
            donation::Event::Settled(settled) => {
                let totals = self.by_rally.entry(settled.rally).or_default();
                let fee = settled.fee.map(|fee| fee.minor);
                totals.sums.settled(settled.amount.minor, fee);
                totals.gives(settled.donor, settled.amount.minor);
            }
            donation::Event::FeeRecorded(recorded) => {
                if let Some(totals) = self.by_rally.get_mut(&recorded.rally) {
                    totals.sums.fee_known(recorded.fee.minor);
                }
            }
            donation::Event::Refunded(refunded) => {
                let totals = self.by_rally.entry(refunded.rally).or_default();
                totals.sums.refunded(refunded.amount.minor);
                totals.gives(refunded.donor, refunded.amount.minor.saturating_neg());
            }
            donation::Event::RefundReversed(reversed) => {
                let totals = self.by_rally.entry(reversed.rally).or_default();
                totals.sums.refund_reversed(reversed.amount.minor);
                totals.gives(reversed.donor, reversed.amount.minor);
            }
            donation::Event::DisputeWithdrawn(moved) => {
                let totals = self.by_rally.entry(moved.rally).or_default();
                totals.sums.disputed(moved.amount.minor);
                totals.gives(moved.donor, moved.amount.minor.saturating_neg());
            }
            donation::Event::DisputeReinstated(moved) => {
                let totals = self.by_rally.entry(moved.rally).or_default();
                totals.sums.reinstated(moved.amount.minor);
                totals.gives(moved.donor, moved.amount.minor);
            }
            donation::Event::DebitReturned(returned) => {
                let totals = self.by_rally.entry(returned.rally).or_default();
                totals.sums.returned(returned.amount.minor);
                totals.gives(returned.donor, returned.amount.minor.saturating_neg());
            }
            donation::Event::CostRecorded(cost) => {
                self.by_rally.entry(cost.rally).or_default().sums.cost(cost.fee.minor);
            }
            donation::Event::Pledged(_)
            | donation::Event::Renewed(_)
            | donation::Event::PaymentRequested(_)
            | donation::Event::Held(_)
            | donation::Event::Released(_)
            | donation::Event::TurnedAway(_)
            | donation::Event::CardFlagged(_)
            | donation::Event::CardCleared(_)
            | donation::Event::ActionRequired(_)
            | donation::Event::Processing(_)
            | donation::Event::CheckoutOpened(_)
            | donation::Event::CheckoutClosed(_)
            | donation::Event::Declined(_)
            | donation::Event::RefundRequested(_)
            | donation::Event::RefundUnmatched(_)
            | donation::Event::RefundFailed(_)
            | donation::Event::RefundFailureUnmatched(_)
            | donation::Event::DisputeOpened(_)
            | donation::Event::DisputeRevised(_)
            | donation::Event::DisputeClosed(_)
            | donation::Event::DisputeUnmatched(_)
            | donation::Event::ReturnUnmatched(_) => {}
        }
    }
}

/// The last instant of a day somewhere.
pub fn end_of(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let end = day.succ_opt()?.and_time(NaiveTime::MIN).checked_sub_signed(TimeDelta::seconds(1))?;
    end.and_local_timezone(zone).latest().map(|end| end.to_utc())
}

/// The rally's time zone; UTC where there is no such rally.
pub fn timezone(state: &State, rally: RallyId) -> Tz {
    state.rallies.get(rally).map_or(Tz::UTC, |rally| rally.details.zone())
}

/// The day of an instant where the rally is.
pub fn day_of(state: &State, rally: RallyId, at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&timezone(state, rally)).date_naive()
}
