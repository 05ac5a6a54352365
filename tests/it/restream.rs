//! The program sent on: to a second server of ours, to ffmpeg as a stranger's, and to servers that refuse, die and come back.

use crate::server::{Answer, House, Server, run, said, until};
use std::process::{Child, Command, Output, Stdio};
use tokio::net::TcpListener;

/// A running ffmpeg or ffprobe; it is killed with this value.
struct Tool(Option<Child>);

impl Tool {
    fn start(program: &str, args: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Some(command.spawn().unwrap()))
    }

    async fn ended(mut self) -> Output {
        let child = self.0.take().unwrap();
        tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap()
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A server with a rally and its speakers.
struct Stage {
    house: House,
    speakers: Vec<(String, String)>,
}

impl Stage {
    async fn new(speakers: usize) -> Self {
        let house = House::with(&[("GROUNDSWELL_LOG", "groundswell=debug")]).await;
        let mut stage = Self { house, speakers: vec![] };
        for _ in 0..speakers {
            stage.post("/host/r/call/speakers", &[("name", "Ama Boateng"), ("role", "Ohio")]).await;
        }
        let studio = stage.page("/host/r/call").await;
        let mut ids: Vec<String> =
            studio.split("/speakers/").skip(1).filter_map(|rest| rest.get(..36)).map(str::to_owned).collect();
        ids.dedup();
        for id in ids.into_iter().take(speakers) {
            let page = stage.page(&format!("/host/r/call/speakers/{id}")).await;
            let key = page.split_once("id=\"stream_key\"").unwrap().1.split_once("value=\"").unwrap().1;
            stage.speakers.push((id, key.split('"').next().unwrap().to_owned()));
        }
        stage
    }

    async fn page(&self, path: &str) -> String {
        self.house.server.get_as(&self.house.owner.cookie, path).await.text()
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let answer = self.house.owner.post(&self.house.server, path, form).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.text());
        answer
    }

    async fn open(&self) {
        self.post("/host/r/call/open", &[]).await;
    }

    async fn cut(&self, speaker: Option<usize>) {
        let source = speaker.map_or("", |at| self.speakers[at].0.as_str());
        self.post("/host/r/call/program", &[("source", source)]).await;
    }

    /// An encoder with a test picture and a tone.
    fn encoder(&self, speaker: usize, size: &str, rate: &str, channels: &str) -> Tool {
        let url = format!("rtmp://{}/live/{}", self.house.server.rtmp, self.speakers[speaker].1);
        let (picture, tone) = (format!("testsrc2=size={size}:rate=25"), format!("sine=f=440:r={rate}"));
        let input = ["-loglevel", "error", "-re", "-f", "lavfi", "-i", &picture, "-re", "-f", "lavfi", "-i", &tone];
        let video = ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "2"];
        let output = ["-c:a", "aac", "-ac", channels, "-t", "120", "-f", "flv", &url];
        Tool::start("ffmpeg", &[&input[..], &video, &output].concat())
    }

    async fn is_connected(&self, speaker: usize) {
        let path = format!("/host/r/call/speakers/{}", self.speakers[speaker].0);
        until("the encoder is connected", || async { self.page(&path).await.contains("RTMP · H.264") }).await;
    }

    async fn send_to(&self, server: &str, key: &str) {
        let form = [("service", "other"), ("server", server), ("key", key), ("label", "Elsewhere")];
        self.post("/host/r/call/restream", &form).await;
    }

    async fn change(&self, what: &str) {
        let page = self.page("/host/r/call/restream").await;
        let id = page.split_once("class=\"clip\" data-id=\"").unwrap().1.split('"').next().unwrap();
        self.post("/host/r/call/restream/change", &[(what, id)]).await;
    }

    async fn says(&self, words: &str) {
        until(&format!("the page says {words}"), || async { self.page("/host/r/call/restream").await.contains(words) })
            .await;
    }

    async fn is_live(&self) {
        self.says("<span class=\"pill ok\">live</span>").await;
    }

    fn log(&self) -> String {
        said(&run(&["log", "tail", "-n", "500"], &self.house.data()))
    }
}

/// The size of each feed's picture that an audience saw, in their order; gathered as long as it is asked.
struct Audience<'a> {
    server: &'a Server,
    maps: Vec<String>,
    sizes: Vec<String>,
}

