//! What people type: read leniently, checked at the edge, and given back as it was where something is wrong.

use super::view::{Field, FormError};
use std::collections::BTreeMap;
use unicode_normalization::UnicodeNormalization;

/// Fields of one form; the longest has about thirty.
const FIELDS_MAX: usize = 100;

/// A form as it was sent.
#[derive(Clone, Default)]
pub struct Form {
    values: BTreeMap<String, Vec<String>>,
}

impl Form {
    /// Reads `application/x-www-form-urlencoded` bytes, as a body or a query; what is not well formed reads as typed.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(bytes).take(FIELDS_MAX) {
            form.values.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        form
    }

    /// A form filled in from here.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        Self { values: pairs.into_iter().map(|(name, value)| (name.into(), vec![value])).collect() }
    }

    /// The first value of a field, without control characters and surrounding space; empty if it was not sent.
    pub fn get(&self, name: &str) -> String {
        let value = self.values.get(name).and_then(|values| values.first());
        value.map(|value| clean(value)).unwrap_or_default()
    }

    /// As [`Form::get`], with line breaks kept.
    pub fn text(&self, name: &str) -> String {
        let value = self.values.get(name).and_then(|values| values.first()).cloned().unwrap_or_default();
        let lines = value.replace("\r\n", "\n");
        lines.chars().filter(|c| *c == '\n' || !is_unwanted(*c)).collect::<String>().trim().into()
    }

    /// A field exactly as it was sent: for passwords.
    pub fn raw(&self, name: &str) -> &str {
        self.values.get(name).and_then(|values| values.first()).map(String::as_str).unwrap_or_default()
    }

    /// Every value of a field.
    pub fn all(&self, name: &str) -> &[String] {
        self.values.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The form without what holds a card's number, and the fields out of `fields` that held one. Such a number belongs into
    /// the card step alone: it is neither kept nor shown again.
    pub fn without_card_numbers(mut self, fields: &[&'static str]) -> (Self, Vec<&'static str>) {
        let mut held = vec![];
        for (name, values) in &mut self.values {
            if values.iter().any(|value| holds_card_number(value)) {
                values.clear();
                held.extend(fields.iter().copied().filter(|field| field == name));
            }
        }
        (self, held)
    }

    /// These fields, and where one was not sent, that of `below`.
    pub fn over(mut self, below: Self) -> Self {
        for (name, values) in below.values {
            self.values.entry(name).or_insert(values);
        }
        self
    }

    /// The form without this field.
    pub fn without(mut self, name: &str) -> Self {
        self.values.remove(name);
        self
    }

    /// Whether the field was sent at all: a ticked box.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }
}

/// Control and direction-override characters: they could disguise what a person reads in a list or a file.
fn is_unwanted(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Digits of a card's number (ISO/IEC 7812-1).
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
/// Signs between two groups of its digits: a dash with a space on each side.
const BETWEEN_MAX: usize = 3;
/// The zeros of the scripts whose digits keyboards write; the other nine follow each in Unicode's order.
const ZEROS: [char; 16] = [
    '\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}', '\u{be6}', '\u{c66}', '\u{ce6}',
    '\u{d66}', '\u{e50}', '\u{ed0}', '\u{f20}', '\u{1040}', '\u{17e0}',
];

fn digit(c: char) -> Option<u32> {
    let of_script = |zero: &char| u32::from(c).checked_sub(u32::from(*zero)).filter(|digit| *digit < 10);
    c.to_digit(10).or_else(|| ZEROS.iter().find_map(of_script))
}

/// What people put between groups of digits, and phones put in its place.
fn is_between(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '.' | '_' | '/' | '·' | '•' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// What nobody sees between two digits, and what is taken out of a text before it is kept.
fn is_invisible(c: char) -> bool {
    !c.is_whitespace() && (is_unwanted(c) || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{fe0f}'))
}

/// Whether a card's number stands in the text: so many digits in a row, few signs between them, the first one a network's,
/// the last one the check digit (ISO/IEC 7812-1, annex B).
pub fn holds_card_number(text: &str) -> bool {
    let (mut digits, mut groups, mut between) = (vec![], vec![], 0_usize);
    for c in text.nfkc().filter(|c| !is_invisible(*c)) {
        if let Some(digit) = digit(c) {
            if digits.is_empty() || between > 0 {
                groups.push(digits.len());
            }
            digits.push(digit);
            between = 0;
        } else if !digits.is_empty() && between < BETWEEN_MAX && is_between(c) {
            between += 1;
        } else {
            if is_card_number_among(&digits, &groups) {
                return true;
            }
            digits.clear();
            groups.clear();
            between = 0;
        }
    }
    is_card_number_among(&digits, &groups)
}

/// Whether whole groups of these digits are a card's number, as where its date stands behind it; in a row longer than any
/// number is, each stretch may be it. `groups` has the place where each group begins.
fn is_card_number_among(digits: &[u32], groups: &[usize]) -> bool {
    let ends: Vec<usize> = groups.iter().copied().skip(1).chain([digits.len()]).collect();
    let is_number = |from: usize, to: usize| {
        digits.get(from..to).is_some_and(|digits| CARD_DIGITS.contains(&digits.len()) && is_card_number(digits))
    };
    // A group has a digit at least, so no number has more groups than digits.
    let of_groups = |(place, from): (usize, &usize)| {
        ends.iter().skip(place).take(*CARD_DIGITS.end()).any(|to| is_number(*from, *to))
    };
    let is_longer = digits.len() > *CARD_DIGITS.end();
    groups.iter().enumerate().any(of_groups)
        || is_longer && CARD_DIGITS.into_iter().any(|length| digits.windows(length).any(is_card_number))
}

fn is_card_number(digits: &[u32]) -> bool {
    let doubled = |(at, digit): (usize, &u32)| if at % 2 == 0 { *digit } else { (digit * 2) / 10 + (digit * 2) % 10 };
    let sum: u32 = digits.iter().rev().enumerate().map(doubled).sum();
    matches!(digits.first(), Some(2..=6)) && sum.is_multiple_of(10)
}

fn clean(value: &str) -> String {
    let spaced = value.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    spaced.filter(|c| !is_unwanted(*c)).collect::<String>().trim().into()
}

/// What is wrong with a form, by field.
#[derive(Clone, Default)]
pub struct Errors {
    by_field: BTreeMap<&'static str, String>,
    order: Vec<&'static str>,
}

impl Errors {
    /// Notes what is wrong with a field; the first word on a field stands.
    pub fn add(&mut self, field: &'static str, message: impl Into<String>) {
        if !self.by_field.contains_key(field) {
            self.order.push(field);
            self.by_field.insert(field, message.into());
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// What is wrong with this field.
    pub fn of(&self, field: &str) -> Option<String> {
        self.by_field.get(field).cloned()
    }

    /// The field with what was typed and what is wrong.
    pub fn field(&self, name: &str, value: impl Into<String>) -> Field {
        Field { value: value.into(), error: self.of(name) }
    }

    /// For the summary above the form, in the order they were found.
    pub fn summary(&self) -> Vec<FormError> {
        let line =
            |field: &&'static str| FormError { field: (*field).into(), message: self.of(field).unwrap_or_default() };
        self.order.iter().map(line).collect()
    }

    /// A required line of text.
    pub fn require(&mut self, field: &'static str, value: &str, chars_max: usize, missing: &str) {
        // A name that nobody can see is none.
        if value.chars().all(|c| c.is_whitespace() || is_invisible(c)) {
            self.add(field, missing);
        }
        self.limit(field, value, chars_max);
    }

    /// A line of text that may be empty.
    pub fn limit(&mut self, field: &'static str, value: &str, chars_max: usize) {
        if value.chars().nth(chars_max).is_some() {
            self.add(field, format!("Use at most {chars_max} characters."));
        }
    }

    /// An e-mail address: as lenient as mail itself, but no mistake that never arrives.
    pub fn email(&mut self, field: &'static str, value: &str) {
        if value.is_empty() {
            self.add(field, "Enter your e-mail address.");
        } else if !is_email(value) {
            self.add(field, "Enter an e-mail address like name@example.org.");
        }
    }
}

/// Whether mail could be sent there: one @, a domain with a dot, no space, at most 254 bytes (RFC 5321).
fn is_email(value: &str) -> bool {
    let Some((local, domain)) = value.rsplit_once('@') else { return false };
    let labels_fine = domain.split('.').all(|label| !label.is_empty());
    let plain = !value.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | ',' | ';'));
    !local.is_empty() && !local.contains('@') && domain.contains('.') && labels_fine && plain && value.len() <= 254
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_was_typed_without_what_hides() {
        let form = Form::parse("name=+%E2%80%AEJoan%00+Petrie%0A&attest=a&attest=b&x=%ff".as_bytes());
        assert_eq!(form.get("name"), "Joan Petrie");
        assert_eq!(form.all("attest"), ["a", "b"]);
        assert_eq!(form.get("none"), "");
        assert!(!form.has("none"));
        assert_eq!(Form::parse("d=a%0D%0Ab".as_bytes()).text("d"), "a\nb");
    }

    #[test]
    fn card_numbers_are_thrown_away() {
        for held in [
            "4242424242424242",
            "my card is 4242 4242-4242 4242, thanks",
            "3782.822463.10005",
            "４２４２４２４２４２４２４２４２",
            "5555555555554444 12/30 123",
            "12345 4242424242424242 99",
            "6011000990139424",
            "4242 4242 4242 4242 123",
            "4242424242424242 12",
            "4242 - 4242 - 4242 - 4242",
            "4242  4242\t4242\n4242",
            "4242–4242–4242–4242",
            "4242\u{0}4242\u{200b}4242\u{202e}4242",
            "٤٢٤٢ ٤٢٤٢ ٤٢٤٢ ٤٢٤٢",
            "४२४२४२४२४२४२४२४२",
        ] {
            let body = form_urlencoded::Serializer::new(String::new())
                .append_pair("city", held)
                .append_pair("x", "y")
                .finish();
            let (form, fields) = Form::parse(body.as_bytes()).without_card_numbers(&["city", "x"]);
            assert_eq!((fields, form.get("city").as_str(), form.get("x").as_str()), (vec!["city"], "", "y"), "{held}");
        }
        for plain in ["4242424242424241", "1234567890123", "+1 (212) 555-0199 ext. 42", "10027-1234", "42 42 42", ""] {
            assert!(!holds_card_number(plain), "{plain}");
        }
        // A body's worth of digits is looked through in no time.
        for long in ["1 ".repeat(32_000), "1".repeat(64_000)] {
            assert!(!holds_card_number(&long));
        }
    }

    #[test]
    fn mail_addresses() {
        for good in ["a@b.co", "joan.petrie+tag@mail.example.org", "josé@exämple.org"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "a", "a@b", "@b.co", "a@@b.co", "a b@c.co", "a@b..co", "a@b.co,c@d.co", "<a@b.co>"] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
