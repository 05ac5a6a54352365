//! Files with a row a donation: rows are made a chunk at a time, so that a file of any length needs the memory of a few chunks.

use super::Order;
use super::opened::Opened;
use crate::engine::Engine;
use crate::export::csv;
use bytes::Bytes;
use tokio::sync::mpsc::Sender;

/// The donations as CSV for people.
pub(super) fn csv(engine: &Engine, order: Order, out: &Sender<std::io::Result<Bytes>>) -> std::io::Result<()> {
    let opened = Opened::new(engine, &order.selection);
    let made = order.made(engine, opened.as_of)?;
    let mut first = vec![];
    csv::header(&mut first)?;
    if !send(out, first) {
        return Ok(());
    }
    let write = |rows: Vec<_>| {
        let mut chunk = vec![];
        csv::rows(&mut chunk, &rows).map(|()| chunk)
    };
    if !opened.each(write, |chunk| Ok(send(out, chunk)))? {
        return Ok(());
    }
    let mut last = vec![];
    csv::footer(&mut last, &made)?;
    send(out, last);
    Ok(())
}

/// False where nobody reads on.
fn send(out: &Sender<std::io::Result<Bytes>>, bytes: Vec<u8>) -> bool {
    bytes.is_empty() || out.blocking_send(Ok(bytes.into())).is_ok()
}
