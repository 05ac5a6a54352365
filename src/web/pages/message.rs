//! Errors and other pages that only say something.

use askama::Template;

use crate::web::view::Layout;

/// A page that says what happened and what to do.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/message.html")]
pub struct Message {
    /// The frame around the page.
    pub layout: Layout,
    /// The status code, `404`; empty when the page reports no error.
    pub code: String,
    /// What happened, in a few words.
    pub title: String,
    /// What happened and what to do, a paragraph an entry.
    pub body: Vec<String>,
    /// The way on: address and words.
    pub action: Option<(String, String)>,
    /// What to name when asking for help, such as the request's id; empty when there is none.
    pub reference: String,
}
