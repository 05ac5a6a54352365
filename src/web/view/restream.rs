//! Parts `restreams` and `destinations`: the servers that the program is sent on to.

use askama::Template;

/// Part `restreams`: one line for each server, in the studio.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "parts/restreams.html")]
pub struct Restreams {
    /// In the order they were added.
    pub destinations: Vec<Destination>,
}

/// Part `destinations`: the same with buttons, which belong to the form `restream` that stands outside the part.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "parts/destinations.html")]
pub struct Destinations {
    /// In the order they were added.
    pub destinations: Vec<Destination>,
    /// Whether they can be switched on.
    pub open: bool,
}

/// One server.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The id the form sends.
    pub id: String,
    /// As the host calls it.
    pub label: String,
    /// Its address.
    pub server: String,
    /// The stream key but for its last characters: `…abcd`.
    pub key: String,
    /// Whether the program is to go there.
    pub on: bool,
    /// The state in a word or two.
    pub pill: &'static str,
    /// How that looks: one of the pill's classes, or empty.
    pub look: &'static str,
    /// The state in a sentence.
    pub words: String,
}
