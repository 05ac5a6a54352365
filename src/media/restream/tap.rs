//! A program's frames on their way to those who send it elsewhere: each has a queue of its own, and who is slow loses whole
//! groups of pictures from it. Nobody waits for anybody.

use crate::media::{AudioConfig, Frame, Track, VideoConfig};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;
use tokio::sync::Notify;

/// Bytes that wait for one receiver: 13 s at 5 Mbit/s, 3 s at the 20 Mbit/s that are the most a source may send.
pub const WAITING_BYTES_MAX: usize = 8 << 20;

/// Frames that wait for one receiver: the same 13 s at 60 pictures and 47 sounds a second.
const WAITING_FRAMES_MAX: usize = 1_400;

/// What comes out of a tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// What follows begins with a keyframe, is of this configuration, and has a clock that is not the one of what came before.
    Join {
        /// The pictures' configuration.
        video: VideoConfig,
        /// The sound's; none if no sound will come.
        audio: Option<AudioConfig>,
        /// When the first picture was taken.
        at: Instant,
    },
    /// The next picture or sound.
    Frame(Frame),
}

/// The taps of one program, as the switcher fills them.
#[derive(Debug, Default)]
pub(in crate::media) struct Taps(Vec<Weak<Queue>>);

/// One receiver's end; whoever drops it gets nothing more.
#[derive(Debug)]
pub struct Tap(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    waiting: Mutex<Waiting>,
    came: Notify,
}

#[derive(Debug)]
struct Waiting {
    items: VecDeque<Item>,
    bytes: usize,
    config: Option<(VideoConfig, Option<AudioConfig>)>,
    /// A join has to stand before the next frame.
    joins: bool,
    /// Nothing is taken before the next keyframe.
    starved: bool,
    /// How often frames were let go because nobody fetched them.
    losses: u32,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taps {
    /// Opens a tap on what is on with this configuration now, if anything is.
    pub(in crate::media) fn add(&mut self, config: Option<(VideoConfig, Option<AudioConfig>)>) -> Tap {
        let (items, bytes, losses) = (VecDeque::new(), 0, 0);
        let waiting = Waiting { items, bytes, config, joins: true, starved: true, losses, closed: false };
        let queue = Arc::new(Queue { waiting: Mutex::new(waiting), came: Notify::new() });
        self.0.push(Arc::downgrade(&queue));
        Tap(queue)
    }

    /// Says that another feed or configuration follows, from a keyframe.
    pub(in crate::media) fn join(&mut self, video: &VideoConfig, audio: Option<&AudioConfig>) {
        self.each(|waiting| {
            waiting.config = Some((video.clone(), audio.cloned()));
            waiting.joins = true;
        });
    }

    /// Takes the next frame.
    pub(in crate::media) fn push(&mut self, frame: &Frame) {
        self.each(|waiting| waiting.take(frame));
    }

    /// Says that nothing more will come.
    pub(in crate::media) fn close(&mut self) {
        self.each(|waiting| waiting.closed = true);
        self.0.clear();
    }

    fn each(&mut self, change: impl Fn(&mut Waiting)) {
        self.0.retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            change(&mut queue.lock());
            queue.came.notify_one();
            true
        });
    }
}

impl Waiting {
    fn take(&mut self, frame: &Frame) {
        let opens = frame.track == Track::Video && frame.keyframe;
        if self.starved && !opens {
            return;
        }
        if self.starved || self.joins {
            let Some((video, audio)) = self.config.clone() else { return };
            self.items.push_back(Item::Join { video, audio, at: Instant::now() });
            (self.starved, self.joins) = (false, false);
        }
        self.bytes = self.bytes.saturating_add(frame.data.len());
        self.items.push_back(Item::Frame(frame.clone()));
        if self.bytes > WAITING_BYTES_MAX || self.items.len() > WAITING_FRAMES_MAX {
            self.items.clear();
            self.bytes = 0;
            self.starved = true;
            self.losses = self.losses.saturating_add(1);
        }
    }
}

