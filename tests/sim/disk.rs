//! A machine's disk as the worst case has it: what was not synced may be lost, each sector by itself and in any order; it may
//! be full, a sync may fail once and for all, and the power may go in the middle of anything.

use crate::chance::Chance;
use crate::trace::Trace;
use groundswell::log::Fault;
use groundswell::log::disk::Disk;
use groundswell::log::sled::Parts;
use groundswell::log::store::{Bytes, Pair, Range, Store};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// What a drive writes whole or not at all.
const SECTOR: usize = 512;

/// What is the matter with a disk that has no more space; it keeps what it has.
pub const FULL: &str = "the disk is full";
const CUT: &str = "the power is cut";

/// What is to go wrong, counted in operations of the disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    /// The power goes in the middle of this one.
    pub power_cut_at: Option<u64>,
    /// The next sync from here on fails.
    pub sync_fails_at: Option<u64>,
    /// From here on there is no more space.
    pub full_at: Option<u64>,
    /// In percent: turns of the writer that wait for the disk.
    pub slow: u64,
}

#[derive(Default)]
struct File {
    durable: Vec<u8>,
    cache: Vec<u8>,
    /// What each sector looked like after each write since the last sync; the disk may have any of it.
    dirty: BTreeMap<usize, Vec<[u8; SECTOR]>>,
}

type Frames = BTreeMap<[u8; 8], Vec<u8>>;

#[derive(Default)]
struct Inner {
    files: BTreeMap<&'static str, File>,
    durable: Frames,
    cache: Frames,
    added: Vec<Frames>,
    chance: Option<Chance>,
    plan: Plan,
    operations: u64,
    is_on: bool,
    hurt: Option<&'static str>,
    onlooker: Option<Onlooker>,
}

/// Somebody on another thread who looks at the server just while it waits for the disk.
type Onlooker = Arc<dyn Fn() + Send + Sync>;

/// The disk, its cache and its power switch. Cheap to clone.
#[derive(Clone)]
pub struct Machine {
    inner: Arc<Mutex<Inner>>,
    trace: Trace,
}

struct Handle {
    machine: Machine,
    name: &'static str,
    path: PathBuf,
}

/// How an operation goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Well,
    PowerCut,
    SyncFails,
    Full,
}

fn failed(what: &str) -> io::Error {
    io::Error::other(what.to_owned())
}

impl Inner {
    fn chance(&mut self) -> &mut Chance {
        self.chance.as_mut().unwrap()
    }

    fn next(&mut self, is_sync: bool, trace: &Trace) -> io::Result<Way> {
        if !self.is_on {
            return Err(failed("the power is off"));
        }
        self.operations += 1;
        let now = self.operations;
        let due = |at: Option<u64>| at.is_some_and(|at| at <= now);
        let way = if due(self.plan.power_cut_at) {
            self.is_on = false;
            Way::PowerCut
        } else if is_sync && due(self.plan.sync_fails_at) {
            self.plan.sync_fails_at = None;
            Way::SyncFails
        } else if !is_sync && due(self.plan.full_at) {
            Way::Full
        } else {
            Way::Well
        };
        let hurt = match way {
            Way::Well => None,
            Way::PowerCut => Some(CUT),
            Way::SyncFails => Some("a sync fails"),
            Way::Full => Some(FULL),
        };
        if let Some(hurt) = hurt.filter(|_| way != Way::Full) {
            self.is_hurt(hurt, trace);
        }
        Ok(way)
    }

    fn is_hurt(&mut self, what: &'static str, trace: &Trace) {
        trace.line(format!("disk: {what} at operation {}", self.operations));
        trace.count(|count| if what == CUT { count.power_cuts += 1 } else { count.disk_faults += 1 });
        self.hurt = Some(what);
    }
}

