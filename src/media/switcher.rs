//! Whose frames a program takes: sources come and go, cuts wait for a keyframe, and a source that returns plays on.

mod feed;
mod layers;
mod output;
mod program;

use super::meter::Meter;
use super::origin::Origin;
use super::recording::Finished;
use super::restream::Tap;
use super::slate::{self, Words};
use super::{AudioConfig, Frame, Gate, Health, Notice, ProgramId, Settings, SourceId, Track, VideoConfig};
use output::Output;
use program::{Program, slate_of};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use tokio::sync::{Notify, watch};

pub use feed::{Described, Feed, FeedError};
pub(super) use layers::LAYERS_MAX;
pub(super) use program::Standby;

/// Sound that came before the keyframe which it belongs to: 200 frames are four seconds.
const RING_MAX: usize = 200;

/// A connection that has sent nothing this long gives way to a new one for its source: encoders reconnect after two
/// seconds when the network changed under them, long before the old connection is known to be dead.
const TAKEOVER_MS: i64 = 2_000;

/// Who is cut to and not there has so long to come before the slate does: a clip opens its file.
const ABSENT_MS: i64 = 700;

/// More programs than one server's memory could package.
const PROGRAMS_MAX: usize = 64;

/// Sources shown in studios at once: the sum of many rallies' speakers.
const PREVIEWS_MAX: usize = 64;

/// Nobody who looks at a preview is silent for longer.
const PREVIEW_MS: i64 = 15_000;

/// Another connection is sending for this source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("already live from another encoder")]
pub struct Busy;

#[derive(Debug)]
pub(super) struct Switcher {
    settings: Settings,
    state: Mutex<State>,
    /// Apart from the state, so that viewers never wait for packaging.
    origins: RwLock<HashMap<ProgramId, Arc<Origin>>>,
    gate: Told,
}

/// Who is told whose pictures a program has.
#[derive(Default)]
struct Told(OnceLock<Arc<dyn Gate>>);

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Told").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    counter: u64,
    sources: HashMap<SourceId, Live>,
    programs: HashMap<ProgramId, Program>,
    previews: HashMap<SourceId, Preview>,
    /// Programs whose segments are kept on disk.
    recorded: HashSet<ProgramId>,
}

#[derive(Debug)]
struct Live {
    connection: u64,
    /// Changes with each start of a clock or configuration; a program must join it anew.
    generation: u64,
    kick: watch::Sender<Option<String>>,
    keyframe: Arc<Notify>,
    configs: Option<(VideoConfig, Option<AudioConfig>)>,
    /// The lower qualities' configurations, the best first.
    lower: Vec<VideoConfig>,
    ring: VecDeque<Frame>,
    heard_at_ms: i64,
    meter: Meter,
}

/// One source for its host's eyes, while they look.
#[derive(Debug)]
struct Preview {
    output: Output,
    asked_at_ms: i64,
}

