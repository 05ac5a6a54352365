//! Who looked at people's data or took it: read back from the log, some at a time.

use super::Order;
use super::desk::Out;
use super::who;
use crate::domain::{Event, Recorded, privacy};
use crate::engine::lines::Lines;
use crate::engine::{Engine, Fault};
use crate::export::access::{self, Line};
use crate::projections::access::DISCLOSED;
use chrono_tz::Tz;
use std::collections::HashMap;
use std::io::Error;

/// Times a chunk: some hundred KiB of file.
const CHUNK: usize = 1_000;

/// Reads them, each person's name opened once.
pub struct Reader<'a> {
    engine: &'a Engine,
    lines: Lines,
    names: HashMap<String, String>,
}

impl<'a> Reader<'a> {
    /// Of this engine's log.
    pub fn new(engine: &'a Engine) -> Self {
        Self { engine, lines: engine.lines(), names: HashMap::new() }
    }

    /// What happened by an event; nothing where it is none of these.
    ///
    /// # Errors
    /// [`Fault`] where the log is damaged there.
    pub fn line(&mut self, seq: u64) -> Result<Option<Line>, Fault> {
        let Some(Recorded { at, event: Event::Privacy(event), .. }) = self.lines.recorded(seq)? else {
            return Ok(None);
        };
        let (how, who, what, of, reason) = match event {
            privacy::Event::Viewed(seen) => ("seen", seen.who, seen.what, seen.of, seen.reason),
            privacy::Event::Exported(taken) => ("taken", taken.who, taken.what, taken.of, taken.reason),
            privacy::Event::Disclosed(opened) => {
                let to = opened.to_seq.map_or("as they came".into(), |to| format!("to {to}"));
                let of = format!("events {} {to}", opened.from_seq);
                ("disclosed", opened.who, DISCLOSED.into(), of, opened.reason)
            }
            privacy::Event::Erased(_) => return Ok(None),
        };
        let name = self.names.entry(who.clone()).or_insert_with(|| who::name(self.engine, &who)).clone();
        Ok(Some(Line { seq, at, who, name, how, what, of, reason }))
    }
}

/// All of them as CSV; of some days only, where they are named.
pub(super) fn csv(engine: &Engine, order: &Order, out: &Out) -> std::io::Result<()> {
    let (selection, mut reader) = (&order.selection, Reader::new(engine));
    let (until, zone): (u64, Tz) = {
        let world = engine.world();
        (selection.seq(&world), selection.zone(&world))
    };
    let made = order.made(engine, until)?;
    out.has(engine.world().accesses.len());
    let mut first = vec![];
    access::header(&mut first)?;
    let (mut next, mut goes_on) = (1, out.send(first));
    while goes_on {
        let seqs: Vec<u64> = engine.world().accesses.from(next).take_while(|seq| *seq <= until).take(CHUNK).collect();
        let Some(last) = seqs.last() else { break };
        next = last.saturating_add(1);
        let mut lines = vec![];
        out.did(seqs.len());
        for seq in seqs {
            let line = reader.line(seq).map_err(Error::other)?;
            let is_asked = |line: &Line| {
                let day = line.at.with_timezone(&zone).date_naive();
                selection.from.is_none_or(|from| from <= day) && selection.to.is_none_or(|to| day <= to)
            };
            lines.extend(line.filter(is_asked));
        }
        let mut chunk = vec![];
        access::lines(&mut chunk, lines)?;
        goes_on = out.send(chunk);
    }
    let mut last = vec![];
    access::footer(&mut last, &made)?;
    out.send(last);
    Ok(())
}
