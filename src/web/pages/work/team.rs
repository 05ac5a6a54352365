//! Those who see money, and which of them has an item.

use crate::domain::State;
use crate::domain::id::PersonId;
use crate::domain::sealed::Sealed;
use crate::domain::work::Item;
use crate::web::App;
use crate::web::session::Staff;
use crate::web::view::Choice;
use std::collections::BTreeMap;

/// Accounts to which an item can be given: each line has them all to choose from.
const STAFF_MAX: usize = 50;

/// Who sees money.
#[derive(Debug, Clone)]
pub struct Team {
    /// Whoever looks, for the form by which they take an item.
    pub me: String,
    /// Whom else it can be given to: value and name, by name.
    pub others: Vec<Choice>,
    names: BTreeMap<PersonId, String>,
}

/// Who has an item.
#[derive(Debug, Clone)]
pub struct Hold {
    /// For forms: its kind.
    pub kind: &'static str,
    /// For forms: what it is about.
    pub of: String,
    /// For addresses: what the gift it is about is called on a page; empty where it is about none.
    pub anchor: String,
    /// Who has it; empty where nobody has.
    pub to: String,
    /// Whether that is who looks.
    pub is_mine: bool,
}

impl Team {
    /// Everybody who sees money, seen by one of them.
    pub(in crate::web::pages) fn of(app: &App, staff: &Staff) -> Self {
        let sealed: Vec<(PersonId, Sealed)> = {
            let world = app.engine().world();
            let staff = world.state.staff.iter().filter(|(_, member)| member.role.sees_money());
            staff.map(|(id, member)| (*id, member.account.clone())).collect()
        };
        let open = |(id, account): (PersonId, Sealed)| Some((id, app.open_account(id, &account)?.name));
        let names: BTreeMap<PersonId, String> = sealed.into_iter().filter_map(open).collect();
        let choice =
            |(id, name): (&PersonId, &String)| Choice { value: id.to_string(), label: name.clone(), selected: false };
        let mut others: Vec<Choice> = names.iter().filter(|(id, _)| **id != staff.id).map(choice).collect();
        others.sort_by_key(|choice| choice.label.to_lowercase());
        others.truncate(STAFF_MAX);
        Self { me: staff.id.to_string(), others, names }
    }

    /// One of them by name.
    pub(super) fn name(&self, who: PersonId) -> String {
        self.names.get(&who).cloned().unwrap_or_else(|| "Somebody whose account is gone".into())
    }

    /// Who has an item.
    pub(in crate::web::pages) fn hold(&self, state: &State, item: &Item) -> Hold {
        let to = state.work.standing(item).to;
        Hold {
            kind: item.kind.word(),
            of: item.of.to_string(),
            anchor: anchor(item),
            to: to.map(|to| self.name(to)).unwrap_or_default(),
            is_mine: to.is_some_and(|to| to.to_string() == self.me),
        }
    }
}

/// What the gift that an item is about is called on a page: `gift-4c102969-…`.
pub(super) fn anchor(item: &Item) -> String {
    item.donation().map(|donation| format!("gift-{donation}")).unwrap_or_default()
}
