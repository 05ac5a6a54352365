//! Times of two tracks on one line: each counts in a clock of its own, which begins anywhere and wraps (RFC 3550, 5.1);
//! the sender's reports say what their times have in common (6.4.1).

use super::super::super::{Frame, Track};

/// A track whose time is this far from its arrival has another clock than before.
const ASTRAY_US: i64 = 5_000_000;

/// What a clock may be put right by with each report, so that no picture is seen to jump. Reports come each second or two;
/// clocks differ by a tenth of this.
const SLEW_US: i64 = 2_000;

/// Picture and sound that are this far apart are heard to be: better one jump.
const HEARD_US: i64 = 80_000;

/// Ticks a second of sound's clock (RFC 7587, 4.1).
const SOUND_HZ: i64 = 48_000;

/// What a sender's report says: at `ntp_us` its clock stood at `rtp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) rtp: u32,
    pub(super) ntp_us: i64,
}

#[derive(Debug)]
struct Clock {
    hz: i64,
    /// The newest time, counted on over wraps.
    last: Option<(u32, i64)>,
    /// A time of the clock, and its place on the line in microseconds.
    anchor: (i64, i64),
    report: Option<Report>,
    /// Since it is known how this track's time and the other's belong together.
    latched: bool,
}

impl Clock {
    fn new(hz: i64) -> Self {
        Self { hz, last: None, anchor: (0, 0), report: None, latched: false }
    }

    fn unwrapped(&self, rtp: u32) -> i64 {
        let Some((before, at)) = self.last else { return i64::from(rtp) };
        at + i64::from(i32::from_ne_bytes(rtp.wrapping_sub(before).to_ne_bytes()))
    }

    /// Microseconds from the anchor's time to this one.
    fn since(&self, from: i64, at: i64) -> i64 {
        at.saturating_sub(from).saturating_mul(1_000_000) / self.hz
    }

    fn place(&self, at: i64) -> i64 {
        self.anchor.1.saturating_add(self.since(self.anchor.0, at))
    }

    /// The sender's wall clock at a time of this one.
    fn ntp_us(&self, at: i64) -> Option<i64> {
        let report = self.report?;
        Some(report.ntp_us.saturating_add(self.since(self.unwrapped(report.rtp), at)))
    }
}

/// All tracks of a session.
#[derive(Debug)]
pub(super) struct Clocks {
    /// Of each quality.
    video: Vec<Clock>,
    audio: Clock,
    /// The sender's wall clock at the line's beginning, once a picture's report told it.
    origin_ntp_us: Option<i64>,
}

impl Clocks {
    pub(super) fn new() -> Self {
        Self { video: Vec::new(), audio: Clock::new(SOUND_HZ), origin_ntp_us: None }
    }

    /// Whether a report has told how a quality's time and the others' belong together.
    pub(super) fn is_tied(&self, layer: usize) -> bool {
        self.video.get(layer).is_some_and(|clock| clock.latched)
    }

