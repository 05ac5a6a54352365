//! The window itself: segments, parts and rendered playlists, without any waiting.

use super::Rendition;
use crate::media::VideoConfig;
use crate::media::hls::{self, Entry, Playlist, Report, Variant};
use crate::media::packager::{Cut, End, Init, PART_TICKS_MAX, Part, Start, TARGET_DURATION_S};
use crate::media::recording::Finished;
use crate::media::vtt::Span;
use bytes::Bytes;
use std::collections::VecDeque;

/// The playlist of picture and sound.
pub(super) const VIDEO: &str = "video.m3u8";
/// The playlists of lower qualities are named like it, with a number from 2 on.
const LOWER: (&str, &str) = ("video-", ".m3u8");
/// The playlist of the sound alone.
pub(super) const SOUND: &str = "sound.m3u8";
/// The playlist of picture and sound, from where a language's captions are.
const FROM_CAPTIONS: &str = "../../";

const TICKS: u64 = 90_000;

/// How far back the playlist lists: enough for a phone that lost its network in a lift.
const LISTED_TICKS: u64 = 30 * TICKS;

/// Segments stay this long, counted with the listed ones: a viewer may ask for what an older playlist named
/// (RFC 8216, 6.2.2: its length and the playlist's more).
const KEPT_TICKS: u64 = 66 * TICKS;

/// Parts are listed for the newest whole segments and the one that grows: three target durations, beyond which nobody joins
/// (RFC 8216bis, 4.4.4.9).
const WHOLE_IN_PARTS: usize = 2;

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

/// H.264 High at level 4.0 is what a variant names at least: every player takes it, and a speaker who comes later may send it.
const LEVEL_MIN: u8 = 40;
/// A variant's bandwidth before anything was measured.
const BANDWIDTH_MIN_BPS: u64 = 128_000;

/// How far a program has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    /// Number of the segment that grows, or comes next.
    pub next: u64,
    /// Its parts so far.
    pub parts: u64,
    /// Parts of the segment before.
    before: u64,
    begun: bool,
    ended: bool,
}

/// Where something that was asked for stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// It is there, or will never be.
    Decided,
    /// It comes.
    Comes,
    /// Nobody who has read a playlist asks for it.
    TooFarAhead,
}

impl Edge {
    /// Where the playlist stands that lists a part of a segment; `u64::MAX` means all of the segment.
    pub(super) fn listed(&self, msn: u64, part: u64) -> Stands {
        let newest = if self.parts > 0 { self.next } else { self.next.saturating_sub(1) };
        // A part past a segment's last is the next segment's first.
        let (msn, part) = if part != u64::MAX && msn.saturating_add(1) == self.next && part >= self.before {
            (self.next, 0)
        } else {
            (msn, part)
        };
        if self.ended || !self.begun || msn < self.next || (msn == self.next && part < self.parts) {
            Stands::Decided
        } else if msn > newest.saturating_add(2) {
            Stands::TooFarAhead
        } else {
            Stands::Comes
        }
    }

    /// Where a part stands itself: only the one that the playlist hints at is waited for.
    pub(super) fn part(&self, msn: u64, part: u64) -> Stands {
        if !self.ended && self.begun && (msn, part) == (self.next, self.parts) {
            Stands::Comes
        } else {
            Stands::Decided
        }
    }
}

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

/// The texts as they stand; empty before there is anything to list.
#[derive(Debug, Default)]
struct Rendered {
    video: Texts,
    lower: Vec<Texts>,
    sound: Texts,
    captions: Texts,
}

