//! What pages share: the frame around every page, form pieces, and the parts that are drawn the same at first paint and in
//! a live frame.
//!
//! Every field is text (or a flag or a list) in its final form: templates choose words and places, they compute nothing.

pub mod captions;
pub mod chart;
pub mod drive;
pub mod letters;
pub mod making;
pub mod restream;
pub mod run;
pub mod storage;

use askama::Template;

/// What stands around every page.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// The document's title.
    pub title: String,
    /// The name on the mark at the top left: the campaign's on public pages, the installation's on staff pages.
    pub site: String,
    /// The campaign's colour in the light theme, such as `#d6301f`.
    pub accent: String,
    /// Text on `accent`, at 4.5:1.
    pub on_accent: String,
    /// The campaign's colour in the dark theme and on the dark stage: the same one when it has 3:1 on `#131218`, else a
    /// lighter one that has.
    pub accent_dark: String,
    /// Text on `accent_dark`, at 4.5:1.
    pub on_accent_dark: String,
    /// Whether the processor is simulated, so that the page must say that no money moves.
    pub simulated: bool,
    /// The token every form on the page sends back in its field `csrf`.
    pub csrf: String,
    /// The signed-in member of staff, on staff pages.
    pub staff: Option<Staff>,
    /// One message about what was just done, shown once under the header.
    pub notice: Option<Notice>,
    /// Whether the page stands in a frame: beside the rally's picture, or on the campaign's own site.
    pub framed: bool,
}

/// The signed-in member of staff and where in the staff pages they are.
#[derive(Debug, Clone, Default)]
pub struct Staff {
    /// Their name.
    pub name: String,
    /// Which entry of the menu is marked.
    pub room: StaffRoom,
}

/// An entry of the staff menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StaffRoom {
    /// Rallies and studios.
    #[default]
    Host,
    /// Figures and exports.
    Finance,
}

/// A message about what was just done.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The message, a whole sentence.
    pub text: String,
    /// Whether it reports that something was refused or failed.
    pub bad: bool,
}

/// What was typed in one field, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Field {
    /// The value to show in the field.
    pub value: String,
    /// What is wrong, in words that say what to do; absent when nothing is.
    pub error: Option<String>,
}

/// One line of the summary above a form that was refused.
#[derive(Debug, Clone)]
pub struct FormError {
    /// The id of the field the line leads to; by convention the field's name.
    pub field: String,
    /// What is wrong, in words that say what to do.
    pub message: String,
}

/// One entry of a list to choose from.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The value the form sends.
    pub value: String,
    /// The words shown.
    pub label: String,
    /// Whether it is the chosen one.
    pub selected: bool,
}

/// A suggested amount.
#[derive(Debug, Clone)]
pub struct Amount {
    /// Decimal text in the rally's currency, as the form sends it: `50` or `12.50`.
    pub value: String,
    /// The amount with its currency: `$50`.
    pub label: String,
    /// Whether it is chosen at first.
    pub selected: bool,
}

/// A speaker on the bill.
#[derive(Debug, Clone)]
pub struct Speaker {
    /// Name, as written by the host.
    pub name: String,
    /// Role or title; empty when there is none.
    pub role: String,
}

/// Part `total`: money raised against the goal.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/total.html")]
pub struct Total {
    /// What the figure is: `Raised tonight`, `Raised so far`, `Raised in all`.
    pub heading: String,
    /// The amount with its currency: `$1,482,310`.
    pub raised: String,
    /// The goal with its currency; absent when the rally has none.
    pub goal: Option<String>,
    /// Whole percent of the goal, not capped.
    pub percent: u32,
    /// Marks on the bar; empty without a goal.
    pub milestones: Vec<Milestone>,
    /// The number of donors: `18,204`.
    pub donors: String,
    /// The word after it: `donor` or `donors`.
    pub donors_word: String,
}

/// A mark on the goal bar.
#[derive(Debug, Clone)]
pub struct Milestone {
    /// Where it stands, in whole percent of the goal.
    pub percent: u32,
    /// Whether the total has passed it.
    pub reached: bool,
}

/// Part `feed`: the latest donors, newest first.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "parts/feed.html")]
pub struct Feed {
    /// The latest donations.
    pub donors: Vec<FeedDonor>,
}

/// One donation as everybody may see it.
#[derive(Debug, Clone)]
pub struct FeedDonor {
    /// A stable id, so that the script knows who is new.
    pub id: String,
    /// The amount with its currency.
    pub amount: String,
    /// The name as the donor wants it shown.
    pub name: String,
    /// Where they are, such as `Lansing`.
    pub place: Option<String>,
    /// What they wrote.
    pub message: Option<String>,
    /// The time in words: `just now`, `4 min`.
    pub when: String,
    /// The time as RFC 3339; the script keeps the words current from it.
    pub at_iso: String,
}

