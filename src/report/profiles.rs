//! Who registered: read from the log where they joined, and opened with their key.

use crate::domain::id::PersonId;
use crate::domain::profile::Attendee;
use crate::domain::seals::ATTENDEE;
use crate::domain::{Event, attendance};
use crate::engine::lines::Lines;
use crate::engine::{self, Engine};
use crate::vault::{self, Vault};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use thiserror::Error;

/// Opens profiles, one after the other.
pub struct Profiles {
    lines: Lines,
    vault: Arc<Vault>,
}

/// Why a profile can't be had, though nobody erased it.
#[derive(Debug, Error)]
pub enum Fault {
    /// The log.
    #[error(transparent)]
    Log(#[from] engine::Fault),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] vault::Fault),
    /// What was sealed is not a profile.
    #[error("the profile of event {seq} can't be read: {source}")]
    Shape {
        /// The event.
        seq: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// There is another event in its place.
    #[error("by event {seq} nobody joined")]
    NobodyJoined {
        /// The event.
        seq: u64,
    },
}

impl Profiles {
    /// Opens profiles of this engine's log.
    pub fn new(engine: &Engine) -> Self {
        Self { lines: engine.lines(), vault: engine.vault().clone() }
    }

    /// When somebody joined by the event with this number, and what they gave; `None` where they were erased.
    ///
    /// # Errors
    /// [`Fault`]: log or vault are damaged.
    pub fn open(&mut self, person: PersonId, seq: u64) -> Result<(DateTime<Utc>, Option<Attendee>), Fault> {
        let recorded = self.lines.recorded(seq)?.ok_or(Fault::NobodyJoined { seq })?;
        let Event::Attendance(attendance::Event::Joined(joined)) = &recorded.event else {
            return Err(Fault::NobodyJoined { seq });
        };
        let opened = self.vault.unseal(person, ATTENDEE, &joined.profile)?;
        let profile = opened.map(|bytes| serde_json::from_slice(&bytes)).transpose();
        Ok((recorded.at, profile.map_err(|source| Fault::Shape { seq, source })?))
    }
}
