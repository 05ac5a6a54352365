//! Part `run`: the run of show in the studio.

use askama::Template;

/// The run of show: what was, what is on and for how long still, what follows.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "parts/run.html")]
pub struct Run {
    /// The items, in order.
    pub items: Vec<RunItem>,
    /// How the run stands against the plan: `4 min behind the plan`, or empty.
    pub pace: String,
    /// The large button.
    pub go: Option<RunGo>,
    /// What can be taken back.
    pub undo: Option<RunUndo>,
    /// Where the run is planned; absent once the rally is over.
    pub edit_href: Option<String>,
    /// Whether what is gone through now is practice.
    pub is_practice: bool,
}

/// One item.
#[derive(Debug, Clone)]
pub struct RunItem {
    /// The id the form sends.
    pub id: String,
    /// When it is planned to begin or really began: `8:21`.
    pub time: String,
    /// As the hosts call it.
    pub title: String,
    /// Where it stands.
    pub state: RunState,
    /// The label at its end: `done`, `ready`, `ask`, `2:41 left`.
    pub pill: String,
    /// How the label looks: one of the pill's classes, or empty.
    pub look: &'static str,
    /// When the item that is on is planned to end, in ms since 1970 UTC.
    pub ends_ms: Option<i64>,
    /// Sentences for whoever opens the item: planned and real times, what going to it does.
    pub notes: Vec<String>,
    /// Whether it can be gone to.
    pub can_go: bool,
}

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It was on.
    Done,
    /// It is on.
    Now,
    /// It is on for longer than planned.
    Over,
    /// It follows.
    Next,
    /// It follows, and in a minute.
    Soon,
    /// It comes later, or was passed over.
    Waits,
}

impl RunState {
    /// The class of the item's row.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Now => "now",
            Self::Over => "now over",
            Self::Next => "next",
            Self::Soon => "next soon",
            Self::Waits => "",
        }
    }
}

/// The large button of the run.
#[derive(Debug, Clone)]
pub struct RunGo {
    /// What the form sends: `start:…` or `stop:…`.
    pub action: String,
    /// `Next`, `Start` or `End`.
    pub verb: String,
    /// The item's title.
    pub title: String,
    /// What it does to the picture, in a sentence.
    pub note: String,
    /// Whether the sentence is a warning.
    pub is_warning: bool,
}

/// What can be taken back.
#[derive(Debug, Clone)]
pub struct RunUndo {
    /// What the form sends: `undo:…`.
    pub action: String,
    /// Where it goes back to: `back to Dolores Whitfield`.
    pub words: String,
}
