//! What every table for spreadsheets has in common.

use std::io::Write;

/// RFC 4180: fields with commas, quotes or line breaks in quotes, lines that end in CR LF.
pub(super) fn writer<Out: Write>(out: Out) -> ::csv::Writer<Out> {
    ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(out)
}

/// What a stranger typed, so that no spreadsheet takes it for a formula: a leading `'` where the text begins with a sign
/// that starts one (OWASP, "CSV injection").
pub(super) fn safe(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{text}") } else { text.into() }
}
