//! The studio's part about captions.

use askama::Template;

/// Part `captions`: what the captioner sent last.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "parts/captions.html")]
pub struct Captions {
    /// What came last, if anything has.
    pub last: Option<LastCaption>,
    /// What is wrong, a sentence or two; empty if nothing is.
    pub warning: String,
}

/// A caption.
#[derive(Debug, Clone)]
pub struct LastCaption {
    /// `8:21:04 pm`.
    pub when: String,
    /// `English (US)`.
    pub language: String,
    /// Its text on one line.
    pub text: String,
}