#[derive(Debug, Default)]
struct Texts {
    whole: Bytes,
    delta: Bytes,
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

/// The number in a name, if it is written the one way that we write it.
fn number(digits: &str) -> Option<u64> {
    let number: u64 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

fn between(name: &str, before: &str, after: &str) -> Option<u64> {
    number(name.strip_prefix(before)?.strip_suffix(after)?)
}

/// The lower quality that a playlist's name means.
pub(super) fn lower_playlist(name: &str) -> Option<usize> {
    usize::try_from(between(name, LOWER.0, LOWER.1)?).ok()?.checked_sub(2)
}

fn lower_name(layer: usize) -> String {
    format!("{}{}{}", LOWER.0, layer.saturating_add(2), LOWER.1)
}

/// What the names of a quality's files begin with; nothing for the best.
fn prefix(layer: Option<usize>) -> String {
    layer.map_or_else(String::new, |layer| format!("v{}", layer.saturating_add(2)))
}

/// The lower quality that a file's name begins with, and the rest of it.
fn quality(name: &str) -> Option<(Option<usize>, &str)> {
    let Some(rest) = name.strip_prefix('v') else { return Some((None, name)) };
    let (digits, _) = rest.split_at_checked(rest.find(|at: char| !at.is_ascii_digit())?)?;
    let layer = usize::try_from(number(digits)?).ok()?.checked_sub(2)?;
    Some((Some(layer), rest.strip_prefix(digits)?))
}

/// The segment and part that a part's address names.
pub(super) fn part_number(name: &str) -> Option<(u64, u64)> {
    let (_, name) = quality(name)?;
    let (segment, part) = name.strip_prefix('p')?.strip_suffix(".m4s")?.split_once('.')?;
    Some((number(segment)?, number(part)?))
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

    /// Writes the playlists as they now stand.
    pub(super) fn render(&mut self) {
        let render = |rendition| {
            let entries = self.entries(rendition);
            if entries.is_empty() {
                return Texts::default();
            }
            let playlist = self.playlist_of(rendition, &entries);
            Texts { whole: playlist.render().into(), delta: playlist.render_delta().into() }
        };
        self.rendered = Rendered {
            video: render(Rendition::Video),
            lower: (0..self.lower).map(|layer| render(Rendition::Lower(layer))).collect(),
            sound: render(Rendition::Sound),
            captions: render(Rendition::Captions),
        };
    }

    fn playlist_of<'a>(&self, rendition: Rendition, entries: &'a [Entry]) -> Playlist<'a> {
        let listed = count(self.segments.len() - self.unlisted);
        let parts = self.edge().parts;
        let last = self.next.saturating_sub(1);
        let in_parts = rendition.is_in_parts();
        let own = rendition.layer();
        // What is in parts stands at its newest part, what is not at the newest whole segment.
        let (newest, part) = match parts.checked_sub(1) {
            Some(part) => (self.next, Some(part)),
            None => (last, self.edge().before.checked_sub(1)),
        };
        let from = if rendition == Rendition::Captions { FROM_CAPTIONS } else { "" };
        let pictures = std::iter::once((Rendition::Video, VIDEO.to_owned()))
            .chain((0..self.lower).map(|layer| (Rendition::Lower(layer), lower_name(layer))))
            .filter(|(other, _)| *other != rendition)
            .map(|(_, uri)| Report { uri: format!("{from}{uri}"), msn: newest, part });
        let sound = Report { uri: format!("{from}{SOUND}"), msn: last, part: None };
        let sound = Some(sound).filter(|_| rendition != Rendition::Sound);
        Playlist {
            target_duration_s: TARGET_DURATION_S,
            part_ticks_max: in_parts.then(|| ticks(PART_TICKS_MAX)),
            media_sequence: self.next.saturating_sub(listed),
            discontinuity_sequence: self.discontinuity_sequence,
            entries,
            hint: in_parts
                .then(|| format!("{}p{}.{parts}.m4s", prefix(own.filter(|layer| *layer < self.layers())), self.next)),
            // There is nothing to report of a playlist without a segment.
            reports: if listed > 0 { pictures.chain(sound).collect() } else { Vec::new() },
            recording: false,
            ended: self.ended,
        }
    }

    fn entries(&self, rendition: Rendition) -> Vec<Entry> {
        let listed = || self.segments.iter().skip(self.unlisted);
        let first = self.next.saturating_sub(count(self.segments.len() - self.unlisted));
        let near_from = self.next.saturating_sub(count(WHOLE_IN_PARTS));
        let entry = |(number, segment): (u64, &Segment)| {
            let near = rendition.is_in_parts() && segment.even && number >= near_from;
            let layer = segment.has(rendition.layer());
            Entry {
                name: Some(match rendition {
                    Rendition::Video | Rendition::Lower(_) => format!("{}s{number}.m4s", prefix(layer)),
                    Rendition::Sound => format!("a{number}.m4s"),
                    Rendition::Captions => format!("{number}.vtt"),
                }),
                gap: rendition == Rendition::Sound && segment.sound.is_empty(),
                parts: if near { segment.list_parts(number, layer) } else { Vec::new() },
                ..segment.entry(rendition)
            }
        };
        let mut entries: Vec<Entry> = (first..).zip(listed()).map(entry).collect();
        let grows = self.grows.as_ref().filter(|grows| grows.even && !grows.parts.is_empty());
        if let Some(grows) = grows.filter(|_| rendition.is_in_parts()) {
            let layer = grows.has(rendition.layer());
            entries.push(Entry { parts: grows.list_parts(self.next, layer), ..grows.entry(rendition) });
        }
        entries
    }

