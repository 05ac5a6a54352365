//! One program's recording: its files, and what players and hosts fetch from them.

use super::index::{self, Init, Segment};
use super::{Finished, Line, SourceId};
use crate::media::fmp4;
use crate::media::hls::{self, Captions, Entry, Playlist, Subtitles, Variant};
use crate::media::packager::TARGET_DURATION_S;
use crate::media::vtt::Span;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The least H.264 level that a recording is announced with, as the program is.
const LEVEL_MIN: u8 = 40;

/// A part of a recording by the wall clock, in ms since 1970 UTC: from the first up to before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// From the segment that begins here or later.
    pub from_ms: i64,
    /// Up to the segment that begins before.
    pub until_ms: i64,
}

impl Stretch {
    /// All of it.
    pub const ALL: Self = Self { from_ms: i64::MIN, until_ms: i64::MAX };

    fn holds(&self, segment: &Segment) -> bool {
        (self.from_ms..self.until_ms).contains(&segment.date_ms)
    }
}

/// One source's time on program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// Who was on.
    pub source: Option<SourceId>,
    /// Wall clock at its first picture, in ms since 1970 UTC.
    pub from_ms: i64,
    /// Where in the recording it begins, in ms.
    pub at_ms: u64,
    /// How long it lasts, in ms.
    pub length_ms: u64,
    /// The date of its last segment, in ms since 1970 UTC: dates can run a little behind lengths.
    pub last_ms: i64,
}

/// The recording of one program.
#[derive(Debug)]
pub struct Shelf {
    segments: File,
    index: File,
    state: RwLock<State>,
    deleted: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    inits: BTreeMap<u64, Init>,
    /// In the order of their numbers.
    segments: Vec<Segment>,
    /// Bytes of the index's whole lines.
    index_bytes: u64,
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

