//! `groundswell backup` and `groundswell restore`: the archive's segments, the vault and the clips, copied while the server runs, and a
//! data folder made of them again.
//!
//! Segments are only ever appended to, so a second backup into the same folder copies what is new. The log is copied before the
//! vault: everything sealed in it was sealed with a key that was on disk before.

use super::{DataArgs, control};
use crate::engine::Engine;
use crate::log::archive::read::Record;
use crate::log::archive::{self, Archive, Caught};
use crate::log::published::Published;
use crate::log::sled::SledLog;
use crate::log::{Fault, Head};
use crate::media::clip;
use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What is said of a backup in it.
const NOTE: &str = "backup.json";
/// The vault's files.
const VAULT: [&str; 2] = ["keys", "master"];
/// Events between two lines of progress.
const PROGRESS_EVERY: u64 = 1_000_000;

#[derive(Args)]
pub struct BackupArgs {
    /// The folder to back up into; one that holds an earlier backup of the same log gets what is new.
    to: PathBuf,
    #[command(flatten)]
    data: DataArgs,
}

#[derive(Args)]
pub struct RestoreArgs {
    /// The folder of a backup.
    from: PathBuf,
    #[command(flatten)]
    data: DataArgs,
}

/// What a backup holds.
#[derive(Serialize, Deserialize)]
struct Note {
    /// The form of this folder.
    version: u32,
    /// The last event in it.
    seq: u64,
    /// The hash of that event's frame.
    head: String,
}

/// How far the archive is, as the server tells it.
#[derive(Serialize, Deserialize)]
pub struct Extent {
    seq: u64,
    head: String,
    /// The last segment's name and how many of its bytes count.
    end: Option<(PathBuf, u64)>,
}

impl From<Caught> for Extent {
    fn from(caught: Caught) -> Self {
        let end = caught.end.and_then(|(path, bytes)| Some((path.file_name()?.into(), bytes)));
        Self { seq: caught.head.seq, head: caught.head.to_string(), end }
    }
}

/// Backs up.
pub async fn run(args: BackupArgs) -> anyhow::Result<()> {
    let config = args.data.config()?;
    let mut answer = vec![];
    let take = |bytes: &[u8]| {
        answer.extend_from_slice(bytes);
        Ok(())
    };
    let asked = control::ask(&config.data, "POST", "/backup", vec![], take).await?;
    let (data, to) = (config.data, args.to);
    let made = tokio::task::spawn_blocking(move || match asked {
        Some(()) => copy(&data, &to, &serde_json::from_slice(&answer)?),
        None => {
            let dir = data.join("log");
            ensure!(dir.is_dir(), "there is no log in {}: name the data folder with --data", data.display());
            // Held until everything is copied.
            let log = SledLog::open(&dir)?;
            let archive = Archive::follow(log.reader())?;
            copy(&data, &to, &archive.catch_up()?.into())
        }
    });
    let head = made.await??;
    println!("{} events backed up, and read back whole", head.seq);
    println!("{head}");
    Ok(())
}

fn copy(data: &Path, to: &Path, extent: &Extent) -> anyhow::Result<Head> {
    let at = |path: &Path| format!("{} can't be written", path.display());
    let (archive, vault) = (to.join(archive::FOLDER), to.join("vault"));
    for folder in [to, &archive, &vault] {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(|| at(folder))?;
    }
    let inside = fs::canonicalize(to)?.starts_with(fs::canonicalize(data)?);
    ensure!(!inside, "{} lies in the data folder itself: name a folder elsewhere", to.display());
    let from = data.join("log").join(archive::FOLDER);
    let mut names: Vec<_> =
        fs::read_dir(&from)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>()?;
    names.sort_unstable();
    for name in names {
        let (source, copy) = (from.join(&name), to.join(archive::FOLDER).join(&name));
        let end = match &extent.end {
            Some((last, bytes)) if last.as_os_str() == name => *bytes,
            Some((last, _)) if name.as_os_str() < last.as_os_str() => source.metadata()?.len(),
            // Begun after the head that this backup is of.
            Some(_) | None => continue,
        };
        append(&source, &copy, end).with_context(|| at(&copy))?;
    }
    for name in VAULT {
        replace(&data.join("vault").join(name), &vault.join(name)).with_context(|| at(&vault))?;
    }
    // After the log: every clip that it names was on the disk before.
    mirror_clips(data, to)?;
    let head = read_back(to, extent.seq, |_| Ok(()))?;
    ensure!(head.to_string() == extent.head, "{} holds another log: back up into a folder of its own", to.display());
    let note = Note { version: 1, seq: head.seq, head: head.to_string() };
    let beside = to.join("backup.unfinished");
    fs::write(&beside, serde_json::to_vec_pretty(&note)?)?;
    File::open(&beside)?.sync_all()?;
    fs::rename(&beside, to.join(NOTE))?;
    for folder in [&archive, &vault, to] {
        File::open(folder)?.sync_all()?;
    }
    Ok(head)
}

/// Copies the clips that are not there yet, which never change, and removes those that are gone.
fn mirror_clips(from: &Path, to: &Path) -> anyhow::Result<()> {
    let (from, to) = (from.join(clip::FOLDER), to.join(clip::FOLDER));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&to)?;
    let names = |folder: &Path| -> anyhow::Result<BTreeSet<OsString>> {
        let Ok(entries) = fs::read_dir(folder) else { return Ok(BTreeSet::new()) };
        let names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<BTreeSet<_>, _>>()?;
        Ok(names.into_iter().filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "mp4")).collect())
    };
    let (there, here) = (names(&from)?, names(&to)?);
    for name in &there {
        let (source, copy) = (from.join(name), to.join(name));
        let same = copy.metadata().is_ok_and(|copy| source.metadata().is_ok_and(|source| source.len() == copy.len()));
        if !same && source.exists() {
            replace(&source, &copy).with_context(|| format!("{} can't be written", copy.display()))?;
        }
    }
    for name in here.difference(&there) {
        fs::remove_file(to.join(name))?;
    }
    File::open(&to)?.sync_all()?;
    Ok(())
}

