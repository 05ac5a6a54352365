//! Money by committee, where there are several.

use super::money::{Texts, UNKNOWN};
use crate::domain::id::CommitteeId;
use crate::domain::money::{Currency, Money};
use crate::projections::Projections;
use crate::projections::ledger::{ByCommittee, Row};
use crate::report::chosen::Chosen;
use crate::report::selection::Selection;
use crate::web::view::Choice;

/// One committee's money in one currency.
#[derive(Debug, Clone)]
pub struct FinanceCommittee {
    /// Its name.
    pub name: String,
    /// The page of just its account.
    pub href: String,
    /// The number of donations into its account.
    pub donations: String,
    /// Money given into it.
    pub gross: String,
    /// Money returned from it.
    pub refunds: String,
    /// What disputes and donors' banks took from it.
    pub taken: String,
    /// Fees, or `–`.
    pub fees: String,
    /// What is left in it.
    pub net: String,
    /// What is its own of gifts to joint committees, in their accounts; `–` where that is nothing.
    pub shared: String,
}

/// The committees that have money in a selection; nothing where there is one committee alone.
pub(super) fn lines(world: &Projections, selection: &Selection, seq: u64) -> Vec<FinanceCommittee> {
    if world.state.committees.iter().len() == 1 {
        return vec![];
    }
    let chosen = Chosen::new(world, selection);
    let is_asked = |row: &Row| chosen.has(row);
    let line = |((committee, currency), money): ((CommitteeId, Currency), ByCommittee)| {
        let texts = Texts::new(currency, &money.account);
        FinanceCommittee {
            name: world.state.committees.name(committee).into(),
            href: format!("/finance?committee={committee}"),
            donations: crate::domain::money::group_thousands(money.account.donations),
            gross: texts.gross,
            refunds: texts.refunds,
            taken: texts.taken,
            fees: texts.fees,
            net: texts.net,
            shared: match money.shared_minor {
                0 => UNKNOWN.into(),
                minor => Money::new(minor, currency).to_exact(),
            },
        }
    };
    world.ledger.committees_at(seq, is_asked).into_iter().map(line).collect()
}

/// Field `committee` of the filter; nothing where there is one committee alone.
pub(in crate::web::pages) fn choices(world: &Projections, selection: &Selection) -> Vec<Choice> {
    let known = world.state.committees.iter();
    if known.len() == 1 {
        return vec![];
    }
    let all = Choice { value: String::new(), label: "All accounts".into(), selected: selection.committee.is_none() };
    let choice = |(id, committee): (CommitteeId, &crate::domain::committee::Committee)| Choice {
        value: id.to_string(),
        label: committee.name().into(),
        selected: selection.committee == Some(id),
    };
    std::iter::once(all).chain(known.map(choice)).collect()
}
