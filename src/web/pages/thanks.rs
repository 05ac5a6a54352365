//! `/r/{slug}/donate/{id}` once the money came: thanks and the receipt.

use askama::Template;

use crate::web::view::{Layout, Total};

/// The page after a donation.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/thanks.html")]
pub struct Thanks {
    /// The frame around the page.
    pub layout: Layout,
    /// The rally's title.
    pub rally_title: String,
    /// The rally's page.
    pub rally_href: String,
    /// Whether its doors are open, so that the way back says so.
    pub rally_live: bool,
    /// The donor's first name.
    pub first_name: String,
    /// The amount with its currency: `$50`.
    pub amount: String,
    /// The receipt's lines.
    pub receipt: Vec<ReceiptLine>,
    /// The address the receipt goes to, or empty when none is sent.
    pub receipt_email: String,
    /// Live part: the total with this donation in it.
    pub total: Total,
    /// The whole address, to pass on.
    pub share_url: String,
    /// Who pays for it, as the law wants it said.
    pub paid_for_by: String,
}

/// One line of a receipt.
#[derive(Debug, Clone)]
pub struct ReceiptLine {
    /// `Date`, `Receipt number`, `Card`.
    pub label: String,
    /// What stands beside it.
    pub value: String,
}
