//! What the audience saw, kept on disk: the same segments that were sent, for rewinding, for the replay and to take home.
//!
//! A program has a folder with two files that only grow: `segments`, the bodies one after another, and `index`, a JSON line
//! for each. A crash leaves at most a torn end, which the next start cuts off. One thread writes; who sends never waits for
//! the disk, and what the disk can't take in time is missing from the recording, never from the picture.

mod chapters;
mod index;
mod lists;
mod movie;
mod shelf;
mod writing;

use super::{Init, ProgramId, SourceId};
use bytes::Bytes;
use index::Line;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use writing::Writing;

pub use chapters::{Chapter, Stretch};
pub use movie::{Movie, Shape};
pub use shelf::Shelf;

/// Segments that wait for the disk: half a minute of several programs, at 5 Mbit/s some 80 MB.
const WAITING_MAX: usize = 64;

/// A finished segment on its way to the disk.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its number in the playlist.
    pub msn: u64,
    /// The number of the init segment it needs.
    pub init: u64,
    /// That init segment.
    pub config: Init,
    /// Whose picture it is.
    pub source: Option<SourceId>,
    /// Wall clock at its first picture, in ms since 1970 UTC.
    pub date_ms: i64,
    /// Where it begins on the program's clock, in ticks of 1/90,000 s.
    pub at: u64,
    /// Length in ticks of 1/90,000 s.
    pub ticks: u64,
    /// Whether it begins another feed or configuration.
    pub discontinuity: bool,
    /// Whether it starts with a keyframe.
    pub independent: bool,
    /// Picture and sound.
    pub bytes: Bytes,
    /// The sound alone.
    pub sound: Bytes,
}

/// How the recordings stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Bytes of all recordings.
    pub used: u64,
    /// Bytes they may have.
    pub limit: u64,
    /// Whether something was not recorded because the limit was reached, or the disk failed or was too slow.
    pub missed: bool,
}

