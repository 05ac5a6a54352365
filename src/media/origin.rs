//! What viewers fetch: the last segments of one program, and its playlist, rendered once a change and shared.

use super::Object;
use super::hls::{Entry, Playlist};
use super::packager::{Segment, TARGET_DURATION_S};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};

/// How far back the playlist lists: enough for a phone that lost its network in a lift.
const LISTED_MS: u64 = 30_000;

/// Segments stay this long, counted with the listed ones: a viewer may ask for what an older playlist named
/// (RFC 8216, 6.2.2: its length and the playlist's more).
const KEPT_MS: u64 = 66_000;

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

/// A segment's address is never used twice.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// One program's window.
#[derive(Debug)]
pub struct Origin {
    window: RwLock<Window>,
}

#[derive(Debug)]
struct Window {
    next: u64,
    segments: VecDeque<Kept>,
    /// How many of the oldest kept segments are no longer listed.
    unlisted: usize,
    bytes: usize,
    inits: VecDeque<(u64, Bytes)>,
    discontinuity_sequence: u64,
    ended: bool,
    playlist: Option<Bytes>,
}

#[derive(Debug)]
struct Kept {
    entry: Entry,
    init: u64,
    bytes: Bytes,
}

impl Origin {
    /// An empty window; `now_ms` is the wall clock in ms since 1970 UTC, from which numbers start.
    pub fn new(now_ms: i64) -> Self {
        let next = u64::try_from((now_ms - SEQUENCE_EPOCH_MS) / SEQUENCE_STEP_MS).unwrap_or(0);
        let discontinuity_sequence = u64::try_from(now_ms / DISCONTINUITY_STEP_MS).unwrap_or(0) % DISCONTINUITY_STARTS;
        let window = Window {
            next,
            segments: VecDeque::new(),
            unlisted: 0,
            bytes: 0,
            inits: VecDeque::new(),
            discontinuity_sequence,
            ended: false,
            playlist: None,
        };
        Self { window: RwLock::new(window) }
    }

    /// Adds finished segments.
    pub fn push(&self, segments: Vec<Segment>) {
        if segments.is_empty() {
            return;
        }
        let mut window = self.window.write().unwrap_or_else(PoisonError::into_inner);
        for segment in segments {
            window.push(segment);
        }
        window.render();
    }

    /// Says that no more will come.
    pub fn end(&self) {
        let mut window = self.window.write().unwrap_or_else(PoisonError::into_inner);
        window.ended = true;
        window.render();
    }

    /// The playlist as it stands; none before the first segment.
    pub fn playlist(&self) -> Option<Bytes> {
        self.window.read().unwrap_or_else(PoisonError::into_inner).playlist.clone()
    }

    /// A segment or init segment by the name that the playlist gave it.
    pub fn object(&self, name: &str) -> Option<Object> {
        let window = self.window.read().unwrap_or_else(PoisonError::into_inner);
        let (bytes, content_type) = if let Some(number) = number(name, "s", ".m4s") {
            let first = window.next.checked_sub(u64::try_from(window.segments.len()).ok()?)?;
            let index = usize::try_from(number.checked_sub(first)?).ok()?;
            (window.segments.get(index)?.bytes.clone(), "video/iso.segment")
        } else {
            let number = number(name, "i", ".mp4")?;
            (window.inits.iter().find(|(init, _)| *init == number)?.1.clone(), "video/mp4")
        };
        Some(Object { bytes, content_type, cache_control: IMMUTABLE })
    }
}

/// The number in a name, if it is written the one way that we write it.
fn number(name: &str, before: &str, after: &str) -> Option<u64> {
    let digits = name.strip_prefix(before)?.strip_suffix(after)?;
    let number = digits.parse().ok()?;
    (format!("{number}") == digits).then_some(number)
}

impl Window {
    fn push(&mut self, segment: Segment) {
        let number = self.next;
        self.next += 1;
        if let Some(init) = segment.init {
            self.inits.push_back((number, init));
        }
        let init = self.inits.back().map_or(number, |(number, _)| *number);
        let entry = Entry {
            name: format!("s{number}.m4s"),
            map: format!("i{init}.mp4"),
            duration_ms: segment.duration_ms,
            date_ms: segment.date_ms,
            discontinuity: segment.discontinuity,
            independent: segment.independent,
        };
        self.bytes += segment.bytes.len();
        self.segments.push_back(Kept { entry, init, bytes: segment.bytes });
        self.trim();
    }

