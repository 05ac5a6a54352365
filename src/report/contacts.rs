//! Who gave: read from the log where the pledge stands, and opened with the donor's key.

use crate::domain::id::PersonId;
use crate::domain::profile::Contact;
use crate::domain::seals::CONTACT;
use crate::domain::{Event, donation};
use crate::engine::lines::Lines;
use crate::engine::{self, Engine};
use crate::vault::{self, Vault};
use std::sync::Arc;
use thiserror::Error;

/// Opens contacts, one after the other.
pub struct Contacts {
    lines: Lines,
    vault: Arc<Vault>,
}

/// Why a contact can't be had, though nobody erased it.
#[derive(Debug, Error)]
pub enum Fault {
    /// The log.
    #[error(transparent)]
    Log(#[from] engine::Fault),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] vault::Fault),
    /// What was sealed is not a contact.
    #[error("the contact of event {seq} can't be read: {source}")]
    Shape {
        /// The pledge.
        seq: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// There is another event in its place.
    #[error("event {seq} is not a pledge")]
    NoPledge {
        /// The event.
        seq: u64,
    },
}

impl Contacts {
    /// Opens contacts of this engine's log.
    pub fn new(engine: &Engine) -> Self {
        Self { lines: engine.lines(), vault: engine.vault().clone() }
    }

    /// The contact in the pledge with this number; `None` where the donor was erased.
    ///
    /// # Errors
    /// [`Fault`]: log or vault are damaged.
    pub fn open(&mut self, donor: PersonId, seq: u64) -> Result<Option<Contact>, Fault> {
        let Some(Event::Donation(donation::Event::Pledged(pledged))) = self.lines.event(seq)? else {
            return Err(Fault::NoPledge { seq });
        };
        let Some(bytes) = self.vault.unseal(donor, CONTACT, &pledged.contact)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|source| Fault::Shape { seq, source })
    }

    /// The same for a page: what can't be had is told to the operator and shown as missing.
    pub fn shown(&mut self, donor: PersonId, seq: u64) -> Option<Contact> {
        self.open(donor, seq).unwrap_or_else(|fault| {
            tracing::error!(%fault, "a contact could not be opened");
            None
        })
    }
}