    /// The place on the line, in microseconds, of what has the time `rtp` and arrived at `arrived_us` on it.
    /// Pictures are of the quality `layer`, counted from 0 without leaving any out.
    pub(super) fn place(
        &mut self,
        (track, layer): (Track, usize),
        rtp: u32,
        arrived_us: i64,
        report: Option<Report>,
    ) -> i64 {
        while track == Track::Video && self.video.len() <= layer {
            self.video.push(Clock::new(Frame::TIMESCALE.into()));
        }
        let clock = match track {
            Track::Video => self.video.get_mut(layer),
            Track::Audio => None,
        };
        let clock = clock.unwrap_or(&mut self.audio);
        let first = clock.last.is_none();
        let at = clock.unwrapped(rtp);
        clock.last = Some((rtp, at));
        if first || (clock.place(at) - arrived_us).abs() > ASTRAY_US {
            clock.anchor = (at, arrived_us);
            clock.latched = false;
            if track == Track::Video && layer == 0 {
                self.origin_ntp_us = None;
            }
        }
        if report.is_some() && report != clock.report {
            clock.report = report;
            if let Some(ntp_us) = clock.ntp_us(at) {
                if (track, layer) == (Track::Video, 0) {
                    // The line is these pictures' own: what a report teaches moves the others, for a picture that jumps is seen.
                    self.origin_ntp_us = Some(ntp_us - clock.place(at));
                    clock.latched = true;
                } else if let Some(origin) = self.origin_ntp_us {
                    let off = ntp_us - origin - clock.place(at);
                    // A report that is seconds off is none of this clock.
                    if off.abs() < ASTRAY_US {
                        // The first reports of a session can be half a second off.
                        let most = if clock.latched && off.abs() < HEARD_US { SLEW_US } else { ASTRAY_US };
                        clock.anchor.1 += off.clamp(-most, most);
                        clock.latched = true;
                    }
                }
            }
        }
        clock.place(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_wrap_and_go_on() {
        let mut clocks = Clocks::new();
        let near_end = u32::MAX - 90_000;
        assert_eq!(clocks.place((Track::Video, 0), near_end, 1_000, None), 1_000);
        let mut last = 1_000;
        for second in 1..5_u32 {
            let rtp = near_end.wrapping_add(second * 90_000);
            let place = clocks.place((Track::Video, 0), rtp, 1_000 + i64::from(second) * 1_000_000, None);
            assert_eq!(place - last, 1_000_000);
            last = place;
        }
    }

    #[test]
    fn a_clock_that_jumps_begins_again_at_its_arrival() {
        let mut clocks = Clocks::new();
        clocks.place((Track::Video, 0), 5, 0, None);
        assert_eq!(clocks.place((Track::Video, 0), 2_000_000_000, 40_000, None), 40_000);
        assert_eq!(clocks.place((Track::Video, 0), 2_000_003_000, 90_000, None), 73_333);
    }

    #[test]
    fn reports_bring_sound_to_its_picture() {
        let mut clocks = Clocks::new();
        // Taken at one moment, the sound arrives 70 ms before the picture.
        assert_eq!(clocks.place((Track::Audio, 0), 480_000, 30_000, None), 30_000);
        assert_eq!(clocks.place((Track::Video, 0), 90_000, 100_000, None), 100_000);
        let ntp_us = 4_000_000_000_000;
        clocks.place((Track::Video, 0), 90_000, 100_000, Some(Report { rtp: 90_000, ntp_us }));
        let sound = clocks.place((Track::Audio, 0), 480_000 + 960, 50_000, Some(Report { rtp: 480_000, ntp_us }));
        assert_eq!(sound, 120_000);
    }

    #[test]
    fn a_first_report_that_was_wrong_moves_no_picture_and_sound_for_a_moment_only() {
        let mut clocks = Clocks::new();
        let ntp = 4_000_000_000_000;
        let at = |rtp: u32, ms: i64| Some(Report { rtp, ntp_us: ntp + ms * 1_000 });
        let first = clocks.place((Track::Video, 0), 90_000, 0, at(90_000, 560));
        let sound = clocks.place((Track::Audio, 0), 48_000, 0, at(48_000, 0));
        assert_eq!(sound - first, -560_000, "as told");
        let second = clocks.place((Track::Video, 0), 180_000, 1_000_000, at(180_000, 1_000));
        assert_eq!(second - first, 1_000_000);
        assert_eq!(clocks.place((Track::Audio, 0), 96_000, 1_000_000, at(96_000, 1_000)), second);
    }

    #[test]
    fn qualities_with_clocks_of_their_own_come_together() {
        let mut clocks = Clocks::new();
        let ntp = 4_000_000_000_000;
        let report = |rtp, ms: i64| Some(Report { rtp, ntp_us: ntp + ms * 1_000 });
        let best = clocks.place((Track::Video, 0), 90_000, 5_000, report(90_000, 0));
        assert!(clocks.is_tied(0) && !clocks.is_tied(1));
        // The same moment arrives 60 ms later, and the report was written 40 ms after it.
        clocks.place((Track::Video, 1), 4_000_000_000, 65_000, None);
        assert!(!clocks.is_tied(1));
        let lower = clocks.place((Track::Video, 1), 4_000_000_000, 65_000, report(4_000_003_600, 40));
        assert!(clocks.is_tied(1) && lower == best, "{lower} and {best}");
    }

    #[test]
    fn a_clock_that_drifts_is_put_right_little_by_little() {
        let mut clocks = Clocks::new();
        let ntp = 4_000_000_000_000;
        let mut apart = 0;
        for second in 0..3_600_i64 {
            let us = second * 1_000_000;
            let video = Report { rtp: u32::try_from(second * 90_000).unwrap(), ntp_us: ntp + us };
            let picture = clocks.place((Track::Video, 0), video.rtp, us, Some(video));
            // The sound card counts 100 millionths too fast.
            let rtp = u32::try_from(second * 48_000 + second * 48_000 / 10_000).unwrap();
            let sound = clocks.place((Track::Audio, 0), rtp, us, Some(Report { rtp, ntp_us: ntp + us }));
            apart = i64::max(apart, (picture - sound).abs());
        }
        assert!(apart < 1_000, "{apart} us");
    }

    #[test]
    fn a_report_that_is_no_clocks_is_not_believed() {
        let mut clocks = Clocks::new();
        clocks.place((Track::Video, 0), 0, 0, Some(Report { rtp: 0, ntp_us: 1_000_000_000_000 }));
        let place = clocks.place((Track::Audio, 0), 0, 0, Some(Report { rtp: 0, ntp_us: 2_000_000_000_000 }));
        assert_eq!(place, 0);
    }

    proptest! {
        #[test]
        fn any_times_stay_near_their_arrival(
            frames in prop::collection::vec((any::<bool>(), any::<u32>(), any::<Option<(u32, i64)>>()), 1..60)
        ) {
            let mut clocks = Clocks::new();
            let mut arrived = 0;
            for (video, rtp, report) in frames {
                arrived += 20_000;
                let track = if video { Track::Video } else { Track::Audio };
                let report = report.map(|(rtp, ntp_us)| Report { rtp, ntp_us: ntp_us / 4 });
                let place = clocks.place((track, 0), rtp, arrived, report);
                prop_assert!((place - arrived).abs() <= 2 * ASTRAY_US + 20_000);
            }
        }
    }
}
