//! One process a folder: a lock that the kernel drops when its holder dies, and a note of who holds it.

use super::Fault;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;

/// Held until dropped.
pub(super) struct Lock(#[expect(dead_code, reason = "held for its lock, which the kernel drops with the file")] File);

/// Takes the folder's lock, or says who has it.
pub(super) fn take(dir: &Path) -> Result<Lock, Fault> {
    let path = dir.join("lock");
    let io = |source| Fault::Io { doing: "locking", path: path.clone(), source };
    // Not truncated: the note inside is the holder's until the lock is ours.
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0).map_err(io)?;
            write!(file, "process {}", std::process::id()).map_err(io)?;
            Ok(Lock(file))
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The note is a courtesy: without it the answer is the same.
            if file.read_to_string(&mut holder).is_err() || holder.is_empty() {
                holder = "unknown".to_owned();
            }
            Err(Fault::Held { dir: dir.to_path_buf(), holder })
        }
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}
