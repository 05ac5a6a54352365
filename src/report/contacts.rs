//! Who gave: what the pledge sealed, opened with the donor's key.

use crate::domain::id::PersonId;
use crate::domain::profile::Contact;
use crate::domain::seals::CONTACT;
use crate::engine::{self, Engine};
use crate::projections::ledger::ContactAt;
use crate::vault::{self, Vault};
use std::sync::Arc;
use thiserror::Error;

/// Opens contacts, one after the other.
pub struct Contacts {
    sealed: engine::contacts::Contacts,
    vault: Arc<Vault>,
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
    #[error("event {seq} is not a pledge")]
    NoPledge {
        /// The event.
        seq: u64,
    },
}

impl Contacts {
    /// Opens contacts of this engine's log.
    pub fn new(engine: &Engine) -> Self {
        Self { sealed: engine.contacts(), vault: engine.vault().clone(), text: vec![] }
    }

    /// The contact that was sealed in a pledge; `None` where the donor was erased.
    ///
    /// # Errors
    /// [`Fault`]: log or vault are damaged.
    pub fn open(&mut self, donor: PersonId, at: ContactAt) -> Result<Option<Contact>, Fault> {
        let seq = at.seq;
        let Self { sealed, vault, text } = self;
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
        serde_json::from_slice(text).map(Some).map_err(|source| Fault::Shape { seq, source })
    }

    /// The same for a page: what can't be had is told to the operator and shown as missing.
    pub fn shown(&mut self, donor: PersonId, at: ContactAt) -> Option<Contact> {
        self.open(donor, at).unwrap_or_else(|fault| {
            tracing::error!(%fault, "a contact could not be opened");
            None
        })
    }
}
