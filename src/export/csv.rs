//! The donations as CSV (RFC 4180) for people: one row a donation; refunds, disputes and returned debits as rows of their own.

use crate::domain::ledger::Mode;
use crate::domain::money::Money;
use crate::domain::profile::Contact;
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use std::io::Write;

/// The columns, in order.
pub const COLUMNS: [&str; 31] = [
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
];

/// One donation or refund.
pub struct Row {
    /// The event it comes from.
    pub seq: u64,
    /// When it was received or given back.
    pub at: DateTime<Utc>,
    /// The same as a day in the rally's time zone.
    pub day: NaiveDate,
    /// [`crate::projections::ledger::Kind::word`].
    pub kind: &'static str,
    /// What the money is worth.
    pub mode: Mode,
    /// The rally's address.
    pub rally: String,
    /// The rally's title.
    pub rally_title: String,
    /// Negative where it left us.
    pub amount: Money,
    /// The processor's fee, where it is known.
    pub fee: Option<Money>,
    /// Who gave; `None` if erased.
    pub contact: Option<Contact>,
    /// From the link that led to the form.
    pub refcode: Option<String>,
    /// `visa 4242`.
    pub card: Option<String>,
    /// Our id of the donation.
    pub donation: String,
    /// The processor's id of the payment.
    pub payment: String,
    /// The processor's id of the refund or dispute.
    pub refund: Option<String>,
    /// Who paid for the rally's page.
    pub paid_for_by: String,
    /// Which gift of a recurring one it is: 1 for the first.
    pub recurring_number: Option<u32>,
    /// The processor's id of the payout that took it to the bank, where that is known.
    pub payout: Option<String>,
    /// The committee in whose account it moved.
    pub committee: String,
    /// What of it is whose, where that committee shares its gifts out: name and sum, negative where it left.
    pub parts: Vec<(String, Money)>,
}

/// Writes the line of column names.
///
/// # Errors
/// Those of `out`.
pub fn header(out: impl Write) -> std::io::Result<()> {
    let mut csv = writer(out);
    csv.write_record(COLUMNS)?;
    csv.flush()
}

/// Writes the last line: the head of the log that the file was made from, by which it can be shown later that the log still
/// says the same. It has no amount, so that no sum counts it.
///
/// # Errors
/// Those of `out`.
pub fn footer(out: impl Write, seq: u64, at: DateTime<Utc>, mode: Option<Mode>, head: &str) -> std::io::Result<()> {
    let mut csv = writer(out);
    let mut record = [const { String::new() }; COLUMNS.len()];
    let [seq_at, at_at, _, kind_at, mode_at, ..] = &mut record;
    *seq_at = seq.to_string();
    *at_at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    *kind_at = "ledger head".into();
    *mode_at = mode.map(|mode| mode.to_string()).unwrap_or_default();
    if let Some((payment_at, _)) = record.iter_mut().zip(COLUMNS).find(|(_, column)| *column == "payment") {
        *payment_at = head.into();
    }
    csv.write_record(&record)?;
    csv.flush()
}

/// Writes rows, in their order.
///
/// # Errors
/// Those of `out`.
pub fn rows(out: impl Write, rows: impl IntoIterator<Item = Row>) -> std::io::Result<()> {
    let mut csv = writer(out);
    for row in rows {
        let net = match row.fee {
            Some(fee) => row.amount.checked_sub(fee).map(Money::to_decimal).unwrap_or_default(),
            None if row.kind == "donation" => String::new(),
            None => row.amount.to_decimal(),
        };
        let contact = row.contact.as_ref();
        let of = |part: fn(&Contact) -> &String| safe(contact.map_or("(erased)", |contact| part(contact).as_str()));
        csv.write_record([
            row.seq.to_string(),
            row.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            row.day.to_string(),
            row.kind.into(),
            row.mode.to_string(),
            row.rally,
            safe(&row.rally_title),
            row.amount.to_decimal(),
            row.fee.map(Money::to_decimal).unwrap_or_default(),
            net,
            row.amount.currency.code().into(),
            of(|contact| &contact.first_name),
            of(|contact| &contact.last_name),
            of(|contact| &contact.email),
            of(|contact| &contact.line),
            of(|contact| &contact.city),
            of(|contact| &contact.region),
            of(|contact| &contact.postal),
            of(|contact| &contact.country),
            of(|contact| &contact.employer),
            of(|contact| &contact.occupation),
            safe(&row.refcode.unwrap_or_default()),
            safe(&row.card.unwrap_or_default()),
            row.donation,
            safe(&row.payment),
            safe(&row.refund.unwrap_or_default()),
            safe(&row.paid_for_by),
            row.recurring_number.map(|number| number.to_string()).unwrap_or_default(),
            safe(&row.payout.unwrap_or_default()),
            safe(&row.committee),
            safe(&parts(&row.parts)),
        ])?;
    }
    csv.flush()
}

