//! How a source is doing, in figures and in words for the host.

/// Cuts wait for the next keyframe: beyond this they are felt.
const KEYFRAME_INTERVAL_MS_MAX: u64 = 4_000;
/// Nothing for so long is a fault, not a breath or a late packet.
const QUIET_S_MAX: u64 = 5;
/// No picture for so long is seen by everybody.
const PICTURE_AGE_MS_MAX: u64 = 3_000;
/// Below this, movement is no longer smooth; in tenths of a picture a second.
const RATE_TENTHS_MIN: u32 = 150;
/// One picture in so many is lost: it is seen.
const DROPPED_ONE_IN: u64 = 50;
/// Below this many bits for each pixel and second (about 400 kbit/s at 640x360), H.264 shows blocks.
const PIXELS_A_BIT_MAX: u64 = 2;

/// What is heard of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// It sends none.
    None,
    /// It said it would, and none has come for so many seconds.
    Gone {
        /// Whole seconds since the last frame.
        age_s: u64,
    },
    /// Frames come, and have held nothing for so many seconds.
    Silent {
        /// Whole seconds since the last frame with sound in it.
        age_s: u64,
    },
    /// There is sound.
    Heard,
}

/// How a source is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Picture and sound over the last seconds, bits a second.
    pub bitrate_bps: u64,
    /// Between the last two keyframes, or since the last one where that is longer, in ms; none before the second.
    pub keyframe_interval_ms: Option<u64>,
    /// Pictures in ten seconds at the present rate; none at the start.
    pub rate_tenths: Option<u32>,
    /// Pictures that came in the last minute.
    pub pictures: u64,
    /// Pictures that are missing among them, by the gaps in their times.
    pub dropped: u64,
    /// Since the last picture, in ms.
    pub picture_age_ms: u64,
    /// What is heard.
    pub sound: Sound,
    /// Of the picture, in pixels.
    pub width: u32,
    /// Of the picture, in pixels.
    pub height: u32,
    /// Width and height of the lower qualities that come besides, in pixels, the best first.
    pub lower: Vec<(u32, u32)>,
    /// When this connection came, in ms since 1970 UTC.
    pub connected_at_ms: i64,
}

/// Something a host should know, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// In a word or three, for a label.
    pub short: String,
    /// A whole sentence, with what to do.
    pub words: String,
}

impl Health {
    /// The best picture that comes now, as people say it, for example `H.264 1280x720`.
    pub fn describe_video(&self) -> String {
        format!("H.264 {}x{}", self.width, self.height)
    }

