//! The broadcast: speakers' feeds come in as [`Frame`]s, one at a time is on program, and the program goes out as HLS.
//!
//! `ingest` turns a protocol into frames; `switcher` decides whose frames a program takes; `packager` cuts them into
//! segments; `origin` keeps the last ones and the playlist. `codec`, `fmp4` and `hls` are pure byte code: no I/O, no
//! clock. Nothing here decodes video, and ids come in as opaque numbers: only where the log meets the pictures (`gate`, `keeping`, `clip`
//! and the destinations of `restream`) does anything know about rallies, and nothing does about staff or money.

pub mod captions;
pub mod clip;
pub mod codec;
pub mod fmp4;
pub mod gate;
pub mod health;
pub mod hls;
pub mod ingest;
pub mod keeping;
mod meter;
pub mod origin;
pub mod packager;
pub mod publish;
pub mod recording;
pub mod restream;
mod slate;
#[doc(hidden)]
pub mod strangers;
mod switcher;
mod transcode;
pub mod vtt;

use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

pub use captions::Captions;
pub use codec::{AudioConfig, VideoConfig};
pub use health::Health;
pub use hls::Subtitles;
pub use origin::{Directives, Missing, Object, Origin};
pub use packager::Init;
pub use recording::Recordings;
pub use slate::{Standing, Words};
pub use switcher::{Busy, Described, Feed, FeedError};
pub use vtt::{Cue, Span};

/// One speaker's feed, whichever connection carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub Uuid);

/// What one audience sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProgramId(pub Uuid);

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ProgramId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which of a source's two tracks a frame belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Track {
    /// H.264 pictures.
    Video,
    /// AAC sound.
    Audio,
}

/// One encoded picture or audio frame: the one type that ingest and packaging meet in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Picture or sound.
    pub track: Track,
    /// When it is shown, in ticks of [`Frame::TIMESCALE`] on the source's own clock.
    pub pts: i64,
    /// When it is decoded, in ticks of [`Frame::TIMESCALE`]; never falls within one feed.
    pub dts: i64,
    /// Whether decoding can start here; always true for audio.
    pub keyframe: bool,
    /// Length-prefixed NAL units for H.264 (as in `avcC`), one raw AAC frame without ADTS for audio.
    pub data: Bytes,
    /// The same moment in the lower qualities that the source sends besides, in the order of decoding.
    pub lower: Vec<Lower>,
}

/// A picture in one of the lower qualities; times as in [`Frame`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lower {
    /// Which: 0 is the best after the frame's own.
    pub layer: usize,
    /// When it is shown.
    pub pts: i64,
    /// When it is decoded.
    pub dts: i64,
    /// Whether decoding can start here; it can wherever it can in the frame's own quality.
    pub keyframe: bool,
    /// Length-prefixed NAL units.
    pub data: Bytes,
}

impl Frame {
    /// Ticks a second of `pts` and `dts`.
    pub const TIMESCALE: u32 = 90_000;
    /// Ticks a millisecond of `pts` and `dts`.
    pub const TICKS_PER_MS: i64 = 90;
}

/// What a source does, told to the application in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The feed's codecs are known and accepted; pictures are arriving.
    Connected {
        /// Who.
        source: SourceId,
        /// By which protocol, for example `RTMP`.
        protocol: &'static str,
        /// For example `H.264 1280x720`.
        video: String,
        /// For example `AAC 48 kHz stereo`, or `none`.
        audio: String,
    },
    /// A connected feed has gone.
    Disconnected {
        /// Who.
        source: SourceId,
        /// In plain words.
        reason: String,
    },
    /// A connection was turned away, with the same reason that it was told.
    Refused {
        /// Who, if the key was known.
        source: Option<SourceId>,
        /// In plain words, and what to do.
        reason: String,
    },
    /// The program's pictures are another source's: a cut has taken effect, or a source has gone or returned.
    OnProgram {
        /// Which program.
        program: ProgramId,
        /// Whose pictures; nobody's if none.
        source: Option<SourceId>,
        /// The program date-time of the first of them, in ms since 1970 UTC.
        at_ms: i64,
    },
}

/// The application's side of ingest: who may publish, and where news goes. Both are called from ingest tasks and return
/// at once.
pub trait Gate: Send + Sync {
    /// Says whose key this is.
    ///
    /// # Errors
    /// The reason the connection is refused, as the encoder's screen should show it.
    fn admit(&self, stream_key: &str) -> Result<SourceId, String>;

