//! The donations as CSV (RFC 4180) for people: one row a donation; refunds, disputes and returned debits as rows of their own.

use super::row::{Made, Row};
use super::text;
use crate::domain::ledger::Mode;
use crate::domain::profile::Contact;
use std::io::Write;

/// The columns, in order.
pub const COLUMNS: [&str; 33] = [
    "seq",
    "received_at_utc",
    "day",
    "kind",
    "money",
    "rally",
    "rally_title",
    "amount",
    "fee",
    "net",
    "currency",
    "first_name",
    "last_name",
    "email",
    "address",
    "city",
    "region",
    "postal",
    "country",
    "employer",
    "occupation",
    "refcode",
    "card",
    "donation",
    "payment",
    "refund",
    "paid_for_by",
    "recurring_number",
    "payout",
    "committee",
    "parts",
    "given_at_utc",
    "speaker",
];

/// Writes the line of column names.
///
/// # Errors
/// Those of `out`.
pub fn header(out: impl Write) -> std::io::Result<()> {
    let mut csv = text::csv(out);
    csv.write_record(COLUMNS)?;
    csv.flush()
}

/// Writes the last line: the head of the log that the file was made from, by which it can be shown later that the log still
/// says the same, and who took the file for what. It has no amount, so that no sum counts it.
///
/// # Errors
/// Those of `out`.
pub fn footer(out: impl Write, made: &Made) -> std::io::Result<()> {
    let mut csv = text::csv(out);
    for column in COLUMNS {
        csv.write_field(match column {
            "seq" => made.seq.to_string(),
            "received_at_utc" => text::instant(made.as_of, &mut String::new()).to_owned(),
            "kind" => "ledger head".into(),
            "money" => made.mode.map(Mode::word).unwrap_or_default().into(),
            "rally_title" => text::inert(&made.watermark()).into_owned(),
            "payment" => made.head.clone(),
            _ => String::new(),
        })?;
    }
    csv.write_record(None::<&[u8]>)?;
    csv.flush()
}

/// Writes rows, in their order.
///
/// # Errors
/// Those of `out`.
pub fn rows(out: impl Write, rows: &[Row]) -> std::io::Result<()> {
    let mut csv = text::csv(out);
    // What is no text of its own becomes one here: a row has a dozen of them, and a season millions of rows.
    let mut scratch = String::new();
    for row in rows {
        let contact = row.contact.as_ref();
        let of = |part: fn(&Contact) -> &String| text::inert(contact.map_or(text::ERASED, |contact| part(contact)));
        let mut field = |text: &str| csv.write_field(text);
        field(&row.seq.to_string())?;
        field(text::instant(row.at, &mut scratch))?;
        field(text::day(row.day, &mut scratch))?;
        field(row.kind.word())?;
        field(row.mode.word())?;
        field(&row.rally.slug)?;
        field(&text::inert(&row.rally.title))?;
        field(text::money(Some(row.amount), &mut scratch))?;
        field(text::money(row.fee, &mut scratch))?;
        field(text::money(row.net(), &mut scratch))?;
        field(row.amount.currency.code())?;
        field(&of(|contact| &contact.first_name))?;
        field(&of(|contact| &contact.last_name))?;
        field(&of(|contact| &contact.email))?;
        field(&of(|contact| &contact.line))?;
        field(&of(|contact| &contact.city))?;
        field(&of(|contact| &contact.region))?;
        field(&of(|contact| &contact.postal))?;
        field(&of(|contact| &contact.country))?;
        field(&of(|contact| &contact.employer))?;
        field(&of(|contact| &contact.occupation))?;
        field(&text::inert(row.refcode.as_deref().unwrap_or_default()))?;
        field(&text::inert(row.card.as_deref().unwrap_or_default()))?;
        field(row.donation.0.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()))?;
        field(&text::inert(&row.payment.0))?;
        field(&text::inert(row.reference.as_deref().unwrap_or_default()))?;
        field(&text::inert(&row.rally.paid_for_by))?;
        field(&row.recurring.map(|recurring| recurring.number.to_string()).unwrap_or_default())?;
        field(&text::inert(row.payout.as_ref().map_or("", |payout| &payout.id)))?;
        field(&text::inert(&row.committee))?;
        field(&text::inert(&row.parts_in_words()))?;
        field(text::instant(row.given_at, &mut scratch))?;
        field(&text::inert(row.speaker.as_deref().unwrap_or_default()))?;
        csv.write_record(None::<&[u8]>)?;
    }
    csv.flush()
}

#[cfg(test)]
mod tests {
    use super::super::row::example;
    use super::*;

    #[test]
    fn the_golden_file_stays_as_it_is() {
        let mut out = vec![];
        header(&mut out).unwrap();
        rows(&mut out, &example::rows()).unwrap();
        footer(&mut out, &example::made()).unwrap();
        example::golden("donations.csv", &out);
    }
}
