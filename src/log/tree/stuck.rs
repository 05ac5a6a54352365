//! Calls into sled that nothing would wake.
//!
//! When a write fails just as the last of several threads leaves a buffer, sled 0.34.7 notes the failure but wakes nobody who
//! waits for that buffer (`exit_reservation` in its `logger.rs`), so that call would never come back. Any later flush finds
//! the note and wakes everybody. So a call that takes long is followed by flushes, each on a thread of its own and twice as
//! far from the last: where the disk is only slow they wait beside it.

use parking_lot::{Condvar, Mutex};
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How often somebody looks for a call that does not come back.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The calls that are under way, and a thread that looks after them until this is dropped.
pub(super) struct Calls(Arc<Shared>);

#[derive(Default)]
struct Shared {
    under_way: Mutex<UnderWay>,
    closed: Condvar,
}

#[derive(Default)]
struct UnderWay {
    begun: u64,
    /// The numbers of those that have not come back.
    numbers: BTreeSet<u64>,
    closed: bool,
}

impl Calls {
    /// Runs `wake` whenever a call has been under way for 1, 2, 4, ... looks.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(super) fn watched(wake: impl Fn() + Clone + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let watched = shared.clone();
        thread::Builder::new().name("store watch".into()).spawn(move || watched.watch(wake))?;
        Ok(Self(shared))
    }

    /// Counts `call` while it runs.
    pub(super) fn during<T>(&self, call: impl FnOnce() -> T) -> T {
        let number = {
            let mut under_way = self.0.under_way.lock();
            under_way.begun = under_way.begun.saturating_add(1);
            let number = under_way.begun;
            under_way.numbers.insert(number);
            number
        };
        let result = call();
        self.0.under_way.lock().numbers.remove(&number);
        result
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        self.0.under_way.lock().closed = true;
        self.0.closed.notify_one();
    }
}

impl Shared {
    fn watch(&self, wake: impl Fn() + Clone + Send + 'static) {
        let (mut oldest, mut looks) = (None, 0_u32);
        loop {
            let found = {
                let mut under_way = self.under_way.lock();
                if !under_way.closed {
                    self.closed.wait_for(&mut under_way, LOOK_EVERY);
                }
                if under_way.closed {
                    return;
                }
                under_way.numbers.first().copied()
            };
            looks = if found.is_some() && found == oldest { looks.saturating_add(1) } else { 0 };
            oldest = found;
            if looks.is_power_of_two()
                && let Err(error) = thread::Builder::new().name("store wake".into()).spawn(wake.clone())
            {
                tracing::warn!(%error, "the store takes long, and there is no thread to look after it");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tree;
    use crate::log::Fault;
    use crate::log::store::Store as _;
    use std::path::Path;
    use std::process::Command;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Set for the process whose disk fails.
    const FOLDER: &str = "GROUNDSWELL_TEST_FAILING_STORE";
    /// In one of three, about, the failure alone wakes nobody.
    const STORES: usize = 12;
    const SYNCS: u64 = 1_000;

    /// One thread fills a buffer slowly, once a sync of another's: it is now and then the last to leave the buffer, and has
    /// nothing to do then but wait.
    fn write_until_it_fails(dir: &Path) -> Result<(), Fault> {
        let tree = &Tree::open(dir)?;
        let syncs = &AtomicU64::new(0);
        let add = |n: u64, bytes| tree.add(&[(n.to_be_bytes(), vec![7; bytes])]);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut seen = 0;
                while seen < SYNCS {
                    let now = syncs.load(Ordering::Relaxed);
                    if now > seen && add(now * 2, 60_000).is_err() {
                        break;
                    }
                    seen = seen.max(now);
                }
            });
            let result = (1..SYNCS).try_for_each(|n| {
                syncs.store(n, Ordering::Relaxed);
                add(n * 2 + 1, 50).and_then(|()| tree.sync())
            });
            syncs.store(SYNCS, Ordering::Relaxed);
            result
        })
    }

    #[test]
    fn every_call_comes_back_when_the_disk_fails() {
        if let Some(dir) = std::env::var_os(FOLDER) {
            let dirs = (0..STORES).map(|n| Path::new(&dir).join(n.to_string()));
            let failed = dirs.filter(|dir| {
                std::fs::create_dir(dir).unwrap();
                write_until_it_fails(dir).is_err()
            });
            assert_eq!(failed.count(), STORES, "the disk never failed");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let own = std::env::current_exe().unwrap();
        let trace =
            ["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=9+9"];
        let mut traced = Command::new("timeout");
        traced.args(["--kill-after=1", "90", "strace"]).args(trace).arg(own).args(["--exact", "--nocapture"]);
        let output = traced.arg(std::thread::current().name().unwrap()).env(FOLDER, dir.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}
