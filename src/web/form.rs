//! What people type: read leniently, checked at the edge, and given back as it was where something is wrong.

use super::view::{Field, FormError};
use std::collections::BTreeMap;

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

    /// Whether the field was sent at all: a ticked box.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }
}

/// Control and direction-override characters: they could disguise what a person reads in a list or a file.
fn is_unwanted(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
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
        if value.is_empty() {
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
    fn mail_addresses() {
        for good in ["a@b.co", "joan.petrie+tag@mail.example.org", "josé@exämple.org"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "a", "a@b", "@b.co", "a@@b.co", "a b@c.co", "a@b..co", "a@b.co,c@d.co", "<a@b.co>"] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
