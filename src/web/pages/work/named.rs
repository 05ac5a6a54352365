//! Names of donors on the list, which are read beside the log.

use crate::domain::id::{DonationId, PersonId};
use crate::projections::Projections;
use crate::projections::ledger::ContactAt;
use crate::report::contacts::Contacts;
use crate::web::present;

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
