//! One person by name and postal address, however they typed it: "Joan Petrie, 12 Maple Street" is "JOAN PETRIE, 12 maple st."
//!
//! It errs towards one person where spelling differs only, and towards two where a word does: a father and a son in one house
//! differ by "Jr.", a flat by its number.

pub mod nicknames;
pub mod traces;

use super::profile::Contact;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Words of a street address that people shorten, and how they are written here (United States Postal Service, publication 28).
const SHORT: &[(&str, &str)] = &[
    ("avenue", "ave"),
    ("boulevard", "blvd"),
    ("circle", "cir"),
    ("court", "ct"),
    ("drive", "dr"),
    ("east", "e"),
    ("floor", "fl"),
    ("highway", "hwy"),
    ("lane", "ln"),
    ("north", "n"),
    ("northeast", "ne"),
    ("northwest", "nw"),
    ("parkway", "pkwy"),
    ("place", "pl"),
    ("road", "rd"),
    ("saint", "st"),
    ("south", "s"),
    ("southeast", "se"),
    ("southwest", "sw"),
    ("square", "sq"),
    ("street", "st"),
    ("terrace", "ter"),
    ("west", "w"),
];

/// Words that stand before the number of a flat, or do not.
const BEFORE_A_FLAT: &[&str] = &["apartment", "apt", "unit", "suite", "ste", "no", "number"];

/// Digits of a postal code that a person knows by heart, where the code is American: the other four come and go.
const ZIP_DIGITS: usize = 5;

/// Name and address as one text, the same for every spelling of them. It is personal data: hash it with a key.
pub fn likeness(contact: &Contact) -> String {
    let first = words(&contact.first_name).into_iter().next().unwrap_or_default();
    let last = words(&contact.last_name).join(" ");
    let line: Vec<String> =
        words(&contact.line).into_iter().filter(|word| !BEFORE_A_FLAT.contains(&word.as_str())).map(short).collect();
    let postal = postal(contact);
    // A line break can't be typed into any of them.
    [first, last, line.join(" "), postal, contact.country.clone()].join("\n")
}

fn postal(contact: &Contact) -> String {
    let postal = words(&contact.postal).concat();
    if contact.country == "US" { postal.chars().take(ZIP_DIGITS).collect() } else { postal }
}

fn short(word: String) -> String {
    SHORT.iter().find(|(long, _)| *long == word).map_or(word, |(_, short)| (*short).into())
}

/// Words in small letters, without accents and signs.
fn words(text: &str) -> Vec<String> {
    let plain: String = text.nfkd().filter(|c| !is_combining_mark(*c) && !matches!(c, '\'' | '’' | '.')).collect();
    let lower = plain.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(first: &str, last: &str, line: &str, postal: &str) -> Contact {
        Contact {
            first_name: first.into(),
            last_name: last.into(),
            line: line.into(),
            postal: postal.into(),
            ..Contact::example()
        }
    }

    #[test]
    fn spellings_of_one_person_are_one() {
        let joan = likeness(&contact("Joan", "O’Petrié", "12 North Maple Street, Apt. 4B", "10027"));
        for other in [
            contact("JOAN", "O'PETRIE", "12 N. maple st #4B", "10027-1234"),
            contact(" Joan M.", "OPetrie", "12 n maple St  Unit 4b", "10027"),
            contact("joan", "o’petrie", "12 North Maple Street 4B", " 10027 "),
        ] {
            assert_eq!(likeness(&other), joan, "{}", other.line);
        }
    }

    #[test]
    fn people_stay_apart() {
        let joan = contact("Joan", "Petrie", "12 Maple Street", "10027");
        for other in [
            contact("John", "Petrie", "12 Maple Street", "10027"),
            contact("Joan", "Petrie Jr.", "12 Maple Street", "10027"),
            contact("Joan", "Petrie", "12 Maple Street, Apt 4", "10027"),
            contact("Joan", "Petrie", "12 Maple Street", "10028"),
            contact("Joan", "Petrie", "12 Maple Avenue", "10027"),
            Contact { country: "CA".into(), ..joan.clone() },
        ] {
            assert_ne!(likeness(&other), likeness(&joan), "{} {} {}", other.first_name, other.last_name, other.line);
        }
        let arabic = |name| likeness(&contact(name, "حداد", "شارع 5", "10027"));
        assert_ne!(arabic("ليلى"), arabic("سامي"), "letters of every script count");
    }
}
