//! PURE: what was said as WebVTT: which words stand on the picture when, cut to a program's segments.
//!
//! A caption comes some seconds after the words and says nothing of its own end. So it stands from when it came for as long
//! as it takes to read, or until the next one comes; what stood before moves up a row. A cue is cut where its segment ends,
//! and goes on in the next one's file: what comes later may end it, and a file that was fetched never changes.

use std::fmt::Write as _;

/// Readers of captions take in about 17 characters a second.
const READ_MS_PER_CHAR: i64 = 60;
/// Whatever is shorter can't be found and read.
const READ_MS_MIN: i64 = 2_500;
/// Words that stand longer than this belong to what is over.
const READ_MS_MAX: i64 = 8_000;
/// A character of the scripts from here on (Chinese, Japanese, Korean) says as much as three letters.
const WIDE_FROM: char = '\u{2e80}';
/// A row of captions: what is longer fills the picture's width twice, and leaves no room for the row before.
const ROW_CHARS_MAX: usize = 64;

/// What each segment's file begins with.
const HEAD: &str = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:1,LOCAL:00:00:00.000\n";

/// How far before an instant to look for what may still stand then: the row before the last, too.
pub const LOOK_BACK_MS: i64 = 2 * READ_MS_MAX;

/// One caption, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said<'a> {
    /// When it came, in ms since 1970 UTC.
    pub at_ms: i64,
    /// Plain text, rows ended by line feeds; empty to clear the picture.
    pub text: &'a str,
}

/// What stands on the picture for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cue {
    /// From when, in ms since 1970 UTC.
    pub from_ms: i64,
    /// Until when, in ms since 1970 UTC.
    pub until_ms: i64,
    /// Plain text, rows ended by line feeds, none of them empty.
    pub text: String,
}

/// When a segment is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Wall clock at its first picture, in ms since 1970 UTC.
    pub date_ms: i64,
    /// Where it begins on the program's clock, in ticks of 1/90,000 s.
    pub at: u64,
    /// Length in ticks of 1/90,000 s.
    pub ticks: u64,
}

impl Span {
    /// Where it ends by the wall clock, in ms since 1970 UTC.
    pub fn until_ms(&self) -> i64 {
        self.date_ms.saturating_add(ms(self.ticks))
    }
}

fn ms(ticks: u64) -> i64 {
    i64::try_from(ticks / 90).unwrap_or(i64::MAX)
}

/// How long a caption takes to read, in ms.
pub fn reading_ms(text: &str) -> i64 {
    let letters: usize = text.chars().map(|c| if c >= WIDE_FROM { 3 } else { 1 }).sum();
    let read = i64::try_from(letters).unwrap_or(i64::MAX).saturating_mul(READ_MS_PER_CHAR);
    read.clamp(READ_MS_MIN, READ_MS_MAX)
}

/// What stands on the picture when, by what was said in one language, oldest first.
pub fn cues<'a>(said: impl IntoIterator<Item = Said<'a>>) -> Vec<Cue> {
    let said: Vec<Said<'a>> = said.into_iter().collect();
    let mut cues: Vec<Cue> = Vec::new();
    // The last row that was said, and until when it stands.
    let mut before: Option<(&str, i64)> = None;
    for (at, Said { at_ms: from_ms, text }) in said.iter().enumerate() {
        let rows: Vec<&str> = text.lines().map(str::trim).filter(|row| !row.is_empty()).collect();
        let Some(last) = rows.last() else {
            before = None;
            continue;
        };
        let read_ms = from_ms.saturating_add(reading_ms(text));
        let next_ms = said.get(at.saturating_add(1)).map_or(i64::MAX, |next| next.at_ms);
        let is_row = |row: &str| row.chars().count() <= ROW_CHARS_MAX;
        let above =
            before.filter(|(row, until_ms)| until_ms >= from_ms && rows.len() == 1 && is_row(row) && is_row(last));
        let text = above.map(|(row, _)| row).into_iter().chain(rows.iter().copied()).collect::<Vec<_>>().join("\n");
        before = Some((last, read_ms));
        let until_ms = read_ms.min(next_ms);
        if until_ms > *from_ms {
            cues.push(Cue { from_ms: *from_ms, until_ms, text });
        }
    }
    cues
}

