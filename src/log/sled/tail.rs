//! What is checked on open: the last frames, what the next one must continue, and that nothing that was noted is missing.

use super::frames::{check, unpack};
use super::look;
use crate::log::frame::chain::{Chain, Link};
use crate::log::frame::{Break, Care, Header, Unpacker};
use crate::log::store::Store;
use crate::log::{Fault, Head};
use std::path::Path;

/// How many of the last frames are checked on open: what a crash or a bad sector under the write head can have hit, in
/// milliseconds. `verify` checks the rest.
const FRAMES: usize = 64;

/// Checks the last frames and returns what the next one must continue.
pub(super) fn chain(store: &dyn Store, dir: &Path) -> Result<Chain, Fault> {
    let stored = store.last(FRAMES)?;
    let unpacker = Unpacker::new();
    let mut unpacker = unpacker.map_err(|source| Fault::Io {
        doing: "preparing to decompress for",
        path: dir.to_path_buf(),
        source,
    })?;
    let mut chain = if stored.len() < FRAMES { Some(Chain::start()) } else { None };
    let mut last = None;
    for (key, bytes) in stored {
        let (header, body) = check(&key, &bytes, &mut chain)?;
        unpack(&header, body, Care::Thorough, &mut unpacker)?;
        last = Some(header);
    }
    match last {
        Some(last) => resume(store, &last),
        None => Ok(Chain::start()),
    }
}

/// Checks that the log still holds the frame that the witness saw.
pub(super) fn check_seen(store: &dyn Store, head: &Head, seen: &Head) -> Result<(), Fault> {
    let truncated = || Fault::Truncated { found: head.seq, acknowledged: seen.seq };
    if *seen == Head::EMPTY {
        return Ok(());
    }
    let (key, bytes) = store.last_until(seen.seq.to_be_bytes())?.ok_or_else(truncated)?;
    let (header, _) = check(&key, &bytes, &mut None)?;
    if header.head() == *seen { Ok(()) } else { Err(truncated()) }
}

/// What a frame behind `last` must continue, found by following skip links back to frame 0.
fn resume(store: &dyn Store, last: &Header) -> Result<Chain, Fault> {
    let mut links = Vec::new();
    let mut at = *last;
    while let Some(fields) = at.proof.filter(|fields| fields.index > 0) {
        let broken = || Fault::Broken { first_seq: at.first_seq, cause: Break::Skip };
        let (before, _) = look::frame_at(store, fields.skip_seq)?.ok_or_else(broken)?;
        let index = before.proof.map(|fields| fields.index).filter(|index| *index < fields.index);
        match index {
            Some(index) if before.hash == fields.skip => {
                links.push(Link { index, first_seq: before.first_seq, hash: before.hash });
            }
            Some(_) | None => return Err(broken()),
        }
        at = before;
    }
    Ok(Chain::resume(last, links))
}
