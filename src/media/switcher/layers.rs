//! PURE: one source's pictures in several qualities, put together again: each picture of the best one that comes, and with it
//! the same moment in the lower ones.
//!
//! Whoever sends several qualities (simulcast, or several tracks of RTMP) encodes each by itself, so they arrive one after another
//! and any may stop. A set of qualities changes only where the best has a keyframe, and holds only those that have one
//! there too: from then on a player may change between them at every keyframe.

use super::super::{Frame, Lower, VideoConfig};
use std::collections::VecDeque;

/// More than a viewer's network can be sorted into; OBS sends up to five.
pub const LAYERS_MAX: usize = 5;

/// Clocks of one encoder's qualities agree to within the milliseconds that they are written in.
const SAME_TICKS_MAX: i64 = 900;

/// A quality that lags is waited for this long: a quarter of a second, as long as a part.
const WAIT_TICKS: i64 = 22_500;

/// A quality that sent nothing while another sent so much has stopped.
const QUIET_TICKS: i64 = 67_500;

/// One that was left out comes in again after so many keyframes in line: each change is a joint in the program.
const KEYFRAMES_TO_RETURN: u32 = 4;

/// Waiting pictures of one quality, whatever their clock says: more than a second at 60 a second.
const WAITING_MAX: usize = 90;

/// Their bytes: more than a second at 20 Mbit/s.
const WAITING_BYTES_MAX: usize = 4 << 20;

/// What comes of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Out {
    /// From the next picture on these are the qualities, the best first.
    Set(Vec<VideoConfig>),
    /// The next picture of the best, with the others' in it.
    Picture(Frame),
}

#[derive(Debug)]
struct Layer {
    number: u8,
    config: VideoConfig,
    waiting: VecDeque<Frame>,
    newest: Option<i64>,
    /// Keyframes until it is let in.
    probation: u32,
}

impl Layer {
    fn pixels(&self) -> u64 {
        u64::from(self.config.width) * u64::from(self.config.height)
    }
}

/// The qualities of one source.
#[derive(Debug, Default)]
pub(super) struct Layers {
    /// Best first.
    layers: Vec<Layer>,
    /// The number of the best that comes.
    leader: Option<u8>,
    /// The numbers of those that are on, the leader's first.
    on: Vec<u8>,
}

impl Layers {
    /// Sets a quality's configuration; true if it is another than before.
    pub(super) fn set(&mut self, number: u8, config: VideoConfig) -> bool {
        if let Some(layer) = self.layers.iter_mut().find(|layer| layer.number == number) {
            let changed = layer.config != config;
            layer.config = config;
            self.sort();
            return changed;
        }
        if self.layers.len() >= LAYERS_MAX {
            return false;
        }
        let waiting = VecDeque::new();
        self.layers.push(Layer { number, config, waiting, newest: None, probation: 0 });
        self.sort();
        true
    }

    fn sort(&mut self) {
        self.layers.sort_by_key(|layer| (std::cmp::Reverse(layer.pixels()), layer.number));
    }

    /// The configurations of what is on, the best first; before anything is, the best of all.
    pub(super) fn configs(&self) -> Vec<VideoConfig> {
        let of = |number: &u8| self.layer(*number).map(|layer| layer.config.clone());
        let on: Vec<VideoConfig> = self.on.iter().filter_map(of).collect();
        if on.is_empty() { self.layers.first().map(|layer| layer.config.clone()).into_iter().collect() } else { on }
    }

    /// Whether a quality is the one that the others follow, or the only one.
    pub(super) fn leads(&self, number: u8) -> bool {
        self.leader.is_none_or(|leader| leader == number)
    }

    /// Whether this quality's configuration is known.
    pub(super) fn knows(&self, number: u8) -> bool {
        self.layer(number).is_some()
    }

    /// Forgets what waits: another clock begins.
    pub(super) fn reset(&mut self) {
        for layer in &mut self.layers {
            layer.waiting.clear();
            layer.newest = None;
        }
    }

