//! Rows of the ledger with names for ids and with who gave, opened a chunk at a time on every core.

use super::chosen::Chosen;
use super::contacts::{Contacts, Fault};
use super::desk::Out;
use super::selection::Selection;
use crate::domain::committee::joint::Part;
use crate::domain::id::{CommitteeId, RallyId, SourceId};
use crate::engine::Engine;
use crate::export::row::{LARGE_LINES, Payout, Rally, Recurring, Row};
use crate::projections::Projections;
use crate::projections::ledger::{self, ContactAt};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

/// Rows a chunk: some 50 KiB of file, made on one thread and let go of on another, which allocators like small. The writer is not
/// kept waiting longer than copying them takes, a tenth of a millisecond.
const CHUNK_ROWS: usize = 128;
/// Chunks that each thread makes ahead.
const AHEAD: usize = 16;
/// Threads at most: beyond that, whoever reads the file is the slow one.
const THREADS_MAX: usize = 8;

/// The rows of a selection, as they stood when it was asked for.
pub(super) struct Opened<'a> {
    engine: &'a Engine,
    selection: &'a Selection,
    /// The last event that counts.
    pub as_of: u64,
    /// Rows up to there, of any selection.
    end: usize,
}

impl<'a> Opened<'a> {
    pub(super) fn new(engine: &'a Engine, selection: &'a Selection) -> Self {
        let world = engine.world();
        let as_of = selection.seq(&world);
        let end = world.ledger.rows_at(as_of).len();
        Self { engine, selection, as_of, end }
    }

    /// Whether there are so many of them that a file of them says of itself who took it.
    pub(super) fn is_large(&self) -> bool {
        let world = self.engine.world();
        let chosen = Chosen::new(&world, self.selection);
        let rows = world.ledger.rows.get(..self.end).unwrap_or_default();
        rows.iter().filter(|row| chosen.has(row)).nth(LARGE_LINES.saturating_sub(1)).is_some()
    }

    /// Gives every chunk of rows to `make`, on every core, and what it makes of them to `take`, in the ledger's order, and tells
    /// `out` how far it is; ends with false when `take` wants no more.
    ///
    /// # Errors
    /// The first of reading, `make` or `take`.
    pub(super) fn each<Made: Send>(
        &self,
        out: &Out,
        make: impl Fn(Vec<Row>) -> std::io::Result<Made> + Sync,
        mut take: impl FnMut(Made) -> std::io::Result<bool>,
    ) -> std::io::Result<bool> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let chunks = self.end.div_ceil(CHUNK_ROWS);
        let threads = cores.min(chunks).clamp(1, THREADS_MAX);
        out.has(self.end);
        std::thread::scope(|scope| {
            // Chunks are dealt out in turn, and taken in the same turn.
            let lanes: Vec<Receiver<std::io::Result<Made>>> = (0..threads)
                .map(|lane| {
                    let (sender, made) = sync_channel(AHEAD);
                    let make = &make;
                    scope.spawn(move || {
                        let mut contacts = Contacts::as_of(self.engine, self.as_of);
                        for chunk in (lane..chunks).step_by(threads) {
                            let rows = self.open(chunk, &mut contacts).map_err(std::io::Error::other);
                            let made = rows.and_then(make);
                            let failed = made.is_err();
                            if sender.send(made).is_err() || failed {
                                return;
                            }
                        }
                    });
                    made
                })
                .collect();
            for lane in lanes.iter().cycle().take(chunks) {
                let made = lane.recv().map_err(std::io::Error::other)??;
                if !take(made)? {
                    return Ok(false);
                }
                out.did(CHUNK_ROWS);
            }
            Ok(true)
        })
    }

    fn open(&self, chunk: usize, contacts: &mut Contacts) -> Result<Vec<Row>, Fault> {
        let start = chunk.saturating_mul(CHUNK_ROWS);
        let mut copied = {
            let world = self.engine.world();
            let end = start.saturating_add(CHUNK_ROWS).min(self.end);
            let rows = world.ledger.rows.get(start..end).unwrap_or_default();
            let mut names = Names::new(&world);
            let chosen = Chosen::new(&world, self.selection);
            let rows = rows.iter().filter(|row| chosen.has(row));
            rows.filter_map(|row| names.copy(row, self.as_of)).collect::<Vec<_>>()
        };
        for (row, at) in &mut copied {
            row.contact = contacts.open(row.donor, *at)?;
        }
        Ok(copied.into_iter().map(|(row, _)| row).collect())
    }
}

