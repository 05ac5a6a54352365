//! Events as JSON lines, byte for byte as the log holds them: what is personal stays sealed, and each line's hash can be proved
//! against a published head.

use super::Order;
use super::desk::Out;
use crate::domain::{Event, codec};
use crate::engine::Engine;
use crate::export::row::LARGE_LINES;
use crate::projections::{self, totals};
use serde::Serialize;
use std::io::Error;

/// Bytes of text that are sent at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// The first line of what is taken of a large log: who took it. An event has a `seq`, and this has none.
#[derive(Serialize)]
struct Mark<'a> {
    /// Who, when and what for.
    export: String,
    /// The last event that counts.
    as_of_seq: u64,
    /// The log's head hash there.
    head: &'a str,
}

/// The events of a selection: all of them; with a rally, a committee or days, those that are of a rally and in it.
pub(super) fn jsonl(engine: &Engine, order: &Order, out: &Out) -> std::io::Result<()> {
    let selection = &order.selection;
    let until = selection.seq(&engine.world());
    engine.reader().bind().map_err(Error::other)?;
    let all = selection.is_of_everything();
    out.has(until);
    let mut chunk = vec![];
    if usize::try_from(until).unwrap_or(usize::MAX) >= LARGE_LINES {
        let made = order.made(engine, until)?;
        serde_json::to_writer(&mut chunk, &Mark { export: made.watermark(), as_of_seq: made.seq, head: &made.head })?;
        chunk.push(b'\n');
    }
    for frame in engine.reader().frames_from(1) {
        let frame = frame.map_err(Error::other)?;
        for (_, line) in frame.lines().take_while(|(seq, _)| *seq <= until) {
            if all || is_asked(engine, order, line)? {
                chunk.extend_from_slice(line);
                chunk.push(b'\n');
            }
        }
        out.did(frame.count);
        if chunk.len() >= CHUNK_BYTES && !out.send(std::mem::take(&mut chunk)) {
            return Ok(());
        }
        if frame.first_seq.saturating_add(frame.count.into()) > until {
            break;
        }
    }
    out.send(chunk);
    Ok(())
}

fn is_asked(engine: &Engine, order: &Order, line: &[u8]) -> std::io::Result<bool> {
    let recorded = codec::decode(line).map_err(Error::other)?.recorded;
    let world = engine.world();
    let Some(id) = projections::rally_of(&recorded.event, &world.state) else { return Ok(false) };
    let Some(rally) = world.state.rallies.get(id) else { return Ok(false) };
    let gift = if let Event::Donation(event) = &recorded.event { event.donation() } else { None };
    let committee = gift.and_then(|donation| world.state.donations.get(donation)).map(|gift| gift.committee);
    let day = totals::day_of(&world.state, id, recorded.at);
    Ok(order.selection.takes(&rally.details.slug, day)
        && order.selection.takes_from(committee.unwrap_or(rally.details.committee)))
}
