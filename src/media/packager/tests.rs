use super::*;
use crate::media::{Directives, Lower, Media, ProgramId, Settings, SourceId};
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
    Frame { track, pts: ticks, dts: ticks, keyframe, data: Bytes::from_static(b"data"), lower: Vec::new() }
}

/// A source of 25 pictures a second, and sound, for `length_ms` from `from_ms` on its own clock.
fn feed(packager: &mut Packager, from_ms: i64, length_ms: i64, keyframe_ms: i64, out: &mut Vec<Cut>) {
    let (video, audio) = (video_config(30), AudioConfig::silent());
    packager.join(&video, &[], Some(&audio), &frame(Track::Video, from_ms, true), START_MS, out);
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

/// A segment put together again.
#[derive(Debug)]
struct Segment {
    start: Start,
    parts: Vec<Part>,
    end: End,
}

fn segments(cuts: &[Cut]) -> Vec<Segment> {
    let mut whole = Vec::new();
    let mut open: Option<(Start, Vec<Part>)> = None;
    for cut in cuts.iter().cloned() {
        match cut {
            Cut::Start(start) => assert!(open.replace((start, Vec::new())).is_none(), "a start within a segment"),
            Cut::Part(part) => open.as_mut().unwrap().1.push(part),
            Cut::End(end) => {
                let (start, parts) = open.take().unwrap();
                assert_eq!(parts.iter().map(|part| part.ticks).sum::<i64>(), end.ticks);
                whole.push(Segment { start, parts, end });
            }
        }
    }
    whole
}

/// The decode time of a fragment's given track.
fn decode_time(bytes: &[u8], track: u32) -> Option<u64> {
    let at = bytes.windows(12).position(|window| &window[..4] == b"tfhd" && window[8..12] == track.to_be_bytes())?;
    Some(u64::from_be_bytes(bytes[at + 24..at + 32].try_into().unwrap()))
}

fn all_parts(segments: &[Segment]) -> impl Iterator<Item = &Part> {
    segments.iter().flat_map(|segment| &segment.parts)
}

#[test]
fn a_join_comes_after_the_last_picture_that_is_shown() {
    let (mut packager, mut out) = (Packager::default(), Vec::new());
    let reordered = |dts, pts, keyframe| {
        let (dts, pts) = (dts * Frame::TICKS_PER_MS, pts * Frame::TICKS_PER_MS);
        Frame { pts, dts, ..frame(Track::Video, 0, keyframe) }
    };
    packager.join(&video_config(30), &[], None, &reordered(0, 0, true), START_MS, &mut out);
    // The second is decoded early and shown last.
    for (dts, pts) in [(40, 160), (80, 80), (120, 120)] {
        packager.push(&reordered(dts, pts, false), START_MS, &mut out);
    }
    packager.join(&video_config(31), &[], None, &frame(Track::Video, 0, true), START_MS, &mut out);
    packager.leave(&mut out);
    let starts: Vec<i64> = segments(&out).iter().map(|segment| segment.start.at).collect();
    assert_eq!(starts[1] - starts[0], 200 * Frame::TICKS_PER_MS);
}

#[test]
fn a_feed_is_decoded_from_where_its_first_picture_is_shown() {
    let (mut packager, mut out) = (Packager::default(), Vec::new());
    feed(&mut packager, 0, 1_000, 1_000, &mut out);
    let reordered = |at: i64, early: i64| {
        let frame = frame(Track::Video, at, at == 0);
        Frame { dts: frame.dts - early * Frame::TICKS_PER_MS, ..frame }
    };
    packager.join(&video_config(31), &[], None, &reordered(0, 80), START_MS, &mut out);
    for at in [120, 40, 80] {
        packager.push(&reordered(at, 80), START_MS, &mut out);
    }
    packager.leave(&mut out);
    let segments = segments(&out);
    let start = segments.iter().find(|segment| segment.start.discontinuity).unwrap().start.at;
    let before: i64 =
        segments.iter().take_while(|segment| segment.start.at < start).map(|segment| segment.end.ticks).sum();
    assert!(
        (0..1_920).contains(&(start - segments[0].start.at - before)),
        "nothing but the rest of a sound lies between"
    );
}

#[test]
fn lower_qualities_are_cut_where_the_best_is() {
    let (mut packager, mut out) = (Packager::default(), Vec::new());
    let with = |at: i64, keyframe: bool| {
        let frame = frame(Track::Video, at, keyframe);
        let lower = Lower { layer: 0, pts: frame.pts, dts: frame.dts, keyframe, data: Bytes::from_static(b"lower") };
        // The encoder left out every third of the lower ones.
        let lower = if at % 120 == 80 { vec![] } else { vec![lower] };
        Frame { lower, ..frame }
    };
    packager.join(&video_config(30), &[video_config(20)], None, &with(0, true), START_MS, &mut out);
    for at in 1..=100 {
        packager.push(&with(at * 40, at * 40 % 2_400 == 0), START_MS + at * 40, &mut out);
    }
    packager.leave(&mut out);
    let segments = segments(&out);
    let init = segments[0].start.init.as_ref().unwrap();
    assert_eq!(init.lower, [(fmp4::init(&video_config(20), &AudioConfig::silent()), video_config(20))]);
    assert!(segments.iter().skip(1).all(|segment| segment.start.init.is_none()));
    for segment in &segments {
        let first = &segment.parts[0];
        assert_eq!(decode_time(&first.lower[0], VIDEO_TRACK), decode_time(&first.bytes, VIDEO_TRACK), "one start");
    }
    let count = |bytes: &[u8], word: &[u8]| bytes.windows(word.len()).filter(|window| *window == word).count();
    let written: usize = all_parts(&segments).map(|part| count(&part.lower[0], b"lower")).sum();
    assert_eq!(written, 101 - 33);
    assert!(all_parts(&segments).all(|part| part.lower.len() == 1 && count(&part.lower[0], b"soun") == 0));
}

#[test]
fn one_second_keyframes_give_segments_of_two() {
    let (mut packager, mut out) = (Packager::default(), Vec::new());
    feed(&mut packager, 5_000_000, 10_000, 1_000, &mut out);
    let segments = segments(&out);
    assert_eq!(segments.len(), 4);
    let plain =
        |segment: &Segment| segment.end.ticks == 180_000 && segment.start.independent && !segment.start.discontinuity;
    assert!(segments.iter().all(plain));
    assert_eq!(segments.iter().filter(|segment| segment.start.init.is_some()).count(), 1);
    assert_eq!(segments[3].start.date_ms, START_MS + 6_000);
    assert!(all_parts(&segments).all(|part| part.ticks == PART_TICKS));
    let independent: Vec<bool> = segments[3].parts.iter().map(|part| part.independent).collect();
    assert_eq!(independent, [true, false, false, true, false, false], "a player may begin at either keyframe");
    // The fifth segment is on its way: its parts are there before it is whole.
    assert_eq!(out.iter().rev().take_while(|cut| !matches!(cut, Cut::End(_))).count(), 6);
}

#[test]
fn rare_keyframes_never_exceed_the_target() {
    let (mut packager, mut out) = (Packager::default(), Vec::new());
    feed(&mut packager, 0, 30_000, 8_000, &mut out);
    let segments = segments(&out);
    assert!(segments.iter().all(|segment| segment.end.ticks <= SEGMENT_TICKS_MAX), "{segments:?}");
    assert_eq!(segments.iter().filter(|segment| segment.start.independent).count(), 4);
    assert!(all_parts(&segments).all(|part| part.ticks <= PART_TICKS_MAX));
}

#[test]
fn parts_are_equally_long_whatever_the_picture_rate() {
    for rate in [4, 5, 8, 10, 12, 15, 24, 25, 30, 50, 60, 120] {
        let (mut packager, mut out) = (Packager::default(), Vec::new());
        let at = |picture: i64| frame(Track::Video, picture * 1_000 / rate, picture % (2 * rate) == 0);
        packager.join(&video_config(30), &[], None, &at(0), START_MS, &mut out);
        (1..rate * 10).for_each(|picture| packager.push(&at(picture), START_MS, &mut out));
        for segment in &segments(&out) {
            let (last, others) = segment.parts.split_last().unwrap();
            assert!(last.ticks <= PART_TICKS_MAX && others.iter().all(|part| part.ticks == PART_TICKS), "{segment:?}");
        }
    }
}

#[test]
fn a_picture_that_stands_still_lasts_through_parts_of_sound() {
    let (mut packager, mut out) = (Packager::default(), Vec::new());
    let at = |ms| frame(Track::Video, ms, ms == 0);
    packager.join(&video_config(30), &[], None, &at(0), START_MS, &mut out);
    [40, 80, 980, 1_020, 1_060].iter().for_each(|ms| packager.push(&at(*ms), START_MS, &mut out));
    packager.leave(&mut out);
    let segments = segments(&out);
    let told: Vec<(i64, bool)> =
        all_parts(&segments).map(|part| (part.ticks, decode_time(&part.bytes, VIDEO_TRACK).is_some())).collect();
    assert_eq!(told, [(30_000, true), (30_000, false), (30_000, true), (9_840, true)]);
    let times: Vec<u64> = all_parts(&segments).filter_map(|part| decode_time(&part.bytes, VIDEO_TRACK)).collect();
    let first = u64::try_from(FIRST_TICK).unwrap();
    assert_eq!(times, [first, first + 88_200, first + 91_800]);
}

#[test]
fn a_join_goes_on_where_the_last_ended() {
    let (mut packager, mut out) = (Packager::default(), Vec::new());
    feed(&mut packager, 777_000, 3_400, 1_000, &mut out);
    let before = segments(&out).len();
    feed(&mut packager, 12, 3_000, 1_000, &mut out);
    packager.leave(&mut out);
    let segments = segments(&out);
    // The one that grew when the other joined comes between.
    let joined = &segments[before + 1].start;
    assert!(joined.discontinuity && joined.init.is_none(), "same configuration, same map");
    assert_eq!(segments.iter().filter(|segment| segment.start.discontinuity).count(), 1);
    for track in [VIDEO_TRACK, AUDIO_TRACK] {
        let times: Vec<u64> = all_parts(&segments).filter_map(|part| decode_time(&part.bytes, track)).collect();
        // Sound comes in steps of 21 ms, so that a part of one picture may have none.
        assert!(times.len() > segments.len() * 2 && times.is_sorted_by(|a, b| a < b), "{times:?}");
    }
}

#[test]
fn a_source_without_sound_gets_silence() {
    let (mut packager, mut out) = (Packager::default(), Vec::new());
    packager.join(&video_config(30), &[], None, &frame(Track::Video, 0, true), START_MS, &mut out);
    for ms in 1..100 {
        packager.push(&frame(Track::Video, ms * 40, ms % 25 == 0), START_MS, &mut out);
    }
    assert!(all_parts(&segments(&out)).all(|part| decode_time(&part.bytes, AUDIO_TRACK).is_some()));
}

#[test]
fn the_sound_alone_is_the_segments_sound() {
    let (mut packager, mut out) = (Packager::default(), Vec::new());
    feed(&mut packager, 0, 5_000, 1_000, &mut out);
    let segments = segments(&out);
    assert!(!segments.is_empty());
    for segment in segments {
        let sound = |bytes: &[u8]| decode_time(bytes, AUDIO_TRACK);
        assert_eq!(sound(&segment.end.sound), sound(&segment.parts[0].bytes));
        assert_eq!(decode_time(&segment.end.sound, VIDEO_TRACK), None);
    }
}

proptest! {
    /// Whatever an encoder's clock does, the playlist keeps its promises.
    #[test]
    fn any_timestamps_keep_the_target(
        steps in prop::collection::vec((any::<bool>(), -3_000_i64..6_000, any::<bool>(), -9_000_i64..9_000), 1..300)
    ) {
        let now = Arc::new(AtomicI64::new(START_MS));
        let clock = now.clone();
        let media = Media::new(Settings { now_ms: Arc::new(move || clock.load(Ordering::Relaxed)), ..Settings::default() });
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
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let origin = media.program(program).unwrap();
        if let Ok(list) = runtime.block_on(origin.file("video.m3u8", Directives::default())) {
            let text = String::from_utf8(list.bytes.to_vec()).unwrap();
            for line in text.lines().filter_map(|line| line.strip_prefix("#EXTINF:")) {
                let seconds: f64 = line.trim_end_matches(',').parse().unwrap();
                prop_assert!(seconds < 2.5, "{}", text);
            }
            for line in text.lines().filter_map(|line| line.strip_prefix("#EXT-X-PART:DURATION=")) {
                let seconds: f64 = line.split(',').next().unwrap().parse().unwrap();
                prop_assert!(seconds <= 0.35, "{}", text);
            }
        }
    }
}

/// Where each track's samples lie in a part, in the track's own ticks: from, until.
fn spans(part: &Part) -> Vec<(u32, u64, u64)> {
    let bytes = &part.bytes;
    let at32 = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let truns = bytes.windows(4).enumerate().filter(|(_, name)| *name == b"trun").map(|(at, _)| at);
    let tracks: Vec<u32> =
        [VIDEO_TRACK, AUDIO_TRACK].into_iter().filter(|track| decode_time(bytes, *track).is_some()).collect();
    tracks
        .into_iter()
        .zip(truns)
        .map(|(track, trun)| {
            let count = usize::try_from(at32(trun + 8)).unwrap();
            let length: u64 = (0..count).map(|index| u64::from(at32(trun + 16 + index * 16))).sum();
            let from = decode_time(bytes, track).unwrap();
            (track, from, from + length)
        })
        .collect()
}

proptest! {
    /// Whatever a source's sound does, and whenever it is cut: no track has a hole that a player stands still at.
    #[test]
    fn no_track_has_a_hole(feeds in prop::collection::vec((20_i64..4_000, -900_i64..300, 0_i64..6, any::<bool>(), 0_i64..21), 1..5)) {
        let (mut packager, mut out) = (Packager::default(), Vec::new());
        for (length_ms, sound_ahead_ms, missing, mono, phase_ms) in feeds {
            let asc: &'static [u8] = if mono { &[0x11, 0x88] } else { &[0x11, 0x90] };
            let audio = AudioConfig::parse(&Bytes::from_static(asc)).unwrap();
            packager.join(&video_config(30), &[], Some(&audio), &frame(Track::Video, 0, true), START_MS, &mut out);
            let mut sound = -960 + phase_ms * 3;
            for picture in (40..length_ms).step_by(40) {
                while sound < (picture + sound_ahead_ms) * 3 {
                    // In some seconds nothing is said, and no sound sent.
                    if sound / 3_000 % 6 != missing {
                        packager.push(&frame(Track::Audio, sound / 3, true), START_MS + picture, &mut out);
                    }
                    sound += 64;
                }
                packager.push(&frame(Track::Video, picture, picture % 1_000 == 0), START_MS + picture, &mut out);
            }
        }
        packager.leave(&mut out);
        let mut ends: [Option<u64>; 2] = [None, None];
        for (track, from, until) in all_parts(&segments(&out)).flat_map(spans) {
            let end = if track == VIDEO_TRACK { &mut ends[0] } else { &mut ends[1] };
            if let Some(end) = end {
                prop_assert!(from.abs_diff(*end) <= 2, "{track}: {end} and then {from}");
            }
            *end = Some(until);
        }
        let (seen, heard) = (ends[0].unwrap() / 90, ends[1].unwrap() / 48);
        prop_assert!(heard.abs_diff(seen) <= 1, "pictures end at {seen} ms and sound at {heard} ms");
    }
}
