//! A WebRTC sender of our own, over real UDP: what the audience gets of it, also when packets are lost.

use futures_util::FutureExt as _;
use groundswell::media::ingest::whip::Whip;
use groundswell::media::{Directives, Gate, Media, Notice, Object, ProgramId, Settings, SourceId};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use str0m::change::SdpAnswer;
use str0m::format::Codec;
use str0m::media::{Direction, Frequency, MediaKind, MediaTime, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PROGRAM: ProgramId = ProgramId(Uuid::from_u128(99));
const A: SourceId = SourceId(Uuid::from_u128(1));
const FRAME: Duration = Duration::from_millis(40);
/// Payload types by which the sender repeats pictures (RFC 4588), as str0m offers them.
const REPEATS: [u8; 7] = [121, 107, 109, 120, 119, 36, 115];
const PACKET: Duration = Duration::from_millis(20);

#[derive(Default)]
struct Doors {
    notices: Mutex<Vec<Notice>>,
}

impl Gate for Doors {
    fn admit(&self, key: &str) -> Result<SourceId, String> {
        if key == "key-a" { Ok(A) } else { Err("wrong".into()) }
    }

    fn notice(&self, notice: Notice) {
        self.notices.lock().unwrap().push(notice);
    }
}

struct Stage {
    media: Media,
    doors: Arc<Doors>,
    whip: Whip,
    stop: CancellationToken,
}

impl Stage {
    async fn open() -> Self {
        let (media, doors, stop) =
            (Media::new(Settings::default()), Arc::new(Doors::default()), CancellationToken::new());
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let whip = Whip::new(socket, &[], media.clone(), doors.clone(), stop.clone()).unwrap();
        let serving = whip.clone();
        tokio::spawn(async move { serving.run().await });
        Self { media, doors, whip, stop }
    }

    fn notices(&self) -> Vec<Notice> {
        self.doors.notices.lock().unwrap().clone()
    }

    /// What is there is answered at once.
    fn file(&self, name: &str) -> Option<Object> {
        self.media.program(PROGRAM)?.file(name, Directives::default()).now_or_never().unwrap().ok()
    }

    fn playlist(&self) -> String {
        self.file("video.m3u8").map(|file| String::from_utf8(file.bytes.to_vec()).unwrap()).unwrap_or_default()
    }

    fn segments(&self) -> usize {
        self.playlist().matches("#EXTINF").count()
    }

    async fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !done(self) {
            assert!(started.elapsed() < Duration::from_secs(60), "{what}: {:?}\n{}", self.notices(), self.playlist());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What ffmpeg complains of when it decodes everything listed, and the lengths of picture and sound in seconds.
    async fn decode(&self) -> (String, f64, f64) {
        let (mut files, text): (Vec<Vec<u8>>, _) = (Vec::new(), self.playlist());
        let mut last = "";
        for line in text.lines() {
            if let Some(map) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
                let map = map.split('"').next().unwrap();
                if map != last {
                    files.push(self.file(map).unwrap().bytes.to_vec());
                }
                last = map;
            } else if !line.starts_with('#') && !line.is_empty() {
                files.last_mut().unwrap().extend_from_slice(&self.file(line).unwrap().bytes);
            }
        }
        assert_eq!(files.len(), 1, "one configuration throughout\n{text}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program.mp4");
        std::fs::write(&path, &files[0]).unwrap();
        let run = |program: &'static str, arguments: &[&str]| {
            let mut command = Command::new(program);
            command.args(arguments).arg(&path).stdin(Stdio::null());
            command
        };
        let mut decoder = run("ffmpeg", &["-v", "warning", "-xerror", "-i"]);
        decoder.args(["-f", "null", "-"]);
        let said = tokio::task::spawn_blocking(move || decoder.output().unwrap()).await.unwrap();
        let mut watched = run("ffmpeg", &["-v", "error", "-i"]);
        watched.args(["-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-"]);
        let seen = hashes(&watched.output().unwrap().stdout);
        // The decoder conceals what is missing without a word; only a picture that was sent is a whole one.
        let broken = seen.iter().filter(|hash| !sent_pictures().contains(*hash)).count();
        assert!(broken == 0 && seen.len() > 50, "{broken} of {} pictures are not as they were sent", seen.len());
        let length = |stream: &str| {
            let arguments =
                ["-v", "error", "-select_streams", stream, "-show_entries", "packet=pts_time", "-of", "csv=p=0"];
            let output = run("ffprobe", &arguments).output().unwrap();
            let times: Vec<f64> = String::from_utf8(output.stdout)
                .unwrap()
                .lines()
                .filter_map(|line| line.trim_end_matches(',').parse().ok())
                .collect();
            times.last().unwrap() - times.first().unwrap()
        };
        (String::from_utf8_lossy(&said.stderr).into_owned(), length("v"), length("a"))
    }
}

