//! What no honest browser sends, by table: each is refused clearly, the server lives on, nothing is lost, memory is flat.

mod cards;
mod fields;
mod heads;

use crate::server::{House, Server, encode, gift, give, pay, pledge, state};
use std::time::Duration;

/// What thousands of bad requests may leave behind in memory.
const GROWTH_KIB_MAX: u64 = 40 * 1024;

fn with<'a>(form: &[(&'a str, &'a str)], field: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let others = form.iter().copied().filter(|(name, _)| *name != field);
    others.chain([(field, value)]).collect()
}

#[tokio::test]
async fn bytes_that_are_no_form_change_nothing() {
    let house = House::new().await;
    let server = &house.server;
    let many: String = (0..10_000).map(|number| format!("f{number}=1&")).collect();
    let large = format!("name={}", "x".repeat(70_000));
    let pieces: &[(&str, &[u8], u16)] = &[
        ("malformed percent", b"name=%zz%&email=%", 422),
        ("invalid UTF-8", b"name=\xff\xfe&email=\xc3\x28", 422),
        ("encoded invalid UTF-8", b"name=%ff%fe&email=%c3%28", 422),
        ("binary", &[0, 1, 2, 255, 254, 10, 13], 422),
        ("JSON", br#"{"name":"Joan","email":"joan@example.org"}"#, 422),
        ("nothing", b"", 422),
        ("only separators", b"&&&===&=&", 422),
        ("too many fields", many.as_bytes(), 422),
        ("too large", large.as_bytes(), 413),
    ];
    for path in ["/r/call/join", "/r/call/donate", "/host/sign-in"] {
        for (case, body, status) in pieces {
            // 10,000 fields fit neither form: they are too large as well.
            let status = if body.len() > 64 * 1024 { 413 } else { *status };
            let answer = server.send("POST", path, &[], body).await;
            assert_eq!(answer.status, status, "{case} to {path}: {}", answer.text());
        }
    }
    let joined = format!("{}&name=Joan&email=joan@example.org", "f=1&".repeat(10_000));
    assert_eq!(
        server.send("POST", "/r/call/join", &[], joined.as_bytes()).await.status,
        422,
        "beyond the hundredth field"
    );
    let donation = pledge(server, "25", "joan@example.org").await;
    for (kind, body) in [
        ("application/json", &b"{"[..]),
        ("application/json", b"[7]"),
        ("application/json", b"{\"method\":7}"),
        ("application/json", b"\xff"),
        ("application/json", &[b'['; 60_000]),
    ] {
        let answer = server.send("POST", &format!("{donation}/pay"), &[("content-type", kind)], body).await;
        assert_eq!(answer.status, 400, "{:?}", String::from_utf8_lossy(&body[..body.len().min(20)]));
    }
    for method in ["", &"m".repeat(256)] {
        let answer = server.post(&format!("{donation}/pay"), &[("method", method)]).await;
        assert_eq!(answer.status, 409, "{method:.3}");
    }
    let strange = pay(server, &donation, "pm_\u{202e}").await;
    assert_eq!(strange["state"], "declined", "{strange}");
    assert_eq!(pay(server, &donation, "simulated_ok").await["state"], "settled");
    assert_eq!(state(server).await["raised_minor"], 2500);
    server.is_well().await;
}

#[tokio::test]
async fn addresses_that_lead_nowhere_or_elsewhere() {
    let house = House::new().await;
    let server = &house.server;
    house.owner.make_rally(server, "other").await;
    let donation = pledge(server, "25", "joan@example.org").await;
    let id = donation.rsplit('/').next().unwrap();
    let elsewhere = format!("/r/other/donate/{id}");
    let elsewhere_pay = format!("{elsewhere}/pay");
    assert_eq!(server.post(&elsewhere_pay, &[("method", "simulated_ok")]).await.status, 404);
    let unknown = "/r/call/donate/0192f3c4-5b6a-7c8d-9e0f-112233445566";
    assert_eq!(server.post(&format!("{unknown}/pay"), &[("method", "simulated_ok")]).await.status, 404);
    for path in [
        elsewhere.as_str(),
        unknown,
        "/r/call/donate/x",
        "/r/call/donate/..%2f..",
        "/r/none",
        "/r/none/live",
        "/r/none/live.json",
        "/r/%00",
        "/r/call%2f..",
        "/static/../Cargo.toml",
        "/static/..%2f..%2fCargo.toml",
        "/static/%2e%2e/x",
        "/static/",
        "/static//etc/passwd",
        "/static/....//x",
        "/r/call/program/../../secret",
        "/r/call/program/..%2f..%2fmaster.key",
        "/r/call/program/%2e%2e%2findex.m3u8",
        "/r/call/program/index.m3u8%00",
        "/r/call/program/x.mp4",
        "/.env",
        "/.git/config",
        "/wp-login.php",
        "/api/v2",
        "//evil.example",
        "/r/call/overlay/none",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("There is nothing here"), "{path}: {}", answer.text());
        let program = server.send("GET", path, &[("accept", "application/json")], b"").await;
        assert_eq!(
            (program.status, program.header("content-type").as_str()),
            (404, "application/problem+json"),
            "{path}"
        );
    }
    for path in ["/r/%ff", "/r/call/donate/%ff"] {
        let status = server.get(path).await.status;
        assert!([400, 404].contains(&status), "{path}: {status}");
    }
    for (method, path) in [("DELETE", "/r/call"), ("PUT", "/host"), ("POST", "/r/call"), ("BREW", "/"), ("TRACE", "/")]
    {
        let answer = server.send(method, path, &[], b"").await;
        assert_eq!(answer.status, 405, "{method} {path}");
    }
    server.is_well().await;
}

/// A generator good enough for nonsense, the same in every run.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut next = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as u8
        };
        (0..length).map(|_| next()).collect()
    }
}

async fn nonsense(server: &Server, rounds: usize, noise: &mut Noise) {
    let form = gift("-1", "joan@example.org");
    for round in 0..rounds {
        let bytes = noise.bytes(1 + round % 700);
        server.raw(server.http, &bytes, Duration::from_secs(20)).await;
        server
            .raw(server.rtmp, &[&b"\x03"[..], &noise.bytes(round * 7 % 3000)].concat(), Duration::from_millis(20))
            .await;
        server.send("POST", "/r/call/donate", &[], &noise.bytes(300)).await;
        server.send("POST", "/webhooks/stripe", &[("stripe-signature", "t=1,v1=00")], &noise.bytes(300)).await;
        assert_eq!(server.post("/r/call/donate", &form).await.status, 422);
        let path = format!("/r/call/donate/{:032x}", round);
        assert_eq!(server.get(&path).await.status, 404);
        let wrong = encode(&[("name", ""), ("email", &"e".repeat(round * 11 % 9000))]);
        assert_eq!(server.send("POST", "/r/call/join", &[], wrong.as_bytes()).await.status, 422);
    }
}

#[tokio::test]
async fn thousands_of_bad_requests_leave_memory_flat() {
    let house = House::new().await;
    let server = &house.server;
    give(server, "25", "joan@example.org").await;
    let mut noise = Noise(7);
    nonsense(server, 60, &mut noise).await;
    let before = server.memory_kib();
    nonsense(server, 500, &mut noise).await;
    let after = server.memory_kib();
    assert!(after < before + GROWTH_KIB_MAX, "{before} KiB before, {after} KiB after");
    assert_eq!(state(server).await["raised_minor"], 2500);
    server.is_well().await;
}
