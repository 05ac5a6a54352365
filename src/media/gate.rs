//! The house's side of ingest: whose stream key it is, what encoders do into the log, and what the log says onto the
//! program.

use super::{Gate, Media, Notice, ProgramId, Standing, Words};
use crate::domain::broadcast::Command as Broadcast;
use crate::domain::id::{RallyId, SourceId};
use crate::domain::rally::{Phase, Speaker};
use crate::domain::{Command, rally::Rally};
use crate::engine::Engine;
use chrono::DateTime;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A refusal of the same feed, or of strangers as a whole, is logged once in this time: encoders try again every few
/// seconds, and whoever guesses keys must not fill the log.
const REFUSAL_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// Letters that are not mistaken for each other when read out.
const KEY_LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 26 of 32 letters: 130 bits, never guessed.
const KEY_CHARS: usize = 26;

/// A speaker's stream key: made from the server's secret, so that the log holds none.
pub fn stream_key(engine: &Engine, speaker: &Speaker) -> String {
    let seed = format!("{}:{}", speaker.source, speaker.key_generation);
    spelled(&engine.vault().derive("stream-key", seed.as_bytes()))
}

/// The secret in the address a rally's captioner sends to: made from the server's secret, as stream keys are.
pub fn captions_key(engine: &Engine, id: RallyId, rally: &Rally) -> String {
    spelled(&engine.vault().derive("captions-address", format!("{id}:{}", rally.captions_generation).as_bytes()))
}

fn spelled(bytes: &[u8]) -> String {
    let letter = |byte: &u8| KEY_LETTERS.get(usize::from(*byte % 32)).copied().map_or('a', char::from);
    bytes.iter().take(KEY_CHARS).map(letter).collect()
}

/// The speaker whose key this is, and their rally, also after its end.
pub fn speaker_of(engine: &Engine, key: &str) -> Option<(RallyId, Speaker)> {
    let speakers: Vec<(RallyId, Speaker)> = {
        let world = engine.world();
        let of = |id: RallyId, rally: &Rally| rally.speakers.clone().into_iter().map(move |speaker| (id, speaker));
        world.state.rallies.iter().flat_map(|(id, rally)| of(id, rally)).collect()
    };
    let fits = |speaker: &Speaker| bool::from(stream_key(engine, speaker).as_bytes().ct_eq(key.as_bytes()));
    speakers.into_iter().find(|(_, speaker)| fits(speaker))
}

/// The gate of one server.
pub struct House {
    engine: Engine,
    refused: Mutex<HashMap<Option<Uuid>, Refused>>,
}

struct Refused {
    at: Instant,
    since_then: u32,
}

impl House {
    /// A gate that knows the speakers of the engine's rallies.
    pub fn new(engine: Engine) -> Arc<Self> {
        Arc::new(Self { engine, refused: Mutex::default() })
    }

    fn tell(&self, command: Broadcast) {
        let key = format!("ingest:{}", Uuid::now_v7());
        if let Err(failure) = self.engine.submit(Command::Broadcast(command), key, "server") {
            tracing::warn!(%failure, "news of a feed was not recorded");
        }
    }

    /// Whether this refusal is logged, and how many before it were not.
    fn is_news(&self, source: Option<Uuid>) -> Option<u32> {
        let mut refused = self.refused.lock();
        match refused.get_mut(&source) {
            Some(last) if last.at.elapsed() < REFUSAL_AGAIN_AFTER => {
                last.since_then = last.since_then.saturating_add(1);
                None
            }
            Some(_) | None => {
                let last = refused.insert(source, Refused { at: Instant::now(), since_then: 0 });
                Some(last.map_or(0, |last| last.since_then))
            }
        }
    }
}

impl Gate for House {
    fn admit(&self, key: &str) -> Result<super::SourceId, String> {
        let candidates: Vec<(Speaker, Phase)> = {
            let world = self.engine.world();
            let speakers = |rally: &Rally| {
                let phase = rally.phase;
                rally.speakers.iter().cloned().map(move |speaker| (speaker, phase)).collect::<Vec<_>>()
            };
            world.state.rallies.iter().flat_map(|(_, rally)| speakers(rally)).collect()
        };
        let fits = |speaker: &Speaker| bool::from(stream_key(&self.engine, speaker).as_bytes().ct_eq(key.as_bytes()));
        match candidates.into_iter().find(|(speaker, _)| fits(speaker)) {
            Some((_, Phase::Ended { .. })) => Err("This rally has ended.".into()),
            Some((speaker, Phase::Before | Phase::Live { .. })) => Ok(super::SourceId(speaker.source.0)),
            None => Err("Wrong stream key. Copy it again from the page your host sent you.".into()),
        }
    }