/// Ten seconds of a moving picture, a keyframe each second, as access units of a byte stream.
fn pictures() -> &'static Vec<Vec<u8>> {
    static MADE: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    MADE.get_or_init(|| {
        let output = Command::new("ffmpeg")
            .args([
                "-v",
                "error",
                "-f",
                "lavfi",
                "-i",
                "testsrc2=size=640x360:rate=25",
                "-t",
                "10",
                "-pix_fmt",
                "yuv420p",
            ])
            .args(["-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-g", "25", "-b:v", "1M"])
            .args(["-x264-params", "aud=1:bframes=0:slices=1:repeat-headers=1", "-f", "h264", "-"])
            .output()
            .unwrap();
        let stream = output.stdout;
        let starts: Vec<usize> =
            stream.windows(5).enumerate().filter(|(_, five)| *five == [0, 0, 0, 1, 9]).map(|(at, _)| at).collect();
        let ends = starts.iter().skip(1).copied().chain([stream.len()]);
        let units: Vec<Vec<u8>> = starts.iter().zip(ends).map(|(from, until)| stream[*from..until].to_vec()).collect();
        assert_eq!(units.len(), 250);
        units
    })
}

/// Each picture's hash, as ffmpeg tells them.
fn hashes(framemd5: &[u8]) -> Vec<String> {
    let lines = std::str::from_utf8(framemd5).unwrap().lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

/// The hashes of all pictures as they were sent.
fn sent_pictures() -> &'static HashSet<String> {
    static SENT: OnceLock<HashSet<String>> = OnceLock::new();
    SENT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sent.h264");
        std::fs::write(&path, pictures().concat()).unwrap();
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-f", "h264", "-i"]).arg(&path);
        command.args(["-fps_mode", "passthrough", "-f", "framemd5", "-"]);
        let sent = hashes(&command.output().unwrap().stdout);
        assert_eq!(sent.len(), pictures().len());
        sent.into_iter().collect()
    })
}

fn is_key(unit: &[u8]) -> bool {
    unit.windows(4).any(|four| four[..3] == [0, 0, 1] && four[3] & 0x1f == 5)
}

