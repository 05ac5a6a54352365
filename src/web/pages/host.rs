//! `/host`: the staff's list of rallies.

use askama::Template;

use crate::web::view::{Layout, Phase};

/// The staff's list of rallies.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/host.html")]
pub struct Host {
    /// The frame around the page.
    pub layout: Layout,
    /// The rallies, the live and the next ones first.
    pub rallies: Vec<HostRally>,
}

/// One rally as staff see it.
#[derive(Debug, Clone)]
pub struct HostRally {
    /// Its studio.
    pub studio_href: String,
    /// Its public page.
    pub rally_href: String,
    /// Its form.
    pub edit_href: String,
    /// Its title.
    pub title: String,
    /// Where it is in its life.
    pub phase: Phase,
    /// Date and time in words.
    pub when: String,
    /// The total with its currency.
    pub raised: String,
    /// `18,204 donors`.
    pub donors: String,
    /// `4 speakers`.
    pub speakers: String,
}