    /// Takes news of a source.
    fn notice(&self, notice: Notice);
}

/// What the media room is started with.
#[derive(Clone)]
pub struct Settings {
    /// The wall clock, in ms since 1970 UTC.
    pub now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// Where programs are recorded, if they are.
    pub recordings: Option<Recordings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { now_ms: Arc::new(system_now_ms), recordings: None }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

fn system_now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The media room: a handle, cheap to clone, shared by ingest, the host's commands and the viewers' requests.
#[derive(Clone, Debug)]
pub struct Media {
    switcher: Arc<switcher::Switcher>,
    restreams: restream::Standings,
    captions: Captions,
}

impl Media {
    /// Starts with no sources and no programs.
    pub fn new(settings: Settings) -> Self {
        let captions = Captions::new(settings.recordings.clone());
        let switcher = Arc::new(switcher::Switcher::new(settings));
        Self { switcher, restreams: restream::Standings::default(), captions }
    }

    /// Tells this gate from now on whose pictures each program has. The first one given is kept.
    pub fn report_to(&self, gate: Arc<dyn Gate>) {
        self.switcher.report_to(gate);
    }

    /// Puts a source on program from its next keyframe; the one on before plays until then. A source that is not
    /// connected yet, or drops and returns, comes on by itself. `None` takes everybody off at once. A first cut makes the
    /// program; a cut on an ended program does nothing.
    pub fn cut(&self, program: ProgramId, source: Option<SourceId>) {
        self.switcher.cut(program, source);
    }

    /// Gives the program a slate with these words, or the slate it has these words instead: it stands whenever nobody is on,
    /// also when who should be has dropped, and makes the program if there is none yet.
    pub fn stand_by(&self, program: ProgramId, words: Words) {
        self.switcher.stand_by(program, words);
    }

    /// Takes the program's slate away.
    pub fn stand_down(&self, program: ProgramId) {
        self.switcher.stand_down(program);
    }

    /// Who is really on program now: the source whose pictures are being packaged; none while the slate stands.
    pub fn on_program(&self, program: ProgramId) -> Option<SourceId> {
        self.switcher.on_program(program)
    }

    /// Ends the program for good: players stop asking. What is in the window stays until [`Media::forget`].
    pub fn end(&self, program: ProgramId) {
        self.switcher.end(program);
    }

    /// Begins or ends the recording of a program; the end of the program ends it too.
    pub fn record(&self, program: ProgramId, on: bool) {
        self.switcher.set_recorded(program, on);
    }

    /// The recordings, where there are any.
    pub fn recordings(&self) -> Option<&Recordings> {
        self.switcher.recordings()
    }

    /// What captioners send.
    pub fn captions(&self) -> &Captions {
        &self.captions
    }

    /// Frees a program's memory.
    pub fn forget(&self, program: ProgramId) {
        self.switcher.forget(program);
    }

    /// Ends a source's connection; the reason goes to the encoder and into the notice.
    pub fn disconnect(&self, source: SourceId, reason: &str) {
        self.switcher.disconnect(source, reason);
    }

    /// How a connected source is doing; none if it is not connected, or its codecs are not known yet.
    pub fn health(&self, source: SourceId) -> Option<Health> {
        self.switcher.health(source)
    }

    /// What the audience fetches of a program; none before the first cut.
    pub fn program(&self, program: ProgramId) -> Option<Arc<Origin>> {
        self.switcher.origin(program)
    }

    /// What a host fetches to see one source, on program or not; none while it is not connected. It is packaged while
    /// somebody asks.
    pub fn preview(&self, source: SourceId) -> Option<Arc<Origin>> {
        self.switcher.preview(source)
    }

    /// Gives the program's frames from its next keyframe on, as the audience gets them; none of a program that has ended.
    pub fn tap(&self, program: ProgramId) -> Option<restream::Tap> {
        self.switcher.tap(program)
    }

    /// How the servers that programs are sent to take them.
    pub fn restreams(&self) -> &restream::Standings {
        &self.restreams
    }

    /// Connects a source's feed, as an ingest protocol does once the gate has admitted it.
    ///
    /// # Errors
    /// [`Busy`] if another connection is sending for this source.
    pub fn attach(&self, source: SourceId) -> Result<Feed, Busy> {
        self.switcher.attach(source)
    }
}
