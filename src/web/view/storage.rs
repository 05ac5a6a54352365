//! Part `storage`: the room for recordings, for hosts.

use askama::Template;

/// Part `storage`: how much room there is, how long it lasts and what happens then. In the studio it is there when it matters.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "parts/storage.html")]
pub struct Storage {
    /// `12.4 GiB`.
    pub used: String,
    /// `20.0 GiB`.
    pub limit: String,
    /// Used, of the limit.
    pub percent: u64,
    /// `about 2 h 10 min`; none while nothing is recorded.
    pub left: Option<String>,
    /// What happens when it is full: a sentence or two; empty where nothing is recorded at all.
    pub full: String,
    /// What a host has to know now: a sentence or two.
    pub warning: Option<String>,
}
