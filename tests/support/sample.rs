//! The rally that tests speak of.

use groundswell::domain::id::CommitteeId;
use groundswell::domain::money::Currency;
use groundswell::domain::rally::Details;

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
