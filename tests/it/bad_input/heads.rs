//! What comes before a form: heads that smuggle or break, and connections on which nobody says anything.

use crate::server::{Answer, House, give, state};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long an answer to nonsense is waited for.
const BRIEFLY: Duration = Duration::from_secs(5);

#[tokio::test]
async fn heads_that_smuggle_or_break_are_refused() {
    let house = House::new().await;
    let server = &house.server;
    let huge = format!("GET / HTTP/1.1\r\nhost: a\r\ncookie: {}\r\n\r\n", "c".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(500));
    let long_path = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "p".repeat(100_000));
    let hidden = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
    let both = format!(
        "POST /r/call/join HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
    );
    let twice = format!(
        "POST /r/call/join HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ncontent-length: {}\r\n\r\n{hidden}",
        hidden.len()
    );
    for (case, bytes) in [
        ("two lengths", twice.as_bytes()),
        ("length and chunks", both.as_bytes()),
        ("a negative length", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n"),
        ("a huge length", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\n"),
        ("a space before the colon", b"GET / HTTP/1.1\r\nhost : a\r\n\r\n"),
        ("a folded header", b"GET / HTTP/1.1\r\nhost: a\r\n folded: b\r\n\r\n"),
        ("a NUL", b"GET / HTTP/1.1\r\nhost: a\0b\r\n\r\n"),
        ("no version", b"GET /\r\n\r\n"),
        ("another version", b"GET / HTTP/9.9\r\n\r\n"),
        ("another protocol", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        ("a chunk of no number", b"POST /r/call/join HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nx"),
        ("an unknown coding", b"POST /r/call/join HTTP/1.1\r\nhost: a\r\ntransfer-encoding: cow\r\n\r\n"),
        ("too large a head", huge.as_bytes()),
        ("too many headers", many.as_bytes()),
        ("too long a path", long_path.as_bytes()),
    ] {
        let bytes = server.raw(server.http, bytes, BRIEFLY).await;
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("200 OK") && !text.contains(" 303 "), "{case}: {text}");
        assert!(text.matches("HTTP/1.").count() <= 1, "{case}: answered more than one request: {text}");
        if let Some(answer) = Answer::read(&bytes) {
            assert!((400..=431).contains(&answer.status) || answer.status == 501, "{case}: {}", answer.head);
        }
    }
    assert_eq!(state(server).await["joined"], 0);
    server.is_well().await;
}

/// Waits until the server closes a connection; how long that took.
async fn closed(mut socket: TcpStream, what: &str) -> Duration {
    let begun = Instant::now();
    let mut rest = vec![];
    let ended = tokio::time::timeout(Duration::from_secs(40), socket.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "{what} is held open");
    begun.elapsed()
}

#[tokio::test]
async fn who_says_nothing_is_not_waited_for() {
    let house = House::new().await;
    let server = &house.server;
    let mut waiting = vec![];
    for (what, to, bytes) in [
        ("a silent connection", server.http, &b""[..]),
        ("one letter", server.http, b"G"),
        ("half a head", server.http, b"GET / HTTP/1.1\r\nhost: a\r\ncookie: "),
        ("half of HTTP/2", server.http, b"PRI * HTTP/2.0\r\n"),
        ("HTTP/2 without settings", server.http, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("a silent encoder", server.rtmp, b""),
        ("half a handshake", server.rtmp, b"\x03\0\0\0\0"),
    ] {
        let mut socket = TcpStream::connect(to).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        waiting.push(tokio::spawn(closed(socket, what)));
    }
    // Everybody else is served meanwhile.
    let begun = Instant::now();
    give(server, "25", "joan@example.org").await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    for waiting in waiting {
        waiting.await.unwrap();
    }
    server.is_well().await;
}
