//! The form of a gift, read and checked at the edge: what was typed becomes a [`Gift`], or words on what to do about each
//! field, in the order of the form.

use super::form::{Errors, Form};
use super::problem::sentence;
use super::view::Choice;
use crate::domain::committee::{Abroad, Rules};
use crate::domain::donation::{AMOUNT_MINOR_MAX, ATTESTATIONS};
use crate::domain::donor::Lacks;
use crate::domain::money::{Currency, Money};
use crate::domain::plan::{Every, Rhythm};
use crate::domain::profile::{Contact, Shown, Work};
use chrono::NaiveDate;

/// Characters of a name, a street, an employer: what the filing format and a screen can hold.
pub const LINE_CHARS_MAX: usize = 100;
/// Characters of a postal code.
const POSTAL_CHARS_MAX: usize = 16;
/// Characters of a message to the room: it is read in a list, and aloud.
pub const MESSAGE_CHARS_MAX: usize = 200;
/// Characters of a name that somebody wants to be shown by.
pub const ALIAS_CHARS_MAX: usize = 40;
/// Characters of a passport's number: those of the United States have nine.
const PASSPORT_CHARS: std::ops::RangeInclusive<usize> = 6..=12;
/// What is filed for a donor without employer and occupation.
pub const NOT_EMPLOYED: &str = "Not employed";
/// What stands for the name of who wants none shown.
const ANONYMOUS: &str = "Anonymous";
/// The value by which one box confirms every statement.
pub const CONFIRMS_ALL: &str = "all";

/// Every field that is typed in; no card number belongs into any.
const TYPED: &[&str] = &[
    "amount",
    "amount_other",
    "first_name",
    "last_name",
    "email",
    "address",
    "city",
    "region",
    "postal",
    "passport",
    "employer",
    "occupation",
    "alias",
    "message",
];

include!(concat!(env!("OUT_DIR"), "/countries.rs"));

/// Addresses that are in the United States and have a code of their own (ISO 3166-1).
const TERRITORIES: [&str; 6] = ["AS", "GU", "MP", "PR", "UM", "VI"];

/// Whether an address there is one abroad.
fn is_abroad(country: &str) -> bool {
    country != "US" && !TERRITORIES.contains(&country)
}

/// What a donor means to give, and who they are.
pub struct Gift {
    /// All of it, what covers the fee included.
    pub amount: Money,
    /// What of it covers the processor's fee.
    pub covers_fee: Option<Money>,
    /// Who gives.
    pub contact: Contact,
    /// What the room may see.
    pub shown: Shown,
}

/// How often is asked, in the field `every`: `once`, `month` or `week`; weekly ends with `last_day`.
pub fn asked_rhythm(form: &Form, last_day: Option<NaiveDate>, errors: &mut Errors) -> Option<Rhythm> {
    match form.get("every").as_str() {
        "month" => Some(Rhythm { every: Every::Month, until: None }),
        "week" => {
            if last_day.is_none() {
                errors.add("every", "Weekly gifts can’t be offered here now. Choose once or every month.");
            }
            Some(Rhythm { every: Every::Week, until: last_day })
        }
        _ => None,
    }
}

/// The choices of that field.
pub fn frequencies(chosen: &str, last_day: Option<NaiveDate>, once: bool) -> Vec<Choice> {
    let choice = |value: &str, label: String| Choice { value: value.into(), label, selected: value == chosen };
    let once = once.then(|| Choice {
        selected: !matches!((chosen, last_day), ("month", _) | ("week", Some(_))),
        ..choice("once", "Once".into())
    });
    let week = last_day.map(|day| choice("week", format!("Every week until {}", day_in_words(day))));
    once.into_iter().chain([choice("month", "Every month".into())]).chain(week).collect()
}

/// `November 3, 2026`.
pub fn day_in_words(day: NaiveDate) -> String {
    day.format("%B %-d, %Y").to_string()
}

/// `each month`, or `each week until November 3, 2026`.
pub fn rhythm_in_words(rhythm: Rhythm) -> String {
    let until = rhythm.until.map(|day| format!(" until {}", day_in_words(day))).unwrap_or_default();
    format!("each {}{until}", rhythm.every.word())
}

/// The least that may be given.
pub fn smallest(currency: Currency) -> Money {
    Money::new(currency.minor_per_major(), currency)
}

/// The most that may be given at once, where no limit of law is lower.
pub fn largest(currency: Currency) -> Money {
    Money::new(AMOUNT_MINOR_MAX, currency)
}

/// The amount that was chosen or typed, and what to show in the field for another one.
pub fn asked_amount(form: &Form, currency: Currency) -> (Result<Money, String>, String) {
    let chosen = form.get("amount");
    let typed = if chosen == "other" || chosen.is_empty() { form.get("amount_other") } else { chosen };
    (Money::parse(&typed, currency).map_err(|error| sentence(&error.to_string())), typed)
}

/// Whether the donor confirms this statement.
pub fn confirms(form: &Form, id: &str) -> bool {
    form.all("attest").iter().any(|given| given == CONFIRMS_ALL || given == id)
}

