//! Part `making`: the files that are being made, and how far each is.

use askama::Template;

/// Files that are being made; nothing is shown where there are none.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/making.html")]
pub struct MakingPart {
    /// In the order in which they were asked for.
    pub files: Vec<MakingLine>,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct MakingLine {
    /// Its kind.
    pub format: &'static str,
    /// Who takes it.
    pub name: String,
    /// How much of it is done.
    pub percent: u64,
    /// `412,000 of 1,010,883 rows`.
    pub rows: String,
}
