use super::*;
use crate::media::{AudioConfig, VideoConfig};
use std::fs::OpenOptions;
use std::io::Write as _;
use uuid::Uuid;

const PROGRAM: ProgramId = ProgramId(Uuid::from_u128(7));
const ALWAYS: Stretch = Stretch { from_ms: i64::MIN, until_ms: i64::MAX };

fn config() -> Init {
    let video = VideoConfig { avcc: Bytes::from_static(&[1, 66, 192, 30]), width: 640, height: 360 };
    Init { program: Bytes::new(), lower: Vec::new(), sound: Bytes::new(), video, audio: AudioConfig::silent() }
}

fn finished(msn: u64) -> Finished {
    Finished {
        msn,
        init: msn / 10 * 10,
        config: config(),
        source: Some(SourceId(Uuid::from_u128(u128::from(msn % 2)))),
        date_ms: i64::try_from(msn * 2_000).unwrap(),
        at: msn * 180_000,
        ticks: 180_000,
        discontinuity: msn.is_multiple_of(10),
        independent: true,
        bytes: Bytes::from(format!("picture and sound of {msn}")),
        sound: Bytes::from(format!("sound of {msn}")),
    }
}

fn record(dir: &Path, numbers: impl IntoIterator<Item = u64>) {
    let recordings = Recordings::open(dir, 1 << 20).unwrap();
    numbers.into_iter().for_each(|msn| recordings.take(PROGRAM, finished(msn)));
    recordings.close();
    assert!(!recordings.storage().missed);
}

fn shelf(dir: &Path) -> Arc<Shelf> {
    let recordings = Recordings::open(dir, 1 << 20).unwrap();
    recordings.shelf(PROGRAM).unwrap().unwrap()
}

#[test]
fn what_was_sent_is_read_back_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), 11..15);
    record(dir.path(), 40..43);
    let shelf = shelf(dir.path());
    let text = shelf.playlist(ALWAYS, true).unwrap();
    assert_eq!(text.matches("#EXTINF").count(), 7);
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{text}");
    assert!(text.contains("#EXT-X-MAP:URI=\"i10.mp4\"\n") && text.contains("#EXT-X-MAP:URI=\"i40.mp4\"\n"));
    let body = |name: &str| shelf.object(name).unwrap().map(|(bytes, _)| bytes);
    assert_eq!(body("s12.m4s").unwrap(), "picture and sound of 12");
    assert_eq!(body("s42.m4s").unwrap(), "picture and sound of 42");
    assert!(body("i40.mp4").is_some() && body("s15.m4s").is_none() && body("i41.mp4").is_none());
    let part = Stretch { from_ms: 24_000, until_ms: 28_000 };
    assert_eq!(shelf.playlist(part, false).unwrap().matches("#EXTINF").count(), 2);
    assert_eq!(shelf.playlist(Stretch { from_ms: 0, until_ms: 1 }, false), None);
}

#[test]
fn chapters_end_where_the_next_begins() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), (11..15).chain([20]));
    let shelf = shelf(dir.path());
    let chapters: Vec<i64> = shelf.chapters().iter().map(|chapter| chapter.last_ms).collect();
    assert_eq!(chapters, [22_000, 24_000, 26_000, 28_000 + 12_000]);
}

#[test]
fn any_torn_end_costs_at_most_what_was_torn() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), 11..14);
    let folder = dir.path().join(PROGRAM.to_string());
    let files = ["segments", "index"].map(|name| std::fs::read(folder.join(name)).unwrap());
    for (which, name) in ["segments", "index"].into_iter().enumerate() {
        for cut in 0..files[which].len() {
            for (name, whole) in ["segments", "index"].into_iter().zip(&files) {
                std::fs::write(folder.join(name), whole).unwrap();
            }
            let file = OpenOptions::new().write(true).open(folder.join(name)).unwrap();
            file.set_len(u64::try_from(cut).unwrap()).unwrap();
            if cut % 3 == 0 {
                OpenOptions::new().append(true).open(folder.join(name)).unwrap().write_all(b"\0\xffgarbage").unwrap();
            }
            let kept = shelf(dir.path()).playlist(ALWAYS, true).map_or(0, |text| text.matches("#EXTINF").count());
            let share = if which == 0 { cut * 3 / files[0].len() } else { kept };
            assert!(kept <= 3 && kept + 1 >= share, "{name} cut at {cut}: {kept}");
            // It goes on from there.
            record(dir.path(), 90..91);
            let shelf = shelf(dir.path());
            assert_eq!(shelf.playlist(ALWAYS, true).unwrap().matches("#EXTINF").count(), kept + 1);
            assert_eq!(shelf.object("s90.m4s").unwrap().unwrap().0, "picture and sound of 90");
        }
    }
}

#[test]
fn how_long_the_room_lasts_is_told_by_what_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    // Two seconds each.
    let size = u64::try_from(finished(11).bytes.len() + finished(11).sound.len()).unwrap();
    let recordings = Recordings::open(dir.path(), 100 * size).unwrap();
    assert_eq!(recordings.seconds_left(&[PROGRAM]), None);
    (11..51).for_each(|msn| recordings.take(PROGRAM, finished(msn)));
    recordings.close();
    assert!(recordings.has(PROGRAM));
    assert_eq!(recordings.seconds_left(&[PROGRAM]), Some(120));
    assert_eq!(recordings.seconds_left(&[ProgramId(Uuid::from_u128(8))]), None);
}

#[test]
fn the_limit_holds_and_is_told_and_deleting_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let size = u64::try_from(finished(11).bytes.len() + finished(11).sound.len()).unwrap();
    let recordings = Recordings::open(dir.path(), 3 * size).unwrap();
    (11..16).for_each(|msn| recordings.take(PROGRAM, finished(msn)));
    recordings.close();
    assert_eq!(recordings.storage(), Storage { used: 3 * size, limit: 3 * size, missed: true });
    let shelf = recordings.shelf(PROGRAM).unwrap().unwrap();
    assert_eq!(shelf.playlist(ALWAYS, true).unwrap().matches("#EXTINF").count(), 3);
    recordings.delete(PROGRAM).unwrap();
    assert!(recordings.shelf(PROGRAM).unwrap().is_none());
    assert_eq!(recordings.storage(), Storage { used: 0, limit: 3 * size, missed: false });
    recordings.delete(PROGRAM).unwrap();
}
