//! Counts what a source sends, frame by frame, for its health.

use super::codec::silence::is_silent;
use super::health::{Health, Sound};
use super::{AudioConfig, Frame, Track, VideoConfig};
use std::collections::VecDeque;

/// Rates are counted over this.
const WINDOW_MS: i64 = 2_000;
/// Windows that are kept: a minute.
const WINDOWS_MAX: usize = 30;
/// Steps between pictures that are looked at in a window, whatever the rate: two seconds at 120 pictures a second.
const STEPS_MAX: usize = 240;
/// A step this many tenths of the usual one holds a picture that is missing: cameras waver, by less.
const GAP_TENTHS: i64 = 16;
/// A step beyond this is a pause or another clock, not lost pictures.
const GAP_TICKS_MAX: i64 = 180_000;

/// What came of one connection.
#[derive(Debug)]
pub(super) struct Meter {
    connected_at_ms: i64,
    window_at_ms: i64,
    bytes: u64,
    bitrate_bps: u64,
    picture_at_ms: i64,
    picture_dts: Option<i64>,
    keyframe_at_ms: i64,
    keyframe_dts: Option<i64>,
    keyframe_interval_ms: Option<u64>,
    sound_at_ms: i64,
    heard_at_ms: i64,
    /// Of this window, in ticks.
    steps: Vec<i64>,
    /// The step that is most usual, in ticks, of the last window.
    usual: Option<i64>,
    dropped: u64,
    pictures: u64,
    /// Pictures and missing ones of the windows before.
    past: VecDeque<(u64, u64)>,
}

impl Meter {
    pub(super) fn new(now_ms: i64) -> Self {
        Self {
            connected_at_ms: now_ms,
            window_at_ms: now_ms,
            bytes: 0,
            bitrate_bps: 0,
            picture_at_ms: now_ms,
            picture_dts: None,
            keyframe_at_ms: now_ms,
            keyframe_dts: None,
            keyframe_interval_ms: None,
            sound_at_ms: now_ms,
            heard_at_ms: now_ms,
            steps: Vec::new(),
            usual: None,
            dropped: 0,
            pictures: 0,
            past: VecDeque::new(),
        }
    }

    /// The source's clock or configuration is another: intervals are not counted across.
    pub(super) fn renew(&mut self) {
        self.picture_dts = None;
        self.keyframe_dts = None;
    }

    pub(super) fn take(&mut self, frame: &Frame, now_ms: i64) {
        let lower: usize = frame.lower.iter().map(|lower| lower.data.len()).sum();
        self.bytes = self.bytes.saturating_add(u64::try_from(frame.data.len() + lower).unwrap_or(0));
        match frame.track {
            Track::Audio => {
                self.sound_at_ms = now_ms;
                if !is_silent(&frame.data) {
                    self.heard_at_ms = now_ms;
                }
            }
            Track::Video => self.see(frame, now_ms),
        }
        let span_ms = now_ms - self.window_at_ms;
        if !(0..WINDOW_MS).contains(&span_ms) {
            self.close(u64::try_from(span_ms).unwrap_or(0).max(1), now_ms);
        }
    }

    fn see(&mut self, frame: &Frame, now_ms: i64) {
        self.picture_at_ms = now_ms;
        self.pictures += 1;
        if let Some(before) = self.picture_dts.replace(frame.dts) {
            let step = frame.dts.saturating_sub(before);
            if step > 0 && self.steps.len() < STEPS_MAX {
                self.steps.push(step);
            }
            if let Some(usual) = self.usual
                && step < GAP_TICKS_MAX
                && step.saturating_mul(10) > usual.saturating_mul(GAP_TENTHS)
            {
                // Rounded: a step of 2.4 is two pictures' time, of which one is missing.
                let missing = (step + usual / 2) / usual - 1;
                self.dropped = self.dropped.saturating_add(u64::try_from(missing).unwrap_or(0));
            }
        }
        if frame.keyframe {
            if let Some(before) = self.keyframe_dts.replace(frame.dts) {
                let ticks = frame.dts.saturating_sub(before);
                self.keyframe_interval_ms = u64::try_from(ticks / Frame::TICKS_PER_MS).ok();
            }
            self.keyframe_at_ms = now_ms;
        }
    }

    fn close(&mut self, span_ms: u64, now_ms: i64) {
        self.bitrate_bps = self.bytes.saturating_mul(8_000) / span_ms;
        self.bytes = 0;
        self.window_at_ms = now_ms;
        let middle = self.steps.len() / 2;
        if self.steps.len() > 1 {
            let (_, usual, _) = self.steps.select_nth_unstable(middle);
            self.usual = Some(*usual).filter(|usual| *usual > 0);
        }
        self.steps.clear();
        if self.past.len() >= WINDOWS_MAX {
            self.past.pop_front();
        }
        self.past.push_back((std::mem::take(&mut self.pictures), std::mem::take(&mut self.dropped)));
    }

