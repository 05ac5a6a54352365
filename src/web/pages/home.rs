//! `/`: every rally of this installation.

use askama::Template;

use crate::web::view::Layout;

/// The list of rallies.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/home.html")]
pub struct Home {
    /// The frame around the page.
    pub layout: Layout,
    /// Rallies whose doors are open.
    pub live: Vec<RallyCard>,
    /// Rallies to come, soonest first.
    pub upcoming: Vec<RallyCard>,
    /// Rallies that are over, latest first.
    pub past: Vec<RallyCard>,
}

/// One rally in the list.
#[derive(Debug, Clone)]
pub struct RallyCard {
    /// The rally's page.
    pub href: String,
    /// Its title.
    pub title: String,
    /// Date and time in words, in the rally's time zone.
    pub when: String,
    /// The same as RFC 3339.
    pub when_iso: String,
    /// The first words of the description, or empty.
    pub blurb: String,
    /// The rally's colour in the light theme.
    pub accent: String,
    /// Text on it.
    pub on_accent: String,
    /// The rally's colour in the dark theme.
    pub accent_dark: String,
    /// Text on it.
    pub on_accent_dark: String,
    /// The total with its currency; absent while nothing came in.
    pub raised: Option<String>,
    /// How many people are here now, for a live rally.
    pub here: Option<String>,
}
