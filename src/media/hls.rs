//! PURE: the text of playlists (RFC 8216, and its second edition's draft for low latency).

use std::fmt::{self, Write as _};

/// The first channel of captions inside the picture, which is what encoders fill.
const INSIDE: &str = "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"inside\",NAME=\"Captions in the picture\",DEFAULT=NO,\
    AUTOSELECT=YES,INSTREAM-ID=\"CC1\"\n";

/// Ticks a second of every length here.
const TICKS: u64 = 90_000;

/// One segment as the playlist lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative address of the segment; none while it grows, when only its parts are listed.
    pub name: Option<String>,
    /// Relative address of the init segment it needs; empty for text, which needs none.
    pub map: String,
    /// Length in ticks of 1/90,000 s.
    pub ticks: u64,
    /// Wall clock at its first picture, in ms since 1970 UTC.
    pub date_ms: i64,
    /// Whether its timeline or codec does not follow from the segment before.
    pub discontinuity: bool,
    /// Whether it starts with a keyframe.
    pub independent: bool,
    /// Whether there is nothing to fetch for this stretch of time.
    pub gap: bool,
    /// The parts to list: only those near the live edge are.
    pub parts: Vec<Part>,
}

/// A part of a segment as the playlist lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Relative address.
    pub name: String,
    /// Length in ticks of 1/90,000 s.
    pub ticks: u64,
    /// Whether it starts with a keyframe.
    pub independent: bool,
}

/// What a playlist says of the other rendition, so that a player can switch without a request for what it is too late for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Relative address of the other playlist.
    pub uri: String,
    /// Number of its newest segment, which may be growing.
    pub msn: u64,
    /// Number of the newest part of that, where it lists parts.
    pub part: Option<u64>,
}

/// One rendition's media playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playlist<'a> {
    /// Seconds that no segment's rounded length exceeds; the same for the life of the program.
    pub target_duration_s: u64,
    /// Ticks that no part's length exceeds; none where no parts are listed.
    pub part_ticks_max: Option<u64>,
    /// Number of the first segment, whether it is skipped or not.
    pub media_sequence: u64,
    /// Number of discontinuities before the first segment's own.
    pub discontinuity_sequence: u64,
    /// Oldest first.
    pub entries: &'a [Entry],
    /// The address of the part that comes next.
    pub hint: Option<String>,
    /// The other renditions.
    pub reports: Vec<Report>,
    /// Whether it lists everything there ever was: a recording, which grows until it is ended. Nobody waits for its next
    /// segment.
    pub recording: bool,
    /// No more will come.
    pub ended: bool,
}

impl Playlist<'_> {
    /// Writes the whole list.
    pub fn render(&self) -> String {
        self.text(0)
    }

    /// Writes what is new to a player that has the list of a moment ago: old segments are only counted.
    pub fn render_delta(&self) -> String {
        let boundary = self.skip_ticks();
        let mut after = 0_u64;
        let kept = self.entries.iter().rev().take_while(|entry| {
            after = after.saturating_add(entry.ticks);
            after <= boundary || entry.name.is_none()
        });
        self.text(self.entries.len().saturating_sub(kept.count()))
    }

    /// Segments this far from the end may be skipped: six target durations, the least that is allowed.
    fn skip_ticks(&self) -> u64 {
        self.target_duration_s.saturating_mul(6 * TICKS)
    }

    fn text(&self, skipped: usize) -> String {
        let mut text = String::with_capacity(512 + self.entries.len() * 160);
        // Writing to a String cannot fail.
        let _ = self.write(&mut text, skipped);
        text
    }

    fn write(&self, text: &mut String, skipped: usize) -> fmt::Result {
        writeln!(text, "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:{}", self.target_duration_s)?;
        if self.recording {
            writeln!(text, "#EXT-X-PLAYLIST-TYPE:{}", if self.ended { "VOD" } else { "EVENT" })?;
        } else if !self.ended {
            write!(text, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={}", Seconds(self.skip_ticks()))?;
            match self.part_ticks_max {
                Some(ticks) => writeln!(text, ",PART-HOLD-BACK={}", Seconds(ticks.saturating_mul(3)))?,
                None => writeln!(text)?,
            }
        }
        if let Some(ticks) = self.part_ticks_max {
            writeln!(text, "#EXT-X-PART-INF:PART-TARGET={}", Seconds(ticks))?;
        }
        writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{}", self.media_sequence)?;
        writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", self.discontinuity_sequence)?;
        if self.entries.iter().all(|entry| entry.independent) {
            writeln!(text, "#EXT-X-INDEPENDENT-SEGMENTS")?;
        }
        if skipped > 0 {
            writeln!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")?;
        }
        let mut map = None;
        for entry in self.entries.iter().skip(skipped) {
            if entry.discontinuity {
                writeln!(text, "#EXT-X-DISCONTINUITY")?;
            }
            if !entry.map.is_empty() && (entry.discontinuity || map != Some(&entry.map)) {
                writeln!(text, "#EXT-X-MAP:URI=\"{}\"", entry.map)?;
                map = Some(&entry.map);
            }
            writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", date_time(entry.date_ms))?;
            if entry.gap {
                writeln!(text, "#EXT-X-GAP")?;
            }
            for part in &entry.parts {
                write!(text, "#EXT-X-PART:DURATION={},URI=\"{}\"", Seconds(part.ticks), part.name)?;
                writeln!(text, "{}", if part.independent { ",INDEPENDENT=YES" } else { "" })?;
            }
            if let Some(name) = &entry.name {
                writeln!(text, "#EXTINF:{},\n{name}", Seconds(entry.ticks))?;
            }
        }
        if self.ended {
            return writeln!(text, "#EXT-X-ENDLIST");
        }
        if let Some(hint) = &self.hint {
            writeln!(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{hint}\"")?;
        }
        for Report { uri, msn, part } in &self.reports {
            write!(text, "#EXT-X-RENDITION-REPORT:URI=\"{uri}\",LAST-MSN={msn}")?;
            match part {
                Some(part) => writeln!(text, ",LAST-PART={part}")?,
                None => writeln!(text)?,
            }
        }
        Ok(())
    }
}

