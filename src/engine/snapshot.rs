//! Snapshots: the state at some event, kept in a file so that a start need not fold the whole log. Only a cache: one that is
//! missing, stale, damaged or edited costs time and never changes what is shown.
//!
//! A file belongs to one build of the folds and to one log: it names the hash of the frame it ends with, and everything in it
//! is authenticated with a key that the vault's master secret gives. It is written beside, renamed into place, and the two newest
//! are kept. Layout: header, then one section after the other, as the header says.

use super::keys::{Keys, SLOT_BYTES, Slot};
use super::replay::Standing;
use crate::domain::State;
use crate::log::Head;
use crate::log::sled::Reader;
use crate::projections::Projections;
use chrono::DateTime;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

include!(concat!(env!("OUT_DIR"), "/folds.rs"));

/// What the file begins with.
const MAGIC: [u8; 8] = *b"GSSNAP1\n";
/// Room for the header; it takes about half.
const HEADER_BYTES: usize = 1024;
/// How many are kept: the newest, and one more should it turn out damaged.
const KEPT: usize = 2;
const EXTENSION: &str = "snapshot";
/// The extension while it is written.
const UNFINISHED: &str = "unfinished";

/// A secret that nobody has who can only write into the folder.
pub type Seal = [u8; 32];

#[derive(Serialize, Deserialize)]
struct Header {
    folds: u64,
    seq: u64,
    hash: [u8; 32],
    last_at_us: i64,
    sections: [Section; SECTIONS],
}

const SECTIONS: usize = 5;

/// Keys, donations, the rest of the state, ledger, and the rest of the projections: about a core's even shares.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Section {
    length: u64,
    mac: [u8; 32],
}

/// Why a snapshot can't be used or made.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The disk.
    #[error("{doing} {} failed: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Not a snapshot, cut off, changed, or of another installation.
    #[error("{} is damaged or not of this server", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Made by another version of this program.
    #[error("{} was made by another version", path.display())]
    Stale {
        /// The file.
        path: PathBuf,
    },
    /// The log does not hold the frame it ends with.
    #[error("{} is of another log", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Something in the state has no form in a file.
    #[error("the state can't be written: {0}")]
    Form(#[from] postcard::Error),
}

/// The newest snapshot that is whole and of this build; nothing where there is none, and the operator is told why. Whether the
/// log holds the frame it ends with is for the caller to ask: the log may be opening meanwhile.
pub fn newest(dir: &Path, seal: &Seal) -> Option<Standing> {
    all(dir).iter().find_map(|path| told(load(path, seal)))
}

/// The newest snapshot of this log.
pub fn newest_of(dir: &Path, seal: &Seal, reader: &Reader) -> Option<Standing> {
    all(dir).iter().find_map(|path| told(load(path, seal).and_then(|standing| of_log(standing, path, reader))))
}

fn told(loaded: Result<Standing, Fault>) -> Option<Standing> {
    loaded.inspect_err(|fault| tracing::warn!(%fault, "a snapshot is not used; the start takes longer")).ok()
}

/// A snapshot whose last frame the log holds.
///
/// # Errors
/// [`Fault::Foreign`].
pub fn of_log(standing: Standing, path: &Path, reader: &Reader) -> Result<Standing, Fault> {
    match reader.holds(&standing.head) {
        Ok(true) => Ok(standing),
        Ok(false) | Err(_) => Err(Fault::Foreign { path: path.to_path_buf() }),
    }
}

/// Snapshots by name, which is the number of their last event: the newest first.
fn all(dir: &Path) -> Vec<PathBuf> {
    with(dir, EXTENSION)
}

fn with(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.retain(|path| path.extension().is_some_and(|its| its == extension));
    found.sort_unstable_by(|one, other| other.cmp(one));
    found
}

/// Reads and checks one snapshot, its sections side by side.
///
/// # Errors
/// [`Fault`]: it is not used.
pub fn load(path: &Path, seal: &Seal) -> Result<Standing, Fault> {
    let io = |source| Fault::Io { doing: "reading", path: path.to_path_buf(), source };
    let damaged = || Fault::Damaged { path: path.to_path_buf() };
    let file = File::open(path).map_err(io)?;
    let mut front = [0; HEADER_BYTES];
    file.read_exact_at(&mut front, 0).map_err(|_| damaged())?;
    let (magic, rest) = front.split_first_chunk::<8>().ok_or_else(damaged)?;
    let (mac, text) = rest.split_first_chunk::<32>().ok_or_else(damaged)?;
    // `blake3::Hash` compares in constant time.
    if *magic != MAGIC || blake3::keyed_hash(seal, text) != *mac {
        return Err(damaged());
    }
    let header: Header = postcard::take_from_bytes(text).map_err(|_| damaged())?.0;
    if header.folds != FOLDS {
        return Err(Fault::Stale { path: path.to_path_buf() });
    }
    let head = Head { seq: header.seq, hash: header.hash };
    let mut starts = [0_u64; SECTIONS];
    let mut start = u64::try_from(HEADER_BYTES).unwrap_or(u64::MAX);
    for (to, section) in starts.iter_mut().zip(&header.sections) {
        *to = start;
        start = start.saturating_add(section.length);
    }
    let read = |place: usize, to: &mut [u8]| -> Result<(), Fault> {
        let (Some(section), Some(start)) = (header.sections.get(place), starts.get(place)) else {
            return Err(damaged());
        };
        file.read_exact_at(to, *start).map_err(|_| damaged())?;
        if blake3::keyed_hash(seal, to) == section.mac { Ok(()) } else { Err(damaged()) }
    };
    // The header is authentic, so its lengths are ours.
    let length = |place: usize| {
        let section = header.sections.get(place).ok_or_else(damaged)?;
        usize::try_from(section.length).map_err(|_| damaged())
    };
    let section = |place: usize| -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; length(place)?];
        read(place, &mut bytes).map(|()| bytes)
    };
    let table = || -> Result<Keys, Fault> {
        let mut slots: Vec<Slot> = vec![[0; SLOT_BYTES]; length(0)? / SLOT_BYTES];
        read(0, slots.as_flattened_mut())?;
        Keys::from_slots(slots).ok_or_else(damaged)
    };
    fn parsed<T: DeserializeOwned>(bytes: Result<Vec<u8>, Fault>, damaged: &impl Fn() -> Fault) -> Result<T, Fault> {
        postcard::from_bytes(&bytes?).map_err(|_| damaged())
    }
    let (keys, donations, state, ledger, rest) = std::thread::scope(|scope| {
        let keys = scope.spawn(table);
        let donations = scope.spawn(|| parsed(section(1), &damaged));
        let ledger = scope.spawn(|| parsed(section(3), &damaged));
        let state: Result<State, Fault> = parsed(section(2), &damaged);
        let rest: Result<Projections, Fault> = parsed(section(4), &damaged);
        let panicked = |_| damaged();
        let (keys, donations, ledger) = (keys.join(), donations.join(), ledger.join());
        (keys.map_err(panicked), donations.map_err(panicked), state, ledger.map_err(panicked), rest)
    });
    let mut projections = rest?;
    (projections.state, projections.state.donations, projections.ledger) = (state?, donations??, ledger??);
    let last_at = DateTime::from_timestamp_micros(header.last_at_us).ok_or_else(damaged)?;
    if projections.seq != head.seq {
        return Err(damaged());
    }
    Ok(Standing { projections, keys: keys??, last_at, head })
}