impl Tap {
    /// Waits for what comes next; none once the program has ended.
    pub async fn next(&self) -> Option<Item> {
        loop {
            {
                let mut waiting = self.0.lock();
                if let Some(item) = waiting.items.pop_front() {
                    if let Item::Frame(frame) = &item {
                        waiting.bytes = waiting.bytes.saturating_sub(frame.data.len());
                    }
                    return Some(item);
                }
                if waiting.closed {
                    return None;
                }
            }
            self.0.came.notified().await;
        }
    }

    /// How often the receiver was so slow that frames were let go.
    pub fn losses(&self) -> u32 {
        self.0.lock().losses
    }

    /// Bytes of the frames that wait.
    pub fn waiting_bytes(&self) -> usize {
        self.0.lock().bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::FutureExt as _;

    fn video() -> VideoConfig {
        VideoConfig { avcc: Bytes::from_static(b"config"), width: 640, height: 360 }
    }

    fn frame(track: Track, at: i64, keyframe: bool, bytes: usize) -> Frame {
        Frame { track, pts: at, dts: at, keyframe, data: Bytes::from(vec![0; bytes]), lower: Vec::new() }
    }

    fn picture(at: i64, keyframe: bool) -> Frame {
        frame(Track::Video, at, keyframe, 100)
    }

    /// `J` for a join, `K` for a keyframe, `p` for another picture, `s` for sound.
    fn told(tap: &Tap) -> String {
        let mut told = String::new();
        while let Some(Some(item)) = tap.next().now_or_never() {
            told.push(match item {
                Item::Join { .. } => 'J',
                Item::Frame(frame) if frame.track == Track::Audio => 's',
                Item::Frame(frame) if frame.keyframe => 'K',
                Item::Frame(_) => 'p',
            });
        }
        told
    }

    #[test]
    fn a_tap_begins_with_the_next_keyframe_and_says_each_join() {
        let mut taps = Taps::default();
        let tap = taps.add(Some((video(), None)));
        for frame in [picture(0, false), frame(Track::Audio, 0, true, 10), picture(1, true), picture(2, false)] {
            taps.push(&frame);
        }
        taps.join(&video(), None);
        taps.push(&picture(3, true));
        assert_eq!(told(&tap), "JKpJK");
        taps.close();
        assert_eq!(tap.next().now_or_never(), Some(None));
    }

    #[test]
    fn nothing_comes_before_anything_is_on() {
        let mut taps = Taps::default();
        let tap = taps.add(None);
        taps.push(&picture(0, true));
        taps.join(&video(), None);
        taps.push(&picture(1, true));
        assert_eq!(told(&tap), "JK");
    }

    #[test]
    fn who_does_not_fetch_loses_whole_groups_and_nobody_else_does() {
        let mut taps = Taps::default();
        let (slow, quick) = (taps.add(Some((video(), None))), taps.add(Some((video(), None))));
        let (mut fetched, mut most) = (0, 0);
        for at in 0..4_100_i64 {
            taps.push(&frame(Track::Video, at, at % 50 == 0, 50_000));
            fetched += told(&quick).matches(['K', 'p']).count();
            most = most.max(slow.waiting_bytes());
        }
        assert_eq!((fetched, quick.losses()), (4_100, 0));
        assert!(most <= WAITING_BYTES_MAX, "{most}");
        assert!(slow.losses() > 10, "{}", slow.losses());
        let told = told(&slow);
        assert!(told.starts_with("JK"), "after a loss it begins anew: {told}");
    }

    #[test]
    fn the_number_of_frames_is_bounded_too() {
        let mut taps = Taps::default();
        let tap = taps.add(Some((video(), None)));
        (0..100_000).for_each(|at| taps.push(&frame(Track::Audio, at, true, 0)));
        taps.push(&picture(0, true));
        (0..100_000).for_each(|at| taps.push(&frame(Track::Audio, at, true, 0)));
        assert!(tap.0.lock().items.len() <= WAITING_FRAMES_MAX);
        assert_eq!(tap.losses(), 1);
    }
}
