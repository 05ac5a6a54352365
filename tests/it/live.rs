//! The live stream: the whole state at once, the next one when something happened, who is here, and the end.

use crate::server::{Answer, House, PATIENCE, Server, give, state, until};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An open stream.
struct Stream {
    socket: TcpStream,
    read: Vec<u8>,
}

impl Stream {
    async fn open(server: &Server, headers: &str) -> Self {
        let mut socket = TcpStream::connect(server.http).await.unwrap();
        let head = format!("GET /r/call/live HTTP/1.0\r\nhost: {}\r\n{headers}\r\n", server.http);
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut stream = Self { socket, read: vec![] };
        let head = stream.until("\r\n\r\n").await;
        let answer = Answer::read(head.as_bytes()).unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream".into()), "{head}");
        stream
    }

    /// Reads up to and with `end`.
    async fn until(&mut self, end: &str) -> String {
        let begun = Instant::now();
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end.as_bytes()) {
                let rest = self.read.split_off(at + end.len());
                return String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap();
            }
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let mut buffer = [0; 16 * 1024];
            let read = tokio::time::timeout(left, self.socket.read(&mut buffer)).await.expect("no news").unwrap();
            assert!(read > 0, "the stream ended: {}", String::from_utf8_lossy(&self.read));
            self.read.extend_from_slice(&buffer[..read]);
        }
    }

    /// The next frame's state.
    async fn frame(&mut self) -> serde_json::Value {
        loop {
            let event = self.until("\n\n").await;
            let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) else { continue };
            assert!(event.contains("\nevent: frame\n") && event.starts_with("id: "), "{event}");
            return serde_json::from_str(data).unwrap();
        }
    }

    /// Frames until one says so.
    async fn until_frame(&mut self, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        loop {
            let frame = self.frame().await;
            if wanted(&frame) {
                return frame;
            }
        }
    }
}

#[tokio::test]
async fn every_page_sees_the_state_at_once_and_every_gift_soon_after() {
    let house = House::new().await;
    let mut pages = vec![];
    for headers in
        ["", "last-event-id: 1\r\n", "last-event-id: \u{fffd}nonsense\r\n", "last-event-id: 99999999999999999999\r\n"]
    {
        let mut page = Stream::open(&house.server, headers).await;
        let begun = Instant::now();
        let first = page.frame().await;
        assert!(begun.elapsed() < Duration::from_secs(5), "the first frame came late");
        assert_eq!((&first["raised_minor"], &first["phase"]), (&0.into(), &"before".into()));
        pages.push(page);
    }
    give(&house.server, "25", "joan@example.org").await;
    let begun = Instant::now();
    for page in &mut pages {
        let frame = page.until_frame(|frame| frame["raised_minor"] == 2500).await;
        assert!(frame["parts"]["feed"].as_str().unwrap().contains("Joan"), "{frame}");
        assert!(frame["parts"]["total"].as_str().unwrap().contains("$25"), "{frame}");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "the gift was shown late");
    // A page that was away: what happened meanwhile is in its first frame.
    drop(pages.pop());
    give(&house.server, "30", "zoe@example.org").await;
    let mut back = Stream::open(&house.server, "last-event-id: 3\r\n").await;
    assert_eq!(back.frame().await["raised_minor"], 5500);
    assert_eq!(state(&house.server).await["raised_minor"], 5500);
    let page = house.server.get("/r/call").await.text();
    assert!(page.contains("$55"), "the first paint is the same state");
}

#[tokio::test]
async fn a_person_is_here_once_however_many_pages_and_gone_a_while_after_the_last() {
    let house = House::new().await;
    let server = &house.server;
    house.owner.post(server, "/host/r/call/open", &[]).await;
    let joined = server.post("/r/call/join", &[("name", "Joan"), ("email", "joan@example.org")]).await;
    let cookie = format!("cookie: {}\r\n", joined.cookie());
    let here = || async { state(server).await["here"].as_u64().unwrap() };
    let _stranger = Stream::open(server, "").await;
    let one = Stream::open(server, &cookie).await;
    let two = Stream::open(server, &cookie).await;
    until("nobody is here", || async { here().await == 1 }).await;
    drop(one);
    // Joining again, by another spelling of the address, is the same person.
    let again = server.post("/r/call/join", &[("name", "Joan P."), ("email", " JOAN@example.org")]).await;
    assert_eq!(again.status, 303);
    let third = Stream::open(server, &format!("cookie: {}\r\n", again.cookie())).await;
    drop(two);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let public = state(server).await;
    assert_eq!((&public["here"], &public["joined"]), (&1.into(), &1.into()), "still one page open");
    drop(third);
    until("somebody who left is still here", || async { here().await == 0 }).await;
    let forged = format!("cookie: {}x\r\n", joined.cookie());
    let _page = Stream::open(server, &forged).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(here().await, 0, "a forged cookie is nobody");
    assert_eq!(state(server).await["joined"], 1);
}

#[tokio::test]
async fn streams_end_and_everything_is_flushed_when_the_server_is_told_to_stop() {
    let house = House::new().await;
    give(&house.server, "25", "joan@example.org").await;
    let mut streams = vec![];
    for _ in 0..20 {
        streams.push(Stream::open(&house.server, "").await);
    }
    // People who said nothing, who said half of it, and an encoder in the middle of its handshake.
    let mut idle = vec![];
    for (to, bytes) in
        [(house.server.http, &b""[..]), (house.server.http, b"GET / HT"), (house.server.rtmp, b"\x03half")]
    {
        let mut socket = TcpStream::connect(to).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        idle.push(socket);
    }
    let begun = Instant::now();
    house.server.terminate();
    for stream in &mut streams {
        let mut rest = vec![];
        tokio::time::timeout(PATIENCE, stream.socket.read_to_end(&mut rest))
            .await
            .expect("the stream stays open")
            .unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "streams ended after {:?}", begun.elapsed());
    let house = house.again(|server| {
        let (status, printed) = server.ended();
        assert!(status.success(), "{status}: {printed}");
        assert!(printed.contains("everything acknowledged is on disk"), "{printed}");
        assert!(begun.elapsed() < Duration::from_secs(14), "stopping took {:?}", begun.elapsed());
    });
    assert_eq!(state(&house.server).await["raised_minor"], 2500);
}