impl Switcher {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, state: Mutex::default(), origins: RwLock::default(), gate: Told::default() }
    }

    pub(super) fn report_to(&self, gate: Arc<dyn Gate>) {
        // A gate that was given before stays.
        let _ = self.gate.0.set(gate);
    }

    /// Tells the gate whose pictures the program has, where that changed. Under the lock, so that news comes in order.
    fn tell(&self, id: ProgramId, program: &mut Program, at_ms: i64) {
        let source = program.on(id);
        if program.told != source {
            program.told = source;
            if let Some(gate) = self.gate.0.get() {
                gate.notice(Notice::OnProgram { program: id, source, at_ms });
            }
        }
    }

    pub(super) fn recordings(&self) -> Option<&super::Recordings> {
        self.settings.recordings.as_ref()
    }

    pub(super) fn now_ms(&self) -> i64 {
        (self.settings.now_ms)()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn cut(&self, id: ProgramId, source: Option<SourceId>) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        if state.programs.len() >= PROGRAMS_MAX && !state.programs.contains_key(&id) {
            tracing::error!(program = %id, "too many programs at once; this one is not packaged");
            return;
        }
        let State { sources, programs, recorded, .. } = &mut *state;
        let program = programs.entry(id).or_insert_with(|| self.begin(id, now_ms));
        if program.ended {
            return;
        }
        program.wanted = source;
        program.absent_from_ms = None;
        match source.map(|source| sources.get(&source)) {
            None => {
                let finished = program.leave_for_slate(id, now_ms);
                self.tell(id, program, now_ms);
                self.keep(recorded, id, finished);
            }
            Some(Some(live)) if live.configs.is_some() => live.keyframe.notify_one(),
            // Nobody knows when it comes.
            Some(_) => program.absent_from_ms = Some(now_ms.saturating_add(ABSENT_MS)),
        }
    }

    fn begin(&self, id: ProgramId, now_ms: i64) -> Program {
        let program = Program::new(now_ms);
        self.origins.write().unwrap_or_else(PoisonError::into_inner).insert(id, program.output.origin.clone());
        program
    }

    /// Gives a program its slate, or the one it has other words.
    pub(super) fn stand_by(self: &Arc<Self>, id: ProgramId, words: Words) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        if state.programs.len() >= PROGRAMS_MAX && !state.programs.contains_key(&id) {
            tracing::error!(program = %id, "too many programs at once; this one has no slate");
            return;
        }
        let program = state.programs.entry(id).or_insert_with(|| self.begin(id, now_ms));
        if program.ended {
            return;
        }
        if let Some(sender) = &program.words {
            sender.send_if_modified(|said| {
                let changed = *said != words;
                *said = words;
                changed
            });
            return;
        }
        let (sender, receiver) = watch::channel(words);
        program.words = Some(sender);
        let standby = Standby { program: id, source: slate_of(id), called: program.called.clone() };
        standby.called.notify_one();
        tokio::spawn(slate::stand_by(Arc::downgrade(self), standby, receiver));
    }

    /// Takes a program's slate away.
    pub(super) fn stand_down(&self, id: ProgramId) {
        if let Some(program) = self.state().programs.get_mut(&id) {
            program.words = None;
        }
    }

    /// Whether the slate is on, or has to come on.
    pub(super) fn needs_slate(&self, id: ProgramId) -> bool {
        let now_ms = self.now_ms();
        let state = self.state();
        let Some(program) = state.programs.get(&id).filter(|program| !program.ended) else { return false };
        program.words.is_some() && (program.playing() == Some(slate_of(id)) || program.slate_is_due(now_ms))
    }

    /// Begins or ends the recording of a program.
    pub(super) fn set_recorded(&self, id: ProgramId, on: bool) {
        let mut state = self.state();
        if on {
            state.recorded.insert(id)
        } else {
            state.recorded.remove(&id)
        };
    }

    /// Records what a program finished, save its slate: a replay goes on with the next speaker.
    fn keep(&self, recorded: &HashSet<ProgramId>, id: ProgramId, finished: Vec<Finished>) {
        let Some(recordings) = self.settings.recordings.as_ref().filter(|_| recorded.contains(&id)) else { return };
        let shown = finished.into_iter().filter(|finished| finished.source != Some(slate_of(id)));
        shown.for_each(|finished| recordings.take(id, finished));
    }

    pub(super) fn on_program(&self, id: ProgramId) -> Option<SourceId> {
        self.state().programs.get(&id)?.on(id)
    }

    pub(super) fn end(&self, id: ProgramId) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let State { programs, recorded, .. } = &mut *state;
        if let Some(program) = programs.get_mut(&id) {
            program.wanted = None;
            let finished = program.output.leave();
            program.ended = true;
            program.words = None;
            program.output.origin.end();
            program.output.taps.close();
            self.tell(id, program, now_ms);
            self.keep(recorded, id, finished);
        }
        recorded.remove(&id);
    }

    pub(super) fn forget(&self, id: ProgramId) {
        self.state().programs.remove(&id);
        self.origins.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    pub(super) fn disconnect(&self, source: SourceId, reason: &str) {
        if let Some(live) = self.state().sources.get(&source) {
            live.kick.send_replace(Some(reason.to_owned()));
        }
    }

    pub(super) fn health(&self, source: SourceId) -> Option<Health> {
        let now_ms = self.now_ms();
        let state = self.state();
        let live = state.sources.get(&source)?;
        let (video, audio) = live.configs.as_ref()?;
        let health = live.meter.health(video, audio.as_ref(), now_ms);
        Some(Health { lower: live.lower.iter().map(|lower| (lower.width, lower.height)).collect(), ..health })
    }

    pub(super) fn origin(&self, id: ProgramId) -> Option<Arc<Origin>> {
        self.origins.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// The program's frames from its next keyframe on; none if it has ended, or there are too many programs.
    pub(super) fn tap(&self, id: ProgramId) -> Option<Tap> {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let State { sources, programs, .. } = &mut *state;
        if programs.len() >= PROGRAMS_MAX && !programs.contains_key(&id) {
            return None;
        }
        let program = programs.entry(id).or_insert_with(|| self.begin(id, now_ms));
        if program.ended {
            return None;
        }
        let playing = program.playing().and_then(|source| sources.get(&source));
        if let Some(live) = playing {
            live.keyframe.notify_one();
        }
        Some(program.output.taps.add(playing.and_then(|live| live.configs.clone())))
    }

    /// The source's own picture, packaged from the first request on for as long as somebody asks.
    pub(super) fn preview(&self, source: SourceId) -> Option<Arc<Origin>> {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let State { sources, previews, .. } = &mut *state;
        let live = sources.get(&source)?;
        if previews.len() >= PREVIEWS_MAX && !previews.contains_key(&source) {
            previews.retain(|_, preview| now_ms - preview.asked_at_ms <= PREVIEW_MS);
            if previews.len() >= PREVIEWS_MAX {
                return None;
            }
        }
        let preview = previews.entry(source).or_insert_with(|| {
            live.keyframe.notify_one();
            Preview { output: Output::new(now_ms), asked_at_ms: now_ms }
        });
        preview.asked_at_ms = now_ms;
        Some(preview.output.origin.clone())
    }

    pub(super) fn attach(self: &Arc<Self>, source: SourceId) -> Result<Feed, Busy> {
        let now_ms = self.now_ms();
        let mut state = self.state();
        if let Some(live) = state.sources.get(&source) {
            if now_ms - live.heard_at_ms < TAKEOVER_MS {
                return Err(Busy);
            }
            live.kick.send_replace(Some("replaced by a new connection".to_owned()));
        }
        state.counter += 1;
        let connection = state.counter;
        let (kick, kicked) = watch::channel(None);
        let keyframe = Arc::new(Notify::new());
        let live = Live {
            connection,
            generation: connection,
            kick,
            keyframe: keyframe.clone(),
            configs: None,
            lower: Vec::new(),
            ring: VecDeque::new(),
            heard_at_ms: now_ms,
            meter: Meter::new(now_ms),
        };
        state.sources.insert(source, live);
        drop(state);
        Ok(Feed::new(self.clone(), source, connection, kicked, keyframe))
    }

    /// The feed's configuration, at its start or changed: its programs take it from its next keyframe.
    fn configure(&self, feed: &Feed, video: VideoConfig, lower: Vec<VideoConfig>, audio: Option<AudioConfig>) {
        let mut state = self.state();
        state.counter += 1;
        let generation = state.counter;
        if let Some(live) = state.sources.get_mut(&feed.source).filter(|live| live.connection == feed.connection) {
            live.generation = generation;
            live.configs = Some((video, audio));
            live.lower = lower;
            live.ring.clear();
            live.meter.renew();
        }
    }

    fn detach(&self, source: SourceId, connection: u64) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let State { sources, programs, previews, recorded, .. } = &mut *state;
        let Some(live) = sources.get(&source).filter(|live| live.connection == connection) else { return };
        for (id, program) in programs {
            if program.output.playing == Some((source, live.generation)) {
                self.keep(recorded, *id, program.output.leave());
                self.tell(*id, program, now_ms);
            } else if program.wanted == Some(source) {
                program.absent_from_ms = Some(now_ms.saturating_add(ABSENT_MS));
            }
        }
        sources.remove(&source);
        // Whoever looks waits for a connection to come, not for what the last one left.
        previews.remove(&source);
    }

    /// The feed has come to its end: nobody waits for its return.
    fn finish(&self, source: SourceId, connection: u64) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let State { sources, programs, recorded, .. } = &mut *state;
        let Some(live) = sources.get(&source).filter(|live| live.connection == connection) else { return };
        for (id, program) in programs {
            if program.output.playing == Some((source, live.generation)) {
                let finished = program.leave_for_slate(*id, now_ms);
                self.tell(*id, program, now_ms);
                self.keep(recorded, *id, finished);
            }
        }
    }

    fn frame(&self, feed: &Feed, frame: &Frame) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let State { sources, programs, previews, recorded, .. } = &mut *state;
        let Some(live) = sources.get_mut(&feed.source).filter(|live| live.connection == feed.connection) else {
            return;
        };
        live.heard_at_ms = now_ms;
        live.meter.take(frame, now_ms);
        for (id, program) in programs {
            let finished = program.take(*id, live, feed.source, frame, now_ms);
            // The packager dates a new source's first picture with the same instant.
            self.tell(*id, program, now_ms);
            self.keep(recorded, *id, finished);
        }
        if let Entry::Occupied(mut preview) = previews.entry(feed.source) {
            if now_ms - preview.get().asked_at_ms > PREVIEW_MS {
                preview.remove();
            } else {
                let here = (feed.source, live.generation);
                preview.get_mut().output.take(here, true, live, frame, now_ms);
            }
        }
        if frame.track == Track::Audio {
            if live.ring.len() >= RING_MAX {
                live.ring.pop_front();
            }
            live.ring.push_back(frame.clone());
        }
    }
}
