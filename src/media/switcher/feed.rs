//! One connection's way in: what it sends is told apart, made lawful, and passed to the switcher.

use super::super::{AudioConfig, Frame, SourceId, Track, VideoConfig};
use super::Switcher;
use super::layers::{Layers, Out};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{Notify, watch};

/// Frames that wait for the other track's configuration: encoders send both within their first frames.
const CONFIG_WAIT_TICKS: i64 = 90_000;

/// Frames that wait for the other track's configuration, whatever their timestamps.
const PENDING_FRAMES_MAX: usize = 400;

/// Their bytes: more than a second at 20 Mbit/s.
const PENDING_BYTES_MAX: usize = 4 << 20;

/// An encoder that sends only sound this long has no picture to send.
const VIDEO_WAIT_TICKS: i64 = 450_000;

/// A gap or a step back of the pictures' clock beyond this is another clock: a new start at the next keyframe. It is
/// below the packager's longest segment, so one frame never makes a segment too long.
const JUMP_TICKS_MAX: i64 = 180_000;

/// A picture is shown at most this long after it is decoded: 16 reordered frames at 10 frames/s.
const REORDER_TICKS_MAX: i64 = 144_000;

/// AAC allows 6,144 bits a channel and frame; eight channels are 6 KiB.
const AUDIO_FRAME_BYTES_MAX: usize = 16 << 10;

/// The feed can't be packaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// Only sound came.
    #[error("no video arrived: add a camera or a scene in the encoder, and set its video encoder to H.264")]
    NoVideo,
}

/// What a feed turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// For example `H.264 1280x720`.
    pub video: String,
    /// For example `AAC 48 kHz stereo`, or `none`.
    pub audio: String,
}

/// One connection's way in; dropping it takes the source off.
#[derive(Debug)]
pub struct Feed {
    switcher: Arc<Switcher>,
    pub(super) source: SourceId,
    pub(super) connection: u64,
    kicked: watch::Receiver<Option<String>>,
    keyframe: Arc<Notify>,
    layers: Layers,
    audio: Option<AudioConfig>,
    /// What the switcher was told of the pictures, the best quality first.
    told: Vec<VideoConfig>,
    pending: Vec<(u8, Frame)>,
    ready: bool,
    /// No sound will come: nothing waits for its configuration.
    soundless: bool,
    first_sound: Option<i64>,
    /// Of each quality.
    last_dts: HashMap<u8, i64>,
}

impl Feed {
    pub(super) fn new(
        switcher: Arc<Switcher>,
        source: SourceId,
        connection: u64,
        kicked: watch::Receiver<Option<String>>,
        keyframe: Arc<Notify>,
    ) -> Self {
        Self {
            switcher,
            source,
            connection,
            kicked,
            keyframe,
            layers: Layers::default(),
            audio: None,
            told: Vec::new(),
            pending: Vec::new(),
            ready: false,
            soundless: false,
            first_sound: None,
            last_dts: HashMap::new(),
        }
    }

    /// Whose feed this is.
    pub fn source(&self) -> SourceId {
        self.source
    }

