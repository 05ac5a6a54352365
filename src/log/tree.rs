//! sled itself, behind the few calls the log makes: none of them panics, whatever the files hold, and all come back.

mod stuck;

use super::Fault;
use super::caught::caught;
use super::folder::{make_folder, sync_path};
use super::store::{Bytes, Pair, Range, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use stuck::Calls;

/// sled's segment: a quarter of it must hold a leaf of 17 frames, see [`super::frame::MAX_STORED_BYTES`]. It cannot be changed
/// for a log that exists.
const SEGMENT_BYTES: usize = 8 * 1024 * 1024;
/// sled's cache: the log is read from end to end and then only appended to, so a larger one would only cost memory. It has 256
/// parts, each of which keeps one leaf (up to 1 MiB) whatever this says.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// A part of the cache is looked through once it was used this often (`lru.rs` of 0.34.7). Each of our few large leaves is used a
/// handful of times and never again, so that left to itself sled would keep the whole log in memory.
const USES_BEFORE_A_LOOK: usize = 64;
/// Frames after which a leaf is used that often on purpose: about as many as one holds.
const LOOK_EVERY: usize = 16;
/// How long sled's own lock is waited for. Nobody else can have it, for the folder's lock is ours; but a thread of sled's that
/// still works for a store this process has just closed keeps it, or a copy of it in a program just started.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);
/// How often it is tried.
const LOCK_EVERY: Duration = Duration::from_millis(20);
/// sled's folder in the log's folder.
const FOLDER: &str = "sled";
/// The tree of frames.
const NAME: &str = "frames";

/// The tree of frames; cheap to clone.
#[derive(Clone)]
pub(super) struct Tree(Arc<Open>);

struct Open {
    /// `None` only while it is dropped.
    tree: Option<Arc<::sled::Tree>>,
    dir: PathBuf,
    /// Frames read or added.
    used: AtomicUsize,
    calls: Calls,
}

impl Tree {
    /// Opens the store in the log's folder `dir`, making it when there is none.
    pub(super) fn open(dir: &Path) -> Result<Self, Fault> {
        let store = &dir.join(FOLDER);
        make_folder(store)?;
        let config = ::sled::Config::new()
            .path(store)
            .segment_size(SEGMENT_BYTES)
            .cache_capacity(CACHE_BYTES)
            // The background flusher logs and swallows a failed fsync, after which the next one succeeds without the
            // data. Only `sync` may sync, where a failure is seen.
            .flush_every_ms(None);
        // Before sled looks, which may delete what it finds there.
        refuse_blobs(store)?;
        remove_unfinished(store)?;
        let tree = caught("opening", dir, || {
            let tree = open_patiently(&config).and_then(|db| db.open_tree(NAME));
            let flushed = tree.and_then(|tree| tree.flush().map(|_| tree));
            flushed.map_err(|source| fault("opening", dir, source))
        })?;
        // sled syncs its data but not the names of the files it made.
        sync_path(&store.join("conf"))?;
        sync_path(store)?;
        let tree = Arc::new(tree);
        let (woken, at) = (Arc::downgrade(&tree), dir.to_path_buf());
        let wake = move || {
            if let Some(tree) = woken.upgrade() {
                // What it answers is for the call that it wakes.
                drop(caught("syncing", &at, || tree.flush().map_err(|source| fault("syncing", &at, source))));
            }
        };
        let calls = Calls::watched(wake).map_err(|source| Fault::Io {
            doing: "starting a thread for",
            path: dir.to_path_buf(),
            source,
        })?;
        Ok(Self(Arc::new(Open { tree: Some(tree), dir: dir.to_path_buf(), used: AtomicUsize::new(0), calls })))
    }

    /// Steps of an iterator of sled's.
    fn steps(&self, from: [u8; 8], until: [u8; 8]) -> Steps {
        let iter = self.with("reading", |tree| Ok(tree.range(from..=until)));
        let (iter, failed) = match iter {
            Ok(iter) => (Some(iter), None),
            Err(fault) => (None, Some(fault)),
        };
        Steps { tree: self.clone(), iter, failed }
    }

    fn with<T>(&self, doing: &'static str, act: impl FnOnce(&::sled::Tree) -> Result<T, Fault>) -> Result<T, Fault> {
        match &self.0.tree {
            Some(tree) => self.0.calls.during(|| caught(doing, &self.0.dir, || act(tree))),
            None => Err(Fault::Stopped),
        }
    }

    fn fault(&self, doing: &'static str, source: ::sled::Error) -> Fault {
        fault(doing, &self.0.dir, source)
    }

    /// Notes that the frame with this key was read or added; makes sled forget others now and then.
    fn note_use(&self, tree: &::sled::Tree, key: &[u8]) -> ::sled::Result<()> {
        if self.0.used.fetch_add(1, Ordering::Relaxed).is_multiple_of(LOOK_EVERY) {
            for _ in 0..=USES_BEFORE_A_LOOK {
                tree.get(key)?;
            }
        }
        Ok(())
    }
}

impl Store for Tree {
    fn add(&self, pairs: &[([u8; 8], Vec<u8>)]) -> Result<(), Fault> {
        self.with("writing", |tree| {
            let added = match pairs {
                [(key, bytes)] => tree.insert(key, bytes.as_slice()).map(|_| ()),
                _ => {
                    let mut batch = ::sled::Batch::default();
                    pairs.iter().for_each(|(key, bytes)| batch.insert(key, bytes.as_slice()));
                    tree.apply_batch(batch)
                }
            };
            let added = added.and_then(|()| pairs.iter().try_for_each(|(key, _)| self.note_use(tree, key)));
            added.map_err(|source| self.fault("writing", source))
        })
    }

    fn sync(&self) -> Result<(), Fault> {
        self.with("syncing", |tree| tree.flush().map(|_| ()).map_err(|source| self.fault("syncing", source)))?;
        refuse_blobs(&self.0.dir.join(FOLDER))
    }

    fn get(&self, key: [u8; 8]) -> Result<Option<Bytes>, Fault> {
        self.with("reading", |tree| tree.get(key).map_err(|source| self.fault("reading", source)))
    }

    fn range(&self, from: [u8; 8], until: [u8; 8]) -> Range {
        Box::new(self.steps(from, until))
    }

    fn last_until(&self, key: [u8; 8]) -> Result<Option<Pair>, Fault> {
        self.steps([0; 8], key).step(::sled::Iter::next_back)
    }

    fn last(&self, count: usize) -> Result<Vec<Pair>, Fault> {
        let mut steps = self.steps([0; 8], [u8::MAX; 8]);
        let mut pairs = Vec::with_capacity(count);
        while pairs.len() < count
            && let Some(pair) = steps.step(::sled::Iter::next_back)?
        {
            pairs.push(pair);
        }
        pairs.reverse();
        Ok(pairs)
    }
}

/// sled writes its snapshots, which are a cache, under a name that ends so, and renames them when they are whole; but it would
/// read what a crash left of one, and refuse the log for it (`get_snapshot_files` in its `config.rs`).
const UNFINISHED: &str = ".generating";

fn remove_unfinished(store: &Path) -> Result<(), Fault> {
    let io = |doing, path: &Path, source| Fault::Io { doing, path: path.to_path_buf(), source };
    let entries = std::fs::read_dir(store).map_err(|source| io("reading the folder", store, source))?;
    for entry in entries {
        let path = entry.map_err(|source| io("reading the folder", store, source))?.path();
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().ends_with(UNFINISHED.as_bytes())) {
            std::fs::remove_file(&path).map_err(|source| io("removing", &path, source))?;
        }
    }
    Ok(())
}