/// Makes `copy` as long as the first `end` bytes of `source`.
fn append(source: &Path, copy: &Path, end: u64) -> anyhow::Result<()> {
    let mut to = OpenOptions::new().append(true).create(true).mode(0o600).open(copy)?;
    let have = to.metadata()?.len();
    ensure!(have <= end, "it is longer than what it is a copy of: back up into a folder of its own");
    if have < end {
        let mut from = File::open(source)?;
        from.seek(SeekFrom::Start(have))?;
        std::io::copy(&mut std::io::Read::take(from, end.saturating_sub(have)), &mut to)?;
        to.sync_all()?;
    }
    Ok(())
}

fn replace(source: &Path, copy: &Path) -> anyhow::Result<()> {
    let beside = copy.with_extension("unfinished");
    let mut to = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    std::io::copy(&mut File::open(source)?, &mut to)?;
    to.sync_all()?;
    fs::rename(&beside, copy)?;
    Ok(())
}

/// Reads the archive of a backup up to an event, checks everything, and gives its frames away.
fn read_back(from: &Path, seq: u64, mut take: impl FnMut(Record) -> anyhow::Result<()>) -> anyhow::Result<Head> {
    let (mut head, mut told) = (Head::EMPTY, 0_u64);
    for record in up_to(from, seq)? {
        let record = record?;
        head = record.header().head();
        if head.seq.saturating_sub(told) >= PROGRESS_EVERY {
            told = head.seq;
            eprintln!("{told} events read");
        }
        take(record)?;
    }
    Ok(head)
}

/// The frames of a backup's archive, ending with the one that holds event `seq`: what stands behind is of a backup that was
/// not finished.
fn up_to(from: &Path, seq: u64) -> Result<impl Iterator<Item = Result<Record, Fault>>, Fault> {
    let mut records = archive::read::read(&from.join(archive::FOLDER))?;
    let mut done = seq == 0;
    Ok(std::iter::from_fn(move || {
        if done {
            return None;
        }
        let record = records.next();
        done =
            record.as_ref().is_some_and(|record| record.as_ref().is_ok_and(|record| record.header().head().seq >= seq));
        record
    }))
}

/// Restores.
pub async fn restore(args: RestoreArgs) -> anyhow::Result<()> {
    let config = args.data.config()?;
    let (data, from) = (config.data, args.from);
    let shown = data.display().to_string();
    let head = tokio::task::spawn_blocking(move || make(&from, &data)).await??;
    println!("{} events restored into {shown}, every frame whole and in its place", head.seq);
    println!(
        "Erasures that the log records are applied again at the first start; repeat those that came after this backup."
    );
    println!("{head}");
    Ok(())
}

fn make(from: &Path, data: &Path) -> anyhow::Result<Head> {
    let note = fs::read(from.join(NOTE)).with_context(|| format!("{} is not a finished backup", from.display()))?;
    let note: Note =
        serde_json::from_slice(&note).with_context(|| format!("{} can't be read", from.join(NOTE).display()))?;
    ensure!(note.version == 1, "this backup was made by a newer Groundswell: restore it with that one");
    let held = data.exists() && fs::read_dir(data).map_or(true, |mut entries| entries.next().is_some());
    ensure!(!held, "{} holds something, and restoring never overwrites: name an empty or a new folder", data.display());
    // Everything is made beside and named at the end: a restore that was broken off left nothing that looks like a log.
    let mut beside = data.as_os_str().to_owned();
    beside.push(".restoring");
    let beside = PathBuf::from(beside);
    ensure!(!beside.exists(), "{} is left from a restore that was broken off: remove it first", beside.display());
    let made = fill(from, &beside, &note);
    match made.and_then(|head| Ok(fs::rename(&beside, data).map(|()| head)?)) {
        Ok(head) => Ok(head),
        Err(error) => {
            // What is left is worth nothing, and says so by its name should it stay.
            let _ = fs::remove_dir_all(&beside);
            Err(error)
        }
    }
}

fn fill(from: &Path, to: &Path, note: &Note) -> anyhow::Result<Head> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(to)?;
    let vault = to.join("vault");
    fs::DirBuilder::new().mode(0o700).create(&vault)?;
    for name in VAULT {
        replace(&from.join("vault").join(name), &vault.join(name)).with_context(|| format!("the backup's {name}"))?;
    }
    mirror_clips(from, to)?;
    let head = SledLog::import(&to.join("log"), up_to(from, note.seq)?)?;
    if head.to_string() != note.head || head.seq != note.seq {
        bail!(
            "the backup is not what was backed up: it should end at event {} with {}, and ends at {} with {head}",
            note.seq,
            note.head,
            head.seq
        );
    }
    let published: Published = note.head.parse().map_err(anyhow::Error::msg)?;
    SledLog::open(&to.join("log"))?.reader().verify_against(&[published], |_| ())?;
    // A log that can be folded and a vault that opens: what the first start would find out.
    let (engine, mut writer) = Engine::open(to)?;
    drop(engine);
    tokio::runtime::Handle::current().block_on(writer.ended())?;
    Ok(head)
}
