//! Donors' names while somebody looks for them: opened once, a part of the ledger at a time, and kept in memory until nobody has
//! looked for a while. A million take some seconds of a core and thirty megabytes; a search then goes over them in some tens of
//! milliseconds.
//!
//! They only say where to look: whoever shows a row opens its contact again.

use super::chosen::Chosen;
use super::contacts::{Contacts, Fault};
use super::selection::Selection;
use crate::domain::id::PersonId;
use crate::engine::Engine;
use crate::projections::Projections;
use crate::projections::ledger::ContactAt;
use chrono::NaiveDate;
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Rows of a part. The last one is not full, and opened at each look: a twentieth of a second of a core.
pub const PART_ROWS: usize = 16_384;
/// Threads that open names at most.
const THREADS_MAX: usize = 8;
/// How long one look opens names: half a million where nobody else needs the cores.
const LOOK_MAX: Duration = Duration::from_secs(2);
/// How long they are kept after the last look.
const IDLE_MAX: Duration = Duration::from_secs(600);
/// How often it is seen whether that is over, or somebody was erased.
const TIDY_EVERY: Duration = Duration::from_secs(30);

/// The names of consecutive rows, in lower case.
struct Part {
    /// Where each row's name ends.
    ends: Vec<u32>,
    text: String,
}

impl Part {
    fn name(&self, at: usize) -> &str {
        let end = |at: usize| self.ends.get(at).and_then(|end| usize::try_from(*end).ok());
        let start = at.checked_sub(1).map_or(Some(0), end);
        start.zip(end(at)).and_then(|(start, end)| self.text.get(start..end)).unwrap_or_default()
    }

    fn has(&self, at: usize, words: &[String]) -> bool {
        let name = self.name(at);
        words.iter().all(|word| name.contains(word.as_str()))
    }
}

struct Kept {
    /// By their place among the parts of the ledger.
    parts: Vec<Option<Arc<Part>>>,
    /// [`Names::erasures`] when the first was opened.
    erasures: u128,
    used: Instant,
}

/// What is kept. Cheap to clone.
#[derive(Clone)]
pub struct Names(Arc<Inner>);

struct Inner {
    engine: Engine,
    part_rows: usize,
    kept: Mutex<Kept>,
    /// Held while names are opened: whoever comes meanwhile finds them opened.
    opening: Mutex<()>,
    is_warming: AtomicBool,
    is_tidied: AtomicBool,
}

/// Rows whose donors have a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Their events, the latest first.
    pub seqs: Vec<u64>,
    /// The event before which to go on, and its day; none where there is no row left.
    pub on: Option<(u64, NaiveDate)>,
}

impl Names {
    /// None yet, of the ledger in parts of so many rows: [`PART_ROWS`].
    pub fn new(engine: Engine, part_rows: usize) -> Self {
        let kept = Mutex::new(Kept { parts: vec![], erasures: 0, used: Instant::now() });
        let (opening, is_warming, is_tidied) = (Mutex::new(()), AtomicBool::new(false), AtomicBool::new(false));
        Self(Arc::new(Inner { engine, part_rows, kept, opening, is_warming, is_tidied }))
    }

    /// Rows of a selection from before an event whose donors' names have all of these words, the latest first: so many at most,
    /// or those that are found within two seconds. Not on a thread that others wait for.
    ///
    /// # Errors
    /// [`Fault`]: log or vault are damaged.
    pub fn search(&self, selection: &Selection, words: &[String], before: u64, most: usize) -> Result<Found, Fault> {
        let begun = Instant::now();
        self.tidy();
        let mut last = None;
        let (mut found, end) = (vec![], {
            let world = self.0.engine.world();
            world.ledger.rows_at(selection.seq(&world).min(before.saturating_sub(1))).len()
        });
        for number in (0..end.div_ceil(self.0.part_rows)).rev() {
            let part = self.part(number, cores())?;
            let world = self.0.engine.world();
            let chosen = Chosen::new(&world, selection);
            let rows = self.range(number, end);
            let first = rows.start;
            for (at, row) in world.ledger.rows.get(rows).unwrap_or_default().iter().enumerate().rev() {
                if !chosen.has(row) || !part.has(at, words) {
                    continue;
                }
                if found.len() == most {
                    return Ok(Found { seqs: found, on: last });
                }
                found.push(row.seq);
                last = Some((row.seq, row.day));
            }
            if begun.elapsed() > LOOK_MAX && number > 0 {
                let on = world.ledger.rows.get(first).map(|row| (row.seq, row.day));
                return Ok(Found { seqs: found, on });
            }
        }
        Ok(Found { seqs: found, on: None })
    }

