//! WHIP's door: who gets a session, what the others are told, and what strangers on the UDP port can't do.

use crate::program::Speaker;
use crate::server::{Answer, House, encode};
use std::net::SocketAddr;
use tokio::net::UdpSocket;

/// What Chromium offers for a camera and a microphone, without what does not matter here.
const OFFER: &str = "v=0\r
o=- 4611731400430051336 2 IN IP4 127.0.0.1\r
s=-\r
t=0 0\r
a=group:BUNDLE 0 1\r
a=extmap-allow-mixed\r
a=msid-semantic: WMS s\r
m=audio 9 UDP/TLS/RTP/SAVPF 111\r
c=IN IP4 0.0.0.0\r
a=rtcp:9 IN IP4 0.0.0.0\r
a=ice-ufrag:UfRg\r
a=ice-pwd:0123456789abcdef01234567\r
a=ice-options:trickle\r
a=fingerprint:sha-256 6B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08\r
a=setup:actpass\r
a=mid:0\r
a=sendonly\r
a=msid:s a\r
a=rtcp-mux\r
a=rtpmap:111 opus/48000/2\r
a=fmtp:111 minptime=10;useinbandfec=1\r
a=ssrc:1001 cname:c\r
m=video 9 UDP/TLS/RTP/SAVPF 102 103\r
c=IN IP4 0.0.0.0\r
a=rtcp:9 IN IP4 0.0.0.0\r
a=ice-ufrag:UfRg\r
a=ice-pwd:0123456789abcdef01234567\r
a=fingerprint:sha-256 6B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08\r
a=setup:actpass\r
a=mid:1\r
a=sendonly\r
a=msid:s v\r
a=rtcp-mux\r
a=rtpmap:102 H264/90000\r
a=rtcp-fb:102 nack\r
a=rtcp-fb:102 nack pli\r
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r
a=rtpmap:103 rtx/90000\r
a=fmtp:103 apt=102\r
a=ssrc-group:FID 2001 2002\r
a=ssrc:2001 cname:c\r
a=ssrc:2002 cname:c\r
";

const SDP: (&str, &str) = ("content-type", "application/sdp");

async fn offer(house: &House, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers = [&[SDP], headers].concat();
    house.server.send("POST", path, &headers, body.as_bytes()).await
}

fn problem(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), "application/problem+json", "{}", answer.head);
    (answer.status, answer.json()["type"].as_str().unwrap().trim_start_matches("/problems/").to_owned())
}

/// The UDP address in an answer.
fn reached_at(answer: &Answer) -> SocketAddr {
    let text = answer.text();
    let line = text.lines().find(|line| line.starts_with("a=candidate:")).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    SocketAddr::new(words[4].parse().unwrap(), words[5].parse().unwrap())
}

#[tokio::test]
async fn a_speaker_gets_a_session_and_ends_it() {
    let house = House::new().await;
    let key = house.speaker("Zoë Okoro").await.key;
    let answer = offer(&house, &format!("/whip/{key}"), &[], OFFER).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/sdp");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let sdp = answer.text();
    assert!(sdp.contains("a=ice-lite") && sdp.contains("H264/90000") && sdp.contains("opus/48000/2"), "{sdp}");
    assert!(!sdp.contains("a=sendonly") && sdp.contains("a=recvonly"), "{sdp}");
    let session = answer.header("location");
    assert!(session.starts_with("/whip/session/") && !session.contains(&key), "{session}");

    // A second encoder is turned away; the page that reconnects takes its own place.
    let second = offer(&house, "/whip", &[("authorization", &format!("Bearer {key}"))], OFFER).await;
    assert_eq!(problem(&second), (409, "live-elsewhere".into()));
    assert_eq!(house.server.send("PATCH", &session, &[], b"a=end-of-candidates").await.status, 204);
    assert_eq!(house.server.send("DELETE", &session, &[], b"").await.status, 200);
    let mine = [("authorization", &*format!("Bearer {key}")), ("x-page", "p1")];
    crate::server::until("the place is not free", || async {
        offer(&house, "/whip", &mine, OFFER).await.status == 201
    })
    .await;
    for _ in 0..3 {
        assert_eq!(offer(&house, "/whip", &mine, OFFER).await.status, 201);
    }
    let gone = house.server.send("DELETE", &session, &[], b"").await;
    assert_eq!(problem(&gone), (404, "no-session".into()));
    house.server.is_well().await;
    assert!(!house.server.printed().contains(&key), "a key stands in the log");
}

#[tokio::test]
async fn whoever_cant_be_carried_is_told_why() {
    let house = House::new().await;
    let Speaker { key, href: golive, .. } = house.speaker("Zoë Okoro").await;
    let path = format!("/whip/{key}");
    let check = |body: String, expected: (u16, &'static str)| {
        let (house, path) = (&house, &path);
        async move {
            let answer = offer(house, path, &[], &body).await;
            let (status, kind) = problem(&answer);
            assert_eq!((status, kind.as_str()), expected, "{}", answer.text());
        }
    };
    check(OFFER.replace("H264", "VP8"), (422, "no-h264")).await;
    check(OFFER.replace("opus", "PCMU"), (422, "no-opus")).await;
    check(OFFER.split("m=video").next().unwrap().to_owned(), (422, "no-picture")).await;
    check(OFFER.replace("a=fingerprint", "a=x"), (422, "not-agreed")).await;
    check("v=0\r\nm=video nonsense\r\n".into(), (422, "no-h264")).await;
    check("hello".into(), (400, "malformed")).await;
    let answer = house.server.send("POST", &path, &[], OFFER.as_bytes()).await;
    assert_eq!(problem(&answer), (415, "not-sdp".into()));
    assert_eq!(offer(&house, &path, &[], &"v=0\r\n".repeat(10_000)).await.status, 413);
    assert_eq!(problem(&offer(&house, "/whip", &[], OFFER).await), (401, "no-key".into()));
    crate::server::until("the host is not told", || async {
        house.server.get_as(&house.owner.cookie, "/host/r/call").await.text().contains("H.264 is not among")
    })
    .await;

    // Any page with the key may ask, and what else comes from elsewhere may not.
    let elsewhere = [("origin", "https://elsewhere.example"), ("sec-fetch-site", "cross-site")];
    let asked = house.server.send("OPTIONS", &path, &elsewhere, b"").await;
    assert_eq!(
        (asked.status, asked.header("access-control-allow-headers")),
        (204, "authorization, content-type, x-page".into())
    );
    assert_eq!(offer(&house, &path, &elsewhere, OFFER).await.status, 201);
    let form = encode(&[("note", "x")]);
    assert_eq!(house.server.send("POST", &format!("{golive}/note"), &elsewhere, form.as_bytes()).await.status, 403);
}

