//! What viewers fetch: the newest segments of one program and their parts, and its playlists, rendered once a part and
//! shared. Who asks for what comes next waits until it is there.

mod window;

use super::packager::{Cut, TARGET_DURATION_S};
use super::recording::Finished;
use super::vtt::Span;
use super::{Frame, Track, codec, hls};
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use tokio::sync::watch;
use window::{Stands, Window};

pub use window::Edge;

/// Nobody waits longer for what comes next: three target durations (RFC 8216bis, 6.2.5.2).
const WAIT_MAX: Duration = Duration::from_secs(3 * TARGET_DURATION_S);

/// Bodies whose address is never used twice.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// A playlist that was asked for by what it must hold: six target durations (RFC 8216bis, appendix B.1).
const ASKED_FOR: &str = "public, max-age=12";
/// A playlist as it stands: shared caches may collapse requests, nobody may keep it past half a target duration.
const AS_IT_STANDS: &str = "public, max-age=1";
/// The playlist of playlists changes only with the pictures' size.
const SELDOM_CHANGES: &str = "public, max-age=2";

/// The playlist of playlists.
pub const INDEX: &str = "index.m3u8";
/// Playlists' media type.
pub const PLAYLIST: &str = "application/vnd.apple.mpegurl";

/// One file of a program, ready to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The body; shared, never copied.
    pub bytes: Bytes,
    /// For the `Content-Type` header.
    pub content_type: &'static str,
    /// For the `Cache-Control` header.
    pub cache_control: &'static str,
}

/// What a player asks of a playlist (RFC 8216bis, 6.2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// `_HLS_msn`: answer when this segment is listed.
    pub msn: Option<u64>,
    /// `_HLS_part`: answer when this part of it is.
    pub part: Option<u64>,
    /// `_HLS_skip`: leave out what the player knows.
    pub skip: bool,
}

/// Why a file of a program is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// Nothing has been on program yet.
    #[error("the program has not begun")]
    NotBegun,
    /// No such file, or no longer.
    #[error("the program has no such file, or no longer")]
    Unknown,
    /// A player that counts otherwise than we do.
    #[error("that part of the program is too far ahead: load the playlist anew")]
    TooFarAhead,
    /// It did not come within three target durations.
    #[error("that part of the program has not come yet")]
    NotYet,
}

/// The ways to follow a program, and what was said in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rendition {
    /// Picture and sound, in parts.
    Video,
    /// The same in a lower quality that the source sends, or in the best where it sends no other; 0 is the best of them.
    Lower(usize),
    /// Sound alone, in whole segments: for networks where a second more matters less than half a picture.
    Sound,
    /// Captions of one language, segment by segment; the playlist is the same for each language.
    Captions,
}

impl Rendition {
    fn is_in_parts(self) -> bool {
        match self {
            Self::Video | Self::Lower(_) => true,
            Self::Sound | Self::Captions => false,
        }
    }

    fn layer(self) -> Option<usize> {
        match self {
            Self::Lower(layer) => Some(layer),
            Self::Video | Self::Sound | Self::Captions => None,
        }
    }
}

/// One program's window.
#[derive(Debug)]
pub struct Origin {
    window: RwLock<Window>,
    edge: watch::Sender<Edge>,
    /// Whether pictures with captions inside have been among those shown.
    captioned: AtomicBool,
}

