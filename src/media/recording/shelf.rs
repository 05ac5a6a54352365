//! One program's recording: its files, and what players and hosts fetch from them.

use super::Line;
use super::index::{self, Init, Segment};
use crate::media::vtt::Span;
use crate::media::{Frame, fmp4};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

/// By these the present rate is told: a minute.
const LATELY_SEGMENTS: usize = 30;

/// The recording of one program.
#[derive(Debug)]
pub struct Shelf {
    pub(super) segments: File,
    pub(super) index: File,
    pub(super) state: RwLock<State>,
    deleted: AtomicBool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) inits: BTreeMap<u64, Init>,
    /// In the order of their numbers.
    pub(super) segments: Vec<Segment>,
    /// Bytes of the index's whole lines.
    pub(super) index_bytes: u64,
}

impl Shelf {
    /// Opens a folder's recording, making it if need be, and cuts a torn end off.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let open = |name| OpenOptions::new().read(true).write(true).create(true).truncate(false).open(dir.join(name));
        let (segments, mut index) = (open("segments")?, open("index")?);
        let mut text = Vec::new();
        index.read_to_end(&mut text)?;
        let mut state = State::default();
        for (line, end) in index::read(&text, segments.metadata()?.len()) {
            state.index_bytes = end;
            match line {
                Line::Segment(segment) => state.segments.push(segment),
                Line::Init(init) => drop(state.inits.insert(init.init, init)),
            }
        }
        index.set_len(state.index_bytes)?;
        segments.set_len(state.segments.last().map_or(0, Segment::end))?;
        Ok(Self { segments, index, state: RwLock::new(state), deleted: AtomicBool::new(false) })
    }

    pub(super) fn mark_deleted(&self) {
        self.deleted.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Relaxed)
    }

    pub(super) fn state(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a segment was shown.
    pub fn span(&self, msn: u64) -> Option<Span> {
        let state = self.state();
        let at = state.segments.binary_search_by_key(&msn, |segment| segment.msn).ok()?;
        state.segments.get(at).map(Segment::span)
    }

    /// When each segment was shown, oldest first.
    pub fn spans(&self) -> Vec<Span> {
        self.state().segments.iter().map(Segment::span).collect()
    }

    /// What a second took lately; none before the first segment.
    pub(super) fn bytes_a_second(&self) -> Option<u64> {
        let state = self.state();
        let lately = || state.segments.iter().rev().take(LATELY_SEGMENTS);
        let bytes: u64 =
            lately().map(|segment| u64::from(segment.length).saturating_add(u64::from(segment.sound))).sum();
        let ticks: u64 = lately().map(|segment| segment.ticks).sum();
        bytes.saturating_mul(u64::from(Frame::TIMESCALE)).checked_div(ticks)
    }

    /// Whether anything was recorded.
    pub fn is_empty(&self) -> bool {
        self.state().segments.is_empty()
    }

    /// A body and its media type by the name that a playlist gave it; none if it is not here.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn object(&self, name: &str) -> io::Result<Option<(Bytes, &'static str)>> {
        let number =
            |before: &str, after: &str| -> Option<u64> { name.strip_prefix(before)?.strip_suffix(after)?.parse().ok() };
        if let Some(init) = number("i", ".mp4") {
            let configs = self.state().inits.get(&init).and_then(Init::configs);
            return Ok(configs.map(|(video, audio)| (fmp4::init(&video, &audio), "video/mp4")));
        }
        let Some(msn) = number("s", ".m4s") else { return Ok(None) };
        let found = {
            let state = self.state();
            let at = state.segments.binary_search_by_key(&msn, |segment| segment.msn);
            at.ok().and_then(|at| state.segments.get(at).copied())
        };
        let Some(segment) = found else { return Ok(None) };
        Ok(Some((self.body(&segment)?.into(), "video/iso.segment")))
    }

    pub(super) fn body(&self, segment: &Segment) -> io::Result<Vec<u8>> {
        let mut body = vec![0; usize::try_from(segment.length).unwrap_or(0)];
        self.segments.read_exact_at(&mut body, segment.at)?;
        Ok(body)
    }
}