impl Audience<'_> {
    async fn look(&mut self) -> Vec<String> {
        let text = self.server.get("/r/call/program/video.m3u8").await.text();
        let mut map = "";
        for line in text.lines() {
            if let Some(named) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
                map = named.trim_end_matches('"');
            } else if !line.is_empty() && !line.starts_with('#') && !self.maps.iter().any(|seen| seen == map) {
                let mut film = self.server.get(&format!("/r/call/program/{map}")).await.body;
                film.extend(self.server.get(&format!("/r/call/program/{line}")).await.body);
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("film.mp4");
                std::fs::write(&path, film).unwrap();
                let ask =
                    ["-v", "error", "-select_streams", "v", "-show_entries", "frame=width,height", "-of", "csv=p=0"];
                let output = Command::new("ffprobe").args(ask).arg(&path).output().unwrap();
                assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
                let sizes = String::from_utf8(output.stdout).unwrap();
                self.maps.push(map.to_owned());
                self.sizes.push(sizes.lines().next().unwrap().trim_matches(',').to_owned());
            }
        }
        self.sizes.clone()
    }

    async fn sees(&mut self, sizes: &[&str]) {
        let begun = std::time::Instant::now();
        while self.look().await != sizes {
            assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{:?} and not {sizes:?}", self.sizes);
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_groundswell_shows_every_cut_and_the_slate_from_one_connection() {
    let (here, there) = (Stage::new(2).await, Stage::new(1).await);
    there.open().await;
    there.cut(Some(0)).await;
    let key = there.speakers[0].1.clone();
    here.send_to(&format!("rtmp://{}/live", there.house.server.rtmp), &key).await;
    let _first = here.encoder(0, "640x360", "44100", "1");
    let _second = here.encoder(1, "320x180", "48000", "2");
    here.is_connected(0).await;
    here.is_connected(1).await;
    here.cut(Some(0)).await;
    here.says("Begins when you open the doors").await;
    assert!(!there.log().contains("broadcast.source_connected"), "practice is nobody else's");

    here.open().await;
    here.is_live().await;
    let studio = here.page("/host/r/call").await;
    assert!(studio.contains("Sent on to") && studio.contains("Live there for"), "the studio says it too");
    let server = &there.house.server;
    let mut audience = Audience { server, maps: vec![], sizes: vec![] };
    audience.sees(&["1280,720", "640,360"]).await;
    here.cut(Some(1)).await;
    audience.sees(&["1280,720", "640,360", "320,180"]).await;
    here.cut(None).await;
    audience.sees(&["1280,720", "640,360", "320,180", "1280,720"]).await;
    let log = there.log();
    assert_eq!(log.matches("broadcast.source_connected").count(), 1, "{log}");
    assert!(!log.contains("broadcast.source_disconnected"), "{log}");

    here.post("/host/r/call/end", &[]).await;
    until("the other server hears of the end", || async { there.log().contains("the encoder stopped") }).await;
    here.says("The rally has ended").await;
    for stage in [&here, &there] {
        stage.house.server.is_well().await;
        assert!(!stage.house.server.printed().contains(&key), "a key in a log line");
    }
    assert!(!here.log().contains(&key));
    let page = here.page("/host/r/call/restream").await;
    assert!(!page.contains(&key) && page.contains(&format!("…{}", &key[key.len() - 4..])));
    let shown = said(&run(&["log", "tail", "-n", "500", "--reveal", "--reason", "ticket 7"], &here.house.data()));
    assert!(shown.contains("restream.added") && !shown.contains(&key), "{shown}");
}

/// What ffprobe decoded, by track: time and length in seconds, and the picture's width.
struct Decoded {
    pictures: Vec<(f64, u32)>,
    sounds: Vec<(f64, f64)>,
}

impl Decoded {
    fn read(output: &Output) -> Self {
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "decoded without a word");
        let mut decoded = Self { pictures: vec![], sounds: vec![] };
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let fields: Vec<&str> = line.split(',').collect();
            let value = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap();
            match fields[..] {
                ["frame", "video", ..] => decoded.pictures.push((value(2), value(3) as u32)),
                ["frame", "audio", ..] => decoded.sounds.push((value(2), value(3))),
                _ => {}
            }
        }
        decoded
    }

    /// Sees one timeline that rises, with sound throughout.
    fn is_whole(&self) {
        let steps = self.pictures.windows(2).map(|pair| pair[1].0 - pair[0].0);
        assert!(steps.clone().all(|step| step > 0.0 && step < 1.0), "{:?}", self.pictures);
        for pair in self.sounds.windows(2) {
            let step = pair[1].0 - pair[0].0;
            // A sample's length is that of either rate; a hole is shorter than one frame.
            assert!((0.0..0.05).contains(&step), "{pair:?}");
        }
        let (first, last) = (self.pictures[0].0, self.pictures.last().unwrap().0);
        assert!(self.sounds[0].0 <= first + 0.1, "{} {first}", self.sounds[0].0);
        assert!(self.sounds.last().unwrap().0 + 0.5 >= last, "{} {last}", self.sounds.last().unwrap().0);
    }

    fn widths(&self) -> Vec<u32> {
        let mut widths: Vec<u32> = self.pictures.iter().map(|(_, width)| *width).collect();
        widths.dedup();
        widths
    }
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

fn stranger(port: u16) -> Tool {
    let url = format!("rtmp://127.0.0.1:{port}/app/abcd-efgh-ijkl");
    let show = "frame=media_type,pts_time,width,nb_samples";
    Tool::start("ffprobe", &["-v", "warning", "-listen", "1", "-show_entries", show, "-of", "csv", &url])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_server_decodes_one_timeline_with_sound_throughout_and_again_after_it_died() {
    let stage = Stage::new(2).await;
    let port = free_port().await;
    stage.send_to(&format!("rtmp://127.0.0.1:{port}/app"), "abcd-efgh-ijkl").await;
    stage.open().await;
    stage.says("retrying").await;
    stage.says("the server can’t be reached").await;

    let listening = stranger(port);
    stage.is_live().await;
    let _first = stage.encoder(0, "640x360", "44100", "1");
    let _second = stage.encoder(1, "320x180", "48000", "2");
    stage.is_connected(0).await;
    stage.is_connected(1).await;
    let pause = || tokio::time::sleep(std::time::Duration::from_secs(4));
    for speaker in [Some(0), Some(1), None, Some(1)] {
        stage.cut(speaker).await;
        pause().await;
    }
    stage.change("off").await;
    let decoded = Decoded::read(&listening.ended().await);
    decoded.is_whole();
    assert_eq!(decoded.widths(), [1280, 640, 320, 1280, 320]);
    stage.says("Nothing is sent there").await;

    // It dies in the middle, and comes back.
    let listening = stranger(port);
    stage.change("on").await;
    stage.is_live().await;
    drop(listening);
    stage.says("retrying").await;
    let listening = stranger(port);
    stage.is_live().await;
    pause().await;
    stage.change("remove").await;
    let decoded = Decoded::read(&listening.ended().await);
    decoded.is_whole();
    assert_eq!(decoded.widths(), [320]);
    assert!(!stage.page("/host/r/call/restream").await.contains("Elsewhere"));
    assert!(!stage.house.server.printed().contains("abcd-efgh-ijkl"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_refused_in_the_servers_words_and_a_start_goes_on_by_itself() {
    let (here, there) = (Stage::new(0).await, Stage::new(1).await);
    let server = format!("rtmp://{}/live", there.house.server.rtmp);
    here.open().await;
    here.send_to(&server, "a-key-that-nobody-has").await;
    here.says("The server says: “Wrong stream key. Copy it again from the page your host sent you”").await;
    here.change("remove").await;
    assert!(!here.house.server.printed().contains("a-key-that-nobody-has"));

    here.send_to(&server, &there.speakers[0].1).await;
    here.is_live().await;
    there.is_connected(0).await;
    let here = Stage { house: here.house.again(Server::kill), speakers: vec![] };
    here.is_live().await;
    until("the other server has it again", || async { there.log().matches("source_connected").count() == 2 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_wrong_keeps_what_was_typed_and_never_the_key() {
    let stage = Stage::new(0).await;
    let send =
        async |form: &[(&str, &str)]| stage.house.owner.post(&stage.house.server, "/host/r/call/restream", form).await;
    let form =
        [("service", "other"), ("server", "https://a.org/live"), ("key", "abcd-efgh-ijkl"), ("label", "Our page")];
    let answer = send(&form).await;
    let page = answer.text();
    assert_eq!(answer.status, 422);
    assert!(page.contains("begins with rtmps:// or rtmp://") && page.contains("https://a.org/live"), "{page}");
    assert!(page.contains("Our page") && !page.contains("abcd-efgh-ijkl"), "{page}");
    assert!(page.contains("<option value=\"other\" selected>"));

    let form = [("service", "youtube"), ("server", ""), ("key", "abcd-efgh-ijkl"), ("label", "")];
    assert_eq!(send(&form).await.status, 303);
    let page = stage.page("/host/r/call/restream").await;
    assert!(page.contains("rtmps://a.rtmps.youtube.com/live2 · key …ijkl") && !page.contains("abcd-efgh"), "{page}");
    let again = send(&form).await;
    assert!(again.status == 422 && again.text().contains("YouTube has this stream key already"));
    let anybody = stage.house.server.get("/host/r/call/restream").await;
    assert_eq!(anybody.status, 303, "staff only");
    let frame = stage.page("/host/r/call/live.json").await;
    assert!(frame.contains("restreams") && !frame.contains("abcd-efgh"), "{frame}");
}
