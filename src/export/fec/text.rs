//! Text as the format takes it: the printable signs of ASCII, so many of them at most.
//!
//! The FEC takes some signs of Windows-1252 besides, but says neither which encoding a file is in nor how its readers are to
//! tell, so none is used. What people typed is not lost: letters of every script are written in Latin ones, as an American
//! newspaper would; a line break, a tab and the format's own separator (0x1C) become a space; quotation marks become
//! apostrophes, for readers take a pair of them off; what has no letters to it (emoji, direction marks) goes.

use any_ascii::any_ascii_char;
use unicode_normalization::UnicodeNormalization;

/// The text in at most `chars_max` signs. Empty where nothing of it can be written.
pub fn fit(text: &str, chars_max: usize) -> String {
    let text = text.trim();
    if text.len() <= chars_max
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"')
        && !text.contains("  ")
    {
        return text.into();
    }
    let mut fitted = plain(text);
    // ASCII alone is left.
    fitted.truncate(chars_max);
    fitted.truncate(fitted.trim_end().len());
    fitted
}

/// A street in two lines of at most `chars_max` signs, parted between words where it can be.
pub fn two_lines(text: &str, chars_max: usize) -> [String; 2] {
    let whole = fit(text, usize::MAX);
    if whole.len() <= chars_max {
        return [whole, String::new()];
    }
    let (first, _) = whole.split_at_checked(chars_max.saturating_add(1)).unwrap_or((&whole, ""));
    let end = first.rfind(' ').filter(|end| *end > 0).unwrap_or(chars_max);
    let (first, rest) = whole.split_at_checked(end).unwrap_or((&whole, ""));
    [fit(first, chars_max), fit(rest, chars_max)]
}

fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.nfkd() {
        let begins = plain.is_empty() || plain.ends_with([' ', '-']);
        match c {
            c if c.is_whitespace() || c.is_control() => {
                let space = if plain.is_empty() || plain.ends_with(' ') { "" } else { " " };
                plain.push_str(space);
            }
            '"' => plain.push('\''),
            c if c.is_ascii() => plain.push(c),
            c if c.is_alphabetic() && begins && !c.is_lowercase() => {
                // Most scripts have no capitals, and a name has one here.
                let mut letters = any_ascii_char(c).chars();
                plain.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
                plain.push_str(letters.as_str());
            }
            c if c.is_alphanumeric() || is_punctuation(c) => plain.push_str(&any_ascii_char(c).replace('"', "'")),
            // A picture is no part of a name, and has no letters.
            _ => {}
        }
    }
    plain.truncate(plain.trim_end().len());
    plain
}

/// Signs that stand within names and addresses: dashes, quotation marks, the middle dot.
fn is_punctuation(c: char) -> bool {
    matches!(c, '\u{2010}'..='\u{201f}' | '\u{2032}'..='\u{2036}' | '\u{2039}' | '\u{203a}' | '·' | '«' | '»' | '、' | '。')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_written_in_the_formats_signs() {
        for (typed, written) in [
            ("Joan", "Joan"),
            ("O’Neil, Jr.", "O'Neil, Jr."),
            ("\"Bo\" Groß", "'Bo' Gross"),
            ("José  Łukasz", "Jose Lukasz"),
            ("12 Main St\r\nApt\t4\u{1c}C00000000", "12 Main St Apt 4 C00000000"),
            ("Иван Петров", "Ivan Petrov"),
            ("习近平", "XiJinPing"),
            ("👩‍🏫 Ann 🐎", "Ann"),
            ("\u{202e}nnA\u{202c}", "nnA"),
            ("ﬁeld—work", "field-work"),
            ("ليلى حداد", "Lyla Hdd"),
            ("דוד לוי", "Dvd Lvy"),
            ("🎉", ""),
            ("  ", ""),
            ("\u{200b}\u{feff}", ""),
        ] {
            assert_eq!(fit(typed, 60), written, "{typed:?}");
        }
        assert_eq!(fit("Maximilian von Hohenstein", 15), "Maximilian von");
        assert_eq!(fit("ßßß", 5), "sssss");
        for typed in (0..=0x10_ffff).filter_map(char::from_u32) {
            let written = fit(&format!("a{typed}b"), 20);
            assert!(written.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"'), "{typed:?}: {written:?}");
        }
    }

    #[test]
    fn a_long_street_is_parted_between_words() {
        assert_eq!(two_lines("12 Maple Street", 34), ["12 Maple Street", ""]);
        let long = "1234 Martin Luther King Junior Boulevard, Apartment 12";
        assert_eq!(two_lines(long, 34), ["1234 Martin Luther King Junior", "Boulevard, Apartment 12"]);
        assert_eq!(two_lines(&"x".repeat(80), 34), ["x".repeat(34), "x".repeat(34)]);
    }
}
