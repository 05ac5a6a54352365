//! The window's playlists, written once for all who ask.

use super::names::{FROM_CAPTIONS, SOUND, VIDEO, lower_name, prefix};
use super::{Piece, Segment, TICKS, Window, count, ticks};
use crate::media::VideoConfig;
use crate::media::hls::{self, Entry, Playlist, Report, Variant};
use crate::media::origin::Rendition;
use crate::media::packager::{Init, PART_TICKS_MAX, TARGET_DURATION_S};
use bytes::Bytes;

/// Parts are listed for the newest whole segments and the one that grows: three target durations, beyond which nobody joins
/// (RFC 8216bis, 4.4.4.9).
const WHOLE_IN_PARTS: usize = 2;

/// H.264 High at level 4.0 is what a variant names at least: every player takes it, and a speaker who comes later may send it.
const LEVEL_MIN: u8 = 40;
/// A variant's bandwidth before anything was measured.
const BANDWIDTH_MIN_BPS: u64 = 128_000;

/// The texts as they stand; empty before there is anything to list.
#[derive(Debug, Default)]
pub(super) struct Rendered {
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

impl Window {
    /// Writes the playlists as they now stand.
    pub(in crate::media::origin) fn render(&mut self) {
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

    pub(in crate::media::origin) fn playlist(&self, rendition: Rendition, delta: bool) -> Option<Bytes> {
        let texts = match rendition {
            Rendition::Video => &self.rendered.video,
            Rendition::Lower(layer) => self.rendered.lower.get(layer)?,
            Rendition::Sound => &self.rendered.sound,
            Rendition::Captions => &self.rendered.captions,
        };
        let text = if delta { &texts.delta } else { &texts.whole };
        (!text.is_empty()).then(|| text.clone())
    }

    /// The playlist of playlists, for a player that comes now.
    pub(in crate::media::origin) fn multivariant(&self, captions: &hls::Captions) -> Option<Bytes> {
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

    fn list_parts(&self, number: u64, layer: Option<usize>) -> Vec<hls::Part> {
        let part = |(index, piece): (usize, &Piece)| hls::Part {
            name: format!("{}p{number}.{index}.m4s", prefix(layer)),
            ticks: piece.ticks,
            independent: piece.independent,
        };
        self.parts.iter().enumerate().map(part).collect()
    }
}

fn level(video: &VideoConfig) -> u8 {
    video.avcc.get(3).copied().unwrap_or(LEVEL_MIN)
}
