//! Letters in words of their own: about a recurring gift, or one that was held.

use super::{Facts, Note};
use askama::Template;

/// One in HTML.
#[derive(Template)]
#[template(path = "mail/note.html")]
pub(super) struct Html<'a> {
    pub(super) facts: &'a Facts,
    pub(super) note: &'a Note,
    pub(super) site: &'a str,
    pub(super) subject: &'a str,
}

/// The same in text.
#[derive(Template)]
#[template(path = "mail/note.txt")]
pub(super) struct Text<'a> {
    pub(super) facts: &'a Facts,
    pub(super) note: &'a Note,
    pub(super) site: &'a str,
    pub(super) public_url: &'a str,
}
