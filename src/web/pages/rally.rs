//! `/r/{slug}`: the rally before, while and after it happens.

use askama::Template;

use crate::web::view::{Amount, Feed, Field, FormError, Layout, Lineup, Phase, Room, Speaker, Stage, Ticker, Total};

/// The rally's page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/rally.html")]
pub struct Rally {
    /// The frame around the page.
    pub layout: Layout,
    /// Where the rally is in its life.
    pub phase: Phase,
    /// The rally's page: `/r/answer-the-call`; every other address on the page starts with it.
    pub href: String,
    /// Its title.
    pub title: String,
    /// The description, a paragraph an entry.
    pub description: Vec<String>,
    /// `Thursday, July 25`.
    pub date: String,
    /// `7:30 pm Eastern`.
    pub time: String,
    /// The start as RFC 3339.
    pub starts_iso: String,
    /// The bill.
    pub speakers: Vec<Speaker>,
    /// Suggested amounts.
    pub amounts: Vec<Amount>,
    /// The one amount on the phone's dock.
    pub quick: Amount,
    /// The form to join with.
    pub join: Join,
    /// Live part.
    pub total: Total,
    /// Live part.
    pub feed: Feed,
    /// Live part.
    pub ticker: Ticker,
    /// Live part.
    pub stage: Stage,
    /// Live part.
    pub lineup: Lineup,
    /// Live part.
    pub room: Room,
    /// The whole address, to pass on.
    pub share_url: String,
    /// Who pays for it, as the law wants it said.
    pub paid_for_by: String,
}

/// The form by which a visitor joins.
#[derive(Debug, Clone, Default)]
pub struct Join {
    /// The name of the visitor who has joined; absent when they have not.
    pub joined_as: Option<String>,
    /// What is wrong, when the form was refused.
    pub errors: Vec<FormError>,
    /// Field `name`.
    pub name: Field,
    /// Field `email`.
    pub email: Field,
    /// Field `postal`.
    pub postal: Field,
}
