use super::*;
use crate::media::hls;
use crate::media::origin::Rendition;
use crate::media::origin::{Directives, Missing, Origin};
use crate::media::{AudioConfig, VideoConfig};
use std::sync::Arc;
use std::time::Duration;

const NOW_MS: i64 = 1_800_000_000_000;
const PART_TICKS: i64 = 30_000;

fn init(number: u64) -> Init {
    let video = VideoConfig { avcc: Bytes::from_static(&[1, 66, 192, 30]), width: 640, height: 360 };
    let (program, sound) = (Bytes::from(number.to_string()), Bytes::from_static(b"sound"));
    Init { program, lower: Vec::new(), sound, video, audio: AudioConfig::silent() }
}

fn start(number: u64) -> Cut {
    let changed = number.is_multiple_of(10);
    Cut::Start(Start {
        init: changed.then(|| init(number)),
        date_ms: NOW_MS,
        at: 0,
        discontinuity: changed && number > 0,
        independent: true,
    })
}

fn part(bytes: &[u8]) -> Cut {
    Cut::Part(Part { bytes: Bytes::copy_from_slice(bytes), ticks: PART_TICKS, independent: false, lower: Vec::new() })
}

fn end(sound: &[u8]) -> Cut {
    Cut::End(End { sound: Bytes::copy_from_slice(sound), ticks: 3 * PART_TICKS })
}

fn segment(number: u64) -> Vec<Cut> {
    vec![start(number), part(&[1; 400]), part(&[2; 300]), part(&[3; 300]), end(&[4; 100])]
}

fn playlist(origin: &Origin, rendition: Rendition) -> String {
    String::from_utf8(origin.read().playlist(rendition, false).unwrap().to_vec()).unwrap()
}

fn has(origin: &Origin, name: &str) -> bool {
    origin.read().object(name).is_some()
}

fn first() -> u64 {
    u64::try_from((NOW_MS - SEQUENCE_EPOCH_MS) / SEQUENCE_STEP_MS).unwrap()
}

#[test]
fn the_window_slides_and_counts_what_it_dropped() {
    let origin = Origin::new(NOW_MS);
    let discontinuities = u64::try_from(NOW_MS / DISCONTINUITY_STEP_MS).unwrap() % DISCONTINUITY_STARTS;
    for number in 0..200 {
        origin.push(segment(number));
        for rendition in [Rendition::Video, Rendition::Sound] {
            let text = playlist(&origin, rendition);
            let listed = u64::try_from(text.matches("#EXTINF").count()).unwrap();
            assert_eq!(listed, (number + 1).min(30));
            let oldest = number + 1 - listed;
            assert!(text.contains(&format!("#EXT-X-MEDIA-SEQUENCE:{}\n", first() + oldest)));
            let gone = u64::try_from((1..oldest).filter(|gone| gone % 10 == 0).count()).unwrap();
            assert!(text.contains(&format!("#EXT-X-DISCONTINUITY-SEQUENCE:{}\n", discontinuities + gone)), "{text}");
            let quoted =
                |line: &str| line.split("URI=\"").nth(1).and_then(|rest| rest.split('"').next()).map(String::from);
            let named =
                text.lines().filter_map(|line| if line.starts_with('#') { quoted(line) } else { Some(line.into()) });
            for name in named.filter(|name| !name.ends_with(".m3u8")) {
                let hinted = text.contains(&format!("PRELOAD-HINT:TYPE=PART,URI=\"{name}\""));
                assert_eq!(has(&origin, &name), !hinted, "{name} in {text}");
            }
        }
    }
    assert!(has(&origin, &format!("s{}.m4s", first() + 199 - 60)), "an older playlist's segment is kept");
    assert!(!has(&origin, &format!("s{}.m4s", first() + 199 - 70)));
    assert!(!has(&origin, &format!("s0{}.m4s", first() + 199)), "one address, one content");
    let window = origin.read();
    assert!(window.inits.len() <= 8 && window.bytes <= 73_000);
}

#[test]
fn a_segment_is_its_parts_one_after_another() {
    let origin = Origin::new(NOW_MS);
    origin.push(segment(0));
    origin.push(vec![start(1), part(b"grows")]);
    let body = |name: &str| origin.read().object(name).unwrap().0;
    let parts: Vec<u8> = (0..3).flat_map(|at| body(&format!("p{}.{at}.m4s", first())).to_vec()).collect();
    assert_eq!(body(&format!("s{}.m4s", first())), parts);
    assert_eq!(body(&format!("p{}.0.m4s", first() + 1)), &b"grows"[..]);
    let text = playlist(&origin, Rendition::Video);
    assert!(text.ends_with(&format!(
        "#EXT-X-PART:DURATION=0.33333,URI=\"p{0}.0.m4s\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"p{0}.1.m4s\"\n\
         #EXT-X-RENDITION-REPORT:URI=\"sound.m3u8\",LAST-MSN={1}\n",
        first() + 1,
        first()
    )));
    let report = format!("RENDITION-REPORT:URI=\"video.m3u8\",LAST-MSN={},LAST-PART=0\n", first() + 1);
    assert!(playlist(&origin, Rendition::Sound).ends_with(&report));
}

