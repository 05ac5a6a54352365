//! `/finance`: what came in, what went back, and the file of it.

use askama::Template;

use crate::web::view::{Choice, Field, Layout};

/// The finance page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/finance.html")]
pub struct Finance {
    /// The frame around the page.
    pub layout: Layout,
    /// The day the figures are of: `July 25, 2028`.
    pub as_of_date: String,
    /// The instant: `9:14:00 pm`.
    pub as_of_time: String,
    /// The time zone it is told in: `Eastern`.
    pub as_of_zone: String,
    /// The figures, one set a currency; empty when no money ever came.
    pub figures: Vec<Figures>,
    /// Field `rally` of the filter.
    pub rallies_choice: Vec<Choice>,
    /// Field `from` of the filter: `2028-07-25`.
    pub from: Field,
    /// Field `to` of the filter.
    pub to: Field,
    /// The CSV of just this selection.
    pub export_href: String,
    /// Money by rally.
    pub rallies: Vec<FinanceRally>,
    /// Money by day, latest first.
    pub days: Vec<FinanceDay>,
    /// The latest donations and refunds, latest first.
    pub rows: Vec<FinanceRow>,
    /// How many more rows the CSV has: `Showing 50 of 18,204; the CSV has them all.` Empty when all are shown.
    pub rows_note: String,
    /// The log's head hash, shortened, or empty.
    pub ledger_head: String,
}

/// The four figures in one currency.
#[derive(Debug, Clone)]
pub struct Figures {
    /// The currency's code: `USD`.
    pub currency: String,
    /// What was given: `$1,482,310.00`.
    pub gross: String,
    /// What went back: `−$2,450.00`.
    pub refunds: String,
    /// What the processor kept: `−$43,104.27`, or `–` while not known.
    pub fees: String,
    /// What is left.
    pub net: String,
    /// `18,204 donations`.
    pub donations: String,
    /// `12 refunds`.
    pub refund_count: String,
}

/// One rally's money.
#[derive(Debug, Clone)]
pub struct FinanceRally {
    /// Its title.
    pub title: String,
    /// The page of just this rally.
    pub href: String,
    /// Its date.
    pub when: String,
    /// The number of donations.
    pub donations: String,
    /// Money given.
    pub gross: String,
    /// Money returned.
    pub refunds: String,
    /// Fees, or `–`.
    pub fees: String,
    /// What is left.
    pub net: String,
}

/// One day's money.
#[derive(Debug, Clone)]
pub struct FinanceDay {
    /// `Tue, July 25`.
    pub day: String,
    /// The number of donations.
    pub donations: String,
    /// Money given.
    pub gross: String,
    /// Money returned.
    pub refunds: String,
    /// What is left.
    pub net: String,
    /// Length of the day's bar: its gross in whole percent of the best day's.
    pub share: u32,
}

/// A donation or a refund.
#[derive(Debug, Clone)]
pub struct FinanceRow {
    /// `July 25, 9:13:58 pm`.
    pub when: String,
    /// The same as RFC 3339.
    pub when_iso: String,
    /// The donor's name.
    pub donor: String,
    /// `Lansing MI`, or empty.
    pub place: String,
    /// The rally's title.
    pub rally: String,
    /// Money given, or returned with a minus.
    pub gross: String,
    /// The fee, or `–`.
    pub fee: String,
    /// What is left, or `–`.
    pub net: String,
    /// Whether the row is a refund.
    pub is_refund: bool,
    /// A word besides the plain case: `refunded`, `refund on its way`, `disputed`; empty otherwise.
    pub state: String,
    /// The processor's or our own reference.
    pub reference: String,
    /// Where a refund is asked for (POST, answered by a question first); absent when there is nothing to refund.
    pub refund_action: Option<String>,
}
