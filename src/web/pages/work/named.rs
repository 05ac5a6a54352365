//! Names on the list: of donors, which are read beside the log, and of staff.

use crate::domain::id::{DonationId, PersonId};
use crate::domain::sealed::Sealed;
use crate::projections::Projections;
use crate::projections::ledger::ContactAt;
use crate::report::contacts::Contacts;
use crate::web::view::Choice;
use crate::web::{App, present};
use std::collections::BTreeMap;

/// Accounts to which an item can be given: each line has them all to choose from.
const STAFF_MAX: usize = 50;

/// A line, and whose name it wants.
pub(super) struct Wanted<Of> {
    line: Of,
    whose: Option<(PersonId, ContactAt)>,
}

impl<Of> Wanted<Of> {
    pub(super) fn new(world: &Projections, line: Of, donation: Option<DonationId>) -> Self {
        let whose =
            donation.and_then(|id| Some((world.state.donations.get(id)?.donor, world.ledger.pledge(id)?.contact)));
        Self { line, whose }
    }

    /// The line with that name, where it wants one.
    pub(super) fn named(self, contacts: &mut Contacts, put: impl FnOnce(&mut Of, String)) -> Of {
        let Self { mut line, whose } = self;
        if let Some((donor, at)) = whose {
            let contact = contacts.shown(donor, at);
            let name = contact.map(|contact| format!("{} {}", contact.first_name, contact.last_name));
            put(&mut line, name.unwrap_or_else(|| present::ERASED.into()));
        }
        line
    }
}

/// The names of those who see money.
pub(super) struct Names(BTreeMap<PersonId, String>);

impl Names {
    pub(super) fn of(app: &App) -> Self {
        let sealed: Vec<(PersonId, Sealed)> = {
            let world = app.engine().world();
            let staff = world.state.staff.iter().filter(|(_, member)| member.role.sees_money());
            staff.map(|(id, member)| (*id, member.account.clone())).collect()
        };
        let open = |(id, account): (PersonId, Sealed)| Some((id, app.open_account(id, &account)?.name));
        Self(sealed.into_iter().filter_map(open).collect())
    }

    pub(super) fn name(&self, who: PersonId) -> String {
        self.0.get(&who).cloned().unwrap_or_else(|| "Somebody whose account is gone".into())
    }

    /// Whom an item can be given to, by name; `me` is chosen by a button.
    pub(super) fn choices(&self, me: PersonId) -> Vec<Choice> {
        let others = self.0.iter().filter(|(id, _)| **id != me);
        let choice =
            |(id, name): (&PersonId, &String)| Choice { value: id.to_string(), label: name.clone(), selected: false };
        let mut choices: Vec<Choice> = others.map(choice).collect();
        choices.sort_by_key(|choice| choice.label.to_lowercase());
        choices.truncate(STAFF_MAX);
        choices
    }
}
