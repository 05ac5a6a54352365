//! Donations: pledge, payment attempts, settlement, refunds. Each event is a delta that is recorded once, however
//! often and in whatever order a processor reports it.

mod event;
mod kin;

pub use event::{
    Came, Card, Declined, Event, FeeRecorded, PaymentNamed, PaymentRequested, Pledged, RefundFailed, RefundRequested,
    RefundUnmatched, Refunded, Settled, Way,
};

pub use kin::{Giver, KIN_MAX, room};

use super::State;
use super::committee::Room;
use super::hash::HashMap;
use super::id::{DonationId, PaymentId, PersonId, ProcessorRefundId, RallyId, RefundId, Short};
use super::money::Money;
use super::shared::Shared;
use chrono::{DateTime, NaiveDate, Utc};
use litemap::LiteMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Deref;
use thiserror::Error;

/// The largest donation, in minor units: the eight digits a card processor takes.
pub const AMOUNT_MINOR_MAX: i64 = 99_999_999;
/// Payment attempts for one donation: a person mistypes a few times, a card tester many.
pub const ATTEMPTS_MAX: u32 = 10;
/// Refunds of one payment: bounds memory against a processor gone wrong.
pub const REFUNDS_MAX: usize = 100;
/// Characters of a refcode: they come from links anybody can write.
pub const REFCODE_CHARS_MAX: usize = 64;

/// What a donor attests: versioned ids and their wording. The ids go into the event, so a wording never changes:
/// a new wording is a new id.
pub const ATTESTATIONS: &[(&str, &str)] = &[
    ("us-person-1", "I am a U.S. citizen or lawful permanent resident (green card holder)."),
    ("own-funds-1", "I am giving my own money. Nobody will pay me back for it."),
    ("own-card-1", "I am paying with my own card, not one of a company or another organisation."),
    ("not-contractor-1", "I am not a federal contractor."),
    ("adult-1", "I am at least 18 years old."),
];

/// One donation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Donation {
    /// Where it was given.
    pub rally: RallyId,
    /// Who gives.
    pub donor: PersonId,
    /// The same by name and postal address.
    pub likeness: Option<PersonId>,
    /// The day of the pledge, where the rally is: the one that counts for limits.
    pub day: NaiveDate,
    /// What was pledged.
    pub amount: Money,
    /// Attempts begun so far.
    pub attempts: u32,
    /// The attempt whose outcome is not known.
    pub in_flight: Option<Box<Attempt>>,
    /// Why the last attempt failed, while nothing succeeded since.
    pub decline: Option<Box<Decline>>,
    payments: LiteMap<PaymentId, Payment>,
    refund_requests: LiteMap<RefundId, RefundRequest>,
}

/// An attempt whose outcome is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    /// The processor's token of the card; not the card.
    pub method: String,
    /// The processor's id, once it gave one.
    pub payment: Option<PaymentId>,
    /// Whether the donor has to do something (3-D Secure) or only the bank.
    pub waits_for_donor: bool,
}

impl Attempt {
    /// Whether news of `payment` is about this attempt: one heard of before this attempt had a name is of an earlier
    /// attempt, and its late refusal must not free the donor to pay twice.
    fn may_be(&self, payment: &PaymentId, heard_before: bool) -> bool {
        match &self.payment {
            Some(named) => named == payment,
            None => !heard_before,
        }
    }
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decline {
    /// The processor's code.
    pub code: String,
    /// In plain words, for the donor.
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Payment {
    Processing,
    Declined,
    Settled { amount_minor: i64, fee_known: bool, refunds: LiteMap<ProcessorRefundId, i64> },
}

/// A refund somebody asked for, whose outcome is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefundRequest {
    /// Of which payment.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
}

impl Donation {
    /// What was received, before refunds, in minor units.
    pub fn settled_minor(&self) -> i64 {
        self.settled().map(|(_, amount, _)| amount).fold(0, i64::saturating_add)
    }

