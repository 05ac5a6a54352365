//! One program's captions in memory.

use super::Eyes;
use super::file::File;
use super::language::Language;
use crate::media::vtt;
use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use tokio::sync::watch;

/// Languages of one program: each is a line of a menu and a part of every message.
const LANGUAGES_MAX: usize = 6;
/// Bytes of text in memory: sixteen hours of quick speech; beyond, the oldest go first.
const TEXT_BYTES_MAX: usize = 8 << 20;
/// Lines in memory, whatever their length.
const LINES_MAX: usize = 60_000;
/// Newest lines of a language in each message: two rows and what a page missed while the next came.
const TOLD: usize = 3;
/// Captions at once: a captioner's program sends what it kept while its network was away.
const BURST: i64 = 30;
/// One more caption is let in after so long: three times as many as the quickest speakers' words in one language.
const ONE_MORE_MS: i64 = 100;

/// One caption that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When it came, in ms since 1970 UTC; no two of a program alike.
    pub at_ms: i64,
    /// Its number by the captioner.
    pub seq: u64,
    /// Its language's tag.
    pub language: String,
    /// Plain text, rows ended by line feeds; empty to clear the picture.
    pub text: String,
    /// By which address it came.
    pub generation: u32,
    /// Whether it came before the doors opened: for staff's eyes, and not kept on disk.
    #[serde(skip)]
    pub practice: bool,
}

/// A caption as a captioner sent it.
#[derive(Clone, Debug)]
pub struct Post {
    /// By which address.
    pub generation: u32,
    /// Rises with each caption, not with a repetition.
    pub seq: u64,
    /// In which language.
    pub language: Language,
    /// Plain text without control characters save line feeds.
    pub text: String,
    /// Whether the doors are closed.
    pub practice: bool,
}

/// What became of a caption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is shown.
    Shown,
    /// Its number was there before: it is shown once.
    Repeated,
}

/// Why a caption is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too many at once.
    #[error("too many captions at once: send this one again in a second")]
    TooMany,
    /// One language more than is carried.
    #[error("this rally has captions in {LANGUAGES_MAX} languages already: send one of those")]
    Languages,
}

#[derive(Debug)]
pub(super) struct Track {
    state: Mutex<State>,
    audience: watch::Sender<Bytes>,
    staff: watch::Sender<Bytes>,
}

#[derive(Debug, Default)]
struct State {
    /// Oldest first.
    lines: VecDeque<Line>,
    /// Bytes of their texts.
    bytes: usize,
    languages: Vec<(Language, Known)>,
    file: Option<File>,
    /// When so many captions will have been let in at the usual pace, in ms since 1970 UTC.
    paid_until_ms: i64,
    counts_again: Option<u64>,
}

/// What is known of a language.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    generation: u32,
    /// The number of its last caption by that address.
    last: Option<u64>,
    /// Whether everybody has seen it.
    public: bool,
}

impl Track {
    /// With what the file holds; reads from disk.
    pub(super) fn open(file: Option<File>) -> Self {
        let mut state = State { file, ..State::default() };
        let lines = state.file.as_mut().map(File::read).unwrap_or_default();
        lines.into_iter().for_each(|line| state.keep(line));
        let track =
            Self { audience: watch::Sender::default(), staff: watch::Sender::default(), state: Mutex::default() };
        track.tell(&state);
        *track.state.lock() = state;
        track
    }

    pub(super) fn take(&self, post: Post, now_ms: i64) -> Result<Taken, Refused> {
        let mut state = self.state.lock();
        let Post { generation, seq, language, text, practice } = post;
        let known = state.languages.iter().find(|(other, _)| *other == language).map(|(_, known)| *known);
        if known.is_none() && state.languages.len() >= LANGUAGES_MAX {
            return Err(Refused::Languages);
        }
        if let Some(last) = known.filter(|known| known.generation == generation).and_then(|known| known.last)
            && seq <= last
        {
            // A repetition is of the last one, or of one just before it; a program that was started anew begins at the start.
            state.counts_again = Some(seq).filter(|seq| *seq < last);
            return Ok(Taken::Repeated);
        }
        let full = BURST.saturating_mul(ONE_MORE_MS);
        // More than was ever let in at once means that the clock has stepped back.
        let ahead =
            Some(state.paid_until_ms.saturating_sub(now_ms)).filter(|ahead| (0..=full).contains(ahead)).unwrap_or(0);
        let ahead = ahead.saturating_add(ONE_MORE_MS);
        if ahead > full {
            return Err(Refused::TooMany);
        }
        state.paid_until_ms = now_ms.saturating_add(ahead);
        state.counts_again = None;
        // The clock may step back; what pages have seen is older all the same.
        let at_ms = state.lines.back().map_or(now_ms, |last| now_ms.max(last.at_ms.saturating_add(1)));
        let line = Line { at_ms, seq, language: language.tag().to_owned(), text, generation, practice };
        if !practice && let Some(file) = &mut state.file {
            file.add(&line);
        }
        state.keep(line);
        self.tell(&state);
        Ok(Taken::Shown)
    }

