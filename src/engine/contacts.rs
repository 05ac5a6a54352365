//! What pledges sealed, from beside the log or else from the log itself.

use super::Fault;
use super::lines::Lines;
use super::shelf::{Shelf, Window};
use crate::domain::sealed::Sealed;
use crate::domain::{Event, donation};
use crate::projections::ledger::ContactAt;

/// Reads the sealed contacts of pledges; quick for those that come in order.
pub struct Contacts {
    lines: Lines,
    shelf: Shelf,
    window: Window,
}

impl Contacts {
    pub(super) fn new(lines: Lines, shelf: Shelf) -> Self {
        Self { lines, window: shelf.window(), shelf }
    }

    /// A sealed contact as it is kept beside the log, where it is: the bytes of a [`Sealed`].
    pub fn kept(&mut self, at: ContactAt) -> Option<&[u8]> {
        self.window.get(at)
    }

    /// The same from the log, which is put beside it again; `None` where another event stands there.
    ///
    /// # Errors
    /// [`Fault`] where the log is damaged there.
    pub fn logged(&mut self, at: ContactAt) -> Result<Option<Sealed>, Fault> {
        let Some(Event::Donation(donation::Event::Pledged(pledged))) = self.lines.event(at.seq)? else {
            return Ok(None);
        };
        self.shelf.put(at, &pledged.contact);
        Ok(Some(pledged.contact))
    }
}