/// The file of one segment: the cues that stand while it is shown, at their times on the program's clock.
///
/// Times count from where the clock begins, and the map says just that; one tick more, because hls.js takes a map of nothing
/// to nothing for none, and then places cues wrongly that it has before the picture of their discontinuity. So the map is the same before and after each
/// discontinuity, as the clock goes on through them; where it begins anew with a server, so do the segments' own times.
pub fn segment(span: &Span, cues: &[Cue]) -> String {
    let mut text = HEAD.to_owned();
    let clock_ms = ms(span.at);
    for cue in cues {
        let (from_ms, until_ms) = (cue.from_ms.max(span.date_ms), cue.until_ms.min(span.until_ms()));
        if until_ms > from_ms {
            let on_clock = |at_ms: i64| clock_ms.saturating_add(at_ms.saturating_sub(span.date_ms));
            write_cue(&mut text, on_clock(from_ms), on_clock(until_ms), &cue.text);
        }
    }
    text
}

/// A whole file of cues whose times count from the start of what they belong to, in ms.
pub fn whole(cues: &[Cue]) -> String {
    let mut text = "WEBVTT\n".to_owned();
    cues.iter().for_each(|cue| write_cue(&mut text, cue.from_ms, cue.until_ms, &cue.text));
    text
}

fn write_cue(out: &mut String, from_ms: i64, until_ms: i64, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "\n{} --> {}\n{}", time(from_ms), time(until_ms), escape(text));
}

/// `01:02:03.456`.
fn time(ms: i64) -> String {
    let ms = ms.max(0);
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60, ms % 1_000)
}

/// Text that is no markup, and no arrow between times.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(list: &[(i64, &'static str)]) -> Vec<Cue> {
        cues(list.iter().map(|(at_ms, text)| Said { at_ms: *at_ms, text }))
    }

    fn cue(from_ms: i64, until_ms: i64, text: &str) -> Cue {
        Cue { from_ms, until_ms, text: text.into() }
    }

    #[test]
    fn a_caption_stands_as_long_as_it_takes_to_read() {
        assert_eq!(said(&[(1_000, "Good evening.")]), [cue(1_000, 3_500, "Good evening.")]);
        assert_eq!((reading_ms(""), reading_ms(&"a".repeat(100)), reading_ms(&"a".repeat(900))), (2_500, 6_000, 8_000));
        assert_eq!(reading_ms(&"語".repeat(20)), 3_600);
    }

    #[test]
    fn the_next_one_moves_it_up_a_row_and_the_one_after_that_away() {
        let got = said(&[(0, "one"), (1_000, "two"), (2_000, "three"), (9_000, "four")]);
        let want = [
            cue(0, 1_000, "one"),
            cue(1_000, 2_000, "one\ntwo"),
            cue(2_000, 4_500, "two\nthree"),
            cue(9_000, 11_500, "four"),
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn what_fills_the_picture_stands_alone_and_an_empty_one_clears_it() {
        let long = "a".repeat(ROW_CHARS_MAX + 1);
        let list = [Said { at_ms: 0, text: "one" }, Said { at_ms: 500, text: &long }];
        assert_eq!(cues(list)[1].text, long);
        assert_eq!(said(&[(0, "one"), (500, " a \r\n\n b ")])[1].text, "a\nb");
        let cleared = said(&[(0, "one"), (500, " \n"), (700, "two")]);
        assert_eq!(cleared, [cue(0, 500, "one"), cue(700, 3_200, "two")]);
    }

    #[test]
    fn a_cue_is_cut_where_its_segment_ends_and_goes_on_in_the_next() {
        let cues = said(&[(11_500, "a < b --> c & d")]);
        let first = Span { date_ms: 10_000, at: 900_000, ticks: 180_000 };
        assert_eq!(
            segment(&first, &cues),
            "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:1,LOCAL:00:00:00.000\n\n\
             00:00:11.500 --> 00:00:12.000\na &lt; b --&gt; c &amp; d\n"
        );
        let next = Span { date_ms: 12_000, at: 3_600 * 90_000, ticks: 180_000 };
        assert!(segment(&next, &cues).contains("\n01:00:00.000 --> 01:00:02.000\n"), "{}", segment(&next, &cues));
        let later = Span { date_ms: 14_000, ..next };
        assert_eq!(segment(&later, &cues), "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:1,LOCAL:00:00:00.000\n");
        assert!(whole(&cues).starts_with("WEBVTT\n\n00:00:11.500 --> 00:00:14.000\n"));
    }
}
