//! `/r/{slug}/donate`: who gives, and how much.

use askama::Template;

use crate::web::view::{Amount, Choice, Field, FormError, Layout};

/// The donate form; the card comes on the next page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/donate.html")]
pub struct Donate {
    /// The frame around the page.
    pub layout: Layout,
    /// The rally's title.
    pub rally_title: String,
    /// The rally's page; the form is sent to it with `/donate` after it.
    pub rally_href: String,
    /// Sent back in field `form_token`, so that a form sent twice gives once.
    pub form_token: String,
    /// What is wrong, when the form was refused.
    pub errors: Vec<FormError>,
    /// Suggested amounts, field `amount`; `other` is the last choice.
    pub amounts: Vec<Amount>,
    /// Whether `other` is chosen.
    pub other_selected: bool,
    /// Field `amount_other`; its error is also the error of the amount as a whole.
    pub amount_other: Field,
    /// The sign before an amount: `$`.
    pub currency_symbol: String,
    /// The currency's code: `USD`.
    pub currency_code: String,
    /// The least and the most that may be given: `From $1 to $3,300.`
    pub amount_hint: String,
    /// Field `first_name`.
    pub first_name: Field,
    /// Field `last_name`.
    pub last_name: Field,
    /// Field `email`.
    pub email: Field,
    /// Field `address`.
    pub address: Field,
    /// Field `city`.
    pub city: Field,
    /// Field `region`: state or region.
    pub region: Field,
    /// Field `postal`.
    pub postal: Field,
    /// Field `country`: countries, the likely ones first.
    pub countries: Vec<Choice>,
    /// What is wrong with the country.
    pub country_error: Option<String>,
    /// Field `employer`.
    pub employer: Field,
    /// Field `occupation`.
    pub occupation: Field,
    /// Field `not_employed`: neither employer nor occupation is asked.
    pub not_employed: bool,
    /// Field `show_as`: how the name is shown (`full`, `first`, `anonymous`).
    pub show_as: Vec<Choice>,
    /// Field `message`.
    pub message: Field,
    /// The most characters a message may have.
    pub message_chars_max: u32,
    /// What the donor confirms, each a checkbox `attest` with its id as value.
    pub attestations: Vec<Attestation>,
    /// Who pays for it, as the law wants it said.
    pub paid_for_by: String,
}

/// A statement the donor confirms.
#[derive(Debug, Clone)]
pub struct Attestation {
    /// The id the form sends.
    pub id: String,
    /// The statement, in the first person.
    pub wording: String,
    /// Whether it was confirmed.
    pub checked: bool,
    /// What is wrong with it.
    pub error: Option<String>,
}
