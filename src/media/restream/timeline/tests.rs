use super::*;
use crate::media::codec::aac::SILENT_STEREO_FRAME;
use proptest::prelude::*;

const SECOND: i64 = 90_000;

fn video(width: u32) -> VideoConfig {
    VideoConfig { avcc: Bytes::from(format!("avcc {width}")), width, height: width * 9 / 16 }
}

fn audio(sample_rate: u32, channels: u16) -> AudioConfig {
    AudioConfig { asc: Bytes::from(format!("asc {sample_rate} {channels}")), sample_rate, channels, object_type: 2 }
}

fn frame(track: Track, at: i64, keyframe: bool) -> Frame {
    let data = Bytes::from_static(if track == Track::Video { b"picture" } else { b"sound" });
    Frame { track, pts: at, dts: at, keyframe, data, lower: Vec::new() }
}

#[derive(Default)]
struct Stream {
    timeline: Timeline,
    messages: Vec<Message>,
}

impl Stream {
    /// Plays a feed of 25 pictures a second whose clock begins at `clock`, after the stream's `at`.
    fn play(&mut self, width: u32, sound: Option<&AudioConfig>, clock: i64, at: i64, length: i64) {
        self.timeline.join(video(width), sound.cloned(), at);
        let mut heard = clock;
        for picture in 0..length / 3_600 {
            let dts = clock + picture * 3_600;
            self.timeline.push(&frame(Track::Video, dts, picture % 25 == 0), &mut self.messages);
            while let Some(sound) = sound.filter(|_| heard < dts + 3_600) {
                self.timeline.push(&frame(Track::Audio, heard, true), &mut self.messages);
                heard += 1_024 * SECOND / i64::from(sound.sample_rate);
            }
        }
    }

    fn of(&self, kind: u8, code: u8) -> Vec<&Message> {
        self.messages.iter().filter(|message| message.kind == kind && message.head.get(1) == Some(&code)).collect()
    }

    /// Sees that both tracks rise, pictures without a step of more than `gap` ms and sound without any hole.
    fn rises(&self, gap: u32) {
        let pictures: Vec<u32> = self.of(chunk::VIDEO, 1).iter().map(|message| message.timestamp).collect();
        assert!(pictures.windows(2).all(|pair| pair[0] < pair[1] && pair[1] - pair[0] <= gap), "{pictures:?}");
        let sounds: Vec<u32> = self.of(chunk::AUDIO, 1).iter().map(|message| message.timestamp).collect();
        assert!(sounds.windows(2).all(|pair| pair[0] < pair[1] && pair[1] - pair[0] <= 47), "{sounds:?}");
        assert!(sounds[0] <= 60 && sounds.last().unwrap() + 60 >= *pictures.last().unwrap(), "{sounds:?}");
    }
}

#[test]
fn feeds_of_any_clock_become_one_line_with_sound_throughout() {
    let mut stream = Stream::default();
    let (mono, stereo) = (audio(44_100, 1), audio(48_000, 2));
    stream.play(1280, None, 0, 0, 3 * SECOND);
    stream.play(640, Some(&mono), 900 * SECOND, 3 * SECOND, 4 * SECOND);
    // It has gone for two seconds before the slate came.
    stream.play(1280, None, 0, 9 * SECOND, 2 * SECOND);
    // Its clock is behind the other's, and what passed is less than what was sent.
    stream.play(320, Some(&stereo), -5 * SECOND, 10 * SECOND, 2 * SECOND);
    stream.rises(2_100);
    let widths: Vec<String> =
        stream.of(chunk::VIDEO, 0).iter().map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect();
    assert_eq!(widths, ["avcc 1280", "avcc 640", "avcc 1280", "avcc 320"]);
    let sounds: Vec<&[u8]> = stream.of(chunk::AUDIO, 0).iter().map(|message| &message.body[..]).collect();
    assert_eq!(sounds, [&[0x11, 0x90][..], b"asc 44100 1", b"asc 48000 2"], "a slate sounds as whoever was on before");
    let data = stream.messages.iter().filter(|message| message.kind == chunk::DATA).count();
    assert_eq!(data, 4);
    assert_eq!(stream.of(chunk::VIDEO, 1)[0].timestamp, 0);
}

