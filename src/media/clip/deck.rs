//! One clip on its way to the program, frame by frame as its own clock says.

use super::shelf::{self, Fault};
use crate::media::codec::mp4::{Movie, Sample};
use crate::media::{AudioConfig, Feed, Frame, Media, ProgramId, SourceId, Track};
use bytes::Bytes;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// Samples that are read at once, by time: few trips to the disk, and little memory.
const AHEAD_TICKS: i64 = 45_000;

/// The same by bytes: half a second at 40 Mbit/s.
const AHEAD_BYTES: usize = 2_500_000;

/// A clip that just ended gives its name free within a moment.
const BUSY_TRIES: u32 = 30;
const BUSY_WAIT: Duration = Duration::from_millis(100);

/// After a cut away a clip goes on until the next one's keyframe; one that never comes does not hold it for ever.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(20);

/// A clip and where it plays.
pub(super) struct Deck {
    pub media: Media,
    pub program: ProgramId,
    pub source: SourceId,
    pub path: PathBuf,
}

/// A sample with its track.
type Item = (Track, Sample);

impl Deck {
    /// Plays from the start; true if it came to its end. `connected` is told picture and sound in words.
    pub async fn run(&self, leave: &CancellationToken, connected: impl Fn(String, String)) -> Result<bool, Fault> {
        let path = self.path.clone();
        let opened = tokio::task::spawn_blocking(move || shelf::open(&path)).await;
        let (file, movie) = opened.map_err(|_| stopped())??;
        let Some(mut feed) = self.attach(leave).await else { return Ok(false) };
        feed.set_video(movie.video.clone());
        match &movie.audio {
            Some(audio) => feed.set_audio(audio.clone()),
            None => feed.without_sound(),
        }
        connected(
            movie.video.describe(),
            movie.audio.as_ref().map_or_else(|| "none".to_owned(), AudioConfig::describe),
        );
        let ended = self.play(&mut feed, Arc::new(file), Arc::new(movie), leave).await?;
        if ended {
            feed.finish();
        }
        Ok(ended)
    }

    async fn attach(&self, leave: &CancellationToken) -> Option<Feed> {
        for _ in 0..BUSY_TRIES {
            if let Ok(feed) = self.media.attach(self.source) {
                return Some(feed);
            }
            if timeout(BUSY_WAIT, leave.cancelled()).await.is_ok() {
                return None;
            }
        }
        None
    }

    async fn play(
        &self,
        feed: &mut Feed,
        file: Arc<File>,
        movie: Arc<Movie>,
        leave: &CancellationToken,
    ) -> Result<bool, Fault> {
        let base = movie.pictures.first().map_or(0, |picture| picture.dts);
        let (started, mut at) = (Instant::now(), (0, 0));
        let mut left: Option<Instant> = None;
        loop {
            let (items, next) = batch(&movie, at);
            if items.is_empty() {
                break;
            }
            at = next;
            let file = file.clone();
            let read = tokio::task::spawn_blocking(move || read(&file, &items)).await;
            for frame in read.map_err(|_| stopped())?? {
                sleep_until(started + after(frame.dts.saturating_sub(base))).await;
                if leave.is_cancelled() {
                    let since = *left.get_or_insert_with(Instant::now);
                    if self.media.on_program(self.program) != Some(self.source) || since.elapsed() > LEAVE_TIME_MAX {
                        return Ok(false);
                    }
                }
                // It fails for want of pictures only.
                let _ = feed.push(frame);
            }
        }
        let end = started + Duration::from_millis(movie.duration_ms);
        if end > Instant::now() {
            sleep(end - Instant::now()).await;
        }
        Ok(true)
    }
}

fn stopped() -> Fault {
    Fault::Io { what: "read", source: io::Error::other("the server stops") }
}

/// Ticks as time; none below zero.
fn after(ticks: i64) -> Duration {
    Duration::from_micros(u64::try_from(ticks.saturating_mul(100) / 9).unwrap_or(0))
}

/// The next samples of both tracks in the order of their times, and where those after them stand.
fn batch(movie: &Movie, (mut picture, mut sound): (usize, usize)) -> (Vec<Item>, (usize, usize)) {
    let (mut items, mut bytes, mut until) = (Vec::new(), 0_usize, None);
    loop {
        let (next_picture, next_sound) = (movie.pictures.get(picture), movie.sounds.get(sound));
        let (track, sample) = match (next_picture, next_sound) {
            (Some(picture), Some(sound)) if sound.dts < picture.dts => (Track::Audio, *sound),
            (Some(picture), _) => (Track::Video, *picture),
            (None, Some(sound)) => (Track::Audio, *sound),
            (None, None) => break,
        };
        let until = *until.get_or_insert(sample.dts.saturating_add(AHEAD_TICKS));
        if !items.is_empty() && (sample.dts > until || bytes > AHEAD_BYTES) {
            break;
        }
        match track {
            Track::Video => picture += 1,
            Track::Audio => sound += 1,
        }
        bytes = bytes.saturating_add(usize::try_from(sample.size).unwrap_or(usize::MAX));
        items.push((track, sample));
    }
    (items, (picture, sound))
}

fn read(file: &File, items: &[Item]) -> Result<Vec<Frame>, Fault> {
    let frame = |(track, sample): &Item| {
        let mut data = vec![0; usize::try_from(sample.size).unwrap_or(0)];
        file.read_exact_at(&mut data, sample.offset).map_err(|source| Fault::Io { what: "read", source })?;
        let keyframe = sample.keyframe || *track == Track::Audio;
        Ok(Frame {
            track: *track,
            pts: sample.pts,
            dts: sample.dts,
            keyframe,
            data: Bytes::from(data),
            lower: Vec::new(),
        })
    };
    items.iter().map(frame).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::mp4::head;

    #[test]
    fn both_tracks_come_once_each_in_the_order_of_time() {
        let file = include_bytes!("../../../fixtures/media/clip.mp4");
        let (mut at, mut moov) = (0, None);
        while let Ok(found) = head(file.get(at..(at + 16).min(file.len())).unwrap_or_default()) {
            let size = usize::try_from(found.size.unwrap()).unwrap();
            if &found.name == b"moov" {
                moov = Some(&file[at + 8..at + size]);
            }
            at += size;
        }
        let movie = Movie::parse(moov.unwrap(), u64::try_from(file.len()).unwrap()).unwrap();
        let (mut at, mut all) = ((0, 0), Vec::new());
        loop {
            let (items, next) = batch(&movie, at);
            if items.is_empty() {
                break;
            }
            let span = items.last().unwrap().1.dts - items[0].1.dts;
            assert!(span <= AHEAD_TICKS);
            all.extend(items);
            at = next;
        }
        assert_eq!(all.len(), movie.pictures.len() + movie.sounds.len());
        assert!(all.is_sorted_by_key(|(_, sample)| sample.dts));
        assert_eq!(after(90_000), Duration::from_secs(1));
        assert_eq!(after(-5), Duration::ZERO);
    }
}