impl File {
    fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        let before = self.cache.len();
        if self.cache.len() < end {
            self.cache.resize(end, 0);
        }
        self.cache[offset..end].copy_from_slice(bytes);
        if end == offset {
            return;
        }
        // A gap that a write leaves is of zeros on the disk too.
        for sector in offset.min(before) / SECTOR..=(end - 1) / SECTOR {
            let version = self.sector(sector);
            self.dirty.entry(sector).or_default().push(version);
        }
    }

    fn sector(&self, sector: usize) -> [u8; SECTOR] {
        let mut copy = [0; SECTOR];
        let from = sector * SECTOR;
        let until = self.cache.len().min(from + SECTOR);
        copy[..until - from].copy_from_slice(&self.cache[from..until]);
        copy
    }

    fn keep(&mut self, sector: usize, version: &[u8; SECTOR]) {
        let from = sector * SECTOR;
        let until = self.cache.len().min(from + SECTOR);
        if self.durable.len() < until {
            self.durable.resize(until, 0);
        }
        self.durable[from..until].copy_from_slice(&version[..until - from]);
    }

    /// Some of what was not synced reaches the disk all the same: of each sector one of its versions, or none.
    fn settle(&mut self, chance: &mut Chance, percent: u64) {
        for (sector, versions) in std::mem::take(&mut self.dirty) {
            if chance.percent(percent) {
                let version = *chance.pick(&versions);
                self.keep(sector, &version);
            }
        }
    }

    fn sync(&mut self) {
        for (sector, versions) in std::mem::take(&mut self.dirty) {
            self.keep(sector, versions.last().unwrap());
        }
        self.durable.resize(self.cache.len(), 0);
    }

    fn forget(&mut self) {
        self.dirty.clear();
        self.cache = self.durable.clone();
    }
}

/// Little, so that the journal is full every now and then.
const JOURNAL_BYTES_MAX: u64 = 4 * 1024 * 1024;

impl Machine {
    pub fn new(seed: u64, trace: Trace) -> Self {
        let inner = Inner { chance: Some(Chance::of(seed, "disk")), ..Inner::default() };
        Self { inner: Arc::new(Mutex::new(inner)), trace }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Files and store as a process opens them.
    pub fn parts(&self) -> Parts {
        let open = |name: &'static str| -> Box<dyn Disk> {
            self.inner().files.entry(name).or_default();
            Box::new(Handle { machine: self.clone(), name, path: PathBuf::from("/simulated").join(name) })
        };
        Parts {
            store: Arc::new(self.clone()),
            journal: open("journal"),
            journal_bytes_max: JOURNAL_BYTES_MAX,
            acknowledged: open("acknowledged"),
            witness: open("head"),
            dir: PathBuf::from("/simulated"),
        }
    }

    /// A process begins, and this is what awaits it; operations are counted from here.
    pub fn turn_on(&self, plan: Plan) {
        let mut inner = self.inner();
        inner.is_on = true;
        inner.operations = 0;
        inner.plan = plan;
        inner.hurt = None;
    }

    /// The process is gone: whatever it does in going has no effect. Its files are as they were, in the cache.
    pub fn process_ends(&self) {
        let mut inner = self.inner();
        inner.is_on = false;
        inner.onlooker = None;
    }

    /// Has the server looked at during each sync, until it ends.
    pub fn during_syncs(&self, look: impl Fn() + Send + Sync + 'static) {
        self.inner().onlooker = Some(Arc::new(look));
    }

    /// The cache is gone as well. After a failed sync it is not to be trusted, so that happens there too.
    pub fn power_cut(&self) {
        let mut inner = self.inner();
        let Inner { files, durable, cache, added, chance, is_on, .. } = &mut *inner;
        let chance = chance.as_mut().unwrap();
        *is_on = false;
        let percent = *chance.pick(&[0, 10, 50, 90, 100]);
        for file in files.values_mut() {
            file.settle(chance, percent);
            file.forget();
        }
        // In the order in which they were added: frames without the ones before them do not survive.
        let kept = if percent == 100 { added.len() } else { chance.below(added.len() as u64 + 1) as usize };
        added.drain(..).take(kept).for_each(|mut frames| durable.append(&mut frames));
        *cache = durable.clone();
        let written = files.values().map(|file| file.durable.len()).max().unwrap_or(0);
        self.trace.line(format!("disk: dark, a journal of {} KiB", written / 1024));
    }

