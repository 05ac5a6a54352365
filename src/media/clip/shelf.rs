//! The folder of clips: a file a source, written whole and synced before the log names it.

use crate::media::SourceId;
use crate::media::codec::mp4::{self, INDEX_BYTES_MAX, Movie, Mp4Error};
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// The folder in the data folder.
pub const FOLDER: &str = "clips";

/// One clip: half an hour at 8 Mbit/s.
pub const CLIP_BYTES_MAX: u64 = 2 << 30;

/// What an upload leaves free on the disk: the log comes first.
const FREE_BYTES_MIN: u64 = 1 << 30;

/// Bytes between two looks at the free space.
const LOOK_EVERY: u64 = 64 << 20;

/// Boxes at a file's top: exporters write four or five.
const BOXES_MAX: usize = 1_000;

/// What MP4 and QuickTime files begin with.
const FIRST_BOXES: [&[u8; 4]; 6] = [b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"];

/// Why a file is not on the shelf.
#[derive(Debug, Error)]
pub enum Fault {
    /// The disk failed.
    #[error("the clip's file can't be {what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// Larger than a clip may be.
    #[error("this file is larger than 2 GiB: export it with a lower bitrate, 4 Mbit/s is plenty")]
    TooLarge,
    /// It would fill the disk.
    #[error("the server's disk is too full for this file: remove clips, or make space and try again")]
    Full,
    /// Others upload.
    #[error("two clips are being uploaded already: wait until they are done")]
    Busy,
    /// The file itself.
    #[error(transparent)]
    File(#[from] Mp4Error),
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> Fault {
    move |source| Fault::Io { what, source }
}

/// Uploads at once: each writes as fast as the disk takes it, and the log needs the disk too.
const UPLOADS_MAX: usize = 2;

/// The folder; cheap to clone.
#[derive(Clone, Debug)]
pub struct Shelf {
    dir: PathBuf,
    places: Arc<Semaphore>,
}

/// A file that was checked and can be put on the shelf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// How long it plays, in ms.
    pub duration_ms: u64,
    /// Of the file.
    pub bytes: u64,
    /// Of the file: `blake3:` and 64 hexadecimal digits.
    pub hash: String,
}

/// A file on its way in; dropping it removes what has come.
#[derive(Debug)]
pub struct Upload {
    _place: OwnedSemaphorePermit,
    file: File,
    path: PathBuf,
    dir: PathBuf,
    hasher: blake3::Hasher,
    bytes: u64,
    look_at: u64,
}

impl Shelf {
    /// The shelf of a data folder.
    pub fn of(data: &Path) -> Self {
        Self { dir: data.join(FOLDER), places: Arc::new(Semaphore::new(UPLOADS_MAX)) }
    }

    /// Where a source's file is.
    pub fn path(&self, source: SourceId) -> PathBuf {
        self.dir.join(format!("{source}.mp4"))
    }

    /// Begins an upload of `bytes`, as far as is known; makes the folder, open to its owner only.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn begin(&self, bytes: u64) -> Result<Upload, Fault> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| Fault::Busy)?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir).map_err(failed("made"))?;
        let path = self.dir.join(format!("{}.part", Uuid::new_v4()));
        room_for(&self.dir, bytes)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed("made"))?;
        let hasher = blake3::Hasher::new();
        Ok(Upload { _place: place, file, path, dir: self.dir.clone(), hasher, bytes: 0, look_at: LOOK_EVERY })
    }

    /// Removes a source's file, if there is one.
    pub fn remove(&self, source: SourceId) {
        let _ = fs::remove_file(self.path(source));
    }

    /// Removes the files of clips that the log does not name, and uploads that a crash broke off.
    pub(super) fn keep_only(&self, keep: &HashSet<SourceId>) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<Uuid>().ok());
            let Some(id) = stem else { continue };
            let goes = match path.extension().and_then(|extension| extension.to_str()) {
                Some("mp4") => !keep.contains(&SourceId(id)),
                Some("part") => true,
                Some(_) | None => false,
            };
            if goes && let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, "a clip's file that nobody needs stays");
            }
        }
    }
}

impl Upload {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`Fault`]: the upload is over.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if self.bytes > CLIP_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
        if self.bytes >= self.look_at {
            room_for(&self.dir, LOOK_EVERY)?;
            self.look_at = self.bytes.saturating_add(LOOK_EVERY);
        }
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(failed("written"))
    }

    /// Checks the file, syncs it and gives it its place; it stays even if nobody ever names it in the log.
    ///
    /// # Errors
    /// [`Fault`]: nothing stays.
    pub fn finish(self, shelf: &Shelf, source: SourceId) -> Result<Checked, Fault> {
        let movie = open(&self.path)?.1;
        self.file.sync_all().map_err(failed("synced"))?;
        fs::rename(&self.path, shelf.path(source)).map_err(failed("named"))?;
        let dir = File::open(&self.dir).and_then(|dir| dir.sync_all());
        dir.map_err(failed("synced"))?;
        let hash = format!("blake3:{}", self.hasher.finalize().to_hex());
        Ok(Checked { duration_ms: movie.duration_ms, bytes: self.bytes, hash })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // Once it has its place there is no file of this name.
        let _ = fs::remove_file(&self.path);
    }
}

fn room_for(dir: &Path, bytes: u64) -> Result<(), Fault> {
    let disk = rustix::fs::statvfs(dir).map_err(|errno| failed("placed")(errno.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < bytes.saturating_add(FREE_BYTES_MIN) { Err(Fault::Full) } else { Ok(()) }
}

/// Opens a file and reads its index, wherever in it that stands.
///
/// # Errors
/// [`Fault`].
pub(super) fn open(path: &Path) -> Result<(File, Movie), Fault> {
    let file = File::open(path).map_err(failed("opened"))?;
    let length = file.metadata().map_err(failed("read"))?.len();
    let mut at = 0_u64;
    for number in 0..BOXES_MAX {
        let mut first = [0; 16];
        let there = usize::try_from(length.saturating_sub(at).min(16)).unwrap_or(0);
        let first = first.get_mut(..there).unwrap_or_default();
        if there < 8 && number > 0 {
            break;
        }
        file.read_exact_at(first, at).map_err(failed("read"))?;
        let head = mp4::head(first);
        let begins = |head: &mp4::Head| FIRST_BOXES.contains(&&head.name);
        if number == 0 && !head.as_ref().is_ok_and(begins) {
            return Err(Mp4Error::Foreign.into());
        }
        let head = head?;
        let size = head.size.unwrap_or(length.saturating_sub(at));
        if &head.name == b"moof" {
            return Err(Mp4Error::Fragmented.into());
        }
        if &head.name == b"moov" {
            if size > INDEX_BYTES_MAX || at.saturating_add(size) > length {
                return Err(Mp4Error::Broken { what: "the index" }.into());
            }
            let body = size.saturating_sub(head.head);
            let mut moov = vec![0; usize::try_from(body).unwrap_or(0)];
            file.read_exact_at(&mut moov, at.saturating_add(head.head)).map_err(failed("read"))?;
            return Ok((file, Movie::parse(&moov, length)?));
        }
        at = at.saturating_add(size);
    }
    Err(Mp4Error::NoIndex.into())
}