/// One way to follow the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Relative address of its media playlist.
    pub uri: String,
    /// The most it takes, bits a second.
    pub bandwidth_bps: u64,
    /// As RFC 6381 writes them.
    pub codecs: String,
    /// Width and height of the picture in pixels, if it has one.
    pub size: Option<(u32, u32)>,
}

/// Captions of one language beside the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subtitles {
    /// As BCP 47 writes the language: letters, digits and hyphens.
    pub language: String,
    /// As people call it; no two alike.
    pub name: String,
    /// Relative address of its media playlist.
    pub uri: String,
}

/// What can be read of what is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captions {
    /// Beside the picture.
    pub subtitles: Vec<Subtitles>,
    /// Whether there are captions inside the picture (CEA-608).
    pub inside: bool,
}

/// Writes the playlist of playlists; the first is what a player begins with. What is not there is not denied either: a
/// speaker with captions inside the picture may come later.
pub fn multivariant(variants: &[Variant], captions: &Captions) -> String {
    let mut text = "#EXTM3U\n#EXT-X-VERSION:9\n".to_owned();
    for Subtitles { language, name, uri } in &captions.subtitles {
        let _ = writeln!(
            text,
            "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"captions\",NAME=\"{name}\",LANGUAGE=\"{language}\",DEFAULT=NO,\
             AUTOSELECT=YES,FORCED=NO,CHARACTERISTICS=\"public.accessibility.transcribes-spoken-dialog\",URI=\"{uri}\""
        );
    }
    if captions.inside {
        text.push_str(INSIDE);
    }
    for Variant { uri, bandwidth_bps, codecs, size } in variants {
        let size = size.map_or_else(String::new, |(width, height)| format!(",RESOLUTION={width}x{height}"));
        let beside = if captions.subtitles.is_empty() { "" } else { ",SUBTITLES=\"captions\"" };
        let inside = if captions.inside && !size.is_empty() { ",CLOSED-CAPTIONS=\"inside\"" } else { "" };
        let codecs = format!("CODECS=\"{codecs}\"");
        let _ = writeln!(text, "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth_bps},{codecs}{size}{beside}{inside}\n{uri}");
    }
    text
}

/// Ticks as seconds with five decimals: sums of parts come out as their segment to within what a player notices.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundred_thousandths = (self.0.saturating_mul(10) + 4) / 9;
        write!(f, "{}.{:05}", hundred_thousandths / 100_000, hundred_thousandths % 100_000)
    }
}

