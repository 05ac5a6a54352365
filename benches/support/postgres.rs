//! A PostgreSQL of our own, for figures beside it.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A private PostgreSQL on a Unix socket: defaults, and `synchronous_commit=on`.
pub struct Postgres {
    child: Child,
    dir: PathBuf,
}

impl Postgres {
    /// Makes a cluster in `dir` with Debian's newest binaries. They refuse to run as root, so root lends them the account
    /// of Debian's package.
    pub fn start(dir: &Path) -> Self {
        let found = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().map(|entry| entry.unwrap().path());
        let bin = found.max().expect("PostgreSQL is installed: `sh tests/setup.sh bench` does it").join("bin");
        std::fs::create_dir_all(dir).unwrap();
        let mut account = None;
        if std::fs::metadata(dir).unwrap().uid() == 0 {
            let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
            let line = passwd.lines().find(|line| line.starts_with("postgres:")).expect("Debian's account `postgres`");
            let ids: Vec<u32> = line.split(':').skip(2).take(2).map(|id| id.parse().unwrap()).collect();
            std::os::unix::fs::chown(dir, Some(ids[0]), Some(ids[1])).unwrap();
            // The folder above is a private temporary one.
            let passable = std::os::unix::fs::PermissionsExt::from_mode(0o711);
            std::fs::set_permissions(dir.parent().unwrap(), passable).unwrap();
            account = Some((ids[0], ids[1]));
        }
        let command = |name: &str| {
            let mut command = Command::new(bin.join(name));
            if let Some((user, group)) = account {
                command.uid(user).gid(group);
            }
            command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null());
            command
        };
        let data = dir.join("data");
        let made = command("initdb").args(["--no-sync", "--auth=trust", "--username=bench", "-D"]).arg(&data).status();
        assert!(made.unwrap().success(), "initdb failed");
        let child = command("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c", "synchronous_commit=on", "-c"])
            .arg(format!("unix_socket_directories={}", dir.display()))
            .stderr(File::create(dir.join("messages")).unwrap())
            .spawn()
            .unwrap();
        let server = Self { child, dir: dir.to_path_buf() };
        let begun = Instant::now();
        while let Err(error) = server.connect() {
            assert!(begun.elapsed() < Duration::from_secs(30), "PostgreSQL does not answer: {error}");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    pub fn connect(&self) -> Result<postgres::Client, postgres::Error> {
        postgres::Config::new().host_path(&self.dir).user("bench").dbname("postgres").connect(postgres::NoTls)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's own quick way to stop.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}
