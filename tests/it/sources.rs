//! Sources of every kind, by the real server: what they send is played or refused in words, and nobody else notices.
//! On several threads, since a steady sender stands still for nobody who reads files.

mod sender;

use crate::program::Speaker;
use crate::server::{House, until};
use bytes::Bytes;
use groundswell::media::codec::flv::Tag;
use groundswell::media::publish;
use sender::{Sender, chunks, film, number, text};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Of the steady speaker's picture.
const STEADY: &str = "960,540";

/// A house with a speaker who is on and does nothing out of the way.
struct Stage {
    house: House,
    steady: Speaker,
    stop: CancellationToken,
}

impl Stage {
    async fn open() -> Self {
        let house = House::new().await;
        let steady = house.speaker("Steady").await;
        let stop = CancellationToken::new();
        let clip = Bytes::from(std::fs::read("fixtures/media/clip.flv").unwrap());
        let (url, until_then) = (format!("rtmp://{}/live/{}", house.server.rtmp, steady.key), stop.clone());
        tokio::spawn(async move { publish::run(clip, &url, until_then).await });
        let stage = Self { house, steady, stop };
        stage.cut(&stage.steady).await;
        stage
    }

    /// Cuts to a speaker and waits until they are on.
    async fn cut(&self, speaker: &Speaker) {
        self.house.cut(&speaker.source).await;
        until("they are on", || async { self.house.studio().await.contains(">ON AIR<") }).await;
    }

    /// Whoever is on goes on without a break.
    async fn is_undisturbed(&self, what: impl Future<Output = ()>) {
        until("the steady one is on", || async {
            self.house.feeds().await.last().is_some_and(|(size, length)| size == STEADY && *length > 1.0)
        })
        .await;
        let (joins, length) = (self.house.joins().await, self.newest().await);
        what.await;
        until("it goes on", || async { self.newest().await > length + 2.0 }).await;
        assert_eq!(self.house.joins().await, joins, "a break that nobody asked for");
    }

