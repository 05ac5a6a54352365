use super::*;
use crate::media::fmp4::Sample;
use crate::media::fmp4::read::Piece;
use crate::media::recording::{Finished, Recordings};
use crate::media::{Init as Config, ProgramId, SourceId};
use proptest::prelude::*;
use uuid::Uuid;

const PROGRAM: ProgramId = ProgramId(Uuid::from_u128(7));
const SECOND: i64 = 90_000;

/// What a feed sends.
#[derive(Clone)]
struct Feed {
    source: u128,
    width: u32,
    /// Of the sound.
    hertz: u32,
    channels: u16,
    /// Whether pictures are shown in another order than they are decoded in.
    reordered: bool,
    /// Whether its first picture is decoded when it is shown, and others later than they are.
    late: bool,
}

const PLAIN: Feed = Feed { source: 1, width: 1_280, hertz: 48_000, channels: 2, reordered: false, late: false };
const SMALL: Feed = Feed { source: 2, width: 640, hertz: 44_100, channels: 1, reordered: true, late: false };

/// Lengths of two bytes, one SPS, one PPS; both name the width.
fn avcc(width: u32) -> Bytes {
    let [high, low] = u16::try_from(width).unwrap().to_be_bytes();
    vec![1, 0x64, 0, 0x1f, 0xfd, 0xe1, 0, 3, 0x67, high, low, 1, 0, 3, 0x68, high, low].into()
}

impl Feed {
    fn audio(&self) -> AudioConfig {
        let asc: &[u8] = match (self.hertz, self.channels) {
            (48_000, 2) => &[0x11, 0x90],
            (44_100, 1) => &[0x12, 0x08],
            (48_000, 6) => &[0x11, 0xb0],
            other => panic!("{other:?}"),
        };
        AudioConfig::parse(&Bytes::copy_from_slice(asc)).unwrap()
    }

    /// Two seconds from `at` on the program's clock: a keyframe a second, 25 pictures.
    fn segment(&self, msn: u64, init: u64, at: i64, discontinuity: bool) -> Finished {
        let late = if self.late { 3_600 } else { 0 };
        // Every picture and sound says when it was shown or heard.
        let picture = |n: i64| {
            let order = match n % 25 {
                0 => 1,
                odd if odd % 2 == 1 => 2,
                _ => 0,
            };
            let order = if self.reordered { order * 3_600 } else { 0 };
            let keyframe = n % 25 == 0;
            let unit = [&[0, 9, if keyframe { 0x65 } else { 0x41 }][..], &(at + n * 3_600 + order).to_be_bytes()];
            let offset = i32::try_from(order - late).unwrap();
            Sample { duration: 3_600, offset, keyframe, data: unit.concat().into() }
        };
        let pictures: Vec<Sample> = (0..50).map(picture).collect();
        let hertz = i64::from(self.hertz);
        let silence = AudioConfig { channels: self.channels.min(2), ..self.audio() }
            .silent_frame()
            .map(Bytes::from_static)
            .unwrap();
        let first = (at * hertz / SECOND).div_euclid(1_024) + 1;
        let last = ((at + 2 * SECOND) * hertz / SECOND).div_euclid(1_024);
        let sound = |n: i64| {
            let data = [&silence[..], &(n * 1_024 * SECOND / hertz).to_be_bytes()].concat().into();
            Sample { duration: 1_024, offset: 0, keyframe: true, data }
        };
        let sounds: Vec<Sample> = (first..=last).map(sound).collect();
        let time = |at: i64| u64::try_from(at).unwrap();
        let bytes = fmp4::fragment(
            1,
            &[
                Run { track: VIDEO_TRACK, decode_time: time(at + late), samples: &pictures },
                Run { track: AUDIO_TRACK, decode_time: time(first * 1_024), samples: &sounds },
            ],
        );
        let video = VideoConfig { avcc: avcc(self.width), width: self.width, height: self.width * 9 / 16 };
        Finished {
            msn,
            init,
            config: Config {
                program: Bytes::new(),
                lower: Vec::new(),
                sound: Bytes::new(),
                video,
                audio: self.audio(),
            },
            source: Some(SourceId(Uuid::from_u128(self.source))),
            date_ms: at / 90,
            at: time(at),
            ticks: time(2 * SECOND),
            discontinuity,
            independent: true,
            bytes,
            sound: Bytes::new(),
        }
    }
}

