//! What may still happen to money after it settled, told by the processor in any order, repeated and late: refunds that
//! are done and refunds that fail, disputes, debits that the donor's bank takes back.
//!
//! Each thing told is a fact that stays true, so what is known of a payment is the set of facts told of it. An event is
//! recorded for each fact once, and the same facts give the same state whatever their order. Facts of a payment that is
//! not known as settled are kept, and counted once it is.

mod dispute;
mod event;
mod refund;

pub use dispute::{Dispute, Moved, Outcome as DisputeOutcome};
pub use event::{
    CostRecorded, DebitReturned, DisputeClosed, DisputeMoved, DisputeNews, DisputeOpened, DisputeRevised, Movement,
    RefundFailureNews, RefundReversed, ReturnNews,
};
pub use refund::Refund;

use super::event::{Event, RefundUnmatched, Refunded};
use super::{Refusal, countable};
use crate::domain::id::{DisputeId, DonationId, PaymentId, PersonId, ProcessorRefundId, RallyId};
use crate::domain::money::{Currency, Money};
use litemap::LiteMap;
use serde::{Deserialize, Serialize};

/// Refunds of one payment: bounds memory against a processor gone wrong.
pub const REFUNDS_MAX: usize = 100;
/// Disputes of one payment: a bank asks once or twice, and the bound is against a processor gone wrong.
pub const DISPUTES_MAX: usize = 20;

/// A fact about a payment that settled, or will.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Money was given back.
    Refund(RefundUnmatched),
    /// A refund did not go through, whatever was said of it before.
    RefundFailure(RefundFailureNews),
    /// How a dispute stands.
    Dispute(DisputeNews),
    /// The donor's bank took the money back.
    Return(ReturnNews),
}

impl News {
    /// Of which payment.
    pub fn payment(&self) -> &PaymentId {
        match self {
            Self::Refund(news) => &news.payment,
            Self::RefundFailure(news) => &news.payment,
            Self::Dispute(news) => &news.payment,
            Self::Return(news) => &news.payment,
        }
    }

    /// The sum it is about; a failure moves none of its own.
    fn amount(&self) -> Option<Money> {
        match self {
            Self::Refund(news) => Some(news.amount),
            Self::RefundFailure(_) => None,
            Self::Dispute(news) => Some(news.amount),
            Self::Return(news) => Some(news.amount),
        }
    }

    /// Whether its sum can be counted: nothing above the largest donation was ever asked of the processor.
    pub(super) fn is_countable(&self) -> bool {
        self.amount().is_none_or(countable)
    }

    pub(super) fn is_in(&self, currency: Currency) -> bool {
        self.amount().is_none_or(|amount| amount.currency == currency)
    }

    pub(super) fn unmatched(self) -> Event {
        match self {
            Self::Refund(news) => Event::RefundUnmatched(news),
            Self::RefundFailure(news) => Event::RefundFailureUnmatched(news),
            Self::Dispute(news) => Event::DisputeUnmatched(news),
            Self::Return(news) => Event::ReturnUnmatched(news),
        }
    }
}

/// The donor's bank took a debit back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Return {
    pub(super) amount: Money,
    pub(super) code: String,
    pub(super) fee: Option<Money>,
}

/// Whose payment it is.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) donation: DonationId,
    pub(super) rally: RallyId,
    pub(super) donor: PersonId,
    pub(super) payment: PaymentId,
}

/// Everything told of a payment besides that it settled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct After {
    pub(super) refunds: LiteMap<ProcessorRefundId, Refund>,
    pub(super) disputes: LiteMap<DisputeId, Dispute>,
    pub(super) returned: Option<Return>,
}

impl After {
    /// What was given back and did not come back, in minor units.
    pub(super) fn refunded_minor(&self) -> i64 {
        self.refunds.values().map(Refund::given_back_minor).fold(0, i64::saturating_add)
    }

    /// What disputes hold or took, in minor units.
    pub(super) fn disputed_minor(&self) -> i64 {
        self.disputes.values().map(Dispute::held_minor).fold(0, i64::saturating_add)
    }

    /// What the donor's bank took back, in minor units.
    pub(super) fn returned_minor(&self) -> i64 {
        self.returned.as_ref().map_or(0, |returned| returned.amount.minor)
    }

    /// Whether there is room for it.
    ///
    /// # Errors
    /// `AmountOutOfRange` where the processor tells of more than it can mean.
    pub(super) fn check_room(&self, news: &News) -> Result<(), Refusal> {
        let full = match news {
            News::Refund(news) => self.no_room_for(&news.processor_refund),
            News::RefundFailure(news) => self.no_room_for(&news.processor_refund),
            News::Dispute(news) => self.disputes.len() >= DISPUTES_MAX && !self.disputes.contains_key(&news.dispute),
            News::Return(_) => false,
        };
        if full { Err(Refusal::AmountOutOfRange) } else { Ok(()) }
    }

    fn no_room_for(&self, refund: &ProcessorRefundId) -> bool {
        self.refunds.len() >= REFUNDS_MAX && !self.refunds.contains_key(refund)
    }

    /// Takes a fact in as it stands; whether it was new.
    pub(super) fn learn(&mut self, news: &News) -> bool {
        match news {
            News::Refund(news) => refund::learn_done(&mut self.refunds, news),
            News::RefundFailure(news) => refund::learn_failed(&mut self.refunds, news),
            News::Dispute(news) => match self.disputes.get_mut(&news.dispute) {
                Some(dispute) => dispute.learn(news),
                None => self.disputes.insert(news.dispute.clone(), Dispute::of(news)).is_none(),
            },
            News::Return(news) => match &mut self.returned {
                Some(returned) => {
                    let learns = returned.fee.is_none() && news.fee.is_some();
                    returned.fee = returned.fee.or(news.fee);
                    learns
                }
                None => {
                    let (code, fee) = (news.code.clone(), news.fee);
                    self.returned = Some(Return { amount: news.amount, code, fee });
                    true
                }
            },
        }
    }

