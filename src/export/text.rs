//! Text in files that spreadsheets open.

use crate::domain::money::Money;
use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use std::borrow::Cow;
use std::io::Write;

/// Stands where a donor was erased.
pub const ERASED: &str = "(erased)";

/// What a stranger typed, so that no spreadsheet takes it for a formula: a leading `'` where the text begins with a sign
/// that starts one (OWASP, "CSV injection").
pub fn inert(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}").into() } else { text.into() }
}

/// `2028-07-26T01:13:58.500000Z`, RFC 3339.
pub fn instant(at: DateTime<Utc>, scratch: &mut String) -> &str {
    day(at.date_naive(), scratch);
    scratch.push('T');
    for (part, after) in [(at.hour(), ':'), (at.minute(), ':'), (at.second(), '.')] {
        digits(part, 2, scratch);
        scratch.push(after);
    }
    digits(at.timestamp_subsec_micros(), 6, scratch);
    scratch.push('Z');
    scratch
}

/// `2028-07-25`.
pub fn day(day: NaiveDate, scratch: &mut String) -> &str {
    scratch.clear();
    // Years before the first have a sign; no ledger has one of them.
    digits(day.year().unsigned_abs(), 4, scratch);
    for part in [day.month(), day.day()] {
        scratch.push('-');
        digits(part, 2, scratch);
    }
    scratch
}

/// As [`Money::to_decimal`]; nothing for none.
pub fn money(money: Option<Money>, scratch: &mut String) -> &str {
    scratch.clear();
    if let Some(money) = money {
        money.write_decimal(scratch);
    }
    scratch
}

fn digits(number: u32, width: usize, out: &mut String) {
    let mut text = [b'0'; 10];
    let mut rest = number;
    let mut used = 0;
    for digit in text.iter_mut().rev() {
        if rest == 0 && used >= width {
            break;
        }
        *digit = b'0' | u8::try_from(rest % 10).unwrap_or_default();
        (rest, used) = (rest / 10, used.saturating_add(1));
    }
    let from = text.len().saturating_sub(used);
    out.extend(text.get(from..).unwrap_or_default().iter().map(|byte| char::from(*byte)));
}

/// Writes RFC 4180: fields with commas, quotes or line breaks in quotes, lines that end in CR LF.
pub(super) fn csv<Out: Write>(out: Out) -> ::csv::Writer<Out> {
    ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{SecondsFormat, TimeDelta};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn instants_and_days_are_as_the_library_writes_them(micros in 0_i64..253_402_300_799_000_000) {
            let at = DateTime::UNIX_EPOCH + TimeDelta::microseconds(micros);
            let mut scratch = String::new();
            prop_assert_eq!(instant(at, &mut scratch), at.to_rfc3339_opts(SecondsFormat::Micros, true));
            prop_assert_eq!(day(at.date_naive(), &mut scratch), at.date_naive().to_string());
        }
    }
}
