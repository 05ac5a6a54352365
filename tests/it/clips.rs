//! Clips by the real server: uploaded as a browser does, checked, kept through a crash, and played on program.

use crate::server::{Answer, House, Server, run, said, until};
use std::path::PathBuf;
use std::process::{Command, Stdio};

const X264: &[&str] = &["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "25"];
const AAC: &[&str] = &["-c:a", "aac"];

/// Three seconds of ffmpeg's test picture, and a tone unless `-an` is among the arguments.
fn film(args: &[&[&str]]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    let mut command = Command::new("ffmpeg");
    command.args(["-loglevel", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]);
    command.args(["-f", "lavfi", "-i", "sine=r=48000", "-t", "3"]).args(args.concat()).arg(&path);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(&path).unwrap()
}

impl House {
    async fn upload(&self, csrf: &str, title: &str, file: &[u8]) -> Answer {
        let line = "--a-line-between-fields";
        let mut body = Vec::new();
        for (name, value) in [("csrf", csrf), ("title", title)] {
            let field = format!("{line}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(field.as_bytes());
        }
        let head = format!(
            "{line}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"Our year.mp4\"\r\ncontent-type: video/mp4\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(file);
        body.extend_from_slice(format!("\r\n{line}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={}", &line[2..]);
        let headers = [("cookie", self.owner.cookie.as_str()), ("content-type", kind.as_str())];
        self.server.send("POST", "/host/r/call/clips", &headers, &body).await
    }

    async fn add(&self, title: &str, file: &[u8]) {
        let answer = self.upload(&self.owner.csrf, title, file).await;
        assert_eq!(
            (answer.status, answer.header("location").as_str()),
            (303, "/host/r/call/clips?done=clip"),
            "{}",
            answer.text()
        );
    }

    async fn refuses(&self, file: &[u8], words: &str) {
        let answer = self.upload(&self.owner.csrf, "x", file).await;
        assert_eq!(answer.status, 422, "{words}: {}", answer.text());
        assert!(answer.text().contains(words), "should say {words:?}: {}", answer.text());
    }

    async fn page(&self) -> String {
        self.server.get_as(&self.owner.cookie, "/host/r/call/clips").await.text()
    }

    /// The sources of the clips that can be played, as the page has them.
    async fn sources(&self) -> Vec<String> {
        let page = self.page().await;
        let values = page.split("name=\"source\" value=\"").skip(1).filter_map(|rest| rest.split('"').next());
        values.filter(|value| !value.is_empty()).map(str::to_owned).collect()
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.data().join("clips"));
        entries.map_or(vec![], |entries| entries.map(|entry| entry.unwrap().path()).collect())
    }
}

#[tokio::test]
async fn clips_of_every_make_are_taken_and_one_plays_between_two_slates() {
    let house = House::new().await;
    house.add("With B-frames", &film(&[X264, &["-bf", "2"], AAC])).await;
    house.add("", &film(&[X264, &["-bf", "0", "-movflags", "+faststart"], AAC])).await;
    house.add("No sound", &film(&[X264, &["-an"]])).await;
    let page = house.page().await;
    for words in ["With B-frames", "Our year", "No sound", "0:03 · 1 MB"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert_eq!(house.files().len(), 3);
    let sources = house.sources().await;
    for source in &sources {
        house.cut(source).await;
        until("it is on", || async { house.page().await.contains("ON AIR") }).await;
        until("it is over", || async { house.page().await.contains(">over<") }).await;
    }
    // Once more: the same clip starts anew.
    house.cut(&sources[2]).await;
    until("it is on again", || async { house.page().await.contains("ON AIR") }).await;
    until("it is over again", || async { house.page().await.contains(">over<") }).await;
    until("the slate stands", || async { house.feeds().await.last().unwrap().0 == "1280,720" }).await;
    let feeds = house.feeds().await;
    let clips: Vec<f64> = feeds.iter().filter(|(size, _)| size == "320,180").map(|(_, length)| *length).collect();
    assert_eq!(clips.len(), 4, "{feeds:?}");
    assert!(clips.iter().all(|length| (2.8..3.0).contains(length)), "each was whole: {feeds:?}");
    let status =
        house.owner.post(&house.server, &format!("/host/r/call/clips/{}/remove", sources[2]), &[]).await.status;
    assert_eq!(status, 409, "the one that was on last is not removed under the program");
    house.server.is_well().await;
}

#[tokio::test]
async fn what_can_not_be_played_is_refused_with_what_to_do() {
    let house = House::new().await;
    let right = film(&[X264, AAC]);
    house
        .refuses(
            &film(&[&["-c:v", "libx265", "-x265-params", "log-level=none"], AAC]),
            "HEVC (H.265): export it as H.264",
        )
        .await;
    house.refuses(&film(&[X264, &["-c:a", "libmp3lame"]]), "MP3 sound: export it as AAC").await;
    house
        .refuses(&film(&[X264, &["-pix_fmt", "yuv444p", "-profile:v", "high444"], AAC]), "colour format for studios")
        .await;
    house.refuses(&film(&[X264, &["-movflags", "frag_keyframe+empty_moov"], AAC]), "fragmented").await;
    house.refuses(&right[..right.len() / 2], "no index").await;
    let front = film(&[X264, &["-movflags", "+faststart"], AAC]);
    house.refuses(&front[..front.len() / 2], "cut short").await;
    house.refuses(b"", "not an MP4 file").await;
    house.refuses(&b"%PDF-1.7 some other file".repeat(999), "not an MP4 file").await;
    assert_eq!(house.upload("forged", "x", &right).await.status, 403);
    assert_eq!(house.upload(&house.owner.csrf, &"x".repeat(9_000), &right).await.status, 413);
    let kind = [("cookie", house.owner.cookie.as_str()), ("content-type", "multipart/form-data; boundary=x")];
    for body in [&b""[..], b"--x", b"--x\r\n\r\n", b"--x\r\ncontent-disposition: form-data; name=\"csrf\"\r\n\r\n"] {
        let answer = house.server.send("POST", "/host/r/call/clips", &kind, body).await;
        assert!([400, 422].contains(&answer.status), "{}: {}", answer.status, answer.text());
    }
    assert_eq!(house.server.post("/host/r/call/clips", &[]).await.status, 303, "a stranger is asked to sign in");
    assert_eq!(house.files(), Vec::<PathBuf>::new(), "nothing stays of what was refused");
    assert!(house.page().await.contains("No clips yet"));
    house.server.is_well().await;
}

#[tokio::test]
async fn a_clip_outlives_a_crash_and_goes_into_a_backup_and_orphans_do_not() {
    let house = House::new().await;
    let bytes = film(&[X264, AAC]);
    house.add("Kept", &bytes).await;
    house.add("Removed", &bytes).await;
    let sources = house.sources().await;
    let removed = house.owner.post(&house.server, &format!("/host/r/call/clips/{}/remove", sources[1]), &[]).await;
    assert_eq!(removed.status, 303);
    until("its file is gone", || async { house.files().len() == 1 }).await;
    let orphan = house.data().join("clips/0192f3c4-9999-7c8d-9e0f-aabbccddeeff.mp4");
    std::fs::write(&orphan, b"an upload that a crash left before the log had it").unwrap();
    std::fs::write(orphan.with_extension("part"), b"half of one").unwrap();
    let house = house.again(Server::kill);
    assert_eq!(house.files(), [house.data().join(format!("clips/{}.mp4", sources[0]))]);
    house.cut(&sources[0]).await;
    until("it plays", || async { house.page().await.contains("ON AIR") }).await;

    let folder = tempfile::tempdir().unwrap();
    let (to, back) = (folder.path().join("backup"), folder.path().join("back"));
    let backup = run(&["backup", to.to_str().unwrap()], &house.data());
    assert!(backup.status.success(), "{}", said(&backup));
    let restore = run(&["restore", to.to_str().unwrap()], &back);
    assert!(restore.status.success(), "{}", said(&restore));
    assert_eq!(std::fs::read(back.join(format!("clips/{}.mp4", sources[0]))).unwrap(), bytes);
}
