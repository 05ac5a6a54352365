//! Makes sled's flush a real sync.
//!
//! On Linux sled 0.34.7 ends each write to its file `db` with `sync_file_range`, which writes pages out but neither the
//! file's length nor the drive's cache: it does not survive a power cut. So the program brings its own function of that name,
//! which calls `fdatasync` on the same file and gives its answer. That is more than was asked for: everything in the file,
//! with the metadata needed to read it back. sled has one such call (`pagecache/iobuf.rs`, `write_to_log`), after the write
//! and before anything counts as stable; what it answers besides success stops the log. Its other files (snapshots, and `db`
//! in recovery) go through `File::sync_all` already.

#![allow(unsafe_code, reason = "a C symbol must be defined to reach sled's sync; see the module text")]

use super::Fault;
use std::ffi::{c_int, c_uint};
use std::sync::atomic::{AtomicBool, Ordering};

/// Set when the override is called through the C symbol; nothing in the program calls it otherwise.
static REACHED: AtomicBool = AtomicBool::new(false);

/// Takes the place of libc's function of this name in every program that links this crate.
#[cfg(target_os = "linux")]
// SAFETY: the signature is that of libc's `sync_file_range(2)`, no argument is dereferenced, and syncing the whole file
// includes syncing a range of it, so every caller of the C function stays correct.
#[unsafe(no_mangle)]
extern "C" fn sync_file_range(fd: c_int, _offset: libc::off64_t, _bytes: libc::off64_t, _flags: c_uint) -> c_int {
    REACHED.store(true, Ordering::Relaxed);
    // SAFETY: a plain system call on a file descriptor, which answers EBADF for one that is none. errno is left as it sets it.
    unsafe { libc::fdatasync(fd) }
}

/// Asks the symbol that sled will call whether it is ours.
#[cfg(target_os = "linux")]
pub(super) fn probe() -> Result<(), Fault> {
    // Naming our function keeps the linker from leaving its object out of a program that refers to nothing else in it.
    let ours: extern "C" fn(c_int, libc::off64_t, libc::off64_t, c_uint) -> c_int = sync_file_range;
    std::hint::black_box(ours);
    // SAFETY: -1 is no file, so any function of this name only answers EBADF.
    let answer = unsafe { libc::sync_file_range(-1, 0, 0, 0) };
    let error = std::io::Error::last_os_error();
    if REACHED.load(Ordering::Relaxed) {
        Ok(())
    } else {
        Err(Fault::NoRealSync { answer: format!("{answer}, {error}") })
    }
}

/// Elsewhere sled calls `File::sync_all` by itself.
#[cfg(not(target_os = "linux"))]
pub(super) fn probe() -> Result<(), Fault> {
    Ok(())
}