    /// What was given back, in minor units.
    pub fn refunded_minor(&self) -> i64 {
        self.settled().map(|(_, _, refunded)| refunded).fold(0, i64::saturating_add)
    }

    /// Who gives, by all they can be known by.
    pub fn giver(&self) -> Giver {
        Giver { donor: self.donor, likeness: self.likeness }
    }

    /// What counts for a limit, in minor units: what was received and not given back, or what may yet be received of it.
    pub fn counted_minor(&self) -> i64 {
        let received = self.settled_minor();
        if received > 0 {
            received.saturating_sub(self.refunded_minor()).max(0)
        } else if self.is_under_way() {
            self.amount.minor
        } else {
            0
        }
    }

    /// Refunds asked for whose outcome is not known.
    pub fn waiting_refunds(&self) -> impl Iterator<Item = (RefundId, &RefundRequest)> {
        self.refund_requests.iter().map(|(id, request)| (*id, request))
    }

    /// Whether a payment or refund may still come of it.
    pub fn is_under_way(&self) -> bool {
        self.in_flight.is_some()
            || !self.refund_requests.is_empty()
            || self.payments.values().any(|payment| matches!(payment, Payment::Processing))
    }

    /// The processor's names of its payments.
    pub fn payments(&self) -> impl Iterator<Item = &PaymentId> {
        self.payments.keys()
    }

    fn settled(&self) -> impl Iterator<Item = (&PaymentId, i64, i64)> {
        self.payments.iter().filter_map(|(id, payment)| match payment {
            Payment::Settled { amount_minor, refunds, .. } => {
                Some((id, *amount_minor, refunds.values().copied().fold(0, i64::saturating_add)))
            }
            Payment::Processing | Payment::Declined => None,
        })
    }

    fn promised_back(&self, payment: &PaymentId) -> i64 {
        let waiting = self.refund_requests.values().filter(|request| &request.payment == payment);
        waiting.map(|request| request.amount.minor).fold(0, i64::saturating_add)
    }
}

/// Every donation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Donations {
    by_id: HashMap<DonationId, Shared<Donation>>,
    by_payment: HashMap<Short, DonationId>,
    kin: kin::Kin,
    #[serde(with = "super::as_json")]
    early_refunds: HashMap<PaymentId, BTreeMap<ProcessorRefundId, RefundUnmatched>>,
}

impl Donations {
    /// The donation with this id.
    pub fn get(&self, id: DonationId) -> Option<&Donation> {
        self.by_id.get(&id).map(Deref::deref)
    }

    /// Every donation, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (DonationId, &Donation)> {
        self.by_id.iter().map(|(id, donation)| (*id, &**donation))
    }

    /// Refunds reported for payments that are not known as settled.
    pub fn early_refunds_count(&self) -> usize {
        self.early_refunds.values().map(BTreeMap::len).sum()
    }
}