/// ISO 8601 in UTC with ms. Days to a date as in Howard Hinnant's `civil_from_days`.
pub fn date_time(ms: i64) -> String {
    let (days, in_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
    let (second, rest) = (in_day / 1_000 % 60, in_day % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date_time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(date_time(951_782_400_123), "2000-02-29T00:00:00.123Z");
        assert_eq!(date_time(1_732_307_309_999), "2024-11-22T20:28:29.999Z");
    }

    fn entry(number: u64, map: &str, discontinuity: bool) -> Entry {
        Entry {
            name: Some(format!("s{number}.m4s")),
            map: map.to_owned(),
            ticks: 92_970,
            date_ms: 0,
            discontinuity,
            independent: number != 6,
            gap: false,
            parts: vec![],
        }
    }

    fn playlist(entries: &[Entry]) -> Playlist<'_> {
        Playlist {
            target_duration_s: 2,
            part_ticks_max: None,
            media_sequence: 5,
            discontinuity_sequence: 3,
            entries,
            hint: None,
            reports: vec![],
            recording: false,
            ended: false,
        }
    }

    #[test]
    fn a_cut_names_its_map_and_its_break() {
        let entries = [entry(5, "i5.mp4", false), entry(6, "i6.mp4", true)];
        assert_eq!(
            Playlist { ended: true, ..playlist(&entries) }.render(),
            "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:5\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:3\n#EXT-X-MAP:URI=\"i5.mp4\"\n\
             #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z\n#EXTINF:1.03300,\ns5.m4s\n#EXT-X-DISCONTINUITY\n\
             #EXT-X-MAP:URI=\"i6.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z\n#EXTINF:1.03300,\ns6.m4s\n\
             #EXT-X-ENDLIST\n"
        );
    }

    #[test]
    fn a_growing_segment_lists_its_parts_and_hints_at_the_next() {
        let part = |name: &str, independent| Part { name: name.to_owned(), ticks: 30_000, independent };
        let mut grows = entry(6, "i5.mp4", false);
        (grows.name, grows.independent) = (None, true);
        grows.parts = vec![part("p6.0.m4s", true), part("p6.1.m4s", false)];
        let entries = [entry(5, "i5.mp4", false), grows];
        let report = Report { uri: "sound.m3u8".to_owned(), msn: 5, part: None };
        let text = Playlist {
            part_ticks_max: Some(31_500),
            hint: Some("p6.2.m4s".to_owned()),
            reports: vec![report],
            ..playlist(&entries)
        }
        .render();
        assert_eq!(
            text,
            "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n\
             #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.00000,PART-HOLD-BACK=1.05000\n\
             #EXT-X-PART-INF:PART-TARGET=0.35000\n#EXT-X-MEDIA-SEQUENCE:5\n#EXT-X-DISCONTINUITY-SEQUENCE:3\n\
             #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"i5.mp4\"\n\
             #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z\n#EXTINF:1.03300,\ns5.m4s\n\
             #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z\n\
             #EXT-X-PART:DURATION=0.33333,URI=\"p6.0.m4s\",INDEPENDENT=YES\n\
             #EXT-X-PART:DURATION=0.33333,URI=\"p6.1.m4s\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"p6.2.m4s\"\n\
             #EXT-X-RENDITION-REPORT:URI=\"sound.m3u8\",LAST-MSN=5\n"
        );
    }

    #[test]
    fn a_recording_lists_everything_and_makes_nobody_wait() {
        let entries = [entry(5, "i5.mp4", false)];
        let grows = Playlist { recording: true, ..playlist(&entries) };
        let text = grows.render();
        assert!(text.contains("#EXT-X-PLAYLIST-TYPE:EVENT\n") && !text.contains("SERVER-CONTROL"), "{text}");
        let text = Playlist { ended: true, ..grows }.render();
        assert!(text.contains("#EXT-X-PLAYLIST-TYPE:VOD\n") && text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
    }

    #[test]
    fn a_delta_counts_what_lies_beyond_its_boundary() {
        let entries: Vec<Entry> = (5..35).map(|number| entry(number, "i5.mp4", number == 7)).collect();
        let (whole, delta) = (playlist(&entries).render(), playlist(&entries).render_delta());
        // Eleven segments of 1.033 s lie within twelve seconds of the end.
        assert!(delta.contains("#EXT-X-MEDIA-SEQUENCE:5\n") && delta.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=19\n"));
        assert_eq!((whole.matches("#EXTINF").count(), delta.matches("#EXTINF").count()), (30, 11));
        assert!(delta.contains("\ns24.m4s\n") && !delta.contains("\ns23.m4s\n"), "{delta}");
        assert!(delta.contains("#EXT-X-MAP:URI=\"i5.mp4\"\n"));
        assert!(!playlist(&entries[..5]).render_delta().contains("#EXT-X-SKIP"), "nothing to skip");
    }

    #[test]
    fn variants_name_what_they_need() {
        let variants = [
            Variant {
                uri: "video.m3u8".to_owned(),
                bandwidth_bps: 3_000_000,
                codecs: "avc1.640028,mp4a.40.2".to_owned(),
                size: Some((1_280, 720)),
            },
            Variant {
                uri: "sound.m3u8".to_owned(),
                bandwidth_bps: 160_000,
                codecs: "mp4a.40.2".to_owned(),
                size: None,
            },
        ];
        assert_eq!(
            multivariant(&variants, &Captions::default()),
            "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-STREAM-INF:BANDWIDTH=3000000,CODECS=\"avc1.640028,mp4a.40.2\",\
             RESOLUTION=1280x720\nvideo.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=160000,CODECS=\"mp4a.40.2\"\nsound.m3u8\n"
        );
        let subtitles = Subtitles { language: "es-US".into(), name: "Español (US)".into(), uri: "c/es.m3u8".into() };
        let text = multivariant(&variants, &Captions { subtitles: vec![subtitles], inside: true });
        assert!(text.contains("NAME=\"Español (US)\",LANGUAGE=\"es-US\",DEFAULT=NO"), "{text}");
        assert!(
            text.contains("RESOLUTION=1280x720,SUBTITLES=\"captions\",CLOSED-CAPTIONS=\"inside\"\nvideo"),
            "{text}"
        );
        assert!(text.contains("CODECS=\"mp4a.40.2\",SUBTITLES=\"captions\"\nsound"), "a sound has no picture: {text}");
    }
}
