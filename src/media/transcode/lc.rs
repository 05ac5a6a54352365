//! An AAC-LC decoder: symphonia's, behind what it is asked for here.

use crate::media::AudioConfig;
use crate::media::codec::aac::{SAMPLE_RATES, SAMPLES_PER_FRAME};
use symphonia_codec_aac::AacDecoder;
use symphonia_core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder as _, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

/// Object types whose frames hold one of AAC-LC: itself, and with the higher half of its sound beside it, which is left out.
const WITH_LC: [u8; 3] = [2, 5, 29];

/// One sample: left and right.
pub(super) type Pair = [f32; 2];

/// One stream's decoder.
pub(super) struct Decoder {
    aac: AacDecoder,
    sound: Vec<f32>,
}

impl Decoder {
    /// None for more than two channels, or another AAC.
    pub(super) fn new(audio: &AudioConfig) -> Option<Self> {
        let mut wanted = AudioCodecParameters::new();
        wanted.for_codec(CODEC_ID_AAC).with_extra_data(plain_config(audio)?.into());
        let aac = AacDecoder::try_new(&wanted, &AudioDecoderOptions::default()).ok()?;
        Some(Self { aac, sound: Vec::new() })
    }

    /// A frame's 1,024 samples; silence for bytes that are none.
    pub(super) fn decode(&mut self, frame: &[u8]) -> Vec<Pair> {
        let length = usize::try_from(SAMPLES_PER_FRAME).unwrap_or(0);
        let packet = PacketRef::new(0, Timestamp::new(0), Duration::new(u64::from(SAMPLES_PER_FRAME)), frame);
        self.sound.clear();
        let channels = match self.aac.decode_ref(&packet) {
            Ok(decoded) => {
                decoded.copy_to_vec_interleaved(&mut self.sound);
                decoded.num_planes().max(1)
            }
            Err(_) => 1,
        };
        let pair = |sample: &[f32]| match sample {
            [left, right] => [*left, *right],
            other => [other.first().copied().unwrap_or(0.0); 2],
        };
        let mut sound: Vec<Pair> = self.sound.chunks_exact(channels).map(pair).collect();
        sound.resize(length, [0.0; 2]);
        sound
    }
}

/// An AudioSpecificConfig of the frames' AAC-LC alone (ISO 14496-3, 1.6.2.1).
fn plain_config(audio: &AudioConfig) -> Option<Vec<u8>> {
    if !WITH_LC.contains(&audio.object_type) || !(1..=2).contains(&audio.channels) {
        return None;
    }
    let channels = u64::from(audio.channels);
    let known = SAMPLE_RATES.iter().position(|rate| *rate == audio.sample_rate);
    // Five bits of object type, four of rate, four of channels, three for what is usual; a rate that has no index is spelled.
    let (bits, from) = match known.and_then(|index| u64::try_from(index).ok()) {
        Some(index) => ((2 << 4) | index, 6),
        None => ((((2 << 4) | 15) << 24) | u64::from(audio.sample_rate), 3),
    };
    ((((bits << 4) | channels) << 3).to_be_bytes()).get(from..).map(<[u8]>::to_vec)
}
