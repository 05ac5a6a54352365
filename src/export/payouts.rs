//! Payouts to the bank as CSV: each with the donations, fees, refunds and disputes in it, and last the transfer itself, so that
//! the lines of a payout come to nothing: what is in it is what the bank got, to the cent.

use super::row::Made;
use super::text;
use crate::domain::books::{Entry, Kind, Standing};
use crate::domain::money::Money;
use crate::domain::profile::Contact;
use chrono::{NaiveDate, SecondsFormat};
use std::io::Write;

/// The columns, in order.
pub const COLUMNS: [&str; 18] = [
    "payout",
    "committee",
    "arrival",
    "standing",
    "line",
    "entry",
    "at_utc",
    "amount",
    "fee",
    "net",
    "currency",
    "rally",
    "donation",
    "payment",
    "reference",
    "first_name",
    "last_name",
    "note",
];

/// A payout.
#[derive(Clone, Debug)]
pub struct Head {
    /// The processor's id.
    pub payout: String,
    /// From whose account.
    pub committee: String,
    /// What went to the bank; negative where the bank paid.
    pub amount: Money,
    /// The day on which the bank should have it.
    pub arrival: NaiveDate,
    /// How it stands.
    pub standing: Standing,
    /// Whether the processor said all that is in it.
    pub complete: bool,
}

/// One movement in a payout.
#[derive(Clone, Debug)]
pub struct Line {
    /// As the processor told it.
    pub entry: Entry,
    /// The rally's address, where it is of a donation of ours.
    pub rally: Option<String>,
    /// Who gave, where it is of a donation of ours; `None` also if erased.
    pub contact: Option<Contact>,
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

/// Writes movements of a payout.
///
/// # Errors
/// Those of `out`.
pub fn lines(out: impl Write, head: &Head, lines: &[Line]) -> std::io::Result<()> {
    let mut csv = text::csv(out);
    for Line { entry, rally, contact } in lines {
        let is_ours = entry.donation.is_some();
        let name = |part: fn(&Contact) -> &String| match contact {
            Some(contact) => part(contact),
            None if is_ours => text::ERASED,
            None => "",
        };
        let payment = entry.payment.as_ref().map_or("", |payment| payment.0.as_str());
        write(
            &mut csv,
            head,
            &Cells {
                line: word(entry),
                entry: &entry.entry.0,
                at: &entry.at.to_rfc3339_opts(SecondsFormat::Secs, true),
                amount: entry.amount,
                fee: Some(entry.fee),
                net: Money::new(entry.net_minor(), entry.amount.currency),
                rally: rally.as_deref().unwrap_or_default(),
                donation: &entry.donation.map(|donation| donation.to_string()).unwrap_or_default(),
                payment,
                reference: entry.reference.as_deref().unwrap_or_default(),
                name: [name(|contact| &contact.first_name), name(|contact| &contact.last_name)],
                note: "",
            },
        )?;
    }
    csv.flush()
}

/// Writes the end of a payout whose movements come to `net_minor`: what is not explained, where something is not, and the
/// transfer.
///
/// # Errors
/// Those of `out`.
pub fn end(out: impl Write, head: &Head, net_minor: i64) -> std::io::Result<()> {
    let mut csv = text::csv(out);
    let currency = head.amount.currency;
    let rest = head.amount.minor.saturating_sub(net_minor);
    let note = match head.complete {
        true => "What the processor told does not come to the transfer: ask it.",
        false => "The processor has not told all that is in it.",
    };
    let nothing = Cells::of(Money::zero(currency));
    if rest != 0 {
        let rest = Money::new(rest, currency);
        write(&mut csv, head, &Cells { line: "not told", amount: rest, net: rest, note, ..nothing })?;
    }
    let transfer = Money::new(head.amount.minor.saturating_neg(), currency);
    let note = "The lines of a payout come to nothing.";
    write(&mut csv, head, &Cells { line: "transfer", amount: transfer, net: transfer, note, ..nothing })?;
    csv.flush()
}

/// Writes the last line: see [`super::csv::footer`].
///
/// # Errors
/// Those of `out`.
pub fn footer(out: impl Write, made: &Made) -> std::io::Result<()> {
    let mut csv = text::csv(out);
    for column in COLUMNS {
        csv.write_field(match column {
            "line" => "ledger head".into(),
            "entry" => made.seq.to_string(),
            "at_utc" => made.as_of.to_rfc3339_opts(SecondsFormat::Secs, true),
            "reference" => made.head.clone(),
            "note" => text::inert(&made.watermark()).into_owned(),
            _ => String::new(),
        })?;
    }
    csv.write_record(None::<&[u8]>)?;
    csv.flush()
}

/// What is particular to a line.
#[derive(Clone, Copy)]
struct Cells<'a> {
    line: &'static str,
    entry: &'a str,
    at: &'a str,
    amount: Money,
    fee: Option<Money>,
    net: Money,
    rally: &'a str,
    donation: &'a str,
    payment: &'a str,
    reference: &'a str,
    name: [&'a str; 2],
    note: &'a str,
}

impl Cells<'_> {
    fn of(sum: Money) -> Self {
        let (line, entry, at, rally, donation, payment, reference, note) = ("", "", "", "", "", "", "", "");
        Self {
            line,
            entry,
            at,
            amount: sum,
            fee: None,
            net: sum,
            rally,
            donation,
            payment,
            reference,
            name: [""; 2],
            note,
        }
    }
}