    fn notice(&self, notice: Notice) {
        match notice {
            Notice::Connected { source, protocol, video, audio } => {
                let source = SourceId(source.0);
                self.tell(Broadcast::ConnectSource { source, protocol: protocol.into(), video, audio });
            }
            Notice::Disconnected { source, reason } => {
                self.tell(Broadcast::DisconnectSource { source: SourceId(source.0), reason });
            }
            Notice::OnProgram { program, source, at_ms } => {
                let rally = RallyId(program.0);
                let source = source.map(|source| SourceId(source.0));
                let shown_at = DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
                self.tell(Broadcast::TakeProgram { rally, source, shown_at });
            }
            Notice::Refused { source, reason } => {
                let Some(more) = self.is_news(source.map(|source| source.0)) else { return };
                let reason = if more == 0 { reason } else { format!("{reason} ({more} more tries before this one.)") };
                self.tell(match source {
                    Some(source) => Broadcast::RefuseSource { source: SourceId(source.0), reason },
                    None => Broadcast::RefuseStranger { reason },
                });
            }
        }
    }
}

/// What was last put into effect for a rally.
#[derive(Default)]
struct Applied {
    seq: u64,
    program: Option<SourceId>,
    keys: HashMap<SourceId, u32>,
    /// Somebody has been on since the doors opened.
    begun: bool,
    ended: bool,
    deleted: bool,
}

/// Puts the log's cuts, ends and removals into effect, also those of before this start, until shut down.
pub async fn follow(engine: Engine, media: Media, shutdown: CancellationToken) {
    let mut newest = engine.newest();
    let mut applied: HashMap<RallyId, Applied> = HashMap::new();
    loop {
        let news: Vec<(RallyId, Rally, bool, u64)> = {
            let world = engine.world();
            let changed = |id: RallyId| applied.get(&id).is_none_or(|applied| applied.seq < world.changed(id));
            let rallies = world.state.rallies.iter().filter(|(id, _)| changed(*id));
            let connected = |source: SourceId| world.state.broadcast.connection(source).is_some();
            let anybody = |rally: &Rally| rally.speakers.iter().any(|speaker| connected(speaker.source));
            rallies.map(|(id, rally)| (id, rally.clone(), anybody(rally), world.changed(id))).collect()
        };
        for (id, rally, anybody, seq) in news {
            let first = !applied.contains_key(&id);
            let last = applied.entry(id).or_default();
            last.seq = seq;
            apply(&media, id, &rally, anybody, last, first);
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

fn apply(media: &Media, id: RallyId, rally: &Rally, anybody: bool, last: &mut Applied, first: bool) {
    let program = ProgramId(id.0);
    let keys: HashMap<SourceId, u32> =
        rally.speakers.iter().map(|speaker| (speaker.source, speaker.key_generation)).collect();
    for (source, generation) in &last.keys {
        if keys.get(source) != Some(generation) {
            media.disconnect(super::SourceId(source.0), "The host has removed this stream key.");
        }
    }
    last.keys = keys;
    if matches!(rally.phase, Phase::Live { .. }) {
        media.record(program, true);
    }
    if rally.recording_deleted
        && !std::mem::replace(&mut last.deleted, true)
        && let Some(recordings) = media.recordings().cloned()
    {
        media.captions().forget(program);
        // Also at each start: a crash may have come between the event and its effect.
        tokio::task::spawn_blocking(move || {
            if let Err(error) = recordings.delete(program) {
                tracing::error!(%program, %error, "the recording was not deleted; the next start tries again");
            }
        });
    }
    if matches!(rally.phase, Phase::Ended { .. }) {
        // A rally that ended before this start has no program to end.
        if !first && !last.ended {
            // The slate's last words end the program.
            media.cut(program, None);
            media.stand_by(program, words(rally, Standing::Thanks));
            for source in last.keys.keys() {
                media.disconnect(super::SourceId(source.0), "The rally has ended. Thank you!");
            }
        }
        last.ended = true;
        return;
    }
    last.begun |= rally.phase != Phase::Before && rally.program.is_some();
    // Before the doors open there is a program while somebody practises.
    if rally.phase != Phase::Before || anybody || rally.program.is_some() {
        media.stand_by(program, words(rally, standing(rally, last.begun)));
    } else {
        media.stand_down(program);
    }
    if last.program != rally.program {
        media.cut(program, rally.program.map(|source| super::SourceId(source.0)));
        last.program = rally.program;
    }
}

/// What the slate says: somebody is missing, or it has not begun, or it is between two.
fn standing(rally: &Rally, begun: bool) -> Standing {
    match rally.program {
        // A clip that is over does not come back.
        Some(source) if rally.clip(source).is_some() => Standing::Moment,
        Some(_) => Standing::Back,
        None if begun => Standing::Moment,
        None => Standing::Starting { at_ms: rally.details.starts_at.timestamp_millis() },
    }
}

fn words(rally: &Rally, standing: Standing) -> Words {
    let accent = rally.details.accent.trim_start_matches('#');
    let [_, accent @ ..] = u32::from_str_radix(accent, 16).unwrap_or(0).to_be_bytes();
    Words { title: rally.details.title.clone(), accent, standing }
}