#[test]
fn lower_qualities_have_playlists_of_their_own_in_which_the_best_stands_where_there_is_none() {
    let origin = Origin::new(NOW_MS);
    let with = |cut: Cut| match cut {
        Cut::Start(start) => {
            let small = VideoConfig { avcc: Bytes::from_static(&[1, 66, 192, 20]), width: 320, height: 180 };
            let lower = vec![(Bytes::from_static(b"small"), small)];
            Cut::Start(Start { init: start.init.map(|init| Init { lower, ..init }), ..start })
        }
        Cut::Part(part) => Cut::Part(Part { lower: vec![Bytes::from_static(b"small part")], ..part }),
        Cut::End(end) => Cut::End(end),
    };
    origin.push(segment(0));
    let names = || String::from_utf8(origin.read().multivariant(&hls::Captions::default()).unwrap().to_vec()).unwrap();
    assert!(!names().contains("video-2"));
    assert_eq!(origin.read().playlist(Rendition::Lower(0), false), None);
    origin.push(segment(10).into_iter().map(with).collect());
    origin.push(vec![with(start(11)), with(part(b"grows"))]);
    let text = names();
    assert!(text.contains("RESOLUTION=640x360\nvideo.m3u8\n"), "{text}");
    assert!(text.contains("RESOLUTION=320x180\nvideo-2.m3u8\n"), "{text}");
    let (best, lower) = (playlist(&origin, Rendition::Video), playlist(&origin, Rendition::Lower(0)));
    let at = first();
    let expected = best
        .replace("video-2.m3u8", "video.m3u8")
        .replace(&format!("i{}.mp4", at + 1), &format!("v2i{}.mp4", at + 1))
        .replace(&format!("s{}.m4s", at + 1), &format!("v2s{}.m4s", at + 1))
        .replace(&format!("p{}.", at + 1), &format!("v2p{}.", at + 1))
        .replace(&format!("p{}.", at + 2), &format!("v2p{}.", at + 2));
    assert_eq!(lower, expected);
    let body = |name: String| origin.read().object(&name).map(|(bytes, _)| bytes);
    assert_eq!(body(format!("v2s{}.m4s", at + 1)).unwrap(), b"small part".repeat(3));
    assert_eq!(body(format!("v2p{}.0.m4s", at + 2)).unwrap(), &b"small part"[..]);
    assert_eq!(body(format!("v2i{}.mp4", at + 1)).unwrap(), &b"small"[..]);
    assert_eq!(body(format!("v2s{at}.m4s")), body(format!("s{at}.m4s")), "who asked by a hint");
    for name in ["v3s", "v1s", "v02s", "vs", "v2"] {
        assert_eq!(body(format!("{name}{at}.m4s")), None, "{name}");
    }
    let sound = playlist(&origin, Rendition::Sound);
    assert!(sound.contains("RENDITION-REPORT:URI=\"video.m3u8\"") && sound.contains("URI=\"video-2.m3u8\""));
    // The slate has one quality: whoever follows the lower one sees it too.
    origin.push(vec![end(b""), start(20), part(b"slate")]);
    let text = playlist(&origin, Rendition::Lower(0));
    assert!(text.contains(&format!("#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"i{0}.mp4\"\n", at + 3)), "{text}");
    assert!(text.contains(&format!("PRELOAD-HINT:TYPE=PART,URI=\"p{0}.1.m4s\"", at + 3)), "{text}");
}

#[test]
fn a_stretch_without_sound_is_a_gap_in_the_sound_alone() {
    let origin = Origin::new(NOW_MS);
    origin.push(segment(0));
    origin.push(vec![start(1), part(b"silent"), end(b"")]);
    assert!(playlist(&origin, Rendition::Sound).contains("#EXT-X-GAP\n#EXTINF:"));
    assert!(!playlist(&origin, Rendition::Video).contains("#EXT-X-GAP"));
}

#[test]
fn a_picture_that_lasts_too_long_for_a_part_leaves_its_segment_without_parts() {
    let origin = Origin::new(NOW_MS);
    let bytes = Bytes::from_static(b"x");
    let long = Cut::Part(Part { bytes, ticks: PART_TICKS_MAX + 1, independent: false, lower: Vec::new() });
    origin.push(vec![start(0), part(b"first")]);
    assert!(playlist(&origin, Rendition::Video).contains("#EXT-X-PART:"));
    origin.push(vec![long, end(b"sound")]);
    let text = playlist(&origin, Rendition::Video);
    assert!(!text.contains("#EXT-X-PART:") && text.contains("#EXTINF:"), "{text}");
}

