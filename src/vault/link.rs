//! Links by which a recurring gift is changed without an account: whoever has one may, and nobody guesses one.

use super::Vault;
use crate::domain::id::PlanId;
use std::fmt::Write as _;
use subtle::ConstantTimeEq as _;

const PURPOSE: &str = "plan link";
/// Hex digits of the plan's id, and of the half that only this server knows.
const DIGITS: usize = 32;

impl Vault {
    /// The part of a plan's address that lets its donor in: 64 hex digits.
    pub fn plan_link(&self, plan: PlanId) -> String {
        let mut link = plan.0.simple().to_string();
        for byte in self.derive(PURPOSE, plan.0.as_bytes()).iter().take(DIGITS / 2) {
            let _ = write!(link, "{byte:02x}");
        }
        link
    }

    /// Which plan a link is for, if this server made it.
    pub fn plan_of_link(&self, link: &str) -> Option<PlanId> {
        let (plan, _) = link.split_at_checked(DIGITS)?;
        let plan = PlanId(plan.parse().ok()?);
        let fits: bool = self.plan_link(plan).as_bytes().ct_eq(link.as_bytes()).into();
        fits.then_some(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

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
    }
}
