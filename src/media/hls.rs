//! PURE: the text of a media playlist (RFC 8216).

use std::fmt::Write as _;

/// One segment as the playlist lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative address of the segment.
    pub name: String,
    /// Relative address of the init segment it needs.
    pub map: String,
    /// Length in ms.
    pub duration_ms: u64,
    /// Wall clock at its first picture, in ms since 1970 UTC.
    pub date_ms: i64,
    /// Whether its timeline or codec does not follow from the segment before.
    pub discontinuity: bool,
    /// Whether it starts with a keyframe.
    pub independent: bool,
}

/// One program's media playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playlist<'a> {
    /// Seconds that no segment's rounded length exceeds; the same for the life of the program.
    pub target_duration_s: u64,
    /// Number of the first segment.
    pub media_sequence: u64,
    /// Number of discontinuities before the first segment's own.
    pub discontinuity_sequence: u64,
    /// Oldest first.
    pub entries: &'a [&'a Entry],
    /// No more will come.
    pub ended: bool,
}

impl Playlist<'_> {
    /// Writes it out.
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(256 + self.entries.len() * 120);
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}", self.target_duration_s)?;
        writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{}", self.media_sequence)?;
        writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", self.discontinuity_sequence)?;
        if self.entries.iter().all(|entry| entry.independent) {
            writeln!(text, "#EXT-X-INDEPENDENT-SEGMENTS")?;
        }
        let mut map = None;
        for entry in self.entries {
            if entry.discontinuity {
                writeln!(text, "#EXT-X-DISCONTINUITY")?;
            }
            if entry.discontinuity || map != Some(&entry.map) {
                writeln!(text, "#EXT-X-MAP:URI=\"{}\"", entry.map)?;
                map = Some(&entry.map);
            }
            writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", date_time(entry.date_ms))?;
            writeln!(text, "#EXTINF:{}.{:03},\n{}", entry.duration_ms / 1_000, entry.duration_ms % 1_000, entry.name)?;
        }
        if self.ended {
            writeln!(text, "#EXT-X-ENDLIST")?;
        }
        Ok(())
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

    #[test]
    fn a_cut_names_its_map_and_its_break() {
        let entry = |number: u64, map: &str, discontinuity| Entry {
            name: format!("s{number}.m4s"),
            map: map.to_owned(),
            duration_ms: 1_033,
            date_ms: 0,
            discontinuity,
            independent: number != 6,
        };
        let (a, b) = (entry(5, "i5.mp4", false), entry(6, "i6.mp4", true));
        let playlist = Playlist {
            target_duration_s: 2,
            media_sequence: 5,
            discontinuity_sequence: 3,
            entries: &[&a, &b],
            ended: true,
        };
        assert_eq!(
            playlist.render(),
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:5\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:3\n#EXT-X-MAP:URI=\"i5.mp4\"\n\
             #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z\n#EXTINF:1.033,\ns5.m4s\n#EXT-X-DISCONTINUITY\n\
             #EXT-X-MAP:URI=\"i6.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z\n#EXTINF:1.033,\ns6.m4s\n\
             #EXT-X-ENDLIST\n"
        );
    }
}
