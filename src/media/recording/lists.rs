//! A recording's playlists.

use super::chapters::Stretch;
use super::index::{Init, Segment};
use super::shelf::Shelf;
use crate::media::hls::{self, Captions, Entry, Playlist, Subtitles, Variant};
use crate::media::packager::TARGET_DURATION_S;

/// The least H.264 level that a recording is announced with, as the program is.
const LEVEL_MIN: u8 = 40;

impl Shelf {
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
}
