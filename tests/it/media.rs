//! Real ffmpeg over real RTMP to a real listener; what viewers would fetch, read by ffprobe.

mod slate;

use bytes::Bytes;
use futures_util::FutureExt as _;
use groundswell::media::health::Sound;
use groundswell::media::ingest::rtmp;
use groundswell::media::publish::{self, PublishError};
use groundswell::media::{Directives, Gate, Media, Missing, Notice, Object, ProgramId, Settings, SourceId};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PROGRAM: ProgramId = ProgramId(Uuid::from_u128(99));
const A: SourceId = SourceId(Uuid::from_u128(1));
const B: SourceId = SourceId(Uuid::from_u128(2));

#[derive(Default)]
struct Doors {
    notices: Mutex<Vec<Notice>>,
}

impl Gate for Doors {
    fn admit(&self, key: &str) -> Result<SourceId, String> {
        match key {
            "key-a" => Ok(A),
            "key-b" => Ok(B),
            _ => Err("this stream key is not known: copy it again from your speaker page".to_owned()),
        }
    }

    fn notice(&self, notice: Notice) {
        self.notices.lock().unwrap().push(notice);
    }
}

/// A running ffmpeg; it is killed with this value.
struct Encoder(Option<Child>);

impl Encoder {
    /// Waits for its end, leaving this thread to the listener it talks to.
    async fn ended(mut self) -> Output {
        let child = self.0.take().unwrap();
        tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap()
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

struct Stage {
    media: Media,
    doors: Arc<Doors>,
    port: u16,
    stop: CancellationToken,
}

impl Stage {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (media, doors, stop) =
            (Media::new(Settings::default()), Arc::new(Doors::default()), CancellationToken::new());
        tokio::spawn(rtmp::run(listener, media.clone(), doors.clone(), stop.clone()));
        Self { media, doors, port, stop }
    }

    fn url(&self, key: &str) -> String {
        format!("rtmp://127.0.0.1:{}/live/{key}", self.port)
    }

    fn ffmpeg(&self, key: &str, size: &str, codecs: &[&str]) -> Encoder {
        let source = format!("testsrc2=size={size}:rate=25");
        let mut command = Command::new("ffmpeg");
        command.args(["-loglevel", "error", "-re", "-f", "lavfi", "-i", &source, "-f", "lavfi", "-i", "sine=r=48000"]);
        command.args(["-pix_fmt", "yuv420p", "-g", "25", "-t", "60"]).args(codecs).args(["-f", "flv", &self.url(key)]);
        Encoder(Some(command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()))
    }

    fn live(&self, key: &str, size: &str) -> Encoder {
        self.ffmpeg(key, size, &["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"])
    }

    fn file(&self, name: &str) -> Result<Object, Missing> {
        let origin = self.media.program(PROGRAM).ok_or(Missing::NotBegun)?;
        // What is there is answered at once.
        origin.file(name, Directives::default()).now_or_never().unwrap()
    }

    fn playlist(&self) -> String {
        self.file("video.m3u8").map(|text| String::from_utf8(text.bytes.to_vec()).unwrap()).unwrap_or_default()
    }

    async fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !done(self) {
            assert!(started.elapsed() < Duration::from_secs(40), "{what}: {:?}\n{}", self.notices(), self.playlist());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn notices(&self) -> Vec<Notice> {
        self.doors.notices.lock().unwrap().clone()
    }

    fn refused(&self, words: &str) -> bool {
        self.notices().iter().any(|notice| matches!(notice, Notice::Refused { reason, .. } if reason.contains(words)))
    }

    fn segments(&self) -> usize {
        self.playlist().matches("#EXTINF").count()
    }

    /// Discontinuities that a whole segment follows.
    fn joins(&self) -> usize {
        let playlist = self.playlist();
        playlist.rfind("#EXTINF").map_or(0, |end| playlist[..end].matches("#EXT-X-DISCONTINUITY\n").count())
    }

    fn value(&self, tag: &str) -> u64 {
        self.playlist().lines().find_map(|line| line.strip_prefix(tag)).unwrap().parse().unwrap()
    }

    /// Everything listed, as one file for each init segment, as ffprobe tells it.
    async fn probe(&self) -> Vec<(String, Vec<f64>)> {
        let (mut files, text): (Vec<Vec<u8>>, _) = (Vec::new(), self.playlist());
        let (mut last, mut map) = ("", "");
        for line in text.lines() {
            if let Some(named) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
                map = named.trim_end_matches('"');
            } else if !line.starts_with('#') {
                // What has only parts so far is not whole.
                if map != last {
                    files.push(self.file(map).unwrap().bytes.to_vec());
                    last = map;
                }
                let object = self.file(line).unwrap();
                assert_eq!(object.cache_control, "public, max-age=31536000, immutable");
                files.last_mut().unwrap().extend_from_slice(&object.bytes);
            }
        }
        let mut told = Vec::new();
        for (index, file) in files.iter().enumerate() {
            let path =
                std::env::temp_dir().join(format!("groundswell-{}-{}-{index}.mp4", std::process::id(), self.port));
            std::fs::write(&path, file).unwrap();
            let ask = |entries: &str, streams: &str| {
                let output = Command::new("ffprobe")
                    .args(["-v", "error", "-select_streams", streams, "-show_entries", entries, "-of", "csv=p=0"])
                    .arg(&path)
                    .output()
                    .unwrap();
                assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
                String::from_utf8(output.stdout).unwrap()
            };
            let streams = [ask("stream=codec_name,width,height", "v"), ask("stream=codec_name", "a")];
            let mut times = Vec::new();
            for track in ["v", "a"] {
                let dts = ask("packet=dts_time", track);
                let one: Vec<f64> = dts.lines().map(|line| line.trim_matches(',').parse().unwrap()).collect();
                assert!(one.is_sorted_by(|a, b| a < b), "{track}: {one:?}");
                times.extend(one);
            }
            let _ = std::fs::remove_file(&path);
            told.push((streams.join(" ").split_whitespace().collect::<Vec<_>>().join(" "), times));
        }
        told
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_speaker_plays_drops_returns_and_another_takes_over() {
    let stage = Stage::open().await;
    assert_eq!(stage.file("video.m3u8"), Err(Missing::NotBegun));
    stage.media.cut(PROGRAM, Some(A));
    let first = stage.live("key-a", "640x360");
    stage.until("three segments", |stage| stage.segments() >= 3).await;
    assert!(stage.notices().contains(&Notice::Connected {
        source: A,
        protocol: "RTMP",
        video: "H.264 640x360".to_owned(),
        audio: "AAC 48 kHz mono".to_owned(),
    }));
    let health = stage.media.health(A).unwrap();
    assert_eq!((health.width, health.height, health.sound), (640, 360, Sound::Heard));
    assert_eq!(health.keyframe_interval_ms, Some(1_000));
    assert!(health.bitrate_bps > 50_000, "{health:?}");

    // A second encoder on the same key is told, and the first plays on.
    let clip = Bytes::from(std::fs::read("fixtures/media/clip.flv").unwrap());
    let second = stage.live("key-a", "320x180");
    stage.until("the second is refused", |stage| stage.refused("already live from another encoder")).await;
    second.ended().await;
    let before = stage.segments();
    stage.until("the first plays on", |stage| stage.segments() > before).await;
    assert!(!stage.playlist().contains("#EXT-X-DISCONTINUITY\n"));

    // Gone and back.
    let sequence = stage.value("#EXT-X-MEDIA-SEQUENCE:");
    drop(first);
    stage.until("gone", |stage| stage.media.health(A).is_none()).await;
    let newest = |stage: &Stage| stage.media.program(PROGRAM).unwrap().edge().next;
    let last = newest(&stage);
    let _first = stage.live("key-a", "640x360");
    stage.until("back", |stage| stage.joins() == 1 && newest(stage) > last).await;
    assert!(stage.value("#EXT-X-MEDIA-SEQUENCE:") >= sequence);

    // Our own publisher is another source with another picture.
    let stop = CancellationToken::new();
    let other = tokio::spawn({
        let (url, stop) = (stage.url("key-b"), stop.clone());
        async move { publish::run(clip, &url, stop).await }
    });
    stage.until("b is connected", |stage| stage.media.health(B).is_some()).await;
    stage.media.cut(PROGRAM, Some(B));
    stage.until("b is on", |stage| stage.joins() == 2).await;
    assert_eq!(stage.media.on_program(PROGRAM), Some(B));
    let told: Vec<String> = stage.probe().await.into_iter().map(|(streams, _)| streams).collect();
    assert_eq!(told.first().unwrap(), "h264,640,360 aac");
    assert_eq!(told.last().unwrap(), "h264,960,540 aac");
    assert!(stage.playlist().contains("#EXT-X-INDEPENDENT-SEGMENTS"));

    stage.media.disconnect(B, "thank you");
    stage
        .until("b is told", |stage| {
            stage.notices().contains(&Notice::Disconnected { source: B, reason: "thank you".to_owned() })
        })
        .await;
    stage.media.end(PROGRAM);
    assert!(stage.playlist().ends_with("#EXT-X-ENDLIST\n"));
    stop.cancel();
    let _ = other.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_said_on_the_wire_and_to_the_host() {
    let stage = Stage::open().await;
    let clip = Bytes::from(std::fs::read("fixtures/media/clip.flv").unwrap());
    let refused = publish::run(clip, &stage.url("wrong"), CancellationToken::new()).await;
    assert!(
        matches!(&refused, Err(PublishError::Refused { reason }) if reason.contains("this stream key is not known")),
        "{refused:?}"
    );
    assert!(stage.refused("this stream key is not known"));

    let mp3 = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "libmp3lame", "-ar", "44100"];
    let output = stage.ffmpeg("key-a", "320x180", &mp3).ended().await;
    assert!(stage.refused("Audio Encoder: AAC"), "{:?}", stage.notices());
    assert!(!output.status.success());

    let old = stage.ffmpeg("key-a", "320x180", &["-c:v", "flv", "-c:a", "aac"]).ended().await;
    assert!(stage.refused("H.263 video"), "{:?}", stage.notices());
    assert!(!old.status.success());
    assert!(stage.media.health(A).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_end_cleanly_and_disturb_nobody() {
    let stage = Stage::open().await;
    stage.media.cut(PROGRAM, Some(A));
    let _encoder = stage.live("key-a", "320x180");
    stage.until("on", |stage| stage.segments() >= 1).await;
    let mut strangers = Vec::new();
    for number in 0..120_u32 {
        let mut socket = TcpStream::connect(("127.0.0.1", stage.port)).await.unwrap();
        match number % 3 {
            0 => {}
            1 => socket.write_all(&[3; 700]).await.unwrap(),
            _ => {
                let mut bytes = vec![3];
                bytes
                    .extend((0..9_000_u32).map(|at| {
                        u8::try_from((at.wrapping_mul(number).wrapping_mul(2_654_435) >> 7) & 0xff).unwrap()
                    }));
                socket.write_all(&bytes).await.unwrap();
            }
        }
        strangers.push(socket);
    }
    let before = stage.segments();
    for socket in &mut strangers {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(15), socket.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "a half-open connection stays");
    }
    stage.until("plays on", |stage| stage.segments() >= before + 3).await;
    assert!(!stage.playlist().contains("#EXT-X-DISCONTINUITY\n"));
    assert_eq!(stage.notices().len(), 1, "{:?}", stage.notices());
}
