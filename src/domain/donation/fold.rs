//! What events make of donations.

use super::hold::Verdict;
use super::payment::{Attempt, Decline, Payment, RefundRequest, Settlement};
use super::{Declined, Donation, Donations, Event, Giver, News, PaymentNamed, Pledged, Renewed};
use crate::domain::State;
use crate::domain::id::{CommitteeId, DonationId, PaymentId};
use crate::domain::shared::Shared;
use chrono::{DateTime, Utc};

pub(in crate::domain) fn evolve(state: &mut State, event: &Event, at: DateTime<Utc>) {
    let donations = &mut state.donations;
    match event {
        Event::Pledged(pledged) => {
            let rally = state.rallies.get_mut(pledged.rally);
            let day = rally.as_ref().map_or(at.date_naive(), |rally| rally.details.day_of(at));
            let committee = rally.as_ref().map_or(CommitteeId::FIRST, |rally| rally.details.committee);
            let Pledged { rally: given_at, donor, likeness, amount, .. } = *pledged;
            let gift = Donation::new(given_at, committee, Giver { donor, likeness }, day, amount);
            donations.by_id.insert(pledged.donation, Shared::new(gift));
            if let Some(rally) = rally {
                rally.has_donations = true;
            }
        }
        Event::Renewed(renewed) => {
            let Renewed { donation, rally, donor, likeness, day, amount, .. } = *renewed;
            // The card is kept in that committee's account.
            let committee = donations.get(renewed.first).map_or(CommitteeId::FIRST, |first| first.committee);
            let mut gift = Donation::new(rally, committee, Giver { donor, likeness }, day, amount);
            gift.parts.clone_from(&renewed.parts);
            // One that the processor tells of has no attempt here that would do it.
            donations.kin.add(gift.giver(), donation);
            donations.by_id.insert(donation, Shared::new(gift));
        }
        Event::Held(data) => donations.holds.add(data.donation, at),
        Event::Released(data) => donations.holds.decided(data.donation, Verdict::Released),
        Event::TurnedAway(data) => donations.holds.decided(data.donation, Verdict::TurnedAway),
        Event::CardFlagged(flagged) => donations.flags.add(flagged, at),
        Event::CardCleared(cleared) => donations.flags.clear(cleared.donation),
        Event::PaymentRequested(requested) => {
            let Some(donation) = donations.get_mut(requested.donation) else { return };
            donation.attempts = requested.attempt;
            donation.parts.clone_from(&requested.parts);
            donation.decline = None;
            donation.in_flight = Some(Box::new(Attempt {
                number: requested.attempt,
                method: requested.method.clone(),
                customer: requested.customer.clone(),
                payment: None,
                waits_for_donor: false,
                checkout: None,
                since: at,
            }));
            let giver = donation.giver();
            donations.kin.add(giver, requested.donation);
        }
        Event::ActionRequired(named) => donations.evolve_under_way(named, true),
        Event::Processing(named) => donations.evolve_under_way(named, false),
        Event::CheckoutOpened(opened) => {
            let attempt = donations.get_mut(opened.donation).and_then(|donation| donation.in_flight.as_mut());
            if let Some(attempt) = attempt {
                attempt.checkout = Some(opened.checkout.clone());
                attempt.waits_for_donor = true;
            }
        }
        Event::CheckoutClosed(closed) => {
            let Some(donation) = donations.get_mut(closed.donation) else { return };
            donation.in_flight = None;
            let (code, reason) = (&closed.code, closed.reason.clone());
            donation.decline = reason.map(|reason| Box::new(Decline { code: code.clone(), reason }));
        }
        Event::Settled(settled) => {
            donations.by_payment.insert(settled.payment.short(), settled.donation);
            donations.unmatched.remove(&settled.payment);
            let Some(donation) = donations.get_mut(settled.donation) else { return };
            donation.in_flight = None;
            donation.decline = None;
            let books =
                Settlement { amount_minor: settled.amount.minor, fee_known: settled.fee.is_some(), after: None };
            let payment = Payment::Settled(books);
            donation.payments.insert(settled.payment.clone(), payment);
        }
        Event::FeeRecorded(recorded) => {
            if let Some(settled) = donations.settled_mut(recorded.donation, &recorded.payment) {
                settled.fee_known = true;
            }
        }
        Event::Declined(declined) => donations.evolve_declined(declined),
        Event::RefundRequested(requested) => {
            let Some(donation) = donations.get_mut(requested.donation) else { return };
            let request = RefundRequest { payment: requested.payment.clone(), amount: requested.amount };
            donation.refund_requests.insert(requested.refund, request);
        }
        Event::Refunded(refunded) => {
            donations.evolve_after(refunded.donation, &refunded.payment, event);
            if let (Some(donation), Some(refund)) = (donations.get_mut(refunded.donation), refunded.refund) {
                donation.refund_requests.remove(&refund);
            }
        }
        Event::RefundReversed(data) => donations.evolve_after(data.donation, &data.payment, event),
        Event::DisputeOpened(data) => donations.evolve_after(data.donation, &data.payment, event),
        Event::DisputeRevised(data) => donations.evolve_after(data.donation, &data.payment, event),
        Event::DisputeWithdrawn(data) | Event::DisputeReinstated(data) => {
            donations.evolve_after(data.donation, &data.payment, event);
        }
        Event::DisputeClosed(data) => donations.evolve_after(data.donation, &data.payment, event),
        Event::DebitReturned(data) => donations.evolve_after(data.donation, &data.payment, event),
        Event::CostRecorded(data) => donations.evolve_after(data.donation, &data.payment, event),
        Event::RefundUnmatched(news) => donations.keep(&News::Refund(news.clone())),
        Event::RefundFailureUnmatched(news) => donations.keep(&News::RefundFailure(news.clone())),
        Event::DisputeUnmatched(news) => donations.keep(&News::Dispute(news.clone())),
        Event::ReturnUnmatched(news) => donations.keep(&News::Return(news.clone())),
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

    fn settled_mut(&mut self, donation: DonationId, payment: &PaymentId) -> Option<&mut Settlement> {
        self.get_mut(donation)?.payments.get_mut(payment)?.settlement_mut()
    }

    fn evolve_after(&mut self, donation: DonationId, payment: &PaymentId, event: &Event) {
        if let Some(settled) = self.settled_mut(donation, payment) {
            settled.after.get_or_insert_default().evolve(event);
        }
    }

    /// Keeps a fact that came before what it is about: with the payment where that is settled, or for when it is.
    fn keep(&mut self, news: &News) {
        let owner = self.settled(news.payment()).map(|(donation, ..)| donation);
        let books = match owner.and_then(|donation| self.settled_mut(donation, news.payment())) {
            Some(settled) => settled.after.get_or_insert_default(),
            None => self.unmatched.entry(news.payment().clone()).or_default(),
        };
        books.learn(news);
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
                donation.in_flight.as_ref().is_some_and(|attempt| attempt.ends_with(payment, before.is_some()))
            }
        };
        if ends_attempt {
            donation.in_flight = None;
            let (code, reason) = (declined.code.clone(), declined.reason.clone());
            donation.decline = Some(Box::new(Decline { code, reason }));
        }
    }
}
