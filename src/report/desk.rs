//! Where files are made: so many at once, and how far each is.

use super::{Format, Order, Parts};
use crate::domain::privacy::Access;
use crate::domain::{Command, privacy};
use crate::engine::{Engine, Failure};
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Semaphore, mpsc};
use uuid::Uuid;

/// Files made at once: each holds a thread for as long as its reader takes, and there are some hundred of those. Others wait
/// their turn.
const FILES_MAX: usize = 16;
/// Chunks made ahead of a slow reader.
const CHUNKS_AHEAD: usize = 4;

/// Where files are made. Cheap to clone.
#[derive(Clone)]
pub struct Desk(Arc<Inner>);

struct Inner {
    engine: Engine,
    turns: Arc<Semaphore>,
    making: Mutex<Vec<Arc<Making>>>,
}

/// A file that is being made.
struct Making {
    id: Uuid,
    format: Format,
    name: String,
    /// Rows that were looked at.
    done: AtomicU64,
    /// Rows that there are; 0 until that is known.
    of: AtomicU64,
}

/// How far a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which, as whoever asked for it named it.
    pub id: Uuid,
    /// In which format.
    pub format: Format,
    /// Who takes it.
    pub name: String,
    /// Rows that were looked at.
    pub done: u64,
    /// Rows that there are; 0 until that is known.
    pub of: u64,
}

impl Desk {
    /// A desk at which nobody stands.
    pub fn new(engine: Engine) -> Self {
        Self(Arc::new(Inner { engine, turns: Arc::new(Semaphore::new(FILES_MAX)), making: Mutex::default() }))
    }

    /// Whose ledger it has.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Records that a file is taken, and makes it as of now, on threads of its own.
    ///
    /// # Errors
    /// [`Failure`]: the reason can't stay in the log, or the writer has no time.
    pub async fn take(&self, order: Order) -> Result<Parts, Failure> {
        let turn = self.0.turns.clone().acquire_owned().await.map_err(|_| Failure::Stopped)?;
        let Order { id, format, name, who, reason, .. } = &order;
        let of = order.told();
        let access = Access { who: who.clone(), what: format.word().into(), of, reason: reason.clone() };
        // Each taking counts, whatever it is called.
        let key = format!("export:{}", Uuid::now_v7());
        self.engine().execute(Command::Privacy(privacy::Command::Export(access)), key, who).await?;
        let (done, of) = (AtomicU64::new(0), AtomicU64::new(0));
        let making = Arc::new(Making { id: *id, format: *format, name: name.clone(), done, of });
        self.0.making.lock().push(making.clone());
        let (sender, parts) = mpsc::channel(CHUNKS_AHEAD);
        let desk = self.clone();
        tokio::task::spawn_blocking(move || {
            let out = Out { sender, making: making.clone() };
            if let Err(fault) = order.make(desk.engine(), &out) {
                // A file that breaks off is seen; one with a row left out is not.
                let _ = out.sender.blocking_send(Err(fault));
            }
            desk.0.making.lock().retain(|known| !Arc::ptr_eq(known, &making));
            drop(turn);
        });
        Ok(parts)
    }

    /// The files that are being made, in the order in which they were asked for.
    pub fn making(&self) -> Vec<Progress> {
        let told = |making: &Arc<Making>| {
            let of = making.of.load(Ordering::Relaxed);
            // The one may be read before the other is written.
            let done = making.done.load(Ordering::Relaxed).min(of);
            Progress { id: making.id, format: making.format, name: making.name.clone(), done, of }
        };
        self.0.making.lock().iter().map(told).collect()
    }
}

/// Where a file's parts go.
pub(super) struct Out {
    sender: mpsc::Sender<std::io::Result<Bytes>>,
    making: Arc<Making>,
}

impl Out {
    /// Sends a part; false where nobody reads on.
    pub(super) fn send(&self, bytes: Vec<u8>) -> bool {
        bytes.is_empty() || self.sender.blocking_send(Ok(bytes.into())).is_ok()
    }

    /// Whether nobody reads on.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Says how many rows there are to look at.
    pub(super) fn has(&self, rows: impl TryInto<u64>) {
        self.making.of.store(rows.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Says that so many more were looked at.
    pub(super) fn did(&self, rows: impl TryInto<u64>) {
        self.making.done.fetch_add(rows.try_into().unwrap_or(0), Ordering::Relaxed);
    }
}
