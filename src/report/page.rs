//! Some of the ledger's rows, for programs that ask again for the next.

use super::chosen::Chosen;
use super::contacts::{Contacts, Fault};
use super::opened::Names;
use super::selection::Selection;
use crate::domain::id::DonationId;
use crate::engine::Engine;
use crate::export::row::Row;
use crate::projections::Projections;
use crate::projections::ledger::ContactAt;

/// Rows, and where the contact of each donor is.
pub struct Page(Vec<(Row, ContactAt)>);

impl Page {
    /// The rows of a selection after an event, `most` at most.
    pub fn after(world: &Projections, selection: &Selection, after: u64, most: usize) -> Self {
        let as_of = selection.seq(world);
        let rows = world.ledger.rows_at(as_of);
        let first = rows.partition_point(|row| row.seq <= after);
        let (mut names, chosen) = (Names::new(world), Chosen::new(world, selection));
        let asked = rows.iter().skip(first).filter(|row| chosen.has(row));
        Self(asked.filter_map(|row| names.copy(row, as_of)).take(most).collect())
    }

    /// A donation's rows.
    pub fn of(world: &Projections, donation: DonationId) -> Self {
        let mut names = Names::new(world);
        Self(world.ledger.rows_of(donation).filter_map(|row| names.copy(row, world.seq)).collect())
    }

    /// Cuts it to so many rows; the last one's event where there were more.
    pub fn cut(&mut self, most: usize) -> Option<u64> {
        let more = self.0.len() > most;
        self.0.truncate(most);
        self.0.last().map(|(row, _)| row.seq).filter(|_| more)
    }

    /// The rows, without who gave.
    pub fn rows(self) -> Vec<Row> {
        self.0.into_iter().map(|(row, _)| row).collect()
    }

    /// The rows with who gave. The log is read: not on a thread that others wait for.
    ///
    /// # Errors
    /// [`Fault`]: log or vault are damaged.
    pub fn opened(self, engine: &Engine) -> Result<Vec<Row>, Fault> {
        let mut contacts = Contacts::new(engine);
        let open = |(mut row, at): (Row, ContactAt)| {
            row.contact = contacts.open(row.donor, at)?;
            Ok(row)
        };
        self.0.into_iter().map(open).collect()
    }
}
