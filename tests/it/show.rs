//! The run of show through the studio's forms: what is planned, gone through and taken back, and what the log has of it; and the
//! program's clock, by real encoders.

use crate::program::Speaker;
use crate::server::{House, run, said, until};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::process::{Child, Command, Stdio};

/// A running ffmpeg; it is killed with this value.
struct Encoder(Child);

impl Encoder {
    fn start(house: &House, key: &str, pictures: &[&str]) -> Self {
        let mut command = Command::new("ffmpeg");
        command.args(["-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25"]);
        command.args(["-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo", "-pix_fmt", "yuv420p", "-t", "120"]);
        command.args(["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"]).args(pictures);
        command.args(["-f", "flv", &format!("rtmp://{}/live/{key}", house.server.rtmp)]);
        Self(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is planned, in order: ids and titles.
async fn plan(house: &House) -> Vec<(String, String)> {
    let page = house.server.get_as(&house.owner.cookie, "/host/r/call/show").await;
    assert_eq!(page.status, 200);
    let text = page.text();
    let items = text.split("<li id=\"item-").skip(1);
    let title = |item: &str| item.split_once("<b dir=\"auto\">").unwrap().1.split('<').next().unwrap().to_owned();
    items.map(|item| (item[..36].to_owned(), title(item))).collect()
}

async fn titles(house: &House) -> Vec<String> {
    plan(house).await.into_iter().map(|(_, title)| title).collect()
}

async fn add(house: &House, what: &str, title: &str, minutes: &str) -> u16 {
    let form =
        [("what", what), ("title", title), ("minutes", minutes), ("seconds", ""), ("starts", ""), ("cuts", "yes")];
    house.owner.post(&house.server, "/host/r/call/show/items", &form).await.status
}

async fn go(house: &House, action: &str) -> u16 {
    house.owner.post(&house.server, "/host/r/call/show/go", &[("do", action)]).await.status
}

/// The log's events of some kinds.
fn events(house: &House, kinds: &[&str]) -> Vec<Value> {
    let output = run(&["log", "tail", "-n", "1000"], &house.data());
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| kinds.contains(&line["kind"].as_str().unwrap_or_default())).collect()
}

#[tokio::test]
async fn a_run_is_planned_gone_through_and_taken_back() {
    let house = House::new().await;
    let (zoe, ama) = (house.speaker("Zoë").await.source, house.speaker("Ama").await.source);
    assert_eq!(add(&house, &format!("speaker:{zoe}"), "", "8").await, 303);
    assert_eq!(add(&house, "ask", "Doubled until nine", "2").await, 303);
    assert_eq!(add(&house, &format!("speaker:{ama}"), "", "7").await, 303);
    assert_eq!(titles(&house).await, ["Zoë", "Doubled until nine", "Ama"]);

    let items = plan(&house).await;
    let change = async |at: usize, action: &str| {
        let path = format!("/host/r/call/show/items/{}", items[at].0);
        house.owner.post(&house.server, &path, &[("do", action)]).await.status
    };
    assert_eq!(change(2, "up").await, 303);
    assert_eq!(titles(&house).await, ["Zoë", "Ama", "Doubled until nine"]);
    assert_eq!(change(2, "down").await, 303);

    let start = |at: usize| format!("start:{}", items[at].0);
    for action in [start(0), start(1), start(2), format!("undo:{}", items[2].0)] {
        assert_eq!(go(&house, &action).await, 303, "{action}");
    }
    let studio = house.server.get_as(&house.owner.cookie, "/host/r/call").await.text();
    assert!(studio.contains("Undo: back to Zoë") && studio.contains("Next: <bdi>Ama</bdi>"), "{studio}");
    assert_eq!(change(1, "remove").await, 422, "what is on stays");

    let found = events(&house, &["show.item_started", "show.undone", "broadcast.cut"]);
    let short = |event: &Value| (event["kind"].as_str().unwrap().to_owned(), event["data"]["source"].clone());
    let found: Vec<(String, Value)> = found.iter().map(short).collect();
    let (started, cut) =
        (("show.item_started".to_owned(), Value::Null), |to: &str| ("broadcast.cut".into(), to.into()));
    let back = ("show.undone".to_owned(), Value::Null);
    assert_eq!(found, [started.clone(), cut(&zoe), started.clone(), started, cut(&ama), back, cut(&zoe)]);
    house.server.is_well().await;
}

#[tokio::test]
async fn what_is_not_right_is_refused_and_nothing_is_lost() {
    let house = House::new().await;
    for (what, title, minutes) in [
        ("speaker:nobody", "x", "1"),
        ("dance", "x", "1"),
        ("ask", "x", "0"),
        ("ask", "x", "minus"),
        ("speaker:", "", "1"),
    ] {
        assert_eq!(add(&house, what, title, minutes).await, 422, "{what} {title} {minutes}");
    }
    let form = [("what", "ask"), ("title", "Kept as typed"), ("minutes", "999999999999")];
    let answer = house.owner.post(&house.server, "/host/r/call/show/items", &form).await;
    assert!(answer.status == 422 && answer.text().contains("Kept as typed"), "{}", answer.text());
    for action in ["start:1", "start:00000000-0000-0000-0000-000000000001", "undo:", "dance", ""] {
        assert!(matches!(go(&house, action).await, 400 | 409), "{action}");
    }
    let nowhere = "/host/r/call/show/items/00000000-0000-0000-0000-000000000001";
    assert_eq!(house.owner.post(&house.server, nowhere, &[("do", "remove")]).await.status, 422);
    // Without the page's token, and without signing in.
    let stranger = house.server.post_as(&house.owner.cookie, "/host/r/call/show/go", &[("do", "undo:")]).await;
    assert_eq!(stranger.status, 403, "{}", stranger.text());
    assert_ne!(house.server.get("/host/r/call/show").await.status, 200);
    assert_eq!(titles(&house).await, Vec::<String>::new());
    house.server.is_well().await;
}

#[tokio::test]
async fn practice_is_seen_by_staff_only_and_the_log_has_the_programs_clock() {
    let house = House::new().await;
    let Speaker { key, source: zoe, .. } = house.speaker("Zoë").await;
    let encoder = Encoder::start(&house, &key, &["-g", "200", "-keyint_min", "200"]);
    let studio = async || house.studio().await;
    until("the source is ready", async || studio().await.contains(">ready<")).await;
    assert_eq!(add(&house, &format!("speaker:{zoe}"), "", "8").await, 303);
    let items = plan(&house).await;
    let asked_at = DateTime::from_timestamp_millis(Utc::now().timestamp_millis()).unwrap();
    assert_eq!(go(&house, &format!("start:{}", items[0].0)).await, 303);
    until("the picture is on", async || studio().await.contains(">ON AIR<")).await;

    let playlist = "/r/call/program/video.m3u8";
    assert_eq!(house.server.get(playlist).await.status, 404, "the audience sees no practice");
    until("staff see it", async || house.server.get_as(&house.owner.cookie, playlist).await.status == 200).await;
    // What is wrong is told in words, as it is: a keyframe every 8 s, and no sound in the sound.
    until("the host is told", async || {
        let text = studio().await;
        text.contains("Cuts wait up to 8 s") && text.contains("Silent for")
    })
    .await;

    let took = events(&house, &["broadcast.took_program"]);
    assert_eq!((took.len(), &took[0]["data"]["source"]), (1, &zoe.as_str().into()));
    let shown_at: DateTime<Utc> = took[0]["data"]["shown_at"].as_str().unwrap().parse().unwrap();
    assert!(shown_at >= asked_at, "{shown_at}: not before it was asked for");
    // The picture's own time, once its first part is there.
    until("the playlist says the same instant", async || {
        let text = house.server.get_as(&house.owner.cookie, playlist).await.text();
        let mut dates = text.lines().filter_map(|line| line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:"));
        dates.any(|date| date.parse::<DateTime<Utc>>().unwrap() == shown_at)
    })
    .await;

    drop(encoder);
    until("the drop is in the log", async || events(&house, &["broadcast.took_program"]).len() == 2).await;
    assert_eq!(events(&house, &["broadcast.took_program"])[1]["data"]["source"], Value::Null);
}
