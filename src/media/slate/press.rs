//! Cards made into H.264: one keyframe a card by OpenH264, and repeats of it that take no encoder.

use super::canvas::{Canvas, HEIGHT, WIDTH};
use super::card::Card;
use super::letters::Letters;
use crate::media::codec::h264::still::{self, Repeat};
use crate::media::codec::{CodecError, VideoConfig};
use bytes::Bytes;
use openh264::OpenH264API;
use openh264::encoder::{Encoder, EncoderConfig, FrameRate, Profile, RateControlMode, UsageType, VuiConfig};
use openh264::formats::YUVSlices;
use thiserror::Error;

/// NAL unit types (H.264, table 7-1).
const KEYFRAME_SLICE: u8 = 5;
const SEQUENCE_SET: u8 = 7;
const PICTURE_SET: u8 = 8;

/// Why a card could not be made into video.
#[derive(Debug, Error)]
pub(super) enum PressError {
    /// The encoder said no.
    #[error("the slate's encoder failed: {0}")]
    Encoder(#[from] openh264::Error),
    /// The encoder's own parameter sets are not what repeats are written for.
    #[error("the slate's encoder made a stream of another kind: {0}")]
    Codec(#[from] CodecError),
    /// There was nothing in what it made.
    #[error("the slate's encoder made no keyframe")]
    Empty,
    /// The server stops.
    #[error("the server stops")]
    Stopped,
}

/// Makes cards into video.
pub(super) struct Press {
    letters: Letters,
    encoder: Encoder,
}

/// A card as video: a keyframe, and how to go on with it.
#[derive(Clone, Debug)]
pub(super) struct Print {
    pub config: VideoConfig,
    pub keyframe: Bytes,
    pub repeat: Repeat,
}

impl Press {
    pub fn new() -> Result<Self, PressError> {
        // Without rate control, every keyframe of a card has the same quality and its size is what the card needs. One
        // thread, because threads are for pictures that move.
        let config = EncoderConfig::new()
            .profile(Profile::Baseline)
            .usage_type(UsageType::CameraVideoRealTime)
            .rate_control_mode(RateControlMode::Off)
            .max_frame_rate(FrameRate::from_hz(15.0))
            .skip_frames(false)
            .scene_change_detect(false)
            .background_detection(false)
            .adaptive_quantization(false)
            .num_threads(1)
            .vui(VuiConfig::bt709());
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config)?;
        Ok(Self { letters: Letters::new(), encoder })
    }

    /// Draws and encodes a card: some ten milliseconds of a core.
    pub fn print(&mut self, card: &Card) -> Result<Print, PressError> {
        let canvas = Canvas::draw(card, &self.letters);
        let planes = YUVSlices::new((&canvas.y, &canvas.u, &canvas.v), (WIDTH, HEIGHT), (WIDTH, WIDTH / 2, WIDTH / 2));
        self.encoder.force_intra_frame();
        let stream = self.encoder.encode(&planes)?;
        let (mut sequence, mut picture, mut keyframe) = (Vec::new(), Vec::new(), Vec::new());
        for layer in (0..stream.num_layers()).filter_map(|at| stream.layer(at)) {
            for nal in (0..layer.nal_count()).filter_map(|at| layer.nal_unit(at)) {
                let start = nal.iter().position(|byte| *byte == 1).map_or(0, |at| at + 1);
                let nal = nal.get(start..).unwrap_or_default();
                match nal.first().map(|header| header & 0x1f) {
                    Some(SEQUENCE_SET) => sequence = nal.to_vec(),
                    Some(PICTURE_SET) => picture = nal.to_vec(),
                    Some(KEYFRAME_SLICE) => {
                        keyframe.extend_from_slice(&u32::try_from(nal.len()).unwrap_or(0).to_be_bytes());
                        keyframe.extend_from_slice(nal);
                    }
                    Some(_) | None => {}
                }
            }
        }
        if keyframe.is_empty() {
            return Err(PressError::Empty);
        }
        let config = still::config(&sequence, &picture)?;
        Ok(Print { config, keyframe: keyframe.into(), repeat: Repeat::new(&sequence, &picture)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openh264::decoder::Decoder;
    use openh264::formats::YUVSource;

    fn card(bar: &str) -> Card {
        Card { headline: "Answer the Call".into(), bar: bar.into(), accent: [0xd6, 0x30, 0x1f] }
    }

    /// Length-prefixed NAL units with start codes instead.
    fn annex_b(mut units: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some((length, rest)) = units.split_first_chunk::<4>() {
            let (unit, rest) = rest.split_at(usize::try_from(u32::from_be_bytes(*length)).unwrap());
            out.extend_from_slice(&[0, 0, 0, 1]);
            out.extend_from_slice(unit);
            units = rest;
        }
        out
    }

    fn sets(config: &VideoConfig) -> Vec<u8> {
        let sequence = usize::from(u16::from_be_bytes([config.avcc[6], config.avcc[7]]));
        let mut out = vec![0, 0, 0, 1];
        out.extend_from_slice(&config.avcc[8..8 + sequence]);
        out.extend_from_slice(&[0, 0, 0, 1]);
        out.extend_from_slice(&config.avcc[8 + sequence + 3..]);
        out
    }

    #[test]
    fn a_decoder_shows_the_card_and_the_same_picture_for_each_repeat() {
        let mut press = Press::new().unwrap();
        let mut decoder = Decoder::new().unwrap();
        for bar in ["Starts in 0:02", "Starts in 0:01"] {
            let print = press.print(&card(bar)).unwrap();
            assert_eq!((print.config.width, print.config.height), (1_280, 720));
            assert!(print.config.codec_string().starts_with("avc1.42"));
            let mut shown = Vec::new();
            let mut see = |bytes: Vec<u8>| {
                let picture = decoder.decode(&bytes).unwrap().unwrap();
                let rows = picture.y().chunks(picture.strides().0).take(HEIGHT);
                shown.push(rows.flat_map(|row| &row[..WIDTH]).copied().collect::<Vec<u8>>());
            };
            see([sets(&print.config), annex_b(&print.keyframe)].concat());
            for index in 1..40 {
                let repeat = print.repeat.frame(index);
                assert!(repeat.len() < 24);
                see(annex_b(&repeat));
            }
            assert!(shown.iter().all(|picture| *picture == shown[0]));
            let drawn = Canvas::draw(&card(bar), &press.letters);
            let off: u64 = drawn.y.iter().zip(&shown[0]).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            assert!(off < 2 * u64::try_from(WIDTH * HEIGHT).unwrap(), "{off}");
        }
    }
}
