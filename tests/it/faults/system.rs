//! A full disk, a failing sync and a folder that may not be written, under the real program.

use crate::server::{House, Server, program, said, state, try_send};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long a failure may stay unnoticed: frames are stored a second after what is in them was said to be durable.
const PATIENCE: Duration = Duration::from_secs(30);

/// Joins until nobody answers any more; how many were asked for, how many were told that they joined, and which other
/// answers came.
async fn join_until_it_ends(server: &Server) -> (u64, u64, Vec<u16>) {
    let (mut asked, mut told, mut others) = (0, 0, vec![]);
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        asked += 1;
        let email = format!("p{asked}%40example.org");
        let form = format!("name=Person{asked}&email={email}");
        match try_send(server.http, "POST", "/r/call/join", &[], form.as_bytes()).await {
            Some(answer) if answer.status == 303 => {
                assert!(others.is_empty(), "acknowledged after a failure");
                told += 1;
            }
            Some(answer) => others.push(answer.status),
            None => break,
        }
    }
    (asked, told, others)
}

/// Serves with an injected failure until the server stops, then without, and compares.
async fn stops_and_keeps_its_word(file: &str, inject: &str, words: &[&str]) {
    let house = House::new().await;
    let data = house.data();
    let (file, inject) = (data.join(file), format!("inject={inject}"));
    // -D: the program is our child and the tracer is not, so that what ends the one ends both.
    let trace = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-P", file.to_str().unwrap()];
    let trace = [&trace[..], &["-e", "trace=pwrite64,fdatasync,fsync", "-e", &inject]].concat();
    house.server.stop();
    let failing = Server::try_start_under(&trace, &data, &[]).unwrap();
    let (asked, told, others) = join_until_it_ends(&failing).await;
    let (status, printed) = failing.ended();
    assert!(told > 0, "nobody joined before the failure: the test proves little ({printed})");
    assert_eq!(status.code(), Some(1), "{printed}");
    for word in words {
        assert!(printed.contains(word), "{word}: {printed}");
    }
    assert!(!printed.contains("panicked"), "{printed}");
    assert!(others.iter().all(|status| *status >= 500), "{others:?}");
    let server = Server::start(&data);
    let joined = state(&server).await["joined"].as_u64().unwrap();
    // One that was not told may be there or not; nobody who was told is missing.
    assert!((told..=asked).contains(&joined), "{joined} joined, {told} were told so, {asked} asked");
    server.is_well().await;
    server.stop();
}

// `when` counts for each thread by itself, and only calls on the file; the numbers let some joins through.

#[tokio::test]
async fn a_full_disk_stops_the_server_and_loses_nothing() {
    let words = ["No space left on device", "start again"];
    stops_and_keeps_its_word("log/sled/db", "pwrite64:error=ENOSPC:when=3+", &words).await;
    let words = ["No space left on device", "start again", "log/journal"];
    stops_and_keeps_its_word("log/journal", "pwrite64:error=ENOSPC:when=9+", &words).await;
}

#[tokio::test]
async fn a_full_disk_under_a_note_stops_the_server_and_loses_nothing() {
    for note in ["log/head", "log/acknowledged"] {
        stops_and_keeps_its_word(note, "pwrite64:error=ENOSPC:when=3+", &["No space left on device", note]).await;
    }
}

#[tokio::test]
async fn a_sync_that_fails_once_stops_the_server_though_the_next_would_succeed() {
    for file in ["log/sled/db", "log/journal"] {
        stops_and_keeps_its_word(
            file,
            "fdatasync,fsync:error=EIO:when=3",
            &["Input/output error", "restart the machine"],
        )
        .await;
    }
}

#[tokio::test]
async fn syncs_that_keep_failing_stop_the_server() {
    for file in ["log/sled/db", "log/journal"] {
        stops_and_keeps_its_word(file, "fdatasync,fsync:error=EIO:when=3+", &["Input/output error", "start again"])
            .await;
    }
}

#[tokio::test]
async fn a_key_that_is_not_synced_stops_the_server() {
    stops_and_keeps_its_word("vault/keys", "fdatasync,fsync:error=EIO:when=5", &["Input/output error", "vault/keys"])
        .await;
}

/// Runs the program without the right to write the folder, whoever runs the tests.
fn without_rights(data: &Path) -> Command {
    let plain = program(&["verify"], data);
    if std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) != 0) {
        return plain;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(plain.get_program()).args(plain.get_args());
    command
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_is_named() {
    let house = House::new().await;
    let data = house.data();
    let readable = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let house = house.again(|server| {
        server.stop();
        readable(data.parent().unwrap(), 0o755);
        readable(&data, 0o755);
        readable(&data.join("log"), 0o555);
        readable(&data.join("log/lock"), 0o444);
        let output = without_rights(&data).output().unwrap();
        readable(&data.join("log"), 0o755);
        readable(&data.join("log/lock"), 0o644);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        for word in ["Permission denied", "log/lock", "start again"] {
            assert!(said(&output).contains(word), "{word}: {}", said(&output));
        }
    });
    house.server.is_well().await;
}