/// Records feeds one after another, each for so many segments; each begins so many ticks after the one before has ended.
fn recorded(feeds: &[(&Feed, u64, i64)]) -> (tempfile::TempDir, Arc<Shelf>) {
    let dir = tempfile::tempdir().unwrap();
    let recordings = Recordings::open(dir.path(), 1 << 30).unwrap();
    let (mut msn, mut at) = (0, 10 * SECOND);
    for (feed, segments, gap) in feeds {
        at += gap;
        let init = msn;
        for n in 0..*segments {
            recordings.take(PROGRAM, feed.segment(msn, init, at, n == 0));
            at += 2 * SECOND;
            msn += 1;
        }
    }
    recordings.close();
    let shelf = recordings.shelf(PROGRAM).unwrap().unwrap();
    (dir, shelf)
}

fn film(shelf: &Arc<Shelf>, stretch: Stretch) -> Vec<Bytes> {
    shelf.movie(stretch).unwrap().into_iter().flatten().map(Result::unwrap).collect()
}

/// A track's samples with their decode times, of whole fragments that fit each other.
fn track(film: &[Bytes], track: u32) -> Vec<(i64, Sample)> {
    let mut all: Vec<(i64, Sample)> = Vec::new();
    let pieces = film.iter().skip(1).flat_map(read::pieces);
    for Piece { decode_time, samples, .. } in pieces.filter(|piece| piece.track == track) {
        let mut at = i64::try_from(decode_time).unwrap();
        let end = all.last().map_or(at, |(at, sample)| at + i64::from(sample.duration));
        assert_eq!(at, end, "track {track} has a hole or an overlap");
        for sample in samples {
            let next = at + i64::from(sample.duration);
            all.push((at, sample));
            at = next;
        }
    }
    all
}

/// When pictures are shown, in order.
fn shown(pictures: &[(i64, Sample)]) -> Vec<i64> {
    let mut shown: Vec<i64> = pictures.iter().map(|(at, sample)| at + i64::from(sample.offset)).collect();
    shown.sort_unstable();
    shown
}

#[test]
fn one_feed_is_as_it_was_on_a_clock_of_its_own() {
    let (_dir, shelf) = recorded(&[(&PLAIN, 3, 0)]);
    let film = film(&shelf, Stretch::ALL);
    let pictures = track(&film, VIDEO_TRACK);
    assert_eq!(shown(&pictures), (0..150).map(|n| n * 3_600).collect::<Vec<_>>());
    // With lengths of four bytes, and nothing else.
    assert!(pictures.iter().all(|(_, sample)| sample.data.len() == 13 && sample.data.starts_with(&[0, 0, 0, 9])));
    let sounds = track(&film, AUDIO_TRACK);
    assert!(sounds[0].0 < 1_024 && sounds.len() * 1_024 >= 6 * 48_000 - 1_024);
    let part = film_of(&shelf, 12_000, 14_000);
    assert_eq!(shown(&track(&part, VIDEO_TRACK)), (0..50).map(|n| n * 3_600).collect::<Vec<_>>());
    assert!(shelf.movie(Stretch { from_ms: 0, until_ms: 1 }).unwrap().is_none());
}

fn film_of(shelf: &Arc<Shelf>, from_ms: i64, until_ms: i64) -> Vec<Bytes> {
    film(shelf, Stretch { from_ms, until_ms })
}

#[test]
fn feeds_of_all_kinds_are_one_film_without_a_hole() {
    let (_dir, shelf) = recorded(&[(&PLAIN, 2, 0), (&SMALL, 2, 0), (&PLAIN, 1, 90_000_000), (&SMALL, 1, 777)]);
    let film = film(&shelf, Stretch::ALL);
    let pictures = track(&film, VIDEO_TRACK);
    assert_eq!(shown(&pictures), (1..=300).map(|n| n * 3_600).collect::<Vec<_>>());
    assert!(pictures.windows(2).all(|pair| pair[0].0 < pair[1].0), "decoded in a rising order");
    assert!(pictures.iter().all(|(_, sample)| sample.offset >= 0));
    // Each keyframe brings its own sets along.
    for (at, (_, sample)) in pictures.iter().enumerate().filter(|(_, (_, sample))| sample.keyframe) {
        let width = if (100..200).contains(&at) || at >= 250 { 640_u16 } else { 1_280 };
        let [high, low] = width.to_be_bytes();
        let begins = [0, 0, 0, 3, 0x67, high, low, 0, 0, 0, 3, 0x68, high, low, 0, 0, 0, 9, 0x65];
        assert!(sample.data.starts_with(&begins), "{:?}", sample.data);
    }
    // Each fragment names its entry in the head: where it is not the first, `tfhd` has a number more.
    let head = &film[0];
    assert_eq!(head.windows(4).filter(|window| *window == b"avc1").count(), 2);
    let flags: Vec<u8> = film.iter().skip(1).map(|bytes| bytes[43]).collect();
    assert_eq!(flags, [0, 0, 2, 2, 0, 2]);
    let sounds = track(&film, AUDIO_TRACK);
    let length = sounds.len() * 1_024;
    assert!((12 * 48_000 - 2_048..=12 * 48_000 + 4_096).contains(&length), "{length} samples");
    assert_eq!(shelf.shape().unwrap(), Shape { sizes: true, sound: true, silent: vec![], length_ms: 12_000 });
}

