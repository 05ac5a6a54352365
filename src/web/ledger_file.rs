//! The ledger as a file, streamed: rows are taken from the projection a chunk at a time, opened, written and sent, so that
//! a file of any length needs the memory of one chunk.

use crate::domain::ledger::Mode;
use crate::domain::profile::Contact;
use crate::domain::rally::Rally;
use crate::domain::seals::CONTACT;
use crate::engine::Engine;
use crate::export::csv;
use crate::projections::Projections;
use crate::projections::ledger::{Kind, Row};
use crate::projections::totals::day_of;
use bytes::Bytes;
use chrono::NaiveDate;
use std::collections::HashMap;
use std::ops::Range;
use tokio::sync::mpsc;

/// Rows a chunk: some hundred KiB of file; pages are not kept waiting for the projection longer than this takes to copy.
const CHUNK_ROWS: usize = 1_000;
/// Chunks made ahead of a slow reader.
const CHUNKS_AHEAD: usize = 4;

/// Which rows.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Of this rally only, by its address.
    pub rally: Option<String>,
    /// From this day on, in each rally's time zone.
    pub from: Option<NaiveDate>,
    /// Up to and with this day.
    pub to: Option<NaiveDate>,
}

impl Selection {
    /// Whether a row on this day of this rally is in it.
    pub fn takes(&self, slug: &str, day: NaiveDate) -> bool {
        self.rally.as_ref().is_none_or(|rally| rally == slug)
            && self.from.is_none_or(|from| from <= day)
            && self.to.is_none_or(|to| day <= to)
    }
}

/// Makes the CSV of a selection, as of now, on a thread of its own.
pub fn csv(engine: Engine, selection: Selection) -> mpsc::Receiver<std::io::Result<Bytes>> {
    let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        let end = engine.world().ledger.rows.len();
        let mut first = vec![];
        let _ = sender.blocking_send(csv::header(&mut first).map(|()| first.into()));
        let mut at = 0;
        while at < end {
            let range = at..end.min(at.saturating_add(CHUNK_ROWS));
            at = range.end;
            let rows = copy(&engine, range, &selection);
            let mut chunk = vec![];
            let written = csv::rows(&mut chunk, rows.into_iter().map(|copied| copied.open(&engine)));
            if sender.blocking_send(written.map(|()| chunk.into())).is_err() {
                return;
            }
        }
    });
    chunks
}

struct Copied {
    row: Row,
    day: NaiveDate,
    mode: Mode,
    rally: Rally,
    contact: crate::domain::sealed::Sealed,
    refcode: Option<String>,
}

fn copy(engine: &Engine, range: Range<usize>, selection: &Selection) -> Vec<Copied> {
    let world = engine.world();
    let mut slugs: HashMap<_, Option<Rally>> = HashMap::new();
    let rows = world.ledger.rows.get(range).unwrap_or_default();
    rows.iter().filter_map(|row| copy_row(&world, row, selection, &mut slugs)).collect()
}

fn copy_row(
    world: &Projections,
    row: &Row,
    selection: &Selection,
    rallies: &mut HashMap<crate::domain::id::RallyId, Option<Rally>>,
) -> Option<Copied> {
    let rally = rallies.entry(row.rally).or_insert_with(|| world.state.rallies.get(row.rally).cloned()).clone()?;
    let day = day_of(&world.state, row.rally, row.at);
    if !selection.takes(&rally.details.slug, day) {
        return None;
    }
    let pledge = world.ledger.pledge(row.donation)?;
    let (contact, refcode) = (pledge.contact.clone(), pledge.refcode.clone());
    Some(Copied { row: row.clone(), day, mode: world.state.mode?, rally, contact, refcode })
}

impl Copied {
    fn open(self, engine: &Engine) -> csv::Row {
        let opened = engine.vault().unseal(self.row.donor, CONTACT, &self.contact).ok().flatten();
        let contact: Option<Contact> = opened.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        csv::Row {
            seq: self.row.seq,
            at: self.row.at,
            day: self.day,
            kind: match self.row.kind {
                Kind::Donation => "donation",
                Kind::Refund => "refund",
            },
            mode: self.mode,
            rally: self.rally.details.slug,
            rally_title: self.rally.details.title,
            amount: self.row.amount,
            fee: self.row.fee,
            contact,
            refcode: self.refcode,
            card: self.row.card,
            donation: self.row.donation.to_string(),
            payment: self.row.payment.0,
            refund: self.row.processor_refund,
            paid_for_by: self.rally.details.paid_for_by,
        }
    }
}
