//! A full disk, a failing sync and a folder that may not be written, under the real program.

use crate::server::{House, Server, program, said, state, try_send};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// Joins until nobody answers any more; how many were asked for, how many were told that they joined, and which other
/// answers came.
async fn join_until_it_ends(server: &Server) -> (u64, u64, Vec<u16>) {
    let (mut asked, mut told, mut others) = (0, 0, vec![]);
    while asked < 500 {
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
async fn stops_and_keeps_its_word(inject: &str, words: &[&str]) {
    let house = House::new().await;
    let data = house.data();
    let inject = format!("inject={inject}");
    let trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=none", "-e", &inject];
    let mut outcome = None;
    let mut failing = None;
    let house = house.again(|server| {
        server.stop();
        failing = Some(Server::try_start_under(&trace, &data, &[]).unwrap());
        let failing = failing.take().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let joined =
            std::thread::scope(|scope| scope.spawn(|| runtime.block_on(join_until_it_ends(&failing))).join().unwrap());
        outcome = Some((joined, failing.ended()));
    });
    let ((asked, told, others), (status, printed)) = outcome.unwrap();
    assert!(told > 0, "nobody joined before the failure: the test proves little ({printed})");
    assert!(asked < 500, "the failure was never noticed");
    assert_eq!(status.code(), Some(1), "{printed}");
    for word in words {
        assert!(printed.contains(word), "{word}: {printed}");
    }
    assert!(!printed.contains("panicked"), "{printed}");
    assert!(others.iter().all(|status| *status >= 500), "{others:?}");
    let joined = state(&house.server).await["joined"].as_u64().unwrap();
    // One that was not told may be there or not; nobody who was told is missing.
    assert!((told..=asked).contains(&joined), "{joined} joined, {told} were told so, {asked} asked");
    house.server.is_well().await;
    house.server.stop();
}

// `when` counts for each thread by itself; the numbers let a start and some joins through.

#[tokio::test]
async fn a_full_disk_stops_the_server_and_loses_nothing() {
    stops_and_keeps_its_word("pwrite64:error=ENOSPC:when=8+", &["No space left on device", "start again"]).await;
}

#[tokio::test]
async fn a_sync_that_fails_once_stops_the_server_though_the_next_would_succeed() {
    stops_and_keeps_its_word("fdatasync,fsync:error=EIO:when=8", &["Input/output error", "start again"]).await;
}

#[tokio::test]
async fn syncs_that_keep_failing_stop_the_server() {
    stops_and_keeps_its_word("fdatasync,fsync:error=EIO:when=8+", &["Input/output error", "start again"]).await;
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