    fn trim(&mut self) {
        let length = |kept: &Kept| kept.entry.duration_ms;
        let mut kept_ms: u64 = self.segments.iter().map(length).sum();
        let mut listed_ms: u64 = self.segments.iter().skip(self.unlisted).map(length).sum();
        while let Some(oldest) = self.segments.get(self.unlisted) {
            let listed = self.segments.len() - self.unlisted;
            // Heavy segments leave the list while they can still be kept for those who hold an older list.
            let heavy = self.bytes > KEPT_BYTES_MAX && self.unlisted == 0 && listed > LISTED_SEGMENTS_MIN;
            if listed_ms <= LISTED_MS && listed <= KEPT_SEGMENTS_MAX / 2 && !heavy {
                break;
            }
            listed_ms = listed_ms.saturating_sub(oldest.entry.duration_ms);
            self.discontinuity_sequence += u64::from(oldest.entry.discontinuity);
            self.unlisted += 1;
        }
        while self.unlisted > 0
            && (kept_ms > KEPT_MS || self.bytes > KEPT_BYTES_MAX || self.segments.len() > KEPT_SEGMENTS_MAX)
        {
            let Some(oldest) = self.segments.pop_front() else { break };
            kept_ms = kept_ms.saturating_sub(oldest.entry.duration_ms);
            self.bytes = self.bytes.saturating_sub(oldest.bytes.len());
            self.unlisted -= 1;
        }
        let needed = self.segments.front().map_or(0, |oldest| oldest.init);
        while self.inits.front().is_some_and(|(number, _)| *number < needed) {
            self.inits.pop_front();
        }
    }

    fn render(&mut self) {
        let entries: Vec<&Entry> = self.segments.iter().skip(self.unlisted).map(|kept| &kept.entry).collect();
        if entries.is_empty() {
            return;
        }
        let playlist = Playlist {
            target_duration_s: TARGET_DURATION_S,
            media_sequence: self.next.saturating_sub(u64::try_from(entries.len()).unwrap_or(0)),
            discontinuity_sequence: self.discontinuity_sequence,
            entries: &entries,
            ended: self.ended,
        };
        self.playlist = Some(Bytes::from(playlist.render()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn segment(number: u64) -> Segment {
        Segment {
            init: number.is_multiple_of(10).then(|| Bytes::from(number.to_string())),
            bytes: Bytes::from(vec![0; 1_000]),
            duration_ms: 1_000,
            date_ms: NOW_MS,
            discontinuity: number.is_multiple_of(10) && number > 0,
            independent: true,
        }
    }

    #[test]
    fn the_window_slides_and_counts_what_it_dropped() {
        let origin = Origin::new(NOW_MS);
        assert_eq!(origin.playlist(), None);
        let first = u64::try_from((NOW_MS - SEQUENCE_EPOCH_MS) / SEQUENCE_STEP_MS).unwrap();
        let discontinuities = u64::try_from(NOW_MS / DISCONTINUITY_STEP_MS).unwrap() % DISCONTINUITY_STARTS;
        for number in 0..200 {
            origin.push(vec![segment(number)]);
            let text = String::from_utf8(origin.playlist().unwrap().to_vec()).unwrap();
            let listed = u64::try_from(text.matches("#EXTINF").count()).unwrap();
            assert_eq!(listed, (number + 1).min(30));
            let oldest = number + 1 - listed;
            assert!(text.contains(&format!("#EXT-X-MEDIA-SEQUENCE:{}\n", first + oldest)));
            let gone = u64::try_from((1..oldest).filter(|gone| gone % 10 == 0).count()).unwrap();
            assert!(text.contains(&format!("#EXT-X-DISCONTINUITY-SEQUENCE:{}\n", discontinuities + gone)), "{text}");
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                assert!(origin.object(line).is_some(), "{line}");
            }
            for map in text.lines().filter_map(|line| line.strip_prefix("#EXT-X-MAP:URI=\"")) {
                assert!(origin.object(map.trim_end_matches('"')).is_some(), "{map}");
            }
        }
        assert!(origin.object(&format!("s{}.m4s", first + 199 - 60)).is_some(), "an older playlist's segment is kept");
        assert!(origin.object(&format!("s{}.m4s", first + 199 - 70)).is_none());
        assert!(origin.object(&format!("s0{}.m4s", first + 199)).is_none(), "one address, one content");
        let window = origin.window.read().unwrap();
        assert!(window.inits.len() <= 8 && window.bytes <= 66_000);
    }

    #[test]
    fn bytes_are_capped_whatever_the_bitrate() {
        let origin = Origin::new(NOW_MS);
        let heavy = Bytes::from(vec![0; 16 << 20]);
        for number in 0..40 {
            origin.push(vec![Segment { bytes: heavy.clone(), ..segment(number) }]);
        }
        assert!(origin.window.read().unwrap().bytes <= KEPT_BYTES_MAX);
    }

    #[test]
    fn a_restart_goes_on_above() {
        let (before, after) = (Origin::new(NOW_MS), Origin::new(NOW_MS + 60_000));
        for number in 0..60 {
            before.push(vec![segment(number)]);
        }
        assert!(after.window.read().unwrap().next > before.window.read().unwrap().next);
    }
}