/// `Rivera for Senate 60.00; State Party 40.00`.
fn parts(parts: &[(String, Money)]) -> String {
    let each: Vec<String> = parts.iter().map(|(name, amount)| format!("{name} {}", amount.to_decimal())).collect();
    each.join("; ")
}

fn writer<Out: Write>(out: Out) -> ::csv::Writer<Out> {
    ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(out)
}

/// What a stranger typed, so that no spreadsheet takes it for a formula: a leading `'` where the text begins with a sign
/// that starts one (OWASP, "CSV injection").
fn safe(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Currency;

    fn row(kind: &'static str, minor: i64, fee: Option<i64>, contact: Option<Contact>) -> Row {
        Row {
            seq: 7,
            at: "2028-07-26T01:13:58.5Z".parse().unwrap(),
            day: "2028-07-25".parse().unwrap(),
            kind,
            mode: Mode::Test,
            rally: "answer-the-call".into(),
            rally_title: "Answer the Call, \"tonight\"".into(),
            amount: Money::new(minor, Currency::USD),
            fee: fee.map(|minor| Money::new(minor, Currency::USD)),
            contact,
            refcode: Some("=HYPERLINK(\"x\")".into()),
            card: Some("visa 4242".into()),
            donation: "d1".into(),
            payment: "pi_1".into(),
            refund: (kind == "refund").then(|| "re_1".into()),
            paid_for_by: "Paid for by Rivera".into(),
            recurring_number: (kind == "donation").then_some(3),
            payout: (kind == "donation").then(|| "po_1".into()),
            committee: "Rivera Victory Fund".into(),
            parts: match kind {
                "dispute" => vec![],
                _ => [("=Rivera for Senate", minor * 3 / 5), ("State Party", minor * 2 / 5)]
                    .map(|(name, minor)| (name.into(), Money::new(minor, Currency::USD)))
                    .to_vec(),
            },
        }
    }

    #[test]
    fn the_golden_file_stays_as_it_is() {
        let contact = Contact {
            first_name: "Joan".into(),
            last_name: "O’Neil, Jr.".into(),
            email: "joan@example.org".into(),
            line: "1 Main St\nApt 2".into(),
            city: "نيويورك".into(),
            region: "MI".into(),
            postal: "01234".into(),
            country: "US".into(),
            employer: "+Plus Co".into(),
            occupation: "👩‍🏫 Teacher".into(),
            passport: None,
        };
        let mut out = vec![];
        header(&mut out).unwrap();
        let dispute = row("dispute", -5_000, Some(1_500), None);
        let all = [row("donation", 5_000, Some(175), Some(contact)), row("refund", -5_000, None, None), dispute];
        rows(&mut out, all).unwrap();
        footer(&mut out, 9, "2028-07-26T02:00:00Z".parse().unwrap(), Some(Mode::Test), &"0f".repeat(32)).unwrap();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/exports/donations.csv");
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            std::fs::write(path, &out).unwrap();
        }
        assert_eq!(String::from_utf8(out).unwrap(), std::fs::read_to_string(path).unwrap());
    }
}
