//! The vault: personal data sealed a person at a time, with keys that live apart from the log so that erasing one is final.
//!
//! Each person has a random key, kept in the file `keys`; what the log holds is sealed with it. Erasing a person overwrites
//! that key in place. The file `master` holds one secret from which cookies, stream keys and person ids are derived. A backup
//! that holds `keys` also holds the keys of people erased later, so backups of it have to expire.

mod cipher;
mod keys;
mod link;
mod master;

use crate::domain::hash::HashMap;
use crate::domain::id::{CardId, ErasureId, PersonId};
use crate::domain::sealed::Sealed;
use keys::KeyFile;
use parking_lot::{Mutex, RwLock};
use std::fmt;
use std::path::{Path, PathBuf};
use unicode_normalization::UnicodeNormalization as _;
use uuid::Uuid;
use zeroize::Zeroizing;

/// XChaCha20's nonce: long enough to be drawn at random for every message without two ever meeting.
const NONCE_BYTES: usize = 24;

/// A secret key that is wiped when dropped.
type Key = Zeroizing<[u8; 32]>;

/// Names an erasure in a slot: the last 12 bytes of its id, of which 62 bits are random; zeros for none.
type Mark = [u8; 12];

fn mark_of(erasure: ErasureId) -> Mark {
    let bytes = erasure.0.as_bytes();
    let mut mark = Mark::default();
    mark.iter_mut().zip(bytes.iter().skip(4)).for_each(|(to, from)| *to = *from);
    mark
}

/// Why a key or sealed data could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Another process has the vault open.
    #[error("{} is held by another process: stop it, or start this one with another --data folder", path.display())]
    Held {
        /// The file it holds.
        path: PathBuf,
    },
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
    /// A slot of the key file is not what was written.
    #[error("slot {slot} of {} is damaged: keep a copy of the file, then put the data folder back from a backup", path.display())]
    DamagedSlot {
        /// The key file.
        path: PathBuf,
        /// The slot, counted from 0, 64 bytes each.
        slot: u64,
    },
    /// The master secret is missing or has a wrong length, though keys exist.
    #[error(
        "{} is missing or damaged, and people's keys exist beside it: put the file back from a backup, for every person id and cookie depends on it", path.display()
    )]
    NoMaster {
        /// Where the secret should be.
        path: PathBuf,
    },
    /// The log holds something sealed for a person who neither has a key nor was erased.
    #[error(
        "there is no key for person {person}, who was never erased: the vault is older than the log; restore both from the same backup"
    )]
    NoKey {
        /// Whose key is missing.
        person: PersonId,
    },
    /// Sealed data does not open with its person's key.
    #[error("data sealed for person {person} as {context} does not open: it was changed, or sealed for something else")]
    Tampered {
        /// Whose data it is said to be.
        person: PersonId,
        /// What it is said to be.
        context: String,
    },
    /// Plaintext too long for the cipher; no form field is near that.
    #[error("data for person {person} is too long to seal: refuse its input earlier")]
    TooLong {
        /// Whose data it is.
        person: PersonId,
    },
    /// The system gave no randomness.
    #[error("the system's random generator failed ({reason}): start again on a working system")]
    Randomness {
        /// The system's answer.
        reason: String,
    },
    /// An earlier write failed, so nothing more may be written by this process.
    #[error("an earlier write of keys failed and this process may not write again: restart it")]
    Stopped,
}

/// What is known of a person's key.
#[derive(Clone)]
struct Entry {
    /// The key in use; `None` after erasure.
    key: Option<Key>,
    /// True when an earlier key of theirs was erased, so that older data is gone rather than tampered with.
    erased: bool,
    /// The last erasure that the vault heard of; the key in use was made after it.
    mark: Mark,
}

