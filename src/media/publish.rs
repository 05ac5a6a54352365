//! A publisher of our own: plays an FLV in real time, in an endless loop, to an RTMP server. The demo's speaker.

use super::codec::flv::{self, Body, Tag};
use bytes::Bytes;
use shiguredo_rtmp::{
    AudioFormat, AudioFrame, AvcPacketType, RtmpConnectionEvent, RtmpConnectionState, RtmpPublishClientConnection,
    RtmpTimestamp, RtmpTimestampDelta, RtmpUrl, VideoCodec, VideoFrame, VideoFrameType,
};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// The first wait after a lost connection; doubled each time.
const BACK_OFF: Duration = Duration::from_millis(500);

/// The longest wait between two attempts.
const BACK_OFF_MAX: Duration = Duration::from_secs(15);

/// For connecting, and for each write.
const NETWORK_TIME_MAX: Duration = Duration::from_secs(10);

/// Frames are sent this long before they are due, so that a late timer never starves the server.
const LEAD: Duration = Duration::from_millis(20);

/// What a last frame is given when the clip does not say: 25 pictures a second.
const FRAME_MS: u32 = 40;

/// One read; the server says little.
const READ_BYTES: usize = 4 << 10;

/// A refusal that another attempt may change: the old connection may still be ending.
const BUSY: &str = "already live";

/// Why a publisher gave up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The server said no; asking again would not help.
    #[error("the server refused the stream: {reason}")]
    Refused {
        /// As the server put it.
        reason: String,
    },
    /// The address is not `rtmp://host:port/app/key`.
    #[error("not an RTMP address")]
    Address,
    /// The clip is not an FLV with H.264 and AAC.
    #[error("the clip can't be read: {what}")]
    Clip {
        /// What is wrong.
        what: &'static str,
    },
}

/// One message of the clip.
#[derive(Clone, Debug)]
struct Item {
    at_ms: u32,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Video { kind: AvcPacketType, keyframe: bool, offset_ms: i32, data: Bytes },
    Audio { config: bool, data: Bytes },
}

/// A clip ready to be played round and round.
#[derive(Debug)]
struct Clip {
    items: Vec<Item>,
    length_ms: u32,
}

/// How one connection ended.
enum Ending {
    Stopped,
    Lost,
    Refused(String),
}

/// Publishes `flv` to `url` again and again with continuous timestamps until `stop`; reconnects with back-off.
///
/// # Errors
/// [`PublishError`] if the address or the clip is unusable, or the server refuses.
pub async fn run(flv: Bytes, url: &str, stop: CancellationToken) -> Result<(), PublishError> {
    let clip = Clip::read(&flv)?;
    let url: RtmpUrl = url.parse().map_err(|_| PublishError::Address)?;
    let mut back_off = BACK_OFF;
    loop {
        let started = Instant::now();
        let ending = tokio::select! {
            () = stop.cancelled() => Ending::Stopped,
            ending = connect(&clip, &url) => ending,
        };
        match ending {
            Ending::Stopped => return Ok(()),
            Ending::Refused(reason) if !reason.contains(BUSY) => return Err(PublishError::Refused { reason }),
            Ending::Refused(_) | Ending::Lost => {}
        }
        if started.elapsed() > BACK_OFF_MAX {
            back_off = BACK_OFF;
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = sleep(back_off) => {}
        }
        back_off = (back_off * 2).min(BACK_OFF_MAX);
    }
}

impl Clip {
    fn read(file: &Bytes) -> Result<Self, PublishError> {
        let unreadable = |_| PublishError::Clip { what: "it is not an FLV file" };
        let (mut items, mut length_ms) = (Vec::new(), 0);
        for Tag { kind, timestamp_ms: at_ms, payload } in flv::tags(file).map_err(unreadable)? {
            let content = match kind {
                9 => match flv::video(&payload).map_err(unreadable)? {
                    Body::Config(data) => {
                        Content::Video { kind: AvcPacketType::SequenceHeader, keyframe: true, offset_ms: 0, data }
                    }
                    Body::Picture { keyframe, offset_ms, data } => {
                        length_ms = length_ms.max(at_ms.saturating_add(FRAME_MS));
                        Content::Video { kind: AvcPacketType::NalUnit, keyframe, offset_ms, data }
                    }
                    Body::Foreign(_) => return Err(PublishError::Clip { what: "its video is not H.264" }),
                    Body::Sound(_) | Body::Nothing => continue,
                },
                8 => match flv::audio(&payload).map_err(unreadable)? {
                    Body::Config(data) => Content::Audio { config: true, data },
                    Body::Sound(data) => Content::Audio { config: false, data },
                    Body::Foreign(_) => return Err(PublishError::Clip { what: "its audio is not AAC" }),
                    Body::Picture { .. } | Body::Nothing => continue,
                },
                _ => continue,
            };
            items.push(Item { at_ms, content });
        }
        if length_ms == 0 {
            return Err(PublishError::Clip { what: "it has no pictures" });
        }
        // Sound beyond the last picture would overlap the next round.
        items.retain(|item| item.at_ms < length_ms);
        items.sort_by_key(|item| item.at_ms);
        Ok(Self { items, length_ms })
    }
}

