//! Donations: pledge, payment attempts, settlement, and what happens to the money after it. Each event is a delta that is
//! recorded once, however often and in whatever order a processor reports it.

mod after;
mod event;
mod flag;
mod fold;
mod hold;
mod kin;
mod one;
mod payment;

pub use after::{
    CostRecorded, DISPUTES_MAX, DebitReturned, Dispute, DisputeClosed, DisputeMoved, DisputeNews, DisputeOpened,
    DisputeOutcome, DisputeRevised, Moved, Movement, News, REFUNDS_MAX, RefundFailureNews, RefundReversed, ReturnNews,
};
pub use event::{
    Came, Card, CheckoutClosed, CheckoutOpened, Declined, Event, FeeRecorded, PaymentNamed, PaymentRequested, Pledged,
    RefundFailed, RefundRequested, RefundUnmatched, Refunded, Renewed, Settled, Told, Traces, Way,
};
pub use flag::{CardCleared, CardFlagged, Flag, flagged, stands_out};
pub(super) use fold::evolve;
pub(super) use hold::check_note;
pub use hold::{HOLD_NOTE_CHARS_MAX, Held, Released, TurnedAway, Verdict, held, held_above, is_held, is_to_be_held};
pub use kin::{Gift, Giver, KIN_MAX, parts, room};
pub use one::Donation;
pub use payment::{Attempt, CHECKOUT, Decline, RefundRequest};

use super::State;
use super::committee::Room;
use super::hash::HashMap;
use super::id::{CheckoutId, DonationId, PaymentId, ProcessorRefundId, RefundId, Short};
use super::money::Money;
use super::shared::Shared;
use after::{After, Owner};
use payment::{Payment, Settlement};
use serde::{Deserialize, Serialize};
use std::ops::Deref;
use thiserror::Error;

/// The largest donation, in minor units: the eight digits a card processor takes.
pub const AMOUNT_MINOR_MAX: i64 = 99_999_999;
/// Payment attempts for one donation: a person mistypes a few times, a card tester many.
pub const ATTEMPTS_MAX: u32 = 10;
/// Payments of which something is known before they settled. A busy night's webhooks overtake one another by some dozens;
/// others are payments of another program on the same account, of which only refunds and disputes are heard.
pub const UNMATCHED_MAX: usize = 10_000;
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

/// Every donation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Donations {
    by_id: HashMap<DonationId, Shared<Donation>>,
    by_payment: HashMap<Short, DonationId>,
    kin: kin::Kin,
    holds: hold::Holds,
    flags: flag::Flags,
    unmatched: HashMap<PaymentId, After>,
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

    /// Which donation a payment is of.
    pub fn of_payment(&self, payment: &PaymentId) -> Option<DonationId> {
        self.by_payment.get(&payment.short()).copied()
    }

    /// Payments that are not known as settled, of which something is told that only a settled one has.
    pub fn unmatched_count(&self) -> usize {
        self.unmatched.len()
    }

    /// The books of a settled payment, and whose it is.
    fn settled(&self, payment: &PaymentId) -> Option<(DonationId, &Donation, &Settlement)> {
        let id = self.of_payment(payment)?;
        let donation = self.get(id)?;
        Some((id, donation, donation.payments.get(payment)?.settlement()?))
    }
}

