//! Writing an archive: where it ends, what is torn, and what comes next.

use super::segment::{self, Segment};
use super::{FOLDER, Flaw, SEGMENT_MAX_BYTES};
use crate::log::frame::Header;
use crate::log::frame::chain::Chain;
use crate::log::sled::Reader;
use crate::log::{Fault, Head};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The end of an archive.
pub(super) struct Writer {
    /// The log's folder.
    dir: PathBuf,
    head: Head,
    last: Option<Open>,
}

/// The segment that is written to.
struct Open {
    file: File,
    path: PathBuf,
    bytes: u64,
    dirty: bool,
}

impl Writer {
    /// Finds the end of the log's archive and cuts off what is torn there, which the log still has.
    pub(super) fn open(reader: &Reader) -> Result<Self, Fault> {
        let dir = reader.dir().to_path_buf();
        let folder = dir.join(FOLDER);
        std::fs::create_dir_all(&folder).map_err(|source| io("making the folder", &folder, source))?;
        sync_folder(&dir)?;
        let mut segments = segment::list(&folder)?;
        while let Some((name, path)) = segments.pop() {
            let segment = Segment::open(name, path)?;
            let length = segment.length;
            let (path, whole, last) = walk(segment)?;
            if length > whole {
                tracing::warn!(segment = %path.display(), bytes = length.saturating_sub(whole), "the archive's end was torn: it is written again");
            }
            let Some(last) = last else {
                std::fs::remove_file(&path).map_err(|source| io("removing", &path, source))?;
                continue;
            };
            let wrong = |flaw| Fault::Archive { segment: path.clone(), first_seq: last.first_seq, flaw };
            match reader.hash_of(last.first_seq)? {
                Some(hash) if hash == last.hash => {}
                Some(_) => return Err(wrong(Flaw::Disagrees)),
                None => return Err(wrong(Flaw::Ahead)),
            }
            let opened = OpenOptions::new().append(true).open(&path);
            let file = opened.map_err(|source| io("opening", &path, source))?;
            file.set_len(whole).map_err(|source| io("shortening", &path, source))?;
            let last_segment = Open { file, path, bytes: whole, dirty: true };
            return Ok(Self { dir, head: last.head(), last: Some(last_segment) });
        }
        Ok(Self { dir, head: Head::EMPTY, last: None })
    }

    /// The head of the log as far as it is archived.
    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// The last segment and its length.
    pub(super) fn end(&self) -> Option<(&Path, u64)> {
        self.last.as_ref().map(|last| (last.path.as_path(), last.bytes))
    }

    /// Adds the frame that comes next.
    pub(super) fn append(&mut self, header: &Header, stored: &[u8]) -> Result<(), Fault> {
        let path = |last: &Option<Open>| last.as_ref().map_or_else(|| self.dir.clone(), |last| last.path.clone());
        header.follows(&self.head).map_err(|cause| Fault::Archive {
            segment: path(&self.last),
            first_seq: header.first_seq,
            flaw: Flaw::Break(cause),
        })?;
        let record = segment::record(header, stored);
        let bytes = u64::try_from(record.len()).unwrap_or(u64::MAX);
        if self.last.as_ref().is_some_and(|last| last.bytes.saturating_add(bytes) > SEGMENT_MAX_BYTES) {
            self.sync()?;
            self.last = None;
        }
        let last = match &mut self.last {
            Some(last) => last,
            none => none.insert(begin(&self.dir, header.first_seq)?),
        };
        last.dirty = true;
        last.file.write_all(&record).map_err(|source| io("writing", &last.path, source))?;
        last.bytes = last.bytes.saturating_add(bytes);
        self.head = header.head();
        Ok(())
    }

    /// Makes what was written survive a power cut.
    pub(super) fn sync(&mut self) -> Result<(), Fault> {
        match &mut self.last {
            Some(last) if last.dirty => {
                last.dirty = false;
                last.file.sync_data().map_err(|source| io("syncing", &last.path, source))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn begin(dir: &Path, first_seq: u64) -> Result<Open, Fault> {
    let path = segment::path(dir, first_seq);
    let opened = OpenOptions::new().append(true).create_new(true).open(&path);
    let file = opened.map_err(|source| io("making", &path, source))?;
    sync_folder(&dir.join(FOLDER))?;
    Ok(Open { file, path, bytes: 0, dirty: true })
}

/// Reads a last segment to the end of what is whole, and returns that length and the last frame. What is not whole is
/// unsynced at worst, for a segment is synced before the next is begun; whole frames that do not belong together are a fault.
fn walk(mut segment: Segment) -> Result<(PathBuf, u64, Option<Header>), Fault> {
    let mut chain: Option<Chain> = None;
    let mut last = None;
    loop {
        let found = match segment.next() {
            Ok(Some(found)) => found.header,
            Ok(None) | Err(Fault::Archive { flaw: Flaw::Torn { .. } | Flaw::Record | Flaw::Damage(_), .. }) => break,
            Err(fault) => return Err(fault),
        };
        let taken = match &mut chain {
            Some(chain) => chain.take(&found),
            none => {
                *none = Some(Chain::at(&found));
                Ok(())
            }
        };
        taken.map_err(|cause| Fault::Archive {
            segment: segment.path.clone(),
            first_seq: found.first_seq,
            flaw: Flaw::Break(cause),
        })?;
        last = Some(found);
    }
    Ok((segment.path, segment.whole, last))
}

fn sync_folder(path: &Path) -> Result<(), Fault> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|source| io("syncing", path, source))
}

fn io(doing: &'static str, path: &Path, source: std::io::Error) -> Fault {
    Fault::Io { doing, path: path.to_path_buf(), source }
}