async fn connect(clip: &Clip, url: &RtmpUrl) -> Ending {
    let host = url.host.trim_matches(['[', ']']).to_owned();
    let Ok(Ok(socket)) = timeout(NETWORK_TIME_MAX, TcpStream::connect((host, url.port))).await else {
        return Ending::Lost;
    };
    let mut link = Link { socket, rtmp: RtmpPublishClientConnection::new(url.clone()) };
    match link.play(clip).await {
        Err(ending) => ending,
        Ok(never) => match never {},
    }
}

struct Link {
    socket: TcpStream,
    rtmp: RtmpPublishClientConnection,
}

impl Link {
    async fn play(&mut self, clip: &Clip) -> Result<std::convert::Infallible, Ending> {
        let opening = Instant::now();
        self.flush().await?;
        while self.rtmp.state() != RtmpConnectionState::Publishing {
            if opening.elapsed() > NETWORK_TIME_MAX {
                return Err(Ending::Lost);
            }
            self.listen(opening + NETWORK_TIME_MAX).await?;
        }
        let start = Instant::now();
        let mut round_ms = 0_u32;
        loop {
            for item in &clip.items {
                let at_ms = round_ms.wrapping_add(item.at_ms);
                let due = start + Duration::from_millis(u64::from(at_ms)).saturating_sub(LEAD);
                while Instant::now() < due {
                    self.listen(due).await?;
                }
                // The server knows its configuration after the first round.
                if round_ms == 0 || !item.content.is_config() {
                    self.send(&item.content, RtmpTimestamp::from_millis(at_ms)).map_err(|_| Ending::Lost)?;
                    self.flush().await?;
                }
            }
            round_ms = round_ms.wrapping_add(clip.length_ms);
        }
    }

    fn send(&mut self, content: &Content, timestamp: RtmpTimestamp) -> Result<(), shiguredo_rtmp::Error> {
        match content {
            Content::Video { kind, keyframe, offset_ms, data } => self.rtmp.send_video(VideoFrame {
                timestamp,
                composition_timestamp_offset: RtmpTimestampDelta::from_millis(*offset_ms),
                frame_type: if *keyframe { VideoFrameType::KeyFrame } else { VideoFrameType::InterFrame },
                codec: VideoCodec::Avc,
                avc_packet_type: Some(*kind),
                data: data.to_vec(),
            }),
            Content::Audio { config, data } => self.rtmp.send_audio(AudioFrame {
                timestamp,
                format: AudioFormat::Aac,
                sample_rate: AudioFrame::AAC_SAMPLE_RATE,
                is_8bit_sample: false,
                is_stereo: AudioFrame::AAC_STEREO,
                is_aac_sequence_header: *config,
                data: data.to_vec(),
            }),
        }
    }

    async fn flush(&mut self) -> Result<(), Ending> {
        while !self.rtmp.send_buf().is_empty() {
            let sent = timeout(NETWORK_TIME_MAX, self.socket.write(self.rtmp.send_buf())).await;
            match sent {
                Ok(Ok(count)) if count > 0 => self.rtmp.advance_send_buf(count),
                // What the server said last explains it.
                _ => return Err(self.last_words().await),
            }
        }
        Ok(())
    }

    /// Hears the server until `until`, and answers it.
    async fn listen(&mut self, until: Instant) -> Result<(), Ending> {
        let mut buffer = [0; READ_BYTES];
        let count = tokio::select! {
            () = sleep_until(until) => return Ok(()),
            read = self.socket.read(&mut buffer) => read.unwrap_or(0),
        };
        if count == 0 {
            return Err(Ending::Lost);
        }
        self.hear(buffer.get(..count).unwrap_or_default())?;
        self.flush_quietly().await
    }

    async fn flush_quietly(&mut self) -> Result<(), Ending> {
        while !self.rtmp.send_buf().is_empty() {
            match timeout(NETWORK_TIME_MAX, self.socket.write(self.rtmp.send_buf())).await {
                Ok(Ok(count)) if count > 0 => self.rtmp.advance_send_buf(count),
                _ => return Err(Ending::Lost),
            }
        }
        Ok(())
    }

    fn hear(&mut self, bytes: &[u8]) -> Result<(), Ending> {
        let heard = self.rtmp.feed_recv_buf(bytes);
        while let Some(event) = self.rtmp.next_event() {
            if let RtmpConnectionEvent::DisconnectedByPeer { reason } = event {
                return Err(Ending::Refused(reason));
            }
        }
        heard.map_err(|_| Ending::Lost)
    }

    async fn last_words(&mut self) -> Ending {
        let mut buffer = [0; READ_BYTES];
        while let Ok(Ok(count @ 1..)) = timeout(NETWORK_TIME_MAX, self.socket.read(&mut buffer)).await {
            if let Err(ending) = self.hear(buffer.get(..count).unwrap_or_default()) {
                return ending;
            }
        }
        Ending::Lost
    }
}

impl Content {
    fn is_config(&self) -> bool {
        match self {
            Self::Video { kind, .. } => *kind == AvcPacketType::SequenceHeader,
            Self::Audio { config, .. } => *config,
        }
    }
}
