//! A question before something that can't be undone.

use askama::Template;

use crate::web::view::Layout;

/// The question, and the form that does it.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/confirm.html")]
pub struct Confirm {
    /// The frame around the page.
    pub layout: Layout,
    /// The question: `Refund $50.00 to Joan Petrie?`
    pub question: String,
    /// What will happen, a paragraph an entry.
    pub consequences: Vec<String>,
    /// Where the form is sent.
    pub action: String,
    /// Hidden fields besides `csrf`: name and value.
    pub fields: Vec<(String, String)>,
    /// The words on the button: `Refund $50.00`.
    pub button: String,
    /// Where giving up leads.
    pub cancel_href: String,
}
