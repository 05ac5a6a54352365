//! `/host/new` and `/host/r/{slug}/edit`: what a rally is.

use askama::Template;

use crate::web::view::{Choice, Field, FormError, Layout};

/// The form of a rally.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/rally_form.html")]
pub struct RallyForm {
    /// The frame around the page.
    pub layout: Layout,
    /// Where the form is sent.
    pub action: String,
    /// Where giving up leads.
    pub cancel_href: String,
    /// Whether the rally is being made.
    pub is_new: bool,
    /// The address before the slug, such as `https://rally.example/r/`.
    pub slug_prefix: String,
    /// What is wrong, when the form was refused.
    pub errors: Vec<FormError>,
    /// Field `title`.
    pub title: Field,
    /// Field `slug`.
    pub slug: Field,
    /// Field `date`: `2028-07-25`.
    pub date: Field,
    /// Field `time`: `19:30`.
    pub time: Field,
    /// Field `timezone`.
    pub timezones: Vec<Choice>,
    /// What is wrong with the time zone.
    pub timezone_error: Option<String>,
    /// Field `description`.
    pub description: Field,
    /// Field `goal`: decimal text, may be empty.
    pub goal: Field,
    /// Field `currency`.
    pub currencies: Vec<Choice>,
    /// What is wrong with the currency.
    pub currency_error: Option<String>,
    /// Whether the currency can't change any more, because money came in.
    pub currency_fixed: bool,
    /// Field `amounts`: decimal texts with commas between.
    pub amounts: Field,
    /// Field `paid_for_by`.
    pub paid_for_by: Field,
    /// Field `accent`: `#d6301f`.
    pub accent: Field,
}
