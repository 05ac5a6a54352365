//! What keeps the writer going: it takes what has queued up and has it committed. In production that is a thread's whole
//! life; a simulation drives it step by step.

use super::Fault;
use super::writer::{Job, Writer};
use crate::clock::Clock;
use crate::log::group::Group;
use crate::log::sled::SledLog;
use tokio::sync::mpsc::Receiver;

/// Commands on one side, the writer on the other.
pub struct Pump {
    queue: Receiver<Job>,
    group: Group,
    writer: Writer<SledLog>,
    clock: Clock,
}

impl Pump {
    pub(super) fn new(queue: Receiver<Job>, writer: Writer<SledLog>, clock: Clock) -> Self {
        Self { queue, group: Group::default(), writer, clock }
    }

    /// Commits batch after batch until every handle is gone.
    ///
    /// # Errors
    /// The [`Fault`] after which nothing may be written any more.
    pub(super) fn run(&mut self) -> Result<(), Fault> {
        while let Some(batch) = self.group.next(&mut self.queue, |_| 1) {
            self.writer.commit(batch, self.clock.now())?;
        }
        Ok(())
    }

    /// Waits for commands and commits one batch of them; false when every handle is gone. Dropped while it waits, it has
    /// taken nothing.
    ///
    /// # Errors
    /// The [`Fault`] after which nothing may be written any more.
    pub async fn step(&mut self) -> Result<bool, Fault> {
        let mut batch = Vec::new();
        if self.queue.recv_many(&mut batch, self.group.max_items).await == 0 {
            return Ok(false);
        }
        self.writer.commit(batch, self.clock.now())?;
        Ok(true)
    }
}
