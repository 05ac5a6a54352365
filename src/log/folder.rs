//! Folders whose names survive a power cut.

use super::Fault;
use std::path::Path;

/// Makes a folder and those above it, durably.
pub(super) fn make_folder(path: &Path) -> Result<(), Fault> {
    std::fs::create_dir_all(path).map_err(|source| Fault::Io {
        doing: "making the folder",
        path: path.to_path_buf(),
        source,
    })?;
    // A folder's name is durable only when the folder above it is synced.
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_path(parent),
        _ => Ok(()),
    }
}

/// Syncs a file or a folder: of a folder, the names in it.
pub(super) fn sync_path(path: &Path) -> Result<(), Fault> {
    std::fs::File::open(path).and_then(|file| file.sync_all()).map_err(|source| Fault::Io {
        doing: "syncing",
        path: path.to_path_buf(),
        source,
    })
}
