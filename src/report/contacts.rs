//! Who gave: what the pledge sealed, opened with the donor's key; and what it left out, where the donor answered for it since.

use crate::domain::id::PersonId;
use crate::domain::profile::{Contact, Work};
use crate::domain::seals::{CONTACT, REATTRIBUTED, WORK};
use crate::domain::{Event, donor, remedy};
use crate::engine::lines::Lines;
use crate::engine::{self, Engine};
use crate::projections::ledger::ContactAt;
use crate::vault::{self, Vault};
use std::sync::Arc;
use thiserror::Error;

/// Opens contacts, one after the other.
pub struct Contacts {
    engine: Engine,
    sealed: engine::contacts::Contacts,
    lines: Lines,
    vault: Arc<Vault>,
    /// The last event of which an answer counts.
    as_of: u64,
    /// What was opened last.
    text: Vec<u8>,
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
    #[error("event {seq} holds no contact")]
    NoPledge {
        /// The event.
        seq: u64,
    },
}

impl Contacts {
    /// Opens contacts of this engine's log, with every answer that was given.
    pub fn new(engine: &Engine) -> Self {
        Self::as_of(engine, u64::MAX)
    }

    /// The same with the answers that were given by an event.
    pub fn as_of(engine: &Engine, as_of: u64) -> Self {
        let (sealed, lines, vault) = (engine.contacts(), engine.lines(), engine.vault().clone());
        Self { engine: engine.clone(), sealed, lines, vault, as_of, text: vec![] }
    }

    /// The same as they were typed.
    pub fn as_typed(engine: &Engine) -> Self {
        Self::as_of(engine, 0)
    }

    /// The contact that was sealed in a pledge; `None` where the donor was erased. Not to be called by whoever holds the
    /// projections.
    ///
    /// # Errors
    /// [`Fault`]: log or vault are damaged.
    pub fn open(&mut self, donor: PersonId, at: ContactAt) -> Result<Option<Contact>, Fault> {
        let seq = at.seq;
        let Self { sealed, vault, text, .. } = self;
        let kept = sealed.kept(at).map(|sealed| vault.unseal_into(text, donor, CONTACT, sealed));
        let is_there = match kept {
            Some(Ok(is_there)) => is_there,
            // What is beside the log may be of another one; what is in it may not.
            None | Some(Err(_)) => {
                let sealed = sealed.logged(at)?.ok_or(Fault::NoPledge { seq })?;
                vault.unseal_into(text, donor, CONTACT, &sealed.bytes())?
            }
        };
        if !is_there {
            return Ok(None);
        }
        let mut contact: Contact = serde_json::from_slice(text).map_err(|source| Fault::Shape { seq, source })?;
        if contact.lacks().any()
            && let Some(answer) = self.answer(donor)?
        {
            contact.complete(answer);
        }
        Ok(Some(contact))
    }

    /// The contact of whom a part of a gift was reattributed to by an event; `None` where they were erased.
    ///
    /// # Errors
    /// [`Fault`]: log or vault are damaged.
    pub fn reattributed(&mut self, person: PersonId, seq: u64) -> Result<Option<Contact>, Fault> {
        let Some(Event::Remedy(remedy::Event::Reattributed(data))) = self.lines.event(seq)? else {
            return Err(Fault::NoPledge { seq });
        };
        let Some(bytes) = self.vault.unseal(person, REATTRIBUTED, &data.contact)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|source| Fault::Shape { seq, source })
    }

    /// What somebody answered last.
    fn answer(&mut self, donor: PersonId) -> Result<Option<Work>, Fault> {
        let Some(answer) = self.engine.world().donors.answer(donor, self.as_of) else { return Ok(None) };
        let seq = answer.seq;
        let Some(Event::Donor(donor::Event::Answered(answered))) = self.lines.event(seq)? else { return Ok(None) };
        let Some(bytes) = self.vault.unseal(donor, WORK, &answered.work)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|source| Fault::Shape { seq, source })
    }

    /// The same for a page: what can't be had is told to the operator and shown as missing.
    pub fn shown(&mut self, donor: PersonId, at: ContactAt) -> Option<Contact> {
        self.open(donor, at).unwrap_or_else(|fault| {
            tracing::error!(%fault, "a contact could not be opened");
            None
        })
    }
}