    /// Waits until somebody ends the connection, and says why.
    pub async fn ended(&mut self) -> String {
        let reason = match self.kicked.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone(),
            Err(_) => None,
        };
        reason.unwrap_or_else(|| "replaced by a new connection".to_owned())
    }

    /// Told whenever a cut waits for this source's next keyframe, for protocols that can ask for one.
    pub fn keyframe_wanted(&self) -> Arc<Notify> {
        self.keyframe.clone()
    }

    /// Sets the pictures' configuration, at the start or changed.
    pub fn set_video(&mut self, config: VideoConfig) {
        self.set_layer(0, config);
    }

    /// As above, of one of several qualities by the number that the source gives it. More than five are not taken.
    pub fn set_layer(&mut self, number: u8, config: VideoConfig) {
        if self.layers.set(number, config) && self.layers.leads(number) {
            self.renew();
        }
    }

    /// Sets the sound's configuration, at the start or changed.
    pub fn set_audio(&mut self, config: AudioConfig) {
        if self.audio.as_ref() != Some(&config) {
            self.audio = Some(config);
            self.renew();
        }
    }

    fn renew(&mut self) {
        if self.ready {
            self.tell(self.layers.configs());
            self.layers.reset();
            self.last_dts.clear();
        }
    }

    fn tell(&mut self, told: Vec<VideoConfig>) {
        if let Some((video, lower)) = told.split_first() {
            self.switcher.configure(self, video.clone(), lower.to_vec(), self.audio.clone());
        }
        self.told = told;
    }

    /// Says that no sound will come, so that the first picture is shown at once.
    pub fn without_sound(&mut self) {
        self.soundless = true;
    }

    /// Says that it has come to its end, so that nobody waits for its return.
    pub fn finish(&self) {
        self.switcher.finish(self.source, self.connection);
    }

    /// Takes the next frame; says once what the feed is, when that is known.
    ///
    /// # Errors
    /// [`FeedError`] if there is nothing to show.
    pub fn push(&mut self, frame: Frame) -> Result<Option<Described>, FeedError> {
        self.push_layer(0, frame)
    }

    /// As above, a picture of one of several qualities.
    ///
    /// # Errors
    /// [`FeedError`] if there is nothing to show.
    pub fn push_layer(&mut self, number: u8, mut frame: Frame) -> Result<Option<Described>, FeedError> {
        if !self.tidy(number, &mut frame) {
            return Ok(None);
        }
        if self.ready {
            self.pass_on(number, frame);
            return Ok(None);
        }
        let Some(video) = self.layers.configs().into_iter().next() else {
            let first = *self.first_sound.get_or_insert(frame.dts);
            return if frame.dts.saturating_sub(first) > VIDEO_WAIT_TICKS { Err(FeedError::NoVideo) } else { Ok(None) };
        };
        self.pending.push((number, frame));
        let bounds = self.pending.first().zip(self.pending.last());
        let waited = bounds.map_or(0, |((_, first), (_, last))| last.dts.saturating_sub(first.dts));
        let bytes: usize = self.pending.iter().map(|(_, frame)| frame.data.len()).sum();
        let few = self.pending.len() < PENDING_FRAMES_MAX && bytes < PENDING_BYTES_MAX;
        if self.audio.is_none() && !self.soundless && waited.abs() < CONFIG_WAIT_TICKS && few {
            return Ok(None);
        }
        self.ready = true;
        let described = Described {
            video: video.describe(),
            audio: self.audio.as_ref().map_or_else(|| "none".to_owned(), AudioConfig::describe),
        };
        self.tell(self.layers.configs());
        for (number, frame) in std::mem::take(&mut self.pending) {
            self.pass_on(number, frame);
        }
        Ok(Some(described))
    }

    fn pass_on(&mut self, number: u8, frame: Frame) {
        if frame.track == Track::Audio {
            return self.switcher.frame(self, &frame);
        }
        let mut waits = false;
        for out in self.layers.push(number, frame) {
            match out {
                Out::Set(configs) if configs == self.told => {}
                Out::Set(configs) => {
                    self.tell(configs);
                    waits = true;
                }
                Out::Picture(frame) => {
                    waits &= !frame.keyframe;
                    self.switcher.frame(self, &frame);
                }
            }
        }
        if waits {
            self.keyframe.notify_one();
        }
    }

    /// Makes timestamps lawful; false if the frame is of no use.
    fn tidy(&mut self, number: u8, frame: &mut Frame) -> bool {
        if frame.data.is_empty() {
            return false;
        }
        if frame.track == Track::Audio {
            return self.audio.is_some() && frame.data.len() <= AUDIO_FRAME_BYTES_MAX;
        }
        if !self.layers.knows(number) {
            return false;
        }
        let shown_after = frame.pts.saturating_sub(frame.dts);
        if let Some(last) = self.last_dts.get(&number).copied() {
            let step = frame.dts.saturating_sub(last);
            if step.abs() > JUMP_TICKS_MAX {
                if self.layers.leads(number) {
                    self.renew();
                }
            } else if step <= 0 {
                frame.dts = last + Frame::TICKS_PER_MS;
            }
        }
        self.last_dts.insert(number, frame.dts);
        frame.pts = frame.dts + if shown_after.abs() > REORDER_TICKS_MAX { 0 } else { shown_after };
        true
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.switcher.detach(self.source, self.connection);
    }
}
