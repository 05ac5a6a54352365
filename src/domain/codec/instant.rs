//! Instants as the log writes them (RFC 3339 in UTC), read without a general parser: there is one in every line.

use chrono::{DateTime, NaiveDate, Utc};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;

/// An instant read from a line.
pub(super) struct Instant(pub(super) DateTime<Utc>);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Instant;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an instant")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Instant, E> {
        match read(text.as_bytes()) {
            Some(at) => Ok(Instant(at)),
            // Rare forms are the library's.
            None => text.parse().map(Instant).map_err(E::custom),
        }
    }
}

/// `2028-07-25T21:14:05.123456Z`, with any number of decimal places up to nine.
fn read(text: &[u8]) -> Option<DateTime<Utc>> {
    let (whole, rest) = text.split_first_chunk::<19>()?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2] = whole else {
        return None;
    };
    let fraction = rest.strip_suffix(b"Z")?;
    let nanos = match fraction.split_first() {
        None => 0,
        Some((b'.', places)) if (1..=9).contains(&places.len()) => {
            let missing = 9_usize.saturating_sub(places.len());
            number(places)?.checked_mul(10_u32.checked_pow(u32::try_from(missing).ok()?)?)?
        }
        Some(_) => return None,
    };
    let year = i32::try_from(number(&[*y1, *y2, *y3, *y4])?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(&[*m1, *m2])?, number(&[*d1, *d2])?)?;
    let time = date.and_hms_nano_opt(number(&[*h1, *h2])?, number(&[*n1, *n2])?, number(&[*s1, *s2])?, nanos)?;
    Some(time.and_utc())
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_the_library_says() {
        for text in [
            "2028-07-25T21:14:05Z",
            "2028-07-25T21:14:05.1Z",
            "2028-02-29T00:00:00.123Z",
            "0001-01-01T23:59:59.123456Z",
            "2028-07-25T21:14:05.000000001Z",
        ] {
            assert_eq!(read(text.as_bytes()), Some(text.parse().unwrap()), "{text}");
        }
        for text in ["2028-07-25T21:14:05", "2028-13-25T21:14:05Z", "2027-02-29T00:00:00Z", "2028-07-25T21:14:05.Z", ""]
        {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        for text in [r#""2028-07-25T21:14:05+02:00""#, r#""2028-07-25T21:14:60Z""#] {
            let read: Instant = serde_json::from_str(text).unwrap();
            assert_eq!(read.0, serde_json::from_str::<DateTime<Utc>>(text).unwrap());
        }
        assert!(serde_json::from_str::<Instant>("\"yesterday\"").is_err());
    }
}