/// What may be asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    /// A donor filled in the form.
    Pledge(Pledged),
    /// The donor offers a card: intent, before the processor is called.
    RequestPayment { donation: DonationId, method: String },
    /// The processor wants the donor to confirm with the bank.
    RecordAction { donation: DonationId, payment: PaymentId },
    /// The bank takes its time.
    RecordProcessing { donation: DonationId, payment: PaymentId },
    /// The money is there.
    RecordSettled { donation: DonationId, payment: PaymentId, amount: Money, fee: Option<Money>, card: Option<Card> },
    /// The card was refused.
    RecordDeclined { donation: DonationId, payment: Option<PaymentId>, code: String, reason: String },
    /// Staff wants to give money back: intent, before the processor is called.
    RequestRefund { donation: DonationId, refund: RefundId, amount: Money },
    /// Money was given back.
    RecordRefunded { payment: PaymentId, processor_refund: ProcessorRefundId, refund: Option<RefundId>, amount: Money },
    /// The processor would not give it back.
    RecordRefundFailed { donation: DonationId, refund: RefundId, reason: String },
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("there is no such rally")]
    UnknownRally,
    #[error("there is no such donation")]
    Unknown,
    #[error("the smallest donation is {}", .0.to_short())]
    TooSmall(Money),
    #[error("the largest donation by card is {}", .0.to_exact())]
    TooLarge(Money),
    #[error("this rally takes donations in another currency")]
    WrongCurrency,
    #[error("please confirm every statement")]
    AttestationsMissing,
    #[error("that link's reference code is too long")]
    RefcodeLength,
    #[error("{}", over_limit(.0))]
    OverLimit(Room),
    #[error("one person may give at most {} for the {}", .0.most.to_short(), .0.limit)]
    AloneOverLimit(Room),
    #[error("this donation was pledged already")]
    AlreadyPledged,
    #[error("this donation is paid already")]
    AlreadySettled,
    #[error("an attempt to pay is still under way: wait for its outcome")]
    InFlight,
    #[error("too many attempts to pay: start a new donation")]
    TooManyAttempts,
    #[error("what was typed for this donation has been erased: start a new donation")]
    Erased,
    #[error("the card form sent nothing to pay with")]
    MethodMissing,
    #[error("there is nothing left to refund of this donation: at most {}", .0.to_exact())]
    RefundTooLarge(Money),
    #[error("a refund is more than nothing")]
    RefundNotPositive,
    #[error("there is no such refund under way")]
    UnknownRefund,
    #[error("the processor reported a sum that can't be counted")]
    AmountOutOfRange,
}

/// Why a gift is over a limit, and what can be given instead.
fn over_limit(room: &Room) -> String {
    let Room { limit, most, left } = room;
    let all = most.to_short();
    if left.minor > 0 {
        format!("one person may give {all} for the {limit}: you can still give {}", left.to_short())
    } else {
        format!("one person may give {all} for the {limit}, and that was given: thank you")
    }
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let known = |id: DonationId| state.donations.get(id).ok_or(Refusal::Unknown);
    let events = match command {
        Command::Pledge(pledge) => vec![decide_pledge(state, pledge)?],
        // The law wants a donor's name with their money: a pledge whose name is gone is not paid any more.
        Command::RequestPayment { donation, .. } if state.privacy.is_closed(donation) => return Err(Refusal::Erased),
        Command::RequestPayment { donation, method } => {
            vec![request_payment(state, known(donation)?, donation, method)?]
        }
        Command::RecordAction { donation, payment } => match known(donation)?.payments.get(&payment) {
            Some(_) => vec![],
            None => vec![Event::ActionRequired(PaymentNamed { donation, payment })],
        },
        Command::RecordProcessing { donation, payment } => {
            let current = known(donation)?;
            let waiting = current
                .in_flight
                .as_ref()
                .is_some_and(|attempt| attempt.waits_for_donor && attempt.payment.as_ref() == Some(&payment));
            match current.payments.get(&payment) {
                None => vec![Event::Processing(PaymentNamed { donation, payment })],
                Some(Payment::Processing) if waiting => vec![Event::Processing(PaymentNamed { donation, payment })],
                Some(_) => vec![],
            }
        }
        Command::RecordSettled { donation, payment, amount, fee, card } => {
            settle(state, known(donation)?, donation, payment, amount, fee, card)?
        }
        Command::RecordDeclined { donation, payment, code, reason } => {
            let current = known(donation)?;
            let news = match &payment {
                Some(payment) => matches!(current.payments.get(payment), None | Some(Payment::Processing)),
                None => current.in_flight.is_some(),
            };
            if news { vec![Event::Declined(Declined { donation, payment, code, reason })] } else { vec![] }
        }
        Command::RequestRefund { donation, refund, amount } => {
            let current = known(donation)?;
            if current.refund_requests.contains_key(&refund) {
                return Ok(vec![]);
            }
            vec![request_refund(current, donation, refund, amount)?]
        }
        Command::RecordRefunded { payment, processor_refund, refund, amount } => {
            let reported = RefundUnmatched { payment, processor_refund, refund, amount };
            refunded(state, reported)?.into_iter().collect()
        }
        Command::RecordRefundFailed { donation, refund, reason } => {
            if !known(donation)?.refund_requests.contains_key(&refund) {
                return Err(Refusal::UnknownRefund);
            }
            vec![Event::RefundFailed(RefundFailed { donation, refund, reason })]
        }
    };
    Ok(events.into_iter().map(super::Event::Donation).collect())
}