/// Names for ids, each made once a chunk.
pub(super) struct Names<'a> {
    world: &'a Projections,
    rallies: HashMap<RallyId, Option<Arc<Rally>>>,
    committees: HashMap<CommitteeId, Arc<str>>,
    speakers: HashMap<(RallyId, SourceId), Option<Arc<str>>>,
    payouts: HashMap<u32, Option<Payout>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(world: &'a Projections) -> Self {
        let (rallies, committees) = (HashMap::new(), HashMap::new());
        Self { world, rallies, committees, speakers: HashMap::new(), payouts: HashMap::new() }
    }

    /// The row, and where its donor's contact is.
    pub(super) fn copy(&mut self, row: &ledger::Row, as_of: u64) -> Option<(Row, ContactAt)> {
        let rally = self.rally(row.rally)?;
        let pledge = self.world.ledger.pledge(row.donation)?;
        let plan = self.world.state.plans.of_donation(row.donation);
        let recurring = plan.and_then(|(id, plan)| {
            let number = plan.gift(row.donation)?.number;
            Some(Recurring { plan: id, number, every: plan.rhythm.every, amount: plan.amount })
        });
        let copied = Row {
            seq: row.seq,
            at: row.at,
            day: row.day,
            kind: row.kind,
            mode: self.world.state.mode?,
            rally,
            committee: self.committee(row.committee),
            amount: row.amount,
            fee: row.fee_at(as_of),
            donor: row.donor,
            contact: None,
            given_at: pledge.at,
            speaker: pledge.on_program.and_then(|source| self.speaker(row.rally, source)),
            refcode: pledge.refcode.clone(),
            card: row.card.clone(),
            donation: row.donation,
            payment: row.payment.clone(),
            reference: row.reference.clone(),
            recurring,
            payout: row.payout_at(as_of).and_then(|number| self.payout(number)),
            parts: row.parts.iter().map(|part: &Part| (self.committee(part.committee), part.amount)).collect(),
        };
        Some((copied, pledge.contact))
    }

    fn rally(&mut self, id: RallyId) -> Option<Arc<Rally>> {
        let known = |id| {
            let details = &self.world.state.rallies.get(id)?.details;
            let (slug, title) = (details.slug.clone(), details.title.clone());
            Some(Arc::new(Rally { slug, title, paid_for_by: details.paid_for_by.clone() }))
        };
        self.rallies.entry(id).or_insert_with(|| known(id)).clone()
    }

    fn committee(&mut self, id: CommitteeId) -> Arc<str> {
        let known = &self.world.state.committees;
        self.committees.entry(id).or_insert_with(|| known.name(id).into()).clone()
    }

    fn speaker(&mut self, rally: RallyId, source: SourceId) -> Option<Arc<str>> {
        let known = |id| self.world.state.rallies.get(id)?.source_name(source).map(Into::into);
        self.speakers.entry((rally, source)).or_insert_with(|| known(rally)).clone()
    }

    fn payout(&mut self, number: u32) -> Option<Payout> {
        let known = |number| {
            let id = self.world.state.books.name(number)?;
            let arrival = self.world.state.books.payout(id)?.arrival;
            Some(Payout { id: id.0.as_str().into(), arrival })
        };
        self.payouts.entry(number).or_insert_with(|| known(number)).clone()
    }
}
