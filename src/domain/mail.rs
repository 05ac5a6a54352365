//! Letters to people: a receipt for each payment, a notice of each refund, the answer to a gift that was held. A letter is asked for in the same breath as what it
//! tells of, so that nothing is lost between the two; what became of it is recorded by whoever carries it.
//!
//! Events name a person and never an address: where the letter goes is sealed in the pledge.

use super::hash::HashMap;
use super::id::{DonationId, MailId, PaymentId, PersonId, PlanId, ProcessorRefundId};
use super::money::Money;
use super::{State, donation, donor, plan};
use chrono::serde::ts_microseconds;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// Characters of a reason: a sentence, in words of ours.
pub const REASON_CHARS_MAX: usize = 200;

/// What a letter is. A new kind of letter is a new name here, and a template in `mail/letter.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Money came.
    Receipt,
    /// Money went back.
    RefundNotice,
    /// An instalment of a recurring gift was refused, and is tried again.
    InstalmentRefused,
    /// A recurring gift ended.
    PlanEnded,
    /// A gift that was held can be paid.
    Released,
    /// A gift that was held is not taken.
    TurnedAway,
    /// Employer or occupation is missing, and asked for.
    WorkAsked,
}

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// A server starts that sends mail, or one that does not.
    Switch {
        /// Whether it does.
        on: bool,
    },
    /// The mail server took a letter.
    RecordSent {
        /// Which.
        mail: MailId,
    },
    /// A letter will never arrive.
    RecordFailed {
        /// Which.
        mail: MailId,
        /// Why, in words for the donor, without an address.
        reason: String,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// From now on letters are asked for, or are not.
    Switched(Switched),
    /// A letter is to be sent: intent, before any mail server is called.
    Requested(Requested),
    /// The mail server took it.
    Sent(Sent),
    /// It will never arrive.
    Failed(Failed),
}

/// Whether letters are asked for: what settled while they were not is never written to anybody afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Switched {
    /// Whether they are.
    pub on: bool,
}

/// A letter is to be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Requested {
    /// Which letter; its Message-ID is made of it, at every try the same.
    pub mail: MailId,
    /// What it is.
    pub letter: Kind,
    /// To whom: the address is sealed in the pledge.
    pub person: PersonId,
    /// About which donation.
    pub donation: DonationId,
    /// About which of its payments; empty where it is about none.
    #[serde(default = "no_payment", skip_serializing_if = "is_none")]
    pub payment: PaymentId,
    /// About which refund, in a notice of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<ProcessorRefundId>,
    /// The sum it tells of.
    pub amount: Money,
}

fn no_payment() -> PaymentId {
    PaymentId(String::new())
}

fn is_none(payment: &PaymentId) -> bool {
    payment.0.is_empty()
}

/// The mail server took a letter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// Which.
    pub mail: MailId,
}

/// A letter will never arrive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// Which.
    pub mail: MailId,
    /// Why, without an address.
    pub reason: String,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Refusal {
    /// It was never asked for.
    #[error("there is no such letter")]
    Unknown,
    /// It stays in the log.
    #[error("a letter's failure is told in 1 to {REASON_CHARS_MAX} characters without an address")]
    Reason,
}

impl MailId {
    /// The receipt of a payment.
    pub fn receipt(donation: DonationId, payment: &PaymentId) -> Self {
        Self::of(&["receipt", &donation.to_string(), &payment.0])
    }

    /// The notice of a refund.
    pub fn refund_notice(donation: DonationId, payment: &PaymentId, refund: &ProcessorRefundId) -> Self {
        Self::of(&["refund", &donation.to_string(), &payment.0, &refund.0])
    }

    /// The notice that an instalment was refused for the n-th time.
    pub fn refused(donation: DonationId, tries: u32) -> Self {
        Self::of(&["instalment-refused", &donation.to_string(), &tries.to_string()])
    }

    /// The notice that a recurring gift ended.
    pub fn plan_ended(plan: PlanId) -> Self {
        Self::of(&["plan-ended", &plan.to_string()])
    }

    /// The word that a held gift can be paid.
    pub fn released(donation: DonationId) -> Self {
        Self::of(&["released", &donation.to_string()])
    }

    /// The word that a held gift is not taken.
    pub fn turned_away(donation: DonationId) -> Self {
        Self::of(&["turned-away", &donation.to_string()])
    }

    /// The request for an employer or occupation that is missing.
    pub fn work_asked(donation: DonationId) -> Self {
        Self::of(&["work-asked", &donation.to_string()])
    }

    /// The donation's id is in it because payments of two ledgers may have the same name, and mailboxes drop what they
    /// believe to have.
    fn of(parts: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(part.as_bytes());
            hasher.update(&[0]);
        }
        let bytes = hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default();
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

/// A letter that is to be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// What was asked for.
    #[serde(with = "super::as_json")]
    pub requested: Requested,
    /// When: the instant of what it tells of.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
}