    /// Tells pages what is newest. Under the lock, so that it comes in order.
    fn tell(&self, state: &State) {
        self.audience.send_replace(state.told(Eyes::Audience));
        self.staff.send_replace(state.told(Eyes::Staff));
    }

    pub(super) fn last_seq(&self, generation: u32) -> u64 {
        let state = self.state.lock();
        let own = state.languages.iter().filter(|(_, known)| known.generation == generation);
        own.filter_map(|(_, known)| known.last).max().unwrap_or(0)
    }

    pub(super) fn newest(&self) -> Option<Line> {
        self.state.lock().lines.back().cloned()
    }

    pub(super) fn counts_again(&self) -> Option<u64> {
        self.state.lock().counts_again
    }

    pub(super) fn languages(&self, eyes: Eyes) -> Vec<Language> {
        self.state.lock().languages(eyes).cloned().collect()
    }

    /// Lines that came from the first instant up to before the second, in ms since 1970 UTC.
    pub(super) fn lines(&self, language: &Language, eyes: Eyes, from_ms: i64, until_ms: i64) -> Vec<Line> {
        let state = self.state.lock();
        let first = state.lines.partition_point(|line| line.at_ms < from_ms);
        let within = state.lines.iter().skip(first).take_while(|line| line.at_ms < until_ms);
        within.filter(|line| line.language == language.tag() && eyes.see(line)).cloned().collect()
    }

    pub(super) fn watch(&self, eyes: Eyes) -> watch::Receiver<Bytes> {
        match eyes {
            Eyes::Audience => self.audience.subscribe(),
            Eyes::Staff => self.staff.subscribe(),
        }
    }
}

impl Eyes {
    fn see(self, line: &Line) -> bool {
        match self {
            Self::Staff => true,
            Self::Audience => !line.practice,
        }
    }
}

impl State {
    fn keep(&mut self, line: Line) {
        let Some(language) = Language::parse(&line.language) else { return };
        if !self.languages.iter().any(|(known, _)| *known == language) {
            self.languages.push((language.clone(), Known::default()));
        }
        if let Some((_, known)) = self.languages.iter_mut().find(|(known, _)| *known == language) {
            known.public |= !line.practice;
            (known.generation, known.last) = (line.generation, Some(line.seq));
        }
        self.bytes = self.bytes.saturating_add(line.text.len());
        self.lines.push_back(line);
        while self.bytes > TEXT_BYTES_MAX || self.lines.len() > LINES_MAX {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.text.len());
        }
    }

    fn languages(&self, eyes: Eyes) -> impl Iterator<Item = &Language> {
        self.languages
            .iter()
            .filter(move |(_, known)| eyes == Eyes::Staff || known.public)
            .map(|(language, _)| language)
    }

    /// The newest lines of each language as one message; empty before the first.
    fn told(&self, eyes: Eyes) -> Bytes {
        #[derive(Serialize)]
        struct Told<'a> {
            languages: Vec<&'a str>,
            lines: Vec<ToldLine<'a>>,
        }
        #[derive(Serialize)]
        struct ToldLine<'a> {
            at: i64,
            /// How long it stands, in ms.
            ms: i64,
            lang: &'a str,
            text: &'a str,
        }
        let languages: Vec<&str> = self.languages(eyes).map(Language::tag).collect();
        if languages.is_empty() {
            return Bytes::new();
        }
        let newest = |tag: &&str| {
            let own = self.lines.iter().rev().take(TOLD * LANGUAGES_MAX * 2).filter(|line| line.language == **tag);
            own.filter(|line| eyes.see(line)).take(TOLD).collect::<Vec<_>>()
        };
        let mut lines: Vec<&Line> = languages.iter().flat_map(newest).collect();
        lines.sort_by_key(|line| line.at_ms);
        let lines = lines.into_iter().map(|line| {
            let ms = vtt::reading_ms(&line.text);
            ToldLine { at: line.at_ms, ms, lang: &line.language, text: &line.text }
        });
        let body = serde_json::to_string(&Told { languages, lines: lines.collect() }).unwrap_or_default();
        format!("event: captions\ndata: {body}\n\n").into()
    }
}
