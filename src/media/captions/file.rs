//! The file of a program's captions: a JSON line each, beside its recording.

use super::super::{ProgramId, Recordings};
use super::track::Line;
use std::fs::OpenOptions;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

/// The longest file: a word a second in four languages for a day is below it. It is held in memory whole.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// A program's file; made with the first line.
#[derive(Debug)]
pub(super) struct File {
    recordings: Recordings,
    program: ProgramId,
    open: Option<std::fs::File>,
    length: u64,
    /// Whether a failure was told: once is enough.
    failed: bool,
}

impl File {
    pub(super) fn of(recordings: Recordings, program: ProgramId) -> Self {
        Self { recordings, program, open: None, length: 0, failed: false }
    }

    /// The lines that are there. A torn end is cut off; a line that can't be read is passed over.
    pub(super) fn read(&mut self) -> Vec<Line> {
        match self.read_whole() {
            Ok(lines) => lines,
            Err(error) => {
                self.fail(&error);
                Vec::new()
            }
        }
    }

    fn read_whole(&mut self) -> io::Result<Vec<Line>> {
        let path = self.recordings.folder(self.program).join("captions");
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        (&mut file).take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at.saturating_add(1));
        self.length = u64::try_from(whole).unwrap_or(0);
        file.set_len(self.length)?;
        file.seek(SeekFrom::Start(self.length))?;
        self.open = Some(file);
        let lines = bytes.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n');
        Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    /// Adds a line. What the disk does not take is shown all the same.
    pub(super) fn add(&mut self, line: &Line) {
        if let Err(error) = self.write(line) {
            self.fail(&error);
        }
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        let added = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.length.saturating_add(added) > FILE_BYTES_MAX || !self.recordings.take_room(self.program, added) {
            return Err(io::Error::other("there is no more room for captions"));
        }
        let mut file = match self.open.take() {
            Some(file) => file,
            None => {
                let folder = self.recordings.folder(self.program);
                std::fs::create_dir_all(&folder)?;
                OpenOptions::new().create(true).append(true).open(folder.join("captions"))?
            }
        };
        // One write, so that a crash tears at most this line.
        file.write_all(&bytes)?;
        self.length = self.length.saturating_add(added);
        self.open = Some(file);
        Ok(())
    }

    fn fail(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.failed, true) {
            tracing::error!(program = %self.program, %error, "captions are not kept from here; they are shown all the same");
        }
    }
}