/// A letter that will never arrive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What it was.
    pub letter: Kind,
    /// About which donation.
    pub donation: DonationId,
    /// Why.
    pub reason: String,
    /// When that was known.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
}

/// What became of a letter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Standing<'a> {
    /// It is to be sent.
    Waiting,
    /// The mail server took it.
    Sent,
    /// It will never arrive.
    Failed(&'a Failure),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Place {
    Waiting(u64),
    Sent,
    Failed(u64),
}

/// Every letter: whole while it waits or where it failed, and otherwise its name alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mail {
    on: bool,
    /// Letters asked for so far; each has its number.
    asked: u64,
    waiting: BTreeMap<u64, Waiting>,
    failed: BTreeMap<u64, Failure>,
    places: HashMap<MailId, Place>,
}

impl Mail {
    /// Whether letters are asked for.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Letters that are to be sent, from this number on, in the order in which they were asked for.
    pub fn waiting_from(&self, number: u64) -> impl Iterator<Item = (u64, &Waiting)> {
        self.waiting.range(number..).map(|(number, waiting)| (*number, waiting))
    }

    /// How many are to be sent.
    pub fn waiting_count(&self) -> usize {
        self.waiting.len()
    }

    /// The letter with this number, if it is still to be sent.
    pub fn waiting(&self, number: u64) -> Option<&Waiting> {
        self.waiting.get(&number)
    }

    /// Letters that will never arrive, the latest first.
    pub fn failures(&self) -> impl ExactSizeIterator<Item = &Failure> {
        self.failed.values().rev()
    }

    /// What became of a letter; `None` where it was never asked for, or is about somebody who was erased before it went.
    pub fn standing(&self, mail: MailId) -> Option<Standing<'_>> {
        match self.places.get(&mail)? {
            Place::Waiting(_) => Some(Standing::Waiting),
            Place::Sent => Some(Standing::Sent),
            Place::Failed(number) => self.failed.get(number).map(Standing::Failed),
        }
    }

    /// Nobody is left to write to.
    pub(super) fn forget(&mut self, person: PersonId) {
        let Self { waiting, places, .. } = self;
        waiting.retain(|_, letter| {
            let stays = letter.requested.person != person;
            if !stays {
                places.remove(&letter.requested.mail);
            }
            stays
        });
    }
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let is_waiting = |mail| match state.mail.standing(mail) {
        None => Err(Refusal::Unknown),
        Some(standing) => Ok(standing == Standing::Waiting),
    };
    let event = match command {
        Command::Switch { on } => (on != state.mail.on).then_some(Event::Switched(Switched { on })),
        Command::RecordSent { mail } => is_waiting(mail)?.then_some(Event::Sent(Sent { mail })),
        Command::RecordFailed { mail, reason } => {
            let too_long = reason.chars().nth(REASON_CHARS_MAX).is_some();
            if reason.trim().is_empty() || too_long || reason.contains('@') || reason.chars().any(char::is_control) {
                return Err(Refusal::Reason);
            }
            is_waiting(mail)?.then_some(Event::Failed(Failed { mail, reason }))
        }
    };
    Ok(event.map(super::Event::Mail).into_iter().collect())
}

/// Asks for the letters that follow from what was just decided: in one append with it, and only while mail is sent. Each
/// settlement and each refund is decided once, and so is its letter.
pub(super) fn ask_for(state: &State, events: &mut Vec<super::Event>) {
    if !state.mail.on {
        return;
    }
    let letters: Vec<_> = events.iter().filter_map(|event| letter_of(state, event)).collect();
    events.extend(letters.into_iter().map(|letter| super::Event::Mail(Event::Requested(letter))));
}

fn letter_of(state: &State, event: &super::Event) -> Option<Requested> {
    let letter = if let super::Event::Donation(event) = event {
        of_gift(state, event)?
    } else if let super::Event::Plan(plan::Event::Ended(ended)) = event {
        of_end(state, ended)?
    } else if let super::Event::Donor(donor::Event::Asked(asked)) = event {
        of_asking(state, asked)?
    } else {
        return None;
    };
    let is_gone = state.privacy.erasure(letter.person).is_some_and(|erasure| !erasure.came_back);
    (!is_gone && state.mail.standing(letter.mail).is_none()).then_some(letter)
}

/// One that never began needs no word of its end, but where its donor believes that it has.
fn of_end(state: &State, ended: &plan::Ended) -> Option<Requested> {
    let has_begun = |plan: &&plan::Plan| plan.standing() != plan::Standing::Asked || ended.why == plan::Why::NotKept;
    let plan = state.plans.get(ended.plan).filter(has_begun)?;
    Some(Requested {
        mail: MailId::plan_ended(ended.plan),
        letter: Kind::PlanEnded,
        person: plan.donor,
        donation: plan.gifts.last()?.donation,
        payment: no_payment(),
        refund: None,
        amount: plan.amount,
    })
}

