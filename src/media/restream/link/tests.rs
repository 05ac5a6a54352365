//! Over real sockets: to our own ingest behind encryption, and to a server that takes the stream and then reads nothing.

use super::*;
use crate::media::codec::flv::{self, Body};
use crate::media::ingest::rtmp;
use crate::media::restream::WAITING_BYTES_MAX;
use crate::media::{AudioConfig, Gate, Notice, SourceId, Track, VideoConfig};
use bytes::Bytes;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use shiguredo_rtmp::{RtmpConnectionEvent, RtmpServerConnection};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

const PROGRAM: ProgramId = ProgramId(Uuid::from_u128(9));
const HERE: SourceId = SourceId(Uuid::from_u128(1));
const THERE: SourceId = SourceId(Uuid::from_u128(2));

struct Doors;

impl Gate for Doors {
    fn admit(&self, key: &str) -> Result<SourceId, String> {
        if key == "right-key" { Ok(THERE) } else { Err("Wrong stream key.".to_owned()) }
    }

    fn notice(&self, _: Notice) {}
}

/// A program whose one source plays the demo's clip round and round.
fn playing() -> Media {
    let media = Media::new(crate::media::Settings::default());
    media.cut(PROGRAM, Some(HERE));
    let mut feed = media.attach(HERE).unwrap();
    tokio::spawn(async move {
        let file = Bytes::from_static(include_bytes!("../../../../fixtures/media/clip.flv"));
        let tags = flv::tags(&file).unwrap();
        let (mut round, start) = (0_i64, Instant::now());
        loop {
            let mut last = 0;
            for tag in &tags {
                let body = if tag.kind == 9 { flv::video(&tag.payload) } else { flv::audio(&tag.payload) };
                let at = (round + i64::from(tag.timestamp_ms)) * Frame::TICKS_PER_MS;
                sleep_until(start + Duration::from_millis(u64::try_from(at / 90).unwrap())).await;
                last = tag.timestamp_ms;
                match (tag.kind, body.unwrap()) {
                    (9, Body::Config(config)) => feed.set_video(VideoConfig::parse(&config).unwrap()),
                    (8, Body::Config(config)) => feed.set_audio(AudioConfig::parse(&config).unwrap()),
                    (_, Body::Picture { keyframe, offset_ms, data }) => {
                        let pts = at + i64::from(offset_ms) * Frame::TICKS_PER_MS;
                        feed.push(Frame { track: Track::Video, pts, dts: at, keyframe, data, lower: Vec::new() })
                            .unwrap();
                    }
                    (_, Body::Sound(data)) => {
                        feed.push(Frame {
                            track: Track::Audio,
                            pts: at,
                            dts: at,
                            keyframe: true,
                            data,
                            lower: Vec::new(),
                        })
                        .unwrap();
                    }
                    _ => {}
                }
            }
            round += i64::from(last) + 40;
        }
    });
    media
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn openssl(folder: &Path, args: &[&str]) {
    let output = Command::new("openssl").current_dir(folder).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, and a certificate of it for `localhost`.
fn certificates(folder: &Path) -> (RootCertStore, ServerConfig) {
    let new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    openssl(folder, &[&new[..], &["-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority"]].concat());
    openssl(folder, &[&new[..], &["-keyout", "own.key", "-out", "own.csr", "-subj", "/CN=localhost"]].concat());
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost").unwrap();
    let sign = ["x509", "-req", "-in", "own.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
    openssl(folder, &[&sign[..], &["-extfile", "names", "-out", "own.pem"]].concat());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap()).unwrap();
    let own = vec![CertificateDer::from_pem_file(folder.join("own.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(folder.join("own.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    (roots, server.with_no_client_auth().with_single_cert(own, key).unwrap())
}

fn route(media: &Media, address: &str, key: &str) -> Route {
    let (address, key) = (Address::parse(address).unwrap(), Zeroizing::new(key.to_owned()));
    Route { media: media.clone(), program: PROGRAM, address, key }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_server_gets_the_program_if_its_certificate_is_believed() {
    let folder = tempfile::tempdir().unwrap();
    let (roots, server) = certificates(folder.path());
    let (plain, plain_port) = listener().await;
    let (encrypted, port) = listener().await;
    let (there, stop) = (Media::new(crate::media::Settings::default()), CancellationToken::new());
    tokio::spawn(rtmp::run(plain, there.clone(), Arc::new(Doors), stop.clone()));
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(server));
        while let Ok((socket, _)) = encrypted.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut socket) = acceptor.accept(socket).await else { return };
                let mut inner = TcpStream::connect(("127.0.0.1", plain_port)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut socket, &mut inner).await;
            });
        }
    });
    let (media, address) = (playing(), format!("rtmps://localhost:{port}/live"));

    let stranger = Settings::new().unwrap();
    let doubted = route(&media, &address, "right-key").send(&stranger, &stop, |_| panic!("never live")).await;
    assert!(
        matches!(&doubted, Ending::Lost(why) if why.contains("encrypted") && why.contains("certificate")),
        "{doubted:?}"
    );

    let settings = Settings::believing(roots).unwrap();
    let refused = route(&media, &address, "wrong-key").send(&settings, &stop, |_| panic!("never live")).await;
    assert_eq!(refused, Ending::Refused("Wrong stream key.".to_owned()));

    let leave = CancellationToken::new();
    let (live, is_live) = oneshot::channel();
    let live = parking_lot::Mutex::new(Some(live));
    let sending = tokio::spawn({
        let (route, leave) = (route(&media, &address, "right-key"), leave.clone());
        async move {
            route
                .send(&settings, &leave, |_| live.lock().take().into_iter().for_each(|live| live.send(()).unwrap()))
                .await
        }
    });
    is_live.await.unwrap();
    let begun = Instant::now();
    while there.health(THERE).is_none_or(|health| health.bitrate_bps == 0) {
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", there.health(THERE));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let health = there.health(THERE).unwrap();
    assert_eq!((health.width, health.height), (960, 540));
    leave.cancel();
    assert_eq!(sending.await.unwrap(), Ending::Left);
    let begun = Instant::now();
    while there.health(THERE).is_some() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is told of the end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_reads_is_left_and_takes_nothing_from_anybody() {
    let (listener, port) = listener().await;
    let (done, held) = oneshot::channel::<()>();
    let asked = Arc::new(AtomicU32::new(0));
    let asking = asked.clone();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut rtmp = RtmpServerConnection::new();
        let mut buffer = [0; 4096];
        let mut accepted = false;
        while !accepted {
            let count = socket.read(&mut buffer).await.unwrap();
            rtmp.feed_recv_buf(&buffer[..count]).unwrap();
            while let Some(event) = rtmp.next_event() {
                if matches!(event, RtmpConnectionEvent::PublishRequested { .. }) {
                    rtmp.accept().unwrap();
                    accepted = true;
                }
            }
            while !rtmp.send_buf().is_empty() {
                let count = socket.write(rtmp.send_buf()).await.unwrap();
                rtmp.advance_send_buf(count);
            }
        }
        // It asks and asks, and takes no answer.
        let pings = [2, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 6, 1, 2, 3, 4].repeat(1_000);
        let ask = async {
            while socket.write_all(&pings).await.is_ok() {
                asking.fetch_add(u32::try_from(pings.len()).unwrap(), Ordering::SeqCst);
            }
        };
        tokio::select! {
            () = ask => {}
            _ = held => {}
        }
    });

    // Pictures as large as those of 48 Mbit/s, so that no buffer of the system's holds them all.
    let media = Media::new(crate::media::Settings::default());
    media.cut(PROGRAM, Some(HERE));
    let mut feed = media.attach(HERE).unwrap();
    feed.set_video(VideoConfig { avcc: Bytes::from_static(b"config"), width: 640, height: 360 });
    feed.without_sound();
    let (quick, slow) = (media.tap(PROGRAM).unwrap(), media.tap(PROGRAM).unwrap());
    let sent = Arc::new(AtomicU32::new(0));
    let counted = sent.clone();
    tokio::spawn(async move {
        let data = Bytes::from(vec![7; 200_000]);
        for number in 0_i64.. {
            let at = number * 3_000;
            let keyframe = number % 30 == 0;
            feed.push(Frame { track: Track::Video, pts: at, dts: at, keyframe, data: data.clone(), lower: Vec::new() })
                .unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(33)).await;
        }
    });
    let fetched = Arc::new(AtomicU32::new(0));
    let counted = fetched.clone();
    tokio::spawn(async move {
        while let Some(item) = quick.next().await {
            counted.fetch_add(u32::from(matches!(item, Item::Frame(_))), Ordering::SeqCst);
        }
    });

    let settings = Settings::new().unwrap();
    let route = route(&media, &format!("rtmp://127.0.0.1:{port}/live"), "right-key");
    let ending = route.send(&settings, &CancellationToken::new(), |_| {}).await;
    assert_eq!(ending, Ending::Lost("the server took nothing for 10 seconds".to_owned()));
    assert!(slow.losses() > 0 && slow.waiting_bytes() <= WAITING_BYTES_MAX, "{}", slow.waiting_bytes());
    let (sent, fetched) = (sent.load(Ordering::SeqCst), fetched.load(Ordering::SeqCst));
    assert!(sent > 200 && fetched + 2 >= sent, "the others got {fetched} of {sent}");
    let asked = asked.load(Ordering::SeqCst);
    assert!(asked < 64 << 20, "{asked} bytes were heard of a server that takes no answer");
    drop(done);
}
