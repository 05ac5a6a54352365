//! What is open, a line an item.

use super::named::Wanted;
use super::team::{Hold, Team};
use super::{Filter, LINES_MAX, Sent, words, zone};
use crate::domain::work::{Item, Kind};
use crate::projections::Projections;
use crate::projections::work::Waiting;
use crate::web::pages::home::day_in_words;
use crate::web::present;
use crate::web::session::Staff;
use crate::web::view::Choice;
use chrono::{DateTime, Utc};

/// Something that waits.
#[derive(Debug, Clone)]
pub struct Line {
    /// Of which kind.
    pub kind: &'static str,
    /// Who has it.
    pub hold: Hold,
    /// What is to be done.
    pub what: String,
    /// Where.
    pub href: String,
    /// Whom it is about.
    pub who: String,
    /// Until which day; empty where nobody has told.
    pub due: String,
    /// Until what time on it.
    pub due_time: String,
    /// The same as RFC 3339.
    pub due_iso: String,
    /// Whether that is over.
    pub is_overdue: bool,
    /// Whether a person says that it is done.
    pub is_said: bool,
    /// What was typed as a note, where that was refused.
    pub note: String,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// The kinds to choose from, with how many of each are open.
pub(super) fn kinds(all: &[Waiting], filter: Filter) -> Vec<Choice> {
    let choice = |kind: Kind| {
        let open = all.iter().filter(|one| one.item.kind == kind).count();
        let label = format!("{} ({})", words::name(kind).1, present::count(open));
        Choice { value: kind.word().into(), label, selected: filter.kind == Some(kind) }
    };
    let every = Choice { value: String::new(), label: "Every kind".into(), selected: filter.kind.is_none() };
    std::iter::once(every).chain(Kind::ALL.map(choice)).collect()
}

/// The first of what is open and asked for; what was sent and refused before all.
pub(super) fn lines(
    world: &Projections,
    all: &[Waiting],
    filter: Filter,
    (staff, team): (&Staff, &Team),
    sent: Option<&Sent>,
    now: DateTime<Utc>,
) -> (Vec<Wanted<Line>>, usize) {
    let zone = zone(world);
    let to = |item: &Item| world.state.work.standing(item).to;
    let is_asked = |one: &&Waiting| filter.takes(one.item.kind) && (!filter.mine || to(&one.item) == Some(staff.id));
    let mut asked: Vec<&Waiting> = all.iter().filter(is_asked).collect();
    let is_sent = |one: &Waiting| sent.is_some_and(|sent| sent.item == one.item);
    asked.sort_by_key(|one| !is_sent(one));
    let more = asked.len().saturating_sub(LINES_MAX);
    let line = |one: &Waiting| {
        let (said, sent) = (words::words(world, &one.item), sent.filter(|_| is_sent(one)));
        let line = Line {
            kind: words::name(one.item.kind).0,
            hold: team.hold(&world.state, &one.item),
            what: said.what,
            href: said.href,
            who: words::about_nobody(one.item.kind).into(),
            due: one.due.map(|due| day_in_words(due, zone)).unwrap_or_default(),
            due_time: one.due.map(|due| present::time(due, zone)).unwrap_or_default(),
            due_iso: one.due.map(present::iso).unwrap_or_default(),
            is_overdue: one.due.is_some_and(|due| due < now),
            is_said: one.item.kind.is_said(),
            note: sent.map(|sent| sent.note.clone()).unwrap_or_default(),
            error: sent.map(|sent| sent.error.clone()),
        };
        Wanted::new(world, line, one.donation)
    };
    (asked.into_iter().take(LINES_MAX).map(line).collect(), more)
}
