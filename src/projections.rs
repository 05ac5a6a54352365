//! What pages and exports read: pure folds over recorded events, as of the last durable one.

pub mod access;
pub mod alike;
pub mod crowd;
pub mod donors;
pub mod drive;
pub mod feed;
pub mod ledger;
pub mod open;
pub mod persons;
pub mod recurring;
pub mod remedies;
pub mod room;
pub mod signals;
#[cfg(test)]
pub mod test_kit;
pub mod totals;
pub mod work;

use crate::domain::hash::HashMap;
use crate::domain::id::RallyId;
use crate::domain::{Event, Recorded, State, attendance, broadcast, clip, donor, privacy, rally};
use serde::{Deserialize, Serialize};

/// Every projection together, so that a page reads one instant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Projections {
    /// The newest event folded in; 0 for none.
    pub seq: u64,
    /// What decisions rest on, read here by pages.
    pub state: State,
    /// Money by rally.
    pub totals: totals::Totals,
    /// What is promised and not here, by rally.
    pub open: open::Open,
    /// People by rally.
    pub room: room::Room,
    /// Who came from where and when, and what they gave.
    pub crowd: crowd::Crowd,
    /// The latest donors by rally.
    pub feed: feed::Feed,
    /// Every settled donation, and what happened to its money since, for finance.
    pub ledger: ledger::Ledger,
    /// Who was asked for what their gift lacks, and who answered.
    pub donors: donors::Donors,
    /// What was done about gifts over a limit.
    pub remedies: remedies::Remedies,
    /// What was given towards goals and under matches.
    pub drive: drive::Drive,
    /// What happened to recurring gifts.
    pub recurring: recurring::Recurring,
    /// Who looked at people's data.
    pub accesses: access::Accesses,
    /// What a host has to know of feeds.
    pub signals: signals::Signals,
    /// Who was merged with whom at each event.
    pub persons: persons::Persons,
    /// Donors who may be one person.
    pub alike: alike::Alike,
    /// What the finance team has done lately.
    pub finished: work::Finished,
    changed: HashMap<RallyId, u64>,
}

impl Projections {
    /// Takes in the next event.
    pub fn apply(&mut self, recorded: &Recorded) {
        self.state.evolve(&recorded.event, recorded.at);
        // Asks the totals who had given before this event.
        self.crowd.apply(recorded, &self.state, &self.totals, &self.ledger);
        self.totals.apply(recorded);
        self.open.apply(recorded, &self.state);
        self.room.apply(recorded);
        self.feed.apply(recorded);
        self.ledger.apply(recorded, &self.state);
        self.donors.apply(recorded);
        self.remedies.apply(recorded);
        self.drive.apply(recorded, &self.state, &self.ledger);
        self.recurring.apply(recorded);
        self.accesses.apply(recorded);
        self.signals.apply(recorded);
        self.persons.apply(recorded);
        self.alike.apply(recorded, &self.state);
        self.finished.apply(recorded, &self.state);
        self.seq = recorded.seq;
        let touches_all = matches!(
            recorded.event,
            Event::Ledger(_)
                | Event::Broadcast(broadcast::Event::StrangerRefused(_))
                | Event::Privacy(privacy::Event::Erased(_))
        );
        if touches_all {
            self.changed.values_mut().for_each(|seq| *seq = recorded.seq);
        }
        if let Some(rally) = rally_of(&recorded.event, &self.state) {
            self.changed.insert(rally, recorded.seq);
        }
    }

