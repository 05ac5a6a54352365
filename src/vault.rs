//! The vault: personal data sealed a person at a time, with keys that live apart from the log so that erasing one is final.

use crate::domain::id::PersonId;
use crate::domain::sealed::Sealed;
use std::path::{Path, PathBuf};

/// Why a key or sealed data could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A file or folder operation failed.
    #[error("{doing} {} failed: {source}. Check the disk (space, permissions, kernel log), then start again", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

/// The keys of one server.
pub struct Vault {}

impl Vault {
    /// Opens the vault in `dir`, making it when there is none.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn open(_dir: &Path) -> Result<Self, Fault> {
        Ok(Self {})
    }

    /// A secret for one purpose, derived from the master secret: the same for the same context and data.
    pub fn derive(&self, _context: &str, _data: &[u8]) -> [u8; 32] {
        [0; 32]
    }

    /// The person behind an e-mail address: the same however it is spelt, and not to be guessed without the master secret.
    pub fn person_id(&self, _email: &str) -> PersonId {
        PersonId(uuid::Uuid::nil())
    }

    /// Seals `plaintext` with the person's key, making one (pending until [`Vault::commit`]) when there is none.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn seal(&self, _person: PersonId, _context: &str, _plaintext: &[u8]) -> Result<Sealed, Fault> {
        Ok(Sealed::new(Vec::new()))
    }

    /// Writes and syncs pending keys; to be called before anything sealed is appended to the log.
    ///
    /// # Errors
    /// [`Fault::Io`]; the process must stop.
    pub fn commit(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// Opens what [`Vault::seal`] made; `None` when the person was erased.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn unseal(&self, _person: PersonId, _context: &str, _sealed: &Sealed) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }

    /// Destroys the person's key: what was sealed with it can never be read again. True when there was one.
    ///
    /// # Errors
    /// [`Fault::Io`]; the process must stop.
    pub fn erase(&self, _person: PersonId) -> Result<bool, Fault> {
        Ok(false)
    }
}
