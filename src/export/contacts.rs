//! People who agreed to be written to, as CSV, with when and to which words.

use super::row::Made;
use super::text::{self, inert};
use crate::domain::attendance::wording;
use crate::domain::profile::Attendee;
use chrono::{DateTime, SecondsFormat, Utc};
use std::io::Write;

/// The columns, in order.
pub const COLUMNS: [&str; 7] = ["name", "email", "postal", "rally", "agreed_at_utc", "wording", "words"];

/// Somebody who agreed.
pub struct Contact {
    /// What they gave.
    pub profile: Attendee,
    /// The address of the rally where they registered.
    pub rally: String,
    /// When they agreed.
    pub agreed_at: DateTime<Utc>,
    /// The id of the wording.
    pub wording: String,
}

/// Writes the line of column names.
///
/// # Errors
/// Those of `out`.
pub fn header(out: impl Write) -> std::io::Result<()> {
    let mut csv = text::csv(out);
    csv.write_record(COLUMNS)?;
    csv.flush()
}

/// Writes contacts, in their order.
///
/// # Errors
/// Those of `out`.
pub fn contacts(out: impl Write, contacts: impl IntoIterator<Item = Contact>) -> std::io::Result<()> {
    let mut csv = text::csv(out);
    for contact in contacts {
        csv.write_record([
            &*inert(&contact.profile.name),
            &inert(&contact.profile.email),
            &inert(contact.profile.postal.as_deref().unwrap_or_default()),
            &contact.rally,
            &contact.agreed_at.to_rfc3339_opts(SecondsFormat::Micros, true),
            &inert(&contact.wording),
            wording(&contact.wording),
        ])?;
    }
    csv.flush()
}

/// Writes a last line: what a large file says of itself, and the log's head. It has no address, so no program writes to it.
///
/// # Errors
/// Those of `out`.
pub fn footer(out: impl Write, made: &Made) -> std::io::Result<()> {
    let mut csv = text::csv(out);
    let (mark, at) = (made.watermark(), made.at.to_rfc3339_opts(SecondsFormat::Micros, true));
    csv.write_record([&*inert(&mark), "", "", "", &at, "ledger head", &made.head])?;
    csv.flush()
}

#[cfg(test)]
mod tests {
    use super::super::row::example;
    use super::*;
    use crate::domain::attendance::WORDING;

    #[test]
    fn the_golden_file_stays_as_it_is() {
        let contact = |name: &str, email: &str, wording: &str| Contact {
            profile: Attendee { name: name.into(), email: email.into(), postal: Some("01234".into()) },
            rally: "answer-the-call".into(),
            agreed_at: "2028-07-26T01:13:58.5Z".parse().unwrap(),
            wording: wording.into(),
        };
        let mut out = vec![];
        header(&mut out).unwrap();
        let all = [
            contact("Joan \"JJ\" O’Neil, Jr.\nApt 2", "joan@example.org", WORDING.0),
            contact("@SUM(A1)", "=cmd@example.org", WORDING.0),
            contact("ليلى حداد 👩‍🏫", "layla@example.org", "updates-99"),
        ];
        contacts(&mut out, all).unwrap();
        footer(&mut out, &example::made()).unwrap();
        example::golden("contacts.csv", &out);
    }
}