    /// What went wrong since the process began.
    pub fn hurt(&self) -> Option<&'static str> {
        self.inner().hurt
    }

    /// How long the writer's next turn waits for the disk.
    pub fn slow(&self, chance: &mut Chance) -> Option<Duration> {
        let slow = self.inner().plan.slow;
        chance.percent(slow).then(|| chance.millis(1..4_000))
    }

    fn write(&self, name: &str, bytes: &[u8], offset: usize) -> io::Result<()> {
        let mut inner = self.inner();
        let way = inner.next(false, &self.trace)?;
        let grows = inner.files[name].cache.len() < offset + bytes.len();
        let whole = match way {
            Way::Well | Way::SyncFails => bytes.len(),
            // What is there already can be written over on a full disk.
            Way::Full if !grows => bytes.len(),
            Way::Full | Way::PowerCut => inner.chance().below(bytes.len() as u64 + 1) as usize,
        };
        inner.files.get_mut(name).unwrap().write(&bytes[..whole], offset);
        match way {
            Way::Full if grows => {
                inner.is_hurt(FULL, &self.trace);
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            Way::PowerCut => Err(failed("the power is off")),
            Way::Well | Way::SyncFails | Way::Full => Ok(()),
        }
    }

    fn sync_file(&self, name: &str) -> io::Result<()> {
        let onlooker = self.inner().onlooker.clone();
        if let Some(look) = onlooker {
            look();
        }
        let mut inner = self.inner();
        let way = inner.next(true, &self.trace)?;
        let Inner { files, chance, .. } = &mut *inner;
        let (file, chance) = (files.get_mut(name).unwrap(), chance.as_mut().unwrap());
        match way {
            Way::Well | Way::Full => {
                file.sync();
                Ok(())
            }
            Way::PowerCut => {
                // Done, and nobody heard of it, or not done.
                if chance.percent(40) {
                    file.sync();
                }
                Err(failed("the power is off"))
            }
            Way::SyncFails => {
                let percent = *chance.pick(&[0, 50, 100]);
                file.settle(chance, percent);
                Err(failed("input/output error"))
            }
        }
    }

    fn add_frames(&self, pairs: &[([u8; 8], Vec<u8>)]) -> io::Result<()> {
        let mut inner = self.inner();
        let way = inner.next(false, &self.trace)?;
        match way {
            Way::Well | Way::SyncFails => {}
            Way::Full => {
                inner.is_hurt(FULL, &self.trace);
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            Way::PowerCut => {
                if inner.chance().percent(50) {
                    return Err(failed("the power is off"));
                }
            }
        }
        let frames: Frames = pairs.iter().cloned().collect();
        inner.cache.extend(frames.clone());
        inner.added.push(frames);
        if way == Way::PowerCut { Err(failed("the power is off")) } else { Ok(()) }
    }

    fn sync_frames(&self) -> io::Result<()> {
        let mut inner = self.inner();
        let way = inner.next(true, &self.trace)?;
        let Inner { durable, added, chance, .. } = &mut *inner;
        let chance = chance.as_mut().unwrap();
        let kept = match way {
            Way::Well | Way::Full => added.len(),
            Way::PowerCut | Way::SyncFails => chance.below(added.len() as u64 + 1) as usize,
        };
        added.drain(..).take(kept).for_each(|mut frames| durable.append(&mut frames));
        match way {
            Way::Well | Way::Full => Ok(()),
            Way::PowerCut => Err(failed("the power is off")),
            Way::SyncFails => Err(failed("input/output error")),
        }
    }

    fn fault(&self, doing: &'static str, source: io::Error) -> Fault {
        Fault::Io { doing, path: PathBuf::from("/simulated/frames"), source }
    }
}

impl Disk for Handle {
    fn path(&self) -> &Path {
        &self.path
    }

    fn length(&self) -> io::Result<u64> {
        let inner = self.machine.inner();
        if inner.is_on { Ok(inner.files[self.name].cache.len() as u64) } else { Err(failed("the power is off")) }
    }

    fn read_at(&self, to: &mut [u8], offset: u64) -> io::Result<()> {
        let inner = self.machine.inner();
        if !inner.is_on {
            return Err(failed("the power is off"));
        }
        let there = inner.files[self.name].cache.get(offset as usize..offset as usize + to.len());
        to.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.machine.write(self.name, bytes, offset as usize)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.machine.sync_file(self.name)
    }
}

fn pair((key, value): (&[u8; 8], &Vec<u8>)) -> Pair {
    (Bytes::from(key), Bytes::from(value.as_slice()))
}

impl Store for Machine {
    fn add(&self, pairs: &[([u8; 8], Vec<u8>)]) -> Result<(), Fault> {
        self.add_frames(pairs).map_err(|source| self.fault("adding frames to", source))
    }

    fn sync(&self) -> Result<(), Fault> {
        self.sync_frames().map_err(|source| self.fault("syncing", source))
    }

    fn get(&self, key: [u8; 8]) -> Result<Option<Bytes>, Fault> {
        Ok(self.inner().cache.get(&key).map(|value| Bytes::from(value.as_slice())))
    }

    fn range(&self, from: [u8; 8], until: [u8; 8]) -> Range {
        if from > until {
            return Box::new(std::iter::empty());
        }
        let found: Vec<_> = self.inner().cache.range(from..=until).map(pair).map(Ok).collect();
        Box::new(found.into_iter())
    }

    fn last_until(&self, key: [u8; 8]) -> Result<Option<Pair>, Fault> {
        Ok(self.inner().cache.range(..=key).next_back().map(pair))
    }

    fn last(&self, count: usize) -> Result<Vec<Pair>, Fault> {
        let mut last: Vec<_> = self.inner().cache.iter().rev().take(count).map(pair).collect();
        last.reverse();
        Ok(last)
    }
}

mod tests {
    use super::*;
    use crate::trace::Time;
    use std::collections::BTreeSet;

    const FILE: &str = "journal";

    fn machine(seed: u64) -> (Machine, Box<dyn Disk>) {
        let machine = Machine::new(seed, Trace::new(Time::begin()));
        machine.turn_on(Plan::default());
        let disk = machine.parts().journal;
        (machine, disk)
    }

    fn read(disk: &dyn Disk) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; disk.length()? as usize];
        disk.read_at(&mut bytes, 0).map(|()| bytes)
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_synced_survives_and_the_rest_does_by_sectors() {
        let mut ends = BTreeSet::new();
        for seed in 0..200 {
            let (machine, mut disk) = machine(seed);
            disk.write_at(&[1; 3 * SECTOR], 0).unwrap();
            disk.sync().unwrap();
            disk.write_at(&[2; 3 * SECTOR], 0).unwrap();
            machine.power_cut();
            assert!(read(&*disk).is_err() && disk.write_at(&[3], 0).is_err());
            machine.turn_on(Plan::default());
            let found = read(&*disk).unwrap();
            assert_eq!(found.len(), 3 * SECTOR);
            let sectors: Vec<u8> = found.chunks(SECTOR).map(|sector| sector[0]).collect();
            assert!(found.chunks(SECTOR).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
            ends.insert(sectors);
        }
        assert_eq!(ends.len(), 8, "every mixture of old and new comes about: {ends:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_sync_that_fails_is_not_made_good_by_the_next() {
        let lost = (0..100).filter(|seed| {
            let (machine, mut disk) = machine(*seed);
            machine.turn_on(Plan { sync_fails_at: Some(1), ..Plan::default() });
            disk.write_at(&[1; SECTOR], 0).unwrap();
            assert!(disk.sync().is_err());
            assert!(disk.sync().is_ok());
            assert_eq!(read(&*disk).unwrap(), [1; SECTOR], "the cache still shows it");
            machine.power_cut();
            machine.turn_on(Plan::default());
            read(&*disk).unwrap() != [1; SECTOR]
        });
        assert!((1..100).contains(&lost.count()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_disk_writes_over_and_does_not_grow() {
        let (machine, mut disk) = machine(1);
        disk.write_at(&[1; SECTOR], 0).unwrap();
        machine.turn_on(Plan { full_at: Some(0), ..Plan::default() });
        disk.write_at(&[2; SECTOR], 0).unwrap();
        assert_eq!(disk.write_at(&[2; SECTOR], 9).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(Store::add(&machine, &[([0; 8], vec![1])]).is_err());
        assert_eq!(machine.hurt(), Some(FULL));
        assert!(machine.inner().files[FILE].cache.starts_with(&[2; 9]));
    }

    #[tokio::test(start_paused = true)]
    async fn frames_survive_in_order_or_not_at_all() {
        let mut kept = BTreeSet::new();
        for seed in 0..100 {
            let (machine, _) = machine(seed);
            for number in 1..=3_u8 {
                Store::add(&machine, &[([number; 8], vec![number]), ([number + 100; 8], vec![number])]).unwrap();
                if number == 1 {
                    Store::sync(&machine).unwrap();
                }
            }
            machine.power_cut();
            let left: Vec<u8> = Store::last(&machine, 9).unwrap().iter().map(|(key, _)| key[0]).collect();
            kept.insert(left);
        }
        let all = [vec![1, 101], vec![1, 2, 101, 102], vec![1, 2, 3, 101, 102, 103]];
        assert_eq!(kept.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(all));
    }
}