    pub(super) fn health(&self, video: &VideoConfig, audio: Option<&AudioConfig>, now_ms: i64) -> Health {
        let since = |at_ms: i64| u64::try_from(now_ms.saturating_sub(at_ms)).unwrap_or(0);
        let stale = now_ms.saturating_sub(self.window_at_ms) > 2 * WINDOW_MS;
        let sum = |now: u64, of: fn(&(u64, u64)) -> u64| self.past.iter().map(of).sum::<u64>().saturating_add(now);
        let sound = match audio {
            None => Sound::None,
            Some(_) if since(self.sound_at_ms) >= 1_000 => Sound::Gone { age_s: since(self.sound_at_ms) / 1_000 },
            Some(_) if since(self.heard_at_ms) >= 1_000 => Sound::Silent { age_s: since(self.heard_at_ms) / 1_000 },
            Some(_) => Sound::Heard,
        };
        let waiting_ms = since(self.keyframe_at_ms);
        let usual_rate = self.usual.and_then(|usual| (i64::from(Frame::TIMESCALE) * 10).checked_div(usual));
        Health {
            bitrate_bps: if stale { 0 } else { self.bitrate_bps },
            keyframe_interval_ms: self.keyframe_interval_ms.map(|last_ms| last_ms.max(waiting_ms)),
            rate_tenths: usual_rate.and_then(|tenths| u32::try_from(tenths).ok()),
            pictures: sum(self.pictures, |(pictures, _)| *pictures),
            dropped: sum(self.dropped, |(_, dropped)| *dropped),
            picture_age_ms: since(self.picture_at_ms),
            sound,
            width: video.width,
            height: video.height,
            lower: Vec::new(),
            connected_at_ms: self.connected_at_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const SILENCE: &[u8] = &[0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c];

    struct Source {
        meter: Meter,
        now_ms: i64,
    }

    impl Source {
        fn new() -> Self {
            Self { meter: Meter::new(0), now_ms: 0 }
        }

        fn send(&mut self, track: Track, keyframe: bool, data: &'static [u8]) {
            let ticks = self.now_ms * Frame::TICKS_PER_MS;
            let frame =
                Frame { track, pts: ticks, dts: ticks, keyframe, data: Bytes::from_static(data), lower: Vec::new() };
            self.meter.take(&frame, self.now_ms);
        }

        /// Pictures for so long, of which every `lost`th is missing; a keyframe every `key_ms`, and sound with each.
        fn run(&mut self, ms: i64, step_ms: i64, key_ms: i64, lost: Option<i64>, sound: Option<&'static [u8]>) {
            let end = self.now_ms + ms;
            while self.now_ms < end {
                let is_lost = lost.is_some_and(|lost| (self.now_ms / step_ms) % lost == lost - 1);
                if !is_lost {
                    self.send(Track::Video, self.now_ms % key_ms == 0, &[0; 10_000]);
                }
                if let Some(sound) = sound {
                    self.send(Track::Audio, true, sound);
                }
                self.now_ms += step_ms;
            }
        }

        fn health(&self) -> Health {
            let video = VideoConfig { avcc: Bytes::new(), width: 640, height: 360 };
            self.meter.health(&video, Some(&AudioConfig::silent()), self.now_ms)
        }
    }

    #[test]
    fn rates_are_those_of_the_last_seconds() {
        let mut source = Source::new();
        source.run(10_000, 40, 2_000, None, Some(b"tone"));
        let health = source.health();
        assert_eq!((health.rate_tenths, health.dropped, health.keyframe_interval_ms), (Some(250), 0, Some(2_000)));
        assert!((1_950_000..2_050_000).contains(&health.bitrate_bps), "{}", health.bitrate_bps);
        assert_eq!((health.pictures, health.sound), (250, Sound::Heard));
        source.now_ms += 5_000;
        assert_eq!(source.health().bitrate_bps, 0);
    }

    #[test]
    fn pictures_that_are_missing_are_counted_for_a_minute() {
        let mut source = Source::new();
        source.run(4_000, 40, 2_000, None, None);
        source.run(10_000, 40, 2_000, Some(5), None);
        let health = source.health();
        assert!((48..=51).contains(&health.dropped), "{health:?}");
        source.run(70_000, 40, 2_000, None, None);
        assert_eq!(source.health().dropped, 0);
    }

    #[test]
    fn a_steady_slow_camera_loses_nothing_and_a_wavering_one_neither() {
        let mut source = Source::new();
        source.run(10_000, 100, 2_000, None, None);
        assert_eq!((source.health().rate_tenths, source.health().dropped), (Some(100), 0));
        let mut source = Source::new();
        for n in 0..300 {
            source.send(Track::Video, n % 60 == 0, b"x");
            source.now_ms += [33, 34, 25, 48][usize::try_from(n % 4).unwrap()];
        }
        assert_eq!(source.health().dropped, 0);
    }

    #[test]
    fn a_keyframe_that_does_not_come_counts_as_the_interval() {
        let mut source = Source::new();
        source.run(4_000, 40, 2_000, None, None);
        source.run(12_000, 40, 1_000_000, None, None);
        assert!(source.health().keyframe_interval_ms.unwrap() >= 12_000);
    }

    #[test]
    fn silence_is_told_from_sound_and_from_none() {
        let mut source = Source::new();
        source.run(2_000, 40, 2_000, None, Some(b"tone"));
        assert_eq!(source.health().sound, Sound::Heard);
        source.run(14_000, 40, 2_000, None, Some(SILENCE));
        assert_eq!(source.health().sound, Sound::Silent { age_s: 14 });
        source.run(7_000, 40, 2_000, None, None);
        assert_eq!(source.health().sound, Sound::Gone { age_s: 7 });
        source.run(40, 40, 2_000, None, Some(b"tone"));
        assert_eq!(source.health().sound, Sound::Heard);
    }
}