/// Every program's recording: a handle, cheap to clone.
#[derive(Clone, Debug)]
pub struct Recordings(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    limit: u64,
    used: AtomicU64,
    missed: AtomicBool,
    shelves: Mutex<HashMap<ProgramId, Arc<Shelf>>>,
    sender: Mutex<Option<SyncSender<(ProgramId, Finished)>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Recordings {
    /// Keeps recordings in `dir`, up to `limit` bytes of them in all.
    ///
    /// # Errors
    /// When the folder can't be made or read, or the system has no thread to give.
    pub fn open(dir: &Path, limit: u64) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mut used = 0_u64;
        for program in std::fs::read_dir(dir)? {
            used = used.saturating_add(size_of(&program?.path())?);
        }
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let inner = Arc::new(Inner {
            dir: dir.to_path_buf(),
            limit,
            used: AtomicU64::new(used),
            missed: AtomicBool::new(false),
            shelves: Mutex::default(),
            sender: Mutex::new(Some(sender)),
            thread: Mutex::default(),
        });
        let recordings = Self(inner);
        let writer = recordings.clone();
        let thread = thread::Builder::new().name("recording".into()).spawn(move || writer.write_all(&receiver))?;
        *recordings.0.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(recordings)
    }

    /// Hands a segment over; returns at once.
    pub(super) fn take(&self, program: ProgramId, finished: Finished) {
        let sender = self.0.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = &*sender else { return };
        if let Err(TrySendError::Full(_)) = sender.try_send((program, finished)) {
            self.miss(program, "the disk is too slow");
        }
    }

    fn miss(&self, program: ProgramId, why: &str) {
        if !self.0.missed.swap(true, Ordering::Relaxed) {
            tracing::error!(%program, why, "the recording has a gap from here; the picture goes on");
        }
    }

    fn write_all(&self, receiver: &Receiver<(ProgramId, Finished)>) {
        let mut writing: HashMap<ProgramId, Writing> = HashMap::new();
        while let Ok((program, finished)) = receiver.recv() {
            let bytes = u64::try_from(finished.bytes.len() + finished.sound.len()).unwrap_or(u64::MAX);
            if self.0.used.load(Ordering::Relaxed).saturating_add(bytes) > self.0.limit {
                self.miss(program, "the limit for recordings is reached");
                continue;
            }
            let Some(shelf) = self.shelf_for_writing(program) else { continue };
            // Deleted while it was written: a new shelf stands in its place.
            writing.retain(|_, writing| !writing.is_deleted());
            let written = match writing.entry(program) {
                std::collections::hash_map::Entry::Occupied(open) => open.into_mut().add(finished),
                std::collections::hash_map::Entry::Vacant(place) => {
                    Writing::open(shelf).and_then(|writing| place.insert(writing).add(finished))
                }
            };
            match written {
                Ok(()) => drop(self.0.used.fetch_add(bytes, Ordering::Relaxed)),
                Err(error) => {
                    writing.remove(&program);
                    self.miss(program, &error.to_string());
                }
            }
        }
    }

    fn shelf_for_writing(&self, program: ProgramId) -> Option<Arc<Shelf>> {
        match self.open_shelf(program, true) {
            Ok(shelf) => shelf,
            Err(error) => {
                self.miss(program, &error.to_string());
                None
            }
        }
    }

    fn open_shelf(&self, program: ProgramId, make: bool) -> io::Result<Option<Arc<Shelf>>> {
        let mut shelves = self.0.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shelf) = shelves.get(&program) {
            return Ok(Some(shelf.clone()));
        }
        let dir = self.0.dir.join(program.to_string());
        if !make && !dir.exists() {
            return Ok(None);
        }
        let shelf = Arc::new(Shelf::open(&dir)?);
        shelves.insert(program, shelf.clone());
        Ok(Some(shelf))
    }

    /// A program's recording, if there is one. Reads its index from disk the first time.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn shelf(&self, program: ProgramId) -> io::Result<Option<Arc<Shelf>>> {
        self.open_shelf(program, false)
    }

    /// Takes room for what is kept beside a recording; false if there is none left.
    pub(super) fn take_room(&self, program: ProgramId, bytes: u64) -> bool {
        if self.0.used.load(Ordering::Relaxed).saturating_add(bytes) > self.0.limit {
            self.miss(program, "the limit for recordings is reached");
            return false;
        }
        self.0.used.fetch_add(bytes, Ordering::Relaxed);
        true
    }

    /// Where a program's recording is kept.
    pub(super) fn folder(&self, program: ProgramId) -> PathBuf {
        self.0.dir.join(program.to_string())
    }

    /// How much room is taken and left.
    pub fn storage(&self) -> Storage {
        Storage {
            used: self.0.used.load(Ordering::Relaxed),
            limit: self.0.limit,
            missed: self.0.missed.load(Ordering::Relaxed),
        }
    }

    /// Whether anything of a program is kept.
    pub fn has(&self, program: ProgramId) -> bool {
        self.folder(program).exists()
    }

    /// How long the room lasts if these programs go on as they are, in s; none while none of them is recorded.
    pub fn seconds_left(&self, programs: &[ProgramId]) -> Option<u64> {
        let shelves = self.0.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let rates =
            programs.iter().filter_map(|program| shelves.get(program)).filter_map(|shelf| shelf.bytes_a_second());
        let rate = rates.fold(0, u64::saturating_add);
        let storage = self.storage();
        storage.limit.saturating_sub(storage.used).checked_div(rate)
    }

    /// Deletes a program's recording for good.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn delete(&self, program: ProgramId) -> io::Result<()> {
        let mut shelves = self.0.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shelf) = shelves.remove(&program) {
            shelf.mark_deleted();
        }
        let dir = self.0.dir.join(program.to_string());
        if !dir.exists() {
            return Ok(());
        }
        let size = size_of(&dir)?;
        std::fs::remove_dir_all(&dir)?;
        // Another thread may have added meanwhile: never below nothing.
        let _ = self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| Some(used.saturating_sub(size)));
        self.0.missed.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Writes what waits, and ends the thread.
    pub fn close(&self) {
        drop(self.0.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes recordings ended by a panic");
        }
    }
}

/// Bytes of the files in a program's folder.
fn size_of(dir: &Path) -> io::Result<u64> {
    let mut size = 0_u64;
    for file in std::fs::read_dir(dir)? {
        size = size.saturating_add(file?.metadata()?.len());
    }
    Ok(size)
}

#[cfg(test)]
mod tests;
