//! Links by which a donor changes a recurring gift, or answers a question about a gift, without an account: whoever has one may,
//! and nobody guesses one.

use super::Vault;
use crate::domain::id::{DonationId, PlanId};
use std::fmt::Write as _;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

const PLAN: &str = "plan link";
const ANSWER: &str = "answer link";
/// Hex digits of the id, and of the half that only this server knows.
const DIGITS: usize = 32;

impl Vault {
    /// The part of a plan's address that lets its donor in: 64 hex digits.
    pub fn plan_link(&self, plan: PlanId) -> String {
        self.link(PLAN, plan.0)
    }

    /// Which plan a link is for, if this server made it.
    pub fn plan_of_link(&self, link: &str) -> Option<PlanId> {
        self.of_link(PLAN, link).map(PlanId)
    }

    /// The part of the address where a donor answers what is asked about a gift: 64 hex digits.
    pub fn answer_link(&self, donation: DonationId) -> String {
        self.link(ANSWER, donation.0)
    }

    /// About which gift such a link is, if this server made it.
    pub fn donation_of_link(&self, link: &str) -> Option<DonationId> {
        self.of_link(ANSWER, link).map(DonationId)
    }

    fn link(&self, purpose: &str, id: Uuid) -> String {
        let mut link = id.simple().to_string();
        for byte in self.derive(purpose, id.as_bytes()).iter().take(DIGITS / 2) {
            let _ = write!(link, "{byte:02x}");
        }
        link
    }

    fn of_link(&self, purpose: &str, link: &str) -> Option<Uuid> {
        let (id, _) = link.split_at_checked(DIGITS)?;
        let id = id.parse().ok()?;
        let fits: bool = self.link(purpose, id).as_bytes().ct_eq(link.as_bytes()).into();
        fits.then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_one_plans_and_one_servers() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, other) = (Vault::open(one.path()).unwrap(), Vault::open(other.path()).unwrap());
        let plan = PlanId(Uuid::from_u128(7));
        let link = one.plan_link(plan);
        assert_eq!(link.len(), 64);
        assert_eq!(one.plan_of_link(&link), Some(plan));
        assert_eq!(other.plan_of_link(&link), None);
        assert_ne!(one.plan_link(PlanId(Uuid::from_u128(8)))[32..], link[32..]);
        for broken in ["", "7", &link[..63], &format!("{link}0"), &link.to_uppercase(), &link.replace('0', "1"), "é"] {
            assert_eq!(one.plan_of_link(broken), None, "{broken}");
        }
        let donation = DonationId(plan.0);
        assert_eq!(one.donation_of_link(&one.answer_link(donation)), Some(donation));
        assert_eq!(one.donation_of_link(&link), None, "a link is for one purpose");
    }
}