fn decide_pledge(state: &State, pledge: Pledged) -> Result<Event, Refusal> {
    let rally = state.rallies.get(pledge.rally).ok_or(Refusal::UnknownRally)?;
    let currency = rally.details.currency;
    if pledge.amount.currency != currency {
        return Err(Refusal::WrongCurrency);
    }
    if pledge.amount.minor < currency.minor_per_major() {
        return Err(Refusal::TooSmall(Money::new(currency.minor_per_major(), currency)));
    }
    if pledge.amount.minor > AMOUNT_MINOR_MAX {
        return Err(Refusal::TooLarge(Money::new(AMOUNT_MINOR_MAX, currency)));
    }
    if !ATTESTATIONS.iter().all(|(id, _)| pledge.attestations.iter().any(|given| given == id)) {
        return Err(Refusal::AttestationsMissing);
    }
    if pledge.refcode.as_ref().is_some_and(|code| code.chars().nth(REFCODE_CHARS_MAX).is_some()) {
        return Err(Refusal::RefcodeLength);
    }
    if state.donations.get(pledge.donation).is_some() {
        return Err(Refusal::AlreadyPledged);
    }
    let on_program = state.broadcast.on_program(pledge.rally);
    Ok(Event::Pledged(Pledged { on_program, ..pledge }))
}

fn request_payment(state: &State, current: &Donation, donation: DonationId, method: String) -> Result<Event, Refusal> {
    if current.settled().next().is_some() {
        return Err(Refusal::AlreadySettled);
    }
    // A donor who closed the bank's window may try again; a charge whose outcome is unknown must not be doubled.
    if current.in_flight.as_ref().is_some_and(|attempt| !attempt.waits_for_donor) {
        return Err(Refusal::InFlight);
    }
    if current.attempts >= ATTEMPTS_MAX {
        return Err(Refusal::TooManyAttempts);
    }
    if method.is_empty() {
        return Err(Refusal::MethodMissing);
    }
    // Here and not in pledging: pledges reserve nothing, and attempts come one after another, so that a hundred at once stay
    // below the limit together.
    let room = kin::room(state, current.giver(), current.day, current.amount.currency, Some(donation));
    if let Some(room) = room.filter(|room| room.left.minor < current.amount.minor) {
        return Err(Refusal::OverLimit(room));
    }
    let attempt = current.attempts.saturating_add(1);
    Ok(Event::PaymentRequested(PaymentRequested { donation, attempt, method }))
}

fn settle(
    state: &State,
    current: &Donation,
    donation: DonationId,
    payment: PaymentId,
    amount: Money,
    fee: Option<Money>,
    card: Option<Card>,
) -> Result<Vec<Event>, Refusal> {
    if amount.currency != current.amount.currency {
        return Err(Refusal::WrongCurrency);
    }
    if !countable(amount) {
        return Err(Refusal::AmountOutOfRange);
    }
    let (rally, donor) = (current.rally, current.donor);
    if let Some(Payment::Settled { fee_known, .. }) = current.payments.get(&payment) {
        let news = fee.filter(|_| !fee_known);
        return Ok(news
            .map(|fee| Event::FeeRecorded(FeeRecorded { donation, rally, payment, fee }))
            .into_iter()
            .collect());
    }
    let settled = Settled { donation, rally, donor, payment: payment.clone(), amount, fee, card };
    let mut events = vec![Event::Settled(settled)];
    let early = state.donations.early_refunds.get(&payment).into_iter().flat_map(BTreeMap::values);
    for early in early.filter(|early| early.amount.currency == amount.currency) {
        events.push(Event::Refunded(refund_of(early.clone(), donation, rally, donor)));
    }
    Ok(events)
}

