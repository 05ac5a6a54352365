//! Who looked at people's data or took it, as CSV, for whoever asks the campaign to account for it.

use super::row::Made;
use super::text::{self, inert};
use chrono::{DateTime, SecondsFormat, Utc};
use std::io::Write;

/// The columns, in order.
pub const COLUMNS: [&str; 8] = ["event", "at_utc", "who", "name", "how", "what", "part", "reason"];

/// One time.
pub struct Line {
    /// Its event.
    pub seq: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who, as the log names them.
    pub who: String,
    /// The same for people.
    pub name: String,
    /// `seen`, `taken` or `disclosed`.
    pub how: &'static str,
    /// What: `ledger`, `csv`.
    pub what: String,
    /// Which part of it.
    pub of: String,
    /// Why, in their words.
    pub reason: String,
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

/// Writes times, in their order.
///
/// # Errors
/// Those of `out`.
pub fn lines(out: impl Write, lines: impl IntoIterator<Item = Line>) -> std::io::Result<()> {
    let mut csv = text::csv(out);
    for line in lines {
        csv.write_record([
            &*line.seq.to_string(),
            &line.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            &inert(&line.who),
            &inert(&line.name),
            line.how,
            &inert(&line.what),
            &inert(&line.of),
            &inert(&line.reason),
        ])?;
    }
    csv.flush()
}

/// Writes the last line: what the file says of itself, and the log's head.
///
/// # Errors
/// Those of `out`.
pub fn footer(out: impl Write, made: &Made) -> std::io::Result<()> {
    let mut csv = text::csv(out);
    let at = made.at.to_rfc3339_opts(SecondsFormat::Micros, true);
    csv.write_record([
        &*made.seq.to_string(),
        &at,
        "",
        &inert(&made.by),
        "ledger head",
        "",
        &made.head,
        &inert(&made.reason),
    ])?;
    csv.flush()
}

#[cfg(test)]
mod tests {
    use super::super::row::example;
    use super::*;

    #[test]
    fn the_golden_file_stays_as_it_is() {
        let line = |seq, name: &str, how, what: &str, of: &str, reason: &str| Line {
            seq,
            at: "2028-07-26T01:13:58.5Z".parse().unwrap(),
            who: "staff:4c102969-7ee3-8871-9d3a-14a2add817c4".into(),
            name: name.into(),
            how,
            what: what.into(),
            of: of.into(),
            reason: reason.into(),
        };
        let mut out = vec![];
        header(&mut out).unwrap();
        let all = [
            line(7, "Ana \"AR\" Ruiz, Jr.", "seen", "ledger", "rally=answer-the-call&from=&to=", ""),
            line(9, "=cmd", "taken", "csv", "rally=&from=2028-07-01&to=", "for the bank, as agreed"),
            line(12, "root, in a shell", "disclosed", "log", "events 1 to 40", "asked by the auditor"),
        ];
        lines(&mut out, all).unwrap();
        footer(&mut out, &example::made()).unwrap();
        example::golden("access.csv", &out);
    }
}
