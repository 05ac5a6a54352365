//! `/r/{slug}/donate/{id}`: the card.

use askama::Template;

use crate::web::view::Layout;

/// The card step of a donation.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/card.html")]
pub struct Card {
    /// The frame around the page.
    pub layout: Layout,
    /// The rally's title.
    pub rally_title: String,
    /// The rally's page.
    pub rally_href: String,
    /// This donation's page.
    pub donation_href: String,
    /// Back to the form with what was typed.
    pub edit_href: String,
    /// The amount with its currency: `$50`.
    pub amount: String,
    /// The donor's name.
    pub name: String,
    /// The donor's e-mail address.
    pub email: String,
    /// Where the payment stands.
    pub state: CardState,
    /// Who takes the card.
    pub kind: CardKind,
    /// Who pays for it, as the law wants it said.
    pub paid_for_by: String,
}

/// Where the payment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardState {
    /// The card is asked for.
    Ready,
    /// The card was refused: why and what to do, in plain words; it is asked for again.
    Declined(String),
    /// The simulated bank asks whether the payment is really the donor's.
    BankAsks,
    /// The processor has not answered yet; the page loads itself again.
    Processing,
}

/// Who takes the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardKind {
    /// Nobody: the donor chooses what happens. The form is sent to `{donation_href}/simulate`.
    Simulated {
        /// The card chosen before, when there was one: `works`, `declined`, `bank`.
        chosen: String,
    },
    /// Stripe's own field in the page.
    Stripe {
        /// The key a browser may know.
        publishable_key: String,
        /// Where Stripe's script comes from.
        script_url: String,
        /// The secret of this one payment.
        client_secret: String,
        /// The whole address to come back to from the bank.
        return_url: String,
    },
}
