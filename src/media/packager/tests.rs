use super::*;
use crate::media::{Media, ProgramId, Settings, SourceId};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use uuid::Uuid;

const START_MS: i64 = 1_800_000_000_000;

fn video_config(level: u8) -> VideoConfig {
    VideoConfig { avcc: Bytes::from(vec![1, 66, 192, level]), width: 640, height: 360 }
}

fn frame(track: Track, ms: i64, keyframe: bool) -> Frame {
    let ticks = ms * Frame::TICKS_PER_MS;
    Frame { track, pts: ticks, dts: ticks, keyframe, data: Bytes::from_static(b"data") }
}

/// A source of 25 pictures a second, and sound, for `length_ms` from `from_ms` on its own clock.
fn feed(packager: &mut Packager, from_ms: i64, length_ms: i64, keyframe_ms: i64, out: &mut Vec<Segment>) {
    let (video, audio) = (video_config(30), AudioConfig::silent());
    packager.join(&video, Some(&audio), &frame(Track::Video, from_ms, true), START_MS, out);
    let (mut picture, mut sound) = (40, 0);
    while picture < length_ms {
        while sound < picture * 3 {
            packager.push(&frame(Track::Audio, from_ms + sound / 3, true), START_MS + picture, out);
            sound += 64;
        }
        packager.push(&frame(Track::Video, from_ms + picture, picture % keyframe_ms == 0), START_MS + picture, out);
        picture += 40;
    }
}

/// The decode time of a fragment's given track.
fn decode_time(segment: &Segment, track: u32) -> Option<u64> {
    let bytes = &segment.bytes;
    let at = bytes.windows(12).position(|window| &window[..4] == b"tfhd" && window[8..12] == track.to_be_bytes())?;
    Some(u64::from_be_bytes(bytes[at + 24..at + 32].try_into().unwrap()))
}

#[test]
fn one_second_keyframes_give_one_second_segments() {
    let (mut packager, mut out) = (Packager::default(), Vec::new());
    feed(&mut packager, 5_000_000, 10_000, 1_000, &mut out);
    assert_eq!(out.len(), 9);
    assert!(out.iter().all(|segment| segment.duration_ms == 1_000 && segment.independent && !segment.discontinuity));
    assert_eq!(out.iter().filter(|segment| segment.init.is_some()).count(), 1);
    assert_eq!(out[8].date_ms, START_MS + 8_000);
}

#[test]
fn rare_keyframes_never_exceed_the_target() {
    let (mut packager, mut out) = (Packager::default(), Vec::new());
    feed(&mut packager, 0, 30_000, 8_000, &mut out);
    assert!(out.iter().all(|segment| segment.duration_ms <= 2_499), "{out:?}");
    assert_eq!(out.iter().filter(|segment| segment.independent).count(), 4);
}

#[test]
fn a_join_goes_on_where_the_last_ended() {
    let (mut packager, mut out) = (Packager::default(), Vec::new());
    feed(&mut packager, 777_000, 3_400, 1_000, &mut out);
    let before = out.len();
    feed(&mut packager, 12, 3_000, 1_000, &mut out);
    packager.leave(&mut out);
    assert!(out[before + 1].discontinuity && out[before + 1].init.is_none(), "same configuration, same map");
    assert_eq!(out.iter().filter(|segment| segment.discontinuity).count(), 1);
    for track in [VIDEO_TRACK, AUDIO_TRACK] {
        let times: Vec<u64> = out.iter().filter_map(|segment| decode_time(segment, track)).collect();
        assert!(times.len() == out.len() && times.is_sorted_by(|a, b| a < b), "{times:?}");
    }
}

#[test]
fn a_source_without_sound_gets_silence() {
    let (mut packager, mut out) = (Packager::default(), Vec::new());
    packager.join(&video_config(30), None, &frame(Track::Video, 0, true), START_MS, &mut out);
    for ms in 1..100 {
        packager.push(&frame(Track::Video, ms * 40, ms % 25 == 0), START_MS, &mut out);
    }
    assert!(out.iter().all(|segment| decode_time(segment, AUDIO_TRACK).is_some()));
}

proptest! {
    /// Whatever an encoder's clock does, the playlist keeps its promises.
    #[test]
    fn any_timestamps_keep_the_target(
        steps in prop::collection::vec((any::<bool>(), -3_000_i64..6_000, any::<bool>(), -9_000_i64..9_000), 1..300)
    ) {
        let now = Arc::new(AtomicI64::new(START_MS));
        let clock = now.clone();
        let media = Media::new(Settings { now_ms: Arc::new(move || clock.load(Ordering::Relaxed)) });
        let (program, source) = (ProgramId(Uuid::from_u128(1)), SourceId(Uuid::from_u128(2)));
        media.cut(program, Some(source));
        let mut feed = media.attach(source).unwrap();
        feed.set_video(video_config(30));
        feed.set_audio(AudioConfig::silent());
        let mut ms = 0;
        for (video, step, keyframe, offset) in steps {
            ms += step;
            now.fetch_add(40, Ordering::Relaxed);
            let mut frame = frame(if video { Track::Video } else { Track::Audio }, ms, keyframe || !video);
            frame.pts += offset * Frame::TICKS_PER_MS;
            feed.push(frame).unwrap();
        }
        drop(feed);
        if let Some(text) = media.playlist(program) {
            let text = String::from_utf8(text.to_vec()).unwrap();
            for line in text.lines().filter_map(|line| line.strip_prefix("#EXTINF:")) {
                let seconds: f64 = line.trim_end_matches(',').parse().unwrap();
                prop_assert!(seconds < 2.5, "{}", text);
            }
        }
    }
}
