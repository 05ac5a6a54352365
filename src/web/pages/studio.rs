//! `/host/r/{slug}`: where a rally is run.

use askama::Template;

use crate::web::view::{Air, Feed, Field, Kpis, Layout, Phase, Refusals, Sources};

/// The studio of one rally.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/studio.html")]
pub struct Studio {
    /// The frame around the page.
    pub layout: Layout,
    /// The studio's own address; every form on it is sent to an address below it.
    pub href: String,
    /// The rally's page.
    pub rally_href: String,
    /// The rally's title.
    pub title: String,
    /// Date and time in words.
    pub when: String,
    /// Where the rally is in its life.
    pub phase: Phase,
    /// Live part.
    pub air: Air,
    /// Live part.
    pub kpis: Kpis,
    /// Live part.
    pub sources: Sources,
    /// Live part.
    pub feed: Feed,
    /// Live part.
    pub refusals: Refusals,
    /// Where OBS sends: `rtmp://rally.example:1935/live`.
    pub rtmp_url: String,
    /// The whole address of the rally's page.
    pub share_url: String,
    /// The overlays' whole addresses.
    pub overlays: Vec<OverlayLink>,
    /// Field `name` of the form that adds a speaker.
    pub speaker_name: Field,
    /// Field `role` of it.
    pub speaker_role: Field,
}

/// An overlay to put over the picture in OBS.
#[derive(Debug, Clone)]
pub struct OverlayLink {
    /// `Total`, `Goal bar`, `Latest donors`.
    pub label: String,
    /// The whole address.
    pub url: String,
}
