//! The donations as CSV (RFC 4180) for people: one row a donation; refunds, disputes and returned debits as rows of their own.

use super::row::{Made, Row};
use super::text;
use crate::domain::ledger::Mode;
use crate::domain::money::Money;
use crate::domain::profile::Contact;
use chrono::{DateTime, SecondsFormat, Utc};
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
            "received_at_utc" => instant(made.as_of),
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
    for row in rows {
        let contact = row.contact.as_ref();
        let of = |part: fn(&Contact) -> &String| text::inert(contact.map_or(text::ERASED, |contact| part(contact)));
        // A record's fields are written one by one: most of them are not a text of their own.
        let mut field = |text: &str| csv.write_field(text);
        field(&row.seq.to_string())?;
        field(&instant(row.at))?;
        field(&row.day.to_string())?;
        field(row.kind.word())?;
        field(row.mode.word())?;
        field(&row.rally.slug)?;
        field(&text::inert(&row.rally.title))?;
        field(&row.amount.to_decimal())?;
        field(&row.fee.map(Money::to_decimal).unwrap_or_default())?;
        field(&row.net().map(Money::to_decimal).unwrap_or_default())?;
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
        field(&row.donation.to_string())?;
        field(&text::inert(&row.payment.0))?;
        field(&text::inert(row.reference.as_deref().unwrap_or_default()))?;
        field(&text::inert(&row.rally.paid_for_by))?;
        field(&row.recurring.map(|recurring| recurring.number.to_string()).unwrap_or_default())?;
        field(&text::inert(row.payout.as_ref().map_or("", |payout| &payout.id)))?;
        field(&text::inert(&row.committee))?;
        field(&text::inert(&row.parts_in_words()))?;
        field(&instant(row.given_at))?;
        field(&text::inert(row.speaker.as_deref().unwrap_or_default()))?;
        csv.write_record(None::<&[u8]>)?;
    }
    csv.flush()
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
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
