//! The rally that tests speak of, and a gift to it.

use groundswell::domain::donation::{ATTESTATIONS, Pledged, Traces};
use groundswell::domain::id::{CommitteeId, DonationId, PersonId, RallyId};
use groundswell::domain::money::{Currency, Money};
use groundswell::domain::rally::Details;
use groundswell::domain::sealed::Sealed;

/// A rally's texts, with this address.
pub fn details(slug: &str) -> Details {
    Details {
        slug: slug.into(),
        title: "Answer the call".into(),
        starts_at: "2028-07-25T23:30:00Z".parse().unwrap(),
        timezone: "America/New_York".into(),
        description: String::new(),
        goal_minor: None,
        currency: Currency::USD,
        suggested_minor: vec![2500],
        paid_for_by: "Paid for by Rivera for Senate".into(),
        accent: "#d6301f".into(),
        committee: CommitteeId::FIRST,
    }
}

/// A form that was sent, every statement confirmed; what is sealed in it nobody opens.
pub fn pledged(donation: DonationId, rally: RallyId, donor: PersonId, amount: Money) -> Pledged {
    Pledged {
        donation,
        rally,
        donor,
        amount,
        contact: Sealed::new(&[1; 40]),
        shown: Sealed::new(&[2; 40]),
        attestations: ATTESTATIONS.iter().map(|(id, _)| (*id).to_owned()).collect(),
        refcode: None,
        likeness: None,
        covers_fee: None,
        came: None,
        on_program: None,
        traces: Traces::default(),
    }
}