/// Takes card numbers out of the form: they are said to be wrong there, and neither kept nor shown again.
pub fn without_card_numbers(form: Form, errors: &mut Errors) -> Form {
    let (form, held) = form.without_card_numbers(TYPED);
    for field in held {
        let field = if field == "amount" { "amount_other" } else { field };
        errors.add(field, "This looks like a card’s number. It has been thrown away: the card comes on the next page.");
    }
    form
}

/// Reads a gift. What is returned where `errors` is not empty is not to be used.
pub fn read(form: &Form, rules: &Rules, currency: Currency, errors: &mut Errors) -> Gift {
    let asked = asked_amount(form, currency).0.unwrap_or_else(|error| {
        errors.add("amount_other", error);
        smallest(currency)
    });
    let covers_fee = rules.fee.filter(|_| form.has("cover_fee")).and_then(|fee| fee.cover(asked));
    let amount = covers_fee.and_then(|cover| asked.checked_add(cover).ok()).unwrap_or(asked);
    let contact = read_contact(form, rules.abroad, errors);
    let shown = read_shown(form, &contact, errors);
    if !ATTESTATIONS.iter().all(|(id, _)| confirms(form, id)) {
        errors.add("attest", "Confirm the statements with the box beside them.");
    }
    Gift { amount, covers_fee, contact, shown }
}

/// A required line of the form.
fn line(form: &Form, errors: &mut Errors, field: &'static str, missing: &str) -> String {
    let value = form.get(field);
    errors.require(field, &value, LINE_CHARS_MAX, missing);
    value
}

/// Reads the fields `employer` and `occupation`, or the box `not_employed`.
pub fn read_work(form: &Form, errors: &mut Errors) -> Work {
    if form.has("not_employed") {
        return Work { employer: NOT_EMPLOYED.into(), occupation: NOT_EMPLOYED.into() };
    }
    let or_tick = "or tick the box if you are not employed or retired.";
    Work {
        employer: line(form, errors, "employer", &format!("Enter your employer, {or_tick}")),
        occupation: line(form, errors, "occupation", &format!("Enter your occupation, {or_tick}")),
    }
}

/// The same of somebody who was asked because they left it out: "n/a" is no answer.
pub fn read_answer(form: &Form, errors: &mut Errors) -> Work {
    let work = read_work(form, errors);
    let lacks = Lacks::of(&work.employer, &work.occupation);
    for (field, is_missing, what) in
        [("employer", lacks.employer, "whom you work for"), ("occupation", lacks.occupation, "what you do")]
    {
        if is_missing && errors.of(field).is_none() {
            errors.add(field, format!("Write {what}, or tick the box if you are not employed or retired."));
        }
    }
    work
}

fn read_contact(form: &Form, abroad: Abroad, errors: &mut Errors) -> Contact {
    let first_name = line(form, errors, "first_name", "Enter your first name.");
    let last_name = line(form, errors, "last_name", "Enter your last name.");
    let email = form.get("email");
    errors.email("email", &email);
    let address = line(form, errors, "address", "Enter your street address.");
    let city = line(form, errors, "city", "Enter your city.");
    let region = line(form, errors, "region", "Enter your state or region.");
    let postal = form.get("postal");
    errors.require("postal", &postal, POSTAL_CHARS_MAX, "Enter your postal code.");
    let country = form.get("country");
    if !COUNTRIES.iter().any(|(code, _)| *code == country) {
        errors.add("country", "Choose your country.");
    } else if is_abroad(&country) && abroad == Abroad::Refused {
        errors.add("country", "This campaign takes gifts from addresses in the United States only.");
    }
    let passport = read_passport(form, &country, abroad, errors);
    let Work { employer, occupation } = read_work(form, errors);
    Contact {
        first_name,
        last_name,
        email,
        line: address,
        city,
        region,
        postal,
        country,
        employer,
        occupation,
        passport,
    }
}

/// The number of a passport of the United States, which is asked of who lives abroad.
fn read_passport(form: &Form, country: &str, abroad: Abroad, errors: &mut Errors) -> Option<String> {
    // Who has not said where they live is asked that first.
    if errors.of("country").is_some() || !is_abroad(country) || abroad != Abroad::WithPassport {
        return None;
    }
    let number: String = form.get("passport").chars().filter(|c| !c.is_whitespace()).collect();
    let plain = number.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if number.is_empty() {
        errors.add("passport", "Enter the number of your U.S. passport: election law asks it of donors abroad.");
    } else if !plain || !PASSPORT_CHARS.contains(&number.len()) {
        errors.add("passport", "Enter the number as it stands in your U.S. passport: letters and digits.");
    }
    Some(number.to_uppercase())
}

fn read_shown(form: &Form, contact: &Contact, errors: &mut Errors) -> Shown {
    let message = form.get("message");
    errors.limit("message", &message, MESSAGE_CHARS_MAX);
    let place = Some(contact.city.clone());
    let (name, place) = match form.get("show_as").as_str() {
        "full" => (format!("{} {}", contact.first_name, contact.last_name), place),
        "anonymous" => (ANONYMOUS.into(), None),
        "alias" => {
            let alias = form.get("alias");
            errors.require("alias", &alias, ALIAS_CHARS_MAX, "Enter the name to show, or choose another way above.");
            (alias, None)
        }
        _ => (contact.first_name.clone(), place),
    };
    Shown { name, place, message: Some(message).filter(|message| !message.is_empty()) }
}

#[cfg(test)]
mod tests;