    /// Opens what is not open yet, on a thread of its own and with one core, so that whoever looks for a name soon need not wait.
    pub fn warm(&self) {
        self.tidy();
        let full = self.0.engine.world().ledger.rows.len() / self.0.part_rows.max(1);
        let is_open = |number: usize| self.0.kept.lock().parts.get(number).is_some_and(Option::is_some);
        if (0..full).all(is_open) || self.0.is_warming.swap(true, Ordering::Relaxed) {
            return;
        }
        let names = self.clone();
        tokio::task::spawn_blocking(move || {
            for number in (0..full).rev() {
                if let Err(fault) = names.part(number, 1) {
                    tracing::error!(%fault, "names could not be opened");
                    break;
                }
            }
            names.0.is_warming.store(false, Ordering::Relaxed);
        });
    }

    /// A part, opened where it is not.
    fn part(&self, number: usize, threads: usize) -> Result<Arc<Part>, Fault> {
        let known = || self.0.kept.lock().parts.get(number).cloned().flatten();
        if let Some(part) = known() {
            return Ok(part);
        }
        let _opening = self.0.opening.lock();
        if let Some(part) = known() {
            return Ok(part);
        }
        let erasures = self.erasures();
        let (wanted, is_full) = {
            let world = self.0.engine.world();
            let rows = self.range(number, world.ledger.rows.len());
            (wanted(&world, rows.clone()), rows.len() == self.0.part_rows)
        };
        let part = Arc::new(opened(&self.0.engine, &wanted, threads)?);
        let mut kept = self.0.kept.lock();
        // Whoever was erased meanwhile may be in it.
        if is_full && self.erasures() == erasures {
            if kept.parts.is_empty() {
                kept.erasures = erasures;
            }
            if kept.parts.len() <= number {
                kept.parts.resize(number.saturating_add(1), None);
            }
            if let Some(slot) = kept.parts.get_mut(number) {
                *slot = Some(Arc::clone(&part));
            }
        }
        Ok(part)
    }

    /// The rows of a part, of so many.
    fn range(&self, number: usize, end: usize) -> Range<usize> {
        let start = number.saturating_mul(self.0.part_rows);
        start..start.saturating_add(self.0.part_rows).min(end)
    }

    /// A number that is another one after each erasure.
    fn erasures(&self) -> u128 {
        self.0.engine.world().state.privacy.erasures().fold(0, |mark, (_, erasure)| mark ^ erasure.0.as_u128())
    }

    /// Sees that they are let go in time, and notes that they are used.
    fn tidy(&self) {
        self.forget_erased();
        self.0.kept.lock().used = Instant::now();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.0.is_tidied.swap(true, Ordering::Relaxed) {
            return;
        }
        let names = self.clone();
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(TIDY_EVERY).await;
                names.forget_erased();
                let mut kept = names.0.kept.lock();
                if kept.used.elapsed() > IDLE_MAX {
                    kept.parts = vec![];
                    names.0.is_tidied.store(false, Ordering::Relaxed);
                    return;
                }
            }
        });
    }

    /// Lets go of all where somebody was erased since.
    fn forget_erased(&self) {
        let erasures = self.erasures();
        let mut kept = self.0.kept.lock();
        if kept.erasures != erasures {
            kept.parts = vec![];
            kept.erasures = erasures;
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).clamp(1, THREADS_MAX)
}

fn wanted(world: &Projections, rows: Range<usize>) -> Vec<Option<(PersonId, ContactAt)>> {
    let rows = world.ledger.rows.get(rows).unwrap_or_default().iter();
    rows.map(|row| Some((row.donor, world.ledger.pledge(row.donation)?.contact))).collect()
}

/// Opens names, each core a stretch of them.
fn opened(engine: &Engine, wanted: &[Option<(PersonId, ContactAt)>], threads: usize) -> Result<Part, Fault> {
    let stretch = wanted.len().div_ceil(threads).max(1);
    let open = |wanted: &[Option<(PersonId, ContactAt)>]| -> Result<Part, Fault> {
        let mut contacts = Contacts::as_typed(engine);
        let mut part = Part { ends: Vec::with_capacity(wanted.len()), text: String::new() };
        for one in wanted {
            if let Some((donor, at)) = one
                && let Some(contact) = contacts.open(*donor, *at)?
            {
                part.text.push_str(&format!("{} {}", contact.first_name, contact.last_name).to_lowercase());
            }
            part.ends.push(u32::try_from(part.text.len()).unwrap_or(u32::MAX));
        }
        Ok(part)
    };
    let parts = std::thread::scope(|scope| {
        let threads: Vec<_> = wanted.chunks(stretch).map(|wanted| scope.spawn(move || open(wanted))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect::<Result<Vec<Part>, Fault>>()
    })?;
    let mut all = Part { ends: Vec::with_capacity(wanted.len()), text: String::new() };
    for part in parts {
        let before = u32::try_from(all.text.len()).unwrap_or(u32::MAX);
        all.ends.extend(part.ends.iter().map(|end| end.saturating_add(before)));
        all.text.push_str(&part.text);
    }
    Ok(all)
}
