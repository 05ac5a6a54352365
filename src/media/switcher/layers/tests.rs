use super::*;
use crate::media::Track;
use bytes::Bytes;
use proptest::prelude::*;

const STEP: i64 = 3_000;

fn config(width: u32) -> VideoConfig {
    VideoConfig { avcc: Bytes::from(width.to_string()), width, height: width / 2 }
}

fn picture(dts: i64, keyframe: bool) -> Frame {
    let data = Bytes::from(dts.to_string());
    Frame { track: Track::Video, pts: dts, dts, keyframe, data, lower: Vec::new() }
}

/// Three qualities, the best first; keyframes each ten pictures.
struct Source {
    layers: Layers,
    out: Vec<Out>,
}

impl Source {
    fn new() -> Self {
        let mut layers = Layers::default();
        for (number, width) in [(0, 1_280), (1, 640), (2, 320)] {
            assert!(layers.set(number, config(width)));
        }
        Self { layers, out: Vec::new() }
    }

    fn send(&mut self, number: u8, dts: i64, keyframe: bool) {
        self.out.extend(self.layers.push(number, picture(dts, keyframe)));
    }

    /// These pictures of these qualities.
    fn play(&mut self, pictures: std::ops::Range<i64>, numbers: &[u8]) {
        for at in pictures {
            for number in numbers {
                self.send(*number, at * STEP, at % 10 == 0);
            }
        }
    }

    fn sets(&self) -> Vec<Vec<u32>> {
        let widths = |out: &Out| match out {
            Out::Set(configs) => Some(configs.iter().map(|config| config.width).collect()),
            Out::Picture(_) => None,
        };
        let mut sets: Vec<Vec<u32>> = self.out.iter().filter_map(widths).collect();
        sets.dedup();
        sets
    }

    fn pictures(&self) -> Vec<&Frame> {
        let pictures = self.out.iter().filter_map(|out| match out {
            Out::Picture(frame) => Some(frame),
            Out::Set(_) => None,
        });
        pictures.collect()
    }
}

#[test]
fn each_picture_comes_with_its_lower_qualities() {
    let mut source = Source::new();
    source.play(0..30, &[0, 1, 2]);
    assert_eq!(source.sets().last(), Some(&vec![1_280, 640, 320]));
    let pictures = source.pictures();
    for frame in pictures.iter().filter(|frame| frame.dts >= 10 * STEP) {
        let lower: Vec<_> = frame.lower.iter().map(|lower| (lower.layer, lower.dts, lower.keyframe)).collect();
        assert_eq!(lower, [(0, frame.dts, frame.keyframe), (1, frame.dts, frame.keyframe)]);
    }
    assert_eq!(pictures.len(), 30, "none is kept back");
}

#[test]
fn whoever_comes_first_and_whatever_clocks_say_to_a_few_milliseconds() {
    let mut source = Source::new();
    for at in 0..40 {
        for (number, off) in [(2, 400), (0, 0), (1, -700)] {
            source.send(number, at * STEP + off, at % 10 == 0);
        }
    }
    assert_eq!(source.sets().last(), Some(&vec![1_280, 640, 320]));
    let last = source.pictures().pop().unwrap().clone();
    assert!(last.lower.iter().all(|lower| lower.dts == last.dts && lower.pts == last.dts), "{last:?}");
    assert!(source.pictures()[1..].windows(2).all(|pair| pair[0].dts < pair[1].dts));
}

#[test]
fn a_lower_one_that_stops_is_left_out_from_the_next_keyframe_on_and_comes_back_later() {
    let mut source = Source::new();
    source.play(0..25, &[0, 1, 2]);
    source.play(25..45, &[0, 1]);
    assert_eq!(source.sets().last(), Some(&vec![1_280, 640]));
    let from = source.sets().len();
    source.play(45..80, &[0, 1, 2]);
    assert_eq!(source.sets().len(), from, "not at once");
    source.play(80..130, &[0, 1, 2]);
    assert_eq!(source.sets().last(), Some(&vec![1_280, 640, 320]));
}

#[test]
fn a_best_one_that_stops_gives_way_to_the_next() {
    let mut source = Source::new();
    source.play(0..25, &[0, 1, 2]);
    source.play(25..80, &[1, 2]);
    assert_eq!(source.sets().last(), Some(&vec![640, 320]));
    let last = source.pictures().pop().unwrap().clone();
    assert!(last.dts >= 78 * STEP, "{last:?}");
    // A picture is told of a new set before one of its pictures.
    let at = source.out.iter().position(|out| *out == Out::Set(vec![config(640)])).unwrap();
    let before = source.out[..at].iter().filter(|out| matches!(out, Out::Picture(_))).count();
    assert_eq!(before, 25);
    source.play(80..150, &[0, 1, 2]);
    assert_eq!(source.sets().last(), Some(&vec![1_280, 640, 320]));
}

#[test]
fn keyframes_out_of_line_are_no_place_to_change_quality() {
    let mut source = Source::new();
    for at in 0..60 {
        source.send(0, at * STEP, at % 10 == 0);
        source.send(1, at * STEP, at % 10 == 5);
    }
    assert!(source.sets().iter().all(|set| set.len() == 1), "{:?}", source.sets());
}

#[test]
fn one_quality_waits_for_nothing() {
    let mut layers = Layers::default();
    assert!(layers.set(3, config(640)) && !layers.set(3, config(640)) && layers.set(3, config(320)));
    assert_eq!(layers.push(3, picture(7, false)), [Out::Picture(picture(7, false))]);
    assert_eq!(layers.push(4, picture(7, false)).len(), 1, "the feed lets nobody in whom it does not know");
}

proptest! {
    /// Whatever comes when: time goes on, sets hold keyframes, and little waits.
    #[test]
    fn whatever_comes(sends in prop::collection::vec((0_u8..4, 0_i64..200, prop::bool::weighted(0.2)), 0..400)) {
        let mut source = Source::new();
        let mut newest = [0_i64; 4];
        for (number, ahead, keyframe) in sends {
            let place = usize::from(number);
            newest[place] = newest[place].max(newest.iter().copied().max().unwrap() - 120_000) + 1 + ahead * 100;
            source.send(number, newest[place], keyframe);
            let waiting: usize = source.layers.layers.iter().map(|layer| layer.waiting.len()).sum();
            prop_assert!(waiting <= 3 * WAITING_MAX);
        }
        let (mut on, mut opened) = (1, true);
        for out in &source.out {
            match out {
                Out::Set(configs) => (on, opened) = (configs.len(), false),
                Out::Picture(frame) => {
                    prop_assert!(frame.lower.iter().all(|lower| lower.layer + 1 < on));
                    if on > 1 && (frame.keyframe || !opened) {
                        let opening = frame.lower.iter().filter(|lower| lower.keyframe && lower.dts == frame.dts);
                        prop_assert_eq!(opening.count(), on - 1);
                        prop_assert!(frame.keyframe);
                    }
                    opened = true;
                }
            }
        }
    }
}
