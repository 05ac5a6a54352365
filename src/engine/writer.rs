//! The writer: takes commands in batches, decides them one after the other, and answers nobody before the sync.

use super::keys::{self, Keys, Span};
use super::shelf::Shelf;
use super::{Failure, Fault, Receipt, erasure};
use crate::domain::codec;
use crate::domain::{Command, Event, Recorded, State, decide, donation};
use crate::log::{Log, MAX_LINE_BYTES};
use crate::projections::Projections;
use crate::vault::Vault;
use chrono::{DateTime, Utc};
use parking_lot::RwLock;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

/// Bytes of lines after which a batch is appended in parts: as much as a sync is worth, and little enough to hold several
/// times on its way there.
const APPEND_BYTES: usize = 2 * 1024 * 1024;

type Outcome = Result<Receipt, Failure>;

/// A command that waits for its turn.
pub(super) struct Job {
    pub(super) command: Command,
    pub(super) key: String,
    pub(super) by: String,
    pub(super) answer: oneshot::Sender<Outcome>,
}

/// Everything that decides; nobody else touches `log`, `state` and `keys`.
pub(super) struct Writer<L> {
    pub(super) log: L,
    pub(super) vault: Arc<Vault>,
    /// Ahead of the disk while a batch is decided, and so never shown.
    pub(super) state: State,
    pub(super) keys: Keys,
    pub(super) last_at: DateTime<Utc>,
    /// What everybody sees: synced events only.
    pub(super) world: Arc<RwLock<Projections>>,
    /// Sealed contacts beside the log.
    pub(super) shelf: Shelf,
    /// The last event of that.
    pub(super) newest: watch::Sender<u64>,
}

/// What a batch leads to, before it is on disk.
#[derive(Default)]
struct Decided {
    events: Vec<Recorded>,
    lines: Vec<Vec<u8>>,
    /// The lines' length.
    bytes: usize,
    answers: Vec<(oneshot::Sender<Outcome>, Outcome)>,
}

impl<L: Log> Writer<L> {
    /// Decides a batch at `now`, appends what follows from it, shows it and answers.
    ///
    /// # Errors
    /// [`Fault`]: nobody is answered, and nothing may be written any more.
    pub(super) fn commit(&mut self, batch: Vec<Job>, now: DateTime<Utc>) -> Result<(), Fault> {
        // Wall clocks step back; the log's time does not.
        self.last_at = self.last_at.max(now);
        let mut decided = Decided::default();
        for job in batch {
            self.take(job, &mut decided)?;
            if decided.bytes >= APPEND_BYTES {
                self.settle(std::mem::take(&mut decided))?;
            }
        }
        self.settle(decided)
    }

    /// Appends what was decided, shows it and answers.
    fn settle(&mut self, decided: Decided) -> Result<(), Fault> {
        if !decided.lines.is_empty() {
            // A person's key is durable before anything that is sealed with it.
            self.vault.commit()?;
            let newest = self.log.append(&decided.lines)?;
            for recorded in &decided.events {
                erasure::perform(&self.vault, &recorded.event)?;
            }
            {
                let mut world = self.world.write();
                decided.events.iter().for_each(|recorded| world.apply(recorded));
            }
            self.newest.send_replace(newest);
        }
        for (answer, outcome) in decided.answers {
            let _ = answer.send(outcome);
        }
        decided.events.iter().for_each(|recorded| self.keep_contact(recorded));
        Ok(())
    }

    fn keep_contact(&self, recorded: &Recorded) {
        let Event::Donation(donation::Event::Pledged(pledged)) = &recorded.event else { return };
        let at = self.world.read().ledger.pledge(pledged.donation).map(|pledge| pledge.contact);
        if let Some(at) = at {
            self.shelf.put(at, &pledged.contact);
        }
    }

    fn take(&mut self, job: Job, decided: &mut Decided) -> Result<(), Fault> {
        let Job { command, key, by, answer } = job;
        let short = keys::short(&key);
        if let Some(Span { first_seq, count }) = self.keys.get(&short) {
            decided.answers.push((answer, Ok(Receipt { first_seq, count, repeated: true })));
            return Ok(());
        }
        let events = match decide(&self.state, command) {
            Ok(events) => events,
            Err(refusal) => {
                decided.answers.push((answer, Err(refusal.into())));
                return Ok(());
            }
        };
        if events.iter().any(|event| erasure::is_stale(&self.vault, &self.state, event)) {
            decided.answers.push((answer, Err(Failure::Erased)));
            return Ok(());
        }
        let queued = u64::try_from(decided.lines.len()).unwrap_or(u64::MAX);
        let first_seq = self.log.newest().saturating_add(queued).saturating_add(1);
        let mut encoded = Vec::with_capacity(events.len());
        for (seq, event) in (first_seq..).zip(events) {
            let recorded = Recorded { seq, at: self.last_at, event };
            let line = codec::encode(&recorded, &key, &by).map_err(|source| Fault::Codec { seq, source })?;
            encoded.push((recorded, line));
        }
        // Refused here, so that one sender's text never stops the log for everybody.
        if encoded.iter().any(|(_, line)| line.len() > MAX_LINE_BYTES) {
            decided.answers.push((answer, Err(Failure::TooLong)));
            return Ok(());
        }
        let mut receipt = Receipt { first_seq, count: 0, repeated: false };
        for (recorded, line) in encoded {
            self.state.evolve(&recorded.event, recorded.at);
            self.keys.remember(short, recorded.seq);
            decided.bytes = decided.bytes.saturating_add(line.len());
            decided.lines.push(line);
            decided.events.push(recorded);
            receipt.count = receipt.count.saturating_add(1);
        }
        decided.answers.push((answer, Ok(receipt)));
        Ok(())
    }
}