/// Nothing above the largest donation was ever asked of the processor, and sums of such amounts can't overflow.
fn countable(reported: Money) -> bool {
    (1..=AMOUNT_MINOR_MAX).contains(&reported.minor)
}

fn refund_of(reported: RefundUnmatched, donation: DonationId, rally: RallyId, donor: PersonId) -> Refunded {
    let RefundUnmatched { payment, processor_refund, refund, amount } = reported;
    Refunded { donation, rally, donor, payment, processor_refund, refund, amount }
}

fn request_refund(current: &Donation, donation: DonationId, refund: RefundId, amount: Money) -> Result<Event, Refusal> {
    if amount.currency != current.amount.currency {
        return Err(Refusal::WrongCurrency);
    }
    if amount.minor <= 0 {
        return Err(Refusal::RefundNotPositive);
    }
    let left = |payment: &PaymentId, settled: i64, refunded: i64| {
        settled.saturating_sub(refunded).saturating_sub(current.promised_back(payment)).max(0)
    };
    let most = current.settled().map(|(id, settled, refunded)| (left(id, settled, refunded), id)).max();
    let (left, payment) = most.ok_or(Refusal::RefundTooLarge(Money::zero(amount.currency)))?;
    if amount.minor > left {
        return Err(Refusal::RefundTooLarge(Money::new(left, amount.currency)));
    }
    Ok(Event::RefundRequested(RefundRequested { donation, refund, payment: payment.clone(), amount }))
}

fn refunded(state: &State, reported: RefundUnmatched) -> Result<Option<Event>, Refusal> {
    if !countable(reported.amount) {
        return Err(Refusal::AmountOutOfRange);
    }
    let donations = &state.donations;
    let owner = donations.by_payment.get(&reported.payment.short());
    let owner = owner.and_then(|id| Some((*id, donations.get(*id)?)));
    if let Some((id, current)) = owner
        && let Some(Payment::Settled { refunds, .. }) = current.payments.get(&reported.payment)
    {
        if refunds.contains_key(&reported.processor_refund) {
            return Ok(None);
        }
        if reported.amount.currency != current.amount.currency {
            return Err(Refusal::WrongCurrency);
        }
        if refunds.len() >= REFUNDS_MAX {
            return Err(Refusal::AmountOutOfRange);
        }
        return Ok(Some(Event::Refunded(refund_of(reported, id, current.rally, current.donor))));
    }
    let early = donations.early_refunds.get(&reported.payment);
    if early.is_some_and(|refunds| refunds.contains_key(&reported.processor_refund)) {
        return Ok(None);
    }
    if early.is_some_and(|refunds| refunds.len() >= REFUNDS_MAX) {
        return Err(Refusal::AmountOutOfRange);
    }
    Ok(Some(Event::RefundUnmatched(reported)))
}

