//! Text in files that spreadsheets open.

use std::borrow::Cow;
use std::io::Write;

/// Stands where a donor was erased.
pub const ERASED: &str = "(erased)";

/// What a stranger typed, so that no spreadsheet takes it for a formula: a leading `'` where the text begins with a sign
/// that starts one (OWASP, "CSV injection").
pub fn inert(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}").into() } else { text.into() }
}

/// Writes RFC 4180: fields with commas, quotes or line breaks in quotes, lines that end in CR LF.
pub(super) fn csv<Out: Write>(out: Out) -> ::csv::Writer<Out> {
    ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(out)
}
