//! The pure core: what may be asked (`Command`), what happened (`Event`), and the rules between the two.
//!
//! No I/O, no clock, no randomness: time and ids come in as arguments, so that a replay gives the same bytes.

mod as_json;
pub mod attendance;
pub mod audit;
pub mod books;
pub mod broadcast;
pub mod clip;
pub mod codec;
pub mod committee;
pub mod donation;
pub mod drive;
pub mod hash;
pub mod hook;
pub mod id;
pub mod inbox;
pub mod ledger;
pub mod likeness;
pub mod mail;
pub mod money;
pub mod period;
pub mod person;
pub mod plan;
pub mod privacy;
pub mod profile;
pub mod rally;
pub mod refund;
pub mod restream;
pub mod sealed;
pub mod seals;
mod shared;
pub mod show;
pub mod staff;
#[cfg(test)]
pub(crate) mod test_kit;
pub mod token;
pub mod work;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What may be asked of the domain.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    Ledger(ledger::Command),
    Staff(staff::Command),
    Rally(rally::Command),
    Broadcast(broadcast::Command),
    Show(show::Command),
    Clip(clip::Command),
    Restream(restream::Command),
    Attendance(attendance::Command),
    Donation(donation::Command),
    Inbox(inbox::Command),
    Mail(mail::Command),
    Privacy(privacy::Command),
    Committee(committee::Command),
    Drive(drive::Command),
    Books(books::Command),
    Audit(audit::Command),
    Plan(plan::Command),
    Token(token::Command),
    Hook(hook::Command),
    Period(period::Command),
    Refund(refund::Command),
    Work(work::Command),
    Person(person::Command),
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    Ledger(ledger::Event),
    Staff(staff::Event),
    Rally(rally::Event),
    Broadcast(broadcast::Event),
    Show(show::Event),
    Clip(clip::Event),
    Restream(restream::Event),
    Attendance(attendance::Event),
    Donation(donation::Event),
    Inbox(inbox::Event),
    Mail(mail::Event),
    Privacy(privacy::Event),
    Committee(committee::Event),
    Drive(drive::Event),
    Books(books::Event),
    Audit(audit::Event),
    Plan(plan::Event),
    Token(token::Event),
    Hook(hook::Event),
    Period(period::Event),
    Refund(refund::Event),
    Work(work::Event),
    Person(person::Event),
}

