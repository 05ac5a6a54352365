//! The donations as a workbook for spreadsheets: money and dates as such, everything that people typed as text and never as a
//! formula. Sheets are written row by row into files of the library's own, so that a long one needs no memory.

use super::row::{Made, Row};
use super::text::ERASED;
use crate::domain::ledger::Mode;
use crate::domain::money::Money;
use crate::domain::profile::Contact;
use chrono::{NaiveDate, NaiveDateTime};
use rust_decimal::Decimal;
use rust_xlsxwriter::{DocProperties, Format, Workbook, Worksheet, XlsxError};
use std::io::{Seek, Write};

/// Rows of a sheet, its heading among them: that is how many the format has (ECMA-376, 1,048,576), rounded down.
const SHEET_ROWS_MAX: u32 = 1_000_001;
/// Characters of a cell (ECMA-376: 32,767).
const CELL_CHARS_MAX: usize = 32_767;

/// A column: its name, its width in characters.
type Column = (&'static str, u8);

const COLUMNS: [Column; 33] = [
    ("Event", 9),
    ("Received (UTC)", 19),
    ("Day", 11),
    ("Kind", 12),
    ("Money", 10),
    ("Rally", 22),
    ("Title", 28),
    ("Amount", 12),
    ("Fee", 10),
    ("Net", 12),
    ("Currency", 9),
    ("First name", 16),
    ("Last name", 18),
    ("E-mail", 28),
    ("Address", 28),
    ("City", 18),
    ("Region", 9),
    ("Postal code", 11),
    ("Country", 8),
    ("Employer", 22),
    ("Occupation", 22),
    ("Refcode", 14),
    ("Card", 12),
    ("Donation", 36),
    ("Payment", 28),
    ("Refund or dispute", 28),
    ("Paid for by", 28),
    ("Recurring number", 10),
    ("Payout", 28),
    ("Committee", 24),
    ("Parts", 36),
    ("Given (UTC)", 19),
    ("Speaker", 20),
];

/// A workbook that is being written.
pub struct Book {
    workbook: Workbook,
    sheets: usize,
    row: u32,
    looks: Looks,
}

/// How cells look.
struct Looks {
    heading: Format,
    instant: Format,
    day: Format,
    /// Money with two decimals, and with none.
    money: [Format; 2],
}

impl Book {
    /// A workbook with a heading and nothing else.
    ///
    /// # Errors
    /// Those of the library's files.
    pub fn new() -> std::io::Result<Self> {
        let looks = Looks {
            heading: Format::new().set_bold(),
            instant: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            day: Format::new().set_num_format("yyyy-mm-dd"),
            money: ["#,##0.00", "#,##0"].map(|format| Format::new().set_num_format(format)),
        };
        let mut book = Self { workbook: Workbook::new(), sheets: 0, row: 0, looks };
        book.add_sheet().map_err(std::io::Error::other)?;
        Ok(book)
    }

    /// Writes rows, in their order.
    ///
    /// # Errors
    /// Those of the library's files.
    pub fn rows(&mut self, rows: &[Row]) -> std::io::Result<()> {
        for row in rows {
            if self.row >= SHEET_ROWS_MAX {
                self.add_sheet().map_err(std::io::Error::other)?;
            }
            self.add_row(row).map_err(std::io::Error::other)?;
        }
        Ok(())
    }

    /// Adds what the file says of itself, and writes all of it.
    ///
    /// # Errors
    /// Those of `out` and of the library's files.
    pub fn end(mut self, out: impl Write + Seek + Send, made: &Made) -> std::io::Result<()> {
        self.about(made).and_then(|()| self.workbook.save_to_writer(out)).map_err(std::io::Error::other)
    }

    fn add_sheet(&mut self) -> Result<(), XlsxError> {
        let name = match self.sheets {
            0 => "Donations".to_owned(),
            before => format!("Donations {}", before.saturating_add(1)),
        };
        let sheet = self.workbook.add_worksheet_with_constant_memory();
        sheet.set_name(name)?.set_freeze_panes(1, 0)?;
        for (column, (_, width)) in (0..).zip(COLUMNS) {
            sheet.set_column_width(column, width)?;
        }
        for (column, (heading, _)) in (0..).zip(COLUMNS) {
            sheet.write_string_with_format(0, column, heading, &self.looks.heading)?;
        }
        (self.sheets, self.row) = (self.sheets.saturating_add(1), 1);
        Ok(())
    }

    fn add_row(&mut self, row: &Row) -> Result<(), XlsxError> {
        let sheet = self.workbook.worksheet_from_index(self.sheets.saturating_sub(1))?;
        let contact = row.contact.as_ref();
        let of = |part: fn(&Contact) -> &String| contact.map_or(ERASED, |contact| part(contact));
        let mut cells = Cells { sheet, looks: &self.looks, row: self.row, column: 0 };
        cells.number(Some(row.seq.into()))?;
        cells.instant(row.at.naive_utc())?;
        cells.day(row.day)?;
        cells.text(row.kind.word())?;
        cells.text(row.mode.word())?;
        cells.text(&row.rally.slug)?;
        cells.text(&row.rally.title)?;
        cells.money(Some(row.amount))?;
        cells.money(row.fee)?;
        cells.money(row.net())?;
        cells.text(row.amount.currency.code())?;
        cells.text(of(|contact| &contact.first_name))?;
        cells.text(of(|contact| &contact.last_name))?;
        cells.text(of(|contact| &contact.email))?;
        cells.text(of(|contact| &contact.line))?;
        cells.text(of(|contact| &contact.city))?;
        cells.text(of(|contact| &contact.region))?;
        cells.text(of(|contact| &contact.postal))?;
        cells.text(of(|contact| &contact.country))?;
        cells.text(of(|contact| &contact.employer))?;
        cells.text(of(|contact| &contact.occupation))?;
        cells.text(row.refcode.as_deref().unwrap_or_default())?;
        cells.text(row.card.as_deref().unwrap_or_default())?;
        cells.text(&row.donation.to_string())?;
        cells.text(&row.payment.0)?;
        cells.text(row.reference.as_deref().unwrap_or_default())?;
        cells.text(&row.rally.paid_for_by)?;
        cells.number(row.recurring.map(|recurring| recurring.number.into()))?;
        cells.text(row.payout.as_ref().map_or("", |payout| &payout.id))?;
        cells.text(&row.committee)?;
        cells.text(&row.parts_in_words())?;
        cells.instant(row.given_at.naive_utc())?;
        cells.text(row.speaker.as_deref().unwrap_or_default())?;
        self.row = self.row.saturating_add(1);
        Ok(())
    }

    fn about(&mut self, made: &Made) -> Result<(), XlsxError> {
        // Its own time and not the machine's: the same rows make the same file.
        self.workbook.set_properties(&DocProperties::new().set_creation_datetime(&made.at.naive_utc()));
        let sheet = self.workbook.add_worksheet();
        sheet.set_name("About this file")?.set_column_width(0, 24)?.set_column_width(1, 80)?;
        let lines = [
            ("Taken", made.watermark()),
            ("Money", made.mode.map(Mode::word).unwrap_or_default().to_owned()),
            ("As of (UTC)", made.as_of.format("%Y-%m-%d %H:%M:%S").to_string()),
            ("Up to event", made.seq.to_string()),
            ("Head of the log there", made.head.clone()),
        ];
        for (row, (what, value)) in (0..).zip(lines) {
            sheet.write_string_with_format(row, 0, what, &self.looks.heading)?;
            sheet.write_string(row, 1, value)?;
        }
        Ok(())
    }
}

/// The cells of one row, from left to right; what is not there is an empty one.
struct Cells<'a> {
    sheet: &'a mut Worksheet,
    looks: &'a Looks,
    row: u32,
    column: u16,
}