pub(super) fn evolve(state: &mut State, event: &Event, at: DateTime<Utc>) {
    let donations = &mut state.donations;
    match event {
        Event::Pledged(pledged) => {
            let rally = state.rallies.get_mut(pledged.rally);
            let donation = Donation {
                rally: pledged.rally,
                donor: pledged.donor,
                likeness: pledged.likeness,
                day: rally.as_ref().map_or(at.date_naive(), |rally| rally.details.day_of(at)),
                amount: pledged.amount,
                attempts: 0,
                in_flight: None,
                decline: None,
                // Most have one.
                payments: LiteMap::with_capacity(1),
                refund_requests: LiteMap::new(),
            };
            donations.by_id.insert(pledged.donation, Shared::new(donation));
            if let Some(rally) = rally {
                rally.has_donations = true;
            }
        }
        Event::PaymentRequested(requested) => {
            let Some(donation) = donations.get_mut(requested.donation) else { return };
            donation.attempts = requested.attempt;
            donation.decline = None;
            donation.in_flight = Some(Box::new(Attempt {
                number: requested.attempt,
                method: requested.method.clone(),
                payment: None,
                waits_for_donor: false,
            }));
            let giver = donation.giver();
            donations.kin.add(giver, requested.donation);
        }
        Event::ActionRequired(named) => donations.evolve_under_way(named, true),
        Event::Processing(named) => donations.evolve_under_way(named, false),
        Event::Settled(settled) => {
            donations.by_payment.insert(settled.payment.short(), settled.donation);
            donations.early_refunds.remove(&settled.payment);
            let Some(donation) = donations.get_mut(settled.donation) else { return };
            donation.in_flight = None;
            donation.decline = None;
            let payment = Payment::Settled {
                amount_minor: settled.amount.minor,
                fee_known: settled.fee.is_some(),
                refunds: LiteMap::new(),
            };
            donation.payments.insert(settled.payment.clone(), payment);
        }
        Event::FeeRecorded(recorded) => {
            let donation = donations.get_mut(recorded.donation);
            let payment = donation.and_then(|donation| donation.payments.get_mut(&recorded.payment));
            if let Some(Payment::Settled { fee_known, .. }) = payment {
                *fee_known = true;
            }
        }
        Event::Declined(declined) => donations.evolve_declined(declined),
        Event::RefundRequested(requested) => {
            let Some(donation) = donations.get_mut(requested.donation) else { return };
            let request = RefundRequest { payment: requested.payment.clone(), amount: requested.amount };
            donation.refund_requests.insert(requested.refund, request);
        }
        Event::Refunded(refunded) => {
            let Some(donation) = donations.get_mut(refunded.donation) else { return };
            if let Some(Payment::Settled { refunds, .. }) = donation.payments.get_mut(&refunded.payment) {
                refunds.insert(refunded.processor_refund.clone(), refunded.amount.minor);
            }
            if let Some(refund) = refunded.refund {
                donation.refund_requests.remove(&refund);
            }
        }
        Event::RefundUnmatched(early) => {
            let refunds = donations.early_refunds.entry(early.payment.clone()).or_default();
            refunds.insert(early.processor_refund.clone(), early.clone());
        }
        Event::RefundFailed(failed) => {
            if let Some(donation) = donations.get_mut(failed.donation) {
                donation.refund_requests.remove(&failed.refund);
            }
        }
    }
}

impl Donations {
    fn get_mut(&mut self, id: DonationId) -> Option<&mut Donation> {
        self.by_id.get_mut(&id).map(Shared::change)
    }

    fn evolve_under_way(&mut self, named: &PaymentNamed, waits_for_donor: bool) {
        self.by_payment.insert(named.payment.short(), named.donation);
        let Some(donation) = self.get_mut(named.donation) else { return };
        let before = donation.payments.insert(named.payment.clone(), Payment::Processing);
        if let Some(attempt) = &mut donation.in_flight
            && attempt.may_be(&named.payment, before.is_some())
        {
            attempt.payment = Some(named.payment.clone());
            attempt.waits_for_donor = waits_for_donor;
        }
    }

    fn evolve_declined(&mut self, declined: &Declined) {
        let Some(donation) = self.by_id.get_mut(&declined.donation).map(Shared::change) else { return };
        let ends_attempt = match &declined.payment {
            None => donation.in_flight.is_some(),
            Some(payment) => {
                self.by_payment.insert(payment.short(), declined.donation);
                let before = donation.payments.insert(payment.clone(), Payment::Declined);
                donation.in_flight.as_ref().is_some_and(|attempt| attempt.may_be(payment, before.is_some()))
            }
        };
        if ends_attempt {
            donation.in_flight = None;
            let (code, reason) = (declined.code.clone(), declined.reason.clone());
            donation.decline = Some(Box::new(Decline { code, reason }));
        }
    }
}

#[cfg(test)]
mod tests;
