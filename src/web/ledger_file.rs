//! The ledger as a file, streamed: rows are taken from the projection a chunk at a time, opened, written and sent, so that
//! a file of any length needs the memory of one chunk.

use super::contacts::{Contacts, Fault};
use super::selection::Selection;
use crate::clock;
use crate::domain::committee::joint::Part;
use crate::domain::ledger::Mode;
use crate::domain::money::Money;
use crate::domain::rally::Rally;
use crate::engine::Engine;
use crate::export::csv;
use crate::projections::Projections;
use crate::projections::ledger::{Pledge, Row};
use bytes::Bytes;
use std::ops::Range;
use tokio::sync::mpsc;

/// Rows a chunk: some hundred KiB of file; pages are not kept waiting for the projection longer than this takes to copy.
const CHUNK_ROWS: usize = 1_000;
/// Chunks made ahead of a slow reader.
const CHUNKS_AHEAD: usize = 4;

/// Makes the CSV of a selection, as of now, on a thread of its own.
pub fn csv(engine: Engine, selection: Selection) -> mpsc::Receiver<std::io::Result<Bytes>> {
    let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        let (end, as_of, mode) = {
            let world = engine.world();
            let as_of = selection.seq(&world);
            (world.ledger.rows_at(as_of).len(), as_of, world.state.mode)
        };
        let instant = selection.as_of.map_or_else(clock::now, |as_of| as_of.at);
        let mut first = vec![];
        let _ = sender.blocking_send(csv::header(&mut first).map(|()| first.into()));
        let mut contacts = Contacts::new(&engine);
        let mut at = 0;
        while at < end {
            let range = at..end.min(at.saturating_add(CHUNK_ROWS));
            at = range.end;
            let rows = copy(&engine, range, &selection);
            let opened: Result<Vec<_>, _> = rows.into_iter().map(|copied| copied.open(&mut contacts, as_of)).collect();
            let mut chunk = vec![];
            // A file that breaks off is seen; one with a name left out is not.
            let written = opened.map_err(std::io::Error::other).and_then(|rows| csv::rows(&mut chunk, rows));
            let failed = written.is_err();
            if sender.blocking_send(written.map(|()| chunk.into())).is_err() || failed {
                return;
            }
        }
        let mut last = vec![];
        let head = engine.head_at(as_of).map_err(std::io::Error::other);
        let written = head.and_then(|head| csv::footer(&mut last, as_of, instant, mode, &head.to_string()));
        let _ = sender.blocking_send(written.map(|()| last.into()));
    });
    chunks
}

/// A row with what stands elsewhere about it, bar who gave.
pub struct Copied {
    /// The row.
    pub row: Row,
    /// What the money is worth.
    pub mode: Mode,
    /// Where it was given.
    pub rally: Rally,
    /// What its donor said.
    pub pledge: Pledge,
    /// Of a recurring gift: 1 for the first.
    pub number: Option<u32>,
    /// The processor's name of the payout that the row is in by now.
    pub payout: Option<String>,
    /// In whose account it moved.
    pub committee: String,
    /// Of a gift that is shared out: name and sum of each part.
    pub parts: Vec<(String, Money)>,
}

fn copy(engine: &Engine, range: Range<usize>, selection: &Selection) -> Vec<Copied> {
    let world = engine.world();
    let rows = world.ledger.rows.get(range).unwrap_or_default();
    rows.iter().filter_map(|row| copy_row(&world, row, selection)).collect()
}

/// The rows of a selection after an event, `most` at most.
pub fn copied(world: &Projections, selection: &Selection, after: u64, most: usize) -> Vec<Copied> {
    let rows = world.ledger.rows_at(selection.seq(world));
    let first = rows.partition_point(|row| row.seq <= after);
    rows.iter().skip(first).filter_map(|row| copy_row(world, row, selection)).take(most).collect()
}

/// A row, if it is in the selection.
pub fn copy_row(world: &Projections, row: &Row, selection: &Selection) -> Option<Copied> {
    let rally = world.state.rallies.get(row.rally)?;
    if !selection.takes(&rally.details.slug, row.day) || !selection.takes_from(row.committee) {
        return None;
    }
    let pledge = world.ledger.pledge(row.donation)?.clone();
    let plan = world.state.plans.of_donation(row.donation);
    let number = plan.and_then(|(_, plan)| plan.gift(row.donation)).map(|gift| gift.number);
    let payout = row.paid_out.and_then(|paid_out| world.state.books.name(paid_out.payout));
    let payout = payout.map(|payout| payout.0.clone());
    let committees = &world.state.committees;
    let part = |part: &Part| (committees.name(part.committee).to_owned(), part.amount);
    Some(Copied {
        row: row.clone(),
        mode: world.state.mode?,
        rally: rally.clone(),
        pledge,
        payout,
        number,
        committee: committees.name(row.committee).into(),
        parts: row.parts.iter().map(part).collect(),
    })
}

impl Copied {
    fn open(self, contacts: &mut Contacts, as_of: u64) -> Result<csv::Row, Fault> {
        let contact = contacts.open(self.row.donor, self.pledge.seq)?;
        let payout_known = self.row.payout_at(as_of).is_some();
        Ok(csv::Row {
            seq: self.row.seq,
            at: self.row.at,
            day: self.row.day,
            kind: self.row.kind.word(),
            mode: self.mode,
            rally: self.rally.details.slug,
            rally_title: self.rally.details.title,
            amount: self.row.amount,
            fee: self.row.fee_at(as_of),
            contact,
            refcode: self.pledge.refcode.map(Into::into),
            card: self.row.card.map(Into::into),
            donation: self.row.donation.to_string(),
            payment: self.row.payment.0,
            refund: self.row.reference.map(Into::into),
            paid_for_by: self.rally.details.paid_for_by,
            recurring_number: self.number,
            payout: self.payout.filter(|_| payout_known),
            committee: self.committee,
            parts: self.parts,
        })
    }
}
