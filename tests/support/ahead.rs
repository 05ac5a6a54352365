//! A server's clock, moved from outside.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// How far ahead of this machine's a server's clock is.
pub struct Ahead {
    folder: tempfile::TempDir,
    days: std::cell::Cell<i64>,
}

/// Built once, from the C beside.
fn library() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/ahead.c");
        let library = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("ahead-{}.so", std::process::id()));
        let built = Command::new("cc").args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).status();
        assert!(built.unwrap().success(), "cc could not build {source}");
        library
    })
}

impl Ahead {
    /// Not ahead yet.
    pub fn new() -> Self {
        let ahead = Self { folder: tempfile::tempdir().unwrap(), days: std::cell::Cell::new(0) };
        ahead.move_to(0);
        ahead
    }

    fn move_to(&self, days: i64) {
        self.days.set(days);
        // Renamed into place: a reader sees one number or the other.
        let beside = self.folder.path().join("beside");
        std::fs::write(&beside, (days * 86_400).to_string()).unwrap();
        std::fs::rename(beside, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("seconds")
    }

    /// What a server is started with, so that its clock is this one.
    pub fn env(&self) -> [(&'static str, String); 2] {
        let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
        [("LD_PRELOAD", text(library())), ("CLOCK_AHEAD", text(&self.file()))]
    }

    /// Now, by that clock.
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::days(self.days.get())
    }

    /// Today, where the tests' rally is.
    pub fn today(&self) -> NaiveDate {
        self.now().with_timezone(&chrono_tz::America::New_York).date_naive()
    }

    /// Lets days pass until this one has come.
    pub fn until(&self, day: NaiveDate) {
        self.move_to(self.days.get() + (day - self.today()).num_days());
    }
}