/// As `config.open()`, which does not wait for its lock.
fn open_patiently(config: &::sled::Config) -> ::sled::Result<::sled::Db> {
    let begun = Instant::now();
    loop {
        match config.open() {
            Err(error) if is_locked(&error) && begun.elapsed() < LOCK_PATIENCE => thread::sleep(LOCK_EVERY),
            opened => return opened,
        }
    }
}

fn is_locked(error: &::sled::Error) -> bool {
    matches!(error, ::sled::Error::Io(error) if error.to_string().starts_with("could not acquire lock"))
}

/// A failed system call asks for a look at the disk; everything else is sled's word for files that are not as it left them.
fn fault(doing: &'static str, dir: &Path, source: ::sled::Error) -> Fault {
    let dir = dir.to_path_buf();
    match source {
        source if is_locked(&source) => Fault::Held { dir, holder: "its store is still in use".to_owned() },
        ::sled::Error::Io(_) => Fault::Store { doing, dir, source },
        ::sled::Error::Corruption { .. }
        | ::sled::Error::Unsupported(_)
        | ::sled::Error::CollectionNotFound(_)
        | ::sled::Error::ReportableBug(_) => Fault::Corrupt { doing, dir, said: source.to_string() },
    }
}

impl Drop for Open {
    /// sled writes and syncs once more when its last handle goes. Everything acknowledged was synced before, so a failure
    /// here loses nothing and is only told.
    fn drop(&mut self) {
        let tree = self.tree.take();
        let closed = caught("closing", &self.dir, || {
            drop(tree);
            Ok(())
        });
        if let Err(fault) = closed {
            tracing::warn!(%fault, "the log did not close in good order; what was acknowledged is on disk");
        }
    }
}

/// A blob in sled's folder is data it never synced, and opening sled may delete it: look before sled does.
fn refuse_blobs(store: &Path) -> Result<(), Fault> {
    let path = store.join("blobs");
    let first = match std::fs::read_dir(&path) {
        Ok(mut entries) => entries.next(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => return Err(Fault::Io { doing: "reading the folder", path, source }),
    };
    match first {
        None => Ok(()),
        Some(Ok(entry)) => Err(Fault::Blob { path: entry.path() }),
        Some(Err(source)) => Err(Fault::Io { doing: "reading the folder", path, source }),
    }
}

/// See [`Store::range`].
struct Steps {
    tree: Tree,
    iter: Option<::sled::Iter>,
    failed: Option<Fault>,
}

type Step = fn(&mut ::sled::Iter) -> Option<::sled::Result<Pair>>;

impl Steps {
    fn step(&mut self, step: Step) -> Result<Option<Pair>, Fault> {
        if let Some(fault) = self.failed.take() {
            return Err(fault);
        }
        let Some(iter) = &mut self.iter else { return Ok(None) };
        let found = self.tree.with("reading", |tree| {
            let found = step(iter).transpose().and_then(|found| {
                if let Some((key, _)) = &found {
                    self.tree.note_use(tree, key)?;
                }
                Ok(found)
            });
            found.map_err(|source| self.tree.fault("reading", source))
        });
        // What panicked may not be used again.
        if found.is_err() {
            self.iter = None;
        }
        found
    }
}

impl Iterator for Steps {
    type Item = Result<Pair, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step(::sled::Iter::next).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_not_let_go_of_yet_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        drop(Tree::open(dir.path()).unwrap());
        let db = std::fs::File::open(dir.path().join(FOLDER).join("db")).unwrap();
        // The one before may itself take a moment to go.
        db.lock().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(300));
                db.unlock().unwrap();
            });
            Tree::open(dir.path()).unwrap();
        });
    }
}