/// What may be asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    /// A donor filled in the form.
    Pledge(Pledged),
    /// The processor tells of an instalment: it is recorded where this log does not know it.
    TakeIn(Told),
    /// The donor is at the card step: a gift that a person is to look at first is held.
    Hold { donation: DonationId },
    /// Staff lets a held gift through.
    Release { donation: DonationId, note: Option<String> },
    /// Staff decides against a held gift.
    TurnAway { donation: DonationId, reason: String },
    /// A gift was paid with a card that was tried for too many donors, or refused too often.
    FlagCard(CardFlagged),
    /// Staff says why that is fine.
    ClearCard { donation: DonationId, note: String },
    /// An instalment is due: intent, before the processor is asked to charge the card it keeps.
    ChargeSaved { donation: DonationId },
    /// The donor offers a card: intent, before the processor is called.
    RequestPayment { donation: DonationId, method: String },
    /// The processor wants the donor to confirm with the bank.
    RecordAction { donation: DonationId, payment: PaymentId },
    /// The bank takes its time.
    RecordProcessing { donation: DonationId, payment: PaymentId },
    /// The processor keeps a page of its own for this attempt.
    RecordCheckoutOpened { donation: DonationId, attempt: u32, checkout: CheckoutId },
    /// Nothing can be paid on that page any more.
    RecordCheckoutClosed(CheckoutClosed),
    /// The money is there.
    RecordSettled { donation: DonationId, payment: PaymentId, amount: Money, fee: Option<Money>, card: Option<Card> },
    /// The card was refused.
    RecordDeclined { donation: DonationId, payment: Option<PaymentId>, code: String, reason: String },
    /// Staff wants to give money back: intent, before the processor is called.
    RequestRefund { donation: DonationId, refund: RefundId, amount: Money },
    /// Money was given back.
    RecordRefunded { payment: PaymentId, processor_refund: ProcessorRefundId, refund: Option<RefundId>, amount: Money },
    /// The processor would not give it back, and gives no name to what it did not do.
    RecordRefundFailed { donation: DonationId, refund: RefundId, reason: String },
    /// A refund failed, whatever was said of it before.
    RecordRefundFailure(RefundFailureNews),
    /// How a dispute stands.
    RecordDispute(DisputeNews),
    /// The donor's bank took a settled debit back.
    RecordReturn(ReturnNews),
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
    #[error("a gift of this size is looked at by a person of the campaign first: nothing was charged")]
    Held,
    #[error("the campaign can't take this gift: nothing was charged")]
    TurnedAway,
    #[error("nothing stands out about the card of this gift")]
    NotFlagged,
    #[error("this gift was never held")]
    NotHeld,
    #[error("somebody has released this gift already")]
    WasReleased,
    #[error("somebody has turned this gift away already: the donor was told so, and can make a new one")]
    WasTurnedAway,
    #[error(
        "say why in 1 to {HOLD_NOTE_CHARS_MAX} characters, without an e-mail address: it stays in the log for ever"
    )]
    HoldNote,
    #[error("the card form sent nothing to pay with")]
    MethodMissing,
    #[error("there is nothing left to refund of this donation: at most {}", .0.to_exact())]
    RefundTooLarge(Money),
    #[error(
        "a refund of this size waits for a second person: ask for it, and somebody else who sees money approves it"
    )]
    NeedsSecond,
    #[error("a refund is more than nothing")]
    RefundNotPositive,
    #[error("there is no such refund under way")]
    UnknownRefund,
    #[error("the processor reported a sum that can't be counted")]
    AmountOutOfRange,
    #[error("too much was reported of payments that nobody here knows")]
    TooManyUnmatched,
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
        Command::TakeIn(told) => super::plan::take_in(state, told)?,
        // The law wants a donor's name with their money: a pledge whose name is gone is not paid any more.
        Command::RequestPayment { donation, .. }
        | Command::ChargeSaved { donation }
        | Command::Hold { donation }
        | Command::Release { donation, .. }
        | Command::TurnAway { donation, .. }
            if state.privacy.is_closed(donation) =>
        {
            return Err(Refusal::Erased);
        }
        Command::RequestPayment { donation, method } => {
            vec![request_payment(state, known(donation)?, donation, method, None)?]
        }
        Command::Hold { donation } => hold::hold(state, donation),
        Command::Release { donation, note } => hold::release(state, donation, note)?,
        Command::TurnAway { donation, reason } => hold::turn_away(state, donation, reason)?,
        Command::FlagCard(flagged) => flag::flag(state, flagged),
        Command::ClearCard { donation, note } => flag::clear(state, donation, note)?,
        Command::ChargeSaved { donation } => {
            let saved = state.plans.of_donation(donation).and_then(|(_, plan)| plan.saved.clone());
            let super::plan::Saved { customer, method } = saved.ok_or(Refusal::MethodMissing)?;
            vec![request_payment(state, known(donation)?, donation, method, Some(customer))?]
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
        Command::RecordCheckoutOpened { donation, attempt, checkout } => {
            let news = at_checkout(known(donation)?, attempt).is_some_and(|current| current.checkout.is_none());
            let opened = news.then_some(Event::CheckoutOpened(CheckoutOpened { donation, attempt, checkout }));
            opened.into_iter().collect()
        }
        Command::RecordCheckoutClosed(closed) => {
            // Who closes a page unheard of may have been overtaken by its name, and by a donor who has its address.
            let is_it = |current: &Attempt| current.checkout.is_none() || current.checkout == closed.checkout;
            let news = at_checkout(known(closed.donation)?, closed.attempt).is_some_and(is_it);
            news.then_some(Event::CheckoutClosed(closed)).into_iter().collect()
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
            let requested = refundable(current, donation, refund, amount)?;
            if super::refund::needs_second(state, current, amount) {
                return Err(Refusal::NeedsSecond);
            }
            vec![requested]
        }
        Command::RecordRefunded { payment, processor_refund, refund, amount } => {
            learn(state, News::Refund(RefundUnmatched { payment, processor_refund, refund, amount }))?
        }
        Command::RecordRefundFailure(news) => learn(state, News::RefundFailure(news))?,
        Command::RecordDispute(news) => learn(state, News::Dispute(news))?,
        Command::RecordReturn(news) => learn(state, News::Return(news))?,
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

fn request_payment(
    state: &State,
    current: &Donation,
    donation: DonationId,
    method: String,
    customer: Option<String>,
) -> Result<Event, Refusal> {
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
    if customer.is_none() {
        hold::check(state, donation, current)?;
    }
    // Here and not in pledging: pledges reserve nothing, and attempts come one after another, so that a hundred at once stay
    // below the limit together.
    let parts = kin::parts(state, &current.gift(), Some(donation)).map_err(Refusal::OverLimit)?;
    let attempt = current.attempts.saturating_add(1);
    Ok(Event::PaymentRequested(PaymentRequested { donation, attempt, method, customer, parts }))
}

/// The attempt of this number, where it is in flight and the donor pays it on the processor's own page.
fn at_checkout(current: &Donation, attempt: u32) -> Option<&Attempt> {
    current.in_flight.as_deref().filter(|current| current.number == attempt && current.is_at_checkout())
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
    if let Some(Payment::Settled(known)) = current.payments.get(&payment) {
        let news = fee.filter(|_| !known.fee_known);
        return Ok(news
            .map(|fee| Event::FeeRecorded(FeeRecorded { donation, rally, payment, fee }))
            .into_iter()
            .collect());
    }
    let settled = Settled { donation, rally, donor, payment: payment.clone(), amount, fee, card };
    let mut events = vec![Event::Settled(settled)];
    if let Some(told) = state.donations.unmatched.get(&payment) {
        let owner = Owner { donation, rally, donor, payment: payment.clone() };
        let mut books = After::default();
        for news in told.news(&payment).into_iter().filter(|news| news.is_in(amount.currency)) {
            for event in books.events(news, &owner) {
                books.evolve(&event);
                events.push(event);
            }
        }
    }
    Ok(events)
}

/// Nothing above the largest donation was ever asked of the processor, and sums of such amounts can't overflow.
fn countable(reported: Money) -> bool {
    (1..=AMOUNT_MINOR_MAX).contains(&reported.minor)
}

/// The event by which so much of a donation is to go back.
///
/// # Errors
/// That much is not left of one of its payments.
pub(super) fn refundable(
    current: &Donation,
    donation: DonationId,
    refund: RefundId,
    amount: Money,
) -> Result<Event, Refusal> {
    if amount.currency != current.amount.currency {
        return Err(Refusal::WrongCurrency);
    }
    if amount.minor <= 0 {
        return Err(Refusal::RefundNotPositive);
    }
    let left =
        |payment, settled: &Settlement| settled.left_minor().saturating_sub(current.promised_back(payment)).max(0);
    let most = current.settled().map(|(id, settled)| (left(id, settled), id)).max();
    let (left, payment) = most.ok_or(Refusal::RefundTooLarge(Money::zero(amount.currency)))?;
    if amount.minor > left {
        return Err(Refusal::RefundTooLarge(Money::new(left, amount.currency)));
    }
    Ok(Event::RefundRequested(RefundRequested { donation, refund, payment: payment.clone(), amount }))
}

/// Takes in a fact about a payment: into its books where it is settled, and otherwise kept until it is.
fn learn(state: &State, news: News) -> Result<Vec<Event>, Refusal> {
    if !news.is_countable() {
        return Err(Refusal::AmountOutOfRange);
    }
    let donations = &state.donations;
    if let Some((donation, current, settled)) = donations.settled(news.payment()) {
        if !news.is_in(current.amount.currency) {
            return Err(Refusal::WrongCurrency);
        }
        let nothing = After::default();
        let books = settled.after.as_deref().unwrap_or(&nothing);
        books.check_room(&news)?;
        let freed = match &news {
            News::RefundFailure(RefundFailureNews { refund: Some(refund), code, .. })
                if current.refund_requests.contains_key(refund) =>
            {
                Some(Event::RefundFailed(RefundFailed { donation, refund: *refund, reason: code.clone() }))
            }
            News::RefundFailure(_) | News::Refund(_) | News::Dispute(_) | News::Return(_) => None,
        };
        let owner = Owner { donation, rally: current.rally, donor: current.donor, payment: news.payment().clone() };
        return Ok(books.events(news, &owner).into_iter().chain(freed).collect());
    }
    let mut told = match donations.unmatched.get(news.payment()) {
        Some(told) => told.clone(),
        None if donations.unmatched.len() >= UNMATCHED_MAX => return Err(Refusal::TooManyUnmatched),
        None => After::default(),
    };
    told.check_room(&news)?;
    Ok(if told.learn(&news) { vec![news.unmatched()] } else { vec![] })
}

#[cfg(test)]
mod tests;
