//! Contributions as the CSV that campaign databases import: ActBlue's 101 columns, in its order and with its words. What we do
//! not know stays empty.

use super::row::{Recurring, Row};
use super::text;
use crate::domain::money::{Currency, Money};
use crate::domain::plan::Every;
use crate::domain::profile::Contact;
use crate::projections::ledger::Kind;
use chrono::{DateTime, Utc};
use chrono_tz::America::New_York;
use std::borrow::Cow;
use std::io::Write;
use std::str::FromStr;

/// The columns, in order; several are reserved.
pub const COLUMNS: [&str; 101] = [
    "Receipt ID",
    "Date",
    "Amount",
    "Recurring Total Months",
    "Recurrence Number",
    "Recipient",
    "Fundraising Page",
    "Fundraising Partner",
    "Reference Code 2",
    "Reference Code",
    "Donor First Name",
    "Donor Last Name",
    "Donor Addr1",
    "Donor Addr2",
    "Donor City",
    "Donor State",
    "Donor ZIP",
    "Donor Country",
    "Donor Occupation",
    "Donor Employer",
    "Donor Email",
    "Donor Phone",
    "New Express Signup",
    "Comments",
    "Check Number",
    "Check Date",
    "Employer Addr1",
    "Employer Addr2",
    "Employer City",
    "Employer State",
    "Employer ZIP",
    "Employer Country",
    "Donor ID",
    "Fundraiser ID",
    "Fundraiser Recipient ID",
    "Fundraiser Contact Email",
    "Fundraiser Contact First Name",
    "Fundraiser Contact Last Name",
    "Partner ID",
    "Partner Contact Email",
    "Partner Contact First Name",
    "Partner Contact Last Name",
    "Reserved",
    "Lineitem ID",
    "AB Test Name",
    "AB Variation",
    "Recipient Committee",
    "Recipient ID",
    "Recipient Gov ID",
    "Recipient Election",
    "Reserved",
    "Payment ID",
    "Payment Date",
    "Disbursement ID",
    "Disbursement Date",
    "Recovery ID",
    "Recovery Date",
    "Refund ID",
    "Refund Date",
    "Fee",
    "Recur Weekly",
    "ActBlue Express Lane",
    "Reserved",
    "Card Type",
    "Reserved",
    "Reserved",
    "Reserved",
    "Reserved",
    "Mobile",
    "Recurring Upsell Shown",
    "Recurring Upsell Succeeded",
    "Double Down",
    "Smart Recurring",
    "Monthly Recurring Amount",
    "Apple Pay",
    "Card Replaced by Account Updater",
    "ActBlue Express Donor",
    "Custom Field 1 Label",
    "Custom Field 1 Value",
    "Donor US Passport Number",
    "Text Message Opt In",
    "Gift Identifier",
    "Gift Declined",
    "Shipping Addr1",
    "Shipping City",
    "Shipping State",
    "Shipping Zip",
    "Shipping Country",
    "Weekly Recurring Amount",
    "Smart Boost Amount",
    "Smart Boost Shown",
    "Bump Recurring Seen",
    "Bump Recurring Succeeded",
    "Weekly to Monthly Rollover Date",
    "Weekly Recurring Sunset",
    "Recurring Type",
    "Recurring Pledged",
    "Paypal",
    "Kind",
    "Managed Entity Name",
    "Managed Entity Committee Name",
];

/// Which contributions a file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Report {
    /// What was paid.
    #[default]
    Paid,
    /// What went back: refunds, disputes and returned debits, each with its sum; negative where one was undone.
    Refunded,
    /// What was paid of recurring gifts.
    Recurring,
}

impl Report {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Paid, Self::Refunded, Self::Recurring];

    /// Its name on the command line and in addresses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Refunded => "refunded",
            Self::Recurring => "recurring",
        }
    }

    /// What it is, in a line.
    pub fn about(self) -> &'static str {
        match self {
            Self::Paid => "Contributions that were paid",
            Self::Refunded => "Refunds, disputes and returned debits",
            Self::Recurring => "Paid contributions of recurring gifts",
        }
    }

    /// Whether it has a row.
    pub fn takes(self, row: &Row) -> bool {
        match self {
            Self::Paid => row.kind == Kind::Donation,
            Self::Refunded => row.kind != Kind::Donation,
            Self::Recurring => row.kind == Kind::Donation && row.recurring.is_some(),
        }
    }
}

impl FromStr for Report {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|report| report.word() == text);
        found.ok_or_else(|| "the reports are paid, refunded and recurring".into())
    }
}

/// Writes the line of column names.
///
/// # Errors
/// Those of `out`.
pub fn header(out: impl Write) -> std::io::Result<()> {
    let mut csv = ::csv::Writer::from_writer(out);
    csv.write_record(COLUMNS)?;
    csv.flush()
}