#[test]
fn bytes_are_capped_whatever_the_bitrate() {
    let origin = Origin::new(NOW_MS);
    let heavy = vec![0; 16 << 20];
    for number in 0..40 {
        origin.push(vec![start(number), part(&heavy), end(b"")]);
    }
    assert!(origin.read().bytes <= KEPT_BYTES_MAX);
}

#[test]
fn a_restart_goes_on_above() {
    let (before, after) = (Origin::new(NOW_MS), Origin::new(NOW_MS + 60_000));
    for number in 0..60 {
        before.push(segment(number));
    }
    assert!(after.edge().next > before.edge().next);
}

#[test]
fn where_a_request_stands() {
    let edge = Edge { next: 10, parts: 2, before: 3, begun: true, ended: false };
    let check = |msn, part, expected| assert_eq!(edge.listed(msn, part), expected, "{msn}.{part}");
    check(3, u64::MAX, Stands::Decided);
    check(9, 2, Stands::Decided);
    check(9, u64::MAX, Stands::Decided);
    // Past the last part of segment 9: the first of segment 10.
    check(9, 3, Stands::Decided);
    check(10, 1, Stands::Decided);
    check(10, 2, Stands::Comes);
    check(10, u64::MAX, Stands::Comes);
    check(12, 0, Stands::Comes);
    check(13, 0, Stands::TooFarAhead);
    check(u64::MAX, u64::MAX, Stands::TooFarAhead);
    let empty = Edge { parts: 0, ..edge };
    assert_eq!((empty.listed(9, 3), empty.listed(12, 0)), (Stands::Comes, Stands::TooFarAhead));
    assert_eq!(Edge { ended: true, ..edge }.listed(11, 0), Stands::Decided);
    for (msn, part, expected) in [
        (10, 2, Stands::Comes),
        (10, 1, Stands::Decided),
        (10, 3, Stands::Decided),
        (11, 0, Stands::Decided),
        (9, 7, Stands::Decided),
    ] {
        assert_eq!(edge.part(msn, part), expected, "{msn}.{part}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_the_next_part_waits_for_it_and_not_for_ever() {
    let origin = Arc::new(Origin::new(NOW_MS));
    let ask = |part| Directives { msn: Some(first()), part: Some(part), skip: false };
    assert_eq!(origin.file(VIDEO, ask(0)).await, Err(Missing::NotBegun));
    origin.push(vec![start(0), part(b"one")]);
    let waits = |name: String, directives| {
        let origin = origin.clone();
        tokio::spawn(async move { origin.file(&name, directives).await })
    };
    let (list, body) = (waits(VIDEO.into(), ask(1)), waits(format!("p{}.1.m4s", first()), Directives::default()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!list.is_finished() && !body.is_finished());
    origin.push(vec![part(b"two")]);
    assert!(String::from_utf8_lossy(&list.await.unwrap().unwrap().bytes).contains(&format!("p{}.1.m4s\"\n", first())));
    assert_eq!(body.await.unwrap().unwrap().bytes, &b"two"[..]);
    assert_eq!(origin.file(VIDEO, ask(2)).await, Err(Missing::NotYet));
    let after = Directives { msn: Some(first() + 9), part: None, skip: false };
    assert_eq!(origin.file(VIDEO, after).await, Err(Missing::TooFarAhead));
    assert_eq!(
        origin.file(VIDEO, Directives { part: Some(1), ..Directives::default() }).await,
        Err(Missing::TooFarAhead)
    );
    // A hint that came to nothing is answered at once.
    let stale = waits(format!("p{}.2.m4s", first()), Directives::default());
    tokio::time::sleep(Duration::from_secs(1)).await;
    origin.push(vec![end(b"")]);
    assert_eq!(stale.await.unwrap(), Err(Missing::Unknown));
    let last = waits(VIDEO.into(), Directives { msn: Some(first() + 1), part: Some(0), skip: true });
    tokio::time::sleep(Duration::from_secs(1)).await;
    origin.end();
    assert!(last.await.unwrap().unwrap().bytes.ends_with(b"#EXT-X-ENDLIST\n"));
}

#[test]
fn the_playlist_of_playlists_says_what_a_player_needs() {
    let origin = Origin::new(NOW_MS);
    assert_eq!(origin.read().multivariant(&hls::Captions::default()), None);
    origin.push(segment(0));
    let text = String::from_utf8(origin.read().multivariant(&hls::Captions::default()).unwrap().to_vec()).unwrap();
    assert!(text.contains("CODECS=\"avc1.640028,mp4a.40.2\",RESOLUTION=640x360\nvideo.m3u8\n"), "{text}");
    assert!(text.ends_with(",CODECS=\"mp4a.40.2\"\nsound.m3u8\n"));
}
