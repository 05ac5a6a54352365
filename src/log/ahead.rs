//! Zeros ahead of what sled writes.
//!
//! A file that grows makes every sync write its new length too, through the file system's journal: about as slow again as
//! the data. So the file is kept longer than sled needs it. sled makes and reads such files itself: on open it fills the
//! rest of the segment it goes on in with zeros, and it takes every segment without a valid header as free
//! (`pagecache/snapshot.rs` and `segment.rs` of 0.34.7). It knows where it writes from its own account, not from the file's
//! length.

use super::Fault;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The most zeros added at once: one append in a few hundred waits some milliseconds for them.
const STEP_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// The fewest, for a log that has just begun.
const STEP_BYTES_MIN: u64 = 256 * 1024;
/// What sled has written is not this many zeros in a row, except between two segments, where missing it costs a slow append.
const WINDOW_BYTES: usize = 256;
#[cfg(target_os = "linux")]
const NO_ATIME: i32 = libc::O_NOATIME;
#[cfg(not(target_os = "linux"))]
const NO_ATIME: i32 = 0;
/// Zeros are written in pieces of this size.
static PIECE: [u8; 64 * 1024] = [0; 64 * 1024];

/// The store's file, opened a second time.
pub(super) struct Ahead {
    file: File,
    path: PathBuf,
    /// How far the file reaches, as far as is known here. Asking the system each time would make it note the exact time of
    /// the next write, which the sync would then have to store.
    end: u64,
    step: u64,
}

impl Ahead {
    /// Opens the file in `store` that sled has open already.
    pub(super) fn open(store: &Path) -> Result<Self, Fault> {
        let path = store.join("db");
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        // Looking into the file must not change its time of access, which the next sync would have to store. Only a file's
        // owner may ask for that.
        let file = options.clone().custom_flags(NO_ATIME).open(&path).or_else(|_| options.open(&path));
        let found = file.and_then(|file| file.metadata().map(|metadata| (file, metadata.len())));
        match found {
            Ok((file, end)) => Ok(Self { file, path, end, step: step(end) }),
            Err(source) => Err(Fault::Io { doing: "opening", path, source }),
        }
    }

    /// Appends zeros when sled has come near the file's end. May only be called while sled writes nothing: what is past the
    /// end then is nobody's.
    pub(super) fn keep(&mut self) -> Result<(), Fault> {
        self.extend().map_err(|source| Fault::Io {
            doing: "reserving space at the end of",
            path: self.path.clone(),
            source,
        })
    }

    fn extend(&mut self) -> std::io::Result<()> {
        let mut window = [0; WINDOW_BYTES];
        let read = self.file.read_at(&mut window, self.end.saturating_sub(self.step / 2))?;
        if read == window.len() && window.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let length = self.file.metadata()?.len();
        self.step = step(length);
        self.end = length.saturating_add(self.step);
        (length..self.end).step_by(PIECE.len()).try_for_each(|offset| self.file.write_all_at(&PIECE, offset))
    }
}

/// How many zeros a file of this length gets: a quarter of it.
fn step(length: u64) -> u64 {
    (length / 4).clamp(STEP_BYTES_MIN, STEP_BYTES_MAX)
}