/// Writes the rows that the report has, in their order; of other currencies than dollars the format knows nothing, so they are
/// left out. What a large file says of itself stands in each row's own field, which importers keep or leave out: the format has
/// no line that is not a contribution.
///
/// # Errors
/// Those of `out`.
pub fn rows(out: impl Write, report: Report, rows: &[Row], mark: Option<&str>) -> std::io::Result<()> {
    let mut csv = ::csv::Writer::from_writer(out);
    for row in rows.iter().filter(|row| report.takes(row) && row.amount.currency == Currency::USD) {
        for column in COLUMNS {
            let cell = match (column, mark) {
                ("Custom Field 1 Label", Some(_)) => "Export".into(),
                ("Custom Field 1 Value", Some(mark)) => mark.into(),
                _ => cell(column, row),
            };
            // The sum of what was undone begins with a sign, and is a number.
            let is_number = matches!(column, "Amount" | "Fee");
            csv.write_field(if is_number { Cow::from(&cell) } else { text::inert(&cell) }.as_bytes())?;
        }
        csv.write_record(None::<&[u8]>)?;
    }
    csv.flush()
}

fn cell(column: &str, row: &Row) -> String {
    let contact = row.contact.as_ref();
    let of = |part: fn(&Contact) -> &String| contact.map_or(text::ERASED, |contact| part(contact)).to_owned();
    let is_gift = row.kind == Kind::Donation;
    let each = |every| row.recurring.filter(|recurring: &Recurring| recurring.every == every);
    let monthly = |every| each(every).map(|recurring| recurring.amount.to_decimal()).unwrap_or_default();
    match column {
        "Receipt ID" => row.donation.to_string(),
        "Date" => eastern(row.given_at),
        "Amount" if is_gift => row.amount.to_decimal(),
        "Amount" => Money::new(row.amount.minor.saturating_neg(), row.amount.currency).to_decimal(),
        // Ours go on until somebody ends them.
        "Recurring Total Months" => row.recurring.map(|_| "infinite".to_owned()).unwrap_or_default(),
        "Recurrence Number" => row.recurring.map(|recurring| recurring.number.to_string()).unwrap_or_default(),
        "Recipient" | "Recipient Committee" => row.committee.to_string(),
        "Fundraising Page" => row.rally.slug.clone(),
        "Reference Code" => row.refcode.as_deref().unwrap_or_default().to_owned(),
        "Donor First Name" => of(|contact| &contact.first_name),
        "Donor Last Name" => of(|contact| &contact.last_name),
        "Donor Addr1" => of(|contact| &contact.line),
        "Donor City" => of(|contact| &contact.city),
        "Donor State" => of(|contact| &contact.region),
        "Donor ZIP" => of(|contact| &contact.postal),
        "Donor Country" => of(|contact| &contact.country),
        "Donor Occupation" => of(|contact| &contact.occupation),
        "Donor Employer" => of(|contact| &contact.employer),
        "Donor Email" => of(|contact| &contact.email),
        "Donor US Passport Number" => contact.and_then(|contact| contact.passport.clone()).unwrap_or_default(),
        "Donor ID" => row.donor.to_string(),
        "Lineitem ID" => row.seq.to_string(),
        "Payment ID" => row.payment.0.clone(),
        "Payment Date" if is_gift => eastern(row.at),
        "Disbursement ID" => row.payout.as_ref().map(|payout| payout.id.to_string()).unwrap_or_default(),
        "Disbursement Date" => row.payout.as_ref().map(|payout| payout.arrival.to_string()).unwrap_or_default(),
        "Refund ID" if !is_gift => row.reference.as_deref().unwrap_or(row.kind.word()).to_owned(),
        "Refund Date" if !is_gift => eastern(row.at),
        "Fee" => row.fee.map(Money::to_decimal).unwrap_or_default(),
        "Recur Weekly" => each(Every::Week).map(|_| "true".to_owned()).unwrap_or_default(),
        "Card Type" => row.card.as_deref().and_then(|card| card.split(' ').next()).unwrap_or_default().to_owned(),
        "Monthly Recurring Amount" => monthly(Every::Month),
        "Weekly Recurring Amount" => monthly(Every::Week),
        "Recurring Type" => match row.recurring.map(|recurring| recurring.every) {
            Some(Every::Month) => "monthly".into(),
            Some(Every::Week) => "weekly".into(),
            None => String::new(),
        },
        _ => String::new(),
    }
}

/// As ActBlue writes instants: in the east's time, without saying so.
fn eastern(at: DateTime<Utc>) -> String {
    at.with_timezone(&New_York).format("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::row::example;
    use super::*;

    #[test]
    fn the_golden_files_stay_as_they_are() {
        let files = ["actblue-paid.csv", "actblue-refunded.csv", "actblue-recurring.csv"];
        for (report, file) in Report::ALL.into_iter().zip(files) {
            let mut out = vec![];
            header(&mut out).unwrap();
            let mark = example::made().watermark();
            rows(
                &mut out,
                report,
                &example::rows(),
                Some(&mark).filter(|_| report == Report::Refunded).map(|mark| &**mark),
            )
            .unwrap();
            example::golden(file, &out);
        }
    }
}