/// The rules said no; the message says what to do instead and is fit for the person who asked.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error(transparent)]
    Ledger(#[from] ledger::Refusal),
    #[error(transparent)]
    Staff(#[from] staff::Refusal),
    #[error(transparent)]
    Rally(#[from] rally::Refusal),
    #[error(transparent)]
    Broadcast(#[from] broadcast::Refusal),
    #[error(transparent)]
    Show(#[from] show::Refusal),
    #[error(transparent)]
    Clip(#[from] clip::Refusal),
    #[error(transparent)]
    Restream(#[from] restream::Refusal),
    #[error(transparent)]
    Attendance(#[from] attendance::Refusal),
    #[error(transparent)]
    Donation(#[from] donation::Refusal),
    #[error(transparent)]
    Inbox(#[from] inbox::Refusal),
    #[error(transparent)]
    Mail(#[from] mail::Refusal),
    #[error(transparent)]
    Privacy(#[from] privacy::Refusal),
    #[error(transparent)]
    Committee(#[from] committee::Refusal),
    #[error(transparent)]
    Drive(#[from] drive::Refusal),
    #[error(transparent)]
    Books(#[from] books::Refusal),
    #[error(transparent)]
    Audit(#[from] audit::Refusal),
    #[error(transparent)]
    Plan(#[from] plan::Refusal),
    #[error(transparent)]
    Token(#[from] token::Refusal),
    #[error(transparent)]
    Hook(#[from] hook::Refusal),
    #[error(transparent)]
    Period(#[from] period::Refusal),
    #[error(transparent)]
    Refund(#[from] refund::Refusal),
    #[error(transparent)]
    Work(#[from] work::Refusal),
    #[error(transparent)]
    Person(#[from] person::Refusal),
}

/// An event at its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Its number: 1 for the first, no gaps.
    pub seq: u64,
    /// When it was decided, in microseconds UTC.
    pub at: DateTime<Utc>,
    /// What happened.
    pub event: Event,
}

/// All that decisions rest on: a fold over every event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The ledger's kind of money, once opened.
    pub mode: Option<ledger::Mode>,
    /// Staff accounts.
    pub staff: staff::Staff,
    /// Rallies with their speakers.
    pub rallies: rally::Rallies,
    /// Feeds.
    pub broadcast: broadcast::Broadcast,
    /// Runs of show.
    pub shows: show::Shows,
    /// Where programs go besides.
    pub restreams: restream::Restreams,
    /// People.
    pub attendance: attendance::Attendance,
    /// Money.
    pub donations: donation::Donations,
    /// The processor's notices.
    pub inbox: inbox::Inbox,
    /// The processor's own books, as far as it told them.
    pub books: books::Books,
    /// What differs between them and the ledger.
    pub audit: audit::Audit,
    /// Goals and matches.
    pub drives: drive::Drives,
    /// Recurring gifts.
    pub plans: plan::Plans,
    /// Who takes the money, and by which rules.
    pub committees: committee::Committees,
    /// Letters.
    pub mail: mail::Mail,
    /// Programs that read the API.
    pub tokens: token::Tokens,
    /// Who outside is told.
    pub hooks: hook::Hooks,
    /// Periods that were closed.
    pub periods: period::Periods,
    /// Refunds that wait for a second person.
    pub refunds: refund::Refunds,
    /// Who does what of the finance team's work.
    pub work: work::Work,
    /// Donors who are one person, as somebody says.
    pub persons: person::Persons,
    /// Who was erased, and whose data the law keeps.
    pub privacy: privacy::Privacy,
}

/// Applies the rules: the events that follow from a command at an instant; none where it changes nothing.
///
/// # Errors
/// [`Refusal`]: nothing happens.
pub fn decide(state: &State, command: Command) -> Result<Vec<Event>, Refusal> {
    let mut events = match command {
        Command::Ledger(command) => ledger::decide(state, command)?,
        Command::Staff(command) => staff::decide(state, command)?,
        Command::Rally(command) => rally::decide(state, command)?,
        Command::Broadcast(command) => broadcast::decide(state, command)?,
        Command::Show(command) => show::decide(state, command)?,
        Command::Clip(command) => clip::decide(state, command)?,
        Command::Restream(command) => restream::decide(state, command)?,
        Command::Attendance(command) => attendance::decide(state, command)?,
        Command::Donation(command) => donation::decide(state, command)?,
        Command::Inbox(command) => inbox::decide(state, command)?,
        Command::Mail(command) => mail::decide(state, command)?,
        Command::Privacy(command) => privacy::decide(state, command)?,
        Command::Committee(command) => committee::decide(state, command)?,
        Command::Drive(command) => drive::decide(state, command)?,
        Command::Books(command) => books::decide(state, command)?,
        Command::Audit(command) => audit::decide(state, command)?,
        Command::Plan(command) => plan::decide(state, command)?,
        Command::Token(command) => token::decide(state, command)?,
        Command::Hook(command) => hook::decide(state, command)?,
        Command::Period(command) => period::decide(state, command)?,
        Command::Refund(command) => refund::decide(state, command)?,
        Command::Work(command) => work::decide(state, command)?,
        Command::Person(command) => person::decide(state, command)?,
    };
    mail::ask_for(state, &mut events);
    Ok(events)
}

impl State {
    /// Takes one event in, decided at `at`.
    pub fn evolve(&mut self, event: &Event, at: DateTime<Utc>) {
        match event {
            Event::Ledger(event) => ledger::evolve(self, event),
            Event::Staff(event) => staff::evolve(self, event, at),
            Event::Rally(event) => rally::evolve(self, event, at),
            Event::Broadcast(event) => broadcast::evolve(self, event),
            Event::Show(event) => show::evolve(self, event, at),
            Event::Clip(event) => clip::evolve(self, event),
            Event::Restream(event) => restream::evolve(self, event),
            Event::Attendance(event) => attendance::evolve(self, event),
            Event::Donation(event) => donation::evolve(self, event, at),
            Event::Inbox(event) => inbox::evolve(self, event),
            Event::Mail(event) => mail::evolve(self, event, at),
            Event::Privacy(event) => privacy::evolve(self, event, at),
            Event::Committee(event) => committee::evolve(self, event),
            Event::Drive(event) => drive::evolve(self, event),
            Event::Books(event) => books::evolve(self, event),
            Event::Audit(event) => audit::evolve(self, event, at),
            Event::Plan(event) => plan::evolve(self, event),
            Event::Token(event) => token::evolve(self, event, at),
            Event::Hook(event) => hook::evolve(self, event, at),
            Event::Period(event) => period::evolve(self, event, at),
            Event::Refund(event) => refund::evolve(self, event, at),
            Event::Work(event) => work::evolve(self, event),
            Event::Person(event) => person::evolve(self, event, at),
        }
        privacy::follow(self, event, at);
        plan::follow(self, event, at);
    }
}
