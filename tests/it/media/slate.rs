//! The slate in a program: before, between and after speakers, on one timeline that never stops.

use super::*;
use groundswell::media::{Standing, Words};

fn words(standing: Standing) -> Words {
    Words { title: "Answer the Call".to_owned(), accent: [0xd6, 0x30, 0x1f], standing }
}

impl Stage {
    /// Each listed feed's picture, and that each begins where the one before it ended.
    async fn pictures(&self) -> Vec<String> {
        let told = self.probe().await;
        let mut end = None;
        for (streams, times) in &told {
            let video: Vec<f64> = times.windows(2).take_while(|pair| pair[0] < pair[1]).map(|pair| pair[1]).collect();
            if let Some(end) = end {
                let gap = times[0] - end;
                assert!((0.0..0.2).contains(&gap), "{streams}: {gap}");
            }
            end = video.last().copied();
        }
        told.into_iter().map(|(streams, _)| streams).collect()
    }
}

const SLATE: &str = "h264,1280,720 aac";
const SPEAKER: &str = "h264,640,360 aac";

#[tokio::test(flavor = "multi_thread")]
async fn a_program_goes_on_while_nobody_is_on() {
    let stage = Stage::open().await;
    let starts = words(Standing::Starting { at_ms: i64::MAX });
    stage.media.stand_by(PROGRAM, starts);
    stage.until("the slate is on before anybody", |stage| stage.segments() >= 3).await;
    assert_eq!(stage.media.on_program(PROGRAM), None);

    // Cut to before it is there: it comes on by itself.
    stage.media.cut(PROGRAM, Some(A));
    stage.media.stand_by(PROGRAM, words(Standing::Back));
    let speaker = stage.live("key-a", "640x360");
    stage.until("the speaker is on", |stage| stage.media.on_program(PROGRAM) == Some(A)).await;
    stage.until("and seen", |stage| stage.joins() == 1).await;

    drop(speaker);
    stage.until("gone", |stage| stage.media.health(A).is_none()).await;
    stage.until("the slate again", |stage| stage.joins() == 2).await;
    assert_eq!(stage.media.on_program(PROGRAM), None);
    let _speaker = stage.live("key-a", "640x360");
    stage.until("the speaker is back", |stage| stage.joins() == 3).await;
    assert_eq!(stage.media.on_program(PROGRAM), Some(A));

    stage.media.cut(PROGRAM, None);
    assert_eq!(stage.media.on_program(PROGRAM), None, "off is off at once");
    stage.until("the slate between two", |stage| stage.joins() == 4).await;
    assert_eq!(stage.pictures().await, [SLATE, SPEAKER, SLATE, SPEAKER, SLATE]);

    stage.media.stand_by(PROGRAM, words(Standing::Thanks));
    stage.until("the end", |stage| stage.playlist().ends_with("#EXT-X-ENDLIST\n")).await;
    let pictures = stage.pictures().await;
    assert_eq!(pictures.last().unwrap(), SLATE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_speaker_whose_line_falls_silent_makes_room_and_comes_back() {
    let stage = Stage::open().await;
    stage.media.stand_by(PROGRAM, words(Standing::Moment));
    stage.media.cut(PROGRAM, Some(A));
    let speaker = stage.live("key-a", "640x360");
    stage.until("the speaker is on", |stage| stage.media.on_program(PROGRAM) == Some(A)).await;
    // The connection stays open, and nothing comes.
    let id = speaker.0.as_ref().unwrap().id().to_string();
    let signal = |name: &str| assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    signal("-STOP");
    stage.until("the slate", |stage| stage.media.on_program(PROGRAM).is_none()).await;
    assert!(stage.media.health(A).is_some(), "still connected");
    signal("-CONT");
    stage.until("back by itself", |stage| stage.media.on_program(PROGRAM) == Some(A)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_to_somebody_who_is_not_there_shows_the_slate_until_they_come() {
    let stage = Stage::open().await;
    stage.media.stand_by(PROGRAM, words(Standing::Moment));
    stage.media.cut(PROGRAM, Some(A));
    let _first = stage.live("key-a", "640x360");
    stage.until("the first is on", |stage| stage.joins() == 1).await;
    stage.media.cut(PROGRAM, Some(B));
    stage.until("the slate", |stage| stage.joins() == 2).await;
    assert_eq!(stage.media.on_program(PROGRAM), None);
    let _second = stage.live("key-b", "320x180");
    stage.until("the second is on", |stage| stage.joins() == 3).await;
    assert_eq!(stage.media.on_program(PROGRAM), Some(B));
}
