//! `/r/{slug}/overlay/{total|feed|goal}`: pictures to lay over the program in OBS.

use askama::Template;

use crate::web::view::{Feed, Layout, Total};

/// One overlay on a clear ground.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/overlay.html")]
pub struct Overlay {
    /// The frame around the page; only title, colours and `simulated` are used.
    pub layout: Layout,
    /// The rally's page.
    pub rally_href: String,
    /// Which overlay it is.
    pub kind: OverlayKind,
    /// Live part of the overlays `total` and `goal`.
    pub total: Total,
    /// Live part of the overlay `feed`.
    pub feed: Feed,
}

/// Which overlay it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverlayKind {
    /// The amount raised.
    Total,
    /// The latest donors.
    Feed,
    /// The bar towards the goal.
    Goal,
}

impl OverlayKind {
    /// The last piece of the overlay's address.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Feed => "feed",
            Self::Goal => "goal",
        }
    }
}
