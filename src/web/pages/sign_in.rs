//! `/host/sign-in`.

use askama::Template;

use crate::web::view::{Field, Layout};

/// The sign-in form.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/sign_in.html")]
pub struct SignIn {
    /// The frame around the page.
    pub layout: Layout,
    /// Where to go afterwards, sent back in field `next`.
    pub next: String,
    /// Field `email`.
    pub email: Field,
    /// Why the form was refused, one sentence for the whole form.
    pub error: Option<String>,
}