#[test]
fn sound_that_stays_out_is_silence_and_comes_back() {
    let mut stream = Stream::default();
    let stereo = audio(48_000, 2);
    stream.timeline.join(video(640), Some(stereo.clone()), 0);
    for picture in 0..250_i64 {
        stream.timeline.push(&frame(Track::Video, picture * 3_600, picture % 25 == 0), &mut stream.messages);
        if !(50..150).contains(&picture) {
            for half in [0, 1_920] {
                stream.timeline.push(&frame(Track::Audio, picture * 3_600 + half, true), &mut stream.messages);
            }
        }
    }
    stream.rises(40);
    let silent = stream.of(chunk::AUDIO, 1).iter().filter(|message| message.body == SILENT_STEREO_FRAME).count();
    assert!((180..195).contains(&silent), "{silent} frames of silence for four seconds");
}

#[test]
fn sound_that_can_not_be_imitated_gives_way_to_stereo() {
    let mut stream = Stream::default();
    stream.play(640, Some(&audio(48_000, 6)), 0, 0, SECOND);
    stream.play(1280, None, 0, SECOND, SECOND);
    stream.rises(60);
    assert_eq!(stream.of(chunk::AUDIO, 0).last().unwrap().body, AudioConfig::silent().asc);
}

#[test]
fn an_hour_of_nothing_is_not_made_up_for() {
    let mut stream = Stream::default();
    stream.play(640, None, 0, 0, SECOND);
    let before = stream.messages.len();
    stream.play(640, None, 0, 3_600 * SECOND, SECOND);
    assert!(stream.messages.len() < before * 2 + 10);
}

#[test]
fn reordered_pictures_keep_their_offset_and_the_clock_wraps() {
    let mut timeline = Timeline::default();
    let mut out = Vec::new();
    timeline.join(video(640), None, i64::from(u32::MAX) * 90);
    let mut first = frame(Track::Video, 7 * SECOND, true);
    first.pts += 80 * 90;
    timeline.push(&first, &mut out);
    timeline.push(&frame(Track::Video, 7 * SECOND + 3_600, false), &mut out);
    let pictures: Vec<&Message> =
        out.iter().filter(|message| message.kind == chunk::VIDEO && message.head[1] == 1).collect();
    assert_eq!((pictures[0].timestamp, &pictures[0].head[..]), (u32::MAX, &[0x17, 1, 0, 0, 80][..]));
    assert_eq!((pictures[1].timestamp, &pictures[1].head[..]), (39, &[0x27, 1, 0, 0, 0][..]));
    // Whoever is cut to is shown after the last of them, though it is decoded before.
    timeline.join(video(320), None, i64::from(u32::MAX) * 90 + 50 * 90);
    timeline.push(&frame(Track::Video, 0, true), &mut out);
    assert_eq!(out.last().unwrap().timestamp, 179);
}

#[test]
fn what_it_says_of_itself_can_be_read() {
    let about = about(&video(1280), &AudioConfig::silent());
    let values = amf::read(&about).unwrap();
    assert_eq!(values[1].text(), Some("onMetaData"));
    assert_eq!(values[2].member("width"), Some(&Value::Number(1280.0)));
    assert_eq!(values[2].member("encoder").and_then(Value::text), Some("Groundswell"));
}

proptest! {
    /// Whatever a source's clocks do, neither track of the stream steps back.
    #[test]
    fn any_frames_make_a_line_that_rises(
        steps in prop::collection::vec((any::<bool>(), -200_000_i64..400_000, 0_u8..20), 1..200),
    ) {
        let mut stream = Stream::default();
        let (mut at, mut passed) = (0_i64, 0_i64);
        stream.timeline.join(video(640), Some(audio(44_100, 2)), 0);
        for (is_video, step, joins) in steps {
            passed += step.abs();
            if joins == 0 {
                stream.timeline.join(video(640), (step > 0).then(|| audio(48_000, 1)), passed);
            }
            at += if is_video { step.max(1) } else { step };
            let track = if is_video { Track::Video } else { Track::Audio };
            stream.timeline.push(&frame(track, at, true), &mut stream.messages);
        }
        for kind in [chunk::VIDEO, chunk::AUDIO] {
            let times: Vec<u32> = stream.of(kind, 1).iter().map(|message| message.timestamp).collect();
            prop_assert!(times.is_sorted(), "{kind}: {times:?}");
        }
    }
}
