//! libopus's decoder, translated from C: the one decoder tried that takes less than a hundredth of a core a stream (a safe
//! one in Rust took two thirds of a core), and needs no C compiler.

// The translation keeps C's interface: pointers with lengths beside them.
#![allow(unsafe_code)]

use unsafe_libopus::{OpusDecoder, opus_decode, opus_decoder_create, opus_decoder_destroy};

/// Samples of each channel in the longest packet, 120 ms (RFC 6716, 2.1.4).
pub(super) const PACKET_SAMPLES_MAX: usize = 5_760;

/// Samples by which what is heard comes behind what the packet's time says (RFC 7845, 4.2: the usual 6.5 ms).
pub(super) const LOOKAHEAD_SAMPLES: i64 = 312;

/// The longest packet that a sender makes (RFC 6716, 3.4: 1,275 bytes a frame, and 48 frames of 2.5 ms).
const PACKET_BYTES_MAX: usize = 1_275 * 48;

/// One stream's decoder: 48 kHz, stereo.
pub(super) struct Decoder {
    state: *mut OpusDecoder,
}

// SAFETY: the state is one allocation that only this value reaches; libopus keeps nothing for a thread.
unsafe impl Send for Decoder {}

impl Decoder {
    /// None where there is no memory for one.
    pub(super) fn new() -> Option<Self> {
        let mut error = 0;
        // SAFETY: `error` outlives the call.
        let state = unsafe { opus_decoder_create(48_000, 2, &raw mut error) };
        (error == 0 && !state.is_null()).then_some(Self { state })
    }

    /// Decodes a packet into left and right in turn; none if it is not Opus.
    pub(super) fn decode(&mut self, packet: &[u8]) -> Option<Vec<i16>> {
        if packet.is_empty() || packet.len() > PACKET_BYTES_MAX {
            return None;
        }
        self.run(packet, PACKET_SAMPLES_MAX)
    }

    /// What a lost packet may have sounded like; `samples` of each channel, a multiple of 120.
    pub(super) fn conceal(&mut self, samples: usize) -> Option<Vec<i16>> {
        self.run(&[], samples.min(PACKET_SAMPLES_MAX))
    }

    fn run(&mut self, packet: &[u8], samples: usize) -> Option<Vec<i16>> {
        let mut sound = vec![0; 2 * samples];
        let data = if packet.is_empty() { std::ptr::null() } else { packet.as_ptr() };
        let (bytes, frame) = (i32::try_from(packet.len()).ok()?, i32::try_from(samples).ok()?);
        // SAFETY: `data` points to `bytes` bytes, or to none as concealment asks for; `sound` holds `frame` samples of two
        // channels; the state was made by `opus_decoder_create` and is borrowed alone.
        let count = unsafe { opus_decode(self.state, data, bytes, sound.as_mut_ptr(), frame, 0) };
        sound.truncate(2 * usize::try_from(count).ok()?);
        (!sound.is_empty()).then_some(sound)
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: made by `opus_decoder_create`, and nobody else has it.
        unsafe { opus_decoder_destroy(self.state) }
    }
}