/// The keys of one server; every method may be called from any thread.
pub struct Vault {
    master: Key,
    people: RwLock<HashMap<PersonId, Entry>>,
    // Locked before `people` where both are.
    file: Mutex<KeyFile>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Opens the vault in `dir`, making it when there is none. An unfinished last slot was never acknowledged and is dropped.
    ///
    /// # Errors
    /// [`Fault::Held`] for a second process; [`Fault::DamagedSlot`] or [`Fault::NoMaster`] when the files cannot be trusted;
    /// [`Fault::Io`] when the disk fails.
    pub fn open(dir: &Path) -> Result<Self, Fault> {
        std::fs::create_dir_all(dir).map_err(|source| Fault::Io {
            doing: "making the folder",
            path: dir.to_path_buf(),
            source,
        })?;
        let (file, people) = KeyFile::open(dir)?;
        let master = master::load(dir, !people.is_empty())?;
        sync_folder(dir)?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_folder(parent)?;
        }
        Ok(Self { master, people: RwLock::new(people), file: Mutex::new(file) })
    }

    /// A secret for one purpose, derived from the master secret: the same for the same context and data.
    pub fn derive(&self, context: &str, data: &[u8]) -> [u8; 32] {
        // The length keeps (context, data) pairs with the same concatenation apart.
        let length = u64::try_from(context.len()).unwrap_or(u64::MAX).to_le_bytes();
        let mut hasher = blake3::Hasher::new_keyed(&self.master);
        *hasher.update(&length).update(context.as_bytes()).update(data).finalize().as_bytes()
    }

    /// The person behind an e-mail address: the same however it is spelt, and not to be guessed without the master secret.
    pub fn person_id(&self, email: &str) -> PersonId {
        let normal: String = email.trim().nfc().flat_map(char::to_lowercase).nfc().collect();
        PersonId(self.pseudonym("person id", &normal))
    }

    /// The person behind a name and an address, written one way (`domain/likeness.rs`); not to be guessed either.
    pub fn likeness_id(&self, likeness: &str) -> PersonId {
        PersonId(self.pseudonym("likeness", likeness))
    }

    /// Whoever may have a name and a house, written one way (`domain/likeness/traces.rs`).
    pub fn namesake_id(&self, namesake: &str) -> PersonId {
        PersonId(self.pseudonym("namesake", namesake))
    }

    /// The card behind a processor's fingerprint; not to be guessed either.
    pub fn card_id(&self, fingerprint: &str) -> CardId {
        CardId(self.pseudonym("card id", fingerprint))
    }

    fn pseudonym(&self, context: &str, text: &str) -> Uuid {
        let hash = self.derive(context, text.as_bytes());
        hash.first_chunk().map_or(Uuid::nil(), |bytes| uuid::Builder::from_custom_bytes(*bytes).into_uuid())
    }

    /// Seals `plaintext` with the person's key, making one (pending until [`Vault::commit`]) when there is none. `context`
    /// says what it is, and must be given again to open it.
    ///
    /// # Errors
    /// [`Fault::Randomness`], [`Fault::TooLong`].
    pub fn seal(&self, person: PersonId, context: &str, plaintext: &[u8]) -> Result<Sealed, Fault> {
        let key = self.key_for_sealing(person)?;
        let nonce = random::<NONCE_BYTES>()?;
        let sealed = cipher::seal(&key, &nonce, &aad(person, context), plaintext).ok_or(Fault::TooLong { person })?;
        Ok(Sealed::new(&sealed))
    }

    fn key_for_sealing(&self, person: PersonId) -> Result<Key, Fault> {
        if let Some(Entry { key: Some(key), .. }) = self.people.read().get(&person) {
            return Ok(key.clone());
        }
        let fresh = Key::new(random()?);
        let mut file = self.file.lock();
        let mut people = self.people.write();
        let entry = people.entry(person).or_insert(Entry { key: None, erased: false, mark: Mark::default() });
        // Another thread may have been quicker.
        if let Some(key) = &entry.key {
            return Ok(key.clone());
        }
        entry.key = Some(fresh.clone());
        file.pend(person, fresh.clone(), entry.mark);
        Ok(fresh)
    }

    /// Writes and syncs pending keys; to be called before anything sealed is appended to the log. Does nothing when none is
    /// pending.
    ///
    /// # Errors
    /// [`Fault::Io`]: the process must stop, and every later call answers [`Fault::Stopped`].
    pub fn commit(&self) -> Result<(), Fault> {
        self.file.lock().commit()
    }

    /// Opens what [`Vault::seal`] made; `None` when the person was erased since.
    ///
    /// # Errors
    /// [`Fault::Tampered`] when it is not theirs, not of this context or changed; [`Fault::NoKey`] when their key was lost.
    pub fn unseal(&self, person: PersonId, context: &str, sealed: &Sealed) -> Result<Option<Vec<u8>>, Fault> {
        let mut text = vec![];
        Ok(self.unseal_into(&mut text, person, context, &sealed.bytes())?.then_some(text))
    }

    /// As [`Vault::unseal`], of the sealed bytes themselves, into a buffer that is cleared first; false when the person was
    /// erased since.
    ///
    /// # Errors
    /// As [`Vault::unseal`]'s.
    pub fn unseal_into(
        &self,
        into: &mut Vec<u8>,
        person: PersonId,
        context: &str,
        sealed: &[u8],
    ) -> Result<bool, Fault> {
        let Some(Entry { key, erased, .. }) = self.people.read().get(&person).cloned() else {
            return Err(Fault::NoKey { person });
        };
        let Some(key) = key else { return Ok(false) };
        if cipher::open(&key, &aad(person, context), sealed, into) {
            return Ok(true);
        }
        if erased { Ok(false) } else { Err(Fault::Tampered { person, context: context.to_owned() }) }
    }

    /// Whether this was sealed with a key that was made after the erasure, and can be opened.
    pub fn is_sealed_since(&self, erasure: ErasureId, person: PersonId, context: &str, sealed: &Sealed) -> bool {
        let entry = self.people.read().get(&person).cloned();
        let entry = entry.filter(|entry| entry.mark == mark_of(erasure));
        let opens = |key: Key| cipher::open(&key, &aad(person, context), &sealed.bytes(), &mut vec![]);
        entry.and_then(|entry| entry.key).is_some_and(opens)
    }

    /// Destroys the person's key for good, unless it was made after this very erasure: what was sealed before can never be
    /// read again. True when there was one. A person who comes back gets a new key, which names this erasure; so repeating
    /// the erasures of the log, as each start does, destroys what a crash or an older vault left and nothing else.
    ///
    /// # Errors
    /// [`Fault::Io`]: the process must stop, and every later call answers [`Fault::Stopped`].
    pub fn erase(&self, person: PersonId, erasure: ErasureId) -> Result<bool, Fault> {
        let mark = mark_of(erasure);
        let mut file = self.file.lock();
        let has_key = match self.people.read().get(&person) {
            Some(entry) if entry.mark == mark => return Ok(false),
            Some(entry) => entry.key.is_some(),
            None => false,
        };
        if has_key {
            file.commit()?;
            file.erase(person, mark)?;
        }
        self.people.write().insert(person, Entry { key: None, erased: true, mark });
        Ok(has_key)
    }
}

/// What a sealed text is bound to: whose it is (16 bytes) and what it is.
fn aad(person: PersonId, context: &str) -> Vec<u8> {
    [person.0.as_bytes(), context.as_bytes()].concat()
}

fn random<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|error| Fault::Randomness { reason: error.to_string() })?;
    Ok(bytes)
}

/// A file's name is durable only when its folder is synced.
fn sync_folder(dir: &Path) -> Result<(), Fault> {
    std::fs::File::open(dir).and_then(|file| file.sync_all()).map_err(|source| Fault::Io {
        doing: "syncing",
        path: dir.to_path_buf(),
        source,
    })
}

#[cfg(test)]
mod tests;
