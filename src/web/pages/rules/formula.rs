//! Among whom a committee's gifts are shared out, as it is typed.

use super::{basis_points, percent};
use crate::domain::committee::joint::{Formula, PARTNERS_MAX, Partner};
use crate::domain::committee::{COMMITTEES_MAX, Committees};
use crate::domain::id::CommitteeId;
use crate::web::form::Form;
use crate::web::view::Choice;
use std::collections::BTreeMap;

/// Another committee, which may have a part of each gift.
#[derive(Debug, Clone)]
pub struct PartnerLine {
    /// Which.
    pub committee: CommitteeId,
    /// Its name.
    pub name: String,
    /// Field `share_N`: its share in percent, or its turn.
    pub share: String,
}

#[derive(Clone, Default)]
pub(super) struct TypedFormula {
    /// `alone`, `shares` or `turns`.
    how: String,
    /// By committee, those alone that are filled in.
    shares: BTreeMap<CommitteeId, String>,
}

impl TypedFormula {
    pub(super) fn of(formula: Option<&Formula>) -> Self {
        let Some(Formula { in_turn, partners }) = formula else { return Self::default() };
        let typed = |(at, partner): (usize, &Partner)| {
            let turn = at.saturating_add(1).to_string();
            (partner.committee, if *in_turn { turn } else { percent(partner.basis_points) })
        };
        let how = if *in_turn { "turns" } else { "shares" };
        Self { how: how.into(), shares: partners.iter().enumerate().map(typed).collect() }
    }

    pub(super) fn from_form(form: &Form) -> Self {
        let ids = (0..COMMITTEES_MAX).filter_map(|id| u16::try_from(id).ok()).map(CommitteeId);
        let typed = ids.map(|id| (id, form.get(&format!("share_{id}")))).filter(|(_, share)| !share.is_empty());
        Self { how: form.get("formula"), shares: typed.collect() }
    }

    pub(super) fn choices(&self) -> Vec<Choice> {
        let how = if self.how.is_empty() { "alone" } else { self.how.as_str() };
        let choice =
            |value: &str, label: &str| Choice { value: value.into(), label: label.into(), selected: value == how };
        vec![
            choice("alone", "No: all of a gift is its own"),
            choice("shares", "Yes, each has its share in percent"),
            choice("turns", "Yes, in turn: each takes all it may before the next"),
        ]
    }

    pub(super) fn lines(&self, known: &Committees, committee: CommitteeId) -> Vec<PartnerLine> {
        let others = known.iter().filter(|(id, other)| *id != committee && other.rules.formula.is_none());
        let line = |(id, other): (CommitteeId, &crate::domain::committee::Committee)| PartnerLine {
            committee: id,
            name: other.name().into(),
            share: self.shares.get(&id).cloned().unwrap_or_default(),
        };
        others.map(line).collect()
    }

    pub(super) fn read(&self, committee: CommitteeId) -> Result<Option<Formula>, String> {
        let typed = self.shares.iter().filter(|(id, _)| **id != committee);
        let partners: Option<Vec<Partner>> = match self.how.as_str() {
            "shares" => {
                typed.map(|(id, share)| Some(Partner { committee: *id, basis_points: basis_points(share)? })).collect()
            }
            "turns" => {
                let turn = |(id, turn): (&CommitteeId, &String)| Some((turn.trim().parse::<u16>().ok()?, *id));
                let turns: Option<BTreeMap<u16, CommitteeId>> = typed.clone().map(turn).collect();
                // Two in one turn would leave one of them out.
                let turns = turns.filter(|turns| turns.len() == typed.count());
                let partner = |committee| Partner { committee, basis_points: 0 };
                turns.map(|turns| turns.into_values().map(partner).collect())
            }
            _ => return Ok(None),
        };
        let partners = partners.filter(|partners| (2..=PARTNERS_MAX).contains(&partners.len()));
        match partners {
            Some(partners) => Ok(Some(Formula { in_turn: self.how == "turns", partners })),
            None if self.how == "turns" => {
                Err("Sharing: give at least two committees a turn, 1 for the first, and no two the same.".into())
            }
            None => {
                Err("Sharing: give at least two committees a share in percent, like 62.5; all together 100.".into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(how: &str, shares: &[(u16, &str)]) -> Result<Option<Formula>, String> {
        let fields = shares.iter().map(|(id, share)| format!("&share_{id}={share}"));
        let body = format!("formula={how}{}", fields.collect::<String>());
        TypedFormula::from_form(&Form::parse(body.as_bytes())).read(CommitteeId(2))
    }

    #[test]
    fn what_was_read_is_typed_the_same_again() {
        for (how, shares) in [("shares", &[(0, "62.5"), (1, "37.5")][..]), ("turns", &[(0, "2"), (1, "1")])] {
            let formula = read(how, shares).unwrap().unwrap();
            let again = TypedFormula::of(Some(&formula));
            assert_eq!(again.how, how);
            let typed = |(id, share): &(u16, &str)| (CommitteeId(*id), (*share).to_owned());
            assert_eq!(again.shares, shares.iter().map(typed).collect());
        }
        let turns = read("turns", &[(0, "2"), (1, "1")]).unwrap().unwrap();
        assert_eq!(turns.partners.iter().map(|partner| partner.committee.0).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(read("alone", &[(0, "50"), (1, "50")]), Ok(None));
    }

    #[test]
    fn what_can_not_be_a_formula_is_said_in_words() {
        for (how, shares) in [
            ("shares", &[][..]),
            ("shares", &[(0, "100")]),
            ("shares", &[(0, "half"), (1, "50")]),
            ("shares", &[(2, "50"), (1, "50")]),
            ("turns", &[(0, "1"), (1, "1")]),
            ("turns", &[(0, "1"), (1, "-2")]),
        ] {
            assert!(read(how, shares).unwrap_err().starts_with("Sharing: give"), "{how} {shares:?}");
        }
    }
}
