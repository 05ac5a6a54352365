//! `/host/r/{slug}/speakers/{id}`: how one speaker goes live.

use askama::Template;

use crate::web::view::{Layout, SourceState};

/// The page a host sends to a speaker or prints.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/golive.html")]
pub struct GoLive {
    /// The frame around the page.
    pub layout: Layout,
    /// The studio.
    pub studio_href: String,
    /// The rally's title.
    pub rally_title: String,
    /// Date and time in words.
    pub when: String,
    /// The speaker's name.
    pub name: String,
    /// The speaker's role, or empty.
    pub role: String,
    /// `rtmp://rally.example:1935/live`.
    pub server: String,
    /// The speaker's key: whoever has it is this speaker.
    pub stream_key: String,
    /// The whole address of the rally's page, which Zoom asks for.
    pub rally_url: String,
    /// What the feed is doing, when the page was made.
    pub state: SourceState,
    /// What is known of the feed, or empty.
    pub detail: String,
    /// Where a new key is made (POST); absent when that is not offered.
    pub new_key_action: Option<String>,
}