    pub(super) fn playlist(&self, rendition: Rendition, delta: bool) -> Option<Bytes> {
        let texts = match rendition {
            Rendition::Video => &self.rendered.video,
            Rendition::Lower(layer) => self.rendered.lower.get(layer)?,
            Rendition::Sound => &self.rendered.sound,
            Rendition::Captions => &self.rendered.captions,
        };
        let text = if delta { &texts.delta } else { &texts.whole };
        (!text.is_empty()).then(|| text.clone())
    }

    /// When a whole segment is shown.
    pub(super) fn span(&self, number: u64) -> Option<Span> {
        let first = self.next.checked_sub(count(self.segments.len()))?;
        let segment = self.segments.get(usize::try_from(number.checked_sub(first)?).ok()?)?;
        Some(Span { date_ms: segment.date_ms, at: segment.at, ticks: segment.ticks })
    }

    /// The playlist of playlists, for a player that comes now.
    pub(super) fn multivariant(&self, captions: &hls::Captions) -> Option<Bytes> {
        let (_, Init { video, lower, .. }) = self.inits.back()?;
        self.playlist(Rendition::Video, false)?;
        let listed = || self.segments.iter().skip(self.unlisted);
        let peak = |bytes: &dyn Fn(&Segment) -> usize| {
            let rate = |segment: &Segment| count(bytes(segment)).saturating_mul(8 * TICKS) / segment.ticks.max(1);
            listed().filter(|segment| segment.ticks >= TICKS / 2).map(rate).max().unwrap_or(0).max(BANDWIDTH_MIN_BPS)
        };
        let picture = |uri: String, video: &VideoConfig, layer: Option<usize>| Variant {
            uri,
            bandwidth_bps: peak(&|segment| segment.body(segment.has(layer)).len()),
            codecs: format!("avc1.6400{:02x},mp4a.40.2", level(video).max(LEVEL_MIN)),
            size: Some((video.width, video.height)),
        };
        let mut variants = vec![picture(VIDEO.to_owned(), video, None)];
        for layer in 0..self.lower {
            let config = lower.get(layer).map_or(video, |(_, config)| config);
            variants.push(picture(lower_name(layer), config, Some(layer)));
        }
        variants.push(Variant {
            uri: SOUND.to_owned(),
            bandwidth_bps: peak(&|segment| segment.sound.len()),
            codecs: "mp4a.40.2".to_owned(),
            size: None,
        });
        Some(hls::multivariant(&variants, captions).into())
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

fn level(video: &VideoConfig) -> u8 {
    video.avcc.get(3).copied().unwrap_or(LEVEL_MIN)
}

/// Makes one body of pieces that then are slices of it.
fn whole<'a>(pieces: impl Iterator<Item = &'a mut Bytes>) -> Bytes {
    let mut pieces: Vec<&mut Bytes> = pieces.collect();
    let body: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
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
    fn entry(&self, rendition: Rendition) -> Entry {
        Entry {
            name: None,
            map: match rendition {
                Rendition::Video | Rendition::Lower(_) => {
                    format!("{}i{}.mp4", prefix(self.has(rendition.layer())), self.init)
                }
                Rendition::Sound => format!("ai{}.mp4", self.init),
                Rendition::Captions => String::new(),
            },
            ticks: self.ticks,
            date_ms: self.date_ms,
            discontinuity: self.discontinuity,
            independent: self.independent || !rendition.is_in_parts(),
            gap: false,
            parts: Vec::new(),
        }
    }

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

    fn list_parts(&self, number: u64, layer: Option<usize>) -> Vec<hls::Part> {
        let part = |(index, piece): (usize, &Piece)| hls::Part {
            name: format!("{}p{number}.{index}.m4s", prefix(layer)),
            ticks: piece.ticks,
            independent: piece.independent,
        };
        self.parts.iter().enumerate().map(part).collect()
    }
}

#[cfg(test)]
mod tests;
