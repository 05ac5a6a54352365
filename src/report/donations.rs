//! Files with a row a donation: rows are made a chunk at a time, so that a file of any length needs the memory of a few chunks.

use super::Order;
use super::desk::Out;
use super::opened::Opened;
use crate::engine::Engine;
use crate::export::actblue::{self, Report};
use crate::export::row::Row;
use crate::export::{csv, xlsx};
use std::io::{Read, Seek, SeekFrom};

/// Bytes of a finished file that are sent at once.
const PIECE_BYTES: usize = 256 * 1024;
/// What a row comes to as text, so that a chunk seldom grows.
const ROW_BYTES: usize = 448;

/// The donations as CSV for people.
pub(super) fn csv(engine: &Engine, order: &Order, out: &Out) -> std::io::Result<()> {
    let opened = Opened::new(engine, &order.selection);
    let made = order.made(engine, opened.as_of)?;
    let mut first = vec![];
    csv::header(&mut first)?;
    let write = |rows: Vec<Row>| written(&rows, |chunk| csv::rows(chunk, &rows));
    if out.send(first) && opened.each(out, write, |chunk| Ok(out.send(chunk)))? {
        let mut last = vec![];
        csv::footer(&mut last, &made)?;
        out.send(last);
    }
    Ok(())
}

/// Contributions as CSV for campaign databases.
pub(super) fn actblue(engine: &Engine, order: &Order, report: Report, out: &Out) -> std::io::Result<()> {
    let opened = Opened::new(engine, &order.selection);
    let mark = if opened.is_large() { Some(order.made(engine, opened.as_of)?) } else { None };
    let mark = mark.map(|made| format!("{}; as of event {}, head {}", made.watermark(), made.seq, made.head));
    let mut first = vec![];
    actblue::header(&mut first)?;
    if out.send(first) {
        let write = |rows: Vec<Row>| written(&rows, |chunk| actblue::rows(chunk, report, &rows, mark.as_deref()));
        opened.each(out, write, |chunk| Ok(out.send(chunk)))?;
    }
    Ok(())
}

/// The donations as a workbook. It is one compressed file that is only whole at its end, so it is made on the disk, in a file
/// that has no name.
pub(super) fn xlsx(engine: &Engine, order: &Order, out: &Out) -> std::io::Result<()> {
    let opened = Opened::new(engine, &order.selection);
    let made = order.made(engine, opened.as_of)?;
    let mut book = xlsx::Book::new()?;
    let is_wanted = |book: &mut xlsx::Book, rows: Vec<Row>| book.rows(&rows).map(|()| !out.is_closed());
    if !opened.each(out, Ok, |rows| is_wanted(&mut book, rows))? {
        return Ok(());
    }
    let mut file = tempfile::tempfile()?;
    book.end(&mut file, &made)?;
    file.seek(SeekFrom::Start(0))?;
    loop {
        let mut piece = vec![];
        let most = u64::try_from(PIECE_BYTES).unwrap_or(u64::MAX);
        if file.by_ref().take(most).read_to_end(&mut piece)? == 0 || !out.send(piece) {
            return Ok(());
        }
    }
}

fn written(rows: &[Row], write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> std::io::Result<Vec<u8>> {
    let mut chunk = Vec::with_capacity(rows.len().saturating_mul(ROW_BYTES));
    write(&mut chunk).map(|()| chunk)
}
