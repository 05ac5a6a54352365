//! An order of what a closed period was, by its number.

use super::{Unlike, check, filing};
use crate::engine::Engine;
use crate::report::as_of::AsOf;
use crate::report::filing::{Fault, NotOrdered};
use crate::report::{Format, Order};

impl Order {
    /// Of a closed period: its days and accounts as of its event, or the report that it was closed with, byte for byte.
    ///
    /// # Errors
    /// [`NotOrdered`].
    pub async fn of_period(mut self, number: &str, engine: &Engine) -> Result<Self, NotOrdered> {
        let (period, mode) = {
            let world = engine.world();
            let known = number.parse().ok().and_then(|id| world.state.periods.get(id).cloned());
            (known.filter(|period| period.withdrawn.is_none()), world.state.mode)
        };
        let refused = |why: &str| NotOrdered::Period(format!("period {number}: {why}"));
        let period = period.ok_or_else(|| refused("there is no such closed period; /finance/periods lists them"))?;
        let closed = period.closed;
        self.selection.committee = closed.committee;
        self.selection.as_of = Some(AsOf { seq: closed.seq, at: period.at });
        match self.format {
            Format::Fec => {
                let none = || refused("it was closed without a report to the FEC; export it as csv or xlsx");
                let filing = filing(&closed, mode).ok_or_else(none)?;
                let (engine, again) = (engine.clone(), filing.clone());
                let checked = tokio::task::spawn_blocking(move || check(&engine, &again, &closed)).await;
                checked.map_err(Fault::Panicked)?.map_err(|unlike| match unlike {
                    Unlike::Fault(fault) => NotOrdered::Fault(fault),
                    unlike @ Unlike::Otherwise(_) => NotOrdered::Unlike(unlike),
                })?;
                self.filing = Some(filing);
            }
            Format::Csv | Format::Xlsx | Format::ActblueCsv | Format::Jsonl | Format::Payouts => {
                (self.selection.from, self.selection.to) = (Some(closed.from), Some(closed.through));
            }
            Format::FecNotice | Format::Attendance | Format::Contacts | Format::Access => {
                return Err(refused("this file is of no period"));
            }
        }
        Ok(self)
    }
}