    /// The same facts as news of a payment, each by itself.
    pub(super) fn news(&self, payment: &PaymentId) -> Vec<News> {
        let refunds = self.refunds.iter().flat_map(|(id, refund)| refund.news(payment, id));
        let disputes = self.disputes.iter().map(|(id, dispute)| News::Dispute(dispute.news(payment, id)));
        let returned = self.returned.iter().cloned().map(|Return { amount, code, fee }| {
            News::Return(ReturnNews { payment: payment.clone(), amount, code, fee })
        });
        refunds.chain(disputes).chain(returned).collect()
    }

    /// The events by which a settled payment's books learn a fact; none where they know it.
    pub(super) fn events(&self, news: News, owner: &Owner) -> Vec<Event> {
        match news {
            News::Refund(news) => refund::done(self.refunds.get(&news.processor_refund), news, owner),
            News::RefundFailure(news) => refund::failed(self.refunds.get(&news.processor_refund), news, owner),
            News::Dispute(news) => dispute::events(self.disputes.get(&news.dispute), &news, owner),
            News::Return(news) => self.returned_events(news, owner),
        }
    }

    fn returned_events(&self, news: ReturnNews, owner: &Owner) -> Vec<Event> {
        let ReturnNews { payment, amount, code, fee } = news;
        let Owner { donation, rally, donor, .. } = *owner;
        let mut events = vec![];
        if self.returned.is_none() {
            events.push(Event::DebitReturned(DebitReturned { donation, rally, donor, payment, amount, code }));
        }
        if self.returned.as_ref().and_then(|returned| returned.fee).is_none() {
            let fee = fee.filter(|fee| fee.currency == amount.currency);
            events.extend(fee.map(|fee| owner.cost(Movement::Return, None, fee)));
        }
        events
    }

    /// Takes in an event of a settled payment.
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Refunded(Refunded { payment, processor_refund, refund, amount, .. }) => {
                let (payment, processor_refund) = (payment.clone(), processor_refund.clone());
                let news = RefundUnmatched { payment, processor_refund, refund: *refund, amount: *amount };
                refund::learn_done(&mut self.refunds, &news);
            }
            Event::RefundReversed(reversed) => refund::reverse(&mut self.refunds, reversed),
            Event::RefundFailureUnmatched(news) => {
                refund::learn_failed(&mut self.refunds, news);
            }
            Event::DisputeOpened(opened) => {
                if !self.disputes.contains_key(&opened.dispute) {
                    self.disputes.insert(opened.dispute.clone(), Dispute::opened(opened));
                }
            }
            Event::DisputeRevised(revised) => {
                self.change(&revised.dispute, |dispute| dispute.due_by = Some(revised.due_by))
            }
            Event::DisputeWithdrawn(moved) => {
                self.change(&moved.dispute, |dispute| dispute.withdrawn = Some(Moved { fee: None }));
            }
            Event::DisputeReinstated(moved) => {
                self.change(&moved.dispute, |dispute| dispute.reinstated = Some(Moved { fee: None }));
            }
            Event::DisputeClosed(closed) => {
                self.change(&closed.dispute, |dispute| dispute.closed = Some(closed.outcome));
            }
            Event::DebitReturned(returned) => {
                self.returned = Some(Return { amount: returned.amount, code: returned.code.clone(), fee: None });
            }
            Event::CostRecorded(cost) => self.evolve_cost(cost),
            Event::DisputeUnmatched(_)
            | Event::ReturnUnmatched(_)
            | Event::RefundUnmatched(_)
            | Event::Pledged(_)
            | Event::Renewed(_)
            | Event::Held(_)
            | Event::Released(_)
            | Event::TurnedAway(_)
            | Event::CardFlagged(_)
            | Event::CardCleared(_)
            | Event::PaymentRequested(_)
            | Event::ActionRequired(_)
            | Event::Processing(_)
            | Event::CheckoutOpened(_)
            | Event::CheckoutClosed(_)
            | Event::Settled(_)
            | Event::FeeRecorded(_)
            | Event::Declined(_)
            | Event::RefundRequested(_)
            | Event::RefundFailed(_) => {}
        }
    }

    fn change(&mut self, dispute: &DisputeId, change: impl FnOnce(&mut Dispute)) {
        if let Some(dispute) = self.disputes.get_mut(dispute) {
            change(dispute);
        }
    }

    fn evolve_cost(&mut self, cost: &CostRecorded) {
        let fee = Some(cost.fee);
        let name = cost.name.clone().unwrap_or_default();
        match cost.of {
            Movement::Withdrawal => self.change(&DisputeId(name), |dispute| dispute.withdrawn = Some(Moved { fee })),
            Movement::Reinstatement => {
                self.change(&DisputeId(name), |dispute| dispute.reinstated = Some(Moved { fee }))
            }
            Movement::Return => {
                if let Some(returned) = &mut self.returned {
                    returned.fee = fee;
                }
            }
        }
    }
}

impl Owner {
    pub(super) fn cost(&self, of: Movement, name: Option<String>, fee: Money) -> Event {
        let Owner { donation, rally, payment, .. } = self.clone();
        Event::CostRecorded(CostRecorded { donation, rally, payment, of, name, fee })
    }
}

#[cfg(test)]
mod tests;