    /// The parts that differ from another's, by name.
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let same = [
            ("seq", self.seq == other.seq),
            ("kind of money", self.state.mode == other.state.mode),
            ("remedies, by decisions", self.state.remedies == other.state.remedies),
            ("committees", self.state.committees == other.state.committees),
            ("processor's books", self.state.books == other.state.books),
            ("mismatches", self.state.audit == other.state.audit),
            ("staff", self.state.staff == other.state.staff),
            ("rallies", self.state.rallies == other.state.rallies),
            ("broadcast", self.state.broadcast == other.state.broadcast),
            ("runs of show", self.state.shows == other.state.shows),
            ("restreams", self.state.restreams == other.state.restreams),
            ("attendance", self.state.attendance == other.state.attendance),
            ("donations", self.state.donations == other.state.donations),
            ("donors asked, by decisions", self.state.donors == other.state.donors),
            ("inbox", self.state.inbox == other.state.inbox),
            ("mail", self.state.mail == other.state.mail),
            ("goals and matches", self.state.drives == other.state.drives),
            ("recurring gifts", self.state.plans == other.state.plans),
            ("privacy", self.state.privacy == other.state.privacy),
            ("tokens", self.state.tokens == other.state.tokens),
            ("webhooks", self.state.hooks == other.state.hooks),
            ("closed periods", self.state.periods == other.state.periods),
            ("refunds that wait", self.state.refunds == other.state.refunds),
            ("work", self.state.work == other.state.work),
            ("merged donors", self.state.persons == other.state.persons),
            ("turns of recurring gifts", self.recurring == other.recurring),
            ("totals", self.totals == other.totals),
            ("open", self.open == other.open),
            ("room", self.room == other.room),
            ("crowd", self.crowd == other.crowd),
            ("feed", self.feed == other.feed),
            ("ledger", self.ledger == other.ledger),
            ("donors asked", self.donors == other.donors),
            ("remedies", self.remedies == other.remedies),
            ("drive", self.drive == other.drive),
            ("accesses", self.accesses == other.accesses),
            ("signals", self.signals == other.signals),
            ("merges over time", self.persons == other.persons),
            ("donors who look alike", self.alike == other.alike),
            ("finished work", self.finished == other.finished),
            ("changes", self.changed == other.changed),
        ];
        // Should a part be forgotten above, the whole still tells.
        let rest = ("something else", self == other || same.iter().any(|(_, same)| !same));
        same.into_iter().chain([rest]).filter(|(_, same)| !same).map(|(name, _)| name).collect()
    }

    /// The newest event that touched this rally; 0 for none.
    pub fn changed(&self, rally: RallyId) -> u64 {
        self.changed.get(&rally).copied().unwrap_or(0)
    }
}

/// The rally that an event is of, where it is of one.
pub fn rally_of(event: &Event, state: &State) -> Option<RallyId> {
    let of_donation = |id| state.donations.get(id).map(|donation| donation.rally);
    match event {
        Event::Ledger(_)
        | Event::Staff(_)
        | Event::Inbox(_)
        | Event::Mail(_)
        | Event::Privacy(_)
        | Event::Committee(_)
        | Event::Books(_)
        | Event::Audit(_)
        | Event::Token(_)
        | Event::Hook(_)
        | Event::Period(_)
        | Event::Refund(_)
        | Event::Work(_)
        | Event::Person(_) => None,
        Event::Drive(event) => Some(event.rally()),
        Event::Plan(event) => state.plans.get(event.plan()).map(|plan| plan.rally),
        Event::Rally(event) => Some(match event {
            rally::Event::Created(data) | rally::Event::Revised(data) => data.rally,
            rally::Event::SpeakerAdded(data) => data.rally,
            rally::Event::SpeakerRemoved(data) | rally::Event::StreamKeyReplaced(data) => data.rally,
            rally::Event::CaptionsAddressReplaced(data) => data.rally,
            rally::Event::RecordingKept(data) => data.rally,
            rally::Event::DoorsOpened(data) | rally::Event::Ended(data) | rally::Event::RecordingDeleted(data) => {
                data.rally
            }
        }),
        Event::Clip(event) => Some(match event {
            clip::Event::Added(data) => data.rally,
            clip::Event::Removed(data) => data.rally,
        }),
        Event::Broadcast(event) => match event {
            broadcast::Event::SourceConnected(data) => Some(data.rally),
            broadcast::Event::SourceDisconnected(data) | broadcast::Event::SourceRefused(data) => Some(data.rally),
            broadcast::Event::Cut(data) => Some(data.rally),
            broadcast::Event::Noted(data) => Some(data.rally),
            broadcast::Event::TookProgram(data) => Some(data.rally),
            broadcast::Event::StrangerRefused(_) => None,
        },
        Event::Show(event) => Some(event.rally()),
        Event::Restream(event) => Some(event.rally()),
        Event::Attendance(event) => Some(match event {
            attendance::Event::Joined(data) => data.rally,
            attendance::Event::Entered(data) | attendance::Event::Left(data) | attendance::Event::Withdrew(data) => {
                data.rally
            }
            attendance::Event::Agreed(data) => data.rally,
            attendance::Event::Invited(data) => data.rally,
        }),
        Event::Donation(event) => event.donation().and_then(of_donation),
        Event::Donor(donor::Event::Asked(data)) => of_donation(data.donation),
        Event::Donor(donor::Event::Answered(data)) => of_donation(data.donation),
        Event::Remedy(event) => of_donation(event.donation()),
    }
}
