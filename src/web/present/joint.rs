//! Gifts that several committees share, in words.

use crate::domain::committee::Committees;
use crate::domain::committee::joint::{Formula, Part};
use crate::domain::id::CommitteeId;

/// How gifts to a committee are shared out, as the law wants it stated to whoever gives; nothing where they are not.
pub fn formula(committees: &Committees, committee: CommitteeId) -> Vec<String> {
    let Some(Formula { in_turn, partners }) = committees.formula(committee) else { return vec![] };
    let name = |id| committees.name(id);
    let share = |basis_points: u16| {
        let text = format!("{}.{:02}", basis_points / 100, basis_points % 100);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let list: Vec<String> = if *in_turn {
        partners.iter().map(|partner| name(partner.committee).to_owned()).collect()
    } else {
        let of = |partner: &crate::domain::committee::joint::Partner| {
            format!("{}\u{a0}% to {}", share(partner.basis_points), name(partner.committee))
        };
        partners.iter().map(of).collect()
    };
    let shared = if *in_turn {
        format!(
            "Your gift to {} goes in turn to {}: each takes what the law lets you give it before the next.",
            name(committee),
            listed(&list)
        )
    } else {
        format!("Your gift to {} is shared: {}.", name(committee), listed(&list))
    };
    let mut lines = vec![shared];
    if !in_turn {
        lines.push("What you may not give to one of them goes to the others in the same proportion.".into());
    }
    lines
}

/// Whose what part of a gift is: name and sum.
pub fn parts(committees: &Committees, parts: &[Part]) -> Vec<(String, String)> {
    let line = |part: &Part| (committees.name(part.committee).to_owned(), part.amount.to_exact());
    parts.iter().map(line).collect()
}

/// The same in one line: `$60.00 to Rivera for Senate and $40.00 to the State Party`.
pub fn parts_in_words(committees: &Committees, all: &[Part]) -> String {
    let each: Vec<String> =
        parts(committees, all).into_iter().map(|(name, amount)| format!("{amount} to {name}")).collect();
    listed(&each)
}

fn listed(list: &[String]) -> String {
    match list {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::committee::joint::Partner;
    use crate::domain::committee::{Command, Rules};
    use crate::domain::test_kit::*;

    fn joint(in_turn: bool) -> Given {
        let partner = |id, basis_points| Partner { committee: CommitteeId(id), basis_points };
        let partners = vec![partner(0, 6_250), partner(1, 3_750)];
        let set = |id, rules| Command::SetRules { committee: CommitteeId(id), rules: Box::new(rules) };
        let named = |name: &str| Rules { name: name.into(), ..Rules::default() };
        let formula = Some(Formula { in_turn, partners });
        given_nothing().done([
            Command::Found { handles: vec!["party".into(), "victory".into()] },
            set(0, named("Rivera for Senate")),
            set(1, named("State Party")),
            set(2, Rules { formula, ..named("Rivera Victory Fund") }),
        ])
    }

    #[test]
    fn the_formula_is_stated_before_anybody_gives() {
        let stated = |in_turn| formula(&joint(in_turn).state.committees, CommitteeId(2)).join(" ");
        assert_eq!(
            stated(false),
            "Your gift to Rivera Victory Fund is shared: 62.5\u{a0}% to Rivera for Senate and 37.5\u{a0}% to State Party. \
             What you may not give to one of them goes to the others in the same proportion."
        );
        assert!(stated(true).contains("goes in turn to Rivera for Senate and State Party:"));
        assert!(formula(&joint(true).state.committees, CommitteeId(0)).is_empty());
    }

    #[test]
    fn parts_name_who_has_what() {
        let part = |id, minor| Part { committee: CommitteeId(id), amount: usd(minor) };
        let words = parts_in_words(&joint(false).state.committees, &[part(0, 6_000), part(1, 4_000)]);
        assert_eq!(words, "$60.00 to Rivera for Senate and $40.00 to State Party");
    }
}
