//! Files that are written in place and synced: the journal's, and the notes beside the log.

use super::Fault;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// One file that is written in place and synced.
pub trait Disk: Send {
    /// Where it is, for messages.
    fn path(&self) -> &Path;

    /// How many bytes it has.
    ///
    /// # Errors
    /// The system's.
    fn length(&self) -> io::Result<u64>;

    /// Fills `to` with what stands at a place.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::UnexpectedEof`] where the file ends before.
    fn read_at(&self, to: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes at a place, past the end too: the file grows then.
    ///
    /// # Errors
    /// The system's; what was written of it is unknown then.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes everything that was written survive a power cut.
    ///
    /// # Errors
    /// The system's; it is not to be tried again, for the next call may succeed without the data.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file of the operating system's.
pub(super) struct OnDisk {
    file: File,
    path: PathBuf,
}

impl OnDisk {
    /// Opens the file, making it when there is none.
    pub(super) fn open(path: PathBuf) -> Result<Self, Fault> {
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        match opened {
            Ok(file) => Ok(Self { file, path }),
            Err(source) => Err(Fault::Io { doing: "opening", path, source }),
        }
    }
}

impl Disk for OnDisk {
    fn path(&self) -> &Path {
        &self.path
    }

    fn length(&self) -> io::Result<u64> {
        self.file.metadata().map(|metadata| metadata.len())
    }

    fn read_at(&self, to: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(to, offset)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// A fault of one of these files.
pub(super) fn fault(disk: &dyn Disk, doing: &'static str, source: io::Error) -> Fault {
    Fault::Io { doing, path: disk.path().to_path_buf(), source }
}