/// Writes a snapshot and removes all but the newest two.
///
/// # Errors
/// [`Fault`]: there is no new one, and nothing is lost.
pub fn save(dir: &Path, seal: &Seal, standing: Standing) -> Result<(), Fault> {
    let Standing { mut projections, keys, last_at, head } = standing;
    let path = dir.join(format!("{:020}.{EXTENSION}", head.seq));
    let beside = path.with_extension(UNFINISHED);
    let io = |doing| {
        let path = beside.clone();
        move |source| Fault::Io { doing, path, source }
    };
    std::fs::create_dir_all(dir).map_err(io("making the folder for"))?;
    // Left by a process that was killed: each is as large as the memory that it is of.
    for left in with(dir, UNFINISHED) {
        std::fs::remove_file(&left).map_err(io("removing an unfinished one before"))?;
    }
    let mut file = File::create(&beside).map_err(io("making"))?;
    let front = u64::try_from(HEADER_BYTES).unwrap_or(u64::MAX);
    file.seek(SeekFrom::Start(front)).map_err(io("writing"))?;
    let donations = std::mem::take(&mut projections.state.donations);
    let (state, ledger) = (std::mem::take(&mut projections.state), std::mem::take(&mut projections.ledger));
    let slots = keys.into_slots();
    let sections = [
        write_section(&file, seal, |out| out.write_all(slots.as_flattened()).map_err(io("writing"))),
        write_section(&file, seal, |out| Ok(postcard::to_io(&donations, out).map(|_| ())?)),
        write_section(&file, seal, |out| Ok(postcard::to_io(&state, out).map(|_| ())?)),
        write_section(&file, seal, |out| Ok(postcard::to_io(&ledger, out).map(|_| ())?)),
        write_section(&file, seal, |out| Ok(postcard::to_io(&projections, out).map(|_| ())?)),
    ];
    let [keys, donations, state, ledger, rest] = sections;
    let sections = [keys?, donations?, state?, ledger?, rest?];
    let header =
        Header { folds: FOLDS, seq: head.seq, hash: head.hash, last_at_us: last_at.timestamp_micros(), sections };
    let mut text = postcard::to_stdvec(&header)?;
    text.resize(HEADER_BYTES.saturating_sub(MAGIC.len()).saturating_sub(32), 0);
    let mac = blake3::keyed_hash(seal, &text);
    file.write_all_at(&[MAGIC.as_slice(), mac.as_bytes(), &text].concat(), 0).map_err(io("writing"))?;
    file.sync_all().map_err(io("syncing"))?;
    std::fs::rename(&beside, &path).map_err(io("renaming"))?;
    for old in all(dir).into_iter().skip(KEPT) {
        std::fs::remove_file(&old).map_err(io("removing an older one than"))?;
    }
    Ok(())
}

/// Authenticates what goes through it.
struct Through<'a> {
    file: BufWriter<&'a File>,
    hasher: blake3::Hasher,
    length: u64,
}

impl Write for Through<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.length = self.length.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

fn write_section(
    file: &File,
    seal: &Seal,
    write: impl FnOnce(&mut BufWriter<Through<'_>>) -> Result<(), Fault>,
) -> Result<Section, Fault> {
    let io = |source| Fault::Io { doing: "writing", path: PathBuf::new(), source };
    let through = Through { file: BufWriter::new(file), hasher: blake3::Hasher::new_keyed(seal), length: 0 };
    // The outer buffer makes the hasher see long runs: the format hands over single bytes.
    let mut out = BufWriter::with_capacity(1 << 16, through);
    write(&mut out)?;
    let mut through = out.into_inner().map_err(|error| io(error.into_error()))?;
    through.flush().map_err(io)?;
    Ok(Section { length: through.length, mac: *through.hasher.finalize().as_bytes() })
}