impl Cells<'_> {
    fn place(&mut self) -> u16 {
        let column = self.column;
        self.column = column.saturating_add(1);
        column
    }

    fn text(&mut self, text: &str) -> Result<(), XlsxError> {
        let column = self.place();
        if text.is_empty() {
            return Ok(());
        }
        let end = text.char_indices().nth(CELL_CHARS_MAX).map_or(text.len(), |(end, _)| end);
        self.sheet.write_string(self.row, column, text.get(..end).unwrap_or_default()).map(drop)
    }

    fn number(&mut self, number: Option<Decimal>) -> Result<(), XlsxError> {
        let column = self.place();
        let Some(number) = number else { return Ok(()) };
        self.sheet.write(self.row, column, number).map(drop)
    }

    /// A spreadsheet's numbers are floats, which hold sums of cents exactly to fifteen digits: nine trillion dollars.
    fn money(&mut self, money: Option<Money>) -> Result<(), XlsxError> {
        let column = self.place();
        let Some(money) = money else { return Ok(()) };
        let decimals = money.currency.exponent();
        let [two, none] = &self.looks.money;
        let look = if decimals == 0 { none } else { two };
        self.sheet.write_with_format(self.row, column, Decimal::new(money.minor, decimals), look).map(drop)
    }

    fn instant(&mut self, at: NaiveDateTime) -> Result<(), XlsxError> {
        let column = self.place();
        self.sheet.write_datetime_with_format(self.row, column, at, &self.looks.instant).map(drop)
    }

    fn day(&mut self, day: NaiveDate) -> Result<(), XlsxError> {
        let column = self.place();
        self.sheet.write_datetime_with_format(self.row, column, day, &self.looks.day).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::example;
    use super::*;
    use std::io::{Cursor, Read as _};

    /// Every part of the workbook, by name: what it is compressed to is the library's affair.
    #[test]
    fn the_golden_file_stays_as_it_is() {
        let mut book = Book::new().unwrap();
        book.rows(&example::rows()).unwrap();
        let mut out = Cursor::new(vec![]);
        book.end(&mut out, &example::made()).unwrap();
        let mut parts = zip::ZipArchive::new(out).unwrap();
        let mut names: Vec<String> = parts.file_names().map(str::to_owned).collect();
        names.sort_unstable();
        let mut all = String::new();
        for name in names {
            let mut part = String::new();
            parts.by_name(&name).unwrap().read_to_string(&mut part).unwrap();
            // A line a row, for people who compare.
            all.push_str(&format!("--- {name}\n{}\n", part.replace("<row", "\n<row").replace("<c ", "\n <c ")));
        }
        example::golden("donations.xlsx.txt", all.as_bytes());
    }
}