    fn state(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The playlist of a stretch; none if nothing of it was recorded.
    pub fn playlist(&self, stretch: Stretch, ended: bool) -> Option<String> {
        self.list(stretch, ended, |segment| (format!("s{}.m4s", segment.msn), format!("i{}.mp4", segment.init)))
    }

    /// The playlist of one language's captions, whichever it is; none if nothing was recorded.
    pub fn captions_playlist(&self, ended: bool) -> Option<String> {
        self.list(Stretch::ALL, ended, |segment| (format!("{}.vtt", segment.msn), String::new()))
    }

    /// By the names of segments' bodies and of what they need before.
    fn list(&self, stretch: Stretch, ended: bool, names: impl Fn(&Segment) -> (String, String)) -> Option<String> {
        let state = self.state();
        let listed: Vec<&Segment> = state.segments.iter().filter(|segment| stretch.holds(segment)).collect();
        let first = listed.first()?.msn;
        let mut before: Option<&Segment> = None;
        let mut entries = Vec::with_capacity(listed.len());
        for segment in listed {
            // What was not recorded leaves a jump in time.
            let follows = before.is_none_or(|before| before.msn.saturating_add(1) == segment.msn);
            let (name, map) = names(segment);
            // Text begins anywhere.
            let independent = segment.independent || map.is_empty();
            entries.push(Entry {
                name: Some(name),
                map,
                ticks: segment.ticks,
                date_ms: segment.date_ms,
                discontinuity: before.is_some() && (segment.discontinuity || !follows),
                independent,
                gap: false,
                parts: Vec::new(),
            });
            before = Some(segment);
        }
        let playlist = Playlist {
            target_duration_s: TARGET_DURATION_S,
            part_ticks_max: None,
            media_sequence: first,
            discontinuity_sequence: 0,
            entries: &entries,
            hint: None,
            reports: Vec::new(),
            recording: true,
            ended,
        };
        Some(playlist.render())
    }

    /// The playlist of playlists: the whole recording, with captions; none if nothing was recorded.
    pub fn multivariant(&self, uri: &'static str, subtitles: Vec<Subtitles>) -> Option<String> {
        let state = self.state();
        let configs = || state.inits.values().filter_map(Init::configs).map(|(video, _)| video);
        let size = configs().map(|video| (video.width, video.height)).max()?;
        let level = configs().filter_map(|video| video.avcc.get(3).copied()).max().unwrap_or(LEVEL_MIN).max(LEVEL_MIN);
        let rate = |segment: &Segment| u64::from(segment.length).saturating_mul(8 * 90_000) / segment.ticks.max(45_000);
        let bandwidth_bps = state.segments.iter().map(rate).max()?;
        let codecs = format!("avc1.6400{level:02x},mp4a.40.2");
        let variant = Variant { uri: uri.to_owned(), bandwidth_bps, codecs, size: Some(size) };
        Some(hls::multivariant(&[variant], &Captions { subtitles, inside: false }))
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

    /// Who was on when, oldest first: one after another, without the same twice.
    pub fn chapters(&self) -> Vec<Chapter> {
        let state = self.state();
        let mut chapters: Vec<Chapter> = Vec::new();
        let mut ticks = 0_u64;
        for segment in &state.segments {
            let source = segment.source.map(SourceId);
            if chapters.last().is_none_or(|last| last.source != source) {
                let (from_ms, at_ms) = (segment.date_ms, ticks / 90);
                chapters.push(Chapter { source, from_ms, at_ms, length_ms: 0, last_ms: from_ms });
            }
            ticks = ticks.saturating_add(segment.ticks);
            if let Some(last) = chapters.last_mut() {
                last.last_ms = segment.date_ms;
                last.length_ms = (ticks / 90).saturating_sub(last.at_ms);
            }
        }
        chapters
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

    fn body(&self, segment: &Segment) -> io::Result<Vec<u8>> {
        let mut body = vec![0; usize::try_from(segment.length).unwrap_or(0)];
        self.segments.read_exact_at(&mut body, segment.at)?;
        Ok(body)
    }

    /// A stretch as one MP4 to take home; none if nothing of it was recorded, or if its sources had different formats, which
    /// one MP4 that every program plays can't hold.
    pub fn movie(self: &Arc<Self>, stretch: Stretch) -> Option<Movie> {
        let state = self.state();
        let segments: Vec<Segment> = state.segments.iter().filter(|segment| stretch.holds(segment)).copied().collect();
        let (video, audio) = state.inits.get(&segments.first()?.init).and_then(Init::configs)?;
        let same = |segment: &Segment| state.inits.get(&segment.init).and_then(Init::configs);
        if segments.iter().any(|segment| same(segment).is_none_or(|other| other != (video.clone(), audio.clone()))) {
            return None;
        }
        let head = fmp4::init(&video, &audio);
        Some(Movie {
            shelf: self.clone(),
            head: Some(head),
            rate: audio.sample_rate,
            segments: segments.into_iter(),
            origin: None,
        })
    }
}

/// A recording on its way out as one MP4: the head, then each segment, on a clock that begins with it.
#[derive(Debug)]
pub struct Movie {
    shelf: Arc<Shelf>,
    head: Option<Bytes>,
    /// Of the sound, in Hz.
    rate: u32,
    segments: std::vec::IntoIter<Segment>,
    /// Where on the program's clock it begins, in ticks of 1/90,000 s.
    origin: Option<u64>,
}

impl Iterator for Movie {
    type Item = io::Result<Bytes>;

    /// Reads from disk.
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(head) = self.head.take() {
            return Some(Ok(head));
        }
        let segment = self.segments.next()?;
        Some(self.shelf.body(&segment).map(|mut body| {
            let origin = match self.origin {
                Some(origin) => origin,
                None => fmp4::first_decode_time(&mut body).unwrap_or(0),
            };
            self.origin = Some(origin);
            fmp4::move_back(&mut body, origin, self.rate);
            body.into()
        }))
    }
}

/// A shelf that is written to.
#[derive(Debug)]
pub(super) struct Writing {
    shelf: Arc<Shelf>,
    at: u64,
}

impl Writing {
    pub(super) fn open(shelf: Arc<Shelf>) -> io::Result<Self> {
        let (at, index_bytes) = {
            let state = shelf.state();
            (state.segments.last().map_or(0, Segment::end), state.index_bytes)
        };
        // A write that failed half way is written over.
        shelf.index.set_len(index_bytes)?;
        (&shelf.segments).seek(SeekFrom::Start(at))?;
        (&shelf.index).seek(SeekFrom::Start(index_bytes))?;
        Ok(Self { shelf, at })
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.shelf.deleted.load(Ordering::Relaxed)
    }

    /// Writes the body, then its line, then shows it.
    pub(super) fn add(&mut self, finished: Finished) -> io::Result<()> {
        let length = |bytes: &Bytes| {
            u32::try_from(bytes.len()).map_err(|_| io::Error::other("a segment is larger than any should be"))
        };
        let segment = Segment {
            msn: finished.msn,
            init: finished.init,
            at: self.at,
            length: length(&finished.bytes)?,
            sound: length(&finished.sound)?,
            clock: finished.at,
            ticks: finished.ticks,
            date_ms: finished.date_ms,
            discontinuity: finished.discontinuity,
            independent: finished.independent,
            source: finished.source.map(|source| source.0),
        };
        let init = Init {
            init: finished.init,
            avcc: finished.config.video.avcc.to_vec(),
            width: finished.config.video.width,
            height: finished.config.video.height,
            asc: finished.config.audio.asc.to_vec(),
        };
        let new = !self.shelf.state().inits.contains_key(&init.init);
        let mut file = &self.shelf.segments;
        file.write_all(&finished.bytes)?;
        file.write_all(&finished.sound)?;
        let mut lines = Vec::new();
        if new {
            serde_json::to_writer(&mut lines, &Line::Init(init.clone()))?;
            lines.push(b'\n');
        }
        serde_json::to_writer(&mut lines, &Line::Segment(segment))?;
        lines.push(b'\n');
        (&self.shelf.index).write_all(&lines)?;
        self.at = segment.end();
        let mut state = self.shelf.state.write().unwrap_or_else(PoisonError::into_inner);
        if new {
            state.inits.insert(init.init, init);
        }
        state.index_bytes = state.index_bytes.saturating_add(u64::try_from(lines.len()).unwrap_or(0));
        state.segments.push(segment);
        Ok(())
    }
}
