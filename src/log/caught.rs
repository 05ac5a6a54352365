//! sled's panics as faults.
//!
//! sled 0.34.7 answers many kinds of damage in its files with a failed assertion. What it said is kept for the message, and
//! nothing is printed on the way: an operator gets a sentence with a next step, not a backtrace.

use super::Fault;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo};
use std::path::Path;
use std::sync::Once;

/// Longest part of a panic's message that is passed on; some of sled's print a whole data structure.
const SAID_CHARS_MAX: usize = 300;
/// How the names of sled's own threads begin (its `threadpool.rs`).
const OWN_THREADS: &str = "sled-io-";

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `act` on the store in `dir`; a panic in it becomes [`Fault::Corrupt`]. What `act` touched must not be used again
/// after that, except to be dropped.
pub(super) fn caught<T>(doing: &'static str, dir: &Path, act: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if CATCHING.get() {
                note(panic);
            } else if std::thread::current().name().is_some_and(|name| name.starts_with(OWN_THREADS)) {
                end(panic);
            } else {
                before(panic);
            }
        }));
    });
    let outer = CATCHING.replace(true);
    let result = std::panic::catch_unwind(AssertUnwindSafe(act));
    CATCHING.set(outer);
    result.unwrap_or_else(|_| {
        Err(Fault::Corrupt { doing, dir: dir.to_path_buf(), said: SAID.with_borrow_mut(std::mem::take) })
    })
}

fn note(panic: &PanicHookInfo<'_>) {
    SAID.set(said(panic));
}

/// Ends the process, as a crash would: what waits for a thread of sled's that is no more would wait for ever, and nothing that
/// was acknowledged depends on it.
fn end(panic: &PanicHookInfo<'_>) {
    let said = said(panic);
    tracing::error!(
        %said,
        "a thread of the log's store failed, as it does when its files are damaged. Start again; where that fails too, keep a copy of the data folder and put it back from a backup"
    );
    std::process::exit(1);
}

fn said(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let said = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
    let said = said.unwrap_or("nothing").chars().filter(|c| !c.is_control());
    said.take(SAID_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_fault_with_its_words() {
        let dir = Path::new("/data/log");
        let fault = caught("reading", dir, || -> Result<(), Fault> { panic!("lsn 7\nis {}", "odd") }).unwrap_err();
        let message = fault.to_string();
        for part in ["reading", "/data/log", "lsn 7is odd", "backup"] {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert_eq!(caught("reading", dir, || Ok(5)).unwrap(), 5);
    }

    /// Set for the process that is to end.
    const CHILD: &str = "GROUNDSWELL_TEST_STORE_THREAD";

    #[test]
    fn a_panic_on_a_thread_of_the_stores_ends_the_process() {
        if std::env::var_os(CHILD).is_some() {
            caught("reading", Path::new("/data/log"), || Ok(())).unwrap();
            let thread = std::thread::Builder::new().name(format!("{OWN_THREADS}3"));
            drop(thread.spawn(|| panic!("lsn 7 is odd")).unwrap().join());
            return;
        }
        let name = std::thread::current().name().unwrap().to_owned();
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let output = child.args(["--exact", "--nocapture", &name]).env(CHILD, "1").output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
}
