//! Makes sled's flush a real `fsync`.
//!
//! On Linux sled 0.34.7 ends a flush with `sync_file_range`, which writes pages out but neither the file's metadata nor the
//! drive's cache: it does not survive a power cut. When that call answers ENOSYS, sled calls `File::sync_all` instead
//! (sled's `pagecache/iobuf.rs`, `write_to_log`). So the program brings its own `sync_file_range` that always answers
//! ENOSYS. Nothing else in the program may rely on the system's.

#![allow(unsafe_code, reason = "a C symbol must be defined, and errno set, to reach sled's fsync; see the module text")]

use super::Fault;
use std::ffi::{c_int, c_uint};

/// Takes the place of libc's function of this name in every program that links this crate.
#[cfg(target_os = "linux")]
// SAFETY: the signature is that of libc's `sync_file_range(2)`, no argument is dereferenced, and refusing is a documented
// answer (ENOSYS), so every caller of the C function stays correct.
#[unsafe(no_mangle)]
extern "C" fn sync_file_range(_fd: c_int, _offset: libc::off64_t, _bytes: libc::off64_t, _flags: c_uint) -> c_int {
    // SAFETY: `__errno_location` returns the calling thread's errno, valid for writing for the thread's life.
    unsafe { *libc::__errno_location() = libc::ENOSYS };
    -1
}

/// Asks the symbol that sled will call whether it is ours.
#[cfg(target_os = "linux")]
pub(super) fn probe() -> Result<(), Fault> {
    // Naming our function keeps the linker from leaving its object out of a program that refers to nothing else in it.
    let ours: extern "C" fn(c_int, libc::off64_t, libc::off64_t, c_uint) -> c_int = sync_file_range;
    std::hint::black_box(ours);
    // SAFETY: -1 is no file, so even the system's function would only answer EBADF.
    let answer = unsafe { libc::sync_file_range(-1, 0, 0, 0) };
    let error = std::io::Error::last_os_error();
    if answer == -1 && error.raw_os_error() == Some(libc::ENOSYS) {
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
