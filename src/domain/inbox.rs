//! The processor's notices (webhooks): stored before they are interpreted, each interpreted once.

use super::State;
use super::hash::HashSet;
use super::id::{CommitteeId, NoticeId, PersonId, Short};
use super::sealed::Sealed;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// What may be asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    /// Keep a verified notice.
    Receive(Received),
    /// Say that its meaning has been taken into the ledger.
    MarkInterpreted { notice: NoticeId, outcome: String },
    /// Say that the processor's own list of notices was read to its end.
    CatchUp(CaughtUp),
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    Received(Received),
    Interpreted(Interpreted),
    CaughtUp(CaughtUp),
}

/// A verified notice, as it came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// Whose account it came from.
    #[serde(default, skip_serializing_if = "CommitteeId::is_first")]
    pub committee: CommitteeId,
    /// The processor's id of it.
    pub notice: NoticeId,
    /// The processor's word for its kind.
    pub what: String,
    /// Whose key seals the body: a name of its own, since the donor is known only after interpretation.
    pub sealed_for: PersonId,
    /// The raw bytes, sealed: processors repeat names and addresses in them.
    pub body: Sealed,
}

/// A notice's meaning is in the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interpreted {
    /// Which.
    pub notice: NoticeId,
    /// In words for an operator.
    pub outcome: String,
}

/// The processor's own list of its notices was read to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaughtUp {
    /// Of whose account.
    #[serde(default, skip_serializing_if = "CommitteeId::is_first")]
    pub committee: CommitteeId,
    /// Those made from then on were listed.
    pub since: DateTime<Utc>,
    /// When the reading began.
    pub until: DateTime<Utc>,
    /// How many were listed.
    pub listed: u64,
    /// How many of them had not come by themselves.
    pub taken: u64,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Refusal {
    /// It was never received.
    #[error("there is no such notice")]
    Unknown,
}

/// Every notice by id, and those whose meaning is still to be taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inbox {
    seen: HashSet<Short>,
    #[serde(with = "super::as_json")]
    waiting: BTreeMap<NoticeId, Received>,
    caught_up: BTreeMap<CommitteeId, DateTime<Utc>>,
}

impl Inbox {
    /// Notices received and not interpreted.
    pub fn waiting(&self) -> impl Iterator<Item = &Received> {
        self.waiting.values()
    }

    /// Those of them that came from a committee's account.
    pub fn waiting_of(&self, committee: CommitteeId) -> impl Iterator<Item = &Received> {
        self.waiting().filter(move |received| received.committee == committee)
    }

    /// Whether it was received.
    pub fn knows(&self, notice: &NoticeId) -> bool {
        self.seen.contains(&notice.short())
    }

    /// When the processor's list of an account was last read, as far as it was recorded.
    pub fn caught_up(&self, committee: CommitteeId) -> Option<DateTime<Utc>> {
        self.caught_up.get(&committee).copied()
    }
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let inbox = &state.inbox;
    let event = match command {
        Command::Receive(received) => {
            if inbox.seen.contains(&received.notice.short()) {
                return Ok(vec![]);
            }
            Event::Received(received)
        }
        Command::MarkInterpreted { notice, outcome } => {
            if !inbox.seen.contains(&notice.short()) {
                return Err(Refusal::Unknown);
            }
            if !inbox.waiting.contains_key(&notice) {
                return Ok(vec![]);
            }
            Event::Interpreted(Interpreted { notice, outcome })
        }
        Command::CatchUp(read) => {
            // A clock that stepped back must not make the next reading skip anything.
            if inbox.caught_up(read.committee).is_some_and(|before| read.until <= before) {
                return Ok(vec![]);
            }
            Event::CaughtUp(read)
        }
    };
    Ok(vec![super::Event::Inbox(event)])
}

pub(super) fn evolve(state: &mut State, event: &Event) {
    match event {
        Event::Received(received) => {
            state.inbox.seen.insert(received.notice.short());
            state.inbox.waiting.insert(received.notice.clone(), received.clone());
        }
        Event::Interpreted(interpreted) => {
            state.inbox.waiting.remove(&interpreted.notice);
        }
        Event::CaughtUp(read) => {
            state.inbox.caught_up.insert(read.committee, read.until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_kit::*;

    const PARTY: CommitteeId = CommitteeId(1);

    fn received() -> Received {
        let (notice, what) = (NoticeId("evt_1".into()), "payment_intent.succeeded".into());
        Received { committee: PARTY, notice, what, sealed_for: PERSON, body: sealed(1) }
    }

    fn receive() -> Command {
        Command::Receive(received())
    }

    #[test]
    fn a_notice_is_kept_once_and_interpreted_once() {
        let mark = || Command::MarkInterpreted { notice: NoticeId("evt_1".into()), outcome: "settled".into() };
        given_nothing().when(mark()).refuses(Refusal::Unknown);
        let kept = given_nothing().when(receive()).then([Event::Received(received())]);
        kept.when(receive()).changes_nothing();
        assert_eq!(kept.state.inbox.waiting_of(PARTY).collect::<Vec<_>>(), [&received()]);
        assert_eq!(kept.state.inbox.waiting_of(CommitteeId::FIRST).count(), 0);
        let interpreted = Interpreted { notice: NoticeId("evt_1".into()), outcome: "settled".into() };
        let done = kept.when(mark()).then([Event::Interpreted(interpreted)]);
        assert_eq!(done.state.inbox.waiting().count(), 0);
        done.when(mark()).changes_nothing();
        done.when(receive()).changes_nothing();
        assert!(
            done.state.inbox.knows(&NoticeId("evt_1".into())) && !done.state.inbox.knows(&NoticeId("evt_2".into()))
        );
    }

    #[test]
    fn the_list_was_read_until_the_latest_reading() {
        let told = |until| CaughtUp { committee: PARTY, since: at(0), until, listed: 3, taken: 1 };
        let read = |until| Command::CatchUp(told(until));
        let event = |until| Event::CaughtUp(told(until));
        let once = given_nothing().when(read(at(60))).then([event(at(60))]);
        assert_eq!(once.state.inbox.caught_up(PARTY), Some(at(60)));
        assert_eq!(once.state.inbox.caught_up(CommitteeId::FIRST), None);
        once.when(read(at(59))).changes_nothing();
        once.when(read(at(61))).then([event(at(61))]);
    }
}