/// A sender that runs until it is dropped.
struct Sender {
    stop: CancellationToken,
    asked: Arc<AtomicUsize>,
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Sender {
    /// Goes live; `loses` says of each datagram, by its number, whether the network loses it.
    async fn start(stage: &Stage, key: &str, loses: fn(usize, &[u8]) -> bool) -> Result<Self, String> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let here = socket.local_addr().unwrap();
        let mut rtc = RtcConfig::new().clear_codecs().enable_h264(true).enable_opus(true, false).build(Instant::now());
        rtc.add_local_candidate(Candidate::host(here, "udp").unwrap());
        let mut change = rtc.sdp_api();
        let picture = change.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        let sound = change.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        let (offer, pending) = change.apply().unwrap();
        let answer = stage.whip.offer(key, None, &offer.to_sdp_string()).await.map_err(|error| error.to_string())?;
        rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer.sdp).unwrap()).unwrap();
        let (stop, asked) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let sender = Self { stop: stop.clone(), asked: asked.clone() };
        tokio::spawn(send(rtc, socket, here, [picture, sound], loses, stop, asked));
        Ok(sender)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn send(
    mut rtc: Rtc,
    socket: UdpSocket,
    here: SocketAddr,
    [picture, sound]: [Mid; 2],
    loses: fn(usize, &[u8]) -> bool,
    stop: CancellationToken,
    asked: Arc<AtomicUsize>,
) {
    let mut buffer = vec![0; 2_000];
    let (mut sent, mut frames, mut packets, mut at) = (0, 0_u32, 0_u32, 0);
    let mut began: Option<Instant> = None;
    while !stop.is_cancelled() {
        let until = loop {
            match rtc.poll_output().unwrap() {
                Output::Timeout(until) => break until,
                Output::Transmit(datagram) => {
                    // Only media is lost: without a handshake there is nothing to see.
                    let is_media = datagram.contents.first().is_some_and(|first| (128..192).contains(first));
                    sent += usize::from(is_media);
                    if !(is_media && loses(sent, &datagram.contents)) {
                        let _ = socket.send_to(&datagram.contents, datagram.destination).await;
                    }
                }
                Output::Event(Event::Connected) => began = Some(Instant::now()),
                Output::Event(Event::KeyframeRequest(_)) => {
                    asked.fetch_add(1, Ordering::SeqCst);
                    while !is_key(&pictures()[at % 250]) {
                        at += 1;
                    }
                }
                Output::Event(_) => {}
            }
        };
        let mut next = until;
        if let Some(began) = began {
            let now = Instant::now();
            let write = |rtc: &mut Rtc, mid: Mid, codec: Codec, time: MediaTime, data: Vec<u8>| {
                let writer = rtc.writer(mid).unwrap();
                let pt = writer.payload_params().find(|params| params.spec().codec == codec).unwrap().pt();
                writer.write(pt, now, time, data).unwrap();
            };
            if began + FRAME * frames <= now {
                let time = MediaTime::new(u64::from(frames) * 3_600, Frequency::NINETY_KHZ);
                write(&mut rtc, picture, Codec::H264, time, pictures()[at % 250].clone());
                (frames, at) = (frames + 1, at + 1);
                continue;
            }
            if began + PACKET * packets <= now {
                let time = MediaTime::new(u64::from(packets) * 960, Frequency::FORTY_EIGHT_KHZ);
                // 20 ms of silence (RFC 6716: CELT, full band, one frame).
                write(&mut rtc, sound, Codec::Opus, time, vec![0xfc, 0xff, 0xfe]);
                packets += 1;
                continue;
            }
            next = next.min(began + FRAME * frames).min(began + PACKET * packets);
        }
        let now = Instant::now();
        tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                let Ok((count, from)) = received else { continue };
                if let Ok(packet) = Receive::new(Protocol::Udp, from, here, &buffer[..count]) {
                    rtc.handle_input(Input::Receive(Instant::now(), packet)).unwrap();
                }
            }
            () = tokio::time::sleep_until(next.max(now).into()) => {
                rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_is_carried_cut_to_and_let_go() {
    let stage = Stage::open().await;
    let sender = Sender::start(&stage, "key-a", |_, _| false).await.unwrap();
    stage.until("the source is live", |stage| !stage.notices().is_empty()).await;
    assert_eq!(
        stage.notices(),
        [Notice::Connected {
            source: A,
            protocol: "WHIP",
            video: "H.264 640x360".into(),
            audio: "AAC 48 kHz stereo".into()
        }]
    );
    let busy = Sender::start(&stage, "key-a", |_, _| false).await.err().unwrap();
    assert!(busy.contains("already live from another encoder"), "{busy}");
    // A cut asks for a keyframe at once, and does not wait for the next that comes by itself.
    let before = sender.asked();
    stage.media.cut(PROGRAM, Some(A));
    stage.until("a keyframe is asked for", |_| sender.asked() > before).await;
    stage.until("segments come", |stage| stage.segments() >= 4).await;
    let (said, picture, sound) = stage.decode().await;
    assert_eq!(said, "");
    assert!((picture - sound).abs() < 0.3 && picture > 3.5, "{picture} s of picture and {sound} s of sound");
    stage.media.disconnect(A, "The host has removed this stream key.");
    let gone = Notice::Disconnected { source: A, reason: "The host has removed this stream key.".into() };
    stage.until("it is let go", |stage| stage.notices().contains(&gone)).await;
    stage.stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_on_the_way_never_looks_broken() {
    let stage = Stage::open().await;
    // Twelve in a row of every 200, and every repeat of a picture: what is lost stays lost.
    let loses = |sent: usize, packet: &[u8]| (sent > 150 && sent % 200 < 12) || REPEATS.contains(&(packet[1] & 0x7f));
    let sender = Sender::start(&stage, "key-a", loses).await.unwrap();
    stage.media.cut(PROGRAM, Some(A));
    stage.until("segments come", |stage| stage.segments() >= 6).await;
    let (said, picture, sound) = stage.decode().await;
    assert_eq!(said, "");
    assert!((picture - sound).abs() < 2.5 && picture > 5.0, "{picture} s of picture and {sound} s of sound");
    assert!(sender.asked() > 1, "asked {} times", sender.asked());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_falls_silent_gives_way_to_its_next_connection() {
    let stage = Stage::open().await;
    drop(Sender::start(&stage, "key-a", |_, _| false).await.unwrap());
    let second = loop {
        match Sender::start(&stage, "key-a", |_, _| false).await {
            Ok(second) => break second,
            Err(busy) => assert!(busy.contains("already live"), "{busy}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    stage.until("the second is live", |stage| stage.media.health(A).is_some()).await;
    drop(second);
    let silent =
        |notice: &Notice| matches!(notice, Notice::Disconnected { reason, .. } if reason.contains("nothing arrived"));
    stage.until("its silence is noticed", |stage| stage.notices().iter().any(silent)).await;
}
