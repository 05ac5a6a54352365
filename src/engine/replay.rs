//! Replay: the log becomes state again. Frames are read and checked against each other in order, unpacked and decoded on
//! every core, and folded in order on one.

use super::Fault;
use super::keys::{Collector, Keys, Short, short};
use crate::domain::Recorded;
use crate::domain::codec;
use crate::log::frame::{Care, Unpacker};
use crate::log::sled::{Reader, StoredFrame};
use crate::log::{self, Head};
use crate::projections::Projections;
use chrono::{DateTime, Utc};
use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};

/// Frames that wait between two stages, for each decoding thread: enough to keep the cores busy, little enough to hold.
const AHEAD: usize = 8;
/// Decoding threads at most: folding is one thread's work, and four feed it.
const DECODERS_MAX: usize = 4;

/// The state at some event, with all that the writer needs to go on from there.
pub struct Standing {
    /// What pages read, and what decisions rest on.
    pub projections: Projections,
    /// The keys of every command so far.
    pub keys: Keys,
    /// When the last event was decided.
    pub last_at: DateTime<Utc>,
    /// The last event and its frame's hash.
    pub head: Head,
}

impl Default for Standing {
    fn default() -> Self {
        let (projections, keys) = (Projections::default(), Keys::default());
        Self { projections, keys, last_at: DateTime::<Utc>::MIN_UTC, head: Head::EMPTY }
    }
}

/// Folds what the log holds after `from`, up to the head `until`; `progress` hears the newest event after each frame, and may end it.
///
/// # Errors
/// [`Fault`] where the log is damaged or newer than this program; [`Fault::Interrupted`] where `progress` said so.
pub fn go_on(
    reader: &Reader,
    from: Standing,
    until: Head,
    mut progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Standing, Fault> {
    let Standing { mut projections, keys, mut last_at, .. } = from;
    let mut collector = Collector::from(keys);
    each_batch(reader, projections.seq.saturating_add(1), |batch| {
        // What comes after it is left for later: the state is that of one head.
        for (key, recorded) in batch.iter().filter(|(_, recorded)| recorded.seq <= until.seq) {
            collector.remember(*key, recorded.seq);
            last_at = recorded.at;
            projections.apply(recorded);
        }
        progress(projections.seq)
    })?;
    // The reader says so itself; a state that ends early must not pass for the whole, whatever went wrong.
    if projections.seq != until.seq {
        return Err(Fault::Misplaced { seq: projections.seq, expected: until.seq });
    }
    Ok(Standing { projections, keys: collector.finish(), last_at, head: until })
}

/// The events of one frame, each with its command's key.
type Batch = Vec<(Short, Recorded)>;

/// Calls `take` with the events of each frame from event `from_seq` on, in order.
fn each_batch(
    reader: &Reader,
    from_seq: u64,
    mut take: impl FnMut(&[(Short, Recorded)]) -> ControlFlow<()>,
) -> Result<(), Fault> {
    let decoders = std::thread::available_parallelism().map_or(1, NonZero::get).min(DECODERS_MAX);
    std::thread::scope(|scope| {
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for _ in 0..decoders {
            let (frames_tx, frames) = sync_channel(AHEAD);
            let (batches_tx, batches) = sync_channel(AHEAD);
            let (spent_tx, spent) = channel();
            inputs.push(frames_tx);
            outputs.push((batches, spent_tx));
            scope.spawn(move || decode_all(&frames, &batches_tx, &spent, from_seq));
        }
        scope.spawn(move || deal(reader, from_seq, &inputs));
        // Frames were dealt out in turn, so they are taken back in turn.
        for (batches, spent) in outputs.iter().cycle() {
            let Ok(batch) = batches.recv() else { break };
            let batch = batch?;
            if take(&batch).is_break() {
                return Err(Fault::Interrupted);
            }
            // Where it was made it is also dropped: this thread has the most to do. There is nobody left at the end.
            let _ = spent.send(batch);
        }
        Ok(())
    })
}

fn deal(reader: &Reader, from_seq: u64, to: &[SyncSender<Result<StoredFrame, log::Fault>>]) {
    for (frame, to) in reader.stored_from(from_seq).zip(to.iter().cycle()) {
        let damaged = frame.is_err();
        if to.send(frame).is_err() || damaged {
            return;
        }
    }
}

/// Decodes frames in turn, into batches that come back `spent`.
fn decode_all(
    frames: &Receiver<Result<StoredFrame, log::Fault>>,
    to: &SyncSender<Result<Batch, Fault>>,
    spent: &Receiver<Batch>,
    from_seq: u64,
) {
    let mut unpacker = None;
    for frame in frames {
        let mut batch = spent.try_recv().unwrap_or_default();
        batch.clear();
        let decoded = frame.map_err(Fault::from).and_then(|frame| {
            decode_frame(&frame, from_seq, &mut unpacker, &mut batch)?;
            Ok(batch)
        });
        let failed = decoded.is_err();
        if to.send(decoded).is_err() || failed {
            return;
        }
    }
}

fn decode_frame(
    frame: &StoredFrame,
    from_seq: u64,
    unpacker: &mut Option<Unpacker>,
    to: &mut Batch,
) -> Result<(), Fault> {
    let unpacker = match unpacker {
        Some(unpacker) => unpacker,
        none => none.insert(Unpacker::new().map_err(Fault::Memory)?),
    };
    let frame = frame.unpack(Care::Quick, unpacker)?;
    for (seq, line) in frame.lines().filter(|(seq, _)| *seq >= from_seq) {
        let line = codec::decode(line).map_err(|source| Fault::Codec { seq, source })?;
        if line.recorded.seq != seq {
            return Err(Fault::Misplaced { seq: line.recorded.seq, expected: seq });
        }
        to.push((short(&line.key), line.recorded));
    }
    unpacker.reuse(frame);
    Ok(())
}
