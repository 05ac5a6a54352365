//! Clips as sources: files on a shelf, played in real time when the log cuts to them.

mod deck;
mod shelf;

use super::gate::House;
use super::{Gate, Media, Notice, ProgramId, SourceId};
use crate::domain::id::RallyId;
use crate::engine::Engine;
use deck::Deck;
pub use shelf::{CLIP_BYTES_MAX, Checked, FOLDER, Fault, Shelf, Upload};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Of a clip that somebody else was cut to, as the log says it.
const CUT_AWAY: &str = "Another is on.";
/// Of a clip that was played to its end, as the log says it.
const PLAYED: &str = "The clip has ended.";

/// What plays for one rally.
struct Playing {
    source: SourceId,
    plays: u32,
    /// Cancelled when somebody else was cut to.
    leave: CancellationToken,
}

/// What the log wants to play.
type Wanted = HashMap<RallyId, (SourceId, u32)>;

/// Removes what is on the shelf and not in the log: to be called before anything is put there.
pub fn sweep(engine: &Engine, shelf: &Shelf) {
    shelf.keep_only(&wants(engine).1);
}

/// Plays what the log cuts to, and keeps the shelf as the log has it, until shut down.
pub async fn follow(engine: Engine, media: Media, house: Arc<House>, shelf: Shelf, shutdown: CancellationToken) {
    let mut newest = engine.newest();
    let mut playing: HashMap<RallyId, Playing> = HashMap::new();
    let (_, mut known) = wants(&engine);
    loop {
        let (wanted, clips) = wants(&engine);
        for gone in known.difference(&clips) {
            shelf.remove(*gone);
        }
        known = clips;
        playing.retain(|rally, now| {
            let stays = wanted.get(rally) == Some(&(now.source, now.plays));
            if !stays {
                now.leave.cancel();
            }
            stays
        });
        for (rally, (source, plays)) in wanted {
            playing.entry(rally).or_insert_with(|| {
                let leave = CancellationToken::new();
                let deck = Deck { media: media.clone(), program: ProgramId(rally.0), source, path: shelf.path(source) };
                let play = play(deck, engine.clone(), house.clone(), leave.clone());
                let stop = shutdown.clone();
                // Nothing is said of one that the server's stop ends, so that the next start plays it again.
                tokio::spawn(async move { stop.run_until_cancelled(play).await });
                Playing { source, plays, leave }
            });
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            changed = newest.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// What is to play, and every clip that there is.
fn wants(engine: &Engine) -> (Wanted, HashSet<SourceId>) {
    let world = engine.world();
    let (mut wanted, mut clips) = (Wanted::new(), HashSet::new());
    for (id, rally) in world.state.rallies.iter() {
        clips.extend(rally.clips.iter().map(|clip| SourceId(clip.source.0)));
        if let Some(clip) = rally.program.and_then(|source| rally.clip(source)).filter(|clip| clip.playing) {
            wanted.insert(id, (SourceId(clip.source.0), clip.plays));
        }
    }
    (wanted, clips)
}

async fn play(deck: Deck, engine: Engine, house: Arc<House>, leave: CancellationToken) {
    let source = deck.source;
    let connected = |video: String, audio: String| {
        house.notice(Notice::Connected { source, protocol: "clip", video, audio });
    };
    let reason = match deck.run(&leave, connected).await {
        Ok(true) => PLAYED.to_owned(),
        // It is on again already, and what is said of its last time would be taken for this one's end.
        Ok(false) if wants(&engine).0.values().any(|(wanted, _)| *wanted == source) => return,
        Ok(false) => CUT_AWAY.to_owned(),
        Err(fault) => {
            let reason = fault.to_string();
            house.notice(Notice::Refused { source: Some(source), reason: reason.clone() });
            reason
        }
    };
    house.notice(Notice::Disconnected { source, reason });
}
