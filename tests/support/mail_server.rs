//! A mail server for letters: `aiosmtpd`, a process of its own, from the virtual environment that `make test` makes.

use crate::server::until;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running mail server; it ends with this value.
pub struct MailServer {
    process: Child,
    folder: tempfile::TempDir,
    /// Where it listens.
    pub port: u16,
}

impl MailServer {
    /// On a free port, without encryption and password.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With these arguments.
    pub fn start_with(arguments: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join(".venv/bin/python3");
        assert!(python.exists(), "{} is missing: run the tests with `make test`", python.display());
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(python)
            .arg(root.join("tests/support/mail_server.py"))
            .arg(folder.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the mail server's port: is aiosmtpd in .venv? `make test-tools`");
        Self { process, folder, port }
    }

    /// Its address for the settings, without encryption.
    pub fn smtp(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// The certificate of its authority.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The letters that came, in their order, as Python's parser reads them.
    pub fn letters(&self) -> Vec<Value> {
        let file = |number: usize| std::fs::read(self.folder.path().join(format!("{number}.json"))).ok();
        (1..).map_while(file).map(|bytes| serde_json::from_slice(&bytes).unwrap()).collect()
    }

    /// The same in their bytes.
    pub fn raw(&self, number: usize) -> Vec<u8> {
        std::fs::read(self.folder.path().join(format!("{number}.eml"))).unwrap()
    }

    /// Every recipient that was named so far, also those that were refused.
    pub fn tried(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("tried")).unwrap_or_default();
        text.lines().map(Into::into).collect()
    }

    /// Waits for this many letters.
    pub async fn wait_for(&self, count: usize) -> Vec<Value> {
        until(&format!("{count} letters did not come"), || async { self.letters().len() >= count }).await;
        self.letters()
    }

    /// Sees that no letter comes beyond this many: for as long as one that is on its way takes.
    pub async fn no_more_than(&self, count: usize) {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(self.letters().len(), count, "{:?}", self.tried());
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A header of a letter; empty if there is none.
pub fn header(letter: &Value, name: &str) -> String {
    let headers = letter["headers"].as_array().unwrap();
    let found = headers.iter().find(|header| header[0].as_str().unwrap().eq_ignore_ascii_case(name));
    found.map(|header| header[1].as_str().unwrap().to_owned()).unwrap_or_default()
}

/// A part of a letter by its type.
pub fn part(letter: &Value, kind: &str) -> String {
    let parts = letter["parts"].as_array().unwrap();
    let found = parts.iter().find(|part| part["type"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} in {letter}"))["content"].as_str().unwrap().to_owned()
}
