//! What a host has to know of feeds: why one was refused, why one went away.

use crate::domain::hash::HashMap;
use crate::domain::id::{RallyId, SourceId};
use crate::domain::{Event, Recorded, broadcast};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Refusals kept for each rally: what the studio shows at once.
const REFUSALS_MAX: usize = 5;

/// A feed that was turned away or went away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Whose feed.
    pub source: SourceId,
    /// When.
    pub at: DateTime<Utc>,
    /// In words for the host.
    pub reason: String,
}

/// Signals by rally and feed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Signals {
    refusals: HashMap<RallyId, VecDeque<Signal>>,
    strangers: VecDeque<(DateTime<Utc>, String)>,
    dropped: HashMap<SourceId, Signal>,
    refused: HashMap<SourceId, Signal>,
}

impl Signals {
    /// The latest refusals, newest first.
    pub fn refusals(&self, rally: RallyId) -> impl Iterator<Item = &Signal> {
        self.refusals.get(&rally).into_iter().flatten()
    }

    /// The latest that came without a valid key, newest first: when, and what they were told.
    pub fn strangers(&self) -> impl Iterator<Item = &(DateTime<Utc>, String)> {
        self.strangers.iter()
    }

    /// Why the feed is away, if it was here before.
    pub fn dropped(&self, source: SourceId) -> Option<&Signal> {
        self.dropped.get(&source)
    }

    /// Why the feed was refused, if nothing came of it since.
    pub fn refused(&self, source: SourceId) -> Option<&Signal> {
        self.refused.get(&source)
    }

    pub(super) fn apply(&mut self, recorded: &Recorded) {
        let Event::Broadcast(event) = &recorded.event else { return };
        let signal = |data: &broadcast::SourceReason| Signal {
            source: data.source,
            at: recorded.at,
            reason: data.reason.clone(),
        };
        match event {
            broadcast::Event::SourceConnected(data) => {
                self.dropped.remove(&data.source);
                self.refused.remove(&data.source);
            }
            broadcast::Event::SourceDisconnected(data) => {
                self.dropped.insert(data.source, signal(data));
            }
            broadcast::Event::SourceRefused(data) => {
                self.refused.insert(data.source, signal(data));
                let refusals = self.refusals.entry(data.rally).or_default();
                refusals.truncate(REFUSALS_MAX - 1);
                refusals.push_front(signal(data));
            }
            broadcast::Event::StrangerRefused(data) => {
                self.strangers.truncate(REFUSALS_MAX - 1);
                self.strangers.push_front((recorded.at, data.reason.clone()));
            }
            broadcast::Event::Cut(_) | broadcast::Event::TookProgram(_) | broadcast::Event::Noted(_) => {}
        }
    }
}
