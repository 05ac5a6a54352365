//! PURE: the languages captions come in, as captioners' programs write them.

use std::fmt;

/// The longest tag that RFC 5646 asks programs to take (4.4.1).
const TAG_CHARS_MAX: usize = 35;
/// What captioners' programs that name no language write.
const UNNAMED: &str = "en-US";

/// Languages by what their speakers call them; others are shown by their tag.
const NAMES: &[(&str, &str)] = &[
    ("ar", "العربية"),
    ("de", "Deutsch"),
    ("en", "English"),
    ("es", "Español"),
    ("fa", "فارسی"),
    ("fr", "Français"),
    ("he", "עברית"),
    ("hi", "हिन्दी"),
    ("ht", "Kreyòl ayisyen"),
    ("it", "Italiano"),
    ("ja", "日本語"),
    ("ko", "한국어"),
    ("nl", "Nederlands"),
    ("pl", "Polski"),
    ("pt", "Português"),
    ("ru", "Русский"),
    ("so", "Soomaali"),
    ("tl", "Tagalog"),
    ("uk", "Українська"),
    ("ur", "اردو"),
    ("vi", "Tiếng Việt"),
    ("zh", "中文"),
];

/// A language tag (BCP 47): letters, digits and hyphens only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Language(String);

impl Language {
    /// Reads a tag as captioners' programs write it; nothing is American English.
    pub fn parse(text: &str) -> Option<Self> {
        let text = if text.is_empty() { UNNAMED } else { text };
        let fine = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let parts: Vec<&str> = text.split(['-', '_']).collect();
        let first = parts.first()?;
        let is_language = (2..=8).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
        if text.len() > TAG_CHARS_MAX || !is_language || !parts.iter().all(|part| fine(part)) {
            return None;
        }
        let rest = parts.iter().skip(1).map(|part| match part.len() {
            2 => part.to_ascii_uppercase(),
            _ => part.to_ascii_lowercase(),
        });
        let primary = match first.to_ascii_lowercase().as_str() {
            // Captioners' programs copy it from the example in the interface's description.
            "jp" => "ja".to_owned(),
            other => other.to_owned(),
        };
        Some(Self(std::iter::once(primary).chain(rest).collect::<Vec<_>>().join("-")))
    }

    /// The tag, for example `en-US`.
    pub fn tag(&self) -> &str {
        &self.0
    }

    /// As its speakers call it, for example `English (US)`; no two languages alike.
    pub fn name(&self) -> String {
        let (primary, rest) = self.0.split_once('-').unwrap_or((&self.0, ""));
        match NAMES.iter().find(|(tag, _)| *tag == primary) {
            Some((_, name)) if rest.is_empty() => (*name).to_owned(),
            Some((_, name)) => format!("{name} ({rest})"),
            None => self.0.clone(),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_programs_write_them() {
        let read = |text: &str| Language::parse(text).map(|language| language.to_string());
        for (text, tag) in [("en-US", "en-US"), ("EN_us", "en-US"), ("", "en-US"), ("es", "es"), ("jp-JP", "ja-JP")] {
            assert_eq!(read(text).as_deref(), Some(tag), "{text}");
        }
        for bad in ["e", "-", "en-", "12", "en US", "en\"US", "en/../x", "\u{e9}n", &"a-".repeat(30)] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_are_their_speakers() {
        let name = |tag: &str| Language::parse(tag).unwrap().name();
        assert_eq!(
            (name("es-US").as_str(), name("fr").as_str(), name("xh").as_str()),
            ("Español (US)", "Français", "xh")
        );
    }
}
