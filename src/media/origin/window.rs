//! The window itself: segments, parts and rendered playlists, without any waiting.

mod edge;
mod lists;
mod names;

use crate::media::packager::{Cut, End, Init, PART_TICKS_MAX, Part, Start};
use crate::media::recording::Finished;
use crate::media::vtt::Span;
use bytes::Bytes;
use lists::Rendered;
use names::{between, quality};
use std::collections::VecDeque;

pub use edge::Edge;
pub(super) use edge::Stands;
pub(super) use names::{SOUND, VIDEO, lower_playlist, part_number};

const TICKS: u64 = 90_000;

/// How far back the playlist lists: enough for a phone that lost its network in a lift.
const LISTED_TICKS: u64 = 30 * TICKS;

/// Segments stay this long, counted with the listed ones: a viewer may ask for what an older playlist named
/// (RFC 8216, 6.2.2: its length and the playlist's more).
const KEPT_TICKS: u64 = 66 * TICKS;

/// Whatever the bitrate: 66 s at 20 Mbit/s are 165 MB.
const KEPT_BYTES_MAX: usize = 168 << 20;

/// Whatever their length: frames without duration give segments without duration.
const KEPT_SEGMENTS_MAX: usize = 240;

/// A player needs some to start with, whatever the bytes.
const LISTED_SEGMENTS_MIN: usize = 4;

/// Sequence numbers count half seconds since 2024: more than segments can come, so a restarted server is always ahead of
/// where it was, a player that stays open goes on, and no address ever names two contents.
const SEQUENCE_EPOCH_MS: i64 = 1_704_067_200_000;
const SEQUENCE_STEP_MS: i64 = 500;

/// Discontinuities are counted from the time of the start too, in steps that tell one start of the server from the next. But
/// the count stays small: hls.js keeps a list with a place for every number up to it and walks through it at each segment,
/// and with a number in the millions that takes a browser's whole time.
const DISCONTINUITY_STEP_MS: i64 = 2_000;
const DISCONTINUITY_STARTS: u64 = 16_384;

#[derive(Debug)]
pub(super) struct Window {
    next: u64,
    segments: VecDeque<Segment>,
    grows: Option<Segment>,
    /// How many of the oldest kept segments are no longer listed.
    unlisted: usize,
    bytes: usize,
    inits: VecDeque<(u64, Init)>,
    discontinuity_sequence: u64,
    /// Lower qualities that are announced: as many as any source has sent. A player reads the playlist of playlists once, and
    /// who sends them may be on again.
    lower: usize,
    ended: bool,
    rendered: Rendered,
}

#[derive(Debug)]
struct Segment {
    init: u64,
    /// How many lower qualities it has.
    layers: usize,
    date_ms: i64,
    /// Where it begins on the program's clock.
    at: u64,
    discontinuity: bool,
    independent: bool,
    ticks: u64,
    /// Whether every part is as short as the playlist says: otherwise only the whole segment is listed.
    even: bool,
    parts: Vec<Piece>,
    bytes: Bytes,
    lower: Vec<Bytes>,
    sound: Bytes,
}

#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    lower: Vec<Bytes>,
    ticks: u64,
    independent: bool,
}