    /// What is wrong, the worst first.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut found = Vec::new();
        let mut warn = |short: String, words: String| found.push(Warning { short, words });
        if self.picture_age_ms > PICTURE_AGE_MS_MAX {
            let age_s = self.picture_age_ms / 1_000;
            warn(
                format!("no picture {age_s} s"),
                format!("No picture has come for {age_s} s. The speaker’s network may be down."),
            );
        }
        match self.sound {
            Sound::None => warn(
                "no sound".into(),
                "No sound is being sent. In OBS, add a microphone under Settings → Audio; in Zoom, unmute.".into(),
            ),
            Sound::Gone { age_s } if age_s > QUIET_S_MAX => warn(
                format!("no sound {age_s} s"),
                format!("No sound has arrived for {age_s} s. Ask the speaker to start their encoder again."),
            ),
            Sound::Silent { age_s } if age_s > QUIET_S_MAX => warn(
                format!("silent {age_s} s"),
                format!("Silent for {age_s} s. Ask the speaker to unmute, or to choose the right microphone."),
            ),
            Sound::Gone { .. } | Sound::Silent { .. } | Sound::Heard => {}
        }
        if let Some(interval_ms) = self.keyframe_interval_ms.filter(|ms| *ms > KEYFRAME_INTERVAL_MS_MAX) {
            let interval_s = interval_ms.saturating_add(500) / 1_000;
            warn(
                format!("key {interval_s} s"),
                format!(
                    "Cuts wait up to {interval_s} s: in OBS, set Keyframe Interval to 2 s under Settings → Output."
                ),
            );
        }
        if self.dropped.saturating_mul(DROPPED_ONE_IN) > self.pictures && self.pictures > 0 {
            let percent = self.dropped.saturating_mul(100) / self.pictures.saturating_add(self.dropped).max(1);
            warn(
                format!("{} % lost", percent.max(1)),
                format!(
                    "{} pictures were lost in the last minute. A cable instead of Wi-Fi, or a lower bitrate, helps.",
                    self.dropped
                ),
            );
        }
        if let Some(tenths) = self.rate_tenths.filter(|tenths| *tenths < RATE_TENTHS_MIN) {
            let rate = tenths.saturating_add(5) / 10;
            warn(
                format!("{rate} fps"),
                format!("Only {rate} pictures a second: more light for the camera, or fewer programs running, helps."),
            );
        }
        let pixels = u64::from(self.width).saturating_mul(u64::from(self.height));
        if self.bitrate_bps > 0 && pixels / self.bitrate_bps >= PIXELS_A_BIT_MAX {
            warn(
                "low bitrate".into(),
                format!(
                    "{} kbit/s is little for {}x{}: the picture may show blocks. Aim for 2500 kbit/s at 1280x720.",
                    self.bitrate_bps / 1_000,
                    self.width,
                    self.height
                ),
            );
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> Health {
        Health {
            bitrate_bps: 2_500_000,
            keyframe_interval_ms: Some(2_000),
            rate_tenths: Some(300),
            pictures: 1_800,
            dropped: 0,
            picture_age_ms: 40,
            sound: Sound::Heard,
            width: 1_280,
            height: 720,
            lower: Vec::new(),
            connected_at_ms: 0,
        }
    }

    #[test]
    fn a_source_that_is_well_has_no_warning() {
        assert_eq!(well().warnings(), []);
        let at_the_edge = Health {
            keyframe_interval_ms: Some(4_000),
            rate_tenths: Some(150),
            dropped: 36,
            picture_age_ms: 3_000,
            sound: Sound::Silent { age_s: 5 },
            bitrate_bps: 500_000,
            ..well()
        };
        assert_eq!(at_the_edge.warnings(), []);
        let starting = Health { bitrate_bps: 0, keyframe_interval_ms: None, rate_tenths: None, pictures: 0, ..well() };
        assert_eq!(starting.warnings(), []);
    }

    #[test]
    fn what_is_wrong_is_said_with_what_to_do() {
        let check = |health: Health, short: &str, words: &str| {
            let found = health.warnings();
            assert_eq!(found.len(), 1, "{found:?}");
            let first = found.first().unwrap();
            assert_eq!((first.short.as_str(), first.words.contains(words)), (short, true), "{first:?}");
        };
        check(Health { keyframe_interval_ms: Some(8_333), ..well() }, "key 8 s", "Cuts wait up to 8 s");
        check(Health { sound: Sound::None, ..well() }, "no sound", "add a microphone");
        check(Health { sound: Sound::Gone { age_s: 7 }, ..well() }, "no sound 7 s", "has arrived for 7 s");
        check(Health { sound: Sound::Silent { age_s: 14 }, ..well() }, "silent 14 s", "unmute");
        check(Health { dropped: 90, ..well() }, "4 % lost", "90 pictures");
        check(Health { dropped: 37, ..well() }, "2 % lost", "37 pictures");
        check(Health { rate_tenths: Some(96), ..well() }, "10 fps", "Only 10 pictures");
        check(Health { picture_age_ms: 4_100, ..well() }, "no picture 4 s", "for 4 s");
        check(Health { bitrate_bps: 300_000, ..well() }, "low bitrate", "300 kbit/s is little for 1280x720");
    }

    #[test]
    fn the_worst_comes_first() {
        let bad = Health { sound: Sound::None, picture_age_ms: 9_000, keyframe_interval_ms: Some(9_000), ..well() };
        let shorts: Vec<String> = bad.warnings().into_iter().map(|warning| warning.short).collect();
        assert_eq!(shorts, ["no picture 9 s", "no sound", "key 9 s"]);
    }
}