#[test]
fn what_can_not_be_decoded_is_left_out() {
    let (_dir, shelf) = recorded(&[(&PLAIN, 1, 0), (&PLAIN, 1, 0)]);
    let mut pictures = Pictures::new(0);
    let late = Sample { duration: 3_600, offset: 0, keyframe: false, data: Bytes::from_static(b"\0\x01\x41") };
    let keyframe = Sample { keyframe: true, ..late.clone() };
    let piece = Piece { track: VIDEO_TRACK, decode_time: 900, samples: vec![late.clone(), keyframe, late] };
    let look = Look::new(&shelf.reel(Stretch::ALL).1[&0].0, 0, false);
    let (at, taken) = pictures.take([&piece].into_iter(), &look);
    assert_eq!((at, taken.len(), pictures.end()), (0, 2, 7_200));
}

#[test]
fn sound_that_can_not_be_made_into_the_films_is_silent_and_said() {
    let six = Feed { source: 3, channels: 6, ..PLAIN };
    let (_dir, shelf) = recorded(&[(&PLAIN, 1, 0), (&six, 2, 0), (&PLAIN, 1, 0)]);
    let film = film(&shelf, Stretch::ALL);
    assert!(track(&film, AUDIO_TRACK).len() * 1_024 >= 8 * 48_000 - 2_048);
    // A player that finds no sound beside the pictures waits for it.
    let sounds = |bytes: &Bytes| read::pieces(bytes).iter().any(|piece| piece.track == AUDIO_TRACK);
    assert!(film.iter().skip(1).all(sounds));
    assert_eq!(shelf.shape().unwrap().silent, ["AAC 48 kHz 6 channels"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn picture_and_sound_stay_in_step_however_often_feeds_change(
        joins in prop::collection::vec((0_usize..4, 1_u64..3, 3_600_i64..9_000), 1..14)
    ) {
        let kinds = [PLAIN, SMALL, Feed { source: 4, reordered: true, ..PLAIN }, Feed { source: 5, late: true, ..SMALL }];
        let feeds: Vec<_> = joins.iter().map(|(kind, segments, gap)| (&kinds[*kind], *segments, *gap)).collect();
        let (_dir, shelf) = recorded(&feeds);
        let film = film(&shelf, Stretch::ALL);
        prop_assert!(track(&film, VIDEO_TRACK).iter().all(|(_, sample)| sample.offset >= 0), "shown before it is decoded");
        let same = joins.iter().all(|(kind, ..)| kind % 2 == 1);
        let hertz = if same { 44_100 } else { 48_000 };
        // What a picture or a sound says of itself, and when it comes in the film.
        let said = |data: &[u8]| data.last_chunk().map_or(0, |at| i64::from_be_bytes(*at));
        let mut pictures: Vec<(i64, i64)> = track(&film, VIDEO_TRACK)
            .iter()
            .map(|(at, sample)| (said(&sample.data), at + i64::from(sample.offset)))
            .collect();
        pictures.sort_unstable();
        prop_assert!(pictures.windows(2).all(|pair| pair[1].1 - pair[0].1 == 3_600), "{:?}", pictures);
        let (mut copied, sounds) = (0, track(&film, AUDIO_TRACK));
        for (at, sample) in &sounds {
            let (said, at) = (said(&sample.data), at * SECOND / hertz);
            // What was made, and silence between, says nothing.
            let seen = pictures.iter().rev().find(|(shown, _)| *shown <= said && said < shown + 3_600);
            if sample.data.len() > 12 && let Some((shown, film)) = seen {
                copied += 1;
                prop_assert!((at - film - (said - shown)).abs() <= SECOND / 80, "{said} is heard at {at}, {shown} seen at {film}");
            }
        }
        prop_assert!(copied > 0 || joins.iter().all(|(kind, ..)| kind % 2 == 1));
        let ends = |track: &[(i64, Sample)]| track.last().map_or(0, |(at, sample)| at + i64::from(sample.duration));
        let off = ends(&sounds) * SECOND / hertz - pictures.last().map_or(0, |(_, at)| at + 3_600);
        // The last sound may begin just before the last picture ends, and be as far from its place as any.
        let last = 1_024 * SECOND / hertz + SECOND / 80;
        prop_assert!(off.abs() <= last, "the sound ends {off} ticks after the pictures");
    }
}