/// Only where the card was charged without its owner: whoever offers a card on the page is told there.
fn of_refusal(state: &State, declined: &donation::Declined) -> Option<Requested> {
    let gift = state.donations.get(declined.donation)?;
    gift.in_flight.as_ref()?.customer.as_ref()?;
    let (_, plan) = state.plans.of_donation(declined.donation)?;
    let plan::Standing::PastDue { tries, again: Some(_) } = plan.standing() else { return None };
    Some(Requested {
        mail: MailId::refused(declined.donation, tries),
        letter: Kind::InstalmentRefused,
        person: gift.donor,
        donation: declined.donation,
        payment: no_payment(),
        refund: None,
        amount: gift.amount,
    })
}

/// What became of a gift that was held: its donor was told to wait for it.
fn of_hold(state: &State, donation: DonationId, letter: Kind, mail: MailId) -> Option<Requested> {
    let gift = state.donations.get(donation)?;
    let (payment, refund) = (no_payment(), None);
    Some(Requested { mail, letter, person: gift.donor, donation, payment, refund, amount: gift.amount })
}

/// Only where it is asked by letter.
fn of_asking(state: &State, asked: &donor::Asked) -> Option<Requested> {
    let gift = state.donations.get(asked.donation).filter(|_| asked.how == donor::How::Letter)?;
    Some(Requested {
        mail: MailId::work_asked(asked.donation),
        letter: Kind::WorkAsked,
        person: asked.person,
        donation: asked.donation,
        payment: no_payment(),
        refund: None,
        amount: gift.amount,
    })
}

fn of_gift(state: &State, event: &donation::Event) -> Option<Requested> {
    let letter = match event {
        donation::Event::Declined(declined) => return of_refusal(state, declined),
        donation::Event::Released(data) => {
            return of_hold(state, data.donation, Kind::Released, MailId::released(data.donation));
        }
        donation::Event::TurnedAway(data) => {
            return of_hold(state, data.donation, Kind::TurnedAway, MailId::turned_away(data.donation));
        }
        donation::Event::Settled(settled) => Requested {
            mail: MailId::receipt(settled.donation, &settled.payment),
            letter: Kind::Receipt,
            person: settled.donor,
            donation: settled.donation,
            payment: settled.payment.clone(),
            refund: None,
            amount: settled.amount,
        },
        donation::Event::Refunded(refunded) => Requested {
            mail: MailId::refund_notice(refunded.donation, &refunded.payment, &refunded.processor_refund),
            letter: Kind::RefundNotice,
            person: refunded.donor,
            donation: refunded.donation,
            payment: refunded.payment.clone(),
            refund: Some(refunded.processor_refund.clone()),
            amount: refunded.amount,
        },
        donation::Event::Pledged(_)
        | donation::Event::Held(_)
        | donation::Event::CardFlagged(_)
        | donation::Event::CardCleared(_)
        | donation::Event::PaymentRequested(_)
        | donation::Event::ActionRequired(_)
        | donation::Event::Processing(_)
        | donation::Event::CheckoutOpened(_)
        | donation::Event::CheckoutClosed(_)
        | donation::Event::FeeRecorded(_)
        | donation::Event::Renewed(_)
        | donation::Event::RefundRequested(_)
        | donation::Event::RefundUnmatched(_)
        | donation::Event::RefundFailed(_)
        | donation::Event::RefundReversed(_)
        | donation::Event::RefundFailureUnmatched(_)
        | donation::Event::DisputeOpened(_)
        | donation::Event::DisputeRevised(_)
        | donation::Event::DisputeWithdrawn(_)
        | donation::Event::DisputeReinstated(_)
        | donation::Event::DisputeClosed(_)
        | donation::Event::DisputeUnmatched(_)
        | donation::Event::DebitReturned(_)
        | donation::Event::ReturnUnmatched(_)
        | donation::Event::CostRecorded(_) => return None,
    };
    Some(letter)
}

pub(super) fn evolve(state: &mut State, event: &Event, at: DateTime<Utc>) {
    let mail = &mut state.mail;
    match event {
        Event::Switched(switched) => mail.on = switched.on,
        Event::Requested(requested) => {
            let number = mail.asked;
            mail.asked = number.saturating_add(1);
            mail.places.insert(requested.mail, Place::Waiting(number));
            mail.waiting.insert(number, Waiting { requested: requested.clone(), at });
        }
        Event::Sent(sent) => {
            mail.take(sent.mail, |_| Place::Sent);
        }
        Event::Failed(failed) => {
            if let Some((number, letter)) = mail.take(failed.mail, Place::Failed) {
                let Requested { letter, donation, .. } = letter.requested;
                mail.failed.insert(number, Failure { letter, donation, reason: failed.reason.clone(), at });
            }
        }
    }
}

impl Mail {
    fn take(&mut self, mail: MailId, now: impl FnOnce(u64) -> Place) -> Option<(u64, Waiting)> {
        let place = self.places.get_mut(&mail)?;
        let Place::Waiting(number) = *place else { return None };
        *place = now(number);
        Some((number, self.waiting.remove(&number)?))
    }
}

#[cfg(test)]
mod tests;
