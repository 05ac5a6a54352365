//! Part `drive`: what sponsors add, and the goals beside the rally's own.

use askama::Template;

/// Part `drive`; empty where nothing was set, or all of it is over.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "parts/drive.html")]
pub struct Drive {
    /// Matches that run, come, or came to something.
    pub matches: Vec<MatchLine>,
    /// Stretch goals, and that of the speaker on program.
    pub goals: Vec<GoalLine>,
}

/// A sponsor's match.
#[derive(Debug, Clone)]
pub struct MatchLine {
    /// Tells the lines apart.
    pub id: String,
    /// `Every gift is doubled until 9:00 pm EDT`, `50 % is added to every gift from 8:00 pm EDT`, `Matched in full`, `Matched`.
    pub heading: String,
    /// Who matches.
    pub sponsor: String,
    /// Whether it runs right now.
    pub running: bool,
    /// What they add so far: `$42,310`.
    pub added: String,
    /// The most they add: `$100,000`.
    pub most: String,
    /// Whole percent of the most.
    pub percent: u32,
}

/// A goal.
#[derive(Debug, Clone)]
pub struct GoalLine {
    /// Tells the lines apart.
    pub id: String,
    /// What happens then: `Ten field offices`, `While Joan Petrie speaks: buses`.
    pub name: String,
    /// What there is of it: `$42,310`.
    pub raised: String,
    /// The sum: `$100,000`.
    pub goal: String,
    /// Whole percent, not capped.
    pub percent: u32,
}
