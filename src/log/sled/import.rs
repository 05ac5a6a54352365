//! A log made anew from frames that were checked: what a restore does.

use super::SledLog;
use crate::log::archive::read::Record;
use crate::log::folder::{make_folder, sync_path};
use crate::log::{Fault, Head};
use std::path::Path;

/// Frames between two syncs: at most 2 MiB, which sled stores as one.
const SYNC_EVERY: usize = 32;

impl SledLog {
    /// Makes a log in `dir`, which must be absent or empty, of exactly these frames, and returns its head. The folder gets
    /// its name only when everything in it is synced: a log that was made by half is none.
    ///
    /// # Errors
    /// [`Fault::Occupied`] when the folder holds something; the first fault among the frames; others when the disk fails.
    pub fn import(dir: &Path, frames: impl IntoIterator<Item = Result<Record, Fault>>) -> Result<Head, Fault> {
        let making = dir.with_extension("importing");
        for path in [dir, &making] {
            if path.exists() && path.read_dir().ok().is_none_or(|mut entries| entries.next().is_some()) {
                return Err(Fault::Occupied { path: path.to_path_buf() });
            }
        }
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            make_folder(parent)?;
        }
        let made = fill(&making, frames).and_then(|head| {
            let io = |source| Fault::Io { doing: "renaming the new log to", path: dir.to_path_buf(), source };
            // Renaming over an empty folder replaces it, over any other fails.
            std::fs::rename(&making, dir).map_err(io)?;
            dir.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_path)?;
            Ok(head)
        });
        if made.is_err() {
            // What is left of it would only stand in the way of the next attempt, which says so if this fails.
            drop(std::fs::remove_dir_all(&making));
        }
        made
    }
}

fn fill(dir: &Path, frames: impl IntoIterator<Item = Result<Record, Fault>>) -> Result<Head, Fault> {
    let log = SledLog::open(dir)?;
    let mut frames = frames.into_iter().peekable();
    while frames.peek().is_some() {
        let batch: Result<Vec<_>, _> = frames.by_ref().take(SYNC_EVERY).collect();
        log.reader.bound.store(&batch?)?;
    }
    Ok(log.reader.head())
}