/// Part `ticker`: the latest donors in one line under the picture.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "parts/ticker.html")]
pub struct Ticker {
    /// Sentences such as `Joan from Lansing gave $50`.
    pub lines: Vec<String>,
}

/// Part `stage`: what stands over the picture.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/stage.html")]
pub struct Stage {
    /// Who is on program; absent while the holding slate stands.
    pub speaker: Option<Speaker>,
    /// The slate's large line, shown when nobody is on.
    pub slate_title: String,
    /// The slate's second line.
    pub slate_text: String,
}

/// Part `lineup`: who is on and who follows, under the picture.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "parts/lineup.html")]
pub struct Lineup {
    /// `Dolores Whitfield`; absent while nobody is on.
    pub now: Option<String>,
    /// `Ama Boateng`; absent when nobody follows.
    pub next: Option<String>,
    /// The whole bill, in order.
    pub speakers: Vec<LineupSpeaker>,
}

/// A speaker's place on the bill.
#[derive(Debug, Clone)]
pub struct LineupSpeaker {
    /// Name, as written by the host.
    pub name: String,
    /// A short line: the role, `on now`, `8:31 pm`.
    pub line: String,
    /// Whether they are on program.
    pub on: bool,
}

/// Part `room`: how many people are here.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "parts/room.html")]
pub struct Room {
    /// Open pages: `43,918`.
    pub here: String,
    /// People who joined with a name, since the start: `61,204`.
    pub joined: String,
}

/// Part `kpis`: the studio's figures.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "parts/kpis.html")]
pub struct Kpis {
    /// The figures, in reading order.
    pub figures: Vec<Kpi>,
}

/// One figure with its name and a note.
#[derive(Debug, Clone)]
pub struct Kpi {
    /// What it is: `Raised`.
    pub label: String,
    /// The figure: `$1,482,310`.
    pub value: String,
    /// A short line under it, or empty: `+$38,420 in 5 min`.
    pub note: String,
}

/// Part `sources`: every speaker's feed and its state. Buttons belong to the form `program` that stands outside the part,
/// so that a frame shared by all staff holds nobody's token.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "parts/sources.html")]
pub struct Sources {
    /// The speakers, in order.
    pub sources: Vec<Source>,
}

/// One speaker's feed.
#[derive(Debug, Clone)]
pub struct Source {
    /// The id the form sends.
    pub id: String,
    /// The key that puts it on program, `1` to `9`, or empty.
    pub key: String,
    /// The speaker's name.
    pub name: String,
    /// The speaker's role, or empty.
    pub role: String,
    /// What the feed is doing.
    pub state: SourceState,
    /// What is known of the feed: `OBS · 1280×720 · 2.6 Mbit/s`, or empty.
    pub detail: String,
    /// What is wrong with it, in sentences that say what to do.
    pub warnings: Vec<String>,
    /// The playlist of its own picture, for staff; absent while it is not connected.
    pub preview: Option<String>,
    /// The page that tells this speaker how to go live.
    pub golive_href: String,
    /// Whether it is the one the host put on, whether or not its picture arrives.
    pub on_program: bool,
    /// Whether the server would take a cut to this source now.
    pub can_cut: bool,
}

/// What a source is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceState {
    /// Nothing has been sent yet.
    NotConnected,
    /// It sends and may be put on program.
    Ready,
    /// The host has cut to it, and its next keyframe is waited for.
    Waiting,
    /// It is what the audience sees.
    OnAir,
    /// The server refused it, and why.
    Refused(String),
    /// It was sending and stopped, and since when: `dropped 14 s ago`.
    Dropped(String),
}

/// Part `air`: the state of the rally in the studio's header.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/air.html")]
pub struct Air {
    /// The state of the doors.
    pub phase: Phase,
    /// The state in words: `ON AIR 1:12:08`, `DOORS CLOSED`, `ENDED`.
    pub label: String,
}

/// Part `refusals`: what was turned away lately, and why.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "parts/refusals.html")]
pub struct Refusals {
    /// Newest first.
    pub refusals: Vec<RefusalLine>,
}

/// One thing that was turned away.
#[derive(Debug, Clone)]
pub struct RefusalLine {
    /// The time: `8:21:04 pm`.
    pub when: String,
    /// Who or what: `Ruth Calloway`, `unknown stream key`.
    pub who: String,
    /// The reason, a whole sentence.
    pub reason: String,
}

/// Where a rally is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The doors are closed.
    Before,
    /// The doors are open.
    Live,
    /// It is over.
    Ended,
}

impl Phase {
    /// The word a page and a live frame carry, by which the script knows that the page must be loaded again.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Live => "live",
            Self::Ended => "ended",
        }
    }
}
