//! Some of the ledger's rows, for programs that ask again for the next.

use super::contacts::{Contacts, Fault};
use super::opened::Names;
use super::selection::Selection;
use crate::domain::id::DonationId;
use crate::domain::privacy::Access;
use crate::domain::{Command, privacy};
use crate::engine::{Engine, Failure};
use crate::export::row::Row;
use crate::projections::Projections;

/// Rows, and where the contact of each donor stands in the log.
pub struct Page(Vec<(Row, u64)>);

impl Page {
    /// The rows of a selection after an event, `most` at most.
    pub fn after(world: &Projections, selection: &Selection, after: u64, most: usize) -> Self {
        let as_of = selection.seq(world);
        let rows = world.ledger.rows_at(as_of);
        let first = rows.partition_point(|row| row.seq <= after);
        let mut names = Names::new(world);
        let copied = rows.iter().skip(first).filter_map(|row| names.copy(row, selection, as_of));
        Self(copied.take(most).collect())
    }

    /// A donation's rows.
    pub fn of(world: &Projections, donation: DonationId) -> Self {
        let mut names = Names::new(world);
        let everything = Selection::default();
        Self(world.ledger.of(donation).filter_map(|row| names.copy(row, &everything, world.seq)).collect())
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
        let open = |(mut row, pledge): (Row, u64)| {
            row.contact = contacts.open(row.donor, pledge)?;
            Ok(row)
        };
        self.0.into_iter().map(open).collect()
    }
}

/// Records that a program, or somebody by way of it, is told who gave, before it is.
///
/// # Errors
/// [`Failure`]: the writer has no time.
pub async fn note_view(engine: &Engine, who: &str, of: String) -> Result<(), Failure> {
    let access = Access { who: who.into(), what: "api".into(), of, reason: String::new() };
    let key = format!("view:{}", uuid::Uuid::now_v7());
    engine.execute(Command::Privacy(privacy::Command::View(access)), key, who).await.map(drop)
}