fn ticks(ticks: i64) -> u64 {
    u64::try_from(ticks).unwrap_or(0)
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

impl Window {
    pub(super) fn new(now_ms: i64) -> Self {
        Self {
            next: u64::try_from((now_ms - SEQUENCE_EPOCH_MS) / SEQUENCE_STEP_MS).unwrap_or(0),
            segments: VecDeque::new(),
            grows: None,
            unlisted: 0,
            bytes: 0,
            inits: VecDeque::new(),
            discontinuity_sequence: u64::try_from(now_ms / DISCONTINUITY_STEP_MS).unwrap_or(0) % DISCONTINUITY_STARTS,
            lower: 0,
            ended: false,
            rendered: Rendered::default(),
        }
    }

    pub(super) fn edge(&self) -> Edge {
        let parts = |segment: Option<&Segment>| segment.map_or(0, |segment| count(segment.parts.len()));
        Edge {
            next: self.next,
            parts: parts(self.grows.as_ref()),
            before: parts(self.segments.back()),
            begun: self.grows.is_some() || !self.segments.is_empty(),
            ended: self.ended,
        }
    }

    pub(super) fn push(&mut self, cut: Cut) -> Option<Finished> {
        match cut {
            Cut::Start(Start { init, date_ms, at, discontinuity, independent }) => {
                if let Some(init) = init {
                    self.lower = self.lower.max(init.lower.len());
                    self.inits.push_back((self.next, init));
                }
                self.grows = Some(Segment {
                    init: self.inits.back().map_or(self.next, |(number, _)| *number),
                    layers: self.layers(),
                    date_ms,
                    at: ticks(at),
                    discontinuity,
                    independent,
                    ticks: 0,
                    even: true,
                    parts: Vec::new(),
                    bytes: Bytes::new(),
                    lower: Vec::new(),
                    sound: Bytes::new(),
                });
            }
            Cut::Part(Part { bytes, ticks: length, independent, lower }) => {
                let segment = self.grows.as_mut()?;
                segment.ticks = segment.ticks.saturating_add(ticks(length));
                segment.even &= length <= PART_TICKS_MAX;
                segment.parts.push(Piece { bytes, lower, ticks: ticks(length), independent });
            }
            Cut::End(End { sound, ticks: length }) => {
                let segment = self.grows.take()?;
                return self.keep(Segment { sound, ticks: ticks(length), ..segment });
            }
        }
        None
    }

    /// Takes a whole segment in: its parts become pieces of one body.
    fn keep(&mut self, mut segment: Segment) -> Option<Finished> {
        let msn = self.next;
        self.next += 1;
        segment.bytes = whole(segment.parts.iter_mut().map(|piece| &mut piece.bytes));
        segment.lower = (0..segment.layers)
            .map(|layer| whole(segment.parts.iter_mut().filter_map(|piece| piece.lower.get_mut(layer))))
            .collect();
        self.bytes += segment.weight();
        let config = self.inits.iter().find(|(number, _)| *number == segment.init).map(|(_, init)| init.clone());
        let finished = config.map(|config| Finished {
            msn,
            init: segment.init,
            config,
            source: None,
            date_ms: segment.date_ms,
            at: segment.at,
            ticks: segment.ticks,
            discontinuity: segment.discontinuity,
            independent: segment.independent,
            bytes: segment.bytes.clone(),
            sound: segment.sound.clone(),
        });
        self.segments.push_back(segment);
        self.trim();
        finished
    }

    /// How many lower qualities whoever is on sends.
    fn layers(&self) -> usize {
        self.inits.back().map_or(0, |(_, init)| init.lower.len())
    }

    fn trim(&mut self) {
        let mut kept: u64 = self.segments.iter().map(|segment| segment.ticks).sum();
        let mut listed_ticks: u64 = self.segments.iter().skip(self.unlisted).map(|segment| segment.ticks).sum();
        while let Some(oldest) = self.segments.get(self.unlisted) {
            let listed = self.segments.len() - self.unlisted;
            // Heavy segments leave the list while they can still be kept for those who hold an older list.
            let heavy = self.bytes > KEPT_BYTES_MAX && self.unlisted == 0 && listed > LISTED_SEGMENTS_MIN;
            if listed_ticks <= LISTED_TICKS && listed <= KEPT_SEGMENTS_MAX / 2 && !heavy {
                break;
            }
            listed_ticks = listed_ticks.saturating_sub(oldest.ticks);
            self.discontinuity_sequence += u64::from(oldest.discontinuity);
            self.unlisted += 1;
        }
        while self.unlisted > 0
            && (kept > KEPT_TICKS || self.bytes > KEPT_BYTES_MAX || self.segments.len() > KEPT_SEGMENTS_MAX)
        {
            let Some(oldest) = self.segments.pop_front() else { break };
            kept = kept.saturating_sub(oldest.ticks);
            self.bytes = self.bytes.saturating_sub(oldest.weight());
            self.unlisted -= 1;
        }
        let needed = self.segments.front().map_or(0, |oldest| oldest.init);
        while self.inits.front().is_some_and(|(number, _)| *number < needed) {
            self.inits.pop_front();
        }
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
        self.render();
    }

    /// When a whole segment is shown.
    pub(super) fn span(&self, number: u64) -> Option<Span> {
        let first = self.next.checked_sub(count(self.segments.len()))?;
        let segment = self.segments.get(usize::try_from(number.checked_sub(first)?).ok()?)?;
        Some(Span { date_ms: segment.date_ms, at: segment.at, ticks: segment.ticks })
    }

    /// A body and its media type by the name that a playlist gave it.
    pub(super) fn object(&self, name: &str) -> Option<(Bytes, &'static str)> {
        let segment = |number: u64| {
            let first = self.next.checked_sub(count(self.segments.len()))?;
            self.segments.get(usize::try_from(number.checked_sub(first)?).ok()?)
        };
        let init = |number: u64| self.inits.iter().find(|(init, _)| *init == number).map(|(_, init)| init);
        // Who asks for a quality by a hint, before it is known whether the next source sends it, gets the best.
        let (layer, plain) = quality(name).filter(|(layer, _)| layer.is_none_or(|layer| layer < self.lower))?;
        if let Some((number, part)) = part_number(plain) {
            let segment = if number == self.next { self.grows.as_ref()? } else { segment(number)? };
            let piece = segment.parts.get(usize::try_from(part).ok()?)?;
            let bytes = layer.and_then(|layer| piece.lower.get(layer)).unwrap_or(&piece.bytes);
            return Some((bytes.clone(), "video/iso.segment"));
        }
        if let Some(number) = between(plain, "s", ".m4s") {
            return Some((segment(number)?.body(layer).clone(), "video/iso.segment"));
        }
        if let Some(number) = between(plain, "i", ".mp4") {
            let init = init(number)?;
            let bytes = layer.and_then(|layer| init.lower.get(layer)).map_or(&init.program, |(bytes, _)| bytes);
            return Some((bytes.clone(), "video/mp4"));
        }
        if let Some(number) = between(name, "a", ".m4s") {
            let sound = &segment(number)?.sound;
            return (!sound.is_empty()).then(|| (sound.clone(), "audio/mp4"));
        }
        Some((init(between(name, "ai", ".mp4")?)?.sound.clone(), "audio/mp4"))
    }
}

/// Makes one body of pieces that then are slices of it.
fn whole<'a>(pieces: impl Iterator<Item = &'a mut Bytes>) -> Bytes {
    let mut pieces: Vec<&mut Bytes> = pieces.collect();
    let mut body = Vec::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
    pieces.iter().for_each(|piece| body.extend_from_slice(piece));
    let body = Bytes::from(body);
    let mut at = 0;
    for piece in &mut pieces {
        let end = at + piece.len();
        **piece = body.slice(at..end);
        at = end;
    }
    body
}

impl Segment {
    /// The quality that is meant, if this segment has it: otherwise the best stands in its place.
    fn has(&self, layer: Option<usize>) -> Option<usize> {
        layer.filter(|layer| *layer < self.layers)
    }

    fn body(&self, layer: Option<usize>) -> &Bytes {
        layer.and_then(|layer| self.lower.get(layer)).unwrap_or(&self.bytes)
    }

    /// Bytes of all that is kept of it.
    fn weight(&self) -> usize {
        self.bytes.len() + self.sound.len() + self.lower.iter().map(Bytes::len).sum::<usize>()
    }
}

#[cfg(test)]
mod tests;