fn write(csv: &mut ::csv::Writer<impl Write>, head: &Head, cells: &Cells) -> std::io::Result<()> {
    let [first, last] = cells.name;
    csv.write_record([
        &*text::inert(&head.payout),
        &text::inert(&head.committee),
        &head.arrival.to_string(),
        standing(head.standing),
        cells.line,
        &text::inert(cells.entry),
        cells.at,
        &cells.amount.to_decimal(),
        &cells.fee.map(Money::to_decimal).unwrap_or_default(),
        &cells.net.to_decimal(),
        cells.amount.currency.code(),
        cells.rally,
        cells.donation,
        &text::inert(cells.payment),
        &text::inert(cells.reference),
        &text::inert(first),
        &text::inert(last),
        cells.note,
    ])?;
    Ok(())
}

fn word(entry: &Entry) -> &'static str {
    match entry.kind {
        Kind::Payment if entry.donation.is_some() => "donation",
        Kind::Payment => "payment of another program",
        Kind::Refund => "refund",
        Kind::RefundReversed => "refund_reversed",
        Kind::Dispute => "dispute",
        Kind::DisputeReversed => "dispute_reversed",
        Kind::Return => "debit_returned",
        Kind::Fee => "fee",
        Kind::Payout => "payout that came back",
        Kind::Other => "other",
    }
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Pending => "pending",
        Standing::Paid => "paid",
        Standing::Failed => "failed",
        Standing::Canceled => "canceled",
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::example;
    use super::*;
    use crate::domain::id::{DonationId, EntryId, PaymentId};
    use crate::domain::money::Currency;
    use uuid::Uuid;

    fn usd(minor: i64) -> Money {
        Money::new(minor, Currency::USD)
    }

    fn entry(kind: Kind, minor: i64, fee: i64, ours: bool) -> Entry {
        Entry {
            entry: EntryId(format!("txn_{minor}")),
            kind,
            donation: ours.then(|| DonationId(Uuid::from_u128(0xd1))),
            payment: ours.then(|| PaymentId("pi_1".into())),
            reference: (kind == Kind::Refund).then(|| "re_1".into()),
            amount: usd(minor),
            fee: usd(fee),
            at: "2028-07-26T01:14:00Z".parse().unwrap(),
            available: None,
        }
    }

    fn head(amount: i64, complete: bool) -> Head {
        Head {
            payout: "po_1".into(),
            committee: "=Rivera Victory Fund".into(),
            amount: usd(amount),
            arrival: "2028-07-31".parse().unwrap(),
            standing: Standing::Paid,
            complete,
        }
    }

    #[test]
    fn the_golden_file_stays_as_it_is() {
        let contact = example::rows().remove(0).contact;
        let told = [
            Line { entry: entry(Kind::Payment, 5_000, 175, true), rally: Some("answer-the-call".into()), contact },
            Line { entry: entry(Kind::Refund, -1_000, 0, true), rally: Some("answer-the-call".into()), contact: None },
            Line { entry: entry(Kind::Fee, -200, 0, false), rally: None, contact: None },
        ];
        let mut out = vec![];
        header(&mut out).unwrap();
        for head in [head(3_625, true), head(9_000, false)] {
            lines(&mut out, &head, &told).unwrap();
            end(&mut out, &head, told.iter().map(|line| line.entry.net_minor()).sum()).unwrap();
        }
        footer(&mut out, &example::made()).unwrap();
        example::golden("payouts.csv", &out);
        let net: i64 = ::csv::Reader::from_reader(out.as_slice())
            .records()
            .map(|record| record.unwrap())
            .filter(|record| &record[4] != "ledger head")
            .map(|record| {
                Money::parse(record[9].trim_start_matches('-'), Currency::USD).unwrap().minor
                    * if record[9].starts_with('-') { -1 } else { 1 }
            })
            .sum();
        assert_eq!(net, 0);
    }
}
