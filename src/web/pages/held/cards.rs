//! The part of the page about gifts whose card was tried for too many donors, or refused too often.

use super::{Sent, Who};
use crate::domain::donation::Flag;
use crate::domain::id::{DonationId, PersonId};
use crate::domain::money::Money;
use crate::projections::Projections;
use crate::projections::ledger::ContactAt;
use crate::projections::totals::timezone;
use crate::web::pages::home::when_in_words;
use crate::web::present;

/// A gift whose card stands out.
#[derive(Debug, Clone)]
pub struct Flagged {
    /// Which donation.
    pub donation: DonationId,
    /// What is left of it: `$50.00`.
    pub amount: String,
    /// Who gave.
    pub who: Who,
    /// `Card A, visa 4242`: those of one card have one letter or number.
    pub card: String,
    /// For how many donors it was tried, and how often refused.
    pub says: String,
    /// The rally's title.
    pub rally: String,
    /// When it was seen.
    pub when: String,
    /// The same as RFC 3339.
    pub when_iso: String,
    /// Field `why`, where it was sent and refused.
    pub why: String,
    /// Why it was refused.
    pub error: Option<String>,
}

/// A line, and whose name it wants. `number` tells one card from the next.
pub(super) fn line(
    world: &Projections,
    id: DonationId,
    flag: &Flag,
    number: usize,
    sent: Option<&Sent>,
) -> Option<(Flagged, PersonId, Option<ContactAt>)> {
    let gift = world.state.donations.get(id)?;
    let rally = world.state.rallies.get(gift.rally)?;
    let sent = sent.filter(|sent| sent.donation == id);
    let card = world.ledger.settled(id).and_then(|row| row.card.clone());
    let card = card.map(|card| format!(", {card}")).unwrap_or_default();
    let count = |number: u32, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
    let flagged = Flagged {
        donation: id,
        amount: Money::new(gift.left_minor(), gift.amount.currency).to_exact(),
        who: Who::default(),
        card: format!("Card {number}{card}"),
        says: format!(
            "Within an hour it was tried for the gifts of {}, and refused {}.",
            count(flag.donors, "donor", "donors"),
            count(flag.declines, "time", "times")
        ),
        rally: rally.details.title.clone(),
        when: when_in_words(flag.at, timezone(&world.state, gift.rally)),
        when_iso: present::iso(flag.at),
        why: sent.map(|sent| sent.text.clone()).unwrap_or_default(),
        error: sent.map(|sent| sent.error.clone()),
    };
    Some((flagged, gift.donor, world.ledger.pledge(id).map(|pledge| pledge.contact)))
}