    /// The length of the feed that is on, as far as it is listed.
    async fn newest(&self) -> f64 {
        let text = self.house.playlist().await;
        let value =
            |tag: &str| text.lines().find_map(|line| line.strip_prefix(tag)).map_or(0.0, |n| n.parse().unwrap());
        // What has left the list counts as two seconds each.
        let listed = text.matches("#EXTINF").count();
        2.0 * (value("#EXT-X-MEDIA-SEQUENCE:") + f64::from(u32::try_from(listed).unwrap()))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// One kind of source: its name, its picture's size, its film, its timestamps, and bytes that it sends one by one.
struct Kind {
    name: &'static str,
    size: &'static str,
    film: Vec<Tag>,
    at: fn(u64) -> u32,
    sips: usize,
}

fn as_it_is(ms: u64) -> u32 {
    u32::try_from(ms).unwrap()
}

/// Each plays one after another while the steady one keeps sending; what viewers get of each is whole and in order.
async fn all_play(kinds: Vec<Kind>) {
    let stage = Stage::open().await;
    for Kind { name, size, film, at, sips } in kinds {
        stage.cut(&stage.steady).await;
        let speaker = stage.house.speaker(name).await;
        let (to, key) = (stage.house.server.rtmp, speaker.key.clone());
        let playing: JoinHandle<()> = tokio::spawn(async move {
            let mut sender = Sender::publish(to, &key).await;
            sender.sips = sips;
            sender.play(film, at).await;
        });
        stage
            .is_undisturbed(until(name, || async { stage.house.studio().await.contains(&size.replace(',', "x")) }))
            .await;
        stage.house.cut(&speaker.source).await;
        let seen = async || stage.house.feeds().await.into_iter().rfind(|(picture, _)| picture == size);
        until(name, || async { seen().await.is_some_and(|(_, length)| length > 3.0) }).await;
        playing.abort();
        stage.house.server.is_well().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_picture_is_played() {
    let many = ["-b:v", "20M", "-minrate", "20M", "-maxrate", "20M", "-bufsize", "10M", "-x264-params", "nal-hrd=cbr"];
    all_play(vec![
        Kind { name: "B-frames", size: "320,180", film: film("320x180", 4, &["-bf", "3"]), at: as_it_is, sips: 0 },
        Kind { name: "no sound", size: "336,180", film: film("336x180", 4, &["-an"]), at: as_it_is, sips: 0 },
        Kind { name: "20 Mbit/s", size: "1280,720", film: film("1280x720", 4, &many), at: as_it_is, sips: 0 },
        Kind { name: "byte by byte", size: "352,180", film: film("352x180", 4, &[]), at: as_it_is, sips: 60_000 },
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_clock_is_played() {
    all_play(vec![
        Kind {
            name: "wraps after 49 days",
            size: "320,180",
            film: film("320x180", 4, &[]),
            at: |ms| (u32::MAX - 5_000).wrapping_add(as_it_is(ms)),
            sips: 0,
        },
        Kind {
            name: "goes back once",
            size: "336,180",
            film: film("336x180", 4, &[]),
            // Back by three seconds after each five.
            at: |ms| as_it_is(ms - ms / 5_000 * 3_000),
            sips: 0,
        },
        Kind {
            name: "goes to and fro",
            size: "352,180",
            film: film("352x180", 4, &[]),
            at: |ms| as_it_is(200 + ms - ms * 7 % 160),
            sips: 0,
        },
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_minute_without_a_keyframe_is_played() {
    let film = film("320x180", 33, &["-g", "2000", "-keyint_min", "2000", "-sc_threshold", "0"]);
    let keys = film.iter().filter(|tag| tag.kind == 9 && tag.payload[..2] == [0x17, 1]).count();
    assert_eq!(keys, 1);
    let stage = Stage::open().await;
    let speaker = stage.house.speaker("One keyframe").await;
    stage.house.cut(&speaker.source).await;
    let sender = Sender::publish(stage.house.server.rtmp, &speaker.key).await;
    let playing = tokio::spawn(sender.play(film, as_it_is));
    let length = async || {
        stage.house.feeds().await.last().map_or(0.0, |(size, length)| if size == "320,180" { *length } else { 0.0 })
    };
    until("it plays on", || async { length().await > 28.0 }).await;
    // What starts without a keyframe says so, or a player would begin there.
    assert!(!stage.house.playlist().await.contains("#EXT-X-INDEPENDENT-SEGMENTS"));
    until("the studio says what to do", || async { stage.house.studio().await.contains("Keyframe Interval") }).await;
    playing.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_changes_its_size_is_played_on() {
    let stage = Stage::open().await;
    let speaker = stage.house.speaker("Turns the phone").await;
    let mut both = film("320x180", 4, &[]);
    let end = both.last().unwrap().timestamp_ms + 40;
    both.extend(film("180x320", 4, &[]).into_iter().map(|tag| Tag { timestamp_ms: tag.timestamp_ms + end, ..tag }));
    stage.house.cut(&speaker.source).await;
    let sender = Sender::publish(stage.house.server.rtmp, &speaker.key).await;
    let playing = tokio::spawn(sender.play(both, as_it_is));
    for size in ["320,180", "180,320", "320,180"] {
        until(size, || async {
            stage.house.feeds().await.last().is_some_and(|(picture, length)| picture == size && *length > 1.5)
        })
        .await;
        let said = format!("RTMP · H.264 {}", size.replace(',', "x"));
        until(&said, || async { stage.house.studio().await.contains(&said) }).await;
    }
    playing.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_no_picture_or_nothing_right_is_told_so() {
    let stage = Stage::open().await;
    let sound = film("320x180", 8, &["-vn"]);
    for (name, film, words) in [
        ("Sound alone", sound, "no video arrived"),
        (
            "Another codec",
            vec![Tag { kind: 9, timestamp_ms: 0, payload: Bytes::from_static(&[0x12, 0, 0, 0]) }],
            "H.263",
        ),
        (
            "No codec",
            vec![Tag { kind: 9, timestamp_ms: 0, payload: Bytes::from_static(&[0x17, 0, 0, 0, 0, 9, 9, 9]) }],
            "",
        ),
    ] {
        let speaker = stage.house.speaker(name).await;
        let sender = Sender::publish(stage.house.server.rtmp, &speaker.key).await;
        stage
            .is_undisturbed(async {
                let playing = tokio::spawn(sender.play(film, as_it_is));
                until(name, || async {
                    let studio = stage.house.studio().await;
                    studio.contains(">refused<") && studio.contains(words)
                })
                .await;
                playing.abort();
            })
            .await;
        let removed = stage.house.owner.post(&stage.house.server, &format!("{}/remove", speaker.href), &[]).await;
        assert_eq!(removed.status, 303);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_vanishes_in_the_middle_of_a_picture_is_waited_for() {
    let stage = Stage::open().await;
    let speaker = stage.house.speaker("Vanishes").await;
    let film = film("320x180", 4, &[]);
    for _ in 0..2 {
        let mut sender = Sender::publish(stage.house.server.rtmp, &speaker.key).await;
        stage.house.cut(&speaker.source).await;
        let begun = tokio::time::Instant::now();
        for tag in &film {
            tokio::time::sleep_until(begun + Duration::from_millis(u64::from(tag.timestamp_ms))).await;
            assert!(sender.message(tag.kind, 1, tag.timestamp_ms, &tag.payload).await, "{}", sender.heard());
        }
        let key = film.iter().rfind(|tag| tag.kind == 9 && tag.payload[..2] == [0x17, 1]).unwrap();
        let whole = chunks(9, 1, 4_000, &key.payload);
        sender.bytes(&whole[..whole.len() / 2]).await;
        drop(sender);
        until("the slate stands", || async {
            stage.house.feeds().await.last().is_some_and(|(size, length)| size == "1280,720" && *length > 1.0)
        })
        .await;
    }
    let pictures = stage.house.feeds().await;
    assert!(pictures.iter().filter(|(size, _)| size == "320,180").count() == 2, "{pictures:?}");
    stage.house.server.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_half_open_connections_and_garbage_leave_the_others_alone() {
    let stage = Stage::open().await;
    let to = stage.house.server.rtmp;
    let deep = [text("connect"), number(1.0), [&[3, 0, 1, b'a'][..]; 200].concat()].concat();
    let endless = [text("connect"), number(1.0), vec![8, 0xff, 0xff, 0xff, 0xff], text("x").repeat(500)].concat();
    let long = [text("publish"), number(1.0), vec![12, 0xff, 0xff, 0xff, 0xf0]].concat();
    let garbage: Vec<Vec<u8>> = vec![
        chunks(20, 0, 0, &deep),
        chunks(20, 0, 0, &endless),
        chunks(20, 0, 0, &long),
        chunks(17, 0, 0, &[0xff; 300]),
        chunks(20, 0, 0, &[]),
        // Chunks of no bytes, of too many, and of messages that never end on many streams.
        [&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0][..], &[0; 4]].concat(),
        [&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0][..], &[0xff; 4]].concat(),
        (3..60).flat_map(|id| [&[id, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0][..], &[7; 128]].concat()).collect(),
        (0..20_000_u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect(),
    ];
    let mut before = 0;
    stage
        .is_undisturbed(async {
            for round in 0..2 {
                let mut open = Vec::new();
                for n in 0..150 {
                    let mut sender = Sender::knock(to).await;
                    if n % 3 > 0 {
                        sender.bytes(&garbage[n % garbage.len()]).await;
                    }
                    open.push(sender);
                }
                stage.house.server.is_well().await;
                if round == 0 {
                    before = stage.house.server.memory_kib();
                }
            }
        })
        .await;
    let after = stage.house.server.memory_kib();
    assert!(after < before + 32 * 1_024, "{before} KiB became {after}");
    // Somebody real still gets in.
    let speaker = stage.house.speaker("Real").await;
    let playing = tokio::spawn(Sender::publish(to, &speaker.key).await.play(film("320x180", 4, &[]), as_it_is));
    until("they are in", || async { stage.house.studio().await.contains("320x180") }).await;
    playing.abort();
}

/// A tag of a film as one of several tracks of Enhanced RTMP.
fn as_track(track: u8, tag: &Tag) -> Tag {
    let payload = match tag.payload.get(1) {
        _ if tag.kind != 9 => tag.payload.clone(),
        Some(0) => [&[0x96, 0x00][..], b"avc1", &[track], &tag.payload[5..]].concat().into(),
        _ => [&[(tag.payload[0] & 0x70) | 0x86, 0x01][..], b"avc1", &[track], &tag.payload[2..]].concat().into(),
    };
    Tag { payload, ..tag.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_qualities_of_one_source_become_renditions() {
    let stage = Stage::open().await;
    let speaker = stage.house.speaker("Qualities").await;
    let (best, lower) = (film("1280x720", 10, &["-bf", "2"]), film("640x360", 10, &["-bf", "2"]));
    let of = |film: &[Tag], track| film.iter().filter(|tag| tag.kind == 9).map(|tag| as_track(track, tag)).collect();
    let (second, first): (Vec<Tag>, Vec<Tag>) = (of(&lower, 1), of(&best, 0));
    let sound = best.iter().filter(|tag| tag.kind == 8).cloned();
    let mut tags: Vec<Tag> = first.into_iter().chain(second).chain(sound).collect();
    tags.sort_by_key(|tag| tag.timestamp_ms);
    let (to, key) = (stage.house.server.rtmp, speaker.key.clone());
    let playing = tokio::spawn(async move { Sender::publish(to, &key).await.play(tags, as_it_is).await });
    until("both are seen", || async { stage.house.studio().await.contains("also 640×360") }).await;
    stage.cut(&speaker).await;
    let get = async |name: &str| {
        let answer = stage.house.server.get_as(&stage.house.owner.cookie, &format!("/r/call/program/{name}")).await;
        assert_eq!(answer.status, 200, "{name}");
        answer.body
    };
    let text = async |name: &str| String::from_utf8(get(name).await).unwrap();
    until("the second is listed", || async { text("index.m3u8").await.contains("RESOLUTION=640x360\nvideo-2.m3u8\n") })
        .await;
    until("some of it is whole", || async { text("video-2.m3u8").await.matches("\nv2s").count() > 2 }).await;
    let (best, lower) = (text("video.m3u8").await, text("video-2.m3u8").await);
    let msn = |text: &str| text.split("\nv2s").nth(1).or(text.split("\ns").last()).unwrap()[..9].to_owned();
    let number = msn(&lower);
    assert!(best.contains(&format!("\ns{number}.m4s")), "they count together: {number} in {best}");
    let map = lower.split("URI=\"v2i").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    for (prefix, size) in [("", "1280,720"), ("v2", "640,360")] {
        let file = [get(&format!("{prefix}i{map}")).await, get(&format!("{prefix}s{number}.m4s")).await].concat();
        let path = folder.path().join("segment.mp4");
        std::fs::write(&path, file).unwrap();
        let mut probe = std::process::Command::new("ffprobe");
        probe.args(["-v", "error", "-select_streams", "v", "-count_frames", "-show_entries"]);
        let said = probe.args(["stream=width,height,nb_read_frames", "-of", "csv=p=0"]).arg(&path).output().unwrap();
        assert!(said.stderr.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
        let said = String::from_utf8(said.stdout).unwrap();
        assert!(said.starts_with(size) && said.trim().ends_with(",50"), "{prefix}: {said}");
    }
    // The steady one sends one quality: it stands in both lists.
    stage.cut(&stage.steady).await;
    until("it stands in both", || async {
        let (best, lower) = (text("video.m3u8").await, text("video-2.m3u8").await);
        let last = |text: &str| text.lines().rfind(|line| line.ends_with(".m4s")).map(str::to_owned);
        last(&best).is_some_and(|name| name.starts_with('s')) && last(&lower) == last(&best)
    })
    .await;
    playing.abort();
    stage.house.server.is_well().await;
}
