//! A rally's speakers and its program, as its host and its viewers have them.

use crate::server::House;
use std::process::Command;

/// One speaker of a rally.
pub struct Speaker {
    /// What their encoder sends with.
    pub key: String,
    /// Their feed's id.
    pub source: String,
    /// Their page in the studio.
    pub href: String,
}

impl House {
    /// Adds a speaker.
    pub async fn speaker(&self, name: &str) -> Speaker {
        let answer = self.owner.post(&self.server, "/host/r/call/speakers", &[("name", name), ("role", "")]).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let studio = self.server.get_as(&self.owner.cookie, "/host/r/call").await.text();
        let source = studio.rsplit_once("/host/r/call/speakers/").unwrap().1[..36].to_owned();
        let href = format!("/host/r/call/speakers/{source}");
        let page = self.server.get_as(&self.owner.cookie, &href).await.text();
        let key = page.split_once("id=\"stream_key\"").unwrap().1.split_once("value=\"").unwrap().1;
        Speaker { key: key.split('"').next().unwrap().to_owned(), source, href }
    }

    /// What the studio says now.
    pub async fn studio(&self) -> String {
        self.server.get_as(&self.owner.cookie, "/host/r/call/live.json").await.text()
    }

    /// How often the program has passed from one feed to another.
    pub async fn joins(&self) -> u64 {
        let text = self.playlist().await;
        let before = text.lines().find_map(|line| line.strip_prefix("#EXT-X-DISCONTINUITY-SEQUENCE:"));
        let before: u64 = before.map_or(0, |number| number.parse().unwrap());
        before + u64::try_from(text.matches("#EXT-X-DISCONTINUITY\n").count()).unwrap()
    }

    /// Puts a source on program; nobody for an empty id.
    pub async fn cut(&self, source: &str) {
        let answer = self.owner.post(&self.server, "/host/r/call/program", &[("source", source)]).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
    }

    /// The playlist of the picture, as staff get it before the doors open too.
    pub async fn playlist(&self) -> String {
        self.server.get_as(&self.owner.cookie, "/r/call/program/video.m3u8").await.text()
    }

    /// The size of each listed feed's picture in their order, and each one's pictures in seconds from the first to the last.
    pub async fn feeds(&self) -> Vec<(String, f64)> {
        let mut files: Vec<Vec<u8>> = Vec::new();
        let get = async |name: &str| {
            let answer = self.server.get_as(&self.owner.cookie, &format!("/r/call/program/{name}")).await;
            assert_eq!(answer.status, 200, "{name}");
            answer.body
        };
        let text = self.playlist().await;
        let (mut last, mut map) = ("", "");
        for line in text.lines() {
            if let Some(named) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
                map = named.trim_end_matches('"');
            } else if !line.starts_with('#') && !line.is_empty() {
                // What has only parts so far is not whole.
                if map != last {
                    files.push(get(map).await);
                    last = map;
                }
                let segment = get(line).await;
                files.last_mut().unwrap().extend(segment);
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("feed.mp4");
        let mut feeds: Vec<(String, f64)> = Vec::new();
        let mut end: Option<f64> = None;
        for file in files {
            std::fs::write(&path, file).unwrap();
            let ask = |entries: &str| {
                let mut command = Command::new("ffprobe");
                command.args(["-v", "error", "-select_streams", "v", "-show_entries", entries, "-of", "csv=p=0"]);
                let output = command.arg(&path).output().unwrap();
                assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
                String::from_utf8(output.stdout).unwrap()
            };
            let read = |line: &str| {
                let (shown, decoded) = line.trim_matches(',').split_once(',').unwrap();
                (shown.parse::<f64>().unwrap(), decoded.parse::<f64>().unwrap())
            };
            let packets: Vec<(f64, f64)> = ask("packet=pts_time,dts_time").lines().map(read).collect();
            // A feed's first picture is shown when it is decoded. In a file of fragments ffprobe shows every picture later than
            // it is, by as much as any is decoded late.
            let late = packets[0].0 - packets[0].1;
            let mut times: Vec<f64> = packets.iter().map(|(shown, _)| shown - late).collect();
            times.sort_by(f64::total_cmp);
            let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(steps.clone().all(|step| step > 0.0 && step < 0.2), "{times:?}");
            if let Some(end) = end {
                assert!((0.0..0.3).contains(&(times[0] - end)), "a gap of {}", times[0] - end);
            }
            end = times.last().copied();
            feeds.push((ask("stream=width,height").trim().to_owned(), times[times.len() - 1] - times[0]));
        }
        feeds
    }
}
