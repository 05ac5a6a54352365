//! `/host/first/{token}`: the first member of staff.

use askama::Template;

use crate::web::view::{Field, FormError, Layout};

/// The form that makes the first account; it is sent to the address it stands under.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/first_account.html")]
pub struct FirstAccount {
    /// The frame around the page.
    pub layout: Layout,
    /// Where the form is sent.
    pub action: String,
    /// What is wrong, when the form was refused.
    pub errors: Vec<FormError>,
    /// Field `name`.
    pub name: Field,
    /// Field `email`.
    pub email: Field,
    /// What is wrong with field `password`; it is never shown again.
    pub password_error: Option<String>,
    /// The least characters a password has.
    pub password_chars_min: u32,
}
