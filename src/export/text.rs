//! Text in files that spreadsheets open.

use std::borrow::Cow;

/// Stands where a donor was erased.
pub const ERASED: &str = "(erased)";

/// What a stranger typed, so that no spreadsheet takes it for a formula: a leading `'` where the text begins with a sign
/// that starts one (OWASP, "CSV injection").
pub fn inert(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}").into() } else { text.into() }
}
