//! A log made anew from frames that were checked: what a restore does.

use super::{SledLog, make_folder, refuse_blobs, sync_path};
use crate::log::archive::read::Record;
use crate::log::{Fault, Head};
use std::path::Path;

/// Frames between two syncs: at most 16 MiB that sled holds in memory.
const SYNC_EVERY: usize = 256;

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
    let mut log = SledLog::open(dir)?;
    let mut unsynced = 0_usize;
    for record in frames {
        let record = record?;
        let first_seq = record.header().first_seq;
        log.chain.take(record.header()).map_err(|cause| Fault::Broken { first_seq, cause })?;
        let tree = &log.reader.tree;
        tree.insert(first_seq.to_be_bytes(), record.stored())
            .map_err(|source| log.reader.store("importing", source))?;
        unsynced = unsynced.saturating_add(1);
        if unsynced >= SYNC_EVERY {
            tree.flush().map_err(|source| log.reader.store("syncing", source))?;
            unsynced = 0;
        }
    }
    log.reader.tree.flush().map_err(|source| log.reader.store("syncing", source))?;
    refuse_blobs(&dir.join("sled"))?;
    let head = log.chain.head();
    log.witness.note(&head)?;
    Ok(head)
}