    fn layer(&self, number: u8) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.number == number)
    }

    /// Takes a quality's next picture, and gives what is whole now, in order.
    pub(super) fn push(&mut self, number: u8, frame: Frame) -> Vec<Out> {
        if self.layers.len() == 1 {
            return self.push_only(frame);
        }
        let (dts, keyframe) = (frame.dts, frame.keyframe);
        let Some(layer) = self.layers.iter_mut().find(|layer| layer.number == number) else { return Vec::new() };
        layer.newest = Some(dts);
        layer.waiting.push_back(frame);
        let bytes: usize = layer.waiting.iter().map(|frame| frame.data.len()).sum();
        if layer.waiting.len() > WAITING_MAX || bytes > WAITING_BYTES_MAX {
            layer.waiting.clear();
        }
        let mut out = Vec::new();
        self.lead(number, keyframe, &mut out);
        self.release(false, &mut out);
        out
    }

    /// Nearly every source sends one quality: nothing waits.
    fn push_only(&mut self, frame: Frame) -> Vec<Out> {
        let Some(layer) = self.layers.first_mut() else { return Vec::new() };
        layer.newest = Some(frame.dts);
        self.leader = Some(layer.number);
        if self.on.is_empty() {
            self.on = vec![layer.number];
        }
        vec![Out::Picture(frame)]
    }

    /// The newest time of all.
    fn now(&self) -> i64 {
        self.layers.iter().filter_map(|layer| layer.newest).max().unwrap_or(0)
    }

    fn comes(layer: &Layer, now: i64) -> bool {
        layer.newest.is_some_and(|newest| now - newest <= QUIET_TICKS)
    }

    /// Chooses who leads, now that a picture of `number` has come: the best that comes, from its keyframe on.
    fn lead(&mut self, number: u8, keyframe: bool, out: &mut Vec<Out>) {
        let now = self.now();
        let Some(best) = self.layers.iter().find(|layer| Self::comes(layer, now) && layer.probation == 0) else {
            return;
        };
        let best = best.number;
        if self.leader == Some(best) {
            return;
        }
        let leads_still =
            self.leader.and_then(|leader| self.layer(leader)).is_some_and(|layer| Self::comes(layer, now));
        if leads_still && !(number == best && keyframe) {
            return;
        }
        // What the one before still had is shown to its end.
        self.release(true, out);
        if let Some(before) = self.leader.take()
            && let Some(layer) = self.layers.iter_mut().find(|layer| layer.number == before)
            && !leads_still
        {
            layer.waiting.clear();
            layer.probation = KEYFRAMES_TO_RETURN;
        }
        self.leader = Some(best);
        self.on = vec![best];
        out.push(Out::Set(self.configs()));
    }

    /// Gives the leader's pictures for which nobody is waited for any more, or all of them.
    fn release(&mut self, all: bool, out: &mut Vec<Out>) {
        while let Some(frame) = self.next_of_leader(all) {
            self.put_together(frame, out);
        }
    }

    fn next_of_leader(&mut self, all: bool) -> Option<Frame> {
        let (leader, now) = (self.leader?, self.now());
        let at = self.layers.iter().position(|layer| layer.number == leader)?;
        let head = self.layers.get(at)?.waiting.front()?.dts;
        let waited = self.layers.get(at)?.newest.is_some_and(|newest| newest - head >= WAIT_TICKS);
        let there = |layer: &Layer| {
            layer.number == leader
                || !Self::comes(layer, now)
                || layer.newest.is_some_and(|newest| newest >= head - SAME_TICKS_MAX)
        };
        if !(all || waited || self.layers.iter().all(there)) {
            return None;
        }
        self.layers.get_mut(at)?.waiting.pop_front()
    }

    /// Puts the lower qualities' pictures up to this one into it.
    fn put_together(&mut self, mut frame: Frame, out: &mut Vec<Out>) {
        let Some(leader) = self.leader else { return };
        let mut on = vec![leader];
        let mut pictures: Vec<(u8, Frame)> = Vec::new();
        for layer in self.layers.iter_mut().filter(|layer| layer.number != leader) {
            let mut opens = false;
            while layer.waiting.front().is_some_and(|lower| lower.dts <= frame.dts + SAME_TICKS_MAX) {
                let Some(mut lower) = layer.waiting.pop_front() else { break };
                let off = (lower.dts - frame.dts).abs();
                let nearer = layer.waiting.front().is_some_and(|next| (next.dts - frame.dts).abs() < off);
                let same = off <= SAME_TICKS_MAX && !nearer;
                if same {
                    opens = lower.keyframe;
                    lower.pts += frame.dts - lower.dts;
                    lower.dts = frame.dts;
                }
                pictures.push((layer.number, lower));
                if same {
                    break;
                }
            }
            if frame.keyframe {
                match (opens, layer.probation) {
                    (true, 0) => on.push(layer.number),
                    (true, _) => layer.probation -= 1,
                    // Its keyframes are not where the best one's are, or it has stopped.
                    (false, _) if self.on.contains(&layer.number) => layer.probation = KEYFRAMES_TO_RETURN,
                    (false, _) => {}
                }
            }
        }
        if frame.keyframe && on != self.on {
            // Who comes in begins here; what came before belongs to no set.
            self.on = on;
            out.push(Out::Set(self.configs()));
            pictures.retain(|(_, lower)| lower.dts == frame.dts);
        }
        let places = self.on.iter().skip(1);
        frame.lower = pictures
            .into_iter()
            .filter_map(|(number, Frame { pts, dts, keyframe, data, .. })| {
                let layer = places.clone().position(|on| *on == number)?;
                Some(Lower { layer, pts, dts, keyframe, data })
            })
            .collect();
        out.push(Out::Picture(frame));
    }
}

#[cfg(test)]
mod tests;
