//! Records: fields by name, at the places that format 8.5 gives them.

use hardmoney::parser::SpecVersion;
use hardmoney::parser::tables::Table;
use thiserror::Error;

/// The version of the format.
pub const VERSION: SpecVersion = SpecVersion::electronic(8, 5);
/// Between two fields.
pub const SEPARATOR: u8 = 0x1c;

/// A field that format 8.5 does not have: a fault of this program, or of a newer layout.
#[derive(Debug, Error)]
#[error("format 8.5 has no field {field} in its table {table}")]
pub struct NoSuchField {
    table: Table,
    field: &'static str,
}

/// Some of a table's fields, in an order of ours, and where they stand: looked up once for a file of any length.
pub struct Record {
    /// For each column what stands there: one of ours.
    columns: Vec<Option<usize>>,
}

impl Record {
    /// These fields of a table.
    ///
    /// # Errors
    /// One of them is not in the format.
    pub fn new(table: Table, fields: &[&'static str]) -> Result<Self, NoSuchField> {
        let layout = table.layout(VERSION);
        let mut columns = vec![None; layout.map_or(0, |layout| layout.width.into())];
        for (place, field) in fields.iter().enumerate() {
            let column = layout.and_then(|layout| layout.field(field)).map(|known| usize::from(known.column));
            let slot = column.and_then(|column| columns.get_mut(column));
            *slot.ok_or(NoSuchField { table, field })? = Some(place);
        }
        Ok(Self { columns })
    }

    /// Appends one record; the values stand in the order of the fields. Each is written as it is.
    pub fn write(&self, out: &mut Vec<u8>, values: &[&str]) {
        for (column, place) in self.columns.iter().enumerate() {
            if column > 0 {
                out.push(SEPARATOR);
            }
            let value = place.and_then(|place| values.get(place)).copied().unwrap_or_default();
            out.extend_from_slice(value.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Cents as the format has them: `-12.34`.
pub fn amount(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", minor.unsigned_abs() / 100, minor.unsigned_abs() % 100)
}

/// A day as the format has it: `20260704`.
pub fn day(day: chrono::NaiveDate) -> String {
    day.format("%Y%m%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_stands_where_the_format_has_it() {
        let record = Record::new(Table::Text, &["text", "rec_type"]).unwrap();
        let mut out = vec![];
        record.write(&mut out, &["words", "TEXT"]);
        assert_eq!(String::from_utf8(out).unwrap(), "TEXT\u{1c}\u{1c}\u{1c}\u{1c}\u{1c}words\r\n");
        let unknown = Record::new(Table::Text, &["text", "colour"]).err().unwrap();
        assert!(unknown.to_string().contains("colour"));
    }

    #[test]
    fn amounts() {
        for (minor, written) in
            [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (-123_456, "-1234.56"), (i64::MIN, "-92233720368547758.08")]
        {
            assert_eq!(amount(minor), written);
        }
    }
}