#[tokio::test]
async fn a_key_is_not_guessed() {
    let house = House::new().await;
    let key = house.speaker("Zoë Okoro").await.key;
    let mut answers = vec![];
    for n in 0..40 {
        answers.push(problem(&offer(&house, &format!("/whip/{n:026}"), &[], OFFER).await));
    }
    assert_eq!(answers[0], (401, "wrong-key".into()));
    assert_eq!(answers[39], (429, "too-many-tries".into()));
    // Whoever has the key is not kept waiting by those who guess.
    assert_eq!(offer(&house, &format!("/whip/{key}"), &[], OFFER).await.status, 201);
}

#[tokio::test]
async fn the_green_room_is_its_speakers_alone() {
    let house = House::new().await;
    let Speaker { key, href: golive, .. } = house.speaker("Zoë Okoro").await;
    let page = house.server.get(&format!("/speak/{key}")).await;
    assert_eq!(page.status, 200);
    let text = page.text();
    assert!(text.contains("Zoë Okoro") && text.contains("noindex") && text.contains("You are first."), "{text}");
    assert_eq!(
        (page.header("cache-control"), page.header("referrer-policy")),
        ("no-store".into(), "same-origin".into())
    );
    let note = [("note", "Two more minutes.")];
    assert_eq!(house.owner.post(&house.server, &format!("{golive}/note"), &note).await.status, 303);
    assert!(house.server.get(&format!("/speak/{key}")).await.text().contains("Two more minutes."));
    for public in ["/r/call", "/r/call/live.json", "/"] {
        assert!(!house.server.get(public).await.text().contains("Two more minutes."), "{public}");
    }
    assert_eq!(house.server.get("/speak/abcdefghijkmnpqrstuvwxyz23").await.status, 404);
    // A new key is a new address.
    assert_eq!(house.owner.post(&house.server, &format!("{golive}/key"), &[]).await.status, 303);
    assert_eq!(house.server.get(&format!("/speak/{key}")).await.status, 404);
}

#[tokio::test]
async fn what_strangers_send_to_the_port_fills_nothing() {
    let house = House::new().await;
    let key = house.speaker("Zoë Okoro").await.key;
    let page = [("authorization", &*format!("Bearer {key}")), ("x-page", "p1")];
    let answer = offer(&house, "/whip", &page, OFFER).await;
    let port = reached_at(&answer);
    let ufrag = answer.text().split_once("a=ice-ufrag:").unwrap().1.split_whitespace().next().unwrap().to_owned();
    let noise = |n: u32, salt: u32| -> Vec<u8> {
        let mut state = n.wrapping_mul(2_654_435_761) ^ salt;
        let length = state as usize % 1_400;
        let mut bytes: Vec<u8> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        // Every other begins as STUN, DTLS, RTP and RTCP do.
        if let Some(first) = bytes.first_mut().filter(|_| n.is_multiple_of(2)) {
            *first = [0, 22, 128, 129][n as usize / 2 % 4];
        }
        bytes
    };
    // A request that names the session, as its speaker's browser would, but cannot be signed.
    let named = {
        let name = format!("{ufrag}:UfRg");
        let mut packet = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        packet.extend([9; 12]);
        packet.extend([0, 6]);
        packet.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
        packet.extend(name.as_bytes());
        packet.resize(packet.len().next_multiple_of(4), 0);
        let length = u16::try_from(packet.len() - 20).unwrap();
        packet[2..4].copy_from_slice(&length.to_be_bytes());
        packet
    };
    let mut strangers = vec![];
    for _ in 0..300 {
        strangers.push(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    }
    let storm = |salt: u32| {
        let (strangers, named) = (&strangers, &named);
        async move {
            for round in 0..40_u32 {
                for (n, stranger) in strangers.iter().enumerate() {
                    let n = u32::try_from(n).unwrap() * 64 + round;
                    let packet = if n % 5 == 0 { named.clone() } else { noise(n, salt) };
                    let _ = stranger.send_to(&packet, port).await;
                }
                tokio::task::yield_now().await;
            }
        }
    };
    storm(1).await;
    house.server.is_well().await;
    let before = house.server.memory_kib();
    storm(2).await;
    for n in 0..200 {
        // Sessions that are begun and never connected to.
        let answer = offer(&house, "/whip", &page, OFFER).await;
        assert!([201, 409].contains(&answer.status), "{n}: {}", answer.text());
    }
    storm(3).await;
    let after = house.server.memory_kib();
    assert!(after < before + 16 * 1_024, "{before} KiB became {after}");
    house.server.is_well().await;
}