impl Origin {
    /// An empty window; `now_ms` is the wall clock in ms since 1970 UTC, from which numbers start.
    pub fn new(now_ms: i64) -> Self {
        let window = Window::new(now_ms);
        Self { edge: watch::Sender::new(window.edge()), window: RwLock::new(window), captioned: AtomicBool::new(false) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Window> {
        self.window.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Window> {
        self.window.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what the packager has done, and gives the segments that are whole now, for whoever keeps them.
    pub fn push(&self, cuts: Vec<Cut>) -> Vec<Finished> {
        if cuts.is_empty() {
            return Vec::new();
        }
        let (edge, finished) = {
            let mut window = self.write();
            let finished = cuts.into_iter().filter_map(|cut| window.push(cut)).collect();
            window.render();
            (window.edge(), finished)
        };
        self.edge.send_replace(edge);
        finished
    }

    /// Says that no more will come.
    pub fn end(&self) {
        let edge = {
            let mut window = self.write();
            window.end();
            window.edge()
        };
        self.edge.send_replace(edge);
    }

    /// Newest segment and part, for those who watch the program grow.
    pub fn edge(&self) -> Edge {
        *self.edge.borrow()
    }

    /// The file of this name; a playlist as the directives ask for it. Waits for what comes next.
    ///
    /// # Errors
    /// [`Missing`].
    pub async fn file(&self, name: &str, directives: Directives) -> Result<Object, Missing> {
        match name {
            INDEX => self.multivariant(Vec::new()),
            window::VIDEO => self.playlist(Rendition::Video, directives).await,
            window::SOUND => self.playlist(Rendition::Sound, directives).await,
            name => match window::lower_playlist(name) {
                Some(layer) => self.playlist(Rendition::Lower(layer), directives).await,
                None => self.object(name).await,
            },
        }
    }

    /// The playlist of playlists, with the captions there are.
    ///
    /// # Errors
    /// [`Missing::NotBegun`].
    pub fn multivariant(&self, subtitles: Vec<hls::Subtitles>) -> Result<Object, Missing> {
        let captions = hls::Captions { subtitles, inside: self.captioned.load(Ordering::Relaxed) };
        let bytes = self.read().multivariant(&captions).ok_or(Missing::NotBegun)?;
        Ok(Object { bytes, content_type: PLAYLIST, cache_control: SELDOM_CHANGES })
    }

    /// The playlist of one language's captions, whichever it is.
    ///
    /// # Errors
    /// [`Missing`].
    pub async fn captions(&self, directives: Directives) -> Result<Object, Missing> {
        self.playlist(Rendition::Captions, directives).await
    }

    /// When a segment is shown; none for one that is not whole, or no longer here.
    pub fn span(&self, msn: u64) -> Option<Span> {
        self.read().span(msn)
    }

    /// Looks into a frame that is shown for captions inside the picture. They stay announced once there were any: a player
    /// reads the playlist of playlists once, and who has them may be on again.
    pub(super) fn look_into(&self, frame: &Frame) {
        if frame.track == Track::Video && !self.captioned.load(Ordering::Relaxed) && codec::cea::is_in(&frame.data) {
            self.captioned.store(true, Ordering::Relaxed);
        }
    }

    async fn playlist(&self, rendition: Rendition, directives: Directives) -> Result<Object, Missing> {
        let Directives { msn, part, skip } = directives;
        let asked = match (msn, part) {
            (None, Some(_)) => return Err(Missing::TooFarAhead),
            (None, None) => None,
            // Parts of the sound are not listed: its segments are waited for.
            (Some(msn), Some(part)) if rendition.is_in_parts() => Some((msn, part)),
            (Some(msn), _) => Some((msn, u64::MAX)),
        };
        if let Some((msn, part)) = asked {
            self.wait(|edge| edge.listed(msn, part)).await?;
        }
        let bytes = self.read().playlist(rendition, skip).ok_or(Missing::NotBegun)?;
        let cache_control = if asked.is_some() { ASKED_FOR } else { AS_IT_STANDS };
        Ok(Object { bytes, content_type: PLAYLIST, cache_control })
    }

    async fn object(&self, name: &str) -> Result<Object, Missing> {
        if let Some((msn, part)) = window::part_number(name) {
            self.wait(|edge| edge.part(msn, part)).await?;
        }
        let (bytes, content_type) = self.read().object(name).ok_or(Missing::Unknown)?;
        Ok(Object { bytes, content_type, cache_control: IMMUTABLE })
    }

    /// Waits until the edge answers yes; who asks for what is not next is told at once.
    async fn wait(&self, stands: impl Fn(&Edge) -> Stands) -> Result<(), Missing> {
        let mut edge = self.edge.subscribe();
        let decided = async { edge.wait_for(|edge| stands(edge) != Stands::Comes).await.map(|edge| stands(&edge)) };
        match tokio::time::timeout(WAIT_MAX, decided).await {
            Err(_) => Err(Missing::NotYet),
            Ok(Err(_)) => Err(Missing::Unknown),
            Ok(Ok(Stands::TooFarAhead)) => Err(Missing::TooFarAhead),
            Ok(Ok(Stands::Decided | Stands::Comes)) => Ok(()),
        }
    }
}
